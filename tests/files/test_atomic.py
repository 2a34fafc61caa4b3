"""Files that appear whole or not at all, whatever ends the writing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from hornbeam.core import errors
from hornbeam.files import atomic

from .support import full_disk


def test_content_appears_at_commit_only(tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_bytes(b"old")
    with atomic.AtomicFile(str(path)) as file:
        file.write(b"new")
        assert path.read_bytes() == b"old"
    assert path.read_bytes() == b"new" and os.listdir(tmp_path) == ["f"]


def test_an_error_keeps_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_bytes(b"old")
    with pytest.raises(RuntimeError):
        with atomic.AtomicFile(str(path)) as file:
            file.write(b"new")
            raise RuntimeError
    assert path.read_bytes() == b"old" and os.listdir(tmp_path) == ["f"]


def test_without_nameless_files_or_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "O_TMPFILE")
    atomic.write_atomically(str(tmp_path / "f"), b"one")
    with pytest.raises(errors.ResourceExhaustedError), full_disk(monkeypatch, 3):
        atomic.write_atomically(str(tmp_path / "f"), b"longer")
    assert (tmp_path / "f").read_bytes() == b"one" and os.listdir(tmp_path) == ["f"]
    monkeypatch.undo()

    def no_links(*_: object, **__: object) -> None:
        raise OSError(18, "Invalid cross-device link")

    monkeypatch.setattr(os, "link", no_links)
    atomic.write_atomically(str(tmp_path / "f"), b"two")
    assert (tmp_path / "f").read_bytes() == b"two" and os.listdir(tmp_path) == ["f"]


def test_a_killed_writer_leaves_nothing(tmp_path: Path) -> None:
    program = (
        "import sys, numpy\n"
        "from hornbeam.files.bundle import BundleWriter\n"
        "w = BundleWriter(sys.argv[1]); w.add('a', numpy.zeros(1000000)); print('writing', flush=True)\n"
        "import time; time.sleep(60)\n"
    )
    (tmp_path / "c.index").write_bytes(b"the old one")
    writer = subprocess.Popen([sys.executable, "-c", program, str(tmp_path / "c")], stdout=subprocess.PIPE, text=True)
    assert writer.stdout is not None and writer.stdout.readline() == "writing\n"
    writer.send_signal(signal.SIGKILL)
    writer.wait()
    writer.stdout.close()
    left = os.listdir(tmp_path)
    assert (tmp_path / "c.index").read_bytes() == b"the old one"
    assert left == ["c.index"] or not hasattr(os, "O_TMPFILE")


@pytest.mark.parametrize(
    ("where", "error"), [("no/such/f", errors.NotFoundError), ("file/f", errors.FailedPreconditionError)]
)
def test_where_nothing_can_be_written(tmp_path: Path, where: str, error: type[Exception]) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(error, match=where):
        atomic.write_atomically(str(tmp_path / where), b"x")
