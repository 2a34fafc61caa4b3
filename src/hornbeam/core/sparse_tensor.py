"""SparseTensor (three tensors: indices, values, dense_shape) and SparseTensorValue, its value in a run."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from hornbeam.core import dtypes
from hornbeam.core.constant import as_array, partial_value
from hornbeam.core.dtypes import DType
from hornbeam.core.graph import Graph, Operation, Tensor, convert_to_tensor, get_default_session, name_scope
from hornbeam.core.registry import raw
from hornbeam.core.tensor_shape import TensorShape, merge_or_raise, to_tuple


class SparseTensorValue(NamedTuple):
    """`indices` [N, rank] int64, `values` [N], `dense_shape` [rank] int64, as NumPy arrays."""

    indices: Any
    values: Any
    dense_shape: Any


class SparseTensor:
    """A tensor given by its non-zero `values` [N] at `indices` [N, rank] (int64) of a `dense_shape` [rank] (int64)."""

    def __init__(self, indices: Any, values: Any, dense_shape: Any) -> None:
        with name_scope(None, "SparseTensor", [indices, values, dense_shape]):
            self._indices = convert_to_tensor(indices, dtypes.int64, name="indices")
            self._values = convert_to_tensor(values, name="values")
            self._dense_shape = convert_to_tensor(dense_shape, dtypes.int64, name="dense_shape")
        i = merge_or_raise(self._indices._shape, (None, None), "SparseTensor indices")
        v = merge_or_raise(self._values._shape, (None,), "SparseTensor values")
        d = merge_or_raise(self._dense_shape._shape, (None,), "SparseTensor dense_shape")
        merge_or_raise((i[0],), (v[0],), "SparseTensor: rows of indices and values")  # type: ignore[index]
        merge_or_raise((i[1],), (d[0],), "SparseTensor: columns of indices and rank")  # type: ignore[index]
        self._static_shape: Any = None

    @classmethod
    def from_value(cls, value: Any) -> SparseTensor:
        if isinstance(value, cls):
            return value
        if not isinstance(value, SparseTensorValue):
            raise TypeError(f"Neither a SparseTensor nor SparseTensorValue: {value}.")
        return cls(value.indices, value.values, value.dense_shape)

    @property
    def indices(self) -> Tensor:
        return self._indices

    @property
    def values(self) -> Tensor:
        return self._values

    @property
    def dense_shape(self) -> Tensor:
        return self._dense_shape

    @property
    def dtype(self) -> DType:
        return self._values.dtype

    @property
    def op(self) -> Operation:
        return self._values.op

    @property
    def graph(self) -> Graph:
        return self._indices.graph

    @property
    def name(self) -> str:
        return self._values.name

    @property
    def shape(self) -> TensorShape:
        known = partial_value(self._dense_shape)
        return TensorShape(merge_or_raise(known, self._static_shape, f"SparseTensor {self.name!r}"))

    def get_shape(self) -> TensorShape:
        return self.shape

    def set_shape(self, shape: Any) -> None:
        """Narrows the static shape."""
        self._static_shape = merge_or_raise(to_tuple(self.shape), to_tuple(shape), f"SparseTensor {self.name!r}")

    def with_values(self, new_values: Any) -> SparseTensor:
        return SparseTensor(self._indices, new_values, self._dense_shape)

    def consumers(self) -> list[Operation]:
        return self._values.consumers()

    def eval(self, feed_dict: Any = None, session: Any = None) -> SparseTensorValue:
        session = session or get_default_session()
        if session is None:
            raise ValueError("Cannot evaluate tensor using `eval()`: No default session is registered.")
        return SparseTensorValue(*session.run([self._indices, self._values, self._dense_shape], feed_dict))

    def _override(self, other: Any, spec: Any, name: str) -> SparseTensor:
        with name_scope(None, name, [self._indices, self._values, self._dense_shape, other]) as scope:
            dense = convert_to_tensor(other, dtype=self.dtype.base_dtype, name="y")
            values = spec(self._indices, self._values, self._dense_shape, dense, name=scope)
            return SparseTensor(self._indices, values, self._dense_shape)

    def __mul__(self, other: Any) -> SparseTensor:
        """Elementwise product with a dense tensor that broadcasts to this shape."""
        return self._override(other, raw.SparseDenseCwiseMul, "mul")

    def __truediv__(self, other: Any) -> SparseTensor:
        return self._override(other, raw.SparseDenseCwiseDiv, "truediv")

    def __div__(self, other: Any) -> SparseTensor:
        return self._override(other, raw.SparseDenseCwiseDiv, "div")

    def __str__(self) -> str:
        return f"SparseTensor(indices={self._indices}, values={self._values}, dense_shape={self._dense_shape})"

    __repr__ = __str__


def is_sparse(x: Any) -> bool:
    return isinstance(x, (SparseTensor, SparseTensorValue))


def convert_to_tensor_or_sparse_tensor(value: Any, dtype: Any = None, name: str | None = None) -> Any:
    """A SparseTensor for sparse values, a Tensor for everything else."""
    dtype = None if dtype is None else dtypes.as_dtype(dtype)
    if isinstance(value, SparseTensorValue):
        value = SparseTensor.from_value(value)
    if isinstance(value, SparseTensor):
        if dtype is not None and not dtype.is_compatible_with(value.dtype):
            raise RuntimeError(f"Sparse dtype: requested = {dtype.name}, actual = {value.dtype.name}")
        return value
    return convert_to_tensor(value, dtype, name)


def sparse_value(indices: Any, values: Any, dense_shape: Any) -> SparseTensorValue:
    """A SparseTensorValue of arrays from any sequences, as feeds give them."""
    v = values if isinstance(values, np.ndarray) else as_array(values)
    return SparseTensorValue(np.asarray(indices, np.int64), v, np.asarray(dense_shape, np.int64))
