"""Which dotted names TensorFlow 1.15 had, from the data file beside this module (made by tools/tf1_names.py)."""

from __future__ import annotations

from functools import cache
from importlib import resources


@cache
def table() -> dict[str, frozenset[str]]:
    """Namespace ('' is tf) to its names. The file has a line a namespace: the namespace, a tab, its names."""
    text = resources.files("hornbeam.api").joinpath("tf1_names.tsv").read_text("utf-8")
    rows = (line.split("\t") for line in text.splitlines() if line and not line.startswith("#"))
    return {ns: frozenset(names.split()) for ns, names in rows}


@cache
def namespaces() -> frozenset[str]:
    """Every namespace TensorFlow 1.15 had, `contrib` and other parents included; `tf` itself is left out."""
    return frozenset(ns.rsplit(".", i)[0] for ns in table() if ns for i in range(ns.count(".") + 1))


def known(name: str) -> bool:
    """Whether TensorFlow 1.15 had `tf.<name>`."""
    ns, _, last = name.rpartition(".")
    return name in namespaces() or last in table().get(ns, frozenset())
