"""t-SNE pictures: few samples, equal samples, and every class in its place."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from interplay.viz.embedding import embed, scatter, scatters
from interplay.viz.style import render


@given(st.integers(0, 9), st.integers(1, 4), st.booleans())
@settings(max_examples=12, deadline=None)
def test_few_or_equal_samples_are_points_in_the_unit_square(count: int, channels: int, equal: bool) -> None:
    features = np.random.default_rng(count).normal(size=(count, channels))
    if equal:
        features[:] = 1.0
    points = embed(features)
    assert points.shape == (count, 2)
    assert np.isfinite(points).all()
    assert ((points >= 0) & (points <= 1)).all()


def test_groups_stay_groups_and_the_seed_decides() -> None:
    generator = np.random.default_rng(0)
    labels = np.repeat([0, 1, 2], 15)
    features = 20.0 * np.eye(3)[labels] + generator.normal(size=(45, 3))
    points = embed(features)
    np.testing.assert_array_equal(points, embed(features))
    assert points.min() == 0.0
    assert points.max() == 1.0
    distance = np.linalg.norm(points[:, None] - points[None], axis=-1) + 9 * np.eye(45)
    assert (labels[distance.argmin(axis=1)] == labels).all()


def test_bad_features_are_refused() -> None:
    with pytest.raises(ValueError, match="finite"):
        embed(np.full((5, 2), np.nan))


def test_every_class_is_drawn_where_it_is_and_named() -> None:
    points = np.array([[0.0, 0.0], [1.0, 1.0], [0.5, 0.5], [0.2, 0.1]])
    figure = scatter(points, np.array([0, 1, -1, 0]), ("push", "kick"), "t-SNE")
    offsets = [np.asarray(collection.get_offsets()) for collection in figure.axes[0].collections]
    assert [len(part) for part in offsets] == [1, 2, 1]  # unlabelled, push, kick
    np.testing.assert_allclose(offsets[1], points[[0, 3]])
    svg = render(figure, "svg").decode()
    assert "push (2)" in svg
    assert "kick (1)" in svg


def test_legends_lie_inside_the_figure() -> None:
    names = ["an interaction with quite a long name"] * 26
    points, labels = np.random.default_rng(0).random((52, 2)), np.arange(52) % 26
    for figure in (scatter(points, labels, names), scatters([("a", points, labels)] * 4, names)):
        render(figure, dpi=figure.dpi)
        legend = figure.legends[0] if figure.legends else figure.axes[0].get_legend()
        assert legend is not None
        box = legend.get_window_extent()
        assert box.x0 >= 0
        assert box.x1 <= figure.bbox.x1
        assert len(legend.get_texts()) == 26


def test_four_models_side_by_side() -> None:
    points, labels = np.random.default_rng(0).random((6, 2)), np.arange(6) % 2
    names = ["Baseline", "MTE only", "MFE only", "Ours"]
    figure = scatters([(name, points, labels) for name in names], ("push", "kick"))
    assert [axes.get_title(loc="left") for axes in figure.axes] == names
    with pytest.raises(ValueError, match="no embedding"):
        scatters([], ())
