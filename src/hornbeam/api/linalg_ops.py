"""`tf.matmul`, `tf.tensordot`, `tf.einsum`, `tf.norm` and `tf.linalg.*`: linear algebra under TensorFlow 1's names and node names."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from hornbeam.api.math_ops import cast, conj, real
from hornbeam.api.reduction_ops import one_of, reduce_max, reduce_sum
from hornbeam.core import dtypes
from hornbeam.core.constant import constant_value
from hornbeam.core.graph import Tensor, convert_to_tensor, name_scope
from hornbeam.core.registry import raw


# --- products ------------------------------------------------------------------------------------------------------------------------------
def matmul(
    a: Any, b: Any, transpose_a: bool = False, transpose_b: bool = False, adjoint_a: bool = False, adjoint_b: bool = False,
    a_is_sparse: bool = False, b_is_sparse: bool = False, name: str | None = None,
) -> Tensor:  # fmt: skip
    """The product of matrices, or of batches of matrices (rank above 2). `*_is_sparse` hints choose the SparseMatMul op."""
    with name_scope(name, "MatMul", [a, b]) as scope:
        for which, t, h in (("a", transpose_a, adjoint_a), ("b", transpose_b, adjoint_b)):
            if t and h:
                raise ValueError(f"Only one of `transpose_{which}` and `adjoint_{which}` can be True.")
        a = convert_to_tensor(a, name="a")
        b = convert_to_tensor(b, dtype_hint=a.dtype.base_dtype, name="b")
        batched = a._shape is None or len(a._shape) > 2 or b._shape is None or len(b._shape) > 2
        if batched and not a_is_sparse and not b_is_sparse:
            # the batch op knows adjoints only: a transpose is the adjoint of the conjugate
            a, b = (conj(a) if transpose_a else a), (conj(b) if transpose_b else b)
            return raw.BatchMatMulV2(a, b, adj_x=transpose_a or adjoint_a, adj_y=transpose_b or adjoint_b, name=scope)  # type: ignore[no-any-return]
        a, b = (conj(a) if adjoint_a else a), (conj(b) if adjoint_b else b)
        flags = {"transpose_a": transpose_a or adjoint_a, "transpose_b": transpose_b or adjoint_b}
        sparse_types = (dtypes.bfloat16, dtypes.float32)
        if (a_is_sparse or b_is_sparse) and a.dtype.base_dtype in sparse_types and b.dtype.base_dtype in sparse_types:
            return raw.SparseMatMul(a, b, a_is_sparse=a_is_sparse, b_is_sparse=b_is_sparse, name=scope, **flags)  # type: ignore[no-any-return]
        return raw.MatMul(a, b, name=scope, **flags)  # type: ignore[no-any-return]


def sparse_matmul(
    a: Any, b: Any, transpose_a: bool = False, transpose_b: bool = False, a_is_sparse: bool = False, b_is_sparse: bool = False,
    name: str | None = None,
) -> Tensor:  # fmt: skip
    """The SparseMatMul op, whatever the hints."""
    return raw.SparseMatMul(  # type: ignore[no-any-return]
        a,
        b,
        transpose_a=transpose_a,
        transpose_b=transpose_b,
        a_is_sparse=a_is_sparse,
        b_is_sparse=b_is_sparse,
        name=name,
    )


def matvec(
    a: Any, b: Any, transpose_a: bool = False, adjoint_a: bool = False, a_is_sparse: bool = False, b_is_sparse: bool = False,
    name: str | None = None,
) -> Tensor:  # fmt: skip
    """Matrix `a` times vector `b`, over batch dimensions."""
    with name_scope(name, "MatVec", [a, b]):
        out = matmul(
            a,
            raw.ExpandDims(b, -1),
            transpose_a=transpose_a,
            adjoint_a=adjoint_a,
            a_is_sparse=a_is_sparse,
            b_is_sparse=b_is_sparse,
        )
        return raw.Squeeze(out, squeeze_dims=[-1])  # type: ignore[no-any-return]


def _axes_of_tensordot(a: Tensor, axes: Any) -> tuple[Any, Any]:
    if isinstance(axes, (int, np.integer)):
        if axes < 0:
            raise ValueError(f"`axes` must be at least 0. Received: {axes}.")
        if a._shape is not None:
            if axes > len(a._shape):
                raise ValueError(
                    f"`axes` must not be larger than the number of dimensions of tensor {a}. Received {axes}."
                )
            return list(range(len(a._shape) - int(axes), len(a._shape))), list(range(int(axes)))
        rank = raw.Rank(a)
        return raw.Range(raw.Sub(rank, int(axes)), rank, 1), raw.Range(0, int(axes), 1)
    if isinstance(axes, (list, tuple)):
        if len(axes) != 2:
            raise ValueError(f"`axes` must be an integer or have length 2. Received {axes}.")
        first, second = ([v] if isinstance(v, (int, np.integer)) else v for v in axes)
        if not isinstance(first, Tensor) and not isinstance(second, Tensor) and len(first) != len(second):
            raise ValueError(f"Different number of contraction axes `a` and `b`, {len(first)} != {len(second)}.")
        return first, second
    axes = convert_to_tensor(axes, dtypes.int32, name="axes")
    known = constant_value(axes)
    return (list(known[0]), list(known[1])) if known is not None else (axes[0], axes[1])


def _matrix_of(x: Tensor, axes: Any, flip: bool) -> tuple[Tensor, Any, Any]:
    """x as a matrix of its free by its contracted axes (the other way round if `flip`); also the free sizes, static and as a tensor or list."""
    if x._shape is not None and not isinstance(axes, Tensor):
        rank = len(x._shape)
        contracted = [int(i) % rank for i in axes]
        free = [i for i in range(rank) if i not in contracted]
        perm = contracted + free if flip else free + contracted
        sizes = [x._shape[i] for i in free]
        if None not in x._shape:
            n_free, n_contracted = (
                int(np.prod([x._shape[i] for i in group], dtype=np.int64)) for group in (free, contracted)
            )
            target: Any = [n_contracted, n_free] if flip else [n_free, n_contracted]
            free_sizes: Any = sizes
        else:
            shape = raw.Shape(x)
            free_sizes = raw.GatherV2(shape, np.array(free, np.int32), 0)
            groups = [raw.Prod(free_sizes, [0]), raw.Prod(raw.GatherV2(shape, np.array(contracted, np.int32), 0), [0])]
            target = raw.Pack(groups[::-1] if flip else groups)
        moved = x if perm == list(range(rank)) else raw.Transpose(x, perm)
        return raw.Reshape(moved, target), free_sizes, sizes
    rank, shape = raw.Rank(x), raw.Shape(x)
    axes = convert_to_tensor(axes, dtypes.int32, name="axes")
    axes = raw.SelectV2(raw.GreaterEqual(axes, 0), axes, raw.AddV2(axes, rank))
    rest = raw.ListDiff(raw.Range(0, rank, 1), axes)[0]
    free_sizes, contracted_sizes = raw.GatherV2(shape, rest, 0), raw.GatherV2(shape, axes, 0)
    groups = [raw.Prod(free_sizes, [0]), raw.Prod(contracted_sizes, [0])]
    perm_t = raw.ConcatV2([axes, rest] if flip else [rest, axes], 0)
    return raw.Reshape(raw.Transpose(x, perm_t), raw.Pack(groups[::-1] if flip else groups)), free_sizes, None


def tensordot(a: Any, b: Any, axes: Any, name: str | None = None) -> Tensor:
    """The sum of products over the given axes: an int N (a's last N, b's first N) or two lists of axes."""
    with name_scope(name, "Tensordot", [a, b, axes]) as scope:
        a, b = convert_to_tensor(a, name="a"), convert_to_tensor(b, name="b")
        axes_a, axes_b = _axes_of_tensordot(a, axes)
        matrix_a, free_a, static_a = _matrix_of(a, axes_a, False)
        matrix_b, free_b, static_b = _matrix_of(b, axes_b, True)
        product = matmul(matrix_a, matrix_b)
        if isinstance(free_a, list) and isinstance(free_b, list):
            if product.get_shape().as_list() == free_a + free_b:
                return product
            return raw.Reshape(product, np.array(free_a + free_b, np.int32), name=scope)  # type: ignore[no-any-return]
        sizes = [
            convert_to_tensor(np.array(f, np.int32) if isinstance(f, list) else f, dtypes.int32)
            for f in (free_a, free_b)
        ]
        out = raw.Reshape(product, raw.ConcatV2(sizes, 0), name=scope)
        if static_a is not None and static_b is not None:
            out.set_shape(static_a + static_b)
        return out  # type: ignore[no-any-return]


def einsum(equation: str, *inputs: Any, **kwargs: Any) -> Tensor:
    """The contraction `equation` says, e.g. `"ij,jk->ik"`; without `->` the labels that stand once are kept, in alphabetical order."""
    name = kwargs.pop("name", None)
    kwargs.pop("optimize", None)
    if kwargs:
        raise TypeError(f"Invalid keyword arguments for this function: {', '.join(sorted(kwargs))}.")
    with name_scope(name, "einsum", [equation, *inputs]):
        if len(inputs) == 1 and isinstance(inputs[0], (list, tuple)):
            inputs = tuple(inputs[0])
        if not inputs:
            raise ValueError("At least one input to einsum is required.")
        tensors = [convert_to_tensor(t, name=f"inputs_{i}") for i, t in enumerate(inputs)]
        terms, out = _subscripts(equation, tensors)
        while len(tensors) > 2:  # TensorFlow's op takes two: contract pairs, keeping the labels that are needed later
            later = "".join([out, *terms[2:]])
            kept = "".join(dict.fromkeys(c for c in (terms[0] + terms[1]).replace("...", "") if c in later))
            kept = ("..." if "..." in terms[0] + terms[1] else "") + kept
            pair = raw.Einsum(tensors[:2], equation=f"{terms[0]},{terms[1]}->{kept}")
            tensors, terms = [pair, *tensors[2:]], [kept, *terms[2:]]
        return raw.Einsum(tensors, equation=f"{','.join(terms)}->{out}")  # type: ignore[no-any-return]


def _subscripts(equation: str, tensors: Sequence[Tensor]) -> tuple[list[str], str]:
    left, arrow, out = equation.replace(" ", "").partition("->")
    terms = left.split(",")
    if len(terms) != len(tensors):
        raise ValueError(f"Got {len(tensors)} arguments for equation '{equation}', expecting {len(terms)}.")
    if not arrow:
        labels = left.replace(",", "").replace("...", "")
        out = ("..." if "..." in left else "") + "".join(sorted(c for c in set(labels) if labels.count(c) == 1))
    for c in out.replace("...", ""):
        if not c.isalpha() or c not in left:
            raise ValueError(f"Label '{c}' of the output of einsum equation '{equation}' stands in no input.")
    for term, t in zip(terms, tensors, strict=True):
        n = len(term.replace("...", ""))
        if t._shape is not None and (len(t._shape) < n or "..." not in term and len(t._shape) != n):
            raise ValueError(f"Einsum equation '{equation}': {term!r} does not fit a tensor of shape {t.shape}.")
    return terms, out


# --- matrices -------------------------------------------------------------------------------------------------------------------------------
def eye(
    num_rows: Any,
    num_columns: Any = None,
    batch_shape: Any = None,
    dtype: Any = dtypes.float32,
    name: str | None = None,
) -> Tensor:
    """The identity matrix (or a batch of them), not necessarily square."""
    with name_scope(name, "eye", [num_rows, num_columns, batch_shape]):
        dtype = dtypes.as_dtype(dtype)
        square = num_columns is None
        columns = num_rows if square else num_columns
        batch: Any = [] if batch_shape is None else batch_shape
        if isinstance(num_rows, Tensor) or isinstance(columns, Tensor):
            size: Any = raw.Minimum(num_rows, columns)
        else:
            square = num_rows == columns
            size = min(int(num_rows), int(columns))
        one, zero = (np.asarray(v, dtype.np) for v in (1, 0))
        if isinstance(batch, Tensor) or isinstance(size, Tensor):
            batch = convert_to_tensor(
                np.array(batch, np.int32) if isinstance(batch, (list, tuple)) else batch, dtypes.int32, name="shape"
            )
            diagonal: Any = raw.ConcatV2([batch, raw.Pack([size])], 0)
            whole: Any = raw.ConcatV2([batch, raw.Pack([num_rows, columns])], 0)
        else:
            batch = [int(d) for d in batch]
            diagonal = np.array([*batch, size], np.int32)
            whole = np.array([*batch, int(num_rows), int(columns)], np.int32)
        ones = raw.Fill(diagonal, convert_to_tensor(one, dtype))
        if square:
            return raw.MatrixDiag(ones, name="diag")  # type: ignore[no-any-return]
        return raw.MatrixSetDiag(raw.Fill(whole, convert_to_tensor(zero, dtype)), ones, name="set_diag")  # type: ignore[no-any-return]


def trace(x: Any, name: str | None = None) -> Tensor:
    """The sum of the main diagonal of each matrix."""
    with name_scope(name, "Trace", [x]) as scope:
        x = convert_to_tensor(x, name="x")
        return reduce_sum(raw.MatrixDiagPart(x), [-1], name=scope)  # type: ignore[no-any-return]


def norm(
    tensor: Any,
    ord: Any = "euclidean",
    axis: Any = None,
    keepdims: Any = None,
    name: str | None = None,
    keep_dims: Any = None,  # noqa: A002
) -> Tensor:
    """The norm of vectors (axis an int, or None for the whole tensor) or matrices (axis two ints): euclidean, fro, 1, 2, inf or any p > 0."""
    keepdims = bool(one_of("keepdims", keepdims, "keep_dims", keep_dims))
    matrix = isinstance(axis, (tuple, list)) and len(axis) == 2
    if matrix:
        axis = tuple(axis)
        if not isinstance(axis[0], int) or not isinstance(axis[1], int) or axis[0] == axis[1]:
            raise ValueError(f"`axis` must be None, an integer, or a tuple of 2 unique integers, got {axis}")
        if ord not in ("euclidean", "fro", 1, 2, np.inf):
            raise ValueError(f"'ord' must be a supported matrix norm in ['euclidean', 'fro', 1, 2, inf], got {ord}")
    else:
        if not (isinstance(axis, int) or axis is None):
            raise ValueError(f"'axis' must be None, an integer, or a tuple of 2 unique integers, got {axis}")
        if ord != "euclidean" and (isinstance(ord, str) or ord <= 0):
            raise ValueError(f"'ord' must be a supported vector norm, got {ord}")
        axis = None if axis is None else (axis,)
    with name_scope(name, "norm", [tensor]):
        x = convert_to_tensor(tensor)
        if matrix and ord == 2:
            out = _spectral_norm(x, axis)
        elif ord in ("fro", "euclidean", 2):
            out = raw.Sqrt(reduce_sum(raw.Mul(x, conj(x)), axis, keepdims=True))
        else:
            size = raw.ComplexAbs(x, Tout=x.dtype.real_dtype) if x.dtype.is_complex else raw.Abs(x)
            if ord == 1:
                out = reduce_sum(size, None if axis is None else axis[0], keepdims=True)
                out = reduce_max(out, axis[-1], keepdims=True) if matrix else out
            elif ord == np.inf:
                size = reduce_sum(size, axis[1], keepdims=True) if matrix else size
                out = reduce_max(size, None if axis is None else axis[0], keepdims=True)
            else:
                p = np.asarray(ord, size.dtype.np)
                out = raw.Pow(reduce_sum(raw.Pow(size, p), axis, keepdims=True), np.asarray(1.0 / ord, size.dtype.np))
        return out if keepdims else raw.Squeeze(out, squeeze_dims=[] if axis is None else list(axis))  # type: ignore[no-any-return]


def _spectral_norm(x: Tensor, axis: tuple[int, int]) -> Tensor:
    """The largest singular value over two axes, which stay with size 1."""
    if x._shape is None:
        raise ValueError("The 2-norm of matrices needs a tensor of known rank.")
    rank = len(x._shape)
    rows, columns = (a % rank for a in axis)
    perm = [i for i in range(rank) if i not in (rows, columns)] + [rows, columns]
    s = raw.Svd(raw.Transpose(x, perm), compute_uv=False)[0]
    out = raw.ExpandDims(reduce_max(s, axis=-1, keepdims=True), -1)
    return raw.Transpose(out, [int(i) for i in np.argsort(perm)])  # type: ignore[no-any-return]


def normalize(tensor: Any, ord: Any = "euclidean", axis: Any = None, name: str | None = None) -> tuple[Tensor, Tensor]:  # noqa: A002
    """(tensor / its norm, the norm)."""
    with name_scope(name, "normalize", [tensor]):
        x = convert_to_tensor(tensor)
        size = cast(norm(x, ord, axis, keepdims=True), x.dtype)
        return raw.RealDiv(x, size, name="truediv"), size


def adjoint(matrix: Any, name: str | None = None) -> Tensor:
    """The conjugate transpose of the last two dimensions."""
    from hornbeam.ops.linalg import adjoint as of

    with name_scope(name, "adjoint", [matrix]):
        return of(convert_to_tensor(matrix, name="matrix"))


# --- factorisations and solvers -----------------------------------------------------------------------------------------------------------------
def _one(name: str, op: str) -> Callable[..., Any]:
    def function(input: Any, name: str | None = None) -> Any:
        return getattr(raw, op)(input, name=name)

    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"{op} of each matrix."
    return function


cholesky, matrix_determinant, matrix_square_root = (
    _one("cholesky", "Cholesky"), _one("matrix_determinant", "MatrixDeterminant"), _one("matrix_square_root", "MatrixSquareRoot"),
)  # fmt: skip
logm = _one("logm", "MatrixLogarithm")


def slogdet(input: Any, name: str | None = None) -> list[Tensor]:
    """(sign, log of the absolute value) of each matrix's determinant."""
    return raw.LogMatrixDeterminant(input, name=name)  # type: ignore[no-any-return]


