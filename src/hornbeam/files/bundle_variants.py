"""Variant tensors in a checkpoint's data file: of each element its length, a VariantTensorDataProto and the checksum so far.

The variants Hornbeam stores are positions of tf.data iterators.
"""

from __future__ import annotations

import struct
from typing import Any

from hornbeam import proto
from hornbeam.core import errors
from hornbeam.files import varint
from hornbeam.files.crc import crc32c, mask
from hornbeam.ops.dataset_state import TYPE_NAME, Position


def encode(name: str, values: list[Any]) -> tuple[list[bytes], int]:
    """The bytes of a tensor's elements, and their crc. UnimplementedError for values that are no saved positions."""
    chunks: list[bytes] = []
    crc = 0
    for v in values:
        if not isinstance(v, Position):
            raise errors.UnimplementedError(
                None, None, f"tensor {name} holds a variant ({type(v).__name__}) that a checkpoint cannot hold"
            )
        data = proto.VariantTensorDataProto(type_name=TYPE_NAME, metadata=v.data).SerializeToString()
        for chunk in (varint.encode(len(data)), data):
            crc = crc32c(chunk, crc)
            chunks.append(chunk)
        check = struct.pack("<I", mask(crc))
        crc = crc32c(check, crc)
        chunks.append(check)
    return chunks, crc


def decode(data: bytes, count: int) -> tuple[list[Any], int]:
    """`count` elements. ValueError when the bytes are not such elements or hold variants of another type."""
    values: list[Any] = []
    at = crc = 0
    for _ in range(count):
        length, start = varint.decode(data, at, len(data))
        end = start + length
        if end + 4 > len(data):
            raise ValueError("a variant is truncated")
        crc = crc32c(data[at:end], crc)
        if struct.unpack_from("<I", data, end)[0] != mask(crc):
            raise ValueError("the checksum of a variant does not match")
        crc = crc32c(data[end : end + 4], crc)
        message = proto.VariantTensorDataProto.FromString(data[start:end])
        if message.type_name != TYPE_NAME:
            raise ValueError(f"it is a variant of type {message.type_name!r}, not a position that Hornbeam saved")
        values.append(Position(message.metadata))
        at = end + 4
    return values, crc
