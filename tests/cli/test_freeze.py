"""`hornbeam freeze`: variables become constants, by the keys the graph's own saver uses."""

from __future__ import annotations

import json

import numpy as np
import pytest

from hornbeam import proto
from hornbeam.cli.app import run_app
from hornbeam.compat.internals.freeze_graph import freeze_graph
from hornbeam.core.tensor_proto import make_tensor_proto, to_ndarray
from hornbeam.files.bundle import BundleWriter
from hornbeam.files.tensor_slice import TensorSlice
from tests.compat.programs import hornbeam


@pytest.fixture
def frozen(capsys):
    """Runs `hornbeam freeze ARGS`: (exit code, standard output, standard error)."""

    def run(*args):
        code = run_app(["freeze", *map(str, args)])
        return code, *capsys.readouterr()

    return run


def node(graph, name, op, *inputs, dtype=None, value=None):
    new = graph.node.add(name=name, op=op, input=inputs, device="/device:CPU:0")
    if dtype:
        new.attr["dtype"].type = dtype
    if value is not None:
        new.attr["value"].tensor.CopyFrom(make_tensor_proto(value))
    return new


def model(directory, outputs=1):
    """y = x * w + b, where w is saved as `weights` and b is the second half of the partitioned `biases`."""
    graph = proto.GraphDef()
    node(graph, "x", "Placeholder", dtype=proto.DT_FLOAT)
    node(graph, "w", "VariableV2", dtype=proto.DT_FLOAT)
    node(graph, "w/read", "Identity", "w")
    node(graph, "b", "VarHandleOp", dtype=proto.DT_FLOAT)
    node(graph, "b/Read/ReadVariableOp", "ReadVariableOp", "b", dtype=proto.DT_FLOAT)
    node(graph, "xw", "Mul", "x", "w/read")
    node(graph, "y", "Add", "xw", "b/Read/ReadVariableOp")
    if outputs == 2:
        node(graph, "z", "Neg", "y")
        node(graph, "loss", "Neg", "y")
    node(graph, "unused", "VariableV2", dtype=proto.DT_FLOAT)
    node(graph, "save/Const", "Const", value=b"model")
    node(graph, "save/names", "Const", value=np.array([b"weights", b"biases"], object))
    node(graph, "save/slices", "Const", value=np.array([b"", b"4 2,2"], object))
    node(graph, "save/SaveV2", "SaveV2", "save/Const", "save/names", "save/slices", "w/read", "b/Read/ReadVariableOp")
    prefix = directory / "model"
    (directory / "model.meta").write_bytes(proto.MetaGraphDef(graph_def=graph).SerializeToString())
    with BundleWriter(str(prefix)) as writer:
        writer.add("weights", np.float32([2, 3]))
        for start in (0, 2):
            part = np.float32([start, start + 1])
            writer.add_slice("biases", (4,), TensorSlice(((start, 2),)), part)
    (directory / "checkpoint").write_text('model_checkpoint_path: "model"\n')
    return prefix


def constants(path):
    graph = proto.GraphDef.FromString(path.read_bytes())
    return {n.name: to_ndarray(n.attr["value"].tensor).tolist() for n in graph.node if n.op == "Const"}


@pytest.mark.parametrize("name", ["model", "model.index", "model.meta", "."])
def test_output_is_guessed_and_values_come_from_the_savers_keys(tmp_path, frozen, name):
    model(tmp_path)
    out = tmp_path / "frozen.pb"
    code, text, err = frozen(tmp_path / name, "-o", out)
    assert code == 0, err
    assert text == f"{out}: 6 nodes, 2 variables as constants, outputs y\n" or "outputs y" in text
    assert constants(out) == {"w": [2, 3], "b": [2, 3]}
    graph = proto.GraphDef.FromString(out.read_bytes())
    assert {n.op for n in graph.node} == {"Placeholder", "Const", "Identity", "Mul", "Add"}
    assert all(not n.device for n in graph.node)


def test_text_output_and_json(tmp_path, frozen):
    model(tmp_path)
    code, text, _ = frozen(tmp_path / "model", "--output_nodes", "xw:0", "-o", tmp_path / "f.pbtxt", "--json")
    assert code == 0 and json.loads(text)["outputs"] == ["xw"] and json.loads(text)["constants"] == 1
    assert 'op: "Mul"' in (tmp_path / "f.pbtxt").read_text()


def test_ambiguous_outputs_are_listed(tmp_path, frozen):
    model(tmp_path, outputs=2)
    code, _, err = frozen(tmp_path, "-o", tmp_path / "f.pb")
    assert code == 1 and "nodes that look like outputs: z, loss" in err and not (tmp_path / "f.pb").exists()


def test_signature_decides(tmp_path, frozen):
    model(tmp_path, outputs=2)
    meta = proto.MetaGraphDef.FromString((tmp_path / "model.meta").read_bytes())
    meta.signature_def["serving_default"].outputs["out"].name = "z:0"
    (tmp_path / "model.meta").write_bytes(meta.SerializeToString())
    assert "outputs z" in frozen(tmp_path, "-o", tmp_path / "f.pb")[1]


def test_unknown_output_and_missing_variable_are_named(tmp_path, frozen):
    prefix = model(tmp_path)
    code, _, err = frozen(prefix, "--output_nodes", "nonsense", "-o", tmp_path / "f.pb")
    assert code == 1 and "nonsense is not in graph" in err and "look like outputs: y" in err
    code, _, err = frozen(prefix, "--output_nodes", "unused", "-o", tmp_path / "f.pb")
    assert code == 1 and "has no unused" in err


def test_missing_graph_or_checkpoint_is_said(tmp_path, frozen):
    prefix = model(tmp_path)
    (tmp_path / "model.meta").unlink()
    assert "--graph names the graph" in frozen(prefix, "-o", tmp_path / "f.pb")[2]
    assert frozen(tmp_path / "nowhere", "-o", tmp_path / "f.pb")[0] == 1
    assert frozen(prefix)[0] == 2  # no -o


def test_freeze_graph_function(tmp_path, capsys):
    prefix = str(model(tmp_path))
    out = tmp_path / "f.pb"
    freeze_graph("", "", True, prefix, "y", None, None, str(out), True, "", input_meta_graph=prefix + ".meta")
    assert constants(out) == {"w": [2, 3], "b": [2, 3]} and "ops in the final graph" in capsys.readouterr().out
    with pytest.raises(ValueError, match="variable_names_blacklist"):
        freeze_graph("", "", True, prefix, "y", None, None, "", True, "", "", "w", input_meta_graph=prefix + ".meta")


def test_freeze_graph_and_inspect_checkpoint_as_modules(tmp_path):
    model(tmp_path)
    args = ["--input_meta_graph=model.meta", "--input_checkpoint=model", "--output_node_names=y", "--output_graph=f.pb"]
    result = hornbeam("run", "-m", "tensorflow.python.tools.freeze_graph", *args, cwd=tmp_path)
    assert result.code == 0, result.err
    assert constants(tmp_path / "f.pb") == {"w": [2, 3], "b": [2, 3]}
    module = "tensorflow.python.tools.inspect_checkpoint"
    result = hornbeam("run", "-m", module, "--file_name=model", "--tensor_name=weights", cwd=tmp_path)
    assert result.out == "tensor_name:  weights\n[2. 3.]\n# Total number of params: 6\n"
