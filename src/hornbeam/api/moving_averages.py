"""Moving averages of variables and tensors: `ExponentialMovingAverage` and the single updates it is made of."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import Any

from hornbeam.api import init_ops, slot_creator
from hornbeam.api._nodes import cast
from hornbeam.api.variable_scope import get_variable, get_variable_scope, variable_scope
from hornbeam.api.variables import (
    assign,
    assign_add,
    assign_sub,
    global_variables,
    moving_average_variables,
    trainable_variables,
)
from hornbeam.core import dtypes
from hornbeam.core.control import group
from hornbeam.core.graph import (
    GraphKeys,
    Tensor,
    add_to_collection,
    colocate_with,
    convert_to_tensor,
    device,
    get_default_graph,
    init_scope,
    name_scope,
)
from hornbeam.core.registry import raw
from hornbeam.core.variables import Variable


def assign_moving_average(
    variable: Any, value: Any, decay: Any, zero_debias: bool = True, name: str | None = None
) -> Any:
    """`variable = variable * decay + value * (1 - decay)`; returns the new value.

    `zero_debias` corrects for a start at zero with two variables of its own, `<variable>/biased` and `<variable>/local_step`.
    """
    with name_scope(name, "AssignMovingAvg", [variable, value, decay]) as scope:
        rate = convert_to_tensor(1.0 - decay, name="decay")
        if rate.dtype is not variable.dtype.base_dtype:
            rate = cast(rate, variable.dtype.base_dtype)
        if zero_debias:
            return _zero_debias(variable, value, rate, scope)
        return assign_sub(variable, (variable - value) * rate, name=scope)


def _zero_debias(unbiased: Any, value: Any, rate: Tensor, scope: str) -> Any:
    with (
        variable_scope(unbiased.op.name, values=[unbiased, value, rate]),
        name_scope(scope),
        colocate_with(unbiased.op),
    ):
        biased = _beside(_unique("biased"), unbiased.get_shape(), unbiased.dtype.base_dtype)
        steps = _beside(_unique("local_step"), [], unbiased.dtype.base_dtype)
    with name_scope(scope):
        updated = assign_sub(biased, (biased - value) * rate)
        count = assign_add(steps, 1)
        correction = 1 - raw.Pow(1.0 - rate, count)
        return assign(unbiased, updated / correction, name=scope)


def _beside(name: str, shape: Any, dtype: Any) -> Any:
    return get_variable(name, initializer=init_ops.Zeros(), shape=shape, dtype=dtype, trainable=False)


def _unique(name: str) -> str:
    """`name`, numbered if the current variable scope has such a variable and does not share it."""
    scope = get_variable_scope()
    if scope.reuse:
        return name
    taken = {v.op.name for v in scope.global_variables()}
    candidate, i = name, 0
    while f"{scope.name}/{candidate}" in taken:
        i += 1
        candidate = f"{name}_{i}"
    return candidate


def weighted_moving_average(
    value: Any, decay: Any, weight: Any, truediv: bool = True, collections: Any = None, name: str | None = None
) -> Tensor:
    """The moving average of `value * weight` divided by that of `weight`; it keeps both in variables it makes."""
    if collections is None:
        collections = [GraphKeys.GLOBAL_VARIABLES]
    with variable_scope(name, "WeightedMovingAvg", [value, weight, decay]) as scope:
        zeros = init_ops.Zeros()
        values, weights = (
            get_variable(
                n, shape=t.get_shape(), initializer=zeros, dtype=t.dtype, trainable=False, collections=collections
            )
            for n, t in (("value_x_weight", value), ("weight", weight))
        )
        numerator = assign_moving_average(values, value * weight, decay, zero_debias=False)
        denominator = assign_moving_average(weights, weight, decay, zero_debias=False)
        divide = raw.FloorDiv if not truediv and numerator.dtype.is_integer else raw.RealDiv
        return divide(numerator, denominator, name=scope.name)


class ExponentialMovingAverage:
    """Shadows of variables that follow them as `shadow -= (1 - decay) * (shadow - variable)`.

    With `num_updates` the decay is at most `(1 + num_updates) / (10 + num_updates)`, so that early averages move faster.
    """

    def __init__(
        self, decay: Any, num_updates: Any = None, zero_debias: bool = False, name: str = "ExponentialMovingAverage"
    ) -> None:
        self._decay = decay
        self._num_updates = num_updates
        self._zero_debias = zero_debias
        self._name = name
        self._averages: dict[int, Any] = {}
        self._averaged: list[Any] = []  # keeps the keys of _averages alive

    @property
    def name(self) -> str:
        return self._name

    def apply(self, var_list: Sequence[Any] | None = None) -> Any:
        """Makes shadows (`<variable>/ExponentialMovingAverage`) and returns the op that updates them all.

        Shadows of variables start at their initial values, shadows of tensors at zero (with a correction if `zero_debias`).
        """
        if var_list is None:
            var_list = trainable_variables()
        from_zero = set()
        for v in var_list:
            if v.dtype.base_dtype not in _AVERAGED:
                raise TypeError(f"The variables must be half, float, or double: {v.name}")
            if id(v) in self._averages:
                continue
            with init_scope():
                shadow = self._shadow(v)
            if not isinstance(v, Variable) and self._zero_debias:
                from_zero.add(id(v))
            self._averages[id(v)] = shadow
            self._averaged.append(v)
        with name_scope(self.name) as scope:
            decay = self._current_decay()
            updates = [
                assign_moving_average(self._averages[id(v)], v, decay, zero_debias=id(v) in from_zero) for v in var_list
            ]
            return group(*updates, name=scope)

    def _shadow(self, v: Any) -> Any:
        if isinstance(v, Variable):
            with device(v.device) if v.device else contextlib.nullcontext():
                initial = v.initialized_value()
            shadow = slot_creator.create_slot(v, initial, self.name, colocate_with_primary=True)
            add_to_collection(GraphKeys.MOVING_AVERAGE_VARIABLES, v)
            return shadow
        return slot_creator.create_zeros_slot(v, self.name, colocate_with_primary=_is_variable_op(v))

    def _current_decay(self) -> Tensor:
        decay = convert_to_tensor(self._decay, dtype=dtypes.float32, name="decay")
        if self._num_updates is not None:
            n = cast(self._num_updates, dtypes.float32, name="num_updates")
            decay = raw.Minimum(decay, (1.0 + n) / (10.0 + n))
        return decay

    def average(self, var: Any) -> Any:
        """The shadow of a variable or tensor that `apply` was given, None for others."""
        return self._averages.get(id(var))

    def average_name(self, var: Any) -> str:
        """The name the shadow of `var` has, or would have: what to look for in a checkpoint."""
        if id(var) in self._averages:
            return self._averages[id(var)].op.name
        return get_default_graph().unique_name(f"{var.op.name}/{self.name}", mark_as_used=False)

    def variables_to_restore(self, moving_avg_variables: Sequence[Any] | None = None) -> dict[str, Any]:
        """Checkpoint name → variable: averaged variables under their shadows' names, the others under their own."""
        if moving_avg_variables is None:
            moving_avg_variables = [*trainable_variables(), *moving_average_variables()]
        names = {self.average_name(v): v for v in moving_avg_variables}
        averaged = {v.name for v in moving_avg_variables}
        for v in global_variables():
            if v.name not in averaged and v.op.name not in names:
                names[v.op.name] = v
        return names


_AVERAGED = (dtypes.bfloat16, dtypes.float16, dtypes.float32, dtypes.float64)


def _is_variable_op(v: Any) -> bool:
    return v.op.type in ("Variable", "VariableV2", "VarHandleOp")


__tf_exports__ = {"train.ExponentialMovingAverage": "ExponentialMovingAverage"}
