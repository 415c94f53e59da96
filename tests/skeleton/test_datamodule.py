from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from interplay.data.cache import ClipCache
from interplay.data.sbu import SBU
from interplay.errors import InterplayError
from interplay.skeleton.datamodule import SkeletonData, TrainingInput, open_cache
from interplay.skeleton.inputs import pad_clips
from interplay.skeleton.transforms import network_input


@pytest.fixture
def cache(tiny_sbu: Path) -> ClipCache:
    return open_cache(SBU(tiny_sbu, test_fold=3), TrainingInput())


def settings(**values: object) -> TrainingInput:
    return TrainingInput(**{"window": 8, "batch_size": 4, "evaluation_batch": 3, **values})  # type: ignore[arg-type]


def epoch_batches(module: SkeletonData, epoch: int, world: int = 1) -> list[torch.Tensor]:
    return [
        torch.cat([module.training_batch(epoch, number, rank).rows for rank in range(world)])
        for number in range(module.steps)
    ]


def test_an_epoch_visits_every_training_clip_once_in_an_order_of_its_own(cache: ClipCache) -> None:
    module = SkeletonData(cache, settings(), seed=1)
    orders = [torch.cat(epoch_batches(module, epoch)).tolist() for epoch in (0, 1)]
    train = cache.parts()["train"].tolist()
    assert sorted(orders[0]) == sorted(orders[1]) == sorted(train)
    assert orders[0] != orders[1]


def test_clips_that_do_not_fill_a_batch_are_left_out(cache: ClipCache) -> None:
    module = SkeletonData(cache, settings(batch_size=5), seed=1)
    assert module.steps == 3
    seen = [set(torch.cat(epoch_batches(module, epoch)).tolist()) for epoch in range(8)]
    assert all(len(clips) == 15 for clips in seen)
    assert len(set.union(*seen)) == 16  # not the same one each time
    assert SkeletonData(cache, settings(batch_size=100), seed=1).batch_size == 16


def test_a_batch_depends_on_seed_epoch_and_clip_only(cache: ClipCache) -> None:
    strong = settings(mirror=0.5, scale=0.2, shear=0.2, noise=0.05, entity_swap=0.5)
    a = SkeletonData(cache, strong, seed=1)
    b = SkeletonData(cache, strong, seed=1)
    for epoch in (5, 0, 2):  # another history
        b.training_batch(epoch, 0)
    torch.manual_seed(3)
    assert torch.equal(a.training_batch(2, 1).clips, b.training_batch(2, 1).clips)
    assert not torch.equal(a.training_batch(2, 1).clips, a.training_batch(3, 1).clips)
    other = SkeletonData(cache, strong, seed=2)
    assert not torch.equal(a.training_batch(2, 1).rows, other.training_batch(2, 1).rows)


