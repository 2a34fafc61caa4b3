"""Checkpoint V2, the tensor bundle: a table of entries, `<prefix>.index`, and bytes, `<prefix>.data-?????-of-?????`."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from hornbeam import proto
from hornbeam.core import dtypes, errors
from hornbeam.core.dtypes import DType
from hornbeam.files import atomic, bundle_strings, bundle_variants
from hornbeam.files.crc import crc32c, mask, unmask
from hornbeam.files.table import TableBuilder, TableReader
from hornbeam.files.tensor_slice import TensorSlice, find_overlaps, not_covered, parse_shape_and_slice

_ALIGNMENT = 64  # what XLA takes without copying
_NOT_STORED = (dtypes.resource,)
_LISTED = (dtypes.string, dtypes.variant)  # stored element by element


def index_path(prefix: str) -> str:
    return prefix + ".index"


def data_path(prefix: str, shard: int, shards: int) -> str:
    return f"{prefix}.data-{shard:05d}-of-{shards:05d}"


@dataclass(frozen=True, slots=True)
class Entry:
    """What the index says of one tensor, or of one slice of a partitioned tensor."""

    dtype: DType
    shape: tuple[int, ...]
    shard: int
    offset: int
    size: int
    crc32c: int
    slices: tuple[TensorSlice, ...]

    @property
    def nbytes(self) -> int:
        """The bytes of the whole tensor in memory (for strings, as stored)."""
        return self.size if self.dtype in _LISTED else math.prod(self.shape) * self.dtype.size


class BundleReader:
    """Reads tensors and slices of tensors out of a V2 checkpoint.

    Nothing but the index is read until a tensor is asked for. Raises NotFoundError when there is no such checkpoint or
    tensor, DataLossError, naming file, tensor and offset, when bytes are damaged.
    """

    def __init__(self, prefix: str) -> None:
        self.prefix = os.fspath(prefix)
        self._fds: dict[int, int] = {}
        self._entries: dict[str, Entry] = {}
        path = index_path(self.prefix)
        if not os.path.exists(path):
            raise no_such_checkpoint(self.prefix)
        with TableReader(path) as table:
            self._raw = dict(table)
        header = proto.BundleHeaderProto()
        try:
            if b"" not in self._raw:
                raise ValueError("it has no header")
            header.ParseFromString(self._raw.pop(b""))
            if header.num_shards < 1 or header.num_shards > 1 << 20:
                raise ValueError(f"its header declares {header.num_shards} shards")
            if header.version.min_consumer > 1 or 1 in header.version.bad_consumers:
                raise ValueError(f"it needs a reader of version {header.version.min_consumer}")
        except Exception as e:
            raise errors.DataLossError(None, None, f"{path} is not a checkpoint index: {e}") from e
        self.shards: int = header.num_shards
        self._swap = header.endianness == proto.BundleHeaderProto.BIG

    def close(self) -> None:
        for fd in self._fds.values():
            os.close(fd)
        self._fds = {}

    def __enter__(self) -> BundleReader:
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()

    def __del__(self) -> None:
        for fd in getattr(self, "_fds", {}).values():
            os.close(fd)

    # what is there ---------------------------------------------------------------------------------------------------
    def keys(self) -> list[str]:
        """The names of all tensors, sorted; slices of partitioned tensors are not listed."""
        return [k.decode("utf-8", "surrogateescape") for k in self._raw if not k.startswith(b"\0")]

    def slice_keys(self) -> list[bytes]:
        """The table keys of stored slices."""
        return [k for k in self._raw if k.startswith(b"\0")]

    def __contains__(self, name: str) -> bool:
        return name.encode("utf-8", "surrogateescape") in self._raw

    def __iter__(self) -> Iterator[str]:
        return iter(self.keys())

    def entry(self, name: str) -> Entry:
        """Raises NotFoundError."""
        found = self._entries.get(name)
        if found is None:
            found = self._entries[name] = self._entry(name.encode("utf-8", "surrogateescape"), name)
        return found

    def dtype(self, name: str) -> DType:
        return self.entry(name).dtype

    def shape(self, name: str) -> tuple[int, ...]:
        return self.entry(name).shape

    def _entry(self, key: bytes, name: str) -> Entry:
        raw = self._raw.get(key)
        if raw is None:
            raise errors.NotFoundError(None, None, f"Key {name} not found in checkpoint")
        message = proto.BundleEntryProto()
        try:
            message.ParseFromString(raw)
            dtype = dtypes.as_dtype(message.dtype)
            shape = tuple(d.size for d in message.shape.dim)
            if message.shape.unknown_rank or any(d < 0 for d in shape):
                raise ValueError(f"its shape {list(shape)} is not fully defined")
            if not 0 <= message.shard_id < self.shards or message.offset < 0 or message.size < 0:
                raise ValueError(
                    f"shard {message.shard_id} of {self.shards}, offset {message.offset}, size {message.size}"
                )
        except Exception as e:
            path = index_path(self.prefix)
            raise errors.DataLossError(None, None, f"{path}: the entry of tensor {name} is damaged: {e}") from e
        slices = tuple(TensorSlice.from_proto(s) for s in message.slices)
        return Entry(dtype, shape, message.shard_id, message.offset, message.size, message.crc32c, slices)

    # reading ---------------------------------------------------------------------------------------------------------
    def read(self, name: str, shape_and_slice: str = "") -> np.ndarray:
        """The tensor, or the slice of it that TensorFlow's `shape_and_slice` string names, in a 64-byte-aligned array.

        Strings come as an object array of bytes. Raises InvalidArgumentError when the stored slices do not cover what
        is asked for or the stored shape differs from the one in `shape_and_slice`.
        """
        entry = self.entry(name)
        if not shape_and_slice:
            return self._read_slice(name, entry, TensorSlice.full(len(entry.shape)))
        shape, wanted = parse_shape_and_slice(shape_and_slice)
        if shape != entry.shape:
            raise errors.InvalidArgumentError(
                None,
                None,
                f"tensor_name = {name}; shape in shape_and_slice spec {_text(shape)} does not match the shape stored "
                f"in checkpoint: {_text(entry.shape)}",
            )
        return self._read_slice(name, entry, wanted)

    def read_slice(self, name: str, wanted: TensorSlice) -> np.ndarray:
        """As `read`, for a TensorSlice."""
        return self._read_slice(name, self.entry(name), wanted)

    def _read_slice(self, name: str, entry: Entry, wanted: TensorSlice) -> np.ndarray:
        bounds = wanted.bounds(entry.shape)
        if entry.slices:
            return self._assemble(name, entry, wanted, bounds)
        if entry.dtype in _LISTED:
            whole = self._read_strings(name, entry)
        else:
            whole = self._allocate(name, entry, entry.shape)
            self._read_into(name, entry, whole)
        if wanted.is_full(entry.shape):
            return whole
        return np.ascontiguousarray(whole[tuple(slice(a, b) for a, b in bounds)])

    def _assemble(
        self, name: str, entry: Entry, wanted: TensorSlice, bounds: tuple[tuple[int, int], ...]
    ) -> np.ndarray:
        """Puts the stored slices that meet the wanted one together."""
        try:
            boxes = [stored.bounds(entry.shape) for stored in entry.slices]
        except errors.InternalError as e:
            raise self._damaged(name, f"one of its slices is not one of shape {_text(entry.shape)}: {e}") from e
        overlaps = find_overlaps(bounds, boxes)
        if overlaps is None:
            raise not_covered(name, wanted)
        pieces = [self._slice_entry(name, entry, entry.slices[o.source]) for o in overlaps]
        for piece in pieces:  # before allocating: hostile shapes have no bytes behind them
            self._check_extent(name, piece)
        shape = tuple(b - a for a, b in bounds)
        target = np.empty(shape, object) if entry.dtype is dtypes.string else _aligned(shape, entry.dtype.np)
        for overlap, piece in zip(overlaps, pieces):
            label = f"{name} (slice {entry.slices[overlap.source]})"
            into = target[overlap.target]
            if entry.dtype is dtypes.string:
                values = self._read_strings(label, piece)
            elif overlap.whole and into.flags.c_contiguous:
                self._read_into(label, piece, into)
                continue
            else:
                values = self._allocate(label, piece, piece.shape)
                self._read_into(label, piece, values)
            into[...] = values[overlap.part]
        return target

    def _slice_entry(self, name: str, entry: Entry, stored: TensorSlice) -> Entry:
        try:
            found = self._entry(stored.key(name), f"{name} (slice {stored})")
        except errors.NotFoundError as e:
            raise self._damaged(name, f"slice {stored} is declared but absent") from e
        if found.shape != stored.shape(entry.shape) or found.dtype is not entry.dtype:
            why = f"slice {stored} is stored with shape {_text(found.shape)} of {found.dtype.name}"
            raise self._damaged(name, why)
        return found

    def _allocate(self, name: str, entry: Entry, shape: Sequence[int]) -> np.ndarray:
        self._check_extent(name, entry)
        return _aligned(shape, entry.dtype.np)

    def _check_extent(self, name: str, entry: Entry) -> None:
        """That the stored size is the shape's and that the file has these bytes."""
        if entry.dtype in _NOT_STORED:
            raise errors.UnimplementedError(
                None, None, f"tensor {name} of {self.prefix}: dtype {entry.dtype.name} cannot be read from a checkpoint"
            )
        if entry.dtype not in _LISTED and entry.size != entry.nbytes:
            needs = f"shape {_text(entry.shape)} of {entry.dtype.name} needs {entry.nbytes}"
            raise self._damaged(name, f"it has {entry.size} bytes where {needs}")
        available = os.fstat(self._fd(entry.shard)).st_size
        if entry.offset + entry.size > available:
            path = data_path(self.prefix, entry.shard, self.shards)
            why = f"tensor {name} at offset {entry.offset} ({entry.size} bytes): the file ends at {available}"
            raise errors.DataLossError(None, None, f"{path}: {why}")

    def _read_into(self, name: str, entry: Entry, target: np.ndarray) -> None:
        data = target.reshape(-1).view(np.uint8)
        self._fill(name, entry, data)
        self._check_crc(name, entry, crc32c(data))
        if self._swap and target.dtype.itemsize > 1:
            part = target.dtype.itemsize // (2 if target.dtype.kind == "c" else 1)
            data.view(f"u{part}").byteswap(inplace=True)

    def _read_strings(self, name: str, entry: Entry) -> np.ndarray:
        if self._swap:
            raise errors.UnimplementedError(
                None, None, f"tensor {name} of {self.prefix}: strings of a big-endian checkpoint cannot be read"
            )
        self._check_extent(name, entry)
        data = np.empty(entry.size, np.uint8)
        self._fill(name, entry, data)
        try:
            decode = bundle_strings.decode if entry.dtype is dtypes.string else bundle_variants.decode
            values, crc = decode(data.tobytes(), math.prod(entry.shape))
        except ValueError as e:
            raise self._damaged_data(name, entry, str(e)) from None
        self._check_crc(name, entry, crc)
        array = np.empty(len(values), object)
        array[:] = values
        return array.reshape(entry.shape)

    def _fill(self, name: str, entry: Entry, data: np.ndarray) -> None:
        view = memoryview(data)  # type: ignore[arg-type]
        fd, offset = self._fd(entry.shard), entry.offset
        with atomic.os_errors(data_path(self.prefix, entry.shard, self.shards)):
            while len(view):
                got = os.preadv(fd, [view[: 1 << 30]], offset)
                if not got:
                    raise self._damaged_data(name, entry, "the file ended while it was read")
                offset += got
                view = view[got:]

    def _check_crc(self, name: str, entry: Entry, crc: int) -> None:
        if crc != unmask(entry.crc32c):
            stored = unmask(entry.crc32c)
            why = f"Checksum does not match: stored {stored} vs. calculated on the restored bytes {crc}"
            raise self._damaged_data(name, entry, why)

    def _fd(self, shard: int) -> int:
        if shard not in self._fds:
            path = data_path(self.prefix, shard, self.shards)
            with atomic.os_errors(path):
                self._fds[shard] = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        return self._fds[shard]

    def _damaged(self, name: str, why: str) -> errors.OpError:
        return errors.DataLossError(None, None, f"{index_path(self.prefix)}: tensor {name}: {why}")

    def _damaged_data(self, name: str, entry: Entry, why: str) -> errors.OpError:
        path = data_path(self.prefix, entry.shard, self.shards)
        return errors.DataLossError(
            None, None, f"{path}: tensor {name} at offset {entry.offset} ({entry.size} bytes): {why}"
        )


