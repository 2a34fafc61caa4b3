"""Candidate samplers of NCE and sampled softmax: which classes a step compares with, and how often each was expected.

Host ops: they draw from the op's Philox stream, word by word, the very classes TensorFlow's CPU kernels draw.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from hornbeam.core.graph import InferenceContext
from hornbeam.core.registry import OpSpec, op
from hornbeam.core.tensor_shape import Shape
from hornbeam.ops import philox, shapes
from hornbeam.ops.philox import Stream, concrete
from hornbeam.ops.random import stream_of

_RESERVED_WORDS = 2048  # for each candidate, whatever the sampler takes


class Sampler(NamedTuple):
    """`draw(words)` gives as many classes as the uint32 words decide; `probability(classes)` is float32."""

    range_max: int
    words_each: int
    draw: Callable[[np.ndarray], np.ndarray]
    probability: Callable[[np.ndarray], np.ndarray]


def _below(words: np.ndarray, n: int) -> np.ndarray:
    """Uniform integers in [0, n): words (of 32 or 64 bits) that would favour the small ones are dropped."""
    kind = words.dtype.type
    if n & (n - 1) == 0:
        return words & kind(n - 1)
    return words[words >= kind(int(np.iinfo(kind).max) % n + 1)] % kind(n)


def uniform(range_max: int) -> Sampler:
    return Sampler(
        range_max,
        2,
        lambda words: _below(philox.join64(words[0::2], words[1::2]), range_max).astype(np.int64),
        lambda classes: np.full(classes.shape, np.float32(1.0 / range_max)),
    )


def log_uniform(range_max: int) -> Sampler:
    """Class k with probability proportional to log((k + 2) / (k + 1))."""
    scale = math.log1p(range_max)

    def draw(words: np.ndarray) -> np.ndarray:
        value = np.exp(philox.unit_float64(words[0::2], words[1::2]) * scale).astype(np.int64) - 1
        return value % range_max

    def probability(classes: np.ndarray) -> np.ndarray:
        return (np.log((classes + 2.0) / (classes + 1.0)) / scale).astype(np.float32)

    return Sampler(range_max, 2, draw, probability)


def learned(weights: np.ndarray) -> Sampler:
    """Classes in proportion to integer weights that grow as classes are seen."""
    cumulative = np.cumsum(weights, dtype=np.int64)
    total = int(cumulative[-1])
    return Sampler(
        len(weights),
        1,
        lambda words: np.searchsorted(cumulative, _below(words, total), side="right").astype(np.int64),
        lambda classes: weights[classes].astype(np.float32) / np.float32(total),
    )


def fixed(weights: np.ndarray) -> Sampler:
    """Classes in proportion to float32 weights, by Walker's alias table."""
    n = len(weights)
    limit, other = alias_table(weights)
    total = np.cumsum(weights, dtype=np.float32)[-1]

    def draw(words: np.ndarray) -> np.ndarray:
        units, slots = philox.unit_float32(words[0::2]), _below(words[1::2], n)
        if len(slots) < len(words[1::2]):
            units, slots = _with_rejections(words, n)
        units = units[: len(slots)]
        return np.where(units < limit[slots], slots, other[slots]).astype(np.int64)

    return Sampler(n, 2, draw, lambda classes: weights[classes] / total)


def _with_rejections(words: np.ndarray, n: int) -> tuple[np.ndarray, np.ndarray]:
    """A word for a uniform, then words until one is a fair slot; seldom needed, so one at a time."""
    least = (1 << 32) % n
    units, slots, i = [], [], 0
    while i + 1 < len(words):
        unit = words[i]
        i += 1
        while i < len(words) and words[i] < least:
            i += 1
        if i < len(words):
            units.append(unit)
            slots.append(int(words[i]) % n)
            i += 1
    return philox.unit_float32(np.array(units, np.uint32)), np.array(slots, np.int64)


