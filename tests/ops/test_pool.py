"""Pooling: ties go to the first maximum, layouts agree, second-order gradients and the argmax form."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import hornbeam as tf


def run(fetches: Any, feeds: Any = None) -> Any:
    with tf.Session() as session:
        return session.run(fetches, feeds)


@pytest.mark.parametrize(
    ("k", "stride", "expected"),
    [
        (2, 2, [[1, 0, 1, 0], [0, 0, 0, 0], [1, 0, 1, 0], [0, 0, 0, 0]]),
        (2, 1, [[1, 1, 1, 1], [1, 1, 1, 1], [1, 1, 1, 1], [1, 1, 1, 1]]),
        (3, 2, [[1, 0, 1, 0], [0, 0, 0, 0], [1, 0, 1, 0], [0, 0, 0, 0]]),
    ],
)
def test_the_gradient_of_equal_values_goes_to_the_first_in_the_window(k: int, stride: int, expected: Any) -> None:
    with tf.Graph().as_default():
        x = tf.constant(np.ones((1, 4, 4, 1), np.float32))
        g = tf.gradients(tf.nn.max_pool(x, k, stride, "SAME"), x)[0]
        np.testing.assert_array_equal(run(g)[0, :, :, 0], expected)


@pytest.mark.parametrize("pool", ["max_pool", "avg_pool"])
def test_channels_first_is_channels_last_transposed(pool: str) -> None:
    x = np.random.default_rng(0).standard_normal((2, 6, 7, 3)).astype(np.float32)
    with tf.Graph().as_default():
        a, b = tf.constant(x), tf.constant(x.transpose(0, 3, 1, 2))
        last = getattr(tf.nn, pool)(a, 3, 2, "SAME")
        first = getattr(tf.nn, pool)(b, [1, 1, 3, 3], [1, 1, 2, 2], "SAME", data_format="NCHW")
        y, z, gy, gz = run([last, first, tf.gradients(last**2, a)[0], tf.gradients(first**2, b)[0]])
    np.testing.assert_allclose(z.transpose(0, 2, 3, 1), y, rtol=1e-5)
    np.testing.assert_allclose(gz.transpose(0, 2, 3, 1), gy, rtol=1e-5)


def test_argmax_says_where_the_maximum_was() -> None:
    x = np.random.default_rng(0).standard_normal((2, 5, 6, 3)).astype(np.float32)
    with tf.Graph().as_default():
        y, at = run(tf.nn.max_pool_with_argmax(x, [1, 3, 3, 1], [1, 2, 2, 1], "SAME", include_batch_in_index=True))
    np.testing.assert_array_equal(x.reshape(-1)[at], y)


def test_a_batch_of_unknown_size_pools() -> None:
    with tf.Graph().as_default():
        x = tf.placeholder(tf.float32, [None, None, 4, 1])
        y = tf.nn.avg_pool(x, 2, 2, "VALID")
        assert y.shape.as_list() == [None, None, 2, 1]
        assert run(y, {x: np.ones((3, 6, 4, 1))}).shape == (3, 3, 2, 1)
        assert run(y, {x: np.ones((0, 6, 4, 1))}).shape == (0, 3, 2, 1)


def test_pooling_over_the_batch_is_refused() -> None:
    with tf.Graph().as_default():
        y = tf.nn.max_pool(np.ones((2, 4, 4, 1), np.float32), [2, 1, 1, 1], [2, 1, 1, 1], "SAME")
        with pytest.raises(tf.errors.InvalidArgumentError, match="batch dimension"):
            run(y)
