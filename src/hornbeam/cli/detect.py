"""What kind of file a path is, by its content; the name only helps to find a checkpoint's parts."""

from __future__ import annotations

import os
import re
import struct
import zlib
from dataclasses import dataclass
from typing import Any

from hornbeam.cli.report import ShowError

TABLE_MAGIC = struct.pack("<Q", 0xDB4775248B80FB57)
_SHARD = re.compile(r"(.+)\.data-\d{5}-of-\d{5}$")


@dataclass(frozen=True, slots=True)
class Found:
    """A kind, the path or prefix to read, and the message where detecting it meant parsing it."""

    kind: str
    path: str
    message: Any = None
    compression: str = ""


def detect(path: str) -> Found:
    """The kind of what is at `path`: checkpoint, saved_model, meta_graph, graph, events or tfrecord.

    Raises ShowError or DataLossError, saying what was found instead, and FileNotFoundError.
    """
    if os.path.isdir(path):
        return _directory(path)
    if not os.path.exists(path):
        from hornbeam.files.checkpoint_v1 import files_of

        if os.path.exists(path + ".index") or files_of(path):
            return Found("checkpoint", path)
        raise FileNotFoundError(2, "No such file, directory or checkpoint prefix", path)
    return _file(path)


def _directory(path: str) -> Found:
    names = sorted(os.listdir(path))
    for name in ("saved_model.pb", "saved_model.pbtxt"):
        if name in names:
            return Found("saved_model", path, _file(os.path.join(path, name)).message)
    if "checkpoint" in names or any(n.endswith(".index") for n in names):
        prefix = _latest(path)
        if prefix is not None:
            return Found("checkpoint", prefix)
    events = [n for n in names if ".tfevents." in n]
    if len(events) == 1:
        return _file(os.path.join(path, events[0]))
    if events:
        raise ShowError(f"{path} has {len(events)} event files; name one of them: {', '.join(events[:5])}")
    raise ShowError(f"{path} is a directory without a SavedModel, a checkpoint or an event file")


def _latest(directory: str) -> str | None:
    from hornbeam.files.checkpoint_state import latest_checkpoint

    prefix = latest_checkpoint(directory)
    if prefix is not None:
        return prefix
    indexes = [os.path.join(directory, n) for n in os.listdir(directory) if n.endswith(".index")]
    return max(indexes, key=os.path.getmtime).removesuffix(".index") if indexes else None


def _file(path: str) -> Found:
    shard = _SHARD.match(path)
    if shard and os.path.exists(shard[1] + ".index"):
        return Found("checkpoint", shard[1])
    with open(path, "rb") as f:
        head = f.read(64)
        if f.seek(0, os.SEEK_END) >= 48:
            f.seek(-8, os.SEEK_END)
        tail = f.read(8)
    if not head:
        raise ShowError(f"{path} is empty")
    if tail == TABLE_MAGIC:
        return Found("checkpoint", path.removesuffix(".index"))
    records = _records(path, head)
    if records is not None:
        return records
    if head.lstrip().startswith((b"model_checkpoint_path:", b"all_model_checkpoint_paths:")):
        prefix = _latest(os.path.dirname(path) or ".")
        if prefix is not None:
            return Found("checkpoint", prefix)
    from hornbeam.files.graph_io import read_graph

    model = read_graph(path)
    return Found(model.kind, path, model.message)


def _records(path: str, head: bytes) -> Found | None:
    """A TFRecord or event file, compressed or not: the first record's length carries its own checksum."""
    for compression, start in (("", head), ("GZIP", _inflate(path, 31)), ("ZLIB", _inflate(path, 15))):
        if len(start) < 12 or not _length_checks(start):
            continue
        (length,) = struct.unpack_from("<Q", start)
        first = start[12 : 12 + length]
        return Found(
            "events" if b"brain.Event:" in first[:40] and not compression else "tfrecord", path, None, compression
        )
    return None


def _length_checks(start: bytes) -> bool:
    from hornbeam.files.crc import masked_crc32c

    return masked_crc32c(start[:8]) == struct.unpack_from("<I", start, 8)[0]


def _inflate(path: str, wbits: int) -> bytes:
    with open(path, "rb") as f:
        try:
            return zlib.decompressobj(wbits).decompress(f.read(65536), 64)
        except zlib.error:
            return b""
