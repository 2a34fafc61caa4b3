"""Files and encoded bytes: ReadFile, WriteFile, MatchingFiles, DecodeRaw, DecodeCSV, DecodeCompressed, ParseTensor, SerializeTensor."""

from __future__ import annotations

import glob
import os
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from hornbeam.core import dtypes, errors
from hornbeam.core.graph import InferenceContext
from hornbeam.core.registry import no_gradient, op
from hornbeam.core.tensor_shape import Shape
from hornbeam.ops import shapes
from hornbeam.ops.array import bad
from hornbeam.ops.strings import elementwise, parse_number, scalar, vector


# --- files ---
def _path(name: Any) -> str:
    text = bytes(name[()]).decode(errors="surrogateescape")
    return text.removeprefix("file://")


def _io_error(e: OSError, path: str) -> errors.OpError:
    kinds = {
        FileNotFoundError: errors.NotFoundError,
        PermissionError: errors.PermissionDeniedError,
        IsADirectoryError: errors.FailedPreconditionError,
    }
    return kinds.get(type(e), errors.UnknownError)(None, None, f"{path}; {e.strerror or e}")


@op("ReadFile(filename: string) -> (contents: string)", shape=shapes.scalar)
def ReadFile(filename):
    path = _path(filename)
    try:
        return scalar(Path(path).read_bytes())
    except OSError as e:
        raise _io_error(e, path) from None


@op("WriteFile(filename: string, contents: string) -> ()", shape=lambda c: [], stateful=True)
def WriteFile(filename, contents):
    path = _path(filename)
    try:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).write_bytes(bytes(contents[()]))
    except OSError as e:
        raise _io_error(e, path) from None


@op("MatchingFiles(pattern: string) -> (filenames: string)", shape=shapes.vector)
def MatchingFiles(pattern):
    """Sorted names; `*`, `?` and `[...]` match inside one path component only, and never a leading dot unless it is written."""
    found: list[bytes] = []
    for p in pattern.reshape(-1):
        text = p.decode(errors="surrogateescape")
        names = glob.glob(text) if any(ch in text for ch in "*?[") else [text] * os.path.exists(text)
        found += sorted(os.fsencode(n) for n in names)
    return vector(found)


@op("ShardedFilename(basename: string, shard: int32, num_shards: int32) -> (filename: string)", shape=shapes.scalar)
def ShardedFilename(basename, shard, num_shards):
    return scalar(bytes(basename[()]) + b"-%05d-of-%05d" % (int(shard), int(num_shards)))


@op("ShardedFilespec(basename: string, num_shards: int32) -> (filename: string)", shape=shapes.scalar)
def ShardedFilespec(basename, num_shards):
    return scalar(bytes(basename[()]) + b"-?????-of-%05d" % int(num_shards))


# --- raw bytes ---
_RAW = "{half, float, double, int32, uint16, uint8, int16, int8, int64"


def _appended(c: InferenceContext) -> list[Shape]:
    s = c.shape(0)
    return [None if s is None else (*s, None)]


def _from_bytes(data: bytes, out_type: Any, little_endian: bool) -> Any:
    t = out_type.np
    if t == np.bool_ or t.itemsize == 1 or little_endian:
        return np.frombuffer(data, t)
    if t.kind == "V":  # bfloat16 has no byte order of its own
        return np.frombuffer(np.frombuffer(data, ">u2").astype("<u2").tobytes(), t)
    return np.frombuffer(data, t.newbyteorder(">")).astype(t)


