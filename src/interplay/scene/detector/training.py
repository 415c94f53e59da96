"""Training the detector itself: its own task, recipe and run (spec A.2)."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import torch
from torch import Tensor
from torchmetrics.detection import MeanAveragePrecision

from interplay.data.datasets import dataset_class, open_scenes
from interplay.errors import InterplayError
from interplay.graph.boxes import half_open
from interplay.scene.datamodule import SceneData, SceneInput
from interplay.scene.detector.model import Detector
from interplay.scene.detector.source import DetectorFolder, DetectorSource
from interplay.scene.preparation import SceneBatch
from interplay.scene.schedule import SceneOptimiser, StepSchedule, build_optimiser
from interplay.training.allocation import keep_freed_memory
from interplay.training.draws import generator
from interplay.training.folder import RunFolder
from interplay.training.loss_means import LossMeans
from interplay.training.model_folder import save_whole
from interplay.training.recipes import RecipeParser, Section, resolved_recipe
from interplay.training.running import claim, fit, plain, released_if_untrained, speaker, summary, tuples
from interplay.training.settings import TrainingSettings
from interplay.training.trainer import build_trainer, quiet_lightning, world_size
from interplay.training.writing import clear_write_errors

MOST = 100
"""Detections of a picture that average precision looks at, as COCO does."""


def average_precision() -> MeanAveragePrecision:
    """mAP at IoU ½ over classes (the area under the precision–recall curve, COCO's interpolation)."""
    return MeanAveragePrecision(iou_thresholds=[0.5], max_detection_thresholds=[1, 10, MOST])


class DetectorTask(LossMeans):
    """Sum of the four losses of Faster R-CNN; mAP50 on the evaluated parts.

    Args:
        detector: to train.
        optimiser: of the recipe.
        data: the pictures.
        seed: of the run; the drawn anchors and regions depend on (seed, epoch, picture ids) alone.
    """

    def __init__(self, detector: Detector, optimiser: SceneOptimiser, data: SceneData, seed: int) -> None:
        super().__init__()
        self.detector, self.optimiser_settings, self.data, self.seed = detector, optimiser, data, seed
        self.precision_of = torch.nn.ModuleDict({part: average_precision() for part in data.watched_parts})

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return build_optimiser(self.detector, self.optimiser_settings, self.data.batch_size)

    def sample_ids(self, batch: SceneBatch) -> list[str]:
        """Names of the pictures in a batch."""
        return list(batch.ids)

    def training_step(self, batch: SceneBatch, batch_idx: int) -> Tensor:
        assert batch.pixels is not None
        draws = generator(self.seed, "regions", self.current_epoch, *batch.ids)
        features = self.detector.features(batch.pixels)
        return self.noted(self.detector.losses(features, batch.sizes, batch.targets, draws))

    def validation_step(self, batch: SceneBatch, batch_idx: int, dataloader_idx: int = 0) -> None:
        if not batch.ids or batch.pixels is None:
            return
        metric = self.precision_of[self.data.watched_parts[dataloader_idx]]
        assert isinstance(metric, MeanAveragePrecision)
        self.count(batch, metric)

    def count(self, batch: SceneBatch, metric: MeanAveragePrecision) -> None:
        """Detections of a batch beside what is annotated; where the last pixel is part of a box, it counts (D.1)."""
        assert batch.pixels is not None
        last_pixel = self.detector.settings.last_pixel

        def whole(boxes: Tensor) -> Tensor:
            return half_open(boxes) if last_pixel else boxes

        found = self.detector.detections(self.detector.features(batch.pixels), batch.sizes)
        metric.update(
            [{"boxes": whole(one.boxes), "scores": one.scores, "labels": one.labels} for one in found],
            [{"boxes": whole(target.boxes), "labels": target.labels} for target in batch.targets],
        )

    def on_validation_epoch_end(self) -> None:
        for part, metric in self.precision_of.items():
            assert isinstance(metric, MeanAveragePrecision)
            self.log(f"{part}_mAP50", metric.compute()["map_50"].float())
            metric.reset()

    @torch.no_grad()
    def precision(self, part: str, device: torch.device) -> float:
        """mAP50 of a part that was not scored while the detector trained."""
        self.detector.to(device).eval()
        metric = average_precision().to(device)
        for batch in self.data.iterate(part):
            self.count(batch.to(device), metric)
        return float(metric.compute()["map_50"])


def parser(data: str) -> RecipeParser:
    """The keys of a detector's recipe on a data set."""
    return RecipeParser(
        {
            "data": Section(dataset_class(data)),
            "input": Section(SceneInput),
            "detector": Section(DetectorSource),
            "optimiser": Section(SceneOptimiser),
            "training": Section(TrainingSettings),
        },
        {"system": str, "data.name": str},
    )


def resolve(
    recipe: Mapping[str, Any], overrides: Sequence[str] = (), data: str | None = None, where: str = "recipe"
) -> dict[str, Any]:
    """Every key of a detector's recipe with its value; see :func:`interplay.scene.recipe.resolve`.

    A data set that leaves out pictures without relations unless told otherwise keeps them here.
    """
    section = recipe.get("data")
    named = section.get("name") if isinstance(section, Mapping) else None
    if data is None and not isinstance(named, str):
        raise InterplayError(f"{where}: found no data.name, expected the name of a data set")
    chosen = data or str(named)
    given = section if isinstance(section, Mapping) and chosen == named else {"name": chosen}
    if "with_relations" in inspect.signature(dataset_class(chosen)).parameters:
        given = {"with_relations": False, **given}  # a picture without a relation shows objects as well
    return parser(chosen).resolve({**recipe, "data": given}, overrides, where)


def train_recipe(
    recipe: str | Path | Mapping[str, Any], out: str | Path, *, overrides: Mapping[str, Any] | None = None, **how: Any
) -> dict[str, Any]:
    """Train a detector; arguments and errors as :func:`interplay.scene.run.train_recipe`."""
    return run_resolved(resolved_recipe(resolve, recipe, overrides, None), out, **how)


def run_resolved(
    recipe: Mapping[str, Any],
    out: str | Path,
    *,
    resume: bool = False,
    overwrite: bool = False,
    quiet: bool = False,
    say: Callable[[str], None] | None = None,
) -> dict[str, Any]:
    """:func:`train_recipe` for a recipe in which every key has its value already."""
    folder = RunFolder(out)
    line = speaker(say, quiet)
    keep_freed_memory()
    settings, source = SceneInput(**tuples(recipe["input"])), DetectorSource(**tuples(recipe["detector"]))
    optimiser, training = SceneOptimiser(**tuples(recipe["optimiser"])), TrainingSettings(**tuples(recipe["training"]))
    if (held := claim(folder, recipe, line, resume=resume, overwrite=overwrite)) is not None:
        return held
    with released_if_untrained(folder):
        named = dict(recipe["data"])
        dataset = open_scenes(named.pop("name"), **named)
        data = SceneData(dataset, settings, training.seed, world_size(training), need_relations=False)
        pl.seed_everything(training.seed, verbose=False)
        detector = source.build(dataset.vocabulary, settings.channels)
        if source.backbone != "small":
            detector.freeze_stages()
        task = DetectorTask(detector, optimiser, data, training.seed)
        monitor = data.monitor(training.monitor, "mAP50")
        training = replace(training, gradient_clip=training.gradient_clip or optimiser.gradient_clip)
        with quiet_lightning(), clear_write_errors(folder.path):
            trainer, record = build_trainer(training, StepSchedule(optimiser, monitor), folder, monitor, quiet)
            line(
                f"{dataset.name}: {len(data.parts['train'])} pictures, {training.epochs} epochs of {data.steps} batches"
            )
            if not fit(trainer, task, data, folder, line, resume):
                return {}
            metrics = {key: value for key, value in record.rows[-1].items() if key.endswith("_mAP50")}
            for part in data.evaluation_parts[len(data.watched_parts) :]:
                metrics[f"{part}_mAP50"] = task.precision(part, trainer.strategy.root_device)
            counts = {part: len(rows) for part, rows in data.parts.items()}
            result = summary(f"detector-{recipe['data']['name']}", recipe, metrics, record, counts)
            model = DetectorFolder(
                list(dataset.vocabulary.classes[1:]),
                plain(asdict(source)),
                {"short": settings.short, "long": settings.long, "channels": settings.channels},
                {"name": recipe["data"]["name"]},
                f"detector-{recipe['data']['name']}",
            )
            model.detector.load_state_dict(detector.cpu().state_dict())
            save_whole(model, folder.model)
            folder.write_result(result)
        line(f"{folder.path}: after the last epoch, " + ", ".join(f"{k} {100 * v:.1f} %" for k, v in metrics.items()))
        return result
