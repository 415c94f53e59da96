"""AGOS: utilisation of the backbone, share of the graph part, grouped execution against the loop, search step, growth.

``python benchmarks/run.py --only agos --parts 'grouped*' growth`` measures what the patterns name:

- ``backbone``: 32 × 224 × 224, batch norms folded; its convolutions' rate over that of a large fp32 matrix product;
- ``kernels``: each kind of kernel in 3-D as PyTorch has it, and in the form used here, over the same rate;
- ``share``: seconds of everything behind the backbone over those of the whole clip, discrete and search;
- ``grouped``: clips of different structures together against clip by clip, batch 32, paper's width and a quarter of it;
- ``search``: a step of the search on given maps (forward, backward, SGD) and its largest resident size (Linux);
- ``growth``: exponents of the graph part's time over nodes, batch and frames.
"""

from __future__ import annotations

import fnmatch
import statistics
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence

import torch
from benchmarks.network import ROOT, SIZE, Call, exponent, gemm, in_turns
from benchmarks.row import Row
from torch import Tensor
from torch.nn import functional

from interplay.training.allocation import keep_freed_memory
from interplay.video.backbone import InflatedResNet50
from interplay.video.cell import Cell
from interplay.video.convolution import convolve
from interplay.video.cost import backbone_cost
from interplay.video.network import AGOS
from interplay.video.settings import BackboneSettings, VideoSettings
from interplay.video.state import ClipContext, NodeLayout, NodeState

CLASSES = 174
PRECISIONS = {"fp32": torch.float32, "bf16": torch.bfloat16}
RATE = 2 * SIZE**3


def name_of(device: torch.device) -> str:
    return torch.cuda.get_device_name() if device.type == "cuda" else "cpu"


def without_gradients(call: Call) -> Call:
    def made() -> None:
        with torch.inference_mode():
            call()

    return made


def backbone(device: torch.device, rounds: int = 3) -> Iterator[Row]:
    """Clips per second, and the rate of the convolutions over the fp32 product's."""
    torch.manual_seed(0)
    network = InflatedResNet50().to(device).eval()
    clip = torch.randn(1, 3, 32, 224, 224, device=device)
    flop = 2 * backbone_cost(network).products
    for precision, dtype in PRECISIONS.items():
        folded = network.folded(dtype)
        calls = {"gemm": gemm(device, torch.float32), "network": without_gradients(lambda folded=folded: folded(clip))}
        found = in_turns(calls, device, rounds, warm_up=1)
        ratios = [flop / own / (RATE / other) for own, other in zip(found["network"], found["gemm"], strict=True)]
        clips = 1 / statistics.median(found["network"])
        yield Row(
            "backbone", f"{precision}, 32 x 224 x 224", clips, "clips/s", statistics.median(ratios), name_of(device)
        )


