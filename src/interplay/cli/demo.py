"""``interplay demo``: the shipped models on unseen episodes, as a page of pictures."""

from __future__ import annotations

import argparse
from pathlib import Path

from interplay.errors import InterplayError


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        prog="interplay demo",
        description="Recognise unseen playground episodes with the shipped models and write OUT/index.html.",
        allow_abbrev=False,
    )
    made.add_argument("--out", type=Path, default=Path("runs/demo"), help="folder of the page (runs/demo)")
    made.add_argument("--each", type=int, default=5, help="episodes per class (5)")
    return made


def main(argv: list[str]) -> int:
    arguments = parser().parse_args(argv)
    if not 1 <= arguments.each <= 1000:
        raise InterplayError(f"--each: found {arguments.each}, expected 1 to 1000")

    from interplay.studies.demo import run_demo

    run_demo(arguments.out, each=arguments.each)
    return 0
