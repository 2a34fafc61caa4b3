"""Between Hornbeam's graphs and TensorFlow's protos: AttrValue, NodeDef, OpDef, FunctionDef, GraphDef."""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from hornbeam.core import dtypes
from hornbeam.core.dtypes import DType
from hornbeam.core.function import FuncGraph, Function
from hornbeam.core.graph import Graph, Operation, Tensor
from hornbeam.core.registry import ArgSpec, AttrSpec, OpSpec
from hornbeam.core.tensor_shape import Shape, to_tuple
from hornbeam.proto import AttrValue, FunctionDef, GraphDef, NameAttrList, NodeDef, OpDef, TensorShapeProto


# --- shapes -----------------------------------------------------------------------------------------------------------
def shape_to_proto(shape: Shape) -> Any:
    if shape is None:
        return TensorShapeProto(unknown_rank=True)
    proto = TensorShapeProto()
    for d in shape:
        proto.dim.add().size = -1 if d is None else d
    return proto


# --- attributes ---------------------------------------------------------------------------------------------------------
def to_attr_value(kind: str | None, value: Any) -> Any:
    """A Python attribute value as an AttrValue; `kind` is the declared kind, None for undeclared (underscore) attributes."""
    if hasattr(value, "WhichOneof") and hasattr(value, "placeholder"):
        return value
    out = AttrValue()
    kind = kind or _guess_kind(value)
    if kind.startswith("list("):
        inner = kind[5:-1]
        out.list.SetInParent()
        for v in value:
            match inner:
                case "string":
                    out.list.s.append(v.encode() if isinstance(v, str) else v)
                case "int":
                    out.list.i.append(v)
                case "float":
                    out.list.f.append(v)
                case "bool":
                    out.list.b.append(v)
                case "type":
                    out.list.type.append(v.as_datatype_enum)
                case "shape":
                    out.list.shape.add().CopyFrom(shape_to_proto(to_tuple(v)))
                case "tensor":
                    out.list.tensor.add().CopyFrom(_tensor_proto(v, None))
                case "func":
                    out.list.func.add().CopyFrom(_func_proto(v))
        return out
    match kind:
        case "string":
            out.s = value.encode() if isinstance(value, str) else value
        case "int":
            out.i = int(value)
        case "float":
            out.f = value
        case "bool":
            out.b = bool(value)
        case "type":
            out.type = value.as_datatype_enum
        case "shape":
            out.shape.CopyFrom(shape_to_proto(value))
        case "tensor":
            out.tensor.CopyFrom(_tensor_proto(value, None))
        case "func":
            out.func.CopyFrom(_func_proto(value))
    return out


def _guess_kind(value: Any) -> str:
    if isinstance(value, (list, tuple)) and not isinstance(value, str):
        return f"list({_guess_kind(value[0]) if value else 'string'})"
    if isinstance(value, (bool, np.bool_)):
        return "bool"
    if isinstance(value, (int, np.integer)):
        return "int"
    if isinstance(value, float):
        return "float"
    if isinstance(value, (str, bytes)):
        return "string"
    if isinstance(value, DType):
        return "type"
    if isinstance(value, np.ndarray):
        return "tensor"
    if isinstance(value, Function):
        return "func"
    raise TypeError(f"{value!r} cannot be an attribute value")


def _tensor_proto(value: Any, dtype: DType | None) -> Any:
    if hasattr(value, "tensor_shape"):
        return value
    from hornbeam.core.tensor_proto import make_tensor_proto

    return make_tensor_proto(value, dtype)


def _func_proto(value: Any) -> Any:
    if hasattr(value, "DESCRIPTOR"):
        return value
    out = NameAttrList(name=value if isinstance(value, str) else value.name)
    return out


def from_attr_value(proto: Any, kind: str | None, graph: Graph | None = None) -> Any:
    """An AttrValue as the Python value Hornbeam keeps: DType, tuple shapes, bytes, ndarray, Function (or its name) …"""
    field = proto.WhichOneof("value")
    if kind is None and field is None:
        return proto
    match field:
        case "s":
            return proto.s
        case "i":
            return proto.i
        case "f":
            return proto.f
        case "b":
            return proto.b
        case "type":
            return dtypes.as_dtype(proto.type)
        case "shape":
            return to_tuple(proto.shape)
        case "tensor":
            from hornbeam.core.tensor_proto import to_ndarray

            array = to_ndarray(proto.tensor)
            array.setflags(write=False)
            return array
        case "func":
            f = graph._get_function(proto.func.name) if graph is not None else None
            return f if f is not None else proto.func.name
        case "list":
            return _from_list(proto.list, kind, graph)
        case "placeholder":
            return proto
    return [] if kind is not None and kind.startswith("list(") else None


_LIST_FIELDS = {
    "string": "s",
    "int": "i",
    "float": "f",
    "bool": "b",
    "type": "type",
    "shape": "shape",
    "tensor": "tensor",
    "func": "func",
}


