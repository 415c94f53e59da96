"""Where a data set's pictures lie: found by id in one or several folders."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

from PIL import Image

from interplay.data.errors import DataError

SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp")
_ORIENTATION = 0x0112


class PictureFolder:
    """Pictures below some folders, by their name without suffix.

    Args:
        folders: searched at any depth; one that is missing holds nothing.
        required: a folder that is missing is a DataError.
    """

    def __init__(self, folders: Sequence[Path], required: bool = False) -> None:
        self.folders = tuple(folders)
        for folder in self.folders if required else ():
            if not folder.is_dir():
                raise DataError(folder, "", "no such folder", "a folder of pictures")

    @cached_property
    def _files(self) -> dict[str, Path]:
        found: dict[str, Path] = {}
        for folder in self.folders:
            for path in sorted(folder.rglob("*")) if folder.is_dir() else ():
                if path.suffix.lower() in SUFFIXES:
                    found.setdefault(path.stem, path)
                    if path.stem.isdecimal():  # 0000017.jpg is the picture 17
                        found.setdefault(path.stem.lstrip("0") or "0", path)
        return found

    def __len__(self) -> int:
        return len(set(self._files.values()))

    def find(self, id: str) -> Path | None:
        """The picture of an id (with or without a suffix; leading zeros of a number do not matter), or None."""
        files = self._files
        if not files:
            return None
        name = Path(id).stem if Path(id).suffix.lower() in SUFFIXES else id
        return files.get(name) or (files.get(name.lstrip("0") or "0") if name.isdecimal() else None)


def picture_size(file: Path) -> tuple[int, int] | None:
    """Width and height of a picture, turned upright as its EXIF says, from its header alone; None if unreadable."""
    try:
        with Image.open(file) as opened:
            width, height = opened.size
            turned = opened.getexif().get(_ORIENTATION, 1) in (5, 6, 7, 8)
    except (OSError, ValueError, SyntaxError, EOFError, Image.DecompressionBombError):
        return None
    return (height, width) if turned else (width, height)
