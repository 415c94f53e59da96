"""A trained AGOS, or a baseline of it, with everything it needs to answer: the model folder, loaded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from interplay.data.proposals import FrameBoxes
from interplay.data.video_files import open_video
from interplay.data.videos import VideoClip
from interplay.interactions import Prediction
from interplay.training.draws import generator
from interplay.training.model_folder import FolderModel, check_format
from interplay.training.running import plain, tuples
from interplay.video.card import default_card
from interplay.video.datamodule import VideoData
from interplay.video.kept_frames import kept_clip
from interplay.video.network import AGOS, VideoOutput
from interplay.video.preparation import (
    ClipPreparation,
    FrameReader,
    OpenedClip,
    PreparedClip,
    TestClips,
    collate,
    proposals_of,
)
from interplay.video.settings import BackboneSettings, VideoSettings
from interplay.video.structure import Structure

FORMAT = 1
"""Version of the model folder's config; a folder of a later one is refused by name."""


class VideoRecogniser(FolderModel, library_name="interplay", tags=["video", "interaction-recognition", "AGOS"]):
    """A network, how it wants its clips, and the names of the classes.

    Args:
        classes: names, in the order of the logits.
        model: arguments of :class:`~interplay.video.settings.VideoSettings`.
        backbone: arguments of :class:`~interplay.video.settings.BackboneSettings`.
        preparation: arguments of :class:`~interplay.video.preparation.ClipPreparation`.
        proposals: where the boxes of training came from.
        clip_seconds: (median, longest) duration of training videos, or None; a longer video is scanned with windows of
            the median length.
        test_count: clips whose logits are averaged when the model is tested.
        test_clips: "draws" by (``test_seed``, video, number), or "offsets" spread over the video.
        test_seed: of these draws.
        test_proposals: "given": a tested video's own boxes, or "grid" for every video.
        kept_frames, kept_short: a tested video is first thinned to so many frames with such a short side, pixels, as
            the run kept its videos; 0: it is tested as it is.
        most_frequent: the structure of the most training videos, as :meth:`Structure.to_json` writes it.
        data: what it was trained on.
        domain: what answers must say of a model that never saw a camera's video.
        name: of the model.
        system, format: of the folder.
    """

    def __init__(
        self,
        classes: Sequence[str],
        model: dict[str, Any],
        backbone: dict[str, Any],
        preparation: dict[str, Any],
        proposals: str = "grid",
        clip_seconds: Sequence[float] | None = None,
        test_count: int = 5,
        test_clips: TestClips = "draws",
        test_seed: int = 0,
        test_proposals: Literal["given", "grid"] = "given",
        kept_frames: int = 0,
        kept_short: int = 0,
        most_frequent: dict[str, Any] | None = None,
        data: dict[str, Any] | None = None,
        domain: str = "",
        name: str = "agos",
        system: str = "agos",
        format: int = FORMAT,
    ) -> None:
        super().__init__()
        check_format(format, FORMAT, system, "agos")
        self.classes = tuple(classes)
        self.preparation = ClipPreparation(**tuples(preparation))
        self.proposals, self.test_count = proposals, test_count
        self.test_clips, self.test_seed, self.test_proposals = test_clips, test_seed, test_proposals
        self.kept_frames, self.kept_short = kept_frames, kept_short
        self.clip_seconds = None if clip_seconds is None else (float(clip_seconds[0]), float(clip_seconds[1]))
        self.most_frequent = None if most_frequent is None else Structure.from_json(most_frequent)
        self.data, self.domain, self.name = dict(data or {}), domain, name
        self.card = ""
        self.network = AGOS(
            len(self.classes),
            model=VideoSettings(**tuples(model)),
            backbone=BackboneSettings(**tuples({**backbone, "weights": None})),
            frames=self.preparation.frames,
            size=(self.preparation.height, self.preparation.width),
            boxes=self.preparation.boxes,
            load=False,
        )

    @classmethod
    def of(
        cls,
        network: AGOS,
        data: VideoData,
        section: Mapping[str, Any],
        domain: str,
        name: str,
        most_frequent: Structure | None = None,
        clip_seconds: tuple[float, float] | None = None,
    ) -> VideoRecogniser:
        """A trained network as a recogniser; it shares nothing with the network given.

        Args:
            section: the recipe's ``data``, without places.
        """
        made = cls(
            classes=list(data.dataset.classes),
            model=plain(asdict(network.model)),
            backbone=plain(asdict(replace(network.backbone.settings, weights=None))),
            preparation=plain(asdict(data.preparation)),
            proposals=next(iter(data.boxes_used(("train",))), "grid"),  # of most clips
            clip_seconds=None if clip_seconds is None else list(clip_seconds),
            test_count=data.settings.test_count,
            test_clips=data.settings.test_clips,
            test_seed=data.seed,
            test_proposals=data.settings.proposals,
            kept_frames=0 if data.kept is None else data.settings.keep_frames,
            kept_short=0 if data.kept is None else data.settings.kept_short,
            most_frequent=None if most_frequent is None else most_frequent.to_json(),
            data=dict(section),
            domain=domain,
            name=name,
        )
        made.network.load_state_dict(network.state_dict())
        return made.eval()

    def described(self) -> str:
        return default_card(self)

    # -- scores ---------------------------------------------------------------------------------------------------

    def frames_of(self, name: str, length: int, test: int | None) -> NDArray[np.int64]:
        """Frames of the deterministic clip (``test`` None) or of a test clip of a video; see the specification, A23."""
        sampling = self.preparation.sampling
        if test is None:
            return sampling.centre(length)
        if self.test_clips == "offsets":
            return sampling.offset(length, test, self.test_count)
        return sampling.drawn(length, generator(self.test_seed, "test", name, test))

    def tested(self, clip: VideoClip) -> FrameReader:
        """A video as the run tested its own: with these boxes, thinned where that was."""
        boxes = proposals_of(clip, self.test_proposals, self.preparation.boxes)
        if not self.kept_frames:
            return OpenedClip(clip.source, boxes)
        return kept_clip(clip, boxes, short=self.kept_short, most=self.kept_frames, boxes=self.preparation.boxes)

    def prepared(
        self, name: str, reader: FrameReader, indices: NDArray[np.int64] | None = None, label: int = -1
    ) -> PreparedClip:
        """A clip as the network takes it: these frames, or those of the deterministic clip."""
        if indices is None:
            indices = self.frames_of(name, reader.frame_count, None)
        return self.preparation.centred(name, label, reader, indices)

    @torch.inference_mode()
    def outputs(self, clips: Sequence[PreparedClip], structure: Structure | None = None) -> VideoOutput:
        """Logits, structure weights and structures of prepared clips, on the CPU.

        Args:
            structure: used for every clip instead of its own.
        """
        device = next(self.parameters()).device
        was_training = self.training
        self.eval()
        try:
            batch = collate(clips).to(device)
            forced = None if structure is None else [structure]
            found = self.network(batch.clips(), batch.boxes, structures=forced)
        finally:
            self.train(was_training)

        def home(tensor: Tensor | None) -> Tensor | None:
            return None if tensor is None else tensor.cpu()

        return VideoOutput(found.logits.float().cpu(), home(found.weights), home(found.choices))

    # -- answers --------------------------------------------------------------------------------------------------

    def predict(
        self,
        video: str | Path | VideoClip,
        *,
        proposals: FrameBoxes | Literal["given", "grid"] = "given",
        stride: float | None = None,
        structure: Structure | None = None,
        top: int = 5,
    ) -> Prediction:
        """Name the interaction in a clip, or the intervals of a long video.

        Args:
            video: a video file, a folder of its frames, or a clip of a data set.
            proposals: boxes of the video; "given": those that a clip brings along, else the grid.
            stride: seconds between windows on a long video; a quarter of the window by default.
            structure: used instead of the clip's own.
            top: number of labels in each answer, runners-up included.

        Raises:
            InterplayError: the video cannot be read.
        """
        from interplay.video.windows import predict_clip

        clip = video if isinstance(video, VideoClip) else VideoClip(str(video), open_video(video))
        return predict_clip(self, clip, proposals=proposals, stride=stride, structure=structure, top=top)
