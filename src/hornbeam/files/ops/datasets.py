"""tf.data sources that read files: TFRecord, text lines, fixed-length records, CSV; and the cache, in memory or in a bundle of files."""

from __future__ import annotations

import csv
import io
import os
import zlib
from typing import Any

import numpy as np

from hornbeam.core import dtypes, errors
from hornbeam.core.registry import op
from hornbeam.files.atomic import os_errors
from hornbeam.files.bundle import BundleReader, BundleWriter, index_path
from hornbeam.files.records import RecordReader, TFRecordOptions, TFRecordWriter
from hornbeam.ops.dataset_base import (
    DatasetValue,
    Element,
    Iterator,
    Run,
    bytes_value,
    dataset_op,
    integer,
    text,
    texts,
)
from hornbeam.ops.dataset_shuffle import cached_in_memory
from hornbeam.ops.iterators import new_run

_BUFFER = 1 << 18


def _compression(value: Any, ctx: Any) -> str:
    kind = text(value)
    if kind not in ("", "ZLIB", "GZIP"):
        raise ctx.fail(f"Unsupported compression_type: {kind}")
    return kind


def _buffer(value: Any, ctx: Any) -> int:
    n = integer(value)
    if n < 0:
        raise ctx.fail("`buffer_size` must be >= 0 (0 == default)")
    return n or _BUFFER


class _Inflated(io.RawIOBase):
    """The plain bytes of a zlib stream."""

    def __init__(self, path: str) -> None:
        self._file = open(path, "rb")  # noqa: SIM115  closed by close()
        self._state = zlib.decompressobj()
        self._path = path

    def readable(self) -> bool:
        return True

    def readinto(self, into: Any) -> int:
        while True:
            pending = self._state.unconsumed_tail or self._file.read(_BUFFER)
            try:
                data = self._state.decompress(pending, len(into)) if pending else b""
            except zlib.error as e:
                raise errors.DataLossError(None, None, f"{self._path}: inflate() failed: {e}") from None
            if data or not pending:
                if not data and not self._state.eof and self._file.tell():
                    raise errors.DataLossError(
                        None, None, f"{self._path}: the compressed data ends before its end mark"
                    )
                into[: len(data)] = data
                return len(data)

    def close(self) -> None:
        self._file.close()
        super().close()


def open_plain(path: str, kind: str, buffer: int) -> Any:
    """A readable file of the uncompressed bytes."""
    with os_errors(path):
        if os.path.isdir(path):
            raise IsADirectoryError(21, "Is a directory")
        if kind == "ZLIB":
            return io.BufferedReader(_Inflated(path), buffer)
        if kind == "GZIP":
            import gzip

            os.stat(path)
            return io.BufferedReader(gzip.open(path, "rb"), buffer)  # type: ignore[arg-type]  # noqa: SIM115
        return open(path, "rb", buffering=buffer)


class _Files(Iterator):
    """Elements of several files, one file after the other; the place is (file, elements read of it)."""

    saved = ("k", "n")

    def __init__(self, run: Run, paths: list[str]) -> None:
        super().__init__(run)
        self.paths = paths
        self.k = 0
        self.n = 0
        self.source: Any = None

    def open(self, path: str) -> Any:
        """An iterator over the elements of a file, with a `close`."""
        raise NotImplementedError

    def element(self, item: Any) -> Element:
        return [bytes_value(item)]

    def next(self) -> Element | None:
        while self.k < len(self.paths):
            path = self.paths[self.k]
            try:
                if self.source is None:
                    self.source = self.open(path)
                item = next(self.source, None)
            except (errors.OpError, EOFError, OSError, zlib.error) as e:
                self._next_file()
                if isinstance(e, errors.OpError):
                    raise
                raise errors.DataLossError(None, None, f"{path}: {e}") from e
            if item is not None:
                self.n += 1
                return self.element(item)
            self._next_file()
        return None

    def _next_file(self) -> None:
        self.close()
        self.k += 1
        self.n = 0

    def close(self) -> None:
        source, self.source = self.source, None
        if source is not None:
            source.close()

    def load(self, state: Any) -> None:
        (self.k, n), _ = state
        self.close()
        self.n = 0
        while self.n < n and self.next() is not None:
            pass


# --- TFRecord ------------------------------------------------------------------------------------------------------------------
class _Records(_Files):
    def __init__(self, run: Run, paths: list[str], kind: str, offsets: list[int] | None) -> None:
        super().__init__(run, paths)
        self.kind, self.offsets = kind, offsets

    def open(self, path: str) -> Any:
        reader = RecordReader(path, self.kind)
        if self.offsets:
            reader._file.seek(self.offsets[self.k])
        return reader


