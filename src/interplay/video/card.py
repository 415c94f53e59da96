"""The model card of a video model: what its folder's README.md says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from interplay.video.recogniser import VideoRecogniser

GRAPHS = {
    "agos": "a structure of graph operations for every clip (AGOS)",
    "global_pooling": "the mean of the backbone's map, no graph",
    "roi_pooling": "the mean of the boxes' features, no graph operation",
}


def default_card(
    recogniser: VideoRecogniser,
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
        licence: of the weights, in words.
        limits: what it must not be used for.
    """
    network, preparation = recogniser.network, recogniser.preparation
    parameters = sum(parameter.numel() for parameter in recogniser.parameters())
    graph = network.model.graph
    lines = [
        "---",
        "library_name: interplay",
        "tags: [video, interaction-recognition, AGOS]",
        "---",
        f"# {recogniser.name}",
        "",
        f"Names the interaction in a clip: {GRAPHS.get(graph, graph.replace('_', ' ') + ', one graph operation')}.",
        "",
        "```python",
        "import interplay",
        "",
        f'interplay.load("{recogniser.name}").predict("clip.mp4")',
        "```",
        "",
        "| | |",
        "|---|---|",
        f"| classes | {', '.join(recogniser.classes)} |",
        f"| input | {preparation.frames} frames of {preparation.height} × {preparation.width} pixels, "
        f"{preparation.boxes} region proposals on every second one |",
        f"| proposals in training | {recogniser.proposals} |",
        f"| candidates on a superedge | {', '.join(network.space) if graph == 'agos' else 'none'} |",
        f"| parameters | {parameters:,} |",
        f"| data | {recogniser.data.get('name', 'not said')} |",
        f"| domain | {recogniser.domain or 'not said'} |",
        f"| licence of the weights | {licence or 'that of the training data'} |",
    ]
    if training:
        lines += ["", "## Training", "", training]
    if results:
        lines += [
            "",
            "## Results",
            "",
            "| | |",
            "|---|---|",
            *(f"| {name} | {text} |" for name, text in results.items()),
        ]
    if limits:
        lines += ["", "## Limits", "", limits]
    return "\n".join(lines) + "\n"
