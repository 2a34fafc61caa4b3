"""Slices of tensors: StridedSlice with its gradient and assignments, Slice, Split, Tile."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from hornbeam.core.constant import constant_value, partial_vector
from hornbeam.core.graph import InferenceContext
from hornbeam.core.lazy import jnp, lax
from hornbeam.core.registry import op, raw
from hornbeam.core.tensor_shape import Shape
from hornbeam.ops import shapes
from hornbeam.ops.array import as_array, bad, dense, rank_of, shape_of, size_of
from hornbeam.ops.xp import ints, known, static, xp

_MASKS = ("begin_mask", "end_mask", "ellipsis_mask", "new_axis_mask", "shrink_axis_mask")
_MASK_ATTRS = "; ".join(f"{m}: int = 0" for m in _MASKS)
_SLICE_TYPES = "Index: {int32, int64}"


# --- StridedSlice ---
@dataclass(frozen=True, slots=True)
class Item:
    """What a strided slice does with one input dimension; None for a bound that is not known yet."""

    begin: int | None
    end: int | None
    stride: int | None
    full_begin: bool
    full_end: bool
    shrink: bool
    spec: int  # which element of begin/end/strides, -1 for a dimension that the ellipsis covers


@dataclass(frozen=True, slots=True)
class Plan:
    """A strided slice over dense dimensions, and its final shape as a list of input dims (int), new axes (-1)."""

    items: tuple[Item, ...]
    final: tuple[int, ...]


def plan_slice(
    rank: int, begin: Sequence[Any], end: Sequence[Any], strides: Sequence[Any], masks: Sequence[int]
) -> Plan:
    """Resolves ellipsis and new axes: one Item per input dimension. Raises ValueError as TensorFlow words it."""
    begin_mask, end_mask, ellipsis_mask, new_axis_mask, shrink_mask = masks
    if ellipsis_mask and ellipsis_mask & (ellipsis_mask - 1):
        raise ValueError("Multiple ellipses in slice spec not allowed")
    n = len(begin)
    at_ellipsis = next((i for i in range(n) if ellipsis_mask >> i & 1), n)
    used = sum(1 for i in range(n) if i != at_ellipsis and not (new_axis_mask >> i & 1))
    if used > rank:
        raise ValueError(f"Index out of range using input dim {rank}; input has only {rank} dims")
    items: list[Item] = []
    final: list[int] = []

    def rest(k: int) -> None:
        for _ in range(k):
            final.append(len(items))
            items.append(Item(None, None, 1, True, True, False, -1))

    for i in range(n):
        bit = 1 << i
        if i == at_ellipsis:
            rest(rank - used)
        elif new_axis_mask & bit:
            final.append(-1)
        else:
            shrink = bool(shrink_mask & bit)
            if strides[i] == 0:
                raise ValueError(f"strides[{i}] must be non-zero")
            if shrink and strides[i] is not None and strides[i] < 0:
                raise ValueError("only stride 1 allowed on non-range indexing.")
            full_b, full_e = bool(begin_mask & bit) and not shrink, bool(end_mask & bit) and not shrink
            if not shrink:
                final.append(len(items))
            items.append(Item(begin[i], end[i], strides[i], full_b, full_e, shrink, i))
    if at_ellipsis == n:
        rest(rank - len(items))
    return Plan(tuple(items), tuple(final))


def bounds(item: Item, size: int) -> tuple[int, int, int]:
    """(begin, stride, count) of a range item with everything known, on a dimension of `size`."""
    step = item.stride
    assert step is not None
    if item.spec < 0:
        return 0, 1, size
    low, high = (0, size) if step > 0 else (-1, size - 1)

    def clip(v: int) -> int:
        return min(max(v + size if v < 0 else v, low), high)

    b = (low if step > 0 else high) if item.full_begin else clip(item.begin)  # type: ignore[arg-type]
    e = (high if step > 0 else low) if item.full_end else clip(item.end)  # type: ignore[arg-type]
    return b, step, max(0, -(-(e - b) // step) if step > 0 else -(-(b - e) // -step))


def _item_known(item: Item) -> bool:
    return (
        item.spec < 0
        or item.stride is not None
        and (
            item.begin is not None
            if item.shrink
            else (item.full_begin or item.begin is not None) and (item.full_end or item.end is not None)
        )
    )


def _masks(source: Any) -> list[int]:
    return [source.attr(m) for m in _MASKS]


def _sliced_dim(item: Item, d: int | None, c: InferenceContext) -> int | None:
    if item.spec < 0 or (item.full_begin and item.full_end and item.stride in (1, -1)):
        return d
    if not _item_known(item):
        return None
    if d is not None:
        return bounds(item, d)[2]
    # an interval that does not depend on the size: both ends given, on the same side
    b, e, s = item.begin, item.end, item.stride
    assert s is not None
    if item.full_begin and s > 0 and e is not None and e == 0:
        return 0
    if not item.full_begin and not item.full_end and b is not None and e is not None and (b < 0) == (e < 0):
        if (s > 0 and b >= e) or (s < 0 and b <= e):
            return 0
    return None


def _strided_slice_shape(c: InferenceContext) -> list[Shape]:
    s = c.shape(0)
    begin, end, strides = (partial_vector(t) for t in c.op._inputs[1:4])
    n = next((len(v) for v in (begin, end, strides) if v is not None), None)
    if s is None or n is None:
        return [None]
    none = [None] * n
    try:
        plan = plan_slice(len(s), begin or none, end or none, strides or none, _masks(c))
    except ValueError as e:
        raise c.fail(f"slice {e}" if False else str(e)) from None
    for i, item in enumerate(plan.items):
        if item.shrink and item.begin is not None and s[i] is not None and not -s[i] <= item.begin < s[i]:  # type: ignore[operator]
            raise c.fail(f"slice index {item.begin} of dimension {i} out of bounds.")
    return [tuple(1 if f < 0 else _sliced_dim(plan.items[f], s[f], c) for f in plan.final)]


def _known_parts(ctx: Any, index: int, value: Any) -> list[int | None]:
    """The elements of a slice bound: from its value, or, for a traced one, what the graph says of its elements."""
    if known(value):
        return [int(v) for v in np.asarray(value).reshape(-1)]
    if ctx is None:
        return [None] * value.shape[0]
    parts = partial_vector(ctx.op.inputs[index])
    return parts if parts is not None and len(parts) == value.shape[0] else [None] * value.shape[0]


def _final_reshape(x: Any, plan: Plan, dims: Sequence[int]) -> Any:
    target = tuple(1 if f < 0 else dims[f] for f in plan.final)
    return as_array(x) if tuple(x.shape) == target else x.reshape(target)


def cut(x: Any, ranges: Sequence[tuple[int, int, int]]) -> Any:
    """Elements (start, count, step) of each dimension."""
    if known(x):
        return x[tuple(slice(a, None if a + k * n < 0 else a + k * n, k) for a, n, k in ranges)]
    if all(a == 0 and n == d and k == 1 for (a, n, k), d in zip(ranges, x.shape, strict=True)):
        return x
    low, high, steps, turned = _window(ranges)
    y = lax.slice(x, low, high, steps)
    return lax.rev(y, turned) if turned else y


def _window(ranges: Sequence[tuple[int, int, int]]) -> tuple[list[int], list[int], list[int], list[int]]:
    """(starts, limits, steps, axes to reverse) of forward slices that hold the same elements."""
    low, high, steps, turned = [], [], [], []
    for i, (a, n, k) in enumerate(ranges):
        last = a + (n - 1) * k
        if n == 0:
            a = last = 0
            k = 1
        if k < 0 and n:
            turned.append(i)
        low.append(min(a, last))
        high.append(max(a, last) + 1 if n else 0)
        steps.append(abs(k))
    return low, high, steps, turned


def strided(input: Any, begin: Any, end: Any, strides: Any, masks: Sequence[int], ctx: Any, first: int = 1) -> Any:
    """The kernel of StridedSlice; `first` is the input number of `begin` (for traced bounds, see `_known_parts`)."""
    b, e, s = (_known_parts(ctx, first + k, v) for k, v in enumerate((begin, end, strides)))
    try:
        plan = plan_slice(len(input.shape), b, e, s, masks)
    except ValueError as error:
        raise bad(str(error)) from None
    traced: list[tuple[int, Any, int]] = []
    ranges: list[tuple[int, int, int]] = []
    for i, (item, size) in enumerate(zip(plan.items, input.shape, strict=True)):
        if item.shrink and item.begin is not None:
            ranges.append((_position(item.begin, size, i), 1, 1))
        elif item.shrink:
            ranges.append((0, size, 1))
            traced.append((i, begin[item.spec], 1))
        elif _item_known(item):
            at, step, count = bounds(item, size)
            ranges.append((at, count, step))
        else:
            width = None if ctx is None or item.stride != 1 else _traced_width(ctx, first, item.spec, masks)
            if not width or size % width:  # else the slice may be cut short at the end: its width is not known
                static(begin if item.begin is None and not item.full_begin else end)
                static(strides)
            ranges.append((0, size, 1))
            traced.append((i, begin[item.spec], int(width or 0)))
    out = cut(input, ranges)
    for axis, start, width in traced:
        size = input.shape[axis]
        start = jnp.asarray(start)
        out = lax.dynamic_slice_in_dim(jnp.asarray(out), jnp.where(start < 0, start + size, start), width, axis)
    return _final_reshape(out, plan, list(out.shape))


def _position(index: int, size: int, dimension: int) -> int:
    if not -size <= index < size:
        raise bad(f"slice index {index} of dimension {dimension} out of bounds.")
    return index % size


def _traced_width(ctx: Any, first: int, k: int, masks: Sequence[int]) -> int | None:
    """The width of `x[i : i + n]` when i is traced: n, if the graph shows that end = begin + n."""
    from hornbeam.ops.affine import difference

    if (masks[0] | masks[1]) >> k & 1:
        return None
    width = difference(ctx.op.inputs[first + 1], ctx.op.inputs[first], k)
    return width if width is not None and width >= 0 else None


@op(
    f"StridedSlice(input: T, begin: Index, end: Index, strides: Index) -> (output: T); T: type; Index: {{int16, int32, int64}}; {_MASK_ATTRS}",
    shape=_strided_slice_shape,
    numpy=True,
)
def StridedSlice(input, begin, end, strides, begin_mask, end_mask, ellipsis_mask, new_axis_mask, shrink_axis_mask, ctx):
    return strided(
        input, begin, end, strides, (begin_mask, end_mask, ellipsis_mask, new_axis_mask, shrink_axis_mask), ctx
    )


def _mask_kwargs(op: Any) -> dict[str, int]:
    return {m: op._attrs[m] for m in _MASKS}


@StridedSlice.gradient
def _(op, grad):
    x, begin, end, strides = op.inputs
    shape = shape_of(x, begin.dtype)
    return [raw.StridedSliceGrad(shape, begin, end, strides, dense(grad), **_mask_kwargs(op)), None, None, None]


def _place(base: Any, value: Any, bounds_: tuple[Any, Any, Any], masks: Sequence[int], ctx: Any, first: int = 1) -> Any:
    """`base` (None: zeros) with the slice replaced by `value`, whose shape is the slice's; a traced stride-1 begin is fine."""
    shape, base = (base, None) if isinstance(base, tuple) else (tuple(base.shape), base)
    begin, end, strides = bounds_
    b, e, s = (_known_parts(ctx, first + k, v) for k, v in enumerate(bounds_))
    try:
        plan = plan_slice(len(shape), b, e, s, masks)
    except ValueError as error:
        raise bad(str(error)) from None
    given = dict(zip(plan.final, value.shape, strict=True)) if len(value.shape) == len(plan.final) else None
    if given is None and not all(
        _item_known(i) for i in plan.items
    ):  # what is broadcast does not tell the slice's size
        static(begin), static(end), static(strides)
    starts: list[Any] = []
    ranges: list[tuple[int, int, int]] = []
    for i, (item, size) in enumerate(zip(plan.items, shape, strict=True)):
        if item.shrink and item.begin is not None:
            ranges.append((_position(item.begin, size, i), 1, 1))
            starts.append(ranges[-1][0])
        elif item.shrink or not _item_known(item):
            start = jnp.asarray(0 if item.full_begin else begin[item.spec])
            starts.append(jnp.where(start < 0, start + size, start))
            ranges.append((-1, 1 if item.shrink else given[i], item.stride or 0))  # type: ignore[index]
        else:
            at, step, count = bounds(item, size)
            ranges.append((at, count, step))
            starts.append(at)
    traced = any(a < 0 for a, _, _ in ranges)
    if traced and any(k != 1 for _, _, k in ranges):
        static(begin), static(end), static(strides)
    final = tuple(1 if f < 0 else ranges[f][1] for f in plan.final)
    if tuple(value.shape) != final:
        try:
            value = xp.broadcast_to(value, final)
        except ValueError:
            raise bad(
                f"shape of the value {list(value.shape)} does not match the shape of the slice {list(final)}"
            ) from None
    value = value.reshape(tuple(n for _, n, _ in ranges))
    if not traced and known(value) and (base is None or known(base)):
        out = np.zeros(shape, value.dtype) if base is None else np.array(base)
        out[tuple(slice(a, None if a + k * n < 0 else a + k * n, k) for a, n, k in ranges)] = value
        return out
    if not traced and base is None:  # zeros around and between: one pad
        if 0 in value.shape:
            return np.zeros(shape, value.dtype)
        low, high, steps, turned = _window(ranges)
        value = jnp.asarray(value)
        value = lax.rev(value, turned) if turned else value
        edges = [(a, d - h, k - 1) for a, h, k, d in zip(low, high, steps, shape, strict=True)]
        return lax.pad(value, np.zeros((), value.dtype), edges)
    base = jnp.zeros(shape, value.dtype) if base is None else jnp.asarray(base)
    if all(k == 1 for _, _, k in ranges):
        return lax.dynamic_update_slice(base, jnp.asarray(value), [jnp.asarray(a, jnp.int32) for a in starts])
    return base.at[tuple(slice(a, None if a + k * n < 0 else a + k * n, k) for a, n, k in ranges)].set(value)


