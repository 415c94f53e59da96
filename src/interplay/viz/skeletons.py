"""Skeletons on paper: the camera, the drawing of one frame, strips of stills, and scores per joint (Fig. 4)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.colors import Normalize, to_rgb
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Circle
from numpy.typing import NDArray

from interplay.graph.layouts import SkeletonLayout, load_layout
from interplay.viz.style import ENTITY_COLOURS, FAINT, GRID, INK, PALETTE, grid, new_figure, shorten, styled

Points = NDArray[np.floating[Any]]

_PROPORTIONS = {"sbu15": (2.56, 1.92, 1.28)}
"""Layouts whose axes have different units: metres per unit, so that bodies are not squeezed."""


@dataclass(frozen=True, eq=False)
class View:
    """An orthographic camera that stays still over a clip.

    Screen x is ``points @ across``, screen y is ``points @ along``, and ``points @ away`` grows with the distance.

    Args:
        across, along, away: float64 (3,), they include the axes' scale.
        x, y: limits of the screen.
        floor: segments (L, 2, 2) of a light grid under the feet; empty where there is no floor.
    """

    across: NDArray[np.float64]
    along: NDArray[np.float64]
    away: NDArray[np.float64]
    x: tuple[float, float] = (0.0, 1.0)
    y: tuple[float, float] = (0.0, 1.0)
    floor: NDArray[np.float64] = field(default_factory=lambda: np.zeros((0, 2, 2)))

    def project(self, points: Points) -> NDArray[np.float64]:
        """(…, 3) → (…, 2), screen x and y."""
        return np.stack([points @ self.across, points @ self.along], axis=-1)

    @property
    def aspect(self) -> float:
        """Height over width."""
        return (self.y[1] - self.y[0]) / (self.x[1] - self.x[0])


def present(joints: Points) -> NDArray[np.bool_]:
    """(…, V, 3) → (…): whether the entity is there; absent entities are all zeros, broken ones are not finite."""
    finite = np.isfinite(joints).all(axis=(-1, -2))
    return np.asarray(finite & (joints != 0).any(axis=(-1, -2)))


def view_of(joints: Points, layout: str | SkeletonLayout, pitch: float = 10.0) -> View:
    """A camera for a clip (T, M, V, 3): entities beside each other, a little from above, the same in every frame.

    The camera turns about the vertical only as far as two entities behind each other demand (up to 25° between the
    line through them and the picture stays), and 15° more so that depth can be seen. A single person is shown from
    the front, as the line through the shoulders tells it.
    """
    layout = load_layout(layout)
    horizontal, upward, deep = _axes(layout)
    there = present(joints)
    bodies = joints[there].astype(np.float64)
    plane = np.stack([horizontal, deep], axis=1)
    if joints.shape[1] > 1 and there[:, :2].all(axis=1).any():
        both = joints[there[:, :2].all(axis=1)][:, :2].astype(np.float64)
        across, depth = (both[:, 1] - both[:, 0]).mean(axis=(0, 1)) @ plane
        angle = math.atan2(depth, across) if math.hypot(across, depth) > 1e-9 else 0.0
        angle -= math.pi * round(angle / math.pi)  # a line, not an arrow: sides are not exchanged
        bound = math.radians(25)
        yaw = angle - min(max(angle, -bound), bound) + math.radians(15)
    elif layout.mirror and len(bodies):
        left, right = (list(side) for side in zip(*layout.mirror, strict=True))
        across, depth = (bodies[:, left] - bodies[:, right]).mean(axis=(0, 1)) @ plane
        yaw = math.atan2(depth, across) + math.radians(15) if math.hypot(across, depth) > 1e-9 else 0.0
    else:
        yaw = math.radians(15)
    cosine, sine = math.cos(yaw), math.sin(yaw)
    screen_x, deeper = cosine * horizontal + sine * deep, cosine * deep - sine * horizontal
    lift, lean = math.cos(math.radians(pitch)), math.sin(math.radians(pitch))
    view = View(screen_x, lift * upward + lean * deeper, lift * deeper - lean * upward)
    if not len(bodies):
        return view
    floor = _floor(bodies, horizontal, upward, deep, view) if layout.entity == "person" else view.floor
    flat = np.concatenate([view.project(bodies).reshape(-1, 2), floor.reshape(-1, 2)])
    low, high = np.quantile(flat, [0.001, 0.999], axis=0)
    size = max(float((high - low).max()), 1e-6)
    low, high = low - 0.07 * size, high + 0.07 * size
    # Neither a sliver nor a ribbon: at least 60 % as wide as high, at least half as high as wide.
    for axis, other, least in ((0, 1, 0.6), (1, 0, 0.5)):
        lack = least * (high[other] - low[other]) - (high[axis] - low[axis])
        if lack > 0:
            low[axis], high[axis] = low[axis] - lack / 2, high[axis] + lack / 2
    return replace(view, x=(float(low[0]), float(high[0])), y=(float(low[1]), float(high[1])), floor=floor)


def _axes(layout: SkeletonLayout) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Unit vectors to the right, up and away; x is to the right unless it points up."""
    scale = np.array(_PROPORTIONS.get(layout.name, (1.0, 1.0, 1.0)))
    up = "xyz".index(layout.up[-1])
    right, away = (axis for axis in range(3) if axis != up)
    identity = np.eye(3) * scale
    return identity[right], identity[up] * (-1.0 if layout.up.startswith("-") else 1.0), identity[away]


