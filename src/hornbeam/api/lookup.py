"""`tf.lookup` and `tf.contrib.lookup`: tables from keys to values, vocabularies, and hash buckets for what a vocabulary lacks."""

from __future__ import annotations

import uuid
from typing import Any, NamedTuple

from hornbeam.api import array_ops, control_flow_ops, math_ops, string_ops
from hornbeam.api.saver import SaveableObject, SaveSpec
from hornbeam.core import dtypes
from hornbeam.core.graph import (
    GraphKeys,
    Operation,
    Tensor,
    add_to_collection,
    convert_to_tensor,
    get_collection,
    name_scope,
)
from hornbeam.core.registry import raw
from hornbeam.core.sparse_tensor import SparseTensor
from hornbeam.core.tensor_shape import TensorShape


def tables_initializer(name: str | None = "init_all_tables") -> Operation:
    """An op that fills all tables of the graph."""
    initializers = get_collection(GraphKeys.TABLE_INITIALIZERS)
    return control_flow_ops.group(*initializers, name=name) if initializers else control_flow_ops.no_op(name=name)  # type: ignore[no-any-return]


def initialize_all_tables(name: str | None = "init_all_tables") -> Operation:
    """The old name of `tables_initializer`."""
    return tables_initializer(name)


# --- what fills a table ---------------------------------------------------------------------------------------------------
class TextFileIndex:
    """What of a text file's line to take, when it is not a column: the whole line, or its number."""

    WHOLE_LINE = -2
    LINE_NUMBER = -1


class TableInitializerBase:
    """Fills a table of `key_dtype` and `value_dtype`."""

    def __init__(self, key_dtype: Any, value_dtype: Any) -> None:
        self._key_dtype = dtypes.as_dtype(key_dtype)
        self._value_dtype = dtypes.as_dtype(value_dtype)

    @property
    def key_dtype(self) -> Any:
        return self._key_dtype

    @property
    def value_dtype(self) -> Any:
        return self._value_dtype

    @property
    def _shared_name(self) -> str:
        return f"hash_table_{uuid.uuid4()}"

    def initialize(self, table: Any) -> Operation:
        raise NotImplementedError

    def _check(self, table: Any) -> None:
        if (table.key_dtype, table.value_dtype) != (self.key_dtype, self.value_dtype):
            raise TypeError(
                f"Invalid table key/value dtype: expected {self.key_dtype}/{self.value_dtype}, received {table.key_dtype}/{table.value_dtype}."
            )


class KeyValueTensorInitializer(TableInitializerBase):
    """Keys and values as tensors or lists of one length."""

    def __init__(
        self, keys: Any, values: Any, key_dtype: Any = None, value_dtype: Any = None, name: str | None = None
    ) -> None:
        self._keys = convert_to_tensor(keys, dtype=key_dtype, name="keys")
        self._values = convert_to_tensor(values, dtype=value_dtype, name="values")
        self._name = name if name is not None else "key_value_init"
        super().__init__(self._keys.dtype, self._values.dtype)

    def initialize(self, table: Any) -> Operation:
        self._check(table)
        with name_scope(self._name, values=(table.resource_handle, self._keys, self._values)):
            init = raw.LookupTableImportV2(table.resource_handle, self._keys, self._values)
        add_to_collection(GraphKeys.TABLE_INITIALIZERS, init)
        return init  # type: ignore[no-any-return]


