"""Lookup tables: static ones filled once from tensors or a text file, and mutable ones, with the handles of both generations."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from hornbeam.core import dtypes, errors
from hornbeam.core.dtypes import DType
from hornbeam.core.graph import InferenceContext, Operation
from hornbeam.core.registry import no_gradient, op
from hornbeam.core.tensor_shape import Shape
from hornbeam.ops import shapes
from hornbeam.ops.hashing import hash64
from hornbeam.ops.queues import names_node, remembered, resource_of, resource_ref
from hornbeam.ops.strings import parse_number

_CPP = {"float32": "float", "float64": "double"}


def bad(message: str) -> errors.InvalidArgumentError:
    return errors.InvalidArgumentError(None, None, message)


class HostTable:
    """Keys of `key_shape` to values of `value_shape`, in the order they came in."""

    static = False

    def __init__(
        self,
        name: str,
        key_dtype: DType,
        value_dtype: DType,
        value_shape: Sequence[int] = (),
        key_shape: Sequence[int] = (),
    ) -> None:
        self.name = name
        self.key_dtype = key_dtype
        self.value_dtype = value_dtype
        self.key_shape = tuple(key_shape)
        self.value_shape = tuple(value_shape)
        self.held: dict[Any, Any] = {}
        self.lock = threading.Lock()

    # arrays to what the dictionary holds and back ---------------------------------------------------------------------------
    def _keys(self, array: Any) -> list[Any]:
        if array.dtype != self.key_dtype.np:
            raise bad(f"Key must be type {_cpp(self.key_dtype)} but got {_cpp(dtypes.as_dtype(array.dtype))}")
        rank = len(self.key_shape)
        if not rank:
            return array.reshape(-1).tolist()  # type: ignore[no-any-return]
        if array.shape[array.ndim - rank :] != self.key_shape:
            raise bad(f"Input key shape {list(array.shape)} must end with the table's key shape {list(self.key_shape)}")
        return [tuple(row) for row in array.reshape(-1, int(np.prod(self.key_shape))).tolist()]

    def _values(self, array: Any) -> list[Any]:
        if array.dtype != self.value_dtype.np:
            raise bad(f"Value must be type {_cpp(self.value_dtype)} but got {_cpp(dtypes.as_dtype(array.dtype))}")
        if not self.value_shape:
            return array.reshape(-1).tolist()  # type: ignore[no-any-return]
        return list(np.array(array).reshape(-1, *self.value_shape))

    def _array(self, values: list[Any], lead: tuple[int, ...]) -> Any:
        dtype = object if self.value_dtype is dtypes.string else self.value_dtype.np
        out = np.empty((len(values), *self.value_shape), dtype)
        if self.value_shape:
            for i, v in enumerate(values):
                out[i] = v
        else:
            out[:] = values
        return out.reshape((*lead, *self.value_shape))

    def _lead(self, keys: Any) -> tuple[int, ...]:
        return keys.shape[: keys.ndim - len(self.key_shape)]  # type: ignore[no-any-return]

    # operations --------------------------------------------------------------------------------------------------------------------
    def find(self, keys: Any, default: Any) -> Any:
        """The values of the keys; absent ones get `default`, of the value's shape or one value a key."""
        lead = self._lead(keys)
        found = self._keys(keys)
        if default.dtype != self.value_dtype.np:
            raise bad(
                f"Default value must be type {_cpp(self.value_dtype)} but got {_cpp(dtypes.as_dtype(default.dtype))}"
            )
        get = self.held.get
        if default.shape == self.value_shape:
            fallback = default if self.value_shape else default.item()
            return self._array([get(k, fallback) for k in found], lead)
        if default.shape != (*lead, *self.value_shape) or self.static:
            raise bad(
                f"Expected shape {list(self.value_shape)} or {[*lead, *self.value_shape]} for default value, got {list(default.shape)}"
            )
        return self._array([get(k, d) for k, d in zip(found, self._values(default), strict=True)], lead)

    def insert(self, keys: Any, values: Any) -> None:
        self._check(keys, values)
        pairs = zip(self._keys(keys), self._values(values), strict=True)
        with self.lock:
            self.held.update(pairs)

    def remove(self, keys: Any) -> None:
        with self.lock:
            for k in self._keys(keys):
                self.held.pop(k, None)

    def replace(self, keys: Any, values: Any) -> None:
        """The contents a checkpoint held."""
        self._check(keys, values)
        fresh = dict(zip(self._keys(keys), self._values(values), strict=True))
        with self.lock:
            self.held = fresh

    def _check(self, keys: Any, values: Any) -> None:
        expected = (*self._lead(keys), *self.value_shape)
        if values.shape != expected:
            raise bad(f"Expected shape {_brackets(expected)} for value, got {_brackets(values.shape)}")

    def export(self) -> tuple[Any, Any]:
        with self.lock:
            keys, values = list(self.held), list(self.held.values())
        return self._key_array(keys), self._array(values, (len(values),))

    def _key_array(self, keys: list[Any]) -> Any:
        out = np.empty((len(keys), *self.key_shape), object if self.key_dtype is dtypes.string else self.key_dtype.np)
        if keys:
            out[...] = np.array(keys, out.dtype).reshape(out.shape)
        return out

    def size(self) -> int:
        return len(self.held)


