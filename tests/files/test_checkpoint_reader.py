"""NewCheckpointReader and its kin over V1 and V2 checkpoints, TensorFlow's own and real old ones."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from hornbeam.core import dtypes, errors
from hornbeam.files.bundle import BundleWriter
from hornbeam.files.checkpoint_reader import NewCheckpointReader, list_variables, load_checkpoint, load_variable
from hornbeam.files.checkpoint_state import update_checkpoint_state
from hornbeam.files.checkpoint_v1 import V1Reader, V1Writer
from hornbeam.files.tensor_slice import TensorSlice

from .support import GOLDEN, SHARED_MODELS

MATRIX = np.arange(24, dtype=np.float32).reshape(4, 6)


@pytest.mark.parametrize("checkpoint", ["all", "v1"])
def test_values_of_every_dtype(checkpoint: str) -> None:
    expected = np.load(GOLDEN / "values.npz")
    with NewCheckpointReader(str(GOLDEN / checkpoint)) as reader:
        shapes, types = reader.get_variable_to_shape_map(), reader.get_variable_to_dtype_map()
        assert set(shapes) == set(types)
        assert shapes["v/float32"] == [3, 5] and types["q/quint8"] is dtypes.quint8
        for name in shapes:
            value = reader.get_tensor(name)
            key = name.replace("/", "|")
            if key in expected.files:
                assert value.dtype == expected[key].dtype
                np.testing.assert_array_equal(value, expected[key])
        assert (
            reader.get_tensor("q/quint8").tolist()
            == NewCheckpointReader(str(GOLDEN / "all")).get_tensor("q/quint8").tolist()
        )
        assert reader.get_tensor("strings").tolist() == [[b"a", b"", b"x" * 300], [b"\0\xff", b"abc", b"d"]]
        assert reader.get_tensor("string") == b"scalar"
        assert reader.get_tensor("scalar") == 3.5


@pytest.mark.parametrize("checkpoint", ["slices", "v1_slices", "merged"])
def test_sliced_tensors(checkpoint: str) -> None:
    with NewCheckpointReader(str(GOLDEN / checkpoint)) as reader:
        assert reader.has_tensor("p") and not reader.has_tensor("q")
        np.testing.assert_array_equal(reader.get_tensor("p"), MATRIX)
        np.testing.assert_array_equal(reader.read_slice("p", TensorSlice.parse("1,2:2,3")), MATRIX[1:3, 2:5])
        with pytest.raises(errors.NotFoundError, match="nope not found in checkpoint"):
            reader.get_tensor("nope")


def test_debug_strings() -> None:
    assert NewCheckpointReader(str(GOLDEN / "slices")).debug_string() == (
        b"\x00p\x00\x01\x01\x02\x80\x82\x80\x7f (DT_FLOAT) [2,6]\n"
        b"\x00p\x00\x01\x01\x02\x82\x82\x80\x7f (DT_FLOAT) [2,6]\n"
        b"\x00part\x00\x01\x01\x02\x80\x84\x80\x83 (DT_FLOAT) [4,3]\n"
        b"whole (DT_FLOAT) [4,6]\n"
    )
    assert NewCheckpointReader(str(GOLDEN / "v1_slices")).debug_string() == (
        b"p (DT_FLOAT) [4,6], 2 slices\nzeros (DT_FLOAT) [100]\n"
    )


@pytest.mark.parametrize("checkpoint", ["v1", "v1_slices"])
def test_v1_is_written_with_tensorflows_bytes(tmp_path: Path, checkpoint: str) -> None:
    with V1Reader(str(GOLDEN / checkpoint)) as reader, V1Writer(str(tmp_path / "c")) as writer:
        for name in reversed(reader.keys()):
            tensor = reader.tensor(name)
            for slice_, _ in tensor.slices:
                writer.add_slice(name, tensor.shape, slice_, reader.read_slice(name, slice_), tensor.dtype)
    assert (tmp_path / "c").read_bytes() == (GOLDEN / checkpoint).read_bytes()


def test_what_v1_cannot_hold_is_refused(tmp_path: Path) -> None:
    writer = V1Writer(str(tmp_path / "c"))
    writer.add("a", MATRIX)
    with pytest.raises(errors.UnimplementedError, match="uint64"):
        writer.add("b", np.uint64(3))
    with pytest.raises(errors.InvalidArgumentError, match="duplicate key: a"):
        writer.add("a", MATRIX)
    assert list(tmp_path.iterdir()) == []


def test_v1_in_several_files(tmp_path: Path) -> None:
    shutil.copy(GOLDEN / "v1", tmp_path / "m-00000-of-00002")
    shutil.copy(GOLDEN / "v1_slices", tmp_path / "m-00001-of-00002")
    for pattern in ("m-?????-of-00002", "m"):
        reader = NewCheckpointReader(str(tmp_path / pattern))
        assert reader.has_tensor("v/int32") and reader.has_tensor("zeros")
        np.testing.assert_array_equal(reader.get_tensor("p"), MATRIX)


def test_by_directory_and_by_prefix(tmp_path: Path) -> None:
    with BundleWriter(str(tmp_path / "model-7")) as writer:
        writer.add("w", MATRIX)
        writer.add("b", np.float32(2))
    with pytest.raises(ValueError, match="Couldn't find 'checkpoint' file"):
        load_checkpoint(str(tmp_path))
    update_checkpoint_state(str(tmp_path), str(tmp_path / "model-7"))
    for place in (tmp_path, str(tmp_path), str(tmp_path / "model-7")):
        assert list_variables(place) == [("b", []), ("w", [4, 6])]
        assert load_variable(place, "b:0") == 2
    with pytest.raises(errors.NotFoundError, match="Failed to find any matching files for"):
        list_variables(str(tmp_path / "other"))


def test_files_that_are_no_checkpoint(tmp_path: Path) -> None:
    for data in (b"", b"text", bytes(1000)):
        (tmp_path / "x").write_bytes(data)
        with pytest.raises(errors.DataLossError, match=str(tmp_path / "x")):
            NewCheckpointReader(str(tmp_path / "x"))
    shutil.copy(GOLDEN / "all.index", tmp_path / "y")  # a table, but of a V2 checkpoint
    with pytest.raises(errors.DataLossError, match="not a V1 checkpoint.*named without .index"):
        NewCheckpointReader(str(tmp_path / "y")).get_tensor("v/int32")


@pytest.mark.skipif(not SHARED_MODELS.is_dir(), reason="no shared models")
def test_real_checkpoints() -> None:
    v1 = SHARED_MODELS / "checkpoint_v1" / "half_plus_two" / "00000123"
    for name in ("export-00000-of-00001", "export-?????-of-00001", "export"):
        reader = NewCheckpointReader(str(v1 / name))
        assert (reader.get_tensor("a"), reader.get_tensor("b")) == (0.5, 2.0)
    v2 = load_checkpoint(SHARED_MODELS / "regression" / "checkpoint")
    assert v2.get_variable_to_shape_map() == {"W": [], "b": []}
    assert abs(v2.get_tensor("W") - 0.21396178) < 1e-7
