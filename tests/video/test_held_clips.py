"""Clips held with their backbone maps: answered with their own, exchanged and given structures."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from interplay.errors import InterplayError
from interplay.video.held_clips import HeldClips, exchanged, pair_to_swap, swap
from interplay.video.preparation import PreparedClip
from interplay.video.recogniser import VideoRecogniser
from interplay.video.structure import Structure

CLASSES = ("a", "b", "c", "d")
RED = Structure(("difference_propagation", "zero", "identity"), "original", 2)
GREEN = Structure(("feature_aggregation", "identity", "zero"), "original", 2)
BLUE = Structure(("identity", "identity", "background_incorporation"), "original", 2)
COLOURS = (RED, GREEN, BLUE)
CLIPS = [0] * 8 + [1] * 7 + [2] * 3
"""Colour of each clip: more clips than go through the network at a time."""


class Colours(nn.Module):
    """Stands for a backbone: the mean colour of each cell, in the first three channels and mixed in the others."""

    def __init__(self, channels: int, shape: tuple[int, int, int]) -> None:
        super().__init__()
        self.mix = nn.Conv3d(3, channels - 3, 1)
        self.shape = shape

    def forward(self, clips: Tensor) -> Tensor:
        cells = functional.adaptive_avg_pool3d(clips, self.shape)
        return torch.cat([cells, self.mix(cells)], dim=1)


def recogniser() -> VideoRecogniser:
    """A model that gives red, green and blue clips the three structures."""
    torch.manual_seed(0)
    made = VideoRecogniser(
        CLASSES,
        {"width": 8, "supernodes": 2, "space": "original", "na_neighbours": 2, "tc_kernel": 1},
        {"width": 2, "blocks": [1, 1], "strides": [1, 2]},
        {"frames": 4, "height": 24, "width": 24, "boxes": 3},
    )
    network = made.network
    steps, grid = network.layout.steps, network.grid
    weights = torch.zeros(len(network.superedges), len(network.space), network.backbone.channels)
    for colour, structure in enumerate(COLOURS):
        for edge, operation in enumerate(structure.indices):
            weights[edge, operation, colour] = 1
    network.backbone = Colours(network.backbone.channels, (steps, *grid))
    with torch.no_grad():
        network.structure_weights.linear.weight.copy_(weights.flatten(0, 1))
    return made.eval()


def clips(colours: list[int]) -> list[PreparedClip]:
    draws = torch.Generator().manual_seed(1)
    made = []
    for number, colour in enumerate(colours):
        cells = torch.randint(0, 60, (4, 3, 3, 3), generator=draws, dtype=torch.uint8)
        cells[..., colour] += 190
        frames = cells.repeat_interleave(8, dim=1).repeat_interleave(8, dim=2)
        boxes = torch.rand(2, 3, 2, 2, generator=draws).sort(dim=2).values.flatten(2)
        made.append(PreparedClip(f"clip-{number}", number % len(CLASSES), frames, boxes))
    return made


@pytest.fixture(scope="module")
def held() -> HeldClips:
    return HeldClips(recogniser(), clips(CLIPS))


def test_held_clips_answer_as_the_model_does(held: HeldClips) -> None:
    assert len(held) == 18
    assert held.structures() == [COLOURS[colour] for colour in CLIPS]
    own = held.scores()
    assert own.ids == held.ids
    some = clips(CLIPS)
    for row in (3, 17):  # of the first lot and of the second
        alone = held.recogniser.outputs([some[row]]).logits
        np.testing.assert_allclose(own.logits[row], alone[0].numpy(), atol=1e-5)
        forced = held.recogniser.outputs([some[row]], BLUE).logits
        np.testing.assert_allclose(held.scores([BLUE]).logits[row], forced[0].numpy(), atol=1e-5)
        assert torch.equal(held.boxes(row), some[row].boxes)


def test_every_clip_gets_the_structure_of_one_that_has_another(held: HeldClips) -> None:
    own, other = held.structures(), exchanged(held)
    assert all(mine != theirs for mine, theirs in zip(own, other, strict=True))
    assert set(other) == set(COLOURS)
    assert exchanged(held) == other
    assert exchanged(held, seed=1) != other
    alike = HeldClips(held.recogniser, clips([1, 1, 1]))
    assert exchanged(alike) == [GREEN] * 3


def test_two_clips_with_exchanged_structures(held: HeldClips) -> None:
    first, second = swap(held, 2, 9, top=3)
    assert (first.id, first.true, second.true) == ("clip-2", "c", "b")
    assert (first.own, first.other, second.own, second.other) == (RED, GREEN, GREEN, RED)
    for clip, one in ((2, first), (9, second)):
        for structure, answers in ((one.own, one.with_own), (one.other, one.with_other)):
            expected = held.scores([structure]).probabilities[clip]
            assert [value for _, value in answers] == pytest.approx(sorted(expected, reverse=True)[:3], abs=1e-5)
            assert answers[0][0] == CLASSES[int(expected.argmax())]
    assert first.with_own != first.with_other


def test_the_pair_is_of_the_two_most_frequent_structures(held: HeldClips) -> None:
    pair = pair_to_swap(held)
    assert pair is not None
    assert [CLIPS[clip] for clip in pair] == [0, 1]
    scores = held.scores()
    right, sure = scores.predictions == held.labels, scores.probabilities.max(axis=1)
    for clip, other in zip(pair, (None, pair[0]), strict=True):
        rivals = [row for row, colour in enumerate(CLIPS) if colour == CLIPS[clip]]
        if other is not None:
            rivals = [row for row in rivals if held.labels[row] != held.labels[other]]
        best = max(rivals, key=lambda row: (right[row], sure[row]))
        assert clip == best
    assert pair_to_swap(HeldClips(held.recogniser, clips([1, 1]))) is None


def test_no_clip_is_one_line(held: HeldClips) -> None:
    with pytest.raises(InterplayError, match="found no clip that can be read, expected at least one"):
        HeldClips(held.recogniser, [])
