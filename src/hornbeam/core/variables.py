"""The kinds of variables: `RefVariable` (TensorFlow 1's default), `ResourceVariable`, and which of them `tf.Variable` makes."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

from hornbeam.core import dtypes
from hornbeam.core.dtypes import DType
from hornbeam.core.graph import (
    Graph,
    GraphKeys,
    Operation,
    Tensor,
    colocate_with,
    control_dependencies,
    convert_to_tensor,
    device,
    get_default_graph,
    init_scope,
    name_scope,
)
from hornbeam.core.partitions import PartitionedVariable, SaveSliceInfo
from hornbeam.core.registry import raw
from hornbeam.core.tensor_shape import TensorShape, to_tuple
from hornbeam.core.variable_base import (
    Variable,
    VariableAggregation,
    VariableSynchronization,
    as_class,
    check_conversion,
    check_slices,
    device_of,
    initial_tensor,
    resolve_policy,
    without_uninitialized,
)

__all__ = [
    "PartitionedVariable", "RefVariable", "ResourceVariable", "SaveSliceInfo", "Variable", "VariableAggregation",
    "VariableSynchronization", "resolve_policy",
]  # fmt: skip

_USE_RESOURCE = [False]


def enable_resource_variables() -> None:
    """Makes `tf.Variable` and `get_variable` create resource variables where `use_resource` is not given."""
    _USE_RESOURCE[0] = True


def disable_resource_variables() -> None:
    _USE_RESOURCE[0] = False


def resource_variables_enabled() -> bool:
    return _USE_RESOURCE[0]


@contextlib.contextmanager
def variable_creator_scope(variable_creator: Callable[..., Any]) -> Iterator[None]:
    """Inside, `variable_creator(next_creator, **kwargs)` is asked for every new variable; the innermost scope first."""
    graph = get_default_graph()
    stack: list[Any] = graph._extra.setdefault("variable_creators", [])
    stack.append(variable_creator)
    try:
        yield
    finally:
        stack.remove(variable_creator)


def _scope_use_resource(graph: Graph) -> bool | None:
    stores = graph._collections.get(GraphKeys._VARSCOPESTORE_KEY)
    return stores[0].current_scope.use_resource if stores else None  # type: ignore[no-any-return]


def default_variable_creator(next_creator: Any = None, **kwargs: Any) -> Variable:
    """The last creator in the chain: a RefVariable, or a ResourceVariable where scope, default or argument asks for it."""
    use_resource = kwargs.pop("use_resource", None)
    if use_resource is None:
        use_resource = _scope_use_resource(get_default_graph())
    if use_resource is None:
        use_resource = _USE_RESOURCE[0]
    if use_resource:
        kwargs.pop("expected_shape", None)  # as TensorFlow: deprecated, and unknown to resource variables
        return ResourceVariable(**kwargs)
    return RefVariable(**kwargs)


# --- reference variables ------------------------------------------------------------------------------------------------
class RefVariable(Variable):
    """A variable whose op outputs a mutable tensor (`VariableV2`): TensorFlow 1's default."""

    def __init__(
        self,
        initial_value: Any = None,
        trainable: bool | None = None,
        collections: Any = None,
        validate_shape: bool = True,
        caching_device: Any = None,
        name: str | None = None,
        variable_def: Any = None,
        dtype: Any = None,
        expected_shape: Any = None,
        import_scope: str | None = None,
        constraint: Any = None,
        synchronization: Any = None,
        aggregation: Any = None,
        shape: Any = None,
    ) -> None:
        self._caching_device = None
        if variable_def is not None:
            if initial_value is not None:
                raise ValueError("variable_def and initial_value are mutually exclusive.")
            self._variable: Tensor = self._element(variable_def.variable_name, import_scope)
            self._snapshot: Tensor = self._element(variable_def.snapshot_name, import_scope)
            self._graph_element = self._variable
            self._init_from_proto(variable_def, import_scope)
            return
        collections = self._setup(initial_value, trainable, collections, constraint, synchronization, aggregation, name)
        called = callable(initial_value)
        with init_scope(), name_scope(name, "Variable", [] if called else [initial_value]) as scope:
            if called:
                with as_class(scope):
                    initial = initial_tensor(initial_value, dtype)
                    self._variable = self._new(initial, shape, validate_shape, scope)
            else:
                initial = convert_to_tensor(initial_value, dtype, name="initial_value")
                self._variable = self._new(initial, shape, validate_shape, scope)
            self._initial_value = initial
            if validate_shape and not initial.get_shape().is_fully_defined():
                raise ValueError(f"initial_value must have a shape specified: {initial}")
            safe = self._safe_initial_value = without_uninitialized(scope[:-1], initial)
            self._initializer_op = raw.Assign(self._variable, safe, validate_shape=validate_shape, name="Assign").op
            if caching_device is None:
                with colocate_with(self._variable.op):
                    self._snapshot = raw.Identity(self._variable, name="read")
            else:
                self._caching_device = caching_device
                with device(caching_device):
                    self._snapshot = raw.Identity(self._variable, name="read")
        self._graph_element = self._variable
        self.graph.add_to_collections(collections, self)

    @staticmethod
    def _new(initial: Tensor, shape: Any, validate_shape: bool, scope: str) -> Tensor:
        known = to_tuple(shape) if shape is not None else initial._shape if validate_shape else None
        return raw.VariableV2(shape=known, dtype=initial.dtype.base_dtype, name=scope)  # type: ignore[no-any-return]

    @property
    def op(self) -> Operation:
        return self._variable.op

    @property
    def name(self) -> str:
        return self._variable.name

    @property
    def dtype(self) -> DType:
        return self._variable.dtype

    @property
    def shape(self) -> TensorShape:
        return self._variable.get_shape()

    def set_shape(self, shape: Any) -> None:
        self._variable.set_shape(shape)
        self._snapshot.set_shape(shape)

    def _ref(self) -> Tensor:
        return self._variable

    def value(self) -> Tensor:
        return self._snapshot

    def read_value(self) -> Tensor:
        return raw.Identity(self._variable, name="read")  # type: ignore[no-any-return]

    def _snapshot_tensor(self) -> Tensor:
        return self._snapshot

    def is_initialized(self, name: str | None = None) -> Tensor:
        return raw.IsVariableInitialized(self._variable, name=name)  # type: ignore[no-any-return]

    def _dense_var_to_tensor(self, dtype: DType | None = None, name: str | None = None, as_ref: bool = False) -> Tensor:
        check_conversion(self, dtype)
        return self._variable if as_ref else self._snapshot

    # writing --------------------------------------------------------------------------------------------------------
    def assign(self, value: Any, use_locking: bool = False, name: str | None = None, read_value: bool = True) -> Any:
        return _result(raw.Assign(self._variable, value, use_locking=use_locking, name=name), read_value)

    def assign_add(
        self, delta: Any, use_locking: bool = False, name: str | None = None, read_value: bool = True
    ) -> Any:
        return _result(raw.AssignAdd(self._variable, delta, use_locking=use_locking, name=name), read_value)

    def assign_sub(
        self, delta: Any, use_locking: bool = False, name: str | None = None, read_value: bool = True
    ) -> Any:
        return _result(raw.AssignSub(self._variable, delta, use_locking=use_locking, name=name), read_value)

    def count_up_to(self, limit: int) -> Tensor:
        return raw.CountUpTo(self._variable, limit=limit)  # type: ignore[no-any-return]

    def sparse_read(self, indices: Any, name: str | None = None) -> Tensor:
        return raw.GatherV2(self._snapshot, indices, 0, name=name)  # type: ignore[no-any-return]

    def gather_nd(self, indices: Any, name: str | None = None) -> Tensor:
        return raw.GatherNd(self._snapshot, indices, name=name)  # type: ignore[no-any-return]

    def _scatter(self, op: str, delta: Any, use_locking: bool, name: str | None) -> Any:
        check_slices(delta)
        return getattr(raw, op)(self._variable, delta.indices, delta.values, use_locking=use_locking, name=name)

    def _scatter_nd(self, op: str, indices: Any, updates: Any, name: str | None) -> Any:
        return getattr(raw, op)(self._variable, indices, updates, use_locking=True, name=name)

    def _strided_slice_assign(
        self, begin: Any, end: Any, strides: Any, value: Any, name: str | None, **masks: int
    ) -> Any:
        return raw.StridedSliceAssign(self._variable, begin, end, strides, value, name=name, **masks)


