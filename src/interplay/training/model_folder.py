"""A model folder: ``config.json``, ``model.safetensors`` (matrices in float16) and ``README.md``, the model card.

huggingface_hub's mixin reads and writes it, so that a folder, a shipped name and a hub id load alike. Nothing in it is
ever unpickled.
"""

from __future__ import annotations

import io
import shutil
from abc import abstractmethod
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any, Self

from huggingface_hub import ModelCard, PyTorchModelHubMixin
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import nn

from interplay.errors import InterplayError


def check_format(found: int, known: int, system: str = "", expected: str = "") -> None:
    """InterplayError unless a config is of the known format and system."""
    if found != known:
        raise InterplayError(f"model config: found format {found}, expected {known}; a newer Interplay wrote it")
    if system != expected:
        raise InterplayError(f"model config: found system {system!r}, expected {expected!r}")


class FolderModel(nn.Module, PyTorchModelHubMixin):
    """A model that saves itself to a folder and loads from one, a shipped name or the hub.

    Attributes:
        card: text of ``README.md``; empty for what :meth:`described` says.
    """

    card: str = ""

    @abstractmethod
    def described(self) -> str:
        """What the config says, in words: the model card unless ``card`` replaces it."""

    def config(self) -> dict[str, Any]:
        """The constructor's arguments, as ``config.json`` holds them."""
        config = self._hub_mixin_config
        assert isinstance(config, dict)
        return dict(config)

    def _save_pretrained(self, save_directory: Path) -> None:
        # Half precision halves the folder. Vectors (BatchNorm's gains and variances, which may lie below what half
        # precision resolves) stay as they are; they are a few per cent of the bytes.
        state = {
            key: value.half() if value.ndim > 1 and value.is_floating_point() else value
            for key, value in self.state_dict().items()
        }
        # The card belongs to the weights; the mixin would keep that of another model.
        (save_directory / "README.md").unlink(missing_ok=True)
        weights = save_directory / "model.safetensors"
        save_file({key: value.contiguous().cpu() for key, value in state.items()}, weights)
        weights.chmod(0o644)  # safetensors writes files that only their owner can read

    def generate_model_card(self, *args: Any, **kwargs: Any) -> ModelCard:
        """README.md of the folder."""
        return ModelCard(self.card or self.described(), ignore_metadata_errors=True)

    @classmethod
    def _from_pretrained(cls, **arguments: Any) -> Self:
        # The mixin prints where the weights come from; standard output belongs to the answers (--json -).
        with redirect_stdout(io.StringIO()):
            loaded = super()._from_pretrained(**arguments)
        assert isinstance(loaded, cls)
        return loaded

    @classmethod
    def _load_as_safetensor(cls, model: Any, model_file: str, map_location: str, strict: bool) -> Any:
        try:
            state = load_file(model_file)
        except SafetensorError as error:
            raise InterplayError(f"{model_file}: not a safetensors file: {error}") from None
        try:
            model.load_state_dict(state, strict=True)
        except RuntimeError as error:
            raise InterplayError(f"{model_file}: does not fit its config.json: {error}") from None
        return model.to(map_location)


def save_whole(model: FolderModel, folder: Path) -> None:
    """Beside its place first, so that the model folder is whole whenever it is there."""
    temporary = folder.with_name(f".{folder.name}.part")
    shutil.rmtree(temporary, ignore_errors=True)
    try:
        model.save_pretrained(temporary)
    except SafetensorError as error:
        raise InterplayError(f"cannot write {folder}: {error}") from None
    if folder.exists():
        shutil.rmtree(folder)
    temporary.replace(folder)
