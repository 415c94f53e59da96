"""Name the interactions in a file, and print the answer for people and as JSON.

python examples/predict_file.py                          a simulated episode, by megcn-playground
python examples/predict_file.py FILE --model megcn-sbu   a recording in any of the formats of docs/data.md
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import interplay
from interplay.data.plain import write_plain
from interplay.data.playground import simulate, skeleton_view


def simulated_file(folder: Path) -> Path:
    """A playground episode in the plain format: an .npz with joints, layout and frames per second."""
    return write_plain(skeleton_view(simulate("shake hands", seed=12_345)), folder / "shake_hands.npz")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("file", nargs="?")
    parser.add_argument("--model", default="megcn-playground")
    arguments = parser.parse_args()
    model = interplay.load(arguments.model)
    with tempfile.TemporaryDirectory() as folder:
        prediction = model.predict(arguments.file or simulated_file(Path(folder)), top=3)
    for found in prediction.interactions:
        when = "" if found.start is None or found.end is None else f"{found.start:.1f}–{found.end:.1f} s: "
        others = ", ".join(f"{label} {score:.2f}" for label, score in found.alternatives)
        print(f"{when}{found.label} {found.score:.2f} (then {others})")
    for note in prediction.notes:
        print("note:", note)
    print(prediction.to_json())


if __name__ == "__main__":
    main()
