"""Variables: `tf.Variable` in its reference and resource forms, and lists of partitions; and how creation is dispatched.

They stand on floor 1 because gradients, optimizers and savers all need them; every op they add goes through `registry.raw`.
"""

from __future__ import annotations

import contextlib
import enum
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from hornbeam.core import dtypes
from hornbeam.core.dtypes import DType
from hornbeam.core.graph import (
    Graph,
    GraphKeys,
    IndexedSlices,
    Operation,
    Reference,
    Tensor,
    colocate_with,
    control_dependencies,
    convert_to_tensor,
    device,
    get_default_graph,
    get_default_session,
    init_scope,
    name_scope,
)
from hornbeam.core.operators import OPERATORS, slice_helper
from hornbeam.core.registry import raw
from hornbeam.core.tensor_shape import TensorShape, to_tuple


class VariableSynchronization(enum.Enum):
    """When copies of a distributed variable are brought together."""

    AUTO = 0
    NONE = 1
    ON_WRITE = 2
    ON_READ = 3


class VariableAggregation(enum.Enum):
    """How copies of a distributed variable are combined."""

    NONE = 0
    SUM = 1
    MEAN = 2
    ONLY_FIRST_REPLICA = 3
    ONLY_FIRST_TOWER = 3


# --- which kind of variable `tf.Variable(...)` makes --------------------------------------------------------------------
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


def _arguments(
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
    use_resource: bool | None = None,
    synchronization: VariableSynchronization = VariableSynchronization.AUTO,
    aggregation: VariableAggregation = VariableAggregation.NONE,
    shape: Any = None,
) -> dict[str, Any]:
    return locals()


class _VariableType(type):
    """Calling `Variable` goes through the creator scopes; calling one of its kinds makes that kind."""

    def __call__(cls, *args: Any, **kwargs: Any) -> Any:
        if cls is not Variable:
            return super().__call__(*args, **kwargs)
        create: Callable[..., Any] = default_variable_creator
        for creator in get_default_graph()._extra.get("variable_creators", ()):
            create = _linked(creator, create)
        return create(**_arguments(*args, **kwargs))


def _linked(creator: Callable[..., Any], next_creator: Callable[..., Any]) -> Callable[..., Any]:
    return lambda **kwargs: creator(next_creator, **kwargs)


def resolve_policy(synchronization: Any, aggregation: Any, trainable: bool | None, name: str | None) -> tuple[Any, Any, bool]:
    """Checked (synchronization, aggregation, trainable); trainable defaults to True unless copies are combined on reading."""
    aggregation = VariableAggregation.NONE if aggregation is None else aggregation
    synchronization = VariableSynchronization.AUTO if synchronization is None else synchronization
    if not isinstance(aggregation, VariableAggregation):
        raise ValueError(f"Invalid variable aggregation mode: {aggregation} for variable: {name}")
    if not isinstance(synchronization, VariableSynchronization):
        raise ValueError(f"Invalid variable synchronization mode: {synchronization} for variable: {name}")
    on_read = synchronization is VariableSynchronization.ON_READ
    if trainable is None:
        return synchronization, aggregation, not on_read
    if on_read and trainable:
        raise ValueError(
            "Synchronization value can be set to VariableSynchronization.ON_READ only for non-trainable variables. You have "
            "specified trainable=True and synchronization=VariableSynchronization.ON_READ."
        )
    return synchronization, aggregation, bool(trainable)


