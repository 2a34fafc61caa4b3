"""Diagonals and bands of matrices: MatrixDiag, MatrixDiagPart, MatrixSetDiag in their three versions, MatrixBandPart, Diag, DiagPart."""

from __future__ import annotations

from typing import Any

import numpy as np

from hornbeam.core.graph import InferenceContext
from hornbeam.core.registry import op, raw
from hornbeam.core.tensor_shape import Shape
from hornbeam.ops import shapes
from hornbeam.ops.array import bad, dense
from hornbeam.ops.xp import ints, static, xp

_ALIGN = "align: {'LEFT_RIGHT', 'RIGHT_LEFT', 'LEFT_LEFT', 'RIGHT_RIGHT'} = 'RIGHT_LEFT'"
_LEFT = b"LEFT_LEFT"


def _band(k: Any) -> tuple[int, int]:
    v = ints(k)
    if len(v) not in (1, 2):
        raise bad(f"diag_index must have one or two elements, received {len(v)} elements.")
    lower, upper = v[0], v[-1]
    if lower > upper:
        raise bad(f"lower_diag_index must not be larger than upper_diag_index, received {lower} and {upper}")
    return lower, upper


def _offset(d: int, rows: int, cols: int, longest: int, align: bytes) -> int:
    """How far diagonal d is moved right inside its row of the packed form."""
    right = (d >= 0 and align.startswith(b"RIGHT")) or (d <= 0 and align.endswith(b"RIGHT"))
    return longest - min(rows + min(d, 0), cols - max(d, 0)) if right else 0


def _longest(rows: int, cols: int, lower: int, upper: int) -> int:
    return min(rows + min(upper, 0), cols - max(lower, 0))


def _in_packed(rows: int, cols: int, lower: int, upper: int, longest: int, align: bytes) -> tuple[Any, Any]:
    """For each matrix element: its position in the packed diagonals (flattened), and whether it lies in the band."""
    i, j = np.arange(rows)[:, None], np.arange(cols)[None, :]
    d = j - i
    offsets = np.array([_offset(v, rows, cols, longest, align) for v in range(lower, upper + 1)], np.int64)
    inside = (d >= lower) & (d <= upper)
    at = (upper - d) * longest + (j - np.maximum(d, 0)) + offsets[np.clip(d - lower, 0, upper - lower)]
    return np.where(inside, at, 0), inside


def _check_band(rows: int, cols: int, lower: int, upper: int) -> None:
    for name, v in (("lower_diag_index", lower), ("upper_diag_index", upper)):
        if not (-rows < v < cols or v == 0):
            raise bad(f"{name} is out of bound: {v}. It must be between {-rows} and {cols}")


# --- kernels ---
def diag_part(x: Any, k: Any, padding: Any, align: bytes) -> Any:
    lower, upper = _band(k)
    if len(x.shape) < 2:
        raise bad(f"input must be at least 2-dim, received shape: {list(x.shape)}")
    rows, cols = x.shape[-2:]
    _check_band(rows, cols, lower, upper)
    longest = max(_longest(rows, cols, lower, upper), 0)
    d = np.arange(upper, lower - 1, -1)[:, None]
    offsets = np.array([[_offset(int(v), rows, cols, longest, align)] for v in d[:, 0]], np.int64)
    n = np.arange(longest)[None, :]
    i, j = n + np.maximum(-d, 0) - offsets, n + np.maximum(d, 0) - offsets
    ok = (i >= 0) & (i < rows) & (j >= 0) & (j < cols)
    flat = x.reshape((*x.shape[:-2], rows * cols))
    out = flat[..., np.where(ok, i * cols + j, 0)] if rows * cols else np.zeros((*x.shape[:-2], *ok.shape), x.dtype)
    if not ok.all():
        out = xp.where(ok, out, padding)
    return out if lower != upper else out[..., 0, :]


