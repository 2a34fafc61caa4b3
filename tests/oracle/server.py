"""Runs in the oracle's interpreter (real TensorFlow): answers requests from stdin on stdout until stdin closes."""

from __future__ import annotations

import os
import sys
from typing import Any

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["CUDA_VISIBLE_DEVICES"] = "-1"

_OUT = os.fdopen(os.dup(1), "wb")
os.dup2(2, 1)  # what TensorFlow prints must not mix with the answers

import numpy as np  # noqa: E402
import tensorflow.compat.v1 as tf  # noqa: E402
import wire  # noqa: E402

tf.disable_eager_execution()


def _session(graph: Any) -> Any:
    config = tf.ConfigProto(intra_op_parallelism_threads=1, inter_op_parallelism_threads=1)
    config.graph_options.rewrite_options.disable_meta_optimizer = True
    return tf.Session(graph=graph, config=config)


def _import(graph_def: bytes) -> Any:
    graph = tf.Graph()
    with graph.as_default():
        tf.import_graph_def(tf.GraphDef.FromString(graph_def), name="")
    return graph


def _shape(t: Any) -> Any:
    return None if t.shape.rank is None else [d.value for d in t.shape.dims]


def run(graph: bytes, fetches: list[str], feeds: dict[str, Any], shapes: list[str] = ()) -> Any:
    """Values of the fetched tensors and the static shapes of `shapes`."""
    g = _import(graph)
    static = {n: _shape(g.get_tensor_by_name(n)) for n in (shapes or fetches)}
    with _session(g) as sess:
        return {"values": [wire.as_array(v) for v in sess.run(list(fetches), feeds)], "shapes": static}


def gradients(
    graph: bytes, ys: list[str], xs: list[str], grad_ys: list[str], feeds: dict[str, Any], forward: list[str]
) -> Any:
    """tf.gradients(ys, xs, grad_ys) and the `forward` fetches; a missing gradient is None, IndexedSlices are made dense."""
    g = _import(graph)
    with g.as_default():
        tensor = g.get_tensor_by_name
        grads = tf.gradients([tensor(y) for y in ys], [tensor(x) for x in xs], [tensor(y) for y in grad_ys])
        grads = [None if d is None else tf.convert_to_tensor(d) for d in grads]
    wanted = [d for d in grads if d is not None]
    with _session(g) as sess:
        values, forwards = sess.run([wanted, [tensor(f) for f in forward]], feeds)
    values = iter(values)
    return {
        "grads": [None if d is None else wire.as_array(next(values)) for d in grads],
        "values": [wire.as_array(f) for f in forwards],
        "shapes": {f: _shape(tensor(f)) for f in forward},
    }


def call(source: str, args: dict[str, Any]) -> Any:
    """Runs Python source that defines `main(**args)` (with `tf` = compat.v1 and `np` at hand) in a fresh graph."""
    space: dict[str, Any] = {"tf": tf, "np": np, "session": _session}
    exec(compile(source, "<oracle>", "exec"), space)
    with tf.Graph().as_default():
        return space["main"](**args)


COMMANDS = {"run": run, "gradients": gradients, "call": call}


def main() -> None:
    while True:
        try:
            request = wire.receive(sys.stdin.buffer)
        except EOFError:
            return
        try:
            answer = {"ok": COMMANDS[request.pop("command")](**request)}
        except BaseException as e:  # noqa: B036  every failure is an answer
            answer = {"error": [type(e).__name__, str(e)]}
        wire.send(_OUT, answer)


if __name__ == "__main__":
    main()