def matrix_inverse(input: Any, adjoint: bool = False, name: str | None = None) -> Tensor:
    """The inverse of each matrix (of its adjoint)."""
    return raw.MatrixInverse(input, adjoint=adjoint, name=name)  # type: ignore[no-any-return]


def matrix_solve(matrix: Any, rhs: Any, adjoint: bool = False, name: str | None = None) -> Tensor:
    """X with matrix · X = rhs."""
    return raw.MatrixSolve(matrix, rhs, adjoint=adjoint, name=name)  # type: ignore[no-any-return]


def matrix_triangular_solve(
    matrix: Any, rhs: Any, lower: bool = True, adjoint: bool = False, name: str | None = None
) -> Tensor:
    """X with matrix · X = rhs, where only a triangle of the matrix counts."""
    with name_scope(name, "triangular_solve", [matrix, rhs]):
        return raw.MatrixTriangularSolve(matrix, rhs, lower=lower, adjoint=adjoint)  # type: ignore[no-any-return]


def matrix_solve_ls(
    matrix: Any, rhs: Any, l2_regularizer: Any = 0.0, fast: bool = True, name: str | None = None
) -> Tensor:
    """The least-squares solution of matrix · X = rhs."""
    with name_scope(name, "matrix_solve_ls", [matrix, rhs]) as scope:
        regularizer = convert_to_tensor(l2_regularizer, dtypes.float64, name="l2_regularizer")
        return raw.MatrixSolveLs(matrix, rhs, regularizer, fast=fast, name=scope)  # type: ignore[no-any-return]


