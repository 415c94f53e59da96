"""AGOS under Lightning: what one step of each stage trains, and what is logged of the structures.

Stage 1 trains a network that pools the backbone's map; the later stages train the graph part on it. Logged per epoch:
``train_loss``, ``train_top1`` (while the weights change); ``PART_loss``, ``PART_top1``, ``PART_mean_class`` of the
deterministic clip of each evaluated video; and where clips have structures, of the watched training clips

- ``changed``: share whose structure is another than an epoch before,
- ``distinct``: different structures in use,
- ``entropy``: of the softmax of α over the operations, in nats, mean over clips and superedges,
- ``use_OPERATION``: share of (clip, superedge) pairs that chose it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import lightning.pytorch as pl
import torch
from lightning.pytorch.callbacks import Callback
from torch import Tensor, nn
from torch.nn import functional

from interplay.training.draws import generator
from interplay.training.tally import Tally
from interplay.video.backbone import Bottleneck
from interplay.video.datamodule import VideoData
from interplay.video.network import AGOS, VideoOutput
from interplay.video.preparation import VideoBatch
from interplay.video.stages import Plateau, Pretraining, Refinement, Search, Stability


class StageRates(Callback):
    """Have the task set the learning rates before every step."""

    def on_train_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        assert isinstance(pl_module, StageTask)
        pl_module.set_rates(batch_idx)


class StageTask(pl.LightningModule):
    """What the four stages do alike.

    Args:
        network: in evaluation mode where ``frozen`` says so.
        data: the clips; its watched parts are in the order of the loaders.
        discrete: clips are evaluated with one operation on each superedge; False: with mixtures.
        frozen: the backbone is neither trained nor are gradients kept for it.
        bf16: run the frozen backbone in bfloat16.
    """

    def __init__(
        self, network: AGOS, data: VideoData, *, discrete: bool = True, frozen: bool = False, bf16: bool = False
    ) -> None:
        super().__init__()
        self.network, self.data, self.discrete, self.frozen, self.bf16 = network, data, discrete, frozen, bf16
        self.parts = data.watched_parts
        self.plateau: Plateau | None = None
        self.stability: Stability | None = None
        self.watcher: StructureWatch | None = None
        self._held_out: float | None = None
        self._closed = -1
        self._tallies: dict[str, Tally] = {}

    # -- what a step computes -------------------------------------------------------------------------------------

    def features(self, batch: VideoBatch) -> Tensor:
        """Backbone map of a batch: kept, from the frozen backbone, or with gradients."""
        if batch.features is not None:
            return batch.features
        if not self.frozen:
            return self.network.backbone_features(batch.clips())
        return frozen_features(self.network, batch.clips(), self.bf16)

    def output(self, batch: VideoBatch, mixed: bool = False) -> VideoOutput:
        """Logits, with mixtures (search) or discrete structures."""
        features = self.features(batch)
        found: VideoOutput = self.network(None, batch.boxes, mode="search" if mixed else "discrete", features=features)
        return found

    def losses(self, batch: VideoBatch, output: VideoOutput) -> Tensor:
        """Cross-entropy of each clip, noted for the epoch's figures."""
        logits = output.logits.float()
        found = functional.cross_entropy(logits, batch.labels, reduction="none")
        self._tally("train").add(logits.detach(), batch.labels, found)
        return found

    def reached(self, loss: Tensor) -> Tensor:
        """With several processes every weight must have a gradient in every step, also those of unused operations."""
        if self.trainer.world_size == 1:
            return loss
        return loss + 0.0 * torch.stack([p.sum() for p in self.parameters() if p.requires_grad]).sum()

    def set_rates(self, number: int) -> None:
        """Learning rates of batch ``number`` of the epoch."""
        assert self.plateau is not None
        for group in self.trainer.optimizers[0].param_groups:
            group["lr"] = self.plateau.rate

    def sample_ids(self, batch: VideoBatch) -> list[str]:
        """Names of the clips in a batch."""
        return list(batch.ids)

    # -- figures of an epoch --------------------------------------------------------------------------------------

    def _tally(self, part: str) -> Tally:
        if part not in self._tallies:
            self._tallies[part] = Tally(len(self.data.dataset.classes), self.device)
        return self._tallies[part]

    def on_train_epoch_start(self) -> None:
        self._tallies.pop("train", None)
        self._held_out = None
        if self.watcher is not None:
            self.watcher.begin(self)

    def on_train_epoch_end(self) -> None:
        if self._closed >= self.current_epoch:
            return  # resumed: Lightning closes the epoch of the checkpoint once more
        self._closed = self.current_epoch
        found = self._tallies.pop("train").metrics(self.trainer.strategy)
        self.log_dict({f"train_{name}": found[name].float() for name in ("loss", "top1")}, sync_dist=True)
        if self.watcher is not None:
            figures = self.watcher.look(self)
            self.log_dict(figures, sync_dist=True)
            if self.stability is not None:
                self.stability.step(figures["changed"])
                if self.stability.stable:
                    self.trainer.should_stop = True
        if self.plateau is not None:
            # Clips held out where there are any for this, in epochs that look at them; the test clips are never asked.
            told = self._held_out if "validation" in self.parts else float(found["loss"])
            if told is not None:
                self.plateau.step(told)
            if self.plateau.ended:
                self.trainer.should_stop = True

    def on_validation_epoch_start(self) -> None:
        for part in self.parts:
            self._tallies.pop(part, None)

    def validation_step(self, batch: VideoBatch, batch_idx: int, dataloader_idx: int = 0) -> None:
        known = batch.labels >= 0
        if not bool(known.any()):
            return
        logits = self.output(batch, mixed=not self.discrete).logits.float()[known]
        labels = batch.labels[known]
        losses = functional.cross_entropy(logits, labels, reduction="none")
        self._tally(self.parts[dataloader_idx]).add(logits, labels, losses)

    def on_validation_epoch_end(self) -> None:
        for part in self.parts:
            found = self._tally(part).metrics(self.trainer.strategy)
            self._tallies.pop(part)
            if bool(torch.isfinite(found["top1"])):
                self.log_dict({f"{part}_{name}": value.float() for name, value in found.items()}, sync_dist=True)
                if part == "validation":
                    self._held_out = float(found["loss"].float())

    # -- what a checkpoint holds besides weights and optimisers -----------------------------------------------------

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        checkpoint["stage"] = {
            "closed": self._closed,
            "plateau": None if self.plateau is None else self.plateau.state(),
            "changed": None if self.stability is None else list(self.stability.changed),
            "choices": None if self.watcher is None else self.watcher.choices,
        }

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        held = checkpoint["stage"]
        self._closed = held["closed"]
        if self.plateau is not None:
            self.plateau.load(held["plateau"])
        if self.stability is not None:
            self.stability.changed = list(held["changed"])
        if self.watcher is not None:
            self.watcher.choices = held["choices"]