class BundleWriter:
    """Writes a V2 checkpoint of one shard, byte for byte what TensorFlow writes; nothing is visible before `finish`.

    `sync=False` leaves it to the system when the bytes reach the disk, as TensorFlow does: a crash of the machine, not
    of the program, may then cost this checkpoint. As a context manager it finishes at the end, and leaves nothing
    behind when the body or `finish` raises.
    """

    def __init__(self, prefix: str, data_alignment: int = 1, sync: bool = True) -> None:
        self.prefix = os.fspath(prefix)
        self._sync = sync
        self._alignment = data_alignment
        self._entries: dict[bytes, Any] = {}
        parent = os.path.dirname(self.prefix)
        if parent and not os.path.isdir(parent):
            with atomic.os_errors(parent):
                os.mkdir(parent)
        self._data = atomic.AtomicFile(data_path(self.prefix, 0, 1), sync)

    def add(self, name: str, value: Any, dtype: Any = None) -> None:
        """Adds a tensor; `dtype` where the array does not tell it (quantised types). Raises InvalidArgumentError."""
        self._append(self._key(name), *stored_form(name, value, dtype))

    def add_slice(self, name: str, shape: Sequence[int], slice_: TensorSlice, value: Any, dtype: Any = None) -> None:
        """Adds one slice of the tensor `name`, whose full shape is `shape`."""
        if slice_.is_full(shape):
            self.add(name, value, dtype)
            return
        array, kind = stored_form(name, value, dtype)
        if array.shape != slice_.shape(shape):
            raise errors.InvalidArgumentError(
                None,
                None,
                f"Slice in shape_and_slice specification does not match the shape of the tensor to save: {name} has "
                f"slice {slice_} of {_text(shape)}, tensor: {_text(array.shape)}",
            )
        key = self._key(name, of_slice=True)
        whole = self._entries.get(key)
        if whole is None:
            whole = self._entries[key] = proto.BundleEntryProto(dtype=kind.as_datatype_enum)
            _set_shape(whole, shape)
        elif whole.dtype != kind.as_datatype_enum or [d.size for d in whole.shape.dim] != list(shape):
            raise errors.InvalidArgumentError(None, None, f"slices of {name} differ in dtype or in full shape")
        slice_.to_proto(whole.slices.add())
        self._append(slice_.key(name), array, kind)

    def finish(self) -> None:
        """Syncs both files and renames them into place."""
        index = None
        try:
            index = atomic.AtomicFile(index_path(self.prefix), self._sync)
            _write_index(index, self._entries, shards=1)
            self._data.close()
            index.close()
            self._data.commit()
            index.commit()
        finally:
            if index is not None:
                index.abort()
            self._data.abort()
        atomic.sync_directory(os.path.dirname(self.prefix))

    def abort(self) -> None:
        """Gives up: removes what was written."""
        self._data.abort()

    def __enter__(self) -> BundleWriter:
        return self

    def __exit__(self, kind: Any, *_: Any) -> None:
        if kind is None:
            self.finish()
        else:
            self.abort()

    def _key(self, name: str, of_slice: bool = False) -> bytes:
        key = name.encode("utf-8", "surrogateescape")
        if not key or key[0] == 0:
            raise errors.InvalidArgumentError(None, None, f"a tensor cannot be saved under the name {name!r}")
        known = self._entries.get(key)
        if known is not None and not (of_slice and known.slices):
            raise errors.InvalidArgumentError(None, None, f"Adding duplicate key: {name}")
        return key

    def _append(self, key: bytes, array: np.ndarray, dtype: DType) -> None:
        if key in self._entries:
            raise errors.InvalidArgumentError(None, None, f"Adding duplicate key: {key!r}")
        padding = -self._data.size % self._alignment
        if padding:
            self._data.write(bytes(padding))
        entry = proto.BundleEntryProto(dtype=dtype.as_datatype_enum, offset=self._data.size)
        _set_shape(entry, array.shape)
        if dtype is dtypes.string:
            chunks, crc = bundle_strings.encode(array.ravel().tolist())
            for chunk in chunks:
                self._data.write(chunk)
        elif dtype is dtypes.variant:
            chunks, crc = bundle_variants.encode(key.decode("utf-8", "replace"), array.ravel().tolist())
            for chunk in chunks:
                self._data.write(chunk)
        else:
            data = array.reshape(-1).view(np.uint8)
            crc = crc32c(data)
            self._data.write(data)
        entry.size = self._data.size - entry.offset
        entry.crc32c = mask(crc)
        self._entries[key] = entry


