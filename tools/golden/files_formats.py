"""Makes `tests/golden/files` with TensorFlow 2.15.1: checkpoints, records, an event file, graphs, TensorProtos.

Run with an interpreter that has it: `python tools/golden/files_formats.py`. The result is 60 KB; only the event file's
times differ between runs.
"""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import numpy as np
import tensorflow as tf

OUT = Path(__file__).resolve().parents[2] / "tests" / "golden" / "files"
PLAIN = (
    "float32 float64 int32 uint8 int16 int8 complex64 int64 bool bfloat16 uint16 complex128 float16 uint32 uint64"
).split()
QUANTIZED = {"qint8": "int8", "quint8": "uint8", "qint32": "int32", "qint16": "int16", "quint16": "uint16"}
NOT_IN_V1 = {"v/bfloat16", "v/uint32", "v/uint64", "q/qint16", "q/quint16", "empty", "no_strings"}

# Python source of values and arguments for make_tensor_proto: evaluated here and by the test.
TENSOR_PROTOS = """
1 | 1.5 | True | 'abc' | b'\\xff\\x00' | 1+2j | 2**31 | 2**40 | float('nan') | 1e39 | None | object | {}
[1,2,3] | [1.,2.] | [[1,1],[1,1]] | [0]*5 | [-0.0] | [1,2.5] | [True,1] | [1,True] | [] | [[]] | [[],[]] | (1,2)
['a','b'] | [u'\\u00e9'] | [['a','b'],['c','d']] | [b'a','b'] | ['a','a'] | [None] | [1,None] | [1,'a'] | [[1],[2,3]]
np.zeros([2,2],np.float32) | np.float32(3) | np.array([1.,2.]) | np.zeros([0,3],np.float32) | np.array([],np.int32)
np.complex64(1+2j) | np.array([1+2j,3],np.complex64) | [1+2j] | [True,False] | np.array([1,2],np.int16)
np.array(5,np.int16) | np.array([[1,2],[3,3]],np.int8) | np.array('ab') | np.array([b'ab',b'c']) | np.float16(1.5)
np.array(['ab','c'],object) | np.array([1,'x'],object) | np.array([1.5,2],np.float16) | np.int64(3) | [np.int64(3),1]
np.array([1,2],np.uint16) | np.array([1,2],np.uint32) | np.array([1,2],np.uint8)
[np.array([1,2]),np.array([3,4])] | [np.float32(1.5)] | bytearray(b'abc') | np.array([1,2,3,3,3,3],np.float32)
3 ; dtype='float32', shape=[2,2] | [1,2] ; shape=[4] | [1,2] ; shape=[3], allow_broadcast=True | 1 ; shape=[]
[1,2] ; shape=[2], verify_shape=True | [1,2] ; shape=[1,2], verify_shape=True | 'a' ; shape=[2,2] | [1] ; shape=[]
1.5 ; dtype='bfloat16' | [1.5,2.5] ; dtype='bfloat16' | 1.5 ; dtype='float16' | [1.5,2.5] ; dtype='float16'
1.5 ; dtype='int32' | 'a' ; dtype='int32' | 1 ; dtype='string' | [1.0,2] ; dtype='int32' | [1,2.0] ; dtype='int64'
2**31 ; dtype='int64' | 2**64-1 ; dtype='uint64' | [5,6] ; dtype='uint64' | [5] ; dtype='uint32' | 300 ; dtype='uint8'
5 ; dtype='qint8' | [5,6] ; dtype='qint8' | [(5,)] ; dtype='quint8' | 3 ; dtype='resource' | 3 ; dtype='variant'
np.array([(5,),(7,)],[('qint8','i1')]) | np.array([2.5]) ; dtype='int32' | np.array([2]) ; dtype='float32'
[1,2,3] ; shape=[3,1] | [1,2,3,4,5] ; shape=[2,2] | 1.0 ; dtype='complex64' | [1.0,2] ; dtype='complex128'
0.0 ; shape=[0] | b'a' ; dtype='string', shape=[0] | 5 ; dtype='float32' | [5,6] ; dtype='float64'
True ; dtype='int32' | 1 ; dtype='bool' | [1,0] ; dtype='bool'
[] ; dtype='int32' | [] ; dtype='string' | [[[]]] ; shape=[1,1,0]
[[1,2,3]] ; dtype='int32', shape=[2,3] | np.array([1,2]) ; shape=[2,2], allow_broadcast=True | 1 ; shape=[2,-1]
"""


def tensors() -> dict[str, tf.Tensor]:
    random = np.random.RandomState(0)
    result = {}
    for name in PLAIN:
        values = random.randint(0, 2 if name == "bool" else 100, size=(3, 5))
        result["v/" + name] = tf.cast(values, getattr(tf, name))
    for name, base in QUANTIZED.items():
        result["q/" + name] = tf.bitcast(random.randint(0, 100, size=7).astype(base), getattr(tf, name))
    result["strings"] = tf.constant([[b"a", b"", b"x" * 300], [b"\0\xff", b"abc", b"d"]])
    result["string"] = tf.constant(b"scalar")
    result["empty"] = tf.zeros([0, 3])
    result["scalar"] = tf.constant(3.5)
    result["no_strings"] = tf.constant([], tf.string)
    return result


