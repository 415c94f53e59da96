"""Counts against plain loops, worked values, and the cache."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.data.damage import FUZZ, damaged
from tests.data.scene_files import write_vg150, write_vrd

from interplay.data.datasets import open_scenes
from interplay.data.errors import DataError
from interplay.data.scene_statistics import SceneStatistics, log_softmax, statistics_of
from interplay.data.scenes import BACKGROUND, SceneImage, Vocabulary

CLASSES, PREDICATES = 4, 5
NAMES = Vocabulary((BACKGROUND, "a", "b", "c"), (BACKGROUND, "p", "q", "r", "s"))


def random_images(seed: int, count: int = 12) -> list[SceneImage]:
    random = np.random.default_rng(seed)
    images = []
    for number in range(count):
        n = int(random.integers(0, 6))
        low = random.integers(0, 60, (n, 2))
        boxes = np.concatenate([low, low + random.integers(1, 30, (n, 2))], axis=1).astype(np.float32)
        amount = int(random.integers(0, 8)) if n else 0
        ends = random.integers(0, max(n, 1), (amount, 2))
        rows = np.concatenate([ends, random.integers(1, PREDICATES, (amount, 1))], axis=1)
        images.append(SceneImage(str(number), 99, 99, boxes, random.integers(1, CLASSES, n), rows))
    return images


@pytest.mark.parametrize("seed", range(5))
def test_counts_as_plain_loops_make_them(seed: int) -> None:
    images = random_images(seed)
    found = SceneStatistics.count(images, NAMES)
    foreground = np.zeros((CLASSES, CLASSES, PREDICATES), int)
    overlapping, related, both = (np.zeros((CLASSES, CLASSES), int) for _ in range(3))
    single = np.zeros(CLASSES, int)
    for image in images:
        labels, boxes = image.labels, image.boxes
        pairs = [(i, j) for i in range(len(labels)) for j in range(len(labels)) if i != j]
        close = [
            (i, j)
            for i, j in pairs
            if min(boxes[i, 2], boxes[j, 2]) > max(boxes[i, 0], boxes[j, 0])
            and min(boxes[i, 3], boxes[j, 3]) > max(boxes[i, 1], boxes[j, 1])
        ]
        classes = set()
        for s, o, p in image.relations:
            foreground[labels[s], labels[o], p] += 1
            classes.add((labels[s], labels[o]))
        for i, j in close or pairs:
            overlapping[labels[i], labels[j]] += 1
            related[labels[i], labels[j]] += (labels[i], labels[j]) in classes
        for a in range(CLASSES):
            single[a] += a in labels
            for b in range(CLASSES):
                both[a, b] += a in labels and b in labels if a != b else (labels == a).sum() > 1
    assert np.array_equal(found.foreground, foreground)
    assert np.array_equal(found.overlapping, overlapping)
    assert np.array_equal(found.overlapping_related, related)
    assert np.array_equal(found.images_with, single)
    assert np.array_equal(found.images_with_both, both)


def with_counts(row: list[int], background: int) -> SceneStatistics:
    foreground = np.zeros((2, 2, len(row) + 1), np.int64)
    foreground[1, 1, 1:] = row
    overlapping = np.zeros((2, 2), np.int64)
    overlapping[1, 1] = background
    zeros = np.zeros((2, 2), np.int64)
    return SceneStatistics(foreground, overlapping, zeros, np.zeros(2, np.int64), zeros)


def test_worked_frequency_rows() -> None:
    table = with_counts([3, 1, 0], 5).frequency_table()  # spec I.5
    np.testing.assert_allclose(table[3], [-0.509160, -1.200645, -2.292635, -6.907755], atol=1e-6)
    np.testing.assert_allclose(table[0], [0.001, -6.907755, -6.907755, -6.907755], atol=1e-6)
    assert table.dtype == np.float32


def test_worked_softening() -> None:
    softened = log_softmax(np.array([0.6, 0.3, 0.1, 0.0]))  # spec I.6
    np.testing.assert_allclose(softened, [-1.063386, -1.363386, -1.563386, -1.663386], atol=1e-6)
    unseen = with_counts([3, 1, 0], 5).softened_table()[0]
    np.testing.assert_allclose(unseen, np.log(1 / 4), atol=1e-6)


def test_knowledge_and_cooccurrence() -> None:
    found = SceneStatistics.count(random_images(3), NAMES)
    np.testing.assert_allclose(found.probability().sum(axis=2), 1)
    knowledge = found.object_knowledge()
    assert knowledge.min() >= 0
    assert knowledge.max() <= 1
    assert knowledge[1, 2] == found.images_with_both[1, 2] / found.images_with[1]
    assert not knowledge[0].any()
    prior = found.relation_cooccurrence()
    np.testing.assert_array_equal(prior, prior.T)
    assert prior.max() == 1
    empty = SceneStatistics.count([], NAMES)
    for table in (empty.object_knowledge(), empty.relation_cooccurrence(), empty.frequency_table()):
        assert np.isfinite(table).all()


def test_saved_and_loaded(tmp_path: Path) -> None:
    found = SceneStatistics.count(random_images(1), NAMES)
    found.save(tmp_path / "deep" / "statistics.npz")
    again = SceneStatistics.load(tmp_path / "deep" / "statistics.npz")
    for name in ("foreground", "overlapping", "overlapping_related", "images_with", "images_with_both"):
        np.testing.assert_array_equal(getattr(again, name), getattr(found, name))
    assert len(list((tmp_path / "deep").iterdir())) == 1


@FUZZ
@given(data=st.data())
def test_damaged_file(tmp_path: Path, data: st.DataObject) -> None:
    path = tmp_path / "statistics.npz"
    SceneStatistics.count(random_images(1), NAMES).save(path)
    path.write_bytes(data.draw(damaged(path.read_bytes())))
    try:
        SceneStatistics.load(path)
    except DataError:
        return


def test_cache_is_keyed_by_content(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dataset = open_scenes("vrd", write_vrd(tmp_path / "vrd"))
    first = statistics_of(dataset, dataset.parts()["train"], tmp_path / "cache")
    assert first.foreground.sum() == 5
    files = list((tmp_path / "cache").iterdir())
    assert len(files) == 1
    monkeypatch.setattr(type(dataset), "read", lambda *_: pytest.fail("counted again"))
    again = statistics_of(dataset, dataset.parts()["train"], tmp_path / "cache")
    np.testing.assert_array_equal(again.foreground, first.foreground)
    monkeypatch.undo()
    statistics_of(dataset, dataset.parts()["test"], tmp_path / "cache")
    assert len(list((tmp_path / "cache").iterdir())) == 2
    files[0].write_bytes(b"broken")
    np.testing.assert_array_equal(
        statistics_of(dataset, dataset.parts()["train"], tmp_path / "cache").foreground, first.foreground
    )


def test_counts_that_cannot_be_kept_are_there_all_the_same(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    dataset = open_scenes("vrd", write_vrd(tmp_path / "vrd"))
    (tmp_path / "file").write_text("in the way")
    assert statistics_of(dataset, dataset.parts()["train"], tmp_path / "file").foreground.sum() == 5
    assert "counts are not kept" in caplog.text


def test_relations_left_out_on_request_are_not_counted(tmp_path: Path) -> None:
    root = write_vg150(tmp_path)
    first, kept = (
        statistics_of(open_scenes("vg", root, require_overlap=overlap), [0]).foreground for overlap in (False, True)
    )
    assert kept.sum() == 2
    assert first.sum() > 2


def test_boxes_are_counted_as_annotated(tmp_path: Path) -> None:
    # Clipped to the picture's last pixel, the first box would only touch what it overlaps by one pixel at the border.
    boxes = np.full((19, 4), 4, np.int32) * np.arange(1, 20)[:, None]
    boxes[:] = (20, 20, 8, 8)
    boxes[9], boxes[10] = (512, 300, 1024, 600), (1023, 300, 2, 600)  # the fourth picture, 1024 × 768
    dataset = open_scenes("vg", write_vg150(tmp_path, boxes_1024=boxes))
    index = 3
    assert len(dataset.read(index).boxes) == 2
    found = statistics_of(dataset, [index])
    assert found.overlapping.sum() == 2


@pytest.mark.parametrize("wrong", ["label", "entity", "predicate"])
def test_what_the_vocabulary_does_not_have(wrong: str) -> None:
    boxes = np.array([[0, 0, 5, 5]], np.float32)
    label = np.array([CLASSES if wrong == "label" else 1])
    row = np.array([[0, 1 if wrong == "entity" else 0, PREDICATES if wrong == "predicate" else 1]])
    with pytest.raises(ValueError, match="picture"):
        SceneStatistics.count([SceneImage("picture", 9, 9, boxes, label, row)], NAMES)
