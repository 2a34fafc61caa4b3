"""Parts of `tensorflow.python` that programs import although they are not API."""

from __future__ import annotations

import json

import numpy as np
import pytest

from hornbeam import proto
from hornbeam.compat.internals import decorators, file_io, inspect_checkpoint, timeline
from hornbeam.core import errors
from hornbeam.files.bundle import BundleWriter
from tests.compat.programs import hornbeam, write


def test_they_import_under_tensorflows_paths(tmp_path):
    write(
        tmp_path / "p.py",
        """
        from tensorflow.python.client import device_lib, timeline
        from tensorflow.python.lib.io import file_io
        from tensorflow.python.platform import app, flags, gfile, tf_logging
        from tensorflow.python.tools import inspect_checkpoint
        from tensorflow.python.util import compat, deprecation, nest, tf_contextlib, tf_inspect
        from tensorflow.python.util.tf_export import tf_export
        import tensorflow.python.util.deprecation as again

        assert again is deprecation and nest.flatten([1, [2]]) == [1, 2] and compat.as_bytes("a") == b"a"
        assert any(d.device_type == "CPU" for d in device_lib.list_local_devices())
        assert tf_inspect.getargspec(lambda a, b=1: 0).args == ["a", "b"] and tf_inspect.isfunction(print) is False
        @tf_contextlib.contextmanager
        def scope():
            yield 5
        with scope() as five:
            assert five == 5
        """,
    )
    result = hornbeam("run", "p.py", cwd=tmp_path)
    assert result.code == 0, result.err


def test_timeline_is_a_chrome_trace_with_ops_and_arrows():
    stats = proto.StepStats()
    device = stats.dev_stats.add(device="/device:CPU:0")
    device.node_stats.add(node_name="a", all_start_micros=10, all_end_rel_micros=5, timeline_label="a = Const()")
    device.node_stats.add(node_name="b", all_start_micros=20, all_end_rel_micros=7, timeline_label="b = Mul(a, a)")
    trace = json.loads(timeline.Timeline(stats).generate_chrome_trace_format())["traceEvents"]
    ops = [(e["name"], e["ts"], e["dur"], e["args"].get("input0")) for e in trace if e["ph"] == "X"]
    assert ops == [("Const", 10, 5, None), ("Mul", 20, 7, "a")]
    assert [e["ts"] for e in trace if e["ph"] in "st"] == [15, 20, 15, 20]
    assert "DataFlow" not in timeline.Timeline(stats).generate_chrome_trace_format(show_dataflow=False)


def test_deprecated_warns_once_and_calls(caplog):
    calls = []

    @decorators.deprecated("2019-01-01", "Use other.")
    def old(x):
        calls.append(x)
        return x + 1

    assert (old(1), old(2)) == (2, 3) and calls == [1, 2] and old.__name__ == "old"
    assert decorators.unwrap(old)[1] is old.__wrapped__
    with pytest.raises(ValueError, match="Cannot specify both 'dim' and 'axis'"):
        decorators.deprecated_argument_lookup("axis", 1, "dim", 2)
    assert decorators.deprecated_argument_lookup("axis", None, "dim", 2) == 2


def test_file_io(tmp_path):
    path = tmp_path / "a" / "b.txt"
    file_io.recursive_create_dir(str(path.parent))
    file_io.write_string_to_file(str(path), "text")
    assert file_io.file_exists(str(path)) and file_io.read_file_to_string(str(path), binary_mode=True) == b"text"
    file_io.atomic_write_string_to_file(str(path), "new")
    assert file_io.read_file_to_string(str(path)) == "new"
    with pytest.raises(errors.AlreadyExistsError):
        file_io.atomic_write_string_to_file(str(path), "newer", overwrite=False)
    file_io.delete_recursively(str(tmp_path / "a"))
    assert not path.exists()


def test_inspect_checkpoint_prints_one_tensor_or_all(tmp_path, capsys):
    prefix = str(tmp_path / "model")
    with BundleWriter(prefix) as writer:
        writer.add("w", np.arange(6, dtype=np.float32).reshape(2, 3))
        writer.add("step", np.int64(4))
    inspect_checkpoint.print_tensors_in_checkpoint_file(prefix, "step", False)
    assert capsys.readouterr().out == "tensor_name:  step\n4\n# Total number of params: 7\n"
    inspect_checkpoint.print_tensors_in_checkpoint_file(prefix, None, False)
    assert "w (DT_FLOAT) [2,3]" in capsys.readouterr().out
    inspect_checkpoint.print_tensors_in_checkpoint_file(prefix, None, True, count_exclude_pattern="step")
    assert capsys.readouterr().out.endswith("# Total number of params: 6\n")
