"""MetaGraphDef: a graph with its collections and saver, exported and imported (`tf.train.export_meta_graph`, `import_meta_graph`)."""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable, Iterable
from typing import Any

from hornbeam.core import errors, registry
from hornbeam.core.graph import Graph, GraphKeys, Operation, Tensor, get_default_graph
from hornbeam.core.importer import import_graph_def
from hornbeam.core.variables import Variable
from hornbeam.files.graph_io import read_graph, write_message
from hornbeam.proto import CollectionDef, GraphDef, MetaGraphDef, OpList, VariableDef

_PROTO_FUNCTIONS: dict[Any, tuple[Any, Callable[..., Any], Callable[..., Any]]] = {}


def register_proto_function(
    collection_name: Any, proto_type: Any = None, to_proto: Any = None, from_proto: Any = None
) -> None:
    """Says how the items of a collection become protos in a MetaGraphDef and come back."""
    _PROTO_FUNCTIONS[collection_name] = (proto_type, to_proto, from_proto)


# collections whose items are of modules that a program need not have imported before it loads a file
_REGISTERED_BY = {GraphKeys.QUEUE_RUNNERS: "hornbeam.api.queue_runner"}


def _functions_of(key: Any) -> tuple[Any, Callable[..., Any], Callable[..., Any]] | None:
    if key not in _PROTO_FUNCTIONS and key in _REGISTERED_BY:
        importlib.import_module(_REGISTERED_BY[key])
    return _PROTO_FUNCTIONS.get(key)


def _variable_to_proto(v: Any, export_scope: str | None = None) -> Any:
    return v.to_proto(export_scope=export_scope)


def _variable_from_proto(proto: Any, import_scope: str | None = None) -> Any:
    return Variable.from_proto(proto, import_scope=import_scope)


for _key in (
    GraphKeys.GLOBAL_VARIABLES, GraphKeys.TRAINABLE_VARIABLES, GraphKeys.MOVING_AVERAGE_VARIABLES, GraphKeys.LOCAL_VARIABLES,
    GraphKeys.MODEL_VARIABLES, GraphKeys.GLOBAL_STEP, GraphKeys.METRIC_VARIABLES,
):  # fmt: skip
    register_proto_function(_key, VariableDef, _variable_to_proto, _variable_from_proto)


# --- export ------------------------------------------------------------------------------------------------------------
def stripped_op_list_for_graph(graph_def: Any) -> Any:
    """The signatures of the op types a GraphDef and its functions use."""
    used = {n.op for n in graph_def.node}
    functions = {f.signature.name: f for f in graph_def.library.function}
    for f in functions.values():
        used |= {n.op for n in f.node_def}
    out = OpList()
    for name in sorted(used - set(functions)):
        spec = registry.lookup(name)
        if spec is not None:
            out.op.append(spec.op_def())
    return out


def create_meta_graph_def(
    meta_info_def: Any = None,
    graph_def: Any = None,
    saver_def: Any = None,
    collection_list: Iterable[Any] | None = None,
    graph: Graph | None = None,
    export_scope: str | None = None,
    strip_default_attrs: bool = False,
) -> Any:
    """A MetaGraphDef of `graph` (default: the default graph) with the listed collections (default: all that can be written)."""
    graph = graph or get_default_graph()
    out = MetaGraphDef()
    if meta_info_def is not None:
        out.meta_info_def.CopyFrom(meta_info_def)
    if graph_def is None:
        out.graph_def.CopyFrom(graph.as_graph_def(add_shapes=True))
    else:
        out.graph_def.CopyFrom(_ours(graph_def, GraphDef))
    if not out.meta_info_def.HasField("stripped_op_list"):
        out.meta_info_def.stripped_op_list.CopyFrom(stripped_op_list_for_graph(out.graph_def))
    if strip_default_attrs:
        strip_defaults(out)
    if not out.meta_info_def.tensorflow_version:
        out.meta_info_def.tensorflow_version = "1.15.5"
        out.meta_info_def.tensorflow_git_version = "hornbeam"
    if saver_def is not None:
        out.saver_def.CopyFrom(saver_def)
    for key in collection_list if collection_list is not None else graph.get_all_collection_keys():
        if isinstance(key, str):
            add_collection_def(out, key, graph, export_scope)
    return out


def _ours(message: Any, cls: Any) -> Any:
    return message if isinstance(message, cls) else cls.FromString(message.SerializeToString())


def strip_defaults(meta_graph_def: Any) -> None:
    """Removes attributes that only repeat their default, so that older readers need not know them."""
    from hornbeam.core.node_def import to_attr_value

    for node in meta_graph_def.graph_def.node:
        spec = registry.lookup(node.op)
        if spec is None:
            continue
        for name in list(node.attr):
            a = spec.attrs.get(name)
            if (
                a is not None
                and a.has_default
                and a.default is not None
                and node.attr[name] == to_attr_value(a.kind, a.default)
            ):
                del node.attr[name]
    meta_graph_def.meta_info_def.stripped_default_attrs = True


