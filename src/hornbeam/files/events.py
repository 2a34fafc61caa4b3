"""Event files, what TensorBoard reads: records of Event messages, named and opened as TensorFlow does."""

from __future__ import annotations

import atexit
import os
import threading
import time
import weakref
from collections.abc import Iterator
from typing import Any

from hornbeam import proto
from hornbeam.core import errors
from hornbeam.files.atomic import os_errors
from hornbeam.files.records import frame, tf_record_iterator

FILE_VERSION = "brain.Event:2"
_SOURCE = "tensorflow.core.util.events_writer"


class EventsWriter:
    """One event file, `<prefix>.out.tfevents.<seconds>.<host><suffix>`, begun with the version of the format."""

    def __init__(self, prefix: Any, filename_suffix: str | None = None) -> None:
        import socket  # costs more than all else here to import

        stem = os.fspath(prefix)
        seconds = int(time.time())
        while True:  # never truncate a file that another writer has begun in this second
            name = f"{stem}.out.tfevents.{seconds:010d}.{socket.gethostname()}{filename_suffix or ''}"
            try:
                with os_errors(name):
                    self._fd = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, 0o666)
                break
            except errors.AlreadyExistsError:
                seconds += 1
        self.file_name = name
        version = proto.Event(wall_time=time.time(), file_version=FILE_VERSION)
        version.source_metadata.writer = _SOURCE
        self._pending: list[bytes] = []
        self.write_event(version)
        self.flush()

    @property
    def pending(self) -> int:
        """How many events are not yet in the file."""
        return len(self._pending)

    def write_event(self, event: Any) -> None:
        self.write_serialized_event(event.SerializeToString())

    def write_serialized_event(self, data: bytes) -> None:
        self._pending.append(frame(data))

    def flush(self) -> None:
        """Puts pending events into the file. Raises ResourceExhaustedError on a full disk; they stay pending then."""
        if self._fd < 0 or not self._pending:
            return
        data = memoryview(b"".join(self._pending))
        start = os.fstat(self._fd).st_size
        with os_errors(self.file_name):
            try:
                while data:
                    data = data[os.write(self._fd, data) :]
            except OSError:
                os.ftruncate(self._fd, start)  # half a record would hide all that follow it
                raise
        self._pending.clear()

    def close(self) -> None:
        if self._fd >= 0:
            try:
                self.flush()
            finally:
                os.close(self._fd)
                self._fd = -1


class EventFileWriter:
    """Writes events to a directory from any thread.

    At most `max_queue` events wait in memory, and none longer than `flush_secs`: a background thread sees to it. What
    is pending is written at exit.
    """

    def __init__(
        self, logdir: Any, max_queue: int = 10, flush_secs: float = 120, filename_suffix: str | None = None
    ) -> None:
        self._logdir = os.fspath(logdir)
        self._max_queue = max(1, max_queue)
        self._flush_secs = flush_secs
        self._suffix = filename_suffix
        self._lock = threading.RLock()
        self._wake = threading.Event()
        with os_errors(self._logdir):
            os.makedirs(self._logdir, exist_ok=True)
        self._writer: EventsWriter | None = None
        self._thread: threading.Thread | None = None
        _open_writers.add(self)
        self.reopen()

    def get_logdir(self) -> str:
        return self._logdir

    @property
    def closed(self) -> bool:
        return self._writer is None

    def reopen(self) -> None:
        """Begins a new file after `close`; does nothing while open."""
        with self._lock:
            if self._writer is None:
                self._writer = EventsWriter(os.path.join(self._logdir, "events"), self._suffix)

    def add_event(self, event: Any) -> None:
        """Adds an Event message; dropped without an error after `close`, as TensorFlow does."""
        with self._lock:
            if self._writer is None:
                return
            self._writer.write_event(event)
            if self._writer.pending >= self._max_queue:
                self._writer.flush()
            elif self._thread is None:
                self._thread = threading.Thread(
                    target=_flush_regularly, args=(weakref.ref(self), self._wake, self._flush_secs), daemon=True
                )
                self._thread.start()

    def flush(self) -> None:
        with self._lock:
            if self._writer is not None:
                self._writer.flush()

    def close(self) -> None:
        with self._lock:
            writer, self._writer = self._writer, None
            thread, self._thread = self._thread, None
            wake, self._wake = self._wake, threading.Event()
        wake.set()
        if thread is not None and thread is not threading.current_thread():
            thread.join(timeout=5)
        if writer is not None:
            writer.close()

    def __del__(self) -> None:
        if getattr(self, "_writer", None) is not None:
            self.close()


def summary_iterator(path: Any) -> Iterator[Any]:
    """The Event messages of an event file. Raises NotFoundError, DataLossError."""
    records = tf_record_iterator(path)
    return _events(records, os.fspath(path))


def _events(records: Any, path: str) -> Iterator[Any]:
    for number, record in enumerate(records):
        try:
            event = proto.Event.FromString(record)
        except Exception as e:
            raise errors.DataLossError(None, None, f"{path}: record {number} is not an event: {e}") from e
        yield event


_open_writers: weakref.WeakSet[EventFileWriter] = weakref.WeakSet()


def _flush_regularly(writer: weakref.ref[EventFileWriter], wake: threading.Event, seconds: float) -> None:
    # Holds no reference while it waits, so that a forgotten writer is collected, which closes it.
    while not wake.wait(seconds):
        alive = writer()
        if alive is None:
            return
        try:
            alive.flush()
        except errors.OpError:
            return  # what is pending stays so, and the next call from the program raises it
        del alive


@atexit.register
def _close_all() -> None:
    for writer in list(_open_writers):
        writer.close()
