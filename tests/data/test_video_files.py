"""Videos from files: counts, seeking against sequential decoding, and everything that can be wrong with a file."""

from __future__ import annotations

import os
import pickle
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.data.damage import FUZZ, damaged, memory_below
from tests.data.video_clips import encode, moving, packets, sequential

from interplay.data import video_files, video_timeline
from interplay.data.errors import DataError
from interplay.data.video_files import ContainerSource, open_video
from interplay.data.video_timeline import is_shown, read_timeline
from interplay.data.videos import VideoSource, read_frames

GROUPS = {"g": "7"}
FORMATS = {
    "h264.mp4": ("libx264", "yuv420p", GROUPS),
    "h264_b.mp4": ("libx264", "yuv420p", {"g": "9", "x264-params": "open-gop=1:bframes=3:b-adapt=0:log-level=none"}),
    "refresh.mkv": ("libx264", "yuv420p", {"x264-params": "intra-refresh=1:keyint=8:log-level=none"}),
    "one_key.mp4": ("libx264", "yuv420p", {"g": "1000"}),
    "h264.ts": ("libx264", "yuv420p", GROUPS),
    "h264.avi": ("libx264", "yuv420p", GROUPS),
    "vp8.webm": ("libvpx", "yuv420p", {"g": "7", "auto-alt-ref": "1", "lag-in-frames": "10", "cpu-used": "8"}),
    "vp9.webm": ("libvpx-vp9", "yuv420p", {"g": "7", "auto-alt-ref": "1", "lag-in-frames": "10", "cpu-used": "8"}),
    "mpeg4.avi": ("mpeg4", "yuv420p", GROUPS),
    "mpeg4_b.avi": ("mpeg4", "yuv420p", {"g": "7", "bf": "2"}),
    "mpeg4_b.mp4": ("mpeg4", "yuv420p", {"g": "7", "bf": "2"}),
    "mjpeg.avi": ("mjpeg", "yuvj420p", {}),
    "gif.gif": ("gif", "rgb8", {}),
}


@pytest.mark.parametrize("name", FORMATS)
def test_every_frame_is_the_sequential_one(tmp_path: Path, name: str) -> None:
    codec, pixels, options = FORMATS[name]
    path = encode(tmp_path / name, 24, codec, pixels, options)
    frames = sequential(path)
    source = open_video(path)
    assert isinstance(source, VideoSource)
    assert (source.frame_count, source.height, source.width) == frames.shape[:3] == (24, 48, 64)
    assert source.frames_per_second == pytest.approx(12, rel=0.05)  # a gif counts in hundredths of a second
    for index in range(24):
        assert np.array_equal(source.read([index])[0], frames[index]), index
    draw = np.random.default_rng(0)
    for count in (2, 5, 40):
        chosen = draw.integers(0, 24, count)
        assert np.array_equal(ContainerSource(path).read(chosen.tolist()), frames[chosen])
    assert np.array_equal(np.stack(list(read_frames(source, range(1, 24, 3)))), frames[1::3])
    assert source.read([]).shape == (0, 48, 64, 3)
    assert dict(source.replaced) == {}
    for outside in (-1, 24):
        with pytest.raises(ValueError, match=f"found frame {outside}, expected 0 to 23"):
            source.read([0, outside])