def _records(filenames: Any, compression_type: Any, buffer_size: Any, ctx: Any, offsets: Any = None) -> DatasetValue:
    paths, kind = texts(filenames), _compression(compression_type, ctx)
    _buffer(buffer_size, ctx)
    at = [int(o) for o in np.asarray(offsets).reshape(-1)] if offsets is not None else None
    if at and len(at) != len(paths):
        raise ctx.fail(f"`byte_offsets` has {len(at)} elements, `filenames` {len(paths)}")
    return DatasetValue(ctx.node, lambda run: _Records(run, paths, kind, at))


@dataset_op(
    "TFRecordDataset(filenames: string, compression_type: string, buffer_size: int64)",
    aspects=False,
    metadata=True,
    stateful=True,
)
def TFRecordDataset(filenames, compression_type, buffer_size, ctx):
    return _records(filenames, compression_type, buffer_size, ctx)


@dataset_op("TFRecordDatasetV2(filenames: string, compression_type: string, buffer_size: int64, byte_offsets: int64)", aspects=False, metadata=True,
            stateful=True)  # fmt: skip
def TFRecordDatasetV2(filenames, compression_type, buffer_size, byte_offsets, ctx):
    return _records(filenames, compression_type, buffer_size, ctx, byte_offsets)


# --- lines -----------------------------------------------------------------------------------------------------------------------
class _LinesOf:
    """Lines without their ends (LF or CRLF)."""

    def __init__(self, file: Any) -> None:
        self.file = file

    def __next__(self) -> bytes:
        line: bytes = self.file.readline()
        if not line:
            raise StopIteration
        if line.endswith(b"\r\n"):
            return line[:-2]
        return line[:-1] if line.endswith(b"\n") else line

    def close(self) -> None:
        self.file.close()


class _Lines(_Files):
    def __init__(self, run: Run, paths: list[str], kind: str, buffer: int) -> None:
        super().__init__(run, paths)
        self.kind, self.buffer = kind, buffer

    def open(self, path: str) -> Any:
        return _LinesOf(open_plain(path, self.kind, self.buffer))


@dataset_op(
    "TextLineDataset(filenames: string, compression_type: string, buffer_size: int64)",
    aspects=False,
    metadata=True,
    stateful=True,
)
def TextLineDataset(filenames, compression_type, buffer_size, ctx):
    paths, kind, buffer = texts(filenames), _compression(compression_type, ctx), _buffer(buffer_size, ctx)
    return DatasetValue(ctx.node, lambda run: _Lines(run, paths, kind, buffer))


# --- fixed lengths -----------------------------------------------------------------------------------------------------------------
class _FixedOf:
    def __init__(self, path: str, kind: str, buffer: int, header: int, record: int, footer: int) -> None:
        self.file = open_plain(path, kind, buffer)
        self.record = record
        self.tail = b""  # read ahead, so that the footer is never taken for a record
        if kind:
            body = self.file.read()
            size = len(body)
            self.file.close()
            self.file = io.BytesIO(body)
        else:
            size = os.stat(path).st_size
        body_size = size - header - footer
        if body_size < 0 or body_size % record:
            self.file.close()
            raise errors.InvalidArgumentError(
                None,
                None,
                f'Excluding the header ({header} bytes) and footer ({footer} bytes), input file "{path}" has body length {body_size} bytes, which is not an exact multiple of the record length ({record} bytes).',
            )
        self.left = body_size // record
        self.file.seek(header)

    def __next__(self) -> bytes:
        if not self.left:
            raise StopIteration
        self.left -= 1
        return self.file.read(self.record)  # type: ignore[no-any-return]

    def close(self) -> None:
        self.file.close()


class _Fixed(_Files):
    def __init__(self, run: Run, paths: list[str], sizes: tuple[int, int, int], kind: str, buffer: int) -> None:
        super().__init__(run, paths)
        self.sizes, self.kind, self.buffer = sizes, kind, buffer

    def open(self, path: str) -> Any:
        return _FixedOf(path, self.kind, self.buffer, *self.sizes)


def _fixed(
    filenames: Any, header: Any, record: Any, footer: Any, buffer_size: Any, kind: str, ctx: Any
) -> DatasetValue:
    sizes = (integer(header), integer(record), integer(footer))
    if sizes[0] < 0 or sizes[2] < 0:
        raise ctx.fail("header_bytes and footer_bytes must be >= 0")
    if sizes[1] <= 0:
        raise ctx.fail("record_bytes must be > 0")
    paths, buffer = texts(filenames), _buffer(buffer_size, ctx)
    return DatasetValue(ctx.node, lambda run: _Fixed(run, paths, sizes, kind, buffer))


_FIXED = "filenames: string, header_bytes: int64, record_bytes: int64, footer_bytes: int64, buffer_size: int64"


