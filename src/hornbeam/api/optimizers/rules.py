"""The optimizers whose update of a variable is one op, in order of increasing complexity.

A class names its op (`ApplyMomentum` …), its slots, and its parameters in the order the op takes them; the base finds the form
(reference or resource, dense or sparse) and casts the parameters to the variable's type.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hornbeam.api import init_ops
from hornbeam.api._nodes import cast
from hornbeam.api.optimizers.base import Optimizer
from hornbeam.core.constant import constant
from hornbeam.core.graph import IndexedSlices, Tensor, colocate_with, convert_to_tensor
from hornbeam.core.registry import raw
from hornbeam.core.variables import is_resource_variable


class RuleOptimizer(Optimizer):
    """An optimizer that is one training op a variable."""

    _rule: str  # the op is Apply<rule>, ResourceApply<rule> …
    _slot_inputs: dict[str, str] = {}  # the op's slot inputs, in order: input name → slot name

    def _parameters(self, var: Any) -> dict[str, Any]:
        """The op's other inputs but the gradient, cast to the variable's type: input name → tensor."""
        raise NotImplementedError

    def _op_attrs(self) -> dict[str, Any]:
        return {}

    def _op_rule(self) -> str:
        return self._rule

    def _apply(self, grad: Any, var: Any, indices: Any = None) -> Any:
        resource = is_resource_variable(var)
        op = getattr(
            raw, f"{'Resource' if resource else ''}{'Sparse' if indices is not None else ''}Apply{self._op_rule()}"
        )
        inputs: dict[str, Any] = {"var": var.handle if resource else var}
        for name, slot_name in self._slot_inputs.items():
            slot = self.get_slot(var, slot_name)
            inputs[name] = slot.handle if resource else slot
        inputs |= self._parameters(var)
        inputs["grad" if "grad" in (a.name for a in op.inputs) else "delta"] = grad
        if indices is not None:
            inputs["indices"] = indices
        result = op(**inputs, use_locking=self._use_locking, **self._op_attrs())
        return result if resource else result.op

    def _apply_dense(self, grad: Tensor, var: Any) -> Any:
        return self._apply(grad, var)

    def _resource_apply_dense(self, grad: Tensor, handle: Any) -> Any:
        return self._apply(grad, handle)

    def _apply_sparse(self, grad: IndexedSlices, var: Any) -> Any:
        return self._apply(grad.values, var, grad.indices)

    def _resource_apply_sparse(self, grad: Tensor, handle: Any, indices: Tensor) -> Any:
        return self._apply(grad, handle, indices)

    def _tensor(self, value: Any, name: str) -> Tensor:
        return convert_to_tensor(self._call_if_callable(value), name=name)


def _cast_all(var: Any, **parameters: Any) -> dict[str, Any]:
    return {name: cast(value, var.dtype.base_dtype) for name, value in parameters.items()}


class GradientDescentOptimizer(RuleOptimizer):
    """`var -= learning_rate * gradient`."""

    _rule = "GradientDescent"

    def __init__(self, learning_rate: Any, use_locking: bool = False, name: str = "GradientDescent") -> None:
        super().__init__(use_locking, name)
        self._learning_rate = learning_rate
        self._learning_rate_tensor: Any = None

    def _prepare(self) -> None:
        self._learning_rate_tensor = self._tensor(self._learning_rate, "learning_rate")

    def _parameters(self, var: Any) -> dict[str, Any]:
        return _cast_all(var, alpha=self._learning_rate_tensor)

    # repeated rows need no adding up before: scattering adds
    def _apply_sparse_duplicate_indices(self, grad: IndexedSlices, var: Any) -> Any:
        step = grad.values * cast(self._learning_rate_tensor, var.dtype.base_dtype)
        return var.scatter_sub(IndexedSlices(step, grad.indices, grad.dense_shape), use_locking=self._use_locking)

    def _resource_apply_sparse_duplicate_indices(self, grad: Tensor, handle: Any, indices: Tensor) -> Any:
        step = -grad * cast(self._learning_rate_tensor, handle.dtype.base_dtype)
        return raw.ResourceScatterAdd(handle.handle, indices, step)


class MomentumOptimizer(RuleOptimizer):
    """`accum = momentum * accum + gradient; var -= learning_rate * accum`; Nesterov's look-ahead with `use_nesterov`."""

    _rule = "Momentum"
    _slot_inputs = {"accum": "momentum"}

    def __init__(
        self,
        learning_rate: Any,
        momentum: Any,
        use_locking: bool = False,
        name: str = "Momentum",
        use_nesterov: bool = False,
    ) -> None:
        super().__init__(use_locking, name)
        self._learning_rate = learning_rate
        self._momentum = momentum
        self._use_nesterov = use_nesterov

    def _create_slots(self, var_list: Sequence[Any]) -> None:
        for v in var_list:
            self._zeros_slot(v, "momentum", self._name)

    def _prepare(self) -> None:
        self._learning_rate_tensor = self._tensor(self._learning_rate, "learning_rate")
        self._momentum_tensor = self._tensor(self._momentum, "momentum")

    def _parameters(self, var: Any) -> dict[str, Any]:
        return _cast_all(var, lr=self._learning_rate_tensor, momentum=self._momentum_tensor)

    def _op_attrs(self) -> dict[str, Any]:
        return {"use_nesterov": self._use_nesterov}


