"""Input pipelines: producers, batches, readers, with files, threads and the end of input."""

from __future__ import annotations

import threading
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import hornbeam as tf


@pytest.fixture(autouse=True)
def graph() -> Iterator[Any]:
    with tf.Graph().as_default() as g:
        tf.set_random_seed(5)
        yield g


def drain(fetch: Any, limit: int = 1000) -> list[Any]:
    """What `fetch` gives until the input ends."""
    out: list[Any] = []
    with tf.Session() as sess:
        sess.run([tf.global_variables_initializer(), tf.local_variables_initializer()])
        coord = tf.train.Coordinator()
        threads = tf.train.start_queue_runners(sess, coord)
        try:
            while len(out) < limit:
                out.append(sess.run(fetch))
        except tf.errors.OutOfRangeError as e:
            coord.request_stop(e)
        coord.request_stop()
        coord.join(threads)
        assert not any(t.is_alive() for t in threads)
    return out


def numbers(n: int = 7, epochs: int = 2) -> Any:
    return tf.train.range_input_producer(n, num_epochs=epochs, shuffle=False).dequeue()


def test_epochs_are_counted_and_shuffled_apart() -> None:
    assert drain(numbers()) == [*range(7), *range(7)]


def test_shuffling_is_a_permutation_of_each_epoch() -> None:
    got = [int(v) for v in drain(tf.train.range_input_producer(50, num_epochs=2, seed=3).dequeue())]
    assert sorted(got[:50]) == list(range(50))
    assert sorted(got[50:]) == list(range(50))
    assert got[:50] != got[50:]


def test_batches_drop_or_keep_the_last_partial_one() -> None:
    assert [b.tolist() for b in drain(tf.train.batch([numbers()], 4))] == [[0, 1, 2, 3], [4, 5, 6, 0], [1, 2, 3, 4]]


def test_smaller_final_batch_and_dictionaries() -> None:
    got = drain(tf.train.batch({"n": numbers(), "s": tf.constant("x")}, 4, allow_smaller_final_batch=True))
    assert [b["n"].tolist() for b in got][-1] == [5, 6]
    assert got[-1]["s"].tolist() == [b"x", b"x"]


def test_dynamic_padding() -> None:
    n = numbers(4, 1)
    got = drain(tf.train.batch([tf.fill([n], 9)], 4, dynamic_pad=True))
    assert got[0].tolist() == [[0, 0, 0], [9, 0, 0], [9, 9, 0], [9, 9, 9]]


def test_shuffle_batch_gives_every_element_once() -> None:
    got = drain(tf.train.shuffle_batch([numbers(100, 1)], 10, 60, 30, num_threads=3, seed=1))
    flat = np.concatenate(got).tolist()
    assert sorted(flat) == list(range(100))
    assert flat != sorted(flat)


def test_join_reads_all_sources() -> None:
    sources = [[numbers(5, 1), tf.constant(k)] for k in range(3)]
    got = drain(tf.train.batch_join(sources, 5))
    pairs = sorted((int(k), int(n)) for n_, k_ in got for n, k in zip(n_, k_, strict=True))
    assert pairs == [(k, n) for k in range(3) for n in range(5)]


def test_maybe_batch_keeps_what_it_is_told_to() -> None:
    n = numbers(10, 1)
    assert [b.tolist() for b in drain(tf.train.maybe_batch([n], tf.equal(n % 2, 0), 5))] == [[0, 2, 4, 6, 8]]


def test_rows_are_kept_one_by_one() -> None:
    n = numbers(6, 1)
    rows = tf.stack([n, n + 100])
    got = drain(tf.train.maybe_batch([rows], tf.stack([tf.equal(n % 2, 0), tf.constant(True)]), 3, enqueue_many=True))
    assert np.concatenate(got).tolist() == [0, 100, 101, 2, 102, 103, 4, 104, 105]


def test_sparse_tensors_travel_through_a_batch() -> None:
    n = tf.cast(numbers(3, 1), tf.int64)
    sparse = tf.SparseTensor(tf.stack([tf.stack([n * 0, n])]), tf.stack([n * 10]), tf.stack([n * 0 + 1, n + 1]))
    (got,) = drain(tf.train.batch([sparse, n], 3))
    assert got[0].indices.tolist() == [[0, 0, 0], [1, 0, 1], [2, 0, 2]]
    assert got[0].values.tolist() == [0, 10, 20]
    assert got[0].dense_shape.tolist() == [3, 1, 3]


def test_slices_stay_together() -> None:
    got = drain(tf.train.slice_input_producer([tf.constant([[1, 2], [3, 4]]), tf.constant(["a", "b"])], num_epochs=1))
    assert sorted((row.tolist(), s) for row, s in got) == [([1, 2], b"a"), ([3, 4], b"b")]


