"""`xp`: NumPy when every argument is NumPy, `jax.numpy` otherwise; so that what is known while tracing stays known.

Large known operands go to JAX all the same: folding them would only move them into the executable as constants.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import numpy as np

from hornbeam.core.lazy import jnp

FOLD_LIMIT = 1 << 16  # elements; above it a traced computation is better than an embedded constant


class NeedsValue(Exception):  # noqa: N818  a signal to the planner, not an error
    """Raised by `static` for a traced value: the planner computes it first, and calls the kernel again with it known."""

    def __init__(self, value: Any) -> None:
        super().__init__("a concrete value is needed")
        self.value = value


def known(x: Any) -> bool:
    """True for values that are concrete while tracing."""
    return isinstance(x, (np.ndarray, np.generic, int, float, bool, complex, bytes, type(None)))


def static(x: Any) -> np.ndarray[Any, Any]:
    """The concrete value of a kernel input that the kernel cannot do without (a shape, an axis); NeedsValue if it is traced."""
    if known(x):
        return np.asarray(x)
    raise NeedsValue(x)


def ints(x: Any) -> tuple[int, ...]:
    """A known integer tensor as a tuple of Python ints."""
    return tuple(int(v) for v in static(x).reshape(-1))


def _all_known(values: Any) -> bool:
    for v in values:
        if isinstance(v, (list, tuple)):
            if not _all_known(v):
                return False
        elif isinstance(v, np.ndarray):
            if v.size > FOLD_LIMIT and v.dtype != object and not interpreting():
                return False
        elif not known(v) and not isinstance(v, (np.dtype, type, slice, str)):
            return False
    return True


class _Depth(threading.local):
    """How many interpretations are under way in this thread, as `depth[0]`."""

    def __init__(self) -> None:
        self.n = 0

    def __getitem__(self, _: int) -> int:
        return self.n

    def __setitem__(self, _: int, n: int) -> None:
        self.n = n


_INTERPRETING = _Depth()


def interpreting() -> bool:
    """True while a run-once graph is interpreted with NumPy: then nothing may become a JAX value."""
    return _INTERPRETING[0] > 0


def namespace(*values: Any) -> Any:
    """`numpy` if every value is known (and small, unless interpreting), else `jax.numpy`."""
    return np if _all_known(values) else jnp


class _Dispatch:
    def __getattr__(self, name: str) -> Callable[..., Any]:
        np_fn = getattr(np, name, None)

        def call(*args: Any, **kwargs: Any) -> Any:
            if np_fn is not None and _all_known(args) and _all_known(kwargs.values()):
                with np.errstate(all="ignore"):
                    return np_fn(*args, **kwargs)
            return getattr(jnp, name)(*args, **kwargs)

        call.__name__ = name
        self.__dict__[name] = call
        return call


xp: Any = _Dispatch()
