"""Reader operations: records of the files whose names a queue gives. TFRecordReader is declared with the file formats."""

from __future__ import annotations

import io
import os
import threading
import zlib
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO

import numpy as np

from hornbeam.core import errors
from hornbeam.core.graph import InferenceContext
from hornbeam.core.registry import no_gradient, op
from hornbeam.core.tensor_shape import Shape
from hornbeam.ops import shapes
from hornbeam.ops.host_queue import HostQueue
from hornbeam.ops.queues import names_node, queue_of, remembered, resource_of, resource_ref
from hornbeam.ops.strings import scalar, vector

Records = Callable[[bytes], Iterator[tuple[bytes, bytes]]]


class HostReader:
    """Where a reader stands: the work unit (file) it is in, and its counts. `records(name)` gives a unit's (key, value) pairs."""

    def __init__(self, name: str, records: Records, serializable: bool = False, single: bool = False) -> None:
        self.name = name
        self._records = records
        self._single = single  # a unit is one record: it is finished as soon as that is read
        self._serializable = serializable
        self._lock = threading.Lock()
        self._clear()

    def _clear(self) -> None:
        self.work = b""
        self.started = self.finished = self.produced = 0
        self._at: Iterator[tuple[bytes, bytes]] | None = None

    def read(self, queue: HostQueue, ctx: Any) -> tuple[bytes, bytes]:
        """The next record, of the next work unit where one ends. OutOfRangeError when the queue has no further one."""
        with self._lock:
            while True:
                record = next(self._begun(queue, ctx), None)
                if record is not None:
                    self.produced += 1
                    if self._single:
                        self._end()
                    return record
                self._end()

    def read_up_to(self, n: int, queue: HostQueue, ctx: Any) -> list[tuple[bytes, bytes]]:
        """At most `n` records, all of one work unit, and at least one."""
        out: list[tuple[bytes, bytes]] = []
        with self._lock:
            while not out:
                at = self._begun(queue, ctx)
                while len(out) < n:
                    record = next(at, None)
                    if record is None:
                        self._end()
                        break
                    out.append(record)
                    if self._single:
                        self._end()
                        break
            self.produced += len(out)
        return out

    def _begun(self, queue: HostQueue, ctx: Any) -> Iterator[tuple[bytes, bytes]]:
        if self._at is None:
            (unit,) = queue.dequeue(ctx)
            self.work = unit if isinstance(unit, bytes) else unit.item()
            self._at = self._records(self.work)
            self.started += 1
        return self._at

    def _end(self) -> None:
        self._at = None
        self.finished = self.started

    def reset(self) -> None:
        with self._lock:
            self._clear()

    def state(self) -> bytes:
        """A ReaderBaseState. UnimplementedError for readers that stand inside a file."""
        if not self._serializable:
            raise errors.UnimplementedError(None, None, "Reader SerializeState")
        from hornbeam.proto import ReaderBaseState

        with self._lock:
            proto = ReaderBaseState(
                work_started=self.started,
                work_finished=self.finished,
                num_records_produced=self.produced,
                current_work=self.work,
            )
        return proto.SerializeToString()  # type: ignore[no-any-return]

    def restore(self, state: bytes) -> None:
        if not self._serializable:
            raise errors.UnimplementedError(None, None, "Reader RestoreState")
        from google.protobuf.message import DecodeError

        from hornbeam.proto import ReaderBaseState

        try:
            proto = ReaderBaseState.FromString(state)
        except DecodeError:
            raise errors.InvalidArgumentError(None, None, f"Could not parse state for {self.name}: {state!r}") from None
        counts = (proto.work_started, proto.work_finished, proto.num_records_produced)
        if min(counts) < 0 or proto.work_started < proto.work_finished:
            raise errors.InvalidArgumentError(
                None, None, f"Unexpected negative value or order when restoring reader {self.name}: {counts}"
            )
        with self._lock:
            self._clear()
            self.started, self.finished, self.produced = counts
            self.work = proto.current_work
            if self.started > self.finished:
                self._at = self._records(self.work)


# --- what the kinds of reader find in a work unit ---------------------------------------------------------------------------
def path_of(name: bytes) -> str:
    return os.fsdecode(name.removeprefix(b"file://"))


