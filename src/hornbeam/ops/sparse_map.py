"""Sparse tensors parked in the session, so that queues can carry their handles: the SparseTensorsMap operations."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np

from hornbeam.core import dtypes, errors
from hornbeam.core.graph import InferenceContext
from hornbeam.core.registry import no_gradient, op
from hornbeam.core.state import variable_key
from hornbeam.core.tensor_shape import Shape
from hornbeam.ops import shapes

_SHARING = "container: string = ''; shared_name: string = ''"


class SparseMap:
    """Handle (a running number) to sparse tensor; what is taken out is gone."""

    def __init__(self) -> None:
        self.held: dict[int, tuple[Any, Any, Any]] = {}
        self._next = 0
        self._lock = threading.Lock()

    def add(self, indices: Any, values: Any, shape: Any) -> int:
        with self._lock:
            self._next += 1
            self.held[self._next - 1] = (np.array(indices), np.array(values), np.array(shape))
            return self._next - 1

    def take(self, handle: int) -> tuple[Any, Any, Any]:
        try:
            return self.held.pop(handle)
        except KeyError:
            raise errors.InvalidArgumentError(None, None, f"Unable to find SparseTensor: {handle} in map") from None


def _map(ctx: Any) -> SparseMap:
    a = ctx.op._attrs
    key = "sparse_map/" + variable_key(a["container"], a["shared_name"], ctx.node)
    return ctx.resource(key, SparseMap)  # type: ignore[no-any-return]


@op(
    f"AddSparseToTensorsMap(sparse_indices: int64, sparse_values: T, sparse_shape: int64) -> (sparse_handle: int64); T: type; {_SHARING}",
    shape=shapes.scalar, host=True, stateful=True,
)  # fmt: skip
def AddSparseToTensorsMap(sparse_indices, sparse_values, sparse_shape, ctx):
    return np.int64(_map(ctx).add(sparse_indices, sparse_values, sparse_shape))


@op(
    f"AddManySparseToTensorsMap(sparse_indices: int64, sparse_values: T, sparse_shape: int64) -> (sparse_handles: int64); T: type; {_SHARING}",
    shape=shapes.vector, host=True, stateful=True,
)  # fmt: skip
def AddManySparseToTensorsMap(sparse_indices, sparse_values, sparse_shape, ctx):
    if len(sparse_shape) < 2:
        raise ctx.fail(f"Rank of input SparseTensor should be > 1, but saw rank: {len(sparse_shape)}")
    held = _map(ctx)
    rows = sparse_indices[:, 0]
    handles = []
    for row in range(int(sparse_shape[0])):
        mine = rows == row
        handles.append(held.add(sparse_indices[mine, 1:], sparse_values[mine], sparse_shape[1:]))
    return np.asarray(handles, np.int64)


def _taken_shapes(c: InferenceContext) -> list[Shape]:
    return [(None, None), (None,), (None,)]


@op(
    "TakeManySparseFromTensorsMap(sparse_handles: int64) -> (sparse_indices: int64, sparse_values: dtype, sparse_shape: int64); "
    f"dtype: type; {_SHARING}",
    shape=_taken_shapes, host=True, stateful=True,
)  # fmt: skip
def TakeManySparseFromTensorsMap(sparse_handles, dtype, ctx):
    held = _map(ctx)
    parts = [held.take(int(h)) for h in sparse_handles]
    if not parts:
        raise ctx.fail("Must have at least 1 serialized SparseTensor, but input matrix has 0 rows")
    rank = len(parts[0][2])
    for i, (_, values, shape) in enumerate(parts):
        if len(shape) != rank:
            raise ctx.fail(
                f"Inconsistent rank across SparseTensors: rank prior to SparseTensor[{i}] was: {rank} but rank of SparseTensor[{i}] is: {len(shape)}"
            )
        if values.dtype != (object if dtype is dtypes.string else dtype.np):
            raise ctx.fail(
                f"Requested SparseTensor of type {dtype.name} but SparseTensor[{i}] has type {dtypes.as_dtype(values.dtype).name}"
            )
    indices = [
        np.concatenate([np.full((len(ix), 1), i, np.int64), ix.reshape(-1, rank)], 1)
        for i, (ix, _, _) in enumerate(parts)
    ]
    extent = np.max([shape for _, _, shape in parts], axis=0)
    values = np.concatenate([v for _, v, _ in parts])
    return np.concatenate(indices), values, np.concatenate([[len(parts)], extent]).astype(np.int64)


no_gradient("AddSparseToTensorsMap", "AddManySparseToTensorsMap", "TakeManySparseFromTensorsMap")
