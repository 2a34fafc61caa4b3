"""Files in both directions, live: what we write TensorFlow reads with equal values, what it writes we read."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hornbeam import proto
from hornbeam.core import dtypes
from hornbeam.core.tensor_proto import MakeNdarray, make_tensor_proto
from hornbeam.files import checkpoint_state, graph_io
from hornbeam.files.bundle import BundleReader, BundleWriter, merge_bundles
from hornbeam.files.checkpoint_reader import NewCheckpointReader
from hornbeam.files.checkpoint_v1 import V1Writer
from hornbeam.files.events import EventFileWriter, summary_iterator
from hornbeam.files.records import TFRecordOptions, TFRecordWriter, tf_record_iterator
from hornbeam.files.tensor_slice import TensorSlice
from hornbeam.proto._index import FILES

from .compare import needs_oracle, oracle

pytestmark = [pytest.mark.oracle, needs_oracle]

DTYPES = (
    "float32 float64 float16 bfloat16 int8 int16 int32 int64 uint8 uint16 uint32 uint64 complex64 complex128 bool"
).split()
SHAPES: list[tuple[int, ...]] = [(), (1,), (0, 3), (5, 7), (2, 3, 4)]
KINDS = ["", "ZLIB", "GZIP"]


def values(seed: int = 0) -> dict[str, np.ndarray]:
    random = np.random.default_rng(seed)
    result: dict[str, np.ndarray] = {}
    for name in DTYPES:
        for i, shape in enumerate(SHAPES):
            drawn = np.asarray(random.integers(0, 2 if name == "bool" else 100, shape))
            array = drawn.astype(dtypes.as_dtype(name).np)
            result[f"{name}/{i}"] = array * (1 + 2j) if name.startswith("complex") else array
            result[f"{name}/{i}"] = result[f"{name}/{i}"].astype(dtypes.as_dtype(name).np)
    for i, shape in enumerate(SHAPES):
        words = np.empty(shape, object)
        for at in np.ndindex(*shape):
            words[at] = random.bytes(int(random.integers(0, 300)))
        result[f"string/{i}"] = words
    return result


def same(a: Any, b: Any) -> None:
    a, b = (np.array(v, object) if isinstance(v, bytes) else np.asarray(v) for v in (a, b))
    assert a.dtype.name == b.dtype.name and a.shape == b.shape
    assert a.tolist() == b.tolist() if a.dtype == object else a.tobytes() == b.tobytes()


READ = """
def main(prefix, names):
    reader = tf.train.NewCheckpointReader(prefix)
    return {"values": {n: np.asarray(reader.get_tensor(n)) for n in names}, "debug": reader.debug_string(),
            "shapes": {n: list(s) for n, s in reader.get_variable_to_shape_map().items()}}
"""

SAVE = """
def main(prefix, values, specs, version):
    names = list(values)
    with session(tf.get_default_graph()) as sess:
        tensors = [tf.constant(v) for v in values.values()]
        if version == 2:
            op = tf.raw_ops.SaveV2(prefix=prefix, tensor_names=[n.split("@")[0] for n in names],
                                   shape_and_slices=[specs.get(n, "") for n in names], tensors=tensors)
        else:
            op = tf.raw_ops.SaveSlices(filename=prefix, tensor_names=[n.split("@")[0] for n in names],
                                       shapes_and_slices=[specs.get(n, "") for n in names], data=tensors)
        sess.run(op)
