"""TFRecord files (`tf.python_io`): of each record length, its masked CRC, data, its masked CRC; plain, zlib or gzip."""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any

from hornbeam.core import errors
from hornbeam.files.atomic import from_os_error, os_errors
from hornbeam.files.crc import crc_of_bytes, mask, masked_crc32c

_CHUNK = 1 << 20
_HEADER, _FOOTER = 12, 4
_U32, _U64 = struct.Struct("<I"), struct.Struct("<Q")


class TFRecordCompressionType:
    """The three ways a record file may be compressed."""

    NONE = 0
    ZLIB = 1
    GZIP = 2


_TYPE_NAMES = {0: "", 1: "ZLIB", 2: "GZIP"}
_WINDOW_BITS = {"ZLIB": 15, "GZIP": 31}


class TFRecordOptions:
    """How a record file is compressed; the numbers are zlib's. Raises ValueError for an unknown compression type."""

    compression_type_map = _TYPE_NAMES

    def __init__(
        self,
        compression_type: Any = None,
        flush_mode: int | None = None,
        input_buffer_size: int | None = None,
        output_buffer_size: int | None = None,
        window_bits: int | None = None,
        compression_level: int | None = None,
        compression_method: int | None = None,
        mem_level: int | None = None,
        compression_strategy: int | None = None,
    ) -> None:
        self.get_compression_type_string(compression_type)
        self.compression_type = compression_type
        self.flush_mode = flush_mode
        self.input_buffer_size = input_buffer_size
        self.output_buffer_size = output_buffer_size
        self.window_bits = window_bits
        self.compression_level = compression_level
        self.compression_method = compression_method
        self.mem_level = mem_level
        self.compression_strategy = compression_strategy

    @classmethod
    def get_compression_type_string(cls, options: Any) -> str:
        """'', 'ZLIB' or 'GZIP' of options, a TFRecordCompressionType or such a string."""
        if isinstance(options, TFRecordOptions):
            return cls.get_compression_type_string(options.compression_type)
        if options is None:
            return ""
        if isinstance(options, str) and options in _TYPE_NAMES.values():
            return options
        if isinstance(options, int) and options in _TYPE_NAMES:
            return _TYPE_NAMES[options]
        raise ValueError(f'Not a valid compression_type: "{options}"')


class TFRecordWriter:
    """Writes records to a new file. Usable as a context manager; `close` may be called twice."""

    def __init__(self, path: Any, options: Any = None) -> None:
        if not isinstance(options, TFRecordOptions):
            options = TFRecordOptions(options)
        kind = TFRecordOptions.get_compression_type_string(options)
        self._path = os.fspath(path)
        self._flush_mode = zlib.Z_SYNC_FLUSH if options.flush_mode is None else options.flush_mode
        self._compressor = _compressor(kind, options) if kind else None
        with os_errors(self._path):
            self._file: Any = open(self._path, "wb", buffering=options.output_buffer_size or 262144)

    def write(self, record: bytes | str) -> None:
        """Appends one record. Raises FailedPreconditionError after `close`, ResourceExhaustedError on a full disk."""
        if not isinstance(record, bytes):
            record = _record_bytes(record)
        file = self._open_file()
        data = frame(record)
        try:
            file.write(data if self._compressor is None else self._compressor.compress(data))
        except OSError as e:
            raise from_os_error(e, self._path) from e

    def flush(self) -> None:
        """Hands everything written so far to the system."""
        file = self._open_file()
        with os_errors(self._path):
            if self._compressor is not None:
                file.write(self._compressor.flush(self._flush_mode))
            file.flush()

    def close(self) -> None:
        if self._file is None:
            return
        file, self._file = self._file, None
        with os_errors(self._path):
            try:
                if self._compressor is not None:
                    file.write(self._compressor.flush(zlib.Z_FINISH))
            finally:
                file.close()

    def _open_file(self) -> Any:
        if self._file is None:
            raise errors.FailedPreconditionError(None, None, "Writer is closed.")
        return self._file

    def __enter__(self) -> TFRecordWriter:
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()


