"""Running little programs: under `hornbeam run`, and under plain python to compare with."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Result:
    """What a program left behind."""

    code: int
    out: str
    err: str


def call(
    *command: str, cwd: Path, stdin: str | None = None, env: dict[str, str] | None = None, timeout: float = 240
) -> Result:
    """Runs a command to its end."""
    done = subprocess.run(
        command,
        cwd=cwd,
        input=stdin,
        text=True,
        capture_output=True,
        timeout=timeout,
        env={**os.environ, **(env or {})},
    )
    return Result(done.returncode, done.stdout, done.stderr)


def hornbeam(*args: str, cwd: Path, **options: object) -> Result:
    """`hornbeam ARGS`, by the console script's own entry."""
    entry = "import sys; from hornbeam.cli import main; sys.argv[0] = 'hornbeam'; sys.exit(main())"
    return call(sys.executable, "-c", entry, *args, cwd=cwd, **options)  # type: ignore[arg-type]


def python(*args: str, cwd: Path, **options: object) -> Result:
    """Plain python."""
    return call(sys.executable, *args, cwd=cwd, **options)  # type: ignore[arg-type]


def write(path: Path, source: str) -> Path:
    """Writes a program, dedented."""
    path.write_text(textwrap.dedent(source), "utf-8")
    return path