def cholesky_solve(chol: Any, rhs: Any, name: str | None = None) -> Tensor:
    """X with A · X = rhs, given A's Cholesky factor."""
    with name_scope(name, "cholesky_solve", [chol, rhs]):
        y = raw.MatrixTriangularSolve(chol, rhs, adjoint=False, lower=True)
        return raw.MatrixTriangularSolve(chol, y, adjoint=True, lower=True)  # type: ignore[no-any-return]


def logdet(matrix: Any, name: str | None = None) -> Tensor:
    """log det of hermitian positive definite matrices."""
    with name_scope(name, "logdet", [matrix]):
        diagonal = raw.MatrixDiagPart(raw.Cholesky(matrix))
        return 2.0 * reduce_sum(raw.Log(real(diagonal)), axis=[-1])  # type: ignore[no-any-return]


def svd(tensor: Any, full_matrices: bool = False, compute_uv: bool = True, name: str | None = None) -> Any:
    """(s, u, v) with tensor = u · diag(s) · vᴴ, or s alone."""
    s, u, v = raw.Svd(tensor, compute_uv=compute_uv, full_matrices=full_matrices, name=name)
    if s.dtype.is_complex:
        s = raw.Real(s, Tout=s.dtype.real_dtype)
    return (s, u, v) if compute_uv else s


