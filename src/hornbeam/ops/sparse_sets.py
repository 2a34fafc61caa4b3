"""Sparse operations whose result has a size of its own: sums, slices, concatenations, empty rows, serialised tensors. Host kernels."""

from __future__ import annotations

from typing import Any

import numpy as np

from hornbeam.core import dtypes
from hornbeam.core.graph import InferenceContext
from hornbeam.core.registry import no_gradient, op, raw
from hornbeam.core.tensor_shape import Shape
from hornbeam.ops import shapes
from hornbeam.ops.array import bad
from hornbeam.ops.io import tensor_bytes as _to_bytes
from hornbeam.ops.sparse import NUMBER, REAL, _reduced, check_inside, linear
from hornbeam.ops.strings import vector


def _triple(c: InferenceContext) -> list[Shape]:
    rank = next((c.shape(i)[0] for i in (2, 5) if i < c.n_inputs and c.shape(i)), None)  # type: ignore[index]
    return [(None, rank), (None,), (rank,)][: c.n_outputs]  # type: ignore[return-value]


def _ordered(indices: Any, values: Any, shape: Any) -> tuple[Any, Any]:
    order = np.argsort(linear(indices, shape), kind="stable")
    return indices[order], values[order]


# --- union of two ---
def _same_shape(a_shape: Any, b_shape: Any) -> None:
    if a_shape.tolist() != b_shape.tolist():
        raise bad(f"Operands' shapes do not match: got {a_shape.tolist()} and {b_shape.tolist()}")


def _union(a: Any, b: Any, shape: Any) -> tuple[Any, Any, Any]:
    """Positions in either operand, sorted; and for each operand the row of each of its entries in them."""
    la, lb = linear(a, shape), linear(b, shape)
    rows = np.union1d(la, lb)
    return rows, np.searchsorted(rows, la), np.searchsorted(rows, lb)


def _unravel(flat: Any, shape: Any) -> Any:
    dims = [max(int(d), 1) for d in shape]
    return (
        np.stack(np.unravel_index(flat, dims), 1).astype(np.int64).reshape(-1, len(dims))
        if dims
        else np.zeros((flat.size, 0), np.int64)
    )


@op(
    "SparseAdd(a_indices: int64, a_values: T, a_shape: int64, b_indices: int64, b_values: T, b_shape: int64, thresh: Treal) -> "
    f"(sum_indices: int64, sum_values: T, sum_shape: int64); T: {{{NUMBER}}}; Treal: {{{REAL}}}",
    shape=_triple,
    host=True,
)
def SparseAdd(a_indices, a_values, a_shape, b_indices, b_values, b_shape, thresh):
    _same_shape(a_shape, b_shape)
    rows, at_a, at_b = _union(a_indices, b_indices, a_shape)
    total = np.zeros(rows.size, a_values.dtype)
    np.add.at(total, at_a, a_values)
    np.add.at(total, at_b, b_values)
    both = np.intersect1d(at_a, at_b)  # only true sums can fall below the threshold
    keep = np.ones(rows.size, bool)
    keep[both] = np.abs(total[both]) >= thresh
    return _unravel(rows[keep], a_shape), total[keep], a_shape


@SparseAdd.gradient
def _(op, _indices, grad, _shape):
    a, b = raw.SparseAddGrad(grad, op.inputs[0], op.inputs[3], op.outputs[0])
    a.set_shape(op.inputs[1]._shape)
    b.set_shape(op.inputs[4]._shape)
    return [None, a, None, None, b, None, None]


@op(
    "SparseAddGrad(backprop_val_grad: T, a_indices: int64, b_indices: int64, sum_indices: int64) -> (a_val_grad: T, b_val_grad: T); "
    f"T: {{{NUMBER}}}",
    shape=lambda c: [(c.shape(i)[0] if c.shape(i) else None,) for i in (1, 2)],
    host=True,
)
def SparseAddGrad(backprop_val_grad, a_indices, b_indices, sum_indices):
    return tuple(_match(i, sum_indices, backprop_val_grad) for i in (a_indices, b_indices))


def _match(indices: Any, among: Any, values: Any) -> Any:
    """The value at each index, zero where it is not among the known ones."""
    where = {tuple(row): k for k, row in enumerate(among.tolist())}
    found = np.array([where.get(tuple(row), -1) for row in indices.tolist()], np.int64)
    out = np.zeros(found.size, values.dtype)
    out[found >= 0] = values[found[found >= 0]]
    return out


