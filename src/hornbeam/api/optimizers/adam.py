"""Adam, and the optimizers of `tf.contrib.opt` that vary it: AdaMax, Nadam, LazyAdam."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from hornbeam.api._nodes import cast
from hornbeam.api.optimizers.rules import RuleOptimizer, _cast_all
from hornbeam.api.variables import assign, assign_sub, scatter_add, scatter_sub, scatter_update
from hornbeam.core.control import group
from hornbeam.core.graph import IndexedSlices, Tensor, control_dependencies, get_default_graph
from hornbeam.core.registry import raw
from hornbeam.core.variables import is_resource_variable


def _scatter_add_resource(x: Any, indices: Any, v: Any) -> Tensor:
    with control_dependencies([raw.ResourceScatterAdd(x.handle, indices, v)]):
        return x.value()


class AdamOptimizer(RuleOptimizer):
    """Steps by running means of gradients (slot `m`) and of their squares (`v`), both corrected for starting at zero.

    A sparse gradient decays the moments of all rows, as TensorFlow's does; `contrib.opt.LazyAdamOptimizer` touches only its rows.
    """

    _rule = "Adam"
    _slot_inputs = {"m": "m", "v": "v"}
    _nesterov = False

    def __init__(
        self,
        learning_rate: Any = 0.001,
        beta1: Any = 0.9,
        beta2: Any = 0.999,
        epsilon: Any = 1e-8,
        use_locking: bool = False,
        name: str = "Adam",
    ) -> None:
        super().__init__(use_locking, name)
        self._lr = learning_rate
        self._beta1 = beta1
        self._beta2 = beta2
        self._epsilon = epsilon
        self._lr_t: Any = None
        self._beta1_t: Any = None
        self._beta2_t: Any = None
        self._epsilon_t: Any = None

    def _get_beta_accumulators(self) -> tuple[Any, Any]:
        graph = get_default_graph()
        while graph.outer_graph is not None:
            graph = graph.outer_graph
        return self._get_non_slot_variable("beta1_power", graph), self._get_non_slot_variable("beta2_power", graph)

    def _create_slots(self, var_list: Sequence[Any]) -> None:
        first = min(var_list, key=lambda v: v.name)
        self._create_non_slot_variable(self._call_if_callable(self._beta1), "beta1_power", first)
        self._create_non_slot_variable(self._call_if_callable(self._beta2), "beta2_power", first)
        for v in var_list:
            self._zeros_slot(v, "m", self._name)
            self._zeros_slot(v, "v", self._name)

    def _prepare(self) -> None:
        self._lr_t = self._tensor(self._lr, "learning_rate")
        self._beta1_t = self._tensor(self._beta1, "beta1")
        self._beta2_t = self._tensor(self._beta2, "beta2")
        self._epsilon_t = self._tensor(self._epsilon, "epsilon")

    def _parameters(self, var: Any) -> dict[str, Any]:
        beta1_power, beta2_power = self._get_beta_accumulators()
        return _cast_all(
            var, beta1_power=beta1_power, beta2_power=beta2_power, lr=self._lr_t, beta1=self._beta1_t, beta2=self._beta2_t,
            epsilon=self._epsilon_t,
        )  # fmt: skip

    def _op_attrs(self) -> dict[str, Any]:
        return {"use_nesterov": True} if self._nesterov else {}

    # sparse gradients -----------------------------------------------------------------------------------------------
    def _apply_sparse(self, grad: IndexedSlices, var: Any) -> Any:
        def add(x: Any, i: Any, v: Any) -> Any:
            return scatter_add(x, i, v, use_locking=self._use_locking)

        return self._apply_sparse_shared(grad.values, var, grad.indices, add)

    def _resource_apply_sparse(self, grad: Tensor, handle: Any, indices: Tensor) -> Any:
        return self._apply_sparse_shared(grad, handle, indices, _scatter_add_resource)

    def _apply_sparse_shared(self, grad: Any, var: Any, indices: Any, add: Callable[..., Any]) -> Any:
        lr, beta1, beta2, epsilon = self._step_sizes(var)
        m, v = self.get_slot(var, "m"), self.get_slot(var, "v")
        m_t = self._decayed(m, beta1, grad * (1 - beta1), indices, add)
        v_t = self._decayed(v, beta2, (grad * grad) * (1 - beta2), indices, add)
        root = raw.Sqrt(v_t)
        var_update = assign_sub(var, lr * m_t / (root + epsilon), use_locking=self._use_locking)
        return group(var_update, m_t, v_t)

    def _step_sizes(self, var: Any) -> tuple[Any, Any, Any, Any]:
        """(bias-corrected learning rate, beta1, beta2, epsilon) in the variable's type."""
        beta1_power, beta2_power = (cast(p, var.dtype.base_dtype) for p in self._get_beta_accumulators())
        lr, beta1, beta2, epsilon = (
            cast(t, var.dtype.base_dtype) for t in (self._lr_t, self._beta1_t, self._beta2_t, self._epsilon_t)
        )
        return lr * raw.Sqrt(1 - beta2_power) / (1 - beta1_power), beta1, beta2, epsilon

    def _decayed(self, slot: Any, beta: Any, rows: Any, indices: Any, add: Callable[..., Any]) -> Any:
        """The slot after `slot = slot * beta` and then adding `rows` at `indices`."""
        decayed = assign(slot, slot * beta, use_locking=self._use_locking)
        with control_dependencies([decayed]):
            return add(slot, indices, rows)

    def _finish(self, update_ops: list[Any], name_scope: str) -> Any:
        with control_dependencies(update_ops):
            beta1_power, beta2_power = self._get_beta_accumulators()
            with beta1_power.graph.colocate_with(beta1_power.op):
                updates = [
                    beta1_power.assign(beta1_power * self._beta1_t, use_locking=self._use_locking),
                    beta2_power.assign(beta2_power * self._beta2_t, use_locking=self._use_locking),
                ]
        return group(*update_ops, *updates, name=name_scope)


