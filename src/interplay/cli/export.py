"""``interplay export MODEL``: an ONNX file, checked against PyTorch."""

from __future__ import annotations

import argparse
from pathlib import Path

from interplay.errors import InterplayError


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        prog="interplay export",
        description="Write a model as ONNX and compare the two on random input: a network for skeletons (any batch and "
        "number of frames), the relation head of a model for pictures on given features (any number of entities and "
        "pairs), or a network for videos with the structure of the most training videos (any number of clips).",
        allow_abbrev=False,
    )
    made.add_argument("model", help="a shipped name (interplay list models), a model folder, or a hub id")
    made.add_argument("--out", type=Path, required=True, help="file to write, ending in .onnx")
    return made


def main(argv: list[str]) -> int:
    arguments = parser().parse_args(argv)
    if arguments.out.suffix != ".onnx":
        raise InterplayError(f"--out: found {str(arguments.out)!r}, expected a file ending in .onnx")
    from importlib.util import find_spec

    for package in ("onnx", "onnxscript", "onnxruntime"):
        if find_spec(package) is None:
            raise InterplayError(f"export: found no package {package}, expected it (pip install 'interplay[export]')")

    from interplay.loading import load
    from interplay.studies.export import export

    for path, difference in export(load(arguments.model), arguments.out):
        print(f"{path}: largest difference to PyTorch {difference:.2e}")
    return 0
