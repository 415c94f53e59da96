"""What the pages of runs share: pictures beside the page, the state of a run, its settings."""

from __future__ import annotations

from pathlib import Path

import yaml
from matplotlib.figure import Figure

from interplay.studies.run_parts import RunParts
from interplay.viz.page import Page
from interplay.viz.style import save


class Drawer:
    """Puts a figure on the page and its files beside it."""

    def __init__(self, page: Page, out: Path) -> None:
        self.page, self.out = page, out

    def figure(self, figure: Figure, name: str, alt: str, caption: str = "") -> None:
        picture, _ = save(figure, self.out / name)
        self.page.picture(picture.read_bytes(), alt, caption)


def state_section(page: Page, run: RunParts) -> None:
    """Says that a run is not finished, where that is so; scores alone are no run."""
    if run.result is None and (run.recipe is not None or run.history is not None):
        page.section("State")
        page.note(f"This run is not finished ({run.missing.get('result', 'no result')}); the page shows what is there.")


def settings_section(page: Page, run: RunParts) -> None:
    """Recipe, environment and result of a run, folded; a remark for each that is missing."""
    page.section("Recipe and environment")
    parts = (("recipe", "Resolved recipe"), ("environment", "Environment"), ("result", "Result"))
    for name, summary in parts:
        value = getattr(run, name)
        if value is None:
            page.note(f"{summary}: {run.missing[name]}.")
        else:
            page.code(yaml.safe_dump(value, sort_keys=False, allow_unicode=True), summary)


def percent(value: float) -> str:
    return f"{100 * value:.1f} %"
