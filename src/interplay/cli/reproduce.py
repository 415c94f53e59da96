"""``interplay reproduce PAPER.TABLE``: the paper's rows on the data given, beside the paper's numbers."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from interplay.errors import InterplayError


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        prog="interplay reproduce",
        description="Run the rows of a paper's table or figure. Any --section.key value of a recipe applies to every "
        "row (--data.root DIR, --training.epochs N).",
        allow_abbrev=False,
    )
    made.add_argument("study", help="megcn.table1 … megcn.table8, megcn.fig3 … megcn.fig6")
    made.add_argument("--data", help="run on this data set instead of the paper's (playground needs no files)")
    made.add_argument("--seeds", default="1,2,3", help="seeds of the runs, separated by commas (1,2,3)")
    made.add_argument("--rows", help="only these rows, separated by commas")
    made.add_argument("--out", type=Path, default=Path("runs/reproduce"), help="folder (runs/reproduce)")
    made.add_argument("--quiet", action="store_true", help="no progress")
    return made


def main(argv: list[str]) -> int:
    arguments, overrides = parser().parse_known_args(argv)
    try:
        seeds = tuple(int(seed) for seed in arguments.seeds.split(","))
    except ValueError:
        raise InterplayError(f"--seeds: found {arguments.seeds!r}, expected integers separated by commas") from None

    from interplay.studies.reproduce import find_study, reproduce

    study = find_study(arguments.study)
    data = arguments.data or study.data
    needs_files = data not in ("playground", "hands")
    if needs_files and not any(word.split("=")[0] == "--data.root" for word in overrides):
        raise InterplayError(
            f"{arguments.study}: the data set {data} needs its files (--data.root DIR); "
            f"without them the simulator serves: --data {'hands' if data == 'assembly101' else 'playground'}"
        )
    rows = None if arguments.rows is None else [row.strip() for row in arguments.rows.split(",")]
    found = reproduce(
        arguments.study,
        arguments.out,
        data=data,
        seeds=seeds,
        overrides=overrides,
        rows=rows,
        quiet=arguments.quiet,
        say=lambda line: print(line, file=sys.stderr),
    )
    print(found.markdown(), end="")
    return 0
