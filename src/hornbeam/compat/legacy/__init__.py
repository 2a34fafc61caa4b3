"""Restores, for the process of `hornbeam run`, names that old programs use and that their libraries removed since.

Each library has a table here, applied when the library is imported. A name is restored when it is used, and one line on
standard error at the end says which were: the program still runs, and its owner knows what to change. `--no-legacy` leaves
all this out.
"""

from __future__ import annotations

import atexit
import importlib
import os
import sys
from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any

from hornbeam.compat import hooks

_used: dict[str, None] = {}  # in the order of use


def install() -> None:
    """Installs the hooks of every table (nothing is imported that the program does not import)."""
    from hornbeam.compat.legacy import _numpy, _pandas, _plotting, _scipy, _stdlib

    for table in (_stdlib, _numpy, _scipy, _pandas, _plotting):
        table.install()


def note(name: str) -> None:
    """Remembers that the program used a restored name; installed libraries that only probe for names stay unmentioned."""
    if name in _used or _asked_by_library():
        return
    if not _used:
        atexit.register(_report)
    _used[name] = None


def _report() -> None:
    names = ", ".join(_used)
    print(
        f"hornbeam: this run used names that newer versions removed, restored for it: {names} (--no-legacy: without)",
        file=sys.stderr,
    )


def _asked_by_library() -> bool:
    """Whether the frame that asked (ours and the import system's skipped) belongs to an installed package."""
    frame = sys._getframe(2)
    while frame is not None:
        file = frame.f_code.co_filename
        if not file.startswith(("<frozen", _HERE)):
            return "site-packages" in file or "dist-packages" in file
        frame = frame.f_back  # type: ignore[assignment]
    return False


_HERE = os.path.dirname(__file__)


class Lazy:
    """A table value to compute when used: 'module:attribute', or a function without arguments."""

    __slots__ = ("source",)

    def __init__(self, source: str | Callable[[], Any]) -> None:
        self.source = source

    def get(self) -> Any:
        if isinstance(self.source, str):
            module, _, attribute = self.source.partition(":")
            found = importlib.import_module(module)
            return getattr(found, attribute) if attribute else found
        return self.source()


def restore(module: ModuleType, names: Mapping[str, Any]) -> None:
    """Gives `module` those of `names` that it lacks: through its `__getattr__`, so that using one can be noted.

    A name the module still has (even one that warns) is left alone: the module's own `__getattr__` is asked last, so it is
    asked here only for names that are not in the table.
    """
    present = {*module.__dict__, *dir(module)}
    missing = {name: value for name, value in names.items() if name not in present}
    if not missing:
        return
    original = module.__dict__.get("__getattr__")

    def __getattr__(name: str) -> Any:
        if name in missing:
            value = missing[name]
            if isinstance(value, Lazy):
                value = value.get()
            note(f"{module.__name__}.{name}")
            module.__dict__[name] = value
            return value
        if original is not None:
            return original(name)
        raise AttributeError(f"module {module.__name__!r} has no attribute {name!r}")

    module.__dict__["__getattr__"] = __getattr__


def restore_in(name: str, names: Mapping[str, Any]) -> None:
    """`restore`, when the module called `name` is imported."""
    hooks.after_import(name, lambda module: restore(module, names))


def supply(name: str, names: Mapping[str, Any] | Callable[[], Mapping[str, Any]], parent: bool = False) -> None:
    """A whole module that is gone: `import name` gives one with these names, unless the real one is still there.

    Args:
      parent: also make it reachable as an attribute of its parent package without an import.
    """

    def make() -> ModuleType:
        module = ModuleType(name, f"Restored by Hornbeam: {name} is gone from its library.")
        module.__path__ = []
        restore(module, names() if callable(names) else names)
        return module

    hooks.supply(name, make)
    package = name.rpartition(".")[0]
    if package:  # a plain module that has taken the package's place can hold the module again
        hooks.after_import(package, lambda module: module.__dict__.setdefault("__path__", []))
    if parent:
        package, _, last = name.rpartition(".")
        restore_in(package, {last: Lazy(f"{name}:")})


def add_method(cls: type, name: str, function: Callable[..., Any]) -> None:
    """Gives a class a method it lost (a class written in C too); its first use is noted."""
    if hasattr(cls, name):
        return

    def method(*args: Any, **kwargs: Any) -> Any:
        note(f"{cls.__module__}.{cls.__qualname__}.{name}")
        return function(*args, **kwargs)

    method.__name__ = name
    try:
        setattr(cls, name, method)
    except TypeError:  # an immutable type: write into the dict behind its mappingproxy, then drop the caches
        import ctypes
        import gc

        gc.get_referents(cls.__dict__)[0][name] = method
        ctypes.pythonapi.PyType_Modified(ctypes.py_object(cls))
