"""Fractional max and average pooling (Graham): regions of random sizes that average to a ratio. These run on the host."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from hornbeam.core.graph import InferenceContext
from hornbeam.core.registry import op, raw
from hornbeam.core.tensor_shape import Shape
from hornbeam.ops import philox, shapes
from hornbeam.ops.philox import Stream

_ATTRS = (
    "pooling_ratio: list(float) >= 4; pseudo_random: bool = false; overlapping: bool = false; deterministic: bool = false; "
    "seed: int = 0; seed2: int = 0; T: {float, double, int32, int64}"
)
_SEQUENCES = "row_pooling_sequence: int64, col_pooling_sequence: int64"


# --- region sizes ---
def _lengths(n: int, out: int, pseudo_random: bool, words: Callable[[int], np.ndarray]) -> np.ndarray:
    """The boundaries 0 … n of `out` regions, drawn as TensorFlow draws them from its Philox stream."""
    if n % out == 0:
        sizes = np.full(out, n // out)
    elif pseudo_random:
        alpha, k = n / out, n // out
        most = min((k + 2) / alpha - 1, (n + 1 - k) / alpha - (out - 1))
        w = words(2)
        u = _double(int(w[0]), int(w[1])) * most
        ends = [1, *(math.ceil(alpha * (i + u)) for i in range(1, out)), n + 1]
        sizes = np.diff(ends)
    else:
        sizes = np.full(out, n // out)
        sizes[: n % out] += 1
        w = words(out)
        for i in range(out - 1):
            j = i + int(w[i]) % (out - i)
            sizes[i], sizes[j] = sizes[j], sizes[i]
    return np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)


def _double(low: int, high: int) -> float:
    """A double in [0, 1) from two words: 20 bits of the first above the second's."""
    return float(((low & 0xFFFFF) << 32 | high) * 2.0**-52)


