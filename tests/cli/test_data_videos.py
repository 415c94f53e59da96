"""`interplay data …` of videos as a user types it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from tests.data.video_clips import encode, moving, write_frames

from interplay.cli import main
from interplay.data.datasets import open_videos
from interplay.data.plain_videos import PlainVideos
from interplay.data.proposals import ProposalStore
from interplay.data.something import SomethingV2
from interplay.data.video_summary import VideoSummary, published_counts


@pytest.fixture
def clips(tmp_path: Path) -> Path:
    """Two classes of three clips each; one video is empty, one frame of another is broken."""
    root = tmp_path / "clips"
    for name in ("push", "pull left"):
        (root / name).mkdir(parents=True)
        encode(root / name / "a.mp4", moving(4, 32, 16), "mpeg4")
        write_frames(root / name / "b", moving(5, 32, 16), "{:03d}.png")
    (root / "push" / "b" / "005.png").write_bytes(b"")
    encode(root / "pull left" / "c.gif", moving(3, 16, 16), "gif", "rgb8")
    (root / "push" / "c.mp4").write_bytes(b"")
    return root


def run(capsys: pytest.CaptureFixture[str], *words: str | Path) -> tuple[int, str, str]:
    code = main(["data", *map(str, words)])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def test_check(clips: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(capsys, "check", "video_folder", clips)
    assert code == 1
    lines = {line.strip().split("  ")[0]: line for line in out.splitlines()}
    assert [lines[key].split()[-1] for key in ("readable", "unreadable")] == ["5", "1"]
    assert "1 (first, middle and last frame" in lines["with broken frames"]
    assert "3 to 5, median 4" in lines["frames per clip"]
    assert lines["push/b"].split() in (["push/b", "4"], ["push/b", "push", "5", "32", "x", "16"])
    assert "frames that do not decode" in out
    assert err.splitlines() == [
        f"interplay: unreadable: {clips}/push/c.mp4: found an empty file, expected a video "
        "that decodes (mp4, webm, avi, gif, …)"
    ]
    code, out, err = run(capsys, "check", "video_folder", clips, "--strict")
    assert (code, out, err.count("\n")) == (2, "", 1)
    code, out, _ = run(capsys, "check", "video_folder", clips, "--every-frame", "--json")
    value = json.loads(out)
    assert (code, value["read"], value["broken_frames"], len(value["bad"])) == (1, 5, {"push/b": [4]}, 1)
    assert value["sizes"] == {"32 x 16": 4, "16 x 16": 1}
    assert value["groups"] == 6


def test_stats(clips: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (clips / "push" / "c.mp4").unlink()
    code, out, err = run(capsys, "stats", "video_folder", clips, "--data.folds", "1")
    assert (code, err) == (0, "")
    rows = [line.split() for line in out.splitlines()]
    assert ["0", "pull", "left", "3", "0", "0", "3", "4"] in rows
    assert ["1", "push", "2", "0", "0", "2", "4.5"] in rows
    assert run(capsys, "stats", "sbu", clips, "--every-frame")[0] == 2


@pytest.mark.parametrize("form", ["plain", "frames"])
def test_convert_to_own_clips(clips: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], form: str) -> None:
    words = ("convert", "video_folder", clips, "--data.folds", "2", "--to", form, "--out", tmp_path / "out")
    for _ in range(2):  # again over what is there
        code, out, err = run(capsys, *words)
        assert (code, err.count("\n")) == (1, 1)
        assert out.startswith("5 clips of video_folder written to")
    before, after = open_videos("video_folder", clips, folds=2), PlainVideos(tmp_path / "out")
    assert after.classes == before.classes
    assert after.unflippable == before.unflippable == {0}
    assert list(after.ids) == [id for id in before.ids if id != "push/c"]
    parts = before.parts()
    for index, id in enumerate(after.ids):
        other = list(before.ids).index(id)
        assert index in after.parts()["test" if other in parts["test"] else "train"]
        one, two = before.read(other), after.read(index)
        assert one.label == two.label
        frames = [clip.source.read(range(clip.source.frame_count)).astype(int) for clip in (one, two)]
        assert frames[0].shape == frames[1].shape
        if form == "plain":
            assert np.array_equal(*frames)
        else:  # JPEGs keep half the resolution of colours, which noise has a lot of
            assert np.abs((frames[0] - frames[1]) @ [0.299, 0.587, 0.114]).mean() < 6
    assert not list((tmp_path / "out").rglob("*.part"))


def test_convert_to_lists_and_proposals(clips: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    boxes = tmp_path / "boxes.json"
    boxes.write_text(json.dumps({"push/a": [[[0, 0, 0.5, 0.5]]], "push/b": [[[0, 0, 1, 0.5]]] * 5}))
    (clips / "push" / "c.mp4").unlink()
    given = ("convert", "video_folder", clips, "--data.folds", "2", "--data.proposals", boxes)
    code, out, _ = run(capsys, *given, "--to", "proposals", "--out", tmp_path / "store", "--json")
    assert (code, json.loads(out)["clips"]) == (0, 2)
    store = ProposalStore(tmp_path / "store")
    assert (store.kind, store["push/b"].rows, len(store)) == ("file", 5, 2)
    dataset = open_videos("video_folder", clips, folds=2, proposals=tmp_path / "store")
    assert sum(dataset.read(index).proposals is not None for index in range(5)) == 2
    for file in (clips / "pull left").iterdir():
        file.rename(file.with_name(f"left_{file.name}"))
    (clips / "pull left").rename(clips / "pull_left")
    assert (
        run(capsys, "convert", "video_folder", clips, "--data.folds", "2", "--to", "lists", "--out", tmp_path)[0] == 0
    )
    lines = [(tmp_path / f"{part}.txt").read_text().splitlines() for part in ("train", "test")]
    assert sorted(lines[0] + lines[1]) == [
        "pull_left/left_a 4 0", "pull_left/left_b 5 0", "pull_left/left_c 3 0", "push/a 4 1", "push/b 5 1"
    ]  # fmt: skip
    assert (tmp_path / "labels.txt").read_text() == "pull_left\npush\n"


def test_options_that_do_not_fit(clips: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for words, message in (
        (("--to", "cache", "--out", "x"), "expected frames, plain, lists, proposals"),
        (("--to", "frames"), "found no --out"),
        (("--to", "frames", "--out", "x", "--pictures", "copy"), "an option of annotated pictures"),
        (("--to", "proposals", "--out", str(tmp_path / "x")), "expected --data.proposals or --data.boxes"),
        (("--data.folds", "9", "--to", "lists", "--out", "x"), "expected at least as many as folds"),
    ):
        code, out, err = run(capsys, "convert", "video_folder", clips, *words)
        assert (code, out) == (2, "")
        assert message in err


def test_a_missing_video_is_said_at_the_end(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "labels.json").write_text(json.dumps({"Throwing something": "0"}))
    (tmp_path / "val.txt").write_text("".join(f"{id} 3 0\n" for id in range(1, 61)))
    write_frames(tmp_path / "frames" / "7", 4)
    code, out, err = run(capsys, "stats", "something_v2", tmp_path)
    assert code == 1
    assert "some of the clips only" in out
    lines = err.splitlines()
    assert len(lines) == 51
    assert "clip 1: found no video" in lines[0]
    assert lines[-1] == "interplay: unreadable: and 9 more (--json lists all)"
    code, out, _ = run(capsys, "check", "something_v2", tmp_path)
    assert ["7", "3", "4"] in [line.split() for line in out.splitlines()]  # another length than listed
    assert run(capsys, "check", "something_v2", tmp_path, "--strict")[0] == 2


def test_official_counts() -> None:
    classes = tuple(str(number) for number in range(174))
    parts = {"train": 86_017, "validation": 11_522, "test": 11_522, "withheld": 10_960}
    summary = VideoSummary("something_v1", classes, "none", 108_499, parts)
    rows = {row.what: row for row in published_counts(summary)}
    assert [row.agrees for row in rows.values()] == [True, True, True, True, False]
    assert rows["videos at hand"].published == 108_499
    assert published_counts(VideoSummary("plain_videos", classes, "none", 5, parts)) == []


def test_real_clips(shared: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = shared / "data" / "something" / "v2"
    code, out, err = run(
        capsys, "check", "something_v2", root, "--data.validation", "clips.txt", "--data.boxes", "boxes.json"
    )
    assert (code, err) == (0, "")
    assert "annotated, of 8 clips" in out
    assert "33 to 64, median 44.5" in out
    assert SomethingV2(root).proposals_kind == "none"
