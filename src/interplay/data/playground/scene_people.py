"""People of the picture view: what each one does, in two ways that fill the same boxes.

Every *role* is posed twice. The two poses differ only in a part of the person: whether a ball is met by the hand or by
the foot, whether a hat or a bag is worn or carried. The thing they do it with is at the same place in both.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from interplay.data.playground.bodies import Body, Style, random_body, random_style
from interplay.data.playground.figures import Appearance, random_appearance
from interplay.data.playground.kinematics import HANDS, HEAD, REST, SHOULDERS, TIPS, Controls, pose, torso
from interplay.data.playground.objects import KINDS
from interplay.data.playground.profiles import Array

ACTIVITIES = ("play", "hat", "bag", "tool", "use", "drink", "read", "none")
"""play: a ball or balloon, by hand or by foot. hat, bag: worn or carried. tool: by the handle or by the blade.
use, drink, read: phone or hammer, cup or bottle, book. none: empty hands."""

SEAT = 0.46
"""Height of a chair's seat, metres."""


@dataclass(frozen=True, slots=True)
class Role:
    """One person's place and doings.

    Args:
        x, z: on the floor, metres, world.
        yaw: heading, radians; 0 faces the camera.
        sits: on a chair at the same place.
        activity: one of :data:`ACTIVITIES`.
        thing: kind of the object of the activity, "" for none.
        side: the hand or foot that does it, 0 left, 1 right of the body.
        reach, lift, lean: free numbers in [0, 1) that vary the pose.
        rest: (2, 3), where idle wrists are, as ``Controls.wrists``.
        stance: (2,), sideways offsets of the ankles, metres.
        angle: of a tool in the picture, radians from outward, upwards.
        body, style, look: the person.
    """

    x: float
    z: float
    yaw: float
    sits: bool
    activity: str
    thing: str
    side: int
    reach: float
    lift: float
    lean: float
    rest: Array
    stance: Array
    angle: float
    body: Body
    style: Style
    look: Appearance

    @property
    def outward(self) -> float:
        """Sign of the picture's u on the side of the doing hand."""
        return 1.0 if self.side == 0 else -1.0


def random_role(rng: np.random.Generator, x: float, z: float, sits: bool, activity: str) -> Role:
    """Draw the rest of a role; always the same number of draws."""
    things = {"play": ("ball", "balloon"), "hat": ("hat",), "bag": ("bag",), "tool": ("knife", "saw")}
    things |= {"use": ("phone", "hammer"), "drink": ("cup", "bottle"), "read": ("book",)}
    kinds = things.get(activity, ("",))
    pick = int(rng.integers(1 << 16))
    rest = REST.copy()
    rest += rng.uniform(-0.05, 0.05, (2, 3)) + np.array([[0.10, 0.0, 0.0], [-0.10, 0.0, 0.0]]) * rng.random((2, 1))
    akimbo = np.array([[0.30, -0.66, 0.10], [-0.30, -0.66, 0.10]])
    on_hip = rng.random(2) < 0.2
    return Role(
        x=x,
        z=z,
        yaw=float(rng.uniform(-0.22, 0.22)),
        sits=sits,
        activity=activity,
        thing=kinds[pick % len(kinds)],
        side=int(rng.integers(2)),
        reach=float(rng.random()),
        lift=float(rng.random()),
        lean=float(rng.random()),
        rest=np.where(on_hip[:, None], akimbo, rest),
        stance=rng.uniform(0.0, 0.10, 2),
        angle=float(rng.uniform(0.1, 1.2)),
        body=random_body(rng),
        style=random_style(rng),
        look=random_appearance(rng),
    )


def _lateral(role: Role) -> Array:
    """World direction of the doing side."""
    sign = 1.0 if role.side == 0 else -1.0
    return sign * np.array([np.cos(role.yaw), 0.0, -np.sin(role.yaw)])


def _ahead(role: Role) -> Array:
    return np.array([np.sin(role.yaw), 0.0, np.cos(role.yaw)])


class _Poses:
    """Controls of every role in both ways, person 2k + way; two equal frames, because poses are tracks."""

    def __init__(self, roles: Sequence[Role]) -> None:
        self.bodies = [role.body for role in roles for _ in (0, 1)]
        self.styles = [role.style for role in roles for _ in (0, 1)]
        self.controls = Controls.standing(2 * len(roles), 2)
        for number, role in enumerate(roles):
            for person in (2 * number, 2 * number + 1):
                self.controls.root[person] = (role.x, role.z)
                self.controls.yaw[person] = role.yaw
                self.controls.wrists[person] = role.rest[:, None]
                self.controls.ankles[person, :, :, 0] = (role.stance * np.array([1.0, -1.0]))[:, None]
                if role.sits:
                    self.controls.crouch[person] = role.body.pelvis_height - SEAT - 0.10
                    self.controls.ankles[person, :, :, 2] = 0.36
        self.refresh()

    def refresh(self) -> None:
        self.torso = torso(self.controls, self.bodies, self.styles, 30.0)

    def joint(self, person: int, index: int) -> Array:
        return np.asarray(self.torso.joints[person, 0, index])

    def hand(self, person: int, side: int, target: Array) -> None:
        """Ask a hand to be at a world point."""
        offset = target - self.joint(person, SHOULDERS[side])
        body = self.bodies[person]
        offset = offset * max(1.0 - 1.3 * body.palm / (float(np.linalg.norm(offset)) + 1e-9), 0.25)
        self.controls.wrists[person, side] = (self.torso.chest[person, 0].T @ offset) / body.arm

    def foot(self, person: int, side: int, target: Array) -> None:
        """Ask an ankle to be at a world point."""
        pelvis, sign = self.torso.pelvis[person, 0], 1.0 if side == 0 else -1.0
        body, root = self.bodies[person], self.controls.root[person, 0]
        default = np.array([root[0], body.ankle_height, root[1]]) + 1.15 * sign * body.hip * pelvis[:, 0]
        self.controls.ankles[person, side] = pelvis.T @ (target - default)

    def joints(self) -> Array:
        return np.asarray(pose(self.controls, self.bodies, self.styles, 30.0)[0])


