"""Reductions, running sums and extremes over axes, with TensorFlow's gradients (ties in Max share, Prod bears zeros)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from hornbeam.core import errors
from hornbeam.core.constant import const_node, constant_value
from hornbeam.core.graph import InferenceContext, Tensor
from hornbeam.core.lazy import jax, jnp, lax
from hornbeam.core.registry import OpSpec, no_gradient, op, raw
from hornbeam.core.tensor_shape import Shape
from hornbeam.ops import shapes
from hornbeam.ops.broadcasting import conj, like
from hornbeam.ops.math import AddV2, Mul, RealDiv, scalar
from hornbeam.ops.xp import ints, known, static, xp

_INDEX = "Tidx: {int32, int64} = int32"


# --- reductions ------------------------------------------------------------------------------------------------------------------------
def _axes(x: Any, reduction_indices: Any) -> tuple[int, ...]:
    """Non-negative axes; repeated or impossible ones raise as TensorFlow does."""
    out: list[int] = []
    rank = np.ndim(x)
    for a in ints(reduction_indices):
        if not -rank <= a < rank:
            raise errors.InvalidArgumentError(
                None, None, f"Invalid reduction dimension ({a} for input with {rank} dimension(s)"
            )
        if a % rank in out:
            raise errors.InvalidArgumentError(
                None, None, f"Invalid reduction arguments: Axes contains duplicate dimension: {a % rank}"
            )
        out.append(a % rank)
    return tuple(out)


def reduction(name: str, types: str, f: Callable[[Any, tuple[int, ...], bool], Any], **flags: Any) -> OpSpec:
    """A reduction `f(x, axes, keepdims)` over the axes in the second input. `types`: '' for bool."""

    def kernel(input, reduction_indices, keep_dims):
        return f(input, _axes(input, reduction_indices), keep_dims)

    t = "T" if types else "bool"
    types = f" {types};" if types else ""
    return op(
        f"{name}(input: {t}, reduction_indices: Tidx) -> (output: {t}); keep_dims: bool = false;{types} {_INDEX}",
        shape=shapes.reduction, **flags,
    )(kernel)  # fmt: skip


_NUMBER = "T: numbertype"
_ORDERED = "T: {float, double, int32, uint8, int16, int8, int64, bfloat16, uint16, half, uint32, uint64, qint8, quint8, qint32, qint16, quint16}"


def _mean(x, axes, keepdims):
    kind, count = np.dtype(x.dtype).kind, int(np.prod([x.shape[a] for a in axes], dtype=np.int64))
    if kind not in "iuc" and count:
        return xp.mean(x, axis=axes, keepdims=keepdims, dtype=x.dtype)
    total = xp.sum(x, axis=axes, keepdims=keepdims, dtype=x.dtype)
    if not count:
        return total if kind in "iuc" else xp.full(total.shape, np.nan, x.dtype)
    return total / scalar(count, x) if kind == "c" else raw_kernel("TruncateDiv")(total, scalar(count, x))


def raw_kernel(name: str) -> Any:
    """Another op's kernel."""
    return raw.__getattr__(name).kernel


def lowest(dtype: Any) -> Any:
    """What the maximum over nothing is."""
    if np.dtype(dtype).kind in "iu":
        return np.iinfo(dtype).min
    return np.bool_(False) if np.dtype(dtype) == bool else np.asarray(-np.inf, dtype)


def highest(dtype: Any) -> Any:
    if np.dtype(dtype).kind in "iu":
        return np.iinfo(dtype).max
    return np.bool_(True) if np.dtype(dtype) == bool else np.asarray(np.inf, dtype)


def _extreme(name: str, start: Callable[[Any], Any]) -> Callable[..., Any]:
    def f(x, axes, keepdims):
        return getattr(xp, name)(x, axis=axes, keepdims=keepdims, initial=start(x.dtype))

    return f


def _euclidean_norm(x, axes, keepdims):
    kind = np.dtype(x.dtype).kind
    wide = x.astype(np.float64) if kind in "iu" else x
    square = xp.sum(xp.real(wide * xp.conj(wide)), axis=axes, keepdims=keepdims)
    return xp.sqrt(square).astype(x.dtype)


