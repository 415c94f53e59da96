"""Numbers behind the figures, each against a naive count; attended nodes against the operations themselves."""

from __future__ import annotations

import math
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch

from interplay.evaluation.scores import Scores
from interplay.video.activation import node_importance, read_attention, top_related
from interplay.video.analysis import (
    association,
    cases,
    entropies,
    mutual_information,
    operation_accuracies,
    operation_use,
    search_curves,
    structure_use,
    uses_of,
)
from interplay.video.network import AGOS
from interplay.video.outcome import Structures
from interplay.video.settings import BackboneSettings, VideoSettings
from interplay.video.structure import SPACES, Structure


def made(choices: np.ndarray, labels: np.ndarray, weights: np.ndarray | None = None) -> Structures:
    names = SPACES["fixed"]
    if weights is None:
        weights = np.eye(len(names), dtype=np.float32)[choices]
    ids = tuple(f"clip-{row}" for row in range(len(choices)))
    return Structures(ids, labels, choices, weights, "fixed", 2, names)


def test_shares_of_a_class_with_each_structure() -> None:
    draws = np.random.default_rng(0)
    choices, labels = draws.integers(0, 2, (60, 3)), draws.integers(-1, 3, 60)
    found = made(choices, labels)
    uses = structure_use(found, 4)
    assert [use.count for use in uses] == sorted(Counter(map(tuple, choices.tolist())).values(), reverse=True)
    for use in uses:
        for label in range(3):
            mine = [row for row in range(60) if labels[row] == label]
            have = [row for row in mine if tuple(choices[row]) == use.structure.indices]
            assert use.shares[label] == pytest.approx(len(have) / len(mine))
        assert math.isnan(use.shares[3])
    assert np.nansum([use.shares for use in uses], axis=0)[:3] == pytest.approx(1)
    assert len(structure_use(found, 4, 2)) == 2
    gone = Structure.from_indices([4, 4, 4], "fixed", 2)
    there, none = uses_of(found, [uses[1].structure, gone], 4)
    assert (there.count, none.count) == (uses[1].count, 0)
    assert np.array_equal(there.shares, uses[1].shares, equal_nan=True)
    assert none.shares[:3].tolist() == [0, 0, 0]
    best = uses[0].dominant(("a", "b", "c", "d"), 1)
    assert best[0][1] == pytest.approx(np.nanmax(uses[0].shares))


def test_information_of_structures_and_classes() -> None:
    draws = np.random.default_rng(1)
    a, b = draws.integers(0, 3, 200), draws.integers(0, 4, 200)
    naive = 0.0
    for x in range(3):
        for y in range(4):
            joint = float(((a == x) & (b == y)).mean())
            if joint:
                naive += joint * math.log(joint / (float((a == x).mean()) * float((b == y).mean())))
    assert mutual_information(a, b) == pytest.approx(naive)
    labels = np.arange(90) % 3
    follows = np.stack([labels, np.zeros(90, np.int64), labels], axis=1)
    found = association(made(follows, labels), permutations=199)
    assert found.value == pytest.approx(math.log(3))
    assert found.p == 1 / 200
    assert (found.structures, found.classes, found.clips) == (3, 3, 90)
    chance = association(made(draws.integers(0, 2, (90, 3)), labels), permutations=199)
    assert chance.p > 0.01
    assert chance.by_chance == pytest.approx(chance.value, rel=0.8)
    alike = association(made(np.zeros((90, 3), np.int64), labels), permutations=19)
    assert (alike.value, alike.p) == (0, 1)
    assert association(made(follows, labels), permutations=199) == found
    many = association(made(draws.integers(0, 5, (5000, 3)), draws.integers(0, 174, 5000)), permutations=9)
    assert (many.structures, many.classes) == (125, 174)
    assert many.value == pytest.approx(many.by_chance, rel=0.02)  # 21,750 pairs, of which most clips have one alone
    with pytest.raises(ValueError, match="no clip with a class"):
        association(made(follows, np.full(90, -1)))


def test_use_and_entropy(tmp_path: Path) -> None:
    choices = np.array([[0, 1, 2], [0, 1, 3], [4, 1, 2], [0, 1, 2]])
    weights = np.zeros((4, 3, 5), np.float32)
    weights[:, 1, 1] = 50.0
    found = made(choices, np.zeros(4, np.int64), weights)
    use = operation_use(found)
    assert use.sum(1) == pytest.approx(1)
    assert use[0, 0] == 0.75
    assert use[2, 3] == 0.25
    assert entropies(found) == pytest.approx([math.log(5), 0.0, math.log(5)], abs=1e-9)
    found.save(tmp_path / "structures-test.npz")
    again = Structures.load(tmp_path / "structures-test.npz")
    assert again.choices.tolist() == choices.tolist()
    assert (again.space, again.supernodes, again.operations, again.ids) == ("fixed", 2, SPACES["fixed"], found.ids)
    history = {
        "stage": [1.0, 2.0, 2.0],
        "entropy": [math.nan, 1.6, 1.2],
        "changed": [math.nan, 0.5, 0.1],
        "distinct": [math.nan, 3.0, 2.0],
        "use_zero": [math.nan, 0.2, 0.4],
        "use_identity": [math.nan, 0.8, 0.6],
    }
    curves = search_curves(history)
    assert curves is not None
    assert curves.entropy.tolist() == [1.6, 1.2]
    assert (curves.operations, curves.use["zero"].tolist()) == (2, [0.2, 0.4])
    assert search_curves({"stage": [1.0], "train_loss": [0.2]}) is None


