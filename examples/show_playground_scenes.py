"""Pictures of the playground with what is annotated in them, each beside its twin: equal boxes, the other predicates.

python examples/show_playground_scenes.py [--out scenes.png] [--count 4] [--scale 3]
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from interplay.data.playground.scene_layout import PART_PAIRS
from interplay.data.playground.scenes import PlaygroundScenes
from interplay.data.scenes import SceneImage

DATASET = PlaygroundScenes(train=0, validation=0, test=1000)
CLASSES, PREDICATES = DATASET.vocabulary.classes, DATASET.vocabulary.predicates
CONTESTED = {PREDICATES.index(predicate) for pair in PART_PAIRS for predicate in pair}


def triplets(scene: SceneImage, contested: bool) -> str:
    """Annotated triplets: those that depend on a part of an object, or the others."""
    names = [f"{CLASSES[label]} {k}" for k, label in enumerate(scene.labels)]
    rows = [row for row in scene.relations if (row[2] in CONTESTED) == contested]
    return "; ".join(f"{names[s]} – {PREDICATES[p]} – {names[o]}" for s, o, p in rows)


def panel(scene: SceneImage, scale: int) -> np.ndarray:
    """The picture with the boxes of what the part-dependent predicates are about."""
    size = (scene.width * scale, scene.height * scale)
    picture = Image.fromarray(scene.pixels()).resize(size, Image.Resampling.NEAREST)
    canvas = ImageDraw.Draw(picture)
    for k in sorted({int(k) for s, o, p in scene.relations if p in CONTESTED for k in (s, o)}):
        x1, y1, x2, y2 = ((scene.boxes[k] + [0, 0, 1, 1]) * scale).tolist()
        canvas.rectangle([x1, y1, x2, y2], outline=(255, 230, 0), width=2)
        canvas.text((x1 + 3, y1 + 1), f"{CLASSES[scene.labels[k]]} {k}", (255, 255, 255), stroke_width=1, stroke_fill=0)
    return np.asarray(picture)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--out", type=Path, default=Path("scenes.png"))
    parser.add_argument("--count", type=int, default=4)
    parser.add_argument("--scale", type=int, default=3)
    arguments = parser.parse_args()
    rows = []
    for index in range(arguments.count):
        scene, twin = DATASET.read(index), DATASET.twin(index)
        print(f"{scene.id}: {len(scene.labels)} objects, {len(scene.relations)} relations")
        print("  picture:", triplets(scene, True), "\n  twin:   ", triplets(twin, True))
        print("  both:   ", triplets(scene, False))
        rows.append(np.concatenate([panel(each, arguments.scale) for each in (scene, twin)], axis=1))
    Image.fromarray(np.concatenate(rows)).save(arguments.out)


if __name__ == "__main__":
    main()
