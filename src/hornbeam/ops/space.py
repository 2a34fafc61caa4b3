"""Moving space into batch or depth and back, and extracting patches: all reshapes, transposes and pads."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from hornbeam.core.graph import InferenceContext
from hornbeam.core.registry import op, raw
from hornbeam.core.tensor_shape import Shape
from hornbeam.ops import shapes
from hornbeam.ops.array import bad, dense, shape_of
from hornbeam.ops.xp import static, xp


def _space_to_batch(x: Any, block: Sequence[int], pads: Any) -> Any:
    m = len(block)
    if len(x.shape) < 1 + m:
        raise bad(f"input rank should be >= {1 + m} instead of {len(x.shape)}")
    if (np.asarray(pads) < 0).any():
        raise bad(f"Paddings must be non-negative: {np.asarray(pads).tolist()}")
    rest = x.shape[1 + m :]
    widths = [(0, 0), *((int(a), int(b)) for a, b in pads), *[(0, 0)] * len(rest)]
    if any(a or b for a, b in widths):
        x = xp.pad(x, widths)
    for i, b in enumerate(block):
        if x.shape[1 + i] % b:
            raise bad(f"padded_shape[{i}]={x.shape[1 + i]} is not divisible by block_shape[{i}]={b}")
    split = [d for i, b in enumerate(block) for d in (x.shape[1 + i] // b, b)]
    y = x.reshape((x.shape[0], *split, *rest))
    order = [*range(2, 2 + 2 * m, 2), 0, *range(1, 1 + 2 * m, 2), *range(1 + 2 * m, 1 + 2 * m + len(rest))]
    shape = (x.shape[0] * int(np.prod(block, dtype=np.int64)), *split[::2], *rest)
    return xp.transpose(y, tuple(order)).reshape(shape)


def _batch_to_space(x: Any, block: Sequence[int], crops: Any) -> Any:
    m = len(block)
    if len(x.shape) < 1 + m:
        raise bad(f"input rank should be >= {1 + m} instead of {len(x.shape)}")
    if (np.asarray(crops) < 0).any():
        raise bad(f"Crops must be non-negative: {np.asarray(crops).tolist()}")
    n = int(np.prod(block, dtype=np.int64))
    if x.shape[0] % n:
        raise bad(f"Input batch dimension ({x.shape[0]}) is not divisible by product of block sizes ({n})")
    space, rest = x.shape[1 : 1 + m], x.shape[1 + m :]
    y = x.reshape((*block, x.shape[0] // n, *space, *rest))
    order = [m, *(d for i in range(m) for d in (m + 1 + i, i)), *range(2 * m + 1, 2 * m + 1 + len(rest))]
    y = xp.transpose(y, tuple(order)).reshape(
        (x.shape[0] // n, *(s * b for s, b in zip(space, block, strict=True)), *rest)
    )
    index = [slice(None)]
    for i, (a, b) in enumerate(crops):
        size = y.shape[1 + i] - int(a) - int(b)
        if size < 0:
            raise bad(f"cropped_shape[{i}]={size} must be non-negative")
        index.append(slice(int(a), int(a) + size))
    return y[tuple(index)]


def _space_shape(c: InferenceContext, s: Shape, block: Sequence[int] | None, pads: Any, to_batch: bool) -> list[Shape]:
    if s is None:
        return [None]
    if block is None:
        return [(None,) * len(s)]
    if len(s) < len(block) + 1:
        raise c.fail(f"Shape must be at least rank {len(block) + 1} but is rank {len(s)}")
    n = int(np.prod(block, dtype=np.int64))
    out: list[int | None] = [None if s[0] is None else s[0] * n if to_batch else s[0] // n]
    if not to_batch and s[0] is not None and s[0] % n:
        raise c.fail(f"Dimension size must be evenly divisible by {n} but is {s[0]}")
    for i, b in enumerate(block):
        d = s[1 + i]
        if d is None or pads is None:
            out.append(None)
            continue
        total = int(pads[i][0]) + int(pads[i][1])
        if to_batch:
            if (d + total) % b:
                raise c.fail(f"Dimension size must be evenly divisible by {b} but is {d + total}")
            out.append((d + total) // b)
        else:
            if d * b - total < 0:
                raise c.fail(f"Negative dimension size caused by subtracting {total} from {d * b}")
            out.append(d * b - total)
    return [(*out, *s[1 + len(block) :])]


def _nd_shape(to_batch: bool) -> shapes.Rule:
    def rule(c: InferenceContext) -> list[Shape]:
        block = c.value(1)
        return _space_shape(c, c.shape(0), None if block is None else [int(b) for b in block], c.value(2), to_batch)

    return rule


def _square_shape(to_batch: bool) -> shapes.Rule:
    def rule(c: InferenceContext) -> list[Shape]:
        return _space_shape(c, shapes.with_rank(c, 0, 4), [c.attr("block_size")] * 2, c.value(1), to_batch)

    return rule


def _block(value: Any, x: Any) -> list[int]:
    block = [int(b) for b in static(value).reshape(-1)]
    if any(b < 1 for b in block):
        raise bad(f"All values in block_shape must be positive, got {block}")
    return block


@op(
    "SpaceToBatchND(input: T, block_shape: Tblock_shape, paddings: Tpaddings) -> (output: T); T: type; "
    "Tblock_shape: {int32, int64} = int32; Tpaddings: {int32, int64} = int32",
    shape=_nd_shape(True),
)
def SpaceToBatchND(input, block_shape, paddings):
    return _space_to_batch(input, _block(block_shape, input), static(paddings))


@op(
    "BatchToSpaceND(input: T, block_shape: Tblock_shape, crops: Tcrops) -> (output: T); T: type; "
    "Tblock_shape: {int32, int64} = int32; Tcrops: {int32, int64} = int32",
    shape=_nd_shape(False),
)
def BatchToSpaceND(input, block_shape, crops):
    return _batch_to_space(input, _block(block_shape, input), static(crops))


@op(
    "SpaceToBatch(input: T, paddings: Tpaddings) -> (output: T); T: type; Tpaddings: {int32, int64} = int32; block_size: int >= 2",
    shape=_square_shape(True),
)
def SpaceToBatch(input, paddings, block_size):
    return _space_to_batch(input, [block_size] * 2, static(paddings))


@op(
    "BatchToSpace(input: T, crops: Tidx) -> (output: T); T: type; block_size: int >= 2; Tidx: {int32, int64} = int32",
    shape=_square_shape(False),
)
def BatchToSpace(input, crops, block_size):
    return _batch_to_space(input, [block_size] * 2, static(crops))


SpaceToBatchND.gradient(lambda op, g: [raw.BatchToSpaceND(dense(g), op.inputs[1], op.inputs[2]), None, None])
BatchToSpaceND.gradient(lambda op, g: [raw.SpaceToBatchND(dense(g), op.inputs[1], op.inputs[2]), None, None])
SpaceToBatch.gradient(
    lambda op, g: [raw.BatchToSpace(dense(g), op.inputs[1], block_size=op._attrs["block_size"]), None]
)
BatchToSpace.gradient(
    lambda op, g: [raw.SpaceToBatch(dense(g), op.inputs[1], block_size=op._attrs["block_size"]), None]
)


# --- depth ---
_FORMATS = "data_format: {'NHWC', 'NCHW', 'NCHW_VECT_C'} = 'NHWC'"


def _depth_shape(to_depth: bool) -> shapes.Rule:
    def rule(c: InferenceContext) -> list[Shape]:
        b, fmt = c.attr("block_size"), c.attr("data_format")
        s = list(shapes.with_rank(c, 0, 5 if fmt == b"NCHW_VECT_C" else 4) or ())
        h, w, d = (1, 2, 3) if fmt == b"NHWC" else (2, 3, 1)

        def divide(n: int | None, k: int) -> int | None:
            if n is not None and n % k:
                raise c.fail(f"Dimension size must be evenly divisible by {k} but is {n}")
            return None if n is None else n // k

        def times(n: int | None, k: int) -> int | None:
            return None if n is None else n * k

        grow, shrink = (times, divide) if not to_depth else (divide, times)
        s[h], s[w], s[d] = grow(s[h], b), grow(s[w], b), shrink(s[d], b * b)
        return [tuple(s)]

    return rule


def _to_depth(x: Any, b: int) -> Any:
    n, h, w, c = x.shape
    y = x.reshape((n, h // b, b, w // b, b, c))
    return xp.transpose(y, (0, 1, 3, 2, 4, 5)).reshape((n, h // b, w // b, b * b * c))


def _to_space(x: Any, b: int) -> Any:
    n, h, w, c = x.shape
    y = x.reshape((n, h, w, b, b, c // (b * b)))
    return xp.transpose(y, (0, 1, 3, 2, 4, 5)).reshape((n, h * b, w * b, c // (b * b)))


def _by_format(move: Any, x: Any, block: int, data_format: bytes) -> Any:
    if data_format == b"NHWC":
        return move(x, block)
    if data_format == b"NCHW":
        return xp.transpose(move(xp.transpose(x, (0, 2, 3, 1)), block), (0, 3, 1, 2))
    n, c, h, w, v = x.shape  # channels are c * v + lane
    y = move(xp.transpose(x, (0, 2, 3, 1, 4)).reshape((n, h, w, c * v)), block)
    n, h, w, c = y.shape
    return xp.transpose(y.reshape((n, h, w, c // v, v)), (0, 3, 1, 2, 4))


@op(
    "SpaceToDepth(input: T) -> (output: T); T: type; block_size: int >= 2; " + _FORMATS,
    shape=_depth_shape(True),
)
def SpaceToDepth(input, block_size, data_format):
    h, w = input.shape[1:3] if data_format == b"NHWC" else input.shape[2:4]
    if h % block_size or w % block_size:
        raise bad(f"Image height {h} and width {w} should be divisible by block_size: {block_size}")
    return _by_format(_to_depth, input, block_size, data_format)


@op(
    "DepthToSpace(input: T) -> (output: T); T: type; block_size: int >= 2; " + _FORMATS,
    shape=_depth_shape(False),
)
def DepthToSpace(input, block_size, data_format):
    depth = input.shape[3 if data_format == b"NHWC" else 1] * (input.shape[4] if data_format == b"NCHW_VECT_C" else 1)
    if depth % (block_size * block_size):
        raise bad(f"Input depth dimension {depth} should be divisible by: {block_size * block_size}")
    return _by_format(_to_space, input, block_size, data_format)


def _same_attrs(op: Any) -> dict[str, Any]:
    return {"block_size": op._attrs["block_size"], "data_format": op._attrs["data_format"]}


SpaceToDepth.gradient(lambda op, g: [raw.DepthToSpace(dense(g), **_same_attrs(op))])
DepthToSpace.gradient(lambda op, g: [raw.SpaceToDepth(dense(g), **_same_attrs(op))])


# --- patches ---
def _windows(
    sizes: Sequence[Any], k: Sequence[int], s: Sequence[int], r: Sequence[int], padding: bytes
) -> tuple[Any, Any]:
    """(output extents, padding before) per spatial dimension; None where the size is unknown."""
    out: list[int | None] = []
    before: list[int] = []
    for n, kk, ss, rr in zip(sizes, k, s, r, strict=True):
        span = kk + (kk - 1) * (rr - 1)
        if n is None:
            out.append(None)
            before.append(0)
        elif padding == b"SAME":
            m = -(-n // ss)
            out.append(m)
            before.append(max((m - 1) * ss + span - n, 0) // 2)
        else:
            out.append(max(0, (n - span + ss) // ss))
            before.append(0)
    return out, before


def _patches_shape(c: InferenceContext) -> list[Shape]:
    k, s = c.attr("ksizes"), c.attr("strides")
    r = c.attr("rates") or [1] * len(k)
    x = shapes.with_rank(c, 0, len(k))
    assert x is not None
    out, _ = _windows(x[1:-1], k[1:-1], s[1:-1], r[1:-1], c.attr("padding"))
    depth = None if x[-1] is None else x[-1] * int(np.prod(k[1:-1]))
    return [(x[0], *out, depth)]


def _patches(x: Any, ksizes: Any, strides: Any, rates: Any, padding: bytes) -> Any:
    k, s, r = ksizes[1:-1], strides[1:-1], rates[1:-1]
    space = x.shape[1:-1]
    out, before = _windows(space, k, s, r, padding)
    spans = [(m - 1) * ss + (kk - 1) * rr + 1 if m else 0 for m, kk, ss, rr in zip(out, k, s, r, strict=True)]
    after = [max(n - d - b, 0) for n, d, b in zip(spans, space, before, strict=True)]
    if any(before) or any(after):
        x = xp.pad(x, [(0, 0), *zip(before, after, strict=True), (0, 0)])
    pieces = []
    for at in np.ndindex(*k):
        index = [
            slice(i * rr, i * rr + (m - 1) * ss + 1 if m else i * rr, ss)
            for i, m, ss, rr in zip(at, out, s, r, strict=True)
        ]
        pieces.append(x[(slice(None), *index)])
    return xp.concatenate(pieces, axis=-1)


_PATCH_TYPES = "bfloat16, half, float, double, int8, int16, int32, int64, uint8, uint16, uint32, uint64"


@op(
    "ExtractImagePatches(images: T) -> (patches: T); ksizes: list(int) >= 4; strides: list(int) >= 4; rates: list(int) >= 4; "
    f"T: {{{_PATCH_TYPES}, complex64, complex128, bool}}; padding: {{'SAME', 'VALID'}}",
    shape=_patches_shape,
)
def ExtractImagePatches(images, ksizes, strides, rates, padding):
    return _patches(images, ksizes, strides, rates, padding)


@op(
    "ExtractVolumePatches(input: T) -> (patches: T); ksizes: list(int) >= 5; strides: list(int) >= 5; "
    f"T: {{{_PATCH_TYPES}}}; padding: {{'SAME', 'VALID'}}",
    shape=_patches_shape,
)
def ExtractVolumePatches(input, ksizes, strides, padding):
    return _patches(input, ksizes, strides, [1] * len(ksizes), padding)


def _patches_gradient(op: Any, grad: Any) -> list[Any]:
    """Every window offset's channels go back to where they were read: one StridedSliceGrad an offset, summed."""
    x, a = op.inputs[0], op._attrs
    k, s = a["ksizes"][1:-1], a["strides"][1:-1]
    r = (a.get("rates") or [1] * (len(k) + 2))[1:-1]
    m = len(k)
    if x._shape is None or None in x._shape[1:]:
        raise ValueError(
            f"The gradient of {op.type} needs static image sizes; '{op.name}' has input shape {x.get_shape()}"
        )
    space, depth = x._shape[1:-1], x._shape[-1]
    out, before = _windows(space, k, s, r, a["padding"])
    spans = [
        max((o - 1) * ss + (kk - 1) * rr + 1, d + b)
        for o, kk, ss, rr, d, b in zip(out, k, s, r, space, before, strict=True)
    ]
    padded = raw.ConcatV2([shape_of(x)[:1], [*spans, depth]], 0)
    grad = dense(grad)
    parts = []
    for n, at in enumerate(np.ndindex(*k)):
        piece = raw.Slice(grad, [0] * (m + 1) + [n * depth], [-1] * (m + 1) + [depth])
        begin = [0, *(i * rr for i, rr in zip(at, r, strict=True)), 0]
        end = [0, *(i * rr + (o - 1) * ss + 1 for i, rr, o, ss in zip(at, r, out, s, strict=True)), 0]
        ends = 1 | 1 << (m + 1)
        parts.append(raw.StridedSliceGrad(padded, begin, end, [1, *s, 1], piece, begin_mask=ends, end_mask=ends))
    total = raw.AddN(parts) if len(parts) > 1 else parts[0]
    return [raw.Slice(total, [0, *before, 0], [-1, *space, -1])]


ExtractImagePatches.gradient(_patches_gradient)
ExtractVolumePatches.gradient(_patches_gradient)
