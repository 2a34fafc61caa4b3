"""TensorFlow 1's dataflow control flow (Enter, Merge, Switch, Exit, NextIteration) raised to functional While and If nodes.

Works on the NodeDefs of one graph or function body before they are added: every frame becomes a While whose Exit nodes stay as
identities under their names, every conditional an If whose Merge nodes do. Nested constructs are raised when the body that
holds them is built. The gradient of a conditional, which uses values of the forward branches, becomes a second If: nodes are
staged by how many Merges of the same predicate lie before them, and what a later stage needs is an extra output of the earlier.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from hornbeam.core import dtypes
from hornbeam.core.dtypes import DType
from hornbeam.core.function import FuncGraph, Function, unique_function_name
from hornbeam.core.graph import Operation, Tensor, output_types
from hornbeam.core.registry import get
from hornbeam.core.tensor_shape import Shape

ENTER = frozenset(["Enter", "RefEnter"])
EXIT = frozenset(["Exit", "RefExit"])
MERGE = frozenset(["Merge", "RefMerge"])
SWITCH = frozenset(["Switch", "RefSwitch"])
NEXT = frozenset(["NextIteration", "RefNextIteration"])
V1_CONTROL_FLOW = ENTER | EXIT | MERGE | SWITCH | NEXT | {"LoopCond"}


@dataclass(slots=True)
class Raised:
    """A node to be built from Python rather than from a NodeDef; it has the fields of one that the importer reads."""

    name: str
    op: str
    input: list[str]
    build: Any  # (importer, input tensors) -> Operation
    device: str = ""
    attr: dict[str, Any] = field(default_factory=dict)


def _base(ref: str) -> str:
    return ref.lstrip("^").rsplit(":", 1)[0] if ":" in ref else ref.lstrip("^")


def _port(ref: str) -> int:
    return int(ref.rsplit(":", 1)[1]) if ":" in ref else 0


def _data(n: Any) -> list[str]:
    return [i for i in n.input if not i.startswith("^")]


def _users(nodes: Iterable[Any]) -> dict[str, list[str]]:
    users: dict[str, list[str]] = defaultdict(list)
    for n in nodes:
        for i in n.input:
            users[_base(i)].append(n.name)
    return users


def raise_control_flow(nodes: Sequence[Any], importer: Any) -> list[Any]:
    """The nodes with this level's loops and conditionals replaced; untouched when there are none."""
    if not any(n.op in V1_CONTROL_FLOW for n in nodes):
        return list(nodes)
    return _raise_conditionals(_raise_loops(list(nodes), importer), importer)


def _dtype(n: Any) -> DType:
    d = dtypes.as_dtype(n.attr["T"].type)
    return d._as_ref if n.op.startswith("Ref") else d


def _submodule(
    importer: Any, name: str, nodes: Sequence[Any], args: Sequence[tuple[str, DType, Shape]], results: Sequence[str]
) -> tuple[FuncGraph, list[Tensor], list[Tensor], list[Operation]]:
    """A body: `args` are (tensor name in the outer graph, dtype, shape), `results` tensor names. (graph, args, results, side effects)."""
    graph = FuncGraph(name, importer.graph)
    inner: dict[str, Tensor] = {}
    arguments: list[Tensor] = []
    by_name = {n.name for n in nodes}
    for i, (ref, dtype, shape) in enumerate(args):
        label = f"arg{i}"
        while label in by_name:
            label += "_"
        t = graph.add_argument(dtype.base_dtype, shape, label)
        t._dtype = dtype
        arguments.append(t)
        key = ref if ":" in ref else ref + ":0"
        inner[key] = t
    cleaned = []
    for n in nodes:
        if isinstance(n, Raised):
            n.input[:] = [i for i in n.input if not i.startswith("^") or i[1:] in by_name]
            cleaned.append(n)
            continue
        m = type(n)()
        m.CopyFrom(n)
        del m.input[:]
        m.input.extend(i for i in n.input if not i.startswith("^") or i[1:] in by_name)
        cleaned.append(m)
    with graph.as_default():
        made = importer.sub(graph, cleaned, inner).run()
    outs = []
    for r in results:
        key = r if ":" in r else r + ":0"
        outs.append(inner[key] if key in inner else made[_base(r)].outputs[_port(r)])
    effects = [
        o
        for o in made.values()
        if o.spec.stateful and o.type not in ("VariableV2", "VarHandleOp") and "seed2" not in o._attrs
    ]
    graph.outputs = outs
    return graph, arguments, outs, effects


