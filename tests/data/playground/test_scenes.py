from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from interplay.data.datasets import open_scenes
from interplay.data.open_images import OpenImages
from interplay.data.playground import simulate
from interplay.data.playground.rendering import join_extents
from interplay.data.playground.scene_contents import LEAST_OBJECTS, build_scene
from interplay.data.playground.scene_layout import PART_PAIRS
from interplay.data.playground.scene_relations import CHANCES, HELD_OUT
from interplay.data.playground.scenes import PlaygroundScenes, frames
from interplay.data.scene_writers import write_open_images, write_visual_genome
from interplay.data.scenes import SceneDataset, SceneImage
from interplay.data.visual_genome import VisualGenome

OTHER = {a: b for pair in PART_PAIRS for a, b in (pair, pair[::-1])}


@pytest.fixture(scope="module")
def dataset() -> PlaygroundScenes:
    return PlaygroundScenes(train=150, validation=10, test=150, seed=3)


@pytest.fixture(scope="module")
def scenes(dataset: PlaygroundScenes) -> list[SceneImage]:
    return [dataset.read(index) for index in range(len(dataset))]


def names(dataset: PlaygroundScenes, scene: SceneImage) -> list[tuple[str, str, str]]:
    classes, predicates = dataset.vocabulary.classes, dataset.vocabulary.predicates
    return [(classes[scene.labels[s]], predicates[p], classes[scene.labels[o]]) for s, o, p in scene.relations]


def test_what_every_scene_data_set_offers(dataset: PlaygroundScenes, scenes: list[SceneImage]) -> None:
    assert isinstance(dataset, SceneDataset)
    assert len(set(dataset.ids)) == len(dataset) == 310
    assert [scene.id for scene in scenes] == list(dataset.ids)
    assert np.array_equal(np.concatenate(list(dataset.parts().values())), np.arange(310))
    opened = open_scenes("playground_scenes", train=150, validation=10, test=150, seed=3)
    assert opened.fingerprint() == dataset.fingerprint() != PlaygroundScenes(seed=3).fingerprint()


def test_boxes_and_relations_point_into_the_picture(dataset: PlaygroundScenes, scenes: list[SceneImage]) -> None:
    for scene in scenes:
        count = len(scene.labels)
        assert count >= LEAST_OBJECTS == 12
        assert scene.labels.min() >= 1
        assert scene.labels.max() < len(dataset.vocabulary.classes)
        assert (scene.boxes[:, :2] >= 0).all()
        assert (scene.boxes[:, 2:] < (scene.width, scene.height)).all()
        assert (scene.boxes[:, 2:] - scene.boxes[:, :2] >= 1).all()
        assert np.array_equal(scene.boxes, np.floor(scene.boxes))
        assert (scene.relations[:, 0] != scene.relations[:, 1]).all()
        assert scene.relations[:, :2].max(initial=0) < count
        assert scene.relations[:, 2].min(initial=1) >= 1


def test_annotations_are_a_part_of_the_truth(dataset: PlaygroundScenes, scenes: list[SceneImage]) -> None:
    annotated = true = 0
    for index in range(0, len(dataset), 10):
        truth = {tuple(row) for row in dataset.truth(index).tolist()}
        assert {tuple(row) for row in scenes[index].relations.tolist()} <= truth
        annotated, true = annotated + len(scenes[index].relations), true + len(truth)
    assert 0.15 < annotated / true < 0.5


def test_classes_and_predicates_have_a_long_tail(dataset: PlaygroundScenes, scenes: list[SceneImage]) -> None:
    rows = [row for scene in scenes for row in names(dataset, scene)]
    shares = np.array(sorted(Counter(predicate for _, predicate, _ in rows).values(), reverse=True)) / len(rows)
    assert len(shares) >= 25  # of 31; the rest is too rare for so few pictures
    assert shares[0] > 0.15
    assert shares[:5].sum() > 0.45
    assert (shares < 0.02).sum() >= 12
    ranks = np.log(np.arange(1, len(shares) + 1))
    slope = np.polyfit(ranks, np.log(shares), 1)[0]
    assert -2.0 < slope < -0.8  # Zipf: about −1
    assert len({int(label) for scene in scenes for label in scene.labels}) >= 30
    per_picture = np.array([len(scene.relations) for scene in scenes])
    assert 9 < per_picture.mean() < 18
    repeated = sum(len(scene.relations) - len({(s, o) for s, o, _ in scene.relations.tolist()}) for scene in scenes)
    assert 0 < repeated < 0.06 * len(rows)


def test_the_same_seed_draws_the_same_picture(dataset: PlaygroundScenes, scenes: list[SceneImage]) -> None:
    again = PlaygroundScenes(train=150, validation=10, test=150, seed=3)
    for index in (0, 5, 160):
        pixels = scenes[index].pixels()
        scene = again.read(index)
        again.read(index + 1), again.read(index + 2), again.read(index + 3), again.read(index + 4)
        assert pixels.shape == (144, 192, 3)
        assert pixels.dtype == np.uint8
        assert np.array_equal(scene.pixels(), pixels)
        assert np.array_equal(scene.relations, scenes[index].relations)
        assert pixels.std() > 20
    other = PlaygroundScenes(train=1, validation=0, test=0, seed=4).read(0)
    assert not np.array_equal(other.pixels(), scenes[0].pixels())


