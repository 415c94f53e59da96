"""`interplay data …` as a user types it."""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import numpy as np
import pytest

from interplay.cli import main
from interplay.data.clip_cache import ClipCache


@pytest.fixture
def folds(tmp_path: Path) -> Path:
    """Two folds; clip 1 of fold 2 is broken."""
    root = tmp_path / "sbu"
    root.mkdir()
    for fold in (1, 2):
        data = np.zeros((3, 3, 20, 15, 2), np.float32)
        data[:, :, : 9 + fold] = np.random.default_rng(fold).uniform(0.1, 1, (3, 3, 9 + fold, 15, 2))
        data[2, ..., 1] = 0
        if fold == 2:
            data[1, 0, 0, 0, 0] = np.nan
        np.save(root / f"fold{fold}_data.npy", data)
        (root / f"fold{fold}_label.pkl").write_bytes(pickle.dumps([0, 1, 5]))
    return root


def run(capsys: pytest.CaptureFixture[str], *words: str | Path) -> tuple[int, str, str]:
    code = main(["data", *map(str, words)])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def test_check(folds: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(capsys, "check", "sbu", folds, "--data.test_fold", "2")
    assert code == 1
    lines = {line.strip().split("  ")[0]: line for line in out.splitlines()}
    assert [lines[key].split()[-1] for key in ("readable", "unreadable")] == ["5", "1"]
    assert "10 to 11, median 10" in lines["frames per clip"]
    assert lines["bodies per clip"].endswith("1: 2 clips, 2: 3 clips")
    assert lines["part test"].endswith("3 clips")
    assert lines["fold1/0002"].split() == ["fold1/0002", "hugging", "10", "1"]
    assert err.startswith("interplay: unreadable: ")
    assert err.count("\n") == 1
    assert "fold2_data.npy: clip 1: found a value that is not finite" in err


def test_strict_ends_with_one_line(folds: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(capsys, "check", "sbu", folds, "--strict")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert err.startswith("interplay: error: ")


def test_json(folds: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "check", "sbu", folds, "--json", "--data.test_fold=1")
    value = json.loads(out)
    assert code == 1
    assert (value["clips"], value["read"], len(value["bad"])) == (6, 5, 1)
    assert value["parts"] == {"train": 3, "test": 3}
    assert value["bodies"] == {"1": 2, "2": 3}
    assert value["frames"] == {"shortest": 10, "median": 10.0, "mean": 10.4, "longest": 11, "seconds": 3.467}


def test_stats(folds: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "stats", "sbu", folds, "--data.test_fold", "2")
    assert code == 1
    table = out.split("classes\n")[1].splitlines()
    assert table[0].split() == ["class", "clips", "test", "train", "median", "frames"]
    assert table[1].split() == ["approaching", "2", "1", "1", "10.5"]
    assert table[2].split() == ["departing", "1", "0", "1", "10"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["chek", "sbu", "ROOT"], "unknown action 'chek'; did you mean 'check'?"),
        (["check", "sbbu", "ROOT"], "unknown data set 'sbbu'; did you mean 'sbu'?"),
        (["check", "sbu"], "sbu needs a ROOT"),
        (["check"], "expected DATASET and ROOT"),
        (["check", "sbu", "ROOT", "more"], "found 3 arguments"),
        (["check", "sbu", "ROOT", "--data.test_fald", "1"], "--data.test_fald; did you mean 'data.test_fold'?"),
        (["check", "sbu", "ROOT", "--data.test_fold", "x"], "data.test_fold"),
        (["check", "sbu", "ROOT", "--data.test_fold"], "expected a value"),
        (["check", "sbu", "ROOT", "--data.test_fold", "4"], "found folds [1, 2], expected fold 4"),
        (["check", "sbu", "ROOT", "--data.variant", "dirty"], "variant must be 'clean' or 'noisy'"),
        (["check", "sbu", "ROOT", "--stric"], "unknown option --stric; did you mean '--strict'?"),
        (["check", "sbu", "nowhere"], "nowhere: found nothing"),
        (["stats", "sbu", "ROOT", "--out", "x"], "--out is an option of convert"),
        (["convert", "sbu", "ROOT", "--to", "plane", "--out", "x"], "found 'plane'; did you mean 'plain'?"),
        (["convert", "sbu", "ROOT", "--to", "plain"], "found no --out"),
        (["convert", "sbu", "ROOT", "--to", "plain", "--out", "x", "--dtype", "float16"], "--dtype is an option of"),
        (["convert", "sbu", "ROOT", "--to", "cache", "--out", "x", "--dtype", "int8"], "--dtype: found 'int8'"),
        (["convert", "sbu", "ROOT", "--to", "cache", "--out", "x", "--workers", "0"], "--workers: found '0'"),
    ],
)
def test_bad_words_get_one_line(
    folds: Path, capsys: pytest.CaptureFixture[str], words: list[str], message: str
) -> None:
    code, out, err = run(capsys, *[str(folds) if word == "ROOT" else word for word in words])
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert err.startswith("interplay: error: ")
    assert message in err