class StaticTable(HostTable):
    """A table that is filled once; filling it again changes nothing."""

    static = True
    ready = False

    def find(self, keys: Any, default: Any) -> Any:
        self._check_ready()
        return super().find(keys, default)

    def export(self) -> tuple[Any, Any]:
        self._check_ready()
        return super().export()

    def _check_ready(self) -> None:
        if not self.ready:
            raise errors.FailedPreconditionError(None, None, "Table not initialized.")

    def insert(self, keys: Any, values: Any) -> None:
        raise errors.UnimplementedError(None, None, "Insert not supported by HashTable implementations")

    def remove(self, keys: Any) -> None:
        raise errors.UnimplementedError(None, None, "Remove not supported by HashTable implementations")

    def replace(self, keys: Any, values: Any) -> None:
        self._check(keys, values)
        self.fill(lambda: zip(self._keys(keys), self._values(values), strict=True))

    def fill(self, pairs: Callable[[], Any]) -> None:
        with self.lock:
            if self.ready:
                return
            held: dict[Any, Any] = {}
            for k, v in pairs():
                known = held.setdefault(k, v)
                if known != v:
                    raise errors.FailedPreconditionError(
                        None,
                        None,
                        f"HashTable has different value for same key. Key {_text(k)} has {_text(known)} and trying to add value {_text(v)}",
                    )
            self.held = held
            self.ready = True


