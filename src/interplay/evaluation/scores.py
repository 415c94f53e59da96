"""What a model said about every sample: the currency between training, evaluation, fusion and the figures."""

from __future__ import annotations

import contextlib
import os
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from interplay.errors import InterplayError

UNKNOWN = -1
"""The label of a sample whose class nobody knows (a closed test set)."""

_LARGEST_ARCHIVE = 8 << 30
_FIELDS = ("ids", "logits", "labels", "classes")
_TABLES = ("verbs", "nouns", "head")
_KEYS = (*_FIELDS, *_TABLES, "sources")


class ScoreError(InterplayError):
    """A score file that cannot be used, or score files that do not belong together."""


@dataclass(frozen=True, eq=False)
class Scores:
    """Class scores of N samples under K classes, keyed by sample id.

    Args:
        ids: N unique sample names.
        logits: float32 (N, K), unnormalised log-probabilities.
        labels: int64 (N,), class index, or :data:`UNKNOWN`.
        classes: K class names.
        verbs, nouns: int64 (K,), the verb and the noun of each class (Assembly101's ``actions.csv``), or None.
        head: bool (K,), whether a class belongs to the frequent ones (Assembly101's ``head_actions.txt``), or None.
        sources: N names of what each sample comes from (a recording cut into clips); intervals then draw whole sources.
            None where every sample stands for itself.

    Raises:
        ValueError: shapes that do not fit, an id twice, a label outside the classes, a score that is not finite.
    """

    ids: tuple[str, ...]
    logits: NDArray[np.float32]
    labels: NDArray[np.int64]
    classes: tuple[str, ...]
    verbs: NDArray[np.int64] | None = None
    nouns: NDArray[np.int64] | None = None
    head: NDArray[np.bool_] | None = None
    sources: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        def put(name: str, value: Any) -> None:
            object.__setattr__(self, name, value)

        put("ids", tuple(str(sample) for sample in self.ids))
        put("classes", tuple(str(name) for name in self.classes))
        put("logits", np.ascontiguousarray(self.logits, dtype=np.float32))
        put("labels", _integers("labels", self.labels))
        count, classes = len(self.ids), len(self.classes)
        if self.logits.shape != (count, classes):
            raise ValueError(f"logits must be ({count} ids, {classes} classes), got {self.logits.shape}")
        if self.labels.shape != (count,):
            raise ValueError(f"labels must be ({count},), got {self.labels.shape}")
        if len(set(self.ids)) != count:
            seen: set[str] = set()
            twice = next(sample for sample in self.ids if sample in seen or seen.add(sample))  # type: ignore[func-returns-value]
            raise ValueError(f"ids must be unique, {twice!r} stands twice")
        if self.sources is not None:
            put("sources", tuple(str(source) for source in self.sources))
            if len(self.sources) != count:
                raise ValueError(f"sources must be one for each of the {count} ids, got {len(self.sources)}")
        if any(name.endswith("\0") for name in (*self.ids, *self.classes, *(self.sources or ()))):
            raise ValueError("ids, class names and sources must not end in a NUL character")
        if count and (self.labels.min() < UNKNOWN or self.labels.max() >= classes):
            bad = int(np.flatnonzero((self.labels < UNKNOWN) | (self.labels >= classes))[0])
            raise ValueError(f"label of {self.ids[bad]!r} must lie in -1…{classes - 1}, got {self.labels[bad]}")
        finite = np.isfinite(self.logits).all(axis=1)
        if not finite.all():
            raise ValueError(f"logits of {self.ids[int(np.argmin(finite))]!r} must be finite")
        for table in _TABLES:
            value = getattr(self, table)
            if value is None:
                continue
            value = np.asarray(value, dtype=np.bool_) if table == "head" else _integers(table, value)
            put(table, value)
            if value.shape != (classes,):
                raise ValueError(f"{table} must have one entry for each of the {classes} classes, got {value.shape}")

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def predictions(self) -> NDArray[np.int64]:
        """int64 (N,), the best class of each sample; the first one where several are equally good."""
        if not len(self):
            return np.zeros(0, dtype=np.int64)
        return np.asarray(self.logits.argmax(axis=1), dtype=np.int64)

    @property
    def probabilities(self) -> NDArray[np.float64]:
        """float64 (N, K), softmax of the logits."""
        return softmax(self.logits)

    @property
    def labelled(self) -> Scores:
        """The samples whose class is known."""
        known = self.labels != UNKNOWN
        return self if bool(known.all()) else self.select(known)

    def select(self, which: ArrayLike) -> Scores:
        """The samples at these indices, or where a mask (N,) is true, in that order."""
        indices = np.asarray(which)
        if indices.dtype == np.bool_:
            indices = np.flatnonzero(indices)
        indices = indices.astype(np.int64).reshape(-1)
        ids = tuple(self.ids[index] for index in indices)
        sources = None if self.sources is None else tuple(self.sources[index] for index in indices)
        return replace(self, ids=ids, logits=self.logits[indices], labels=self.labels[indices], sources=sources)

    @property
    def clusters(self) -> NDArray[np.int64] | None:
        """int64 (N,), the number of each sample's source; None where no two samples share one."""
        if self.sources is None:
            return None
        names, numbers = np.unique(np.array(self.sources, np.str_), return_inverse=True)
        return None if len(names) == len(self) else np.asarray(numbers.reshape(-1), np.int64)

    def save(self, path: str | Path) -> Path:
        """Write an ``.npz``; a reader sees the old file or the whole new one, never a half.

        Raises:
            ScoreError: the folder cannot be written or the disk is full.
        """
        path = Path(path)
        arrays: dict[str, NDArray[Any]] = {
            "ids": _strings(self.ids),
            "logits": self.logits,
            "labels": self.labels,
            "classes": _strings(self.classes),
        }
        arrays |= {table: value for table in _TABLES if (value := getattr(self, table)) is not None}
        if self.sources is not None:
            arrays["sources"] = _strings(self.sources)
        temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with open(temporary, "wb") as file:
                np.savez(file, **arrays)  # type: ignore[arg-type]
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, path)
        except OSError as error:
            with contextlib.suppress(OSError):
                temporary.unlink()
            raise ScoreError(f"{path}: cannot write the scores: {error.strerror or error}") from None
        return path

    @classmethod
    def load(cls, path: str | Path) -> Scores:
        """Read an ``.npz`` that :meth:`save` (or anybody, with the same keys) wrote. Nothing is unpickled.

        Raises:
            ScoreError: one line saying which file, which key, what was found and what was expected.
        """
        path = Path(path)
        try:
            with zipfile.ZipFile(path) as archive:
                names = {name.removesuffix(".npy") for name in archive.namelist()}
                for key in _FIELDS:
                    if key not in names:
                        raise ScoreError(f"{path}: the key {key!r} is missing, expected {', '.join(_FIELDS)}")
                arrays = {key: _member(archive, path, key) for key in _KEYS if key in names}
        except ScoreError:
            raise
        except OSError as error:
            raise ScoreError(f"{path}: cannot read the scores: {error.strerror or error}") from None
        except (zipfile.BadZipFile, zlib.error, EOFError, ValueError, NotImplementedError, RuntimeError) as error:
            raise ScoreError(f"{path}: found no readable .npz ({error}), expected scores by sample id") from None
        for key, kinds in (("ids", "U"), ("classes", "U"), ("logits", "f"), ("labels", "iu"), ("sources", "U")):
            if key in arrays and arrays[key].dtype.kind not in kinds:
                expected = {"U": "text", "f": "floating point numbers", "iu": "integers"}[kinds]
                raise ScoreError(f"{path}: key {key!r}: found {arrays[key].dtype}, expected {expected}")
        try:
            return cls(
                ids=tuple(arrays["ids"].reshape(-1).tolist()),
                logits=arrays["logits"],
                labels=arrays["labels"],
                classes=tuple(arrays["classes"].reshape(-1).tolist()),
                **{table: arrays[table] for table in _TABLES if table in arrays},
                sources=tuple(arrays["sources"].reshape(-1).tolist()) if "sources" in arrays else None,
            )
        except (ValueError, TypeError, OverflowError) as error:
            raise ScoreError(f"{path}: {error}") from None


