"""ONNX files against PyTorch, with other batch sizes and lengths than the traced ones."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from tests.skeleton.networks import small

from interplay.skeleton.export_onnx import ExportError, check_onnx, export_onnx

pytest.importorskip("onnxscript")
pytest.importorskip("onnxruntime")


@pytest.mark.parametrize(
    "options",
    [
        {"mutual": "directed", "mfe_proj": True, "contraction": "second"},
        pytest.param({}, marks=pytest.mark.slow),
        pytest.param({"tc": "none", "early_fusion": "add"}, marks=pytest.mark.slow),
    ],
)
def test_export(tmp_path: Path, options: dict) -> None:
    network = small(**options).float().eval()
    path = tmp_path / "network.onnx"
    assert export_onnx(network, path, frames=12) <= 1e-4
    assert sorted(file.name for file in tmp_path.iterdir()) == ["network.onnx"]
    examples = [torch.randn(batch, 3, frames, 4, 2) for batch, frames in ((1, 5), (7, 12), (2, 50))]
    assert check_onnx(network, path, examples, 1e-4) <= 1e-4
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.mul_(1.5)
    with pytest.raises(ExportError, match="logits of"):
        check_onnx(network, path, examples, 1e-4)


def test_no_such_folder(tmp_path: Path) -> None:
    network = small(depth=(1, 0, 0)).float()
    with pytest.raises(ExportError, match="cannot be written"):
        export_onnx(network, tmp_path / "none" / "network.onnx", frames=8)
