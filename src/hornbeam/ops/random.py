"""Random ops: TensorFlow's seeds, Philox streams and values.

A stateful op's stream is `ctx.random_key(seed, seed2)` (both words as uint64; drawn once per session when both are 0)
at the group counter `ctx.random_counter(groups)` (uint64, 0 at first), which the runtime then advances by `groups`.
While a run-once graph is interpreted (`ctx.interpreting`) values are NumPy's; in a compiled cluster the counter is data
of the program.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from hornbeam.core.dtypes import DType
from hornbeam.core.graph import InferenceContext, Operation, Tensor, control_dependencies
from hornbeam.core.lazy import jnp, lax
from hornbeam.core.registry import no_gradient, op, raw
from hornbeam.core.tensor_shape import Shape
from hornbeam.ops import philox, random_dist, shapes
from hornbeam.ops.philox import RESERVED, Distribution, Stream
from hornbeam.ops.xp import ints, known, static


def stream_of(ctx: Any, seed: int, seed2: int, groups: int) -> Stream:
    """The stream this run of a stateful op owns: `groups` groups from its counter on."""
    key, high = ctx.random_key(seed, seed2)
    return Stream(key, ctx.random_counter(groups), high)


def _dims(ctx: Any, shape: Any) -> tuple[int, ...]:
    dims = ints(shape)
    if any(d < 0 for d in dims):
        raise ctx.fail(f"Dimension {min(dims)} must be >= 0")
    return dims


def _is_traced(stream: Stream) -> bool:
    return not all(known(part) for part in stream)


def _fill(ctx: Any, stream: Stream, dims: tuple[int, ...], source: Distribution) -> Any:
    n = math.prod(dims)
    if ctx.interpreting:
        return philox.numpy_draw(source, philox.concrete(stream), n).reshape(dims)
    return philox.jax_draw(source, stream, n).reshape(dims)


def _fill_truncated(ctx: Any, stream: Stream, dims: tuple[int, ...], dtype: np.dtype) -> Any:
    n = math.prod(dims)
    if ctx.interpreting:
        return philox.numpy_truncated_normal(dtype, philox.concrete(stream), n).reshape(dims)
    if n == 0:
        return jnp.zeros(dims, dtype)
    return philox.jax_truncated_normal(dtype, stream, n).reshape(dims)


def _fill_range(ctx: Any, stream: Stream, dims: tuple[int, ...], low: Any, high: Any) -> Any:
    if not math.prod(dims):
        return np.zeros(dims, low.dtype)
    if low.shape or high.shape:
        which, value = ("minval", low) if low.shape else ("maxval", high)
        raise ctx.fail(f"{which} must be 0-D, got shape {list(value.shape)}")
    if known(low) and known(high) and low >= high:
        raise ctx.fail(f"Need minval < maxval, got {low} >= {high}")
    unsigned = np.dtype(low.dtype.name if low.dtype.kind == "u" else f"u{low.dtype.name}")
    return philox.into_range(_fill(ctx, stream, dims, philox.full_int(unsigned)), low, high)


# ---- stateful --------------------------------------------------------------------------------------------------------

_FLOATS = "{half, bfloat16, float, double}"
_SEEDS = "seed: int = 0; seed2: int = 0"


@op(
    f"RandomUniform(shape: T) -> (output: dtype); {_SEEDS}; dtype: {_FLOATS}; T: {{int32, int64}}",
    shape=shapes.from_input(0),
    stateful=True,
    numpy=True,
)
def RandomUniform(shape, seed, seed2, dtype, ctx):
    dims = _dims(ctx, shape)
    return _fill(ctx, stream_of(ctx, seed, seed2, math.prod(dims) * RESERVED), dims, philox.uniform(dtype.np))


@op(
    f"RandomStandardNormal(shape: T) -> (output: dtype); {_SEEDS}; dtype: {_FLOATS}; T: {{int32, int64}}",
    shape=shapes.from_input(0),
    stateful=True,
    numpy=True,
)
def RandomStandardNormal(shape, seed, seed2, dtype, ctx):
    dims = _dims(ctx, shape)
    return _fill(ctx, stream_of(ctx, seed, seed2, math.prod(dims) * RESERVED), dims, philox.normal(dtype.np))


@op(
    f"TruncatedNormal(shape: T) -> (output: dtype); {_SEEDS}; dtype: {_FLOATS}; T: {{int32, int64}}",
    shape=shapes.from_input(0),
    stateful=True,
    numpy=True,
)
def TruncatedNormal(shape, seed, seed2, dtype, ctx):
    dims = _dims(ctx, shape)
    return _fill_truncated(ctx, stream_of(ctx, seed, seed2, math.prod(dims) * RESERVED), dims, dtype.np)


@op(
    f"RandomUniformInt(shape: T, minval: Tout, maxval: Tout) -> (output: Tout); {_SEEDS}; Tout: {{int32, int64}}; "
    "T: {int32, int64}",
    shape=shapes.from_input(0),
    stateful=True,
    numpy=True,
)
def RandomUniformInt(shape, minval, maxval, seed, seed2, ctx):
    dims = _dims(ctx, shape)
    return _fill_range(ctx, stream_of(ctx, seed, seed2, math.prod(dims) * RESERVED), dims, minval, maxval)


@op(
    f"ParameterizedTruncatedNormal(shape: T, means: dtype, stdevs: dtype, minvals: dtype, maxvals: dtype) -> "
    f"(output: dtype); {_SEEDS}; dtype: {_FLOATS}; T: {{int32, int64}}",
    shape=shapes.from_input(0),
    host=True,
    stateful=True,
)
def ParameterizedTruncatedNormal(shape, means, stdevs, minvals, maxvals, seed, seed2, ctx):
    dims = _dims(ctx, shape)
    if not dims:
        raise ctx.fail("Shape tensor must not be empty, got shape []")
    parameters = [np.asarray(p) for p in (means, stdevs, minvals, maxvals)]
    for name, p in zip(("means", "stdevs", "minvals", "maxvals"), parameters, strict=True):
        if p.ndim > 1:
            raise ctx.fail(f"Input {name} should be a scalar or vector, got shape: {list(p.shape)}")
    size = math.prod(dims)
    shared = all(p.size == 1 for p in parameters[:2]) and not any(p.ndim for p in parameters[2:])
    batches, samples = random_dist.truncated_batches(size, dims[0], shared)
    for name, p in zip(("means", "stdevs", "minvals", "maxvals"), parameters, strict=True):
        if not shared and p.size not in (1, batches):
            raise ctx.fail(f"Input {name} should have length 1 or shape[0], got shape: {list(p.shape)}")
    stream = philox.concrete(stream_of(ctx, seed, seed2, random_dist.truncated_groups(batches, samples)))
    try:
        values = random_dist.parameterized_truncated_normal(
            stream, size, batches, samples, [p.reshape(-1) for p in parameters]
        )
    except (ValueError, ArithmeticError) as e:
        raise ctx.fail(str(e)) from None
    return values.reshape(dims)


@op(f"RandomShuffle(value: T) -> (output: T); {_SEEDS}; T: type", shape=shapes.unchanged, stateful=True, numpy=True)
def RandomShuffle(value, seed, seed2, ctx):
    size = math.prod(value.shape)
    n = value.shape[0] if value.shape and size > 1 else 0
    if n <= 1:
        return value
    stream = stream_of(ctx, seed, seed2, random_dist.shuffle_groups(n))
    if isinstance(value, np.ndarray) and not _is_traced(stream):
        return value[random_dist.permutation(philox.concrete(stream), n)]
    return jnp.take(value, random_dist.jax_permutation(stream, n), axis=0, mode="clip")


def _classes_shape(c: InferenceContext) -> list[Shape]:
    logits = shapes.with_rank(c, 0, 2)
    samples = c.value(1)
    return [(logits[0] if logits else None, int(samples) if samples is not None else None)]


_LOGITS = "{float, double, int32, uint8, int16, int8, int64, bfloat16, uint16, half, uint32, uint64}"


def _classes(ctx: Any, stream_for: Callable[[int], Stream], logits: Any, num_samples: Any, output_dtype: DType) -> Any:
    if len(logits.shape) != 2:
        raise ctx.fail(f"logits should be a matrix, got shape {list(logits.shape)}")
    samples = int(static(num_samples))
    if samples < 0:
        raise ctx.fail(f"num_samples should be non-negative, got {samples}")
    batch, classes = logits.shape
    if classes <= 0:
        raise ctx.fail(f"num_classes should be positive, got {classes}")
    if not batch * samples:
        return np.zeros((batch, samples), output_dtype.np)
    stream = stream_for(random_dist.classes_groups(batch, samples))
    if isinstance(logits, np.ndarray) and not _is_traced(stream):
        drawn = random_dist.classes(np, philox.concrete(stream), logits, samples)
    else:
        drawn = random_dist.classes(jnp, stream, jnp.asarray(logits), samples)
    return drawn.astype(output_dtype.np)


@op(
    f"Multinomial(logits: T, num_samples: int32) -> (output: output_dtype); {_SEEDS}; T: {_LOGITS}; "
    "output_dtype: {int32, int64} = int64",
    shape=_classes_shape,
    stateful=True,
)
def Multinomial(logits, num_samples, seed, seed2, output_dtype, ctx):
    return _classes(ctx, lambda groups: stream_of(ctx, seed, seed2, groups), logits, num_samples, output_dtype)


def _shape_and_parameter(c: InferenceContext) -> list[Shape]:
    """Draws of the shape in input 0, for every element of input 1."""
    outer, inner = c.partial(0), c.shape(1)
    return [None if outer is None or inner is None else (*outer, *inner)]


def _per_parameter(draw: Callable[..., Any], ctx: Any, dims: tuple[int, ...], parameter: Any, stream: Stream) -> Any:
    """`dims` draws for every element of `parameter`, as float64."""
    numpy = isinstance(parameter, np.ndarray) and not _is_traced(stream)
    if numpy:
        stream = philox.concrete(stream)
    drawn = draw(np if numpy else jnp, stream, parameter.reshape(-1), math.prod(dims))
    return drawn.reshape(dims + tuple(parameter.shape))


@op(
    f"RandomGamma(shape: S, alpha: T) -> (output: T); {_SEEDS}; S: {{int32, int64}}; T: {{half, float, double}}",
    shape=_shape_and_parameter,
    stateful=True,
)
def RandomGamma(shape, alpha, seed, seed2, T, ctx):
    dims = _dims(ctx, shape)
    count = math.prod(dims) * math.prod(alpha.shape)
    if not count:
        return np.zeros(dims + tuple(alpha.shape), T.np)
    stream = stream_of(ctx, seed, seed2, count * RESERVED)
    drawn = _per_parameter(random_dist.gamma, ctx, dims, alpha, stream)
    return random_dist.rounded(np if isinstance(drawn, np.ndarray) else jnp, drawn, T.np)


@RandomGamma.gradient
def _(op: Operation, grad: Tensor) -> list[Tensor | None]:
    shape, alpha = op.inputs
    sample = op.outputs[0]
    with control_dependencies([grad]):
        leading = raw.StridedSlice(raw.Shape(shape), [0], [1], [1], shrink_axis_mask=1)
        ones = raw.Fill(raw.ExpandDims(leading, 0), 1)
        wide = raw.Reshape(alpha, raw.ConcatV2([ones, raw.Shape(alpha)], 0))
        partial = raw.RandomGammaGrad(wide, sample)
        return [None, raw.Sum(raw.Mul(grad, partial), raw.Range(0, leading, 1))]


@op("RandomGammaGrad(alpha: T, sample: T) -> (output: T); T: {float, double}", shape=shapes.broadcast)
def RandomGammaGrad(alpha, sample):
    """Derivative of a gamma draw by alpha, the draw's probability held fixed."""
    alpha, sample = jnp.broadcast_arrays(jnp.asarray(alpha), jnp.asarray(sample))
    return lax.random_gamma_grad(alpha, sample)


