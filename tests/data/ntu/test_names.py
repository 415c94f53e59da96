"""File names, splits and published sizes."""

from __future__ import annotations

from pathlib import Path

import pytest

from interplay.data.errors import DataError
from interplay.data.ntu import names
from interplay.data.ntu.names import RecordingName


def test_a_name_is_read_as_printed() -> None:
    assert RecordingName.parse("S017C003P020R001A059") == RecordingName(17, 3, 20, 1, 59)
    for wrong in ("", "S017C003P020R001A059.skeleton", "S17C3P20R1A59", "S017C003P020R001A000", "S017C003P020R001A121"):
        assert RecordingName.parse(wrong) is None


def test_constants_are_those_published() -> None:
    assert len(names.ACTIONS) == len(set(names.ACTIONS)) == 120
    assert names.ACTIONS[57] == "handshaking"
    assert names.ACTIONS[111] == "high-five"
    assert len(names.INTERACTIONS_60) == 11
    assert len(names.INTERACTIONS_120) == 26
    assert len(names.TRAIN_SUBJECTS_60) == 20
    assert len(names.TRAIN_SUBJECTS_120) == 53
    assert sum(names.INTERACTION_COUNTS.values()) == 24_732
    assert sum(names.INTERACTION_COUNTS[action] for action in names.INTERACTIONS_60) == 10_347
    for sizes in names.SPLIT_SIZES.items():
        assert sum(sizes[1]) == (10_347 if sizes[0][0] == 60 else 24_732)


def test_missing_interactions_are_96_of_which_81_in_ntu60() -> None:
    missing = [RecordingName.parse(name) for name in names.MISSING_INTERACTIONS]
    assert len(missing) == 96
    assert all(name is not None and name.action in names.INTERACTIONS_120 for name in missing)
    assert sum(name is not None and name.setup <= 17 for name in missing) == 81


@pytest.mark.parametrize("actions", [60, 120])
def test_split_sizes_come_out_of_the_name_lists(shared: Path, actions: int) -> None:
    listed = names.read_name_list(shared / "data" / "ntu" / f"ntu{actions}_interaction_names.txt")
    for (size, benchmark), published in names.SPLIT_SIZES.items():
        if size == actions:
            assert names.split_sizes(listed, benchmark, actions) == published
    counts = names.action_counts(listed)
    chosen = names.INTERACTIONS_60 if actions == 60 else names.INTERACTIONS_120
    assert counts == {action: names.INTERACTION_COUNTS[action] for action in chosen}


@pytest.mark.parametrize("actions", [60, 120])
def test_comparison_leaves_out_what_is_missing_or_of_other_classes(shared: Path, actions: int) -> None:
    listed = names.read_name_list(shared / "data" / "ntu" / f"ntu{actions}_interaction_names.txt")
    noise = [*listed[:5], *names.MISSING_INTERACTIONS, "S001C001P001R001A001", "notes"]
    comparison = names.compare_with_published([*listed, *noise], actions)  # type: ignore[arg-type]
    assert len(comparison) == 4 + (11 if actions == 60 else 26)
    assert all(row.agrees for row in comparison)
    short = names.compare_with_published(listed[1:], actions)  # type: ignore[arg-type]
    assert [row.what for row in short if not row.agrees][-1] == "A050 punching/slapping other person"


def test_full_missing_lists_contain_the_constant(shared: Path) -> None:
    for actions, count, inside in ((60, 302, 81), (120, 535, 96)):
        listed = set(names.read_name_list(shared / "data" / "ntu" / f"ntu{actions}_missing.txt"))
        assert len(listed) == count
        assert len(listed & names.MISSING_INTERACTIONS) == inside


def test_name_lists_with_headers_and_extensions(tmp_path: Path) -> None:
    path = tmp_path / "missing.txt"
    path.write_bytes(
        b"\xef\xbb\xbfMissing: 2\r\n----\r\nS001C002P005R002A008.skeleton\r\n  S001C002P006R001A008, ...\r\n"
    )
    assert names.read_name_list(path) == ("S001C002P005R002A008", "S001C002P006R001A008")
    path.write_bytes(b"\xff\xfe\x00nothing")
    with pytest.raises(DataError, match="no recording name"):
        names.read_name_list(path)
    with pytest.raises(DataError, match="unreadable"):
        names.read_name_list(tmp_path / "none.txt")


def test_training_parts() -> None:
    def train(name: str, benchmark: str, actions: int = 120) -> bool:
        recording = RecordingName.parse(name)
        assert recording is not None
        return names.is_train(recording, names.check_benchmark(benchmark), actions)

    assert train("S001C001P001R001A050", "xsub", 60)
    assert not train("S001C001P003R001A050", "xsub", 60)
    assert not train("S018C001P045R001A050", "xsub", 60)
    assert train("S018C001P045R001A050", "xsub", 120)
    assert [train(f"S001C00{camera}P001R001A050", "xview") for camera in (1, 2, 3)] == [False, True, True]
    assert [train(f"S00{setup}C001P001R001A050", "xset") for setup in (1, 2)] == [False, True]


def test_bad_arguments_are_named() -> None:
    with pytest.raises(ValueError, match="'xsubject': expected one of xsub, xview, xset"):
        names.check_benchmark("xsubject")
    for actions in ([], [50, 50], [0], [121]):
        with pytest.raises(ValueError, match="actions"):
            names.check_actions(actions)
    with pytest.raises(ValueError, match="no recording name"):
        names.split_sizes(["x"], "xsub")
