"""Reading and writing rows by index: gather, gather_nd, scatter_nd, tensor_scatter_*, dynamic partition and stitch."""

from __future__ import annotations

from typing import Any

import numpy as np

from hornbeam.core import dtypes
from hornbeam.core.constant import constant_value
from hornbeam.core.graph import IndexedSlices, InferenceContext, shape_text
from hornbeam.core.lazy import jnp, lax
from hornbeam.core.registry import op, raw
from hornbeam.core.tensor_shape import Shape, merge
from hornbeam.ops import shapes
from hornbeam.ops.array import as_array, bad, dense, is_string, shape_of, size_of
from hornbeam.ops.xp import ints, known, namespace, static, xp

_IDX = "{int16, int32, int64}"


def _check_indices(indices: Any, limit: int) -> None:
    """Known indices out of range are an error, as on TensorFlow's CPU."""
    if known(indices) and indices.size:
        wrong = (indices < 0) | (indices >= limit)
        if wrong.any():
            at = np.argwhere(wrong)[0]
            where = ",".join(str(int(i)) for i in at)
            raise bad(f"indices[{where}] = {int(indices[tuple(at)])} is not in [0, {limit})")


def take(params: Any, indices: Any, axis: int = 0, batch_dims: int = 0) -> Any:
    """`tf.gather`; traced indices out of range give zeros, as on TensorFlow's GPU."""
    n = params.shape[axis]
    _check_indices(indices, n)
    if namespace(params, indices) is np:
        if batch_dims == 0:
            return as_array(np.take(params, indices, axis=axis))
        lead = indices.shape[:batch_dims]
        middle = params.shape[batch_dims:axis]
        out = np.empty((*lead, *middle, *indices.shape[batch_dims:], *params.shape[axis + 1 :]), params.dtype)
        for b in np.ndindex(*lead):
            out[b] = np.take(params[b], indices[b], axis=axis - batch_dims)
        return out
    params, indices = jnp.asarray(params), jnp.asarray(indices)
    rest = indices.ndim - batch_dims
    rank_out = params.ndim - 1 + rest
    offset = tuple(i for i in range(batch_dims, rank_out) if not axis <= i < axis + rest)
    numbers = lax.GatherDimensionNumbers(
        offset_dims=offset,
        collapsed_slice_dims=(axis,),
        start_index_map=(axis,),
        operand_batching_dims=tuple(range(batch_dims)),
        start_indices_batching_dims=tuple(range(batch_dims)),
    )
    sizes = tuple(1 if i == axis or i < batch_dims else d for i, d in enumerate(params.shape))
    if n == 0:
        return jnp.zeros((*params.shape[:axis], *indices.shape[batch_dims:], *params.shape[axis + 1 :]), params.dtype)
    return lax.gather(params, indices[..., None], numbers, sizes, mode="fill", fill_value=0)


def _gather_shape(c: InferenceContext, axis: int | None, batch_dims: int) -> list[Shape]:
    p, i = c.shape(0), c.shape(1)
    if p is not None and len(p) == 0:
        raise c.fail("Shape must be at least rank 1 but is rank 0")
    if i is None:
        return [None]
    if batch_dims < 0:
        batch_dims += len(i)
    if axis is None:
        return [None if p is None else (None,) * (len(p) - 1 + len(i) - batch_dims)]
    if p is None:
        return [None]
    if not -len(p) <= axis < len(p):
        raise c.fail(f"Shape must be at least rank {axis + 1 if axis >= 0 else -axis} but is rank {len(p)}")
    axis %= len(p)
    lead = merge(p[:batch_dims], i[:batch_dims])
    if not isinstance(lead, tuple):
        raise c.fail(f"batch dimensions {shape_text(p[:batch_dims])} and {shape_text(i[:batch_dims])} differ")
    return [(*lead, *p[batch_dims:axis], *i[batch_dims:], *p[axis + 1 :])]


def _gather_v2_shape(c: InferenceContext) -> list[Shape]:
    axis = c.value(2)
    return _gather_shape(c, None if axis is None else int(axis), c.attr("batch_dims"))


