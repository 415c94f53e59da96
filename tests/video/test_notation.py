"""The register of readings in the documentation: complete, and true of the keys and defaults of a recipe."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints

from tests.video.test_run import tiny

from interplay.video.datamodule import VideoInput
from interplay.video.recipe import VideoTraining, resolve
from interplay.video.settings import BackboneSettings, VideoSettings
from interplay.video.stages import Pretraining, Refinement, Search

SECTIONS: dict[str, type[Any]] = {
    "input": VideoInput,
    "backbone": BackboneSettings,
    "model": VideoSettings,
    "stage1": Pretraining,
    "stage2": Search,
    "stage3": Refinement,
    "stage4": Refinement,
    "training": VideoTraining,
}


def test_the_register_names_keys_their_defaults_and_all_their_values() -> None:
    text = (Path(__file__).parents[2] / "docs" / "notation-agos.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| A(\d+) \| [^|]+ \| ([^|]+) \|$", text, re.MULTILINE)
    assert [int(number) for number, _ in rows] == list(range(1, 36))
    bare = {key: value for key, value in tiny().items() if key in ("system", "data")}
    defaults = resolve(bare)
    for number, cell in rows:
        options = re.findall(r"`(\w+)\.(\w+)` ([\w.-]+(?:, [\w.]+)*)", cell)
        assert options or "one reading" in cell, number
        for section, key, told in options:
            values = told.split(", ")
            default = defaults[section][key]
            if isinstance(default, list):
                default = default[0]
            assert values[0] == (str(default).lower() if isinstance(default, bool) else str(default)), (number, key)
            kind = get_type_hints(SECTIONS[section])[key]
            if get_origin(kind) is not None and all(isinstance(value, str) for value in get_args(kind)):
                assert values == list(get_args(kind)), (number, key)
            if kind is bool:
                assert values == [str(default).lower(), str(not default).lower()], (number, key)