def merge_bundles(prefixes: Iterable[str], merged: str, allow_missing_files: bool = False) -> None:
    """Makes one checkpoint of several (the shards of a sharded save): moves their data files, joins their indexes.

    Raises InvalidArgumentError when two of them hold the same tensor, NotFoundError when one is missing.
    """
    entries: dict[bytes, Any] = {}
    moves: dict[tuple[str, int], int] = {}
    sources = {}
    prefixes = [os.fspath(p) for p in prefixes]
    for prefix in prefixes:
        if allow_missing_files and not os.path.exists(index_path(prefix)):
            continue
        with BundleReader(prefix) as reader:
            sources[prefix] = reader.shards
            for key, raw in reader._raw.items():
                _merge_entry(entries, moves, prefix, key, proto.BundleEntryProto.FromString(raw))
    if allow_missing_files and not sources:
        raise errors.InvalidArgumentError(None, None, "None of the checkpoints to merge exist: " + ", ".join(prefixes))
    shards = len(moves)
    parent = os.path.dirname(merged)
    if parent and not os.path.isdir(parent):
        with atomic.os_errors(parent):
            os.mkdir(parent)
    for (prefix, shard), position in moves.items():
        source = data_path(prefix, shard, sources[prefix])
        with atomic.os_errors(source):
            os.replace(source, data_path(merged, position, shards))
    with atomic.AtomicFile(index_path(merged)) as index:
        _write_index(index, entries, shards)
    atomic.sync_directory(parent)
    for prefix in sources:
        if prefix != merged:
            with atomic.os_errors(prefix):
                os.unlink(index_path(prefix))


