"""Files that appear whole or not at all: written under a temporary name, synced, then renamed into place."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
from collections.abc import Iterator
from typing import Any

from hornbeam.core import errors

_BY_ERRNO = {
    errno.ENOENT: errors.NotFoundError,
    errno.EEXIST: errors.AlreadyExistsError,
    errno.EACCES: errors.PermissionDeniedError,
    errno.EPERM: errors.PermissionDeniedError,
    errno.EROFS: errors.PermissionDeniedError,
    errno.ENOSPC: errors.ResourceExhaustedError,
    errno.EDQUOT: errors.ResourceExhaustedError,
    errno.EFBIG: errors.ResourceExhaustedError,
    errno.EMFILE: errors.ResourceExhaustedError,
    errno.EISDIR: errors.FailedPreconditionError,
    errno.ENOTDIR: errors.FailedPreconditionError,
    errno.ENOTEMPTY: errors.FailedPreconditionError,
    errno.EINVAL: errors.InvalidArgumentError,
    errno.ENAMETOOLONG: errors.InvalidArgumentError,
}


def from_os_error(error: OSError, path: str) -> errors.OpError:
    """TensorFlow's error for a failed system call on `path`."""
    kind = _BY_ERRNO.get(error.errno or 0, errors.UnknownError)
    return kind(None, None, f"{path}; {error.strerror or error}")


@contextlib.contextmanager
def os_errors(path: str) -> Iterator[None]:
    """Turns OSErrors of the body into TensorFlow's errors that name `path`."""
    try:
        yield
    except OSError as e:
        raise from_os_error(e, path) from e


class AtomicFile:
    """A file being written beside its final name; `commit` puts it there, anything else leaves nothing behind."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.temporary = f"{path}.tempstate{secrets.randbits(63)}"
        self.size = 0
        with os_errors(path):
            self._fd = os.open(self.temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)

    def write(self, data: Any) -> None:
        """Appends bytes or a contiguous array."""
        view = memoryview(data)
        if view.nbytes == 0:
            return
        view = view.cast("B")
        self.size += len(view)
        with os_errors(self.path):
            while view:
                view = view[os.write(self._fd, view[: 1 << 30]) :]

    def sync(self) -> None:
        """Flushes to the disk and closes."""
        if self._fd >= 0:
            fd, self._fd = self._fd, -1
            with os_errors(self.path):
                try:
                    os.fsync(fd)
                finally:
                    os.close(fd)

    def commit(self) -> None:
        """Makes the content appear under the final name, replacing what was there."""
        self.sync()
        with os_errors(self.path):
            os.replace(self.temporary, self.path)
        self.temporary = ""

    def abort(self) -> None:
        """Removes the temporary file; does nothing after `commit`."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
        if self.temporary:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self.temporary)
            self.temporary = ""

    def __enter__(self) -> AtomicFile:
        return self

    def __exit__(self, kind: Any, *_: Any) -> None:
        try:
            if kind is None:
                self.commit()
        finally:
            self.abort()


def sync_directory(path: str) -> None:
    """Makes renames in a directory durable, where the system can."""
    with contextlib.suppress(OSError):  # some file systems refuse; the rename itself has happened
        fd = os.open(path or ".", os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)


def write_atomically(path: str, data: bytes) -> None:
    """Replaces the file at `path` by `data` in one step."""
    with AtomicFile(path) as file:
        file.write(data)
    sync_directory(os.path.dirname(path))
