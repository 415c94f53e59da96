"""What the model cards of all systems have in common: a model folder's README.md."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from torch import nn


@dataclass(frozen=True)
class CardTexts:
    """What only those who trained a model can say of it.

    Args:
        training: what it was trained on, with which command, seed and commit.
        results: measured numbers, name → value with its protocol.
        licence: of the weights, in words (research use and the like follow from the training data).
        limits: what it must not be used for.
    """

    training: str = ""
    results: Mapping[str, str] = field(default_factory=dict)
    licence: str = ""
    limits: str = ""


NOTHING = CardTexts()


def model_card(
    model: nn.Module,
    name: str,
    *,
    tags: Sequence[str],
    summary: str,
    example: str,
    facts: Mapping[str, str],
    data: str,
    domain: str,
    texts: CardTexts,
) -> str:
    """Markdown with a YAML head as the Hugging Face Hub reads it.

    Args:
        model: whose parameters are counted.
        name: by which it is loaded.
        tags: for the hub.
        summary: a sentence on what it does.
        example: a file that it takes.
        facts: what only one system has to say, in a table.
        data: name of the data set it was trained on; empty where nobody said.
        domain: what the training data were, in words.
        texts: of those who trained it.
    """
    rows = {
        **facts,
        "parameters": f"{sum(parameter.numel() for parameter in model.parameters()):,}",
        "data": data or "not said",
        "domain": domain or "not said",
        "licence of the weights": texts.licence or "that of the training data",
    }
    lines = [
        *("---", "library_name: interplay", f"tags: [{', '.join(tags)}]", "---"),
        *(f"# {name}", "", summary, ""),
        *("```python", "import interplay", "", f'interplay.load("{name}").predict("{example}")', "```", ""),
        *("| | |", "|---|---|", *(f"| {key} | {value} |" for key, value in rows.items())),
    ]
    if texts.training:
        lines += ["", "## Training", "", texts.training]
    if texts.results:
        lines += ["", "## Results", "", "| protocol | measured |", "|---|---|"]
        lines += [f"| {key} | {value} |" for key, value in texts.results.items()]
    if texts.limits:
        lines += ["", "## Limits", "", texts.limits]
    return "\n".join(lines) + "\n"
