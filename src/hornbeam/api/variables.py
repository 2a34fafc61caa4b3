"""`tf.Variable` and the functions around it: collections, initialization, assignment and scatters into variables."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from hornbeam.core import dtypes
from hornbeam.core.constant import constant
from hornbeam.core.control import group
from hornbeam.core.graph import (
    GraphKeys,
    Operation,
    Tensor,
    colocate_with,
    convert_to_tensor,
    device,
    get_collection,
    name_scope,
)
from hornbeam.core.masking import boolean_mask
from hornbeam.core.registry import raw
from hornbeam.core.variables import Variable


# --- collections --------------------------------------------------------------------------------------------------------
def global_variables(scope: str | None = None) -> list[Any]:
    return get_collection(GraphKeys.GLOBAL_VARIABLES, scope)


def all_variables() -> list[Any]:
    """Deprecated spelling of `global_variables`."""
    return global_variables()


def local_variables(scope: str | None = None) -> list[Any]:
    return get_collection(GraphKeys.LOCAL_VARIABLES, scope)


def model_variables(scope: str | None = None) -> list[Any]:
    return get_collection(GraphKeys.MODEL_VARIABLES, scope)


def trainable_variables(scope: str | None = None) -> list[Any]:
    return get_collection(GraphKeys.TRAINABLE_VARIABLES, scope)


def moving_average_variables(scope: str | None = None) -> list[Any]:
    return get_collection(GraphKeys.MOVING_AVERAGE_VARIABLES, scope)


# --- initialization -----------------------------------------------------------------------------------------------------
def variables_initializer(var_list: Any, name: str | None = "init") -> Operation:
    """An op that runs the initializers of all variables of the list."""
    return group(*[v.initializer for v in var_list], name=name)


def initialize_variables(var_list: Any, name: str | None = "init") -> Operation:
    """Deprecated spelling of `variables_initializer`."""
    return variables_initializer(var_list, name)


def global_variables_initializer() -> Operation:
    return variables_initializer(global_variables())


def initialize_all_variables() -> Operation:
    """Deprecated spelling of `global_variables_initializer`."""
    return global_variables_initializer()


def local_variables_initializer() -> Operation:
    return variables_initializer(local_variables())


def initialize_local_variables() -> Operation:
    """Deprecated spelling of `local_variables_initializer`."""
    return local_variables_initializer()


def is_variable_initialized(variable: Any, name: str | None = None) -> Tensor:
    """Whether a variable (or a reference tensor of one) has a value: a bool scalar."""
    if variable.dtype._is_ref_dtype:
        return raw.IsVariableInitialized(variable, name=name)
    return variable.is_initialized(name=name)


def assert_variables_initialized(var_list: Sequence[Any] | None = None) -> Any:
    """An op that fails with FailedPreconditionError unless all variables are initialized; None when there are none."""
    if var_list is None:
        var_list = global_variables() + local_variables()
    if not var_list:
        # TensorFlow 1 also looked at Variable nodes that nothing collected; imported graphs have them
        from hornbeam.core.graph import get_default_graph

        kinds = ("Variable", "VariableV2", "AutoReloadVariable")
        var_list = [o.outputs[0] for o in get_default_graph().get_operations() if o.type in kinds]
    if not var_list:
        return None
    ranks = []
    for v in var_list:
        with colocate_with(v.op):
            ranks.append(raw.Rank(v))
    return ranks[0] if len(ranks) == 1 else raw.Pack(ranks, name="stack")


def report_uninitialized_variables(
    var_list: Sequence[Any] | None = None, name: str = "report_uninitialized_variables"
) -> Tensor:
    """A string vector of the names of the variables (global and local ones by default) that have no value yet."""
    if var_list is None:
        var_list = global_variables() + local_variables()
    with name_scope(name), device("/cpu:0"):
        if not var_list:
            return constant([], dtype=dtypes.string)
        flags = raw.Pack([is_variable_initialized(v) for v in var_list], name="stack")
        missing = raw.LogicalNot(flags)
        names = constant([v.op.name for v in var_list])
        return boolean_mask(names, missing)


# --- assignment ---------------------------------------------------------------------------------------------------------
def assign(
    ref: Any, value: Any, validate_shape: bool | None = None, use_locking: bool | None = None, name: str | None = None
) -> Any:
    """Stores `value` in a variable; returns the variable's new value."""
    if ref.dtype._is_ref_dtype:
        return raw.Assign(ref, value, use_locking=use_locking, validate_shape=validate_shape, name=name)
    return ref.assign(value, name=name)


def assign_add(ref: Any, value: Any, use_locking: bool | None = None, name: str | None = None) -> Any:
    """`ref += value`; returns the new value."""
    if ref.dtype._is_ref_dtype:
        return raw.AssignAdd(ref, value, use_locking=use_locking, name=name)
    return ref.assign_add(value, name=name)


def assign_sub(ref: Any, value: Any, use_locking: bool | None = None, name: str | None = None) -> Any:
    """`ref -= value`; returns the new value."""
    if ref.dtype._is_ref_dtype:
        return raw.AssignSub(ref, value, use_locking=use_locking, name=name)
    return ref.assign_sub(value, name=name)


