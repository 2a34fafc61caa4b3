"""The programs of `nn_programs.py`: values, dtypes and static shapes as in TensorFlow."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import hornbeam as tf

from .compare import assert_same, needs_oracle, oracle
from .nn_programs import PRELUDE, PROGRAMS, source

pytestmark = [pytest.mark.oracle, needs_oracle]

MAIN = """
def main():
    import numpy as np, tensorflow.compat.v1 as tf
    scope = {{"np": np}}
    exec({prelude!r}, scope)
    exec({program!r}, scope)
    with tf.Graph().as_default(), tf.Session() as session:
        out = scope["program"](tf, np, scope["arrays"]())
        out = list(out) if isinstance(out, (tuple, list)) else [out]
        return {{"values": session.run(out), "shapes": [None if t.shape.rank is None else t.shape.as_list() for t in out]}}
"""


@pytest.mark.parametrize("name", sorted(PROGRAMS))
def test_program_gives_tensorflows_values(name: str) -> None:
    program = source(PROGRAMS[name])
    theirs = oracle().call(MAIN.format(prelude=PRELUDE, program=program))
    scope: dict[str, Any] = {"np": np}
    exec(PRELUDE, scope)
    exec(program, scope)
    with tf.Graph().as_default(), tf.Session() as session:
        out = scope["program"](tf, np, scope["arrays"]())
        out = list(out) if isinstance(out, (tuple, list)) else [out]
        values = session.run(out)
        shapes = [None if t.shape.ndims is None else t.shape.as_list() for t in out]
    for i, (value, other) in enumerate(zip(values, theirs["values"], strict=True)):
        assert_same(value, other, f"{name} output {i}", 1e-4, 2e-5)
    for i, (ours, other) in enumerate(zip(shapes, theirs["shapes"], strict=True)):
        assert other is None or all(o is None or m == o for m, o in zip(ours, other, strict=True)), (
            f"{name} output {i}: {ours}, {other}"
        )
