"""Matrix products, factorisations and solvers on (batches of) matrices, with TensorFlow's gradients."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from hornbeam.core import dtypes, errors
from hornbeam.core.gradients import needed_inputs
from hornbeam.core.graph import InferenceContext, Tensor
from hornbeam.core.lazy import jax, jnp, lax
from hornbeam.core.registry import op, raw
from hornbeam.core.tensor_shape import Shape
from hornbeam.ops import shapes
from hornbeam.ops.broadcasting import BroadcastGradientArgs, conj, like, sum_axes, summed_axes
from hornbeam.ops.math import AddV2, Mul, Neg, Reciprocal, Square, Sub
from hornbeam.ops.xp import xp

_MATRIX = "T: {double, float, half, complex64, complex128}"


# --- products ---------------------------------------------------------------------------------------------------------------------------------
def _check_inner(a: Any, b: Any) -> None:
    if a.shape[-1] != b.shape[-2]:
        raise errors.InvalidArgumentError(
            None, None, f"Matrix size-incompatible: In[0]: {list(a.shape)}, In[1]: {list(b.shape)}"
        )


@op("MatMul(a: T, b: T) -> (product: T); transpose_a: bool = false; transpose_b: bool = false; "
    "T: {bfloat16, half, float, double, int32, int64, uint8, uint16, uint32, uint64, complex64, complex128}", shape=shapes.matmul)  # fmt: skip
def MatMul(a, b, transpose_a, transpose_b):
    for name, x in (("0", a), ("1", b)):
        if x.ndim != 2:
            raise errors.InvalidArgumentError(
                None, None, f"In[{name}] is not a matrix. Instead it has shape {list(x.shape)}"
            )
    a, b = (a.T if transpose_a else a), (b.T if transpose_b else b)
    _check_inner(a, b)
    return xp.matmul(a, b)


@MatMul.gradient
def _(op, g):
    x, y = op._inputs
    ta, tb = op._attrs["transpose_a"], op._attrs["transpose_b"]
    need_x, need_y = needed_inputs(op)
    gx = gy = None
    if need_x:
        y = conj(y)
        gx = MatMul(y, g, transpose_a=tb, transpose_b=True) if ta else MatMul(g, y, transpose_b=not tb)
    if need_y:
        x = conj(x)
        gy = MatMul(g, x, transpose_a=True, transpose_b=ta) if tb else MatMul(x, g, transpose_a=not ta)
    return [gx, gy]


@op("SparseMatMul(a: Ta, b: Tb) -> (product: float); transpose_a: bool = false; transpose_b: bool = false; a_is_sparse: bool = false; "
    "b_is_sparse: bool = false; Ta: {float, bfloat16} = float; Tb: {float, bfloat16} = float", shape=shapes.matmul)  # fmt: skip
def SparseMatMul(a, b, transpose_a, transpose_b):
    """A dense product: the sparsity attributes are hints to TensorFlow's CPU kernel only."""
    return MatMul.kernel(a.astype(np.float32), b.astype(np.float32), transpose_a, transpose_b)  # type: ignore[misc]


@SparseMatMul.gradient
def _(op, g):
    a, b = op.inputs
    ta, tb = op._attrs["transpose_a"], op._attrs["transpose_b"]

    def product(x, y, like_input, **flags):
        p = SparseMatMul(x, y, **flags)
        return p if like_input._dtype._base is dtypes.float32 else raw.Cast(p, DstT=like_input._dtype._base)

    ga = product(b, g, a, transpose_a=tb, transpose_b=True) if ta else product(g, b, a, transpose_b=not tb)
    gb = product(g, a, b, transpose_a=True, transpose_b=ta) if tb else product(a, g, b, transpose_a=not ta)
    return [ga, gb]


def _adjoint_value(x: Any) -> Any:
    return xp.conj(xp.swapaxes(x, -1, -2))


def _batch_matmul(x, y, adj_x, adj_y):
    x, y = (_adjoint_value(x) if adj_x else x), (_adjoint_value(y) if adj_y else y)
    _check_inner(x, y)
    return xp.matmul(x, y)


