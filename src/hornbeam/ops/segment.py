"""Segment reductions: rows of `data` combined by their segment's id, sorted, unsorted or through an index; with TensorFlow's gradient ops."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from hornbeam.core import errors
from hornbeam.core.constant import const_node, constant_value
from hornbeam.core.graph import IndexedSlices, InferenceContext
from hornbeam.core.lazy import jnp
from hornbeam.core.registry import OpSpec, op, raw
from hornbeam.core.tensor_shape import _CONFLICT, Shape, merge
from hornbeam.ops import shapes
from hornbeam.ops.broadcasting import like
from hornbeam.ops.math import Mul, RealDiv
from hornbeam.ops.reduce import highest, lowest
from hornbeam.ops.xp import known, static, xp

_NUMBER = "T: numbertype"
_REAL = "T: realnumbertype"
_FLOAT = "T: {bfloat16, half, float, double}"


# --- kernels -------------------------------------------------------------------------------------------------------------------------------
def scatter(data: Any, ids: Any, n: int, how: str, start: Any) -> Any:
    """Rows combined into n segments that begin as `start`; rows with an id outside [0, n) are left out."""
    ids = jnp.asarray(ids)
    ids = jnp.where((ids >= 0) & (ids < n), ids, n)
    out = jnp.full((n, *data.shape[ids.ndim :]), start, data.dtype)
    return getattr(out.at[ids], how)(jnp.asarray(data), mode="drop")


def _sum_rows(data: Any, ids: Any, n: int, how: str, start: Any) -> Any:
    """`scatter` for sorted ids; NumPy where everything is known, which is how these ops usually run."""
    if not (known(data) and known(ids)):
        return scatter(data, ids, n, how, start)
    out = np.full((n, *data.shape[1:]), start, data.dtype)
    if ids.size:
        starts = np.flatnonzero(np.concatenate([[True], ids[1:] != ids[:-1]]))
        out[ids[starts]] = getattr(np, {"max": "maximum", "min": "minimum"}.get(how, how)).reduceat(
            data, starts, axis=0
        )
    return out


def _counts(ids: Any, n: int, dtype: Any) -> Any:
    if known(ids):
        return np.bincount(ids[(ids >= 0) & (ids < n)], minlength=n).astype(dtype)
    return scatter(jnp.ones(np.shape(ids), dtype), ids, n, "add", 0)


def sized_by_ids(declaration: str, position: int, shape: Callable[..., Any], kernel: Callable[..., Any]) -> OpSpec:
    """An op whose result's size follows from the ids at `position`: it runs on the host, on the device only if they are constant."""
    spec = op(
        declaration,
        shape=shape,
        host=True,
        device_if=lambda o, fetched=None: constant_value(o._inputs[position]) is not None,
    )(kernel)
    spec.bounded_kernel = kernel  # type: ignore[attr-defined]
    return spec


def _rows(values: Any, data: Any) -> Any:
    """A vector made to broadcast against `data`'s trailing dimensions."""
    return values.reshape(values.shape + (1,) * (data.ndim - 1))


def _last_segment(segment_ids: Any) -> int:
    """How many segments the sorted ids make: the result's size, so the ids must be known."""
    ids = static(segment_ids).reshape(-1)
    if ids.size == 0:
        return 0
    if np.any(np.diff(ids) < 0):
        raise errors.InvalidArgumentError(None, None, "segment ids are not increasing")
    if ids[0] < 0:
        raise errors.InvalidArgumentError(None, None, "segment ids must be >= 0")
    return int(ids[-1]) + 1


def _check_ids(data: Any, segment_ids: Any) -> None:
    if segment_ids.ndim != 1:
        raise errors.InvalidArgumentError(None, None, "segment_ids should be a vector.")
    if data.ndim == 0 or data.shape[0] != segment_ids.shape[0]:
        raise errors.InvalidArgumentError(
            None,
            None,
            f"segment_ids should be the same size as dimension 0 of input: {list(data.shape)}, {list(segment_ids.shape)}",
        )


