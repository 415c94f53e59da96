"""Joint activation against its definition, written as loops."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from interplay.skeleton.activation import joint_activation
from interplay.skeleton.network import MutualExcitationGCN


def network(**options: Any) -> MutualExcitationGCN:
    torch.manual_seed(0)
    made = MutualExcitationGCN(3, "sbu15", channels=(8, 8, 8), depth=(1, 1, 0), beta_init=0.7, **options).eval()
    for parameter in made.parameters():  # BatchNorm gains and α start at zero, where nothing would be seen
        torch.nn.init.normal_(parameter, std=0.5)
    return made


@pytest.mark.parametrize("contraction", ["first", "second"])
@pytest.mark.parametrize("entity", [0, 1])
def test_against_loops(contraction: str, entity: int) -> None:
    model = network(contraction=contraction)
    x = torch.randn(2, 3, 8, 15, 2)
    before, after = joint_activation(model, x, entity)
    last = model.diagnostics(x)[-1]
    for scores, adjacency in ((before, last.adjacency_before), (after, last.adjacency)):
        for sample in range(2):
            expected = []
            for source in range(15):
                total = 0.0
                for subset in adjacency[sample, entity]:
                    for channel in subset:
                        line = channel[source] if contraction == "first" else channel[:, source]
                        total += float(line.abs().sum())
                expected.append(total)
            wanted = torch.tensor(expected) / sum(expected)
            torch.testing.assert_close(scores[sample], wanted, rtol=1e-4, atol=1e-6)
    assert not torch.allclose(before, after), "β is not zero: fusion changes the scores"


def test_without_mutual_excitation_nothing_changes() -> None:
    before, after = joint_activation(network(mte=False), torch.randn(1, 3, 8, 15, 2))
    torch.testing.assert_close(before, after)
    torch.testing.assert_close(before.sum(), torch.tensor(1.0))


def test_one_entity_cannot_be_compared() -> None:
    with pytest.raises(ValueError, match="early fusion"):
        joint_activation(network(early_fusion="add"), torch.randn(1, 3, 8, 15, 2))
    with pytest.raises(ValueError, match="entity must be"):
        joint_activation(network(), torch.randn(1, 3, 8, 15, 2), entity=2)