_POISSON = "{half, float, double, int32, int64}"


def _poisson(ctx: Any, shape: Any, rate: Any, seed: int, seed2: int, dtype: DType) -> Any:
    dims = _dims(ctx, shape)
    count = math.prod(dims) * math.prod(rate.shape)
    if not count:
        return np.zeros(dims + tuple(rate.shape), dtype.np)
    stream = stream_of(ctx, seed, seed2, count * RESERVED)
    return _per_parameter(random_dist.poisson, ctx, dims, rate, stream).astype(dtype.np)


@op(
    f"RandomPoisson(shape: S, rate: dtype) -> (output: dtype); {_SEEDS}; S: {{int32, int64}}; "
    "dtype: {half, float, double}",
    shape=_shape_and_parameter,
    stateful=True,
)
def RandomPoisson(shape, rate, seed, seed2, dtype, ctx):
    return _poisson(ctx, shape, rate, seed, seed2, dtype)


@op(
    f"RandomPoissonV2(shape: S, rate: R) -> (output: dtype); {_SEEDS}; S: {{int32, int64}}; R: {_POISSON} = double; "
    f"dtype: {_POISSON} = int64",
    shape=_shape_and_parameter,
    stateful=True,
)
def RandomPoissonV2(shape, rate, seed, seed2, dtype, ctx):
    return _poisson(ctx, shape, rate, seed, seed2, dtype)


