"""Parsing of SequenceExample protos: a context of features, and lists of features with a step each."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from hornbeam.core import dtypes
from hornbeam.core.dtypes import DType
from hornbeam.core.graph import InferenceContext
from hornbeam.core.registry import no_gradient, op
from hornbeam.core.tensor_shape import Shape
from hornbeam.ops.parsing import _CPP, WrongType, bad, flat_array, sparse_of, splits_of, texts, values_of


@dataclass
class Wanted:
    """What to parse: (key, dtype) of sparse, (key, dtype, shape, default) of dense context features, and the same of lists."""

    context_sparse: list[tuple[str, DType]] = field(default_factory=list)
    context_dense: list[tuple[str, DType, Shape, Any]] = field(default_factory=list)
    context_ragged: list[tuple[str, DType, DType]] = field(default_factory=list)
    list_sparse: list[tuple[str, DType]] = field(default_factory=list)
    list_dense: list[tuple[str, DType, Shape, bool]] = field(default_factory=list)  # last: whether it may be missing
    list_ragged: list[tuple[str, DType, DType]] = field(default_factory=list)


class _Batch:
    """Parsed protos and their names; a scalar input is a batch of one whose results lose the batch."""

    def __init__(self, serialized: Any, names: Any) -> None:
        from google.protobuf.message import DecodeError

        from hornbeam.proto import SequenceExample

        self.single = serialized.ndim == 0
        self.names = np.asarray(names, object).reshape(-1)
        self.contexts, self.lists = [], []
        for i, data in enumerate(serialized.reshape(-1)):
            try:
                example = SequenceExample.FromString(data)
            except DecodeError:
                raise bad(f"Invalid protocol message input, example id: {self.name(i)}") from None
            self.contexts.append(example.context.feature)
            self.lists.append(example.feature_lists.feature_list)

    def name(self, i: int) -> str:
        return self.names[i].decode(errors="replace") if i < len(self.names) else "<unknown>"

    # context ------------------------------------------------------------------------------------------------------------------
    def context_values(self, i: int, key: str, dtype: DType) -> Any:
        feature = self.contexts[i].get(key)
        try:
            return None if feature is None else values_of(feature, dtype)
        except WrongType:
            raise bad(
                f"Name: {self.name(i)}, Context feature: {key}.  Data types don't match. Expected type: {_CPP[dtype]}"
            ) from None

    def context_rows(self, key: str, dtype: DType) -> list[Any]:
        rows = [self.context_values(i, key, dtype) for i in range(len(self.contexts))]
        return [() if r is None else r for r in rows]

    def context_dense(self, key: str, dtype: DType, shape: Shape, default: Any) -> Any:
        assert shape is not None
        size = math.prod(shape)  # type: ignore[arg-type]
        out = np.empty((len(self.contexts), size), object if dtype is dtypes.string else dtype.np)
        for i in range(len(self.contexts)):
            values = self.context_values(i, key, dtype)
            if values is None:
                if default.size == 0 and size:
                    raise bad(f"Name: {self.name(i)}, Context feature '{key}' is required but could not be found.")
                values = default.reshape(-1)
            elif len(values) != size:
                raise bad(_size(self.name(i), key, i, len(values), shape))
            out[i] = values
        target: Any = (len(self.contexts), *shape)
        out = out.reshape(target)
        return out[0] if self.single else out

    # feature lists ---------------------------------------------------------------------------------------------------------------
    def steps(self, i: int, key: str, dtype: DType) -> list[Any] | None:
        """The values of every step of a list; None when the example has no such list."""
        found = self.lists[i].get(key)
        if found is None:
            return None
        out = []
        for k, feature in enumerate(found.feature):
            try:
                values = values_of(feature, dtype)
            except WrongType:
                raise bad(
                    f"Name: {self.name(i)}, Feature list: {key}, Index: {k}.  Data types don't match. Expected type: {_CPP[dtype]}"
                ) from None
            out.append(() if values is None else values)
        return out

    def list_dense(self, key: str, dtype: DType, shape: Shape, may_be_missing: bool) -> tuple[Any, Any]:
        """[batch, longest, *shape] padded with zeros, and the lengths [batch]."""
        assert shape is not None
        size = math.prod(shape)  # type: ignore[arg-type]
        rows = []
        for i in range(len(self.lists)):
            steps = self.steps(i, key, dtype)
            if steps is None and not may_be_missing:
                raise bad(
                    f"Name: {self.name(i)}, Feature list '{key}' is required but could not be found.  Did you mean to include it in "
                    "feature_list_dense_missing_assumed_empty or feature_list_dense_defaults?"
                )
            for k, values in enumerate(steps or ()):
                if len(values) != size:
                    raise bad(_size(self.name(i), key, k, len(values), shape))
            rows.append(steps or [])
        lengths = np.array([len(r) for r in rows], np.int64)
        out = np.full(
            (len(rows), lengths.max(initial=0), size),
            b"" if dtype is dtypes.string else 0,
            object if dtype is dtypes.string else dtype.np,
        )
        for i, steps in enumerate(rows):
            for k, values in enumerate(steps):
                out[i, k] = values
        out = out.reshape((*out.shape[:2], *shape))
        return (out[0], lengths[0]) if self.single else (out, lengths)

    def list_sparse(self, key: str, dtype: DType) -> tuple[Any, Any, Any]:
        """indices [n, 3] (example, step, position), values [n], shape [3]; without the example when there is no batch."""
        batches = [self.steps(i, key, dtype) or [] for i in range(len(self.lists))]
        flat = [values for steps in batches for values in steps]
        indices, values, shape = sparse_of(flat, dtype)
        steps = np.array([len(b) for b in batches], np.int64)
        if self.single:
            return indices, values, np.array([steps[0], shape[1]], np.int64)
        example = np.repeat(np.arange(len(batches)), steps)
        step = np.arange(len(flat)) - np.repeat(np.cumsum(steps) - steps, steps)
        full = (
            np.stack([example[indices[:, 0]], step[indices[:, 0]], indices[:, 1]], 1)
            if len(flat)
            else np.zeros((0, 3), np.int64)
        )
        return full, values, np.array([len(batches), steps.max(initial=0), shape[1]], np.int64)


def _size(name: str, key: str, index: int, got: int, shape: Any) -> str:
    text = "[" + ",".join(str(d) for d in shape) + "]"
    return f"Name: {name}, Key: {key}, Index: {index}.  Number of values != expected.  values size: {got} but output shape: {text}"


def parse(serialized: Any, names: Any, w: Wanted) -> dict[str, list[Any]]:
    """All results, by the names of the outputs of ParseSequenceExampleV2."""
    batch = _Batch(serialized, names)
    out: dict[str, list[Any]] = {k: [] for k in _OUTPUTS}
    for key, dtype in w.context_sparse:
        indices, values, shape = sparse_of(batch.context_rows(key, dtype), dtype)
        out["context_sparse_indices"].append(indices[:, 1:] if batch.single else indices)
        out["context_sparse_values"].append(values)
        out["context_sparse_shapes"].append(shape[1:] if batch.single else shape)
    for key, dtype, shape, default in w.context_dense:
        out["context_dense_values"].append(batch.context_dense(key, dtype, shape, default))
    for key, dtype, split in w.context_ragged:
        rows = batch.context_rows(key, dtype)
        out["context_ragged_values"].append(flat_array(rows, dtype))
        out["context_ragged_row_splits"].append(
            np.zeros(0, split.np) if batch.single else splits_of([len(r) for r in rows], split)
        )
    for key, dtype in w.list_sparse:
        for name, value in zip(("indices", "values", "shapes"), batch.list_sparse(key, dtype), strict=True):
            out[f"feature_list_sparse_{name}"].append(value)
    for key, dtype, shape, missing in w.list_dense:
        values, lengths = batch.list_dense(key, dtype, shape, missing)
        out["feature_list_dense_values"].append(values)
        out["feature_list_dense_lengths"].append(lengths)
    for key, dtype, split in w.list_ragged:
        examples = [batch.steps(i, key, dtype) or [] for i in range(len(batch.lists))]
        flat = [v for steps in examples for v in steps]
        out["feature_list_ragged_values"].append(flat_array(flat, dtype))
        outer = np.zeros(0, split.np) if batch.single else splits_of([len(e) for e in examples], split)
        out["feature_list_ragged_outer_splits"].append(outer)
        out["feature_list_ragged_inner_splits"].append(splits_of([len(v) for v in flat], split))
    return out


_OUTPUTS = (
    "context_sparse_indices", "context_sparse_values", "context_sparse_shapes", "context_dense_values", "context_ragged_values",
    "context_ragged_row_splits", "feature_list_sparse_indices", "feature_list_sparse_values", "feature_list_sparse_shapes",
    "feature_list_dense_values", "feature_list_dense_lengths", "feature_list_ragged_values", "feature_list_ragged_outer_splits",
    "feature_list_ragged_inner_splits",
)  # fmt: skip
_BATCH_OUTPUTS = tuple(n for n in _OUTPUTS if "ragged" not in n)
_SINGLE_OUTPUTS = tuple(n for n in _BATCH_OUTPUTS if not n.endswith("lengths"))


def _shapes(c: InferenceContext, outputs: Sequence[str], single: bool) -> list[Shape]:
    s = c.shape(0)
    batch: tuple[int | None, ...] = () if single else (None,) if s is None else tuple(s)
    rank = len(batch)
    out: list[Shape] = []
    counts = {
        "context_sparse": len(c.attr("context_sparse_types")),
        "feature_list_sparse": len(c.attr("feature_list_sparse_types")),
    }
    for name in outputs:
        family, _, part = name.rpartition("_")
        if family in counts:
            depth = rank + (1 if family == "context_sparse" else 2)
            out += [{"indices": (None, depth), "values": (None,), "shapes": (depth,)}[part]] * counts[family]
        elif name == "context_dense_values":
            out += [None if d is None else (*batch, *d) for d in c.attr("context_dense_shapes")]
        elif name == "feature_list_dense_values":
            out += [None if d is None else (*batch, None, *d) for d in c.attr("feature_list_dense_shapes")]
        elif name == "feature_list_dense_lengths":
            out += [batch] * len(c.attr("feature_list_dense_types"))
        else:
            kind = "context_ragged_value_types" if name.startswith("context") else "feature_list_ragged_value_types"
            out += [(None,)] * len(c.attr(kind))
    return out


def _wanted(a: dict[str, Any], keys: dict[str, list[str]], defaults: list[Any], missing: Any) -> Wanted:
    return Wanted(
        list(zip(keys["context_sparse"], a["context_sparse_types"], strict=True)),
        list(zip(keys["context_dense"], a["Tcontext_dense"], a["context_dense_shapes"], defaults, strict=True)),
        list(zip(keys.get("context_ragged", ()), a.get("context_ragged_value_types", ()), a.get("context_ragged_split_types", ()), strict=True)),
        list(zip(keys["feature_list_sparse"], a["feature_list_sparse_types"], strict=True)),
        list(zip(keys["feature_list_dense"], a["feature_list_dense_types"], a["feature_list_dense_shapes"], missing, strict=True)),
        list(zip(keys.get("feature_list_ragged", ()), a.get("feature_list_ragged_value_types", ()), a.get("feature_list_ragged_split_types", ()), strict=True)),
    )  # fmt: skip


_FAMILIES = ("context_sparse", "context_dense", "feature_list_sparse", "feature_list_dense")
_TYPES = "list({float, int64, string}) >= 0"
_RESULTS = (
    "context_sparse_indices: Ncontext_sparse * int64, context_sparse_values: context_sparse_types, context_sparse_shapes: Ncontext_sparse * int64, "
    "context_dense_values: Tcontext_dense, {ragged}feature_list_sparse_indices: Nfeature_list_sparse * int64, "
    "feature_list_sparse_values: feature_list_sparse_types, feature_list_sparse_shapes: Nfeature_list_sparse * int64, "
    "feature_list_dense_values: feature_list_dense_types"
)
_ATTRS = (
    "Ncontext_sparse: int >= 0 = 0; {dense_count}Nfeature_list_sparse: int >= 0 = 0; Nfeature_list_dense: int >= 0 = 0; "
    f"context_sparse_types: {_TYPES} = []; Tcontext_dense: {_TYPES} = []; feature_list_dense_types: {_TYPES} = []; "
    f"context_dense_shapes: list(shape) >= 0 = []; feature_list_sparse_types: {_TYPES} = []; feature_list_dense_shapes: list(shape) >= 0 = []"
)
_LENGTHS = ", feature_list_dense_lengths: Nfeature_list_dense * int64"


@op(
    "ParseSequenceExample(serialized: string, debug_name: string, context_dense_defaults: Tcontext_dense) -> "
    f"({_RESULTS.replace('{ragged}', '')}{_LENGTHS}); feature_list_dense_missing_assumed_empty: list(string) >= 0; "
    + "; ".join(f"{f}_keys: list(string) >= 0" for f in _FAMILIES)
    + f"; {_ATTRS.replace('{dense_count}', 'Ncontext_dense: int >= 0 = 0; ')}",
    shape=lambda c: _shapes(c, _BATCH_OUTPUTS, False), host=True,
)  # fmt: skip
def ParseSequenceExample(serialized, debug_name, context_dense_defaults, ctx):
    a = ctx.op._attrs
    keys = {f: texts(a[f"{f}_keys"]) for f in _FAMILIES}
    empty = set(texts(a["feature_list_dense_missing_assumed_empty"]))
    found = parse(
        serialized,
        debug_name,
        _wanted(a, keys, context_dense_defaults, [k in empty for k in keys["feature_list_dense"]]),
    )
    return [v for n in _BATCH_OUTPUTS for v in found[n]]


@op(
    "ParseSingleSequenceExample(serialized: string, feature_list_dense_missing_assumed_empty: string, "
    "context_sparse_keys: Ncontext_sparse * string, context_dense_keys: Ncontext_dense * string, "
    "feature_list_sparse_keys: Nfeature_list_sparse * string, feature_list_dense_keys: Nfeature_list_dense * string, "
    f"context_dense_defaults: Tcontext_dense, debug_name: string) -> ({_RESULTS.replace('{ragged}', '')}); "
    f"{_ATTRS.replace('{dense_count}', 'Ncontext_dense: int >= 0 = 0; ')}",
    shape=lambda c: _shapes(c, _SINGLE_OUTPUTS, True), host=True,
)  # fmt: skip
def ParseSingleSequenceExample(
    serialized, feature_list_dense_missing_assumed_empty, context_sparse_keys, context_dense_keys, feature_list_sparse_keys,
    feature_list_dense_keys, context_dense_defaults, debug_name, ctx,
):  # fmt: skip
    given = (context_sparse_keys, context_dense_keys, feature_list_sparse_keys, feature_list_dense_keys)
    keys = {f: texts(k) for f, k in zip(_FAMILIES, given, strict=True)}
    empty = set(texts(feature_list_dense_missing_assumed_empty))
    missing = [k in empty for k in keys["feature_list_dense"]]
    found = parse(serialized.reshape(()), debug_name, _wanted(ctx.op._attrs, keys, context_dense_defaults, missing))
    return [v for n in _SINGLE_OUTPUTS for v in found[n]]


@op(
    "ParseSequenceExampleV2(serialized: string, debug_name: string, context_sparse_keys: string, context_dense_keys: string, "
    "context_ragged_keys: string, feature_list_sparse_keys: string, feature_list_dense_keys: string, feature_list_ragged_keys: string, "
    "feature_list_dense_missing_assumed_empty: bool, context_dense_defaults: Tcontext_dense) -> ("
    + _RESULTS.replace("{ragged}", "context_ragged_values: context_ragged_value_types, context_ragged_row_splits: context_ragged_split_types, ")
    + _LENGTHS
    + ", feature_list_ragged_values: feature_list_ragged_value_types, feature_list_ragged_outer_splits: feature_list_ragged_split_types, "
    f"feature_list_ragged_inner_splits: feature_list_ragged_split_types); {_ATTRS.replace('{dense_count}', '')}; "
    f"context_ragged_value_types: {_TYPES} = []; context_ragged_split_types: list({{int32, int64}}) >= 0 = []; "
    f"feature_list_ragged_value_types: {_TYPES} = []; feature_list_ragged_split_types: list({{int32, int64}}) >= 0 = []",
    shape=lambda c: _shapes(c, _OUTPUTS, c.shape(0) == ()), host=True,
)  # fmt: skip
def ParseSequenceExampleV2(
    serialized, debug_name, context_sparse_keys, context_dense_keys, context_ragged_keys, feature_list_sparse_keys, feature_list_dense_keys,
    feature_list_ragged_keys, feature_list_dense_missing_assumed_empty, context_dense_defaults, ctx,
):  # fmt: skip
    keys = {
        "context_sparse": texts(context_sparse_keys), "context_dense": texts(context_dense_keys), "context_ragged": texts(context_ragged_keys),
        "feature_list_sparse": texts(feature_list_sparse_keys), "feature_list_dense": texts(feature_list_dense_keys),
        "feature_list_ragged": texts(feature_list_ragged_keys),
    }  # fmt: skip
    missing = [bool(b) for b in feature_list_dense_missing_assumed_empty.reshape(-1)]
    found = parse(serialized, debug_name, _wanted(ctx.op._attrs, keys, context_dense_defaults, missing))
    return [v for n in _OUTPUTS for v in found[n]]


no_gradient("ParseSequenceExample", "ParseSingleSequenceExample", "ParseSequenceExampleV2")
