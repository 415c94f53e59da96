"""Joint maps: by name, by synonym, by mean; axes and units; and a clear no."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from interplay.graph.joint_map import JointMapError, joint_map, map_joints
from interplay.graph.layouts import SkeletonLayout, load_layout

PAIRS = [
    ("ntu25", "sbu15"),
    ("mediapipe33", "ntu25"),
    ("mediapipe33", "sbu15"),
    ("mediapipe33", "coco17"),
    ("coco17", "sbu15"),
    ("mediapipe_hand21", "assembly101_hand21"),
    ("assembly101_hand21", "mediapipe_hand21"),
]


def body(layout: SkeletonLayout, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(6, 2, layout.joint_count, 3)).astype(np.float32)


@pytest.mark.parametrize(("source", "target"), PAIRS)
def test_every_joint_has_a_source(source: str, target: str) -> None:
    mapping = joint_map(source, target)
    np.testing.assert_allclose(mapping.weights.sum(axis=1), 1)
    for row, joint in zip(mapping.weights, mapping.target.joints, strict=True):
        assert {mapping.source.joints[index] for index in np.flatnonzero(row)} == set(mapping.recipe[joint])
        if joint in mapping.source.joints and (target, joint) not in {("sbu15", "neck"), ("sbu15", "torso")}:
            assert mapping.recipe[joint] == (joint,)
        # A side is never taken from the other one.
        for side, other in (("left", "right"), ("right", "left")):
            if joint.startswith(side):
                assert not any(name.startswith(other) for name in mapping.recipe[joint])


@pytest.mark.parametrize(("source", "target"), PAIRS)
def test_absent_stays_absent_and_the_second_entity_beside_the_first(source: str, target: str) -> None:
    joints = body(load_layout(source))
    joints[2, 1] = 0
    joints[4] = 0
    mapped = map_joints(joints, source, target)
    assert mapped.dtype == np.float32
    assert mapped.shape == (6, 2, load_layout(target).joint_count, 3)
    np.testing.assert_array_equal((mapped != 0).any(axis=(2, 3)), (joints != 0).any(axis=(2, 3)))


def test_equal_layouts_change_nothing() -> None:
    joints = body(load_layout("ntu25"))
    assert map_joints(joints, "ntu25", "ntu25") is joints


def test_ntu_to_sbu_and_its_units() -> None:
    layout, target = load_layout("ntu25"), load_layout("sbu15")
    joints = body(layout)
    mapped = map_joints(joints, layout, target).astype(np.float64)
    metres = mapped * [-2.56, -1.92, 1.28] + [1.28, 0.96, 0.0]
    shoulders = joints[:, :, [layout.index("left_shoulder"), layout.index("right_shoulder")]].mean(axis=2)
    knees = joints[:, :, layout.index("left_knee")]
    # Differences keep their lengths and directions in metres: y up stays y up, x stays x.
    difference = metres[:, :, target.index("neck")] - metres[:, :, target.index("left_knee")]
    np.testing.assert_allclose(difference, shoulders - knees, atol=1e-5)
    between = metres[:, 0, target.index("head")] - metres[:, 1, target.index("head")]
    np.testing.assert_allclose(between, joints[:, 0, 3] - joints[:, 1, 3], atol=1e-5)
    np.testing.assert_allclose(mapped.mean(axis=(0, 1, 2)), [0.5, 0.73, 1.68], atol=1e-4)


def test_pixels_get_a_persons_size() -> None:
    joints = body(load_layout("coco17")) * 100
    joints[..., 2] = 0
    big, small = (map_joints(joints * factor, "coco17", "sbu15") for factor in (np.float32(7), np.float32(1)))
    np.testing.assert_allclose(big, small, atol=1e-4)
    mapped = map_joints(joints, "coco17", "sbu15").astype(np.float64) * [-2.56, -1.92, 1.28]
    layout = load_layout("sbu15")
    shoulders = mapped[:, :, [layout.index("left_shoulder"), layout.index("right_shoulder")]].mean(axis=2)
    hips = mapped[:, :, [layout.index("left_hip"), layout.index("right_hip")]].mean(axis=2)
    assert np.median(np.linalg.norm(shoulders - hips, axis=-1)) == pytest.approx(0.46, abs=1e-3)


def test_picture_coordinates_turn_upright() -> None:
    layout = load_layout("mediapipe33")
    joints = body(layout)
    mapped = map_joints(joints, layout, "ntu25")
    ear = joints[:, :, [layout.index("left_ear"), layout.index("right_ear")]].mean(axis=2)
    factor = mapped[:, :, 3, 0] / ear[..., 0]
    np.testing.assert_allclose(mapped[:, :, 3, 1], -ear[..., 1] * factor, rtol=1e-4)
    np.testing.assert_allclose(mapped[:, :, 3, 2], ear[..., 2] * factor, rtol=1e-4)


@pytest.mark.parametrize("up", ["x", "-x", "y", "z", "-z"])
def test_axes_are_rotated_not_mirrored(up: str) -> None:
    ntu = load_layout("ntu25")
    own = SkeletonLayout.from_dict(ntu.to_dict() | {"name": "own", "up": up, "unit": "centimetres"})
    joints = body(ntu)
    mapped = map_joints(joints, own, ntu)
    axis, sign = "xyz".index(up[-1]), -1 if up.startswith("-") else 1
    np.testing.assert_allclose(mapped[..., 1], sign * joints[..., axis] / 100, rtol=1e-4, atol=1e-6)
    # Three points of a body span a volume whose sign a rotation keeps.
    before, after = np.linalg.det(joints[0, 0, :3].astype(float)), np.linalg.det(mapped[0, 0, :3].astype(float) * 100)
    assert after == pytest.approx(before, rel=1e-3)
    np.testing.assert_allclose(map_joints(mapped, ntu, own), joints, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("source", "target", "joint"),
    [("sbu15", "ntu25", "left_hand_tip"), ("coco17", "ntu25", "left_hand_tip"), ("ntu25", "coco17", "left_eye")],
)
def test_a_missing_joint_is_named(source: str, target: str, joint: str) -> None:
    with pytest.raises(JointMapError, match=rf"{source} to {target}: found no source for joint '{joint}'"):
        joint_map(source, target)


def test_a_hand_is_no_person() -> None:
    with pytest.raises(JointMapError, match="found hand joints, expected person joints"):
        joint_map("mediapipe_hand21", "ntu25")
    with pytest.raises(JointMapError, match="found 21 joints, expected 25"):
        map_joints(np.zeros((1, 1, 21, 3), np.float32), "ntu25", "sbu15")


def test_a_users_layout_maps_by_name(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("name: mine\njoints: [right_hip, neck, head]\nedges: [[2, 1], [0, 1]]\nunit: metre\n")
    joints = body(load_layout("ntu25"))
    mapped = map_joints(joints, "ntu25", file)
    np.testing.assert_allclose(mapped, joints[:, :, [16, 2, 3]], rtol=1e-6)
