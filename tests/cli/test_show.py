"""`hornbeam show` on every kind of file, as a table and as JSON, and what it says of files it cannot show."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import numpy as np
import pytest

from hornbeam import proto
from hornbeam.cli.app import run_app
from hornbeam.core.tensor_proto import make_tensor_proto
from hornbeam.files.bundle import BundleWriter
from hornbeam.files.records import TFRecordOptions, TFRecordWriter
from hornbeam.proto import text_format

SHARED = Path(__file__).resolve().parents[3] / "shared" / "models"
shared = pytest.mark.skipif(not SHARED.exists(), reason="needs the shared model files beside the repository")


@pytest.fixture
def shown(capsys):
    """Runs `hornbeam show ARGS`: (exit code, standard output, standard error)."""

    def run(*args):
        code = run_app(["show", *map(str, args)])
        return code, *capsys.readouterr()

    return run


@pytest.fixture
def facts(shown):
    """The JSON of `hornbeam show --json FILE`."""

    def run(path):
        code, out, err = shown("--json", path)
        assert code == 0, err
        return json.loads(out)

    return run


@pytest.fixture
def checkpoint(tmp_path):
    prefix = tmp_path / "model.ckpt-7"
    with BundleWriter(str(prefix)) as writer:
        writer.add("layer/kernel", np.zeros((3, 4), np.float32))
        writer.add("step", np.int64(7))
        writer.add("words", np.array([b"a", b"bc"], object))
    return prefix


def graph_def():
    """x -> probabilities, with a variable, a summary, and a loss's gradient."""
    graph = proto.GraphDef()
    graph.versions.producer = 134

    def node(name, op, *inputs):
        new = graph.node.add(name=name, op=op, input=inputs)
        return new

    x = node("x", "Placeholder")
    x.attr["dtype"].type = proto.DT_FLOAT
    x.attr["shape"].shape.CopyFrom(proto.TensorShapeProto(dim=[{"size": -1}, {"size": 4}]))
    w = node("w", "VariableV2")
    w.attr["dtype"].type = proto.DT_FLOAT
    w.attr["shape"].shape.CopyFrom(proto.TensorShapeProto(dim=[{"size": 4}, {"size": 2}]))
    initial = node("zeros", "Const")
    initial.attr["value"].tensor.CopyFrom(make_tensor_proto(np.zeros((4, 2), np.float32)))
    node("w/Assign", "Assign", "w", "zeros")
    node("w/read", "Identity", "w")
    node("logits", "MatMul", "x", "w/read")
    node("probabilities", "Softmax", "logits")
    node("tag", "Const")
    node("histogram", "HistogramSummary", "tag", "logits")
    node("gradients/logits_grad/MatMul", "MatMul", "x", "logits")
    return graph


def test_checkpoint_by_any_of_its_names(checkpoint, tmp_path, facts):
    for name in (checkpoint, f"{checkpoint}.index", f"{checkpoint}.data-00000-of-00001", tmp_path):
        found = facts(name)
        assert (found["kind"], found["path"]) == ("checkpoint", str(checkpoint))
    assert found["format"] == "V2" and found["parameters"] == 15 and found["bytes"] == 56
    assert found["tensors"] == [
        {"name": "layer/kernel", "dtype": "float32", "shape": [3, 4], "bytes": 48},
        {"name": "step", "dtype": "int64", "shape": [], "bytes": 8},
        {"name": "words", "dtype": "string", "shape": [2], "bytes": None},
    ]


def test_checkpoint_by_its_state_file_and_as_a_table(checkpoint, tmp_path, shown):
    (tmp_path / "checkpoint").write_text('model_checkpoint_path: "model.ckpt-7"\n')
    code, out, _ = shown(tmp_path / "checkpoint")
    assert code == 0
    assert "layer/kernel  float32  [3, 4]  48 B" in out


@pytest.mark.parametrize("text", [False, True])
def test_graph_binary_and_text(tmp_path, facts, text):
    path = tmp_path / "no_telling_name"
    graph = graph_def()
    path.write_bytes(text_format.to_text(graph).encode() if text else graph.SerializeToString())
    found = facts(path)
    assert found["kind"] == "graph (GraphDef)" and found["nodes"] == 10 and found["producer"] == 134
    assert found["inputs"] == [{"name": "x", "op": "Placeholder", "dtype": "float32", "shape": [-1, 4]}]
    assert found["outputs"] == [{"name": "probabilities", "op": "Softmax"}]
    assert found["variables"] == [{"name": "w", "dtype": "float32", "shape": [4, 2], "bytes": 32}]
    assert {"op": "MatMul", "count": 2} in found["ops"]


def test_meta_graph_and_saved_model(checkpoint, tmp_path, facts):
    meta = proto.MetaGraphDef(graph_def=graph_def())
    meta.meta_info_def.tags.append("serve")
    meta.meta_info_def.tensorflow_version = "1.15.5"
    signature = meta.signature_def["serving_default"]
    signature.method_name = "tensorflow/serving/predict"
    signature.inputs["in"].CopyFrom(proto.TensorInfo(name="x:0", dtype=proto.DT_FLOAT))
    signature.outputs["out"].CopyFrom(proto.TensorInfo(name="probabilities:0", dtype=proto.DT_FLOAT))
    meta.collection_def["train_op"].node_list.value.append("w/Assign")
    path = tmp_path / "export.meta"
    path.write_bytes(meta.SerializeToString())
    found = facts(path)
    assert found["kind"] == "MetaGraph" and found["tensorflow_version"] == "1.15.5"
    assert found["collections"] == [{"collection": "train_op", "items": 1}]
    assert [s["tensor"] for s in found["signatures"]] == ["x:0", "probabilities:0"]

    model = proto.SavedModel(saved_model_schema_version=1, meta_graphs=[meta])
    directory = tmp_path / "saved"
    (directory / "variables").mkdir(parents=True)
    (directory / "saved_model.pb").write_bytes(model.SerializeToString())
    with BundleWriter(str(directory / "variables" / "variables")) as writer:
        writer.add("w", np.ones((4, 2), np.float32))
    found = facts(directory)
    assert found["kind"] == "SavedModel" and found["tags"] == ["serve"] and found["stored_parameters"] == 8
    assert found["stored"][0]["name"] == "w"


