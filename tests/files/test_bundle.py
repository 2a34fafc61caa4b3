"""Checkpoint V2: TensorFlow's bytes, every dtype, slices, shards, failure without litter, memory, damage by name."""

from __future__ import annotations

import os
import shutil
import tracemalloc
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hornbeam.core import errors
from hornbeam.files.bundle import BundleReader, BundleWriter, merge_bundles
from hornbeam.files.tensor_slice import TensorSlice, decode_key, parse_shape_and_slice

from .support import GOLDEN, full_disk

MATRIX = np.arange(24, dtype=np.float32).reshape(4, 6)


def rewrite(source: Path, target: Path) -> None:
    """Writes the tensors of a checkpoint again, in the order their bytes lie in the file."""
    with BundleReader(str(source)) as reader, BundleWriter(str(target)) as writer:
        parts: list[tuple[int, int, str, TensorSlice | None]] = []
        for name in reader:
            entry = reader.entry(name)
            if not entry.slices:
                parts.append((entry.offset, entry.size, name, None))
        for key in reader.slice_keys():
            name, slice_ = decode_key(key)
            entry = reader._entry(key, name)
            parts.append((entry.offset, entry.size, name, slice_))
        for _, _, name, slice_ in sorted(parts, key=lambda p: p[:2]):
            if slice_ is None:
                writer.add(name, reader.read(name), reader.dtype(name))
            else:
                writer.add_slice(name, reader.shape(name), slice_, reader.read_slice(name, slice_), reader.dtype(name))


@pytest.mark.parametrize("name", ["all", "slices"])
def test_what_we_write_is_tensorflows_byte_for_byte(tmp_path: Path, name: str) -> None:
    rewrite(GOLDEN / name, tmp_path / name)
    for suffix in (".index", ".data-00000-of-00001"):
        assert (tmp_path / (name + suffix)).read_bytes() == (GOLDEN / (name + suffix)).read_bytes()


def test_tensorflows_values_of_every_dtype() -> None:
    expected = np.load(GOLDEN / "values.npz")
    with BundleReader(str(GOLDEN / "all")) as reader:
        for key in expected.files:
            value = reader.read(key.replace("|", "/"))
            assert value.dtype == expected[key].dtype
            np.testing.assert_array_equal(value, expected[key])
            assert value.ctypes.data % 64 == 0
        assert reader.read("v/bfloat16").dtype == ml_dtypes.bfloat16
        assert reader.dtype("q/quint8").name == "quint8" and reader.read("q/quint8").dtype == np.uint8
        assert reader.read("strings").tolist() == [[b"a", b"", b"x" * 300], [b"\0\xff", b"abc", b"d"]]
        assert reader.read("string").item() == b"scalar" and reader.read("string").shape == ()
        assert reader.read("empty").shape == (0, 3) and reader.read("no_strings").shape == (0,)
        assert reader.read("scalar") == np.float32(3.5)


@pytest.mark.parametrize("checkpoint", ["slices", "merged"])
def test_a_partitioned_tensor_is_read_whole_and_in_parts(checkpoint: str) -> None:
    with BundleReader(str(GOLDEN / checkpoint)) as reader:
        np.testing.assert_array_equal(reader.read("p"), MATRIX)
        np.testing.assert_array_equal(reader.read("p", "4 6 1,2:-"), MATRIX[1:3])
        np.testing.assert_array_equal(reader.read("p", "4 6 1,2:2,3"), MATRIX[1:3, 2:5])


def test_a_part_of_a_whole_tensor() -> None:
    with BundleReader(str(GOLDEN / "slices")) as reader:
        np.testing.assert_array_equal(reader.read("whole", "4 6 -:4,2"), MATRIX[:, 4:])


def test_missing_slices_are_named() -> None:
    with BundleReader(str(GOLDEN / "slices")) as reader:
        with pytest.raises(errors.InvalidArgumentError, match="sufficient slices for partitioned tensor part"):
            reader.read("part")
        np.testing.assert_array_equal(reader.read("part", "4 6 -:1,2"), MATRIX[:, 1:3])


def test_merging_shards_gives_tensorflows_bytes(tmp_path: Path) -> None:
    for i, rows in enumerate((slice(0, 2), slice(2, 4))):
        with BundleWriter(str(tmp_path / f"shard{i}")) as writer:
            writer.add_slice("p", (4, 6), TensorSlice.parse(f"{2 * i},2:-"), MATRIX[rows])
            writer.add(f"only{i}", MATRIX + i)
    merge_bundles([tmp_path / "shard0", tmp_path / "shard1"], str(tmp_path / "merged"))
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted(p.name for p in GOLDEN.glob("merged*"))
    for path in tmp_path.iterdir():
        assert path.read_bytes() == (GOLDEN / path.name).read_bytes()


