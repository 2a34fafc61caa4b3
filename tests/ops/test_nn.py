"""Losses, normalisation, dropout and embeddings: what the tables of rows cannot say."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import hornbeam as tf

RNG = np.random.default_rng(0)


def array(*shape: int) -> np.ndarray:
    return RNG.standard_normal(shape).astype(np.float32)


def run(fetches: Any, feeds: Any = None) -> Any:
    with tf.Session() as session:
        return session.run(fetches, feeds)


def test_a_fed_label_out_of_range_gives_nan_in_its_row_only() -> None:
    with tf.Graph().as_default():
        labels, logits = tf.placeholder(tf.int64, [None]), tf.placeholder(tf.float32, [None, 4])
        loss = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=logits)
        value, grad = run([loss, tf.gradients(loss, logits)[0]], {labels: [1, 4, -1], logits: array(3, 4)})
    assert np.isfinite(value[0]) and np.isnan(value[1:]).all()
    assert np.isfinite(grad[0]).all() and np.isnan(grad[1:]).all()


def test_a_known_label_out_of_range_is_an_error_that_names_it() -> None:
    with tf.Graph().as_default():
        loss = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=[1, 4, 0], logits=array(3, 4), name="loss")
        with pytest.raises(tf.errors.InvalidArgumentError, match=r"label value of 4 .* valid range of \[0, 4\)"):
            run(loss)


def test_no_gradient_flows_into_the_labels_of_the_first_version() -> None:
    with tf.Graph().as_default():
        labels = tf.constant(np.abs(array(2, 3)))
        v1 = tf.nn.softmax_cross_entropy_with_logits(labels=labels, logits=array(2, 3))
        v2 = tf.nn.softmax_cross_entropy_with_logits_v2(labels=labels, logits=array(2, 3))
        assert tf.gradients(v1, labels) == [None]
        assert tf.gradients(v2, labels)[0] is not None


def test_second_order_gradients_of_fused_batch_norm_are_those_of_its_formula() -> None:
    data, gamma, beta = array(4, 3, 3, 2), array(2), array(2)
    results = []
    for fused in (True, False):
        with tf.Graph().as_default():
            x, scale = tf.constant(data), tf.constant(gamma)
            if fused:
                y = tf.nn.fused_batch_norm(x, scale, beta)[0]
            else:
                mean = tf.reduce_mean(x, [0, 1, 2])  # not tf.nn.moments: its stop_gradient spoils second derivatives
                variance = tf.reduce_mean(tf.squared_difference(x, mean), [0, 1, 2])
                y = tf.nn.batch_normalization(x, mean, variance, beta, scale, 0.001)
            first = tf.gradients(tf.reduce_sum(y**3), [x, scale])
            results.append(
                run([*first, *tf.gradients(tf.reduce_sum(first[0] ** 2) + tf.reduce_sum(first[1] ** 2), [x, scale])])
            )
    for a, b in zip(*results, strict=True):
        np.testing.assert_allclose(a, b, rtol=2e-3, atol=2e-3 * np.abs(b).max())


def test_dropout_drops_the_asked_fraction_and_scales_the_rest() -> None:
    with tf.Graph().as_default():
        y = tf.nn.dropout(np.ones(10000, np.float32), rate=0.25, seed=1)
        assert y.op.name == "dropout/mul_1"
        value = run(y)
    assert set(np.unique(value)) <= {np.float32(0), np.float32(1 / 0.75)}
    assert 0.72 < (value > 0).mean() < 0.78


def test_dropout_refuses_two_rates_and_none() -> None:
    with tf.Graph().as_default():
        with pytest.raises(ValueError, match="both"):
            tf.nn.dropout(array(3), keep_prob=0.5, rate=0.5)
        with pytest.raises(ValueError, match="rate"):
            tf.nn.dropout(array(3))
        assert tf.nn.dropout(tf.constant(array(3)), keep_prob=1.0).op.type == "Const"


def test_nce_loss_over_many_classes_keeps_sparse_gradients() -> None:
    with tf.Graph().as_default():
        weights = tf.Variable(tf.zeros([100000, 8]))
        biases = tf.Variable(tf.zeros([100000]))
        loss = tf.nn.nce_loss(weights, biases, np.array([[3], [7]]), array(2, 8), 5, 100000)
        by_weights, by_biases = tf.gradients(loss, [weights, biases])
        assert isinstance(by_weights, tf.IndexedSlices) and isinstance(by_biases, tf.IndexedSlices)
        with tf.Session() as session:
            session.run(tf.global_variables_initializer())
            values, indices = session.run([by_weights.values, by_weights.indices])
    assert values.shape == (7, 8) and list(indices[:2]) == [3, 7]


@pytest.mark.parametrize("strategy", ["mod", "div"])
def test_partitioned_embeddings_find_every_row(strategy: str) -> None:
    table = array(7, 2)
    parts = [table[i::3] for i in range(3)] if strategy == "mod" else [table[:3], table[3:5], table[5:]]
    with tf.Graph().as_default():
        rows = run(tf.nn.embedding_lookup(parts, np.arange(7).reshape(7, 1), partition_strategy=strategy))
    np.testing.assert_array_equal(rows[:, 0], table)


def test_top_k_asks_for_columns_that_are_there() -> None:
    with tf.Graph().as_default():
        with pytest.raises(ValueError, match="input must have last dimension >= k = 5 but is 3"):
            tf.nn.top_k(array(2, 3), 5)
        values, indices = run(tf.nn.top_k(np.array([[1, 3, 3, 2]], np.int32), 3))
    assert values.tolist() == [[3, 3, 2]] and indices.tolist() == [[1, 2, 3]]


def test_ctc_names_the_example_that_has_too_little_time() -> None:
    with tf.Graph().as_default():
        labels = tf.SparseTensor([[0, 0], [0, 1]], tf.constant([1, 2]), [1, 2])
        with pytest.raises(tf.errors.InvalidArgumentError, match="Not enough time for target transition sequence"):
            run(tf.nn.ctc_loss(labels, array(3, 1, 4), [1]))
