"""`tf.add`, `tf.cast`, `tf.sigmoid` …: elementwise functions, casts, ranges and special functions under TensorFlow 1's names and node names."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import numpy as np

from hornbeam.api._nodes import cast as _cast
from hornbeam.core import dtypes
from hornbeam.core.constant import const_node
from hornbeam.core.graph import (
    IndexedSlices,
    Tensor,
    convert_n_to_tensor,
    convert_to_tensor,
    convert_to_tensor_or_indexed_slices,
    name_scope,
)
from hornbeam.core.registry import raw
from hornbeam.core.tensor_shape import TensorShape

_HERE = sys.modules[__name__]
__tf_exports__: dict[str, str] = {}


def _export(attribute: str, *names: str) -> None:
    for n in names:
        __tf_exports__[n] = attribute


# --- functions of one argument ------------------------------------------------------------------------------------------------------
def is_sparse(x: Any) -> bool:
    """True for a SparseTensor (IndexedSlices are something else)."""
    return hasattr(x, "dense_shape") and hasattr(x, "indices") and not isinstance(x, IndexedSlices)


def _unary(name: str, op: str, argument: str = "x") -> Callable[..., Any]:
    """`name(x, name=None)`: one node of type `op`, named after it."""
    if argument == "input":

        def function(input: Any, name: str | None = None) -> Any:
            return getattr(raw, op)(input, name=name)
    else:

        def function(x: Any, name: str | None = None) -> Any:  # type: ignore[misc]
            if is_sparse(x):
                return type(x)(
                    indices=x.indices, values=getattr(raw, op)(x.values, name=name), dense_shape=x.dense_shape
                )
            return getattr(raw, op)(x, name=name)

    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"{op}, elementwise. One tensor of the argument's shape."
    return function


_UNARY = {
    "acos": "Acos", "acosh": "Acosh", "asin": "Asin", "asinh": "Asinh", "atan": "Atan", "atanh": "Atanh", "ceil": "Ceil", "cos": "Cos",
    "cosh": "Cosh", "digamma": "Digamma", "erf": "Erf", "erfc": "Erfc", "exp": "Exp", "expm1": "Expm1", "floor": "Floor",
    "is_finite": "IsFinite", "is_inf": "IsInf", "is_nan": "IsNan", "lgamma": "Lgamma", "log": "Log", "log1p": "Log1p",
    "logical_not": "LogicalNot", "negative": "Neg", "reciprocal": "Reciprocal", "rint": "Rint", "rsqrt": "Rsqrt", "sign": "Sign", "sin": "Sin",
    "sinh": "Sinh", "sqrt": "Sqrt", "square": "Square", "tan": "Tan", "tanh": "Tanh", "sigmoid": "Sigmoid",
}  # fmt: skip
for _name, _op in _UNARY.items():
    setattr(_HERE, _name, _unary(_name, _op))
    _export(_name, _name, f"math.{_name}")
_export("sigmoid", "nn.sigmoid")
_export("tanh", "nn.tanh")
for _name in ("is_finite", "is_inf", "is_nan"):
    _export(_name, f"debugging.{_name}")

_SPECIAL = {
    "bessel_i0": "BesselI0", "bessel_i0e": "BesselI0e", "bessel_i1": "BesselI1", "bessel_i1e": "BesselI1e", "bessel_j0": "BesselJ0",
    "bessel_j1": "BesselJ1", "bessel_k0": "BesselK0", "bessel_k0e": "BesselK0e", "bessel_k1": "BesselK1", "bessel_k1e": "BesselK1e",
    "bessel_y0": "BesselY0", "bessel_y1": "BesselY1", "dawsn": "Dawsn", "expint": "Expint", "fresnel_cos": "FresnelCos",
    "fresnel_sin": "FresnelSin", "spence": "Spence",
}  # fmt: skip


def _scoped_unary(name: str, op: str) -> Callable[..., Any]:
    def function(x: Any, name: str | None = None) -> Any:
        with name_scope(name, function.__name__, [x]):
            return getattr(raw, op)(convert_to_tensor(x, name="x"))

    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"{op}, elementwise. One tensor of the argument's shape."
    return function


for _name, _op in _SPECIAL.items():
    setattr(_HERE, _name, _scoped_unary(_name, _op))
    _export(_name, f"math.special.{_name}")
for _name in ("bessel_i0", "bessel_i0e", "bessel_i1", "bessel_i1e"):
    _export(_name, f"math.{_name}")
erfinv, ndtri = _scoped_unary("erfinv", "Erfinv"), _scoped_unary("ndtri", "Ndtri")
_export("erfinv", "math.erfinv")
_export("ndtri", "math.ndtri")


def abs(x: Any, name: str | None = None) -> Any:  # noqa: A001  TensorFlow's name
    """The absolute value; of complex numbers their modulus, real."""
    if is_sparse(x):
        return type(x)(indices=x.indices, values=abs(x.values, name), dense_shape=x.dense_shape)
    with name_scope(name, "Abs", [x]) as scope:
        x = convert_to_tensor(x, name="x")
        if x.dtype.is_complex:
            return raw.ComplexAbs(x, Tout=x.dtype.base_dtype.real_dtype, name=scope)
        return raw.Abs(x, name=scope)


def round(x: Any, name: str | None = None) -> Tensor:  # noqa: A001
    """To the nearest integer, halves to even."""
    x = convert_to_tensor(x, name="x")
    return x if x.dtype.is_integer else raw.Round(x, name=name)  # type: ignore[no-any-return]


def erfcinv(x: Any, name: str | None = None) -> Tensor:
    """The inverse of erfc."""
    with name_scope(name, "erfcinv", [x]):
        x = convert_to_tensor(x, name="start")
        return -ndtri(0.5 * x) * np.sqrt(0.5)  # type: ignore[no-any-return,operator]


def log_sigmoid(x: Any, name: str | None = None) -> Tensor:
    """log(sigmoid(x)), computed as -softplus(-x)."""
    with name_scope(name, "LogSigmoid", [x]) as scope:
        x = convert_to_tensor(x, name="x")
        return raw.Neg(raw.Softplus(raw.Neg(x)), name=scope)  # type: ignore[no-any-return]


def reciprocal_no_nan(x: Any, name: str | None = None) -> Tensor:
    """1/x, and 0 where x is 0."""
    with name_scope(name, "reciprocal_no_nan", [x]) as scope:
        x = convert_to_tensor(x, name="x")
        one = const_node(np.asarray(1, x.dtype.np), x.dtype.base_dtype, name="one")
        return raw.DivNoNan(one, x, name=scope)  # type: ignore[no-any-return]


_export("abs", "abs", "math.abs")
_export("round", "round", "math.round")
_export("erfcinv", "math.erfcinv")
_export("log_sigmoid", "log_sigmoid", "math.log_sigmoid", "nn.log_sigmoid")
_export("reciprocal_no_nan", "math.reciprocal_no_nan")


# --- functions of two arguments ---------------------------------------------------------------------------------------------------------
def _binary(name: str, op: str, arguments: tuple[str, str] = ("x", "y")) -> Callable[..., Any]:
    """`name(x, y, name=None)`: one node of type `op`; a Python value takes the dtype of a tensor beside it if it stands second."""
    first, second = arguments
    source = (
        f"def {name}({first}, {second}, name=None):\n"
        f"    '''{op}, elementwise with broadcasting.'''\n"
        f"    return getattr(raw, {op!r})({first}, {second}, name=name)\n"
    )
    space: dict[str, Any] = {"raw": raw, "__name__": __name__}
    exec(source, space)
    return space[name]  # type: ignore[no-any-return]


_BINARY = {
    "add": "Add", "subtract": "Sub", "multiply": "Mul", "maximum": "Maximum", "minimum": "Minimum", "squared_difference": "SquaredDifference",
    "equal": "Equal", "not_equal": "NotEqual", "less": "Less", "less_equal": "LessEqual", "greater": "Greater",
    "greater_equal": "GreaterEqual", "logical_and": "LogicalAnd", "logical_or": "LogicalOr", "floormod": "FloorMod", "mod": "FloorMod",
    "zeta": "Zeta", "polygamma": "Polygamma", "igamma": "Igamma", "igammac": "Igammac", "atan2": "Atan2", "nextafter": "NextAfter",
}  # fmt: skip
_ARGUMENTS = {
    "zeta": ("x", "q"), "polygamma": ("a", "x"), "igamma": ("a", "x"), "igammac": ("a", "x"), "atan2": ("y", "x"), "nextafter": ("x1", "x2"),
}  # fmt: skip
for _name, _op in _BINARY.items():
    setattr(_HERE, _name, _binary(_name, _op, _ARGUMENTS.get(_name, ("x", "y"))))
    _export(_name, f"math.{_name}")
    if _name != "nextafter":
        _export(_name, _name)
for _name, _op in {
    "floor_div": "FloorDiv",
    "realdiv": "RealDiv",
    "truncatediv": "TruncateDiv",
    "truncatemod": "TruncateMod",
}.items():
    setattr(_HERE, _name, _binary(_name, _op))
    _export(_name, _name)

_BITWISE = {
    "bitwise_and": "BitwiseAnd", "bitwise_or": "BitwiseOr", "bitwise_xor": "BitwiseXor", "left_shift": "LeftShift", "right_shift": "RightShift",
}  # fmt: skip
for _name, _op in _BITWISE.items():
    setattr(_HERE, _name, _binary(_name, _op))
    _export(_name, f"bitwise.{_name}")
invert = _unary("invert", "Invert")
_export("invert", "bitwise.invert")


def _pair(x: Any, y: Any, default: str, name: str | None, node: Callable[[Tensor, Tensor, str], Any]) -> Any:
    """Both arguments as tensors of one dtype inside a scope of the function's name."""
    with name_scope(name, default, [x, y]) as scope:
        x = convert_to_tensor(x, name="x")
        return node(x, convert_to_tensor(y, x.dtype.base_dtype, name="y"), scope)


