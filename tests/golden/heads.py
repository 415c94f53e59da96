"""What the checks of several relation heads share: batches, label spaces and layers from an archive, in float64."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from interplay.data.scene_statistics import SceneStatistics
from interplay.data.scenes import BACKGROUND, Vocabulary
from interplay.scene.heads.pairwise_features import PairwiseFeatures
from interplay.scene.structures import Entities, Pairs, Task, starts

Values = dict[str, np.ndarray]


def given(values: Values, key: str) -> Tensor:
    found = torch.from_numpy(values[key])
    return found.double() if found.is_floating_point() else found


def close(ours: Tensor, theirs: np.ndarray) -> None:
    """1e-5 relative; what cancels to almost nothing is held to 1e-6 of the array's largest value."""
    scale = float(np.abs(theirs).max(initial=0.0))
    np.testing.assert_allclose(ours.numpy(), theirs, rtol=1e-5, atol=1e-6 * scale)


def fill(layer: nn.Module, values: Values, name: str) -> None:
    """A layer's weight, bias and running statistics from ``weights/NAME.…``."""
    state = {key: given(values, f"weights/{name}.{key}") for key in layer.state_dict() if key != "num_batches_tracked"}
    assert not layer.load_state_dict(state, strict=False).unexpected_keys


def vocabulary_of(values: Values) -> Vocabulary:
    classes, predicates = values["frequency_prob_plus_eps"].shape[1:]
    return made_up(classes, predicates)


def made_up(classes: int, predicates: int) -> Vocabulary:
    names = (BACKGROUND, *(f"class {number}" for number in range(1, classes)))
    return Vocabulary(names, (BACKGROUND, *(f"predicate {number}" for number in range(1, predicates))))


def statistics_with(table: np.ndarray) -> SceneStatistics:
    """Statistics of the right shape only; the values come from the archive's own tables."""
    classes, _, predicates = table.shape
    square = np.zeros((classes, classes), np.int64)
    return SceneStatistics(np.zeros((classes, classes, predicates), np.int64), square, square, square[0], square)


def box_head_batch(values: Values, task: Task) -> tuple[Entities, Pairs]:
    """Entities and pairs of an archive whose pairs are numbered within their image."""
    counts = tuple(values["n_objects"].tolist())
    labels = given(values, "labels")
    logits, scores = given(values, "detector_logits"), None
    if task == "predcls":
        logits = torch.full_like(logits, -1000).scatter(1, labels[:, None], 1000)
        scores = torch.ones(len(labels), dtype=torch.float64)
    elif "detector_scores" in values:
        scores = given(values, "detector_scores")
    boxes, sizes = given(values, "boxes"), given(values, "image_size_wh").double()
    entities = Entities(counts, boxes, sizes, logits, labels if task == "predcls" else None, None, scores)
    pair_counts = tuple(values["n_pairs"].tolist())
    offset = np.repeat(starts(counts), pair_counts)[:, None]
    relation_labels = given(values, "relation_labels") if "relation_labels" in values else None
    return entities, Pairs(pair_counts, torch.from_numpy(values["pairs"] + offset), relation_labels)


def fill_pairwise(features: PairwiseFeatures, values: Values) -> None:
    fill(features.belief_embedding.table, values, "pairwise/emb_belief")
    fill(features.label_embedding.table, values, "pairwise/emb_label")
    assert features.head_tail is not None
    for layer, key in (
        (features.position.reduce, "pos.0"),
        (features.position.norm, "pos.1"),
        (features.position.expand, "pos.2"),
        (features.query, "W_q"),
        (features.head_tail, "W_pair"),
        (features.spatial[0], "spt_emb.0"),
        (features.spatial[2], "spt_emb.2"),
        (features.pair, "W_pair_out.0"),
        (features.entity, "W_ent.0"),
    ):
        fill(layer, values, f"pairwise/{key}")
    if features.union is not None:
        fill(features.union, values, "pairwise/W_union")
