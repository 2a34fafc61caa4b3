"""Learning-rate schedules: each a scalar tensor computed from the step, with the nodes TensorFlow makes."""

from __future__ import annotations

import math
from typing import Any

from hornbeam.api._nodes import cast
from hornbeam.core import dtypes
from hornbeam.core.constant import constant
from hornbeam.core.graph import Tensor, convert_to_tensor, name_scope
from hornbeam.core.registry import raw
from hornbeam.core.variables import Variable


def _needs_step(global_step: Any, what: str) -> None:
    if global_step is None:
        raise ValueError(f"global_step is required for {what}.")


def exponential_decay(
    learning_rate: Any,
    global_step: Any,
    decay_steps: Any,
    decay_rate: Any,
    staircase: bool = False,
    name: str | None = None,
) -> Tensor:
    """`learning_rate * decay_rate ^ (global_step / decay_steps)`, in whole powers if `staircase`."""
    _needs_step(global_step, "exponential_decay")
    with name_scope(name, "ExponentialDecay", [learning_rate, global_step, decay_steps, decay_rate]) as scope:
        rate = convert_to_tensor(learning_rate, name="initial_learning_rate")
        steps = cast(decay_steps, rate.dtype)
        base = cast(decay_rate, rate.dtype)
        p = cast(global_step, rate.dtype) / steps
        if staircase:
            p = raw.Floor(p)
        return raw.Mul(rate, raw.Pow(base, p), name=scope)


def natural_exp_decay(
    learning_rate: Any,
    global_step: Any,
    decay_steps: Any,
    decay_rate: Any,
    staircase: bool = False,
    name: str | None = None,
) -> Tensor:
    """`learning_rate * exp(-decay_rate * global_step / decay_steps)`."""
    natural = raw.Exp(raw.Neg(decay_rate))
    return exponential_decay(learning_rate, global_step, decay_steps, natural, staircase=staircase, name=name)


def inverse_time_decay(
    learning_rate: Any,
    global_step: Any,
    decay_steps: Any,
    decay_rate: Any,
    staircase: bool = False,
    name: str | None = None,
) -> Tensor:
    """`learning_rate / (1 + decay_rate * global_step / decay_steps)`."""
    _needs_step(global_step, "inverse_time_decay")
    with name_scope(name, "InverseTimeDecay", [learning_rate, global_step, decay_rate]) as scope:
        rate = convert_to_tensor(learning_rate, name="initial_learning_rate")
        steps = cast(decay_steps, rate.dtype)
        factor = cast(decay_rate, rate.dtype)
        p = cast(global_step, rate.dtype) / steps
        if staircase:
            p = raw.Floor(p)
        one = cast(constant(1), rate.dtype)
        return raw.RealDiv(rate, raw.AddV2(one, raw.Mul(factor, p, name="Mul"), name="Add"), name=scope)


def piecewise_constant(x: Any, boundaries: Any, values: Any, name: str | None = None) -> Tensor:
    """`values[i]` while `boundaries[i-1] < x <= boundaries[i]`. ValueError for types that would lose digits or differ."""
    from hornbeam.api.control_flow_ops import case

    boundaries = [convert_to_tensor(b) for b in boundaries]
    values = [convert_to_tensor(v) for v in values]
    if len(boundaries) != len(values) - 1:
        raise ValueError(
            f"The length of boundaries should be 1 less than the length of values: {len(boundaries)} and {len(values)}"
        )
    x_dtype = x.dtype.base_dtype if hasattr(x, "dtype") else convert_to_tensor(x).dtype.base_dtype
    for i, b in enumerate(boundaries):
        if b.dtype.base_dtype is not x_dtype:
            # int32 boundaries are what a program writes beside an int64 step
            if b.dtype.base_dtype is dtypes.int32 and x_dtype is dtypes.int64:
                boundaries[i] = cast(b, dtypes.int64)
            else:
                raise ValueError(f"Boundaries ({b.dtype.base_dtype}) must have the same dtype as x ({x_dtype}).")
    for v in values[1:]:
        if v.dtype.base_dtype is not values[0].dtype.base_dtype:
            raise ValueError(
                f"Values must have elements all with the same dtype ({values[0].dtype.base_dtype} vs {v.dtype.base_dtype})."
            )
    with name_scope(name, "PiecewiseConstant", [x, boundaries, values, name]):
        x = x.value() if isinstance(x, Variable) else convert_to_tensor(x)
        branches: list[tuple[Any, Any]] = [
            (raw.LessEqual(x, boundaries[0]), lambda: values[0]),
            (raw.Greater(x, boundaries[-1]), lambda: values[-1]),
        ]
        for low, high, v in zip(boundaries[:-1], boundaries[1:], values[1:-1], strict=True):
            branches.append(((x > low) & (x <= high), lambda v=v: v))
        return case(branches, default=lambda: values[0], exclusive=True)


