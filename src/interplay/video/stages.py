"""How the four stages train, and the rules by which they slow down and end (AGOS paper §3.4; specification §7).

1. backbone and a classifier on its mean;
2. the search: graph operations and structure weights in turns, backbone frozen;
3. the graph part with the discrete structures that the structure weights now name;
4. backbone and graph part together, structure weights still fixed.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from interplay.training.settings import require, require_choices

Alternation = Literal["parity", "same_batch"]


@dataclass(frozen=True)
class Pretraining:
    """Stage 1: backbone and a classifier on the mean of its map. The rate falls by half a cosine, step for step.

    The paper does not say how its backbone was fine-tuned; the numbers are ours.

    Args:
        epochs: passes over the training clips.
        lr: rate after the warm-up.
        momentum: of the gradient's running sum.
        weight_decay: of every parameter.
        warmup_epochs: over which the rate rises from 0.
        dropout: of the mean feature before the classifier.
        label_smoothing: share of the target spread evenly over all classes.
        fixed_layers: parts of the backbone that stay as they are: −1 none, 0 the stem, k also the first k stages. For a
            backbone that begins with weights of ImageNet the release keeps the stem.
        train_norms: batch norms use and update batch statistics.
        still_start: the classifier begins with small weights and the last batch norm of every block with gain 0, so
            that the network begins as its shortcuts. A backbone that has weights from elsewhere (backbone.weights,
            training.structure_from) keeps its gains.
        batch_size: clips per step; None for input.batch_size.
    """

    epochs: int = 50
    lr: float = 0.01
    momentum: float = 0.9
    weight_decay: float = 0.0005
    warmup_epochs: float = 0.0
    dropout: float = 0.5
    label_smoothing: float = 0.0
    fixed_layers: int = -1
    train_norms: bool = True
    still_start: bool = False
    batch_size: int | None = None

    def __post_init__(self) -> None:
        _optimiser("stage1", self)
        require(self.warmup_epochs >= 0, "stage1.warmup_epochs", self.warmup_epochs, "a number of epochs ≥ 0")
        require(0 <= self.dropout < 1, "stage1.dropout", self.dropout, "a share in [0, 1)")
        require(0 <= self.label_smoothing < 1, "stage1.label_smoothing", self.label_smoothing, "a share in [0, 1)")

    def rate(self, step: int, steps: int, per_epoch: int) -> float:
        """Rate of a step of a stage of ``steps`` steps: lr · min(1, (t + 1)/w) · (1 + cos(π t/T)) / 2."""
        warm = self.warmup_epochs * per_epoch
        rise = min(1.0, (step + 1) / warm) if warm > 0 else 1.0
        return self.lr * rise * 0.5 * (1 + math.cos(math.pi * min(1.0, step / max(1, steps))))


@dataclass(frozen=True)
class Search:
    """Stage 2: operations by SGD, structure weights by Adam, both on the training clips, first order.

    Also how the graph part of a model without a search (one operation, pooling over RoIs, given structure weights)
    is trained before stage 3: every batch is then a step of SGD.

    Args:
        epochs: at most; 0 leaves the stage out, where nothing is searched.
        lr, momentum, weight_decay: of SGD on operations, the layer that narrows the map, and the classifier.
        structure_lr, structure_betas, structure_weight_decay: of Adam on the structure weights.
        alternation: "parity" (release): even batches of an epoch change the operations, odd ones the structure
            weights. "same_batch": one backward pass, both optimisers.
        diversity: weight of the loss that keeps the operations in use apart (Eq. 13); 0 switches it off.
        identity_decay: dropout behind identity (A15) stays "constant", or falls by the same amount in every epoch,
            "linear": p·(1 − e/epochs) in epoch e, as in P-DARTS; model.identity_dropout is p.
        patience, factor: SGD's rate is multiplied by ``factor`` after more than ``patience`` evaluations without a
            lower validation loss.
        stable_share, stable_epochs: the search ends when fewer than this share of the watched training clips changed
            their structure in each of so many epochs; 0 epochs: it never ends early.
        watched: training clips whose structures are watched.
        keep_draws: backbone maps of so many fixed draws per training clip are kept on disk and used instead of
            running the backbone, in this stage and the next; 0 runs it on a new draw in every epoch, and so it is
            where parts of the backbone train (backbone.fixed_layers).
        batch_size: clips per step; None for input.batch_size.
    """

    epochs: int = 30
    lr: float = 0.01
    momentum: float = 0.9
    weight_decay: float = 0.0001
    structure_lr: float = 0.0001
    structure_betas: Sequence[float] = (0.9, 0.999)
    structure_weight_decay: float = 0.001
    alternation: Alternation = "parity"
    diversity: float = 0.1
    identity_decay: Literal["constant", "linear"] = "constant"
    patience: int = 10
    factor: float = 0.1
    stable_share: float = 0.02
    stable_epochs: int = 2
    watched: int = 2000
    keep_draws: int = 0
    batch_size: int | None = None

    def __post_init__(self) -> None:
        require_choices(self, "stage2")
        _optimiser("stage2", self, least=0)
        require(self.structure_lr > 0, "stage2.structure_lr", self.structure_lr, "a positive rate")
        betas = list(self.structure_betas)
        good = len(betas) == 2 and all(0 <= beta < 1 for beta in betas)
        require(good, "stage2.structure_betas", betas, "two numbers in [0, 1)")
        require(self.structure_weight_decay >= 0, "stage2.structure_weight_decay", self.structure_weight_decay, "≥ 0")
        require(self.diversity >= 0, "stage2.diversity", self.diversity, "a weight ≥ 0")
        _plateau("stage2", self.patience, self.factor)
        require(0 <= self.stable_share <= 1, "stage2.stable_share", self.stable_share, "a share in [0, 1]")
        require(self.stable_epochs >= 0, "stage2.stable_epochs", self.stable_epochs, "a number of epochs ≥ 0")
        require(self.watched >= 1, "stage2.watched", self.watched, "at least 1 clip")
        require(self.keep_draws >= 0, "stage2.keep_draws", self.keep_draws, "a number of draws ≥ 0")

    def identity_dropout(self, start: float, epoch: int) -> float:
        """Probability behind identity in an epoch of the search."""
        return start if self.identity_decay == "constant" else start * (1 - epoch / self.epochs)


@dataclass(frozen=True)
class Refinement:
    """Stages 3 and 4: SGD whose rate falls on plateaus of the validation loss, and that ends on one.

    Args:
        epochs: at most; 0 leaves the stage out.
        lr: rate at the start; stage 3 begins at 1e-3, stage 4 at 1e-4.
        momentum, weight_decay: of SGD.
        patience, factor: the rate is multiplied by ``factor`` after more than ``patience`` evaluations without a
            lower loss, and not below ``lowest``.
        lowest: the rate at which the stage may end.
        flat: evaluations without a lower loss, at the lowest rate, after which it ends; 0: it never ends early.
        fresh: operations, narrowing layer and classifier begin anew; only the backbone and the structure weights come
            from the stage before (A20).
        fixed_layers: of stage 4: parts of the backbone that stay as they are: −1 none, 0 the stem, k also the first k
            stages.
        batch_size: clips per step; None for input.batch_size.
    """

    epochs: int = 50
    lr: float = 0.001
    momentum: float = 0.9
    weight_decay: float = 0.0001
    patience: int = 5
    factor: float = 0.1
    lowest: float = 0.0001
    flat: int = 5
    fresh: bool = False
    fixed_layers: int = 0
    batch_size: int | None = None

    def __post_init__(self) -> None:
        _optimiser("stage3 or stage4", self, least=0)
        _plateau("stage3 or stage4", self.patience, self.factor)
        require(self.lowest > 0, "stage3 or stage4 .lowest", self.lowest, "a positive rate")
        require(self.flat >= 0, "stage3 or stage4 .flat", self.flat, "a number of epochs ≥ 0")


def _optimiser(where: str, settings: Pretraining | Search | Refinement, least: int = 1) -> None:
    require(settings.epochs >= least, f"{where}.epochs", settings.epochs, f"at least {least}")
    require(math.isfinite(settings.lr) and settings.lr > 0, f"{where}.lr", settings.lr, "a positive rate")
    require(0 <= settings.momentum < 1, f"{where}.momentum", settings.momentum, "a number in [0, 1)")
    require(settings.weight_decay >= 0, f"{where}.weight_decay", settings.weight_decay, "a number ≥ 0")
    size = settings.batch_size
    require(size is None or size >= 1, f"{where}.batch_size", size, "at least 1")


def _plateau(where: str, patience: int, factor: float) -> None:
    require(patience >= 0, f"{where}.patience", patience, "a number of epochs ≥ 0")
    require(0 < factor < 1, f"{where}.factor", factor, "a number in (0, 1)")


@dataclass
class Plateau:
    """A rate that falls when a loss no longer does: PyTorch's ReduceLROnPlateau, with an end.

    A loss counts as lower when it is below best · (1 − threshold). After more than ``patience`` epochs that are not,
    the rate is multiplied by ``factor``, though not below ``lowest``; ``ended`` says that the rate is at its lowest
    and ``flat`` epochs in a row were not lower.

    Its state is :meth:`state`, plain numbers, so that a resumed stage goes on as if nothing had happened.
    """

    rate: float
    factor: float = 0.1
    patience: int = 5
    lowest: float = 0.0
    flat: int = 0
    threshold: float = 1e-4
    best: float = field(default=math.inf)
    waited: int = 0

    def step(self, loss: float) -> None:
        """Take note of the loss of an epoch that was evaluated."""
        if loss < self.best * (1 - self.threshold):
            self.best, self.waited = loss, 0
            return
        self.waited += 1
        if self.waited > self.patience and self.rate > self.lowest * (1 + 1e-9):
            self.rate = max(self.rate * self.factor, self.lowest)
            self.waited = 0

    @property
    def ended(self) -> bool:
        return self.flat > 0 and self.rate <= self.lowest * (1 + 1e-9) and self.waited >= self.flat

    def state(self) -> dict[str, Any]:
        return {"rate": self.rate, "best": self.best, "waited": self.waited}

    def load(self, state: dict[str, Any]) -> None:
        self.rate, self.best, self.waited = float(state["rate"]), float(state["best"]), int(state["waited"])


@dataclass
class Stability:
    """Have the structures settled? The search ends after ``epochs`` epochs with fewer than ``share`` changed."""

    share: float = 0.02
    epochs: int = 2
    changed: list[float] = field(default_factory=list)

    def step(self, changed: float) -> None:
        """Take note of the share of watched clips whose structure is another than an epoch before."""
        self.changed.append(changed)

    @property
    def stable(self) -> bool:
        last = self.changed[-self.epochs :] if self.epochs else []
        return len(last) == self.epochs > 0 and all(value < self.share for value in last)


STAGES = {
    1: "backbone and a classifier on its mean",
    2: "graph part, backbone frozen",
    3: "discrete structures, backbone frozen",
    4: "backbone and graph part together",
}
"""What each stage trains; stage 2 is the search where there is one."""
