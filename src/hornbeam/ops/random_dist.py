"""Distributions that look at the words more than once: gamma, Poisson, truncated by parameters, classes, permutations.

Pure numerics over `hornbeam.ops.philox`, value for value what TensorFlow's CPU kernels draw. Where TensorFlow's result
depends on how many threads shared the work (classes, truncated normals with parameters), this is one thread's result.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from hornbeam.core.lazy import jax, jnp, lax
from hornbeam.ops import philox
from hornbeam.ops.philox import RESERVED, Stream

_MAX_REJECTIONS = 1000


def permutation(stream: Stream, n: int) -> np.ndarray:
    """The order in which `RandomShuffle` puts `n` rows: int32 [n]."""
    words = philox.numpy_bits(stream, shuffle_groups(n)).reshape(-1)[: n - 1] if n > 1 else np.empty(0, np.uint32)
    ahead = (words % np.arange(n, 1, -1, dtype=np.uint32)).tolist()
    order = list(range(n))
    for i, k in enumerate(ahead):
        order[i], order[i + k] = order[i + k], order[i]
    return np.array(order, np.int32)


def jax_permutation(stream: Stream, n: int) -> Any:
    order = jnp.arange(n, dtype=np.int32)
    if n < 2:
        return order
    places = jnp.arange(n - 1, dtype=np.uint32)
    other = (places + philox.jax_word(stream, places.astype(np.uint64)) % (np.uint32(n) - places)).astype(np.int32)

    def swap(i: Any, order: Any) -> Any:
        here, there = order[i], order[other[i]]
        return order.at[i].set(there).at[other[i]].set(here)

    return lax.fori_loop(0, n - 1, swap, order)


def shuffle_groups(n: int) -> int:
    return (n + 2) // 4 if n > 1 else 0


def classes(xp: Any, stream: Stream, logits: Any, samples: int) -> Any:
    """`samples` class indices per row of `logits` [batch, classes]: int64 [batch, samples]."""
    batch = logits.shape[0]
    draw = philox.numpy_draw if xp is np else philox.jax_draw
    uniform = draw(philox.uniform(np.float64), stream, batch * samples).reshape(batch, samples)
    wide = logits.astype(np.float64)
    finite = xp.isfinite(wide)
    top = xp.max(xp.where(finite, wide, -np.inf), axis=1, keepdims=True)
    weights = xp.where(finite, xp.exp(xp.where(finite, wide - xp.where(xp.isfinite(top), top, 0), 0)), 0)
    cumulative = xp.cumsum(weights, axis=1)
    target = uniform * cumulative[:, -1:]
    if xp is np:
        rows = [np.searchsorted(c, t, side="right") for c, t in zip(cumulative, target, strict=True)]
        return np.array(rows, np.int64).reshape(batch, samples)
    return jax.vmap(lambda c, t: jnp.searchsorted(c, t, side="right"))(cumulative, target).astype(np.int64)


def classes_groups(batch: int, samples: int) -> int:
    return batch * 2 * ((samples + 3) // 4 * 4) * RESERVED


# ---- rejection, one stream per output --------------------------------------------------------------------------------


def _value_at(xp: Any, source: philox.Distribution, stream: Stream, group: Any, lane: Any) -> Any:
    """The value `lane` of the group `group` beyond the stream."""
    if xp is np:
        return source.numpy(philox.numpy_bits_at(stream, group))[np.arange(len(group)), lane]
    return source.jax(stream, group * np.uint64(source.per_group) + lane.astype(np.uint64))


_Step = Callable[..., tuple[tuple[Any, ...], Any, Any]]


def _until_accepted(xp: Any, step: _Step, state: tuple[Any, ...], fixed: tuple[Any, ...], result: Any) -> Any:
    """Repeats `step(fixed, state) -> (state, accepted, value)` for the elements not accepted yet."""
    if xp is np:
        left = np.arange(len(result))
        while len(left):
            state, accepted, value = step(fixed, state)
            result[left[accepted]] = value[accepted]
            state, fixed = (tuple(a[~accepted] for a in arrays) for arrays in (state, fixed))
            left = left[~accepted]
        return result

    def body(carry: tuple[Any, Any, Any]) -> tuple[Any, Any, Any]:
        state, done, result = carry
        state, accepted, value = step(fixed, state)
        return state, done | accepted, jnp.where(~done & accepted, value, result)

    done = jnp.zeros(result.shape, bool)
    return lax.while_loop(lambda carry: ~jnp.all(carry[1]), body, (state, done, result))[2]


def rounded(xp: Any, values: Any, dtype: np.dtype) -> Any:
    """float64 results in the type wanted, as TensorFlow's kernel threads round: subnormal numbers become zero."""
    if dtype == np.float16:
        return values.astype(np.float32).astype(np.float16)
    values = values.astype(dtype)
    return xp.where(xp.abs(values) < np.finfo(dtype).tiny, np.zeros((), dtype), values)


