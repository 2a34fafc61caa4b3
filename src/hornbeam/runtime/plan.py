"""Plans: a pruned graph as an alternation of compiled device segments and host segments, cut where a value must be known."""

from __future__ import annotations

import contextlib
import threading
import warnings
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from hornbeam.core import dtypes, errors
from hornbeam.core.function import Function
from hornbeam.core.graph import Operation, Tensor
from hornbeam.core.lazy import jax, jnp
from hornbeam.core.state import ResourceRef, VarRef
from hornbeam.ops import xp as xp_module
from hornbeam.runtime.context import Context, State, x64
from hornbeam.runtime.refs import VARIABLES, Touched, function_ops, functions_of, late_reads, reachable, static_ref
from hornbeam.runtime.steps import Cut, Step, _no_kernel, run_steps

warnings.filterwarnings("ignore", message="Some donated buffers were not usable")

_NO_STEP = frozenset(["NoOp", "Const", "ControlTrigger", *VARIABLES])
_MOVES = frozenset(
    ["Assign", "AssignVariableOp", "Identity", "ReadVariableOp", "IsVariableInitialized", "VarIsInitializedOp"]
)
_STATIC_VARIANTS = 64  # compiled programs kept per segment when a run's values are baked in
_SMALL = 1 << 14  # elements that NumPy works through in the time a dispatch takes
_INTERPRET_RUNS = 1  # a run-once graph never compiles; the second run does, unless it only initialises


def is_host(op: Operation, fetched: set[Tensor] | None = None) -> bool:
    """True for nodes that run in Python: strings, files, queues, dynamic shapes, and functions that hold such nodes."""
    inner = functions_of(op)
    if inner:
        if any(t._dtype._base is dtypes.string for t in op._outputs):
            return True
        return any(_function_is_host(f) for f, _ in inner)
    spec = op.spec
    if spec.host:
        if spec.device_if is None or fetched is not None and any(t in fetched for t in op._outputs):
            return True
        return not spec.device_if(op, fetched)
    return any(t._dtype._base is dtypes.string for t in (*op._inputs, *op._outputs))


def _function_is_host(f: Function) -> bool:
    known = f.cache.get("host")
    if known is None:
        f.cache["host"] = False  # a recursive call does not make it one
        known = any(is_host(o) for o in function_ops(f) if o.type != "Const")
        f.cache["host"] = known
    return known  # type: ignore[no-any-return]


def _static_size(t: Tensor) -> int | None:
    s = t._shape
    if s is None or None in s:
        return None
    n = 1
    for d in s:
        n *= d  # type: ignore[operator]
    return n


class Segment:
    """A run of nodes executed together. `inputs` come from earlier segments or feeds, `outputs` are needed later."""

    def __init__(self, plan: Plan, ops: list[Operation]) -> None:
        self.plan = plan
        self.ops = ops
        self.inputs: list[Tensor] = []
        self.outputs: list[Tensor] = []
        self._steps: list[Step] | None = None

    @property
    def steps(self) -> list[Step]:
        if self._steps is None:
            self._steps = [Step(o, self.plan.late.get(o)) for o in self.ops if o.type not in _NO_STEP]
            for s in self._steps:
                if s.op.spec.host and not s.functional and s.op not in self.plan.host:
                    s.use_bounded()
        return self._steps

    def run(self, env: dict[Tensor, Any], state: State) -> None:
        raise NotImplementedError


class HostSegment(Segment):
    """Nodes run one by one in Python, outside the state lock: they may block (queues) or call back into user code."""

    def run(self, env: dict[Tensor, Any], state: State) -> None:
        for t in self.inputs:
            v = env.get(t)
            if hasattr(v, "aval"):
                env[t] = np.asarray(v)
        ctx = Context(state.values, state, interpreting=True, scope=self.plan.scope, host=True)
        ctx.timer = self.plan.timer
        with x64():
            run_steps(self.steps, env, ctx)


