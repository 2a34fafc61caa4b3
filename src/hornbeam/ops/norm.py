"""Normalisation: FusedBatchNorm (three versions, training and inference, with second-order gradients), LRN, and the op of TensorFlow 0.x."""

from __future__ import annotations

from typing import Any

import numpy as np

from hornbeam.core.graph import InferenceContext
from hornbeam.core.lazy import jnp, lax
from hornbeam.core.registry import OpSpec, op, raw
from hornbeam.core.tensor_shape import Shape
from hornbeam.ops import shapes
from hornbeam.ops.array import bad
from hornbeam.ops.conv import channels_first
from hornbeam.ops.xp import xp

_EPSILON = "epsilon: float = 9.999999747378752e-05"
_TAIL = "data_format: {'NHWC', 'NCHW'} = 'NHWC'; is_training: bool = true"
_TAIL_3 = "data_format: {'NHWC', 'NCHW', 'NDHWC', 'NCDHW'} = 'NHWC'; is_training: bool = true"
_MIXED = "T: {half, bfloat16, float}; U: {float}"


# --- shapes ---
def _rank(c: InferenceContext) -> int:
    return len(c.attr("data_format"))


def _fused_shape(c: InferenceContext) -> list[Shape]:
    x = shapes.with_rank(c, 0, _rank(c))
    assert x is not None
    axis = 1 if channels_first(c.attr("data_format")) else len(x) - 1
    n = x[axis]
    training = c.attr("is_training")
    for i in range(1, 3 if training else 5):
        (m,) = shapes.with_rank(c, i, 1) or (None,)
        n = shapes.merge_dim(c, n, m)
    x = (*x[:axis], n, *x[axis + 1 :])
    more: list[Shape] = [None] if c.n_outputs == 6 else []
    return [x, (n,), (n,), (n,), (n,), *more]


def _fused_grad_shape(c: InferenceContext) -> list[Shape]:
    dy, x = shapes.with_rank(c, 0, _rank(c)), shapes.with_rank(c, 1, _rank(c))
    assert dy is not None and x is not None
    axis = 1 if channels_first(c.attr("data_format")) else len(dy) - 1
    n = shapes.merge_dim(c, dy[axis], x[axis])
    for i in range(2, 5):
        (m,) = shapes.with_rank(c, i, 1) or (None,)
        n = shapes.merge_dim(c, n, m)
    return [(*dy[:axis], n, *dy[axis + 1 :]), (n,), (n,), (0,), (0,)]


# --- forward ---
class _Layout:
    """Where the channels of a tensor are: which axes to reduce and how a per-channel vector broadcasts."""

    def __init__(self, x: Any, data_format: bytes) -> None:
        if x.ndim != len(data_format):
            raise bad(f"input must be {len(data_format)}-dimensional, got shape {list(x.shape)}")
        self.axis = 1 if channels_first(data_format) else x.ndim - 1
        self.channels = x.shape[self.axis]
        self.axes = tuple(i for i in range(x.ndim) if i != self.axis)
        self.count = int(np.prod([x.shape[i] for i in self.axes]))
        self._shape = tuple(-1 if i == self.axis else 1 for i in range(x.ndim))

    def check(self, **vectors: Any) -> None:
        for name, v in vectors.items():
            if v.shape != (self.channels,):
                raise bad(
                    f"{name} must have the same number of elements as the channels of x, got {list(v.shape)} and {self.channels}"
                )

    def wide(self, v: Any) -> Any:
        return v.reshape(self._shape)

    def sum(self, x: Any) -> Any:
        return xp.sum(x, axis=self.axes, dtype=x.dtype)


