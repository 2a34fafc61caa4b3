"""Operations that read and write files of TensorFlow's formats; they register like those of `hornbeam.ops`, one floor up."""

from __future__ import annotations

import importlib
import pkgutil


def load() -> None:
    for module in pkgutil.iter_modules(__path__):
        importlib.import_module(f"{__name__}.{module.name}")