def _extremum(name: str, f: Any, types: str) -> Any:
    @op(
        f"{name}(a_indices: int64, a_values: T, a_shape: int64, b_indices: int64, b_values: T, b_shape: int64) -> "
        f"(output_indices: int64, output_values: T); T: {{{types}}}",
        shape=_triple,
        host=True,
    )
    def kernel(a_indices, a_values, a_shape, b_indices, b_values, b_shape):
        _same_shape(a_shape, b_shape)
        rows, at_a, at_b = _union(a_indices, b_indices, a_shape)
        a, b = np.zeros(rows.size, a_values.dtype), np.zeros(rows.size, a_values.dtype)
        a[at_a], b[at_b] = a_values, b_values
        return _unravel(rows, a_shape), f(a, b)

    return kernel


SparseSparseMaximum = _extremum("SparseSparseMaximum", np.maximum, REAL)
SparseSparseMinimum = _extremum("SparseSparseMinimum", np.minimum, NUMBER)


# --- slice, concat, split ---
@op(
    "SparseSlice(indices: int64, values: T, shape: int64, start: int64, size: int64) -> (output_indices: int64, output_values: T, "
    "output_shape: int64); T: type",
    shape=lambda c: _triple(c),
    host=True,
)
def SparseSlice(indices, values, shape, start, size):
    end = np.minimum(start + size, shape)
    keep = ((indices >= start) & (indices < end)).all(1)
    return indices[keep] - start, values[keep], np.maximum(end - start, 0)


@SparseSlice.gradient
def _(op, _indices, grad, _shape):
    out = raw.SparseSliceGrad(grad, op.inputs[0], op.inputs[3], op.outputs[0])
    out.set_shape(op.inputs[1]._shape)
    return [None, out, None, None, None]


@op(
    "SparseSliceGrad(backprop_val_grad: T, input_indices: int64, input_start: int64, output_indices: int64) -> (val_grad: T); "
    f"T: {{{NUMBER}}}",
    shape=lambda c: [(c.shape(1)[0] if c.shape(1) else None,)],
    host=True,
)
def SparseSliceGrad(backprop_val_grad, input_indices, input_start, output_indices):
    return _match(input_indices, output_indices + input_start, backprop_val_grad)


def _concat_shape(c: InferenceContext) -> list[Shape]:
    n = c.n_inputs // 3
    rows: int | None = 0
    rank = None
    for i in range(n):
        s = c.shape(i)
        rows = None if rows is None or not s or s[0] is None else rows + s[0]
        rank = s[1] if s and s[1] is not None else rank
        dims = c.shape(2 * n + i)
        rank = dims[0] if rank is None and dims else rank
    return [(rows, rank), (rows,), (rank,)]


@op(
    "SparseConcat(indices: N * int64, values: N * T, shapes: N * int64) -> (output_indices: int64, output_values: T, "
    "output_shape: int64); concat_dim: int; N: int >= 2; T: type",
    shape=_concat_shape,
    host=True,
)
def SparseConcat(indices, values, shapes, concat_dim):
    rank = shapes[0].size
    if not -rank <= concat_dim < rank:
        raise bad(f"Concat dimension must be in range [{-rank}, {rank}), got {concat_dim}")
    d = concat_dim % rank
    out, moved, offset = shapes[0].copy(), [], 0
    for k, (i, s) in enumerate(zip(indices, shapes, strict=True)):
        if s.size != rank:
            raise bad(f"Ranks of all input tensors must match: expected {rank} but got {s.size} at position {k}")
        if any(j != d and s[j] != shapes[0][j] for j in range(rank)):
            j = next(j for j in range(rank) if j != d and s[j] != shapes[0][j])
            raise bad(
                f"Input shapes must match: expected {int(shapes[0][j])} for dimension {j} but got {int(s[j])} at position {k}"
            )
        part = i.copy()
        part[:, d] += offset
        moved.append(part)
        offset += int(s[d])
    out[d] = offset
    together, all_values = np.concatenate(moved), np.concatenate(values)
    return (*_ordered(together, all_values, out), out)


