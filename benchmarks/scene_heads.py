"""Scene-graph models at full size with random weights: what SIL costs, VCTree beside MOTIFS, growth in pairs, memory.

``python benchmarks/run.py --only scene_heads --parts 'sil/motifs/*' 'growth/*'`` measures what the patterns name:

- ``sil/HEAD/OBJECTS``: PredCls inference with SIL over without, a picture of 600 × 1000, ResNeXt-101-32×8d with FPN,
  every pair scored, pixels to ranked triplets;
- ``vctree/TASK/OBJECTS``: VCTree's head over MOTIFS' on given features;
- ``growth/HEAD/TASK``: exponent of a head's time in pairs, 90 to 6,320, pair cap off, on given features;
- ``memory/HEAD``, ``memory/motifs+sil``: largest resident size of a training step of SGCls, in which every part of
  every head trains: two such pictures, 1,024 pairs each (KERN 256; Graph R-CNN keeps 256 of the 1,024), detector and
  momentum included, in a process of its own (Linux);
- ``memory300/HEAD``, ``memory300/motifs+sil``: the same of PredCls inference on a picture of 300 objects: 89,700 pairs,
  none left out but by Graph R-CNN's own proposals.

Counts are as sparse as real ones: KERN's speed depends on how many predicates of two classes occur.
"""

from __future__ import annotations

import fnmatch
import gc
import statistics
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from benchmarks.network import Call, exponent, in_turns
from benchmarks.row import Row

from interplay.data.scene_statistics import SceneStatistics
from interplay.data.scenes import BACKGROUND, Vocabulary
from interplay.scene.detector.model import CERTAIN
from interplay.scene.detector.source import DetectorSource
from interplay.scene.heads import HEADS, head_class
from interplay.scene.model import ModelSettings, SceneGraphModel
from interplay.scene.preparation import SceneBatch, SceneTarget
from interplay.scene.sampling import PairSampling, all_pairs
from interplay.scene.structures import Entities, Task, UnionFeatures
from interplay.scene.superpixel import SuperpixelSettings

PAPERS = tuple(name for name in HEADS if name != "frequency")
CPU = torch.device("cpu")
ROOT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Scale:
    """Sizes of everything: the paper's by default.

    Args:
        classes, predicates: without the background.
        width: of entity and union features; of the detector's box head.
        backbone, channels: of the detector.
        height, breadth: of the picture.
        objects: pictures with so many are timed.
        growth: numbers of objects whose pairs growth is measured over.
        pairs, pairs_kern: per picture in training.
        training_objects: per picture in training.
        many: objects of the picture whose memory is measured in inference.
        head: options of every head beside its defaults.
        rounds: of each timing.
    """

    classes: int = 150
    predicates: int = 50
    width: int = 4096
    backbone: str = "resnext101_32x8d"
    channels: int = 256
    height: int = 600
    breadth: int = 1000
    objects: tuple[int, ...] = (20, 80)
    growth: tuple[int, ...] = (10, 20, 40, 80)
    pairs: int = 1024
    pairs_kern: int = 256
    training_objects: int = 64
    many: int = 300
    head: tuple[tuple[str, int], ...] = ()
    rounds: int = 3


FULL = Scale()
TINY = Scale(6, 5, 16, "small", 16, 64, 96, (4, 6), (3, 5, 8), 24, 8, 8, 12, rounds=1)
"""For tests of this file: the numbers mean nothing."""


@cache
def world(scale: Scale) -> tuple[Vocabulary, SceneStatistics]:
    """Names, and counts of 300,000 made-up relations whose classes and predicates are long-tailed."""
    draw = np.random.default_rng(0)
    names = Vocabulary(
        (BACKGROUND, *(f"class {number}" for number in range(scale.classes))),
        (BACKGROUND, *(f"predicate {number}" for number in range(scale.predicates))),
    )
    subject, partner = (1 + (draw.zipf(1.2, 300_000) - 1) % scale.classes for _ in range(2))
    # Which predicates two classes know: a few, other ones for other classes.
    likely = (subject * 7 + partner * 13 + draw.zipf(1.8, 300_000)) % scale.predicates + 1
    foreground = np.zeros((scale.classes + 1, scale.classes + 1, scale.predicates + 1), np.int64)
    np.add.at(foreground, (subject, partner, likely), 1)
    pairs = 3 * foreground.sum(2)
    images = np.minimum(pairs.sum(1), 57_723)
    return names, SceneStatistics(foreground, pairs, pairs, images, np.minimum(pairs, images[:, None]))


