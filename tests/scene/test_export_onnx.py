"""Relation heads as ONNX files against PyTorch, with other numbers of entities and pairs than the traced ones."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from tests.scene.heads.batches import CLASSES, UNION, VOCABULARY, WIDTH, statistics

from interplay.scene.export_onnx import OUTPUTS, OUTSIDE, HeadOnFeatures, example, export_head
from interplay.scene.heads import HEADS, head_class
from interplay.scene.heads.interface import RelationHead
from interplay.scene.structures import Task
from interplay.training.onnx_file import ExportError, largest_difference

pytest.importorskip("onnxscript")
pytest.importorskip("onnxruntime")

NARROW = {
    "motifs": {"hidden": 8, "pooling": 8, "label_dim": 4},
    "vctree": {"hidden": 8, "pooling": 8, "label_dim": 4},
    "pe_net": {"hidden": 8, "width": 8, "mapping": 8, "label_dim": 4},
    "kern": {"hidden": 4, "output": 4},
    "gps_net": {"hidden": 8, "value": 4, "bottleneck": 4, "label_dim": 4},
    "bgnn": {
        "pooling": 8, "hidden": 8, "feature_hidden": 8, "confidence_hidden": 8, "label_dim": 4, "gate_width": 4,
        "stages": 2, "iterations": 2,
    },
    "graph_rcnn": {"hidden": 8, "pooling": 8, "feature_hidden": 8, "label_dim": 4, "feature_steps": 1},
    "frequency": {},
}  # fmt: skip


def head(name: str, task: Task) -> RelationHead:
    torch.manual_seed(0)
    widths = {"entity_width": WIDTH, "union_width": UNION}
    return head_class(name)(VOCABULARY, statistics(), task, **widths, **NARROW[name])


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=[pytest.mark.slow] if name in ("graph_rcnn", "bgnn") else [])
        for name in HEADS
        if name not in OUTSIDE
    ],
)
def test_heads_answer_alike(tmp_path: Path, name: str) -> None:
    task: Task = "predcls" if name in ("frequency", "pe_net") else "sgcls"  # what refines classes is held there
    made, path = head(name, task), tmp_path / "head.onnx"
    assert export_head(made, name, task, (WIDTH, UNION), CLASSES, path) <= 1e-4
    assert [file.name for file in tmp_path.iterdir()] == ["head.onnx"]
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.add_(0.3)
    changed = HeadOnFeatures(made, task, CLASSES).eval()
    with pytest.raises(ExportError, match="differ by"):
        largest_difference(changed, path, [example(6, 20, (WIDTH, UNION), task, CLASSES)], OUTPUTS)


@pytest.mark.parametrize(("name", "task"), [("motifs", "predcls"), ("vctree", "sgcls"), ("kern", "sggen")])
def test_those_that_cannot_say_why(tmp_path: Path, name: str, task: Task) -> None:
    with pytest.raises(ExportError) as caught:
        export_head(head(name, task), name, task, (WIDTH, UNION), CLASSES, tmp_path / "head.onnx")
    assert str(caught.value).startswith(name)
    assert "\n" not in str(caught.value)
    assert not list(tmp_path.iterdir())