no_gradient(
    "RandomUniform",
    "RandomStandardNormal",
    "TruncatedNormal",
    "ParameterizedTruncatedNormal",
    "RandomShuffle",
    "Multinomial",
)


# ---- stateless -------------------------------------------------------------------------------------------------------


def _seeded(ctx: Any, seed: Any) -> Stream:
    if tuple(seed.shape) != (2,):
        raise ctx.fail(f"seed must have shape [2], not {list(seed.shape)}")
    return philox.scrambled(seed) if known(seed) else philox.jax_scrambled(seed)


_STATELESS = "T: {int32, int64} = int32; Tseed: {int32, int64} = int64"


@op(
    f"StatelessRandomUniform(shape: T, seed: Tseed) -> (output: dtype); dtype: {_FLOATS} = float; {_STATELESS}",
    shape=shapes.from_input(0),
)
def StatelessRandomUniform(shape, seed, dtype, ctx):
    return _fill(ctx, _seeded(ctx, seed), _dims(ctx, shape), philox.uniform(dtype.np))


@op(
    f"StatelessRandomNormal(shape: T, seed: Tseed) -> (output: dtype); dtype: {_FLOATS} = float; {_STATELESS}",
    shape=shapes.from_input(0),
)
def StatelessRandomNormal(shape, seed, dtype, ctx):
    return _fill(ctx, _seeded(ctx, seed), _dims(ctx, shape), philox.normal(dtype.np))


