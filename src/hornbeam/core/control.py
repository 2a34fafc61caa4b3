"""Nodes that only order others: `group`, `with_dependencies`, `tuple`, with the names TensorFlow gives them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from hornbeam.core.graph import (
    Graph,
    IndexedSlices,
    Operation,
    Tensor,
    _graph_of,
    convert_to_tensor,
    get_default_graph,
    name_scope,
)
from hornbeam.core.registry import get


def flatten(values: Any) -> list[Any]:
    """Leaves of nested lists, tuples and dictionaries (in key order)."""
    if isinstance(values, dict):
        return [leaf for k in sorted(values) for leaf in flatten(values[k])]
    if isinstance(values, (list, tuple)):
        return [leaf for v in values for leaf in flatten(v)]
    return [values]


def identity(t: Any, name: str | None = None) -> Any:
    """`t` passed on unchanged, as a node of its own (RefIdentity for a reference)."""
    if isinstance(t, IndexedSlices):
        return IndexedSlices(identity(t.values, name), t.indices, t.dense_shape)
    if hasattr(t, "_type_spec") and hasattr(t, "dense_shape"):
        return type(t)(indices=t.indices, values=identity(t.values, name), dense_shape=t.dense_shape)
    if not isinstance(t, Tensor):
        if hasattr(t, "_as_composite_identity"):
            return t._as_composite_identity(name)
        t = convert_to_tensor(t)
    return get("RefIdentity" if t.dtype._is_ref_dtype else "Identity")(t, name=name)


def as_operation(x: Any) -> Operation:
    if isinstance(x, Operation):
        return x
    if not isinstance(x, Tensor) and hasattr(x, "_as_graph_element") and not hasattr(x, "_handle"):
        x = x._as_graph_element()
    if isinstance(x, Operation):
        return x
    op = getattr(x, "op", None)
    if not isinstance(op, Operation):
        raise TypeError(
            f"'inputs' should be zero or more (nested) Tensors or Operations. Received {x!r} of type {type(x).__name__}."
        )
    return op


def no_op(
    graph: Graph, control_inputs: Sequence[Operation], name: str | None = None, device: str | None = None
) -> Operation:
    with graph.as_default(), graph.control_dependencies(control_inputs):
        op: Operation = get("NoOp")(name=name)
    if device is not None:
        op._device = device
    return op


def group(*inputs: Any, name: str | None = None) -> Operation:
    """An operation that is done when every input is. On several devices, one node a device gathers the inputs there."""
    leaves = [v for v in flatten(list(inputs)) if v is not None]
    with name_scope(name, "group_deps", leaves) as scope:
        ops = [as_operation(v) for v in leaves]
        graph = _graph_of([o.outputs[0] for o in ops if o.outputs], get_default_graph())
        if not graph.building_function and ops:
            graph = ops[0].graph
        by_device: dict[str, list[Operation]] = {}
        for o in ops:
            by_device.setdefault(o.device, []).append(o)
        if len(by_device) <= 1:
            return no_op(graph, ops, scope, next(iter(by_device), None) or None)
        gathered = [no_op(graph, by_device[d], None, d) for d in sorted(by_device)]
        return no_op(graph, gathered, scope)


def with_dependencies(dependencies: Iterable[Any], output: Any, name: str | None = None) -> Any:
    """`output`, available only when every dependency is done."""
    dependencies = list(dependencies)
    with name_scope(name, "control_dependency", [*dependencies, output]) as scope:
        graph = get_default_graph()
        if not isinstance(output, (Tensor, IndexedSlices)):
            output = convert_to_tensor(output)
        with graph.colocate_with(output.op), graph.control_dependencies(dependencies):
            return identity(output, scope)


def tuple_(tensors: Sequence[Any], name: str | None = None, control_inputs: Sequence[Any] | None = None) -> list[Any]:
    """The tensors (None stays None), each available only when all of them and the control inputs are."""
    with name_scope(name, "tuple", [t for t in tensors if t is not None]):
        tensors = [
            t if t is None or isinstance(t, (Tensor, IndexedSlices, Operation)) else convert_to_tensor(t)
            for t in tensors
        ]
        gating = [t if isinstance(t, Operation) else t.op for t in tensors if t is not None]
        for c in control_inputs or ():
            if isinstance(c, Tensor):
                c = c.op
            elif not isinstance(c, Operation):
                raise TypeError(f"'control_inputs' must only contain Operation or Tensor. Received: {type(c)}")
            gating.append(c)
        gating = sorted(set(gating), key=lambda o: o._id)
        if not gating:
            raise ValueError(f"'tensors' must have at least one Tensor. Received: {tensors}")
        gate = group(*gating)
        out: list[Any] = []
        for t in tensors:
            if t is None:
                out.append(None)
            else:
                out.append(with_dependencies([gate], t.outputs[0] if isinstance(t, Operation) else t))
        return out
