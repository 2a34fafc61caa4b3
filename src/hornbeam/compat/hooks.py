"""Import hooks: call a function on a module once it has been imported, and supply modules that are gone."""

from __future__ import annotations

import importlib.abc
import importlib.machinery
import importlib.util
import sys
from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Any

Patch = Callable[[Any], None]
_patches: dict[str, list[Patch]] = {}
_suppliers: dict[str, Callable[[], ModuleType]] = {}


def after_import(name: str, patch: Patch) -> None:
    """Calls `patch(module)` now if the module is there, else right after it is first imported."""
    if name in sys.modules:
        patch(sys.modules[name])
        return
    _patches.setdefault(name, []).append(patch)
    if not any(isinstance(f, _PatchFinder) for f in sys.meta_path):
        sys.meta_path.insert(0, _PatchFinder())


def supply(name: str, make: Callable[[], ModuleType]) -> None:
    """Makes `import name` give `make()` where no finder before knows the module; it never shadows a real one."""
    _suppliers[name] = make
    if not any(isinstance(f, _SupplyFinder) for f in sys.meta_path):
        sys.meta_path.append(_SupplyFinder())


class _PatchFinder(importlib.abc.MetaPathFinder):
    """Finds a watched module through the other finders, and has its loader run the patches afterwards."""

    def find_spec(self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None) -> Any:
        if fullname not in _patches:
            return None
        for finder in sys.meta_path:
            if finder is self or not hasattr(finder, "find_spec"):
                continue
            spec = finder.find_spec(fullname, path, target)
            if spec is not None:
                if spec.loader is not None and hasattr(spec.loader, "exec_module"):
                    spec.loader = _PatchLoader(spec.loader)
                return spec
        return None


class _PatchLoader(importlib.abc.Loader):
    """The module's own loader, and after it the patches; afterwards the module is left with its own loader."""

    def __init__(self, loader: Any) -> None:
        self._loader = loader

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loader, name)

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType | None:
        return self._loader.create_module(spec)  # type: ignore[no-any-return]

    def exec_module(self, module: ModuleType) -> None:
        module.__loader__ = self._loader
        if module.__spec__ is not None:
            module.__spec__.loader = self._loader
        self._loader.exec_module(module)
        for patch in _patches.pop(module.__name__, []):
            patch(sys.modules.get(module.__name__, module))


class _SupplyFinder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Last in line: makes the modules that nobody else has."""

    def find_spec(self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None) -> Any:
        if fullname not in _suppliers:
            return None
        return importlib.util.spec_from_loader(fullname, self, is_package=True)

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType:
        return _suppliers[spec.name]()

    def exec_module(self, module: ModuleType) -> None:
        pass  # create_module made it whole