def qr(input: Any, full_matrices: bool = False, name: str | None = None) -> list[Tensor]:
    """(q, r): an orthonormal and an upper triangular factor."""
    return raw.Qr(input, full_matrices=full_matrices, name=name)  # type: ignore[no-any-return]


def self_adjoint_eig(tensor: Any, name: str | None = None) -> tuple[Tensor, Tensor]:
    """(eigenvalues in ascending order, eigenvectors in columns) of self-adjoint matrices."""
    e, v = raw.SelfAdjointEigV2(tensor, compute_v=True, name=name)
    return e, v


def self_adjoint_eigvals(tensor: Any, name: str | None = None) -> Tensor:
    """The eigenvalues of self-adjoint matrices in ascending order."""
    return raw.SelfAdjointEigV2(tensor, compute_v=False, name=name)[0]  # type: ignore[no-any-return]


def lu(input: Any, output_idx_type: Any = dtypes.int32, name: str | None = None) -> list[Tensor]:
    """(both triangular factors in one matrix, the permutation of rows)."""
    return raw.Lu(input, output_idx_type=output_idx_type, name=name)  # type: ignore[no-any-return]


def expm(input: Any, name: str | None = None) -> Tensor:
    """The exponential of each matrix: Padé approximation of degree 13 after scaling, squared back (Higham 2005). Differentiable."""
    with name_scope(name, "matrix_exponential", [input]):
        a = convert_to_tensor(input, name="input")
        if a._shape is None or a._shape[-1] is None:
            raise ValueError(f"matrix_exponential needs matrices of known size, got shape {a.shape}")
        t = a.dtype.base_dtype
        real_t = t.real_dtype if t.is_complex else t
        size = raw.ComplexAbs(a, Tout=real_t) if t.is_complex else raw.Abs(a)
        largest = reduce_max(reduce_sum(size, axis=[-2]), axis=[-1])
        squarings = raw.Maximum(
            raw.Floor(raw.Log(largest / np.asarray(5.371920351148152, real_t.np)) / np.asarray(np.log(2.0), real_t.np))
            + np.asarray(1, real_t.np),
            np.asarray(0, real_t.np),
        )
        squarings = raw.StopGradient(raw.Maximum(reduce_max(squarings), np.asarray(0, real_t.np)))
        a = a / raw.Cast(raw.Pow(np.asarray(2, real_t.np), squarings), DstT=t)
        ident = cast(np.eye(a._shape[-1]), t)
        c = [64764752532480000.0, 32382376266240000.0, 7771770303897600.0, 1187353796428800.0, 129060195264000.0, 10559470521600.0,
             670442572800.0, 33522128640.0, 1323241920.0, 40840800.0, 960960.0, 16380.0, 182.0, 1.0]  # fmt: skip
        k = [np.asarray(v, t.np) for v in c]
        a2 = matmul(a, a)
        a4 = matmul(a2, a2)
        a6 = matmul(a4, a2)
        u = matmul(
            a, matmul(a6, k[13] * a6 + k[11] * a4 + k[9] * a2) + k[7] * a6 + k[5] * a4 + k[3] * a2 + k[1] * ident
        )
        v = matmul(a6, k[12] * a6 + k[10] * a4 + k[8] * a2) + k[6] * a6 + k[4] * a4 + k[2] * a2 + k[0] * ident
        return _squared(raw.MatrixSolve(v - u, v + u), cast(squarings, dtypes.int32))