class TextFileInitializer(TableInitializerBase):
    """Lines of a text file: key and value are each the whole line, its number, or a column. `vocab_size` lines when given."""

    def __init__(
        self, filename: Any, key_dtype: Any, key_index: int, value_dtype: Any, value_index: int, vocab_size: int | None = None,
        delimiter: str = "\t", name: str | None = None, value_index_offset: int = 0,
    ) -> None:  # fmt: skip
        if not isinstance(filename, Tensor) and not filename:
            raise ValueError("`filename` argument required for tf.lookup.TextFileInitializer")
        key_dtype, value_dtype = dtypes.as_dtype(key_dtype), dtypes.as_dtype(value_dtype)
        if key_index < -2:
            raise ValueError(f"`key_index` should be >= -2, received: {key_index}.")
        if key_index == TextFileIndex.LINE_NUMBER and key_dtype != dtypes.int64:
            raise ValueError(
                f"`key_dtype` must be int64 if `key_index` is {TextFileIndex.LINE_NUMBER}, received: {key_dtype}"
            )
        if key_index == TextFileIndex.WHOLE_LINE and not key_dtype.is_integer and key_dtype != dtypes.string:
            raise ValueError(
                f"`key_dtype` should be either integer or string for `key_index` {TextFileIndex.WHOLE_LINE}, received: {key_dtype}"
            )
        if value_index < -2:
            raise ValueError(f"`value_index` should be >= -2, received: {value_index}")
        if value_index == TextFileIndex.LINE_NUMBER and value_dtype != dtypes.int64:
            raise ValueError(
                f"`value_dtype` must be int64 for `value_index` {TextFileIndex.LINE_NUMBER}, received: {value_dtype}"
            )
        if value_index == TextFileIndex.WHOLE_LINE and not value_dtype.is_integer and value_dtype != dtypes.string:
            raise ValueError(
                f"`value_dtype` should be either integer or string for `value_index` {TextFileIndex.WHOLE_LINE}, received: {value_dtype}"
            )
        if vocab_size is not None and vocab_size <= 0:
            raise ValueError(f"`vocab_size` should be > 0, received: {vocab_size}")
        self._filename_arg = filename
        self._filename = convert_to_tensor(filename, dtypes.string, name="asset_path")
        if not isinstance(filename, Tensor):
            add_to_collection(GraphKeys.ASSET_FILEPATHS, self._filename)
        self._key_index = key_index
        self._value_index = value_index
        self._vocab_size = vocab_size
        self._delimiter = delimiter
        self._name = name if name is not None else "text_file_init"
        self._offset = value_index_offset
        super().__init__(key_dtype, value_dtype)

    @property
    def _shared_name(self) -> str:
        """Tables of the same file, columns and size are one table in a session."""
        filename = self._filename_arg.name if isinstance(self._filename_arg, Tensor) else self._filename_arg
        parts = [filename, *([self._vocab_size] if self._vocab_size else []), self._key_index, self._value_index]
        if self._offset:
            parts.append(self._offset)
        return "hash_table_" + "_".join(str(p.decode() if isinstance(p, bytes) else p) for p in parts)

    def initialize(self, table: Any) -> Operation:
        self._check(table)
        with name_scope(self._name, "text_file_init", (table.resource_handle,)):
            init = raw.InitializeTableFromTextFileV2(
                table.resource_handle, self._filename, key_index=self._key_index, value_index=self._value_index,
                vocab_size=-1 if self._vocab_size is None else self._vocab_size, delimiter=self._delimiter, offset=self._offset,
            )  # fmt: skip
        add_to_collection(GraphKeys.TABLE_INITIALIZERS, init)
        return init  # type: ignore[no-any-return]


class TextFileStringTableInitializer(TextFileInitializer):
    """Line numbers to lines (or other int64 to string columns)."""

    def __init__(
        self, filename: Any, key_column_index: int = TextFileIndex.LINE_NUMBER, value_column_index: int = TextFileIndex.WHOLE_LINE,
        vocab_size: int | None = None, delimiter: str = "\t", name: str = "text_file_string_table_init",
    ) -> None:  # fmt: skip
        super().__init__(
            filename, dtypes.int64, key_column_index, dtypes.string, value_column_index, vocab_size, delimiter, name
        )


class TextFileIdTableInitializer(TextFileInitializer):
    """Lines to line numbers (or other columns to int64 columns)."""

    def __init__(
        self, filename: Any, key_column_index: int = TextFileIndex.WHOLE_LINE, value_column_index: int = TextFileIndex.LINE_NUMBER,
        vocab_size: int | None = None, delimiter: str = "\t", name: str = "text_file_id_table_init", key_dtype: Any = dtypes.string,
    ) -> None:  # fmt: skip
        super().__init__(
            filename, key_dtype, key_column_index, dtypes.int64, value_column_index, vocab_size, delimiter, name
        )


