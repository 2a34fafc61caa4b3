"""Gradients of If, Case and function calls: the derivative of each body is a body of its own, fed by extra outputs of the forward node."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from hornbeam.core import dtypes
from hornbeam.core.constant import const_node, constant_value
from hornbeam.core.function import FuncGraph, Function, handle_extra, unique_function_name
from hornbeam.core.functional import (
    add_branches,
    add_call,
    append_outputs,
    make_function,
    replace_function,
    unused_argument,
)  # fmt: skip
from hornbeam.core.gradients import gradients_between, needed_inputs
from hornbeam.core.graph import Graph, Operation, Tensor, convert_to_tensor, fill_defaults, get_default_graph
from hornbeam.core.registry import OpSpec, get, raw
from hornbeam.core.tensor_shape import Shape

_KINDS = ("If", "StatelessIf", "Case", "StatelessCase", "PartitionedCall", "StatefulPartitionedCall")
_SHAPE_OPS = ("Shape", "Size", "Rank")


class GradientGraph(FuncGraph):
    """The derivative of a body: captures tensors of the forward body; what is known of them becomes constants here."""

    def __init__(self, name: str, forward: FuncGraph) -> None:
        super().__init__(unique_function_name(forward, name), forward)
        self.forward = forward
        self.from_outside: list[
            tuple[Tensor, Tensor]
        ] = []  # tensors of graphs around the forward body, and their arguments

    def add_node(
        self, spec: OpSpec, full_name: str, inputs: list[Tensor], attrs: dict[str, Any], *args: Any, **kwargs: Any
    ) -> Operation:
        if len(inputs) == 1 and inputs[0]._op.graph is not self:
            t = inputs[0]
            if spec.name in _SHAPE_OPS and t._shape is not None and None not in t._shape:
                value: Any = np.array(t._shape, np.int64)
                if spec.name == "Size":
                    value = value.prod()
                elif spec.name == "Rank":
                    value = np.array(len(t._shape))
                dtype = attrs.get("out_type", dtypes.int32)
                return const_node(np.asarray(value, dtype.np), dtype, full_name + "/", graph=self).op
            if (
                spec.name in ("ZerosLike", "OnesLike")
                and t._shape is not None
                and None not in t._shape
                and t.dtype.base_dtype is not dtypes.variant
            ):
                with self.as_default(), self.name_scope(None):
                    shape = const_node(np.array(t._shape, np.int32), dtypes.int32, full_name + "/shape/", graph=self)
                    fill = np.asarray(0 if spec.name == "ZerosLike" else 1, t.dtype.base_dtype.np)
                    value_t = const_node(fill, t.dtype.base_dtype, full_name + "/value/", graph=self)
                    return raw.Fill(shape, value_t, name=full_name + "/").op  # type: ignore[no-any-return]
        return super().add_node(spec, full_name, inputs, attrs, *args, **kwargs)

    def capture(self, tensor: Tensor) -> Tensor:
        if tensor.op.graph is self:
            return tensor
        known = self.captures.get(tensor)
        if known is not None:
            return known
        value = tensor.op._attrs["value"] if tensor.op.type == "Const" else constant_value(tensor)
        if isinstance(value, np.ndarray) and (tensor.op.type == "Const" or value.size <= 1024):
            inner = self._at_root(
                lambda: const_node(value, tensor.dtype.base_dtype, tensor.op.name.split("/")[-1], graph=self)
            )
        elif tensor.op.graph is self.forward:
            inner = self.capture_forward(tensor)
        else:
            inner = self._at_root(lambda: self.add_argument(tensor.dtype, tensor._shape, tensor.op.name.split("/")[-1]))
            inner._extra = handle_extra(tensor)
            self.from_outside.append((tensor, inner))
        self.captures[tensor] = inner
        return inner

    def capture_forward(self, tensor: Tensor) -> Tensor:
        """The argument for a tensor of the forward body."""
        inner = self._at_root(lambda: self.add_argument(tensor.dtype, tensor._shape, tensor.op.name.split("/")[-1]))
        inner._extra = handle_extra(tensor)
        self._external.append((tensor, inner))
        return inner

    def _at_root(self, make: Callable[[], Tensor]) -> Tensor:
        with self.as_default(), self.control_dependencies(None), self.name_scope(None):
            return make()


def dense(g: Any) -> Tensor:
    return convert_to_tensor(g)


def zeros_for(t: Tensor) -> Tensor:
    """Zeros for the gradient of a body argument that one branch does not use."""
    if t.dtype.base_dtype is dtypes.resource:
        shape, dtype = handle_data(t)
        if shape is not None and None not in shape:
            return raw.Fill(np.array(shape, np.int32), np.zeros((), dtype.np))  # type: ignore[no-any-return]
        return raw.Fill(raw.VariableShape(t), np.zeros((), dtype.np))  # type: ignore[no-any-return]
    return raw.ZerosLike(t)  # type: ignore[no-any-return]


def handle_data(t: Tensor) -> tuple[Shape, dtypes.DType]:
    """(shape, dtype) of the variable behind a handle."""
    extra = handle_extra(t) or {}
    if "handle_dtype" in extra:
        return extra.get("handle_shape"), extra["handle_dtype"]
    op = t.op
    while op.type != "VarHandleOp" and op.inputs:
        op = op.inputs[0].op
    if op.type == "VarHandleOp":
        return op._attrs["shape"], op._attrs["dtype"]
    return None, dtypes.float32


def branch_gradient(op: Operation, *grads: Any) -> list[Any]:
    """Gradient of If and Case: a node of the same kind whose branches are the derivatives of the forward branches."""
    branches = (
        [op._attrs["then_branch"], op._attrs["else_branch"]] if op.type.endswith("If") else list(op._attrs["branches"])
    )
    needed = needed_inputs(op)[1:]
    results, inputs, graphs = _derive(op, branches, 1, needed, grads, f"{op.name.split('/')[-1]}_grad")
    if not graphs or not graphs[0].outputs:
        return [None] * len(op.inputs)
    shapes = [_common_shape([g.outputs[i] for g in graphs]) for i in range(len(graphs[0].outputs))]
    node = add_branches("If" if op.type.endswith("If") else "Case", op.inputs[0], graphs, inputs, shapes, op.type)
    return [None] + [None if r is None else node.outputs[r] for r in results]


def call_gradient(function: Function) -> Callable[..., Any]:
    """The gradient rule for a node that calls `function`: its own Python gradient if it has one, else its body's derivative."""
    if function.python_gradient is not None:
        return function.python_gradient
    return _call_gradient


