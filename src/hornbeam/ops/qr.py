"""QR decomposition, which the orthogonal initializers need."""

from __future__ import annotations

from hornbeam.core.graph import InferenceContext
from hornbeam.core.registry import op
from hornbeam.core.tensor_shape import Shape
from hornbeam.ops import shapes
from hornbeam.ops.xp import namespace


def _shapes(c: InferenceContext) -> list[Shape]:
    matrix = shapes.at_least_rank(c, 0, 2)
    if matrix is None:
        return [None, None]
    *batch, rows, columns = matrix
    inner = None if rows is None or columns is None else min(rows, columns)
    if c.attr("full_matrices"):
        return [(*batch, rows, rows), (*batch, rows, columns)]
    return [(*batch, rows, inner), (*batch, inner, columns)]


@op(
    "Qr(input: T) -> (q: T, r: T); full_matrices: bool = false; T: {double, float, half, complex64, complex128}",
    shape=_shapes,
    numpy=True,
)
def Qr(input, full_matrices):
    """Orthonormal q and upper triangular r with q·r = input, over the last two dimensions."""
    wide = input.astype("float32") if input.dtype == "float16" else input
    q, r = namespace(wide).linalg.qr(wide, mode="complete" if full_matrices else "reduced")
    return q.astype(input.dtype), r.astype(input.dtype)
