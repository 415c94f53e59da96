"""The SIL block on one level of a pyramid: cluster, interact, give back to the points."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn.functional import pad

from interplay.scene.superpixel.clustering import Clusters, SuperpixelClustering, dispatched, row_chunks, spread
from interplay.scene.superpixel.cross_entity import CrossEntityInteraction
from interplay.scene.superpixel.intra_entity import IntraEntityInteraction
from interplay.scene.superpixel.references import Size, valid_extent
from interplay.scene.superpixel.settings import SuperpixelSettings

Window = tuple[slice, slice]

IMAGE_HEAD_DIM = 32
"""Channels of a head on pictures, whose three colours cannot be shared out among heads (spec C.2 row 3)."""


def windows(extent: Size, fold: int) -> list[Window]:
    """The fold × fold parts of a map, row by row; none empty, none overlapping."""
    rows, columns = (
        [slice(part * length // parts, (part + 1) * length // parts) for part in range(parts)]
        for length, parts in ((extent[0], min(fold, extent[0])), (extent[1], min(fold, extent[1])))
    )
    return [(row, column) for row in rows for column in columns]


def window_centres(window: Window, size: Size, stride: int, side: int) -> Float[Tensor, "centre 2"]:
    """T: x and y, in pixels, of the middles of side × side cells of a window; the picture's edge ends the last cell."""
    (top, bottom), (left, right) = (
        (float(part.start * stride), float(min(part.stop * stride, length)))
        for part, length in zip(window, size, strict=True)
    )
    steps = (torch.arange(side, dtype=torch.float32) + 0.5) / side
    y, x = top + steps * (bottom - top), left + steps * (right - left)
    return torch.stack((x.repeat(side), y.repeat_interleave(side)), dim=1)


