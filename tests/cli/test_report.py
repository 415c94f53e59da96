"""``interplay report`` through the command line."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from interplay.cli import main
from interplay.evaluation.scores import Scores


def test_what_evaluate_wrote_can_be_reported(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    logits = np.random.default_rng(0).normal(size=(12, 3)).astype(np.float32)
    ids = tuple(f"clip {index}" for index in range(12))
    file = Scores(ids, logits, np.arange(12) % 3, ("push", "kick", "hug")).save(tmp_path / "s.npz")
    run, page = tmp_path / "run", tmp_path / "page"
    assert main(["evaluate", "--predictions", str(file), "--out", str(run)]) == 0
    capsys.readouterr()
    assert main(["report", str(run), "--out", str(page)]) == 0
    assert capsys.readouterr().out.strip() == str(page / "index.html")
    html = (page / "index.html").read_text(encoding="utf-8")
    assert "t-SNE of the class scores" in html
    assert "No joint activation: it needs the trained model" in html
    assert (page / "confusion.svg").is_file()


def test_bad_input_is_one_line(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["report", str(tmp_path / "absent")]) == 2
    error = capsys.readouterr().err
    assert error.startswith("interplay: error: ")
    assert "no such folder" in error
    assert error.count("\n") == 1
