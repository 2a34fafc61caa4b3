"""Pooling: MaxPool and AvgPool in two and three dimensions, their gradients and second gradients, and the argmax forms.

XLA's SelectAndScatter is 10 to 20 times slower than TensorFlow on the CPU, so the gradient of MaxPool is written with an array that
says which window position held the first maximum, and a gather (`conv_lowering.scatter_sum`).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from hornbeam.core.graph import InferenceContext
from hornbeam.core.lazy import jnp, lax
from hornbeam.core.registry import op, raw
from hornbeam.core.tensor_shape import Shape
from hornbeam.ops import conv_lowering, shapes
from hornbeam.ops.array import bad
from hornbeam.ops.conv import channels_first, last, output_size, spatial, unlast, window_of
from hornbeam.ops.conv_lowering import Window
from hornbeam.ops.xp import ints

_REAL = "{float, double, int32, uint8, int16, int8, int64, bfloat16, uint16, half, uint32, uint64}"
_FLOATS = "{half, bfloat16, float, double}"


# --- geometry ---
def _geometry(c: InferenceContext, rank: int) -> tuple[Any, Any] | None:
    """(ksize, strides), from attributes or from constant inputs; None when they are not known."""
    if c.attr("ksize") is not None:
        return c.attr("ksize"), c.attr("strides")
    k, s = c.value(c.n_inputs - 2), c.value(c.n_inputs - 1)
    return None if k is None or s is None else (k.reshape(-1).tolist(), s.reshape(-1).tolist())


def _pool_shape(rank: int, outputs: int = 1) -> shapes.Rule:
    def rule(c: InferenceContext) -> list[Shape]:
        x = shapes.with_rank(c, 0, rank)
        assert x is not None
        known = _geometry(c, rank)
        if known is None:
            return [(None,) * rank] * outputs
        ksize, strides = known
        if len(ksize) != rank or len(strides) != rank:
            raise c.fail(f"Sliding window ksize and strides must specify {rank} dimensions, got {ksize} and {strides}")
        padding = c.attr("padding")
        explicit = c.attr("explicit_paddings") or [0] * (2 * rank)
        out: list[int | None] = []
        for i, (n, k, s) in enumerate(zip(x, ksize, strides, strict=True)):
            pair = (explicit[2 * i], explicit[2 * i + 1])
            if k < 1 or s < 1:
                raise c.fail(f"Sliding window ksize and strides must be positive, got {ksize} and {strides}")
            out.append(output_size(n, k, s, 1, padding, pair, c.fail)[0])
        return [tuple(out)] * outputs

    return rule


def _window(x_shape: tuple[int, ...], ksize: Any, strides: Any, padding: bytes, explicit: Any, first: bool) -> Window:
    """The window over a channels-last shape; pooling over batch or depth is dealt with elsewhere."""
    k = tuple(spatial(ksize, first))
    if ksize[0] != 1 or strides[0] != 1:
        raise bad("Pooling is not yet supported on the batch dimension.")
    if ksize[1 if first else -1] != 1 or strides[1 if first else -1] != 1:
        raise bad("Pooling over the depth dimension is only supported by MaxPool's forward direction.")
    window = window_of(x_shape[1:-1], k, strides, (), padding, explicit, first)
    if any(lo >= n or hi >= n for (lo, hi), n in zip(window.pads, k, strict=True) if (lo, hi) != (0, 0)):
        raise bad(f"Padding must be smaller than the window, got pads {window.pads} and window {k}")
    return window


def _check_rank(x: Any, rank: int) -> None:
    if x.ndim != rank:
        raise bad(f"tensor_in must be {rank}-dimensional, got shape {list(x.shape)}")


def lowest(dtype: Any) -> Any:
    dtype = np.dtype(dtype)
    if dtype.kind in "iu":
        return np.iinfo(dtype).min
    return -np.inf


def _like(i: int, rank: int) -> shapes.Rule:
    return lambda c: [shapes.with_rank(c, i, rank)]


# --- max pooling, channels-last ---
def _maximum(x: Any, window: Window) -> Any:
    if not all(window.output) or not x.shape[0]:
        return jnp.zeros((x.shape[0], *window.output, x.shape[-1]), x.dtype)
    if window.output == (1,) * window.rank and not any(map(any, window.pads)):
        x = window_part(x, window)
        return jnp.max(x, axis=tuple(range(1, x.ndim - 1)), keepdims=True)
    padded = conv_lowering.pad(x, window, lowest(x.dtype))
    for axis in range(window.rank):  # separable: one dimension after the other
        limit = (window.output[axis] - 1) * window.strides[axis] + 1
        y: Any = None
        for i in range(window.size[axis]):
            v = lax.slice_in_dim(padded, i, i + limit, window.strides[axis], axis + 1)
            y = v if y is None else jnp.maximum(y, v)
        padded = y
    return padded


def window_part(x: Any, window: Window) -> Any:
    """What a single window at the origin covers."""
    return lax.slice(x, (0,) * x.ndim, (x.shape[0], *window.size, x.shape[-1]))


def _depth_maximum(x: Any, k: int, stride: int) -> Any:
    if k != stride or x.shape[-1] % k:
        raise bad(
            f"Depthwise max pooling requires the depth window to equal the depth stride and divide the depth: {k}, {stride}"
        )
    return jnp.max(x.reshape(*x.shape[:-1], x.shape[-1] // k, k), axis=-1)


def max_pool(x: Any, ksize: Any, strides: Any, padding: bytes, explicit: Any, data_format: bytes) -> Any:
    _check_rank(x, len(ksize))
    first = channels_first(data_format)
    x = last(x, first)
    depth = ksize[1 if first else -1]
    if depth > 1:
        if any(k != 1 for k in spatial(ksize, first)):
            raise bad("MaxPooling supports exactly one of pooling across depth or pooling across width/height.")
        return unlast(_depth_maximum(x, depth, strides[1 if first else -1]), first)
    return unlast(_maximum(x, _window(x.shape, ksize, strides, padding, explicit, first)), first)


def first_maximum(x: Any, window: Window) -> Any:
    """Per output element, the number of the window position that holds the first maximum."""
    padded = conv_lowering.pad(x, window, lowest(x.dtype))
    best: Any = None
    dtype = np.uint8 if np.prod(window.size) < 255 else np.int32
    for k, at in enumerate(window.offsets()):
        v = window.view(padded, at)
        if best is None:
            best, index = v, jnp.zeros(v.shape, dtype)
        else:
            index = jnp.where(v > best, np.asarray(k, dtype), index)
            best = jnp.maximum(best, v)
    return index


def _tiles(window: Window) -> bool:
    """Windows that neither overlap nor leave gaps."""
    return (
        window.size == window.strides
        and not any(map(any, window.pads))
        and all(n == o * k for n, o, k in zip(window.input, window.output, window.size, strict=True))
    )


def _route(x: Any, dy: Any, window: Window) -> Any:
    """dy sent to the first maximum of each window of x."""
    if not all(x.shape) or not all(dy.shape):
        return jnp.zeros(x.shape, dy.dtype)
    index = lax.optimization_barrier(first_maximum(x, window))
    zero = np.asarray(0, dy.dtype)
    if _tiles(window):
        r = window.rank
        number = np.arange(np.prod(window.size), dtype=index.dtype).reshape(window.size)
        number = number.reshape([n for k in window.size for n in (1, k)] + [1])  # o1, k1, o2, k2, …, channel
        wide = [n for o in window.output for n in (o, 1)]
        picked = index.reshape(-1, *wide, x.shape[-1]) == number
        assert picked.ndim == 2 * r + 2
        return jnp.where(picked, dy.reshape(-1, *wide, x.shape[-1]), zero).reshape(x.shape)
    numbers = {at: np.asarray(k, index.dtype) for k, at in enumerate(window.offsets())}
    nowhere = np.iinfo(index.dtype).max

    def terms(parts: Any) -> Any:
        total: Any = None
        for at, (number, value) in parts:
            term = jnp.where(number == numbers[at], value, zero)
            total = term if total is None else total + term
        return total

    return conv_lowering.scatter_sum(window, [(index, nowhere), (dy, 0)], terms)


def _check_like(what: str, x: Any, shape: tuple[int, ...]) -> None:
    if x.shape != shape:
        raise bad(f"{what} must have shape {list(shape)}, got {list(x.shape)} (channels last)")


def max_pool_grad(x: Any, dy: Any, ksize: Any, strides: Any, padding: bytes, explicit: Any, data_format: bytes) -> Any:
    _check_rank(x, len(ksize))
    first = channels_first(data_format)
    x, dy = last(x, first), last(dy, first)
    window = _window(x.shape, ksize, strides, padding, explicit, first)
    _check_like("grad", dy, (x.shape[0], *window.output, x.shape[-1]))
    return unlast(_route(x, dy, window), first)


def max_pool_grad_grad(x: Any, ddx: Any, ksize: Any, strides: Any, padding: bytes, data_format: bytes) -> Any:
    """ddx, shaped like x, read at the first maximum of each window."""
    _check_rank(x, len(ksize))
    first = channels_first(data_format)
    x, ddx = last(x, first), last(ddx, first)
    window = _window(x.shape, ksize, strides, padding, (), first)
    _check_like("grad", ddx, x.shape)
    index = first_maximum(x, window)
    padded = conv_lowering.pad(ddx, window)
    y: Any = None
    for k, at in enumerate(window.offsets()):
        v = window.view(padded, at)
        y = v if y is None else jnp.where(index == k, v, y)
    return unlast(y, first)


_K4 = "ksize: list(int) >= 4; strides: list(int) >= 4"
_FORMAT = "data_format: {'NHWC', 'NCHW'} = 'NHWC'"
_PAD = "padding: {'SAME', 'VALID'}"
_PAD_EXPLICIT = "padding: {'SAME', 'VALID', 'EXPLICIT'}; explicit_paddings: list(int) = []"
_MAX_TYPES = "{half, bfloat16, float, double, int32, int64, uint8, int16, int8, uint16, qint8}"


@op(
    f"MaxPool(input: T) -> (output: T); T: {_MAX_TYPES} = float; {_K4}; {_PAD_EXPLICIT}; "
    "data_format: {'NHWC', 'NCHW', 'NCHW_VECT_C'} = 'NHWC'",
    shape=_pool_shape(4),
)
def MaxPool(input, ksize, strides, padding, explicit_paddings, data_format):
    return max_pool(input, ksize, strides, padding, explicit_paddings, data_format)


@op(
    f"MaxPoolV2(input: T, ksize: int32, strides: int32) -> (output: T); T: {_MAX_TYPES} = float; {_PAD}; "
    "data_format: {'NHWC', 'NCHW', 'NCHW_VECT_C'} = 'NHWC'",
    shape=_pool_shape(4),
)
def MaxPoolV2(input, ksize, strides, padding, data_format):
    return max_pool(input, ints(ksize), ints(strides), padding, (), data_format)


_GRAD_INPUTS = "(orig_input: T, orig_output: T, grad: T) -> (output: T)"


@op(
    f"MaxPoolGrad{_GRAD_INPUTS}; {_K4}; {_PAD_EXPLICIT}; {_FORMAT}; T: {_REAL} = float",
    shape=_like(0, 4),
)
def MaxPoolGrad(orig_input, orig_output, grad, ksize, strides, padding, explicit_paddings, data_format):
    return max_pool_grad(orig_input, grad, ksize, strides, padding, explicit_paddings, data_format)


@op(f"MaxPoolGradGrad{_GRAD_INPUTS}; {_K4}; {_PAD}; {_FORMAT}; T: {_REAL}", shape=_like(1, 4))
def MaxPoolGradGrad(orig_input, orig_output, grad, ksize, strides, padding, data_format):
    return max_pool_grad_grad(orig_input, grad, ksize, strides, padding, data_format)


_GRAD_INPUTS_V2 = "(orig_input: T, orig_output: T, grad: T, ksize: int32, strides: int32) -> (output: T)"


@op(f"MaxPoolGradV2{_GRAD_INPUTS_V2}; {_PAD}; {_FORMAT}; T: {_REAL} = float", shape=_like(0, 4))
def MaxPoolGradV2(orig_input, orig_output, grad, ksize, strides, padding, data_format):
    return max_pool_grad(orig_input, grad, ints(ksize), ints(strides), padding, (), data_format)


@op(f"MaxPoolGradGradV2{_GRAD_INPUTS_V2}; {_PAD}; {_FORMAT}; T: {_REAL}", shape=_like(1, 4))
def MaxPoolGradGradV2(orig_input, orig_output, grad, ksize, strides, padding, data_format):
    return max_pool_grad_grad(orig_input, grad, ints(ksize), ints(strides), padding, data_format)


def _carried(node: Any) -> dict[str, Any]:
    names = ("ksize", "strides", "padding", "explicit_paddings", "data_format", "include_batch_in_index")
    return {k: node._attrs[k] for k in names if k in node._attrs}


def _only(attrs: dict[str, Any], spec: Any) -> dict[str, Any]:
    return {k: v for k, v in attrs.items() if k in spec.attrs}


def _max_gradients(pool: Any, grad_op: Any, grad_grad_op: Any) -> None:
    """A max pooling, its gradient, and the gradient of that; the V2 ops take their window as two more inputs."""

    @pool.gradient
    def _(op, grad):
        more = op.inputs[1:]
        dx = grad_op(op.inputs[0], op.outputs[0], grad, *more, **_only(_carried(op), grad_op))
        return [dx, *[None] * len(more)]

    def turned(other: Any) -> Any:
        def rule(op, grad):
            x, y, _, *more = op.inputs
            back = other(x, y, grad, *more, **_only(_carried(op), other))
            return [raw.ZerosLike(x), raw.ZerosLike(y), back, *[None] * len(more)]

        return rule

    grad_op.gradient(turned(grad_grad_op))
    grad_grad_op.gradient(turned(grad_op))


_max_gradients(MaxPool, MaxPoolGrad, MaxPoolGradGrad)
_max_gradients(MaxPoolV2, MaxPoolGradV2, MaxPoolGradGradV2)
MaxPoolGradGradV2.has_gradient = False  # TensorFlow registers none
MaxPoolGradGradV2.gradient_fn = None


# --- with argmax ---
_ARGMAX = f"{_K4}; Targmax: {{int32, int64}}"
_BATCHED = "include_batch_in_index: bool = false"


@op(
    f"MaxPoolWithArgmax(input: T) -> (output: T, argmax: Targmax); {_ARGMAX} = int64; {_PAD}; {_BATCHED}; T: {_REAL}",
    shape=_pool_shape(4, 2),
)
def MaxPoolWithArgmax(input, ksize, strides, Targmax, padding, include_batch_in_index):
    """argmax: ((b * height + y) * width + x) * channels + c, the batch left out unless it is asked for."""
    _check_rank(input, 4)
    window = _window(input.shape, ksize, strides, padding, (), False)
    n, height, width, channels = input.shape
    index = first_maximum(input, window)
    dtype = Targmax.np
    position = []
    for axis in range(2):
        within = (index // window.size[1] if axis == 0 else index % window.size[1]).astype(dtype)
        start = np.arange(window.output[axis], dtype=dtype) * window.strides[axis] - window.pads[axis][0]
        position.append(within + start.astype(dtype).reshape([-1 if i == axis + 1 else 1 for i in range(4)]))
    flat = (position[0] * dtype.type(width) + position[1]) * dtype.type(channels) + np.arange(channels, dtype=dtype)
    if include_batch_in_index:
        flat = flat + (np.arange(n, dtype=dtype) * dtype.type(height * width * channels)).reshape(-1, 1, 1, 1)
    return _maximum(input, window), flat.astype(dtype)


def _flat_index(argmax: Any, size: int, batched: bool) -> Any:
    """Indices into the whole flattened input."""
    if batched:
        return argmax.reshape(-1)
    starts = (np.arange(argmax.shape[0]) * size).reshape((-1,) + (1,) * (argmax.ndim - 1))
    return (argmax + starts.astype(argmax.dtype)).reshape(-1)


@op(
    f"MaxPoolGradWithArgmax(input: T, grad: T, argmax: Targmax) -> (output: T); {_ARGMAX}; {_PAD}; {_BATCHED}; T: {_REAL}",
    shape=_like(0, 4),
)
def MaxPoolGradWithArgmax(input, grad, argmax, include_batch_in_index):
    if grad.shape != argmax.shape:
        raise bad(f"Expected grad shape to be {list(argmax.shape)}, but got {list(grad.shape)}")
    n = int(np.prod(input.shape))
    at = _flat_index(argmax, int(np.prod(input.shape[1:])), include_batch_in_index)
    return jnp.zeros(n, grad.dtype).at[at].add(jnp.reshape(grad, -1), mode="drop").reshape(input.shape)


@op(
    f"MaxPoolGradGradWithArgmax(input: T, grad: T, argmax: Targmax) -> (output: T); {_ARGMAX}; {_PAD}; {_BATCHED}; T: {_REAL}",
    shape=_like(2, 4),
)
def MaxPoolGradGradWithArgmax(input, grad, argmax, include_batch_in_index):
    at = _flat_index(argmax, int(np.prod(input.shape[1:])), include_batch_in_index)
    return jnp.take(jnp.reshape(grad, -1), at, mode="fill", fill_value=0).reshape(argmax.shape)


@MaxPoolWithArgmax.gradient
def _(op, grad, _argmax):
    return [MaxPoolGradWithArgmax(op.inputs[0], grad, op.outputs[1], **_carried(op))]


# --- average pooling ---
def _counts(window: Window, dtype: Any) -> Any:
    """How many input elements (not padding) each window averages: [*output, 1], or one number where all are alike."""
    total = np.ones((), np.int64)
    for n, k, o, s, (lo, _) in zip(window.input, window.size, window.output, window.strides, window.pads, strict=True):
        start = np.arange(o) * s - lo
        total = total[..., None] * (np.minimum(start + k, n) - np.maximum(start, 0))
    same = total.size and total.min() == total.max()
    return np.asarray(total.flat[0] if same else total[..., None]).astype(dtype)


def _average(x: Any, window: Window) -> Any:
    if not all(x.shape) or not all(window.output):
        return jnp.zeros((x.shape[0], *window.output, x.shape[-1]), x.dtype)
    if window.output == (1,) * window.rank and not any(map(any, window.pads)):
        x = window_part(x, window)
        total = jnp.sum(x, axis=tuple(range(1, x.ndim - 1)), keepdims=True, dtype=x.dtype)
        return total / np.asarray(np.prod(window.size)).astype(x.dtype)
    padded = conv_lowering.pad(x, window)
    for axis in range(window.rank):
        limit = (window.output[axis] - 1) * window.strides[axis] + 1
        y: Any = None
        for i in range(window.size[axis]):
            v = lax.slice_in_dim(padded, i, i + limit, window.strides[axis], axis + 1)
            y = v if y is None else y + v
        padded = y
    return padded / _counts(window, x.dtype)


def _spread(dy: Any, window: Window) -> Any:
    """Each window's gradient shared by the elements it averaged."""
    shape = (dy.shape[0], *window.input, dy.shape[-1])
    if not all(dy.shape) or not all(shape):
        return jnp.zeros(shape, dy.dtype)
    share = dy / _counts(window, dy.dtype)
    if _tiles(window):
        wide = [n for o in window.output for n in (o, 1)]
        full = [n for o, k in zip(window.output, window.size, strict=True) for n in (o, k)]
        share = jnp.reshape(share, (dy.shape[0], *wide, dy.shape[-1]))
        return jnp.broadcast_to(share, (dy.shape[0], *full, dy.shape[-1])).reshape(shape)

    def terms(parts: Any) -> Any:
        views = [view for _, (view,) in parts]
        return sum(views[1:], views[0])

    for axis in range(window.rank):  # separable, as forward
        one = _along(window, axis)
        share = conv_lowering.scatter_sum(one, [(share, 0)], terms)
    return share


