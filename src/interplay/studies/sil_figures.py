"""The pictures of the SIL paper, drawn from the runs of a study: sweeps (3, 4), superpixels (5, 7), GradCAM (6, 8)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
import yaml
from matplotlib.figure import Figure
from numpy.typing import NDArray

from interplay.data.scenes import SceneDataset, SceneImage
from interplay.errors import InterplayError
from interplay.scene.preparation import collate
from interplay.scene.recogniser import SceneRecogniser
from interplay.scene.regions import LEVELS
from interplay.scene.run import scenes_of
from interplay.scene.saliency import predicate_saliency, union_box
from interplay.viz.saliency import SaliencyMaps, saliency_comparison
from interplay.viz.scene_charts import swept
from interplay.viz.style import save
from interplay.viz.superpixels import SuperpixelMaps, superpixel_levels, superpixels_in_boxes

if TYPE_CHECKING:
    from interplay.studies.sil_reproduction import SceneReproduction

SWEPT = {"clusters": "number of clustering centres C", "layers": "layers L of cross-entity interaction"}
PICTURES = 4
"""Rows of Figs 5 and 7."""
FIRST = 3
"""Triplets of Fig. 6; Fig. 8 has those that follow."""


def draw(found: SceneReproduction, folder: Path) -> Sequence[Path]:
    """Make the study's picture from the runs of the first seed; returns the PNG and the SVG.

    Raises:
        InterplayError: no run, or its data or model cannot be read.
    """
    study = found.study
    figure: Figure
    if study.draws in SWEPT:
        figure = sweep(found)
    else:
        runs = [
            found.cells[row.name, study.tasks[0]] for row in study.rows if (row.name, study.tasks[0]) in found.cells
        ]
        if not runs:
            raise InterplayError(f"sil.{study.key}: found no finished run to draw")
        opened = [open_run(cell.folders[0]) for cell in runs]
        if study.draws == "saliency":
            figure = comparison(opened, study.key == "fig8")
        else:
            recogniser, dataset = opened[0]
            rows = [superpixels(recogniser, image) for image in first_pictures(dataset, PICTURES)]
            figure = (
                superpixel_levels(rows) if study.draws == "levels" else superpixels_in_boxes(rows, _finest(rows[0]))
            )
    return save(figure, folder / study.key)


def sweep(found: SceneReproduction) -> Figure:
    """Mean recalls over the values of an option, without SIL dashed."""
    study = found.study
    task = study.tasks[0]
    names = list(study.columns)
    present = [row for row in study.rows if row.without is not None and (row.name, task) in found.cells]
    if not present:
        raise InterplayError(f"sil.{study.key}: found no finished run to draw")
    figures = [found.cells[row.name, task].figures for row in present]
    before = found.cells.get((str(present[0].without), task))
    return swept(
        [row.name.rpartition(" ")[2] for row in present],
        {name: [one[name].mean for one in figures] for name in names},
        {name: [one[name].deviation for one in figures] for name in names},
        {} if before is None else {name: before.figures[name].mean for name in names},
        SWEPT[str(study.draws)],
        f"{study.title} ({found.data})",
    )


def open_run(folder: Path) -> tuple[SceneRecogniser, SceneDataset]:
    """The trained model of a run and its data set."""
    recipe = yaml.safe_load((folder / "recipe.yaml").read_text(encoding="utf-8"))
    return SceneRecogniser.from_pretrained(str(folder / "model")).eval(), scenes_of(recipe["data"])


def first_pictures(dataset: SceneDataset, number: int) -> list[SceneImage]:
    """The first pictures of the test part, whatever they show."""
    return [dataset.read(int(row)) for row in dataset.parts()["test"][:number]]


def superpixels(recogniser: SceneRecogniser, image: SceneImage, head: int = 0) -> SuperpixelMaps:
    """What one clustering head of a model with SIL makes of a picture, level by level.

    Raises:
        InterplayError: the model has no SIL.
    """
    network = recogniser.network
    if not network.settings.sil:
        raise InterplayError(f"{recogniser.name}: trained without SIL, it has no superpixels")
    batch = collate([recogniser.preparation(image)])
    with torch.no_grad():
        maps = network.maps(batch)
        assert maps is not None
        entities = network.entities(batch, maps, False)
        width, height = (int(side) for side in entities.sizes[0].tolist())
        found = network.superpixels(maps, entities, batch.pixels)
    strides = network.interaction.strides
    boxes = entities.boxes.numpy() / np.tile(batch.scales[0].numpy(), 2)
    labels = image.labels if network.settings.task == "predcls" else entities.logits[:, 1:].argmax(1).numpy() + 1
    names = [recogniser.vocabulary.classes[int(label)] for label in labels]
    levels = {f"stride {strides[key]}": (found[key][0][head].numpy(), strides[key]) for key in network.interaction.keys}
    return SuperpixelMaps(image.pixels(), levels, boxes, names, (height, width))


def predicate_map(recogniser: SceneRecogniser, image: SceneImage, relation: Sequence[int]) -> NDArray[np.float32]:
    """GradCAM of an annotated predicate on the union of its subject and object, over the maps that features come from.

    Args:
        relation: rows of subject and object in the picture's boxes, and the predicate.

    Raises:
        InterplayError: the model has its own boxes (SGGen), no maps (geometry), or its head leaves the pair out.
    """
    network = recogniser.network
    if network.settings.task == "sggen" or network.settings.features == "geometry":
        raise InterplayError(f"{recogniser.name}: GradCAM needs given boxes and pixels (PredCls or SGCls)")
    subject, object_, predicate = (int(one) for one in relation)
    batch = collate([recogniser.preparation(image)])
    maps = network.maps(batch)
    assert maps is not None
    entities = network.entities(batch, maps, False)
    with torch.no_grad():
        changed = network.interacting(maps, entities, batch.pixels)
    leaves = {key: value.detach().requires_grad_() for key, value in changed.items()}
    with torch.enable_grad():
        x = network.box_features(leaves, entities.boxes, entities.counts)
        pairs = network.head.propose(x, entities, network.pairs(entities, batch.targets, None, None))
        row = ((pairs.subject == subject) & (pairs.object == object_)).nonzero()
        if not len(row):
            raise InterplayError(f"{recogniser.name}: its head leaves out the pair {subject}, {object_} of {image.id}")
        output = network.head(x, network.union_features(leaves, entities, pairs, None), entities, pairs)
        score = output.relation_logits[int(row[0]), predicate]
        width, height = (int(side) for side in entities.sizes[0].tolist())
        strides = {level: 4 << place for place, level in enumerate(LEVELS)}
        union = union_box(entities.boxes[[subject, object_]]).tolist()
        found = predicate_saliency(leaves, score, strides, (height, width), union)
    return np.asarray(found.detach().numpy(), dtype=np.float32)


def triplets(dataset: SceneDataset, more: bool) -> list[tuple[SceneImage, tuple[int, int, int]]]:
    """The first test picture of each predicate worth looking at, for Fig. 6 or (``more``) Fig. 8.

    Those of the playground that depend on a part of a box, in their order; elsewhere each predicate as it comes.
    """
    wanted: list[int] = []
    if dataset.name == "playground_scenes":
        from interplay.studies.sil_reproduction import part_pairs

        pairs = part_pairs("playground")
        wanted = [one for side in (0, 1) for one in (pair[side] for pair in pairs)]
    first: dict[int, tuple[SceneImage, tuple[int, int, int]]] = {}
    enough = 3 * FIRST
    for row in dataset.parts()["test"]:
        image = dataset.read(int(row))
        for subject, object_, predicate in image.relations.tolist():
            if not wanted or predicate in wanted:
                first.setdefault(predicate, (image, (subject, object_, predicate)))
        if len(first) >= min(enough, len(wanted) or enough):
            break
    order = [first[predicate] for predicate in wanted or first if predicate in first]
    return (order[FIRST:enough] if more else order[:FIRST]) or order[:1]


def comparison(opened: Sequence[tuple[SceneRecogniser, SceneDataset]], more: bool) -> Figure:
    """A row per triplet, a map per model."""
    chosen = triplets(opened[0][1], more)
    if not chosen:
        raise InterplayError(f"{opened[0][1].name}: found no annotated relation among the test pictures")
    rows = []
    for image, relation in chosen:
        names = opened[0][0].vocabulary
        subject, object_, predicate = relation
        words = (
            names.classes[int(image.labels[subject])],
            names.predicates[predicate],
            names.classes[int(image.labels[object_])],
        )
        maps = {
            f"{'with' if recogniser.network.settings.sil else 'without'} SIL": predicate_map(
                recogniser, image, relation
            )
            for recogniser, _ in opened
        }
        rows.append(SaliencyMaps(image.pixels(), words, image.boxes[[subject, object_]], maps))
    return saliency_comparison(rows)


def _finest(maps: SuperpixelMaps) -> str:
    return min(maps.levels, key=lambda title: maps.levels[title][1])
