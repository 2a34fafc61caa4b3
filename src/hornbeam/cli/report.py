"""What `hornbeam show` knows of a file: facts and tables, which `render` prints or writes as JSON."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Table:
    """Rows under column names; `key` is its name in JSON."""

    key: str
    title: str
    columns: tuple[str, ...]
    rows: list[tuple[Any, ...]]


@dataclass(frozen=True, slots=True)
class Report:
    """A file's kind, its facts in order, and its tables."""

    kind: str
    path: str
    facts: dict[str, Any]
    tables: list[Table] = field(default_factory=list)


class ShowError(ValueError):
    """A file that cannot be shown; the message says why."""


def size(count: int) -> str:
    """A number of bytes for people."""
    value = float(count)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if value < 1024 or unit == "GiB":
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1024
    raise AssertionError("unreachable")


def shape_text(shape: Any) -> str:
    """A shape as [?, 28, 28]; 'unknown' for unknown rank."""
    if shape is None:
        return "unknown"
    return "[" + ", ".join("?" if d is None or d < 0 else str(d) for d in shape) + "]"