class PretrainingTask(StageTask):
    """Stage 1: L = −log softmax(W·dropout(mean of the map))_y, label smoothed; SGD on everything.

    Args:
        network: of the graph "global_pooling".
        settings: of the recipe.
        data: the clips.
    """

    def __init__(self, network: AGOS, settings: Pretraining, data: VideoData) -> None:
        super().__init__(network, data)
        self.settings = settings
        network.backbone.freeze(settings.fixed_layers, settings.train_norms)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return sgd([p for p in self.network.parameters() if p.requires_grad], self.settings)

    def set_rates(self, number: int) -> None:
        steps = self.data.steps
        step = self.current_epoch * steps + number
        rate = self.settings.rate(step, self.settings.epochs * steps, steps)
        for group in self.trainer.optimizers[0].param_groups:
            group["lr"] = rate

    def training_step(self, batch: VideoBatch, batch_idx: int) -> Tensor:
        # Whole channels of the map: the same as dropout of its mean, which is what the classifier sees.
        features = functional.dropout3d(self.features(batch), self.settings.dropout, training=True)
        logits = self.network(None, batch.boxes, features=features).logits.float()
        smoothing = self.settings.label_smoothing
        losses = functional.cross_entropy(logits, batch.labels, reduction="none", label_smoothing=smoothing)
        self._tally("train").add(logits.detach(), batch.labels, losses)
        return losses.mean()


