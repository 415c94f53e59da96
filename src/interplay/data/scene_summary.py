"""Read every annotated picture of a data set once and count: what `data check` and `data stats` print of scenes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from interplay.data.errors import DataError
from interplay.data.scenes import SceneDataset
from interplay.data.zero_shot import triplet_keys


@dataclass(frozen=True, slots=True)
class PartFigures:
    """Counts over the pictures of one part (``all``: of the whole set)."""

    part: str
    pictures: int
    with_relations: int
    entities: int
    relations: int
    most_entities: int
    most_relations: int

    @property
    def entities_each(self) -> float:
        """Mean over the pictures."""
        return round(self.entities / max(self.pictures, 1), 2)

    @property
    def relations_each(self) -> float:
        return round(self.relations / max(self.pictures, 1), 2)

    def row(self) -> dict[str, Any]:
        return {
            "part": self.part,
            "pictures": self.pictures,
            "with relations": self.with_relations,
            "entities": self.entities,
            "relations": self.relations,
            "entities a picture": self.entities_each,
            "most": self.most_entities,
            "relations a picture": self.relations_each,
            "most ": self.most_relations,
        }


@dataclass(frozen=True, slots=True)
class Published:
    """A figure that a paper or a data set's authors give, beside the same found here."""

    what: str
    found: float
    published: float
    source: str
    why: str = ""

    @property
    def agrees(self) -> bool:
        return abs(self.found - self.published) <= 0.051 if self.published < 100 else self.found == self.published


@dataclass(slots=True)
class SceneSummary:
    """Counts over a data set of annotated pictures.

    Attributes:
        parts: figures of every part, and of all pictures that could be read.
        class_counts, predicate_counts: (part, class) and (part, predicate) → entities and relations.
        bad: one line for each picture that could not be read.
        pictures_found: pictures whose file is at hand.
    """

    dataset: str
    classes: tuple[str, ...]
    predicates: tuple[str, ...]
    total: int
    parts: list[PartFigures] = field(default_factory=list)
    class_counts: dict[str, NDArray[np.int64]] = field(default_factory=dict)
    predicate_counts: dict[str, NDArray[np.int64]] = field(default_factory=dict)
    bad: list[str] = field(default_factory=list)
    pictures_found: int = 0
    zero_shot_triplets: int | None = None
    zero_shot_relations: int = 0
    facts: dict[str, int | str] = field(default_factory=dict)
    published: list[Published] = field(default_factory=list)

    def part(self, name: str) -> PartFigures:
        return next(part for part in self.parts if part.part == name)

    def table(self, kind: str) -> list[dict[str, Any]]:
        """Classes or predicates that occur, by how often they do in the training part (then in all)."""
        names, counts = (
            (self.classes, self.class_counts) if kind == "classes" else (self.predicates, self.predicate_counts)
        )
        order = np.lexsort((np.arange(len(names)), -counts["all"], -counts.get("train", counts["all"])))
        what = "class" if kind == "classes" else "predicate"
        share = counts["all"] / max(int(counts["all"].sum()), 1)
        return [
            {"index": int(at), what: names[at]}
            | {part: int(found[at]) for part, found in counts.items()}
            | {"share %": round(100 * float(share[at]), 2)}
            for at in order
            if at and counts["all"][at]
        ]

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "dataset": self.dataset,
            "pictures": self.total,
            "read": self.part("all").pictures,
            "bad": list(self.bad),
            "files": self.pictures_found,
            "classes": len(self.classes) - 1,
            "predicates": len(self.predicates) - 1,
            "parts": [
                {key.strip() if key != "most " else "most relations": value for key, value in part.row().items()}
                for part in self.parts
            ],
            "zero_shot": {"triplets": self.zero_shot_triplets, "test_relations": self.zero_shot_relations},
            "facts": dict(self.facts),
            "class_counts": self.table("classes"),
            "predicate_counts": self.table("predicates"),
            "published": [
                {
                    "what": row.what,
                    "found": row.found,
                    "published": row.published,
                    "source": row.source,
                    "agrees": row.agrees,
                    "why": row.why,
                }
                for row in self.published
            ],
        }


