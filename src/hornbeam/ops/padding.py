"""Padding and reordering along dimensions: Pad, MirrorPad, Reverse, ReverseSequence, Roll."""

from __future__ import annotations

from typing import Any

import numpy as np

from hornbeam.core.constant import partial_vector
from hornbeam.core.graph import InferenceContext
from hornbeam.core.lazy import jnp, lax
from hornbeam.core.registry import op, raw
from hornbeam.core.tensor_shape import Shape
from hornbeam.ops import shapes
from hornbeam.ops.array import bad, dense, is_string, rank_of, shape_of
from hornbeam.ops.xp import ints, known, static, xp


# --- Pad ---
def _pad_shape(c: InferenceContext) -> list[Shape]:
    s, p, ps = c.shape(0), c.value(1), c.shape(1)
    if ps is not None and (len(ps) != 2 or ps[1] not in (2, None)):
        raise c.fail(
            f"Shape must be rank 2 but is rank {len(ps)}" if len(ps) != 2 else f"Dimension must be 2 but is {ps[1]}"
        )
    rank = len(s) if s is not None else None if ps is None else ps[0]
    if rank is not None and ps is not None and ps[0] is not None and ps[0] != rank:
        raise c.fail(f"Shape must be rank {ps[0]} but is rank {rank}")
    if p is not None and (p < 0).any():
        raise c.fail("Paddings must be non-negative")
    if rank is None:
        return [None]
    if s is None:
        return [(None,) * rank]
    if p is None:
        partial = _partial_paddings(c)
        if partial is None:
            return [(None,) * rank]
        return [
            tuple(
                None if d is None or a is None or b is None else d + a + b for d, (a, b) in zip(s, partial, strict=True)
            )
        ]
    return [tuple(None if d is None else d + int(a) + int(b) for d, (a, b) in zip(s, p, strict=True))]


def _partial_paddings(c: InferenceContext) -> list[tuple[int | None, int | None]] | None:
    """Paddings packed from rows, some of which are known."""
    source = c.op._inputs[1].op
    if source.type != "Pack" or source._attrs["axis"] != 0:
        return None
    rows = [partial_vector(t) for t in source.inputs]
    return [(r[0], r[1]) if r is not None else (None, None) for r in rows]


def _pad_widths(x: Any, paddings: Any) -> list[tuple[int, int]]:
    p = static(paddings)
    if p.shape != (len(x.shape), 2):
        if p.shape[:1] == (0,) and not x.shape:
            return []
        raise bad(f"The first dimension of paddings must be the rank of inputs[{len(x.shape)}] {list(x.shape)}")
    for a, b in p:
        if a < 0 or b < 0:
            raise bad(f"Paddings must be non-negative: {a} {b}")
    return [(int(a), int(b)) for a, b in p]


def _pad_constant(x: Any, widths: list[tuple[int, int]], value: Any) -> Any:
    if known(x) and known(value):
        out = np.full(tuple(d + a + b for d, (a, b) in zip(x.shape, widths, strict=True)), value, x.dtype)
        out[tuple(slice(a, a + d) for d, (a, _) in zip(x.shape, widths, strict=True))] = x
        return out
    return lax.pad(jnp.asarray(x), jnp.asarray(value, x.dtype), [(a, b, 0) for a, b in widths])


_PAD = "(input: T, paddings: Tpaddings{}) -> (output: T); T: type; Tpaddings: {{int32, int64}} = int32"


@op("Pad" + _PAD.format(""), shape=_pad_shape, numpy=True)
def Pad(input, paddings):
    zero = np.array(b"" if is_string(input) else 0, input.dtype)
    return _pad_constant(input, _pad_widths(input, paddings), zero)


@op("PadV2" + _PAD.format(", constant_values: T"), shape=_pad_shape, numpy=True)
def PadV2(input, paddings, constant_values):
    return _pad_constant(input, _pad_widths(input, paddings), constant_values.reshape(()))


def _pad_gradient(op: Any, grad: Any) -> list[Any]:
    x, paddings = op.inputs[:2]
    before = raw.Slice(paddings, [0, 0], raw.Pack([rank_of(x), 1], name="stack"))
    begin = raw.Reshape(before, [-1])
    cut = raw.Slice(dense(grad), begin, shape_of(x, begin.dtype))
    return [cut] + [None] * (len(op.inputs) - 1)


Pad.gradient(_pad_gradient)
PadV2.gradient(_pad_gradient)

_MIRROR = _PAD.format("") + "; mode: {'REFLECT', 'SYMMETRIC'}"


@op("MirrorPad" + _MIRROR, shape=_pad_shape, numpy=True)
def MirrorPad(input, paddings, mode):
    widths = _pad_widths(input, paddings)
    offset = 1 if mode == b"REFLECT" else 0
    for i, (d, (a, b)) in enumerate(zip(input.shape, widths, strict=True)):
        if max(a, b) > d - offset:
            limit = "less than" if offset else "no greater than"
            raise bad(f"paddings must be {limit} the dimension size: {a}, {b} {limit} {d} (dimension {i})")
    if any(max(w) for w in widths):
        return xp.pad(input, widths, mode="reflect" if offset else "symmetric")
    return input


def _mirror_grad_shape(c: InferenceContext) -> list[Shape]:
    s, p, ps = c.shape(0), c.value(1), c.shape(1)
    if s is None:
        return [None if ps is None or ps[0] is None else (None,) * ps[0]]
    if p is None:
        return [(None,) * len(s)]
    return [tuple(None if d is None else d - int(a) - int(b) for d, (a, b) in zip(s, p, strict=True))]