def _like_x(default: str, op: str, doc: str) -> Callable[..., Any]:
    def function(x: Any, y: Any, name: str | None = None) -> Any:
        return _pair(x, y, default, name, lambda a, b, scope: getattr(raw, op)(a, b, name=scope))

    function.__doc__ = doc
    function.__name__ = function.__qualname__ = default
    return function


div_no_nan = _like_x("div_no_nan", "DivNoNan", "x / y, and 0 where y is 0.")
divide_no_nan = div_no_nan
multiply_no_nan = _like_x("multiply_no_nan", "MulNoNan", "x * y, and 0 where y is 0, even if x is infinite or NaN.")
xlogy = _binary("xlogy", "Xlogy")
floordiv = _like_x("floordiv", "FloorDiv", "x / y rounded down.")


def xlog1py(x: Any, y: Any, name: str | None = None) -> Tensor:
    """x * log(1 + y), and 0 where x is 0."""
    with name_scope(name, "xlog1py", [x]):
        return raw.Xlog1py(x, y)  # type: ignore[no-any-return]


def xdivy(x: Any, y: Any, name: str | None = None) -> Tensor:
    """x / y, and 0 where x is 0."""
    with name_scope(name, "xdivy", [x]):
        return raw.Xdivy(x, y)  # type: ignore[no-any-return]


