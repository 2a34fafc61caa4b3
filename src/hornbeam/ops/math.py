"""Elementwise arithmetic: one-argument functions, binary functions with broadcasting, AddN, clipping; each with TensorFlow's gradient."""

from __future__ import annotations

import operator
from collections.abc import Callable
from functools import reduce
from typing import Any

import numpy as np

from hornbeam.core import errors
from hornbeam.core.gradients import needed_inputs
from hornbeam.core.graph import InferenceContext
from hornbeam.core.lazy import jax, lax
from hornbeam.core.registry import OpSpec, op, raw
from hornbeam.core.tensor_shape import Shape
from hornbeam.ops import shapes
from hornbeam.ops.broadcasting import conj, like, unbroadcast, unbroadcast_pair
from hornbeam.ops.xp import known, namespace, xp

FLOAT = "{bfloat16, half, float, double}"
FLOAT_COMPLEX = "{bfloat16, half, float, double, complex64, complex128}"
SIGNED = "{bfloat16, half, float, double, int8, int16, int32, int64}"
SIGNED_COMPLEX = "{bfloat16, half, float, double, int8, int16, int32, int64, complex64, complex128}"
ARITHMETIC = (
    "{bfloat16, half, float, double, uint8, int8, uint16, int16, int32, uint32, uint64, int64, complex64, complex128}"
)


def unary(name: str, types: str, kernel: Callable[[Any], Any], **flags: Any) -> OpSpec:
    """A one-argument elementwise op `name(x: T) -> (y: T)`."""
    return op(f"{name}(x: T) -> (y: T); T: {types}", shape=shapes.unchanged, **flags)(kernel)


def grad_of_unary(name: str, types: str, kernel: Callable[[Any, Any], Any]) -> OpSpec:
    """TensorFlow's own gradient op `name(y: T, dy: T) -> (z: T)`, a function of the forward op's output."""
    return op(f"{name}(y: T, dy: T) -> (z: T); T: {types}", shape=shapes.merged)(kernel)


def binary(name: str, types: str, kernel: Callable[[Any, Any], Any], args: str = "x: T, y: T", **flags: Any) -> OpSpec:
    """A two-argument elementwise op with broadcasting."""
    return op(f"{name}({args}) -> (z: T); T: {types}", shape=shapes.broadcast, **flags)(kernel)


def is_integer(x: Any) -> bool:
    return np.dtype(x.dtype).kind in "iu"


def scalar(value: Any, x: Any) -> Any:
    """A scalar of x's dtype, for kernels."""
    return np.asarray(value, x.dtype)


# --- one argument: arithmetic -------------------------------------------------------------------------------------------------
def _reciprocal(x):
    if is_integer(x):  # C's integer division; 1/0 has no value there
        return xp.where(x == 0, scalar(0, x), _c_divide(xp.ones_like(x), xp.where(x == 0, scalar(1, x), x)))
    return scalar(1, x) / x


def _rsqrt(x):
    return lax.rsqrt(x) if not known(x) else scalar(1, x) / xp.sqrt(x)


def _sigmoid(x):
    return jax.nn.sigmoid(x) if namespace(x) is not np else scalar(1, x) / (scalar(1, x) + np.exp(-x))


def _sign(x):
    if np.dtype(x.dtype).kind == "c":
        size = xp.abs(x)
        return xp.where(size == 0, scalar(0, x), x / xp.where(size == 0, scalar(1, x), size.astype(x.dtype)))
    return xp.sign(x)


Abs = unary("Abs", SIGNED, lambda x: xp.abs(x), numpy=True)
Neg = unary("Neg", SIGNED_COMPLEX, lambda x: xp.negative(x), numpy=True)
Sign = unary("Sign", SIGNED_COMPLEX, _sign)
Reciprocal = unary("Reciprocal", SIGNED_COMPLEX, _reciprocal)
Inv = unary("Inv", SIGNED_COMPLEX, _reciprocal)
Square = unary("Square", ARITHMETIC, lambda x: xp.multiply(x, x), numpy=True)
Sqrt = unary("Sqrt", FLOAT_COMPLEX, lambda x: xp.sqrt(x))
Rsqrt = unary("Rsqrt", FLOAT_COMPLEX, _rsqrt)
Sigmoid = unary("Sigmoid", FLOAT_COMPLEX, _sigmoid)
Tanh = unary("Tanh", FLOAT_COMPLEX, lambda x: xp.tanh(x))

