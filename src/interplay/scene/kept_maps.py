"""The frozen detector's maps of every picture, computed once and kept on disk: no epoch runs the backbone again.

A folder per (detector's weights, pictures, preparation) holds ``maps.bin``, float16, and ``index.json``, written last:
a folder without it is unfinished and made anew.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from filelock import FileLock
from numpy.typing import NDArray
from torch import Tensor

from interplay.data.cache import user_cache
from interplay.errors import InterplayError
from interplay.scene.datamodule import SceneData
from interplay.scene.detector import Detector
from interplay.scene.preparation import SceneBatch, ScenePreparation, collate
from interplay.training.writing import clear_write_errors, write_whole

FORMAT = 1


class KeptMaps:
    """Feature maps by picture.

    Args:
        folder: as :meth:`prepare` wrote it.
    """

    def __init__(self, folder: Path) -> None:
        try:
            index = json.loads((folder / "index.json").read_text(encoding="utf-8"))
        except (OSError, json.JSONDecodeError) as error:
            raise InterplayError(f"{folder}: cannot read the index of kept maps: {error}") from None
        self.place: dict[str, int] = index["place"]
        self.shapes: dict[str, dict[str, list[int]]] = index["shapes"]
        self.values: NDArray[np.float16] = np.memmap(folder / "maps.bin", np.float16, "r")

    @classmethod
    def prepare(
        cls,
        detector: Detector,
        data: SceneData,
        folder: str | None = None,
        say: Callable[[str], None] | None = None,
    ) -> KeptMaps:
        """Maps of every picture of every part; those that an earlier run kept are used.

        Raises:
            InterplayError: the folder cannot be written.
        """
        root = user_cache() / "maps" if folder is None else Path(folder)
        place = root / _key(detector, data)
        with clear_write_errors(root):
            root.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{place}.lock"):
            if not (place / "index.json").is_file():
                with clear_write_errors(place):
                    _write(detector, data, place, say)
        return cls(place)

    def of(self, batch: SceneBatch) -> dict[str, Tensor]:
        """Maps of a batch, float32, padded with zeros to the largest picture."""
        device = batch.sizes.device
        found: dict[str, Tensor] = {}
        offsets = [self.place[name] for name in batch.ids]
        for level in self.shapes[batch.ids[0]]:
            shapes = [self.shapes[name][level] for name in batch.ids]
            height, width = max(shape[1] for shape in shapes), max(shape[2] for shape in shapes)
            stacked = torch.zeros(len(shapes), shapes[0][0], height, width)
            for row, shape in enumerate(shapes):
                size = int(np.prod(shape))
                values = np.array(self.values[offsets[row] : offsets[row] + size], np.float32).reshape(shape)
                stacked[row, :, : shape[1], : shape[2]] = torch.from_numpy(values)
                offsets[row] += size
            found[level] = stacked.to(device)
        return found


def _key(detector: Detector, data: SceneData) -> str:
    digest = hashlib.sha256()
    for name, value in detector.state_dict().items():
        digest.update(name.encode())
        digest.update(value.detach().cpu().contiguous().numpy().tobytes())
    settings = data.preparation
    text = f"{FORMAT} {data.dataset.fingerprint()} {settings.short} {settings.long} {settings.channels}"
    digest.update(text.encode())
    return f"{data.dataset.name}-{digest.hexdigest()[:16]}"


def _write(detector: Detector, data: SceneData, place: Path, say: Callable[[str], None] | None) -> None:
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    own = data.preparation
    preparation = ScenePreparation(own.short, own.long, own.channels)
    rows = np.unique(np.concatenate(list(data.parts.values())))
    device = next(detector.parameters()).device
    offsets: dict[str, int] = {}
    shapes: dict[str, dict[str, list[int]]] = {}
    written = 0
    with open(place / "maps.bin", "wb") as file, torch.inference_mode():
        for row in rows:
            scene = preparation(data.image(row))
            pixels = collate([scene]).to(device).pixels
            assert pixels is not None
            maps = detector.eval().features(pixels)
            offsets[scene.id] = written
            shapes[scene.id] = {level: list(values.shape[1:]) for level, values in maps.items()}
            for values in maps.values():
                flat = values[0].to(torch.float16).cpu().numpy()
                file.write(flat.tobytes())
                written += flat.size
        file.flush()
        os.fsync(file.fileno())
    write_whole(place / "index.json", json.dumps({"place": offsets, "shapes": shapes}))
    if say is not None:
        say(f"{data.dataset.name}: maps of {len(rows)} pictures kept, {2 * written / 1e9:.2f} GB in {place}")
