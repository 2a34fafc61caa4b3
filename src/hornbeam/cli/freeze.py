"""`hornbeam freeze`: a graph and a checkpoint become one graph with constants, without a session.

Which checkpoint key a variable has is read off the graph's own save ops, so renamed and partitioned variables come out right;
a graph without a saver is matched by variable names.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from hornbeam.cli.inspect import VARIABLE_OPS, outputs
from hornbeam.cli.report import ShowError
from hornbeam.surgery.graph_util import extract_sub_graph, node_name, replace_variables

_SAVE_OPS = {"SaveV2", "SaveSlices", "Save"}
_READS = {"Identity", "ReadVariableOp", "Cast", "Enter", "RefEnter"}


def freeze(checkpoint: str, graph: str | None, output_nodes: Sequence[str] | None, output: str) -> dict[str, Any]:
    """Writes the frozen graph and returns what was written: outputs, number of nodes and of constants made.

    Raises ShowError when the outputs are not clear or the checkpoint lacks a variable, OSError, or a TensorFlow error.
    """
    from hornbeam.files.graph_io import read_graph, write_message

    prefix = checkpoint_prefix(checkpoint)
    path = graph or prefix + ".meta"
    if not os.path.exists(path):
        raise ShowError(f"{path} is not there; --graph names the graph of {prefix}")
    model = read_graph(path)
    graph_def = model.graph_def
    names = [node_name(n) for n in output_nodes] if output_nodes else default_outputs(graph_def, model.meta_graph, path)
    frozen, constants = frozen_graph(graph_def, prefix, names)
    write_message(frozen, output, as_text=output.endswith(".pbtxt"))
    return {"output": output, "nodes": len(frozen.node), "constants": constants, "outputs": names, "checkpoint": prefix}


def checkpoint_prefix(checkpoint: str) -> str:
    """The prefix of a checkpoint given by prefix, by one of its files, or by its directory."""
    from hornbeam.cli.detect import detect

    found = detect(checkpoint.removesuffix(".meta") if not os.path.isdir(checkpoint) else checkpoint)
    if found.kind != "checkpoint":
        raise ShowError(f"{checkpoint} is no checkpoint, but a {found.kind.replace('_', ' ')} file")
    return found.path


def default_outputs(graph_def: Any, meta_graph: Any, path: str) -> list[str]:
    """The outputs of the only signature, or the only node that looks like one. Raises ShowError listing the candidates."""
    signatures = list(meta_graph.signature_def.values()) if meta_graph is not None else []
    if len(signatures) == 1:
        return sorted({node_name(info.name) for info in signatures[0].outputs.values()})
    candidates = [n.name for n in outputs(graph_def)]
    if len(candidates) == 1:
        return candidates
    listed = ", ".join(candidates[:20]) or "none found"
    raise ShowError(f"which outputs of {path}? give --output_nodes; nodes that look like outputs: {listed}")


def frozen_graph(graph_def: Any, prefix: str, names: Sequence[str], clear_devices: bool = True) -> tuple[Any, int]:
    """(the sub-graph of `names` with constants for variables, how many constants)."""
    try:
        graph = extract_sub_graph(graph_def, list(names))
    except ValueError as e:
        candidates = ", ".join(n.name for n in outputs(graph_def)[:20])
        raise ShowError(f"{e}; nodes that look like outputs: {candidates}") from e
    variables = [n.name for n in graph.node if n.op in VARIABLE_OPS]
    keys = checkpoint_keys(graph_def)
    values = _values(prefix, {name: keys.get(name, (name, "")) for name in variables})
    frozen = replace_variables(graph, values)
    if clear_devices:
        for node in frozen.node:
            node.device = ""
    return frozen, len(values)


def _values(prefix: str, wanted: dict[str, tuple[str, str]]) -> dict[str, Any]:
    from hornbeam.files.checkpoint_reader import CheckpointReader
    from hornbeam.files.tensor_slice import parse_shape_and_slice

    with CheckpointReader(prefix) as reader:
        lacking = sorted(key for key, _ in wanted.values() if not reader.has_tensor(key))
        if lacking:
            raise ShowError(f"the checkpoint {prefix} has no {', '.join(lacking[:10])}; is it of another graph?")
        return {
            name: reader.read_slice(key, parse_shape_and_slice(slice_)[1]) if slice_ else reader.get_tensor(key)
            for name, (key, slice_) in wanted.items()
        }


def checkpoint_keys(graph_def: Any) -> dict[str, tuple[str, str]]:
    """Variable node -> (key in the checkpoint, its shape_and_slice text), from the graph's save ops."""
    nodes = {n.name: n for n in graph_def.node}
    found: dict[str, tuple[str, str]] = {}
    for node in graph_def.node:
        if node.op not in _SAVE_OPS:
            continue
        keys = _strings(nodes[node_name(node.input[1])])
        first = 2 if node.op == "Save" else 3
        slices = [""] * len(keys) if node.op == "Save" else _strings(nodes[node_name(node.input[2])])
        for key, slice_, tensor in zip(keys, slices, [i for i in node.input if not i.startswith("^")][first:]):
            source = nodes[node_name(tensor)]
            while source.op in _READS:
                source = nodes[node_name(source.input[0])]
            if source.op in VARIABLE_OPS:
                found.setdefault(source.name, (key, slice_))
    return found


def _strings(const: Any) -> list[str]:
    from hornbeam.core.tensor_proto import to_ndarray

    return [s.decode() for s in to_ndarray(const.attr["value"].tensor).ravel().tolist()] if const.op == "Const" else []