def _call_gradient(op: Operation, *grads: Any) -> list[Any]:
    function = op._attrs.get("f") or get_default_graph()._get_function(op.type) or op.graph._get_function(op.type)
    custom = function.gradient_name and op.graph._get_function(function.gradient_name)
    if custom:
        given = [raw.ZerosLike(t) if g is None else dense(g) for t, g in zip(op.outputs, grads, strict=False)]
        return list(add_call(custom, [*op.inputs, *given], "Gradient").outputs)
    results, inputs, graphs = _derive(op, [function], 0, needed_inputs(op), grads, f"{function.name}_grad")
    if not graphs or not graphs[0].outputs:
        return [None] * len(op.inputs)
    (g,) = graphs
    f = make_function(g.name, g, g.inputs, g.outputs)
    node = add_call(f, inputs, "PartitionedCall")
    return [None if r is None else node.outputs[r] for r in results]


def _derive(
    op: Operation, branches: Sequence[Function], first: int, needed: Sequence[bool], grads: Sequence[Any], name: str
) -> tuple[list[int | None], list[Tensor], list[GradientGraph]]:  # fmt: skip
    """Derivative graphs of the branches with one signature: (output number per input or None, inputs of the node, graphs)."""
    given = [k for k, g in enumerate(grads) if g is not None]
    given_grads = [dense(grads[k]) for k in given]
    asked = [j for j, n in enumerate(needed) if n]
    if not given or not asked:
        return [None] * len(needed), [], []
    graphs: list[GradientGraph] = []
    found: list[list[Any]] = []
    for f in branches:
        graph = GradientGraph(f"{f.name.split('_rewritten')[0]}_grad", _body(f))
        with graph.as_default():
            args = [graph.add_argument(g.dtype, g._shape, f"grad_{k}") for k, g in zip(given, given_grads, strict=True)]
            found.append(gradients_between([f.outputs[k] for k in given], [f.inputs[j] for j in asked], args))
        graphs.append(graph)
    kept = [i for i in range(len(asked)) if any(r[i] is not None for r in found)]
    for b, (f, graph, result) in enumerate(zip(branches, graphs, found, strict=True)):
        with graph.as_default():
            outputs = []
            for i in kept:
                g = result[i]
                j = asked[i]
                if g is None:
                    g = _fake(graph, f.inputs[j]) if _is_fake(op.inputs[first + j], b) else zeros_for(f.inputs[j])
                else:
                    g = dense(g)
                outputs.append(g if g.op.graph is graph and g not in graph.inputs else raw.Identity(g))
            graph.outputs = outputs
    results: list[int | None] = [None] * len(needed)
    for n, i in enumerate(kept):
        results[asked[i]] = n
    sources = _expose(op, branches, first, graphs)
    inputs = list(dict.fromkeys(t for s in sources for t in s))
    for graph, source in zip(graphs, sources, strict=True):
        mine = dict(zip(source, graph.inputs[len(given) :], strict=True))
        tail = [mine[t] if t in mine else unused_argument(graph, t) for t in inputs]
        graph.inputs[len(given) :] = tail
    return results, given_grads + inputs, graphs


