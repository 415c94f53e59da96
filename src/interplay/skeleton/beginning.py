"""Beginning with the weights of a trained model instead of random ones."""

from __future__ import annotations

from collections.abc import Sequence

from interplay.errors import InterplayError
from interplay.skeleton.network import MutualExcitationGCN
from interplay.skeleton.recogniser import SkeletonRecogniser
from interplay.training.shipped import find_model, shipped_models


def begin_with(network: MutualExcitationGCN, model: str, streams: Sequence[str]) -> str:
    """Copy into ``network`` every tensor of a trained one whose name and shape fit.

    The classifier is always new: the same number of classes does not mean the same classes.

    Args:
        network: changed in place.
        model: shipped name, model folder or run folder.
        streams: of the new network; among the model's networks the one with the same streams is taken, else the
            first.

    Returns:
        A line that says how many tensors were taken.

    Raises:
        InterplayError: there is no such model, or nothing of it fits.
    """
    folder = find_model(model)
    if folder is None:
        raise InterplayError(
            f"training.start_from: found no model {model!r}, expected a model folder or one of "
            f"{', '.join(shipped_models()) or 'none'}"
        )
    trained = SkeletonRecogniser.from_pretrained(str(folder))
    index = trained.streams.index(tuple(streams)) if tuple(streams) in trained.streams else 0
    source, own = trained.networks[index].state_dict(), network.state_dict()
    taken = {
        name: value
        for name, value in source.items()
        if name in own and own[name].shape == value.shape and not name.startswith("classifier.")
    }
    if not taken:
        raise InterplayError(f"training.start_from: nothing of {model!r} fits this network")
    network.load_state_dict(taken, strict=False)
    return f"begins with {len(taken)} of {len(own)} tensors of {trained.name}"
