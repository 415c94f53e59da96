"""The 26-class me-GCN on clips of (64 frames, 25 joints, 2 persons): speed, utilisation, memory, growth.

Utilisation is the rate of model floating-point operations (1.77 GMAC per clip forward, three times that for a training
step) over the rate of a large fp32 matrix product, measured in turns with the network in the same process and with the
same number of threads.
"""

from __future__ import annotations

import math
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import torch
from benchmarks.row import Row
from torch.nn import functional

from interplay.graph.layouts import SkeletonLayout
from interplay.skeleton.network import MutualExcitationGCN
from interplay.training.allocation import keep_freed_memory

FLOP_PER_CLIP = 2 * 1.77e9
CLASSES, FRAMES, JOINTS = 26, 64, 25
ROOT = Path(__file__).resolve().parents[1]
SIZE = 2048
PRECISIONS = {"fp32": torch.float32, "bf16": torch.bfloat16}
Call = Callable[[], object]


def seconds(call: Call, device: torch.device) -> float:
    """Wall time of one call, all queued work included; processor time where there is one thread.

    The latter does not count what other processes take, so that one thread can be measured on a machine in use.
    """
    if device.type == "cpu" and torch.get_num_threads() == 1:
        start = time.process_time()
        call()
        return time.process_time() - start
    if device.type == "cuda":
        torch.cuda.synchronize()
    start = time.perf_counter()
    call()
    if device.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - start


def gemm(device: torch.device, dtype: torch.dtype) -> Call:
    a, b = (torch.randn(SIZE, SIZE, device=device, dtype=dtype) for _ in range(2))
    out = torch.empty(SIZE, SIZE, device=device, dtype=dtype)
    return lambda: torch.mm(a, b, out=out)


def in_turns(calls: dict[str, Call], device: torch.device, rounds: int, warm_up: int = 4) -> dict[str, list[float]]:
    """Seconds of each call in each round, the calls taking turns after rounds that warm up and grow the heap."""
    for _ in range(warm_up):
        for call in calls.values():
            call()
    found: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(rounds):
        for name, call in calls.items():
            found[name].append(seconds(call, device))
    return found


def network(device: torch.device, layout: str | SkeletonLayout = "ntu25") -> MutualExcitationGCN:
    """Random weights, with β, γ and α away from zero so that nothing can be skipped."""
    torch.manual_seed(0)
    made = MutualExcitationGCN(CLASSES, layout)
    with torch.no_grad():
        for name, parameter in made.named_parameters():
            if ".fusion." in name or name.endswith("alpha"):
                parameter.uniform_(-0.5, 0.5)
    return made.to(device)


def inference(
    device: torch.device, precision: str, batch: int, frames: int = FRAMES, layout: str | SkeletonLayout = "ntu25"
) -> Call:
    made = network(device, layout).eval()
    fused = made.fused()
    clips = torch.randn(batch, 3, frames, made.layout.joint_count, 2, device=device)

    def call() -> None:
        with torch.inference_mode(), torch.autocast(device.type, torch.bfloat16, enabled=precision == "bf16"):
            fused(clips)

    return call


def training(device: torch.device, precision: str, batch: int) -> Call:
    """Forward, backward and one step of SGD with Nesterov momentum."""
    made = network(device).train()
    clips = torch.randn(batch, 3, FRAMES, JOINTS, 2, device=device)
    labels = torch.arange(batch, device=device) % CLASSES
    optimiser = torch.optim.SGD(made.parameters(), 0.01, momentum=0.9, nesterov=True, weight_decay=4e-4)

    def call() -> None:
        optimiser.zero_grad()
        with torch.autocast(device.type, torch.bfloat16, enabled=precision == "bf16"):
            logits = made(clips)
        functional.cross_entropy(logits.float(), labels).backward()
        optimiser.step()

    return call


