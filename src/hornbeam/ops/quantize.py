"""Quantisation: simulated (fake_quant, quantize_and_dequantize) and real (QuantizeV2, Dequantize)."""

from __future__ import annotations

from typing import Any

import numpy as np

from hornbeam.core.graph import InferenceContext
from hornbeam.core.registry import op, raw
from hornbeam.core.tensor_shape import Shape
from hornbeam.ops import shapes
from hornbeam.ops.array import bad, dense
from hornbeam.ops.xp import static, xp

_F = np.float32
_QUANT = "num_bits: int = 8; narrow_range: bool = false"


# --- fake quantisation ---
def _nudged(low: Any, high: Any, num_bits: int, narrow_range: bool) -> tuple[Any, Any, Any]:
    """(min, max, scale) moved so that zero is a quantised value."""
    if not 2 <= num_bits <= 16:
        raise bad(f"num_bits must be between 2 and 16, inclusive, got {num_bits}")
    q_low, q_high = _F(1 if narrow_range else 0), _F(2**num_bits - 1)
    scale = (high - low) / (q_high - q_low)
    zero = q_low - low / scale
    point = xp.where(zero < q_low, q_low, xp.where(zero > q_high, q_high, xp.floor(zero + _F(0.5))))
    return (q_low - point) * scale, (q_high - point) * scale, scale


def _fake(x: Any, low: Any, high: Any, num_bits: int, narrow_range: bool) -> Any:
    lo, hi, scale = _nudged(low, high, num_bits, narrow_range)
    shifted = xp.clip(x, lo, hi) - lo
    y = xp.floor(shifted * (_F(1) / scale) + _F(0.5)) * scale + lo
    return xp.where((low == 0) & (high == 0), _F(0), y)


def _mask(x: Any, low: Any, high: Any, num_bits: int, narrow_range: bool) -> tuple[Any, Any, Any]:
    """Where x is inside, below and above the nudged range (everything is inside a range of zeros)."""
    lo, hi, _ = _nudged(low, high, num_bits, narrow_range)
    flat = (low == 0) & (high == 0)
    inside = ((x >= lo) & (x <= hi)) | flat
    return inside, (x < lo) & ~flat, (x > hi) & ~flat


@op(
    f"FakeQuantWithMinMaxArgs(inputs: float) -> (outputs: float); min: float = -6.0; max: float = 6.0; {_QUANT}",
    shape=shapes.unchanged,
)
def FakeQuantWithMinMaxArgs(inputs, min, max, num_bits, narrow_range):
    if not min < max:
        raise bad(f"min has to be smaller than max, was: {min} >= {max}")
    return _fake(inputs, _F(min), _F(max), num_bits, narrow_range)


@op(
    "FakeQuantWithMinMaxArgsGradient(gradients: float, inputs: float) -> (backprops: float); min: float = -6.0; max: float = 6.0; "
    + _QUANT,
    shape=shapes.unchanged,
)
def FakeQuantWithMinMaxArgsGradient(gradients, inputs, min, max, num_bits, narrow_range):
    inside, _, _ = _mask(inputs, _F(min), _F(max), num_bits, narrow_range)
    return xp.where(inside, gradients, _F(0))


@op(
    f"FakeQuantWithMinMaxVars(inputs: float, min: float, max: float) -> (outputs: float); {_QUANT}",
    shape=shapes.unchanged,
)
def FakeQuantWithMinMaxVars(inputs, min, max, num_bits, narrow_range):
    return _fake(inputs, min, max, num_bits, narrow_range)


@op(
    f"FakeQuantWithMinMaxVarsPerChannel(inputs: float, min: float, max: float) -> (outputs: float); {_QUANT}",
    shape=shapes.unchanged,
)
def FakeQuantWithMinMaxVarsPerChannel(inputs, min, max, num_bits, narrow_range):
    return _fake(inputs, min, max, num_bits, narrow_range)


_VARS_GRADIENT = (
    "(gradients: float, inputs: float, min: float, max: float) -> (backprops_wrt_input: float, backprop_wrt_min: float, "
    f"backprop_wrt_max: float); {_QUANT}"
)