def _fused(
    x: Any,
    scale: Any,
    offset: Any,
    mean: Any,
    variance: Any,
    epsilon: float,
    factor: float,
    data_format: bytes,
    training: bool,
) -> tuple[Any, ...]:
    """(y, batch mean, batch variance, saved mean, saved variance), statistics in float32."""
    at = _Layout(x, data_format)
    at.check(scale=scale, offset=offset)
    stat = np.float32
    if not training:
        at.check(mean=mean, variance=variance)
        y = _normalized(x, mean, variance, scale, offset, epsilon, at)
        return y, mean, variance, mean, variance
    if at.count == 0:
        nan, zero = np.full(at.channels, np.nan, stat), np.zeros(at.channels, stat)
        return np.zeros(x.shape, x.dtype), nan, nan, zero, zero
    wide = x.astype(stat)
    batch_mean = at.sum(wide) / stat(at.count)
    batch_variance = at.sum(xp.square(wide - at.wide(batch_mean))) / stat(at.count)
    y = _normalized(x, batch_mean, batch_variance, scale, offset, epsilon, at)
    new_mean, new_variance = batch_mean, batch_variance * stat(at.count / max(at.count - 1, 1))
    if factor != 1.0:
        at.check(mean=mean, variance=variance)
        keep, take = stat(1.0 - factor), stat(factor)
        new_mean, new_variance = keep * mean + take * new_mean, keep * variance + take * new_variance
    return y, new_mean, new_variance, batch_mean, batch_variance


def _rsqrt(v: Any) -> Any:
    return np.float32(1) / np.sqrt(v) if isinstance(v, np.ndarray) else lax.rsqrt(v)


def _normalized(x: Any, mean: Any, variance: Any, scale: Any, offset: Any, epsilon: float, at: _Layout) -> Any:
    factor = _rsqrt(variance + np.float32(epsilon)) * scale
    return ((x.astype(np.float32) - at.wide(mean)) * at.wide(factor) + at.wide(offset)).astype(x.dtype)


def _forward_op(name: str, types: str, argument: str, tail: str, reserve: str = "") -> Any:
    v = argument
    return op(
        f"{name}(x: T, scale: {v}, offset: {v}, mean: {v}, variance: {v}) -> (y: T, batch_mean: {v}, batch_variance: {v}, "
        f"reserve_space_1: {v}, reserve_space_2: {v}{reserve}); {types}; {_EPSILON}; exponential_avg_factor: float = 1.0; {tail}",
        shape=_fused_shape,
    )


@_forward_op("FusedBatchNorm", "T: {float}", "T", _TAIL)
def FusedBatchNorm(x, scale, offset, mean, variance, epsilon, exponential_avg_factor, data_format, is_training):
    return _fused(x, scale, offset, mean, variance, epsilon, exponential_avg_factor, data_format, is_training)


@_forward_op("FusedBatchNormV2", _MIXED, "U", _TAIL)
def FusedBatchNormV2(x, scale, offset, mean, variance, epsilon, exponential_avg_factor, data_format, is_training):
    return _fused(x, scale, offset, mean, variance, epsilon, exponential_avg_factor, data_format, is_training)


@_forward_op(
    "FusedBatchNormV3", "T: {half, bfloat16, float}; U: {bfloat16, float}", "U", _TAIL_3, ", reserve_space_3: U"
)
def FusedBatchNormV3(x, scale, offset, mean, variance, U, epsilon, exponential_avg_factor, data_format, is_training):
    """Its third reserve space is cuDNN's scratch: a zero on the CPU."""
    out = _fused(
        x, scale.astype(np.float32), offset.astype(np.float32), mean.astype(np.float32), variance.astype(np.float32),
        epsilon, exponential_avg_factor, data_format, is_training,
    )  # fmt: skip
    return (out[0], *(v.astype(U.np) for v in out[1:]), np.zeros((), U.np))


