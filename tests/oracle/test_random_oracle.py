"""The random programs at full size against real TensorFlow, and the nodes the public functions make."""

from __future__ import annotations

import numpy as np
import pytest

from hornbeam.api import init_ops, random_ops
from hornbeam.core.graph import Graph
from tests.ops import random_cases
from tests.ops.random_cases import CASES, Case
from tests.oracle.compare import needs_oracle, oracle

pytestmark = needs_oracle
SIZE = 100_003


@pytest.mark.parametrize("case", CASES, ids=lambda c: c.name)
def test_values_are_tensorflows_at_size(case: Case) -> None:
    here, there = random_cases.run_here(case, SIZE), random_cases.run_there(case, SIZE)
    for run, (mine, theirs) in enumerate(zip(here, there, strict=True)):
        for i, (a, b) in enumerate(zip(mine, theirs, strict=True)):
            assert random_cases.distance(np.asarray(a), np.asarray(b)) <= case.ulps, f"run {run}, output {i}"


NODES = """
def main(program, seed):
    if seed is not None:
        tf.set_random_seed(seed)
    eval(program)
    return [
        [n.name, n.op, list(n.input), n.attr["seed"].i, n.attr["seed2"].i]
        for n in tf.get_default_graph().as_graph_def().node
    ]
"""


class _Names:
    """`tf` as the expressions below use it."""

    def __getattr__(self, name: str):
        return getattr(random_ops, name, None) or getattr(init_ops, name)


PROGRAMS = [
    "tf.random_uniform([2, 3], -1, 1, seed=3)",
    "tf.random_normal([2, 3], 1, 2, seed=3)",
    "tf.truncated_normal([2], 1, 2, seed=-3)",
    "tf.random_shuffle([1, 2, 3], seed=3)",
    "tf.random_crop(tf.zeros_initializer()([5, 6, 3]), [2, 2, 3], seed=3)",
    "tf.multinomial([[1., 2.]], 4, seed=3)",
    "tf.random_gamma([4], [1., 2.], seed=3)",
    "tf.random_gamma([4], [1., 2.], beta=3., seed=3)",
    "tf.random_poisson([1., 2.], [4], seed=3)",
    "tf.glorot_uniform_initializer()([3, 4])",
    "tf.variance_scaling_initializer(distribution='untruncated_normal')([3, 4])",
    "tf.orthogonal_initializer(gain=2.)([3, 4, 5])",
    "tf.zeros_initializer()([300, 40])",
    "tf.ones_initializer()([3, 4])",
    "tf.constant_initializer(7)([3, 4])",
    "[tf.random_normal([2]), tf.random_normal([2], seed=9), tf.random_normal([2]), tf.truncated_normal([2])]",
]


@pytest.mark.parametrize("seed", [None, 7])
@pytest.mark.parametrize("source", PROGRAMS)
def test_functions_make_tensorflows_nodes(source: str, seed: int | None) -> None:
    with Graph().as_default() as graph:
        if seed is not None:
            random_ops.set_random_seed(seed)
        eval(source, {"tf": _Names()})
        nodes = [[n.name, n.op, list(n.input), n.attr["seed"].i, n.attr["seed2"].i] for n in graph.as_graph_def().node]
    unused = "random_crop/Assert/Const"  # TensorFlow converts the message twice
    assert nodes == [n for n in oracle().call(NODES, program=source, seed=seed) if n[0] != unused]
