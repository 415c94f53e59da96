"""Where a run's detector comes from: its build, and its weights by name, folder or published checkpoint."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from interplay.data.scenes import Vocabulary
from interplay.errors import InterplayError
from interplay.scene.detector.backbones import BackboneName
from interplay.scene.detector.converter import load_published, load_torchvision, read_checkpoint
from interplay.scene.detector.model import Detector
from interplay.scene.detector.settings import DetectorSettings
from interplay.scene.preparation import Channels
from interplay.training.model_folder import FolderModel
from interplay.training.settings import require
from interplay.training.shipped import find_model, shipped_models

SETTINGS = {
    "legacy": DetectorSettings,
    "torchvision": DetectorSettings.torchvision,
    "playground": DetectorSettings.playground,
}


@dataclass(frozen=True)
class DetectorSource:
    """The detector of a recipe.

    Args:
        backbone: "resnext101_32x8d" (the paper's), "resnet50", or "small" for the playground's pictures.
        channels: of the feature maps.
        width: of fc6 and fc7.
        numbers: "legacy" (the public scene-graph benchmark's arithmetic), "torchvision", or "playground".
        weights: run or model folder of a trained detector or scene-graph model, or a shipped name; ``*.pth`` for a
            published checkpoint of the scene-graph benchmark; a torchvision name such as
            ``FasterRCNN_ResNet50_FPN_Weights.COCO_V1`` (all but the classes). None: random.
    """

    backbone: BackboneName = "resnext101_32x8d"
    channels: int = 256
    width: int = 4096
    numbers: Literal["legacy", "torchvision", "playground"] = "legacy"
    weights: str | None = None

    def __post_init__(self) -> None:
        require(self.channels >= 1, "detector.channels", self.channels, "at least 1")
        require(self.width >= 1, "detector.width", self.width, "at least 1")

    def build(self, vocabulary: Vocabulary, channels: Channels | None = None) -> Detector:
        """A detector for these classes, and for pictures of these ``input.channels`` (None: not compared).

        Raises:
            InterplayError: weights cannot be found, do not fit, or are those of a folder trained on other channels.
        """
        made = Detector(len(vocabulary.classes), self.backbone, self.channels, self.width, SETTINGS[self.numbers]())
        if self.weights is not None:
            self._fill(made, self.weights, vocabulary, channels)
        return made

    def _fill(self, detector: Detector, weights: str, vocabulary: Vocabulary, channels: Channels | None) -> None:
        if weights.endswith(".pth"):
            load_published(detector, read_checkpoint(weights), weights)
            return
        if "_Weights." in weights:
            load_torchvision(detector, weights)
            return
        folder = find_model(weights)
        if folder is None:
            known = ", ".join(shipped_models())
            raise InterplayError(
                f"detector.weights: found no model {weights!r}, expected a folder, a .pth file, a torchvision name or "
                f"one of {known}"
            )
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        if tuple(config.get("classes", ())) != vocabulary.classes[1:]:
            raise InterplayError(f"detector.weights: {weights} was trained on other classes than this data set's")
        seen = config.get("preparation", {}).get("channels", channels)
        if channels is not None and seen != channels:
            raise InterplayError(
                f"input.channels: found {channels}, expected {seen}, as detector.weights {weights} has it"
            )
        if config.get("system") == "detector":
            source = DetectorFolder.from_pretrained(str(folder)).detector
        else:
            from interplay.scene.recogniser import SceneRecogniser

            source = SceneRecogniser.from_pretrained(str(folder)).network.detector
        try:
            detector.load_state_dict(source.state_dict())
        except RuntimeError as error:
            reason = str(error).splitlines()[1].strip() if "\n" in str(error) else str(error)
            raise InterplayError(f"detector.weights: {weights} does not fit this detector: {reason}") from None


class DetectorFolder(FolderModel, library_name="interplay", tags=["object-detection"]):
    """A trained detector as a model folder.

    Args:
        classes: names without the background.
        detector: arguments of :class:`DetectorSource`.
        preparation: ``short``, ``long`` and ``channels`` of the pictures.
        data: what it was trained on.
        name: of the model.
        system: of the folder.
    """

    def __init__(
        self,
        classes: Sequence[str],
        detector: dict[str, Any],
        preparation: dict[str, Any],
        data: dict[str, Any] | None = None,
        name: str = "detector",
        system: str = "detector",
    ) -> None:
        super().__init__()
        from interplay.data.scenes import BACKGROUND

        self.name, self.system, self.preparation, self.data = name, system, dict(preparation), dict(data or {})
        vocabulary = Vocabulary((BACKGROUND, *classes), (BACKGROUND,))
        self.detector = DetectorSource(**{**detector, "weights": None}).build(vocabulary)

    def described(self) -> str:
        classes = ", ".join(self.config()["classes"])
        head = "---\nlibrary_name: interplay\ntags: [object-detection]\n---\n"
        return (
            f"{head}# {self.name}\n\nFaster R-CNN with a feature pyramid, the frozen detector of scene-graph models. "
            f"Classes: {classes}.\n"
        )
