"""Real models that others made give TensorFlow's outputs (../shared/models; goldens: tools/golden/shared_models.py, TF 2.15.1)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import hornbeam as tf

ROOT = Path(__file__).resolve().parents[2]
MODELS = ROOT.parent / "shared" / "models"
pytestmark = pytest.mark.skipif(not MODELS.is_dir(), reason="../shared/models is not here")


@pytest.fixture(scope="module")
def golden() -> Any:
    return np.load(ROOT / "tests" / "golden" / "shared_models.npz")


@pytest.fixture(autouse=True)
def fresh_graph() -> Any:
    with tf.Graph().as_default():
        yield


@pytest.mark.parametrize("name", ["lstm", "gru"])
def test_frozen_recurrent_networks(name: str, golden: Any) -> None:
    tf.import_graph_def(tf.GraphDef.FromString((MODELS / "frozen" / f"{name}.pb").read_bytes()), name="")
    with tf.Session() as sess:
        got = sess.run("output:0", {"X:0": golden[f"{name}/X"], "keep_prob:0": 1.0})
    np.testing.assert_allclose(got, golden[f"{name}/output"], rtol=1e-4, atol=1e-5)


def test_one_regression_as_frozen_graph_and_as_checkpoint(golden: Any) -> None:
    tf.import_graph_def(
        tf.GraphDef.FromString((MODELS / "regression" / "graphdef" / "frozen.pb").read_bytes()), name="frozen"
    )
    saver = tf.train.import_meta_graph(str(MODELS / "regression" / "checkpoint" / "model.meta"))
    with tf.Session() as sess:
        saver.restore(sess, str(MODELS / "regression" / "checkpoint" / "model"))
        frozen = sess.run("frozen/pred:0", {"frozen/X:0": golden["regression/X"]})
        restored = sess.run("pred:0", {"X:0": golden["regression/X"]})
    np.testing.assert_allclose(frozen, golden["regression/frozen"], rtol=1e-6)
    np.testing.assert_allclose(restored, golden["regression/checkpoint"], rtol=1e-6)


def test_a_version_one_checkpoint_with_its_meta_graph(golden: Any) -> None:
    folder = MODELS / "checkpoint_v1" / "half_plus_two" / "00000123"
    saver = tf.train.import_meta_graph(str(folder / "export.meta"))
    with tf.Session() as sess:
        saver.restore(sess, str(folder / "export-?????-of-00001"))
        got = sess.run("y:0", {"x:0": golden["half_plus_two/x"]})
    np.testing.assert_allclose(got, golden["half_plus_two/y"], rtol=1e-6)