ReciprocalGrad = grad_of_unary("ReciprocalGrad", FLOAT_COMPLEX, lambda y, dy: -dy * xp.conj(y * y))
InvGrad = grad_of_unary("InvGrad", FLOAT_COMPLEX, lambda y, dy: -dy * xp.conj(y * y))
SqrtGrad = grad_of_unary("SqrtGrad", FLOAT_COMPLEX, lambda y, dy: dy * scalar(0.5, y) / xp.conj(y))
RsqrtGrad = grad_of_unary("RsqrtGrad", FLOAT_COMPLEX, lambda y, dy: dy * scalar(-0.5, y) * xp.conj(y * y * y))
SigmoidGrad = grad_of_unary("SigmoidGrad", FLOAT_COMPLEX, lambda y, dy: dy * y * (scalar(1, y) - y))
TanhGrad = grad_of_unary("TanhGrad", FLOAT_COMPLEX, lambda y, dy: dy * (scalar(1, y) - y * y))

Abs.gradient(lambda op, g: [Mul(g, Sign(op.inputs[0]))])
Neg.gradient(lambda op, g: [Neg(g)])
Sign.gradient(lambda op, g: [raw.ZerosLike(op.inputs[0])])
Reciprocal.gradient(lambda op, g: [ReciprocalGrad(op.outputs[0], g)])
Inv.gradient(lambda op, g: [InvGrad(op.outputs[0], g)])
Square.gradient(lambda op, g: [Mul(g, Mul(conj(op.inputs[0]), like(2, g)))])
Sqrt.gradient(lambda op, g: [SqrtGrad(op.outputs[0], g)])
Rsqrt.gradient(lambda op, g: [RsqrtGrad(op.outputs[0], g)])
Sigmoid.gradient(lambda op, g: [SigmoidGrad(conj(op.outputs[0]), g)])
Tanh.gradient(lambda op, g: [TanhGrad(conj(op.outputs[0]), g)])


def _second_reciprocal(again: Callable[..., Any]) -> Callable[..., Any]:
    def rule(op, g):
        y, dy = op.inputs
        cy, cg = conj(y), conj(g)
        return [Mul(Mul(Mul(cg, like(-2, g)), dy), cy), again(cy, g)]

    return rule


ReciprocalGrad.gradient(_second_reciprocal(ReciprocalGrad))
InvGrad.gradient(_second_reciprocal(InvGrad))


@SqrtGrad.gradient
def _(op, g):
    ga = RealDiv(g, op.inputs[0])
    return [Mul(Neg(conj(ga)), op.outputs[0]), Mul(like(0.5, ga), ga)]


@RsqrtGrad.gradient
def _(op, g):
    y, dy = op.inputs
    cy = conj(y)
    return [Mul(Mul(Mul(like(-1.5, y), conj(g)), dy), Square(cy)), RsqrtGrad(cy, g)]


@SigmoidGrad.gradient
def _(op, g):
    y, dy = conj(op.inputs[0]), conj(op.inputs[1])
    gb = Mul(g, dy)
    return [Sub(gb, Mul(Mul(like(2, gb), gb), y)), SigmoidGrad(y, g)]


@TanhGrad.gradient
def _(op, g):
    y, dy = conj(op.inputs[0]), conj(op.inputs[1])
    return [Mul(Mul(Mul(g, like(-2, g)), dy), y), TanhGrad(y, g)]