# --- sorted ids ------------------------------------------------------------------------------------------------------------------------------
def _sorted_shape(c: InferenceContext) -> list[Shape]:
    data, ids = shapes.at_least_rank(c, 0, 1), shapes.with_rank(c, 1, 1)
    if data is None:
        return [None]
    assert ids is not None
    shapes.merge_dim(c, data[0], ids[0])
    return [(None, *data[1:])]


def _sorted(name: str, types: str, f: Callable[[Any, Any, int], Any]) -> OpSpec:
    def kernel(data, segment_ids):
        _check_ids(data, segment_ids)
        return f(data, segment_ids, _last_segment(segment_ids))

    declaration = f"{name}(data: T, segment_ids: Tindices) -> (output: T); {types}; Tindices: {{int32, int64}}"
    return sized_by_ids(declaration, 1, _sorted_shape, kernel)


def _mean(data, ids, n):
    total = _sum_rows(data, ids, n, "add", 0)
    count = _rows(xp.maximum(_counts(ids, n, np.int32), 1), data).astype(data.dtype)
    return total // count if np.dtype(data.dtype).kind in "iu" else total / count


def _extreme(how: str, start: Callable[[Any], Any]) -> Callable[[Any, Any, int], Any]:
    def f(data, ids, n):
        out = _sum_rows(data, ids, n, how, start(data.dtype))
        return xp.where(
            _rows(_counts(ids, n, np.int32), data) == 0, np.asarray(0, data.dtype), out
        )  # empty segments are 0

    return f


SegmentSum = _sorted("SegmentSum", _NUMBER, lambda data, ids, n: _sum_rows(data, ids, n, "add", 0))
SegmentProd = _sorted("SegmentProd", _NUMBER, lambda data, ids, n: _sum_rows(data, ids, n, "multiply", 1))
SegmentMean = _sorted("SegmentMean", _NUMBER, _mean)
SegmentMax = _sorted("SegmentMax", _REAL, _extreme("max", lowest))
SegmentMin = _sorted("SegmentMin", _REAL, _extreme("min", highest))


def gather(params, indices):
    return raw.GatherV2(params, indices, 0)


SegmentSum.gradient(lambda op, g: [gather(g, op.inputs[1]), None])


@SegmentMean.gradient
def _(op, g):
    data, ids = op.inputs
    rank = raw.Rank(data)
    ones_shape = raw.ConcatV2([raw.Shape(ids), raw.Fill(raw.ExpandDims(raw.Sub(rank, 1), 0), 1)], 0)
    ones = raw.Fill(ones_shape, like(1, g))
    return [gather(RealDiv(g, SegmentSum(ones, ids)), ids), None]


def _sorted_extreme_gradient(op, g):
    data, ids = op.inputs
    chosen = raw.Equal(data, gather(op.outputs[0], ids))
    number = SegmentSum(raw.Cast(chosen, DstT=g._dtype._base), ids)
    return [raw.SelectV2(chosen, gather(RealDiv(g, number), ids), like(0, g)), None]


SegmentMax.gradient(_sorted_extreme_gradient)
SegmentMin.gradient(_sorted_extreme_gradient)


@SegmentProd.gradient
def _(op, g):
    """The product of the others; where there are zeros, of those that are none."""
    data, ids = op.inputs
    zero, one = like(0, data), like(1, data)
    is_zero = raw.Equal(data, zero)
    zeros = gather(SegmentSum(raw.Cast(is_zero, DstT="int32"), ids), ids)
    g = raw.SelectV2(raw.Greater(zeros, 1), like(0, g), gather(g, ids))
    nonzero = raw.SelectV2(is_zero, one, data)
    product = gather(SegmentProd(nonzero, ids), ids)
    plain = RealDiv(gather(op.outputs[0], ids), nonzero)
    return [Mul(g, raw.SelectV2(is_zero, product, plain)), None]


