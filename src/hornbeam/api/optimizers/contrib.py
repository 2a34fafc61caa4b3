"""Optimizers of `tf.contrib.opt` beside Adam's relatives: sign rules, decoupled weight decay, LARS, averaged weights."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from hornbeam.api._nodes import cast
from hornbeam.api.moving_averages import ExponentialMovingAverage
from hornbeam.api.optimizers.adam import AdamOptimizer
from hornbeam.api.optimizers.base import Optimizer
from hornbeam.api.optimizers.rules import MomentumOptimizer, RuleOptimizer, _cast_all
from hornbeam.api.variables import global_variables
from hornbeam.core.control import group
from hornbeam.core.graph import IndexedSlices, Tensor, control_dependencies, convert_to_tensor
from hornbeam.core.registry import raw


# --- sign rules ---------------------------------------------------------------------------------------------------------
class _SignOptimizer(RuleOptimizer):
    """Steps scaled by whether the gradient and its running mean (slot `m`) agree in sign."""

    _slot_inputs = {"m": "m"}

    def __init__(self, learning_rate: Any, beta: Any, sign_decay_fn: Any, use_locking: bool, name: str) -> None:
        super().__init__(use_locking, name)
        self._lr = learning_rate
        self._beta = beta
        self._sign_decay_fn = sign_decay_fn

    def apply_gradients(self, grads_and_vars: Any, global_step: Any = None, name: str | None = None) -> Any:
        decay = 1.0 if self._sign_decay_fn is None else self._sign_decay_fn(global_step)
        self._sign_decay_t = convert_to_tensor(decay, name="sign_decay")
        return super().apply_gradients(grads_and_vars, global_step=global_step, name=name)

    def _create_slots(self, var_list: Sequence[Any]) -> None:
        for v in var_list:
            self._zeros_slot(v, "m", self._name)

    def _prepare(self) -> None:
        self._lr_t = self._tensor(self._lr, "learning_rate")
        self._beta_t = self._tensor(self._beta, "beta")

    def _apply(self, grad: Any, var: Any, indices: Any = None) -> Any:
        if indices is not None:  # every row's mean decays, so nothing is saved by keeping the gradient sparse
            grad = raw.ScatterNd(raw.ExpandDims(indices, 1), grad, cast(raw.Shape(var), indices.dtype))
        return super()._apply(grad, var)


class AddSignOptimizer(_SignOptimizer):
    """`var -= lr * (alpha + sign_decay * sign(g) * sign(m)) * g`."""

    _rule = "AddSign"

    def __init__(
        self,
        learning_rate: Any = 0.1,
        alpha: Any = 1.0,
        beta: Any = 0.9,
        sign_decay_fn: Callable[[Any], Any] | None = None,
        use_locking: bool = False,
        name: str = "AddSignOptimizer",
    ) -> None:
        super().__init__(learning_rate, beta, sign_decay_fn, use_locking, name)
        self._alpha = alpha

    def _prepare(self) -> None:
        super()._prepare()
        self._alpha_t = self._tensor(self._alpha, "alpha")

    def _parameters(self, var: Any) -> dict[str, Any]:
        return _cast_all(var, lr=self._lr_t, alpha=self._alpha_t, sign_decay=self._sign_decay_t, beta=self._beta_t)


class PowerSignOptimizer(_SignOptimizer):
    """`var -= lr * base ^ (sign_decay * sign(g) * sign(m)) * g`."""

    _rule = "PowerSign"

    def __init__(
        self,
        learning_rate: Any = 0.1,
        base: float = math.e,
        beta: Any = 0.9,
        sign_decay_fn: Callable[[Any], Any] | None = None,
        use_locking: bool = False,
        name: str = "PowerSignOptimizer",
    ) -> None:
        super().__init__(learning_rate, beta, sign_decay_fn, use_locking, name)
        self._logbase = math.log(base)

    def _prepare(self) -> None:
        super()._prepare()
        self._logbase_t = self._tensor(self._logbase, "logbase")

    def _parameters(self, var: Any) -> dict[str, Any]:
        return _cast_all(var, lr=self._lr_t, logbase=self._logbase_t, sign_decay=self._sign_decay_t, beta=self._beta_t)


# --- decoupled weight decay ---------------------------------------------------------------------------------------------
class DecoupledWeightDecayExtension:
    """Mixed in before an optimizer: each step first takes `weight_decay * var` off the variable (of its rows, if sparse)."""

    def __init__(self, weight_decay: Any, **kwargs: Any) -> None:
        self._decay_var_list: list[Any] | None = None
        self._weight_decay = weight_decay
        super().__init__(**kwargs)

    def minimize(self, loss: Any, *args: Any, decay_var_list: Sequence[Any] | None = None, **kwargs: Any) -> Any:
        self._decay_var_list = list(decay_var_list) if decay_var_list else None
        return super().minimize(loss, *args, **kwargs)  # type: ignore[misc]

    def apply_gradients(
        self,
        grads_and_vars: Any,
        global_step: Any = None,
        name: str | None = None,
        decay_var_list: Sequence[Any] | None = None,
    ) -> Any:
        if decay_var_list:
            self._decay_var_list = list(decay_var_list)
        return super().apply_gradients(grads_and_vars, global_step=global_step, name=name)  # type: ignore[misc]

    def _prepare(self) -> None:
        value = self._call_if_callable(self._weight_decay)  # type: ignore[attr-defined]
        self._weight_decay_tensor = convert_to_tensor(value, name="weight_decay")
        super()._prepare()  # type: ignore[misc]

    def _weight_decay_ops(self, var: Any, indices: Any = None) -> list[Any]:
        """The ops that must run before the variable's update."""
        if self._decay_var_list is not None and not any(v is var for v in self._decay_var_list):
            return []
        rate = cast(self._weight_decay_tensor, var.dtype.base_dtype)
        if indices is None:
            return [var.assign_sub(rate * var, use_locking=self._use_locking)]  # type: ignore[attr-defined]
        rows = IndexedSlices(rate * var.sparse_read(indices), indices)
        return [var.scatter_sub(rows, use_locking=self._use_locking)]  # type: ignore[attr-defined]

    def _apply_dense(self, grad: Tensor, var: Any) -> Any:
        with control_dependencies(self._weight_decay_ops(var)):
            return super()._apply_dense(grad, var)  # type: ignore[misc]

    def _resource_apply_dense(self, grad: Tensor, var: Any) -> Any:
        with control_dependencies(self._weight_decay_ops(var)):
            return super()._resource_apply_dense(grad, var)  # type: ignore[misc]

    def _apply_sparse(self, grad: IndexedSlices, var: Any) -> Any:
        with control_dependencies(self._weight_decay_ops(var, grad.indices)):
            return super()._apply_sparse(grad, var)  # type: ignore[misc]

    def _resource_apply_sparse(self, grad: Tensor, var: Any, indices: Tensor) -> Any:
        with control_dependencies(self._weight_decay_ops(var, indices)):
            return super()._resource_apply_sparse(grad, var, indices)  # type: ignore[misc]