_BATCH = "adj_x: bool = false; adj_y: bool = false"
_BATCH_TYPES = (
    "T: {bfloat16, half, float, double, int16, int32, int64, uint8, uint16, uint32, uint64, complex64, complex128}"
)
BatchMatMul = op(
    f"BatchMatMul(x: T, y: T) -> (output: T); T: {{bfloat16, half, float, double, int32, int64, complex64, complex128}}; {_BATCH}",
    shape=shapes.batch_matmul,
)(_batch_matmul)
BatchMatMulV2 = op(f"BatchMatMulV2(x: T, y: T) -> (output: T); {_BATCH_TYPES}; {_BATCH}", shape=shapes.batch_matmul)(
    _batch_matmul
)

_V3_TYPES = "{bfloat16, half, float, double, uint8, int8, int16, int32, int64, complex64, complex128}"


@op(f"BatchMatMulV3(x: Ta, y: Tb) -> (output: Tout); Ta: {_V3_TYPES}; Tb: {_V3_TYPES}; "
    f"Tout: {{bfloat16, half, float, double, int16, int32, int64, complex64, complex128}}; {_BATCH}", shape=shapes.batch_matmul)  # fmt: skip
def BatchMatMulV3(x, y, Tout, adj_x, adj_y):
    return _batch_matmul(x.astype(Tout.np), y.astype(Tout.np), adj_x, adj_y)


def mm(a: Tensor, b: Tensor, adj_a: bool = False, adj_b: bool = False) -> Tensor:
    """A (batch) matrix product with conjugate transposes."""
    return BatchMatMulV2(a, b, adj_x=adj_a, adj_y=adj_b)  # type: ignore[no-any-return]


def _batch_matmul_gradients(op, g, product):
    x, y = op._inputs
    adj_x, adj_y = op._attrs["adj_x"], op._attrs["adj_y"]
    if not adj_x:
        gx = product(g, y, adj_x=False, adj_y=not adj_y)
        gy = product(x, g, adj_x=True, adj_y=False) if not adj_y else product(g, x, adj_x=True, adj_y=False)
    else:
        gx = product(y, g, adj_x=adj_y, adj_y=True)
        gy = product(x, g, adj_x=False, adj_y=False) if not adj_y else product(g, x, adj_x=True, adj_y=True)
    return gx, gy


BatchMatMul.gradient(lambda op, g: list(_batch_matmul_gradients(op, g, BatchMatMul)))


def unbroadcast_batch(op: Any, gx: Tensor, gy: Tensor) -> list[Tensor]:
    """Gradients of a batched product summed over the batch dimensions that were broadcast."""
    x, y = op._inputs[:2]
    sx, sy = x._shape, y._shape
    bx, by = (None if s is None else s[:-2] for s in (sx, sy))
    if bx is not None and bx == by and None not in bx:
        return [gx, gy]
    ax, ay = summed_axes(bx, by), summed_axes(by, bx)
    if ax is not None and ay is not None:
        rank = max(len(sx), len(sy))
        return [sum_axes(gx, x, ax, rank), sum_axes(gy, y, ay, rank)]
    nx, ny = raw.Shape(x), raw.Shape(y)
    rx, ry = BroadcastGradientArgs(*(raw.StridedSlice(n, [0], [-2], [1], begin_mask=1) for n in (nx, ny)))
    return [raw.Reshape(raw.Sum(gx, rx), nx), raw.Reshape(raw.Sum(gy, ry), ny)]


BatchMatMulV2.gradient(lambda op, g: unbroadcast_batch(op, *_batch_matmul_gradients(op, g, BatchMatMulV2)))


@BatchMatMulV3.gradient
def _(op, g):
    tx, ty = op._inputs[0]._dtype._base, op._inputs[1]._dtype._base

    def product(a, b, adj_x, adj_y):
        return BatchMatMulV3(a, b, adj_x=adj_x, adj_y=adj_y, Tout=op._attrs["Tout"])

    grads = unbroadcast_batch(op, *_batch_matmul_gradients(op, g, product))
    return [d if d._dtype._base is t else raw.Cast(d, DstT=t) for d, t in zip(grads, (tx, ty), strict=True)]


def _cross_shape(c: InferenceContext) -> list[Shape]:
    out = shapes.merged(c)[0]
    if out is not None and (not out or out[-1] not in (3, None)):
        raise c.fail("Dimension must be 3 but is " + str(out[-1] if out else "missing"))
    return [out]


