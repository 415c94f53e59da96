"""``interplay report RUN``: one HTML page about a run, every picture also as PNG and SVG."""

from __future__ import annotations

import argparse
from collections.abc import Sequence


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        prog="interplay report", description="Write one HTML page about a run, with its pictures.", allow_abbrev=False
    )
    made.add_argument("run", metavar="RUN", help="the folder of a run, or what `interplay evaluate --out` wrote")
    made.add_argument("--out", metavar="DIR", help="where to (default: report/ inside the run)")
    made.add_argument("--data.root", metavar="DIR", dest="root", help="where the data are, if not where they were")
    return made


def main(argv: Sequence[str]) -> int:
    """Run the verb; returns the exit code."""
    arguments = parser().parse_args(list(argv))
    from interplay.studies.report import report

    print(report(arguments.run, arguments.out, arguments.root))
    return 0