def _scatter_update(x: Any, indices: Any, rows: Any) -> Tensor:
    """Rows stored into a variable of either kind; the variable's value after it."""
    if not is_resource_variable(x):
        return scatter_update(x, indices, rows)
    with control_dependencies([raw.ResourceScatterUpdate(x.handle, indices, rows)]):
        return x.value()


def _rows(x: Any, indices: Any) -> Tensor:
    return x.sparse_read(indices)


class AdaMaxOptimizer(AdamOptimizer):
    """Adam with the infinity norm in place of the root mean square."""

    _rule = "AdaMax"

    def __init__(
        self,
        learning_rate: Any = 0.001,
        beta1: Any = 0.9,
        beta2: Any = 0.999,
        epsilon: Any = 1e-8,
        use_locking: bool = False,
        name: str = "AdaMax",
    ) -> None:
        super().__init__(learning_rate, beta1, beta2, epsilon, use_locking, name)

    def _get_beta_accumulators(self) -> Any:
        return super()._get_beta_accumulators()[0]

    def _create_slots(self, var_list: Sequence[Any]) -> None:
        first = min(var_list, key=lambda v: v.name)
        self._create_non_slot_variable(self._call_if_callable(self._beta1), "beta1_power", first)
        for v in var_list:
            self._zeros_slot(v, "m", self._name)
            self._zeros_slot(v, "v", self._name)

    def _parameters(self, var: Any) -> dict[str, Any]:
        return _cast_all(
            var,
            beta1_power=self._get_beta_accumulators(),
            lr=self._lr_t,
            beta1=self._beta1_t,
            beta2=self._beta2_t,
            epsilon=self._epsilon_t,
        )

    def _apply_sparse_shared(self, grad: Any, var: Any, indices: Any, add: Callable[..., Any]) -> Any:
        p = self._parameters(var)
        m, v = self.get_slot(var, "m"), self.get_slot(var, "v")
        m_rows = _rows(m, indices) * p["beta1"] + grad * (1 - p["beta1"])
        v_rows = raw.Maximum(_rows(v, indices) * p["beta2"], raw.Abs(grad))
        m_t, v_t = _scatter_update(m, indices, m_rows), _scatter_update(v, indices, v_rows)
        step = -p["lr"] / (1 - p["beta1_power"]) * (m_rows / (v_rows + p["epsilon"]))
        with control_dependencies([m_t, v_t]):
            return group(add(var, indices, step), m_t, v_t)

    def _finish(self, update_ops: list[Any], name_scope: str) -> Any:
        with control_dependencies(update_ops):
            beta1_power = self._get_beta_accumulators()
            with beta1_power.graph.colocate_with(beta1_power.op):
                update = beta1_power.assign(beta1_power * self._beta1_t, use_locking=self._use_locking)
        return group(*update_ops, update, name=name_scope)


class NadamOptimizer(AdamOptimizer):
    """Adam with Nesterov momentum."""

    _nesterov = True

    def _apply_sparse_shared(self, grad: Any, var: Any, indices: Any, add: Callable[..., Any]) -> Any:
        lr, beta1, beta2, epsilon = self._step_sizes(var)
        m, v = self.get_slot(var, "m"), self.get_slot(var, "v")
        scaled = grad * (1 - beta1)
        m_t = self._decayed(m, beta1, scaled, indices, add)
        m_bar = scaled + beta1 * raw.GatherV2(m_t, indices, 0)
        v_t = self._decayed(v, beta2, (grad * grad) * (1 - beta2), indices, add)
        root = raw.Sqrt(raw.GatherV2(v_t, indices, 0))
        var_update = add(var, indices, -lr * m_bar / (root + epsilon))
        return group(var_update, m_bar, v_t)


class LazyAdamOptimizer(AdamOptimizer):
    """Adam that, for a sparse gradient, updates only the rows and moments of its indices."""

    def _apply_sparse_shared(self, grad: Any, var: Any, indices: Any, add: Callable[..., Any]) -> Any:
        lr, beta1, beta2, epsilon = self._step_sizes(var)
        m, v = self.get_slot(var, "m"), self.get_slot(var, "v")
        m_rows = beta1 * _rows(m, indices) + (1 - beta1) * grad
        v_rows = beta2 * _rows(v, indices) + (1 - beta2) * raw.Square(grad)
        m_t, v_t = _scatter_update(m, indices, m_rows), _scatter_update(v, indices, v_rows)
        step = lr * m_rows / (raw.Sqrt(v_rows) + epsilon)
        var_update = scatter_sub(var, indices, step, use_locking=self._use_locking)
        return group(var_update, m_t, v_t)


__tf_exports__ = {
    "train.AdamOptimizer": "AdamOptimizer",
    "contrib.opt.AdaMaxOptimizer": "AdaMaxOptimizer",
    "contrib.opt.NadamOptimizer": "NadamOptimizer",
    "contrib.opt.LazyAdamOptimizer": "LazyAdamOptimizer",
}
