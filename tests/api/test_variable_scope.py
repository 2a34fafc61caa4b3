"""`tf.variable_scope` and `tf.get_variable`: inheritance, getters, regularizers, templates. (TensorFlow's answers: test_training.)"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

import hornbeam as tf


@pytest.fixture(autouse=True)
def graph() -> Iterator[tf.Graph]:
    with tf.Graph().as_default() as g:
        yield g


def values(*fetches):
    with tf.Session() as s:
        s.run(tf.global_variables_initializer())
        return s.run(list(fetches))


def test_an_initializer_comes_from_the_nearest_scope_that_has_one() -> None:
    with tf.variable_scope("a", initializer=tf.constant_initializer(2.0)):
        x = tf.get_variable("x", [2])
        with tf.variable_scope("b", initializer=tf.constant_initializer(3.0)):
            y = tf.get_variable("y", [2])
            z = tf.get_variable("z", [2], initializer=tf.constant_initializer(4.0))
    assert [v.tolist() for v in values(x, y, z)] == [[2.0, 2.0], [3.0, 3.0], [4.0, 4.0]]


def test_a_scope_can_change_its_defaults_after_it_was_opened() -> None:
    with tf.variable_scope("a") as scope:
        scope.set_initializer(tf.ones_initializer())
        scope.set_dtype(tf.float64)
        scope.set_use_resource(True)
        scope.set_regularizer(tf.contrib.layers.l1_regularizer(0.5))
        v = tf.get_variable("v", [3])
    assert (v.dtype, type(v).__name__) == (tf.float64, "ResourceVariable")
    (loss,) = tf.get_collection(tf.GraphKeys.REGULARIZATION_LOSSES)
    assert loss.op.name == "a/v/Regularizer/l1_regularizer"
    assert values(loss) == [1.5]


def test_an_outer_regularizer_can_be_turned_off() -> None:
    with tf.variable_scope("a", regularizer=tf.contrib.layers.l2_regularizer(0.5)):
        tf.get_variable("v", [2], initializer=tf.ones_initializer())
        with tf.variable_scope("b", regularizer=tf.no_regularizer):
            tf.get_variable("v", [2])
    losses = tf.get_collection(tf.GraphKeys.REGULARIZATION_LOSSES)
    assert values(*losses) == [0.5]


def test_sharing_does_not_regularize_twice() -> None:
    for reuse in (False, True):
        with tf.variable_scope("a", reuse=reuse, regularizer=tf.contrib.layers.l2_regularizer(0.5)):
            tf.get_variable("v", [2])
    assert len(tf.get_collection(tf.GraphKeys.REGULARIZATION_LOSSES)) == 1


def test_getters_nest_with_the_inner_one_asked_first() -> None:
    order = []

    def getter(tag):
        def get(getter, *args, **kwargs):
            order.append(tag)
            return getter(*args, **kwargs) * 2.0

        return get

    with tf.variable_scope("a", custom_getter=getter("outer")), tf.variable_scope("b", custom_getter=getter("inner")):
        x = tf.get_variable("x", [2], initializer=tf.ones_initializer())
    assert order == ["inner", "outer"]
    assert values(x)[0].tolist() == [4.0, 4.0]


def test_a_getter_of_get_variable_takes_the_place_of_the_scopes() -> None:
    with tf.variable_scope("a", custom_getter=lambda getter, *a, **k: pytest.fail("not to be asked")):
        v = tf.get_variable("v", [2], custom_getter=lambda getter, name, *a, **k: getter(name + "_mine", *a, **k))
    assert v.op.name == "a/v_mine"


def test_constraints_reach_the_variable() -> None:
    def positive(x):
        return tf.nn.relu(x)

    with tf.variable_scope("a", constraint=positive):
        assert tf.get_variable("v", [2]).constraint is positive


def test_partition_information_reaches_the_initializer() -> None:
    seen = []

    def initializer(shape, dtype=None, partition_info=None):
        seen.append((list(shape), partition_info.full_shape, partition_info.var_offset))
        return tf.ones(shape, dtype)

    tf.get_variable("v", [5, 2], partitioner=tf.fixed_size_partitioner(2), initializer=initializer)
    assert seen == [([3, 2], [5, 2], [0, 0]), ([2, 2], [5, 2], [3, 0])]


def test_create_partitioned_variables_cuts_as_told() -> None:
    parts = tf.create_partitioned_variables([4, 3], [2, 1], tf.constant_initializer(1.0), name="whole")
    assert [p.op.name for p in parts] == ["whole/part_0", "whole/part_1"]
    assert [p.shape.as_list() for p in parts] == [[2, 3], [2, 3]]
    with pytest.raises(ValueError, match="must have the length"):
        tf.create_partitioned_variables([4, 3], [2], tf.ones_initializer())


def test_local_variables_are_local() -> None:
    v = tf.get_local_variable("v", [2], initializer=tf.zeros_initializer())
    assert tf.local_variables() == [v]
    assert not tf.global_variables()
    assert not tf.trainable_variables()


def test_local_variables_keep_the_collections_asked_for() -> None:
    v = tf.get_local_variable("v", [2], collections=["mine"])
    assert tf.get_collection("mine") == [v] == tf.local_variables()


def test_another_graph_has_its_own_variables() -> None:
    v = tf.get_variable("v", [2])
    with tf.Graph().as_default():
        assert tf.get_variable("v", [3]) is not v
        assert tf.get_variable_scope().name == ""


def test_a_failing_body_leaves_the_scope() -> None:
    with pytest.raises(RuntimeError), tf.variable_scope("a"):
        raise RuntimeError
    assert tf.get_variable_scope().name == ""
    assert tf.get_default_graph().get_name_scope() == ""


def test_values_choose_the_graph(graph: tf.Graph) -> None:
    x = tf.constant(1.0)
    with tf.Graph().as_default(), tf.variable_scope("a", values=[x]):
        assert tf.get_default_graph() is graph
    with tf.variable_op_scope([x], None, "d") as scope:
        assert scope.name == "d"


def test_a_scope_function_used_twice_is_numbered_once_for_each_use() -> None:
    def layer(x):
        with tf.variable_scope(None, "layer", [x]):
            return x * tf.get_variable("w", [2])

    layer(layer(tf.ones([2])))
    with tf.variable_scope("net"):
        layer(tf.ones([2]))
    assert [v.op.name for v in tf.global_variables()] == ["layer/w", "layer_1/w", "net/layer/w"]


def test_templates_share_and_report_what_they_made() -> None:
    def f(x, scale):
        return x * tf.get_variable("w", [], initializer=tf.constant_initializer(scale))

    t = tf.make_template("t", f, scale=3.0)
    assert t.variables == []
    y = t(tf.constant(1.0)) + t(tf.constant(2.0))
    assert [v.op.name for v in t.variables] == ["t/w"] == [v.op.name for v in t.trainable_variables]
    assert values(y) == [9.0]


def test_templates_find_their_scope_from_inside_another() -> None:
    t = tf.make_template("t", lambda: tf.get_variable("w", []))
    first = t()
    with tf.variable_scope("elsewhere"):
        assert t() is first


@pytest.mark.parametrize("scale", [-0.5, 1])
def test_regularizers_refuse_negative_and_integer_scales(scale: float) -> None:
    with pytest.raises(ValueError, match="scale"):
        tf.contrib.layers.l2_regularizer(scale)


def test_regularizers_have_their_formulas() -> None:
    w = tf.Variable([[1.0, -2.0]])
    layers = tf.contrib.layers
    got = values(
        layers.l1_regularizer(0.5)(w),
        layers.l2_regularizer(0.5)(w),
        layers.l1_l2_regularizer(0.5, 0.25)(w),
        layers.sum_regularizer([layers.l1_regularizer(1.0), None])(w),
        layers.apply_regularization(layers.l2_regularizer(2.0), [w, w]),
    )
    np.testing.assert_allclose(got, [1.5, 1.25, 1.5 + 0.625, 3.0, 10.0])
    assert layers.l1_regularizer(0.0)(w) is None
