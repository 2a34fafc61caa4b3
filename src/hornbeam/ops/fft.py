"""Discrete Fourier transforms over the last one, two or three dimensions, and their gradients."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from hornbeam.core import errors
from hornbeam.core.constant import constant_value
from hornbeam.core.graph import InferenceContext, Tensor
from hornbeam.core.lazy import jnp
from hornbeam.core.registry import OpSpec, op, raw
from hornbeam.core.tensor_shape import Shape
from hornbeam.ops import shapes
from hornbeam.ops.broadcasting import like
from hornbeam.ops.math import Mul
from hornbeam.ops.xp import ints

_SUFFIX = {1: "", 2: "2D", 3: "3D"}


# --- complex to complex ------------------------------------------------------------------------------------------------------------------
def _complex(name: str, rank: int, f: str) -> OpSpec:
    def kernel(input):
        return getattr(jnp.fft, f)(jnp.asarray(input), axes=tuple(range(-rank, 0)))

    return op(
        f"{name}(input: Tcomplex) -> (output: Tcomplex); Tcomplex: {{complex64, complex128}} = complex64",
        shape=lambda c: [shapes.at_least_rank(c, 0, rank)],
    )(kernel)


FFT, FFT2D, FFT3D = (_complex(f"FFT{s}", r, "fftn") for r, s in _SUFFIX.items())
IFFT, IFFT2D, IFFT3D = (_complex(f"IFFT{s}", r, "ifftn") for r, s in _SUFFIX.items())


def transform_size(t: Tensor, rank: int) -> Any:
    """The number of points of the transform: an int if known, else an int32 tensor."""
    s = t._shape
    if s is not None and None not in s[-rank:]:
        return int(np.prod(s[-rank:], dtype=np.int64))  # type: ignore[arg-type]
    return raw.Prod(raw.StridedSlice(raw.Shape(t), [-rank], [0], [1], end_mask=1), [0])


def _scaled(t: Tensor, size: Any, inverse: bool) -> Tensor:
    """t times (or over) the size."""
    factor = like(float(size), t) if isinstance(size, int) else raw.Cast(size, DstT=t._dtype._base)
    return raw.RealDiv(t, factor) if inverse else Mul(t, factor)  # type: ignore[no-any-return]


def _forward_gradient(back: OpSpec, rank: int) -> Callable[..., Any]:
    return lambda op, g: [_scaled(back(g), transform_size(g, rank), False)]


def _inverse_gradient(forward: OpSpec, rank: int) -> Callable[..., Any]:
    return lambda op, g: [_scaled(forward(g), transform_size(g, rank), True)]


_FFT = {1: FFT, 2: FFT2D, 3: FFT3D}
_IFFT = {1: IFFT, 2: IFFT2D, 3: IFFT3D}
for _r in _SUFFIX:
    _FFT[_r].gradient(_forward_gradient(_IFFT[_r], _r))
    _IFFT[_r].gradient(_inverse_gradient(_FFT[_r], _r))


# --- real to complex and back ----------------------------------------------------------------------------------------------------------------
def _real_shape(rank: int, forward: bool) -> Callable[[InferenceContext], list[Shape]]:
    def rule(c: InferenceContext) -> list[Shape]:
        s = shapes.at_least_rank(c, 0, rank)
        n = c.shape(1)
        if n is not None and (len(n) != 1 or n[0] not in (rank, None)):
            raise c.fail(f"Dimension must be {rank} but is {n}")
        if s is None:
            return [None]
        length = c.value(1)
        if length is None:
            return [(*s[:-rank], *(None,) * rank)]
        dims = [int(d) for d in length]
        if forward:
            dims[-1] = dims[-1] // 2 + 1 if dims[-1] > 0 else dims[-1]
        return [(*s[:-rank], *dims)]

    return rule


def _check_length(x: Any, rank: int, forward: bool, length: tuple[int, ...]) -> None:
    if x.ndim < rank:
        raise errors.InvalidArgumentError(
            None, None, f"Input must have rank of at least {rank} but got: {list(x.shape)}"
        )
    for i, n in enumerate(length):
        need = n if forward or i < rank - 1 else n // 2 + 1
        have = x.shape[i - rank]
        if x.size and have < need:
            raise errors.InvalidArgumentError(
                None, None, f"Input dimension {i} must have length of at least {need} but got: {have}"
            )


def _real(name: str, rank: int, forward: bool) -> OpSpec:
    def kernel(input, fft_length, Treal, Tcomplex):
        x, length = jnp.asarray(input), ints(fft_length)
        axes = tuple(range(-rank, 0))
        _check_length(x, rank, forward, length)
        if forward:
            return jnp.fft.rfftn(x, s=length, axes=axes).astype(Tcomplex.np)
        return jnp.fft.irfftn(x, s=length, axes=axes).astype(Treal.np)

    signature = (
        "(input: Treal, fft_length: int32) -> (output: Tcomplex)"
        if forward
        else "(input: Tcomplex, fft_length: int32) -> (output: Treal)"
    )
    return op(
        f"{name}{signature}; Treal: {{float, double}} = float; Tcomplex: {{complex64, complex128}} = complex64",
        shape=_real_shape(rank, forward),
    )(kernel)


_RFFT = {r: _real(f"RFFT{s}", r, True) for r, s in _SUFFIX.items()}
_IRFFT = {r: _real(f"IRFFT{s}", r, False) for r, s in _SUFFIX.items()}


def _last(t: Tensor) -> Tensor:
    return raw.StridedSlice(t, [-1], [0], [1], end_mask=1, shrink_axis_mask=1)  # type: ignore[no-any-return]


def _types(op: Any) -> dict[str, Any]:
    return {"Treal": op._attrs["Treal"], "Tcomplex": op._attrs["Tcomplex"]}


def _rfft_gradient(rank: int) -> Callable[..., Any]:
    """The adjoint: the half spectrum filled up with zeros, transformed back, its real part times the number of points."""

    def rule(op, g):
        x, length = op.inputs
        n = constant_value(length)
        dims = op.outputs[0]._shape
        ndim: Any = None if dims is None else len(dims)
        if n is not None and ndim is not None:
            pads: Any = np.zeros((ndim, 2), np.int32)
            pads[-1, 1] = int(n[-1]) - (int(n[-1]) // 2 + 1)
            size: Any = int(np.prod(n))
        else:
            missing = raw.Sub(_last(length), _last(raw.Shape(g)))
            rows = raw.ExpandDims(raw.Sub(raw.Rank(g), 1), 0)
            zeros = raw.Fill(raw.ConcatV2([rows, [2]], 0), 0)
            pads = raw.ConcatV2([zeros, raw.Reshape(raw.Pack([0, missing]), [1, 2])], 0)
            size = raw.Prod(length, [0])
        full = _IFFT[rank](raw.Pad(g, pads))
        out = _scaled(raw.Real(full, Tout=op._attrs["Treal"]), size, False)
        if x._shape is not None and out._shape == x._shape and None not in x._shape:
            return [out, None]
        after = raw.Sub(raw.Shape(x), raw.Shape(out))  # what the transform left out of x has no gradient
        return [raw.Pad(out, raw.Pack([raw.ZerosLike(after), after], axis=1)), None]

    return rule


def _irfft_gradient(rank: int) -> Callable[..., Any]:
    """The transform of the gradient; frequencies that stand for two count double."""

    def rule(op, g):
        y, length = op.inputs
        n = constant_value(length)
        real = op._attrs["Treal"]
        if n is not None and y._shape is not None and y._shape[-1] is not None:
            odd = int(n[-1]) % 2
            mask: Any = np.array([1.0] + [2.0] * (int(n[-1]) // 2 - 1 + odd) + [1.0] * (1 - odd), real.np)
            size: Any = int(np.prod(n))
        else:
            odd = raw.FloorMod(_last(length), 2)
            twos = raw.ExpandDims(raw.AddV2(raw.Sub(_last(raw.Shape(y)), 2), odd), 0)
            ones = raw.ExpandDims(raw.Sub(1, odd), 0)
            one, two = np.ones((1,), real.np), np.asarray(2, real.np)
            mask = raw.ConcatV2([one, raw.Fill(twos, two), raw.Fill(ones, np.asarray(1, real.np))], 0)
            size = raw.Prod(length, [0])
        spectrum = _RFFT[rank](g, length, **_types(op))
        scaled = _scaled(raw.Mul(spectrum, raw.Cast(mask, DstT=op._attrs["Tcomplex"])), size, True)
        if y._shape is not None and scaled._shape == y._shape and None not in y._shape:
            return [scaled, None]
        after = raw.Sub(raw.Shape(y), raw.Shape(scaled))
        return [raw.Pad(scaled, raw.Pack([raw.ZerosLike(after), after], axis=1)), None]

    return rule


for _r in (1, 2):  # TensorFlow has no gradient of the three-dimensional ones
    _RFFT[_r].gradient(_rfft_gradient(_r))
    _IRFFT[_r].gradient(_irfft_gradient(_r))

RFFT, RFFT2D, RFFT3D = _RFFT.values()
IRFFT, IRFFT2D, IRFFT3D = _IRFFT.values()