# --- one argument: exponentials and trigonometry ----------------------------------------------------------------------------------
Exp = unary("Exp", FLOAT_COMPLEX, lambda x: xp.exp(x))
Expm1 = unary("Expm1", FLOAT_COMPLEX, lambda x: xp.expm1(x))
Log = unary("Log", FLOAT_COMPLEX, lambda x: xp.log(x))
Log1p = unary("Log1p", FLOAT_COMPLEX, lambda x: xp.log1p(x))
Sin = unary("Sin", FLOAT_COMPLEX, lambda x: xp.sin(x))
Cos = unary("Cos", FLOAT_COMPLEX, lambda x: xp.cos(x))
Tan = unary("Tan", FLOAT_COMPLEX, lambda x: xp.tan(x))
Asin = unary("Asin", FLOAT_COMPLEX, lambda x: xp.arcsin(x))
Acos = unary("Acos", FLOAT_COMPLEX, lambda x: xp.arccos(x))
Atan = unary("Atan", FLOAT_COMPLEX, lambda x: xp.arctan(x))
Sinh = unary("Sinh", FLOAT_COMPLEX, lambda x: xp.sinh(x))
Cosh = unary("Cosh", FLOAT_COMPLEX, lambda x: xp.cosh(x))
Asinh = unary("Asinh", FLOAT_COMPLEX, lambda x: xp.arcsinh(x))
Acosh = unary("Acosh", FLOAT_COMPLEX, lambda x: xp.arccosh(x))
Atanh = unary("Atanh", FLOAT_COMPLEX, lambda x: xp.arctanh(x))


def _one_minus_square(x):
    return Sub(like(1, x), Square(x))


Exp.gradient(lambda op, g: [Mul(g, conj(op.outputs[0]))])
Expm1.gradient(lambda op, g: [Mul(g, Exp(conj(op.inputs[0])))])
Log.gradient(lambda op, g: [Mul(g, Reciprocal(conj(op.inputs[0])))])
Log1p.gradient(lambda op, g: [Mul(g, Reciprocal(AddV2(like(1, g), conj(op.inputs[0]))))])
Sin.gradient(lambda op, g: [Mul(g, Cos(conj(op.inputs[0])))])
Cos.gradient(lambda op, g: [Mul(Neg(g), Sin(conj(op.inputs[0])))])
Tan.gradient(lambda op, g: [Mul(Square(Reciprocal(Cos(conj(op.inputs[0])))), g)])
Asin.gradient(lambda op, g: [Mul(g, Reciprocal(Sqrt(_one_minus_square(conj(op.inputs[0])))))])
Acos.gradient(lambda op, g: [Mul(Neg(g), Reciprocal(Sqrt(_one_minus_square(conj(op.inputs[0])))))])
Atan.gradient(lambda op, g: [Mul(g, Reciprocal(AddV2(like(1, g), Square(conj(op.inputs[0])))))])
Sinh.gradient(lambda op, g: [Mul(g, Cosh(conj(op.inputs[0])))])
Cosh.gradient(lambda op, g: [Mul(g, Sinh(conj(op.inputs[0])))])
Asinh.gradient(lambda op, g: [RealDiv(g, Cosh(conj(op.outputs[0])))])
Acosh.gradient(lambda op, g: [RealDiv(g, Sinh(conj(op.outputs[0])))])
Atanh.gradient(lambda op, g: [Mul(g, Reciprocal(_one_minus_square(conj(op.inputs[0]))))])

# --- one argument: rounding ----------------------------------------------------------------------------------------------------------
Floor = unary("Floor", FLOAT, lambda x: xp.floor(x), numpy=True)
Ceil = unary("Ceil", FLOAT, lambda x: xp.ceil(x), numpy=True)
Rint = unary("Rint", FLOAT, lambda x: xp.rint(x), numpy=True)
Round = unary("Round", SIGNED_COMPLEX, lambda x: x if is_integer(x) else xp.round(x), numpy=True)
for _spec in (Floor, Ceil, Rint, Round):
    _spec.gradient(lambda op, g: [None])


# --- sums ----------------------------------------------------------------------------------------------------------------------------
def _add(x, y):
    if not hasattr(x, "ndim") or not hasattr(y, "ndim") or x.dtype == object:
        return x + y  # strings, and the flows of TensorArrays, which add up as lists
    return xp.add(x, y)


