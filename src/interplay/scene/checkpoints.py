"""Weights of others: reading foreign checkpoints, and renaming what they hold (spec F)."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from interplay.data.errors import DataError

Rules = tuple[tuple[str, str], ...]
"""Pattern of a foreign name → our name; ``{K}`` in the result is K − 1, for names that count from 1."""
SHOWN = 4
"""Names spelt out in an error; of the others only their number."""


def read_checkpoint(path: Path | str) -> dict[str, Tensor]:
    """Tensors of a ``.pth`` file, under ``model`` where it has that; a ``module.`` before every name is cut off.

    Only tensors are unpickled (``weights_only=True``).

    Raises:
        DataError: no such file, not a checkpoint, or one that holds more than tensors.
    """
    try:
        content: Any = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise DataError(path, "", "no such file", "a checkpoint") from None
    except Exception as error:  # whatever a foreign file provokes
        found = (str(error).splitlines() or [type(error).__name__])[0][:200]
        raise DataError(path, "", found, "a checkpoint that holds only tensors") from None
    state = content.get("model", content) if isinstance(content, Mapping) else content
    if not isinstance(state, Mapping) or not all(isinstance(value, Tensor) for value in state.values()):
        raise DataError(path, "model", type(state).__name__, "named tensors")
    return without_module({str(name): value for name, value in state.items()})


def without_module(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Names without the ``module.`` that distributed training puts before all of them."""
    prefixed = bool(state) and all(name.startswith("module.") for name in state)
    return {name.removeprefix("module.") if prefixed else name: value for name, value in state.items()}


def renamed(state: Mapping[str, Tensor], rules: Rules) -> tuple[dict[str, Tensor], list[str]]:
    """Tensors under our names, and the names that no rule knows. Counters of batches are left out."""
    found, unexpected = {}, []
    for name, value in state.items():
        if name.endswith("num_batches_tracked"):
            continue
        match = next(((match, ours) for theirs, ours in rules if (match := re.fullmatch(theirs, name))), None)
        if match is None:
            unexpected.append(name)
            continue
        ours = match[0].expand(match[1])
        found[re.sub(r"\{(\d)\}", lambda number: str(int(number[1]) - 1), ours)] = value
    return found, unexpected


def load_renamed(
    module: nn.Module,
    found: Mapping[str, Tensor],
    unexpected: Collection[str],
    source: str,
    expected: str,
    kept: Collection[str] = (),
) -> None:
    """Load all of a module or nothing.

    Args:
        found: tensors under our names.
        unexpected: foreign names that have no place here.
        source: file or name of the weights, for errors.
        expected: what the names should have been those of, for errors.
        kept: our names that may stay as they are.

    Raises:
        DataError: names are missing or left over, or shapes differ.
    """
    ours = module.state_dict()
    needed = [name for name in ours if name not in kept and not name.endswith("num_batches_tracked")]
    missing = [name for name in needed if name not in found]
    left = [*unexpected, *(name for name in found if name not in ours)]
    problems = [f"{what} {_named(names)}" for what, names in (("missing", missing), ("unexpected", left)) if names]
    if problems:
        raise DataError(source, "", "; ".join(problems), expected)
    for name, value in found.items():
        if value.shape != ours[name].shape:
            raise DataError(source, name, f"shape {tuple(value.shape)}", f"{tuple(ours[name].shape)}")
    module.load_state_dict(dict(found), strict=False)


def _named(names: list[str]) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more
