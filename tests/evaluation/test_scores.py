"""Score archives: what goes in comes out, what does not belong together is refused in one line."""

from __future__ import annotations

import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from interplay.errors import InterplayError
from interplay.evaluation.scores import ScoreError, Scores, concatenate, fuse, softmax

IDS = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"), max_size=8)


@st.composite
def score_sets(draw: st.DrawFn) -> Scores:
    ids = draw(st.lists(IDS, unique=True, max_size=6))
    classes = draw(st.lists(IDS, min_size=1, max_size=4))
    seed = draw(st.integers(0, 2**16))
    generator = np.random.default_rng(seed)
    return Scores(
        ids=tuple(ids),
        logits=generator.normal(size=(len(ids), len(classes))).astype(np.float32),
        labels=generator.integers(-1, len(classes), len(ids)),
        classes=tuple(classes),
        verbs=generator.integers(0, 3, len(classes)) if draw(st.booleans()) else None,
        head=generator.random(len(classes)) < 0.5 if draw(st.booleans()) else None,
        sources=tuple(draw(IDS) for _ in ids) if draw(st.booleans()) else None,
    )


def example(ids: str = "abc", seed: int = 0) -> Scores:
    logits = np.random.default_rng(seed).normal(size=(len(ids), 3)).astype(np.float32)
    return Scores(tuple(ids), logits, np.arange(len(ids)) % 3, ("push", "kick", "hug"))


@given(score_sets())
@settings(max_examples=60, deadline=None)
def test_an_archive_gives_back_what_it_was_given(tmp_path_factory: pytest.TempPathFactory, scores: Scores) -> None:
    path = scores.save(tmp_path_factory.mktemp("scores") / "deep" / "scores.npz")
    back = Scores.load(path)
    assert (back.ids, back.classes) == (scores.ids, scores.classes)
    for name in ("logits", "labels", "verbs", "nouns", "head"):
        mine, theirs = getattr(scores, name), getattr(back, name)
        assert (mine is None) == (theirs is None)
        if mine is not None:
            assert mine.dtype == theirs.dtype
            np.testing.assert_array_equal(mine, theirs)
    assert [file.name for file in path.parent.iterdir()] == ["scores.npz"], "no temporary file stays behind"


@given(cut=st.integers(0, 2000), flips=st.lists(st.tuples(st.integers(0, 2000), st.integers(0, 255)), max_size=4))
@settings(max_examples=150, deadline=None)
def test_a_damaged_archive_is_scores_or_one_line(
    tmp_path_factory: pytest.TempPathFactory, cut: int, flips: list[tuple[int, int]]
) -> None:
    path = example().save(tmp_path_factory.mktemp("scores") / "scores.npz")
    content = bytearray(path.read_bytes()[: cut or None])
    for place, value in flips:
        content[place % len(content)] = value
    path.write_bytes(content)
    said = ""
    try:
        Scores.load(path)
    except InterplayError as error:
        said = str(error)
    assert "\n" not in said
    assert not said or str(path) in said


def rewrite(path: Path, **arrays: object) -> Path:
    plain = {key: value for key, value in np.load(path).items() if key not in arrays}
    np.savez(path, **plain, **{key: value for key, value in arrays.items() if value is not None})  # type: ignore[arg-type]
    return path


@pytest.mark.parametrize(
    ("arrays", "says"),
    [
        ({"labels": None}, "'labels' is missing"),
        ({"labels": np.array([0, 1, 3])}, "must lie in -1…2"),
        ({"labels": np.array([0.0, 1.0, 2.0])}, "expected integers"),
        ({"logits": np.zeros((2, 3), np.float32)}, "(3 ids, 3 classes)"),
        ({"logits": np.full((3, 3), np.nan, np.float32)}, "logits of 'a' must be finite"),
        ({"ids": np.array(["a", "b", "a"])}, "'a' stands twice"),
        ({"ids": np.arange(3)}, "expected text"),
        ({"ids": np.array(["a", "b", 1], dtype=object)}, "Python objects"),
    ],
)
def test_what_is_wrong_in_an_archive_is_named(tmp_path: Path, arrays: dict[str, object], says: str) -> None:
    path = rewrite(example().save(tmp_path / "scores.npz"), **arrays)
    with pytest.raises(ScoreError) as caught:
        Scores.load(path)
    assert says in str(caught.value)
    assert str(path) in str(caught.value)