# --- tables -------------------------------------------------------------------------------------------------------------------
class LookupInterface:
    """What all tables can: `lookup(keys)` and `size()`."""

    def __init__(self, key_dtype: Any, value_dtype: Any) -> None:
        self._key_dtype = dtypes.as_dtype(key_dtype)
        self._value_dtype = dtypes.as_dtype(value_dtype)

    @property
    def key_dtype(self) -> Any:
        return self._key_dtype

    @property
    def value_dtype(self) -> Any:
        return self._value_dtype

    @property
    def name(self) -> str:
        return NotImplementedError  # type: ignore[return-value]

    def size(self, name: str | None = None) -> Tensor:
        raise NotImplementedError

    def lookup(self, keys: Any, name: str | None = None) -> Any:
        raise NotImplementedError

    def _check_keys(self, keys: Any) -> None:
        if keys.dtype.base_dtype != self._key_dtype:
            raise TypeError(f"Dtype of argument `keys` must be {self._key_dtype}, received: {keys.dtype}")


class InitializableLookupTableBase(LookupInterface):
    """A table that an initializer fills once; lookups before that raise FailedPreconditionError."""

    def __init__(
        self,
        default_value: Any,
        initializer: TableInitializerBase,
        shared_name: str | None = None,
        name: str | None = None,
    ) -> None:
        super().__init__(initializer.key_dtype, initializer.value_dtype)
        self._table_name = name or "hash_table"
        self._initializer = initializer
        self._default_value = convert_to_tensor(default_value, dtype=self._value_dtype)
        if self._default_value.shape.ndims not in (0, None):
            raise ValueError(f"Shape {self._default_value.shape} must have rank 0")
        self._resource_handle = raw.HashTableV2(
            shared_name=shared_name or initializer._shared_name,
            key_dtype=self._key_dtype,
            value_dtype=self._value_dtype,
            name=self._table_name,
        )
        self._table_name = self._resource_handle.op.name.split("/")[-1]
        self._init_op = initializer.initialize(self)

    @property
    def name(self) -> str:
        return self._table_name

    @property
    def default_value(self) -> Tensor:
        return self._default_value

    @property
    def resource_handle(self) -> Tensor:
        return self._resource_handle

    table_ref = resource_handle

    @property
    def initializer(self) -> Operation:
        """The op that fills the table."""
        return self._init_op

    init = initializer

    def size(self, name: str | None = None) -> Tensor:
        with name_scope(name, f"{self.name}_Size", [self.resource_handle]):
            return raw.LookupTableSizeV2(self.resource_handle)  # type: ignore[no-any-return]

    def lookup(self, keys: Any, name: str | None = None) -> Any:
        """The values of a tensor or SparseTensor of keys, `default_value` for absent ones. TypeError for keys of another type."""
        if not isinstance(keys, SparseTensor):
            keys = convert_to_tensor(keys)
        key_tensor = keys.values if isinstance(keys, SparseTensor) else keys
        self._check_keys(keys)
        with name_scope(name, f"{self.name}_Lookup", (self.resource_handle, key_tensor, self._default_value)):
            values = raw.LookupTableFindV2(self.resource_handle, key_tensor, self._default_value)
        values.set_shape(key_tensor.get_shape())
        return SparseTensor(keys.indices, values, keys.dense_shape) if isinstance(keys, SparseTensor) else values


class StaticHashTable(InitializableLookupTableBase):
    """A table that stays as its initializer filled it."""

    def __init__(
        self,
        initializer: TableInitializerBase,
        default_value: Any,
        name: str | None = None,
        experimental_is_anonymous: bool = False,
    ) -> None:
        if experimental_is_anonymous:
            raise ValueError("Anonymous tables live in eager programs; a graph's tables have names.")
        super().__init__(default_value, initializer, name=name)


class HashTable(InitializableLookupTableBase):
    """`tf.contrib.lookup.HashTable`: a StaticHashTable that may be shared by name."""

    def __init__(
        self,
        initializer: TableInitializerBase,
        default_value: Any,
        shared_name: str | None = None,
        name: str = "hash_table",
    ) -> None:
        super().__init__(default_value, initializer, shared_name, name)


# --- vocabularies with buckets for the unknown ---------------------------------------------------------------------------------
class HasherSpec(NamedTuple):
    """How unknown strings are spread over buckets: `hasher` and its key."""

    hasher: str
    key: Any


FastHashSpec = HasherSpec("fasthash", None)


class StrongHashSpec(HasherSpec):
    """A keyed hash that nobody without the two-integer key can aim at a bucket."""

    __slots__ = ()

    def __new__(cls, key: Any) -> StrongHashSpec:
        if len(key) != 2:
            raise ValueError(f"`key` must have size 2, received {len(key)}")
        if not all(isinstance(k, int) and not isinstance(k, bool) for k in key):
            raise TypeError("Invalid key. Must be unsigned integer values.")
        return super().__new__(cls, "stronghash", key)