def checkpoints() -> None:
    values = tensors()
    names = list(values)[::-1]
    tf.raw_ops.SaveV2(prefix=str(OUT / "all"), tensor_names=names, shape_and_slices=[""] * len(names),
                      tensors=[values[n] for n in names])  # fmt: skip
    old = [n for n in names if n not in NOT_IN_V1]
    tf.raw_ops.Save(filename=str(OUT / "v1"), tensor_names=old, data=[values[n] for n in old])
    arrays = {n.replace("/", "|"): np.asarray(v) for n, v in values.items() if n.startswith("v/") and "bfloat" not in n}
    np.savez_compressed(OUT / "values.npz", **arrays)
    x = np.arange(24, dtype=np.float32).reshape(4, 6)
    tf.raw_ops.SaveV2(prefix=str(OUT / "slices"), tensor_names=["p", "p", "part", "whole"],
                      shape_and_slices=["4 6 0,2:-", "4 6 2,2:-", "4 6 0,4:0,3", "4 6 0,4:0,6"],
                      tensors=[x[:2], x[2:], x[:, :3], x])  # fmt: skip
    tf.raw_ops.SaveSlices(filename=str(OUT / "v1_slices"), tensor_names=["p", "p", "zeros"],
                          shapes_and_slices=["4 6 0,2:-", "4 6 2,2:-", "100 -"],
                          data=[x[:2], x[2:], np.zeros(100, np.float32)])  # fmt: skip
    for i, rows in enumerate((slice(0, 2), slice(2, 4))):
        tf.raw_ops.SaveV2(prefix=str(OUT / f"shard{i}"), tensor_names=["p", f"only{i}"],
                          shape_and_slices=[f"4 6 {2 * i},2:-", ""], tensors=[x[rows], x + i])  # fmt: skip
    tf.raw_ops.MergeV2Checkpoints(checkpoint_prefixes=[str(OUT / "shard0"), str(OUT / "shard1")],
                                  destination_prefix=str(OUT / "merged"), delete_old_dirs=False)  # fmt: skip


def records() -> None:
    python_io = tf.compat.v1.python_io
    for name, kind in (("plain", ""), ("zlib", "ZLIB"), ("gzip", "GZIP")):
        with python_io.TFRecordWriter(str(OUT / f"records.{name}"), python_io.TFRecordOptions(kind)) as writer:
            for record in (b"a", b"", b"x" * 1000, bytes(range(256))):
                writer.write(record)


def events() -> None:
    v1 = tf.compat.v1
    with tf.Graph().as_default():
        writer = v1.summary.FileWriter(str(OUT / "tmp"))
        writer.add_summary(v1.Summary(value=[v1.Summary.Value(tag="loss", simple_value=1.5)]), 3)
        writer.close()
    (made,) = (OUT / "tmp").iterdir()
    shutil.move(made, OUT / "events")
    (OUT / "tmp").rmdir()


def graphs() -> None:
    v1 = tf.compat.v1
    with tf.Graph().as_default() as graph:
        x = v1.placeholder(tf.float32, [None, 2], name="x")
        v1.get_variable("w", [2, 2], use_resource=False, initializer=v1.zeros_initializer()) @ tf.transpose(x)
        saver = v1.train.Saver().as_saver_def()
        definition = graph.as_graph_def()
        v1.train.write_graph(definition, str(OUT), "graph.pbtxt")
        v1.train.write_graph(definition, str(OUT), "graph.pb", as_text=False)
        v1.train.export_meta_graph(str(OUT / "graph.meta"), saver_def=saver)
        v1.train.export_meta_graph(str(OUT / "graph.meta.txt"), as_text=True, saver_def=saver)


def tensor_protos() -> None:
    cases = []
    for case in TENSOR_PROTOS.replace("\n", "|").split("|"):
        if not case.strip():
            continue
        value, _, arguments = case.partition(";")
        entry = {"value": value.strip(), "arguments": arguments.strip()}
        try:
            made = tf.make_tensor_proto(eval(value.strip()), **eval(f"dict({arguments})"))
            entry["proto"] = made.SerializeToString(deterministic=True).hex()
        except Exception as e:
            entry["error"] = [type(e).__name__, str(e)]
        cases.append(entry)
    (OUT / "tensor_protos.json").write_text(json.dumps(cases, indent=0) + "\n")


if __name__ == "__main__":
    shutil.rmtree(OUT, ignore_errors=True)
    OUT.mkdir(parents=True)
    for make in (checkpoints, records, events, graphs, tensor_protos):
        make()
    print(sorted(p.name for p in OUT.iterdir()), sum(p.stat().st_size for p in OUT.iterdir()), "bytes")
