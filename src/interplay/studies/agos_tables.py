"""The tables and figures of the AGOS paper as rows that can be run, beside the paper's numbers.

Source: Li, Zheng, Tao, Hu, Lai, "Adaptive Interaction Modeling via Graph Operations Search" (CVPR 2020) and its
supplement (studies s1 to s8 are the supplement's Tables 1 to 8; its figures are drawn by the study they belong to). A
row is run, or computed from shapes, or printed only and says why.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

PUBLISHED = "printed only: another paper's number, its method is not part of this library"
OPERATIONS = (
    "feature_aggregation",
    "difference_propagation",
    "temporal_convolution",
    "background_incorporation",
    "node_attention",
)
GLOBAL, ROI, ADAPTIVE = "global pooling", "pooling over RoIs", "adaptive"
ONLY_TESTING = "non-adaptive (only testing)"
WITHOUT_DIVERSITY, WITH_DIVERSITY = "w/o var loss", "with var loss"
Paper = Mapping[str, float]
Drawing = Literal[
    "use", "accuracies", "cells", "transfer", "spaces", "structures", "mismatch", "histogram", "nodes", "cases"
]
Computed = Literal["cost", "layers"]


@dataclass(frozen=True)
class VideoRow:
    """One row of a table.

    Args:
        name: as the paper calls it.
        paper: column → the paper's number.
        overrides: recipe keys that make this row, or None for one that is not run.
        note: why it is only printed, or what our row differs in.
        scores: "own", or "only_testing": the run's scores with its most frequent structure for every clip.
        structures_from: the row of whose run the structure weights are taken; on the same data with its first stage
            (stacked cells), on other data with its backbone to begin with (transfer).
    """

    name: str
    paper: Paper = field(default_factory=dict)
    overrides: Mapping[str, Any] | None = None
    note: str = ""
    scores: Literal["own", "only_testing"] = "own"
    structures_from: str | None = None


@dataclass(frozen=True)
class VideoStudy:
    """A table or figure.

    Args:
        key: "table1", "s4", "fig6".
        title: the paper's caption.
        columns: of the paper's numbers.
        rows: in the paper's order.
        draws: the picture to make of the runs, or None.
        against: rows that the other rows are compared with, clip by clip.
        computed: what the rows are computed from, where nothing is trained.
        note: what a reader of the result has to know.
    """

    key: str
    title: str
    columns: tuple[str, ...]
    rows: tuple[VideoRow, ...]
    draws: Drawing | None = None
    against: tuple[str, ...] = ()
    computed: Computed | None = None
    note: str = ""


V1, V2 = "V1 val", "V2 val"
_BOTH = (V1, V2)


def _both(first: float | None, second: float | None, names: tuple[str, str] = _BOTH) -> Paper:
    return {name: value for name, value in zip(names, (first, second), strict=True) if value is not None}


def _published(name: str, first: float | None, second: float | None, names: tuple[str, str] = _BOTH) -> VideoRow:
    return VideoRow(name, _both(first, second, names), None, PUBLISHED)


_GLOBAL = VideoRow(GLOBAL, _both(48.1, 60.3), {"model.graph": "global_pooling"}, "what stage 1 trains")
_ROI = VideoRow(ROI, _both(48.3, 60.3), {"model.graph": "roi_pooling"})
_ADAPTIVE = VideoRow(ADAPTIVE, _both(51.4, 63.5), {})
_ONE = dict(zip(OPERATIONS, ((49.9, 62.0), (49.5, 61.8), (48.7, 61.0), (49.7, 62.4), (49.8, 61.8)), strict=True))
_SINGLE = tuple(
    VideoRow(name.replace("_", " "), _both(*numbers), {"model.graph": name}) for name, numbers in _ONE.items()
)
_OTHER: Mapping[str, Any] = {"data.seed": 1, "data.misses": 0.0}
"""The playground's stand-in for the second data set: another simulation, whose proposals miss nothing."""
_TEST = ("V1 test", "V2 test")
_COST = ("parameters, M", "GMACs")


