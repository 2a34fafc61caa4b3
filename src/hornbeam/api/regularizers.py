"""`tf.contrib.layers` regularizers: functions of weights that return a loss, for `get_variable(regularizer=…)`."""

from __future__ import annotations

import logging
import numbers
from collections.abc import Callable, Sequence
from typing import Any

from hornbeam.core.constant import constant
from hornbeam.core.graph import GraphKeys, add_to_collection, convert_to_tensor, get_collection, name_scope
from hornbeam.core.registry import raw


def _strength(scale: Any) -> Any:
    """The scale, checked; None (for "off") when it is zero."""
    if isinstance(scale, numbers.Integral):
        raise ValueError(f"scale cannot be an integer: {scale}")
    if isinstance(scale, numbers.Real):
        if scale < 0.0:
            raise ValueError(f"Setting a scale less than 0 on a regularizer: {scale:g}")
        if scale == 0.0:
            logging.getLogger("tensorflow").info("Scale of 0 disables regularizer.")
            return None
    return scale


def _none(_: Any) -> None:
    return None


def _sum(t: Any) -> Any:
    rank = t.get_shape().ndims
    axes = constant(list(range(rank)), dtype="int32") if rank is not None else raw.Range(0, raw.Rank(t), 1)
    return raw.Sum(t, axes, name="Sum")


def l1_regularizer(scale: Any, scope: str | None = None) -> Callable[..., Any]:
    """`scale * sum(|weights|)`. ValueError for a negative or integer scale; a scale of 0.0 gives no loss."""
    if _strength(scale) is None:
        return _none

    def l1(weights: Any) -> Any:
        with name_scope(scope, "l1_regularizer", [weights]) as name:
            factor = convert_to_tensor(scale, dtype=weights.dtype.base_dtype, name="scale")
            return raw.Mul(factor, _sum(raw.Abs(weights)), name=name)

    return l1


def l2_regularizer(scale: Any, scope: str | None = None) -> Callable[..., Any]:
    """`scale * sum(weights²) / 2`."""
    if _strength(scale) is None:
        return _none

    def l2(weights: Any) -> Any:
        with name_scope(scope, "l2_regularizer", [weights]) as name:
            factor = convert_to_tensor(scale, dtype=weights.dtype.base_dtype, name="scale")
            return raw.Mul(factor, raw.L2Loss(weights), name=name)

    return l2


def l1_l2_regularizer(scale_l1: Any = 1.0, scale_l2: Any = 1.0, scope: str | None = None) -> Callable[..., Any]:
    """The sum of the l1 and the l2 regularizer."""
    for s in (scale_l1, scale_l2):
        if isinstance(s, numbers.Integral):
            raise ValueError(f"scale cannot be an integer: {s}")
    scope = scope or "l1_l2_regularizer"
    if scale_l1 == 0.0:
        return l2_regularizer(scale_l2, scope)
    if scale_l2 == 0.0:
        return l1_regularizer(scale_l1, scope)
    return sum_regularizer([l1_regularizer(scale_l1), l2_regularizer(scale_l2)], scope=scope)


def sum_regularizer(regularizer_list: Sequence[Any], scope: str | None = None) -> Any:
    """The regularizer that adds up those of the list that are not None; None when none is left."""
    kept = [r for r in regularizer_list if r is not None]
    if not kept:
        return None

    def sum_reg(weights: Any) -> Any:
        with name_scope(scope, "sum_regularizer", [weights]) as name:
            losses = [loss for loss in (r(weights) for r in kept) if loss is not None]
            return raw.AddN(losses, name=name) if len(losses) > 1 else losses[0]

    return sum_reg


def apply_regularization(regularizer: Callable[..., Any], weights_list: Sequence[Any] | None = None) -> Any:
    """The sum of the regularizer over the weights (the WEIGHTS collection by default), which joins REGULARIZATION_LOSSES."""
    if not weights_list:
        weights_list = get_collection(GraphKeys.WEIGHTS)
    if not weights_list:
        raise ValueError("No weights to regularize.")
    with name_scope("get_regularization_penalty", values=weights_list) as scope:
        penalties = [p if p is not None else constant(0.0) for p in (regularizer(w) for w in weights_list)]
        for p in penalties:
            if p.get_shape().ndims != 0:
                raise ValueError(
                    f"regularizer must return a scalar Tensor instead of a Tensor with rank {p.get_shape().ndims}."
                )
        total = raw.AddN(penalties, name=scope)
        add_to_collection(GraphKeys.REGULARIZATION_LOSSES, total)
        return total


_NAMES = "l1_regularizer l2_regularizer l1_l2_regularizer sum_regularizer apply_regularization"
__tf_exports__ = {f"contrib.layers.{n}": n for n in _NAMES.split()}
