"""Parts put together, memory, intervals, and what is refused."""

from __future__ import annotations

import pickle
import tracemalloc
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from tests.evaluation.scene_graph.generated import PREDICATES, ZERO_SHOT, answer, image

from interplay.evaluation.scene_graph import (
    GroundTruth,
    OpenImagesEvaluator,
    Predicted,
    StreamingEvaluator,
    VisualGenomeEvaluator,
    VisualRelationshipEvaluator,
    bootstrap_intervals,
    paired_bootstrap,
    scene_evaluator,
)
from interplay.evaluation.scene_graph.ranking import combinations

Make = Callable[..., StreamingEvaluator]
MAKERS: dict[str, Make] = {
    "vg": lambda **more: VisualGenomeEvaluator(PREDICATES, "sggen", (3, 20), ZERO_SHOT, **more),
    "openimages": lambda **more: OpenImagesEvaluator(PREDICATES, (3, 20), (3, 20), ZERO_SHOT, **more),
    "vrd": lambda **more: VisualRelationshipEvaluator(
        PREDICATES, ("phrase", "relationship"), (3, 20), (1, 70), ZERO_SHOT, **more
    ),
}


@pytest.fixture(scope="module")
def images() -> list[tuple[GroundTruth, Predicted]]:
    draw = np.random.default_rng(5)
    return [image(draw, "sggen") for _ in range(60)]


def same(first: dict[str, float], second: dict[str, float], tolerance: float = 0.0) -> None:
    assert first.keys() == second.keys()
    for name, value in first.items():
        assert second[name] == pytest.approx(value, abs=tolerance, rel=0, nan_ok=True), name


@pytest.mark.parametrize("protocol", MAKERS)
@pytest.mark.parametrize("numbered", [True, False])
def test_merged_parts_are_the_whole(protocol: str, numbered: bool, images: list[Any]) -> None:
    whole = MAKERS[protocol]()
    for given in images:
        whole.update(*given)
    parts = [MAKERS[protocol]() for _ in range(3)]
    for number, given in enumerate(images):
        part = number % 3 if numbered else number // 20
        parts[part].update(*given, image=number if numbered else None)
    if numbered:
        parts[1].update(*images[0], image=0)  # a padded sampler gives an image to two processes
    merged, *others = [pickle.loads(pickle.dumps(part)) for part in parts]
    for other in others:
        merged.merge(other)
    expected, found = whole.result(), merged.result()
    same(dict(expected.metrics), dict(found.metrics))
    assert expected.counts == found.counts
    for name, values in expected.per_image.items():
        assert values.tolist() == found.per_image[name].tolist(), name
    merged.update(*images[0], image=60 if numbered else None)
    assert merged.result().counts["images"] == 61


@pytest.mark.parametrize("protocol", ["vg", "vrd"])
def test_sums_alone_give_the_same_figures(protocol: str, images: list[Any]) -> None:
    kept, folded, more = MAKERS[protocol](), *(MAKERS[protocol](keep_images=False) for _ in range(2))
    for number, given in enumerate(images * 5):
        kept.update(*given)
        (folded if number < 230 else more).update(*given)
    folded.merge(more)
    expected, found = kept.result(), folded.result()
    same(dict(expected.metrics), dict(found.metrics), 1e-12)
    assert expected.counts == found.counts
    with pytest.raises(ValueError, match="keep_images is False"):
        bootstrap_intervals(folded, 10)


def test_memory_does_not_grow_with_the_images() -> None:
    draw = np.random.default_rng(0)
    given = [image(draw, "sggen") for _ in range(20)]
    evaluator = MAKERS["vg"](keep_images=False)
    kept = MAKERS["vg"]()

    def held(of: StreamingEvaluator, count: int) -> int:
        for number in range(count):
            of.update(*given[number % 20])
        return tracemalloc.get_traced_memory()[0]

    tracemalloc.start()
    try:
        before, after = held(evaluator, 200), held(evaluator, 600)
        start, end = held(kept, 256), held(kept, 512)
    finally:
        tracemalloc.stop()
    assert after - before < 20_000
    assert (end - start) / 512 < 150  # bytes an image, with three relations each


def test_nothing_seen_yet() -> None:
    for make in MAKERS.values():
        found = make().result()
        assert found.counts["images"] == 0
        with pytest.raises(ValueError, match="0 images"):
            bootstrap_intervals(make())
    assert np.isnan(MAKERS["vg"](keep_images=False).result().metrics["R@3"])


def drawn_again(evaluator: StreamingEvaluator, given: list[Any], make: Make, seed: int) -> None:
    """One resample by hand: the drawn images evaluated as if they were a data set."""
    chosen = np.random.default_rng(seed).integers(0, len(given), len(given))
    by_hand = make()
    for number in chosen:
        by_hand.update(*given[number])
    weights = np.bincount(chosen, minlength=len(given))[None].astype(float)
    same(
        {name: float(value[0]) for name, value in evaluator.figures(weights).items()},
        dict(by_hand.result().metrics),
        1e-9,
    )


@pytest.mark.parametrize("protocol", MAKERS)
def test_a_resample_is_the_evaluation_of_the_images_drawn(protocol: str, images: list[Any]) -> None:
    evaluator = MAKERS[protocol]()
    for given in images:
        evaluator.update(*given)
    drawn_again(evaluator, images, MAKERS[protocol], 3)
    estimates = bootstrap_intervals(evaluator, 50, seed=1)
    assert estimates == bootstrap_intervals(evaluator, 50, seed=1)
    for name, value in evaluator.result().metrics.items():
        estimate = estimates[name]
        assert estimate.value == pytest.approx(value, nan_ok=True)
        if not np.isnan(value):
            assert estimate.low - 0.05 <= value <= estimate.high + 0.05, name