def test_an_absurd_shape_is_refused_before_memory_is_taken(tmp_path: Path) -> None:
    path = example().save(tmp_path / "scores.npz")
    members = {name: zipfile.ZipFile(path).read(name) for name in zipfile.ZipFile(path).namelist()}
    header = b"{'descr': '<f4', 'fortran_order': False, 'shape': (4000000000, 1000000), }"
    length = (len(header) + 1).to_bytes(2, "little")
    members["logits.npy"] = b"\x93NUMPY\x01\x00" + length + header + b"\n"
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    with pytest.raises(ScoreError, match="expected them to agree"):
        Scores.load(path)


def test_absent_and_unwritable_files_are_one_line(tmp_path: Path) -> None:
    with pytest.raises(ScoreError, match="No such file"):
        Scores.load(tmp_path / "absent.npz")
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(ScoreError, match="cannot write"):
        example().save(tmp_path / "file" / "scores.npz")


def test_fusion_matches_by_id_not_by_position() -> None:
    joint = example()
    bone = example(seed=1).select([2, 0, 1])
    fused = fuse([joint, bone], weights=[1.0, 0.5])
    assert fused.ids == joint.ids
    np.testing.assert_allclose(fused.logits, joint.logits + 0.5 * example(seed=1).logits, rtol=1e-6)
    mean = fuse([joint, bone], of="probabilities")
    expected = (softmax(joint.logits) + softmax(example(seed=1).logits)) / 2
    np.testing.assert_allclose(mean.probabilities, expected, atol=1e-6)


@given(st.permutations(range(3)), st.sampled_from(["logits", "probabilities"]))
def test_fusion_does_not_depend_on_the_order_of_models(order: list[int], of: str) -> None:
    models = [example(seed=seed) for seed in range(3)]
    one = fuse(models, of=of)  # type: ignore[arg-type]
    other = fuse([models[index] for index in order], of=of)  # type: ignore[arg-type]
    np.testing.assert_allclose(one.logits, other.logits, atol=1e-5)


def test_fusion_refuses_what_does_not_belong_together() -> None:
    with pytest.raises(ScoreError, match=r"1 samples missing and 1 too many \(for one, 'c'\)"):
        fuse([example("abc"), example("abd")])
    with pytest.raises(ScoreError, match="0 samples missing and 1 too many"):
        fuse([example("abc"), example("abcd")])
    other = Scores(("a", "b", "c"), example().logits, np.array([0, 2, 2]), ("push", "kick", "hug"))
    with pytest.raises(ScoreError, match="'b' has label 2, expected 1"):
        fuse([example(), other])
    renamed = Scores(("a", "b", "c"), example().logits, example().labels, ("push", "kick", "pat"))
    with pytest.raises(ScoreError, match="classes"):
        fuse([example(), renamed])
    with pytest.raises(ValueError, match="weights"):
        fuse([example(), example()], weights=[1.0])


def test_fusion_takes_the_label_that_one_of_them_knows() -> None:
    closed = Scores(("a", "b", "c"), example().logits, np.full(3, -1), ("push", "kick", "hug"))
    np.testing.assert_array_equal(fuse([closed, example()]).labels, [0, 1, 2])
    assert len(closed.labelled) == 0


def test_parts_are_joined_only_when_no_sample_is_in_two() -> None:
    joined = concatenate([example("ab"), example("cd")])
    assert joined.ids == ("a", "b", "c", "d")
    assert joined.logits.shape == (4, 3)
    with pytest.raises(ScoreError, match="'b' stands twice"):
        concatenate([example("ab"), example("bc")])


def test_sources_go_with_their_samples() -> None:
    both = replace(example("abc"), sources=("x", "y", "x"))
    assert both.clusters is not None
    assert both.clusters.tolist() == [0, 1, 0]
    assert both.select([2, 1]).sources == ("x", "y")
    assert both.select([2, 1]).clusters is None  # every sample has a source of its own
    assert concatenate([both, replace(example("de"), sources=("y", "z"))]).sources == ("x", "y", "x", "y", "z")
    assert concatenate([both, example("de")]).sources is None
    assert fuse([both, example("abc", seed=1)]).sources == both.sources
    assert fuse([example("abc", seed=1), both]).sources == both.sources
    with pytest.raises(ValueError, match="one for each of the 3 ids, got 2"):
        replace(example("abc"), sources=("x", "y"))