# --- unsorted ids ------------------------------------------------------------------------------------------------------------------------------
def _unsorted_shape(c: InferenceContext) -> list[Shape]:
    data, ids, n = c.shape(0), c.shape(1), c.value(2)
    if n is not None and int(n) < 0:
        raise c.fail(f"Dimension size, given by scalar input 2, must be non-negative but is {int(n)}")
    if data is None or ids is None:
        return [None]
    if len(data) < len(ids):
        raise c.fail(f"Shape must be at least rank {len(ids)} but is rank {len(data)}")
    if merge(data[: len(ids)], ids) is _CONFLICT:
        raise c.fail(f"Dimensions of data and segment_ids must agree: {data} and {ids}")
    return [(None if n is None else int(n), *data[len(ids) :])]


def _unsorted(
    name: str, types: str, how: str, start: Callable[[Any], Any], index_types: str = "{int32, int64}"
) -> OpSpec:
    def kernel(data, segment_ids, num_segments):
        n = int(static(num_segments))
        if n < 0:
            raise errors.InvalidArgumentError(None, None, f"Input num_segments == {n} must not be negative.")
        if data.shape[: segment_ids.ndim] != segment_ids.shape:
            raise errors.InvalidArgumentError(
                None,
                None,
                f"data.shape = {list(data.shape)} does not start with segment_ids.shape = {list(segment_ids.shape)}",
            )
        if known(segment_ids) and np.any(segment_ids >= n):
            bad = int(np.argmax(segment_ids.reshape(-1) >= n))
            raise errors.InvalidArgumentError(
                None,
                None,
                f"segment_ids{list(np.unravel_index(bad, segment_ids.shape))} = {segment_ids.reshape(-1)[bad]} is out of range [0, {n})",
            )
        return scatter(data, segment_ids, n, how, start(data.dtype))

    return op(
        f"{name}(data: T, segment_ids: Tindices, num_segments: Tnumsegments) -> (output: T); {types}; Tindices: {index_types}; "
        "Tnumsegments: {int32, int64} = int32",
        shape=_unsorted_shape,
    )(kernel)


def _finite(limit: Callable[[Any], Any], which: str) -> Callable[[Any], Any]:
    """Empty segments of Max and Min are the type's lowest and highest finite values."""

    def start(dtype: Any) -> Any:
        if np.dtype(dtype).kind in "iu":
            return limit(dtype)
        return getattr(jnp.finfo(dtype), which)

    return start


UnsortedSegmentSum = _unsorted("UnsortedSegmentSum", _NUMBER, "add", lambda t: 0, "{int16, int32, int64}")
UnsortedSegmentProd = _unsorted("UnsortedSegmentProd", _NUMBER, "multiply", lambda t: 1)
UnsortedSegmentMax = _unsorted("UnsortedSegmentMax", _REAL, "max", _finite(lowest, "min"))
UnsortedSegmentMin = _unsorted("UnsortedSegmentMin", _REAL, "min", _finite(highest, "max"))


def _gather_kept(params, ids, rows=True):
    """params[ids], 0 where an id is negative; also the clipped ids and which were kept (spread over the rows)."""
    clipped = raw.Maximum(ids, raw.ZerosLike(ids))
    gathered = gather(params, clipped)
    kept = raw.GreaterEqual(ids, like(0, ids))
    if rows:
        shape, ids_shape = raw.Shape(gathered), raw.Shape(kept)
        pad = raw.Fill(raw.ExpandDims(raw.Sub(raw.Rank(gathered), raw.Rank(ids)), 0), 1)
        kept = raw.LogicalAnd(raw.Reshape(kept, raw.ConcatV2([ids_shape, pad], 0)), raw.Fill(shape, True))
    return raw.SelectV2(kept, gathered, like(0, gathered)), clipped, kept


UnsortedSegmentSum.gradient(lambda op, g: [_gather_kept(g, op.inputs[1])[0], None, None])


