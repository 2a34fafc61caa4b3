"""Prints a report: tables with rich, or JSON."""

from __future__ import annotations

import json
from typing import Any

from hornbeam.cli.report import Report, shape_text, size

LONG = 40
"""Rows of a table that are printed without --all."""


def dumps(value: Any) -> str:
    """JSON with readable indentation."""
    return json.dumps(value, indent=2, ensure_ascii=False, default=str)


def as_json(report: Report) -> str:
    """The report as one JSON object: kind, path, the facts, and each table as a list of objects."""
    tables = {t.key: [dict(zip(t.columns, row)) for row in t.rows] for t in report.tables}
    return dumps({"kind": report.kind, "path": report.path, **report.facts, **tables})


def as_tables(report: Report, everything: bool = False) -> None:
    """Prints the report for reading."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=120)
    console.print(Text.assemble((report.path, "bold"), ": ", (report.kind, "green")))
    for name, value in report.facts.items():
        console.print(Text(f"  {name.replace('_', ' ')}: {_text(name, value)}"))
    for table in report.tables:
        shown = table.rows if everything else table.rows[:LONG]
        grid = Table(show_edge=False, pad_edge=False, box=None)
        for column in table.columns:
            number = bool(shown) and all(isinstance(r[table.columns.index(column)], (int, float)) for r in shown)
            grid.add_column(
                column.replace("_", " "), justify="right" if number else "left", overflow="fold", header_style="dim"
            )
        for row in shown:
            grid.add_row(*(Text(_text(c, v)) for c, v in zip(table.columns, row)))
        console.print(Text(f"\n{table.title}", style="bold"))
        console.print(grid)
        if len(shown) < len(table.rows):
            console.print(Text(f"… and {len(table.rows) - len(shown)} more (--all)", style="dim"))


def _text(name: str, value: Any) -> str:
    if value is None:
        return "unknown" if name == "shape" else ""
    if name == "shape":
        return shape_text(value)
    if name.endswith("bytes") and isinstance(value, int):
        return size(value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, (list, tuple)):
        return ", ".join(str(v) for v in value)
    return f"{value:,}" if isinstance(value, int) and abs(value) >= 10000 else str(value)
