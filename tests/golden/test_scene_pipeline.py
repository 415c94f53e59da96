"""Encodings, masks, refinement and ranking as the public scene-graph benchmark computes them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from tests.golden.sources import archive
from torch import Tensor

from interplay.graph.boxes import iou_matrix, union_boxes
from interplay.scene.encodings import (
    PositionEmbedding,
    box_info,
    encode_boxes,
    overlap_info,
    pair_info,
    two_box_masks,
)
from interplay.scene.features import UnionFeatureExtractor
from interplay.scene.heads.interface import HeadOutput
from interplay.scene.ranking import rank
from interplay.scene.refinement import best_labels, greedy_labels
from interplay.scene.regions import RegionPooler
from interplay.scene.sampling import all_pairs
from interplay.scene.structures import Entities, Pairs, starts


class Scenes:
    """Tensors of an archive, with pairs counted through the batch."""

    def __init__(self, request: pytest.FixtureRequest, name: str) -> None:
        self.values = {key: torch.from_numpy(np.array(value)) for key, value in archive(request, name).items()}
        counts = tuple(self["in.n_obj"].tolist())
        pair_counts = self["in.n_pair"].tolist()
        sizes = self["in.image_wh"].float()
        self.entities = Entities(counts, self["in.boxes"], sizes, self["in.det_logits"], self["in.gt_labels"])
        first = torch.tensor(starts(counts)).repeat_interleave(torch.tensor(pair_counts))
        self.pairs = Pairs(tuple(pair_counts), self["in.pairs"] + first[:, None])
        self.sizes = sizes[self.entities.image]

    def __getitem__(self, key: str) -> Tensor:
        return self.values[key]

    def close(self, found: Tensor, key: str) -> None:
        wanted = self[key]
        torch.testing.assert_close(found, wanted, rtol=0, atol=1e-5 * float(wanted.abs().max()))


def linear(scenes: Scenes, name: str) -> dict[str, Tensor]:
    return {"weight": scenes[f"{name}.W"], "bias": scenes[f"{name}.b"]}


def norm(scenes: Scenes, name: str) -> dict[str, Tensor]:
    names = {"weight": "gamma", "bias": "beta", "running_mean": "mean", "running_var": "var"}
    made = {ours: scenes[f"{name}.{theirs}"] for ours, theirs in names.items()}
    return made | {"num_batches_tracked": torch.tensor(0)}


def test_encodings_and_masks(request: pytest.FixtureRequest) -> None:
    scenes = Scenes(request, "heads/sgb_spatial.npz")
    boxes, index = scenes.entities.boxes, scenes.pairs.index
    scenes.close(encode_boxes(boxes, scenes.sizes), "b9")
    scenes.close(box_info(boxes, scenes.sizes), "box_info8")
    scenes.close(pair_info(boxes, index, scenes.sizes), "pair_info32")
    scenes.close(overlap_info(boxes, scenes.entities.counts), "overlap_info")
    scenes.close(union_boxes(boxes[index[:, 0]], boxes[index[:, 1]]), "union_boxes")
    assert torch.equal(two_box_masks(boxes, index, scenes.sizes), scenes["masks"])


def test_position_embedding(request: pytest.FixtureRequest) -> None:
    scenes = Scenes(request, "heads/sgb_spatial.npz")
    module = PositionEmbedding().eval()
    module.reduce.load_state_dict(linear(scenes, "w.pos.lin1"))
    module.norm.load_state_dict(norm(scenes, "w.pos.bn"))
    module.expand.load_state_dict(linear(scenes, "w.pos.lin2"))
    encoded = encode_boxes(scenes.entities.boxes, scenes.sizes)
    with torch.no_grad():
        scenes.close(module.norm(module.reduce(encoded)), "pos_after_bn")
        scenes.close(module(encoded), "pos")


def test_union_features(request: pytest.FixtureRequest) -> None:
    scenes = Scenes(request, "heads/sgb_spatial.npz")
    module = UnionFeatureExtractor(RegionPooler(), channels=16, width=96).eval()
    rectangles, perceptron = module.rectangles, module.perceptron
    for layer, name in ((rectangles.widen, "rect.conv1"), (rectangles.mix, "rect.conv2")):
        layer.load_state_dict(linear(scenes, f"w.{name}"))
    for layer, name in ((rectangles.widened_norm, "rect.bn1"), (rectangles.mixed_norm, "rect.bn2")):
        layer.load_state_dict(norm(scenes, f"w.{name}"))
    for layer, name in ((perceptron.fc6, "union.fc6"), (perceptron.fc7, "union.fc7")):
        layer.load_state_dict(linear(scenes, f"w.{name}"))
    masks = two_box_masks(scenes.entities.boxes, scenes.pairs.index, scenes.sizes)
    with torch.no_grad():
        scenes.close(rectangles(masks), "rect_out")
        scenes.close(module.combine(scenes["in.pooled_union"], masks), "union_feat")


@pytest.mark.parametrize("case", ["nms_a", "nms_b"])
def test_greedy_labels(request: pytest.FixtureRequest, case: str) -> None:
    values = Scenes(request, "heads/sgb_rank_nms.npz")
    boxes = values[f"{case}.boxes_per_cls"]
    found = greedy_labels(values[f"{case}.logits"].softmax(1), boxes, float(values[f"{case}.thresh"]))
    assert torch.equal(found, values[f"{case}.labels"])
    if case == "nms_a":
        for label in range(boxes.shape[1]):
            torch.testing.assert_close(iou_matrix(boxes[:, label], boxes[:, label]), values["nms_a.iou"][label])


@pytest.mark.parametrize("case", ["nms_exhausted", "nms_exhausted_decoder"])
def test_labels_once_nothing_is_left(request: pytest.FixtureRequest, case: str) -> None:
    """What the public loops assign after that is not followed; what was assigned before is."""
    values = Scenes(request, "heads/sgb_rank_nms.npz")
    logits, boxes = values[f"{case}.logits"], values[f"{case}.boxes_per_cls"]
    found = greedy_labels(logits.softmax(1), boxes, float(values[f"{case}.thresh"]))
    wanted = values[f"{case}.labels" if case == "nms_exhausted" else f"{case}.labels_postproc_loop"]
    assert torch.equal(found[found > 0], wanted[found > 0])
    assert (found == 0).any()


@pytest.mark.parametrize("task", ["predcls", "sgcls"])
def test_best_labels(request: pytest.FixtureRequest, task: str) -> None:
    values = Scenes(request, "heads/sgb_rank_nms.npz")
    assert torch.equal(best_labels(values[f"{task}.in.obj_logits"]), values[f"{task}.obj_labels"])


@pytest.mark.parametrize("task", ["predcls", "sgcls", "sgdet"])
def test_ranking(request: pytest.FixtureRequest, task: str) -> None:
    scenes = Scenes(request, "heads/sgb_rank_nms.npz")
    entities, threshold = scenes.entities, 0.5
    if task == "sgdet":
        entities = replace(entities, boxes_per_class=scenes["sgdet.in.boxes_per_cls"])
        threshold = float(scenes["sgdet.in.nms_thresh"])
    logits = scenes[f"{task}.in.obj_logits"]
    answers = rank(HeadOutput(logits, scenes["in.rel_logits"], best_labels(logits), scenes.pairs), entities, threshold)
    assert torch.equal(torch.cat([one.labels for one in answers]), scenes[f"{task}.obj_labels"])
    assert torch.equal(torch.cat([one.pairs for one in answers]), scenes[f"{task}.sorted_pairs"])
    assert torch.equal(torch.cat([one.predicates for one in answers]), scenes[f"{task}.rel_labels"])
    scenes.close(torch.cat([one.entity_scores for one in answers]), f"{task}.obj_scores")
    scenes.close(torch.cat([one.predicate_probabilities for one in answers]), f"{task}.rel_prob")
    scenes.close(torch.cat([one.scores for one in answers]), f"{task}.triple_score")
    scenes.close(torch.cat([one.boxes for one in answers]), f"{task}.boxes")


def test_pairs_to_rank(request: pytest.FixtureRequest) -> None:
    scenes = Scenes(request, "heads/sgb_spatial.npz")
    assert torch.equal(all_pairs(scenes.entities).index, scenes.pairs.index)
    boxes, size = scenes["pairs.overlap_demo_boxes"], scenes["pairs.overlap_demo_wh"][None].float()
    given = Entities((len(boxes),), boxes, size, torch.zeros(len(boxes), 2))
    found = replace(given, boxes_per_class=boxes[:, None].expand(-1, 2, -1))
    assert torch.equal(all_pairs(given).index, scenes["pairs.overlap_off"])
    assert torch.equal(all_pairs(found, overlapping=True).index, scenes["pairs.overlap_on"])
    assert torch.equal(all_pairs(given, overlapping=True).index, scenes["pairs.overlap_on_gt_boxes"])
    one = Entities((1,), boxes[:1], size, torch.zeros(1, 2))
    assert torch.equal(all_pairs(one, placeholder=True).index, scenes["pairs.single_box"])
    assert len(all_pairs(one).index) == 0
    apart = torch.tensor([[0.0, 0, 9, 9], [50, 50, 59, 59]])
    two = Entities((2,), apart, size, torch.zeros(2, 2), boxes_per_class=apart[:, None].expand(-1, 2, -1))
    assert torch.equal(all_pairs(two, overlapping=True, placeholder=True).index, scenes["pairs.overlap_on_none"])
