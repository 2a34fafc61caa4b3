"""Array operations of their own kind: one-hot, broadcasting, bit casts, numeric checks, parallel concat, fingerprints."""

from __future__ import annotations

from typing import Any

import numpy as np

from hornbeam.core import dtypes
from hornbeam.core.graph import InferenceContext
from hornbeam.core.lazy import lax
from hornbeam.core.registry import no_gradient, op, raw
from hornbeam.core.tensor_shape import Shape
from hornbeam.ops import shapes
from hornbeam.ops.array import bad, dense, is_string, shape_of
from hornbeam.ops.xp import ints, known, static, xp


# --- OneHot ---
def _one_hot_shape(c: InferenceContext) -> list[Shape]:
    s, depth, axis = c.shape(0), c.value(1), c.attr("axis")
    if axis < -1:
        raise c.fail("axis must be >= -1")
    if s is None:
        return [None]
    if depth is not None and int(depth) < 0:
        raise c.fail(f"depth must be non-negative, got {int(depth)}")
    if axis > len(s):
        raise c.fail(f"axis must be in range [-1, {len(s)}], got {axis}")
    a = len(s) if axis == -1 else axis
    return [(*s[:a], None if depth is None else int(depth), *s[a:])]


@op(
    "OneHot(indices: TI, depth: int32, on_value: T, off_value: T) -> (output: T); axis: int = -1; T: type; "
    "TI: {uint8, int8, int32, int64} = int64",
    shape=_one_hot_shape,
    numpy=True,
)
def OneHot(indices, depth, on_value, off_value, axis):
    n = int(static(depth))
    if n < 0:
        raise bad(f"depth must be non-negative, got: {n}")
    rank = len(indices.shape)
    a = rank if axis == -1 else axis
    if not 0 <= a <= rank:
        raise bad(f"Expected axis to be -1 or between [0, {rank}].  But received: {axis}")
    for name, v in (("on_value", on_value), ("off_value", off_value)):
        if v.shape != ():
            raise bad(f"{name} must be a scalar, but got: {list(v.shape)}")
    numbers = np.arange(n).reshape((n,) + (1,) * (rank - a))
    hit = indices.reshape((*indices.shape[:a], 1, *indices.shape[a:])) == numbers
    return xp.where(hit, on_value, off_value)


no_gradient("OneHot")


# --- broadcasting ---
@op(
    "BroadcastTo(input: T, shape: Tidx) -> (output: T); T: type; Tidx: {int32, int64} = int32",
    shape=shapes.from_input(1),
    numpy=True,
)
def BroadcastTo(input, shape):
    target = ints(shape)
    have = input.shape
    lead = len(target) - len(have)
    if lead < 0 or any(d not in (1, t) for d, t in zip(have, target[lead:], strict=True)):
        raise bad(f"Incompatible shapes: {list(have)} vs. {list(target)}")
    return xp.broadcast_to(input, target)


@BroadcastTo.gradient
def _(op, grad):
    x, shape = op.inputs
    own = shape_of(x, shape.dtype)
    _, axes = raw.BroadcastGradientArgs(shape, own)
    return [raw.Reshape(raw.Sum(dense(grad), axes, keep_dims=True), own), None]


def _broadcast_args_shape(c: InferenceContext) -> list[Shape]:
    a, b = c.shape(0), c.shape(1)
    if a is None or b is None or a[0] is None or b[0] is None:
        return [(None,)]
    return [(max(a[0], b[0]),)]


@op("BroadcastArgs(s0: T, s1: T) -> (r0: T); T: {int32, int64} = int32", shape=_broadcast_args_shape, numpy=True)
def BroadcastArgs(s0, s1):
    a, b = ints(s0), ints(s1)
    n = max(len(a), len(b))
    pa, pb = (1,) * (n - len(a)) + a, (1,) * (n - len(b)) + b
    if any(x != y and 1 not in (x, y) for x, y in zip(pa, pb, strict=True)):
        raise bad(f"Incompatible shapes: {list(a)} vs. {list(b)}")
    return np.array([y if x == 1 else x for x, y in zip(pa, pb, strict=True)], s0.dtype)


# --- Bitcast ---
_BITS = (
    "{bfloat16, half, float, double, int64, int32, uint8, uint16, uint32, uint64, int8, int16, complex64, complex128, qint8, quint8, "
    "qint16, quint16, qint32}"
)


