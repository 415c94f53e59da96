"""What is true in a scene, and what an annotator writes down of it.

Truth comes from places in the world (metres) and boxes (pixels), or from what people do; it is exact. An annotator
writes down a part of it, mostly one predicate a pair, common words more often than rare ones: shares of predicates
fall off as in Visual Genome, and unannotated pairs are not all unrelated.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from interplay.data.playground.furniture import WALL_Z
from interplay.data.playground.objects import KINDS
from interplay.data.playground.scene_layout import PART_PAIRS, Scene, Thing
from interplay.data.scenes import BACKGROUND

Triplet = tuple[int, int, str]

CLASSES: tuple[str, ...] = (
    BACKGROUND,
    *sorted(("person", "head", "hand", "foot", "shirt", "trousers", "wall", *KINDS)),
)

CHANCES: Mapping[str, float] = {
    "on": 0.62,
    "has": 0.50,
    "near": 0.13,
    "of": 0.25,
    "in": 0.42,
    "behind": 0.16,
    "in front of": 0.13,
    "next to": 0.20,
    "under": 0.80,
    "above": 0.14,
    "sitting on": 0.65,
    "standing on": 0.50,
    "lying on": 0.22,
    "with": 0.20,
    "part of": 0.07,
    "belonging to": 0.04,
    "mounted on": 0.16,
    "against": 0.22,
    "over": 0.70,
    "at": 0.30,
    "using": 0.85,
    "drinking from": 0.85,
    "reading": 0.85,
    **{predicate: 0.94 for pair in PART_PAIRS for predicate in pair},
}
"""How readily an annotator writes a true predicate down."""

PREDICATES: tuple[str, ...] = (BACKGROUND, *sorted(CHANCES))

HELD_OUT: tuple[tuple[str, str, str], ...] = (
    ("cat", "looking at", "dog"),
    ("cat", "facing away from", "dog"),
    ("person", "looking at", "tv"),
    ("person", "facing away from", "tv"),
    ("dog", "looking at", "ball"),
    ("dog", "facing away from", "ball"),
    ("hat", "on", "shelf"),
    ("bag", "under", "table"),
    ("bag", "on", "bench"),
    ("hat", "on", "chair"),
    ("cat", "lying on", "sofa"),
    ("ball", "under", "bench"),
)
"""Triplets (subject, predicate, object) that training never shows, while it shows their parts. Of a pair of
part-dependent predicates both are held out, so that labels stay without a hint."""

_LARGE = frozenset(("person", "dog", "cat", "table", "bench", "chair", "sofa", "plant", "tree"))
_HUNG = frozenset(("picture", "clock", "tv", "shelf"))


def _across(a: Thing, b: Thing) -> tuple[float, float]:
    """Gap between two footprints along x and along z, metres; negative where they overlap."""
    return (
        abs(a.x - b.x) - 0.5 * (a.size[0] + b.size[0]),
        abs(a.z - b.z) - 0.5 * (a.size[2] + b.size[2]),
    )


def _cross(a: Thing, b: Thing) -> float:
    """Shared width of two boxes over the narrower one's, 0 where they do not meet."""
    w = min(a.box[2], b.box[2]) - max(a.box[0], b.box[0])
    h = min(a.box[3], b.box[3]) - max(a.box[1], b.box[1])
    return max(w, 0.0) / min(a.box[2] - a.box[0], b.box[2] - b.box[0]) if h > 0.0 else 0.0