def _merge_entry(
    entries: dict[bytes, Any], moves: dict[tuple[str, int], int], prefix: str, key: bytes, entry: Any
) -> None:
    known = entries.get(key)
    if known is not None:
        if not entry.slices or not known.slices:
            name = key.decode("utf-8", "replace")
            raise errors.InvalidArgumentError(
                None, None, f"Duplicate tensor keyed by {name} encountered, when merging prefix: {prefix}"
            )
        if known.dtype != entry.dtype or known.shape != entry.shape:
            raise errors.InvalidArgumentError(
                None, None, f"The slices of {key.decode('utf-8', 'replace')} in {prefix} differ in dtype or shape"
            )
        known.slices.extend(entry.slices)
        return
    if not entry.slices:
        entry.shard_id = moves.setdefault((prefix, entry.shard_id), len(moves))
    entries[key] = entry


def no_such_checkpoint(prefix: str) -> errors.OpError:
    return errors.NotFoundError(
        None, None, f"Unsuccessful TensorSliceReader constructor: Failed to find any matching files for {prefix}"
    )


def _write_index(file: atomic.AtomicFile, entries: dict[bytes, Any], shards: int) -> None:
    header = proto.BundleHeaderProto(num_shards=shards)
    header.version.producer = 1
    table = TableBuilder(file.write)
    table.add(b"", header.SerializeToString(deterministic=True))
    for key in sorted(entries):
        table.add(key, entries[key].SerializeToString(deterministic=True))
    table.finish()