class AdagradOptimizer(RuleOptimizer):
    """Rates that shrink with the sum of squared gradients, kept in the slot `accumulator`."""

    _rule = "Adagrad"
    _slot_inputs = {"accum": "accumulator"}

    def __init__(
        self,
        learning_rate: Any,
        initial_accumulator_value: float = 0.1,
        use_locking: bool = False,
        name: str = "Adagrad",
    ) -> None:
        if initial_accumulator_value <= 0.0:
            raise ValueError(f"initial_accumulator_value must be positive: {initial_accumulator_value}")
        super().__init__(use_locking, name)
        self._learning_rate = learning_rate
        self._initial_accumulator_value = initial_accumulator_value

    def _create_slots(self, var_list: Sequence[Any]) -> None:
        for v in var_list:
            dtype = v.dtype.base_dtype
            init: Any = init_ops.Constant(self._initial_accumulator_value, dtype=dtype)
            if not v.get_shape().is_fully_defined():
                init = self._filler(v, dtype)
            self._get_or_make_slot_with_initializer(v, init, v.get_shape(), dtype, "accumulator", self._name)

    def _filler(self, v: Any, dtype: Any) -> Any:
        return lambda: cast(raw.Fill(raw.Shape(v), self._initial_accumulator_value), dtype)

    def _prepare(self) -> None:
        self._learning_rate_tensor = self._tensor(self._learning_rate, "learning_rate")

    def _parameters(self, var: Any) -> dict[str, Any]:
        return _cast_all(var, lr=self._learning_rate_tensor)


class AdadeltaOptimizer(RuleOptimizer):
    """Steps in the ratio of running means of squared updates and squared gradients (slots `accum_update`, `accum`)."""

    _rule = "Adadelta"
    _slot_inputs = {"accum": "accum", "accum_update": "accum_update"}

    def __init__(
        self,
        learning_rate: Any = 0.001,
        rho: Any = 0.95,
        epsilon: Any = 1e-8,
        use_locking: bool = False,
        name: str = "Adadelta",
    ) -> None:
        super().__init__(use_locking, name)
        self._lr = learning_rate
        self._rho = rho
        self._epsilon = epsilon

    def _create_slots(self, var_list: Sequence[Any]) -> None:
        for v in var_list:
            self._zeros_slot(v, "accum", self._name)
            self._zeros_slot(v, "accum_update", self._name)

    def _prepare(self) -> None:
        self._lr_t = self._tensor(self._lr, "lr")
        self._rho_t = self._tensor(self._rho, "rho")
        self._epsilon_t = self._tensor(self._epsilon, "epsilon")

    def _parameters(self, var: Any) -> dict[str, Any]:
        return _cast_all(var, lr=self._lr_t, rho=self._rho_t, epsilon=self._epsilon_t)


