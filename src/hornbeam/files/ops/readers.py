"""TFRecordReader: records of TFRecord files, plain or compressed, by the names a queue gives."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from hornbeam.files.records import RecordReader
from hornbeam.ops.readers import SHARING, declare_reader, path_of, reader


def _records(compression: str) -> Any:
    def records(name: bytes) -> Iterator[tuple[bytes, bytes]]:
        return pairs(name, RecordReader(path_of(name), compression))

    def pairs(name: bytes, found: RecordReader) -> Iterator[tuple[bytes, bytes]]:
        offset = 0
        with found:
            for record in found:
                yield b"%s:%d" % (name, offset), record
                offset += len(record) + 16  # length and its checksum before, the checksum behind

    return records


def _tf_record_reader(ctx):
    kind = ctx.op._attrs["compression_type"].decode()
    if kind not in ("", "ZLIB", "GZIP"):
        raise ctx.fail(f"Unsupported compression_type: {kind}")
    return reader(ctx, _records(kind))


declare_reader("TFRecordReader", f"{SHARING}; compression_type: string = ''", _tf_record_reader)
