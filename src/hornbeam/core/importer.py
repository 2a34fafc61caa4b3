"""`import_graph_def`: GraphDef into a graph, with input_map, return_elements, prefix and TensorFlow's errors; function bodies."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Sequence
from typing import Any

from hornbeam.core import dtypes, errors, registry
from hornbeam.core.function import FuncGraph
from hornbeam.core.graph import (
    Graph,
    Operation,
    Tensor,
    convert_to_tensor,
    fill_defaults,
    get_default_graph,
    infer_output_shapes,
    input_types,
)  # fmt: skip
from hornbeam.core.node_def import ImportedFunction, from_attr_value, op_def_to_spec
from hornbeam.core.raising import Raised, raise_control_flow
from hornbeam.core.registry import OpSpec
from hornbeam.core.tensor_shape import to_tuple

_PLACEHOLDER_SHAPES = 24  # before this GraphDef version a placeholder's scalar shape meant "unknown"


def import_graph_def(
    graph_def: Any,
    input_map: dict[str, Any] | None = None,
    return_elements: Sequence[str] | None = None,
    name: str | None = None,
    op_dict: Any = None,
    producer_op_list: Any = None,
) -> list[Any] | None:
    """Adds the nodes of a GraphDef to the default graph under `name` (default "import"; "" for none).

    `input_map` replaces tensors ("a:0", "a" or "^a") by existing ones; the elements named in `return_elements` are returned.
    Raises ValueError for a malformed graph or a missing name, NotFoundError listing every unregistered op type.
    """
    from hornbeam.proto import GraphDef

    if not isinstance(graph_def, GraphDef):
        if not hasattr(graph_def, "SerializeToString"):
            raise TypeError(f"graph_def must be a GraphDef proto, not {type(graph_def).__name__}.")
        graph_def = GraphDef.FromString(graph_def.SerializeToString())
    input_map = dict(input_map or {})
    for k in input_map:
        if not isinstance(k, str):
            raise TypeError("input_map must be a dictionary mapping strings to Tensor objects.")
    if return_elements is not None and (
        isinstance(return_elements, str) or not all(isinstance(e, str) for e in return_elements)
    ):
        raise TypeError("return_elements must be a list of strings.")
    graph = get_default_graph()
    if name == "":
        prefix = ""
    else:
        with graph.name_scope("import" if name is None else name) as scope:
            prefix = scope
    if input_map:
        scope_name = prefix or graph.get_name_scope() + "/" if graph.get_name_scope() else prefix
        with graph.name_scope((scope_name or "") + "_inputs" if scope_name else "_inputs"[1:]):
            mapped: dict[str, Any] = {}
            for k, v in input_map.items():
                mapped[k] = v if k.startswith("^") else convert_to_tensor(v)
        input_map = {_normal(k): v for k, v in mapped.items()}
    elif graph.get_name_scope() and prefix == "":
        prefix = graph.get_name_scope() + "/"
    _import_library(graph_def, graph)
    default_attrs = {o.name: o for o in producer_op_list.op} if producer_op_list is not None else {}
    made = _Importer(graph, graph_def.node, prefix, input_map, default_attrs, graph_def.versions.producer).run()
    return _returned(made, return_elements) if return_elements is not None else None


def _normal(name: str) -> str:
    if name.startswith("^") or ":" in name:
        return name
    return name + ":0"


def _import_library(graph_def: Any, graph: Graph) -> None:
    root = graph
    for f in graph_def.library.function:
        if f.signature.name not in root._functions:
            root._functions[f.signature.name] = ImportedFunction(f, root)
    for g in graph_def.library.gradient:
        if g.function_name in root._functions:
            root._functions[g.function_name].gradient_name = g.gradient_func


def _returned(made: dict[str, Operation], elements: Sequence[str]) -> list[Any]:
    out: list[Any] = []
    for e in elements:
        op_name, _, index = e.partition(":")
        op = made.get(op_name)
        if op is None or index and (not index.isdigit() or int(index) >= len(op.outputs)):
            raise ValueError(f"Requested return_element '{e}' not found in graph_def.")
        out.append(op.outputs[int(index)] if index else op)
    return out


class _Importer:
    """Adds NodeDefs in dependency order; inputs are resolved by name, back edges are refused by name."""

    def __init__(
        self,
        graph: Graph,
        nodes: Sequence[Any],
        prefix: str,
        input_map: dict[str, Any],
        producer_ops: dict[str, Any],
        producer: int = 0,
    ) -> None:
        self.graph = graph
        self.nodes = nodes
        self.prefix = prefix
        self.input_map = input_map
        self.producer_ops = producer_ops
        self.producer = producer
        self.used_map: set[str] = set()
        self.made: dict[str, Operation] = {}
        self.specs: dict[str, OpSpec] = {}
        self.position: dict[str, int] = {}
        self.partial_map = False  # whether names in the map may be absent (arguments nobody uses)

    def sub(self, graph: Graph, nodes: Sequence[Any], input_map: dict[str, Any]) -> _Importer:
        """An importer for a body raised out of these nodes."""
        inner = _Importer(graph, nodes, "", input_map, self.producer_ops)
        inner.position = self.position
        inner.partial_map = True
        inner.producer = self.producer
        return inner

    def spec_of(self, op_type: str) -> OpSpec:
        return self.specs.get(op_type) or registry.get(op_type)

    def run(self) -> dict[str, Operation]:
        self._check_types()
        if not self.position:
            self.position = {n.name: i for i, n in enumerate(self.nodes)}
        self.nodes = raise_control_flow(self.nodes, self)
        by_name: dict[str, Any] = {}
        for n in self.nodes:
            if n.name in by_name:
                raise ValueError(f"Node '{n.name}' is not unique")
            by_name[n.name] = n
        order = self._ordered(by_name)
        for n in order:
            self.made[n.name] = self._add(n)
        given = () if self.partial_map else self.input_map
        missing = [k for k in given if k not in self.used_map and k.lstrip("^").split(":")[0] not in by_name]
        if missing:
            raise ValueError(f"Attempted to map inputs that were not found in graph_def: [{', '.join(missing)}]")
        for n in order:
            for i in n.input:
                if i.startswith("^") and not self._mapped_control(i):
                    self.made[n.name]._add_control_input(self.made[i[1:]])
        return self.made

    def _check_types(self) -> None:
        unknown: Counter[str] = Counter()
        where: dict[str, list[str]] = {}
        for n in self.nodes:
            if isinstance(n, Raised) or n.op in self.specs:
                continue
            spec = self._spec(n.op)
            if spec is None:
                unknown[n.op] += 1
                where.setdefault(n.op, []).append(n.name)
            else:
                self.specs[n.op] = spec
        if unknown:
            listing = "; ".join(
                f"'{k}' ({c} node{'s' if c > 1 else ''}, e.g. '{where[k][0]}')" for k, c in sorted(unknown.items())
            )
            raise errors.NotFoundError(
                None,
                None,
                f"Op type not registered: {listing}. 'hornbeam coverage --ops' lists the ops this version has.",
            )

    def _spec(self, op_type: str) -> OpSpec | None:
        spec = registry.lookup(op_type)
        if spec is not None:
            return spec
        f = self.graph._get_function(op_type)
        if f is None:
            return None
        return function_call_spec(f)

    def _edges(self, n: Any) -> list[str]:
        out = []
        for i in n.input:
            if i.startswith("^"):
                if not self._mapped_control(i):
                    out.append(i[1:])
            elif _normal(i) not in self.input_map:
                out.append(i.rsplit(":", 1)[0] if ":" in i else i)
            else:
                self.used_map.add(_normal(i))
        return out

    def _mapped_control(self, i: str) -> bool:
        return i in self.input_map

    def _ordered(self, by_name: dict[str, Any]) -> list[Any]:
        """Kahn's order that keeps the file's order where it can; a cycle is an error that names a node in it."""
        pending: dict[str, int] = {}
        users: dict[str, list[str]] = {}
        for n in self.nodes:
            names = set(self._edges(n))
            for e in names:
                if e not in by_name:
                    raise ValueError(f"Node '{n.name}': Unknown input node '{e}'")
                users.setdefault(e, []).append(n.name)
            pending[n.name] = len(names)
        ready = deque(n.name for n in self.nodes if pending[n.name] == 0)
        out: list[Any] = []
        while ready:
            name = ready.popleft()
            out.append(by_name[name])
            for u in users.get(name, ()):
                pending[u] -= 1
                if pending[u] == 0:
                    ready.append(u)
        if len(out) < len(by_name):
            stuck = [n for n, p in pending.items() if p > 0]
            raise ValueError(
                f"Graph is invalid, contains a cycle with {len(stuck)} nodes, including: {', '.join(stuck[:4])}"
            )
        position = {n.name: i for i, n in enumerate(self.nodes)}
        if all(position[e] < i for i, n in enumerate(self.nodes) for e in self._edges(n)):
            return list(self.nodes)
        return out

    def _input(self, n: Any, i: str) -> Tensor:
        key = _normal(i)
        if key in self.input_map:
            self.used_map.add(key)
            return self.input_map[key]  # type: ignore[no-any-return]
        op_name, _, index = key.rpartition(":")
        op = self.made[op_name]
        if not index.isdigit() or int(index) >= len(op.outputs):
            raise ValueError(
                f"Node '{n.name}': Connecting to invalid output {index} of source node {op_name} which has {len(op.outputs)} outputs."
            )
        return op.outputs[int(index)]

    def _add(self, n: Any) -> Operation:
        if isinstance(n, Raised):
            return n.build(self, [self._input(n, i) for i in n.input if not i.startswith("^")])  # type: ignore[no-any-return]
        spec = self.specs[n.op] if n.op in self.specs else registry.get(n.op)
        attrs: dict[str, Any] = {}
        for k, v in n.attr.items():
            a = spec.attrs.get(k)
            attrs[k] = from_attr_value(v, a.kind if a is not None else None, self.graph)
        producer = self.producer_ops.get(n.op)
        if producer is not None:  # attributes unknown here that only repeat the producer's default may go
            for a in producer.attr:
                if a.name in attrs and a.name not in spec.attrs and n.attr[a.name] == a.default_value:
                    del attrs[a.name]
        unknown = [k for k in attrs if k not in spec.attrs and not k.startswith("_")]
        if unknown and producer is not None:
            raise ValueError(f"NodeDef mentions attr '{unknown[0]}' not in Op<name={n.op}>; NodeDef: {n.name}")
        for k in unknown:
            del attrs[k]
        if n.op == "Placeholder" and attrs.get("shape") == () and 0 < self.producer < _PLACEHOLDER_SHAPES:
            attrs["shape"] = None
        inputs = [self._input(n, i) for i in n.input if not i.startswith("^")]
        try:
            fill_defaults(spec, attrs)
            expected = input_types(spec, attrs)
        except (TypeError, KeyError) as e:
            raise ValueError(f"Node '{n.name}' (op '{n.op}'): {e}") from None
        if len(expected) != len(inputs):
            raise ValueError(
                f"Node '{n.name}': NodeDef expected {len(expected)} inputs for op '{n.op}' but got {len(inputs)}."
            )
        for i, ((arg, want), t) in enumerate(zip(expected, inputs, strict=True)):
            if want is not None and t.dtype.base_dtype is not want.base_dtype:
                raise ValueError(
                    f"Input {i} of node {self.prefix}{n.name} was passed {t.dtype.base_dtype.name} from {t.name} incompatible with "
                    f"expected {want.name}."
                )
            if arg.is_ref and not t.dtype._is_ref_dtype and t.dtype is not dtypes.resource:
                raise ValueError(
                    f"Input {i} of node {self.prefix}{n.name} was passed {t.dtype.name} from {t.name} incompatible with expected {want.name}_ref."
                )
        full = self.prefix + n.name
        if full in self.graph._ops:
            raise ValueError(f"Node name '{full}' already exists in the Graph.")
        old, self.graph._name_stack = self.graph._name_stack, ""
        try:
            self.graph.unique_name(full)
        finally:
            self.graph._name_stack = old
        if "_class" in attrs and self.prefix:
            attrs["_class"] = [
                b"loc:@" + self.prefix.encode() + g[5:] if g.startswith(b"loc:@") else g for g in attrs["_class"]
            ]
        op = self.graph.add_node(
            spec, full, inputs, attrs, control_inputs=[], device=n.device or None, infer_shapes=False
        )
        self._shapes(op)
        if op.type == "Const":
            op.outputs[0]._const = attrs["value"]
        return op

    def _shapes(self, op: Operation) -> None:
        try:
            infer_output_shapes(op)
        except ValueError as e:
            raise ValueError(str(e)) from None
        recorded = op._attrs.pop("_output_shapes", None)
        if isinstance(recorded, list) and len(recorded) == len(op.outputs):
            for t, s in zip(op.outputs, recorded, strict=True):
                if t._shape is None:
                    t._shape = to_tuple(s)


def function_call_spec(f: Any) -> OpSpec:
    """The spec of a node whose op type is a library function's name."""
    from hornbeam.core.node_def import function_to_function_def

    spec = op_def_to_spec((f._def if isinstance(f, ImportedFunction) else function_to_function_def(f)).signature)
    spec.shape = lambda c: [None] * c.n_outputs
    return spec


