"""The persistent compilation cache: a second process that runs the same program starts without compiling it."""

from __future__ import annotations

import os

from hornbeam.core.lazy import jax

_done = False


def enable_compilation_cache() -> None:
    """Points JAX's compilation cache to HORNBEAM_CACHE_DIR (default ~/.cache/hornbeam/xla; "off" for none), unless the user set one."""
    global _done
    if _done:
        return
    _done = True
    where = os.environ.get("HORNBEAM_CACHE_DIR", os.path.join(os.path.expanduser("~"), ".cache", "hornbeam", "xla"))
    if where.lower() in ("", "off", "0") or jax.config.jax_compilation_cache_dir is not None:
        return
    try:
        os.makedirs(where, exist_ok=True)
    except OSError:
        return  # a read-only home is no reason not to run
    jax.config.update("jax_compilation_cache_dir", where)
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.1)