def polynomial_decay(
    learning_rate: Any,
    global_step: Any,
    decay_steps: Any,
    end_learning_rate: Any = 0.0001,
    power: Any = 1.0,
    cycle: bool = False,
    name: str | None = None,
) -> Tensor:
    """From `learning_rate` to `end_learning_rate` in `decay_steps`, along a power; over and over, ever longer, if `cycle`."""
    _needs_step(global_step, "polynomial_decay")
    values = [learning_rate, global_step, decay_steps, end_learning_rate, power]
    with name_scope(name, "PolynomialDecay", values) as scope:
        rate = convert_to_tensor(learning_rate, name="initial_learning_rate")
        end = cast(end_learning_rate, rate.dtype)
        power = cast(power, rate.dtype)
        step = cast(global_step, rate.dtype)
        steps = cast(decay_steps, rate.dtype)
        if cycle:
            # the first whole multiple of decay_steps that the step has not passed
            at_start = raw.Equal(step, constant(0.0, rate.dtype, name="Equal/y"))
            ceiling = raw.Ceil(step / cast(decay_steps, rate.dtype))
            steps = raw.Mul(steps, raw.SelectV2(at_start, constant(1.0, rate.dtype), ceiling), name="Mul")
        else:
            step = raw.Minimum(step, steps)
        p = step / steps
        return raw.AddV2(raw.Mul(rate - end, raw.Pow(1 - p, power), name="Mul"), end, name=scope)


def cosine_decay(
    learning_rate: Any, global_step: Any, decay_steps: Any, alpha: float = 0.0, name: str | None = None
) -> Tensor:
    """Half a cosine from `learning_rate` to `alpha * learning_rate`."""
    _needs_step(global_step, "cosine decay")
    with name_scope(name, "CosineDecay", [learning_rate, global_step]):
        rate = convert_to_tensor(learning_rate, name="initial_learning_rate")
        steps = cast(decay_steps, rate.dtype)
        done = raw.Minimum(cast(global_step, rate.dtype), steps) / steps
        cosine = 0.5 * (1.0 + raw.Cos(constant(math.pi, dtype=rate.dtype) * done))
        decayed = (1 - alpha) * cosine + alpha
        return raw.Mul(rate, decayed, name="Mul")