# --- what all variables share -------------------------------------------------------------------------------------------
class Variable(metaclass=_VariableType):
    """State that lives across `Session.run` calls. `tf.Variable(initial_value, …)` makes a RefVariable or a ResourceVariable."""

    __array_priority__ = 100
    _save_slice_info: SaveSliceInfo | None = None
    _constraint: Any = None
    _trainable = True
    _synchronization = VariableSynchronization.AUTO
    _aggregation = VariableAggregation.NONE
    _in_graph_mode = True
    _graph_element: Tensor  # what a fetch of the variable means
    _initializer_op: Operation
    _initial_value: Tensor | None

    def _setup(self, initial_value: Any, trainable: Any, collections: Any, constraint: Any, synchronization: Any, aggregation: Any,
               name: str | None) -> list[Any]:  # fmt: skip
        """Checks what both kinds check and returns the collections the variable belongs to."""
        if initial_value is None:
            raise ValueError("initial_value must be specified.")
        if isinstance(initial_value, Tensor) and initial_value.graph.building_function:
            raise ValueError(
                "Tensor-typed variable initializers must either be wrapped in an init_scope or callable (e.g., "
                "`tf.Variable(lambda : tf.truncated_normal([10, 40]))`) when building functions, loops or conditionals."
            )
        self._synchronization, self._aggregation, self._trainable = resolve_policy(synchronization, aggregation, trainable, name)
        if collections is None:
            collections = [GraphKeys.GLOBAL_VARIABLES]
        if not isinstance(collections, (list, tuple, set)):
            raise ValueError(
                f"collections argument to Variable constructor must be a list, tuple, or set. Got {collections} of type {type(collections)}"
            )
        if constraint is not None and not callable(constraint):
            raise ValueError("The `constraint` argument must be a callable.")
        self._constraint = constraint
        collections = list(collections)
        if self._trainable and GraphKeys.TRAINABLE_VARIABLES not in collections:
            collections.append(GraphKeys.TRAINABLE_VARIABLES)
        return collections

    # reading --------------------------------------------------------------------------------------------------------
    @property
    def name(self) -> str:
        raise NotImplementedError

    @property
    def op(self) -> Operation:
        raise NotImplementedError

    @property
    def dtype(self) -> DType:
        raise NotImplementedError

    @property
    def shape(self) -> TensorShape:
        raise NotImplementedError

    def value(self) -> Tensor:
        raise NotImplementedError

    def read_value(self) -> Tensor:
        raise NotImplementedError

    def get_shape(self) -> TensorShape:
        return self.shape

    @property
    def device(self) -> str:
        return self.op.device

    @property
    def graph(self) -> Graph:
        return self.op.graph

    @property
    def _graph_key(self) -> Graph:
        return self.op.graph

    @property
    def _shared_name(self) -> str:
        return self.name[: self.name.index(":")]

    @property
    def trainable(self) -> bool:
        return self._trainable

    @property
    def synchronization(self) -> VariableSynchronization:
        return self._synchronization

    @property
    def aggregation(self) -> VariableAggregation:
        return self._aggregation

    @property
    def constraint(self) -> Any:
        return self._constraint

    @property
    def initializer(self) -> Operation:
        return self._initializer_op

    @property
    def initial_value(self) -> Tensor | None:
        return self._initial_value

    def initialized_value(self) -> Tensor:
        """The variable's value if it is initialized, its initial value otherwise: for initial values that depend on variables."""
        from hornbeam.core.control_flow import cond

        if self._initial_value is None:
            raise ValueError(f"Variable {self.name} has no initial value.")
        with init_scope():
            return cond(self.is_initialized(), self.read_value, lambda: self._initial_value)  # type: ignore[no-any-return]

    def is_initialized(self, name: str | None = None) -> Tensor:
        raise NotImplementedError

    def eval(self, session: Any = None) -> Any:
        return self._graph_element.eval(session=session)

    def load(self, value: Any, session: Any = None) -> None:
        """Stores `value` by running the initializer with its input fed; needs a session (the default one if none is given)."""
        session = session or get_default_session()
        if session is None:
            raise ValueError(
                "Either session argument should be provided or default session should be established to load a variable."
            )
        session.run(self.initializer, {self.initializer.inputs[1]: value})

    def _as_graph_element(self) -> Tensor:
        return self._graph_element

    def experimental_ref(self) -> Reference:
        return Reference(self)

    ref = experimental_ref

    def _get_save_slice_info(self) -> SaveSliceInfo | None:
        return self._save_slice_info

    def _set_save_slice_info(self, save_slice_info: SaveSliceInfo | None) -> None:
        self._save_slice_info = save_slice_info

    # VariableDef ----------------------------------------------------------------------------------------------------
    def to_proto(self, export_scope: str | None = None) -> Any:
        """A `VariableDef`; None when the variable is not under `export_scope`."""
        from hornbeam.proto import VariableDef

        if export_scope is not None and not self.name.startswith(export_scope):
            return None
        d = VariableDef()
        d.variable_name = strip_name_scope(self.name, export_scope)
        if self._initial_value is not None:
            d.initial_value_name = strip_name_scope(self._initial_value.name, export_scope)
        d.trainable = self.trainable
        d.synchronization = self.synchronization.value
        d.aggregation = self.aggregation.value
        d.initializer_name = strip_name_scope(self.initializer.name, export_scope)
        d.snapshot_name = strip_name_scope(self._snapshot_tensor().name, export_scope)
        if self._save_slice_info is not None:
            d.save_slice_info_def.MergeFrom(self._save_slice_info.to_proto(export_scope))
        return d

    def _snapshot_tensor(self) -> Tensor:
        return self._graph_element

    @staticmethod
    def from_proto(variable_def: Any, import_scope: str | None = None) -> Variable:
        """The variable a `VariableDef` describes; its nodes must be in the default graph, under `import_scope`."""
        kind = ResourceVariable if variable_def.is_resource else RefVariable
        return kind(variable_def=variable_def, import_scope=import_scope)

    def _element(self, name: str, import_scope: str | None) -> Any:
        return get_default_graph().as_graph_element(prepend_name_scope(name, import_scope))

    def _init_from_proto(self, d: Any, import_scope: str | None) -> None:
        self._initializer_op = self._element(d.initializer_name, import_scope)
        self._initial_value = self._element(d.initial_value_name, import_scope) if d.initial_value_name else None
        # `trainable` was added later: files without it mean what their collections say, and TensorFlow then takes False
        self._trainable = d.trainable
        self._synchronization, self._aggregation = VariableSynchronization(d.synchronization), VariableAggregation(d.aggregation)
        if d.HasField("save_slice_info_def"):
            self._save_slice_info = SaveSliceInfo(save_slice_info_def=d.save_slice_info_def, import_scope=import_scope)

    # Python ---------------------------------------------------------------------------------------------------------
    def __repr__(self) -> str:
        return f"<tf.Variable {self.name!r} shape={self.shape} dtype={self.dtype.name}>"

    def __iter__(self) -> Any:
        raise TypeError("'Variable' object is not iterable.")

    def __bool__(self) -> bool:
        return bool(self.value())

    def __array__(self, *args: Any, **kwargs: Any) -> Any:
        raise NotImplementedError(f"Cannot convert a symbolic Tensor ({self.name}) to a numpy array.")

    def __hash__(self) -> int:
        return id(self)

    def __eq__(self, other: object) -> bool:
        return self is other

    def __ne__(self, other: object) -> bool:
        return self is not other

    def __copy__(self) -> Variable:
        return self

    def __getitem__(self, key: Any) -> Tensor:
        """A slice of the value, whose `.assign(x)` stores into that part of the variable."""
        part: Tensor = slice_helper(self.value(), key)
        part._extra = {**(part._extra or {}), "variable": self}
        return part

    def _strided_slice_assign(self, begin: Any, end: Any, strides: Any, value: Any, name: str | None, **masks: int) -> Any:
        raise NotImplementedError