def _floor(bodies: Points, right: Points, up: Points, away: Points, view: View) -> NDArray[np.float64]:
    """A grid under the lowest joints, as wide as the clip needs."""
    flat = bodies.reshape(-1, 3)
    height = float(np.quantile(flat @ up, 0.005))
    sides = [np.quantile(flat @ axis, [0.005, 0.995]) for axis in (right, away)]
    pad = 0.12 * max(float(np.ptp(side)) for side in sides)
    ticks = [np.linspace(side[0] - pad, side[1] + pad, 7) for side in sides]
    # r, height and a are coordinates along the three axes; dual vectors turn them back into a point.
    duals = [axis / np.dot(axis, axis) for axis in (right, up, away)]

    def point(r: float, a: float) -> Points:
        return np.asarray(r * duals[0] + height * duals[1] + a * duals[2])

    lines = [[point(r, a) for a in (ticks[1][0], ticks[1][-1])] for r in ticks[0]]
    lines += [[point(r, a) for r in (ticks[0][0], ticks[0][-1])] for a in ticks[1]]
    return view.project(np.array(lines))


class SkeletonArtist:
    """The skeletons of one frame on an axes; :meth:`update` shows another frame without drawing anew.

    Each entity has its colour, its left side a lighter tint of it.
    """

    def __init__(self, axes: Axes, layout: str | SkeletonLayout, view: View, entities: int, scale: float = 1.0) -> None:
        self.layout, self.view = load_layout(layout), view
        axes.set(xlim=view.x, ylim=view.y, aspect="equal", xticks=[], yticks=[])
        for spine in axes.spines.values():
            spine.set_visible(False)
        axes.add_collection(LineCollection(list(view.floor), colors=GRID, linewidths=0.6, zorder=0), autolim=False)
        self._edges = np.array(self.layout.edges, dtype=np.int64).reshape(-1, 2)
        left = np.array(["left" in joint for joint in self.layout.joints])
        self._head = next((i for i, name in enumerate(self.layout.joints) if name in ("head", "nose")), None)
        thick = (2.4 if self.layout.entity == "person" else 1.8) * scale
        self._bones: list[LineCollection] = []
        self._joints: list[Line2D] = []
        self._heads: list[Line2D] = []
        for entity in range(entities):
            base = np.array(to_rgb(ENTITY_COLOURS[entity % len(ENTITY_COLOURS)]))
            tint = 1 - 0.55 * (1 - base)
            on_left = [bool(left[child] or left[parent]) for child, parent in self.layout.edges]
            colours = [tuple(tint if lighter else base) for lighter in on_left]
            bones = LineCollection([], colors=colours, linewidths=thick, capstyle="round")
            self._bones.append(bones)
            axes.add_collection(bones, autolim=False)
            (joints,) = axes.plot([], [], "o", color=base, markersize=1.35 * thick, markeredgewidth=0)
            (head,) = axes.plot([], [], "o", color="white", markeredgecolor=base, markeredgewidth=0.7 * thick)
            head.set_markersize(4.2 * thick)
            self._joints.append(joints)
            self._heads.append(head)

    def update(self, frame: Points) -> None:
        """Show a frame (M, V, 3); entities that are absent vanish, the nearest one is drawn last."""
        there = present(frame)
        distance = [float((frame[entity] @ self.view.away).mean()) for entity in range(len(frame))]
        order = sorted(range(len(frame)), key=lambda entity: -distance[entity] if there[entity] else 0.0)
        for rank, entity in enumerate(order):
            points = self.view.project(frame[entity]) if there[entity] else np.zeros((0, 2))
            self._bones[entity].set_segments(list(points[self._edges]) if len(points) else [])
            self._joints[entity].set_data(*points.T)
            head = points[[self._head]] if self._head is not None and len(points) else np.zeros((0, 2))
            self._heads[entity].set_data(*head.T)
            for depth, artist in enumerate((self._bones[entity], self._joints[entity], self._heads[entity])):
                artist.set_zorder(2 + 3 * rank + depth)

    @property
    def artists(self) -> list[Any]:
        return [*self._bones, *self._joints, *self._heads]