def _packed(diagonal: Any, lower: int, upper: int) -> tuple[Any, int]:
    """The diagonals as [..., count * longest] and their longest length."""
    count = upper - lower + 1
    if len(diagonal.shape) < (2 if count > 1 else 1):
        raise bad(f"diagonal must be at least {1 + (count > 1)}-dim, received shape: {list(diagonal.shape)}")
    if count > 1 and diagonal.shape[-2] != count:
        raise bad(
            "The number of diagonals provided in the input does not match the lower_diag_index and upper_diag_index range."
        )
    longest = diagonal.shape[-1]
    lead = diagonal.shape[:-2] if count > 1 else diagonal.shape[:-1]
    return diagonal.reshape((*lead, count * longest)), longest


def diag(diagonal: Any, k: Any, num_rows: Any, num_cols: Any, padding: Any, align: bytes) -> Any:
    lower, upper = _band(k)
    flat, longest = _packed(diagonal, lower, upper)
    rows, cols = int(static(num_rows)), int(static(num_cols))
    least_rows, least_cols = longest - min(upper, 0), longest + max(lower, 0)
    if rows == -1 and cols == -1:
        rows = cols = max(least_rows, least_cols)
    rows, cols = (least_rows if rows == -1 else rows), (least_cols if cols == -1 else cols)
    if rows < least_rows or cols < least_cols or (rows != least_rows and cols != least_cols):
        raise bad(
            f"The number of rows or columns is not consistent with the specified d_lower, d_upper, and diagonal: {rows} x {cols}"
        )
    at, inside = _in_packed(rows, cols, lower, upper, longest, align)
    if not longest:
        return xp.broadcast_to(padding, (*flat.shape[:-1], rows, cols))
    return xp.where(inside, flat[..., at], padding)


def set_diag(x: Any, diagonal: Any, k: Any, align: bytes) -> Any:
    lower, upper = _band(k)
    rows, cols = x.shape[-2:]
    _check_band(rows, cols, lower, upper)
    flat, longest = _packed(diagonal, lower, upper)
    if longest != _longest(rows, cols, lower, upper):
        raise bad(
            f"The longest diagonal must have {_longest(rows, cols, lower, upper)} elements, the given one has {longest}"
        )
    if rows == 0 or cols == 0:
        return x
    at, inside = _in_packed(rows, cols, lower, upper, longest, align)
    return xp.where(inside, flat[..., at], x)


# --- shape rules ---
def _known_band(c: InferenceContext, i: int | None) -> tuple[int, int] | None:
    if i is None:
        return 0, 0
    v = c.value(i)
    if v is None:
        return None
    k = [int(d) for d in v.reshape(-1)]
    if k[0] > k[-1]:
        raise c.fail("lower_diag_index is greater than upper_diag_index")
    return k[0], k[-1]


def _diag_part_shape(k_input: int | None) -> shapes.Rule:
    def rule(c: InferenceContext) -> list[Shape]:
        s, band = shapes.at_least_rank(c, 0, 2), _known_band(c, k_input)
        if s is None or band is None:
            return [None]
        rows, cols = s[-2:]
        lower, upper = band
        n = None if rows is None or cols is None else _longest(rows, cols, lower, upper)
        return [(*s[:-2], *(() if lower == upper else (upper - lower + 1,)), n)]

    return rule


def _diag_shape(c: InferenceContext) -> list[Shape]:
    s = shapes.at_least_rank(c, 0, 1)
    return [None if s is None else (*s, s[-1])]


def _diag_v2_shape(c: InferenceContext) -> list[Shape]:
    s, band = shapes.at_least_rank(c, 0, 1), _known_band(c, 1)
    if s is None or band is None:
        return [None]
    lower, upper = band
    lead = s[:-1] if lower == upper else s[:-2]
    rows, cols = (None if c.value(i) is None else int(c.value(i)) for i in (2, 3))  # type: ignore[arg-type]
    n = s[-1]
    if n is None or rows is None or cols is None:
        return [(*lead, None if rows is None or rows < 0 else rows, None if cols is None or cols < 0 else cols)]
    least_rows, least_cols = n - min(upper, 0), n + max(lower, 0)
    if rows == -1 and cols == -1:
        rows = cols = max(least_rows, least_cols)
    return [(*lead, least_rows if rows == -1 else rows, least_cols if cols == -1 else cols)]


def _set_diag_shape(c: InferenceContext) -> list[Shape]:
    return [shapes.at_least_rank(c, 0, 2)]


