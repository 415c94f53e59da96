"""The model card of a video model: what its folder's README.md says."""

from __future__ import annotations

from typing import TYPE_CHECKING

from interplay.training.card import NOTHING, CardTexts, model_card

if TYPE_CHECKING:
    from interplay.video.recogniser import VideoRecogniser

GRAPHS = {
    "agos": "a structure of graph operations for every clip (AGOS)",
    "global_pooling": "the mean of the backbone's map, no graph",
    "roi_pooling": "the mean of the boxes' features, no graph operation",
}


def default_card(recogniser: VideoRecogniser, texts: CardTexts = NOTHING) -> str:
    """:func:`interplay.training.card.model_card` of a video model."""
    network, preparation = recogniser.network, recogniser.preparation
    graph = network.model.graph
    return model_card(
        recogniser,
        recogniser.name,
        tags=("video", "interaction-recognition", "AGOS"),
        summary="Names the interaction in a clip: "
        f"{GRAPHS.get(graph, graph.replace('_', ' ') + ', one graph operation')}.",
        example="clip.mp4",
        facts={
            "classes": ", ".join(recogniser.classes),
            "input": f"{preparation.frames} frames of {preparation.height} × {preparation.width} pixels, "
            f"{preparation.boxes} region proposals on every second one",
            "proposals in training": recogniser.proposals,
            "candidates on a superedge": ", ".join(network.space) if graph == "agos" else "none",
        },
        data=str(recogniser.data.get("name", "")),
        domain=recogniser.domain,
        texts=texts,
    )
