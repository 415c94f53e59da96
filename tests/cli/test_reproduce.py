from __future__ import annotations

import pytest

from interplay.cli import main
from interplay.cli.reproduce import _rows


def test_names_of_rows_may_hold_commas() -> None:
    assert _rows("Ours, Late Fusion") == ["Ours", "Late Fusion"]
    assert _rows("Early Fusion, channels; Ours") == ["Early Fusion, channels", "Ours"]


def test_unknown_rows_and_studies_are_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["reproduce", "megcn.table8", "--data", "playground", "--rows", "Theirs"]) == 2
    assert main(["reproduce", "megcn.table99"]) == 2
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 2
    assert "Theirs" in lines[0]
    assert "table99" in lines[1]