def _buckets(values: Tensor, spec: Any, count: int) -> Tensor:
    if not isinstance(spec, HasherSpec):
        raise TypeError(f"`hasher_spec` must be of type HasherSpec, got {type(spec)}.")
    if spec.hasher == "fasthash":
        return raw.StringToHashBucketFast(values, num_buckets=count, name="hash_bucket")  # type: ignore[no-any-return]
    if spec.hasher == "legacy":
        return raw.StringToHashBucket(values, num_buckets=count, name="hash_bucket")  # type: ignore[no-any-return]
    if spec.hasher == "stronghash":
        return raw.StringToHashBucketStrong(values, num_buckets=count, key=spec.key, name="hash_bucket")  # type: ignore[no-any-return]
    raise ValueError(f"Found unknown hasher {spec.hasher} in `hasher_spec`.")


class IdTableWithHashBuckets(LookupInterface):
    """A table of ids whose absent keys get ids of `num_oov_buckets` buckets behind those of the table (or buckets alone: no table)."""

    def __init__(
        self,
        table: Any,
        num_oov_buckets: int,
        hasher_spec: Any = FastHashSpec,
        name: str | None = None,
        key_dtype: Any = None,
    ) -> None:
        if table is not None:
            key_dtype = dtypes.as_dtype(key_dtype if key_dtype is not None else table.key_dtype)
            if table.key_dtype not in (dtypes.int64, dtypes.string):
                raise TypeError(f"Invalid `key_dtype`, expected one of [tf.int64, tf.string], received {key_dtype}.")
            if table.key_dtype.is_integer != key_dtype.is_integer:
                raise TypeError(
                    f"Invalid `key dtype`, expected {'integer' if key_dtype.is_integer else 'non-integer'} but got {table.key_dtype}."
                )
            if table.value_dtype != dtypes.int64:
                raise TypeError(f"Invalid `value_dtype`: expected int64 but got {table.value_dtype}.")
            name = name or table.name
        else:
            if num_oov_buckets <= 0:
                raise ValueError(f"`oov_buckets` must be > 0 if no `table` is supplied, received {num_oov_buckets}.")
            key_dtype = dtypes.as_dtype(key_dtype if key_dtype is not None else dtypes.string)
            name = name or "string_to_hash_buckets"
        self._table = table
        self._name = name.rstrip("/").split("/")[-1]
        self._num_oov_buckets = num_oov_buckets
        self._hasher_spec = hasher_spec
        super().__init__(key_dtype, dtypes.int64)

    @property
    def name(self) -> str:
        return self._name

    @property
    def initializer(self) -> Operation:
        if self._table is not None:
            return self._table.initializer  # type: ignore[no-any-return]
        with name_scope(None, "initialize"):
            return control_flow_ops.no_op()  # type: ignore[no-any-return]

    init = initializer

    @property
    def resource_handle(self) -> Tensor | None:
        return None if self._table is None else self._table.resource_handle

    def size(self, name: str | None = None) -> Tensor:
        with name_scope(name, f"{self.name}_Size"):
            if self._table is None:
                return convert_to_tensor(self._num_oov_buckets, dtype=dtypes.int64)
            return self._table.size() + self._num_oov_buckets  # type: ignore[no-any-return]

    def lookup(self, keys: Any, name: str | None = None) -> Any:
        """int64 ids of a tensor or SparseTensor of keys."""
        if not isinstance(keys, SparseTensor):
            keys = convert_to_tensor(keys)
        self._check_keys(keys)
        values = keys.values if isinstance(keys, SparseTensor) else keys
        if self._table is not None and self._table.key_dtype.base_dtype == dtypes.int64:
            values = math_ops.cast(values, dtypes.int64)
        if self._num_oov_buckets == 0:
            ids = self._table.lookup(values, name=name)
        else:
            with name_scope(name, f"{self.name}_Lookup"):
                text = string_ops.as_string(values) if values.dtype.is_integer else values
                buckets = _buckets(text, self._hasher_spec, self._num_oov_buckets)
                if self._table is None:
                    ids = buckets
                else:
                    found = self._table.lookup(values)
                    buckets = raw.AddV2(buckets, self._table.size(), name="Add")
                    ids = raw.SelectV2(raw.NotEqual(found, self._table.default_value), found, buckets)
        return SparseTensor(keys.indices, ids, keys.dense_shape) if isinstance(keys, SparseTensor) else ids