"""


def test_tensorflow_reads_our_checkpoint(tmp_path: Path) -> None:
    ours = values()
    with BundleWriter(str(tmp_path / "c")) as writer:
        for name, value in ours.items():
            writer.add(name, value)
    read = oracle().call(READ, prefix=str(tmp_path / "c"), names=list(ours))
    for name, value in ours.items():
        same(read["values"][name], value)
    with NewCheckpointReader(str(tmp_path / "c")) as reader:
        assert reader.debug_string() == read["debug"]
        assert reader.get_variable_to_shape_map() == read["shapes"]


@pytest.mark.parametrize("version", [1, 2])
def test_we_read_tensorflows_checkpoint(tmp_path: Path, version: int) -> None:
    theirs = values(1)
    if version == 1:
        theirs = {n: v for n, v in theirs.items() if v.size and n.split("/")[0] not in ("bfloat16", "uint32", "uint64")}
    specs = (
        {} if version == 2 else {n: " ".join([*map(str, v.shape), ":".join("-" * v.ndim)]) for n, v in theirs.items()}
    )
    if version == 1:  # a scalar has no slice that can be spelled
        theirs = {n: v for n, v in theirs.items() if v.ndim}
        specs = {n: specs[n] for n in theirs}
    oracle().call(SAVE, prefix=str(tmp_path / "c"), values=theirs, specs=specs, version=version)
    with NewCheckpointReader(str(tmp_path / "c")) as reader:
        assert set(reader.keys()) == set(theirs)
        for name, value in theirs.items():
            same(reader.get_tensor(name), value)


def test_tensorflow_reads_our_v1_checkpoint(tmp_path: Path) -> None:
    ours = {n: v for n, v in values(6).items() if n.split("/")[0] not in ("bfloat16", "uint32", "uint64") and v.size}
    with V1Writer(str(tmp_path / "c")) as writer:
        for name, value in ours.items():
            writer.add(name, value)
    readable = [n for n in ours if n.split("/")[0] not in ("float16", "uint16", "complex64", "complex128")]
    read = oracle().call(READ, prefix=str(tmp_path / "c"), names=readable)
    for name in readable:
        same(read["values"][name], ours[name])


def test_our_bytes_are_tensorflows(tmp_path: Path) -> None:
    both = values(2)
    oracle().call(SAVE, prefix=str(tmp_path / "theirs"), values=both, specs={}, version=2)
    with BundleWriter(str(tmp_path / "ours")) as writer:
        for name, value in both.items():
            writer.add(name, value)
    for suffix in (".index", ".data-00000-of-00001"):
        assert (tmp_path / f"ours{suffix}").read_bytes() == (tmp_path / f"theirs{suffix}").read_bytes()


def test_our_bytes_are_tensorflows_over_many_index_blocks(tmp_path: Path) -> None:
    both = {f"tower_{i % 97}/some_block_with_a_long_name_{i % 13}/kernel_{i}": np.full([2], i, np.float32)
            for i in range(9000)}  # fmt: skip
    source = """
def main(prefix, count):
    names = [f"tower_{i % 97}/some_block_with_a_long_name_{i % 13}/kernel_{i}" for i in range(count)]
    values = tf.placeholder(tf.float32, [count, 2])
    op = tf.raw_ops.SaveV2(prefix=prefix, tensor_names=names, shape_and_slices=[""] * count, tensors=tf.unstack(values))
    with session(tf.get_default_graph()) as sess:
        sess.run(op, {values: np.repeat(np.arange(count, dtype=np.float32)[:, None], 2, 1)})
"""
    oracle().call(source, prefix=str(tmp_path / "theirs"), count=len(both))
    with BundleWriter(str(tmp_path / "ours")) as writer:
        for name, value in both.items():
            writer.add(name, value)
    for suffix in (".index", ".data-00000-of-00001"):
        assert (tmp_path / f"ours{suffix}").read_bytes() == (tmp_path / f"theirs{suffix}").read_bytes()


MATRIX = np.arange(40, dtype=np.float32).reshape(8, 5)
SPECS = ["8 5 0,3:-", "8 5 3,5:0,2", "8 5 3,5:2,3"]
PARTS = [MATRIX[:3], MATRIX[3:, :2], MATRIX[3:, 2:]]
WANTED = ["", "8 5 2,3:1,3", "8 5 -:4,1", "8 5 0,8:-"]
RESTORE = """
def main(prefix, specs):
    with session(tf.get_default_graph()) as sess:
        return [sess.run(tf.raw_ops.RestoreV2(prefix=prefix, tensor_names=["p"], shape_and_slices=[s],
                                              dtypes=[tf.float32])[0]) for s in specs]