def _pair(i: int, a: Thing, j: int, b: Thing) -> list[str]:
    """True predicates from thing ``i`` to ``j`` by their places."""
    if a.place == "part" or b.place == "part":
        return []
    found = []
    if a.support == j:
        found.append("on")
        if a.posture:
            found.append(f"{a.posture} on")
        return found
    if b.support == i:
        return []
    if b.kind == "wall":
        if a.kind == "window":
            return ["in", "on"]
        if a.kind in _HUNG:
            return ["on", "mounted on"]
        if a.kind in _LARGE and a.place == "floor" and a.kind != "person" and a.z - 0.5 * a.size[2] - WALL_Z < 0.35:
            return ["against"]
        return []
    if a.kind == "wall" or "rug" in (a.kind, b.kind):
        return []
    along, deep = _across(a, b)
    if (
        b.kind in ("table", "bench")
        and a.place == "floor"
        and a.y + a.size[1] < b.size[1]
        and along < -0.1
        and deep < 0.0
    ):
        return ["under"]
    if a.kind == "lamp" and a.place == "ceiling" and b.kind == "table" and abs(a.x - b.x) < 0.5 * b.size[0]:
        return ["over", "above"]
    if (
        a.place == "wall"
        and b.kind in ("table", "sofa", "bench", "chair", "plant")
        and abs(a.x - b.x) < 0.5 * b.size[0]
    ):
        return ["above"] if a.y > b.y + b.size[1] - 0.05 else []
    if "held" in (a.place, b.place):
        return []
    same = a.place == b.place and (a.place != "top" or a.support == b.support) and abs(a.y - b.y) < 0.3
    if a.kind in _LARGE and b.kind in _LARGE and a.place == b.place == "floor":
        if a.kind == "person" and b.kind == "table" and along < 0.4 and deep < 0.45:
            found.append("at")
        if a.kind == "person" and b.kind in ("dog", "cat") and along < 0.3 and deep < 0.3:
            found.append("with")
        if abs(a.z - b.z) > 0.3 and _cross(a, b) > 0.15:
            found.append("behind" if a.z < b.z else "in front of")
    if same and a.place in ("floor", "top"):
        if along < (0.30 if a.place == "floor" else 0.22) and deep < 0.25:
            found += ["next to", "near"]
        elif along < 0.7 and deep < 0.6 and a.place == "floor":
            found.append("near")
    elif same and a.place == "wall" and along < 0.35:
        found += ["next to"] if along < 0.2 else ["near"]
    return found


def true_relations(scene: Scene, among: Sequence[int]) -> list[Triplet]:
    """All that is true among some things of a scene: (subject, object, predicate), indices into ``scene.things``.

    Args:
        scene: the scene.
        among: indices of the things that are annotated.
    """
    kept = set(among)
    found = [event for event in scene.events if event[0] in kept and event[1] in kept]
    for i in among:
        a = scene.things[i]
        if a.place == "part":
            if a.owner not in kept:
                continue
            if a.kind in ("shirt", "trousers"):
                found += [(a.owner, i, "in"), (i, a.owner, "on")]
            else:
                found += [
                    (a.owner, i, "has"),
                    (i, a.owner, "of"),
                    (i, a.owner, "part of"),
                    (i, a.owner, "belonging to"),
                ]
            continue
        for j in among:
            if i != j:
                found += [(i, j, predicate) for predicate in _pair(i, a, j, scene.things[j])]
    return found


def annotate(truth: Sequence[Triplet], rng: np.random.Generator, second: float = 0.03) -> list[Triplet]:
    """What an annotator writes down.

    A pair (subject, object) is annotated with the chance of its most salient true predicate
    (:data:`CHANCES`); the predicate written is drawn by these chances. With probability ``second`` another line is
    written for the pair: another of its true predicates, or the same one again.
    """
    pairs: dict[tuple[int, int], list[str]] = {}
    for subject, object_, predicate in truth:
        pairs.setdefault((subject, object_), []).append(predicate)
    rows = []
    for (subject, object_), predicates in pairs.items():
        draws = rng.random(4)
        chances = np.array([CHANCES[predicate] for predicate in predicates])
        if draws[0] >= chances.max():
            continue
        steps = np.cumsum(chances / chances.sum())
        steps[-1] = 1.0
        rows.append((subject, object_, predicates[int(np.searchsorted(steps, draws[1], side="right"))]))
        if draws[2] < second:
            rows.append((subject, object_, predicates[int(draws[3] * len(predicates))]))
    order = rng.permutation(len(rows))
    return [rows[int(k)] for k in order]
