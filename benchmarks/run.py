"""Run the benchmarks: a JSON row per measurement, kept in ``benchmarks/results.csv``.

``python benchmarks/run.py``            measure and append
``python benchmarks/run.py --check``    measure and compare the ratios with the last stored rows instead
``python benchmarks/run.py --only network start``
``python benchmarks/run.py --only scene_heads --parts 'sil/*' memory/kern``   measurements of a suite by name
``python benchmarks/run.py --profile training fp32``   where a step's time goes

A suite is a module here with a function ``rows()`` that yields :class:`benchmarks.row.Row` or mappings with ``name``,
``value``, ``unit`` (and ``ratio``): network, start, reader, latency, evaluator, decode, agos, scene_heads. One whose
``rows`` takes ``parts`` can be measured in parts; scene_heads as a whole takes about an hour and 12 GB.
"""

from __future__ import annotations

import argparse
import importlib
import inspect
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import torch
from benchmarks.row import TABLE, Row, append, deviations, full, show, stored

SUITES = ("network", "start", "reader", "latency", "evaluator", "decode", "agos", "scene_heads")
QUICK = tuple(name for name in SUITES if name != "scene_heads")
"""What runs unless suites are named: full-size scene-graph models take an hour."""


def as_row(suite: str, made: Row | Mapping[str, Any]) -> Row:
    """A suite's measurement as a :class:`Row`."""
    if isinstance(made, Row):
        return made
    ratio = made.get("ratio", made["value"] if made["unit"] == "ratio" else None)
    benchmark = str(made.get("benchmark", suite))
    return Row(
        benchmark,
        str(made.get("setting", made["name"])).removeprefix(f"{suite}: "),
        float(made["value"]),
        str(made["unit"]),
        ratio,
    )


def measured(suites: list[str], parts: list[str]) -> Iterator[Row]:
    for suite in suites:
        if not (Path(__file__).parent / f"{suite}.py").exists():
            print(f"no benchmark {suite!r} here, left out", file=sys.stderr)
            continue
        rows = importlib.import_module(f"benchmarks.{suite}").rows
        selects = "parts" in inspect.signature(rows).parameters
        for made in rows(parts) if selects else rows():
            yield as_row(suite, made)


def profile(kind: str, precision: str) -> None:
    """Operations of one call by their own time."""
    from benchmarks import network
    from torch.profiler import ProfilerActivity
    from torch.profiler import profile as record

    network.keep_freed_memory()
    call = getattr(network, kind)(torch.device("cpu"), precision, 16)
    call()
    call()
    with record(activities=[ProfilerActivity.CPU]) as recorded:
        call()
    print(recorded.key_averages().table(sort_by="self_cpu_time_total", row_limit=25, max_name_column_width=40))


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="compare with the stored rows; nothing is stored")
    parser.add_argument("--tolerance", type=float, default=0.2, help="of --check, relative (default: %(default)s)")
    parser.add_argument("--only", nargs="+", choices=SUITES, default=list(QUICK), metavar="SUITE")
    parser.add_argument("--parts", nargs="+", default=[], metavar="PATTERN", help="of suites that have named parts")
    parser.add_argument("--threads", type=int, default=2, help="of PyTorch (default: %(default)s)")
    parser.add_argument("--profile", nargs=2, metavar=("inference|training", "fp32|bf16"))
    parser.add_argument("--out", type=Path, default=TABLE, help="table (default: benchmarks/results.csv)")
    options = parser.parse_args(arguments)
    torch.set_num_threads(options.threads)
    if options.profile:
        profile(*options.profile)
        return 0
    last = stored(options.out)
    rows = []
    for row in measured(options.only, options.parts):
        rows.append(full(row))
        show(rows[-1])
        if not options.check:  # at once: what was measured is kept where a later one is interrupted
            append(rows[-1:], options.out)
    if not options.check:
        return 0
    lines = deviations(rows, last, options.tolerance)
    for line in lines:
        print(f"further than {options.tolerance:.0%} from the stored ratio: {line}", file=sys.stderr)
    return 1 if lines else 0


if __name__ == "__main__":
    sys.exit(main())
