"""Several trained recognisers as one: streams or seeds that were trained apart, their probabilities averaged."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from interplay.errors import InterplayError
from interplay.skeleton.recogniser import SkeletonRecogniser


def combine(recognisers: Sequence[SkeletonRecogniser], **changes: Any) -> SkeletonRecogniser:
    """One recogniser that holds the networks of all, in order (late fusion of streams).

    Args:
        recognisers: with the same classes, joints and input settings.
        changes: config values that replace those of the first (``name``, ``data``, ``domain``, ``unknown_threshold``).

    Raises:
        InterplayError: none given, or two that do not belong together.
    """
    if not recognisers:
        raise InterplayError("combine: found no model, expected at least one")
    first = recognisers[0]
    for other in recognisers[1:]:
        for what in ("classes", "layout", "settings"):
            if getattr(other, what) != getattr(first, what):
                raise InterplayError(f"combine: {first.name} and {other.name} differ in their {what}")
    configs = [each.config() for each in recognisers]
    networks = [network for config in configs for network in config["networks"]]
    made = SkeletonRecogniser(**{**configs[0], "networks": networks, **changes})
    trained = [network for each in recognisers for network in each.networks]
    for target, source in zip(made.networks, trained, strict=True):
        target.load_state_dict(source.state_dict())
    return made.eval()
