"""tf.data through the public surface: elements, orders, iterators of every kind, errors, positions in checkpoints."""

from __future__ import annotations

import numpy as np
import pytest

import hornbeam as tf

D = tf.data.Dataset


@pytest.fixture(autouse=True)
def _graph():
    with tf.Graph().as_default():
        yield


def drain(dataset, limit=100):
    it = tf.data.make_initializable_iterator(dataset)
    nxt = it.get_next()
    out = []
    with tf.Session() as s:
        s.run(it.initializer)
        while len(out) < limit:
            try:
                out.append(s.run(nxt))
            except tf.errors.OutOfRangeError:
                break
    return out


def values(dataset):
    return [np.asarray(v).tolist() for v in drain(dataset)]


def test_slices_shuffles_and_batches_keep_tensorflows_order():
    assert values(D.range(10).shuffle(4, seed=7)) == [0, 4, 2, 3, 5, 6, 1, 8, 7, 9]
    twice = values(D.range(10).shuffle(4, seed=7).repeat(2))
    assert twice[:10] == [0, 4, 2, 3, 5, 6, 1, 8, 7, 9] and twice[10:] == [1, 3, 0, 4, 6, 5, 7, 8, 9, 2]
    # the fused path (row numbers instead of rows) is the same
    assert [
        v for b in values(D.from_tensor_slices(np.arange(10)).shuffle(4, seed=7).repeat(2).batch(3)) for v in b
    ] == twice


def test_nested_structures_and_static_shapes():
    d = D.from_tensor_slices({"a": np.zeros((4, 3), np.float32), "b": (np.arange(4), list("wxyz"))}).batch(
        2, drop_remainder=True
    )
    assert d.output_shapes["a"].as_list() == [2, 3] and d.output_types["b"] == (tf.int64, tf.string)
    first = drain(d)[0]
    assert first["b"][1].tolist() == [b"w", b"x"]
    assert D.range(3).batch(2).output_shapes.as_list() == [None]
    with pytest.raises(ValueError, match="not compatible"):
        D.from_tensor_slices((np.zeros(3), np.zeros(4)))


def test_map_runs_on_threads_in_order_and_captures_tensors():
    import threading
    import time

    seen = set()

    def slow(i):
        seen.add(threading.get_ident())
        time.sleep(0.02)
        return i * 10

    offset = tf.placeholder(tf.int64, [])
    d = D.range(24).map(lambda x: tf.py_func(slow, [x], tf.int64) + offset, num_parallel_calls=8)
    it = tf.data.make_initializable_iterator(d)
    nxt = it.get_next()
    with tf.Session() as s:
        s.run(it.initializer, {offset: 3})
        start = time.perf_counter()
        assert [s.run(nxt) for _ in range(24)] == [i * 10 + 3 for i in range(24)]
        assert time.perf_counter() - start < 24 * 0.02 * 0.7
    assert len(seen) > 2


def test_an_error_in_a_map_names_node_and_element_and_the_next_element_follows():
    d = (
        D.range(4)
        .map(lambda x: tf.check_numerics(1.0 / tf.cast(x - 1, tf.float32), "bad value"), num_parallel_calls=2)
        .prefetch(2)
    )
    it = tf.data.make_initializable_iterator(d)
    nxt = it.get_next()
    with tf.Session() as s:
        s.run(it.initializer)
        assert s.run(nxt) == -1
        with pytest.raises(
            tf.errors.InvalidArgumentError,
            match=r"bad value(.|\n)*CheckNumerics(.|\n)*element 1 of dataset 'ParallelMapDatasetV2'",
        ):
            s.run(nxt)
        assert [s.run(nxt), s.run(nxt)] == [1, 0.5]
        with pytest.raises(tf.errors.OutOfRangeError, match="End of sequence"):
            s.run(nxt)
        with pytest.raises(tf.errors.OutOfRangeError):
            s.run(nxt)


