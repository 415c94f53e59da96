import numpy as np

from interplay.data.playground.profiles import bridge, bump, ease, pulse, sway


def test_ease_starts_and_ends_at_rest() -> None:
    x = np.linspace(-0.5, 1.5, 4001)
    y = ease(x)
    assert y[0] == 0.0
    assert y[-1] == 1.0
    assert np.all(np.diff(y) >= -1e-15)
    slope = np.gradient(y, x)
    curvature = np.gradient(slope, x)
    assert slope.max() < 1.8751  # 15/8 in the middle
    assert np.abs(curvature).max() < 5.78  # 10/√3
    assert np.abs(np.diff(curvature)).max() < 0.05  # no jump of the acceleration at either end


def test_bump_and_pulse_return_to_zero() -> None:
    time = np.linspace(0.0, 3.0, 301)
    held = bump(time, 0.5, 2.5, 0.4, 0.6)
    assert held[time <= 0.5].max() == 0.0
    assert held[time >= 2.5].max() < 1e-12
    np.testing.assert_allclose(held[(time >= 0.9) & (time <= 1.9)], 1.0)
    stroke = pulse(time, 1.0, 0.3, 0.5)
    assert time[stroke.argmax()] == 1.0
    assert stroke.max() == 1.0
    assert stroke[(time <= 0.7) | (time >= 1.5)].max() < 1e-12


def test_sway_is_bounded() -> None:
    values = sway(np.random.default_rng(0), np.linspace(0, 60, 2000), (5, 2), 0.3)
    assert values.shape == (5, 2, 2000)
    assert 0.1 < np.abs(values).max() <= 0.3


def test_bridge_meets_values_and_slopes() -> None:
    before, after = np.array([[0.0], [0.1]]), np.array([[1.0], [0.9]])
    whole = np.concatenate([before, bridge(before, after, 400), after])[:, 0]
    step = np.diff(whole)
    assert abs(step[1] - 0.1) < 0.01
    assert abs(step[-2] + 0.1) < 0.01
    assert np.abs(np.diff(step)).max() < 0.01
