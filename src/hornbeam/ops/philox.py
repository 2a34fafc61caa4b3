"""Philox4x32-10 as TensorFlow's CPU kernels use it: the same bits and values, once with NumPy and once with JAX.

Pure numerics: nothing here knows of graphs or sessions. A `Stream` says where in the sequence to start; `numpy_draw`
and `jax_draw` turn it into `n` values of a distribution. The JAX form takes the stream as data, so advancing it never
recompiles.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from hornbeam.core.lazy import jax, jnp, lax

_MULTIPLIERS = (0xD2511F53, 0xCD9E8D57)
_KEY_STEPS = (0x9E3779B9, 0xBB67AE85)
_ROUNDS = 10
_LOW32 = 0xFFFFFFFF
_MASK64 = (1 << 64) - 1
RESERVED = 256
"""Groups of four words TensorFlow reserves for one output value, whatever it uses."""


class Stream(NamedTuple):
    """A place in a Philox sequence: 64-bit key, 128-bit group counter in two halves (ints or uint64 scalars)."""

    key: Any
    low: Any
    high: Any

    def skip(self, groups: int) -> Stream:
        """The stream `groups` groups further on; for streams of Python ints."""
        counter = (self.low | self.high << 64) + groups
        return Stream(self.key, counter & _MASK64, (counter >> 64) & _MASK64)


def concrete(stream: Stream) -> Stream:
    """The same stream with Python ints, as the NumPy form wants it."""
    return Stream(*(int(part) & _MASK64 for part in stream))


def scrambled(seed: np.ndarray) -> Stream:
    """The stream of a v1 stateless op: both seeds pass once through Philox under a fixed key."""
    low, high = (int(part) & _MASK64 for part in np.asarray(seed).reshape(2))
    words = [int(w) for w in numpy_bits(Stream(0x02461E293EC8F720, low, high), 1)[0]]
    return Stream(words[0] | words[1] << 32, 0, words[2] | words[3] << 32)


def jax_scrambled(seed: Any) -> Stream:
    """`scrambled` for a traced seed vector of two integers."""
    low, high = (seed[i].astype(np.int64).astype(np.uint64) for i in range(2))
    words = [w.astype(np.uint64) for w in _jax_groups(Stream(np.uint64(0x02461E293EC8F720), low, high), np.uint64(0))]
    shift = np.uint64(32)
    return Stream(words[0] | words[1] << shift, np.uint64(0), words[2] | words[3] << shift)


# ---- bits, NumPy -----------------------------------------------------------------------------------------------------

_CHUNK = 8192  # groups at once: three arrays of 128 KB stay in the second-level cache


def numpy_bits(stream: Stream, groups: int, stride: int = 1) -> np.ndarray:
    """The words of `groups` groups, `stride` apart, as uint32 [groups, 4]."""
    out = np.empty((groups, 2), np.uint64)
    for start in range(0, groups, _CHUNK):
        stop = min(groups, start + _CHUNK)
        _numpy_chunk(
            stream.skip(start * stride), np.arange(0, (stop - start) * stride, stride, dtype=np.uint64), out[start:stop]
        )
    return out.view(np.uint32)


def numpy_bits_at(stream: Stream, offsets: np.ndarray) -> np.ndarray:
    """The words of the groups `offsets` (uint64 [n]) beyond the stream, as uint32 [n, 4]."""
    out = np.empty((len(offsets), 2), np.uint64)
    for start in range(0, len(offsets), _CHUNK):
        _numpy_chunk(stream, offsets[start : start + _CHUNK], out[start : start + _CHUNK])
    return out.view(np.uint32)


def _numpy_chunk(stream: Stream, offsets: np.ndarray, out: np.ndarray) -> None:
    """Ten rounds in 64-bit lanes: row 0 holds counter words 0, then 1; row 1 words 2, then 3."""
    n = len(offsets)
    low = offsets + np.uint64(stream.low)
    words = np.empty((2, n), np.uint64)
    np.bitwise_and(low, np.uint64(_LOW32), out=words[0])
    high = np.full(n, stream.high, np.uint64)
    if stream.low + int(offsets[-1]) > _MASK64:
        high += low < np.uint64(stream.low)
    np.bitwise_and(high, np.uint64(_LOW32), out=words[1])
    odd = np.stack([low >> np.uint64(32), high >> np.uint64(32)])
    factors = np.array([[_MULTIPLIERS[1]], [_MULTIPLIERS[0]]], np.uint64)
    key = np.array([[stream.key & _LOW32], [stream.key >> 32]], np.uint64)
    steps = np.array([[_KEY_STEPS[0]], [_KEY_STEPS[1]]], np.uint64)
    mask, shift = np.uint64(_LOW32), np.uint64(32)
    product, scratch = np.empty_like(words), np.empty_like(words)
    for _ in range(_ROUNDS):
        np.multiply(words[::-1], factors, out=product)
        np.right_shift(product, shift, out=scratch)
        np.bitwise_xor(scratch, odd, out=scratch)
        np.bitwise_xor(scratch, key, out=scratch)
        np.bitwise_and(scratch, mask, out=words)  # the odd words keep rubbish above bit 32: it goes here
        odd, product = product, odd
        key = (key + steps) & mask
    np.left_shift(odd, shift, out=odd)
    np.bitwise_or(words, odd, out=out.T)


# ---- bits, JAX -------------------------------------------------------------------------------------------------------


def _jax_groups(stream: Stream, offset: Any) -> tuple[Any, Any, Any, Any]:
    """The four words of the groups `offset` (uint64, any shape) beyond the stream."""
    low = jnp.asarray(offset) + stream.low
    high = stream.high + (low < stream.low).astype(np.uint64)
    shift = np.uint64(32)
    c0, c1, c2, c3 = (w.astype(np.uint32) for w in (low, low >> shift, high, high >> shift))
    key0, key1 = (jnp.asarray(w).astype(np.uint32) for w in (stream.key, stream.key >> shift))
    for _ in range(_ROUNDS):
        first = c0.astype(np.uint64) * np.uint64(_MULTIPLIERS[0])
        second = c2.astype(np.uint64) * np.uint64(_MULTIPLIERS[1])
        c0, c2 = (second >> shift).astype(np.uint32) ^ c1 ^ key0, (first >> shift).astype(np.uint32) ^ c3 ^ key1
        c1, c3 = second.astype(np.uint32), first.astype(np.uint32)
        key0, key1 = key0 + np.uint32(_KEY_STEPS[0]), key1 + np.uint32(_KEY_STEPS[1])
    return c0, c1, c2, c3


# XLA's CPU code generator vectorises this shape best: every output element computes its own group and picks its lane
# (660 M floats/s on two cores, where interleaving four arrays gave 170 to 270).


def jax_word(stream: Stream, index: Any) -> Any:
    """The 32-bit words numbered `index` (uint64) from the stream on."""
    w0, w1, w2, w3 = _jax_groups(stream, index >> np.uint64(2))
    lane = index & np.uint64(3)
    return jnp.where(lane == 0, w0, jnp.where(lane == 1, w1, jnp.where(lane == 2, w2, w3)))


def jax_word_pair(stream: Stream, index: Any) -> tuple[Any, Any]:
    """Words 2·index and 2·index + 1."""
    w0, w1, w2, w3 = _jax_groups(stream, index >> np.uint64(1))
    first = (index & np.uint64(1)) == 0
    return jnp.where(first, w0, w2), jnp.where(first, w1, w3)


# ---- words to values: written once for both --------------------------------------------------------------------------


# Mantissa times a power of two is what TensorFlow's [1, 2) minus 1 gives, exactly. Written as a difference it would not
# stay exact: XLA merges that constant with those of the products and sums a program makes of the value.


def unit_float32(word: Any) -> Any:
    return (word & np.uint32(0x7FFFFF)).view(np.int32).astype(np.float32) * np.float32(2**-23)


def unit_float16(word: Any) -> Any:
    return ((word & np.uint32(0x3FF)).view(np.int32).astype(np.float32) * np.float32(2**-10)).astype(np.float16)


def unit_bfloat16(word: Any) -> Any:
    return ((word & np.uint32(0x7F)).view(np.int32).astype(np.float32) * np.float32(2**-7)).astype(_bfloat16())


def unit_float64(w0: Any, w1: Any) -> Any:
    mantissa = (w0 & np.uint32(0xFFFFF)).astype(np.uint64) << np.uint64(32) | w1.astype(np.uint64)
    return mantissa.view(np.int64).astype(np.float64) * np.float64(2**-52)


def join64(w0: Any, w1: Any) -> Any:
    return w1.astype(np.uint64) << np.uint64(32) | w0.astype(np.uint64)


def box_muller32(xp: Any, w0: Any, w1: Any) -> tuple[Any, Any]:
    """Two float32 normals of two words, rounded where TensorFlow rounds."""
    radius = xp.sqrt(np.float32(-2) * logf(xp, xp.maximum(unit_float32(w0), np.float32(1e-7))))
    angle = (unit_float32(w1).astype(np.float64) * np.float64(2 * math.pi)).astype(np.float32)
    sine, cosine = _sincosf(xp, angle)
    return sine * radius, cosine * radius


def box_muller64(xp: Any, w0: Any, w1: Any, w2: Any, w3: Any) -> tuple[Any, Any]:
    radius = xp.sqrt(np.float64(-2) * xp.log(xp.maximum(unit_float64(w0, w1), np.float64(1e-7))))
    angle = np.float64(2 * math.pi) * unit_float64(w2, w3)
    return xp.sin(angle) * radius, xp.cos(angle) * radius


# The C library's logf and sincosf are polynomials in double whose rounding to float is not always the nearest one;
# normals equal TensorFlow's only through the same polynomials. Constants: glibc 2.28 and later.
_LOG_INVERSE = tuple(
    map(
        float.fromhex,
        "0x1.661ec79f8f3bep+0 0x1.571ed4aaf883dp+0 0x1.49539f0f010bp+0 0x1.3c995b0b80385p+0 0x1.30d190c8864a5p+0 "
        "0x1.25e227b0b8eap+0 0x1.1bb4a4a1a343fp+0 0x1.12358f08ae5bap+0 0x1.0953f419900a7p+0 0x1p+0 "
        "0x1.e608cfd9a47acp-1 0x1.ca4b31f026aap-1 0x1.b2036576afce6p-1 0x1.9c2d163a1aa2dp-1 0x1.886e6037841edp-1 "
        "0x1.767dcf5534862p-1".split(),
    )
)
_LOG_CENTRE = tuple(
    map(
        float.fromhex,
        "-0x1.57bf7808caadep-2 -0x1.2bef0a7c06ddbp-2 -0x1.01eae7f513a67p-2 -0x1.b31d8a68224e9p-3 "
        "-0x1.6574f0ac07758p-3 -0x1.1aa2bc79c81p-3 -0x1.a4e76ce8c0e5ep-4 -0x1.1973c5a611cccp-4 -0x1.252f438e10c1ep-5 "
        "0x0p+0 0x1.aa5aa5df25984p-5 0x1.c5e53aa362eb4p-4 0x1.526e57720db08p-3 0x1.bc2860d22477p-3 "
        "0x1.1058bc8a07ee1p-2 0x1.4043057b6ee09p-2".split(),
    )
)
_LOG_POLY = tuple(map(float.fromhex, ("-0x1.00ea348b88334p-2", "0x1.5575b0be00b6ap-2", "-0x1.ffffef20a4123p-2")))
_LN2 = float.fromhex("0x1.62e42fefa39efp-1")
_LOG_OFFSET = 0x3F330000


def logf(xp: Any, x: Any) -> Any:
    """float32 logarithm of positive normal numbers."""
    bits = x.view(np.uint32)
    offset = bits - np.uint32(_LOG_OFFSET)
    slot = (offset >> np.uint32(19)) & np.uint32(15)
    exponent = offset.view(np.int32) >> np.int32(23)
    fraction = (bits - (offset & np.uint32(0xFF800000))).view(np.float32).astype(np.float64)
    r = fraction * _pick(xp, _LOG_INVERSE, slot) - np.float64(1)
    base = _pick(xp, _LOG_CENTRE, slot) + exponent.astype(np.float64) * np.float64(_LN2)
    square = r * r
    a0, a1, a2 = (np.float64(a) for a in _LOG_POLY)
    return ((a0 * square + (a1 * r + a2)) * square + (base + r)).astype(np.float32)


def _pick(xp: Any, table: tuple[float, ...], slot: Any) -> Any:
    """table[slot]: a lookup in NumPy, a tree of selections in XLA (which does not vectorise the lookup)."""
    if xp is np:
        return np.take(np.array(table), slot)
    level: list[Any] = [np.float64(v) for v in table]
    for bit in range(4):
        odd = (slot >> np.uint32(bit)) & np.uint32(1) == 1
        level = [jnp.where(odd, b, a) for a, b in zip(level[::2], level[1::2], strict=True)]
    return level[0]


_COS_POLY = tuple(
    map(
        float.fromhex,
        ("-0x1.ffffffd0c621cp-2", "0x1.55553e1068f19p-5", "-0x1.6c087e89a359dp-10", "0x1.99343027bf8c3p-16"),
    )
)
_SIN_POLY = tuple(map(float.fromhex, ("-0x1.555545995a603p-3", "0x1.1107605230bc4p-7", "-0x1.994eb3774cf24p-13")))
_HALF_PI = float.fromhex("0x1.921FB54442D18p0")
_TWO_OVER_PI_24 = float.fromhex("0x1.45F306DC9C883p+23")


def _sincosf(xp: Any, angle: Any) -> tuple[Any, Any]:
    """float32 sine and cosine of angles in [0, 2π]."""
    wide = angle.astype(np.float64)
    quarter = ((wide * np.float64(_TWO_OVER_PI_24)).astype(np.int32) + np.int32(0x800000)) >> np.int32(24)
    x = wide - quarter.astype(np.float64) * np.float64(_HALF_PI)
    square = x * x
    c1, c2, c3, c4 = (np.float64(c) for c in _COS_POLY)
    fourth = square * square
    cosine = (np.float64(1) + square * c1) + fourth * c2 + (fourth * square) * (c3 + square * c4)
    s1, s2, s3 = (np.float64(s) for s in _SIN_POLY)
    cube = square * x
    sine = (x + cube * s1) + (cube * square) * (s2 + square * s3)
    cosine, sine = cosine.astype(np.float32), sine.astype(np.float32)
    swap = (quarter & np.int32(1)) == 1
    first, second = xp.where(swap, cosine, sine), xp.where(swap, sine, cosine)
    return (
        xp.where((quarter & np.int32(2)) == 2, -first, first),
        xp.where(((quarter + np.int32(1)) & np.int32(2)) == 2, -second, second),
    )


@functools.cache
def _bfloat16() -> np.dtype:
    import ml_dtypes

    return np.dtype(ml_dtypes.bfloat16)


# ---- distributions ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Distribution:
    """How words become values: `numpy(bits [groups, 4]) -> [groups, per_group]`, `jax(stream, index) -> values`."""

    per_group: int
    dtype: Callable[[], Any]
    numpy: Callable[[np.ndarray], np.ndarray]
    jax: Callable[[Stream, Any], Any]


def _of_word(dtype: Callable[[], Any], convert: Callable[[Any], Any]) -> Distribution:
    return Distribution(4, dtype, convert, lambda stream, i: convert(jax_word(stream, i)))


def _of_pair(dtype: Callable[[], Any], convert: Callable[[Any, Any], Any]) -> Distribution:
    return Distribution(
        2,
        dtype,
        lambda bits: convert(bits[:, 0::2], bits[:, 1::2]),
        lambda stream, i: convert(*jax_word_pair(stream, i)),
    )


def _normals(dtype: Callable[[], Any]) -> Distribution:
    def numpy(bits: np.ndarray) -> np.ndarray:
        values = box_muller32(np, bits[:, 0::2].ravel(), bits[:, 1::2].ravel())
        return np.stack(values, axis=-1).astype(dtype(), copy=False).reshape(-1, 4)

    def traced(stream: Stream, index: Any) -> Any:
        sine, cosine = box_muller32(jnp, *jax_word_pair(stream, index >> np.uint64(1)))
        return jnp.where(index & np.uint64(1) == 0, sine, cosine).astype(dtype())

    return Distribution(4, dtype, numpy, traced)


def _double_normals() -> Distribution:
    def numpy(bits: np.ndarray) -> np.ndarray:
        return np.stack(box_muller64(np, *bits.T), axis=-1)

    def traced(stream: Stream, index: Any) -> Any:
        sine, cosine = box_muller64(jnp, *_jax_groups(stream, index >> np.uint64(1)))
        return jnp.where(index & np.uint64(1) == 0, sine, cosine)

    return Distribution(2, lambda: np.float64, numpy, traced)


_UNIFORM = {
    "float16": _of_word(lambda: np.float16, unit_float16),
    "bfloat16": _of_word(_bfloat16, unit_bfloat16),
    "float32": _of_word(lambda: np.float32, unit_float32),
    "float64": _of_pair(lambda: np.float64, unit_float64),
}
_NORMAL = {
    "float16": _normals(lambda: np.float16),
    "bfloat16": _normals(_bfloat16),
    "float32": _normals(lambda: np.float32),
    "float64": _double_normals(),
}
_FULL_INT = {
    "int32": _of_word(lambda: np.int32, lambda w: w.view(np.int32)),
    "uint32": _of_word(lambda: np.uint32, lambda w: w),
    "int64": _of_pair(lambda: np.int64, lambda w0, w1: join64(w0, w1).view(np.int64)),
    "uint64": _of_pair(lambda: np.uint64, join64),
}


def uniform(dtype: Any) -> Distribution:
    """Uniform on [0, 1)."""
    return _UNIFORM[np.dtype(dtype).name]


def normal(dtype: Any) -> Distribution:
    """Mean 0, deviation 1."""
    return _NORMAL[np.dtype(dtype).name]


def full_int(dtype: Any) -> Distribution:
    """Every integer of the type."""
    return _FULL_INT[np.dtype(dtype).name]


def into_range(bits: Any, low: Any, high: Any) -> Any:
    """Integers in [low, high) of `full_int` unsigned bits; wraps as C does, and is slightly skewed as TensorFlow is."""
    signed, unsigned = low.dtype, bits.dtype
    with np.errstate(over="ignore"):
        span = high.astype(unsigned) - low.astype(unsigned)
        return (bits % span + low.astype(unsigned)).astype(signed)


_CUT = 2.0
_CANDIDATE_GROUPS = (
    2  # groups looked at for every output before the stragglers: all but 1e-5 (doubles: 4e-4) are done then
)


def numpy_truncated_normal(dtype: Any, stream: Stream, n: int) -> np.ndarray:
    """Normals within two deviations: each group of outputs owns counters and keeps, in order, what lies within."""
    dtype = np.dtype(dtype)
    source = normal(np.float64 if dtype == np.float64 else np.float32)
    per = source.per_group
    groups, reserved = -(-n // per), RESERVED * per // 4
    out = np.empty((groups, per), source.dtype())

    whole = np.dtype(f"uint{8 * per}")  # a row of booleans seen as one number
    for start, part in _chunks(source, out):
        local = stream.skip(start * reserved)
        _fill(source, local, reserved, part)
        within = np.abs(part) < _CUT
        late = np.flatnonzero(within.view(whole)[:, 0] != np.ones(per, bool).view(whole))
        values, within, used = part[late], within[late], 1
        while len(late):
            more = source.numpy(numpy_bits_at(local, late.astype(np.uint64) * np.uint64(reserved) + np.uint64(used)))
            values = np.concatenate([values, more], axis=1)
            within = np.concatenate([within, np.abs(more) < _CUT], axis=1)
            used += 1
            kept = np.cumsum(within, axis=1, dtype=np.int8)
            done = kept[:, -1] >= per
            part[late[done]] = values[done][within[done] & (kept[done] <= per)].reshape(-1, per)
            late, values, within = late[~done], values[~done], within[~done]
    return out.reshape(-1)[:n].astype(dtype, copy=False)


def jax_truncated_normal(dtype: Any, stream: Stream, n: int) -> Any:
    """`numpy_truncated_normal` inside a traced function."""
    stream = _as_data(stream)
    dtype = np.dtype(dtype)
    source = normal(np.float64 if dtype == np.float64 else np.float32)
    per = source.per_group
    groups, reserved = -(-n // per), RESERVED * per // 4

    width = _CANDIDATE_GROUPS * per
    candidate = lax.iota(np.uint64, width)

    def look(group: Any, used: Any) -> tuple[Any, Any]:
        values = source.jax(stream, ((group * np.uint64(reserved) + used) * np.uint64(per))[:, None] + candidate)
        return values, (jnp.abs(values) < _CUT).astype(np.int32)

    values, within = look(lax.iota(np.uint64, groups), np.uint64(0))
    pattern = (within << lax.iota(np.int32, width)).sum(axis=1, dtype=np.int32)
    first = jnp.asarray(_kept_places(width, per))[pattern]
    out = jnp.take_along_axis(values, first, axis=1)
    batch = min(groups, max(16, groups // 256))

    def unfinished(state: tuple[Any, Any, Any]) -> Any:
        return jnp.any(state[1] < per)

    def finish_some(state: tuple[Any, Any, Any]) -> tuple[Any, Any, Any]:
        out, kept, used = state
        late = jnp.nonzero(kept < per, size=batch, fill_value=groups)[0]
        values, within = look(late.astype(np.uint64), used[late])
        place = jnp.where(within == 1, kept[late][:, None] + jnp.cumsum(within, axis=1) - 1, per)
        out = out.at[late[:, None], place].set(values, mode="drop")
        kept = kept.at[late].add(within.sum(axis=1, dtype=np.int32), mode="drop")
        return out, kept, used.at[late].add(np.uint64(_CANDIDATE_GROUPS), mode="drop")

    start = (out, within.sum(axis=1, dtype=np.int32), jnp.full(groups, _CANDIDATE_GROUPS, np.uint64))
    out = lax.while_loop(unfinished, finish_some, start)[0]
    return out.reshape(-1)[:n].astype(dtype)


@functools.cache
def _kept_places(width: int, per: int) -> np.ndarray:
    """For every bit pattern of `width` candidates, the places of the first `per` set bits (then arbitrary ones)."""
    kept = (np.arange(1 << width)[:, None] >> np.arange(width)) & 1
    return np.argsort(1 - kept, axis=1, kind="stable")[:, :per].astype(np.int32)


def numpy_draw(distribution: Distribution, stream: Stream, n: int) -> np.ndarray:
    """The first `n` values as a NumPy array, computed in chunks so that memory stays near the result's own size."""
    out = np.empty((-(-n // distribution.per_group), distribution.per_group), distribution.dtype())
    for start, part in _chunks(distribution, out):
        _fill(distribution, stream.skip(start), 1, part)
    return out.reshape(-1)[:n]


# A process that draws much in this form (a big net's initial values) compiles one program of fixed size per
# distribution; until then NumPy is the quicker way. The values are the same.
_BULK_GROUPS = 1 << 17
_BULK_PAYS_AFTER = 1 << 22
_drawn: dict[int, int] = {}


def _chunks(distribution: Distribution, out: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
    """(first row, rows) pieces of `out` for `_fill`: small for NumPy, the compiled program's size once that pays."""
    start, rows = 0, len(out)
    while start < rows:
        drawn = _drawn.get(id(distribution), 0)
        bulk = drawn + (rows - start) * distribution.per_group > _BULK_PAYS_AFTER and rows - start > _BULK_GROUPS // 4
        stop = min(rows, start + (_BULK_GROUPS if bulk else _CHUNK))
        yield start, out[start:stop]
        _drawn[id(distribution)] = drawn + (stop - start) * distribution.per_group
        start = stop


def _fill(distribution: Distribution, stream: Stream, stride: int, out: np.ndarray) -> None:
    """The values of groups 0, stride, 2·stride, … into the rows of `out`."""
    if len(out) <= _CHUNK:
        out[:] = distribution.numpy(numpy_bits(stream, len(out), stride))
        return
    with jax.enable_x64(True):
        values = _bulk_program(id(distribution))(*(np.uint64(part) for part in (*stream, stride)))
        out[:] = np.asarray(values)[: len(out)]


@functools.cache
def _bulk_program(identity: int) -> Callable[..., Any]:
    distribution = _BY_ID[identity]
    per = np.uint64(distribution.per_group)

    def program(key: Any, low: Any, high: Any, stride: Any) -> Any:
        place = lax.iota(np.uint64, _BULK_GROUPS * distribution.per_group)
        values = distribution.jax(Stream(key, low, high), place // per * stride * per + place % per)
        return values.reshape(_BULK_GROUPS, distribution.per_group)

    return jax.jit(program)  # type: ignore[no-any-return]


_BY_ID = {id(d): d for table in (_UNIFORM, _NORMAL, _FULL_INT) for d in table.values()}


def jax_draw(distribution: Distribution, stream: Stream, n: int) -> Any:
    """The first `n` values inside a traced function (64-bit types enabled); `stream` may be traced."""
    return distribution.jax(_as_data(stream), lax.iota(np.uint64, n))


def _as_data(stream: Stream) -> Stream:
    return Stream(*(np.uint64(part) if isinstance(part, int) else part for part in stream))