def _assign_to_slice(part: Tensor) -> Callable[..., Any]:
    """`v[1:].assign`; AttributeError for tensors that are no slices of a variable."""
    variable = (part._extra or {}).get("variable")
    if variable is None or part.op.type != "StridedSlice":
        raise AttributeError(f"'Tensor' object has no attribute 'assign': {part.name!r} is not a slice of a variable")

    def assign(value: Any, name: str | None = None) -> Any:
        masks = {k: part.op._attrs[k] for k in ("begin_mask", "end_mask", "ellipsis_mask", "new_axis_mask", "shrink_axis_mask")}
        return variable._strided_slice_assign(*part.op.inputs[1:4], value, name or part.op.name + "/_assign", **masks)

    return assign


Tensor._override_operator("assign", property(_assign_to_slice))  # type: ignore[arg-type]


def _on_value(name: str) -> Callable[..., Any]:
    operator = getattr(Tensor, name)

    def run(self: Variable, *args: Any) -> Any:
        return operator(self.value(), *args)

    run.__name__ = name
    return run


for _name in OPERATORS:
    if _name != "__getitem__":
        setattr(Variable, _name, _on_value(_name))


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
                with _as_class(scope):
                    initial = _initial_tensor(initial_value, dtype)
                    self._variable = self._new(initial, shape, validate_shape, scope)
            else:
                initial = convert_to_tensor(initial_value, dtype, name="initial_value")
                self._variable = self._new(initial, shape, validate_shape, scope)
            self._initial_value = initial
            if validate_shape and not initial.get_shape().is_fully_defined():
                raise ValueError(f"initial_value must have a shape specified: {initial}")
            safe = without_uninitialized(scope[:-1], initial)
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
        _check_conversion(self, dtype)
        return self._variable if as_ref else self._snapshot

    # writing --------------------------------------------------------------------------------------------------------
    def assign(self, value: Any, use_locking: bool = False, name: str | None = None, read_value: bool = True) -> Any:
        return _result(raw.Assign(self._variable, value, use_locking=use_locking, name=name), read_value)

    def assign_add(self, delta: Any, use_locking: bool = False, name: str | None = None, read_value: bool = True) -> Any:
        return _result(raw.AssignAdd(self._variable, delta, use_locking=use_locking, name=name), read_value)

    def assign_sub(self, delta: Any, use_locking: bool = False, name: str | None = None, read_value: bool = True) -> Any:
        return _result(raw.AssignSub(self._variable, delta, use_locking=use_locking, name=name), read_value)

    def count_up_to(self, limit: int) -> Tensor:
        return raw.CountUpTo(self._variable, limit=limit)  # type: ignore[no-any-return]

    def sparse_read(self, indices: Any, name: str | None = None) -> Tensor:
        return raw.GatherV2(self._snapshot, indices, 0, name=name)  # type: ignore[no-any-return]

    def gather_nd(self, indices: Any, name: str | None = None) -> Tensor:
        return raw.GatherNd(self._snapshot, indices, name=name)  # type: ignore[no-any-return]

    def _scatter(self, op: str, delta: Any, use_locking: bool, name: str | None) -> Any:
        _check_slices(delta)
        return getattr(raw, op)(self._variable, delta.indices, delta.values, use_locking=use_locking, name=name)

    def _scatter_nd(self, op: str, indices: Any, updates: Any, name: str | None) -> Any:
        return getattr(raw, op)(self._variable, indices, updates, use_locking=True, name=name)

    def _strided_slice_assign(self, begin: Any, end: Any, strides: Any, value: Any, name: str | None, **masks: int) -> Any:
        return raw.StridedSliceAssign(self._variable, begin, end, strides, value, name=name, **masks)


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
            with _as_class(scope):
                initial = _initial_tensor(initial_value, dtype)
                shape_ = to_tuple(shape) if shape is not None else initial._shape if validate_shape else None
                self._handle: Tensor = raw.VarHandleOp(
                    shape=shape_, dtype=initial.dtype.base_dtype, shared_name=scope[:-1], name=scope
                )
            self._dtype = initial.dtype.base_dtype
            self._initial_value = initial
            self._set_handle_shape(shape_)
            with name_scope("IsInitialized"):
                self._is_initialized_op = raw.VarIsInitializedOp(self._handle)
            with name_scope("Assign") as assign_scope, colocate_with(None, ignore_existing=True), _device_of(self._handle):
                safe = without_uninitialized(scope[:-1], initial)
                self._initializer_op = raw.AssignVariableOp(self._handle, safe, name=assign_scope)
            with name_scope("Read"):
                with _device_of(self._handle):
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
        with _device_of(self._handle):
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
        _check_conversion(self, dtype)
        if as_ref:
            return self.read_value().op.inputs[0]
        return self.value()

    # writing --------------------------------------------------------------------------------------------------------
    def _after(self, op: Operation, read_value: bool = True) -> Any:
        return _AssignedVariable(self, op) if read_value else op

    def assign(self, value: Any, use_locking: bool | None = None, name: str | None = None, read_value: bool = True) -> Any:
        value = convert_to_tensor(value, self._dtype)
        if not self.shape.is_compatible_with(value.shape):
            raise ValueError(f"Shapes {self.shape} and {value.shape} are incompatible: cannot assign to variable {self.name}")
        return self._after(raw.AssignVariableOp(self._handle, value, name=name), read_value)

    def assign_add(self, delta: Any, use_locking: bool | None = None, name: str | None = None, read_value: bool = True) -> Any:
        delta = convert_to_tensor(delta, self._dtype)
        return self._after(raw.AssignAddVariableOp(self._handle, delta, name=name), read_value)

    def assign_sub(self, delta: Any, use_locking: bool | None = None, name: str | None = None, read_value: bool = True) -> Any:
        delta = convert_to_tensor(delta, self._dtype)
        return self._after(raw.AssignSubVariableOp(self._handle, delta, name=name), read_value)

    def count_up_to(self, limit: int) -> Tensor:
        return raw.ResourceCountUpTo(self._handle, limit=limit, T=self._dtype)  # type: ignore[no-any-return]

    def sparse_read(self, indices: Any, name: str | None = None) -> Tensor:
        """Rows of the variable without reading all of it (`ResourceGather`), then an Identity as TensorFlow adds."""
        with name_scope("Gather" if name is None else name) as scope:
            value = raw.ResourceGather(self._handle, indices, dtype=self._dtype, name=scope)
        return raw.Identity(value)  # type: ignore[no-any-return]

    def gather_nd(self, indices: Any, name: str | None = None) -> Tensor:
        with name_scope("GatherNd" if name is None else name) as scope:
            value = raw.ResourceGatherNd(self._handle, indices, dtype=self._dtype, name=scope)
        return raw.Identity(value)  # type: ignore[no-any-return]

    def _scatter(self, op: str, delta: Any, use_locking: bool, name: str | None) -> Any:
        _check_slices(delta)
        values = convert_to_tensor(delta.values, self._dtype)
        return self._after(getattr(raw, "Resource" + op)(self._handle, delta.indices, values, name=name))

    def _scatter_nd(self, op: str, indices: Any, updates: Any, name: str | None) -> Any:
        updates = convert_to_tensor(updates, self._dtype)
        return self._after(getattr(raw, "Resource" + op)(self._handle, indices, updates, name=name))

    def _strided_slice_assign(self, begin: Any, end: Any, strides: Any, value: Any, name: str | None, **masks: int) -> Any:
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