# --- gradient ---
def _fused_grad(
    dy: Any, x: Any, scale: Any, mean: Any, variance: Any, epsilon: float, data_format: bytes, training: bool
) -> tuple[Any, ...]:
    """(dx, dscale, doffset, two empty reserve spaces); mean and variance are the batch's when training, else the population's."""
    at = _Layout(x, data_format)
    at.check(scale=scale, reserve_space_1=mean, reserve_space_2=variance)
    if dy.shape != x.shape:
        raise bad(
            f"x and y_backprop must have same shape, but x has shape {list(x.shape)} and y_backprop {list(dy.shape)}"
        )
    stat = np.float32
    none = np.zeros(0, stat)
    if at.count == 0:
        zero = np.zeros(at.channels, stat)
        return np.zeros(x.shape, x.dtype), zero, zero, none, none
    inverse = _rsqrt(variance + stat(epsilon))
    wide = dy.astype(stat)
    centered = x.astype(stat) - at.wide(mean)
    doffset = at.sum(wide)
    dot = at.sum(wide * centered)
    dscale = dot * inverse
    if training:
        n = stat(at.count)
        inner = wide - at.wide(doffset / n) - centered * at.wide(dot / n * inverse * inverse)
        dx = inner * at.wide(scale * inverse)
    else:
        dx = wide * at.wide(scale * inverse)
    return dx.astype(x.dtype), dscale, doffset, none, none


def _grad_op(name: str, types: str, scale: str, v: str, tail: str, reserve: str, outputs: str) -> Any:
    return op(
        f"{name}(y_backprop: T, x: T, scale: {scale}, reserve_space_1: {v}, reserve_space_2: {v}{reserve}) -> (x_backprop: T, "
        f"scale_backprop: {v}, offset_backprop: {v}, {outputs}); {types}; {_EPSILON}; {tail}",
        shape=_fused_grad_shape,
    )


@_grad_op("FusedBatchNormGrad", "T: {float}", "T", "T", _TAIL, "", "reserve_space_3: T, reserve_space_4: T")
def FusedBatchNormGrad(y_backprop, x, scale, reserve_space_1, reserve_space_2, epsilon, data_format, is_training):
    return _fused_grad(y_backprop, x, scale, reserve_space_1, reserve_space_2, epsilon, data_format, is_training)


@_grad_op("FusedBatchNormGradV2", _MIXED, "float", "U", _TAIL, "", "reserve_space_3: U, reserve_space_4: U")
def FusedBatchNormGradV2(y_backprop, x, scale, reserve_space_1, reserve_space_2, epsilon, data_format, is_training):
    return _fused_grad(y_backprop, x, scale, reserve_space_1, reserve_space_2, epsilon, data_format, is_training)


@_grad_op(
    "FusedBatchNormGradV3",
    _MIXED,
    "float",
    "U",
    _TAIL_3,
    ", reserve_space_3: U",
    "reserve_space_4: U, reserve_space_5: U",
)
def FusedBatchNormGradV3(
    y_backprop, x, scale, reserve_space_1, reserve_space_2, reserve_space_3, epsilon, data_format, is_training
):
    return _fused_grad(y_backprop, x, scale, reserve_space_1, reserve_space_2, epsilon, data_format, is_training)


def _gradient(spec: OpSpec, grad_spec: OpSpec) -> None:
    @spec.gradient
    def _(op, grad, *_unused):
        """Training: with the saved batch statistics. Inference: with the population's, in channels-last as TensorFlow's CPU needs."""
        x, scale, _, mean, variance = op.inputs
        data_format = op._attrs["data_format"]
        training = op._attrs["is_training"]
        first = channels_first(data_format) and not training
        more = [op.outputs[5]] if len(op.outputs) == 6 else []
        if training:
            mean, variance = op.outputs[3], op.outputs[4]
        n = len(data_format)
        if first:
            back = [0, *range(2, n), 1]
            x, grad = raw.Transpose(x, back), raw.Transpose(grad, back)
            data_format = b"NHWC" if n == 4 else b"NDHWC"
        attrs = {"epsilon": op._attrs["epsilon"], "data_format": data_format, "is_training": training}
        dx, dscale, doffset, _, _ = grad_spec(grad, x, scale, mean, variance, *more, **attrs)
        if first:
            dx = raw.Transpose(dx, [0, n - 1, *range(1, n - 1)])
        return [dx, dscale, doffset, None, None]

    @grad_spec.gradient
    def _(op, grad_dx, grad_dscale, grad_doffset, *_unused):
        """Second order: the gradient written in primitive ops, differentiated."""
        from hornbeam.core.gradients import gradients

        dy, x, scale, mean, variance = op.inputs[:5]
        outputs = _primitive_gradient(op, dy, x, scale, mean, variance)
        given = [dy, x, scale]  # dy depends on x; that way is the caller's
        by = gradients(outputs, given, [grad_dx, grad_dscale, grad_doffset], stop_gradients=given)
        return [*by, *[None] * (len(op.inputs) - 3)]


