"""The table of measurements: nothing measured is lost, and ratios are compared with the stored ones."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from benchmarks import run
from benchmarks.row import Row, stored


@pytest.fixture
def table(tmp_path: Path) -> Path:
    return tmp_path / "results.csv"


def measure(monkeypatch: pytest.MonkeyPatch, rows: Iterator[Row], *arguments: str) -> int:
    monkeypatch.setattr(run, "measured", lambda suites, parts: rows)
    monkeypatch.setattr(run.torch, "set_num_threads", lambda threads: None)
    return run.main(["--only", "start", *arguments])


def test_rows_measured_before_an_interruption_are_kept(monkeypatch: pytest.MonkeyPatch, table: Path) -> None:
    def rows() -> Iterator[Row]:
        yield Row("start", "import", 1.5, "s", 0.5)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        measure(monkeypatch, rows(), "--out", str(table))
    (kept,) = stored(table).values()
    assert (kept["setting"], kept["value"], kept["ratio"]) == ("import", "1.5", "0.5")


def test_a_check_stores_nothing_and_names_what_has_moved(
    monkeypatch: pytest.MonkeyPatch, table: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first = [Row("start", "import", 1.5, "s", 0.5), Row("start", "help", 1.0, "s", 1.0)]
    assert measure(monkeypatch, iter(first), "--out", str(table)) == 0
    before = table.read_bytes()
    now = [Row("start", "import", 9.0, "s", 0.65), Row("start", "help", 9.0, "s", 1.1)]
    assert measure(monkeypatch, iter(now), "--check", "--out", str(table)) == 1
    assert table.read_bytes() == before
    said = capsys.readouterr().err
    assert "import" in said
    assert "help" not in said