def speed(device: torch.device, batch: int = 32, rounds: int = 7) -> Iterator[Row]:
    """GEMM rates, clips per second and utilisation."""
    name = torch.cuda.get_device_name() if device.type == "cuda" else "cpu"
    threads = "" if device.type == "cuda" else f", threads {torch.get_num_threads()}"
    for precision in PRECISIONS:
        calls = {"fp32": gemm(device, torch.float32), precision: gemm(device, PRECISIONS[precision])}
        found = in_turns(calls, device, rounds)
        rate = 2 * SIZE**3 / statistics.median(found[precision]) / 1e9
        ratio = statistics.median(found["fp32"]) / statistics.median(found[precision])
        yield Row("gemm", f"{precision}, {SIZE}{threads}", rate, "GFLOP/s", ratio, name)
    for kind, factor in (("inference", 1), ("training", 3)):
        for precision in PRECISIONS:
            made = (inference if kind == "inference" else training)(device, precision, batch)
            found = in_turns({"gemm": gemm(device, torch.float32), "network": made}, device, rounds)
            clips = batch / statistics.median(found["network"])
            rates = [
                (batch * factor * FLOP_PER_CLIP / own) / (2 * SIZE**3 / reference)
                for own, reference in zip(found["network"], found["gemm"], strict=True)
            ]
            yield Row(kind, f"{precision}, batch {batch}{threads}", clips, "clips/s", statistics.median(rates), name)


def exponent(sizes: list[int], times: list[float]) -> float:
    """Slope of log time over log size, by least squares."""
    x, y = [math.log(size) for size in sizes], [math.log(value) for value in times]
    mean_x, mean_y = statistics.fmean(x), statistics.fmean(y)
    return sum((a - mean_x) * (b - mean_y) for a, b in zip(x, y, strict=True)) / sum((a - mean_x) ** 2 for a in x)


def chain(joints: int) -> SkeletonLayout:
    names = tuple(f"joint {index}" for index in range(joints))
    parents = tuple(range(-1, joints - 1))
    return SkeletonLayout(f"chain {joints}", names, tuple((v, v - 1) for v in range(1, joints)), parents)


def growth(device: torch.device, rounds: int = 5) -> Iterator[Row]:
    """How inference time grows: exponent 1 is linear."""
    grids: dict[str, dict[int, Call]] = {
        "batch": {size: inference(device, "fp32", size) for size in (4, 8, 16, 32)},
        "frames": {size: inference(device, "fp32", 4, frames=size) for size in (32, 64, 128, 256)},
        "joints": {size: inference(device, "fp32", 4, layout=chain(size)) for size in (15, 25, 50)},
    }
    for name, calls in grids.items():
        found = in_turns({str(size): call for size, call in calls.items()}, device, rounds)
        times = [statistics.median(found[str(size)]) for size in calls]
        value = exponent(list(calls), times)
        yield Row("growth", f"inference fp32 over {name} {min(calls)} to {max(calls)}", value, "exponent", value)


MEMORY = """
import torch
from benchmarks.network import inference, resident, training
torch.set_num_threads({threads})
call = {kind}(torch.device("cpu"), "{precision}", {batch})
with open("/proc/self/clear_refs", "w") as file:
    file.write("5")  # forget the peak of the imports
before = resident("VmRSS")
call(); call()
print(resident("VmHWM") - before)
"""


def resident(what: str) -> float:
    """MiB in memory now (VmRSS) or at most (VmHWM), from the kernel's account of this process."""
    with open("/proc/self/status", encoding="ascii") as file:
        line = next(line for line in file if line.startswith(what))
    return int(line.split()[1]) / 1024


def memory(batch: int = 32) -> Iterator[Row]:
    """Largest resident size over that with the network and its input made, each in a process of its own (Linux)."""
    if not sys.platform.startswith("linux"):
        return
    for kind in ("inference", "training"):
        for precision in PRECISIONS:
            code = MEMORY.format(kind=kind, precision=precision, batch=batch, threads=torch.get_num_threads())
            command = [sys.executable, "-c", code]
            made = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
            yield Row("peak memory", f"{kind} {precision}, batch {batch}", float(made.stdout), "MiB")


def rows() -> Iterator[Row]:
    """All of it on the CPU; speed also on CUDA where there is one."""
    keep_freed_memory()
    yield from speed(torch.device("cpu"))
    if torch.get_num_threads() == 1:
        return
    yield from growth(torch.device("cpu"))
    yield from memory()
    if torch.cuda.is_available():
        torch.backends.cuda.matmul.allow_tf32 = False
        yield from speed(torch.device("cuda"), rounds=15)