"""


@pytest.mark.parametrize("writer", ["ours", "theirs"])
def test_slices_in_both_directions(tmp_path: Path, writer: str) -> None:
    prefix = str(tmp_path / "c")
    if writer == "ours":
        with BundleWriter(prefix) as bundle:
            for spec, part in zip(SPECS, PARTS):
                bundle.add_slice("p", MATRIX.shape, TensorSlice.parse(spec.split()[-1]), part)
    else:
        oracle().call(SAVE, prefix=prefix, values={f"p@{i}": p for i, p in enumerate(PARTS)},
                      specs={f"p@{i}": s for i, s in enumerate(SPECS)}, version=2)  # fmt: skip
    theirs = oracle().call(RESTORE, prefix=prefix, specs=WANTED)
    with BundleReader(prefix) as reader:
        for spec, expected in zip(WANTED, theirs):
            same(reader.read("p", spec), expected)
        same(reader.read("p"), MATRIX)


def test_tensorflow_reads_our_merged_shards(tmp_path: Path) -> None:
    for i, rows in enumerate((slice(0, 3), slice(3, 8))):
        with BundleWriter(str(tmp_path / f"s{i}")) as writer:
            writer.add_slice("p", (8, 5), TensorSlice.parse(f"{rows.start},{rows.stop - rows.start}:-"), MATRIX[rows])
            writer.add(f"only{i}", MATRIX * i)
    merge_bundles([str(tmp_path / "s0"), str(tmp_path / "s1")], str(tmp_path / "m"))
    read = oracle().call(READ, prefix=str(tmp_path / "m"), names=["p", "only0", "only1"])["values"]
    same(read["p"], MATRIX)
    same(read["only1"], MATRIX)


def test_quantised_types_both_ways(tmp_path: Path) -> None:
    source = """
def main(prefix, ours):
    kinds = {"qint8": np.int8, "quint8": np.uint8, "qint16": np.int16, "quint16": np.uint16, "qint32": np.int32}
    with session(tf.get_default_graph()) as sess:
        tensors = [tf.bitcast(tf.constant(np.arange(7, dtype=t)), getattr(tf, n)) for n, t in kinds.items()]
        sess.run(tf.raw_ops.SaveV2(prefix=prefix, tensor_names=list(kinds), shape_and_slices=[""] * 5, tensors=tensors))
        restored = tf.raw_ops.RestoreV2(prefix=ours, tensor_names=list(kinds), shape_and_slices=[""] * 5,
                                        dtypes=[getattr(tf, n) for n in kinds])
        return [sess.run(tf.bitcast(r, t)) for r, t in zip(restored, kinds.values())]
"""
    kinds = ["qint8", "quint8", "qint16", "quint16", "qint32"]
    with BundleWriter(str(tmp_path / "ours")) as writer:
        for kind in kinds:
            writer.add(kind, np.arange(7, dtype=dtypes.as_dtype(kind).np), kind)
    for read in oracle().call(source, prefix=str(tmp_path / "theirs"), ours=str(tmp_path / "ours")):
        assert read.tolist() == list(range(7))
    with BundleReader(str(tmp_path / "theirs")) as reader:
        for kind in kinds:
            assert reader.dtype(kind).name == kind and reader.read(kind).tolist() == list(range(7))


def test_checkpoint_state_both_ways(tmp_path: Path) -> None:
    source = """
def main(directory):
    state = tf.train.get_checkpoint_state(directory)
    found = [state.model_checkpoint_path, list(state.all_model_checkpoint_paths), tf.train.latest_checkpoint(directory)]
    tf.train.update_checkpoint_state(directory, directory + "/b", [directory + "/a", directory + "/b"])
    return found
