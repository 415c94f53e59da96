from __future__ import annotations

import torch

from interplay.graph.layouts import load_layout
from interplay.skeleton.augmentation import DRAWS, Augmentation, augment, mirrored, swap_entities

LAYOUT = load_layout("sbu15")


def clips(batch: int = 3, frames: int = 6) -> tuple[torch.Tensor, torch.Tensor]:
    torch.manual_seed(0)
    values = torch.randn(batch, frames, 2, LAYOUT.joint_count, 3)
    lengths = torch.tensor([frames - i for i in range(batch)])
    for row, length in zip(values, lengths.tolist(), strict=True):
        row[length:] = 0
    values[0, 1, 1] = 0  # an entity that is absent in a frame
    return values, lengths


def draws(batch: int = 3, value: float | None = None) -> torch.Tensor:
    table = torch.rand(batch, DRAWS - 5, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    return table if value is None else torch.full_like(table, value)


def run(strength: Augmentation, table: torch.Tensor, epoch: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    values, lengths = clips()
    return values, augment(values, strength, table, lengths, (1, epoch, [4, 7, 2]), LAYOUT)


def test_off_is_off() -> None:
    before, after = run(Augmentation(), draws())
    assert torch.equal(before, after)


def test_mirror_negates_x_and_exchanges_left_and_right() -> None:
    values, _ = clips()
    seen = mirrored(values, LAYOUT)
    left, right = LAYOUT.index("left_hand"), LAYOUT.index("right_hand")
    torch.testing.assert_close(seen[:, :, :, left], values[:, :, :, right] * torch.tensor([-1.0, 1.0, 1.0]))
    torch.testing.assert_close(seen[:, :, :, 0], values[:, :, :, 0] * torch.tensor([-1.0, 1.0, 1.0]))
    torch.testing.assert_close(mirrored(seen, LAYOUT), values)


def test_mirrored_hands_change_places() -> None:
    layout = load_layout("assembly101_hand21")
    values = torch.randn(1, 4, 2, 21, 3)
    torch.testing.assert_close(mirrored(values, layout)[:, :, 0], values[:, :, 1] * torch.tensor([-1.0, 1.0, 1.0]))


def test_mirror_happens_with_its_probability() -> None:
    before, after = run(Augmentation(mirror=0.5), draws(value=0.49))
    torch.testing.assert_close(after, mirrored(before, LAYOUT))
    before, after = run(Augmentation(mirror=0.5), draws(value=0.51))
    assert torch.equal(before, after)


def test_scale_and_shear_are_the_formula() -> None:
    table = draws()
    before, after = run(Augmentation(scale=0.2, shear=0.1), table)
    for clip in range(3):
        size = 1 + 0.2 * (2 * float(table[clip, 1]) - 1)
        matrix = torch.eye(3)
        position = 2
        for i in range(3):
            for j in range(3):
                if i != j:
                    matrix[i, j] = 0.1 * (2 * float(table[clip, position]) - 1)
                    position += 1
        for frame in range(6):
            for entity in range(2):
                for joint in range(LAYOUT.joint_count):
                    expected = matrix @ (size * before[clip, frame, entity, joint])
                    torch.testing.assert_close(after[clip, frame, entity, joint], expected)


def test_noise_spares_what_is_absent_and_depends_on_epoch_and_clip() -> None:
    before, after = run(Augmentation(noise=0.1), draws())
    change = after - before
    assert not change[0, 1, 1].any()
    assert not change[2, 4:].any()
    assert 0.08 < float(change[0, 2:].std()) < 0.12
    assert torch.equal(after, run(Augmentation(noise=0.1), draws())[1])
    assert not torch.equal(after, run(Augmentation(noise=0.1), draws(), epoch=1)[1])
    # The same clip in another batch, padded to another length.
    values, lengths = clips()
    alone = augment(values[2:, :4], Augmentation(noise=0.1), draws()[2:], lengths[2:], (1, 0, [2]), LAYOUT)
    torch.testing.assert_close(alone, after[2:, :4])


def test_swap_touches_the_chosen_only() -> None:
    values, _ = clips()
    swapped = swap_entities(values, torch.tensor([True, False, True]))
    assert torch.equal(swapped[0], values[0].flip(1))
    assert torch.equal(swapped[1], values[1])