_export("div_no_nan", "div_no_nan", "math.divide_no_nan", "math.div_no_nan")
_export("floordiv", "floordiv", "math.floordiv")
for _name in ("multiply_no_nan", "xlogy", "xlog1py", "xdivy"):
    _export(_name, f"math.{_name}")


def pow(x: Any, y: Any, name: str | None = None) -> Tensor:  # noqa: A001
    """x to the power of y."""
    with name_scope(name, "Pow", [x]) as scope:
        return raw.Pow(x, y, name=scope)  # type: ignore[no-any-return]


def truediv(x: Any, y: Any, name: str | None = None) -> Tensor:
    """x / y as Python 3 divides: integers give floating-point numbers."""
    from hornbeam.core.operators import _TRUEDIV

    with name_scope(name, "truediv", [x, y]) as scope:
        x = convert_to_tensor(x, name="x")
        y = convert_to_tensor(y, dtype_hint=x.dtype.base_dtype, name="y")
        if x.dtype.base_dtype is not y.dtype.base_dtype:
            raise TypeError(
                f"`x` and `y` must have the same dtype, got {x.dtype.base_dtype!r} != {y.dtype.base_dtype!r}."
            )
        wide = _TRUEDIV.get(x.dtype.base_dtype)
        if wide is not None:
            x, y = raw.Cast(x, DstT=wide), raw.Cast(y, DstT=wide)
        return raw.RealDiv(x, y, name=scope)  # type: ignore[no-any-return]


def divide(x: Any, y: Any, name: str | None = None) -> Any:
    """x / y, the Python operator."""
    if name is not None:
        return truediv(x, y, name)
    if not isinstance(x, Tensor) and not hasattr(x, "_dense_var_to_tensor"):
        x = convert_to_tensor(x, getattr(y, "dtype", None) and dtypes.as_dtype(y.dtype).base_dtype)
    return x / y