def add_collection_def(meta_graph_def: Any, key: str, graph: Graph, export_scope: str | None = None) -> None:
    """Writes one collection: protos, node names, strings, ints or floats; a collection of anything else is left out with a warning."""
    items = graph.get_collection(key)
    definition = CollectionDef()
    known = _functions_of(key)
    try:
        if known is not None and known[1] is not None:
            for item in items:
                proto = known[1](item, export_scope=export_scope)
                if proto is not None:
                    definition.bytes_list.value.append(proto.SerializeToString())
        else:
            kind = _kind(items)
            values: Any = getattr(definition, kind).value
            for item in items:
                if kind == "node_list":
                    if export_scope and not item.name.startswith(export_scope):
                        continue
                    values.append(_strip_scope(_graph_name(item), export_scope))
                elif kind == "bytes_list":
                    values.append(item.encode() if isinstance(item, str) else item)
                else:
                    values.append(item)
    except TypeError as e:
        from hornbeam.api.platform import warning

        warning(
            "Issue encountered when serializing %s.\nType is unsupported, or the types of the items don't match field type in CollectionDef.\n%s",
            key,
            e,
        )
        return
    meta_graph_def.collection_def[key].CopyFrom(definition)


def _graph_name(item: Any) -> str:
    return item.name if isinstance(item, (Tensor, Operation)) else item._as_graph_element().name  # type: ignore[no-any-return]


def _strip_scope(name: str, scope: str | None) -> str:
    return name[len(scope) + 1 :] if scope and name.startswith(scope + "/") else name


def _kind(items: list[Any]) -> str:
    kinds = set()
    for i in items:
        if isinstance(i, (Tensor, Operation)) or hasattr(i, "_as_graph_element"):
            kinds.add("node_list")
        elif isinstance(i, (str, bytes)):
            kinds.add("bytes_list")
        elif isinstance(i, bool):
            raise TypeError(f"{i!r} cannot be stored in a collection")
        elif isinstance(i, int):
            kinds.add("int64_list")
        elif isinstance(i, float):
            kinds.add("float_list")
        else:
            raise TypeError(f"'{type(i).__name__}' object has no attribute 'name'")
    if len(kinds) > 1:
        raise TypeError(f"the items are of several kinds: {sorted(kinds)}")
    return kinds.pop() if kinds else "node_list"


def export_meta_graph(
    filename: str | None = None,
    meta_info_def: Any = None,
    graph_def: Any = None,
    saver_def: Any = None,
    collection_list: Any = None,
    as_text: bool = False,
    graph: Graph | None = None,
    export_scope: str | None = None,
    clear_devices: bool = False,
    clear_extraneous_savers: bool = False,
    strip_default_attrs: bool = False,
    save_debug_info: bool = False,
    **kwargs: Any,
) -> Any:
    """The MetaGraphDef of a graph, or of the part under `export_scope`, also written to `filename` when given."""
    graph = graph or get_default_graph()
    if export_scope:
        graph_def = _scoped_graph_def(
            graph_def if graph_def is not None else graph.as_graph_def(add_shapes=True), export_scope
        )
    out = create_meta_graph_def(
        meta_info_def, graph_def, saver_def, collection_list, graph, export_scope, strip_default_attrs
    )
    if export_scope:
        _keep_existing(out)
    if clear_devices:
        for n in out.graph_def.node:
            n.device = ""
    if clear_extraneous_savers:
        _clear_extraneous_savers(out, saver_def)
    if filename:
        write_message(out, filename, as_text)
    return out


def _scoped_graph_def(graph_def: Any, scope: str) -> Any:
    out = GraphDef()
    out.versions.CopyFrom(graph_def.versions)
    out.library.CopyFrom(graph_def.library)
    prefix = scope.rstrip("/") + "/"
    for n in graph_def.node:
        if not n.name.startswith(prefix):
            continue
        m = out.node.add()
        m.CopyFrom(n)
        m.name = n.name[len(prefix) :]
        del m.input[:]
        for i in n.input:
            mark, name = ("^", i[1:]) if i.startswith("^") else ("", i)
            if name.startswith(prefix):
                m.input.append(mark + name[len(prefix) :])
            elif not mark:
                raise ValueError(
                    f"Node {n.name} in scope {scope} uses {name}, which is outside it: export the graph from a scope that holds both."
                )
    return out


def _keep_existing(meta_graph_def: Any) -> None:
    names = {n.name for n in meta_graph_def.graph_def.node}
    for key, c in meta_graph_def.collection_def.items():
        if key in _PROTO_FUNCTIONS and _PROTO_FUNCTIONS[key][0] is VariableDef:
            kept = [b for b in c.bytes_list.value if VariableDef.FromString(b).variable_name.split(":")[0] in names]
            del c.bytes_list.value[:]
            c.bytes_list.value.extend(kept)


