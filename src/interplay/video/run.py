"""One training run of AGOS, four stages from a recipe to a finished run folder.

Every stage is a fit of Lightning's Trainer in a folder of its own, RUN/stageN, resumed from its last epoch where it was
interrupted; a finished stage is never entered again. A run goes on at the first stage that is not finished.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import torch
from torch import Tensor

from interplay.data.datasets import open_videos
from interplay.data.videos import VideoDataset
from interplay.errors import InterplayError
from interplay.training.allocation import keep_freed_memory
from interplay.training.draws import generator
from interplay.training.folder import RunFolder, is_first_process
from interplay.training.recipes import load_recipe, resolved_recipe
from interplay.training.running import Say, claim, fit, plain, released_if_untrained, section, speaker
from interplay.training.trainer import build_trainer, meet, quiet_lightning, world_size
from interplay.training.writing import clear_write_errors
from interplay.video.datamodule import VideoData, VideoInput
from interplay.video.expectation import expectation
from interplay.video.kept_features import KeptFeatures
from interplay.video.kept_frames import KeptFrames
from interplay.video.network import AGOS
from interplay.video.outcome import finish, headline
from interplay.video.recipe import VideoTraining, resolve
from interplay.video.settings import BackboneSettings, VideoSettings
from interplay.video.stage_folder import StageFolder, State, backbone_state, take_over
from interplay.video.stages import STAGES, Pretraining, Refinement, Search
from interplay.video.task import (
    DiscreteTask,
    PretrainingTask,
    SearchTask,
    StageRates,
    StageTask,
    begin_still,
    frozen_features,
)

FIRST_SHARED = ("frames", "height", "width", "sampler", "scales", "flip")
"""Keys of ``input`` in which runs that share a first stage must agree."""
READ_BY_WEIGHTS = ("space", "supernodes", "adaptive", "alpha_in")
READ_BY_MAP_WEIGHTS = ("width", "fc_act", "slope", "input_ln")
"""Keys of ``model`` in which a run must agree with the one that its structure weights come from; the latter where these
are computed from the narrowed map."""


def train_recipe(
    recipe: str | Path | Mapping[str, Any],
    out: str | Path,
    *,
    overrides: Mapping[str, Any] | None = None,
    data: str | None = None,
    stage: str = "all",
    resume: bool = False,
    overwrite: bool = False,
    quiet: bool = False,
    say: Callable[[str], None] | None = None,
) -> dict[str, Any]:
    """Train, evaluate and save AGOS or one of its baselines.

    Args:
        stage: "all", or the number of the one stage to run; those before it must be finished in the folder.

    The other arguments and errors are those of :func:`interplay.skeleton.run.train_recipe`.

    Returns:
        The content of ``result.json``; nothing where stages are left to run.
    """
    resolved = resolved_recipe(resolve, recipe, overrides, data)
    return run_resolved(resolved, out, stage=stage, resume=resume, overwrite=overwrite, quiet=quiet, say=say)


def run_resolved(
    recipe: Mapping[str, Any],
    out: str | Path,
    *,
    stage: str = "all",
    resume: bool = False,
    overwrite: bool = False,
    quiet: bool = False,
    say: Callable[[str], None] | None = None,
) -> dict[str, Any]:
    """:func:`train_recipe` for a recipe in which every key has its value already."""
    folder, line = RunFolder(out), speaker(say, quiet)
    keep_freed_memory()
    sections = Sections(recipe)
    wanted = sections.wanted(stage)
    # One stage after the other in one folder is one run, whether or not it says --resume.
    resume = resume or (stage != "all" and wanted[0] > 1 and not overwrite)
    held = claim(folder, recipe, line, resume=resume, overwrite=overwrite)
    with quiet_lightning():
        wait = meet(sections.training)  # no process looks for finished stages before the first has claimed the folder
    if held is not None or (folder.finished and not is_first_process()):
        return held or {}
    with released_if_untrained(folder):
        run = VideoRun(folder, recipe, sections, line, quiet, wait)
        with quiet_lightning(partly_frozen=True), clear_write_errors(folder.path):
            if not quiet:
                line(f"{run.dataset.name}: {expectation(run.data, run.build(), sections, run.open_stages(wanted))}")
            for number in wanted:
                if not run.folder_of(number).finished:
                    run.stage(number)
            if not is_first_process():
                return {}
            if any(not run.folder_of(number).finished for number in sections.plan):
                left = ", ".join(str(number) for number in sections.plan if not run.folder_of(number).finished)
                line(f"{folder.path}: stage {stage} is done; left: {left}")
                return {}
            result = finish(folder, recipe, run.trained(), run.data, run.device, run.summaries(), sections)
        line(f"{folder.path}: {headline(result)}")
        return result


class Sections:
    """The sections of a resolved recipe as the settings they stand for. InterplayError naming the section at fault."""

    def __init__(self, recipe: Mapping[str, Any]) -> None:
        self.input = section(recipe, "input", VideoInput)
        self.backbone = section(recipe, "backbone", BackboneSettings)
        self.model = section(recipe, "model", VideoSettings)
        self.training = section(recipe, "training", VideoTraining)
        self.stage1 = section(recipe, "stage1", Pretraining)
        self.stage2 = section(recipe, "stage2", Search)
        self.stage3 = section(recipe, "stage3", Refinement)
        self.stage4 = section(recipe, "stage4", Refinement)
        if self.training.structure_from is not None and self.model.graph != "agos":
            raise InterplayError(
                f"training.structure_from: found it with model.graph {self.model.graph}, expected it with agos"
            )
        if self.searches and not self.stage2.epochs:
            raise InterplayError("stage2.epochs: found 0, expected at least 1 for a search")
        if self.model.graph != "global_pooling" and self.plan == (1,):
            raise InterplayError(
                f"stage2.epochs, stage3.epochs, stage4.epochs: found 0, expected one that trains the "
                f"graph part ({self.model.graph})"
            )

    @property
    def searches(self) -> bool:
        """Whether stage 2 learns structure weights."""
        return self.model.graph == "agos" and self.training.structure_from is None

    @property
    def plan(self) -> tuple[int, ...]:
        """The stages of the run: global pooling is what stage 1 trains; refinements may be left out, and stage 2 where
        nothing is searched."""
        if self.model.graph == "global_pooling":
            return (1,)
        return tuple(number for number in (1, 2, 3, 4) if self.of(number).epochs > 0)

    def of(self, number: int) -> Pretraining | Search | Refinement:
        """Settings of a stage."""
        found: Pretraining | Search | Refinement = getattr(self, f"stage{number}")
        return found

    def wanted(self, stage: str) -> tuple[int, ...]:
        """The stages that ``--stage`` asks for."""
        if stage == "all":
            return self.plan
        if stage not in [str(number) for number in self.plan]:
            known = ", ".join(str(number) for number in self.plan)
            raise InterplayError(
                f"--stage: found {stage!r}, expected all or one of {known} (model.graph {self.model.graph})"
            )
        return (int(stage),)


class VideoRun:
    """Data, folders and networks of one run.

    Args:
        folder: claimed already.
        recipe: resolved.
        sections: its sections.
        say: where lines for the user go.
        quiet: no progress bar.
        wait: for the other processes of a launcher.
    """

    def __init__(
        self,
        folder: RunFolder,
        recipe: Mapping[str, Any],
        sections: Sections,
        say: Say,
        quiet: bool,
        wait: Callable[[], None],
    ) -> None:
        self.folder, self.sections, self.say, self.quiet, self.wait = folder, sections, say, quiet, wait
        self.dataset = videos_of(recipe["data"])
        settings, training = sections.input, sections.training
        kept = None
        if settings.keep_frames:
            rows = sorted({int(row) for rows in self.dataset.parts().values() for row in rows})
            kept = KeptFrames.prepare(
                self.dataset,
                rows,
                short=settings.kept_short,
                frames=settings.keep_frames,
                boxes=settings.boxes,
                proposals=settings.proposals,
                folder=settings.cache_folder,
                threads=settings.threads,
                say=say,
            )
        self.data = VideoData(self.dataset, settings, training.seed, world_size(training), kept)
        use_cuda = training.accelerator != "cpu" and torch.cuda.is_available()
        self.device = torch.device("cuda" if use_cuda else "cpu")

    def folder_of(self, number: int) -> StageFolder:
        return StageFolder(self.folder.path / f"stage{number}")

    def open_stages(self, wanted: tuple[int, ...]) -> list[int]:
        """Stages that are still to be trained here."""
        begun = self.sections.training.begin_from is not None
        return [number for number in wanted if not self.folder_of(number).finished and not (number == 1 and begun)]

    def build(self, graph: str | None = None, load: bool = False) -> AGOS:
        """The network with starting weights; ``graph`` "global_pooling" is what stage 1 trains."""
        sections = self.sections
        model = sections.model if graph is None else replace(sections.model, graph=graph)  # type: ignore[arg-type]
        settings = sections.input
        try:
            return AGOS(
                len(self.dataset.classes),
                model=model,
                backbone=sections.backbone,
                frames=settings.frames,
                size=(settings.height, settings.width),
                boxes=settings.boxes,
                load=load,
            )
        except ValueError as error:
            raise InterplayError(f"model: {error}") from None

    # -- one stage ------------------------------------------------------------------------------------------------

    def stage(self, number: int) -> None:
        """Train a stage; in all processes, its folder is then finished."""
        place, sections = self.folder_of(number), self.sections
        if number == 1 and sections.training.begin_from is not None:
            if is_first_process():
                self._take_first(Path(sections.training.begin_from), place)
            self.wait()
            return
        before = [earlier for earlier in sections.plan if earlier < number]
        for earlier in before:
            if not self.folder_of(earlier).finished:
                raise InterplayError(f"{self.folder.path}: stage {number} needs stage {earlier}, which is not finished")
        seed = int(generator(sections.training.seed, "stage", number).initial_seed()) % 2**32
        pl.seed_everything(seed, verbose=False)
        network = self._begun(number, before)
        settings = sections.of(number)
        started = time.perf_counter()
        self.data.use(settings.batch_size, stage=number)
        if number in (2, 3) and sections.stage2.keep_draws and sections.backbone.fixed:
            self.data.use(settings.batch_size, self._kept(network), number)
        kept_seconds = time.perf_counter() - started
        task = self._task(number, network)
        clip = 0.0 if isinstance(task, SearchTask) else sections.training.gradient_clip  # the search clips by itself
        training = replace(sections.training, epochs=settings.epochs, seed=seed, gradient_clip=clip)
        part = (*self.data.evaluation_parts, "train")[0]
        run_folder = place.run
        trainer, record = build_trainer(training, StageRates(), run_folder, f"{part}_top1", self.quiet)
        self.say(f"{self.folder.path}: stage {number}, {STAGES[number]}")
        if fit(trainer, task, self.data, run_folder, self.say, resume=True):
            place.finish(network.state_dict(), self._summary(number, task, record.rows, kept_seconds))
        trainer.strategy.barrier()

    def _task(self, number: int, network: AGOS) -> StageTask:
        sections, bf16 = self.sections, self.sections.training.frozen_bf16
        if number == 1:
            return PretrainingTask(network, sections.stage1, self.data)
        if number == 2 and sections.searches:
            return SearchTask(network, sections.stage2, self.data, bf16, sections.training.gradient_clip)
        settings = sections.of(number)
        assert not isinstance(settings, Pretraining)
        return DiscreteTask(network, settings, self.data, joint=number == 4, bf16=bf16)

    def _begun(self, number: int, before: list[int]) -> AGOS:
        """The network as a stage finds it."""
        sections = self.sections
        transferred = sections.training.structure_from
        if number == 1:
            network = self.build("global_pooling", load=True)
            given = transferred if sections.training.transfer_backbone else None
            if given is not None:
                take_over(network, backbone_state(_finished_state(Path(given))), Path(given), "its backbone")
            if sections.stage1.still_start:
                begin_still(network, given is not None or sections.backbone.weights is not None)
            return network
        network = self.build()
        earlier = self.folder_of(before[-1])
        state = earlier.state()
        settings = sections.of(number)
        fresh = isinstance(settings, Refinement) and settings.fresh
        if before[-1] > 1 and not fresh:
            network.load_state_dict(state)
            return network
        take_over(network, backbone_state(state), earlier.path, "its backbone")
        if before[-1] > 1:
            take_over(network, weights_state(state, sections.model), earlier.path, "its structure weights")
        elif transferred is not None:
            take_over(network, self._given_weights(Path(transferred)), Path(transferred), "its structure weights")
        return network

    def _given_weights(self, run: Path) -> State:
        """Structure weights of another run, with the layer that makes what they read where that is not the backbone.

        Raises:
            InterplayError: another run has none, or they mean something else there.
        """
        mine, theirs = self.sections.model, section(load_recipe(run), "model", VideoSettings)
        if theirs.graph != "agos":
            raise InterplayError(f"{run}: found a run without structure weights, expected one of AGOS")
        for key in (*READ_BY_WEIGHTS, *(READ_BY_MAP_WEIGHTS if reads_map(mine) else ())):
            found, expected = getattr(theirs, key), getattr(mine, key)
            if found != expected:
                raise InterplayError(
                    f"training.structure_from: {run}: found model.{key} {found}, expected this recipe's {expected}"
                )
        return weights_state(_finished_state(run), mine)

    def _kept(self, network: AGOS) -> KeptFeatures:
        """Maps of the frozen backbone, computed once for stages 2 and 3."""
        bf16 = self.sections.training.frozen_bf16
        network.to(self.device).eval()
        kept = KeptFeatures.prepare(
            network.backbone,
            lambda clips: frozen_features(network, clips.to(self.device), bf16),
            self.data,
            self.sections.stage2.keep_draws,
            self.sections.input.cache_folder,
            self.say,
            "bf16" if bf16 else "fp32",
        )
        network.train()
        return kept

    def _summary(self, number: int, task: StageTask, rows: list[dict[str, Any]], kept: float) -> dict[str, Any]:
        """What happened in a stage."""
        settings, stability = self.sections.of(number), task.stability
        stable = None
        if stability is not None and stability.stable:
            spent = sum(row["seconds"] for row in rows)
            stable = {"epochs": len(rows), "seconds": round(spent, 3)}
        return {
            "stage": number,
            "what": STAGES[number],
            "searches": number == 2 and self.sections.searches,
            "epochs": len(rows),
            "most_epochs": settings.epochs,
            "seconds": round(sum(row["seconds"] for row in rows), 3),
            "seconds_keeping_maps": round(kept, 3),
            "stable": stable,
            "last": rows[-1],
            "rows": rows,
            "classes": list(self.dataset.classes),
            "backbone": plain(asdict(self.sections.backbone)),
            "input": plain(asdict(self.sections.input)),
        }

    def _take_first(self, source: Path, place: StageFolder) -> None:
        """Another run's first stage instead of one's own."""
        given = StageFolder(source if (source / "stage.json").is_file() else source / "stage1")
        summary = given.summary()
        other_stages = {"fixed_layers": 0, "train_norms": False, "weights": None}  # no part in the first one's network
        mine = {
            "stage": 1,
            "classes": list(self.dataset.classes),
            "backbone": {**plain(asdict(self.sections.backbone)), **other_stages},
            "input": {name: plain(asdict(self.sections.input))[name] for name in FIRST_SHARED},
        }
        theirs = {
            "stage": summary.get("stage"),
            "classes": summary.get("classes"),
            "backbone": {**summary.get("backbone", {}), **other_stages},
            "input": {name: summary.get("input", {}).get(name) for name in FIRST_SHARED},
        }
        for key, expected in mine.items():
            if theirs[key] != expected:
                raise InterplayError(
                    f"training.begin_from: {given.path} was trained with another {key} than this recipe's"
                )
        place.finish(given.state(), {**summary, "begun_from": source.parent.name + "/" + source.name})
        self.say(f"{self.folder.path}: stage 1 taken from {given.path}")

    # -- the end --------------------------------------------------------------------------------------------------

    def trained(self) -> AGOS:
        """The network after the last stage."""
        last = self.sections.plan[-1]
        network = self.build()
        network.load_state_dict(self.folder_of(last).state())
        return network

    def summaries(self) -> list[dict[str, Any]]:
        return [self.folder_of(number).summary() for number in self.sections.plan]


def reads_map(model: VideoSettings) -> bool:
    """Whether structure weights are computed from the narrowed map."""
    return model.graph == "agos" and model.adaptive and model.alpha_in == "map"


def weights_state(state: Mapping[str, Tensor], model: VideoSettings) -> State:
    """The structure weights in a network's state, with the layer that makes what they read where that is a map."""
    read = ("structure_weights.", "nodes.") if reads_map(model) else ("structure_weights.",)
    return {name: value for name, value in state.items() if name.startswith(read)}


def _finished_state(run: Path) -> State:
    """Weights after the last finished stage of another run."""
    for number in (4, 3, 2):
        place = StageFolder(run / f"stage{number}")
        if place.finished:
            return place.state()
    raise InterplayError(f"training.structure_from: {run}: found no finished search, expected a run folder of AGOS")


def videos_of(section: Mapping[str, Any]) -> VideoDataset:
    """The data set of a recipe's ``data`` section. InterplayError if it holds no videos."""
    settings = dict(section)
    try:
        return open_videos(settings.pop("name"), **settings)
    except ValueError as error:
        raise InterplayError(f"data: {error}") from None