class SearchTask(StageTask):
    """Stage 2: mixtures on the superedges; operations and structure weights in turns.

    L = −log softmax(z)_y + λ·L_var (Eq. 13). Even batches of an epoch are steps of SGD on the operations, the layer
    that narrows the map and the classifier; odd ones are steps of Adam on the structure weights. No gradient is
    computed for the group whose turn it is not, but where several processes train: DDP waits for every weight's
    gradient in every step, and that of the idle group is forgotten.

    Parts of the backbone that are not frozen (``backbone.fixed_layers``) train with the operations.

    Args:
        network: with the backbone of stage 1.
        settings: of the recipe.
        data: the clips.
        bf16: run the frozen backbone in bfloat16.
        gradient_clip: largest norm of the gradient of the group whose turn it is; 0 switches clipping off. The Trainer
            does not clip where a task steps by itself.
    """

    def __init__(
        self, network: AGOS, settings: Search, data: VideoData, bf16: bool = False, gradient_clip: float = 0.0
    ) -> None:
        super().__init__(network, data, frozen=network.backbone.freeze().frozen, bf16=bf16)
        self.settings, self.gradient_clip = settings, gradient_clip
        self.automatic_optimization = False
        self.plateau = Plateau(settings.lr, settings.factor, settings.patience)
        self.stability = Stability(settings.stable_share, settings.stable_epochs)
        self.watcher = StructureWatch(settings.watched)
        moving = [parameter for parameter in network.backbone.parameters() if parameter.requires_grad]
        self.groups = ([*network.operation_parameters(), *moving], network.structure_parameters())

    def configure_optimizers(self) -> list[torch.optim.Optimizer]:
        settings = self.settings
        return [
            sgd(self.groups[0], settings),
            torch.optim.Adam(
                self.groups[1],
                lr=settings.structure_lr,
                betas=(settings.structure_betas[0], settings.structure_betas[1]),
                weight_decay=settings.structure_weight_decay,
            ),
        ]

    def turn(self, number: int) -> Sequence[int]:
        """Which optimisers step with batch ``number`` of an epoch: 0 operations, 1 structure weights."""
        if self.settings.alternation == "same_batch":
            return (0, 1)
        # An epoch of a single batch would never come to the structure weights.
        return ((number if self.data.steps > 1 else self.current_epoch) % 2,)

    def training_step(self, batch: VideoBatch, batch_idx: int) -> Tensor:
        optimisers = self.optimizers()
        assert isinstance(optimisers, list)
        turn = self.turn(batch_idx)
        alone = self.trainer.world_size == 1
        self._only(turn if alone else (0, 1))
        output = self.output(batch, mixed=True)
        loss = self.losses(batch, output).mean()
        if self.settings.diversity:
            assert output.weights is not None
            loss = loss + self.settings.diversity * self.network.diversity_loss(output.weights)
        for group in turn:
            optimisers[group].zero_grad()
        self.manual_backward(self.reached(loss))
        for group in turn:
            self._clip(group)
            optimisers[group].step()
        self._only((0, 1))
        return loss.detach()

    def on_train_epoch_start(self) -> None:
        super().on_train_epoch_start()
        dropout = self.network.model.identity_dropout
        self.network.set_identity_dropout(self.settings.identity_dropout(dropout, self.current_epoch))

    def _clip(self, group: int) -> None:
        if not self.gradient_clip:
            return
        # With 16-mixed, gradients are still multiplied by the scaler's factor here; so is then their limit.
        scaler = getattr(self.trainer.precision_plugin, "scaler", None)
        factor = 1.0 if scaler is None else float(scaler.get_scale())
        nn.utils.clip_grad_norm_(self.groups[group], self.gradient_clip * factor)

    def _only(self, turn: Sequence[int]) -> None:
        """Gradients for these groups of parameters and no other."""
        for group, parameters in enumerate(self.groups):
            for parameter in parameters:
                parameter.requires_grad_(group in turn)


class DiscreteTask(StageTask):
    """Stages 3 and 4, and the first training of a graph part that is not searched: SGD on cross-entropy.

    The structure weights stay as they are; where the backbone moves, structures are computed anew in every step. Batch
    norms of the backbone are in evaluation mode unless ``backbone.train_norms``. An operation that no clip of a batch
    chose has no gradient in that step, so that neither momentum nor weight decay moves it.

    Args:
        network: with what came before.
        settings: of the recipe.
        data: the clips.
        joint: the backbone trains, too (stage 4).
        bf16: run a frozen backbone in bfloat16.
        watched: training clips whose structures are watched; 0 for none.
    """

    def __init__(
        self,
        network: AGOS,
        settings: Search | Refinement,
        data: VideoData,
        *,
        joint: bool = False,
        bf16: bool = False,
        watched: int = 0,
    ) -> None:
        fixed = settings.fixed_layers if isinstance(settings, Refinement) and joint else None
        super().__init__(network, data, frozen=network.backbone.freeze(fixed).frozen, bf16=bf16)
        self.settings = settings
        self._used: Tensor | None = None
        lowest, flat = (settings.lowest, settings.flat) if isinstance(settings, Refinement) else (0.0, 0)
        self.plateau = Plateau(settings.lr, settings.factor, settings.patience, lowest, flat)
        self.watcher = StructureWatch(watched) if watched and network.structure_parameters() else None
        for parameter in network.structure_parameters():
            parameter.requires_grad_(False)
        network.set_identity_dropout(0.0)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return sgd([p for p in self.network.parameters() if p.requires_grad], self.settings)

    def training_step(self, batch: VideoBatch, batch_idx: int) -> Tensor:
        output = self.output(batch)
        if self.trainer.world_size > 1 and output.choices is not None:
            used = functional.one_hot(output.choices, len(self.network.space)).sum(0)
            self._used = self.trainer.strategy.reduce(used, reduce_op="sum") > 0
        return self.reached(self.losses(batch, output).mean())

    def on_after_backward(self) -> None:
        # DDP wants a gradient of every weight (see reached); one process has none of an operation that nobody chose.
        if self._used is not None:
            self.network.forget_unused(self._used)


