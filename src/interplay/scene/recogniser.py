"""A trained scene-graph model with everything it needs to answer: the model folder, loaded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from interplay.data.scene_statistics import SceneStatistics
from interplay.data.scenes import BACKGROUND, SceneImage, Vocabulary, read_picture
from interplay.errors import InterplayError
from interplay.interactions import Entity, Interaction, Prediction
from interplay.scene.card import default_card
from interplay.scene.detector.source import DetectorSource
from interplay.scene.model import ModelSettings, SceneGraphModel
from interplay.scene.preparation import ScenePreparation, collate
from interplay.scene.ranking import RankedScene
from interplay.scene.superpixel import SuperpixelSettings
from interplay.training.model_folder import FolderModel, check_format
from interplay.training.running import plain, tuples

FORMAT = 1
"""Version of the model folder's config; a folder of a later one is refused by name."""


class SceneRecogniser(
    FolderModel,
    library_name="interplay",
    tags=["scene-graph-generation", "visual-relationship-detection", "SIL"],
):
    """A detector, SIL where it was trained with it, a relation head, and the names of classes and predicates.

    Args:
        classes, predicates: names without the background.
        model: arguments of :class:`~interplay.scene.model.ModelSettings`.
        head: name and options of the relation head.
        detector: arguments of :class:`~interplay.scene.detector.source.DetectorSource`; None with geometry features.
        sil: arguments of :class:`~interplay.scene.superpixel.SuperpixelSettings`.
        preparation: ``short``, ``long`` and ``channels`` of :class:`~interplay.scene.preparation.ScenePreparation`.
        data: what it was trained on.
        domain: what answers must say of a model that never saw a photograph.
        name: of the model.
        system, format: of the folder.
    """

    def __init__(
        self,
        classes: Sequence[str],
        predicates: Sequence[str],
        model: dict[str, Any],
        head: dict[str, Any],
        preparation: dict[str, Any],
        detector: dict[str, Any] | None = None,
        sil: dict[str, Any] | None = None,
        data: dict[str, Any] | None = None,
        domain: str = "",
        name: str = "sil",
        system: str = "sil",
        format: int = FORMAT,
    ) -> None:
        super().__init__()
        check_format(format, FORMAT, system, "sil")
        self.vocabulary = Vocabulary((BACKGROUND, *classes), (BACKGROUND, *predicates))
        self.settings = ModelSettings(**{**model, "word_vectors": None, "weights": None})
        self.preparation = ScenePreparation(**preparation, with_pixels=self.settings.features == "pixels")
        self.data, self.domain, self.name, self.head_name = dict(data or {}), domain, name, str(head["name"])
        self.card = ""
        source = None if detector is None else DetectorSource(**tuples({**detector, "weights": None}))
        self.network = SceneGraphModel(
            self.vocabulary,
            SceneStatistics.nothing(self.vocabulary),  # what was counted is in the weights
            self.settings,
            head,
            None if source is None else source.build(self.vocabulary),
            None if sil is None else SuperpixelSettings(**tuples(sil)),
        )

    @classmethod
    def of(
        cls,
        network: SceneGraphModel,
        head: Mapping[str, Any],
        preparation: ScenePreparation,
        detector: DetectorSource | None,
        sil: SuperpixelSettings | None,
        data: Mapping[str, Any],
        domain: str,
        name: str,
    ) -> SceneRecogniser:
        """A trained network as a recogniser; it shares nothing with the network given."""
        made = cls(
            classes=list(network.vocabulary.classes[1:]),
            predicates=list(network.vocabulary.predicates[1:]),
            model={**asdict(network.settings), "word_vectors": None, "weights": None},  # places on one machine
            head=dict(head),
            preparation={"short": preparation.short, "long": preparation.long, "channels": preparation.channels},
            detector=None if detector is None else plain(asdict(replace(detector, weights=None))),
            sil=None if sil is None or not network.settings.sil else plain(asdict(sil)),
            data=dict(data),
            domain=domain,
            name=name,
        )
        made.network.load_state_dict(network.state_dict())
        return made.eval()

    def described(self) -> str:
        return default_card(self)

    # -- answers --------------------------------------------------------------------------------------------------

    @torch.inference_mode()
    def ranked(self, scene: SceneImage) -> RankedScene:
        """Every triplet of a picture, best first; its annotated boxes are used where the task gives them."""
        device = next(self.parameters()).device
        was_training = self.training
        self.eval()
        try:
            answer: RankedScene = self.network.answer(collate([self.preparation(scene)]).to(device))[0]
        finally:
            self.train(was_training)
        return answer

    def predict(
        self,
        picture: str | Path | NDArray[np.uint8] | SceneImage,
        *,
        boxes: Sequence[Sequence[float]] | None = None,
        labels: Sequence[str] | None = None,
        top: int = 20,
        least: float = 0.0,
        runners_up: int = 3,
    ) -> Prediction:
        """Name what the things in a picture do to each other.

        Args:
            picture: file, RGB bytes (height, width, 3), or an annotated picture.
            boxes: (N, 4) x1, y1, x2, y2 of the entities, pixels; needed by a model of PredCls or SGCls.
            labels: class of each box, by name; needed by a model of PredCls.
            top: most triplets to answer with.
            least: triplets scored below are left out.
            runners_up: other predicates named with each.

        Raises:
            InterplayError: the picture cannot be read, or boxes or labels that the model needs are missing.
        """
        scene = self._scene(picture, boxes, labels)
        ranked = self.ranked(scene)
        names = self.vocabulary
        entities = [
            Entity(names.classes[int(label)], tuple(float(v) for v in box), str(index), min(1.0, float(score)))  # type: ignore[arg-type]
            for index, (label, box, score) in enumerate(
                zip(ranked.labels, ranked.boxes.tolist(), ranked.entity_scores, strict=True)
            )
        ]
        found = []
        for row in range(min(top, len(ranked.pairs))):
            score = float(ranked.scores[row])
            if score < least or score <= 0:
                break
            subject, object_ = (entities[int(index)] for index in ranked.pairs[row])
            probabilities = ranked.predicate_probabilities[row].clone()
            probabilities[0] = -1.0
            order = torch.argsort(probabilities, descending=True)[: runners_up + 1].tolist()
            pair_score = subject.score * object_.score
            others = tuple(
                (names.predicates[index], min(1.0, pair_score * float(probabilities[index]))) for index in order[1:]
            )
            found.append(
                Interaction(names.predicates[order[0]], min(1.0, score), subject, object_, alternatives=others)
            )
        notes = [self.domain] if self.domain else []
        return Prediction(
            scene.id,
            tuple(found),
            self.name,
            tuple(notes),
            {"width": scene.width, "height": scene.height, "entities": [entity.to_dict() for entity in entities]},
        )

    def _scene(
        self,
        picture: str | Path | NDArray[np.uint8] | SceneImage,
        boxes: Sequence[Sequence[float]] | None,
        labels: Sequence[str] | None,
    ) -> SceneImage:
        if isinstance(picture, SceneImage):
            return picture
        task = self.settings.task
        if task != "sggen" and boxes is None:
            raise InterplayError(f"{self.name}: a model of {task} needs the boxes of the entities, found none")
        if task == "predcls" and labels is None:
            raise InterplayError(f"{self.name}: a model of predcls needs the classes of the boxes, found none")
        name = "picture" if isinstance(picture, np.ndarray) else str(picture)
        pixels = picture if isinstance(picture, np.ndarray) else read_picture(picture)
        if pixels.ndim != 3 or pixels.shape[2] != 3 or pixels.dtype != np.uint8:
            raise InterplayError(f"{name}: found {pixels.dtype} {pixels.shape}, expected uint8 (height, width, 3)")
        given = np.zeros((0, 4), np.float32) if boxes is None else np.asarray(boxes, np.float32).reshape(-1, 4)
        known = {class_name: index for index, class_name in enumerate(self.vocabulary.classes)}
        unknown = [label for label in labels or () if label not in known]
        if unknown:
            raise InterplayError(f"{name}: found class {unknown[0]!r}, expected one of the model's {len(known) - 1}")
        classes = np.array([known[label] for label in labels] if labels else [1] * len(given), np.int64)
        if len(classes) != len(given):
            raise InterplayError(f"{name}: found {len(classes)} labels for {len(given)} boxes")
        return SceneImage(
            name, pixels.shape[1], pixels.shape[0], given, classes, np.zeros((0, 3), np.int64), picture=lambda: pixels
        )