class DeviceSegment(Segment):
    """Nodes compiled to one XLA program; variables they write are donated and replaced."""

    def __init__(self, plan: Plan, ops: list[Operation]) -> None:
        super().__init__(plan, ops)
        self.static: set[Tensor] = set()  # inputs whose value is baked into the program
        self._touched: tuple[list[str], list[str]] | None = None
        self._fn: Any = None
        self._variants: OrderedDict[Any, Any] = OrderedDict()
        self._runs = 0
        self._numpy: bool | None = None
        self._tiny: bool | None = None

    @property
    def touched(self) -> tuple[list[str], list[str]]:
        """(keys that may be written, keys only read), in a fixed order."""
        if self._touched is None:
            t = Touched()
            t.add(self.ops, self.plan.ref_args, self.plan.scope)
            for o in self.ops:
                for r in self.plan.late.get(o, {}).values():
                    if (ref := static_ref(r, self.plan.ref_args)) is not None:
                        t.refs[ref.key] = ref
            written = sorted(t.written) + list(dict.fromkeys(t.rng))
            read = sorted(set(t.refs) - t.written) + list(dict.fromkeys(t.rng_keys))
            self._touched = written, read
        return self._touched

    @property
    def numpy_only(self) -> bool:
        """True when NumPy gives exactly what XLA would, so that a first run need not compile."""
        if self._numpy is None:
            self._numpy = all(
                s.op.spec.numpy and not s.functional and not s.bounded and not s.op.spec.host for s in self.steps
            )  # fmt: skip
        return self._numpy

    @property
    def moves_only(self) -> bool:
        """True when nothing is computed (restoring, loading, reading variables): a program would only copy."""
        return all(s.op.type in _MOVES for s in self.steps)

    def tiny(self, env: dict[Tensor, Any]) -> bool:
        """True for a few steps on small values beside host work: NumPy is done before a program would be dispatched."""
        if self._tiny is None:
            sizes = [_static_size(t) for s in self.steps for t in (*s.inputs, *s.outputs)]
            self._tiny = (
                len(self.plan.segments) > 1 and len(self.steps) <= 6 and all(n is None or n <= _SMALL for n in sizes)
            )
        return self._tiny and all(getattr(env[t], "size", 0) <= _SMALL for t in self.inputs)

    def run(self, env: dict[Tensor, Any], state: State) -> None:
        if not self.steps and not self.outputs:
            return
        plan = self.plan
        written, read = self.touched
        self._runs += 1
        if plan.timer is not None:
            return self._interpret(env, state, written, read, eager=True)
        if self.numpy_only and (
            self._runs <= _INTERPRET_RUNS or self.moves_only or self.tiny(env) or not (self.inputs or self.outputs)
        ):
            return self._interpret(env, state, written, read)
        inputs: list[Any] = []
        baked: dict[Tensor, Any] = {}
        for t in self.inputs:
            if t in self.static:
                baked[t] = np.asarray(env[t])
            else:
                inputs.append(env[t])
        fn = self._compiled(baked)
        with state.lock, x64():
            values = state.values
            for key in read:
                v = values.get(key)
                if isinstance(v, np.ndarray):
                    values[key] = jax.device_put(v)
                elif v is None and key.startswith("rngkey/"):
                    state.random_key(key)
            new, outs = fn([values.get(k) for k in written], [values.get(k) for k in read], inputs)
            for k, v in zip(written, new, strict=True):
                if v is None:
                    values.pop(k, None)
                else:
                    values[k] = v
            if written and not outs:
                jax.block_until_ready(new)
        for t, v in zip(self.outputs, outs, strict=True):
            env[t] = v

    def _compiled(self, baked: dict[Tensor, Any]) -> Callable[..., Any]:
        if not baked:
            fn = self._fn
            if fn is None:
                fn = self._fn = jax.jit(self._traced({}), donate_argnums=(0,))
            return fn  # type: ignore[no-any-return]
        key = tuple((v.dtype.str, v.shape, v.tobytes()) for v in baked.values())
        with self.plan.lock:
            fn = self._variants.get(key)
            if fn is None:
                fn = self._variants[key] = jax.jit(self._traced(baked), donate_argnums=(0,))
                while len(self._variants) > _STATIC_VARIANTS:
                    self._variants.popitem(last=False)
            else:
                self._variants.move_to_end(key)
        return fn  # type: ignore[no-any-return]

    def _traced(self, baked: dict[Tensor, Any]) -> Callable[..., Any]:
        written, read = self.touched
        traced_inputs = [t for t in self.inputs if t not in baked]
        plan = self.plan

        def program(new: list[Any], old: list[Any], inputs: list[Any]) -> tuple[list[Any], list[Any]]:
            env = dict(plan.base)
            env.update(baked)
            env.update(zip(traced_inputs, inputs, strict=True))
            values = {k: v for k, v in zip((*written, *read), (*new, *old), strict=True) if v is not None}
            ctx = Context(values, plan.state, scope=plan.scope)
            ctx.inputs = {id(v) for v in (*inputs, *old)}
            run_steps(self.steps, env, ctx)
            outs = []
            for t in self.outputs:
                v = env[t]
                if hasattr(v, "aval") and (id(v) in ctx.inputs or any(v is s for s in new)):
                    v = jnp.copy(v)
                outs.append(v)
            return [values.get(k) for k in written], outs

        return program

    def _interpret(
        self, env: dict[Tensor, Any], state: State, written: list[str], read: list[str], eager: bool = False
    ) -> None:
        plan = self.plan
        local = dict(plan.base)
        for t in self.inputs:
            v = env[t]
            local[t] = np.asarray(v) if hasattr(v, "aval") and not eager else v
        with state.lock if written or read else contextlib.nullcontext(), x64():
            values = {k: v for k in (*written, *read) if (v := state.values.get(k)) is not None}
            ctx = Context(values, state, interpreting=not eager, scope=plan.scope)
            ctx.inputs = {id(local[t]) for t in self.inputs if t in plan.feeds}  # a feed stays the caller's
            ctx.timer = plan.timer
            if not eager:
                xp_module._INTERPRETING[0] += 1
            try:
                run_steps(self.steps, local, ctx)
            finally:
                if not eager:
                    xp_module._INTERPRETING[0] -= 1
            for t in self.outputs:
                v = local[t]
                env[t] = np.array(v) if isinstance(v, (np.ndarray, np.generic)) else v
            for k in written:
                if k in values:
                    state.values[k] = values[k]
                else:
                    state.values.pop(k, None)


