"""What a stage leaves: the folder RUN/stageN, from which the next stage, or another run, goes on."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor

from interplay.errors import InterplayError
from interplay.training.folder import RunFolder
from interplay.training.writing import write_whole

State = dict[str, Tensor]


@dataclass(frozen=True)
class StageFolder:
    """Checkpoints and metrics while a stage trains; ``weights.safetensors`` and, last, ``stage.json`` when it is done.

    Args:
        path: of the folder.
    """

    path: Path

    @property
    def run(self) -> RunFolder:
        """The part that training callbacks write."""
        return RunFolder(self.path)

    @property
    def finished(self) -> bool:
        return self.summary_file.is_file()

    @property
    def summary_file(self) -> Path:
        return self.path / "stage.json"

    @property
    def weights_file(self) -> Path:
        return self.path / "weights.safetensors"

    def finish(self, state: Mapping[str, Tensor], summary: Mapping[str, Any]) -> None:
        """Write the weights and what happened."""
        tensors = {name: value.detach().cpu().contiguous() for name, value in state.items()}
        write_whole(self.weights_file, save(tensors))
        write_whole(self.summary_file, json.dumps(dict(summary), indent=2, ensure_ascii=False) + "\n")

    def summary(self) -> dict[str, Any]:
        """What happened. InterplayError where the stage is not finished or the file is damaged."""
        try:
            found = json.loads(self.summary_file.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise InterplayError(f"{self.path}: found no stage.json, expected a finished stage") from None
        except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
            raise InterplayError(f"{self.summary_file}: cannot be read: {error}") from None
        if not isinstance(found, dict):
            raise InterplayError(f"{self.summary_file}: found {type(found).__name__}, expected a mapping")
        return found

    def state(self) -> State:
        """The weights after the stage. InterplayError where they cannot be read."""
        try:
            found: State = load_file(str(self.weights_file))
        except (OSError, SafetensorError) as error:
            raise InterplayError(f"{self.weights_file}: cannot be read: {error}") from None
        return found


def backbone_state(state: Mapping[str, Tensor]) -> State:
    """The part of a network's state that is its backbone."""
    return {name: value for name, value in state.items() if name.startswith("backbone.")}


def take_over(module: torch.nn.Module, state: Mapping[str, Tensor], where: Path, what: str) -> None:
    """Put tensors into a module that has all of them, and others besides.

    Raises:
        InterplayError: one is missing there or has another shape.
    """
    own = module.state_dict()
    for name, value in state.items():
        if name not in own or own[name].shape != value.shape:
            found = tuple(value.shape)
            expected = tuple(own[name].shape) if name in own else "nothing of that name"
            raise InterplayError(f"{where}: {what}: found {name} {found}, expected {expected}: another model")
    module.load_state_dict(dict(state), strict=False)
