from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest

from interplay.data.playground.objects import KINDS
from interplay.data.playground.scene_contents import build_scene
from interplay.data.playground.scene_layout import PART_PAIRS, Scene, Thing, visible
from interplay.data.playground.scene_relations import CHANCES, CLASSES, PREDICATES, annotate, true_relations


def thing(kind: str, x: float, z: float, y: float = 0.0, **more: Any) -> Thing:
    """A thing at a place, its box as if 50 pixels were a metre."""
    size = KINDS[kind].size if kind in KINDS else (0.5, 1.7, 0.3)
    box = (96 + 50 * (x - size[0] / 2), 130 - 50 * (y + size[1]), 96 + 50 * (x + size[0] / 2), 130 - 50 * y)
    return Thing(kind, box, 4.0 - z, x, y, z, size, **more)


def facts(*things: Thing) -> set[tuple[str, str, str]]:
    scene = Scene(0, (192, 144), things=list(things))
    rows = true_relations(scene, range(len(things)))
    return {(things[s].kind, predicate, things[o].kind) for s, o, predicate in rows}


def test_vocabulary() -> None:
    assert len(CLASSES) == len(set(CLASSES)) == 37
    assert len(PREDICATES) == len(set(PREDICATES)) == 32
    assert not {"left of", "right of"} & set(PREDICATES)
    assert {predicate for pair in PART_PAIRS for predicate in pair} <= set(PREDICATES)
    for first, second in PART_PAIRS:
        assert CHANCES[first] == CHANCES[second]


def test_on_and_under() -> None:
    table = thing("table", 0.0, -0.7)
    cup = thing("cup", 0.2, -0.7, 0.76, support=0, place="top")
    knife = thing("knife", -0.3, -0.7, 0.76, support=0, place="top", posture="lying")
    ball = thing("ball", 0.1, -0.7)
    found = facts(table, cup, knife, ball)
    assert {("cup", "on", "table"), ("knife", "on", "table"), ("knife", "lying on", "table")} <= found
    assert ("ball", "under", "table") in found
    assert not {row for row in found if row[1] == "under" and row[0] != "ball"}
    assert ("table", "on", "cup") not in found
    beside = facts(table, thing("ball", 1.2, -0.7))
    assert ("ball", "under", "table") not in beside
    assert ("ball", "near", "table") in beside


def test_depth_decides_behind_and_in_front_of() -> None:
    near, far = thing("person", 0.0, 0.4), thing("chair", 0.1, -0.6)
    assert {("person", "in front of", "chair"), ("chair", "behind", "person")} <= facts(near, far)
    apart = facts(near, thing("chair", 1.4, -0.6))
    assert not {row for row in apart if row[1] in ("behind", "in front of")}


def test_walls_ceilings_and_seats() -> None:
    wall = Thing("wall", (0, 0, 192, 90), 95.0, 0.0, 0.0, -1.35, (9.0, 3.0, 0.1), place="wall")
    clock = thing("clock", 0.0, -1.33, 1.6, place="wall")
    window = thing("window", 1.0, -1.33, 1.4, place="wall")
    sofa = thing("sofa", 0.0, -0.9)
    assert facts(wall, clock, window, sofa) >= {
        ("clock", "mounted on", "wall"),
        ("clock", "on", "wall"),
        ("window", "in", "wall"),
        ("clock", "above", "sofa"),
        ("sofa", "against", "wall"),
    }
    lamp = thing("lamp", 0.1, -0.7, 1.7, place="ceiling")
    assert ("lamp", "over", "table") in facts(lamp, thing("table", 0.0, -0.7))
    seated = facts(thing("chair", 0.0, 0.2), thing("person", 0.0, 0.2, support=0, posture="sitting"))
    assert seated == {("person", "on", "chair"), ("person", "sitting on", "chair")}


def test_parts_belong_to_their_owner_only() -> None:
    people = [thing("person", x, 0.3) for x in (-1.0, 1.0)]
    head = Thing("head", (40, 40, 50, 54), 3.6, -1.0, 1.6, 0.3, (0.2, 0.3, 0.2), place="part", owner=0)
    scene = Scene(0, (192, 144), things=[*people, head])
    rows = true_relations(scene, range(3))
    assert {row for row in rows if 2 in row[:2]} == {
        (0, 2, "has"),
        (2, 0, "of"),
        (2, 0, "part of"),
        (2, 0, "belonging to"),
    }
    assert not [row for row in true_relations(scene, (1, 2)) if 2 in row[:2]]


def test_annotators_write_a_part_of_the_truth() -> None:
    """Shares follow the chances: a pair by its likeliest predicate, the predicate by all of them."""
    truth = [(k, k + 1000, predicate) for k in range(1000) for predicate in ("near", "under")]
    rows = annotate(truth, np.random.default_rng(0), second=0.0)
    assert set(rows) <= set(truth)
    assert len({row[:2] for row in rows}) == len(rows)
    share, both = len(rows) / 1000, CHANCES["near"] + CHANCES["under"]
    assert abs(share - max(CHANCES["near"], CHANCES["under"])) < 0.06
    assert abs(Counter(row[2] for row in rows)["near"] / len(rows) - CHANCES["near"] / both) < 0.06
    twice = annotate(truth, np.random.default_rng(0), second=1.0)
    assert len(twice) == 2 * len(rows)
    assert annotate([], np.random.default_rng(0)) == []


@pytest.mark.parametrize("seed", range(12))
def test_every_event_has_its_thing_where_it_happens(seed: int) -> None:
    """Held things meet the person's box; what is hidden or outside is not visible."""
    scene = build_scene(seed, (192, 144))
    seen = set(visible(scene))
    for subject, object_, predicate in scene.events:
        a, b = scene.things[subject], scene.things[object_]
        if predicate not in PART_PAIRS[1]:
            assert b.owner == subject
            assert min(a.box[2], b.box[2]) > max(a.box[0], b.box[0]) - 1
            assert min(a.box[3], b.box[3]) > max(a.box[1], b.box[1]) - 1
        else:
            assert abs((a.box[0] + a.box[2]) - (b.box[0] + b.box[2])) > 2 * 0.13 * 192
    for index in seen:
        x1, y1, x2, y2 = scene.things[index].box
        assert min(x2, 192) > max(x1, 0)
        assert min(y2, 144) > max(y1, 0)
