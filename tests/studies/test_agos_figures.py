"""The AGOS paper's figures and the supplement's tables, executed on one shared set of tiny runs; the report of a run
that has everything to compare it with, and of one that has nothing."""

from __future__ import annotations

import html
import json
import re
import shlex
import shutil
from pathlib import Path

import pytest
import torch

from interplay.errors import InterplayError
from interplay.studies.agos_figures import structures_in
from interplay.studies.agos_reproduction import reproduce_videos
from interplay.studies.agos_tables import OPERATIONS
from interplay.studies.report import report
from interplay.studies.video_pictures import OpenedRun
from interplay.training.model_folder import save_whole
from interplay.training.recipes import load_recipe
from interplay.video.recipe import resolve

CLASSES = ("Opening something", "Closing something")
SECTIONS = {
    "data": {"train_clips": 2, "validation_clips": 0, "test_clips": 2, "height": 32, "width": 32},
    "input": {"frames": 4, "height": 32, "width": 32, "boxes": 3, "batch_size": 4, "keep_frames": 0, "test_count": 1},
    "backbone": {"width": 2, "blocks": [1, 1], "strides": [1, 2]},
    "model": {"width": 8, "na_neighbours": 2, "tc_kernel": 1},
    "stage1": {"epochs": 1},
    "stage2": {"epochs": 2, "keep_draws": 0, "batch_size": 4},
    "stage3": {"epochs": 0},
    "stage4": {"epochs": 0},
    "training": {"accelerator": "cpu", "tensorboard": False, "precision": "32-true", "frozen_bf16": False},
}
TINY = [
    f"--{part}.{key}={value if isinstance(value, str) else json.dumps(value)}"
    for part, keys in SECTIONS.items()
    for key, value in keys.items()
]
TINY.append(f"--data.classes={json.dumps(CLASSES)}")
PICTURES = {
    "fig8": ["fig8"],
    "fig7": ["fig7"],
    "table2": ["table2-classes"],
    "s4": ["s4-search"],
    "s5": ["s5", "s5-use", "s5-search"],
    "s6": [f"s6-{name}-{what}" for name in ("V1", "V2") for what in ("own", "moved", "cells")],
    "s7": [],
    "s8": [],
    "fig4": ["fig4", "fig4-clips"],
    "fig5": ["fig5"],
}
"""Study → its pictures, in the order in which they are made."""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of all these studies; what they told is in ``lines``."""
    out = tmp_path_factory.mktemp("agos")
    lines: list[str] = []
    for key in PICTURES:
        if key == "fig4":
            give_two_structures(adaptive(out))
        rows = [name.replace("_", " ") for name in OPERATIONS] if key == "table2" else None
        reproduce_videos(
            f"agos.{key}", out, rows=rows, overrides=TINY, resamples=9, quiet=True, jobs=1, say=lines.append
        )
    (out / "lines").write_text("\n".join(lines))
    return out


def adaptive(out: Path) -> Path:
    """The run of "adaptive" on the first simulation."""
    return next(
        folder
        for folder in (out / "runs").iterdir()
        if "-agos-seed" in folder.name and not (recipe := load_recipe(str(folder / "recipe.yaml")))["data"]["seed"]
        if (recipe["model"]["space"], recipe["model"]["supernodes"]) == ("original", 3)
    )


@torch.no_grad()
def give_two_structures(folder: Path) -> None:
    """A search of two epochs may end with one structure for all clips: α then follows what tells the clips apart."""
    opened = OpenedRun.of(folder)
    network, held = opened.recogniser.network, opened.held
    pooled = torch.cat([network.pooled_features(features) for features, _ in held._batches])
    mean = pooled.mean(0, keepdim=True)
    along = torch.linalg.svd(pooled - mean)[2][0]
    along = along - (along @ mean[0]) / (mean[0] @ mean[0]) * mean[0]
    weight = torch.zeros(len(network.superedges), len(network.space), len(along))
    one, other = network.space.index("difference_propagation"), network.space.index("temporal_convolution")
    weight[:, one], weight[:, other] = along, -along
    network.structure_weights.linear.weight.copy_(weight.flatten(0, 1))
    save_whole(opened.recogniser, folder / "model")
    assert len(set(OpenedRun.of(folder).held.structures())) == 2


def test_every_figure_is_drawn_from_runs_that_studies_share(made: Path) -> None:
    for key, names in PICTURES.items():
        found = sorted(path.stem for path in (made / f"agos.{key}-playground").glob("*.png"))
        assert found == sorted(names), key
        for name in names:
            path = made / f"agos.{key}-playground" / name
            assert path.with_suffix(".png").stat().st_size > 5000
            assert "<svg" in path.with_suffix(".svg").read_text()
    begun = [
        [int(number) for number in re.findall(r"(\d+) runs.*first stages\), (\d+) of them", line)[0]]
        for line in (made / "lines").read_text().splitlines()
        if "first stages" in line
    ]
    trained = [runs - finished for runs, finished in begun]
    assert trained == [7, 0, 0, 1, 2, 4, 2, 1, 0, 0]
    assert len(list((made / "runs").iterdir())) == 17
    moved = json.loads((made / "agos.s6-playground" / "table.json").read_text())["rows"]
    assert all(row["measured"]["clips"] == 4 for row in moved)
    with pytest.raises(InterplayError, match="found no structures, expected a run of the graph agos"):
        structures_in(next(folder for folder in (made / "runs").iterdir() if "node_attention" in folder.name))


def test_the_report_compares_a_run_with_those_beside_it(made: Path) -> None:
    page = report(adaptive(made), made / "page").read_text(encoding="utf-8")
    text = html.unescape(page)
    assert "Missing:" not in text
    assert "Models of a single operation, trained beside this run on the same clips" in text
    assert "non-adaptive, original operations; runs beside this one" in text
    for words in ("searched (playground_videos,", "seed 0", "misses 0.1", "trained on playground_videos,", "seed 1"):
        assert words in text
    assert "is made by" not in text
    captions = re.findall(r"<figcaption>(.*?)</figcaption>", text, re.DOTALL)
    for source in ("Fig. 4", "Fig. 5", "Fig. 6", "Fig. 7", "Fig. 8", "Supplement, Fig. 1", "Figs 2 to 4", "Fig. 6: 4"):
        assert any(source in caption for caption in captions), source
    assert all("clips" in caption or caption.startswith("Loss") for caption in captions), captions
    written = {path.stem for path in (made / "page").glob("*.svg")}
    assert {"two-structures", "two-clips", "mismatch", "transfer-cells", "transfer-own", "transfer-moved"} <= written
    assert {"l-var-cells", "l-var-use", "l-var-search", "nodes", "operations", "cases"} <= written


def test_what_a_run_lacks_is_a_line_with_the_command_that_makes_it(made: Path, tmp_path: Path) -> None:
    """A run of data without test clips, alone in its folder but for something that is no run any more."""
    run = tmp_path / "alone" / "run"
    shutil.copytree(adaptive(made), run)
    for name in ("scores", "structures"):
        (run / f"{name}-test.npz").rename(run / f"{name}-validation.npz")
    bad = run.with_name("bad")
    bad.mkdir()
    (bad / "recipe.yaml").write_text("system: agos\ndata: 3\n")
    (bad / "result.json").write_text("{")
    (run / "result.json").write_text('{"stages": [{}]}')  # a part that is broken does not take the page with it
    text = html.unescape(report(run).read_text(encoding="utf-8"))
    assert "Missing: KeyError: 'stage'." in text
    assert text.count("Missing:") == 1
    assert "of 4 validation clips" in text
    commands = re.findall(r"is made by: (interplay train .*?)(?: \(the|</p>)", text)
    assert len(commands) == 3
    changed = []
    for command in commands:
        words = shlex.split(command.replace("OPERATION", "node_attention"))[2:]
        at = words.index("--out")
        assert Path(words[at + 1]).parent == run.parent
        recipe = resolve(load_recipe(words[0]), words[1:at], None, words[0])
        changed.append((recipe["data"]["seed"], recipe["stage2"]["diversity"], recipe["model"]["graph"]))
        source = recipe["training"]["structure_from"] or recipe["training"]["begin_from"]
        assert Path(source) in (run, run / "stage1")
    assert changed == [(1, 0.1, "agos"), (0, 0.0, "agos"), (0, 0.1, "node_attention")]
