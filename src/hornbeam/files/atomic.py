"""Files that appear whole or not at all: written under a temporary name, synced, then renamed into place."""

from __future__ import annotations

import contextlib
import errno
import os
import threading
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


# After so many bytes the disk is set to work while the next ones are being written.
_WRITE_BEHIND = 32 << 20


class AtomicFile:
    """A file being written beside its final name; `commit` puts it there, anything else leaves nothing behind."""

    def __init__(self, path: str, sync: bool = True) -> None:
        self.path = path
        self._sync = sync
        self.temporary = f"{path}.tempstate{int.from_bytes(os.urandom(8))}"
        self.size = 0
        self._unsynced = 0
        self._syncing: threading.Thread | None = None
        self._failed: OSError | None = None
        with os_errors(path):
            self._fd, self._named = _open_temporary(self.temporary)

    def write(self, data: Any) -> None:
        """Appends bytes or a contiguous array."""
        view = memoryview(data)
        if view.nbytes == 0:
            return
        view = view.cast("B")
        self.size += len(view)
        with os_errors(self.path):
            while view:
                count = os.write(self._fd, view[:_WRITE_BEHIND])
                view = view[count:]
                self._unsynced += count
                if self._sync and self._unsynced >= _WRITE_BEHIND:
                    self._write_behind()

    def _write_behind(self) -> None:
        if self._syncing is None or not self._syncing.is_alive():
            self._unsynced = 0
            self._syncing = threading.Thread(target=self._sync_data, args=(os.dup(self._fd),), daemon=True)
            self._syncing.start()

    def _sync_data(self, fd: int) -> None:
        try:
            os.fdatasync(fd)
        except OSError as e:  # the system reports a failed write once, so `close` has to know
            self._failed = e
        finally:
            os.close(fd)

    def close(self) -> None:
        """Closes the file, all of it on the disk (without `sync`: handed to the system)."""
        if self._fd < 0:
            return
        fd, self._fd = self._fd, -1
        with os_errors(self.path):
            try:
                if self._sync:
                    os.fsync(fd)
                if self._syncing is not None:
                    self._syncing.join()
                if self._failed is not None:
                    raise self._failed
                if not self._named:
                    _give_name(fd, self.temporary)
                    self._named = True
            finally:
                os.close(fd)

    def commit(self) -> None:
        """Makes the content appear under the final name, replacing what was there."""
        self.close()
        with os_errors(self.path):
            replaced = _keep_open(self.path)
            os.replace(self.temporary, self.path)
        self.temporary = ""
        if replaced is not None:  # freeing a large file takes long and nobody needs to wait for it
            threading.Thread(target=os.close, args=(replaced,)).start()

    def abort(self) -> None:
        """Removes the temporary file; does nothing after `commit`."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
        if self._named and self.temporary:
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


def _open_temporary(path: str) -> tuple[int, bool]:
    """A new file to write, and whether it has its name yet: one without leaves nothing behind even when we are killed."""
    flags = os.O_WRONLY | os.O_CLOEXEC
    try:
        return os.open(os.path.dirname(path) or ".", flags | os.O_TMPFILE, 0o666), False
    except (OSError, AttributeError):  # the system or the file system has no such files, or the error will come again
        return os.open(path, flags | os.O_CREAT | os.O_EXCL, 0o666), True


def _give_name(fd: int, path: str) -> None:
    source = f"/proc/self/fd/{fd}"
    try:
        os.link(source, path, src_dir_fd=fd)  # a directory, though not used, is what makes it follow the link
    except OSError:  # no /proc, or a file system that cannot link
        import shutil

        with open(source, "rb") as data, open(path, "xb") as target:
            shutil.copyfileobj(data, target, 1 << 24)
            os.fsync(target.fileno())


def _keep_open(path: str) -> int | None:
    """A descriptor of the large file at `path`, so that replacing it does not free it yet; else None."""
    try:
        if os.stat(path).st_size < _WRITE_BEHIND:
            return None
        return os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None


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