def _clear_extraneous_savers(meta_graph_def: Any, saver_def: Any) -> None:
    keep = saver_def.save_tensor_name.split("/")[0] + "/" if saver_def is not None else None
    drop = {"SaveV2", "RestoreV2", "MergeV2Checkpoints"}
    prefixes = {n.name.split("/")[0] + "/" for n in meta_graph_def.graph_def.node if n.op in drop}
    prefixes.discard(keep or "")
    kept = [n for n in meta_graph_def.graph_def.node if not any(n.name.startswith(p) for p in prefixes)]
    del meta_graph_def.graph_def.node[:]
    meta_graph_def.graph_def.node.extend(kept)
    if "savers" in meta_graph_def.collection_def:
        del meta_graph_def.collection_def["savers"]


# --- import ------------------------------------------------------------------------------------------------------------------
def read_meta_graph_file(filename: str) -> Any:
    """A MetaGraphDef from a binary or text file."""
    if not os.path.exists(filename):
        raise OSError(f"File {filename} does not exist.")
    found = read_graph(filename)
    if not isinstance(found.message, MetaGraphDef):
        raise errors.InvalidArgumentError(None, None, f"{filename} holds a {found.kind}, not a MetaGraphDef.")
    return found.message


def import_scoped_meta_graph(
    meta_graph_or_file: Any,
    clear_devices: bool = False,
    graph: Graph | None = None,
    import_scope: str | None = None,
    input_map: Any = None,
    restore_collections_predicate: Callable[[str], bool] = lambda key: True,
    return_elements: Any = None,
) -> tuple[dict[str, Any], Any]:
    """Adds a MetaGraphDef's nodes and collections to a graph; gives ({variable name in the file: variable}, return elements)."""
    meta = (
        meta_graph_or_file
        if not isinstance(meta_graph_or_file, (str, bytes, os.PathLike))
        else read_meta_graph_file(os.fspath(meta_graph_or_file))
    )
    meta = _ours(meta, MetaGraphDef)
    graph = graph or get_default_graph()
    if clear_devices:
        for n in meta.graph_def.node:
            n.device = ""
    scope = import_scope
    with graph.as_default():
        if scope is None and graph.get_name_scope():
            scope = graph.get_name_scope()
        if import_scope:  # TF makes the scope name unique and uses what it got
            with graph.name_scope(import_scope) as full:
                scope = full.rstrip("/")
        elements = import_graph_def(
            meta.graph_def, input_map=input_map, return_elements=return_elements, name=(scope + "/") if scope else "",
            producer_op_list=meta.meta_info_def.stripped_op_list if meta.meta_info_def.HasField("stripped_op_list") else None,
        )  # fmt: skip
        variables = _restore_collections(meta, graph, scope, restore_collections_predicate)
    return variables, elements


def _restore_collections(meta: Any, graph: Graph, scope: str | None, wanted: Callable[[str], bool]) -> dict[str, Any]:
    made: dict[bytes, Any] = {}
    variables: dict[str, Any] = {}
    for key in sorted(meta.collection_def):
        if not wanted(key):
            continue
        c = meta.collection_def[key]
        field = c.WhichOneof("kind")
        if field is None:
            continue
        known = _functions_of(key)
        if known is not None and known[2] is not None and field == "bytes_list":
            for data in c.bytes_list.value:
                # one object for a variable that stands in several collections
                ident = data if known[0] is VariableDef else key.encode() + data
                if known[0] is VariableDef:
                    ident = VariableDef.FromString(data).variable_name.encode()
                item = made.get(ident)
                if item is None:
                    item = made[ident] = known[2](known[0].FromString(data), import_scope=scope)
                graph.add_to_collection(key, item)
                if known[0] is VariableDef and item is not None:
                    name = VariableDef.FromString(data).variable_name.split(":")[0]
                    variables[name] = item
        elif field == "node_list":
            for name in c.node_list.value:
                full = f"{scope}/{name}" if scope else name
                graph.add_to_collection(key, graph.as_graph_element(full))
        elif field == "int64_list":
            for v in c.int64_list.value:
                graph.add_to_collection(key, int(v))
        elif field == "any_list":
            for v in c.any_list.value:
                graph.add_to_collection(key, v)
        else:
            for v in getattr(c, field).value:
                graph.add_to_collection(key, v)
    return variables


__tf_exports__ = {
    "train.export_meta_graph": "export_meta_graph",
    "contrib.framework.register_proto_function": "register_proto_function",
    "python.framework.ops.register_proto_function": "register_proto_function",
    "python.framework.meta_graph.create_meta_graph_def": "create_meta_graph_def",
    "python.framework.meta_graph.export_scoped_meta_graph": "export_meta_graph",
    "python.framework.meta_graph.import_scoped_meta_graph": "import_scoped_meta_graph",
    "python.framework.meta_graph.read_meta_graph_file": "read_meta_graph_file",
    "python.framework.meta_graph.stripped_op_list_for_graph": "stripped_op_list_for_graph",
}
