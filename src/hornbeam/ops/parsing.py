"""Parsing of Example and SequenceExample protos into dense, sparse and ragged tensors, one record or a batch at a time."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from hornbeam.core import dtypes, errors
from hornbeam.core.dtypes import DType
from hornbeam.core.graph import InferenceContext
from hornbeam.core.registry import no_gradient, op
from hornbeam.core.tensor_shape import Shape
from hornbeam.ops.strings import vector

_KIND = {dtypes.string: "bytes_list", dtypes.float32: "float_list", dtypes.int64: "int64_list"}
_CPP = {dtypes.string: "string", dtypes.float32: "float", dtypes.int64: "int64"}
_OF_KIND = {"bytes_list": "string", "float_list": "float", "int64_list": "int64"}
_MANY = 16  # values from which it pays to take them from the wire at once


def bad(message: str) -> errors.InvalidArgumentError:
    return errors.InvalidArgumentError(None, None, message)


class WrongType(Exception):  # noqa: N818  a finding, which the caller puts into words
    def __init__(self, actual: str) -> None:
        super().__init__(actual)
        self.actual = actual


def values_of(feature: Any, dtype: DType) -> Any:
    """The values of a Feature: an array, or for few values or strings a sequence. None when it has none; WrongType."""
    kind = _KIND[dtype]
    if not feature.HasField(kind):
        actual = feature.WhichOneof("kind")
        if actual is None:
            return None
        raise WrongType(_OF_KIND[actual])
    held = getattr(feature, kind)
    values = held.value
    n = len(values)
    if n < _MANY or dtype is dtypes.string:
        return values
    if dtype is dtypes.float32:  # packed: the last 4 n bytes of the message are the values
        return np.frombuffer(held.SerializeToString()[-4 * n :], "<f4")
    wire = held.SerializeToString()
    if len(wire) - n <= 6 and len(wire) - n == 1 + -(-n.bit_length() // 7):  # each value in one byte
        return np.frombuffer(wire, np.uint8, n, len(wire) - n).astype(np.int64)
    return np.array(values, np.int64)


def flat_array(rows: list[Any], dtype: DType) -> Any:
    """The values of all rows in one vector."""
    if dtype is dtypes.string:
        return vector([v for row in rows for v in row])
    if any(isinstance(row, np.ndarray) for row in rows):
        return np.concatenate([np.asarray(row, dtype.np) for row in rows]).astype(dtype.np, copy=False)
    return np.array([v for row in rows for v in row], dtype.np)


def texts(keys: Any) -> list[str]:
    """Keys as protobuf's maps have them."""
    flat = keys if isinstance(keys, (list, tuple)) else np.asarray(keys, object).reshape(-1).tolist()
    return list(_texts(tuple([k if isinstance(k, bytes) else k.item() for k in flat])))


@lru_cache(maxsize=1024)
def _texts(keys: tuple[bytes, ...]) -> tuple[str, ...]:
    return tuple([k.decode(errors="surrogateescape") for k in keys])


class _Words:
    """How errors name an example: batches name it and say where in the batch it is, single examples do neither."""

    def __init__(self, names: Any, single: bool) -> None:
        self.names = np.asarray(names, object).reshape(-1) if names is not None else ()
        self.single = single

    def name(self, i: int) -> str:
        return self.names[i].decode(errors="replace") if i < len(self.names) else "<unknown>"

    def key(self, i: int, key: str) -> str:
        return f"Key: {key}.  " if self.single else f"Name: {self.name(i)}, Key: {key}, Index: {i}.  "

    def missing(self, i: int, key: str, dtype: DType) -> errors.OpError:
        start = "" if self.single else f"Name: {self.name(i)}, "
        return bad(f"{start}Feature: {key} (data type: {_CPP[dtype]}) is required but could not be found.")

    def dense_type(self, i: int, key: str, dtype: DType, actual: str) -> errors.OpError:
        return bad(f"{self.key(i, key)}Data types don't match. Data type: {actual} but expected type: {_CPP[dtype]}")

    def sparse_type(self, i: int, key: str, dtype: DType, actual: str) -> errors.OpError:
        return bad(f"{self.key(i, key)}Data types don't match. Expected type: {_CPP[dtype]}, Actual type: {actual}")

    def size(self, i: int, key: str, dtype: DType, got: int, shape: Sequence[int | None]) -> errors.OpError:
        lead = "Can't parse serialized Example.  " if self.single else ""
        return bad(
            f"{self.key(i, key)}{lead}Number of {_CPP[dtype]} values != expected.  Values size: {got} but output shape: {_brackets(shape)}"
        )

    def stride(self, i: int, key: str, dtype: DType, got: int, shape: Sequence[int | None]) -> errors.OpError:
        return bad(
            f"{self.key(i, key)}Number of {_CPP[dtype]} values is not a multiple of stride length. Saw {got} values but output shape is: "
            f"{_brackets(shape)}"
        )