@op(
    "Gather(params: Tparams, indices: Tindices) -> (output: Tparams); validate_indices: bool = true; Tparams: type; "
    "Tindices: {int32, int64}",
    shape=lambda c: _gather_shape(c, 0, 0),
    numpy=True,
)
def Gather(params, indices):
    return take(params, indices)


@op(
    "GatherV2(params: Tparams, indices: Tindices, axis: Taxis) -> (output: Tparams); batch_dims: int = 0; Tparams: type; "
    f"Tindices: {_IDX}; Taxis: {{int32, int64}}",
    shape=_gather_v2_shape,
    numpy=True,
)
def GatherV2(params, indices, axis, batch_dims):
    rank, a = len(params.shape), int(static(axis).reshape(()))
    if not -rank <= a < rank:
        raise bad(f"Expected axis in the range [{-rank}, {rank}), but got {a}")
    b = batch_dims + len(indices.shape) if batch_dims < 0 else batch_dims
    a %= rank
    if not 0 <= b <= min(a, len(indices.shape)):
        raise bad(f"batch_dims ({batch_dims}) must be less than or equal to axis ({a}) and to the rank of indices")
    return take(params, indices, a, b)


def _rows_gradient(params: Any, indices: Any, grad: Any) -> IndexedSlices:
    shape = raw.Cast(shape_of(params, dtypes.int64), DstT=dtypes.int32)
    count = raw.ExpandDims(size_of(indices), 0)
    values = raw.Reshape(dense(grad), raw.ConcatV2([count, shape[1:]], 0, name="concat"))
    return IndexedSlices(values, raw.Reshape(indices, count), shape)


@Gather.gradient
def _(op, grad):
    return [_rows_gradient(op.inputs[0], op.inputs[1], grad), None]


@GatherV2.gradient
def _(op, grad):
    params, indices, axis = op.inputs
    at = constant_value(axis)
    batch = op._attrs["batch_dims"]
    if batch < 0:
        batch += len(indices._shape)
    if at is not None and int(at) == 0:
        return [_rows_gradient(params, indices, grad), None, None]
    # the gathered axis goes to the front of the non-batch dimensions, is summed into its rows, and goes back
    if at is not None and int(at) < 0 and params._shape is not None:
        axis = np.array(int(at) % len(params._shape), np.int32)
    elif at is not None:
        axis = np.array(int(at), np.int32)
    if not isinstance(axis, np.ndarray) or axis < 0:
        rank = raw.Size(raw.Shape(params))
        axis = raw.Cast(axis, DstT=dtypes.int32)
        axis = raw.FloorMod(axis, rank)
    else:
        axis = int(axis)
    shape = raw.Cast(shape_of(params, dtypes.int64), DstT=dtypes.int32)
    outer, inner = shape[:axis], shape[axis:][1:]
    values_shape = raw.ConcatV2([outer, [-1], inner], 0, name="concat")
    n, n_outer = size_of(values_shape), size_of(outer)
    before, between = raw.Range(0, batch, 1), raw.Range(batch, n_outer, 1)
    after = raw.Range(raw.AddV2(n_outer, 1), n, 1)
    forth = raw.ConcatV2([before, raw.Reshape(n_outer, [1]), between, after], 0, name="concat")
    values = raw.Transpose(raw.Reshape(dense(grad), values_shape), forth, name="transpose")
    moved_shape = raw.GatherV2(shape, forth, 0)
    summed = _batch_gather_gradient(moved_shape, values, indices, batch, shape[axis])
    back = raw.ConcatV2([before, raw.AddV2(between, 1), [batch], after], 0, name="concat")
    return [raw.Transpose(summed, back, name="transpose"), None, None]


def _batch_gather_gradient(params_shape: Any, values: Any, indices: Any, batch: int, rows: Any) -> Any:
    count = raw.ExpandDims(size_of(indices), 0)
    if batch:
        shape = shape_of(values)
        outer, inner = shape[:batch], shape[batch:][1:]
        flat = raw.ConcatV2([[-1], inner], 0, name="concat")
        rows = raw.Mul(rows, raw.Prod(outer, [0]))
        indices = _batch_indices(params_shape, indices, batch)
        values = raw.Reshape(values, flat)
    summed = raw.UnsortedSegmentSum(values, raw.Reshape(indices, count), rows)
    return raw.Reshape(summed, raw.ConcatV2([outer, flat], 0, name="concat")) if batch else summed