def _bitcast_shape(c: InferenceContext) -> list[Shape]:
    s, a, b = c.shape(0), c.attr("T").size, c.attr("type").size
    if s is None or a == b:
        return [s]
    if a > b:
        return [(*s, a // b)]
    if not s or s[-1] not in (None, b // a):
        if not s:
            raise c.fail("Shape must be at least rank 1 but is rank 0")
        raise c.fail(f"Cannot bitcast due to shape. {s[-1]} does not match {b // a}")
    return [s[:-1]]


@op(f"Bitcast(input: T) -> (output: type); T: {_BITS}; type: {_BITS}", shape=_bitcast_shape, numpy=True)
def Bitcast(input, type):
    a, b = input.dtype.itemsize, type.np.itemsize
    if a < b and (not input.shape or input.shape[-1] != b // a):
        raise bad(f"Cannot bitcast from {input.dtype} to {type.name}: shape {list(input.shape)}")
    if known(input):
        x = np.ascontiguousarray(input)
        shape = input.shape if a == b else (*input.shape, a // b) if a > b else input.shape[:-1]
        return np.frombuffer(x.tobytes(), type.np).reshape(shape)
    if input.dtype.kind == "c" or type.np.kind == "c":
        static(input)  # XLA has no bit casts of complex numbers
    return lax.bitcast_convert_type(input, type.np)


# --- numeric checks ---
def _check_numerics(tensor: Any, message: bytes, signed: bool) -> Any:
    t = tensor.astype(np.float32) if tensor.dtype.kind == "V" else tensor
    found = []
    if np.isnan(t).any():
        found.append("NaN")
    if signed:
        found += [n for n, v in (("-Inf", -np.inf), ("+Inf", np.inf)) if (t == v).any()]
    elif np.isinf(t).any():
        found.append("Inf")
    if found:
        text = (
            found[0]
            if len(found) == 1
            else f"{', '.join(found[:-1])}{',' if signed and len(found) > 2 else ''} and {found[-1]}"
        )
        raise bad(f"{message.decode(errors='replace')} : Tensor had {text} values")
    return tensor


_NUMERICS = "(tensor: T) -> (output: T); T: {bfloat16, half, float, double}; message: string"


@op("CheckNumerics" + _NUMERICS, shape=shapes.unchanged, host=True, stateful=True)
def CheckNumerics(tensor, message):
    return _check_numerics(tensor, message, False)


@op("CheckNumericsV2" + _NUMERICS, shape=shapes.unchanged, host=True, stateful=True)
def CheckNumericsV2(tensor, message):
    return _check_numerics(tensor, message, True)


_GRADIENT_MESSAGE = "Not a number (NaN) or infinity (Inf) values detected in gradient. "


@CheckNumerics.gradient
def _(op, grad):
    return [raw.CheckNumerics(grad, message=_GRADIENT_MESSAGE + op._attrs["message"].decode(errors="replace"))]


@CheckNumericsV2.gradient
def _(op, grad):
    return [raw.CheckNumericsV2(grad, message=_GRADIENT_MESSAGE + op._attrs["message"].decode(errors="replace"))]


# --- parallel concat, empty, immutable ---
@op("ParallelConcat(values: N * T) -> (output: T); N: int >= 1; T: type; shape: shape", shape=shapes.from_attr())
def ParallelConcat(values, shape):
    out = xp.concatenate(values, axis=0)
    if tuple(out.shape) != tuple(shape):
        raise bad(f"the values make a tensor of shape {list(out.shape)}, the attribute says {list(shape)}")
    return out


@op(
    "Empty(shape: int32) -> (output: dtype); dtype: type; init: bool = false", shape=shapes.from_input(0), stateful=True
)
def Empty(shape, dtype):
    """What TensorFlow leaves unset is zero here, whatever `init` says."""
    return np.full(ints(shape), b"", object) if dtype is dtypes.string else np.zeros(ints(shape), dtype.np)


@op("EnsureShape(input: T) -> (output: T); shape: shape; T: type", shape=lambda c: [_ensured(c)], numpy=True)
def EnsureShape(input, shape):
    if shape is not None and (
        len(shape) != len(input.shape) or any(d is not None and d != n for d, n in zip(shape, input.shape, strict=True))
    ):
        wanted = "[" + ",".join("?" if d is None else str(d) for d in shape) + "]"
        raise bad(f"Shape of tensor {list(input.shape)} is not compatible with expected shape {wanted}.")
    return input


def _ensured(c: InferenceContext) -> Shape:
    from hornbeam.core.tensor_shape import _CONFLICT, merge

    s = merge(c.shape(0), c.attr("shape"))
    if s is _CONFLICT:
        raise c.fail(f"Shapes must be compatible: {c.shape(0)} and {c.attr('shape')}")
    return s


EnsureShape.gradient(lambda op, grad: [raw.EnsureShape(grad, shape=op._attrs["shape"])])


@op(
    "Fingerprint(data: T, method: string) -> (fingerprint: uint8); T: type",
    shape=lambda c: [(None if c.shape(0) is None else c.shape(0)[0], 8)],
    host=True,
)
def Fingerprint(data, method):
    from hornbeam.ops.hashing import fingerprint64

    if bytes(method.item()) != b"farmhash64":
        raise bad(f"Unsupported fingerprint method: {method.item().decode(errors='replace')}")
    if is_string(data):
        rows = [
            _join_hashes([fingerprint64(v) for v in r])
            for r in data.reshape(data.shape[0], int(np.prod(data.shape[1:], dtype=np.int64)))
        ]
    else:
        rows = [fingerprint64(np.ascontiguousarray(r).tobytes()) for r in data]
    return np.array(rows, "<u8").view(np.uint8).reshape(len(rows), 8)


def _join_hashes(hashes: list[int]) -> int:
    from hornbeam.ops.hashing import fingerprint64

    if len(hashes) == 1:
        return hashes[0]
    return fingerprint64(np.array(hashes, "<u8").tobytes())
