"""The private pool: true names, TensorFlow's module names, coexistence, text form, and that the schema is compiled."""

from __future__ import annotations

import copy
import pickle
import subprocess
import sys
from pathlib import Path

import pytest
from google.protobuf import descriptor_pool

from hornbeam import proto
from hornbeam.proto.text_format import from_text, to_text

TOOLS = Path(__file__).parents[2] / "tools" / "proto"


def test_messages_have_their_true_names_outside_the_default_pool() -> None:
    assert proto.GraphDef.DESCRIPTOR.full_name == "tensorflow.GraphDef"
    assert (
        proto.message_class("tensorflow.AttrValue.ListValue").DESCRIPTOR.full_name == "tensorflow.AttrValue.ListValue"
    )
    with pytest.raises(KeyError):
        descriptor_pool.Default().FindFileByName("tensorflow/core/framework/graph.proto")
    with pytest.raises(KeyError):
        proto.message_class("tensorflow.NoSuchMessage")


def test_enum_constants_and_wrappers() -> None:
    assert proto.DT_FLOAT == 1 and proto.DataType.Name(14) == "DT_BFLOAT16"
    assert proto.SaverDef.V2 == 2
    with pytest.raises(AttributeError):
        proto.NoSuchThing  # noqa: B018


def test_bytes_are_protobufs() -> None:
    graph = proto.GraphDef()
    node = graph.node.add(name="x", op="Const")
    node.attr["dtype"].type = proto.DT_FLOAT
    assert graph.SerializeToString(deterministic=True) == (b"\n\x17\n\x01x\x12\x05Const*\x0b\n\x05dtype\x12\x020\x01")
    assert proto.GraphDef.FromString(graph.SerializeToString()) == graph


def test_messages_can_be_copied_and_pickled() -> None:
    graph = proto.GraphDef()
    graph.node.add(name="x", op="NoOp")
    assert copy.deepcopy(graph) == graph
    assert pickle.loads(pickle.dumps(graph)) == graph


@pytest.mark.parametrize("name", proto.PB2_MODULES)
def test_every_generated_module_serves_its_names(name: str) -> None:
    module = proto.pb2_module(name)
    assert module.DESCRIPTOR.name.endswith(".proto")
    for symbol in module.__all__:
        assert getattr(module, symbol) is not None


def test_generated_modules_export_public_imports_and_constants() -> None:
    assert proto.pb2_module("tensorflow.core.framework.summary_pb2").HistogramProto is proto.HistogramProto
    assert proto.pb2_module("tensorflow.core.framework.types_pb2").DT_STRING == 7
    assert proto.pb2_module("tensorflow.core.lib.core.error_codes_pb2").DATA_LOSS == 15
    with pytest.raises(KeyError):
        proto.pb2_module("tensorflow.core.framework.nothing_pb2")


def test_text_form_resolves_any_inside_the_pool() -> None:
    meta = proto.MetaGraphDef()
    meta.collection_def["c"].any_list.value.add().Pack(proto.NodeDef(name="n", op="NoOp"))
    text = to_text(meta)
    assert "tensorflow.NodeDef" in text and 'name: "n"' in text
    assert from_text(text, proto.MetaGraphDef()) == meta


def test_schema_is_compiled() -> None:
    pytest.importorskip("grpc_tools")
    checked = subprocess.run(
        [sys.executable, str(TOOLS / "compile_schema.py"), "--check"], capture_output=True, text=True
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_tensorboard_can_be_imported_beside_it() -> None:
    pytest.importorskip("tensorboard")
    program = (
        "from hornbeam.proto import GraphDef, Event\n"
        "from tensorboard.compat.proto import graph_pb2, event_pb2\n"
        "from hornbeam import proto; proto.pool()\n"
        "g = GraphDef(); g.node.add(name='x', op='NoOp')\n"
        "assert graph_pb2.GraphDef.FromString(g.SerializeToString()).node[0].name == 'x'\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def test_messages_load_within_ten_milliseconds() -> None:
    program = (
        "import numpy, time\n"
        "import hornbeam\n"
        "from google.protobuf import descriptor_pool, message_factory\n"
        "best = time.perf_counter()\n"
        "from hornbeam.proto import GraphDef, MetaGraphDef, ConfigProto, Event\n"
        "print(time.perf_counter() - best)\n"
    )
    times = [
        float(subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout)
        for _ in range(5)
    ]
    assert min(times) < 0.03  # 5 ms alone; a shared machine gets some slack