@op("Cross(a: T, b: T) -> (product: T); T: realnumbertype", shape=_cross_shape)
def Cross(a, b):
    if a.shape != b.shape or a.shape[-1] != 3:
        raise errors.InvalidArgumentError(
            None, None, f"Both inputs must have one shape ending in 3: {list(a.shape)} vs {list(b.shape)}"
        )
    return xp.stack([a[..., i] * b[..., j] - a[..., j] * b[..., i] for i, j in ((1, 2), (2, 0), (0, 1))], axis=-1)


Cross.gradient(lambda op, g: [Cross(op.inputs[1], g), Cross(g, op.inputs[0])])


# --- helpers for kernels and gradients ------------------------------------------------------------------------------------------------------------
def wide(f: Callable[..., Any]) -> Callable[..., Any]:
    """Half precision goes through float32: LAPACK has no half."""

    def kernel(x: Any, *args: Any, **attrs: Any) -> Any:
        x = jnp.asarray(x)
        if x.dtype != jnp.float16:
            return f(x, *(jnp.asarray(a) for a in args), **attrs)
        out = f(x.astype(np.float32), *(jnp.asarray(a).astype(np.float32) for a in args), **attrs)
        return tuple(o.astype(np.float16) for o in out) if isinstance(out, tuple) else out.astype(np.float16)

    return kernel


def adjoint(t: Tensor) -> Tensor:
    """The conjugate transpose of the last two dimensions."""
    if t._shape is None:
        rank = raw.Rank(t)
        perm: Any = raw.ConcatV2([raw.Range(0, Sub(rank, 2), 1), raw.Pack([Sub(rank, 1), Sub(rank, 2)])], 0)
    else:
        n = len(t._shape)
        perm = np.array([*range(n - 2), n - 1, n - 2], np.int32)
    return (raw.ConjugateTranspose if t._dtype.is_complex else raw.Transpose)(t, perm)  # type: ignore[no-any-return]


def columns(t: Tensor, begin: int | None, end: int | None) -> Tensor:
    """t[..., begin:end]"""
    masks = {"begin_mask": 0 if begin is not None else 2, "end_mask": 0 if end is not None else 2, "ellipsis_mask": 1}
    return raw.StridedSlice(t, [0, begin or 0], [0, end or 0], [1, 1], **masks)  # type: ignore[no-any-return]


def _lower(t: Tensor) -> Tensor:
    return raw.MatrixBandPart(t, np.int64(-1), np.int64(0))  # type: ignore[no-any-return]


def _lower_half_diagonal(t: Tensor) -> Tensor:
    """The lower triangle with the diagonal halved."""
    diagonal = raw.MatrixBandPart(t, np.int64(0), np.int64(0))
    return Sub(_lower(t), Mul(like(0.5, t), diagonal))  # type: ignore[no-any-return]


def _no_diagonal(t: Tensor) -> Tensor:
    return Sub(t, raw.MatrixBandPart(t, np.int64(0), np.int64(0)))  # type: ignore[no-any-return]


def _safe_reciprocal(t: Tensor) -> Tensor:
    """1/t, 0 at 0."""
    return Mul(t, Reciprocal(AddV2(Square(t), like(1e-20, t))))  # type: ignore[no-any-return]


def _differences(t: Tensor) -> Tensor:
    """F[i, j] = 1 / (t[j] - t[i]), 0 on the diagonal."""
    return _no_diagonal(_safe_reciprocal(Sub(raw.ExpandDims(t, -2), raw.ExpandDims(t, -1))))


def square_shape(c: InferenceContext, i: int = 0) -> Shape:
    s = shapes.at_least_rank(c, i, 2)
    if s is None:
        return None
    d = shapes.merge_dim(c, s[-2], s[-1])
    return (*s[:-2], d, d)


def _same_square(c: InferenceContext) -> list[Shape]:
    return [square_shape(c)] * c.n_outputs


def _check_square(x: Any) -> None:
    if x.ndim < 2 or x.shape[-1] != x.shape[-2]:
        raise errors.InvalidArgumentError(None, None, f"Input matrix must be square, got {list(x.shape)}")


# --- Cholesky ------------------------------------------------------------------------------------------------------------------------------------
def _cholesky(x):
    _check_square(x)
    return lax.linalg.cholesky(x, symmetrize_input=False)