def test_iterators_one_shot_reinitializable_and_feedable():
    one = tf.data.make_one_shot_iterator(D.range(3)).get_next()
    it = tf.data.Iterator.from_structure(tf.int64, [])
    nxt = it.get_next()
    to_a, to_b = it.make_initializer(D.range(2)), it.make_initializer(D.range(100, 103))
    handle = tf.placeholder(tf.string, [])
    fed = tf.data.Iterator.from_string_handle(handle, tf.int64, []).get_next()
    other = tf.data.make_initializable_iterator(D.range(50, 60))
    with tf.Session() as s:
        assert [s.run(one) for _ in range(3)] == [0, 1, 2]
        with pytest.raises(tf.errors.FailedPreconditionError, match="not been initialized"):
            s.run(nxt)
        s.run(to_a)
        assert s.run(nxt) == 0
        s.run(to_b)
        assert [s.run(nxt) for _ in range(3)] == [100, 101, 102]
        s.run(other.initializer)
        h1, h2 = s.run([it.string_handle(), other.string_handle()])
        s.run(to_a)
        assert [s.run(fed, {handle: h}) for h in (h1, h2, h1, h2)] == [0, 50, 1, 51]
        with pytest.raises(tf.errors.InvalidArgumentError, match="string handle"):
            s.run(fed, {handle: b"nonsense"})
    with pytest.raises(TypeError, match="Expected output types"):
        it.make_initializer(D.from_tensors(1.5))
    with pytest.raises(ValueError, match="placeholder"):
        tf.data.make_one_shot_iterator(D.range(tf.placeholder(tf.int64, [])))
    variable = tf.get_variable("v", initializer=np.int64(2))
    with pytest.raises(ValueError, match="make_initializable_iterator"):
        tf.data.make_one_shot_iterator(D.range(3).map(lambda x: x + variable))


def test_variables_are_read_by_map_functions_as_they_change():
    v = tf.get_variable("scale", initializer=np.int64(2), use_resource=True)
    it = tf.data.make_initializable_iterator(D.range(1, 4).map(lambda x: x * v))
    nxt, grow = it.get_next(), v.assign(100)
    with tf.Session() as s:
        s.run(tf.global_variables_initializer())
        s.run(it.initializer)
        assert s.run(nxt) == 2
        s.run(grow)
        assert s.run(nxt) == 200


def test_get_next_and_a_training_step_run_together():
    x, y = tf.data.make_one_shot_iterator(
        D.from_tensor_slices((np.linspace(0, 1, 32).astype(np.float32), np.linspace(1, 3, 32).astype(np.float32)))
        .shuffle(32, seed=1)
        .repeat()
        .batch(8)
    ).get_next()
    w, b = tf.Variable(0.0), tf.Variable(0.0)
    loss = tf.reduce_mean(tf.square(w * x + b - y))
    step = tf.train.GradientDescentOptimizer(0.5).minimize(loss)
    with tf.Session() as s:
        s.run(tf.global_variables_initializer())
        for _ in range(300):
            s.run(step)
        assert np.allclose(s.run([w, b]), [2, 1], atol=1e-2)


def test_generators_are_checked_and_closed():
    closed = []

    def numbers(n):
        try:
            for i in range(n):
                yield i, [i] * i
        finally:
            closed.append(n)

    d = D.from_generator(numbers, (tf.int32, tf.float32), ([], [None]), args=(3,))
    assert [(int(a), b.tolist()) for a, b in drain(d)] == [(0, []), (1, [1.0]), (2, [2.0, 2.0])]
    assert closed == [3]
    with pytest.raises(tf.errors.InvalidArgumentError, match="expected structure"):
        drain(D.from_generator(lambda: iter([1]), (tf.int32, tf.int32)))
    with pytest.raises(tf.errors.InvalidArgumentError, match="shape"):
        drain(D.from_generator(lambda: iter([[1, 2]]), tf.int32, []))


def test_batches_and_padding_report_what_does_not_fit():
    with pytest.raises(
        tf.errors.InvalidArgumentError,
        match=r"Cannot batch tensors with different shapes in component 0. First element had shape \[0\] and element 1 had shape \[1\]",
    ):
        drain(D.range(3).map(lambda n: tf.fill([n], n)).batch(2))
    with pytest.raises(tf.errors.DataLossError, match="pad to a smaller size"):
        drain(D.range(1, 4).map(lambda n: tf.fill([n], n)).padded_batch(3, [2]))
    with pytest.raises(tf.errors.InvalidArgumentError, match="greater than zero"):
        drain(D.range(3).batch(0))
    with pytest.raises(TypeError, match="does not match output type"):
        D.range(3).padded_batch(2, [], padding_values=0.5)
    with pytest.raises(TypeError, match="scalar boolean"):
        D.range(3).filter(lambda x: x)
    with pytest.raises(TypeError, match="must return a `Dataset`"):
        D.range(3).flat_map(lambda x: x)


