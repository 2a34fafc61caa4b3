"""The random programs whose values are compared with TensorFlow's: small in golden files, large in the live test."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from hornbeam.api import init_ops, random_ops
from hornbeam.core import dtypes
from hornbeam.core.graph import Graph
from hornbeam.core.registry import raw
from hornbeam.runtime.session import Session

SEEDS = {"seed": 87654321, "seed2": 12}
_FLOATS = ("float16", "bfloat16", "float32", "float64")


@dataclass(frozen=True)
class Case:
    """`build(n)` makes the fetches for about n values; each of `runs` runs may differ from TensorFlow's by `ulps`."""

    name: str
    build: Callable[[int], Any]
    runs: int = 3
    ulps: int = 0


def _cases() -> list[Case]:
    found: list[Case] = []

    def add(name: str, build: Callable[[int], Any], **options: Any) -> None:
        found.append(Case(name, build, **options))

    for t in _FLOATS:
        d = dtypes.as_dtype(t)
        loose = {"ulps": 2} if t == "float64" else {}
        add(f"uniform_{t}", lambda n, d=d: raw.RandomUniform([n], dtype=d, **SEEDS))
        add(f"normal_{t}", lambda n, d=d: raw.RandomStandardNormal([n], dtype=d, **SEEDS), **loose)
        add(f"truncated_{t}", lambda n, d=d: raw.TruncatedNormal([n], dtype=d, **SEEDS), **loose)
        add(f"stateless_uniform_{t}", lambda n, d=d: raw.StatelessRandomUniform([n], [3, -4], dtype=d), runs=1)
        add(f"stateless_normal_{t}", lambda n, d=d: raw.StatelessRandomNormal([n], [3, -4], dtype=d), runs=1, **loose)
        add(
            f"stateless_truncated_{t}",
            lambda n, d=d: raw.StatelessTruncatedNormal([n], np.int64([3, 1 << 40]), dtype=d),
            runs=1,
            **loose,
        )
        add(f"multinomial_{t}", lambda n, d=d: raw.Multinomial(_logits(d.np), n // 8 + 1, **SEEDS))
    add("stateless_multinomial", lambda n: raw.StatelessMultinomial(_logits(np.float32), n // 8 + 1, [3, -4]), runs=1)
    for t in ("int32", "int64"):
        kind = np.dtype(t).type
        low, high = np.iinfo(kind).min, np.iinfo(kind).max
        add(f"int_{t}", lambda n, k=kind: raw.RandomUniformInt([n], k(-7), k(1000003), **SEEDS))
        add(f"whole_{t}", lambda n, k=kind, a=low, b=high: raw.RandomUniformInt([n], k(a), k(b), **SEEDS))
        add(
            f"stateless_int_{t}",
            lambda n, k=kind: raw.StatelessRandomUniformInt([n], [3, -4], k(-7), k(1000003)),
            runs=1,
        )
    for t in ("int32", "int64", "uint32", "uint64"):
        d = dtypes.as_dtype(t)
        add(f"full_{t}", lambda n, d=d: raw.StatelessRandomUniformFullInt([n], [3, -4], dtype=d), runs=1)
    add("shuffle", lambda n: raw.RandomShuffle(np.arange(n, dtype=np.int32), **SEEDS))
    add("shuffle_rows", lambda n: raw.RandomShuffle(np.arange(3 * n, dtype=np.float32).reshape(n, 3), **SEEDS))
    add("shuffle_strings", lambda n: raw.RandomShuffle([b"%d" % i for i in range(17)], **SEEDS))
    add("shuffle_nothing", lambda n: raw.RandomShuffle(np.zeros((5, 0), np.float32), **SEEDS))
    _add_rejection(add)
    _add_keyed(add)
    _add_samplers(add)
    _add_functions(add)
    return found


def _logits(dtype: Any) -> np.ndarray:
    logits = np.random.RandomState(0).randn(8, 17).astype(np.float32)
    logits[3, 4], logits[5, :], logits[6, 2] = np.inf, -np.inf, np.nan
    return logits.astype(dtype)


_ALPHA = np.array([0.01, 0.1, 0.5, 0.99, 1.0, 1.5, 3, 10, 100, 3e4])
_RATE = np.array([0, 0.1, 1, 5, 9.9, 10, 11, 50, 1000, 6e4])
_CUT = np.array(  # mean, deviation, minimum, maximum: each of the three samplers, both signs
    [
        (0, 1, -2, 2),
        (0, 1, -1, 1),
        (0, 1, 1, 3),
        (0, 1, 3, np.inf),
        (0, 1, -np.inf, -3),
        (5, 2, 0, 3),
        (0, 1, 0.1, 0.2),
        (1, 3, -np.inf, 2),
        (-1, 0.5, -1.2, np.inf),
    ]
)


def _add_rejection(add: Callable[..., None]) -> None:
    for t in ("float16", "float32", "float64"):
        kind = np.dtype(t).type
        # a draw is a power of a uniform: 1e-13 relative in float64 where XLA's pow and the C library's differ
        add(
            f"gamma_{t}",
            lambda n, k=kind: raw.RandomGamma([n // 10 + 1], _ALPHA.astype(k), **SEEDS),
            ulps=1024 if t == "float64" else 1,
        )
        for out in ("float16", "float32", "float64", "int32", "int64"):
            add(
                f"poisson_{t}_{out}",
                lambda n, k=kind, d=out: raw.RandomPoissonV2([n // 10 + 1], _RATE.astype(k), dtype=d, **SEEDS),
            )
        for i, row in enumerate(_CUT):
            add(
                f"cut_{t}_{i}",
                lambda n, r=row, k=kind: raw.ParameterizedTruncatedNormal([n], *r.astype(k), **SEEDS),
                ulps=2,
            )
        add(
            f"cut_rows_{t}",
            lambda n, k=kind: raw.ParameterizedTruncatedNormal([9, n // 9 + 1], *_CUT.astype(k).T, **SEEDS),
            ulps=2,
        )


def _add_keyed(add: Callable[..., None]) -> None:
    """The two-step stateless ops of TensorFlow 2's graphs, with a counter about to carry."""
    key, counter = np.uint64([987654321987]), np.uint64([2**64 - 9, 2**33 + 5])
    add("key_and_counter", lambda n: raw.StatelessRandomGetKeyCounter([3, -4]), runs=1)
    add("keyed_uniform", lambda n: raw.StatelessRandomUniformV2([n], key, counter, 1), runs=1)
    add("keyed_normal", lambda n: raw.StatelessRandomNormalV2([n], key, counter, 1), runs=1)
    add("keyed_truncated", lambda n: raw.StatelessTruncatedNormalV2([n], key, counter, 1), runs=1)
    add(
        "keyed_int",
        lambda n: raw.StatelessRandomUniformIntV2([n], key, counter, 1, np.int32(-5), np.int32(5)),
        runs=1,
    )
    add(
        "keyed_full",
        lambda n: raw.StatelessRandomUniformFullIntV2([n], key, counter, 1, dtype=dtypes.uint64),
        runs=1,
    )


def _add_samplers(add: Callable[..., None]) -> None:
    true = np.int64([[0, 1], [2, 5], [7, 49]])
    unigrams = (np.random.RandomState(1).rand(100) * 10).astype(np.float32).tolist()
    for unique in (False, True):
        common = dict(num_true=2, num_sampled=30, unique=unique, **SEEDS)
        tag = "unique" if unique else "repeated"
        ulps = 2 if unique else 0  # expm1 and log1p are the C library's
        for op in ("Uniform", "LogUniform", "LearnedUnigram", "ThreadUnsafeUnigram"):
            spec = f"{op}CandidateSampler"
            add(
                f"{op.lower()}_sampler_{tag}",
                lambda n, s=spec, c=common: raw.__getattr__(s)(true, range_max=100, **c),
                runs=4,
                ulps=ulps,
            )
        add(
            f"fixed_sampler_{tag}",
            lambda n, c=common: raw.FixedUnigramCandidateSampler(
                true, range_max=100, unigrams=unigrams, distortion=0.75, **c
            ),
            ulps=ulps,
        )
        add(
            f"sharded_sampler_{tag}",
            lambda n, c=common: raw.FixedUnigramCandidateSampler(
                true, range_max=52, unigrams=unigrams, num_shards=2, shard=1, num_reserved_ids=4, **c
            ),
            ulps=ulps,
        )
    add(
        "all_sampler",
        lambda n: raw.AllCandidateSampler(true, num_true=2, num_sampled=50, unique=True, **SEEDS),
        runs=1,
    )
    add("accidental_hits", lambda n: raw.ComputeAccidentalHits(true, np.int64([5, 1, 1, 7, 3]), num_true=2), runs=1)


def _add_functions(add: Callable[..., None]) -> None:
    """The public functions: scaling rounds twice, as TensorFlow's separate kernels do."""
    add("random_uniform", lambda n: random_ops.random_uniform([n], -0.7, 1.9, seed=5))
    add("random_normal", lambda n: random_ops.random_normal([n], 0.1, 0.3, seed=5))
    add("truncated_normal", lambda n: random_ops.truncated_normal([n], 0.1, 0.3, seed=5))
    add("random_uniform_int", lambda n: random_ops.random_uniform([n], 3, 11, dtypes.int64, seed=5))
    add("negative_seed", lambda n: random_ops.random_uniform([n], seed=-3))
    add("stateless_uniform", lambda n: random_ops.stateless_uniform([n], [1, 2], -0.7, 1.9), runs=1)
    add("stateless_categorical", lambda n: random_ops.stateless_categorical(_logits(np.float32), n, [1, 2]), runs=1)
    shape = [3, 3, 5, 7]
    for name, initializer in {
        "uniform_unit_scaling": init_ops.UniformUnitScaling(1.43, seed=7),
        "glorot_uniform": init_ops.GlorotUniform(seed=7),
        "glorot_normal": init_ops.GlorotNormal(seed=7),
        "lecun_normal": init_ops.lecun_normal(seed=7),
        "lecun_uniform": init_ops.lecun_uniform(seed=7),
        "he_normal": init_ops.he_normal(seed=7),
        "he_uniform": init_ops.he_uniform(seed=7),
        "fan_out": init_ops.VarianceScaling(3.0, "fan_out", "untruncated_normal", seed=7),
        "random_uniform_initializer": init_ops.RandomUniform(-1, 2, seed=7),
        "random_normal_initializer": init_ops.RandomNormal(1, 2, seed=7),
        "truncated_normal_initializer": init_ops.TruncatedNormal(1, 2, seed=7),
    }.items():
        add(name, lambda n, i=initializer: i(shape), runs=1)
    for name, dims in {"tall": [3, 5, 4], "wide": [4, 11]}.items():
        add(f"orthogonal_{name}", lambda n, s=dims: init_ops.Orthogonal(1.5, seed=7)(s), runs=1, ulps=1 << 12)
    add(
        "delta_orthogonal",
        lambda n: init_ops.ConvolutionDeltaOrthogonal(seed=7)([3, 3, 2, 4]),
        runs=1,
        ulps=1 << 12,
    )
    add("identity", lambda n: init_ops.Identity(2.0)([4, 6]), runs=1)
    add("constant", lambda n: init_ops.Constant([1, 2, 3])([2, 3]), runs=1)


CASES = _cases()


def graph_of(case: Case, n: int) -> tuple[Graph, list[Any]]:
    """A fresh graph with the case's fetches."""
    graph = Graph()
    with graph.as_default():
        fetches = case.build(n)
    return graph, fetches if isinstance(fetches, (list, tuple)) else [fetches]


def run_here(case: Case, n: int) -> list[list[np.ndarray]]:
    """The values of every run in one session."""
    graph, fetches = graph_of(case, n)
    with Session(graph=graph) as session:
        return [session.run(fetches) for _ in range(case.runs)]


RUN_THERE = """
def main(graph, fetches, runs):
    definition = tf.GraphDef.FromString(graph)
    tf.import_graph_def(definition, name="")
    with session(tf.get_default_graph()) as s:
        return [s.run(list(fetches)) for _ in range(runs)]
"""


def run_there(case: Case, n: int) -> list[list[np.ndarray]]:
    """The same graph run by TensorFlow."""
    from tests.oracle.compare import oracle

    graph, fetches = graph_of(case, n)
    definition = graph.as_graph_def().SerializeToString(deterministic=True)
    return oracle().call(RUN_THERE, graph=definition, fetches=[t.name for t in fetches], runs=case.runs)


def distance(a: np.ndarray, b: np.ndarray) -> int:
    """The largest difference in units of the last place; 1 for unequal values without such a unit."""
    a, b = np.asarray(a), np.asarray(b)
    assert a.dtype == b.dtype and a.shape == b.shape, f"{a.dtype}{a.shape} against {b.dtype}{b.shape}"
    if a.dtype.kind not in "fV":
        return int((a != b).any())
    kind = np.dtype(f"int{8 * a.dtype.itemsize}")
    steps = [np.where(bits < 0, np.iinfo(kind).min - bits, bits) for bits in (x.view(kind) for x in (a, b))]
    return int(np.abs(steps[0].astype(object) - steps[1].astype(object)).max()) if (steps[0] != steps[1]).any() else 0
