"""Leave-one-fold-out on SBU Kinect Interaction, with joints alone and with fused streams.

    python examples/sbu_folds.py --root DIR --seeds 1 2 3 --out runs/sbu

Trains every fold that DIR holds (all five of the standard protocol, if they are there) with every seed, once with the
joint stream and once with joint, bone and motion side by side, and adds up the two by score. Finished runs are kept, so
an interrupted study continues; ``--views`` scores finished runs anew, in other views of the test clips. ``--ship DIR``
trains on all folds instead and writes one model folder of all networks.
"""

from __future__ import annotations

import argparse
import os
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from interplay.evaluation.scores import Scores

STREAMS = {"joint": ["joint"], "joint+bone+motion": ["joint", "bone", "motion"]}


def train(job: tuple[str, int | None, int, Path, str]) -> None:
    """One run, on one thread: several of these at a time use the cores better than one run on all of them."""
    import torch

    from interplay.skeleton.run import train_recipe

    torch.set_num_threads(1)
    streams, fold, seed, out, root = job
    overrides = {"input.streams": STREAMS[streams], "data.root": root, "data.test_fold": fold, "training.seed": seed}
    train_recipe("megcn/sbu", out, overrides=overrides, resume=True, quiet=True)
    print(f"{out}: done", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--root", required=True, help="folder with foldN_data.npy and foldN_label.pkl")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--out", type=Path, default=Path("runs/sbu"))
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="runs at a time")
    parser.add_argument("--views", nargs="*", help="score the trained models in these views, not in the recipe's")
    parser.add_argument("--ship", type=Path, help="train on all folds and write one model folder here")
    arguments = parser.parse_args()

    from interplay.data.sbu import SBU
    from interplay.evaluation.scores import Scores

    folds: list[int | None] = [None] if arguments.ship else [*SBU(arguments.root).folds]
    runs = {
        (streams, fold, seed): arguments.out / f"{streams.replace('+', '-')}-fold{fold or 's-all'}-seed{seed}"
        for streams in STREAMS
        for fold in folds
        for seed in arguments.seeds
    }
    jobs = [
        (streams, fold, seed, out, arguments.root)
        for (streams, fold, seed), out in runs.items()
        if arguments.views is None or not (out / "result.json").is_file()
    ]
    with ProcessPoolExecutor(arguments.jobs, mp_context=get_context("spawn")) as pool:
        list(pool.map(train, jobs))
    if arguments.ship:
        ship(list(runs.values()), arguments.ship)
    else:
        views = arguments.views
        scores = {
            (streams, fold, seed): Scores.load(out / "scores-test.npz")
            if views is None
            else score(out, views, arguments.root)
            for (streams, fold, seed), out in runs.items()
        }
        table(scores, folds, arguments.seeds)


def score(out: Path, views: list[str], root: str) -> Scores:
    """Scores of a finished run on its held-out fold, each clip seen in these views."""
    import json
    from dataclasses import replace

    import numpy as np

    from interplay.data.sbu import SBU
    from interplay.evaluation.scores import Scores
    from interplay.loading import load_skeletons

    model = load_skeletons(out)
    model.settings = replace(model.settings, views=tuple(views))
    fold = json.loads((out / "result.json").read_text(encoding="utf-8"))["protocol"]["data"]["test_fold"]
    dataset = SBU(root, test_fold=fold)
    clips = [dataset.read(int(index)) for index in dataset.parts()["test"]]
    labels = np.array([clip.label for clip in clips], np.int64)
    return Scores(tuple(clip.id for clip in clips), model.scores(clips), labels, model.classes)


def table(scores: dict[tuple[str, int | None, int], Scores], folds: list[int | None], seeds: list[int]) -> None:
    """Markdown: pooled accuracy of each seed, its mean and deviation over seeds, and each fold's mean."""
    from interplay.evaluation.classification import top_k
    from interplay.evaluation.protocols import across_folds
    from interplay.evaluation.scores import fuse
    from interplay.evaluation.uncertainty import spread

    print(
        "\n| streams | " + " | ".join(f"fold {fold}" for fold in folds) + " | all clips, mean ± deviation | each seed |"
    )
    print("|---|" + "---|" * (len(folds) + 2))
    for name in [*STREAMS, "both, fused by score"]:
        per_fold: dict[int | None, list[float]] = {fold: [] for fold in folds}
        pooled = []
        for seed in seeds:
            found = {}
            for fold in folds:
                parts = [scores[each, fold, seed] for each in STREAMS if name in (each, "both, fused by score")]
                found[str(fold)] = parts[0] if len(parts) == 1 else fuse(parts, of="probabilities")
                per_fold[fold].append(top_k(found[str(fold)]).value)
            pooled.append(across_folds(found).pooled["top1"].value)
        cells = [f"{100 * sum(values) / len(values):.1f}" for values in per_fold.values()]
        each = ", ".join(f"{100 * value:.1f}" for value in pooled)
        print(f"| {name} | " + " | ".join(cells) + f" | {spread(pooled).percent()} | {each} |")
    together = {
        str(fold): fuse([scores[each, fold, seed] for each in STREAMS for seed in seeds[:2]], of="probabilities")
        for fold in folds
    }
    cells = [f"{100 * top_k(found).value:.1f}" for found in together.values()]
    pooled_value = across_folds(together).pooled["top1"].percent()
    print(f"| both, of the first {len(seeds[:2])} seeds | " + " | ".join(cells) + f" | {pooled_value} | |")


def ship(folders: list[Path], out: Path) -> None:
    """One model folder of all networks, trained on everything that was given."""
    import interplay
    from interplay.skeleton.card import default_card
    from interplay.skeleton.ensemble import combine

    made = combine([interplay.load(folder) for folder in folders], name="megcn-sbu", data={"name": "sbu"})
    made.card = default_card(made)
    made.save_pretrained(out)
    print(f"{out}: {sum(file.stat().st_size for file in out.iterdir()) / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
