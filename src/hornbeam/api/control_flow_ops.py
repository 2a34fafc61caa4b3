"""`tf.cond`, `tf.case`, `tf.switch_case`, `tf.while_loop`, `tf.group`, `tf.tuple`, `tf.Assert`: control flow as functional If, Case and While."""

from __future__ import annotations

import collections
import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from hornbeam.api import _composite, nest
from hornbeam.core import control, dtypes, errors
from hornbeam.core.constant import const_node, constant_value
from hornbeam.core.function import FuncGraph, unique_function_name
from hornbeam.core.functional import add_branches, add_while, match_captures, root_of
from hornbeam.core.graph import (
    GraphKeys,
    IndexedSlices,
    Operation,
    Tensor,
    convert_to_tensor,
    get_default_graph,
    name_scope,
)
from hornbeam.core.registry import raw
from hornbeam.core.tensor_shape import Shape, TensorShape, to_tuple


# --- cond -----------------------------------------------------------------------------------------------------------------
def cond(
    pred: Any,
    true_fn: Callable[[], Any] | None = None,
    false_fn: Callable[[], Any] | None = None,
    strict: bool = False,
    name: str | None = None,
    fn1: Callable[[], Any] | None = None,
    fn2: Callable[[], Any] | None = None,
) -> Any:
    """The results of `true_fn()` if the scalar `pred` is true, else of `false_fn()`; both give the same structure and dtypes.

    A list of one result comes back as that result unless `strict`. Raises TypeError for a Python bool as `pred` and for results
    that do not match.
    """
    true_fn = _one_of(true_fn, fn1, "true_fn", "fn1")
    false_fn = _one_of(false_fn, fn2, "false_fn", "fn2")
    if not callable(true_fn):
        raise TypeError("true_fn must be callable.")
    if not callable(false_fn):
        raise TypeError("false_fn must be callable.")
    if isinstance(pred, bool):
        raise TypeError("pred must not be a Python bool")
    with name_scope(name, "cond", [pred]) as scope:
        pred = convert_to_tensor(pred, name="pred")
        branches = [_Branch("cond_true", true_fn, pred, "true_fn"), _Branch("cond_false", false_fn, pred, "false_fn")]
        _check_same_results(branches)
        return _select("If", pred, branches, scope, strict)


def _one_of(new: Any, old: Any, new_name: str, old_name: str) -> Any:
    if old is not None:
        if new is not None:
            raise TypeError(f"cond(): '{new_name}' and '{old_name}' may not be set simultaneously.")
        return old
    return new


class _Branch:
    """A traced branch: its graph and the structure of what it returned."""

    def __init__(self, prefix: str, fn: Callable[[], Any], pred: Tensor, label: str) -> None:
        outer = get_default_graph()
        self.label = label
        self.graph = FuncGraph(unique_function_name(outer, prefix), outer)
        self.graph._extra["branch"] = True
        summaries = outer.get_collection_ref(GraphKeys.SUMMARIES)
        before = len(summaries)
        with self.graph.as_default():
            result = fn()
            if result is None:
                raise ValueError(f"{label} must have a return value.")
            inside = [s for s in summaries[before:] if getattr(s, "graph", None) is self.graph]
            if inside:  # summaries of a branch run with it; merging them outside is not possible
                summaries[:] = [s for s in summaries if not any(s is i for i in inside)]
            with self.graph.control_dependencies(inside):
                self.result = nest.map_structure(lambda v: self._leaf(v, bool(inside)), result)
            self.graph.outputs = [self._own(t) for t in _composite.expand(self.result)]

    def _leaf(self, v: Any, identity: bool) -> Any:
        if isinstance(v, Operation):  # an operation's result is that it has run
            with self.graph.control_dependencies([v]):
                return raw.Identity(np.array(True))
        v = v if _composite.is_composite(v) else convert_to_tensor(v)
        return _composite.rebuild(v, [raw.Identity(t) for t in _composite.parts(v)]) if identity else v

    def _own(self, t: Any) -> Tensor:
        t = convert_to_tensor(t)
        if t.graph is not self.graph:
            t = self.graph.capture(t)
        if t.dtype._is_ref_dtype:  # the value now, not the variable
            t = raw.Identity(t)
        return t


