"""What is written in another layout reads back the same."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from tests.data.damage import FUZZ
from tests.data.scene_files import PLAIN, write_open_images, write_plain, write_vrd

from interplay.data.datasets import open_scenes
from interplay.data.errors import DataError
from interplay.data.json_files import Place
from interplay.data.scene_writers import WRITERS, encode_boxes
from interplay.data.visual_genome import decode_boxes

READERS = {"plain": "plain_scenes", "vg": "vg", "openimages": "openimages"}
SOURCES: dict[str, Callable[[Path], Path]] = {
    "vrd": write_vrd,
    "openimages": write_open_images,
    "plain_scenes": write_plain,
}


@FUZZ
@given(
    st.lists(st.tuples(*[st.integers(0, 1000)] * 4), min_size=1).map(np.array),
    st.sampled_from([(1024, 768), (640, 480), (333, 500), (192, 144)]),
)
def test_whole_numbers_survive_the_reference_decoding(values: np.ndarray, size: tuple[int, int]) -> None:
    low, span = values[:, :2] % np.array(size), values[:, 2:] % 200 + 1
    corners = np.concatenate([low, low + span], axis=1).astype(np.float32)
    scale = 1024 / max(size)
    stored = encode_boxes(corners, scale)
    decoded = decode_boxes(stored, Place("file", ""))
    np.testing.assert_array_equal(decoded[:, :2], np.rint(corners[:, :2].astype(np.float64) * scale))
    assert np.abs(decoded / scale - corners).max() <= 0.5 / scale + 1e-6


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("form", WRITERS)
def test_there_and_back(tmp_path: Path, source: str, form: str) -> None:
    root = SOURCES[source](tmp_path / "source")
    dataset = open_scenes(source, root, with_relations=False)
    members = np.concatenate(list(dataset.parts().values())).tolist()
    written, bad = WRITERS[form](dataset, tmp_path / "out")
    assert (written, bad) == (len(members), [])
    again = open_scenes(READERS[form], tmp_path / "out", with_relations=False)
    assert again.vocabulary == dataset.vocabulary
    sizes = {part: len(rows) for part, rows in dataset.parts().items()}
    if form == "vg":  # a picture without boxes is in no part of this layout
        empty = {part: sum(not len(dataset.read(i).boxes) for i in rows) for part, rows in dataset.parts().items()}
        sizes = {part: count - empty[part] for part, count in sizes.items()}
    assert {part: len(rows) for part, rows in again.parts().items()} == sizes
    found = {Path(again.ids[index]).name: again.read(index) for index in range(len(again))}
    for index in members:
        scene = dataset.read(index)
        other = found[str(Path(scene.id.replace("/", "_")).with_suffix(""))]
        tolerance = max(scene.width, scene.height) / 2048 + 1e-4 if form == "vg" else 0
        limit = np.array([scene.width, scene.height] * 2) - 1
        boxes = np.minimum(scene.boxes, limit) if form == "vg" else scene.boxes
        np.testing.assert_allclose(other.boxes, boxes, atol=tolerance, rtol=0)
        assert other.labels.tolist() == scene.labels.tolist()
        assert other.relations.tolist() == scene.relations.tolist()
    if form == "vg":
        assert again.zero_shot.tolist() == dataset.zero_shot.tolist()


def test_no_validation_part_stays_none(tmp_path: Path) -> None:
    picture = PLAIN["pictures"][0]
    value = {"pictures": [dict(picture, file=f"{number}.jpg", part="train") for number in range(20)]}
    dataset = open_scenes("plain_scenes", write_plain(tmp_path / "source", value))
    WRITERS["vg"](dataset, tmp_path / "out")
    assert [len(rows) for rows in open_scenes("vg", tmp_path / "out").parts().values()] == [20, 0, 0]
    assert [len(rows) for rows in open_scenes("vg", tmp_path / "out", validation=3).parts().values()] == [17, 3, 0]


@pytest.mark.parametrize("form", WRITERS)
def test_pictures_are_copied(tmp_path: Path, form: str) -> None:
    root = write_plain(tmp_path / "source")
    (root / "kitchen").mkdir()
    Image.new("RGB", (640, 480), (1, 2, 3)).save(root / "kitchen" / "1.png")
    text = (root / "scenes.json").read_text().replace("kitchen/1.jpg", "kitchen/1.png")
    (root / "scenes.json").write_text(text)
    dataset = open_scenes("plain_scenes", root)
    WRITERS[form](dataset, tmp_path / "out")
    again = open_scenes(READERS[form], tmp_path / "out")
    np.testing.assert_array_equal(again.read(0).pixels(), dataset.read(0).pixels())
    assert again.read(1).file is None
    WRITERS[form](dataset, tmp_path / "bare", pictures=False)
    assert open_scenes(READERS[form], tmp_path / "bare").read(0).file is None


def test_bad_pictures_are_listed_or_end_the_work(tmp_path: Path) -> None:
    root = write_open_images(tmp_path / "source")
    path = root / "annotations" / "vrd-test-anno.json"
    path.write_text(path.read_text().replace("[[1, 0, 0]", "[[1, 9, 0]"))
    dataset = open_scenes("openimages", root)
    written, bad = WRITERS["plain"](dataset, tmp_path / "out")
    assert written == 3
    assert len(bad) == 1
    assert "00b2" in bad[0]
    with pytest.raises(DataError):
        WRITERS["plain"](dataset, tmp_path / "out", strict=True)