def scores(right: list[int], labels: list[int], classes: int = 3) -> Scores:
    logits = np.zeros((len(labels), classes), np.float32)
    for row, label in enumerate(labels):
        logits[row, label if right[row] else (label + 1) % classes] = 2 + 0.1 * row
    ids = tuple(f"v{row}" for row in range(len(labels)))
    return Scores(ids, logits, np.array(labels), tuple("abc"[:classes]))


def test_operations_class_by_class_and_the_clips_that_tell_them_apart() -> None:
    labels = [0, 0, 1, 1, 2, 2]
    named = {
        "fa": scores([1, 1, 0, 0, 1, 0], labels),
        "dp": scores([1, 1, 1, 1, 0, 0], labels),
        "tc": scores([1, 1, 0, 1, 0, 0], labels),
    }
    table = operation_accuracies(named)
    assert table.classes == ("b", "c", "a")
    assert table.spread.tolist() == [1.0, 0.5, 0.0]
    assert table.values["dp"].tolist() == [1.0, 0.0, 1.0]
    found = {case.id: case for case in cases(named)}
    assert found["v4"].why == "only fa is right"
    assert found["v2"].why == "only dp is right"
    assert found["v3"].why == "2 of 3 are right"
    assert found["v3"].right == ("dp", "tc")
    assert found["v5"].why == "none is right"
    assert {case.why for case in found.values()} >= {"all are right"}
    with pytest.raises(ValueError, match="no model"):
        cases({})


NETWORK = {"model": VideoSettings(width=8, na_neighbours=2, tc_kernel=1, space="original")}
BACKBONE = BackboneSettings(width=2, blocks=[1, 1], strides=[1, 2])


@torch.no_grad()
def test_attended_nodes_are_those_of_the_operations() -> None:
    torch.manual_seed(0)
    network = AGOS(3, backbone=BACKBONE, frames=6, size=32, boxes=3, **NETWORK).eval()
    features = torch.randn(1, 16, 3, *network.grid)
    boxes = torch.tensor([0.1, 0.1, 0.6, 0.7]).expand(1, 3, 3, 4) + 0.1 * torch.rand(1, 3, 3, 1)
    operations = ("feature_aggregation", "difference_propagation", "node_attention")
    operations += ("temporal_convolution", "background_incorporation", "zero")
    found = read_attention(network, features, boxes, Structure(operations, "original", 3))
    assert [one.operation for one in found] == list(operations[:5])
    assert found[0].superedge == (0, 1)
    state = network.nodes(features, boxes)
    bank = network.cells[0].bank(0)
    assert np.allclose(found[0].pairs, bank["feature_aggregation"].attention(state)[0])
    assert found[1].pairs is not None
    assert np.diag(found[1].pairs).tolist() == [0.0] * 9
    importance = node_importance(found, 3)
    assert importance is not None
    assert importance.shape == (3, 3)
    assert importance.mean() == pytest.approx(1)
    first, values = top_related(found[0].pairs, 4, 3)
    row = [(float(found[0].pairs[4, node]), node) for node in range(9) if node != 4]
    assert [node for _, node in sorted(row, reverse=True)[:3]] == first.tolist()
    assert values.tolist() == sorted(values.tolist(), reverse=True)
    single = AGOS(3, model=VideoSettings(width=8, graph="node_attention", na_neighbours=2), backbone=BACKBONE,
                  frames=6, size=32, boxes=3).eval()  # fmt: skip
    (only,) = read_attention(single, features, boxes)
    assert only.weights is not None
    assert only.superedge is None
    pooled = AGOS(3, model=VideoSettings(width=8, graph="roi_pooling"), backbone=BACKBONE, frames=6, size=32, boxes=3)
    assert node_importance(read_attention(pooled.eval(), features, boxes), 3) is None


@torch.no_grad()
def test_substructures_are_followed_inside() -> None:
    model = VideoSettings(width=8, na_neighbours=2, tc_kernel=1)
    network = AGOS(3, model=model, backbone=BACKBONE, frames=6, size=32, boxes=3).eval()
    features = torch.randn(1, 16, 3, *network.grid)
    boxes = torch.tensor([0.1, 0.1, 0.6, 0.7]).expand(1, 3, 3, 4)
    structure = Structure(("background", "zero", "zero", "zero", "zero", "identity"))
    found = read_attention(network, features, boxes, structure)
    assert [one.operation for one in found] == ["background_incorporation", "feature_aggregation", "node_attention"]
    assert found[0].cells is not None
    assert found[0].importance() is None
    unit = network.cells[0].bank(0)["background"]
    state = network.nodes(features, boxes)
    aggregated = state.moved(unit.aggregation(state.moved(unit.main(state))))
    assert np.allclose(found[2].weights, unit.attention.attention(aggregated)[0])