def _check_same_results(branches: Sequence[_Branch]) -> None:
    first = branches[0]
    for other in branches[1:]:
        try:
            nest.assert_same_structure(first.result, other.result)
        except (ValueError, TypeError) as e:
            raise TypeError(f"Incompatible return types of {first.label} and {other.label}: {e}") from None
        for a, b in zip(nest.flatten(first.result), nest.flatten(other.result), strict=True):
            if _composite.is_composite(a) != _composite.is_composite(b) or len(_composite.parts(a)) != len(
                _composite.parts(b)
            ):
                raise TypeError(f"Incompatible return types of {first.label} and {other.label}: {a} and {b}")
            if a.dtype.base_dtype is not b.dtype.base_dtype:
                raise ValueError(
                    f"Outputs of {first.label} and {other.label} must have the same type: {a.dtype.base_dtype.name}, {b.dtype.base_dtype.name}"
                )


def _select(kind: str, selector: Tensor, branches: Sequence[_Branch], scope: str, strict: bool) -> Any:
    graphs = [b.graph for b in branches]
    inputs = match_captures(graphs)
    shapes = [_common(shapes) for shapes in zip(*([t._shape for t in g.outputs] for g in graphs), strict=True)]
    op = add_branches(kind, selector, graphs, inputs, shapes, scope)
    outputs = [raw.Identity(t, name="Merge") if t.dtype.base_dtype is not dtypes.resource else t for t in op.outputs]
    for t, g in zip(outputs, graphs[0].outputs, strict=True):
        t._extra = g._extra
    result = _composite.pack(branches[0].result, outputs)
    if not strict and isinstance(result, (list, tuple)) and len(result) == 1 and not hasattr(result, "_fields"):
        return result[0]
    return result


def _common(shapes: Sequence[Shape]) -> Shape:
    first = shapes[0]
    if first is None or any(s is None or len(s) != len(first) for s in shapes):
        return None
    return tuple(d[0] if all(x == d[0] for x in d) else None for d in zip(*shapes, strict=True))  # type: ignore[arg-type]


# --- case, switch_case ----------------------------------------------------------------------------------------------------------
def switch_case(
    branch_index: Any, branch_fns: Any, default: Callable[[], Any] | None = None, name: str = "switch_case"
) -> Any:
    """The results of `branch_fns[branch_index]()`; an index without a function takes `default` (the last one if None)."""
    if (
        isinstance(branch_index, (bool, np.bool_))
        or not isinstance(branch_index, (Tensor, int, np.integer))
        and not hasattr(branch_index, "dtype")
    ):
        raise TypeError(f"branch_index must be an int32 tensor, got {branch_index!r}")
    pairs = list(branch_fns.items()) if isinstance(branch_fns, dict) else list(branch_fns)
    if not pairs:
        raise ValueError("branch_fns must be a non-empty sequence of callables")
    if all(callable(p) for p in pairs):
        pairs = list(enumerate(pairs))
    for p in pairs:
        if not isinstance(p, tuple) or len(p) != 2 or not isinstance(p[0], (int, np.integer)) or not callable(p[1]):
            raise TypeError(f"branch_fns must be functions or (int, function) pairs, got {p!r}")
    table = {int(k): f for k, f in pairs}
    if len(table) != len(pairs):
        raise ValueError(f"Branch keys must be unique: {sorted(k for k, _ in pairs)}")
    if min(table) < 0:
        raise ValueError(f"Branch keys must not be negative: {sorted(table)}")
    if default is None:
        default = table[max(table)]
    with name_scope(name, "switch_case", [branch_index]) as scope:
        n = max(table) + 1
        if n > 4 * len(table) + 16:  # sparse keys: number the given ones, the rest go to the default
            keys = sorted(table)
            index = _position_of(convert_to_tensor(branch_index, name="branch_index"), keys)
            functions = [table[k] for k in keys]
        else:
            index = convert_to_tensor(branch_index, name="branch_index")
            functions = [table.get(k, default) for k in range(n)]
        functions.append(default)
        if index.dtype.base_dtype is not dtypes.int32:
            index = raw.Cast(index, DstT=dtypes.int32)
        branches = [_Branch(f"switch_case_branch{i}", f, index, f"branch_fns[{i}]") for i, f in enumerate(functions)]
        _check_same_results(branches)
        return _select("Case", index, branches, scope, strict=False)


def _position_of(index: Tensor, keys: list[int]) -> Tensor:
    hits = raw.Equal(raw.ExpandDims(raw.Cast(index, DstT=dtypes.int32), np.int32(0)), np.array(keys, np.int32))
    extended = raw.ConcatV2([hits, np.array([True])], np.int32(0))
    return raw.ArgMax(raw.Cast(extended, DstT=dtypes.int32), np.int32(0), output_type=dtypes.int32)  # type: ignore[no-any-return]


