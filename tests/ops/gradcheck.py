"""Gradients against central differences in float64, for rules with no TensorFlow to ask: `check("Erf", [F(3, t="float64")])`."""

from __future__ import annotations

from typing import Any

import numpy as np

import hornbeam as tf
from tests.oracle.cases import case
from tests.oracle.compare import add_grad_ys, build, gradients_here, run_here


def check(
    op_type: str, inputs: list[Any], step: float = 1e-6, rtol: float = 1e-5, atol: float = 1e-6, **attrs: Any
) -> None:
    """Every float64 input's gradient of sum(outputs * random weights), element by element."""
    c = case(op_type, *inputs, **attrs)
    b = build(c)
    values = run_here(b.graph, b.outputs, b.feeds)
    add_grad_ys(b, c, values)
    grads = gradients_here(b)
    analytic = iter(run_here(b.graph, [g for g in grads if g is not None], b.feeds))
    weights = [b.feeds[g] for g in b.grad_ys]

    with tf.Session(graph=b.graph) as session:

        def loss(feeds: dict[str, Any]) -> float:
            ys = session.run(b.ys, feeds)
            return float(sum(np.sum(y * w) for y, w in zip(ys, weights, strict=True)))

        for x, g in zip(b.xs, grads, strict=True):
            if g is None:
                continue
            exact, base = next(analytic), b.feeds[x]
            numeric = np.zeros_like(base)
            for i in np.ndindex(base.shape):
                moved = [base.copy(), base.copy()]
                moved[0][i] += step
                moved[1][i] -= step
                numeric[i] = (loss({**b.feeds, x: moved[0]}) - loss({**b.feeds, x: moved[1]})) / (2 * step)
            np.testing.assert_allclose(exact, numeric, rtol=rtol, atol=atol, err_msg=f"{op_type} gradient by {x}")
