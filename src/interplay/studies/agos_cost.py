"""Tables that need no training: sizes of the models and the layers of the backbone, computed from shapes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import nn

from interplay.studies.agos_tables import STUDIES, Computed
from interplay.video.backbone import Bottleneck, ConvolutionNorm
from interplay.video.cost import Shape, Variant, after, backbone_cost, build, graph_cost, parameters
from interplay.video.settings import preset

LAYERS: Mapping[str, tuple[str, tuple[int, int, int]]] = {
    "conv1": ("5×7×7, 64, stride 1,2,2", (32, 112, 112)),
    "pool1": ("3×3×3, max, stride 1,2,2", (32, 56, 56)),
    "res2": ("[3×1×1, 64; 1×3×3, 64; 1×1×1, 256] × 3", (32, 56, 56)),
    "pool2": ("3×1×1, max, stride 2,1,1", (16, 56, 56)),
    "res3": ("[3×1×1, 128; 1×3×3, 128; 1×1×1, 512] × 4", (16, 28, 28)),
    "res4": ("[3×1×1, 256; 1×3×3, 256; 1×1×1, 1024] × 6", (16, 14, 14)),
    "res5": ("[3×1×1, 512; 1×3×3, 512; 1×1×1, 2048] × 3", (16, 7, 7)),
}
"""Layer → what the supplement's Table 3 says of it, and its output size (frames, height, width)."""


def computed_rows(what: Computed) -> list[dict[str, Any]]:
    """The rows of a study that is computed."""
    return _costs() if what == "cost" else _layers()


def _costs() -> list[dict[str, Any]]:
    release = build(Variant("release", preset("release")))
    backbone = backbone_cost(release.backbone)
    whole = backbone + graph_cost(release)
    own = {
        "Our backbone": (release.backbone, backbone.with_elementwise),
        "Our whole model": (release, whole.as_published),
    }
    rows = []
    for row in STUDIES["s2"].rows:
        found: dict[str, Any] = {"row": row.name}
        found |= {f"paper, {name}": f"{value:.1f}" for name, value in row.paper.items()}
        if row.name in own:
            module, count = own[row.name]
            found |= {
                "without batch norms, M": f"{parameters(module, norms=False) / 1e6:.3f}",
                "all parameters": f"{parameters(module):,}",
                "GMACs as published": f"{count / 1e9:.3f}",
                "note": "batch norm 2, ReLU 1, pooling 1 per element; products of affinities not counted, "
                "differences of all pairs counted",
            }
        else:
            found |= {"without batch norms, M": "printed only", "all parameters": "–", "GMACs as published": "–"}
            found["note"] = row.note
        rows.append(found)
    return rows


def _layers() -> list[dict[str, Any]]:
    """Kernels and output sizes of the backbone as it is built, beside the paper's."""
    backbone = build(Variant("default")).backbone
    rows: list[dict[str, Any]] = []
    shape: Shape = (32, 224, 224)

    def row(name: str, ours: str) -> None:
        words, size = LAYERS[name]
        same = "yes" if (ours, shape) == (words, size) else "no"
        sizes = ["×".join(map(str, one)) for one in (size, shape)]
        rows.append(
            {
                "layer": name,
                "paper": words,
                "ours": ours,
                "paper, output": sizes[0],
                "ours, output": sizes[1],
                "same": same,
            }
        )

    shape = _through(backbone.stem, shape)
    row("conv1", f"{_kernel(backbone.stem)}, stride {_listed(backbone.stem.convolution.stride)}")
    shape = _pooled(backbone.pool, shape)
    row("pool1", _pooling(backbone.pool))
    by_stage: dict[int, list[Bottleneck]] = {}
    for number, block in backbone.blocks():
        assert isinstance(block, Bottleneck)
        by_stage.setdefault(number, []).append(block)
    for number, blocks in by_stage.items():
        if number == 1:
            shape = _pooled(backbone.pool_time, shape)
            row("pool2", _pooling(backbone.pool_time))
        kinds = set()
        for block in blocks:
            layers = (block.first, block.second, block.third)
            kinds.add("; ".join(_kernel(layer) for layer in layers))
            for layer in layers:
                shape = _through(layer, shape)
        row(f"res{number + 2}", f"[{' | '.join(sorted(kinds))}] × {len(blocks)}")
    return rows


def _pooled(pool: nn.MaxPool3d, shape: Shape) -> Shape:
    return after(shape, _triple(pool.kernel_size), _triple(pool.stride), _triple(pool.padding))


def _pooling(pool: nn.MaxPool3d) -> str:
    return f"{'×'.join(map(str, _triple(pool.kernel_size)))}, max, stride {_listed(pool.stride)}"


def _through(layer: ConvolutionNorm, shape: Shape) -> Shape:
    convolution = layer.convolution
    padding = convolution.padding
    assert not isinstance(padding, str)
    return after(shape, _triple(convolution.kernel_size), _triple(convolution.stride), _triple(padding))


def _kernel(layer: ConvolutionNorm) -> str:
    return f"{'×'.join(map(str, layer.convolution.kernel_size))}, {layer.convolution.out_channels}"


def _listed(values: Any) -> str:
    return ",".join(map(str, _triple(values)))


def _triple(values: Any) -> Shape:
    """Three whole numbers; one number stands for three."""
    if isinstance(values, int):
        return values, values, values
    first, second, third = (int(value) for value in values)
    return first, second, third