def _record_bytes(record: Any) -> bytes:
    if isinstance(record, str):
        return record.encode()
    if not isinstance(record, (bytearray, memoryview)):
        raise TypeError(f"a record is bytes, not {type(record).__name__}")
    return bytes(record)


def frame(record: bytes) -> bytes:
    """One record as it stands in a file."""
    return _header(len(record)) + record + _U32.pack(mask(crc_of_bytes(record)))


@lru_cache(maxsize=4096)  # most files have records of few lengths
def _header(length: int) -> bytes:
    data = struct.pack("<Q", length)
    return data + _U32.pack(masked_crc32c(data))


class RecordReader:
    """Iterates over the records of a file, holding no more than one of them and a megabyte.

    Raises NotFoundError when the file is missing and DataLossError, with the offset in the uncompressed data, where a
    record is truncated or damaged or the compression is not what was said.
    """

    def __init__(self, path: Any, options: Any = None) -> None:
        self.path = os.fspath(path)
        kind = TFRecordOptions.get_compression_type_string(options)
        with os_errors(self.path):
            self._file: Any = open(self.path, "rb", buffering=0)
            if os.path.isdir(self.path):
                raise IsADirectoryError(21, "Is a directory")
        window_bits = options.window_bits if isinstance(options, TFRecordOptions) else None
        self._records = self._iterate(self._inflated(kind, window_bits) if kind else self._raw)

    def __iter__(self) -> Iterator[bytes]:
        return self._records

    def __next__(self) -> bytes:
        return next(self._records)

    def close(self) -> None:
        self._file.close()

    def __enter__(self) -> RecordReader:
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()

    def _iterate(self, read: Callable[[int], bytes]) -> Iterator[bytes]:
        buffer, at, offset = b"", 0, 0
        while True:
            if len(buffer) - at < _HEADER:
                buffer = _at_least(read, buffer[at:], _HEADER)
                at = 0
                if not buffer:
                    self.close()
                    return
                if len(buffer) < _HEADER:
                    raise self._loss(f"truncated record at {offset}")
            header = buffer[at : at + _HEADER]
            (length,) = _U64.unpack_from(header)
            if header != _header(length):
                hint = " (Is this even a TFRecord file?)" if offset == 0 else ""
                raise self._loss(f"corrupted record at {offset}{hint}")
            at += _HEADER
            if len(buffer) - at < length + _FOOTER:
                buffer = _at_least(read, buffer[at:], length + _FOOTER)
                at = 0
                if len(buffer) < length + _FOOTER:
                    missing = length + _FOOTER - len(buffer)
                    raise self._loss(f"truncated record at {offset}: {missing} bytes are missing at its end")
            record = buffer[at : at + length]
            if _U32.unpack_from(buffer, at + length)[0] != mask(crc_of_bytes(record)):
                raise self._loss(f"corrupted record at {offset}")
            yield record
            at += length + _FOOTER
            offset += _HEADER + length + _FOOTER

    def _raw(self, size: int) -> bytes:
        with os_errors(self.path):
            return bytes(self._file.read(size))

    def _inflated(self, kind: str, window_bits: int | None) -> Callable[[int], bytes]:
        bits = _WINDOW_BITS[kind] if window_bits is None else _window_bits(kind, window_bits)
        state = zlib.decompressobj(bits)
        pending = b""
        finished = False

        def read(size: int) -> bytes:
            nonlocal state, pending, finished
            while not finished:
                if not pending:
                    pending = self._raw(_CHUNK)
                    if not pending:
                        finished = True
                        if not state.eof and self._file.tell():
                            raise self._loss("the compressed data ends before its end mark")
                        return b""
                if state.eof:  # gzip files may be joined
                    state = zlib.decompressobj(bits)
                try:
                    data = state.decompress(pending, size)
                except zlib.error as e:
                    why = f"inflate() failed: {e} (not {kind}, or damaged, before {self._file.tell()})"
                    raise self._loss(why) from None
                pending = state.unused_data if state.eof else state.unconsumed_tail
                if data:
                    return data
            return b""

        return read

    def _loss(self, why: str) -> errors.OpError:
        self.close()
        return errors.DataLossError(None, None, f"{self.path}: {why}")


