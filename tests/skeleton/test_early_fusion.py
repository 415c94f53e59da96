"""The three forms of early fusion."""

from __future__ import annotations

import torch
from tests.skeleton.networks import CHAIN, clips, small

from interplay.skeleton.early_fusion import fuse_entities


def test_forms() -> None:
    x = torch.randn(2, 3, 5, 4, 2)
    assert fuse_entities(x, "none") is x
    torch.testing.assert_close(fuse_entities(x, "add")[..., 0], x[..., 0] + x[..., 1])
    channels = fuse_entities(x, "concat_channels")
    assert channels.shape == (2, 6, 5, 4, 1)
    torch.testing.assert_close(channels[:, 3:, ..., 0], x[..., 1])
    joints = fuse_entities(x, "concat_joints")
    assert joints.shape == (2, 3, 5, 8, 1)
    torch.testing.assert_close(joints[:, :, :, 4:, 0], x[..., 1])


def test_mutual_excitation_is_off() -> None:
    for form in ("add", "concat_channels", "concat_joints"):
        network = small(early_fusion=form)
        assert not [name for name, _ in network.named_parameters() if ".fusion." in name]
        assert network(clips(network)).shape == (3, 5)
    assert network.stack()[0].convolution.topology.adjacency.shape == (3, 8, 8)
    assert small(early_fusion="concat_channels").stack()[0].convolution.feature.omega.weight.shape[2] == 6
    assert CHAIN.joint_count == 4


def test_sum_of_the_skeletons_cannot_see_who_did_what() -> None:
    network = small(early_fusion="add").eval()
    x = clips(network)
    torch.testing.assert_close(network(x), network(x.flip(-1)))
