"""GPS-Net's message passing, node priority loss and frequencies against ``heads/gps_net.npz``."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from tests.golden.heads import Values, close, fill, given, made_up
from tests.golden.sources import archive
from torch import Tensor

from interplay.data.scene_statistics import SceneStatistics
from interplay.data.scenes import SceneImage
from interplay.scene.frequency import FrequencyBias
from interplay.scene.heads.direction_aware import DirectionAwarePassing, Missing, Normalisation, first_of_each
from interplay.scene.heads.node_priority_loss import node_priority_loss, node_priority_terms, priorities
from interplay.scene.heads.padding import Padding
from interplay.scene.structures import Entities, Pairs

VARIANTS = ("released", "corrected")


@pytest.fixture
def values(request: pytest.FixtureRequest) -> Values:
    return archive(request, "heads/gps_net.npz")


def layer(
    values: Values, number: int, normalisation: Normalisation, missing: Missing = "half"
) -> DirectionAwarePassing:
    name = f"dmp/weights/layer{number}"
    hidden, value = values[f"{name}/W_v.weight"].shape[::-1]
    made = DirectionAwarePassing(hidden, value, len(values[f"{name}/W1.weight"]), normalisation, missing).double()
    archived = {f"weights/{key.removeprefix(name + '/')}": array for key, array in values.items() if name in key}
    archived |= {"weights/LN.weight": values[f"{name}/LN.gamma"], "weights/LN.bias": values[f"{name}/LN.beta"]}
    for ours, theirs in (
        (made.subject, "W_s"),
        (made.object, "W_o"),
        (made.attention, "w"),
        (made.value, "W_v"),
        (made.narrow, "W1"),
        (made.norm, "LN"),
        (made.widen, "W2"),
    ):
        fill(ours, archived, theirs)
    return made


@torch.no_grad()
@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("part", ["all_pairs", "subset"])
def test_direction_aware_passing(values: Values, variant: Normalisation, part: str) -> None:
    counts = tuple(values["dmp/n_objects"].tolist())
    rows = torch.from_numpy(values["dmp/subset"]) if part == "subset" else torch.arange(len(values["dmp/pairs"]))
    index, e = given(values, "dmp/pairs")[rows, 1:], given(values, "dmp/e")[rows]
    f, padding = given(values, "dmp/f"), Padding(counts, torch.device("cpu"))
    np.testing.assert_array_equal(first_of_each(index, len(f)).sort().values.numpy(), np.arange(len(index)))
    for number in (0, 1):
        made = layer(values, number, variant)
        scores = made.scores(f, e, index)
        weights = made.weights(scores, index, padding)
        alpha = made.normalised(weights)
        for image, count in enumerate(counts):
            name = f"dmp/{variant}/{part}/layer{number}"
            close(alpha[image, :count, :count], values[f"{name}/alpha_image{image}"])
            if number == 0:
                close(scores[padding.image[index[:, 0]] == image], values[f"dmp/{part}/att_image{image}"])
                close(weights[image, :count, :count], values[f"dmp/{part}/a_image{image}"])
        f = made(f, e, index, padding)
        close(f, values[f"dmp/{variant}/{part}/layer{number}/f"])


def nps_batch(values: Values) -> tuple[Entities, Pairs]:
    counts = tuple(values["nps/n_objects"].tolist())
    total = sum(counts)
    entities = Entities(
        counts,
        torch.zeros(total, 4),
        torch.ones(len(counts), 2),
        given(values, "nps/logits"),
        given(values, "nps/labels"),
    )
    relations = given(values, "nps/relations")
    relations = relations[relations[:, 0].argsort(stable=True)]
    per_image = torch.bincount(relations[:, 0], minlength=len(counts)).tolist()
    return entities, Pairs(tuple(per_image), relations[:, 1:3], relations[:, 3])


def test_node_priority_loss(values: Values) -> None:
    entities, pairs = nps_batch(values)
    logits = given(values, "nps/logits").requires_grad_()
    assert entities.labels is not None
    found = priorities(entities, pairs, torch.float64)
    np.testing.assert_array_equal(found.degree.numpy(), values["nps/degree"])
    close(found.theta, values["nps/theta"])
    close(found.gamma, values["nps/gamma"])
    close(logits.detach().softmax(1).gather(1, entities.labels[:, None])[:, 0], values["nps/p"])
    terms = node_priority_terms(logits, entities.labels, found.gamma)
    close(terms.detach(), values["nps/loss_per_object"])
    close(terms.sum().detach(), values["nps/loss_sum"])
    loss = node_priority_loss(logits, entities, pairs)
    close(loss.detach(), values["nps/loss"])
    loss.backward()  # type: ignore[no-untyped-call]
    assert logits.grad is not None
    close(logits.grad, values["nps/grad_logits"])


def test_image_without_relations_does_not_spoil_the_batch(values: Values) -> None:
    assert np.isnan(values["nps/released_loss_if_image1_has_no_relation"])
    entities, pairs = nps_batch(values)
    assert pairs.labels is not None
    without = Pairs(pairs.counts, pairs.index, torch.where(pairs.image == 1, 0, pairs.labels))
    loss = node_priority_loss(given(values, "nps/logits"), entities, without)
    assert torch.isfinite(loss)
    image = entities.image == 1
    assert (priorities(entities, without).gamma[image] == 2).all()


def test_frequencies(values: Values) -> None:
    of_box, rows = values["freq/image_of_box"], values["freq/relations"]
    images = [
        SceneImage(
            str(image),
            2000,
            2000,
            values["freq/boxes"][of_box == image].astype(np.float32),
            values["freq/labels"][of_box == image],
            rows[rows[:, 0] == image, 1:],
        )
        for image in range(int(of_box.max()) + 1)
    ]
    classes, _, predicates = values["freq/fg"].shape
    counted = SceneStatistics.count(images, made_up(classes, predicates))
    np.testing.assert_array_equal(counted.foreground[:, :, 1:], values["freq/fg"][:, :, 1:])
    np.testing.assert_array_equal(counted.overlapping, values["freq/bg_plain"])
    np.testing.assert_array_equal(counted.overlapping_related, values["freq/bg_softened"])
    for table, name in ((counted.softened_table(), "softened_table"), (counted.frequency_table(), "plain_table")):
        np.testing.assert_allclose(table.reshape(classes, classes, predicates), values[f"freq/{name}"], rtol=1e-5)
    never = (counted.foreground[:, :, 1:].sum(2) + counted.overlapping_related) == 0
    assert never.any()
    bias = FrequencyBias(torch.from_numpy(counted.softened_table()))
    subjects, objects = (torch.from_numpy(side) for side in np.nonzero(never))
    uniform: Tensor = torch.full((len(subjects), predicates), -float(np.log(predicates)))
    torch.testing.assert_close(bias(subjects, objects).detach(), uniform)
