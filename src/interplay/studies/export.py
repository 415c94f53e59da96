"""A trained model as ONNX, compared with PyTorch before anybody relies on it."""

from __future__ import annotations

from pathlib import Path

import torch

from interplay.errors import InterplayError
from interplay.loading import Recogniser
from interplay.scene.recogniser import SceneRecogniser
from interplay.skeleton.export_onnx import export_onnx
from interplay.skeleton.network import MutualExcitationGCN
from interplay.skeleton.recogniser import SkeletonRecogniser
from interplay.video.recogniser import VideoRecogniser

TOLERANCE = 1e-3
"""Largest difference of a logit between PyTorch and ONNX that is taken for rounding."""


def export(recogniser: Recogniser, path: Path) -> list[tuple[Path, float]]:
    """Write a model, whatever its kind: the networks of one for skeletons, the relation head of one for pictures, the
    network of one for videos with the structure of the most training videos.

    Returns:
        (file, largest difference between PyTorch and onnxruntime).

    Raises:
        InterplayError: it cannot be exported, or the two disagree.
    """
    if isinstance(recogniser, SceneRecogniser):
        return export_scenes(recogniser, path)
    if isinstance(recogniser, VideoRecogniser):
        from interplay.video.export_onnx import export_structure

        return [(path, export_structure(recogniser.network, recogniser.most_frequent, path))]
    assert isinstance(recogniser, SkeletonRecogniser)
    return export_skeletons(recogniser, path)


def export_scenes(recogniser: SceneRecogniser, path: Path) -> list[tuple[Path, float]]:
    """The relation head on given features (:mod:`interplay.scene.export_onnx`)."""
    from interplay.scene.export_onnx import export_head

    settings, classes = recogniser.settings, len(recogniser.vocabulary.classes)
    widths = settings.width, settings.width
    difference = export_head(
        recogniser.network.head, recogniser.head_name, settings.task, widths, classes, path, tolerance=TOLERANCE
    )
    return [(path, difference)]


def export_skeletons(recogniser: SkeletonRecogniser, path: Path) -> list[tuple[Path, float]]:
    """Write each network of a model; of several, the streams go into the file's name.

    Returns:
        (file, largest difference between PyTorch's logits and onnxruntime's on inputs of several sizes).

    Raises:
        InterplayError: the two disagree by more than :data:`TOLERANCE`.
    """
    done = []
    for network, streams in zip(recogniser.networks, recogniser.streams, strict=True):
        assert isinstance(network, MutualExcitationGCN)
        several = len(recogniser.networks) > 1
        target = path.with_name(f"{path.stem}-{'-'.join(streams)}{path.suffix}") if several else path
        export_onnx(network, target)
        difference = compare(network, target, channels=3 * len(streams), window=recogniser.settings.window)
        if not difference <= TOLERANCE:
            raise InterplayError(
                f"{target}: its logits differ from PyTorch's by {difference:.2e}, expected at most {TOLERANCE:.0e}"
            )
        done.append((target, difference))
    return done


def compare(network: MutualExcitationGCN, path: Path, channels: int, window: int) -> float:
    """Largest difference between the logits of PyTorch and of an ONNX file on random inputs of several sizes."""
    import onnxruntime

    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    generator = torch.Generator().manual_seed(0)
    worst = 0.0
    network.eval()
    for batch, frames in ((1, window), (3, window), (2, window + 12)):
        x = torch.randn(batch, channels, frames, network.layout.joint_count, 2, generator=generator)
        with torch.no_grad():
            expected = network(x)
        (logits,) = session.run(None, {name: x.numpy()})
        worst = max(worst, float((torch.from_numpy(logits) - expected).abs().max()))
    return worst
