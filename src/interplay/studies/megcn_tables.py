"""The tables and figures of the me-GCN paper as rows that can be run, beside the paper's numbers.

Source: Liu, Chen, Wu, Meng, Liu, "Learning Mutual Excitation for Hand-to-Hand and Human-to-Human Interaction
Recognition". A row either has overrides of a recipe and is run, or it is printed only and says why.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

PUBLISHED = "published number of another method, not part of this library"
NOT_IN_PAPER = "not in the paper"


@dataclass(frozen=True)
class Row:
    """One row of a table.

    Args:
        name: as the paper calls it.
        paper: column → the paper's number in per cent; a column that the paper lacks is left out.
        overrides: recipe keys that make this row, or None for a row that is only printed.
        note: why it is only printed, or what our row differs in.
    """

    name: str
    paper: Mapping[str, float] = field(default_factory=dict)
    overrides: Mapping[str, Any] | None = None
    note: str = ""


@dataclass(frozen=True)
class Study:
    """A table or figure.

    Args:
        key: "table4", "fig3".
        title: the paper's caption.
        data: the data set that the paper used, a recipe name (``megcn/<data>``).
        columns: column → overrides of the data set's protocol (a table of two protocols trains each row twice).
        rows: in the paper's order.
        draws: the picture to make of the runs, or None for a table of accuracies.
        note: what a reader of the result has to know.
    """

    key: str
    title: str
    data: str
    columns: Mapping[str, Mapping[str, Any]]
    rows: tuple[Row, ...]
    draws: Literal["embedding", "activation", "confusion"] | None = None
    note: str = ""


BASELINE = {"model.mte": False, "model.mfe": False, "model.tc": "none"}
LATE_FUSION = {"model.mte": False, "model.mfe": False}
OURS: dict[str, Any] = {}
XSUB = {"X-Sub": {"data.benchmark": "xsub"}}
XSET = {"X-Set": {"data.benchmark": "xset"}}

SMALLER: Mapping[str, Mapping[str, Any]] = {
    "playground": {
        "data.classes": [
            "approach",
            "push",
            "mirrored side",
            "same side",
            "in phase",
            "counter-phase",
        ],
        "data.train_episodes": 60,
        "data.test_episodes": 40,
        "model.subsets": "uniform",
        "training.epochs": 30,
    }
}
"""Data set → recipe keys that every study on it sets first: what keeps two dozen runs within an hour on two cores. The
playground's studies are about its two relation-only pairs; two other classes stand beside them, and the adjacency is
the single matrix of the paper's text."""

COLUMNS_ELSEWHERE: dict[str, tuple[Mapping[str, Mapping[str, Any]], Mapping[str, Mapping[str, Any]]]] = {
    "ntu60": (XSUB, {"X-View": {"data.benchmark": "xview"}}),
    "ntu120": (XSUB, XSET),
    "sbu": ({"fold 1": {"data.test_fold": 1}}, {"fold 2": {"data.test_fold": 2}}),
    "playground": ({"test": {}}, {"test, other people": {"data.seed": 1}}),
    "hands": ({"test": {}}, {"test, other hands": {"data.seed": 1}}),
}
"""Data set → its (first, second) protocol, for studies run on other data than the paper's."""


def _published(name: str, **paper: float) -> Row:
    return Row(name, {key.replace("_", "-"): value for key, value in paper.items()}, None, PUBLISHED)


def _layers(name: str, layers: list[int], paper: float) -> Row:
    # The layer numbers are those of ten layers, whatever depth a small recipe has.
    return Row(name, {"X-Sub": paper}, {"model.mutual_layers": layers, "model.depth": [4, 3, 3]})


_MTE = (90.0, 90.0, 89.4, 89.0, 89.0, 89.5)
_MFE = (90.0, 89.8, 90.1, 89.9, 89.9, 90.1)
_INITIAL = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
_DEPTHS = {
    8: ((3, 3, 2), 89.8),
    9: ((3, 3, 3), 89.9),
    10: ((4, 3, 3), 90.0),
    11: ((4, 4, 3), 90.0),
    12: ((4, 4, 4), 89.3),
}

