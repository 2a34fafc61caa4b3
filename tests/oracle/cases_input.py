"""Programs of queues, readers, parsing and tables that run on any `tf`: what they return must be what TensorFlow returns.

The text of this file also runs in the oracle's process, so it imports nothing of Hornbeam.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import threading
import zlib

import numpy as np

PROGRAMS = {}


def program(f):
    PROGRAMS[f.__name__] = f
    return f


def message(e):
    """The line of an error that says what happened; frames and node names around it differ."""
    text = getattr(e, "message", None) or str(e)
    skipped = ("Graph execution error", "Detected at node", "Node:", "[[", "Original stack")
    lines = [line.strip() for line in text.split("\n") if line.strip() and not line.strip().startswith(skipped)]
    lines = [line for line in lines if not line.startswith(("File ", "node "))]
    return lines[0] if lines else ""


def error(f):
    try:
        return ["fine", f()]
    except Exception as e:
        return [type(e).__name__, message(e)]


def kind_of_error(f):
    try:
        return ["fine", f()]
    except Exception as e:
        return [type(e).__name__]


def nodes(tf, skip=()):
    """[name, type, inputs] of every node of the default graph."""
    out = []
    for o in tf.get_default_graph().get_operations():
        if o.name.endswith("Assert/Const"):  # TensorFlow 2 makes one more constant, that nothing uses
            continue
        out.append([o.name, o.type, list(o.node_def.input)])
    return out


def names(tf, key):
    return [x.name for x in tf.get_collection(key)]


# --- queues ---------------------------------------------------------------------------------------------------------------------
@program
def fifo_queues(tf):
    q = tf.FIFOQueue(3, [tf.float32, tf.int32], shapes=[[], [2]], name="q")
    p, p2 = tf.placeholder(tf.int32), tf.placeholder(tf.float32)
    enqueue, many, dequeue = q.enqueue((1.0, [1, 2])), q.enqueue_many(([1.0, 2.0], [[1, 2], [3, 4]])), q.dequeue()
    three, up_to, close, cancel = (
        q.dequeue_many(3),
        q.dequeue_up_to(3),
        q.close(),
        q.close(cancel_pending_enqueues=True),
    )
    out = [
        [o.name for o in (enqueue, many, close, cancel)],
        [t.name for t in (*dequeue, *three, *up_to, q.size(), q.is_closed())],
    ]
    with tf.Session() as s:
        out.append(error(lambda: s.run(q.enqueue((1.0, p)), {p: [1, 2, 3]})))
        out.append(error(lambda: s.run(q.enqueue_many((p2, p)), {p2: [1.0, 2.0], p: [[1, 2]]})))
        s.run([enqueue])
        s.run(many)
        out.append(s.run(three))
        s.run(many)
        s.run(close)
        out += [error(lambda op=op: s.run(op)) for op in (enqueue, many, close, cancel, three)]
        out.append(s.run(up_to))
        out += [error(lambda op=op: s.run(op)) for op in (three, up_to, dequeue)]
        out.append(s.run([q.size(), q.is_closed()]))
    return out


@program
def shuffled_order(tf):
    out = []
    with tf.Session() as s:
        for seed, least in ((3, 0), (3, 2), (None, 0)):
            q = tf.RandomShuffleQueue(30, least, tf.int32, shapes=[[]], seed=seed)
            dequeue = q.dequeue()
            s.run(q.enqueue_many([list(range(10))]))
            out.append([s.run(dequeue) for _ in range(5)])
            s.run(q.enqueue_many([list(range(10, 25))]))
            out.append(s.run(q.dequeue_many(15)))
            s.run(q.close())
            out.append(error(lambda q=q: s.run(q.dequeue_many(6))))
            out.append(s.run(q.dequeue_up_to(6)))
    return out


@program
def padding_and_priority(tf):
    out = []
    with tf.Session() as s:
        q = tf.PaddingFIFOQueue(10, [tf.int32, tf.string], shapes=[[None], [None, 2]])
        s.run(q.enqueue(([1, 2, 3], [["a", "b"]])))
        s.run(q.enqueue(([1], [["a", "b"], ["c", "d"]])))
        s.run(q.enqueue_many(([[1, 2], [3, 4]], [[["a", "b"]], [["a", "c"]]])))
        out += [s.run(q.dequeue()), s.run(q.dequeue_many(3)), s.run(q.dequeue_many(0))]
        p = tf.PriorityQueue(10, [tf.string], shapes=[[]], name="p")
        s.run(p.enqueue_many(([3, 1, 2, -1], ["c", "a", "b", "z"])))
        out += [s.run(p.dequeue()), s.run(p.dequeue_many(3))]
        out.append(error(lambda: tf.PaddingFIFOQueue(10, [tf.int32], shapes=[None])))
        out.append(error(lambda: tf.PaddingFIFOQueue(10, [tf.int32] * 2, shapes=[[]])))
    return out


@program
def names_and_sharing(tf):
    out = []
    with tf.Session() as s:
        q = tf.FIFOQueue(3, [tf.float32, tf.int32], shapes=[[], []], names=["b", "a"])
        s.run(q.enqueue({"a": 1, "b": 2.0}))
        got = s.run(q.dequeue())
        out += [
            got["a"],
            got["b"],
            error(lambda: q.enqueue((1.0, 2))),
            error(lambda: q.enqueue({"a": 1})),
            error(lambda: q.enqueue({"a": 1, "c": 2.0})),
        ]
        a = tf.FIFOQueue(10, [tf.string], shapes=[[]], shared_name="shared")
        b = tf.FIFOQueue(10, [tf.string], shapes=[[]], shared_name="shared")
        s.run(a.enqueue("x"))
        out.append(s.run(b.dequeue()))
        for make in (
            lambda: tf.FIFOQueue(11, [tf.string], shapes=[[]], shared_name="shared"),
            lambda: tf.FIFOQueue(10, [tf.string], shapes=[[1]], shared_name="shared"),
            lambda: tf.FIFOQueue(10, [tf.int32], shapes=[[]], shared_name="shared"),
        ):
            out.append(error(lambda make=make: s.run(make().size())))
    return out


@program
def waiting_callers(tf):
    """What ends a wait, and a dequeue of more than the capacity."""
    out = []
    s = tf.Session()

    def wait_for(op, *then):
        result = []
        t = threading.Thread(target=lambda: result.append(error(lambda: s.run(op))))
        t.start()
        t.join(0.2)
        for step in then:
            s.run(step)
        t.join(20)
        return result

    q = tf.FIFOQueue(2, [tf.int32], shapes=[[]])
    enqueue = q.enqueue(7)
    out.append(wait_for(q.dequeue(), enqueue))
    out.append(wait_for(q.dequeue_many(5), *[enqueue] * 5))
    s.run([enqueue])
    s.run([enqueue])
    out.append(wait_for(enqueue, q.close(cancel_pending_enqueues=True)))
    q = tf.FIFOQueue(2, [tf.int32], shapes=[[]])
    enqueue = q.enqueue(8)
    out.append(wait_for(q.dequeue_many(3), enqueue, q.close())[0][0])
    out.append(s.run(q.size()))  # the one taken was put back
    q = tf.FIFOQueue(2, [tf.int32], shapes=[[]])
    result = []
    t = threading.Thread(target=lambda: result.append(error(lambda: s.run(dequeue))))
    dequeue = q.dequeue()
    t.start()
    t.join(0.3)
    s.close()
    t.join(20)
    out.append(result)
    with tf.Session(config=tf.ConfigProto(operation_timeout_in_ms=100)) as s2:
        out.append(kind_of_error(lambda: s2.run(dequeue)))
    return out


# --- producers -------------------------------------------------------------------------------------------------------------------
def _zeros(tf):
    return [tf.constant(1.0), tf.zeros([3])]


PIPELINES = {
    "strings": lambda tf: tf.train.string_input_producer(["a", "b"], num_epochs=2, seed=4),
    "strings_unshuffled": lambda tf: tf.train.string_input_producer(
        tf.placeholder(tf.string, [None]), shuffle=False, name="fn"
    ),
    "input": lambda tf: tf.train.input_producer(tf.zeros([4, 3]), summary_name="full", name="in"),
    "range": lambda tf: tf.train.range_input_producer(5, shuffle=False),
    "slices": lambda tf: tf.train.slice_input_producer([tf.zeros([4, 2]), tf.constant([1, 2, 3, 4])], num_epochs=1),
    "batch": lambda tf: tf.train.batch(_zeros(tf), 4),
    "batch_dict": lambda tf: tf.train.batch(
        {"a": tf.constant(1.0), "b": tf.zeros([3])}, 4, num_threads=2, allow_smaller_final_batch=True
    ),
    "batch_padded": lambda tf: tf.train.batch([tf.placeholder(tf.float32, [None])], 4, dynamic_pad=True, capacity=50),
    "shuffle_batch": lambda tf: tf.train.shuffle_batch(
        [tf.constant([1.0, 2]), tf.zeros([2, 3])], 4, 100, 10, enqueue_many=True, num_threads=2
    ),
    "batch_join": lambda tf: tf.train.batch_join([_zeros(tf), _zeros(tf)], 4),
    "shuffle_batch_join": lambda tf: tf.train.shuffle_batch_join([_zeros(tf), _zeros(tf)], 4, 100, 10, seed=3),
    "maybe": lambda tf: tf.train.maybe_batch([tf.constant(1.0)], tf.constant(True), 4),
    "maybe_many": lambda tf: tf.train.maybe_batch(
        [tf.constant([1.0, 2.0])], tf.constant([True, False]), 4, enqueue_many=True
    ),
    "sparse": lambda tf: tf.train.batch([tf.SparseTensor([[0, 0]], [1.0], [1, 2]), tf.constant(2)], 4),
    "sparse_many": lambda tf: tf.train.batch([tf.SparseTensor([[0, 0]], [1.0], [1, 2])], 4, enqueue_many=True),
    "match": lambda tf: tf.train.match_filenames_once("/tmp/*"),
    "limit": lambda tf: tf.train.limit_epochs(tf.constant(1), 2),
    "no_rank": lambda tf: tf.train.batch([tf.placeholder(tf.float32)], 4),
    "no_strings": lambda tf: tf.train.string_input_producer([]),
    "no_epochs": lambda tf: tf.train.limit_epochs(tf.constant(1), 0),
    "no_sets": lambda tf: tf.train.batch_join([], 4),
    "no_tensors": lambda tf: tf.train.batch([], 4),
    "no_shape": lambda tf: tf.train.input_producer(tf.placeholder(tf.float32)),
    "types_differ": lambda tf: tf.train.batch_join([[tf.constant(1)], [tf.constant(1.0)]], 4),
    "capacity_too_small": lambda tf: tf.train.shuffle_batch([tf.constant(1)], 4, 10, 20),
}


@program
def pipeline_graphs(tf):
    out = {}
    for label, make in PIPELINES.items():
        with tf.Graph().as_default():
            tf.set_random_seed(1)
            try:
                make(tf)
            except (ValueError, TypeError) as e:
                out[label] = [type(e).__name__, str(e)]
                continue
            runners = [
                [q.name, len(q.enqueue_ops), q.close_op.name, q.cancel_op.name]
                for q in tf.get_collection("queue_runners")
            ]
            out[label] = [nodes(tf), runners, names(tf, "summaries"), names(tf, "local_variables")]
    return out


def drain(tf, fetch, limit=100):
    """Values of `fetch` until the pipeline ends, with runners and coordinator around it; and how it ended."""
    out = []
    with tf.Session() as s:
        s.run([tf.global_variables_initializer(), tf.local_variables_initializer()])
        coord = tf.train.Coordinator()
        threads = tf.train.start_queue_runners(s, coord)
        try:
            while not coord.should_stop() and len(out) < limit:
                out.append(s.run(fetch))
            end = "limit"
        except tf.errors.OutOfRangeError as e:
            end = "OutOfRangeError"
            coord.request_stop(e)
        finally:
            coord.request_stop()
        coord.join(threads)
    return out, end


@program
def pipeline_values(tf):
    out = {}

    def case(label, make, limit=100):
        with tf.Graph().as_default():
            tf.set_random_seed(5)
            out[label] = drain(tf, make(), limit)

    def numbers():
        return tf.train.range_input_producer(7, num_epochs=2, shuffle=False).dequeue()

    case("range", numbers)
    case("shuffled", lambda: tf.train.range_input_producer(7, num_epochs=2, seed=3).dequeue())
    case("batch", lambda: tf.train.batch([numbers(), tf.constant("x")], 4))
    case("smaller", lambda: tf.train.batch({"n": numbers()}, 4, allow_smaller_final_batch=True)["n"])
    case("many", lambda: tf.train.batch([tf.stack([numbers()] * 3)], 4, enqueue_many=True))
    case(
        "padded",
        lambda: tf.train.batch(
            [tf.fill([tf.mod(numbers(), 4)], 9)], 5, dynamic_pad=True, allow_smaller_final_batch=True
        ),
    )
    case(
        "shuffle_batch",
        lambda: [np.int32(0)] and tf.train.shuffle_batch([tf.constant([1, 1, 1])], 2, 20, 5, enqueue_many=True),
        5,
    )

    def kept():
        n = numbers()
        return tf.train.maybe_batch([n], tf.equal(tf.mod(n, 2), 0), 2, allow_smaller_final_batch=True)

    case("kept", kept)

    def kept_rows():
        n = tf.stack([numbers()] * 2)
        return tf.train.maybe_batch(
            [n], tf.constant([True, False]), 3, enqueue_many=True, allow_smaller_final_batch=True
        )

    case("kept_rows", kept_rows)

    def sparse():
        n = tf.cast(numbers(), tf.int64)
        st = tf.SparseTensor(tf.stack([tf.stack([n * 0, n])]), tf.stack([n * 10]), tf.stack([n * 0 + 1, n + 1]))
        b = tf.train.batch([st, n], 3, allow_smaller_final_batch=True)
        return [b[0].indices, b[0].values, b[0].dense_shape, b[1]]

    case("sparse", sparse)
    case(
        "slices",
        lambda: tf.train.slice_input_producer(
            [tf.constant([[1, 2], [3, 4]]), tf.constant(["a", "b"])], num_epochs=2, shuffle=False
        ),
    )
    return out


# --- readers ----------------------------------------------------------------------------------------------------------------------
def _read_all(tf, reader, files, up_to=None, limit=50):
    """Records of a reader until the queue of files is empty, file directories cut off the keys; and the counts."""
    q = tf.FIFOQueue(10, [tf.string], shapes=[[]])
    pair = reader.read(q) if up_to is None else reader.read_up_to(q, up_to)
    counts = [reader.num_records_produced(), reader.num_work_units_completed()]
    out = []

    def cut(x):
        return [os.path.basename(v) for v in np.asarray(x, object).reshape(-1).tolist()]

    with tf.Session() as s:
        s.run(q.enqueue_many([files]))
        s.run(q.close())
        try:
            for _ in range(limit):
                k, v = s.run(list(pair))
                out.append([cut(k), np.asarray(v, object).reshape(-1).tolist(), s.run(counts)])
        except tf.errors.OpError as e:
            out.append(type(e).__name__)
        out.append(s.run(counts))
        s.run(reader.reset())
        out.append(s.run(counts))
    return out


@program
def readers(tf):
    d = tempfile.mkdtemp()
    try:

        def put(name, data):
            with open(os.path.join(d, name), "wb") as f:
                f.write(data)
            return os.path.join(d, name)

        texts = [
            put("a.txt", b"h1\nh2\r\nx,1\r\n\ny,2"),
            put("b.txt", b""),
            put("c.txt", b"h1\nh2\nz\rq,3\n"),
            put("d.txt", b"h1\n"),
        ]
        out = {
            "lines": _read_all(tf, tf.TextLineReader(), texts),
            "skipping": _read_all(tf, tf.TextLineReader(skip_header_lines=2), texts),
        }
        out["whole"] = _read_all(tf, tf.WholeFileReader(), texts)
        out["lines_up_to"] = _read_all(tf, tf.TextLineReader(), texts, up_to=2)
        out["whole_up_to"] = _read_all(tf, tf.WholeFileReader(), texts, up_to=2)
        fixed = [put("f0", b"HHHabcdefghiFF"), put("f1", b"HHHabcdFF"), put("f2", b"HHHFF")]
        out["fixed"] = _read_all(tf, tf.FixedLengthRecordReader(3, header_bytes=3, footer_bytes=2), fixed)
        out["hop"] = _read_all(tf, tf.FixedLengthRecordReader(3, header_bytes=3, footer_bytes=2, hop_bytes=2), fixed)
        out["gap"] = _read_all(tf, tf.FixedLengthRecordReader(2, header_bytes=3, footer_bytes=2, hop_bytes=4), fixed)
        z = [put("z0", zlib.compress(b"HabcdefgF"))]
        out["zlib"] = _read_all(tf, tf.FixedLengthRecordReader(3, header_bytes=1, footer_bytes=1, encoding="ZLIB"), z)
        out["identity"] = _read_all(tf, tf.IdentityReader(), ["A", "B", "C"], up_to=2)
        for kind in ("", "GZIP", "ZLIB"):
            paths = []
            for i in range(2):
                paths.append(os.path.join(d, f"r{i}{kind}"))
                with tf.python_io.TFRecordWriter(
                    paths[-1],
                    kind and tf.python_io.TFRecordOptions(getattr(tf.python_io.TFRecordCompressionType, kind)),
                ) as w:
                    for k in range(3):
                        w.write(b"record %d" % k * (k + 1))
            options = (
                tf.python_io.TFRecordOptions(getattr(tf.python_io.TFRecordCompressionType, kind)) if kind else None
            )
            out["records" + kind] = _read_all(tf, tf.TFRecordReader(options=options), paths)
            out["up_to" + kind] = _read_all(tf, tf.TFRecordReader(options=options), paths, up_to=2)
        out["missing"] = _read_all(tf, tf.TextLineReader(), [os.path.join(d, "none"), texts[0]])
        with open(os.path.join(d, "r0"), "rb") as f:
            broken = put("broken", f.read()[:-3])
        out["broken"] = _read_all(tf, tf.TFRecordReader(), [broken])
        r = tf.IdentityReader()
        q = tf.FIFOQueue(10, [tf.string], shapes=[[]])
        with tf.Session() as s:
            s.run(q.enqueue_many([["X", "Y", "Z"]]))
            pair = list(r.read(q))
            first = s.run(pair)
            state = s.run(r.serialize_state())
            second = s.run(pair)
            s.run(r.restore_state(state))
            out["state"] = [
                first,
                second,
                state,
                s.run(r.num_records_produced()),
                error(lambda: s.run(r.restore_state(b"\xff\xff")))[0],
            ]
            out["unserializable"] = error(lambda: s.run(tf.TextLineReader().serialize_state()))
        return out
    finally:
        shutil.rmtree(d)


# --- parsing ------------------------------------------------------------------------------------------------------------------------
def example(tf, **features):
    made = {}
    for k, v in features.items():
        if v is None:
            made[k] = tf.train.Feature()
        elif isinstance(v[0], float):
            made[k] = tf.train.Feature(float_list=tf.train.FloatList(value=v))
        elif isinstance(v[0], int):
            made[k] = tf.train.Feature(int64_list=tf.train.Int64List(value=v))
        else:
            made[k] = tf.train.Feature(bytes_list=tf.train.BytesList(value=v))
    return tf.train.Example(features=tf.train.Features(feature=made))


def sequence(tf, context, lists):
    made = {
        k: tf.train.FeatureList(feature=[example(tf, x=v).features.feature["x"] for v in steps])
        for k, steps in lists.items()
    }
    return tf.train.SequenceExample(
        context=example(tf, **context).features, feature_lists=tf.train.FeatureLists(feature_list=made)
    )


def plain(parsed):
    """Fetched dictionaries with sparse values as lists."""
    if isinstance(parsed, dict):
        return {k: plain(v) for k, v in parsed.items()}
    if isinstance(parsed, tuple) and not hasattr(parsed, "_fields"):
        return [plain(v) for v in parsed]
    return list(parsed) if hasattr(parsed, "_fields") else parsed


def shapes_of(parsed):
    if isinstance(parsed, dict):
        return {k: shapes_of(v) for k, v in parsed.items()}
    if isinstance(parsed, tuple):
        return [shapes_of(v) for v in parsed]
    return str(parsed.shape.as_list())


@program
def examples(tf):
    fixed, var, seq = tf.FixedLenFeature, tf.VarLenFeature, tf.FixedLenSequenceFeature
    a = example(tf, a=[1, 2], b=[1.5], c=[b"x", b"y"])
    b = example(tf, a=[3, 4], b=[2.5, 3.5])
    wide = example(tf, f=[float(i) / 3 for i in range(40)], i=list(range(100)), j=[-5, 1 << 60] + list(range(300)))
    none, kindless = example(tf), example(tf, a=None, b=None)
    sparse = [example(tf, i=[3, 1], v=[1.0, 2.0], j=[5, 6]), example(tf, i=[4], v=[3.0], j=[7])]
    lists = [example(tf, b=[1.0, 2.0, 3.0, 4.0]), example(tf, b=[1.0, 2.0]), none]
    cases = {
        "dense_and_sparse": ({"a": fixed([2], tf.int64), "b": var(tf.float32), "c": var(tf.string)}, [a, b]),
        "missing": ({"a": fixed([2], tf.int64)}, [a, none]),
        "default": ({"a": fixed([2], tf.int64, [7, 8]), "z": fixed([], tf.string, "d")}, [a, none]),
        "kindless": ({"a": fixed([2], tf.int64, [7, 8]), "b": var(tf.float32)}, [kindless, a]),
        "kindless_required": ({"a": fixed([2], tf.int64)}, [kindless]),
        "dense_type": ({"a": fixed([2], tf.float32)}, [b, a]),
        "sparse_type": ({"a": var(tf.float32)}, [a]),
        "size": ({"a": fixed([3], tf.int64)}, [a]),
        "wide": ({"f": fixed([4, 10], tf.float32), "i": fixed([100], tf.int64), "j": var(tf.int64)}, [wide, wide]),
        "lists": ({"b": seq([], tf.float32, allow_missing=True)}, lists),
        "lists_of_pairs": ({"b": seq([2], tf.float32, allow_missing=True, default_value=9.0)}, lists),
        "list_stride": ({"b": seq([3], tf.float32, allow_missing=True)}, lists),
        "list_required": ({"b": seq([2], tf.float32)}, lists),
        "unknown_shape": ({"b": fixed([None, 2], tf.float32)}, lists),
        "indexed": (
            {
                "s": tf.SparseFeature("i", "v", tf.float32, 10),
                "t": tf.SparseFeature(["i", "j"], "v", tf.float32, [10, 20]),
            },
            sparse,
        ),
        "empty_batch": ({"a": fixed([2], tf.int64), "c": var(tf.string)}, []),
    }
    out = {}
    for label, (features, data) in cases.items():
        data = [d.SerializeToString() for d in data]
        forms = [
            ("batch", tf.parse_example, data, None),
            ("named", tf.parse_example, data, [f"n{i}" for i in range(len(data))]),
        ]
        if data and label not in ("size", "list_stride"):  # here a single example says more than TensorFlow does
            forms.append(("single", tf.parse_single_example, data[0], None))
        for form, parse, value, example_names in forms:
            with tf.Graph().as_default(), tf.Session() as s:

                def run(parse=parse, value=value, example_names=example_names, features=features, s=s, label=label):
                    p = tf.placeholder(tf.string, [] if isinstance(value, bytes) else [None])
                    parsed = parse(p, features, example_names=example_names)
                    graph = (
                        nodes(tf) if label not in ("indexed", "lists_of_pairs") else []
                    )  # TensorFlow 2 leaves unused constants
                    return [shapes_of(parsed), plain(s.run(parsed, {p: value})), graph]

                out[label + "_" + form] = error(run)
    return out


@program
def sequence_examples(tf):
    fixed, var, seq = tf.FixedLenFeature, tf.VarLenFeature, tf.FixedLenSequenceFeature
    one = sequence(tf, {"l": [3]}, {"t": [[1, 2], [3, 4], [5, 6]], "w": [[b"a"], [b"b", b"c"]]})
    two = sequence(tf, {"l": [1]}, {"t": [[7, 8]], "w": []})
    context = {"l": fixed([], tf.int64)}
    cases = {
        "all": (context, {"t": seq([2], tf.int64), "w": var(tf.string)}),
        "sparse": ({"l": var(tf.int64)}, {"t": var(tf.int64)}),
        "default": ({"m": fixed([2], tf.float32, [1.0, 2.0])}, {"t": seq([2], tf.int64)}),
        "missing_list": (context, {"u": seq([2], tf.int64)}),
        "allowed_missing": (context, {"u": seq([2], tf.int64, allow_missing=True)}),
        "shape": (context, {"t": seq([3], tf.int64)}),
        "context_type": ({"l": fixed([], tf.float32)}, {"t": seq([2], tf.int64)}),
        "list_type": (context, {"t": seq([2], tf.float32)}),
        "sparse_type": ({"l": var(tf.float32)}, {}),
    }
    out = {}
    for label, (context, lists) in cases.items():
        for form, parse, value in (
            ("batch", tf.io.parse_sequence_example, [one.SerializeToString(), two.SerializeToString()]),
            ("single", tf.io.parse_single_sequence_example, one.SerializeToString()),
        ):
            with tf.Graph().as_default(), tf.Session() as s:

                def run(parse=parse, value=value, context=context, lists=lists, s=s):
                    p = tf.placeholder(tf.string, [] if isinstance(value, bytes) else [None])
                    parsed = parse(p, context, lists)
                    return [shapes_of(parsed), plain(s.run(parsed, {p: value})), nodes(tf)]

                out[label + "_" + form] = error(run)
    return out


# --- tables ---------------------------------------------------------------------------------------------------------------------------
def _tables(tf, d):
    """label -> function that makes a table and what to fetch of it; files are in directory `d`."""

    def put(name, text):
        with open(os.path.join(d, name), "w") as f:
            f.write(text)
        return os.path.join(d, name)

    words, pairs = put("words", "a\nb\nc\n"), put("pairs", "x\t1\ny\t2\n")
    ids = tf.lookup.TextFileIndex
    strings, longs = (lambda *v: tf.constant(list(v))), (lambda *v: tf.constant(list(v), tf.int64))
    file_init = lambda name: tf.lookup.TextFileInitializer(name, tf.string, ids.WHOLE_LINE, tf.int64, ids.LINE_NUMBER)  # noqa: E731
    column_init = lambda name: tf.lookup.TextFileInitializer(name, tf.string, 0, tf.int64, 1)  # noqa: E731
    tensor_init = lambda k, v: tf.lookup.KeyValueTensorInitializer(k, v, value_dtype=tf.int64)  # noqa: E731
    return {
        "tensors": lambda: (tf.lookup.StaticHashTable(tensor_init(["a", "b"], [1, 2]), -1), strings("a", "z")),
        "file": lambda: (tf.lookup.StaticHashTable(file_init(words), -1), strings("a", "z", "c")),
        "columns": lambda: (tf.lookup.StaticHashTable(column_init(pairs), -1), strings("y", "z")),
        "vocabulary": lambda: (tf.lookup.StaticVocabularyTable(file_init(words), 3), strings("a", "zz", "b", "q")),
        "int_vocabulary": lambda: (
            tf.lookup.StaticVocabularyTable(tensor_init(tf.constant([5, 6], tf.int64), [0, 1]), 4),
            longs(6, 7, 8),
        ),
        "wide": lambda: (tf.lookup.StaticHashTable(column_init(put("wide", "x\t1\ny\n")), -1), strings("x")),
        "twice": lambda: (tf.lookup.StaticHashTable(file_init(put("twice", "a\nb\na\n")), -1), strings("a")),
        "no_number": lambda: (tf.lookup.StaticHashTable(tensor_init(["a", "a"], [1, 2]), -1), strings("a")),
        "other_keys": lambda: (tf.lookup.StaticHashTable(tensor_init(["a"], [1]), -1), longs(1)),
    }


@program
def tables(tf):
    d = tempfile.mkdtemp()
    try:
        out = {}
        for label, make in _tables(tf, d).items():
            with tf.Graph().as_default(), tf.Session() as s:

                def run(make=make, s=s):
                    table, keys = make()
                    found, size = table.lookup(keys), table.size()
                    before = error(lambda: s.run(found))
                    fill = error(lambda: s.run(tf.tables_initializer()))
                    fill[-1] = fill[-1] and fill[-1].replace(d, "")
                    graph = [n for n in nodes(tf) if not n[0].startswith("init_all_tables")]
                    return [
                        before,
                        fill,
                        error(lambda: s.run(found)),
                        s.run(size),
                        graph,
                        names(tf, "table_initializer"),
                    ]

                out[label] = error(run)
        return out
    finally:
        shutil.rmtree(d)


@program
def mutable_tables(tf):
    out = []
    d = tempfile.mkdtemp()
    try:
        with tf.Session() as s:
            t = tf.lookup.experimental.DenseHashTable(
                tf.int64, tf.float32, -1.0, 0, -5, initial_num_buckets=16, name="dense"
            )
            keys = tf.constant([3, 19, 35, 4, 7], tf.int64)
            v = tf.Variable(1.0, name="v")
            saver = tf.train.Saver()
            s.run(v.initializer)
            s.run(t.insert(keys, tf.constant([1.0, 2.0, 3.0, 4.0, 5.0])))
            out.append(s.run(t.lookup(tf.constant([19, 4, 8], tf.int64))))
            exported = s.run(t.export()[0])
            out.append(exported)  # the buckets are where TensorFlow looks for them
            path = saver.save(s, os.path.join(d, "ck"))
            out.append(sorted([name, list(shape)] for name, shape in tf.train.list_variables(path)))
            s.run(t.remove(keys))
            out.append(s.run(t.size()))
            saver.restore(s, path)
            out.append(s.run(t.lookup(tf.constant([35, 7, 8], tf.int64))))
            out.append(error(lambda: s.run(t.insert(tf.constant([0], tf.int64), tf.constant([0.0])))))
            out.append(error(lambda: s.run(t.lookup(tf.constant([-5], tf.int64)))))
        return out
    finally:
        shutil.rmtree(d)


def run(tf, name):
    """One program on a `tf` module, in a fresh graph, as TensorFlow 1 ran it."""
    tf.disable_resource_variables()
    getattr(tf, "disable_control_flow_v2", int)()
    with tf.Graph().as_default():
        tf.set_random_seed(1)
        return PROGRAMS[name](tf)


def main(name):
    try:
        return run(tf, name)  # noqa: F821  the oracle's process defines it
    finally:
        tf.enable_resource_variables()  # noqa: F821
        tf.enable_control_flow_v2()  # noqa: F821