@op(
    f"StridedSliceGrad(shape: Index, begin: Index, end: Index, strides: Index, dy: T) -> (output: T); T: type; {_SLICE_TYPES}; {_MASK_ATTRS}",
    shape=lambda c: [c.partial(0)],
)
def StridedSliceGrad(
    shape, begin, end, strides, dy, begin_mask, end_mask, ellipsis_mask, new_axis_mask, shrink_axis_mask, ctx
):
    masks = (begin_mask, end_mask, ellipsis_mask, new_axis_mask, shrink_axis_mask)
    return _place(ints(shape), dy, (begin, end, strides), masks, ctx)


@StridedSliceGrad.gradient
def _(op, grad):
    return [
        None,
        None,
        None,
        None,
        raw.StridedSlice(grad, op.inputs[1], op.inputs[2], op.inputs[3], **_mask_kwargs(op)),
    ]


@op(
    f"TensorStridedSliceUpdate(input: T, begin: Index, end: Index, strides: Index, value: T) -> (output: T); T: type; "
    f"{_SLICE_TYPES}; {_MASK_ATTRS}",
    shape=shapes.unchanged,
)
def TensorStridedSliceUpdate(
    input, begin, end, strides, value, begin_mask, end_mask, ellipsis_mask, new_axis_mask, shrink_axis_mask, ctx
):
    masks = (begin_mask, end_mask, ellipsis_mask, new_axis_mask, shrink_axis_mask)
    return _place(input, value, (begin, end, strides), masks, ctx)