def _function(
    importer: Any, base: str, nodes: Sequence[Any], args: Sequence[tuple[str, DType, Shape]], results: Sequence[str]
) -> Function:
    name = unique_function_name(importer.graph, base.replace("/", "_"))
    graph, arguments, outs, effects = _submodule(importer, name, nodes, args, results)
    f = Function(name, graph, arguments, outs, effects)
    root = importer.graph
    while root.outer_graph is not None:
        root = root.outer_graph
    root._add_function(f)
    return f


# --- loops -------------------------------------------------------------------------------------------------------------
def _raise_loops(nodes: list[Any], importer: Any) -> list[Any]:
    by_name = {n.name: n for n in nodes}
    frames: dict[bytes, list[Any]] = defaultdict(list)
    for n in nodes:
        if n.op in ENTER:
            frames[n.attr["frame_name"].s].append(n)
    if not frames:
        return nodes
    users = _users(nodes)
    members: dict[bytes, set[str]] = {}
    exits: dict[bytes, list[Any]] = {}
    for name, enters in frames.items():
        own_merges = {
            u for e in enters for u in users[e.name] if by_name[u].op in MERGE and _base(by_name[u].input[0]) == e.name
        }
        own_switches = {
            u for m in own_merges for u in users[m] if by_name[u].op in SWITCH and _base(by_name[u].input[0]) == m
        }
        own_exits = {u for s in own_switches for u in users[s] if by_name[u].op in EXIT}
        seen = {e.name for e in enters}
        stack = list(seen)
        while stack:
            for u in users[stack.pop()]:
                if u not in seen:
                    seen.add(u)
                    if u not in own_exits:
                        stack.append(u)
        members[name] = seen
        exits[name] = [n for n in nodes if n.name in own_exits]

    def within(f: bytes, g: bytes) -> bool:
        return (
            g != f and any(e.name in members[g] for e in frames[f]) and not any(e.name in members[f] for e in frames[g])
        )

    outermost = [f for f in frames if not any(within(f, g) for g in frames)]
    gone: set[str] = set()
    made: list[Any] = []
    for f in outermost:
        made += _loop(f.decode(), frames[f], members[f], exits[f], by_name, users, importer)
        gone |= members[f]
    return [n for n in nodes if n.name not in gone] + made


