"""Graphs in files: `.pb`, `.pbtxt`, `.meta`, `saved_model.pb`, binary or text, told apart by what is in them."""

from __future__ import annotations

import mmap
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from hornbeam import proto
from hornbeam.core import errors
from hornbeam.files import atomic, varint, wire
from hornbeam.proto.text_format import from_text, to_text

_MESSAGES = {"graph": "GraphDef", "meta_graph": "MetaGraphDef", "saved_model": "SavedModel"}

# Where the nodes lie: field numbers from the file's message down to NodeDef.
_NODE_PATHS = {"graph": (1,), "meta_graph": (2, 1), "saved_model": (2, 2, 1)}

# NodeDef.attr, its value, AttrValue.tensor, and the fields of TensorProto that hold a tensor's values.
_TENSOR_PATH = (5, 2, 8)

_TEXT_FIELDS = {
    "graph": ("node", "library", "version", "versions", "debug_info"),
    "meta_graph": ("meta_info_def", "graph_def", "saver_def", "collection_def", "signature_def", "asset_file_def",
                   "object_graph_def"),
    "saved_model": ("saved_model_schema_version", "meta_graphs"),
}  # fmt: skip

_OTHER_FORMATS = (
    (b"\x89HDF", 0, "an HDF5 file (Keras weights)"),
    (b"PK\x03\x04", 0, "a zip archive"),
    (b"\x1f\x8b", 0, "a gzip file; unpack it first"),
    (b"TFL3", 4, "a TensorFlow Lite model"),
    (b"\x93NUMPY", 0, "a NumPy array"),
)


@dataclass(frozen=True, slots=True)
class ModelFile:
    """A parsed model file: its kind ("graph", "meta_graph", "saved_model") and its message."""

    path: str
    kind: str
    message: Any

    @property
    def meta_graph(self) -> Any:
        """The MetaGraphDef, of a SavedModel the first; None for a plain graph."""
        if self.kind == "meta_graph":
            return self.message
        if self.kind == "saved_model" and self.message.meta_graphs:
            return self.message.meta_graphs[0]
        return None

    @property
    def graph_def(self) -> Any:
        meta_graph = self.meta_graph
        if meta_graph is not None:
            return meta_graph.graph_def
        return self.message if self.kind == "graph" else proto.GraphDef()


def read_graph(path: Any) -> ModelFile:
    """Reads any file that holds a graph; a directory stands for the `saved_model.pb` or `.pbtxt` in it.

    Raises NotFoundError, and DataLossError with the offset (text: line and column) where the file is damaged or not
    such a file at all.
    """
    name = _resolve(path)
    with _Mapped(name) as data:
        if is_text(data):
            return _read_text(name, bytes(data))
        kind = _binary_kind(name, data)
        message = getattr(proto, _MESSAGES[kind])()
        try:
            message.ParseFromString(bytes(data))
        except Exception as e:  # DecodeError; its text says nothing of where
            raise _damaged(name, _locate(data, kind, str(e))) from e
    return ModelFile(name, kind, message)


def file_kind(path: Any) -> str:
    """ "graph", "meta_graph" or "saved_model", from a look at the file's first fields. Raises as `read_graph`."""
    name = _resolve(path)
    with _Mapped(name) as data:
        if is_text(data):
            return _text_kind(name, bytes(data[: 1 << 16]))
        return _binary_kind(name, data)


def iter_nodes(path: Any, max_value_bytes: int | None = None) -> Iterator[Any]:
    """The NodeDefs of a file one at a time, so that memory holds one node and not the model.

    With `max_value_bytes`, constants with more bytes than that come with dtype and shape but without their values.
    """
    name = _resolve(path)
    with _Mapped(name) as data:
        if is_text(data):
            yield from _read_text(name, bytes(data)).graph_def.node
            return
        kind = _binary_kind(name, data)
        try:
            for field in _at_path(data, 0, len(data), _NODE_PATHS[kind]):
                yield _node(data, field, max_value_bytes)
        except wire.WireError as e:
            raise _damaged(name, str(e)) from e


def write_graph(graph_or_graph_def: Any, logdir: Any, name: str, as_text: bool = True) -> str:
    """Writes a Graph or GraphDef to `logdir/name`, making the directory, in one step; returns the path."""
    to_graph_def = getattr(graph_or_graph_def, "as_graph_def", None)
    message = to_graph_def() if to_graph_def is not None else graph_or_graph_def
    directory = os.fspath(logdir)
    path = os.path.join(directory, name)
    if directory:
        with atomic.os_errors(directory):
            os.makedirs(directory, exist_ok=True)
    write_message(message, path, as_text)
    return path


