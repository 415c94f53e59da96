"""Annotated pictures written in the layouts that the readers know: Visual Genome's, Open Images', the plain JSON.

A written set reads back with the same parts, names, entities and relations; what the layout cannot hold is said at each
writer. Pictures that are in no part are left out (open the data set with ``with_relations`` off to keep those without a
relation).
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from interplay.data.errors import DataError
from interplay.data.picture_folder import SUFFIXES
from interplay.data.scenes import SceneDataset, SceneImage
from interplay.data.visual_genome import SPLIT_IS_WHOLE
from interplay.errors import InterplayError

JPEG_QUALITY = 95
SCALES = (1024, 512)


@dataclass(frozen=True, eq=False)
class _Written:
    """A picture on its way out: its part and the name of its file."""

    scene: SceneImage
    part: str
    name: str
    suffix: str


def _scenes(
    dataset: SceneDataset,
    folder: Path,
    pictures: bool,
    strict: bool,
    indices: Iterable[int] | None,
    bad: list[str],
) -> Iterator[_Written]:
    """Every picture of a part, its file already written to ``folder`` where it has one."""
    part_of = {int(index): part for part, chosen in dataset.parts().items() for index in chosen}
    seen: set[str] = set()
    for index in range(len(dataset)) if indices is None else indices:
        if index not in part_of:
            continue
        try:
            scene = dataset.read(index)
        except DataError as error:
            if strict:
                raise
            bad.append(str(error))
            continue
        name = scene.id
        if Path(name).suffix.lower() in SUFFIXES:
            name = str(Path(name).with_suffix(""))
        name = name.replace("/", "_").replace("\\", "_")
        if name in seen or name in ("", ".", ".."):
            raise InterplayError(f"{dataset.name}: found the name {name!r} of two pictures, expected each once")
        seen.add(name)
        suffix = _write_picture(scene, folder / name) if pictures else ".jpg"
        yield _Written(scene, part_of[index], name, suffix)


def _write_picture(scene: SceneImage, target: Path) -> str:
    """Copy the picture as it is, or encode one that is made on demand; returns its suffix."""
    target.parent.mkdir(parents=True, exist_ok=True)
    if scene.file is not None:
        suffix = scene.file.suffix.lower()
        shutil.copyfile(scene.file, target.with_name(target.name + suffix))
        return suffix
    try:
        pixels = scene.pixels()
    except DataError:
        return ".jpg"  # annotations only
    Image.fromarray(pixels).save(target.with_name(target.name + ".jpg"), quality=JPEG_QUALITY, subsampling=0)
    return ".jpg"


def write_visual_genome(
    dataset: SceneDataset,
    folder: str | Path,
    pictures: bool = True,
    strict: bool = False,
    indices: Iterable[int] | None = None,
) -> tuple[int, list[str]]:
    """Write ``VG-SGG.h5``, ``VG-SGG-dicts.json``, ``image_data.json``, ``zeroshot_triplet.npy`` and ``VG_100K/``.

    Boxes become whole numbers at a scale of 1024 for the longer side, encoded so that the reference's decoding (which
    truncates) returns exactly these: a coordinate moves by at most side / 2048 pixels. Validation pictures are marked
    by a split of 1, which the original files never have.

    Returns:
        How many pictures were written, and a line for each that could not be read.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    bad: list[str] = []
    splits, entries, per_box, per_relation = [], [], [], []
    boxes: dict[int, list[NDArray[np.int32]]] = {scale: [] for scale in SCALES}
    labels: list[NDArray[np.int32]] = []
    ends: list[NDArray[np.int32]] = []
    predicates: list[NDArray[np.int32]] = []
    total = 0
    for written in _scenes(dataset, folder / "VG_100K", pictures, strict, indices, bad):
        scene = written.scene
        splits.append({"train": 0, "validation": 1, "test": 2}[written.part])
        entries.append({"image_id": written.name, "width": scene.width, "height": scene.height})
        for scale in SCALES:
            boxes[scale].append(encode_boxes(scene.boxes, scale / max(scene.width, scene.height)))
        labels.append(scene.labels.astype(np.int32))
        ends.append((scene.relations[:, :2] + total).astype(np.int32))
        predicates.append(scene.relations[:, 2].astype(np.int32))
        per_box.append(len(scene.labels))
        per_relation.append(len(scene.relations))
        total += len(scene.labels)
    if not splits:
        raise InterplayError(f"{dataset.name}: found no picture to write, expected at least one that can be read")
    with h5py.File(folder / "VG-SGG.h5", "w") as file:
        file.attrs[SPLIT_IS_WHOLE] = 1
        file["split"] = np.array(splits, np.int32)
        for what, counts in (("box", per_box), ("rel", per_relation)):
            amounts = np.array(counts, np.int64)
            first = np.cumsum(amounts) - amounts
            file[f"img_to_first_{what}"] = np.where(amounts > 0, first, -1).astype(np.int32)
            file[f"img_to_last_{what}"] = np.where(amounts > 0, first + amounts - 1, -1).astype(np.int32)
        for scale in SCALES:
            file[f"boxes_{scale}"] = np.concatenate([np.zeros((0, 4), np.int32), *boxes[scale]])
        file["labels"] = np.concatenate([np.zeros(0, np.int32), *labels])[:, None]
        file["relationships"] = np.concatenate([np.zeros((0, 2), np.int32), *ends])
        file["predicates"] = np.concatenate([np.zeros(0, np.int32), *predicates])[:, None]
    names: dict[str, Any] = {}
    for key, found in (("label", dataset.vocabulary.classes), ("predicate", dataset.vocabulary.predicates)):
        names[f"{key}_to_idx"] = {name: number for number, name in enumerate(found) if number}
        names[f"idx_to_{key}"] = {str(number): name for number, name in enumerate(found) if number}
    _write_json(folder / "VG-SGG-dicts.json", names)
    _write_json(folder / "image_data.json", entries)
    if dataset.zero_shot is not None:
        np.save(folder / "zeroshot_triplet.npy", dataset.zero_shot)
    return len(splits), bad


