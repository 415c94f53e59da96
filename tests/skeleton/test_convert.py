"""A CTR-GCN state dict in the public layout of keys gives the outputs of a plain CTR-GCN written here."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from tests.skeleton.networks import CHAIN, clips, small
from torch import Tensor
from torch.nn import functional

from interplay.errors import InterplayError
from interplay.skeleton.convert import exchange_contraction, from_ctrgcn, load_ctrgcn

WIDTHS = ((3, 8, 1), (8, 8, 1), (8, 16, 2), (16, 16, 1), (16, 24, 2))
JOINTS, CLASSES, EPS = 4, 5, 1e-5
State = dict[str, Tensor]


def public_state() -> State:
    """Random weights under the public names: entrance, two blocks of 8, two of 16, one of 24 channels."""
    generator = torch.Generator().manual_seed(0)
    state: State = {}

    def draw(*shape: int) -> Tensor:
        return torch.randn(shape, dtype=torch.float64, generator=generator)

    def convolution(name: str, out: int, inner: int, *kernel: int) -> None:
        kernel = kernel or (1, 1)
        state[f"{name}.weight"] = draw(out, inner, *kernel) / (inner * kernel[0]) ** 0.5
        state[f"{name}.bias"] = 0.1 * draw(out)

    def norm(name: str, size: int) -> None:
        state[f"{name}.weight"], state[f"{name}.bias"] = 1 + 0.2 * draw(size), 0.2 * draw(size)
        state[f"{name}.running_mean"], state[f"{name}.running_var"] = 0.2 * draw(size), 0.5 + draw(size) ** 2
        state[f"{name}.num_batches_tracked"] = torch.tensor(7)

    norm("data_bn", 2 * JOINTS * 3)
    for number, (inner, out, stride) in enumerate(WIDTHS, start=1):
        relation = 8 if inner == 3 else inner // 8
        unit, temporal = f"l{number}.gcn1", f"l{number}.tcn1"
        state[f"{unit}.PA"], state[f"{unit}.alpha"] = 0.5 * draw(3, JOINTS, JOINTS), draw(1)
        for s in range(3):
            for index, sizes in enumerate(((relation, inner), (relation, inner), (out, inner), (out, relation)), 1):
                convolution(f"{unit}.convs.{s}.conv{index}", *sizes)
        norm(f"{unit}.bn", out)
        if inner != out:
            convolution(f"{unit}.down.0", out, inner)
            norm(f"{unit}.down.1", out)
        width = out // 4
        for branch in range(4):
            convolution(f"{temporal}.branches.{branch}.0", width, out)
            norm(f"{temporal}.branches.{branch}.1", width)
        for branch in range(2):
            convolution(f"{temporal}.branches.{branch}.3.conv", width, width, 5, 1)
            norm(f"{temporal}.branches.{branch}.3.bn", width)
        norm(f"{temporal}.branches.2.4", width)
        if number > 1 and (inner != out or stride > 1):
            convolution(f"l{number}.residual.conv", out, inner)
            norm(f"l{number}.residual.bn", out)
    state["fc.weight"], state["fc.bias"] = draw(CLASSES, 24), draw(CLASSES)
    return state


def ctrgcn(state: State, x: Tensor) -> Tensor:
    """The published formulas in evaluation mode, (B, 3, T, V, 2) → logits."""

    def convolution(name: str, y: Tensor, **options: int | tuple[int, int]) -> Tensor:
        return functional.conv2d(y, state[f"{name}.weight"], state[f"{name}.bias"], **options)

    def norm(name: str, y: Tensor) -> Tensor:
        parts = [state[f"{name}.{part}"] for part in ("running_mean", "running_var", "weight", "bias")]
        return functional.batch_norm(y, *parts, eps=EPS)

    batch, channels, time, joints, entities = x.shape
    y = norm("data_bn", x.permute(0, 4, 3, 1, 2).reshape(batch, -1, time))
    y = y.view(batch, entities, joints, channels, time).permute(0, 1, 3, 4, 2).flatten(0, 1)  # rows C T V
    for number, (inner, out, stride) in enumerate(WIDTHS, start=1):
        unit, temporal = f"l{number}.gcn1", f"l{number}.tcn1"
        total = torch.zeros(())
        for s in range(3):
            name = f"{unit}.convs.{s}.conv"
            p, q = convolution(f"{name}1", y).mean(-2), convolution(f"{name}2", y).mean(-2)
            relation = torch.tanh(p[..., :, None] - q[..., None, :])
            adjacency = convolution(f"{name}4", relation) * state[f"{unit}.alpha"] + state[f"{unit}.PA"][s]
            total = total + torch.einsum("ncuv,nctv->nctu", adjacency, convolution(f"{name}3", y))
        down = y if inner == out else norm(f"{unit}.down.1", convolution(f"{unit}.down.0", y))
        z = torch.relu(norm(f"{unit}.bn", total) + down)
        branches = []
        for branch in range(4):
            name = f"{temporal}.branches.{branch}"
            if branch == 3:
                branches.append(norm(f"{name}.1", convolution(f"{name}.0", z, stride=(stride, 1))))
                continue
            inside = torch.relu(norm(f"{name}.1", convolution(f"{name}.0", z)))
            if branch == 2:
                branches.append(norm(f"{name}.4", functional.max_pool2d(inside, (3, 1), (stride, 1), (1, 0))))
            else:
                d = branch + 1
                options = {"stride": (stride, 1), "padding": (2 * d, 0), "dilation": (d, 1)}
                branches.append(norm(f"{name}.3.bn", convolution(f"{name}.3.conv", inside, **options)))
        made = torch.cat(branches, dim=1)
        if f"l{number}.residual.conv.weight" in state:
            made = made + norm(f"l{number}.residual.bn", convolution(f"l{number}.residual.conv", y, stride=(stride, 1)))
        elif number > 1:
            made = made + y
        y = torch.relu(made)
    pooled = y.mean((2, 3)).view(batch, entities, -1).mean(1)
    return pooled @ state["fc.weight"].T + state["fc.bias"]


@pytest.mark.parametrize("contraction", ["first", "second"])
@pytest.mark.parametrize("mutual", [False, True])
@torch.no_grad()
def test_same_logits(contraction: str, mutual: bool) -> None:
    state = public_state()
    float_state = {key: value.float() if value.is_floating_point() else value for key, value in state.items()}
    network = from_ctrgcn(float_state, CHAIN, contraction=contraction, mte=mutual, mfe=mutual).double().eval()
    x = clips(network, frames=13)
    exact = {key: value.double() if value.is_floating_point() else value for key, value in float_state.items()}
    expected = ctrgcn(exact, x)
    torch.testing.assert_close(network(x), expected)
    torch.testing.assert_close(network.fused()(x), expected)
    assert network.input_norm.bn.num_batches_tracked == 7


@torch.no_grad()
def test_file(tmp_path: Path) -> None:
    state = {f"module.{key}": value.float() for key, value in public_state().items()}
    torch.save(state, tmp_path / "weights.pt")
    network = load_ctrgcn(tmp_path / "weights.pt", CHAIN).eval()
    assert len(network.stack()) == 5
    x = clips(network).float()
    expected = from_ctrgcn(state, CHAIN, contraction="second").eval()(x)
    torch.testing.assert_close(network(x), expected, rtol=1e-4, atol=1e-4)


def test_there_and_back() -> None:
    state = small(mte=False).state_dict()
    twice = exchange_contraction(exchange_contraction(state))
    assert sorted(twice) == sorted(state)
    for key, value in state.items():
        assert torch.equal(twice[key], value)


def test_other_contraction_of_a_mutual_network_is_refused() -> None:
    with pytest.raises(ValueError, match="β other than 0"):
        exchange_contraction(small().state_dict())


def test_mfe_may_stay_on() -> None:
    network, other = small(mte=False).eval(), small(mte=False, contraction="second").eval()
    other.load_state_dict(exchange_contraction(network.state_dict()))
    x = clips(network)
    torch.testing.assert_close(other(x), network(x))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda state: state.pop("l2.gcn1.alpha"), "'l2.gcn1.alpha' is missing"),
        (lambda state: state.update({"l2.extra": torch.zeros(1)}), "'l2.extra' is not one"),
        (lambda state: state.update({"l3.gcn1.PA": torch.zeros(3, 9, 9)}), "expected"),
        (lambda state: state.clear(), "missing"),
    ],
)
def test_what_is_wrong_is_named(change, message: str) -> None:
    state = public_state()
    change(state)
    with pytest.raises(InterplayError, match=message):
        from_ctrgcn(state, CHAIN)


class Harmful:
    def __reduce__(self) -> tuple:
        return print, ("this must never run",)


def test_files_that_are_not_weights(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    torch.save({"fc.weight": Harmful()}, tmp_path / "harmful.pt")
    (tmp_path / "text.pt").write_text("no weights")
    torch.save([1, 2], tmp_path / "list.pt")
    for name in ("harmful.pt", "text.pt", "list.pt", "absent.pt"):
        with pytest.raises(InterplayError, match=name):
            load_ctrgcn(tmp_path / name, CHAIN)
    assert "never run" not in capsys.readouterr().out