"""
    d = str(tmp_path)
    for name in "ab":
        with BundleWriter(f"{d}/{name}") as writer:
            writer.add("x", MATRIX)
    checkpoint_state.update_checkpoint_state_internal(d, f"{d}/a", [f"{d}/b", f"{d}/a"], save_relative_paths=True)
    assert oracle().call(source, directory=d) == [f"{d}/a", [f"{d}/b", f"{d}/a"], f"{d}/a"]
    assert checkpoint_state.latest_checkpoint(d) == f"{d}/b"
    theirs = (tmp_path / "checkpoint").read_bytes()
    checkpoint_state.update_checkpoint_state(d, f"{d}/b", [f"{d}/a", f"{d}/b"])
    assert (tmp_path / "checkpoint").read_bytes() == theirs


@pytest.mark.parametrize("kind", KINDS)
def test_records_both_ways(tmp_path: Path, kind: str) -> None:
    source = """
def main(path, ours, kind):
    options = tf.python_io.TFRecordOptions(kind)
    read = list(tf.python_io.tf_record_iterator(ours, options))
    with tf.python_io.TFRecordWriter(path, options) as writer:
        for record in read:
            writer.write(record)
    return read
"""
    random = np.random.default_rng(3)
    records = [random.bytes(int(n)) for n in (0, 1, 5, 1000, 300000)]
    with TFRecordWriter(tmp_path / "ours", TFRecordOptions(kind)) as writer:
        for record in records:
            writer.write(record)
    assert oracle().call(source, path=str(tmp_path / "theirs"), ours=str(tmp_path / "ours"), kind=kind) == records
    assert list(tf_record_iterator(tmp_path / "theirs", kind)) == records
    if not kind:
        assert (tmp_path / "ours").read_bytes() == (tmp_path / "theirs").read_bytes()


def test_events_both_ways(tmp_path: Path) -> None:
    source = """
def main(ours, logdir):
    writer = tf.summary.FileWriter(logdir)
    read = []
    for event in tf.train.summary_iterator(ours):
        read.append(event.SerializeToString())
        writer.add_event(event)
    writer.close()
    return read
"""
    events = [proto.Event(step=i, wall_time=1.5 * i) for i in range(5)]
    for event in events:
        event.summary.value.add(tag="loss", simple_value=0.5)
    writer = EventFileWriter(tmp_path / "ours")
    for event in events:
        writer.add_event(event)
    writer.close()
    (path,) = (tmp_path / "ours").iterdir()
    read = oracle().call(source, ours=str(path), logdir=str(tmp_path / "theirs"))
    assert [proto.Event.FromString(r) for r in read][1:] == events
    (path,) = (tmp_path / "theirs").iterdir()
    assert [e for e in summary_iterator(path) if not e.file_version] == events


def test_graphs_both_ways(tmp_path: Path) -> None:
    source = """
def main(directory):
    graph = tf.GraphDef()
    with open(directory + "/ours.pb", "rb") as f:
        graph.ParseFromString(f.read())
    from google.protobuf import text_format
    text = tf.GraphDef()
    with open(directory + "/ours.pbtxt") as f:
        text_format.Merge(f.read(), text)
    assert text == graph
    tf.import_graph_def(graph, name="")
    tf.io.write_graph(graph, directory, "theirs.pb", as_text=False)
    tf.io.write_graph(graph, directory, "theirs.pbtxt")
"""
    graph: Any = proto.GraphDef()
    for name, value in values(4).items():
        node = graph.node.add(name=name.replace("/", "_"), op="Const")
        node.attr["value"].tensor.CopyFrom(make_tensor_proto(value))
        node.attr["dtype"].type = node.attr["value"].tensor.dtype
    graph_io.write_graph(graph, tmp_path, "ours.pb", as_text=False)
    graph_io.write_graph(graph, tmp_path, "ours.pbtxt")
    oracle().call(source, directory=str(tmp_path))
    for name in ("theirs.pb", "theirs.pbtxt"):
        assert graph_io.read_graph(tmp_path / name).graph_def == graph
    assert (tmp_path / "ours.pb").read_bytes() == (tmp_path / "theirs.pb").read_bytes()


def test_tensor_protos_both_ways() -> None:
    source = """