def gamma(xp: Any, stream: Stream, alpha: Any, samples: int) -> Any:
    """`samples` draws for each of `alpha` [n]: float64 [samples, n], by Marsaglia and Tsang's rejection."""
    normal, uniform = philox.normal(np.float64), philox.uniform(np.float64)
    count = alpha.shape[0] * samples
    alpha = xp.repeat(alpha.astype(np.float64), samples)
    start = xp.arange(count, dtype=np.uint64) * np.uint64(RESERVED)
    small = alpha < 1
    d = alpha + xp.where(small, 2.0 / 3, -1.0 / 3)
    c = 1.0 / 3 / xp.sqrt(d)

    def take(source: Any, wanted: Any, following: Any, group: Any, left: Any) -> tuple[Any, ...]:
        """The next value of a source: blocks of two are fetched when empty and used back to front."""
        fresh = wanted & (left == 0)
        group = xp.where(fresh, following, group)
        left = xp.where(fresh, 2, left) - wanted.astype(np.int64)
        return _value_at(xp, source, stream, group, left), following + fresh.astype(np.uint64), group, left

    def step(fixed: tuple[Any, ...], state: tuple[Any, ...]) -> tuple[tuple[Any, ...], Any, Any]:
        alpha, small, c, d = fixed
        following, n_group, n_left, u_group, u_left = state
        x, following, n_group, n_left = take(normal, xp.ones(alpha.shape, bool), following, n_group, n_left)
        v = 1 + c * x
        possible = v > 0
        v = xp.where(possible, v * v * v, 1.0)
        u, following, u_group, u_left = take(uniform, possible, following, u_group, u_left)
        square = x * x
        accepted = possible & ((u < 1 - 0.0331 * square * square) | (xp.log(u) < 0.5 * x * x + d * (1 - v + xp.log(v))))
        b, following, u_group, u_left = take(uniform, accepted & small, following, u_group, u_left)
        value = d * v * xp.where(small, xp.power(b, 1 / alpha), 1.0)
        return (following, n_group, n_left, u_group, u_left), accepted, value

    none, zero = xp.zeros(count, np.int64), xp.zeros(count, np.uint64)
    with np.errstate(divide="ignore"):
        drawn = _until_accepted(
            xp, step, (start, zero, none, zero, none), (alpha, small, c, d), xp.zeros(count, np.float64)
        )
        exponential = -xp.log1p(-_value_at(xp, uniform, stream, start, none + 1))
    return xp.where(alpha == 1, exponential, drawn).reshape(-1, samples).T


