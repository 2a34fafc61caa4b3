"""`gradients`: adds the nodes that compute derivatives, walking the graph backwards with the gradient rule of each operation."""

from __future__ import annotations

import contextlib
from collections import defaultdict, deque
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from hornbeam.core import dtypes, registry
from hornbeam.core.constant import const_node
from hornbeam.core.control import tuple_
from hornbeam.core.function import FuncGraph
from hornbeam.core.graph import (
    Graph,
    IndexedSlices,
    Operation,
    Tensor,
    convert_to_tensor,
    get_default_graph,
    name_scope,
)
from hornbeam.core.registry import raw
from hornbeam.core.tensor_shape import _CONFLICT, TensorShape, merge

_DIFFERENTIABLE = frozenset(
    (
        dtypes.float16,
        dtypes.bfloat16,
        dtypes.float32,
        dtypes.float64,
        dtypes.complex64,
        dtypes.complex128,
        dtypes.resource,
        dtypes.variant,
    )
)
_NO_ZEROS = (dtypes.resource, dtypes.variant)
_CALLS = ("PartitionedCall", "StatefulPartitionedCall")
# their gradients take None for an output that nothing depends on, so that no zeros are computed for it
_HANDLES_NONE = frozenset(
    (
        "If",
        "StatelessIf",
        "While",
        "StatelessWhile",
        "Case",
        "StatelessCase",
        "PartitionedCall",
        "StatefulPartitionedCall",
    )
)
_WALKS: list[_Backward] = []  # the walks under way, innermost last
Gradient = Any  # Tensor, IndexedSlices or None


class AggregationMethod:
    """How several gradients of one tensor are summed; XLA fuses all of them alike."""

    ADD_N = 0
    DEFAULT = 0
    EXPERIMENTAL_TREE = 1
    EXPERIMENTAL_ACCUMULATE_N = 2


class UnconnectedGradients:
    """What `gradients` gives for an x that no y depends on."""

    NONE = "none"
    ZERO = "zero"


def is_trainable(tensor: Tensor) -> bool:
    """True for dtypes that carry gradients."""
    return tensor._dtype._base in _DIFFERENTIABLE


def gradients(
    ys: Any,
    xs: Any,
    grad_ys: Any = None,
    name: str = "gradients",
    colocate_gradients_with_ops: bool = False,
    gate_gradients: bool = False,
    aggregation_method: int | None = None,
    stop_gradients: Any = None,
    unconnected_gradients: Any = UnconnectedGradients.NONE,
) -> list[Gradient]:
    """Symbolic derivatives of sum(ys) with respect to each x: one Tensor, IndexedSlices or None per x.

    Raises LookupError for an operation without a gradient on the way, ValueError for shapes that disagree, TypeError for
    dtypes that have no default gradient.
    """
    ys, xs = _as_list(ys), _as_list(xs)
    stop_gradients = [] if stop_gradients is None else _as_list(stop_gradients)
    grad_ys = [None] * len(ys) if grad_ys is None else _as_list(grad_ys)
    unconnected = getattr(unconnected_gradients, "value", unconnected_gradients)
    if unconnected not in (UnconnectedGradients.NONE, UnconnectedGradients.ZERO):
        raise ValueError(f"Unknown value for unconnected_gradients: {unconnected_gradients!r}")
    if aggregation_method not in (None, 0, 1, 2):
        raise ValueError(f"Invalid aggregation_method specified {aggregation_method}.")
    with name_scope(name, "gradients", [*ys, *xs, *stop_gradients, *[g for g in grad_ys if g is not None]]) as scope:
        graph = get_default_graph()
        ys = [
            y if isinstance(y, (IndexedSlices, Tensor)) else convert_to_tensor(y, name=f"y_{i}")
            for i, y in enumerate(ys)
        ]
        xs = [_source(x, f"x_{i}") for i, x in enumerate(xs)]
        stop_gradients = [_source(s, "stop") for s in stop_gradients]
        walk = _Backward(
            graph, scope, xs, stop_gradients, colocate_gradients_with_ops, gate_gradients, aggregation_method == 1
        )
        return walk.run(ys, _initial(grad_ys, ys, colocate_gradients_with_ops), unconnected)


