"""Graph files: told apart by content, read and written in binary and text, node by node, damage with its place."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from hornbeam import proto
from hornbeam.core import errors
from hornbeam.files import graph_io

from .support import GOLDEN, SHARED_MODELS, full_disk


def graph() -> Any:
    g = proto.GraphDef()
    g.node.add(name="x", op="Placeholder").attr["dtype"].type = proto.DT_FLOAT
    c = g.node.add(name="c", op="Const")
    c.attr["dtype"].type = proto.DT_FLOAT
    c.attr["value"].tensor.dtype = proto.DT_FLOAT
    c.attr["value"].tensor.tensor_shape.dim.add(size=1000)
    c.attr["value"].tensor.tensor_content = b"\x01" * 4000
    g.node.add(name="y", op="Add", input=["x", "c"])
    g.versions.producer = 27
    return g


def test_every_form_tensorflow_writes_is_recognised() -> None:
    binary, text = graph_io.read_graph(GOLDEN / "graph.pb"), graph_io.read_graph(GOLDEN / "graph.pbtxt")
    assert (binary.kind, text.kind) == ("graph", "graph")
    assert binary.graph_def == text.graph_def and binary.meta_graph is None
    metas = [graph_io.read_graph(GOLDEN / name) for name in ("graph.meta", "graph.meta.txt")]
    for meta in metas:
        assert meta.kind == "meta_graph" and meta.meta_graph.saver_def.version == proto.SaverDef.V2
        assert [n.name for n in meta.graph_def.node] == [n.name for n in binary.graph_def.node]


def saved_model() -> Any:
    message = proto.SavedModel(saved_model_schema_version=1)
    message.meta_graphs.add().graph_def.CopyFrom(graph())
    return message


def with_library() -> Any:
    message = proto.GraphDef()
    message.library.function.add().signature.name = "f"
    message.versions.producer = 1
    return message


def bare_meta() -> Any:
    message = proto.MetaGraphDef()
    message.graph_def.CopyFrom(graph())
    return message


@pytest.mark.parametrize(
    ("message", "kind"),
    [
        (graph(), "graph"),
        (saved_model(), "saved_model"),
        (with_library(), "graph"),
        (bare_meta(), "meta_graph"),
        (proto.GraphDef(versions=proto.VersionDef(producer=3)), "graph"),
        (proto.SavedModel(saved_model_schema_version=1), "saved_model"),
    ],
    ids=["graph", "saved_model", "library only", "bare meta graph", "empty graph", "empty saved model"],
)
def test_kinds_are_told_apart(tmp_path: Path, message: Any, kind: str) -> None:
    for as_text in (False, True):
        graph_io.write_message(message, tmp_path / "m", as_text)
        read = graph_io.read_graph(tmp_path / "m")
        assert read.kind == kind == graph_io.file_kind(tmp_path / "m") and read.message == message
        assert len(list(graph_io.iter_nodes(tmp_path / "m"))) == len(read.graph_def.node)


def test_a_directory_stands_for_its_saved_model(tmp_path: Path) -> None:
    with pytest.raises(errors.NotFoundError, match="neither saved_model.pb nor"):
        graph_io.read_graph(tmp_path)
    graph_io.write_message(saved_model(), tmp_path / "saved_model.pb")
    assert graph_io.read_graph(tmp_path).kind == "saved_model"


def test_write_graph_makes_the_directory_and_takes_graphs(tmp_path: Path) -> None:
    class Graph:
        def as_graph_def(self) -> Any:
            return graph()

    path = graph_io.write_graph(Graph(), tmp_path / "a" / "b", "g.pbtxt")
    assert path == str(tmp_path / "a" / "b" / "g.pbtxt") and 'name: "x"' in Path(path).read_text()
    path = graph_io.write_graph(graph(), tmp_path, "g.pb", as_text=False)
    assert Path(path).read_bytes() == graph().SerializeToString(deterministic=True)


def test_a_full_disk_keeps_the_old_graph(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    graph_io.write_graph(graph(), tmp_path, "g.pb", False)
    before = (tmp_path / "g.pb").read_bytes()
    with pytest.raises(errors.ResourceExhaustedError), full_disk(monkeypatch, 100):
        graph_io.write_graph(proto.GraphDef(node=graph().node[:2]), tmp_path, "g.pb", False)
    assert (tmp_path / "g.pb").read_bytes() == before and os.listdir(tmp_path) == ["g.pb"]


def test_nodes_without_their_values(tmp_path: Path) -> None:
    for message in (graph(), saved_model(), bare_meta()):
        graph_io.write_message(message, tmp_path / "g")
        full, light = list(graph_io.iter_nodes(tmp_path / "g")), list(graph_io.iter_nodes(tmp_path / "g", 100))
        assert full == list(graph().node)
        assert light[0] == full[0] and light[2] == full[2]
        tensor = light[1].attr["value"].tensor
        assert tensor.dtype == proto.DT_FLOAT and tensor.tensor_shape.dim[0].size == 1000 and not tensor.tensor_content
        assert light[1].attr["dtype"].type == proto.DT_FLOAT


def test_damage_in_a_binary_file_has_its_offset(tmp_path: Path) -> None:
    data = graph().SerializeToString(deterministic=True)
    (tmp_path / "g").write_bytes(data[:-5])
    with pytest.raises(errors.DataLossError, match=r"g: at offset \d+: field \d+ declares"):
        graph_io.read_graph(tmp_path / "g")
    broken = data.replace(b"Placeholder", b"Pl\xff\xff\xffholder")
    (tmp_path / "g").write_bytes(broken)
    with pytest.raises(errors.DataLossError, match="node 0 at offset 0"):
        graph_io.read_graph(tmp_path / "g")
    (tmp_path / "g").write_bytes(data.replace(b"\x0a\x01y\x12\x03Add", b"\x0a\x01y\x12\x03A\xff\xff"))
    with pytest.raises(errors.DataLossError, match=r"node 2 at offset \d+"):
        graph_io.read_graph(tmp_path / "g")
    with pytest.raises(errors.DataLossError, match=r"at offset \d+"):
        list(graph_io.iter_nodes(tmp_path / "g"))


def test_damage_in_a_text_file_has_its_line(tmp_path: Path) -> None:
    (tmp_path / "g").write_text('node {\n  name: "x"\n  oops: 3\n}\n')
    with pytest.raises(errors.DataLossError, match="line 3, column 3"):
        graph_io.read_graph(tmp_path / "g")
    (tmp_path / "g").write_text("# a comment\nsome: 3\n")
    with pytest.raises(errors.DataLossError, match="text field 'some'"):
        graph_io.read_graph(tmp_path / "g")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "empty"),
        (b"\x89HDF\r\n\x1a\n", "HDF5"),
        (b"\x1c\x00\x00\x00TFL3", "TensorFlow Lite"),
        (b"PK\x03\x04", "zip"),
        (bytes(100), "not a graph"),
        (b"\xff" * 100, "not a graph"),
    ],
)
def test_other_files_are_named_for_what_they_are(tmp_path: Path, data: bytes, message: str) -> None:
    (tmp_path / "f").write_bytes(data)
    with pytest.raises(errors.DataLossError, match=message):
        graph_io.read_graph(tmp_path / "f")


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(errors.NotFoundError, match="none"):
        graph_io.read_graph(tmp_path / "none")


@pytest.mark.skipif(not SHARED_MODELS.is_dir(), reason="no shared models")
@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("frozen/lstm.pb", "graph"),
        ("frozen/gru.pb", "graph"),
        ("regression/graphdef/frozen.pb", "graph"),
        ("regression/checkpoint/model.meta", "meta_graph"),
        ("checkpoint_v1/half_plus_two/00000123/export.meta", "meta_graph"),
        ("serving/bad_half_plus_two/00000123/export.meta", "meta_graph"),
        ("regression/saved_model", "saved_model"),
        ("serving/saved_model_half_plus_two_tf2_cpu/00000123", "saved_model"),
    ],
)
def test_real_files(name: str, kind: str) -> None:
    read = graph_io.read_graph(SHARED_MODELS / name)
    assert read.kind == kind and len(read.graph_def.node) > 5
    assert list(graph_io.iter_nodes(SHARED_MODELS / name)) == list(read.graph_def.node)
