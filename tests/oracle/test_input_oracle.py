"""Queues, readers, parsing and tables here against TensorFlow: equal nodes, values, errors."""

from __future__ import annotations

from pathlib import Path

import pytest

import hornbeam as tf

from . import cases_input as cases
from .cases_training import compare
from .compare import needs_oracle, oracle

pytestmark = needs_oracle
SOURCE = Path(cases.__file__).read_text("utf-8")


@pytest.mark.parametrize("name", cases.PROGRAMS)
def test_program_gives_what_tensorflow_gives(name: str) -> None:
    ours = cases.run(tf, name)
    theirs = oracle().call(SOURCE, name=name)
    compare(ours, theirs, name)