def _cholesky_grad_value(l, grad):
    middle = jnp.swapaxes(l, -1, -2) @ grad
    middle = jnp.tril(middle) - 0.5 * jnp.tril(jnp.triu(middle))
    left = lax.linalg.triangular_solve(l, middle, left_side=True, lower=True, transpose_a=True)
    out = lax.linalg.triangular_solve(l, left, left_side=False, lower=True)
    return 0.5 * (out + jnp.swapaxes(out, -1, -2))


Cholesky = op(f"Cholesky(input: T) -> (output: T); {_MATRIX}", shape=_same_square)(lambda input: wide(_cholesky)(input))
CholeskyGrad = op("CholeskyGrad(l: T, grad: T) -> (output: T); T: {half, float, double}", shape=_same_square)(
    lambda l, grad: wide(_cholesky_grad_value)(l, grad)
)


@Cholesky.gradient
def _(op, g):
    l = op.outputs[0]
    middle = _lower_half_diagonal(mm(l, g, adj_a=True))
    left = MatrixTriangularSolve(l, middle, adjoint=True)
    out = adjoint(MatrixTriangularSolve(l, adjoint(left), adjoint=True))
    return [Mul(AddV2(out, adjoint(out)), like(0.5, g))]


# --- QR, SVD, eigenvalues ----------------------------------------------------------------------------------------------------------------------------
def _qr_shape(c: InferenceContext) -> list[Shape]:
    s = shapes.at_least_rank(c, 0, 2)
    if s is None:
        return [None, None]
    m, n = s[-2:]
    if c.attr("full_matrices"):
        return [(*s[:-2], m, m), s]
    p = None if m is None or n is None else min(m, n)
    return [(*s[:-2], m, p), (*s[:-2], p, n)]


@op(f"Qr(input: T) -> (q: T, r: T); full_matrices: bool = false; {_MATRIX}", shape=_qr_shape)
def Qr(input, full_matrices):
    return wide(lambda x: tuple(jnp.linalg.qr(x, mode="complete" if full_matrices else "reduced")))(input)


@Qr.gradient
def _(op, dq, dr):
    q, r = op.outputs
    if r._shape is None or None in r._shape[-2:] or q._shape is None or None in q._shape[-2:]:
        raise NotImplementedError("QrGrad not implemented with dynamic shapes.")
    rows, cols = q._shape[-2], r._shape[-1]
    if r._shape[-2] > cols and q._shape[-2] == q._shape[-1]:
        raise NotImplementedError("QrGrad not implemented when nrows > ncols and full_matrices is true.")
    dq = raw.ZerosLike(q) if dq is None else dq
    dr = raw.ZerosLike(r) if dr is None else dr
    if rows >= cols:
        return [_qr_deep(q, r, dq, dr)]
    y = columns(op.inputs[0], rows, None)
    dv = columns(dr, rows, None)
    dx = _qr_deep(q, columns(r, None, rows), AddV2(dq, mm(y, dv, adj_b=True)), columns(dr, None, rows))
    return [raw.ConcatV2([dx, mm(q, dv)], -1)]


def _qr_deep(q, r, dq, dr):
    def solve(x):
        return adjoint(MatrixTriangularSolve(r, adjoint(x), lower=False))

    qdq, rdr = mm(q, dq, adj_a=True), mm(r, dr, adj_b=True)
    tril = _lower(AddV2(Sub(qdq, adjoint(qdq)), Sub(rdr, adjoint(rdr))))
    out = AddV2(mm(q, AddV2(dr, solve(tril))), solve(Sub(dq, mm(q, qdq))))
    if q._dtype.is_complex:
        m = raw.MatrixBandPart(Sub(rdr, adjoint(qdq)), np.int64(0), np.int64(0))
        real = raw.Cast(raw.Real(m, Tout=_real_type(m)), DstT=m._dtype._base)
        out = AddV2(out, solve(mm(q, adjoint(Sub(m, real)))))
    return out


def _real_type(t: Tensor) -> Any:
    return dtypes.float32 if t._dtype._base is dtypes.complex64 else dtypes.float64


