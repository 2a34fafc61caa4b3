"""Session behaviour: fetches, feeds, state, threads, cuts for values, traces, and the user's JAX left alone."""

from __future__ import annotations

import collections
import threading
from typing import Any

import numpy as np
import pytest

import hornbeam as tf


@pytest.fixture(autouse=True)
def fresh_graph() -> Any:
    with tf.Graph().as_default() as g:
        yield g


def test_fetches_nest_and_keep_their_types() -> None:
    Pair = collections.namedtuple("Pair", "a b")
    x = tf.constant([1.0, 2.0])
    y = tf.constant(3)
    with tf.Session() as sess:
        got = sess.run(
            {"p": Pair(x, [y, (x.op, y)]), "o": collections.OrderedDict([("z", y), ("a", x)]), "name": "Const:0"}
        )
    assert isinstance(got["p"], Pair) and isinstance(got["o"], collections.OrderedDict) and list(got["o"]) == ["z", "a"]
    assert got["p"].b == [3, (None, 3)]
    assert isinstance(got["p"].b[0], np.int32)
    np.testing.assert_array_equal(got["name"], [1, 2])


def test_any_tensor_can_be_fed() -> None:
    a = tf.constant(2.0)
    b = a * 3.0
    c = b + 1.0
    with tf.Session() as sess:
        assert sess.run(c) == 7
        assert sess.run(c, {b: 10.0}) == 11
        assert sess.run([b, c], {a: 1.0}) == [3, 4]


def test_a_step_reads_before_it_writes_and_control_dependencies_order_the_rest() -> None:
    v = tf.Variable(1.0)
    loss = v * 2.0
    step = v.assign_add(1.0)
    with tf.control_dependencies([step]):
        after = tf.identity(v.read_value())
    with tf.Session() as sess:
        sess.run(v.initializer)
        for i in range(1, 4):
            got_loss, got_after = sess.run([loss, after])
            assert got_after == i + 1
            assert got_loss in (2.0 * i, 2.0 * (i + 1))
        assert sess.run(v) == 4


def test_values_that_shapes_depend_on_may_come_from_anywhere() -> None:
    n = tf.placeholder(tf.int32, [])
    x = tf.placeholder(tf.float32, [None])
    rows = tf.reshape(tf.range(n * 2), [n, 2])
    kept = tf.boolean_mask(x, x > 0.0)
    total = tf.reduce_sum(kept) + tf.cast(tf.shape(rows)[0], tf.float32)
    sized = tf.fill([tf.shape(kept)[0]], 1.5)
    with tf.Session() as sess:
        for i in (1, 4, 2):
            t, r, s = sess.run([total, rows, sized], {n: i, x: [-1.0, 2.0, 3.0][: i + 1]})
            assert r.shape == (i, 2)
            assert t == {1: 2.0 + 1, 4: 5.0 + 4, 2: 5.0 + 2}[i]
            assert s.shape == ({1: 1, 4: 2, 2: 2}[i],)


def test_host_work_between_compiled_parts() -> None:
    x = tf.placeholder(tf.float32, [2])
    doubled = x * 2.0
    seen: list[Any] = []

    def look(v: Any) -> Any:
        seen.append(v.copy())
        return v + 1

    y = tf.py_func(look, [doubled], tf.float32)
    y.set_shape([2])
    z = tf.reduce_sum(tf.exp(y))
    text = tf.strings.join([tf.as_string(tf.cast(z, tf.int32)), "!"])
    with tf.Session() as sess:
        for _ in range(3):
            assert sess.run(text, {x: [0.0, 0.0]}) == b"5!"
    assert len(seen) == 3


def test_threads_share_variables_without_losing_an_update() -> None:
    v = tf.get_variable("v", initializer=np.zeros([64], np.float32))
    add = v.assign_add(np.ones([64], np.float32))
    total = tf.reduce_sum(v)
    sess = tf.Session()
    sess.run(v.initializer)
    errors: list[BaseException] = []

    def work() -> None:
        try:
            for _ in range(50):
                sess.run(add)
                assert sess.run(total) > 0
                assert sess.run(v).shape == (64,)
        except BaseException as e:
            errors.append(e)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not errors
    assert sess.run(v).tolist() == [200.0] * 64


