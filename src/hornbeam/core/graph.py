"""Graph, Operation and Tensor: the one representation of a model, and how nodes are added to it (names, scopes, dependencies)."""

from __future__ import annotations

import contextlib
import os
import re
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from hornbeam.core import dtypes, registry
from hornbeam.core.dtypes import DType
from hornbeam.core.registry import ArgSpec, AttrSpec, OpSpec
from hornbeam.core.tensor_shape import Shape, TensorShape, compatible, merge_or_raise, to_tuple

_PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep
_HIDDEN = (_PACKAGE, "<frozen ")  # frames that are not the user's
_VALID_OP_NAME = re.compile(r"^[A-Za-z0-9.][A-Za-z0-9_.\\/>-]*$")
_VALID_SCOPE_NAME = re.compile(r"^[A-Za-z0-9_.\\/>-]*$")
GRAPH_DEF_PRODUCER = 1645  # TensorFlow 2.15's; every reader since 1.0 accepts a newer producer


# --- Tensor -----------------------------------------------------------------------------------------------------------
class Tensor:
    """One output of an Operation. Its static shape may be partial; `Session.run` computes its value."""

    __slots__ = ("_op", "value_index", "_dtype", "_shape", "_consumers", "_const", "_extra", "__weakref__")
    __array_priority__ = 100

    def __init__(self, op: Operation, value_index: int, dtype: DType) -> None:
        self._op = op
        self.value_index = value_index
        self._dtype = dtype
        self._shape: Shape = None
        self._consumers: list[Operation] = []
        self._const: Any = None  # cache of constant.constant_value
        self._extra: dict[str, Any] | None = None

    @property
    def op(self) -> Operation:
        return self._op

    @property
    def dtype(self) -> DType:
        return self._dtype

    @property
    def graph(self) -> Graph:
        return self._op.graph

    @property
    def name(self) -> str:
        return f"{self._op.name}:{self.value_index}"

    @property
    def device(self) -> str:
        return self._op.device

    @property
    def shape(self) -> TensorShape:
        return TensorShape(self._shape)

    def get_shape(self) -> TensorShape:
        return TensorShape(self._shape)

    def set_shape(self, shape: Any) -> None:
        """Narrows the static shape; raises ValueError if it contradicts what is known."""
        self._shape = merge_or_raise(self._shape, to_tuple(shape), f"Tensor {self.name!r}")

    def consumers(self) -> list[Operation]:
        return list(dict.fromkeys(self._consumers))

    def eval(self, feed_dict: Any = None, session: Any = None) -> Any:
        if session is None:
            session = get_default_session()
            if session is None:
                raise ValueError(
                    "Cannot evaluate tensor using `eval()`: No default session is registered. Use `with "
                    "sess.as_default()` or pass an explicit session to `eval(session=sess)`"
                )
        return session.run(self, feed_dict)

    def experimental_ref(self) -> Reference:
        return Reference(self)

    ref = experimental_ref

    def numpy(self) -> Any:
        raise AttributeError("'Tensor' object has no attribute 'numpy': graph tensors have values in a Session only")

    def __repr__(self) -> str:
        return f"<tf.Tensor {self.name!r} shape={self.get_shape()} dtype={self._dtype.name}>"

    def __str__(self) -> str:
        shape = "" if self._shape is None else f", shape={self.get_shape()}"
        device = f", device={self.device}" if self.device else ""
        return f'Tensor("{self.name}"{shape}, dtype={self._dtype.name}{device})'

    def __iter__(self) -> Iterator[Tensor]:
        if self._shape is None:
            raise TypeError("Cannot iterate over a tensor with unknown shape.")
        if not self._shape:
            raise TypeError("Cannot iterate over a scalar tensor.")
        if self._shape[0] is None:
            raise TypeError("Cannot iterate over a tensor with unknown first dimension.")
        return (self[i] for i in range(self._shape[0]))  # type: ignore[index]

    def __len__(self) -> int:
        raise TypeError(
            f"len is not well defined for symbolic Tensors. ({self.name}) Please call `x.shape` rather than `len(x)`."
        )

    def __bool__(self) -> bool:
        raise TypeError(
            "Using a `tf.Tensor` as a Python `bool` is not allowed. Use `if t is not None:` instead of `if t:` to test if a "
            "tensor is defined, and use TensorFlow ops such as tf.cond to execute subgraphs conditioned on the value of a tensor."
        )

    __nonzero__ = __bool__

    def __array__(self, *args: Any, **kwargs: Any) -> Any:
        raise NotImplementedError(f"Cannot convert a symbolic Tensor ({self.name}) to a numpy array.")

    __hash__ = object.__hash__  # in C: tensors are keys wherever values are looked up

    def __eq__(self, other: object) -> bool:
        return self is other

    def __ne__(self, other: object) -> bool:
        return self is not other

    def __copy__(self) -> Tensor:
        return self

    def __deepcopy__(self, memo: Any) -> Tensor:
        return self

    if TYPE_CHECKING:  # core/operators.py puts these on the class

        def __getitem__(self, key: Any) -> Tensor: ...
        def __neg__(self) -> Tensor: ...
        def __add__(self, other: Any) -> Tensor: ...
        def __radd__(self, other: Any) -> Tensor: ...
        def __sub__(self, other: Any) -> Tensor: ...
        def __rsub__(self, other: Any) -> Tensor: ...
        def __mul__(self, other: Any) -> Tensor: ...
        def __rmul__(self, other: Any) -> Tensor: ...
        def __truediv__(self, other: Any) -> Tensor: ...
        def __rtruediv__(self, other: Any) -> Tensor: ...
        def __floordiv__(self, other: Any) -> Tensor: ...
        def __mod__(self, other: Any) -> Tensor: ...
        def __lt__(self, other: Any) -> Tensor: ...
        def __le__(self, other: Any) -> Tensor: ...
        def __gt__(self, other: Any) -> Tensor: ...
        def __ge__(self, other: Any) -> Tensor: ...

    @classmethod
    def _override_operator(cls, operator: str, func: Callable[..., Any]) -> None:
        setattr(cls, operator, func)


class Reference:
    """A hashable stand-in for a tensor or variable (`t.ref()`, `t.experimental_ref()`)."""

    __slots__ = ("_wrapped",)

    def __init__(self, wrapped: Any) -> None:
        self._wrapped = wrapped

    def deref(self) -> Any:
        return self._wrapped

    def __hash__(self) -> int:
        return id(self._wrapped)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Reference) and self._wrapped is other._wrapped


