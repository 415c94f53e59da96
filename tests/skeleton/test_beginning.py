"""Weights of a trained model as a beginning, and several trained models as one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from interplay.errors import InterplayError
from interplay.skeleton.beginning import begin_with
from interplay.skeleton.ensemble import combine
from interplay.skeleton.network import MutualExcitationGCN

SMALL = {"channels": (16, 32, 64), "depth": (1, 1, 1)}


def test_everything_that_fits_is_taken_except_the_classifier(make_recogniser, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    trained = make_recogniser((("joint",), ("joint", "bone")))
    trained.save_pretrained(tmp_path / "model")
    for index, streams in enumerate(trained.streams):
        network = MutualExcitationGCN(3, "sbu15", in_channels=3 * len(streams), **SMALL)
        line = begin_with(network, str(tmp_path / "model"), streams)
        assert "tensors of small" in line
        own, source = network.state_dict(), trained.networks[index].state_dict()
        for name in own:
            equal = torch.allclose(own[name].float(), source[name].float(), rtol=1e-3, atol=1e-3)
            assert equal or name.startswith("classifier."), name


def test_other_joints_take_what_does_not_depend_on_them(make_recogniser, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    trained = make_recogniser()
    trained.save_pretrained(tmp_path / "model")
    network = MutualExcitationGCN(5, "ntu25", **SMALL)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    begin_with(network, str(tmp_path / "model"), ("joint",))
    changed = {name for name, value in network.state_dict().items() if not torch.equal(value, before[name])}
    assert any("temporal" in name for name in changed)
    assert not any("adjacency" in name or name.startswith("classifier.") for name in changed)


def test_no_such_model() -> None:
    with pytest.raises(InterplayError, match=r"training\.start_from: found no model 'nowhere'"):
        begin_with(MutualExcitationGCN(3, "sbu15", **SMALL), "nowhere", ("joint",))


def test_combined_models_average_their_probabilities(make_recogniser, make_clip) -> None:  # type: ignore[no-untyped-def]
    first, second = make_recogniser(), make_recogniser((("bone", "motion"),))
    both = combine([first, second], name="both")
    clips = [make_clip(20, seed=1), make_clip(33, seed=2)]
    expected = (first.probabilities(clips) + second.probabilities(clips)) / 2
    np.testing.assert_allclose(both.probabilities(clips), expected, atol=1e-6)
    assert both.name == "both"
    assert both.streams == (("joint",), ("bone", "motion"))


def test_models_that_do_not_belong_together(make_recogniser) -> None:  # type: ignore[no-untyped-def]
    other = make_recogniser()
    other.classes = ("a", "b", "c")
    with pytest.raises(InterplayError, match="differ in their classes"):
        combine([make_recogniser(), other])