def case(
    pred_fn_pairs: Any,
    default: Callable[[], Any] | None = None,
    exclusive: bool = False,
    strict: bool = False,
    name: str = "case",
) -> Any:
    """The results of the first function whose predicate is true, of `default` if none is.

    With `exclusive`, more than one true predicate is an InvalidArgumentError; so is none without a default.
    """
    if isinstance(pred_fn_pairs, dict):
        pairs = list(pred_fn_pairs.items())
        if not isinstance(pred_fn_pairs, collections.OrderedDict):
            pairs.sort(key=lambda p: getattr(_tensor_of(p[0]), "name", ""))
        pairs = [(_tensor_of(p), f) for p, f in pairs]
    else:
        if not isinstance(pred_fn_pairs, (list, tuple)):
            raise TypeError("pred_fn_pairs must be a list, tuple, or dict")
        pairs = list(pred_fn_pairs)
    for p in pairs:
        if not isinstance(p, tuple) or len(p) != 2:
            raise TypeError("Each entry in pred_fn_pairs must be a 2-tuple")
        if isinstance(p[0], bool) or getattr(p[0], "dtype", dtypes.bool) != dtypes.bool:
            raise TypeError(f"pred must be of type bool: {getattr(p[0], 'name', p[0])}")
        if not callable(p[1]):
            raise TypeError(f"fn for pred {getattr(p[0], 'name', p[0])} must be callable.")
    if default is not None and not callable(default):
        raise TypeError("default must be callable.")
    preds = [p for p, _ in pairs]
    with name_scope(name, "case", [preds]):
        if not pairs:
            return default()  # type: ignore[misc]
        if default is None:
            default, pairs = _last_must_hold(pairs)
        if not pairs:
            return default()
        fn: Callable[[], Any] = default
        chain = functools.partial(cond, strict=strict, name="cond")
        for pred, f in reversed(pairs):
            fn = functools.partial(chain, pred, true_fn=f, false_fn=fn)
        if not exclusive:
            return fn()
        with control_dependencies([_at_most_one(preds, name)]):
            return fn()


def _tensor_of(p: Any) -> Any:
    return p.deref() if hasattr(p, "deref") else p


def _last_must_hold(pairs: list[Any]) -> tuple[Callable[[], Any], list[Any]]:
    preds = [p for p, _ in pairs]
    last, f = pairs[-1]

    def default() -> Any:
        message = f"None of conditions evaluated as True. Conditions: ({', '.join(p.name for p in preds)}), Values:"
        with control_dependencies([Assert(_any(preds), [message, raw.Pack(preds)], name="none_true")]):
            return f()

    return default, pairs[:-1]


def _any(preds: Sequence[Tensor]) -> Tensor:
    return raw.Any(raw.Pack(preds), np.array([0], np.int32))  # type: ignore[no-any-return]


def _at_most_one(preds: Sequence[Tensor], name: str) -> Any:
    stacked = raw.Pack(list(preds), name="preds_c")
    count = raw.Sum(raw.Cast(stacked, DstT=dtypes.int32), np.array([0], np.int32), name="num_true_conds")
    message = f"More than one condition evaluated as True but exclusive=True. Conditions: ({', '.join(p.name for p in preds)}), Values:"
    return Assert(raw.Less(count, np.int32(2)), [message, stacked], summarize=len(preds))


