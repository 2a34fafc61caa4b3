"""`hornbeam show`: one function for each kind of file, from its path or message to a Report."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

import numpy as np

from hornbeam.cli.detect import Found, detect
from hornbeam.cli.report import Report, Table

VARIABLE_OPS = {"Variable", "VariableV2", "VarHandleOp", "TemporaryVariable", "AutoReloadVariable"}
INPUT_OPS = {"Placeholder", "PlaceholderV2", "PlaceholderWithDefault"}


def inspect(path: str) -> Report:
    """What is in the file (or directory, or checkpoint prefix) at `path`. Raises ShowError, OSError, or a TensorFlow error."""
    path = os.fspath(path)
    found = detect(path.rstrip("/") or path)
    return KINDS[found.kind](found)


def _checkpoint(found: Found) -> Report:
    from hornbeam.files.bundle import BundleReader
    from hornbeam.files.checkpoint_reader import CheckpointReader

    v2 = os.path.exists(found.path + ".index")
    with CheckpointReader(found.path) as reader:
        rows = [_variable_row(n, reader.dtype(n), reader.shape(n)) for n in sorted(reader.keys())]
    facts: dict[str, Any] = {"format": "V2" if v2 else "V1"}
    if v2:
        with BundleReader(found.path) as bundle:
            facts["shards"] = bundle.shards
    facts |= {
        "variables": len(rows),
        "parameters": sum(int(np.prod(r[2], dtype=np.int64)) for r in rows),
        "bytes": sum(r[3] or 0 for r in rows),
    }
    return Report(
        "checkpoint", found.path, facts, [Table("tensors", "Tensors", ("name", "dtype", "shape", "bytes"), rows)]
    )


def _variable_row(name: str, dtype: Any, shape: Any) -> tuple[Any, ...]:
    known = shape is not None and all(d is not None and d >= 0 for d in shape)
    fixed = known and dtype.name != "string"
    count = int(np.prod(shape, dtype=np.int64)) if known else 0
    return name, dtype.name, None if shape is None else list(shape), count * dtype.size if fixed else None


def _graph(found: Found) -> Report:
    facts, tables = _graph_parts(found.message)
    return Report("graph (GraphDef)", found.path, facts, tables)


def _graph_parts(graph: Any, with_variables: bool = True) -> tuple[dict[str, Any], list[Table]]:
    """Facts and tables that every kind with a GraphDef in it shows."""
    ops = Counter(node.op for node in graph.node)
    facts: dict[str, Any] = {
        "nodes": len(graph.node),
        "functions": len(graph.library.function),
        "producer": graph.versions.producer,
        "constants_bytes": sum(n.attr["value"].ByteSize() for n in graph.node if n.op == "Const"),
    }
    devices = sorted({n.device for n in graph.node if n.device})
    if devices:
        facts["devices"] = devices
    inputs = [
        (n.name, n.op, *_dtype_shape(n)) for n in graph.node if n.op in INPUT_OPS and not _SCAFFOLD.search(n.name)
    ]
    results = [(n.name, n.op) for n in outputs(graph)]
    variables = [_variable_row(n.name, *_dtype_of(n)) for n in graph.node if n.op in VARIABLE_OPS]
    tables = [Table("inputs", "Inputs", ("name", "op", "dtype", "shape"), inputs)]
    tables.append(Table("outputs", "Outputs", ("name", "op"), results))
    if with_variables and variables:
        tables.append(Table("variables", "Variables", ("name", "dtype", "shape", "bytes"), variables))
    tables.append(Table("ops", "Ops by type", ("op", "count"), sorted(ops.items(), key=lambda r: (-r[1], r[0]))))
    return facts, [t for t in tables if t.rows]


_BOOKKEEPING = re.compile(
    r"(Assign|Apply|SparseApply|Resource|Scatter|Save|Restore|Sharded|NoOp|Const|Print|Assert|Merge.*Summary|Queue|ReadVariable|"
    r"Shape|Placeholder|Variable|VarHandle|VarIsInit|IsVariable|Iterator)|.*Summary(V2)?$"
)
_SCAFFOLD = re.compile(r"(^|/)(gradients|save|report_uninitialized_variables|init)(_\d+)?/")


def outputs(graph: Any) -> list[Any]:
    """The nodes that look like what the graph is for: computed from its inputs, consumed by nothing but bookkeeping.

    Summaries, assignments, gradients and savers are bookkeeping. Without inputs, every such node counts.
    """
    kept = [n for n in graph.node if not _BOOKKEEPING.match(n.op) and not _SCAFFOLD.search(n.name)]
    consumed = {_node_of(i) for n in kept for i in n.input if not i.startswith("^")}
    from_inputs = _forward([n.name for n in graph.node if n.op in INPUT_OPS], graph)
    return [n for n in kept if n.name not in consumed and (not from_inputs or n.name in from_inputs)]


def _forward(start: list[str], graph: Any) -> set[str]:
    """The names of the nodes that depend on `start`."""
    consumers: dict[str, list[str]] = {}
    for node in graph.node:
        for tensor in node.input:
            consumers.setdefault(_node_of(tensor), []).append(node.name)
    reached: set[str] = set()
    todo = list(start)
    while todo:
        for name in consumers.get(todo.pop(), ()):
            if name not in reached:
                reached.add(name)
                todo.append(name)
    return reached


def _node_of(tensor: str) -> str:
    return tensor.partition(":")[0]


def _dtype_of(node: Any) -> tuple[Any, Any]:
    """(DType, shape with -1 or None for unknown) of a placeholder or variable node."""
    from hornbeam.core import dtypes

    dtype = dtypes.as_dtype(node.attr["dtype"].type)
    shape = node.attr["shape"].shape if "shape" in node.attr else None
    if shape is None or shape.unknown_rank:
        return dtype, None
    return dtype, [d.size for d in shape.dim]


def _dtype_shape(node: Any) -> tuple[str, Any]:
    dtype, shape = _dtype_of(node)
    return dtype.name, shape


def _meta_graph(found: Found) -> Report:
    facts, tables = _meta_parts(found.message)
    return Report("MetaGraph", found.path, facts, tables)


def _meta_parts(meta: Any) -> tuple[dict[str, Any], list[Table]]:
    info = meta.meta_info_def
    facts: dict[str, Any] = {}
    if info.tensorflow_version:
        facts["tensorflow_version"] = info.tensorflow_version
    if info.tags:
        facts["tags"] = list(info.tags)
    if meta.HasField("saver_def"):
        facts["saver"] = f"V{max(meta.saver_def.version, 1)}, keeps {meta.saver_def.max_to_keep}"
    graph_facts, graph_tables = _graph_parts(meta.graph_def)
    signatures = [
        (name, definition.method_name, way, key, info.name or "(composite)", *_tensor_info(info))
        for name, definition in sorted(meta.signature_def.items())
        for way, entries in (("input", definition.inputs), ("output", definition.outputs))
        for key, info in sorted(entries.items())
    ]
    columns = ("signature", "method", "way", "key", "tensor", "dtype", "shape")
    collections = [(name, _collection_size(c)) for name, c in sorted(meta.collection_def.items())]
    assets = [(a.filename, a.tensor_info.name) for a in meta.asset_file_def]
    tables = [
        Table("signatures", "Signatures", columns, signatures),
        Table("collections", "Collections", ("collection", "items"), collections),
        Table("assets", "Assets", ("file", "tensor"), assets),
    ]
    return facts | graph_facts, [t for t in tables if t.rows] + graph_tables


def _tensor_info(info: Any) -> tuple[str, Any]:
    from hornbeam.core import dtypes

    shape = None if info.tensor_shape.unknown_rank else [d.size for d in info.tensor_shape.dim]
    return dtypes.as_dtype(info.dtype).name if info.dtype else "", shape


def _collection_size(collection: Any) -> int:
    kind = collection.WhichOneof("kind")
    return len(getattr(collection, kind).value) if kind else 0


def _saved_model(found: Found) -> Report:
    model = found.message
    facts: dict[str, Any] = {"schema_version": model.saved_model_schema_version, "meta_graphs": len(model.meta_graphs)}
    tables: list[Table] = []
    for number, meta in enumerate(model.meta_graphs):
        of = f"meta_graph_{number}_" if len(model.meta_graphs) > 1 else ""
        meta_facts, meta_tables = _meta_parts(meta)
        facts |= {of + k: v for k, v in meta_facts.items()}
        tables += [Table(of + t.key, of.replace("_", " ") + t.title, t.columns, t.rows) for t in meta_tables]
    prefix = os.path.join(found.path, "variables", "variables")
    if os.path.exists(prefix + ".index"):
        stored = _checkpoint(Found("checkpoint", prefix))
        facts |= {f"stored_{k}": stored.facts[k] for k in ("variables", "parameters", "bytes")}
        tables.append(Table("stored", "Stored variables", stored.tables[0].columns, stored.tables[0].rows))
    return Report("SavedModel", found.path, facts, tables)


FEATURES_READ = 1000
"""Records of a TFRecord file whose features are looked at; all records are counted."""


def _tfrecord(found: Found) -> Report:
    from hornbeam import proto

    features: dict[tuple[str, str], list[Any]] = {}
    sizes: list[int] = []
    parsed = Counter[str]()
    for record in _records(found):
        sizes.append(len(record))
        if len(sizes) <= FEATURES_READ:
            parsed[_features_of(record, features, proto)] += 1
    facts: dict[str, Any] = {"records": len(sizes), "compression": found.compression or "none"}
    facts["bytes"] = sum(sizes)
    if sizes:
        facts["record_bytes"] = f"{min(sizes)} to {max(sizes)}"
        facts["holds"] = parsed.most_common(1)[0][0]
    looked_at = min(len(sizes), FEATURES_READ)
    rows = [
        (key, where, kind, low if low == high else f"{low} to {high}", count)
        for (key, where), (kind, low, high, count) in sorted(features.items())
    ]
    title = f"Features (of {'the first ' if looked_at < len(sizes) else ''}{looked_at} records)"
    tables = [Table("features", title, ("key", "where", "type", "values", "in_records"), rows)] if rows else []
    return Report("TFRecord", found.path, facts, tables)


def _records(found: Found) -> Iterator[bytes]:
    from hornbeam.files.records import RecordReader

    with RecordReader(found.path, found.compression) as reader:
        yield from reader


def _features_of(record: bytes, features: dict[tuple[str, str], list[Any]], proto: Any) -> str:
    """Adds the features of a serialised Example or SequenceExample; returns what the record is."""
    from google.protobuf.message import DecodeError

    example = proto.SequenceExample()  # its `context` has the field number of Example's `features`
    try:
        example.ParseFromString(record)
    except DecodeError:
        return "other data"
    if not example.context.feature and not example.feature_lists.feature_list:
        return "other data"
    for key, feature in example.context.feature.items():
        _add_feature(features, (key, "context" if example.feature_lists.feature_list else "example"), feature)
    for key, steps in example.feature_lists.feature_list.items():
        for feature in steps.feature[:1]:
            _add_feature(features, (key, "sequence"), feature, len(steps.feature))
    return "tf.SequenceExample" if example.feature_lists.feature_list else "tf.Example"


def _add_feature(
    features: dict[tuple[str, str], list[Any]], key: tuple[str, str], feature: Any, steps: int | None = None
) -> None:
    kind = feature.WhichOneof("kind")
    length = steps if steps is not None else len(getattr(feature, kind).value) if kind else 0
    name = {"bytes_list": "bytes", "float_list": "float", "int64_list": "int64", None: "empty"}[kind]
    row = features.setdefault(key, [name, length, length, 0])
    row[0] = name if row[0] in (name, "empty") else row[0] if name == "empty" else "mixed"
    row[1], row[2], row[3] = min(row[1], length), max(row[2], length), row[3] + 1


def _events(found: Found) -> Report:
    from hornbeam import proto
    from hornbeam.core import errors

    tags: dict[tuple[str, str], list[Any]] = {}
    facts: dict[str, Any] = {"version": "", "events": 0}
    first: float | None = None
    last = 0.0
    runs: list[str] = []
    graph = None
    records = _records(found)
    while True:
        try:
            event = proto.Event.FromString(next(records))
        except StopIteration:
            break
        except errors.DataLossError as e:  # a writer that was killed, or that is writing now, leaves such an end
            facts["ends_early"] = e.message
            break
        facts["events"] += 1
        first = event.wall_time if first is None else first
        last = max(last, event.wall_time)
        what = event.WhichOneof("what")
        if what == "file_version":
            facts["version"] = event.file_version
        elif what == "graph_def":
            graph = event.graph_def
        elif what == "tagged_run_metadata":
            runs.append(event.tagged_run_metadata.tag)
        elif what == "summary":
            for value in event.summary.value:
                kind, number = _summary_value(value)
                row = tags.setdefault((value.tag, kind), [0, event.step, event.step, None])
                row[0], row[2], row[3] = row[0] + 1, event.step, number
    facts["seconds"] = round(last - (first or 0.0), 3)
    if graph is not None:
        facts["graph_nodes"] = len(proto.GraphDef.FromString(graph).node)
    if runs:
        facts["run_metadata"] = runs
    rows = [(tag, kind, *row) for (tag, kind), row in sorted(tags.items())]
    columns = ("tag", "kind", "count", "first_step", "last_step", "last_value")
    return Report("events", found.path, facts, [Table("tags", "Tags", columns, rows)] if rows else [])


def _summary_value(value: Any) -> tuple[str, float | None]:
    """(kind, the number where it is one) of a summary value, TensorFlow 2's tensor scalars included."""
    kind = value.WhichOneof("value")
    if kind == "simple_value":
        return "scalar", value.simple_value
    if kind == "tensor":
        plugin = value.metadata.plugin_data.plugin_name
        if plugin == "scalars":
            from hornbeam.core.tensor_proto import to_ndarray

            return "scalar", float(to_ndarray(value.tensor))
        return plugin or "tensor", None
    return {"histo": "histogram", "obsolete_old_style_histogram": "histogram", None: "empty"}.get(kind, kind), None


KINDS = {
    "checkpoint": _checkpoint,
    "graph": _graph,
    "meta_graph": _meta_graph,
    "saved_model": _saved_model,
    "tfrecord": _tfrecord,
    "events": _events,
}