def _along(window: Window, axis: int) -> Window:
    """The window restricted to one dimension; dimensions before it have their input size, those after it their output size."""
    size, strides, pads = [1] * window.rank, [1] * window.rank, [(0, 0)] * window.rank
    size[axis], strides[axis], pads[axis] = window.size[axis], window.strides[axis], window.pads[axis]
    entering = [*window.input[:axis], *window.output[axis:]]
    leaving = [*window.input[: axis + 1], *window.output[axis + 1 :]]
    ones = (1,) * window.rank
    return Window(tuple(leaving), tuple(size), tuple(entering), tuple(strides), ones, tuple(pads))


def avg_pool(x: Any, ksize: Any, strides: Any, padding: bytes, data_format: bytes) -> Any:
    _check_rank(x, len(ksize))
    first = channels_first(data_format)
    x = last(x, first)
    return unlast(_average(x, _window(x.shape, ksize, strides, padding, (), first)), first)


def avg_pool_grad(sizes: tuple[int, ...], dy: Any, ksize: Any, strides: Any, padding: bytes, data_format: bytes) -> Any:
    if len(sizes) != len(ksize):
        raise bad(f"orig_input_shape must be 1-dimensional and {len(ksize)} elements, got {list(sizes)}")
    first = channels_first(data_format)
    dy = last(dy, first)
    shape = (sizes[0], *sizes[2:], sizes[1]) if first else tuple(sizes)
    window = _window(shape, ksize, strides, padding, (), first)
    _check_like("grad", dy, (shape[0], *window.output, shape[-1]))
    return unlast(_spread(dy, window), first)


