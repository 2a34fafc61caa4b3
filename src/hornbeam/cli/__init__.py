"""The command line. `run` is dispatched before click is imported, so that a program starts as fast as it can."""

from __future__ import annotations

import os
import sys

COMMANDS = ("run", "show", "freeze", "coverage")


def main(module: bool = False) -> int:
    """The console script `hornbeam`, and (`module`) `python -m hornbeam`, where the first word may be the program itself.

    Returns the exit code: 0, 1 for an error, 2 for wrong usage. Does not return from `run`.
    """
    args = sys.argv[1:]
    if args and args[0] == "run":
        from hornbeam.compat import run

        run.main(args[1:])
    is_command = args and args[0] in COMMANDS and not os.path.exists(args[0])
    if module and args and not is_command and args[0] not in ("--help", "--version"):
        from hornbeam.compat import run

        run.main(args)
    from hornbeam.cli.app import run_app

    return run_app(args)
