"""The name `tensorflow` for one process: what `hornbeam run` and `python -m hornbeam` install before a program starts.

`install()` puts a finder at the front of `sys.meta_path` that serves `tensorflow`, `tf_slim` and everything under them from
Hornbeam, by the table in `_modules.py`; a real TensorFlow installed beside is never imported. `hornbeam.compat` is also
TensorFlow's own namespace of that name: `tf.compat.as_bytes`, `tf.compat.v1`.
"""

from __future__ import annotations

from typing import Any

from hornbeam import _lazy_api


def install(legacy: bool = True) -> None:
    """Maps `tensorflow` onto Hornbeam in this process and in the multiprocessing children it starts.

    Args:
      legacy: also restore what NumPy, SciPy and the standard library removed since (see `hornbeam.compat.legacy`).
    """
    from hornbeam.compat import finder, hooks
    from hornbeam.compat import legacy as legacy_names

    finder.install()
    if legacy:
        legacy_names.install()
    _carry_to_children(legacy)
    hooks.after_import("jax", _quiet)


def _quiet(jax: Any) -> None:
    """The program knows nothing of JAX: its notes on missing accelerators stay out of the program's own log (tf.app.run's is INFO)."""
    import logging

    logging.getLogger("jax").setLevel(logging.WARNING)


def _carry_to_children(legacy: bool) -> None:
    """Children that start afresh (spawn, forkserver) unpickle their preparation data first: it carries the installation."""
    from hornbeam.compat import hooks

    def patch(spawn: Any) -> None:
        original = spawn.get_preparation_data

        def get_preparation_data(name: str) -> dict[str, Any]:
            return {"hornbeam": _Installation(legacy), **original(name)}

        spawn.get_preparation_data = get_preparation_data

    hooks.after_import("multiprocessing.spawn", patch)


class _Installation:
    """Pickles as a call of `install`."""

    def __init__(self, legacy: bool) -> None:
        self.legacy = legacy

    def __reduce__(self) -> tuple[Any, ...]:
        return install, (self.legacy,)


def __getattr__(name: str) -> Any:
    if name == "v1":
        return _lazy_api.Namespace("hornbeam.compat.v1", "")
    if name.startswith("__"):
        raise AttributeError(f"module 'hornbeam.compat' has no attribute {name!r}")
    return _lazy_api.lookup("compat", name)