class RMSPropOptimizer(RuleOptimizer):
    """Gradients divided by the root of their running mean square (slot `rms`); `centered` subtracts the mean's square (`mg`)."""

    def __init__(
        self,
        learning_rate: Any,
        decay: Any = 0.9,
        momentum: Any = 0.0,
        epsilon: Any = 1e-10,
        use_locking: bool = False,
        centered: bool = False,
        name: str = "RMSProp",
    ) -> None:
        super().__init__(use_locking, name)
        self._learning_rate = learning_rate
        self._decay = decay
        self._momentum = momentum
        self._epsilon = epsilon
        self._centered = centered
        self._rule = "CenteredRMSProp" if centered else "RMSProp"
        self._slot_inputs = (
            {"mg": "mg", "ms": "rms", "mom": "momentum"} if centered else {"ms": "rms", "mom": "momentum"}
        )

    def _create_slots(self, var_list: Sequence[Any]) -> None:
        for v in var_list:
            dtype = v.dtype.base_dtype
            if v.get_shape().is_fully_defined():
                ones: Any = init_ops.Ones(dtype=dtype)
            else:
                ones = raw.OnesLike(v)
            self._get_or_make_slot_with_initializer(v, ones, v.get_shape(), dtype, "rms", self._name)
            if self._centered:
                self._zeros_slot(v, "mg", self._name)
            self._zeros_slot(v, "momentum", self._name)

    def _prepare(self) -> None:
        self._learning_rate_tensor = self._tensor(self._learning_rate, "learning_rate")
        self._decay_tensor = self._tensor(self._decay, "decay")
        self._momentum_tensor = self._tensor(self._momentum, "momentum")
        self._epsilon_tensor = self._tensor(self._epsilon, "epsilon")

    def _parameters(self, var: Any) -> dict[str, Any]:
        return _cast_all(
            var,
            lr=self._learning_rate_tensor,
            rho=self._decay_tensor,
            momentum=self._momentum_tensor,
            epsilon=self._epsilon_tensor,
        )


class ProximalGradientDescentOptimizer(RuleOptimizer):
    """Gradient descent, then the proximal step of l1 and l2 terms."""

    _rule = "ProximalGradientDescent"

    def __init__(
        self,
        learning_rate: Any,
        l1_regularization_strength: float = 0.0,
        l2_regularization_strength: float = 0.0,
        use_locking: bool = False,
        name: str = "ProximalGradientDescent",
    ) -> None:
        super().__init__(use_locking, name)
        self._learning_rate = learning_rate
        self._l1_regularization_strength = l1_regularization_strength
        self._l2_regularization_strength = l2_regularization_strength

    def _prepare(self) -> None:
        self._learning_rate_tensor = self._tensor(self._learning_rate, "learning_rate")
        self._l1_regularization_strength_tensor = self._tensor(
            self._l1_regularization_strength, "l1_regularization_strength"
        )
        self._l2_regularization_strength_tensor = self._tensor(
            self._l2_regularization_strength, "l2_regularization_strength"
        )

    def _parameters(self, var: Any) -> dict[str, Any]:
        return _cast_all(
            var,
            alpha=self._learning_rate_tensor,
            l1=self._l1_regularization_strength_tensor,
            l2=self._l2_regularization_strength_tensor,
        )