def _svd_shape(c: InferenceContext) -> list[Shape]:
    s = shapes.at_least_rank(c, 0, 2)
    uv = c.attr("compute_uv")
    if s is None:
        return [None] * 3 if uv else [None, (0,), (0,)]
    m, n = s[-2:]
    p = None if m is None or n is None else min(m, n)
    if not uv:
        return [(*s[:-2], p), (0,), (0,)]
    if c.attr("full_matrices"):
        return [(*s[:-2], p), (*s[:-2], m, m), (*s[:-2], n, n)]
    return [(*s[:-2], p), (*s[:-2], m, p), (*s[:-2], n, p)]


@op(
    f"Svd(input: T) -> (s: T, u: T, v: T); compute_uv: bool = true; full_matrices: bool = false; {_MATRIX}",
    shape=_svd_shape,
)
def Svd(input, compute_uv, full_matrices):
    def f(x):
        if not compute_uv:
            s = jnp.linalg.svd(x, compute_uv=False)
            return s.astype(x.dtype), jnp.zeros(0, x.dtype), jnp.zeros(0, x.dtype)
        u, s, vh = jnp.linalg.svd(x, full_matrices=full_matrices)
        return s.astype(x.dtype), u, jnp.conj(jnp.swapaxes(vh, -1, -2))

    return wide(f)(input)


@Svd.gradient
def _(op, grad_s, grad_u, grad_v):
    a = op.inputs[0]
    if not op._attrs["compute_uv"]:
        _, u, v = Svd(a)
        return [mm(u, mm(raw.MatrixDiag(grad_s), v, adj_b=True))]
    s, u, v = op.outputs
    grad_s, grad_u, grad_v = (
        raw.ZerosLike(t) if g is None else g for g, t in zip((grad_s, grad_u, grad_v), op.outputs, strict=True)
    )
    if a._shape is None or None in a._shape[-2:]:
        raise NotImplementedError("SVD gradient has not been implemented for input with unknown inner matrix shape.")
    m, n = a._shape[-2:]
    full = op._attrs["full_matrices"]
    tall = m > n
    if tall:  # the gradient of the adjoint, turned back at the end
        m, n, u, v, grad_u, grad_v = n, m, v, u, grad_v, grad_u
    if full and abs(m - n) > 1:
        raise NotImplementedError("svd gradient is not implemented for abs(m - n) > 1 when full_matrices is True")
    s_mat, s_inv = raw.MatrixDiag(s), raw.MatrixDiag(_safe_reciprocal(s))
    f = _differences(Square(s))
    v1, grad_v1 = (v, grad_v) if m == n else (columns(v, None, m), columns(grad_v, None, m))
    v_gv = mm(v1, grad_v1, adj_a=True)
    f_u, f_v = Mul(f, mm(u, grad_u, adj_a=True)), Mul(f, v_gv)
    inner = AddV2(raw.MatrixDiag(grad_s), mm(AddV2(f_u, adjoint(f_u)), s_mat))
    inner = AddV2(inner, mm(s_mat, AddV2(f_v, adjoint(f_v))))
    out = mm(u, mm(inner, v1, adj_b=True))
    if m != n:
        gv1t = adjoint(grad_v1)
        rest = Sub(gv1t, mm(mm(gv1t, v1), v1, adj_b=True))
        if full:
            v2, grad_v2 = columns(v, m, n), columns(grad_v, m, n)
            rest = Sub(rest, mm(mm(v1, grad_v2, adj_a=True), v2, adj_b=True))
        out = AddV2(out, mm(mm(u, s_inv), rest))
    if a._dtype.is_complex:
        l = raw.MatrixBandPart(v_gv, np.int64(0), np.int64(0))
        phase = mm(u, mm(mm(s_inv, Sub(adjoint(l), l)), v1, adj_b=True))
        out = AddV2(out, Mul(like(0.5, phase), phase))
    return [adjoint(out) if tall else out]


def _eigh_shape(c: InferenceContext) -> list[Shape]:
    s = square_shape(c)
    if s is None:
        return [None, None if c.attr("compute_v") else (0,)]
    return [s[:-1], s if c.attr("compute_v") else (0,)]


@op(f"SelfAdjointEigV2(input: T) -> (e: T, v: T); compute_v: bool = true; {_MATRIX}", shape=_eigh_shape)
def SelfAdjointEigV2(input, compute_v):
    def f(x):
        _check_square(x)
        v, e = lax.linalg.eigh(x, lower=True, symmetrize_input=False)
        return e.astype(x.dtype), v if compute_v else jnp.zeros(0, x.dtype)

    return wide(f)(input)


