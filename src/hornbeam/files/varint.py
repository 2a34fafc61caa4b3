"""Base-128 varints, and OrderedCode: byte strings whose order is the order of the values they encode."""

from __future__ import annotations

from typing import Any


def encode(value: int) -> bytes:
    """A non-negative integer as a varint."""
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def decode(data: Any, at: int, end: int) -> tuple[int, int]:
    """The varint at `at` and where it ends. Raises ValueError when it runs over `end` or has more than ten bytes."""
    value = shift = 0
    while at < end and shift < 70:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
    raise ValueError("a length is cut off or too long")


def ordered_number(value: int) -> bytes:
    """A non-negative integer: its length in bytes, then itself big-endian without leading zeros."""
    payload = value.to_bytes((value.bit_length() + 7) // 8, "big")
    return bytes([len(payload)]) + payload


def ordered_string(value: bytes) -> bytes:
    """A byte string, its 00 and FF escaped, closed by 00 01."""
    escaped = bytearray()
    for byte in value:
        escaped.append(byte)
        if byte in (0, 0xFF):
            escaped.append(byte ^ 0xFF)
    return bytes(escaped) + b"\x00\x01"


def ordered_signed(value: int) -> bytes:
    """A signed 64-bit integer in 1 to 10 bytes; the leading ones of the header say how many."""
    bits = (~value if value < 0 else value).bit_length()
    length = bits // 7 + 1
    # The header is `length` ones on top of the sign-extended value, in length * 8 bits.
    header = ((1 << length) - 1) << (length * 8 - length)
    return ((value & ((1 << length * 8) - 1)) ^ header).to_bytes(length, "big")


def read_ordered_number(data: bytes, at: int) -> tuple[int, int]:
    """Inverse of `ordered_number`: the value and where it ends. Raises ValueError."""
    if at >= len(data) or data[at] > 8 or at + 1 + data[at] > len(data):
        raise ValueError("an encoded number is cut off")
    end = at + 1 + data[at]
    return int.from_bytes(data[at + 1 : end], "big"), end


def read_ordered_string(data: bytes, at: int) -> tuple[bytes, int]:
    """Inverse of `ordered_string`. Raises ValueError."""
    out = bytearray()
    while at < len(data):
        pair = data[at : at + 2]
        if pair == b"\x00\x01":
            return bytes(out), at + 2
        if pair == b"\x00\xff":
            out.append(0)
            at += 2
        elif pair == b"\xff\x00":
            out.append(0xFF)
            at += 2
        elif pair[0] in (0, 0xFF):
            break
        else:
            out.append(pair[0])
            at += 1
    raise ValueError("an encoded string is cut off")


def read_ordered_signed(data: bytes, at: int) -> tuple[int, int]:
    """Inverse of `ordered_signed`. Raises ValueError."""
    if at >= len(data):
        raise ValueError("an encoded number is cut off")
    # A negative value has its header inverted: its leading zeros count.
    negative = data[at] < 0x80
    head = int.from_bytes(data[at : at + 2].ljust(2, b"\0"), "big") ^ (0xFFFF if negative else 0)
    length = 16 - (head ^ 0xFFFF).bit_length()
    if not 1 <= length <= 10 or at + length > len(data):
        raise ValueError("an encoded number is cut off")
    header = ((1 << length) - 1) << (length * 8 - length)
    value = int.from_bytes(data[at : at + length], "big") ^ header
    return value - (1 << length * 8) if negative else value, at + length
