"""A small recogniser with random weights, and clips for it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch

from interplay.data.clips import SkeletonClip
from interplay.graph.layouts import load_layout
from interplay.skeleton.recogniser import SkeletonRecogniser

SMALL = {"channels": [16, 32, 64], "depth": [1, 1, 1]}


@pytest.fixture
def recogniser() -> SkeletonRecogniser:
    return build()


@pytest.fixture
def make_recogniser() -> Callable[..., SkeletonRecogniser]:
    return build


def build(streams: tuple[tuple[str, ...], ...] = (("joint",),), **settings: object) -> SkeletonRecogniser:
    torch.manual_seed(0)
    made = SkeletonRecogniser(
        networks=[{"streams": list(names), "model": SMALL} for names in streams],
        classes=["hug", "push", "kick"],
        layout=load_layout("sbu15").to_dict(),
        input={"window": 16},
        frames_per_second=15.0,
        clip_seconds=(2.0, 3.0),
        name="small",
        **settings,  # type: ignore[arg-type]
    )
    # Weights and statistics that no two classes or channels share.
    with torch.no_grad():
        for tensor in made.state_dict().values():
            if tensor.is_floating_point() and tensor.ndim == 1:
                tensor.copy_(tensor + 0.2 * torch.rand_like(tensor))
    return made.eval()


@pytest.fixture
def make_clip():  # type: ignore[no-untyped-def]
    def make(frames: int = 30, entities: int = 2, seed: int = 0, rate: float | None = 15.0) -> SkeletonClip:
        rng = np.random.default_rng(seed)
        steps = rng.normal(0, 0.02, (frames, entities, 15, 3)).cumsum(0) + rng.normal(0, 1, (1, entities, 15, 3))
        return SkeletonClip(f"clip{seed}", steps.astype(np.float32), "sbu15", rate)

    return make