def write_message(message: Any, path: Any, as_text: bool = False) -> None:
    """Writes any message, binary in a fixed order or text, in one step. ResourceExhaustedError on a full disk."""
    data = to_text(message).encode() if as_text else message.SerializeToString(deterministic=True)
    atomic.write_atomically(os.fspath(path), data)


# telling kinds apart -------------------------------------------------------------------------------------------------
def is_text(data: Any) -> bool:
    """Whether bytes are protobuf text: UTF-8 that begins, after comments, with a field."""
    head = bytes(data[:4096])
    try:
        text = head.decode("utf-8")
    except UnicodeDecodeError as e:
        if e.start < len(head) - 3:
            return False
        text = head[: e.start].decode("utf-8")
    return re.match(r"\ufeff?(\s|#[^\n]*\n)*[A-Za-z_]\w*\s*[:{<]", text) is not None and not re.search(
        r"[\x00-\x08\x0e-\x1f]", text
    )


def _text_kind(name: str, data: bytes) -> str:
    match = re.match(rb"(?:\xef\xbb\xbf)?(?:\s|#[^\n]*\n)*([A-Za-z_]\w*)", data)
    first = match[1].decode() if match else ""
    for kind, names in _TEXT_FIELDS.items():
        if first in names:
            return kind
    raise _damaged(name, f"it begins with the text field {first!r}, which no GraphDef, MetaGraphDef or SavedModel has")


def _read_text(name: str, data: bytes) -> ModelFile:
    from google.protobuf import text_format

    kind = _text_kind(name, data)
    message = getattr(proto, _MESSAGES[kind])()
    try:
        from_text(data.removeprefix(b"\xef\xbb\xbf").decode("utf-8"), message)
    except text_format.ParseError as e:
        where = f"line {e.GetLine()}, column {e.GetColumn()}: " if e.GetLine() else ""
        raise _damaged(name, f"{where}{e}") from e
    except (UnicodeDecodeError, RecursionError, ValueError) as e:
        raise _damaged(name, str(e)) from e
    return ModelFile(name, kind, message)


def _binary_kind(name: str, data: Any) -> str:
    if len(data) == 0:
        raise _damaged(name, "the file is empty")
    for magic, at, what in _OTHER_FORMATS:
        if data[at : at + len(magic)] == magic:
            raise _damaged(name, f"this is {what}, not a graph")
    first: dict[int, wire.Field] = {}
    try:
        for field in wire.fields(data):
            first.setdefault(field.number, field)
            if field.number > 7:
                raise _damaged(name, f"at offset {field.start}: a field {field.number}, which no graph file has")
            if len(first) > 1 and (kind := _decide(data, first)) is not None:
                return kind
    except wire.WireError as e:
        if _decide(data, first) is None:
            raise _damaged(name, f"this is not a graph, or it is damaged {e}") from e
    kind = _decide(data, first)
    if kind is None and {f.kind for f in first.values()} == {wire.BYTES} and first.keys() == {1, 4}:
        kind = "graph"  # nodes and versions, though the first node is none: the parser will say where
    if kind is None:
        raise _damaged(name, "this is not a GraphDef, MetaGraphDef or SavedModel")
    return kind


_WIRE_TYPES = {
    "graph": {1: wire.BYTES, 2: wire.BYTES, 3: wire.VARINT, 4: wire.BYTES, 5: wire.BYTES},
    "meta_graph": dict.fromkeys(range(1, 8), wire.BYTES),
    "saved_model": {1: wire.VARINT, 2: wire.BYTES},
}


