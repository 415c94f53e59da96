"""Vectors of class and predicate names: GloVe where the user has it, a reproducible draw per name where not."""

from __future__ import annotations

import hashlib
import logging
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from interplay.data.errors import DataError
from interplay.data.scenes import BACKGROUND

logger = logging.getLogger(__name__)

START = "start"
"""Name of the extra first row of a decoder's label embedding: what came before the first label."""

ManyWords = Literal["longest", "mean"]


class WordVectors:
    """Vectors by word.

    Args:
        vectors: word → float32 (dim,).
        dim: numbers per word.
    """

    def __init__(self, vectors: Mapping[str, NDArray[np.float32]], dim: int) -> None:
        self.vectors, self.dim = vectors, dim

    @classmethod
    def read(cls, path: Path | str, dim: int) -> WordVectors:
        """Open a GloVe text file: a word and ``dim`` numbers a line, separated by blanks.

        ``path`` may also name the files of several dimensions: a folder, or a name with ``{dim}`` in it
        (:func:`vector_file`).

        The file is indexed now and its numbers are parsed when a word is asked for, so that 400,000 words cost their
        names only. A first line of two integers (the word2vec header) is passed over. The first of equal words counts.

        Raises:
            DataError: no such file, not UTF-8, or a line with another number of columns.
        """
        return cls(_GloveFile(vector_file(path, dim), dim), dim)

    def word(self, name: str) -> str | None:
        """The word that stands for a name: itself, else its longest blank-separated word (the first of equally long
        ones; hyphens do not split), else None. The longest is tried alone: no shorter word takes its place."""
        if name in self.vectors:
            return name
        longest = max(name.split(" "), key=len)
        return longest if longest in self.vectors else None

    def mean(self, name: str) -> NDArray[np.float32] | None:
        """Mean vector of the name's words that are known (the whole name if it is a word); None if none is."""
        words = [name] if name in self.vectors else [word for word in name.split(" ") if word in self.vectors]
        return np.mean([self.vectors[word] for word in words], axis=0, dtype=np.float32) if words else None


def vector_file(place: Path | str, dim: int) -> Path:
    """The file of ``dim`` numbers: the place itself; with ``{dim}`` in its name the number in its stead; of a folder
    the one file with the number before a d in its name, as in ``glove.6B.200d.txt``.

    Raises:
        DataError: the folder has no such file, or several.
    """
    path = Path(str(place).replace("{dim}", str(dim)))
    if not path.is_dir():
        return path
    named = re.compile(rf"(?:.*[^0-9])?{dim}d(?:[^a-zA-Z0-9].*)?")
    found = sorted(file for file in path.iterdir() if named.fullmatch(file.name) and file.is_file())
    if len(found) != 1:
        names = ", ".join(file.name for file in found[:4]) or "no such file"
        raise DataError(path, "", names, f"one file of {dim} numbers a word, named like glove.6B.{dim}d.txt")
    return found[0]


class _GloveFile(Mapping[str, NDArray[np.float32]]):
    """Word → vector, parsed on demand; remembers where each word's numbers begin."""

    def __init__(self, path: Path, dim: int) -> None:
        self.path, self.dim = path, dim
        self.places: dict[str, tuple[int, int, int]] = {}  # word → line, first byte and number of bytes
        offset = 0
        try:
            with path.open("rb") as opened:
                for number, line in enumerate(opened, start=1):
                    self._index(line.rstrip(b" \r\n"), number, offset)
                    offset += len(line)
        except OSError as error:
            raise DataError(path, "", error.strerror or type(error).__name__, "a GloVe text file") from None
        if not self.places:
            raise DataError(path, "", "no words", f"lines of a word and {dim} numbers")

    def _index(self, line: bytes, number: int, offset: int) -> None:
        columns = line.split(b" ")
        if number == 1 and len(columns) == 2 and all(column.isdigit() for column in columns):
            return
        if len(columns) <= self.dim or not line:
            found = f"{len(columns) - 1} numbers" if line else "an empty line"
            raise DataError(self.path, f"line {number}", found, f"a word and {self.dim} numbers")
        head = b" ".join(columns[: -self.dim])  # a few words of the largest files contain blanks
        try:
            word = head.decode("utf-8")
        except UnicodeDecodeError:
            raise DataError(self.path, f"line {number}", "bytes that are no UTF-8", "a UTF-8 text file") from None
        if " " in word and _is_number(columns[-self.dim - 1]) and not _is_number(columns[0]):
            raise DataError(self.path, f"line {number}", f"{len(columns) - 1} numbers", f"{self.dim} numbers")
        self.places.setdefault(word, (number, offset + len(head) + 1, len(line) - len(head) - 1))

    def __getitem__(self, word: str) -> NDArray[np.float32]:
        number, first, size = self.places[word]
        with self.path.open("rb") as opened:
            opened.seek(first)
            text = opened.read(size)
        try:
            vector = np.array(text.split(b" "), dtype=np.float32)
        except ValueError:
            raise DataError(self.path, f"line {number}", "what is no number", f"{self.dim} numbers") from None
        if vector.shape != (self.dim,) or not np.isfinite(vector).all():
            raise DataError(self.path, f"line {number}", f"{len(vector)} numbers", f"{self.dim} finite numbers")
        return vector

    def __contains__(self, word: object) -> bool:
        return word in self.places

    def __iter__(self) -> Iterator[str]:
        return iter(self.places)

    def __len__(self) -> int:
        return len(self.places)


def _is_number(text: bytes) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def label_vectors(
    names: Sequence[str], dim: int, vectors: WordVectors | None = None, many_words: ManyWords = "longest"
) -> Float[Tensor, "name dim"]:
    """Initial embedding of names (spec §A.7).

    A name takes the vector of :meth:`WordVectors.word` (or, for predicates of PE-Net, of :meth:`WordVectors.mean`).
    A name without one, the background, and all names when there are no vectors take a draw from N(0, 1) whose seed is
    the name: runs are comparable, two data sets that share a class share its vector. Names that had to be drawn are
    logged. *Where we differ*: the released code draws unknown names anew in every run.

    Args:
        names: class or predicate names; :data:`START` may stand first.
        dim: numbers per name.
        vectors: what was read, or None.
        many_words: what stands for a name of several words: its longest word, or the mean of those known.

    Raises:
        ValueError: ``vectors`` have another dimension.
    """
    if vectors is not None and vectors.dim != dim:
        raise ValueError(f"vectors: found {vectors.dim} numbers per word, expected {dim}")
    found = [None if vectors is None or name == BACKGROUND else _vector(name, vectors, many_words) for name in names]
    drawn = [name for name, vector in zip(names, found, strict=True) if vector is None and name != BACKGROUND]
    if drawn:
        why = "no word vectors were given" if vectors is None else "not among the word vectors"
        logger.info("%d of %d names are drawn at random (%s): %s", len(drawn), len(names), why, ", ".join(drawn[:8]))
    rows = [drawn_vector(name, dim) if vector is None else vector for name, vector in zip(names, found, strict=True)]
    return torch.from_numpy(np.stack(rows)) if rows else torch.zeros(0, dim)


def _vector(name: str, vectors: WordVectors, many_words: ManyWords) -> NDArray[np.float32] | None:
    if many_words == "mean":
        return vectors.mean(name)
    word = vectors.word(name)
    return None if word is None else vectors.vectors[word]


def drawn_vector(name: str, dim: int) -> NDArray[np.float32]:
    """N(0, 1), the same for the same name on every machine."""
    seed = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "little")
    return np.random.Generator(np.random.PCG64(seed)).standard_normal(dim).astype(np.float32)
