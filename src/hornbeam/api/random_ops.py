"""`tf.random_*`, `tf.random.*`, graph and op seeds, and the candidate samplers of `tf.nn`."""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from typing import Any

import numpy as np

from hornbeam.api import array_ops
from hornbeam.core import dtypes
from hornbeam.core.constant import constant
from hornbeam.core.control import with_dependencies
from hornbeam.core.dtypes import DType, as_dtype
from hornbeam.core.graph import Graph, Tensor, convert_to_tensor, get_default_graph, name_scope
from hornbeam.core.registry import raw
from hornbeam.core.tensor_shape import Dimension, dimension_value

DEFAULT_GRAPH_SEED = 87654321
_MAXINT32 = 2**31 - 1

# Ops without a seed of their own, counted per graph: with a graph seed the n-th of them draws with op seed n.
# TensorFlow 1.15 took the number of nodes in the graph instead, and promised nothing across versions; the count is what
# TensorFlow does now.
_unseeded_ops: weakref.WeakKeyDictionary[Graph, int] = weakref.WeakKeyDictionary()


def set_random_seed(seed: int | None) -> None:
    """Sets the default graph's seed: ops made from now on draw the same values in every session."""
    get_default_graph().seed = seed


def get_seed(op_seed: int | None) -> tuple[int | None, int | None]:
    """(graph seed, op seed) for the attributes of a random op; (None, None) when neither is set."""
    graph = get_default_graph()
    if graph.seed is not None:
        if op_seed is None:
            op_seed = _unseeded_ops.get(graph, 0)
            _unseeded_ops[graph] = op_seed + 1
        seeds = graph.seed % _MAXINT32, op_seed % _MAXINT32
    elif op_seed is not None:
        seeds = DEFAULT_GRAPH_SEED, op_seed % _MAXINT32
    else:
        return None, None
    return (0, _MAXINT32) if seeds == (0, 0) else seeds  # the kernels take (0, 0) for "not seeded"


def _seeds(op_seed: int | None) -> dict[str, int | None]:
    seed, seed2 = get_seed(op_seed)
    return {"seed": seed, "seed2": seed2}


def _shape_tensor(shape: Any) -> Tensor:
    if isinstance(shape, (tuple, list)):
        shape = [dimension_value(d) if isinstance(d, Dimension) else d for d in shape]
        return convert_to_tensor(shape, None if shape else dtypes.int32, name="shape")
    return convert_to_tensor(shape, name="shape")


def random_normal(
    shape: Any,
    mean: Any = 0.0,
    stddev: Any = 1.0,
    dtype: Any = dtypes.float32,
    seed: int | None = None,
    name: str | None = None,
) -> Tensor:
    """Normally distributed values of the given shape."""
    with name_scope(name, "random_normal", [shape, mean, stddev]) as scope:
        shape = _shape_tensor(shape)
        mean = convert_to_tensor(mean, dtype=dtype, name="mean")
        stddev = convert_to_tensor(stddev, dtype=dtype, name="stddev")
        values = raw.RandomStandardNormal(shape, dtype=dtype, **_seeds(seed))
        return raw.AddV2(raw.Mul(values, stddev, name="mul"), mean, name=scope)


def truncated_normal(
    shape: Any,
    mean: Any = 0.0,
    stddev: Any = 1.0,
    dtype: Any = dtypes.float32,
    seed: int | None = None,
    name: str | None = None,
) -> Tensor:
    """Normally distributed values, those beyond two deviations drawn again."""
    with name_scope(name, "truncated_normal", [shape, mean, stddev]) as scope:
        shape = _shape_tensor(shape)
        mean = convert_to_tensor(mean, dtype=dtype, name="mean")
        stddev = convert_to_tensor(stddev, dtype=dtype, name="stddev")
        values = raw.TruncatedNormal(shape, dtype=dtype, **_seeds(seed))
        return raw.AddV2(raw.Mul(values, stddev, name="mul"), mean, name=scope)