def _scatter_method(op: str) -> Callable[..., Any]:
    def scatter(self: Any, sparse_delta: IndexedSlices, use_locking: bool = False, name: str | None = None) -> Any:
        return self._scatter(op, sparse_delta, use_locking, name)

    scatter.__doc__ = f"`{op}` of an IndexedSlices into the variable; returns the variable after it."
    return scatter


def _scatter_nd_method(op: str) -> Callable[..., Any]:
    def scatter(self: Any, indices: Any, updates: Any, name: str | None = None) -> Any:
        return self._scatter_nd(op, indices, updates, name)

    scatter.__doc__ = f"`{op}` of updates at index tuples; returns the variable after it."
    return scatter


for _how in ("add", "sub", "mul", "div", "min", "max", "update"):
    setattr(Variable, f"scatter_{_how}", _scatter_method(f"Scatter{_how.title()}"))
for _how in ("add", "sub", "update"):
    setattr(Variable, f"scatter_nd_{_how}", _scatter_nd_method(f"ScatterNd{_how.title()}"))


def is_resource_variable(var: Any) -> bool:
    return isinstance(var, ResourceVariable)


def _result(ref: Tensor, read_value: bool) -> Any:
    return ref if read_value else ref.op


def _check_slices(delta: Any) -> None:
    if not isinstance(delta, IndexedSlices):
        raise TypeError(f"sparse_delta is not IndexedSlices: {delta}")


