"""``interplay reproduce PAPER.TABLE``: the paper's rows on the data given, beside the paper's numbers."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

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
    paper = arguments.study.partition(".")[0]
    if paper != "sil" and (arguments.tasks is not None or arguments.other_seeds is not None):
        raise InterplayError(f"{arguments.study}: --tasks and --other-seeds are for the studies of sil")
    study = {"sil": _scenes, "agos": _videos}.get(paper, _skeletons)
    how = {
        "seeds": _numbers("--seeds", arguments.seeds),
        "rows": None if arguments.rows is None else _rows(arguments.rows),
        "overrides": overrides,
        "jobs": arguments.jobs,
        "quiet": arguments.quiet,
        "say": _say,
    }
    print(study(arguments, overrides, how).markdown(), end="")
    return 0


class Found(Protocol):
    """A finished study."""

    def markdown(self) -> str: ...


def _skeletons(arguments: argparse.Namespace, overrides: Sequence[str], how: Mapping[str, Any]) -> Found:
    """The studies of me-GCN: on the paper's data unless others are named."""
    from interplay.studies.reproduce import find_study, reproduce

    data = arguments.data or find_study(arguments.study).data
    simulator = "hands" if data == "assembly101" else "playground"
    _needs_files(arguments.study, data, overrides, data not in ("playground", "hands"), simulator)
    return reproduce(arguments.study, arguments.out, data=data, **how)


def _scenes(arguments: argparse.Namespace, overrides: Sequence[str], how: Mapping[str, Any]) -> Found:
    """The studies of SIL: on the simulator unless data are named."""
    from interplay.studies.sil_reproduction import find_scene_study, reproduce_scenes

    study = find_scene_study(arguments.study)
    data = arguments.data or (study.data if _has_root(overrides) else None)
    _needs_files(arguments.study, data, overrides, data in ("vg", "openimages"))
    others = None if arguments.other_seeds is None else _numbers("--other-seeds", arguments.other_seeds)
    tasks = None if arguments.tasks is None else [task.strip() for task in arguments.tasks.split(",")]
    return reproduce_scenes(arguments.study, arguments.out, data=data, other_seeds=others, tasks=tasks, **how)


def _videos(arguments: argparse.Namespace, overrides: Sequence[str], how: Mapping[str, Any]) -> Found:
    """The studies of AGOS: on the simulator unless data are named."""
    from interplay.studies.agos_reproduction import find_video_study, reproduce_videos

    computed = find_video_study(arguments.study).computed is not None
    data = arguments.data or ("something_v2" if _has_root(overrides) else "playground")
    _needs_files(arguments.study, data, overrides, not computed and not data.startswith("playground"))
    return reproduce_videos(arguments.study, arguments.out, data=data, **how)


def _needs_files(
    study: str, data: str | None, overrides: Sequence[str], needs: bool, simulator: str = "playground"
) -> None:
    """InterplayError where a data set needs files and nothing says where they are."""
    if needs and not _has_root(overrides):
        raise InterplayError(
            f"{study}: the data set {data} needs its files (--data.root DIR); "
            f"without them the simulator serves: --data {simulator}"
        )


def _rows(text: str) -> list[str]:
    """Names of rows; some have a comma ("Early Fusion, channels")."""
    return [row.strip() for row in text.split(";" if ";" in text else ",") if row.strip()]


def _has_root(overrides: Sequence[str]) -> bool:
    return any(word.split("=")[0] == "--data.root" for word in overrides)


def _numbers(option: str, text: str) -> tuple[int, ...]:
    try:
        return tuple(int(seed) for seed in text.split(","))
    except ValueError:
        raise InterplayError(f"{option}: found {text!r}, expected integers separated by commas") from None


def _say(line: str) -> None:
    print(line, file=sys.stderr)