def _batch_indices(params_shape: Any, indices: Any, batch: int) -> Any:
    """Indices into the batch-flattened parameters: each batch's are moved by its offset."""
    dtype = indices.dtype
    rank = len(indices._shape) if indices._shape is not None else raw.Rank(indices)
    sizes = raw.Cast(params_shape, DstT=dtype)
    zero, one = np.array(0, dtype.np), np.array(1, dtype.np)
    stride: Any = one
    for d in range(batch - 1, -1, -1):
        stride = raw.Mul(stride, sizes[d + 1])
        offsets = raw.Mul(stride, raw.Range(zero, sizes[d], one))
        if isinstance(rank, int):
            shape: Any = [1] * d + [-1] + [1] * (rank - d - 1)
        else:
            shape = raw.ConcatV2(
                [[1] * d + [-1], raw.Fill(raw.Reshape(raw.Sub(rank, d + 1), [1]), 1)], 0, name="concat"
            )
        indices = raw.AddV2(indices, raw.Reshape(offsets, shape))
    return indices


# --- gather_nd, scatter_nd ---
def _flat_index(indices: Any, dims: tuple[int, ...], check: bool) -> Any:
    """Row numbers of multi-dimensional indices (last axis) in row-major order; traced ones out of range become the row count."""
    total = int(np.prod(dims, dtype=np.int64))
    k = len(dims)
    wide = np.int64 if total >= 2**31 or indices.dtype == np.int64 else np.int32
    if check and known(indices) and indices.size:
        wrong = ((indices < 0) | (indices >= np.array(dims, np.int64))).any(-1)
        if wrong.any():
            at = tuple(int(i) for i in np.argwhere(wrong)[0])
            where = ",".join(map(str, at))
            raise bad(f"indices[{where}] = {indices[at].tolist()} does not index into param shape {list(dims)}")
    strides = [int(np.prod(dims[i + 1 :], dtype=np.int64)) for i in range(k)]
    flat: Any = np.zeros(indices.shape[:-1], wide)
    ok: Any = np.ones(indices.shape[:-1], bool)
    for i in range(k):
        at = indices[..., i].astype(wide)
        flat = flat + at * np.array(strides[i], wide)
        ok = ok & (at >= 0) & (at < dims[i])
    return xp.where(ok, flat, np.array(total, wide))


def _gather_nd_shape(c: InferenceContext) -> list[Shape]:
    p, i = c.shape(0), c.shape(1)
    if i is not None and len(i) < 1:
        raise c.fail("Shape must be at least rank 1 but is rank 0")
    if p is None or i is None or i[-1] is None:
        return [None]
    if i[-1] > len(p):
        raise c.fail(
            f"indices.shape[-1] must be <= params.rank, but saw indices shape: {shape_text(i)} and params shape: {shape_text(p)}"
        )
    return [(*i[:-1], *p[i[-1] :])]


@op(
    f"GatherNd(params: Tparams, indices: Tindices) -> (output: Tparams); Tparams: type; Tindices: {_IDX}",
    shape=_gather_nd_shape,
)
def GatherNd(params, indices):
    k = indices.shape[-1]
    if k > len(params.shape):
        raise bad(f"index innermost dimension length must be <= params rank; saw: {k} vs. {len(params.shape)}")
    dims = tuple(params.shape[:k])
    rows = params.reshape((int(np.prod(dims, dtype=np.int64)), *params.shape[k:]))
    return take(rows, _flat_index(indices, dims, True))


@GatherNd.gradient
def _(op, grad):
    params, indices = op.inputs
    shape = shape_of(params, indices.dtype)
    if len(indices._shape or ()) == 2 and indices._shape[-1] == 1:
        return [IndexedSlices(dense(grad), raw.Squeeze(indices, squeeze_dims=[-1]), shape), None]
    return [raw.ScatterNd(indices, dense(grad), shape), None]


