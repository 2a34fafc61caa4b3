"""Rows for the sparse ops."""

from __future__ import annotations

from typing import Any

import numpy as np

from .cases import Case, F, K, S, case

BAD = {"_error": "InvalidArgumentError"}


def at(*rows: Any) -> Any:
    return np.array(rows, np.int64).reshape(len(rows), -1) if rows else np.zeros([0, 2], np.int64)


def dims(*d: int) -> K:
    return K(np.array(d, np.int64))


A = at([0, 1], [1, 0], [1, 2])
C = at([0, 0], [0, 1], [2, 2])
CASES: list[Case] = [
    case("SparseToDense", A, dims(2, 3), F(3), F(), _zero=False), case("SparseToDense", np.array([1, 3], np.int32), K(np.array([5], np.int32)), 1.0, 0.0, _zero=False, _grad=False), case("SparseToDense", at([0, 0], [0, 1]), dims(2, 2), S("a", "b"), np.array(b"-", object), _zero=False), case("SparseToDense", K(at([1, 0], [0, 1])), dims(2, 2), F(2), F(), **BAD),
    case("SparseTensorDenseAdd", A, F(3), dims(2, 3), F(2, 3), _zero=False),
    case("SparseTensorDenseMatMul", A, F(3), dims(2, 3), F(3, 4), _zero=False), case("SparseTensorDenseMatMul", A, F(3), dims(2, 3), F(2, 4), adjoint_a=True, _zero=False), case("SparseTensorDenseMatMul", A, F(3), dims(2, 3), F(4, 3), adjoint_b=True, _zero=False), case("SparseTensorDenseMatMul", A, F(3, t="complex64"), dims(2, 3), F(4, 2, t="complex64"), adjoint_a=True, adjoint_b=True, _zero=False),
    case("SparseDenseCwiseMul", A, F(3), dims(2, 3), F(2, 3), _zero=False), case("SparseDenseCwiseMul", A, F(3), dims(2, 3), F(3), _zero=False), case("SparseDenseCwiseDiv", A, F(3), dims(2, 3), F(2, 1), _zero=False), case("SparseDenseCwiseAdd", A, F(3), dims(2, 3), F(2, 3), _grad=False, _zero=False), case("SparseDenseCwiseDiv", A, np.array([7, -7, 9], np.int32), dims(2, 3), np.array([2, 3, -2], np.int32), _zero=False),
    case("SparseReorder", at([1, 2], [0, 1], [1, 0]), F(3), dims(2, 3)), case("SparseReorder", at([1, 2], [0, 1]), S("a", "b"), dims(2, 3)),
    case("SparseReshape", A, dims(2, 3), dims(3, 2)), case("SparseReshape", A, dims(2, 3), dims(-1)), case("SparseReshape", A, np.array([2, 3], np.int64), np.array([3, -1], np.int64), _zero=False), case("SparseReshape", A, dims(2, 3), dims(5), **BAD),
    case("SparseReduceSum", A, F(3), dims(2, 3), K(np.array([1], np.int32))), case("SparseReduceSum", A, F(3), dims(2, 3), K(np.array([0], np.int32)), keep_dims=True), case("SparseReduceSum", A, F(3), dims(2, 3), K(np.array([], np.int32)), _grad=False), case("SparseReduceMax", A, F(3), dims(3, 3), K(np.array([-1], np.int32))),
    case("SparseReduceSumSparse", A, F(3), dims(2, 3), K(np.array([1], np.int32)), _grad=False, _zero=False), case("SparseReduceSumSparse", A, F(3), dims(2, 3), K(np.array([0], np.int32)), keep_dims=True, _grad=False, _zero=False), case("SparseReduceMaxSparse", A, F(3), dims(3, 3), K(np.array([1], np.int32)), _grad=False, _zero=False),
    case("SparseSoftmax", A, F(3), dims(2, 3), _zero=False), case("SparseSoftmax", at([0, 0, 1], [0, 0, 2], [1, 1, 0]), F(3), dims(2, 2, 3), _zero=False),
    case("SparseAdd", A, F(3), dims(3, 3), C, F(3), dims(3, 3), K(np.float32(0)), _zero=False), case("SparseAdd", A, F(3), dims(3, 3), C, F(3), dims(3, 3), K(np.float32(0.5)), _zero=False), case("SparseAdd", A, F(3), dims(3, 3), C, F(3), dims(3, 4), K(np.float32(0.5)), **BAD),
    case("SparseSparseMaximum", A, F(3), dims(3, 3), C, F(3), dims(3, 3), _grad=False, _zero=False), case("SparseSparseMinimum", A, F(3), dims(3, 3), C, F(3), dims(3, 3), _grad=False, _zero=False),
    case("SparseSlice", A, F(3), dims(2, 3), dims(0, 1), dims(2, 2)), case("SparseSlice", A, F(3), dims(2, 3), dims(1, 0), dims(5, 1)),
    case("SparseConcat", [A, C], [F(3), F(3)], [dims(3, 3), dims(3, 4)], concat_dim=1, _zero=False), case("SparseConcat", [A, C], [F(3), F(3)], [dims(2, 3), dims(3, 3)], concat_dim=0, _zero=False), case("SparseConcat", [A, C], [F(3), F(3)], [dims(2, 3), dims(3, 4)], concat_dim=0, **BAD),
    case("SparseSplit", K(np.array(1, np.int64)), A, F(3), dims(2, 3), num_split=2, _grad=False), case("SparseSplit", K(np.array(0, np.int64)), A, F(3), dims(2, 3), num_split=2, _grad=False),
    case("SparseFillEmptyRows", at([1, 0], [3, 1], [1, 2]), F(3), dims(5, 3), F(), _zero=False), case("SparseFillEmptyRows", at([1, 0]), S("a"), dims(3, 3), np.array(b"-", object), _zero=False), case("SparseFillEmptyRowsGrad", np.array([1, 3], np.int64), F(5), _zero=False),
    case("SerializeSparse", A, F(3), dims(2, 3), _zero=False), case("SerializeManySparse", A, F(3), dims(2, 3), _zero=False),
]  # fmt: skip
