"""MOTIFS, VCTree, frequency bias and word vectors against the public code (``heads/sgb_*.npz``), in float64."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
import torch
from tests.golden.heads import Values, given, made_up, statistics_with
from tests.golden.sources import archive
from torch import Tensor, nn

from interplay.data.scene_statistics import SceneStatistics
from interplay.scene.encodings import PositionEmbedding, encode_boxes, overlap_info
from interplay.scene.frequency import FrequencyBias
from interplay.scene.heads.interface import RelationHead
from interplay.scene.heads.motifs import Motifs
from interplay.scene.heads.padding import Padding
from interplay.scene.heads.pair_classifier import PairClassifier
from interplay.scene.heads.sequences import PackedOrder, SequenceContext, visiting_order
from interplay.scene.heads.tree_lstm import BidirectionalTreeLSTM, ChildrenToParent, ParentToChildren
from interplay.scene.heads.tree_scores import prior_weights
from interplay.scene.heads.trees import Forest, spanning_forest
from interplay.scene.heads.vctree import VCTree
from interplay.scene.structures import Entities, Pairs, Task, UnionFeatures, starts
from interplay.scene.word_vectors import WordVectors

CPU = torch.device("cpu")


def near(ours: Tensor, theirs: np.ndarray) -> None:
    """1e-5 of the array's largest value: a float32 run is compared with a float64 one."""
    scale = max(float(np.abs(theirs).max(initial=0.0)), 1e-30)
    np.testing.assert_allclose(ours.detach().numpy(), theirs, rtol=0, atol=1e-5 * scale)


def same(ours: Tensor | np.ndarray | Sequence[int], theirs: np.ndarray) -> None:
    assert np.asarray(ours).tolist() == theirs.tolist()


def linear(values: Values, name: str, layer: nn.Linear) -> None:
    layer.load_state_dict({"weight": given(values, f"w.{name}.W"), "bias": given(values, f"w.{name}.b")})


def norm(values: Values, name: str, layer: nn.BatchNorm1d) -> None:
    names = {"weight": "gamma", "bias": "beta", "running_mean": "mean", "running_var": "var"}
    state = {ours: given(values, f"w.{name}.{theirs}") for ours, theirs in names.items()}
    layer.load_state_dict(state, strict=False)


def position(values: Values, layers: PositionEmbedding) -> None:
    linear(values, "pos.lin1", layers.reduce)
    norm(values, "pos.bn", layers.norm)
    linear(values, "pos.lin2", layers.expand)


def table(values: Values, name: str, embedding: nn.Embedding) -> None:
    embedding.load_state_dict({"weight": given(values, f"w.{name}")})


def relation(values: Values, classifier: PairClassifier) -> None:
    assert classifier.join is not None
    assert classifier.frequency is not None
    linear(values, "rel.post_emb", classifier.ends)
    linear(values, "rel.post_cat", classifier.join)
    linear(values, "rel.cls", classifier.classifier)
    table(values, "freq_table", classifier.frequency.table)
    if classifier.union is not None:
        linear(values, "rel.up", classifier.union)


def sequence_context(values: Values, name: str, context: SequenceContext) -> None:
    state = {}
    for direction, suffix in (("fwd", ""), ("bwd", "_reverse")):
        for ours, theirs in (("weight_ih", "W_in"), ("weight_hh", "W_rec"), ("bias_ih", "b_in"), ("bias_hh", "b_rec")):
            state[f"{ours}_l0{suffix}"] = given(values, f"w.{name}.lstm.{direction}.{theirs}")
    context.lstm.load_state_dict(state)
    linear(values, f"{name}.out", context.output)


def tree_context(values: Values, name: str, context: BidirectionalTreeLSTM) -> None:
    up, down = context.up[0], context.down[0]
    assert isinstance(up, ChildrenToParent)
    assert isinstance(down, ParentToChildren)
    for key, layer in (("in", up.input), ("left", up.left), ("right", up.right), ("P", up.projection)):
        linear(values, f"{name}.up.{key}", layer)
    for key, layer in (("in", down.input), ("par", down.parent), ("P", down.projection)):
        linear(values, f"{name}.down.{key}", layer)


def sizes(values: Values) -> tuple[SceneStatistics, dict[str, int]]:
    classes, label_dim = values["w.emb1"].shape
    predicates, pooling = values["w.rel.cls.W"].shape
    widths = {
        "entity_width": values["in.roi_feat"].shape[1],
        "hidden": values["w.rel.post_emb.W"].shape[1],
        "pooling": pooling,
        "label_dim": label_dim,
    }
    return statistics_with(np.zeros((classes, classes, predicates))), widths