def test_paired_differences_are_narrower_than_their_parts(images: list[Any]) -> None:
    draw = np.random.default_rng(9)
    first, second, same_again = (MAKERS["vg"]() for _ in range(3))
    for truth, predicted in images:
        scores = predicted.predicate_scores.copy()
        if len(scores) and draw.random() < 0.2:
            scores[0] = scores[0][::-1]
        first.update(truth, predicted)
        same_again.update(truth, predicted)
        second.update(truth, Predicted(predicted.boxes, predicted.labels, predicted.scores, predicted.pairs, scores))
    equal = paired_bootstrap(first, same_again, 50)["R@20"]
    assert (equal.value, equal.low, equal.high, equal.not_above) == (0, 0, 0, 1)
    single, pair = bootstrap_intervals(first, 200)["R@20"], paired_bootstrap(first, second, 200)["R@20"]
    assert pair.high - pair.low < single.high - single.low
    expected = first.result().metrics["R@20"] - second.result().metrics["R@20"]
    assert pair.value == pytest.approx(expected)
    other = MAKERS["vg"]()
    other.update(*images[0])
    with pytest.raises(ValueError, match="different images"):
        paired_bootstrap(first, other, 10)


def test_best_combinations_of_unranked_pairs_are_those_of_a_full_sort() -> None:
    draw = np.random.default_rng(4)
    for _ in range(50):
        count = int(draw.integers(1, 300))
        scores = draw.random((count, 7)).astype(np.float32).round(int(draw.integers(1, 5)))
        ends = draw.random(count).astype(np.float32)
        products = (scores * ends[:, None])[:, 1:]
        expected = np.argsort(-products.ravel(), kind="stable")[:20]
        found = combinations(ends, scores, 20)
        assert (found.pair * 6 + found.predicate - 1).tolist() == expected.tolist()
        assert found.score.tolist() == products.ravel()[expected].tolist()


TRUTH, SAID = image(np.random.default_rng(11), "sgcls")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"pairs": [[0, 1], [0, 99]]}, "indices of boxes: found 99"),
        ({"pairs": [[0, 1, 2]]}, r"pairs: found shape \(1, 3\)"),
        ({"pairs": [[0.5, 1]]}, "pairs: found values of type float64"),
        ({"boxes": [[0, 0, np.nan, 1]]}, "not finite"),
        ({"labels": [1]}, "expected one for each"),
        ({"scores": -SAID.scores}, "negative or not finite"),
        ({"predicate_scores": SAID.predicate_scores[:1]}, "expected a row for each"),
        ({"predicate_scores": SAID.predicate_scores * np.nan}, "not finite"),
    ],
)
def test_answers_that_do_not_fit_together(change: dict[str, Any], message: str) -> None:
    fields = ("boxes", "labels", "scores", "pairs", "predicate_scores")
    with pytest.raises(ValueError, match=message):
        Predicted(**({name: getattr(SAID, name) for name in fields} | change))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([[0, 0, 1]], [1], []), r"expected \(N, 4\)"),
        (([[0, 0, 1, 1]], [0], []), "true labels: found 0, expected at least 1"),
        (([[0, 0, 1, 1]], [1, 2], []), "found 2, expected one for each of 1"),
        (([[0, 0, 1, 1]], [1], [[0, 1, 1]]), "found 1, expected 0 … 0"),
        (([[0, 0, 1, 1]], [1], [[0, 0, 0]]), "predicates: found 0"),
    ],
)
def test_truth_that_does_not_fit_together(arguments: tuple[Any, ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        GroundTruth(*arguments)


def test_what_an_evaluator_refuses() -> None:
    evaluator = VisualGenomeEvaluator(PREDICATES, "sgcls")
    narrow = Predicted(SAID.boxes, SAID.labels, SAID.scores, [[0, 1]], np.ones((1, 3)))
    with pytest.raises(ValueError, match=f"found 3 columns, expected {PREDICATES}"):
        evaluator.update(TRUTH, narrow)
    evaluator.update(TRUTH, SAID)
    with pytest.raises(ValueError, match="one for all or for none"):
        evaluator.update(TRUTH, SAID, image=4)
    with pytest.raises(ValueError, match="expected the same settings"):
        evaluator.merge(VisualGenomeEvaluator(PREDICATES, "sgcls", ks=(5,)))
    few = GroundTruth(TRUTH.boxes[:1], TRUTH.labels[:1], [])
    with pytest.raises(ValueError, match="true boxes"):
        VisualGenomeEvaluator(PREDICATES, "predcls").update(few, narrow_pairs())


def narrow_pairs() -> Predicted:
    return answer(np.random.default_rng(0), TRUTH, "sgcls")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"protocol": "coco"}, "one of vg, openimages, vrd"),
        ({"protocol": "vg", "relation_nms": "penet"}, "with sggen"),
        ({"protocol": "vrd", "relation_nms": "penet"}, "expected none under vrd"),
        ({"protocol": "vg", "per_pair": [1]}, "expected nothing under vg"),
        ({"protocol": "openimages", "task": "predcls"}, "expected sggen"),
        ({"protocol": "vrd", "task": "sgcls"}, "expected predcls or sggen"),
        ({"protocol": "vg", "ks": [0]}, "ks: found"),
        ({"protocol": "openimages", "ks": [500]}, "at most 100"),
        ({"protocol": "vg", "groups": {"head": [PREDICATES]}}, "group 'head'"),
        ({"protocol": "vg", "zero_shot": [[1.5, 2, 3]]}, "zero-shot triplets"),
        ({"protocol": "vrd", "per_pair": [0]}, "at least 1"),
    ],
)
def test_settings_out_of_range(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        scene_evaluator(num_predicates=PREDICATES, **settings)