def poisson(xp: Any, stream: Stream, rate: Any, samples: int) -> Any:
    """`samples` draws for each of `rate` [n]: float64 [samples, n].

    Below 10 Knuth's product of uniforms, from 10 on Hörmann's transformed rejection.
    """
    uniform = philox.uniform(np.float64)
    per = uniform.per_group
    rate = rate.astype(np.float64)
    count = rate.shape[0] * samples
    rate = xp.repeat(rate, samples)
    start = xp.arange(count, dtype=np.uint64) * np.uint64(RESERVED)

    def nth(start: Any, n: Any) -> Any:
        return _value_at(xp, uniform, stream, start + (n // per).astype(np.uint64), per - 1 - n % per)

    def few(fixed: tuple[Any, ...], state: tuple[Any, ...]) -> tuple[tuple[Any, ...], Any, Any]:
        start, limit = fixed
        n, product = state
        product = product * nth(start, n)
        return (n + 1, product), product <= limit, n.astype(np.float64)

    def many(fixed: tuple[Any, ...], state: tuple[Any, ...]) -> tuple[tuple[Any, ...], Any, Any]:
        start, rate, log_rate, a, b, inverse_alpha = fixed
        (n,) = state
        u = nth(start, n) - 0.5
        v = nth(start, n + 1)
        shifted = 0.5 - xp.abs(u)
        k = xp.floor((2 * a / shifted + b) * u + rate + 0.43)
        inside = (shifted >= 0.07) & (v <= 0.9277 - 3.6224 / (b - 2))
        outside = (k < 0) | ((shifted < 0.013) & (v > shifted))
        s = xp.log(v * inverse_alpha / (a / (shifted * shifted) + b))
        t = -rate + k * log_rate - _lgamma(xp, k + 1)
        return (n + 2,), inside | (~outside & (s <= t)), k

    small, usual = rate < 10, xp.isfinite(rate)
    quiet = xp.where(small, rate, 1)
    busy = xp.where(~small & usual, rate, 10)
    b = 0.931 + 2.53 * xp.sqrt(busy)
    a = -0.059 + 0.02483 * b
    inverse_alpha = 1.1239 + 1.1328 / (b - 3.4)
    zero = xp.zeros(count, np.int64)
    with np.errstate(all="ignore"):
        low = _until_accepted(
            xp, few, (zero, xp.ones(count, np.float64)), (start, xp.exp(-quiet)), xp.zeros(count, np.float64)
        )
        high = _until_accepted(
            xp, many, (zero,), (start, busy, xp.log(busy), a, b, inverse_alpha), xp.zeros(count, np.float64)
        )
    return xp.where(usual, xp.where(small, low, high), rate).reshape(-1, samples).T


def _lgamma(xp: Any, x: Any) -> Any:
    if xp is np:
        from scipy.special import gammaln

        return gammaln(x)
    return lax.lgamma(x)


# ---- truncated normal with parameters: one stream for a batch of outputs ---------------------------------------------


def truncated_batches(size: int, rows: int, scalar: bool) -> tuple[int, int]:
    """(batches, samples in each): rows of the output, or hundreds of samples where all share their parameters."""
    if scalar:
        return -(-size // 100), 100
    return rows, size // rows if rows else 0


def truncated_groups(batches: int, samples: int) -> int:
    return batches * 2 * _MAX_REJECTIONS * (samples + 3) // 4


def parameterized_truncated_normal(
    stream: Stream, size: int, batches: int, samples: int, parameters: list[np.ndarray]
) -> np.ndarray:
    """`size` values; `parameters` are means, deviations, minima and maxima, each of length 1 or `batches`.

    Raises ValueError for parameters TensorFlow rejects and ArithmeticError when a thousand candidates in a row miss.
    """
    dtype = parameters[0].dtype
    out = np.empty(size, dtype)
    filled = used = 0
    for batch in range(batches):
        mean, deviation, low, high = (p[0] if len(p) == 1 else p[batch] for p in parameters)
        if not (deviation > 0 and low < high and (np.isfinite(low) or np.isfinite(high))):
            raise ValueError("Invalid parameters")
        if np.isneginf(low) or high < mean:
            low, high, deviation = high, low, -deviation
        with np.errstate(all="ignore"):
            low, high = (low - mean) / deviation, (high - mean) / deviation
            propose, groups_each = _proposal(dtype, low, high)
        wanted = min((batch + 1) * samples, size) - filled
        values, taken = _accept(propose, stream.skip(used), wanted, groups_each)
        used += taken
        out[filled : filled + wanted] = values * deviation + mean
        filled += wanted
    return out


_Proposal = Callable[[Stream, int], tuple[np.ndarray, np.ndarray]]


def _proposal(dtype: np.dtype, low: Any, high: Any) -> tuple[_Proposal, int]:
    """The sampler TensorFlow chooses: (candidates and acceptance of so many rounds, Philox groups a round takes)."""
    kind = dtype.type
    uniform, normal = philox.uniform(dtype), philox.normal(dtype)
    inside = kind(1.3)
    if (low < -inside and high >= 0) or (high > inside and low <= 0):

        def by_normal(stream: Stream, rounds: int) -> tuple[np.ndarray, np.ndarray]:
            values = normal.numpy(philox.numpy_bits(stream, rounds))
            return values, (values >= low) & (values <= high)

        return by_normal, 1
    root = np.sqrt(low * low + kind(4))
    cutoff = kind(2) * np.exp(kind(0.5) + (low * (low - root)) / kind(4)) / (low + root)
    span = high - low
    if span < cutoff:
        plus = kind(0) if low < 0 else low * low

        def by_uniform(stream: Stream, rounds: int) -> tuple[np.ndarray, np.ndarray]:
            bits = philox.numpy_bits(stream, 2 * rounds)
            values = uniform.numpy(bits[0::2]) * span + low
            return values, uniform.numpy(bits[1::2]) <= np.exp((plus - values * values) / kind(2))

        return by_uniform, 2
    alpha = (low + np.sqrt(low * low + kind(4))) / kind(2)

    def by_exponential(stream: Stream, rounds: int) -> tuple[np.ndarray, np.ndarray]:
        draws = uniform.numpy(philox.numpy_bits(stream, rounds))
        values = -_log(draws[:, 0::2]) / alpha + low
        x = alpha - values if low < alpha else low - alpha
        return values, (draws[:, 1::2] <= np.exp(-x * x / kind(2))) & (values < high)

    return by_exponential, 1


def _log(x: np.ndarray) -> np.ndarray:
    """Logarithm on [0, 1), rounded as the C library rounds it where the type is float32."""
    if x.dtype != np.float32:
        return np.log(x)
    return np.where(x == 0, -np.inf, philox.logf(np, np.maximum(x, np.float32(2**-30)))).astype(np.float32)


def _accept(propose: _Proposal, stream: Stream, wanted: int, groups_each: int) -> tuple[np.ndarray, int]:
    """The first `wanted` accepted candidates and the groups used up to the end of the last one's round."""
    values = np.empty(0)
    kept = np.empty(0, bool)
    rounds = 0
    while kept.sum() < wanted:
        more = max(8, wanted // 2)
        with np.errstate(all="ignore"):
            candidates, accepted = propose(stream.skip(rounds * groups_each), more)
        values = np.concatenate([values, candidates.reshape(-1)]) if rounds else candidates.reshape(-1)
        kept = np.concatenate([kept, accepted.reshape(-1)])
        rounds += more
        places = np.flatnonzero(kept)[:wanted]
        gaps = np.diff(places, prepend=-1)
        if (
            len(kept) - (places[-1] if len(places) else -1) > _MAX_REJECTIONS
            and len(places) < wanted
            or (gaps > _MAX_REJECTIONS).any()
        ):
            raise ArithmeticError("TruncatedNormal rejection sampler failed to accept a sample.")
    if not wanted:
        return values, 0
    return values[places], (int(places[-1]) // candidates.shape[1] + 1) * groups_each