def div(x: Any, y: Any, name: str | None = None) -> Any:
    """Python 2's division: integers are rounded down, floating-point numbers divided."""
    return _pair(
        x, y, "div", name,
        lambda a, b, scope: (raw.RealDiv if a.dtype.is_floating or a.dtype.is_complex else raw.FloorDiv)(a, b, name=scope),
    )  # fmt: skip


def logical_xor(x: Any, y: Any, name: str = "LogicalXor") -> Tensor:
    """True where exactly one of x and y is."""
    return raw.LogicalAnd(raw.LogicalOr(x, y), raw.LogicalNot(raw.LogicalAnd(x, y)), name=name)  # type: ignore[no-any-return]


def scalar_mul(scalar: Any, x: Any, name: str | None = None) -> Any:
    """x times a scalar; IndexedSlices stay IndexedSlices. Raises ValueError if `scalar` is none."""
    x = convert_to_tensor_or_indexed_slices(x)
    scalar = convert_to_tensor(scalar, dtype=x.dtype.base_dtype, name="scalar")
    if scalar.shape.ndims != 0:
        raise ValueError(f"The input scalar must be a 0-D value. Received shape {scalar.shape}.")
    if isinstance(x, IndexedSlices):
        return IndexedSlices(raw.Mul(scalar, x.values, name=name), x.indices, x.dense_shape)
    return raw.Mul(scalar, x, name=name)


def betainc(a: Any, b: Any, x: Any, name: str | None = None) -> Tensor:
    """The regularized incomplete beta integral."""
    return raw.Betainc(a, b, x, name=name)  # type: ignore[no-any-return]


_export("pow", "pow", "math.pow")
_export("truediv", "truediv", "math.truediv")
_export("divide", "divide", "math.divide")
_export("div", "div")
_export("logical_xor", "logical_xor", "math.logical_xor")
_export("scalar_mul", "scalar_mul", "math.scalar_mul")
_export("betainc", "betainc", "math.betainc")


# --- sums of lists -----------------------------------------------------------------------------------------------------------------------
def add_n(inputs: Any, name: str | None = None) -> Tensor:
    """The elementwise sum of a list of tensors of one shape and dtype (IndexedSlices are made dense)."""
    if not isinstance(inputs, (list, tuple)) or not inputs:
        raise ValueError(
            "Inputs must be an iterable of at least one Tensor/IndexedSlices with the same dtype and shape."
        )
    values = [convert_to_tensor(convert_to_tensor_or_indexed_slices(v)) for v in inputs]
    if len(values) == 1:
        return raw.Identity(values[0], name=name) if name else values[0]  # type: ignore[no-any-return]
    return raw.AddN(values, name=name)  # type: ignore[no-any-return]


def accumulate_n(inputs: Any, shape: Any = None, tensor_dtype: Any = None, name: str | None = None) -> Tensor:
    """Like `add_n`; TensorFlow's version that needs memory for one sum only."""
    problem = ValueError("inputs must be a list of at least one Tensor with the same dtype and shape")
    if not isinstance(inputs, (list, tuple)) or not inputs:
        raise problem
    tensors = convert_n_to_tensor(inputs)
    if any(t.dtype.base_dtype is not tensors[0].dtype.base_dtype for t in tensors):
        raise problem
    total = TensorShape(shape)
    for t in tensors:
        total = total.merge_with(t.shape)
    if tensor_dtype is not None and dtypes.as_dtype(tensor_dtype) is not tensors[0].dtype.base_dtype:
        raise TypeError(f"tensor_dtype is {tensor_dtype!r}, but input is of type {tensors[0].dtype!r}")
    if len(tensors) == 1:
        return raw.Identity(tensors[0], name=name) if name else tensors[0]  # type: ignore[no-any-return]
    return raw.AccumulateNV2(tensors, shape=total, name=name)  # type: ignore[no-any-return]


