"""Positions of iterators as bytes: nested lists of numbers, strings and arrays, tagged; nothing in them is executed when read."""

from __future__ import annotations

import struct
from typing import Any

import numpy as np

from hornbeam.core import errors

TYPE_NAME = "hornbeam::IteratorPosition"
_LENGTH = struct.Struct("<Q")


class Position:
    """A saved position, as the value of a variant tensor."""

    __slots__ = ("data",)
    variant_type = TYPE_NAME

    def __init__(self, data: bytes) -> None:
        self.data = data


def encode(value: Any) -> bytes:
    out: list[bytes] = []
    _write(value, out)
    return b"".join(out)


def decode(data: bytes) -> Any:
    """The value; DataLossError when the bytes are not one."""
    try:
        value, end = _read(memoryview(data), 0)
        if end != len(data):
            raise ValueError("there are bytes after its end")
    except (ValueError, IndexError, struct.error, TypeError, UnicodeDecodeError) as e:
        raise errors.DataLossError(None, None, f"A saved iterator position cannot be read: {e}") from e
    return value


def _sized(tag: bytes, data: bytes, out: list[bytes]) -> None:
    out += [tag, _LENGTH.pack(len(data)), data]


def _write(v: Any, out: list[bytes]) -> None:
    if v is None:
        out.append(b"n")
    elif isinstance(v, bool):
        out.append(b"t" if v else b"f")
    elif isinstance(v, int):
        _sized(b"i", str(v).encode(), out)
    elif isinstance(v, bytes):
        _sized(b"b", v, out)
    elif isinstance(v, str):
        _sized(b"s", v.encode(), out)
    elif isinstance(v, (list, tuple)):
        out += [b"l", _LENGTH.pack(len(v))]
        for x in v:
            _write(x, out)
    elif isinstance(v, (np.ndarray, np.generic)):
        array = np.asarray(v)
        if array.dtype == object:
            out.append(b"o")
            _write(list(array.shape), out)
            _write(array.reshape(-1).tolist(), out)
        else:
            out.append(b"a")
            _write([_dtype_name(array.dtype), list(array.shape), array.tobytes()], out)
    else:
        raise errors.UnimplementedError(
            None, None, f"The position of an iterator that holds a {type(v).__name__} cannot be saved."
        )


def _dtype_name(dtype: np.dtype[Any]) -> str:
    from hornbeam.core.dtypes import as_dtype

    return as_dtype(dtype).name


def _read(data: memoryview, at: int) -> tuple[Any, int]:
    tag = bytes(data[at : at + 1])
    at += 1
    if tag == b"n":
        return None, at
    if tag in (b"t", b"f"):
        return tag == b"t", at
    if tag == b"l":
        (n,) = _LENGTH.unpack_from(data, at)
        at += 8
        if n > len(data):
            raise ValueError("a list is longer than the data")
        items = []
        for _ in range(n):
            item, at = _read(data, at)
            items.append(item)
        return items, at
    if tag == b"o":
        shape, at = _read(data, at)
        flat, at = _read(data, at)
        array = np.empty(len(flat), object)
        array[:] = flat
        return array.reshape(shape), at
    if tag == b"a":
        from hornbeam.core.dtypes import as_dtype

        (name, shape, raw), at = _read(data, at)
        return np.frombuffer(raw, as_dtype(name).np).reshape(shape).copy(), at
    if tag not in (b"i", b"b", b"s"):
        raise ValueError(f"unknown tag {tag!r}")
    (n,) = _LENGTH.unpack_from(data, at)
    at += 8
    raw = bytes(data[at : at + n])
    if len(raw) < n:
        raise ValueError("it is truncated")
    return (int(raw) if tag == b"i" else raw.decode() if tag == b"s" else raw), at + n