def test_a_clip_s_augmentation_does_not_depend_on_its_batch(cache: ClipCache) -> None:
    strong = {"mirror": 0.5, "scale": 0.2, "shear": 0.2, "noise": 0.05, "entity_swap": 0.5}
    small = SkeletonData(cache, settings(batch_size=2, **strong), seed=1)
    large = SkeletonData(cache, settings(batch_size=16, **strong), seed=1)
    whole = large.training_batch(0, 0)
    part = small.training_batch(0, 3)
    where = [whole.rows.tolist().index(row) for row in part.rows.tolist()]
    torch.testing.assert_close(part.clips, whole.clips[where], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("world", [2, 4])
def test_processes_share_a_batch(cache: ClipCache, world: int) -> None:
    alone = SkeletonData(cache, settings(), seed=1)
    together = SkeletonData(cache, settings(), seed=1, world=world)
    for one, many in zip(epoch_batches(alone, 0), epoch_batches(together, 0, world), strict=True):
        assert sorted(one.tolist()) == sorted(many.tolist())
    assert len(together.training_batch(0, 0, 1).rows) == 4 // world
    shares = [together.evaluation_batch("test", 2, "cpu", rank, world).rows for rank in range(world)]
    assert torch.cat(shares).sort().values.tolist() == alone.evaluation_batch("test", 2).rows.tolist()
    assert [len(share) for share in shares] == [1, 1, 0, 0][:world]


def test_a_batch_that_cannot_be_shared_evenly(cache: ClipCache) -> None:
    with pytest.raises(InterplayError, match="found 4, expected a multiple of 3 processes"):
        SkeletonData(cache, settings(), seed=1, world=3)


def test_evaluation_is_what_a_loaded_model_does(cache: ClipCache) -> None:
    form = settings(axes=(-2.0, 1.0, 0.5), streams=("joint", "motion"))
    module = SkeletonData(cache, form, seed=1)
    batches = [looks[0] for looks in module.iterate("test", "cpu")]
    assert [len(batch.rows) for batch in batches] == [3, 3, 2]
    padded, lengths = pad_clips([cache.clip(row) for row in batches[0].rows.tolist()], form.form)
    expected = network_input(padded, lengths, form.form, form.streams, cache.layout)
    assert torch.equal(batches[0].clips, expected)
    assert module.in_channels == batches[0].clips.shape[1] == 6
    assert batches[0].labels.tolist() == cache.labels[batches[0].rows.numpy()].tolist()


def test_without_augmentation_training_differs_by_the_crop_only(cache: ClipCache) -> None:
    # A window as long as the longest clip: the training crop, never shorter than the window, is the whole clip.
    form = settings(window=14, rotation=0.0, crop=1.0, axes=(1.0, -1.0, 2.0))
    module = SkeletonData(cache, form, seed=1)
    batch = module.training_batch(0, 0)
    padded, lengths = pad_clips([cache.clip(row) for row in batch.rows.tolist()], form.form)
    expected = network_input(padded, lengths, form.form, form.streams, cache.layout)
    torch.testing.assert_close(batch.clips, expected)


def test_entity_swap_exchanges_the_two(cache: ClipCache) -> None:
    plain = SkeletonData(cache, settings(center="none", rotation=0.0), seed=1).training_batch(0, 0).clips
    swapped = SkeletonData(cache, settings(center="none", rotation=0.0, entity_swap=1.0), seed=1).training_batch(0, 0)
    torch.testing.assert_close(swapped.clips, plain.flip(-1))


def test_the_fold_may_change_between_runs_on_clips_in_memory(tiny_sbu: Path) -> None:
    first = open_cache(SBU(tiny_sbu, test_fold=3), TrainingInput())
    second = open_cache(SBU(tiny_sbu, test_fold=1), TrainingInput())
    assert second._data is first._data  # read once
    assert {first.ids[row].split("/")[0] for row in first.parts()["test"]} == {"fold3"}
    assert {second.ids[row].split("/")[0] for row in second.parts()["test"]} == {"fold1"}


def test_a_prepared_cache_trains_as_memory_does(tiny_sbu: Path, tmp_path: Path) -> None:
    on_disk = settings(cache="disk", cache_folder=str(tmp_path / "cache"), workers=1)
    disk = SkeletonData(open_cache(SBU(tiny_sbu, test_fold=3), on_disk, progress=False), on_disk, seed=1)
    memory = SkeletonData(open_cache(SBU(tiny_sbu, test_fold=3), settings()), settings(), seed=1)
    a, b = disk.training_batch(0, 0), memory.training_batch(0, 0)
    assert torch.equal(a.rows, b.rows)
    torch.testing.assert_close(a.clips, b.clips, atol=2e-3, rtol=0)  # float16


def test_training_needs_labels_and_both_parts(cache: ClipCache) -> None:
    every = cache.parts()
    with pytest.raises(InterplayError, match="found no test clips"):
        SkeletonData(cache.with_parts({"train": every["train"]}), settings(), seed=1)
    blank = cache.with_parts(every)
    blank.labels = np.full_like(cache.labels, -1)
    with pytest.raises(InterplayError, match="no training clip with a label"):
        SkeletonData(blank, settings(), seed=1)
    half = cache.with_parts(every)
    half.labels = cache.labels.copy()
    half.labels[every["test"]] = -1
    half.labels[every["train"][:6]] = -1
    module = SkeletonData(half, settings(), seed=1)
    assert module.evaluation_parts == ()
    assert len(module.parts["train"]) == 10


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"streams": ()}, "input.streams"),
        ({"rotation": 4.0}, "input.rotation"),
        ({"mirror": 1.5}, "input.mirror"),
        ({"entity_swap": -0.1}, "input.entity_swap"),
        ({"scale": 1.0}, "input.scale"),
        ({"shear": -0.1}, "input.shear"),
        ({"noise": -1.0}, "input.noise"),
        ({"batch_size": 0}, "input.batch_size"),
        ({"evaluation_batch": 0}, "input.evaluation_batch"),
        ({"window": 0}, "input.window"),
    ],
)
def test_values_out_of_range_name_their_key(values: dict[str, object], said: str) -> None:
    with pytest.raises(InterplayError, match=f"^{said}: found "):
        settings(**values)
