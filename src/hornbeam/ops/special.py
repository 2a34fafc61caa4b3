"""Special functions: error functions, gamma and beta families, zeta, and Bessel functions."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from hornbeam.core.graph import InferenceContext
from hornbeam.core.lazy import jax, jnp, lax
from hornbeam.core.registry import OpSpec, op, raw
from hornbeam.core.tensor_shape import Shape
from hornbeam.ops import shapes
from hornbeam.ops.broadcasting import like, unbroadcast, unbroadcast_pair
from hornbeam.ops.math import FLOAT, AddV2, Exp, Log, Mul, Neg, RealDiv, Reciprocal, Square, Sub, binary, unary


def _wide(f: Callable[..., Any]) -> Callable[..., Any]:
    """16-bit floats go through float32."""

    def kernel(*args: Any) -> Any:
        arrays = [jnp.asarray(a) for a in args]
        dtype = arrays[0].dtype
        if dtype.itemsize < 4:
            return f(*(a.astype(jnp.float32) for a in arrays)).astype(dtype)
        return f(*arrays)

    return kernel


def _jax(name: str) -> Callable[..., Any]:
    return _wide(lambda *args: getattr(jax.scipy.special, name)(*args))


def _scipy(name: str) -> Callable[[Any], Any]:
    """A function XLA lacks, evaluated on the host."""

    def kernel(x: Any) -> Any:
        import scipy.special

        x = np.asarray(x)
        wide = x.astype(np.float32) if x.dtype.itemsize < 4 else x
        return np.asarray(getattr(scipy.special, name)(wide)).astype(x.dtype)

    return kernel


def _one(name: str, kernel: Callable[[Any], Any]) -> OpSpec:
    return unary(name, FLOAT, kernel)


def _host(name: str, function: str) -> OpSpec:
    return unary(name, FLOAT, _scipy(function), host=True)


def times(g, derivative):
    return [Mul(g, derivative)]


# --- error functions ----------------------------------------------------------------------------------------------------------------
Erf = _one("Erf", _jax("erf"))
Erfc = _one("Erfc", _jax("erfc"))
Erfinv = _one("Erfinv", _jax("erfinv"))
Ndtri = _one("Ndtri", _jax("ndtri"))


def _gauss(x, factor):
    return Mul(like(factor, x), Exp(Neg(Square(x))))


Erf.gradient(lambda op, g: times(g, _gauss(op.inputs[0], 2 / math.sqrt(math.pi))))
Erfc.gradient(lambda op, g: times(g, _gauss(op.inputs[0], -2 / math.sqrt(math.pi))))
Erfinv.gradient(lambda op, g: times(g, Mul(like(math.sqrt(math.pi) / 2, g), Exp(Square(op.outputs[0])))))
Ndtri.gradient(
    lambda op, g: times(g, Mul(like(math.sqrt(2 * math.pi), g), Exp(RealDiv(Square(op.outputs[0]), like(2, g)))))
)

# --- gamma and its relatives ----------------------------------------------------------------------------------------------------------
Lgamma = _one("Lgamma", _wide(lambda x: lax.lgamma(x)))
Digamma = _one("Digamma", _wide(lambda x: lax.digamma(x)))


def _polygamma(a: Any, x: Any) -> Any:
    a, x = jnp.broadcast_arrays(a, x)
    return jnp.where((a >= 0) & (a == jnp.floor(a)), lax.polygamma(jnp.abs(jnp.floor(a)), x), jnp.nan)


def _zeta(x: Any, q: Any) -> Any:
    return lax.zeta(*jnp.broadcast_arrays(x, q))


def _pairwise(f: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    return _wide(lambda a, x: f(*jnp.broadcast_arrays(a, x)))


_WIDE_FLOAT = "{float, double}"
Polygamma = binary("Polygamma", _WIDE_FLOAT, _wide(_polygamma), args="a: T, x: T")
Zeta = binary("Zeta", _WIDE_FLOAT, _wide(_zeta), args="x: T, q: T")
Igamma = binary("Igamma", FLOAT, _pairwise(lambda a, x: lax.igamma(a, x)), args="a: T, x: T")
Igammac = binary("Igammac", FLOAT, _pairwise(lambda a, x: lax.igammac(a, x)), args="a: T, x: T")
IgammaGradA = binary("IgammaGradA", _WIDE_FLOAT, _pairwise(lambda a, x: lax.igamma_grad_a(a, x)), args="a: T, x: T")

Lgamma.gradient(lambda op, g: times(g, Digamma(op.inputs[0])))
Digamma.gradient(lambda op, g: times(g, Polygamma(like(1, g), op.inputs[0])))


@Polygamma.gradient
def _(op, g):
    n, x = op.inputs
    return [None, unbroadcast(Mul(Polygamma(AddV2(n, like(1, n)), x), g), x, n)]


@Zeta.gradient
def _(op, g):
    x, q = op.inputs
    return [None, unbroadcast(Mul(Mul(Neg(x), Zeta(AddV2(x, like(1, x)), q)), g), q, x)]


def _igamma_gradients(op, g, sign):
    a, x = op.inputs
    by_a = Mul(IgammaGradA(a, x), g)
    exponent = Sub(AddV2(Neg(x), Mul(Sub(a, like(1, a)), Log(x))), Lgamma(a))
    by_x = Mul(Exp(exponent), g)
    if sign < 0:
        by_a, by_x = Neg(by_a), Neg(by_x)
    return unbroadcast_pair(op, by_a, by_x)


Igamma.gradient(lambda op, g: _igamma_gradients(op, g, 1))
Igammac.gradient(lambda op, g: _igamma_gradients(op, g, -1))


def _betainc_shape(c: InferenceContext) -> list[Shape]:
    """Arguments that are not scalars must have one shape."""
    out: Shape = ()
    for i in range(3):
        s = c.shape(i)
        if s is None:
            return [None]
        if s != ():
            out = s if out == () else shapes.broadcast_shapes(out, s, c)
    return [out]


@op("Betainc(a: T, b: T, x: T) -> (z: T); T: {float, double}", shape=_betainc_shape)
def Betainc(a, b, x):
    return lax.betainc(*jnp.broadcast_arrays(a, b, x))


@Betainc.gradient
def _(op, g):
    a, b, x = op.inputs
    log_beta = Sub(AddV2(Lgamma(a), Lgamma(b)), Lgamma(AddV2(a, b)))
    one = like(1, x)
    xlog1py, xlogy = raw.Xlog1py(Sub(b, one), Neg(x)), raw.Xlogy(Sub(a, one), x)
    return [None, None, unbroadcast(Mul(Exp(Sub(AddV2(xlog1py, xlogy), log_beta)), g), x)]


# --- modified Bessel functions of the first kind ----------------------------------------------------------------------------------------
BesselI0 = _one("BesselI0", _jax("i0"))
BesselI0e = _one("BesselI0e", _jax("i0e"))
BesselI1 = _one("BesselI1", _jax("i1"))
BesselI1e = _one("BesselI1e", _jax("i1e"))


def _at_zero(x, value, elsewhere):
    """`elsewhere(x)` with a value of its own where x is 0 and the formula divides by it."""
    zero = raw.Equal(x, like(0, x))
    return raw.SelectV2(zero, like(value, x), elsewhere)


BesselI0.gradient(lambda op, g: times(g, BesselI1(op.inputs[0])))
BesselI0e.gradient(lambda op, g: times(g, Sub(BesselI1e(op.inputs[0]), Mul(raw.Sign(op.inputs[0]), op.outputs[0]))))


@BesselI1.gradient
def _(op, g):
    x, y = op.inputs[0], op.outputs[0]
    return times(g, _at_zero(x, 1.0, Sub(BesselI0(x), RealDiv(y, x))))


@BesselI1e.gradient
def _(op, g):
    x, y = op.inputs[0], op.outputs[0]
    return times(g, _at_zero(x, 0.5, Sub(BesselI0e(x), Mul(y, AddV2(raw.Sign(x), Reciprocal(x))))))


# --- the other Bessel functions --------------------------------------------------------------------------------------------------------
BesselJ0 = _host("BesselJ0", "j0")
BesselJ1 = _host("BesselJ1", "j1")
BesselY0 = _host("BesselY0", "y0")
BesselY1 = _host("BesselY1", "y1")
BesselK0 = _host("BesselK0", "k0")
BesselK0e = _host("BesselK0e", "k0e")
BesselK1 = _host("BesselK1", "k1")
BesselK1e = _host("BesselK1e", "k1e")


BesselJ0.gradient(lambda op, g: times(g, Neg(BesselJ1(op.inputs[0]))))
BesselY0.gradient(lambda op, g: times(g, Neg(BesselY1(op.inputs[0]))))
BesselK0.gradient(lambda op, g: times(g, Neg(BesselK1(op.inputs[0]))))
BesselK0e.gradient(lambda op, g: times(g, Sub(op.outputs[0], BesselK1e(op.inputs[0]))))


@BesselJ1.gradient
def _(op, g):
    x, y = op.inputs[0], op.outputs[0]
    return times(g, _at_zero(x, 0.5, Sub(BesselJ0(x), RealDiv(y, x))))


@BesselY1.gradient
def _(op, g):
    x, y = op.inputs[0], op.outputs[0]
    return times(g, Sub(BesselY0(x), RealDiv(y, x)))


@BesselK1.gradient
def _(op, g):
    x, y = op.inputs[0], op.outputs[0]
    return times(g, Sub(Neg(BesselK0(x)), RealDiv(y, x)))


@BesselK1e.gradient
def _(op, g):
    x, y = op.inputs[0], op.outputs[0]
    return times(g, Sub(Mul(y, Sub(like(1, x), Reciprocal(x))), BesselK0e(x)))


# --- integrals ---------------------------------------------------------------------------------------------------------------------------
def _fresnel(part: int) -> Callable[[Any], Any]:
    def kernel(x: Any) -> Any:
        import scipy.special

        x = np.asarray(x)
        wide = x.astype(np.float32) if x.dtype.itemsize < 4 else x
        return np.asarray(scipy.special.fresnel(wide)[part]).astype(x.dtype)

    return kernel


Dawsn = _host("Dawsn", "dawsn")
Expint = _host("Expint", "expi")
FresnelSin = unary("FresnelSin", FLOAT, _fresnel(0), host=True)
FresnelCos = unary("FresnelCos", FLOAT, _fresnel(1), host=True)
Spence = _host("Spence", "spence")

Dawsn.gradient(lambda op, g: times(g, Sub(like(1, g), Mul(Mul(like(2, g), op.inputs[0]), op.outputs[0]))))
Expint.gradient(lambda op, g: times(g, RealDiv(Exp(op.inputs[0]), op.inputs[0])))
FresnelCos.gradient(lambda op, g: times(g, raw.Cos(Mul(like(math.pi / 2, g), Square(op.inputs[0])))))
FresnelSin.gradient(lambda op, g: times(g, raw.Sin(Mul(like(math.pi / 2, g), Square(op.inputs[0])))))


@Spence.gradient
def _(op, g):
    x = op.inputs[0]
    one = like(1, x)
    return times(g, raw.SelectV2(raw.Equal(x, one), like(-1, x), RealDiv(Log(x), Sub(one, x))))
