"""Prediction files in every form, and what is said of the bad ones."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from interplay.data.errors import DataError
from interplay.data.scene_predictions import open_scene_predictions

IMAGES: list[dict[str, Any]] = [
    {
        "id": "first",
        "size": [40, 30],
        "gt_boxes": [[0, 0, 9, 9], [5, 5, 20, 20]],
        "gt_labels": [1, 2],
        "gt_rels": [[0, 1, 2], [0, 1, 2]],
        "pred_boxes": [[0, 0, 9, 8], [5, 5, 20, 21], [1, 1, 2, 2]],
        "pred_labels": [1, 2, 2],
        "pred_scores": [0.9, 0.8, 0.1],
        "pairs": [[0, 1], [1, 2]],
        "rel_scores": [[0.1, 0.2, 0.7], [0.5, 0.3, 0.2]],
    },
    {
        "id": "second",
        "size": [40, 30],
        "gt_boxes": [[0, 0, 9, 9]],
        "gt_labels": [1],
        "gt_rels": [],
        "pred_boxes": [[0, 0, 9, 9]],
        "pred_labels": [1],
        "pred_scores": [1],
        "pairs": [],
        "rel_scores": [],
    },
]
HEADER: dict[str, Any] = {
    "num_classes": 3,
    "num_predicates": 3,
    "predicate_names": ["__background__", "on", "near"],
    "predicate_counts": [0, 10, 5],
    "zeroshot": [[1, 2, 2]],
    "task": "sgdet",
}
OFFSETS = {"gt": "gt_boxes", "gt_rel": "gt_rels", "obj": "pred_boxes", "pair": "pairs"}
SHAPES = {"gt_boxes": (0, 4), "pred_boxes": (0, 4), "gt_rels": (0, 3), "pairs": (0, 2), "rel_scores": (0, 3)}


def arrays(images: list[dict[str, Any]] = IMAGES) -> dict[str, np.ndarray]:
    made = {key: np.asarray(value) for key, value in HEADER.items()}
    for key in IMAGES[0]:
        if key not in ("id", "size"):
            made[key] = np.concatenate([np.asarray(one[key]).reshape(-1, *SHAPES.get(key, (0,))[1:]) for one in images])
    for key in ("gt_labels", "gt_rels", "pred_labels", "pairs"):
        made[key] = made[key].astype(np.int32)
    for name, key in OFFSETS.items():
        made[f"{name}_offsets"] = np.cumsum([0, *(len(one[key]) for one in images)])
    made["image_size"] = np.array([one["size"] for one in images])
    made["image_ids"] = np.array([one["id"] for one in images])
    return made


def npz(path: Path, **changes: Any) -> Path:
    made = arrays() | changes
    np.savez(path, **{key: value for key, value in made.items() if value is not None})
    return path


def written(folder: Path, form: str) -> Path:
    path = folder / f"predictions.{form}"
    if form == "npz":
        return npz(path)
    if form == "json":
        path.write_text(json.dumps({**HEADER, "images": IMAGES}))
    else:
        path.write_text("\n".join(json.dumps(line) for line in (HEADER, *IMAGES)) + "\n\n")
    return path


@pytest.mark.parametrize("form", ["npz", "json", "jsonl"])
def test_every_form_says_the_same(tmp_path: Path, form: str) -> None:
    found = open_scene_predictions(written(tmp_path, form))
    assert (found.num_predicates, found.num_classes, found.task) == (3, 3, "sggen")
    assert found.count == (None if form == "jsonl" else 2)
    assert found.predicate_names == ("__background__", "on", "near")
    assert found.predicate_counts is not None
    assert found.predicate_counts.tolist() == [0, 10, 5]
    assert found.zero_shot is not None
    assert found.zero_shot.tolist() == [[1, 2, 2]]
    for _ in range(2):  # from the front each time
        images = list(found)
        for one, given in zip(images, IMAGES, strict=True):
            assert (one.id, one.size) == (given["id"], (40, 30))
            for value, key in (
                (one.true_boxes, "gt_boxes"),
                (one.true_labels, "gt_labels"),
                (one.true_relations, "gt_rels"),
                (one.boxes, "pred_boxes"),
                (one.labels, "pred_labels"),
                (one.scores, "pred_scores"),
                (one.pairs, "pairs"),
                (one.predicate_scores, "rel_scores"),
            ):
                assert value.tolist() == given[key], key
        assert images[1].predicate_scores.shape == (0, 3)
        assert images[1].true_relations.shape == (0, 3)


def test_without_predicted_entities_the_true_ones_are_meant(tmp_path: Path) -> None:
    bare = {f"pred_{key}": None for key in ("boxes", "labels", "scores")} | {"obj_offsets": None}
    pairs, offsets = np.array([[0, 1]]), np.array([0, 1, 1])
    file = npz(tmp_path / "a.npz", **bare, pairs=pairs, rel_scores=np.ones((1, 3)), pair_offsets=offsets)
    first = next(iter(open_scene_predictions(file)))
    assert first.boxes.tolist() == first.true_boxes.tolist()
    assert (first.labels.tolist(), first.scores.tolist()) == ([1, 2], [1, 1])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"num_predicates": None, "predicate_names": None}, "neither 'num_predicates' nor 'predicate_names'"),
        ({"num_predicates": 1, "predicate_names": None}, "num_predicates: found 1, expected a number, at least 2"),
        ({"num_predicates": 4}, "predicate_names: found 3 names, expected 4"),
        ({"predicate_counts": [1, 2]}, r"predicate_counts: found shape \(2,\), expected \(3,\)"),
        ({"zeroshot": [[1, 2]]}, r"zeroshot: found shape \(1, 2\)"),
        ({"task": "guess"}, "task: found 'guess'"),
        ({"gt_offsets": None}, "no array 'gt_offsets'"),
        ({"gt_offsets": [0, 5, 3]}, "gt_offsets: found offsets that do not ascend from 0"),
        ({"gt_offsets": [0, 2, 4]}, "array 'gt_boxes': found 3 rows, expected 4"),
        ({"gt_rel_offsets": [0, 2]}, "gt_rel_offsets: found 1 images, expected 2"),
        ({"pair_offsets": [0, 1, 1]}, "array 'pairs': found 2 rows, expected 1"),
        ({"pair_offsets": [0.0, 2.0, 2.0]}, "expected a row of integers"),
        ({"pairs": None}, "array 'pairs': found nothing"),
        ({"pred_scores": None}, "array 'pred_scores': found nothing"),
        ({"rel_scores": np.ones((2, 4))}, r"image first, rel_scores: found shape \(2, 4\), expected shape \(2, 3\)"),
        ({"rel_scores": np.full((2, 3), np.nan)}, "not finite"),
        ({"rel_scores": np.ones((2, 3), int)}, None),
        ({"pairs": [[0, 1], [1, 3]]}, r"image first, pairs: found 3, expected 0 … 2"),
        ({"pairs": np.ones((2, 2))}, "pairs: found values of type float64, expected integers"),
        ({"gt_rels": [[0, 1, 2], [0, 2, 2]]}, "gt_rels, entities: found 2, expected 0 … 1"),
        ({"gt_rels": [[0, 1, 2], [0, 1, 3]]}, "gt_rels, predicates: found 3, expected 1 … 2"),
        ({"gt_labels": [1, 0, 1]}, "image first, gt_labels: found 0, expected 1 … 2"),
        ({"gt_labels": [1, 2, 3]}, "image second, gt_labels: found 3"),
        ({"pred_scores": [0.5, -1, 0.5, 1]}, "pred_scores: found -1.0, expected at least 0"),
        ({"gt_boxes": np.ones((3, 5))}, r"gt_boxes: found shape \(2, 5\), expected \(rows, 4\)"),
        ({"image_size": [[0, 3], [3, 4]]}, "image first, size"),
    ],
)
def test_one_line_for_what_is_wrong(tmp_path: Path, change: dict[str, Any], message: str | None) -> None:
    changed = {key: None if value is None else np.asarray(value) for key, value in change.items()}
    file = npz(tmp_path / "bad.npz", **changed)
    if message is None:
        assert len(list(open_scene_predictions(file))) == 2
        return
    with pytest.raises(DataError, match=message) as error:
        list(open_scene_predictions(file))
    assert "\n" not in str(error.value)
    assert str(file) in str(error.value)


def fortran(path: Path) -> None:
    npz(path, rel_scores=np.asfortranarray(np.ones((2, 3))))


def announced(path: Path) -> None:
    """A header that promises more rows than there are."""
    good = npz(path.with_name("good.npz"))
    with zipfile.ZipFile(good) as source, zipfile.ZipFile(path, "w") as target:
        for info in source.infolist():
            text = source.read(info)
            if info.filename == "pairs.npy":
                text = text.replace(b"(2, 2)", b"(9, 2)")
            target.writestr(info.filename, text)


@pytest.mark.parametrize(
    ("name", "make", "message"),
    [
        ("a.npz", lambda path: path.write_bytes(b"PK nothing"), "damaged archive"),
        ("a.npz", lambda path: None, "No such file"),
        ("a.npz", fortran, "rows first"),
        ("a.npz", announced, "array 'pairs'"),
        ("a.npz", lambda path: np.savez(path, gt_offsets=np.array([{}], dtype=object)), "pickled"),
        ("a.txt", lambda path: path.write_text("hello"), "expected .npz, .json or .jsonl"),
        ("a.json", lambda path: path.write_text("{"), "no JSON"),
        ("a.json", lambda path: path.write_text("[" * 100_000), "no JSON"),
        ("a.json", lambda path: path.write_text("[]"), "expected an object with a list 'images'"),
        ("a.json", lambda path: path.write_text(json.dumps({**HEADER, "images": [3]})), "image 0: found int"),
        ("a.json", lambda path: path.write_text(json.dumps({**HEADER, "images": [{}]})), "no 'gt_boxes'"),
        ("a.jsonl", lambda path: path.write_text(""), "a header line"),
        ("a.jsonl", lambda path: path.write_text(json.dumps(HEADER) + "\n[1]"), "line 2: found list"),
        ("a.jsonl", lambda path: path.write_bytes(b"\xff\xfe"), "expected UTF-8"),
        ("a.jsonl", lambda path: path.write_text("{} \n {"), "neither 'num_predicates'"),
        ("a.json", lambda path: path.mkdir(), "Is a directory"),
    ],
)
def test_files_of_another_kind(tmp_path: Path, name: str, make: Callable[[Path], object], message: str) -> None:
    file = tmp_path / name
    make(file)
    with pytest.raises(DataError, match=message) as error:
        list(open_scene_predictions(file))
    assert "\n" not in str(error.value)


def test_ragged_rows_in_json(tmp_path: Path) -> None:
    file = tmp_path / "a.json"
    file.write_text(json.dumps({**HEADER, "images": [IMAGES[0] | {"gt_boxes": [[1, 2], [3]]}]}))
    with pytest.raises(DataError, match="image first, gt_boxes: found rows of different lengths"):
        list(open_scene_predictions(file))


@pytest.mark.parametrize("seed", range(30))
def test_damaged_bytes_end_in_one_line(tmp_path: Path, seed: int) -> None:
    draw = np.random.default_rng(seed)
    file = tmp_path / "a.npz"
    np.savez_compressed(file, **arrays())
    bytes_ = bytearray(file.read_bytes())
    for place in draw.integers(0, len(bytes_), 4):
        bytes_[place] = draw.integers(0, 256)
    file.write_bytes(bytes_[: int(draw.integers(len(bytes_) // 2, len(bytes_) + 1))])
    said = ""
    try:
        list(open_scene_predictions(file))  # the damage may be where nothing is read
    except DataError as error:
        said = str(error)
    assert "\n" not in said
