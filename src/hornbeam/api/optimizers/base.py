"""`tf.train.Optimizer`: gradients of a loss, updates of variables by them, and the slots in between."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from hornbeam.api import slot_creator
from hornbeam.api.variables import assign_add, trainable_variables
from hornbeam.core import dtypes
from hornbeam.core.control import group, tuple_
from hornbeam.core.gradients import gradients
from hornbeam.core.graph import (
    GraphKeys,
    IndexedSlices,
    Operation,
    Tensor,
    colocate_with,
    control_dependencies,
    convert_to_tensor_or_indexed_slices,
    get_collection,
    get_collection_ref,
    get_default_graph,
    init_scope,
    name_scope,
)
from hornbeam.core.registry import raw
from hornbeam.core.variables import PartitionedVariable, Variable, is_resource_variable

_TRAINABLE_RESOURCES = "trainable_resource_variables"


def _key(var: Any) -> tuple[Any, str]:
    return var.op.graph, var.op.name


def deduplicate(values: Any, indices: Any) -> tuple[Tensor, Tensor]:
    """(rows, indices) with the rows of each repeated index added up."""
    unique, positions = raw.Unique(indices)
    return raw.UnsortedSegmentSum(values, positions, raw.Shape(unique)[0]), unique


_deduplicate_indexed_slices = deduplicate


class Optimizer:
    """Base of all optimizers. A subclass gives `_apply_dense`, `_apply_sparse` and their `_resource_…` forms, and makes slots in
    `_create_slots`, tensors of its parameters in `_prepare`, and what follows all updates in `_finish`."""

    GATE_NONE = 0
    GATE_OP = 1
    GATE_GRAPH = 2

    def __init__(self, use_locking: bool, name: str) -> None:
        if not name:
            raise ValueError("Must specify the optimizer name")
        self._use_locking = use_locking
        self._name = name
        self._slots: dict[str, dict[Any, Any]] = {}
        self._non_slot_dict: dict[Any, Any] = {}

    def get_name(self) -> str:
        return self._name

    # gradients ------------------------------------------------------------------------------------------------------
    def minimize(
        self,
        loss: Any,
        global_step: Any = None,
        var_list: Any = None,
        gate_gradients: int = GATE_OP,
        aggregation_method: Any = None,
        colocate_gradients_with_ops: bool = False,
        name: str | None = None,
        grad_loss: Any = None,
    ) -> Operation:
        """The op of one training step: `compute_gradients` then `apply_gradients`. ValueError if no variable has a gradient."""
        grads_and_vars = self.compute_gradients(
            loss, var_list=var_list, gate_gradients=gate_gradients, aggregation_method=aggregation_method,
            colocate_gradients_with_ops=colocate_gradients_with_ops, grad_loss=grad_loss,
        )  # fmt: skip
        if all(g is None for g, _ in grads_and_vars):
            raise ValueError(
                "No gradients provided for any variable, check your graph for ops that do not support gradients, between variables "
                f"{[str(v) for _, v in grads_and_vars]} and loss {loss}."
            )
        return self.apply_gradients(grads_and_vars, global_step=global_step, name=name)

    def compute_gradients(
        self,
        loss: Any,
        var_list: Any = None,
        gate_gradients: int = GATE_OP,
        aggregation_method: Any = None,
        colocate_gradients_with_ops: bool = False,
        grad_loss: Any = None,
    ) -> list[tuple[Any, Any]]:
        """(gradient, variable) for each variable (all trainable ones by default); the gradient may be IndexedSlices or None."""
        if callable(loss):
            loss = loss()
        if gate_gradients not in (Optimizer.GATE_NONE, Optimizer.GATE_OP, Optimizer.GATE_GRAPH):
            raise ValueError(
                f"gate_gradients must be one of: Optimizer.GATE_NONE, Optimizer.GATE_OP, Optimizer.GATE_GRAPH.  Not {gate_gradients}"
            )
        self._assert_valid_dtypes([loss])
        if grad_loss is not None:
            self._assert_valid_dtypes([grad_loss])
        if var_list is None:
            var_list = trainable_variables() + get_collection(_TRAINABLE_RESOURCES)
        else:
            if callable(var_list):
                var_list = var_list()
            var_list = _flat(var_list)
        var_list = var_list + get_collection(GraphKeys._STREAMING_MODEL_PORTS)
        if not var_list:
            raise ValueError("No variables to optimize.")
        targets = [_target(v) for v in var_list]
        grads = gradients(
            loss, targets, grad_ys=grad_loss, gate_gradients=gate_gradients == Optimizer.GATE_OP,
            aggregation_method=aggregation_method, colocate_gradients_with_ops=colocate_gradients_with_ops,
        )  # fmt: skip
        if gate_gradients == Optimizer.GATE_GRAPH:
            grads = tuple_(grads)
        grads_and_vars = list(zip(grads, var_list, strict=True))
        self._assert_valid_dtypes([v for g, v in grads_and_vars if g is not None and v.dtype != dtypes.resource])
        return grads_and_vars

    # updates --------------------------------------------------------------------------------------------------------
    def apply_gradients(self, grads_and_vars: Any, global_step: Any = None, name: str | None = None) -> Operation:
        """The op that updates each variable by its gradient, then increments `global_step` if one is given."""
        grads_and_vars = tuple(grads_and_vars)
        if not grads_and_vars:
            raise ValueError("No variables provided.")
        converted = [(_as_gradient(g), v) for g, v in grads_and_vars]
        for _, v in converted:
            _target(v)  # raises for what cannot be optimized
        var_list = [v for g, v in converted if g is not None]
        if not var_list:
            raise ValueError(f"No gradients provided for any variable: {[str(v) for _, v in converted]}.")
        with init_scope():
            self._create_slots(var_list)
        with name_scope(name, self._name) as scope:
            self._prepare()
            update_ops = []
            for grad, var in converted:
                if grad is None:
                    continue
                with name_scope("update_" + var.op.name), colocate_with(var.op):
                    update_ops.append(self._update(grad, var))
            if global_step is None:
                apply_updates = self._finish(update_ops, scope)
            else:
                with control_dependencies([self._finish(update_ops, "update")]), colocate_with(global_step.op):
                    if is_resource_variable(global_step):
                        one = _one(global_step.dtype)
                        apply_updates = raw.AssignAddVariableOp(global_step.handle, one, name=scope)
                    else:
                        apply_updates = assign_add(global_step, 1, name=scope)
        if isinstance(apply_updates, Tensor):
            apply_updates = apply_updates.op
        train_ops = get_collection_ref(GraphKeys.TRAIN_OP)
        if apply_updates not in train_ops:
            train_ops.append(apply_updates)
        return apply_updates

    def _update(self, grad: Any, var: Any) -> Any:
        """One variable's update, its constraint applied after it."""
        if isinstance(var, Tensor):
            raise NotImplementedError("Trying to update a Tensor ", var)
        sparse = isinstance(grad, IndexedSlices)
        if sparse and var.constraint is not None:
            raise RuntimeError("Cannot use a constraint function on a sparse variable.")
        if is_resource_variable(var):
            if sparse:
                return self._resource_apply_sparse_duplicate_indices(grad.values, var, grad.indices)
            update = self._resource_apply_dense(grad, var)
        else:
            if sparse:
                return self._apply_sparse_duplicate_indices(grad, var)
            update = self._apply_dense(grad, var)
        if var.constraint is None:
            return update
        with control_dependencies([update]):
            # a reference variable's own snapshot may have been read before the update
            return var.assign(var.constraint(var if is_resource_variable(var) else var.read_value()))

    def _apply_dense(self, grad: Tensor, var: Any) -> Any:
        raise NotImplementedError()

    def _resource_apply_dense(self, grad: Tensor, handle: Any) -> Any:
        raise NotImplementedError()

    def _apply_sparse(self, grad: IndexedSlices, var: Any) -> Any:
        """Called with unique indices: `_apply_sparse_duplicate_indices` adds up the rows of repeated ones first."""
        raise NotImplementedError()

    def _resource_apply_sparse(self, grad: Tensor, handle: Any, indices: Tensor) -> Any:
        raise NotImplementedError()

    def _apply_sparse_duplicate_indices(self, grad: IndexedSlices, var: Any) -> Any:
        rows, unique = deduplicate(grad.values, grad.indices)
        return self._apply_sparse(IndexedSlices(rows, unique, grad.dense_shape), var)

    def _resource_apply_sparse_duplicate_indices(self, grad: Tensor, handle: Any, indices: Tensor) -> Any:
        rows, unique = deduplicate(grad, indices)
        return self._resource_apply_sparse(rows, handle, unique)

    def _create_slots(self, var_list: Sequence[Any]) -> None:
        """Makes the slots of the variables; nothing by default."""

    def _prepare(self) -> None:
        """Makes tensors of the parameters; nothing by default."""

    def _finish(self, update_ops: list[Any], name_scope: str) -> Any:
        return group(*update_ops, name=name_scope)

    # slots ----------------------------------------------------------------------------------------------------------
    def get_slot(self, var: Any, name: str) -> Any:
        """The slot `name` of a variable, None when there is none."""
        return self._slots.get(name, {}).get(_key(var))

    def get_slot_names(self) -> list[str]:
        return sorted(self._slots)

    def variables(self) -> list[Any]:
        """The variables this optimizer made in the current graph, by name."""
        graph = get_default_graph()
        made = [*self._non_slot_variables(), *(s for slots in self._slots.values() for s in slots.values())]
        return sorted((v for v in made if v.op.graph is graph), key=lambda v: v.name)

    def _slot_dict(self, slot_name: str) -> dict[Any, Any]:
        return self._slots.setdefault(slot_name, {})

    def _slot(self, var: Any, slot_name: str, make: Callable[[], Any]) -> Any:
        slots = self._slot_dict(slot_name)
        if _key(var) not in slots:
            slots[_key(var)] = make()
        return slots[_key(var)]

    def _get_or_make_slot(self, var: Any, val: Any, slot_name: str, op_name: str) -> Any:
        return self._slot(var, slot_name, lambda: slot_creator.create_slot(var, val, op_name))

    def _get_or_make_slot_with_initializer(
        self, var: Any, initializer: Any, shape: Any, dtype: Any, slot_name: str, op_name: str
    ) -> Any:
        return self._slot(
            var, slot_name, lambda: slot_creator.create_slot_with_initializer(var, initializer, shape, dtype, op_name)
        )

    def _zeros_slot(self, var: Any, slot_name: str, op_name: str) -> Any:
        return self._slot(var, slot_name, lambda: slot_creator.create_zeros_slot(var, op_name))

    def _create_non_slot_variable(self, initial_value: Any, name: str, colocate_with: Any) -> Any:
        """A variable that belongs to no other one (`beta1_power`), one a graph."""
        key = (name, colocate_with.op.graph)
        if key not in self._non_slot_dict:
            with colocate_with.op.graph.colocate_with(colocate_with.op):
                self._non_slot_dict[key] = Variable(
                    initial_value, name=name, trainable=False, use_resource=is_resource_variable(colocate_with)
                )
        return self._non_slot_dict[key]

    def _get_non_slot_variable(self, name: str, graph: Any = None) -> Any:
        return self._non_slot_dict.get((name, graph))

    def _non_slot_variables(self) -> list[Any]:
        return list(self._non_slot_dict.values())

    # helpers --------------------------------------------------------------------------------------------------------
    def _call_if_callable(self, param: Any) -> Any:
        return param() if callable(param) else param

    def _valid_dtypes(self) -> set[Any]:
        return {dtypes.float16, dtypes.bfloat16, dtypes.float32, dtypes.float64, dtypes.complex64, dtypes.complex128}

    def _assert_valid_dtypes(self, tensors: Sequence[Any]) -> None:
        valid = self._valid_dtypes()
        for t in tensors:
            if t.dtype.base_dtype not in valid:
                names = ", ".join(sorted(repr(d) for d in valid))
                raise ValueError(f"Invalid type {t.dtype.base_dtype!r} for {t.name}, expected: [{names}].")


