"""AGOS: backbone, nodes from boxes, a cell with a structure per clip, classifier (paper §3, Fig. 2); its baselines."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor, nn
from torch.nn import functional

from interplay.video.affinity import linear
from interplay.video.backbone import InflatedResNet50
from interplay.video.cell import Cell, Watch
from interplay.video.inflation import load_weights
from interplay.video.regions import Extent, box_positions, pool_boxes
from interplay.video.settings import BackboneSettings, VideoSettings
from interplay.video.state import ClipContext, NodeLayout, NodeState
from interplay.video.structure import SPACES, Structure, choices_of, superedges
from interplay.video.structure_weights import AdaptiveWeights, FreeWeights, diversity_loss, strongest
from interplay.video.substructures import operation

Mode = Literal["search", "discrete"]


class VideoOutput(NamedTuple):
    """What the network says of a batch.

    ``logits`` (batch, class); ``weights`` α before any softmax (batch, edge, operation), None for a baseline;
    ``choices`` the operations that ran, as places in the space (batch, edge), None in the search and for a baseline.
    """

    logits: Float[Tensor, "batch class"]
    weights: Float[Tensor, "batch edge operation"] | None
    choices: Int64[Tensor, "batch edge"] | None


class NodeFeatures(nn.Module):
    """Background map and nodes: ``Y = LeakyReLU(FC(map))``, ``X = RoIAlign(Y, boxes)`` averaged (agos.md §3, A4).

    Source: paper §3.1. *Where we differ*: the layer stands in front of RoIAlign, as in the release; with averaged bins
    and without LeakyReLU the two orders are the same.

    Shapes: map (B, D, T', h, w), boxes (B, T', R, 4) → background (B, T', h·w, C), nodes (B, T'·R, C).
    """

    def __init__(self, channels: int, settings: VideoSettings, extent: Extent | None = None) -> None:
        super().__init__()
        self.settings, self.extent = settings, extent
        self.layer = linear(channels, settings.width)
        self.norm = nn.LayerNorm(settings.width) if settings.input_ln else None

    def background(self, features: Float[Tensor, "batch channel step y x"]) -> Float[Tensor, "batch step y x width"]:
        """Y."""
        made: Tensor = self.layer(features.permute(0, 2, 3, 4, 1))
        made = made.to(torch.promote_types(made.dtype, torch.float32))  # sums that follow are in full precision
        if self.settings.fc_act:
            made = functional.leaky_relu(made, self.settings.slope)
        return made if self.norm is None else self.norm(made)

    def forward(
        self, features: Float[Tensor, "batch channel step y x"], boxes: Float[Tensor, "batch step box 4"]
    ) -> NodeState:
        background = self.background(features)
        nodes = pool_boxes(background, boxes, self.settings.roi, self.settings.roi_pool, self.extent)
        coordinates: Literal[3, 9] = 3 if self.settings.coordinates == 3 else 9
        positions = box_positions(boxes.to(nodes.dtype), coordinates)
        return NodeState(nodes, ClipContext(background.flatten(2, 3), positions, boxes.shape[2]))


class AGOS(nn.Module):
    """Adaptive structures for interactions in video (AGOS), and the baselines of its Tables 1 and 2.

    map = backbone(clip); Y, X_0 = nodes(map, boxes); α = A·mean(map); output = mean over nodes of the cell; linear.

    Args:
        classes: classes to tell apart.
        model: see :class:`~interplay.video.settings.VideoSettings`.
        backbone: see :class:`~interplay.video.settings.BackboneSettings`.
        frames: input frames per clip.
        size: height and width of the crop, in pixels; one number for a square.
        boxes: R, boxes per frame.
        load: read ``backbone.weights``; False where a checkpoint follows.

    Shapes: clips (B, 3, frames, height, width), boxes (B, ⌈frames/2⌉, R, 4) normalised to the crop → (B, classes).

    Raises:
        InterplayError: a setting out of its range, or weights that cannot be read.
        ValueError: settings that do not fit each other, with what was expected.
    """

    def __init__(
        self,
        classes: int,
        *,
        model: VideoSettings | None = None,
        backbone: BackboneSettings | None = None,
        frames: int = 32,
        size: int | tuple[int, int] = 224,
        boxes: int = 10,
        load: bool = True,
    ) -> None:
        super().__init__()
        self.model = model = model or VideoSettings()
        height, width = (size, size) if isinstance(size, int) else size
        for name, number in (("classes", classes), ("frames", frames), ("boxes", boxes), ("size", min(height, width))):
            if number < 1:
                raise ValueError(f"{name}: found {number}, expected at least 1")
        self.backbone = InflatedResNet50(backbone)
        settings = self.backbone.settings
        self.grid = (-(-height // settings.stride), -(-width // settings.stride))
        self.layout = NodeLayout((frames + 1) // 2, boxes, self.grid[0] * self.grid[1])
        self.classes, self.frames, self.size = classes, frames, (height, width)
        channels = settings.channels
        self.extent = (height / settings.stride, width / settings.stride)
        width = model.width
        self.space, self.superedges = SPACES[model.space], superedges(model.supernodes)

        if model.narrows:
            self.nodes = NodeFeatures(channels, model, self.extent)
        if model.graph == "agos":
            edges, count = len(self.superedges), len(self.space)
            self.structure_weights: nn.Module
            if not model.adaptive:
                self.structure_weights = FreeWeights(edges, count)
            elif model.alpha_in == "backbone":
                self.structure_weights = AdaptiveWeights(channels, edges, count)
            else:
                self.structure_weights = AdaptiveWeights(width, edges, count, bias=True)
            self.cells = nn.ModuleList(Cell(model, self.layout) for _ in range(model.cells))
            between = model.cells - 1
            self.between = nn.ModuleList(
                nn.Sequential(linear(width * model.supernodes, width), nn.LayerNorm(width)) for _ in range(between)
            )
            pooled = width * model.supernodes
        elif not model.narrows:
            pooled = channels
        else:
            if model.graph != "roi_pooling":
                self.operation = operation(model.graph, model, self.layout)
            pooled = width
        if model.cat_global and model.graph != "global_pooling":
            pooled += width
        self.dropout = nn.Dropout(model.dropout)
        self.classifier = linear(pooled, classes)
        if load and settings.weights is not None:
            load_weights(self.backbone, settings.weights, settings.inflate)

    # -- parts of a pass ------------------------------------------------------------------------------------------

    def backbone_features(
        self, clips: Float[Tensor, "batch 3 frame height width"]
    ) -> Float[Tensor, "batch channel step y x"]:
        """The backbone's last map."""
        made: Tensor = self.backbone(clips)
        return made

    def pooled_features(self, features: Float[Tensor, "batch channel step y x"]) -> Float[Tensor, "batch channel"]:
        """X_g: mean over time and space, summed in full precision."""
        return features.mean(dim=(2, 3, 4), dtype=torch.promote_types(features.dtype, torch.float32))

    def pooled_regions(
        self, features: Float[Tensor, "batch channel step y x"], boxes: Float[Tensor, "batch step box 4"]
    ) -> Float[Tensor, "batch channel"]:
        """Mean over the boxes of the backbone's map, not narrowed (A25)."""
        maps = features.permute(0, 2, 3, 4, 1)
        return pool_boxes(maps, boxes, self.model.roi, self.model.roi_pool, self.extent).mean(dim=1)

    def weights(
        self, features: Float[Tensor, "batch channel step y x"], state: NodeState | None = None
    ) -> Float[Tensor, "batch edge operation"]:
        """α of each clip (Eq. 12); what the structure step trains."""
        if self.model.alpha_in == "map":
            y = self.nodes.background(features).flatten(1, 3) if state is None else state.background.flatten(1, 2)
            made: Tensor = self.structure_weights(y.mean(dim=1))
        else:
            made = self.structure_weights(self.pooled_features(features))
        return made

    def choose(self, weights: Float[Tensor, "batch edge operation"]) -> Int64[Tensor, "batch edge"]:
        """The strongest operation of every superedge (Eq. 11)."""
        return strongest(weights, self.space.index("zero") if self.model.exclude_zero else None)

    def structures(self, choices: Int64[Tensor, "batch edge"]) -> list[Structure]:
        """Choices as values that can be kept, compared and drawn."""
        return [Structure.from_indices(row, self.model.space, self.model.supernodes) for row in choices.tolist()]

    def diversity_loss(self, weights: Float[Tensor, "batch edge operation"]) -> Float[Tensor, ""]:
        """L_var (Eq. 13) in the settings' reading."""
        places = None
        if self.model.var_of == "operations":
            places = [place for place, name in enumerate(self.space) if name not in ("zero", "identity")]
        return diversity_loss(weights, self.model.var_on, self.model.var_over, places)

    def structure_parameters(self) -> list[nn.Parameter]:
        """A: what the second optimiser of the search trains."""
        return list(self.structure_weights.parameters()) if self.model.graph == "agos" else []

    def operation_parameters(self) -> list[nn.Parameter]:
        """Everything behind the backbone but A: what the first optimiser of the search trains."""
        structure = {id(parameter) for parameter in self.structure_parameters()}
        return [
            parameter
            for name, parameter in self.named_parameters()
            if not name.startswith("backbone.") and id(parameter) not in structure and parameter.requires_grad
        ]

    def forget_unused(self, used: Bool[Tensor, "edge operation"]) -> None:
        """No gradients for candidates that no clip of a step ran; see :meth:`Cell.forget_unused`."""
        for cell in self.cells:
            assert isinstance(cell, Cell)
            cell.forget_unused(used)

    def set_identity_dropout(self, probability: float) -> None:
        """Dropout behind identity from now on: falling in the search, 0 in stages 3 and 4 (A15)."""
        for cell in self.cells if self.model.graph == "agos" else ():
            assert isinstance(cell, Cell)
            cell.set_identity_dropout(probability)

    # -- the whole ------------------------------------------------------------------------------------------------

    def forward(
        self,
        clips: Float[Tensor, "batch 3 frame height width"] | None,
        boxes: Float[Tensor, "batch step box 4"] | None = None,
        *,
        mode: Mode = "discrete",
        structures: Int64[Tensor, "rows edge"] | Sequence[Structure] | None = None,
        features: Float[Tensor, "batch channel step y x"] | None = None,
        watch: Watch | None = None,
    ) -> VideoOutput:
        """Logits, structure weights and structures.

        Args:
            clips: normalised pixels; not looked at where ``features`` are given.
            boxes: normalised to [0, 1] of the crop; not looked at by global pooling.
            mode: "search": mixtures on the superedges; "discrete": one operation on each.
            structures: run these instead of the strongest ones (discrete only): a row or a value per clip, or one for
                all. Baselines have none and ignore them.
            features: the backbone's map, where it is at hand already.
            watch: see :data:`~interplay.video.cell.Watch`; of the discrete mode.
        """
        if features is None:
            if clips is None:
                raise ValueError("forward: found neither clips nor features, expected one of them")
            features = self.backbone_features(clips)
        if self.model.graph == "global_pooling":
            return VideoOutput(self.classify(self.pooled_features(features)), None, None)
        if not self.model.narrows:
            pooled = self.pooled_regions(features, self._fitting(features, boxes))
            return VideoOutput(self.classify(pooled), None, None)
        state: NodeState = self.nodes(features, self._fitting(features, boxes))
        extra = [state.background.mean(dim=(1, 2))] if self.model.cat_global else []
        if self.model.graph != "agos":
            nodes = state.nodes if self.model.graph == "roi_pooling" else self.operation(state)
            return VideoOutput(self.classify(torch.cat([nodes.mean(dim=1), *extra], dim=-1)), None, None)

        weights = self.weights(features, state)
        choices: Tensor | None = None
        shares = None
        if mode == "search":
            if structures is not None:
                raise ValueError("structures: found some with mode 'search', expected mode 'discrete'")
            shares = weights.softmax(dim=-1)
        elif mode == "discrete":
            if structures is None:
                choices = self.choose(weights)
            else:
                model = self.model
                choices = choices_of(structures, model.space, model.supernodes, len(features), features.device)
        else:
            raise ValueError(f"mode: found {mode!r}, expected 'search' or 'discrete'")
        for place, cell in enumerate(self.cells):
            assert isinstance(cell, Cell)
            if place:
                state = state.moved(self.between[place - 1](nodes))
            if choices is None:
                assert shares is not None
                nodes = cell.mixed(state, shares)
            else:
                nodes = cell.discrete(state, choices, watch)
        logits = self.classify(torch.cat([nodes.mean(dim=1), *extra], dim=-1))
        return VideoOutput(logits, weights, choices)

    def classify(self, pooled: Float[Tensor, "batch feature"]) -> Float[Tensor, "batch class"]:
        """The last layer."""
        logits: Tensor = self.classifier(self.dropout(pooled))
        return logits

    def _fitting(self, features: Tensor, boxes: Tensor | None) -> Tensor:
        """The boxes, which fit the map."""
        if boxes is None:
            raise ValueError(f"boxes: found none, expected some with graph {self.model.graph!r}")
        layout = self.layout
        found = (features.shape[0], features.shape[2], features.shape[3], features.shape[4], *boxes.shape[:3])
        expected = (len(features), layout.steps, *self.grid, len(features), layout.steps, layout.boxes)
        if found != expected:
            raise ValueError(
                f"network input: found a map of {found[1:4]} and boxes {tuple(boxes.shape)}, expected "
                f"{expected[1:4]} (frames, height, width) and {(*expected[4:], 4)}"
            )
        return boxes