@op("MirrorPadGrad" + _MIRROR, shape=_mirror_grad_shape, numpy=True)
def MirrorPadGrad(input, paddings, mode):
    offset = 1 if mode == b"REFLECT" else 0
    x = input
    for i, (a, b) in enumerate(_pad_widths(input, paddings)):
        n = x.shape[i] - a - b
        lead = (slice(None),) * i
        zero = np.zeros((), x.dtype)

        def spread(piece: Any, at: int, n: int = n, i: int = i, x: Any = x, zero: Any = zero) -> Any:
            widths = [(0, 0)] * len(x.shape)
            widths[i] = (at, n - at - piece.shape[i])
            return _pad_constant(piece, widths, zero)

        middle = x[(*lead, slice(a, a + n))]
        if a:
            middle = middle + spread(xp.flip(x[(*lead, slice(0, a))], i), offset)
        if b:
            middle = middle + spread(xp.flip(x[(*lead, slice(a + n, a + n + b))], i), n - offset - b)
        x = middle
    return x


MirrorPad.gradient(lambda op, grad: [raw.MirrorPadGrad(dense(grad), op.inputs[1], mode=op._attrs["mode"]), None])
MirrorPadGrad.gradient(lambda op, grad: [raw.MirrorPad(dense(grad), op.inputs[1], mode=op._attrs["mode"]), None])


# --- Reverse, Roll ---
@op(
    "Reverse(tensor: T, dims: bool) -> (output: T); T: {uint8, int8, uint16, int16, uint32, int32, uint64, int64, bool, bfloat16, "
    "half, float, double, complex64, complex128, string}",
    shape=lambda c: [
        c.shape(0) if c.shape(0) is not None or not c.shape(1) or c.shape(1)[0] is None else (None,) * c.shape(1)[0]
    ],
    numpy=True,
)
def Reverse(tensor, dims):
    flags = static(dims)
    if flags.shape != (len(tensor.shape),):
        raise bad(
            f"'dims' must have the same number of values as 'tensor' has dimensions. 'tensor' has {len(tensor.shape)}'dims' has {flags.size} values"
        )
    return xp.flip(tensor, tuple(i for i, f in enumerate(flags) if f))


@op(
    "ReverseV2(tensor: T, axis: Tidx) -> (output: T); Tidx: {int32, int64} = int32; T: {uint8, int8, uint16, int16, int32, uint32, "
    "int64, uint64, bool, bfloat16, half, float, double, complex64, complex128, string}",
    shape=shapes.unchanged,
    numpy=True,
)
def ReverseV2(tensor, axis):
    rank = len(tensor.shape)
    axes = []  # type: ignore[var-annotated]
    for a in ints(axis):
        if not -rank <= a < rank:
            raise bad(f"'axis'[{len(axes)}] = {a} is out of valid range [0, {rank - 1}]")
        if a % rank in axes:
            raise bad(f"axis {a % rank} specified more than once.")
        axes.append(a % rank)
    return xp.flip(tensor, tuple(axes)) if axes else tensor


Reverse.gradient(lambda op, grad: [raw.Reverse(dense(grad), op.inputs[1]), None])
ReverseV2.gradient(lambda op, grad: [raw.ReverseV2(dense(grad), op.inputs[1]), None])


@op(
    "ReverseSequence(input: T, seq_lengths: Tlen) -> (output: T); seq_dim: int; batch_dim: int = 0; T: type; Tlen: {int32, int64} = int64",
    shape=shapes.unchanged,
)
def ReverseSequence(input, seq_lengths, seq_dim, batch_dim):
    rank = len(input.shape)
    seq, batch = seq_dim % rank, batch_dim % rank
    n = input.shape[seq]
    if seq_lengths.shape != (input.shape[batch],):
        raise bad(f"Length of seq_lengths != input.dims({batch}), ({list(seq_lengths.shape)} vs. {input.shape[batch]})")
    if known(seq_lengths) and seq_lengths.size and (seq_lengths.max() > n or seq_lengths.min() < 0):
        raise bad(f"seq_lengths must be in [0, {n}], got {seq_lengths.tolist()}")
    t = np.arange(n)
    lengths = seq_lengths.reshape((-1, 1))
    at = xp.where(t < lengths, lengths - 1 - t, t)  # [batch, time]
    if batch > seq:
        at = at.T
    shape = [1] * rank
    shape[seq], shape[batch] = n, input.shape[batch]
    return xp.take_along_axis(input, at.reshape(tuple(shape)), axis=seq)


ReverseSequence.gradient(
    lambda op, grad: [
        raw.ReverseSequence(dense(grad), op.inputs[1], seq_dim=op._attrs["seq_dim"], batch_dim=op._attrs["batch_dim"]),
        None,
    ]
)


@op(
    "Roll(input: T, shift: Tshift, axis: Taxis) -> (output: T); T: type; Tshift: {int32, int64}; Taxis: {int32, int64}",
    shape=shapes.unchanged,
)
def Roll(input, shift, axis):
    axes = ints(axis)
    if any(not -len(input.shape) <= a < len(input.shape) for a in axes):
        raise bad(f"axis {list(axes)} is out of range")
    x = input
    flat = shift.reshape((-1,))
    for k, a in enumerate(axes):
        x = xp.roll(x, int(flat[k]) if known(shift) else flat[k], axis=a)
    return x


Roll.gradient(lambda op, grad: [raw.Roll(grad, raw.Neg(op.inputs[1]), op.inputs[2]), None, None])
