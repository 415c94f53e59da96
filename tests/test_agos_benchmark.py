"""The benchmark of AGOS's graph part is of the network as it is: its made-up maps fit, its step trains."""

from __future__ import annotations

import torch
from benchmarks.agos import behind, graph, maps, search_step


def test_made_up_maps_fit_the_network() -> None:
    network, cpu = graph(8, frames=16, boxes=3), torch.device("cpu")
    features, boxes = maps(network, 2, cpu)
    assert features.shape == (2, network.backbone.channels, 8, *network.grid)
    assert boxes.shape == (2, 8, 3, 4)
    for mode in ("discrete", "search"):
        behind(network, 1, cpu, mode)()
    search_step(cpu, 1, 8)()