def summarise_scenes(dataset: SceneDataset, strict: bool = False, indices: Iterable[int] | None = None) -> SceneSummary:
    """Read every picture's annotations (those of ``indices``, an iterable that may draw a progress bar).

    Raises:
        DataError: the first picture that cannot be read, under ``strict``; otherwise it is listed in ``bad``.
    """
    vocabulary = dataset.vocabulary
    parts = dataset.parts()
    names = [*parts, "all"]
    member = np.zeros((len(names), len(dataset)), bool)
    member[-1] = True
    for row, chosen in enumerate(parts.values()):
        member[row, chosen] = True
    summary = SceneSummary(dataset.name, vocabulary.classes, vocabulary.predicates, len(dataset))
    figures = np.zeros((len(names), 6), np.int64)
    classes = np.zeros((len(names), len(vocabulary.classes)), np.int64)
    predicates = np.zeros((len(names), len(vocabulary.predicates)), np.int64)
    unseen = dataset.zero_shot
    keys = np.zeros(0, np.int64) if unseen is None else triplet_keys(unseen)
    for index in range(len(dataset)) if indices is None else indices:
        try:
            scene = dataset.read(index)
        except DataError as error:
            if strict:
                raise
            summary.bad.append(str(error))
            continue
        entities, relations = len(scene.labels), len(scene.relations)
        of = member[:, index]
        figures[of, :4] += (1, int(relations > 0), entities, relations)
        figures[of, 4:] = np.maximum(figures[of, 4:], (entities, relations))
        classes[of] += np.bincount(scene.labels, minlength=classes.shape[1])
        predicates[of] += np.bincount(scene.relations[:, 2], minlength=predicates.shape[1])
        summary.pictures_found += scene.file is not None
        if "test" in parts and of[names.index("test")] and relations:
            ends = scene.labels[scene.relations[:, :2]]
            triplets = np.concatenate([ends, scene.relations[:, 2:]], axis=1)
            summary.zero_shot_relations += int(np.isin(triplet_keys(triplets), keys).sum())
    summary.parts = [PartFigures(name, *figures[row].tolist()) for row, name in enumerate(names)]
    summary.class_counts = {name: classes[row] for row, name in enumerate(names)}
    summary.predicate_counts = {name: predicates[row] for row, name in enumerate(names)}
    summary.zero_shot_triplets = None if unseen is None else len(unseen)
    facts = getattr(dataset, "facts", {})
    summary.facts = dict(facts) if isinstance(facts, dict) else {}
    summary.published = published_figures(summary)
    return summary


def published_figures(summary: SceneSummary) -> list[Published]:
    """What is published of VG150, Open Images V6 and VRD beside what was found; other sets have no rows.

    A set in VG150's files but of another vocabulary (or a part of the pictures) is not compared.
    """
    counts = (len(summary.classes) - 1, len(summary.predicates) - 1)
    every = summary.part("all")
    sizes = {part.part: part.pictures for part in summary.parts}
    rows: list[Published] = []
    if summary.dataset == "vg" and counts == (150, 50) and summary.total >= 100_000:
        raw = "counted on Visual Genome as released; VG150 keeps 150 classes and 50 predicates of it"
        rows = [
            Published("pictures", summary.total, 108_077, "SIL §4.1", "four corrupted pictures are left out"),
            Published("train", sizes["train"], 57_723, "split of VG150", "pictures with a relation only"),
            Published("validation", sizes["validation"], 5_000, "split of VG150", "the first of the training list"),
            Published("test", sizes["test"], 26_446, "split of VG150", "pictures with a relation only"),
            Published("entities a picture", every.entities_each, 38, "SIL App. B", raw),
            Published("relations a picture", every.relations_each, 22, "SIL App. B", raw),
            Published(
                "zero-shot triplets", summary.zero_shot_triplets or 0, 5_971, "published list", "see the setting"
            ),
        ]
    elif summary.dataset == "openimages" and counts[0] >= 280 and summary.total >= 100_000:
        slip = "the list of names has all 601 boxable classes, some 290 of them occur in scene graphs"
        mean = "of which pictures is not said"
        occurring = int((summary.class_counts["all"] > 0).sum())
        rows = [
            Published("train", sizes["train"], 126_368, "SIL §4.1", "pictures with a relation only"),
            Published("validation", sizes["validation"], 1_813, "SIL §4.1", "pictures with a relation only"),
            Published("test", sizes["test"], 5_322, "SIL §4.1", "pictures with a relation only"),
            Published("classes that occur", occurring, 301, "SIL App. B", slip),
            Published("predicates", counts[1], 31, "SIL App. B", "the paper counts the background"),
            Published("entities a picture", every.entities_each, 4.1, "SIL App. B", mean),
            Published("relations a picture", every.relations_each, 2.8, "SIL App. B", mean),
        ]
    elif summary.dataset == "vrd" and counts == (100, 70):
        both = [summary.part(part) for part in ("train", "validation")]
        training = sum(part.with_relations for part in both), sum(part.relations for part in both)
        rows = [
            Published("pictures", summary.total, 5_000, "Lu et al. 2016", "4,000 for training, 1,000 for testing"),
            Published("training pictures with relations", training[0], 3_780, "the JSON files"),
            Published("test pictures with relations", summary.part("test").with_relations, 955, "the JSON files"),
            Published("training relations", training[1], 30_355, "the JSON files"),
            Published("test relations", summary.part("test").relations, 7_638, "the JSON files"),
            Published("relations in all", every.relations, 37_993, "Lu et al. 2016"),
            Published("zero-shot test relations", summary.zero_shot_relations, 1_169, "the JSON files"),
        ]
    return [row if not row.agrees else Published(row.what, row.found, row.published, row.source) for row in rows]
