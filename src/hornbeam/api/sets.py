"""`tf.sets` and `tf.sparse.cross`: sets in the last dimension, and crosses of feature columns."""

from __future__ import annotations

from typing import Any

from hornbeam.core import dtypes
from hornbeam.core.graph import Tensor
from hornbeam.core.registry import raw
from hornbeam.core.sparse_tensor import SparseTensor, convert_to_tensor_or_sparse_tensor

_DEFAULT_HASH_KEY = 0xDECAFCAFFE


# --- crosses ---
def sparse_cross(inputs: Any, name: str | None = None, separator: str | None = None) -> SparseTensor:
    """All combinations of the columns' features in each row, joined by `separator` (`_X_`)."""
    parts = _columns(inputs)
    return SparseTensor(*raw.SparseCrossV2(*parts, "_X_" if separator is None else separator, name=name))


def sparse_cross_hashed(
    inputs: Any, num_buckets: int = 0, hash_key: int | None = None, name: str | None = None
) -> SparseTensor:
    """The combinations as hashes, in `num_buckets` buckets if that is not 0."""
    indices, values, shapes, dense = _columns(inputs)
    integers = any(t.dtype.base_dtype is dtypes.int64 for t in (*values, *dense))
    out = raw.SparseCross(
        indices, values, shapes, dense, hashed_output=True, num_buckets=num_buckets, out_type=dtypes.int64,
        hash_key=_DEFAULT_HASH_KEY if hash_key is None else hash_key,
        internal_type=dtypes.int64 if integers else dtypes.string, name=name,
    )  # fmt: skip
    return SparseTensor(*out)


def _columns(inputs: Any) -> tuple[list[Tensor], list[Tensor], list[Tensor], list[Tensor]]:
    if not isinstance(inputs, (list, tuple)):
        raise TypeError("Inputs must be a list")
    if not all(isinstance(i, (Tensor, SparseTensor)) for i in inputs):
        raise TypeError("All inputs must be Tensor or SparseTensor.")
    columns = list(inputs)
    sparse = [c for c in columns if isinstance(c, SparseTensor)]
    dense = [c for c in columns if not isinstance(c, SparseTensor)]
    wide = lambda t: t if t.dtype.base_dtype in (dtypes.string, dtypes.int64) else raw.Cast(t, DstT=dtypes.int64)
    return (
        [s.indices for s in sparse],
        [wide(s.values) for s in sparse],
        [s.dense_shape for s in sparse],
        [wide(d) for d in dense],
    )


# --- sets ---
def set_size(a: Any, validate_indices: bool = True) -> Tensor:
    """How many different elements each set has."""
    a = convert_to_tensor_or_sparse_tensor(a, name="a")
    if not isinstance(a, SparseTensor):
        raise TypeError(f"Expected `SparseTensor`, got {a}.")
    if a.values.dtype.is_floating:
        raise TypeError(f"Invalid dtype `{a.values.dtype}` not in supported dtypes: integers and strings")
    return raw.SetSize(a.indices, a.values, a.dense_shape, validate_indices=validate_indices)


def _operation(a: Any, b: Any, operation: str, validate_indices: bool) -> SparseTensor:
    a, b = convert_to_tensor_or_sparse_tensor(a, name="a"), convert_to_tensor_or_sparse_tensor(b, name="b")
    if a.dtype.base_dtype is not b.dtype.base_dtype:
        raise TypeError(f"Types don't match, {a.dtype} vs {b.dtype}.")
    attrs = {"set_operation": operation, "validate_indices": validate_indices}
    if isinstance(a, SparseTensor) and not isinstance(b, SparseTensor):
        a, b = b, a  # the op takes the dense one first
        attrs["set_operation"] = {"a-b": "b-a", "b-a": "a-b"}.get(operation, operation)
    if isinstance(a, SparseTensor):
        out = raw.SparseToSparseSetOperation(
            a.indices, a.values, a.dense_shape, b.indices, b.values, b.dense_shape, **attrs
        )
    elif isinstance(b, SparseTensor):
        out = raw.DenseToSparseSetOperation(a, b.indices, b.values, b.dense_shape, **attrs)
    else:
        out = raw.DenseToDenseSetOperation(a, b, **attrs)
    return SparseTensor(*out)


def set_intersection(a: Any, b: Any, validate_indices: bool = True) -> SparseTensor:
    return _operation(a, b, "intersection", validate_indices)


def set_union(a: Any, b: Any, validate_indices: bool = True) -> SparseTensor:
    return _operation(a, b, "union", validate_indices)


def set_difference(a: Any, b: Any, aminusb: bool = True, validate_indices: bool = True) -> SparseTensor:
    """Elements of `a` that are not in `b` (or the other way round)."""
    return _operation(a, b, "a-b" if aminusb else "b-a", validate_indices)


__tf_exports__ = {
    "sparse.cross": "sparse_cross", "sparse.cross_hashed": "sparse_cross_hashed",
    **{f"sets.{prefix}{n}": f"set_{n}" for prefix in ("", "set_") for n in ("size", "intersection", "union", "difference")},
}  # fmt: skip
