"""`tf.clip_by_value`, `tf.clip_by_norm`, `tf.clip_by_global_norm`, `tf.clip_by_average_norm`, `tf.global_norm`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from hornbeam.api.reduction_ops import reduce_sum
from hornbeam.core.constant import const_node
from hornbeam.core.graph import IndexedSlices, Tensor, colocate_with, convert_to_tensor, name_scope
from hornbeam.core.registry import raw


def _values(t: Any, name: str) -> Tensor:
    return convert_to_tensor(t.values if isinstance(t, IndexedSlices) else t, name=name)


def _like(t: Any, values: Tensor) -> Any:
    return IndexedSlices(values, t.indices, t.dense_shape) if isinstance(t, IndexedSlices) else values


def clip_by_value(t: Any, clip_value_min: Any, clip_value_max: Any, name: str | None = None) -> Any:
    """t with every element within [clip_value_min, clip_value_max]; the bounds may broadcast to t, not the other way round."""
    with name_scope(name, "clip_by_value", [t, clip_value_min, clip_value_max]) as scope:
        values = _values(t, "t")
        lower = raw.Minimum(values, clip_value_max)
        values.shape.assert_is_compatible_with(lower.shape)
        out = raw.Maximum(lower, clip_value_min, name=scope)
        values.shape.assert_is_compatible_with(out.shape)
        return _like(t, out)


def clip_by_norm(t: Any, clip_norm: Any, axes: Any = None, name: str | None = None) -> Any:
    """t scaled down so that its L2 norm (over `axes`, or all) is at most clip_norm."""
    with name_scope(name, "clip_by_norm", [t, clip_norm]) as scope:
        values = _values(t, "t")
        square = reduce_sum(raw.Mul(values, values, name="mul"), axes, keepdims=True)
        positive = raw.Greater(square, np.zeros((), values.dtype.np))
        # the square root of 0 has an infinite gradient, so 0 never reaches it
        safe = raw.Select(positive, square, raw.OnesLike(square))
        size = raw.Select(positive, raw.Sqrt(safe), square)
        scaled = raw.Mul(values, clip_norm, name="mul")
        values.shape.assert_is_compatible_with(scaled.shape)
        return _like(t, raw.Identity(raw.RealDiv(scaled, raw.Maximum(size, clip_norm), name="truediv"), name=scope))


def _check_list(t_list: Any) -> list[Any]:
    if not isinstance(t_list, Sequence) or isinstance(t_list, (str, bytes)):
        raise TypeError(f"`t_list` should be a sequence of tensors. Received {type(t_list)}.")
    return list(t_list)


def global_norm(t_list: Any, name: str | None = None) -> Tensor:
    """The L2 norm of all tensors together; None entries are left out."""
    items = _check_list(t_list)
    with name_scope(name, "global_norm", [t for t in items if t is not None]):
        halves = []
        for i, t in enumerate(items):
            if t is not None:
                v = _values(t, f"t_{i}")
                with colocate_with(v):
                    halves.append(raw.L2Loss(v))
        half = reduce_sum(raw.Pack(halves, name="stack"))
        two = const_node(np.asarray(2.0, half.dtype.np), half.dtype.base_dtype)
        return raw.Sqrt(raw.Mul(half, two, name="mul"), name="global_norm")  # type: ignore[no-any-return]


def clip_by_global_norm(
    t_list: Any, clip_norm: Any, use_norm: Any = None, name: str | None = None
) -> tuple[list[Any], Tensor]:
    """(the tensors, all scaled by clip_norm / global_norm where that is below 1; the global norm)."""
    items = _check_list(t_list)
    if use_norm is None:
        use_norm = global_norm(items, name)
    with name_scope(name, "clip_by_global_norm", [t for t in items if t is not None]) as scope:
        use_norm = convert_to_tensor(use_norm)
        one = const_node(np.asarray(1.0, use_norm.dtype.np), use_norm.dtype.base_dtype)
        ratio = raw.Minimum(1.0 / use_norm, one / clip_norm)
        # the second term makes it NaN if the norm is infinite or NaN
        scale = clip_norm * ratio + (use_norm - use_norm)
        clipped = []
        for i, t in enumerate(items):
            if t is None:
                clipped.append(None)
                continue
            v = _values(t, f"t_{i}")
            with colocate_with(v):
                clipped.append(_like(t, raw.Identity(raw.Mul(v, scale, name="mul"), name=f"{scope}_{i}")))
    return clipped, use_norm


def clip_by_average_norm(t: Any, clip_norm: Any, name: str | None = None) -> Tensor:
    """t scaled down so that its L2 norm over its number of elements is at most clip_norm."""
    with name_scope(name, "clip_by_average_norm", [t, clip_norm]) as scope:
        t = convert_to_tensor(t, name="t")
        n = raw.Cast(raw.Size(t), DstT="float32")
        inverse = raw.Rsqrt(reduce_sum(raw.Mul(t, t), raw.Range(0, raw.Rank(t), 1)))
        limit = raw.RealDiv(const_node(np.float32(1.0)), clip_norm)
        scaled = raw.Mul(raw.Mul(t, clip_norm), raw.Minimum(raw.Mul(inverse, n), limit))
        return raw.Identity(scaled, name=scope)  # type: ignore[no-any-return]


__tf_exports__ = {
    n: n for n in ("clip_by_value", "clip_by_norm", "clip_by_global_norm", "clip_by_average_norm", "global_norm")
} | {"linalg.global_norm": "global_norm"}
