"""`tf.gradients`: node names, aggregation, stopping, sparse gradients, errors, functions, custom gradients, hessians."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import hornbeam as tf
from hornbeam.api.function_ops import Defun


@pytest.fixture(autouse=True)
def fresh_graph() -> Any:
    with tf.Graph().as_default():
        yield


def run(fetches: Any, feeds: Any = None) -> Any:
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        return session.run(fetches, feeds)


def test_names_are_tensorflows() -> None:
    x = tf.placeholder(tf.float32, [2, 3], name="x")
    y = tf.multiply(tf.sin(x, name="s"), x, name="y")
    (g,) = tf.gradients(y, x)
    names = {o.name for o in tf.get_default_graph().get_operations()}
    assert g.name == "gradients/AddN:0"
    assert {
        "gradients/Shape",
        "gradients/grad_ys_0",
        "gradients/Fill",
        "gradients/y_grad/Mul",
        "gradients/s_grad/Cos",
    } <= names
    assert tf.gradients(y, x, name="again")[0].name.startswith("again/")


def test_gates_tie_the_gradients_of_one_operation_together() -> None:
    x = tf.placeholder(tf.float32, [2])
    w = tf.placeholder(tf.float32, [2])
    gx, gw = tf.gradients(tf.multiply(x, w, name="y"), [x, w], gate_gradients=True)
    assert [g.op.name for g in (gx, gw)] == [
        "gradients/y_grad/tuple/control_dependency",
        "gradients/y_grad/tuple/control_dependency_1",
    ]
    assert [c.name for c in gx.op.control_inputs] == ["gradients/y_grad/tuple/group_deps"]
    assert gx.op.colocation_groups() == [b"loc:@gradients/y_grad/Mul"]


def test_an_x_that_nothing_depends_on_gets_none_or_zeros() -> None:
    x, z = tf.constant([1.0, 2.0]), tf.constant([3.0, 4.0])
    assert tf.gradients(x * 2.0, [x, z])[1] is None
    zero = tf.gradients(x * 2.0, [z], unconnected_gradients=tf.UnconnectedGradients.ZERO)[0]
    assert run(zero).tolist() == [0.0, 0.0]


def test_stop_gradients_are_treated_as_constants() -> None:
    a = tf.constant(2.0)
    b = a * 2.0
    assert run(tf.gradients(a + b, [a, b])) == [3.0, 1.0]
    assert run(tf.gradients(a + b, [a, b], stop_gradients=[a, b])) == [1.0, 1.0]
    assert run(tf.gradients(tf.stop_gradient(b) * a, a)) == [4.0]


def test_given_grad_ys_are_summed_over_ys() -> None:
    x = tf.constant([1.0, 2.0])
    (g,) = tf.gradients([x * 3.0, x * x], x, grad_ys=[tf.constant([1.0, 10.0]), None])
    assert run(g).tolist() == [5.0, 34.0]


@pytest.mark.parametrize(
    ("make", "error", "text"),
    [
        (lambda x: tf.gradients(x, x, grad_ys=[x, x]), ValueError, "2 grad_ys for 1 ys"),
        (lambda x: tf.gradients(x, x, grad_ys=[tf.zeros([3])]), ValueError, "ncompatible shapes"),
        (lambda x: tf.gradients(tf.complex(x, x), x), TypeError, "complex tensors .* must set grad_ys"),
        (lambda x: tf.gradients(tf.as_string(x), x), TypeError, "must be numeric"),
        (lambda x: tf.gradients(x, x, unconnected_gradients="nonsense"), ValueError, "unconnected_gradients"),
        (lambda x: tf.gradients(tf.py_func(lambda a: a, [x], tf.float32, name="pf") * 1.0, x), None, ""),
    ],
)  # fmt: skip
def test_misuse_is_reported(make: Any, error: type[Exception] | None, text: str) -> None:
    x = tf.constant([1.0, 2.0])
    if error is None:
        assert make(x) == [None]
        return
    with pytest.raises(error, match=text):
        make(x)


def test_an_operation_without_a_gradient_is_named() -> None:
    x = tf.constant([1.0, 2.0])
    y = tf.raw_ops.EagerPyFunc(input=[x], token="t", Tout=[tf.float32], name="odd")[0]
    with pytest.raises(LookupError, match=r"No gradient defined for operation 'odd' \(op type: EagerPyFunc\)"):
        tf.gradients(y, x)


def test_sparse_gradients_are_joined_and_become_dense_beside_dense_ones() -> None:
    table = tf.get_variable("t", initializer=np.ones([4, 2], np.float32))
    rows = tf.gather(table, [1, 1]), tf.gather(table, [3])
    (g,) = tf.gradients(rows, table)
    assert isinstance(g, tf.IndexedSlices)
    values, indices = run([g.values, g.indices])
    assert indices.tolist() == [1, 1, 3]
    assert values.shape == (3, 2)
    (mixed,) = tf.gradients([*rows, table * 2.0], table)
    assert run(mixed)[:, 0].tolist() == [2.0, 4.0, 2.0, 3.0]


def test_variables_of_both_kinds_are_differentiated() -> None:
    a = tf.get_variable("a", initializer=3.0)
    b = tf.get_variable("b", initializer=4.0, use_resource=True)
    assert run(tf.gradients(a * a * b, [a, b])) == [24.0, 9.0]


def test_overrides_replace_a_gradient_by_a_registered_one() -> None:
    @tf.RegisterGradient("HornbeamTestTriple")
    def triple(op: Any, grad: Any) -> Any:
        return grad * 3.0

    x = tf.constant(1.0)
    with tf.get_default_graph().gradient_override_map({"Identity": "HornbeamTestTriple"}):
        y = tf.identity(x)
    assert run(tf.gradients(y, x)) == [3.0]
    with pytest.raises(KeyError, match="HornbeamTestTriple"):
        tf.RegisterGradient("HornbeamTestTriple")(triple)


def test_a_gradient_of_the_wrong_shape_is_reported_with_its_operation() -> None:
    @tf.RegisterGradient("HornbeamTestWrongShape")
    def wrong(op: Any, grad: Any) -> Any:
        return tf.zeros([5])

    x = tf.constant([1.0, 2.0])
    with tf.get_default_graph().gradient_override_map({"Identity": "HornbeamTestWrongShape"}):
        y = tf.identity(x, name="culprit")
    with pytest.raises(ValueError, match=r"Incompatible shapes.*culprit.*\(2,\).*\(5,\)"):
        tf.gradients(y, x)


def test_custom_gradients_replace_the_derived_ones() -> None:
    @tf.custom_gradient
    def clipped(x: Any) -> Any:
        return tf.identity(x), lambda dy: tf.clip_by_value(dy, -1.0, 1.0)

    x = tf.constant([3.0, -2.0])
    assert run(tf.gradients(clipped(x) * 5.0, x))[0].tolist() == [1.0, 1.0]


def test_custom_gradients_of_variables_arrive_by_keyword() -> None:
    v = tf.get_variable("v", initializer=2.0, use_resource=True)

    @tf.custom_gradient
    def f(x: Any) -> Any:
        def grad(dy: Any, variables: Any = None) -> Any:
            assert [w.name for w in variables] == ["v:0"]
            return dy * 100.0, [dy * 1000.0]

        return x * v, grad

    x = tf.constant(1.0)
    assert run(tf.gradients(f(x), [x, v])) == [100.0, 1000.0]


def test_hessians_are_second_derivatives() -> None:
    x = tf.constant([1.0, 2.0, 3.0])
    (h,) = tf.hessians(tf.reduce_prod(x), x)
    assert h.shape == (3, 3)
    np.testing.assert_allclose(run(h), [[0, 3, 2], [3, 0, 1], [2, 1, 0]], atol=1e-6)


def test_functions_are_differentiated_through_their_bodies() -> None:
    x = tf.placeholder(tf.float32, [2])

    @Defun(tf.float32, tf.float32)
    def scaled(a: Any, b: Any) -> Any:
        return tf.sin(a) * b, a + x  # x is captured

    @tf.function
    def plain(a: Any, factor: float) -> Any:
        return {"out": tf.square(a) * factor}

    y = scaled(x, x * 3.0)
    z = plain(x, 2.0)["out"]
    value = np.array([1.0, 2.0], np.float32)
    gy, gz = run([tf.gradients(y, x)[0], tf.gradients(z, x)[0]], {x: value})
    np.testing.assert_allclose(gy, np.cos(value) * 3 * value + 3 * np.sin(value) + 2, rtol=1e-5)
    np.testing.assert_allclose(gz, 4 * value, rtol=1e-6)


def test_functions_may_bring_their_own_gradient() -> None:
    @Defun(tf.float32, tf.float32)
    def backward(a: Any, da: Any) -> Any:
        return a * da * 100.0

    @Defun(tf.float32, grad_func=backward)
    def twice(a: Any) -> Any:
        return a * 2.0

    @Defun(tf.float32, python_grad_func=lambda op, grad: grad * 7.0)
    def thrice(a: Any) -> Any:
        return a * 3.0

    x = tf.constant([1.0, 2.0])
    g, h = run([tf.gradients(twice(x), x)[0], tf.gradients(thrice(x), x)[0]])
    assert g.tolist() == [100.0, 200.0]
    assert h.tolist() == [7.0, 7.0]


def test_dropout_in_a_function_is_the_same_forwards_and_backwards() -> None:
    x = tf.ones([100])

    @tf.function
    def noisy(a: Any) -> Any:
        return a * tf.floor(tf.random_uniform([100]) + 0.5)

    y = noisy(x)
    kept, slope = run([y, tf.gradients(y, x)[0]])
    assert 20 < kept.sum() < 80
    assert (kept == slope).all()


def test_gradients_of_outer_tensors_can_be_taken_inside_a_loop() -> None:
    x = tf.constant([1.0, 2.0])
    y = x * x

    def body(i: Any, total: Any) -> Any:
        return i + 1, total + tf.gradients(y[i], x)[0]

    assert run(tf.while_loop(lambda i, _: i < 2, body, [0, tf.zeros([2])]))[1].tolist() == [2.0, 4.0]


def test_thousands_of_operations_are_differentiated_in_a_moment() -> None:
    import time

    x = y = tf.placeholder(tf.float32, [2, 2])
    for _ in range(1500):
        y = y * x
    start = time.perf_counter()
    assert tf.gradients(y, x, gate_gradients=True)[0] is not None
    assert time.perf_counter() - start < 10  # a second is usual; quadratic work would take minutes