@dataset_op(f"FixedLengthRecordDataset({_FIXED})", aspects=False, metadata=True, stateful=True)
def FixedLengthRecordDataset(filenames, header_bytes, record_bytes, footer_bytes, buffer_size, ctx):
    return _fixed(filenames, header_bytes, record_bytes, footer_bytes, buffer_size, "", ctx)


@dataset_op(
    f"FixedLengthRecordDatasetV2({_FIXED}, compression_type: string)", aspects=False, metadata=True, stateful=True
)
def FixedLengthRecordDatasetV2(filenames, header_bytes, record_bytes, footer_bytes, buffer_size, compression_type, ctx):
    return _fixed(
        filenames, header_bytes, record_bytes, footer_bytes, buffer_size, _compression(compression_type, ctx), ctx
    )


# --- CSV -----------------------------------------------------------------------------------------------------------------------------
class _RowsOf:
    def __init__(self, file: Any, delimiter: str, quotes: bool, header: bool) -> None:
        self.file = file
        self.reader = csv.reader(
            io.TextIOWrapper(file, "latin-1", newline=""),
            delimiter=delimiter,
            quoting=csv.QUOTE_MINIMAL if quotes else csv.QUOTE_NONE,
            strict=quotes,
        )
        if header:
            next(self.reader, None)

    def __next__(self) -> list[str]:
        return next(self.reader)

    def close(self) -> None:
        self.file.close()


class _Table(_Files):
    def __init__(self, run: Run, paths: list[str], options: dict[str, Any]) -> None:
        super().__init__(run, paths)
        self.options = options

    def open(self, path: str) -> Any:
        o = self.options
        return _RowsOf(open_plain(path, o["kind"], o["buffer"]), o["delimiter"], o["quotes"], o["header"])

    def next(self) -> Element | None:
        try:
            return super().next()
        except csv.Error as e:
            raise errors.InvalidArgumentError(None, None, f"{self.paths[self.k]}, record {self.n}: {e}") from e

    def element(self, item: Any) -> Element:
        o = self.options
        fields = item if not o["select"] else None
        columns, defaults, types = o["select"], o["defaults"], o["types"]
        if fields is None:
            if max(columns) >= len(item):
                raise self._bad(f"there are {len(item)} fields, column {max(columns)} is selected")
            fields = [item[c] for c in columns]
        elif len(fields) != len(types):
            raise self._bad(f"Expect {len(types)} fields but have {len(fields)} in record")
        return [self._field(f, t, d, k) for k, (f, t, d) in enumerate(zip(fields, types, defaults, strict=True))]

    def _bad(self, why: str) -> errors.OpError:
        return errors.InvalidArgumentError(None, None, f"{self.paths[self.k]}, record {self.n - 1}: {why}")

    def _field(self, field: str, dtype: Any, default: Any, k: int) -> Any:
        if field == "" or field == self.options["na"]:
            if default is None:
                raise self._bad(f"Field {k} is required but missing in record!")
            return default
        if dtype is dtypes.string:
            return bytes_value(field.encode("latin-1"))
        try:
            value = (int if dtype.is_integer else float)(field)
            return np.asarray(value, dtype.np)
        except (ValueError, OverflowError):
            raise self._bad(f"Field {k} in record is not a valid {dtype.name}: {field}") from None


_CSV = ("filenames: string, compression_type: string, buffer_size: int64, header: bool, field_delim: string, use_quote_delim: bool, na_value: string, "
        "select_cols: int64, record_defaults: output_types")  # fmt: skip


@dataset_op(f"CSVDataset({_CSV})", "output_types: list({float, double, int32, int64, string}) >= 1; output_shapes: list(shape) >= 1", aspects=False,
            stateful=True, experimental=True)  # fmt: skip
def CSVDataset(
    filenames,
    compression_type,
    buffer_size,
    header,
    field_delim,
    use_quote_delim,
    na_value,
    select_cols,
    record_defaults,
    output_types,
    ctx,
):
    delimiter = text(field_delim)
    if len(delimiter) != 1:
        raise ctx.fail("field_delim should be only 1 char")
    columns = [int(c) for c in np.asarray(select_cols).reshape(-1)]
    if columns != sorted(set(columns)) or any(c < 0 for c in columns):
        raise ctx.fail("select_cols should be strictly increasing indices")
    if columns and len(columns) != len(output_types):
        raise ctx.fail("select_cols should match output size")
    defaults = []
    for d in record_defaults:
        a = np.asarray(d)
        defaults.append(None if a.size == 0 else bytes_value(a.reshape(-1)[0]) if a.dtype == object else a.reshape(()))
    options = {
        "kind": _compression(compression_type, ctx), "buffer": _buffer(buffer_size, ctx), "header": bool(np.asarray(header)), "delimiter": delimiter,
        "quotes": bool(np.asarray(use_quote_delim)), "na": text(na_value), "select": columns, "defaults": defaults, "types": output_types,
    }  # fmt: skip
    paths = texts(filenames)
    return DatasetValue(ctx.node, lambda run: _Table(run, paths, options))


