"""Partitioners: functions of (shape, dtype) that say into how many slices a variable is cut along each dimension."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from hornbeam.api._variable_store import default_variable_store
from hornbeam.api.variable_scope import variable_scope
from hornbeam.core import dtypes
from hornbeam.core.tensor_shape import TensorShape


def _element_bytes(dtype: Any, bytes_per_string_element: int) -> int:
    dtype = dtypes.as_dtype(dtype)
    return bytes_per_string_element if dtype is dtypes.string else dtype.size


def _check(shape: Any, partitioner: str) -> None:
    if not isinstance(shape, TensorShape):
        raise ValueError(f"shape is not a TensorShape: {shape}")
    if not shape.is_fully_defined():
        raise ValueError(f"shape is not fully defined: {shape}: {partitioner} needs it to be")


def variable_axis_size_partitioner(
    max_shard_bytes: int, axis: int = 0, bytes_per_string_element: int = 16, max_shards: int | None = None
) -> Callable[..., list[int]]:
    """Cuts along `axis` so that no slice is larger than `max_shard_bytes` (one row at least), into `max_shards` at most."""
    if max_shard_bytes < 1 or bytes_per_string_element < 1:
        raise ValueError("Both max_shard_bytes and bytes_per_string_element must be positive.")
    if max_shards and max_shards < 1:
        raise ValueError("max_shards must be positive.")

    def _partitioner(shape: Any, dtype: Any) -> list[int]:
        _check(shape, "variable_axis_size_partitioner")
        sizes = shape.as_list()
        partitions = [1] * len(sizes)
        row_bytes = math.prod(d for i, d in enumerate(sizes) if i != axis % len(sizes)) * _element_bytes(
            dtype, bytes_per_string_element
        )
        rows = max(1, max_shard_bytes // row_bytes) if row_bytes else max(1, sizes[axis])
        shards = -(-sizes[axis] // rows)
        partitions[axis] = max(1, min(shards, max_shards) if max_shards else shards)
        return partitions

    return _partitioner


def min_max_variable_partitioner(
    max_partitions: int = 1, axis: int = 0, min_slice_size: int = 256 << 10, bytes_per_string_element: int = 16
) -> Callable[..., list[int]]:
    """Cuts along `axis` into as many slices of `min_slice_size` bytes as there are, `max_partitions` at most."""

    def _partitioner(shape: Any, dtype: Any) -> list[int]:
        if axis >= len(shape):
            raise ValueError(f"Cannot partition variable along axis {axis} when shape is only {shape}")
        size = _element_bytes(dtype, bytes_per_string_element)
        if shape.num_elements() is None or min_slice_size <= 0:
            raise ValueError(f"shape is not fully defined or min_slice_size is not positive: {shape}, {min_slice_size}")
        shards = -(-shape.num_elements() * size // min_slice_size)
        partitions = [1] * len(shape)
        partitions[axis] = max(1, min(int(shape[axis]), max_partitions, shards))
        return partitions

    return _partitioner


def fixed_size_partitioner(num_shards: int, axis: int = 0) -> Callable[..., list[int]]:
    """Cuts along `axis` into `num_shards` slices (fewer when there are fewer rows)."""

    def _partitioner(shape: Any, **_: Any) -> list[int]:
        partitions = [1] * len(shape)
        partitions[axis] = min(num_shards, int(shape[axis]))
        return partitions

    return _partitioner


def create_partitioned_variables(
    shape: Any,
    slicing: Any,
    initializer: Any,
    dtype: Any = dtypes.float32,
    trainable: bool = True,
    collections: Any = None,
    name: str | None = None,
    reuse: Any = None,
) -> list[Any]:
    """The slices of a variable of `shape` cut as `slicing` says, under a variable scope `name` ("PartitionedVariable")."""
    if len(shape) != len(slicing):
        raise ValueError(
            f"The 'shape' and 'slicing' of a partitioned Variable must have the length: shape: {shape}, slicing: {slicing}"
        )
    if len(shape) < 1:
        raise ValueError(f"A partitioned Variable must have rank at least 1: shape: {shape}")

    def partitioner(**_: Any) -> Any:
        return slicing

    with variable_scope(name, "PartitionedVariable", reuse=reuse) as scope:
        return list(
            scope._get_partitioned_variable(
                default_variable_store(),
                None,
                shape=shape,
                dtype=dtype,
                initializer=initializer,
                trainable=trainable,
                partitioner=partitioner,
                collections=collections,
            )  # fmt: skip
        )


__tf_exports__ = {
    "create_partitioned_variables": "create_partitioned_variables",
    "fixed_size_partitioner": "fixed_size_partitioner",
    "min_max_variable_partitioner": "min_max_variable_partitioner",
    "variable_axis_size_partitioner": "variable_axis_size_partitioner",
}
