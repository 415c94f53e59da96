"""Raw NTU RGB+D text to aligned clips, bit for bit as the public pipeline does it."""

from __future__ import annotations

import gzip
import hashlib
import os
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from interplay.data.ntu.bodies import (
    Bodies,
    Body,
    collect_bodies,
    denoise,
    motion,
    select_bodies,
    translate,
    two_actors,
)
from interplay.data.ntu.raw import RawRecording, parse_raw

EXCERPT = Path(__file__).parent / "excerpt"


class Reference:
    """One archive of reference values, and the folders in which its recordings' text may lie."""

    def __init__(self, path: Path, text_folders: list[Path]) -> None:
        with np.load(path, allow_pickle=False) as archive:
            self.values = {key: archive[key] for key in archive.files}
        self.names = [str(name) for name in self.values["names"]]
        self.text_folders = text_folders

    def text(self, row: int) -> bytes | None:
        """The recording's text if a file of its name has the digest that the archive gives."""
        for folder in self.text_folders:
            for suffix, unpack in ((".skeleton", bytes), (".skeleton.gz", gzip.decompress)):
                path = folder / (self.names[row] + suffix)
                if path.is_file():
                    content = unpack(path.read_bytes())
                    if hashlib.sha256(content).hexdigest() == str(self.values["raw_sha256"][row]):
                        return content
        return None

    def recordings(self) -> Iterator[tuple[int, str, RawRecording]]:
        found = 0
        for row, name in enumerate(self.names):
            content = self.text(row)
            if content is not None:
                found += 1
                yield row, name, parse_raw(content, name)
        if not found:
            pytest.skip(f"none of the recordings {', '.join(self.names)} is there as text")


@pytest.fixture(params=["excerpt/ntu_synthetic.npz", "ntu.npz", "ntu_synthetic.npz"])
def reference(request: pytest.FixtureRequest) -> Reference:
    if request.param.startswith("excerpt/"):
        return Reference(EXCERPT / Path(request.param).name, [EXCERPT / "ntu_raw"])
    folder: Path = request.getfixturevalue("golden")
    if not (folder / request.param).is_file():
        pytest.skip(f"{folder} has no {request.param}")
    shared = Path(os.environ.get("INTERPLAY_SHARED", Path(__file__).resolve().parents[3] / "shared"))
    folders = [folder / "ntu_raw", folder, folder.parent / "data" / "ntu", shared / "data" / "ntu"]
    return Reference(folder / request.param, folders)


def same_bits(ours: np.ndarray, theirs: np.ndarray) -> bool:
    assert ours.dtype == theirs.dtype == np.float32
    assert ours.shape == theirs.shape
    return np.array_equal(ours.view(np.uint32), theirs.view(np.uint32))


def test_bodies_found_in_the_text(reference: Reference) -> None:
    values = reference.values
    for row, name, raw in reference.recordings():
        bodies = collect_bodies(raw, name)
        assert bodies.frames == values["num_frames_after_drop"][row]
        assert np.array_equal(bodies.dropped, values[f"{name}/frames_dropped"])
        assert [body.id for body in bodies.bodies] == values[f"{name}/body_ids"].tolist()
        assert [body.first for body in bodies.bodies] == values[f"{name}/body_first"].tolist()
        assert [body.last for body in bodies.bodies] == values[f"{name}/body_last"].tolist()
        assert [body.frames for body in bodies.bodies] == values[f"{name}/body_nframes"].tolist()
        if f"{name}/body_motion_raw" in values:
            ours = np.array([body.motion for body in bodies.bodies])
            np.testing.assert_allclose(ours, values[f"{name}/body_motion_raw"], rtol=2e-6, atol=0)
        if f"{name}/body_joints" in values:
            assert same_bits(np.concatenate([body.joints for body in bodies.bodies]), values[f"{name}/body_joints"])


def test_clips_from_the_text(reference: Reference) -> None:
    values = reference.values
    for row, name, raw in reference.recordings():
        clip = denoise(collect_bodies(raw, name), name)
        assert len(clip) == values["num_frames_final"][row]
        assert same_bits(clip.reshape(len(clip), -1), values[f"{name}/denoised"])
        moved = translate(clip)
        assert same_bits(moved.reshape(len(clip), -1), values[f"{name}/translated"])
        for single_actor, key in (("zeros", "aligned_ntu60"), ("duplicate", "aligned_ntu120")):
            aligned = np.zeros_like(values[key][row])
            aligned[: len(clip)] = two_actors(moved, single_actor).reshape(len(clip), -1)
            assert same_bits(aligned, values[key][row])


@pytest.mark.parametrize("reference", ["ntu.npz"], indirect=True)
def test_clips_from_the_bodies(reference: Reference) -> None:
    """Where the archive carries the bodies' joints, the text is not needed."""
    values = reference.values
    checked = 0
    for row, name in enumerate(reference.names):
        if f"{name}/body_joints" not in values:
            continue
        starts = np.cumsum([0, *values[f"{name}/body_nframes"]])
        bodies = tuple(
            Body(str(body_id), int(first), joints, motion(joints))
            for body_id, first, joints in zip(
                values[f"{name}/body_ids"],
                values[f"{name}/body_first"],
                [values[f"{name}/body_joints"][a:b] for a, b in pairwise(starts)],
                strict=True,
            )
        )
        found = Bodies(int(values["num_frames_after_drop"][row]), values[f"{name}/frames_dropped"], bodies)
        clip = denoise(found, name)
        assert clip.shape[1] == min(2, len(select_bodies(bodies)))
        assert same_bits(clip.reshape(len(clip), -1), values[f"{name}/denoised"])
        assert same_bits(translate(clip).reshape(len(clip), -1), values[f"{name}/translated"])
        checked += 1
    if not checked:
        pytest.skip("the archive has no body_joints")