def options(name: str, scale: Scale, cap: bool) -> dict[str, Any]:
    """Options of a head: full widths; without Graph R-CNN's cap; BGNN with its graph from the first step."""
    import inspect

    known = inspect.signature(head_class(name)).parameters
    made: dict[str, Any] = {key: value for key, value in scale.head if key in known}
    if not cap and "keep_pairs" in known:
        made["keep_pairs"] = None
    if "pretraining_steps" in known:
        made["pretraining_steps"] = 0
    return made


def target(objects: int, scale: Scale, seed: int) -> SceneTarget:
    """Boxes of 3 % to 60 % of a side, frequent classes, a relation for every object."""
    draw = np.random.default_rng(seed)
    sides = np.exp(draw.uniform(np.log(0.03), np.log(0.6), (objects, 2))) * (scale.breadth, scale.height)
    low = draw.random((objects, 2)) * ((scale.breadth - 1, scale.height - 1) - sides)
    boxes = torch.from_numpy(np.concatenate([low, low + sides], axis=1)).float()
    labels = torch.from_numpy(1 + (draw.zipf(1.2, objects) - 1) % scale.classes)
    others = torch.arange(objects).roll(1)
    predicates = torch.from_numpy(draw.integers(1, scale.predicates + 1, objects))
    return SceneTarget(boxes, labels, torch.stack([torch.arange(objects), others, predicates], dim=1))


