"""Gradient of While: another While that runs backwards. The forward loop keeps the values needed in TensorLists; what never changes
in the loop is passed as it is, and counters are recomputed rather than kept."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from hornbeam.core import dtypes
from hornbeam.core.constant import constant_value
from hornbeam.core.function import FuncGraph, Function, handle_extra, unique_function_name
from hornbeam.core.function_gradient import GradientGraph, _body, dense, handle_data
from hornbeam.core.functional import add_while, append_inputs, append_outputs, replace_function, unused_argument
from hornbeam.core.gradients import gradients_between, is_trainable, needed_inputs
from hornbeam.core.graph import IndexedSlices, Operation, Tensor
from hornbeam.core.registry import raw

_PASS = ("Identity", "StopGradient")
_SAME_LENGTH = ("TensorListSetItem", "TensorListScatterIntoExistingList", "Identity")  # lists like their first input


def _through(t: Tensor) -> Tensor:
    while t.op.type in _PASS and not t.op._control_inputs:
        t = t.op.inputs[0]
    return t


class _Loop:
    """A forward While node and what is known of its variables."""

    def __init__(self, op: Operation) -> None:
        self.op = op
        self.refresh()

    def refresh(self) -> None:
        op = self.op
        self.cond: Function = op._attrs["cond"]
        self.body: Function = op._attrs["body"]
        self.graph: FuncGraph = _body(self.body)
        self.index = {t: k for k, t in enumerate(self.body.inputs)}
        self.invariant = [_through(o) is i for i, o in zip(self.body.inputs, self.body.outputs, strict=True)]

    def counts(self, k: int) -> int | None:
        """The start of variable k if it is an integer that starts from a known value and grows by one a turn."""
        i, o = self.body.inputs[k], _through(self.body.outputs[k])
        if not i.dtype.is_integer or o.op.type not in ("Add", "AddV2"):
            return None
        a, b = (_through(t) for t in o.op.inputs)
        step = constant_value(b) if a is i else constant_value(a) if b is i else None
        start = constant_value(self.op.inputs[k])
        if (
            step is None
            or start is None
            or step.size != 1
            or start.size != 1
            or int(step.reshape(-1)[0]) != 1
            or start.ndim
        ):
            return None
        return int(start)

    def counter(self) -> int:
        """The variable that counts the turns from 0, added to the loop if it has none."""
        for k, t in enumerate(self.body.inputs):
            if t.dtype.base_dtype is dtypes.int32 and self.counts(k) == 0:
                return k
        with self.op.graph.as_default(), self.op.graph.control_dependencies(None), self.op.graph.name_scope(None):
            start = raw.Identity(np.int32(0), name=self.op.name + "/loop_counter").op.inputs[0]
        with self.graph.as_default():
            arg = self.graph.add_argument(dtypes.int32, (), "loop_counter")
            self.graph.inputs.pop()
            new = raw.AddV2(arg, np.int32(1), name="loop_counter_next")
        self.extend([(start, arg, new)])
        return len(self.op.inputs) - 1

    def extend(self, variables: Sequence[tuple[Tensor, Tensor, Tensor]]) -> None:
        """Adds loop variables: (start, argument of the body, value after a turn) each."""
        op = self.op
        cond_graph = _body(self.cond)
        cond_args = [unused_argument(cond_graph, a) for _, a, _ in variables]
        body_args = [a for _, a, _ in variables]
        self.graph.inputs += body_args
        cond_graph.inputs += cond_args
        body_outputs = [*self.body.outputs, *(new for _, _, new in variables)]
        self.graph.outputs = body_outputs
        op._attrs["cond"] = replace_function(self.cond, [*self.cond.inputs, *cond_args], self.cond.outputs)
        op._attrs["body"] = replace_function(self.body, [*self.body.inputs, *body_args], body_outputs)
        append_inputs(op, [start for start, _, _ in variables])
        append_outputs(op, body_args)
        self.refresh()

    def distinct(self, t: Tensor) -> bool:
        """Is an index another one every turn: a counter, plus or minus something that stays?"""
        t = _through(t)
        k = self.index.get(t)
        if k is not None:
            return self.counts(k) is not None
        if t.op.type in ("Add", "AddV2", "Sub"):
            a, b = t.op.inputs
            return self.distinct(a) and self.stays(b) or self.stays(a) and self.distinct(b)
        return False

    def stays(self, t: Tensor) -> bool:
        t = _through(t)
        k = self.index.get(t)
        if k is not None:
            return self.invariant[k]
        return (
            constant_value(t) is not None
            or t.op.type in ("Add", "AddV2", "Sub")
            and all(self.stays(i) for i in t.op.inputs)
        )

    def written_once(self, k: int) -> Operation | None:
        """The one operation that uses list variable k, if it writes another element every turn."""
        argument = self.body.inputs[k]
        if argument.dtype.base_dtype is not dtypes.variant or self.op.inputs[k].op.type != "TensorListReserve":
            return None
        write = _through(self.body.outputs[k]).op
        if write.type != "TensorListSetItem" or write.inputs[0] is not argument or len(argument._consumers) != 1:
            return None
        return (
            write
            if self.distinct(write.inputs[1]) and write.outputs[0]._consumers in ([], [self.body.outputs[k].op])
            else None
        )

    def only_read(self, k: int) -> list[Operation] | None:
        """The operations that read elements of a list which the loop only reads."""
        argument = self.body.inputs[k]
        if (
            argument.dtype.base_dtype is not dtypes.variant
            or not self.invariant[k]
            or self.body.outputs[k] is not argument
        ):
            return None
        reads = list(dict.fromkeys(argument._consumers))
        return reads if all(r.type == "TensorListGetItem" for r in reads) else None

    def depends(self, k: int) -> set[int]:
        """Variables whose value after a turn depends differentiably on variable k before it."""
        reached: set[Operation] = set()
        stack = [self.body.inputs[k].op]
        while stack:
            op = stack.pop()
            if op not in reached:
                reached.add(op)
                for t in op.outputs:
                    if is_trainable(t):
                        stack += t._consumers
        return {j for j, o in enumerate(self.body.outputs) if is_trainable(o) and o.op in reached}


class _BackwardBody(GradientGraph):
    """The body of the backward loop. Argument 0 counts its turns, 2 is the number of forward turns."""

    def __init__(self, loop: _Loop) -> None:
        super().__init__(f"{loop.body.name.split('_rewritten')[0]}_grad", loop.graph)
        self.loop = loop
        self.passed: list[tuple[Tensor, Tensor]] = []  # (tensor around the loop, argument): the same in every turn
        self.kept: list[
            tuple[Tensor, Tensor, Tensor]
        ] = []  # (body tensor, list argument, list after taking the last element)
        self._last_turn: Tensor | None = None

    def turn(self) -> Tensor:
        """Number of the forward turn that this backward turn undoes."""
        if self._last_turn is None:
            one = np.int32(1)
            self._last_turn = self._at_root(
                lambda: raw.Sub(raw.Sub(self.inputs[2], one, name="turns"), self.inputs[0], name="turn")
            )
        return self._last_turn

    def pass_unchanged(self, outer: Tensor) -> Tensor:
        inner = self._at_root(lambda: self.add_argument(outer.dtype, outer._shape, outer.op.name.split("/")[-1]))
        inner._extra = handle_extra(outer)
        self.passed.append((outer, inner))
        return inner

    def capture_forward(self, tensor: Tensor) -> Tensor:
        loop = self.loop
        k = loop.index.get(tensor)
        if k is None and tensor.op.type == "Identity" and not tensor.op._control_inputs:
            k = loop.index.get(_through(tensor))
        if k is not None and loop.invariant[k]:
            return self.pass_unchanged(loop.op.inputs[k])
        if k is not None and (start := loop.counts(k)) is not None:
            return self._at_root(lambda: self._count(start, tensor))
        if tensor.dtype.base_dtype is dtypes.resource:
            source = tensor
            while source.op.inputs and source not in loop.index:
                source = source.op.inputs[0]
            return self.capture(source)
        if tensor.dtype.base_dtype is dtypes.variant:
            found = self._list_like(tensor)
            if found is not None:
                return found
        return self._at_root(lambda: self._keep(tensor))

    def _count(self, start: int, like: Tensor) -> Tensor:
        turn = self.turn()
        if like.dtype.base_dtype is not dtypes.int32:
            turn = raw.Cast(turn, DstT=like.dtype.base_dtype)
        return turn if start == 0 else raw.AddV2(turn, np.asarray(start, like.dtype.base_dtype.np))  # type: ignore[no-any-return]

    def _list_like(self, tensor: Tensor) -> Tensor | None:
        """A list that stands in for a forward one where only its length and element shape are asked for: what it started from."""
        loop = self.loop
        seen = 0
        while seen < 10000:
            seen += 1
            k = loop.index.get(tensor)
            op = tensor.op
            if k is not None:
                last = loop.body.outputs[k]
                if loop.invariant[k] or _origin(last) is tensor:
                    return self.pass_unchanged(loop.op.inputs[k])
                return None
            if op.type in _SAME_LENGTH:
                tensor = op.inputs[0]
            elif (
                op.type.endswith("While")
                and _origin(op._attrs["body"].outputs[tensor.value_index])
                is op._attrs["body"].inputs[tensor.value_index]
            ):
                tensor = op.inputs[tensor.value_index]
            elif op.type == "TensorListReserve":
                return raw.TensorListReserve(op.inputs[0], op.inputs[1], element_dtype=op._attrs["element_dtype"])  # type: ignore[no-any-return]
            else:
                return None
        return None

    def _keep(self, tensor: Tensor) -> Tensor:
        """`tensor` of every turn, kept by the forward loop in a list and taken from its end here."""
        arg = self.add_argument(dtypes.variant, (), "kept")
        shape = (
            np.array([-1 if d is None else d for d in tensor._shape], np.int32)
            if tensor._shape is not None
            else np.array(-1, np.int32)
        )
        if tensor.dtype.base_dtype is dtypes.variant:
            shape = np.zeros([0], np.int32)
        rest, item = raw.TensorListPopBack(arg, shape, element_dtype=tensor.dtype.base_dtype)
        item._shape = tensor._shape
        item._extra = tensor._extra
        self.kept.append((tensor, arg, rest))
        return item  # type: ignore[no-any-return]


def _origin(t: Tensor) -> Tensor:
    while True:
        if t.op.type in _SAME_LENGTH:
            t = t.op.inputs[0]
        elif t.op.type.endswith("While") and t.dtype.base_dtype is dtypes.variant:
            body = t.op._attrs["body"]
            if _origin(body.outputs[t.value_index]) is not body.inputs[t.value_index]:
                return t
            t = t.op.inputs[t.value_index]
        else:
            return t


def while_gradient(op: Operation, *grads: Any) -> list[Any]:
    """Gradient of While. Only variables that lie between what is asked for and what has a gradient take part."""
    needed = needed_inputs(op)
    nothing: list[Any] = [None] * len(op.inputs)
    loop = _Loop(op)
    counter = loop.counter()
    active = _active(loop, needed, grads)
    if not active:
        return nothing + [None] * (len(op.inputs) - len(nothing))
    graph = _BackwardBody(loop)
    writes = {k: w for k in active if grads[k] is not None and (w := loop.written_once(k)) is not None}
    active = [k for k in active if k not in writes]
    reads = {k: r for k in active if (r := loop.only_read(k)) is not None}
    given = [_start(op, k, grads[k]) for k in active]
    with graph.as_default():
        turn, limit, total = (
            graph.add_argument(dtypes.int32, (), n) for n in ("grad_counter", "maximum_iterations", "total")
        )
        args = [graph.add_argument(g.dtype, g._shape, f"grad_{k}") for g, k in zip(given, active, strict=True)]
        carried = [(k, a) for k, a in zip(active, args, strict=True) if k not in reads]
        # what the loop passes on unchanged collects its gradient by adding each turn's to the carried sum
        sums = {k for k, _ in carried if loop.body.outputs[k] is loop.body.inputs[k]}
        ys, dys = [loop.body.outputs[k] for k, _ in carried if k not in sums], [a for k, a in carried if k not in sums]
        for (
            k,
            write,
        ) in writes.items():  # what a turn wrote is at its place in the gradient list, which need not be carried
            ys.append(write.inputs[2])
            dys.append(_element(graph.pass_unchanged(grads[k]), write.inputs[1], write.inputs[2]))
        xs = [loop.body.inputs[k] for k, _ in carried]
        elements = [r.outputs[0] for rs in reads.values() for r in rs]
        found = gradients_between(ys, xs + elements, dys)
        by_variable = dict(zip((k for k, _ in carried), found, strict=False))
        by_element = dict(zip(elements, found[len(xs) :], strict=True))
        outputs = [raw.AddV2(turn, np.int32(1)), limit, total]
        for k, a in zip(active, args, strict=True):
            if k in reads:
                fresh = grads[k] is None and len(reads[k]) == 1 and loop.distinct(reads[k][0].inputs[1])
                outputs.append(_with_elements(a, reads[k], by_element, fresh))
                continue
            g = by_variable[k]
            if k in sums:
                outputs.append(_added(a, g))
                continue
            outputs.append(raw.Identity(raw.ZerosLike(a) if g is None else dense(g)))
            outputs[-1]._shape = a._shape
    known = op._extra["kept"] if op._extra and "kept" in op._extra else {}
    unkept = [t for t, _, _ in graph.kept if t not in known]
    if unkept:
        _keep_in_forward_loop(loop, unkept, known)
    sources: dict[Tensor, tuple[Tensor, Tensor]] = {arg: (op.outputs[known[t]], rest) for t, arg, rest in graph.kept}
    sources |= {arg: (outer, arg) for outer, arg in [*graph.passed, *graph.from_outside]}
    start = 3 + len(active)
    inputs = [raw.Identity(np.int32(0), name="grad_counter").op.inputs[0], _limit(op), op.outputs[counter], *given]
    for arg in graph.inputs[start:]:
        outer, after = sources[arg]
        inputs.append(outer)
        outputs.append(after)
    graph.outputs = outputs
    cond = FuncGraph(
        unique_function_name(loop.graph, f"{loop.cond.name.split('_rewritten')[0]}_grad"), loop.graph.outer_graph
    )
    with cond.as_default():
        cargs = [cond.add_argument(t.dtype, t._shape, f"arg_{i}") for i, t in enumerate(graph.inputs)]
        cond.outputs = [raw.Less(cargs[0], cargs[2])]
    shapes = [t._shape for t in graph.inputs]
    node = add_while(cond, graph, inputs, shapes, "while_grad", op._attrs.get("parallel_iterations", 10))
    node._attrs["_num_original_outputs"] = len(inputs)
    result: list[Any] = [None] * len(op.inputs)
    for i, k in enumerate(active):
        result[k] = raw.Identity(node.outputs[3 + i])
    return result


def _element(array: Tensor, index: Tensor, like: Tensor) -> Tensor:
    shape = np.array(-1 if like._shape is None else [-1 if d is None else d for d in like._shape], np.int32)
    if like._shape is None or None in like._shape:
        shape = raw.Shape(like)  # type: ignore[assignment]
    item: Tensor = raw.TensorListGetItem(array, index, shape, element_dtype=like.dtype.base_dtype)
    item._shape = like._shape
    return item


def _with_elements(array: Tensor, reads: Sequence[Operation], grads: dict[Tensor, Any], fresh: bool) -> Tensor:
    """The gradient list with a turn's elements added in place; `fresh`: nothing can be there yet."""
    for r in reads:
        g = grads[r.outputs[0]]
        if g is None:
            continue
        index, item = r.inputs[1], dense(g)
        if not fresh:
            item = raw.AddV2(_element(array, index, item), item)
        array = raw.TensorListSetItem(array, index, item)
    return array


