"""Convolutions: Conv2D, DepthwiseConv2dNative, Conv3D, their backprops, and morphological dilation.

The arithmetic is in `conv_lowering`; here are geometry, shape rules and gradients.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from hornbeam.core.graph import InferenceContext
from hornbeam.core.lazy import jnp
from hornbeam.core.registry import OpSpec, op, raw
from hornbeam.core.tensor_shape import Shape
from hornbeam.ops import conv_lowering, shapes
from hornbeam.ops.array import bad
from hornbeam.ops.conv_lowering import Window
from hornbeam.ops.xp import ints


# --- geometry ---
def channels_first(data_format: bytes) -> bool:
    return data_format[1:2] == b"C"


def spatial(values: Any, first: bool) -> tuple[Any, ...]:
    """The spatial part of a per-dimension attribute."""
    return tuple(values[2:] if first else values[1:-1])


def last(x: Any, first: bool) -> Any:
    """x with its channels moved to the end."""
    return jnp.moveaxis(x, 1, -1) if first else x


def unlast(x: Any, first: bool) -> Any:
    return jnp.moveaxis(x, -1, 1) if first else x


def output_size(
    n: int | None, k: int, stride: int, dilation: int, padding: bytes, explicit: tuple[int, int], fail: Any = None
) -> Any:
    """One dimension's (output size, (pad before, pad after)); None sizes stay None.

    While building (`fail` given) a window larger than the input is an error; a kernel gives no outputs, as TensorFlow does.
    """
    span = (k - 1) * dilation + 1
    if padding == b"SAME":
        if n is None:
            return None, (0, 0)
        out = -(-n // stride)
        total = max((out - 1) * stride + span - n, 0)
        return out, (total // 2, total - total // 2)
    lo, hi = explicit if padding == b"EXPLICIT" else (0, 0)
    if n is None:
        return None, (lo, hi)
    if fail is None and n + lo + hi - span + stride <= 0:
        if n + lo + hi - span + stride <= -stride:
            raise bad(f"Computed output size would be negative: input {n + lo + hi}, window {span}, stride {stride}")
        return 0, (lo, hi)
    if fail is not None and n + lo + hi < span:
        raise fail(f"Negative dimension size caused by subtracting {span} from {n + lo + hi}")
    return (n + lo + hi - span + stride) // stride, (lo, hi)


def _pairs(explicit: Any, first: bool) -> list[tuple[int, int]]:
    both = list(zip(explicit[::2], explicit[1::2], strict=True))
    return list(spatial(both, first))


def window_of(
    size: tuple[int, ...], k: tuple[int, ...], strides: Any, dilations: Any, padding: bytes, explicit: Any, first: bool
) -> Window:
    """The geometry of one call; `size` and `k` are spatial, the rest are the node's attributes."""
    s = spatial(strides, first)
    d = spatial(dilations, first) if dilations else (1,) * len(k)
    pairs = _pairs(explicit, first) if padding == b"EXPLICIT" else [(0, 0)] * len(k)
    both = [output_size(*a, padding, p) for a, p in zip(zip(size, k, s, d, strict=True), pairs, strict=True)]
    return Window(size, k, tuple(o for o, _ in both), s, d, tuple(p for _, p in both))


def _check_attrs(c: InferenceContext, rank: int, first: bool) -> None:
    for name in ("strides", "dilations"):
        values = c.attr(name)
        if len(values) != rank:
            raise c.fail(f"Sliding window {name} field must specify {rank} dimensions, got {list(values)}")
        if values[0] != 1 or values[1 if first else rank - 1] != 1:
            raise c.fail(f"{name} in the batch and depth dimensions are not supported, got {list(values)}")
        if min(values) < 1:
            raise c.fail(f"{name} must be positive, got {list(values)}")


