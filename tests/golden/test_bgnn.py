"""BGNN and its resampling against values of the released code (``heads/bgnn*.npz``), in float64."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from tests.golden.heads import Values, box_head_batch, close, fill, fill_pairwise, given, statistics_with, vocabulary_of
from tests.golden.sources import archive
from torch import Tensor, nn

from interplay.scene.heads.bgnn import BGNN
from interplay.scene.heads.bipartite_graph import BipartiteGraph, Edges, MessagePassing
from interplay.scene.heads.pairwise_features import encoded_boxes
from interplay.scene.heads.relation_confidence import RelationConfidence, confidence_loss
from interplay.scene.resampling import (
    BilevelResampling,
    drop_probability,
    image_repeats,
    predicate_counts,
    repeat_factors,
    rounded_at_random,
)
from interplay.scene.structures import Pairs, Task, UnionFeatures

STAGES = (0, 1, 2)
PASSING = {
    "gate_sub_to_pred": "subject_to_predicate",
    "gate_obj_to_pred": "object_to_predicate",
    "gate_pred_to_sub": "predicate_to_subject",
    "gate_pred_to_obj": "predicate_to_object",
}


@pytest.fixture
def values(request: pytest.FixtureRequest) -> Values:
    return archive(request, "heads/bgnn.npz")


def fill_confidence(estimate: RelationConfidence, values: Values, name: str) -> None:
    fill(estimate.embedding.table, values, f"{name}/emb")
    for layer, key in (
        (estimate.position[0], "pos.0"),
        (estimate.position[2], "pos.2"),
        (estimate.symbolic, "sym.1"),
        (estimate.visual, "vis.1"),
        (estimate.fuse_norm, "fuse.0"),
        (estimate.fuse, "fuse.2"),
        (estimate.multi_norm, "multi.0"),
        (estimate.multi, "multi.2"),
        (estimate.binary, "bin"),
    ):
        fill(layer, values, f"{name}/{key}")


def fill_passing(step: nn.Module, values: Values, name: str) -> None:
    assert isinstance(step, MessagePassing)
    for theirs, ours in PASSING.items():
        if hasattr(step, ours):
            fill(getattr(step, ours).norm, values, f"{name}/{theirs}.LN")
            fill(getattr(step, ours).project, values, f"{name}/{theirs}.W")
    for update in ("entity_update", "predicate_update"):
        if hasattr(step, update):
            fill(getattr(step, update).message, values, f"{name}/{update}.Wi")
            fill(getattr(step, update).own, values, f"{name}/{update}.Wh")


def head(values: Values, task: Task, refine: bool = True, **options: object) -> BGNN:
    pooling, hidden = values["weights/W_e0.0.weight"].shape[::-1]
    confidence_hidden = values["weights/rce0/vis.1.weight"].shape[0]
    made = BGNN(
        vocabulary_of(values),
        statistics_with(values["frequency_prob_plus_eps"]),
        task,
        entity_width=values["x"].shape[1],
        union_width=values["u"].shape[1],
        pooling=pooling,
        feature_hidden=values["weights/pairwise/W_q.weight"].shape[0],
        hidden=hidden,
        confidence_hidden=confidence_hidden,
        label_dim=values["weights/pairwise/emb_label.weight"].shape[1],
        gate_width=values["weights/graph0/gate_sub_to_pred.W.weight"].shape[0],
        refine_entities=refine,
        **options,  # type: ignore[arg-type]
    ).double()
    fill_pairwise(made.features, values)
    for stage, estimate in enumerate(made.confidence):
        assert isinstance(estimate, RelationConfidence)
        fill_confidence(estimate, values, f"rce{stage}")
    fill(made.graph.entity_in, values, "W_e0.0")
    fill(made.graph.predicate_in, values, "W_p0.0")
    for step, passing in enumerate(made.graph.iterations):
        fill_passing(passing, values, f"graph{step}")
    fill(made.classify, values, "rel_classifier")
    with torch.no_grad():
        made.recalibration.alpha.copy_(given(values, "weights/recalibration/alpha"))
        made.recalibration.beta.copy_(given(values, "weights/recalibration/beta"))
    assert made.frequency is not None
    made.frequency.table.load_state_dict({"weight": given(values, "frequency_table")})
    return made.eval()


def union(values: Values) -> UnionFeatures:
    return UnionFeatures.of(given(values, "u"))


@torch.no_grad()
@pytest.mark.parametrize("part", ["sgdet", "predcls"])
def test_every_stage(values: Values, part: str) -> None:
    task: Task = "sggen" if part == "sgdet" else "predcls"
    entities, pairs = box_head_batch(values, task)
    made, x = head(values, "sggen"), given(values, "x")  # with weights for the last entity update, whatever the task
    features, graph = made.features, made.graph
    assert isinstance(graph, BipartiteGraph)

    close(features.position(encoded_boxes(entities)), values["pairwise/pos_embedding"])
    a, ends = features.entities(x, entities, features.labels(entities))
    p = features.pairs(ends, given(values, "u"), entities, pairs, slice(0, len(pairs.index)))
    assert features.union is not None
    close(features.union(given(values, "u")), values[f"{part}/pairwise/union_projected"])
    close(a, values[f"{part}/pairwise/a"])
    close(p, values[f"{part}/pairwise/p"])

    first_entity, first_pair, seen = made.start(x, union(values), entities, pairs)
    scores = entities.scores
    assert scores is not None
    np.testing.assert_array_equal((scores > 0.03).numpy(), values[f"{part}/entity_valid"])
    predicate = first_pair
    labels = given(values, "relation_labels")
    for stage, estimate in enumerate(made.confidence):
        name = f"{part}/stage{stage}"
        assert isinstance(estimate, RelationConfidence)
        logits = estimate(estimate.see(predicate) if stage else seen, encoded_boxes(entities), entities, pairs)
        close(logits, values[f"{name}/relness_logits"])
        close(logits[:, -1].sigmoid(), values[f"{name}/s"])
        recalibrated = made.recalibration(logits[:, -1].sigmoid())
        close(recalibrated, values[f"{name}/s_recalibrated"])
        losses = confidence_loss(logits, labels)
        for key, suffix in (("loss", ""), ("binary", "_bin"), ("multi", "_multi")):
            close(losses[key], values[f"{name}/rce_loss{suffix}"])
        edges = Edges.choose(recalibrated, scores, entities, pairs)
        states = graph(first_entity, first_pair, edges, pairs)
        for t, (entity, predicate) in enumerate(states):
            close(entity, values[f"{name}/e_{t}"])
            close(predicate, values[f"{name}/p_{t}"])
            if t < len(graph.iterations):
                check_messages(values, name, t, graph.iterations[t], entity, predicate, edges, pairs, stage == 0)
    close(made.classify(predicate), values[f"{part}/relation_logits_before_frequency"])


def check_messages(
    values: Values,
    name: str,
    t: int,
    step: nn.Module,
    entity: Tensor,
    predicate: Tensor,
    edges: Edges,
    pairs: Pairs,
    first_stage: bool,
) -> None:
    assert isinstance(step, MessagePassing)
    for role, gate, ends in (
        ("subject", step.predicate_to_subject, pairs.subject),
        ("object", step.predicate_to_object, pairs.object),
    ):
        message = step.entity_message(gate, entity, predicate, ends, edges)
        close(message, values[f"{name}/message_{role}_{t}"])
        if t == 0 and first_stage:
            row = edges.selected.nonzero()[:, 0]
            weight = (edges.confidence[row] * gate(entity[ends[row]], predicate[row]))[:, 0]
            theirs = values[f"{name}/edges_{role}_0"]
            order = np.lexsort((row.numpy(), ends[row].numpy()))
            ours = torch.stack([ends[row], row], dim=1).numpy()[order]
            their_order = np.lexsort((theirs[:, 1], theirs[:, 0]))
            np.testing.assert_array_equal(ours, theirs[their_order])
            close(weight[torch.from_numpy(order)], values[f"{name}/gate_times_s_to_{role}_0"][their_order])
    if t == 0 and first_stage:
        gates = step.gates_to_predicate(entity, predicate, pairs)
        for role, found in zip(("subject", "object"), gates, strict=True):
            close(found[edges.heard, 0], values[f"{name}/gate_{role}_to_predicate_0"])


@torch.no_grad()
@pytest.mark.parametrize("part", ["sgdet", "predcls"])
def test_whole_head(values: Values, part: str) -> None:
    task: Task = "sggen" if part == "sgdet" else "predcls"
    entities, pairs = box_head_batch(values, task)
    table = values["frequency_prob_plus_eps"]
    close(torch.from_numpy(np.log(table)).flatten(0, 1), values["frequency_table"])
    for made in (head(values, task, refine=False), head(values, task, refine=False, skip="batch")):
        found = made(given(values, "x"), union(values), entities, pairs).relation_logits
        close(found, values[f"{part}/relation_logits"])
        if part == "sgdet":
            close(found, values["sgdet/relation_logits_each_image_alone"])


@torch.no_grad()
@pytest.mark.parametrize("part", ["sgdet", "predcls"])
def test_before_the_graph_is_used(values: Values, part: str) -> None:
    task: Task = "sggen" if part == "sgdet" else "predcls"
    entities, pairs = box_head_batch(values, task)
    made = head(values, task, refine=False)
    made.training = True  # of the outermost module only: norms keep their running statistics
    output = made(given(values, "x"), union(values), entities, pairs)
    close(output.relation_logits, values[f"{part}/bypass/relation_logits"])
    _, first_pair, seen = made.start(given(values, "x"), union(values), entities, pairs)
    for stage, estimate in enumerate(made.confidence):
        assert isinstance(estimate, RelationConfidence)
        logits = estimate(estimate.see(first_pair) if stage else seen, encoded_boxes(entities), entities, pairs)
        close(logits, values[f"{part}/bypass/stage{stage}/relness_logits"])


@torch.no_grad()
def test_image_in_which_nothing_is_confident(values: Values) -> None:
    image = int(values["zero_image/image"])
    entities, pairs = box_head_batch(values, "sggen")
    rows = slice(sum(pairs.counts[:image]), sum(pairs.counts[: image + 1]))
    answers = {}
    for skip in ("image", "batch"):
        made = head(values, "sggen", refine=False, skip=skip)
        last = made.confidence[2]
        assert isinstance(last, RelationConfidence)
        last.binary.bias.copy_(given(values, "weights/zero_image_rce2_bin.bias"))
        answers[skip] = made(given(values, "x"), union(values), entities, pairs).relation_logits
    close(answers["batch"], values["zero_image/relation_logits_in_batch"])
    close(answers["image"][rows], values["zero_image/relation_logits_image_alone"])
    others = np.delete(np.arange(len(pairs.index)), np.arange(rows.start, rows.stop))
    close(answers["image"][others], values["zero_image/relation_logits_in_batch"][others])


@pytest.mark.parametrize("setting", ["t0.1_d0.9", "t0.13_d1.6", "t0.1_d0.85"])
def test_resampling(request: pytest.FixtureRequest, setting: str) -> None:
    values = archive(request, "heads/bgnn_resampling.npz")
    threshold, strength = (float(part[1:]) for part in setting.split("_"))
    close(torch.tensor(threshold), values[f"{setting}/t"])
    rows, image = values["relations"], values["image_of_relation"]
    repeats = values[f"{setting}/r_I"]
    relations = [rows[image == one] for one in range(len(repeats))]
    counts = predicate_counts(relations, len(values["counts"]))
    np.testing.assert_array_equal(counts, values["counts"])
    real = repeat_factors(counts, threshold)
    np.testing.assert_allclose(real[1:], values[f"{setting}/r_c_real"], rtol=1e-6)
    draws = np.concatenate([[0.5], values[f"{setting}/rounding_draws_fp64"]])
    factors = rounded_at_random(real, draws)
    np.testing.assert_array_equal(factors, values[f"{setting}/r_c"])
    np.testing.assert_array_equal(image_repeats(relations, factors), repeats)

    drawn = values[f"{setting}/drop_draws_fp64"]
    probability = drop_probability(factors[rows[:, 2]], repeats[image], strength)
    given_rows = repeats[image] > 1
    theirs = values[f"{setting}/drop_probability"]
    np.testing.assert_allclose(probability[given_rows], theirs[given_rows], rtol=1e-6, atol=1e-9)
    assert (theirs[~given_rows] == -1).all()
    plan = BilevelResampling(factors, repeats, strength)

    class Recorded(np.random.Generator):
        """Gives the draws of the archive."""

        def __init__(self, draws: np.ndarray) -> None:
            super().__init__(np.random.PCG64(0))
            self.draws = draws

        def random(self, size: int) -> np.ndarray:  # type: ignore[override]
            assert size == len(self.draws)
            return self.draws

    thinned = [plan.thinned(one, relations[one], Recorded(drawn[image == one])) for one in range(len(repeats))]
    np.testing.assert_array_equal(np.concatenate(thinned)[:, 2], values[f"{setting}/labels_after_drop"])