def test_sixty_four_bit_values_stay_and_the_users_jax_is_left_alone() -> None:
    import jax.numpy as jnp

    x = tf.placeholder(tf.int64, [])
    y = tf.placeholder(tf.float64, [])
    with tf.Session() as sess:
        a, b = sess.run([x * 3, y + 1e-12], {x: 2**40, y: 1.0})
        assert a == 3 * 2**40 and a.dtype == np.int64
        assert b == 1.0 + 1e-12 and b.dtype == np.float64
    assert jnp.arange(3).dtype == np.int32
    assert jnp.asarray(1.0).dtype == np.float32


def test_make_callable_and_partial_run() -> None:
    x = tf.placeholder(tf.float32, [])
    y = tf.placeholder(tf.float32, [])
    a = x + 1.0
    b = a * y
    with tf.Session() as sess:
        f = sess.make_callable([a, b], [x, y])
        assert f(1.0, 3.0) == [2.0, 6.0]
        assert f(2.0, 3.0) == [3.0, 9.0]
        handle = sess.partial_run_setup([a, b], [x, y])
        assert sess.partial_run(handle, a, {x: 4.0}) == 5.0
        assert sess.partial_run(handle, b, {y: 2.0}) == 10.0


def test_a_full_trace_gives_step_stats_of_every_node() -> None:
    x = tf.placeholder(tf.float32, [8, 4], name="x")
    w = tf.get_variable("w", initializer=np.ones([4, 2], np.float32))
    y = tf.nn.relu(tf.matmul(x, w, name="product"), name="activation")
    metadata = tf.RunMetadata()
    options = tf.RunOptions(trace_level=tf.RunOptions.FULL_TRACE)
    with tf.Session() as sess:
        sess.run(w.initializer)
        got = sess.run(y, {x: np.ones([8, 4])}, options=options, run_metadata=metadata)
    np.testing.assert_array_equal(got, np.full([8, 2], 4.0))
    (device,) = metadata.step_stats.dev_stats
    stats = {n.node_name: n for n in device.node_stats}
    assert {"product", "activation"} <= set(stats)
    shape = stats["product"].output[0].tensor_description.shape
    assert [d.size for d in shape.dim] == [8, 2]
    assert stats["product"].all_end_rel_micros > 0


def test_edits_of_nodes_are_seen_by_the_next_run() -> None:
    a, b = tf.constant(1.0), tf.constant(5.0)
    y = tf.add(a, 1.0)
    with tf.Session() as sess:
        assert sess.run(y) == 2
        y.op._update_input(0, b)
        assert sess.run(y) == 6


def test_interactive_session_evaluates_without_naming_it() -> None:
    sess = tf.InteractiveSession()
    try:
        v = tf.Variable([1.0, 2.0])
        tf.global_variables_initializer().run()
        assert (v + 1.0).eval().tolist() == [2.0, 3.0]
        v.load([5.0, 6.0])
        assert v.eval().tolist() == [5.0, 6.0]
    finally:
        sess.close()


def test_random_draws_differ_between_runs_and_repeat_between_sessions_by_seed() -> None:
    tf.set_random_seed(7)
    x = tf.random_normal([1000])
    unseeded_op = tf.random_uniform([3], seed=5)
    draws = []
    for _ in range(2):
        with tf.Session() as sess:
            draws.append([sess.run(x), sess.run(x), sess.run(unseeded_op)])
    assert not np.array_equal(draws[0][0], draws[0][1])
    for first, second in zip(*draws, strict=True):
        np.testing.assert_array_equal(first, second)


def test_a_variable_assigned_from_another_keeps_its_own_storage() -> None:
    a = tf.get_variable("a", initializer=np.zeros([1000], np.float32))
    b = tf.get_variable("b", initializer=np.ones([1000], np.float32))
    copy = b.assign(a)
    bump = tf.group(a.assign_add(np.ones([1000], np.float32)), b.assign_add(np.ones([1000], np.float32) * 10))
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        for _ in range(3):
            sess.run(copy)
            sess.run(bump)
        assert sess.run(a)[0] == 3 and sess.run(b)[0] == 12