def _primitive_gradient(op: Any, dy: Any, x: Any, scale: Any, pop_mean: Any, pop_variance: Any) -> list[Any]:
    """(dx, dscale, doffset) as a graph of elementwise ops and reductions, the batch statistics recomputed from x."""
    n = len(op._attrs["data_format"])
    epsilon = op._attrs["epsilon"]
    first = channels_first(op._attrs["data_format"])
    narrow = x.dtype
    if narrow is not scale.dtype:
        dy, x = raw.Cast(dy, DstT=scale.dtype), raw.Cast(x, DstT=scale.dtype)
    if first:
        back = [0, *range(2, n), 1]
        dy, x = raw.Transpose(dy, back), raw.Transpose(x, back)
    axes = list(range(n - 1))
    doffset = raw.Sum(dy, axes)
    if op._attrs["is_training"]:
        mean = raw.Mean(x, axes)
        centered = x - mean
        inverse = raw.Rsqrt(raw.Mean(raw.Square(centered), axes) + epsilon)
        dy_mean = raw.Mean(dy, axes)
        dot = raw.Mean(dy * centered, axes)
        dx = scale * inverse * (dy - dy_mean - centered * (raw.Square(inverse) * dot))
    else:
        inverse = raw.Rsqrt(pop_variance + epsilon)
        centered = x - pop_mean
        dx = dy * (scale * inverse)
    dscale = inverse * raw.Sum(dy * centered, axes)
    if first:
        dx = raw.Transpose(dx, [0, n - 1, *range(1, n - 1)])
    if narrow is not scale.dtype:
        dx = raw.Cast(dx, DstT=narrow)
    return [dx, dscale, doffset]


_gradient(FusedBatchNorm, FusedBatchNormGrad)
_gradient(FusedBatchNormV2, FusedBatchNormGradV2)
_gradient(FusedBatchNormV3, FusedBatchNormGradV3)


# --- local response normalisation ---
_LRN = "depth_radius: int = 5; bias: float = 1.0; alpha: float = 1.0; beta: float = 0.5; T: {half, bfloat16, float} = float"


def _over_neighbours(x: Any, radius: int) -> Any:
    """Sums over the channels within `radius`: a product with a banded matrix."""
    channels = np.arange(x.shape[-1])
    band = (np.abs(channels[:, None] - channels) <= radius).astype(x.dtype)
    return jnp.dot(x, band, precision="highest")


def _lrn_norm(x: Any, radius: int, bias: float, alpha: float) -> Any:
    return np.asarray(bias, x.dtype) + np.asarray(alpha, x.dtype) * _over_neighbours(x * x, radius)


def _rank_four(c: InferenceContext) -> list[Shape]:
    return [shapes.with_rank(c, 0, 4)]


@op(f"LRN(input: T) -> (output: T); {_LRN}", shape=_rank_four)
def LRN(input, depth_radius, bias, alpha, beta):
    if input.ndim != 4:
        raise bad(f"in must be 4-dimensional, got shape {list(input.shape)}")
    x = input.astype(np.float32)
    return (x * _lrn_norm(x, depth_radius, bias, alpha) ** np.float32(-beta)).astype(input.dtype)


def _lrn_grad_shape(c: InferenceContext) -> list[Shape]:
    (s,) = shapes.merged(c)
    return [(None,) * 4 if s is None else s]