class ProximalAdagradOptimizer(RuleOptimizer):
    """Adagrad, then the proximal step of l1 and l2 terms."""

    _rule = "ProximalAdagrad"
    _slot_inputs = {"accum": "accumulator"}

    def __init__(
        self,
        learning_rate: Any,
        initial_accumulator_value: float = 0.1,
        l1_regularization_strength: float = 0.0,
        l2_regularization_strength: float = 0.0,
        use_locking: bool = False,
        name: str = "ProximalAdagrad",
    ) -> None:
        if initial_accumulator_value <= 0.0:
            raise ValueError(f"initial_accumulator_value must be positive: {initial_accumulator_value}")
        super().__init__(use_locking, name)
        self._learning_rate = learning_rate
        self._initial_accumulator_value = initial_accumulator_value
        self._l1_regularization_strength = l1_regularization_strength
        self._l2_regularization_strength = l2_regularization_strength

    def _create_slots(self, var_list: Sequence[Any]) -> None:
        for v in var_list:
            with colocate_with(v.op):
                val = constant(self._initial_accumulator_value, shape=v.get_shape(), dtype=v.dtype.base_dtype)
            self._get_or_make_slot(v, val, "accumulator", self._name)

    def _prepare(self) -> None:
        self._learning_rate_tensor = self._tensor(self._learning_rate, "learning_rate")
        self._l1_regularization_strength_tensor = self._tensor(
            self._l1_regularization_strength, "l1_regularization_strength"
        )
        self._l2_regularization_strength_tensor = self._tensor(
            self._l2_regularization_strength, "l2_regularization_strength"
        )

    def _parameters(self, var: Any) -> dict[str, Any]:
        return _cast_all(
            var,
            lr=self._learning_rate_tensor,
            l1=self._l1_regularization_strength_tensor,
            l2=self._l2_regularization_strength_tensor,
        )


class AdagradDAOptimizer(RuleOptimizer):
    """Adagrad by dual averaging: sparse solutions of linear models; needs the global step."""

    _rule = "AdagradDA"
    _slot_inputs = {
        "gradient_accumulator": "gradient_accumulator",
        "gradient_squared_accumulator": "gradient_squared_accumulator",
    }

    def __init__(
        self,
        learning_rate: Any,
        global_step: Any,
        initial_gradient_squared_accumulator_value: float = 0.1,
        l1_regularization_strength: float = 0.0,
        l2_regularization_strength: float = 0.0,
        use_locking: bool = False,
        name: str = "AdagradDA",
    ) -> None:
        if initial_gradient_squared_accumulator_value <= 0.0:
            raise ValueError(
                f"initial_gradient_squared_accumulator_value must be positive: {initial_gradient_squared_accumulator_value}"
            )
        super().__init__(use_locking, name)
        self._learning_rate = learning_rate
        self._initial_gradient_squared_accumulator_value = initial_gradient_squared_accumulator_value
        self._l1_regularization_strength = l1_regularization_strength
        self._l2_regularization_strength = l2_regularization_strength
        self._global_step = global_step

    def _create_slots(self, var_list: Sequence[Any]) -> None:
        for v in var_list:
            with colocate_with(v.op):
                shape, dtype = v.get_shape(), v.dtype.base_dtype
                g_val = constant(0.0, shape=shape, dtype=dtype)
                gg_val = constant(self._initial_gradient_squared_accumulator_value, shape=shape, dtype=dtype)
            self._get_or_make_slot(v, g_val, "gradient_accumulator", self._name)
            self._get_or_make_slot(v, gg_val, "gradient_squared_accumulator", self._name)

    def _prepare(self) -> None:
        self._learning_rate_tensor = self._tensor(self._learning_rate, "learning_rate")
        with colocate_with(self._learning_rate_tensor.op):
            self._global_step_on_worker = raw.Identity(self._global_step) + 1

    def _parameters(self, var: Any) -> dict[str, Any]:
        step = raw.Identity(self._global_step_on_worker)
        return {
            **_cast_all(
                var,
                lr=self._learning_rate_tensor,
                l1=self._l1_regularization_strength,
                l2=self._l2_regularization_strength,
            ),
            "global_step": step,
        }


