"""Whose turn it is in the search, what is trained where, and which clips are averaged when a model is tested."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from tests.video.made_up import MadeUp

from interplay.video.datamodule import VideoData, VideoInput
from interplay.video.network import AGOS
from interplay.video.outcome import scored, structures
from interplay.video.settings import BackboneSettings, VideoSettings
from interplay.video.stages import Pretraining, Refinement, Search
from interplay.video.task import DiscreteTask, PretrainingTask, SearchTask, StructureWatch, begin_still


def data(**changes: Any) -> VideoData:
    settings = VideoInput(**{"frames": 4, "height": 24, "width": 24, "boxes": 3, "batch_size": 4, **changes})
    return VideoData(MadeUp(length=30), settings, 1)


def network(fixed_layers: int = 4, train_norms: bool = False, **model: Any) -> AGOS:
    backbone = BackboneSettings(
        width=2, blocks=(1, 1), strides=(1, 2), fixed_layers=fixed_layers, train_norms=train_norms
    )
    torch.manual_seed(0)
    settings = VideoSettings(**{"width": 8, "na_neighbours": 2, "tc_kernel": 1, **model})
    return AGOS(4, model=settings, backbone=backbone, frames=4, size=24, boxes=3)


def test_operations_and_structure_weights_take_turns() -> None:
    task = SearchTask(network(), Search(), data())
    assert [tuple(task.turn(number)) for number in range(4)] == [(0,), (1,), (0,), (1,)]
    assert tuple(SearchTask(network(), Search(alternation="same_batch"), data()).turn(1)) == (0, 1)
    batch = task.data.training_batch(0, 0)
    for turn, trained in (((0,), 0), ((1,), 1)):
        task._only(turn)
        output = task.output(batch, mixed=True)
        torch.nn.functional.cross_entropy(output.logits, batch.labels).backward()
        touched = [any(p.grad is not None for p in group) for group in task.groups]
        assert touched == [trained == 0, trained == 1]
        task.network.zero_grad()
    assert all(parameter.grad is None for parameter in task.network.backbone.parameters())


def test_each_stage_trains_what_it_should() -> None:
    def names(task: Any) -> set[str]:
        return {name.split(".")[0] for name, p in task.network.named_parameters() if p.requires_grad}

    graph = {"nodes", "cells", "classifier"}
    assert names(PretrainingTask(network(graph="global_pooling"), Pretraining(), data())) == {"backbone", "classifier"}
    assert names(SearchTask(network(), Search(), data())) == {*graph, "structure_weights"}
    assert names(DiscreteTask(network(), Refinement(), data())) == graph
    joint = DiscreteTask(network(), Refinement(), data(), joint=True)
    assert names(joint) == {*graph, "backbone"}
    assert not any(parameter.requires_grad for parameter in joint.network.backbone.stem.parameters())
    joint.train()
    assert not any(module.training for module in joint.network.backbone.modules() if "Norm3d" in type(module).__name__)
    frozen = SearchTask(network(), Search(), data())
    frozen.train()
    assert not any(module.training for module in frozen.network.backbone.modules() if "Norm3d" in type(module).__name__)
    assert frozen.network.cells.training


def trained_parts(made: AGOS) -> list[bool]:
    return [any(parameter.requires_grad for parameter in part.parameters()) for part in made.backbone.parts()]


def normed_parts(made: AGOS) -> list[bool]:
    return [
        any(module.training for module in part.modules() if isinstance(module, torch.nn.BatchNorm3d))
        for part in made.backbone.parts()
    ]


@pytest.mark.parametrize("train_norms", [False, True])
def test_a_backbone_frozen_in_part_trains_in_part(train_norms: bool) -> None:
    """Stem and first stage stay, the second trains with the operations; its norms where that is asked for (A3)."""
    made = network(fixed_layers=1, train_norms=train_norms)
    tasks = [SearchTask(made, Search(), data()), DiscreteTask(made, Refinement(), data())]
    for task in tasks:
        assert not task.frozen
        assert trained_parts(made) == [False, False, True]
        task.train()
        assert normed_parts(made) == [False, False, train_norms]
    searching = tasks[0]
    assert isinstance(searching, SearchTask)
    held = {id(parameter) for parameter in searching.groups[0]}
    assert all(id(parameter) in held for parameter in made.backbone.stages[1].parameters())
    batch = searching.data.training_batch(0, 0)
    output = searching.output(batch, mixed=True)
    torch.nn.functional.cross_entropy(output.logits, batch.labels).backward()
    touched = [any(parameter.grad is not None for parameter in part.parameters()) for part in made.backbone.parts()]
    assert touched == [False, False, True]
    joint = DiscreteTask(made, Refinement(fixed_layers=0), data(), joint=True)
    joint.train()
    assert trained_parts(made) == [False, True, True]
    assert normed_parts(made) == [False, train_norms, train_norms]


def test_dropout_behind_identity_falls_where_that_is_wanted() -> None:
    assert [Search(epochs=4).identity_dropout(0.5, epoch) for epoch in range(4)] == [0.5] * 4
    falling = Search(epochs=4, identity_decay="linear")
    assert [falling.identity_dropout(0.5, epoch) for epoch in range(4)] == [0.5, 0.375, 0.25, 0.125]


@pytest.mark.parametrize("given", [False, True])
def test_a_network_begins_as_its_shortcuts(given: bool) -> None:
    made = network(graph="global_pooling")
    begin_still(made, given)
    for _, block in made.backbone.blocks():
        assert float(block.third.norm.weight.detach().abs().max()) == float(given)  # type: ignore[union-attr]
    assert float(made.classifier.weight.detach().abs().max()) < 0.1


class SecondProcess:
    """In the place of the strategy and the Trainer of two processes, of which the other chose nothing but zero."""

    world_size = 2

    def __init__(self) -> None:
        self.strategy = self

    def reduce(self, values: torch.Tensor, reduce_op: str) -> torch.Tensor:
        return values


def test_an_operation_that_no_process_ran_has_no_gradient() -> None:
    """As in one process; a gradient of zeros would let momentum and weight decay move it."""
    made = network()
    with torch.no_grad():
        made.structure_weights.linear.weight[2].fill_(1.0)  # type: ignore[union-attr, index]  # difference on edge 0
    task = DiscreteTask(made, Refinement(), data())
    task._trainer = SecondProcess()  # type: ignore[assignment]
    batch = task.data.training_batch(0, 0)
    task.training_step(batch, 0).backward()  # type: ignore[no-untyped-call]
    bank = made.cells[0].bank(0)  # type: ignore[operator]
    assert all(parameter.grad is not None for parameter in bank.parameters())
    task.on_after_backward()
    for name, module in bank.items():
        assert all((parameter.grad is not None) == (name == "difference") for parameter in module.parameters()), name
    assert all(parameter.grad is None for parameter in made.cells[0].bank(1).parameters())  # type: ignore[operator]
    assert made.classifier.weight.grad is not None


def test_the_watched_clips_say_how_much_has_changed() -> None:
    task = SearchTask(network(), Search(watched=8), data())
    watch = StructureWatch(8)
    watch.begin(task)
    assert watch.look(task)["changed"] == 0
    place = task.network.space.index("temporal")
    with torch.no_grad():
        for edge in range(6):  # pooled features are positive: temporal wins everywhere
            task.network.structure_weights.linear.weight[5 * edge + place] = 1.0  # type: ignore[union-attr, index]
    figures = watch.look(task)
    assert figures["changed"] == 1
    assert figures["distinct"] == 1
    assert figures["use_temporal"] == 1
    assert figures["use_zero"] == 0
    assert 0 <= figures["entropy"] < np.log(5)
    assert watch.look(task)["changed"] == 0
    assert watch.rows(task.data) == StructureWatch(8).rows(data())


def test_the_logits_of_a_videos_clips_are_averaged_by_its_name() -> None:
    made, model = data(test_count=3, evaluation_batch=3), network().eval()
    found, none = scored(model, made, "test", torch.device("cpu"))
    assert none is None
    assert found.ids == tuple(MadeUp().ids[16:20])
    rows = []
    with torch.no_grad():
        for row, name in enumerate(found.ids, start=16):
            clips = [made.evaluated(row, number) for number in range(3)]
            assert all(clip.id == name for clip in clips)
            from interplay.video.preparation import collate

            batch = collate(clips)
            rows.append(model(batch.clips(), batch.boxes).logits.mean(0))
    np.testing.assert_allclose(found.logits, torch.stack(rows).numpy(), rtol=1e-4, atol=1e-5)
    again, forced = scored(
        model,
        made,
        "test",
        torch.device("cpu"),
        structures(model, made.chosen([0]), torch.device("cpu")).most_frequent(),
    )
    assert np.array_equal(again.logits, found.logits)
    assert forced is not None
    assert forced.ids == found.ids


@pytest.mark.parametrize("alpha_in", ["backbone", "map"])
def test_structures_are_those_of_the_deterministic_clip(alpha_in: str) -> None:
    made, model = data(), network(alpha_in=alpha_in).eval()
    found = structures(model, made.chosen([16, 18]), torch.device("cpu"))
    assert found.ids == ("square-16", "square-18")
    assert found.labels.tolist() == [0, 2]
    assert found.choices.tolist() == found.weights.argmax(-1).tolist()
    assert found.weights.shape == (2, 6, 5)
