"""String tensors inside a bundle: all lengths as varints, the masked CRC of the lengths, then the bytes of all."""

from __future__ import annotations

import struct
from typing import Any

import numpy as np

from hornbeam.files import varint
from hornbeam.files.crc import crc32c, mask


def encode(values: list[Any]) -> tuple[list[bytes], int]:
    """The pieces to write, and the (unmasked) checksum of the entry: over fixed-width lengths, their CRC, the bytes."""
    strings = [v.encode() if isinstance(v, str) else bytes(v) for v in values]
    lengths = [len(s) for s in strings]
    crc = crc32c(_fixed(lengths))
    check = struct.pack("<I", mask(crc))
    body = b"".join(strings)
    return [b"".join(map(varint.encode, lengths)), check, body], crc32c(body, crc32c(check, crc))


def decode(data: bytes, count: int) -> tuple[list[bytes], int]:
    """The strings and the checksum over them. Raises ValueError."""
    if count > len(data):  # each length takes a byte
        raise ValueError(f"{count} strings do not fit")
    lengths = []
    at = 0
    for _ in range(count):
        length, at = varint.decode(data, at, len(data))
        lengths.append(length)
    check, body = data[at : at + 4], at + 4
    if len(check) < 4 or body + sum(lengths) != len(data):
        raise ValueError("the lengths of its strings do not add up to its size")
    crc = crc32c(_fixed(lengths))
    if struct.unpack("<I", check)[0] != mask(crc):
        raise ValueError("the checksum of its strings' lengths does not match")
    values = []
    at = body
    for length in lengths:
        values.append(data[at : at + length])
        at += length
    return values, crc32c(data[body:], crc32c(check, crc))


def _fixed(lengths: list[int]) -> bytes:
    """Lengths in four bytes each (eight for those of 4 GiB and more), which is what is checksummed."""
    if all(n <= 0xFFFFFFFF for n in lengths):
        return np.asarray(lengths, "<u4").tobytes()
    return b"".join(struct.pack("<I" if n <= 0xFFFFFFFF else "<Q", n) for n in lengths)
