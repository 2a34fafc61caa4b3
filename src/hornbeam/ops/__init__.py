"""Operations, a family a module: signature, kernel and gradient of each op stand together."""

from __future__ import annotations

import importlib
import pkgutil


def load() -> None:
    """Imports every family, so that `core.registry` knows every op."""
    for module in pkgutil.iter_modules(__path__):
        importlib.import_module(f"{__name__}.{module.name}")