def parameterized_truncated_normal(
    shape: Any,
    means: Any = 0.0,
    stddevs: Any = 1.0,
    minvals: Any = -2.0,
    maxvals: Any = 2.0,
    dtype: Any = dtypes.float32,
    seed: int | None = None,
    name: str | None = None,
) -> Tensor:
    """Normals cut to [minvals, maxvals]; parameters are scalars or have one element for each of shape[0]."""
    with name_scope(name, "parameterized_truncated_normal", [shape, means, stddevs, minvals, maxvals]):
        shape = _shape_tensor(shape)
        parameters = [
            convert_to_tensor(value, dtype=dtype, name=label)
            for label, value in (("means", means), ("stddevs", stddevs), ("minvals", minvals), ("maxvals", maxvals))
        ]
        return raw.ParameterizedTruncatedNormal(shape, *parameters, **_seeds(seed))


_UNIFORM_TYPES = (dtypes.float16, dtypes.bfloat16, dtypes.float32, dtypes.float64, dtypes.int32, dtypes.int64)


def _uniform_type(dtype: Any, maxval: Any) -> tuple[DType, Any]:
    dtype = as_dtype(dtype)
    if dtype not in _UNIFORM_TYPES:
        accepted = ", ".join(d.name for d in _UNIFORM_TYPES)
        raise ValueError(f"Argument `dtype` got invalid value {dtype.name}. Accepted dtypes are {accepted}.")
    if maxval is None:
        if dtype.is_integer:
            raise ValueError(f"Must specify maxval for integer dtype {dtype!r}")
        maxval = 1
    return dtype, maxval


def random_uniform(
    shape: Any,
    minval: Any = 0,
    maxval: Any = None,
    dtype: Any = dtypes.float32,
    seed: int | None = None,
    name: str | None = None,
) -> Tensor:
    """Uniform values in [minval, maxval); maxval is 1 for floats and must be given for integers (else ValueError)."""
    dtype, maxval = _uniform_type(dtype, maxval)
    with name_scope(name, "random_uniform", [shape, minval, maxval]) as scope:
        shape = _shape_tensor(shape)
        low = convert_to_tensor(minval, dtype=dtype, name="min")
        high = convert_to_tensor(maxval, dtype=dtype, name="max")
        if dtype.is_integer:
            return raw.RandomUniformInt(shape, low, high, name=scope, **_seeds(seed))
        return _scaled(raw.RandomUniform(shape, dtype=dtype, **_seeds(seed)), low, high, scope)


def _scaled(values: Tensor, low: Tensor, high: Tensor, scope: str) -> Tensor:
    return raw.AddV2(raw.Mul(values, raw.Sub(high, low, name="sub"), name="mul"), low, name=scope)


def random_shuffle(value: Any, seed: int | None = None, name: str | None = None) -> Tensor:
    """The rows of `value` in random order."""
    return raw.RandomShuffle(value, name=name, **_seeds(seed))


def random_crop(value: Any, size: Any, seed: int | None = None, name: str | None = None) -> Tensor:
    """A slice of shape `size` at a uniformly chosen offset; InvalidArgumentError at run time if `value` is smaller."""
    with name_scope(name, "random_crop", [value, size]) as scope:
        value = convert_to_tensor(value, name="value")
        size = convert_to_tensor(size, dtype=dtypes.int32, name="size")
        shape = array_ops.shape(value)
        enough = raw.GreaterEqual(shape, size)
        fits = raw.All(enough, constant([0]))
        with name_scope(None, "Assert"):
            check = raw.Assert(fits, ["Need value.shape >= size, got ", shape, size], summarize=1000)
        limit = with_dependencies([check], shape) - size + 1
        offset = random_uniform(array_ops.shape(limit), dtype=size.dtype, maxval=size.dtype.max, seed=seed) % limit
        return raw.Slice(value, offset, size, name=scope)


def multinomial(
    logits: Any, num_samples: Any, seed: int | None = None, name: str | None = None, output_dtype: Any = None
) -> Tensor:
    """Class indices [batch, num_samples] drawn in proportion to exp(logits), logits [batch, classes]."""
    with name_scope(name, "multinomial", [logits]):
        return _multinomial(logits, num_samples, output_dtype, seed)


