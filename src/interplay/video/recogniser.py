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

from interplay.data.proposals import Proposals
from interplay.data.video_files import open_video
from interplay.data.videos import VideoClip
from interplay.errors import InterplayError
from interplay.interactions import Prediction
from interplay.training.draws import generator
from interplay.training.model_folder import FolderModel
from interplay.training.running import plain, tuples
from interplay.video.card import default_card
from interplay.video.datamodule import VideoData
from interplay.video.network import AGOS, VideoOutput
from interplay.video.preparation import ClipPreparation, OpenedClip, PreparedClip, collate
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
        most_frequent: dict[str, Any] | None = None,
        data: dict[str, Any] | None = None,
        domain: str = "",
        name: str = "agos",
        system: str = "agos",
        format: int = FORMAT,
    ) -> None:
        super().__init__()
        if format != FORMAT:
            raise InterplayError(f"model config: found format {format}, expected {FORMAT}; a newer Interplay wrote it")
        if system != "agos":
            raise InterplayError(f"model config: found system {system!r}, expected 'agos'")
        self.classes = tuple(classes)
        self.preparation = ClipPreparation(**tuples(preparation))
        self.proposals, self.test_count = proposals, test_count
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
        kind = data.dataset.proposals_kind
        made = cls(
            classes=list(data.dataset.classes),
            model=plain(asdict(network.model)),
            backbone=plain(asdict(replace(network.backbone.settings, weights=None))),
            preparation=plain(asdict(data.preparation)),
            proposals="grid" if data.settings.proposals == "grid" or kind == "none" else kind,
            clip_seconds=None if clip_seconds is None else list(clip_seconds),
            test_count=data.settings.test_count,
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

    def frames_of(self, name: str, length: int, test: int | None, seed: int = 0) -> NDArray[np.int64]:
        """Frames of the deterministic clip (``test`` None) or of a test clip of a video; see the specification, A23."""
        sampling = self.preparation.sampling
        return sampling.centre(length) if test is None else sampling.drawn(length, generator(seed, "test", name, test))

    def prepared(
        self, name: str, reader: OpenedClip, indices: NDArray[np.int64] | None = None, label: int = -1
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
        proposals: Proposals | Literal["given", "grid"] = "given",
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
