"""`interplay data …` on annotated pictures, as a user types it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.data.scene_files import write_open_images, write_plain, write_vg150

from interplay.cli import main


def run(capsys: pytest.CaptureFixture[str], *words: str | Path) -> tuple[int, str, str]:
    code = main(["data", *map(str, words)])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def test_check(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(capsys, "check", "vg", write_vg150(tmp_path), "--data.validation", "1")
    assert (code, err) == (0, "")
    lines = {line.strip().split("  ")[0]: line for line in out.splitlines()}
    assert lines["pictures"].split()[-1] == "10"
    assert "none: annotations only" in lines["files at hand"]
    assert "part train" in lines
    assert "3 pictures, 3 with relations, 7 relations" in lines["part train"]
    assert "2 triplets, 2 relations" in lines["zero-shot"]


def test_bad_pictures_are_listed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write_open_images(tmp_path) / "annotations" / "vrd-train-anno.json"
    path.write_text(path.read_text().replace('"det_labels": [2, 5]', '"det_labels": [2, 50]'))
    code, out, err = run(capsys, "check", "openimages", tmp_path, "--json")
    assert code == 1
    assert err.count("\n") == 1
    assert "picture '00a1': found entity 1: class 51, expected 1 to 6" in err
    value = json.loads(out)
    assert (value["pictures"], value["read"], len(value["bad"])) == (6, 5, 1)
    code, out, err = run(capsys, "check", "openimages", tmp_path, "--strict")
    assert (code, out, err.count("\n")) == (2, "", 1)


def test_stats(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "stats", "vg", write_vg150(tmp_path))
    assert code == 0
    assert out.startswith("parts\n")
    table = out.split("predicates\n")[1].splitlines()
    assert table[0].split() == ["index", "predicate", "train", "validation", "test", "all", "share", "%"]
    assert table[1].split()[1:3] == ["near", "4"]


@pytest.mark.parametrize("form", ["plain", "vg", "openimages"])
def test_convert_and_check_that(tmp_path: Path, capsys: pytest.CaptureFixture[str], form: str) -> None:
    source = write_plain(tmp_path / "mine")
    code, out, _ = run(capsys, "convert", "plain_scenes", source, "--to", form, "--out", tmp_path / "out")
    assert (code, out) == (0, f"2 pictures of plain_scenes written to {tmp_path / 'out'} as {form}\n")
    reader = {"plain": "plain_scenes"}.get(form, form)
    code, out, _ = run(capsys, "check", reader, tmp_path / "out", "--json")
    assert code == 0
    assert json.loads(out)["read"] == 2


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["convert", "plain_scenes", "ROOT", "--to", "cache", "--out", "x"], "expected plain, vg, openimages"),
        (["convert", "plain_scenes", "ROOT", "--to", "vg"], "found no --out"),
        (
            ["convert", "plain_scenes", "ROOT", "--to", "vg", "--out", "x", "--pictures", "some"],
            "expected copy or none",
        ),
        (["convert", "plain_scenes", "ROOT", "--to", "vg", "--out", "x", "--dtype", "int8"], "--dtype is an option of"),
        (["check", "plain_scenes", "nowhere"], "no such file"),
        (["check", "vg", "ROOT"], "VG-SGG.h5"),
        (["check", "plain_scenes", "ROOT", "--data.test_fraction", "2"], "expected a number between 0 and 1"),
    ],
)
def test_bad_words_get_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], message: str
) -> None:
    root = write_plain(tmp_path / "mine")
    code, out, err = run(capsys, *[str(root) if word == "ROOT" else word for word in words])
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert err.startswith("interplay: error: ")
    assert message in err
