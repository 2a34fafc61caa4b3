"""Sparse tensors as (indices [N, rank], values [N], shape [rank]): to dense, products with dense ones, reorder, reshape, softmax, sums.

What keeps N runs on the device; what changes it (`sparse_sets.py`) runs on the host.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from hornbeam.core import dtypes
from hornbeam.core.graph import InferenceContext
from hornbeam.core.lazy import jnp
from hornbeam.core.registry import op, raw
from hornbeam.core.tensor_shape import Shape
from hornbeam.ops import shapes
from hornbeam.ops.array import bad, dense, rank_of, shape_of, size_of
from hornbeam.ops.gather import scatter, take
from hornbeam.ops.xp import ints, known, namespace, static, xp

REAL = "float, double, int32, uint8, int16, int8, int64, bfloat16, uint16, half, uint32, uint64"
NUMBER = (
    "float, double, int32, uint8, int16, int8, complex64, int64, qint8, quint8, qint32, bfloat16, qint16, quint16, uint16, complex128, "
    "half, uint32, uint64"
)


def linear(indices: Any, shape: Any) -> Any:
    """Row-major positions of `indices` in `shape`, which may be traced."""
    rank = indices.shape[1]
    total: Any = np.zeros(indices.shape[:1], np.int64)
    for d in range(rank):
        total = total * shape[d] + indices[:, d].astype(np.int64)
    return total


def check_inside(indices: Any, shape: Any) -> None:
    if known(indices) and known(shape) and indices.size:
        wrong = ((indices < 0) | (indices >= np.asarray(shape))).any(1)
        if wrong.any():
            i = int(np.argmax(wrong))
            raise bad(
                f"indices[{i}] = {indices[i].tolist()} is out of bounds: need 0 <= index < {list(map(int, shape))}"
            )


# --- to dense ---
def _as_matrix(indices: Any, rank: int) -> Any:
    """A scalar or a vector of indices means a 1-D tensor's."""
    if len(indices.shape) == 2:
        return indices
    return indices.reshape((-1, 1 if rank == 1 or len(indices.shape) == 1 else rank))


@op(
    "SparseToDense(sparse_indices: Tindices, output_shape: Tindices, sparse_values: T, default_value: T) -> (dense: T); "
    "validate_indices: bool = true; T: type; Tindices: {int32, int64}",
    shape=shapes.from_input(1),
)
def SparseToDense(sparse_indices, output_shape, sparse_values, default_value, validate_indices):
    dims = ints(output_shape)
    at = _as_matrix(sparse_indices, len(dims))
    if at.shape[1] != len(dims):
        raise bad(f"output_shape has incorrect number of elements: {len(dims)} should be: {at.shape[1]}")
    if sparse_values.shape not in ((), (at.shape[0],)):
        raise bad(f"sparse_values has incorrect shape {list(sparse_values.shape)}, should be [] or [{at.shape[0]}]")
    if validate_indices and known(at) and at.shape[0]:
        check_inside(at, dims)
        order = linear(at, dims)
        wrong = np.flatnonzero(order[1:] <= order[:-1])
        if wrong.size:
            i = int(wrong[0]) + 1
            what = "is repeated" if order[i] == order[i - 1] else "is out of order"
            raise bad(f"indices[{i}] = {at[i].tolist()} {what}. Many sparse ops require sorted indices.")
    base = xp.broadcast_to(default_value.reshape(()), dims)
    return scatter(base, at, xp.broadcast_to(sparse_values, (at.shape[0],)), "set")


@SparseToDense.gradient
def _(op, grad):
    grad = dense(grad)
    mine = raw.GatherNd(grad, op.inputs[0])
    rest = raw.Sub(_sum_all(grad), _sum_all(mine))
    return [None, None, mine, rest]


def _sum_all(x: Any) -> Any:
    return raw.Sum(x, raw.Range(0, rank_of(x), 1))