def _added(total: Tensor, g: Any) -> Tensor:
    """`total` plus a turn's gradient; rows of a sparse one are added in place."""
    if g is None:
        return total
    if isinstance(g, IndexedSlices):
        at = raw.ExpandDims(g.indices, np.int32(-1))
        return raw.TensorScatterAdd(total, at, g.values)  # type: ignore[no-any-return]
    out: Tensor = raw.AddV2(total, g)
    out._shape = total._shape
    return out


def _active(loop: _Loop, needed: Sequence[bool], grads: Sequence[Any]) -> list[int]:
    n = len(needed)
    trainable = [k for k in range(n) if is_trainable(loop.body.inputs[k]) and is_trainable(loop.body.outputs[k])]
    depends = {k: loop.depends(k) for k in trainable}
    reached = _closure({k for k in trainable if needed[k]}, depends)
    backwards: dict[int, set[int]] = {k: set() for k in trainable}
    for k, after in depends.items():
        for j in after:
            if j in backwards:
                backwards[j].add(k)
    wanted = _closure({k for k in trainable if grads[k] is not None}, backwards)
    return sorted(reached & wanted)


def _closure(start: set[int], edges: dict[int, set[int]]) -> set[int]:
    seen: set[int] = set()
    stack = list(start)
    while stack:
        k = stack.pop()
        if k not in seen and k in edges:
            seen.add(k)
            stack += edges[k]
    return seen


