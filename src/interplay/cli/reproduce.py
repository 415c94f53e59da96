"""``interplay reproduce PAPER.TABLE``: the paper's rows on the data given, beside the paper's numbers."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from interplay.errors import InterplayError


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        prog="interplay reproduce",
        description="Run the rows of a paper's table or figure. Any --section.key value of a recipe applies to every "
        "row (--data.root DIR, --training.epochs N).",
        allow_abbrev=False,
    )
    made.add_argument(
        "study",
        help="megcn.table1 … megcn.table8, megcn.fig3 … megcn.fig6; sil.table1 … sil.table5, sil.fig3 … sil.fig8; "
        "agos.table1 … agos.table3, agos.s1 … agos.s8, agos.fig4 … agos.fig8",
    )
    made.add_argument("--data", help="run on this data set instead of the paper's (playground needs no files)")
    made.add_argument("--seeds", default="1,2,3", help="seeds of the runs, separated by commas (1,2,3)")
    made.add_argument("--rows", help="only these rows, separated by commas (by ; where a name has a comma)")
    made.add_argument("--tasks", help="sil: only these of predcls,sgcls,sggen")
    made.add_argument("--other-seeds", help="sil: of SGCls and SGGen beside PredCls (the first of --seeds)")
    made.add_argument("--out", type=Path, default=Path("runs/reproduce"), help="folder (runs/reproduce)")
    made.add_argument("--jobs", type=int, help="runs at a time (2 on a CPU with two cores or more, else 1)")
    made.add_argument("--quiet", action="store_true", help="no progress")
    return made


def main(argv: list[str]) -> int:
    arguments, overrides = parser().parse_known_args(argv)
    seeds = _numbers("--seeds", arguments.seeds)
    rows = None if arguments.rows is None else _rows(arguments.rows)
    if arguments.study.partition(".")[0] == "sil":
        return _scenes(arguments, seeds, rows, overrides)
    if arguments.tasks is not None or arguments.other_seeds is not None:
        raise InterplayError(f"{arguments.study}: --tasks and --other-seeds are for the studies of sil")
    if arguments.study.partition(".")[0] == "agos":
        return _videos(arguments, seeds, rows, overrides)

    from interplay.studies.reproduce import find_study, reproduce

    study = find_study(arguments.study)
    data = arguments.data or study.data
    if data not in ("playground", "hands") and not _has_root(overrides):
        raise InterplayError(
            f"{arguments.study}: the data set {data} needs its files (--data.root DIR); "
            f"without them the simulator serves: --data {'hands' if data == 'assembly101' else 'playground'}"
        )
    found = reproduce(
        arguments.study,
        arguments.out,
        data=data,
        seeds=seeds,
        overrides=overrides,
        rows=rows,
        jobs=arguments.jobs,
        quiet=arguments.quiet,
        say=_say,
    )
    print(found.markdown(), end="")
    return 0


def _rows(text: str) -> list[str]:
    """Names of rows; some have a comma ("Early Fusion, channels")."""
    return [row.strip() for row in text.split(";" if ";" in text else ",") if row.strip()]


def _scenes(
    arguments: argparse.Namespace, seeds: Sequence[int], rows: Sequence[str] | None, overrides: Sequence[str]
) -> int:
    """The studies of SIL: on the simulator unless data are named."""
    from interplay.studies.sil_reproduction import find_scene_study, reproduce_scenes

    study = find_scene_study(arguments.study)
    data = arguments.data
    if data is None and _has_root(overrides):
        data = study.data
    if data in ("vg", "openimages") and not _has_root(overrides):
        raise InterplayError(
            f"{arguments.study}: the data set {data} needs its files (--data.root DIR); "
            "without them the simulator serves: --data playground"
        )
    found = reproduce_scenes(
        arguments.study,
        arguments.out,
        data=data,
        seeds=seeds,
        other_seeds=None if arguments.other_seeds is None else _numbers("--other-seeds", arguments.other_seeds),
        tasks=None if arguments.tasks is None else [task.strip() for task in arguments.tasks.split(",")],
        rows=rows,
        overrides=overrides,
        jobs=arguments.jobs,
        quiet=arguments.quiet,
        say=_say,
    )
    print(found.markdown(), end="")
    return 0


def _videos(
    arguments: argparse.Namespace, seeds: Sequence[int], rows: Sequence[str] | None, overrides: Sequence[str]
) -> int:
    """The studies of AGOS: on the simulator unless data are named."""
    from interplay.studies.agos_reproduction import find_video_study, reproduce_videos

    study = find_video_study(arguments.study)
    data = arguments.data or ("something_v2" if _has_root(overrides) else "playground")
    if not data.startswith("playground") and study.computed is None and not _has_root(overrides):
        raise InterplayError(
            f"{arguments.study}: the data set {data} needs its files (--data.root DIR); "
            "without them the simulator serves: --data playground"
        )
    found = reproduce_videos(
        arguments.study,
        arguments.out,
        data=data,
        seeds=seeds,
        rows=rows,
        overrides=overrides,
        jobs=arguments.jobs,
        quiet=arguments.quiet,
        say=_say,
    )
    print(found.markdown(), end="")
    return 0


def _has_root(overrides: Sequence[str]) -> bool:
    return any(word.split("=")[0] == "--data.root" for word in overrides)


def _numbers(option: str, text: str) -> tuple[int, ...]:
    try:
        return tuple(int(seed) for seed in text.split(","))
    except ValueError:
        raise InterplayError(f"{option}: found {text!r}, expected integers separated by commas") from None


def _say(line: str) -> None:
    print(line, file=sys.stderr)
