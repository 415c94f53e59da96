"""One clip of the table, acted and drawn: its frames, what truly happens, and where everything is."""

from __future__ import annotations

import zlib

import numpy as np
from numpy.typing import NDArray
from PIL import ImageDraw

from interplay.data.playground.profiles import Array
from interplay.data.playground.rendering import OVERSAMPLING, draw_shape
from interplay.data.playground.table_hands import Hand
from interplay.data.playground.table_look import Backdrop, Float32Array, light_map
from interplay.data.playground.table_stage import RATE, Event, TableStage
from interplay.data.playground.table_things import Thing
from interplay.data.playground.table_view import CameraPath, FrameLens
from interplay.data.playground.video_classes import VIDEO_SCRIPTS

SMALLEST = 1e-3
"""Share of the frame below which a thing counts as out of the picture."""


def clip_generator(*words: int | str) -> np.random.Generator:
    """An independent generator for each list of numbers and names."""
    keys = [zlib.crc32(word.encode()) if isinstance(word, str) else word for word in words]
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(keys)))


class TableEpisode:
    """What happens in a clip, and its frames.

    Args:
        label: of ``video_classes.VIDEO_CLASSES``.
        key: what it is drawn from, together with the family's name: the same key and label, the same clip.
        size: width and height of a frame, pixels.

    ``event`` is what happens: ``what`` (the class's own code), ``start`` and ``end`` in seconds, ``backwards`` where
    the clip is another one's reversed, and what else its script says.
    """

    def __init__(self, label: str, key: tuple[int, ...], size: tuple[int, int]) -> None:
        acted = VIDEO_SCRIPTS[label]
        self.label, self.family, self.size = label, acted.family, size
        self._key: tuple[int | str, ...] = (*key, acted.family)
        self.stage = TableStage(clip_generator(*self._key), size)
        event = dict(acted.script(self.stage, **acted.options))
        if acted.backwards:
            self.stage.reverse()
            last = (self.stage.frames - 1) / RATE
            event["start"], event["end"] = last - event["end"], last - event["start"]
        self.event: Event = {**event, "backwards": acted.backwards}
        self.path = self.stage.path
        if (self.path.zoom == 1.0).all():  # whole pixels of the canvas: the background need not be resampled
            grid = OVERSAMPLING * size[0]
            across, down = (np.round(each * grid) / grid for each in (self.path.across, self.path.down))
            self.path = CameraPath(across, down, self.path.zoom)
        self._backdrop: Backdrop | None = None
        self._light: Float32Array | None = None

    @property
    def _all(self) -> list[Thing | Hand]:
        return [*self.stage.things, *self.stage.hands]

    @property
    def frames(self) -> int:
        return self.stage.frames

    def true_boxes(self) -> dict[str, Array]:
        """Name → (T, 4), x1, y1, x2, y2 as shares of the frame, clipped to it; NaN where less than a quarter of the
        box is inside the picture. What never is inside is left out; what hides behind something else has its box."""
        sides = np.array([*self.size, *self.size], dtype=np.float64)
        found = {}
        for each in self._all:
            boxes = each.boxes(self.stage.view, self.path) / sides
            clipped = np.clip(boxes, 0.0, 1.0)
            inside, whole = (np.prod(every[:, 2:] - every[:, :2], axis=1) for every in (clipped, boxes))
            clipped[(inside < 0.25 * whole) | (inside < SMALLEST)] = np.nan
            if not np.isnan(clipped).all():
                found[each.name] = clipped
        return found

    def findable(self) -> dict[str, NDArray[np.bool_]]:
        """Name → (T,): whether a region proposal may find it (the proposals miss some things on purpose)."""
        return {each.name: np.broadcast_to(each.proposed, (self.frames,)) for each in self._all}

    def _reach(self) -> tuple[float, float, float, float]:
        """What the moving camera ever sees of the standing one's picture: x1, y1, x2, y2 in pixels."""
        width, height = self.size
        half = 0.5 / self.path.zoom
        u, v = 0.5 * width + width * self.path.across, 0.5 * height + width * self.path.down
        low, high = (u - width * half, v - height * half), (u + width * half, v + height * half)
        return float(low[0].min()), float(low[1].min()), float(high[0].max()), float(high[1].max())

    def backdrop(self) -> Backdrop:
        """The still background, drawn when first asked for."""
        if self._backdrop is None:
            stage, sharpness = self.stage, min(max(float(self.path.zoom.max()), 1.0), 1.5)
            rng = clip_generator(*self._key, "surface")
            self._backdrop = Backdrop(stage.view, stage.look, stage.top, stage.fixtures, self._reach(), sharpness, rng)
        return self._backdrop

    def draw(self, frame: int) -> NDArray[np.uint8]:
        """Pixels (height, width, 3) of one frame, under uneven light and with the sensor's noise."""
        across, down, zoom = (float(each[frame]) for each in (self.path.across, self.path.down, self.path.zoom))
        lens = self.stage.view.lens(across, down, zoom)
        canvas = self.backdrop().seen(across, down, zoom)
        soft = ImageDraw.Draw(canvas, "RGBA")
        for shadow in self._shadows(frame, lens):
            soft.ellipse(shadow, fill=(0, 0, 0, 62))
        draw = ImageDraw.Draw(canvas)
        layers = [layer for each in self._all for layer in each.layers(frame, lens)]
        for _, shapes in sorted(layers, key=lambda layer: layer[0]):
            for shape in shapes:
                draw_shape(draw, shape)
        pixels = np.asarray(canvas.reduce(OVERSAMPLING), dtype=np.float32)
        if self._light is None:
            self._light = light_map(self.stage.look, self.size)
        # A clip and the same clip backwards have the same noise in the same pictures: nothing but order differs.
        rng = clip_generator(*self._key, "grain", self.frames - 1 - frame if self.event["backwards"] else frame)
        grain = rng.standard_normal((*pixels.shape[:2], 1), dtype=np.float32) * np.float32(self.stage.look.grain)
        lit = pixels * self._light + grain
        np.clip(lit + 0.5, 0.0, 255.0, out=lit)
        return np.asarray(lit.astype(np.uint8))

    def _shadows(self, frame: int, lens: FrameLens) -> list[list[float]]:
        """Ellipses on the table below things that are on it or over it, in pixels of the canvas."""
        top, found = self.stage.top, []
        for thing in self.stage.things:
            x, y, z = thing.position[frame].tolist()
            (left, right), over = thing.footprint(frame), max(y, 0.0)
            outside = y < -0.02 or abs(x) > top.half or not top.back < z < top.front
            if outside or not thing.shadow:
                continue
            u, v, scale = lens.point(x + 0.5 * (left + right), 0.0, z)
            wide = 0.5 * (right - left) * scale * (1.0 + 0.5 * min(over, 0.5)) * OVERSAMPLING
            flat = 0.5 * min(right - left, thing.size[0]) * scale * OVERSAMPLING
            u, v = u * OVERSAMPLING + 0.12 * wide, v * OVERSAMPLING
            found.append([u - 1.1 * wide, v - 0.32 * flat, u + 1.1 * wide, v + 0.32 * flat])
        return found