class StaticVocabularyTable(IdTableWithHashBuckets):
    """String or integer keys to ids: those of the initializer, and `num_oov_buckets` buckets for all others."""

    def __init__(
        self, initializer: TableInitializerBase | None, num_oov_buckets: int, lookup_key_dtype: Any = None, name: str | None = None,
        experimental_is_anonymous: bool = False,
    ) -> None:  # fmt: skip
        if num_oov_buckets <= 0:
            raise ValueError(f"`num_oov_buckets` must be > 0; use StaticHashTable. Received: {num_oov_buckets}.")
        if initializer is not None:
            if lookup_key_dtype is None:
                lookup_key_dtype = initializer.key_dtype
            if initializer.key_dtype not in (dtypes.int64, dtypes.string):
                raise TypeError(
                    f"Invalid `key_dtype`, expected one of [tf.int64, tf.string], received {initializer.key_dtype}."
                )
            if initializer.value_dtype != dtypes.int64:
                raise TypeError(f"Invalid `value_dtype`, expected {dtypes.int64} but got {initializer.value_dtype}.")
            table: Any = StaticHashTable(
                initializer, default_value=-1, name=name, experimental_is_anonymous=experimental_is_anonymous
            )
        else:
            table = None
        super().__init__(table, num_oov_buckets, FastHashSpec, name, lookup_key_dtype)


def index_table_from_file(
    vocabulary_file: Any = None, num_oov_buckets: int = 0, vocab_size: int | None = None, default_value: Any = -1, hasher_spec: Any = FastHashSpec,
    key_dtype: Any = dtypes.string, name: str | None = None, key_column_index: int = TextFileIndex.WHOLE_LINE,
    value_column_index: int = TextFileIndex.LINE_NUMBER, delimiter: str = "\t",
) -> Any:  # fmt: skip
    """A table from the lines of a file to their numbers, int64."""
    if vocabulary_file is None or (isinstance(vocabulary_file, (str, bytes)) and not vocabulary_file):
        raise ValueError("`vocabulary_file` must be specified and must not be empty.")
    if num_oov_buckets < 0:
        raise ValueError(f"num_oov_buckets must be greater or equal than 0, got {num_oov_buckets}.")
    if vocab_size is not None and vocab_size < 1:
        shown = vocabulary_file.decode() if isinstance(vocabulary_file, bytes) else vocabulary_file
        raise ValueError(f"`vocab_size` must be greater than 0, got {vocab_size} for vocabulary_file: {shown}.")
    key_dtype = dtypes.as_dtype(key_dtype)
    if not key_dtype.is_integer and key_dtype.base_dtype != dtypes.string:
        raise TypeError("Dtype for `keys` should be either integer or string.")
    with name_scope(name, "string_to_index"):
        with name_scope(None, "hash_table"):
            init = TextFileIdTableInitializer(
                vocabulary_file, vocab_size=vocab_size, key_dtype=dtypes.int64 if key_dtype.is_integer else key_dtype, name="table_init",
                key_column_index=key_column_index, value_column_index=value_column_index, delimiter=delimiter,
            )  # fmt: skip
            table: Any = StaticHashTable(init, default_value)
        if num_oov_buckets:
            table = IdTableWithHashBuckets(table, num_oov_buckets, hasher_spec, key_dtype=key_dtype)
        return table


