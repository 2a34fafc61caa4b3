"""Static analysis of state: which variables and random counters a set of nodes may read or write, functions included."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from hornbeam.core import dtypes
from hornbeam.core.function import Function
from hornbeam.core.graph import Operation, Tensor
from hornbeam.core.node_def import ImportedFunction
from hornbeam.core.state import VarRef, variable_key

VARIABLES = frozenset(["VariableV2", "Variable", "VarHandleOp", "TemporaryVariable"])
_READERS = frozenset(
    [
        "ReadVariableOp",
        "ResourceGather",
        "ResourceGatherNd",
        "VariableShape",
        "VarIsInitializedOp",
        "IsVariableInitialized",
    ]
)
_PASS = frozenset(["Identity", "RefIdentity", "Enter", "RefEnter", "Switch", "RefSwitch", "StopGradient"])
BRANCHES = {"If": ("then_branch", "else_branch"), "StatelessIf": ("then_branch", "else_branch"), "While": ("cond", "body"),
            "StatelessWhile": ("cond", "body"), "PartitionedCall": ("f",), "StatefulPartitionedCall": ("f",), "RemoteCall": ("f",)}  # fmt: skip


def functions_of(op: Operation) -> list[tuple[Function, int]]:
    """(function, index of the first input that is its argument) of a functional op; empty for all others."""
    names = BRANCHES.get(op.type)
    if names is not None:
        first = 1 if op.type in ("If", "StatelessIf", "RemoteCall") else 0
        return [(resolve_function(op, op._attrs[n]), first) for n in names]
    if op.type in ("Case", "StatelessCase"):
        return [(resolve_function(op, f), 1) for f in op._attrs["branches"]]
    if op.spec.kernel is None:
        f = op.graph._get_function(op.type)
        if f is not None:
            return [(f, 0)]
    return []


def resolve_function(op: Operation, f: Any) -> Function:
    """An attribute's function: the object, or the library's function of that name."""
    if isinstance(f, Function):
        return f
    name = f if isinstance(f, str) else f.name
    found = op.graph._get_function(name)
    if found is None:
        from hornbeam.core import errors

        raise errors.NotFoundError(
            None, op, f"Function '{name}' called by node '{op.name}' is not in the graph's library."
        )
    return found  # type: ignore[no-any-return]


def function_ops(f: Function) -> list[Operation]:
    """The nodes a call executes, in order: what results and control outputs need; stateful nodes too in loaded functions."""
    cached = f.cache.get("ops")
    if cached is not None:
        return cached  # type: ignore[no-any-return]
    roots = [t.op for t in f.outputs] + list(f.control_outputs)
    if isinstance(f, ImportedFunction):
        roots += [o for o in f.graph.get_operations() if o.spec.stateful and o.type not in VARIABLES]
    ops = reachable(roots, set(f.inputs))
    arguments = {t.op for t in f.inputs}
    ops = [o for o in ops if o not in arguments]
    f.cache["ops"] = ops
    return ops


def reachable(roots: Iterable[Operation], stop: set[Tensor]) -> list[Operation]:
    """Everything `roots` need, in an order that respects data and control edges (creation order wherever it can)."""
    seen: set[Operation] = set()
    stack = list(roots)
    while stack:
        op = stack.pop()
        if op in seen:
            continue
        seen.add(op)
        if stop and op._outputs and all(t in stop for t in op._outputs):
            continue
        for t in op._inputs:
            if t not in stop and t._op not in seen:
                stack.append(t._op)
        for c in op._control_inputs:
            if c not in seen:
                stack.append(c)
    ops = sorted(seen, key=_by_id)
    position = {o: i for i, o in enumerate(ops)}
    for i, o in enumerate(ops):
        if any(position.get(t._op, -1) >= i for t in o._inputs if t not in stop) or any(
            position[c] >= i for c in o._control_inputs if c in position
        ):
            return _topological(ops, stop)
    return ops


def _by_id(op: Operation) -> int:
    return op._id


def _topological(ops: list[Operation], stop: set[Tensor]) -> list[Operation]:
    import heapq

    inside = set(ops)
    pending: dict[Operation, int] = {}
    users: dict[Operation, list[Operation]] = {}
    for o in ops:
        deps = {t._op for t in o._inputs if t not in stop and t._op in inside} | {
            c for c in o._control_inputs if c in inside
        }
        pending[o] = len(deps)
        for d in deps:
            users.setdefault(d, []).append(o)
    ready = [(o._id, o.name, o) for o in ops if pending[o] == 0]
    heapq.heapify(ready)
    out: list[Operation] = []
    while ready:
        o = heapq.heappop(ready)[2]
        out.append(o)
        for u in users.get(o, ()):
            pending[u] -= 1
            if pending[u] == 0:
                heapq.heappush(ready, (u._id, u.name, u))
    if len(out) < len(ops):
        from hornbeam.core import errors

        stuck = [o.name for o in ops if pending[o] > 0][:5]
        raise errors.InvalidArgumentError(None, None, f"The graph has a cycle through: {', '.join(stuck)}")
    return out


def static_ref(tensor: Tensor, args: dict[Tensor, Any]) -> VarRef | None:
    """The variable behind a ref or handle tensor, found through the graph; None if it is none."""
    while True:
        if tensor in args:
            value = args[tensor]
            return value if isinstance(value, VarRef) else None
        op = tensor._op
        if op.type in VARIABLES:
            if op.type == "TemporaryVariable":
                return VarRef(
                    "tmp/" + (op._attrs["var_name"].decode() or op.name),
                    op.name,
                    op._attrs["dtype"],
                    op._attrs["shape"],
                )
            key = variable_key(op._attrs["container"], op._attrs["shared_name"], op.name)
            return VarRef(key, op.name, op._attrs["dtype"], op._attrs["shape"], op.type == "VarHandleOp")
        if not op._inputs:
            return None
        if op.type in _PASS and (tensor.dtype._is_ref_dtype or tensor.dtype is dtypes.resource):
            tensor = op._inputs[0]
        elif tensor.dtype._is_ref_dtype and op._inputs[0].dtype._is_ref_dtype:
            tensor = op._inputs[0]
        else:
            return None


class Touched:
    """State keys a set of nodes may touch: variables with whether they may be written, random counters and keys."""

    __slots__ = ("refs", "written", "rng", "rng_keys")

    def __init__(self) -> None:
        self.refs: dict[str, VarRef] = {}
        self.written: set[str] = set()
        self.rng: list[str] = []
        self.rng_keys: list[str] = []

    def add(self, ops: Iterable[Operation], args: dict[Tensor, Any], scope: str = "") -> None:
        for op in ops:
            spec = op.spec
            if op.type in VARIABLES:
                continue
            inner = functions_of(op)
            if inner:
                for f, first in inner:
                    sub = {
                        a: r
                        for a, t in zip(f.inputs, op._inputs[first:], strict=False)
                        if (r := static_ref(t, args)) is not None
                    }
                    self.add(function_ops(f), sub, f"{f.name}/")
                continue
            if spec.stateful and "seed2" in op._attrs:
                self.rng.append(f"rng/{scope}{op.name}")
                if not op._attrs.get("seed") and not op._attrs["seed2"]:
                    self.rng_keys.append(f"rngkey/{scope}{op.name}")
            for i, t in enumerate(op._inputs):
                if not (t._dtype._is_ref_dtype or t._dtype is dtypes.resource):
                    continue
                ref = static_ref(t, args)
                if ref is None:
                    continue
                self.refs[ref.key] = ref
                if op.type in _READERS or op.type in _PASS:
                    continue
                if t._dtype is dtypes.resource or _declared_ref(op, i):
                    self.written.add(ref.key)


def late_reads(ops: Iterable[Operation], args: dict[Tensor, Any]) -> dict[Operation, dict[int, Tensor]]:
    """Input index → reference to read instead, for nodes that use `v/read` but wait for a write to `v`.

    In TensorFlow the Identity of a reference shares the variable's memory: whoever runs after a write sees what was written,
    however early the Identity ran. `ops` must be in the order they run.
    """
    ops = list(ops)
    readers = {
        o: ref.key
        for o in ops
        if o.type == "Identity"
        and o._inputs[0]._dtype._is_ref_dtype
        and (ref := static_ref(o._inputs[0], args)) is not None
    }
    late: dict[Operation, dict[int, Tensor]] = {}
    if not readers:
        return late
    bits = {key: 1 << i for i, key in enumerate(dict.fromkeys(readers.values()))}
    written: dict[Operation, int] = {}  # the variables that a node, or any node it waits for, writes
    for o in ops:
        mask = 0
        for t in o._inputs:
            mask |= written.get(t._op, 0)
        for c in o._control_inputs:
            mask |= written.get(c, 0)
        if mask:
            for i, t in enumerate(o._inputs):
                key = readers.get(t._op)
                if key is not None and mask & bits[key]:
                    late.setdefault(o, {})[i] = t._op._inputs[0]
        if o.spec.stateful or functions_of(o):
            touched = Touched()
            touched.add([o], args)
            for key in touched.written:
                mask |= bits.get(key, 0)
        if mask:
            written[o] = mask
    return late


def _declared_ref(op: Operation, i: int) -> bool:
    for a in op.spec.inputs:
        n = op._attrs[a.number_attr] if a.number_attr else len(op._attrs[a.type_list_attr]) if a.type_list_attr else 1
        if i < n:
            return a.is_ref
        i -= n
    return False
