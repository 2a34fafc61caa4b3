"""If, While, Case and calls: traced into XLA's control flow when their bodies can be compiled, run from Python otherwise."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from hornbeam.core import dtypes, errors
from hornbeam.core.function import Function
from hornbeam.core.graph import Operation, Tensor
from hornbeam.core.lazy import jax, jnp, lax
from hornbeam.core.state import ResourceRef, VarRef
from hornbeam.ops import xp as xp_module
from hornbeam.ops.control_flow import Fake
from hornbeam.ops.xp import NeedsValue
from hornbeam.runtime.context import Context
from hornbeam.runtime.refs import Touched, function_ops, functions_of, resolve_function
from hornbeam.runtime.steps import Cut, Step, run_steps

_MAX_SIMULATED_TRIPS = 200_000


def run_functional(op: Operation, values: list[Any], ctx: Context) -> list[Any]:
    """Outputs of a functional node. On the host the bodies run as plans of their own; under a trace they are inlined."""
    kind = op.type
    if kind in ("If", "StatelessIf"):
        branches = [resolve_function(op, op._attrs["else_branch"]), resolve_function(op, op._attrs["then_branch"])]
        if ctx.host or xp_module.known(values[0]):
            return _call(branches[int(_truth(values[0]))], values[1:], ctx)
        return _switch(op, _truth(values[0]).astype(np.int32), branches, values[1:], ctx)
    if kind in ("Case", "StatelessCase"):
        branches = [resolve_function(op, f) for f in op._attrs["branches"]]
        last = len(branches) - 1
        if ctx.host or xp_module.known(values[0]):
            i = int(np.asarray(values[0]))
            return _call(branches[i if 0 <= i <= last else last], values[1:], ctx)
        index = jnp.where((values[0] < 0) | (values[0] > last), last, values[0]).astype(np.int32)
        return _switch(op, index, branches, values[1:], ctx)
    if kind in ("While", "StatelessWhile"):
        cond, body = (resolve_function(op, op._attrs[n]) for n in ("cond", "body"))
        return _host_while(cond, body, values, ctx) if ctx.host else _while(op, cond, body, values, ctx)
    f, first = functions_of(op)[0]
    return _call(f, values[first:], ctx)


def _truth(value: Any) -> Any:
    """TF's truth of an If condition: non-zero for numbers, non-empty for strings and for tensors of rank above 0."""
    if isinstance(value, (np.ndarray, np.generic)) and value.dtype == object:
        return np.asarray(bool(value.reshape(-1)[0])) if np.ndim(value) == 0 else np.asarray(value.size > 0)
    if np.ndim(value) > 0:
        return np.asarray(value.size > 0)
    return value if value.dtype == np.bool_ else value != 0


# --- calls ----------------------------------------------------------------------------------------------------------------
def function_steps(f: Function) -> list[Step]:
    steps = f.cache.get("steps")
    if steps is None:
        steps = f.cache["steps"] = [Step(o) for o in function_ops(f) if o.type not in ("NoOp", "Const")]
        for s in steps:
            if s.op.spec.host and not s.functional and s.op.spec.device_if is not None and s.op.spec.device_if(s.op):
                s.use_bounded()
        f.cache["constants"] = {o.outputs[0]: o._attrs["value"] for o in function_ops(f) if o.type == "Const"}
    return steps  # type: ignore[no-any-return]


def _call(f: Function, args: Sequence[Any], ctx: Context) -> list[Any]:
    if ctx.host:
        from hornbeam.runtime.plan import run_function

        return [np.asarray(v) if hasattr(v, "aval") else v for v in run_function(f, list(args), ctx.state)]
    return inline(f, args, ctx)


def inline(f: Function, args: Sequence[Any], ctx: Context) -> list[Any]:
    """Runs a body within the current trace; it shares the caller's view of the state."""
    steps = function_steps(f)
    env: dict[Tensor, Any] = dict(f.cache["constants"])
    env.update(zip(f.inputs, args, strict=True))
    inner = ctx.child(ctx.values, f"{f.name}/")
    inner.deleted = ctx.deleted
    inner.timer = ctx.timer
    run_steps(steps, env, inner)
    outs = []
    for t in f.outputs:
        v = env[t]
        if isinstance(v, VarRef) and t._dtype is not dtypes.resource:
            v = inner.read(v)
        outs.append(v)
    return outs