def _set_shape(entry: Any, shape: Sequence[int]) -> None:
    entry.shape.SetInParent()
    for d in shape:
        entry.shape.dim.add(size=d)


def stored_form(name: str, value: Any, dtype: Any) -> tuple[np.ndarray, DType]:
    """The tensor as a contiguous little-endian array and the type to record."""
    array = np.asarray(value)
    try:
        kind = dtypes.as_dtype(array.dtype if dtype is None else dtype).base_dtype
    except TypeError as e:
        raise errors.InvalidArgumentError(None, None, f"tensor {name}: {e}") from e
    if kind in _NOT_STORED:
        why = f"tensor {name} has dtype {kind.name}, which a checkpoint cannot hold"
        raise errors.UnimplementedError(None, None, why)
    if array.dtype.names:
        array = array.view(array.dtype[0])
    if kind not in _LISTED and array.dtype != kind.np:
        array = array.astype(kind.np)
    elif array.dtype.byteorder == ">":
        array = array.astype(array.dtype.newbyteorder("<"))
    return (array if array.flags.c_contiguous else np.array(array, order="C")), kind


def _aligned(shape: Sequence[int], dtype: np.dtype[Any]) -> np.ndarray:
    """An uninitialised array that starts at a multiple of 64 bytes."""
    nbytes = math.prod(shape) * dtype.itemsize
    try:
        buffer = np.empty(nbytes + _ALIGNMENT, np.uint8)
    except (MemoryError, ValueError):
        raise errors.ResourceExhaustedError(None, None, f"OOM when allocating {nbytes} bytes for a tensor") from None
    start = -buffer.__array_interface__["data"][0] % _ALIGNMENT  # `.ctypes` would cost more than the read
    return buffer[start : start + nbytes].view(dtype).reshape(shape)


def _text(shape: Sequence[int]) -> str:
    return "[" + ",".join(str(d) for d in shape) + "]"
