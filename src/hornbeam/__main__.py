"""`python -m hornbeam SCRIPT ARGS…` is `hornbeam run SCRIPT ARGS…`; `python -m hornbeam show …` is the command line itself."""

from __future__ import annotations

import sys

from hornbeam.cli import main

if __name__ == "__main__":
    sys.exit(main(module=True))