def _written(functions: Sequence[Function], args: Sequence[Any], ctx: Context) -> list[str]:
    """State keys that the bodies may change: they travel through the control flow as carried values."""
    t = Touched()
    for f in functions:
        refs = {a: v for a, v in zip(f.inputs, args, strict=True) if isinstance(v, VarRef)}
        t.add(function_ops(f), refs, f"{f.name}/")
    keys = sorted(t.written) + list(dict.fromkeys(t.rng))
    for k in t.rng:
        ctx.values.setdefault(k, np.asarray(np.uint64(0)))
    for k in t.rng_keys:
        if k not in ctx.values:
            ctx.values[k] = ctx.state.random_key(k)
    return keys


def _strong(value: Any) -> Any:
    """A value as a JAX array without weak type, so that branches and carries agree."""
    if isinstance(value, (np.ndarray, np.generic)):
        return jnp.asarray(value)
    if getattr(value, "weak_type", False):
        return lax.convert_element_type(value, value.dtype)
    return value


def _is_static(v: Any) -> bool:
    return isinstance(v, (VarRef, ResourceRef))


# --- If, Case ----------------------------------------------------------------------------------------------------------------
def _switch(op: Operation, index: Any, branches: list[Function], args: list[Any], ctx: Context) -> list[Any]:
    if any(isinstance(v, Fake) for v in args):
        raise Cut(op, None)  # the forward node ran one branch only: so must its gradient
    keys = _written(branches, args, ctx)
    present = [k for k in keys if k in ctx.values]
    statics: list[list[Any]] = []
    fakes: list[list[Any]] = []

    def run(f: Function, state: list[Any]) -> tuple[list[Any], list[Any]]:
        inner = Context(dict(ctx.values), ctx.state, ctx.interpreting, ctx.scope)
        inner.op = ctx.op
        inner.values.update(zip(present, state, strict=True))
        outs = inline(f, args, inner)
        missing = [k for k in keys if k not in present and k in inner.values]
        if missing:
            raise Cut(op, None)  # a branch initialises a variable: whether it exists depends on the data
        return outs, [inner.values[k] for k in present]

    carried = [_strong(ctx.values[k]) for k in present]
    probes = []
    for f in branches:
        probe: dict[str, Any] = {}

        def shape_of(state: list[Any], f: Function = f, probe: dict[str, Any] = probe) -> Any:
            outs, new = run(f, state)
            probe["outs"] = outs
            return [_strong(o) if _is_value(o) else None for o in outs], [_strong(n) for n in new]

        try:
            avals = jax.eval_shape(shape_of, carried)
        except NeedsValue:
            raise Cut(op, None) from None
        statics.append([o if _is_static(o) else None for o in probe["outs"]])
        fakes.append([o if isinstance(o, Fake) else None for o in probe["outs"]])
        probes.append(avals[0])
    n = len(op._outputs)
    wanted: list[Any] = []
    for i in range(n):
        real = [p[i] for p in probes if p[i] is not None]
        if not real:
            s = next((st[i] for st in statics if st[i] is not None), None)
            if s is None:
                t = op._outputs[i]
                wanted.append(jax.ShapeDtypeStruct((0,), t.dtype.np))
                continue
            if any(st[i] != s for st in statics):
                raise Cut(op, None)
            wanted.append(None)
            continue
        first = jax.tree_util.tree_structure(real[0])
        if any(jax.tree_util.tree_structure(r) != first for r in real):
            raise Cut(op, None)
        leaves = [jax.tree_util.tree_leaves(r) for r in real]
        if any(
            a.shape != b.shape or a.dtype != b.dtype
            for other in leaves[1:]
            for a, b in zip(leaves[0], other, strict=True)
        ):
            raise Cut(op, None)  # the branches' shapes differ: only one of them can be run
        wanted.append(real[0])

    def branch(f: Function) -> Any:
        def go(state: list[Any]) -> Any:
            outs, new = run(f, state)
            flat = []
            for o, w in zip(outs, wanted, strict=True):
                if w is None:
                    continue
                if isinstance(o, Fake):
                    o = jax.tree_util.tree_map(lambda a: jnp.zeros(a.shape, a.dtype), w)
                flat.append(jax.tree_util.tree_map(_strong, o))
            return flat, [_strong(v) for v in new]

        return go

    outs, new = lax.switch(index, [branch(f) for f in branches], carried)
    ctx.values.update(zip(present, new, strict=True))
    it = iter(outs)
    return [next(it) if w is not None else statics[0][i] for i, w in enumerate(wanted)]