class DenseTable(HostTable):
    """A mutable table with an `empty_key` and a `deleted_key`, which cannot be keys; exported as TensorFlow lays its buckets out."""

    def __init__(self, name: str, attrs: dict[str, Any], empty_key: Any, deleted_key: Any) -> None:
        super().__init__(name, attrs["key_dtype"], attrs["value_dtype"], attrs["value_shape"], np.shape(empty_key))
        self.buckets = attrs["initial_num_buckets"]
        if self.buckets < 4 or self.buckets & (self.buckets - 1):
            raise bad(f"initial_num_buckets must be at least 4 and a power of 2, got: {self.buckets}")
        self.load = attrs["max_load_factor"]
        if not 0 < self.load < 1:
            raise bad(f"max_load_factor must be between 0 and 1, got: {self.load}")
        (self.empty,) = super()._keys(empty_key)
        self.deleted = super()._keys(deleted_key)[0] if deleted_key is not None else None
        if deleted_key is not None and self.empty == self.deleted:
            raise bad("Empty and deleted keys cannot be equal")

    def _keys(self, array: Any) -> list[Any]:
        keys = super()._keys(array)
        if self.empty in keys:
            raise bad("Using the empty_key as a table key is not allowed")
        if self.deleted is not None and self.deleted in keys:
            raise bad("Using the deleted_key as a table key is not allowed")
        return keys

    def replace(self, keys: Any, values: Any) -> None:
        """Buckets as `export` gives them; those with an empty or deleted key are free."""
        flat = HostTable._keys(self, keys.reshape(len(keys), *self.key_shape))
        rows = self._values(values.reshape(len(values), *self.value_shape))
        free = (self.empty, self.deleted)
        with self.lock:
            self.held = {k: v for k, v in zip(flat, rows, strict=True) if k not in free}
            self.buckets = max(self.buckets, len(keys))

    def export(self) -> tuple[Any, Any]:
        with self.lock:
            items = list(self.held.items())
        while len(items) >= self.buckets * self.load:
            self.buckets *= 2
        n, mask = self.buckets, self.buckets - 1
        width, size = int(np.prod(self.key_shape)), int(np.prod(self.value_shape))
        keys = np.empty((n, width), object if self.key_dtype is dtypes.string else self.key_dtype.np)
        keys[:] = np.array(self.empty, keys.dtype).reshape(width)
        strings = self.value_dtype is dtypes.string
        values = np.full((n, size), b"", object) if strings else np.zeros((n, size), self.value_dtype.np)
        taken: set[int] = set()
        for k, v in items:
            at, probes = self._hash(k) & mask, 0
            while at in taken:
                probes += 1
                at = (at + probes) & mask
            taken.add(at)
            keys[at] = np.array(k, keys.dtype).reshape(width)
            values[at] = np.asarray(v, values.dtype).reshape(size)
        return keys, values

    def _hash(self, key: Any) -> int:
        parts = key if isinstance(key, tuple) else (key,)
        hashes = [hash64(p) if isinstance(p, bytes) else int(p) & 0xFFFFFFFFFFFFFFFF for p in parts]
        if not isinstance(key, tuple):
            return hashes[0]
        out = 0
        for h in hashes:  # Hash64Combine
            out ^= (h + 0x9E3779B97F4A7800 + ((out << 10) & 0xFFFFFFFFFFFFFFFF) + (out >> 4)) & 0xFFFFFFFFFFFFFFFF
        return out


def _cpp(t: DType) -> str:
    return _CPP.get(t.name, t.name)


def _text(v: Any) -> str:
    return v.decode(errors="replace") if isinstance(v, bytes) else str(v)


def _brackets(shape: Sequence[int]) -> str:
    return "[" + ",".join(map(str, shape)) + "]"


# --- handles ----------------------------------------------------------------------------------------------------------------------
_SHARING = "container: string = ''; shared_name: string = ''; use_node_name_sharing: bool = false; key_dtype: type; value_dtype: type"
_DENSE = f"{_SHARING}; value_shape: shape = []; initial_num_buckets: int = 131072; max_load_factor: float = 0.800000011920929"


def _handle(ctx: Any, make: Callable[[str], HostTable]) -> Any:
    a = ctx.op._attrs

    def check(found: HostTable) -> None:
        if (found.key_dtype, found.value_dtype) != (a["key_dtype"], a["value_dtype"]):
            raise bad(
                f"Conflicting key/value dtypes {_cpp(a['key_dtype'])}->{_cpp(a['value_dtype'])} with "
                f"{_cpp(found.key_dtype)}-{_cpp(found.value_dtype)} for table {found.name}"
            )

    return resource_ref("Table", "table/", ctx, make, check)


def _static_table(ctx):
    a = ctx.op._attrs
    return _handle(ctx, lambda name: StaticTable(name, a["key_dtype"], a["value_dtype"]))


def _mutable_table(ctx):
    a = ctx.op._attrs
    return _handle(ctx, lambda name: HostTable(name, a["key_dtype"], a["value_dtype"], a.get("value_shape", ())))


def _dense_table(empty_key, ctx):
    return _handle(ctx, lambda name: DenseTable(name, ctx.op._attrs, empty_key, None))