@op(
    f"StatelessTruncatedNormal(shape: T, seed: Tseed) -> (output: dtype); dtype: {_FLOATS} = float; {_STATELESS}",
    shape=shapes.from_input(0),
)
def StatelessTruncatedNormal(shape, seed, dtype, ctx):
    return _fill_truncated(ctx, _seeded(ctx, seed), _dims(ctx, shape), dtype.np)


@op(
    "StatelessRandomUniformInt(shape: T, seed: Tseed, minval: dtype, maxval: dtype) -> (output: dtype); "
    "dtype: {int32, int64}; T: {int32, int64}; Tseed: {int32, int64} = int64",
    shape=shapes.from_input(0),
)
def StatelessRandomUniformInt(shape, seed, minval, maxval, ctx):
    return _fill_range(ctx, _seeded(ctx, seed), _dims(ctx, shape), minval, maxval)


@op(
    "StatelessRandomUniformFullInt(shape: T, seed: Tseed) -> (output: dtype); "
    "dtype: {int32, int64, uint32, uint64} = uint64; T: {int32, int64} = int32; "
    "Tseed: {int32, int64, uint32, uint64} = int64",
    shape=shapes.from_input(0),
)
def StatelessRandomUniformFullInt(shape, seed, dtype, ctx):
    return _fill(ctx, _seeded(ctx, seed), _dims(ctx, shape), philox.full_int(dtype.np))


