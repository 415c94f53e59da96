"""Encodings of boxes: worked values, loops, and what a batch must not change."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from interplay.scene.encodings import PositionEmbedding, encode_boxes, overlap_info, pair_info, two_box_masks

WORKED, SIZE = torch.tensor([[100.0, 50, 299, 249]]), torch.tensor([[800.0, 600.0]])


def drawn_boxes(count: int, seed: int = 0) -> Tensor:
    random = torch.Generator().manual_seed(seed)
    low = torch.rand(count, 2, generator=random) * 60
    return torch.cat([low, low + torch.rand(count, 2, generator=random) * 30], dim=1)


def test_worked_encoding() -> None:
    wanted = [0.25, 0.333333, 0.25, 0.25, 0.125, 0.083333, 0.37375, 0.415, 0.083333]
    torch.testing.assert_close(encode_boxes(WORKED, SIZE)[0], torch.tensor(wanted), atol=1e-6, rtol=0)


def test_worked_mask() -> None:
    mask = two_box_masks(WORKED, torch.tensor([[0, 0]]), SIZE)[0, 0]
    assert int(mask.sum()) == 99
    assert mask[2:13, 3:12].all()


def test_masks_against_loops() -> None:
    boxes, side = drawn_boxes(6), 27
    sizes = torch.tensor([[97.0, 90.0]]).expand(6, 2)
    index = torch.tensor([[0, 1], [2, 5], [4, 3]])
    found = two_box_masks(boxes, index, sizes)
    for row, pair in enumerate(index.tolist()):
        for channel, entity in enumerate(pair):
            x1, y1, x2, y2 = boxes[entity].tolist()
            for y in range(side):
                for x in range(side):
                    across = math.floor(x1 * side / 97) <= x <= math.ceil(x2 * side / 97)
                    down = math.floor(y1 * side / 90) <= y <= math.ceil(y2 * side / 90)
                    assert int(found[row, channel, y, x]) == int(across and down)


def test_pair_info_of_boxes_apart_and_within() -> None:
    boxes = torch.tensor([[0.0, 0, 10, 10], [50, 50, 60, 60], [2, 2, 6, 6]])
    sizes = torch.tensor([[200.0, 100.0]]).expand(3, 2)
    apart, within = pair_info(boxes, torch.tensor([[0, 1], [0, 2]]), sizes)
    assert not apart[24:].any()
    scaled = boxes / 200
    torch.testing.assert_close(apart[16:20], torch.cat([scaled[0, :2], scaled[1, 2:]]))
    torch.testing.assert_close(apart[22:24], scaled[1, 2:] - scaled[0, :2] + 1)  # + 1 though corners are scaled
    torch.testing.assert_close(within[24:28], scaled[2])
    small = pair_info(boxes[:1], torch.tensor([[0, 0]]), torch.tensor([[20.0, 10.0]]))[0]
    torch.testing.assert_close(small[:4], boxes[0] / 100)  # no picture counts as smaller than 100


def test_overlap_of_an_image_ignores_the_others() -> None:
    boxes = drawn_boxes(7)
    together = overlap_info(boxes, (3, 0, 4))
    torch.testing.assert_close(together, torch.cat([overlap_info(boxes[:3], (3,)), overlap_info(boxes[3:], (4,))]))
    alone = overlap_info(boxes[:1], (1,))[0]
    assert alone[0] == 1
    assert float(alone[2]) == pytest.approx(1.0)


def test_position_embedding_of_a_single_box() -> None:
    torch.manual_seed(0)
    module = PositionEmbedding(16)
    encoded = encode_boxes(drawn_boxes(5), torch.full((5, 2), 100.0))
    many = module(encoded)
    assert many.shape == (5, 16)
    before = module.norm.running_mean.clone()  # type: ignore[union-attr]
    one = module(encoded[:1])
    torch.testing.assert_close(one, module.eval()(encoded)[:1])
    assert torch.equal(before, module.norm.running_mean)  # type: ignore[arg-type]
    assert module.train()(encoded[:0]).shape == (0, 16)