def _sequences(
    x: Any, ratio: Any, pseudo_random: bool, deterministic: bool, seed: int, seed2: int, ctx: Any
) -> list[np.ndarray]:
    if x.ndim != 4:
        raise ctx.fail(f"tensor_in must be 4-dimensional: {list(x.shape)}")
    if ratio[0] != 1 or ratio[3] != 1:
        raise ctx.fail("Fractional pooling is not yet supported on the batch nor channel dimension.")
    if deterministic and not seed and not seed2:
        raise ctx.fail("Both seed and seed2 should be non-zero for a deterministic pooling.")
    if not deterministic and (seed or seed2):
        raise ctx.fail("Both seed and seed2 should be 0 if deterministic is false.")
    key, high = (seed, seed2) if deterministic else ctx.random_key(0, 0)
    used = 0
    out = []
    for axis in (1, 2):
        n = x.shape[axis]
        size = int(math.floor(n / ratio[axis]))
        if size < 1:
            raise ctx.fail(f"pooling_ratio {ratio[axis]} is larger than the input's dimension {n}")

        def words(count: int) -> np.ndarray:
            nonlocal used
            groups = -(-count // 4)
            start = used if deterministic else ctx.random_counter(groups)
            used += groups
            return philox.numpy_bits(philox.concrete(Stream(key, start, high)), groups).reshape(-1)

        out.append(_lengths(n, size, pseudo_random, words))
    return out


def _regions(boundaries: np.ndarray, n: int, overlapping: bool) -> list[tuple[int, int]]:
    """(start, stop) of each region; overlapping ones share their boundary."""
    extra = 1 if overlapping else 0
    return [(int(a), min(int(b) + extra, n)) for a, b in zip(boundaries[:-1], boundaries[1:], strict=True)]


# --- forward ---
def _shape(c: InferenceContext) -> list[Shape]:
    x = shapes.with_rank(c, 0, 4)
    assert x is not None
    ratio = c.attr("pooling_ratio")
    if any(r < 1 for r in ratio):
        raise c.fail(f"pooling_ratio should be larger than 1.0, got {list(ratio)}")
    out = tuple(None if n is None else int(n / r) for n, r in zip(x, ratio, strict=True))
    return [
        out,
        *((None if n is None else n + 1,) for n in out[1:3]),
    ]  # TensorFlow's rule is one short, its values are not


def _pooled(x: Any, rows: np.ndarray, columns: np.ndarray, overlapping: bool, reduce: Callable[..., Any]) -> Any:
    r, c = _regions(rows, x.shape[1], overlapping), _regions(columns, x.shape[2], overlapping)
    out = np.empty((x.shape[0], len(r), len(c), x.shape[3]), x.dtype)
    for i, (top, bottom) in enumerate(r):
        for j, (left, right) in enumerate(c):
            out[:, i, j] = reduce(x[:, top:bottom, left:right])
    return out


def _mean(part: np.ndarray) -> np.ndarray:
    total = part.sum((1, 2), dtype=part.dtype)
    count = part.shape[1] * part.shape[2]
    return total // count if part.dtype.kind == "i" else total / part.dtype.type(count)


def _forward(name: str, reduce: Callable[..., Any]) -> Any:
    @op(f"{name}(value: T) -> (output: T, {_SEQUENCES}); {_ATTRS}", shape=_shape, host=True, stateful=True)
    def kernel(value, pooling_ratio, pseudo_random, overlapping, deterministic, seed, seed2, ctx):
        rows, columns = _sequences(value, pooling_ratio, pseudo_random, deterministic, seed, seed2, ctx)
        return _pooled(value, rows, columns, overlapping, reduce), rows, columns

    return kernel


FractionalMaxPool = _forward("FractionalMaxPool", lambda part: part.max((1, 2)))
FractionalAvgPool = _forward("FractionalAvgPool", _mean)


# --- gradients ---
_GRAD = "overlapping: bool = false; T: {float, double, int32, int64}"


@op(
    f"FractionalMaxPoolGrad(orig_input: T, orig_output: T, out_backprop: T, {_SEQUENCES}) -> (output: T); {_GRAD}",
    shape=lambda c: [shapes.with_rank(c, 0, 4)],
    host=True,
)
def FractionalMaxPoolGrad(
    orig_input, orig_output, out_backprop, row_pooling_sequence, col_pooling_sequence, overlapping, ctx
):
    """out_backprop goes to the first maximum of each region."""
    n, height, width, channels = orig_input.shape
    r = _regions(row_pooling_sequence, height, overlapping)
    c = _regions(col_pooling_sequence, width, overlapping)
    if out_backprop.shape != (n, len(r), len(c), channels):
        raise ctx.fail(f"out_backprop has shape {list(out_backprop.shape)}, expected {[n, len(r), len(c), channels]}")
    dx = np.zeros(orig_input.shape, out_backprop.dtype)
    b, k = np.ogrid[:n, :channels]
    for i, (top, bottom) in enumerate(r):
        for j, (left, right) in enumerate(c):
            part = orig_input[:, top:bottom, left:right].reshape(n, -1, channels)
            at = part.argmax(1)
            dx[b, top + at // (right - left), left + at % (right - left), k] += out_backprop[:, i, j]
    return dx


@op(
    f"FractionalAvgPoolGrad(orig_input_tensor_shape: int64, out_backprop: T, {_SEQUENCES}) -> (output: T); {_GRAD}",
    shape=lambda c: [(None,) * 4 if c.partial(0) is None else c.partial(0)],
    host=True,
)
def FractionalAvgPoolGrad(
    orig_input_tensor_shape, out_backprop, row_pooling_sequence, col_pooling_sequence, overlapping, ctx
):
    """out_backprop shared by the elements of each region."""
    n, height, width, channels = (int(d) for d in orig_input_tensor_shape)
    r = _regions(row_pooling_sequence, height, overlapping)
    c = _regions(col_pooling_sequence, width, overlapping)
    if out_backprop.shape != (n, len(r), len(c), channels):
        raise ctx.fail(f"out_backprop has shape {list(out_backprop.shape)}, expected {[n, len(r), len(c), channels]}")
    dx = np.zeros((n, height, width, channels), np.float64)
    for i, (top, bottom) in enumerate(r):
        for j, (left, right) in enumerate(c):
            count = (bottom - top) * (right - left)
            dx[:, top:bottom, left:right] += (out_backprop[:, i, j] / count)[:, None, None]
    return dx.astype(out_backprop.dtype)


@FractionalMaxPool.gradient
def _(op, grad, *_unused):
    y, rows, columns = op.outputs
    return [FractionalMaxPoolGrad(op.inputs[0], y, grad, rows, columns, overlapping=op._attrs["overlapping"])]


@FractionalAvgPool.gradient
def _(op, grad, *_unused):
    shape = raw.Shape(op.inputs[0], out_type=np.int64)
    return [FractionalAvgPoolGrad(shape, grad, *op.outputs[1:], overlapping=op._attrs["overlapping"])]