# --- Operation --------------------------------------------------------------------------------------------------------
class Operation:
    """A node: type, name, inputs, control inputs, attributes, device. Made by `Graph.create_op`, never directly."""

    __slots__ = (
        "graph", "name", "type", "spec", "_id", "_inputs", "_control_inputs", "_attrs", "_outputs", "_device", "_frames",
        "_control_outputs", "_gradient_function", "_extra", "__weakref__",
    )  # fmt: skip

    def __init__(
        self, graph: Graph, type: str, name: str, spec: OpSpec, inputs: list[Tensor], control_inputs: list[Operation],
        attrs: dict[str, Any], output_types: Sequence[DType],
    ) -> None:  # fmt: skip
        self.graph = graph
        self.type = type
        self.name = name
        self.spec = spec
        self._id = -1
        self._inputs = inputs
        self._control_inputs = control_inputs
        self._attrs = attrs
        self._outputs = [Tensor(self, i, t) for i, t in enumerate(output_types)]
        self._device = ""
        self._frames: Any = None
        self._control_outputs: list[Operation] | None = None
        self._gradient_function: Any = None
        self._extra: dict[str, Any] | None = None

    @property
    def inputs(self) -> list[Tensor]:
        return self._inputs

    @property
    def outputs(self) -> list[Tensor]:
        return self._outputs

    @property
    def control_inputs(self) -> list[Operation]:
        return list(self._control_inputs)

    @property
    def _control_outputs_list(self) -> list[Operation]:
        return [o for o in self.graph.get_operations() if self in o._control_inputs]

    @property
    def device(self) -> str:
        return self._device

    def _set_device(self, device: Any) -> None:
        from hornbeam.core.device import to_string

        self._device = to_string(device)

    @property
    def op_def(self) -> Any:
        return self.spec.op_def()

    @property
    def node_def(self) -> Any:
        from hornbeam.core.node_def import operation_to_node_def

        return operation_to_node_def(self)

    @property
    def traceback(self) -> list[tuple[str, int, str, str]]:
        """(file, line, function, source line) of the user's frames that made this node, outermost first."""
        import linecache

        return [
            (code.co_filename, line, code.co_name, linecache.getline(code.co_filename, line).strip())
            for code, line in reversed(self._frames or ())
        ]

    def get_attr(self, name: str) -> Any:
        """The attribute as TensorFlow returns it: DType, bytes, int, float, bool, TensorShapeProto, TensorProto, list."""
        from hornbeam.core.node_def import public_attr

        if name not in self._attrs:
            raise ValueError(f"Operation '{self.name}' has no attr named '{name}'.")
        return public_attr(self, name)

    def _set_attr(self, name: str, value: Any) -> None:
        from hornbeam.core.node_def import from_attr_value

        kind = self.spec.attrs[name].kind if name in self.spec.attrs else None
        self._attrs[name] = from_attr_value(value, kind, self.graph) if hasattr(value, "WhichOneof") else value
        self.graph._version += 1
        self.graph._edits += 1

    def colocation_groups(self) -> list[bytes]:
        return self._attrs.get("_class") or [b"loc:@" + self.name.encode()]

    def values(self) -> tuple[Tensor, ...]:
        return tuple(self._outputs)

    def run(self, feed_dict: Any = None, session: Any = None) -> None:
        session = session or get_default_session()
        if session is None:
            raise ValueError(
                "Cannot execute operation using `run()`: No default session is registered. Use `with sess.as_default():` or "
                "pass an explicit session to `run(session=sess)`"
            )
        session.run(self, feed_dict)

    # edits (surgery, while-loop construction) --------------------------------------------------------------------------
    def _update_input(self, index: int, tensor: Tensor, update_dtype: bool = True) -> None:
        if tensor.graph is not self.graph:
            raise ValueError(f"Tensor {tensor.name!r} is not in the graph of {self.name!r}.")
        old = self._inputs[index]
        old._consumers.remove(self)
        self._inputs[index] = tensor
        tensor._consumers.append(self)
        self.graph._version += 1
        self.graph._edits += 1

    def _add_control_inputs(self, ops: Iterable[Operation]) -> None:
        for o in ops:
            if o not in self._control_inputs:
                self._control_inputs.append(o)
        self.graph._version += 1
        self.graph._edits += 1

    def _add_control_input(self, op: Operation) -> None:
        self._add_control_inputs([op])

    def _remove_all_control_inputs(self) -> None:
        self._control_inputs.clear()
        self.graph._version += 1
        self.graph._edits += 1

    def __repr__(self) -> str:
        return f"<tf.Operation {self.name!r} type={self.type}>"

    def __str__(self) -> str:
        return str(self.node_def)


# --- Graph ------------------------------------------------------------------------------------------------------------
class _Controller:
    """One `control_dependencies` context: its ops, and the ops created inside it (which need no repeated edge)."""

    __slots__ = ("control_inputs", "seen", "new_stack", "old_stack", "graph", "old_scope_state")

    def __init__(self, graph: Graph, control_inputs: list[Operation] | None) -> None:
        self.graph = graph
        self.control_inputs = control_inputs or []
        self.seen: set[Operation] = set()
        self.new_stack = control_inputs is None
        self.old_stack: list[_Controller] = []

    def __enter__(self) -> None:
        self.old_stack = self.graph._control_stack
        self.graph._control_stack = [self] if self.new_stack else [*self.old_stack, self]

    def __exit__(self, *_: Any) -> None:
        self.graph._control_stack = self.old_stack


