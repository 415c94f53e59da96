"""Small annotated sets in every layout that the readers know, with what goes wrong in real ones."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import h5py
import numpy as np

CLASSES = ("cat", "cup", "man", "shoe", "street sign", "table")
PREDICATES = ("has", "near", "on", "wearing")

# Per picture: split; (cx, cy, w, h, class) at a scale of 1024; (subject, object, predicate), all from the picture's own
# first entity, classes and predicates from 1.
PICTURES: list[tuple[int, list[tuple[int, int, int, int, int]], list[tuple[int, int, int]]]] = [
    (0, [(500, 400, 201, 200, 3), (500, 500, 200, 100, 6), (10, 300, 21, 40, 2)], [(0, 1, 3), (2, 1, 3), (0, 1, 2)]),
    (0, [(100, 100, 201, 50, 3), (120, 110, 40, 40, 4)], []),  # no relation; cx - w/2 = -0.5
    (0, [(300, 300, 99, 99, 3), (310, 340, 33, 35, 4)], [(0, 1, 4), (0, 1, 4), (0, 1, 1)]),  # an exact repeat, two more
    (2, [(924, 384, 200, 768, 1), (512, 700, 1024, 136, 6)], [(0, 1, 3)]),  # touching the right and the lower border
    (0, [], []),  # nothing at all
    (2, [(200, 200, 101, 103, 1), (220, 220, 10, 12, 2)], [(0, 1, 1)]),  # cat has cup: never in training
    (0, [(600, 200, 55, 57, 3), (100, 600, 31, 33, 6)], [(0, 1, 2)]),  # boxes far apart
    (2, [(200, 200, 101, 103, 3), (220, 220, 10, 12, 4)], [(0, 1, 4), (0, 1, 4)]),
    (2, [(50, 50, 61, 63, 5)], []),  # one object
    (0, [(400, 400, 301, 303, 6), (400, 300, 51, 53, 2), (420, 500, 71, 73, 1)], [(1, 0, 3), (2, 0, 2), (2, 2, 2)]),
]
SIZES = [
    (800, 600),
    (600, 800),
    (1024, 768),
    (1024, 768),
    (640, 480),
    (500, 375),
    (333, 500),
    (800, 800),
    (320, 240),
    (1000, 700),
]
IDS = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]


def write_vg150(
    folder: Path, with_attributes: bool = True, dtype: str = "int32", corrupted: bool = True, **replaced: Any
) -> Path:
    """The files of VG150's layout. ``replaced``: arrays in the place of the right ones, None to leave one out."""
    folder.mkdir(parents=True, exist_ok=True)
    boxes = [box for _, entities, _ in PICTURES for box in entities]
    counts = np.array([len(entities) for _, entities, _ in PICTURES])
    relation_counts = np.array([len(rows) for _, _, rows in PICTURES])
    first = np.cumsum(counts) - counts
    first_relation = np.cumsum(relation_counts) - relation_counts
    ends = [(s + start, o + start) for (_, _, rows), start in zip(PICTURES, first, strict=True) for s, o, _ in rows]
    arrays: dict[str, Any] = {
        "split": np.array([split for split, _, _ in PICTURES], np.int32),
        "img_to_first_box": np.where(counts > 0, first, -1).astype(np.int32),
        "img_to_last_box": np.where(counts > 0, first + counts - 1, -1).astype(np.int32),
        "img_to_first_rel": np.where(relation_counts > 0, first_relation, -1).astype(np.int32),
        "img_to_last_rel": np.where(relation_counts > 0, first_relation + relation_counts - 1, -1).astype(np.int32),
        "boxes_1024": np.array([box[:4] for box in boxes], dtype),
        "boxes_512": np.array([box[:4] for box in boxes], dtype) // 2,
        "labels": np.array([[box[4]] for box in boxes], np.int32),
        "relationships": np.array(ends, np.int32),
        "predicates": np.array([[p] for _, _, rows in PICTURES for _, _, p in rows], np.int32),
        "active_object_mask": np.ones((len(boxes), 1), bool),
    }
    if with_attributes:
        arrays["attributes"] = np.zeros((len(boxes), 10), np.int64)
    arrays |= replaced
    suffix = "-with-attri" if with_attributes else ""
    with h5py.File(folder / f"VG-SGG{suffix}.h5", "w") as file:
        for key, value in arrays.items():
            if value is not None:
                file[key] = value
    names = {
        "label_to_idx": {name: number for number, name in enumerate(CLASSES, 1)},
        "idx_to_label": {str(number): name for number, name in enumerate(CLASSES, 1)},
        "predicate_to_idx": {name: number for number, name in enumerate(PREDICATES, 1)},
        "idx_to_predicate": {str(number): name for number, name in enumerate(PREDICATES, 1)},
        "object_count": dict.fromkeys(CLASSES, 1),
    }
    (folder / f"VG-SGG-dicts{suffix}.json").write_text(json.dumps(names))
    entries = [
        {"image_id": id, "width": width, "height": height, "url": "", "coco_id": None}
        for id, (width, height) in zip(IDS, SIZES, strict=True)
    ]
    if corrupted:  # Visual Genome's own list has four pictures that the arrays do not
        for at, id in ((2, 1592), (4, 1722), (7, 4616), (14, 4617)):
            entries.insert(at, {"image_id": id, "width": 9, "height": 9})
    (folder / "image_data.json").write_text(json.dumps(entries))
    return folder


