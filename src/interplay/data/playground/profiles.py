"""Smooth functions of time that every motion is made of.

All are at least twice continuously differentiable, so that joint velocities and accelerations stay bounded.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def ease(x: Array) -> Array:
    """Minimum-jerk step: 0 for x ≤ 0, 10x³ − 15x⁴ + 6x⁵ in between, 1 for x ≥ 1 (Flash and Hogan, 1985)."""
    x = np.clip(x, 0.0, 1.0)
    return x * x * x * (10.0 + x * (6.0 * x - 15.0))


def step(time: Array, start: float, duration: float) -> Array:
    """Rises from 0 to 1 within ``[start, start + duration]`` seconds."""
    return ease((time - start) / duration)


def bump(time: Array, start: float, end: float, rise: float, fall: float) -> Array:
    """Rises from 0 after ``start``, holds 1, and is back at 0 at ``end``; ``rise + fall ≤ end − start`` (seconds)."""
    return step(time, start, rise) * (1.0 - step(time, end - fall, fall))


def pulse(time: Array, peak: float, rise: float, fall: float) -> Array:
    """A stroke: from 0 at ``peak − rise`` to 1 at ``peak`` and back to 0 at ``peak + fall`` (seconds)."""
    return step(time, peak - rise, rise) * (1.0 - step(time, peak, fall))


def sway(rng: np.random.Generator, time: Array, shape: tuple[int, ...], amplitude: float = 1.0) -> Array:
    """Slow involuntary motion, ``(*shape, T)``: three sinusoids of 0.15–0.6 Hz with random phases, at most
    ``amplitude`` in size."""
    frequency = rng.uniform(0.15, 0.6, (3, *shape, 1))
    phase = rng.uniform(0.0, 2.0 * np.pi, (3, *shape, 1))
    return np.asarray(amplitude / 3.0 * np.sin(2.0 * np.pi * frequency * time + phase).sum(axis=0))


def bridge(before: Array, after: Array, frames: int) -> Array:
    """Fill ``frames`` frames between two tracks, time first, with the cubic that meets both values and slopes.

    Slopes are limited to what a cubic can take up without leaving the two values' surroundings.
    """
    span = frames + 1
    start, end = before[-1], after[0]
    slope_in = (before[-1] - before[-2]) if len(before) > 1 else np.zeros_like(start)
    slope_out = (after[1] - after[0]) if len(after) > 1 else np.zeros_like(end)
    u = (np.arange(1, frames + 1) / span).reshape(-1, *([1] * start.ndim))
    h00, h10 = (1 + 2 * u) * (1 - u) ** 2, u * (1 - u) ** 2
    h01, h11 = u * u * (3 - 2 * u), u * u * (u - 1)
    return np.asarray(h00 * start + h10 * span * slope_in + h01 * end + h11 * span * slope_out)
