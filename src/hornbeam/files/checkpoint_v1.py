"""Checkpoint V1: tables whose values are SavedTensorSlices, one file or several that share the slices."""

from __future__ import annotations

import glob
import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from hornbeam import proto
from hornbeam.core import dtypes, errors
from hornbeam.core.dtypes import DType
from hornbeam.core.tensor_proto import field_values, fill_values
from hornbeam.files.atomic import AtomicFile
from hornbeam.files.bundle import no_such_checkpoint, stored_form
from hornbeam.files.table import TableBuilder, TableReader
from hornbeam.files.tensor_slice import TensorSlice, find_overlaps, not_covered


@dataclass(slots=True)
class V1Tensor:
    """A tensor of a V1 checkpoint: its full shape and which file has which slice of it."""

    dtype: DType
    shape: tuple[int, ...]
    slices: list[tuple[TensorSlice, int]]


class V1Reader:
    """Reads a V1 checkpoint given as a file, a glob pattern, or the prefix of `-?????-of-?????` shards.

    Raises NotFoundError when nothing matches, DataLossError naming file and tensor when something is damaged.
    """

    def __init__(self, pattern: str) -> None:
        self.pattern = os.fspath(pattern)
        paths = files_of(self.pattern)
        if not paths:
            raise no_such_checkpoint(self.pattern)
        self._tables: list[TableReader] = []
        self.tensors: dict[str, V1Tensor] = {}
        try:
            for path in paths:
                self._tables.append(TableReader(path))
                self._add_file(len(self._tables) - 1)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        for table in self._tables:
            table.close()

    def __enter__(self) -> V1Reader:
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()

    def keys(self) -> list[str]:
        return sorted(self.tensors)

    def __contains__(self, name: str) -> bool:
        return name in self.tensors

    def tensor(self, name: str) -> V1Tensor:
        """Raises NotFoundError."""
        if name not in self.tensors:
            raise errors.NotFoundError(None, None, f"Key {name} not found in checkpoint")
        return self.tensors[name]

    def read(self, name: str) -> np.ndarray:
        """The whole tensor. Raises InvalidArgumentError when slices of it are missing."""
        return self.read_slice(name, TensorSlice.full(len(self.tensor(name).shape)))

    def read_slice(self, name: str, wanted: TensorSlice) -> np.ndarray:
        tensor = self.tensor(name)
        bounds = wanted.bounds(tensor.shape)
        overlaps = find_overlaps(bounds, [s.bounds(tensor.shape) for s, _ in tensor.slices])
        if overlaps is None:
            raise not_covered(name, wanted)
        # Values first: what is declared without values must not be allocated.
        parts = [self._slice(name, tensor, *tensor.slices[o.source]) for o in overlaps]
        if len(parts) == 1:
            part: Any = (*overlaps[0].part, ...)
            return parts[0][part]
        target = np.empty([b - a for a, b in bounds], tensor.dtype.np)
        for overlap, values in zip(overlaps, parts):
            target[overlap.target] = values[overlap.part]
        return target

    def _add_file(self, number: int) -> None:
        table = self._tables[number]
        try:
            first = table.first()
            if first is None or first[0] != b"":
                raise ValueError("it has no description of its tensors")
            message = proto.SavedTensorSlices.FromString(first[1])
            if not message.HasField("meta"):
                raise ValueError("it has no description of its tensors (a V2 checkpoint is named without .index)")
            for described in message.meta.tensor:
                self._add_tensor(number, described)
        except errors.OpError:
            raise
        except Exception as e:
            raise errors.DataLossError(None, None, f"{table.path} is not a V1 checkpoint: {e}") from e

    def _add_tensor(self, number: int, described: Any) -> None:
        shape = tuple(d.size for d in described.shape.dim)
        if described.shape.unknown_rank or any(d < 0 for d in shape):
            raise ValueError(f"tensor {described.name} has no fully defined shape")
        dtype = dtypes.as_dtype(described.type)
        tensor = self.tensors.setdefault(described.name, V1Tensor(dtype, shape, []))
        if tensor.dtype is not dtype or tensor.shape != shape:
            raise ValueError(f"the slices of {described.name} differ in dtype or shape")
        for slice_proto in described.slice:
            slice_ = TensorSlice.from_proto(slice_proto)
            slice_.bounds(shape)
            tensor.slices.append((slice_, number))

    def _slice(self, name: str, tensor: V1Tensor, slice_: TensorSlice, number: int) -> np.ndarray:
        table = self._tables[number]
        shape = slice_.shape(tensor.shape)
        try:
            raw = table.get(slice_.key(name))
            if raw is None:
                raise ValueError("it is declared but absent")
            data = proto.SavedTensorSlices.FromString(raw).data.data
            values = field_values(data, tensor.dtype)
            if values.size != math.prod(shape):
                raise ValueError(f"it has {values.size} values for shape {list(shape)}")
            return values.reshape(shape)
        except errors.OpError:
            raise
        except Exception as e:
            raise errors.DataLossError(None, None, f"{table.path}: tensor {name} (slice {slice_}): {e}") from e