# --- while_loop -------------------------------------------------------------------------------------------------------------------
def while_loop(
    cond: Callable[..., Any],
    body: Callable[..., Any],
    loop_vars: Any,
    shape_invariants: Any = None,
    parallel_iterations: int = 10,
    back_prop: bool = True,
    swap_memory: bool = False,
    name: str | None = None,
    maximum_iterations: Any = None,
    return_same_structure: bool = False,
) -> Any:
    """Repeats `body(*loop_vars)` while `cond(*loop_vars)` holds, at most `maximum_iterations` times; returns the last values.

    A shape that changes from turn to turn must be declared in `shape_invariants`. `swap_memory` changes nothing: buffers stay where
    XLA puts them. A single loop variable comes back alone unless `return_same_structure`.
    """
    del swap_memory
    if not callable(cond):
        raise TypeError("'cond' must be callable.")
    if not callable(body):
        raise TypeError("'body' must be callable.")
    if not isinstance(parallel_iterations, (int, np.integer)) or parallel_iterations < 1:
        raise TypeError("'parallel_iterations' must be a positive integer.")
    if isinstance(loop_vars, (list, tuple)) and not loop_vars or loop_vars is None:
        raise ValueError("'loop_vars' must be a non-empty structure: No loop variables provided")
    packed = loop_vars
    single = not isinstance(loop_vars, (list, tuple))
    args = [loop_vars] if single else loop_vars
    with name_scope(name, "while", nest.flatten(loop_vars)) as scope:
        args = _composite.as_tensors(args, "")
        args = nest.pack_sequence_as(args, [_value(v) for v in nest.flatten(args)])
        flat = _composite.expand(args)
        invariants = _invariants(args, flat, shape_invariants, single)
        limit = _limit(maximum_iterations)
        counter = const_node(np.array(0, np.int32), dtypes.int32, "loop_counter")
        op, structure = _build_while(
            cond,
            body,
            args,
            flat,
            invariants,
            counter,
            limit,
            maximum_iterations is not None,
            scope,
            parallel_iterations,
        )
        if not back_prop:
            op._gradient_function = lambda o, *_: [None] * len(o.inputs)
        if maximum_iterations is not None:  # TensorFlow 1 lets its own counter out first, which shifts the names
            raw.Identity(op.outputs[0], name="Exit")
        results = []
        for like, t, s in zip(flat, op.outputs[2 : 2 + len(flat)], invariants, strict=True):
            out = raw.Identity(t, name="Exit") if t.dtype.base_dtype is not dtypes.resource else t
            out._shape = s
            out._extra = like._extra
            results.append(out)
        result = nest.pack_sequence_as(structure, nest.flatten(_composite.pack(args, results)))
    if single:
        return result[0]
    if return_same_structure:
        return result
    return result[0] if len(packed) == 1 else result


def _value(v: Any) -> Any:
    return raw.Identity(v) if isinstance(v, Tensor) and v.dtype._is_ref_dtype else v


def _limit(maximum: Any) -> Tensor:
    if maximum is None:
        return const_node(np.array(-1, np.int32), dtypes.int32, "maximum_iterations")
    t = convert_to_tensor(maximum, name="maximum_iterations")
    if t._shape not in (None, ()):
        raise ValueError(f"maximum_iterations must be a scalar, saw shape: {TensorShape(t._shape)}")
    return t if t.dtype.base_dtype is dtypes.int32 else raw.Cast(t, DstT=dtypes.int32, name="maximum_iterations")


def _invariants(args: Any, flat: list[Tensor], given: Any, single: bool) -> list[Shape]:
    if given is None:
        return [t._shape for t in flat]
    if single:
        given = [given]
    leaves = nest.flatten(args)
    try:
        shapes = nest.flatten_up_to(args, given, check_types=False)
    except (ValueError, TypeError):
        shapes = nest.flatten(given)
        if len(shapes) != len(leaves):
            raise
    out: list[Shape] = []
    for leaf, s in zip(leaves, shapes, strict=True):
        s = None if s is None else to_tuple(getattr(s, "shape", s) if not isinstance(s, TensorShape) else s)
        if isinstance(leaf, Tensor):
            if leaf._shape is not None and not _less_specific(leaf._shape, s):
                raise ValueError(
                    f"The shape invariant specified for {leaf.name} is not compatible with the initial shape of the loop variable. It enters the loop "
                    f"with shape {TensorShape(leaf._shape)}, but the specified shape invariant is {TensorShape(s)}."
                )
            out.append(s)
        elif isinstance(leaf, IndexedSlices):
            rest = None if s is None else (None, *s[1:])
            out += [rest, (None,)] + ([] if leaf.dense_shape is None else [None if s is None else (len(s),)])
        elif _composite.is_sparse(leaf):
            rank = None if s is None else len(s) if s != (None,) or leaf.dense_shape._shape in (None, (1,)) else s[0]
            out += [(None, rank), (None,), (rank,)]
        else:
            out += [t._shape for t in _composite.parts(leaf)]
    return out


def _less_specific(shape: Shape, invariant: Shape) -> bool:
    """Is `invariant` the same as `shape` or wider?"""
    if invariant is None:
        return True
    if shape is None or len(shape) != len(invariant):
        return False
    return all(i is None or i == d for d, i in zip(shape, invariant, strict=True))