@op("FakeQuantWithMinMaxVarsGradient" + _VARS_GRADIENT, shape=lambda c: [c.shape(0), (), ()])
def FakeQuantWithMinMaxVarsGradient(gradients, inputs, min, max, num_bits, narrow_range):
    inside, below, above = _mask(inputs, min, max, num_bits, narrow_range)
    pick = lambda where: xp.where(where, gradients, _F(0))
    return pick(inside), xp.sum(pick(below)), xp.sum(pick(above))


@op("FakeQuantWithMinMaxVarsPerChannelGradient" + _VARS_GRADIENT, shape=lambda c: _per_channel_shape(c))
def FakeQuantWithMinMaxVarsPerChannelGradient(gradients, inputs, min, max, num_bits, narrow_range):
    inside, below, above = _mask(inputs, min, max, num_bits, narrow_range)
    axes = tuple(range(len(inputs.shape) - 1))
    pick = lambda where: xp.where(where, gradients, _F(0))
    return pick(inside), xp.sum(pick(below), axis=axes), xp.sum(pick(above), axis=axes)


def _per_channel_shape(c: InferenceContext) -> list[Shape]:
    s = c.shape(1)
    depth = None if s is None else s[-1]
    for i in (2, 3):
        v = c.shape(i)
        depth = shapes.merge_dim(c, depth, None if v is None else v[0])
    return [c.shape(0), (depth,), (depth,)]


def _bits(op: Any) -> dict[str, Any]:
    return {k: op._attrs[k] for k in ("min", "max", "num_bits", "narrow_range") if k in op._attrs}


FakeQuantWithMinMaxArgs.gradient(
    lambda op, grad: [raw.FakeQuantWithMinMaxArgsGradient(dense(grad), op.inputs[0], **_bits(op))]
)
FakeQuantWithMinMaxVars.gradient(
    lambda op, grad: raw.FakeQuantWithMinMaxVarsGradient(dense(grad), *op.inputs, **_bits(op))
)
FakeQuantWithMinMaxVarsPerChannel.gradient(
    lambda op, grad: raw.FakeQuantWithMinMaxVarsPerChannelGradient(dense(grad), *op.inputs, **_bits(op))
)


# --- quantize and dequantize ---
def _round(x: Any, mode: bytes) -> Any:
    return xp.floor(x + np.asarray(0.5, x.dtype)) if mode == b"HALF_UP" else xp.round(x)


def _through(
    x: Any, low: Any, high: Any, num_bits: int, signed: bool, given: bool, mode: bytes, narrow: bool, axis: int = -1
) -> Any:
    if not 1 <= num_bits <= 63:
        raise bad(f"num_bits is out of range: {num_bits} with signed_input_ {int(signed)}")
    dtype = x.dtype
    if 0 in x.shape:
        return x
    if not given:
        axes = tuple(i for i in range(len(x.shape)) if axis != -1 and i != axis % len(x.shape)) if axis != -1 else None
        low, high = xp.min(x, axis=axes), xp.max(x, axis=axes)
    q_low = (-(2 ** (num_bits - 1)) + (1 if narrow else 0)) if signed else 0
    q_high = 2 ** (num_bits - 1) - 1 if signed else 2**num_bits - 1
    ql, qh = np.asarray(q_low, dtype), np.asarray(q_high, dtype)
    top = np.asarray(np.finfo(np.float32 if dtype.itemsize < 8 else np.float64).max, dtype)
    from_low = xp.where(ql * low > 0, ql / low, top)
    from_high = xp.where(qh * high > 0, qh / high, top)
    use_low = from_low < from_high
    scale = xp.where(use_low, from_low, from_high)
    zero = np.zeros((), dtype)
    inverse = xp.where(use_low, low / ql if q_low else zero, high / qh)
    low, high = xp.where(use_low, low, ql * inverse), xp.where(use_low, qh * inverse, high)
    if axis != -1:
        shape = [1] * len(x.shape)
        shape[axis] = x.shape[axis]
        scale, inverse, low, high = (v.reshape(tuple(shape)) for v in (scale, inverse, low, high))
    if given:
        x = xp.minimum(xp.maximum(x, low), high)
    return (_round(x * scale, mode) * inverse).astype(dtype)


_QD_TYPES = "T: {bfloat16, half, float, double}"