class V1Writer:
    """Writes a V1 checkpoint of one file (`Saver(write_version=SaverDef.V1)`); it appears, whole, at `finish`."""

    def __init__(self, path: str) -> None:
        self.path = os.fspath(path)
        self._described: dict[str, Any] = {}
        self._parts: dict[bytes, bytes] = {}

    def add(self, name: str, value: Any, dtype: Any = None) -> None:
        """Adds a tensor. Raises UnimplementedError for a dtype that V1 has no field for."""
        self.add_slice(name, np.shape(value), TensorSlice.full(np.ndim(value)), value, dtype)

    def add_slice(self, name: str, shape: Sequence[int], slice_: TensorSlice, value: Any, dtype: Any = None) -> None:
        """Adds one slice of the tensor `name`, whose full shape is `shape`."""
        array, kind = stored_form(name, value, dtype)
        if kind.name in _NOT_IN_V1:
            raise errors.UnimplementedError(
                None, None, f"Saving data type {kind.name} not yet supported (tensor {name})"
            )
        if array.shape != slice_.shape(shape):
            raise errors.InvalidArgumentError(
                None, None, f"slice {slice_} of {name}, {list(shape)}, does not have the shape {list(array.shape)}"
            )
        key = slice_.key(name)
        if key in self._parts:
            raise errors.InvalidArgumentError(None, None, f"Adding duplicate key: {name}")
        described = self._described.get(name)
        if described is None:
            described = self._described[name] = proto.SavedSliceMeta(name=name, type=kind.as_datatype_enum)
            described.shape.SetInParent()
            for d in shape:
                described.shape.dim.add(size=d)
        elif described.type != kind.as_datatype_enum or [d.size for d in described.shape.dim] != list(shape):
            raise errors.InvalidArgumentError(None, None, f"slices of {name} differ in dtype or in full shape")
        slice_.to_proto(described.slice.add())
        message = proto.SavedTensorSlices()
        message.data.name = name
        slice_.to_proto(message.data.slice)
        message.data.data.SetInParent()
        fill_values(message.data.data, array, kind)
        self._parts[key] = message.SerializeToString(deterministic=True)

    def finish(self) -> None:
        message = proto.SavedTensorSlices()
        message.meta.versions.producer = 1
        for name in sorted(self._described):
            message.meta.tensor.append(self._described[name])
        with AtomicFile(self.path) as file:
            table = TableBuilder(file.write)
            table.add(b"", message.SerializeToString(deterministic=True))
            for key in sorted(self._parts):
                table.add(key, self._parts[key])
            table.finish()

    def __enter__(self) -> V1Writer:
        return self

    def __exit__(self, kind: Any, *_: Any) -> None:
        if kind is None:
            self.finish()


_NOT_IN_V1 = {"bfloat16", "uint32", "uint64", "float8_e5m2", "float8_e4m3fn", "int4", "uint4"}


def files_of(pattern: str) -> list[str]:
    """The files of a V1 checkpoint given by file name, glob pattern or prefix."""
    if os.path.isfile(pattern):
        return [pattern]
    found = sorted(glob.glob(pattern)) or sorted(glob.glob(glob.escape(pattern) + "-[0-9]*-of-[0-9]*"))
    return [p for p in found if os.path.isfile(p)]