def cosine_decay_restarts(
    learning_rate: Any,
    global_step: Any,
    first_decay_steps: Any,
    t_mul: Any = 2.0,
    m_mul: Any = 1.0,
    alpha: Any = 0.0,
    name: str | None = None,
) -> Tensor:
    """Cosine decay with warm restarts: each period `t_mul` times longer, from a rate `m_mul` times the last one."""
    _needs_step(global_step, "cosine decay restarts")
    with name_scope(name, "SGDRDecay", [learning_rate, global_step]) as scope:
        rate = convert_to_tensor(learning_rate, name="initial_learning_rate")
        first = cast(first_decay_steps, rate.dtype)
        alpha = cast(alpha, rate.dtype)
        t_mul = cast(t_mul, rate.dtype)
        m_mul = cast(m_mul, rate.dtype)
        completed = cast(global_step, rate.dtype) / first
        # which restart, and how far into it: geometric periods, or equal ones when t_mul is 1 (where the logarithm is 0/0)
        growing = raw.NotEqual(t_mul, constant(1.0, rate.dtype))
        safe = raw.SelectV2(growing, t_mul, constant(2.0, rate.dtype))
        i_growing = raw.Floor(raw.Log(1.0 - completed * (1.0 - safe)) / raw.Log(safe))
        before = (1.0 - raw.Pow(safe, i_growing)) / (1.0 - safe)
        f_growing = (completed - before) / raw.Pow(safe, i_growing)
        i_equal = raw.Floor(completed)
        i = raw.SelectV2(growing, i_growing, i_equal)
        fraction = raw.SelectV2(growing, f_growing, completed - i_equal)
        cosine = 0.5 * raw.Pow(m_mul, i) * (1.0 + raw.Cos(constant(math.pi, rate.dtype) * fraction))
        return raw.Mul(rate, (1 - alpha) * cosine + alpha, name=scope)


def linear_cosine_decay(
    learning_rate: Any,
    global_step: Any,
    decay_steps: Any,
    num_periods: Any = 0.5,
    alpha: Any = 0.0,
    beta: Any = 0.001,
    name: str | None = None,
) -> Tensor:
    """`(alpha + linear) * cosine + beta`, times the learning rate."""
    _needs_step(global_step, "linear cosine decay")
    with name_scope(name, "LinearCosineDecay", [learning_rate, global_step]) as scope:
        rate = convert_to_tensor(learning_rate, name="initial_learning_rate")
        steps = cast(decay_steps, rate.dtype)
        num_periods, alpha, beta = (cast(v, rate.dtype) for v in (num_periods, alpha, beta))
        step = raw.Minimum(cast(global_step, rate.dtype), steps)
        linear = (steps - step) / steps
        turns = 2.0 * num_periods * (step / steps)
        cosine = 0.5 * (1.0 + raw.Cos(constant(math.pi, dtype=rate.dtype) * turns))
        return raw.Mul(rate, (alpha + linear) * cosine + beta, name=scope)


def noisy_linear_cosine_decay(
    learning_rate: Any,
    global_step: Any,
    decay_steps: Any,
    initial_variance: Any = 1.0,
    variance_decay: Any = 0.55,
    num_periods: Any = 0.5,
    alpha: Any = 0.0,
    beta: Any = 0.001,
    name: str | None = None,
) -> Tensor:
    """`linear_cosine_decay` whose linear part has Gaussian noise of a variance that decays."""
    from hornbeam.api import random_ops

    _needs_step(global_step, "noisy linear cosine decay")
    with name_scope(name, "NoisyLinearCosineDecay", [learning_rate, global_step]) as scope:
        rate = convert_to_tensor(learning_rate, name="initial_learning_rate")
        steps = cast(decay_steps, rate.dtype)
        initial_variance, variance_decay, num_periods, alpha, beta = (
            cast(v, rate.dtype) for v in (initial_variance, variance_decay, num_periods, alpha, beta)
        )
        step = raw.Minimum(cast(global_step, rate.dtype), steps)
        linear = (steps - step) / steps
        std = raw.Sqrt(initial_variance / raw.Pow(1.0 + step, variance_decay))
        noisy = linear + random_ops.random_normal(linear.shape, stddev=std, dtype=rate.dtype)
        turns = 2.0 * num_periods * (step / steps)
        cosine = 0.5 * (1.0 + raw.Cos(constant(math.pi, dtype=rate.dtype) * turns))
        return raw.Mul(rate, (alpha + noisy) * cosine + beta, name=scope)


_NAMES = (
    "exponential_decay natural_exp_decay inverse_time_decay piecewise_constant polynomial_decay cosine_decay "
    "cosine_decay_restarts linear_cosine_decay noisy_linear_cosine_decay"
)
__tf_exports__ = {f"train.{n}": n for n in _NAMES.split()} | {"train.piecewise_constant_decay": "piecewise_constant"}