VRD = {
    "a.jpg": [
        {
            "subject": {"category": 2, "bbox": [10, 90, 20, 60]},
            "predicate": 3,
            "object": {"category": 5, "bbox": [50, 99, 1, 120]},
        },
        {
            "subject": {"category": 2, "bbox": [10, 90, 20, 60]},
            "predicate": 1,
            "object": {"category": 3, "bbox": [80, 90, 25, 40]},
        },
        {
            "subject": {"category": 3, "bbox": [10, 90, 20, 60]},
            "predicate": 1,
            "object": {"category": 2, "bbox": [10, 90, 20, 60]},
        },
        {
            "subject": {"category": 5, "bbox": [50, 99, 1, 120]},
            "predicate": 1,
            "object": {"category": 5, "bbox": [50, 99, 1, 120]},
        },
    ],
    "b.png": [],
    "c.jpg": [
        {
            "subject": {"category": 0, "bbox": [5, 20, 5, 25]},
            "predicate": 0,
            "object": {"category": 1, "bbox": [1, 9, 3, 7]},
        },
    ],
}


def write_vrd(folder: Path) -> Path:
    """VRD's four files: equal boxes of one class and of two classes, a relation of an entity with itself, a picture
    without relations, and a test triplet that training has and one that it has not."""
    folder.mkdir(parents=True, exist_ok=True)
    test = {"d.jpg": VRD["c.jpg"], "e.jpg": [dict(VRD["c.jpg"][0], predicate=1), *VRD["a.jpg"][:1]], "f.jpg": []}
    (folder / "objects.json").write_text(json.dumps(CLASSES))
    (folder / "predicates.json").write_text(json.dumps(PREDICATES))
    (folder / "annotations_train.json").write_text(json.dumps(VRD))
    (folder / "annotations_test.json").write_text(json.dumps(test))
    return folder


OPEN_IMAGES = [
    {"img_fn": "00a1", "img_size": [640, 480], "bbox": [[10.5, 20, 300, 400.25], [0, 300, 640, 480]],
     "det_labels": [2, 5], "rel": [[0, 1, 2]]},
    {"img_fn": "00a2", "img_size": [100, 90], "bbox": [[1, 1, 50, 60]], "det_labels": [0], "rel": []},
    {"img_fn": "00a3", "img_size": [100, 90], "bbox": [], "det_labels": [], "rel": []},
]  # fmt: skip


def write_open_images(folder: Path) -> Path:
    """Open Images' JSON layout: a picture with a relation, one without, one without boxes; validation and test."""
    (folder / "annotations").mkdir(parents=True, exist_ok=True)
    test = [dict(OPEN_IMAGES[0], img_fn="00b1"), dict(OPEN_IMAGES[0], img_fn="00b2", rel=[[1, 0, 0], [0, 1, 2]])]
    for name, entries in (("train", OPEN_IMAGES), ("val", [dict(OPEN_IMAGES[0], img_fn="00c1")]), ("test", test)):
        (folder / "annotations" / f"vrd-{name}-anno.json").write_text(json.dumps(entries))
    (folder / "annotations" / "categories_dict.json").write_text(json.dumps({"obj": CLASSES, "rel": PREDICATES}))
    return folder