class Graph:
    """A dataflow graph under construction: operations by name, function library, collections, scopes and seeds."""

    building_function = False
    outer_graph: Graph | None = None

    def __init__(self) -> None:
        self._ops: dict[str, Operation] = {}
        self._next_id = 0
        self._version = 0
        self._edits = 0  # changes to existing nodes: plans made before are void
        self._names_in_use: dict[str, int] = {}
        self._name_stack = ""
        self._control_stack: list[_Controller] = []
        self._device_stack: list[Any] = []
        self._colocation_stack: list[Operation] = []
        self._collections: dict[Any, list[Any]] = {}
        self._functions: dict[str, Any] = {}
        self._gradient_override_map: dict[str, str] = {}
        self._attr_scope_map: dict[str, Any] = {}
        self._seed: int | None = None
        self._finalized = False
        self._container = ""
        self._unfeedable: set[Tensor] = set()
        self._unfetchable: set[Operation] = set()
        self._lock = threading.RLock()
        self._extra: dict[Any, Any] = {}
        self._producer = GRAPH_DEF_PRODUCER
        self._producer_min_consumer = 0

    # what is in it -------------------------------------------------------------------------------------------------------
    def get_operations(self) -> list[Operation]:
        return list(self._ops.values())

    def get_operation_by_name(self, name: str) -> Operation:
        if not isinstance(name, str):
            raise TypeError(f"Operation names are strings (or similar), not {type(name).__name__}.")
        return self.as_graph_element(name, allow_tensor=False, allow_operation=True)

    def get_tensor_by_name(self, name: str) -> Tensor:
        if not isinstance(name, str):
            raise TypeError(f"Tensor names are strings (or similar), not {type(name).__name__}.")
        return self.as_graph_element(name, allow_tensor=True, allow_operation=False)

    def as_graph_element(self, obj: Any, allow_tensor: bool = True, allow_operation: bool = True) -> Any:
        """The Tensor or Operation that `obj` (one of them, a Variable or a name) means in this graph, with TF's errors."""
        wanted = " or ".join(n for n, ok in (("Tensor", allow_tensor), ("Operation", allow_operation)) if ok)
        if not isinstance(obj, (Tensor, Operation, str)):
            convert = getattr(obj, "_as_graph_element", None)
            if convert is not None:
                obj = convert()
        if isinstance(obj, bytes):
            obj = obj.decode()
        if isinstance(obj, str):
            return self._element_by_name(obj, allow_tensor, allow_operation)
        if isinstance(obj, Tensor) and allow_tensor or isinstance(obj, Operation) and allow_operation:
            if obj.graph is not self:
                kind = "Tensor" if isinstance(obj, Tensor) else "Operation"
                raise ValueError(f"{kind} {obj!r} is not an element of this graph.")
            return obj
        raise TypeError(f"Can not convert a {type(obj).__name__} into a {wanted}.")

    def _element_by_name(self, name: str, allow_tensor: bool, allow_operation: bool) -> Any:
        if ":" in name and allow_tensor:
            op_name, _, index = name.rpartition(":")
            if not op_name or not index.isdigit():
                raise ValueError(
                    f"The name {name!r} looks a like a Tensor name, but is not a valid one. Tensor names must be of the form "
                    '"<op_name>:<output_index>".'
                )
            op = self._ops.get(op_name)
            if op is None:
                raise KeyError(
                    f"The name {name!r} refers to a Tensor which does not exist. The operation, {op_name!r}, does not exist "
                    f"in the graph.{self._did_you_mean(op_name)}"
                )
            if int(index) >= len(op.outputs):
                raise KeyError(
                    f"The name {name!r} refers to a Tensor which does not exist. The operation, {op_name!r}, exists but only "
                    f"has {len(op.outputs)} outputs."
                )
            return op.outputs[int(index)]
        if ":" in name:
            raise ValueError(f"Name {name!r} appears to refer to a Tensor, not a Operation.")
        if name not in self._ops:
            if allow_operation:
                raise KeyError(f"The name {name!r} refers to an Operation not in the graph.{self._did_you_mean(name)}")
            raise ValueError(
                f"The name {name!r} looks like an (invalid) Operation name, not a Tensor. Tensor names must be of the form "
                '"<op_name>:<output_index>".'
            )
        if not allow_operation:
            raise ValueError(
                f"The name {name!r} refers to an Operation, not a Tensor. Tensor names must be of the form "
                '"<op_name>:<output_index>".'
            )
        return self._ops[name]

    def _did_you_mean(self, name: str) -> str:
        import difflib

        close = difflib.get_close_matches(name, list(self._ops)[:20000], 3)
        return f" Did you mean {', '.join(repr(c) for c in close)}?" if close else ""

    def is_feedable(self, tensor: Tensor) -> bool:
        return tensor not in self._unfeedable

    def prevent_feeding(self, tensor: Tensor) -> None:
        self._unfeedable.add(tensor)

    def is_fetchable(self, thing: Any) -> bool:
        return (thing.op if isinstance(thing, Tensor) else thing) not in self._unfetchable

    def prevent_fetching(self, op: Operation) -> None:
        self._unfetchable.add(op)

    @property
    def version(self) -> int:
        return self._version

    @property
    def _last_id(self) -> int:
        return self._next_id

    @property
    def graph_def_versions(self) -> Any:
        from hornbeam.proto import VersionDef

        return VersionDef(producer=self._producer, min_consumer=self._producer_min_consumer)

    @property
    def seed(self) -> int | None:
        return self._seed

    @seed.setter
    def seed(self, seed: int | None) -> None:
        self._seed = seed

    @property
    def finalized(self) -> bool:
        return self._finalized

    def finalize(self) -> None:
        self._finalized = True

    def _unsafe_unfinalize(self) -> None:
        self._finalized = False

    def _check_not_finalized(self) -> None:
        if self._finalized:
            raise RuntimeError("Graph is finalized and cannot be modified.")

    def as_graph_def(self, from_version: int | None = None, add_shapes: bool = False) -> Any:
        from hornbeam.core.node_def import graph_to_graph_def

        return graph_to_graph_def(self, from_version, add_shapes)

    def __enter__(self) -> Graph:
        context = self.as_default()
        _STACK.entered.append(context)
        return context.__enter__()

    def __exit__(self, *exc: Any) -> None:
        _STACK.entered.pop().__exit__(*exc)

    @contextlib.contextmanager
    def as_default(self) -> Iterator[Graph]:
        _STACK.graphs.append(self)
        try:
            yield self
        finally:
            _STACK.graphs.remove(self) if _STACK.graphs[-1] is not self else _STACK.graphs.pop()

    def switch_to_thread_local(self) -> None:
        """Scopes are already used under the graph's lock; kept because TF programs call it."""

    # names -----------------------------------------------------------------------------------------------------------------
    def unique_name(self, name: str, mark_as_used: bool = True) -> str:
        """`scope/name`, with `_1`, `_2` … when taken (compared without case, as TensorFlow does)."""
        if self._name_stack:
            name = f"{self._name_stack}/{name}"
        key = name.lower()
        used = self._names_in_use
        i = used.get(key, 0)
        if mark_as_used:
            used[key] = i + 1
        if i > 0:
            base = key
            while key in used:
                key = f"{base}_{i}"
                i += 1
            if mark_as_used:
                used[key] = 1
                # the next call with the same base goes on from here instead of probing again
                used[base] = max(used[base], i)
            name = f"{name}_{i - 1}"
        return name

    def get_name_scope(self) -> str:
        return self._name_stack

    @contextlib.contextmanager
    def name_scope(self, name: Any) -> Iterator[str]:
        """Enters a name scope and yields it with a trailing slash; `"x/"` re-enters x, None or "" goes to the root."""
        if name:
            if isinstance(name, bytes):
                name = name.decode()
            if self._name_stack:
                if not _VALID_SCOPE_NAME.match(name):
                    raise ValueError(f"'{name}' is not a valid scope name")
            elif not _VALID_OP_NAME.match(name):
                raise ValueError(f"'{name}' is not a valid root scope name")
        old = self._name_stack
        if not name:
            new = ""
        elif name[-1] == "/":
            new = name[:-1]
        else:
            new = self.unique_name(name)
        self._name_stack = new
        try:
            yield new + "/" if new else ""
        finally:
            self._name_stack = old

    # contexts ---------------------------------------------------------------------------------------------------------------
    def control_dependencies(self, control_inputs: Any) -> _Controller:
        if control_inputs is None:
            return _Controller(self, None)
        ops: list[Operation] = []
        for c in control_inputs:
            if isinstance(c, IndexedSlices) or hasattr(
                c, "_handle"
            ):  # waiting for a resource variable must not read it
                c = c.op
            elif not isinstance(c, (Tensor, Operation, str)) and hasattr(c, "_as_graph_element"):
                c = c._as_graph_element()
            elif hasattr(c, "indices") and hasattr(c, "values") and not isinstance(c, (Tensor, Operation)):
                c = c.values
            if isinstance(c, (Tensor, Operation)) and c.graph is not self and self.building_function:
                self._outer_control_input(c.op if isinstance(c, Tensor) else c)  # type: ignore[attr-defined]
                continue
            c = self.as_graph_element(c)
            op = c.op if isinstance(c, Tensor) else c
            if op not in ops:
                ops.append(op)
        return _Controller(self, ops)

    def _current_control_dependencies(self) -> list[Operation]:
        return list(dict.fromkeys(o for c in self._control_stack for o in c.control_inputs))

    @contextlib.contextmanager
    def device(self, device_name_or_function: Any) -> Iterator[None]:
        old = self._device_stack
        self._device_stack = [] if device_name_or_function is None else [*old, device_name_or_function]
        try:
            yield
        finally:
            self._device_stack = old

    @contextlib.contextmanager
    def colocate_with(self, op: Any, ignore_existing: bool = False) -> Iterator[None]:
        if op is None and not ignore_existing:
            raise ValueError("Trying to reset colocation (op is None) but ignore_existing is not True")
        if op is not None and not isinstance(op, (Operation, Tensor)):
            op = op._as_graph_element() if hasattr(op, "_as_graph_element") else convert_to_tensor(op)
        op = op.op if isinstance(op, Tensor) else op
        old = self._colocation_stack
        self._colocation_stack = ([] if ignore_existing else old) + ([op] if op is not None else [])
        try:
            yield
        finally:
            self._colocation_stack = old

    @contextlib.contextmanager
    def container(self, container_name: str) -> Iterator[str]:
        old, self._container = self._container, container_name
        try:
            yield container_name
        finally:
            self._container = old

    @contextlib.contextmanager
    def gradient_override_map(self, op_type_map: dict[str, str]) -> Iterator[None]:
        """Ops of the mapped types made inside differentiate by the gradient registered under the mapped name."""
        if not isinstance(op_type_map, dict):
            raise TypeError("op_type_map must be a dictionary mapping strings to strings")
        old = self._gradient_override_map
        self._gradient_override_map = old | op_type_map
        try:
            yield
        finally:
            self._gradient_override_map = old

    @contextlib.contextmanager
    def _attr_scope(self, attr_map: dict[str, Any]) -> Iterator[None]:
        old = self._attr_scope_map
        self._attr_scope_map = {k: v for k, v in (old | attr_map).items() if v is not None}
        try:
            yield
        finally:
            self._attr_scope_map = old

    @contextlib.contextmanager
    def _original_op(self, op: Operation) -> Iterator[None]:
        yield

    # collections ---------------------------------------------------------------------------------------------------------------
    @property
    def collections(self) -> list[Any]:
        return list(self._collections)

    def get_all_collection_keys(self) -> list[str]:
        return [k for k in self._collections if isinstance(k, str)]

    def add_to_collection(self, name: Any, value: Any) -> None:
        self._check_not_finalized()
        self._collections.setdefault(name, []).append(value)

    def add_to_collections(self, names: Any, value: Any) -> None:
        for name in (names,) if isinstance(names, str) else dict.fromkeys(names):
            self.add_to_collection(name, value)

    def get_collection_ref(self, name: Any) -> list[Any]:
        return self._collections.setdefault(name, [])

    def get_collection(self, name: Any, scope: str | None = None) -> list[Any]:
        items = self._collections.get(name)
        if items is None:
            return []
        if scope is None:
            return list(items)
        regex = re.compile(scope)
        return [i for i in items if hasattr(i, "name") and regex.match(i.name)]

    def clear_collection(self, name: Any) -> None:
        self._check_not_finalized()
        self._collections.pop(name, None)

    # functions -------------------------------------------------------------------------------------------------------------------
    def _add_function(self, function: Any) -> None:
        """Adds a `core.function.Function` (and what it calls) to the library; the same name must mean the same function."""
        if function.name not in self._functions:
            self._functions[function.name] = function
            for inner in function.graph._functions.values():
                if inner.name not in self._functions:
                    self._add_function(inner)

    def _get_function(self, name: str) -> Any:
        f = self._functions.get(name)
        if f is None and self.outer_graph is not None:
            return self.outer_graph._get_function(name)
        return f

    def _is_function(self, name: str) -> bool:
        return self._get_function(name) is not None

    # nodes -----------------------------------------------------------------------------------------------------------------------
    def create_op(
        self,
        op_type: str,
        inputs: Sequence[Tensor],
        dtypes: Any = None,  # noqa: A002  TensorFlow's parameter name
        input_types: Any = None,
        name: str | None = None,
        attrs: dict[str, Any] | None = None,
        op_def: Any = None,
        compute_shapes: bool = True,
        compute_device: bool = True,
        compute_colocations: bool = True,
    ) -> Operation:
        """TF's low-level entry: adds a node of `op_type`; `attrs` may hold AttrValue protos or Python values."""
        from hornbeam.core.node_def import from_attr_value

        spec = registry.get(op_type)
        values: dict[str, Any] = {}
        for k, v in (attrs or {}).items():
            kind = spec.attrs[k].kind if k in spec.attrs else None
            if hasattr(v, "WhichOneof") and hasattr(v, "placeholder"):
                v = from_attr_value(v, kind, self)
            elif kind is not None:
                v = convert_attr(spec, spec.attrs[k], v)
            values[k] = v
        _infer_type_attrs(spec, inputs, values)
        fill_defaults(spec, values)
        full = name[:-1] if name and name[-1] == "/" else self.unique_name(name or op_type)
        return self.add_node(spec, full, list(inputs), values)

    def add_node(
        self,
        spec: OpSpec,
        full_name: str,
        inputs: list[Tensor],
        attrs: dict[str, Any],
        control_inputs: list[Operation] | None = None,
        device: str | None = None,
        infer_shapes: bool = True,
    ) -> Operation:
        """Adds a node whose name is already unique and whose attributes are complete Python values."""
        self._check_not_finalized()
        if not _VALID_OP_NAME.match(full_name):
            raise ValueError(f"'{full_name}' is not a valid node name")
        if self.building_function:
            inputs = [t if t._op.graph is self else self.capture(t) for t in inputs]  # type: ignore[attr-defined]
        if control_inputs is None:
            control_inputs = self._control_inputs_for(inputs) if self._control_stack else []
        op = Operation(self, spec.name, full_name, spec, inputs, control_inputs, attrs, output_types(spec, attrs))
        if infer_shapes:
            infer_output_shapes(op)
        if self._attr_scope_map:
            attrs.update(self._attr_scope_map)
        if self._gradient_override_map:
            mapped = self._gradient_override_map.get(spec.name)
            if mapped is not None:
                attrs["_gradient_op_type"] = mapped.encode()
        if self._colocation_stack:
            groups = sorted({g for c in self._colocation_stack for g in c.colocation_groups()})
            attrs["_class"] = groups
        op._frames = _user_frames()
        with self._lock:
            op._id = self._next_id
            self._next_id += 1
            self._version += 1
            self._ops[full_name] = op
        for t in inputs:
            t._consumers.append(op)
        if device is not None:
            op._device = device
        elif self._device_stack:
            from hornbeam.core.device import apply_stack

            op._device = apply_stack(self._device_stack, op)
        if self._colocation_stack and device is None and self._colocation_stack[-1]._device:
            op._device = self._colocation_stack[-1]._device
        for c in self._control_stack:
            c.seen.add(op)
        return op

    def _control_inputs_for(self, inputs: list[Tensor]) -> list[Operation]:
        ops = {t._op for t in inputs}
        out: list[Operation] = []
        for c in self._control_stack:
            if ops.isdisjoint(c.seen):
                out += [o for o in c.control_inputs if o not in ops and o not in out]
        return out

    def _remove_op(self, op: Operation) -> None:
        """Takes a node out (surgery): nothing may consume it any more."""
        for t in op._inputs:
            t._consumers.remove(op)
        del self._ops[op.name]
        self._version += 1
        self._edits += 1