def count_up_to(ref: Any, limit: int, name: str | None = None) -> Tensor:
    """The variable's value before it is incremented; OutOfRangeError when it has reached `limit`."""
    if ref.dtype._is_ref_dtype:
        return raw.CountUpTo(ref, limit=limit, name=name)
    return raw.ResourceCountUpTo(ref.handle, limit=limit, T=ref.dtype, name=name)


def _scatter(op: str, locking: bool, doc: str) -> Callable[..., Any]:
    def scatter(ref: Any, indices: Any, updates: Any, use_locking: bool = locking, name: str | None = None) -> Any:
        if ref.dtype._is_ref_dtype:
            return getattr(raw, op)(ref, indices, updates, use_locking=use_locking, name=name)
        updates = convert_to_tensor(updates, ref.dtype)
        return ref._after(getattr(raw, f"Resource{op}")(ref.handle, indices, updates, name=name))

    scatter.__doc__ = doc
    return scatter


def _scatter_rows(op: str, what: str, locking: bool = False) -> Callable[..., Any]:
    return _scatter(
        op, locking, f"{what} the rows `indices` of a variable with `updates` (shape: indices.shape + ref.shape[1:])."
    )


def _scatter_tuples(op: str, what: str, locking: bool = False) -> Callable[..., Any]:
    return _scatter(op, locking, f"{what} the slices of a variable at the index tuples in the last axis of `indices`.")


scatter_update = _scatter_rows("ScatterUpdate", "Replaces", locking=True)
scatter_add = _scatter_rows("ScatterAdd", "Increments")
scatter_sub = _scatter_rows("ScatterSub", "Decrements")
scatter_mul = _scatter_rows("ScatterMul", "Multiplies")
scatter_div = _scatter_rows("ScatterDiv", "Divides")
scatter_min = _scatter_rows("ScatterMin", "Takes the minimum of")
scatter_max = _scatter_rows("ScatterMax", "Takes the maximum of")
scatter_nd_update = _scatter_tuples("ScatterNdUpdate", "Replaces", locking=True)
scatter_nd_add = _scatter_tuples("ScatterNdAdd", "Increments")
scatter_nd_sub = _scatter_tuples("ScatterNdSub", "Decrements")


def batch_scatter_update(
    ref: Any, indices: Any, updates: Any, use_locking: bool = True, name: str | None = None
) -> Any:
    """Replaces `ref[i…, indices[i…, j]]` by `updates[i…, j]`: a scatter_update a batch entry."""
    with name_scope(name):
        indices = convert_to_tensor(indices, name="indices")
        shape = indices._shape
        if shape is None or None in shape:
            raise ValueError(f"batch_scatter_update needs indices of known shape, got {indices.get_shape()}")
        import numpy as np

        grids = np.meshgrid(*[np.arange(d, dtype=indices.dtype.np) for d in shape], indexing="ij")[:-1]
        whole = raw.Pack([*grids, indices], axis=len(shape))
        return scatter_nd_update(ref, whole, updates, use_locking)


def _batch_scatter_method(self: Any, sparse_delta: Any, use_locking: bool = False, name: str | None = None) -> Any:
    """`batch_scatter_update` of an IndexedSlices."""
    return batch_scatter_update(self, sparse_delta.indices, sparse_delta.values, use_locking=use_locking, name=name)


Variable.batch_scatter_update = _batch_scatter_method  # type: ignore[attr-defined]

_HERE = (
    "all_variables assert_variables_initialized assign assign_add assign_sub batch_scatter_update count_up_to global_variables "
    "global_variables_initializer initialize_all_variables initialize_local_variables initialize_variables "
    "is_variable_initialized local_variables local_variables_initializer model_variables moving_average_variables "
    "report_uninitialized_variables scatter_add scatter_div scatter_max scatter_min scatter_mul scatter_nd_add "
    "scatter_nd_sub scatter_nd_update scatter_sub scatter_update trainable_variables variables_initializer"
)
_CORE = (
    "Variable VariableAggregation VariableSynchronization variable_creator_scope enable_resource_variables "
    "disable_resource_variables resource_variables_enabled"
)
__tf_exports__ = {n: n for n in _HERE.split()} | {n: f"hornbeam.core.variables:{n}" for n in _CORE.split()}
__tf_exports__ |= {
    "initializers.global_variables": "global_variables_initializer",
    "initializers.local_variables": "local_variables_initializer",
    "initializers.variables": "variables_initializer",
}
_PYTHON = {
    "ops.resource_variable_ops": "ResourceVariable is_resource_variable",
    "ops.variables": "RefVariable PartitionedVariable",
}
__tf_exports__ |= {
    f"python.{m}.{n}": f"hornbeam.core.variables:{n}" for m, names in _PYTHON.items() for n in names.split()
}
__tf_exports__["python.ops.variables.VariableV1"] = "hornbeam.core.variables:Variable"
