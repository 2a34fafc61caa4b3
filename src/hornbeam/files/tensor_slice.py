"""Slices of partitioned tensors: TensorFlow's `shape_and_slice` strings, protos and keys in checkpoint tables."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from hornbeam.core import errors
from hornbeam.files import varint


@dataclass(frozen=True, slots=True)
class TensorSlice:
    """For each dimension (start, length); length None is the whole dimension."""

    extents: tuple[tuple[int, int | None], ...]

    @classmethod
    def full(cls, rank: int) -> TensorSlice:
        return cls(((0, None),) * rank)

    @classmethod
    def parse(cls, text: str) -> TensorSlice:
        """From `start,length:-:…`. Raises InvalidArgumentError."""
        extents: list[tuple[int, int | None]] = []
        for part in text.split(":") if text else []:
            if part == "-":
                extents.append((0, None))
                continue
            match = re.fullmatch(r"(-?\d+),(-?\d+)", part)
            if match is None:
                raise _invalid(f"Expected a pair of numbers or '-' but got '{part}': string = {text}")
            start, length = int(match[1]), int(match[2])
            if start < 0 or length <= 0:
                raise _invalid(
                    f"Expected non-negative start and positive length but got start = {start}, length = {length}: "
                    f"string = {text}"
                )
            extents.append((start, length))
        return cls(tuple(extents))

    @classmethod
    def from_proto(cls, proto: Any) -> TensorSlice:
        return cls(tuple((e.start, e.length if e.HasField("length") else None) for e in proto.extent))

    def to_proto(self, into: Any) -> None:
        """Fills a TensorSliceProto."""
        into.SetInParent()
        for start, length in self.extents:
            extent = into.extent.add()
            if length is not None:
                extent.start, extent.length = start, length

    def __str__(self) -> str:
        return ":".join("-" if n is None else f"{s},{n}" for s, n in self.extents)

    def bounds(self, shape: Sequence[int]) -> tuple[tuple[int, int], ...]:
        """(start, stop) in each dimension. Raises InternalError, as TensorFlow, when the slice does not fit `shape`."""
        if len(self.extents) != len(shape):
            raise errors.InternalError(None, None, f"Mismatching ranks: shape = {_shape(shape)}, slice = {self}")
        out = []
        for d, ((start, length), size) in enumerate(zip(self.extents, shape)):
            stop = size if length is None else start + length
            if stop > size or start < 0:
                raise errors.InternalError(
                    None, None, f"Extent in dimension {d} out of bounds: shape = {_shape(shape)}, slice = {self}"
                )
            out.append((start, stop))
        return tuple(out)

    def shape(self, full: Sequence[int]) -> tuple[int, ...]:
        return tuple(stop - start for start, stop in self.bounds(full))

    def is_full(self, shape: Sequence[int]) -> bool:
        return self.shape(shape) == tuple(shape)

    def key(self, name: str) -> bytes:
        """The key of this slice of tensor `name` in a checkpoint's table."""
        out = [varint.ordered_number(0), varint.ordered_string(name.encode()), varint.ordered_number(len(self.extents))]
        for start, length in self.extents:
            out += [varint.ordered_signed(start), varint.ordered_signed(-1 if length is None else length)]
        return b"".join(out)


def decode_key(key: bytes) -> tuple[str, TensorSlice]:
    """Inverse of `TensorSlice.key`. Raises ValueError."""
    zero, at = varint.read_ordered_number(key, 0)
    if zero != 0:
        raise ValueError("not the key of a slice")
    name, at = varint.read_ordered_string(key, at)
    rank, at = varint.read_ordered_number(key, at)
    extents: list[tuple[int, int | None]] = []
    for _ in range(min(rank, len(key))):
        start, at = varint.read_ordered_signed(key, at)
        length, at = varint.read_ordered_signed(key, at)
        extents.append((start, None if length == -1 else length))
    return name.decode("utf-8", "surrogateescape"), TensorSlice(tuple(extents))


def parse_shape_and_slice(spec: str) -> tuple[tuple[int, ...], TensorSlice]:
    """`"4 6 0,2:-"` as the full tensor's shape and the slice of it. Raises TensorFlow's errors for a bad spec."""
    if not spec:
        raise _invalid("Shape and slice specification is empty.")
    *dims, text = spec.split(" ")
    if not dims:
        raise _invalid(f"Need least two elements in shape_and_slice specification: {spec}")
    if not all(re.fullmatch(r"\d+", d) for d in dims):
        raise _invalid(f"Non numerical dimension in shape_and_slice: {spec}")
    shape = tuple(int(d) for d in dims)
    slice_ = TensorSlice.parse(text)
    slice_.bounds(shape)
    return shape, slice_


@dataclass(frozen=True, slots=True)
class Overlap:
    """Where the stored slice number `source` and a wanted slice meet: as a part of the stored, in the wanted one."""

    source: int
    part: tuple[slice, ...]
    target: tuple[slice, ...]
    whole: bool
    """The stored slice lies in the wanted one with all its elements."""


Box = tuple[tuple[int, int], ...]


def find_overlaps(wanted: Box, stored: Sequence[Box]) -> list[Overlap] | None:
    """The stored slices that meet the wanted one; None when together they do not cover it. All as (start, stop)."""
    found = []
    boxes = []
    for i, box in enumerate(stored):
        common = tuple((max(a, c), min(b, d)) for (a, b), (c, d) in zip(wanted, box))
        if all(a < b for a, b in common):
            part = tuple(slice(a - s, b - s) for (a, b), (s, _) in zip(common, box))
            target = tuple(slice(a - s, b - s) for (a, b), (s, _) in zip(common, wanted))
            found.append(Overlap(i, part, target, common == box))
            boxes.append(common)
    return found if _cover(wanted, boxes) else None


def _cover(wanted: Box, boxes: list[Box]) -> bool:
    """Whether the boxes, each inside the wanted one, leave no hole in it."""
    if any(a == b for a, b in wanted) or wanted in boxes:
        return True
    # On the grid that all edges make, every cell must lie in a box. Along one axis, the usual partition, that is a row.
    edges = [sorted({*w, *(e for box in boxes for e in box[d])}) for d, w in enumerate(wanted)]
    cells = [{e: i for i, e in enumerate(axis)} for axis in edges]
    count = math.prod(len(e) - 1 for e in edges)
    if count > len(boxes) * 4096:
        raise _invalid(f"its {len(boxes)} slices overlap in too many ways")
    grid = np.zeros([len(e) - 1 for e in edges], bool)
    for box in boxes:
        grid[tuple(slice(c[a], c[b]) for c, (a, b) in zip(cells, box))] = True
    return bool(grid.all())


def not_covered(name: str, wanted: TensorSlice) -> errors.OpError:
    return _invalid(f"Does not have sufficient slices for partitioned tensor {name} to restore in slice_spec: {wanted}")


def _shape(shape: Sequence[int]) -> str:
    return "[" + ",".join(str(d) for d in shape) + "]"


def _invalid(message: str) -> errors.OpError:
    return errors.InvalidArgumentError(None, None, message)