def _conv_shape(rank: int, depthwise: bool = False) -> shapes.Rule:
    def rule(c: InferenceContext) -> list[Shape]:
        first = channels_first(c.attr("data_format"))
        _check_attrs(c, rank, first)
        x, w = shapes.with_rank(c, 0, rank), shapes.with_rank(c, 1, rank)
        assert x is not None and w is not None
        channels = x[1 if first else -1]
        depth, features = w[-2], w[-1]
        if depthwise:
            shapes.merge_dim(c, channels, depth)
            features = None if features is None or depth is None else features * depth
        elif channels is not None and depth is not None:
            if depth == 0 or channels % depth:
                raise c.fail(f"Depth of input ({channels}) is not a multiple of input depth of filter ({depth})")
            if features is not None and features % (channels // depth):
                raise c.fail(
                    f"Depth of output ({features}) is not a multiple of the number of groups ({channels // depth})"
                )
        padding, explicit = c.attr("padding"), c.attr("explicit_paddings") or []
        pairs = [(0, 0)] * (rank - 2)
        if padding == b"EXPLICIT":
            if len(explicit) != 2 * rank or min(explicit) < 0:
                raise c.fail(f"explicit_paddings must be {2 * rank} nonnegative numbers, got {list(explicit)}")
            pairs = _pairs(explicit, first)
        elif explicit:
            raise c.fail("explicit_paddings must be empty if padding is not EXPLICIT")
        size: list[int | None] = []
        s, d = spatial(c.attr("strides"), first), spatial(c.attr("dilations"), first)
        for n, k, stride, dilation, pair in zip(spatial(x, first), w[:-2], s, d, pairs, strict=True):
            if k is None and padding != b"SAME":
                size.append(None)
            else:
                size.append(output_size(n, k or 1, stride, dilation, padding, pair, c.fail)[0])
        return [(x[0], features, *size) if first else (x[0], *size, features)]

    return rule


def _sizes(c: InferenceContext, i: int, rank: int) -> Shape:
    s = c.partial(i)
    return (None,) * rank if s is None else s


def _input_shape(rank: int) -> shapes.Rule:
    """`input_sizes` holds the whole shape, or only the spatial sizes."""

    def rule(c: InferenceContext) -> list[Shape]:
        s = _sizes(c, 0, rank)
        if s is not None and len(s) == rank - 2:
            dy, w = shapes.with_rank(c, 2, rank), shapes.with_rank(c, 1, rank)
            assert dy is not None and w is not None
            s = (dy[0], w[-2], *s) if channels_first(c.attr("data_format")) else (dy[0], *s, w[-2])
        if s is not None and len(s) != rank:
            raise c.fail(f"input_sizes must contain {rank} values, got {len(s)}")
        return [s]

    return rule


def _filter_shape(rank: int) -> shapes.Rule:
    def rule(c: InferenceContext) -> list[Shape]:
        s = _sizes(c, 1, rank)
        if s is not None and len(s) != rank:
            raise c.fail(f"filter_sizes must contain {rank} values, got {len(s)}")
        return [s]

    return rule


# --- kernels, in channels-last ---
def _check_ranks(rank: int, **arrays: Any) -> None:
    for name, x in arrays.items():
        if x.ndim != rank:
            raise bad(f"{name} must be {rank}-dimensional: {list(x.shape)}")


def forward(x: Any, w: Any, strides: Any, padding: bytes, explicit: Any, data_format: bytes, dilations: Any) -> Any:
    first = channels_first(data_format)
    _check_ranks(len(strides), input=x, filter=w)
    x = last(x, first)
    if w.shape[-2] == 0 or x.shape[-1] % w.shape[-2]:
        raise bad(f"input depth must be evenly divisible by filter depth: {x.shape[-1]} vs {w.shape[-2]}")
    window = window_of(x.shape[1:-1], w.shape[:-2], strides, dilations, padding, explicit, first)
    return unlast(conv_lowering.forward(x, w, window), first)


def _check_output(dy: Any, n: int, window: Window, features: int) -> None:
    if dy.shape != (n, *window.output, features):
        raise bad(
            f"Size of out_backprop doesn't match computed: actual = {list(dy.shape)}, "
            f"computed = {[n, *window.output, features]} (channels last)"
        )


def backprop_input(
    sizes: tuple[int, ...], w: Any, dy: Any, strides: Any, padding: bytes, explicit: Any, data_format: bytes,
    dilations: Any,
) -> Any:  # fmt: skip
    first = channels_first(data_format)
    rank = len(strides)
    _check_ranks(rank, filter=w, out_backprop=dy)
    dy = last(dy, first)
    if len(sizes) == rank - 2:
        size, channels, n = sizes, w.shape[-2], dy.shape[0]
    else:
        size, channels, n = spatial(sizes, first), sizes[1 if first else -1], sizes[0]
    window = window_of(size, w.shape[:-2], strides, dilations, padding, explicit, first)
    _check_output(dy, n, window, w.shape[-1])
    if w.shape[-2] == 0 or channels % w.shape[-2]:
        raise bad(f"input depth must be evenly divisible by filter depth: {channels} vs {w.shape[-2]}")
    return unlast(conv_lowering.input_gradient(w, dy, window, channels), first)


def backprop_filter(
    x: Any, sizes: tuple[int, ...], dy: Any, strides: Any, padding: bytes, explicit: Any, data_format: bytes,
    dilations: Any,
) -> Any:  # fmt: skip
    first = channels_first(data_format)
    _check_ranks(len(strides), input=x, out_backprop=dy)
    x, dy = last(x, first), last(dy, first)
    window = window_of(x.shape[1:-1], sizes[:-2], strides, dilations, padding, explicit, first)
    _check_output(dy, x.shape[0], window, sizes[-1])
    if sizes[-2] == 0 or x.shape[-1] % sizes[-2]:
        raise bad(f"input depth must be evenly divisible by filter depth: {x.shape[-1]} vs {sizes[-2]}")
    return conv_lowering.filter_gradient(x, dy, window, sizes[-2])


# --- Conv2D ---
_TYPES = "{half, bfloat16, float, double}"
_TYPES_INT = "{half, bfloat16, float, double, int32}"
_TAIL = (
    "padding: {'SAME', 'VALID', 'EXPLICIT'}; explicit_paddings: list(int) = []; "
    "data_format: {'NHWC', 'NCHW'} = 'NHWC'; dilations: list(int) = [1, 1, 1, 1]"
)
_ATTRS_2D = f"strides: list(int); use_cudnn_on_gpu: bool = true; {_TAIL}"
_CARRIED = ("strides", "padding", "explicit_paddings", "data_format", "dilations", "use_cudnn_on_gpu")


def _carried(node: Any) -> dict[str, Any]:
    """The geometry attributes, for the op's gradients."""
    return {k: node._attrs[k] for k in _CARRIED if k in node._attrs}


@op(f"Conv2D(input: T, filter: T) -> (output: T); T: {_TYPES_INT}; {_ATTRS_2D}", shape=_conv_shape(4))
def Conv2D(input, filter, strides, padding, explicit_paddings, data_format, dilations):
    return forward(input, filter, strides, padding, explicit_paddings, data_format, dilations)


@op(
    f"Conv2DBackpropInput(input_sizes: int32, filter: T, out_backprop: T) -> (output: T); T: {_TYPES_INT}; {_ATTRS_2D}",
    shape=_input_shape(4),
)
def Conv2DBackpropInput(input_sizes, filter, out_backprop, strides, padding, explicit_paddings, data_format, dilations):
    sizes = ints(input_sizes)
    return backprop_input(sizes, filter, out_backprop, strides, padding, explicit_paddings, data_format, dilations)


@op(
    f"Conv2DBackpropFilter(input: T, filter_sizes: int32, out_backprop: T) -> (output: T); T: {_TYPES}; {_ATTRS_2D}",
    shape=_filter_shape(4),
)
def Conv2DBackpropFilter(
    input, filter_sizes, out_backprop, strides, padding, explicit_paddings, data_format, dilations
):
    sizes = ints(filter_sizes)
    return backprop_filter(input, sizes, out_backprop, strides, padding, explicit_paddings, data_format, dilations)


def _gradients(conv: OpSpec, by_input: OpSpec, by_filter: OpSpec) -> None:
    """A convolution and its two backprops are each other's gradients."""

    @conv.gradient
    def _(op, grad):
        x, w = op.inputs
        x_shape, w_shape = raw.ShapeN([x, w])
        attrs = _carried(op)
        return [by_input(x_shape, w, grad, **attrs), by_filter(x, w_shape, grad, **attrs)]

    @by_input.gradient
    def _(op, grad):
        _, w, dy = op.inputs
        attrs = _carried(op)
        return [None, by_filter(grad, raw.Shape(w), dy, **attrs), conv(grad, w, **attrs)]

    @by_filter.gradient
    def _(op, grad):
        x, _, dy = op.inputs
        attrs = _carried(op)
        return [by_input(raw.Shape(x), grad, dy, **attrs), None, conv(x, grad, **attrs)]


_gradients(Conv2D, Conv2DBackpropInput, Conv2DBackpropFilter)


# --- depthwise ---
_ATTRS_DEPTHWISE = f"strides: list(int); {_TAIL}"


def _depthwise(x_channels: int, w_shape: tuple[int, ...]) -> None:
    if x_channels != w_shape[-2]:
        raise bad(f"input and filter must have the same depth: {x_channels} vs {w_shape[-2]}")


@op(
    f"DepthwiseConv2dNative(input: T, filter: T) -> (output: T); T: {_TYPES}; {_ATTRS_DEPTHWISE}",
    shape=_conv_shape(4, depthwise=True),
)
def DepthwiseConv2dNative(input, filter, strides, padding, explicit_paddings, data_format, dilations):
    first = channels_first(data_format)
    _check_ranks(4, input=input, filter=filter)
    x = last(input, first)
    _depthwise(x.shape[-1], filter.shape)
    window = window_of(x.shape[1:-1], filter.shape[:-2], strides, dilations, padding, explicit_paddings, first)
    return unlast(conv_lowering.depthwise(x, filter, window), first)


@op(
    "DepthwiseConv2dNativeBackpropInput(input_sizes: int32, filter: T, out_backprop: T) -> (output: T); "
    f"T: {_TYPES}; {_ATTRS_DEPTHWISE}",
    shape=_input_shape(4),
)
def DepthwiseConv2dNativeBackpropInput(
    input_sizes, filter, out_backprop, strides, padding, explicit_paddings, data_format, dilations
):
    first = channels_first(data_format)
    _check_ranks(4, filter=filter, out_backprop=out_backprop)
    sizes, dy = ints(input_sizes), last(out_backprop, first)
    _depthwise(sizes[1 if first else -1], filter.shape)
    window = window_of(spatial(sizes, first), filter.shape[:-2], strides, dilations, padding, explicit_paddings, first)
    _check_output(dy, sizes[0], window, filter.shape[-2] * filter.shape[-1])
    return unlast(conv_lowering.depthwise_input_gradient(filter, dy, window), first)


@op(
    "DepthwiseConv2dNativeBackpropFilter(input: T, filter_sizes: int32, out_backprop: T) -> (output: T); "
    f"T: {_TYPES}; {_ATTRS_DEPTHWISE}",
    shape=_filter_shape(4),
)
def DepthwiseConv2dNativeBackpropFilter(
    input, filter_sizes, out_backprop, strides, padding, explicit_paddings, data_format, dilations
):
    first = channels_first(data_format)
    _check_ranks(4, input=input, out_backprop=out_backprop)
    sizes, x, dy = ints(filter_sizes), last(input, first), last(out_backprop, first)
    _depthwise(x.shape[-1], sizes)
    window = window_of(x.shape[1:-1], sizes[:-2], strides, dilations, padding, explicit_paddings, first)
    _check_output(dy, x.shape[0], window, sizes[-2] * sizes[-1])
    return conv_lowering.depthwise_filter_gradient(x, dy, window)


_gradients(DepthwiseConv2dNative, DepthwiseConv2dNativeBackpropInput, DepthwiseConv2dNativeBackpropFilter)


# --- Conv3D ---
_PADDING_3D = "strides: list(int) >= 5; padding: {'SAME', 'VALID'}"
_DILATIONS_3D = "dilations: list(int) = [1, 1, 1, 1, 1]"
_ATTRS_3D = f"{_PADDING_3D}; data_format: {{'NDHWC', 'NCDHW'}} = 'NDHWC'; {_DILATIONS_3D}"


@op(f"Conv3D(input: T, filter: T) -> (output: T); T: {_TYPES}; {_ATTRS_3D}", shape=_conv_shape(5))
def Conv3D(input, filter, strides, padding, data_format, dilations):
    return forward(input, filter, strides, padding, (), data_format, dilations)


@op(
    f"Conv3DBackpropInputV2(input_sizes: Tshape, filter: T, out_backprop: T) -> (output: T); T: {_TYPES}; {_ATTRS_3D}; "
    "Tshape: {int32, int64} = int32",
    shape=_input_shape(5),
)
def Conv3DBackpropInputV2(input_sizes, filter, out_backprop, strides, padding, data_format, dilations):
    return backprop_input(ints(input_sizes), filter, out_backprop, strides, padding, (), data_format, dilations)


@op(
    f"Conv3DBackpropFilterV2(input: T, filter_sizes: int32, out_backprop: T) -> (output: T); T: {_TYPES}; {_ATTRS_3D}",
    shape=_filter_shape(5),
)
def Conv3DBackpropFilterV2(input, filter_sizes, out_backprop, strides, padding, data_format, dilations):
    return backprop_filter(input, ints(filter_sizes), out_backprop, strides, padding, (), data_format, dilations)


_gradients(Conv3D, Conv3DBackpropInputV2, Conv3DBackpropFilterV2)

_ATTRS_3D_OLD = f"{_PADDING_3D}; {_DILATIONS_3D}"


@op(
    "Conv3DBackpropInput(input: T, filter: T, out_backprop: T) -> (output: T); T: {half, float, double}; "
    + _ATTRS_3D_OLD,
    shape=shapes.like(0),
)
def Conv3DBackpropInput(input, filter, out_backprop, strides, padding, dilations):
    return backprop_input(input.shape, filter, out_backprop, strides, padding, (), b"NDHWC", dilations)


@op(
    "Conv3DBackpropFilter(input: T, filter: T, out_backprop: T) -> (output: T); T: {half, float, double}; "
    + _ATTRS_3D_OLD,
    shape=shapes.like(1),
)
def Conv3DBackpropFilter(input, filter, out_backprop, strides, padding, dilations):
    return backprop_filter(input, filter.shape, out_backprop, strides, padding, (), b"NDHWC", dilations)


# --- morphology: Dilation2D ---
def _morphology_shape(c: InferenceContext) -> list[Shape]:
    x, w = shapes.with_rank(c, 0, 4), shapes.with_rank(c, 1, 3)
    assert x is not None and w is not None
    depth = shapes.merge_dim(c, x[3], w[2])
    size = []
    for n, k, s, r in zip(x[1:3], w[:2], c.attr("strides")[1:3], c.attr("rates")[1:3], strict=True):
        unknown = k is None and c.attr("padding") != b"SAME"
        size.append(None if unknown else output_size(n, k or 1, s, r, c.attr("padding"), (0, 0), c.fail)[0])
    return [(x[0], *size, depth)]


_ATTRS_MORPHOLOGY = (
    "strides: list(int) >= 4; rates: list(int) >= 4; padding: {'SAME', 'VALID'}; "
    "T: {float, double, int32, uint8, int16, int8, int64, bfloat16, uint16, half, uint32, uint64}"
)


def _lowest(dtype: Any) -> Any:
    dtype = np.dtype(dtype)
    return np.iinfo(dtype).min if dtype.kind in "iu" else jnp.finfo(dtype).min


def _morphology(x: Any, w: Any, strides: Any, rates: Any, padding: bytes) -> tuple[Window, Any, Any]:
    """(geometry, padded input, per window position the candidate values)."""
    window = window_of(x.shape[1:-1], w.shape[:2], strides, rates, padding, (), False)
    padded = conv_lowering.pad(x, window, _lowest(x.dtype))
    inside = conv_lowering.pad(jnp.ones((1, *x.shape[1:-1], 1), bool), window, False)
    low = np.asarray(_lowest(x.dtype), x.dtype)
    values = []
    for at in window.offsets():
        there = window.view(inside, at)
        values.append(jnp.where(there, window.view(padded, at) + w[at], low))
    return window, padded, values


@op(f"Dilation2D(input: T, filter: T) -> (output: T); {_ATTRS_MORPHOLOGY}", shape=_morphology_shape)
def Dilation2D(input, filter, strides, rates, padding):
    _, _, values = _morphology(input, filter, strides, rates, padding)
    y = values[0]
    for v in values[1:]:
        y = jnp.maximum(y, v)
    return y


def _first_maximum(values: list[Any]) -> list[Any]:
    """Per window position, where it is the first to hold the maximum."""
    best = values[0]
    for v in values[1:]:
        best = jnp.maximum(best, v)
    taken = jnp.zeros(best.shape, bool)
    masks = []
    for v in values:
        mine = (v == best) & ~taken
        taken = taken | mine
        masks.append(mine)
    return masks


@op(
    f"Dilation2DBackpropInput(input: T, filter: T, out_backprop: T) -> (in_backprop: T); {_ATTRS_MORPHOLOGY}",
    shape=shapes.like(0),
)
def Dilation2DBackpropInput(input, filter, out_backprop, strides, rates, padding):
    window, _, values = _morphology(input, filter, strides, rates, padding)
    zero = np.asarray(0, out_backprop.dtype)
    parts = [
        conv_lowering.unview(jnp.where(mask, out_backprop, zero), window, at)
        for at, mask in zip(window.offsets(), _first_maximum(values), strict=True)
    ]
    return sum(parts[1:], parts[0])


@op(
    f"Dilation2DBackpropFilter(input: T, filter: T, out_backprop: T) -> (filter_backprop: T); {_ATTRS_MORPHOLOGY}",
    shape=shapes.like(1),
)
def Dilation2DBackpropFilter(input, filter, out_backprop, strides, rates, padding):
    _, _, values = _morphology(input, filter, strides, rates, padding)
    zero = np.asarray(0, out_backprop.dtype)
    parts = [
        jnp.sum(jnp.where(mask, out_backprop, zero), axis=(0, 1, 2), dtype=filter.dtype)
        for mask in _first_maximum(values)
    ]
    return jnp.stack(parts).reshape(filter.shape)


@Dilation2D.gradient
def _(op, grad):
    attrs = {k: op._attrs[k] for k in ("strides", "rates", "padding")}
    x, w = op.inputs
    return [Dilation2DBackpropInput(x, w, grad, **attrs), Dilation2DBackpropFilter(x, w, grad, **attrs)]
