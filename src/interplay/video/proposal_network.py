"""Region proposals of a detector: the RPN of torchvision's Faster R-CNN, run over videos (specification §3).

The paper takes the ten best boxes of a class-agnostic region proposal network on every frame (ResNet-50-FPN, COCO).
*Where we differ*: torchvision's network of that name instead of Detectron's.
"""

from __future__ import annotations

import urllib.error
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import UInt8
from numpy.typing import NDArray
from torch import Tensor, nn
from torchvision.models.detection import FasterRCNN_ResNet50_FPN_Weights, fasterrcnn_resnet50_fpn
from torchvision.models.detection.rpn import concat_box_prediction_layers

from interplay.data.proposals import Proposals, ProposalWriter, grid_proposals, proposals_from
from interplay.data.video_table import video_stamps
from interplay.data.videos import VideoDataset, VideoSource
from interplay.errors import InterplayError
from interplay.training.devices import usable_device
from interplay.training.digest import digest_of
from interplay.training.settings import require
from interplay.video.inflation import read_state
from interplay.video.sampling import segment_frames

GRID = "grid"
NAMES = tuple(entry.name for entry in FasterRCNN_ResNet50_FPN_Weights)
TOGETHER = 4
"""Frames that go through the network at a time."""
KEPT = 4096
"""Frames of a video whose boxes are remembered, 160 bytes each."""


@dataclass(frozen=True)
class ProposalSettings:
    """What boxes are made of.

    Args:
        detector: torchvision's name of the weights ("COCO_V1"), a file with the state dict of that Faster R-CNN, or
            "grid" for boxes that look at nothing.
        frames: of each video, spread evenly; other frames take the boxes of the nearest one.
        boxes: per frame, best first.
        short, long: sides to which a frame is resized, pixels.
    """

    detector: str = "COCO_V1"
    frames: int = 16
    boxes: int = 10
    short: int = 800
    long: int = 1333

    def __post_init__(self) -> None:
        require(self.frames >= 1, "--frames", self.frames, "at least 1")
        require(self.boxes >= 1, "--boxes", self.boxes, "at least 1")
        require(1 <= self.short <= self.long, "--short", self.short, f"1 to {self.long}")


class ProposalNetwork(nn.Module):
    """Frames → the best boxes of any class, with their objectness.

    Args:
        settings: see :class:`ProposalSettings`.
        random: random weights, for tests; ``settings.detector`` is then not looked at.

    Raises:
        InterplayError: weights of an unknown name, that cannot be had, or that do not fit.
    """

    def __init__(self, settings: ProposalSettings, random: bool = False) -> None:
        super().__init__()
        self.settings = settings
        self.detector = fasterrcnn_resnet50_fpn(
            weights=None,
            weights_backbone=None,
            min_size=settings.short,
            max_size=settings.long,
            rpn_post_nms_top_n_test=settings.boxes,
        )
        if not random:
            self._fill(settings.detector)
        self.requires_grad_(False).eval()

    def _fill(self, weights: str) -> None:
        if Path(weights).is_file():
            state = dict(read_state(Path(weights)))
        elif weights in NAMES:
            try:
                entry = FasterRCNN_ResNet50_FPN_Weights[weights]
                state = dict(entry.get_state_dict(progress=False, check_hash=True))
            except (OSError, urllib.error.URLError, RuntimeError) as error:
                reason = " ".join(str(error).split())[:160]
                raise InterplayError(
                    f"--detector {weights}: could not be downloaded ({reason}); give a file, or grid"
                ) from None
        else:
            raise InterplayError(f"--detector: found {weights!r}, expected a file, {', '.join(NAMES)} or {GRID}")
        try:
            self.detector.load_state_dict(state)
        except RuntimeError as error:
            lines = [line.strip() for line in str(error).splitlines() if line.strip()]
            raise InterplayError(
                f"--detector {weights}: does not fit Faster R-CNN with ResNet-50-FPN: {lines[-1][:160]}"
            ) from None

    @torch.inference_mode()
    def forward(self, frames: UInt8[Tensor, "frame height width 3"]) -> list[tuple[Tensor, Tensor]]:
        """Of each frame: boxes (count, 4) as shares of the frame, best first, and their objectness (count,) in [0, 1].

        ``count`` is at most ``settings.boxes``.
        """
        device = next(self.parameters()).device
        pictures = [frame.to(device).permute(2, 0, 1).float() / 255 for frame in frames]
        images, _ = self.detector.transform(pictures)
        features = list(self.detector.backbone(images.tensors).values())
        rpn = self.detector.rpn
        objectness, deltas = rpn.head(features)
        anchors = rpn.anchor_generator(images, features)
        per_level = [int(level[0].numel()) for level in objectness]
        scores, moves = concat_box_prediction_layers(objectness, deltas)
        decoded = rpn.box_coder.decode(moves, anchors).view(len(anchors), -1, 4)
        boxes, marks = rpn.filter_proposals(decoded, scores, images.image_sizes, per_level)
        found = []
        for box, mark, (height, width) in zip(boxes, marks, images.image_sizes, strict=True):
            size = box.new_tensor([width, height, width, height])
            found.append(((box / size).clamp(0, 1).cpu(), mark.cpu()))
        return found

    def on(self, source: VideoSource) -> DetectedBoxes:
        """Boxes of the frames of a video that are asked for, whichever these will be."""
        return DetectedBoxes(self, source)

    def of(self, source: VideoSource) -> Proposals:
        """Boxes of frames spread over a video. DataError where it cannot be read."""
        length = source.frame_count
        wanted = np.unique(segment_frames(length, np.full(self.settings.frames, 0.5)))
        boxes, marks = [], []
        for first in range(0, len(wanted), TOGETHER):
            frames = torch.from_numpy(source.read(wanted[first : first + TOGETHER].tolist()))
            for box, mark in self(frames):
                boxes.append(box.numpy())
                marks.append(mark.numpy())
        return proposals_from(boxes, "rpn", marks, wanted.tolist())