def main(protos, values):
    from tensorflow.core.framework import tensor_pb2
    read = [np.asarray(tf.make_ndarray(tensor_pb2.TensorProto.FromString(p))) for p in protos]
    return read, [tf.make_tensor_proto(v).SerializeToString(deterministic=True) for v in values]
"""
    arrays = list(values(5).values())
    ours = [make_tensor_proto(a).SerializeToString(deterministic=True) for a in arrays]
    read, theirs = oracle().call(source, protos=ours, values=arrays)
    assert theirs == ours
    for array, back, data in zip(arrays, read, theirs):
        same(back, array)
        same(MakeNdarray(proto.TensorProto.FromString(data)), array)


@pytest.mark.parametrize("first", ["tensorflow", "hornbeam.proto"])
def test_tensorflow_and_our_messages_live_in_one_process(first: str) -> None:
    program = (
        f"import {first}\n"
        "import tensorflow as tf\n"
        "from hornbeam import proto\n"
        "proto.pool()\n"
        "for name in ('GraphDef', 'MetaGraphDef', 'Event', 'ConfigProto'):\n"
        "    ours, theirs = getattr(proto, name), getattr(tf.compat.v1, name)\n"
        "    assert ours.DESCRIPTOR.full_name == theirs.DESCRIPTOR.full_name and ours is not theirs\n"
        "g = tf.compat.v1.GraphDef(); g.node.add(name='x', op='NoOp')\n"
        "assert proto.GraphDef.FromString(g.SerializeToString()).node[0].name == 'x'\n"
    )
    package = Path(proto.__file__).parents[2]
    environment = {**os.environ, "PYTHONPATH": str(package), "TF_CPP_MIN_LOG_LEVEL": "3"}
    subprocess.run([os.environ["HORNBEAM_ORACLE"], "-c", program], check=True, env=environment, timeout=120)


def test_every_schema_file_is_tensorflows() -> None:
    source = """
def main(files):
    import importlib
    from google.protobuf import descriptor_pb2
    result = {}
    for file in files:
        name = file[:-len(".proto")].replace("/", ".") + "_pb2"
        name = "tensorflow." + name if name.startswith("tsl.") else name
        try:
            descriptor = importlib.import_module(name).DESCRIPTOR
        except ImportError:
            continue
        message = descriptor_pb2.FileDescriptorProto()
        descriptor.CopyToProto(message)
        result[file] = message.SerializeToString()
    return result
"""
    from google.protobuf import descriptor_pb2

    files = [f for f in FILES if not f.startswith("google/")]
    theirs = oracle().call(source, files=files)
    assert len(theirs) > 55
    for file, data in theirs.items():
        expected, ours = descriptor_pb2.FileDescriptorProto.FromString(data), descriptor_pb2.FileDescriptorProto()
        proto.pool().FindFileByName(file).CopyToProto(ours)
        expected.ClearField("options")
        assert plain(ours.message_type) == plain(expected.message_type), file
        assert plain(ours.enum_type) == plain(expected.enum_type), file


def plain(descriptors: Any) -> list[str]:
    """Descriptors without what has no meaning on the wire or in the language: JSON names and options of languages."""

    def strip(d: Any) -> None:
        d.options.ClearField("deprecated")
        if not d.options.ListFields():
            d.ClearField("options")
        for inner in getattr(d, "enum_type", ()):
            strip(inner)
        for value in getattr(d, "value", ()):
            value.ClearField("options")
        for f in getattr(d, "field", ()):
            f.ClearField("json_name")
            for option in ("ctype", "jstype", "lazy", "weak"):
                f.options.ClearField(option)
            if not f.options.ListFields():
                f.ClearField("options")
        for inner in getattr(d, "nested_type", ()):
            strip(inner)
        if hasattr(d, "nested_type"):  # where the entries of maps stand among them is protoc's choice
            d.nested_type.sort(key=lambda n: n.name)

    for d in descriptors:
        strip(d)
    return [str(d) for d in descriptors]
