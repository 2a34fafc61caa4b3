"""What the tests of file formats share: where the goldens lie, and a directory whose disk is full."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

GOLDEN = Path(__file__).parents[1] / "golden" / "files"
SHARED_MODELS = Path(__file__).parents[3] / "shared" / "models"


@contextmanager
def full_disk(monkeypatch: Any, after: int) -> Iterator[None]:
    """Writes fail with ENOSPC once `after` bytes have been written."""
    left = after
    write = os.write

    def limited(fd: int, data: Any) -> int:
        nonlocal left
        if left <= 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        count = write(fd, data[:left])
        left -= count
        return count

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", limited)
        yield


def mutations(data: bytes, step: int = 1) -> Iterator[tuple[str, bytes]]:
    """Every truncation and, at every place, one flipped bit and one 0xFF, of a small file."""
    for at in range(0, len(data), step):
        yield f"truncated at {at}", data[:at]
        yield f"bit flipped at {at}", data[:at] + bytes([data[at] ^ 1 << at % 8]) + data[at + 1 :]
        yield f"0xff at {at}", data[:at] + b"\xff" + data[at + 1 :]


def only_typed_errors(action: Callable[[], Any]) -> Any:
    """Runs a reader on hostile bytes; anything but TensorFlow's errors fails the test."""
    from hornbeam.core import errors

    try:
        return action()
    except errors.OpError as e:
        return e
