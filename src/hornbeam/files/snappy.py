"""Snappy's block format: V1 checkpoints may have compressed blocks, and a table may be written with them."""

from __future__ import annotations

from hornbeam.files import varint

# One three-byte copy makes at most 64 bytes, so no honest input declares more than this multiple of its size.
_MAX_RATIO = 64


def decompress(data: bytes) -> bytes:
    """The original bytes. Raises ValueError for malformed input, before allocating what it merely declares."""
    size, at = varint.decode(data, 0, min(len(data), 5))
    if size > _MAX_RATIO * len(data):
        raise ValueError(f"it declares {size} bytes, more than {len(data)} compressed bytes can hold")
    out = bytearray()
    end = len(data)
    while at < end:
        tag = data[at]
        at += 1
        kind = tag & 3
        if kind == 0:
            length = (tag >> 2) + 1
            if length > 60:
                width = length - 60
                length = int.from_bytes(data[at : at + width], "little") + 1
                at += width
            if at + length > end:
                raise ValueError("a literal reaches past the input")
            out += data[at : at + length]
            at += length
            continue
        if kind == 1:
            length, width = (tag >> 2 & 7) + 4, 1
            distance = (tag >> 5) << 8
        else:
            length, width = (tag >> 2) + 1, 2 if kind == 2 else 4
            distance = 0
        if at + width > end:
            raise ValueError("a copy is cut off")
        distance += int.from_bytes(data[at : at + width], "little")
        at += width
        start = len(out) - distance
        if distance == 0 or start < 0:
            raise ValueError("a copy starts before the output")
        if distance >= length:
            out += out[start : start + length]
        else:
            pattern = bytes(out[start:])
            out += (pattern * (length // distance + 1))[:length]
        if len(out) > size:
            break
    if len(out) != size:
        raise ValueError(f"it holds {len(out)} bytes where {size} were declared")
    return bytes(out)


def compress(data: bytes) -> bytes:
    """A valid compressed form, by greedy matching of four-byte groups within 64 KiB."""
    out = bytearray(varint.encode(len(data)))
    seen: dict[bytes, int] = {}
    literal = at = 0
    last = len(data) - 4
    while at <= last:
        group = data[at : at + 4]
        found = seen.get(group)
        seen[group] = at
        if found is None or at - found > 0xFFFF:
            at += 1
            continue
        length = 4
        while at + length < len(data) and length < 64 and data[found + length] == data[at + length]:
            length += 1
        _literal(out, data[literal:at])
        out.append((length - 1) << 2 | 2)
        out += (at - found).to_bytes(2, "little")
        at += length
        literal = at
    _literal(out, data[literal:])
    return bytes(out)


def _literal(out: bytearray, data: bytes) -> None:
    if not data:
        return
    count = len(data) - 1
    if count < 60:
        out.append(count << 2)
    else:
        width = (count.bit_length() + 7) // 8
        out.append((59 + width) << 2)
        out += count.to_bytes(width, "little")
    out += data