def _original_shape(rank: int) -> shapes.Rule:
    def rule(c: InferenceContext) -> list[Shape]:
        s = c.partial(0)
        return [(None,) * rank if s is None else s]

    return rule


@op(f"AvgPool(value: T) -> (output: T); {_K4}; {_PAD}; {_FORMAT}; T: {_FLOATS}", shape=_pool_shape(4))
def AvgPool(value, ksize, strides, padding, data_format):
    return avg_pool(value, ksize, strides, padding, data_format)


@op(
    f"AvgPoolGrad(orig_input_shape: int32, grad: T) -> (output: T); {_K4}; {_PAD}; {_FORMAT}; T: {_FLOATS}",
    shape=_original_shape(4),
)
def AvgPoolGrad(orig_input_shape, grad, ksize, strides, padding, data_format):
    return avg_pool_grad(ints(orig_input_shape), grad, ksize, strides, padding, data_format)


# --- three dimensions ---
_K5 = "ksize: list(int) >= 5; strides: list(int) >= 5; padding: {'SAME', 'VALID'}; data_format: {'NDHWC', 'NCDHW'} = 'NDHWC'"


@op(f"MaxPool3D(input: T) -> (output: T); {_K5}; T: {{half, bfloat16, float}}", shape=_pool_shape(5))
def MaxPool3D(input, ksize, strides, padding, data_format):
    return max_pool(input, ksize, strides, padding, (), data_format)


