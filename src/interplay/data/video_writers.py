"""Writes a data set of videos in another form: own clips as files or frames, lists for others' code, proposals."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from PIL import Image

from interplay.data.errors import DataError
from interplay.data.plain_videos import FILES
from interplay.data.proposals import ProposalWriter
from interplay.data.video_table import PARTS
from interplay.data.videos import VideoClip, VideoDataset, read_frames
from interplay.errors import InterplayError

QUALITY = 95
LABELS = "labels.txt"
Written = tuple[int, list[str]]


def write_frames(dataset: VideoDataset, out: Path, strict: bool, indices: Iterable[int]) -> Written:
    """``frames/<id>/00001.jpg`` …, and ``videos.json`` (see :class:`interplay.data.plain_videos.PlainVideos`).

    Interrupted, it goes on with the clips that are not whole. Broken frames are those shown instead of them.

    Returns:
        Number of clips written, and a line for each that could not be read.
    """

    def put(clip: VideoClip, folder: Path) -> str:
        name = f"frames/{clip.id}"
        target = folder / name
        if not target.is_dir():
            beside = target.with_name(f"{target.name}.part")
            shutil.rmtree(beside, ignore_errors=True)
            count = clip.source.frame_count  # says what is wrong before anything is made
            beside.mkdir(parents=True)
            for number, frame in enumerate(read_frames(clip.source, range(count)), 1):
                Image.fromarray(frame).save(beside / f"{number:05d}.jpg", quality=QUALITY)
            os.replace(beside, target)
        return name

    return _plain(dataset, out, strict, indices, put)


def write_plain(dataset: VideoDataset, out: Path, strict: bool, indices: Iterable[int]) -> Written:
    """The videos as they are, copied, and ``videos.json``. Simulated ones have no files: :func:`write_frames`."""

    def put(clip: VideoClip, folder: Path) -> str:
        path = getattr(clip.source, "path", None)
        if not isinstance(path, Path):
            raise InterplayError(f"data convert: {dataset.name} has no files to copy, expected --to frames")
        clip.source.read([0])  # what cannot be read is no part of the copy
        name = f"videos/{clip.id}{path.suffix if path.is_file() else ''}"
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        beside = target.with_name(f"{target.name}.part")
        try:
            if path.is_dir():
                shutil.copytree(path, beside, dirs_exist_ok=True)
                shutil.rmtree(target, ignore_errors=True)
            else:
                shutil.copyfile(path, beside)
            os.replace(beside, target)
        except OSError as error:
            raise DataError(path, "", error.strerror or type(error).__name__, "a video that can be copied") from None
        return name

    return _plain(dataset, out, strict, indices, put)


def _plain(
    dataset: VideoDataset, out: Path, strict: bool, indices: Iterable[int], put: Callable[[VideoClip, Path], str]
) -> Written:
    out.mkdir(parents=True, exist_ok=True)
    part_of = _part_of(dataset)
    clips: list[Mapping[str, Any]] = []

    def write(index: int, clip: VideoClip) -> None:
        _checked(clip.id)
        entry: dict[str, Any] = {"file": put(clip, out), "id": clip.id}
        if clip.label >= 0:
            entry["class"] = dataset.classes[clip.label]
        if index in part_of:
            entry["part"] = part_of[index]
        if dataset.groups is not None:
            entry["group"] = dataset.groups[index]
        clips.append(entry)

    bad = _each(dataset, strict, indices, write)
    unflippable = [dataset.classes[label] for label in sorted(dataset.unflippable)]
    whole = {"classes": list(dataset.classes), "unflippable": unflippable, "clips": clips}
    _write(out / FILES[0], json.dumps(whole, ensure_ascii=False, indent=1) + "\n")
    return len(clips), bad


def write_lists(dataset: VideoDataset, out: Path, strict: bool, indices: Iterable[int]) -> Written:
    """``train.txt``, ``validation.txt``, ``test.txt`` with lines ``id frames class``, and ``labels.txt``.

    The form of the authors' release, TSM and MMAction. Frames are counted. A clip without a class gets 0, as there.
    """
    out.mkdir(parents=True, exist_ok=True)
    lines: dict[int, str] = {}

    def write(index: int, clip: VideoClip) -> None:
        if any(character.isspace() for character in clip.id):
            raise DataError(dataset.name, f"clip {clip.id!r}", "an id with blanks", "none, in a list of lines")
        lines[index] = f"{clip.id} {clip.source.frame_count} {max(clip.label, 0)}\n"

    bad = _each(dataset, strict, indices, write)
    for part, members in dataset.parts().items():
        _write(out / f"{part}.txt", "".join(lines[index] for index in members.tolist() if index in lines))
    _write(out / LABELS, "".join(f"{name}\n" for name in dataset.classes))
    return len(lines), bad


def write_proposals(dataset: VideoDataset, out: Path, strict: bool, indices: Iterable[int]) -> Written:
    """The proposals that the data set has, as a :class:`interplay.data.proposals.ProposalStore`; goes on where it was
    interrupted. Clips without any are left out."""
    if dataset.proposals_kind == "none":
        raise InterplayError(
            f"data convert: {dataset.name} has no proposals, expected --data.proposals or --data.boxes"
        )
    settings = {"dataset": dataset.name, "fingerprint": dataset.fingerprint()}
    with ProposalWriter(out, dataset.proposals_kind, settings) as writer:

        def write(index: int, clip: VideoClip) -> None:
            if clip.proposals is not None and clip.id not in writer.done:
                writer.add(clip.id, clip.proposals)

        bad = _each(dataset, strict, indices, write)
        written = len(writer.done)
        writer.finish()
    return written, bad


WRITERS: Mapping[str, Callable[[VideoDataset, Path, bool, Iterable[int]], Written]] = {
    "frames": write_frames,
    "plain": write_plain,
    "lists": write_lists,
    "proposals": write_proposals,
}


def _each(
    dataset: VideoDataset, strict: bool, indices: Iterable[int], write: Callable[[int, VideoClip], None]
) -> list[str]:
    """Write every clip; a line for each that cannot be read."""
    bad = []
    for index in indices:
        try:
            write(index, dataset.read(index))
        except DataError as error:
            if strict:
                raise
            bad.append(str(error))
    return bad


def _part_of(dataset: VideoDataset) -> dict[int, str]:
    """The part of each clip; of one that is in several, the first of train, test, validation that holds it."""
    found: dict[int, str] = {}
    parts = dataset.parts()
    for part in ("train", "test", "validation"):
        for index in parts[part].tolist() if part in parts else ():
            found.setdefault(index, part)
    assert set(found.values()) <= set(PARTS)
    return found


def _checked(id: str) -> None:
    """Ids become names of files below a folder."""
    path = Path(id)
    if path.is_absolute() or ".." in path.parts or not path.parts:
        raise DataError(id, "", "an id that is no relative path", "one that can be the name of a file")


def _write(path: Path, text: str) -> None:
    beside = path.with_name(f"{path.name}.part")
    beside.write_text(text, encoding="utf-8")
    os.replace(beside, path)
