"""Crosses of feature columns, and operations on the sets that the last dimension of a tensor holds. Host kernels."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from typing import Any

import numpy as np

from hornbeam.core.graph import InferenceContext
from hornbeam.core.registry import no_gradient, op
from hornbeam.core.tensor_shape import Shape
from hornbeam.ops import shapes
from hornbeam.ops.array import bad
from hornbeam.ops.hashing import fingerprint64
from hornbeam.ops.strings import vector

# --- crosses ---
_MASK = 0xFFFFFFFFFFFFFFFF
_MUL = 0xC6A4A7935BD1E995


def _mix(v: int) -> int:
    return v ^ (v >> 47)


def join_fingerprints(a: int, b: int) -> int:
    """The fingerprint of two fingerprinted parts (TensorFlow's FingerprintCat64)."""
    result = a ^ _MUL
    result ^= (_mix((b * _MUL) & _MASK) * _MUL) & _MASK
    result = (result * _MUL) & _MASK
    result = (_mix(result) * _MUL) & _MASK
    return _mix(result)


def _rows(indices: list[Any], values: list[Any], shapes_: list[Any], dense: list[Any]) -> list[list[list[Any]]]:
    """Features of each column in each batch row."""
    sizes = {int(s[0]) for s in shapes_} | {d.shape[0] for d in dense}
    if len(sizes) > 1:
        raise bad(f"Expected batch sizes to be equal, got {sorted(sizes)}")
    n = sizes.pop() if sizes else 0
    columns = []
    for i, v in zip(indices, values, strict=True):
        column: list[list[Any]] = [[] for _ in range(n)]
        for row, value in zip(i[:, 0].tolist(), v.tolist(), strict=True):
            if not 0 <= row < n:
                raise bad(f"row {row} of a sparse column is out of [0, {n})")
            column[row].append(value)
        columns.append(column)
    columns += [[r.tolist() for r in d] for d in dense]
    return [[c[b] for c in columns] for b in range(n)]


def _cross(rows: list[list[list[Any]]], make: Any) -> tuple[Any, list[Any], Any]:
    out = [[make(combination) for combination in itertools.product(*r)] if r else [] for r in rows]
    indices = [(b, k) for b, r in enumerate(out) for k in range(len(r))]
    shape = np.array([len(rows), max(map(len, out), default=0)], np.int64)
    return np.array(indices, np.int64).reshape(-1, 2), [v for r in out for v in r], shape


def _text(v: Any) -> bytes:
    return v if isinstance(v, bytes) else str(v).encode()


def _number(v: Any) -> int:
    return fingerprint64(v) if isinstance(v, bytes) else v & _MASK


_COLUMNS = "indices: N * int64, values: sparse_types, shapes: N * int64, dense_inputs: dense_types"
_TYPES = "sparse_types: list({int64, string}) >= 0; dense_types: list({int64, string}) >= 0"
_SPARSE = shapes.fixed((None, 2), (None,), (2,))


@op(
    f"SparseCross({_COLUMNS}) -> (output_indices: int64, output_values: out_type, output_shape: int64); N: int >= 0; hashed_output: bool; "
    f"num_buckets: int >= 0; hash_key: int; {_TYPES}; out_type: {{int64, string}}; internal_type: {{int64, string}}",
    shape=_SPARSE,
    host=True,
)
def SparseCross(indices, values, shapes, dense_inputs, hashed_output, num_buckets, hash_key):
    rows = _rows(indices, values, shapes, dense_inputs)
    if not hashed_output:
        at, crossed, shape = _cross(rows, lambda parts: b"_X_".join(map(_text, parts)))
        return at, vector(crossed), shape
    limit = num_buckets or 2**63 - 1

    def hashed(parts: Iterable[Any]) -> int:
        total = hash_key & _MASK
        for v in parts:
            total = join_fingerprints(total, _number(v))
        return total % limit

    at, crossed, shape = _cross(rows, hashed)
    return at, np.array(crossed, np.int64), shape


@op(
    f"SparseCrossV2({_COLUMNS}, sep: string) -> (output_indices: int64, output_values: string, output_shape: int64); N: int >= 0; {_TYPES}",
    shape=_SPARSE,
)
def SparseCrossV2(indices, values, shapes, dense_inputs, sep):
    mark = bytes(sep[()])
    rows = _rows(indices, values, shapes, dense_inputs)
    at, crossed, shape = _cross(rows, lambda parts: mark.join(map(_text, parts)))
    return at, vector(crossed), shape


# --- sets ---
_ELEMENTS = "T: {int8, int16, int32, int64, uint8, uint16, string}"
_OPERATIONS = {
    b"a-b": set.difference,
    b"b-a": lambda a, b: b - a,
    b"intersection": set.intersection,
    b"union": set.union,
}


def _dense_groups(x: Any) -> tuple[dict[tuple[int, ...], set[Any]], tuple[int, ...]]:
    lead = x.shape[:-1]
    return {at: set(x[at].tolist()) for at in np.ndindex(*lead)}, lead


def _sparse_groups(
    indices: Any, values: Any, shape: Any, validate: bool
) -> tuple[dict[tuple[int, ...], set[Any]], tuple[int, ...]]:
    dims = tuple(int(d) for d in shape)
    if validate and len(indices):
        if (indices < 0).any() or (indices >= np.array(dims)).any():
            raise bad("set indices are out of bounds")
        rows = [tuple(r) for r in indices.tolist()]
        if any(a >= b for a, b in zip(rows, rows[1:], strict=False)):
            raise bad("set indices are not in order")
    out: dict[tuple[int, ...], set[Any]] = {}
    for at, v in zip(indices.tolist(), values.tolist(), strict=True):
        out.setdefault(tuple(at[:-1]), set()).add(v)
    return out, dims[:-1]


def _combine(a: Any, b: Any, operation: bytes, dtype: Any) -> tuple[Any, Any, Any]:
    (groups_a, lead_a), (groups_b, lead_b) = a, b
    f = _OPERATIONS.get(operation.lower())
    if f is None:
        raise bad(f"Invalid set_operation {operation.decode()}.")
    if len(lead_a) != len(lead_b) or any(x != y for x, y in zip(lead_a, lead_b, strict=True)):
        raise bad(f"Mismatched group shapes {list(lead_a)} and {list(lead_b)}")
    out = {at: sorted(f(groups_a.get(at, set()), groups_b.get(at, set()))) for at in sorted({*groups_a, *groups_b})}
    indices = [(*at, k) for at, found in out.items() for k in range(len(found))]
    flat = [v for found in out.values() for v in found]
    values = vector(flat) if np.dtype(dtype).kind == "O" else np.array(flat, dtype)
    longest = max(map(len, out.values()), default=0)
    return np.array(indices, np.int64).reshape(-1, len(lead_a) + 1), values, np.array([*lead_a, longest], np.int64)


def _result_shape(c: InferenceContext) -> list[Shape]:
    rank = None
    for i, a in enumerate(c.op.spec.inputs):
        s = c.shape(i)
        if s is not None and a.name in ("set1", "set2"):
            rank = len(s)
        elif s and a.name.endswith("_shape"):
            rank = s[0] or rank
    return [(None, rank), (None,), (rank,)]


_RESULT = f"-> (result_indices: int64, result_values: T, result_shape: int64); set_operation: string; validate_indices: bool = true; {_ELEMENTS}"


@op(f"DenseToDenseSetOperation(set1: T, set2: T) {_RESULT}", shape=_result_shape, host=True)
def DenseToDenseSetOperation(set1, set2, set_operation):
    return _combine(_dense_groups(set1), _dense_groups(set2), set_operation, set1.dtype)


@op(
    f"DenseToSparseSetOperation(set1: T, set2_indices: int64, set2_values: T, set2_shape: int64) {_RESULT}",
    shape=_result_shape,
    host=True,
)
def DenseToSparseSetOperation(set1, set2_indices, set2_values, set2_shape, set_operation, validate_indices):
    other = _sparse_groups(set2_indices, set2_values, set2_shape, validate_indices)
    return _combine(_dense_groups(set1), other, set_operation, set1.dtype)


@op(
    "SparseToSparseSetOperation(set1_indices: int64, set1_values: T, set1_shape: int64, set2_indices: int64, set2_values: T, "
    f"set2_shape: int64) {_RESULT}",
    shape=_result_shape,
    host=True,
)
def SparseToSparseSetOperation(
    set1_indices, set1_values, set1_shape, set2_indices, set2_values, set2_shape, set_operation, validate_indices
):
    one = _sparse_groups(set1_indices, set1_values, set1_shape, validate_indices)
    two = _sparse_groups(set2_indices, set2_values, set2_shape, validate_indices)
    return _combine(one, two, set_operation, set1_values.dtype)


@op(
    f"SetSize(set_indices: int64, set_values: T, set_shape: int64) -> (size: int32); validate_indices: bool = true; {_ELEMENTS}",
    shape=lambda c: [None if c.partial(2) is None else c.partial(2)[:-1]],
    host=True,
)
def SetSize(set_indices, set_values, set_shape, validate_indices):
    groups, lead = _sparse_groups(set_indices, set_values, set_shape, validate_indices)
    out = np.zeros(lead, np.int32)
    for at, found in groups.items():
        out[at] = len(found)
    return out


no_gradient("SetSize", "DenseToDenseSetOperation", "DenseToSparseSetOperation", "SparseToSparseSetOperation")
