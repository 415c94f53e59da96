"""Train a small me-GCN on three simulated interactions, from Python, and ask it about an unseen episode.

python examples/train_in_python.py [--epochs 12] [--out runs/small]
"""

from __future__ import annotations

import argparse

import interplay
from interplay.data.playground import simulate, skeleton_view
from interplay.skeleton.run import train_recipe

CLASSES = ["approach", "depart", "hug"]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--episodes", type=int, default=16, help="training episodes per class")
    parser.add_argument("--out", default="runs/small")
    arguments = parser.parse_args()
    result = train_recipe(
        "megcn/playground",
        arguments.out,
        overrides={
            "data": {"classes": CLASSES, "train_episodes": arguments.episodes},
            "data.validation_episodes": 4,
            "data.test_episodes": 4,
            "model": {"channels": [16, 32, 64], "depth": [1, 1, 1]},
            "training": {"epochs": arguments.epochs, "evaluate_every": arguments.epochs, "precision": "32-true"},
            "input.batch_size": 16,
        },
        overwrite=True,
    )
    top1 = result["metrics"]["last"]["test"]["top1"]
    print(f"test top-1 {100 * top1['value']:.1f} % of {top1['count']} simulated clips")
    model = interplay.load(arguments.out)  # a run folder has a model folder in it
    print(model.predict(skeleton_view(simulate("hug", seed=1_000_001))).interactions[0])


if __name__ == "__main__":
    main()
