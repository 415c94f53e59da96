"""``interplay evaluate --predictions FILE --protocol …`` through the command line."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from tests.evaluation.scene_graph.generated import PREDICATES, ZERO_SHOT, image
from tests.evaluation.scene_graph.oracle import PlainOpenImages, PlainVisualGenome, PlainVisualRelationships

from interplay.cli import main
from interplay.evaluation.scene_graph import GroundTruth, Predicted


@pytest.fixture(scope="module")
def images() -> list[tuple[GroundTruth, Predicted]]:
    draw = np.random.default_rng(8)
    return [image(draw, "sgcls") for _ in range(12)]


@pytest.fixture(scope="module")
def file(images: list[tuple[GroundTruth, Predicted]], tmp_path_factory: pytest.TempPathFactory) -> Path:
    rows = [
        {
            "gt_boxes": truth.boxes.tolist(),
            "gt_labels": truth.labels.tolist(),
            "gt_rels": truth.relations.tolist(),
            "pred_boxes": said.boxes.tolist(),
            "pred_labels": said.labels.tolist(),
            "pred_scores": said.scores.tolist(),
            "pairs": said.pairs.tolist(),
            "rel_scores": said.predicate_scores.tolist(),
        }
        for truth, said in images
    ]
    path = tmp_path_factory.mktemp("predictions") / "mine.json"
    header = {
        "num_predicates": PREDICATES,
        "zeroshot": ZERO_SHOT.tolist(),
        "predicate_names": ["__background__", "on", "near", "of", "by", "in"],
        "predicate_counts": [0, 50, 40, 30, 20, 10],
    }
    path.write_text(json.dumps({**header, "images": rows}))
    return path


def test_visual_genome(
    file: Path, images: list[tuple[GroundTruth, Predicted]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["evaluate", "--predictions", str(file), "--protocol", "vg", "--task", "sgcls", "--at", "3", "20"]
    assert main([*command, "--relation-nms", "corrected", "--resamples", "50", "--out", str(tmp_path)]) == 0
    text = capsys.readouterr().out
    assert text.startswith("mine.json (vg, sgcls): 12 images")
    assert "mR@20 tail" in text
    result = json.loads((tmp_path / "result.json").read_text())
    assert {"model", "dataset", "protocol", "metrics", "count", "seed", "commit", "versions"} <= set(result)
    assert result["protocol"]["relation_nms"] == "corrected"
    assert result["protocol"]["intervals"]["resamples"] == 50
    plain = PlainVisualGenome(PREDICATES, "sgcls", (3, 20), ZERO_SHOT, "corrected")
    for given in images:
        plain.update(*given)
    for name, value in plain.metrics().items():
        assert result["metrics"][name]["value"] == pytest.approx(value, abs=1e-12), name
    with (tmp_path / "per_predicate.csv").open(newline="") as table:
        rows = list(csv.DictReader(table))
    assert [row["name"] for row in rows] == ["on", "near", "of", "by", "in"]
    assert sum(float(row["R@20"]) for row in rows) / 5 == pytest.approx(result["metrics"]["mR@20"]["value"], abs=1e-5)


@pytest.mark.parametrize("protocol", ["openimages", "vrd"])
def test_the_other_protocols(
    protocol: str,
    file: Path,
    images: list[tuple[GroundTruth, Predicted]],
    capsys: pytest.CaptureFixture[str],
) -> None:
    command = ["evaluate", "--predictions", str(file), "--protocol", protocol, "--json", "--resamples", "0"]
    assert main(command) == 0
    result = json.loads(capsys.readouterr().out)
    plain: PlainOpenImages | PlainVisualRelationships
    if protocol == "openimages":
        plain = PlainOpenImages(PREDICATES, (1, 5, 10, 20, 50, 100))
    else:
        plain = PlainVisualRelationships(("phrase", "relationship"), (50, 100), (1, 10, 70), ZERO_SHOT)
    for given in images:
        plain.update(*given)
    for name, value in plain.metrics().items():
        assert result["metrics"][name]["value"] == pytest.approx(value, abs=1e-9), name
        assert result["metrics"][name]["low"] is None


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--protocol", "vg", "--relation-nms", "penet"], "with sggen"),
        (["--protocol", "vrd", "--task", "sgcls"], "expected predcls or sggen"),
        (["--protocol", "vg", "--at", "0"], "ks: found"),
        (["--protocol", "vg", "--fuse"], "expected no --data, no --fuse"),
        (["--protocol", "vg", "--resamples", "1"], "at least 2"),
        (["--protocol", "vg", "more.npz"], "unknown model"),
    ],
)
def test_one_line_for_what_does_not_fit(
    arguments: list[str], message: str, file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    order = (
        ["evaluate", *arguments] if "more.npz" in arguments else ["evaluate", "--predictions", str(file), *arguments]
    )
    assert main(order) == 2
    error = capsys.readouterr().err
    assert error.startswith("interplay: error: ")
    assert error.count("\n") == 1
    assert message in error


def test_an_image_that_does_not_fit_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bad = tmp_path / "bad.json"
    one = {"id": "street", "gt_boxes": [[0, 0, 1, 1]], "gt_labels": [1], "gt_rels": [[0, 0, 1]]}
    said = {"pred_boxes": [[0, 0, 1, 1]] * 2, "pred_labels": [1, 1], "pred_scores": [1, 1]}
    bad.write_text(
        json.dumps({"num_predicates": 2, "images": [one | said | {"pairs": [[0, 1]], "rel_scores": [[0.5, 0.5]]}]})
    )
    assert main(["evaluate", "--predictions", str(bad), "--protocol", "vg", "--task", "predcls"]) == 2
    assert "image street: found pairs: found index 1" in capsys.readouterr().err
