"""SparseTensor through the public surface: feeding, fetching, static shapes, training through sparse products."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import hornbeam as tf


@pytest.fixture(autouse=True)
def graph() -> Any:
    with tf.Graph().as_default() as g:
        yield g


def run(fetches: Any, feeds: Any = None) -> Any:
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        return session.run(fetches, feeds)


VALUE = tf.SparseTensorValue([[0, 1], [1, 0], [1, 2]], [1.0, -2.0, 3.0], [2, 3])
DENSE = np.array([[0, 1, 0], [-2, 0, 3]], np.float32)


def test_a_sparse_placeholder_is_fed_and_fetched_as_its_value() -> None:
    sp = tf.sparse_placeholder(tf.float32, [None, 3])
    assert sp.shape.as_list() == [None, 3]
    got = run(sp, {sp: VALUE})
    assert isinstance(got, tf.SparseTensorValue)
    assert got.indices.tolist() == [[0, 1], [1, 0], [1, 2]] and got.dense_shape.tolist() == [2, 3]
    assert run(tf.sparse_tensor_to_dense(sp), {sp: ([[0, 0]], [5.0], [1, 3])}).tolist() == [[5, 0, 0]]


def test_parts_that_do_not_fit_are_refused_while_building() -> None:
    with pytest.raises(ValueError, match="rows of indices and values"):
        tf.SparseTensor([[0, 1]], [1.0, 2.0], [2, 2])
    with pytest.raises(ValueError, match="columns of indices and rank"):
        tf.SparseTensor([[0, 1]], [1.0], [2])


def test_a_sparse_tensor_where_a_dense_one_is_wanted_is_a_type_error() -> None:
    with pytest.raises(TypeError):
        tf.convert_to_tensor(tf.SparseTensor([[0]], [1.0], [2]))


def test_training_through_a_sparse_product_with_fed_features() -> None:
    sp = tf.sparse_placeholder(tf.float32, [None, 3])
    w = tf.get_variable("w", initializer=np.ones((3, 2), np.float32))
    loss = tf.reduce_sum(tf.sparse_tensor_dense_matmul(sp, w) ** 2.0)
    (grad,) = tf.gradients(loss, [w])
    np.testing.assert_allclose(run(grad, {sp: VALUE}), 2 * DENSE.T @ (DENSE @ np.ones((3, 2))))
    np.testing.assert_allclose(run(loss, {sp: ([[0, 0]], [2.0], [5, 3])}), 8.0)


def test_out_of_order_indices_are_refused_or_ordered() -> None:
    sp = tf.SparseTensor([[1, 0], [0, 1]], [1.0, 2.0], [2, 2])
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"indices\[1\] = \[0, 1\] is out of order"):
        run(tf.sparse_tensor_to_dense(sp))
    assert run(tf.sparse_tensor_to_dense(tf.sparse_reorder(sp))).tolist() == [[0, 2], [1, 0]]


def test_static_shapes_follow_reshape_and_transpose() -> None:
    sp = tf.SparseTensor([[0, 1]], [1.0], [4, 6])
    assert tf.sparse_reshape(sp, [3, -1]).shape.as_list() == [3, 8]
    assert tf.sparse_transpose(sp).shape.as_list() == [6, 4]


def test_empty_rows_get_the_default_and_gradients_come_back() -> None:
    v = tf.placeholder(tf.float32, [2])
    filled, empty = tf.sparse_fill_empty_rows(tf.SparseTensor([[1, 0], [3, 1]], v, [5, 2]), 9.0)
    (grad,) = tf.gradients(filled.values * [1.0, 2.0, 3.0, 4.0, 5.0], [v])
    got = run([filled.values, empty, grad], {v: [1.0, 2.0]})
    assert got[0].tolist() == [9, 1, 9, 2, 9] and got[1].tolist() == [True, False, True, False, True]
    assert got[2].tolist() == [2.0, 4.0]


def test_serialised_rows_come_back_as_one_batch() -> None:
    rows = tf.serialize_many_sparse(tf.SparseTensor([[0, 1], [2, 0]], ["a", "b"], [3, 2]))
    back = tf.deserialize_many_sparse(rows, tf.string, rank=2)
    got = run(back)
    assert (
        got.indices.tolist() == [[0, 1], [2, 0]]
        and got.values.tolist() == [b"a", b"b"]
        and got.dense_shape.tolist() == [3, 2]
    )


def test_string_split_feeds_a_table_of_words() -> None:
    words = tf.string_split(["a b", "", "c"])
    assert run(tf.sparse_tensor_to_dense(words, "")).tolist() == [[b"a", b"b"], [b"", b""], [b"c", b""]]