@op(
    "SparseTensorDenseAdd(a_indices: Tindices, a_values: T, a_shape: Tindices, b: T) -> (output: T); "
    f"T: {{{NUMBER}}}; Tindices: {{int32, int64}}",
    shape=shapes.like(3),
)
def SparseTensorDenseAdd(a_indices, a_values, a_shape, b):
    if known(a_shape) and tuple(a_shape.tolist()) != tuple(b.shape):
        raise bad(f"Dimensions of a ({a_shape.tolist()}) and of b ({list(b.shape)}) differ")
    return scatter(b, a_indices, a_values, "add")


@SparseTensorDenseAdd.gradient
def _(op, grad):
    return [None, raw.GatherNd(dense(grad), op.inputs[0]), None, grad]


# --- products ---
def _matmul_shape(c: InferenceContext) -> list[Shape]:
    a, b = c.partial(2), shapes.with_rank(c, 3, 2)
    assert b is not None
    a = a if a is not None else (None, None)
    if len(a) != 2:
        raise c.fail(f"Tensor 'a_shape' must have 2 elements, got {len(a)}")
    rows, inner = (a[1], a[0]) if c.attr("adjoint_a") else a
    b_inner, cols = (b[1], b[0]) if c.attr("adjoint_b") else b
    shapes.merge_dim(c, inner, b_inner)
    return [(rows, cols)]


@op(
    "SparseTensorDenseMatMul(a_indices: Tindices, a_values: T, a_shape: int64, b: T) -> (product: T); T: type; "
    "Tindices: {int32, int64} = int64; adjoint_a: bool = false; adjoint_b: bool = false",
    shape=_matmul_shape,
)
def SparseTensorDenseMatMul(a_indices, a_values, a_shape, b, adjoint_a, adjoint_b):
    rows_of, cols_of = (1, 0) if adjoint_a else (0, 1)
    m, k = int(static(a_shape)[rows_of]), int(static(a_shape)[cols_of])
    complex_ = np.issubdtype(a_values.dtype, np.complexfloating)
    if adjoint_b:
        b = xp.conj(b.T) if complex_ else b.T
    if b.shape[0] != k:
        raise bad(
            f"Cannot multiply A and B because inner dimension does not match: {k} vs. {b.shape[0]}.  Did you forget a transpose?"
        )
    check_inside(a_indices, [m, k] if not adjoint_a else [k, m])
    values = xp.conj(a_values) if adjoint_a and complex_ else a_values
    parts = take(b, a_indices[:, cols_of]) * values[:, None]
    return scatter(np.zeros((m, b.shape[1]), b.dtype), a_indices[:, rows_of].reshape((-1, 1)), parts, "add")


@SparseTensorDenseMatMul.gradient
def _(op, grad):
    indices, values, shape, b = op.inputs
    adj_a, adj_b = op._attrs["adjoint_a"], op._attrs["adjoint_b"]
    grad = dense(grad)
    b_grad = raw.SparseTensorDenseMatMul(indices, values, shape, grad, adjoint_a=not adj_a)
    turn = raw.ConjugateTranspose if values.dtype.is_complex else raw.Transpose
    if adj_b:
        b_grad = turn(b_grad, [1, 0])
    rows, cols = indices[:, 0], indices[:, 1]
    left = raw.GatherV2(grad, cols if adj_a else rows, 0)
    right = raw.GatherV2(turn(b, [1, 0]) if adj_b else b, rows if adj_a else cols, 0)
    if values.dtype.is_complex:
        left, right = (raw.Conj(left), right) if adj_a else (left, raw.Conj(right))
    return [None, raw.Sum(raw.Mul(left, right), [1]), None, b_grad]


# --- elementwise with a dense tensor ---
def _at_nonzeros(indices: Any, dense_: Any, rank: int) -> Any:
    """The values of a dense tensor, which broadcasts to the sparse one's shape, at the sparse indices."""
    lead = rank - len(dense_.shape)
    if lead < 0:
        raise bad("SparseDenseBinaryOpShared broadcasts dense to sparse only; got incompatible shapes")
    if not dense_.shape:
        return xp.broadcast_to(dense_, indices.shape[:1])
    keep = np.array([0 if d == 1 else 1 for d in dense_.shape], indices.dtype)
    flat: Any = np.zeros(indices.shape[:1], np.int64)
    for d, (size, k) in enumerate(zip(dense_.shape, keep, strict=True)):
        flat = flat * size + indices[:, lead + d] * k
    return take(dense_.reshape(-1), flat)


