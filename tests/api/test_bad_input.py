"""What goes wrong in a TF-1 program is said in TensorFlow's error classes, by name, with what to do; and nothing is lost."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import hornbeam as tf


@pytest.fixture(autouse=True)
def fresh_graph() -> Any:
    with tf.Graph().as_default() as g:
        yield g


def test_a_missing_feed_names_the_placeholder() -> None:
    x = tf.placeholder(tf.float32, [None, 3], name="inputs")
    said = r"You must feed a value for placeholder tensor 'inputs' with dtype float and shape \[\?,3\]"
    with tf.Session() as sess, pytest.raises(tf.errors.InvalidArgumentError, match=said) as e:
        sess.run(x * 2.0)
    assert e.value.op.name == "inputs"
    assert e.value.node_def.op == "Placeholder"


def test_a_feed_of_another_shape_or_kind_is_refused_before_running() -> None:
    x = tf.placeholder(tf.float32, [None, 3], name="x")
    y = x + 1.0
    with tf.Session() as sess:
        with pytest.raises(
            ValueError, match=r"Cannot feed value of shape \(2, 4\) for Tensor 'x:0', which has shape '\(\?, 3\)'"
        ):
            sess.run(y, {x: np.zeros([2, 4])})
        with pytest.raises(ValueError, match="Cannot feed str value"):
            sess.run(y, {x: "three"})
        with pytest.raises(TypeError, match="cannot be a tf.Tensor object"):
            sess.run(y, {x: y})
        with pytest.raises(TypeError, match="Cannot interpret feed_dict key as Tensor"):
            sess.run(y, {"nothing:0": 1.0})


def test_shapes_that_cannot_meet_are_refused_while_building_with_node_and_shapes() -> None:
    a, b = tf.zeros([2, 3]), tf.zeros([4, 5])
    with pytest.raises(
        ValueError,
        match=r"Dimensions must be equal, but are 3 and 4 for 'product' \(op: 'MatMul'\) with input shapes: \[2,3\], \[4,5\]",
    ):
        tf.matmul(a, b, name="product")
    assert "product" not in [op.name for op in tf.get_default_graph().get_operations()]


def test_shapes_that_meet_only_at_run_time_are_refused_by_node() -> None:
    a, b = tf.placeholder(tf.float32), tf.placeholder(tf.float32)
    total = tf.add(a, b, name="total")
    with tf.Session() as sess:
        with pytest.raises(tf.errors.InvalidArgumentError, match="total"):
            sess.run(total, {a: np.zeros([2]), b: np.zeros([3])})
        np.testing.assert_array_equal(sess.run(total, {a: [1.0], b: [2.0]}), [3.0])


@pytest.mark.parametrize("resource", [False, True])
def test_an_uninitialised_variable_is_named(resource: bool) -> None:
    v = tf.get_variable("weights", [2], use_resource=resource)
    with tf.Session() as sess:
        with pytest.raises(tf.errors.FailedPreconditionError, match="weights.*global_variables_initializer"):
            sess.run(v + 1.0)
        assert sess.run(tf.report_uninitialized_variables()).tolist() == [b"weights"]
        sess.run(v.initializer)
        assert sess.run(v + 1.0).shape == (2,)


def test_unknown_ops_are_listed_all_at_once() -> None:
    graph = tf.GraphDef()
    for name, op in (("a", "NoSuchOp"), ("b", "AnotherOne"), ("c", "NoSuchOp")):
        graph.node.add(name=name, op=op)
    with pytest.raises(
        tf.errors.NotFoundError, match=r"'AnotherOne' \(1 node, e.g. 'b'\); 'NoSuchOp' \(2 nodes, e.g. 'a'\)"
    ):
        tf.import_graph_def(graph)
    with pytest.raises(tf.errors.NotFoundError, match="Op type not registered 'NoSuchOp'"):
        tf.get_default_graph().create_op("NoSuchOp", [], [tf.float32])


def test_duplicate_names_dangling_inputs_and_cycles_are_refused_by_name() -> None:
    def graph(*nodes: tuple[str, list[str]]) -> Any:
        g = tf.GraphDef()
        for name, inputs in nodes:
            n = g.node.add(name=name, op="Neg" if inputs else "Placeholder", input=inputs)
            n.attr["T" if inputs else "dtype"].type = 1
        return g

    with pytest.raises(ValueError, match="Node 'a' is not unique"):
        tf.import_graph_def(graph(("a", []), ("a", [])))
    with pytest.raises(ValueError, match="Node 'b': Unknown input node 'missing'"):
        tf.import_graph_def(graph(("b", ["missing"])))
    with pytest.raises(ValueError, match="cycle.*(b|c)"):
        tf.import_graph_def(graph(("b", ["c"]), ("c", ["b"])))
    with pytest.raises(ValueError, match="Connecting to invalid output 3 of source node a which has 1 outputs"):
        tf.import_graph_def(graph(("a", []), ("b", ["a:3"])))
    tf.constant(1.0, name="x/y")
    with pytest.raises(ValueError, match="'x/y' already exists"):
        g = tf.GraphDef()
        n = g.node.add(name="x/y", op="Placeholder")
        n.attr["dtype"].type = 1
        tf.import_graph_def(g, name="")


def saved(tmp_path: Path) -> tuple[Any, Any, str]:
    a = tf.get_variable("first", initializer=np.arange(1000, dtype=np.float32))
    tf.get_variable("second", initializer=np.ones([3], np.float32))
    saver = tf.train.Saver()
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        path = saver.save(sess, str(tmp_path / "model"))
    return saver, a, path


def test_a_damaged_tensor_is_a_data_loss_that_names_it_and_where(tmp_path: Path) -> None:
    saver, _, path = saved(tmp_path)
    data = tmp_path / "model.data-00000-of-00001"
    broken = bytearray(data.read_bytes())
    broken[100] ^= 1
    data.write_bytes(broken)
    with tf.Session() as sess, pytest.raises(tf.errors.DataLossError, match="first") as e:
        saver.restore(sess, path)
    assert "model.data-00000-of-00001" in e.value.message
    assert any(c.isdigit() for c in e.value.message)


def test_a_truncated_checkpoint_is_a_data_loss(tmp_path: Path) -> None:
    saver, _, path = saved(tmp_path)
    data = tmp_path / "model.data-00000-of-00001"
    data.write_bytes(data.read_bytes()[:2000])
    with tf.Session() as sess, pytest.raises(tf.errors.DataLossError, match="first"):
        saver.restore(sess, path)


def test_a_checkpoint_without_a_tensor_says_which_and_leaves_variables_alone(tmp_path: Path) -> None:
    _, first, path = saved(tmp_path)
    extra = tf.get_variable("third", initializer=np.zeros([2], np.float32))
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        with pytest.raises(tf.errors.NotFoundError, match="Key third not found in checkpoint"):
            tf.train.Saver().restore(sess, path)
        assert sess.run(first)[999] == 999
        assert sess.run(extra).tolist() == [0, 0]


def test_a_variable_of_another_shape_or_dtype_is_refused(tmp_path: Path) -> None:
    _, _, path = saved(tmp_path)
    for value, what in (
        (np.zeros([7], np.float32), "shapes of both tensors to match"),
        (np.zeros([1000], np.int32), "dtype"),
    ):
        with tf.Graph().as_default(), tf.Session() as sess:
            tf.get_variable("first", initializer=value)
            with pytest.raises(tf.errors.InvalidArgumentError, match=what):
                tf.train.Saver().restore(sess, path)


def test_a_path_that_is_no_checkpoint_is_refused(tmp_path: Path) -> None:
    saver, _, _ = saved(tmp_path)
    with (
        tf.Session() as sess,
        pytest.raises(ValueError, match="The passed save_path is not a valid checkpoint: .*/nothing"),
    ):
        saver.restore(sess, str(tmp_path / "nothing"))


def test_a_full_disk_while_saving_keeps_the_previous_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    saver, first, path = saved(tmp_path)
    before = {p.name: p.read_bytes() for p in tmp_path.iterdir()}
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        sess.run(first.assign(np.zeros([1000], np.float32)))

        def full(*_: Any, **__: Any) -> int:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        for call in ("write", "writev", "pwrite", "pwritev"):
            monkeypatch.setattr(os, call, full)
        monkeypatch.setattr(os, "fsync", full)
        with pytest.raises(tf.errors.ResourceExhaustedError, match="No space left"):
            saver.save(sess, path)
        monkeypatch.undo()
        assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == before
        saver.restore(sess, path)
        assert sess.run(first)[999] == 999


def test_run_refuses_what_cannot_be_fetched() -> None:
    x = tf.constant(1.0)
    with tf.Session() as sess:
        with pytest.raises(TypeError, match="Fetch argument None has invalid type"):
            sess.run(None)
        with pytest.raises(TypeError, match="Fetch argument 3 has invalid type"):
            sess.run([x, 3])
        with pytest.raises(ValueError, match="cannot be interpreted as a Tensor"):
            sess.run("no_such:0")
        with tf.Graph().as_default():
            other = tf.constant(2.0)
        with pytest.raises(ValueError, match="is not an element of this graph"):
            sess.run(other)
    with pytest.raises(RuntimeError, match="closed Session"):
        sess.run(x)


def test_a_finalised_graph_refuses_nodes_and_keeps_running() -> None:
    x = tf.constant(1.0)
    tf.get_default_graph().finalize()
    with pytest.raises(RuntimeError, match="finalized"):
        tf.constant(2.0)
    with tf.Session() as sess:
        assert sess.run(x) == 1.0


def test_a_result_belongs_to_the_caller_and_a_feed_to_the_program() -> None:
    v = tf.get_variable("v", initializer=np.zeros([4], np.float32))
    x = tf.placeholder(tf.float32, [4])
    assign = v.assign(x)
    feed = np.ones([4], np.float32)
    with tf.Session() as sess:
        for _ in range(3):
            sess.run(assign, {x: feed})
            feed += 1.0
            got = sess.run(v)
            np.testing.assert_array_equal(got, feed - 1.0)
            got[:] = -1
            np.testing.assert_array_equal(sess.run(v), feed - 1.0)