def _squared(x: Tensor, times: Tensor) -> Tensor:
    """x squared `times` times."""
    from hornbeam.api.control_flow_ops import while_loop

    return while_loop(lambda i, _: i < times, lambda i, m: (i + 1, matmul(m, m)), [0, x])[1]  # type: ignore[no-any-return]


_NAMES = {
    "matmul": "linalg.matmul", "sparse_matmul": None, "tensordot": "linalg.tensordot", "einsum": "linalg.einsum", "eye": "linalg.eye", "trace": "linalg.trace",
    "norm": "linalg.norm", "cholesky": "linalg.cholesky", "matrix_determinant": "linalg.det", "matrix_square_root": "linalg.sqrtm",
    "matrix_inverse": "linalg.inv", "matrix_solve": "linalg.solve", "matrix_triangular_solve": "linalg.triangular_solve",
    "matrix_solve_ls": "linalg.lstsq", "cholesky_solve": "linalg.cholesky_solve", "svd": "linalg.svd", "qr": "linalg.qr",
    "self_adjoint_eig": "linalg.eigh", "self_adjoint_eigvals": "linalg.eigvalsh",
}  # fmt: skip
__tf_exports__ = {n: n for n in _NAMES} | {alias: n for n, alias in _NAMES.items() if alias}
__tf_exports__ |= {
    f"linalg.{n}": n for n in ("matvec", "normalize", "adjoint", "logm", "slogdet", "logdet", "lu", "expm")
}
__tf_exports__["cross"] = __tf_exports__["linalg.cross"] = "cross"


