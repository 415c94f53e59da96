"""Fuse the scores of streams that were trained apart (joint, bone, motion …), matched by sample id.

interplay train megcn/sbu --data.root DIR --input.streams '[joint]' --out runs/joint
interplay train megcn/sbu --data.root DIR --input.streams '[bone]' --out runs/bone
python examples/fuse_streams.py runs/joint/scores-test.npz runs/bone/scores-test.npz --out fused.npz
"""

from __future__ import annotations

import argparse

from interplay.evaluation.classification import metrics
from interplay.evaluation.scores import Scores, fuse


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("files", nargs="+")
    parser.add_argument("--weights", nargs="+", type=float)
    parser.add_argument("--out", default="fused.npz")
    arguments = parser.parse_args()
    each = [Scores.load(file) for file in arguments.files]
    fused = fuse(each, arguments.weights, of="probabilities")
    for name, scores in (*zip(arguments.files, each, strict=True), ("fused", fused)):
        print(f"{name}: top-1 {metrics(scores)['top1'].percent()} of {len(scores.labelled)} clips")
    print("written:", fused.save(arguments.out))


if __name__ == "__main__":
    main()
