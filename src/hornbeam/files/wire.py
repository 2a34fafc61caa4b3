"""Protobuf's wire format field by field: for files too large to parse whole, and to say where a broken one breaks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from hornbeam.files import varint

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5


class WireError(ValueError):
    """Bytes that are no protobuf message; `offset` says where."""

    def __init__(self, offset: int, why: str) -> None:
        super().__init__(f"at offset {offset}: {why}")
        self.offset = offset


@dataclass(frozen=True, slots=True)
class Field:
    """One field: its number, wire type, where the whole of it starts, and where its payload (or value) lies."""

    number: int
    kind: int
    start: int
    at: int
    end: int


def fields(data: Any, at: int = 0, end: int | None = None) -> Iterator[Field]:
    """The fields of the message that lies in data[at:end]. Raises WireError."""
    end = len(data) if end is None else end
    while at < end:
        start = at
        try:
            tag, at = varint.decode(data, at, end)
        except ValueError:
            raise WireError(start, "a field's tag is cut off") from None
        number, kind = tag >> 3, tag & 7
        if number == 0 or number > 0x1FFFFFFF:
            raise WireError(start, f"there is no field number {number}")
        payload = at
        if kind == BYTES:
            try:
                length, payload = varint.decode(data, at, end)
            except ValueError:
                raise WireError(start, f"the length of field {number} is cut off") from None
            if length > end - payload:
                raise WireError(start, f"field {number} declares {length} bytes where {end - payload} are left")
            at = payload + length
        elif kind == VARINT:
            try:
                _, at = varint.decode(data, at, end)
            except ValueError:
                raise WireError(start, f"the value of field {number} is cut off") from None
        elif kind in (FIXED32, FIXED64):
            at += 4 if kind == FIXED32 else 8
            if at > end:
                raise WireError(start, f"the value of field {number} is cut off")
        else:
            raise WireError(start, f"field {number} has the wire type {kind}, which no file of today has")
        yield Field(number, kind, start, payload, at)