class Plan:
    """How one (fetches, feeds) pair runs: segments in order over an environment of tensor values."""

    def __init__(
        self,
        state: State,
        fetches: Sequence[Tensor],
        targets: Sequence[Operation],
        feeds: Sequence[Tensor],
        ref_args: dict[Tensor, Any] | None = None,
        ops: list[Operation] | None = None,
        scope: str = "",
    ) -> None:
        self.state = state
        self.fetches = list(fetches)
        self.feeds = list(feeds)
        self.scope = scope
        self.ref_args = ref_args or {}
        self.timer: Any = None
        self.lock = threading.Lock()  # over the segments, which several threads may find to need a cut
        self.cuts = 0
        fed = set(feeds) | set(self.ref_args)
        if ops is None:
            ops = reachable([*(t._op for t in fetches if t not in fed), *targets], fed)
        self.base: dict[Tensor, Any] = dict(self.ref_args)
        self.ops: list[Operation] = []
        for o in ops:
            if o._outputs and all(t in fed for t in o._outputs):
                continue
            if o.type == "Const":
                if o._outputs[0] not in fed:
                    self.base[o._outputs[0]] = o._attrs["value"]
                if not o._control_inputs:
                    continue
            for t in o._outputs:
                if (t._dtype._is_ref_dtype or t._dtype is dtypes.resource) and t not in fed:
                    ref = static_ref(t, self.ref_args)
                    if ref is not None:
                        self.base[t] = ref
            if o.type in VARIABLES:
                continue
            self.ops.append(o)
        self.late = late_reads(self.ops, self.ref_args)
        wanted = set(self.fetches)
        self.host = {o for o in self.ops if is_host(o, wanted)}
        if self.host:
            self.host |= self._for_the_host(wanted)
        self.segments: list[Segment] = self._partition(self.ops, set())
        self._link()

    def _for_the_host(self, fetched: set[Tensor]) -> set[Operation]:
        """Small exact nodes that host nodes wait for (the cast of a sampler's labels): NumPy does them on the way."""
        users: dict[Operation, set[Operation]] = {}
        for o in self.ops:
            for d in (*(t._op for t in o._inputs), *o._control_inputs):
                users.setdefault(d, set()).add(o)
        found: set[Operation] = set()
        for o in reversed(self.ops):
            if (
                o in self.host
                or o not in users
                or not o.spec.numpy
                or o.spec.stateful
                or not o._inputs
                or functions_of(o)
            ):
                continue
            if any(t in fetched or (n := _static_size(t)) is None or n > _SMALL for t in o._outputs):
                continue
            if any((n := _static_size(t)) is None or n > _SMALL or t._dtype._is_ref_dtype for t in o._inputs):
                continue
            waiting = [u in self.host or u in found for u in users[o]]
            given = all(t in self.feeds or t in self.base for t in o._inputs)
            if all(waiting) or given and any(waiting):  # what depends on feeds alone delays nobody else
                found.add(o)
        return found

    # segments -------------------------------------------------------------------------------------------------------------
    def _partition(self, ops: list[Operation], barriers: set[tuple[Operation, Tensor]]) -> list[Segment]:
        level: dict[Operation, int] = {}
        host = self.host
        for o in ops:
            lv = 0
            mine = o in host
            for t in o._inputs:
                d = t._op
                dl = level.get(d)
                if (
                    dl is None or t in self.base and not t._dtype._is_ref_dtype
                ):  # a known reference, but its write comes first
                    continue
                if (d in host and not mine) or (not mine and (o, t) in barriers):
                    dl += 1
                if dl > lv:
                    lv = dl
            for d in o._control_inputs:
                dl = level.get(d)
                if dl is not None:
                    if d in host and not mine:
                        dl += 1
                    if dl > lv:
                        lv = dl
            level[o] = lv
        if any(level.values()):
            self._sink(ops, level, barriers)
        segments: list[Segment] = []
        for lv in range(max(level.values(), default=-1) + 1):
            device = [o for o in ops if level[o] == lv and o not in host]
            at_host = [o for o in ops if level[o] == lv and o in host]
            if any(o.type != "NoOp" for o in device):
                segments.append(DeviceSegment(self, device))
            if at_host:
                segments.append(HostSegment(self, at_host))
        return segments

    def _sink(self, ops: list[Operation], level: dict[Operation, int], barriers: set[tuple[Operation, Tensor]]) -> None:
        """Device nodes move to their first user's segment: earlier ones hold only what the host waits for, and less crosses over.

        A read of a variable moves only as far as no write comes between.
        """
        writers: dict[str, int] = {}
        users: dict[Operation, int] = {}
        for o in ops:
            if o.spec.stateful or functions_of(o):
                touched = Touched()
                touched.add([o], self.ref_args)
                for k in touched.written:
                    writers[k] = min(writers.get(k, 1 << 30), level[o])
        never = 1 << 30
        for o in reversed(ops):
            target = users.get(o, 0)
            if level[o] < target < never and o not in self.host:
                if (
                    o.type in ("ReadVariableOp", "Identity")
                    and o._inputs
                    and (ref := static_ref(o._inputs[0], self.ref_args)) is not None
                ):
                    if writers.get(ref.key, never) >= target and not any(t in self.fetches for t in o._outputs):
                        level[o] = target
                elif (
                    o not in self.late
                    and not o.spec.stateful
                    and not functions_of(o)
                    and not any(t._dtype._is_ref_dtype for t in o._inputs)
                ):
                    level[o] = target
            for t in o._inputs:
                last = level[o] - 1 if (o, t) in barriers else level[o]
                users[t._op] = min(users.get(t._op, never), last)
            for c in o._control_inputs:
                users[c] = min(users.get(c, never), level[o])

    def _link(self) -> None:
        """Inputs and outputs of every segment from who makes and who uses what."""
        needed: set[Tensor] = set(self.fetches)
        for seg in reversed(self.segments):
            made = {t for o in seg.ops for t in o._outputs}
            seg.outputs = [
                t for o in seg.ops for t in o._outputs if t in needed and t not in self.base and t not in self.feeds
            ]
            used: dict[Tensor, None] = {}
            for o in seg.ops:
                if o.type == "Const":
                    continue
                late = self.late.get(o, {})
                for i, t in enumerate(o._inputs):
                    if (t not in made or t in self.feeds) and t not in self.base and i not in late:
                        used[t] = None
            seg.inputs = list(used)
            needed.update(used)

    def _split(self, index: int, cut: Cut) -> None:
        """Cuts segment `index` so that what `cut` asks for is known when its node runs."""
        seg = self.segments[index]
        assert isinstance(seg, DeviceSegment)
        if cut.tensor is not None and cut.tensor in seg.inputs:
            if cut.tensor not in seg.static:
                seg.static.add(cut.tensor)
                seg._fn = None
                return
            self.host.add(cut.op)
        elif cut.tensor is None:
            self.host.add(cut.op)
        barriers = {(cut.op, cut.tensor)} if cut.tensor is not None else set()
        new = self._partition(seg.ops, barriers)
        if len(new) == 1 and isinstance(new[0], DeviceSegment):
            raise errors.InternalError(
                None, cut.op, f"Node '{cut.op.name}' needs a value that cannot be computed before it."
            )
        self.segments = [*self.segments[:index], *new, *self.segments[index + 1 :]]  # runs under way keep their list
        self._link()
        if cut.tensor is not None:
            for s in new:
                if isinstance(s, DeviceSegment) and cut.op in s.ops and cut.tensor in s.inputs:
                    s.static.add(cut.tensor)

    # running ----------------------------------------------------------------------------------------------------------------
    def run(self, feed_values: Sequence[Any]) -> list[Any]:
        """Values of the fetches (device arrays, NumPy arrays or references); state is updated."""
        env = dict(self.base)
        env.update(zip(self.feeds, feed_values, strict=True))
        i = 0
        with self.lock:
            segments, cuts = self.segments, self.cuts
        while i < len(segments):
            seg = segments[i]
            try:
                seg.run(env, self.state)
            except Cut as cut:
                if isinstance(seg, HostSegment):
                    raise errors.InternalError(
                        None, cut.op, f"Node '{cut.op.name}' asks on the host for a value it has."
                    ) from cut
                with self.lock:
                    if self.cuts == cuts:  # else another thread has cut meanwhile, perhaps here: look again first
                        self._split(i, cut)
                        self.cuts += 1
                    done = {o for s in segments[:i] for o in s.ops}
                    segments, cuts = self.segments, self.cuts
                i = next((k for k, s in enumerate(segments) if any(o not in done for o in s.ops)), len(segments))
                continue
            i += 1
        return [self._fetched(t, env) for t in self.fetches]

    def _fetched(self, t: Tensor, env: dict[Tensor, Any]) -> Any:
        try:
            value = env[t]
        except KeyError:
            raise _no_kernel(t.op) from None
        if isinstance(value, VarRef) and t._dtype is not dtypes.resource:
            with self.state.lock:
                held = self.state.values.get(value.key)
                if held is None:
                    raise errors.FailedPreconditionError(
                        None, t.op, f"Attempting to use uninitialized value {value.name}\n\t [[node {t.op.name}]]"
                    )
                return np.array(held)
        return value