class SuperpixelBlock(nn.Module):
    """One block on one level::

        F^SC = H'(agg);  F^IN = IEI(F^SC, g, b);  F^CR = CEI(F^IN)
        F^SIL_i = F_i + γ ∘ concat_e s^e_i H''(F^CR)^e_{a^e(i)}                                         (Eq. 9)

    Args:
        channels: D of the map.
        settings: the block's options.
        fold: windows per side.

    Shapes: map (B, D, h, w) → (B, D, h, w); points outside a picture's valid region come back as they went in.

    Where we differ: Eq. 9 has no γ; it starts at 0.01 so that the relation head first sees the detector's own features,
    which its layers were copied for [spec C.2 rows 15 and 16].
    """

    def __init__(self, channels: int, settings: SuperpixelSettings, fold: int = 1) -> None:
        super().__init__()
        on_image = settings.on == "image"
        head_dim = settings.head_dim or (IMAGE_HEAD_DIM if on_image else channels // settings.heads)
        width = settings.heads * head_dim
        if settings.head_dim is None and not on_image and width != channels:
            raise ValueError(f"heads: found {settings.heads}, expected a divisor of {channels} channels, or head_dim")
        self.settings, self.fold = settings, fold
        self.clustering = SuperpixelClustering(
            channels,
            settings.heads,
            head_dim,
            settings.side,
            similarity=settings.sim,
            centres=settings.centers,
            neighbours=settings.neighbours,
            prenorm=settings.prenorm,
            positions=settings.positions,
            assignment=settings.assignment,
        )
        hidden = settings.mlp_hidden
        self.transform = nn.Sequential(nn.Linear(width, hidden), nn.GELU(), nn.Linear(hidden, width))
        self.intra_entity: IntraEntityInteraction | None = None
        if settings.iei:
            self.intra_entity = IntraEntityInteraction(
                width,
                channels if settings.gk == "roi_avg" else settings.gk_width,
                weight=settings.iei_weight,
                denominator=settings.iei_denominator,
                form=settings.iei_form,
                empty=settings.iei_empty,
                overlap=settings.iei_overlap,
                mlp=settings.iei_mlp,
            )
        self.cross_entity: CrossEntityInteraction | None = None
        if settings.cei_layers:
            self.cross_entity = CrossEntityInteraction(
                width,
                settings.cei_layers,
                settings.cei_heads,
                settings.cei_ffn,
                settings.cei_dropout,
                norm_first=settings.cei_norm_first,
                positions=settings.cei_pos,
            )
        before = settings.dispatch == "pre"
        self.to_points = nn.Linear(width, width) if before else None
        self.back = nn.Linear(width, channels) if not before or width != channels else None
        start = settings.layer_scale_init
        self.layer_scale = None if start is None else nn.Parameter(torch.full((channels,), start))

    def forward(
        self,
        features: Float[Tensor, "image channel h w"],
        clustered: Float[Tensor, "image channel h w"],
        boxes: Float[Tensor, "image box 4"],
        present: Bool[Tensor, "image box"],
        references: Float[Tensor, "image box reference"],
        sizes: Sequence[Size],
        stride: int,
        record: list[Int[Tensor, "head _h _w"]] | None = None,
    ) -> Float[Tensor, "image channel h w"]:
        """Apply the block.

        Args:
            features: F, which the result is added to.
            clustered: what is clustered: F, or F with what a neighbouring level sends.
            boxes, present: boxes in pixels, filled up to the same number per image.
            references: g.
            sizes: height and width of each resized picture.
            stride: pixels per point.
            record: where to leave the assignment of each picture's points (centres of all windows in one numbering).
        """
        side = self.clustering.side
        found: list[list[Clusters]] = []
        parts = [windows(valid_extent(size, stride), self.fold) for size in sizes]
        if len({len(part) for part in parts}) != 1:
            raise ValueError(f"fold: found maps smaller than {self.fold} windows a side beside larger ones")
        for image, own in enumerate(parts):
            found.append([self.clustering(clustered[image, :, rows, columns]) for rows, columns in own])
            if record is not None:
                record.append(_assignment_map(own, found[image], side**2))
        superpixels = self.transform(torch.stack([torch.cat([part.aggregate for part in own]) for own in found]))
        centres = torch.stack(
            [
                torch.cat([window_centres(part, size, stride, side) for part in own])
                for own, size in zip(parts, sizes, strict=True)
            ]
        ).to(boxes)
        extents = boxes.new_tensor(sizes)
        if self.intra_entity is not None:
            superpixels = self.intra_entity(superpixels, references, centres, boxes, present, extents)
        if self.cross_entity is not None:
            superpixels = self.cross_entity(superpixels, centres, extents)
        if self.to_points is not None:
            superpixels = self.to_points(superpixels)
        return self._add(features, parts, found, superpixels.float())

    def _add(
        self, features: Tensor, parts: list[list[Window]], found: list[list[Clusters]], superpixels: Tensor
    ) -> Tensor:
        """F + γ ∘ what each point gets from its superpixels."""
        heads, centres = self.clustering.heads, self.clustering.side**2
        # (B, windows, E, head_dim, C)
        tables = superpixels.view(len(parts), -1, centres, heads, superpixels.shape[2] // heads).permute(0, 1, 3, 4, 2)
        scale = self.layer_scale
        if self.back is None and scale is not None:
            tables = tables * scale.view(heads, -1, 1)
            scale = None
        with torch.autocast(features.device.type, enabled=False):
            if torch.is_grad_enabled() and (features.requires_grad or tables.requires_grad):
                made = [
                    _assembled(features[image], own, [
                        self._projected(dispatched(cluster, table, self.settings.assignment), scale)
                        for cluster, table in zip(found[image], tables[image], strict=True)
                    ])
                    for image, own in enumerate(parts)
                ]  # fmt: skip
                return features + torch.stack(made).to(features.dtype)
            output = features.clone(memory_format=torch.contiguous_format)
            for image, own in enumerate(parts):
                for (rows, columns), cluster, table in zip(own, found[image], tables[image], strict=True):
                    self._stream(output[image, :, rows, columns], cluster, table.contiguous(), scale)
            return output

    def _projected(self, points: Float[Tensor, "width point"], scale: Tensor | None) -> Float[Tensor, "channel point"]:
        """The 1×1 projection and γ where they could not be applied before the dispatch."""
        if self.back is not None:
            points = torch.addmm(self.back.bias[:, None], self.back.weight, points)
        return points if scale is None else points * scale[:, None]

    def _stream(self, region: Tensor, cluster: Clusters, table: Tensor, scale: Tensor | None) -> None:
        """Add to a region in place, a few rows at a time."""
        width = region.shape[2]
        for rows in row_chunks(region):
            points = slice(rows.start * width, rows.stop * width)
            sparse = spread(cluster.assignment[:, points], cluster.similarity[:, points], table.shape[2])
            sent = self._projected(torch.bmm(table, sparse).flatten(0, 1), scale)
            region[:, rows] += sent.view(len(region), -1, width).to(region.dtype)


def _assignment_map(parts: list[Window], found: list[Clusters], centres: int) -> Int[Tensor, "head h w"]:
    rows, columns = parts[-1][0].stop, parts[-1][1].stop
    made = found[0].assignment.new_zeros(len(found[0].assignment), rows, columns)
    for index, ((row, column), own) in enumerate(zip(parts, found, strict=True)):
        shape = (row.stop - row.start, column.stop - column.start)
        made[:, row, column] = own.assignment.view(-1, *shape) + index * centres
    return made


def _assembled(like: Tensor, parts: list[Window], sent: list[Tensor]) -> Float[Tensor, "channel h w"]:
    """What the points of all windows of one picture get, 0 in the padding."""
    height, width = like.shape[1:]
    rows, columns = parts[-1][0].stop, parts[-1][1].stop
    pieces = [
        piece.view(len(piece), row.stop - row.start, column.stop - column.start)
        for piece, (row, column) in zip(sent, parts, strict=True)
    ]
    across = len({column.start for _, column in parts})
    lines = [torch.cat(pieces[start : start + across], dim=2) for start in range(0, len(pieces), across)]
    return pad(torch.cat(lines, dim=1), (0, width - columns, 0, height - rows))