def _is_value(v: Any) -> bool:
    return not _is_static(v) and not isinstance(v, Fake)


# --- While ---------------------------------------------------------------------------------------------------------------------
def _host_while(cond: Function, body: Function, values: list[Any], ctx: Context) -> list[Any]:
    from hornbeam.ops import tensor_list

    args = list(values)
    unchanged = [i for i, (a, o) in enumerate(zip(body.inputs, body.outputs, strict=True)) if a is o]
    while bool(np.asarray(_truth(np.asarray(_call(cond, args, ctx)[0])))):
        if ctx.state.closing.is_set():
            raise ctx.error(errors.CancelledError, "The session was closed while the loop was running.")
        after = _call(body, args, ctx)
        for i in unchanged:  # a variable stays the variable: its value is not what goes round
            after[i] = args[i]
        args = tensor_list.between_turns(args, after)
    return tensor_list.after_turns(args)


def _needed_args(f: Function, results: Sequence[Tensor]) -> set[int]:
    """Indices of the arguments that these results depend on, through data or control edges."""
    position = {t: i for i, t in enumerate(f.inputs)}
    seen: set[Operation] = set()
    found: set[int] = set()
    stack: list[Any] = list(results)
    while stack:
        t = stack.pop()
        if isinstance(t, Tensor):
            if t in position:
                found.add(position[t])
                continue
            op = t._op
        else:
            op = t
        if op in seen:
            continue
        seen.add(op)
        stack.extend(op._inputs)
        stack.extend(op._control_inputs)
    return found


def _simulate(cond: Function, body: Function, args: list[Any]) -> tuple[int, dict[int, Any]] | None:
    """(trip count, final values of the known loop variables) when the condition depends on known values only; else None."""
    known = {i for i, a in enumerate(args) if isinstance(a, (np.ndarray, np.generic)) and a.size <= 64}
    needs = body.cache.get("needs")
    if needs is None:
        needs = body.cache["needs"] = [_needed_args(body, [t]) for t in body.outputs]
        cond.cache["needs"] = _needed_args(cond, cond.outputs)
    changed = True
    while changed:
        bad = {i for i in known if not needs[i] <= known}
        changed = bool(bad)
        known -= bad
    wanted = set(cond.cache["needs"])
    if not wanted <= known:
        return None
    # only what the condition needs, transitively, is simulated
    while True:
        more = set().union(wanted, *(needs[i] for i in wanted))
        if more == wanted:
            break
        wanted = more
    run_cond = _partial_runner(cond, cond.outputs)
    order = sorted(wanted)
    run_body = _partial_runner(body, [body.outputs[i] for i in order])
    if run_cond is None or run_body is None:
        return None
    current = {i: np.asarray(args[i]) for i in wanted}
    trips = 0
    xp_module._INTERPRETING[0] += 1
    try:
        while True:
            go = run_cond(current)
            if go is None:
                return None
            if not bool(np.asarray(go[0]).reshape(-1)[0] if np.size(go[0]) else False):
                return trips, current
            new = run_body(current)
            if new is None:
                return None
            current = dict(zip(order, new, strict=True))
            trips += 1
            if trips > _MAX_SIMULATED_TRIPS:
                return None
    finally:
        xp_module._INTERPRETING[0] -= 1