# --- functions run from the host ----------------------------------------------------------------------------------------------
def function_plan(f: Function, args: Sequence[Any], state: State) -> tuple[Plan, list[Any]]:
    """The plan of a function body for these arguments (references are static, the rest is fed), and the values to feed."""
    refs = tuple((i, a) for i, a in enumerate(args) if isinstance(a, (VarRef, ResourceRef)))
    key = (id(f), refs)
    plan = state.plans.get(key)
    feeds = [t for t, a in zip(f.inputs, args, strict=True) if not isinstance(a, (VarRef, ResourceRef))]
    if plan is None:
        ref_args = {f.inputs[i]: r for i, r in refs}
        ops = function_ops(f)
        plan = Plan(state, f.outputs, (), feeds, ref_args, ops, f"{f.name}/")
        state.plans[key] = plan
        state.plans[("keep", id(f))] = f
    return plan, [a for a in args if not isinstance(a, (VarRef, ResourceRef))]


def run_function(f: Function, args: Sequence[Any], state: State) -> list[Any]:
    """Calls a function from the host: its own plan, the session's state. Results are arrays or references."""
    plan, values = function_plan(f, args, state)
    return plan.run(values)


def as_numpy(value: Any) -> Any:
    """A result as `Session.run` returns it: a writable array that is the caller's own, NumPy scalars and bytes for rank 0."""
    if isinstance(value, np.ndarray):
        if value.ndim == 0:
            return value[()]
        return value if value.flags.owndata and value.flags.writeable else np.array(value)
    if hasattr(value, "aval"):
        array = np.asarray(value)
        return array[()] if array.ndim == 0 else np.array(array)
    return value


def known_arrays(values: Iterable[Any]) -> bool:
    return all(isinstance(v, (np.ndarray, np.generic)) for v in values)