def _figure(key: str, title: str, rows: tuple[VideoRow, ...], draws: Drawing, note: str = "") -> VideoStudy:
    bare = tuple(VideoRow(row.name, {}, row.overrides, row.note, row.scores) for row in rows)
    return VideoStudy(key, title, (), bare, draws, note=note)


STUDIES: dict[str, VideoStudy] = {
    study.key: study
    for study in (
        VideoStudy(
            "table1",
            "Search schemes",
            _BOTH,
            (
                _GLOBAL,
                _ROI,
                VideoRow(ONLY_TESTING, _both(50.2, 62.4), {}, "the adaptive run with one structure", "only_testing"),
                VideoRow("non-adaptive (training and testing)", _both(50.8, 63.1), {"model.adaptive": False}),
                _ADAPTIVE,
            ),
            "use",
            (GLOBAL, ROI),
        ),
        VideoStudy("table2", "Graph operations, each alone", _BOTH, (_GLOBAL, _ROI, *_SINGLE), "accuracies", (ROI,)),
        VideoStudy(
            "table3",
            "Comparison with other methods",
            _BOTH,
            (
                _published("I3D+GCN", 43.3, None),
                _published("NonLocalI3D+GCN", 46.1, None),
                _published("CPNet", None, 57.6),
                _published("TSM", 44.8, 58.7),
                _published("ECO", 46.4, None),
                _published("TrajectoryNet", 47.8, None),
                _published("S3D", 48.2, None),
                _published("ir-CSN-152", 48.4, None),
                _published("GST", 48.6, 62.6),
                _published("discriminative filters", 50.1, None),
                _published("STM", 50.7, 64.2),
                VideoRow("adaptive structures search (Ours)", _both(51.4, 63.5), {}),
            ),
        ),
        VideoStudy(
            "s1",
            "Results on the withheld test clips",
            _TEST,
            (
                _published("NonLocalI3D+GCN", 45.0, None, _TEST),
                _published("CPNet", None, 57.6, _TEST),
                _published("TSM", 46.1, 59.9, _TEST),
                _published("ECO", 42.3, None, _TEST),
                _published("S3D", 42.0, None, _TEST),
                _published("GST", None, 61.2, _TEST),
                _published("STM", 43.1, 63.5, _TEST),
                VideoRow("Ours", _both(46.3, 62.6, _TEST), {}),
            ),
            note="Labels of Something-Something's test clips are withheld: a run there is measured on the validation "
            "clips (`interplay evaluate RUN --part withheld` scores the others).",
        ),
        VideoStudy(
            "s2",
            "Model size",
            _COST,
            (
                VideoRow("NonLocalI3D", _both(35.3, 167.5, _COST), None, PUBLISHED),
                VideoRow("Our backbone", _both(32.1, 127.6, _COST)),
                VideoRow("Our whole model", _both(37.3, 138.4, _COST)),
            ),
            computed="cost",
            note="Computed from shapes, one clip of 32 × 224 × 224; the whole model is the release preset. Every "
            "variant: `interplay list models --cost agos`.",
        ),
        VideoStudy(
            "s3",
            "The backbone, layer by layer",
            (),
            (),
            computed="layers",
            note="Computed from shapes, one clip of 32 × 224 × 224.",
        ),
        VideoStudy(
            "s4",
            "Original operations or fixed substructures",
            _BOTH,
            (
                VideoRow("Ori Ops", _both(51.0, 63.1), {"model.space": "original"}),
                VideoRow("Fixed Subs", _both(51.4, 63.5), {"model.space": "fixed"}),
            ),
            "spaces",
            ("Ori Ops",),
        ),
        VideoStudy(
            "s5",
            "Diversity regularisation (non-adaptive, original operations)",
            (V1,),
            (
                VideoRow(
                    WITHOUT_DIVERSITY,
                    {V1: 49.9},
                    {"model.adaptive": False, "model.space": "original", "stage2.diversity": 0.0},
                ),
                VideoRow(WITH_DIVERSITY, {V1: 50.7}, {"model.adaptive": False, "model.space": "original"}),
            ),
            "cells",
            (WITHOUT_DIVERSITY,),
        ),
        VideoStudy(
            "s6",
            "Transfer of structure weights",
            ("paper",),
            (
                VideoRow("V1 → V1", {"paper": 51.4}, {}, "own structure weights; the paper's Table 1"),
                VideoRow("V2 → V2", {"paper": 63.5}, _OTHER, "own structure weights; the paper's Table 1"),
                VideoRow("V2 → V1", {"paper": 51.0}, {}, structures_from="V2 → V2"),
                VideoRow("V1 → V2", {"paper": 63.4}, _OTHER, structures_from="V1 → V1"),
            ),
            "transfer",
            note="dataset1 → dataset2: structure weights searched on the first, fixed on the second. On the playground "
            "V1 is the recipe's simulation and V2 another one (data.seed 1) whose proposals miss nothing.",
        ),
        VideoStudy(
            "s7",
            "Intermediate supernodes of a cell",
            _BOTH,
            (
                VideoRow("2 supernodes", _both(50.6, 63.1), {"model.supernodes": 2}),
                VideoRow("3 supernodes", _both(51.4, 63.5), {}),
                VideoRow("4 supernodes", _both(51.3, 63.5), {"model.supernodes": 4}),
            ),
            against=("3 supernodes",),
        ),
        VideoStudy(
            "s8",
            "Stacked cells",
            _BOTH,
            (
                VideoRow("1 cells", _both(51.4, 63.5), {}),
                VideoRow("2 cells", _both(50.7, 63.0), {"model.cells": 2}, structures_from="1 cells"),
            ),
            against=("1 cells",),
            note="What is stacked is the cell that the first row searched: its structure weights are kept as they are, "
            "on the same first stage, and the operations of both cells are trained.",
        ),
        _figure("fig4", "Two clips and their structures", (_ADAPTIVE,), "structures"),
        _figure("fig5", "Structures exchanged between two clips", (_ADAPTIVE,), "mismatch"),
        _figure("fig6", "Share of each class's clips with each structure", (_ADAPTIVE,), "histogram"),
        _figure(
            "fig7",
            "Top activated nodes of feature aggregation, difference propagation and node attention",
            tuple(
                row
                for row in _SINGLE
                if row.name in ("feature aggregation", "difference propagation", "node attention")
            ),
            "nodes",
        ),
        _figure(
            "fig8",
            "Successes and failures of the operations",
            (*_SINGLE, _ADAPTIVE),
            "cases",
            "More than the paper's Fig. 8 and supplement, Fig. 5: a clip that each model alone gets right, one that "
            "all do, and one that none does.",
        ),
    )
}
"""Key → study, in the paper's order."""

RECIPES: Mapping[str, str] = {
    "playground": "agos/playground-frames",
    "something_v1": "agos/something-v1",
    "something_v2": "agos/something-v2",
    "fights": "agos/fights",
}
"""``--data`` → the recipe that its rows start from."""
PAPER_DATA: Mapping[str, str] = {"something_v1": "V1", "something_v2": "V2"}
"""``--data`` → which of the paper's columns were measured on it."""
FOLDS: Mapping[str, tuple[str, int]] = {"fights": ("data.fold", 5)}
"""``--data`` → recipe key of the fold and number of folds: a row is then a run per seed and fold, and its figure that
of all folds' test clips together."""
SIMULATED = ("playground",)


def at_hand(study: VideoStudy, data: str) -> str | None:
    """Why a study cannot be run on a data set; None where it can."""
    if study.key == "s6" and data not in SIMULATED:
        return "a transfer needs two data sets; run `interplay train … --training.structure_from RUN` on the second"
    return None
