"""Scene-graph evaluation: plain arrays in, image by image; the benchmarks' figures out. Knows no model and no file.

>>> evaluator = VisualGenomeEvaluator(num_predicates=51, task="predcls")
>>> evaluator.update(GroundTruth(boxes, labels, relations), Predicted(boxes, labels, scores, pairs, predicate_scores))
>>> evaluator.result().metrics["mR@50"]
"""

from interplay.evaluation.scene_graph.groups import long_tail_groups
from interplay.evaluation.scene_graph.images import GroundTruth, Predicted
from interplay.evaluation.scene_graph.open_images import OpenImagesEvaluator
from interplay.evaluation.scene_graph.protocol import PROTOCOLS, scene_evaluator
from interplay.evaluation.scene_graph.resampling import Difference, bootstrap_intervals, paired_bootstrap
from interplay.evaluation.scene_graph.streaming import SceneGraphResult, StreamingEvaluator
from interplay.evaluation.scene_graph.visual_genome import VisualGenomeEvaluator
from interplay.evaluation.scene_graph.visual_relationships import VisualRelationshipEvaluator

__all__ = [
    "PROTOCOLS",
    "Difference",
    "GroundTruth",
    "OpenImagesEvaluator",
    "Predicted",
    "SceneGraphResult",
    "StreamingEvaluator",
    "VisualGenomeEvaluator",
    "VisualRelationshipEvaluator",
    "bootstrap_intervals",
    "long_tail_groups",
    "paired_bootstrap",
    "scene_evaluator",
]