def decoded_packets(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Grows by one for each packet that is decoded."""
    seen: list[int] = []
    decode = video_timeline.decode

    def counting(stream: video_timeline.VideoStream, packet: video_timeline.Packet | None) -> list[av.VideoFrame]:
        if packet is not None:
            seen.append(1)
        return decode(stream, packet)

    for module in (video_timeline, video_files):
        monkeypatch.setattr(module, "decode", counting)
    return seen


def test_only_what_is_needed_is_decoded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = encode(tmp_path / "a.mp4", 60, options={"g": "10", "bf": "0", "x264-params": "scenecut=0:log-level=none"})
    frames = sequential(path)
    source = ContainerSource(path)
    assert source.read([0]).shape == (1, 48, 64, 3)
    seen = decoded_packets(monkeypatch)
    assert source.timeline.start.tolist() == [10 * (frame // 10) for frame in range(60)]
    assert not seen  # counted without decoding
    assert np.array_equal(source.read([52, 3]), frames[[52, 3]])
    assert len(seen) == 4 + 3  # from the key frames 0 and 50
    monkeypatch.undo()
    assert video_files.stretches(source.timeline, np.array([3, 9, 12, 59])) == [(0, 12), (50, 59)]
    assert video_files.stretches(source.timeline, np.array([3, 12])) == [(0, 3), (10, 12)]


def test_the_container_may_lead_anywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A seek that fails, or lands behind the key frame, costs time, not frames."""
    path = encode(tmp_path / "a.mp4", 30, options=GROUPS)
    frames = sequential(path)
    source = ContainerSource(path)
    late = int(source.timeline.start[28])
    stretches = video_files.stretches
    monkeypatch.setattr(video_files, "stretches", lambda timeline, wanted: [(late, late + 2)])
    assert np.array_equal(source.read([5, 29]), frames[[5, 29]])
    monkeypatch.setattr(video_files, "stretches", stretches)
    assert dict(source.replaced) == {}


def test_long_videos_in_little_memory(tmp_path: Path) -> None:
    small = moving(250, 32, 16)
    path = encode(tmp_path / "long.mp4", np.concatenate([small] * 40), "mpeg4", options={"g": "100"})
    with memory_below(24):
        source = ContainerSource(path)
        assert source.frame_count == 10_000
        assert source.read(range(0, 10_000, 320)).shape == (32, 16, 32, 3)
        end = np.stack(list(read_frames(source, range(9_000, 10_000))))
    assert np.array_equal(end, sequential(path)[9_000:])


@pytest.mark.parametrize("size", [(1, 1), (33, 17), (2, 99)])
def test_one_frame_and_odd_sizes(tmp_path: Path, size: tuple[int, int]) -> None:
    for name, codec, pixels in (("a.mp4", "libx264", "yuv444p"), ("a.gif", "gif", "rgb8")):
        source = open_video(encode(tmp_path / name, moving(1, *size), codec, pixels))
        assert (source.frame_count, source.width, source.height) == (1, *size)
        assert np.array_equal(source.read([0, 0]), sequential(tmp_path / name)[[0, 0]])


def test_turned_upright(tmp_path: Path) -> None:
    plain = sequential(encode(tmp_path / "plain.mp4", 3))
    source = open_video(encode(tmp_path / "turned.mp4", 3, rotation=90))
    assert (source.height, source.width) == (64, 48)
    assert np.array_equal(source.read([1])[0], np.rot90(plain[1]))


def test_sources_can_be_sent_to_another_process(tmp_path: Path) -> None:
    source = ContainerSource(encode(tmp_path / "a.mp4", 4))
    assert source.frame_count == 4
    again = pickle.loads(pickle.dumps(source))
    assert np.array_equal(again.read([3]), source.read([3]))


def overwrite(path: Path, numbers: list[int], other: Path) -> Path:
    content = bytearray(path.read_bytes())
    for number in numbers:
        at, length = packets(path)[number]
        content[at : at + length] = bytes([0xA5]) * length
    other.write_bytes(content)
    return other


def test_broken_frames_show_their_neighbour(tmp_path: Path) -> None:
    whole = encode(tmp_path / "a.mp4", 20, "mjpeg", "yuvj420p")
    frames = sequential(whole)
    source = ContainerSource(overwrite(whole, [0, 7, 8, 19], tmp_path / "b.mp4"))
    shown = [1, 1, 2, 3, 4, 5, 6, 6, 9, *range(9, 19), 18]
    assert source.frame_count == 20
    assert np.array_equal(source.read([4]), frames[[4]])
    assert dict(source.replaced) == {}
    assert np.array_equal(source.read([8, 7, 4, 8]), frames[[9, 6, 4, 9]])
    assert dict(source.replaced) == {7: 6, 8: 9}
    assert np.array_equal(source.read(range(20)), frames[shown])
    assert dict(source.replaced) == {0: 1, 7: 6, 8: 9, 19: 18}
    assert source.broken_frames() == [0, 7, 8, 19]
    again = ContainerSource(source.path)
    assert np.array_equal(np.stack(list(again.frames(range(20)))), frames[shown])
    nothing = ContainerSource(overwrite(whole, list(range(20)), tmp_path / "c.mp4"))
    with pytest.raises(DataError, match="no frame that decodes"):
        nothing.read([0])


@pytest.mark.parametrize("name", ["h264.mp4", "vp9.webm", "mpeg4.avi", "gif.gif"])
def test_cut_short(tmp_path: Path, name: str) -> None:
    codec, pixels, options = FORMATS[name]
    first = {"movflags": "faststart"} if name.endswith("mp4") else {}
    path = encode(tmp_path / name, 24, codec, pixels, options, first)
    frames, content, begin = sequential(path), path.read_bytes(), packets(path)[0][0]
    counts = []
    for share in (0.9, 0.6, 0.4):
        path.write_bytes(content[: begin + int(share * (len(content) - begin))])
        source = ContainerSource(path)
        counts.append(source.frame_count)
        read = source.read(range(source.frame_count))
        good = [frame for frame in range(source.frame_count) if frame not in source.replaced]
        assert len(good) >= source.frame_count - 2
        assert np.array_equal(read[good[:-1]], frames[good[:-1]])
    assert 24 >= counts[0] >= counts[1] >= counts[2] >= 2
    assert counts[2] < 24


def test_no_video(tmp_path: Path) -> None:
    def expect(content: bytes, found: str) -> None:
        path = tmp_path / "a.mp4"
        path.write_bytes(content)
        reads: tuple[Callable[[VideoSource], object], ...] = (
            lambda source: source.frame_count,
            lambda source: source.height,
            lambda source: source.frames_per_second,
            lambda source: source.read([0]),
        )
        for read in reads:
            with pytest.raises(DataError, match=found) as error:
                read(open_video(path))
            assert "\n" not in str(error.value)

    expect(b"", "an empty file")
    expect(b"no video at all", "Invalid data")
    expect(os.urandom(5000), "Invalid data|no frame|no video|error")
    expect(b"#EXTM3U\n#EXTINF:1,\nother.mp4\n", "Invalid data")
    expect(b"ffconcat version 1.0\nfile other.mp4\n", "Invalid")
    with pytest.raises(DataError, match="no such file"):
        open_video(tmp_path / "none.mp4")
    with pytest.raises(DataError, match="no such file"):
        ContainerSource(tmp_path / "none.mp4").frame_count  # noqa: B018


def test_sound_only(tmp_path: Path) -> None:
    path = tmp_path / "a.m4a"
    with av.open(str(path), "w", format="mp4") as file:
        stream = file.add_stream("aac", rate=8000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
        frame.sample_rate = 8000
        for packet in [*stream.encode(frame), *stream.encode()]:
            file.mux(packet)
    with pytest.raises(DataError, match="no video stream"):
        ContainerSource(path).frame_count  # noqa: B018


def test_a_file_without_frames(tmp_path: Path) -> None:
    path = tmp_path / "a.avi"
    with av.open(str(path), "w") as file:
        stream = file.add_stream("mjpeg", rate=12)
        stream.height, stream.width, stream.pix_fmt = 16, 16, "yuvj420p"
        file.start_encoding()
    with pytest.raises(DataError, match=r"a\.avi: found"):
        ContainerSource(path).frame_count  # noqa: B018


@pytest.mark.parametrize("name", ["h264.mp4", "vp8.webm", "gif.gif", "mpeg4_b.avi"])
def test_damaged_files_are_read_or_say_why(tmp_path_factory: pytest.TempPathFactory, name: str) -> None:
    folder = tmp_path_factory.mktemp("damaged")
    codec, pixels, options = FORMATS[name]
    content = encode(folder / name, moving(6, 32, 16), codec, pixels, options).read_bytes()

    @given(damaged(content))
    @FUZZ
    def check(broken: bytes) -> None:
        path = folder / name
        path.write_bytes(broken)
        try:
            source = ContainerSource(path)
            last = source.frame_count - 1
            assert source.read([last, 0, last]).shape == (3, source.height, source.width, 3)
        except DataError:
            pass

    check()


def test_hidden_frames_are_not_counted() -> None:
    assert is_shown("h264", b"")
    assert is_shown("vp8", bytes([0b0001_0000, 1, 2]))
    assert not is_shown("vp8", bytes([0b1110_1111, 1, 2]))
    assert not is_shown("vp8", b"")
    frame = 0b1000_0000  # marker, profile 0
    assert is_shown("vp9", bytes([frame | 0b1000, 0]))  # shows one that is there
    assert is_shown("vp9", bytes([frame | 0b0110, 0]))
    assert not is_shown("vp9", bytes([frame | 0b0100, 0]))
    assert is_shown("vp9", bytes([frame | 0b0100, 0b1100_0001]))  # several, the last of which is shown
    assert not is_shown("vp9", bytes([0b1011_0010, 0]))  # profile 3: one bit more
    assert is_shown("vp9", bytes([0b1011_0011, 0]))


def test_real_files(shared: Path) -> None:
    """Every fight and both mp4 files open; on a sample counts and frames are those of sequential decoding."""
    files = sorted((shared / "data" / "fights").rglob("*.mp4"))
    assert len(files) == 200
    assert all(read_timeline(path).count > 10 for path in files)
    small = [path for path in files if path.stat().st_size < 250_000]
    for path in [*small[::12], *sorted((shared / "data" / "clips").glob("*.mp4"))]:
        frames = sequential(path)
        source = ContainerSource(path)
        assert source.frame_count == len(frames), path.name
        chosen = np.linspace(0, len(frames) - 1, 5).astype(int)
        assert np.array_equal(source.read(chosen.tolist()), frames[chosen]), path.name
        assert dict(source.replaced) == {}


@given(st.integers(1, 40), st.integers(0, 2**32 - 1))
@FUZZ
def test_where_decoding_starts(count: int, seed: int) -> None:
    """The last key frame that lies before a packet and is shown no later."""
    draw = np.random.default_rng(seed)
    times = np.argsort(np.argsort(np.arange(count) + draw.integers(-3, 4, count), kind="stable")).astype(np.int64)
    keys = np.flatnonzero(draw.random(count) < 0.15)
    slow = [max((k for k in keys.tolist() if k <= at and times[k] <= times[at]), default=0) for at in range(count)]
    assert video_timeline._starts(times, keys).tolist() == slow
