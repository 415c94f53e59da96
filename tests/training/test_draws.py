from __future__ import annotations

import torch

from interplay.training.draws import epoch_order, epoch_uniforms, generator


def test_numbers_depend_on_their_purpose_and_on_nothing_else() -> None:
    first = torch.rand(4, generator=generator(1, "order", 3))
    torch.manual_seed(5)
    torch.rand(100)
    assert torch.equal(first, torch.rand(4, generator=generator(1, "order", 3)))
    others = [generator(2, "order", 3), generator(1, "noise", 3), generator(1, "order", 4), generator(13, "order")]
    assert all(not torch.equal(first, torch.rand(4, generator=other)) for other in others)


def test_an_order_visits_every_clip_once_and_changes_with_the_epoch() -> None:
    orders = [epoch_order(7, epoch, 50) for epoch in range(3)]
    assert all(sorted(order.tolist()) == list(range(50)) for order in orders)
    assert not torch.equal(orders[0], orders[1])
    assert torch.equal(orders[1], epoch_order(7, 1, 50))


def test_uniforms_are_uniform_and_their_rows_independent() -> None:
    table = epoch_uniforms(0, 0, 4000, 5)
    assert table.dtype == torch.float64
    assert float(table.min()) >= 0
    assert float(table.max()) < 1
    assert (table.mean(dim=0) - 0.5).abs().max() < 0.02
    assert (torch.corrcoef(table.T) - torch.eye(5)).abs().max() < 0.06
    assert not torch.equal(table, epoch_uniforms(0, 1, 4000, 5))
