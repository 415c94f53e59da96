"""A trained me-GCN with everything it needs to answer: the model folder, loaded.

The folder holds ``config.json``, ``model.safetensors`` (float16 or float32) and ``README.md``, the model card;
huggingface_hub's mixin reads and writes it, so a folder, a shipped name and a hub id load alike.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import ArrayLike
from torch import Tensor, nn

from interplay.data.clips import SkeletonClip
from interplay.errors import InterplayError
from interplay.graph.layouts import SkeletonLayout
from interplay.interactions import Prediction
from interplay.skeleton.augmentation import views
from interplay.skeleton.card import default_card
from interplay.skeleton.inputs import InputSettings, check_clip, pad_clips
from interplay.skeleton.network import MutualExcitationGCN
from interplay.skeleton.transforms import network_input
from interplay.training.model_folder import FolderModel, check_format
from interplay.training.running import tuples

if TYPE_CHECKING:
    from interplay.skeleton.streaming import Stream

FORMAT = 1
"""Version of the model folder's config; a folder of a later one is refused by name."""


class SkeletonRecogniser(
    FolderModel,
    library_name="interplay",
    tags=["skeleton", "interaction-recognition", "me-gcn"],
):
    """One or more networks (one per stream set), their input settings, and the names of the classes.

    With one network and one view of a clip the scores are its logits; with several networks (joint, bone, motion …
    trained apart) or views (:class:`~interplay.skeleton.inputs.InputSettings`) they are the logarithm of the mean of
    the softmax probabilities.

    Args:
        networks: per network ``{"streams": [...], "model": {constructor arguments of MutualExcitationGCN}}``.
        classes: names, in the order of the logits.
        layout: the joint layout in its dictionary form.
        input: see :class:`~interplay.skeleton.inputs.InputSettings`.
        entity_names: what the two entities are called.
        frames_per_second: of the training recordings, or None.
        clip_seconds: (median, longest) duration of the training clips; a recording much longer than the longest is
            scanned with windows of the median length.
        unknown_threshold: an answer whose best probability lies below is "none of the known interactions"; None
            turns that answer off.
        data: data set settings that the model was trained with; ``interplay evaluate`` takes its defaults from it.
        domain: what the training data were, in words; part of the notes when it is the simulator.
        name: how answers name the model.
        format: version of this config.
    """

    def __init__(
        self,
        *,
        networks: Sequence[dict[str, Any]],
        classes: Sequence[str],
        layout: dict[str, Any],
        input: dict[str, Any],
        entity_names: Sequence[str] = ("person", "person"),
        frames_per_second: float | None = None,
        clip_seconds: Sequence[float] | None = None,
        unknown_threshold: float | None = None,
        data: dict[str, Any] | None = None,
        domain: str = "",
        name: str = "megcn",
        format: int = FORMAT,
    ) -> None:
        super().__init__()
        check_format(format, FORMAT)
        if not networks:
            raise InterplayError("model config: found no network, expected at least one")
        self.layout = SkeletonLayout.from_dict(layout, where="model config: layout")
        self.settings = InputSettings.from_dict(input)
        self.classes = tuple(classes)
        self.entity_names = tuple(entity_names)
        self.frames_per_second = frames_per_second
        self.clip_seconds = None if clip_seconds is None else (float(clip_seconds[0]), float(clip_seconds[1]))
        self.unknown_threshold = unknown_threshold
        self.data = dict(data or {})
        self.domain = domain
        self.name = name
        self.card = ""
        self._stream: Stream | None = None
        self._fast: tuple[tuple[tuple[int, int], ...], list[nn.Module]] | None = None
        self.streams = tuple(tuple(entry["streams"]) for entry in networks)
        self.networks = nn.ModuleList(
            MutualExcitationGCN(
                len(self.classes), self.layout, in_channels=3 * len(entry["streams"]), **tuples(entry["model"])
            )
            for entry in networks
        )

    # -- scores ---------------------------------------------------------------------------------------------------

    def inputs(
        self, clips: Sequence[SkeletonClip], streams: Sequence[str]
    ) -> Float[Tensor, "batch channel time joint 2"]:
        """The tensor that a network sees: cropped, resized, centred, streams stacked on channels."""
        padded, lengths = self._padded(clips)
        return network_input(padded, lengths, self.settings, streams, self.layout)

    def _padded(self, clips: Sequence[SkeletonClip]) -> tuple[Tensor, Tensor]:
        for clip in clips:
            check_clip(clip, self.layout)
        return pad_clips(clips, self.settings)

    def forward(self, clips: Sequence[SkeletonClip]) -> Float[Tensor, "batch class"]:
        """Logits of a batch of clips."""
        return self._logits(clips, self.networks)

    def _logits(self, clips: Sequence[SkeletonClip], networks: Iterable[nn.Module]) -> Float[Tensor, "batch class"]:
        device = next(self.parameters()).device
        padded, lengths = self._padded(clips)
        looks = views(padded.to(device), lengths.to(device), self.settings.views, self.layout)
        outputs = [
            network(network_input(look, length, self.settings, streams, self.layout))
            for network, streams in zip(networks, self.streams, strict=True)
            for look, length in looks
        ]
        return average(outputs)

    def _fused(self) -> list[nn.Module]:
        """The networks in their form for inference, made again only when a weight has changed or moved."""
        tensors = chain(self.networks.parameters(), self.networks.buffers())
        state = tuple((tensor.data_ptr(), tensor._version) for tensor in tensors)
        if self._fast is None or self._fast[0] != state:
            self._fast = (
                state,
                [network.fused() for network in self.networks if isinstance(network, MutualExcitationGCN)],
            )
        return self._fast[1]

    @torch.inference_mode()
    def scores(self, clips: Iterable[SkeletonClip], batch_size: int = 32) -> Float[np.ndarray, "clip class"]:
        """Logits of any number of clips, ``batch_size`` at a time, in evaluation mode."""
        was_training = self.training
        self.eval()
        try:
            networks = self._fused()
            rows = [self._logits(batch, networks).float().cpu().numpy() for batch in _batches(clips, batch_size)]
        finally:
            self.train(was_training)
        return np.concatenate(rows) if rows else np.zeros((0, len(self.classes)), np.float32)

    def probabilities(self, clips: Iterable[SkeletonClip], batch_size: int = 32) -> Float[np.ndarray, "clip class"]:
        """Softmax of :meth:`scores`."""
        logits = self.scores(clips, batch_size).astype(np.float64)
        exponentials = np.exp(logits - logits.max(axis=1, keepdims=True, initial=-np.inf))
        return np.asarray(exponentials / exponentials.sum(axis=1, keepdims=True))

    # -- answers --------------------------------------------------------------------------------------------------

    def predict(
        self,
        recording: SkeletonClip | str | Path,
        *,
        layout: str | Path | SkeletonLayout | None = None,
        frames_per_second: float | None = None,
        stride: float | None = None,
        top: int = 5,
    ) -> Prediction:
        """Name the interactions in a clip or a file.

        A recording no longer than the training clips is answered as one interaction; a longer one is scanned with
        sliding windows and answered as intervals (:mod:`interplay.evaluation.scanning`).

        Args:
            recording: a clip, or a file in any of the formats of ``docs/data.md`` that holds one clip.
            layout, frames_per_second: of the file, where the format does not say.
            stride: seconds between windows; a quarter of the window by default.
            top: number of labels in each answer, runners-up included.

        Raises:
            InterplayError: the file cannot be read, or its joints cannot be mapped to the model's layout.
        """
        from interplay.skeleton.prediction import predict_one

        return predict_one(self, recording, layout=layout, frames_per_second=frames_per_second, stride=stride, top=top)

    def stream(
        self,
        *,
        frames_per_second: float | None = None,
        window: float | None = None,
        stride: float | None = None,
        layout: str | None = None,
        top: int = 5,
    ) -> Stream:
        """Follow a live recording frame by frame; see :class:`~interplay.skeleton.streaming.Stream`."""
        from interplay.skeleton.streaming import Stream

        return Stream(self, frames_per_second=frames_per_second, window=window, stride=stride, layout=layout, top=top)

    def update(self, frame: ArrayLike) -> Prediction | None:
        """One frame (M, V, 3) of a live recording, with the defaults of :meth:`stream`: an answer, or None."""
        if self._stream is None:
            self._stream = self.stream()
        return self._stream.update(frame)

    def described(self) -> str:
        return default_card(self)


def average(outputs: Sequence[Float[Tensor, "batch class"]]) -> Float[Tensor, "batch class"]:
    """Logits of one output; of several, the logarithm of the mean of their softmax probabilities."""
    if len(outputs) == 1:
        return outputs[0].float()
    return torch.stack([output.float().softmax(-1) for output in outputs]).mean(0).clamp_min(1e-12).log()


def _batches(clips: Iterable[SkeletonClip], size: int) -> Iterator[list[SkeletonClip]]:
    iterator = iter(clips)
    while batch := list(islice(iterator, size)):
        yield batch
