"""Finding and numbering values: Where, Unique, set difference, permutations, sorted search, edit distance.

Where and Unique have outputs whose size depends on data, so they run on the host. Unique has a second form for the device (`bounded_kernel`):
its `y` keeps the input's length and ends in an index that no table has; `device_if` says where that cannot be told apart.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from hornbeam.core.graph import InferenceContext
from hornbeam.core.lazy import jnp, lax
from hornbeam.core.registry import no_gradient, op
from hornbeam.core.tensor_shape import Shape
from hornbeam.ops import shapes
from hornbeam.ops.array import bad
from hornbeam.ops.unique_bound import safe_on_device
from hornbeam.ops.xp import known, static, xp

_INDEX = "out_idx: {int32, int64} = int32"


# --- Where ---
def _where_shape(c: InferenceContext) -> list[Shape]:
    s = c.shape(0)
    return [(None, None if s is None else len(s))]


@op(
    "Where(input: T) -> (index: int64); T: {float, double, int32, uint8, int16, int8, complex64, int64, qint8, quint8, qint32, bfloat16, "
    "qint16, quint16, uint16, complex128, half, uint32, uint64, bool} = bool",
    shape=_where_shape,
    host=True,
)
def Where(input):
    if input.ndim == 0:
        raise bad("WhereOp : Unhandled input dimensions: 0")
    return np.argwhere(input).astype(np.int64)


# --- Unique ---
def unique(x: Any) -> tuple[Any, Any, Any]:
    """Distinct values in order of first appearance, each element's number, and how often each value appears."""
    if x.dtype == object:
        numbers: dict[Any, int] = {}
        idx = np.array([numbers.setdefault(v, len(numbers)) for v in x.tolist()], np.int64)
        y = np.empty(len(numbers), object)
        y[:] = list(numbers)
        return y, idx, np.bincount(idx, minlength=len(numbers))
    if x.dtype.kind in "fcV":  # NaN differs from itself: every NaN is its own value, as in TensorFlow's hash map
        nan = x != x
        if nan.any():
            return _unique_with_nan(x, nan)
    _, first, inverse, counts = np.unique(x, return_index=True, return_inverse=True, return_counts=True)
    order = np.argsort(first, kind="stable")
    rank = np.empty(order.size, np.int64)
    rank[order] = np.arange(order.size)
    return x[first[order]], rank[inverse.reshape(-1)], counts[order]


def _unique_with_nan(x: Any, nan: Any) -> tuple[Any, Any, Any]:
    numbers: dict[Any, int] = {}
    keys = [("nan", i) if n else v for i, (v, n) in enumerate(zip(x.tolist(), nan, strict=True))]
    idx = np.array([numbers.setdefault(k, len(numbers)) for k in keys], np.int64)
    first = np.unique(idx, return_index=True)[1]
    return x[first], idx, np.bincount(idx)


def _unique_rows(x: Any, axis: Any) -> tuple[Any, Any, Any]:
    axes = np.asarray(axis).reshape(-1)
    if axes.size == 0:
        if x.ndim != 1:
            raise bad(f"unique expects a 1D vector, got shape {list(x.shape)}")
        return unique(x)
    a = int(axes[0])
    if axes.size > 1 or not -x.ndim <= a < x.ndim:
        raise bad(f"axis expects a 0D or 1D tensor with one element in [{-x.ndim}, {x.ndim}), got {axes.tolist()}")
    a %= x.ndim
    if x.ndim == 1:
        return unique(x)
    moved = np.moveaxis(x, a, 0)
    numbers: dict[Any, int] = {}
    rows = [tuple(r.reshape(-1).tolist()) for r in moved]
    idx = np.array([numbers.setdefault(r, len(numbers)) for r in rows], np.int64)
    first = np.unique(idx, return_index=True)[1] if idx.size else np.zeros(0, np.int64)
    return np.moveaxis(moved[first], 0, a), idx, np.bincount(idx, minlength=len(numbers))


def _check_vector(x: Any) -> None:
    if x.ndim != 1:
        raise bad(f"unique expects a 1D vector, got shape {list(x.shape)}")


