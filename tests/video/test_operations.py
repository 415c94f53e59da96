"""Each operation against loops in float64, its gradients against differences, and the properties that define it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from tests.video import reference
from torch import Tensor, nn

from interplay.video.affinity import Affinity
from interplay.video.operations import BackgroundIncorporation, Identity
from interplay.video.operations.node_attention import NodeAttention, highest
from interplay.video.regions import box_positions
from interplay.video.settings import Space, VideoSettings
from interplay.video.state import ClipContext, NodeLayout, NodeState, nearest
from interplay.video.substructures import (
    MAIN,
    PAIRS,
    ParallelSubstructure,
    Substructure,
    candidates,
    operation,
)

STEPS, BOXES, CELLS, WIDTH = 8, 3, 4, 6
LAYOUT = NodeLayout(STEPS, BOXES, CELLS)
OPERATIONS = (
    "feature_aggregation",
    "difference_propagation",
    "temporal_convolution",
    "background_incorporation",
    "node_attention",
)
CASES: list[tuple[str, dict[str, Any]]] = [
    *((name, {}) for name in OPERATIONS),
    *((name, {"u": "diagonal", "scale": 3.0, "slope": 0.2}) for name in OPERATIONS[:4]),
    *((name, {"similarity": "inner_product"}) for name in OPERATIONS[:4]),
    *((name, {"bias": False}) for name in OPERATIONS[:4]),
    *((name, {"u_bias": True, "u_start": "kaiming"}) for name in (OPERATIONS[0], *OPERATIONS[2:4])),
    ("difference_propagation", {"u_bias": True, "u": "diagonal", "similarity": "inner_product"}),
    ("difference_propagation", {"dp_diagonal": "kept"}),
    ("temporal_convolution", {"tc_convolution": "dense"}),
    ("temporal_convolution", {"tc_convolution": "dense", "tc_out": "own_frame"}),
    ("temporal_convolution", {"tc_out": "own_frame"}),
    ("temporal_convolution", {"tc_padding": "zero"}),
    ("temporal_convolution", {"tc_nearest": "inner_product"}),
    ("temporal_convolution", {"tc_kernel": 5}),
    ("temporal_convolution", {"tc_u": True}),
    ("background_incorporation", {"bi_rel": "softmax"}),
    ("node_attention", {"na": "all"}),
    ("node_attention", {"na_similarity": "inner_product"}),
    ("node_attention", {"na_neighbours": 1}),
    ("node_attention", {"na_self": True, "na_activation": True}),
]


def settings(**changes: Any) -> VideoSettings:
    return VideoSettings(**{"width": WIDTH, "na_neighbours": 4, **changes})


def clips(batch: int = 2, layout: NodeLayout = LAYOUT, width: int = WIDTH, coordinates: int = 3) -> NodeState:
    draw = torch.Generator().manual_seed(0)
    boxes = torch.rand(batch, layout.steps, layout.boxes, 4, dtype=torch.float64, generator=draw)
    nodes = torch.randn(batch, layout.nodes, width, dtype=torch.float64, generator=draw)
    background = torch.randn(batch, layout.steps, layout.cells, width, dtype=torch.float64, generator=draw)
    positions = box_positions(boxes, 9 if coordinates == 9 else 3)
    return NodeState(nodes, ClipContext(background, positions, layout.boxes))


def made(name: str, options: VideoSettings, layout: NodeLayout = LAYOUT) -> nn.Module:
    """Weights and biases all away from where they start, U near the identity."""
    torch.manual_seed(1)
    module = operation(name, options, layout).double().eval()
    with torch.no_grad():
        for key, parameter in module.named_parameters():
            identity = torch.eye(WIDTH, dtype=torch.float64) if key == "affinity.weight" else 0.0
            parameter.copy_(identity + 0.5 * torch.randn_like(parameter))
        if options.tc_u and name == "temporal_convolution":
            assert isinstance(module.affinity, Affinity)
            module.affinity.weight.copy_(torch.eye(WIDTH))
    return module


def slow(name: str, state: NodeState, clip: int, weights: dict[str, Tensor], options: VideoSettings) -> Tensor:
    x, y = state.nodes[clip], state.background[clip]
    if name == "feature_aggregation":
        return reference.feature_aggregation(x, weights, options)
    if name == "difference_propagation":
        return reference.difference_propagation(x, weights, options)
    if name == "temporal_convolution":
        return reference.temporal_convolution(x, state.boxes, weights, options)
    if name == "background_incorporation":
        return reference.background_incorporation(x, y, state.boxes, weights, options)
    return reference.node_attention(x, state.positions[clip], weights, options)


@pytest.mark.parametrize(("name", "changes"), CASES, ids=lambda value: str(value))
@torch.no_grad()
def test_against_loops(name: str, changes: dict[str, Any]) -> None:
    options = settings(**changes)
    state = clips(coordinates=options.coordinates)
    module = made(name, options)
    weights: dict[str, Tensor] = dict(module.named_parameters())
    found = module(state)
    for clip in range(2):
        torch.testing.assert_close(found[clip], slow(name, state, clip, weights, options), rtol=0, atol=1e-12)


@pytest.mark.parametrize("name", OPERATIONS)
def test_gradients(name: str) -> None:
    """Of nodes, background and every weight, in float64."""
    layout = NodeLayout(7, 2, 3)
    options = settings(width=3, na_neighbours=2)
    module = operation(name, options, layout).double().eval()
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    state = clips(1, layout, 3)
    names = [key for key, _ in module.named_parameters()]

    def call(nodes: Tensor, background: Tensor, *weights: Tensor) -> Tensor:
        seen = NodeState(nodes, ClipContext(background, state.positions, layout.boxes))
        result: Tensor = torch.func.functional_call(module, dict(zip(names, weights, strict=True)), (seen,))
        return result

    weights = [parameter.detach().clone().requires_grad_() for parameter in module.parameters()]
    inputs = (state.nodes.clone().requires_grad_(), state.background.clone().requires_grad_(), *weights)
    assert torch.autograd.gradcheck(call, inputs, fast_mode=True)


def test_how_u_starts() -> None:
    identity, normal = Affinity(settings()), Affinity(settings(u_start="kaiming", u_bias=True))
    assert torch.equal(identity.weight, torch.eye(WIDTH))
    assert identity.bias is None
    assert float(normal.weight.detach().fill_diagonal_(0).abs().max()) > 0.1
    assert normal.bias is not None
    assert not normal.bias.any()
    released = operation("temporal_convolution", settings(tc_u=True, u_start="kaiming", u_bias=True), LAYOUT)
    assert torch.equal(released.affinity.weight, torch.eye(WIDTH))  # type: ignore[union-attr, arg-type]  # never trained


def test_a_node_may_be_among_its_own_neighbours() -> None:
    """All nodes of a clip are then one more than its others."""
    layout = NodeLayout(2, 2, 3)
    module = operation("node_attention", settings(na_neighbours=4, na_self=True), layout).double()
    assert isinstance(module, NodeAttention)
    found = module.evidence(clips(1, layout))
    torch.testing.assert_close(found[..., 0], torch.ones_like(found[..., 0]))  # nothing is more like a node than itself


@pytest.mark.parametrize("name", OPERATIONS[:2])
@torch.no_grad()
def test_rows_of_attention_sum_to_one(name: str) -> None:
    module = made(name, settings())
    shares = module.attention(clips())  # type: ignore[operator]
    torch.testing.assert_close(shares.sum(dim=-1), torch.ones(2, LAYOUT.nodes, dtype=torch.float64))
    own = shares.diagonal(dim1=1, dim2=2)
    assert bool((own == 0).all()) == (name == "difference_propagation")


@torch.no_grad()
def test_background_shares_are_of_the_own_frame() -> None:
    module = BackgroundIncorporation(settings(), LAYOUT).double().eval()
    state = clips()
    shares = module.attention(state)
    torch.testing.assert_close(shares.sum(dim=-1), torch.ones(2, LAYOUT.nodes, dtype=torch.float64))
    changed = state.background.clone()
    changed[:, 5] += 1
    after = module(NodeState(state.nodes, ClipContext(changed, state.positions, BOXES)))
    same = (after == module(state)).all(dim=-1).view(2, STEPS, BOXES)
    assert bool(same[:, [0, 1, 2, 3, 4, 6, 7]].all())
    assert not bool(same[:, 5].any())


@torch.no_grad()
def test_the_nearest_node_of_the_own_frame_is_the_node_itself_among_duplicates() -> None:
    """Boxes that pad a frame are equal, and so are their cosines."""
    nodes = clips().nodes.view(2, STEPS, BOXES, WIDTH).clone()
    nodes[:, :, 1:] = nodes[:, :, :1]
    state = NodeState(nodes.flatten(1, 2), clips().context)
    index = state.nearest_by_cosine
    i = torch.arange(LAYOUT.nodes)
    assert torch.equal(index[:, i, i // BOXES], i.expand(2, -1))
    assert bool((index // BOXES == torch.arange(STEPS)).all())  # one of every frame, in order
    free = nearest(state.cosine, BOXES, own=False)
    assert not torch.equal(free[:, i, i // BOXES], i.expand(2, -1))


@pytest.mark.parametrize("name", OPERATIONS)
@torch.no_grad()
def test_boxes_of_a_frame_have_no_order(name: str) -> None:
    """Permuting the boxes of every frame permutes the output."""
    state, module = clips(), made(name, settings())
    order = torch.randperm(BOXES, generator=torch.Generator().manual_seed(3))
    rows = (torch.arange(STEPS)[:, None] * BOXES + order).flatten()
    permuted = NodeState(state.nodes[:, rows], ClipContext(state.background, state.positions[:, rows], BOXES))
    torch.testing.assert_close(module(permuted), module(state)[:, rows], rtol=0, atol=1e-12)


@pytest.mark.parametrize("name", OPERATIONS)
@torch.no_grad()
def test_an_empty_supernode_is_legal(name: str) -> None:
    """All superedges into it chose zero: finite values, and none of it depends on the clip."""
    module = made(name, settings())
    state = clips()
    found = module(state.moved(torch.zeros_like(state.nodes)))
    assert bool(found.isfinite().all())


def test_the_highest_are_in_order_and_equals_by_place() -> None:
    values = torch.randn(50, 40).mul(3).round().div(3)  # many equals, among them −0
    values[:, 7] = -torch.inf
    theirs = torch.sort(values, dim=-1, descending=True, stable=True).indices[:, :12]
    assert torch.equal(highest(values, 12), theirs)
    assert torch.equal(highest(values.double(), 12), theirs)


@torch.no_grad()
def test_temporal_convolution_clip_by_clip_and_with_gradients() -> None:
    module, state = made("temporal_convolution", settings()), clips()
    with torch.enable_grad():
        together = module(state).detach()
    torch.testing.assert_close(module(state), together, rtol=0, atol=1e-12)


@pytest.mark.parametrize("name", PAIRS)
@torch.no_grad()
def test_two_operations_side_by_side_against_loops(name: str) -> None:
    options, state = settings(), clips()
    found = stood("parallel", name, options)
    assert isinstance(found, ParallelSubstructure)
    for clip in range(2):
        x = state.nodes[clip]
        both = []
        for part, one in zip((found.first, found.second), PAIRS[name], strict=True):
            both.append(slow(one, state, clip, dict(part.named_parameters()), options))
        rows = []
        for left, right in zip(*both, strict=True):
            joined = found.join.weight @ torch.cat((left, right)) + found.join.bias
            rows.append(torch.where(joined > 0, joined, options.slope * joined))
        weights: dict[str, Tensor] = dict(found.attention.named_parameters())
        expected = reference.node_attention(torch.stack(rows), state.positions[clip], weights, options)
        assert expected.shape == x.shape
        torch.testing.assert_close(found(state)[clip], expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    ("space", "name"),
    [("original", "identity"), *(("fixed", name) for name in MAIN), *(("parallel", name) for name in PAIRS)],
)
def test_gradients_of_what_stands_on_a_superedge(space: Space, name: str) -> None:
    """Node attention sees all nodes: temporal convolution makes nodes with the same sequence equal, and which of equals
    are the most similar ones is no continuous function."""
    layout = NodeLayout(7, 2, 3)
    module = stood(space, name, settings(width=3, na="all"), layout)
    state = clips(1, layout, 3, coordinates=9)
    names = [key for key, _ in module.named_parameters()]

    def call(nodes: Tensor, background: Tensor, *weights: Tensor) -> Tensor:
        seen = NodeState(nodes, ClipContext(background, state.positions, layout.boxes))
        result: Tensor = torch.func.functional_call(module, dict(zip(names, weights, strict=True)), (seen,))
        return result

    weights = [parameter.detach().clone().requires_grad_() for parameter in module.parameters()]
    inputs = (state.nodes.clone().requires_grad_(), state.background.clone().requires_grad_(), *weights)
    assert torch.autograd.gradcheck(call, inputs, fast_mode=True)


@pytest.mark.parametrize(("first", "after"), [(a, b) for a in OPERATIONS for b in OPERATIONS if a != b])
def test_operations_on_one_supernode_do_not_take_gradients_from_each_other(first: str, after: str) -> None:
    """A supernode keeps cosines and unit vectors for all operations: whoever asks first, they have their gradients."""
    for product in ("cosine", "inner_product"):
        options = settings(tc_nearest=product, na_similarity=product)
        module, other = made(after, options), made(first, options)
        torch.testing.assert_close(_gradient(module, other), _gradient(module, None))


def _gradient(module: nn.Module, before: nn.Module | None) -> Tensor:
    state = clips()
    nodes = state.nodes.clone().requires_grad_()
    state = state.moved(nodes)
    if before is not None:
        before(state)
    module(state).pow(2).sum().backward()
    assert nodes.grad is not None
    return nodes.grad


@pytest.mark.parametrize("name", MAIN)
@torch.no_grad()
def test_a_substructure_is_its_operations_one_after_the_other_in_loops(name: str) -> None:
    options, state = settings(), clips()
    found = stood("fixed", name, options)
    assert isinstance(found, Substructure)
    for clip in range(2):
        x = slow(MAIN[name], state, clip, dict(found.main.named_parameters()), options)
        x = reference.feature_aggregation(x, dict(found.aggregation.named_parameters()), options)
        x = reference.node_attention(x, state.positions[clip], dict(found.attention.named_parameters()), options)
        torch.testing.assert_close(found(state)[clip], x, rtol=0, atol=1e-12)


def stood(space: Space, name: str, options: VideoSettings, layout: NodeLayout = LAYOUT) -> nn.Module:
    """What stands on a superedge, away from where its weights start."""
    torch.manual_seed(1)
    module = candidates(replace(options, space=space), layout)[name].double().eval()
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    return module


def test_dropout_of_identity() -> None:
    module = Identity(settings())
    state = clips()
    module.train()
    torch.manual_seed(0)
    dropped = module(state)
    share = float((dropped == 0).double().mean())
    assert 0.3 < share < 0.7
    torch.testing.assert_close(dropped[dropped != 0], 2 * state.nodes[dropped != 0])
    module.probability = 0.0
    assert torch.equal(module(state), state.nodes)
    module.probability = 0.5
    assert torch.equal(module.eval()(state), state.nodes)


def test_what_does_not_fit() -> None:
    with pytest.raises(ValueError, match="found 6 frames of features, expected at least the 7"):
        operation("temporal_convolution", settings(), NodeLayout(6, 3, 4))
    with pytest.raises(ValueError, match="na_neighbours: found 24, expected at most 23, as a clip has 24 nodes"):
        operation("node_attention", settings(na_neighbours=24), LAYOUT)
    with pytest.raises(ValueError, match="operation: found 'zero'"):
        operation("zero", settings(), LAYOUT)


def test_where_weights_start() -> None:
    """U the identity, biases 0, the others kaiming-normal (A11, A13)."""
    options = VideoSettings(width=64)
    module = operation("feature_aggregation", options, LAYOUT)
    weights = dict(module.named_parameters())
    assert torch.equal(weights["affinity.weight"], torch.eye(64))
    assert not bool(weights["transform.bias"].any())
    assert float(weights["transform.weight"].detach().std()) == pytest.approx((2 / 64) ** 0.5, rel=0.1)
    attention = dict(operation("node_attention", options, LAYOUT).named_parameters())
    assert not bool(attention["weight.bias"].any())
    assert attention["weight.weight"].shape == (1, 4 * 16)
