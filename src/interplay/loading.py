"""One way to load a model, whether it ships with the package, lies in a folder, or is on the Hugging Face Hub."""

from __future__ import annotations

import difflib
import json
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, cast

from interplay.errors import InterplayError
from interplay.training.devices import usable_device
from interplay.training.shipped import shipped_models

if TYPE_CHECKING:
    from interplay.interactions import Prediction
    from interplay.skeleton.recogniser import SkeletonRecogniser


class Recogniser(Protocol):
    """What every loaded model offers; what ``predict`` takes is said by its class."""

    name: str

    def predict(self, *inputs: Any, **options: Any) -> Prediction: ...


WEIGHTS = "model.safetensors"
SYSTEMS = {
    "megcn": ("interplay.skeleton.recogniser", "SkeletonRecogniser", ("networks", "classes", "layout", "input")),
    "sil": ("interplay.scene.recogniser", "SceneRecogniser", ("classes", "predicates", "model", "head")),
    "agos": ("interplay.video.recogniser", "VideoRecogniser", ("classes", "model", "backbone", "preparation")),
}
"""The config's ``system`` → module, class, and keys that the config must have."""


def read_config(folder: Path) -> dict[str, Any]:
    """The config of a model folder. Raises InterplayError naming what is missing or unreadable."""
    for name in ("config.json", WEIGHTS):
        if not (folder / name).is_file():
            raise InterplayError(f"{folder}: found no {name}, expected a model folder (config.json, {WEIGHTS})")
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except (UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
        raise InterplayError(f"{folder / 'config.json'}: not JSON: {error}") from None
    if not isinstance(config, dict):
        raise InterplayError(f"{folder / 'config.json'}: found {type(config).__name__}, expected an object")
    return config


def load(model: str | Path, *, device: str = "cpu") -> Recogniser:
    """Load a model by shipped name, folder or hub id, ready to answer (in evaluation mode).

    >>> interplay.load("megcn-sbu").predict("recording.npz")        # doctest: +SKIP

    Args:
        model: a name from ``interplay list models``, a model folder (or a run folder, which has one in it), or a
            hub id ``owner/name`` (downloaded once; needs the network).
        device: "cpu" or "cuda".

    Raises:
        InterplayError: there is no such model, or its folder is damaged.
    """
    where_to = usable_device(device)
    shipped = shipped_models()
    folder = shipped.get(str(model))
    if folder is None:
        path = Path(model)
        if path.is_dir():
            folder = path / "model" if (path / "model" / "config.json").is_file() else path
        elif path.exists():
            raise InterplayError(f"{path}: found a file, expected a model folder (config.json, {WEIGHTS})")
        elif str(model).count("/") == 1 and not str(model).startswith((".", "/", "~")):
            folder = _from_hub(str(model))
        else:
            near = difflib.get_close_matches(str(model), shipped, n=1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            raise InterplayError(
                f"unknown model {str(model)!r}{hint} (shipped: {', '.join(shipped) or 'none'}; or a folder or hub id)"
            )
    config = read_config(folder)
    system = str(config.get("system", "megcn"))
    if system not in SYSTEMS:
        raise InterplayError(
            f"{folder / 'config.json'}: found system {system!r}, expected one of {', '.join(SYSTEMS)} (a detector "
            "alone names no interactions)"
        )
    where, name, keys = SYSTEMS[system]
    kind = getattr(import_module(where), name)
    try:
        recogniser = kind.from_pretrained(str(folder), map_location=str(where_to))
    except (TypeError, KeyError, ValueError, AttributeError) as error:
        raise InterplayError(f"{folder / 'config.json'}: not the config of a model: {error}") from None
    if missing := [key for key in keys if key not in config]:
        raise InterplayError(f"{folder / 'config.json'}: found no {missing[0]!r}, expected the config of a model")
    return cast(Recogniser, recogniser.eval())


def load_skeletons(model: str | Path, *, device: str = "cpu") -> SkeletonRecogniser:
    """:func:`load` where only a model for skeletons will do. InterplayError if it is one for pictures."""
    from interplay.skeleton.recogniser import SkeletonRecogniser

    recogniser = load(model, device=device)
    if not isinstance(recogniser, SkeletonRecogniser):
        raise InterplayError(f"{model}: found a model for pictures or videos, expected one for skeletons")
    return recogniser


def _from_hub(repository: str) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    try:
        return Path(snapshot_download(repository, allow_patterns=["config.json", WEIGHTS, "README.md"]))
    except (HfHubHTTPError, HFValidationError, LocalEntryNotFoundError, OSError) as error:
        reason = " ".join(str(error).split())[:200]
        raise InterplayError(
            f"model {repository!r}: no such folder, and it could not be had from the hub: {reason}"
        ) from None
