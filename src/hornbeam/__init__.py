"""Hornbeam: TensorFlow 1's programs and files, on XLA. `import hornbeam as tf` is the TF-1 API, resolved lazily.

`__version__` is the TensorFlow version whose API this is (programs compare it); the package's own is `hornbeam --version`.
"""

from __future__ import annotations

from typing import Any

from hornbeam import _lazy_api

__version__ = "1.15.5"

_ROOMS = (
    "files",
    "proto",
    "surgery",
)  # real sub-packages one may reach as hornbeam.<room> without importing them first


def __getattr__(name: str) -> Any:
    if name == "__all__":
        return [n for n in _lazy_api.names("") if not n.startswith("_")]
    if name.startswith("__"):
        raise AttributeError(f"module 'hornbeam' has no attribute {name!r}")
    if name in _ROOMS or name == "compat":  # hornbeam.compat is a package of ours that also answers for tf.compat
        return _lazy_api.load(f"hornbeam.{name}:")
    value = _lazy_api.lookup("", name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*_lazy_api.names(""), *_ROOMS, "compat", *globals()})
