"""Vectors of names: which word stands for a name, the fallback, and files that cannot be used."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest
import torch

from interplay.data.errors import DataError
from interplay.data.scenes import BACKGROUND
from interplay.scene.word_vectors import START, WordVectors, label_vectors

WORDS = {"cup": [1, 2, 3], "traffic": [4, 5, 6], "light": [0.5, 0, -1], "t-shirt": [7, 7, 7], "of": [1, 1, 1]}


def written(folder: Path, lines: str) -> Path:
    (folder / "glove.txt").write_text(lines, encoding="utf-8")
    return folder / "glove.txt"


@pytest.fixture
def glove(tmp_path: Path) -> WordVectors:
    lines = "".join(f"{word} {' '.join(map(str, row))}\n" for word, row in WORDS.items())
    return WordVectors.read(written(tmp_path, lines), 3)


def test_whole_name_then_longest_word(glove: WordVectors) -> None:
    assert glove.word("cup") == "cup"
    assert glove.word("traffic light") == "traffic"
    assert glove.word("t-shirt") == "t-shirt", "hyphens do not split"
    assert glove.word("light traffix") is None, "the longest word alone is tried"
    assert glove.word("light right") == "light", "the first of equally long words"
    assert glove.word("right light") is None


def test_rows(glove: WordVectors) -> None:
    rows = label_vectors([START, "cup", "traffic light"], 3, glove)
    assert rows.dtype == torch.float32
    np.testing.assert_array_equal(rows[1:], np.array([WORDS["cup"], WORDS["traffic"]], np.float32))
    mean = label_vectors(["traffic light of nowhere"], 3, glove, many_words="mean")
    np.testing.assert_allclose(mean[0], np.mean([WORDS["traffic"], WORDS["light"], WORDS["of"]], axis=0), rtol=1e-6)


def test_unknown_names_depend_on_the_name_alone(glove: WordVectors, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        first = label_vectors([BACKGROUND, "zebra", "cup"], 3, glove)
    assert "zebra" in caplog.text
    assert BACKGROUND not in caplog.text
    second = label_vectors(["zebra", "yak", BACKGROUND], 3)
    torch.testing.assert_close(first[1], second[0], rtol=0, atol=0)
    torch.testing.assert_close(first[0], second[2], rtol=0, atol=0)
    assert not torch.equal(second[0], second[1])


def test_fallback_is_standard_normal() -> None:
    drawn = label_vectors([f"class {index}" for index in range(100)], 200)
    assert abs(float(drawn.mean())) < 0.03
    assert abs(float(drawn.std()) - 1) < 0.03
    assert label_vectors([], 4).shape == (0, 4)


def test_background_takes_no_word() -> None:
    vectors = WordVectors({BACKGROUND: np.zeros(2, np.float32)}, 2)
    assert label_vectors([BACKGROUND], 2, vectors).abs().sum() > 0


def test_header_and_words_with_blanks(tmp_path: Path) -> None:
    vectors = WordVectors.read(written(tmp_path, "3 2\n. . 1 2\ncafé 3 4\ncafé 5 6\n"), 2)
    np.testing.assert_array_equal(vectors.vectors["café"], [3, 4])
    np.testing.assert_array_equal(vectors.vectors[". ."], [1, 2])
    assert len(vectors.vectors) == 2


@pytest.mark.parametrize(
    ("lines", "record"),
    [
        ("cup 1 2 3\nbowl 1 2\n", "line 2"),
        ("cup 1 2 3 4\n", "line 1"),
        ("cup 1 2 3\n\n", "line 2"),
        ("", "no words"),
    ],
)
def test_files_that_cannot_be_used(tmp_path: Path, lines: str, record: str) -> None:
    with pytest.raises(DataError, match=record):
        WordVectors.read(written(tmp_path, lines), 3)


def test_bad_numbers_bytes_and_paths(tmp_path: Path) -> None:
    vectors = WordVectors.read(written(tmp_path, "cup 1 x 3\nbowl 1 nan 2\n"), 3)
    for name in ("cup", "bowl"):
        with pytest.raises(DataError, match="line"):
            label_vectors([name], 3, vectors)
    (tmp_path / "latin").write_bytes(b"caf\xe9 1 2 3\n")
    with pytest.raises(DataError, match="UTF-8"):
        WordVectors.read(tmp_path / "latin", 3)
    with pytest.raises(DataError, match="nowhere"):
        WordVectors.read(tmp_path / "nowhere", 3)
    with pytest.raises(ValueError, match="expected 5"):
        label_vectors(["cup"], 5, vectors)