def function_body(function_def: Any, outer: Graph) -> tuple[FuncGraph, list[Tensor], list[Tensor], list[Operation]]:
    """A FunctionDef's body as a graph: (graph, arguments, results, control outputs)."""
    from hornbeam.proto import NodeDef

    sig = function_def.signature
    graph = FuncGraph(sig.name, outer)
    args = []
    arg_attrs = function_def.arg_attr
    for i, a in enumerate(sig.input_arg):
        shape = None
        if i in arg_attrs and "_output_shapes" in arg_attrs[i].attr:
            shapes = arg_attrs[i].attr["_output_shapes"].list.shape
            shape = to_tuple(shapes[0]) if len(shapes) else None
        args.append(graph.add_argument(dtypes.as_dtype(a.type), shape, a.name))
    arg_of = {a.name: t for a, t in zip(sig.input_arg, args, strict=True)}
    for a, t in zip(sig.input_arg, args, strict=True):
        if t.op.name != a.name:  # argument names are unique, so the graph keeps them
            raise ValueError(f"Function '{sig.name}': argument name '{a.name}' is not usable")
    specs: dict[str, OpSpec] = {}
    by_name = {n.name: n for n in function_def.node_def}

    def spec_of(op_type: str) -> OpSpec:
        if op_type not in specs:
            s = registry.lookup(op_type)
            if s is None:
                f = graph._get_function(op_type)
                if f is None:
                    raise errors.NotFoundError(
                        None, None, f"Op type not registered '{op_type}' in function '{sig.name}'."
                    )
                s = function_call_spec(f)
            specs[op_type] = s
        return specs[op_type]

    def flat_name(ref: str) -> str:
        """`node:out:i` of a function body as `node:k` of a graph."""
        if ref.startswith("^"):
            return ref
        if ref in arg_of:
            return ref
        parts = ref.split(":")
        node = by_name.get(parts[0])
        if node is None:
            if parts[0] in arg_of:
                return parts[0]
            raise ValueError(f"Function '{sig.name}': input '{ref}' is not defined")
        if len(parts) == 1:
            return parts[0]
        spec = spec_of(node.op)
        attrs = {
            k: from_attr_value(v, spec.attrs[k].kind if k in spec.attrs else None, graph) for k, v in node.attr.items()
        }
        fill_defaults(spec, attrs)
        k = 0
        for o in spec.outputs:
            if o.name == parts[1]:
                return f"{parts[0]}:{k + int(parts[2])}"
            k += attrs[o.number_attr] if o.number_attr else len(attrs[o.type_list_attr]) if o.type_list_attr else 1
        raise ValueError(f"Function '{sig.name}': node '{parts[0]}' has no output '{parts[1]}'")

    nodes = []
    for n in function_def.node_def:
        m = NodeDef()
        m.CopyFrom(n)
        del m.input[:]
        m.input.extend(i for i in (flat_name(r) for r in n.input) if not (i.startswith("^") and i[1:] in arg_of))
        nodes.append(m)
    importer = _Importer(graph, nodes, "", {f"{k}:0": t for k, t in arg_of.items()}, {})
    importer.partial_map = True
    with graph.as_default():
        made = importer.run()
    results = []
    for o in sig.output_arg:
        ref = flat_name(function_def.ret[o.name])
        if ref in arg_of:
            results.append(arg_of[ref])
        else:
            name, _, index = ref.partition(":")
            results.append(made[name].outputs[int(index or 0)])
    control = [made[v] for v in function_def.control_ret.values() if v in made]
    graph.outputs = results
    return graph, args, results, control