def _bodies_first(poses: _Poses, roles: Sequence[Role]) -> None:
    for number, role in enumerate(roles):
        sign = -1.0 if role.side == 0 else 1.0
        for way, person in ((0, 2 * number), (1, 2 * number + 1)):
            controls = poses.controls
            if role.activity == "play":
                controls.crouch[person] += 0.06 + 0.12 * role.lean
                controls.roll[person] += sign * (0.12 + 0.14 * role.lean)
            elif role.activity == "hat":
                controls.roll[person] += (sign if way == 0 else -sign) * (0.36 + 0.10 * role.lean)
            elif not role.sits:
                controls.roll[person] += 0.10 * (role.lean - 0.5)
    poses.refresh()


def _hands(poses: _Poses, number: int, role: Role) -> Array:
    """Set hands and feet of a role in both ways; returns the thing's place in the world."""
    first, second, side = 2 * number, 2 * number + 1, role.side
    out, ahead, up = _lateral(role), _ahead(role), np.array([0.0, 1.0, 0.0])
    base = np.array([role.x, 0.0, role.z])
    if role.activity == "play":
        shoulder = poses.joint(first, SHOULDERS[side])
        direction = out * (0.55 + 0.25 * role.reach) - up * (0.55 + 0.45 * role.lift) + 0.25 * ahead
        direction /= np.linalg.norm(direction)
        hand = shoulder + 0.98 * (role.body.arm + role.body.palm) * direction
        poses.hand(first, side, hand)
        radius = 0.5 * KINDS[role.thing].size[0]
        place = hand + 0.75 * radius * direction + 0.02 * out
        poses.foot(second, side, place - out * 0.75 * radius - up * 0.55 * radius)
        poses.controls.wrists[second, side] = np.array([0.55 if side == 0 else -0.55, -0.55, 0.15])
        return np.asarray(place)
    if role.activity == "hat":
        place = poses.joint(first, HEAD) + up * 0.065
        head = poses.joint(second, HEAD) + up * 0.065
        poses.hand(first, 1 - side, head + up * 0.02)
        poses.hand(second, side, place + up * 0.02)
        akimbo = np.array([[0.30, -0.66, 0.10], [-0.30, -0.66, 0.10]])
        poses.controls.wrists[first, side] = akimbo[side]
        poses.controls.wrists[second, 1 - side] = akimbo[1 - side]
        return np.asarray(place)
    if role.activity == "bag":
        drop = role.body.shoulder_height - 0.93 * (role.body.arm + role.body.palm)
        place = base + out * (0.36 + 0.05 * role.reach) + up * max(drop, 0.62) + 0.10 * ahead
        poses.hand(second, side, place)
        poses.controls.wrists[first, side] = np.array([-0.05 if side == 0 else 0.05, -0.42, 0.45])
        return np.asarray(place)
    chest = poses.joint(first, 20)
    if role.activity == "tool":
        place = chest + out * (0.34 + 0.12 * role.reach) - up * (0.12 + 0.22 * role.lift) + 0.22 * ahead
    elif role.activity == "drink":
        place = poses.joint(first, HEAD) - up * 0.10 + out * 0.06 + 0.16 * ahead
    elif role.activity == "read":
        place = chest - up * 0.22 + 0.32 * ahead + out * 0.10
    elif role.activity == "use":
        place = chest + out * (0.22 + 0.15 * role.reach) + up * (0.10 * role.lift - 0.10) + 0.28 * ahead
    else:
        return base
    for person in (first, second):
        poses.hand(person, side, place)
        if role.activity == "read":
            poses.hand(person, 1 - side, place - 0.2 * out)
    return np.asarray(place)


def act_out(roles: Sequence[Role]) -> tuple[Array, Array]:
    """Pose every role in both ways.

    Returns:
        joints: (P, 2, 25, 3), layout ntu25, world, metres; the second axis is the way: 0 is by hand, worn, or by the
            handle; 1 is by foot, carried, or by the blade.
        places: (P, 3), where the thing is met: the ball's centre, the hat's lower edge, the bag's handle, the hand.
    """
    poses = _Poses(roles)
    _bodies_first(poses, roles)
    places = np.stack([_hands(poses, number, role) for number, role in enumerate(roles)])
    joints = poses.joints().reshape(len(roles), 2, 25, 3)
    for number, role in enumerate(roles):
        if role.activity in ("tool", "use", "drink", "read"):
            places[number] = 0.5 * (joints[number, 0, HANDS[role.side]] + joints[number, 0, TIPS[role.side]])
        elif role.activity == "play":  # where the hand really got to
            hand = 0.5 * (joints[number, 0, HANDS[role.side]] + joints[number, 0, TIPS[role.side]])
            shift = hand - joints[number, 0, SHOULDERS[role.side]]
            shift /= np.linalg.norm(shift) + 1e-9
            places[number] = hand + 0.42 * KINDS[role.thing].size[0] * shift
    return joints, places