def _scatter_nd_shape(c: InferenceContext) -> list[Shape]:
    out = c.partial(2)
    _check_updates(c, out, c.shape(0), c.shape(1))
    return [out]


def _check_updates(c: InferenceContext, out: Shape, i: Shape, u: Shape) -> None:
    if out is None or i is None or u is None or not i or i[-1] is None:
        return
    k = i[-1]
    wanted = (*i[:-1], *out[k:])
    if len(u) != len(wanted) or any(a is not None and b is not None and a != b for a, b in zip(u, wanted, strict=True)):
        raise c.fail(
            f"Dimensions [{len(i) - 1},{len(u)}) of updates{shape_text(u)} must match dimensions [{k},{len(out)}) of output"
            f"{shape_text(out)}, and the leading ones those of indices{shape_text(i)}"
        )


def scatter(base: Any, indices: Any, updates: Any, how: str) -> Any:
    """`base` with `updates` set/added/… at multi-dimensional indices; traced indices out of range are dropped."""
    k = indices.shape[-1] if len(indices.shape) else 1
    if len(indices.shape) == 0:
        indices = indices.reshape((1,))
    dims, rest = tuple(base.shape[:k]), tuple(base.shape[k:])
    wanted = (*indices.shape[:-1], *rest)
    if tuple(updates.shape) != wanted:
        if tuple(updates.shape) == ():
            updates = xp.broadcast_to(updates, wanted)
        else:
            raise bad(
                f"updates of shape {list(updates.shape)} do not fit indices {list(indices.shape)} of a tensor {list(base.shape)}: {list(wanted)} expected"
            )
    total = int(np.prod(dims, dtype=np.int64))
    flat = _flat_index(indices, dims, True).reshape(-1)
    rows, values = (
        base.reshape((total, *rest)),
        updates.reshape((int(np.prod(indices.shape[:-1], dtype=np.int64)), *rest)),
    )
    boolean = rows.dtype == np.bool_
    if namespace(base, indices, updates) is np:
        out = np.array(rows)
        if how == "set":
            out[flat] = values
        else:
            ufunc = {
                "add": np.logical_or if boolean else np.add,
                "sub": np.subtract,
                "max": np.maximum,
                "min": np.minimum,
            }[how]
            ufunc.at(out, flat, values)
        return out.reshape(base.shape)
    at = jnp.asarray(rows).at[flat]
    if how == "sub":
        out = at.add(-values, mode="drop")
    elif how == "add" and boolean:
        out = at.max(values, mode="drop")
    else:
        out = getattr(at, how)(values, mode="drop")
    return out.reshape(base.shape)


@op(
    f"ScatterNd(indices: Tindices, updates: T, shape: Tindices) -> (output: T); T: type; Tindices: {_IDX}",
    shape=_scatter_nd_shape,
)
def ScatterNd(indices, updates, shape):
    dims = ints(shape)
    if any(d < 0 for d in dims):
        raise bad(f"Invalid shape: {list(dims)}")
    base = np.full(dims, b"", object) if is_string(updates) else np.zeros(dims, updates.dtype)
    return scatter(base, indices, updates, "set" if is_string(updates) else "add")


@ScatterNd.gradient
def _(op, grad):
    return [None, raw.GatherNd(dense(grad), op.inputs[0]), None]


@op(
    "ScatterNdNonAliasingAdd(input: T, indices: Tindices, updates: T) -> (output: T); T: {float, double, int32, uint8, int16, int8, "
    "complex64, int64, qint8, quint8, qint32, bfloat16, qint16, quint16, uint16, complex128, half, uint32, uint64, bool}; "
    "Tindices: {int32, int64}",
    shape=shapes.unchanged,
)
def ScatterNdNonAliasingAdd(input, indices, updates):
    return scatter(input, indices, updates, "add")


@ScatterNdNonAliasingAdd.gradient
def _(op, grad):
    return [grad, None, raw.GatherNd(dense(grad), op.inputs[1])]