@op(
    f"MaxPool3DGrad(orig_input: TInput, orig_output: TInput, grad: T) -> (output: T); {_K5}; "
    "T: {half, bfloat16, float} = float; TInput: {half, bfloat16, float} = float",
    shape=_like(0, 5),
)
def MaxPool3DGrad(orig_input, orig_output, grad, ksize, strides, padding, data_format):
    return max_pool_grad(orig_input, grad, ksize, strides, padding, (), data_format)


@op(f"MaxPool3DGradGrad{_GRAD_INPUTS}; {_K5}; T: {_REAL}", shape=_like(1, 5))
def MaxPool3DGradGrad(orig_input, orig_output, grad, ksize, strides, padding, data_format):
    return max_pool_grad_grad(orig_input, grad, ksize, strides, padding, data_format)


_max_gradients(MaxPool3D, MaxPool3DGrad, MaxPool3DGradGrad)


@op(f"AvgPool3D(input: T) -> (output: T); {_K5}; T: {_FLOATS}", shape=_pool_shape(5))
def AvgPool3D(input, ksize, strides, padding, data_format):
    return avg_pool(input, ksize, strides, padding, data_format)


@op(
    f"AvgPool3DGrad(orig_input_shape: int32, grad: T) -> (output: T); {_K5}; T: {_FLOATS}",
    shape=_original_shape(5),
)
def AvgPool3DGrad(orig_input_shape, grad, ksize, strides, padding, data_format):
    return avg_pool_grad(ints(orig_input_shape), grad, ksize, strides, padding, data_format)


def _average_gradients(pool: Any, grad_op: Any) -> None:
    pool.gradient(lambda op, grad: [grad_op(raw.Shape(op.inputs[0]), grad, **_carried(op))])
    grad_op.gradient(lambda op, grad: [raw.StopGradient(op.inputs[0]), pool(grad, **_carried(op))])


_average_gradients(AvgPool, AvgPoolGrad)
_average_gradients(AvgPool3D, AvgPool3DGrad)
