"""Forward values and gradients of every op against TensorFlow's, kept in golden files (made by tools/golden/ops.py)."""

from __future__ import annotations

from itertools import groupby
from typing import Any

import pytest

import hornbeam as tf
from tests.oracle import cases, golden
from tests.oracle.compare import add_grad_ys, assert_same, build, compare_outputs, gradients_here, run_here

FAMILIES = cases.families()


def _by_op() -> list[Any]:
    rows = []
    for family in FAMILIES:
        table = sorted(cases.load(family), key=lambda c: c.op)
        rows += [
            pytest.param(family, list(group), id=f"{family}-{op}") for op, group in groupby(table, key=lambda c: c.op)
        ]
    return rows


_LOADED: dict[str, dict[str, Any]] = {}


def _golden(family: str) -> dict[str, Any]:
    if family not in _LOADED:
        _LOADED[family] = golden.load(family)
    return _LOADED[family]


@pytest.mark.parametrize(("family", "rows"), _by_op())
def test_op_gives_tensorflows_values_and_gradients(family: str, rows: list[cases.Case]) -> None:
    """All rows of one op run in one graph, so that they compile together."""
    entries = _golden(family)
    graph = tf.Graph()
    work = []
    for c in rows:
        entry = entries.get(c.id)
        assert entry is not None, f"{c.id} has no golden values: run tools/golden/ops.py {family}"
        assert entry["case"] == golden.fingerprint(c), f"{c.id} changed since its golden values were made"
        if "error" in entry:
            _assert_error(c, entry["error"])
            continue
        prefix = f"{c.op}{c.index}_"
        b = build(c, "static", graph=graph, prefix=prefix)
        grads: list[Any] = []
        if "grads" in entry:
            add_grad_ys(b, c, entry["values"], prefix)
            grads = gradients_here(b)
            have = [g is not None for g in grads]
            assert have == [g is not None for g in entry["grads"]], f"{c.id}: gradients present: {have}"
        elif entry.get("no_gradient"):
            add_grad_ys(b, c, entry["values"], prefix)
            with pytest.raises(LookupError):
                gradients_here(b)
        work.append((c, entry, b, grads))
    fetches = [f for _, _, b, grads in work for f in (*b.outputs, *(g for g in grads if g is not None))]
    feeds = {k: v for _, _, b, _ in work for k, v in b.feeds.items()}
    values = iter(run_here(graph, fetches, feeds) if fetches else [])
    for c, entry, b, grads in work:
        ours = [next(values) for _ in b.outputs]
        compare_outputs(c, ours, entry["values"], c.id, c.options.get("rtol"), c.options.get("atol"))
        for x, g, theirs in zip(b.xs, grads, entry.get("grads", []), strict=False):
            if g is not None:
                assert_same(
                    next(values),
                    theirs,
                    f"{c.id} gradient by {x}",
                    c.options.get("rtol"),
                    c.options.get("atol"),
                    scale=10,
                )


def _assert_error(c: cases.Case, expected: str) -> None:
    with pytest.raises((tf.errors.OpError, ValueError, TypeError)) as caught:
        b = build(c, "unknown")
        run_here(b.graph, b.outputs, b.feeds)
    assert type(caught.value).__name__ == expected, f"{c.id}: {caught.value!r}"
