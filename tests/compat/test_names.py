"""Which names `tensorflow` has in a program, and what is said of those it lacks."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import hornbeam
from hornbeam import _lazy_api
from hornbeam.compat import _modules
from tests.compat.programs import hornbeam as run_hornbeam
from tests.compat.programs import write

ROOT = Path(__file__).resolve().parents[2]


def test_export_table_is_current():
    check = subprocess.run(
        [sys.executable, "tools/gen_exports.py", "--check"], cwd=ROOT, capture_output=True, text=True
    )
    assert check.returncode == 0, check.stderr


def test_every_exported_name_resolves():
    for ns, entries in _lazy_api.EXPORTS.items():
        for name in entries:
            assert _lazy_api.lookup(ns, name) is not None or name == "newaxis", (ns, name)


def test_names_never_in_tensorflow_raise_the_usual_error():
    with pytest.raises(AttributeError, match="module 'tensorflow' has no attribute 'no_such_thing'"):
        hornbeam.no_such_thing  # noqa: B018
    assert not hasattr(hornbeam.version, "no_such_thing")


def test_a_name_we_lack_says_how_to_list_what_is_covered():
    from hornbeam.api import _tf1_names

    lacking = [
        (ns, n) for ns, names in _tf1_names.table().items() for n in sorted(names) if not _has(ns, n) and "." not in ns
    ]
    for ns, name in lacking[:3]:
        with pytest.raises(
            AttributeError, match=rf"TensorFlow 1.15 had tf\.{_lazy_api.join(ns, name)}, .*hornbeam coverage"
        ):
            _lazy_api.lookup(ns, name)


def _has(ns, name):
    return name in _lazy_api.EXPORTS.get(ns, {}) or _lazy_api.is_namespace(_lazy_api.join(ns, name))


def test_module_paths_resolve_in_a_program(tmp_path):
    write(
        tmp_path / "p.py",
        """
        import tensorflow as tf
        import tensorflow.compat.v1 as v1
        from tensorflow.core.framework import graph_pb2, types_pb2
        from tensorflow.core.protobuf.config_pb2 import ConfigProto
        from tensorflow.python.framework import ops, dtypes
        from tensorflow.examples.tutorials.mnist import input_data
        import tensorflow.examples.tutorials.mnist.input_data as again
        import sys

        assert tf.VERSION == tf.__version__ == tf.version.VERSION == v1.VERSION == "1.15.5"
        assert tf.compat.v1 is v1 and sys.modules["tensorflow"] is tf
        assert graph_pb2.GraphDef().node is not None and types_pb2.DT_FLOAT == 1
        assert ConfigProto(allow_soft_placement=True).allow_soft_placement
        assert again is input_data and callable(input_data.read_data_sets)
        assert dtypes.float32.name == "float32" and ops.Graph
        try:
            import tensorflow.python.nothing_like_it
        except ModuleNotFoundError as e:
            print(e)
        """,
    )
    result = run_hornbeam("run", "p.py", cwd=tmp_path)
    assert result.code == 0, result.err
    assert "No module named 'tensorflow.python.nothing_like_it'" in result.out


@pytest.mark.parametrize("name", sorted(n for n in _modules._table() if _modules.plan(n)))
def test_every_mapped_module_has_a_source_that_exists(name):
    plan = _modules.plan(name)
    sources = [plan] if isinstance(plan, str) else plan
    for source in sources:
        if not source.startswith(("tf:", "raw:", "pb2:")):
            assert _modules._exists(source), source


@pytest.mark.parametrize("op, python", [("MatMul", "mat_mul"), ("Conv2D", "conv2d"), ("BiasAddGrad", "bias_add_grad"),
                                        ("L2Loss", "l2_loss"), ("FusedBatchNormV3", "fused_batch_norm_v3"), ("FIFOQueueV2", "fifo_queue_v2")])  # fmt: skip
def test_raw_ops_have_tensorflows_python_names(op, python):
    assert _modules.snake(op) == python
