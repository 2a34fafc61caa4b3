"""API calls against what TensorFlow returned for them (kept in golden files, made by tools/golden/ops.py)."""

from __future__ import annotations

import pytest

from tests.oracle import api_calls
from tests.oracle.test_api_oracle import compare


@pytest.mark.parametrize("family", api_calls.families())
def test_calls_give_what_tensorflow_gave(family: str) -> None:
    calls, other = api_calls.load(family)
    theirs = api_calls.saved(family)
    assert set(calls) == set(theirs), f"run tools/golden/ops.py api_{family}"
    problems = []
    for expression, ours in zip(calls, api_calls.call_here(calls), strict=True):
        try:
            compare(expression, ours, theirs[expression], expression not in other)
        except AssertionError as e:
            problems.append(str(e).strip()[:600])
    assert not problems, f"{len(problems)} of {len(calls)} calls differ:\n" + "\n".join(problems)