def _result(ref: Tensor, read_value: bool) -> Any:
    return ref if read_value else ref.op


# --- resource variables -------------------------------------------------------------------------------------------------
class ResourceVariable(Variable):
    """A variable behind a handle (`VarHandleOp`): reads are explicit ops, so their order is what control dependencies say."""

    def __init__(
        self,
        initial_value: Any = None,
        trainable: bool | None = None,
        collections: Any = None,
        validate_shape: bool = True,
        caching_device: Any = None,
        name: str | None = None,
        dtype: Any = None,
        variable_def: Any = None,
        import_scope: str | None = None,
        constraint: Any = None,
        distribute_strategy: Any = None,
        synchronization: Any = None,
        aggregation: Any = None,
        shape: Any = None,
    ) -> None:
        self._caching_device = caching_device
        self._cached_value: Tensor | None = None
        if variable_def is not None:
            if initial_value is not None:
                raise ValueError("variable_def and initial_value are mutually exclusive.")
            if not variable_def.is_resource:
                raise ValueError("Trying to restore Variable as ResourceVariable.")
            self._restore(variable_def, import_scope)
            return
        collections = self._setup(initial_value, trainable, collections, constraint, synchronization, aggregation, name)
        called = callable(initial_value)
        with init_scope(), name_scope(name, "Variable", [] if called else [initial_value]) as scope:
            self._handle_name = scope[:-1] + ":0"
            with as_class(scope):
                initial = initial_tensor(initial_value, dtype)
                shape_ = to_tuple(shape) if shape is not None else initial._shape if validate_shape else None
                self._handle: Tensor = raw.VarHandleOp(
                    shape=shape_, dtype=initial.dtype.base_dtype, shared_name=scope[:-1], name=scope
                )
            self._dtype = initial.dtype.base_dtype
            self._initial_value = initial
            self._set_handle_shape(shape_)
            with name_scope("IsInitialized"):
                self._is_initialized_op = raw.VarIsInitializedOp(self._handle)
            with (
                name_scope("Assign") as assign_scope,
                colocate_with(None, ignore_existing=True),
                device_of(self._handle),
            ):
                safe = self._safe_initial_value = without_uninitialized(scope[:-1], initial)
                self._initializer_op = raw.AssignVariableOp(self._handle, safe, name=assign_scope)
            with name_scope("Read"):
                with device_of(self._handle):
                    self._graph_element = raw.ReadVariableOp(self._handle, dtype=self._dtype)
                if caching_device is not None:
                    with colocate_with(None, ignore_existing=True), device(caching_device):
                        self._cached_value = raw.Identity(self._graph_element)
        self.graph.add_to_collections(collections, self)

    def _set_handle_shape(self, shape: Any) -> None:
        """What readers of the handle know of the variable's shape, inside functions too."""
        self._shape = shape
        self._handle._extra = {**(self._handle._extra or {}), "handle_shape": shape}

    def _restore(self, d: Any, import_scope: str | None) -> None:
        self._handle = self._element(d.variable_name, import_scope)
        self._handle_name = self._handle.name
        self._init_from_proto(d, import_scope)
        self._set_handle_shape(self._handle.op._attrs["shape"])
        self._dtype = self._handle.op._attrs["dtype"]
        snapshot = self._element(d.snapshot_name, import_scope)
        if snapshot.op.type != "ReadVariableOp":
            self._cached_value = snapshot
            snapshot = snapshot.op.inputs[0] if snapshot.op.inputs else snapshot
        self._graph_element = snapshot
        tests = [o.outputs[0] for o in self._handle.consumers() if o.type == "VarIsInitializedOp"]
        self._is_initialized_op = tests[0] if tests else raw.VarIsInitializedOp(self._handle)

    @property
    def handle(self) -> Tensor:
        return self._handle

    @property
    def op(self) -> Operation:
        return self._handle.op

    @property
    def name(self) -> str:
        return self._handle_name

    @property
    def dtype(self) -> DType:
        return self._dtype

    @property
    def shape(self) -> TensorShape:
        return TensorShape(self._shape)

    @property
    def create(self) -> Operation:
        return self._initializer_op

    @property
    def _ref_tensor(self) -> Tensor:
        return self._handle

    def set_shape(self, shape: Any) -> None:
        self._set_handle_shape(self.shape.merge_with(shape)._dims)

    def value(self) -> Tensor:
        if self._cached_value is not None:
            return self._cached_value
        with colocate_with(None, ignore_existing=True):
            return self._read()

    def _read(self) -> Tensor:
        with device_of(self._handle):
            value: Tensor = raw.ReadVariableOp(self._handle, dtype=self._dtype)
        value._extra = {**(value._extra or {}), "variable": self}
        return value

    def read_value(self) -> Tensor:
        with name_scope("Read"):
            value = self._read()
        return raw.Identity(value)  # type: ignore[no-any-return]

    def is_initialized(self, name: str | None = None) -> Tensor:
        return raw.VarIsInitializedOp(self._handle, name=name)  # type: ignore[no-any-return]

    def _snapshot_tensor(self) -> Tensor:
        return self._graph_element if self._cached_value is None else self._cached_value

    def to_proto(self, export_scope: str | None = None) -> Any:
        d = super().to_proto(export_scope)
        if d is not None:
            d.is_resource = True
        return d

    def _dense_var_to_tensor(self, dtype: DType | None = None, name: str | None = None, as_ref: bool = False) -> Tensor:
        if dtype is dtypes.resource:
            return self._handle
        check_conversion(self, dtype)
        if as_ref:
            return self.read_value().op.inputs[0]
        return self.value()

    # writing --------------------------------------------------------------------------------------------------------
    def _after(self, op: Operation, read_value: bool = True) -> Any:
        return _AssignedVariable(self, op) if read_value else op

    def assign(
        self, value: Any, use_locking: bool | None = None, name: str | None = None, read_value: bool = True
    ) -> Any:
        value = convert_to_tensor(value, self._dtype)
        if not self.shape.is_compatible_with(value.shape):
            raise ValueError(
                f"Shapes {self.shape} and {value.shape} are incompatible: cannot assign to variable {self.name}"
            )
        return self._after(raw.AssignVariableOp(self._handle, value, name=name), read_value)

    def assign_add(
        self, delta: Any, use_locking: bool | None = None, name: str | None = None, read_value: bool = True
    ) -> Any:
        delta = convert_to_tensor(delta, self._dtype)
        return self._after(raw.AssignAddVariableOp(self._handle, delta, name=name), read_value)

    def assign_sub(
        self, delta: Any, use_locking: bool | None = None, name: str | None = None, read_value: bool = True
    ) -> Any:
        delta = convert_to_tensor(delta, self._dtype)
        return self._after(raw.AssignSubVariableOp(self._handle, delta, name=name), read_value)

    def count_up_to(self, limit: int) -> Tensor:
        return raw.ResourceCountUpTo(self._handle, limit=limit, T=self._dtype)  # type: ignore[no-any-return]

    def sparse_read(self, indices: Any, name: str | None = None) -> Tensor:
        """Rows of the variable without reading all of it (`ResourceGather`)."""
        with name_scope("Gather" if name is None else name) as scope:
            return raw.ResourceGather(self._handle, indices, dtype=self._dtype, name=scope)  # type: ignore[no-any-return]

    def gather_nd(self, indices: Any, name: str | None = None) -> Tensor:
        with name_scope("GatherNd" if name is None else name) as scope:
            value = raw.ResourceGatherNd(self._handle, indices, dtype=self._dtype, name=scope)
        return raw.Identity(value)  # type: ignore[no-any-return]

    def _scatter(self, op: str, delta: Any, use_locking: bool, name: str | None) -> Any:
        check_slices(delta)
        values = convert_to_tensor(delta.values, self._dtype)
        return self._after(getattr(raw, "Resource" + op)(self._handle, delta.indices, values, name=name))

    def _scatter_nd(self, op: str, indices: Any, updates: Any, name: str | None) -> Any:
        updates = convert_to_tensor(updates, self._dtype)
        return self._after(getattr(raw, "Resource" + op)(self._handle, indices, updates, name=name))

    def _strided_slice_assign(
        self, begin: Any, end: Any, strides: Any, value: Any, name: str | None, **masks: int
    ) -> Any:
        value = convert_to_tensor(value, self._dtype)
        return self._after(raw.ResourceStridedSliceAssign(self._handle, begin, end, strides, value, name=name, **masks))


class _AssignedVariable(ResourceVariable):
    """What `v.assign(x)` returns: the variable as it is after the assignment."""

    def __init__(self, variable: ResourceVariable, parent_op: Operation) -> None:
        self.__dict__.update(variable.__dict__)
        self._cached_value = None
        self._parent_op = parent_op
        with control_dependencies([parent_op]):
            self._graph_element = ResourceVariable._read(self)

    @property
    def op(self) -> Operation:
        return self._parent_op

    @property
    def graph(self) -> Graph:
        return self._handle.graph

    def _read(self) -> Tensor:
        with control_dependencies([self._parent_op]):
            return super()._read()

    def set_shape(self, shape: Any) -> None:
        self._shape = self.shape.merge_with(shape)._dims


def is_resource_variable(var: Any) -> bool:
    return isinstance(var, ResourceVariable)