class DetectedBoxes:
    """Boxes of one video, detected on the very frames that somebody asks for; the last :data:`KEPT` are remembered.

    Args:
        network: the detector.
        source: its frames are read when boxes are asked for, unless they were shown (:meth:`look`) before.
    """

    kind = "rpn"

    def __init__(self, network: ProposalNetwork, source: VideoSource) -> None:
        self.network, self.source = network, source
        self._found: OrderedDict[int, NDArray[np.float32]] = OrderedDict()

    def look(self, frame: int, picture: NDArray[np.uint8]) -> None:
        """Detect on a frame (height, width, 3) that is at hand."""
        if frame not in self._found:
            self._detect([frame], picture[None])
        self._forget()

    def at(self, frame_indices: Sequence[int], count: int = 10) -> NDArray[np.float32]:
        """See :meth:`interplay.data.proposals.Proposals.at`; every frame has boxes of its own."""
        wanted = [int(frame) for frame in frame_indices]
        new = sorted({frame for frame in wanted if frame not in self._found})
        for first in range(0, len(new), TOGETHER):
            group = new[first : first + TOGETHER]
            self._detect(group, self.source.read(group))
        frames = sorted(set(wanted))
        made = proposals_from([self._found[frame] for frame in frames], self.kind, None, frames)
        self._forget()
        return made.at(wanted, count)

    def _detect(self, frames: Sequence[int], pictures: NDArray[np.uint8]) -> None:
        found = self.network(torch.from_numpy(np.ascontiguousarray(pictures)))
        self._found.update({frame: boxes.numpy() for frame, (boxes, _) in zip(frames, found, strict=True)})

    def _forget(self) -> None:
        while len(self._found) > KEPT:
            self._found.popitem(last=False)


def write_proposals(
    dataset: VideoDataset,
    folder: Path,
    settings: ProposalSettings,
    rows: Iterable[int],
    *,
    device: str = "cpu",
    strict: bool = False,
    network: Callable[[], ProposalNetwork] | None = None,
) -> tuple[int, list[str]]:
    """Boxes of these clips into a store; those that it has already of the same videos are not made again.

    A store belongs to a detector (its weights, frames, sizes) and to data sets of one name. A clip whose video has
    another name, size or time than the one that its boxes were made of gets new ones.

    Args:
        dataset: the videos.
        folder: of the :class:`~interplay.data.proposals.ProposalStore`.
        rows: clips; what iterates them may show progress.
        strict: a clip that cannot be read ends the work.
        network: makes the detector; one by ``settings`` otherwise.

    Returns:
        (clips with boxes, a line for each clip that cannot be read).
    """
    made: ProposalNetwork | None = None
    if settings.detector != GRID:
        where = usable_device(device)
        made = (network() if network is not None else ProposalNetwork(settings)).to(where)
    bad: list[str] = []
    kind = GRID if made is None else "rpn"
    weights = "" if made is None else digest_of(made.detector)[:16]
    told = asdict(settings) | {"detector": Path(settings.detector).name, "weights": weights, "data": dataset.name}
    ids, stamp_of, count = dataset.ids, video_stamps(dataset), 0
    with ProposalWriter(folder, kind, told) as writer:
        for row in rows:
            name, stamp = ids[row], stamp_of(row)
            if writer.done.get(name) == stamp:
                count += 1
                continue
            try:
                found = grid_proposals(settings.boxes) if made is None else made.of(dataset.read(row).source)
            except InterplayError as error:
                if strict:
                    raise
                bad.append(str(error))
                continue
            writer.add(name, found, stamp)
            count += 1
        writer.finish()
    return count, bad
