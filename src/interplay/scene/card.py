"""The model card of a scene-graph model: what its folder's README.md says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from interplay.scene.recogniser import SceneRecogniser

TASKS = {
    "predcls": "predicate classification: boxes and classes of the entities are given",
    "sgcls": "scene-graph classification: boxes of the entities are given",
    "sggen": "scene-graph generation: a picture is all it needs",
}


def default_card(
    recogniser: SceneRecogniser,
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
    settings = recogniser.settings
    parameters = sum(parameter.numel() for parameter in recogniser.parameters())
    lines = [
        "---",
        "library_name: interplay",
        "tags: [scene-graph-generation, visual-relationship-detection, SIL]",
        "---",
        f"# {recogniser.name}",
        "",
        f"Scene graphs with the relation head `{recogniser.head_name}`, "
        f"{'with' if settings.sil else 'without'} superpixel-based interaction learning.",
        "",
        "```python",
        "import interplay",
        "",
        f'interplay.load("{recogniser.name}").predict("picture.jpg")',
        "```",
        "",
        "| | |",
        "|---|---|",
        f"| classes | {', '.join(recogniser.vocabulary.classes[1:])} |",
        f"| predicates | {', '.join(recogniser.vocabulary.predicates[1:])} |",
        f"| task | {TASKS[settings.task]} |",
        f"| features | {settings.features}, {settings.width} numbers an entity and a pair |",
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
