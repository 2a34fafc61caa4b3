"""Pipelines of every kind, run to their end; prints one JSON line a pipeline. Runs on TensorFlow and on Hornbeam alike: `program.py tf|hornbeam`."""

from __future__ import annotations

import gzip
import json
import os
import sys
import tempfile

import numpy as np

if sys.argv[1] == "tf":
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    import tensorflow.compat.v1 as tf

    tf.disable_v2_behavior()
    ex = tf.data.experimental
else:
    import hornbeam as tf

    ex = tf.data.experimental
D = tf.data.Dataset
PIPELINES = {}


def pipeline(f):
    PIPELINES[f.__name__] = f
    return f


def plain(v):
    if isinstance(v, dict):
        return {k: plain(x) for k, x in sorted(v.items())}
    if hasattr(v, "dense_shape"):
        return ["sparse", plain(v.indices), plain(v.values), plain(v.dense_shape)]
    if isinstance(v, (list, tuple)):
        return [plain(x) for x in v]
    if isinstance(v, bytes):
        return v.decode("latin-1")
    a = np.asarray(v)
    if a.dtype == object:
        return [plain(x) for x in a.tolist()] if a.ndim else plain(a.item())
    return [a.dtype.name, np.round(a.astype(np.float64), 5).tolist()]


def drain(dataset, limit=40):
    element = tf.data.make_initializable_iterator(dataset)
    nxt = element.get_next()
    out = []
    with tf.Session() as s:
        s.run([element.initializer, tf.tables_initializer()])
        errors = 0
        while len(out) < limit and errors < 4:
            try:
                out.append(plain(s.run(nxt)))
            except tf.errors.OutOfRangeError:
                out.append("end")
                break
            except tf.errors.OpError as e:
                out.append(type(e).__name__)
                errors += 1
    shapes = str(tf.data.get_output_shapes(dataset)).replace("Dimension(", "").replace(")", "")
    return out, shapes


W = tempfile.mkdtemp()


def path(name, data):
    p = os.path.join(W, name)
    with open(p, "wb") as f:
        f.write(data)
    return p


@pipeline
def shuffles():
    return D.range(20).shuffle(5, seed=11).batch(3).repeat(2)


@pipeline
def shuffle_in_repeat():
    return D.range(7).repeat(3).shuffle(4, seed=3)


@pipeline
def shuffle_once():
    return D.range(7).shuffle(10, seed=3, reshuffle_each_iteration=False).repeat(2)


@pipeline
def shuffle_and_repeat():
    return D.range(6).apply(ex.shuffle_and_repeat(4, 3, seed=5))


@pipeline
def slices():
    return (
        D.from_tensor_slices({"a": np.arange(5.0), "b": (np.arange(10).reshape(5, 2), ["v", "w", "x", "y", "z"])})
        .shuffle(3, seed=2)
        .batch(2)
    )


@pipeline
def maps():
    return (
        D.range(6)
        .map(lambda x: (x * 2, tf.cast(x, tf.float32) / 3), num_parallel_calls=3)
        .map(lambda a, b: {"s": tf.as_string(a), "e": tf.exp(b)})
    )


@pipeline
def map_error():
    return D.range(4).map(lambda x: tf.check_numerics(1.0 / tf.cast(x - 1, tf.float32), "bad"))


@pipeline
def map_error_ignored():
    return (
        D.range(4)
        .map(lambda x: tf.check_numerics(1.0 / tf.cast(x - 1, tf.float32), "bad"), num_parallel_calls=2)
        .apply(ex.ignore_errors())
    )


@pipeline
def random_in_map():
    return D.range(5).map(lambda x: tf.random_uniform([2], seed=7)).repeat(2)


@pipeline
def flat():
    return D.range(4).flat_map(lambda x: D.range(x).map(lambda y: (x, y)))


@pipeline
def interleaves():
    return D.range(7).interleave(lambda x: D.from_tensors(x).repeat(x), cycle_length=3, block_length=2)


@pipeline
def interleaves_parallel():
    return D.range(7).interleave(
        lambda x: D.from_tensors(x).repeat(5), cycle_length=3, block_length=2, num_parallel_calls=2
    )


@pipeline
def interleaves_contrib():
    return D.range(9).apply(ex.parallel_interleave(lambda x: D.range(x, x + 3), cycle_length=4, block_length=2))