def _user_frames() -> list[tuple[Any, int]]:
    frame: Any = sys._getframe(2)
    frames: list[tuple[Any, int]] = []
    while frame is not None and len(frames) < 12:
        code = frame.f_code
        if not code.co_filename.startswith(_HIDDEN):
            frames.append((code, frame.f_lineno))
        frame = frame.f_back
    return frames


# --- shape inference ---------------------------------------------------------------------------------------------------
class ShapeFailure(ValueError):
    """Raised by a shape rule; the graph adds the node's name and input shapes."""


class InferenceContext:
    """What a shape rule sees of the node being added: input shapes, constant inputs and attributes."""

    __slots__ = ("op",)

    def __init__(self, op: Operation) -> None:
        self.op = op

    @property
    def n_inputs(self) -> int:
        return len(self.op._inputs)

    @property
    def n_outputs(self) -> int:
        return len(self.op._outputs)

    def shape(self, i: int) -> Shape:
        return self.op._inputs[i]._shape

    def dtype(self, i: int) -> DType:
        return self.op._inputs[i]._dtype

    def attr(self, name: str, default: Any = None) -> Any:
        return self.op._attrs.get(name, default)

    def value(self, i: int) -> np.ndarray[Any, Any] | None:
        """The constant value of input i, or None when it is not known while building."""
        from hornbeam.core.constant import constant_value

        return constant_value(self.op._inputs[i])

    def partial(self, i: int) -> Shape:
        """A 1-D integer input as a tuple of int or None (unknown element); None when even its length is unknown."""
        from hornbeam.core.constant import partial_value

        return partial_value(self.op._inputs[i])

    def fail(self, message: str) -> ShapeFailure:
        """An error to raise: the graph appends node and input shapes, as TensorFlow does."""
        return ShapeFailure(message)


