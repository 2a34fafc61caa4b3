"""How a convolution is computed: several lowerings of each direction, and the measured choice among them by shape.

Everything here is channels-last: x [N, *spatial, C], w [*window, C / groups, F], y [N, *spatial, F]. `forward`,
`input_gradient`, `filter_gradient` and the `depthwise` three choose by `choose`; the table is at the end of the file.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np

from hornbeam.core.lazy import jax, jnp, lax


@dataclass(frozen=True, slots=True)
class Window:
    """Geometry of a convolution or pooling: per spatial dimension input, window and output sizes, strides, dilations, pads."""

    input: tuple[int, ...]
    size: tuple[int, ...]
    output: tuple[int, ...]
    strides: tuple[int, ...]
    dilations: tuple[int, ...]
    pads: tuple[tuple[int, int], ...]

    @property
    def rank(self) -> int:
        return len(self.size)

    @property
    def span(self) -> tuple[int, ...]:
        """The window's extent with its dilation."""
        return tuple((k - 1) * d + 1 for k, d in zip(self.size, self.dilations, strict=True))

    @property
    def is_matmul(self) -> bool:
        """One by one, unpadded: a matrix product over the channels."""
        return self.size == (1,) * self.rank and all(p == (0, 0) for p in self.pads)

    @property
    def unit_stride(self) -> bool:
        return self.strides == (1,) * self.rank

    def offsets(self) -> Iterator[tuple[int, ...]]:
        return product(*(range(k) for k in self.size))

    def view(self, padded: Any, at: tuple[int, ...]) -> Any:
        """The elements that window position `at` meets, in output order: a strided slice of the padded input."""
        start = [a * d for a, d in zip(at, self.dilations, strict=True)]
        stop = [b + (n - 1) * s + 1 for b, n, s in zip(start, self.output, self.strides, strict=True)]
        return lax.slice(padded, (0, *start, 0), (padded.shape[0], *stop, padded.shape[-1]), (1, *self.strides, 1))


def pad(x: Any, window: Window, value: Any = 0) -> Any:
    """x with the window's padding; negative padding (a window that skips the border) cuts."""
    if all(p == (0, 0) for p in window.pads):
        return x
    return lax.pad(x, np.asarray(value, x.dtype), [(0, 0, 0), *((lo, hi, 0) for lo, hi in window.pads), (0, 0, 0)])


def unview(y: Any, window: Window, at: tuple[int, ...]) -> Any:
    """The transpose of `view` and `pad`: y's elements at their places in the unpadded input, zero elsewhere."""
    config = [(0, 0, 0)]
    for n, o, s, d, a, (lo, _) in zip(
        window.input, window.output, window.strides, window.dilations, at, window.pads, strict=True
    ):
        first = a * d - lo
        config.append((first, n - first - ((o - 1) * s + 1), s - 1))
    return lax.pad(y, np.asarray(0, y.dtype), [*config, (0, 0, 0)])