def polyval(coeffs: Any, x: Any, name: str | None = None) -> Tensor:
    """The polynomial with `coeffs` (highest power first) at x, by Horner's rule."""
    if not isinstance(coeffs, list):
        raise ValueError(f"Argument coeffs must be list type. Received type {type(coeffs)}.")
    with name_scope(name, "polyval", [*coeffs, x]) as scope:
        x = convert_to_tensor(x, name="x")
        if not coeffs:
            return raw.ZerosLike(x, name=scope)  # type: ignore[no-any-return]
        tensors: list[Any] = [convert_to_tensor(c, name=f"coeff_{i}") for i, c in enumerate(coeffs)]
        p = tensors[0]
        for c in tensors[1:]:
            p = c + p * x
        return p  # type: ignore[no-any-return]


_export("add_n", "add_n", "math.add_n")
_export("accumulate_n", "accumulate_n", "math.accumulate_n")
_export("polyval", "math.polyval")


# --- casts -------------------------------------------------------------------------------------------------------------------------------
def cast(x: Any, dtype: Any, name: str | None = None) -> Any:
    """x with another dtype; the same tensor when it has it already."""
    base = dtypes.as_dtype(dtype).base_dtype
    if is_sparse(x):
        return type(x)(indices=x.indices, values=cast(x.values, base, name), dense_shape=x.dense_shape)
    if isinstance(x, IndexedSlices):
        return IndexedSlices(cast(x.values, base, name), x.indices, x.dense_shape)
    return _cast(x, base, name)


def saturate_cast(value: Any, dtype: Any, name: str | None = None) -> Tensor:
    """A cast that stops at the target's lowest and highest value instead of wrapping around."""
    with name_scope(name, "saturate_cast", [value]) as scope:
        value = convert_to_tensor(value, name="value")
        target, source = dtypes.as_dtype(dtype).base_dtype, value.dtype.base_dtype
        low, high = _limits(source, target)
        if low is not None:
            value = raw.Maximum(value, const_node(np.asarray(low, source.np), source, name="min"))
        if high is not None:
            value = raw.Minimum(value, const_node(np.asarray(high, source.np), source, name="max"))
        return cast(value, target, name=scope)  # type: ignore[no-any-return]


def _limits(source: Any, target: Any) -> tuple[Any, Any]:
    """The target's range in the source's dtype; None where the source does not reach beyond it."""
    low = source.np.type(target.min) if source.min < target.min else None
    high = source.np.type(target.max) if source.max > target.max else None
    if high is not None and source.is_floating and int(high) > target.max:
        high = np.nextafter(high, source.np.type(0), dtype=source.np)  # rounding went past the highest value
    return low, high


def _to(name: str, dtype: Any) -> Callable[..., Any]:
    source = (
        f"def {name[0]}(x, name={name[1]!r}):\n    '''`tf.cast` to {dtype.name}.'''\n    return cast(x, dtype, name)\n"
    )
    space: dict[str, Any] = {"cast": cast, "dtype": dtype, "__name__": __name__}
    exec(source, space)
    return space[name[0]]  # type: ignore[no-any-return]


for _name, _node, _dtype in (
    ("to_float", "ToFloat", dtypes.float32), ("to_double", "ToDouble", dtypes.float64), ("to_int32", "ToInt32", dtypes.int32),
    ("to_int64", "ToInt64", dtypes.int64), ("to_bfloat16", "ToBFloat16", dtypes.bfloat16), ("to_complex64", "ToComplex64", dtypes.complex64),
    ("to_complex128", "ToComplex128", dtypes.complex128),
):  # fmt: skip
    setattr(_HERE, _name, _to((_name, _node), _dtype))  # type: ignore[arg-type]
    _export(_name, _name)
_export("cast", "cast", "dtypes.cast")
_export("saturate_cast", "saturate_cast", "dtypes.saturate_cast")


# --- complex numbers ------------------------------------------------------------------------------------------------------------------------
def complex(real: Any, imag: Any, name: str | None = None) -> Tensor:  # noqa: A001
    """real + i·imag, of two float32 or two float64 tensors."""
    real = convert_to_tensor(real, name="real")
    imag = convert_to_tensor(imag, name="imag")
    with name_scope(name, "Complex", [real, imag]) as scope:
        kinds = (real.dtype.base_dtype, imag.dtype.base_dtype)
        if kinds == (dtypes.float64, dtypes.float64):
            out = dtypes.complex128
        elif kinds == (dtypes.float32, dtypes.float32):
            out = dtypes.complex64
        else:
            raise TypeError(
                f"The `real` and `imag` components have incorrect types: {real.dtype.name} {imag.dtype.name}."
            )
        return raw.Complex(real, imag, Tout=out, name=scope)  # type: ignore[no-any-return]


