"""Annotated pictures through the full-size pipeline (ResNeXt-101 with FPN, MOTIFS), SGCls and SGGen, and drawn.

    python examples/full_size_scene_graphs.py VRD_FOLDER --pictures 1 --out drawn [--sil]
    python examples/full_size_scene_graphs.py FOLDER --dataset plain_scenes --weights detector.pth

Relation weights are random, the detector's too unless given: this shows shapes, seconds, memory and drawings, but no
answers worth having.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import replace
from pathlib import Path

import torch

from interplay.data.datasets import open_scenes
from interplay.data.scenes import SceneImage, Vocabulary
from interplay.errors import InterplayError
from interplay.scene.detector.source import DetectorSource
from interplay.scene.recogniser import SceneRecogniser
from interplay.viz.scenes import scene as draw
from interplay.viz.style import save

CLEAR, STATUS = Path("/proc/self/clear_refs"), Path("/proc/self/status")


def peak(reset: bool = False) -> float:
    """GiB of the process at most since the last reset; nan where the system does not tell (not Linux)."""
    if not STATUS.exists():
        return float("nan")
    if reset:
        CLEAR.write_text("5")
    return next(int(line.split()[1]) for line in STATUS.read_text().splitlines() if line.startswith("VmHWM")) / 2**20


def network(task: str, names: Vocabulary, options: argparse.Namespace) -> SceneRecogniser:
    """Full widths unless asked otherwise."""
    torch.manual_seed(0)
    wide = {"backbone": options.backbone, "channels": options.channels, "width": options.width}
    made = SceneRecogniser(
        names.classes[1:],
        names.predicates[1:],
        model={"task": task, "width": options.width, "sil": options.sil, "chunk": options.chunk},
        head={"name": "motifs"},
        preparation={"short": options.short, "long": max(options.short * 5 // 3, options.short), "channels": "bgr"},
        detector=wide,
        sil={} if options.sil else None,
    ).eval()
    detector = made.network.detector
    if options.weights:
        detector.load_state_dict(DetectorSource(**wide, weights=options.weights).build(names).state_dict())
    for part in (detector, detector.proposals, detector.box_head):
        part.settings = replace(part.settings, detections=options.detections)
    return made


def show(recogniser: SceneRecogniser, task: str, picture: SceneImage, folder: Path) -> None:
    """One line of figures, one drawing."""
    peak(reset=True)
    start = time.perf_counter()
    found = recogniser.predict(picture)
    seconds, pixels = time.perf_counter() - start, picture.pixels()
    width, height = recogniser.preparation(picture).size
    objects = len(found.details["entities"])
    file = save(draw(pixels, found), folder / f"{Path(picture.id).stem}_{task}")[0]
    print(
        f"{task} {picture.id}: {pixels.shape[1]} × {pixels.shape[0]} → {width} × {height}, {objects} objects, ", end=""
    )
    print(f"{len(found.interactions)} triplets named, {seconds:.1f} s, {peak():.2f} GiB at most: {file}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("root", type=Path, help="folder of the data set")
    parser.add_argument("--dataset", default="vrd", help="its format (docs/data_scenes.md)")
    parser.add_argument("--pictures", type=int, default=30, help="at most")
    parser.add_argument("--out", type=Path, default=Path("drawn"))
    parser.add_argument("--tasks", nargs="+", default=["sgcls", "sggen"], choices=["predcls", "sgcls", "sggen"])
    parser.add_argument("--sil", action="store_true")
    parser.add_argument("--weights", help="of the detector")
    parser.add_argument("--detections", type=int, default=80, help="per picture in SGGen")
    parser.add_argument("--chunk", type=int, default=512, help="pairs at a time: memory, not results, depend on it")
    parser.add_argument("--backbone", default="resnext101_32x8d", choices=["resnext101_32x8d", "resnet50", "small"])
    for name, value in (("channels", 256), ("width", 4096), ("short", 600)):
        parser.add_argument(f"--{name}", type=int, default=value)
    options = parser.parse_args()
    data = open_scenes(options.dataset, options.root)
    pictures: list[SceneImage] = []
    for index in data.parts()["test"].tolist():
        try:
            if len(pictures) < options.pictures and (read := data.read(index)).file is not None:
                pictures.append(read)
        except InterplayError as error:
            print(error)
    for task in options.tasks:  # one network in memory at a time, both with the same weights
        recogniser = network(task, data.vocabulary, options)
        print(f"{task}: {sum(p.numel() for p in recogniser.parameters()) / 1e6:.0f} million weights, {peak():.2f} GiB")
        for picture in pictures:
            try:
                show(recogniser, task, picture, options.out)
            except InterplayError as error:
                print(f"{task} {picture.id}: {error}")
        del recogniser


if __name__ == "__main__":
    main()