def scatter_sum(window: Window, arrays: list[tuple[Any, Any]], terms: Callable[[Any], Any]) -> Any:
    """The transpose of a sum over window positions, written as a gather, which XLA vectorises on the CPU and a sum of
    interior-padded arrays it does not: [N, *input, C'] from `arrays`, (value [N, *output, C], padding value) each.

    The input splits into phases by its coordinate modulo the stride; in a phase every window position meets the outputs shifted
    by a constant. `terms` gets [(position, the arrays so shifted)] of one phase and returns their sum.
    """
    lows = [lo for lo, _ in window.pads]
    blocks = [-(-(n + lo) // s) for n, lo, s in zip(window.input, lows, window.strides, strict=True)]
    reach = [(k - 1) * d // s for k, d, s in zip(window.size, window.dilations, window.strides, strict=True)]
    config = [(0, 0, 0), *((m, b - o, 0) for m, b, o in zip(reach, blocks, window.output, strict=True)), (0, 0, 0)]
    padded = [lax.pad(a, np.asarray(v, a.dtype), config) for a, v in arrays]
    padded = lax.optimization_barrier(padded)
    by_phase: dict[tuple[int, ...], list[tuple[tuple[int, ...], Any]]] = {}
    for at in window.offsets():
        phase = tuple(a * d % s for a, d, s in zip(at, window.dilations, window.strides, strict=True))
        shift = [a * d // s for a, d, s in zip(at, window.dilations, window.strides, strict=True)]
        start = [m - b for m, b in zip(reach, shift, strict=True)]
        stop = [a + b for a, b in zip(start, blocks, strict=True)]
        views = [lax.slice(a, (0, *start, 0), (a.shape[0], *stop, a.shape[-1])) for a in padded]
        by_phase.setdefault(phase, []).append((at, views))
    sums = {phase: terms(parts) for phase, parts in by_phase.items()}
    zero = jnp.zeros_like(next(iter(sums.values())))

    def interleaved(prefix: tuple[int, ...]) -> Any:
        axis = len(prefix)
        if axis == window.rank:
            return sums.get(prefix, zero)
        parts = [interleaved((*prefix, r)) for r in range(window.strides[axis])]
        if len(parts) == 1:
            return parts[0]
        joined = jnp.stack(parts, axis + 2)
        return joined.reshape(*joined.shape[: axis + 1], -1, *joined.shape[axis + 3 :])

    full = interleaved(())
    stop = [lo + n for lo, n in zip(lows, window.input, strict=True)]
    return lax.slice(full, (0, *lows, 0), (full.shape[0], *stop, full.shape[-1]))


def _numbers(rank: int, lhs: str = "N{}C", rhs: str = "{}IO", out: str = "N{}C") -> Any:
    spatial = "DHW"[-rank:] if rank <= 3 else "".join(chr(ord("a") + i) for i in range(rank))
    return (lhs.format(spatial), rhs.format(spatial), out.format(spatial))


# --- native: XLA's own convolution ---
def native_forward(x: Any, w: Any, window: Window, groups: int) -> Any:
    return lax.conv_general_dilated(
        x, w, window.strides, window.pads, None, window.dilations, _numbers(window.rank), feature_group_count=groups
    )


def native_input(w: Any, dy: Any, window: Window, groups: int) -> Any:
    """dy, spread out by the strides, convolved with the flipped filter."""
    channels, features = w.shape[-2], w.shape[-1]
    w = jnp.flip(w, tuple(range(window.rank)))
    if groups > 1:  # [k, C/g, F] -> [k, F/g, g * C/g]
        k = w.shape[:-2]
        w = w.reshape(*k, channels, groups, features // groups)
        w = jnp.moveaxis(w, -3, -1).reshape(*k, groups, features // groups, channels)
        w = jnp.moveaxis(w, -3, -2).reshape(*k, features // groups, groups * channels)
    else:
        w = jnp.swapaxes(w, -1, -2)
    pads = []
    for n, o, s, span, (lo, _) in zip(
        window.input, window.output, window.strides, window.span, window.pads, strict=True
    ):
        before = span - 1 - lo
        pads.append((before, n + span - 1 - before - ((o - 1) * s + 1)))
    return lax.conv_general_dilated(
        dy, w, (1,) * window.rank, pads, window.strides, window.dilations, _numbers(window.rank),
        feature_group_count=groups,
    )  # fmt: skip


def native_filter(x: Any, dy: Any, window: Window, groups: int) -> Any:
    """x convolved with dy as the filter, batch and channels in each other's place."""
    pads = []
    for n, o, s, d, k, (lo, _) in zip(
        window.input, window.output, window.strides, window.dilations, window.size, window.pads, strict=True
    ):
        pads.append((lo, (o - 1) * s + 1 + (k - 1) * d - n - lo))
    r = window.rank
    return lax.conv_general_dilated(
        x, dy, window.dilations, pads, None, window.strides, _numbers(r, "C{}N", "I{}O", "{}NC"),
        batch_group_count=groups,
    )  # fmt: skip


# --- 1x1 as a matrix product ---
def matmul_forward(x: Any, w: Any, window: Window, groups: int) -> Any:
    x = window.view(x, (0,) * window.rank)
    y = jnp.dot(x.reshape(-1, x.shape[-1]), w.reshape(w.shape[-2:]))
    return y.reshape(*x.shape[:-1], w.shape[-1])


def matmul_input(w: Any, dy: Any, window: Window, groups: int) -> Any:
    dx = jnp.dot(dy.reshape(-1, dy.shape[-1]), w.reshape(w.shape[-2:]).T)
    dx = dx.reshape(*dy.shape[:-1], w.shape[-2])
    return dx if window.unit_stride else unview(dx, window, (0,) * window.rank)


def matmul_filter(x: Any, dy: Any, window: Window, groups: int) -> Any:
    x = window.view(x, (0,) * window.rank)
    dw = jnp.dot(x.reshape(-1, x.shape[-1]).T, dy.reshape(-1, dy.shape[-1]))
    return dw.reshape(*window.size, *dw.shape)


# --- im2col: patches as a matrix, a tile of the batch at a time so that they stay in the cache ---
PATCH_BYTES = 4 << 20


def _tile(n: int, row_bytes: int) -> int:
    """The largest divisor of the batch whose patches fit."""
    best = 1
    for t in range(1, n + 1):
        if n % t == 0 and t * row_bytes <= PATCH_BYTES:
            best = t
    return best


def patches(x: Any, window: Window) -> Any:
    """[N, *output, window elements * C], one dimension after the other, which compiles twice as fast as all at once."""
    out = pad(x, window)
    for axis in reversed(range(window.rank)):
        stride, dilation = window.strides[axis], window.dilations[axis]
        limit = (window.output[axis] - 1) * stride + 1
        shifted = [
            lax.slice_in_dim(out, i * dilation, i * dilation + limit, stride, axis + 1)
            for i in range(window.size[axis])
        ]
        out = jnp.concatenate(shifted, axis=-1) if len(shifted) > 1 else shifted[0]
    return out


def _row_bytes(x: Any, window: Window) -> int:
    return math.prod(window.output) * math.prod(window.size) * int(x.shape[-1]) * x.dtype.itemsize


def im2col_forward(x: Any, w: Any, window: Window, groups: int) -> Any:
    n, features = x.shape[0], w.shape[-1]
    flat = w.reshape(-1, features)

    def part(x: Any) -> Any:
        p = patches(x, window)
        return jnp.dot(p.reshape(-1, p.shape[-1]), flat).reshape(*p.shape[:-1], features)

    t = _tile(n, _row_bytes(x, window))
    if t == n:
        return part(x)
    return lax.map(part, x.reshape(n // t, t, *x.shape[1:])).reshape(n, *window.output, features)


def transposed(w: Any, window: Window) -> tuple[Any, Window]:
    """The filter and window of the convolution that is the input gradient of a stride-1 convolution."""
    w = jnp.swapaxes(jnp.flip(w, tuple(range(window.rank))), -1, -2)
    pads = []
    for n, o, span, (lo, _) in zip(window.input, window.output, window.span, window.pads, strict=True):
        before = span - 1 - lo
        pads.append((before, n + span - 1 - before - o))
    return w, Window(window.output, window.size, window.input, window.strides, window.dilations, tuple(pads))


def im2col_input(w: Any, dy: Any, window: Window, groups: int) -> Any:
    if window.unit_stride:
        back, turned = transposed(w, window)
        return im2col_forward(dy, back, turned, groups)
    n, channels = dy.shape[0], w.shape[-2]

    def terms(parts: Any) -> Any:
        p = jnp.concatenate([views[0] for _, views in parts], axis=-1)
        filters = jnp.concatenate([w[at].T for at, _ in parts], axis=0)
        return jnp.dot(p.reshape(-1, p.shape[-1]), filters).reshape(*p.shape[:-1], channels)

    def part(dy: Any) -> Any:
        return scatter_sum(window, [(dy, 0)], terms)

    t = _tile(n, _row_bytes(dy, window))
    if t == n:
        return part(dy)
    return lax.map(part, dy.reshape(n // t, t, *dy.shape[1:])).reshape(n, *window.input, channels)


def im2col_filter(x: Any, dy: Any, window: Window, groups: int) -> Any:
    n, features = x.shape[0], dy.shape[-1]

    def part(x: Any, dy: Any) -> Any:
        p = patches(x, window)
        return jnp.dot(p.reshape(-1, p.shape[-1]).T, dy.reshape(-1, features))

    t = _tile(n, _row_bytes(x, window))
    if t == n:
        dw = part(x, dy)
    else:
        tiles = (x.reshape(n // t, t, *x.shape[1:]), dy.reshape(n // t, t, *dy.shape[1:]))
        zero = jnp.zeros((math.prod(window.size) * x.shape[-1], features), x.dtype)
        dw = lax.scan(lambda total, pair: (total + part(*pair), None), zero, tiles)[0]
    return dw.reshape(*window.size, x.shape[-1], features)


# --- shifted products: one matrix product per window position ---
def shifted_forward(x: Any, w: Any, window: Window, groups: int) -> Any:
    padded = pad(x, window)
    y: Any = None
    for at in window.offsets():
        v = window.view(padded, at)
        part = jnp.dot(v.reshape(-1, v.shape[-1]), w[at]).reshape(*v.shape[:-1], w.shape[-1])
        y = part if y is None else y + part
    return y


def shifted_input(w: Any, dy: Any, window: Window, groups: int) -> Any:
    flat = dy.reshape(-1, dy.shape[-1])
    dx: Any = None
    for at in window.offsets():
        part = unview(jnp.dot(flat, w[at].T).reshape(*dy.shape[:-1], w.shape[-2]), window, at)
        dx = part if dx is None else dx + part
    return dx


def shifted_filter(x: Any, dy: Any, window: Window, groups: int) -> Any:
    padded = pad(x, window)
    flat = dy.reshape(-1, dy.shape[-1])
    parts = []
    for at in window.offsets():
        v = window.view(padded, at)
        parts.append(jnp.dot(v.reshape(-1, v.shape[-1]).T, flat))
    return jnp.stack(parts).reshape(*window.size, *parts[0].shape)


# --- depthwise: one multiply-add per window position; w [*window, C, multiplier] ---
def _spread(x: Any, multiplier: int) -> Any:
    return x if multiplier == 1 else jnp.repeat(x, multiplier, axis=-1)


def depthwise_forward(x: Any, w: Any, window: Window) -> Any:
    multiplier = w.shape[-1]
    padded = pad(x, window)
    y: Any = None
    for at in window.offsets():
        part = _spread(window.view(padded, at), multiplier) * w[at].reshape(-1)
        y = part if y is None else y + part
    return y


def depthwise_input(w: Any, dy: Any, window: Window) -> Any:
    channels, multiplier = w.shape[-2:]

    def terms(parts: Any) -> Any:
        total: Any = None
        for at, (view,) in parts:
            term = view * w[at].reshape(-1)
            total = term if total is None else total + term
        if multiplier == 1:
            return total
        return total.reshape(*total.shape[:-1], channels, multiplier).sum(-1, dtype=total.dtype)

    return scatter_sum(window, [(dy, 0)], terms)


def depthwise_filter(x: Any, dy: Any, window: Window) -> Any:
    """A loop over the images, which keeps an image's passes in the cache."""
    channels = x.shape[-1]
    multiplier = dy.shape[-1] // channels
    axes = tuple(range(dy.ndim - 2))

    def image(x: Any, dy: Any) -> Any:
        views = (_spread(window.view(x[None], at)[0], multiplier) for at in window.offsets())
        return jnp.stack([jnp.sum(v * dy, axis=axes, dtype=dy.dtype) for v in views])

    padded = pad(x, window)
    if x.shape[0] == 1:
        total = image(padded[0], dy[0])
    else:
        zero = jnp.zeros((math.prod(window.size), dy.shape[-1]), dy.dtype)
        total = lax.scan(lambda sums, pair: (sums + image(*pair), None), zero, (padded, dy))[0]
    return total.reshape(*window.size, channels, multiplier)


# --- the choice ---
# Measured with `python benchmarks/conv_lowering.py` (XLA on the CPU with jax 0.10.2, two cores, float32; milliseconds, best of
# several). Where the lowerings are equal within the noise, `choose` takes the simpler rule. Other backends: always native.
#
#   batch x image  C -> F    window   forward               input gradient         filter gradient       TensorFlow 2.15
#                                     native im2col shifted native im2col shifted  native im2col shifted  fwd  inp  filt
#   128 x 28       1 -> 32   5x5/1     3.5    5.5    2.5     13.6   26.4    7.3     11.5    8.0   14.0   7.0   5.0   8.4
#   128 x 14      32 -> 64   5x5/1    31.9   21.1   81.6     30.3   24.5   43.8     58.0   26.6  115.3  16.0  35.6  27.8
#    32 x 14      32 -> 64   5x5/1     8.5    5.9   19.3      7.5    6.9    5.4     15.1    6.7    8.8   4.1   8.0   6.6
#    32 x 32       3 -> 64   3x3/1     1.6    1.3   27.0      3.9    9.4    2.8      4.5    2.8    2.5   2.3   1.6   2.4
#    32 x 32      64 -> 64   3x3/1    30.2   22.9   50.6     30.4   23.6   40.0    115.8   29.6   59.6  14.9  23.3  25.3
#     8 x 16     128 -> 128  3x3/1     3.9    4.4    4.7      4.0    4.4    4.2      6.9    5.9    5.9   3.7   7.4   5.5
#     8 x 8      256 -> 256  3x3/1     4.2    4.2    4.2      4.8    4.9    4.2      7.6    5.0    5.0   3.6   7.0   4.7
#     8 x 4      512 -> 512  3x3/1     6.3    4.2    4.8      9.8    7.5    4.9     12.4    4.5    5.5   3.9  25.0   5.5
#     8 x 64       3 -> 64   7x7/2     2.0    2.0   37.9      2.5     -     5.5      4.4    2.3    2.8   1.6   2.6   2.3
#     8 x 32      64 -> 128  3x3/2     4.1    3.9    2.6      2.3     -     2.1      4.3    2.9    2.8   1.8   3.7   2.5
#     8 x 16      64 -> 256  1x1/1     0.9 (matmul 0.4)       1.0 (matmul 0.6)       2.6 (matmul 1.0)      0.5   0.5   0.7
#     8 x 16     256 -> 512  1x1/2     1.0 (matmul 0.9)       1.0 (matmul 0.9)       3.0 (matmul 1.1)      0.9   3.4   1.1
#     1 x 56      64 -> 64   3x3/1     2.8    2.3    2.3      2.9    2.3    1.8      5.5    3.0    3.5   1.5   1.8   2.8
#     1 x 224      3 -> 64   7x7/2     2.7    4.1   61.5      3.9     -     8.4      5.9    4.1    4.1   2.3   3.7   5.1
#   Depthwise 3x3: multiply-adds 0.9, native 63 forward (8 x 64, 32 channels), 0.7 and 94 input gradient; TensorFlow 2.3, 2.2.
LOWERINGS: dict[str, dict[str, Callable[..., Any]]] = {
    "forward": {
        "native": native_forward,
        "matmul": matmul_forward,
        "im2col": im2col_forward,
        "shifted": shifted_forward,
    },  # fmt: skip
    "input": {"native": native_input, "matmul": matmul_input, "im2col": im2col_input, "shifted": shifted_input},
    "filter": {"native": native_filter, "matmul": matmul_filter, "im2col": im2col_filter, "shifted": shifted_filter},
}


def choose(direction: str, n: int, channels: int, features: int, window: Window, groups: int, dtype: Any) -> str:
    """The name of the lowering for one direction ("forward", "input", "filter") of a convolution."""
    if groups > 1 or np.dtype(dtype).name not in ("float32", "float64") or jax.default_backend() != "cpu":
        return "native"
    if window.is_matmul:
        return "matmul"
    pixels = math.prod(window.output)
    small = pixels <= 16  # native convolution of tiny images takes a slow path
    if direction == "forward":
        if channels == 1 and window.unit_stride and window.rank == 2:
            return "shifted"
        return "im2col" if channels >= 16 and features >= 16 and (n >= 16 or small) else "native"
    if direction == "filter":
        return "im2col" if features >= 8 else "native"
    if not window.unit_stride:
        return "native"
    if channels <= 4 or small:
        return "shifted"
    return "im2col" if n >= 16 and features >= 16 else "native"


def forward(x: Any, w: Any, window: Window) -> Any:
    """y of a convolution of x with w; x may have several times w's input channels (groups)."""
    groups = x.shape[-1] // w.shape[-2]
    shape = (x.shape[0], *window.output, w.shape[-1])
    if not math.prod(shape) or not math.prod(w.shape):
        return jnp.zeros(shape, x.dtype)
    name = choose("forward", x.shape[0], x.shape[-1], w.shape[-1], window, groups, x.dtype)
    return LOWERINGS["forward"][name](x, w, window, groups)


def input_gradient(w: Any, dy: Any, window: Window, channels: int) -> Any:
    groups = channels // w.shape[-2]
    shape = (dy.shape[0], *window.input, channels)
    if not math.prod(shape) or not math.prod(dy.shape) or not math.prod(w.shape):
        return jnp.zeros(shape, dy.dtype)
    name = choose("input", dy.shape[0], channels, w.shape[-1], window, groups, dy.dtype)
    return LOWERINGS["input"][name](w, dy, window, groups)


def filter_gradient(x: Any, dy: Any, window: Window, depth: int) -> Any:
    """`depth` is the filter's input depth: channels / groups."""
    groups = x.shape[-1] // depth
    shape = (*window.size, depth, dy.shape[-1])
    if not math.prod(shape) or not math.prod(dy.shape) or not math.prod(x.shape):
        return jnp.zeros(shape, dy.dtype)
    name = choose("filter", x.shape[0], x.shape[-1], dy.shape[-1], window, groups, dy.dtype)
    return LOWERINGS["filter"][name](x, dy, window, groups)


def _grouped(w: Any) -> Any:
    return w.reshape(*w.shape[:-2], 1, -1)


def _native_depthwise(dtype: Any) -> bool:
    return jax.default_backend() != "cpu"


def depthwise(x: Any, w: Any, window: Window) -> Any:
    """w [*window, C, multiplier]."""
    if not math.prod(w.shape) or not x.shape[0]:
        return jnp.zeros((x.shape[0], *window.output, w.shape[-2] * w.shape[-1]), x.dtype)
    if _native_depthwise(x.dtype):
        return native_forward(x, _grouped(w), window, x.shape[-1])
    return depthwise_forward(x, w, window)


def depthwise_input_gradient(w: Any, dy: Any, window: Window) -> Any:
    if not math.prod(w.shape) or not math.prod(dy.shape):
        return jnp.zeros((dy.shape[0], *window.input, w.shape[-2]), dy.dtype)
    if _native_depthwise(dy.dtype):
        return native_input(_grouped(w), dy, window, w.shape[-2])
    return depthwise_input(w, dy, window)


def depthwise_filter_gradient(x: Any, dy: Any, window: Window) -> Any:
    shape = (*window.size, x.shape[-1], dy.shape[-1] // max(x.shape[-1], 1))
    if not math.prod(x.shape) or not math.prod(dy.shape):
        return jnp.zeros(shape, dy.dtype)
    if _native_depthwise(dy.dtype):
        return native_filter(x, dy, window, x.shape[-1]).reshape(shape)
    return depthwise_filter(x, dy, window)