ADD = "{bfloat16, half, float, double, uint8, int8, int16, int32, int64, complex64, complex128, string}"
ADDV2 = (
    "{bfloat16, half, float, double, uint8, uint16, uint32, uint64, int8, int16, int32, int64, complex64, complex128}"
)
Add = binary("Add", ADD, _add, numpy=True)
AddV2: OpSpec = binary("AddV2", ADDV2, _add, numpy=True, aggregate=True)
Sub: OpSpec = binary("Sub", ARITHMETIC, lambda x, y: xp.subtract(x, y), numpy=True)

Add.gradient(lambda op, g: unbroadcast_pair(op, g, g))
AddV2.gradient(lambda op, g: unbroadcast_pair(op, g, g))
Sub.gradient(lambda op, g: unbroadcast_pair(op, g, lambda: Neg(g)))

_SUMMABLE = (
    "{float, double, int32, uint8, int16, int8, complex64, int64, qint8, quint8, qint32, bfloat16, qint16, quint16, uint16, complex128, "
    "half, uint32, uint64, variant}"
)


@op(f"AddN(inputs: N * T) -> (sum: T); N: int >= 1; T: {_SUMMABLE}", shape=shapes.merged, aggregate=True, numpy=True)
def AddN(inputs):
    return reduce(operator.add, inputs)  # TensorLists add up too


def _accumulate_shape(c: InferenceContext) -> list[Shape]:
    return [c.attr("shape")]


@op(
    "AccumulateNV2(inputs: N * T) -> (sum: T); N: int >= 1; T: numbertype; shape: shape",
    shape=_accumulate_shape,
    aggregate=True,
)
def AccumulateNV2(inputs):
    return reduce(operator.add, inputs)  # TensorLists add up too


AddN.gradient(lambda op, g: [g] * len(op.inputs))
AccumulateNV2.gradient(lambda op, g: [g] * len(op.inputs))

# --- products -------------------------------------------------------------------------------------------------------------------------
Mul: OpSpec = binary("Mul", ARITHMETIC, lambda x, y: xp.multiply(x, y), numpy=True)
MulNoNan = binary("MulNoNan", FLOAT_COMPLEX, lambda x, y: xp.where(y == 0, scalar(0, x), x * y))


def _squared_difference(x, y):
    difference = xp.subtract(x, y)
    return xp.multiply(difference, xp.conj(difference))


SquaredDifference = binary(
    "SquaredDifference", "{bfloat16, half, float, double, int32, int64, complex64, complex128}",
    _squared_difference, numpy=True,
)  # fmt: skip
Mul.gradient(lambda op, g: unbroadcast_pair(op, lambda: Mul(g, conj(op.inputs[1])), lambda: Mul(conj(op.inputs[0]), g)))
MulNoNan.gradient(
    lambda op, g: unbroadcast_pair(op, lambda: MulNoNan(g, op.inputs[1]), lambda: MulNoNan(op.inputs[0], g))
)


@SquaredDifference.gradient
def _(op, g):
    x, y = op.inputs
    gx = Mul(Mul(like(2, g), g), Sub(x, y))
    gx, gy = unbroadcast_pair(op, gx, gx)
    return [gx, None if gy is None else Neg(gy)]


# --- quotients and remainders ------------------------------------------------------------------------------------------------------------
def _check_divisor(x: Any, y: Any) -> None:
    if known(y) and 0 not in np.shape(x) and not np.all(y):
        raise errors.InvalidArgumentError(None, None, "Integer division by zero")


def _c_divide(x, y):
    """Integers as C divides them: towards zero."""
    if namespace(x, y) is not np:
        x, y = xp.broadcast_arrays(x, y)
        return lax.div(xp.asarray(x), xp.asarray(y))
    q = x // y
    return q + ((x % y != 0) & ((x < 0) != (y < 0))).astype(q.dtype)