def _loop(
    frame: str,
    enters: list[Any],
    members: set[str],
    exits: list[Any],
    by_name: dict[str, Any],
    users: dict[str, list[str]],
    importer: Any,
) -> list[Any]:
    variables: list[tuple[Any, Any, Any]] = []  # Enter, Merge, Switch
    invariants: list[Any] = []
    for e in enters:
        merges = [by_name[u] for u in users[e.name] if by_name[u].op in MERGE and _base(by_name[u].input[0]) == e.name]
        if not merges:
            invariants.append(e)
            continue
        m = merges[0]
        switch = next(
            (by_name[u] for u in users[m.name] if by_name[u].op in SWITCH and _base(by_name[u].input[0]) == m.name),
            None,
        )
        variables.append((e, m, switch))
    loop_cond = next(
        (by_name[m] for m in members if by_name[m].op == "LoopCond" and _is_cond_of(by_name[m], variables)), None
    )
    if loop_cond is None:
        raise ValueError(f"Loop '{frame}' has no LoopCond node: its graph cannot be raised to a While.")
    skeleton = (
        {n.name for v in variables for n in v if n is not None}
        | {e.name for e in enters}
        | {x.name for x in exits}
        | {loop_cond.name}
    )
    nexts = {}
    for e, m, _ in variables:
        n = by_name[_base(m.input[1])]
        nexts[e.name] = n
        skeleton.add(n.name)
    inside = [by_name[m] for m in members if m not in skeleton]
    inside.sort(key=lambda n: importer.position.get(n.name, 1 << 30))
    cond_roots = [_base(loop_cond.input[0])]
    cond_nodes = _ancestors(cond_roots, by_name, {n.name for n in inside})
    inside_names = {n.name for n in inside}
    body_nodes = inside_names - (
        cond_nodes - _ancestors([_base(nexts[e.name].input[0]) for e, _, _ in variables], by_name, inside_names)
    )
    cond_list = [n for n in inside if n.name in cond_nodes]
    body_list = [n for n in inside if n.name in body_nodes]
    entering = [e for e, _, _ in variables] + invariants
    types = [_dtype(e) for e in entering]
    outside = list(dict.fromkeys(i for n in (*cond_list, *body_list) for i in _data(n) if _base(i) not in members))
    invariant_refs = [e.name for e in invariants] + outside
    cond_refs = [m.name for _, m, _ in variables] + invariant_refs
    body_refs = [f"{s.name}:1" if s is not None else f"{m.name}//unused:1" for _, m, s in variables] + invariant_refs
    results = [nexts[e.name].input[0] for e, _, _ in variables] + invariant_refs
    name = frame if frame not in by_name else frame + "/While"

    def build(imp: Any, inputs: list[Tensor]) -> Operation:
        types[len(entering) :] = [t.dtype for t in inputs[len(entering) :]]
        shapes = [t._shape for t in inputs]
        base = imp.prefix + frame
        body: Function | None = None
        for _ in range(4):  # a variable whose shape the body changes gets the common, less specific shape
            body = _function(imp, base + "_body", body_list, list(zip(body_refs, types, shapes, strict=True)), results)
            merged = [_common(s, t._shape) for s, t in zip(shapes, body.outputs, strict=True)]
            if merged == shapes:
                break
            shapes = merged
        assert body is not None
        cond = _function(
            imp, base + "_cond", cond_list, list(zip(cond_refs, types, shapes, strict=True)), [loop_cond.input[0]]
        )
        attrs = {
            "T": [t.base_dtype for t in types], "cond": cond, "body": body, "output_shapes": list(shapes),
            "parallel_iterations": enters[0].attr["parallel_iterations"].i or 10,
        }  # fmt: skip
        op = imp.graph.add_node(get("While"), imp.prefix + name, inputs, attrs, control_inputs=[], infer_shapes=False)
        for t, s in zip(op.outputs, shapes, strict=True):
            t._shape = s
        return op  # type: ignore[no-any-return]

    controls = sorted({i for e in enters for i in e.input if i.startswith("^")})
    out: list[Any] = [Raised(name, "While", [_data(e)[0] for e in entering] + outside + controls, build)]
    slot = {s.name: k for k, (_, _, s) in enumerate(variables) if s is not None}
    for x in exits:
        k = slot[_base(x.input[0])]
        out.append(_identity(x.name, f"{name}:{k}", types[k], x))
    return out


def _is_cond_of(loop_cond: Any, variables: Sequence[tuple[Any, Any, Any]]) -> bool:
    return any(s is not None and _base(s.input[1]) == loop_cond.name for _, _, s in variables)


def _common(a: Shape, b: Shape) -> Shape:
    if a is None or b is None or len(a) != len(b):
        return None
    return tuple(x if x == y else None for x, y in zip(a, b, strict=True))


def _ancestors(roots: Iterable[str], by_name: dict[str, Any], allowed: set[str]) -> set[str]:
    seen: set[str] = set()
    stack = [r for r in roots if r in allowed]
    while stack:
        n = stack.pop()
        if n in seen:
            continue
        seen.add(n)
        stack += [b for b in (_base(i) for i in by_name[n].input) if b in allowed and b not in seen]
    return seen


def _identity(name: str, source: str, dtype: DType, like: Any) -> Any:
    n = type(like)(name=name, op="Identity", device=like.device)
    n.input.append(source)
    n.input.extend(i for i in like.input if i.startswith("^"))
    n.attr["T"].type = dtype.base_dtype.as_datatype_enum
    return n


