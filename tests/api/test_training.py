"""Variables, scopes and training give what TensorFlow gave: node names, values after training, errors (golden answers)."""

from __future__ import annotations

import gzip
import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest

import hornbeam as tf
from tests.oracle import cases_training as cases

GOLDEN = Path(__file__).parents[1] / "golden" / "training.json.gz"


@cache
def golden() -> dict[str, Any]:
    return json.loads(gzip.decompress(GOLDEN.read_bytes()))  # type: ignore[no-any-return]


@pytest.mark.parametrize("program", cases.all_programs(), ids=lambda p: cases.label(*p))
def test_program_gives_what_tensorflow_gave(program: tuple[str, str, dict[str, Any]]) -> None:
    kind, name, args = program
    ours = cases.run(tf, kind, name, **args)
    cases.compare(
        ours,
        golden()[cases.label(*program)],
        cases.label(*program),
        rtol=1e-12 if args.get("dtype") == "float64" else 1e-6,
    )
