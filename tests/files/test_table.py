"""Tables: what is added comes back in order, the bytes are LevelDB's, damage is found and named."""

from __future__ import annotations

import io
import struct
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hornbeam.core import errors
from hornbeam.files import snappy, varint
from hornbeam.files.table import TableBuilder, TableReader

from .support import GOLDEN


def build(entries: dict[bytes, bytes], **options: object) -> bytes:
    out = io.BytesIO()
    builder = TableBuilder(out.write, **options)  # type: ignore[arg-type]
    for key in sorted(entries):
        builder.add(key, entries[key])
    assert builder.finish() == len(out.getvalue())
    return out.getvalue()


@settings(max_examples=60, deadline=None)
@given(
    st.dictionaries(st.binary(max_size=12), st.binary(max_size=40), max_size=60),
    st.sampled_from([20, 100, 262144]),
    st.sampled_from([1, 2, 16]),
    st.booleans(),
)
def test_entries_come_back_in_order(
    tmp_path_factory: pytest.TempPathFactory,
    entries: dict[bytes, bytes],
    block_size: int,
    restart_interval: int,
    compress: bool,
) -> None:
    path = tmp_path_factory.mktemp("table") / "t"
    path.write_bytes(build(entries, block_size=block_size, restart_interval=restart_interval, compress=compress))
    with TableReader(str(path)) as table:
        assert list(table) == sorted(entries.items())
        for key, value in entries.items():
            assert table.get(key) == value
        assert table.get(b"no such key that was drawn") is None


@pytest.mark.parametrize("name", ["all.index", "slices.index", "merged.index", "v1", "v1_slices"])
def test_rewriting_tensorflows_table_gives_its_bytes(name: str) -> None:
    with TableReader(str(GOLDEN / name)) as table:
        assert build(dict(table)) == (GOLDEN / name).read_bytes()


def test_keys_must_increase() -> None:
    builder = TableBuilder(io.BytesIO().write)
    builder.add(b"b", b"")
    with pytest.raises(ValueError, match="increase"):
        builder.add(b"a", b"")


def test_damage_is_reported_with_file_and_offset(tmp_path: Path) -> None:
    path = tmp_path / "t"
    data = bytearray(build({b"k%03d" % i: b"v" * 20 for i in range(50)}, block_size=200))
    data[260] ^= 4
    path.write_bytes(data)
    with pytest.raises(errors.DataLossError, match=rf"{path} at offset \d+: the block's checksum"):
        list(TableReader(str(path)))


def test_missing_file_is_not_found(tmp_path: Path) -> None:
    with pytest.raises(errors.NotFoundError, match="nothing"):
        TableReader(str(tmp_path / "nothing"))


@pytest.mark.parametrize("data", [b"", b"short", b"x" * 48, b"x" * 4000])
def test_files_that_are_no_tables(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "t"
    path.write_bytes(data)
    with pytest.raises(errors.DataLossError, match="table"):
        TableReader(str(path))


@given(st.binary(max_size=2000), st.integers(0, 5))
def test_snappy_round_trip(data: bytes, repeat: int) -> None:
    data = data * repeat
    assert snappy.decompress(snappy.compress(data)) == data


def test_snappy_reads_every_kind_of_element() -> None:
    # literal "abcd"; copy of 5 at distance 4 (one-byte offset); copy of 3 at 9 (two bytes); copy of 2 at 1 (four bytes)
    data = varint.encode(14) + b"\x0cabcd" + b"\x05\x04" + b"\x0a\x09\x00" + b"\x07\x01\x00\x00\x00"
    assert snappy.decompress(data) == b"abcd" + b"abcda" + b"abc" + b"cc"


@given(st.binary(max_size=80))
def test_snappy_refuses_or_reads_any_bytes(data: bytes) -> None:
    try:
        assert len(snappy.decompress(data)) <= 64 * len(data)
    except ValueError:
        pass


@given(st.integers(-(2**63), 2**63 - 1), st.integers(-(2**63), 2**63 - 1))
def test_ordered_signed_keeps_order(a: int, b: int) -> None:
    assert (varint.ordered_signed(a) < varint.ordered_signed(b)) == (a < b)
    encoded = varint.ordered_signed(a)
    assert varint.read_ordered_signed(encoded + b"\xff", 0) == (a, len(encoded))


@given(st.binary(), st.binary())
def test_ordered_string_keeps_order(a: bytes, b: bytes) -> None:
    assert (varint.ordered_string(a) < varint.ordered_string(b)) == (a < b)
    assert varint.read_ordered_string(varint.ordered_string(a) + b, 0) == (a, len(varint.ordered_string(a)))


@given(st.integers(0, 2**64 - 1))
def test_varint_round_trip(value: int) -> None:
    data = varint.encode(value)
    assert varint.decode(data, 0, len(data)) == (value, len(data))
    with pytest.raises(ValueError):
        varint.decode(data, 0, len(data) - 1)


def test_a_block_that_declares_more_than_the_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "t"
    handles = varint.encode(0) + varint.encode(0) + varint.encode(0) + varint.encode(1 << 40)
    path.write_bytes(b"\0" * 100 + handles.ljust(40, b"\0") + struct.pack("<Q", 0xDB4775248B80FB57))
    with pytest.raises(errors.DataLossError, match="reaches past the end"):
        TableReader(str(path))