def index_table_from_tensor(
    vocabulary_list: Any = None, num_oov_buckets: int = 0, default_value: Any = -1, hasher_spec: Any = FastHashSpec, dtype: Any = dtypes.string,
    name: str | None = None, mapping: Any = None,
) -> Any:  # fmt: skip
    """A table from the elements of a vector to their positions, int64."""
    vocabulary = mapping if mapping is not None else vocabulary_list
    if vocabulary is None:
        raise ValueError("`vocabulary_list` must be specified.")
    if num_oov_buckets < 0:
        raise ValueError(f"`num_oov_buckets` must be greater or equal than 0, got {num_oov_buckets}.")
    dtype = dtypes.as_dtype(dtype)
    if not dtype.is_integer and dtype != dtypes.string:
        raise TypeError("`dtype` must either be integer or string.")
    with name_scope(name, "string_to_index"):
        keys = convert_to_tensor(vocabulary)
        if keys.dtype.is_integer != dtype.is_integer:
            raise ValueError(
                f"Invalid `dtype`: Expected {'integer' if dtype.is_integer else dtype!r}, got {keys.dtype!r}."
            )
        if not dtype.is_integer and keys.dtype.base_dtype != dtype:
            raise ValueError(f"Invalid `dtype`: Expected {dtype!r}, got {keys.dtype!r}.")
        count = array_ops.size(keys)
        values = math_ops.cast(math_ops.range(count), dtypes.int64)
        with name_scope(None, "hash_table"):
            table_keys = math_ops.cast(keys, dtypes.int64) if keys.dtype.is_integer else keys
            init = KeyValueTensorInitializer(
                table_keys, values, table_keys.dtype.base_dtype, dtypes.int64, name="table_init"
            )
            table: Any = StaticHashTable(init, default_value)
        if num_oov_buckets:
            table = IdTableWithHashBuckets(table, num_oov_buckets, hasher_spec, key_dtype=dtype)
        return table


def index_to_string_table_from_file(
    vocabulary_file: Any, vocab_size: int | None = None, default_value: Any = "UNK", name: str | None = None,
    key_column_index: int = TextFileIndex.LINE_NUMBER, value_column_index: int = TextFileIndex.WHOLE_LINE, delimiter: str = "\t",
) -> StaticHashTable:  # fmt: skip
    """A table from int64 line numbers to the lines of a file."""
    if vocabulary_file is None or (isinstance(vocabulary_file, (str, bytes)) and not vocabulary_file):
        raise ValueError("`vocabulary_file` must be specified and must not be empty.")
    if vocab_size is not None and vocab_size < 1:
        raise ValueError(f"`vocab_size` must be greater than 0, got {vocab_size}.")
    with name_scope(name, "index_to_string"):
        init = TextFileStringTableInitializer(
            vocabulary_file, vocab_size=vocab_size, name="table_init", key_column_index=key_column_index, value_column_index=value_column_index,
            delimiter=delimiter,
        )  # fmt: skip
        return StaticHashTable(init, default_value)


def index_to_string_table_from_tensor(
    vocabulary_list: Any = None, default_value: Any = "UNK", name: str | None = None, mapping: Any = None
) -> StaticHashTable:
    """A table from int64 positions to the elements of a vector of strings."""
    vocabulary = mapping if mapping is not None else vocabulary_list
    if vocabulary is None:
        raise ValueError("`vocabulary_list` argument must be specified.")
    with name_scope(name, "index_to_string"):
        values = convert_to_tensor(vocabulary, dtypes.string)
        keys = math_ops.cast(math_ops.range(array_ops.size(values)), dtypes.int64)
        init = KeyValueTensorInitializer(keys, values, dtypes.int64, dtypes.string, name="table_init")
        return StaticHashTable(init, default_value)


def string_to_index(tensor: Any, mapping: Any, default_value: Any = -1, name: str | None = None) -> Any:
    """int64 positions of the strings of `tensor` in the vector `mapping`."""
    return index_table_from_tensor(mapping, default_value=default_value, name=name).lookup(tensor)


def index_to_string(tensor: Any, mapping: Any, default_value: Any = "UNK", name: str | None = None) -> Any:
    """The strings of the vector `mapping` at the int64 positions of `tensor`."""
    return index_to_string_table_from_tensor(mapping, default_value, name).lookup(tensor)


# --- mutable tables ----------------------------------------------------------------------------------------------------------------
class _TableSaveable(SaveableObject):
    """A mutable table in a checkpoint: its keys and its values."""

    def __init__(self, table: Any, name: str, table_name: str | None = None) -> None:
        keys, values = table.export()
        self._table_name = table_name or name
        super().__init__(table, [SaveSpec(keys, "", f"{name}-keys"), SaveSpec(values, "", f"{name}-values")], name)

    @property
    def device(self) -> str:
        return self.op.resource_handle.device  # type: ignore[no-any-return]

    def restore(self, restored_tensors: Any, restored_shapes: Any) -> Operation:
        with name_scope(f"{self._table_name}_table_restore"):
            return raw.LookupTableImportV2(self.op.resource_handle, restored_tensors[0], restored_tensors[1])  # type: ignore[no-any-return]