def _from_list(values: Any, kind: str | None, graph: Graph | None) -> list[Any]:
    inner = kind[5:-1] if kind is not None and kind.startswith("list(") else None
    if inner is None:
        inner = next((k for k, f in _LIST_FIELDS.items() if len(getattr(values, f))), "string")
    items = getattr(values, _LIST_FIELDS[inner])
    match inner:
        case "type":
            return [dtypes.as_dtype(t) for t in items]
        case "shape":
            return [to_tuple(s) for s in items]
        case "tensor":
            from hornbeam.core.tensor_proto import to_ndarray

            return [to_ndarray(t) for t in items]
        case "func":
            return [(graph._get_function(f.name) if graph is not None else None) or f.name for f in items]
    return list(items)


def public_attr(op: Operation, name: str) -> Any:
    """`Operation.get_attr`: Hornbeam's value in the form TensorFlow returns."""
    value = op._attrs[name]
    spec = op.spec.attrs.get(name)
    kind = spec.kind if spec is not None else None
    if hasattr(value, "WhichOneof") and hasattr(value, "placeholder"):
        field = value.WhichOneof("value")
        value = from_attr_value(value, None)
        kind = {"tensor": "tensor", "shape": "shape", "func": "func"}.get(field or "", None)
    match kind:
        case "shape":
            return shape_to_proto(value)
        case "tensor":
            return _tensor_proto(value, op._attrs.get("dtype"))
        case "func":
            return _func_proto(value)
        case "list(shape)":
            return [shape_to_proto(to_tuple(s)) for s in value]
        case "list(func)":
            return [_func_proto(f) for f in value]
    return list(value) if isinstance(value, list) else value


# --- nodes -----------------------------------------------------------------------------------------------------------------
def operation_to_node_def(op: Operation, input_names: dict[Tensor, str] | None = None) -> Any:
    """The NodeDef of an operation, with all attributes (defaults too) as TensorFlow's Python API writes them."""
    node = NodeDef(name=op.name, op=op.type, device=op.device)
    for t in op._inputs:
        if input_names is not None:
            node.input.append(input_names[t])
        else:
            node.input.append(t.op.name if t.value_index == 0 else f"{t.op.name}:{t.value_index}")
    node.input.extend("^" + c.name for c in op._control_inputs)
    attrs = op.spec.attrs
    for name, value in op._attrs.items():
        spec = attrs.get(name)
        if spec is not None and spec.kind == "tensor":
            node.attr[name].tensor.CopyFrom(_tensor_proto(value, op._attrs.get("dtype")))
        else:
            node.attr[name].CopyFrom(to_attr_value(spec.kind if spec is not None else None, value))
    return node


def graph_to_graph_def(graph: Graph, from_version: int | None = None, add_shapes: bool = False) -> Any:
    """The GraphDef of a graph: nodes in creation order, the function library, versions; `_output_shapes` when asked for."""
    out = GraphDef()
    out.versions.producer = graph._producer
    out.versions.min_consumer = graph._producer_min_consumer
    for op in graph.get_operations():
        if from_version is not None and op._id < from_version:
            continue
        node = operation_to_node_def(op)
        if add_shapes and op.outputs:
            shapes = node.attr["_output_shapes"].list
            for t in op.outputs:
                shapes.shape.add().CopyFrom(shape_to_proto(t._shape))
        out.node.append(node)
    for f in graph._functions.values():
        out.library.function.append(f.to_function_def())
        if f.gradient_name:
            out.library.gradient.add(function_name=f.name, gradient_func=f.gradient_name)
    return out


# --- signatures ---------------------------------------------------------------------------------------------------------------
def spec_to_op_def(spec: OpSpec) -> Any:
    out = OpDef(
        name=spec.name,
        is_stateful=spec.stateful,
        is_aggregate=spec.aggregate,
        allows_uninitialized_input=spec.allows_uninitialized,
    )
    for target, args in ((out.input_arg, spec.inputs), (out.output_arg, spec.outputs)):
        for a in args:
            p = target.add(name=a.name, is_ref=a.is_ref)
            if a.dtype is not None:
                p.type = a.dtype.as_datatype_enum
            p.type_attr, p.number_attr, p.type_list_attr = (
                a.type_attr or "",
                a.number_attr or "",
                a.type_list_attr or "",
            )
    for s in spec.attrs.values():
        p = out.attr.add(name=s.name, type=s.kind)
        if s.has_default and not (s.default is None and s.kind in ("func", "tensor", "type")):
            p.default_value.CopyFrom(to_attr_value(s.kind, s.default))
        if s.minimum is not None:
            p.has_minimum, p.minimum = True, s.minimum
        if s.allowed is not None:
            p.allowed_values.CopyFrom(
                to_attr_value("list(type)" if isinstance(s.allowed[0], DType) else "list(string)", s.allowed)
            )
        if s.kind == "type" and s.allowed is not None:
            p.type = "type"
    return out


