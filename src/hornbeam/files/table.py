"""Sorted string tables (LevelDB's layout): the index of a V2 checkpoint and the whole of a V1 checkpoint.

A file is blocks of prefix-compressed entries, an index block of block handles, and a 48-byte footer. Every block is
followed by one byte of compression kind and a masked CRC-32C.
"""

from __future__ import annotations

import os
import struct
from bisect import bisect_left
from collections.abc import Callable, Iterator
from typing import Any

from hornbeam.core import errors
from hornbeam.files import snappy, varint
from hornbeam.files.crc import crc32c, mask, unmask

MAGIC = 0xDB4775248B80FB57
FOOTER_SIZE = 48
_TRAILER_SIZE = 5
_RAW, _SNAPPY = 0, 1


class TableReader:
    """Key-ordered access to one table file; blocks are read when needed and their checksums verified.

    Raises NotFoundError for a missing file and DataLossError, with the file and offset, for anything malformed.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        try:
            self._fd = os.open(path, os.O_RDONLY)
        except FileNotFoundError:
            raise errors.NotFoundError(None, None, f"{path}; No such file or directory") from None
        except OSError as e:
            raise errors.UnavailableError(None, None, f"{path}; {e.strerror}") from None
        try:
            self._size = os.fstat(self._fd).st_size
            self._index = self._read_index()
        except BaseException:
            self.close()
            raise
        self._last_keys = [key for key, _, _ in self._index]
        self._cached: tuple[int, list[tuple[bytes, bytes]]] | None = None

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def __enter__(self) -> TableReader:
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()

    def __del__(self) -> None:
        if getattr(self, "_fd", -1) >= 0:
            self.close()

    def __iter__(self) -> Iterator[tuple[bytes, bytes]]:
        """All (key, value) in key order."""
        for i in range(len(self._index)):
            yield from self._entries(i)

    def get(self, key: bytes) -> bytes | None:
        i = bisect_left(self._last_keys, key)
        if i == len(self._index):
            return None
        for found, value in self._entries(i):
            if found >= key:
                return value if found == key else None
        return None

    def first(self) -> tuple[bytes, bytes] | None:
        return next(iter(self), None)

    def _entries(self, i: int) -> list[tuple[bytes, bytes]]:
        if self._cached is None or self._cached[0] != i:
            _, offset, size = self._index[i]
            self._cached = (i, self._parse(self._read_block(offset, size), offset))
        return self._cached[1]

    def _read_index(self) -> list[tuple[bytes, int, int]]:
        if self._size < FOOTER_SIZE:
            raise self._corrupt(0, "the file is too short to be a table")
        at = self._size - FOOTER_SIZE
        footer = self._pread(at, FOOTER_SIZE)
        low, high = struct.unpack("<II", footer[40:])
        if high << 32 | low != MAGIC:
            why = "this is not a table (bad magic number); perhaps the file is in another format"
            raise self._corrupt(at + 40, why)
        try:
            _, end = varint.decode(footer, 0, 40)
            _, end = varint.decode(footer, end, 40)
            offset, end = varint.decode(footer, end, 40)
            size, _ = varint.decode(footer, end, 40)
        except ValueError as e:
            raise self._corrupt(at, f"bad block handle in the footer: {e}") from None
        index = []
        for key, handle in self._parse(self._read_block(offset, size), offset):
            try:
                block_offset, end = varint.decode(handle, 0, len(handle))
                block_size, _ = varint.decode(handle, end, len(handle))
            except ValueError as e:
                raise self._corrupt(offset, f"bad block handle in the index: {e}") from None
            index.append((key, block_offset, block_size))
        return index

    def _read_block(self, offset: int, size: int) -> bytes:
        if offset + size + _TRAILER_SIZE > self._size - FOOTER_SIZE:
            why = f"a block of {size} bytes reaches past the end of the file ({self._size} bytes)"
            raise self._corrupt(offset, why)
        data = self._pread(offset, size + _TRAILER_SIZE)
        kind, stored = struct.unpack_from("<BI", data, size)
        if crc32c(memoryview(data)[: size + 1]) != unmask(stored):
            raise self._corrupt(offset, "the block's checksum does not match")
        if kind == _RAW:
            return data[:size]
        if kind == _SNAPPY:
            try:
                return snappy.decompress(data[:size])
            except ValueError as e:
                raise self._corrupt(offset, f"the block cannot be decompressed: {e}") from None
        raise self._corrupt(offset, f"the block has an unknown compression kind, {kind}")

    def _parse(self, block: bytes, offset: int) -> list[tuple[bytes, bytes]]:
        if len(block) < 4:
            raise self._corrupt(offset, "the block has no restart count")
        restarts = int.from_bytes(block[-4:], "little")
        end = len(block) - 4 * (restarts + 1)
        if end < 0:
            raise self._corrupt(offset, f"the block's {restarts} restart points do not fit into it")
        entries = []
        key = b""
        at = 0
        try:
            while at < end:
                shared, at = varint.decode(block, at, end)
                fresh, at = varint.decode(block, at, end)
                length, at = varint.decode(block, at, end)
                if shared > len(key) or at + fresh + length > end:
                    raise ValueError("an entry reaches past its block")
                key = key[:shared] + block[at : at + fresh]
                at += fresh
                entries.append((key, block[at : at + length]))
                at += length
        except ValueError as e:
            raise self._corrupt(offset, f"bad entry in the block: {e}") from None
        return entries

    def _pread(self, offset: int, size: int) -> bytes:
        parts = []
        while size > 0:
            data = os.pread(self._fd, min(size, 1 << 30), offset)
            if not data:
                raise self._corrupt(offset, "the file ended while it was read")
            parts.append(data)
            offset += len(data)
            size -= len(data)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def _corrupt(self, offset: int, why: str) -> errors.OpError:
        return errors.DataLossError(None, None, f"Unable to read table file {self.path} at offset {offset}: {why}")


class TableBuilder:
    """Builds a table from entries added in key order, through `write(bytes)`; TensorFlow's block and restart sizes."""

    def __init__(
        self,
        write: Callable[[bytes], Any],
        block_size: int = 262144,
        restart_interval: int = 16,
        compress: bool = False,
    ) -> None:
        self._write = write
        self._block_size = block_size
        self._compress = compress
        self._block = _Block(restart_interval)
        self._index = _Block(1)
        self._offset = 0
        self._pending: bytes | None = None  # handle of a finished block that has no index entry yet
        self._last: bytes | None = None

    def add(self, key: bytes, value: bytes) -> None:
        if self._last is not None and key <= self._last:
            raise ValueError(f"keys of a table must increase: {key!r} after {self._last!r}")
        self._index_pending(_separator(self._last or b"", key))
        self._block.add(key, value)
        self._last = key
        if self._block.size() >= self._block_size:
            self._flush()

    def finish(self) -> int:
        """Writes what is left and the footer; returns the size of the file."""
        if self._block.entries or self._last is None:
            self._flush()
        metaindex = self._write_block(_Block(1).finish())
        self._index_pending(_successor(self._last or b""))
        index = self._write_block(self._index.finish())
        self._emit((metaindex + index).ljust(40, b"\0") + struct.pack("<II", MAGIC & 0xFFFFFFFF, MAGIC >> 32))
        return self._offset

    def _index_pending(self, key: bytes) -> None:
        if self._pending is not None:
            self._index.add(key, self._pending)
            self._pending = None

    def _flush(self) -> None:
        if self._block.entries:
            self._pending = self._write_block(self._block.finish())

    def _write_block(self, data: bytes) -> bytes:
        kind = _RAW
        if self._compress and len(packed := snappy.compress(data)) < len(data) - len(data) // 8:
            kind, data = _SNAPPY, packed
        handle = varint.encode(self._offset) + varint.encode(len(data))
        tail = bytes([kind])
        self._emit(data + tail + struct.pack("<I", mask(crc32c(tail, crc32c(data)))))
        return handle

    def _emit(self, data: bytes) -> None:
        self._write(data)
        self._offset += len(data)