def test_merging_the_same_tensor_twice_is_refused(tmp_path: Path) -> None:
    for i in range(2):
        with BundleWriter(str(tmp_path / f"s{i}")) as writer:
            writer.add("same", MATRIX)
    with pytest.raises(errors.InvalidArgumentError, match="Duplicate tensor keyed by same"):
        merge_bundles([tmp_path / "s0", tmp_path / "s1"], str(tmp_path / "m"))
    assert BundleReader(str(tmp_path / "s0")).read("same").shape == (4, 6)


@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_any_partition_gives_any_slice(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    rows, columns = data.draw(st.integers(1, 6)), data.draw(st.integers(1, 6))
    whole = np.arange(rows * columns, dtype=np.int32).reshape(rows, columns)
    cuts = [sorted({0, n, *data.draw(st.lists(st.integers(1, n), max_size=2))}) for n in (rows, columns)]
    prefix = str(tmp_path_factory.mktemp("b") / "c")
    with BundleWriter(prefix) as writer:
        for a, b in zip(cuts[0], cuts[0][1:]):
            for c, d in zip(cuts[1], cuts[1][1:]):
                writer.add_slice("t", whole.shape, TensorSlice(((a, b - a), (c, d - c))), whole[a:b, c:d])
    a = data.draw(st.integers(0, rows - 1))
    b = data.draw(st.integers(a + 1, rows))
    c = data.draw(st.integers(0, columns - 1))
    d = data.draw(st.integers(c + 1, columns))
    with BundleReader(prefix) as reader:
        np.testing.assert_array_equal(reader.read("t"), whole)
        np.testing.assert_array_equal(reader.read_slice("t", TensorSlice(((a, b - a), (c, d - c)))), whole[a:b, c:d])


def test_partitioned_strings(tmp_path: Path) -> None:
    words = np.array([b"a", b"bc", b"", b"def"], object)
    with BundleWriter(str(tmp_path / "c")) as writer:
        writer.add_slice("w", (4,), TensorSlice.parse("0,3"), words[:3])
        writer.add_slice("w", (4,), TensorSlice.parse("3,1"), words[3:])
    assert BundleReader(str(tmp_path / "c")).read("w").tolist() == words.tolist()


def test_alignment_pads_each_tensor(tmp_path: Path) -> None:
    with BundleWriter(str(tmp_path / "c"), data_alignment=64) as writer:
        for i in range(3):
            writer.add(f"t{i}", np.arange(i + 1, dtype=np.int8))
    reader = BundleReader(str(tmp_path / "c"))
    assert [reader.entry(f"t{i}").offset for i in range(3)] == [0, 64, 128]
    assert reader.read("t2").tolist() == [0, 1, 2]


def test_what_cannot_be_saved_is_refused(tmp_path: Path) -> None:
    writer = BundleWriter(str(tmp_path / "c"))
    writer.add("a", MATRIX)
    for name, value, dtype, error in [
        ("a", MATRIX, None, errors.InvalidArgumentError),
        ("", MATRIX, None, errors.InvalidArgumentError),
        ("v", np.array([None]), "variant", errors.UnimplementedError),
        ("r", np.array([None]), "resource", errors.UnimplementedError),
        ("d", np.array(["2020"], "M8[Y]"), None, errors.InvalidArgumentError),
    ]:
        with pytest.raises(error):
            writer.add(name, value, dtype)
    with pytest.raises(errors.InvalidArgumentError, match="does not match the shape of the tensor"):
        writer.add_slice("s", (4, 6), TensorSlice.parse("0,3:-"), MATRIX)
    writer.abort()
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("after", [0, 10, 95, 100, 200])
def test_a_full_disk_leaves_the_previous_checkpoint_and_no_litter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, after: int
) -> None:
    prefix = str(tmp_path / "c")
    with BundleWriter(prefix) as writer:
        writer.add("a", MATRIX)
    with pytest.raises(errors.ResourceExhaustedError, match="No space left"):
        with full_disk(monkeypatch, after), BundleWriter(prefix) as writer:
            writer.add("a", MATRIX + 1)
            writer.add("b", MATRIX)
            writer.add("c", np.zeros(3))
    assert sorted(os.listdir(tmp_path)) == ["c.data-00000-of-00001", "c.index"]
    np.testing.assert_array_equal(BundleReader(prefix).read("a"), MATRIX)


