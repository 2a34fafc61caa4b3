"""Every fenced snippet of README and docs runs: python blocks under `hornbeam run`, console blocks in a shell, page by page.

A `python file=NAME` block is written to that file. In a `console` block, a line that begins with `$ ` is a command and the lines
under it are its output: `...` on a line of its own stands for any lines, inside a line for any text; `[exit N]` is a non-zero
exit code. A command without lines under it may print anything. `sh` blocks are not run (they install things).
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.compat.programs import hornbeam

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
BLOCK = re.compile(r"^```(\w+)([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True, slots=True)
class Block:
    language: str
    options: str
    text: str


def blocks(page: Path) -> list[Block]:
    return [Block(*found) for found in BLOCK.findall(page.read_text("utf-8"))]


@pytest.mark.parametrize("page", [p for p in PAGES if blocks(p)], ids=lambda p: p.name)
def test_snippets_run(page, tmp_path):
    tools = tmp_path / "bin"
    tools.mkdir()
    hornbeam_entry = '-c "import sys; from hornbeam.cli import main; sys.exit(main())"'
    for name, arguments in (("hornbeam", hornbeam_entry), ("python", "")):
        (tools / name).write_text(f'#!/bin/sh\nexec "{sys.executable}" {arguments} "$@"\n')
        (tools / name).chmod(0o755)
    work = tmp_path / "work"
    work.mkdir()
    for number, block in enumerate(blocks(page)):
        if block.language == "python":
            name = block.options.strip().removeprefix("file=") or f"snippet{number}.py"
            (work / name).write_text(block.text)
            if not block.options.strip():
                result = hornbeam("run", name, cwd=work)
                assert result.code == 0, f"{block.text}\n{result.err}"
        elif block.language == "console":
            for command, expected in commands(block.text):
                check(command, expected, work, tools)


def commands(text: str) -> list[tuple[str, list[str]]]:
    """(command, lines of its output) of a console block."""
    found: list[tuple[str, list[str]]] = []
    for line in text.splitlines():
        if line.startswith("$ "):
            found.append((line[2:], []))
        else:
            found[-1][1].append(line.rstrip())
    return found


def check(command: str, expected: list[str], work: Path, tools: Path) -> None:
    code = 0
    if expected and (exit_line := re.fullmatch(r"\[exit (\d+)\]", expected[-1])):
        code, expected = int(exit_line[1]), expected[:-1]
    env = {**os.environ, "PATH": f"{tools}{os.pathsep}{os.environ['PATH']}"}
    done = subprocess.run(["sh", "-c", command], cwd=work, env=env, capture_output=True, text=True, timeout=300)
    assert done.returncode == code, f"$ {command}\n{done.stdout}{done.stderr}"
    if expected:
        output = "\n".join(line.rstrip() for line in (done.stdout + (done.stderr if code else "")).splitlines())
        pattern = "".join(pattern_of(line) for line in expected)
        assert re.fullmatch(pattern, output + "\n"), f"$ {command}\n{output}\n--- expected ---\n" + "\n".join(expected)


def pattern_of(line: str) -> str:
    if line == "...":
        return r"(?:.*\n)*"
    return ".*".join(re.escape(part) for part in line.split("...")) + "\n"


def test_pages_link_only_to_files_that_exist():
    for page in PAGES:
        for target in re.findall(r"\]\(([^)#:]+?)(?:#[^)]*)?\)", page.read_text("utf-8")):
            assert (page.parent / target).exists() or target == "architecture.md", f"{page.name}: {target}"
