"""The model card: what a model folder's README.md says."""

from __future__ import annotations

from typing import TYPE_CHECKING

from interplay.training.card import NOTHING, CardTexts, model_card

if TYPE_CHECKING:
    from interplay.skeleton.recogniser import SkeletonRecogniser


def default_card(recogniser: SkeletonRecogniser, texts: CardTexts = NOTHING) -> str:
    """:func:`interplay.training.card.model_card` of a model of skeletons."""
    streams = " + ".join(", ".join(names) for names in recogniser.streams)
    rate = "as recorded" if recogniser.frames_per_second is None else f"{recogniser.frames_per_second:g} per second"
    layout = recogniser.layout
    return model_card(
        recogniser,
        recogniser.name,
        tags=("skeleton", "interaction-recognition", "me-gcn"),
        summary=f"me-GCN (mutual excitation graph convolution) for two {layout.entity} skeletons: names one of "
        f"{len(recogniser.classes)} interactions.",
        example="recording.npz",
        facts={
            "classes": ", ".join(recogniser.classes),
            "joints": f"{layout.joint_count} ({layout.name}), unit: {layout.unit}",
            "input": f"{recogniser.settings.window} frames, streams {streams}; frames {rate}",
            "none of the known": _threshold(recogniser),
        },
        data=str(recogniser.data.get("name", "")),
        domain=recogniser.domain,
        texts=texts,
    )


def _threshold(recogniser: SkeletonRecogniser) -> str:
    if recogniser.unknown_threshold is None:
        return "not calibrated: one of the known classes is always named"
    return f"answered below a probability of {recogniser.unknown_threshold:.3f}"
