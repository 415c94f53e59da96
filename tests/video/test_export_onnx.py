"""A fixed structure as ONNX."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from interplay.video.export_onnx import FixedStructure, example, export_structure
from interplay.video.network import AGOS
from interplay.video.settings import BackboneSettings, VideoSettings
from interplay.video.structure import Structure


def network(**changes: object) -> AGOS:
    torch.manual_seed(0)
    model = VideoSettings(width=8, na_neighbours=2, tc_kernel=1, supernodes=2, **changes)  # type: ignore[arg-type]
    backbone = BackboneSettings(width=2, blocks=(1, 1), strides=(1, 2))
    return AGOS(5, model=model, backbone=backbone, frames=4, size=(32, 40), boxes=3).eval()


@pytest.mark.parametrize("cells", [1, 2])
def test_without_a_choice_it_is_the_same_network(cells: int) -> None:
    whole = network(cells=cells)
    structure = Structure(("difference", "zero", "background"), supernodes=2)
    given = example(whole, 3)
    with torch.no_grad():
        found = FixedStructure(whole, structure)(**given)
        expected = whole(given["clips"], given["boxes"], structures=[structure]).logits
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize(
    "changes",
    [
        {"graph": "global_pooling"},
        {"graph": "roi_pooling"},
        {"graph": "roi_pooling", "roi_nodes": "backbone"},
        {"graph": "node_attention"},
    ],
    ids=str,
)
def test_baselines_have_no_structure(changes: dict[str, object]) -> None:
    whole = network(**changes)
    given = example(whole, 2)
    with torch.no_grad():
        torch.testing.assert_close(FixedStructure(whole, None)(**given), whole(given["clips"], given["boxes"]).logits)


def test_what_runs_elsewhere_answers_alike(tmp_path: Path) -> None:
    pytest.importorskip("onnxscript")
    pytest.importorskip("onnxruntime")
    whole = network(space="original")
    structure = Structure(("temporal_convolution", "difference_propagation", "node_attention"), "original", 2)
    assert export_structure(whole, structure, tmp_path / "net.onnx") < 1e-4
    assert export_structure(network(graph="roi_pooling"), None, tmp_path / "pooled.onnx") < 1e-4


def test_a_structure_goes_with_agos_only() -> None:
    with pytest.raises(ValueError, match="expected one with the graph agos"):
        FixedStructure(network(), None)
    with pytest.raises(ValueError, match="none with a baseline"):
        FixedStructure(network(graph="roi_pooling"), Structure(("zero",) * 3, supernodes=2))