def infer_output_shapes(op: Operation) -> None:
    rule = op.spec.shape
    if rule is None:
        if not op._outputs:
            return
        rule = registry.fallback_shape_rule()  # the kernel itself, evaluated abstractly
    try:
        shapes = rule(InferenceContext(op))
    except ShapeFailure as e:
        given = ", ".join(shape_text(t._shape) for t in op._inputs)
        raise ValueError(f"{e} for '{op.name}' (op: '{op.type}') with input shapes: {given}.") from None
    if shapes is not None:
        for t, s in zip(op._outputs, shapes, strict=True):
            t._shape = s


def shape_text(shape: Shape) -> str:
    """A shape as TensorFlow's C++ prints it: `[2,?]`, `?` for `<unknown>`."""
    return "<unknown>" if shape is None else "[" + ",".join("?" if d is None else str(d) for d in shape) + "]"


# --- building nodes from Python values -----------------------------------------------------------------------------------
def output_types(spec: OpSpec, attrs: dict[str, Any]) -> list[DType]:
    types: list[DType] = []
    for a in spec.outputs:
        if a.type_list_attr is not None:
            types += attrs[a.type_list_attr]
            continue
        t: Any = attrs[a.type_attr] if a.type_attr is not None else a.dtype
        if a.is_ref:
            t = t._as_ref
        if a.number_attr is not None:
            types += [t] * attrs[a.number_attr]
        else:
            types.append(t)
    return types


def input_types(spec: OpSpec, attrs: dict[str, Any]) -> list[tuple[ArgSpec, DType]]:
    """(declared argument, dtype) per flat input."""
    types: list[tuple[ArgSpec, DType]] = []
    for a in spec.inputs:
        if a.type_list_attr is not None:
            types += [(a, t) for t in attrs[a.type_list_attr]]
            continue
        t: Any = attrs[a.type_attr] if a.type_attr is not None else a.dtype
        types += [(a, t)] * (attrs[a.number_attr] if a.number_attr is not None else 1)
    return types


def group_inputs(spec: OpSpec, attrs: dict[str, Any], flat: Sequence[Any]) -> list[Any]:
    """Flat inputs as the kernel takes them: one value per declared argument, lists for list arguments."""
    out: list[Any] = []
    i = 0
    for a in spec.inputs:
        if a.number_attr is not None:
            n = attrs[a.number_attr]
        elif a.type_list_attr is not None:
            n = len(attrs[a.type_list_attr])
        else:
            out.append(flat[i])
            i += 1
            continue
        out.append(list(flat[i : i + n]))
        i += n
    return out


def fill_defaults(spec: OpSpec, attrs: dict[str, Any]) -> None:
    for a in spec.attrs.values():
        if a.name not in attrs:
            if not a.has_default:
                raise TypeError(f"Op '{spec.name}' is missing required attr '{a.name}'.")
            attrs[a.name] = list(a.default) if isinstance(a.default, list) else a.default


def _infer_type_attrs(spec: OpSpec, inputs: Sequence[Tensor], attrs: dict[str, Any]) -> None:
    """Type, number and type-list attributes from flat inputs, for callers that give tensors and not the attributes."""
    i = 0
    for a in spec.inputs:
        if a.type_list_attr is not None:
            if a.type_list_attr not in attrs:
                attrs[a.type_list_attr] = [t.dtype.base_dtype for t in inputs[i:]]
            i += len(attrs[a.type_list_attr])
        elif a.number_attr is not None:
            if a.number_attr not in attrs:
                attrs[a.number_attr] = (
                    len(inputs) - i - sum(not b.is_list for b in spec.inputs[spec.inputs.index(a) + 1 :])
                )
            if a.type_attr and a.type_attr not in attrs and attrs[a.number_attr]:
                attrs[a.type_attr] = inputs[i].dtype.base_dtype
            i += attrs[a.number_attr]
        else:
            if a.type_attr and a.type_attr not in attrs and i < len(inputs):
                attrs[a.type_attr] = inputs[i].dtype.base_dtype
            i += 1
    if i != len(inputs):
        raise ValueError(f"Op '{spec.name}' takes {i} inputs, {len(inputs)} given.")


def convert_attr(spec: OpSpec, a: AttrSpec, value: Any) -> Any:
    """A Python value as the attribute's kind holds it; TypeError or ValueError as TensorFlow raises."""
    kind = a.kind
    try:
        if kind.startswith("list("):
            if isinstance(value, (str, bytes)) or not hasattr(value, "__iter__"):
                raise TypeError(f"Expected list for attr {a.name}")
            values = [_convert_one(kind[5:-1], v) for v in value]
            if a.minimum is not None and len(values) < a.minimum:
                raise ValueError(
                    f"Attr '{a.name}' of '{spec.name}' Op passed list of length {len(values)} less than minimum {a.minimum}."
                )
            for v in values:
                _check_allowed(spec, a, v)
            return values
        v = _convert_one(kind, value)
    except TypeError as e:
        raise TypeError(
            f"Op '{spec.name}', attr '{a.name}': expected {kind}, got {value!r} of type {type(value).__name__}. {e}"
        ) from None
    _check_allowed(spec, a, v)
    if a.minimum is not None and kind == "int" and v < a.minimum:
        raise ValueError(f"Attr '{a.name}' of '{spec.name}' Op passed {v} less than minimum {a.minimum}.")
    return v