@pipeline
def padded():
    return (
        D.range(5)
        .map(lambda x: (tf.fill([x], x), tf.fill([2, x], "s")))
        .padded_batch(2, ([None], [2, 7]), (np.int64(-1), "pad"))
    )


@pipeline
def padded_fails():
    return D.range(5).map(lambda x: tf.fill([x], x)).padded_batch(2, [2])


@pipeline
def batch_fails():
    return D.range(4).map(lambda x: tf.fill([x], x)).batch(2)


@pipeline
def windows():
    return D.range(9).window(4, shift=3, stride=2).flat_map(lambda w: w.batch(9))


@pipeline
def windows_nested():
    return (
        D.range(7)
        .map(lambda x: {"a": x, "b": x * x})
        .window(3, drop_remainder=True)
        .flat_map(lambda w: D.zip((w["a"].batch(3), w["b"].batch(3))))
    )


@pipeline
def grouped():
    return D.range(11).apply(
        ex.group_by_window(lambda x: x % 3, lambda k, d: d.batch(10).map(lambda b: (k, b)), window_size=3)
    )


@pipeline
def reduced():
    r = ex.Reducer(lambda k: np.int64(0), lambda s, x: s + x, lambda s: s * 10)
    return D.range(9).apply(ex.group_by_reducer(lambda x: x % 2, r))


@pipeline
def buckets():
    d = D.from_tensor_slices([1, 7, 3, 12, 2, 5, 9, 4]).map(lambda n: tf.fill([n], n))
    return d.apply(ex.bucket_by_sequence_length(lambda x: tf.size(x), [4, 8], [2, 2, 2]))


@pipeline
def buckets_to_boundary():
    d = D.from_tensor_slices([1, 7, 3, 2, 5, 4]).map(lambda n: tf.fill([n], n))
    return d.apply(ex.bucket_by_sequence_length(lambda x: tf.size(x), [4, 8], [2, 2, 2], pad_to_bucket_boundary=True))


@pipeline
def mixtures():
    return ex.sample_from_datasets([D.range(5), D.range(10, 15), D.range(20, 30)], [0.2, 0.3, 0.5], seed=1)


@pipeline
def mixtures_even():
    return ex.sample_from_datasets([D.range(5), D.range(10, 15)], seed=4)


@pipeline
def choices():
    return ex.choose_from_datasets(
        [D.range(3), D.range(10, 20)], D.from_tensor_slices(np.array([1, 0, 1, 1, 0, 0, 0, 1], np.int64))
    )


@pipeline
def scans():
    return D.range(1, 6).apply(ex.scan(np.int64(1), lambda s, x: (s * x, (s, x))))


@pipeline
def selections():
    return D.range(20).filter(lambda x: tf.equal(x % 3, 0)).skip(1).take(4).concatenate(D.range(100, 102)).enumerate(5)


@pipeline
def shards():
    return D.zip((D.range(10).shard(3, 1), D.range(0, 100, 7), D.range(5, 0, -1)))


@pipeline
def whiles():
    return D.range(10).apply(ex.take_while(lambda x: x < 4)).apply(ex.unique()).prefetch(2)


@pipeline
def uniques():
    return D.from_tensor_slices(["a", "b", "a", "c", "b"]).apply(ex.unique())


@pipeline
def unbatched():
    return D.from_tensor_slices((np.arange(6).reshape(3, 2), np.ones((3, 2, 1)))).apply(ex.unbatch())


@pipeline
def map_batches():
    return D.range(7).apply(ex.map_and_batch(lambda x: (x, tf.sqrt(tf.cast(x, tf.float32))), 3, num_parallel_calls=2))


@pipeline
def generators():
    def gen(n):
        for i in range(n):
            yield {"i": i, "row": [i] * i}

    return D.from_generator(gen, {"i": tf.int32, "row": tf.float32}, {"i": [], "row": [None]}, args=(4,))


@pipeline
def generator_fails():
    def gen():
        yield 1
        yield [1, 2]

    return D.from_generator(gen, tf.int64, [])


@pipeline
def counters():
    return D.zip((ex.Counter(3, 2), ex.RandomDataset(5))).take(4)


@pipeline
def sparse():
    s = tf.SparseTensor([[0, 1], [2, 0], [2, 3]], [1.0, 2.0, 3.0], [4, 5])
    return D.from_tensor_slices(s).batch(3)


