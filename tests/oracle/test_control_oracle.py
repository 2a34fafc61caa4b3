"""Control flow here against TensorFlow: the GraphDef written here, gradients and second derivatives included, gives the same values there."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import hornbeam as tf
from tests.control import build

from . import cases_control
from .cases_control import PROGRAMS
from .compare import needs_oracle, oracle

pytestmark = [pytest.mark.oracle, needs_oracle]

RUN = """
import numpy as np
import tensorflow.compat.v1 as tf

def main(graph, feeds, fetches, assigns):
    with tf.Graph().as_default():
        tf.import_graph_def(tf.GraphDef.FromString(graph), name="")
        with tf.Session() as session:
            for op, given, value in assigns:
                session.run(op, {given: value})
            return [np.asarray(v) for v in session.run(list(fetches), dict(feeds))]
"""


@pytest.mark.parametrize("name", sorted(PROGRAMS))
def test_loops_and_branches_written_here_run_in_tensorflow(name: str) -> None:
    b = build(name)
    graph = b.graph.as_graph_def().SerializeToString()
    for p, n in ((True, 3), (False, 5)):
        feeds = b.feeds(p, n)
        with tf.Session(graph=b.graph) as session:
            for op, given, value in b.assigns:
                session.run(op, {given: value})
            ours = session.run(b.fetches, feeds)
        theirs = oracle().call(
            RUN,
            graph=graph,
            feeds={k.name: v for k, v in feeds.items()},
            fetches=[f.name for f in b.fetches],
            assigns=[list(a) for a in b.assigns],
        )
        for fetch, mine, expected in zip(b.fetches, ours, theirs, strict=True):
            assert np.asarray(mine).dtype == expected.dtype, fetch.name
            np.testing.assert_allclose(mine, expected, rtol=5e-4, atol=5e-5, err_msg=fetch.name)


SAME = """
import numpy as np
import tensorflow.compat.v1 as tf
tf.disable_eager_execution()

def main(text, name, x, w, p, n):
    scope = {}
    exec(text, scope)
    with tf.Graph().as_default():
        dtype = tf.as_dtype(x.dtype)
        a = tf.placeholder(dtype, x.shape), tf.placeholder(dtype, w.shape), tf.placeholder(tf.bool, []), tf.placeholder(tf.int32, [])
        outputs = [tf.convert_to_tensor(t) for t in tf.nest.flatten(scope["PROGRAMS"][name](tf, *a))]
        loss = tf.add_n([tf.reduce_sum(tf.sin(t)) for t in outputs if t.dtype.is_floating])
        grads = [g for g in tf.gradients(loss, a[:2]) if g is not None]
        with tf.Session() as session:
            return [np.asarray(v) for v in session.run(outputs + grads, dict(zip(a, (x, w, p, n))))]
"""


WITHOUT_VARIABLES = [
    n
    for n, f in sorted(PROGRAMS.items())
    if f.__name__ == n and not {"get_variable", "rnn_cell"} & set(f.__code__.co_names)
]


@pytest.mark.parametrize("name", WITHOUT_VARIABLES)
def test_the_same_program_gives_what_it_gives_in_tensorflow(name: str) -> None:
    b = build(name, second=False)
    feeds = b.feeds(True, 3)
    with tf.Session(graph=b.graph) as session:
        ours = session.run(b.outputs + [g for g in b.first[:2] if g is not None], feeds)
    x, w, p, n = feeds.values()
    theirs = oracle().call(SAME, text=Path(cases_control.__file__).read_text("utf-8"), name=name, x=x, w=w, p=p, n=n)
    for mine, expected in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(mine, expected, rtol=5e-4, atol=5e-5)
