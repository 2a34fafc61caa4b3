"""cond, case, while_loop, map_fn, scan, TensorArray and RNNs: values, and first and second derivatives against finite differences."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import hornbeam as tf
from tests.control import build
from tests.oracle.cases_control import PROGRAMS


@pytest.mark.parametrize("name", sorted(PROGRAMS))
def test_gradients_are_those_of_finite_differences(name: str) -> None:
    b = build(
        name,
        tf.float64,
        second=name in ("cond", "while_known_count", "while_with_cond", "cond_with_while", "scan_rows", "gru"),
    )
    with tf.Session(graph=b.graph) as session:
        for op, given, value in b.assigns:
            session.run(op, {given: value})
        for p, n in ((True, 3), (False, 5)) if name.startswith(("cond", "case", "switch")) else ((True, 3),):
            feeds = b.feeds(p, n)
            grads = session.run([g for g in (b.first[0], b.first[1]) if g is not None], feeds)
            r = np.random.RandomState(3)
            for x, g in zip(
                [x for x, g in zip((b.x, b.w), b.first, strict=False) if g is not None], grads, strict=True
            ):
                direction = r.randn(*feeds[x].shape)
                moved = [
                    session.run(
                        [b.loss, *[t for t in b.first[:1] if t is not None]],
                        {**feeds, x: feeds[x] + s * 1e-6 * direction},
                    )
                    for s in (1, -1)
                ]
                numeric = (moved[0][0] - moved[1][0]) / 2e-6
                np.testing.assert_allclose(np.sum(g * direction), numeric, rtol=2e-5, atol=1e-7)
            if b.second:
                direction = r.randn(4, 3)
                second = session.run(b.second[0], feeds)
                squares = [
                    sum(
                        float(np.sum(g**2))
                        for g in session.run(
                            [g for g in b.first if g is not None], {**feeds, b.x: feeds[b.x] + s * 1e-6 * direction}
                        )
                    )
                    for s in (1, -1)
                ]
                np.testing.assert_allclose(
                    np.sum(second * direction), (squares[0] - squares[1]) / 2e-6, rtol=2e-4, atol=1e-6
                )


def run(fetches: Any, feeds: Any = None) -> Any:
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        return session.run(fetches, feeds)


@pytest.fixture(autouse=True)
def fresh_graph() -> Any:
    with tf.Graph().as_default():
        yield


def test_only_the_branch_taken_assigns_its_variable() -> None:
    p = tf.placeholder(tf.bool, [])
    for use_resource in (False, True):
        v = tf.get_variable(f"v{use_resource}", initializer=1.0, use_resource=use_resource)
        picked = tf.cond(p, lambda v=v: tf.assign_add(v, 10.0), lambda v=v: tf.identity(v))
        with tf.Session() as session:
            session.run(tf.global_variables_initializer())
            assert session.run(picked, {p: False}) == 1.0
            assert session.run(v) == 1.0
            assert session.run(picked, {p: True}) == 11.0
            assert session.run(v) == 11.0


def test_a_loop_assigns_a_variable_every_turn() -> None:
    v = tf.get_variable("v", initializer=0.0, use_resource=True)

    def body(i: Any) -> Any:
        with tf.control_dependencies([tf.assign_add(v, 2.0)]):
            return tf.identity(i + 1)

    loop = tf.while_loop(lambda i: i < 5, body, [0])
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        assert session.run(loop) == 5
        assert session.run(v) == 10.0


def test_operations_as_branch_results_run() -> None:
    v = tf.get_variable("v", initializer=0.0)
    p = tf.placeholder(tf.bool, [])
    train = tf.cond(p, lambda: tf.group(tf.assign(v, 5.0)), lambda: tf.no_op())
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        session.run(train, {p: False})
        assert session.run(v) == 0.0
        session.run(train, {p: True})
        assert session.run(v) == 5.0


def test_a_branch_waits_for_control_inputs_from_outside() -> None:
    v = tf.get_variable("v", initializer=0.0)
    write = tf.assign(v, 3.0)

    def branch() -> Any:
        with tf.control_dependencies([write]):
            return tf.identity(tf.constant(1.0))

    out = tf.cond(tf.placeholder_with_default(True, []), branch, lambda: tf.constant(2.0))
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        assert session.run(out) == 1.0
        assert session.run(v) == 3.0


def test_single_results_come_back_alone_unless_strict() -> None:
    p = tf.placeholder_with_default(True, [])
    assert isinstance(tf.cond(p, lambda: [tf.constant(1)], lambda: [tf.constant(2)]), tf.Tensor)
    assert isinstance(tf.cond(p, lambda: [tf.constant(1)], lambda: [tf.constant(2)], strict=True), list)
    assert isinstance(tf.while_loop(lambda i: i < 2, lambda i: [i + 1], [0]), tf.Tensor)
    assert isinstance(tf.while_loop(lambda i: i < 2, lambda i: [i + 1], [0], return_same_structure=True), list)


def test_old_names_of_the_branches_work() -> None:
    assert run(tf.cond(tf.constant(True), fn1=lambda: tf.constant(1), fn2=lambda: tf.constant(2))) == 1


@pytest.mark.parametrize(
    ("make", "error", "text"),
    [
        (lambda: tf.cond(True, lambda: 1, lambda: 2), TypeError, "pred must not be a Python bool"),
        (lambda: tf.cond(tf.constant(True), lambda: tf.constant(1), lambda: tf.constant(1.0)), ValueError, "must have the same type"),
        (lambda: tf.cond(tf.constant(True), lambda: tf.constant(1), lambda: [tf.constant(1), 2]), TypeError, "Incompatible return types"),
        (lambda: tf.cond(tf.constant(True), lambda: None, lambda: tf.constant(1)), ValueError, "must have a return value"),
        (lambda: tf.cond(tf.constant(True), 3, lambda: 1), TypeError, "true_fn must be callable"),
        (lambda: tf.while_loop(lambda i: i < 3, lambda i: i + 1, []), ValueError, "No loop variables"),
        (lambda: tf.while_loop(3, lambda i: i + 1, [0]), TypeError, "callable"),
        (lambda: tf.while_loop(lambda i: i < 3.0, lambda i: tf.cast(i, tf.int32), [0.0]), TypeError, "after 1 iteration"),
        (lambda: tf.while_loop(lambda i, a: i < 3, lambda i, a: (i + 1, tf.concat([a, a], 0)), [0, tf.zeros([2])]), ValueError, "shape_invariants"),
        (lambda: tf.while_loop(lambda i: i < 3, lambda i: (i + 1, i), [0]), ValueError, "structure"),
        (lambda: tf.case([(True, lambda: 1)]), TypeError, "bool"),
        (lambda: tf.switch_case(tf.constant(0), []), ValueError, "non-empty"),
    ],
)  # fmt: skip
def test_misuse_is_reported_in_tensorflows_words(make: Any, error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        make()


def test_case_takes_the_first_true_predicate_and_can_insist_on_one() -> None:
    a, b = tf.placeholder(tf.bool, []), tf.placeholder(tf.bool, [])
    pairs = [(a, lambda: tf.constant(1)), (b, lambda: tf.constant(2))]
    first = tf.case(pairs, default=lambda: tf.constant(3))
    only = tf.case(pairs, default=lambda: tf.constant(3), exclusive=True)
    some = tf.case(pairs)
    with tf.Session() as session:
        assert session.run(first, {a: True, b: True}) == 1
        assert session.run(first, {a: False, b: False}) == 3
        assert session.run(only, {a: False, b: True}) == 2
        with pytest.raises(tf.errors.InvalidArgumentError, match="More than one condition"):
            session.run(only, {a: True, b: True})
        with pytest.raises(tf.errors.InvalidArgumentError, match="None of conditions"):
            session.run(some, {a: False, b: False})


def test_sparse_values_and_indexed_slices_travel_through_loops() -> None:
    s = tf.SparseTensor([[0, 1]], [2.0], [2, 2])
    i, out = tf.while_loop(
        lambda i, s: i < 3, lambda i, s: (i + 1, tf.SparseTensor(s.indices, s.values * 2.0, s.dense_shape)), [0, s]
    )
    assert run([i, out.values])[1].tolist() == [16.0]
    slices = tf.IndexedSlices(tf.ones([1, 2]), tf.constant([3]))
    _, got = tf.while_loop(
        lambda i, s: i < 2, lambda i, s: (i + 1, tf.IndexedSlices(s.values + 1.0, s.indices)), [0, slices]
    )
    assert run(got.values).tolist() == [[3.0, 3.0]]


def test_back_prop_false_cuts_the_gradient() -> None:
    x = tf.constant(2.0)
    y = tf.while_loop(lambda a: a < 10.0, lambda a: a * 2.0, [x], back_prop=False)
    assert tf.gradients(y, x) == [None]


def test_loops_without_a_gradient_on_the_way_still_run_after_gradients_were_added() -> None:
    x = tf.placeholder(tf.float32, [])
    i, y = tf.while_loop(lambda i, a: i < 3, lambda i, a: (i + 1, a * x), [0, 1.0])
    with tf.Session() as session:
        assert session.run(y, {x: 2.0}) == 8.0
        g = tf.gradients(y, x)  # the loop gains lists between two runs
        assert session.run([y, *g], {x: 2.0}) == [8.0, 12.0]


def test_strings_in_a_loop_run_on_the_host() -> None:
    _, s = tf.while_loop(
        lambda i, s: i < 3, lambda i, s: (i + 1, tf.string_join([s, tf.as_string(i)])), [0, tf.constant("x")]
    )
    assert run(s) == b"x012"


def test_reading_beyond_a_tensor_array_names_the_index() -> None:
    a = tf.TensorArray(tf.float32, size=2).unstack([1.0, 2.0])
    with pytest.raises(tf.errors.InvalidArgumentError, match="element 2 in a list with 2 elements"):
        run(a.read(2))


def test_a_tensor_array_refuses_another_shape_or_dtype() -> None:
    a = tf.TensorArray(tf.float32, size=2).write(0, [1.0, 2.0])
    with pytest.raises(ValueError, match="Inconsistent shapes"):
        a.write(1, [1.0])
    with pytest.raises(TypeError, match="TensorArray dtype is float32"):
        a.write(1, tf.constant([1, 2]))


def test_group_tuple_and_dependencies_order_effects() -> None:
    v = tf.get_variable("v", initializer=1.0)
    a, b = tf.tuple([tf.constant(1.0), tf.constant(2.0)], control_inputs=[tf.assign(v, 7.0).op])
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        assert session.run(tf.group(a, b)) is None
        assert session.run(v) == 7.0


def test_assert_fails_with_the_values_it_was_given() -> None:
    x = tf.placeholder(tf.float32, [2])
    with tf.control_dependencies([tf.Assert(tf.reduce_all(x > 0.0), ["x was", x])]):
        y = tf.identity(x)
    with tf.Session() as session:
        assert session.run(y, {x: [1.0, 2.0]}).tolist() == [1.0, 2.0]
        with pytest.raises(tf.errors.InvalidArgumentError, match=r"assertion failed: \[x was\] \[-1 2\]"):
            session.run(y, {x: [-1.0, 2.0]})


def test_print_writes_values_as_tensorflow_does(capfd: pytest.CaptureFixture[str]) -> None:
    x = tf.constant([[0.0, 1.5, 3.0], [4.5, 6.0, 7.5]])
    with tf.Session() as session:
        shown = tf.Print(x, [x, "s"], "here ", first_n=1)
        session.run(shown)
        session.run(shown)
        session.run(tf.print("a", x, {"k": [tf.constant(3), "q"]}))
    assert capfd.readouterr().err == "here [[0 1.5 3]...][s]\na [[0 1.5 3]\n [4.5 6 7.5]] {'k': [3, 'q']}\n"
