"""``interplay predict`` for pictures: triplets for people, as JSON, as GraphML, and drawn."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from interplay.errors import InterplayError
from interplay.scene.graphml import save_graphml
from interplay.scene.recogniser import SceneRecogniser

if TYPE_CHECKING:
    from interplay.interactions import Prediction
    from interplay.loading import Recogniser

TRIPLETS = 20


def answer_pictures(recogniser: Recogniser, arguments: argparse.Namespace) -> int:
    """Answer every picture; the bad ones are named on standard error. Exit code 0, 1 (some bad) or 2 (all bad)."""
    assert isinstance(recogniser, SceneRecogniser)
    for option in ("layout", "fps", "stride"):
        if getattr(arguments, option) is not None:
            raise InterplayError(f"--{option}: {recogniser.name} takes pictures, expected it with skeletons only")
    lines: list[str] = []
    bad = 0
    for name in arguments.inputs:
        try:
            prediction = recogniser.predict(name, top=arguments.top or TRIPLETS, least=arguments.least)
        except (InterplayError, OSError) as error:
            bad += 1
            print(f"interplay: error: {' '.join(str(error).split())}", file=sys.stderr)
            continue
        lines.append(prediction.to_json())
        print(lines[-1] if arguments.json == "-" else describe(prediction), flush=True)
        stem = str(Path(name).with_suffix("")).strip("/.").replace("/", "_")
        if arguments.draw is not None:
            print(f"drawn: {_draw(name, prediction, arguments.draw / stem)}", file=sys.stderr)
        if arguments.graphml is not None:
            arguments.graphml.mkdir(parents=True, exist_ok=True)
            file = arguments.graphml / f"{stem}.graphml"
            save_graphml(prediction, file)
            print(f"written: {file}", file=sys.stderr)
    if arguments.json not in (None, "-"):
        Path(arguments.json).write_text("".join(line + "\n" for line in lines), encoding="utf-8")
    return 0 if not bad else (1 if lines else 2)


def describe(prediction: Prediction) -> str:
    """A line per triplet, runners-up behind it, notes below."""
    lines = [prediction.input]
    for item in prediction.interactions:
        assert item.subject is not None
        assert item.object is not None
        ends = (f"{entity.label} {entity.track}" for entity in (item.subject, item.object))
        others = ", ".join(f"{label} {score:.2f}" for label, score in item.alternatives)
        lines.append(f"  {item.score:.2f}  {f' — {item.label} → '.join(ends)}" + (f"   ({others})" if others else ""))
    if not prediction.interactions:
        lines.append("  nothing found")
    lines += [f"  note: {note}" for note in prediction.notes]
    return "\n".join(lines)


def _draw(name: str, prediction: Prediction, stem: Path) -> Path:
    from interplay.data.scenes import read_picture
    from interplay.viz.scenes import scene
    from interplay.viz.style import save

    stem.parent.mkdir(parents=True, exist_ok=True)
    return save(scene(read_picture(name), prediction), stem)[0]
