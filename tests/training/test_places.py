"""What of a data section travels with a model, and what comes back at another place."""

from __future__ import annotations

from pathlib import Path

import pytest

from interplay.training.places import data_at, data_without_places, place_keys


def test_paths_are_found_by_the_signatures() -> None:
    lists = {"videos", "labels", "train", "validation", "test", "proposals", "boxes"}
    assert place_keys("something_v2") == {"root", *lists}
    assert place_keys("video_folder") == {"root", "sources", "proposals"}
    assert "missing_list" in place_keys("ntu60")
    assert place_keys("playground_videos") == {"root"}
    assert place_keys("one of somebody else's") == {"root"}


def test_only_what_lies_in_the_data_set_s_folder_travels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root, other = tmp_path / "data", tmp_path / "other"
    for folder in (root / "boxes", other / "boxes", tmp_path / "elsewhere"):
        folder.mkdir(parents=True)
    (root / "own.txt").touch()
    section = {
        "name": "something_v2",
        "root": str(root),
        "proposals": str(root / "boxes"),
        "validation": "own.txt",  # such a list is looked for in the root
        "train": str(tmp_path / "elsewhere" / "train.txt"),
        "labels": "../elsewhere",
        "videos": None,
        "boxes_height": 240,
    }
    saved = data_without_places(section)
    expected = {"name": "something_v2", "proposals": "boxes", "validation": "own.txt"}
    assert saved == {**expected, "videos": None, "boxes_height": 240}
    assert str(tmp_path) not in repr(saved)
    moved = data_at(saved, other)
    assert moved == {"name": "something_v2", "proposals": str(other / "boxes"), "videos": None, "boxes_height": 240}
    # As older models were saved: a place on this machine says nothing about another data set.
    assert data_at({**section, "name": "something_v2"}, other)["boxes_height"] == 240
    assert "proposals" not in data_at({**section, "name": "something_v2"}, other)
    monkeypatch.chdir(tmp_path)
    near = {"name": "video_folder", "root": "data", "proposals": "data/boxes", "sources": "elsewhere/list.txt"}
    assert data_without_places(near) == {"name": "video_folder", "proposals": "boxes"}
    assert data_at({"name": "video_folder", "proposals": "elsewhere"}, "data") == {"name": "video_folder"}
    one_file = {"name": "plain_videos", "root": str(root / "own.txt"), "proposals": str(root / "boxes")}
    assert data_without_places(one_file) == {"name": "plain_videos", "proposals": "boxes"}


def test_the_name_of_a_layout_is_no_place() -> None:
    section = {"name": "plain", "root": "/data", "layout": "coco17"}
    assert data_without_places(section) == {"name": "plain", "layout": "coco17"}
    assert data_at(section, "/other") == {"name": "plain", "layout": "coco17"}
    assert data_without_places({**section, "layout": "/home/me/mine.yaml"}) == {"name": "plain"}
