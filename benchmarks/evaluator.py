"""Scene-graph figures: all of protocol ``vg`` beside a plain per-image evaluator (the tests' oracle), on one core.

``python benchmarks/evaluator.py`` prints the rows; other scripts call :func:`rows`. Pictures are made up: 12, 40 and 80
entities with all their ordered pairs ranked (132, 1,560 and 6,320), 51 predicates, 12 annotated relations. Times are
processor time of taking in an image whose arrays are at hand, checks of shapes included.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.evaluation.scene_graph.generated import crowded
from tests.evaluation.scene_graph.oracle import PlainVisualGenome

from interplay.evaluation.scene_graph import GroundTruth, Predicted, VisualGenomeEvaluator

PREDICATES = 51
KS = (20, 50, 100)
ZERO_SHOT = np.array([[subject, other, 1] for subject in range(1, 60) for other in range(1, 60)])
Image = tuple[GroundTruth, Predicted]


def _best(update: Callable[[GroundTruth, Predicted], None], images: list[Image], seconds: float) -> float:
    """Seconds per image of the fastest pass, in processor time so that other processes do not count."""
    best, until, passes = float("inf"), time.process_time() + seconds, 0
    while passes < 2 or time.process_time() < until:
        start = time.process_time()
        for truth, said in images:
            update(
                GroundTruth(truth.boxes, truth.labels, truth.relations),
                Predicted(said.boxes, said.labels, said.scores, said.pairs, said.predicate_scores),
            )
        best = min(best, time.process_time() - start)
        passes += 1
    return best / len(images)


def rows(seconds: float = 0.6) -> list[dict[str, object]]:
    """Rows per size and task: ms an image of both, and how many times faster ours is."""
    found: list[dict[str, object]] = []
    for entities, count in ((12, 20), (40, 8), (80, 4)):
        for task in ("predcls", "sggen"):
            draw = np.random.default_rng(entities)
            images = [crowded(draw, entities, task, PREDICATES) for _ in range(count)]
            ours = VisualGenomeEvaluator(PREDICATES, task, KS, ZERO_SHOT)  # type: ignore[arg-type]
            fast = _best(ours.update, images, seconds)
            slow = _best(PlainVisualGenome(PREDICATES, task, KS, ZERO_SHOT).update, images, seconds)
            name = f"evaluator: vg, {task}, {entities} objects"
            found += [
                {"name": f"{name}: interplay", "value": 1000 * fast, "unit": "ms/image", "ratio": fast / slow},
                {"name": f"{name}: plain", "value": 1000 * slow, "unit": "ms/image"},
                {"name": f"{name}: speed-up over plain", "value": slow / fast, "unit": "ratio"},
            ]
    return found


def main() -> None:
    for row in rows():
        print(f"{row['name']:<60} {row['value']:>9.3f} {row['unit']}")


if __name__ == "__main__":
    main()