def _check_conversion(v: Variable, dtype: DType | None) -> None:
    if dtype is not None and not dtype.is_compatible_with(v.dtype):
        raise ValueError(f"Incompatible type conversion requested to type '{dtype.name}' for variable of type '{v.dtype.name}'")


# --- creation helpers ---------------------------------------------------------------------------------------------------
def _as_class(scope: str) -> Any:
    """Nodes made inside are colocated with the variable `scope`, which does not exist yet."""
    return get_default_graph()._attr_scope({"_class": [b"loc:@" + scope[:-1].encode()]})


def _initial_tensor(initial_value: Any, dtype: Any) -> Tensor:
    """The initial value, built under `<name>/Initializer/` and on no particular device."""
    with name_scope("Initializer"), device(None):
        return convert_to_tensor(initial_value() if callable(initial_value) else initial_value, dtype, name="initial_value")


def _device_of(tensor: Tensor) -> Any:
    return device(tensor.device) if tensor.device else contextlib.nullcontext()


def without_uninitialized(name: str, value: Tensor) -> Tensor:
    """`value` with each variable that it reads replaced by that variable's `initialized_value`.

    One `global_variables_initializer` run may then initialize variables that depend on each other. Nodes that change are
    copied as `<node>_<name>`, TensorFlow's naming.
    """
    graph = value.graph
    by_name = {v.op.name: v for k in (GraphKeys.LOCAL_VARIABLES, GraphKeys.GLOBAL_VARIABLES) for v in graph._collections.get(k, ()) if isinstance(v, Variable)}
    if not by_name:
        return value
    done: dict[Operation, Operation] = {}

    def safe(op: Operation) -> Operation:
        if op in done:
            return done[op]
        done[op] = op  # an op met again while it is being visited is in a cycle and stays
        if op.type in ("IsVariableInitialized", "VarIsInitializedOp", "ReadVariableOp", "If", "StatelessIf"):
            return op
        if op.type in ("Variable", "VariableV2", "VarHandleOp"):
            v = by_name.get(op.name)
            if v is not None:
                done[op] = v.initialized_value().op
        else:
            inputs = [safe(t.op).outputs[t.value_index] for t in op.inputs]
            if any(a is not b for a, b in zip(inputs, op.inputs, strict=True)):
                copy = op.graph.create_op(op.type, inputs, name=f"{op.name}_{name.replace(':', '_')}", attrs=dict(op._attrs))
                done[op] = copy
        return done[op]

    with init_scope():
        return safe(value.op).outputs[value.value_index]