def test_an_error_while_saving_leaves_no_litter(tmp_path: Path) -> None:
    with pytest.raises(KeyError):
        with BundleWriter(str(tmp_path / "c")) as writer:
            writer.add("a", MATRIX)
            raise KeyError("the caller's own")
    assert os.listdir(tmp_path) == []


def test_where_nothing_can_be_written(tmp_path: Path) -> None:
    with pytest.raises(errors.NotFoundError, match="no/such; No such file"):
        BundleWriter(str(tmp_path / "no" / "such" / "c"))
    with BundleWriter(str(tmp_path / "made" / "c")) as writer:
        writer.add("a", MATRIX)
    assert BundleReader(str(tmp_path / "made" / "c")).keys() == ["a"]


def test_missing_checkpoint_and_missing_tensor(tmp_path: Path) -> None:
    with pytest.raises(errors.NotFoundError, match="Failed to find any matching files for"):
        BundleReader(str(tmp_path / "none"))
    with pytest.raises(errors.NotFoundError, match="Key nope not found in checkpoint"):
        BundleReader(str(GOLDEN / "all")).read("nope")


def copied(tmp_path: Path) -> Path:
    for suffix in (".index", ".data-00000-of-00001"):
        shutil.copy(GOLDEN / ("slices" + suffix), tmp_path / ("c" + suffix))
    return tmp_path / "c"


def test_a_damaged_tensor_is_named_with_file_and_offset(tmp_path: Path) -> None:
    prefix = copied(tmp_path)
    data_file = Path(f"{prefix}.data-00000-of-00001")
    data = bytearray(data_file.read_bytes())
    data[200] ^= 1
    data_file.write_bytes(data)
    reader = BundleReader(str(prefix))
    offset = reader.entry("whole").offset
    with pytest.raises(errors.DataLossError) as caught:
        reader.read("whole")
    message = str(caught.value)
    assert str(data_file) in message and "tensor whole" in message and f"offset {offset}" in message
    np.testing.assert_array_equal(reader.read("p"), MATRIX)


def test_a_truncated_data_file_is_named(tmp_path: Path) -> None:
    prefix = copied(tmp_path)
    data_file = Path(f"{prefix}.data-00000-of-00001")
    data_file.write_bytes(data_file.read_bytes()[:150])
    with pytest.raises(errors.DataLossError, match="whole at offset .* ends at 150"):
        BundleReader(str(prefix)).read("whole")
    data_file.unlink()
    with pytest.raises(errors.NotFoundError, match="data-00000-of-00001"):
        BundleReader(str(prefix)).read("whole")


@pytest.mark.parametrize(
    ("spec", "error"),
    [
        ("4 7 -:-", errors.InvalidArgumentError),
        ("4 6", errors.InvalidArgumentError),
        ("a 6 -", errors.InvalidArgumentError),
        ("4 6 x:-", errors.InvalidArgumentError),
        ("4 6 0,0:-", errors.InvalidArgumentError),
        ("-", errors.InvalidArgumentError),
        ("4 6 0,2", errors.InternalError),
        ("4 6 0,5:-", errors.InternalError),
        ("4 6 ", errors.InternalError),
    ],
)
def test_bad_slice_specs_fail_as_in_tensorflow(spec: str, error: type[Exception]) -> None:
    with pytest.raises(error):
        BundleReader(str(GOLDEN / "slices")).read("p", spec)


def test_spec_is_parsed() -> None:
    shape, slice_ = parse_shape_and_slice("4 6 0,2:-")
    assert shape == (4, 6) and slice_.shape(shape) == (2, 6) and str(slice_) == "0,2:-"
    assert decode_key(slice_.key("a/b")) == ("a/b", slice_)


def test_saving_and_restoring_needs_little_more_than_the_tensors(tmp_path: Path) -> None:
    tensors: dict[str, Any] = {f"t{i}": np.full(2_000_000, i, np.float32) for i in range(5)}
    tracemalloc.start()
    with BundleWriter(str(tmp_path / "c"), sync=False) as writer:
        for name, value in tensors.items():
            writer.add(name, value)
    _, saving = tracemalloc.get_traced_memory()
    tracemalloc.reset_peak()
    with BundleReader(str(tmp_path / "c")) as reader:
        for name in reader:
            reader.read(name)
    _, restoring = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert saving < 2_000_000
    assert restoring < 2.2 * 8_000_000  # one tensor is dropped when the next one has come
