"""`tf.Variable`: kinds, errors, slices, lifting out of control flow, VariableDef across graphs. (What TensorFlow answered: test_training.)"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

import hornbeam as tf

KINDS = pytest.mark.parametrize("use_resource", [False, True], ids=["ref", "resource"])


@pytest.fixture(autouse=True)
def graph() -> Iterator[tf.Graph]:
    with tf.Graph().as_default() as g:
        yield g


def started() -> tf.Session:
    s = tf.Session()
    s.run([tf.global_variables_initializer(), tf.local_variables_initializer()])
    return s


@KINDS
@pytest.mark.parametrize(
    "value", [np.float32([1, 2]), np.float64([[1.5]]), np.int64(7), np.array([True, False]), np.float16([1, 2])]
)
def test_a_variable_starts_with_its_initial_value(value: np.ndarray, use_resource: bool) -> None:
    v = tf.Variable(value, use_resource=use_resource)
    assert v.dtype.base_dtype.as_numpy_dtype == value.dtype.type
    assert v.shape.as_list() == list(value.shape)
    got = started().run(v)
    assert got.dtype == value.dtype
    np.testing.assert_array_equal(got, value)


@KINDS
def test_string_variables_hold_strings(use_resource: bool) -> None:
    v = tf.Variable(["a", "bc"], use_resource=use_resource)
    s = started()
    assert s.run(v).tolist() == [b"a", b"bc"]
    s.run(v.assign(["x", "y"]))
    assert s.run(v).tolist() == [b"x", b"y"]


def test_the_kind_follows_argument_then_scope_then_default() -> None:
    assert type(tf.Variable(1.0)).__name__ == "RefVariable"
    assert isinstance(tf.Variable(1.0), tf.Variable)
    with tf.variable_scope("s", use_resource=True):
        assert type(tf.Variable(1.0)).__name__ == "ResourceVariable"
        assert type(tf.Variable(1.0, use_resource=False)).__name__ == "RefVariable"
    tf.enable_resource_variables()
    try:
        assert tf.resource_variables_enabled()
        assert type(tf.get_variable("v", [])).__name__ == "ResourceVariable"
    finally:
        tf.disable_resource_variables()


def test_creators_are_asked_innermost_first() -> None:
    asked = []

    def creator(tag):
        def create(next_creator, **kwargs):
            asked.append(tag)
            return next_creator(**kwargs)

        return create

    with tf.variable_creator_scope(creator("outer")), tf.variable_creator_scope(creator("inner")):
        tf.get_variable("v", [2])
    tf.Variable(1.0)
    assert asked == ["inner", "outer"]


@pytest.mark.parametrize(
    ("kwargs", "error"),
    [
        ({}, "initial_value must be specified"),
        ({"initial_value": 1.0, "collections": "x"}, "collections argument to Variable constructor must be a list"),
        ({"initial_value": 1.0, "constraint": 3}, "must be a callable"),
        ({"initial_value": 1.0, "synchronization": "auto"}, "Invalid variable synchronization mode"),
        (
            {"initial_value": 1.0, "trainable": True, "synchronization": tf.VariableSynchronization.ON_READ},
            "only for non-trainable variables",
        ),
    ],
)
def test_bad_arguments_are_refused(kwargs: dict, error: str) -> None:
    with pytest.raises(ValueError, match=error):
        tf.Variable(**kwargs)


def test_the_shape_must_be_known_unless_it_is_not_to_be_checked() -> None:
    x = tf.placeholder_with_default(np.float32([1, 2, 3]), [None])
    with pytest.raises(ValueError, match="initial_value must have a shape specified"):
        tf.Variable(x)
    v = tf.Variable(x, validate_shape=False)
    assert v.shape.ndims is None
    s = started()
    assert s.run(v).shape == (3,)
    s.run(tf.assign(v, np.zeros([2, 2], np.float32), validate_shape=False))
    assert s.run(v).shape == (2, 2)


@KINDS
def test_assigning_another_shape_is_refused(use_resource: bool) -> None:
    v = tf.Variable([1.0, 2.0], use_resource=use_resource)
    with pytest.raises(ValueError, match="shape|Shapes"):
        v.assign([1.0, 2.0, 3.0])


@KINDS
def test_reading_before_initialization_fails_with_the_variables_name(use_resource: bool) -> None:
    v = tf.Variable(1.0, name="weights", use_resource=use_resource)
    with pytest.raises(tf.errors.FailedPreconditionError, match="weights"):
        tf.Session().run(v + 1.0)


def test_only_slices_of_variables_can_be_assigned() -> None:
    assert not hasattr(tf.constant([1.0, 2.0])[0], "assign")
    v = tf.Variable([1.0, 2.0, 3.0])
    s = started()
    s.run(v[1:].assign([8.0, 9.0]))
    assert s.run(v).tolist() == [1.0, 8.0, 9.0]


def test_variables_do_not_iterate_nor_decide() -> None:
    v = tf.Variable([1.0, 2.0])
    with pytest.raises(TypeError, match="not iterable"):
        iter(v)
    with pytest.raises(TypeError, match="bool"):
        bool(v)
    assert v == v
    assert len({v, v}) == 1


@KINDS
def test_control_dependencies_order_reads_and_writes(use_resource: bool) -> None:
    v = tf.Variable(1.0, use_resource=use_resource)
    with tf.control_dependencies([v.assign_add(1.0)]):
        after = v.read_value()
        with tf.control_dependencies([after]), tf.control_dependencies([v.assign(10.0)]):
            last = v.read_value()
    s = started()
    assert s.run([after, last]) == [2.0, 10.0]
    assert s.run(v) == 10.0


@KINDS
def test_a_variable_made_in_a_branch_belongs_to_the_graph_outside(use_resource: bool, graph: tf.Graph) -> None:
    made = []

    def branch():
        made.append(tf.get_variable("v", [2], initializer=tf.ones_initializer(), use_resource=use_resource))
        return made[-1] + 1.0

    y = tf.cond(tf.constant(True), branch, lambda: tf.zeros([2]))
    assert made[0].graph is graph
    assert tf.global_variables() == made
    assert started().run(y).tolist() == [2.0, 2.0]


def test_a_tensor_from_inside_a_branch_cannot_initialize() -> None:
    def branch():
        return tf.Variable(tf.ones([2]) * 2.0) + 1.0

    with pytest.raises(ValueError, match="init_scope or callable"):
        tf.cond(tf.constant(True), branch, lambda: tf.zeros([2]))


@KINDS
def test_writes_inside_a_branch_happen_when_it_is_taken(use_resource: bool) -> None:
    v = tf.Variable(1.0, use_resource=use_resource)
    p = tf.placeholder(tf.bool, [])
    y = tf.cond(p, lambda: tf.identity(v.assign_add(1.0)), lambda: tf.identity(v))
    s = started()
    assert [float(s.run(y, {p: b})) for b in (True, False, True)] == [2.0, 2.0, 3.0]


@KINDS
def test_a_definition_finds_the_variable_in_an_imported_graph(use_resource: bool, graph: tf.Graph) -> None:
    v = tf.Variable([1.0, 2.0], name="s/v", use_resource=use_resource, trainable=False)
    v.assign([3.0, 4.0])
    definition, graph_def = v.to_proto(), graph.as_graph_def()
    with tf.Graph().as_default():
        tf.import_graph_def(graph_def, name="imported")
        again = tf.Variable.from_proto(definition, import_scope="imported")
        assert again.op.name == "imported/s/v"
        assert again.shape.as_list() == [2]
        assert not again.trainable
        with tf.Session() as s:
            s.run(again.initializer)
            s.run(again.assign_add([1.0, 1.0]))
            assert s.run(again).tolist() == [2.0, 3.0]


def test_a_caching_device_gives_the_snapshot_its_device() -> None:
    v = tf.Variable(1.0, caching_device="/cpu:0")
    assert "CPU:0" in v.value().device.upper()
    assert v.device == ""
    r = tf.Variable(1.0, caching_device="/cpu:0", use_resource=True)
    assert "CPU:0" in r.value().device.upper()
    assert started().run([v, r.value()]) == [1.0, 1.0]


def test_operators_use_the_value() -> None:
    v = tf.Variable([2.0, 4.0])
    s = started()
    assert s.run([v + 1, 1 - v, v * v, v / 2, v // 3, v % 3, v**2, -v, abs(-v)])[0].tolist() == [3.0, 5.0]
    assert s.run([v > 3.0, v <= 2.0])[0].tolist() == [False, True]
    assert s.run(v[1]) == 4.0


def test_loading_needs_a_session() -> None:
    v = tf.Variable([1.0])
    with pytest.raises(ValueError, match="session"):
        v.load([2.0])
    with started():
        v.load([5.0])
        assert v.eval().tolist() == [5.0]


def test_batch_scatter_update_writes_into_each_batch_entry() -> None:
    v = tf.Variable(np.zeros([2, 3, 2], np.float32))
    s = started()
    s.run(tf.batch_scatter_update(v, [[0, 2], [1, 0]], np.arange(8, dtype=np.float32).reshape(2, 2, 2)))
    expected = np.zeros([2, 3, 2])
    expected[0, 0], expected[0, 2], expected[1, 1], expected[1, 0] = [0, 1], [2, 3], [4, 5], [6, 7]
    np.testing.assert_array_equal(s.run(v), expected)


@KINDS
def test_a_scatter_out_of_range_says_which_index(use_resource: bool) -> None:
    v = tf.Variable([1.0, 2.0], use_resource=use_resource)
    op = v.scatter_add(tf.IndexedSlices(tf.constant([1.0]), tf.constant([2])))
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"= 2 is not in \[0, 2\)"):
        started().run(op)


def test_partitions_assign_and_join() -> None:
    v = tf.get_variable("v", [5, 2], partitioner=tf.fixed_size_partitioner(2), initializer=tf.zeros_initializer())
    assert len(v) == 2
    value = np.arange(10, dtype=np.float32).reshape(5, 2)
    s = started()
    s.run(v.assign(value))
    np.testing.assert_array_equal(s.run(v.as_tensor()), value)
    np.testing.assert_array_equal(s.run(tf.identity(v) * 2.0), value * 2)
    assert [p._save_slice_info.spec for p in v] == ["5 2 0,3:0,2", "5 2 3,2:0,2"]