def entity_legend(figure: Figure, names: Sequence[str], lighter: bool = True) -> None:
    """Which colour is whom, once below everything."""
    handles = [Line2D([], [], color=ENTITY_COLOURS[index % len(ENTITY_COLOURS)], lw=3) for index in range(len(names))]
    labels = [shorten(name, 24) for name in names]
    if lighter:
        handles.append(Line2D([], [], color="none"))
        labels.append("(lighter: left side)")
    figure.legend(handles, labels, loc="outside lower center", ncols=len(handles), handlelength=1.4)


def entity_names(layout: SkeletonLayout, count: int) -> tuple[str, ...]:
    """ "person 1", "person 2"; one entity needs no number."""
    return (layout.entity,) if count == 1 else tuple(f"{layout.entity} {index + 1}" for index in range(count))


@styled
def stills(
    joints: Points,
    layout: str | SkeletonLayout,
    frames_per_second: float | None = None,
    number: int = 6,
    title: str = "",
    names: Sequence[str] = (),
) -> Figure:
    """A strip of evenly spaced frames of one clip under one camera.

    Args:
        joints: (T, M, V, 3).
        frames_per_second: the times stand in seconds with it, in frame numbers without.
        number: of frames, at most T.
        names: of the entities; ``person 1``, ``person 2`` otherwise.
    """
    layout = load_layout(layout)
    if joints.ndim != 4 or joints.shape[2:] != (layout.joint_count, 3) or not len(joints):
        raise ValueError(f"joints must be (time, entity, {layout.joint_count}, 3), got {joints.shape}")
    number = max(1, min(number, len(joints)))
    view = view_of(joints, layout)
    width = 1.75
    figure = new_figure(width * number + 0.2, width * view.aspect + 0.8 + (0.15 if title else 0.0))
    for panel, frame in enumerate(np.linspace(0, len(joints) - 1, number).round().astype(int)):
        axes = figure.add_subplot(1, number, panel + 1)
        SkeletonArtist(axes, layout, view, joints.shape[1], scale=0.8).update(joints[frame])
        text = f"frame {frame}" if frames_per_second is None else f"{frame / frames_per_second:.1f} s"
        axes.set_xlabel(text, fontsize=8, color=FAINT, labelpad=2)
    if title:
        figure.suptitle(title, x=0.01, ha="left", fontsize=10.5)
    labelled = any("left" in joint for joint in layout.joints)
    entity_legend(figure, names or entity_names(layout, joints.shape[1]), lighter=labelled)
    return figure


