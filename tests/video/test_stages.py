"""The rules by which stages slow down and end."""

from __future__ import annotations

import math

import pytest
import torch

from interplay.errors import InterplayError
from interplay.video.stages import Plateau, Pretraining, Refinement, Search, Stability


def test_the_first_stage_falls_by_half_a_cosine() -> None:
    settings = Pretraining(epochs=10, lr=0.1, warmup_epochs=1)
    rates = [settings.rate(step, 100, 10) for step in range(100)]
    assert rates[0] == pytest.approx(0.01)
    assert rates[10] == pytest.approx(0.1 * 0.5 * (1 + math.cos(math.pi / 10)))
    assert rates[50] == pytest.approx(0.05)
    assert rates[-1] < 1e-4
    assert Pretraining(lr=0.1).rate(0, 100, 10) == pytest.approx(0.1)


def test_a_plateau_is_pytorchs() -> None:
    losses = [1.0, 0.9, 0.95, 0.91, 0.9, 0.92, 0.8, 0.81, 0.82, 0.83, 0.84, 0.85, 0.8, 0.8, 0.8, 0.8]
    ours = Plateau(0.01, 0.1, 2)
    optimiser = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.01)
    theirs = torch.optim.lr_scheduler.ReduceLROnPlateau(optimiser, factor=0.1, patience=2)
    for loss in losses:
        ours.step(loss)
        theirs.step(loss)
        assert ours.rate == pytest.approx(optimiser.param_groups[0]["lr"])
    assert not ours.ended


def test_refinement_ends_after_five_flat_epochs_at_the_lowest_rate() -> None:
    settings = Refinement()
    rule = Plateau(settings.lr, settings.factor, settings.patience, settings.lowest, settings.flat)
    rates: list[float] = []
    while not rule.ended and len(rates) < 40:
        rule.step(1.0)
        rates.append(rule.rate)
    # One epoch sets the best; six flat ones at 1e-3, the rate falls, five flat ones at 1e-4 end it.
    assert len(rates) == 1 + 6 + 5
    assert rates[5] == 0.001
    assert rates[6] == pytest.approx(0.0001)


def test_a_plateau_goes_on_from_its_state() -> None:
    losses = [1.0, 0.9, 0.95, 0.96, 0.97, 0.98, 0.5, 0.6, 0.7, 0.8, 0.9]
    whole = Plateau(0.01, 0.5, 1, 0.001, 2)
    broken = Plateau(0.01, 0.5, 1, 0.001, 2)
    for position, loss in enumerate(losses):
        whole.step(loss)
        if position == 4:
            state, broken = broken.state(), Plateau(0.01, 0.5, 1, 0.001, 2)
            broken.load(state)
        broken.step(loss)
        assert whole.state() == broken.state()


def test_the_search_ends_when_two_epochs_changed_next_to_nothing() -> None:
    rule = Stability(0.02, 2)
    for changed, stable in ((1.0, False), (0.01, False), (0.02, False), (0.019, False), (0.0, True)):
        rule.step(changed)
        assert rule.stable == stable
    never = Stability(0.02, 0)
    never.step(0.0)
    never.step(0.0)
    assert not never.stable


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Search(structure_betas=(0.9,)), "stage2.structure_betas"),
        (lambda: Search(epochs=-1), "stage2.epochs"),
        (lambda: Search(stable_share=2.0), "stage2.stable_share"),
        (lambda: Pretraining(dropout=1.0), "stage1.dropout"),
        (lambda: Pretraining(lr=math.nan), "stage1.lr"),
        (lambda: Refinement(factor=1.0), "factor"),
        (lambda: Refinement(batch_size=0), "batch_size"),
    ],
)
def test_settings_out_of_range_are_named(make: object, message: str) -> None:
    assert callable(make)
    with pytest.raises(InterplayError, match=message):
        make()
