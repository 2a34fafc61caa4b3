"""Products with and solutions of tridiagonal systems, given by their diagonals."""

from __future__ import annotations

from typing import Any

import numpy as np

from hornbeam.core import errors
from hornbeam.core.graph import InferenceContext, Tensor
from hornbeam.core.lazy import jnp, lax
from hornbeam.core.registry import op, raw
from hornbeam.core.tensor_shape import Shape
from hornbeam.ops import shapes
from hornbeam.ops.broadcasting import conj
from hornbeam.ops.linalg import columns
from hornbeam.ops.math import AddV2, Mul, Neg, Sub
from hornbeam.ops.xp import xp


# --- tridiagonal systems ----------------------------------------------------------------------------------------------------
def _tridiagonal_shape(c: InferenceContext) -> list[Shape]:
    diagonals, rhs = shapes.at_least_rank(c, 0, 2), shapes.at_least_rank(c, 1, 2)
    if diagonals is None or rhs is None:
        return [rhs]
    shapes.merge_dim(c, diagonals[-2], 3)
    return [(*rhs[:-2], shapes.merge_dim(c, diagonals[-1], rhs[-2]), rhs[-1])]


@op(
    "TridiagonalSolve(diagonals: T, rhs: T) -> (output: T); partial_pivoting: bool = true; perturb_singular: bool = false; "
    "T: {double, float, complex64, complex128}",
    shape=_tridiagonal_shape,
)
def TridiagonalSolve(diagonals, rhs, perturb_singular):
    """Rows of `diagonals`: above (last element unused), main, below (first element unused)."""
    if perturb_singular:
        raise errors.UnimplementedError(None, None, "TridiagonalSolve with perturb_singular is not supported")
    upper, main, lower = (jnp.asarray(diagonals)[..., i, :] for i in range(3))
    lower = lower.at[..., 0].set(0)
    upper = upper.at[..., -1].set(0)
    return lax.linalg.tridiagonal_solve(lower, main, upper, jnp.asarray(rhs))


def _transposed_diagonals(diagonals: Tensor) -> Tensor:
    """The transposed matrix: the row above and the row below change places, shifted by one."""
    upper, main, lower = raw.Unpack(diagonals, num=3, axis=-2)
    last = columns(lower, 1, None)
    first = columns(upper, None, -1)
    zero = raw.ZerosLike(columns(main, None, 1))
    return raw.Pack([raw.ConcatV2([last, zero], -1), main, raw.ConcatV2([zero, first], -1)], axis=-2)  # type: ignore[no-any-return]


@TridiagonalSolve.gradient
def _(op, g):
    x = op.outputs[0]
    by_rhs = TridiagonalSolve(_transposed_diagonals(op.inputs[0]), g, partial_pivoting=op._attrs["partial_pivoting"])
    zero = raw.ZerosLike(_rows(x, None, 1))
    above = raw.ConcatV2([_rows(x, 1, None), zero], -2)
    below = raw.ConcatV2([zero, _rows(x, None, -1)], -2)
    last = np.array([-1], np.int32)
    diagonals = [raw.Sum(Mul(by_rhs, conj(shifted)), last) for shifted in (above, x, below)]
    return [Neg(raw.Pack(diagonals, axis=-2)), by_rhs]


def _rows(t: Tensor, begin: int | None, end: int | None) -> Tensor:
    """t[..., begin:end, :]"""
    masks = {"begin_mask": 4 | (0 if begin is not None else 2), "end_mask": 4 | (0 if end is not None else 2)}
    return raw.StridedSlice(t, [0, begin or 0, 0], [0, end or 0, 0], [1, 1, 1], ellipsis_mask=1, **masks)  # type: ignore[no-any-return]


@op(
    "TridiagonalMatMul(superdiag: T, maindiag: T, subdiag: T, rhs: T) -> (output: T); T: {double, float, complex64, complex128}",
    shape=shapes.like(3),
)
def TridiagonalMatMul(superdiag, maindiag, subdiag, rhs):
    upper, main, lower = (xp.swapaxes(d, -1, -2) for d in (superdiag, maindiag, subdiag))
    zero = xp.zeros_like(rhs[..., :1, :])
    above = xp.concatenate([rhs[..., 1:, :], zero], axis=-2)
    below = xp.concatenate([zero, rhs[..., :-1, :]], axis=-2)
    return upper * above + main * rhs + lower * below


@TridiagonalMatMul.gradient
def _(op, g):
    upper, main, lower, rhs = (conj(t) for t in op.inputs)

    def shifted(t: Tensor, up: bool) -> Tensor:
        zero = raw.ZerosLike(_rows(t, None, 1))
        return raw.ConcatV2([_rows(t, 1, None), zero] if up else [zero, _rows(t, None, -1)], -2)  # type: ignore[no-any-return]

    def column(t: Tensor) -> Tensor:
        n = None if t._shape is None else len(t._shape)
        if n is None:
            rank = raw.Rank(t)
            perm: Any = raw.ConcatV2([raw.Range(0, Sub(rank, 2), 1), raw.Pack([Sub(rank, 1), Sub(rank, 2)])], 0)
        else:
            perm = np.array([*range(n - 2), n - 1, n - 2], np.int32)
        return raw.Transpose(t, perm)  # type: ignore[no-any-return]

    last = np.array([-1], np.int32)

    def along(t: Tensor) -> Tensor:
        return raw.ExpandDims(raw.Sum(Mul(t, g), last), -2)  # type: ignore[no-any-return]

    by_rhs = AddV2(
        AddV2(shifted(Mul(column(upper), g), False), Mul(column(main), g)), shifted(Mul(column(lower), g), True)
    )
    return [along(shifted(rhs, True)), along(rhs), along(shifted(rhs, False)), by_rhs]