def _body(f: Function) -> FuncGraph:
    if not isinstance(f.graph, FuncGraph):
        raise TypeError(f"Function {f.name!r} has no body to differentiate.")
    return f.graph


def _expose(
    op: Operation, branches: Sequence[Function], first: int, graphs: Sequence[GradientGraph]
) -> list[list[Tensor]]:
    """Makes every captured body tensor available around the node; returns, per graph, what to pass for its capture arguments."""
    new: list[list[Tensor]] = []
    for f, graph in zip(branches, graphs, strict=True):
        have = set(f.inputs) | set(f.outputs)
        new.append(list(dict.fromkeys(t for t in graph.external_captures if t not in have)))
    if any(new):
        _extend(op, branches, new)
    out = []
    start = len(op.outputs) - sum(len(n) for n in new)
    for f, graph, extra in zip(branches, graphs, new, strict=True):
        where: dict[Tensor, Tensor] = {}
        for k, t in enumerate(f.outputs):
            where[t] = op.outputs[k]
        for k, t in enumerate(extra):
            where[t] = op.outputs[start + k]
        for j, t in enumerate(f.inputs):
            where[t] = op.inputs[first + j]
        start += len(extra)
        outside = {inner: outer for outer, inner in graph.from_outside}
        captured = {inner: outer for outer, inner in graph._external}
        n_own = len(graph.inputs) - len(outside) - len(captured)
        out.append([outside[a] if a in outside else where[captured[a]] for a in graph.inputs[n_own:]])
    return out


def _extend(op: Operation, branches: Sequence[Function], new: Sequence[Sequence[Tensor]]) -> None:
    """Gives a forward node its intermediates as extra outputs; branches that were not taken answer with FakeParam."""
    functions = []
    for i, f in enumerate(branches):
        outputs = list(f.outputs)
        for j, tensors in enumerate(new):
            outputs += tensors if i == j else [_fake(f.graph, t) for t in tensors]
        functions.append(replace_function(f, f.inputs, outputs))
    if op.spec.kernel is None and op.type not in _KINDS:  # a node named after its function: from now on a plain call
        op._attrs |= {"f": branches[0], "Tin": branches[0].input_types, "Tout": branches[0].output_types}
        op.spec = get("StatefulPartitionedCall" if op.spec.stateful else "PartitionedCall")
        op.type = op.spec.name
        fill_defaults(op.spec, op._attrs)
    append_outputs(op, [t for tensors in new for t in tensors])
    if op.type.endswith("If"):
        op._attrs["then_branch"], op._attrs["else_branch"] = functions
    elif op.type.endswith("Case"):
        op._attrs["branches"] = functions
    else:
        op._attrs["f"] = functions[0]


def _fake(graph: Graph, like: Tensor) -> Tensor:
    with graph.as_default(), graph.control_dependencies(None), graph.name_scope(None):
        t: Tensor = get("FakeParam")(dtype=like.dtype.base_dtype, shape=like._shape)
    t._shape = like._shape
    return t


def _is_fake(t: Tensor, branch: int) -> bool:
    """Is `t` a list that a forward node gives only when it takes another branch than this one?"""
    op = t.op
    if t.dtype.base_dtype is not dtypes.variant:
        return False
    if op.type in ("If", "StatelessIf"):
        f = op._attrs["then_branch" if branch == 0 else "else_branch"]
    elif op.type in ("Case", "StatelessCase") and branch < len(op._attrs["branches"]):
        f = op._attrs["branches"][branch]
    else:
        return False
    return bool(f.outputs[t.value_index].op.type == "FakeParam")


def _common_shape(tensors: Sequence[Tensor]) -> Shape:
    shapes = [t._shape for t in tensors]
    if any(s is None or len(s) != len(shapes[0] or ()) for s in shapes) or shapes[0] is None:
        return None
    return tuple(d[0] if all(x == d[0] for x in d) else None for d in zip(*shapes, strict=True))  # type: ignore[arg-type]