def _brackets(shape: Sequence[int | None]) -> str:
    return "[" + ",".join("?" if d is None else str(d) for d in shape) + "]"


@lru_cache(maxsize=1)
def _parser() -> tuple[Any, Any]:
    from google.protobuf.message import DecodeError

    from hornbeam.proto import Example

    return Example.FromString, DecodeError


def features_of(serialized: Sequence[bytes]) -> list[Any]:
    """The feature map of each Example. InvalidArgumentError for bytes that are none."""
    parse, failure = _parser()
    out = []
    for data in serialized:
        try:
            out.append(parse(data).features.feature)
        except failure:
            raise bad(
                f"Could not parse example input, value: '{data[:200].decode(errors='backslashreplace')}'"
            ) from None
    return out


# --- one kind of feature over a batch -----------------------------------------------------------------------------------------
def dense_feature(maps: list[Any], key: str, dtype: DType, shape: Shape, default: Any, words: _Words) -> Any:
    """[batch, *shape]; a first dimension of unknown size is padded to the longest with the scalar default."""
    assert shape is not None
    if shape and shape[0] is None:
        return _variable_dense(maps, key, dtype, shape, default, words)
    size = math.prod(shape)  # type: ignore[arg-type]
    out = np.empty((len(maps), size), object if dtype is dtypes.string else dtype.np)
    fallback = None
    for i, features in enumerate(maps):
        feature = features.get(key)
        try:
            values = None if feature is None else values_of(feature, dtype)
        except WrongType as e:
            raise words.dense_type(i, key, dtype, e.actual) from None
        if values is None:
            if default.size == 0 and size:
                raise words.missing(i, key, dtype)
            if fallback is None:
                fallback = default.reshape(-1)
            out[i] = fallback
        elif len(values) != size:
            raise words.size(i, key, dtype, len(values), shape)
        elif size == 1:
            out[i, 0] = values[0]
        else:
            out[i] = values
    return out.reshape((len(maps), *shape))