def gradients_between(ys: list[Tensor], xs: list[Tensor], grad_ys: list[Tensor]) -> list[Gradient]:
    """Like `gradients`, where ys and xs live in a function's graph and the new nodes go to the default graph, which captures from it."""
    walk = _Backward(get_default_graph(), "", xs, [], False, False, False, look_through=False)
    return walk.run(ys, grad_ys, UnconnectedGradients.NONE)


def needed_inputs(op: Operation) -> list[bool]:
    """Per input of the operation whose gradient rule is running: does anyone ask for its gradient?"""
    walk = _WALKS[-1]
    return [t._op in walk.between and is_trainable(t) for t in walk.inputs(op)]


def _as_list(x: Any) -> list[Any]:
    return list(x) if isinstance(x, (list, tuple)) else [x]


def _source(x: Any, name: str) -> Any:
    """The tensor that stands for an x: a variable's handle or reference, else the tensor itself (never captured)."""
    if isinstance(x, (Tensor, IndexedSlices)):
        return x
    handle = getattr(x, "handle", None)
    if isinstance(handle, Tensor) and handle.dtype.base_dtype is dtypes.resource:
        return handle
    return convert_to_tensor(x, name=name, as_ref=True)


def _initial(grad_ys: Sequence[Any], ys: Sequence[Any], colocate: bool) -> list[Any]:
    if len(grad_ys) != len(ys):
        raise ValueError(f"Length mismatch. Passed {len(grad_ys)} grad_ys for {len(ys)} ys")
    out: list[Any] = []
    for i, (g, y) in enumerate(zip(grad_ys, ys, strict=True)):
        with _colocated(y.op, colocate):
            out.append(_default_grad(y, i) if g is None else _given_grad(g, y, i))
    return out


def _default_grad(y: Any, i: int) -> Any:
    if y.dtype.is_complex:
        raise TypeError(f"Gradients of complex tensors ({y}) must set grad_ys (y.dtype = {y.dtype!r})")
    if not (y.dtype.is_floating or y.dtype.is_integer or y.dtype.base_dtype in (dtypes.resource, dtypes.variant)):
        raise TypeError(f"Tensor {y} with type {y.dtype.name} must be numeric to obtain a default gradient")
    if y.dtype.base_dtype is dtypes.variant:
        return raw.ZerosLike(y)
    shape = _shape_of(y)
    return raw.Fill(shape, const_node(np.ones((), y.dtype.base_dtype.np), y.dtype.base_dtype, f"grad_ys_{i}"))


def _shape_of(y: Any) -> Tensor:
    y = y.values if isinstance(y, IndexedSlices) else y
    if y._shape is not None and None not in y._shape:
        return const_node(np.array(y._shape, np.int32), dtypes.int32, "Shape")
    return raw.Shape(y)  # type: ignore[no-any-return]


def _given_grad(g: Any, y: Any, i: int) -> Any:
    if not isinstance(g, IndexedSlices):
        g = (
            convert_to_tensor(g, name=f"grad_ys_{i}")
            if isinstance(g, Tensor)
            else convert_to_tensor(g, y.dtype.base_dtype, name=f"grad_ys_{i}")
        )
    if y.dtype.is_complex:
        if not g.dtype.is_complex:
            raise TypeError(
                f"Gradient type {g.dtype.name} generated for complex-valued tensor {y} with type {y.dtype.name} must be complex"
            )
    elif y.dtype.is_floating or y.dtype.is_integer:
        if not (g.dtype.is_floating or g.dtype.is_integer):
            raise TypeError(
                f"Gradient type {g.dtype.name} generated for real or integer-valued tensor {y} with type {y.dtype.name} must be real or integer"
            )
    elif y.dtype.base_dtype not in (dtypes.variant, dtypes.resource):
        raise TypeError(f"Tensor {y} with type {y.dtype.name} must be numeric to obtain a default gradient")
    if isinstance(g, IndexedSlices):
        shape = None if g.dense_shape is None else raw.Identity(g.dense_shape, name=f"grad_ys_{i}_shape")
        return IndexedSlices(
            raw.Identity(g.values, name=f"grad_ys_{i}_values"),
            raw.Identity(g.indices, name=f"grad_ys_{i}_indices"),
            shape,
        )
    if (
        isinstance(y, Tensor)
        and y.dtype.base_dtype not in (dtypes.variant, dtypes.resource)
        and merge(g._shape, y._shape) is _CONFLICT
    ):
        raise ValueError(
            f"Incompatible shapes: grad_ys[{i}] has shape {TensorShape(g._shape)}, its y {y.name} has {TensorShape(y._shape)}"
        )
    return raw.Identity(g, name=f"grad_ys_{i}")


