"""The finder that answers `import tensorflow…`: it builds modules from the table in `_modules.py`, on demand."""

from __future__ import annotations

import importlib
import importlib.abc
import importlib.util
import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

from hornbeam import _lazy_api
from hornbeam.compat import _modules

ROOTS = ("tensorflow", "tf_slim")


def install() -> None:
    """Puts the finder in front of all others (once), and forgets a `tensorflow` imported before."""
    if any(isinstance(f, TensorFlowFinder) for f in sys.meta_path):
        return
    sys.meta_path.insert(0, TensorFlowFinder())
    for name in [n for n in sys.modules if n.partition(".")[0] in ROOTS]:
        del sys.modules[name]


class TensorFlowFinder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Serves every name under ROOTS, or says why it cannot; nothing under them reaches another finder."""

    def find_spec(self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None) -> Any:
        if fullname.partition(".")[0] not in ROOTS:
            return None
        if _modules.plan(fullname) is None:
            raise _not_here(fullname)
        return importlib.util.spec_from_loader(fullname, self, origin=fullname, is_package=not _is_tool(fullname))

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        plan = _modules.plan(spec.name)
        return CompatModule(spec.name, plan) if isinstance(plan, tuple) else None

    def get_code(self, fullname: str) -> Any:
        """The code of the module of ours that serves `fullname`, for `hornbeam run -m tensorflow.python.tools.…`; or None."""
        plan = _modules.plan(fullname)
        ours = [plan] if isinstance(plan, str) else [s for s in plan or () if ":" not in s]
        spec = importlib.util.find_spec(ours[0]) if ours else None
        loader: Any = spec.loader if spec is not None else None
        return loader.get_code(ours[0]) if hasattr(loader, "get_code") else None

    def exec_module(self, module: ModuleType) -> None:
        plan = _modules.plan(module.__name__)
        if isinstance(
            plan, str
        ):  # one of our own modules under TensorFlow's name; import takes what sys.modules then holds
            sys.modules[module.__name__] = _real_module(plan)


def _is_tool(fullname: str) -> bool:
    """Modules that `-m` runs cannot be packages; all others are, since any may have modules under it."""
    return fullname.startswith("tensorflow.python.tools.")


def _real_module(name: str) -> ModuleType:
    if name.startswith("pb2:"):
        from hornbeam.proto import pb2_module

        return pb2_module(name.removeprefix("pb2:"))
    return importlib.import_module(name)


def _not_here(fullname: str) -> ImportError:
    """The error for a module that is not mapped: ModuleNotFoundError, or ImportError where TensorFlow 1.15 had it.

    `from a import b` swallows ModuleNotFoundError and then says only that `a` has no `b`; ImportError comes through.
    """
    short = _modules.namespace_of(fullname)
    from hornbeam.api import _tf1_names

    if short is not None and _tf1_names.known(short):
        return ImportError(_lazy_api.missing(*_split(short)), name=fullname)
    hint = (
        "; `hornbeam coverage --modules` lists those it has"
        if ".python." in fullname or ".contrib." in fullname
        else ""
    )
    return ModuleNotFoundError(f"No module named {fullname!r} in Hornbeam's TensorFlow 1.15{hint}", name=fullname)


def _split(dotted: str) -> tuple[str, str]:
    ns, _, name = dotted.rpartition(".")
    return ns, name


class CompatModule(ModuleType):
    """A module of TensorFlow's, put together from sources that are asked in turn (see `_modules.py`)."""

    def __init__(self, name: str, sources: tuple[str, ...]) -> None:
        super().__init__(name, f"{name}, served by Hornbeam.")
        self.__dict__["_sources"] = sources
        self.__path__: list[str] = []

    def __getattr__(self, name: str) -> Any:
        if name == "__all__":
            return [n for n in self.__dir__() if not n.startswith("_")]
        if name.startswith("__") and name not in _VERSION_NAMES:
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")
        value = self._resolve(name)
        self.__dict__[name] = value
        return value

    def _resolve(self, name: str) -> Any:
        child = f"{self.__name__}.{name}"
        if _modules.plan(child) is not None:
            return importlib.import_module(child)
        for source in self._sources:
            found, value = _from_source(source, name)
            if found:
                return value
        ns = _modules.namespace_of(self.__name__)
        if ns is None:
            raise AttributeError(
                f"Hornbeam's {self.__name__} has no {name!r}; `hornbeam coverage` lists what is covered",
                name=name,
                obj=self,
            )
        raise AttributeError(_lazy_api.missing(ns, name), name=name, obj=self)

    def __dir__(self) -> list[str]:
        found = {n for n in self.__dict__ if not n.startswith("_")}
        for source in self._sources:
            kind, _, where = source.rpartition(":")
            if kind == "tf":
                found.update(_lazy_api.names(where))
            elif not kind:
                found.update(n for n in dir(importlib.import_module(where)) if not n.startswith("_"))
        return sorted(found)


_VERSION_NAMES = (
    "__version__",
    "__git_version__",
    "__compiler_version__",
    "__cxx11_abi_flag__",
    "__monolithic_build__",
)


def _from_source(source: str, name: str) -> tuple[bool, Any]:
    """(whether the source has the name, its value). Sources: 'tf:nn', 'raw:' (ops by snake-case name), 'module.path'."""
    kind, _, where = source.rpartition(":")
    if kind == "tf":
        ns = _lazy_api.resolve_alias(where)
        entry = _lazy_api.EXPORTS.get(ns, {}).get(name)
        if entry is not None and not entry.startswith("@"):
            return True, _lazy_api.load(entry)
        if entry is not None or _lazy_api.is_namespace(_lazy_api.join(ns, name)):
            return True, _lazy_api.lookup(ns, name, "tensorflow")
        return False, None
    if kind == "raw":
        value = _modules.raw_op(name)
        return value is not None, value
    module = importlib.import_module(where)
    return hasattr(module, name), getattr(module, name, None)