class FtrlOptimizer(RuleOptimizer):
    """Follow the regularised leader (slots `accum`, `linear`), with l1, l2 and shrinkage l2 terms."""

    _slot_inputs = {"accum": "accum", "linear": "linear"}

    def __init__(
        self,
        learning_rate: Any,
        learning_rate_power: float = -0.5,
        initial_accumulator_value: float = 0.1,
        l1_regularization_strength: float = 0.0,
        l2_regularization_strength: float = 0.0,
        use_locking: bool = False,
        name: str = "Ftrl",
        accum_name: str | None = None,
        linear_name: str | None = None,
        l2_shrinkage_regularization_strength: float = 0.0,
    ) -> None:
        super().__init__(use_locking, name)
        if initial_accumulator_value < 0.0:
            raise ValueError(f"initial_accumulator_value {initial_accumulator_value:f} needs to be positive or zero")
        if learning_rate_power > 0.0:
            raise ValueError(f"learning_rate_power {learning_rate_power:f} needs to be negative or zero")
        for what, value in (
            ("l1_regularization_strength", l1_regularization_strength),
            ("l2_regularization_strength", l2_regularization_strength),
            ("l2_shrinkage_regularization_strength", l2_shrinkage_regularization_strength),
        ):
            if value < 0.0:
                raise ValueError(f"{what} {value:f} needs to be positive or zero")
        self._learning_rate = learning_rate
        self._learning_rate_power = learning_rate_power
        self._initial_accumulator_value = initial_accumulator_value
        self._l1_regularization_strength = l1_regularization_strength
        self._l2_regularization_strength = l2_regularization_strength
        self._l2_shrinkage_regularization_strength = l2_shrinkage_regularization_strength
        self._accum_name = accum_name
        self._linear_name = linear_name
        self._rule = "FtrlV2" if l2_shrinkage_regularization_strength > 0.0 else "Ftrl"

    def _create_slots(self, var_list: Sequence[Any]) -> None:
        def filled(shape: Any, dtype: Any) -> Any:
            return init_ops.Ones()(shape, dtype) * self._initial_accumulator_value

        for v in var_list:
            dtype = v.dtype.base_dtype
            self._get_or_make_slot_with_initializer(
                v, filled, v.get_shape(), dtype, "accum", self._accum_name or self._name
            )
            self._zeros_slot(v, "linear", self._linear_name or self._name)

    def _prepare(self) -> None:
        self._learning_rate_tensor = self._tensor(self._learning_rate, "learning_rate")
        self._l1_tensor = self._tensor(self._l1_regularization_strength, "l1_regularization_strength")
        self._l2_tensor = self._tensor(self._l2_regularization_strength, "l2_regularization_strength")
        self._l2_shrinkage_tensor = self._tensor(
            self._l2_shrinkage_regularization_strength, "l2_shrinkage_regularization_strength"
        )
        self._learning_rate_power_tensor = self._tensor(self._learning_rate_power, "learning_rate_power")

    def _parameters(self, var: Any) -> dict[str, Any]:
        shrinkage = {"l2_shrinkage": self._l2_shrinkage_tensor} if self._rule == "FtrlV2" else {}
        return _cast_all(
            var,
            lr=self._learning_rate_tensor,
            l1=self._l1_tensor,
            l2=self._l2_tensor,
            **shrinkage,
            lr_power=self._learning_rate_power_tensor,
        )


_CLASSES = (
    GradientDescentOptimizer, MomentumOptimizer, AdagradOptimizer, AdadeltaOptimizer, RMSPropOptimizer,
    ProximalGradientDescentOptimizer, ProximalAdagradOptimizer, AdagradDAOptimizer, FtrlOptimizer,
)  # fmt: skip
__tf_exports__ = {f"train.{c.__name__}": c.__name__ for c in _CLASSES}
