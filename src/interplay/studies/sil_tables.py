"""The tables and figures of the SIL paper as rows that can be run, beside the paper's numbers.

Source: Wang, Zhang, Huang, Ren, Deng, "Improving Scene Graph Generation with Superpixel-Based Interaction Learning"
(ACM MM 2023). A row either names a relation head (with or without SIL) and is run, or it is printed only and says why.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from interplay.scene.superpixel.settings import PRESETS

PUBLISHED = "printed only: another paper's number, its method is not part of this library"
TASKS = ("predcls", "sgcls", "sggen")
TASK_NAMES = {"predcls": "PredCls", "sgcls": "SGCls", "sggen": "SGGen"}
HEADS = {
    "MOTIFS": "motifs",
    "G-RCNN": "graph_rcnn",
    "KERN": "kern",
    "VCTree": "vctree",
    "GPS-Net": "gps_net",
    "BGNN": "bgnn",
    "PE-Net": "pe_net",
}
"""Name in the paper → name in this library, in the order of Table 1."""
BASELINE = "Frequency"
RECALLS = ("mR@20", "mR@50", "mR@100")
PRECISIONS = ("R@50", "wmAP_rel", "wmAP_phr", "score_wtd")
Drawing = Literal["clusters", "layers", "boxes", "levels", "saliency"]


@dataclass(frozen=True)
class SceneRow:
    """One row of a table.

    Args:
        name: as the paper calls it.
        paper: task → the paper's numbers in per cent, in the order of the study's columns.
        overrides: recipe keys that make this row, or None for one that is only printed.
        note: why it is only printed, or what our row differs in.
        without: the row that this one adds SIL to.
    """

    name: str
    paper: Mapping[str, Sequence[float | None]] = field(default_factory=dict)
    overrides: Mapping[str, Any] | None = None
    note: str = ""
    without: str | None = None


@dataclass(frozen=True)
class SceneStudy:
    """A table or figure.

    Args:
        key: "table4", "fig3".
        title: the paper's caption.
        data: what the paper ran it on: a recipe ``sil/<data>``.
        tasks: whose columns it has.
        columns: figures of the paper.
        rows: in the paper's order.
        overrides: of every row.
        draws: the picture to make of the runs, or None.
        gains: end with SIL's gain per head, its average and the largest.
        note: what a reader of the result has to know.
    """

    key: str
    title: str
    data: str
    tasks: Sequence[str]
    columns: Sequence[str]
    rows: tuple[SceneRow, ...]
    overrides: Mapping[str, Any] = field(default_factory=lambda: {"evaluation.protocol": "vg"})
    draws: Drawing | None = None
    gains: bool = False
    note: str = ""


def preset(name: str) -> dict[str, Any]:
    """A preset of the SIL block as recipe keys, SIL switched on."""
    return {"model.sil": True, **{f"sil.{key}": value for key, value in PRESETS[name].items()}}


def _published(name: str, **paper: Sequence[float | None]) -> SceneRow:
    return SceneRow(name, paper, None, PUBLISHED)


def _head(name: str, sil: bool, **paper: Sequence[float | None]) -> SceneRow:
    return SceneRow(
        f"{name}+SIL" if sil else name,
        paper,
        {"head.name": HEADS[name], "model.sil": sil},
        without=name if sil else None,
    )


_TABLE1: dict[str, tuple[tuple[tuple[float, ...], ...], tuple[tuple[float, ...], ...]]] = {
    "MOTIFS": (
        ((11.7, 14.8, 16.1), (6.3, 8.3, 8.8), (5.0, 6.8, 7.9)),
        ((13.6, 16.9, 18.4), (8.5, 10.2, 10.8), (5.5, 7.3, 8.5)),
    ),
    "G-RCNN": (
        ((13.5, 16.7, 17.4), (7.5, 9.1, 9.6), (4.8, 6.1, 6.7)),
        ((15.3, 18.1, 19.4), (8.8, 10.7, 11.1), (5.9, 6.9, 7.6)),
    ),
    "KERN": (
        ((14.7, 17.0, 19.4), (7.4, 9.0, 10.0), (4.8, 6.3, 7.3)),
        ((16.0, 18.8, 21.0), (8.4, 10.5, 11.7), (5.3, 6.9, 7.9)),
    ),
    "VCTree": (
        ((13.2, 16.7, 18.2), (9.6, 11.8, 12.5), (5.4, 7.4, 8.7)),
        ((14.5, 18.1, 19.6), (10.1, 12.6, 13.9), (5.7, 7.6, 8.9)),
    ),
    "GPS-Net": (
        ((17.4, 21.3, 22.8), (10.0, 11.8, 12.6), (6.9, 8.7, 9.8)),
        ((19.1, 23.8, 25.2), (11.7, 13.2, 14.0), (6.9, 9.1, 10.4)),
    ),
    "BGNN": (
        ((24.9, 29.5, 31.8), (12.2, 14.3, 14.8), (7.5, 10.4, 12.5)),
        ((27.9, 32.9, 35.0), (13.1, 15.7, 16.8), (8.2, 11.1, 13.1)),
    ),
    "PE-Net": (
        ((25.8, 31.4, 33.5), (15.2, 18.2, 19.3), (9.2, 12.3, 14.3)),
        ((26.9, 33.1, 35.3), (16.7, 19.9, 20.7), (10.0, 13.0, 15.1)),
    ),
}
"""Head → (without SIL, with SIL): PredCls, SGCls, SGGen, each mR@20, mR@50, mR@100."""
_TABLE3: dict[str, tuple[tuple[float, ...], tuple[float, ...]]] = {
    "MOTIFS": ((71.6, 29.9, 31.6, 38.9), (72.3, 30.4, 31.8, 39.4)),
    "G-RCNN": ((74.5, 33.2, 34.2, 41.9), (75.5, 33.8, 34.7, 42.5)),
    "GPS-Net": ((74.8, 32.9, 34.0, 41.7), (75.7, 33.9, 34.9, 42.7)),
    "BGNN": ((75.0, 33.5, 34.2, 42.1), (76.4, 34.2, 35.0, 43.0)),
    "PE-Net": ((76.5, 36.6, 37.4, 44.9), (77.1, 37.2, 37.8, 45.5)),
}
"""Head → (without SIL, with SIL): R@50, wmAP_rel, wmAP_phr, score_wtd."""

_ON_TABLE1 = tuple(
    _head(name, bool(sil), **dict(zip(TASKS, numbers[sil], strict=True)))
    for name, numbers in _TABLE1.items()
    for sil in (0, 1)
)
_FREQUENCY = SceneRow(
    BASELINE,
    {},
    {"head.name": "frequency", "model.sil": False},
    "not in the paper: looks at the two classes only",
)
_ON_TABLE3 = tuple(_head(name, bool(sil), sggen=numbers[sil]) for name, numbers in _TABLE3.items() for sil in (0, 1))
_SGGEN = {"evaluation.protocol": "openimages"}
_NO_NUMBERS = "the paper prints a chart without numbers"
_MOTIFS = {"head.name": "motifs"}
_WITHOUT = {**_MOTIFS, "model.sil": False}
_ABLATION = (
    ("MOTIFS", (12.31, 15.03, 16.10), None),
    ("SC", (12.59, 15.54, 16.75), "sc"),
    ("SC + IEI (weighted)", (12.61, 15.76, 17.08), "sc_iei"),
    ("SC + CEI", (13.16, 16.40, 17.70), "sc_cei"),
    ("SC + IEI (unweighted) + CEI", (13.12, 16.52, 17.78), "sc_iei_unweighted_cei"),
    ("SC + IEI (weighted) + CEI", (13.62, 16.91, 18.36), "full"),
)
_PICTURES = "drawn from the run of the first seed, on the first test pictures that have the predicates asked for"


def _swept(key: str, values: Sequence[int], word: str) -> tuple[SceneRow, ...]:
    return (
        SceneRow("MOTIFS", {}, _WITHOUT),
        *(
            SceneRow(f"{word} = {value}", {}, {**_MOTIFS, **preset("reduced"), key: value}, without="MOTIFS")
            for value in values
        ),
    )


def _pictures(key: str, title: str, names: Sequence[str], draws: Drawing) -> SceneStudy:
    rows = tuple(row for row in _ON_TABLE1 if row.name in names)
    return SceneStudy(key, title, "vg", ("predcls",), RECALLS, rows, draws=draws, note=_PICTURES)


STUDIES: dict[str, SceneStudy] = {
    study.key: study
    for study in (
        SceneStudy(
            "table1",
            "Mean recall over three tasks, seven heads without and with SIL",
            "vg",
            TASKS,
            RECALLS,
            (_FREQUENCY, *_ON_TABLE1),
            gains=True,
        ),
        SceneStudy(
            "table2",
            "Comparison with other published methods",
            "vg",
            TASKS,
            RECALLS,
            (
                _published("VTransE", predcls=(None, 14.7, 15.8), sgcls=(None, 8.2, 8.7), sggen=(None, 5.0, 6.1)),
                _published("RelDN", predcls=(None, 15.8, 17.2), sgcls=(None, 9.3, 9.6), sggen=(None, 6.0, 7.3)),
                _published("GBNet-β", predcls=(None, 22.1, 24.0), sgcls=(None, 12.7, 13.4), sggen=(None, 7.1, 8.5)),
                _published("FCSGG", predcls=(None, 6.3, 7.1), sgcls=(None, 3.7, 4.1), sggen=(None, 3.6, 4.2)),
                _published("IWSL", predcls=(None, 30.0, 32.1), sgcls=(None, 17.4, 18.9), sggen=(None, 13.7, 15.9)),
                _published("IS-GGT", predcls=(None, 26.4, 31.9), sgcls=(None, 15.8, 18.9), sggen=(None, 9.1, 11.3)),
                *(row for row in _ON_TABLE1 if row.name.startswith("PE-Net")),
            ),
            gains=True,
            note="The paper's row 'Ours' is PE-Net+SIL.",
        ),
        SceneStudy(
            "table3",
            "Open Images V6 without and with SIL",
            "openimages",
            ("sggen",),
            PRECISIONS,
            _ON_TABLE3,
            _SGGEN,
            gains=True,
            note="R@50 is Open Images' own (relations of all pictures together), see docs/scene_evaluation.md.",
        ),
        SceneStudy(
            "table4",
            "Ablation on the components of the SIL block, MOTIFS",
            "vg",
            ("predcls",),
            RECALLS,
            tuple(
                SceneRow(
                    name,
                    {"predcls": paper},
                    _WITHOUT if chosen is None else {**_MOTIFS, **preset(chosen)},
                    without=None if chosen is None else "MOTIFS",
                )
                for name, paper, chosen in _ABLATION
            ),
            gains=True,
        ),
        SceneStudy(
            "table5",
            "Open Images V6, complete",
            "openimages",
            ("sggen",),
            PRECISIONS,
            (
                _published("RelDN", sggen=(73.1, 32.2, 33.4, 40.8)),
                SceneRow(
                    "VCTree",
                    {"sggen": (74.1, 34.2, 33.1, 40.2)},
                    {"head.name": "vctree", "model.sil": False},
                    "the paper's wmAP_rel and wmAP_phr are probably exchanged",
                ),
                _published("IWSL", sggen=(74.7, 33.1, 34.3, 41.9)),
                *_ON_TABLE3,
            ),
            _SGGEN,
            gains=True,
            note="R@50 is Open Images' own (relations of all pictures together), see docs/scene_evaluation.md.",
        ),
        SceneStudy(
            "fig3",
            "Number of clustering centres C, MOTIFS with the reduced SIL block",
            "vg",
            ("predcls",),
            RECALLS,
            _swept("sil.clusters", (4, 9, 25, 49, 81), "C"),
            draws="clusters",
            gains=True,
            note=_NO_NUMBERS,
        ),
        SceneStudy(
            "fig4",
            "Layers L of cross-entity interaction, MOTIFS with the reduced SIL block",
            "vg",
            ("predcls",),
            RECALLS,
            _swept("sil.cei_layers", (0, 1, 2, 3), "L"),
            draws="layers",
            gains=True,
            note=_NO_NUMBERS,
        ),
        _pictures("fig5", "Superpixels inside boxes", ("MOTIFS+SIL",), "boxes"),
        _pictures("fig6", "GradCAM of the predicate without and with SIL", ("MOTIFS", "MOTIFS+SIL"), "saliency"),
        _pictures("fig7", "Superpixels level by level", ("MOTIFS+SIL",), "levels"),
        _pictures("fig8", "GradCAM without and with SIL, more triplets", ("MOTIFS", "MOTIFS+SIL"), "saliency"),
    )
}
"""Key → study, in the paper's order."""