def _cwise(name: str, f: Any) -> Any:
    @op(
        f"{name}(sp_indices: int64, sp_values: T, sp_shape: int64, dense: T) -> (output: T); T: {{{NUMBER}}}",
        shape=lambda c: [c.shape(1) if c.shape(1) is not None else (None if not c.shape(0) else c.shape(0)[0],)],
    )
    def kernel(sp_indices, sp_values, sp_shape, dense):
        if known(sp_shape):
            lead = len(sp_shape) - len(dense.shape)
            if lead < 0 or any(d not in (1, int(s)) for d, s in zip(dense.shape, sp_shape[lead:], strict=True)):
                raise bad(
                    f"SparseDenseBinaryOpShared broadcasts dense to sparse only; got incompatible shapes: {sp_shape.tolist()} vs. "
                    f"{list(dense.shape)}"
                )
            check_inside(sp_indices, sp_shape)
        return f(sp_values, _at_nonzeros(sp_indices, dense, sp_shape.shape[0]))

    return kernel


def _divide(a: Any, b: Any) -> Any:
    if np.dtype(a.dtype).kind not in "iu":
        return xp.true_divide(a, b)
    if known(b) and (np.asarray(b) == 0).any():
        raise bad("Integer division by zero")
    q = xp.abs(a) // xp.maximum(xp.abs(b), 1)
    return xp.where((a < 0) != (b < 0), -q, q).astype(a.dtype)


SparseDenseCwiseMul = _cwise("SparseDenseCwiseMul", lambda a, b: a * b)
SparseDenseCwiseDiv = _cwise("SparseDenseCwiseDiv", _divide)
SparseDenseCwiseAdd = _cwise("SparseDenseCwiseAdd", lambda a, b: a + b)


def _cwise_gradient(multiply: bool) -> Any:
    def gradient(op: Any, grad: Any) -> list[Any]:
        indices, values, shape, y = op.inputs
        y_shape = raw.Cast(shape_of(y), DstT=dtypes.int64)
        added = raw.ExpandDims(raw.Sub(size_of(shape), size_of(y_shape)), 0)
        full = raw.ConcatV2([raw.Fill(added, np.array(1, np.int64)), y_shape], 0)
        where = raw.FloorDiv(indices, raw.FloorDiv(shape, full))
        where = raw.Slice(where, raw.ConcatV2([[0], added], 0), [-1, -1])
        at = raw.GatherNd(y, where)
        if multiply:
            dx, dy = raw.Mul(grad, at), raw.Mul(grad, values)
        else:
            dx = raw.RealDiv(grad, at)
            dy = raw.Mul(grad, raw.RealDiv(raw.Neg(values), raw.Square(at)))
        return [None, dx, None, raw.SparseTensorDenseAdd(where, dy, y_shape, raw.ZerosLike(y))]

    return gradient


SparseDenseCwiseMul.gradient(_cwise_gradient(True))
SparseDenseCwiseDiv.gradient(_cwise_gradient(False))


@SparseDenseCwiseAdd.gradient
def _(op, grad):
    raise NotImplementedError(f"Gradient for SparseDenseCwiseAdd is not implemented (node {op.name}).")


# --- order and shape ---
def _reorder_shape(c: InferenceContext) -> list[Shape]:
    i, v = c.shape(0), c.shape(1)
    return [(None, None) if i is None else i, (None,) if v is None else v]


@op(
    "SparseReorder(input_indices: int64, input_values: T, input_shape: int64) -> (output_indices: int64, output_values: T); T: type",
    shape=_reorder_shape,
)
def SparseReorder(input_indices, input_values, input_shape):
    if input_indices.shape[1] != input_shape.shape[0]:
        raise bad(f"Input rank is {input_indices.shape[1]}, the shape has {input_shape.shape[0]} elements")
    at = linear(input_indices, input_shape)
    order = np.argsort(at, kind="stable") if known(at) else jnp.argsort(at, stable=True)
    return input_indices[order], input_values[order]


