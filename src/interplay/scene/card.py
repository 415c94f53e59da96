"""The model card of a scene-graph model: what its folder's README.md says."""

from __future__ import annotations

from typing import TYPE_CHECKING

from interplay.training.card import NOTHING, CardTexts, model_card

if TYPE_CHECKING:
    from interplay.scene.recogniser import SceneRecogniser

TASKS = {
    "predcls": "predicate classification: boxes and classes of the entities are given",
    "sgcls": "scene-graph classification: boxes of the entities are given",
    "sggen": "scene-graph generation: a picture is all it needs",
}


def default_card(recogniser: SceneRecogniser, texts: CardTexts = NOTHING) -> str:
    """:func:`interplay.training.card.model_card` of a scene-graph model."""
    settings, names = recogniser.settings, recogniser.vocabulary
    return model_card(
        recogniser,
        recogniser.name,
        tags=("scene-graph-generation", "visual-relationship-detection", "SIL"),
        summary=f"Scene graphs with the relation head `{recogniser.head_name}`, "
        f"{'with' if settings.sil else 'without'} superpixel-based interaction learning.",
        example="picture.jpg",
        facts={
            "classes": ", ".join(names.classes[1:]),
            "predicates": ", ".join(names.predicates[1:]),
            "task": TASKS[settings.task],
            "features": f"{settings.features}, {settings.width} numbers an entity and a pair",
        },
        data=str(recogniser.data.get("name", "")),
        domain=recogniser.domain,
        texts=texts,
    )