def tf_record_iterator(path: Any, options: Any = None) -> RecordReader:
    """The records of a file, one after the other, as bytes."""
    return RecordReader(path, options)


def count_records(path: Any, options: Any = None) -> int:
    """How many records a file has. An uncompressed file's data is skipped, so only its lengths are verified."""
    if TFRecordOptions.get_compression_type_string(options):
        return sum(1 for _ in RecordReader(path, options))
    count = 0
    for _ in record_offsets(path):
        count += 1
    return count


def record_offsets(path: Any) -> Iterator[int]:
    """Where each record of an uncompressed file starts, for `read_record_at`."""
    name = os.fspath(path)
    with os_errors(name):
        file = open(name, "rb", buffering=0)
    with file:
        size = os.fstat(file.fileno()).st_size
        offset = 0
        while offset < size:
            header = os.pread(file.fileno(), _HEADER, offset)
            if len(header) < _HEADER:
                raise _loss(name, f"truncated record at {offset}")
            (length,) = _U64.unpack_from(header)
            if header != _header(length):
                raise _loss(name, f"corrupted record at {offset}")
            end = offset + _HEADER + length + _FOOTER
            if end > size:
                raise _loss(name, f"truncated record at {offset}: it ends at {end}, the file at {size}")
            yield offset
            offset = end


def read_record_at(path: Any, offset: int) -> tuple[bytes, int]:
    """The record that starts at `offset` of an uncompressed file, and where the next one starts.

    Raises OutOfRangeError at the end of the file, DataLossError when no intact record starts there.
    """
    name = os.fspath(path)
    with os_errors(name):
        file = open(name, "rb", buffering=0)
    with file:
        file.seek(offset)
        header = _at_least(file.read, b"", _HEADER)[:_HEADER]
        if not header:
            raise errors.OutOfRangeError(None, None, f"{name}: no record at {offset}, the end of the file")
        if len(header) < _HEADER:
            raise _loss(name, f"truncated record at {offset}")
        length, check = struct.unpack("<QI", header)
        if check != masked_crc32c(header[:8]):
            raise _loss(name, f"corrupted record at {offset}")
        file.seek(offset + _HEADER)
        data = _at_least(file.read, b"", length + _FOOTER)
        if len(data) < length + _FOOTER:
            raise _loss(name, f"truncated record at {offset}")
        record = data[:length]
        if struct.unpack_from("<I", data, length)[0] != masked_crc32c(record):
            raise _loss(name, f"corrupted record at {offset}")
        return record, offset + _HEADER + length + _FOOTER


def _at_least(read: Callable[[int], bytes], have: bytes, size: int) -> bytes:
    """`have` and what follows it, `size` bytes or more unless the data ends; reads only what is really there."""
    if len(have) >= size:
        return have
    parts, total = [have], len(have)
    while total < size:
        data = read(min(max(_CHUNK, size - total), 16 * _CHUNK))
        if not data:
            break
        parts.append(data)
        total += len(data)
    return b"".join(parts)


def _compressor(kind: str, options: TFRecordOptions) -> Any:
    def given(value: int | None, default: int) -> int:
        return default if value is None else value

    bits = _WINDOW_BITS[kind] if options.window_bits is None else _window_bits(kind, options.window_bits)
    return zlib.compressobj(
        given(options.compression_level, -1),
        given(options.compression_method, zlib.DEFLATED),
        bits,
        given(options.mem_level, 9),
        given(options.compression_strategy, zlib.Z_DEFAULT_STRATEGY),
    )


def _window_bits(kind: str, bits: int) -> int:
    """TensorFlow adds the gzip mark itself."""
    return bits + 16 if kind == "GZIP" and bits <= 15 else bits


def _loss(path: str, why: str) -> errors.OpError:
    return errors.DataLossError(None, None, f"{path}: {why}")
