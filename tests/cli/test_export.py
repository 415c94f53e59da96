"""``interplay export``: an ONNX file that answers as PyTorch does."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch

import interplay
from interplay.cli import main
from interplay.scene.recogniser import SceneRecogniser


def test_export_and_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "model.onnx"
    assert main(["export", "megcn-playground", "--out", str(path)]) == 0
    assert "largest difference" in capsys.readouterr().out
    network = interplay.load("megcn-playground").networks[0]
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    for batch, frames in ((1, 32), (3, 20)):
        x = torch.randn(batch, 3, frames, 25, 2)
        (logits,) = session.run(None, {session.get_inputs()[0].name: x.numpy()})
        with torch.no_grad():
            np.testing.assert_allclose(logits, network(x).numpy(), atol=1e-4, rtol=1e-4)


def test_the_file_must_be_onnx(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["export", "megcn-playground", "--out", str(tmp_path / "model.pt")]) == 2
    assert "ending in .onnx" in capsys.readouterr().err


def test_relation_heads(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    narrow = {"pe_net": {"width": 8, "mapping": 8}, "motifs": {"pooling": 8}}
    for head, options in narrow.items():
        SceneRecogniser(
            ["person", "cup"],
            ["holding", "near"],
            model={"task": "predcls", "features": "geometry", "width": 12, "mask_channels": 4},
            head={"name": head, "hidden": 8, "label_dim": 4, **options},
            preparation={"short": 60, "long": 100, "channels": "rgb"},
        ).save_pretrained(tmp_path / head)
    path = tmp_path / "head.onnx"
    assert main(["export", str(tmp_path / "pe_net"), "--out", str(path)]) == 0
    assert "largest difference" in capsys.readouterr().out
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    assert [output.name for output in session.get_outputs()] == ["relation_logits", "entity_logits"]
    assert main(["export", str(tmp_path / "motifs"), "--out", str(tmp_path / "other.onnx")]) == 2
    message = capsys.readouterr().err
    assert "motifs: cannot be exported: its LSTMs" in message
    assert message.count("\n") == 1