@TensorStridedSliceUpdate.gradient
def _(op, grad):
    _, begin, end, strides, value = op.inputs
    kept = raw.TensorStridedSliceUpdate(grad, begin, end, strides, raw.ZerosLike(value), **_mask_kwargs(op))
    return [kept, None, None, None, raw.StridedSlice(grad, begin, end, strides, **_mask_kwargs(op))]


@op(
    f"StridedSliceAssign(ref: Ref(T), begin: Index, end: Index, strides: Index, value: T) -> (output_ref: Ref(T)); T: type; "
    f"{_SLICE_TYPES}; {_MASK_ATTRS}",
    shape=shapes.unchanged,
    stateful=True,
)
def StridedSliceAssign(
    ref, begin, end, strides, value, begin_mask, end_mask, ellipsis_mask, new_axis_mask, shrink_axis_mask, ctx
):
    masks = (begin_mask, end_mask, ellipsis_mask, new_axis_mask, shrink_axis_mask)
    ctx.write(ref, _place(ctx.read(ref), value, (begin, end, strides), masks, ctx))
    return ref


@op(
    f"ResourceStridedSliceAssign(ref: resource, begin: Index, end: Index, strides: Index, value: T) -> (); T: type; "
    f"{_SLICE_TYPES}; {_MASK_ATTRS}",
    shape=lambda c: [],
    stateful=True,
)
def ResourceStridedSliceAssign(
    ref, begin, end, strides, value, begin_mask, end_mask, ellipsis_mask, new_axis_mask, shrink_axis_mask, ctx
):
    masks = (begin_mask, end_mask, ellipsis_mask, new_axis_mask, shrink_axis_mask)
    ctx.write(ref, _place(ctx.read(ref), value, (begin, end, strides), masks, ctx))