def _decide(data: Any, first: dict[int, wire.Field]) -> str | None:
    """The kind of file, from the first field of each number seen so far; None while it may be several, or none."""
    seen = {(number, field.kind) for number, field in first.items()}
    possible = {kind for kind, types in _WIRE_TYPES.items() if seen <= types.items()}
    if (1, wire.VARINT) not in seen:  # a SavedModel begins with the version of its schema
        possible.discard("saved_model")
    if len(possible) < 2:  # a number that only one kind has, or that has another type there
        return possible.pop() if possible and (1 in first or 2 in first) else None
    if 1 in first:
        return "graph" if _looks_like_node(data, first[1]) else "meta_graph" if 2 in first else None
    if 2 in first:  # a library of functions, or the graph of a MetaGraphDef without meta_info_def
        inner = next(iter(wire.fields(data, first[2].at, first[2].end)), None)
        if inner is not None and inner.number == 1 and inner.kind == wire.BYTES and _looks_like_node(data, inner):
            return "meta_graph"
    return "graph" if 4 in first else None


def _looks_like_node(data: Any, field: wire.Field) -> bool:
    """Whether a field is a NodeDef: a name and an op, as they are spelled."""
    found = {}
    try:
        for inner in wire.fields(data, field.at, field.end):
            if inner.kind != wire.BYTES or inner.number > 7:
                return False
            if inner.number in (1, 2):
                found[inner.number] = bytes(data[inner.at : min(inner.end, inner.at + 4096)])
            if len(found) == 2:
                break
    except wire.WireError:
        return False
    return (
        re.fullmatch(rb"[A-Za-z0-9_.>/\-]*", found.get(1, b"")) is not None
        and re.fullmatch(rb"[A-Za-z0-9_.>]+", found.get(2, b"")) is not None
    )


# reading -------------------------------------------------------------------------------------------------------------
def _at_path(data: Any, at: int, end: int, path: tuple[int, ...]) -> Iterator[wire.Field]:
    for field in wire.fields(data, at, end):
        if field.number == path[0] and field.kind == wire.BYTES:
            if len(path) == 1:
                yield field
            else:
                yield from _at_path(data, field.at, field.end, path[1:])


def _node(data: Any, field: wire.Field, limit: int | None) -> Any:
    if limit is not None and field.end - field.at > limit:
        raw = _without_values(data, field.at, field.end, _TENSOR_PATH, limit)
    else:
        raw = bytes(data[field.at : field.end])
    try:
        return proto.NodeDef.FromString(raw)
    except Exception as e:
        raise wire.WireError(field.start, f"a node cannot be parsed: {e}") from e


def _without_values(data: Any, at: int, end: int, path: tuple[int, ...], limit: int) -> bytes:
    """A node's bytes without large tensor values; down `path`, then all but dtype, shape and version of TensorProto."""
    out = bytearray()
    for field in wire.fields(data, at, end):
        if field.kind != wire.BYTES or field.end - field.at <= limit:
            out += data[field.start : field.end]
        elif path and field.number == path[0]:
            inner = _without_values(data, field.at, field.end, path[1:], limit)
            out += varint.encode(field.number << 3 | wire.BYTES) + varint.encode(len(inner)) + inner
        elif path:
            out += data[field.start : field.end]
    return bytes(out)


def _locate(data: Any, kind: str, why: str) -> str:
    """Where a file that does not parse is broken: the wire's fault, or the node that is no NodeDef."""
    try:
        for number, field in enumerate(_at_path(data, 0, len(data), _NODE_PATHS[kind])):
            try:
                proto.NodeDef.FromString(bytes(data[field.at : field.end]))
            except Exception as e:
                return f"node {number} at offset {field.start} cannot be parsed: {e}"
        for field in wire.fields(data):
            last = field
    except wire.WireError as e:
        return str(e)
    return f"{why} (in a field before offset {last.end})"


class _Mapped:
    """A file's bytes, mapped into memory while the body runs."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._map: mmap.mmap | None = None

    def __enter__(self) -> Any:
        with atomic.os_errors(self._path), open(self._path, "rb") as file:
            if os.fstat(file.fileno()).st_size == 0:
                return b""
            self._map = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        return self._map

    def __exit__(self, *_: Any) -> None:
        if self._map is not None:
            self._map.close()


def _resolve(path: Any) -> str:
    name = os.fspath(path)
    if os.path.isdir(name):
        for inside in ("saved_model.pb", "saved_model.pbtxt"):
            if os.path.isfile(os.path.join(name, inside)):
                return os.path.join(name, inside)
        why = "the directory has neither saved_model.pb nor saved_model.pbtxt"
        raise errors.NotFoundError(None, None, f"{name}: {why}")
    return str(name)


def _damaged(path: str, why: str) -> errors.OpError:
    return errors.DataLossError(None, None, f"Cannot read a graph from {path}: {why}")
