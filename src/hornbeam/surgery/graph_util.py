"""`tf.graph_util`: cutting a GraphDef to what some outputs need, freezing its variables, dropping training-only nodes."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from hornbeam.core import dtypes
from hornbeam.core.tensor_proto import make_tensor_proto
from hornbeam.proto import GraphDef, NodeDef

_VARIABLES = {"Variable", "VariableV2", "VarHandleOp", "AutoReloadVariable"}
_HANDLE_PASSES = {"Identity", "Enter", "Switch", "RefSwitch", "RefIdentity", "RefEnter"}


def node_name(input_name: str) -> str:
    """The node an input string refers to: `^a` and `a:1` both mean `a`."""
    return input_name.lstrip("^").split(":")[0]


def _by_name(graph_def: Any) -> dict[str, Any]:
    return {n.name: n for n in graph_def.node}


def _check(graph_def: Any, dest_nodes: Any) -> None:
    if not hasattr(graph_def, "node"):
        raise TypeError("graph_def must be a graph_pb2.GraphDef proto.")
    if isinstance(dest_nodes, str):
        raise TypeError("dest_nodes must be a list.")


def reachable_names(graph_def: Any, targets: Iterable[str]) -> set[str]:
    """Names of the nodes that `targets` depend on, themselves included; ValueError for a name that is not there."""
    nodes = _by_name(graph_def)
    stack = list(targets)
    for t in stack:
        if t not in nodes:
            raise ValueError(f"{t} is not in graph")
    seen: set[str] = set()
    while stack:
        name = stack.pop()
        if name in seen:
            continue
        seen.add(name)
        for i in nodes[name].input:
            dep = node_name(i)
            if dep not in nodes:
                raise ValueError(f"Node '{name}' has an input '{i}' that is not in the graph")
            stack.append(dep)
    return seen


def extract_sub_graph(graph_def: Any, dest_nodes: Sequence[str]) -> Any:
    """The GraphDef of just the nodes that `dest_nodes` need, in the order they had."""
    _check(graph_def, dest_nodes)
    keep = reachable_names(graph_def, dest_nodes)
    out = GraphDef()
    for n in graph_def.node:
        if n.name in keep:
            out.node.append(_ours(n))
    if isinstance(graph_def, GraphDef):
        out.library.CopyFrom(graph_def.library)
        out.versions.CopyFrom(graph_def.versions)
    else:
        out.library.MergeFromString(graph_def.library.SerializeToString())
        out.versions.MergeFromString(graph_def.versions.SerializeToString())
    return out


def _ours(node: Any) -> Any:
    return copy.deepcopy(node) if isinstance(node, NodeDef) else NodeDef.FromString(node.SerializeToString())


def convert_variables_to_constants(
    sess: Any,
    input_graph_def: Any,
    output_node_names: Sequence[str],
    variable_names_whitelist: Iterable[str] | None = None,
    variable_names_blacklist: Iterable[str] | None = None,
) -> Any:
    """Freezes: variables that the outputs need become constants holding their values in `sess`; the rest is cut away.

    The lists restrict which variables are frozen. Raises ValueError for an output that is not in the graph, and
    FailedPreconditionError for a variable without a value.
    """
    graph = extract_sub_graph(input_graph_def, output_node_names)
    nodes = _by_name(graph)
    white = None if variable_names_whitelist is None else set(variable_names_whitelist)
    black = set(variable_names_blacklist or ())
    chosen = [
        n.name for n in graph.node if n.op in _VARIABLES and (white is None or n.name in white) and n.name not in black
    ]  # fmt: skip
    if not chosen:
        values: dict[str, Any] = {}
    else:
        values = dict(zip(chosen, variable_values(sess, [nodes[c] for c in chosen]), strict=True))
    return replace_variables(graph, values)


def variable_values(sess: Any, variables: Sequence[Any]) -> list[Any]:
    """Values of variable nodes (reference or resource form) in a session."""
    fetches = []
    with sess.graph.as_default():
        for n in variables:
            if n.op == "VarHandleOp":
                read = f"{n.name}/Read/ReadVariableOp:0"
                try:
                    fetches.append(sess.graph.get_tensor_by_name(read))
                except KeyError:
                    from hornbeam.core.registry import raw

                    handle = sess.graph.get_tensor_by_name(n.name + ":0")
                    fetches.append(raw.ReadVariableOp(handle, dtype=dtypes.as_dtype(n.attr["dtype"].type)))
            else:
                fetches.append(n.name + ":0")
    return list(sess.run(fetches))


def _is_frozen(name: str, nodes: dict[str, Any], values: dict[str, Any]) -> str | None:
    """The frozen variable a handle comes from, through nodes that pass handles on."""
    while name in nodes:
        if name in values:
            return name
        n = nodes[name]
        if n.op not in _HANDLE_PASSES:
            return None
        name = node_name(n.input[0])
    return None


def replace_variables(graph_def: Any, values: dict[str, Any]) -> Any:
    """A GraphDef whose variables named in `values` are constants, and their reads identities or gathers of them."""
    nodes = _by_name(graph_def)
    out = GraphDef()
    out.library.CopyFrom(graph_def.library)
    out.versions.CopyFrom(graph_def.versions)
    for n in graph_def.node:
        m = out.node.add()
        if n.name in values:
            dtype = dtypes.as_dtype(n.attr["dtype"].type)
            m.name, m.op, m.device = n.name, "Const", n.device
            m.attr["dtype"].type = dtype.as_datatype_enum
            m.attr["value"].tensor.CopyFrom(make_tensor_proto(np.asarray(values[n.name]), dtype))
            continue
        m.CopyFrom(n)
        source = (
            _is_frozen(node_name(n.input[0]), nodes, values) if n.input and not n.input[0].startswith("^") else None
        )
        if source is None:
            continue
        dtype_enum = nodes[source].attr["dtype"].type
        if n.op == "ReadVariableOp":
            _become(m, "Identity", {"T": dtype_enum}, list(n.input), keep=("_class",))
        elif n.op == "ResourceGather":
            axis = out.node.add(name=n.name + "/axis", op="Const")
            axis.attr["dtype"].type = dtypes.int32.as_datatype_enum
            axis.attr["value"].tensor.CopyFrom(make_tensor_proto(n.attr["batch_dims"].i, dtypes.int32))
            _become(
                m, "GatherV2",
                {"Tparams": dtype_enum, "Tindices": n.attr["Tindices"].type, "Taxis": dtypes.int32.as_datatype_enum},
                [n.input[0], n.input[1], axis.name, *n.input[2:]],
            )  # fmt: skip
            m.attr["batch_dims"].i = n.attr["batch_dims"].i
        elif n.op == "ResourceGatherNd":
            _become(m, "GatherNd", {"Tparams": dtype_enum, "Tindices": n.attr["Tindices"].type}, list(n.input))
        elif n.op == "VariableShape":
            out_type = n.attr["out_type"].type or dtypes.int32.as_datatype_enum
            _become(m, "Shape", {"T": dtype_enum, "out_type": out_type}, list(n.input))
        elif n.op in _HANDLE_PASSES:
            if "T" in m.attr and m.attr["T"].type == dtypes.resource.as_datatype_enum:
                m.attr["T"].type = dtype_enum
        elif n.op in ("IsVariableInitialized", "VarIsInitializedOp"):
            _become(m, "Const", {"dtype": dtypes.bool.as_datatype_enum}, [i for i in n.input if i.startswith("^")])
            m.attr["value"].tensor.CopyFrom(make_tensor_proto(True))
    return out


def _become(node: Any, op: str, types: dict[str, int], inputs: list[str], keep: Sequence[str] = ()) -> None:
    kept = {k: node.attr[k] for k in keep if k in node.attr}
    kept = {k: copy.deepcopy(v) for k, v in kept.items()}
    name, device = node.name, node.device
    node.Clear()
    node.name, node.op, node.device = name, op, device
    node.input.extend(inputs)
    for k, t in types.items():
        node.attr[k].type = t
    for k, v in kept.items():
        node.attr[k].CopyFrom(v)


def remove_training_nodes(input_graph: Any, protected_nodes: Iterable[str] | None = None) -> Any:
    """Drops CheckNumerics, Print and identity nodes that only matter while training; control edges stay respected."""
    protected = set(protected_nodes or ())
    removable = {"CheckNumerics": True, "Identity": True, "Print": True, "StopGradient": True}
    control_used = {node_name(i) for n in input_graph.node for i in n.input if i.startswith("^")}
    nodes = _by_name(input_graph)
    forward: dict[str, str] = {}
    for n in input_graph.node:
        if n.op not in removable or n.name in protected or n.name in control_used or n.op == "StopGradient":
            continue
        data = [i for i in n.input if not i.startswith("^")]
        if not data or len(data) != len(n.input):
            continue
        source = nodes.get(node_name(data[0]))
        if n.op == "Identity" and source is not None and source.op in ("Switch", "RefSwitch", "Merge"):
            continue  # a control-flow anchor
        forward[n.name] = data[0]

    def resolve(name: str) -> str:
        base, port = (name.rsplit(":", 1) + [""])[:2] if ":" in name else (name, "")
        if base in forward and port in ("", "0"):
            return resolve(forward[base])
        return name

    out = GraphDef()
    out.library.MergeFromString(input_graph.library.SerializeToString())
    out.versions.MergeFromString(input_graph.versions.SerializeToString())
    for n in input_graph.node:
        if n.name in forward:
            continue
        m = out.node.add()
        m.CopyFrom(_ours(n))
        del m.input[:]
        m.input.extend(i if i.startswith("^") else resolve(i) for i in n.input)
    return out


def must_run_on_cpu(node: Any, pin_variables_on_cpu: bool = False) -> bool:
    """Whether TensorFlow would place a node on the CPU only."""
    node_def = node if hasattr(node, "attr") else node.node_def
    if pin_variables_on_cpu and node_def.op == "Variable":
        return True
    if node_def.op == "Const":
        return node_def.attr["dtype"].type in (dtypes.string.as_datatype_enum, dtypes.int32.as_datatype_enum)
    return (
        node_def.op in ("DynamicStitch", "ParallelDynamicStitch", "ShapeN", "Shape", "Rank")
        and node_def.attr["T"].type == dtypes.int32.as_datatype_enum
    )


def tensor_shape_from_node_def_name(graph: Any, input_name: str) -> Any:
    """The static shape of a tensor named as NodeDef inputs are."""
    name = input_name if ":" in input_name else input_name + ":0"
    return graph.get_tensor_by_name(name).get_shape()


def guess_outputs(graph_def: Any) -> list[str]:
    """Nodes nothing consumes, leaving out what only trains, saves, initialises or reports."""
    used = {node_name(i) for n in graph_def.node for i in n.input}
    skip = {
        "NoOp", "Assign", "AssignVariableOp", "AssignAdd", "AssignSub", "SaveV2", "RestoreV2", "Const", "Assert", "MergeSummary", "ScalarSummary",
        "HistogramSummary", "ImageSummary", "AudioSummary", "TensorSummary", "TensorSummaryV2", "Placeholder", "VariableV2", "VarHandleOp", "Variable",
        "VarIsInitializedOp", "IsVariableInitialized", "MergeV2Checkpoints", "ReportUninitialized", "ControlTrigger", "Print", "PrintV2",
        "AssignAddVariableOp", "AssignSubVariableOp", "InitializeTableV2", "LookupTableImportV2",
    }  # fmt: skip
    out = []
    for n in graph_def.node:
        if (
            n.name in used
            or n.op in skip
            or n.op.startswith(
                ("Apply", "ResourceApply", "SparseApply", "ResourceSparseApply", "Scatter", "ResourceScatter")
            )
        ):
            continue
        if n.name.startswith(("save/", "gradients/", "init", "report_uninitialized")) or n.name.endswith(
            ("/read", "/Read/ReadVariableOp")
        ):
            continue
        out.append(n.name)
    return out
