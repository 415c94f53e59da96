"""Batches by number: epochs that are passes, and epochs of a number of steps."""

from __future__ import annotations

from typing import Any

import pytest

from interplay.data.playground.scenes import PlaygroundScenes
from interplay.errors import InterplayError
from interplay.scene.datamodule import SceneData, SceneInput


def data(**settings: Any) -> SceneData:
    dataset = PlaygroundScenes(train=7, validation=1, test=1, width=64, height=64)
    return SceneData(dataset, SceneInput(batch_size=2, **settings), 5, with_pixels=False)


def test_epochs_of_steps_go_on_where_the_last_one_ended() -> None:
    passes = data()
    assert passes.steps == passes.pass_steps == 3
    wanted = [passes.training_batch(epoch, number) for epoch in range(4) for number in range(3)]
    assert len({tuple(batch.ids) for batch in wanted[:3]}) == 3
    for steps in (2, 4, 5):
        made = data(steps_per_epoch=steps)
        assert made.steps == len(made.train_dataloader()) == steps
        found = [made.training_batch(epoch, number) for epoch in range(2) for number in range(steps)]
        assert [batch.ids for batch in found] == [batch.ids for batch in wanted[: 2 * steps]]
        assert not made.ahead.waiting, "nothing is prepared beyond an epoch's end"


def test_test_pictures_may_wait_for_the_end() -> None:
    assert data().watched_parts == ("validation", "test")
    last = data(test="last")
    assert (last.watched_parts, last.evaluation_parts) == (("validation",), ("validation", "test"))
    assert len(last.val_dataloader()) == 1
    assert last.monitor(None, "R@100") == "validation_R@100"
    assert last.monitor("train_loss", "R@100") == "train_loss"
    with pytest.raises(InterplayError, match=r"training\.monitor: found test_R@50"):
        last.monitor("test_R@50", "R@100")
