"""A graph as a pure JAX function: same values, differentiable, jittable, vmappable."""

from __future__ import annotations

import numpy as np
import pytest

import hornbeam as tf


def test_a_model_becomes_a_pure_function_with_named_parameters() -> None:
    import jax
    import jax.numpy as jnp

    with tf.Graph().as_default() as g, tf.Session() as sess:
        x = tf.placeholder(tf.float32, [None, 3], name="x")
        w = tf.get_variable("w", [3, 2], initializer=tf.random_normal_initializer(seed=1))
        y = tf.tanh(tf.matmul(x, w), name="y")
        sess.run(w.initializer)
        value = np.random.RandomState(0).rand(4, 3).astype("f")
        want = sess.run(y, {x: value})
        function, parameters = tf.to_jax(g, ["x:0"], ["y:0"], session=sess)
    assert set(parameters) == {"w"}
    np.testing.assert_allclose(jax.jit(function)(parameters, value)[0], want, rtol=1e-6)
    gradient = jax.grad(lambda p: jnp.sum(function(p, value)[0]))(parameters)
    assert gradient["w"].shape == (3, 2)
    rows = jax.vmap(lambda r: function(parameters, r[None])[0][0])(value)
    np.testing.assert_allclose(rows, want, rtol=1e-6)


def test_what_needs_the_host_is_named() -> None:
    with tf.Graph().as_default() as g:
        x = tf.placeholder(tf.string, [], name="x")
        tf.strings.length(x, name="size")
        with pytest.raises(tf.errors.UnimplementedError, match="'size'"):
            tf.to_jax(g, ["x:0"], ["size:0"])
