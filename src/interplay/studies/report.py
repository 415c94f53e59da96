"""The page of a run, whichever system it is of.

Every picture also lies beside the page as PNG and SVG. A run that is unfinished, or whose data or model are not at
hand, gets the page that is possible, with a remark where something is missing.
"""

from __future__ import annotations

from pathlib import Path

from interplay.studies.scene_report import is_scene_run, scene_report
from interplay.studies.skeleton_report import skeleton_report
from interplay.studies.video_report import video_report
from interplay.studies.video_runs import is_video_run
from interplay.training.allocation import keep_freed_memory


def report(folder: str | Path, out: str | Path | None = None, data_root: str | Path | None = None) -> Path:
    """Write ``index.html`` and every picture as PNG and SVG.

    Args:
        folder: of the run.
        out: where to; ``report`` inside the run by default.
        data_root: where the data are, if not where they were when the run was trained.

    Returns:
        Path of the page.

    Raises:
        InterplayError: no run there, or the target cannot be written.
    """
    place = Path(folder)
    keep_freed_memory()
    write = scene_report if is_scene_run(place) else video_report if is_video_run(place) else skeleton_report
    return write(place, place / "report" if out is None else Path(out), data_root)
