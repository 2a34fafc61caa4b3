"""Slices of tensors: StridedSlice with its gradient and assignments, Slice, Split, Pad, Reverse, Tile and their like."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from hornbeam.core.constant import partial_vector
from hornbeam.core.graph import InferenceContext
from hornbeam.core.lazy import jnp, lax
from hornbeam.core.registry import no_gradient, op, raw
from hornbeam.core.tensor_shape import Shape
from hornbeam.ops.array import as_array, bad, dense, shape_of
from hornbeam.ops.xp import known, static

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
        if item.shrink and item.begin is not None and s[i] is not None and not -s[i] <= item.begin < s[i]:
            raise c.fail(f"slice index {item.begin} of dimension {i} out of bounds.")
    return [tuple(1 if f < 0 else _sliced_dim(plan.items[f], s[f], c) for f in plan.final)]


def _known_parts(ctx: Any, index: int, value: Any) -> list[int | None]:
    """The elements of a slice bound: from its value, or, for a traced one, what the graph says of its elements."""
    if known(value):
        return [int(v) for v in np.asarray(value).reshape(-1)]
    if ctx is None:
        return [None] * value.shape[0]
    parts = partial_vector(ctx.node.inputs[index])
    return parts if parts is not None and len(parts) == value.shape[0] else [None] * value.shape[0]


def _final_reshape(x: Any, plan: Plan, dims: Sequence[int]) -> Any:
    target = tuple(1 if f < 0 else dims[f] for f in plan.final)
    return as_array(x) if tuple(x.shape) == target else x.reshape(target)


def strided(input: Any, begin: Any, end: Any, strides: Any, masks: Sequence[int], ctx: Any, first: int = 1) -> Any:
    """The kernel of StridedSlice; `first` is the input number of `begin` (for traced bounds, see `_known_parts`)."""
    parts = [_known_parts(ctx, first + k, v) for k, v in enumerate((begin, end, strides))]
    try:
        plan = plan_slice(len(input.shape), *parts, masks)
    except ValueError as e:
        raise bad(str(e)) from None
    traced: list[tuple[int, Any, int]] = []
    index: list[Any] = []
    for i, (item, size) in enumerate(zip(plan.items, input.shape, strict=True)):
        if item.shrink and item.begin is not None:
            if not -size <= item.begin < size:
                raise bad(f"slice index {item.begin} of dimension {i} out of bounds.")
            at = item.begin % size
            index.append(slice(at, at + 1))
        elif item.shrink:
            index.append(slice(None))
            traced.append((i, begin[item.spec], 1))
        elif _item_known(item):
            b, step, count = bounds(item, size)
            stop = b + step * count
            index.append(slice(b, None if stop < 0 else stop, step))
        else:
            width = None if ctx is None or item.stride != 1 else _traced_width(ctx, first, item.spec, masks)
            if not width or size % width:  # else the slice may be cut short at the end: its width is not known
                static(begin if item.begin is None and not item.full_begin else end)
                static(strides)
            index.append(slice(None))
            traced.append((i, begin[item.spec], width))  # type: ignore[arg-type]
    out = input[tuple(index)]
    for axis, start, width in traced:
        size = input.shape[axis]
        start = jnp.asarray(start)
        out = lax.dynamic_slice_in_dim(jnp.asarray(out), jnp.where(start < 0, start + size, start), width, axis)
    dims = list(out.shape)
    return _final_reshape(out, plan, dims)


def _traced_width(ctx: Any, first: int, k: int, masks: Sequence[int]) -> int | None:
    """The width of `x[i : i + n]` when i is traced: n, if the graph shows that end = begin + n."""
    from hornbeam.ops.affine import difference

    if (masks[0] | masks[1]) >> k & 1:
        return None
    width = difference(ctx.node.inputs[first + 1], ctx.node.inputs[first], k)
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