def _start(op: Operation, k: int, grad: Any) -> Tensor:
    """The gradient of variable k after the last turn."""
    if grad is not None:
        return dense(grad)
    t = op.outputs[k]
    if op.inputs[k].dtype.base_dtype is dtypes.resource:
        shape, dtype = handle_data(op.inputs[k])
        at: Any = (
            np.array(shape, np.int32) if shape is not None and None not in shape else raw.VariableShape(op.inputs[k])
        )
        return raw.Fill(at, np.zeros((), dtype.np), name="zeros")  # type: ignore[no-any-return]
    if t._shape is not None and None not in t._shape and t.dtype.base_dtype is not dtypes.variant:
        return raw.Fill(np.array(t._shape, np.int32), np.zeros((), t.dtype.base_dtype.np), name="zeros")  # type: ignore[no-any-return]
    return raw.ZerosLike(op.inputs[k] if _is_passed(op, k) else t)  # type: ignore[no-any-return]


def _is_passed(op: Operation, k: int) -> bool:
    body = op._attrs["body"]
    return _through(body.outputs[k]) is body.inputs[k]


def _limit(op: Operation) -> Tensor:
    """The loop's maximum_iterations where it has TensorFlow's layout (counter, maximum, variables …), else -1 (none)."""
    if (
        len(op.inputs) > 1
        and op.inputs[1].dtype.base_dtype is dtypes.int32
        and _is_passed(op, 1)
        and op.inputs[1]._shape == ()
        and op.inputs[1].op.name.endswith("maximum_iterations")
    ):
        return op.inputs[1]
    return raw.Identity(np.int32(-1), name="maximum_iterations").op.inputs[0]  # type: ignore[no-any-return]


