"""Every reader on damaged and invented bytes: a typed error or a value, quickly, without memory the file does not justify."""

from __future__ import annotations

import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hornbeam import proto
from hornbeam.core import errors
from hornbeam.core.tensor_proto import to_ndarray
from hornbeam.files import graph_io, varint
from hornbeam.files.bundle import BundleReader, BundleWriter
from hornbeam.files.checkpoint_reader import NewCheckpointReader
from hornbeam.files.crc import mask
from hornbeam.files.events import summary_iterator
from hornbeam.files.records import tf_record_iterator
from hornbeam.files.table import TableBuilder, TableReader
from hornbeam.files.tensor_slice import TensorSlice

from .support import GOLDEN, mutations, only_typed_errors


def read_checkpoint(prefix: str) -> dict[str, Any]:
    with NewCheckpointReader(prefix) as reader:
        reader.debug_string()
        return {name: only_typed_errors(lambda n=name: reader.get_tensor(n)) for name in reader.keys()}


def read_nodes(path: str) -> list[Any]:
    list(graph_io.iter_nodes(path, 10))
    nodes = list(graph_io.iter_nodes(path))
    for node in nodes:
        if node.attr["value"].HasField("tensor"):
            only_typed_errors(lambda n=node: ignoring_types(to_ndarray, n.attr["value"].tensor))
    return nodes


def ignoring_types(action: Callable[..., Any], *arguments: Any) -> Any:
    try:
        return action(*arguments)
    except TypeError as e:  # TensorFlow's error for a dtype that a TensorProto cannot hold
        return e


READERS: list[tuple[str, Callable[[str], Any], int]] = [
    ("slices.index", lambda p: list(TableReader(p)), 1),
    ("v1_slices", read_checkpoint, 3),
    ("v1", read_checkpoint, 7),
    ("records.plain", lambda p: list(tf_record_iterator(p)), 5),
    ("records.zlib", lambda p: list(tf_record_iterator(p, "ZLIB")), 3),
    ("records.gzip", lambda p: list(tf_record_iterator(p, "GZIP")), 3),
    ("events", lambda p: list(summary_iterator(p)), 1),
    ("graph.pb", graph_io.read_graph, 5),
    ("graph.pb", read_nodes, 11),
    ("graph.meta", graph_io.read_graph, 29),
    ("graph.pbtxt", graph_io.read_graph, 97),
]


@pytest.mark.parametrize(("name", "read", "step"), READERS, ids=[f"{n}-{i}" for i, (n, _, _) in enumerate(READERS)])
def test_damaged_files_give_values_or_typed_errors(
    tmp_path: Path, name: str, read: Callable[[str], Any], step: int
) -> None:
    data = (GOLDEN / name).read_bytes()
    path = tmp_path / "f"
    started = time.monotonic()
    tracemalloc.start()
    for _, damaged in mutations(data, step):
        path.write_bytes(damaged)
        only_typed_errors(lambda: read(str(path)))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 100 * len(data) + (8 << 20)
    assert time.monotonic() - started < 120


def test_damaged_data_of_a_checkpoint_is_always_noticed(tmp_path: Path) -> None:
    (tmp_path / "c.index").write_bytes((GOLDEN / "slices.index").read_bytes())
    data = (GOLDEN / "slices.data-00000-of-00001").read_bytes()
    for what, damaged in mutations(data):
        if damaged == data:
            continue
        (tmp_path / "c.data-00000-of-00001").write_bytes(damaged)
        with BundleReader(str(tmp_path / "c")) as reader:
            results = [only_typed_errors(lambda n=n: reader.read(n)) for n in ("p", "whole")]
            results.append(only_typed_errors(lambda: reader.read("part", "4 6 -:0,3")))
        assert any(isinstance(r, errors.DataLossError) for r in results), what