@op(
    f"DecodeRaw(bytes: string) -> (output: out_type); out_type: {_RAW}, complex64, complex128, bool, bfloat16}}; little_endian: bool = true",
    shape=_appended,
)
def DecodeRaw(bytes, out_type, little_endian):
    rows = bytes.reshape(-1).tolist()
    size = len(rows[0]) if rows else 0
    for i, v in enumerate(rows):
        if len(v) != size:
            raise bad(
                f"DecodeRaw requires input strings to all be the same size, but element {i} has size {size} != {len(v)}"
            )
    width = out_type.np.itemsize
    if size % width:
        raise bad(
            f"Input to DecodeRaw has length {size} that is not a multiple of {width}, the size of {out_type.name}"
        )
    return _from_bytes(b"".join(rows), out_type, little_endian).reshape((*bytes.shape, size // width))


@op(
    f"DecodePaddedRaw(input_bytes: string, fixed_length: int32) -> (output: out_type); out_type: {_RAW}, bfloat16}}; "
    "little_endian: bool = true",
    shape=lambda c: _padded_shape(c),
)
def DecodePaddedRaw(input_bytes, fixed_length, out_type, little_endian):
    n, width = int(fixed_length), out_type.np.itemsize
    if n <= 0 or n % width:
        raise bad(f"fixed_length ({n}) must be greater than zero and a multiple of the size of out_type ({width})")
    data = b"".join(v[:n].ljust(n, b"\0") for v in input_bytes.reshape(-1))
    return _from_bytes(data, out_type, little_endian).reshape((*input_bytes.shape, n // width))


def _padded_shape(c: InferenceContext) -> list[Shape]:
    s, n = c.shape(0), c.value(1)
    return [None if s is None else (*s, None if n is None else int(n) // c.attr("out_type").np.itemsize)]


_WINDOW = {b"ZLIB": zlib.MAX_WBITS, b"GZIP": zlib.MAX_WBITS | 16}


@op("DecodeCompressed(bytes: string) -> (output: string); compression_type: string = ''", shape=shapes.unchanged)
def DecodeCompressed(bytes, compression_type):
    if compression_type not in (b"", *_WINDOW):
        raise bad(f"Only ZLIB, GZIP or NONE are supported compressions, got '{compression_type.decode()}'")
    if not compression_type:
        return bytes

    def inflate(v: Any) -> Any:
        try:
            return zlib.decompress(v, _WINDOW[compression_type])
        except zlib.error as e:
            raise errors.DataLossError(None, None, f"inflate() failed: {e}") from None

    return elementwise(inflate, bytes)


# --- tensors as bytes ---
def tensor_bytes(array: Any, dtype: Any) -> bytes:
    """A serialised TensorProto with the values as raw content (strings in their field), as TensorFlow's kernels write it."""
    from hornbeam.core.tensor_proto import make_tensor_proto
    from hornbeam.proto import TensorProto

    if dtype is dtypes.string:
        return make_tensor_proto(array, dtype).SerializeToString()  # type: ignore[no-any-return]
    proto = TensorProto(dtype=dtype.as_datatype_enum, tensor_content=np.ascontiguousarray(array).tobytes())
    for d in array.shape:
        proto.tensor_shape.dim.add(size=d)
    if not array.shape:
        proto.tensor_shape.SetInParent()
    return proto.SerializeToString()  # type: ignore[no-any-return]


@op("SerializeTensor(tensor: T) -> (serialized: string); T: type", shape=shapes.scalar)
def SerializeTensor(tensor, T):
    return scalar(tensor_bytes(tensor, T))


@op("ParseTensor(serialized: string) -> (output: out_type); out_type: type", shape=shapes.unknown)
def ParseTensor(serialized, out_type):
    from google.protobuf.message import DecodeError

    from hornbeam.core.tensor_proto import MakeNdarray
    from hornbeam.proto import TensorProto

    proto = TensorProto()
    try:
        proto.ParseFromString(bytes(serialized[()]))
    except DecodeError as e:
        raise bad(f"Could not parse `serialized` as TensorProto: {e}") from None
    if proto.dtype != out_type.as_datatype_enum:
        got = dtypes.as_dtype(proto.dtype).name if proto.dtype else "invalid"
        raise bad(f"Type mismatch between parsed tensor ({got}) and dtype ({out_type.name})")
    array = MakeNdarray(proto)
    return array if array.dtype == out_type.np else array.astype(out_type.np)


# --- CSV ---
def split_record(record: bytes, delimiter: bytes, quotes: bool) -> list[tuple[bytes, bool]]:
    """(field, whether it was quoted) of one record, by RFC 4180."""
    fields: list[tuple[bytes, bool]] = []
    n, at = len(record), 0
    if not n:
        return fields
    record = record.rstrip(b"\r\n") if not quotes else record
    n = len(record)
    while at <= n:
        if quotes and record[at : at + 1] == b'"':
            out, at = bytearray(), at + 1
            while True:
                end = record.find(b'"', at)
                if end < 0:
                    raise bad("Quoted field has to end with quote followed by delim or end")
                out += record[at:end]
                after = record[end + 1 : end + 2]
                if after == b'"':
                    out += b'"'
                    at = end + 2
                    continue
                if after not in (b"", delimiter):
                    raise bad("Quote inside a string has to be escaped by another quote")
                at = end + 1
                break
            fields.append((bytes(out), True))
        else:
            end = record.find(delimiter, at)
            end = n if end < 0 else end
            field = record[at:end]
            if quotes and any(b in field for b in (b'"', b"\n", b"\r")):
                raise bad("Unquoted fields cannot have quotes/CRLFs inside")
            fields.append((field, False))
            at = end
        if at >= n:
            break
        at += 1  # the delimiter; what follows, even nothing, is a field
    return fields


def _csv_shape(c: InferenceContext) -> list[Shape]:
    for i in range(1, c.n_inputs):
        s = c.shape(i)
        if s is not None and (len(s) > 1 or (len(s) == 1 and s[0] is not None and s[0] > 1)):
            raise c.fail("Shape of a default must be a length-0 or length-1 vector, or a scalar.")
    return [c.shape(0)] * c.n_outputs


@op(
    "DecodeCSV(records: string, record_defaults: OUT_TYPE) -> (output: OUT_TYPE); OUT_TYPE: list({float, double, int32, int64, string}) >= 1; "
    "field_delim: string = ','; use_quote_delim: bool = true; na_value: string = ''; select_cols: list(int) = []",
    shape=_csv_shape,
)
def DecodeCSV(records, record_defaults, OUT_TYPE, field_delim, use_quote_delim, na_value, select_cols):
    if len(field_delim) != 1:
        raise bad("field_delim should be only 1 char")
    n = len(OUT_TYPE)
    if select_cols and len(select_cols) != n:
        raise bad("select_cols should match output size")
    columns = [np.empty(records.size, t.np) for t in OUT_TYPE]
    for r, record in enumerate(records.reshape(-1)):
        fields = split_record(record, field_delim, use_quote_delim)
        if select_cols:
            if select_cols[-1] >= len(fields):
                raise bad(f"Expect {n} fields but have {sum(i < len(fields) for i in select_cols)} in record {r}")
            fields = [fields[i] for i in select_cols]
        if len(fields) != n:
            raise bad(f"Expect {n} fields but have {len(fields)} in record {r}")
        for f, ((field, _), t, column, default) in enumerate(
            zip(fields, OUT_TYPE, columns, record_defaults, strict=True)
        ):
            if not field or field == na_value:
                if default.size != 1:
                    raise bad(f"Field {f} is required but missing in record {r}!")
                column[r] = default.reshape(-1)[0]
            elif t is dtypes.string:
                column[r] = field
            else:
                try:
                    column[r] = parse_number(field, t)
                except (ValueError, UnicodeDecodeError):
                    what = {"float32": "float", "float64": "double"}.get(t.name, t.name)
                    raise bad(
                        f"Field {f} in record {r} is not a valid {what}: {field.decode(errors='replace')}"
                    ) from None
    return tuple(c.reshape(records.shape) for c in columns)


no_gradient("DecodeRaw", "DecodePaddedRaw", "ParseTensor", "SerializeTensor")