OFFICIAL_HEADER = "ImageID,LabelName1,LabelName2,XMin1,XMax1,YMin1,YMax1,XMin2,XMax2,YMin2,YMax2,RelationshipLabel"


def write_official(folder: Path) -> Path:
    """Open Images' own CSV files: boxes that repeat, an attribute row, sizes from a table."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = (
        "00a1,/m/man,/m/cup,0.1,0.5,0.2,0.9,0.4,0.5,0.5,0.6,holds",
        "00a1,/m/man,/m/table,0.1,0.5,0.2,0.9,0.0,1.0,0.5,1.0,at",
        "00a1,/m/cup,/m/table,0.4,0.5,0.5,0.6,0.0,1.0,0.5,1.0,on",
        "00a1,/m/cup,/m/wooden,0.4,0.5,0.5,0.6,0.4,0.5,0.5,0.6,is",
        "00a2,/m/man,/m/man,0.1,0.5,0.2,0.9,0.6,0.9,0.2,0.9,at",
    )
    (folder / "oidv6-train-annotations-vrd.csv").write_text("\n".join((OFFICIAL_HEADER, *rows)) + "\n")
    (folder / "test-annotations-vrd.csv").write_text(
        "\n".join((OFFICIAL_HEADER, rows[0].replace("00a1", "00b1"))) + "\n"
    )
    (folder / "class-descriptions-boxable.csv").write_text("/m/cup,Cup\n/m/man,Man\n/m/shoe,Shoe\n/m/table,Table\n")
    (folder / "image_sizes.csv").write_text("ImageID,Width,Height\n00a1,100,200\n00a2,50,40\n00b1,100,200\n")
    return folder


def coco(name: str = "x", first: int = 0) -> dict[str, Any]:
    """One part of a COCO-style set; ids of categories and predicates start at 0 and have gaps."""
    return {
        "images": [
            {"id": first + 7, "width": 640, "height": 480, "file_name": f"{name}1.jpg"},
            {"id": first + 3, "width": 64, "height": 48, "file_name": f"{name}2.jpg"},
        ],
        "annotations": [
            {"id": 50, "image_id": first + 7, "category_id": 4, "bbox": [10, 20, 100, 200], "iscrowd": 0},
            {"id": 40, "image_id": first + 3, "category_id": 0, "bbox": [1, 2, 3, 4]},
            {"id": 60, "image_id": first + 7, "category_id": 9, "bbox": [50.5, 60, 1, 10]},
        ],
        "categories": [{"id": 9, "name": "shoe"}, {"id": 0, "name": "cat"}, {"id": 4, "name": "man"}],
        "rel_annotations": [
            {"id": 0, "subject_id": 50, "object_id": 60, "predicate_id": 5, "image_id": first + 7},
            {"id": 1, "subject_id": 60, "object_id": 50, "predicate_id": 2, "image_id": first + 7},
        ],
        "rel_categories": [{"id": 5, "name": "wearing"}, {"id": 2, "name": "of"}],
    }


def write_coco(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("train", "val", "test"):
        (folder / f"{name}_relations.json").write_text(json.dumps(coco(name)))
    return folder


PLAIN: dict[str, Any] = {
    "pictures": [
        {
            "file": "kitchen/1.jpg",
            "width": 640,
            "height": 480,
            "part": "train",
            "entities": [
                {"id": "me", "class": "person", "box": [10, 20, 110, 220]},
                {"class": "cup", "box": [100.5, 50, 120, 70]},
            ],
            "relations": [
                {"subject": "me", "predicate": "holding", "object": 1},
                {"subject": 1, "predicate": "near", "object": 0},
            ],
        },
        {
            "file": "2.jpg",
            "width": 64,
            "height": 48,
            "part": "test",
            "entities": [{"class": "table", "box": [0, 0, 63, 47]}, {"class": "cup", "box": [3, 3, 9, 9]}],
            "relations": [{"subject": 1, "predicate": "on", "object": 0}],
        },
        {"file": "3.jpg", "width": 64, "height": 48, "entities": []},
    ]
}


def write_plain(folder: Path, value: Any = None) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "scenes.json").write_text(json.dumps(PLAIN if value is None else value))
    return folder
