"""Conditional accumulators: means over enough gradients, stale ones dropped."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import hornbeam as tf


@pytest.fixture(autouse=True)
def graph() -> Iterator[Any]:
    with tf.Graph().as_default() as g:
        yield g


def test_mean_of_the_gradients_since_the_last_one_taken() -> None:
    a = tf.ConditionalAccumulator(tf.float32, shape=[2])
    first, second, take, count = (
        a.apply_grad([1.0, 2.0], local_step=1),
        a.apply_grad([3.0, 4.0]),
        a.take_grad(1),
        a.num_accumulated(),
    )
    with tf.Session() as sess:
        sess.run(first)
        sess.run(second)
        assert sess.run(count) == 2
        assert sess.run(take).tolist() == [2, 3]
        sess.run(second)  # local step 0 is behind now
        assert sess.run(count) == 0
        sess.run(first)
        assert sess.run(count) == 1
        sess.run(a.set_global_step(5))
        sess.run(first)
        assert sess.run(count) == 1


def test_taking_waits_for_enough_gradients() -> None:
    a = tf.ConditionalAccumulator(tf.float32, shape=[], reduction_type="SUM")
    apply, take = a.apply_grad(1.5), a.take_grad(3)
    with tf.Session() as sess:
        out: list[Any] = []
        t = threading.Thread(target=lambda: out.append(sess.run(take)))
        t.start()
        for _ in range(3):
            sess.run(apply)
        t.join(20)
        assert out == [4.5]


def test_rows_are_averaged_by_how_often_they_came() -> None:
    a = tf.SparseConditionalAccumulator(tf.float32, shape=[4, 2])
    rows = a.apply_grad([0, 2], np.array([[1.0, 1], [2, 2]], np.float32), [4, 2])
    slices = a.apply_indexed_slices_grad(tf.IndexedSlices(tf.constant([[5.0, 5.0]]), tf.constant([2], tf.int64)))
    with tf.Session() as sess:
        sess.run(rows)
        sess.run(slices)
        indices, values, shape = sess.run(a.take_grad(2))
        assert indices.tolist() == [0, 2]
        assert values.tolist() == [[1, 1], [3.5, 3.5]]
        assert shape.tolist() == [4, 2]


def test_wrong_shapes_are_refused() -> None:
    a = tf.ConditionalAccumulator(tf.float32, shape=[2])
    p = tf.placeholder(tf.float32)
    with tf.Session() as sess:
        with pytest.raises(tf.errors.InvalidArgumentError, match=r"Shape mismatch: expected \[2\], got \[3\]"):
            sess.run(a.apply_grad(p), {p: [1.0, 2, 3]})
        with pytest.raises(tf.errors.InvalidArgumentError, match="num_required must be positive, but was 0"):
            sess.run(a.take_grad(0))
    with pytest.raises(ValueError, match="incompatible"):
        a.apply_grad([1.0, 2.0, 3.0])
