"""Counted costs against the published figures and PyTorch's own counter."""

from __future__ import annotations

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from interplay.skeleton.cost import VARIANTS, build, cost, rows
from interplay.skeleton.network import MutualExcitationGCN

PUBLISHED = {  # parameters in millions, GMACs
    "CTR-GCN (mutual modules off)": (1.438, 1.939),
    "CTR-GCN, 120 classes": (1.462, 1.939),
    "me-GCN": (1.438, 1.939),
    "me-GCN, mfe_proj": (2.229, 3.040),
    "me-GCN, mfe_proj, 11 classes": (2.225, 3.040),
    "identity subsets, single TC, mutual off": (2.320, 2.853),
    "identity subsets, single TC, MTE": (2.320, 2.853),
    "identity subsets, single TC, MTE and MFE (mfe_proj)": (3.111, 3.954),
    "hands, CTR-GCN": (1.780, 1.591),
    "hands, me-GCN, mfe_proj": (2.571, 2.515),
}


def test_published_figures() -> None:
    found = {row["model"]: row for row in rows()}
    assert len(found) == len(VARIANTS)
    for name, (millions, gmacs) in PUBLISHED.items():
        assert round(float(found[name]["parameters"]) / 1e6, 3) == millions
        assert float(found[name]["GMACs as published"]) == gmacs
    assert round(float(found["me-GCN"]["GMACs"]), 2) == 1.77


@pytest.mark.parametrize("index", [0, 2, 7, 8, 9, 16, 18])
@torch.no_grad()
def test_against_the_counter(index: int) -> None:
    """Within 3 %: the counter also sees the two channels that carry ξ's bias and A through the lift."""
    variant = VARIANTS[index]
    network = MutualExcitationGCN(variant.classes, variant.layout, **variant.options).eval()
    with FlopCounterMode(display=False) as counter:
        network(torch.zeros(1, network.in_channels, variant.frames, network.layout.joint_count, 2))
    products = cost(build(variant), variant.frames).products
    assert products <= counter.get_total_flops() / 2 <= 1.03 * products
