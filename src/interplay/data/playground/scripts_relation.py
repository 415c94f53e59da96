"""Two pairs of classes that differ in nothing but the relation between the two people.

Each person's motion is drawn by the same rule in both classes of a pair, and independently of anything of the other
person except through the class:

- pose, ``mirrored side`` / ``same side``: each holds up one arm. s₀, s₁ ∈ {left, right} are each uniform; the class
  says whether s₀ ≠ s₁ (face to face: a mirror image) or s₀ = s₁.
- time, ``in phase`` / ``counter-phase``: both raise and lower their arms at one frequency. φ₀, φ₁ are each uniform
  on the circle; the class says whether φ₁ = φ₀ or φ₁ = φ₀ + π.

Proof that a single person tells nothing. Let u be all other draws (bodies, places, sway, camera, sensor noise,
dropouts, length). Given the class, (s₀, u) is uniform × p(u), and so is (s₁, u): s₁ = s₀ ⊕ class. Person i's joints
are a function of (sᵢ, u) alone, because only the arms depend on sᵢ: the spine, on which clips are centred, does
not, and neither does the sensor. So the two classes give person i's clip the same distribution, and any
function of the *pair* of clips that is a sum f(person 0) + g(person 1), such as the logit of a network with late
fusion, has the same mean under both; its cross-entropy on the balanced design below is at least ln 2.

Balanced design: an episode's draws come from ``seed // 2`` and its parity flips s₀ (adds π to φ₀), so that seeds 2k
and 2k + 1 of the two classes of a pair are four episodes with the same u and all four combinations, in which each
person's clip occurs bit for bit once in either class.
"""

from __future__ import annotations

import numpy as np

from interplay.data.playground.bodies import LEFT, RIGHT
from interplay.data.playground.profiles import bump
from interplay.data.playground.stage import Outcome, Stage


def raised_sides(stage: Stage, relation: bool, flip: bool) -> Outcome:
    """Each person raises one arm and waves it. ``relation``: different sides (anatomically), else the same."""
    stage.face_each_other(stage.uniform(1.0, 1.7))
    start, end = stage.span((0.02, 0.10), (0.90, 0.98))
    first = int(stage.coin()) ^ int(flip)
    sides = (first, 1 - first if relation else first)
    for person in (0, 1):
        # Drawn per person and without regard to the side that will be used.
        delay, rise, fall = stage.uniform(0.0, 0.2), stage.uniform(0.45, 0.65), stage.uniform(0.4, 0.6)
        up, out, ahead = stage.uniform(0.65, 0.82), stage.uniform(0.20, 0.40), stage.uniform(0.05, 0.25)
        size, frequency, phase = stage.uniform(0.05, 0.12), stage.uniform(1.0, 2.0), stage.uniform(0.0, 2.0 * np.pi)
        sign = 1.0 if sides[person] == LEFT else -1.0
        wave = size * np.sin(2.0 * np.pi * frequency * stage.time + phase)
        offset = np.stack([sign * (out + wave), np.full_like(wave, up), np.full_like(wave, ahead)], axis=1)
        raised = bump(stage.time, start + delay, end, rise, fall)
        stage.hold(person, sides[person], offset, raised)
        stage.controls.bend[person, sides[person]] += raised
    return Outcome(None, start, end)


def rhythm(stage: Stage, relation: bool, flip: bool) -> Outcome:
    """Both raise and lower their arms in front of them, 2–4 times. ``relation``: together, else in turn."""
    stage.face_each_other(stage.uniform(1.2, 1.9))
    cycles = stage.uniform(2.2, 3.6)
    frequency = cycles / stage.duration
    phase = stage.uniform(0.0, 2.0 * np.pi)
    first = -1.0 if flip else 1.0  # sin(x + π) = −sin(x), to the last bit
    signs = (first, first if relation else -first)
    for person in (0, 1):
        size, middle, ahead = stage.uniform(0.42, 0.58), stage.uniform(-0.15, 0.05), stage.uniform(0.55, 0.70)
        out = stage.uniform(0.05, 0.25)
        beat = signs[person] * np.sin(2.0 * np.pi * frequency * stage.time + phase)
        for side in (LEFT, RIGHT):
            across = (out + stage.uniform(-0.04, 0.04)) * (1.0 if side == LEFT else -1.0)
            height = middle + (size + stage.uniform(-0.04, 0.04)) * beat
            offset = np.stack([np.full_like(beat, across), height, np.full_like(beat, ahead)], axis=1)
            stage.hold(person, side, offset, np.ones(stage.frames))
    return Outcome(None, 0.0, stage.duration)


RELATION_SCRIPTS = {
    "mirrored side": (raised_sides, True),
    "same side": (raised_sides, False),
    "in phase": (rhythm, True),
    "counter-phase": (rhythm, False),
}
"""Class → script and whether the relation holds; the classes of a pair share the script and all its draws."""