@pytest.mark.parametrize("compression", ["", "GZIP", "ZLIB"])
def test_tfrecord_of_examples(tmp_path, facts, compression):
    path = tmp_path / "data"
    with TFRecordWriter(str(path), TFRecordOptions(compression)) as writer:
        for i in range(3):
            example = proto.Example()
            example.features.feature["label"].int64_list.value.append(i)
            example.features.feature["pixels"].float_list.value.extend([0.5] * (i + 1))
            example.features.feature["name"].bytes_list.value.append(b"x")
            writer.write(example.SerializeToString())
    found = facts(path)
    assert found["kind"] == "TFRecord" and found["records"] == 3 and found["holds"] == "tf.Example"
    assert found["compression"] == (compression or "none")
    assert [(f["key"], f["type"], f["values"], f["in_records"]) for f in found["features"]] == [
        ("label", "int64", 1, 3),
        ("name", "bytes", 1, 3),
        ("pixels", "float", "1 to 3", 3),
    ]


def test_tfrecord_of_other_data(tmp_path, facts):
    with TFRecordWriter(str(tmp_path / "raw")) as writer:
        writer.write(b"\xff\xfe not a protobuf")
    found = facts(tmp_path / "raw")
    assert found["records"] == 1 and found["holds"] == "other data"


def events_file(path):
    with TFRecordWriter(str(path)) as writer:
        writer.write(proto.Event(wall_time=10.0, file_version="brain.Event:2").SerializeToString())
        writer.write(proto.Event(wall_time=10.0, graph_def=graph_def().SerializeToString()).SerializeToString())
        for step in (1, 2):
            event = proto.Event(wall_time=10.0 + step, step=step)
            event.summary.value.add(tag="loss", simple_value=1.5 / step)
            event.summary.value.add(tag="hist").histo.num = 1
            writer.write(event.SerializeToString())


def test_event_file(tmp_path, facts):
    path = tmp_path / "events.out.tfevents.1.host"
    events_file(path)
    for name in (path, tmp_path):
        found = facts(name)
        assert (
            found["kind"] == "events" and found["events"] == 4 and found["graph_nodes"] == 10 and found["seconds"] == 2
        )
        assert found["tags"][1] == {
            "tag": "loss", "kind": "scalar", "count": 2, "first_step": 1, "last_step": 2, "last_value": 0.75
        }  # fmt: skip
        assert found["tags"][0]["kind"] == "histogram"


def test_event_file_that_is_being_written_shows_what_is_there(tmp_path, facts):
    path = tmp_path / "events.out.tfevents.1.host"
    events_file(path)
    path.write_bytes(path.read_bytes()[:-5])
    found = facts(path)
    assert found["events"] == 3 and "truncated" in found["ends_early"]


@pytest.mark.parametrize(
    "content, message",
    [
        (b"", "is empty"),
        (b"hello, world", ""),
        (bytes(range(256)), ""),
        (b"\x1c\0\0\0TFL3abc", "TensorFlow Lite"),
        (gzip.compress(b"nothing"), "gzip"),
        (b'node {\n  name: "x"\n  op: oops\n}\n', "line 3"),
    ],
    ids=["empty", "prose", "bytes", "tflite", "gzip", "text"],
)
def test_files_that_cannot_be_shown_say_why_in_one_line(tmp_path, shown, content, message):
    path = tmp_path / "strange"
    path.write_bytes(content)
    code, out, err = shown(path)
    assert (code, out) == (1, "") and message in err and err.count("\n") == 1 and str(path) in err


def test_missing_file_and_debug(tmp_path, shown):
    code, _, err = shown(tmp_path / "nowhere")
    assert code == 1 and err == f"hornbeam: {tmp_path}/nowhere: No such file, directory or checkpoint prefix\n"
    code, _, err = shown("--debug", tmp_path / "nowhere")
    assert code == 1 and "Traceback" in err


def test_damaged_index_is_reported(checkpoint, shown):
    index = Path(f"{checkpoint}.index")
    data = bytearray(index.read_bytes())
    data[10] ^= 0xFF
    index.write_bytes(bytes(data))
    code, _, err = shown(checkpoint)
    assert code == 1 and err.count("\n") == 1


def test_usage_errors_exit_2(shown):
    assert shown()[0] == 2
    assert shown("--nonsense", "x")[0] == 2


@shared
@pytest.mark.parametrize(
    "name, kind",
    [
        ("frozen/lstm.pb", "graph (GraphDef)"),
        ("regression/checkpoint", "checkpoint"),
        ("regression/checkpoint/model.meta", "MetaGraph"),
        ("regression/graphdef/frozen.pb", "graph (GraphDef)"),
        ("regression/saved_model", "SavedModel"),
        ("checkpoint_v1/half_plus_two/00000123/export-00000-of-00001", "checkpoint"),
        ("checkpoint_v1/half_plus_two/00000123/export.meta", "MetaGraph"),
    ],
)
def test_files_of_tensorflows_own_making(name, kind, facts):
    assert facts(SHARED / name)["kind"] == kind
