"""Every call of the `cases_api_<family>` tables, live against TensorFlow."""

from __future__ import annotations

from typing import Any

import pytest

from . import api_calls
from .compare import assert_same, needs_oracle

pytestmark = [pytest.mark.oracle, needs_oracle]


def compare(expression: str, ours: Any, theirs: Any, names: bool) -> None:
    """Values, dtypes, static shapes and (if `names`) names, or the error's class."""
    if "error" in theirs:
        assert ours.get("error") == theirs["error"], (
            f"{expression}: {ours}\nTensorFlow: {theirs['error']}: {theirs['message']}"
        )
        return
    assert "error" not in ours, f"{expression}: {ours['error']}: {ours['message']}"
    assert len(ours["values"]) == len(theirs["values"]), expression
    for a, b in zip(ours["values"], theirs["values"], strict=True):
        if b is not None:
            assert_same(
                a,
                b,
                expression,
                rtol=1e-4 if b.dtype.kind in "fc" else None,
                atol=2e-5 if b.dtype.kind in "fc" else None,
            )
    for a, b in zip(ours["shapes"], theirs["shapes"], strict=True):
        assert b is None or (
            a is not None and len(a) == len(b) and all(q is None or p == q for p, q in zip(a, b, strict=True))
        ), f"{expression}: static shape {a}, TensorFlow's {b}"
    if names:
        assert ours["names"] == theirs["names"], expression


@pytest.mark.parametrize("family", api_calls.families())
def test_calls_give_what_tensorflow_gives(family: str) -> None:
    calls, other = api_calls.load(family)
    problems = []
    for expression, ours, theirs in zip(calls, api_calls.call_here(calls), api_calls.call_oracle(calls), strict=True):
        try:
            compare(expression, ours, theirs, expression not in other)
        except AssertionError as e:
            problems.append(str(e).strip()[:600])
    assert not problems, f"{len(problems)} of {len(calls)} calls differ:\n" + "\n".join(problems)