class _Block:
    """Entries of one block; every `interval` entries one starts without a shared prefix."""

    def __init__(self, interval: int) -> None:
        self._interval = interval
        self._reset()

    def _reset(self) -> None:
        self._data = bytearray()
        self._restarts = [0]
        self._since = 0
        self._last = b""
        self.entries = 0

    def size(self) -> int:
        return len(self._data) + 4 * len(self._restarts) + 4

    def add(self, key: bytes, value: bytes) -> None:
        shared = 0
        if self._since < self._interval:
            limit = min(len(key), len(self._last))
            while shared < limit and key[shared] == self._last[shared]:
                shared += 1
        else:
            self._restarts.append(len(self._data))
            self._since = 0
        self._data += varint.encode(shared) + varint.encode(len(key) - shared) + varint.encode(len(value))
        self._data += key[shared:] + value
        self._last = key
        self._since += 1
        self.entries += 1

    def finish(self) -> bytes:
        count = len(self._restarts)
        block = bytes(self._data) + struct.pack(f"<{count + 1}I", *self._restarts, count)
        self._reset()
        return block


def _separator(low: bytes, high: bytes) -> bytes:
    """A short key in [low, high), for the index."""
    at = next((i for i, (a, b) in enumerate(zip(low, high)) if a != b), None)
    if at is not None and low[at] < 0xFF and low[at] + 1 < high[at]:
        return low[:at] + bytes([low[at] + 1])
    return low


def _successor(key: bytes) -> bytes:
    """A short key at or after `key`."""
    for i, byte in enumerate(key):
        if byte != 0xFF:
            return key[:i] + bytes([byte + 1])
    return key