def categorical(
    logits: Any, num_samples: Any, dtype: Any = None, seed: int | None = None, name: str | None = None
) -> Tensor:
    """`multinomial` under its later name."""
    with name_scope(name, "categorical", [logits]):
        return _multinomial(logits, num_samples, dtype, seed)


def _class_type(dtype: Any) -> DType:
    dtype = as_dtype(dtype) if dtype else dtypes.int64
    if dtype not in (dtypes.int32, dtypes.int64):
        raise ValueError(f"Argument `dtype` got invalid value {dtype.name}. Accepted dtypes are int32, int64.")
    return dtype


def _multinomial(logits: Any, num_samples: Any, dtype: Any, seed: int | None) -> Tensor:
    logits = convert_to_tensor(logits, name="logits")
    return raw.Multinomial(logits, num_samples, output_dtype=_class_type(dtype), **_seeds(seed))


def random_gamma(
    shape: Any,
    alpha: Any,
    beta: Any = None,
    dtype: Any = dtypes.float32,
    seed: int | None = None,
    name: str | None = None,
) -> Tensor:
    """`shape` draws for every element of the broadcast (alpha, beta): concentration alpha, rate beta (1 by default)."""
    with name_scope(name, "random_gamma", [shape, alpha, beta]):
        shape = convert_to_tensor(shape, name="shape", dtype=dtypes.int32)
        alpha, beta = _broadcast_rates(alpha, beta, dtype)
        drawn = raw.RandomGamma(shape, alpha, **_seeds(seed))
        return raw.Maximum(_tiny(alpha), raw.RealDiv(drawn, beta, name="truediv"))


def _broadcast_rates(alpha: Any, beta: Any, dtype: Any) -> tuple[Tensor, Tensor]:
    alpha = convert_to_tensor(alpha, name="alpha", dtype=dtype)
    beta = convert_to_tensor(beta if beta is not None else 1, name="beta", dtype=dtype)
    shape = raw.BroadcastArgs(array_ops.shape(alpha), array_ops.shape(beta))
    return raw.BroadcastTo(alpha, shape), beta


def _tiny(like: Tensor) -> Any:
    return np.finfo(like.dtype.np).tiny


def random_poisson(
    lam: Any, shape: Any, dtype: Any = dtypes.float32, seed: int | None = None, name: str | None = None
) -> Tensor:
    """`shape` draws for every element of the rates `lam`."""
    with name_scope(name, "random_poisson", [lam, shape]):
        shape = convert_to_tensor(shape, name="shape", dtype=dtypes.int32)
        return raw.RandomPoissonV2(shape, lam, dtype=dtype, **_seeds(seed))


# ---- stateless -------------------------------------------------------------------------------------------------------


def stateless_uniform(
    shape: Any, seed: Any, minval: Any = 0, maxval: Any = None, dtype: Any = dtypes.float32, name: str | None = None
) -> Tensor:
    """`random_uniform` as a pure function of `seed`, two integers."""
    dtype, maxval = _uniform_type(dtype, maxval)
    with name_scope(name, "stateless_random_uniform", [shape, seed, minval, maxval]) as scope:
        shape = _shape_tensor(shape)
        low = convert_to_tensor(minval, dtype=dtype, name="min")
        high = convert_to_tensor(maxval, dtype=dtype, name="max")
        if dtype.is_integer:
            return raw.StatelessRandomUniformInt(shape, seed, low, high, name=scope)
        return _scaled(raw.StatelessRandomUniform(shape, seed, dtype=dtype), low, high, scope)


def stateless_normal(
    shape: Any, seed: Any, mean: Any = 0.0, stddev: Any = 1.0, dtype: Any = dtypes.float32, name: str | None = None
) -> Tensor:
    """`random_normal` as a pure function of `seed`, two integers."""
    with name_scope(name, "stateless_random_normal", [shape, seed, mean, stddev]) as scope:
        shape = _shape_tensor(shape)
        mean = convert_to_tensor(mean, dtype=dtype, name="mean")
        stddev = convert_to_tensor(stddev, dtype=dtype, name="stddev")
        values = raw.StatelessRandomNormal(shape, seed, dtype=dtype)
        return raw.AddV2(raw.Mul(values, stddev, name="mul"), mean, name=scope)