def encode_boxes(corners: NDArray[np.float32], scale: float) -> NDArray[np.int32]:
    """(N, 4) x1, y1, x2, y2 → whole cx, cy, w, h whose decoding x1 = trunc(cx − w/2), x2 = x1 + w is the rounded box.

    Coordinates below 0 become 0, widths and heights below 1 become 1.
    """
    scaled = np.rint(np.maximum(corners.astype(np.float64), 0) * scale).astype(np.int64)
    size = np.maximum(scaled[:, 2:] - scaled[:, :2], 1)
    return np.concatenate([scaled[:, :2] + (size + 1) // 2, size], axis=1).astype(np.int32)


def write_open_images(
    dataset: SceneDataset,
    folder: str | Path,
    pictures: bool = True,
    strict: bool = False,
    indices: Iterable[int] | None = None,
) -> tuple[int, list[str]]:
    """Write ``annotations/vrd-{train,val,test}-anno.json``, ``annotations/categories_dict.json`` and ``images/``.

    Boxes are written as they are. The layout has no place for a zero-shot list: the reader computes it.
    """
    from interplay.data.open_images import ANNOTATIONS, CATEGORIES

    folder = Path(folder)
    bad: list[str] = []
    parts: dict[str, list[dict[str, Any]]] = {part: [] for part in ANNOTATIONS}
    for written in _scenes(dataset, folder / "images", pictures, strict, indices, bad):
        scene = written.scene
        parts[written.part].append(
            {
                "img_fn": written.name,
                "img_size": [scene.width, scene.height],
                "bbox": scene.boxes.astype(np.float64).tolist(),
                "det_labels": (scene.labels - 1).tolist(),
                "rel": (scene.relations - np.array([0, 0, 1])).tolist(),
            }
        )
    (folder / "annotations").mkdir(parents=True, exist_ok=True)
    for part, name in ANNOTATIONS.items():
        _write_json(folder / "annotations" / name, parts[part])
    names = {"obj": dataset.vocabulary.classes[1:], "rel": dataset.vocabulary.predicates[1:]}
    _write_json(folder / "annotations" / CATEGORIES, names)
    return sum(len(entries) for entries in parts.values()), bad


def write_plain_scenes(
    dataset: SceneDataset,
    folder: str | Path,
    pictures: bool = True,
    strict: bool = False,
    indices: Iterable[int] | None = None,
) -> tuple[int, list[str]]:
    """Write ``scenes.json`` and ``pictures/``: the format of one's own pictures."""
    from interplay.data.plain_scenes import FILE

    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    bad: list[str] = []
    classes, predicates = dataset.vocabulary.classes, dataset.vocabulary.predicates
    entries = []
    for written in _scenes(dataset, folder / "pictures", pictures, strict, indices, bad):
        scene = written.scene
        boxes = scene.boxes.astype(np.float64).tolist()
        entries.append(
            {
                "file": f"pictures/{written.name}{written.suffix}",
                "width": scene.width,
                "height": scene.height,
                "part": written.part,
                "entities": [
                    {"class": classes[label], "box": box}
                    for label, box in zip(scene.labels.tolist(), boxes, strict=True)
                ],
                "relations": [
                    {"subject": subject, "predicate": predicates[predicate], "object": other}
                    for subject, other, predicate in scene.relations.tolist()
                ],
            }
        )
    _write_json(folder / FILE, {"classes": classes[1:], "predicates": predicates[1:], "pictures": entries})
    return len(entries), bad


def _write_json(path: Path, value: object) -> None:
    path.write_text(json.dumps(value, ensure_ascii=False, allow_nan=False), encoding="utf-8")


WRITERS: dict[str, Callable[..., tuple[int, list[str]]]] = {
    "plain": write_plain_scenes,
    "vg": write_visual_genome,
    "openimages": write_open_images,
}
"""What ``interplay data convert --to`` offers for annotated pictures."""
