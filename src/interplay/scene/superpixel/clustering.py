"""Superpixel clustering: points choose a centre in each head, centres gather their points (SIL Eqs 1–3).

One region of one picture at a time, channels first. Cosines, the choice and the sums are float32, also under autocast:
in a shorter type ties would decide which superpixel a point belongs to.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn.functional import normalize

from interplay.scene.superpixel.pooling import full_precision, moments, nearest_means, pooled_cells

Similarity = Literal["sigmoid", "cosine"]
Centres = Literal["adaptive", "knn"]
Assignment = Literal["scatter", "dense"]

POINTS_AT_A_TIME = 2048
"""Points whose projections and cosines exist at once when no gradient is needed: they stay in a core's cache."""


@dataclass(frozen=True, eq=False)
class Clusters:
    """How one region fell into superpixels.

    Args:
        assignment: a^e(i), the winning centre of each point in each head; centres row by row.
        similarity: s^e_i, the similarity of point and winning centre.
        aggregate: concat_e agg^e_j, what H' of Eq. 3 is applied to.
    """

    assignment: Int[Tensor, "head point"]
    similarity: Float[Tensor, "head point"]
    aggregate: Float[Tensor, "centre width"]


class SuperpixelClustering(nn.Module):
    """Points of a map → superpixels.

    With X = GN(F), q = f(X), v = v(X) and the centres' own c = pool(q), u = pool(v), for each head e::

        s^e_ij = σ(β + α cos(q^e_i, c^e_j)),  a^e(i) = argmax_j s^e_ij,  s^e_i = s^e_{i, a(i)}
        agg^e_j = (u^e_j + Σ_{i: a(i)=j} s^e_i v^e_i) / (1 + Σ_{i: a(i)=j} s^e_i)

    f, v and pooling are linear and GN is affine once its two moments are known, so neither X nor pool(q) is ever
    formed: the norm goes into the projections' weights and the projections are applied to the pooled map.

    Args:
        channels: D, channels of the map.
        heads, head_dim: E and the channels of each.
        side: √C, centres along each side.
        similarity: "sigmoid" as above; "cosine": s = max(cos, 0), without α and β.
        centres: "adaptive": cells of an even grid, equal to adaptive average pooling; "knn": the points nearest to the
            middle of the cell.
        neighbours: points per centre of "knn"; None: round(h·w / C), at least 1.
        prenorm: GN; identity otherwise.
        positions: append (x, y) in [−½, ½] to X.
        assignment: how the form with gradients gathers: see :class:`SuperpixelSettings`.

    Shapes: map (D, h, w) → assignment and similarity (E, h·w), aggregate (C, E·head_dim).

    Where we differ: the paper clusters F itself by its cosine; projections, heads, σ, α and β are those of
    Context-Cluster, which the paper follows [spec C.1; C.2 rows 1–4, 17].
    """

    def __init__(
        self,
        channels: int,
        heads: int = 8,
        head_dim: int = 32,
        side: int = 7,
        *,
        similarity: Similarity = "sigmoid",
        centres: Centres = "adaptive",
        neighbours: int | None = None,
        prenorm: bool = True,
        positions: bool = False,
        assignment: Assignment = "scatter",
    ) -> None:
        super().__init__()
        self.heads, self.head_dim, self.side = heads, head_dim, side
        self.similarity, self.centres, self.neighbours = similarity, centres, neighbours
        self.positions, self.assignment = positions, assignment
        given = channels + 2 * positions
        self.norm = nn.GroupNorm(1, channels) if prenorm else None
        self.similarity_projection = nn.Linear(given, heads * head_dim)
        self.value_projection = nn.Linear(given, heads * head_dim)
        for projection in (self.similarity_projection, self.value_projection):
            nn.init.trunc_normal_(projection.weight, std=0.02)
            nn.init.zeros_(projection.bias)
        if similarity == "sigmoid":
            self.alpha = nn.Parameter(torch.ones(1))
            self.beta = nn.Parameter(torch.zeros(1))

    def forward(self, region: Float[Tensor, "channel h w"]) -> Clusters:
        """Cluster one region; in chunks where no gradient is needed."""
        if min(region.shape[1:]) < 1:
            raise ValueError(f"region: found {tuple(region.shape)}, expected at least one point")
        with torch.autocast(region.device.type, enabled=False):
            weight, bias = self._projections(region)
            if self.positions:
                region = torch.cat(
                    (full_precision(region), coordinates(region.shape[1], region.shape[2], region.device))
                )
            pooled = self._pooled(region)
            made = torch.addmm(bias[:, None], weight, pooled).view(2, self.heads, self.head_dim, -1)
            unit, values = normalize(made[0], dim=1), made[1]
            if torch.is_grad_enabled() and (weight.requires_grad or region.requires_grad):
                total, mass, assignment, kept = self._with_gradients(region, weight, bias, unit)
            else:
                total, mass, assignment, kept = self._streamed(region, weight, bias, unit)
            aggregate = (values + total) / (1 + mass)[:, None]
            return Clusters(assignment, kept, aggregate.flatten(0, 1).T)

    def score(self, cosine: Tensor) -> Tensor:
        """Similarity of a cosine."""
        if self.similarity == "cosine":
            return cosine.clamp_min(0)
        return torch.sigmoid(self.beta + self.alpha * cosine)

    def winners(
        self, unit: Float[Tensor, "head width centre"], points: Float[Tensor, "head width point"]
    ) -> tuple[Float[Tensor, "head point"], Int[Tensor, "head point"]]:
        """|q|·cos of the winning centre, and the centre; the first of equals. Not differentiated."""
        direction = unit.mT
        if self.similarity == "sigmoid":  # σ(β + α cos) rises or falls with cos as α says
            direction = direction * torch.sign(self.alpha)
        best, assignment = torch.bmm(direction, points).max(dim=1)
        return best * torch.sign(self.alpha) if self.similarity == "sigmoid" else best, assignment

    def _projections(self, region: Tensor) -> tuple[Float[Tensor, "two_widths given"], Float[Tensor, " two_widths"]]:
        """f and v, one above the other, with the norm inside."""
        weight = torch.cat((self.similarity_projection.weight, self.value_projection.weight))
        bias = torch.cat((self.similarity_projection.bias, self.value_projection.bias))
        if self.norm is None:
            return weight, bias
        mean, variance = moments(region)
        gain = self.norm.weight * torch.rsqrt(variance + self.norm.eps)
        shift = self.norm.bias - gain * mean
        if self.positions:
            gain, shift = torch.cat((gain, gain.new_ones(2))), torch.cat((shift, shift.new_zeros(2)))
        return weight * gain, bias + weight @ shift

    def _pooled(self, region: Tensor) -> Float[Tensor, "given centre"]:
        height, width = region.shape[1:]
        if self.centres == "adaptive":
            return pooled_cells(region, self.side)
        count = self.neighbours or max(round(height * width / self.side**2), 1)
        return nearest_means(region, self.side, min(count, height * width))

    def _with_gradients(self, region: Tensor, weight: Tensor, bias: Tensor, unit: Tensor) -> tuple[Tensor, ...]:
        """Sums over each centre's points, their similarities' mass, winners and similarities; differentiable.

        Only the winning cosine is computed with gradients: memory heads·M·head_dim.
        """
        points = full_precision(region).flatten(1)
        made = torch.addmm(bias[:, None], weight, points).view(2, self.heads, self.head_dim, -1)
        query, value = made[0], made[1]
        with torch.no_grad():
            step = max(POINTS_AT_A_TIME, points.shape[1] // 16)
            assignment = torch.cat([self.winners(unit, part)[1] for part in torch.split(query, step, dim=2)], dim=1)
        if self.assignment == "dense":
            cosine = torch.bmm(unit.mT, normalize(query, dim=1))
            mask = torch.zeros_like(cosine).scatter_(1, assignment[:, None], 1.0)
            similarity = self.score(cosine) * mask
            return torch.bmm(value, similarity.mT), similarity.sum(2), assignment, similarity.sum(1)
        index = assignment[:, None].expand(-1, self.head_dim, -1)
        length = torch.linalg.vector_norm(query, dim=1).clamp_min(1e-12)
        kept = self.score((query * unit.gather(2, index)).sum(1) / length)
        total = torch.zeros_like(unit).scatter_add(2, index, value * kept[:, None])
        mass = kept.new_zeros(self.heads, unit.shape[2]).scatter_add(1, assignment, kept)
        return total, mass, assignment, kept

    def _streamed(self, region: Tensor, weight: Tensor, bias: Tensor, unit: Tensor) -> tuple[Tensor, ...]:
        """The same without gradients, a few rows of the map at a time."""
        total, mass, assignments, kept = torch.zeros_like(unit), unit.new_zeros(self.heads, unit.shape[2]), [], []
        for rows in row_chunks(region):
            points = full_precision(region[:, rows]).flatten(1)
            made = torch.addmm(bias[:, None], weight, points).view(2, self.heads, self.head_dim, -1)
            best, assignment = self.winners(unit, made[0])
            length = made[0].square().sum(1).sqrt_().clamp_min_(1e-12)
            similarity = self.score(best / length)
            sparse = spread(assignment, similarity, unit.shape[2])
            total += torch.bmm(made[1], sparse.mT)
            mass += sparse.sum(2)
            assignments.append(assignment)
            kept.append(similarity)
        return total, mass, torch.cat(assignments, dim=1), torch.cat(kept, dim=1)


def spread(
    assignment: Int[Tensor, "head point"], similarity: Float[Tensor, "head point"], centres: int
) -> Float[Tensor, "head centre point"]:
    """The masked similarity matrix: zero but at each point's winner."""
    heads, points = assignment.shape
    return similarity.new_zeros(heads, centres, points).scatter_(1, assignment[:, None], similarity[:, None])


def row_chunks(region: Float[Tensor, "channel h w"]) -> list[slice]:
    """Rows of a map in pieces of about :data:`POINTS_AT_A_TIME` points; sixteen times that off the CPU."""
    height, width = region.shape[1:]
    points = POINTS_AT_A_TIME if region.device.type == "cpu" else 16 * POINTS_AT_A_TIME
    step = max(points // width, 1)
    return [slice(start, min(start + step, height)) for start in range(0, height, step)]


def coordinates(height: int, width: int, device: torch.device | None = None) -> Float[Tensor, "2 h w"]:
    """x and y of each point, from −½ to ½ over the map."""
    x = torch.linspace(-0.5, 0.5, width, device=device) if width > 1 else torch.zeros(1, device=device)
    y = torch.linspace(-0.5, 0.5, height, device=device) if height > 1 else torch.zeros(1, device=device)
    return torch.stack((x.expand(height, width), y[:, None].expand(height, width)))


def dispatched(
    clusters: Clusters, table: Float[Tensor, "head width centre"], assignment: Assignment = "scatter"
) -> Float[Tensor, "channels point"]:
    """concat_e s^e_i h^e_{a^e(i)} of every point (Eq. 9 without its residual), differentiable."""
    if assignment == "dense":
        mask = spread(clusters.assignment, torch.ones_like(clusters.similarity), table.shape[2])
        return torch.bmm(table, mask * clusters.similarity[:, None]).flatten(0, 1)
    index = clusters.assignment[:, None].expand(-1, table.shape[1], -1)
    return (table.gather(2, index) * clusters.similarity[:, None]).flatten(0, 1)
