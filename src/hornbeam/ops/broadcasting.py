"""Undoing broadcasts in gradients: a gradient of the broadcast shape summed back to its input's shape, with as few nodes as static shapes allow."""

from __future__ import annotations

from typing import Any

import numpy as np

from hornbeam.core import errors
from hornbeam.core.constant import const_node
from hornbeam.core.gradients import needed_inputs
from hornbeam.core.graph import InferenceContext, Tensor
from hornbeam.core.registry import no_gradient, op, raw
from hornbeam.core.tensor_shape import Shape
from hornbeam.ops.xp import ints


def _gradient_args_shape(c: InferenceContext) -> list[Shape]:
    for i in (0, 1):
        s = c.shape(i)
        if s is not None and len(s) != 1:
            raise c.fail(f"Shape must be rank 1 but is rank {len(s)}")
    return [(None,), (None,)]


@op(
    "BroadcastGradientArgs(s0: T, s1: T) -> (r0: T, r1: T); T: {int32, int64} = int32",
    shape=_gradient_args_shape,
    numpy=True,
)
def BroadcastGradientArgs(s0, s1, T):
    """The axes over which gradients of operands with shapes s0 and s1 are summed."""
    a, b = ints(s0), ints(s1)
    n = max(len(a), len(b))
    pa, pb = (1,) * (n - len(a)) + a, (1,) * (n - len(b)) + b
    if any(p != q and p != 1 and q != 1 for p, q in zip(pa, pb)):
        raise errors.InvalidArgumentError(None, None, f"Incompatible shapes: {list(a)} vs. {list(b)}")
    r0, r1 = ([], []) if a == b else ([i for i in range(n) if pa[i] == 1], [i for i in range(n) if pb[i] == 1])
    return np.array(r0, T.np), np.array(r1, T.np)


no_gradient("BroadcastGradientArgs")


def summed_axes(x: Shape, other: Shape) -> list[int] | None:
    """Axes of broadcast(x, other) that x's gradient is summed over, when the static shapes tell; else None."""
    if x is None or other is None:
        return None
    n = max(len(x), len(other))
    px, po = n - len(x), n - len(other)
    axes = list(range(px))
    for i in range(px, n):
        d = x[i - px]
        o = 1 if i < po else other[i - po]
        if d == 1:
            if o != 1:
                axes.append(i)
        elif d is None and o != 1:
            return None
    return axes


def sum_axes(grad: Tensor, x: Tensor, axes: list[int], rank: int) -> Tensor:
    """`grad` (of rank `rank`) summed over `axes`, in x's shape."""
    if not axes:
        return grad
    shape = x._shape
    assert shape is not None
    leading = rank - len(shape)
    if axes[-1] < leading:
        return raw.Sum(grad, np.array(axes, np.int32))  # type: ignore[no-any-return]
    if leading == 0:
        return raw.Sum(grad, np.array(axes, np.int32), keep_dims=True)  # type: ignore[no-any-return]
    grad = raw.Sum(grad, np.array(axes, np.int32))
    # the dimensions of size one inside x come back; -1 stands for the only unknown one
    if shape.count(None) <= 1:
        return raw.Reshape(grad, np.array([-1 if d is None else d for d in shape], np.int32))  # type: ignore[no-any-return]
    return raw.Reshape(grad, raw.Shape(x))  # type: ignore[no-any-return]


def unbroadcast(grad: Tensor, x: Tensor, other: Tensor | None = None) -> Tensor:
    """`grad`, of the shape x was broadcast to (with `other`, when given), summed to x's shape."""
    shape = x._shape
    target = grad._shape if other is None else other._shape
    if shape is not None and shape == target and None not in shape:
        return grad
    axes = summed_axes(shape, target)
    if axes is not None:
        return sum_axes(grad, x, axes, max(len(shape), len(target)))  # type: ignore[arg-type]
    sx = raw.Shape(x)
    rx, _ = BroadcastGradientArgs(sx, raw.Shape(grad if other is None else other))
    return raw.Reshape(raw.Sum(grad, rx), sx)  # type: ignore[no-any-return]


def unbroadcast_pair(op: Any, by_x: Any, by_y: Any) -> list[Tensor | None]:
    """The two gradients of a binary op, each summed to its input's shape. A gradient may be given as a function, which is
    called only if someone needs it."""
    x, y = op._inputs
    need_x, need_y = needed_inputs(op)
    gx = (by_x() if callable(by_x) else by_x) if need_x else None
    gy = (by_y() if callable(by_y) else by_y) if need_y else None
    sx, sy = x._shape, y._shape
    if sx is not None and sx == sy and None not in sx:
        return [gx, gy]
    ax, ay = summed_axes(sx, sy), summed_axes(sy, sx)
    if (ax is not None or gx is None) and (ay is not None or gy is None):
        rank = max(len(sx), len(sy))  # type: ignore[arg-type]
        return [None if gx is None else sum_axes(gx, x, ax, rank), None if gy is None else sum_axes(gy, y, ay, rank)]  # type: ignore[arg-type]
    nx, ny = raw.Shape(x), raw.Shape(y)
    rx, ry = BroadcastGradientArgs(nx, ny)
    if gx is not None:
        gx = raw.Reshape(raw.Sum(gx, rx), nx)
    if gy is not None:
        gy = raw.Reshape(raw.Sum(gy, ry), ny)
    return [gx, gy]


def like(value: Any, t: Tensor) -> Tensor:
    """A scalar constant of t's dtype."""
    dtype = t._dtype._base
    return const_node(np.asarray(value, dtype.np), dtype)


def conj(t: Tensor) -> Tensor:
    """The complex conjugate; real tensors as they are, without a node."""
    return raw.Conj(t) if t._dtype.is_complex else t