@styled
def joint_activation(
    before: Points,
    after: Points,
    layout: str | SkeletonLayout,
    pose: Points,
    title: str = "Activation per joint before and after feature fusion",
) -> Figure:
    """Scores per joint on a skeleton, before and after the entities exchange information, and their difference.

    Args:
        before, after: (V,), non-negative, each summing to one (me-GCN Fig. 4: last layer's adjacency, aggregated).
        pose: (V, 3), the skeleton that the scores are drawn on.
    """
    layout = load_layout(layout)
    count = layout.joint_count
    if before.shape != (count,) or after.shape != (count,) or pose.shape != (count, 3):
        raise ValueError(f"expected {count} scores twice and a pose ({count}, 3), got {before.shape}, {after.shape}")
    view = view_of(pose[None, None], layout, pitch=6.0)
    figure = new_figure(11.0, max(4.6, 0.21 * count + 1.0))
    left, middle, right = figure.subplots(1, 3, width_ratios=[1.0, 1.0, 1.15])
    top = float(max(before.max(), after.max(), 1e-12))
    norm, shades = Normalize(0, top), colormaps["YlOrRd"]
    points = view.project(pose)
    change = after - before
    rising = int(change.argmax())
    for axes, scores, name in ((left, before, "before"), (middle, after, "after")):
        _scored_skeleton(axes, layout, view, points, scores / top, shades(0.12 + 0.88 * norm(scores)))
        axes.set_title(name)
    changed = float(np.abs(change).max()) > 1e-6
    if changed:
        radius = 0.06 * (view.y[1] - view.y[0])
        at = float(points[rising, 0]), float(points[rising, 1])
        middle.add_patch(Circle(at, radius, fill=False, edgecolor=INK, linewidth=1.2, zorder=6, clip_on=False))
        middle.annotate(
            layout.joints[rising].replace("_", " "),
            (at[0], at[1] - radius),
            xytext=(0, -3),
            textcoords="offset points",
            ha="center",
            va="top",
            fontweight="bold",
        )
    names = [f"{shorten(name.replace('_', ' '), 20)}  {index + 1}" for index, name in enumerate(layout.joints)]
    colours = [PALETTE[1] if value > 0 else PALETTE[0] for value in change]
    right.barh(range(count), 100 * change, color=colours, height=0.7)
    right.axvline(0, color=INK, linewidth=0.8)
    right.set_yticks(range(count), names, fontsize=7.5)
    if changed:
        right.get_yticklabels()[rising].set_fontweight("bold")
    right.set(ylim=(count - 0.4, -0.6), xlabel="change of share in percentage points")
    right.tick_params(axis="y", length=0)
    right.set_title("after − before")
    right.margins(x=0.08)
    if not changed:
        right.set_xlim(-1, 1)
        right.text(0.75, 0.5, "no change", transform=right.transAxes, ha="center", color=FAINT)
    grid(right, "x")
    figure.suptitle(title, x=0.01, ha="left")
    return figure


def _scored_skeleton(
    axes: Axes, layout: SkeletonLayout, view: View, points: Points, relative: Points, colours: Points
) -> None:
    axes.set(xlim=view.x, ylim=view.y, aspect="equal", xticks=[], yticks=[])
    for spine in axes.spines.values():
        spine.set_visible(False)
    bones = points[np.array(layout.edges, dtype=np.int64).reshape(-1, 2)]
    axes.add_collection(LineCollection(list(bones), colors="#b4bcc5", linewidths=2.2, zorder=1), autolim=False)
    axes.scatter(points[:, 0], points[:, 1], s=14 + 210 * relative, c=colours, edgecolors=INK, linewidths=0.5, zorder=3)