@op(
    f"StatelessMultinomial(logits: T, num_samples: int32, seed: Tseed) -> (output: output_dtype); T: {_LOGITS}; "
    "Tseed: {int32, int64} = int64; output_dtype: {int32, int64} = int64",
    shape=_classes_shape,
)
def StatelessMultinomial(logits, num_samples, seed, output_dtype, ctx):
    return _classes(ctx, lambda groups: _seeded(ctx, seed), logits, num_samples, output_dtype)


def _trailing_parameter(ctx: Any, dims: tuple[int, ...], parameter: Any) -> tuple[int, ...]:
    inner = tuple(parameter.shape)
    if dims[len(dims) - len(inner) :] != inner:
        raise ctx.fail("Shape passed in must end with broadcasted shape.")
    return dims[: len(dims) - len(inner)]


@op(
    "StatelessRandomGammaV2(shape: T, seed: Tseed, alpha: dtype) -> (output: dtype); dtype: {half, float, double}; "
    "T: {int32, int64}; Tseed: {int32, int64} = int64",
    shape=shapes.from_input(0),
)
def StatelessRandomGammaV2(shape, seed, alpha, dtype, ctx):
    dims = _dims(ctx, shape)
    if not math.prod(dims):
        return np.zeros(dims, dtype.np)
    drawn = _per_parameter(random_dist.gamma, ctx, _trailing_parameter(ctx, dims, alpha), alpha, _seeded(ctx, seed))
    return random_dist.rounded(np if isinstance(drawn, np.ndarray) else jnp, drawn, dtype.np)


@op(
    f"StatelessRandomPoisson(shape: T, seed: Tseed, lam: Rtype) -> (output: dtype); Rtype: {_POISSON}; "
    f"dtype: {_POISSON}; T: {{int32, int64}}; Tseed: {{int32, int64}} = int64",
    shape=shapes.from_input(0),
)
def StatelessRandomPoisson(shape, seed, lam, dtype, ctx):
    dims = _dims(ctx, shape)
    if not math.prod(dims):
        return np.zeros(dims, dtype.np)
    outer = _trailing_parameter(ctx, dims, lam)
    return _per_parameter(random_dist.poisson, ctx, outer, lam, _seeded(ctx, seed)).astype(dtype.np)


# TensorFlow 2's forms of the same ops, found in graphs it saved: the key is derived by an op of its own.

_ALGORITHMS = (1, 3)  # Philox, and "choose", which is Philox on a CPU


def _keyed(ctx: Any, key: Any, counter: Any, alg: Any) -> Stream:
    if int(static(alg)) not in _ALGORITHMS:
        raise ctx.fail(f"Unsupported algorithm id: {int(static(alg))}; this op draws with Philox (1)")
    return Stream(key.reshape(-1)[0], counter[0], counter[1])


@op(
    "StatelessRandomGetKeyCounter(seed: Tseed) -> (key: uint64, counter: uint64); Tseed: {int32, int64} = int64",
    shape=shapes.fixed((1,), (2,)),
)
def StatelessRandomGetKeyCounter(seed, ctx):
    stream = _seeded(ctx, seed)
    if _is_traced(stream):
        return stream.key.reshape(1), jnp.stack([jnp.asarray(stream.low), stream.high])
    return np.array([stream.key], np.uint64), np.array([stream.low, stream.high], np.uint64)


@op("StatelessRandomGetAlg() -> (alg: int32)", shape=shapes.scalar, stateful=True)
def StatelessRandomGetAlg():
    return np.int32(1)


_KEYED = "Tshape: {int32, int64} = int32"


@op(
    "StatelessRandomUniformV2(shape: Tshape, key: uint64, counter: uint64, alg: int32) -> (output: dtype); "
    f"dtype: {_FLOATS} = float; {_KEYED}",
    shape=shapes.from_input(0),
)
def StatelessRandomUniformV2(shape, key, counter, alg, dtype, ctx):
    return _fill(ctx, _keyed(ctx, key, counter, alg), _dims(ctx, shape), philox.uniform(dtype.np))