def _build_while(
    cond: Any, body: Any, args: Any, flat: list[Tensor], invariants: list[Shape], counter: Tensor, limit: Tensor, limited: bool, scope: str, parallel: int
) -> tuple[Operation, Any]:  # fmt: skip
    """The While node, and the structure that the body returned."""
    outer = get_default_graph()
    base = scope.rstrip("/").split("/")[-1] or "while"
    names = ["loop_counter", "maximum_iterations", *(f"placeholder_{i}" for i in range(len(flat)))]
    types = [dtypes.int32, dtypes.int32, *(t.dtype.base_dtype for t in flat)]
    shapes: list[Shape] = [(), (), *invariants]

    def arguments(g: FuncGraph) -> list[Tensor]:
        made = [g.add_argument(t, s, n) for t, s, n in zip(types, shapes, names, strict=True)]
        for m, t in zip(made[2:], flat, strict=True):
            m._extra = t._extra
        return made

    condition = FuncGraph(unique_function_name(outer, f"{base}_cond"), outer)
    with condition.as_default():
        given = arguments(condition)
        go = (
            cond(*_composite.pack(args, given[2:]))
            if not isinstance(args, dict)
            else cond(_composite.pack(args, given[2:]))
        )
        if isinstance(go, (list, tuple)):
            (go,) = go
        go = convert_to_tensor(go, name="cond")
        if go.dtype.base_dtype is not dtypes.bool:
            raise TypeError(f"cond must return a boolean scalar tensor, but returned {go!r}")
        if go._shape not in (None, ()):
            if all(d == 1 for d in go._shape):
                go = raw.Reshape(go, np.zeros([0], np.int32))
            else:
                raise ValueError(
                    f"cond must return a boolean scalar tensor, but returned shape {TensorShape(go._shape)}"
                )
        if limited:
            go = raw.LogicalAnd(raw.Less(given[0], given[1]), go)
        condition.outputs = [go if go.graph is condition and not go.dtype._is_ref_dtype else raw.Identity(go)]

    loop = FuncGraph(unique_function_name(outer, f"{base}_body"), outer)
    summaries = outer.get_collection_ref(GraphKeys.SUMMARIES)
    before = len(summaries)
    with loop.as_default():
        given = arguments(loop)
        result = body(*_composite.pack(args, given[2:]))
        structure, result = _like_arguments(args, result)
        del summaries[before:]
        new = [_own(loop, t) for t in _composite.expand(result)]
        _check_turn(flat, invariants, types[2:], new, args)
        loop.outputs = [raw.AddV2(given[0], np.int32(1), name="loop_counter_next"), given[1], *new]

    captured = match_captures([condition, loop])
    n = len(types)
    loop.outputs = loop.outputs + loop.inputs[n:]
    shapes = shapes + [t._shape for t in captured]
    op = add_while(condition, loop, [counter, limit, *flat, *captured], shapes, scope, int(parallel))
    op._attrs["_num_original_outputs"] = len(op.inputs)
    return op, structure


def _like_arguments(args: Any, result: Any) -> tuple[Any, Any]:
    """What the body returned, a bare value as a list of one; as it is, and in the structure of the loop variables."""
    if result is None:
        result = []
    if (
        isinstance(result, dict)
        or not isinstance(result, (list, tuple))
        or (len(args) == 1 and not _same_nesting(args, result) and _same_nesting(args[0], result))
    ):
        result = type(args)([result]) if not hasattr(args, "_fields") else type(args)(result)
    nest.assert_same_structure(args, result, check_types=False)
    leaves = []
    for want, v in zip(nest.flatten(args), nest.flatten(result), strict=True):
        if _composite.is_composite(want):
            if not _composite.is_composite(v):
                raise TypeError(f"The body returned {v!r} for the loop variable {want!r}")
            leaves.append(v)
        else:
            leaves.append(convert_to_tensor(v if not isinstance(v, IndexedSlices) else v))
    return result, nest.pack_sequence_as(args, leaves)


def _same_nesting(a: Any, b: Any) -> bool:
    try:
        nest.assert_same_structure(a, b, check_types=False)
    except (ValueError, TypeError):
        return False
    return True


def _own(graph: FuncGraph, t: Any) -> Tensor:
    t = convert_to_tensor(t)
    if t.graph is not graph:
        t = graph.capture(t)
    return raw.Identity(t) if t.dtype._is_ref_dtype else t