def strip_name_scope(name: str, export_scope: str | None) -> str:
    if not export_scope:
        return name
    prefix = export_scope.rstrip("/") + "/"
    return name[len(prefix) :] if name.startswith(prefix) else name


def prepend_name_scope(name: str, import_scope: str | None) -> str:
    return f"{import_scope.rstrip('/')}/{name}" if import_scope else name


# --- partitions ---------------------------------------------------------------------------------------------------------
class SaveSliceInfo:
    """Which part of which full tensor a partition is, for savers: all partitions go into one checkpoint entry."""

    def __init__(
        self,
        full_name: str | None = None,
        full_shape: Any = None,
        var_offset: Any = None,
        var_shape: Any = None,
        save_slice_info_def: Any = None,
        import_scope: str | None = None,
    ) -> None:
        if save_slice_info_def is not None:
            d = save_slice_info_def
            full_name, full_shape = prepend_name_scope(d.full_name, import_scope), list(d.full_shape)
            var_offset, var_shape = list(d.var_offset), list(d.var_shape)
        self.full_name = full_name
        self.full_shape = full_shape
        self.var_offset = var_offset
        self.var_shape = var_shape

    @property
    def spec(self) -> str:
        """`<full shape> <offset,size per dimension>`, the slice's spelling in save and restore ops."""
        full = " ".join(str(d) for d in self.full_shape)
        return full + " " + ":".join(f"{o},{s}" for o, s in zip(self.var_offset, self.var_shape, strict=True))

    def to_proto(self, export_scope: str | None = None) -> Any:
        from hornbeam.proto import SaveSliceInfoDef

        if export_scope is not None and not (self.full_name or "").startswith(export_scope):
            return None
        d = SaveSliceInfoDef(full_name=strip_name_scope(self.full_name or "", export_scope))
        d.full_shape.extend(self.full_shape)
        d.var_offset.extend(self.var_offset)
        d.var_shape.extend(self.var_shape)
        return d


Variable.SaveSliceInfo = SaveSliceInfo  # type: ignore[attr-defined]


