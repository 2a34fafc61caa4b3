"""Arrays and messages between the tests' process and the oracle's: both sides import this file, so it needs NumPy only."""

from __future__ import annotations

import pickle
import struct
from typing import Any, BinaryIO

import numpy as np


def pack(value: Any) -> Any:
    """Arrays as (tag, dtype name, shape, bytes): the two sides' NumPy versions need not understand each other's pickles."""
    if isinstance(value, (np.ndarray, np.generic)):
        array = np.asarray(value)
        if array.dtype.kind in "OSU":
            items = [v.encode() if isinstance(v, str) else bytes(v) for v in array.reshape(-1).tolist()]
            return ("__strings__", array.shape, items)
        return ("__array__", array.dtype.name, array.shape, np.ascontiguousarray(array).tobytes())
    if isinstance(value, dict):
        return {k: pack(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [pack(v) for v in value]
    return value


def unpack(value: Any) -> Any:
    if isinstance(value, (tuple, list)) and value and isinstance(value[0], str):
        if value[0] == "__array__":
            return np.frombuffer(value[3], np_dtype(value[1])).reshape(value[2]).copy()
        if value[0] == "__strings__":
            out = np.empty(len(value[2]), object)
            out[:] = value[2]
            return out.reshape(value[1])
    if isinstance(value, dict):
        return {k: unpack(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [unpack(v) for v in value]
    return value


def as_array(value: Any) -> np.ndarray[Any, Any]:
    """What `Session.run` returned as an array; a scalar string as an object array, which keeps trailing zero bytes."""
    if isinstance(value, (bytes, str)):
        out = np.empty((), object)
        out[()] = value
        return out
    return np.asarray(value)


def np_dtype(name: str) -> Any:
    try:
        return np.dtype(name)
    except TypeError:
        import ml_dtypes

        return np.dtype(getattr(ml_dtypes, name))


def send(stream: BinaryIO, message: Any) -> None:
    data = pickle.dumps(pack(message), protocol=4)
    stream.write(struct.pack("<Q", len(data)) + data)
    stream.flush()


def receive(stream: BinaryIO) -> Any:
    header = stream.read(8)
    if len(header) < 8:
        raise EOFError("the other side has gone")
    return unpack(pickle.loads(stream.read(struct.unpack("<Q", header)[0])))
