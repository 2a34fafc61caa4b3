"""What every `tf.Variable` is: its interface, its operators, how creation is dispatched, and its `VariableDef`.

The kinds themselves, reference and resource variables, stand in `core.variables`. Every op goes through `registry.raw`, so that
variables can stand on floor 1, where gradients, optimizers and savers need them.
"""

from __future__ import annotations

import contextlib
import enum
from collections.abc import Callable
from typing import Any

from hornbeam.core.dtypes import DType
from hornbeam.core.function import FuncGraph, unique_function_name
from hornbeam.core.functional import add_branches, match_captures
from hornbeam.core.graph import (
    Graph,
    GraphKeys,
    IndexedSlices,
    Operation,
    Reference,
    Tensor,
    convert_to_tensor,
    device,
    get_default_graph,
    get_default_session,
    init_scope,
    name_scope,
)
from hornbeam.core.operators import OPERATORS, slice_helper
from hornbeam.core.partitions import SaveSliceInfo, prepend_name_scope, strip_name_scope
from hornbeam.core.registry import raw
from hornbeam.core.tensor_shape import TensorShape


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
    ONLY_FIRST_TOWER = 3  # noqa: PIE796  TensorFlow's old spelling


def resolve_policy(
    synchronization: Any, aggregation: Any, trainable: bool | None, name: str | None
) -> tuple[Any, Any, bool]:
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


# --- dispatch ---
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
        from hornbeam.core.variables import default_variable_creator

        create: Callable[..., Any] = default_variable_creator
        for creator in get_default_graph()._extra.get("variable_creators", ()):
            create = _linked(creator, create)
        return create(**_arguments(*args, **kwargs))


def _linked(creator: Callable[..., Any], next_creator: Callable[..., Any]) -> Callable[..., Any]:
    return lambda **kwargs: creator(next_creator, **kwargs)


# --- what all variables share -------------------------------------------------------------------------------------------
class Variable(metaclass=_VariableType):
    """State that lives across `Session.run` calls. `tf.Variable(initial_value, …)` makes a RefVariable or a ResourceVariable."""

    __array_priority__ = 100
    SaveSliceInfo = SaveSliceInfo
    _save_slice_info: Any = None
    _constraint: Any = None
    _trainable = True
    _synchronization = VariableSynchronization.AUTO
    _aggregation = VariableAggregation.NONE
    _in_graph_mode = True
    _graph_element: Tensor  # what a fetch of the variable means
    _initializer_op: Operation
    _initial_value: Tensor | None
    _safe_initial_value: Tensor | None = None  # the same, with variables read only once they are initialized

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
        self._synchronization, self._aggregation, self._trainable = resolve_policy(
            synchronization, aggregation, trainable, name
        )
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
        if self._initial_value is None:
            raise ValueError(f"Variable {self.name} has no initial value.")
        initial = self._initial_value if self._safe_initial_value is None else self._safe_initial_value
        with init_scope():
            return _value_if(self.is_initialized(), self.read_value, lambda: initial)

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

    def _get_save_slice_info(self) -> Any:
        return self._save_slice_info

    def _set_save_slice_info(self, save_slice_info: Any) -> None:
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
        from hornbeam.core.variables import RefVariable, ResourceVariable

        kind = ResourceVariable if variable_def.is_resource else RefVariable
        return kind(variable_def=variable_def, import_scope=import_scope)

    def _element(self, name: str, import_scope: str | None) -> Any:
        return get_default_graph().as_graph_element(prepend_name_scope(name, import_scope))

    def _init_from_proto(self, d: Any, import_scope: str | None) -> None:
        self._initializer_op = self._element(d.initializer_name, import_scope)
        self._initial_value = self._element(d.initial_value_name, import_scope) if d.initial_value_name else None
        # `trainable` was added later: files without it mean what their collections say, and TensorFlow then takes False
        self._trainable = d.trainable
        self._synchronization, self._aggregation = (
            VariableSynchronization(d.synchronization),
            VariableAggregation(d.aggregation),
        )
        if d.HasField("save_slice_info_def"):
            self._save_slice_info = self.SaveSliceInfo(
                save_slice_info_def=d.save_slice_info_def, import_scope=import_scope
            )

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

    def _strided_slice_assign(
        self, begin: Any, end: Any, strides: Any, value: Any, name: str | None, **masks: int
    ) -> Any:
        raise NotImplementedError