# --- cache ---------------------------------------------------------------------------------------------------------------------------
_INDEX_DIGITS = 7  # TensorFlow's keys: the element's number in this width, then the component's


def _cache_key(i: int, k: int, components: int) -> str:
    return f"{i:>{_INDEX_DIGITS}}_{k:>{len(str(components - 1))}}"


class _FileCache(Iterator):
    """Writes elements to a bundle while they pass; once it is whole, reads them from there."""

    saved = ("i",)

    def __init__(self, run: Run, dataset: DatasetValue, prefix: str, types: list[Any]) -> None:
        super().__init__(run)
        self.prefix, self.types = prefix, types
        self.i = 0
        self.reader: BundleReader | None = None
        self.writer: BundleWriter | None = None
        self.count = 0
        self.over = False
        self.lock: str | None = None
        if os.path.exists(index_path(prefix)):
            self._read()
        else:
            lock = f"{prefix}.lockfile"
            try:
                with os_errors(prefix):
                    os.makedirs(os.path.dirname(os.path.abspath(prefix)), exist_ok=True)
                    os.close(os.open(lock, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
            except errors.AlreadyExistsError as e:
                raise errors.AlreadyExistsError(
                    None, None,
                    f"There appears to be a concurrent caching iterator running - cache lockfile already exists ('{lock}'). If you are sure no other running TF "
                    "computations are using this cache prefix, delete the lockfile and re-initialize the iterator.",
                ) from e  # fmt: skip
            self.lock = lock
            self.inputs = [dataset.make(run)]
            self.writer = BundleWriter(prefix)

    def _read(self) -> None:
        self.reader = BundleReader(self.prefix)
        self.count = len(list(self.reader.keys())) // len(self.types)

    def next(self) -> Element | None:
        n = len(self.types)
        if self.reader is not None:
            if self.i >= self.count:
                return None
            values = [np.asarray(self.reader.read(_cache_key(self.i, k, n))) for k in range(n)]
            self.i += 1
            return values
        it = self.inputs[0] if self.inputs else None
        if it is None or self.over:
            return None
        e = it.next()
        assert self.writer is not None
        if e is None:
            self.over = True
            self.used_up()
            self.writer.finish()
            self.writer = None
            self._unlock()
            return None
        for k, (v, t) in enumerate(zip(e, self.types, strict=True)):
            self.writer.add(_cache_key(self.i, k, n), np.asarray(v), t)
        self.i += 1
        return e

    def _unlock(self) -> None:
        lock, self.lock = self.lock, None
        if lock is not None and os.path.exists(lock):
            os.unlink(lock)

    def close(self) -> None:
        super().close()
        if self.reader is not None:
            self.reader.close()
        if self.writer is not None:
            writer, self.writer = self.writer, None
            writer.abort()
            self._unlock()


@dataset_op("CacheDataset(input_dataset: variant, filename: string)", metadata=True)
def CacheDataset(input_dataset, filename, output_types, ctx):
    prefix = text(filename)
    if not prefix:
        return cached_in_memory(input_dataset, ctx.node)
    return DatasetValue(ctx.node, lambda run: _FileCache(run, input_dataset, prefix, output_types), input_dataset.size)


@dataset_op("CacheDatasetV2(input_dataset: variant, filename: string, cache: resource)", metadata=True, stateful=True)
def CacheDatasetV2(input_dataset, filename, cache, output_types, ctx):
    prefix = text(filename)
    if not prefix:
        return cached_in_memory(input_dataset, ctx.node)
    return DatasetValue(ctx.node, lambda run: _FileCache(run, input_dataset, prefix, output_types), input_dataset.size)


# --- writing -------------------------------------------------------------------------------------------------------------------------
def _to_records(input_dataset, filename, compression_type, ctx):
    run = new_run(ctx)
    it = input_dataset.make(run)
    try:
        with TFRecordWriter(text(filename), TFRecordOptions(_compression(compression_type, ctx))) as writer:
            while (e := it.next()) is not None:
                run.check()
                writer.write(np.asarray(e[0], object).item())
    finally:
        it.close()


for _name in ("DatasetToTFRecord", "ExperimentalDatasetToTFRecord"):
    op(
        f"{_name}(input_dataset: variant, filename: string, compression_type: string) -> ()",
        shape=lambda c: [],
        host=True,
        stateful=True,
    )(_to_records)
