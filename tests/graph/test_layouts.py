"""Joint layouts: the shipped ones are what their sources say; a user's own is checked."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from interplay.graph.layouts import LayoutError, SkeletonLayout, load_layout, shipped_layouts

# NTU-25 as published, 1-based (child, parent); centre 21.
NTU = [(1, 2), (2, 21), (3, 21), (4, 3), (5, 21), (6, 5), (7, 6), (8, 7), (9, 21), (10, 9), (11, 10), (12, 11), (13, 1)]
NTU += [(14, 13), (15, 14), (16, 15), (17, 1), (18, 17), (19, 18), (20, 19), (22, 23), (23, 8), (24, 25), (25, 12)]


def test_ntu_edges() -> None:
    layout = load_layout("ntu25")
    assert [(a + 1, b + 1) for a, b in layout.edges] == NTU
    assert layout.center == 20
    assert layout.joints[23] == "right_hand_tip"  # joint 24 of the paper's Fig. 4
    assert layout.frames_per_second == 30


def test_assembly101_palm_centre_is_isolated() -> None:
    layout = load_layout("assembly101_hand21")
    assert len(layout.edges) == 23
    assert all(20 not in edge for edge in layout.edges)
    assert layout.parents[20] == -1


@pytest.mark.parametrize(
    ("name", "joints"),
    [
        ("ntu25", 25),
        ("sbu15", 15),
        ("assembly101_hand21", 21),
        ("coco17", 17),
        ("mediapipe33", 33),
        ("mediapipe_hand21", 21),
    ],
)
def test_shipped(name: str, joints: int) -> None:
    layout = load_layout(name)
    assert name in shipped_layouts()
    assert layout.joint_count == joints == len(set(layout.joints))
    assert SkeletonLayout.from_dict(layout.to_dict()) == layout
    for a, b in layout.mirror:
        assert layout.joints[a].replace("left", "right") == layout.joints[b]


@pytest.mark.parametrize("name", ["ntu25", "sbu15", "coco17", "mediapipe33", "mediapipe_hand21"])
def test_every_joint_hangs_on_the_centre(name: str) -> None:
    layout = load_layout(name)
    for joint in range(layout.joint_count):
        seen = []
        while layout.parents[joint] >= 0:
            seen.append(joint)
            joint = layout.parents[joint]
            assert joint not in seen
        assert joint == layout.center


def test_own_layout_from_yaml_with_defaults(tmp_path: Path) -> None:
    path = tmp_path / "stick.yaml"
    path.write_text("name: stick\njoints: [hip, left_hand, right_hand]\nedges: [[1, 0], [2, 0]]\n")
    layout = load_layout(path)
    assert layout.parents == (-1, 0, 0)
    assert layout.mirror == ((1, 2),)
    assert (layout.center, layout.origin, layout.frames_per_second) == (0, 0, None)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"edges": [[0, 9]]}, "two different joints"),
        ({"edges": [[0, 0]]}, "two different joints"),
        ({"joints": ["a", "a"]}, "each name once"),
        ({"parents": [-1]}, "one for each"),
        ({"center": 5}, "center 5"),
        ({"up": "w"}, "up 'w'"),
        ({"frames_per_second": -3}, "positive rate"),
        ({"jionts": []}, "did you mean 'joints'"),
        ({"edges": 3}, "stick.yaml"),
    ],
)
def test_a_layout_that_contradicts_itself_is_refused(tmp_path: Path, change: dict[str, object], message: str) -> None:
    path = tmp_path / "stick.yaml"
    path.write_text(yaml.safe_dump({"name": "stick", "joints": ["a", "b"], "edges": [[1, 0]]} | change))
    with pytest.raises(LayoutError, match=message):
        load_layout(path)


def test_unknown_names_name_the_nearest() -> None:
    with pytest.raises(LayoutError, match="did you mean 'ntu25'"):
        load_layout("ntu52")
    with pytest.raises(LayoutError, match="did you mean 'left_elbow'"):
        load_layout("ntu25").index("left_elbo")
    with pytest.raises(LayoutError, match="cannot read"):
        load_layout("nowhere.yaml")