def stateless_truncated_normal(
    shape: Any, seed: Any, mean: Any = 0.0, stddev: Any = 1.0, dtype: Any = dtypes.float32, name: str | None = None
) -> Tensor:
    """`truncated_normal` as a pure function of `seed`, two integers."""
    with name_scope(name, "stateless_truncated_normal", [shape, seed, mean, stddev]) as scope:
        shape = _shape_tensor(shape)
        mean = convert_to_tensor(mean, dtype=dtype, name="mean")
        stddev = convert_to_tensor(stddev, dtype=dtype, name="stddev")
        values = raw.StatelessTruncatedNormal(shape, seed, dtype=dtype)
        return raw.AddV2(raw.Mul(values, stddev, name="mul"), mean, name=scope)


def stateless_multinomial(
    logits: Any, num_samples: Any, seed: Any, output_dtype: Any = dtypes.int64, name: str | None = None
) -> Tensor:
    """`multinomial` as a pure function of `seed`, two integers."""
    with name_scope(name, "stateless_multinomial", [logits, seed]):
        return _stateless_multinomial(logits, num_samples, seed, output_dtype)


def stateless_categorical(
    logits: Any, num_samples: Any, seed: Any, dtype: Any = dtypes.int64, name: str | None = None
) -> Tensor:
    """`categorical` as a pure function of `seed`, two integers."""
    with name_scope(name, "stateless_categorical", [logits, seed]):
        return _stateless_multinomial(logits, num_samples, seed, dtype)


def _stateless_multinomial(logits: Any, num_samples: Any, seed: Any, dtype: Any) -> Tensor:
    logits = convert_to_tensor(logits, name="logits")
    return raw.StatelessMultinomial(logits, num_samples, seed, output_dtype=_class_type(dtype))


def stateless_gamma(
    shape: Any, seed: Any, alpha: Any, beta: Any = None, dtype: Any = dtypes.float32, name: str | None = None
) -> Tensor:
    """Gamma draws of the full shape `shape`, which ends with the broadcast shape of alpha and beta."""
    with name_scope(name, "stateless_random_gamma", [shape, seed, alpha, beta]):
        shape = _shape_tensor(shape)
        alpha, beta = _broadcast_rates(alpha, beta, dtype)
        drawn = raw.StatelessRandomGammaV2(shape, seed, alpha)
        return raw.Maximum(_tiny(alpha), raw.RealDiv(drawn, beta, name="truediv"))


def stateless_poisson(shape: Any, seed: Any, lam: Any, dtype: Any = dtypes.int32, name: str | None = None) -> Tensor:
    """Poisson draws of the full shape `shape`, which ends with the shape of `lam`."""
    with name_scope(name, "stateless_random_poisson", [shape, seed, lam]):
        return raw.StatelessRandomPoisson(_shape_tensor(shape), seed, lam, dtype=dtype)


# ---- candidate samplers ----------------------------------------------------------------------------------------------
# Each returns [sampled classes [num_sampled], expected counts of the true classes, expected counts of the sampled].


def uniform_candidate_sampler(
    true_classes: Any,
    num_true: int,
    num_sampled: int,
    unique: bool,
    range_max: int,
    seed: int | None = None,
    name: str | None = None,
) -> list[Tensor]:
    """Classes below `range_max`, all equally likely."""
    return raw.UniformCandidateSampler(
        true_classes,
        num_true=num_true,
        num_sampled=num_sampled,
        unique=unique,
        range_max=range_max,
        name=name,
        **_seeds(seed),
    )


def log_uniform_candidate_sampler(
    true_classes: Any,
    num_true: int,
    num_sampled: int,
    unique: bool,
    range_max: int,
    seed: int | None = None,
    name: str | None = None,
) -> list[Tensor]:
    """Classes below `range_max` by Zipf's law: class k in proportion to log((k + 2) / (k + 1))."""
    return raw.LogUniformCandidateSampler(
        true_classes,
        num_true=num_true,
        num_sampled=num_sampled,
        unique=unique,
        range_max=range_max,
        name=name,
        **_seeds(seed),
    )