def kernels(device: torch.device, rounds: int = 5) -> Iterator[Row]:
    """One convolution of each kind at the size of res3."""
    for kernel, inputs, outputs in (((3, 1, 1), 512, 128), ((1, 3, 3), 128, 128), ((1, 1, 1), 128, 512)):
        x = torch.randn(1, inputs, 16, 28, 28, device=device).contiguous(memory_format=torch.channels_last_3d)
        weight = torch.randn(outputs, inputs, *kernel, device=device)
        padding = tuple(size // 2 for size in kernel)
        calls = {
            "gemm": gemm(device, torch.float32),
            "conv3d": without_gradients(lambda x=x, w=weight, p=padding: functional.conv3d(x, w, padding=p)),
            "here": without_gradients(lambda x=x, w=weight: convolve(x, w)),
        }
        found = in_turns(calls, device, rounds, warm_up=1)
        flop = 2 * weight.numel() * 16 * 28 * 28
        for form in ("conv3d", "here"):
            took = statistics.median(found[form])
            ratio = flop / took / (RATE / statistics.median(found["gemm"]))
            shape = "x".join(map(str, kernel))
            yield Row("backbone kernels", f"{shape}, {form}", flop / took / 1e9, "GFLOP/s", ratio, name_of(device))


def graph(width: int = 256, frames: int = 32, boxes: int = 10) -> AGOS:
    """Behind a backbone that is not used; structure weights large, so that clips choose different structures."""
    torch.manual_seed(0)
    model = VideoSettings(width=width)
    small = BackboneSettings(width=64, blocks=(1, 1, 1, 1))
    made = AGOS(CLASSES, model=model, backbone=small, frames=frames, boxes=boxes)
    with torch.no_grad():
        for parameter in made.structure_parameters():
            parameter.normal_()
    return made


def maps(network: AGOS, batch: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Made-up maps and boxes."""
    steps, boxes = network.layout.steps, network.layout.boxes
    ends = torch.rand(batch, steps, boxes, 2, 2, device=device)
    features = torch.randn(batch, network.backbone.channels, steps, *network.grid, device=device).relu()
    return features, torch.cat((ends.amin(dim=3), ends.amax(dim=3)), dim=-1)


def behind(network: AGOS, batch: int, device: torch.device, mode: str) -> Call:
    features, boxes = maps(network, batch, device)
    network = network.to(device).eval()
    return without_gradients(lambda: network(None, boxes, features=features, mode=mode))


def share(device: torch.device, rounds: int = 3) -> Iterator[Row]:
    """Of the whole clip's time, one clip at a time."""
    folded = InflatedResNet50().to(device).eval().folded()
    clip = torch.randn(1, 3, 32, 224, 224, device=device)
    calls: dict[str, Call] = {"backbone": without_gradients(lambda: folded(clip))}
    calls |= {mode: behind(graph(), 1, device, mode) for mode in ("discrete", "search")}
    found = {name: statistics.median(times) for name, times in in_turns(calls, device, rounds, warm_up=1).items()}
    for mode in ("discrete", "search"):
        part = found[mode] / (found[mode] + found["backbone"])
        yield Row(
            "graph part", f"{mode}, share of the clip's time", 1000 * found[mode], "ms/clip", part, name_of(device)
        )


def forms(width: int, batch: int, device: torch.device) -> dict[str, Call]:
    """A cell on clips of structures drawn at random: all together, and clip by clip."""
    torch.manual_seed(0)
    layout = NodeLayout()
    cell = Cell(VideoSettings(width=width), layout).to(device).eval()
    nodes = torch.randn(batch, layout.nodes, width, device=device)
    background = torch.randn(batch, layout.steps, layout.cells, width, device=device)
    positions = torch.rand(batch, layout.nodes, 3, device=device)
    choices = torch.randint(len(cell.space), (batch, len(cell.superedges)), device=device)

    def run(rows: slice) -> Tensor:
        state = NodeState(nodes[rows], ClipContext(background[rows], positions[rows], layout.boxes))
        return cell.discrete(state, choices[rows])

    return {
        "together": without_gradients(lambda: run(slice(None))),
        "loop": without_gradients(lambda: torch.cat([run(slice(clip, clip + 1)) for clip in range(batch)])),
    }


def grouped(device: torch.device, batch: int = 32, rounds: int = 5) -> Iterator[Row]:
    """At the paper's width and at a quarter of it."""
    threads = "" if device.type == "cuda" else f", threads {torch.get_num_threads()}"
    for width in (256, 64):
        found = in_turns(forms(width, batch, device), device, rounds, warm_up=1)
        together, loop = (statistics.median(found[name]) for name in ("together", "loop"))
        setting = f"batch {batch}, width {width}{threads}: loop over grouped"
        yield Row("grouped", setting, batch / together, "clips/s", loop / together, name_of(device))


def search_step(device: torch.device, batch: int = 16, width: int = 256) -> Call:
    """Forward, backward and SGD of everything behind the backbone, on given maps."""
    network = graph(width).to(device).train()
    features, boxes = maps(network, batch, device)
    labels = torch.arange(batch, device=device) % CLASSES
    optimiser = torch.optim.SGD(network.operation_parameters(), 0.01, momentum=0.9, weight_decay=1e-4)

    def call() -> None:
        optimiser.zero_grad()
        found = network(None, boxes, features=features, mode="search")
        loss = functional.cross_entropy(found.logits, labels)
        (loss + 0.1 * network.diversity_loss(found.weights)).backward()
        optimiser.step()

    return call


MEMORY = """
import torch
from benchmarks.agos import search_step
from benchmarks.network import resident
torch.set_num_threads({threads})
call = search_step(torch.device("cpu"), {batch})
with open("/proc/self/clear_refs", "w") as file:
    file.write("5")  # forget the peak of the imports
before = resident("VmRSS")
call(); call()
print(resident("VmHWM") - before)
"""


def search(device: torch.device, batch: int = 16, rounds: int = 3) -> Iterator[Row]:
    """Seconds and memory of a step."""
    found = in_turns({"step": search_step(device, batch)}, device, rounds, warm_up=1)
    yield Row("search step", f"fp32, batch {batch}", statistics.median(found["step"]), "s", None, name_of(device))
    if device.type == "cpu" and sys.platform.startswith("linux"):
        code = MEMORY.format(batch=batch, threads=torch.get_num_threads())
        command = [sys.executable, "-c", code]
        made = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
        yield Row("search step", f"fp32, batch {batch}: peak memory", float(made.stdout), "MiB")


def growth(device: torch.device, rounds: int = 3) -> Iterator[Row]:
    """Of the search's forward pass; exponent 1 is linear, 2 is what affinities between all nodes tend to."""
    grids: dict[str, dict[int, Call]] = {
        "batch": {size: behind(graph(), size, device, "search") for size in (1, 2, 4, 8)},
        "boxes per frame": {size: behind(graph(boxes=size), 1, device, "search") for size in (5, 10, 20, 40)},
        "frames": {size: behind(graph(frames=size), 1, device, "search") for size in (16, 32, 64, 128)},
    }
    for name, calls in grids.items():
        found = in_turns({str(size): call for size, call in calls.items()}, device, rounds, warm_up=1)
        value = exponent(list(calls), [statistics.median(found[str(size)]) for size in calls])
        setting = f"AGOS's graph part over {name} {min(calls)} to {max(calls)}"
        yield Row("growth", setting, value, "exponent", value, name_of(device))


PARTS: dict[str, Callable[[torch.device], Iterator[Row]]] = {
    "backbone": backbone,
    "kernels": kernels,
    "share": share,
    "grouped": grouped,
    "search": search,
    "growth": growth,
}


def rows(parts: Sequence[str] = ()) -> Iterator[Row]:
    """What the patterns name, or everything; on the CPU, and on CUDA where there is one."""
    keep_freed_memory()
    devices = [torch.device("cpu")] + ([torch.device("cuda")] if torch.cuda.is_available() else [])
    for device in devices:
        for name, part in PARTS.items():
            if not parts or any(fnmatch.fnmatch(name, pattern) for pattern in parts):
                yield from part(device)
