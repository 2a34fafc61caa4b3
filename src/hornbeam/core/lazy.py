"""Deferred imports: `jax` costs most of a second, so no module imports it at the top; they take these proxies."""

from __future__ import annotations

import importlib
from types import ModuleType
from typing import Any


class LazyModule(ModuleType):
    """A module that is imported at its first attribute access."""

    def __getattr__(self, name: str) -> Any:
        module = importlib.import_module(self.__name__)
        value = getattr(module, name)
        if not name.startswith("__"):
            self.__dict__[name] = value
        return value


jax: Any = LazyModule("jax")
jnp: Any = LazyModule("jax.numpy")
lax: Any = LazyModule("jax.lax")
ml_dtypes: Any = LazyModule("ml_dtypes")