@op(f"LRNGrad(input_grads: T, input_image: T, output_image: T) -> (output: T); {_LRN}", shape=_lrn_grad_shape)
def LRNGrad(input_grads, input_image, output_image, depth_radius, bias, alpha, beta):
    if not input_grads.shape == input_image.shape == output_image.shape or input_image.ndim != 4:
        raise bad(
            f"input_grads, input_image, and out_image should have the same shape of rank 4, got {list(input_grads.shape)}, "
            f"{list(input_image.shape)}, {list(output_image.shape)}"
        )
    dy, x, y = (v.astype(np.float32) for v in (input_grads, input_image, output_image))
    norm = _lrn_norm(x, depth_radius, bias, alpha)
    shared = _over_neighbours(dy * y / norm, depth_radius)
    dx = dy * norm ** np.float32(-beta) - np.float32(2 * alpha * beta) * x * shared
    return dx.astype(input_image.dtype)


@LRN.gradient
def _(op, grad):
    attrs = {k: op._attrs[k] for k in ("depth_radius", "bias", "alpha", "beta")}
    return [LRNGrad(grad, op.inputs[0], op.outputs[0], **attrs)]


# --- the op of the first releases ---
_GLOBAL = (
    "T: {float, double, int32, uint8, int16, int8, complex64, int64, qint8, quint8, qint32, bfloat16, qint16, quint16, uint16, "
    "complex128, half, uint32, uint64}; variance_epsilon: float; scale_after_normalization: bool"
)


def _global_shape(c: InferenceContext) -> list[Shape]:
    t = shapes.with_rank(c, 0, 4)
    assert t is not None
    depth = t[3]
    for i in range(1, 5):
        (m,) = shapes.with_rank(c, i, 1) or (None,)
        depth = shapes.merge_dim(c, depth, m)
    return [(*t[:3], depth)]


def _global_grad_shape(c: InferenceContext) -> list[Shape]:
    t, backprop = shapes.with_rank(c, 0, 4), shapes.with_rank(c, 4, 4)
    assert t is not None and backprop is not None
    depth = shapes.merge_dim(c, t[3], backprop[3])
    return [(*t[:3], depth), *[(depth,)] * 4]


@op(
    f"BatchNormWithGlobalNormalization(t: T, m: T, v: T, beta: T, gamma: T) -> (result: T); {_GLOBAL}",
    shape=_global_shape,
)
def BatchNormWithGlobalNormalization(t, m, v, beta, gamma, variance_epsilon, scale_after_normalization):
    inverse = np.asarray(1, v.dtype) / xp.sqrt(v + np.asarray(variance_epsilon, v.dtype))
    return (t - m) * (inverse * gamma if scale_after_normalization else inverse) + beta


@op(
    "BatchNormWithGlobalNormalizationGrad(t: T, m: T, v: T, gamma: T, backprop: T) -> (dx: T, dm: T, dv: T, db: T, dg: T); "
    + _GLOBAL,
    shape=_global_grad_shape,
)
def BatchNormWithGlobalNormalizationGrad(t, m, v, gamma, backprop, variance_epsilon, scale_after_normalization):
    def total(x: Any) -> Any:
        return xp.sum(x, axis=(0, 1, 2), dtype=x.dtype)

    inverse = np.asarray(1, v.dtype) / xp.sqrt(v + np.asarray(variance_epsilon, v.dtype))
    centered = t - m
    scaled = backprop * gamma if scale_after_normalization else backprop
    dm = -total(scaled) * inverse
    dv = total(scaled * centered) * (np.asarray(-0.5, v.dtype) * inverse * inverse * inverse)
    dg = total(backprop * centered) * inverse if scale_after_normalization else xp.zeros_like(gamma)
    return scaled * inverse, dm, dv, total(backprop), dg


@BatchNormWithGlobalNormalization.gradient
def _(op, grad):
    t, m, v, _, gamma = op.inputs
    attrs = {k: op._attrs[k] for k in ("variance_epsilon", "scale_after_normalization")}
    return list(BatchNormWithGlobalNormalizationGrad(t, m, v, gamma, grad, **attrs))