def _unsorted_extreme_gradient(op, g):
    data, ids, n = op.inputs
    gathered, clipped, kept = _gather_kept(op.outputs[0], ids)
    chosen = raw.LogicalAnd(raw.Equal(data, gathered), kept)
    number = UnsortedSegmentSum(raw.Cast(chosen, DstT=g._dtype._base), ids, n)
    spread = gather(RealDiv(g, number), clipped)
    return [raw.SelectV2(chosen, spread, like(0, g)), None, None]


UnsortedSegmentMax.gradient(_unsorted_extreme_gradient)
UnsortedSegmentMin.gradient(_unsorted_extreme_gradient)


@UnsortedSegmentProd.gradient
def _(op, g):
    data, ids, n = op.inputs
    is_zero = raw.Equal(data, like(0, data))
    zeros = gather(UnsortedSegmentSum(raw.Cast(is_zero, DstT="int32"), ids, n), raw.Maximum(ids, raw.ZerosLike(ids)))
    spread, clipped, _ = _gather_kept(g, ids)
    spread = raw.SelectV2(raw.Greater(zeros, 1), like(0, g), spread)
    nonzero = raw.SelectV2(is_zero, like(1, data), data)
    product = gather(UnsortedSegmentProd(nonzero, ids, n), clipped)
    plain = RealDiv(gather(op.outputs[0], clipped), nonzero)
    return [Mul(spread, raw.SelectV2(is_zero, product, plain)), None, None]


# --- through an index ----------------------------------------------------------------------------------------------------------------------------
_SPARSE_TYPES = "Tidx: {int32, int64} = int32; Tsegmentids: {int32, int64} = int32"


def _sparse_shape(c: InferenceContext) -> list[Shape]:
    data = shapes.at_least_rank(c, 0, 1)
    indices, ids = shapes.with_rank(c, 1, 1), shapes.with_rank(c, 2, 1)
    shapes.merge_dim(c, indices[0], ids[0])  # type: ignore[index]
    if data is None:
        return [None]
    n = c.value(3) if c.n_inputs > 3 else None
    return [(None if n is None else int(n), *data[1:])]


def _combine(data: Any, indices: Any, ids: Any, n: int, how: str) -> Any:
    if known(indices) and indices.size and (np.any(indices < 0) or np.any(indices >= data.shape[0])):
        bad = int(np.argmax((indices < 0) | (indices >= data.shape[0])))
        raise errors.InvalidArgumentError(
            None, None, f"indices[{bad}] == {indices[bad]} out of range [0, {data.shape[0]})"
        )
    if known(data) and known(indices):
        picked = data[indices]
    else:
        picked = jnp.take(jnp.asarray(data), jnp.asarray(indices), axis=0, mode="fill", fill_value=0)
    wide = picked.astype(np.float32) if picked.dtype.itemsize < 4 and picked.dtype.kind not in "iu" else picked
    total = _sum_rows(wide, ids, n, "add", 0)
    if how != "sum":
        count = _rows(xp.maximum(_counts(ids, n, np.int32), 1), wide).astype(wide.dtype)
        total = total / (count if how == "mean" else xp.sqrt(count))
    return total.astype(data.dtype)


def _sparse(name: str, types: str, how: str) -> tuple[OpSpec, OpSpec]:
    def kernel(data, indices, segment_ids):
        return _combine(data, indices, segment_ids, _last_segment(segment_ids), how)

    def with_number(data, indices, segment_ids, num_segments):
        n = int(static(num_segments))
        if known(segment_ids) and _last_segment(segment_ids) > n:
            raise errors.InvalidArgumentError(None, None, f"segment ids must be < num_segments ({n})")
        return _combine(data, indices, segment_ids, n, how)

    head = "(data: T, indices: Tidx, segment_ids: Tsegmentids{}) -> (output: T)"
    tail = f"; {types}; {_SPARSE_TYPES}"
    hint = "; sparse_gradient: bool = false"
    plain = sized_by_ids(name + head.format("") + tail + hint, 2, _sparse_shape, kernel)
    numbered = op(
        name
        + "WithNumSegments"
        + head.format(", num_segments: Tnumsegments")
        + tail
        + "; Tnumsegments: {int32, int64} = int32"
        + hint,
        shape=_sparse_shape,
    )(with_number)
    return plain, numbered