@pytest.mark.parametrize("kind", ["", "GZIP", "ZLIB"])
def test_record_files(tmp_path, kind):
    paths = []
    for k in range(3):
        paths.append(str(tmp_path / f"{k}.rec"))
        with tf.python_io.TFRecordWriter(paths[-1], tf.python_io.TFRecordOptions(kind)) as w:
            for i in range(4):
                w.write(f"{k}-{i}".encode())
    names = tf.placeholder(tf.string, [None])
    it = tf.data.make_initializable_iterator(tf.data.TFRecordDataset(names, kind, num_parallel_reads=2))
    nxt = it.get_next()
    with tf.Session() as s:
        s.run(it.initializer, {names: paths})
        got = [s.run(nxt) for _ in range(12)]
    assert got[:8] == [b"0-0", b"1-0", b"0-1", b"1-1", b"0-2", b"1-2", b"0-3", b"1-3"] and got[8:] == [
        b"2-0",
        b"2-1",
        b"2-2",
        b"2-3",
    ]


def test_a_truncated_record_file_is_named(tmp_path):
    path = tmp_path / "cut.rec"
    with tf.python_io.TFRecordWriter(str(path)) as w:
        w.write(b"whole")
        w.write(b"cut off")
    path.write_bytes(path.read_bytes()[:-3])
    it = tf.data.make_one_shot_iterator(tf.data.TFRecordDataset(str(path)).prefetch(1)).get_next()
    with tf.Session() as s:
        assert s.run(it) == b"whole"
        with pytest.raises(tf.errors.DataLossError, match=r"cut\.rec: truncated record at 21"):
            s.run(it)


def test_file_cache_is_filled_once_and_read_by_the_next_session(tmp_path):
    calls = []

    def count(x):
        calls.append(int(x))
        return x * 2

    d = (
        D.range(4)
        .map(lambda x: tf.py_func(count, [x], tf.int64))
        .map(lambda x: (x, tf.as_string(x)))
        .cache(str(tmp_path / "c"))
    )
    first = drain(d.repeat(2))
    assert calls == [0, 1, 2, 3] and [int(a) for a, _ in first] == [0, 2, 4, 6] * 2
    assert [b for _, b in drain(d)] == [b"0", b"2", b"4", b"6"] and len(calls) == 4


@pytest.mark.parametrize("at", [0, 3, 11, 18])
def test_the_position_is_saved_in_checkpoints(tmp_path, at):
    d = D.from_tensor_slices((np.arange(12), np.arange(12.0))).shuffle(5, seed=4).repeat(2)
    d = d.map(lambda a, b: (a, b * 2), num_parallel_calls=2).interleave(
        lambda a, b: D.from_tensors((a, b)).repeat(2), 2, 1
    )
    d = d.filter(lambda a, b: a > 1).prefetch(3)
    it = tf.data.make_initializable_iterator(d)
    nxt = it.get_next()
    tf.add_to_collection(tf.GraphKeys.SAVEABLE_OBJECTS, tf.data.experimental.make_saveable_from_iterator(it))
    saver = tf.train.Saver()

    def rest(s):
        out = []
        while True:
            try:
                out.append(tuple(map(float, s.run(nxt))))
            except tf.errors.OutOfRangeError:
                return out

    with tf.Session() as s:
        s.run(it.initializer)
        for _ in range(at):
            s.run(nxt)
        path = saver.save(s, str(tmp_path / "model"))
        want = rest(s)
    assert len(want) == 40 - at
    with tf.Session() as s:
        s.run(it.initializer)
        s.run(nxt)
        saver.restore(s, path)
        assert rest(s) == want


def test_optionals_single_elements_and_cardinality():
    it = tf.data.make_one_shot_iterator(D.range(1))
    o = tf.data.experimental.get_next_as_optional(it)
    has, value = o.has_value(), o.get_value()
    with tf.Session() as s:
        assert s.run([has, value]) == [True, 0]
        assert not s.run(has)
        assert s.run(tf.data.experimental.get_single_element(D.from_tensors((1, "x")))) == (1, b"x")
        with pytest.raises(tf.errors.InvalidArgumentError, match="more than one"):
            s.run(tf.data.experimental.get_single_element(D.range(2)))
        sizes = [
            D.range(10).batch(3),
            D.range(10).repeat(),
            D.range(5).filter(lambda x: x > 1),
            D.range(9).shard(2, 0).take(3),
        ]
        assert s.run([tf.data.experimental.cardinality(d) for d in sizes]) == [4, -1, -2, 3]
        assert s.run(D.range(5).reduce((np.int64(0), 1.0), lambda st, x: (st[0] + x, st[1] * 2))) == (10, 32.0)


def test_options_are_kept_and_checked():
    options = tf.data.Options()
    options.experimental_threading.private_threadpool_size = 4
    with pytest.raises(AttributeError, match="Cannot set the property"):
        options.nonsense = 1
    d = D.range(3).with_options(options).map(lambda x: x + 1)
    assert d.options().experimental_threading.private_threadpool_size == 4
    assert values(d) == [1, 2, 3]
