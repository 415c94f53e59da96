"""Naive forms of the equations, one loop per index, in float64; and networks that are not at their start values."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from interplay.skeleton.graph_convolution import MutualExcitationGraphConvolution
from interplay.skeleton.mutual_topology import MutualTopologyExcitation


@torch.no_grad()
def randomised(network: nn.Module, scale: float = 1.0) -> nn.Module:
    """Weights of a sensible size everywhere, also where they start at zero; running statistics too."""
    for name, parameter in network.named_parameters():
        if name.endswith(("bn.weight",)):
            parameter.uniform_(0.5, 1.5)
        elif "fusion.weight" in name or name.endswith("alpha"):
            parameter.uniform_(-0.8, 0.8)
        elif parameter.ndim > 1 and not name.endswith("adjacency"):
            parameter.normal_(
                0, scale / math.sqrt(parameter[0].numel() if parameter.ndim == 2 else parameter[0, 0].numel())
            )
        else:
            parameter.add_(0.2 * torch.randn_like(parameter))
    for name, buffer in network.named_buffers():
        if name.endswith("running_mean"):
            buffer.normal_(0, 0.3)
        elif name.endswith("running_var"):
            buffer.uniform_(0.5, 1.5)
    return network


def linear(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """1×1 convolution of (channel, …) by loops over output and input channels."""
    rows = []
    for o in range(weight.shape[0]):
        total = bias[o] + torch.zeros_like(x[0])
        for i in range(weight.shape[1]):
            total = total + weight[o, i] * x[i]
        rows.append(total)
    return torch.stack(rows)


def naive_relation_maps(topology: MutualTopologyExcitation, x: Tensor, s: int) -> tuple[list[Tensor], Tensor]:
    """V_R, V_L (C', V, V) and V_RL of one clip (2, Cin, V, T) and subset, element by element: Eq. 3."""
    psi, phi = topology.generation.psi, topology.generation.phi
    joints = x.shape[2]
    pooled = []
    for entity in x:
        p = linear(entity, psi.weight[s], psi.bias[s])
        q = linear(entity, phi.weight[s], phi.bias[s])
        frames = p.shape[-1]
        pooled.append((sum(p[..., t] for t in range(frames)) / frames, sum(q[..., t] for t in range(frames)) / frames))
    channels = pooled[0][0].shape[0]
    individual = []
    for p, q in pooled:
        v = torch.zeros(channels, joints, joints, dtype=x.dtype)
        for c in range(channels):
            for i in range(joints):
                for j in range(joints):
                    v[c, i, j] = torch.tanh(p[c, i] - q[c, j])
        individual.append(v)
    shared = torch.zeros(channels, joints, joints, dtype=x.dtype)
    if len(pooled) == 2:
        (pr, qr), (pl, ql) = pooled
        for c in range(channels):
            for i in range(joints):
                for j in range(joints):
                    shared[c, i, j] = torch.tanh((pr[c, i] + qr[c, i]) / 2 - (pl[c, j] + ql[c, j]) / 2)
    return individual, shared


def naive_fusion(individual: Tensor, shared: Tensor, weight: Tensor) -> Tensor:
    """Eqs. 4 and 5, element by element."""
    made = individual.clone()
    flat, other = made.reshape(-1), shared.reshape(-1)
    for n in range(flat.numel()):
        flat[n] = flat[n] + weight * other[n]
    return made


def weight_of(fusion: nn.Module | None, s: int, entity: int) -> Tensor:
    if fusion is None:
        return torch.zeros((), dtype=torch.float64)
    return fusion.weight[s, entity if fusion.weight.shape[1] == 2 else 0]


def naive_topology(topology: MutualTopologyExcitation, x: Tensor, s: int) -> list[Tensor]:
    """A_R and A_L (Cout, V, V) of one clip and subset."""
    individual, shared = naive_relation_maps(topology, x, s)
    static = topology.adjacency[s]
    if topology.normalise_columns:
        static = torch.stack([column / ((column**2).sum().sqrt() + 1e-4) for column in static.unbind(1)], dim=1)
    made = []
    for entity, v in enumerate(individual):
        common = -shared.transpose(1, 2) if entity == 1 and topology.mutual == "directed" else shared
        fused = naive_fusion(v, common, weight_of(topology.fusion, s, entity))
        lifted = linear(fused, topology.xi.weight[s], topology.xi.bias[s])
        if topology.alpha_on == "dynamic":
            made.append(topology.alpha * lifted + static)
        else:
            made.append(lifted + topology.alpha * static)
    return made


def naive_features(unit: MutualExcitationGraphConvolution, x: Tensor, s: int) -> list[Tensor]:
    """F̃_R and F̃_L (Cout, V, T) of one clip and subset."""
    feature = unit.feature
    plain = [linear(entity, feature.omega.weight[s], feature.omega.bias[s]) for entity in x]
    if feature.fusion is None:
        return plain
    shared = (plain[0] + plain[1]) / 2
    own = plain
    if feature.kappa is not None:
        own = [linear(entity, feature.kappa.weight[s], feature.kappa.bias[s]) for entity in plain]
    return [own[m] + weight_of(feature.fusion, s, m) * shared for m in range(2)]


def naive_aggregate(unit: MutualExcitationGraphConvolution, x: Tensor) -> Tensor:
    """Σ_s of Eq. 1 for clips (B, M, Cin, V, T), one sum per output element: (B·M, Cout, V, T)."""
    rows = []
    for clip in x:
        totals = [0.0] * len(clip)
        for s in range(unit.topology.adjacency.shape[0]):
            features, adjacency = naive_features(unit, clip, s), naive_topology(unit.topology, clip, s)
            for m, (f, a) in enumerate(zip(features, adjacency, strict=True)):
                out = torch.zeros_like(f)
                joints = f.shape[1]
                for e in range(joints):
                    for d in range(joints):
                        edge = a[:, d, e] if unit.contraction == "first" else a[:, e, d]
                        out[:, e] += edge[:, None] * f[:, d]
                totals[m] = totals[m] + out
        rows.extend(totals)
    return torch.stack(rows)


def naive_batch_norm(bn: nn.BatchNorm2d, x: Tensor, training: bool) -> Tensor:
    """(rows, C, V, T)"""
    made = torch.empty_like(x)
    for c in range(x.shape[1]):
        values = x[:, c]
        mean, variance = (
            (values.mean(), ((values - values.mean()) ** 2).mean())
            if training
            else (
                bn.running_mean[c],
                bn.running_var[c],
            )
        )
        made[:, c] = (values - mean) / torch.sqrt(variance + bn.eps) * bn.weight[c] + bn.bias[c]
    return made