def alias_table(weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Walker's table: slot i stands for i below `limit[i]` (float32) and for `other[i]` above."""
    n = len(weights)
    total = float(np.cumsum(weights.astype(np.float64))[-1])
    share = [float(w * np.float32(n)) / total for w in weights]
    other = np.full(n, -1, np.int64)
    low = [i for i, p in enumerate(share) if p < 1.0]
    high = [i for i, p in enumerate(share) if not p < 1.0]
    while high and low:
        little, much = low.pop(), high.pop()
        other[little] = much
        share[much] -= 1.0 - share[little]
        (low if share[much] < 1.0 else high).append(much)
    for i in high + low:
        share[i], other[i] = 1.0, i
    return np.array(share, np.float32), other


def sample(
    sampler: Sampler, words: Callable[[int], np.ndarray], count: int, unique: bool, true_classes: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(classes [count], expected counts of the true classes, expected counts of the sampled ones).

    `words(n)` gives the first n or more words of the run's stream.
    """
    wanted = (2 if unique else 1) * count * sampler.words_each + 16
    while True:
        drawn = sampler.draw(words(wanted))
        places = _first_places(drawn, count) if unique else range(min(count, len(drawn)))
        if len(places) == count:
            break
        wanted *= 2
    classes, tries = drawn[list(places)] if unique else drawn[:count], places[-1] + 1

    def expected(classes: np.ndarray) -> np.ndarray:
        p = sampler.probability(classes)
        if tries == count:
            return p * np.float32(count)
        return -np.expm1(np.float32(tries) * np.log1p(-p))

    return classes, expected(true_classes), expected(classes)


def _first_places(drawn: np.ndarray, count: int) -> list[int]:
    """Where the first `count` different values stand."""
    seen: dict[int, int] = {}
    for place, value in enumerate(drawn.tolist()):
        if value not in seen:
            seen[value] = place
            if len(seen) == count:
                break
    return list(seen.values())


class Ahead:
    """The words of a sampler's runs, those of the next runs drawn with this one's once runs follow one another.

    One call of the generator costs far more than the words of some runs, so it serves twice as many runs each time.
    """

    _LIMIT = 32

    def __init__(self) -> None:
        self._drawn = Stream(-1, 0, 0), np.empty((0, 0), np.uint32)  # replaced as a whole: runs may be concurrent

    def words(self, stream: Stream, step: int, wanted: int) -> np.ndarray:
        """`wanted` or more words of the run at `stream`; the next run's stream will be `step` groups further."""
        start, drawn = self._drawn
        same = stream.key == start.key and stream.high == start.high and stream.low >= start.low
        row, beside = divmod(stream.low - start.low, step) if same else (-1, 0)
        runs = len(drawn)
        if beside or not 0 <= row < runs or drawn.shape[1] < wanted:
            follows = row == runs and not beside
            groups = max(-(-wanted // 4), drawn.shape[1] // 4 if follows else 0)
            runs = min(self._LIMIT, 2 * runs) if follows else 1
            offsets = np.arange(runs, dtype=np.uint64)[:, None] * np.uint64(step) + np.arange(groups, dtype=np.uint64)
            drawn, row = philox.numpy_bits_at(stream, offsets.reshape(-1)).reshape(runs, -1), 0
            self._drawn = stream, drawn
        return drawn[row]


# ---- ops -------------------------------------------------------------------------------------------------------------


def _shapes(c: InferenceContext) -> list[Shape]:
    true = shapes.with_rank(c, 0, 2)
    count = c.attr("num_sampled")
    return [(count,), (true[0] if true else None, c.attr("num_true")), (count,)]


def _op(name: str, extra: str) -> Callable[[Callable[..., Any]], OpSpec]:
    return op(
        f"{name}(true_classes: int64) -> (sampled_candidates: int64, true_expected_count: float, "
        "sampled_expected_count: float); num_true: int >= 1; num_sampled: int >= 1; unique: bool; "
        f"{extra}seed: int = 0; seed2: int = 0",
        shape=_shapes,
        host=True,
        stateful=True,
    )


def _kept(ctx: Any, what: str, make: Callable[[], Any]) -> Any:
    """What this op keeps from run to run in its session."""
    return ctx.resource(f"sampler/{what}/{ctx.scope}{ctx.node}", make)


_RANGE = "range_max: int >= 1; "


def _check(ctx: Any, true_classes: np.ndarray, num_true: int, range_max: int) -> None:
    if true_classes.ndim != 2:
        raise ctx.fail("true_classes must be a matrix")
    if true_classes.shape[1] != num_true:
        raise ctx.fail(f"true_classes must have num_true columns, expected: {true_classes.shape[1]} was: {num_true}")
    outside = true_classes[(true_classes < 0) | (true_classes >= range_max)]
    if len(outside):
        raise ctx.fail(f"`true_candidate` out of range [0, {range_max}), received {outside[0]}")


def _run(ctx: Any, sampler: Sampler, true_classes: Any, attrs: tuple[int, int, bool, int, int]) -> Any:
    num_true, count, unique, seed, seed2 = attrs
    true_classes = np.asarray(true_classes)
    if unique and count > sampler.range_max:
        raise ctx.fail("Sampler's range is too small.")
    _check(ctx, true_classes, num_true, sampler.range_max)
    step = count * _RESERVED_WORDS // 4
    stream = concrete(stream_of(ctx, seed, seed2, step))
    ahead = _kept(ctx, "words", Ahead)
    return sample(sampler, lambda wanted: ahead.words(stream, step, wanted), count, unique, true_classes)


@_op("UniformCandidateSampler", _RANGE)
def UniformCandidateSampler(true_classes, num_true, num_sampled, unique, range_max, seed, seed2, ctx):
    return _run(ctx, uniform(range_max), true_classes, (num_true, num_sampled, unique, seed, seed2))


@_op("LogUniformCandidateSampler", _RANGE)
def LogUniformCandidateSampler(true_classes, num_true, num_sampled, unique, range_max, seed, seed2, ctx):
    return _run(ctx, log_uniform(range_max), true_classes, (num_true, num_sampled, unique, seed, seed2))


def _learn(true_classes, num_true, num_sampled, unique, range_max, seed, seed2, ctx):
    """Draws in proportion to one plus how often this op has seen each class in this session."""
    weights = _kept(ctx, "weights", lambda: np.ones(range_max, np.int32))
    drawn = _run(ctx, learned(weights), true_classes, (num_true, num_sampled, unique, seed, seed2))
    np.add.at(weights, np.asarray(true_classes).reshape(-1), 1)
    return drawn


LearnedUnigramCandidateSampler = _op("LearnedUnigramCandidateSampler", _RANGE)(_learn)
ThreadUnsafeUnigramCandidateSampler = _op("ThreadUnsafeUnigramCandidateSampler", _RANGE)(_learn)


@_op(
    "FixedUnigramCandidateSampler",
    _RANGE + "vocab_file: string = ''; distortion: float = 1.0; num_reserved_ids: int = 0; num_shards: int >= 1 = 1; "
    "shard: int >= 0 = 0; unigrams: list(float) = []; ",
)
def FixedUnigramCandidateSampler(
    true_classes,
    num_true,
    num_sampled,
    unique,
    range_max,
    vocab_file,
    distortion,
    num_reserved_ids,
    num_shards,
    shard,
    unigrams,
    seed,
    seed2,
    ctx,
):
    def prepare() -> Sampler:
        if bool(vocab_file) == bool(unigrams):
            raise ctx.fail(
                "Must only provide one of vocab_file and unigrams."
                if vocab_file
                else "Must provide either vocab_file or unigrams."
            )
        counts = list(unigrams) if unigrams else _vocabulary(ctx, vocab_file)
        raised = [np.float32(0)] * num_reserved_ids + [
            np.float32(np.float32(w) ** np.float32(distortion)) for w in counts
        ]
        weights = np.array([w for i, w in enumerate(raised) if i % num_shards == shard], np.float32)
        if len(weights) != range_max:
            raise ctx.fail(f"range is {range_max} must be equal to weights size  {len(weights)}")
        return fixed(weights)

    return _run(ctx, _kept(ctx, "table", prepare), true_classes, (num_true, num_sampled, unique, seed, seed2))


def _vocabulary(ctx: Any, path: bytes) -> list[float]:
    """The last comma-separated field of every line of the file."""
    weights = []
    with open(path, encoding="utf-8") as lines:
        for line in lines:
            try:
                weights.append(float(line.rstrip("\n").rsplit(",", 1)[-1]))
            except ValueError:
                raise ctx.fail(f"Wrong vocabulary format at line: {line}") from None
    return weights


@_op("AllCandidateSampler", "")
def AllCandidateSampler(true_classes, num_true, num_sampled, ctx):
    true_classes = np.asarray(true_classes)
    _check(ctx, true_classes, num_true, num_sampled)
    one = np.float32(1)
    return np.arange(num_sampled), np.full(true_classes.shape, one), np.full(num_sampled, one)


@op(
    "ComputeAccidentalHits(true_classes: int64, sampled_candidates: int64) -> (indices: int32, ids: int64, "
    "weights: float); num_true: int; seed: int = 0; seed2: int = 0",
    shape=shapes.vector,
    host=True,
)
def ComputeAccidentalHits(true_classes, sampled_candidates, num_true, ctx):
    true_classes, sampled = np.asarray(true_classes), np.asarray(sampled_candidates)
    if true_classes.ndim != 2 or true_classes.shape[1] != num_true:
        raise ctx.fail("true_candidates must be a batch_size * num_true matrix")
    if sampled.ndim != 1:
        raise ctx.fail("sampled_candidates must be a vector, which is typically an output from CandidateSampler")
    order = np.argsort(sampled, kind="stable")
    flat = true_classes.reshape(-1)
    last = np.searchsorted(sampled[order], flat, side="right") - 1  # of equal candidates the last one counts
    found = np.flatnonzero((last >= 0) & (sampled[order][last] == flat)) if len(sampled) else np.empty(0, np.int64)
    hits = order[last[found]].astype(np.int64)
    return (found // num_true).astype(np.int32), hits, np.full(len(found), -np.finfo(np.float32).max, np.float32)
