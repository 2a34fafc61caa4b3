"""Comparison, logic, selection and casts: elementwise ops whose result is a bool or another type than their input."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from hornbeam.core import dtypes
from hornbeam.core.gradients import needed_inputs
from hornbeam.core.graph import InferenceContext, shape_text
from hornbeam.core.lazy import lax
from hornbeam.core.registry import OpSpec, no_gradient, op, raw
from hornbeam.core.tensor_shape import _CONFLICT, Shape, merge
from hornbeam.ops import shapes
from hornbeam.ops.broadcasting import like, unbroadcast, unbroadcast_pair
from hornbeam.ops.xp import known, namespace, xp

FLOAT = "{bfloat16, half, float, double}"


# --- comparisons ------------------------------------------------------------------------------------------------------------------
def _comparison(name: str, kernel: Callable[[Any, Any], Any]) -> OpSpec:
    return op(f"{name}(x: T, y: T) -> (z: bool); T: realnumbertype", shape=shapes.broadcast, numpy=True)(kernel)


Less = _comparison("Less", lambda x, y: xp.less(x, y))
LessEqual = _comparison("LessEqual", lambda x, y: xp.less_equal(x, y))
Greater = _comparison("Greater", lambda x, y: xp.greater(x, y))
GreaterEqual = _comparison("GreaterEqual", lambda x, y: xp.greater_equal(x, y))


def _equality_shape(c: InferenceContext) -> list[Shape]:
    if c.attr("incompatible_shape_error", True):
        return shapes.broadcast(c)
    a, b = c.shape(0), c.shape(1)
    if a is None or b is None:
        return [None]
    try:
        out = shapes.broadcast_shapes(a, b)
    except ValueError:
        return [()]
    certain = a == () or b == () or None not in (*a, *b)  # sizes that do not fit make the result a scalar
    return [out if certain else None]


def _equality(name: str, kernel: Callable[[Any, Any], Any], if_incompatible: bool) -> OpSpec:
    def compare(x, y, incompatible_shape_error):
        if not incompatible_shape_error:
            try:
                np.broadcast_shapes(np.shape(x), np.shape(y))
            except ValueError:
                return np.asarray(if_incompatible)
        out = kernel(x, y)
        return out.astype(bool) if known(out) and out.dtype == object else out

    return op(
        f"{name}(x: T, y: T) -> (z: bool); T: type; incompatible_shape_error: bool = true",
        shape=_equality_shape,
        numpy=True,
    )(compare)


Equal = _equality("Equal", lambda x, y: xp.equal(x, y), False)
NotEqual = _equality("NotEqual", lambda x, y: xp.not_equal(x, y), True)


@op(
    "ApproximateEqual(x: T, y: T) -> (z: bool); T: numbertype; tolerance: float = 9.999999747378752e-06", shape=shapes.merged,
)  # fmt: skip
def ApproximateEqual(x, y, tolerance):
    difference = xp.abs(x - y)
    return difference < np.asarray(tolerance, difference.dtype)


# --- logic ------------------------------------------------------------------------------------------------------------------------
LogicalAnd = op("LogicalAnd(x: bool, y: bool) -> (z: bool)", shape=shapes.broadcast, numpy=True)(
    lambda x, y: xp.logical_and(x, y)
)
LogicalOr = op("LogicalOr(x: bool, y: bool) -> (z: bool)", shape=shapes.broadcast, numpy=True)(
    lambda x, y: xp.logical_or(x, y)
)
LogicalNot = op("LogicalNot(x: bool) -> (y: bool)", shape=shapes.unchanged, numpy=True)(lambda x: xp.logical_not(x))

IsNan = op(f"IsNan(x: T) -> (y: bool); T: {FLOAT}", shape=shapes.unchanged, numpy=True)(lambda x: xp.isnan(x))
IsInf = op(f"IsInf(x: T) -> (y: bool); T: {FLOAT}", shape=shapes.unchanged, numpy=True)(lambda x: xp.isinf(x))
IsFinite = op(f"IsFinite(x: T) -> (y: bool); T: {FLOAT}", shape=shapes.unchanged, numpy=True)(lambda x: xp.isfinite(x))
no_gradient(
    "Less", "LessEqual", "Greater", "GreaterEqual", "Equal", "NotEqual", "ApproximateEqual", "LogicalAnd", "LogicalOr", "LogicalNot",
)  # fmt: skip


# --- selection -----------------------------------------------------------------------------------------------------------------------
def _select_shape(c: InferenceContext) -> list[Shape]:
    out: Any = merge(c.shape(1), c.shape(2))
    if out is _CONFLICT:
        raise c.fail(
            f"Shapes must be equal rank/dimensions, but are {shape_text(c.shape(1))} and {shape_text(c.shape(2))}"
        )
    cond = c.shape(0)
    if cond is None or cond == () or out is None:
        return [out]
    if len(cond) == 1:
        if len(out) == 0:
            raise c.fail("Shape must be rank 0 but is rank 1")
        if len(out) > 1 or cond == out:
            dim = shapes.merge_dim(c, cond[0], out[0])
            return [(dim, *out[1:])]
    out = merge(out, cond)
    if out is _CONFLICT:
        raise c.fail(f"Shapes must be equal, but are {shape_text(c.shape(1))} and {shape_text(cond)}")
    return [out]


@op("Select(condition: bool, t: T, e: T) -> (output: T); T: type", shape=_select_shape, numpy=True)
def Select(condition, t, e):
    if condition.ndim == 1 and t.ndim > 1:  # a vector chooses whole rows
        condition = condition.reshape((-1,) + (1,) * (t.ndim - 1))
    return xp.where(condition, t, e)


def _select_v2_shape(c: InferenceContext) -> list[Shape]:
    return [shapes.broadcast_shapes(c.shape(0), shapes.broadcast_shapes(c.shape(1), c.shape(2), c), c)]


@op("SelectV2(condition: bool, t: T, e: T) -> (output: T); T: type", shape=_select_v2_shape, numpy=True)
def SelectV2(condition, t, e):
    return xp.where(condition, t, e)


@Select.gradient
def _(op, g):
    condition = op.inputs[0]
    zeros = raw.ZerosLike(op.inputs[1])
    return [None, Select(condition, g, zeros), Select(condition, zeros, g)]


@SelectV2.gradient
def _(op, g):
    condition, t, e = op.inputs
    zero = like(0, g)
    _, need_t, need_e = needed_inputs(op)
    return [
        None,
        unbroadcast(SelectV2(condition, g, zero), t) if need_t else None,
        unbroadcast(SelectV2(condition, zero, g), e) if need_e else None,
    ]


# --- casts ---------------------------------------------------------------------------------------------------------------------------
def _float_to_int(x: Any, target: np.dtype[Any]) -> Any:
    """As x86 converts: what does not fit (NaN too) becomes the lowest int32/int64; narrower types keep its low bits."""
    if x.dtype.itemsize < 4:
        x = x.astype(np.float32)
    if target == np.uint64:
        high = x >= x.dtype.type(2.0**63)
        low = _float_to_int(xp.where(high, x - x.dtype.type(2.0**63), x), np.dtype(np.int64)).astype(np.uint64)
        return xp.where(high, low ^ np.uint64(1 << 63), low)
    wide = np.dtype(np.int64) if target.itemsize > 4 or target == np.uint32 else np.dtype(np.int32)
    bound = x.dtype.type(2.0 ** (8 * wide.itemsize - 1))
    whole = xp.trunc(x)
    fits = (whole >= -bound) & (whole < bound)
    converted = xp.where(fits, whole, x.dtype.type(0)).astype(wide)
    return xp.where(fits, converted, wide.type(np.iinfo(wide).min)).astype(target)


def _truncate_mantissa(x: Any, target: np.dtype[Any]) -> Any:
    """float32 or float64 to a narrower float, towards zero."""
    rounded = x.astype(target)
    over = xp.abs(rounded.astype(x.dtype)) > xp.abs(x)
    bits = rounded.view(np.uint16) if known(rounded) else lax.bitcast_convert_type(rounded, np.uint16)
    less = bits - over.astype(np.uint16)
    return less.view(target) if known(less) else lax.bitcast_convert_type(less, target)


@op("Cast(x: SrcT) -> (y: DstT); SrcT: type; DstT: type; Truncate: bool = false", shape=shapes.unchanged, numpy=True)
def Cast(x, DstT, Truncate):
    target, kind = DstT.np, np.dtype(x.dtype)
    if known(x):
        x = np.asarray(x)
    if kind == target:
        return x
    if target == np.bool_:
        return x != 0
    if kind.kind == "c" and target.kind != "c":
        x = xp.real(x)
        kind = np.dtype(x.dtype)
    floating = dtypes.as_dtype(kind).is_floating if kind.kind != "O" else False
    if floating and target.kind in "iu" and not DstT.is_floating:
        return _float_to_int(x, target)
    if Truncate and floating and target.itemsize == 2 and kind.itemsize > 2:
        return _truncate_mantissa(x, target)
    if namespace(x) is np:
        with np.errstate(all="ignore"):
            return x.astype(target)
    return xp.asarray(x).astype(target)


_DIFFERENTIABLE = {
    dtypes.float16, dtypes.float32, dtypes.float64, dtypes.bfloat16, dtypes.complex64, dtypes.complex128,
}  # fmt: skip


@Cast.gradient
def _(op, g):
    source = op.inputs[0]._dtype._base
    if source in _DIFFERENTIABLE and g._dtype._base in _DIFFERENTIABLE:
        return [Cast(g, DstT=source)]
    return [None]


# --- complex numbers -------------------------------------------------------------------------------------------------------------------
_PARTS = "T: {complex64, complex128} = complex64; Tout: {float, double} = float"
ComplexAbs = op(f"ComplexAbs(x: T) -> (y: Tout); {_PARTS}", shape=shapes.unchanged)(lambda x: xp.abs(x))
Real = op(f"Real(input: T) -> (output: Tout); {_PARTS}", shape=shapes.unchanged, numpy=True)(lambda x: xp.real(x))
Imag = op(f"Imag(input: T) -> (output: Tout); {_PARTS}", shape=shapes.unchanged, numpy=True)(lambda x: xp.imag(x))
Angle = op(f"Angle(input: T) -> (output: Tout); {_PARTS}", shape=shapes.unchanged)(lambda x: xp.angle(x))
Conj = op(
    "Conj(input: T) -> (output: T); T: {complex64, complex128, variant} = complex64", shape=shapes.unchanged, numpy=True
)(lambda x: xp.conj(x))


@op(
    "Complex(real: T, imag: T) -> (out: Tout); T: {float, double} = float; Tout: {complex64, complex128} = complex64",
    shape=shapes.broadcast, numpy=True,
)  # fmt: skip
def Complex(real, imag):
    if namespace(real, imag) is np:
        out = np.empty(np.broadcast_shapes(np.shape(real), np.shape(imag)), np.result_type(real, np.complex64))
        out.real, out.imag = real, imag  # 1j * inf would make a NaN of the real part
        return out
    real, imag = xp.broadcast_arrays(real, imag)
    return lax.complex(xp.asarray(real), xp.asarray(imag))


def _complex_like(real, imag):
    return Complex(real, imag, Tout=dtypes.complex64 if real._dtype._base is dtypes.float32 else dtypes.complex128)


@ComplexAbs.gradient
def _(op, g):
    return [raw.Mul(_complex_like(g, raw.ZerosLike(g)), raw.Sign(op.inputs[0]))]


Real.gradient(lambda op, g: [_complex_like(g, like(0, g))])
Imag.gradient(lambda op, g: [_complex_like(like(0, g), g)])
Conj.gradient(lambda op, g: [Conj(g)])


def _parts(g):
    """Real and imaginary part of a complex gradient."""
    real = dtypes.float32 if g._dtype._base is dtypes.complex64 else dtypes.float64
    return Real(g, Tout=real), Imag(g, Tout=real)


@Complex.gradient
def _(op, g):
    return unbroadcast_pair(op, *_parts(g))


@Angle.gradient
def _(op, g):
    real, imag = _parts(op.inputs[0])
    inverse = raw.Reciprocal(_complex_like(imag, real))
    return [raw.Mul(raw.Neg(_complex_like(g, like(0, g))), inverse)]