_KINDS: dict[type[OSError], type[errors.OpError]] = {
    FileNotFoundError: errors.NotFoundError,
    PermissionError: errors.PermissionDeniedError,
    IsADirectoryError: errors.FailedPreconditionError,
}  # fmt: skip


def _open(name: bytes) -> BinaryIO:
    path = path_of(name)
    try:
        return open(path, "rb", buffering=1 << 18)
    except OSError as e:
        raise _KINDS.get(type(e), errors.UnknownError)(None, None, f"{path}; {e.strerror or e}") from None


def _identity(name: bytes) -> Iterator[tuple[bytes, bytes]]:
    return iter([(name, name)])


def _whole_file(name: bytes) -> Iterator[tuple[bytes, bytes]]:
    with _open(name) as f:
        return iter([(name, f.read())])


def _text_lines(skip: int) -> Records:
    def records(name: bytes) -> Iterator[tuple[bytes, bytes]]:
        return lines(name, _open(name))

    def lines(name: bytes, file: BinaryIO) -> Iterator[tuple[bytes, bytes]]:
        with file:
            for number, line in enumerate(file, 1):
                if number > skip:
                    yield b"%s:%d" % (name, number), line.removesuffix(b"\n").removesuffix(b"\r")

    return records


def _fixed_length(record: int, header: int, footer: int, hop: int, encoding: bytes) -> Records:
    def records(name: bytes) -> Iterator[tuple[bytes, bytes]]:
        file = _open(name)
        if encoding:
            with file:
                file = io.BytesIO(_inflated(name, file.read(), encoding))  # type: ignore[assignment]
        limit = file.seek(0, os.SEEK_END) - footer
        if header > limit:
            file.close()
            raise errors.InvalidArgumentError(
                None,
                None,
                f"{path_of(name)}: {limit + footer} bytes, fewer than header ({header}) and footer ({footer})",
            )
        return parts(name, file, limit)

    def parts(name: bytes, file: BinaryIO, limit: int) -> Iterator[tuple[bytes, bytes]]:
        with file:
            at, number = file.seek(header), 0
            while at + record <= limit:
                yield b"%s:%d" % (name, number), file.read(record)
                number += 1
                at += hop or record
                if hop:
                    file.seek(at)

    return records


def _inflated(name: bytes, data: bytes, encoding: bytes) -> bytes:
    try:
        return zlib.decompress(data, zlib.MAX_WBITS | (16 if encoding == b"GZIP" else 0))
    except zlib.error as e:
        raise errors.DataLossError(None, None, f"{path_of(name)}: inflate() failed: {e}") from None


# --- operations ------------------------------------------------------------------------------------------------------------------
SHARING = "container: string = ''; shared_name: string = ''"


def reader(ctx: Any, records: Records, serializable: bool = False, single: bool = False) -> Any:
    return resource_ref("Reader", "reader/", ctx, lambda name: HostReader(name, records, serializable, single))


def declare_reader(name: str, attrs: str, kernel: Callable[..., Any], v2_attrs: str = "") -> None:
    """Both generations of a reader's handle."""
    kernel = remembered(kernel)
    op(f"{name}() -> (reader_handle: Ref(string)); {attrs}", shape=lambda c: [(2,)], host=True, stateful=True)(kernel)
    op(f"{name}V2() -> (reader_handle: resource); {attrs}{v2_attrs}", shape=shapes.scalar, host=True, stateful=True)(
        kernel
    )
    no_gradient(name, name + "V2")


def _identity_reader(ctx):
    return reader(ctx, _identity, serializable=True, single=True)


def _whole_file_reader(ctx):
    return reader(ctx, _whole_file, single=True)


def _text_line_reader(ctx):
    skip = ctx.op._attrs["skip_header_lines"]
    if skip < 0:
        raise ctx.fail(f"skip_header_lines must be >= 0 not {skip}")
    return reader(ctx, _text_lines(skip))