def _divide(x, y):
    if is_integer(x):
        _check_divisor(x, y)
        return _c_divide(x, y)
    return xp.true_divide(x, y)


def _truncate_div(x, y):
    return _divide(x, y) if is_integer(x) else xp.trunc(x / y)


def _floor_div(x, y):
    if is_integer(x):
        _check_divisor(x, y)
        return xp.floor_divide(x, y)
    return xp.floor(x / y)


def _floor_mod(x, y):
    if is_integer(x):
        _check_divisor(x, y)
    return xp.mod(x, y)


def _truncate_mod(x, y):
    if is_integer(x):
        _check_divisor(x, y)
    return xp.fmod(x, y)


_FLOOR_MOD = "{int8, int16, int32, int64, uint8, uint16, uint32, uint64, bfloat16, half, float, double}"
Div = binary("Div", ARITHMETIC, _divide, numpy=True)
RealDiv: OpSpec = binary("RealDiv", ARITHMETIC, _divide, numpy=True)
DivNoNan = binary(
    "DivNoNan", FLOAT_COMPLEX, lambda x, y: xp.where(y == 0, scalar(0, x), x / xp.where(y == 0, scalar(1, y), y))
)
FloorDiv = binary("FloorDiv", ARITHMETIC, _floor_div, numpy=True)
TruncateDiv = binary("TruncateDiv", ARITHMETIC, _truncate_div, numpy=True)
FloorMod = binary("FloorMod", _FLOOR_MOD, _floor_mod, numpy=True)
TruncateMod = binary("TruncateMod", "{int32, int64, bfloat16, half, float, double}", _truncate_mod, numpy=True)
Mod = binary("Mod", "{int32, int64, half, half, bfloat16, float, double}", _truncate_mod, numpy=True)


def _quotient_gradient(op, g):
    x, y = op.inputs[0], conj(op.inputs[1])
    return unbroadcast_pair(op, lambda: RealDiv(g, y), lambda: Mul(g, RealDiv(RealDiv(Neg(conj(x)), y), y)))


Div.gradient(_quotient_gradient)
RealDiv.gradient(_quotient_gradient)
FloorDiv.gradient(lambda op, g: [None, None])
TruncateDiv.gradient(lambda op, g: [None, None])


@DivNoNan.gradient
def _(op, g):
    x, y = op.inputs[0], conj(op.inputs[1])
    return unbroadcast_pair(op, lambda: DivNoNan(g, y), lambda: Mul(g, DivNoNan(DivNoNan(Neg(conj(x)), y), y)))


@FloorMod.gradient
def _(op, g):
    return unbroadcast_pair(op, g, lambda: Mul(g, Neg(FloorDiv(*op.inputs))))


# --- powers and logarithms ------------------------------------------------------------------------------------------------------------------
def _pow(x, y):
    if is_integer(y) and known(y) and np.any(np.asarray(y) < 0):
        raise errors.InvalidArgumentError(None, None, "Integers to negative integer powers are not allowed")
    return xp.power(x, y)


