"""Cut ``ctr_unit.npz`` and ``transforms.npz`` of this folder out of the full archives: ``python cut.py FOLDER``.

Kept: all weights; the first clip of the unit and of the block, of their outputs the first frame; of the transforms the
two shorter generated clips, one training draw of each, and four frames of every result (key ``frames``).
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

HERE = Path(__file__).parent
FRAMES = np.array([0, 31, 62, 63])
DROPPED = ("unit/subset_sum",)


def cut_unit(full: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    made = {}
    for key, value in full.items():
        if key in DROPPED:
            continue
        if key.endswith("/input"):
            value = value[:1]
        elif key.endswith("output"):
            value = value[:1, :, :1]
        made[key] = value
    return made


def cut_transforms(full: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    made = {"frames": FRAMES, "lengths": full["lengths"][:2], "clips": full["clips"][:2, : full["lengths"][1]]}
    for key, value in full.items():
        if key.startswith("test/"):
            made[key] = value[:2, :, FRAMES]
        elif key.startswith(("train/clip0_draw0/", "train/clip1_draw1/")):
            made[key] = value[:, FRAMES] if value.ndim == 4 else value
    return made


def main(folder: Path) -> None:
    for name, cut in (("ctr_unit.npz", cut_unit), ("transforms.npz", cut_transforms)):
        with np.load(folder / name, allow_pickle=False) as archive:
            full = {key: archive[key] for key in archive.files}
        np.savez_compressed(HERE / name, **cut(full))
        print(name, (HERE / name).stat().st_size, "bytes")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