class PartitionedVariable:
    """Several variables that are slices of one tensor along (at most) one axis; converts to their concatenation."""

    def __init__(self, name: str, shape: Any, dtype: Any, variable_list: Sequence[Variable], partitions: Sequence[int]) -> None:
        if not isinstance(variable_list, (list, tuple)):
            raise TypeError(f"variable_list is not a list or tuple: {variable_list}")
        if not isinstance(partitions, (list, tuple)):
            raise TypeError(f"partitions is not a list or tuple: {partitions}")
        if not all(p >= 1 for p in partitions):
            raise ValueError(f"partition values must be positive: {partitions}")
        if not variable_list:
            raise ValueError("variable_list may not be empty")
        for v in variable_list:
            if v._save_slice_info is None:
                raise ValueError(f"All variables must have a save_slice_info available: {v.name}")
            if v._save_slice_info.full_name != name:
                raise ValueError(f"All variables must have {name!r} as their full name; {v.name} has {v._save_slice_info.full_name!r}")
        self._variable_list = sorted(variable_list, key=lambda v: v._save_slice_info.var_offset)  # type: ignore[union-attr]
        self._partitions = list(partitions)
        self._name = name
        self._shape = TensorShape(shape)
        self._dtype = dtypes.as_dtype(dtype)

    def __iter__(self) -> Iterator[Variable]:
        return iter(self._variable_list)

    def __len__(self) -> int:
        axes = self._partition_axes()
        if len(axes) > 1:
            raise ValueError(f"Cannot get a length for {len(axes)} > 1 partition axes")
        return len(self._variable_list)

    def _partition_axes(self) -> list[int]:
        return [i for i, p in enumerate(self._partitions) if p > 1] or [0]

    def as_tensor(self) -> Tensor:
        """The concatenation of the partitions, as a node of the variable's name."""
        if len(self._variable_list) == 1:
            with name_scope(None):
                return raw.Identity(self._variable_list[0], name=self._name)  # type: ignore[no-any-return]
        axes = self._partition_axes()
        if len(axes) > 1:
            raise NotImplementedError(f"Cannot concatenate along more than one dimension: {axes}. Multi-axis partition concat is not supported")
        with name_scope(self._name + "/ConcatPartitions/"):
            joined = raw.ConcatV2(self._variable_list, axes[0], name="concat")
        with name_scope(None):
            return raw.Identity(joined, name=self._name)  # type: ignore[no-any-return]

    def _dense_var_to_tensor(self, dtype: DType | None = None, name: str | None = None, as_ref: bool = False) -> Tensor:
        if dtype is not None and not dtype.is_compatible_with(self.dtype):
            raise ValueError(f"Incompatible type conversion requested to type '{dtype.name}' for variable of type '{self.dtype.name}'")
        if as_ref:
            raise NotImplementedError("PartitionedVariable doesn't support being used as a reference.")
        return self.as_tensor()

    @property
    def name(self) -> str:
        return self._name

    @property
    def dtype(self) -> DType:
        return self._dtype

    @property
    def shape(self) -> TensorShape:
        return self._shape

    @property
    def graph(self) -> Graph:
        return self._variable_list[0].graph

    def get_shape(self) -> TensorShape:
        return self._shape

    def _get_variable_list(self) -> list[Variable]:
        return self._variable_list

    def _get_partitions(self) -> list[int]:
        return self._partitions

    def _apply(self, method: str, value: Any, kwargs: dict[str, Any]) -> list[Any]:
        if isinstance(value, (list, tuple, PartitionedVariable)):
            parts = list(value)
        else:
            axes = self._partition_axes()
            sizes = [int(v.shape[axes[0]]) for v in self._variable_list]
            parts = raw.SplitV(value, sizes, axes[0], num_split=len(sizes)) if len(sizes) > 1 else [value]
        return [getattr(v, method)(p, **kwargs) for v, p in zip(self._variable_list, parts, strict=True)]

    def assign(self, value: Any, use_locking: bool = False, name: str | None = None, read_value: bool = True) -> list[Any]:
        return self._apply("assign", value, {"use_locking": use_locking, "name": name, "read_value": read_value})

    def assign_add(self, value: Any, use_locking: bool = False, name: str | None = None, read_value: bool = True) -> list[Any]:
        return self._apply("assign_add", value, {"use_locking": use_locking, "name": name, "read_value": read_value})

    def assign_sub(self, value: Any, use_locking: bool = False, name: str | None = None, read_value: bool = True) -> list[Any]:
        return self._apply("assign_sub", value, {"use_locking": use_locking, "name": name, "read_value": read_value})

    def __repr__(self) -> str:
        return f"<tf.PartitionedVariable {self._name!r} shape={self._shape} dtype={self._dtype.name}>"