@SelfAdjointEigV2.gradient
def _(op, grad_e, grad_v):
    e, v = op.outputs
    if op._attrs["compute_v"]:
        inner = raw.MatrixDiag(raw.ZerosLike(e) if grad_e is None else grad_e)
        if grad_v is not None:
            inner = AddV2(inner, Mul(_differences(e), mm(v, grad_v, adj_a=True)))
    else:
        v = SelfAdjointEigV2(op.inputs[0])[1]
        inner = raw.MatrixDiag(grad_e)
    out = mm(v, mm(inner, v, adj_b=True))
    return [_lower_half_diagonal(AddV2(out, adjoint(out)))]  # the op reads the lower triangle only


def _old_eigh_shape(c: InferenceContext) -> list[Shape]:
    s = square_shape(c)
    return [None if s is None else (*s[:-2], None if s[-1] is None else s[-1] + 1, s[-1])]


@op("SelfAdjointEig(input: T) -> (output: T); T: {double, float, half}", shape=_old_eigh_shape)
def SelfAdjointEig(input):
    """Eigenvalues in the first row, eigenvectors below."""
    e, v = SelfAdjointEigV2.kernel(input, True)  # type: ignore[misc]
    return jnp.concatenate([e[..., None, :], v], axis=-2)


def _eig_shape(c: InferenceContext) -> list[Shape]:
    return _eigh_shape(c)


@op("Eig(input: T) -> (e: Tout, v: Tout); compute_v: bool = true; T: {float, double, complex64, complex128}; Tout: {complex64, complex128}",
    shape=_eig_shape, host=True)  # fmt: skip
def Eig(input, compute_v, Tout):
    """On the host: LAPACK's general eigenproblem runs on CPUs only."""
    if compute_v:
        e, v = np.linalg.eig(input)
        return e.astype(Tout.np), v.astype(Tout.np)
    return np.linalg.eigvals(input).astype(Tout.np), np.zeros(0, Tout.np)


def _lu_shape(c: InferenceContext) -> list[Shape]:
    s = square_shape(c)
    return [s, None if s is None else s[:-1]]


@op(
    f"Lu(input: T) -> (lu: T, p: output_idx_type); {_MATRIX}; output_idx_type: {{int32, int64}} = int32",
    shape=_lu_shape,
)
def Lu(input, output_idx_type):
    _check_square(input)
    x = jnp.asarray(input)
    lu, _, p = lax.linalg.lu(x.astype(np.float32) if x.dtype == jnp.float16 else x)
    return lu.astype(x.dtype), p.astype(output_idx_type.np)


# --- inverses, determinants, solvers -------------------------------------------------------------------------------------------------------------------
@op(f"MatrixInverse(input: T) -> (output: T); adjoint: bool = false; {_MATRIX}", shape=_same_square)
def MatrixInverse(input, adjoint):
    def f(x):
        _check_square(x)
        return jnp.linalg.inv(_adjoint_value(x) if adjoint else x)

    return wide(f)(input)


@MatrixInverse.gradient
def _(op, g):
    inverse = op.outputs[0]
    if op._attrs["adjoint"]:
        return [Neg(mm(inverse, mm(g, inverse, adj_a=True)))]
    return [Neg(mm(inverse, mm(g, inverse, adj_b=True), adj_a=True))]


def _determinant_shape(c: InferenceContext) -> list[Shape]:
    s = square_shape(c)
    return [None if s is None else s[:-2]] * c.n_outputs


def _determinant(x):
    _check_square(x)
    return jnp.linalg.det(x)


def _log_determinant(x):
    _check_square(x)
    sign, log = jnp.linalg.slogdet(x)
    return sign.astype(x.dtype), log.astype(x.dtype)


_DETERMINANT = "T: {half, float, double, complex64, complex128}"
MatrixDeterminant = op(f"MatrixDeterminant(input: T) -> (output: T); {_DETERMINANT}", shape=_determinant_shape)(
    lambda input: wide(_determinant)(input)
)
LogMatrixDeterminant = op(
    f"LogMatrixDeterminant(input: T) -> (sign: T, log_abs_determinant: T); {_DETERMINANT}", shape=_determinant_shape
)(lambda input: wide(_log_determinant)(input))