def bounded_unique(x: Any, out_idx: Any) -> tuple[Any, Any]:
    """Unique in a trace: `idx` is exact; `y` has the input's length, filled up with the largest index there is."""
    x = jnp.asarray(x)
    n = x.shape[0]
    fill = np.iinfo(x.dtype).max
    if n == 0:
        return x, jnp.zeros((0,), out_idx.np)
    order = jnp.argsort(x, stable=True)
    ordered = x[order]
    starts = jnp.concatenate([jnp.ones((1,), bool), ordered[1:] != ordered[:-1]])
    group_start = lax.cummax(jnp.where(starts, jnp.arange(n), 0))
    first = order[group_start]  # where the value of each sorted element appears first
    is_first = jnp.zeros((n,), bool).at[first].set(True)
    number = jnp.cumsum(is_first) - 1
    idx = jnp.zeros((n,), out_idx.np).at[order].set(number[first].astype(out_idx.np))
    y = jnp.full((n,), fill, x.dtype).at[jnp.where(is_first, number, n)].set(x, mode="drop")
    return y, idx


def _unique_shape(c: InferenceContext) -> list[Shape]:
    s = c.shape(0)
    if s is not None and len(s) != 1:
        raise c.fail(f"Shape must be rank 1 but is rank {len(s)}")
    return [(None,), (None,) if s is None else s, (None,)][: c.n_outputs]  # type: ignore[return-value]


def _unique_v2_shape(c: InferenceContext) -> list[Shape]:
    s, axis = c.shape(0), c.value(1)
    y: Shape = None if s is None else (None,) * len(s)
    idx: Shape = (None,)
    if s is not None and axis is not None:
        if axis.size == 0:
            idx = (s[0],) if len(s) == 1 else idx
        elif -len(s) <= int(axis.reshape(-1)[0]) < len(s):
            a = int(axis.reshape(-1)[0]) % len(s)
            y, idx = (*s[:a], None, *s[a + 1 :]), (s[a],)
    return [y, idx, (None,)][: c.n_outputs]


@op(
    f"Unique(x: T) -> (y: T, idx: out_idx); T: type; {_INDEX}", shape=_unique_shape, host=True, device_if=safe_on_device
)
def Unique(x, out_idx):
    _check_vector(x)
    return tuple(v if i == 0 else v.astype(out_idx.np) for i, v in enumerate(unique(x)[:2]))


Unique.bounded_kernel = bounded_unique


@op(
    f"UniqueWithCounts(x: T) -> (y: T, idx: out_idx, count: out_idx); T: type; {_INDEX}", shape=_unique_shape, host=True
)
def UniqueWithCounts(x, out_idx):
    _check_vector(x)
    return tuple(v if i == 0 else v.astype(out_idx.np) for i, v in enumerate(unique(x)))


_AXIS = "Taxis: {int32, int64} = int64"


@op(
    f"UniqueV2(x: T, axis: Taxis) -> (y: T, idx: out_idx); T: type; {_AXIS}; {_INDEX}",
    shape=_unique_v2_shape,
    host=True,
)
def UniqueV2(x, axis, out_idx):
    y, idx, _ = _unique_rows(x, axis)
    return y, idx.astype(out_idx.np)


@op(
    f"UniqueWithCountsV2(x: T, axis: Taxis) -> (y: T, idx: out_idx, count: out_idx); T: type; {_AXIS}; {_INDEX}",
    shape=_unique_v2_shape,
    host=True,
)
def UniqueWithCountsV2(x, axis, out_idx):
    y, idx, count = _unique_rows(x, axis)
    return y, idx.astype(out_idx.np), count.astype(out_idx.np)


@op(f"ListDiff(x: T, y: T) -> (out: T, idx: out_idx); T: type; {_INDEX}", shape=shapes.vector, host=True)
def ListDiff(x, y, out_idx):
    for name, v in (("x", x), ("y", y)):
        if v.ndim != 1:
            raise bad(f"{name} should be a 1D vector.")
    gone = set(y.tolist())
    idx = np.array([i for i, v in enumerate(x.tolist()) if v not in gone], np.int64)
    return x[idx], idx.astype(out_idx.np)


# --- permutations and sorted search ---
def _permutation_shape(c: InferenceContext) -> list[Shape]:
    return [shapes.with_rank(c, 0, 1)]