# --- conditionals ----------------------------------------------------------------------------------------------------------
def _raise_conditionals(nodes: list[Any], importer: Any) -> list[Any]:
    while True:
        by_name = {n.name: n for n in nodes}
        switches: dict[str, list[Any]] = defaultdict(list)
        for n in nodes:
            if n.op in SWITCH:
                switches[_pred(n.input[1], by_name)].append(n)
        if not switches:
            return nodes
        users = _users_of(nodes)
        sides = {p: (_side(s, 1, users), _side(s, 0, users)) for p, s in switches.items()}
        outer = next(
            (
                p
                for p in switches
                if not any(q != p and any(s.name in sides[q][0] | sides[q][1] for s in switches[p]) for q in switches)
            ),
            None,
        )
        if outer is None:
            raise ValueError(f"Conditionals on {sorted(switches)[:3]} contain each other: the graph cannot be raised.")
        nodes = _conditional(outer, switches[outer], sides[outer], nodes, by_name, importer)


def _pred(ref: str, by_name: dict[str, Any]) -> str:
    """The predicate's source, through identities, so that all switches of one `tf.cond` agree."""
    seen = 0
    while seen < 32:
        n = by_name.get(_base(ref))
        if n is None or n.op != "Identity" or _port(ref):
            break
        ref = _data(n)[0]
        seen += 1
    return ref if ":" in ref else ref + ":0"


def _users_of(nodes: Iterable[Any]) -> dict[str, list[Any]]:
    users: dict[str, list[Any]] = defaultdict(list)
    for n in nodes:
        for i in n.input:
            users[_base(i)].append(n)
    return users


def _side(switches: Sequence[Any], port: int, users: dict[str, list[Any]]) -> set[str]:
    """Nodes that run only when the switches give their output `port`; a Merge belongs when all its inputs do."""
    inside: set[str] = set()
    own = {s.name for s in switches}
    stack: list[Any] = [
        u
        for s in switches
        for u in users[s.name]
        if any(_base(i) == s.name and _port(i) == port and not i.startswith("^") for i in u.input)
    ]
    live = {(s.name, port) for s in switches}
    while stack:
        n = stack.pop()
        if n.name in inside or n.name in own:
            continue
        if n.op in MERGE and not all(_base(i) in inside or (_base(i), _port(i)) in live for i in _data(n)):
            continue
        inside.add(n.name)
        stack += users[n.name]  # a Merge seen before one of its inputs was is looked at again
    return inside


def _conditional(
    pred: str,
    switches: list[Any],
    sides: tuple[set[str], set[str]],
    nodes: list[Any],
    by_name: dict[str, Any],
    importer: Any,
) -> list[Any]:
    true_set, false_set = sides
    own = {s.name: s for s in switches}
    merges = []
    for n in nodes:
        if n.op in MERGE and n.name not in true_set and n.name not in false_set:
            kinds = {_which(i, own, true_set, false_set) for i in _data(n)}
            if kinds == {True, False}:
                merges.append(n)
    members = true_set | false_set
    merge_names = {m.name for m in merges}
    stage = _stages(nodes, own, members, merge_names)
    last = max((stage[m] for m in merge_names), default=0)
    out = [n for n in nodes if n.name not in members and n.name not in own and n.name not in merge_names]
    crossing: dict[str, tuple[int, bool]] = {}  # tensor of an earlier stage that a later one uses: its stage, its side
    for n in nodes:
        if n.name in members:
            for i in _data(n):
                b = _base(i)
                if b in members and stage[b] < stage[n.name]:
                    crossing[i if ":" in i else i + ":0"] = (stage[b], b in true_set)
        elif n.name not in merge_names and n.name not in own:
            for i in _data(n):
                if _base(i) in members or _base(i) in own:
                    raise ValueError(
                        f"Node '{n.name}' uses '{i}', which exists in one branch of the condition '{pred}' only."
                    )
    exported: dict[str, str] = {}  # crossing tensor → output of the If that makes it
    for k in range(last + 1):
        out += _stage_if(k, pred, own, merges, stage, true_set, false_set, crossing, exported, nodes, by_name, importer)
    return out


