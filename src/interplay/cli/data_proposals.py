"""``interplay data proposals DATASET ROOT --out DIR``: region proposals of every video of a data set."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from interplay.cli.data_videos import shortened
from interplay.errors import InterplayError

if TYPE_CHECKING:
    from interplay.data.videos import VideoDataset

OPTIONS = ("--out", "--detector", "--frames", "--boxes", "--short", "--device")


def propose(
    dataset: VideoDataset, options: Mapping[str, str], strict: bool, as_json: bool, rows: Iterable[int]
) -> list[str]:
    """Write a store of proposals; returns a line for each video that cannot be read, the first of many."""
    if "--out" not in options:
        raise InterplayError("data proposals: found no --out, expected the folder to write to")
    unknown = [option for option in options if option not in OPTIONS]
    if unknown:
        raise InterplayError(f"data proposals: {unknown[0]} is an option of convert")
    numbers: dict[str, int] = {}
    for option in ("--frames", "--boxes", "--short"):
        if option in options:
            text = options[option]
            if not text.isdecimal():
                raise InterplayError(f"data proposals: {option}: found {text!r}, expected a number")
            numbers[option.removeprefix("--")] = int(text)
    from interplay.video.proposal_network import ProposalSettings, write_proposals

    settings = ProposalSettings(options.get("--detector", "COCO_V1"), **numbers)
    out = Path(options["--out"])
    device = options.get("--device", "cpu")
    count, bad = write_proposals(dataset, out, settings, rows, device=device, strict=strict)
    kind = "grid" if settings.detector == "grid" else "rpn"
    if as_json:
        print(json.dumps({"dataset": dataset.name, "proposals": kind, "out": str(out), "clips": count, "bad": bad}))
    else:
        print(f"{kind} proposals of {count} videos of {dataset.name} in {out}; use them with --data.proposals {out}")
    return shortened(bad)