def real(input: Any, name: str | None = None) -> Tensor:
    """The real part; real tensors as they are."""
    with name_scope(name, "Real", [input]) as scope:
        input = convert_to_tensor(input, name="input")
        return raw.Real(input, Tout=input.dtype.real_dtype, name=scope) if input.dtype.is_complex else input  # type: ignore[no-any-return]


def imag(input: Any, name: str | None = None) -> Tensor:
    """The imaginary part; zeros for a real tensor."""
    with name_scope(name, "Imag", [input]) as scope:
        input = convert_to_tensor(input, name="input")
        return (
            raw.Imag(input, Tout=input.dtype.real_dtype, name=scope) if input.dtype.is_complex else raw.ZerosLike(input)
        )  # type: ignore[no-any-return]


def angle(input: Any, name: str | None = None) -> Tensor:
    """The argument of complex numbers; of real ones 0 or pi."""
    with name_scope(name, "Angle", [input]) as scope:
        input = convert_to_tensor(input, name="input")
        if input.dtype.is_complex:
            return raw.Angle(input, Tout=input.dtype.real_dtype, name=scope)  # type: ignore[no-any-return]
        return raw.SelectV2(input < 0, np.asarray(np.pi, input.dtype.np) * raw.OnesLike(input), raw.ZerosLike(input))  # type: ignore[no-any-return,operator]


def conj(x: Any, name: str | None = None) -> Tensor:
    """The complex conjugate; real tensors as they are. Raises TypeError for what is no number."""
    if isinstance(x, Tensor) and (x.dtype.is_floating or x.dtype.is_integer):
        return x
    with name_scope(name, "Conj", [x]) as scope:
        x = convert_to_tensor(x, name="x")
        if x.dtype.is_complex or x.dtype.base_dtype is dtypes.variant:
            return raw.Conj(x, name=scope)  # type: ignore[no-any-return]
        if x.dtype.is_floating or x.dtype.is_integer:
            return x
        raise TypeError(f"Expected numeric or variant tensor, got dtype {x.dtype!r}.")


for _name in ("real", "imag", "angle", "conj"):
    _export(_name, _name, f"math.{_name}")
_export("complex", "complex", "dtypes.complex")


# --- ranges ---------------------------------------------------------------------------------------------------------------------------------------
_RANGE_ORDER = (dtypes.int32, dtypes.int64, dtypes.float16, dtypes.bfloat16, dtypes.float32, dtypes.float64)


def range(start: Any, limit: Any = None, delta: Any = 1, dtype: Any = None, name: str = "range") -> Tensor:  # noqa: A001
    """Numbers from start (0 when only one is given) up to, not including, limit, in steps of delta."""
    if limit is None:
        start, limit = 0, start
    with name_scope(name, "Range", [start, limit, delta]) as scope:
        values = [
            v if isinstance(v, Tensor) else convert_to_tensor(v, dtype=dtype, name=n)
            for v, n in ((start, "start"), (limit, "limit"), (delta, "delta"))
        ]
        if dtype is None:
            unknown = [v.dtype for v in values if v.dtype.base_dtype not in _RANGE_ORDER]
            if unknown:
                raise TypeError(
                    f"range takes {', '.join(d.name for d in _RANGE_ORDER)}, not {unknown[0].name}; give `dtype` for others"
                )
            dtype = max((v.dtype.base_dtype for v in values), key=_RANGE_ORDER.index)
        return raw.Range(*(cast(v, dtype) for v in values), name=scope)  # type: ignore[no-any-return]


def linspace(start: Any, stop: Any, num: Any, name: str | None = None) -> Tensor:
    """`num` numbers from start to stop, both included, evenly spaced."""
    return raw.LinSpace(start, stop, num, name=name)  # type: ignore[no-any-return]


_export("range", "range")
_export("linspace", "linspace", "lin_space")


# --- log of the beta function -----------------------------------------------------------------------------------------------------------------------
def lbeta(x: Any, name: str | None = None) -> Tensor:
    """log |Beta(x)| along the last dimension."""
    with name_scope(name, "lbeta", [x]):
        x = convert_to_tensor(x, name="x")
        last = np.array([-1], np.int32)
        return raw.Sub(raw.Sum(raw.Lgamma(x), last), raw.Lgamma(raw.Sum(x, last)), name="sub")  # type: ignore[no-any-return]


_export("lbeta", "lbeta", "math.lbeta")