Sum = reduction("Sum", _NUMBER, lambda x, a, k: xp.sum(x, axis=a, keepdims=k, dtype=x.dtype), numpy=True)
Prod = reduction("Prod", _NUMBER, lambda x, a, k: xp.prod(x, axis=a, keepdims=k, dtype=x.dtype), numpy=True)
Mean = reduction("Mean", _NUMBER, _mean, numpy=True)
Max = reduction("Max", _ORDERED, _extreme("max", lowest), numpy=True)
Min = reduction("Min", _ORDERED, _extreme("min", highest), numpy=True)
All = reduction("All", "", lambda x, a, k: xp.all(x, axis=a, keepdims=k), numpy=True)
Any_ = reduction("Any", "", lambda x, a, k: xp.any(x, axis=a, keepdims=k), numpy=True)
EuclideanNorm = reduction("EuclideanNorm", _NUMBER, _euclidean_norm)


# --- their gradients -------------------------------------------------------------------------------------------------------------------------
def _static_axes(op: Any) -> list[int] | None:
    """The reduced axes when they and the rank are known while building."""
    shape, axes = op._inputs[0]._shape, constant_value(op._inputs[1])
    if shape is None or axes is None:
        return None
    return sorted({int(a) % len(shape) for a in axes.reshape(-1)}) if shape else []


def kept_shape(op: Any) -> Tensor:
    """The input's shape with the reduced axes at 1, computed when it runs."""
    x, axes = op.inputs
    size, axes = raw.Shape(x), raw.Cast(axes, DstT="int32")
    rank = raw.Size(size)
    axes = raw.Reshape(raw.FloorMod(AddV2(axes, rank), rank), [-1])
    return raw.DynamicStitch([Range(0, rank, 1), axes], [size, raw.Fill(raw.Shape(axes), 1)])  # type: ignore[no-any-return]


def keep(op: Any, *tensors: Tensor) -> list[Tensor]:
    """Outputs of the reduction (or their gradients) with the reduced axes back as 1."""
    if op._attrs["keep_dims"]:
        return list(tensors)
    axes = _static_axes(op)
    if axes is None:
        target: Any = kept_shape(op)
        return [raw.Reshape(t, target) for t in tensors]
    if not axes:
        return list(tensors)
    shape = tuple(1 if i in axes else d for i, d in enumerate(op._inputs[0]._shape))
    if shape.count(None) > 1:
        out = []
        for t in tensors:
            for a in axes:
                t = raw.ExpandDims(t, a)
            out.append(t)
        return out
    target = const_node(np.array([-1 if d is None else d for d in shape], np.int32), name="Shape")
    return [raw.Reshape(t, target) for t in tensors]


def _spread(op: Any, g: Tensor) -> Tensor:
    """A gradient of the reduction's output, repeated over the input's shape."""
    x = op._inputs[0]
    g = keep(op, g)[0]
    if x._shape is not None and x._shape == g._shape and None not in x._shape:
        return g
    return raw.BroadcastTo(g, shape_of(x))  # type: ignore[no-any-return]


def shape_of(x: Tensor) -> Any:
    """The shape as an array if it is known, else a Shape node."""
    s = x._shape
    return raw.Shape(x) if s is None or None in s else np.array(s, np.int32)


def _count(op: Any) -> Any:
    """How many elements each output element was made of: an int when known, else a tensor of the input's dtype."""
    x, y = op._inputs[0], op._outputs[0]
    axes = _static_axes(op)
    if axes is not None and all(x._shape[a] is not None for a in axes):
        return int(np.prod([x._shape[a] for a in axes], dtype=np.int64))
    if x._shape is not None and None not in x._shape and y._shape is not None and None not in y._shape:
        return int(np.prod(x._shape, dtype=np.int64)) // max(int(np.prod(y._shape, dtype=np.int64)), 1)
    n = raw.FloorDiv(raw.Size(x), raw.Maximum(raw.Size(y), 1))
    return raw.Cast(n, DstT=x._dtype._base)


Sum.gradient(lambda op, g: [_spread(op, g), None])