def extend_with_decoupled_weight_decay(base_optimizer: type[Optimizer]) -> type[Optimizer]:
    """A subclass of `base_optimizer` whose first argument is `weight_decay`; the others must be given by name."""
    return type(
        f"{base_optimizer.__name__}WithDecoupledWeightDecay", (DecoupledWeightDecayExtension, base_optimizer), {}
    )


class MomentumWOptimizer(DecoupledWeightDecayExtension, MomentumOptimizer):
    """Momentum with decoupled weight decay (SGDW)."""

    def __init__(
        self,
        weight_decay: Any,
        learning_rate: Any,
        momentum: Any,
        use_locking: bool = False,
        name: str = "MomentumW",
        use_nesterov: bool = False,
    ) -> None:
        super().__init__(
            weight_decay,
            learning_rate=learning_rate,
            momentum=momentum,
            use_locking=use_locking,
            name=name,
            use_nesterov=use_nesterov,
        )


class AdamWOptimizer(DecoupledWeightDecayExtension, AdamOptimizer):
    """Adam with decoupled weight decay."""

    def __init__(
        self,
        weight_decay: Any,
        learning_rate: Any = 0.001,
        beta1: Any = 0.9,
        beta2: Any = 0.999,
        epsilon: Any = 1e-8,
        use_locking: bool = False,
        name: str = "AdamW",
    ) -> None:
        super().__init__(
            weight_decay,
            learning_rate=learning_rate,
            beta1=beta1,
            beta2=beta2,
            epsilon=epsilon,
            use_locking=use_locking,
            name=name,
        )