def motifs(values: Values, task: Task, union: str = "union_feat") -> Motifs:
    statistics, widths = sizes(values)
    vocabulary = made_up(*statistics.foreground.shape[1:])
    width = values[f"in.{union}"].shape[1]
    head = Motifs(vocabulary, statistics, task, union_width=width, dropout=0.0, **widths).double().eval()
    table(values, "emb1", head.entity_input.embedding.table)
    table(values, "emb2", head.label_embedding.table)
    table(values, "emb_dec", head.decoder.embedding)
    position(values, head.entity_input.position)
    sequence_context(values, "objctx", head.object_context)
    sequence_context(values, "edge", head.edge_context)
    linear(values, "dec.in", head.decoder.input)
    linear(values, "dec.st", head.decoder.state)
    linear(values, "dec.cls", head.decoder.output)
    relation(values, head.relation)
    return head


def vctree(values: Values, task: Task, union: str = "union_feat") -> VCTree:
    statistics, widths = sizes(values)
    vocabulary = made_up(*statistics.foreground.shape[1:])
    width = values[f"in.{union}"].shape[1]
    head = VCTree(vocabulary, statistics, task, union_width=width, dropout=0.0, **widths).double().eval()
    table(values, "emb1", head.entity_input.embedding.table)
    table(values, "emb2", head.label_embedding.table)
    table(values, "emb_dec", head.decoder.embedding)
    position(values, head.entity_input.position)
    scores = head.scores
    for key, layer in (
        ("feat", scores.feature),
        ("emb", scores.belief),
        ("box", scores.box),
        ("overlap", scores.overlap),
        ("pre", scores.join),
        ("sub", scores.subject),
        ("obj", scores.object),
        ("vis", scores.visual),
    ):
        linear(values, f"score.{key}", layer)
    norm(values, "score.box_bn", scores.box_norm)
    norm(values, "score.overlap_bn", scores.overlap_norm)
    scores.prior.data = given(values, "w.score.prior").view_as(scores.prior)
    tree_context(values, "objctx", head.object_context)
    tree_context(values, "edge", head.edge_context)
    for key, layer in (("in", head.decoder.cell.input), ("par", head.decoder.cell.parent)):
        linear(values, f"dec.down.{key}", layer)
    linear(values, "dec.down.P", head.decoder.cell.projection)
    linear(values, "dec.cls", head.decoder.output)
    relation(values, head.relation)
    return head


def batch(values: Values, task: Task) -> tuple[Entities, Pairs]:
    counts = tuple(values["in.n_obj"].tolist())
    labels, logits = given(values, "in.gt_labels"), given(values, "in.det_logits")
    if task == "predcls":
        logits = torch.full_like(logits, -1000).scatter(1, labels[:, None], 1000)
    boxes, pictures = given(values, "in.boxes"), given(values, "in.image_wh").double()
    amounts = tuple(values["in.n_pair"].tolist())
    index = values["in.pairs"] + np.repeat(starts(counts), amounts)[:, None]
    entities = Entities(counts, boxes, pictures, logits, labels if task == "predcls" else None)
    return entities, Pairs(amounts, torch.from_numpy(index))


def check_relations(
    head: RelationHead, values: Values, prefix: str, inputs: tuple[Tensor, Tensor, Entities, Pairs]
) -> None:
    """The whole head, with and without the frequency bias, in chunks and at once."""
    x, u, entities, pairs = inputs
    classifier = head.relation
    assert isinstance(classifier, PairClassifier)
    output = head(x, UnionFeatures.of(u), entities, pairs)
    near(output.relation_logits, values[f"{prefix}.rel_logits"])
    if f"{prefix}.obj_labels" in values:
        same(output.entity_labels, values[f"{prefix}.obj_labels"])
        near(output.entity_logits, values[f"{prefix}.obj_logits"])
    near(head(x, UnionFeatures.of(u, 7), entities, pairs).relation_logits, values[f"{prefix}.rel_logits"])
    if f"{prefix}.rel_logits_no_freq" in values:
        frequency, classifier.frequency = classifier.frequency, None
        bare = head(x, UnionFeatures.of(u), entities, pairs)
        near(bare.relation_logits, values[f"{prefix}.rel_logits_no_freq"])
        classifier.frequency = frequency


