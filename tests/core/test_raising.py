"""Graphs with TensorFlow 1's own control flow give TensorFlow's values (goldens: tools/golden/control_flow.py, TF 2.15.1)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import hornbeam as tf

GOLDEN = Path(__file__).resolve().parents[1] / "golden" / "control_flow"


@pytest.mark.parametrize("name", sorted(p.stem for p in GOLDEN.glob("*.pb")))
def test_dataflow_control_flow_gives_tensorflows_values(name: str) -> None:
    data = np.load(GOLDEN / f"{name}.npz")
    fetches = [str(f) for f in data["fetches"]]
    with tf.Graph().as_default():
        tf.import_graph_def(tf.GraphDef.FromString((GOLDEN / f"{name}.pb").read_bytes()), name="")
        with tf.Session() as sess:
            runs = {k.split("_")[1] for k in data.files if k.startswith("feed_")}
            for i in sorted(runs):
                feed = {k.split("_", 2)[2]: data[k] for k in data.files if k.startswith(f"feed_{i}_")}
                for _ in range(2):  # the second run is the compiled one
                    for j, got in enumerate(sess.run(fetches, feed)):
                        np.testing.assert_allclose(got, data[f"value_{i}_{j}"], rtol=1e-5, atol=1e-6)


def test_a_branch_value_used_outside_its_condition_is_refused_by_name() -> None:
    graph = tf.GraphDef()
    graph.node.add(name="p", op="Placeholder").attr["dtype"].type = 10
    x = graph.node.add(name="x", op="Placeholder")
    x.attr["dtype"].type = 1
    s = graph.node.add(name="s", op="Switch", input=["x", "p"])
    s.attr["T"].type = 1
    for name, port in (("a", "s:1"), ("b", "s:0")):
        graph.node.add(name=name, op="Neg", input=[port]).attr["T"].type = 1
    graph.node.add(name="m", op="Merge", input=["a", "b"]).attr["T"].type = 1
    graph.node[-1].attr["N"].i = 2
    graph.node.add(name="both", op="Add", input=["a", "b"]).attr["T"].type = 1
    with tf.Graph().as_default(), pytest.raises((ValueError, tf.errors.OpError), match="both|'s'"):
        tf.import_graph_def(graph, name="")
        with tf.Session() as sess:
            sess.run("both:0", {"p:0": True, "x:0": 1.0})
