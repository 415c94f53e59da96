"""From the names in the reference archives to those of the public CTR-GCN code, which the converter reads.

One block has ``gc/…``, ``tc/…`` and ``outer_residual/…`` (the last where there is one); see ``README.md`` here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

Arrays = Mapping[str, np.ndarray]
SUBSETS = ("subset_self", "subset_inward", "subset_outward")
BATCH_NORM = ("weight", "bias", "running_mean", "running_var")


def tensor(value: np.ndarray) -> Tensor:
    return torch.from_numpy(np.array(value))


def batch_norm(weights: Arrays, name: str, public: str) -> dict[str, Tensor]:
    return {f"{public}.{part}": tensor(weights[f"{name}_{part}"]) for part in BATCH_NORM}


def convolution(weights: Arrays, name: str, public: str) -> dict[str, Tensor]:
    return {f"{public}.{part}": tensor(weights[f"{name}_{part}"]) for part in ("weight", "bias")}


def public_unit(weights: Arrays, prefix: str = "") -> dict[str, Tensor]:
    """``unit_gcn`` from the keys of one unit."""
    made = {f"{prefix}PA": tensor(weights["adjacency"]), f"{prefix}alpha": tensor(weights["alpha"])}
    for index, subset in enumerate(SUBSETS):
        for number, name in ((1, "psi"), (2, "phi"), (3, "omega"), (4, "xi")):
            made |= convolution(weights, f"{subset}/{name}", f"{prefix}convs.{index}.conv{number}")
    made |= batch_norm(weights, "bn", f"{prefix}bn")
    if "inner_residual_conv_weight" in weights:
        made |= convolution(weights, "inner_residual_conv", f"{prefix}down.0")
        made |= batch_norm(weights, "inner_residual_bn", f"{prefix}down.1")
    return made


def public_temporal(weights: Arrays, prefix: str = "") -> dict[str, Tensor]:
    """``MultiScale_TemporalConv`` from the keys of one block's ``tc``."""
    made: dict[str, Tensor] = {}
    for index, name in enumerate(("k5_dilation1", "k5_dilation2", "maxpool")):
        made |= convolution(weights, f"{name}/reduce_conv", f"{prefix}branches.{index}.0")
        made |= batch_norm(weights, f"{name}/reduce_bn", f"{prefix}branches.{index}.1")
        if name == "maxpool":
            made |= batch_norm(weights, f"{name}/pool_bn", f"{prefix}branches.{index}.4")
        else:
            made |= convolution(weights, f"{name}/temporal_conv", f"{prefix}branches.{index}.3.conv")
            made |= batch_norm(weights, f"{name}/temporal_bn", f"{prefix}branches.{index}.3.bn")
    made |= convolution(weights, "pointwise/conv", f"{prefix}branches.3.0")
    return made | batch_norm(weights, "pointwise/bn", f"{prefix}branches.3.1")


def public_block(weights: Arrays, prefix: str = "") -> dict[str, Tensor]:
    """``TCN_GCN_unit`` from the keys of one block."""
    made = public_unit(part(weights, "gc/"), f"{prefix}gcn1.")
    made |= public_temporal(part(weights, "tc/"), f"{prefix}tcn1.")
    if "outer_residual/conv_weight" in weights:
        made |= convolution(weights, "outer_residual/conv", f"{prefix}residual.conv")
        made |= batch_norm(weights, "outer_residual/bn", f"{prefix}residual.bn")
    return made


def part(weights: Arrays, prefix: str) -> dict[str, np.ndarray]:
    """The keys under a prefix, without it."""
    return {key.removeprefix(prefix): value for key, value in weights.items() if key.startswith(prefix)}


BLOCK = re.compile(r"^(?:blocks?|layers?|l|b)[_/.]?(\d+)[/.](.+)$")
INPUT_NORM = re.compile(
    r"^(?:data_bn|input_norm(?:_bn)?|input_bn|data_norm|bn0?)[_/.](weight|bias|running_mean|running_var)$"
)
CLASSIFIER = re.compile(r"^(?:fc|classifier|linear|head)[_/.](weight|bias)$")


def public_model(archive: Arrays) -> tuple[dict[str, Tensor], Tensor, Tensor]:
    """State dict, input and logits of a whole model's archive.

    Blocks may be called ``block3/weights/gc/…``, ``weights/block3/gc/…``, ``blocks/3/gc/…`` and the like, counted from
    0 or from 1; a folder ``model/`` or ``weights/`` anywhere in a key does not matter.

    Raises:
        KeyError: what is missing, and what the archive has.
    """
    blocks: dict[int, dict[str, np.ndarray]] = {}
    state: dict[str, Tensor] = {}
    rest: dict[str, np.ndarray] = {}
    for key, value in archive.items():
        name = "/".join(word for word in key.split("/") if word not in ("weights", "model", "ctr_model", "state"))
        if match := BLOCK.match(name):
            blocks.setdefault(int(match[1]), {})[match[2]] = value
        elif match := INPUT_NORM.match(name):
            state[f"data_bn.{match[1]}"] = tensor(value)
        elif match := CLASSIFIER.match(name):
            state[f"fc.{match[1]}"] = tensor(value)
        else:
            rest[name] = value
    data = next((rest[name] for name in ("input", "x", "data", "clips") if name in rest), None)
    logits = next((rest[name] for name in ("logits", "output", "scores") if name in rest), None)
    missing = [
        what
        for what, there in (
            ("blocks (block{i}/gc/…, block{i}/tc/…)", blocks),
            ("data_bn_{weight,bias,running_mean,running_var}", sum(key.startswith("data_bn.") for key in state) == 4),
            ("fc_{weight,bias}", sum(key.startswith("fc.") for key in state) == 2),
            ("input", data is not None),
            ("logits", logits is not None),
        )
        if not there
    ]
    for index, position in enumerate(sorted(blocks), start=1):
        try:
            state |= public_block(blocks[position], f"l{index}.")
        except KeyError as error:
            missing.append(f"block {position}: {error.args[0]}")
    if missing:
        raise KeyError(f"missing: {'; '.join(missing)}. Keys there: {', '.join(sorted(archive)[:40])}, …")
    assert data is not None
    assert logits is not None
    return state, tensor(data), tensor(logits)
