"""`hornbeam coverage`: TensorFlow 1's public names against those the export table holds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import click

from hornbeam import _lazy_api
from hornbeam.api import _tf1_names
from hornbeam.cli import render


@dataclass(frozen=True, slots=True)
class Count:
    """A namespace of TensorFlow 1: how many names it had, and which of them we lack."""

    namespace: str
    total: int
    missing: list[str]

    @property
    def covered(self) -> int:
        return self.total - len(self.missing)


def counts(namespace: str | None = None) -> list[Count]:
    """Every namespace (or one, with those under it), in alphabetical order; `raw_ops` is counted over TensorFlow's op names."""
    found = []
    for ns, names in sorted(_tf1_names.table().items()):
        if namespace and ns != namespace and not ns.startswith(namespace + "."):
            continue
        if namespace == "" and ns:
            continue
        missing = sorted(n for n in names if not has(ns, n))
        found.append(Count(ns, len(names), missing))
    return found


def has(ns: str, name: str) -> bool:
    """Whether `tf.<ns>.<name>` resolves: through the export table, a module it names, or (raw_ops) the op registry."""
    if ns == "raw_ops":
        from hornbeam.core import registry

        return registry.lookup(name) is not None
    if name in _lazy_api.EXPORTS.get(_lazy_api.resolve_alias(ns), {}) or _lazy_api.is_namespace(
        _lazy_api.join(ns, name)
    ):
        return True
    parent, _, last = ns.rpartition(".")
    target = _lazy_api.EXPORTS.get(parent, {}).get(last, "")
    return target.endswith(":") and hasattr(_lazy_api.load(target), name)


def show(namespace: str | None, *, missing: bool, modules: bool, ops: bool, json: bool, markdown: bool) -> None:
    """Prints what the options ask for."""
    if modules:
        from hornbeam.compat import _modules

        found = _modules.modules()
        click.echo(render.dumps(found) if json else "\n".join(found))
    elif ops:
        rows = op_rows()
        click.echo(render.dumps(rows) if json else "\n".join(f"{r['op']}\t{r['gradient']}" for r in rows))
    elif json:
        click.echo(render.dumps([_as_dict(c, missing) for c in _known(namespace)]))
    elif markdown:
        click.echo(as_markdown(_known(namespace)))
    elif missing:
        for c in _known(namespace):
            for name in c.missing:
                click.echo(f"tf.{_lazy_api.join(c.namespace, name)}")
    else:
        _table(_known(namespace))


def op_rows() -> list[dict[str, str]]:
    """Every op type, and its gradient: 'yes', 'none' (not differentiable), or 'no' (no rule yet)."""
    from hornbeam.core import registry

    def gradient(op: str) -> str:
        try:
            return "yes" if registry.gradient_of(op) is not None else "none"
        except LookupError:
            return "no"

    return [{"op": op, "gradient": gradient(op)} for op in registry.names()]


def as_markdown(found: list[Count]) -> str:
    """The page docs/coverage.md."""
    total, covered = sum(c.total for c in found), sum(c.covered for c in found)
    lines = [
        "# What is covered",
        "",
        "Made by `make docs` (`hornbeam coverage --markdown`). TensorFlow 1's public names, by namespace; "
        "`hornbeam coverage --missing nn` lists the names of a namespace that are not there.",
        "",
        f"{covered} of {total} names; {len(op_rows())} op types with a kernel.",
        "",
        "| namespace | covered | of |",
        "| --- | ---: | ---: |",
    ]
    lines += [
        f"| `tf{'.' + c.namespace if c.namespace else ''}` | {c.covered} | {c.total} |" for c in found if c.covered
    ]
    empty = [f"`tf.{c.namespace}`" for c in found if not c.covered]
    if empty:
        lines += ["", "Nothing yet of: " + ", ".join(empty) + "."]
    return "\n".join(lines)


def _known(namespace: str | None) -> list[Count]:
    wanted = None if namespace is None else namespace.removeprefix("tf.").removeprefix("tensorflow.")
    found = counts("" if wanted in ("tf", "tensorflow") else wanted)
    if not found:
        raise click.UsageError(f"TensorFlow 1 had no namespace tf.{wanted}")
    return found


def _as_dict(count: Count, missing: bool) -> dict[str, Any]:
    row = {"namespace": count.namespace, "covered": count.covered, "total": count.total}
    return row | {"missing": count.missing} if missing else row


def _table(found: list[Count]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, show_edge=False)
    for column, justify in (("namespace", "left"), ("covered", "right"), ("of", "right"), ("", "right")):
        table.add_column(column, justify=justify)  # type: ignore[arg-type]
    empty = [c for c in found if not c.covered]
    for c in found:
        if c.covered:
            name = f"tf.{c.namespace}" if c.namespace else "tf"
            table.add_row(name, str(c.covered), str(c.total), f"{100 * c.covered // c.total}%")
    total, covered = sum(c.total for c in found), sum(c.covered for c in found)
    table.add_row("all", str(covered), str(total), f"{100 * covered // max(total, 1)}%", style="bold")
    console = Console(highlight=False)
    console.print(table)
    if empty:
        console.print(
            f"nothing yet of {len(empty)} namespaces: " + ", ".join(f"tf.{c.namespace}" for c in empty), style="dim"
        )
