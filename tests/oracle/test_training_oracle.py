"""Variables, scopes and training here against TensorFlow: equal node names, equal values after training, equal errors."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import hornbeam as tf

from . import cases_training as cases
from .compare import needs_oracle, oracle

pytestmark = needs_oracle
SOURCE = Path(cases.__file__).read_text("utf-8")


@pytest.mark.parametrize("program", cases.all_programs(), ids=lambda p: cases.label(*p))
def test_program_gives_what_tensorflow_gives(program: tuple[str, str, dict[str, Any]]) -> None:
    kind, name, args = program
    ours = cases.run(tf, kind, name, **args)
    theirs = oracle().call(SOURCE, kind=kind, name=name, args=args)
    cases.compare(ours, theirs, cases.label(*program), rtol=1e-12 if args.get("dtype") == "float64" else 1e-6)