@pytest.mark.parametrize(("prefix", "task"), [("predcls", "predcls"), ("sgcls", "sgcls"), ("sgdet", "sggen")])
@torch.no_grad()
def test_motifs(request: pytest.FixtureRequest, prefix: str, task: Task) -> None:
    values = archive(request, "heads/sgb_motifs.npz")
    head = motifs(values, task)
    entities, pairs = batch(values, task)
    x, u = given(values, "in.roi_feat"), given(values, "in.union_feat")
    if task == "sggen":
        image = int(values["sgdet.in.image_index"])
        mine = entities.image == image
        u = u[pairs.image == image]
        x, head.suppression = given(values, "sgdet.in.roi_feat"), float(values["sgdet.in.nms_thresh"])
        entities = Entities(
            (int(mine.sum()),),
            entities.boxes[mine],
            entities.sizes[image : image + 1],
            given(values, "sgdet.in.det_logits"),
            boxes_per_class=given(values, "sgdet.in.boxes_per_cls"),
        )
        pairs = Pairs((len(u),), given(values, "sgdet.in.pairs"))
    by = visiting_order(entities)
    if task == "sgcls":
        first = torch.tensor(entities.starts)
        visited = torch.cat([by.order[by.image == image] - first[image] for image in range(len(first))])
        same(visited, values["sgcls.perm_within_image"])
    else:
        same(by.order, values[f"{prefix}.perm"])
    if task == "predcls":
        same(by.steps, values["predcls.steps"])
    z, _ = head.entity_input(x, entities)
    near(z, values[f"{prefix}.z"])
    near(by.run(head.object_context.lstm, z), values[f"{prefix}.obj_lstm"])
    context = head.object_context(z, by)
    near(context, values[f"{prefix}.obj_ctx"])
    logits, labels = head.decoded(z, context, entities, by)
    near(logits, values[f"{prefix}.obj_logits"])
    same(labels, values[f"{prefix}.obj_labels"])
    seen = torch.cat([head.label_embedding(labels), x, context], dim=1)
    near(by.run(head.edge_context.lstm, seen), values[f"{prefix}.edge_lstm"])
    edge = head.edge_context(seen, by)
    near(edge, values[f"{prefix}.edge_ctx"])
    near(head.relation.ends(edge), values[f"{prefix}.head_tail"])
    near(head.relation.pair(head.relation.sides(edge), pairs.index), values[f"{prefix}.pair_rep"])
    check_relations(head, values, prefix, (x, u, entities, pairs))


@torch.no_grad()
def test_motifs_detections_ranked(request: pytest.FixtureRequest) -> None:
    values = archive(request, "heads/sgb_motifs.npz")
    logits, relations = given(values, "sgdet.obj_logits"), given(values, "sgdet.rel_logits")
    labels, pairs = given(values, "sgdet.obj_labels"), given(values, "sgdet.in.pairs")
    scores = logits.softmax(dim=1).gather(1, labels[:, None])[:, 0]
    boxes = given(values, "sgdet.in.boxes_per_cls")[torch.arange(len(labels)), labels]
    chances = relations.softmax(dim=1)
    best = chances[:, 1:].max(dim=1)
    ranked = (scores[pairs[:, 0]] * scores[pairs[:, 1]] * best.values).argsort(descending=True, stable=True)
    same(labels, values["sgdet.final.labels"])
    near(scores, values["sgdet.final.scores"])
    near(boxes, values["sgdet.final.boxes"])
    same(pairs[ranked], values["sgdet.final.pairs"])
    near(chances[ranked], values["sgdet.final.rel_prob"])
    same(best.indices[ranked] + 1, values["sgdet.final.rel_label"])


@pytest.mark.parametrize("name", ["motifs", "vctree"])
@torch.no_grad()
def test_union_features_as_wide_as_the_pair(request: pytest.FixtureRequest, name: str) -> None:
    values = archive(request, f"heads/sgb_{name}.npz")
    head = (motifs if name == "motifs" else vctree)(values, "predcls", "union_feat_poolwidth")
    inputs = given(values, "in.roi_feat"), given(values, "in.union_feat_poolwidth"), *batch(values, "predcls")
    check_relations(head, values, "predcls_poolwidth", inputs)