def _keep_in_forward_loop(loop: _Loop, tensors: Sequence[Tensor], known: dict[Tensor, int]) -> None:
    """Adds one list variable per tensor to the forward loop and notes where it comes out."""
    op = loop.op
    variables = []
    for t in tensors:
        shape = (
            np.array([-1 if d is None else d for d in t._shape], np.int32)
            if t._shape is not None
            else np.array(-1, np.int32)
        )
        if t.dtype.base_dtype is dtypes.variant:
            shape = np.zeros([0], np.int32)
        with op.graph.as_default(), op.graph.control_dependencies(None), op.graph.name_scope(None):
            start = raw.EmptyTensorList(
                shape, _limit_in(op), element_dtype=t.dtype.base_dtype, name=f"{op.name}/{t.op.name.split('/')[-1]}_{t.value_index}/accumulator"
            )  # fmt: skip
        with loop.graph.as_default(), loop.graph.control_dependencies(None), loop.graph.name_scope(None):
            arg = loop.graph.add_argument(dtypes.variant, (), "accumulator")
            loop.graph.inputs.pop()
            new = raw.TensorListPushBack(arg, t)
        variables.append((start, arg, new))
    first = len(op.inputs)
    loop.extend(variables)
    for i, t in enumerate(tensors):
        known[t] = first + i
    if op._extra is None:
        op._extra = {}
    op._extra["kept"] = known


def _limit_in(op: Operation) -> Any:
    if len(op.inputs) > 1 and op.inputs[1].op.name.endswith("maximum_iterations") and op.inputs[1]._shape == ():
        return op.inputs[1]
    return np.int32(-1)