# --- Slice ---
def _slice_shape(c: InferenceContext) -> list[Shape]:
    s = c.shape(0)
    begin, size = (partial_vector(t) for t in c.op._inputs[1:3])
    rank = len(s) if s is not None else next((len(v) for v in (begin, size) if v is not None), None)
    if rank is None:
        return [None]
    dims = s if s is not None else (None,) * rank
    for v in (begin, size):
        if v is not None and len(v) != rank:
            raise c.fail(f"Shape must be rank {len(v)} but is rank {rank}")
    begin, size = begin or [None] * rank, size or [None] * rank
    out: list[int | None] = []
    for i, (d, b, n) in enumerate(zip(dims, begin, size, strict=True)):
        if n == -1:
            n = None if d is None or b is None else d - b
            if n is not None and n < 0:
                raise c.fail(f"Negative dimension size caused by subtracting {b} from {d}")
        elif n is not None and n < -1:
            raise c.fail(f"Expected size[{i}] >= -1, got {n}")
        out.append(n)
    return [tuple(out)]


@op(
    "Slice(input: T, begin: Index, size: Index) -> (output: T); T: type; Index: {int32, int64}",
    shape=_slice_shape,
    numpy=True,
)
def Slice(input, begin, size, ctx):
    rank = len(input.shape)
    if begin.shape != (rank,) or size.shape != (rank,):
        raise bad(
            f"Expected begin and size arguments to be 1-D tensors of size {rank}, but got shapes {list(begin.shape)} and "
            f"{list(size.shape)} instead."
        )
    b, n = _known_parts(ctx, 1, begin), _known_parts(ctx, 2, size)
    ranges: list[tuple[int, int, int]] = []
    traced: list[tuple[int, int]] = []
    for i, d in enumerate(input.shape):
        if n[i] is None and d == 1:
            n[i] = 1
        if n[i] is None:
            static(size)
        if b[i] is None and (n[i] == d or n[i] == -1 and d == 1):
            b[i] = 0
        if b[i] is None:
            if n[i] == -1:
                static(begin)
            traced.append((i, int(n[i] or 0)))
            ranges.append((0, d, 1))
            continue
        at = int(b[i] or 0)
        width = d - at if n[i] == -1 else int(n[i] or 0)
        if not 0 <= at <= d:
            raise bad(f"Expected begin[{i}] in [0, {d}], but got {at}")
        if not 0 <= width <= d - at:
            raise bad(f"Expected size[{i}] in [0, {d - at}], but got {width}")
        ranges.append((at, width, 1))
    out = cut(input, ranges)
    for i, width in traced:
        out = lax.dynamic_slice_in_dim(jnp.asarray(out), begin[i], width, i)
    return as_array(out)