@op("InvertPermutation(x: T) -> (y: T); T: {int32, int64} = int32", shape=_permutation_shape, numpy=True)
def InvertPermutation(x):
    n = x.shape[0]
    if known(x):
        if n and (x.min() < 0 or x.max() >= n):
            wrong = x[(x < 0) | (x >= n)]
            raise bad(f"{int(wrong[0])} is not between 0 and {n}")
        if np.unique(x).size != n:
            values, counts = np.unique(x, return_counts=True)
            raise bad(f"{int(values[counts > 1][0])} is duplicated in the input.")
        out = np.empty(n, x.dtype)
        out[x] = np.arange(n, dtype=x.dtype)
        return out
    return jnp.zeros_like(x).at[x].set(jnp.arange(n, dtype=x.dtype))


no_gradient("InvertPermutation")


def _bound(name: str, side: str) -> Any:
    @op(
        f"{name}(sorted_inputs: T, values: T) -> (output: out_type); T: type; out_type: {{int32, int64}} = int32",
        shape=shapes.like(1),
    )
    def kernel(sorted_inputs, values, out_type):
        if sorted_inputs.shape[0] != values.shape[0]:
            raise bad("Leading dim_size of both tensors must match.")
        if known(sorted_inputs) and known(values):
            rows = [np.searchsorted(a, v, side) for a, v in zip(sorted_inputs, values, strict=True)]  # type: ignore[call-overload]
            return np.array(rows, out_type.np).reshape(values.shape)
        below = jnp.less if side == "left" else jnp.less_equal
        return below(sorted_inputs[:, None, :], values[:, :, None]).sum(-1, dtype=out_type.np)

    return kernel


LowerBound = _bound("LowerBound", "left")
UpperBound = _bound("UpperBound", "right")


@op(
    "UnravelIndex(indices: Tidx, dims: Tidx) -> (output: Tidx); Tidx: {int32, int64} = int32",
    shape=lambda c: _unravel_shape(c),
)
def UnravelIndex(indices, dims):
    sizes = static(dims)
    if known(indices) and indices.size and (indices.min() < 0 or indices.max() >= np.prod(sizes, dtype=np.int64)):
        raise bad("index is out of bound as with dims")
    strides = np.concatenate([np.cumprod(sizes[::-1])[::-1][1:], [1]]).astype(sizes.dtype)
    rows = [(indices // s) % d for s, d in zip(strides, sizes, strict=True)]
    return xp.stack(rows, axis=0).astype(indices.dtype)


def _unravel_shape(c: InferenceContext) -> list[Shape]:
    s, d = c.shape(0), c.shape(1)
    if s is None:
        return [None]
    n = None if d is None else d[0]
    return [(n, *s)]


# --- edit distance ---
def _edit_distance_shape(c: InferenceContext) -> list[Shape]:
    h, t = c.value(2), c.value(5)
    if h is None or t is None:
        n = c.shape(2) or c.shape(5)
        return [None if not n or n[0] is None else (None,) * (n[0] - 1)]
    return [tuple(max(int(a), int(b)) for a, b in zip(h[:-1], t[:-1], strict=True))]


def levenshtein(a: Any, b: Any) -> int:
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        previous, row[0] = row[0], i
        for j, y in enumerate(b, 1):
            previous, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, previous + (x != y))
    return row[-1]


def _groups(indices: Any, values: Any) -> dict[tuple[int, ...], list[Any]]:
    out: dict[tuple[int, ...], list[Any]] = {}
    for at, v in zip(indices.tolist(), values.tolist(), strict=True):
        out.setdefault(tuple(at[:-1]), []).append(v)
    return out


@op(
    "EditDistance(hypothesis_indices: int64, hypothesis_values: T, hypothesis_shape: int64, truth_indices: int64, truth_values: T, "
    "truth_shape: int64) -> (output: float); normalize: bool = true; T: type",
    shape=_edit_distance_shape,
    host=True,
)
def EditDistance(
    hypothesis_indices, hypothesis_values, hypothesis_shape, truth_indices, truth_values, truth_shape, normalize
):
    if hypothesis_shape.shape != truth_shape.shape:
        raise bad("hypothesis_shape and truth_shape must have the same number of elements")
    shape = np.maximum(hypothesis_shape[:-1], truth_shape[:-1])
    out = np.zeros(shape.tolist(), np.float32)
    said, true = _groups(hypothesis_indices, hypothesis_values), _groups(truth_indices, truth_values)
    for at in {*said, *true}:
        h, t = said.get(at, []), true.get(at, [])
        d = float(levenshtein(t, h))
        if normalize:
            d = d / len(t) if t else float("inf") if d else 0.0
        out[at] = d
    return out


no_gradient("EditDistance")