def _which(ref: str, own: dict[str, Any], true_set: set[str], false_set: set[str]) -> bool | None:
    b = _base(ref)
    if b in own:
        return _port(ref) == 1
    return True if b in true_set else False if b in false_set else None


def _stages(nodes: list[Any], own: dict[str, Any], members: set[str], merges: set[str]) -> dict[str, int]:
    """How many Merges of this conditional lie on the way to each node."""
    by_name = {n.name: n for n in nodes}
    stage: dict[str, int] = {}
    for root in by_name:
        stack = [root]
        while stack:
            name = stack[-1]
            if name in stage:
                stack.pop()
                continue
            todo = [b for b in (_base(i) for i in by_name[name].input) if b in by_name and b not in stage]
            if todo and name not in stack[:-1]:
                stack += todo
                if len(stack) > 4 * len(by_name) + 64:
                    raise ValueError(f"The graph has a cycle through '{name}'.")
                continue
            level = 0
            for i in by_name[name].input:
                b = _base(i)
                level = max(level, stage.get(b, 0) + (1 if b in merges else 0))
            stage[name] = level
            stack.pop()
    return stage


def _stage_if(
    k: int, pred: str, own: dict[str, Any], merges: list[Any], stage: dict[str, int], true_set: set[str], false_set: set[str],
    crossing: dict[str, tuple[int, bool]], exported: dict[str, str], nodes: list[Any], by_name: dict[str, Any], importer: Any,
) -> list[Any]:  # fmt: skip
    mine = [n for n in nodes if n.name in (true_set | false_set) and stage[n.name] == k]
    my_merges = [m for m in merges if stage[m.name] == k]
    leaving = [c for c, (s, _) in crossing.items() if s == k]
    if not my_merges and not leaving and not any(get_stateful(n) for n in mine):
        return []
    names = {n.name for n in mine}
    used: dict[str, None] = {}
    for n in mine:
        for i in _data(n):
            b = _base(i)
            if b in own:
                used[b] = None
    for m in my_merges:
        for i in _data(m):
            if _base(i) in own:
                used[_base(i)] = None
    switches = [own[s] for s in used]
    brought = [
        c
        for c in exported
        if any(_same(i, c) for n in mine for i in _data(n)) or any(_same(i, c) for m in my_merges for i in _data(m))
    ]
    both = true_set | false_set
    outside: dict[str, None] = {}  # values from around the conditional that reach it without a Switch
    for i in (*(i for n in mine for i in _data(n)), *(i for m in my_merges for i in _data(m))):
        if _base(i) not in both and _base(i) not in own:
            outside[i] = None
    base_name = _if_name(pred, k, own, by_name, nodes)
    plain_inputs = [_data(s)[0] for s in switches]
    pair: list[tuple[str, str]] = []
    for m in my_merges:
        refs = {_which(i, own, true_set, false_set): i for i in _data(m)}
        pair.append((refs[True], refs[False]))
    indexed = [
        m
        for m in my_merges
        if any(_base(i) == m.name and _port(i) == 1 and not i.startswith("^") for n in nodes for i in n.input)
    ]
    merge_types = [_dtype(m) for m in my_merges]

    def build(imp: Any, inputs: list[Tensor]) -> Operation:
        tensors = inputs[1:]

        def branch(side: bool) -> Function:
            args = [(f"{s.name}:{int(side)}", _dtype(s), t._shape) for s, t in zip(switches, tensors, strict=False)]
            args += [
                (c, t.dtype, t._shape) for c, t in zip((*brought, *outside), tensors[len(switches) :], strict=True)
            ]
            body = [n for n in mine if (n.name in true_set) == side]
            results = [p[0] if side else p[1] for p in pair]
            f = _function(
                imp,
                f"{imp.prefix}{base_name}_{'true' if side else 'false'}",
                body,
                args,
                results + [c for c in leaving if crossing[c][1] == side],
            )
            return _completed(f, side)

        def _completed(f: Function, side: bool) -> Function:
            """Adds which branch ran, per Merge that is asked, and stand-ins for what only the other branch makes."""
            from hornbeam.core.constant import const_node

            n = len(pair)
            real = dict(zip([c for c in leaving if crossing[c][1] == side], f.outputs[n:], strict=True))
            outs = list(f.outputs[:n])
            with f.graph.as_default():
                for m in indexed:
                    import numpy as np

                    port = next(j for j, i in enumerate(_data(m)) if _which(i, own, true_set, false_set) == side)
                    outs.append(const_node(np.array(port, np.int32), name="value_index", graph=f.graph))
                for c in leaving:
                    if c in real:
                        outs.append(real[c])
                    else:
                        dtype = _tensor_dtype(c, by_name, imp)
                        outs.append(get("FakeParam")(dtype=dtype.base_dtype, shape=None))
            f.outputs = outs
            f.graph.outputs = outs  # type: ignore[attr-defined]
            return f

        then, other = branch(True), branch(False)
        attrs = {
            "Tcond": inputs[0].dtype.base_dtype, "Tin": [t.dtype.base_dtype for t in tensors], "Tout": [t.dtype.base_dtype for t in then.outputs],
            "then_branch": then, "else_branch": other, "output_shapes": [],
        }  # fmt: skip
        op = imp.graph.add_node(get("If"), imp.prefix + base_name, inputs, attrs, control_inputs=[], infer_shapes=False)
        for t, a, b in zip(op.outputs, then.outputs, other.outputs, strict=True):
            m = (
                a._shape
                if b.op.type == "FakeParam"
                else b._shape
                if a.op.type == "FakeParam"
                else _common(a._shape, b._shape)
            )
            t._shape = m if m is None or isinstance(m, tuple) else None
        return op  # type: ignore[no-any-return]

    controls = sorted(
        {
            i
            for s in switches
            for i in s.input
            if i.startswith("^") and i[1:] not in names and i[1:] not in true_set | false_set
        }
        | {
            i
            for n in mine
            for i in n.input
            if i.startswith("^") and i[1:] not in true_set | false_set and i[1:] not in own
        }
    )
    out: list[Any] = [
        Raised(base_name, "If", [pred, *plain_inputs, *(exported[c] for c in brought), *outside, *controls], build)
    ]
    for j, (m, dtype) in enumerate(zip(my_merges, merge_types, strict=True)):
        if m in indexed:
            n = type(m)(name=m.name, op="IdentityN", device=m.device)
            n.input.extend([f"{base_name}:{j}", f"{base_name}:{len(pair) + indexed.index(m)}"])
            n.attr["T"].list.type.extend([dtype.base_dtype.as_datatype_enum, dtypes.int32.as_datatype_enum])
            out.append(n)
        else:
            n = _identity(m.name, f"{base_name}:{j}", dtype, m)
            del n.input[1:]
            out.append(n)
    for j, c in enumerate(leaving):
        exported[c] = f"{base_name}:{len(pair) + len(indexed) + j}"
    return out