@op(
    "SparseSplit(split_dim: int64, indices: int64, values: T, shape: int64) -> (output_indices: num_split * int64, "
    "output_values: num_split * T, output_shape: num_split * int64); num_split: int >= 1; T: type",
    shape=lambda c: _split_shape(c),
    host=True,
)
def SparseSplit(split_dim, indices, values, shape, num_split):
    d, rank = int(split_dim.reshape(-1)[0]), shape.size
    if not -rank <= d < rank:
        raise bad(f"Input split_dim should be between 0 and rank ({rank}), got {d}")
    d %= rank
    n = int(shape[d])
    if not 1 <= num_split <= n:
        raise bad(f"Input num_split should be between 1 and the splitting dimension size ({n}), got {num_split}")
    small, extra = divmod(n, num_split)  # the first `extra` parts are one larger
    out: tuple[list[Any], list[Any], list[Any]] = ([], [], [])
    at = 0
    for k in range(num_split):
        width = small + (k < extra)
        keep = (indices[:, d] >= at) & (indices[:, d] < at + width)
        part = indices[keep].copy()
        part[:, d] -= at
        dims = shape.copy()
        dims[d] = width
        for column, v in zip(out, (part, values[keep], dims), strict=True):
            column.append(v)
        at += width
    return out


def _split_shape(c: InferenceContext) -> list[Shape]:
    n = c.n_outputs // 3
    s = c.shape(3)
    rank = s[0] if s else None
    return [(None, rank)] * n + [(None,)] * n + [(rank,)] * n


# --- rows ---
@op(
    "SparseFillEmptyRows(indices: int64, values: T, dense_shape: int64, default_value: T) -> (output_indices: int64, output_values: T, "
    "empty_row_indicator: bool, reverse_index_map: int64); T: type",
    shape=lambda c: _fill_shape(c),
    host=True,
)
def SparseFillEmptyRows(indices, values, dense_shape, default_value):
    n, rank = int(dense_shape[0]), dense_shape.size
    rows = indices[:, 0]
    if rows.size and (rows.min() < 0 or rows.max() >= n):
        i = int(np.argmax((rows < 0) | (rows >= n)))
        raise bad(f"indices({i}, 0) is invalid: {int(rows[i])} >= {n}")
    if n == 0 and rows.size:
        raise bad(f"Received SparseTensor with dense_shape[0] = 0 but indices.shape[0] = {rows.size}")
    empty = np.bincount(rows, minlength=n) == 0
    missing = np.flatnonzero(empty)
    new = np.zeros((missing.size, rank), np.int64)
    new[:, 0] = missing
    all_rows = np.concatenate([rows, missing])
    order = np.argsort(all_rows, kind="stable")
    fill = np.empty(missing.size, values.dtype)
    fill[:] = default_value.reshape(-1)[0]
    back = np.empty(order.size, np.int64)
    back[order] = np.arange(order.size)
    return np.concatenate([indices, new])[order], np.concatenate([values, fill])[order], empty, back[: rows.size]


def _fill_shape(c: InferenceContext) -> list[Shape]:
    i, dims = c.shape(0), c.partial(2)
    rank = len(dims) if dims is not None else i[1] if i else None
    return [(None, rank), (None,), (dims[0] if dims else None,), (i[0] if i else None,)]


@SparseFillEmptyRows.gradient
def _(op, _indices, grad, _empty, _map):
    d_values, d_default = raw.SparseFillEmptyRowsGrad(op.outputs[3], grad)
    return [None, d_values, None, d_default]


def _reduce_sparse(name: str, f: Any, types: str) -> Any:
    @op(
        f"{name}(input_indices: int64, input_values: T, input_shape: int64, reduction_axes: int32) -> (output_indices: int64, "
        f"output_values: T, output_shape: int64); keep_dims: bool = false; T: {{{types}}}",
        shape=lambda c: [(None, None), (None,), (None,)],
        host=True,
    )
    def kernel(input_indices, input_values, input_shape, reduction_axes, keep_dims):
        dims = tuple(int(d) for d in input_shape)
        check_inside(input_indices, dims)
        gone = _reduced(dims, reduction_axes)
        kept = [i for i in range(len(dims)) if i not in gone]
        out_dims = [dims[i] for i in kept]
        flat = linear(input_indices[:, kept], out_dims) if kept else np.zeros(len(input_indices), np.int64)
        rows, at = np.unique(flat, return_inverse=True)
        total = f(at.reshape(-1), input_values, rows.size)
        indices = _unravel(rows, out_dims)
        if keep_dims:
            wide = np.zeros((rows.size, len(dims)), np.int64)
            wide[:, kept] = indices
            return wide, total, np.array([1 if i in gone else d for i, d in enumerate(dims)], np.int64)
        return indices, total, np.array(out_dims, np.int64)

    return kernel