def _variable_dense(maps: list[Any], key: str, dtype: DType, shape: Shape, default: Any, words: _Words) -> Any:
    stride = math.prod(shape[1:])  # type: ignore[arg-type,index]
    rows: list[Any] = []
    for i, features in enumerate(maps):
        feature = features.get(key)
        try:
            values = None if feature is None else values_of(feature, dtype)
        except WrongType as e:
            raise words.dense_type(i, key, dtype, e.actual) from None
        values = () if values is None else values
        if stride == 0 or len(values) % stride:
            raise words.stride(i, key, dtype, len(values), shape)  # type: ignore[arg-type]
        rows.append(values)
    longest = max((len(r) for r in rows), default=0)
    fill = default.reshape(-1)[0] if default.size else (b"" if dtype is dtypes.string else 0)
    out = np.full((len(maps), longest), fill, object if dtype is dtypes.string else dtype.np)
    for i, values in enumerate(rows):
        if len(values):
            out[i, : len(values)] = values
    target: Any = (len(maps), longest // stride, *shape[1:])  # type: ignore[index]
    return out.reshape(target)


def listed(maps: list[Any], key: str, dtype: DType, words: _Words) -> list[Any]:
    """The values of a feature of any length, a sequence an example."""
    rows: list[Any] = []
    for i, features in enumerate(maps):
        feature = features.get(key)
        try:
            values = None if feature is None else values_of(feature, dtype)
        except WrongType as e:
            raise words.sparse_type(i, key, dtype, e.actual) from None
        rows.append(() if values is None else values)
    return rows


def sparse_of(rows: list[Any], dtype: DType) -> tuple[Any, Any, Any]:
    """indices [n, 2], values [n] and shape [2] of rows of values."""
    lengths = np.array([len(r) for r in rows], np.int64)
    return _pairs(lengths), flat_array(rows, dtype), np.array([len(rows), lengths.max(initial=0)], np.int64)


def _pairs(lengths: Any) -> Any:
    """(row, position in the row) of values that stand row after row."""
    total = int(lengths.sum())
    out = np.empty((total, 2), np.int64)
    out[:, 0] = np.repeat(np.arange(len(lengths)), lengths)
    out[:, 1] = np.arange(total) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    return out


def splits_of(lengths: Sequence[int], dtype: DType) -> Any:
    return np.concatenate([[0], np.cumsum(lengths)]).astype(dtype.np)


# --- Example -------------------------------------------------------------------------------------------------------------------
def parse_examples(
    serialized: Any, names: Any, sparse: Sequence[tuple[str, DType]], dense: Sequence[tuple[str, DType, Shape, Any]],
    ragged: Sequence[tuple[str, DType, DType]] = (),
) -> tuple[list[Any], list[Any], list[Any], list[Any], list[Any], list[Any]]:  # fmt: skip
    """Sparse indices, values and shapes, dense values, ragged values and row splits; a scalar `serialized` gives them without a batch."""
    single = serialized.ndim == 0
    words = _Words(names, single)
    if not single and len(words.names) and len(words.names) != len(serialized):
        raise bad(f"Expected len(names) == len(serialized), but got: {len(words.names)} vs. {len(serialized)}")
    maps = features_of(serialized.reshape(-1).tolist())
    indices, values, extents = [], [], []
    dense_values = []
    for key, dtype, shape, default in dense:
        v = dense_feature(maps, key, dtype, shape, default, words)
        dense_values.append(v[0] if single else v)
    for key, dtype in sparse:
        i, v, s = sparse_of(listed(maps, key, dtype, words), dtype)
        indices.append(i[:, 1:] if single else i)
        values.append(v)
        extents.append(s[1:] if single else s)
    ragged_values, splits = [], []
    for key, dtype, split_dtype in ragged:
        rows = listed(maps, key, dtype, words)
        ragged_values.append(flat_array(rows, dtype))
        splits.append(np.zeros(0, split_dtype.np) if single else splits_of([len(r) for r in rows], split_dtype))
    return indices, values, extents, dense_values, ragged_values, splits


def flat(groups: Sequence[Sequence[Any]]) -> list[Any]:
    return [v for group in groups for v in group]


def _example_shapes(
    c: InferenceContext, n_sparse: int, dense: Sequence[Shape], n_ragged: int = 0, single: bool = False
) -> list[Shape]:
    s = (None,) if c.shape(0) is None else c.shape(0)
    batch: tuple[int | None, ...] = () if single else tuple(s)  # type: ignore[arg-type]
    rank = len(batch) + 1
    out: list[Shape] = [(None, rank)] * n_sparse + [(None,)] * n_sparse + [(rank,)] * n_sparse
    for d in dense:
        out.append(None if d is None else (*batch, *d))
    out += [(None,)] * n_ragged
    return out + [(None if not batch or batch[0] is None else batch[0] + 1,)] * n_ragged


@op(
    "ParseExample(serialized: string, names: string, sparse_keys: Nsparse * string, dense_keys: Ndense * string, dense_defaults: Tdense) -> "
    "(sparse_indices: Nsparse * int64, sparse_values: sparse_types, sparse_shapes: Nsparse * int64, dense_values: Tdense); Nsparse: int >= 0; "
    "Ndense: int >= 0; sparse_types: list({float, int64, string}) >= 0; Tdense: list({float, int64, string}) >= 0; dense_shapes: list(shape) >= 0",
    shape=lambda c: _example_shapes(c, c.attr("Nsparse"), c.attr("dense_shapes")), host=True,
)  # fmt: skip
def ParseExample(serialized, names, sparse_keys, dense_keys, dense_defaults, sparse_types, Tdense, dense_shapes):
    sparse = list(zip(texts(sparse_keys), sparse_types, strict=True))
    dense = list(zip(texts(dense_keys), Tdense, dense_shapes, dense_defaults, strict=True))
    return flat(parse_examples(serialized, names, sparse, dense)[:4])


@op(
    "ParseExampleV2(serialized: string, names: string, sparse_keys: string, dense_keys: string, ragged_keys: string, dense_defaults: Tdense) -> "
    "(sparse_indices: num_sparse * int64, sparse_values: sparse_types, sparse_shapes: num_sparse * int64, dense_values: Tdense, "
    "ragged_values: ragged_value_types, ragged_row_splits: ragged_split_types); Tdense: list({float, int64, string}) >= 0; num_sparse: int >= 0; "
    "sparse_types: list({float, int64, string}) >= 0; ragged_value_types: list({float, int64, string}) >= 0; "
    "ragged_split_types: list({int32, int64}) >= 0; dense_shapes: list(shape) >= 0",
    shape=lambda c: _example_shapes(c, c.attr("num_sparse"), c.attr("dense_shapes"), len(c.attr("ragged_value_types")), c.shape(0) == ()), host=True,
)  # fmt: skip
def ParseExampleV2(
    serialized, names, sparse_keys, dense_keys, ragged_keys, dense_defaults, Tdense, sparse_types, ragged_value_types, ragged_split_types, dense_shapes
):  # fmt: skip
    sparse = list(zip(texts(sparse_keys), sparse_types, strict=True))
    dense = list(zip(texts(dense_keys), Tdense, dense_shapes, dense_defaults, strict=True))
    ragged = list(zip(texts(ragged_keys), ragged_value_types, ragged_split_types, strict=True))
    return flat(parse_examples(serialized, names, sparse, dense, ragged))


@op(
    "ParseSingleExample(serialized: string, dense_defaults: Tdense) -> (sparse_indices: num_sparse * int64, sparse_values: sparse_types, "
    "sparse_shapes: num_sparse * int64, dense_values: Tdense); num_sparse: int >= 0; sparse_keys: list(string) >= 0; dense_keys: list(string) >= 0; "
    "sparse_types: list({float, int64, string}) >= 0; Tdense: list({float, int64, string}) >= 0; dense_shapes: list(shape) >= 0",
    shape=lambda c: _example_shapes(c, c.attr("num_sparse"), c.attr("dense_shapes"), single=True), host=True,
)  # fmt: skip
def ParseSingleExample(serialized, dense_defaults, sparse_keys, dense_keys, sparse_types, Tdense, dense_shapes):
    sparse = list(zip(texts(sparse_keys), sparse_types, strict=True))
    dense = list(zip(texts(dense_keys), Tdense, dense_shapes, dense_defaults, strict=True))
    return flat(parse_examples(serialized.reshape(()), None, sparse, dense)[:4])


no_gradient("ParseExample", "ParseExampleV2", "ParseSingleExample", "DecodeJSONExample")


@op("DecodeJSONExample(json_examples: string) -> (binary_examples: string)", shape=lambda c: [c.shape(0)], host=True)
def DecodeJSONExample(json_examples):
    from google.protobuf import json_format

    from hornbeam.proto import Example

    out = np.empty(json_examples.size, object)
    for i, text in enumerate(json_examples.reshape(-1)):
        try:
            out[i] = json_format.Parse(text, Example()).SerializeToString(deterministic=True)
        except json_format.ParseError as e:
            raise bad(f"Error while parsing JSON: {e}") from None
    return out.reshape(json_examples.shape)
