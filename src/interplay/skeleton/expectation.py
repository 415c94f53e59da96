"""What a run is going to cost, said before it starts."""

from __future__ import annotations

import copy
import time
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from interplay.skeleton.datamodule import SkeletonData
from interplay.training.settings import TrainingSettings

_TIMED_CLIPS = 16


@dataclass(frozen=True)
class Expectation:
    """Cost of a run.

    Args:
        train_clips, test_clips: clips of each part.
        epochs, steps: passes, and batches in each.
        batch_size: clips in a batch.
        parameters: trained numbers.
        macs: multiply–adds of the convolutions and matrix products for one clip, forward.
        clips_per_second: measured on a few clips, forward and backward; None if it was not measured.
        evaluations: how often the test clips are evaluated.
        device: what it runs on, in words.
        world: processes that share the work.
    """

    train_clips: int
    test_clips: int
    epochs: int
    steps: int
    batch_size: int
    parameters: int
    macs: int
    clips_per_second: float | None
    evaluations: int
    device: str
    world: int = 1

    @property
    def total_macs(self) -> float:
        """Multiply–adds of the whole run: a backward pass costs two forward ones."""
        return float(self.macs) * (3 * self.epochs * self.steps * self.batch_size + self.evaluations * self.test_clips)

    @property
    def seconds(self) -> float | None:
        if not self.clips_per_second or not self.macs:
            return None
        return self.total_macs / (3 * self.macs) / self.clips_per_second / self.world

    def __str__(self) -> str:
        work = (
            f"{self.train_clips} training and {self.test_clips} test clips, {self.epochs} epochs of {self.steps} "
            f"batches of {self.batch_size}; {self.parameters:,} parameters, {self.macs / 1e9:.3g} GMAC a clip, "
            f"{self.total_macs / 1e12:.3g} TMAC in all"
        )
        if self.seconds is None:
            return work
        where = self.device if self.world == 1 else f"{self.world} × {self.device}"
        return f"{work}; expected {_duration(self.seconds)} on {where}, measured at {self.clips_per_second:.3g} clips/s"


def _duration(seconds: float) -> str:
    for limit, unit, size in ((100, "s", 1), (6000, "min", 60), (172_800, "h", 3600)):
        if seconds < limit:
            return f"{max(1, round(seconds / size))} {unit}"
    return f"{seconds / 86_400:.1f} days"


def expectation(network: nn.Module, data: SkeletonData, training: TrainingSettings, precision: Any) -> Expectation:
    """Count and time a copy of the network on a few clips; the network itself and all random states stay untouched.

    Args:
        network: untrained.
        data: of the run.
        training: of the recipe.
        precision: Lightning's precision plugin, for its autocast.
    """
    device = _device(training)
    batch = data.evaluation_batch("train", 0)
    clips = batch.clips[:_TIMED_CLIPS]
    labels = batch.labels[:_TIMED_CLIPS].clamp_min(0)
    with torch.random.fork_rng(devices=[]):
        twin = copy.deepcopy(network)
        twin.eval()
        with FlopCounterMode(display=False) as counter, torch.no_grad():
            twin(clips[:1])
        twin.to(device).train()
        clips, labels = clips.to(device), labels.to(device)
        _step(twin, clips, labels, precision)
        best = min(_step(twin, clips, labels, precision) for _ in range(2))
    evaluations = -(-training.epochs // training.evaluate_every)
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else f"CPU, {torch.get_num_threads()} threads"
    return Expectation(
        train_clips=len(data.parts["train"]),
        test_clips=len(data.parts["test"]),
        epochs=training.epochs,
        steps=data.steps,
        batch_size=data.batch_size,
        parameters=sum(parameter.numel() for parameter in network.parameters()),
        macs=counter.get_total_flops() // 2,
        clips_per_second=len(clips) / best,
        evaluations=evaluations,
        device=name,
        world=data.world,
    )


def _device(training: TrainingSettings) -> torch.device:
    use_gpu = training.accelerator != "cpu" and torch.cuda.is_available()
    return torch.device("cuda" if use_gpu else "cpu")


def _step(network: nn.Module, clips: Tensor, labels: Tensor, precision: Any) -> float:
    started = time.perf_counter()
    with precision.forward_context():
        loss = nn.functional.cross_entropy(network(clips).float(), labels)
    torch.autograd.backward(loss)
    if clips.is_cuda:
        torch.cuda.synchronize()
    return time.perf_counter() - started
