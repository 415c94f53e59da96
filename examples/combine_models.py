"""Put the networks of several model folders (streams or seeds that were trained apart) into one.

python examples/combine_models.py runs/joint/model runs/bone/model --name my-model --out my-model
"""

from __future__ import annotations

import argparse
from pathlib import Path

import interplay
from interplay.skeleton.ensemble import combine


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("models", nargs="+", type=Path, help="model or run folders")
    parser.add_argument("--name", required=True, help="of the new model")
    parser.add_argument("--out", type=Path, required=True, help="folder to write")
    arguments = parser.parse_args()
    made = combine([interplay.load(folder) for folder in arguments.models], name=arguments.name)
    made.save_pretrained(arguments.out)
    size = sum(file.stat().st_size for file in arguments.out.iterdir())
    print(f"{arguments.out}: {len(made.networks)} networks, {size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