def _unless_zero(f: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    """x * f(y) that is 0 where x is 0, whatever f(y) is there."""

    def kernel(x, y):
        return xp.where(x == 0, scalar(0, x), f(x, xp.where(x == 0, scalar(1, y), y)))

    return kernel


Pow = binary("Pow", "{bfloat16, float, half, double, int8, int16, int32, int64, complex64, complex128}", _pow)
Xlogy = binary("Xlogy", FLOAT_COMPLEX, _unless_zero(lambda x, y: x * xp.log(y)))
Xlog1py = binary("Xlog1py", FLOAT_COMPLEX, _unless_zero(lambda x, y: x * xp.log1p(y)))
Xdivy = binary("Xdivy", FLOAT_COMPLEX, _unless_zero(lambda x, y: x / y))


@Pow.gradient
def _(op, g):
    x, y = conj(op.inputs[0]), conj(op.inputs[1])

    def by_y():
        # log(0) times a gradient of 0 would be NaN where the derivative by the exponent is 0
        positive = raw.NotEqual(x, like(0, x)) if x._dtype.is_complex else raw.Greater(x, like(0, x))
        log_x = raw.SelectV2(positive, Log(raw.SelectV2(positive, x, like(1, x))), like(0, x))
        return Mul(Mul(g, conj(op.outputs[0])), log_x)

    return unbroadcast_pair(op, lambda: Mul(Mul(g, y), Pow(x, Sub(y, like(1, y)))), by_y)


def _nonzero(x):
    return raw.Cast(raw.NotEqual(x, like(0, x)), DstT=x._dtype._base)


@Xlogy.gradient
def _(op, g):
    x, y = op.inputs
    return unbroadcast_pair(op, lambda: Mul(Xlogy(_nonzero(x), y), g), lambda: Mul(Xdivy(x, y), g))


@Xlog1py.gradient
def _(op, g):
    x, y = op.inputs
    return unbroadcast_pair(op, lambda: Mul(Xlog1py(_nonzero(x), y), g), lambda: Mul(Xdivy(x, AddV2(y, like(1, y))), g))


@Xdivy.gradient
def _(op, g):
    x, y = op.inputs
    return unbroadcast_pair(op, lambda: Mul(Xdivy(_nonzero(x), y), g), lambda: Mul(Xdivy(Neg(x), Square(y)), g))


# --- extremes, angles, neighbours ----------------------------------------------------------------------------------------------------------
_REAL = "{bfloat16, half, float, double, int8, uint8, int16, uint16, int32, uint32, int64, uint64}"
Maximum = binary("Maximum", _REAL, lambda x, y: xp.maximum(x, y), numpy=True)
Minimum = binary("Minimum", _REAL, lambda x, y: xp.minimum(x, y), numpy=True)
Atan2 = binary("Atan2", FLOAT, lambda y, x: xp.arctan2(y, x), args="y: T, x: T")


def _extreme_gradient(chosen: str) -> Callable[..., Any]:
    def rule(op, g):
        mask = raw.__getattr__(chosen)(op.inputs[0], op.inputs[1])
        zero = like(0, g)
        return unbroadcast_pair(op, lambda: raw.SelectV2(mask, g, zero), lambda: raw.SelectV2(mask, zero, g))

    return rule


Maximum.gradient(_extreme_gradient("GreaterEqual"))
Minimum.gradient(_extreme_gradient("LessEqual"))


@Atan2.gradient
def _(op, g):
    y, x = op.inputs
    inverse = RealDiv(g, AddV2(Square(x), Square(y)))
    return unbroadcast_pair(op, lambda: Mul(x, inverse), lambda: Mul(Neg(y), inverse))


@op("NextAfter(x1: T, x2: T) -> (output: T); T: {double, float} = float", shape=shapes.broadcast)
def NextAfter(x1, x2):
    return xp.nextafter(x1, x2)


@NextAfter.gradient
def _(op, g):
    return unbroadcast_pair(op, g, lambda: raw.ZerosLike(g))


def _clip_shape(c: InferenceContext) -> list[Shape]:
    return [shapes.broadcast_shapes(shapes.broadcast_shapes(c.shape(0), c.shape(1), c), c.shape(2), c)]


@op(
    "ClipByValue(t: T, clip_value_min: T, clip_value_max: T) -> (output: T); T: numbertype",
    shape=_clip_shape,
    numpy=True,
)
def ClipByValue(t, clip_value_min, clip_value_max):
    return xp.maximum(xp.minimum(t, clip_value_max), clip_value_min)


@ClipByValue.gradient
def _(op, g):
    t, low, high = op.inputs
    below, above = raw.Less(t, low), raw.Greater(t, high)
    zero = like(0, g)
    grads = (
        lambda: raw.SelectV2(raw.LogicalOr(below, above), zero, g),
        lambda: raw.SelectV2(below, g, zero),
        lambda: raw.SelectV2(above, g, zero),
    )
    need = needed_inputs(op)
    return [unbroadcast(d(), x) if n else None for d, x, n in zip(grads, op.inputs, need, strict=True)]
