"""Figures of a set of annotated pictures, and what is published beside them."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.data.scene_files import PICTURES, write_vg150, write_vrd

from interplay.data.datasets import open_scenes
from interplay.data.errors import DataError
from interplay.data.scene_summary import PartFigures, Published, SceneSummary, published_figures, summarise_scenes


def test_counts(tmp_path: Path) -> None:
    summary = summarise_scenes(open_scenes("vg", write_vg150(tmp_path), validation=1))
    every = summary.part("all")
    assert (every.pictures, every.entities, every.relations) == (
        len(PICTURES),
        sum(len(entities) for _, entities, _ in PICTURES),
        sum(len(rows) for _, _, rows in PICTURES),
    )
    assert (every.most_entities, every.most_relations) == (3, 3)
    assert [part.part for part in summary.parts] == ["train", "validation", "test", "all"]
    train = summary.part("train")  # pictures 3, 7 and 10
    assert (train.pictures, train.entities, train.relations, train.entities_each) == (3, 7, 7, 2.33)
    men = {row["class"]: row for row in summary.table("classes")}["man"]
    assert (men["train"], men["validation"], men["test"], men["all"]) == (2, 1, 1, 5)
    assert "street sign" in {row["class"] for row in summary.table("classes")}
    near = {row["predicate"]: row for row in summary.table("predicates")}["near"]
    assert (near["train"], near["all"]) == (3, 4)
    assert (summary.zero_shot_triplets, summary.zero_shot_relations) == (2, 2)
    assert summary.published == []  # another vocabulary than VG150's
    assert summary.pictures_found == 0


def test_bad_pictures(tmp_path: Path) -> None:
    root = write_vrd(tmp_path)
    path = root / "annotations_train.json"
    path.write_text(path.read_text().replace('"predicate": 3', '"predicate": 30', 1))
    dataset = open_scenes("vrd", root)
    summary = summarise_scenes(dataset)
    assert len(summary.bad) == 1
    assert summary.part("all").pictures == 5
    assert summary.to_dict()["read"] == 5
    with pytest.raises(DataError, match="predicate 31"):
        summarise_scenes(dataset, strict=True)


def test_published_figures_of_whole_sets_only() -> None:
    classes, predicates = tuple(str(i) for i in range(151)), tuple(str(i) for i in range(51))
    summary = SceneSummary("vg", classes, predicates, 108_073, zero_shot_triplets=5_971)
    sizes = {"train": 57_723, "validation": 5_000, "test": 26_447}
    summary.parts = [PartFigures(part, size, size, 0, 0, 0, 0) for part, size in sizes.items()]
    summary.parts.append(PartFigures("all", 100, 90, 1060, 576, 60, 40))
    rows = {row.what: row for row in published_figures(summary)}
    assert rows["train"].agrees
    assert rows["train"].why == ""
    assert not rows["test"].agrees
    assert not rows["entities a picture"].agrees
    assert "released" in rows["entities a picture"].why
    assert "corrupted" in rows["pictures"].why
    summary.total = 500
    assert published_figures(summary) == []


def test_rounded_figures_agree() -> None:
    assert Published("entities a picture", 4.13, 4.1, "paper").agrees
    assert not Published("entities a picture", 4.2, 4.1, "paper").agrees
    assert not Published("train", 126_369, 126_368, "paper").agrees


def test_vrd(shared: Path) -> None:
    summary = summarise_scenes(open_scenes("vrd", shared / "data" / "vrd"))
    assert summary.bad == []
    assert len(summary.published) == 7
    assert all(row.agrees for row in summary.published), summary.published