def test_help(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "--help")
    assert code == 0
    assert "usage: interplay data check|stats|convert" in out
    code, out, _ = run(capsys, "check", "sbu", "--help")
    assert code == 0
    assert "interplay data check|stats|convert sbu ROOT" in out
    assert "--data.test_fold" in out
    assert run(capsys)[0] == 2


def test_convert_to_plain_and_check_that(folds: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "plain"
    code, text, err = run(capsys, "convert", "sbu", folds, "--data.test_fold", "1", "--to", "plain", "--out", out)
    assert (code, text) == (1, f"5 clips of sbu written to {out} as plain\n")
    assert "not finite" in err
    code, text, _ = run(capsys, "check", "plain", out, "--json")
    value = json.loads(text)
    assert (code, value["clips"], value["parts"]) == (0, 5, {"train": 2, "test": 3})
    assert [row["class"] for row in value["classes"]] == ["approaching", "departing", "hugging"]


def test_convert_to_cache(folds: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "cache"
    words = ("convert", "sbu", folds, "--to", "cache", "--out", out, "--dtype", "float32", "--workers", "1", "--json")
    code, text, err = run(capsys, *words)
    assert (code, json.loads(text)["clips"]) == (1, 5)
    assert "not finite" in err
    assert len(ClipCache.open(out)) == 5
    assert run(capsys, *words, "--strict")[0] == 2


def test_a_simulated_set_needs_no_root(capsys: pytest.CaptureFixture[str]) -> None:
    settings = ["--data.train_episodes", "2", "--data.validation_episodes", "0", "--data.test_episodes", "0"]
    code, out, _ = run(capsys, "stats", "playground", *settings, "--json")
    assert code == 0
    assert json.loads(out)["parts"]["train"] == json.loads(out)["clips"] > 10


def test_real_ntu_files_and_split_sizes(shared: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "check", "ntu", shared / "data" / "ntu")
    assert code == 0
    rows = [line.split() for line in out.splitlines()]
    assert ["S001C003P008R002A058", "handshaking", "70", "2"] in rows
    for size, benchmark, part, count in (
        ("60", "xsub", "train", 7319),
        ("60", "xsub", "test", 3028),
        ("60", "xview", "train", 6889),
        ("60", "xview", "test", 3458),
        ("120", "xsub", "train", 13072),
        ("120", "xsub", "test", 11660),
        ("120", "xset", "train", 11864),
        ("120", "xset", "test", 12868),
    ):
        line = [f"ntu{size}_interaction_names.txt:", f"NTU{size}", benchmark, part, str(count), str(count), "yes"]
        assert line in rows
    assert "NO" not in {row[-1] for row in rows if row}


def test_real_assembly101(shared: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "check", "assembly101", shared / "data" / "assembly101", "--json")
    value = json.loads(out)
    assert (code, value["clips"], value["facts"]["actions"], value["facts"]["verb-noun pairs"]) == (0, 5, 1380, 1198)