# --- ops ---
def _zero(x: Any) -> np.ndarray[Any, Any]:
    return np.zeros((), x.dtype)


_K0 = np.zeros((), np.int32)
_INFER = np.array(-1, np.int32)


def _v1(name: str) -> None:
    @op(f"{name}MatrixDiag(diagonal: T) -> (output: T); T: type", shape=_diag_shape)
    def make(diagonal):
        return diag(diagonal, _K0, _INFER, _INFER, _zero(diagonal), _LEFT)

    @op(f"{name}MatrixDiagPart(input: T) -> (diagonal: T); T: type", shape=_diag_part_shape(None))
    def part(input):
        return diag_part(input, _K0, _zero(input), _LEFT)

    @op(f"{name}MatrixSetDiag(input: T, diagonal: T) -> (output: T); T: type", shape=_set_diag_shape)
    def put(input, diagonal):
        return set_diag(input, diagonal, _K0, _LEFT)

    make.gradient(lambda op, grad: [raw.MatrixDiagPart(dense(grad))])
    put.gradient(
        lambda op, grad: [raw.MatrixSetDiag(dense(grad), raw.ZerosLike(op.inputs[1])), raw.MatrixDiagPart(dense(grad))]
    )

    @part.gradient
    def _(op, grad):
        x = op.inputs[0]
        if x._shape is not None and x._shape[-1] is not None and x._shape[-1] == x._shape[-2]:
            return [raw.MatrixDiag(dense(grad))]
        return [raw.MatrixSetDiag(raw.ZerosLike(x), dense(grad))]


_v1("")
_v1("Batch")


@op(
    "MatrixDiagV2(diagonal: T, k: int32, num_rows: int32, num_cols: int32, padding_value: T) -> (output: T); T: type",
    shape=_diag_v2_shape,
)
def MatrixDiagV2(diagonal, k, num_rows, num_cols, padding_value):
    return diag(diagonal, k, num_rows, num_cols, padding_value, _LEFT)


@op(
    "MatrixDiagV3(diagonal: T, k: int32, num_rows: int32, num_cols: int32, padding_value: T) -> (output: T); T: type; "
    + _ALIGN,
    shape=_diag_v2_shape,
)
def MatrixDiagV3(diagonal, k, num_rows, num_cols, padding_value, align):
    return diag(diagonal, k, num_rows, num_cols, padding_value, align)


@op("MatrixDiagPartV2(input: T, k: int32, padding_value: T) -> (diagonal: T); T: type", shape=_diag_part_shape(1))
def MatrixDiagPartV2(input, k, padding_value):
    return diag_part(input, k, padding_value, _LEFT)


@op(
    "MatrixDiagPartV3(input: T, k: int32, padding_value: T) -> (diagonal: T); T: type; " + _ALIGN,
    shape=_diag_part_shape(1),
)
def MatrixDiagPartV3(input, k, padding_value, align):
    return diag_part(input, k, padding_value, align)


@op("MatrixSetDiagV2(input: T, diagonal: T, k: int32) -> (output: T); T: type", shape=_set_diag_shape)
def MatrixSetDiagV2(input, diagonal, k):
    return set_diag(input, diagonal, k, _LEFT)


@op("MatrixSetDiagV3(input: T, diagonal: T, k: int32) -> (output: T); T: type; " + _ALIGN, shape=_set_diag_shape)
def MatrixSetDiagV3(input, diagonal, k, align):
    return set_diag(input, diagonal, k, align)


def _part(op: Any, grad: Any, k: Any) -> Any:
    grad = dense(grad)
    return raw.MatrixDiagPartV3(grad, k, np.zeros((), grad.dtype.np), align=op._attrs.get("align", _LEFT))


def _diag_gradient(op: Any, grad: Any) -> list[Any]:
    return [_part(op, grad, op.inputs[1]), None, None, None, None]