def index_of(entries: dict[bytes, Any], path: Path, header: Any = None) -> None:
    """An index with any entries in it, its checksums right."""
    if header is None:
        header = proto.BundleHeaderProto(num_shards=1, version=proto.VersionDef(producer=1))
    out = bytearray()
    table = TableBuilder(out.extend)
    for key, value in sorted({b"": header, **entries}.items()):
        table.add(key, value if isinstance(value, bytes) else value.SerializeToString())
    table.finish()
    path.write_bytes(out)


def entry(dims: list[int], **fields: Any) -> Any:
    message = proto.BundleEntryProto(**{"dtype": 1, **fields})
    for d in dims:
        message.shape.dim.add(size=d)
    return message


HUGE = 1 << 40
LIES = {
    "more bytes than the file": entry([HUGE], size=4 * HUGE),
    "a shape without its bytes": entry([HUGE], size=4),
    "an overflowing shape": entry([1 << 62, 1 << 62], size=0),
    "a negative dimension": entry([-1], size=4),
    "a negative size": entry([1], size=-4),
    "a negative offset": entry([1], size=4, offset=-4),
    "no such shard": entry([1], size=4, shard_id=7),
    "an unknown type": entry([1], size=4, dtype=99),
    "no type": entry([1], size=4, dtype=0),
    "a variant": entry([1], size=4, dtype=21),
    "strings without bytes": entry([HUGE], size=4, dtype=7),
    "not a message": b"\xff\xff\xff",
    "a slice that is not there": entry([4], slices=[proto.TensorSliceProto(extent=[{"start": 0, "length": 4}])]),
    "a slice out of bounds": entry([4], slices=[proto.TensorSliceProto(extent=[{"start": 3, "length": 4}])]),
    "a slice of another rank": entry([4], slices=[proto.TensorSliceProto()]),
    "a huge tensor of slices": entry([HUGE], slices=[proto.TensorSliceProto(extent=[{"start": 0, "length": HUGE}])]),
}


@pytest.mark.parametrize("lie", LIES)
def test_an_index_that_lies_is_a_typed_error_without_allocation(tmp_path: Path, lie: str) -> None:
    index_of({b"t": LIES[lie]}, tmp_path / "c.index")
    (tmp_path / "c.data-00000-of-00001").write_bytes(bytes(64))
    tracemalloc.start()
    with pytest.raises((errors.DataLossError, errors.UnimplementedError, errors.InvalidArgumentError)) as caught:
        BundleReader(str(tmp_path / "c")).read("t")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 4 << 20
    assert "t" in str(caught.value)


def test_slices_that_overlap_in_every_way_do_not_take_forever(tmp_path: Path) -> None:
    slices = [TensorSlice(tuple((i, 200 - 2 * i) for _ in range(4))) for i in range(100)]
    message = entry([200] * 4)
    for s in slices:
        s.to_proto(message.slices.add())
    index_of({b"t": message}, tmp_path / "c.index")
    (tmp_path / "c.data-00000-of-00001").write_bytes(bytes(64))
    started = time.monotonic()
    only_typed_errors(lambda: BundleReader(str(tmp_path / "c")).read_slice("t", TensorSlice(((0, 100),) * 4)))
    assert time.monotonic() - started < 5


@pytest.mark.parametrize(
    "header",
    [
        proto.BundleHeaderProto(num_shards=0),
        proto.BundleHeaderProto(num_shards=-3),
        proto.BundleHeaderProto(num_shards=2**31 - 1),
        proto.BundleHeaderProto(num_shards=1, version=proto.VersionDef(min_consumer=99)),
        proto.BundleHeaderProto(num_shards=1, version=proto.VersionDef(bad_consumers=[1])),
        b"\xff\xff",
    ],
    ids=["no shards", "negative shards", "too many shards", "newer format", "bad consumer", "not a message"],
)
def test_headers_that_cannot_be(tmp_path: Path, header: Any) -> None:
    index_of({}, tmp_path / "c.index", header)
    with pytest.raises(errors.DataLossError, match="c.index is not a checkpoint index"):
        BundleReader(str(tmp_path / "c"))


