"""Clustering against values of the public Context-Cluster code: choices exactly, values and gradients to 1e-5.

The reference clusters without a norm and dispatches before its last 1×1 layer. Every form of ours is held to it: the
one in chunks that serves prediction, and the two with gradients.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest
import torch
from tests.golden.sources import archive
from torch import Tensor

from interplay.scene.superpixel.clustering import Clusters, SuperpixelClustering, dispatched
from interplay.scene.superpixel.level import windows
from interplay.scene.superpixel.pooling import cell_matrix

Arrays = Mapping[str, np.ndarray]
CASES = ("p2", "p7", "p7_uneven", "p7_negative_alpha", "p2_fold2")
HEADS, HEAD_DIM = 4, 8


@pytest.fixture(scope="module")
def values(request: pytest.FixtureRequest) -> Arrays:
    return archive(request, "heads/context_cluster.npz")


def tensor(values: Arrays, key: str) -> Tensor:
    return torch.from_numpy(values[key])


def clustering(values: Arrays, case: str, assignment: str) -> SuperpixelClustering:
    """Our module with the archive's weights."""
    side = tensor(values, f"{case}/centres").shape[-1]
    made = SuperpixelClustering(24, HEADS, HEAD_DIM, side, prenorm=False, assignment=assignment)  # type: ignore[arg-type]
    weights = f"{case}/weights"
    state = {
        "alpha": tensor(values, f"{weights}/alpha"),
        "beta": tensor(values, f"{weights}/beta"),
    }
    for ours, theirs in (("similarity", "f"), ("value", "v")):
        state[f"{ours}_projection.weight"] = tensor(values, f"{weights}/{theirs}.weight")[:, :, 0, 0]
        state[f"{ours}_projection.bias"] = tensor(values, f"{weights}/{theirs}.bias")
    made.load_state_dict(state)
    return made


def clustered(values: Arrays, case: str, module: SuperpixelClustering, x: Tensor) -> list[list[Clusters]]:
    """Of each picture, its windows' clusters."""
    fold = 2 if case.endswith("fold2") else 1
    return [
        [module(image[:, rows, columns]) for rows, columns in windows((x.shape[2], x.shape[3]), fold)] for image in x
    ]


def per_head(found: list[list[Clusters]], name: str) -> Tensor:
    """(·, M) in the archive's order: picture, head, window."""
    return torch.cat([torch.stack([getattr(part, name) for part in own], dim=1).flatten(0, 1) for own in found])


def map_of(found: list[list[Clusters]], shape: torch.Size, side: int, assignment: str) -> tuple[Tensor, Tensor]:
    """Centres (B, 32, ·, ·) and what every point gets from its own (B, 32, h, w)."""
    height, width = shape[2:]
    centres, points = [], []
    for own in found:
        fold = 1 if len(own) == 1 else 2
        tables = [part.aggregate.T.view(HEADS, HEAD_DIM, side * side) for part in own]
        grids = [table.reshape(HEADS * HEAD_DIM, side, side) for table in tables]
        sent = [
            dispatched(part, table, assignment).view(-1, height // fold, width // fold)  # type: ignore[arg-type]
            for part, table in zip(own, tables, strict=True)
        ]
        centres.append(_tiled(grids, fold))
        points.append(_tiled(sent, fold))
    return torch.stack(centres), torch.stack(points)


def _tiled(parts: list[Tensor], fold: int) -> Tensor:
    rows = [torch.cat(parts[start : start + fold], dim=2) for start in range(0, len(parts), fold)]
    return torch.cat(rows, dim=1)


def close(values: Arrays, key: str, made: Tensor) -> None:
    expected = values[key]
    scale = max(float(np.abs(expected).max()), 1.0)
    np.testing.assert_allclose(made.detach().numpy(), expected, rtol=1e-5, atol=1e-5 * scale, err_msg=key)


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("form", ["streamed", "scatter", "dense"])
def test_clusters(values: Arrays, case: str, form: str) -> None:
    assignment = "scatter" if form == "streamed" else form
    module = clustering(values, case, assignment)
    x = tensor(values, f"{case}/x")
    with torch.set_grad_enabled(form != "streamed"):
        found = clustered(values, case, module, x)
    np.testing.assert_array_equal(per_head(found, "assignment").numpy(), values[f"{case}/assignment"])
    close(values, f"{case}/similarity_kept", per_head(found, "similarity"))
    centres, points = map_of(found, x.shape, module.side, assignment)
    close(values, f"{case}/aggregated", centres)
    close(values, f"{case}/dispatched", points)
    weight = tensor(values, f"{case}/weights/proj.weight")
    bias = tensor(values, f"{case}/weights/proj.bias")
    close(values, f"{case}/output", torch.nn.functional.conv2d(points, weight, bias))
    close(values, f"{case}/centres_projected", torch.nn.functional.conv2d(centres, weight, bias))


@pytest.mark.parametrize("case", CASES)
def test_first_features_of_the_centres(values: Arrays, case: str) -> None:
    """Projecting the pooled map is pooling the projected one."""
    module = clustering(values, case, "scatter")
    x = tensor(values, f"{case}/x")
    expected = tensor(values, f"{case}/centres")
    made = []
    for image in x:
        parts = []
        for rows, columns in windows((x.shape[2], x.shape[3]), 2 if case.endswith("fold2") else 1):
            region = image[:, rows, columns]
            vertical = cell_matrix(region.shape[1], module.side)
            pooled = vertical @ (region @ cell_matrix(region.shape[2], module.side).T)
            flat = module.similarity_projection(pooled.flatten(1).T).T
            parts.append(flat.view(HEADS, HEAD_DIM, module.side, module.side))
        made.append(torch.stack(parts, dim=1).flatten(0, 1))
    close(values, f"{case}/centres", torch.cat(made))
    assert torch.cat(made).shape == expected.shape


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("assignment", ["scatter", "dense"])
def test_gradients(values: Arrays, case: str, assignment: str) -> None:
    module = clustering(values, case, assignment)
    x = tensor(values, f"{case}/x").requires_grad_()
    found = clustered(values, case, module, x)
    _, points = map_of(found, x.shape, module.side, assignment)
    weight = tensor(values, f"{case}/weights/proj.weight")
    bias = tensor(values, f"{case}/weights/proj.bias")
    (torch.nn.functional.conv2d(points, weight, bias) * tensor(values, f"{case}/grad/cotangent")).sum().backward()
    for key, parameter in (
        ("x", x),
        ("alpha", module.alpha),
        ("beta", module.beta),
        ("f.weight", module.similarity_projection.weight),
        ("v.weight", module.value_projection.weight),
    ):
        assert parameter.grad is not None
        close(values, f"{case}/grad/{key}", parameter.grad.view(values[f"{case}/grad/{key}"].shape))


def test_cosine_of_a_zero_row_is_zero(values: Arrays) -> None:
    one, other = tensor(values, "cos/x1"), tensor(values, "cos/x2")
    unit = torch.nn.functional.normalize
    close(values, "cos/sim", torch.bmm(unit(one, dim=2), unit(other, dim=2).mT))
