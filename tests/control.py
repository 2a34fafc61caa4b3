"""Building a control flow program of `oracle/cases_control.py` with its gradients: shared by the tests here and against TensorFlow."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

import hornbeam as tf
from tests.oracle.cases_control import FIRST_ORDER_ONLY, PROGRAMS


@dataclass
class Built:
    """A program's graph: inputs, outputs, first and second derivatives with respect to x, w and the variables."""

    graph: Any
    x: Any
    w: Any
    p: Any
    n: Any
    outputs: list[Any]
    first: list[Any] = field(default_factory=list)
    second: list[Any] = field(default_factory=list)
    loss: Any = None
    xs: list[Any] = field(default_factory=list)
    assigns: list[tuple[str, str, np.ndarray]] = field(default_factory=list)

    @property
    def fetches(self) -> list[Any]:
        return self.outputs + [g for g in self.first + self.second if g is not None]

    def feeds(self, p: bool, n: int, seed: int = 0) -> dict[Any, Any]:
        r = np.random.RandomState(seed)
        t = self.x.dtype.as_numpy_dtype
        return {
            self.x: r.randn(4, 3).astype(t),
            self.w: (r.randn(3, 3) * 0.7).astype(t),
            self.p: np.array(p),
            self.n: np.int32(n),
        }


def build(name: str, dtype: Any = tf.float32, second: bool | None = None) -> Built:
    with tf.Graph().as_default() as graph:
        graph.seed = 1
        x = tf.placeholder(dtype, [4, 3], name="x")
        w = tf.placeholder(dtype, [3, 3], name="w")
        p = tf.placeholder(tf.bool, [], name="p")
        n = tf.placeholder(tf.int32, [], name="n")
        outputs = [tf.convert_to_tensor(t) for t in tf.nest.flatten(PROGRAMS[name](tf, x, w, p, n))]
        b = Built(graph, x, w, p, n, outputs)
        variables = tf.global_variables()
        b.xs = [x, w, *variables]
        b.loss = tf.add_n([tf.reduce_sum(tf.sin(t)) for t in outputs if t.dtype.is_floating])
        b.first = tf.gradients(b.loss, b.xs)
        if second if second is not None else name not in FIRST_ORDER_ONLY:
            square = tf.add_n([tf.reduce_sum(tf.square(tf.convert_to_tensor(g))) for g in b.first if g is not None])
            b.second = tf.gradients(square, b.xs)
        b.first = [None if g is None else tf.convert_to_tensor(g) for g in b.first]
        b.second = [None if g is None else tf.convert_to_tensor(g) for g in b.second]
        r = np.random.RandomState(7)
        for v in variables:
            given = tf.placeholder(v.dtype.base_dtype, v.shape)
            value = (r.randn(*v.shape.as_list()) * 0.5).astype(dtype.as_numpy_dtype)
            b.assigns.append((tf.assign(v, given).op.name, given.name, value))
    return b