@op(
    "QuantizeAndDequantize(input: T) -> (output: T); signed_input: bool = true; num_bits: int = 8; range_given: bool = false; "
    f"input_min: float = 0.0; input_max: float = 0.0; {_QD_TYPES}",
    shape=shapes.unchanged,
)
def QuantizeAndDequantize(input, signed_input, num_bits, range_given, input_min, input_max):
    low, high = np.asarray(input_min, input.dtype), np.asarray(input_max, input.dtype)
    return _through(input, low, high, num_bits, signed_input, range_given, b"HALF_TO_EVEN", False)


def _v2_attrs(rounding: bool) -> str:
    r = "; round_mode: {'HALF_TO_EVEN', 'HALF_UP'} = 'HALF_TO_EVEN'" if rounding else ""
    return f"{_QD_TYPES}{r}; narrow_range: bool = false; axis: int = -1"


def _v2(name: str) -> Any:
    @op(
        f"{name}(input: T, input_min: T, input_max: T) -> (output: T); signed_input: bool = true; num_bits: int = 8; "
        f"range_given: bool = false; {_v2_attrs(True)}",
        shape=shapes.unchanged,
    )
    def kernel(input, input_min, input_max, signed_input, num_bits, range_given, round_mode, narrow_range, axis):
        return _through(
            input, input_min, input_max, num_bits, signed_input, range_given, round_mode, narrow_range, axis
        )

    return kernel


QuantizeAndDequantizeV2 = _v2("QuantizeAndDequantizeV2")
QuantizeAndDequantizeV4 = _v2("QuantizeAndDequantizeV4")


@op(
    "QuantizeAndDequantizeV3(input: T, input_min: T, input_max: T, num_bits: int32) -> (output: T); signed_input: bool = true; "
    f"range_given: bool = true; {_v2_attrs(False)}",
    shape=shapes.unchanged,
)
def QuantizeAndDequantizeV3(input, input_min, input_max, num_bits, signed_input, range_given, narrow_range, axis):
    bits = int(static(num_bits))
    return _through(input, input_min, input_max, bits, signed_input, range_given, b"HALF_TO_EVEN", narrow_range, axis)


@op(
    "QuantizeAndDequantizeV4Grad(gradients: T, input: T, input_min: T, input_max: T) -> (input_backprop: T, input_min_backprop: T, "
    f"input_max_backprop: T); {_QD_TYPES}; axis: int = -1",
    shape=lambda c: [c.shape(0), *([()] * 2 if c.attr("axis") == -1 else [c.shape(2), c.shape(3)])],
)
def QuantizeAndDequantizeV4Grad(gradients, input, input_min, input_max, axis):
    """TensorFlow gives the limits no gradient."""
    low, high = input_min, input_max
    if axis != -1:
        shape = [1] * len(input.shape)
        shape[axis] = input.shape[axis]
        low, high = low.reshape(tuple(shape)), high.reshape(tuple(shape))
    inside = xp.where((input >= low) & (input <= high), gradients, np.zeros((), input.dtype))
    return inside, np.zeros(input_min.shape, input.dtype), np.zeros(input_max.shape, input.dtype)


QuantizeAndDequantize.gradient(lambda op, grad: [grad])
QuantizeAndDequantizeV2.gradient(lambda op, grad: [grad, None, None])
QuantizeAndDequantizeV3.gradient(lambda op, grad: [grad, None, None, None])
QuantizeAndDequantizeV4.gradient(
    lambda op, grad: raw.QuantizeAndDequantizeV4Grad(dense(grad), *op.inputs, axis=op._attrs["axis"])
)


# --- QuantizeV2, Dequantize ---
_MODES = "mode: {'MIN_COMBINED', 'MIN_FIRST', 'SCALED'} = 'MIN_COMBINED'"
_QTYPES = "T: {qint8, quint8, qint32, qint16, quint16}"


def _along(v: Any, axis: int, rank: int) -> Any:
    if axis == -1 or not v.shape:
        return v.reshape(()) if axis == -1 else v
    shape = [1] * rank
    shape[axis] = v.shape[0]
    return v.reshape(tuple(shape))


def _scaled_limits(t: Any, narrow: bool) -> tuple[float, float]:
    info = np.iinfo(t)
    return float(info.min + (1 if narrow else 0)) if info.min < 0 else 0.0, float(info.max)