@contextlib.contextmanager
def _colocated(op: Operation, wanted: bool) -> Any:
    if wanted and op.graph is get_default_graph():
        with op.graph.colocate_with(op):
            yield
    else:
        yield


class _Backward:
    """One backward walk. Operations are visited when every gradient that flows into their outputs has arrived."""

    def __init__(
        self, graph: Graph, scope: str, xs: list[Any], stop: list[Any], colocate: bool, gate: bool,         tree: bool,
        look_through: bool = True,
    ) -> None:  # fmt: skip
        self.graph = graph
        self.scope = scope
        self.xs = xs
        self.x_set = set(xs)
        self.stop = stop
        self.colocate = colocate
        self.gate = gate
        self.tree = tree
        self.between: set[Operation] = set()
        self.grads: dict[Operation, list[Any]] = {}
        self.outer_of: dict[Tensor, Tensor] = {}  # argument of a function being built → what it stands for
        self.functions: list[FuncGraph] = []
        g: Graph | None = graph if look_through else None
        while isinstance(g, FuncGraph):
            self.functions.append(g)
            for outer, inner in g.captures.items():
                self.outer_of.setdefault(inner, outer)
            for outer, inner in g._external:
                self.outer_of[inner] = outer
            g = g.outer_graph

    # graph relations that look through captures ------------------------------------------------------------------------
    def inputs(self, op: Operation) -> list[Tensor]:
        if not self.outer_of:
            return op._inputs
        out = []
        for t in op._inputs:
            while t not in self.x_set and t in self.outer_of:
                t = self.outer_of[t]
            out.append(t)
        return out

    def consumers(self, t: Tensor) -> list[Operation]:
        if not self.functions:
            return t._consumers
        out = list(t._consumers)
        for f in self.functions:
            inner = f.captures.get(t)
            if inner is not None and t._op.graph is not f:
                out += self.consumers(inner)
        return out

    # the walk ------------------------------------------------------------------------------------------------------------
    def run(self, ys: list[Any], grad_ys: list[Any], unconnected: str) -> list[Gradient]:
        to_ops = [y.op for y in ys]
        from_ops = [x.op for x in self.xs]
        reached = self._reached(from_ops)
        pending, between = self._pending(to_ops, reached)
        stop_ops = self._stop_ops(from_ops, pending)
        for y, g in zip(ys, grad_ys, strict=True):
            self._add(y.values if isinstance(y, IndexedSlices) else y, g)
        self.between = between
        queue: deque[Operation] = deque()
        for op in dict.fromkeys(to_ops):
            if op in between and pending[op] == 0:
                queue.append(op)
        while queue:
            op = queue.popleft()
            inputs = self.inputs(op)
            with _colocated(op, self.colocate):
                out_grads = self._aggregated(op)
                rule: Callable[..., Any] | None = None
                if op not in stop_ops and any(g is not None for g in out_grads):
                    rule = self._rule(op)
                in_grads: Sequence[Gradient] = ()
                if rule is not None:
                    in_grads = self._apply(op, rule, out_grads)
            for i, g in enumerate(in_grads):
                if g is not None:
                    self._receive(op, i, inputs[i], g)
            for t in inputs:
                o = t._op
                if o in between:
                    pending[o] -= 1
                    if pending[o] == 0:
                        queue.append(o)
        return [self._result(x, unconnected) for x in self.xs]

    def _reached(self, from_ops: list[Operation]) -> set[Operation]:
        """Operations that depend on an x through differentiable tensors."""
        reached: set[Operation] = set()
        stack = list(from_ops)
        simple = not self.functions
        while stack:
            op = stack.pop()
            if op in reached:
                continue
            reached.add(op)
            for t in op._outputs:
                if t._dtype._base in _DIFFERENTIABLE:
                    stack += t._consumers if simple else self.consumers(t)
        return reached

    def _pending(self, to_ops: list[Operation], reached: set[Operation]) -> tuple[dict[Operation, int], set[Operation]]:
        """Of the operations between xs and ys, how many uses by others in between each still waits for."""
        between: set[Operation] = set()
        ordered: list[Operation] = []
        queue = deque(to_ops)
        while queue:
            op = queue.popleft()
            if op in reached and op not in between:
                between.add(op)
                ordered.append(op)
                queue.extend(t._op for t in self.inputs(op))
        pending: dict[Operation, int] = defaultdict(int)
        for op in ordered:
            for t in self.inputs(op):
                if t._op in between:
                    pending[t._op] += 1
        return pending, between

    def _stop_ops(self, from_ops: list[Operation], pending: dict[Operation, int]) -> set[Operation]:
        """xs that lie behind no other x, and the operations of `stop_gradients`, pass nothing further back."""
        stop = {op for op in from_ops if not any(pending.get(t._op, 0) > 0 for t in self.inputs(op))}
        stop.update(s.op for s in self.stop)
        return stop

    def _rule(self, op: Operation) -> Callable[..., Any] | None:
        if not op._inputs:
            return None
        if op._gradient_function is not None:
            return op._gradient_function  # type: ignore[no-any-return]
        override = op._attrs.get("_gradient_op_type")
        op_type = op.type if override is None else override.decode()
        try:
            return registry.gradient_of(op_type)
        except LookupError:
            pass
        function = (
            op._attrs["f"]
            if op.type in _CALLS
            else self.graph._get_function(op.type) or op.graph._get_function(op.type)
        )
        if override is None and function is not None:
            from hornbeam.core.function_gradient import call_gradient

            return call_gradient(function)
        raise LookupError(
            f"No gradient defined for operation '{op.name}' (op type: {op_type}). Every operation on the way from ys to xs needs a "
            "`@tf.RegisterGradient`, or a `tf.no_gradient` that says it passes none."
        )

    def _apply(self, op: Operation, rule: Callable[..., Any], out_grads: list[Any]) -> Sequence[Gradient]:
        if len(out_grads) > 1 and op.type not in _HANDLES_NONE:
            out_grads = list(out_grads)
            for i, g in enumerate(out_grads):
                if g is None:
                    base = op._outputs[i]._dtype._base
                    if base in _DIFFERENTIABLE and base not in _NO_ZEROS:
                        out_grads[i] = raw.ZerosLike(op._outputs[i])
        with self.graph.name_scope(op.name + "_grad"):
            _WALKS.append(self)
            try:
                in_grads = rule(op, *out_grads)
            finally:
                _WALKS.pop()
            if not isinstance(in_grads, (list, tuple)):
                in_grads = [in_grads]
            if len(in_grads) != len(op._inputs):
                raise ValueError(
                    f"Num gradients {len(in_grads)} generated for op {op.name} (type {op.type}) do not match num inputs {len(op._inputs)}"
                )
            if self.gate and sum(g is not None for g in in_grads) > 1:
                with self.graph.device(None), self.graph.colocate_with(None, ignore_existing=True):
                    in_grads = tuple_(in_grads)
        return in_grads

    def _receive(self, op: Operation, i: int, t: Tensor, g: Any) -> None:
        if isinstance(g, Tensor):
            shape = t._shape
            if (
                shape is not None
                and t._dtype._base is not dtypes.resource
                and t._dtype._base is not dtypes.variant
                and g._shape != shape
            ):
                merged = merge(g._shape, shape)
                if merged is _CONFLICT:
                    raise ValueError(
                        f"Incompatible shapes between op input and calculated input gradient. Forward operation: {op.name}. Input index: {i}. "
                        f"Original input shape: {TensorShape(shape)}. Calculated input gradient shape: {TensorShape(g._shape)}"
                    )
                g._shape = merged
        elif not isinstance(g, IndexedSlices):
            g = convert_to_tensor(g, t._dtype.base_dtype)
        self._add(t, g)

    def _add(self, t: Tensor, g: Any) -> None:
        slots = self.grads.get(t._op)
        if slots is None:
            slots = self.grads[t._op] = [[] for _ in t._op._outputs]
        while len(slots) <= t.value_index:  # the operation gained outputs meanwhile (intermediates of If and While)
            slots.append([])
        slots[t.value_index].append(g)

    def _aggregated(self, op: Operation) -> list[Any]:
        slots = self.grads.get(op)
        if slots is None:
            return [None] * len(op._outputs)
        for i, g in enumerate(slots):
            slots[i] = None if not g else g[0] if len(g) == 1 else self._sum(g)
        return slots + [None] * (len(op._outputs) - len(slots))

    def _sum(self, grads: list[Any]) -> Any:
        if all(isinstance(g, IndexedSlices) for g in grads):
            return concat_slices(grads)
        tensors = [convert_to_tensor(g) if isinstance(g, IndexedSlices) else g for g in grads]
        if self.tree:
            total = tensors[0]
            for t in tensors[1:]:
                total = raw.AddN([total, t])
            return total
        by_device: dict[str, list[Tensor]] = {}
        for t in tensors:
            by_device.setdefault(t.device, []).append(t)
        sums = []
        for device in sorted(by_device):
            group = by_device[device]
            if len(group) == 1:
                sums.append(group[0])
                continue
            with self._beside(group[0].op):
                sums.append(raw.AddN(group))
        return sums[0] if len(sums) == 1 else raw.AddN(sums)

    def _beside(self, op: Operation) -> Any:
        """Sums live where their first term does; inside functions there is nothing to place."""
        if self.graph.building_function:
            return contextlib.nullcontext()
        return self.graph.colocate_with(op, ignore_existing=True)

    def _result(self, x: Any, unconnected: str) -> Gradient:
        t = x.values if isinstance(x, IndexedSlices) else x
        slots = self.grads.get(t._op)
        g = slots[t.value_index] if slots is not None and t.value_index < len(slots) else None
        if isinstance(g, list):
            g = None if not g else g[0] if len(g) == 1 else self._sum(g)
        if g is None and unconnected == UnconnectedGradients.ZERO:
            return raw.ZerosLike(t) if t.dtype.base_dtype is not dtypes.resource else _zeros_of_variable(t)
        return g


def _zeros_of_variable(handle: Tensor) -> Any:
    dtype, _ = (handle._extra or {}).get("handle", (dtypes.float32, None))
    return raw.Fill(raw.VariableShape(handle), const_node(np.zeros((), dtype.np), dtype, "zeros"))


def concat_slices(grads: list[IndexedSlices]) -> IndexedSlices:
    """The sum of sparse gradients: their rows one after the other."""
    indices = [g.indices for g in grads]
    if len({i.dtype.base_dtype for i in indices}) > 1:
        indices = [i if i.dtype.base_dtype is dtypes.int64 else raw.Cast(i, DstT=dtypes.int64) for i in indices]
    axis = np.array(0, np.int32)
    with name_scope("concat") as scope:
        values = raw.ConcatV2([g.values for g in grads], const_node(axis, dtypes.int32, "axis"), name=scope)
    with name_scope("concat") as scope:
        rows = raw.ConcatV2(indices, const_node(axis, dtypes.int32, "axis"), name=scope)
    return IndexedSlices(values, rows, grads[0].dense_shape)
