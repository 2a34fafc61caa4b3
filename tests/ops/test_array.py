"""Array ops through the public surface: what the golden rows do not say: static shapes, run-time positions, errors, sparse rows on the device."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import hornbeam as tf
from hornbeam.core.registry import get
from hornbeam.ops.search import bounded_unique, unique
from hornbeam.runtime.context import x64


@pytest.fixture(autouse=True)
def graph() -> Any:
    with tf.Graph().as_default() as g:
        yield g


def run(fetches: Any, feeds: Any = None) -> Any:
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        return session.run(fetches, feeds)


# --- placeholders and static shapes ---
def test_an_unfed_placeholder_is_named_with_its_dtype_and_shape() -> None:
    x = tf.placeholder(tf.float32, [None, 3], name="images")
    with pytest.raises(
        tf.errors.InvalidArgumentError, match=r"placeholder tensor 'images' with dtype float and shape \[\?,3\]"
    ):
        run(x + 1.0)


def test_shapes_flow_through_shape_arithmetic() -> None:
    x = tf.placeholder(tf.float32, [None, 6, 4])
    n = tf.shape(x)[0]
    assert tf.reshape(x, [n, 24]).shape.as_list() == [None, 24]
    assert tf.reshape(x, tf.stack([n, 6 * 4 // 8, -1])).shape.as_list() == [None, 3, None]
    assert tf.reshape(x, tf.concat([tf.shape(x)[:1], [24]], 0)).shape.as_list() == [None, 24]
    assert tf.zeros(tf.shape(x)[1:]).shape.as_list() == [6, 4]
    assert tf.zeros([n, tf.shape(x)[2] * 2]).shape.as_list() == [None, 8]
    assert tf.tile(x, [2, 1, 3]).shape.as_list() == [None, 6, 12]
    assert tf.transpose(x, [2, 0, 1]).shape.as_list() == [4, None, 6]


def test_a_wrong_reshape_names_the_node_and_both_sizes() -> None:
    with pytest.raises(ValueError, match=r"Cannot reshape a tensor with 6 elements to shape \[4\].*'Reshape'"):
        tf.reshape(tf.zeros([2, 3]), [4])
    x = tf.placeholder(tf.float32)
    with pytest.raises(tf.errors.InvalidArgumentError, match="6 values, but the requested shape has 4"):
        run(tf.reshape(x, [4]), {x: np.zeros((2, 3))})


def test_zeros_of_large_shapes_are_filled_at_run_time_not_stored(graph: Any) -> None:
    tf.zeros([10]), tf.zeros([100, 100])
    assert [o.type for o in graph.get_operations() if o.name in ("zeros", "zeros_1")] == ["Const", "Fill"]


def test_concat_of_different_inner_sizes_fails_while_building() -> None:
    with pytest.raises(ValueError, match="Dimension 0 in both shapes must be equal, but are 3 and 4"):
        tf.concat([tf.zeros([2, 3]), tf.zeros([2, 4])], 0)


# --- positions known at run time only ---
def test_slices_at_fed_positions_follow_them_from_run_to_run() -> None:
    x = tf.placeholder(tf.float32, [4, 6])
    i = tf.placeholder(tf.int32, [])
    parts = [x[i], x[:, i], x[i, 1:3], tf.slice(x, [i, 0], [1, 2]), x[i * 2 : i * 2 + 2], x[-i]]
    value = np.arange(24.0, dtype=np.float32).reshape(4, 6)
    with tf.Session() as session:
        for k in (1, 0):
            got = session.run(parts, {x: value, i: k})
            expected = [value[k], value[:, k], value[k, 1:3], value[k : k + 1, :2], value[2 * k : 2 * k + 2], value[-k]]
            for a, b in zip(got, expected, strict=True):
                np.testing.assert_array_equal(a, b)


def test_a_slice_cut_short_at_the_end_keeps_its_true_length() -> None:
    x = tf.placeholder(tf.float32, [5])
    i = tf.placeholder(tf.int32, [])
    part = x[i * 2 : i * 2 + 2]
    assert run(part, {x: np.arange(5.0), i: 2}).tolist() == [4.0]
    assert run(part, {x: np.arange(5.0), i: 3}).tolist() == []


def test_gradients_of_slices_at_run_time_positions_land_there() -> None:
    x = tf.placeholder(tf.float32, [4, 3])
    i = tf.placeholder(tf.int32, [])
    for y, where in (
        (x[i], np.s_[2]),
        (tf.slice(x, [i, 1], [1, 2]), np.s_[2:3, 1:]),
        (x[:, i], np.s_[:, 2]),
    ):
        g = run(tf.gradients(y, x)[0], {x: np.zeros((4, 3)), i: 2})
        expected = np.zeros((4, 3))
        expected[where] = 1
        np.testing.assert_array_equal(g, expected)


def test_slices_at_the_loop_counter_work_inside_a_loop() -> None:
    x = tf.placeholder(tf.float32, [5, 2])
    total = tf.while_loop(lambda k, s: k < 5, lambda k, s: (k + 1, s * 2.0 + x[k]), (0, tf.zeros([2])))[1]
    value = np.arange(10.0, dtype=np.float32).reshape(5, 2)
    expected = np.zeros(2)
    for row in value:
        expected = expected * 2 + row
    np.testing.assert_allclose(run(total, {x: value}), expected)


def test_traced_indices_out_of_range_give_zeros_and_are_dropped() -> None:
    i = tf.placeholder(tf.int32, [None])
    got = run([tf.gather([1.0, 2.0], i), tf.scatter_nd(i[:, None], [5.0, 6.0, 7.0], [2])], {i: [1, 7, -1]})
    assert got[0].tolist() == [2.0, 0.0, 0.0]
    assert got[1].tolist() == [0.0, 5.0]


def test_known_indices_out_of_range_are_an_error_that_says_which() -> None:
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"indices\[1\] = 7 is not in \[0, 2\)"):
        run(tf.gather([1.0, 2.0], [0, 7]))


# --- parts of variables ---
@pytest.mark.parametrize("resource", [False, True])
def test_assigning_to_a_part_of_a_variable_leaves_the_rest(resource: bool) -> None:
    v = tf.get_variable("v", initializer=np.zeros((3, 3), np.float32), use_resource=resource)
    assign = [v[1].assign([1.0, 2.0, 3.0])]
    with tf.control_dependencies(assign):
        other = v[:, ::2].assign(np.full((3, 2), 7.0, np.float32))
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        session.run(other)
        assert session.run(v).tolist() == [[7, 0, 7], [7, 2, 7], [7, 0, 7]]


def test_a_slice_of_a_plain_tensor_has_no_assign() -> None:
    with pytest.raises(AttributeError, match="not a slice of a variable"):
        tf.zeros([3])[1:].assign([1.0])  # type: ignore[attr-defined]


# --- Unique on the device ---
@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(-5, 5), max_size=20))
def test_bounded_unique_numbers_elements_as_unique_does(values: list[int]) -> None:
    x = np.array(values, np.int32)
    y, idx, _ = unique(x)
    with x64():
        padded, numbers = bounded_unique(x, tf.int32)
    np.testing.assert_array_equal(numbers, idx)
    np.testing.assert_array_equal(np.asarray(padded)[: y.size], y)
    assert (np.asarray(padded)[y.size :] == np.iinfo(np.int32).max).all()


def _uniques(graph: Any) -> list[bool]:
    return [get("Unique").device_if(o) for o in graph.get_operations() if o.type == "Unique"]  # type: ignore[misc]


def test_sparse_training_with_repeated_ids_keeps_unique_on_the_device(graph: Any) -> None:
    table = tf.get_variable("table", initializer=np.ones((5, 2), np.float32))
    ids = tf.placeholder(tf.int32, [None])
    distinct, where = tf.unique(ids)
    loss = tf.reduce_sum(tf.gather(tf.gather(table, distinct), where) ** 2.0)
    step = tf.train.AdagradOptimizer(0.1).minimize(loss)
    assert _uniques(graph) == [True, True]
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        session.run(step, {ids: [1, 3, 1]})
        value = session.run(table)
    assert (value[[0, 2, 4]] == 1).all() and (value[[1, 3]] < 1).all()


def test_rows_that_are_fetched_have_no_padding(graph: Any) -> None:
    ids = tf.placeholder(tf.int32, [None])
    distinct, where = tf.unique(ids)
    rows = tf.gather([[1.0], [2.0], [3.0]], distinct)
    total = tf.reduce_sum(tf.gather(rows, where))
    got = run([rows, total], {ids: [2, 0, 2]})
    assert got[0].tolist() == [[3.0], [1.0]] and got[1] == 7.0
    assert run(total, {ids: [2, 0, 2]}) == 7.0


def test_unique_whose_size_shows_stays_exact(graph: Any) -> None:
    ids = tf.placeholder(tf.int32, [None])
    distinct, _ = tf.unique(ids)
    mean = tf.reduce_mean(tf.cast(distinct, tf.float32))
    assert _uniques(graph) == [False]
    assert run([mean, distinct], {ids: [2, 4, 2]})[0] == 3.0


# --- in all dtypes ---
@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "int8", "uint16", "bool", "complex64", "int64"])
def test_data_movement_keeps_every_dtype(dtype: str) -> None:
    t = tf.as_dtype(dtype)
    value = np.array([[0, 1, 1], [1, 0, 1]]).astype(t.as_numpy_dtype)
    x = tf.placeholder(t, [2, 3])
    moved = [
        tf.transpose(x),
        tf.concat([x, x], 1),
        tf.gather(x, [1, 0]),
        tf.pad(x, [[1, 0], [0, 0]]),
        tf.tile(x, [2, 1]),
        x[:, ::-1],
        tf.reverse(x, [0]),
    ]
    expected = [
        value.T, np.concatenate([value, value], 1), value[[1, 0]], np.pad(value, [(1, 0), (0, 0)]), np.tile(value, (2, 1)), value[:, ::-1], value[::-1]
    ]  # fmt: skip
    for a, b in zip(run(moved, {x: value}), expected, strict=True):
        assert a.dtype == b.dtype
        np.testing.assert_array_equal(a, b)


def test_check_numerics_says_what_it_found() -> None:
    x = tf.placeholder(tf.float32, [None])
    checked = tf.check_numerics(x, "loss")
    assert run(checked, {x: [1.0]}).tolist() == [1.0]
    with pytest.raises(
        tf.errors.InvalidArgumentError, match="loss : Tensor had NaN and Inf values|loss : Tensor had NaN"
    ):
        run(checked, {x: [np.nan, np.inf]})


def test_import_and_export_keep_an_array_graph(graph: Any) -> None:
    x = tf.placeholder(tf.float32, [None, 4], name="x")
    tf.identity(tf.concat(tf.split(x, 2, 1)[::-1], 1)[:, 1:], name="y")
    data = graph.as_graph_def().SerializeToString()
    with tf.Graph().as_default():
        definition = tf.GraphDef.FromString(data)
        (y,) = tf.import_graph_def(definition, return_elements=["y:0"], name="")
        assert y.shape.as_list() == [None, 3]
        assert run(y, {"x:0": [[1, 2, 3, 4]]}).tolist() == [[4, 1, 2]]