def batch(objects: int, scale: Scale, images: int = 1) -> SceneBatch:
    padded = (-(-side // 32) * 32 for side in (scale.height, scale.breadth))
    pixels = 50 * torch.randn(images, 3, *padded, generator=torch.Generator().manual_seed(0))
    sizes = torch.tensor([[float(scale.breadth), float(scale.height)]]).repeat(images, 1)
    targets = tuple(target(objects, scale, seed) for seed in range(images))
    return SceneBatch(tuple(map(str, range(images))), pixels, sizes, torch.ones(images, 2), targets)


def model(name: str, task: Task, scale: Scale, sil: bool) -> SceneGraphModel:
    """Full widths, random weights."""
    torch.manual_seed(0)
    names, counts = world(scale)
    source = DetectorSource(scale.backbone, scale.channels, scale.width)  # type: ignore[arg-type]
    tiny: dict[str, Any] = {"heads": 1, "cei_heads": 1, "clusters": 4}
    settings = SuperpixelSettings(**(tiny if scale.channels < 256 else {}))
    return SceneGraphModel(
        names,
        counts,
        ModelSettings(task, width=scale.width, sil=sil),
        {"name": name, **options(name, scale, cap=True)},
        source.build(names),
        settings if sil else None,
    )


def sil_over_without(name: str, objects: int, scale: Scale) -> Iterator[Row]:
    """One network, whose SIL block is used or passed by in turns."""
    network = model(name, "predcls", scale, sil=True).eval()
    with_sil, given = network.settings, batch(objects, scale)

    def answer(sil: bool) -> Call:
        def call() -> None:
            network.settings = replace(with_sil, sil=sil)
            network.answer(given)

        return call

    found = in_turns({"without": answer(False), "with": answer(True)}, CPU, scale.rounds, warm_up=1)
    ratio = statistics.median(a / b for a, b in zip(found["with"], found["without"], strict=True))
    setting = f"sil/{name}/{objects}, PredCls inference{threads()}"
    yield Row("scene_heads", f"{setting}, with SIL", statistics.median(found["with"]), "s", None)
    yield Row("scene_heads", f"{setting}, without", statistics.median(found["without"]), "s", None)
    yield Row("scene_heads", f"{setting}, with SIL over without", ratio, "ratio", ratio)


def head_call(name: str, task: Task, objects: int, scale: Scale, given: torch.Tensor) -> Call:
    """One forward of a head on given features, every pair, in chunks as in testing."""
    torch.manual_seed(0)
    names, counts = world(scale)
    widths = {"entity_width": scale.width, "union_width": scale.width}
    head = head_class(name)(names, counts, task, **widths, **options(name, scale, cap=False)).eval()
    true = target(objects, scale, objects)
    sizes = torch.tensor([[float(scale.breadth), float(scale.height)]])
    one_hot = torch.nn.functional.one_hot(true.labels, scale.classes + 1)
    certain = (2 * one_hot - 1) * CERTAIN if task == "predcls" else 4.0 * one_hot
    entities = Entities(
        (objects,), true.boxes, sizes, certain.float(), true.labels if task == "predcls" else None, None, None
    )
    pairs = all_pairs(entities)
    x = torch.randn(objects, scale.width, generator=torch.Generator().manual_seed(1)).relu()
    union = UnionFeatures.of(given[: len(pairs.index)], ModelSettings().chunk)

    def call() -> None:
        with torch.inference_mode():
            head(x, union, entities, pairs)

    return call


def union_features(objects: int, scale: Scale) -> torch.Tensor:
    draw = torch.Generator().manual_seed(2)
    return torch.randn(objects * (objects - 1), scale.width, generator=draw).relu()


def vctree_over_motifs(task: Task, objects: int, scale: Scale) -> Iterator[Row]:
    given = union_features(objects, scale)
    calls = {name: head_call(name, task, objects, scale, given) for name in ("motifs", "vctree")}
    found = in_turns(calls, CPU, 4 * scale.rounds, warm_up=2)
    ratio = statistics.median(a / b for a, b in zip(found["vctree"], found["motifs"], strict=True))
    setting = f"vctree/{task}/{objects}, head on given features{threads()}"
    for name, times in found.items():
        yield Row("scene_heads", f"{setting}, {name}", 1000 * statistics.median(times), "ms", None)
    yield Row("scene_heads", f"{setting}, VCTree over MOTIFS", ratio, "ratio", ratio)


def growth(name: str, task: Task, scale: Scale) -> Iterator[Row]:
    given = union_features(max(scale.growth), scale)
    times = []
    for objects in scale.growth:  # one head in memory at a time
        call = head_call(name, task, objects, scale, given)
        times.append(statistics.median(in_turns({name: call}, CPU, scale.rounds, warm_up=1)[name]))
        del call
        gc.collect()
    pairs = [objects * (objects - 1) for objects in scale.growth]
    setting = f"growth/{name}/{task}, {min(pairs)} to {max(pairs)} pairs{threads()}"
    value = exponent(pairs, times)
    yield Row("scene_heads", f"{setting}, largest", 1000 * times[-1], "ms", None)
    yield Row("scene_heads", setting, value, "exponent", value)
    # A head whose fixed part weighs most has a small exponent; the last step shows what more pairs cost.
    yield Row("scene_heads", f"{setting}, last step", exponent(pairs[-2:], times[-2:]), "exponent", None)


def training_steps(name: str, scale: Scale, steps: int = 2) -> None:
    """Steps of the whole model in training: detector, features, head, losses, gradients, momentum."""
    from interplay.scene.schedule import SceneOptimiser, build_optimiser
    from interplay.scene.task import relation_loss

    head, _, sil = name.partition("+")
    network = model(head, "sgcls", scale, sil=sil == "sil").train()
    cap = scale.pairs_kern if head == "kern" else scale.pairs
    sampling, draws = PairSampling(cap=cap), torch.Generator().manual_seed(0)
    given = batch(scale.training_objects, scale, images=2)
    optimiser = build_optimiser(network, SceneOptimiser(base_lr=1e-6), batch=2)
    for _ in range(steps):
        optimiser.zero_grad()
        scored = network(given, sampling=sampling, generator=draws)
        counts = scored.output.pairs.counts
        expected = min(cap, getattr(network.head, "keep_pairs", None) or cap)
        assert min(counts) >= expected, f"{name}: {counts} pairs, expected {expected} a picture"
        torch.stack(list(relation_loss(scored).values())).sum().backward()
        optimiser.step()


def answer_many(name: str, scale: Scale) -> None:
    """PredCls of one picture with many objects, every pair scored and ranked."""
    head, _, sil = name.partition("+")
    network = model(head, "predcls", scale, sil=sil == "sil").eval()
    (answer,) = network.answer(batch(scale.many, scale))
    pairs = scale.many * (scale.many - 1)
    expected = min(pairs, getattr(network.head, "keep_pairs", None) or pairs)
    assert len(answer.pairs) == expected, f"{name}: {len(answer.pairs)} pairs, expected {expected}"


PROCESS = """
import torch
from benchmarks import scene_heads
from benchmarks.network import resident
torch.set_num_threads({threads})
scene_heads.{work}({name!r}, scene_heads.Scale(**{scale!r}))
print(resident("VmHWM"))
"""


def largest_size(part: str, work: Callable[[str, Scale], None], name: str, scale: Scale) -> float:
    """GiB of a process that does nothing but the work.

    VmHWM: unlike getrusage's ru_maxrss it does not begin at the size of the process that started this one.
    """
    code = PROCESS.format(threads=torch.get_num_threads(), work=work.__name__, name=name, scale=asdict(scale))
    made = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=False)
    if made.returncode:
        raise RuntimeError(f"{part}/{name}: {made.stderr.strip().splitlines()[-1:] or made.returncode}")
    return float(made.stdout) / 1024


def memory(name: str, scale: Scale) -> Iterator[Row]:
    if not sys.platform.startswith("linux"):
        return
    pairs = scale.pairs_kern if name == "kern" else scale.pairs
    setting = f"memory/{name}, SGCls training step, 2 pictures of {scale.height} × {scale.breadth}, {pairs} pairs each"
    yield Row("scene_heads", setting, largest_size("memory", training_steps, name, scale), "GiB", None)


def memory_of_many(name: str, scale: Scale) -> Iterator[Row]:
    if not sys.platform.startswith("linux"):
        return
    pairs = scale.many * (scale.many - 1)
    setting = (
        f"memory{scale.many}/{name}, PredCls inference, a picture of {scale.height} × {scale.breadth}, "
        f"{scale.many} objects, {pairs} pairs"
    )
    size = largest_size(f"memory{scale.many}", answer_many, name, scale)
    yield Row("scene_heads", setting, size, "GiB", None)


def threads() -> str:
    return f", threads {torch.get_num_threads()}"


def measurements(scale: Scale = FULL) -> dict[str, Callable[[], Iterator[Row]]]:
    """What can be measured, by name."""
    made: dict[str, Callable[[], Iterator[Row]]] = {}
    first, *more = scale.objects
    for head in PAPERS:
        made[f"sil/{head}/{first}"] = lambda head=head: sil_over_without(head, first, scale)
    for objects in more:
        made[f"sil/motifs/{objects}"] = lambda objects=objects: sil_over_without("motifs", objects, scale)
    tasks: tuple[Task, ...] = ("predcls", "sgcls")
    for task in tasks:
        for objects in scale.objects:
            made[f"vctree/{task}/{objects}"] = lambda task=task, objects=objects: vctree_over_motifs(
                task, objects, scale
            )
    for task in tasks:
        for head in PAPERS:
            made[f"growth/{head}/{task}"] = lambda head=head, task=task: growth(head, task, scale)
    for head in (*PAPERS, "motifs+sil"):
        made[f"memory/{head}"] = lambda head=head: memory(head, scale)
        made[f"memory{scale.many}/{head}"] = lambda head=head: memory_of_many(head, scale)
    return made


def rows(parts: Sequence[str] = (), scale: Scale = FULL) -> Iterator[Row]:
    """Measurements whose names fit one of the patterns, one after the other; all of them without patterns."""
    for name, measure in measurements(scale).items():
        if not parts or any(fnmatch.fnmatch(name, part) for part in parts):
            yield from measure()
            gc.collect()