SparseSegmentSum, SparseSegmentSumWithNumSegments = _sparse("SparseSegmentSum", _REAL, "sum")
SparseSegmentMean, SparseSegmentMeanWithNumSegments = _sparse("SparseSegmentMean", _FLOAT, "mean")
SparseSegmentSqrtN, SparseSegmentSqrtNWithNumSegments = _sparse("SparseSegmentSqrtN", _FLOAT, "sqrtn")


def _sparse_grad_shape(c: InferenceContext) -> list[Shape]:
    grad, n = shapes.at_least_rank(c, 0, 1), c.value(3)
    return [None if grad is None else (None if n is None else int(n), *grad[1:])]


def _sparse_grad(name: str, how: str) -> OpSpec:
    def kernel(grad, indices, segment_ids, output_dim0):
        n, segments = int(static(output_dim0)), grad.shape[0]
        ids = jnp.asarray(segment_ids)
        rows = jnp.take(jnp.asarray(grad), ids, axis=0, mode="fill", fill_value=0)
        if how != "sum":
            count = jnp.maximum(_counts(ids, segments, np.int32), 1).astype(grad.dtype)
            scale = 1 / (count if how == "mean" else jnp.sqrt(count))
            rows = rows * _rows(jnp.take(scale, ids, mode="fill", fill_value=0), rows)
        return scatter(rows, indices, n, "add", 0)

    return op(
        f"{name}(grad: T, indices: Tidx, segment_ids: Tsegmentids, output_dim0: int32) -> (output: T); {_FLOAT}; {_SPARSE_TYPES}",
        shape=_sparse_grad_shape,
    )(kernel)


SparseSegmentSumGrad = _sparse_grad("SparseSegmentSumGrad", "sum")
SparseSegmentMeanGrad = _sparse_grad("SparseSegmentMeanGrad", "mean")
SparseSegmentSqrtNGrad = _sparse_grad("SparseSegmentSqrtNGrad", "sqrtn")


def _sparse_gradient(grad_op: OpSpec, n_inputs: int, how: str) -> Callable[..., Any]:
    def rule(op, g):
        data, indices, ids = op.inputs[:3]
        if op._attrs["sparse_gradient"]:
            if how != "sum":  # each row's share of its segment
                one = const_node(np.ones((), np.int32))
                n = raw.StridedSlice(raw.Shape(g), [0], [1], [1], shrink_axis_mask=1)
                counts = UnsortedSegmentSum(raw.Fill(raw.Shape(ids), one), ids, n)
                counts = raw.Cast(raw.Maximum(counts, 1), DstT=g._dtype._base)
                trailing = raw.Fill(raw.ExpandDims(raw.Sub(raw.Rank(g), 1), 0), 1)
                counts = raw.Reshape(counts, raw.ConcatV2([raw.ExpandDims(n, 0), trailing], 0))
                g = RealDiv(g, counts if how == "mean" else raw.Sqrt(counts))
            return [IndexedSlices(gather(g, ids), indices, raw.Shape(data))] + [None] * (n_inputs - 1)
        rows = raw.StridedSlice(raw.Shape(data), [0], [1], [1], shrink_axis_mask=1)
        return [grad_op(g, indices, ids, rows)] + [None] * (n_inputs - 1)

    return rule


for _plain, _numbered, _grad, _how in (
    (SparseSegmentSum, SparseSegmentSumWithNumSegments, SparseSegmentSumGrad, "sum"),
    (SparseSegmentMean, SparseSegmentMeanWithNumSegments, SparseSegmentMeanGrad, "mean"),
    (SparseSegmentSqrtN, SparseSegmentSqrtNWithNumSegments, SparseSegmentSqrtNGrad, "sqrtn"),
):
    _plain.gradient(_sparse_gradient(_grad, 3, _how))
    _numbered.gradient(_sparse_gradient(_grad, 4, _how))
