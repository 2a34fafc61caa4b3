"""Math ops through the public surface: what the golden rows do not say (nodes a gradient makes, errors, gradients against differences)."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest

import hornbeam as tf
from tests.ops.gradcheck import check
from tests.oracle.cases import F, K


@pytest.fixture(autouse=True)
def graph() -> Any:
    with tf.Graph().as_default() as g:
        yield g


def run(fetches: Any, feeds: Any = None) -> Any:
    with tf.Session() as session:
        return session.run(fetches, feeds)


def types_added(graph: Any, build: Any) -> Counter[str]:
    before = set(graph.get_operations())
    build()
    return Counter(
        o.type for o in graph.get_operations() if o not in before and o.type != "Identity"
    )  # grad_ys pass one


def test_gradient_of_equal_shapes_makes_no_shape_arithmetic(graph: Any) -> None:
    x, y = tf.placeholder(tf.float32, [2, 3]), tf.placeholder(tf.float32, [2, 3])
    z = x * y
    added = types_added(graph, lambda: tf.gradients(z, [x, y], grad_ys=[z]))
    assert added == {"Mul": 2}


def test_gradient_of_a_bias_with_unknown_batch_sums_over_the_batch_only(graph: Any) -> None:
    x, b = tf.placeholder(tf.float32, [None, 3]), tf.placeholder(tf.float32, [3])
    z = x + b
    added = types_added(graph, lambda: tf.gradients(z, [x, b], grad_ys=[z]))
    assert added == {"Sum": 1, "Const": 1}, "x needs nothing, and b's axes are known"


def test_gradient_of_two_unknown_shapes_asks_at_run_time(graph: Any) -> None:
    x, y = tf.placeholder(tf.float32), tf.placeholder(tf.float32)
    grads = tf.gradients(x * y, [x, y])
    gx, gy = run(grads, {x: np.ones((2, 3), np.float32), y: np.full((3,), 2.0, np.float32)})
    assert gx.shape == (2, 3)
    np.testing.assert_array_equal(gy, [2, 2, 2])


def test_gradient_by_one_operand_computes_nothing_for_the_other(graph: Any) -> None:
    x, w = tf.placeholder(tf.float32, [2, 3]), tf.placeholder(tf.float32, [3, 4])
    product = tf.matmul(x, w)
    added = types_added(graph, lambda: tf.gradients(product, [w], grad_ys=[product]))
    assert added == {"MatMul": 1}


def test_integer_division_by_a_known_zero_is_an_error() -> None:
    x, y = tf.placeholder(tf.int32, [2]), tf.placeholder(tf.int32, [2])
    with pytest.raises(tf.errors.InvalidArgumentError, match="division by zero"):
        run(x // y, {x: [1, 2], y: [0, 1]})


def test_shapes_that_do_not_broadcast_name_the_node_and_the_sizes() -> None:
    with pytest.raises(ValueError, match=r"Dimensions must be equal, but are 2 and 3 for 'total'.*\[2\], \[3\]"):
        tf.add(tf.placeholder(tf.float32, [2]), tf.placeholder(tf.float32, [3]), name="total")


def test_operands_of_different_dtypes_are_refused() -> None:
    with pytest.raises(TypeError, match="int32.*float32|float32.*int32"):
        tf.add(tf.constant(1), tf.constant(1.0))


def test_matrices_that_do_not_fit_are_refused_while_building() -> None:
    with pytest.raises(ValueError, match="Dimensions must be equal, but are 3 and 2"):
        tf.matmul(tf.placeholder(tf.float32, [2, 3]), tf.placeholder(tf.float32, [2, 3]))


def test_matrices_that_do_not_fit_are_refused_while_running() -> None:
    a, b = tf.placeholder(tf.float32), tf.placeholder(tf.float32)
    with pytest.raises(tf.errors.InvalidArgumentError, match="Matrix size-incompatible"):
        run(tf.matmul(a, b, name="product"), {a: np.ones((2, 3)), b: np.ones((2, 3))})


def test_strings_add_by_concatenation() -> None:
    assert run(tf.constant(["a", "b"]) + "c").tolist() == [b"ac", b"bc"]


def test_round_takes_halves_to_even() -> None:
    assert run(tf.round([0.5, 1.5, 2.5, -0.5, -1.5])).tolist() == [0, 2, 2, 0, -2]


def test_prod_gradient_bears_zeros() -> None:
    x = tf.constant([[2.0, 0.0, 3.0], [0.0, 0.0, 4.0]])
    assert run(tf.gradients(tf.reduce_prod(x, 1), x)[0]).tolist() == [[0, 6, 0], [0, 0, 0]]


def test_ties_of_a_maximum_share_the_gradient() -> None:
    x = tf.constant([1.0, 3.0, 3.0])
    assert run(tf.gradients(tf.reduce_max(x), x)[0]).tolist() == [0, 0.5, 0.5]


def test_reduction_over_an_axis_known_only_when_it_runs() -> None:
    x, axis = tf.placeholder(tf.float32, [2, 3]), tf.placeholder(tf.int32, [None])
    total = tf.reduce_sum(x, axis)
    (grad,) = tf.gradients(total, x)
    value, g = run([total, grad], {x: [[1, 2, 3], [4, 5, 6]], axis: [1]})
    assert value.tolist() == [6, 15]
    assert g.tolist() == [[1, 1, 1], [1, 1, 1]]


def test_unsorted_segment_sum_refuses_ids_beyond_the_segments() -> None:
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"= 5 is out of range \[0, 3\)"):
        run(tf.unsorted_segment_sum([1.0, 2.0], tf.constant([0, 5]), 3))


def test_sorted_segments_refuse_unsorted_ids() -> None:
    with pytest.raises(tf.errors.InvalidArgumentError, match="not increasing"):
        run(tf.segment_sum([1.0, 2.0], [1, 0]))


def test_range_length_and_dtype() -> None:
    assert tf.range(2, 10, 3).shape.as_list() == [3]
    assert run(tf.range(0.0, 1.0, 0.25)).dtype == np.float32
    with pytest.raises(ValueError, match="delta"):
        tf.range(0, 10, -1)


def test_a_shape_computed_with_division_is_known_while_building() -> None:
    x = tf.placeholder(tf.float32, [4, 6])
    half = tf.shape(x)[1] // 2
    assert tf.reshape(x, [-1, half]).shape.as_list() == [8, 3]


@pytest.mark.parametrize(
    ("op", "inputs"),
    [
        ("Erf", [F(3, t="float64")]),
        ("Lgamma", [F(3, t="float64", lo=0.5, hi=3)]),
        ("Digamma", [F(3, t="float64", lo=0.5, hi=3)]),
        ("BesselJ1", [F(3, t="float64", lo=0.5, hi=3)]),
        ("BesselK1e", [F(3, t="float64", lo=0.5, hi=3)]),
        ("Igamma", [F(3, t="float64", lo=0.5, hi=3), F(3, t="float64", lo=0.5, hi=3)]),
        ("Pow", [F(3, t="float64", lo=0.5, hi=2), F(2, 3, t="float64")]),
        ("Atan2", [F(3, t="float64"), F(2, 3, t="float64")]),
        ("Prod", [F(2, 3, t="float64"), K([0, 1])]),
        ("EuclideanNorm", [F(2, 3, t="float64"), K([1])]),
        ("CumulativeLogsumexp", [F(4, t="float64"), K(0)]),
        ("MatrixInverse", [F(2, 2, t="float64", lo=1, hi=3)]),
        ("MatrixDeterminant", [F(3, 3, t="float64")]),
        ("Einsum", [[F(2, 3, t="float64"), F(3, 2, t="float64")]]),
        ("SegmentProd", [F(4, t="float64"), K([0, 0, 1, 1])]),
    ],
    ids=lambda v: v if isinstance(v, str) else "",
)
def test_gradient_matches_central_differences(op: str, inputs: list[Any]) -> None:
    check(op, inputs, rtol=2e-4, atol=1e-5, **({"equation": "ij,jk->ik"} if op == "Einsum" else {}))


def test_second_derivatives() -> None:
    x = tf.constant(0.3, tf.float64)
    for f, second in (
        (tf.tanh, lambda v: -2 * np.tanh(v) * (1 - np.tanh(v) ** 2)),
        (tf.sigmoid, lambda v: (s := 1 / (1 + np.exp(-v))) * (1 - s) * (1 - 2 * s)),
        (tf.sqrt, lambda v: -0.25 * v**-1.5),
        (tf.rsqrt, lambda v: 0.75 * v**-2.5),
        (tf.reciprocal, lambda v: 2 * v**-3),
        (tf.exp, np.exp),
        (tf.lgamma, None),
    ):
        (first,) = tf.gradients(f(x), x)
        (again,) = tf.gradients(first, x)
        value = run(again)
        if second is not None:
            np.testing.assert_allclose(value, second(0.3), rtol=1e-9)
        else:
            assert np.isfinite(value)