def _flat(values: Any) -> list[Any]:
    if isinstance(values, dict):
        values = [values[k] for k in sorted(values)]
    if isinstance(values, (list, tuple, set)):
        return [f for v in values for f in _flat(v)]
    return [values]


def _target(var: Any) -> Any:
    """What the loss is differentiated by: a reference, a handle (through the variable) or the tensor itself."""
    if isinstance(var, PartitionedVariable):
        raise NotImplementedError(f"Optimize the parts of a partitioned variable: pass list(v) for {var.name!r}")
    if is_resource_variable(var) or isinstance(var, Tensor):
        return var
    if isinstance(var, Variable):
        return var._ref()
    if getattr(getattr(var, "op", None), "type", None) == "VarHandleOp":
        return var
    raise NotImplementedError("Trying to optimize unsupported type ", var)


def _as_gradient(g: Any) -> Any:
    if g is None:
        return None
    try:
        return convert_to_tensor_or_indexed_slices(g)
    except TypeError as e:
        raise TypeError(f"Gradient must be convertible to a Tensor or IndexedSlices, or None: {g}") from e


def _one(dtype: Any) -> Tensor:
    from hornbeam.core.constant import constant

    return constant(1, dtype)


__tf_exports__ = {
    "train.Optimizer": "Optimizer",
    "python.training.optimizer._deduplicate_indexed_slices": "_deduplicate_indexed_slices",
}