class _Mutable(LookupInterface):
    """What mutable tables share. They are saved and restored with the graph's variables unless `checkpoint` is False."""

    _resource_handle: Tensor
    _default_value: Tensor
    _value_shape: TensorShape

    def _made(self, name: str, checkpoint: bool) -> None:
        self._name = self._resource_handle.op.name.split("/")[-1]
        if checkpoint:
            add_to_collection(GraphKeys.SAVEABLE_OBJECTS, _TableSaveable(self, name))

    @property
    def name(self) -> str:
        return self._name

    @property
    def resource_handle(self) -> Tensor:
        return self._resource_handle

    table_ref = resource_handle

    def size(self, name: str | None = None) -> Tensor:
        with name_scope(name, f"{self.name}_Size", [self._resource_handle]):
            return raw.LookupTableSizeV2(self._resource_handle)  # type: ignore[no-any-return]

    def _find(self, keys: Any, default: Any, name: str | None) -> Any:
        with name_scope(name, f"{self.name}_lookup_table_find", (self._resource_handle, keys, default)):
            tensor = convert_to_tensor(
                keys.values if isinstance(keys, SparseTensor) else keys, dtype=self._key_dtype, name="keys"
            )
            values = raw.LookupTableFindV2(self._resource_handle, tensor, default)
        return SparseTensor(keys.indices, values, keys.dense_shape) if isinstance(keys, SparseTensor) else values

    def insert(self, keys: Any, values: Any, name: str | None = None) -> Operation:
        """Adds pairs, or changes the values of known keys."""
        with name_scope(name, f"{self.name}_lookup_table_insert", [self._resource_handle, keys, values]):
            keys = convert_to_tensor(keys, dtype=self._key_dtype, name="keys")
            values = convert_to_tensor(values, dtype=self._value_dtype, name="values")
            return raw.LookupTableInsertV2(self._resource_handle, keys, values)  # type: ignore[no-any-return]

    def remove(self, keys: Any, name: str | None = None) -> Operation:
        """Removes keys; those that are not there are ignored."""
        keys = convert_to_tensor(keys)
        self._check_keys(keys)
        with name_scope(name, f"{self.name}_lookup_table_remove", (self._resource_handle, keys)):
            return raw.LookupTableRemoveV2(self._resource_handle, keys)  # type: ignore[no-any-return]

    def export(self, name: str | None = None) -> tuple[Tensor, Tensor]:
        """All keys and all values."""
        with name_scope(name, f"{self.name}_lookup_table_export_values", [self._resource_handle]):
            keys, values = raw.LookupTableExportV2(
                self._resource_handle, Tkeys=self._key_dtype, Tvalues=self._value_dtype
            )
        return keys, values


class MutableHashTable(_Mutable):
    """A table one can add to and remove from while running. Values may have any one shape, that of `default_value`."""

    def __init__(
        self, key_dtype: Any, value_dtype: Any, default_value: Any, name: str = "MutableHashTable", checkpoint: bool = True,
        experimental_is_anonymous: bool = False, shared_name: str | None = None,
    ) -> None:  # fmt: skip
        if experimental_is_anonymous:
            raise ValueError("Anonymous tables live in eager programs; a graph's tables have names.")
        super().__init__(key_dtype, value_dtype)
        self._default_value = convert_to_tensor(default_value, dtype=self._value_dtype)
        self._value_shape = self._default_value.get_shape()
        # without a name of its own the node's name tells the table, so that a checkpoint finds it again
        common = {
            "shared_name": shared_name,
            "use_node_name_sharing": shared_name is None,
            "key_dtype": key_dtype,
            "value_dtype": value_dtype,
            "name": name,
        }
        if self._value_shape.ndims == 0:
            self._resource_handle = raw.MutableHashTableV2(**common)
        else:
            self._resource_handle = raw.MutableHashTableOfTensorsV2(value_shape=self._value_shape, **common)
        self._made(name, checkpoint)

    def lookup(self, keys: Any, dynamic_default_values: Any = None, name: str | None = None) -> Any:  # type: ignore[override]
        """The values of the keys; absent ones get the table's default, or theirs of `dynamic_default_values` (one a key)."""
        default = self._default_value if dynamic_default_values is None else dynamic_default_values
        return self._find(keys, default, name)


