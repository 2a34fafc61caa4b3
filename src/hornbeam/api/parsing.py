"""`tf.parse_example` and its relatives: serialized Example and SequenceExample protos as dictionaries of tensors."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

import numpy as np

from hornbeam.api import array_ops
from hornbeam.core import dtypes
from hornbeam.core.constant import as_array, const_node
from hornbeam.core.graph import Tensor, convert_to_tensor, name_scope
from hornbeam.core.registry import raw
from hornbeam.core.sparse_tensor import SparseTensor
from hornbeam.core.tensor_shape import TensorShape


# --- what to parse -------------------------------------------------------------------------------------------------------
class VarLenFeature(NamedTuple):
    """A feature with any number of values; parsed into a SparseTensor."""

    dtype: Any


class _SparseFeature(NamedTuple):
    index_key: Any
    value_key: Any
    dtype: Any
    size: Any
    already_sorted: bool


class SparseFeature(_SparseFeature):
    """A SparseTensor whose indices and values are features of their own: `index_key` (or a list of them), `value_key`, extent `size`."""

    __slots__ = ()

    def __new__(
        cls, index_key: Any, value_key: Any, dtype: Any, size: Any, already_sorted: bool = False
    ) -> SparseFeature:
        return super().__new__(cls, index_key, value_key, dtype, size, already_sorted)


class FixedLenFeature(NamedTuple):
    """A feature of exactly `shape`; required unless there is a `default_value`."""

    shape: Any
    dtype: Any
    default_value: Any = None


class FixedLenSequenceFeature(NamedTuple):
    """A list of items of `shape`: [length, *shape], padded to the longest of a batch with `default_value` (0 or '')."""

    shape: Any
    dtype: Any
    allow_missing: bool = False
    default_value: Any = None


class _Dense(NamedTuple):
    key: str
    dtype: Any
    shape: TensorShape
    default: Any


class _Params:
    """Features sorted into sparse ones, {key: dtype}, and dense ones."""

    def __init__(self) -> None:
        self.sparse: dict[str, Any] = {}
        self.dense: list[_Dense] = []
        self.may_be_missing: set[str] = set()

    @classmethod
    def of(cls, features: dict[str, Any] | None, allowed: tuple[type, ...], prefix: bool = False) -> _Params:
        """`prefix`: sequence features get the leading dimension that a batch pads."""
        p = cls()
        for key in sorted(features or {}):
            feature = features[key]  # type: ignore[index]
            if not isinstance(feature, (VarLenFeature, SparseFeature, FixedLenFeature, FixedLenSequenceFeature)):
                raise ValueError(f"Unsupported {type(feature).__name__} {feature} for key '{key}'")
            if type(feature) not in allowed:
                raise ValueError(f"Unsupported {type(feature).__name__} {feature} for key '{key}'.")
            if not feature.dtype:
                raise ValueError(f"Missing type for feature {key}. Received feature={feature}.")
            if isinstance(feature, VarLenFeature):
                p._add_sparse(key, feature.dtype)
            elif isinstance(feature, SparseFeature):
                p._add_indexed(key, feature)
            else:
                p._add_dense(key, feature, prefix)
        return p

    def _add_sparse(self, key: str, dtype: Any) -> None:
        dtype = dtypes.as_dtype(dtype)
        if self.sparse.setdefault(key, dtype) != dtype:
            raise ValueError(f"Conflicting type {self.sparse[key]} vs {dtype} for feature {key}.")

    def _add_indexed(self, key: str, feature: SparseFeature) -> None:
        if not feature.index_key:
            raise ValueError(f"Missing index_key for SparseFeature {key}. Received feature={feature}.")
        if not feature.value_key:
            raise ValueError(f"Missing value_key for SparseFeature {key}. Received feature={feature}.")
        for k in sorted([feature.index_key] if isinstance(feature.index_key, str) else feature.index_key):
            self._add_sparse(k, dtypes.int64)
        self._add_sparse(feature.value_key, feature.dtype)

    def _add_dense(self, key: str, feature: Any, prefix: bool) -> None:
        if feature.shape is None:
            raise ValueError(f"Missing shape for feature {key}. Received feature={feature}.")
        shape = TensorShape(feature.shape)
        if isinstance(feature, FixedLenFeature):
            if shape.ndims and shape.as_list()[0] is None:
                raise ValueError(
                    f"First dimension of shape for feature {key} unknown. Consider using FixedLenSequenceFeature. Received feature={feature}."
                )
            if not shape.is_fully_defined():
                raise ValueError(f"All dimensions of shape for feature {key} need to be known but received {shape}.")
        elif prefix:
            if not feature.allow_missing:
                raise ValueError("Unsupported: FixedLenSequenceFeature requires allow_missing to be True.")
            shape = TensorShape([None]).concatenate(shape)
        if getattr(feature, "allow_missing", False):
            self.may_be_missing.add(key)
        self.dense.append(_Dense(key, dtypes.as_dtype(feature.dtype), shape, feature.default_value))

    def defaults(self) -> list[Tensor]:
        """A tensor a dense feature: its default, the padding of a sequence, or an empty one where it is required."""
        out = []
        for d in self.dense:
            value = d.default
            safe = re.sub(r"[^A-Za-z0-9_.\-/]", "_", d.key)
            if d.shape.ndims and d.shape.as_list()[0] is None:
                if value is None:
                    value = const_node(as_array("" if d.dtype is dtypes.string else 0, d.dtype), d.dtype, name="Const")
                else:
                    value = array_ops.reshape(convert_to_tensor(value, dtype=d.dtype, name=f"padding_{safe}"), [])
            elif value is None:
                value = const_node(
                    np.zeros(0, object if d.dtype is dtypes.string else d.dtype.np), d.dtype, name="Const"
                )
            elif not isinstance(value, Tensor):
                value = array_ops.reshape(convert_to_tensor(value, dtype=d.dtype, name=f"key_{safe}"), d.shape)
            out.append(value)
        return out

    @property
    def dense_keys(self) -> list[str]:
        return [d.key for d in self.dense]


_EXAMPLE = (VarLenFeature, SparseFeature, FixedLenFeature, FixedLenSequenceFeature)
_CONTEXT = (VarLenFeature, FixedLenFeature)
_SEQUENCE = (VarLenFeature, FixedLenSequenceFeature)


# --- Example ----------------------------------------------------------------------------------------------------------------
def parse_example(
    serialized: Any, features: dict[str, Any], name: str | None = None, example_names: Any = None
) -> dict[str, Any]:
    """{key: Tensor [batch, …] or SparseTensor [batch, longest]} of a vector of serialized Examples (or, of a scalar, without a batch).

    InvalidArgumentError names example and feature where a required one is missing or has another type or size.
    """
    if not features:
        raise ValueError("Argument `features` cannot be None.")
    params = _Params.of(features, _EXAMPLE, prefix=True)
    return _with_sparse(features, _parse_example(serialized, example_names, params, name))


def _parse_example(serialized: Any, names: Any, params: _Params, name: str | None) -> dict[str, Any]:
    with name_scope(name, "ParseExample", [serialized, names]):
        defaults = params.defaults()
        indices, values, shapes, dense, _, _ = raw.ParseExampleV2(
            serialized=serialized, names=_strings(names), sparse_keys=_strings(list(params.sparse)), dense_keys=_strings(params.dense_keys),
            ragged_keys=_strings([]), dense_defaults=defaults, num_sparse=len(params.sparse), sparse_types=list(params.sparse.values()),
            Tdense=[d.dtype for d in params.dense], dense_shapes=[d.shape for d in params.dense], ragged_value_types=[], ragged_split_types=[],
        )  # fmt: skip
        out: dict[str, Any] = {
            k: SparseTensor(*parts) for k, *parts in zip(params.sparse, indices, values, shapes, strict=True)
        }
        out.update(zip(params.dense_keys, dense, strict=True))
        return out


def _strings(values: Any) -> Any:
    if values is None:
        values = []
    if isinstance(values, list) and not values:
        return np.zeros(0, object)
    return values


def parse_single_example(
    serialized: Any, features: dict[str, Any], name: str | None = None, example_names: Any = None
) -> dict[str, Any]:
    """{key: Tensor or SparseTensor} of one serialized Example (a string scalar)."""
    if not features:
        raise ValueError("Invalid argument: features cannot be None.")
    with name_scope(name, "ParseSingleExample", [serialized, example_names]):
        serialized = convert_to_tensor(serialized, name="serialized", dtype=dtypes.string)
        serialized = _scalar(serialized, "serialized")
        return parse_example(serialized, features, example_names=example_names)


def _scalar(t: Tensor, what: str) -> Tensor:
    rank = t.shape.ndims
    if rank is not None and rank != 0:
        raise ValueError(f"Input {what} must be a scalar")
    if rank is None:
        raise ValueError(f"Input {what} must be a scalar, but its rank is unknown")
    return t


def _with_sparse(features: dict[str, Any], parsed: dict[str, Any]) -> dict[str, Any]:
    """Index and value features joined to the SparseTensors that were asked for; helpers nobody asked for are left out."""
    from hornbeam.api.sparse_ops import sparse_merge

    out = dict(parsed)
    for key in sorted(features):
        f = features[key]
        if isinstance(f, SparseFeature):
            ids = parsed[f.index_key] if isinstance(f.index_key, str) else [parsed[k] for k in f.index_key]
            out[key] = sparse_merge(ids, parsed[f.value_key], vocab_size=f.size, already_sorted=f.already_sorted)
    for key in set(out) - set(features):
        del out[key]
    return out


# --- SequenceExample -----------------------------------------------------------------------------------------------------------
def parse_sequence_example(
    serialized: Any, context_features: dict[str, Any] | None = None, sequence_features: dict[str, Any] | None = None, example_names: Any = None,
    name: str | None = None,
) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:  # fmt: skip
    """(context, feature lists, lengths of the dense lists) of a vector of serialized SequenceExamples, lists padded to the longest."""
    _some(context_features, sequence_features)
    with name_scope(name, "ParseSequenceExample", [serialized, example_names]):
        return _parse_sequence(serialized, example_names, context_features, sequence_features)


def parse_single_sequence_example(
    serialized: Any, context_features: dict[str, Any] | None = None, sequence_features: dict[str, Any] | None = None, example_name: Any = None,
    name: str | None = None,
) -> tuple[dict[str, Any], dict[str, Any]]:  # fmt: skip
    """(context, feature lists) of one serialized SequenceExample; dense lists are [steps, *shape], sparse ones [steps, longest]."""
    _some(context_features, sequence_features)
    with name_scope(name, "ParseSingleSequenceExample", [serialized, example_name]):
        serialized = _scalar(convert_to_tensor(serialized, name="serialized", dtype=dtypes.string), "serialized")
        if example_name is not None:
            example_name = _scalar(convert_to_tensor(example_name, dtype=dtypes.string), "example_name")
        return _parse_sequence(serialized, example_name, context_features, sequence_features)[:2]


def _some(context: Any, sequence: Any) -> None:
    if not (context or sequence):
        raise ValueError("Both context_features and sequence_features are None, but at least one should have values.")


def _parse_sequence(
    serialized: Any, names: Any, context: Any, sequence: Any
) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    with name_scope(None, "ParseSequenceExample", [serialized, names]):
        c, s = _Params.of(context, _CONTEXT), _Params.of(sequence, _SEQUENCE)
        found = raw.ParseSequenceExampleV2(
            serialized=serialized, debug_name=_strings(names), context_sparse_keys=_strings(list(c.sparse)),
            context_dense_keys=_strings(c.dense_keys), context_ragged_keys=_strings([]), feature_list_sparse_keys=_strings(list(s.sparse)),
            feature_list_dense_keys=_strings(s.dense_keys), feature_list_ragged_keys=_strings([]),
            feature_list_dense_missing_assumed_empty=np.array([k in s.may_be_missing for k in s.dense_keys], bool),
            context_dense_defaults=c.defaults(), Ncontext_sparse=len(c.sparse), Nfeature_list_sparse=len(s.sparse),
            Nfeature_list_dense=len(s.dense), context_sparse_types=list(c.sparse.values()), Tcontext_dense=[d.dtype for d in c.dense],
            feature_list_dense_types=[d.dtype for d in s.dense], context_dense_shapes=[d.shape for d in c.dense],
            feature_list_sparse_types=list(s.sparse.values()), feature_list_dense_shapes=[d.shape for d in s.dense],
            context_ragged_value_types=[], context_ragged_split_types=[], feature_list_ragged_value_types=[], feature_list_ragged_split_types=[],
        )  # fmt: skip
        (ci, cv, cs, cd, _, _, li, lv, ls, ld, lengths, *_) = found
        contexts: dict[str, Any] = {k: SparseTensor(*parts) for k, *parts in zip(c.sparse, ci, cv, cs, strict=True)}
        contexts.update(zip(c.dense_keys, cd, strict=True))
        lists: dict[str, Any] = {k: SparseTensor(*parts) for k, *parts in zip(s.sparse, li, lv, ls, strict=True)}
        lists.update(zip(s.dense_keys, ld, strict=True))
        return contexts, lists, dict(zip(s.dense_keys, lengths, strict=True))


def decode_json_example(json_examples: Any, name: str | None = None) -> Tensor:
    """Examples in protobuf's JSON as serialized protos."""
    return raw.DecodeJSONExample(json_examples, name=name)  # type: ignore[no-any-return]


_BOTH = (
    "parse_example", "parse_single_example", "parse_single_sequence_example", "VarLenFeature", "SparseFeature", "FixedLenFeature",
    "FixedLenSequenceFeature", "decode_json_example",
)  # fmt: skip
__tf_exports__ = {n: n for n in _BOTH} | {f"io.{n}": n for n in (*_BOTH, "parse_sequence_example")}
