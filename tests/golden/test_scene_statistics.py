"""Frequency tables and their counts as two public pipelines make them."""

from __future__ import annotations

import numpy as np
import pytest
from tests.golden.sources import archive

from interplay.data.scene_statistics import SceneStatistics
from interplay.data.scenes import BACKGROUND, SceneImage, Vocabulary


def vocabulary(classes: int, predicates: int) -> Vocabulary:
    return Vocabulary(
        (BACKGROUND, *(f"class {i}" for i in range(1, classes))),
        (BACKGROUND, *(f"predicate {i}" for i in range(1, predicates))),
    )


def image(name: int, boxes: np.ndarray, labels: np.ndarray, relations: np.ndarray) -> SceneImage:
    return SceneImage(
        str(name),
        1024,
        1024,
        boxes.astype(np.float32),
        labels.astype(np.int64),
        relations.reshape(-1, 3).astype(np.int64),
    )


def test_toy_set_of_the_benchmark(request: pytest.FixtureRequest) -> None:
    values = archive(request, "heads/sgb_freq.npz")
    entity = np.cumsum([0, *values["n_obj"]])
    relation = np.cumsum([0, *values["n_rel"]])
    images = [
        image(
            i,
            values["boxes_1024"][entity[i] : entity[i + 1]],
            values["classes"][entity[i] : entity[i + 1]],
            values["relations"][relation[i] : relation[i + 1]],
        )
        for i in range(len(values["n_obj"]))
    ]
    found = SceneStatistics.count(images, vocabulary(int(values["num_obj_classes"]), int(values["num_predicates"])))
    assert np.array_equal(found.foreground, values["fg_count"])
    assert np.array_equal(found.overlapping, values["bg_count"])
    assert np.array_equal(found.joint(), values["joint_count"])
    np.testing.assert_allclose(found.frequency_table(), values["table"], rtol=1e-6)
    classes, pairs = int(values["num_obj_classes"]), values["lookup.pairs"]
    rows = found.frequency_table()[pairs[:, 0] * classes + pairs[:, 1]]
    np.testing.assert_allclose(rows, values["lookup.rows"], rtol=1e-6)


def test_softened_frequency(request: pytest.FixtureRequest) -> None:
    values = {key[5:]: value for key, value in archive(request, "heads/gps_net.npz").items() if key.startswith("freq/")}
    owner, relations = values["image_of_box"], values["relations"]
    images = [
        image(i, values["boxes"][owner == i], values["labels"][owner == i], relations[relations[:, 0] == i, 1:])
        for i in range(int(owner.max()) + 1)
    ]
    classes, _, predicates = values["fg"].shape
    found = SceneStatistics.count(images, vocabulary(classes, predicates))
    assert np.array_equal(found.foreground, values["fg"])
    assert np.array_equal(found.overlapping, values["bg_plain"])
    assert np.array_equal(found.overlapping_related, values["bg_softened"])
    np.testing.assert_allclose(found.softened_table(), values["softened_table"].reshape(-1, predicates), rtol=1e-6)
    np.testing.assert_allclose(found.frequency_table(), values["plain_table"].reshape(-1, predicates), rtol=1e-6)