def _check_allowed(spec: OpSpec, a: AttrSpec, v: Any) -> None:
    if a.allowed is None or v in a.allowed:
        return
    if isinstance(v, DType):
        raise TypeError(
            f"Value passed to parameter '{a.name}' of op '{spec.name}' has DataType {v.name} not in list of allowed values: "
            f"{', '.join(d.name for d in a.allowed)}"
        )
    given = '", "'.join(x.decode() for x in a.allowed)
    raise ValueError(f"Attr '{a.name}' of '{spec.name}' Op passed string '{v.decode()}' not in: \"{given}\".")


def _convert_one(kind: str, v: Any) -> Any:
    match kind:
        case "type":
            return dtypes.as_dtype(v).base_dtype
        case "string":
            return v.encode() if isinstance(v, str) else bytes(v)
        case "int":
            if isinstance(v, float) and not v.is_integer():
                raise TypeError("not an integer")
            return int(v.value if hasattr(v, "value") and not callable(v.value) else v)
        case "float":
            return float(v)
        case "bool":
            if isinstance(v, (bool, np.bool_)) or v in (0, 1):
                return bool(v)
            raise TypeError("not a bool")
        case "shape":
            return to_tuple(v)
        case "tensor":
            if hasattr(v, "tensor_shape"):
                from hornbeam.core.tensor_proto import MakeNdarray

                return MakeNdarray(v)
            return np.asarray(v)
        case "func":
            return v
    raise TypeError(kind)


def _graph_of(values: Sequence[Any], default: Graph) -> Graph:
    """The graph the inputs live in: TF builds there even when another graph is the default (functions capture instead)."""
    if default.building_function:
        return default
    for v in values:
        if isinstance(v, Tensor):
            return v._op.graph
        if isinstance(v, (list, tuple)):
            g = _graph_of(v, default)
            if g is not default:
                return g
        else:
            owner = getattr(v, "graph", None)
            if isinstance(owner, Graph) and hasattr(v, "_as_graph_element"):
                return owner
    return default


def build(spec: OpSpec, args: Sequence[Any], kwargs: dict[str, Any], name: str | None) -> Any:
    """Adds a node of `spec`: converts inputs, infers type attributes, checks, infers shapes. Returns its outputs."""
    arg_specs = spec.inputs
    values = list(args)
    if len(values) > len(arg_specs):
        raise TypeError(
            f"{spec.name} takes {len(arg_specs)} inputs ({', '.join(a.name for a in arg_specs)}), {len(values)} given"
        )
    for a in arg_specs[len(values) :]:
        if a.name not in kwargs:
            raise TypeError(f"{spec.name}: input '{a.name}' is missing")
        values.append(kwargs.pop(a.name))
    graph = get_default_graph()
    graph = _graph_of(values, graph)
    attrs: dict[str, Any] = {}
    for k, v in kwargs.items():
        declared = spec.attrs.get(k)
        if declared is None:
            raise TypeError(f"{spec.name} got an unexpected keyword argument '{k}'")
        if v is not None or not declared.has_default:
            attrs[k] = convert_attr(spec, declared, v)
    if name and name[-1] == "/":
        full = name[:-1]
    else:
        full = graph.unique_name(name or spec.name)
    old_stack = graph._name_stack
    graph._name_stack = full  # constants made of Python inputs live in the op's own scope
    pushed = graph is not _STACK.graphs[-1] if _STACK.graphs else graph is not _STACK.default
    if pushed:
        _STACK.graphs.append(graph)
    try:
        flat: list[Tensor] = []
        for a, v in zip(arg_specs, values, strict=True):
            _convert_input(spec, a, v, attrs, flat, full)
    finally:
        graph._name_stack = old_stack
        if pushed:
            _STACK.graphs.pop()
    fill_defaults(spec, attrs)
    if any(a.is_ref for a in arg_specs):  # an op that mutates a variable runs where the variable is
        with contextlib.ExitStack() as stack:
            for t, (a, _) in zip(flat, input_types(spec, attrs), strict=True):
                if a.is_ref:
                    stack.enter_context(graph.colocate_with(t._op))
            op = graph.add_node(spec, full, flat, attrs)
    else:
        op = graph.add_node(spec, full, flat, attrs)
    return package(spec, op)


def package(spec: OpSpec, op: Operation) -> Any:
    """A node's outputs as its signature shapes them: Operation, Tensor, or a list with nested lists for list outputs."""
    if not spec.outputs:
        return op
    if len(spec.outputs) == 1:
        return list(op._outputs) if spec.outputs[0].is_list else op._outputs[0]
    out: list[Any] = []
    i = 0
    for a in spec.outputs:
        if a.is_list:
            n = op._attrs[a.number_attr] if a.number_attr else len(op._attrs[a.type_list_attr])  # type: ignore[index]
            out.append(op._outputs[i : i + n])
            i += n
        else:
            out.append(op._outputs[i])
            i += 1
    return out


def _convert_input(spec: OpSpec, a: ArgSpec, v: Any, attrs: dict[str, Any], flat: list[Tensor], where: str) -> None:
    if a.number_attr is not None:
        if isinstance(v, Tensor) or not hasattr(v, "__iter__"):
            raise TypeError(f"Expected list for '{a.name}' argument to '{spec.name}' Op, not {v!r}.")
        items = list(v)
        if a.number_attr in attrs and attrs[a.number_attr] != len(items):
            raise ValueError(
                f"List argument '{a.name}' to '{spec.name}' Op with length {len(items)} must match length "
                f"{attrs[a.number_attr]} of argument '{a.number_attr}'."
            )
        n_spec = spec.attrs[a.number_attr]
        if n_spec.minimum is not None and len(items) < n_spec.minimum:
            raise ValueError(
                f"List argument '{a.name}' to '{spec.name}' Op with length {len(items)} shorter than minimum length {n_spec.minimum}."
            )
        attrs[a.number_attr] = len(items)
        dtype = a.dtype or attrs.get(a.type_attr)  # type: ignore[arg-type]
        if dtype is None:
            dtype = next(
                (i.dtype.base_dtype for i in items if isinstance(i, Tensor) or hasattr(i, "_as_graph_element")), None
            )
        for k, item in enumerate(items):
            t = _input_tensor(spec, a, item, dtype, f"{a.name}_{k}")
            dtype = dtype or t._dtype.base_dtype
            _check_dtype(spec, a, t, dtype, attrs)
            flat.append(t)
        if a.type_attr and dtype is not None:
            _set_type(spec, a, dtype, attrs)
        return
    if a.type_list_attr is not None:
        wanted = attrs.get(a.type_list_attr)
        if isinstance(v, Tensor) or not hasattr(v, "__iter__"):
            raise TypeError(f"Expected list for '{a.name}' argument to '{spec.name}' Op, not {v!r}.")
        items = list(v)
        if wanted is not None and len(wanted) != len(items):
            raise ValueError(
                f"List argument '{a.name}' to '{spec.name}' Op must match length {len(wanted)} of attr '{a.type_list_attr}'."
            )
        tensors = [
            convert_to_tensor(item, wanted[k] if wanted else None, name=f"{a.name}_{k}", as_ref=a.is_ref)
            for k, item in enumerate(items)
        ]
        minimum = spec.attrs[a.type_list_attr].minimum
        if minimum is not None and len(tensors) < minimum:
            raise ValueError(
                f"List argument '{a.name}' to '{spec.name}' Op with length {len(tensors)} shorter than minimum length {minimum}."
            )
        attrs[a.type_list_attr] = [t._dtype.base_dtype for t in tensors]
        flat += tensors
        return
    dtype = a.dtype or attrs.get(a.type_attr)  # type: ignore[arg-type]
    t = _input_tensor(spec, a, v, dtype, a.name)
    if a.type_attr is not None and dtype is None:
        dtype = t._dtype.base_dtype
    _check_dtype(spec, a, t, dtype, attrs)
    if a.type_attr is not None:
        _set_type(spec, a, dtype, attrs)  # type: ignore[arg-type]
    flat.append(t)


