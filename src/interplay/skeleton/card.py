"""The model card: what a model folder's README.md says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from interplay.skeleton.recogniser import SkeletonRecogniser


def default_card(
    recogniser: SkeletonRecogniser,
    *,
    training: str = "",
    results: Mapping[str, str] | None = None,
    licence: str = "",
    limits: str = "",
) -> str:
    """Markdown with a YAML head as the Hugging Face Hub reads it.

    Args:
        recogniser: the model.
        training: what it was trained on, with which command, seed and commit.
        results: measured numbers, name → value with its protocol.
        licence: of the weights, in words (research use and the like follow from the training data).
        limits: what it must not be used for.
    """
    parameters = sum(parameter.numel() for parameter in recogniser.parameters())
    streams = " + ".join(", ".join(names) for names in recogniser.streams)
    rate = "as recorded" if recogniser.frames_per_second is None else f"{recogniser.frames_per_second:g} per second"
    lines = [
        "---",
        "library_name: interplay",
        "tags: [skeleton, interaction-recognition, me-gcn]",
        "---",
        f"# {recogniser.name}",
        "",
        "me-GCN (mutual excitation graph convolution) for two "
        f"{recogniser.layout.entity} skeletons: names one of {len(recogniser.classes)} interactions.",
        "",
        "```python",
        "import interplay",
        "",
        f'interplay.load("{recogniser.name}").predict("recording.npz")',
        "```",
        "",
        "| | |",
        "|---|---|",
        f"| classes | {', '.join(recogniser.classes)} |",
        f"| joints | {recogniser.layout.joint_count} ({recogniser.layout.name}), unit: {recogniser.layout.unit} |",
        f"| input | {recogniser.settings.window} frames, streams {streams}; frames {rate} |",
        f"| parameters | {parameters:,} |",
        f"| none of the known | {_threshold(recogniser)} |",
        f"| data | {recogniser.data.get('name', 'not said')} |",
        f"| domain | {recogniser.domain or 'not said'} |",
        f"| licence of the weights | {licence or 'that of the training data'} |",
    ]
    if training:
        lines += ["", "## Training", "", training]
    if results:
        lines += ["", "## Results", "", "| protocol | measured |", "|---|---|"]
        lines += [f"| {name} | {value} |" for name, value in results.items()]
    if limits:
        lines += ["", "## Limits", "", limits]
    return "\n".join(lines) + "\n"


def _threshold(recogniser: SkeletonRecogniser) -> str:
    if recogniser.unknown_threshold is None:
        return "not calibrated: one of the known classes is always named"
    return f"answered below a probability of {recogniser.unknown_threshold:.3f}"