def test_parts_and_seeds_never_share_a_scene() -> None:
    kinds = [PlaygroundScenes(train=3, validation=2, test=2, seed=seed) for seed in (0, 1)]
    seeds = [scene.meta["seed"] for each in kinds for scene in map(each.read, range(len(each)))]
    assert len(set(seeds)) == len(seeds) == 14


def test_held_out_triplets_are_in_the_test_part_only(dataset: PlaygroundScenes, scenes: list[SceneImage]) -> None:
    found: dict[str, Counter[tuple[str, str, str]]] = {"train": Counter(), "validation": Counter(), "test": Counter()}
    for scene in scenes:
        found[str(scene.meta["part"])].update(row for row in names(dataset, scene) if row in HELD_OUT)
    assert not found["train"]
    assert sum(found["test"].values()) >= 5
    classes, predicates = dataset.vocabulary.classes, dataset.vocabulary.predicates
    assert dataset.zero_shot is not None
    assert [(classes[s], predicates[p], classes[o]) for s, o, p in dataset.zero_shot] == list(HELD_OUT)
    for subject, predicate, object_ in HELD_OUT:  # or labels would tell the pair's members apart
        assert predicate not in OTHER or (subject, OTHER[predicate], object_) in HELD_OUT
        assert predicate in CHANCES


def test_a_twin_has_the_same_boxes_and_the_other_predicates(dataset: PlaygroundScenes) -> None:
    """All that differs is pixels within the boxes of what a turned predicate is about."""
    predicates = dataset.vocabulary.predicates
    for index in range(24):
        scene, twin = dataset.read(index), dataset.twin(index)
        assert np.array_equal(scene.boxes, twin.boxes)
        assert np.array_equal(scene.labels, twin.labels)
        assert np.array_equal(scene.relations[:, :2], twin.relations[:, :2])
        first, second = ([predicates[p] for p in each.relations[:, 2]] for each in (scene, twin))
        assert second == [OTHER.get(predicate, predicate) for predicate in first]
        drawn = build_scene(int(scene.meta["seed"]), (192, 144))
        outside = np.ones((144, 192), dtype=bool)
        for subject, object_, predicate in drawn.events:
            if predicate in OTHER:
                about = (subject,) if predicate in PART_PAIRS[1] else (subject, object_)
                x1, y1, x2, y2 = join_extents(drawn.things[k].box for k in about)
                outside[max(int(y1) - 1, 0) : int(y2) + 2, max(int(x1) - 1, 0) : int(x2) + 2] = False
        differ = (scene.pixels() != twin.pixels()).any(axis=-1)
        assert not (differ & outside).any()
        assert differ.any() or not any(predicate in OTHER for predicate in first)


@pytest.mark.parametrize("layout", ["vg", "openimages"])
def test_the_real_readers_read_what_is_written(tmp_path: Path, layout: str) -> None:
    """At 256 × 192 pixels Visual Genome's whole-number boxes hold ours exactly."""
    dataset = PlaygroundScenes(train=4, validation=1, test=2, width=256, height=192)
    (write_visual_genome if layout == "vg" else write_open_images)(dataset, tmp_path)
    read: SceneDataset = VisualGenome(tmp_path) if layout == "vg" else OpenImages(tmp_path)
    assert read.vocabulary == dataset.vocabulary
    if layout == "vg":
        found, given = read.zero_shot, dataset.zero_shot
        assert found is not None
        assert given is not None
        assert np.array_equal(found, given)
    index_of = {name: index for index, name in enumerate(read.ids)}
    for part, chosen in dataset.parts().items():
        assert {dataset.ids[int(k)] for k in chosen} == {read.ids[int(k)] for k in read.parts()[part]}
        for k in chosen:
            ours, theirs = dataset.read(int(k)), read.read(index_of[dataset.ids[int(k)]])
            np.testing.assert_array_equal(theirs.boxes, ours.boxes)
            np.testing.assert_array_equal(theirs.labels, ours.labels)
            np.testing.assert_array_equal(theirs.relations, ours.relations)
            assert theirs.file is not None
            error = theirs.pixels().astype(float) - ours.pixels()
            assert np.abs(error).mean() < 4.0  # JPEG


def test_episodes_are_drawn_with_boxes() -> None:
    episode = simulate("cheers", 1, frames=50)
    pictures = list(zip(range(4), frames(episode, (160, 120)), strict=False))
    for _, (picture, boxes) in pictures:
        assert picture.shape == (120, 160, 3)
        assert {"person 0", "person 1", "head 0", "left hand 1", "right foot 0", "cup 0", "cup 1"} <= set(boxes)
        for person in (0, 1):
            whole, head = boxes[f"person {person}"], boxes[f"head {person}"]
            assert whole[0] <= head[0] <= head[2] <= whole[2]
            assert whole[1] <= head[1] <= head[3] < whole[3]
    (_, (first, _)), *_, (_, (last, _)) = pictures
    assert not np.array_equal(first, last)


@pytest.mark.parametrize(
    ("settings", "found"),
    [({"train": -1}, "-1"), ({"seed": -2}, "seed=-2"), ({"width": 20}, "20×144"), ({"second": 1.5}, "1.5")],
)
def test_settings_out_of_range(settings: dict[str, int], found: str) -> None:
    with pytest.raises(ValueError, match=rf"playground_scenes: .*{found}"):
        PlaygroundScenes(**settings)
