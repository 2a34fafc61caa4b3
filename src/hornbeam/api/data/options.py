"""`tf.data.Options`: settings of a pipeline. Those that only tune TensorFlow's scheduler are kept and have no effect here."""

from __future__ import annotations

import enum
from typing import Any


class _Settings:
    """An object with a fixed set of attributes, all None at first."""

    _names: tuple[str, ...] = ()
    _parts: dict[str, type[_Settings]] = {}

    def __init__(self) -> None:
        for n in self._names:
            object.__setattr__(self, n, self._parts[n]() if n in self._parts else None)

    def __setattr__(self, name: str, value: Any) -> None:
        if name not in self._names:
            raise AttributeError(f"Cannot set the property {name} on {type(self).__name__}.")
        object.__setattr__(self, name, value)

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and all(getattr(self, n) == getattr(other, n) for n in self._names)

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __hash__(self) -> int:
        return hash(type(self))

    def _merged(self, other: _Settings) -> Any:
        """These settings, with those of `other` where it has any."""
        out = type(self)()
        for n in self._names:
            a, b = getattr(self, n), getattr(other, n)
            object.__setattr__(
                out, n, a._merged(b) if isinstance(a, _Settings) and isinstance(b, _Settings) else a if b is None else b
            )
        return out


class ThreadingOptions(_Settings):
    """Threads of a pipeline."""

    _names = ("max_intra_op_parallelism", "private_threadpool_size")


class OptimizationOptions(_Settings):
    """Graph rewrites of a pipeline."""

    _names = (
        "apply_default_optimizations", "autotune", "autotune_buffers", "autotune_cpu_budget", "autotune_ram_budget", "filter_fusion",
        "filter_parallelization", "filter_with_random_uniform_fusion", "hoist_random_uniform", "inject_prefetch", "map_and_batch_fusion",
        "map_and_filter_fusion", "map_fusion", "map_parallelization", "map_vectorization", "noop_elimination", "parallel_batch",
        "reorder_data_discarding_ops", "seq_interleave_prefetch", "shuffle_and_repeat_fusion", "warm_start",
    )  # fmt: skip


class DistributeOptions(_Settings):
    """How a pipeline is divided among workers."""

    _names = ("auto_shard_policy", "num_devices", "auto_shard", "make_stateless")


class AutotuneOptions(_Settings):
    """Automatic tuning of a pipeline."""

    _names = ("enabled", "cpu_budget", "ram_budget", "autotune_algorithm", "initial_parallelism")


class AutoShardPolicy(enum.IntEnum):
    """How files or elements go to workers."""

    OFF = -1
    AUTO = 0
    FILE = 1
    DATA = 2
    HINT = 3


class ExternalStatePolicy(enum.Enum):
    """What saving a pipeline does about state it cannot save."""

    WARN = 0
    IGNORE = 1
    FAIL = 2


class AutotuneAlgorithm(enum.Enum):
    """How automatic tuning searches."""

    DEFAULT = 0
    HILL_CLIMB = 1
    GRADIENT_DESCENT = 2
    MAX_PARALLELISM = 3
    STAGE_BASED = 4


class Options(_Settings):
    """Settings of a pipeline, given to it by `with_options`."""

    _names = (
        "deterministic", "experimental_deterministic", "experimental_distribute", "experimental_optimization", "experimental_slack", "experimental_stats",
        "experimental_threading", "experimental_external_state_policy", "autotune", "threading", "experimental_stateful_whitelist",
        "experimental_numa_aware", "experimental_autotune", "framework_type", "dataset_name", "experimental_symbolic_checkpoint",
        "experimental_warm_start",
    )  # fmt: skip
    _parts = {
        "experimental_distribute": DistributeOptions, "experimental_optimization": OptimizationOptions, "experimental_threading": ThreadingOptions,
        "threading": ThreadingOptions, "autotune": AutotuneOptions,
    }  # fmt: skip

    def merge(self, options: Options) -> Options:
        return self._merged(options)  # type: ignore[no-any-return]


__tf_exports__ = {
    "data.Options": "Options",
    "data.ThreadingOptions": "ThreadingOptions",
    **{
        f"data.experimental.{n}": n
        for n in (
            "AutoShardPolicy",
            "AutotuneAlgorithm",
            "AutotuneOptions",
            "DistributeOptions",
            "ExternalStatePolicy",
            "OptimizationOptions",
            "ThreadingOptions",
        )
    },
}