def test_a_big_endian_checkpoint_is_read(tmp_path: Path) -> None:
    import google_crc32c
    import numpy as np

    data = np.arange(6, dtype=">f8").tobytes() + np.array([1 + 2j], ">c8").tobytes()
    (tmp_path / "c.data-00000-of-00001").write_bytes(data)
    crc = [mask(google_crc32c.value(part)) for part in (data[:48], data[48:])]
    index_of(
        {
            b"d": entry([6], dtype=2, size=48, crc32c=crc[0]),
            b"z": entry([1], dtype=8, offset=48, size=8, crc32c=crc[1]),
            b"s": entry([1], dtype=7, size=3),
        },
        tmp_path / "c.index",
        proto.BundleHeaderProto(num_shards=1, endianness=proto.BundleHeaderProto.BIG),
    )
    reader = BundleReader(str(tmp_path / "c"))
    assert reader.read("d").tolist() == [0, 1, 2, 3, 4, 5] and reader.read("z").tolist() == [1 + 2j]
    with pytest.raises(errors.UnimplementedError, match="big-endian"):
        reader.read("s")


def test_damaged_string_tensors(tmp_path: Path) -> None:
    with BundleWriter(str(tmp_path / "c")) as writer:
        writer.add("s", ["ab", "", "x" * 200])
    path = tmp_path / "c.data-00000-of-00001"
    data = path.read_bytes()
    for what, damaged in mutations(data):
        if damaged == data:
            continue
        path.write_bytes(damaged)
        with pytest.raises(errors.DataLossError, match="tensor s at offset 0"):
            BundleReader(str(tmp_path / "c")).read("s")
            pytest.fail(what)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=200), st.sampled_from(["table", "v1", "record", "zlib", "gzip", "events", "graph"]))
def test_any_bytes(tmp_path: Path, data: bytes, kind: str) -> None:
    path = tmp_path / "f"
    path.write_bytes(data)
    name = str(path)
    readers: dict[str, Callable[[], Any]] = {
        "table": lambda: list(TableReader(name)),
        "v1": lambda: read_checkpoint(name),
        "record": lambda: list(tf_record_iterator(name)),
        "zlib": lambda: list(tf_record_iterator(name, "ZLIB")),
        "gzip": lambda: list(tf_record_iterator(name, "GZIP")),
        "events": lambda: list(summary_iterator(name)),
        "graph": lambda: graph_io.read_graph(name),
    }
    only_typed_errors(readers[kind])


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.dictionaries(st.binary(min_size=1, max_size=4), st.binary(max_size=30), max_size=4), st.binary(max_size=20))
def test_any_entries_in_a_sound_table(tmp_path: Path, entries: dict[bytes, bytes], header: bytes) -> None:
    index_of(entries, tmp_path / "c.index", header)
    (tmp_path / "c.data-00000-of-00001").write_bytes(bytes(64))
    only_typed_errors(lambda: read_checkpoint(str(tmp_path / "c")))
    index_of(entries, tmp_path / "c.index")
    only_typed_errors(lambda: read_checkpoint(str(tmp_path / "c")))
    index_of(entries, tmp_path / "v1", header)
    only_typed_errors(lambda: read_checkpoint(str(tmp_path / "v1")))


def test_a_deeply_nested_text_graph_is_refused(tmp_path: Path) -> None:
    (tmp_path / "g").write_text("node { attr { value { list { func { " + "attr { value { func { " * 5000)
    with pytest.raises(errors.DataLossError):
        graph_io.read_graph(tmp_path / "g")


def test_a_deeply_nested_binary_graph_is_refused(tmp_path: Path) -> None:
    payload = b""
    for _ in range(20000):
        payload = b"\x12" + varint.encode(len(payload)) + payload if len(payload) < 50000 else payload
    (tmp_path / "g").write_bytes(b"\x0a\x06\x0a\x01x\x12\x01y" + b"\x12" + varint.encode(len(payload)) + payload)
    only_typed_errors(lambda: graph_io.read_graph(tmp_path / "g"))
