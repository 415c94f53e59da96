"""One measurement, and the table that measurements are kept in."""

from __future__ import annotations

import csv
import datetime
import json
import platform
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

TABLE = Path(__file__).parent / "results.csv"
COLUMNS = ("date", "commit", "machine", "torch", "device", "benchmark", "setting", "value", "unit", "ratio")


@dataclass(frozen=True)
class Row:
    """A measurement.

    Args:
        benchmark: what was measured ("inference").
        setting: how ("fp32, batch 32").
        value: the number.
        unit: of the number.
        ratio: the same as a number that carries over to other machines (to the fp32 GEMM rate, to a plain reader, …);
            None where there is none. ``run.py --check`` compares the ratios.
        device: "cpu" or the name of the accelerator.
    """

    benchmark: str
    setting: str
    value: float
    unit: str
    ratio: float | None = None
    device: str = "cpu"


def machine() -> str:
    """Processor model and number of cores; nothing that names the host."""
    import os

    model = platform.processor() or platform.machine()
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                model = line.split(":", 1)[1].strip()
                break
    except OSError:
        pass
    return f"{model}, {os.cpu_count()} cores"


def commit() -> str:
    """Short hash of the checkout, with a plus where it has changes; "unknown" outside one."""
    folder = Path(__file__).parent

    def git(*words: str) -> str:
        return subprocess.run(["git", *words], cwd=folder, capture_output=True, text=True, check=True).stdout.strip()

    try:
        changed = git("status", "--porcelain", "--untracked-files=no", "--", "../src")
        return git("rev-parse", "--short", "HEAD") + ("+" if changed else "")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def full(row: Row) -> dict[str, str]:
    """The row with date, commit, machine and versions, as text."""
    import torch

    values = {key: "" if value is None else value for key, value in asdict(row).items()}
    values |= {
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "commit": commit(),
        "machine": machine(),
        "torch": torch.__version__,
    }
    return {key: f"{values[key]:.6g}" if isinstance(values[key], float) else str(values[key]) for key in COLUMNS}


Key = tuple[str, str, str, str]


def key(row: Mapping[str, str]) -> Key:
    """What makes two rows the same measurement."""
    return row["device"], row["benchmark"], row["setting"], row["unit"]


def show(row: Mapping[str, str]) -> None:
    print(json.dumps(row, ensure_ascii=False), flush=True)


def append(rows: Iterable[Mapping[str, str]], table: Path = TABLE) -> None:
    """Add rows to the table."""
    new = not table.exists()
    with table.open("a", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        if new:
            writer.writeheader()
        writer.writerows(rows)


def stored(table: Path = TABLE) -> dict[Key, dict[str, str]]:
    """The last stored row of each (device, benchmark, setting)."""
    if not table.exists():
        return {}
    with table.open(newline="", encoding="utf-8") as file:
        return {key(row): row for row in csv.DictReader(file)}


def deviations(rows: Iterable[Mapping[str, str]], last: Mapping[Key, Mapping[str, str]], tolerance: float) -> list[str]:
    """One line for each ratio that is further than ``tolerance`` (relative) from the stored one."""
    lines = []
    for row in rows:
        before = last.get(key(row))
        if before is None or not row["ratio"] or not before["ratio"]:
            continue
        now, then = float(row["ratio"]), float(before["ratio"])
        if abs(now - then) > tolerance * abs(then):
            what = f"{row['benchmark']} ({row['setting']}, {row['device']})"
            lines.append(f"{what}: ratio {now:.3g}, stored {then:.3g} ({before['date']}, {before['machine']})")
    return lines