def _dense_table_v2(empty_key, deleted_key, ctx):
    return _handle(ctx, lambda name: DenseTable(name, ctx.op._attrs, empty_key, deleted_key))


for _name, _kernel, _attrs in (
    ("HashTable", _static_table, _SHARING), ("MutableHashTable", _mutable_table, _SHARING),
    ("MutableHashTableOfTensors", _mutable_table, f"{_SHARING}; value_shape: shape = []"),
):  # fmt: skip
    _kernel = remembered(_kernel)
    op(f"{_name}() -> (table_handle: Ref(string)); {_attrs}", shape=lambda c: [()], host=True, stateful=True)(_kernel)
    op(f"{_name}V2() -> (table_handle: resource); {_attrs}", shape=shapes.scalar, host=True, stateful=True)(_kernel)
    no_gradient(_name, _name + "V2")
_dense_table = names_node(remembered(_dense_table))
_dense_table_v2 = names_node(remembered(_dense_table_v2))
op(
    f"MutableDenseHashTable(empty_key: key_dtype) -> (table_handle: Ref(string)); {_DENSE}",
    shape=lambda c: [()],
    host=True,
    stateful=True,
)(_dense_table)
op(
    f"MutableDenseHashTableV2(empty_key: key_dtype, deleted_key: key_dtype) -> (table_handle: resource); {_DENSE}",
    shape=shapes.scalar, host=True, stateful=True,
)(_dense_table_v2)  # fmt: skip


# --- operations on them -----------------------------------------------------------------------------------------------------------
def _table(handle: Any, ctx: Any) -> HostTable:
    return resource_of(handle, ctx, HostTable, "table")  # type: ignore[no-any-return]


def _made_by(handle: Any) -> Operation | None:
    made = handle._op
    while made.type in ("Identity", "RefIdentity") and made._inputs:
        made = made._inputs[0]._op
    return made if "HashTable" in made.type else None


def _find_shape(c: InferenceContext) -> list[Shape]:
    made, keys = _made_by(c.op._inputs[0]), c.shape(1)
    if made is None or keys is None:
        return [None]
    value = made._attrs.get("value_shape", ())
    rank = len(made._inputs[0]._shape or ()) if made._inputs else 0
    return [None if value is None else (*keys[: len(keys) - rank], *value)]


def _export_shape(c: InferenceContext) -> list[Shape]:
    made = _made_by(c.op._inputs[0])
    if made is None:
        return [(None,), None]
    if "Dense" in made.type:
        return [None, None]
    return [(None,), (None, *(made._attrs.get("value_shape") or ()))]


def _find(table_handle, keys, default_value, ctx):
    return _table(table_handle, ctx).find(keys, default_value)


def _insert(table_handle, keys, values, ctx):
    _table(table_handle, ctx).insert(keys, values)


def _import(table_handle, keys, values, ctx):
    _table(table_handle, ctx).replace(keys, values)


def _remove(table_handle, keys, ctx):
    _table(table_handle, ctx).remove(keys)


def _export(table_handle, ctx):
    return _table(table_handle, ctx).export()


def _size(table_handle, ctx):
    return np.int64(_table(table_handle, ctx).size())


def _initialize(table_handle, keys, values, ctx):
    table = _table(table_handle, ctx)
    if len(keys) != len(values):
        raise bad(f"Keys and values must have the same size, got {len(keys)} and {len(values)}")
    table.replace(keys, values)


def _initialize_from_file(table_handle, filename, key_index, value_index, vocab_size, delimiter, offset, ctx):
    table = _table(table_handle, ctx)
    if not isinstance(table, StaticTable):
        raise bad(f"A table initialised from a file must be a HashTable, {table.name} is not")
    if len(delimiter) != 1:
        raise bad("Only single char delimiters are allowed")
    path = filename.item()
    table.fill(lambda: _lines(path, table, key_index, value_index, vocab_size, delimiter, offset))


WHOLE_LINE, LINE_NUMBER = -2, -1


