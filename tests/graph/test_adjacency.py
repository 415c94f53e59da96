"""Static adjacency against the definition, one edge at a time."""

from __future__ import annotations

import pytest
import torch
from jaxtyping import TypeCheckError

from interplay.graph.adjacency import adjacency_subsets, block_diagonal
from interplay.graph.layouts import load_layout, shipped_layouts


@pytest.mark.parametrize("name", shipped_layouts())
def test_spatial_subsets_by_definition(name: str) -> None:
    layout = load_layout(name)
    count = layout.joint_count
    inward, outward = torch.zeros(count, count), torch.zeros(count, count)
    children = [sum(edge[0] == i for edge in layout.edges) for i in range(count)]
    parents = [sum(edge[1] == i for edge in layout.edges) for i in range(count)]
    for child, parent in layout.edges:
        inward[parent, child] = 1 / children[child]
        outward[child, parent] = 1 / parents[parent]
    made = adjacency_subsets(layout, "spatial")
    torch.testing.assert_close(made, torch.stack((torch.eye(count), inward, outward)))


def test_uniform_columns_are_averages() -> None:
    made = adjacency_subsets(load_layout("ntu25"), "uniform")
    assert made.shape == (1, 25, 25)
    torch.testing.assert_close(made[0].sum(0), torch.ones(25))
    assert (made[0] > 0).sum() == 25 + 2 * 24


def test_isolated_joint_keeps_its_self_loop_only() -> None:
    layout = load_layout("assembly101_hand21")
    own, inward, outward = adjacency_subsets(layout, "spatial")
    assert own[20, 20] == 1
    for matrix in (inward, outward):
        assert not matrix[20].any()
        assert not matrix[:, 20].any()
        assert torch.isfinite(matrix).all()


def test_identity_subsets() -> None:
    made = adjacency_subsets(load_layout("sbu15"), "identity")
    torch.testing.assert_close(made, torch.eye(15).expand(3, -1, -1))


def test_two_skeletons_without_an_edge_between_them() -> None:
    single = adjacency_subsets(load_layout("sbu15"))
    double = block_diagonal(single, 2)
    assert double.shape == (3, 30, 30)
    torch.testing.assert_close(double[:, :15, :15], single)
    torch.testing.assert_close(double[:, 15:, 15:], single)
    assert not double[:, :15, 15:].any()
    assert not double[:, 15:, :15].any()


def test_unknown_subsets() -> None:
    """By the type checker of the tests, and by the function itself where that is not active."""
    with pytest.raises((ValueError, TypeCheckError), match="subsets"):
        adjacency_subsets(load_layout("sbu15"), "radial")  # type: ignore[arg-type]
    bare = getattr(adjacency_subsets, "__wrapped__", adjacency_subsets)
    with pytest.raises((ValueError, TypeCheckError), match="'identity'"):
        bare(load_layout("sbu15"), "radial")
