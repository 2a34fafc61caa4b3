"""`hornbeam.to_jax`: any model as a pure JAX function with its parameters as a pytree."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from hornbeam.core import errors
from hornbeam.core.graph import Graph, Operation, Tensor
from hornbeam.runtime.context import Context, State, register_references
from hornbeam.runtime.plan import _NO_STEP, Plan
from hornbeam.runtime.refs import Touched
from hornbeam.runtime.steps import Cut, Step, run_steps


def to_jax(
    graph: Graph,
    feeds: Sequence[Any],
    fetches: Sequence[Any],
    session: Any = None,
    parameters: Mapping[str, Any] | None = None,
) -> tuple[Callable[..., list[Any]], dict[str, Any]]:
    """(function, parameters): `function(parameters, *feed_values)` gives the fetched arrays and can be jitted, differentiated, vmapped.

    Parameters are named by variable; their values come from `session` or from `parameters` (a checkpoint read by name, say).
    Raises FailedPreconditionError for a variable without a value, UnimplementedError for nodes that need the host, by name.
    64-bit inputs keep their width only where the caller has enabled JAX's x64 mode.
    """
    register_references()
    feed_tensors = [graph.as_graph_element(f, allow_operation=False) for f in feeds]
    tensors: list[Tensor] = [graph.as_graph_element(f, allow_operation=False) for f in fetches]
    state = State()
    plan = Plan(state, tensors, (), feed_tensors)
    if plan.host:
        raise errors.UnimplementedError(None, next(iter(plan.host)), _host_message(plan.host))
    touched = Touched()
    touched.add(plan.ops, {})
    held = session._state.values if session is not None else {}
    params: dict[str, Any] = {}
    names: dict[str, str] = {}
    for key, ref in touched.refs.items():
        value = parameters.get(ref.name) if parameters is not None else None
        if value is None:
            value = held.get(key)
        if value is None:
            raise errors.FailedPreconditionError(
                None, None, f"Variable {ref.name} has no value: give a session that holds one, or `parameters`."
            )
        params[ref.name] = np.array(value)
        names[key] = ref.name
    for key in touched.rng_keys:
        state.random_key(key)
    steps = [Step(o, plan.late.get(o)) for o in plan.ops if o.type not in _NO_STEP]

    def function(params: Mapping[str, Any], *feed_values: Any) -> list[Any]:
        if len(feed_values) != len(feed_tensors):
            raise TypeError(
                f"The function takes {len(feed_tensors)} feeds ({', '.join(t.name for t in feed_tensors)}), {len(feed_values)} given."
            )
        env = dict(plan.base)
        env.update(zip(feed_tensors, feed_values, strict=True))
        values = {key: params[name] for key, name in names.items()} | dict(state.values)
        ctx = Context(values, state)
        try:
            run_steps(steps, env, ctx)
        except Cut as cut:
            raise errors.UnimplementedError(None, cut.op, _host_message([cut.op])) from None
        return [ctx.read(env[t]) if t._dtype._is_ref_dtype else env[t] for t in tensors]

    return function, params


def _host_message(ops: Any) -> str:
    listing = ", ".join(f"'{o.name}' ({o.type})" for o in list(ops)[:8] if isinstance(o, Operation))
    return f"A pure function cannot hold nodes that run on the host or need values while tracing: {listing}. Fetch before them, or feed after them."