@Mean.gradient
def _(op, g):
    n = _count(op)
    spread = _spread(op, g)
    return [RealDiv(spread, like(n, g) if isinstance(n, int) else n), None]


@EuclideanNorm.gradient
def _(op, g):
    y, g = keep(op, op.outputs[0], g)
    return [RealDiv(op.inputs[0], RealDiv(y, g)), None]


def _extreme_gradient(op, g):
    x = op.inputs[0]
    y, g = keep(op, op.outputs[0], g)
    chosen = raw.Cast(raw.Equal(y, x), DstT=g._dtype._base)
    number = Sum(chosen, op.inputs[1], keep_dims=True)
    return [Mul(RealDiv(chosen, number), g), None]


Max.gradient(_extreme_gradient)
Min.gradient(_extreme_gradient)


@Prod.gradient
def _(op, g):
    """The product of the others: running products from both sides, so that zeros do no harm."""
    x = op.inputs[0]
    spread = _spread(op, g)
    axes = _static_axes(op)
    if axes is not None and len(axes) <= 1:
        if not axes:
            return [spread, None]
        left = Cumprod(x, axes[0], exclusive=True)
        right = Cumprod(x, axes[0], exclusive=True, reverse=True)
        return [Mul(spread, Mul(conj(left), conj(right))), None]
    size = raw.Shape(x)
    if axes is not None:
        reduced: Any = np.array(axes, np.int32)
        other: Any = np.array([i for i in range(len(x._shape)) if i not in axes], np.int32)
        perm: Any = np.concatenate([reduced, other])
        back: Any = np.argsort(perm).astype(np.int32)
    else:
        rank = raw.Rank(x)
        reduced = raw.Cast(op.inputs[1], DstT="int32")
        reduced = raw.Reshape(raw.FloorMod(AddV2(reduced, rank), rank), [-1])
        other = raw.ListDiff(Range(0, rank, 1), reduced)[0]
        perm = raw.ConcatV2([reduced, other], 0)
        back = raw.InvertPermutation(perm)
    permuted = raw.Transpose(x, perm)
    counts = [Prod(raw.GatherV2(size, i, 0), 0) for i in (reduced, other)]
    flat = raw.Reshape(permuted, raw.Pack(counts))
    left, right = Cumprod(flat, 0, exclusive=True), Cumprod(flat, 0, exclusive=True, reverse=True)
    others = raw.Reshape(Mul(conj(left), conj(right)), raw.Shape(permuted))
    return [Mul(spread, raw.Transpose(others, back)), None]


# --- where the extremes are --------------------------------------------------------------------------------------------------------------
def _arg_shape(c: InferenceContext) -> list[Shape]:
    s, axis = c.shape(0), c.value(1)
    if s is None:
        return [None]
    if axis is None:
        return [(None,) * (len(s) - 1)]
    a = int(axis)
    if not -len(s) <= a < len(s):
        raise c.fail(
            f"Dimension ({a}) must be in the range [{-len(s)}, {len(s)}), where {len(s)} is the number of dimensions in the input."
        )
    a %= len(s)
    return [s[:a] + s[a + 1 :]]


def _arg(name: str, np_name: str, index_types: str, output_types: str) -> OpSpec:
    def kernel(input, dimension, output_type):
        axis = int(static(dimension))
        if not -input.ndim <= axis < input.ndim:
            raise errors.InvalidArgumentError(
                None, None, f"Expected dimension in the range [{-input.ndim}, {input.ndim}), but got {axis}"
            )
        if input.shape[axis] == 0:
            raise errors.InvalidArgumentError(
                None, None, f"Reduction axis {axis % input.ndim} is empty in shape {list(input.shape)}"
            )
        if known(input):
            return np.asarray(getattr(np, np_name)(input, axis=axis)).astype(output_type.np)
        width = np.dtype(np.int64) if output_type.np.itemsize > 4 else np.dtype(np.int32)
        return getattr(lax, np_name)(input, axis % input.ndim, width).astype(output_type.np)

    return op(
        f"{name}(input: T, dimension: Tidx) -> (output: output_type); {_ORDERED[:-1]}, bool}}; Tidx: {index_types} = int32; "
        f"output_type: {output_types} = int64",
        shape=_arg_shape, numpy=True,
    )(kernel)  # fmt: skip


