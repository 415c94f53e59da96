"""The camera keeps people upright, apart and in the picture; drawings show every bone."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.collections import LineCollection
from numpy.typing import NDArray

from interplay.graph.layouts import load_layout, shipped_layouts
from interplay.viz.skeletons import SkeletonArtist, joint_activation, present, stills, view_of
from interplay.viz.style import ENTITY_COLOURS, new_figure, render

Stand = Callable[[str], NDArray[np.float64]]


@pytest.mark.parametrize("layout", ["ntu25", "sbu15", "coco17", "mediapipe33"])
def test_heads_are_above_feet_in_every_layout(layout: str, stand: Stand) -> None:
    body = stand(layout)
    names = load_layout(layout).joints
    head = next(index for index, name in enumerate(names) if name in ("head", "nose"))
    foot = max(index for index, name in enumerate(names) if "ankle" in name or "foot" in name)
    screen = view_of(body[None, None], layout).project(body)
    assert screen[head, 1] > screen[foot, 1]


@given(angle=st.floats(0, 2 * np.pi), distance=st.floats(0.8, 3.0))
@settings(max_examples=40, deadline=None)
def test_two_people_stand_beside_each_other_however_they_stood_in_the_room(
    angle: float, distance: float, stand: Stand
) -> None:
    step = distance / 2 * np.array([np.cos(angle), 0.0, np.sin(angle)])
    clip = np.stack([stand("ntu25") - step, stand("ntu25") + step])[None].repeat(3, axis=0)
    view = view_of(clip, "ntu25")
    screen = view.project(clip)
    apart = abs(screen[0, 0, :, 0].mean() - screen[0, 1, :, 0].mean())
    assert apart > 0.7 * distance
    assert (screen[..., 0] >= view.x[0]).all()
    assert (screen[..., 0] <= view.x[1]).all()
    assert (screen[..., 1] >= view.y[0]).all()
    assert (screen[..., 1] <= view.y[1]).all()


def test_a_single_person_is_seen_from_the_front_whichever_way_they_face(stand: Stand) -> None:
    body = stand("ntu25")
    left, right = load_layout("ntu25").index("left_shoulder"), load_layout("ntu25").index("right_shoulder")
    for angle in np.linspace(0, 2 * np.pi, 8):
        turn = np.array([[np.cos(angle), 0, -np.sin(angle)], [0, 1, 0], [np.sin(angle), 0, np.cos(angle)]])
        turned = body @ turn.T
        screen = view_of(turned[None, None], "ntu25").project(turned)
        assert screen[left, 0] - screen[right, 0] > 0.4  # of 0.5


def test_absent_and_broken_entities_are_not_there(stand: Stand) -> None:
    frame = np.stack([stand("ntu25"), np.zeros((25, 3)), np.full((25, 3), np.nan)])
    np.testing.assert_array_equal(present(frame), [True, False, False])
    view = view_of(np.zeros((4, 2, 25, 3)), "ntu25")
    assert np.isfinite([*view.x, *view.y]).all()


def test_a_frame_shows_every_bone_in_the_colour_of_its_entity(clip: NDArray[np.float32]) -> None:
    figure = new_figure(3, 3)
    artist = SkeletonArtist(figure.add_subplot(), "ntu25", view_of(clip, "ntu25"), 2)
    edges = len(load_layout("ntu25").edges)
    artist.update(clip[0])
    bones = [item for item in artist.artists if isinstance(item, LineCollection)]
    assert [len(collection.get_segments()) for collection in bones] == [edges, edges]
    artist.update(clip[3])  # person 2 is absent
    assert [len(collection.get_segments()) for collection in bones] == [edges, 0]
    assert len(set(ENTITY_COLOURS)) == len(ENTITY_COLOURS)


def test_the_nearer_person_is_drawn_last(stand: Stand) -> None:
    near, far = stand("ntu25") + np.array([0, 0, 1.0]), stand("ntu25") + np.array([0.1, 0, 5.0])
    figure = new_figure(3, 3)
    clip = np.stack([near, far])[None]
    artist = SkeletonArtist(figure.add_subplot(), "ntu25", view_of(clip, "ntu25"), 2)
    artist.update(clip[0])
    assert artist.artists[0].get_zorder() > artist.artists[1].get_zorder()


def test_stills_are_evenly_spaced_and_in_seconds(clip: NDArray[np.float32]) -> None:
    figure = stills(clip, "ntu25", frames_per_second=10.0, number=4, title="hugging", names=("actor", "partner"))
    assert [axes.get_xlabel() for axes in figure.axes] == ["0.0 s", "0.4 s", "0.7 s", "1.1 s"]
    assert len({(axes.get_xlim(), axes.get_ylim()) for axes in figure.axes}) == 1
    svg = render(figure, "svg").decode()
    assert all(word in svg for word in ("hugging", "actor", "partner", "left side"))
    assert len(stills(clip[:2], "ntu25").axes) == 2
    with pytest.raises(ValueError, match="joints must be"):
        stills(clip, "sbu15")


@pytest.mark.parametrize("layout", shipped_layouts())
def test_every_layout_can_be_drawn(layout: str, stand: Stand) -> None:
    body = stand(layout)
    figure = stills(np.stack([body, body + 1.0])[None].astype(np.float32), layout)
    assert len(figure.axes) == 1
    assert render(figure)


def test_joint_activation_shows_the_change_and_names_the_joint_that_rises(stand: Stand) -> None:
    before = np.full(25, 1 / 25)
    after = before.copy()
    after[[23, 3]] += (0.06, -0.06 + 1 / 50)
    after /= after.sum()
    figure = joint_activation(before, after, "ntu25", stand("ntu25"))
    bars = np.array([bar.get_width() for bar in figure.axes[2].patches])
    np.testing.assert_allclose(bars, 100 * (after - before))
    assert [text.get_text() for text in figure.axes[1].texts] == ["right hand tip"]
    sizes = [np.asarray(axes.collections[-1].get_sizes()) for axes in figure.axes[:2]]
    assert sizes[1].argmax() == 23
    assert sizes[0].max() < sizes[1].max()
    same = joint_activation(before, before, "ntu25", stand("ntu25"))
    assert [text.get_text() for text in same.axes[2].texts] == ["no change"]
    with pytest.raises(ValueError, match="25 scores"):
        joint_activation(before[:5], after, "ntu25", stand("ntu25"))