def learned_unigram_candidate_sampler(
    true_classes: Any,
    num_true: int,
    num_sampled: int,
    unique: bool,
    range_max: int,
    seed: int | None = None,
    name: str | None = None,
) -> list[Tensor]:
    """Classes in proportion to how often they were true so far in this session."""
    return raw.LearnedUnigramCandidateSampler(
        true_classes,
        num_true=num_true,
        num_sampled=num_sampled,
        unique=unique,
        range_max=range_max,
        name=name,
        **_seeds(seed),
    )


def fixed_unigram_candidate_sampler(
    true_classes: Any,
    num_true: int,
    num_sampled: int,
    unique: bool,
    range_max: int,
    vocab_file: str = "",
    distortion: float = 1.0,
    num_reserved_ids: int = 0,
    num_shards: int = 1,
    shard: int = 0,
    unigrams: Sequence[float] = (),
    seed: int | None = None,
    name: str | None = None,
) -> list[Tensor]:
    """Classes in proportion to given counts (a list, or the last column of a file) raised to `distortion`."""
    return raw.FixedUnigramCandidateSampler(
        true_classes,
        num_true=num_true,
        num_sampled=num_sampled,
        unique=unique,
        range_max=range_max,
        vocab_file=vocab_file,
        distortion=distortion,
        num_reserved_ids=num_reserved_ids,
        num_shards=num_shards,
        shard=shard,
        unigrams=list(unigrams),
        name=name,
        **_seeds(seed),
    )


def all_candidate_sampler(
    true_classes: Any, num_true: int, num_sampled: int, unique: bool, seed: int | None = None, name: str | None = None
) -> list[Tensor]:
    """Every class below `num_sampled`, in order."""
    return raw.AllCandidateSampler(
        true_classes, num_true=num_true, num_sampled=num_sampled, unique=unique, name=name, **_seeds(seed)
    )


def compute_accidental_hits(
    true_classes: Any, sampled_candidates: Any, num_true: int, seed: int | None = None, name: str | None = None
) -> list[Tensor]:
    """[rows, positions, weights]: which sampled candidates are a row's true class; the weights are float32's lowest."""
    return raw.ComputeAccidentalHits(true_classes, sampled_candidates, num_true=num_true, name=name, **_seeds(seed))


_EXPORTED = {
    "set_random_seed": "set_random_seed random.set_random_seed",
    "get_seed": "get_seed random.get_seed",
    "random_normal": "random_normal random.normal",
    "truncated_normal": "truncated_normal random.truncated_normal",
    "random_uniform": "random_uniform random.uniform",
    "random_shuffle": "random_shuffle random.shuffle",
    "random_crop": "random_crop image.random_crop",
    "multinomial": "multinomial random.multinomial",
    "categorical": "random.categorical",
    "random_gamma": "random_gamma random.gamma",
    "random_poisson": "random_poisson random.poisson",
    "stateless_uniform": "random.stateless_uniform",
    "stateless_normal": "random.stateless_normal",
    "stateless_truncated_normal": "random.stateless_truncated_normal",
    "stateless_multinomial": "random.stateless_multinomial",
    "stateless_categorical": "random.stateless_categorical",
    "stateless_gamma": "random.stateless_gamma",
    "stateless_poisson": "random.stateless_poisson",
    "uniform_candidate_sampler": "nn.uniform_candidate_sampler random.uniform_candidate_sampler",
    "log_uniform_candidate_sampler": "nn.log_uniform_candidate_sampler random.log_uniform_candidate_sampler",
    "learned_unigram_candidate_sampler": "nn.learned_unigram_candidate_sampler "
    "random.learned_unigram_candidate_sampler",
    "fixed_unigram_candidate_sampler": "nn.fixed_unigram_candidate_sampler random.fixed_unigram_candidate_sampler",
    "all_candidate_sampler": "nn.all_candidate_sampler random.all_candidate_sampler",
    "compute_accidental_hits": "nn.compute_accidental_hits",
}
__tf_exports__ = {tf_name: target for target, names in _EXPORTED.items() for tf_name in names.split()}