def _partial_runner(f: Function, results: list[Tensor]) -> Any:
    """A NumPy evaluator of some results of a body from some of its arguments; None when an op in between is not NumPy-exact."""
    from hornbeam.runtime.refs import reachable

    inputs = set(f.inputs)
    ops = [
        o
        for o in reachable([t.op for t in results if t not in inputs], inputs)
        if not any(t in inputs for t in o._outputs)
    ]
    if any(not o.spec.numpy and o.type != "Const" or o.spec.stateful for o in ops):
        return None
    steps = [Step(o) for o in ops if o.type not in ("Const", "NoOp")]
    constants = {o.outputs[0]: o._attrs["value"] for o in ops if o.type == "Const"}
    if any(s.takes_ctx or s.functional for s in steps):
        return None

    def run(values: dict[int, Any]) -> list[Any] | None:
        env: dict[Tensor, Any] = dict(constants)
        for i, v in values.items():
            env[f.inputs[i]] = v
        run_steps(steps, env, Context({}, None, interpreting=True))  # type: ignore[arg-type]
        out = [env[t] for t in results]
        return out if all(isinstance(v, (np.ndarray, np.generic)) for v in out) else None

    return run


def _while(op: Operation, cond: Function, body: Function, values: list[Any], ctx: Context) -> list[Any]:
    from hornbeam.ops import tensor_list

    args = list(values)
    n = len(args)
    simulated = _simulate(cond, body, args)
    if simulated is not None and simulated[0] == 0:
        return args
    if simulated is not None and simulated[0] == 1:
        return inline(body, args, ctx)
    keys = _written([cond, body], args, ctx)
    present = [k for k in keys if k in ctx.values]
    # what the body hands on unchanged stays outside the carry: known values stay known inside
    invariant = {i for i in range(n) if body.outputs[i] is body.inputs[i]}
    fixed = {i for i in range(n) if i in invariant or _is_static(args[i])}
    moving = [i for i in range(n) if i not in fixed]

    def full(carry: Sequence[Any]) -> list[Any]:
        out = list(args)
        for i, v in zip(moving, carry, strict=True):
            out[i] = v
        return out

    def enter(state: Sequence[Any]) -> Context:
        inner = Context(dict(ctx.values), ctx.state, ctx.interpreting, ctx.scope)
        inner.op = ctx.op
        inner.values.update(zip(present, state, strict=True))
        return inner

    def do_body(carry: Any) -> Any:
        loop, state = carry
        inner = enter(state)
        outs = inline(body, full(loop), inner)
        if any(k not in present and k in inner.values for k in keys):
            raise Cut(op, None)
        for i in fixed:
            if _is_static(args[i]) and outs[i] != args[i]:
                raise Cut(op, None)
        return [jax.tree_util.tree_map(_strong, outs[i]) for i in moving], [_strong(inner.values[k]) for k in present]

    def do_cond(carry: Any) -> Any:
        loop, state = carry
        out = inline(cond, full(loop), enter(state))[0]
        return jnp.asarray(_truth(out)).reshape(())

    trips = simulated[0] if simulated is not None else None
    try:
        start: Any = [jax.tree_util.tree_map(_strong, args[i]) for i in moving]
        state0 = [_strong(ctx.values[k]) for k in present]
        start = tensor_list.prepare_loop(start, lambda c: jax.eval_shape(do_body, (c, state0))[0], trips)
        if start is None:
            raise Cut(op, None)  # a list that grows without a known bound
        after = jax.eval_shape(do_body, (start, state0))
        if not _same_types(after, (start, state0)):
            raise Cut(op, None)  # shapes change between iterations
        if trips is not None:
            loop, state = lax.fori_loop(0, trips, lambda _, c: do_body(c), (start, state0))
        else:
            loop, state = lax.while_loop(do_cond, do_body, (start, state0))
    except NeedsValue:
        raise Cut(op, None) from None
    ctx.values.update(zip(present, state, strict=True))
    out = full(tensor_list.settle_loop(loop, trips))
    if simulated is not None:
        for i, v in simulated[1].items():
            out[i] = v
    return out


def _same_types(a: Any, b: Any) -> bool:
    if jax.tree_util.tree_structure(a) != jax.tree_util.tree_structure(b):
        return False
    return all(
        tuple(x.shape) == tuple(np.shape(y)) and x.dtype == y.dtype
        for x, y in zip(jax.tree_util.tree_leaves(a), jax.tree_util.tree_leaves(b), strict=True)
    )
