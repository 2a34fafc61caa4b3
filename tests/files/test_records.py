"""TFRecord files: TensorFlow's bytes in all compressions, streaming, damage with its offset."""

from __future__ import annotations

import itertools
import struct
import zlib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hornbeam.core import errors
from hornbeam.files.crc import masked_crc32c
from hornbeam.files.records import (
    TFRecordCompressionType,
    TFRecordOptions,
    TFRecordWriter,
    count_records,
    read_record_at,
    record_offsets,
    tf_record_iterator,
)

from .support import GOLDEN

RECORDS = [b"a", b"", b"x" * 1000, bytes(range(256))]
KINDS = {"plain": "", "zlib": "ZLIB", "gzip": "GZIP"}


@pytest.mark.parametrize("kind", KINDS)
def test_reads_and_writes_what_tensorflow_writes(tmp_path: Path, kind: str) -> None:
    golden = GOLDEN / f"records.{kind}"
    options = TFRecordOptions(KINDS[kind])
    assert list(tf_record_iterator(str(golden), options)) == RECORDS
    with TFRecordWriter(tmp_path / "r", options) as writer:
        for record in RECORDS:
            writer.write(record)
    written = (tmp_path / "r").read_bytes()
    if kind == "plain":
        assert written == golden.read_bytes()
    else:
        bits = 15 if kind == "zlib" else 31
        assert zlib.decompress(written, bits) == (GOLDEN / "records.plain").read_bytes()
    assert count_records(tmp_path / "r", options) == 4


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.binary(max_size=300), max_size=20),
    st.sampled_from(["", "ZLIB", "GZIP"]),
    st.sampled_from([None, 0, 1, 9]),
)
def test_round_trip(
    tmp_path_factory: pytest.TempPathFactory, records: list[bytes], kind: str, level: int | None
) -> None:
    path = tmp_path_factory.mktemp("r") / "r"
    options = TFRecordOptions(kind, compression_level=level)
    with TFRecordWriter(path, options) as writer:
        for i, record in enumerate(records):
            writer.write(record)
            if i % 3 == 0:
                writer.flush()
    assert list(tf_record_iterator(path, options)) == records


def test_a_large_record_spans_reads(tmp_path: Path) -> None:
    large = bytes(range(256)) * 20000
    for kind in KINDS.values():
        with TFRecordWriter(tmp_path / "r", kind) as writer:
            writer.write(b"s")
            writer.write(large)
            writer.write(b"e")
        assert list(tf_record_iterator(tmp_path / "r", kind)) == [b"s", large, b"e"]


def test_positions_of_records() -> None:
    path = GOLDEN / "records.plain"
    offsets = list(record_offsets(path))
    assert offsets == [0, 17, 33, 1049]
    assert [read_record_at(path, o)[0] for o in offsets] == RECORDS
    assert read_record_at(path, 1049)[1] == path.stat().st_size
    with pytest.raises(errors.OutOfRangeError):
        read_record_at(path, path.stat().st_size)
    with pytest.raises(errors.DataLossError, match="corrupted record at 5"):
        read_record_at(path, 5)


def test_options_and_types() -> None:
    name = TFRecordOptions.get_compression_type_string
    assert [name(x) for x in (None, "", 0, 1, 2, "GZIP", TFRecordOptions(TFRecordCompressionType.ZLIB))] == [
        "", "", "", "ZLIB", "GZIP", "GZIP", "ZLIB"
    ]  # fmt: skip
    for wrong in ("FOO", 7):
        with pytest.raises(ValueError, match="Not a valid compression_type"):
            TFRecordOptions(wrong)
    with pytest.raises(ValueError, match="Not a valid compression_type"):
        TFRecordWriter("never made", "FOO")


def test_writer_takes_text_and_refuses_other_things(tmp_path: Path) -> None:
    writer = TFRecordWriter(tmp_path / "r")
    writer.write("é")
    with pytest.raises(TypeError):
        writer.write(5)  # type: ignore[arg-type]
    writer.close()
    writer.close()
    for action in (lambda: writer.write(b"a"), writer.flush):
        with pytest.raises(errors.FailedPreconditionError, match="closed"):
            action()
    assert list(tf_record_iterator(tmp_path / "r")) == ["é".encode()]


def test_a_full_disk_is_an_error_of_the_writer() -> None:
    writer = TFRecordWriter("/dev/full")
    with pytest.raises(errors.ResourceExhaustedError, match="/dev/full; No space left"):
        writer.write(b"x" * 1000)
        writer.close()


def test_missing_and_wrong_files(tmp_path: Path) -> None:
    with pytest.raises(errors.NotFoundError, match="none; No such file"):
        tf_record_iterator(tmp_path / "none")
    with pytest.raises(errors.FailedPreconditionError):
        tf_record_iterator(tmp_path)
    with pytest.raises(errors.DataLossError, match=r"corrupted record at 0 \(Is this even a TFRecord file\?\)"):
        list(tf_record_iterator(GOLDEN / "records.zlib"))
    with pytest.raises(errors.DataLossError, match="not GZIP"):
        list(tf_record_iterator(GOLDEN / "records.plain", "GZIP"))


def test_damage_is_found_after_what_is_intact(tmp_path: Path) -> None:
    data = (GOLDEN / "records.plain").read_bytes()
    path = tmp_path / "r"
    for damaged, intact, message in [
        (data[:-3], 3, "truncated record at 1049"),
        (data[:20], 1, "truncated record at 17"),
        (data[:9] + b"\xff" + data[10:], 0, "corrupted record at 0"),
        (data[:-2] + b"\xff\xff", 3, "corrupted record at 1049"),
        (data[:1100] + b"\x00" + data[1101:], 3, "corrupted record at 1049"),
    ]:
        path.write_bytes(damaged)
        records = tf_record_iterator(path)
        assert list(itertools.islice(records, intact)) == RECORDS[:intact]
        with pytest.raises(errors.DataLossError, match=f"{path}: {message}"):
            next(records)


def test_a_declared_length_is_not_allocated(tmp_path: Path) -> None:
    length = struct.pack("<Q", 1 << 60)
    (tmp_path / "r").write_bytes(length + struct.pack("<I", masked_crc32c(length)) + b"abc")
    with pytest.raises(errors.DataLossError, match="truncated record at 0"):
        list(tf_record_iterator(tmp_path / "r"))
    with pytest.raises(errors.DataLossError, match="truncated record at 0"):
        count_records(tmp_path / "r")


@pytest.mark.parametrize("kind", ["zlib", "gzip"])
def test_truncated_compression(tmp_path: Path, kind: str) -> None:
    data = (GOLDEN / f"records.{kind}").read_bytes()
    for end in range(1, len(data) - 1, 7):
        (tmp_path / "r").write_bytes(data[:end])
        with pytest.raises(errors.DataLossError):
            list(tf_record_iterator(tmp_path / "r", KINDS[kind]))


def test_joined_gzip_files(tmp_path: Path) -> None:
    data = (GOLDEN / "records.gzip").read_bytes()
    (tmp_path / "r").write_bytes(data + data)
    assert list(tf_record_iterator(tmp_path / "r", "GZIP")) == RECORDS * 2
