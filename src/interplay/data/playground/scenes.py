"""The playground's pictures as a scene-graph data set: nothing on disk, every picture drawn from its seed when read."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from interplay.data.playground.episode import Episode, stream
from interplay.data.playground.figures import draw_person, random_appearance
from interplay.data.playground.furniture import draw_outdoors
from interplay.data.playground.kinematics import SPINE_BASE
from interplay.data.playground.objects import KINDS, draw_object, random_colour
from interplay.data.playground.rendering import Extent, Lens, Pen, Shape, extent, paint
from interplay.data.playground.scene_contents import LEAST_OBJECTS, build_scene
from interplay.data.playground.scene_layout import Scene, generator, visible
from interplay.data.playground.scene_relations import CLASSES, HELD_OUT, PREDICATES, Triplet, annotate, true_relations
from interplay.data.scenes import SceneImage, Vocabulary

VERSION = 1
"""Of the pictures and their annotations: to be raised whenever the same seed gives another one."""

PARTS = ("train", "validation", "test")
_SEEDS_PER_PART = 1 << 20
_ATTEMPTS = 16


@dataclass(frozen=True, slots=True)
class Rendering:
    """The picture of a scene, drawn when called: uint8 (height, width, 3), RGB."""

    seed: int
    size: tuple[int, int]
    other_way: bool = False

    def __call__(self) -> NDArray[np.uint8]:
        return render(_scene(self.seed, self.size, self.other_way))


@lru_cache(maxsize=4)
def _scene(seed: int, size: tuple[int, int], other_way: bool) -> Scene:
    """Kept for a moment, because annotations and pixels are usually asked for one after the other."""
    return build_scene(seed, size, other_way)


def render(scene: Scene) -> NDArray[np.uint8]:
    """Pixels (height, width, 3) of a scene."""
    return paint(scene.shapes(), scene.size, (128, 128, 128), scene.seed)


def pixel_box(box: Extent, size: tuple[int, int]) -> tuple[int, int, int, int]:
    """First and last pixel that an extent covers, clipped to the picture: the last pixel is included."""
    width, height = size
    x1, y1 = min(max(int(np.floor(box[0])), 0), width - 1), min(max(int(np.floor(box[1])), 0), height - 1)
    x2, y2 = min(max(int(np.ceil(box[2])) - 1, x1), width - 1), min(max(int(np.ceil(box[3])) - 1, y1), height - 1)
    return (x1, y1, x2, y2)


class PlaygroundScenes:
    """Pictures of people, animals, furniture and everyday things, with boxes and true relations.

    36 classes, 31 predicates. Four pairs of predicates differ in a part of a box only
    (``scene_layout.PART_PAIRS``): both members have the same classes and, in distribution, the same boxes.

    Args:
        root: ignored; there is nothing on disk.
        train, validation, test: pictures of each part; seeds of the parts are disjoint.
        seed: other seeds give other pictures in every part.
        width, height: of a picture, pixels.
        second: share of annotated pairs with a second line.

    Raises:
        ValueError: counts or sizes out of range.
    """

    name = "playground_scenes"

    def __init__(
        self,
        root: str | None = None,
        train: int = 2000,
        validation: int = 200,
        test: int = 500,
        seed: int = 0,
        width: int = 192,
        height: int = 144,
        second: float = 0.03,
    ) -> None:
        counts = {"train": train, "validation": validation, "test": test}
        for part, count in counts.items():
            if not 0 <= count < _SEEDS_PER_PART:
                raise ValueError(f"{self.name}: {part} must be from 0 to {_SEEDS_PER_PART - 1} pictures, got {count}")
        if seed < 0 or not 0.0 <= second <= 1.0:
            raise ValueError(f"{self.name}: seed must be ≥ 0 and second in [0, 1], got seed={seed}, second={second}")
        if not (64 <= width <= 4096 and 48 <= height <= 4096 and 1.0 <= width / height <= 2.0):
            raise ValueError(
                f"{self.name}: width must be 64 to 4096 pixels and from 1 to 2 times the height, got {width}×{height}"
            )
        self.vocabulary = Vocabulary(CLASSES, PREDICATES)
        self.size = (width, height)
        self._settings = {**counts, "seed": seed, "width": width, "height": height, "second": second}
        self._second = second
        self._class = {name: index for index, name in enumerate(CLASSES)}
        self._predicate = {name: index for index, name in enumerate(PREDICATES)}
        self.zero_shot: NDArray[np.int64] | None = np.array(
            [(self._class[s], self._class[o], self._predicate[p]) for s, p, o in HELD_OUT], dtype=np.int64
        )
        self._held_out = frozenset((s, o, p) for s, p, o in HELD_OUT)
        self._records: list[tuple[str, int]] = []
        self._parts: dict[str, NDArray[np.int64]] = {}
        for number, part in enumerate(PARTS):
            first, start = len(self._records), (seed * len(PARTS) + number) * _SEEDS_PER_PART
            self._records += [(part, start + offset) for offset in range(counts[part])]
            self._parts[part] = np.arange(first, len(self._records), dtype=np.int64)
        self._ids = [f"{part}-{number:08d}" for part, number in self._records]

    def __len__(self) -> int:
        return len(self._records)

    @property
    def ids(self) -> Sequence[str]:
        return self._ids

    def parts(self) -> Mapping[str, NDArray[np.int64]]:
        """Indices of ``train``, ``validation`` and ``test``."""
        return self._parts

    def fingerprint(self) -> str:
        text = json.dumps([self.name, VERSION, self._settings], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def read(self, index: int) -> SceneImage:
        """One picture as annotated; ``pixels()`` draws it."""
        return self._read(index, other_way=False)[0]

    def twin(self, index: int) -> SceneImage:
        """The same picture with every part-dependent predicate the other way round: equal boxes and labels."""
        return self._read(index, other_way=True)[0]

    def truth(self, index: int) -> NDArray[np.int64]:
        """All true relations of a picture, annotated or not: int64 (Q, 3) as ``SceneImage.relations``."""
        return self._read(index, other_way=False)[1]

    def _read(self, index: int, other_way: bool) -> tuple[SceneImage, NDArray[np.int64]]:
        part, number = self._records[index]
        for attempt in range(_ATTEMPTS):
            scene_seed = number * _ATTEMPTS + attempt
            scene = _scene(scene_seed, self.size, other_way)
            things = choose(scene)
            truth = true_relations(scene, things)
            allowed = [row for row in truth if not self._is_held_out(scene, row)]
            if part != "train" or len(allowed) == len(truth):
                break
        else:
            truth = allowed
        rows = annotate(truth, generator(scene_seed, 3), self._second)
        image = SceneImage(
            id=self._ids[index],
            width=self.size[0],
            height=self.size[1],
            boxes=np.array([pixel_box(scene.things[k].box, self.size) for k in things], dtype=np.float32),
            labels=np.array([self._class[scene.things[k].kind] for k in things], dtype=np.int64),
            relations=self._rows(rows, things),
            meta={"seed": scene_seed, "part": part},
            picture=Rendering(scene_seed, self.size, other_way),
        )
        return image, self._rows(truth, things)

    def _is_held_out(self, scene: Scene, row: Triplet) -> bool:
        return (scene.things[row[0]].kind, scene.things[row[1]].kind, row[2]) in self._held_out

    def _rows(self, rows: Sequence[Triplet], things: Sequence[int]) -> NDArray[np.int64]:
        place = {thing: k for k, thing in enumerate(things)}
        found = [(place[s], place[o], self._predicate[p]) for s, o, p in rows]
        return np.array(found, dtype=np.int64).reshape(-1, 3)


def choose(scene: Scene) -> list[int]:
    """Which things an annotator draws a box around: what takes part in an event, the rest by chance; 12 at least."""
    rng = generator(scene.seed, 2)
    seen = visible(scene)
    draws = rng.random(len(scene.things))
    busy = {index for event in scene.events for index in event[:2]}
    kept = [k for k in seen if k in busy or draws[k] < scene.things[k].chance]
    rest = sorted(set(seen) - set(kept), key=lambda k: draws[k] - scene.things[k].chance)
    chosen = sorted([*kept, *rest[: max(LEAST_OBJECTS - len(kept), 0)]])
    return [chosen[int(k)] for k in rng.permutation(len(chosen))]


def frames(
    episode: Episode, size: tuple[int, int] = (192, 144)
) -> Iterator[tuple[NDArray[np.uint8], dict[str, tuple[int, int, int, int]]]]:
    """Pictures of an episode, frame by frame, with boxes.

    Args:
        episode: from :func:`~interplay.data.playground.episode.simulate`.
        size: width and height in pixels.

    Yields:
        picture: uint8 (height, width, 3).
        boxes: ``person 0``, ``person 1``, their ``head``, ``left hand``, ``right hand``, ``left foot`` and
            ``right foot`` (``head 0``, …), and each object by its kind and number (``cup 0``); x1, y1, x2, y2 in
            pixels, the last one included. An object that is not there has no box.
    """
    rng = stream(episode.seed, f"pictures: {episode.label}")
    focal = episode.camera.focal_length * size[0] / episode.camera.size[0]
    lens = Lens(replace(episode.camera, focal_length=focal), size)
    looks = [random_appearance(rng) for _ in range(2)]
    backdrop, _ = draw_outdoors(lens, rng)
    colours = [random_colour(rng, each.kind if each.kind in KINDS else "box") for each in episode.objects]
    for frame in range(episode.frames):
        joints = episode.joints[frame]
        people = lens.project(joints[:, SPINE_BASE])
        layers: list[tuple[float, list[Shape]]] = []
        boxes: dict[str, tuple[int, int, int, int]] = {}
        for person in (0, 1):
            other = 1.0 if people[1 - person, 0] > people[person, 0] else -1.0
            figure = draw_person(joints[person], lens, looks[person], other)
            layers.append((figure.depth, figure.body()))
            shapes = {"person": figure.body(), "head": figure.head}
            shapes |= {"left hand": figure.hands[0], "right hand": figure.hands[1]}
            shapes |= {"left foot": figure.feet[0], "right foot": figure.feet[1]}
            boxes |= {f"{name} {person}": pixel_box(extent(each), size) for name, each in shapes.items()}
        for number, track in enumerate(episode.objects):
            if not track.present[frame]:
                continue
            kind = track.kind if track.kind in KINDS else "box"
            u, v, depth = lens.project(track.positions[frame]).tolist()
            scale = focal / depth * max(track.size[0] / KINDS[kind].size[0], 0.8)
            pen = Pen(u, v + 0.5 * KINDS[kind].size[1] * scale, scale)
            draw_object(pen, kind, colours[number])
            layers.append((depth - 0.15, pen.shapes))
            boxes[f"{track.kind} {number}"] = pixel_box(extent(pen.shapes), size)
        drawn = [shape for _, shapes in sorted(layers, key=lambda layer: -layer[0]) for shape in shapes]
        yield paint([*backdrop, *drawn], size, (128, 128, 128), episode.seed), boxes