def cross(a: Any, b: Any, name: str | None = None) -> Tensor:
    """The cross product over the last dimension, of size 3."""
    return raw.Cross(a, b, name=name)  # type: ignore[no-any-return]


# --- what is composed of the above -----------------------------------------------------------------------------------------------------
def lu_reconstruct(lower_upper: Any, perm: Any, validate_args: bool = False, name: str | None = None) -> Tensor:
    """The matrix whose `lu` factors and permutation these are."""
    with name_scope(name, "lu_reconstruct", [lower_upper, perm]):
        factors, perm = convert_to_tensor(lower_upper, name="lower_upper"), convert_to_tensor(perm, name="perm")
        if factors._shape is None or len(factors._shape) != 2:
            raise NotImplementedError("lu_reconstruct takes one matrix, not a batch.")
        if validate_args:
            _check_lu(factors, perm)
        upper = raw.MatrixBandPart(factors, np.int64(0), np.int64(-1))
        strictly_lower = raw.Sub(factors, upper)
        product = raw.AddV2(raw.MatMul(strictly_lower, upper), upper)
        return raw.GatherV2(product, raw.InvertPermutation(perm), 0)  # type: ignore[no-any-return]


def _check_lu(factors: Tensor, perm: Tensor) -> None:
    a, b = factors._shape, perm._shape
    if a is not None and len(a) < 2 or a is not None and b is not None and len(b) != len(a) - 1:
        raise ValueError(f"Input `lower_upper` must have at least 2 dimensions and `perm` one less: {a}, {b}")
    if a is not None and None not in a[-2:] and a[-1] != a[-2]:
        raise ValueError(f"Input `lower_upper` must be square: {a}")


