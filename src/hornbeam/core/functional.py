"""Building nodes that run functions (If, Case, While, calls), and giving such a node more inputs and outputs afterwards."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hornbeam.core import dtypes
from hornbeam.core.dtypes import DType
from hornbeam.core.function import FuncGraph, Function, handle_extra, unique_function_name
from hornbeam.core.graph import Graph, Operation, Tensor, get_default_graph
from hornbeam.core.registry import get
from hornbeam.core.tensor_shape import Shape

_FUNCTIONAL = frozenset(
    (
        "If",
        "StatelessIf",
        "While",
        "StatelessWhile",
        "Case",
        "StatelessCase",
        "PartitionedCall",
        "StatefulPartitionedCall",
        "RemoteCall",
    )
)


def root_of(graph: Graph) -> Graph:
    while graph.outer_graph is not None:
        graph = graph.outer_graph
    return graph


def make_function(name: str, graph: FuncGraph, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> Function:
    """A function of the outermost graph's library with `graph` as its body."""
    f = Function(name, graph, inputs, outputs)
    root_of(graph)._add_function(f)
    return f


def replace_function(old: Function, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> Function:
    """`old`'s body under a new name with other arguments and results; `old` stays for whoever else uses it."""
    base = old.name.split("_rewritten")[0]
    f = Function(
        unique_function_name(old.graph, f"{base}_rewritten"),
        old.graph,
        inputs,
        outputs,
        old.control_outputs,
        dict(old.attrs),
    )
    root = root_of(old.graph)
    if old.cache.get("single use"):  # made for one node, which now uses the new one
        root._functions.pop(old.name, None)
        f.cache["single use"] = True
    root._add_function(f)
    return f


def is_stateful(graph: Graph) -> bool:
    """Does a body hold an operation with side effects or hidden state?"""
    return any(op.spec.stateful for op in graph.get_operations())


def base_types(tensors: Sequence[Tensor]) -> list[DType]:
    return [t.dtype.base_dtype for t in tensors]


def match_captures(graphs: Sequence[FuncGraph]) -> list[Tensor]:
    """Gives every graph one argument per tensor that any of them captured, in one order; returns the captured tensors."""
    outer = list(dict.fromkeys(t for g in graphs for t in g.external_captures))
    for g in graphs:
        known = dict(g._external)
        own = [a for a in g.inputs if a not in set(g.internal_captures)]
        arguments = []
        for t in outer:
            a = known.get(t)
            if a is None:
                a = unused_argument(g, t)
            arguments.append(a)
        g.inputs[:] = own + arguments
        g._extra["external"] = list(zip(outer, arguments, strict=True))
    return outer


def unused_argument(g: FuncGraph, like: Tensor) -> Tensor:
    """An argument that only another branch needs."""
    with g.as_default():
        a = g.add_argument(like.dtype, like._shape, "unused")
    g.inputs.pop()
    a._extra = handle_extra(like)
    return a


def _add(
    op_type: str,
    inputs: list[Tensor],
    attrs: dict[str, Any],
    shapes: Sequence[Shape],
    name: str,
    control: Sequence[Operation] = (),
) -> Operation:
    from hornbeam.core.graph import fill_defaults

    graph = get_default_graph()
    spec = get(op_type)
    fill_defaults(spec, attrs)
    full = name[:-1] if name.endswith("/") else graph.unique_name(name)
    op = graph.add_node(spec, full, inputs, attrs, infer_shapes=False)
    if control:
        op._add_control_inputs([c for c in control if c.graph is graph])
    for t, s in zip(op.outputs, shapes, strict=True):
        t._shape = s
    return op


def outer_control(graphs: Sequence[FuncGraph]) -> list[Operation]:
    """Operations around the bodies that something inside waits for; those of graphs further out are handed on."""
    here = get_default_graph()
    out: list[Operation] = []
    for g in graphs:
        for op in g.outer_control_inputs:
            if op.graph is here:
                out.append(op)
            elif isinstance(here, FuncGraph):
                here._outer_control_input(op)
    return list(dict.fromkeys(out))


def add_branches(
    kind: str, selector: Tensor, graphs: Sequence[FuncGraph], inputs: list[Tensor], shapes: Sequence[Shape], name: str
) -> Operation:  # fmt: skip
    """An If (kind "If") or Case node over finished branch graphs with equal signatures."""
    functions = []
    for g in graphs:
        f = make_function(g.name, g, g.inputs, g.outputs)
        f.cache["single use"] = True
        functions.append(f)
    op_type = kind if any(is_stateful(g) for g in graphs) else "Stateless" + kind
    attrs: dict[str, Any] = {
        "Tin": base_types(inputs), "Tout": base_types(graphs[0].outputs), "output_shapes": list(shapes), "_lower_using_switch_merge": True,
    }  # fmt: skip
    if kind == "If":
        attrs |= {"Tcond": selector.dtype.base_dtype, "then_branch": functions[0], "else_branch": functions[1]}
    else:
        attrs["branches"] = functions
    return _add(op_type, [selector, *inputs], attrs, shapes, name, outer_control(graphs))


def add_while(
    cond: FuncGraph, body: FuncGraph, inputs: list[Tensor], shapes: Sequence[Shape], name: str, parallel_iterations: int = 10
) -> Operation:  # fmt: skip
    """A While node over finished condition and body graphs, both taking all of `inputs`."""
    functions = [make_function(g.name, g, g.inputs, g.outputs) for g in (cond, body)]
    for f in functions:
        f.cache["single use"] = True
    op_type = "While" if is_stateful(cond) or is_stateful(body) else "StatelessWhile"
    attrs = {
        "T": base_types(inputs), "cond": functions[0], "body": functions[1], "output_shapes": list(shapes),
        "parallel_iterations": parallel_iterations, "_lower_using_switch_merge": True,
    }  # fmt: skip
    op = _add(op_type, inputs, attrs, shapes, name, outer_control([cond, body]))
    for t, i in zip(op.outputs, inputs, strict=True):
        if t.dtype.base_dtype is dtypes.resource:
            t._extra = handle_extra(i)
    return op


def add_call(function: Function, inputs: list[Tensor], name: str, stateful: bool | None = None) -> Operation:
    """A PartitionedCall of `function`, stateful if its body is."""
    stateful = is_stateful(function.graph) if stateful is None else stateful
    attrs = {"Tin": base_types(inputs), "Tout": function.output_types, "f": function}
    control = outer_control([function.graph]) if isinstance(function.graph, FuncGraph) else []
    return _add(
        "StatefulPartitionedCall" if stateful else "PartitionedCall",
        inputs,
        attrs,
        function.output_shapes,
        name,
        control,
    )


def append_outputs(op: Operation, tensors: Sequence[Tensor]) -> list[Tensor]:
    """New outputs of a node, typed and shaped like the body's tensors."""
    new = []
    for like in tensors:
        t = Tensor(op, len(op._outputs), like.dtype.base_dtype)
        t._shape = like._shape
        t._extra = handle_extra(like)
        op._outputs.append(t)
        new.append(t)
    key = "T" if op.type.endswith("While") else "Tout"
    op._attrs[key] = [*op._attrs[key], *base_types(tensors)]
    if op._attrs.get("output_shapes"):
        op._attrs["output_shapes"] = [*op._attrs["output_shapes"], *(t._shape for t in tensors)]
    op.graph._version += 1
    op.graph._edits += 1
    return new


def append_inputs(op: Operation, tensors: Sequence[Tensor]) -> None:
    for t in tensors:
        op._inputs.append(t)
        t._consumers.append(op)
    if not op.type.endswith("While"):
        op._attrs["Tin"] = [*op._attrs["Tin"], *base_types(tensors)]
    op.graph._version += 1
    op.graph._edits += 1