def _input_tensor(spec: OpSpec, a: ArgSpec, v: Any, dtype: DType | None, name: str) -> Tensor:
    if type(v) is Tensor:
        return v
    preferred = None
    if dtype is None and a.type_attr is not None and spec.attrs[a.type_attr].has_default:
        preferred = spec.attrs[a.type_attr].default
    try:
        return convert_to_tensor(v, dtype, name=name, as_ref=a.is_ref, preferred_dtype=preferred)
    except TypeError as e:
        if dtype is None or isinstance(v, (list, tuple, str)) or not hasattr(v, "dtype"):
            raise
        raise TypeError(
            f"Input '{a.name}' of '{spec.name}' Op has type {dtypes.as_dtype(v.dtype).name} that does not match expected type of "
            f"{dtype.name}."
        ) from e


def _check_dtype(spec: OpSpec, a: ArgSpec, t: Tensor, dtype: DType | None, attrs: dict[str, Any]) -> None:
    if dtype is not None and t._dtype._base is not dtype:
        if a.type_attr and a.type_attr in attrs:
            other = next((b.name for b in spec.inputs if b.type_attr == a.type_attr), a.name)
            if other != a.name:
                raise TypeError(
                    f"Input '{a.name}' of '{spec.name}' Op has type {t._dtype.base_dtype.name} that does not match type "
                    f"{dtype.name} of argument '{other}'."
                )
        raise TypeError(
            f"Input '{a.name}' of '{spec.name}' Op has type {t._dtype.base_dtype.name} that does not match expected type of {dtype.name}."
        )
    if a.is_ref and not t._dtype._is_ref_dtype:
        raise TypeError(f"'{spec.name}' Op requires that input '{a.name}' be a mutable tensor (e.g.: a tf.Variable)")


def _set_type(spec: OpSpec, a: ArgSpec, dtype: DType, attrs: dict[str, Any]) -> None:
    allowed = spec.attrs[a.type_attr].allowed  # type: ignore[index]
    if allowed is not None and dtype not in allowed:
        raise TypeError(
            f"Value passed to parameter '{a.name}' has DataType {dtype.name} not in list of allowed values: "
            f"{', '.join(d.name for d in allowed)}"
        )
    attrs[a.type_attr] = dtype  # type: ignore[index]


# --- conversion to tensors --------------------------------------------------------------------------------------------------
class IndexedSlices:
    """A sparse gradient: `values[i]` stands at row `indices[i]` of a tensor of `dense_shape`; rows may repeat and then add up."""

    def __init__(self, values: Tensor, indices: Tensor, dense_shape: Tensor | None = None) -> None:
        self._values = values
        self._indices = indices
        self._dense_shape = dense_shape

    @property
    def values(self) -> Tensor:
        return self._values

    @property
    def indices(self) -> Tensor:
        return self._indices

    @property
    def dense_shape(self) -> Tensor | None:
        return self._dense_shape

    @property
    def shape(self) -> TensorShape:
        from hornbeam.core.constant import partial_value

        if self._dense_shape is None:
            return TensorShape(None)
        return TensorShape(partial_value(self._dense_shape))

    @property
    def name(self) -> str:
        return self._values.name

    @property
    def device(self) -> str:
        return self._values.device

    @property
    def op(self) -> Operation:
        return self._values.op

    @property
    def dtype(self) -> DType:
        return self._values.dtype

    @property
    def graph(self) -> Graph:
        return self._values.graph

    def __neg__(self) -> IndexedSlices:
        return IndexedSlices(-self._values, self._indices, self._dense_shape)  # type: ignore[operator]

    def __str__(self) -> str:
        shape = "" if self._dense_shape is None else f", dense_shape={self._dense_shape}"
        return f"IndexedSlices(indices={self._indices}, values={self._values}{shape})"


def _slices_to_tensor(value: IndexedSlices, dtype: Any = None, name: str | None = None, as_ref: bool = False) -> Tensor:
    if dtype is not None and not dtypes.as_dtype(dtype).is_compatible_with(value.dtype):
        raise ValueError(
            f"Tensor conversion requested dtype {dtypes.as_dtype(dtype).name} for IndexedSlices with dtype {value.dtype.name}"
        )
    if value.dense_shape is None:
        raise ValueError(f"Tensor conversion requested for IndexedSlices without dense_shape: {value!s}")
    from hornbeam.core.registry import raw

    rows = raw.StridedSlice(value.dense_shape, [0], [1], [1], shrink_axis_mask=1)
    return raw.UnsortedSegmentSum(value.values, value.indices, rows, name=name)  # type: ignore[no-any-return]


_CONVERSIONS: list[tuple[int, Any, Callable[..., Any]]] = []


def register_tensor_conversion_function(
    base_type: Any, conversion_func: Callable[..., Any], priority: int = 100
) -> None:
    """`conversion_func(value, dtype=None, name=None, as_ref=False)` makes tensors of `base_type`; lower priority is tried first."""
    _CONVERSIONS.append((priority, base_type, conversion_func))
    _CONVERSIONS.sort(key=lambda c: c[0])


register_tensor_conversion_function(IndexedSlices, _slices_to_tensor, 90)


