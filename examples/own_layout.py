"""Train on recordings in a joint layout of one's own (own_layout.yaml), and predict a file in it.

The recordings here are simulated, reduced to the nine joints of the layout.
python examples/own_layout.py [--out runs/own_layout] [--epochs 12]
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

import interplay
from interplay.data.playground import simulate, skeleton_view
from interplay.skeleton.run import train_recipe

LAYOUT = Path(__file__).with_name("own_layout.yaml")
CALLED_IN_NTU = {"chest": "mid_spine"}


def record(folder: Path, label: str, seed: int) -> Path:
    """One recording as a plain .npz: joints (frame, person, joint, xyz); the layout's path goes to the reader."""
    clip = skeleton_view(simulate(label, seed))
    ntu = interplay.load_layout(clip.layout)
    own = [ntu.index(CALLED_IN_NTU.get(joint, joint)) for joint in interplay.load_layout(LAYOUT).joints]
    path = folder / label / f"{seed:03d}.npz"
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez(path, joints=clip.joints[:, :, own], frames_per_second=30.0)
    return path


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--out", type=Path, default=Path("runs/own_layout"))
    parser.add_argument("--epochs", type=int, default=12)
    arguments = parser.parse_args()
    folder = arguments.out.with_name(arguments.out.name + "_recordings")
    files = [record(folder, label, seed) for label in ("hug", "high-five") for seed in range(12)]
    train_recipe(
        "megcn/playground",
        arguments.out,
        data="plain",
        overrides={
            "data": {"root": str(folder), "layout": str(LAYOUT)},
            "model": {"channels": [16, 32, 64], "depth": [1, 1, 1]},
            "training": {"epochs": arguments.epochs, "evaluate_every": arguments.epochs, "precision": "32-true"},
            "input.batch_size": 8,
        },
        overwrite=True,
    )
    print(interplay.load(arguments.out).predict(files[-1], layout=LAYOUT).interactions[0])


if __name__ == "__main__":
    main()