def _check_turn(flat: list[Tensor], invariants: list[Shape], types: list[Any], new: list[Tensor], args: Any) -> None:
    if len(new) != len(flat):
        raise ValueError(
            f"The number of outputs of the body ({len(new)}) is not the number of loop variables ({len(flat)})."
        )
    for t, s, dtype, v in zip(flat, invariants, types, new, strict=True):
        if v.dtype.base_dtype is not dtype:
            raise TypeError(
                f"Loop var {t.name} enters the loop with type {dtype!r} but has type {v.dtype.base_dtype!r} after 1 iteration."
            )
        if dtype is not dtypes.variant and not _less_specific(v._shape, s):
            raise ValueError(
                f"Input tensor {t.name!r} enters the loop with shape {TensorShape(s)}, but has shape {TensorShape(v._shape)} after one iteration. To allow "
                "the shape to vary across iterations, use the `shape_invariants` argument of tf.while_loop to specify a less-specific shape."
            )


# --- ordering ------------------------------------------------------------------------------------------------------------------
def control_dependencies(inputs: Any) -> Any:
    return get_default_graph().control_dependencies(inputs)


def group(*inputs: Any, **kwargs: Any) -> Operation:
    """An operation that is done when all of `inputs` (tensors, operations, nested) are."""
    name = kwargs.pop("name", None)
    if kwargs:
        raise ValueError(f"Unknown keyword arguments: {', '.join(kwargs)}")
    return control.group(*inputs, name=name)


def tuple_(tensors: Any, name: str | None = None, control_inputs: Any = None) -> list[Any]:
    """The tensors, each available only when all of them and `control_inputs` are."""
    return control.tuple_(tensors, name, control_inputs)


def with_dependencies(dependencies: Any, output_tensor: Any, name: str | None = None) -> Any:
    return control.with_dependencies(dependencies, output_tensor, name)


def no_op(name: str | None = None) -> Operation:
    """Does nothing; somewhere to hang control dependencies."""
    return raw.NoOp(name=name)  # type: ignore[no-any-return]


def Assert(condition: Any, data: Sequence[Any], summarize: int | None = None, name: str | None = None) -> Operation:
    """An operation that fails with InvalidArgumentError, showing `data`, when `condition` is false."""
    with name_scope(name, "Assert", [condition, *data]):
        known = (
            constant_value(condition)
            if isinstance(condition, Tensor)
            else condition
            if isinstance(condition, (bool, np.bool_))
            else None
        )
        if known is not None and not np.all(known) and not get_default_graph().building_function:
            shown = [constant_value(convert_to_tensor(d)) for d in data]
            if all(s is not None for s in shown) and isinstance(condition, (bool, np.bool_)):
                from hornbeam.ops.printing import summarize as text

                raise errors.InvalidArgumentError(
                    None, None, "assertion failed: " + " ".join(f"[{text(s, summarize or 3)}]" for s in shown)
                )
        condition = convert_to_tensor(condition, dtypes.bool)
        return raw.Assert(condition, list(data), summarize=3 if summarize is None else summarize, name="Assert")  # type: ignore[no-any-return]


def smart_cond(
    pred: Any,
    true_fn: Callable[[], Any] | None = None,
    false_fn: Callable[[], Any] | None = None,
    name: str | None = None,
) -> Any:
    """`cond` that only builds the branch taken when `pred` is known (Python bool, 0 or 1, or a constant tensor)."""
    if not callable(true_fn):
        raise TypeError("`true_fn` must be callable.")
    if not callable(false_fn):
        raise TypeError("`false_fn` must be callable.")
    value = smart_constant_value(pred)
    if value is not None:
        return true_fn() if value else false_fn()
    return cond(pred, true_fn=true_fn, false_fn=false_fn, name=name)


def smart_constant_value(pred: Any) -> bool | None:
    """The bool that `pred` is known to be, else None."""
    if pred in (0, 1) and isinstance(pred, (bool, int, np.bool_)):
        return bool(pred)
    if isinstance(pred, Tensor):
        value = constant_value(pred)
        return None if value is None else bool(value)
    if isinstance(pred, bool):
        return pred
    raise TypeError(f"`pred` must be a Tensor, or a Python bool, or 1 or 0. Found instead: {type(pred)}")


def outermost_graph() -> Any:
    """The graph that holds everything: the default graph, looked at from inside any loop or branch body."""
    return root_of(get_default_graph())


__tf_exports__ = {
    "cond": "cond", "case": "case", "switch_case": "switch_case", "while_loop": "while_loop", "group": "group", "tuple": "tuple_",
    "no_op": "no_op", "Assert": "Assert", "debugging.Assert": "Assert",
    "contrib.framework.smart_cond": "smart_cond", "contrib.layers.smart_cond": "smart_cond",
}  # fmt: skip