def get_stateful(n: Any) -> bool:
    if isinstance(n, Raised):
        return True
    from hornbeam.core.registry import lookup

    spec = lookup(n.op)
    return spec is not None and spec.stateful and "seed2" not in n.attr


def _same(ref: str, key: str) -> bool:
    return (ref if ":" in ref else ref + ":0") == key


def _if_name(pred: str, k: int, own: dict[str, Any], by_name: dict[str, Any], nodes: list[Any]) -> str:
    prefix = min((s.rsplit("/", 1)[0] if "/" in s else s for s in own), key=len)
    name = f"{prefix}/If" if k == 0 else f"{prefix}/If_{k}"
    while name in by_name or any(n.name == name for n in nodes):
        name += "_"
    return name


def _tensor_dtype(ref: str, by_name: dict[str, Any], importer: Any) -> DType:
    from hornbeam.core.graph import fill_defaults
    from hornbeam.core.node_def import from_attr_value

    n = by_name[_base(ref)]
    if isinstance(n, Raised):
        raise ValueError(f"The type of '{ref}' is not known before its node is built.")
    spec = importer.spec_of(n.op)
    attrs = {
        a: from_attr_value(v, spec.attrs[a].kind if a in spec.attrs else None, importer.graph)
        for a, v in n.attr.items()
    }
    fill_defaults(spec, attrs)
    return output_types(spec, attrs)[_port(ref)]
