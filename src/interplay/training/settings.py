"""What a recipe says about optimisation and about the run: plain values, checked before anything heavy is imported."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args, get_origin, get_type_hints

from interplay.errors import InterplayError


def require(good: bool, key: str, found: object, expected: str) -> None:
    """InterplayError naming a recipe key, unless ``good``."""
    if not good:
        raise InterplayError(f"{key}: found {found}, expected {expected}")


def require_choices(settings: object, section: str) -> None:
    """InterplayError naming the recipe key, unless every field of a dataclass with a ``Literal`` type has one of its
    values; what comes from a recipe was checked already, what comes from Python was not."""
    for name, kind in get_type_hints(type(settings)).items():
        if get_origin(kind) is Literal:
            found, known = getattr(settings, name), get_args(kind)
            require(found in known, f"{section}.{name}", repr(found), f"one of {', '.join(map(str, known))}")


@dataclass(frozen=True)
class OptimiserSettings:
    """Stochastic gradient descent and its learning rate over the epochs (me-GCN, §IV-B, and its specification §5).

    Args:
        lr: learning rate after the warm-up.
        momentum: of the gradient's running sum.
        nesterov: look ahead by one step of the momentum.
        weight_decay: of every parameter.
        warmup_epochs: n; epoch e < n runs at lr·(e + 1)/n.
        schedule: "step" multiplies by gamma at each milestone; "cosine" falls from lr to lr·final over the epochs
            that follow the warm-up.
        milestones: epochs, counted from 0, at which "step" changes the rate.
        gamma: factor of "step".
        final: share of lr in the last epoch of "cosine".
        label_smoothing: share of the target spread evenly over all classes.
        average: decay per step of an exponential moving average of the weights, which is what evaluation and the
            saved model then use; 0 switches it off.
    """

    lr: float = 0.01
    momentum: float = 0.9
    nesterov: bool = True
    weight_decay: float = 0.0004
    warmup_epochs: int = 5
    schedule: Literal["step", "cosine"] = "step"
    milestones: Sequence[int] = (35, 55)
    gamma: float = 0.1
    final: float = 0.01
    label_smoothing: float = 0.0
    average: float = 0.0

    def __post_init__(self) -> None:
        require(math.isfinite(self.lr) and self.lr > 0, "optimiser.lr", self.lr, "a positive number")
        require(0 <= self.momentum < 1, "optimiser.momentum", self.momentum, "a number in [0, 1)")
        require(
            not self.nesterov or self.momentum > 0,
            "optimiser.nesterov",
            "true with momentum 0",
            "a positive momentum, or false",
        )
        require(self.weight_decay >= 0, "optimiser.weight_decay", self.weight_decay, "a number ≥ 0")
        require(self.warmup_epochs >= 0, "optimiser.warmup_epochs", self.warmup_epochs, "a number of epochs ≥ 0")
        require(
            list(self.milestones) == sorted(set(self.milestones)) and all(epoch > 0 for epoch in self.milestones),
            "optimiser.milestones",
            list(self.milestones),
            "rising epochs, counted from 0",
        )
        require(0 < self.gamma <= 1, "optimiser.gamma", self.gamma, "a number in (0, 1]")
        require(0 <= self.final <= 1, "optimiser.final", self.final, "a share in [0, 1]")
        require(0 <= self.label_smoothing < 1, "optimiser.label_smoothing", self.label_smoothing, "a share in [0, 1)")
        require(0 <= self.average < 1, "optimiser.average", self.average, "a decay in [0, 1)")


@dataclass(frozen=True)
class TrainingSettings:
    """How long, how precisely and on what a run trains.

    Args:
        epochs: passes over the training clips; 0 tests the starting weights.
        seed: of the initial weights, the order of the clips and every augmentation. The draws for a clip depend on
            (seed, epoch, clip) alone, so that an interrupted run continues as if nothing had happened.
        start_from: shipped name or folder of a trained model to begin with: every weight whose name and shape fit is
            taken from it (of its networks, the one with the same streams), the rest starts anew. For little data.
        precision: "32-true", "bf16-mixed" (about twice as fast; weights stay float32), "16-mixed" (CUDA only) or
            "64-true".
        gradient_clip: largest norm of the gradient; 0 switches clipping off.
        evaluate_every: epochs between two evaluations; the last epoch is always evaluated.
        monitor: metric by which the best epoch is chosen and early stopping decides: PART_loss, PART_top1 or
            PART_mean_class with PART test or validation. None: top-1 on the validation clips where the data set has
            them, else on the test clips.
        early_stop: evaluations without a better monitored metric after which the run ends; 0 switches it off.
        score_train: write the scores of the training clips too when the run ends.
        accelerator: "cpu", "gpu", or "auto" for the best there is.
        devices: processes on this machine, one device each; a launcher (torchrun, SLURM) overrides it.
        nodes: machines; a launcher overrides it.
        sync_batchnorm: share batch statistics between processes.
        deterministic: forbid operations whose result changes from run to run (CUDA; slower).
        tensorboard: write TensorBoard logs beside metrics.csv.
    """

    epochs: int = 65
    seed: int = 1
    start_from: str | None = None
    precision: Literal["32-true", "bf16-mixed", "16-mixed", "64-true"] = "32-true"
    gradient_clip: float = 0.0
    evaluate_every: int = 1
    monitor: str | None = None
    early_stop: int = 0
    score_train: bool = True
    accelerator: Literal["auto", "cpu", "gpu"] = "auto"
    devices: int = 1
    nodes: int = 1
    sync_batchnorm: bool = False
    deterministic: bool = False
    tensorboard: bool = True

    def __post_init__(self) -> None:
        require(self.epochs >= 0, "training.epochs", self.epochs, "at least 0")
        require(0 <= self.seed < 2**32, "training.seed", self.seed, "an integer from 0 to 2³²−1")
        require(self.gradient_clip >= 0, "training.gradient_clip", self.gradient_clip, "a norm ≥ 0")
        require(self.evaluate_every >= 1, "training.evaluate_every", self.evaluate_every, "at least 1 epoch")
        require(self.early_stop >= 0, "training.early_stop", self.early_stop, "a number of evaluations ≥ 0")
        require(self.devices >= 1, "training.devices", self.devices, "at least 1")
        require(self.nodes >= 1, "training.nodes", self.nodes, "at least 1")