def _diag_part_gradient(op: Any, grad: Any) -> list[Any]:
    x, k = op.inputs[:2]
    align = op._attrs.get("align", _LEFT)
    grad = dense(grad)
    if x._shape is not None and None not in x._shape[-2:]:
        rows, cols = x._shape[-2:]
        return [raw.MatrixDiagV3(grad, k, rows, cols, np.zeros((), grad.dtype.np), align=align), None, None]
    return [raw.MatrixSetDiagV3(raw.ZerosLike(x), grad, k, align=align), None, None]


def _set_diag_gradient(op: Any, grad: Any) -> list[Any]:
    _, diagonal, k = op.inputs
    kept = raw.MatrixSetDiagV3(dense(grad), raw.ZerosLike(diagonal), k, align=op._attrs.get("align", _LEFT))
    return [kept, _part(op, grad, k), None]


for _spec in (MatrixDiagV2, MatrixDiagV3):
    _spec.gradient(_diag_gradient)
for _spec in (MatrixDiagPartV2, MatrixDiagPartV3):
    _spec.gradient(_diag_part_gradient)
for _spec in (MatrixSetDiagV2, MatrixSetDiagV3):
    _spec.gradient(_set_diag_gradient)


# --- band part ---
def _band_part(input: Any, num_lower: Any, num_upper: Any) -> Any:
    if len(input.shape) < 2:
        raise bad(f"input must be at least 2-dim, received shape: {list(input.shape)}")
    rows, cols = input.shape[-2:]
    low, up = num_lower.reshape(()), num_upper.reshape(())
    d = np.arange(rows)[:, None] - np.arange(cols)[None, :]
    keep = ((low < 0) | (d <= low)) & ((up < 0) | (-d <= up))
    return xp.where(keep, input, _zero(input))


@op(
    "MatrixBandPart(input: T, num_lower: Tindex, num_upper: Tindex) -> (band: T); T: type; Tindex: {int32, int64} = int64",
    shape=_set_diag_shape,
)
def MatrixBandPart(input, num_lower, num_upper):
    return _band_part(input, num_lower, num_upper)


@op("BatchMatrixBandPart(input: T, num_lower: int64, num_upper: int64) -> (band: T); T: type", shape=_set_diag_shape)
def BatchMatrixBandPart(input, num_lower, num_upper):
    return _band_part(input, num_lower, num_upper)


for _spec in (MatrixBandPart, BatchMatrixBandPart):
    _spec.gradient(lambda op, grad: [raw.MatrixBandPart(dense(grad), op.inputs[1], op.inputs[2]), None, None])


# --- diagonals of tensors of any even rank ---
_NUMBERS = "T: {bfloat16, half, float, double, int32, int64, complex64, complex128}"


def _tensor_diag_shape(c: InferenceContext) -> list[Shape]:
    s = shapes.at_least_rank(c, 0, 1)
    return [None if s is None else (*s, *s)]


def _tensor_diag_part_shape(c: InferenceContext) -> list[Shape]:
    s = c.shape(0)
    if s is None:
        return [None]
    if len(s) % 2 or not s:
        raise c.fail(f"Input must have even and non-zero rank, input rank is {len(s)}")
    half = len(s) // 2
    return [tuple(shapes.merge_dim(c, a, b) for a, b in zip(s[:half], s[half:], strict=True))]


@op(f"Diag(diagonal: T) -> (output: T); {_NUMBERS}", shape=_tensor_diag_shape)
def Diag(diagonal):
    s = tuple(diagonal.shape)
    n = int(np.prod(s, dtype=np.int64))
    return xp.where(np.eye(n, dtype=bool), diagonal.reshape((n, 1)), _zero(diagonal)).reshape(s + s)


@op(f"DiagPart(input: T) -> (diagonal: T); {_NUMBERS}", shape=_tensor_diag_part_shape)
def DiagPart(input):
    half = len(input.shape) // 2
    s = tuple(input.shape[:half])
    if s != tuple(input.shape[half:]):
        raise bad(f"Invalid shape {list(input.shape)}: dimensions i and i + {half} must be equal")
    n = int(np.prod(s, dtype=np.int64))
    return xp.diagonal(input.reshape((n, n))).reshape(s)


Diag.gradient(lambda op, grad: [raw.DiagPart(dense(grad))])
DiagPart.gradient(lambda op, grad: [raw.Diag(dense(grad))])