@torch.no_grad()
def test_motifs_taught(request: pytest.FixtureRequest) -> None:
    """Training mode of the decoder alone: true classes are fed back, the best class where the truth is background."""
    values = archive(request, "heads/sgb_motifs.npz")
    head = motifs(values, "sgcls")
    head.training = head.decoder.training = True
    entities, pairs = batch(values, "sgcls")
    truth = given(values, "sgcls_tf.in.labels")
    entities = Entities(entities.counts, entities.boxes, entities.sizes, entities.logits, truth)
    by = visiting_order(entities)
    same(by.order, values["sgcls_tf.perm"])
    same(by.steps, values["sgcls_tf.steps"])
    x = given(values, "in.roi_feat")
    z, _ = head.entity_input(x, entities)
    context = head.object_context(z, by)
    _, labels = head.decoded(z, context, entities, by)
    edge = head.edge_context(torch.cat([head.label_embedding(labels), x, context], dim=1), by)
    near(edge, values["sgcls_tf.edge_ctx"])
    output = head(x, UnionFeatures.of(given(values, "in.union_feat")), entities, pairs)
    near(output.entity_logits, values["sgcls_tf.obj_logits"])
    same(output.entity_labels, values["sgcls_tf.obj_labels"])
    near(output.relation_logits, values["sgcls_tf.rel_logits"])


def test_visiting_order(request: pytest.FixtureRequest) -> None:
    values = archive(request, "heads/sgb_motifs.npz")
    boxes = given(values, "order.in.boxes")
    order = PackedOrder.falling(boxes[:, 0] + boxes[:, 2], values["order.in.n_obj"].tolist())
    same(order.order, values["order.perm"])
    same(order.place, values["order.inv_perm"])
    same(order.steps, values["order.steps"])


def check_forest(forest: Forest, values: Values, prefix: str) -> None:
    """Fields of the archive are numbered within their image."""
    first = np.repeat(starts(forest.counts), forest.counts)
    own = {
        "nary_parent": forest.parent,
        "left": forest.left,
        "right": forest.right,
        "bin_parent": forest.binary_parent,
    }
    for name, rows in own.items():
        same(np.where(rows >= 0, rows - first, -1), values[f"{prefix}.{name}"])
    same(forest.roots - np.array(starts(forest.counts)), values[f"{prefix}.root"])
    same(forest.depth, values[f"{prefix}.depth"])
    same(np.where(forest.parent >= 0, forest.sibling_rank, -1), values[f"{prefix}.nary_child_rank"])
    if f"{prefix}.pick_order" not in values:
        return
    before, after, picked = [], [], []

    def walk(node: int, start: int) -> None:
        if node >= 0:
            before.append(node - start)
            walk(int(forest.left[node]), start)
            walk(int(forest.right[node]), start)
            after.append(node - start)

    for image, start in enumerate(starts(forest.counts)):
        walk(int(forest.roots[image]), start)
        picked += np.argsort(forest.picked[start : start + forest.counts[image]]).tolist()
    same(before, values[f"{prefix}.preorder"])
    same(after, values[f"{prefix}.postorder"])
    same(picked, values[f"{prefix}.pick_order"])


@pytest.mark.parametrize("task", ["predcls", "sgcls"])
@torch.no_grad()
def test_vctree(request: pytest.FixtureRequest, task: Task) -> None:
    values = archive(request, "heads/sgb_vctree.npz")
    head = vctree(values, task)
    entities, pairs = batch(values, task)
    x, u = given(values, "in.roi_feat"), given(values, "in.union_feat")
    near(encode_boxes(entities.boxes, entities.sizes[entities.image]), values["in.b9"])
    near(overlap_info(entities.boxes, entities.counts), values["in.overlap_info"])
    z, belief = head.entity_input(x, entities)
    near(z, values[f"{task}.z"])
    padding = Padding(entities.counts, CPU)
    present = padding.present()
    inside = present[:, :, None] & present[:, None, :]
    described = head.scores.described(x, belief, entities)
    near(described, values[f"{task}.score_in"])
    co = head.scores.cooccurrence(entities.logits, padding)
    near(co[inside], values[f"{task}.co_prior"])
    near(head.scores.visual_scores(described, co, padding)[inside], values[f"{task}.vis"])
    binary = head.scores(x, belief, entities, padding)
    near(binary[inside], values[f"{task}.binary_logits"])
    near(binary.sigmoid()[inside], values[f"{task}.score"])
    forest = spanning_forest(binary.sigmoid(), entities.counts)
    check_forest(forest, values, f"{task}.tree")
    levels = forest.levels(CPU)
    context = head.object_context(z, levels, len(entities.counts))
    near(context, values[f"{task}.obj_ctx"])
    for half, way in zip(context.chunk(2, dim=1), ("up", "down"), strict=True):
        near(half, values[f"{task}.obj_{way}"])
    logits, labels = head.decoded(z, context, entities, levels)
    near(logits, values[f"{task}.obj_logits"])
    same(labels, values[f"{task}.obj_labels"])
    edge = head.edge_context(torch.cat([head.label_embedding(labels), x, context], dim=1), levels, 3)
    near(edge, values[f"{task}.edge_ctx"])
    for half, way in zip(edge.chunk(2, dim=1), ("up", "down"), strict=True):
        near(half, values[f"{task}.edge_{way}"])
    near(head.relation.pair(head.relation.sides(edge), pairs.index), values[f"{task}.pair_rep"])
    check_relations(head, values, task, (x, u, entities, pairs))


