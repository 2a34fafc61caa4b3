"""Writes tests/golden/control_flow: graphs with TensorFlow 1's own control flow (Switch, Merge, Enter …), feeds, and TF's values.

python tools/golden/control_flow.py      (with an interpreter that has tensorflow-cpu==2.15.1)
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import tensorflow.compat.v1 as tf

tf.disable_v2_behavior()
OUT = Path(__file__).resolve().parents[2] / "tests" / "golden" / "control_flow"
rng = np.random.RandomState(0)
SQUARE = np.array([[1, 0.5], [0.2, 1]], np.float32)


def flags(*names):
    return [tf.placeholder(tf.bool, [], name=n) for n in names]


def cond():
    (p,) = flags("p")
    x = tf.placeholder(tf.float32, [3], name="x")
    return [tf.cond(p, lambda: x * 2.0, lambda: x + tf.constant(1.0))]


def cond_nested_gradient():
    p, q = flags("p", "q")
    x = tf.placeholder(tf.float32, [3], name="x")
    y = tf.cond(p, lambda: tf.cond(q, lambda: x * 2, lambda: tf.sin(x)), lambda: (x + 1) * tf.reduce_sum(x))
    return [y, *tf.gradients(y, x)]


def loop(inner):
    n = tf.placeholder(tf.int32, [], name="n")
    x = tf.placeholder(tf.float32, [2, 2], name="x")
    return x, tf.while_loop(lambda i, y: i < n, lambda i, y: (i + 1, inner(tf.matmul(y, x))), [0, x])


def while_loop():
    return list(loop(tf.identity)[1])


def while_gradient():
    x, (_, y) = loop(tf.tanh)
    return [y, *tf.gradients(y, x)]


def dynamic_rnn():
    x = tf.placeholder(tf.float32, [None, 5, 3], name="x")
    o, state = tf.nn.dynamic_rnn(tf.nn.rnn_cell.BasicLSTMCell(4), x, dtype=tf.float32)
    return [o, state.h]


def dynamic_rnn_lengths_gradient():
    x = tf.placeholder(tf.float32, [None, 5, 3], name="x")
    o, state = tf.nn.dynamic_rnn(tf.nn.rnn_cell.GRUCell(4), x, sequence_length=tf.constant([2, 5]), dtype=tf.float32)
    return [o, state, *tf.gradients(o, x)]


def nested():
    n = tf.placeholder(tf.int32, [], name="n")

    def body(i, s):
        _, t = tf.while_loop(lambda j, t: j < i, lambda j, t: (j + 1, t + j * i), [0, 0])
        return i + 1, tf.cond(tf.equal(i % 2, 0), lambda: s + t, lambda: s - t)

    return [tf.while_loop(lambda i, s: i < n, body, [0, 0])[1]]


def map_scan_fold():
    x = tf.placeholder(tf.float32, [4, 2], name="x")
    return [tf.map_fn(lambda r: r * r + 1, x), tf.scan(lambda a, r: a + r, x), tf.foldl(lambda a, r: a * r, x)]


def growing():
    n = tf.placeholder(tf.int32, [], name="n")
    return [
        tf.while_loop(
            lambda i, x: i < n, lambda i, x: (i + 1, tf.concat([x, x[-1:] + 1.0], 0)), [0, tf.zeros([1])],
            shape_invariants=[tf.TensorShape([]), tf.TensorShape([None])],
        )[1]
    ]  # fmt: skip


BOOLS = (True, False)
CASES = {
    cond: [{"p:0": p, "x:0": np.ones(3, "f")} for p in BOOLS],
    cond_nested_gradient: [{"p:0": p, "q:0": q, "x:0": np.arange(3.0, dtype="f")} for p in BOOLS for q in BOOLS],
    while_loop: [{"n:0": n, "x:0": SQUARE} for n in (0, 1, 4)],
    while_gradient: [{"n:0": n, "x:0": SQUARE} for n in (1, 4)],
    dynamic_rnn: [{"x:0": rng.rand(b, 5, 3).astype("f")} for b in (2, 3)],
    dynamic_rnn_lengths_gradient: [{"x:0": rng.rand(2, 5, 3).astype("f")}],
    nested: [{"n:0": n} for n in (0, 3, 6)],
    map_scan_fold: [{"x:0": rng.rand(4, 2).astype("f")}],
    growing: [{"n:0": n} for n in (0, 3)],
}
OUT.mkdir(parents=True, exist_ok=True)
for fn, feeds in CASES.items():
    with tf.Graph().as_default() as g, tf.Session() as sess:
        tf.set_random_seed(1)
        fetches = fn()
        sess.run(tf.global_variables_initializer())
        values = {}
        for i, feed in enumerate(feeds):
            values |= {f"feed_{i}_{k}": v for k, v in feed.items()}
            values |= {f"value_{i}_{j}": v for j, v in enumerate(sess.run(fetches, feed))}
        graph = g.as_graph_def()
        if tf.global_variables():
            graph = tf.graph_util.convert_variables_to_constants(sess, graph, [f.op.name for f in fetches])
    (OUT / f"{fn.__name__}.pb").write_bytes(graph.SerializeToString(deterministic=True))
    np.savez_compressed(OUT / f"{fn.__name__}.npz", fetches=np.array([f.name for f in fetches]), **values)