def op_def_to_spec(op_def: Any) -> OpSpec:
    """A signature read from an OpDef (a function's, or of an op this build has no kernel for)."""
    spec = OpSpec(f"{op_def.name}() -> ()", stateful=op_def.is_stateful)
    spec.attrs = {}
    for a in op_def.attr:
        s = AttrSpec(a.name, a.type)
        if a.HasField("default_value"):
            s.default = from_attr_value(a.default_value, a.type)
        spec.attrs[a.name] = s

    def arg(a: Any) -> ArgSpec:
        return ArgSpec(
            a.name,
            a.type_attr or None,
            dtypes.as_dtype(a.type) if a.type else None,
            a.number_attr or None,
            a.type_list_attr or None,
            a.is_ref,
        )

    spec.inputs = [arg(a) for a in op_def.input_arg]
    spec.outputs = [arg(a) for a in op_def.output_arg]
    spec.attr_from_input = {n for a in spec.inputs for n in (a.type_attr, a.number_attr, a.type_list_attr) if n}
    spec._parsed = True
    return spec


# --- functions ---------------------------------------------------------------------------------------------------------------------
def _arg_name(name: str, used: set[str]) -> str:
    base = re.sub(r"[^a-z0-9_]", "_", name.lower()) or "unknown"
    if not base[0].isalpha():
        base = "arg_" + base
    out, n = base, 0
    while out in used:
        n += 1
        out = f"{base}_{n}"
    used.add(out)
    return out


def output_position(t: Tensor) -> tuple[str, int]:
    """(output argument name, index in it) of a tensor, as function bodies refer to it."""
    op = t.op
    i = t.value_index
    for a in op.spec.outputs:
        n = 1
        if a.number_attr is not None:
            n = op._attrs[a.number_attr]
        elif a.type_list_attr is not None:
            n = len(op._attrs[a.type_list_attr])
        if i < n:
            return a.name, i
        i -= n
    raise IndexError(t.name)


def function_to_function_def(f: Function) -> Any:
    out = FunctionDef()
    out.signature.name = f.name
    used: set[str] = set()
    names: dict[Tensor, str] = {}
    arg_ops = set()
    for i, t in enumerate(f.inputs):
        name = _arg_name(f.arg_names[i] if f.arg_names else t.op.name, used)
        names[t] = name
        arg_ops.add(t.op)
        out.signature.input_arg.add(name=name, type=t.dtype.base_dtype.as_datatype_enum)
    for op in f.graph.get_operations():
        if op in arg_ops:
            continue
        for t in op.outputs:
            arg, index = output_position(t)
            names[t] = f"{op.name}:{arg}:{index}"
    stateful = False
    for op in f.graph.get_operations():
        if op in arg_ops:
            continue
        node = operation_to_node_def(op, names)
        del node.input[len(op._inputs) :]
        node.input.extend("^" + c.name for c in op._control_inputs if c not in arg_ops)
        out.node_def.append(node)
        stateful = stateful or op.spec.stateful
    out.signature.is_stateful = stateful
    used_out: set[str] = set()
    for i, t in enumerate(f.outputs):
        name = _arg_name(f.output_names[i] if f.output_names else t.op.name, used_out)
        out.signature.output_arg.add(name=name, type=t.dtype.base_dtype.as_datatype_enum)
        out.ret[name] = names[t]
    for i, op in enumerate(f.control_outputs):
        name = f"{op.name}"
        out.signature.control_output.append(name)
        out.control_ret[name] = op.name
        del i
    for k, v in f.attrs.items():
        out.attr[k].CopyFrom(to_attr_value(None, v))
    return out


class ImportedFunction(Function):
    """A function of a loaded library: its body is built when it is first looked into."""

    __slots__ = ("_def", "_outer", "_built")

    def __init__(self, function_def: Any, outer: Graph) -> None:
        self.name = function_def.signature.name
        self._def = function_def
        self._outer = outer
        self._built: tuple[FuncGraph, list[Tensor], list[Tensor], list[Operation]] | None = None
        self.attrs = {k: from_attr_value(v, None) for k, v in function_def.attr.items()}
        self.gradient_name = None
        self.python_gradient = None
        self.cache = {}
        self.arg_names = [a.name for a in function_def.signature.input_arg]
        self.output_names = [a.name for a in function_def.signature.output_arg]

    def _body(self) -> tuple[FuncGraph, list[Tensor], list[Tensor], list[Operation]]:
        if self._built is None:
            from hornbeam.core.importer import function_body

            self._built = function_body(self._def, self._outer)
        return self._built

    @property
    def graph(self) -> Graph:  # type: ignore[override]
        return self._body()[0]

    @property
    def inputs(self) -> list[Tensor]:  # type: ignore[override]
        return self._body()[1]

    @property
    def outputs(self) -> list[Tensor]:  # type: ignore[override]
        return self._body()[2]

    @property
    def control_outputs(self) -> list[Operation]:  # type: ignore[override]
        return self._body()[3]

    @property
    def input_types(self) -> list[DType]:
        return [dtypes.as_dtype(a.type) for a in self._def.signature.input_arg]

    @property
    def output_types(self) -> list[DType]:
        return [dtypes.as_dtype(a.type) for a in self._def.signature.output_arg]

    def to_function_def(self) -> Any:
        return self._def
