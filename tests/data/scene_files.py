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
