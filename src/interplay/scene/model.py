"""A whole scene-graph model: frozen detector, SIL where asked for, features of entities and pairs, relation head."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from interplay.data.scene_statistics import SceneStatistics
from interplay.data.scenes import Vocabulary
from interplay.errors import InterplayError
from interplay.scene.detector import Detector, given_entities
from interplay.scene.features import BoxFeatures, UnionFeatureExtractor
from interplay.scene.geometry import LABEL_DIM, GeometryFeatures
from interplay.scene.heads import head_class
from interplay.scene.heads.interface import HeadOutput
from interplay.scene.preparation import SceneBatch, SceneTarget
from interplay.scene.ranking import RankedScene, rank
from interplay.scene.regions import LEVELS
from interplay.scene.sampling import PairSampling, all_pairs
from interplay.scene.structures import Entities, Pairs, Task, UnionFeatures
from interplay.scene.superpixel import SuperpixelInteraction, SuperpixelSettings
from interplay.scene.word_vectors import WordVectors
from interplay.training.settings import require

Maps = Mapping[str, Float[Tensor, "image channel _ _"]]
SilArguments = tuple[Mapping[str, Tensor], Sequence[Tensor], list[tuple[int, int]], Sequence[Tensor] | None]
"""What SIL is given: maps or pictures, boxes of each picture, heights and widths, features of the boxes."""


@dataclass(frozen=True)
class ModelSettings:
    """What stands between the detector and the answer.

    Args:
        task: "predcls": boxes and labels are given; "sgcls": boxes; "sggen": nothing.
        features: "pixels": pooled from the detector's maps; "geometry": labels, boxes and masks alone (PredCls; for
            annotations whose pictures one does not have). Numbers of the two are never comparable.
        width: of entity and union features (4096 in the public code; 512 is the geometry setting's).
        mask_channels: of the encoder of two-box masks in the geometry setting (with pixels it has the maps' channels).
        sil: superpixel-based interaction learning between maps and features.
        weights: what the relation side (everything behind the detector) starts from: run or model folder of a
            scene-graph model, a shipped name, or a published MOTIFS or VCTree checkpoint (``*.pth``); None: random.
            With ``training.epochs`` 0 it is tested as it is.
        word_vectors: GloVe text file for the label embeddings of the head and of geometry features, or the files of
            several dimensions (PE-Net's has 300, the others' and geometry's 200): a folder, or a name such as
            ``glove.6B.{dim}d.txt``; None for the fallback drawn by name.
        test_pairs: most pairs per picture when testing in SGGen, by product of detector scores; None for all.
        chunk: pairs whose union features are computed together when testing; memory, not results, depend on it.
        suppression: IoU of the per-class suppression of refined entities in SGGen.
    """

    task: Task = "predcls"
    features: Literal["pixels", "geometry"] = "pixels"
    width: int = 4096
    mask_channels: int = 256
    sil: bool = False
    weights: str | None = None
    word_vectors: str | None = None
    test_pairs: int | None = 4096
    chunk: int = 1024
    suppression: float = 0.5

    def __post_init__(self) -> None:
        geometry = self.features == "geometry"
        require(not geometry or self.task == "predcls", "model.task", self.task, "predcls with model.features geometry")
        require(not (geometry and self.sil), "model.sil", True, "false with model.features geometry: there is no map")
        require(self.width >= 1, "model.width", self.width, "at least 1")
        require(self.mask_channels >= 2, "model.mask_channels", self.mask_channels, "at least 2")
        require(self.chunk >= 1, "model.chunk", self.chunk, "at least 1")
        require(self.test_pairs is None or self.test_pairs >= 1, "model.test_pairs", self.test_pairs, "at least 1")


class Scored(NamedTuple):
    """A head's answer and the entities it is about."""

    entities: Entities
    output: HeadOutput


class SceneGraphModel(nn.Module):
    """maps = detector(picture) → [SIL] → x, u → head.

    Only what stands behind the detector is trained: SIL (``interaction``), the features and the head. RPN and box
    scores always see the detector's own maps, so that detections are bit for bit the same with and without SIL.

    Args:
        vocabulary: names of classes and predicates.
        statistics: counts over the training images.
        settings: see :class:`ModelSettings`.
        head: name and options of the relation head.
        detector: trained; None in the geometry setting.
        interaction: options of SIL, used where ``settings.sil``.
    """

    def __init__(
        self,
        vocabulary: Vocabulary,
        statistics: SceneStatistics,
        settings: ModelSettings,
        head: Mapping[str, Any],
        detector: Detector | None = None,
        interaction: SuperpixelSettings | None = None,
    ) -> None:
        super().__init__()
        self.vocabulary, self.settings = vocabulary, settings
        options = dict(head)
        kind = head_class(str(options.pop("name")))
        vectors = _vectors(settings.word_vectors, _dimension(kind, options))
        width = settings.width
        if settings.features == "geometry":
            own = vectors
            if vectors is None or vectors.dim != LABEL_DIM:
                own = _vectors(settings.word_vectors, LABEL_DIM)
            self.geometry = GeometryFeatures(vocabulary, own, width, width, mask_channels=settings.mask_channels)
        else:
            if detector is None:
                raise ValueError("detector: found none, expected one with features 'pixels'")
            self.detector = detector.freeze()
            pooler, channels = detector.box_head.pooler, detector.backbone.channels
            self.box_features = BoxFeatures(pooler, channels, width)
            self.union_features = UnionFeatureExtractor(pooler, channels, width)
            self._start_features()
            if settings.sil:
                self.interaction = self._interaction(interaction or SuperpixelSettings())
        try:
            self.head = kind(
                vocabulary, statistics, settings.task, vectors=vectors, entity_width=width, union_width=width, **options
            )
        except (TypeError, ValueError) as error:
            raise InterplayError(f"head: {error}") from None

    def _interaction(self, settings: SuperpixelSettings) -> SuperpixelInteraction:
        """SIL as this detector needs it: its channels or a picture's three, its fc7."""
        head = self.detector.box_head
        settings = replace(settings, gk_width=head.perceptron.width)
        strides = {level: 4 << index for index, level in enumerate(LEVELS)}
        channels = 3 if settings.on == "image" else self.detector.backbone.channels
        try:
            return SuperpixelInteraction(channels, settings, strides, head.pooler.canonical_side)
        except ValueError as error:
            raise InterplayError(f"sil: {error}") from None

    def _start_features(self) -> None:
        """Entity and union features begin as the detector's box head, where their shapes agree."""
        source = self.detector.box_head.perceptron
        for part in (self.box_features, self.union_features):
            if source.width == part.perceptron.width:
                part.start_from(source)

    # -- parts of a pass ------------------------------------------------------------------------------------------

    @torch.no_grad()
    def maps(self, batch: SceneBatch) -> dict[str, Tensor] | None:
        """The detector's maps P2…P5; None in the geometry setting."""
        if self.settings.features == "geometry":
            return None
        if batch.pixels is None:
            raise ValueError("batch: found no pixels, expected pictures with model.features pixels")
        return self.detector.features(batch.pixels)

    @torch.no_grad()
    def entities(self, batch: SceneBatch, maps: Maps | None, training: bool) -> Entities:
        """Given or detected entities (spec A.4)."""
        task, classes = self.settings.task, len(self.vocabulary.classes)
        if task == "predcls":
            return given_entities(batch.targets, batch.sizes, classes)
        assert maps is not None
        if task == "sggen":
            return self.detector.detect(maps, batch.sizes, batch.targets if training else None)
        counts = tuple(len(target.labels) for target in batch.targets)
        logits = self.detector.classify(maps, torch.cat([target.boxes for target in batch.targets]), counts)
        entities = given_entities(batch.targets, batch.sizes, classes, logits)
        # The true classes are for the loss only; a head must not see them when it is tested.
        return entities if training else replace(entities, labels=None)

    def pairs(
        self,
        entities: Entities,
        targets: Sequence[SceneTarget],
        sampling: PairSampling | None,
        generator: torch.Generator | None,
    ) -> Pairs:
        """Sampled pairs in training (with ``sampling``), all of them otherwise."""
        if sampling is None or generator is None:
            return all_pairs(entities, self.settings.test_pairs if self.settings.task == "sggen" else None)
        if self.settings.task == "sggen":
            return sampling.detected(entities, targets, generator)
        return sampling.given(entities, targets, generator)

    def interacting(self, maps: Maps, entities: Entities, pixels: Tensor | None = None) -> dict[str, Tensor]:
        """The maps that features are pooled from: after SIL where there is one.

        SIL on the picture itself changes pixels, and the frozen backbone looks at these once more.

        Args:
            maps: the detector's.
            entities: whose boxes SIL looks at.
            pixels: of the batch; needed where SIL works on pictures.
        """
        if not self.settings.sil:
            return dict(maps)
        given = self._given_to_sil(maps, entities, pixels)
        changed: dict[str, Tensor] = self.interaction(*given)
        return self.detector.features(changed["image"]) if self.interaction.settings.on == "image" else changed

    def superpixels(
        self, maps: Maps, entities: Entities, pixels: Tensor | None = None
    ) -> dict[str, list[Int[Tensor, "head _h _w"]]]:
        """Which superpixel each point belongs to, by level; arguments as :meth:`interacting`."""
        return self.interaction.superpixels(*self._given_to_sil(maps, entities, pixels))

    def _given_to_sil(self, maps: Maps, entities: Entities, pixels: Tensor | None) -> SilArguments:
        boxes = torch.split(entities.boxes, list(entities.counts))
        sizes = [(int(height), int(width)) for width, height in entities.sizes.tolist()]
        references = None
        if self.interaction.settings.iei and self.interaction.settings.gk == "fc7":
            with torch.no_grad():  # what the frozen detector says of the boxes, before SIL
                found = self.detector.box_head.hidden(maps, boxes)
            references = torch.split(found, list(entities.counts))
        if self.interaction.settings.on == "image":
            if pixels is None:
                raise ValueError("batch: found no pixels, expected pictures with sil.on image")
            maps = {"image": pixels}
        return maps, boxes, sizes, references

    def features(
        self, maps: Maps | None, entities: Entities, pairs: Pairs, pixels: Tensor | None = None
    ) -> tuple[Float[Tensor, "entity width"], Pairs, UnionFeatures]:
        """x of the entities, the pairs that the head proposes, u of these; ``pixels`` as :meth:`interacting`."""
        chunk = None if self.training else self.settings.chunk
        if maps is None:
            x = self.geometry.entities(entities)
            pairs = self.head.propose(x, entities, pairs)
            return x, pairs, self.geometry.pairs(entities, pairs, chunk)
        maps = self.interacting(maps, entities, pixels)
        x = self.box_features(maps, entities.boxes, entities.counts)
        pairs = self.head.propose(x, entities, pairs)
        return x, pairs, self.union_features(maps, entities, pairs, chunk)

    # -- whole passes ---------------------------------------------------------------------------------------------

    def forward(
        self,
        batch: SceneBatch,
        maps: Maps | None = None,
        sampling: PairSampling | None = None,
        generator: torch.Generator | None = None,
    ) -> Scored:
        """Score a batch.

        Args:
            batch: prepared pictures with what is true of them (boxes in PredCls and SGCls; all of it in training).
            maps: the detector's, where they are at hand already.
            sampling, generator: of training pairs; None looks at every pair.
        """
        maps = self.maps(batch) if maps is None else maps
        entities = self.entities(batch, maps, sampling is not None)
        pairs = self.pairs(entities, batch.targets, sampling, generator)
        x, pairs, union = self.features(maps, entities, pairs, batch.pixels)
        return Scored(entities, self.head(x, union, entities, pairs))

    @torch.no_grad()
    def answer(self, batch: SceneBatch, maps: Maps | None = None) -> list[RankedScene]:
        """Ranked triplets of each picture, boxes in pixels of the picture as annotated."""
        entities, output = self(batch, maps)
        ranked = rank(output, entities, self.settings.suppression)
        return [
            scene.rescaled(1 / horizontal, 1 / vertical)
            for scene, (horizontal, vertical) in zip(ranked, batch.scales.tolist(), strict=True)
        ]


def _dimension(kind: type[nn.Module], options: Mapping[str, Any]) -> int | None:
    """Numbers per word that a head asks for; None if it has no label embedding."""
    parameter = inspect.signature(kind).parameters.get("label_dim")
    return None if parameter is None else int(options.get("label_dim", parameter.default))


def _vectors(place: str | None, dim: int | None) -> WordVectors | None:
    return None if place is None or dim is None else WordVectors.read(place, dim)