def convert_to_tensor(
    value: Any,
    dtype: Any = None,
    name: str | None = None,
    preferred_dtype: Any = None,
    dtype_hint: Any = None,
    as_ref: bool = False,
) -> Tensor:
    """`value` as a Tensor: tensors pass (their dtype must match), Variables read, Python and NumPy values become constants."""
    if dtype is not None:
        dtype = dtypes.as_dtype(dtype)
    if isinstance(value, Tensor):
        if (
            dtype is not None
            and not dtype.is_compatible_with(value.dtype)
            and dtype.base_dtype is not value.dtype.base_dtype
        ):
            raise ValueError(
                f"Tensor conversion requested dtype {dtype.name} for Tensor with dtype {value.dtype.name}: {str(value)!r}"
            )
        graph = get_default_graph()
        if value._op.graph is not graph and graph.building_function:
            return graph.capture(value)  # type: ignore[attr-defined,no-any-return]
        return value
    convert = getattr(value, "_dense_var_to_tensor", None)
    if convert is not None:
        t = convert(dtype=dtype, name=name, as_ref=as_ref)
        if t is not NotImplemented:
            return t  # type: ignore[no-any-return]
    for _, base_type, fn in _CONVERSIONS:
        if isinstance(value, base_type):
            hint = preferred_dtype or dtype_hint
            if dtype is None and hint is not None:
                try:
                    t = fn(value, dtype=dtypes.as_dtype(hint), name=name, as_ref=as_ref)
                except (TypeError, ValueError):
                    t = NotImplemented
                if t is not NotImplemented:
                    return t  # type: ignore[no-any-return]
            t = fn(value, dtype=dtype, name=name, as_ref=as_ref)
            if t is not NotImplemented:
                return t  # type: ignore[no-any-return]
    from hornbeam.core.constant import constant_from_python

    return constant_from_python(value, dtype, name, preferred_dtype or dtype_hint)


def convert_n_to_tensor(values: Iterable[Any], dtype: Any = None, name: str | None = None) -> list[Tensor]:
    return [convert_to_tensor(v, dtype, None if name is None else f"{name}_{i}") for i, v in enumerate(values)]


def convert_to_tensor_or_indexed_slices(value: Any, dtype: Any = None, name: str | None = None) -> Any:
    return value if isinstance(value, IndexedSlices) else convert_to_tensor(value, dtype, name)


# --- stacks of defaults ---------------------------------------------------------------------------------------------------
class _Stack(threading.local):
    def __init__(self) -> None:
        self.graphs: list[Graph] = []
        self.sessions: list[Any] = []
        self.entered: list[Any] = []

    @property
    def default(self) -> Graph:
        return _GLOBAL[0]


_STACK = _Stack()
_GLOBAL: list[Graph] = [Graph()]


def get_default_graph() -> Graph:
    return _STACK.graphs[-1] if _STACK.graphs else _GLOBAL[0]


def reset_default_graph() -> None:
    """Replaces the default graph by an empty one; not allowed inside `with graph.as_default()`."""
    if _STACK.graphs:
        raise AssertionError(
            ""
            "Do not use tf.reset_default_graph() to clear nested graphs. If you need a cleared graph, exit the nesting and create a new graph."
        )
    _GLOBAL[0] = Graph()


def get_default_session() -> Any:
    return _STACK.sessions[-1] if _STACK.sessions else None


@contextlib.contextmanager
def default_session(session: Any) -> Iterator[Any]:
    _STACK.sessions.append(session)
    try:
        yield session
    finally:
        _STACK.sessions.remove(session)


def control_dependencies(control_inputs: Any) -> Any:
    return get_default_graph().control_dependencies(control_inputs)


def device(device_name_or_function: Any) -> Any:
    return get_default_graph().device(device_name_or_function)


def colocate_with(op: Any, ignore_existing: bool = False) -> Any:
    return get_default_graph().colocate_with(op, ignore_existing)


def container(container_name: str) -> Any:
    return get_default_graph().container(container_name)


def add_to_collection(name: Any, value: Any) -> None:
    get_default_graph().add_to_collection(name, value)


def add_to_collections(names: Any, value: Any) -> None:
    get_default_graph().add_to_collections(names, value)


def get_collection(key: Any, scope: str | None = None) -> list[Any]:
    return get_default_graph().get_collection(key, scope)


def get_collection_ref(key: Any) -> list[Any]:
    return get_default_graph().get_collection_ref(key)


@contextlib.contextmanager
def init_scope() -> Iterator[None]:
    """Lifts node creation out of functions under construction, into the outermost graph, free of control dependencies."""
    graph = get_default_graph()
    while graph.outer_graph is not None:
        graph = graph.outer_graph
    scope = get_default_graph().get_name_scope()
    with graph.as_default(), graph.control_dependencies(None), graph.name_scope(scope + "/" if scope else None):
        yield


class name_scope:  # noqa: N801  TensorFlow's name
    """`tf.name_scope(name, default_name=None, values=None)`: a context manager that yields the scope's full name with a slash."""

    def __init__(self, name: str | None, default_name: str | None = None, values: Any = None) -> None:
        self._name = default_name if name is None else name
        self._given = name
        self._values = values
        self._contexts: list[contextlib.ExitStack] = []

    @property
    def name(self) -> str | None:
        return self._name

    def __enter__(self) -> str:
        if self._given is None and self._name is None and self._values is not None:
            raise ValueError(f"At least one of name ({self._given}) and default_name ({self._name}) must be provided.")
        default = get_default_graph()
        graph = _graph_of(list(self._values), default) if self._values is not None else default
        stack = contextlib.ExitStack()
        if graph is not default:
            stack.enter_context(graph.as_default())
        try:
            scope = stack.enter_context(graph.name_scope(self._name))
        except BaseException:
            stack.close()
            raise
        self._contexts.append(stack)
        return scope

    def __exit__(self, *exc: Any) -> Any:
        return self._contexts.pop().__exit__(*exc)


class GraphKeys:
    """Names of the standard graph collections."""

    GLOBAL_VARIABLES = "variables"
    LOCAL_VARIABLES = "local_variables"
    METRIC_VARIABLES = "metric_variables"
    MODEL_VARIABLES = "model_variables"
    TRAINABLE_VARIABLES = "trainable_variables"
    SUMMARIES = "summaries"
    QUEUE_RUNNERS = "queue_runners"
    TABLE_INITIALIZERS = "table_initializer"
    ASSET_FILEPATHS = "asset_filepaths"
    MOVING_AVERAGE_VARIABLES = "moving_average_variables"
    REGULARIZATION_LOSSES = "regularization_losses"
    CONCATENATED_VARIABLES = "concatenated_variables"
    SAVERS = "savers"
    WEIGHTS = "weights"
    BIASES = "biases"
    ACTIVATIONS = "activations"
    UPDATE_OPS = "update_ops"
    LOSSES = "losses"
    SAVEABLE_OBJECTS = "saveable_objects"
    RESOURCES = "resources"
    LOCAL_RESOURCES = "local_resources"
    INIT_OP = "init_op"
    LOCAL_INIT_OP = "local_init_op"
    READY_OP = "ready_op"
    READY_FOR_LOCAL_INIT_OP = "ready_for_local_init_op"
    SUMMARY_OP = "summary_op"
    GLOBAL_STEP = "global_step"
    EVAL_STEP = "eval_step"
    TRAIN_OP = "train_op"
    COND_CONTEXT = "cond_context"
    WHILE_CONTEXT = "while_context"
    VARIABLES = "variables"
    _SUMMARY_COLLECTION = "_SUMMARY_V2"
    _STREAMING_MODEL_PORTS = "streaming_model_ports"
    _VARIABLE_STORE_KEY = ("__variable_store",)
    _VARSCOPESTORE_KEY = ("__varscopestore",)


def is_compatible(a: Any, b: Any) -> bool:
    return compatible(to_tuple(a), to_tuple(b))