ArgMax = _arg("ArgMax", "argmax", "{int16, int32, int64}", "{int16, uint16, int32, int64}")
ArgMin = _arg("ArgMin", "argmin", "{int32, int64}", "{int32, int64}")
no_gradient("ArgMax", "ArgMin")


# --- running sums ---------------------------------------------------------------------------------------------------------------------------
_CUMULATIVE = "(x: T, axis: Tidx) -> (out: T); exclusive: bool = false; reverse: bool = false; T: {types}; Tidx: {{int32, int64}} = int32"


def _cumulative_shape(c: InferenceContext) -> list[Shape]:
    s = c.shape(0)
    axis = c.value(1)
    if s is not None and axis is not None and not -len(s) <= int(axis) < len(s):
        raise c.fail(f"Expected scan axis in the range [{-len(s)}, {len(s)}), but got {int(axis)}")
    return [s]


def cumulative(
    name: str, types: str, f: Callable[[Any, int], Any], neutral: Callable[[Any], Any], **flags: Any
) -> OpSpec:
    """A scan along an axis; `exclusive` starts with the neutral element, `reverse` goes from the end."""

    def kernel(x, axis, exclusive, reverse):
        a = int(static(axis))
        if not -x.ndim <= a < x.ndim:
            raise errors.InvalidArgumentError(
                None, None, f"Expected scan axis in the range [{-x.ndim}, {x.ndim}), but got {a}"
            )
        a %= x.ndim
        if x.shape[a] == 0:
            return x
        if reverse:
            x = xp.flip(x, a)
        if exclusive:
            first = np.full(tuple(1 if i == a else d for i, d in enumerate(x.shape)), neutral(x.dtype), x.dtype)
            x = xp.concatenate(
                [first, x[tuple(slice(None, -1) if i == a else slice(None) for i in range(x.ndim))]], axis=a
            )
        out = f(x, a)
        return xp.flip(out, a) if reverse else out

    return op(name + _CUMULATIVE.format(types=types), shape=_cumulative_shape, **flags)(kernel)


def _logsumexp_scan(x, a):
    return lax.cumlogsumexp(jnp.asarray(x), a)


_NUMBERS = (
    "{float, double, int32, uint8, int16, int8, complex64, int64, qint8, quint8, qint32, bfloat16, qint16, quint16, uint16, complex128, "
    "half, uint32, uint64}"
)
Cumsum = cumulative("Cumsum", _NUMBERS, lambda x, a: xp.cumsum(x, a, dtype=x.dtype), lambda t: 0, numpy=True)
Cumprod = cumulative("Cumprod", _NUMBERS, lambda x, a: xp.cumprod(x, a, dtype=x.dtype), lambda t: 1, numpy=True)
CumulativeLogsumexp = cumulative(
    "CumulativeLogsumexp", "{bfloat16, half, float, double}", _logsumexp_scan, lambda t: -np.inf
)


def _scan_flags(op):
    return {"exclusive": op._attrs["exclusive"], "reverse": op._attrs["reverse"]}


def _back(op):
    return {"exclusive": op._attrs["exclusive"], "reverse": not op._attrs["reverse"]}


Cumsum.gradient(lambda op, g: [Cumsum(g, op.inputs[1], **_back(op)), None])


@Cumprod.gradient
def _(op, g):
    x, axis = op.inputs
    product = Cumprod(x, axis, **_scan_flags(op))
    return [raw.DivNoNan(Cumsum(Mul(product, g), axis, **_back(op)), x), None]


@CumulativeLogsumexp.gradient
def _(op, g):
    x, axis = op.inputs
    y = op.outputs[0]
    low = like(np.finfo(np.float32).min if g._dtype.size < 8 else np.finfo(np.float64).min, g)
    if g._dtype.size < 4:
        low = like(g._dtype._base.min, g)
    zero = like(0, g)
    log_g = raw.Log(raw.Abs(g))
    parts = []
    for sign in (raw.Greater, raw.Less):
        log_part = raw.SelectV2(sign(g, zero), log_g, low)
        parts.append(raw.Exp(AddV2(CumulativeLogsumexp(raw.Sub(log_part, y), axis, **_back(op)), x)))
    return [raw.Sub(*parts), None]