def _per_matrix(t: Tensor) -> Tensor:
    return raw.ExpandDims(raw.ExpandDims(t, -1), -1)  # type: ignore[no-any-return]


MatrixDeterminant.gradient(
    lambda op, g: [Mul(_per_matrix(Mul(g, conj(op.outputs[0]))), MatrixInverse(op.inputs[0], adjoint=True))]
)
LogMatrixDeterminant.gradient(
    lambda op, _, g: [None if g is None else Mul(_per_matrix(g), MatrixInverse(op.inputs[0], adjoint=True))]
)


def _solve_shape(c: InferenceContext) -> list[Shape]:
    a, b = square_shape(c), shapes.at_least_rank(c, 1, 2)
    if a is None or b is None:
        return [None]
    shapes.merge_dim(c, a[-1], b[-2])
    batch = shapes.broadcast_shapes(a[:-2], b[:-2], c)
    return [None if batch is None else (*batch, a[-1], b[-1])]


@op(f"MatrixSolve(matrix: T, rhs: T) -> (output: T); adjoint: bool = false; {_MATRIX}", shape=_solve_shape)
def MatrixSolve(matrix, rhs, adjoint):
    def f(a, b):
        _check_square(a)
        if b.size == 0:
            return jnp.zeros(b.shape, b.dtype)
        return jnp.linalg.solve(_adjoint_value(a) if adjoint else a, b)

    return wide(f)(matrix, rhs)


def _solve_gradients(op, g, solve):
    """(by matrix, by right side)"""
    adjoint_a, x = op._attrs["adjoint"], op.outputs[0]
    by_b = solve(not adjoint_a)
    by_a = Neg(mm(x, by_b, adj_b=True) if adjoint_a else mm(by_b, x, adj_b=True))
    return by_a, by_b


@MatrixSolve.gradient
def _(op, g):
    return list(_solve_gradients(op, g, lambda adjoint: MatrixSolve(op.inputs[0], g, adjoint=adjoint)))


@op("MatrixTriangularSolve(matrix: T, rhs: T) -> (output: T); lower: bool = true; adjoint: bool = false; "
    "T: {bfloat16, double, float, half, complex64, complex128}", shape=_solve_shape)  # fmt: skip
def MatrixTriangularSolve(matrix, rhs, lower, adjoint):
    def f(a, b):
        _check_square(a)
        batch = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
        a, b = (jnp.broadcast_to(x, (*batch, *x.shape[-2:])) for x in (a, b))
        return lax.linalg.triangular_solve(a, b, left_side=True, lower=lower, transpose_a=adjoint, conjugate_a=adjoint)

    dtype = np.dtype(matrix.dtype)
    if dtype.itemsize == 2:
        return f(jnp.asarray(matrix).astype(np.float32), jnp.asarray(rhs).astype(np.float32)).astype(dtype)
    return f(jnp.asarray(matrix), jnp.asarray(rhs))


@MatrixTriangularSolve.gradient
def _(op, g):
    lower = op._attrs["lower"]
    by_a, by_b = _solve_gradients(
        op, g, lambda adjoint: MatrixTriangularSolve(op.inputs[0], g, lower=lower, adjoint=adjoint)
    )
    bounds = (-1, 0) if lower else (0, -1)
    by_a = raw.MatrixBandPart(by_a, *(np.int64(b) for b in bounds))
    return unbroadcast_batch(op, by_a, by_b)


def _least_squares_shape(c: InferenceContext) -> list[Shape]:
    a, b = shapes.at_least_rank(c, 0, 2), shapes.at_least_rank(c, 1, 2)
    if a is None or b is None:
        return [None]
    shapes.merge_dim(c, a[-2], b[-2])
    batch = shapes.broadcast_shapes(a[:-2], b[:-2], c)
    return [None if batch is None else (*batch, a[-1], b[-1])]


@op(
    f"MatrixSolveLs(matrix: T, rhs: T, l2_regularizer: double) -> (output: T); {_MATRIX}; fast: bool = true",
    shape=_least_squares_shape,
)
def MatrixSolveLs(matrix, rhs, l2_regularizer, fast):
    """Least squares by the normal equations, or (not fast) by an orthogonal factorisation, which knows no regularizer."""

    def f(a, b):
        if not fast:
            return jnp.linalg.pinv(a) @ b
        m, n = a.shape[-2:]
        ah = _adjoint_value(a)
        ridge = jnp.asarray(l2_regularizer).astype(a.dtype) * jnp.eye(min(m, n), dtype=a.dtype)
        if m >= n:
            return jnp.linalg.solve(ah @ a + ridge, ah @ b)
        return ah @ jnp.linalg.solve(a @ ah + ridge, b)

    return wide(f)(matrix, rhs)