@pipeline
def sparse_map():
    return D.range(4).map(lambda x: tf.SparseTensor([[0], [x + 1]], tf.stack([x, x * 2]), [6]))


@pipeline
def dense_to_sparse():
    return D.range(5).map(lambda x: tf.fill([x], x)).apply(ex.dense_to_sparse_batch(2, [6]))


@pipeline
def cached():
    return D.range(4).map(lambda x: tf.random_uniform([], seed=1)).cache().repeat(2)


@pipeline
def lines():
    a, b = path("a.txt", b"one\ntwo\r\n\nthree"), path("b.txt", b"four\n")
    return tf.data.TextLineDataset([a, b])


@pipeline
def lines_gzip():
    return tf.data.TextLineDataset(path("a.gz", gzip.compress(b"x\ny\n")), compression_type="GZIP")


@pipeline
def fixed():
    return tf.data.FixedLengthRecordDataset(path("f.bin", b"HHabcdefghiF"), 3, 2, 1).map(
        lambda r: tf.decode_raw(r, tf.uint8)
    )


@pipeline
def fixed_fails():
    return tf.data.FixedLengthRecordDataset(path("g.bin", b"HHabcdefghF"), 3, 2, 1)


def records(name, n, kind=""):
    p = os.path.join(W, name)
    with tf.python_io.TFRecordWriter(p, tf.python_io.TFRecordOptions(kind)) as w:
        for i in range(n):
            w.write(b"%s-%d" % (name.encode(), i))
    return p


@pipeline
def tfrecords():
    return tf.data.TFRecordDataset([records("r0", 3), records("r1", 2)])


@pipeline
def tfrecords_parallel():
    return tf.data.TFRecordDataset([records("p0", 3), records("p1", 2), records("p2", 4)], num_parallel_reads=2)


@pipeline
def tfrecords_zlib():
    return tf.data.TFRecordDataset(records("z", 3, "ZLIB"), compression_type="ZLIB")


@pipeline
def tfrecords_damaged():
    p = records("d", 3)
    data = open(p, "rb").read()
    return tf.data.TFRecordDataset([path("cut", data[:-5]), p])


@pipeline
def files_missing():
    return tf.data.TextLineDataset([os.path.join(W, "nothing.txt"), path("c.txt", b"later\n")])


@pipeline
def csvs():
    p = path("t.csv", b'h1,h2,h3\n1,2.5,"a,b"\n2,,c\n3,1,\n')
    return ex.CsvDataset(p, [tf.int32, [9.5], ["none"]], header=True)


@pipeline
def csv_selected():
    p = path("u.csv", b"1,2,3\n4,x,6\n7,8,9\n")
    return ex.CsvDataset(p, [tf.int64, tf.float32], select_cols=[0, 1])


@pipeline
def csv_batches():
    p = path("v.csv", b"a,b,l\n1,x,0\n2,y,1\n3,z,0\n")
    return ex.make_csv_dataset(p, 2, label_name="l", num_epochs=1, shuffle=False)


@pipeline
def listed():
    for n in "cab":
        path(f"L{n}.txt", b"")
    return D.list_files(os.path.join(W, "L*.txt"), shuffle=False).map(lambda p: tf.strings.regex_replace(p, ".*/", ""))


@pipeline
def tables():
    table = tf.lookup.StaticHashTable(tf.lookup.KeyValueTensorInitializer(["a", "b"], [1, 2]), -1)
    return D.from_tensor_slices(["b", "a", "q"]).map(table.lookup)


@pipeline
def seeds_of_the_graph():
    tf.set_random_seed(42)
    return D.range(9).shuffle(9).map(lambda x: (x, tf.random_normal([])))


@pipeline
def loops():
    return D.range(5).map(
        lambda x: tf.while_loop(lambda i, a: i < x, lambda i, a: (i + 1, a + i), [np.int64(0), np.int64(0)])[1]
    )


def main():
    wanted = sys.argv[2:] or list(PIPELINES)
    for name in wanted:
        with tf.Graph().as_default():
            try:
                out, shapes = drain(PIPELINES[name]())
            except Exception as e:  # noqa: BLE001  reported, compared
                out, shapes = [f"{type(e).__name__}"], str(e)[:200]
        print(json.dumps([name, out, shapes]), flush=True)


main()
