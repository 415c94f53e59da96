"""Maps of the frozen backbone on disk: stages 2 and 3 then cost what the graph part costs.

Of every training clip a fixed number of draws is kept (epoch e takes draw e mod N), of every evaluated clip the
deterministic one. A folder per (backbone's weights, clips, preparation, draws, seed) holds ``features.bin`` (float16),
``boxes.bin`` (float32) and ``index.json``, written last: a folder without it is unfinished and made anew.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from filelock import FileLock
from torch import Tensor, nn

from interplay.data.cache import user_cache
from interplay.data.errors import DataError
from interplay.data.video_table import videos_fingerprint
from interplay.errors import InterplayError
from interplay.training.digest import digest_of
from interplay.training.draws import generator
from interplay.training.writing import clear_write_errors, write_whole
from interplay.video.datamodule import VideoData
from interplay.video.preparation import PreparedClip, collate

FORMAT = 1
Computes = Callable[[Tensor], Tensor]


class KeptFeatures:
    """Backbone maps and boxes by row of the data set.

    Args:
        folder: as :meth:`prepare` wrote it.

    Attributes:
        draws: N, of each training clip.
    """

    def __init__(self, folder: Path) -> None:
        try:
            index = json.loads((folder / "index.json").read_text(encoding="utf-8"))
        except (OSError, json.JSONDecodeError) as error:
            raise InterplayError(f"{folder}: cannot read the index of kept maps: {error}") from None
        self.draws: int = index["draws"]
        self.first: dict[int, int] = {int(row): place for row, place in index["training"].items()}
        self.deterministic: dict[int, int] = {int(row): place for row, place in index["centred"].items()}
        count, map_shape, box_shape = index["count"], index["map"], index["boxes"]
        self._maps = np.memmap(folder / "features.bin", np.float16, "r", shape=(count, *map_shape))
        self._boxes = np.memmap(folder / "boxes.bin", np.float32, "r", shape=(count, *box_shape))

    def _at(self, place: int) -> tuple[Tensor, Tensor]:
        values = torch.from_numpy(np.array(self._maps[place], np.float32))
        return values, torch.from_numpy(np.array(self._boxes[place]))

    def training(self, row: int, draw: int) -> tuple[Tensor, Tensor]:
        """Map (channel, step, y, x) float32 and boxes (step, box, 4) of a draw of a training clip.

        Raises:
            DataError: the clip could not be read when maps were kept.
        """
        if row not in self.first:
            raise DataError(f"clip {row}", "", "no kept map", "a video that could be read when maps were kept")
        return self._at(self.first[row] + draw)

    def centred(self, row: int) -> tuple[Tensor, Tensor] | None:
        """The same of the deterministic clip; None where it was not kept."""
        place = self.deterministic.get(row)
        return None if place is None else self._at(place)

    @classmethod
    def prepare(
        cls,
        backbone: nn.Module,
        compute: Computes,
        data: VideoData,
        draws: int,
        folder: str | None = None,
        say: Callable[[str], None] | None = None,
        precision: str = "",
    ) -> KeptFeatures:
        """Maps of every training clip and of every evaluated one; those that an earlier run kept are used.

        Args:
            backbone: its weights are part of what names the folder.
            compute: normalised clips (batch, 3, frame, height, width) → maps (batch, channel, step, y, x).
            data: the clips.
            draws: N, of each training clip.
            precision: of the computation, part of what names the folder.

        Raises:
            InterplayError: the folder cannot be written.
        """
        root = user_cache() / "features" if folder is None else Path(folder)
        place = root / _key(backbone, data, draws, precision)
        with clear_write_errors(root):
            root.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{place}.lock"):
            if not (place / "index.json").is_file():
                with clear_write_errors(place):
                    _write(compute, data, draws, place, say)
        return cls(place)


def _key(backbone: nn.Module, data: VideoData, draws: int, precision: str) -> str:
    settings, rows = data.preparation, {part: list(map(int, rows)) for part, rows in data.parts.items()}
    kept = (data.settings.keep_frames, data.settings.kept_short, data.settings.proposals)
    videos = f"{data.dataset.fingerprint()} {videos_fingerprint(data.dataset)}"
    text = f"{FORMAT} {digest_of(backbone)} {videos} {settings} {rows} {kept} {draws} {data.seed} "
    return f"{data.dataset.name}-{hashlib.sha256((text + precision).encode()).hexdigest()[:16]}"


def _clips(data: VideoData, draws: int) -> Iterator[tuple[str, int, Callable[[], PreparedClip]]]:
    """("training" or "centred", row, makes the clip) in the order in which maps are kept."""

    def drawn(row: int, draw: int) -> Callable[[], PreparedClip]:
        return lambda: data.drawn(row, generator(data.seed, "kept", draw, data.dataset.ids[row]))

    def centred(row: int) -> Callable[[], PreparedClip]:
        return lambda: data.evaluated(row)

    for row in map(int, data.parts["train"]):
        for draw in range(draws):
            yield "training", row, drawn(row, draw)
        yield "centred", row, centred(row)
    for part in data.watched_parts:
        for row in map(int, data.parts[part]):
            yield "centred", row, centred(row)


def _write(compute: Computes, data: VideoData, draws: int, place: Path, say: Callable[[str], None] | None) -> None:
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    found: dict[str, dict[int, int]] = {"training": {}, "centred": {}}
    map_shape: Sequence[int] = ()
    box_shape: Sequence[int] = ()
    written = 0

    def flush(waiting: list[PreparedClip]) -> None:
        nonlocal map_shape, box_shape
        batch = collate(waiting)
        with torch.no_grad():
            maps = compute(batch.clips()).to(torch.float16).cpu().contiguous().numpy()
        map_shape, box_shape = maps.shape[1:], tuple(batch.boxes.shape[1:])
        features_file.write(maps.tobytes())
        boxes_file.write(batch.boxes.float().contiguous().numpy().tobytes())
        waiting.clear()

    with open(place / "features.bin", "wb") as features_file, open(place / "boxes.bin", "wb") as boxes_file:
        waiting: list[PreparedClip] = []
        bad: set[int] = set()
        for kind, row, make in _clips(data, draws):
            name = data.dataset.ids[row]
            try:
                waiting.append(make())
            except InterplayError as error:
                if name not in data.unreadable:
                    data.unreadable[name] = str(error)
                found["training"].pop(row, None)
                bad.add(row)
                continue
            if row in bad:  # another draw of it could not be read
                waiting.pop()
                continue
            found[kind].setdefault(row, written)
            written += 1
            if len(waiting) == data.settings.evaluation_batch:
                flush(waiting)
        if waiting:
            flush(waiting)
        for file in (features_file, boxes_file):
            file.flush()
            os.fsync(file.fileno())
    index = {"draws": draws, "count": written, "map": list(map_shape), "boxes": list(box_shape), **found}
    write_whole(place / "index.json", json.dumps(index))
    if say is not None:
        size = 2 * written * float(np.prod(map_shape)) / 1e9
        say(f"{data.dataset.name}: backbone maps of {written} clips kept, {size:.2f} GB in {place}")