def lu_solve(lower_upper: Any, perm: Any, rhs: Any, validate_args: bool = False, name: str | None = None) -> Tensor:
    """X with A · X = rhs, given A's `lu` factors and permutation."""
    with name_scope(name, "lu_solve", [lower_upper, perm, rhs]):
        factors, perm = convert_to_tensor(lower_upper, name="lower_upper"), convert_to_tensor(perm, name="perm")
        rhs = convert_to_tensor(rhs, dtype_hint=factors.dtype.base_dtype, name="rhs")
        if factors._shape is None or len(factors._shape) != 2:
            raise NotImplementedError("lu_solve takes one matrix, not a batch.")
        if validate_args:
            _check_lu(factors, perm)
        permuted = raw.GatherV2(rhs, perm, 0)
        unit = raw.MatrixSetDiag(factors, raw.OnesLike(raw.MatrixDiagPart(factors)))
        y = raw.MatrixTriangularSolve(unit, permuted, lower=True)
        return raw.MatrixTriangularSolve(factors, y, lower=False)  # type: ignore[no-any-return]


def lu_matrix_inverse(lower_upper: Any, perm: Any, validate_args: bool = False, name: str | None = None) -> Tensor:
    """The inverse of the matrix whose `lu` factors and permutation these are."""
    with name_scope(name, "lu_matrix_inverse", [lower_upper, perm]):
        factors = convert_to_tensor(lower_upper, name="lower_upper")
        if factors._shape is None or factors._shape[-1] is None:
            raise ValueError("lu_matrix_inverse needs a matrix of known size.")
        return lu_solve(factors, perm, cast(np.eye(factors._shape[-1]), factors.dtype), validate_args)