def _quantize_shape(c: InferenceContext) -> list[Shape]:
    axis = c.attr("axis")
    s = c.shape(0)
    r: Shape = () if axis == -1 else (None if s is None else s[axis],)
    return [s, r, r]


@op(
    f"QuantizeV2(input: float, min_range: float, max_range: float) -> (output: T, output_min: float, output_max: float); {_QTYPES}; "
    f"{_MODES}; round_mode: {{'HALF_AWAY_FROM_ZERO', 'HALF_TO_EVEN'}} = 'HALF_AWAY_FROM_ZERO'; narrow_range: bool = false; "
    "axis: int = -1; ensure_minimum_range: float = 0.009999999776482582",
    shape=_quantize_shape,
)
def QuantizeV2(input, min_range, max_range, T, mode, round_mode, narrow_range, axis, ensure_minimum_range):
    t = T.np
    info = np.iinfo(t)
    rank = len(input.shape)
    low = xp.minimum(_F(0), min_range)
    gap = xp.maximum(_F(1), xp.maximum(xp.abs(min_range), xp.abs(max_range))) * _F(ensure_minimum_range)
    high = xp.maximum(_F(0), xp.maximum(max_range, low + gap))
    round_ = xp.round if round_mode == b"HALF_TO_EVEN" else lambda v: xp.trunc(v + xp.copysign(_F(0.5), v))
    if mode == b"SCALED":
        q_low, q_high = _scaled_limits(t, narrow_range)
        from_low = low / _F(q_low) if q_low else xp.zeros_like(low)
        factor = xp.maximum(from_low, high / _F(q_high))
        out_low, out_high = _F(q_low) * factor, _F(q_high) * factor
        lo, hi, f = (_along(v, axis, rank) for v in (out_low, out_high, factor))
        y = round_(xp.clip(input, lo, hi) / f)
        return _saturate(y, t), out_low, out_high
    lo, hi = _along(low, axis, rank), _along(high, axis, rank)
    span = _F(2.0 ** (8 * t.itemsize) - 1)
    if mode == b"MIN_FIRST":
        scale = (xp.asarray(hi, np.float64) - lo) / (2.0 ** (8 * t.itemsize) - 1)
        scale = xp.where(hi == lo, 0.0, scale)
        base = xp.round(lo / xp.where(scale == 0, 1.0, scale))
        y = xp.round(input / scale) - base + float(info.min)
        return _saturate(xp.clip(y, float(info.min), float(info.max)), t), low, high
    scale = span / (hi - lo)
    y = (xp.clip(input, lo, hi) - lo) * scale
    if info.min < 0:
        y = y - _F((float(info.max) - float(info.min) + 1) / 2.0)
    return _saturate(round_(y), t), low, high


def _saturate(y: Any, t: Any) -> Any:
    info = np.iinfo(t)
    wide = xp.asarray(y, np.float64)
    return xp.clip(wide, float(info.min), float(info.max)).astype(t)


@op(
    f"Dequantize(input: T, min_range: float, max_range: float) -> (output: dtype); {_QTYPES}; {_MODES}; narrow_range: bool = false; "
    "axis: int = -1; dtype: {bfloat16, float} = float",
    shape=shapes.unchanged,
)
def Dequantize(input, min_range, max_range, T, mode, narrow_range, axis, dtype):
    t = T.np
    info = np.iinfo(t)
    rank = len(input.shape)
    lo, hi = _along(min_range, axis, rank), _along(max_range, axis, rank)
    x = input.astype(np.float32)
    if mode == b"MIN_COMBINED":
        half = _F((float(info.max) - float(info.min) + 1) / 2.0) if info.min < 0 else _F(0)
        y = (x + half) * ((hi - lo) / _F(float(info.max) - float(info.min))) + lo
    elif mode == b"MIN_FIRST":
        scale = (xp.asarray(hi, np.float64) - lo) / (2.0 ** (8 * t.itemsize) - 1)
        base = xp.where(scale == 0, 0.0, xp.round(lo / xp.where(scale == 0, 1.0, scale)) * scale)
        y = (xp.asarray(input, np.float64) - float(info.min)) * scale + base
    else:
        q_low, q_high = _scaled_limits(t, narrow_range)
        factor = hi / _F(q_high)
        if q_low:
            factor = xp.maximum(lo / _F(q_low), factor)
        y = x * factor
    return y.astype(dtype.np)