class ContribMutableHashTable(MutableHashTable):
    """`tf.contrib.lookup.MutableHashTable`."""

    def __init__(
        self, key_dtype: Any, value_dtype: Any, default_value: Any, shared_name: str | None = None, name: str = "MutableHashTable",
        checkpoint: bool = True,
    ) -> None:  # fmt: skip
        super().__init__(key_dtype, value_dtype, default_value, name, checkpoint, shared_name=shared_name)


class DenseHashTable(_Mutable):
    """A mutable table with two keys that nobody may use: one that marks empty buckets, one that marks deleted ones."""

    def __init__(
        self, key_dtype: Any, value_dtype: Any, default_value: Any, empty_key: Any, deleted_key: Any, initial_num_buckets: int | None = None,
        name: str = "MutableDenseHashTable", checkpoint: bool = True, experimental_is_anonymous: bool = False, shared_name: str | None = None,
    ) -> None:  # fmt: skip
        if experimental_is_anonymous:
            raise ValueError("Anonymous tables live in eager programs; a graph's tables have names.")
        super().__init__(key_dtype, value_dtype)
        self._default_value = convert_to_tensor(default_value, dtype=self._value_dtype, name="default_value")
        self._value_shape = self._default_value.get_shape()
        self._resource_handle = raw.MutableDenseHashTableV2(
            convert_to_tensor(empty_key, dtype=self._key_dtype, name="empty_key"), convert_to_tensor(deleted_key, dtype=self._key_dtype, name="deleted_key"),
            shared_name=shared_name, use_node_name_sharing=shared_name is None, value_dtype=self._value_dtype, value_shape=self._value_shape,
            initial_num_buckets=initial_num_buckets, name=name,
        )  # fmt: skip
        self._made(name, checkpoint)

    def lookup(self, keys: Any, name: str | None = None) -> Any:
        """The values of the keys; absent ones get the table's default."""
        return self._find(keys, self._default_value, name)

    insert_or_assign = _Mutable.insert
    erase = _Mutable.remove


class MutableDenseHashTable(DenseHashTable):
    """`tf.contrib.lookup.MutableDenseHashTable`."""

    def __init__(
        self, key_dtype: Any, value_dtype: Any, default_value: Any, empty_key: Any, deleted_key: Any, initial_num_buckets: int | None = None,
        shared_name: str | None = None, name: str = "MutableDenseHashTable", checkpoint: bool = True,
    ) -> None:  # fmt: skip
        super().__init__(
            key_dtype, value_dtype, default_value, empty_key, deleted_key, initial_num_buckets, name, checkpoint, shared_name=shared_name
        )  # fmt: skip


_CONTRIB = (
    "FastHashSpec", "HashTable", "HasherSpec", "IdTableWithHashBuckets", "InitializableLookupTableBase", "KeyValueTensorInitializer", "LookupInterface",
    "MutableDenseHashTable", "StrongHashSpec", "TableInitializerBase", "TextFileIdTableInitializer", "TextFileIndex", "TextFileInitializer",
    "TextFileStringTableInitializer", "index_table_from_file", "index_table_from_tensor", "index_to_string", "index_to_string_table_from_file",
    "index_to_string_table_from_tensor", "string_to_index",
)  # fmt: skip
_CORE = (
    "KeyValueTensorInitializer", "StaticHashTable", "StaticVocabularyTable", "TextFileIndex", "TextFileInitializer", "TextFileIdTableInitializer",
    "TextFileStringTableInitializer", "index_table_from_file", "index_table_from_tensor", "index_to_string_table_from_file",
    "index_to_string_table_from_tensor",
)  # fmt: skip
__tf_exports__ = {
    "tables_initializer": "tables_initializer",
    "initializers.tables_initializer": "tables_initializer",
    "initialize_all_tables": "initialize_all_tables",
    "contrib.lookup.MutableHashTable": "ContribMutableHashTable",
    "lookup.experimental.DenseHashTable": "DenseHashTable",
    "lookup.experimental.MutableHashTable": "MutableHashTable",
    **{f"contrib.lookup.{n}": n for n in _CONTRIB},
    **{f"lookup.{n}": n for n in _CORE},
}
