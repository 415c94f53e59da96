"""GradCAM against its definition, and against scores whose places are known."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from interplay.scene.saliency import gradcam, predicate_saliency, union_box


def test_definition() -> None:
    torch.manual_seed(0)
    features, gradient = torch.randn(3, 4, 5), torch.randn(3, 4, 5)
    made = gradcam(features, gradient, (slice(1, 3), slice(2, 5)))
    for row in range(4):
        for column in range(5):
            expected = 0.0
            if 1 <= row < 3 and column >= 2:
                alphas = [float(gradient[c, 1:3, 2:5].mean()) for c in range(3)]
                expected = max(sum(a * float(features[c, row, column]) for c, a in enumerate(alphas)), 0.0)
            assert float(made[row, column]) == pytest.approx(expected, abs=1e-6)


def pyramid() -> dict[str, Tensor]:
    features = {"0": torch.zeros(1, 2, 12, 16), "1": torch.zeros(1, 2, 6, 8)}
    features["0"][0, 0, 3, 4] = 5.0  # what the score looks for
    features["0"][0, 1, 8, 12] = 7.0  # what it does not
    return {key: value.requires_grad_() for key, value in features.items()}


def test_the_place_that_the_score_rests_on_is_hottest() -> None:
    features = pyramid()
    made = predicate_saliency(features, features["0"][0, 0].sum(), {"0": 4, "1": 8}, (46, 61))
    assert made.shape == (12, 16)
    assert divmod(int(made.argmax()), 16) == (3, 4)
    assert int((made > 0).sum()) == 1


def test_only_the_union_region_counts() -> None:
    features = pyramid()
    score = features["0"].sum()
    inside = predicate_saliency(features, score, {"0": 4}, (48, 64), (40.0, 28.0, 63.0, 47.0))
    assert divmod(int(inside.argmax()), 16) == (8, 12)
    assert not inside[:7].any()
    assert not inside[:, :10].any()


def test_levels_are_brought_to_the_finest() -> None:
    features = pyramid()
    with torch.no_grad():
        features["1"][0, 0, 2, 5] = 1.0
    made = predicate_saliency(features, features["1"][0, 0].sum() * 3, {"0": 4, "1": 8}, (48, 64))
    row, column = divmod(int(made.argmax()), 16)
    assert (row // 2, column // 2) == (2, 5)


def test_a_score_from_elsewhere_is_refused() -> None:
    with pytest.raises(ValueError, match="no path to the maps"):
        predicate_saliency(pyramid(), torch.ones(1, requires_grad=True).sum(), {"0": 4}, (48, 64))


def test_union_box() -> None:
    assert union_box(torch.tensor([[3.0, 4, 10, 12], [1, 6, 8, 20]])).tolist() == [1, 4, 10, 20]