@SparseReorder.gradient
def _(op, unused, grad):
    indices, _, shape = op.inputs
    n = raw.Cast(shape_of(indices), DstT=dtypes.int64)[0]
    numbers = raw.Range(np.array(0, np.int64), n, np.array(1, np.int64))
    _, order = raw.SparseReorder(indices, numbers, shape)
    return [None, raw.GatherV2(grad, raw.InvertPermutation(order), 0), None]


def _reshape_shape(c: InferenceContext) -> list[Shape]:
    i, new = c.shape(0), c.shape(2)
    rank = new[0] if new else None
    return [(i[0] if i else None, rank), (rank,)]


@op(
    "SparseReshape(input_indices: int64, input_shape: int64, new_shape: int64) -> (output_indices: int64, output_shape: int64)",
    shape=_reshape_shape,
)
def SparseReshape(input_indices, input_shape, new_shape):
    old = [input_shape[i] for i in range(input_shape.shape[0])]
    new = [new_shape[i] for i in range(new_shape.shape[0])]
    size: Any = np.int64(1)
    for d in old:
        size = size * d
    if known(input_shape) and known(new_shape):
        if new_shape.tolist().count(-1) > 1:
            raise bad("only one output dimension may be -1, not both")
        rest = int(np.prod([d for d in new_shape.tolist() if d != -1], dtype=np.int64))
        target = [int(size) // max(rest, 1) if d == -1 else d for d in new_shape.tolist()]
        if int(np.prod(target, dtype=np.int64)) != int(size):
            raise bad(
                f"Input to reshape is a tensor with {int(size)} dense values, but the requested shape has {int(np.prod(target))}"
            )
        new = [np.int64(d) for d in target]
    else:
        rest = np.int64(1)  # type: ignore[assignment]
        for d in new:
            rest = rest * xp.where(d == -1, 1, d)
        new = [xp.where(d == -1, size // rest, d) for d in new]
    flat = linear(input_indices, old)
    columns = []
    for d in reversed(new):
        columns.append(flat % xp.maximum(d, 1))
        flat = flat // xp.maximum(d, 1)
    n = input_indices.shape[0]
    out = xp.stack(columns[::-1], axis=1) if columns else np.zeros((n, 0), np.int64)
    return out.astype(np.int64), xp.stack([xp.asarray(d) for d in new], axis=0).astype(np.int64) if new else np.zeros(
        0, np.int64
    )


# --- reductions and softmax ---
def _reduced(shape: tuple[int, ...], axes: Any) -> set[int]:
    out = set()
    for a in ints(axes):
        if not -len(shape) <= a < len(shape):
            raise bad(f"Invalid reduction dimension {a}, for input with {len(shape)} dimensions.")
        out.add(a % len(shape))
    return out


def _reduce_shape(c: InferenceContext) -> list[Shape]:
    s, axes = c.partial(2), c.value(3)
    if s is None:
        return [None]
    if axes is None:
        return [(None,) * len(s) if c.attr("keep_dims") else None]
    gone = {int(a) % len(s) for a in axes.reshape(-1)}
    if c.attr("keep_dims"):
        return [tuple(1 if i in gone else d for i, d in enumerate(s))]
    return [tuple(d for i, d in enumerate(s) if i not in gone)]


_REDUCE = "(input_indices: int64, input_values: T, input_shape: int64, reduction_axes: int32) -> (output: T); keep_dims: bool = false; "


def _reduce(indices: Any, values: Any, shape: Any, axes: Any, keep: bool, how: str) -> Any:
    dims = ints(shape)
    check_inside(indices, dims)
    gone = _reduced(dims, axes)
    kept = [i for i in range(len(dims)) if i not in gone]
    out_dims = tuple(dims[i] for i in kept)
    total = int(np.prod(out_dims, dtype=np.int64))
    rows = linear(indices[:, np.array(kept, np.int64)], out_dims) if kept else np.zeros(indices.shape[:1], np.int64)
    if how == "add":
        out = scatter(np.zeros((total,), values.dtype), rows.reshape((-1, 1)), values, "add")
    else:
        low = -np.inf if np.dtype(values.dtype).kind not in "iub" else np.iinfo(values.dtype).min
        top = scatter(np.full((total,), low, values.dtype), rows.reshape((-1, 1)), values, "max")
        seen = scatter(np.zeros((total,), np.int32), rows.reshape((-1, 1)), np.ones(indices.shape[:1], np.int32), "max")
        out = xp.where(seen > 0, top, np.zeros((), values.dtype))
    return out.reshape(tuple(1 if i in gone else d for i, d in enumerate(dims)) if keep else out_dims)


@op(f"SparseReduceSum{_REDUCE}T: {{{NUMBER}}}", shape=_reduce_shape)
def SparseReduceSum(input_indices, input_values, input_shape, reduction_axes, keep_dims):
    return _reduce(input_indices, input_values, input_shape, reduction_axes, keep_dims, "add")


@op(f"SparseReduceMax{_REDUCE}T: {{{REAL}}}", shape=_reduce_shape)
def SparseReduceMax(input_indices, input_values, input_shape, reduction_axes, keep_dims):
    return _reduce(input_indices, input_values, input_shape, reduction_axes, keep_dims, "max")


@SparseReduceSum.gradient
def _(op, grad):
    indices, _, shape, axes = op.inputs
    rank = size_of(shape)
    at = raw.FloorMod(raw.AddV2(axes, rank), rank)
    ones = raw.Fill(shape_of(at), np.array(1, np.int64))
    kept = raw.DynamicStitch([raw.Range(0, rank, 1), at], [shape, ones])
    where = raw.FloorDiv(indices, raw.FloorDiv(shape, kept))
    return [None, raw.GatherNd(raw.Reshape(dense(grad), kept), where), None, None]


@op(
    "SparseSoftmax(sp_indices: int64, sp_values: T, sp_shape: int64) -> (output: T); T: {half, float, double}",
    shape=lambda c: [c.shape(1) if c.shape(1) is not None else (None,)],
)
def SparseSoftmax(sp_indices, sp_values, sp_shape):
    """Over the last dimension, among the elements that are there; their rows must be in order, as TensorFlow wants them."""
    n = sp_indices.shape[0]
    if n == 0:
        return sp_values
    lead = sp_indices[:, :-1]
    rows = xp.concatenate([np.zeros(1, np.int64), xp.cumsum((lead[1:] != lead[:-1]).any(axis=1)).astype(np.int64)])
    at = rows.reshape((-1, 1))
    wide = sp_values.astype(np.float32) if sp_values.dtype.itemsize < 4 else sp_values
    top = scatter(np.full((n,), -np.inf, wide.dtype), at, wide, "max")
    e = xp.exp(wide - top[rows])
    total = scatter(np.zeros((n,), wide.dtype), at, e, "add")
    return (e / total[rows]).astype(sp_values.dtype)


@SparseSoftmax.gradient
def _(op, grad):
    indices, _, shape = op.inputs
    out = op.outputs[0]
    total = raw.SparseReduceSum(indices, raw.Mul(out, grad), shape, [-1], keep_dims=True)
    return [None, raw.Mul(raw.SparseDenseCwiseAdd(indices, grad, shape, raw.Neg(total)), out), None]


# --- gradients that gather ---
@op(
    "SparseFillEmptyRowsGrad(reverse_index_map: int64, grad_values: T) -> (d_values: T, d_default_value: T); T: type",
    shape=lambda c: [c.shape(0) or (None,), ()],
)
def SparseFillEmptyRowsGrad(reverse_index_map, grad_values):
    d_values = take(grad_values, reverse_index_map)
    n = grad_values.shape[0]
    if namespace(reverse_index_map, grad_values) is np:
        own = np.zeros(n, bool)
        own[reverse_index_map] = True
    else:
        own = jnp.zeros((n,), bool).at[reverse_index_map].set(True)
    return d_values, xp.sum(xp.where(own, np.zeros((), grad_values.dtype), grad_values), dtype=grad_values.dtype)
