"""The SIL plug-in: maps and boxes in, maps of the same shapes with superpixel-level interaction out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn.functional import adaptive_avg_pool2d, interpolate, pad

from interplay.scene.superpixel.level import SuperpixelBlock
from interplay.scene.superpixel.references import Size, assigned_box_means, box_means, valid_extent
from interplay.scene.superpixel.settings import SuperpixelSettings

TORCHVISION_STRIDES: Mapping[str, int] = {"0": 4, "1": 8, "2": 16, "3": 32}
"""Keys and strides of P2 to P5 in torchvision's feature pyramids; "pool" (P6) serves proposals only."""


class SuperpixelInteraction(nn.Module):
    """The plug-in between a detector with a feature pyramid and a relation head (SIL sections 3.2 to 3.5).

    Args:
        channels: D, channels of every map (3 for pictures).
        settings: the options; the defaults are the paper's full model.
        strides: which keys of the pyramid are maps for regions, and pixels per point of each: a power of two each.
            {"image": 1} where ``settings.on`` is "image".
        canonical_side: √area of a box whose reference is read from P4; the detector's own, smaller for small pictures.

    Shapes: {key: (B, D, h, w)} → the same; other keys ("pool") are passed through.

    Example:
        >>> sil = SuperpixelInteraction()
        >>> sil(detector.backbone(pictures), [boxes], [(600, 1000)])  # doctest: +SKIP
    """

    def __init__(
        self,
        channels: int = 256,
        settings: SuperpixelSettings | None = None,
        strides: Mapping[str, int] = TORCHVISION_STRIDES,
        canonical_side: float = 224.0,
    ) -> None:
        super().__init__()
        self.settings = settings = SuperpixelSettings() if settings is None else settings
        if settings.on == "image":
            strides = {"image": 1}
        if any(stride < 1 or stride & (stride - 1) for stride in strides.values()):
            raise ValueError(f"strides: found {dict(strides)}, expected powers of two")
        by_level = {stride.bit_length() - 1: key for key, stride in strides.items()}
        missing = [level for level in settings.chosen_levels if level not in by_level]
        if missing:
            raise ValueError(f"levels: found {missing} without a map of that stride among {dict(strides)}")
        self.channels, self.strides, self.canonical_side = channels, dict(strides), canonical_side
        self.keys = tuple(by_level[level] for level in settings.chosen_levels)
        if settings.share and len(set(settings.folds)) > 1:
            raise ValueError(f"fold: found {settings.folds}, expected one number where levels share their blocks")
        folds = dict(zip(self.keys, settings.folds, strict=True))
        owners = ("shared",) if settings.share else self.keys
        self.blocks = nn.ModuleDict(
            {
                name: nn.ModuleList(
                    SuperpixelBlock(channels, settings, folds.get(name, settings.folds[0]))
                    for _ in range(settings.blocks_per_level)
                )
                for name in owners
            }
        )

    def forward(
        self,
        features: Mapping[str, Float[Tensor, "image channel _h _w"]],
        boxes: Sequence[Float[Tensor, "_box 4"]],
        sizes: Sequence[Size],
        references: Sequence[Float[Tensor, "_box reference"]] | None = None,
    ) -> dict[str, Tensor]:
        """Maps with superpixel-level interaction.

        Args:
            features: maps of a batch padded on the right and below.
            boxes: of each picture, x1, y1, x2, y2 in pixels of the resized picture.
            sizes: height and width of each resized picture, without padding.
            references: of each picture, features of its boxes (``gk`` "fc7"); None where the block pools its own.

        Raises:
            ValueError: lengths, shapes or keys do not fit each other.
        """
        return self._run(features, boxes, sizes, references, None)

    @torch.no_grad()
    def superpixels(
        self,
        features: Mapping[str, Float[Tensor, "image channel _h _w"]],
        boxes: Sequence[Float[Tensor, "_box 4"]],
        sizes: Sequence[Size],
        references: Sequence[Float[Tensor, "_box reference"]] | None = None,
    ) -> dict[str, list[Int[Tensor, "head _h _w"]]]:
        """Which superpixel each point of each picture belongs to, per level and head: last block, valid region."""
        record: dict[str, list[Tensor]] = {}
        self._run(features, boxes, sizes, references, record)
        return record

    def _run(
        self,
        features: Mapping[str, Tensor],
        boxes: Sequence[Tensor],
        sizes: Sequence[Size],
        references: Sequence[Tensor] | None,
        record: dict[str, list[Tensor]] | None,
    ) -> dict[str, Tensor]:
        sizes = [(int(height), int(width)) for height, width in sizes]
        self._check(features, boxes, sizes, references)
        if not self.settings.per_image:
            key = self.keys[0]
            height, width = features[key].shape[2:]
            sizes = [(height * self.strides[key], width * self.strides[key])] * len(sizes)
        given = self._references(features, boxes, sizes, references)
        filled, present = _filled([own.float() for own in boxes])
        output = dict(features)
        order = self.keys[::-1] if self.settings.coupling == "top_down" else self.keys
        previous: str | None = None
        for key in order:
            stack = self.blocks["shared" if self.settings.share else key]
            assert isinstance(stack, nn.ModuleList)
            sent = None
            if self.settings.coupling != "none" and previous is not None:
                sent = self._sent(output[previous], previous, features[key], key, sizes)
            for number, block in enumerate(stack):
                kept = record.setdefault(key, []) if record is not None and number == len(stack) - 1 else None
                current = output[key]
                clustered = current if sent is None else current + sent
                output[key] = block(
                    current, clustered, filled, present, given[key], sizes, self.strides[key], kept
                )  # fmt: skip
            previous = key
        return output

    def _sent(self, source: Tensor, source_key: str, target: Tensor, key: str, sizes: Sequence[Size]) -> Tensor:
        """A neighbouring level brought to the points of this one, picture by picture; 0 in the padding."""
        height, width = target.shape[2:]
        made = []
        for image, size in enumerate(sizes):
            rows, columns = valid_extent(size, self.strides[source_key])
            extent = valid_extent(size, self.strides[key])
            region = source[image : image + 1, :, :rows, :columns]
            if self.settings.coupling == "top_down":
                region = interpolate(region, size=extent, mode="nearest")
            else:
                region = adaptive_avg_pool2d(region, extent)
            made.append(pad(region[0], (0, width - extent[1], 0, height - extent[0])))
        return torch.stack(made)

    def _references(
        self,
        features: Mapping[str, Tensor],
        boxes: Sequence[Tensor],
        sizes: Sequence[Size],
        references: Sequence[Tensor] | None,
    ) -> dict[str, Tensor]:
        """g of every level, (B, N, ·)."""
        if not self.settings.iei:
            return {key: _filled([own.new_zeros(len(own), 1) for own in boxes])[0] for key in self.keys}
        if self.settings.gk == "fc7":
            assert references is not None
            return dict.fromkeys(self.keys, _filled(list(references))[0])
        if self.settings.gk_level == "assigned":
            means = assigned_box_means(features, boxes, sizes, self.strides, self.canonical_side)
            return dict.fromkeys(self.keys, _filled(means)[0])
        made = {}
        for key in self.keys:
            extents = [valid_extent(size, self.strides[key]) for size in sizes]
            made[key] = _filled(box_means(features[key], boxes, extents, self.strides[key]))[0]
        return made

    def _check(
        self,
        features: Mapping[str, Tensor],
        boxes: Sequence[Tensor],
        sizes: Sequence[Size],
        references: Sequence[Tensor] | None,
    ) -> None:
        absent = [key for key in self.strides if key not in features]
        if absent:
            raise ValueError(f"features: found keys {list(features)}, expected {absent} as well")
        for key, stride in self.strides.items():
            images, channels, height, width = features[key].shape
            if channels != self.channels or not images == len(boxes) == len(sizes):
                raise ValueError(
                    f"features[{key!r}]: found {images} images of {channels} channels with {len(boxes)} lists of boxes "
                    f"and {len(sizes)} sizes, expected {self.channels} channels and equal numbers"
                )
            for image, size in enumerate(sizes):
                rows, columns = valid_extent(size, stride)
                if not (1 <= rows <= height and 1 <= columns <= width):
                    raise ValueError(
                        f"sizes[{image}]: found a picture of {size[0]}×{size[1]} pixels, expected one that the map "
                        f"{key!r} of {height}×{width} points and stride {stride} covers"
                    )
        if self.settings.iei and self.settings.gk == "fc7":
            found = None if references is None else [tuple(own.shape) for own in references]
            expected = [(len(own), self.settings.gk_width) for own in boxes]
            if found != expected:
                raise ValueError(f"references: found shapes {found}, expected {expected} (gk: fc7)")


def _filled(rows: Sequence[Tensor]) -> tuple[Tensor, Bool[Tensor, "image row"]]:
    """Lists of rows as one tensor filled up with zeros, and which rows are real."""
    present = [torch.ones(len(own), dtype=torch.bool, device=own.device) for own in rows]
    return (
        nn.utils.rnn.pad_sequence(list(rows), batch_first=True),
        nn.utils.rnn.pad_sequence(present, batch_first=True),
    )