# --- ranges -------------------------------------------------------------------------------------------------------------------------------------
_RANGE_TYPES = "{bfloat16, half, float, double, int8, int16, int32, int64, uint16, uint32}"


def _range_length(start: Any, limit: Any, delta: Any) -> int:
    if delta == 0:
        raise errors.InvalidArgumentError(None, None, "Requires delta != 0")
    if delta > 0 and start > limit:
        raise errors.InvalidArgumentError(None, None, f"Requires start <= limit when delta > 0: {start}/{limit}")
    if delta < 0 and start < limit:
        raise errors.InvalidArgumentError(None, None, f"Requires start >= limit when delta < 0: {start}/{limit}")
    if isinstance(start, int):
        return -((start - limit) // delta) if delta > 0 else -((limit - start) // -delta)
    return int(np.ceil(abs((limit - start) / delta)))


def _scalar(v: Any) -> Any:
    v = np.asarray(v).reshape(())
    return int(v) if v.dtype.kind in "iu" else float(v)


def _range_shape(c: InferenceContext) -> list[Shape]:
    values = [c.value(i) for i in range(3)]
    for i in range(3):
        s = c.shape(i)
        if s is not None and s != ():
            raise c.fail(f"Shape must be rank 0 but is rank {len(s)}")
    if any(v is None for v in values):
        return [(None,)]
    try:
        return [(max(0, _range_length(*(_scalar(v) for v in values))),)]
    except errors.InvalidArgumentError as e:
        raise c.fail(e.message) from None


@op(
    f"Range(start: Tidx, limit: Tidx, delta: Tidx) -> (output: Tidx); Tidx: {_RANGE_TYPES} = int32",
    shape=_range_shape,
    numpy=True,
)
def Range(start, limit, delta, Tidx):
    if known(limit) and known(delta) and known(start):
        n = _range_length(_scalar(start), _scalar(limit), _scalar(delta))
        first, step = np.asarray(start, Tidx.np), np.asarray(delta, Tidx.np)
        if Tidx.np.kind in "iu":
            return (first + np.arange(n) * step).astype(Tidx.np)
        # each value is the one before plus delta, rounded: that is how TensorFlow counts
        return np.add.accumulate(
            np.concatenate([first.reshape(1), np.broadcast_to(step, n)]).astype(Tidx.np), dtype=Tidx.np
        )[:n]
    start, limit, delta = static(start), static(limit), static(delta)
    return Range.kernel(start, limit, delta, Tidx)  # type: ignore[misc]


def _linspace_shape(c: InferenceContext) -> list[Shape]:
    n = c.value(2)
    if n is None:
        return [(None,)]
    if int(n) <= 0:
        raise c.fail(f"Requires num > 0: {int(n)}")
    return [(int(n),)]


@op("LinSpace(start: T, stop: T, num: Tidx) -> (output: T); T: {bfloat16, half, float, double}; Tidx: {int32, int64} = int32",
    shape=_linspace_shape)  # fmt: skip
def LinSpace(start, stop, num):
    n = int(static(num))
    if n <= 0:
        raise errors.InvalidArgumentError(None, None, f"Requires num > 0: {n}")
    if n == 1:
        return xp.reshape(start, (1,))
    step = (stop - start) / np.asarray(n - 1, start.dtype)
    values = start + step * np.arange(n).astype(start.dtype)
    return xp.concatenate([values[:-1], xp.reshape(stop, (1,))])


no_gradient("Range", "LinSpace")


# --- counting -------------------------------------------------------------------------------------------------------------------------------------
@op(
    "Bucketize(input: T) -> (output: int32); T: {int32, int64, float, double}; boundaries: list(float)",
    shape=shapes.unchanged,
)
def Bucketize(input, boundaries):
    edges = np.asarray(boundaries, np.float32)
    if np.any(np.diff(edges) < 0):
        raise errors.InvalidArgumentError(None, None, "Expected sorted boundaries")
    wide = np.float64 if np.dtype(input.dtype).itemsize == 8 or np.dtype(input.dtype).kind == "i" else np.float32
    return xp.searchsorted(edges.astype(wide), input.astype(wide), side="right").astype(np.int32)


def _bins_shape(i: int) -> Callable[[InferenceContext], list[Shape]]:
    def rule(c: InferenceContext) -> list[Shape]:
        n = c.value(i)
        if n is not None and int(n) < 0:
            raise c.fail(f"Requires nonnegative size, got {int(n)}")
        return [(None if n is None else int(n),)]

    return rule


@op("HistogramFixedWidth(values: T, value_range: T, nbins: int32) -> (out: dtype); T: {int32, int64, float, double}; dtype: {int32, int64} = int32",
    shape=_bins_shape(2))  # fmt: skip
def HistogramFixedWidth(values, value_range, nbins, dtype):
    n = int(static(nbins))
    if n <= 0:
        raise errors.InvalidArgumentError(None, None, f"nbins should be a positive number, but got '{n}'")
    low, high = value_range[0], value_range[1]
    if known(value_range) and not low < high:
        raise errors.InvalidArgumentError(
            None, None, f"value_range should satisfy value_range[0] < value_range[1], but got '[{low}, {high}]'"
        )
    step = (jnp.asarray(high) - low).astype(np.float64) / n
    flat = jnp.asarray(values).reshape(-1)
    index = jnp.floor((jnp.clip(flat, low, high) - low).astype(np.float64) / step)
    index = jnp.clip(index, 0, n - 1).astype(np.int32)
    return jnp.zeros(n, dtype.np).at[index].add(np.asarray(1, dtype.np))


def _bincount(values: Any, size: int, weights: Any, dtype: Any, binary: bool) -> Any:
    """One row: values outside [0, size) are left out."""
    inside = (values >= 0) & (values < size)
    index = jnp.where(inside, values, size)
    if binary:
        return jnp.zeros(size, dtype).at[index].set(np.asarray(1, dtype), mode="drop")
    amount = jnp.broadcast_to(np.asarray(1, dtype), values.shape) if weights.size == 0 else weights
    return jnp.zeros(size, dtype).at[index].add(amount, mode="drop")


def _check_counts(values: Any, size: int) -> None:
    if size < 0:
        raise errors.InvalidArgumentError(None, None, f"size ({size}) must be non-negative")
    if known(values) and np.any(values < 0):
        raise errors.InvalidArgumentError(None, None, "Input arr must be non-negative!")


@op(
    "Bincount(arr: int32, size: int32, weights: T) -> (bins: T); T: {int32, int64, float, double}", shape=_bins_shape(1)
)
def Bincount(arr, size, weights, T):
    n = int(static(size))
    _check_counts(arr, n)
    return _bincount(jnp.asarray(arr).reshape(-1), n, jnp.asarray(weights).reshape(-1), T.np, False)


def _dense_bincount_shape(c: InferenceContext) -> list[Shape]:
    s, n = c.shape(0), c.value(1)
    if s is None:
        return [None]
    if len(s) > 2:
        raise c.fail(f"Shape must be at most rank 2 but is rank {len(s)}")
    return [(*s[:-1][:1], None if n is None else int(n))] if len(s) == 2 else [(None if n is None else int(n),)]


@op("DenseBincount(input: Tidx, size: Tidx, weights: T) -> (output: T); Tidx: {int32, int64}; T: {int32, int64, float, double}; "
    "binary_output: bool = false", shape=_dense_bincount_shape)  # fmt: skip
def DenseBincount(input, size, weights, T, binary_output):
    n = int(static(size))
    _check_counts(input, n)
    if input.ndim < 2:
        return _bincount(jnp.asarray(input).reshape(-1), n, jnp.asarray(weights).reshape(-1), T.np, binary_output)
    if weights.size:
        return jax.vmap(lambda v, w: _bincount(v, n, w, T.np, binary_output))(jnp.asarray(input), jnp.asarray(weights))
    return jax.vmap(lambda v: _bincount(v, n, np.empty(0, T.np), T.np, binary_output))(jnp.asarray(input))
