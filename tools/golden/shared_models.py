"""Writes tests/golden/shared_models.npz: TensorFlow's outputs for the real models in ../shared/models on fixed inputs.

python tools/golden/shared_models.py      (with an interpreter that has tensorflow-cpu==2.15.1)
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import tensorflow.compat.v1 as tf

tf.disable_v2_behavior()
ROOT = Path(__file__).resolve().parents[2]
MODELS = ROOT.parent / "shared" / "models"
rng = np.random.RandomState(0)
out = {}

for name in ("lstm", "gru"):
    graph = tf.GraphDef.FromString((MODELS / "frozen" / f"{name}.pb").read_bytes())
    with tf.Graph().as_default(), tf.Session() as sess:
        tf.import_graph_def(graph, name="")
        x = rng.rand(3, 784).astype("f")
        out[f"{name}/X"] = x
        out[f"{name}/output"] = sess.run("output:0", {"X:0": x, "keep_prob:0": 1.0})

x = rng.rand(7).astype("f")
out["regression/X"] = x
graph = tf.GraphDef.FromString((MODELS / "regression" / "graphdef" / "frozen.pb").read_bytes())
with tf.Graph().as_default(), tf.Session() as sess:
    tf.import_graph_def(graph, name="")
    out["regression/frozen"] = sess.run("pred:0", {"X:0": x})
with tf.Graph().as_default(), tf.Session() as sess:
    saver = tf.train.import_meta_graph(str(MODELS / "regression" / "checkpoint" / "model.meta"))
    saver.restore(sess, str(MODELS / "regression" / "checkpoint" / "model"))
    out["regression/checkpoint"] = sess.run("pred:0", {"X:0": x})
with tf.Graph().as_default(), tf.Session() as sess:
    folder = MODELS / "checkpoint_v1" / "half_plus_two" / "00000123"
    meta = tf.MetaGraphDef.FromString((folder / "export.meta").read_bytes())
    meta.meta_info_def.tensorflow_version = "0.12.0"  # as written ("0.12.head") TF 2.15 cannot parse it
    saver = tf.train.import_meta_graph(meta)
    saver.restore(sess, str(folder / "export-?????-of-00001"))
    out["half_plus_two/x"] = x[:, None]
    out["half_plus_two/y"] = sess.run("y:0", {"x:0": x[:, None]})
np.savez_compressed(ROOT / "tests" / "golden" / "shared_models.npz", **out)