def _assign_to_slice(part: Tensor) -> Callable[..., Any]:
    """`v[1:].assign`; AttributeError for tensors that are no slices of a variable."""
    variable = (part._extra or {}).get("variable")
    if variable is None or part.op.type != "StridedSlice":
        raise AttributeError(f"'Tensor' object has no attribute 'assign': {part.name!r} is not a slice of a variable")

    def assign(value: Any, name: str | None = None) -> Any:
        masks = {
            k: part.op._attrs[k]
            for k in ("begin_mask", "end_mask", "ellipsis_mask", "new_axis_mask", "shrink_axis_mask")
        }
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


def check_slices(delta: Any) -> None:
    if not isinstance(delta, IndexedSlices):
        raise TypeError(f"sparse_delta is not IndexedSlices: {delta}")


def check_conversion(v: Variable, dtype: DType | None) -> None:
    if dtype is not None and not dtype.is_compatible_with(v.dtype):
        raise ValueError(
            f"Incompatible type conversion requested to type '{dtype.name}' for variable of type '{v.dtype.name}'"
        )


def _value_if(pred: Tensor, true_fn: Callable[[], Tensor], false_fn: Callable[[], Tensor]) -> Tensor:
    """`tf.cond` of one tensor (its full form is above this floor)."""
    outer = get_default_graph()
    graphs = []
    with name_scope(None, "cond", [pred]) as scope:
        for prefix, fn in (("cond_true", true_fn), ("cond_false", false_fn)):
            body = FuncGraph(unique_function_name(outer, prefix), outer)
            with body.as_default():
                result = fn()
                body.outputs = [result if result.graph is body else body.capture(result)]
            graphs.append(body)
        inputs = match_captures(graphs)
        shape = TensorShape(graphs[0].outputs[0]._shape).most_specific_compatible_shape(graphs[1].outputs[0]._shape)
        op = add_branches("If", pred, graphs, inputs, [shape._dims], scope)
        return raw.Identity(op.outputs[0], name="Merge")  # type: ignore[no-any-return]


# --- creation helpers ---------------------------------------------------------------------------------------------------
def as_class(scope: str) -> Any:
    """Nodes made inside are colocated with the variable `scope`, which does not exist yet."""
    return get_default_graph()._attr_scope({"_class": [b"loc:@" + scope[:-1].encode()]})


def initial_tensor(initial_value: Any, dtype: Any) -> Tensor:
    """The initial value, built under `<name>/Initializer/` and on no particular device."""
    with name_scope("Initializer"), device(None):
        return convert_to_tensor(
            initial_value() if callable(initial_value) else initial_value, dtype, name="initial_value"
        )


def device_of(tensor: Tensor) -> Any:
    return device(tensor.device) if tensor.device else contextlib.nullcontext()


def _variable_of(op: Operation) -> Variable | None:
    for key in (GraphKeys.GLOBAL_VARIABLES, GraphKeys.LOCAL_VARIABLES):
        for v in op.graph._collections.get(key, ()):
            if isinstance(v, Variable) and v.op is op:
                return v
    return None


def without_uninitialized(name: str, value: Tensor) -> Tensor:
    """`value` with each variable that it reads replaced by that variable's `initialized_value`.

    One `global_variables_initializer` run may then initialize variables that depend on each other. Nodes that change are
    copied as `<node>_<name>`, TensorFlow's naming.
    """
    done: dict[Operation, Operation] = {}

    def safe(op: Operation) -> Operation:
        if op in done:
            return done[op]
        done[op] = op  # an op met again while it is being visited is in a cycle and stays
        if op.type in ("IsVariableInitialized", "VarIsInitializedOp", "ReadVariableOp", "If", "StatelessIf"):
            return op
        if op.type in ("Variable", "VariableV2", "VarHandleOp"):
            v = _variable_of(op)
            if v is not None:
                done[op] = v.initialized_value().op
        else:
            inputs = [safe(t.op).outputs[t.value_index] for t in op.inputs]
            if any(a is not b for a, b in zip(inputs, op.inputs, strict=True)):
                with name_scope(None):
                    done[op] = op.graph.create_op(op.type, inputs, name=f"{op.name}_{name}", attrs=dict(op._attrs))
        return done[op]

    with init_scope():
        return safe(value.op).outputs[value.value_index]