def softmax(logits: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    """float64 (N, K): exp(z_k) / Σ_j exp(z_j) along the last axis."""
    return np.asarray(np.exp(log_softmax(logits)))


def log_softmax(logits: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    """float64 (N, K): z_k − log Σ_j exp(z_j) along the last axis, without overflow."""
    values = np.asarray(logits, dtype=np.float64)
    if values.size == 0:
        return values
    values = values - values.max(axis=-1, keepdims=True)
    return np.asarray(values - np.log(np.exp(values).sum(axis=-1, keepdims=True)))


def fuse(
    scores: Sequence[Scores],
    weights: Sequence[float] | None = None,
    of: Literal["logits", "probabilities"] = "logits",
) -> Scores:
    """Combine several models' scores of the same samples (joint, bone, motion streams), matched by sample id.

    ``of="logits"``: Σ_m w_m z_m, as 2s-AGCN and CTR-GCN publish their ensembles (raw scores are summed).
    ``of="probabilities"``: log(Σ_m w_m softmax(z_m) / Σ_m w_m), so that the softmax of the result is the weighted mean.

    Args:
        scores: at least one; any order of samples, the first one's order is kept.
        weights: one finite, non-negative number each, not all zero; None for ones.

    Raises:
        ScoreError: different ids, classes or labels. ``UNKNOWN`` agrees with any label.
        ValueError: no scores, or weights that do not fit.
    """
    if not scores:
        raise ValueError("fuse needs at least one Scores")
    values = [1.0] * len(scores) if weights is None else [float(weight) for weight in weights]
    if len(values) != len(scores) or not all(np.isfinite(w) and w >= 0 for w in values) or sum(values) <= 0:
        raise ValueError(f"weights must be {len(scores)} non-negative numbers, not all zero, got {weights!r}")
    first = scores[0]
    labels, sources = first.labels.copy(), first.sources
    total = np.zeros(first.logits.shape, dtype=np.float64)
    for number, (other, weight) in enumerate(zip(scores, values, strict=True), start=1):
        order = _order(first, other, number)
        logits = other.logits[order]
        theirs = other.labels[order]
        differ = (labels != theirs) & (labels != UNKNOWN) & (theirs != UNKNOWN)
        if differ.any():
            bad = int(np.argmax(differ))
            raise ScoreError(
                f"score set {number}: {first.ids[bad]!r} has label {theirs[bad]}, expected {labels[bad]} as before"
            )
        labels = np.where(labels == UNKNOWN, theirs, labels)
        if sources is None and other.sources is not None:
            sources = tuple(other.sources[row] for row in order.tolist())
        total += weight * (np.asarray(logits, dtype=np.float64) if of == "logits" else softmax(logits))
    if of == "probabilities":
        total = np.log(np.maximum(total / sum(values), np.finfo(np.float32).tiny))
    return replace(first, logits=total.astype(np.float32), labels=labels, sources=sources)


def concatenate(scores: Sequence[Scores]) -> Scores:
    """One after another: the samples of several parts (folds) under the same classes.

    Sources are kept where all parts name them; a name that stands in two parts is one source.

    Raises:
        ScoreError: different classes, or an id in two parts.
    """
    if not scores:
        raise ValueError("concatenate needs at least one Scores")
    first = scores[0]
    for number, other in enumerate(scores, start=1):
        if other.classes != first.classes:
            raise ScoreError(f"score set {number}: other classes than score set 1")
    try:
        return replace(
            first,
            ids=tuple(sample for part in scores for sample in part.ids),
            logits=np.concatenate([part.logits for part in scores]),
            labels=np.concatenate([part.labels for part in scores]),
            sources=None
            if any(part.sources is None for part in scores)
            else tuple(source for part in scores for source in part.sources or ()),
        )
    except ValueError as error:
        raise ScoreError(f"these score sets cannot be joined: {error}") from None


def _order(first: Scores, other: Scores, number: int) -> NDArray[np.int64]:
    if other.classes != first.classes:
        raise ScoreError(f"score set {number}: found {len(other.classes)} classes, expected those of score set 1")
    position = {sample: index for index, sample in enumerate(other.ids)}
    missing = [sample for sample in first.ids if sample not in position]
    extra = len(other) - (len(first) - len(missing))
    if missing or extra:
        example = missing[0] if missing else next(iter(set(other.ids) - set(first.ids)))
        raise ScoreError(
            f"score set {number}: {len(missing)} samples missing and {extra} too many (for one, {example!r}), "
            "expected the same ids in every set"
        )
    return np.array([position[sample] for sample in first.ids], dtype=np.int64)


def _integers(what: str, value: ArrayLike) -> NDArray[np.int64]:
    array = np.asarray(value)
    if array.size and array.dtype.kind not in "iu":
        raise ValueError(f"{what} must be integers, got {array.dtype}")
    return array.astype(np.int64)


def _strings(values: Sequence[str]) -> NDArray[np.str_]:
    return np.array(values, dtype=np.str_) if values else np.zeros(0, dtype="<U1")


def _member(archive: zipfile.ZipFile, path: Path, key: str) -> NDArray[Any]:
    """One array; its header is held against the size of the member before anything of that size is allocated."""
    info = archive.getinfo(f"{key}.npy" if f"{key}.npy" in archive.namelist() else key)
    if info.file_size > _LARGEST_ARCHIVE:
        raise ScoreError(f"{path}: key {key!r}: found {info.file_size} bytes, expected at most {_LARGEST_ARCHIVE}")
    with archive.open(info) as stream:
        version = np.lib.format.read_magic(stream)
        if version == (1, 0):
            shape, _, dtype = np.lib.format.read_array_header_1_0(stream)
        else:
            shape, _, dtype = np.lib.format.read_array_header_2_0(stream)
    if dtype.hasobject:
        raise ScoreError(f"{path}: key {key!r}: found Python objects, expected plain numbers or text")
    size = dtype.itemsize
    for extent in shape:
        size *= int(extent)
    if min(shape, default=0) < 0 or size > info.file_size:
        raise ScoreError(f"{path}: key {key!r}: found shape {shape} in {info.file_size} bytes, expected them to agree")
    with archive.open(info) as stream:
        array: NDArray[Any] = np.lib.format.read_array(stream, allow_pickle=False)
    return array