@op(
    "StatelessRandomNormalV2(shape: Tshape, key: uint64, counter: uint64, alg: int32) -> (output: dtype); "
    f"dtype: {_FLOATS} = float; {_KEYED}",
    shape=shapes.from_input(0),
)
def StatelessRandomNormalV2(shape, key, counter, alg, dtype, ctx):
    return _fill(ctx, _keyed(ctx, key, counter, alg), _dims(ctx, shape), philox.normal(dtype.np))


@op(
    "StatelessTruncatedNormalV2(shape: Tshape, key: uint64, counter: uint64, alg: int32) -> (output: dtype); "
    f"dtype: {_FLOATS} = float; {_KEYED}",
    shape=shapes.from_input(0),
)
def StatelessTruncatedNormalV2(shape, key, counter, alg, dtype, ctx):
    return _fill_truncated(ctx, _keyed(ctx, key, counter, alg), _dims(ctx, shape), dtype.np)


@op(
    "StatelessRandomUniformIntV2(shape: Tshape, key: uint64, counter: uint64, alg: int32, minval: dtype, "
    f"maxval: dtype) -> (output: dtype); dtype: {{int32, int64, uint32, uint64}}; {_KEYED}",
    shape=shapes.from_input(0),
)
def StatelessRandomUniformIntV2(shape, key, counter, alg, minval, maxval, ctx):
    return _fill_range(ctx, _keyed(ctx, key, counter, alg), _dims(ctx, shape), minval, maxval)


@op(
    "StatelessRandomUniformFullIntV2(shape: Tshape, key: uint64, counter: uint64, alg: int32) -> (output: dtype); "
    f"dtype: {{int32, int64, uint32, uint64}} = uint64; {_KEYED}",
    shape=shapes.from_input(0),
)
def StatelessRandomUniformFullIntV2(shape, key, counter, alg, dtype, ctx):
    return _fill(ctx, _keyed(ctx, key, counter, alg), _dims(ctx, shape), philox.full_int(dtype.np))


no_gradient(
    "StatelessMultinomial",
    "StatelessRandomNormal",
    "StatelessRandomNormalV2",
    "StatelessRandomPoisson",
    "StatelessRandomUniform",
    "StatelessRandomUniformFullInt",
    "StatelessRandomUniformFullIntV2",
    "StatelessRandomUniformInt",
    "StatelessRandomUniformIntV2",
    "StatelessRandomUniformV2",
    "StatelessTruncatedNormal",
    "StatelessTruncatedNormalV2",
)


# ---- scaling ---------------------------------------------------------------------------------------------------------

_SCALED = {
    "RandomUniform",
    "RandomStandardNormal",
    "TruncatedNormal",
    "StatelessRandomUniform",
    "StatelessRandomUniformV2",
    "StatelessRandomNormal",
    "StatelessRandomNormalV2",
    "StatelessTruncatedNormal",
    "StatelessTruncatedNormalV2",
}


def must_round(node: Operation) -> bool:
    """True for the `Mul` of `random * scale + offset`, whose product XLA on a CPU would fuse, unrounded, into the sum.

    The runtime passes such a product through `rounded_product`, so that it is rounded as TensorFlow rounds it.
    """
    return node.type == "Mul" and any(t.op.type in _SCALED for t in node.inputs)


def rounded_product(product: Any) -> Any:
    """`product` unchanged, but opaque to fusion: one NaN of many would have its lowest bit flipped.

    A compiler sees through barriers, and through a test for any NaN when it can prove the product finite.
    """
    if known(product):
        return product
    bits = product.view(np.dtype(f"uint{8 * product.dtype.itemsize}"))
    rare = np.array(np.nan, product.dtype).view(bits.dtype) | bits.dtype.type(0x15)
    return (bits ^ (bits == rare).astype(bits.dtype)).view(product.dtype)