def _tensor_scatter_shape(c: InferenceContext) -> list[Shape]:
    _check_updates(c, c.shape(0), c.shape(1), c.shape(2))
    return [c.shape(0)]


def _tensor_scatter(name: str, how: str, index_types: str) -> Any:
    @op(
        f"{name}(tensor: T, indices: Tindices, updates: T) -> (output: T); T: type; Tindices: {{{index_types}}}",
        shape=_tensor_scatter_shape,
    )
    def kernel(tensor, indices, updates):
        return scatter(tensor, indices, updates, how)

    return kernel


TensorScatterUpdate = _tensor_scatter("TensorScatterUpdate", "set", "int16, int32, int64, uint16")
TensorScatterAdd = _tensor_scatter("TensorScatterAdd", "add", "int32, int64")
TensorScatterSub = _tensor_scatter("TensorScatterSub", "sub", "int32, int64")
TensorScatterMax = _tensor_scatter("TensorScatterMax", "max", "int32, int64")
TensorScatterMin = _tensor_scatter("TensorScatterMin", "min", "int32, int64")


@TensorScatterUpdate.gradient
def _(op, grad):
    at, updates = op.inputs[1], op.inputs[2]
    grad = dense(grad)
    return [raw.TensorScatterUpdate(grad, at, raw.ZerosLike(updates)), None, raw.GatherNd(grad, at)]


@TensorScatterAdd.gradient
def _(op, grad):
    return [grad, None, raw.GatherNd(dense(grad), op.inputs[1])]


@TensorScatterSub.gradient
def _(op, grad):
    return [grad, None, raw.Neg(raw.GatherNd(dense(grad), op.inputs[1]))]


def _extremum_gradient(op: Any, grad: Any) -> list[Any]:
    """An equal share for every element that attains the result, in the tensor and in the updates."""
    tensor, at, updates = op.inputs
    out, grad = op.outputs[0], dense(grad)
    mine = raw.Cast(raw.Equal(tensor, out), DstT=grad.dtype)
    theirs = raw.Cast(raw.Equal(updates, raw.GatherNd(out, at)), DstT=grad.dtype)
    share = raw.TensorScatterAdd(mine, at, theirs)
    grad = raw.RealDiv(grad, raw.Maximum(share, raw.OnesLike(share)))
    return [raw.Mul(mine, grad), None, raw.Mul(theirs, raw.GatherNd(grad, at))]


TensorScatterMax.gradient(_extremum_gradient)
TensorScatterMin.gradient(_extremum_gradient)


def _inplace(name: str, how: str) -> Any:
    @op(f"{name}(x: T, i: int32, v: T) -> (y: T); T: type", shape=shapes.unchanged)
    def kernel(x, i, v):
        return scatter(x, i.reshape((-1, 1)), v, how)

    return kernel


InplaceUpdate, InplaceAdd, InplaceSub = (
    _inplace(f"Inplace{n}", h) for n, h in (("Update", "set"), ("Add", "add"), ("Sub", "sub"))
)


# --- dynamic partition and stitch ---
def _partition_shape(c: InferenceContext) -> list[Shape]:
    d, p = c.shape(0), c.shape(1)
    if d is None or p is None:
        return [None] * c.n_outputs
    if len(p) > len(d) or any(a is not None and b is not None and a != b for a, b in zip(d, p, strict=False)):
        raise c.fail(
            f"data.shape must start with partitions.shape, got data.shape = {shape_text(d)}, partitions.shape = {shape_text(p)}"
        )
    return [(None, *d[len(p) :])] * c.n_outputs


@op(
    "DynamicPartition(data: T, partitions: int32) -> (outputs: num_partitions * T); num_partitions: int >= 1; T: type",
    shape=_partition_shape,
    host=True,
)
def DynamicPartition(data, partitions, num_partitions):
    k = partitions.ndim
    if data.shape[:k] != partitions.shape:
        raise bad(
            f"data.shape must start with partitions.shape, got data.shape = {list(data.shape)}, partitions.shape = {list(partitions.shape)}"
        )
    flat = partitions.reshape(-1)
    wrong = np.flatnonzero((flat < 0) | (flat >= num_partitions))
    if wrong.size:
        at = ",".join(str(int(i)) for i in np.unravel_index(wrong[0], partitions.shape))
        raise bad(f"partitions[{at}] = {int(flat[wrong[0]])} is not in [0, {num_partitions})")
    rows = data.reshape((flat.size, *data.shape[k:]))
    return tuple(rows[flat == i] for i in range(num_partitions))


