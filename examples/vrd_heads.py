"""Every relation head on Stanford VRD from annotations alone (no picture is read), beside the frequency baseline.

    python examples/vrd_heads.py --root DIR --out runs/vrd

Trains the recipe ``sil/vrd`` once per head and seed on the 4,000 training images, tests on the 1,000 others under the
protocol of Lu et al. 2016, and prints a Markdown table. Finished runs are kept, so an interrupted study continues.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

PUBLISHED = {
    "Lu et al. 2016, published": "47.87",
    "Lu et al. 2016, their released predictions in floating point": "48.73",
}
"""Predicate detection, R@50 in per cent, one predicate per pair."""
COLUMNS = (
    "predicate R@50 k=1",
    "predicate R@50 k=70",
    "predicate R@100 k=70",
    "predicate zR@50 k=1",
    "predicate zR@50 k=70",
)


def main() -> None:
    from interplay.scene.heads import HEADS

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--root", required=True, help="folder with annotations_train.json, annotations_test.json, …")
    parser.add_argument("--out", type=Path, default=Path("runs/vrd"))
    parser.add_argument("--heads", nargs="+", default=["frequency", *(name for name in HEADS if name != "frequency")])
    parser.add_argument("--seeds", type=int, nargs="+", default=[1])
    arguments = parser.parse_args()
    lines = ["| head | seed | " + " | ".join(name.removeprefix("predicate ") for name in COLUMNS) + " |"]
    lines.append("|---" * (2 + len(COLUMNS)) + "|")
    for head in arguments.heads:
        for seed in arguments.seeds:
            result = train(arguments.root, arguments.out, head, seed)
            lines.append(f"| {head} | {seed} | " + " | ".join(cell(result, name) for name in COLUMNS) + " |")
            print(lines[-1], flush=True)
    print("\n" + "\n".join(lines))
    for name, value in PUBLISHED.items():
        print(f"| {name} | | {value} |" + " |" * (len(COLUMNS) - 1))


def train(root: str, out: Path, head: str, seed: int) -> dict[str, Any]:
    """One run, or the result of the one that the folder holds."""
    from interplay.scene.run import train_recipe

    overrides: dict[str, Any] = {"data.root": root, "head.name": head, "training.seed": seed}
    if head == "frequency":
        overrides["training.epochs"] = 1  # there is nothing to learn
    return train_recipe("sil/vrd", out / f"{head}-seed{seed}", overrides=overrides, resume=True)


def cell(result: dict[str, Any], name: str) -> str:
    """Per cent with its 95 % interval by bootstrap over the images."""
    found = result["metrics"]["last"]["test"]
    low, high = found["intervals"][name]
    return f"{100 * found['metrics'][name]:.1f} ({100 * low:.1f}–{100 * high:.1f})"


if __name__ == "__main__":
    main()