@torch.no_grad()
def test_vctree_single_object(request: pytest.FixtureRequest) -> None:
    values = archive(request, "heads/sgb_vctree.npz")
    head = vctree(values, "sgcls")
    every, _ = batch(values, "sgcls")
    entities = Entities((1,), every.boxes[:1], every.sizes[:1], every.logits[:1])
    pairs = Pairs((1,), given(values, "single.pairs"))
    x, u = given(values, "in.roi_feat")[:1], given(values, "in.union_feat")[:1]
    z, belief = head.entity_input(x, entities)
    binary = head.scores(x, belief, entities, Padding((1,), CPU))
    near(binary.flatten(), values["single.binary_logits"])
    levels = spanning_forest(binary.sigmoid(), (1,)).levels(CPU)
    context = head.object_context(z, levels, 1)
    near(context, values["single.obj_ctx"])
    _, labels = head.decoded(z, context, entities, levels)
    edge = head.edge_context(torch.cat([head.label_embedding(labels), x, context], dim=1), levels, 1)
    near(edge, values["single.edge_ctx"])
    check_relations(head, values, "single", (x, u, entities, pairs))


def test_trees_alone(request: pytest.FixtureRequest) -> None:
    values = archive(request, "heads/sgb_vctree.npz")
    counts = values["treeonly.n"].tolist()
    block = torch.zeros(len(counts), max(counts), max(counts))
    parts = np.split(values["treeonly.score"], np.cumsum(np.square(counts))[:-1])
    for image, (count, part) in enumerate(zip(counts, parts, strict=True)):
        block[image, :count, :count] = torch.from_numpy(part.reshape(count, count))
    check_forest(spanning_forest(block, counts), values, "treeonly")


def test_prior_as_released(request: pytest.FixtureRequest) -> None:
    values = archive(request, "heads/sgb_vctree.npz")

    class Tables(SceneStatistics):
        def probability(self) -> np.ndarray:
            return np.exp(values["prior_init.log_table_3d"].astype(np.float64)) - 1e-3

    counted = Tables(**vars(statistics_with(values["prior_init.log_table_3d"])))
    near(torch.from_numpy(prior_weights(counted, "sgb_logsum")), values["prior_init.w"])


@torch.no_grad()
def test_frequency_bias(request: pytest.FixtureRequest) -> None:
    values = archive(request, "heads/sgb_freq.npz")
    fg, bg = values["fg_count"], values["bg_count"]
    counted = SceneStatistics(fg, bg, np.zeros_like(bg), np.zeros(len(bg), np.int64), np.zeros_like(bg))
    bias = FrequencyBias(torch.from_numpy(counted.frequency_table()))
    assert bias.classes == int(values["num_obj_classes"])
    assert bias.table.embedding_dim == int(values["num_predicates"])
    near(bias.table.weight, values["table"])
    pairs = given(values, "lookup.pairs")
    near(bias(pairs[:, 0], pairs[:, 1]), values["lookup.rows"])
    near(bias.soft(torch.from_numpy(values["lookup_soft.pair_prob"])), values["lookup_soft.rows"])


def test_word_of_a_name(request: pytest.FixtureRequest) -> None:
    values = archive(request, "heads/sgb_freq.npz")
    words = values["wordvec.vocab"].tolist()
    known = WordVectors(dict(zip(words, values["wordvec.table"], strict=True)), values["wordvec.table"].shape[1])
    found = [known.word(name) for name in values["wordvec.names"].tolist()]
    same([-1 if word is None else words.index(word) for word in found], values["wordvec.source_row"])