def _lines(
    name: bytes, table: HostTable, key_index: int, value_index: int, vocab_size: int, delimiter: bytes, offset: int
) -> Any:
    """(key, value) of the lines of a vocabulary file: the whole line, its number, or a column."""
    from hornbeam.ops.readers import _open, path_of

    path = path_of(name)
    for index, dtype, label in ((key_index, table.key_dtype, "key"), (value_index, table.value_dtype, "value")):
        if index == LINE_NUMBER and dtype is not dtypes.int64:
            raise bad(f"{label.capitalize()} index for line number requires {label} dtype of int64, got {_cpp(dtype)}")
        if index == WHOLE_LINE and dtype is not dtypes.string and not dtype.is_integer:
            raise bad(
                f"{label.capitalize()} index for whole line requires {label} dtype of string or integer, got {_cpp(dtype)}"
            )
    wanted = max(key_index, value_index) + 1

    def take(line: bytes, columns: list[bytes], number: int, index: int, dtype: DType) -> Any:
        if index == LINE_NUMBER:
            return number + offset
        text = line if index == WHOLE_LINE else columns[index]
        if dtype is dtypes.string:
            return text
        try:
            return np.asarray(parse_number(text, dtype), dtype.np).item()
        except (ValueError, UnicodeDecodeError):
            raise bad(f"Field {_text(text)} in line {number} is not a valid {_cpp(dtype)}.") from None

    number = 0
    with _open(name) as file:
        for raw_line in file:
            if number == vocab_size:
                break
            line = raw_line.removesuffix(b"\n").removesuffix(b"\r")
            if not line:
                raise bad(f"Invalid content in {path}: empty line found at position {file.tell()}.")
            columns = line.split(delimiter) if wanted > 0 else []
            if len(columns) < wanted:
                raise bad(
                    f"Invalid number of columns in {path} line {number} ({_text(line)}) : expected at least {wanted} got {len(columns)}"
                )
            yield (
                take(line, columns, number, key_index, table.key_dtype),
                take(line, columns, number, value_index, table.value_dtype),
            )
            number += 1
    if vocab_size >= 0 and number != vocab_size:
        raise bad(f"Invalid vocab_size in {path}: expected {vocab_size} but got {number}")


_FILE = "key_index: int >= -2; value_index: int >= -2; vocab_size: int >= -1 = -1; delimiter: string = '\t'; offset: int = 0"
_OPS: tuple[tuple[str, str, str, Any, Callable[..., Any]], ...] = (
    ("LookupTableFind", ", keys: Tin, default_value: Tout", "(values: Tout); Tin: type; Tout: type", _find_shape, _find),
    ("LookupTableInsert", ", keys: Tin, values: Tout", "(); Tin: type; Tout: type", lambda c: [], _insert),
    ("LookupTableImport", ", keys: Tin, values: Tout", "(); Tin: type; Tout: type", lambda c: [], _import),
    ("LookupTableRemove", ", keys: Tin", "(); Tin: type", lambda c: [], _remove),
    ("LookupTableExport", "", "(keys: Tkeys, values: Tvalues); Tkeys: type; Tvalues: type", _export_shape, _export),
    ("LookupTableSize", "", "(size: int64)", shapes.scalar, _size),
    ("InitializeTable", ", keys: Tkey, values: Tval", "(); Tkey: type; Tval: type", lambda c: [], _initialize),
    ("InitializeTableFromTextFile", ", filename: string", f"(); {_FILE}", lambda c: [], _initialize_from_file),
)  # fmt: skip
for _name, _inputs, _outputs, _shape, _kernel in _OPS:
    _kernel = names_node(_kernel)
    if _name != "LookupTableRemove":  # came with the resource handles
        op(f"{_name}(table_handle: Ref(string){_inputs}) -> {_outputs}", shape=_shape, host=True, stateful=True)(
            _kernel
        )
    op(f"{_name}V2(table_handle: resource{_inputs}) -> {_outputs}", shape=_shape, host=True, stateful=True)(_kernel)
    no_gradient(_name, _name + "V2")