# --- layer-wise rates ---------------------------------------------------------------------------------------------------
class LARSOptimizer(MomentumOptimizer):
    """Momentum whose rate is scaled, a variable at a time, by the norms of the variable and its gradient."""

    def __init__(
        self,
        learning_rate: Any,
        momentum: Any = 0.9,
        weight_decay: float = 0.0001,
        eeta: float = 0.001,
        epsilon: float = 0.0,
        name: str = "LARSOptimizer",
        skip_list: Sequence[str] | None = None,
        use_nesterov: bool = False,
    ) -> None:
        if momentum < 0.0:
            raise ValueError(f"momentum should be positive: {momentum}")
        if weight_decay < 0.0:
            raise ValueError(f"weight_decay should be positive: {weight_decay}")
        super().__init__(learning_rate, momentum, use_locking=False, name=name, use_nesterov=use_nesterov)
        self._weight_decay = weight_decay
        self._eeta = eeta
        self._epsilon = epsilon
        self._skip_list = skip_list

    def _scaled(self, grad: Tensor, var: Any) -> tuple[Any, Tensor]:
        """(learning rate, gradient) of the variable, with weight decay in both unless it is in the skip list."""
        rate = cast(self._learning_rate_tensor, var.dtype.base_dtype)
        if self._skip_list is not None and any(v in var.name for v in self._skip_list):
            return rate, grad
        w_norm, g_norm = _norm(var), _norm(grad)
        zero, one = raw.ZerosLike(w_norm), raw.OnesLike(w_norm)
        ratio = self._eeta * w_norm / (g_norm + self._weight_decay * w_norm + self._epsilon)
        trust = raw.SelectV2(w_norm > zero, raw.SelectV2(g_norm > zero, ratio, one), one)
        return rate * trust, grad + self._weight_decay * var

    def _apply(self, grad: Any, var: Any, indices: Any = None) -> Any:
        if indices is not None:
            raise NotImplementedError("LARSOptimizer does not take sparse gradients.")
        self._rate, grad = self._scaled(grad, var)
        return super()._apply(grad, var)

    def _parameters(self, var: Any) -> dict[str, Any]:
        return {**super()._parameters(var), "lr": self._rate}


def _norm(x: Any) -> Tensor:
    x = convert_to_tensor(x)
    return raw.Sqrt(raw.Sum(raw.Square(x), list(range(len(x.get_shape())))))


# --- averaged weights ---------------------------------------------------------------------------------------------------
class MovingAverageOptimizer(Optimizer):
    """Another optimizer, and a moving average of what it trains; `swapping_saver` saves the averages in place of the weights."""

    def __init__(
        self, opt: Optimizer, average_decay: Any = 0.9999, num_updates: Any = None, sequential_update: bool = True
    ) -> None:
        super().__init__(False, "MovingAverage")
        self._optimizer = opt
        self._ema = ExponentialMovingAverage(average_decay, num_updates=num_updates)
        self._swapped_variable_name_map: dict[str, str] | None = None
        self._sequential_update = sequential_update

    def compute_gradients(self, *args: Any, **kwargs: Any) -> Any:
        return self._optimizer.compute_gradients(*args, **kwargs)

    def apply_gradients(self, grads_and_vars: Any, global_step: Any = None, name: str | None = None) -> Any:
        grads_and_vars = list(grads_and_vars)
        train_op = self._optimizer.apply_gradients(grads_and_vars, global_step=global_step, name=name)
        var_list = [v for g, v in grads_and_vars if g is not None]
        with control_dependencies([train_op] if self._sequential_update else []):
            average_op = self._ema.apply(var_list)
        self._swapped_variable_name_map = {}
        for v in var_list:
            average = self._ema.average(v)
            self._swapped_variable_name_map |= {v.op.name: average.op.name, average.op.name: v.op.name}
        return group(train_op, average_op, name="train_with_avg")

    def _create_slots(self, var_list: Sequence[Any]) -> None:
        self._optimizer._create_slots(var_list)

    def get_slot(self, var: Any, name: str) -> Any:
        return self._optimizer.get_slot(var, name)

    def get_slot_names(self) -> list[str]:
        return self._optimizer.get_slot_names()

    def variables(self) -> list[Any]:
        return self._optimizer.variables()

    def swapping_saver(self, var_list: Any = None, name: str = "swapping_saver", **kwargs: Any) -> Any:
        """A Saver that writes each trained variable's average under the variable's name, and the variable under the average's."""
        from hornbeam.api.saver import Saver

        if self._swapped_variable_name_map is None:
            raise RuntimeError("Must call apply_gradients or minimize before creating the swapping_saver")
        if var_list is None:
            var_list = global_variables()
        if not isinstance(var_list, dict):
            var_list = {v.op.name: v for v in var_list}
        swapped = {}
        for key, tensor in var_list.items():
            other = self._swapped_variable_name_map.get(key)
            if other is not None and other not in var_list:
                raise ValueError(
                    f"Variable to swap {other} is not part of variables to save. This breaks MovingAverageOptimizer."
                )
            swapped[key] = var_list[other] if other is not None else tensor
        return Saver(swapped, name=name, **kwargs)


_NAMES = (
    "AddSignOptimizer PowerSignOptimizer AdamWOptimizer MomentumWOptimizer extend_with_decoupled_weight_decay LARSOptimizer "
    "MovingAverageOptimizer"
)
__tf_exports__ = {f"contrib.opt.{n}": n for n in _NAMES.split()}
