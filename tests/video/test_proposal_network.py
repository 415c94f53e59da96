"""The region proposal network itself, with random weights from a local file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tests.data.video_clips import encode
from tests.video.test_run_cli import write_video

from interplay.cli import main
from interplay.data.proposals import ProposalStore
from interplay.data.video_folder import VideoFolder
from interplay.errors import InterplayError
from interplay.video.proposal_network import ProposalNetwork, ProposalSettings, write_proposals

SMALL = {"frames": 2, "boxes": 3, "short": 48}


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Faster R-CNN's state dict as torchvision would save it."""
    torch.manual_seed(0)
    network = ProposalNetwork(ProposalSettings("random", **SMALL), random=True)
    file = tmp_path_factory.mktemp("detector") / "detector.pth"
    torch.save(network.detector.state_dict(), file)
    return file


def test_a_local_file_makes_the_boxes_of_a_folder_and_goes_on_where_it_stopped(
    weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mine" / "waving").mkdir(parents=True)
    for name in ("a", "b"):
        write_video(tmp_path / "mine" / "waving" / f"{name}.mp4", 6)
    given = ["data", "proposals", "video_folder", str(tmp_path / "mine"), "--data.folds", "1"]
    given += [word for key, value in SMALL.items() for word in (f"--{key}", str(value))]
    given += ["--detector", str(weights), "--out", str(tmp_path / "boxes")]
    seen: list[Any] = []
    of = ProposalNetwork.of

    def counted(self: ProposalNetwork, source: Any) -> Any:
        seen.append(source)
        if len(seen) == 2:
            raise KeyboardInterrupt
        return of(self, source)

    with monkeypatch.context() as patch:
        patch.setattr(ProposalNetwork, "of", counted)
        assert main(given) == 130  # killed between the clips
        with pytest.raises(InterplayError):
            ProposalStore(tmp_path / "boxes")
        assert main(given) == 0
    assert len(seen) == 3  # the first clip's boxes are not made again
    assert "rpn proposals of 2 videos" in capsys.readouterr().out
    store = ProposalStore(tmp_path / "boxes")
    assert store.kind == "rpn"
    for name in ("waving/a", "waving/b"):
        boxes = store[name].at([0, 5], 3)
        assert boxes.shape == (2, 3, 4)
        assert bool((boxes[..., 2:] >= boxes[..., :2]).all())
        assert bool(((boxes >= 0) & (boxes <= 1)).all())
    told = json.loads((tmp_path / "boxes" / "proposals.json").read_text())
    assert weights.name in json.dumps(told)
    assert str(weights.parent) not in json.dumps(told)  # no places of this machine


def test_boxes_come_best_first_and_as_shares_of_the_frame(weights: Path) -> None:
    network = ProposalNetwork(ProposalSettings(str(weights), **SMALL))
    frames = torch.from_numpy(np.random.default_rng(0).integers(0, 255, (2, 40, 90, 3), np.uint8))
    for boxes, marks in network(frames):
        assert boxes.shape == (len(marks), 4)
        assert 1 <= len(marks) <= 3
        assert bool((marks.diff() <= 0).all())
        assert bool(((marks >= 0) & (marks <= 1)).all())
        assert bool(((boxes >= 0) & (boxes <= 1)).all())
    alone = network(frames[1:])[0][0]
    torch.testing.assert_close(network(frames)[1][0], alone, rtol=1e-4, atol=1e-4)


def test_weights_that_do_not_fit_are_one_line(tmp_path: Path) -> None:
    torch.save({"conv.weight": torch.zeros(3)}, tmp_path / "other.pth")
    with pytest.raises(InterplayError, match="does not fit Faster R-CNN"):
        ProposalNetwork(ProposalSettings(str(tmp_path / "other.pth"), **SMALL))


class Dark(ProposalNetwork):
    """Instead of a detector: a box whose corner says how bright the frame is at the top left."""

    def forward(self, frames: torch.Tensor) -> list[tuple[torch.Tensor, torch.Tensor]]:
        return [(torch.tensor([[0.0, 0.0, float(f[0, 0, 0]) / 256, 1.0]]), torch.ones(1)) for f in frames]


def test_boxes_follow_an_exchanged_video_and_belong_to_their_weights(tmp_path: Path) -> None:
    (tmp_path / "mine" / "x").mkdir(parents=True)
    for name in ("a", "b"):
        encode(tmp_path / "mine" / "x" / f"{name}.avi", np.zeros((4, 32, 32, 3), np.uint8), "mpeg4")
    torch.manual_seed(1)
    network = Dark(ProposalSettings("none", **SMALL), random=True)

    def made() -> tuple[int, list[str]]:
        dataset = VideoFolder(tmp_path / "mine", folds=1)
        rows = range(len(dataset))
        return write_proposals(dataset, tmp_path / "boxes", network.settings, rows, network=lambda: network)

    assert made() == (2, [])
    encode(tmp_path / "mine" / "x" / "a.avi", np.full((4, 32, 32, 3), 250, np.uint8), "mpeg4")
    encode(tmp_path / "mine" / "x" / "c.avi", np.zeros((4, 32, 32, 3), np.uint8), "mpeg4")  # the data set has grown
    assert made() == (3, [])
    store = ProposalStore(tmp_path / "boxes")
    corners = {name: float(store[name].at([0], 1)[0, 0, 2]) for name in store}
    assert corners["x/a"] > 0.9
    assert max(corners["x/b"], corners["x/c"]) < 0.1
    network.detector.rpn.head.cls_logits.bias.data.add_(1)
    with pytest.raises(InterplayError, match="proposals of other settings"):
        made()