@MatrixSolveLs.gradient
def _(op, g):
    a, b = op.inputs[:2]
    if not op._attrs["fast"]:
        raise ValueError("Gradient not defined for fast=False")
    if a._shape is None or None in a._shape[-2:]:
        raise NotImplementedError("The gradient of MatrixSolveLs needs the matrix's static shape.")
    m, n = a._shape[-2:]
    ridge = raw.Cast(op.inputs[2], DstT=a._dtype._base)
    eye = np.eye(min(m, n), dtype=a._dtype.np)
    gramian = AddV2(mm(a, a, adj_a=m >= n, adj_b=m < n), Mul(ridge, raw.Cast(eye, DstT=a._dtype._base)))
    if m >= n:
        z = MatrixSolve(gramian, g)
        xz = mm(op.outputs[0], z, adj_b=True)
        return [Sub(mm(b, z, adj_b=True), mm(a, AddV2(xz, adjoint(xz)))), mm(a, z), None]
    by_b = MatrixSolve(gramian, mm(a, g))
    y = MatrixSolve(gramian, b)
    first = mm(by_b, mm(y, a, adj_a=True))
    second = mm(y, Sub(g, mm(a, by_b, adj_a=True)), adj_b=True)
    return [Sub(second, first), by_b, None]


# --- functions of matrices -----------------------------------------------------------------------------------------------------------------------------
@op(f"MatrixExponential(input: T) -> (output: T); {_MATRIX}", shape=_same_square)
def MatrixExponential(input):
    def f(x):
        _check_square(x)
        return x if x.size == 0 else jax.scipy.linalg.expm(x)

    return wide(f)(input)


def _each_matrix(name: str) -> Callable[[Any], Any]:
    """SciPy's function of a matrix, on the host, for each matrix of a batch."""

    def kernel(input: Any) -> Any:
        import scipy.linalg

        _check_square(input)
        x = input.astype(np.float32) if input.dtype == np.float16 else input
        out = [getattr(scipy.linalg, name)(m) for m in x.reshape((-1, *x.shape[-2:]))]
        result = np.array(out).reshape(x.shape) if out else x
        return (result.real if input.dtype.kind != "c" else result).astype(input.dtype)

    return kernel


MatrixLogarithm = op(
    "MatrixLogarithm(input: T) -> (output: T); T: {complex64, complex128}", shape=_same_square, host=True
)(_each_matrix("logm"))
MatrixSquareRoot = op(f"MatrixSquareRoot(input: T) -> (output: T); {_MATRIX}", shape=_same_square, host=True)(
    _each_matrix("sqrtm")
)


@MatrixSquareRoot.gradient
def _(op, g):
    """Solves R* X + X R* = G, written row by row as one linear system."""
    r = op.outputs[0]
    if r._shape is None or r._shape[-1] is None:
        raise NotImplementedError("The gradient of MatrixSquareRoot needs the matrix's static size.")
    n = r._shape[-1]
    batch = raw.StridedSlice(raw.Shape(r), [0], [-2], [1], begin_mask=1)
    eye = raw.Cast(np.eye(n, dtype=r._dtype.np), DstT=r._dtype._base)

    def kron(a, b, axes_a, axes_b):
        for axis in axes_a:
            a = raw.ExpandDims(a, axis)
        for axis in axes_b:
            b = raw.ExpandDims(b, axis)
        return raw.Reshape(Mul(a, b), raw.ConcatV2([batch, [n * n, n * n]], 0))

    eye_rows = eye_cols = eye
    left = kron(adjoint(r), eye_rows, (-2, -1), (-3, -2))  # (a ⊗ I)[i k, j l] = a[i, j] I[k, l]
    right = kron(eye_cols, conj(r), (-2, -1), (-3, -2))
    x = MatrixSolve(AddV2(left, right), raw.Reshape(g, raw.ConcatV2([batch, [n * n, 1]], 0)))
    return [raw.Reshape(x, raw.Shape(r))]
