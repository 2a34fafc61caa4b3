"""The lazy TF-1 API: a dotted TF name becomes an object on first use, through the static table `hornbeam/api/_exports.py`.

`import hornbeam` therefore imports nothing but that table. How an api module puts a name into it: see `hornbeam.api`.
"""

from __future__ import annotations

import importlib
from types import ModuleType
from typing import Any

from hornbeam.api._exports import EXPORTS


def _namespaces() -> frozenset[str]:
    """Every namespace the table implies: `nn.rnn_cell` for `nn.rnn_cell.LSTMCell`, and its parents."""
    found = {""}
    for ns in EXPORTS:
        while ns:
            found.add(ns)
            ns = ns.rpartition(".")[0]
    return frozenset(found)


NAMESPACES = _namespaces()


def join(ns: str, name: str) -> str:
    """The dotted TF name of `name` in namespace `ns` ('' is `tf` itself)."""
    return f"{ns}.{name}" if ns else name


def resolve_alias(ns: str) -> str:
    """The namespace that `ns` stands for: `app.flags` is `flags` (table entries that start with '@')."""
    seen = ""
    for part in ns.split(".") if ns else ():
        entry = EXPORTS.get(seen, {}).get(part, "")
        seen = entry[1:] if entry.startswith("@") else join(seen, part)
    return seen


def is_namespace(ns: str) -> bool:
    """Whether the table holds names under `ns`, itself or as an alias."""
    return resolve_alias(ns) in NAMESPACES


def load(target: str) -> Any:
    """The object a table entry names: 'package.module:attribute', or 'package.module:' for a module."""
    module, _, attribute = target.partition(":")
    value: Any = importlib.import_module(module)
    for part in attribute.split(".") if attribute else ():
        value = getattr(value, part)
    return value


def names(ns: str) -> list[str]:
    """The sorted names of a namespace, nested namespaces included."""
    ns = resolve_alias(ns)
    depth = ns.count(".") + 1 if ns else 0
    nested = {s.split(".")[depth] for s in NAMESPACES if s and (not ns or s.startswith(ns + ".")) and s != ns}
    return sorted(set(EXPORTS.get(ns, {})) | nested)


def missing(ns: str, name: str) -> str:
    """The one-line message for a name that is not here: it differs when TensorFlow 1.15 had it."""
    from hornbeam.api import _tf1_names

    full = join(resolve_alias(ns), name)
    if _tf1_names.known(full) or _tf1_names.known(join(ns, name)):
        return f"TensorFlow 1.15 had tf.{full}, Hornbeam does not have it yet; `hornbeam coverage --missing` lists what is not covered"
    owner = f"module 'tensorflow.{ns}'" if ns else "module 'tensorflow'"
    return f"{owner} has no attribute '{name}'"


class Namespace(ModuleType):
    """A module such as `tf.nn`: its attributes are looked up in the table when first used and kept."""

    def __init__(self, name: str, ns: str) -> None:
        super().__init__(name, f"TensorFlow 1's `{('tf.' + ns) if ns else 'tf'}`.")
        self.__dict__["_ns"] = resolve_alias(ns)
        self.__path__: list[str] = []

    def __getattr__(self, name: str) -> Any:
        if name == "__all__":
            return [n for n in names(self._ns) if not n.startswith("_")]
        if name.startswith("__") and name != "__version__":
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")
        value = lookup(self._ns, name, self.__name__)
        self.__dict__[name] = value
        return value

    def __dir__(self) -> list[str]:
        return sorted({*names(self._ns), *(n for n in self.__dict__ if not n.startswith("_"))})


_namespaces_made: dict[str, Namespace] = {}


def lookup(ns: str, name: str, owner: str = "hornbeam") -> Any:
    """`tf.<ns>.<name>`: the object, or the nested namespace as a module called `<owner>.<name>`; AttributeError if neither."""
    entry = EXPORTS.get(ns, {}).get(name)
    if entry is not None and not entry.startswith("@"):
        return load(entry)
    full = join(ns, name)
    if is_namespace(full):
        dotted = f"{owner}.{name}"
        if dotted not in _namespaces_made:
            _namespaces_made[dotted] = Namespace(dotted, full)
        return _namespaces_made[dotted]
    raise AttributeError(missing(ns, name), name=name)