def pinv(a: Any, rcond: Any = None, validate_args: bool = False, name: str | None = None) -> Tensor:
    """The Moore-Penrose pseudo-inverse; singular values below rcond · the largest count as 0."""
    with name_scope(name, "pinv", [a]):
        a = convert_to_tensor(a, name="a")
        if not a.dtype.is_floating:
            raise TypeError(f"Input `a` must have `float`-like `dtype` (saw {a.dtype.name}).")
        if a._shape is None or None in a._shape[-2:]:
            raise ValueError("pinv needs matrices of known size.")
        if validate_args and len(a._shape) < 2:
            raise ValueError("Input `a` must have at least 2 dimensions.")
        t = a.dtype.np
        if rcond is None:
            rcond = 10.0 * max(a._shape[-2:]) * np.finfo(t).eps  # type: ignore[type-var]
        s, u, v = raw.Svd(a)
        cutoff = raw.Mul(convert_to_tensor(rcond, a.dtype.base_dtype), reduce_max(s, axis=-1, keepdims=True))
        inverse = raw.SelectV2(raw.Greater(s, cutoff), raw.Reciprocal(s), np.asarray(0, t))
        return matmul(raw.Mul(v, raw.ExpandDims(inverse, -2)), u, adjoint_b=True)


def matrix_rank(a: Any, tol: Any = None, validate_args: bool = False, name: str | None = None) -> Tensor:
    """How many singular values of each matrix exceed `tol`."""
    with name_scope(name, "matrix_rank", [a]):
        a = convert_to_tensor(a, name="a")
        if a._shape is None or None in a._shape[-2:]:
            raise ValueError("matrix_rank needs matrices of known size.")
        if validate_args and len(a._shape) < 2:
            raise ValueError("Input `a` must have at least 2 dimensions.")
        s = raw.Svd(a, compute_uv=False)[0]
        if tol is None:
            epsilon = np.asarray(np.finfo(a.dtype.np).eps * max(a._shape[-2:]), a.dtype.np)  # type: ignore[type-var]
            tol = raw.Mul(epsilon, reduce_max(s, axis=-1, keepdims=True))
        return reduce_sum(cast(raw.Greater(s, tol), dtypes.int32), axis=-1)  # type: ignore[no-any-return]


__tf_exports__ |= {f"linalg.{n}": n for n in ("lu_reconstruct", "lu_solve", "lu_matrix_inverse", "pinv", "matrix_rank")}
