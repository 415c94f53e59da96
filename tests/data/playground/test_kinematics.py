import numpy as np
import pytest

from interplay.data.playground.bodies import Style, random_body
from interplay.data.playground.kinematics import (
    ANKLES,
    HEAD,
    RIGID_BONES,
    SHOULDERS,
    SPINE_BASE,
    Controls,
    heading,
    join,
    pose,
    tilt,
    two_bone,
)
from interplay.graph.layouts import load_layout

STYLE = Style(tempo=1.0, vigour=1.0, hand=1, stride=1.3)


def test_two_bone_against_the_law_of_cosines() -> None:
    rng = np.random.default_rng(0)
    root, pole = rng.normal(size=(500, 3)), rng.normal(size=(500, 3))
    upper, lower = rng.uniform(0.2, 0.4, 500), rng.uniform(0.2, 0.4, 500)
    direction = rng.normal(size=(500, 3))
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    distance = rng.uniform(0.5, 0.84, 500) * (upper + lower)
    target = root + distance[:, None] * direction
    middle, end = two_bone(root, target, upper, lower, pole)
    for i in range(500):  # one limb at a time, by the angle at the root
        d = np.linalg.norm(end[i] - root[i])
        # within the linear range the end is the target (but for the lower guard, which fades with the fourth power)
        assert abs(d - distance[i]) < 0.01 * distance[i]
        angle = np.arccos((upper[i] ** 2 + d**2 - lower[i] ** 2) / (2 * upper[i] * d))
        across = pole[i] - (pole[i] @ direction[i]) * direction[i]
        across /= np.linalg.norm(across)
        expected = root[i] + upper[i] * (np.cos(angle) * direction[i] + np.sin(angle) * across)
        np.testing.assert_allclose(middle[i], expected, atol=1e-7)
    np.testing.assert_allclose(np.linalg.norm(middle - root, axis=1), upper, atol=1e-8)
    np.testing.assert_allclose(np.linalg.norm(end - middle, axis=1), lower, atol=1e-8)


def test_two_bone_out_of_reach_stays_smooth() -> None:
    distance = np.linspace(0.0, 3.0, 3001)
    target = np.stack([distance, np.zeros_like(distance), np.zeros_like(distance)], axis=1)
    root, pole = np.zeros((1, 3)), np.array([[0.0, -1.0, 0.0]])
    middle, end = two_bone(root, target, np.full(3001, 0.3), np.full(3001, 0.25), pole)
    assert end[:, 0].max() < 0.55
    speed = np.linalg.norm(np.diff(middle, axis=0), axis=1)[5:] / np.diff(distance)[5:]
    assert speed.max() < 3.5  # metres of elbow a metre of hand
    assert np.isfinite(middle).all()


def test_rotations_are_rotations() -> None:
    angles = np.linspace(-3, 3, 7)
    for matrix in (heading(angles), tilt(angles, angles[::-1].copy())):
        np.testing.assert_allclose(
            matrix @ np.swapaxes(matrix, -1, -2), np.broadcast_to(np.eye(3), (7, 3, 3)), atol=1e-12
        )
        np.testing.assert_allclose(np.linalg.det(matrix), 1.0)
    np.testing.assert_allclose(heading(np.array(np.pi / 2)) @ [0, 0, 1], [1, 0, 0], atol=1e-12)


def test_standing_person() -> None:
    rng = np.random.default_rng(1)
    body = random_body(rng)
    joints = pose(Controls.standing(1, 5), [body], [STYLE], 30.0)
    assert joints.shape == (5, 1, 25, 3)
    one = joints[0, 0]
    assert one[HEAD, 1] > 0.85 * body.height * 0.95
    assert one[:, 1].min() > 0.0
    left, forward = one[SHOULDERS[0]] - one[SHOULDERS[1]], np.array([0.0, 0.0, 1.0])
    # Anatomy: facing z with y up, the left is at x > 0 in a right-handed frame.
    assert left[0] > 0.25
    np.testing.assert_allclose(np.cross(left / np.linalg.norm(left), [0.0, 1.0, 0.0]), forward, atol=1e-9)
    assert abs(one[ANKLES[0], 1] - body.ankle_height) < 0.03


def test_every_edge_of_the_layout_is_rigid() -> None:
    edges = {frozenset(edge) for edge in load_layout("ntu25").edges}
    assert edges <= {frozenset(bone) for bone in RIGID_BONES}


def test_walking_moves_the_feet_and_stops() -> None:
    controls = Controls.standing(1, 120)
    controls.root[0, :, 1] = (
        2.0 * np.clip(np.linspace(-0.2, 1.2, 120), 0, 1) ** 2 * (3 - 2 * np.clip(np.linspace(-0.2, 1.2, 120), 0, 1))
    )
    joints = pose(controls, [random_body(np.random.default_rng(0))], [STYLE], 30.0)
    ankles = joints[:, 0, ANKLES]
    assert ankles[..., 1].max() > ankles[0, :, 1].max() + 0.05
    ahead = ankles[:, 0, 2] - ankles[:, 1, 2]
    assert ahead.max() > 0.15
    assert ahead.min() < -0.15
    np.testing.assert_allclose(joints[-1, 0, ANKLES, 2], joints[-1, 0, SPINE_BASE, 2], atol=0.05)


def test_join_keeps_the_parts_and_turns_the_short_way() -> None:
    first, second = Controls.standing(2, 10), Controls.standing(2, 12)
    first.yaw += 3.0
    second.yaw -= 3.0
    second.root += 1.0
    whole = join([first, second], [20])
    assert whole.frames == 42
    np.testing.assert_array_equal(whole.wrists[:, :, :10], first.wrists)
    np.testing.assert_array_equal(whole.root[:, -12:], second.root)
    assert np.abs(np.diff(whole.yaw, axis=1)).max() < 0.1  # by 2π − 6, not by 6
    with pytest.raises(ValueError, match="need 1 gaps"):
        join([first, second], [])