def test_lines_of_matching_files(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("h\n1,x\n2,y\n")
    (tmp_path / "b.csv").write_text("h\n3,z\n")
    names = tf.train.match_filenames_once(str(tmp_path / "*.csv"))
    files = tf.train.string_input_producer(names, num_epochs=1, shuffle=False)
    key, line = tf.TextLineReader(skip_header_lines=1).read(files)
    number, text = tf.decode_csv(line, [[0], [""]])
    got = drain([key, number, text])
    assert [(k.decode().split("/")[-1], int(n), t) for k, n, t in got] == [
        ("a.csv:2", 1, b"x"),
        ("a.csv:3", 2, b"y"),
        ("b.csv:2", 3, b"z"),
    ]


def test_fixed_length_records_between_header_and_footer(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"HHabcdefF")
    (tmp_path / "z").write_bytes(zlib.compress(b"HHghiF"))
    for name, encoding, expected in (("f", None, [b"abc", b"def"]), ("z", "ZLIB", [b"ghi"])):
        files = tf.train.string_input_producer([str(tmp_path / name)], num_epochs=1)
        reader = tf.FixedLengthRecordReader(3, header_bytes=2, footer_bytes=1, encoding=encoding)
        assert drain(reader.read(files)[1]) == expected


@pytest.mark.parametrize("kind", ["NONE", "GZIP", "ZLIB"])
def test_records_of_compressed_files(tmp_path: Path, kind: str) -> None:
    options = tf.python_io.TFRecordOptions(getattr(tf.python_io.TFRecordCompressionType, kind))
    path = str(tmp_path / "r")
    with tf.python_io.TFRecordWriter(path, options) as w:
        for i in range(5):
            w.write(b"record %d" % i)
    files = tf.train.string_input_producer([path], num_epochs=1)
    keys, values = tf.TFRecordReader(options=options).read_up_to(files, 3)
    got = drain([keys, values])
    assert [v.tolist() for _, v in got] == [[b"record 0", b"record 1", b"record 2"], [b"record 3", b"record 4"]]
    assert got[0][0][1].endswith(b"r:24")


def test_a_truncated_record_stops_the_pipeline_with_the_files_name(tmp_path: Path) -> None:
    path = tmp_path / "broken"
    with tf.python_io.TFRecordWriter(str(path)) as w:
        w.write(b"x" * 100)
        w.write(b"y" * 100)
    path.write_bytes(path.read_bytes()[:-10])
    files = tf.train.string_input_producer([str(path)])
    batch = tf.train.batch([tf.TFRecordReader().read(files)[1]], 4)
    with tf.Session() as sess:
        coord = tf.train.Coordinator()
        threads = tf.train.start_queue_runners(sess, coord)
        with pytest.raises(tf.errors.OutOfRangeError):
            sess.run(batch)
        coord.request_stop()
        with pytest.raises(tf.errors.DataLossError, match="broken"):
            coord.join(threads)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    files = tf.train.string_input_producer([str(tmp_path / "none")], num_epochs=1)
    with tf.Session() as sess:
        sess.run(tf.local_variables_initializer())
        coord = tf.train.Coordinator()
        threads = tf.train.start_queue_runners(sess, coord)
        with pytest.raises(tf.errors.NotFoundError, match="none; No such file"):
            sess.run(tf.WholeFileReader().read(files))
        coord.request_stop()
        coord.join(threads)


def test_a_training_loop_runs_on_several_runners_and_ends_cleanly(tmp_path: Path) -> None:
    path = str(tmp_path / "train")
    rng = np.random.RandomState(0)
    with tf.python_io.TFRecordWriter(path) as w:
        for i in range(200):
            x = rng.rand(8).astype(np.float32) + i % 2
            features = {
                "x": tf.train.Feature(float_list=tf.train.FloatList(value=x)),
                "y": tf.train.Feature(int64_list=tf.train.Int64List(value=[i % 2])),
            }
            w.write(tf.train.Example(features=tf.train.Features(feature=features)).SerializeToString())
    files = tf.train.string_input_producer([path])
    _, record = tf.TFRecordReader().read(files)
    parsed = tf.parse_single_example(
        record, {"x": tf.FixedLenFeature([8], tf.float32), "y": tf.FixedLenFeature([], tf.int64)}
    )
    x, y = tf.train.shuffle_batch([parsed["x"], parsed["y"]], 16, 100, 40, num_threads=3)
    w_, b = tf.get_variable("w", [8, 2]), tf.get_variable("b", [2], initializer=tf.zeros_initializer())
    loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels=y, logits=tf.matmul(x, w_) + b))
    train = tf.train.GradientDescentOptimizer(0.5).minimize(loss)
    before = threading.active_count()
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        coord = tf.train.Coordinator()
        threads = tf.train.start_queue_runners(sess, coord)
        losses = [sess.run([train, loss])[1] for _ in range(150)]
        coord.request_stop()
        coord.join(threads, stop_grace_period_secs=10)
    assert np.mean(losses[-10:]) < 0.5 * np.mean(losses[:10])
    assert threading.active_count() == before