class StructureWatch:
    """Structures of a fixed set of training clips, seen once an epoch.

    Args:
        count: clips watched, at most.

    Attributes:
        choices: (clip, superedge) of the epoch before; part of a checkpoint.
    """

    def __init__(self, count: int) -> None:
        self.count = count
        self.choices: Tensor | None = None
        self._pooled: Tensor | None = None

    def begin(self, task: StageTask) -> None:
        """Where nothing has been seen yet: the structures that the stage begins with."""
        if self.choices is None:
            self.choices = task.network.choose(self.weights(task)).cpu()

    def look(self, task: StageTask) -> dict[str, float]:
        """The figures of an epoch."""
        weights = self.weights(task).detach()
        choices = task.network.choose(weights).cpu()
        assert self.choices is not None
        shares = weights.double().softmax(-1)
        figures = {
            "changed": float((choices != self.choices).any(1).double().mean()),
            "distinct": float(len({tuple(row) for row in choices.tolist()})),
            "entropy": float(torch.special.entr(shares).sum(-1).mean()),
        }
        figures |= {
            f"use_{name}": float((choices == place).double().mean()) for place, name in enumerate(task.network.space)
        }
        self.choices = choices
        return figures

    @torch.no_grad()
    def weights(self, task: StageTask) -> Tensor:
        """α of the watched clips, (clip, superedge, operation).

        Where the backbone is frozen and α rests on its map's mean, that mean is computed once.
        """
        rows = self.rows(task.data)
        pooled_once = task.frozen and task.network.model.alpha_in == "backbone"
        if pooled_once and self._pooled is not None:
            made: Tensor = task.network.structure_weights(self._pooled)
            return made
        was_training = task.training
        task.eval()
        found, pooled = [], []
        for batch in task.data.chosen(rows):
            batch = batch.to(task.device)
            features = task.features(batch)
            pooled.append(task.network.pooled_features(features))
            if not pooled_once:
                found.append(task.network.weights(features))
        task.train(was_training)
        if pooled_once:
            self._pooled = torch.cat(pooled)
            return self.weights(task)
        return torch.cat(found)

    def rows(self, data: VideoData) -> list[int]:
        """The watched clips: the same whatever the epoch."""
        every = data.parts["train"]
        order = torch.randperm(len(every), generator=generator(data.seed, "watched"))[: self.count]
        return [int(every[int(place)]) for place in order.sort().values]


def begin_still(network: AGOS, given: bool = False) -> None:
    """Every block is its shortcut at first, and the classifier says next to nothing.

    Args:
        given: the backbone has weights from elsewhere, and stays as it is.
    """
    for _, block in network.backbone.blocks():
        assert isinstance(block, Bottleneck)
        if not given:
            nn.init.zeros_(block.third.norm.weight)
    nn.init.normal_(network.classifier.weight, std=0.01)


def frozen_features(network: AGOS, clips: Tensor, bf16: bool) -> Tensor:
    """Map of a backbone that does not train, float32: no gradients, bfloat16 where that is wanted."""
    with torch.no_grad(), torch.autocast(clips.device.type, torch.bfloat16, enabled=bf16):
        return network.backbone_features(clips).float()


def sgd(parameters: Sequence[nn.Parameter], settings: Pretraining | Search | Refinement) -> torch.optim.SGD:
    return torch.optim.SGD(parameters, lr=settings.lr, momentum=settings.momentum, weight_decay=settings.weight_decay)