@Slice.gradient
def _(op, grad):
    x, begin, _ = op.inputs
    if constant_value(begin) is None:  # a position known at run time only: write the gradient there instead of padding
        size = shape_of(op.outputs[0], begin.dtype)
        placed = raw.TensorStridedSliceUpdate(
            raw.ZerosLike(x), begin, raw.AddV2(begin, size), raw.OnesLike(begin), dense(grad)
        )
        return [placed, None, None]
    shape = raw.Pack([rank_of(x), 1], name="stack")
    size = shape_of(op.outputs[0], begin.dtype)
    before = raw.Reshape(begin, shape)
    after = raw.Reshape(raw.Sub(raw.Sub(shape_of(x, begin.dtype), size, name="sub"), begin, name="sub"), shape)
    return [raw.Pad(dense(grad), raw.ConcatV2([before, after], 1, name="concat")), None, None]


# --- Split ---
def _split_shape(c: InferenceContext) -> list[Shape]:
    s, axis, n = c.shape(1), c.value(0), c.n_outputs
    if s is None:
        return [None] * n
    if axis is None:
        return [(None,) * len(s)] * n
    a = int(axis.reshape(-1)[0])
    if not -len(s) <= a < len(s):
        raise c.fail(f"Dimension size, given by scalar input {a} must be in range [{-len(s)}, {len(s)})")
    a %= len(s)
    if s[a] is not None and s[a] % n:  # type: ignore[operator]
        raise c.fail(f"Dimension size must be evenly divisible by {n} but is {s[a]}")
    return [(*s[:a], None if s[a] is None else s[a] // n, *s[a + 1 :])] * n  # type: ignore[operator]


def _pieces(value: Any, sizes: Sequence[int], axis: int) -> tuple[Any, ...]:
    full = [(0, d, 1) for d in value.shape]
    out, at = [], 0
    for n in sizes:
        out.append(cut(value, [*full[:axis], (at, n, 1), *full[axis + 1 :]]))
        at += n
    return tuple(out)


def _axis(value: Any, rank: int, what: str) -> int:
    a = int(static(value).reshape(-1)[0])
    if not -rank <= a < rank:
        raise bad(f"{what} must be in range [{-rank}, {rank}), got {a}")
    return a % rank


@op(
    "Split(split_dim: int32, value: T) -> (output: num_split * T); num_split: int >= 1; T: type",
    shape=_split_shape,
    numpy=True,
)
def Split(split_dim, value, num_split):
    a = _axis(split_dim, len(value.shape), "split_dim")
    if value.shape[a] % num_split:
        raise bad(
            f"Number of ways to split should evenly divide the split dimension, but got split_dim {a} (size = "
            f"{value.shape[a]}) and num_split {num_split}"
        )
    return _pieces(value, [value.shape[a] // num_split] * num_split, a)


@Split.gradient
def _(op, *grads):
    return [None, raw.ConcatV2(list(grads), op.inputs[0], name="concat") if len(grads) > 1 else raw.Identity(grads[0])]


def _split_v_shape(c: InferenceContext) -> list[Shape]:
    s, axis, n = c.shape(0), c.value(2), c.n_outputs
    sizes = partial_vector(c.op._inputs[1])
    if s is None:
        return [None] * n
    if axis is None:
        return [(None,) * len(s)] * n if n > 1 else [s]
    a = int(axis.reshape(-1)[0])
    if not -len(s) <= a < len(s):
        raise c.fail(f"Dimension size, given by scalar input {a} must be in range [{-len(s)}, {len(s)})")
    a %= len(s)
    if sizes is None:
        sizes = [None] * n
    if len(sizes) != n:
        raise c.fail("Length of size_splits should be equal to num_outputs")
    known_sum = sum(v for v in sizes if v is not None and v >= 0)
    if s[a] is not None and None not in sizes:
        if sizes.count(-1) == 1 and known_sum <= s[a]:  # type: ignore[operator]
            sizes = [s[a] - known_sum if v == -1 else v for v in sizes]  # type: ignore[operator]
        elif -1 in sizes or known_sum != s[a]:
            raise c.fail(f"can't split axis of size {s[a]} into pieces of size {sizes}")
    return [(*s[:a], None if v is None or v < 0 else v, *s[a + 1 :]) for v in sizes]


@op(
    "SplitV(value: T, size_splits: Tlen, split_dim: int32) -> (output: num_split * T); num_split: int >= 1; T: type; "
    "Tlen: {int8, int32, int64} = int64",
    shape=_split_v_shape,
    numpy=True,
)
def SplitV(value, size_splits, split_dim, num_split):
    a = _axis(split_dim, len(value.shape), "split_dim")
    sizes = list(ints(size_splits))
    if -1 in sizes:
        i = sizes.index(-1)
        sizes[i] = value.shape[a] - sum(v for k, v in enumerate(sizes) if k != i)
    if sum(sizes) != value.shape[a] or min(sizes, default=0) < 0 or len(sizes) != num_split:
        raise bad(
            f"Determined shape must either match input shape along split_dim exactly if fully specified, or be less than the "
            f"size of the input along split_dim if not fully specified.  Got: {sum(sizes)} for {value.shape[a]}"
        )
    return _pieces(value, sizes, a)


@SplitV.gradient
def _(op, *grads):
    return [
        raw.ConcatV2(list(grads), op.inputs[2], name="concat") if len(grads) > 1 else raw.Identity(grads[0]),
        None,
        None,
    ]


# --- Tile ---
def _tile_shape(c: InferenceContext) -> list[Shape]:
    s, m = c.shape(0), c.partial(1)
    if m is None:
        n = c.shape(1)
        return [None if s is None and (n is None or n[0] is None) else (None,) * (len(s) if s is not None else n[0])]  # type: ignore[index, operator]
    if s is None:
        return [tuple(0 if k == 0 else None for k in m)]
    if len(s) != len(m):
        raise c.fail(f"Shape must be rank {len(m)} but is rank {len(s)}")
    return [
        tuple(0 if d == 0 or k == 0 else None if d is None or k is None else d * k for d, k in zip(s, m, strict=True))
    ]


@op(
    "Tile(input: T, multiples: Tmultiples) -> (output: T); T: type; Tmultiples: {int32, int64} = int32",
    shape=_tile_shape,
    numpy=True,
)
def Tile(input, multiples):
    reps = ints(multiples)
    if len(reps) != len(input.shape):
        raise bad(f"Expected multiples argument to be a vector of length {len(input.shape)} but got length {len(reps)}")
    if any(m < 0 for m in reps):
        raise bad(f"Expected multiples[{next(i for i, m in enumerate(reps) if m < 0)}] >= 0, but got {min(reps)}")
    return xp.tile(input, reps) if reps else input


@Tile.gradient
def _(op, grad):
    x, multiples = op.inputs
    pairs = raw.Transpose(raw.Pack([multiples, shape_of(x, multiples.dtype)], name="stack"), [1, 0], name="transpose")
    split = raw.Reshape(pairs, [-1])
    total = raw.Sum(raw.Reshape(dense(grad), split), raw.Range(0, size_of(split), 2, name="range"))
    total.set_shape(x._shape)
    return [total, None]


@op("TileGrad(input: T, multiples: int32) -> (output: T); T: type")
def TileGrad(input, multiples):
    reps = ints(multiples)
    shape: list[int] = []
    for d, m in zip(input.shape, reps, strict=True):
        shape += [m, d // m if m else 0]
    return xp.sum(input.reshape(tuple(shape)), axis=tuple(range(0, len(shape), 2)), dtype=input.dtype)
