"""The measurements of scene-graph models run, at sizes where their numbers mean nothing."""

from __future__ import annotations

import sys

import pytest
from benchmarks import scene_heads
from benchmarks.scene_heads import PAPERS, TINY, answer_many, measurements, rows, target, training_steps

NARROW = {
    "hidden": 16,
    "pooling": 16,
    "label_dim": 8,
    "output": 8,
    "value": 8,
    "bottleneck": 8,
    "feature_hidden": 16,
    "confidence_hidden": 16,
    "gate_width": 8,
    "mapping": 16,
}
SMALL = scene_heads.replace(TINY, head=tuple(NARROW.items()))


def test_all_that_is_promised_can_be_selected() -> None:
    names = measurements()
    assert {f"sil/{head}/20" for head in PAPERS} | {"sil/motifs/80"} <= set(names)
    assert {f"{part}/{head}" for head in (*PAPERS, "motifs+sil") for part in ("memory", "memory300")} <= set(names)
    assert {f"growth/{head}/predcls" for head in PAPERS} <= set(names)
    assert len(PAPERS) == 7
    assert list(rows(["no such part"])) == []


def test_ratios_and_growth() -> None:
    found = list(rows(["sil/motifs/*", "vctree/*", "growth/graph_rcnn/*"], SMALL))
    ratios = [row for row in found if row.unit == "ratio"]
    assert [row.setting.split(",")[0] for row in ratios] == [
        "sil/motifs/4",
        "sil/motifs/6",
        "vctree/predcls/4",
        "vctree/predcls/6",
        "vctree/sgcls/4",
        "vctree/sgcls/6",
    ]
    assert all(row.value > 0 and row.ratio == row.value for row in ratios)
    assert next(row.setting for row in found if row.unit == "exponent").startswith("growth/graph_rcnn/predcls, 6 to 56")


@pytest.mark.parametrize("head", [*PAPERS, "motifs+sil"])
def test_training_steps_and_pictures_of_many_objects_reach_every_head(head: str) -> None:
    training_steps(head, SMALL, steps=1)
    answer_many(head, SMALL)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_memory_is_what_a_process_of_its_own_says(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for work in ("training_steps", "answer_many"):
        code = scene_heads.PROCESS.format(threads=1, work=work, name="kern", scale=scene_heads.asdict(SMALL))
        exec(code, {})
        assert 100 < float(capsys.readouterr().out) < 20_000  # MiB, of the tests' process
    monkeypatch.setattr(scene_heads, "PROCESS", "print({threads} * 2048.0, end='')  # {work} {name!r} {scale!r}")
    (row,) = rows(["memory/kern"], SMALL)
    assert row.unit == "GiB"
    assert row.value == 2 * scene_heads.torch.get_num_threads()
    assert "8 pairs each" in row.setting
    (row,) = rows(["memory12/kern"], SMALL)
    assert row.setting.startswith("memory12/kern, PredCls inference")
    assert "12 objects, 132 pairs" in row.setting
    monkeypatch.setattr(scene_heads, "PROCESS", "raise SystemExit('no memory left')")
    with pytest.raises(RuntimeError, match=r"memory/kern: .*no memory left"):
        list(rows(["memory/kern"], SMALL))


def test_boxes_lie_inside() -> None:
    true = target(80, scene_heads.FULL, 1)
    assert (true.boxes[:, :2] >= 0).all()
    assert (true.boxes[:, 2] <= 999).all()
    assert (true.boxes[:, 3] <= 599).all()
    assert (true.labels >= 1).all()