def _fixed_length_reader(ctx):
    a = ctx.op._attrs
    sizes = [a["record_bytes"], a["header_bytes"], a["footer_bytes"], a["hop_bytes"]]
    for value, label, least in zip(
        sizes, ("record_bytes", "header_bytes", "footer_bytes", "hop_bytes"), (1, 0, 0, 0), strict=True
    ):
        if value < least:
            raise ctx.fail(
                f"{label} must be {'>= 0' if not least else 'positive'}, but got {value}"
                if least
                else f"{label} must be >= 0 not {value}"
            )
    encoding = a.get("encoding", b"")
    if encoding not in (b"", b"ZLIB", b"GZIP"):
        raise ctx.fail(f"unsupported encoding value specified: {encoding.decode()}")
    return reader(ctx, _fixed_length(sizes[0], sizes[1], sizes[2], sizes[3], encoding))


declare_reader("IdentityReader", SHARING, _identity_reader)
declare_reader("WholeFileReader", SHARING, _whole_file_reader)
declare_reader("TextLineReader", f"skip_header_lines: int = 0; {SHARING}", _text_line_reader)
declare_reader(
    "FixedLengthRecordReader", f"header_bytes: int = 0; record_bytes: int; footer_bytes: int = 0; hop_bytes: int = 0; {SHARING}",
    _fixed_length_reader, "; encoding: string = ''",
)  # fmt: skip


def _reader_of(handle: Any, ctx: Any) -> HostReader:
    return resource_of(handle, ctx, HostReader, "reader")  # type: ignore[no-any-return]


def _file_names(handle: Any, ctx: Any) -> HostQueue:
    queue = queue_of(handle, ctx)
    if [t.name for t in queue.types] != ["string"]:
        raise ctx.fail(
            f"Expected a queue of one string component for a reader's file names, got one of ({', '.join(t.name for t in queue.types)})"
        )
    return queue


def _read(reader_handle, queue_handle, ctx):
    key, value = _reader_of(reader_handle, ctx).read(_file_names(queue_handle, ctx), ctx)
    return scalar(key), scalar(value)


def _read_up_to(reader_handle, queue_handle, num_records, ctx):
    if int(num_records) <= 0:
        raise ctx.fail(f"num_records must be positive, got {int(num_records)}")
    pairs = _reader_of(reader_handle, ctx).read_up_to(int(num_records), _file_names(queue_handle, ctx), ctx)
    return vector([k for k, _ in pairs]), vector([v for _, v in pairs])


def _produced(reader_handle, ctx):
    return np.int64(_reader_of(reader_handle, ctx).produced)


def _completed(reader_handle, ctx):
    return np.int64(_reader_of(reader_handle, ctx).finished)


def _serialize(reader_handle, ctx):
    return scalar(_reader_of(reader_handle, ctx).state())


def _restore(reader_handle, state, ctx):
    _reader_of(reader_handle, ctx).restore(state.item())


def _reset(reader_handle, ctx):
    _reader_of(reader_handle, ctx).reset()


def _pairs(c: InferenceContext) -> list[Shape]:
    return [(None,), (None,)]


_OPS: dict[str, tuple[str, str, Any, Callable[..., Any]]] = {
    "ReaderRead": (", queue_handle: H", "(key: string, value: string)", lambda c: [(), ()], _read),
    "ReaderReadUpTo": (", queue_handle: H, num_records: int64", "(keys: string, values: string)", _pairs, _read_up_to),
    "ReaderNumRecordsProduced": ("", "(records_produced: int64)", shapes.scalar, _produced),
    "ReaderNumWorkUnitsCompleted": ("", "(units_completed: int64)", shapes.scalar, _completed),
    "ReaderSerializeState": ("", "(state: string)", shapes.scalar, _serialize),
    "ReaderRestoreState": (", state: string", "()", lambda c: [], _restore),
    "ReaderReset": ("", "()", lambda c: [], _reset),
}
for _name, (_inputs, _outputs, _shape, _kernel) in _OPS.items():
    _kernel = names_node(_kernel)
    for _version, _handle in (("", "Ref(string)"), ("V2", "resource")):
        _text = f"{_name}{_version}(reader_handle: {_handle}{_inputs.replace(': H', f': {_handle}')}) -> {_outputs}"
        op(_text, shape=_shape, host=True, stateful=True)(_kernel)
        no_gradient(_name + _version)
