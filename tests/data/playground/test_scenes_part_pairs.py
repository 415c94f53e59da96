"""Predicates that depend on a part: labels and boxes do not tell the two of a pair apart, pixels in the boxes do."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score
from sklearn.model_selection import GroupKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from interplay.data.playground.scene_layout import PART_PAIRS
from interplay.data.playground.scenes import PlaygroundScenes
from interplay.data.scenes import SceneImage

Array = NDArray[np.float64]
PICTURES, WITH_PIXELS = 500, 120


def geometry(scene: SceneImage, subject: int, object_: int, classes: int) -> Array:
    """Both classes; b9 of subject, object and union; their offset; how many objects of each class there are."""
    size = np.array([scene.width, scene.height] * 2, dtype=np.float64)
    a, b = scene.boxes[subject].astype(np.float64), scene.boxes[object_].astype(np.float64)
    rows = [np.eye(classes)[scene.labels[subject]], np.eye(classes)[scene.labels[object_]]]
    for x in (a, b, np.concatenate([np.minimum(a, b)[:2], np.maximum(a, b)[2:]])):
        sides, corners = (x[2:] - x[:2] + 1) / size[:2], x / size
        rows.append(np.concatenate([sides, (corners[:2] + corners[2:]) / 2, corners, [sides.prod()]]))
    sides = a[2:] - a[:2] + 1
    rows.append((b.reshape(2, 2) - a[:2]).ravel() / np.tile(sides, 2))
    rows.append(np.bincount(scene.labels, minlength=classes))
    return np.concatenate(rows)


def patch(pixels: NDArray[np.uint8], box: Array, side: int, grow: float, flip: bool) -> Array:
    """Colours, and how much they change, on a grid over a box; mirrored if asked."""
    x1, y1, x2, y2 = box
    dx, dy = grow * (x2 - x1 + 1), grow * (y2 - y1 + 1)
    cut = Image.fromarray(pixels).crop((int(x1 - dx), int(y1 - dy), int(x2 + 1 + dx), int(y2 + 1 + dy)))
    grid = np.asarray(cut.resize((2 * side, 2 * side), Image.Resampling.BILINEAR), dtype=np.float64) / 255
    grid = grid[:, ::-1] if flip else grid
    change = np.abs(np.diff(grid, axis=0, append=grid[-1:])) + np.abs(np.diff(grid, axis=1, append=grid[:, -1:]))
    cells = np.concatenate([grid, change.sum(-1, keepdims=True)], axis=-1)
    return cells.reshape(side, 2, side, 2, 4).mean(axis=(1, 3)).ravel()


@pytest.fixture(scope="module")
def samples() -> dict[str, list[list[NDArray[np.float64]]]]:
    """Of each pair of predicates: geometry, which member; and pixels, which member, picture (both twins)."""
    dataset = PlaygroundScenes(train=PICTURES, validation=0, test=0, seed=11)
    member = {name: (k, m) for k, pair in enumerate(PART_PAIRS) for m, name in enumerate(pair)}
    found: dict[str, list[list[NDArray[np.float64]]]] = {"boxes": [[] for _ in PART_PAIRS]}
    found["pixels"] = [[] for _ in PART_PAIRS]
    for index in range(PICTURES):
        scene = dataset.read(index)
        pictures = [scene.pixels(), dataset.twin(index).pixels()] if index < WITH_PIXELS else []
        for subject, object_, predicate in {tuple(row) for row in scene.relations.tolist()}:
            if (name := dataset.vocabulary.predicates[predicate]) not in member:
                continue
            pair, way = member[name]
            row = geometry(scene, subject, object_, len(dataset.vocabulary.classes))
            found["boxes"][pair].append(np.append(row, way))
            a, b = scene.boxes[[subject, object_]].astype(np.float64)
            for turned, pixels in enumerate(pictures):
                flip = bool(a[0] + a[2] > b[0] + b[2])
                looks = np.concatenate([patch(pixels, a, 12, 0.0, flip), patch(pixels, b, 8, 0.4, flip)])
                found["pixels"][pair].append(np.concatenate([looks, [way ^ turned, index]]))
    return found


@pytest.mark.parametrize("pair", range(len(PART_PAIRS)), ids=[pair[0] for pair in PART_PAIRS])
def test_labels_and_boxes_do_not_tell(samples: dict[str, list[list[NDArray[np.float64]]]], pair: int) -> None:
    rows = np.stack(samples["boxes"][pair])
    features, way = rows[:, :-1], rows[:, -1]
    assert len(rows) > 100
    assert abs(way.mean() - 0.5) < 0.15
    linear = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=300))
    for classifier in (linear, RandomForestClassifier(60, min_samples_leaf=3, random_state=0)):
        guess = cross_val_predict(classifier, features, way, cv=5)
        assert balanced_accuracy_score(way, guess) < 0.58


@pytest.mark.parametrize("pair", range(len(PART_PAIRS)), ids=[pair[0] for pair in PART_PAIRS])
def test_pixels_tell(samples: dict[str, list[list[NDArray[np.float64]]]], pair: int) -> None:
    """A linear classifier of a coarse grid over the two boxes, trained on other pictures."""
    rows = np.stack(samples["pixels"][pair])
    features, way, picture = rows[:, :-2], rows[:, -2], rows[:, -1]
    classifier = make_pipeline(StandardScaler(), LogisticRegression(C=0.003, max_iter=300))
    guess = cross_val_predict(classifier, features, way, cv=GroupKFold(4), groups=picture)
    assert balanced_accuracy_score(way, guess) > 0.75