def _sums(at: Any, values: Any, n: int) -> Any:
    out = np.zeros(n, values.dtype)
    np.add.at(out, at, values)
    return out


def _tops(at: Any, values: Any, n: int) -> Any:
    out = np.zeros(n, values.dtype)
    out[at[::-1]] = values[::-1]  # any value of the group to start from
    np.maximum.at(out, at, values)
    return out


SparseReduceSumSparse = _reduce_sparse("SparseReduceSumSparse", _sums, NUMBER)
SparseReduceMaxSparse = _reduce_sparse("SparseReduceMaxSparse", _tops, REAL)


# --- serialised ---
def _from_bytes(data: bytes) -> Any:
    from google.protobuf.message import DecodeError

    from hornbeam.core.tensor_proto import MakeNdarray
    from hornbeam.proto import TensorProto

    proto = TensorProto()
    try:
        proto.ParseFromString(data)
    except DecodeError as e:
        raise bad(f"Could not parse serialized_sparse: {e}") from None
    return MakeNdarray(proto)


_SERIALIZE = "(sparse_indices: int64, sparse_values: T, sparse_shape: int64) -> (serialized_sparse: out_type); T: type; out_type: {string, variant} = string"


@op("SerializeSparse" + _SERIALIZE, shape=shapes.fixed((3,)), host=True)
def SerializeSparse(sparse_indices, sparse_values, sparse_shape, T):
    return vector(
        [_to_bytes(sparse_indices, dtypes.int64), _to_bytes(sparse_values, T), _to_bytes(sparse_shape, dtypes.int64)]
    )


@op("SerializeManySparse" + _SERIALIZE, shape=shapes.fixed((None, 3)), host=True)
def SerializeManySparse(sparse_indices, sparse_values, sparse_shape, T):
    """One serialised sparse tensor of rank - 1 for each row."""
    n = int(sparse_shape[0])
    out = np.empty((n, 3), object)
    dims = _to_bytes(sparse_shape[1:], dtypes.int64)
    for i in range(n):
        mine = sparse_indices[:, 0] == i
        out[i] = [_to_bytes(sparse_indices[mine, 1:], dtypes.int64), _to_bytes(sparse_values[mine], T), dims]
    return out


def _deserialize(serialized: Any, dtype: Any) -> tuple[Any, Any, Any]:
    if serialized.shape[-1:] != (3,):
        raise bad(f"Serialized sparse should have 3 as the last dimension, got {list(serialized.shape)}")
    lead = serialized.shape[:-1]
    indices, values, dims = [], [], None
    for at in np.ndindex(*lead):
        i, v, s = (_from_bytes(b) for b in serialized[at])
        if v.dtype != dtype.np:
            raise bad(f"Requested SparseTensor of type {dtype.name} but SparseTensor[{at}].values.dtype() == {v.dtype}")
        if dims is not None and s.size != dims.size:
            raise bad(f"Inconsistent shape across SparseTensors: rank {dims.size} and {s.size}")
        dims = s if dims is None else np.maximum(dims, s)
        where = np.broadcast_to(np.array(at, np.int64), (len(i), len(at)))
        indices.append(np.concatenate([where, i.reshape(len(i), s.size)], 1))
        values.append(v.reshape(-1))
    if dims is None:
        raise bad("Must have at least 1 serialized SparseTensor")
    return (
        np.concatenate(indices).astype(np.int64),
        np.concatenate(values),
        np.concatenate([np.array(lead, np.int64), dims]),
    )


@op(
    "DeserializeSparse(serialized_sparse: Tserialized) -> (sparse_indices: int64, sparse_values: dtype, sparse_shape: int64); dtype: type; "
    "Tserialized: {string, variant} = string",
    shape=shapes.fixed((None, None), (None,), (None,)),
    host=True,
)
def DeserializeSparse(serialized_sparse, dtype):
    return _deserialize(serialized_sparse, dtype)


@op(
    "DeserializeManySparse(serialized_sparse: string) -> (sparse_indices: int64, sparse_values: dtype, sparse_shape: int64); dtype: type",
    shape=shapes.fixed((None, None), (None,), (None,)),
)
def DeserializeManySparse(serialized_sparse, dtype):
    if serialized_sparse.ndim != 2:
        raise bad(f"Serialized sparse should be a matrix with 3 columns, got {list(serialized_sparse.shape)}")
    return _deserialize(serialized_sparse, dtype)


no_gradient("SparseAddGrad", "SparseConcat")