STUDIES: dict[str, Study] = {
    study.key: study
    for study in (
        Study(
            "table1",
            "Comparison on Assembly101 (action accuracy)",
            "assembly101",
            {"test": {}},
            (
                _published("2s-AGCN", test=22.2),
                _published("IGFormer", test=22.5),
                Row("Ours", {"test": 27.2}, OURS),
            ),
            note="The paper's numbers come from the challenge's closed test set, whose labels are withheld; here the "
            "row is run on the validation split (or on the data named).",
        ),
        Study(
            "table2",
            "Comparison on NTU60-Interaction",
            "ntu60",
            {"X-View": {"data.benchmark": "xview"}, "X-Sub": {"data.benchmark": "xsub"}},
            (
                _published("ST-GCN", X_View=87.1, X_Sub=83.3),
                _published("ST-LSTM", X_View=87.3, X_Sub=83.0),
                _published("GCA", X_View=89.0, X_Sub=85.9),
                _published("2s-GCA", X_View=89.9, X_Sub=87.2),
                _published("ViT", X_View=92.5, X_Sub=89.7),
                _published("AS-GCN", X_View=93.0, X_Sub=89.3),
                _published("LSTM-IRN", X_View=93.5, X_Sub=90.5),
                _published("2sKA-AGTN", X_View=96.1, X_Sub=90.4),
                _published("IGFormer", X_View=96.5, X_Sub=93.6),
                Row("Ours", {"X-View": 98.2, "X-Sub": 95.5}, OURS),
            ),
        ),
        Study(
            "table3",
            "Comparison on NTU120-Interaction",
            "ntu120",
            {"X-Set": {"data.benchmark": "xset"}, "X-Sub": {"data.benchmark": "xsub"}},
            (
                _published("ST-LSTM", X_Set=66.6, X_Sub=63.0),
                _published("2s-GCA", X_Set=73.3, X_Sub=73.0),
                _published("GCA", X_Set=73.7, X_Sub=70.6),
                _published("ST-GCN", X_Set=76.1, X_Sub=78.9),
                _published("LSTM-IRN", X_Set=79.6, X_Sub=77.7),
                _published("ViT", X_Set=82.5, X_Sub=81.5),
                _published("AS-GCN", X_Set=83.7, X_Sub=82.9),
                _published("IGFormer", X_Set=86.5, X_Sub=85.4),
                _published("2sKA-AGTN", X_Set=88.2, X_Sub=86.7),
                Row("Ours", {"X-Set": 90.0, "X-Sub": 90.0}, OURS),
            ),
        ),
        Study(
            "table4",
            "Ablation on the blocks",
            "ntu120",
            XSUB,
            (
                Row("Baseline", {"X-Sub": 84.2}, BASELINE),
                Row("Baseline + MTE", {"X-Sub": 86.8}, {**BASELINE, "model.mte": True}),
                Row("Baseline + MFE", {"X-Sub": 86.8}, {**BASELINE, "model.mfe": True}),
                Row("Baseline + MTE + MFE", {}, {"model.tc": "none"}, NOT_IN_PAPER),
                Row("Baseline + TC", {"X-Sub": 87.8}, LATE_FUSION),
                Row("Baseline + MTE + MFE + TC", {"X-Sub": 90.0}, OURS),
            ),
        ),
        Study(
            "table5",
            "Ablation on the layers that use me-GC",
            "ntu120",
            XSUB,
            (
                Row("none", {"X-Sub": 87.8}, {**LATE_FUSION, "model.depth": [4, 3, 3]}),
                _layers("1-4", [1, 2, 3, 4], 89.8),
                _layers("4-7", [4, 5, 6, 7], 88.6),
                _layers("7-10", [7, 8, 9, 10], 89.2),
                Row("all", {"X-Sub": 90.0}, {"model.depth": [4, 3, 3]}),
            ),
        ),
        Study(
            "table6",
            "Ablation on the initial value of β (MTE) and of its counterpart in MFE",
            "ntu120",
            XSUB,
            (
                Row("MTE 0.0, MFE 0.0", {"X-Sub": 90.0}, OURS),
                *(
                    Row(f"MTE {value}", {"X-Sub": paper}, {"model.beta_init": value})
                    for value, paper in zip(_INITIAL[1:], _MTE[1:], strict=True)
                ),
                *(
                    Row(f"MFE {value}", {"X-Sub": paper}, {"model.gamma_init": value})
                    for value, paper in zip(_INITIAL[1:], _MFE[1:], strict=True)
                ),
            ),
            note="One module's initial value is varied at a time, the other's stays 0.",
        ),
        Study(
            "table7",
            "Ablation on the number of layers",
            "ntu120",
            XSUB,
            tuple(
                Row(str(depth), {"X-Sub": paper}, {"model.depth": list(blocks)})
                for depth, (blocks, paper) in _DEPTHS.items()
            ),
            note="The paper does not say how the layers divide into the three stages; ours are "
            + ", ".join(f"{depth} = {'+'.join(map(str, blocks))}" for depth, (blocks, _) in _DEPTHS.items())
            + ".",
        ),
        Study(
            "table8",
            "Comparison with alternative ways of fusion",
            "ntu120",
            XSUB,
            (
                Row("Early Fusion", {"X-Sub": 82.1}, {**LATE_FUSION, "model.early_fusion": "add"}, "coordinates added"),
                Row(
                    "Early Fusion, channels",
                    {},
                    {**LATE_FUSION, "model.early_fusion": "concat_channels"},
                    f"{NOT_IN_PAPER}: coordinates side by side as channels",
                ),
                Row(
                    "Early Fusion, joints",
                    {},
                    {**LATE_FUSION, "model.early_fusion": "concat_joints"},
                    f"{NOT_IN_PAPER}: one graph of both skeletons",
                ),
                Row("Late Fusion", {"X-Sub": 87.8}, LATE_FUSION),
                Row("Ours", {"X-Sub": 90.0}, OURS),
            ),
            note="The paper does not define Early Fusion beyond 'at the data level'.",
        ),
        Study(
            "fig3",
            "t-SNE of the representation, four models",
            "ntu120",
            XSUB,
            (
                Row("Baseline", {}, LATE_FUSION),
                Row("MTE only", {}, {"model.mfe": False}),
                Row("MFE only", {}, {"model.mte": False}),
                Row("Ours", {}, OURS),
            ),
            draws="embedding",
        ),
        Study(
            "fig4",
            "Activation per joint before and after mutual learning",
            "ntu120",
            XSUB,
            (Row("Ours", {}, OURS),),
            draws="activation",
        ),
        Study("fig5", "Confusion matrix, cross subject", "ntu120", XSUB, (Row("Ours", {}, OURS),), draws="confusion"),
        Study(
            "fig6",
            "Confusion matrix, cross setup",
            "ntu120",
            XSET,
            (Row("Ours", {}, OURS),),
            draws="confusion",
        ),
    )
}
"""Key → study, in the paper's order."""