@DynamicPartition.gradient
def _(op, *grads):
    data, partitions = op.inputs
    shape = shape_of(partitions)
    order = raw.Reshape(raw.Range(0, raw.Prod(shape, [0]), 1), shape)
    where = raw.DynamicPartition(order, partitions, num_partitions=op._attrs["num_partitions"])
    joined = raw.ParallelDynamicStitch(where, [dense(g) for g in grads])
    return [raw.Reshape(joined, shape_of(data)), None]


def _stitch_shape(c: InferenceContext) -> list[Shape]:
    n = c.n_inputs // 2
    rest: Any = None
    highest: int | None = -1
    for k in range(n):
        i, d = c.shape(k), c.shape(n + k)
        value = c.value(k)
        if value is None:
            highest = None if i is None or 0 not in i else highest
        elif highest is not None and value.size:
            highest = max(highest, int(value.max()))
        if i is None or d is None:
            continue
        if any(a is not None and b is not None and a != b for a, b in zip(i, d, strict=False)) or len(i) > len(d):
            raise c.fail(f"data[{k}].shape must start with indices[{k}].shape: {shape_text(d)}, {shape_text(i)}")
        rest = merge(rest, d[len(i) :])
        if rest is not None and not isinstance(rest, tuple):
            raise c.fail("data tensors must agree in their inner dimensions")
    return [None if rest is None else (None if highest is None else highest + 1, *rest)]


def _stitch(indices: list[Any], data: list[Any]) -> Any:
    first = data[0].shape[len(indices[0].shape) :]
    rows, numbers = [], []
    for k, (i, d) in enumerate(zip(indices, data, strict=True)):
        mine = static(i).reshape(-1)
        rest = d.shape[len(i.shape) :]
        if tuple(d.shape[: len(i.shape)]) != tuple(i.shape) or tuple(rest) != tuple(first):
            raise bad(
                f"data[{k}].shape = {list(d.shape)} does not start with indices[{k}].shape = {list(i.shape)} or differs from data[0] inside"
            )
        if mine.size and int(mine.min()) < 0:
            raise bad(f"indices[{k}] is out of range")
        rows.append(d.reshape((mine.size, *first)))
        numbers.append(mine)
    targets = np.concatenate(numbers)
    if not targets.size:
        return np.zeros((0, *first), data[0].dtype)
    source = np.full(int(targets.max()) + 1, -1, np.int64)
    source[targets] = np.arange(targets.size)  # the last one wins
    together = xp.concatenate(rows, axis=0)
    out = together[np.where(source < 0, 0, source)]
    if (source < 0).any():
        empty = b"" if is_string(out) else np.zeros((), out.dtype)
        out = xp.where((source >= 0).reshape((-1,) + (1,) * len(first)), out, empty)
    return out


_STITCH = "(indices: N * int32, data: N * T) -> (merged: T); N: int >= 1; T: type"


@op("DynamicStitch" + _STITCH, shape=_stitch_shape, numpy=True)
def DynamicStitch(indices, data):
    return _stitch(indices, data)


@op("ParallelDynamicStitch" + _STITCH, shape=_stitch_shape, numpy=True)
def ParallelDynamicStitch(indices, data):
    return _stitch(indices, data)


def _stitch_gradient(op: Any, grad: Any) -> list[Any]:
    n = op._attrs["N"]
    grad = dense(grad)
    return [None] * n + [raw.GatherV2(grad, raw.Cast(i, DstT=dtypes.int32), 0) for i in op.inputs[:n]]


DynamicStitch.gradient(_stitch_gradient)
ParallelDynamicStitch.gradient(_stitch_gradient)
