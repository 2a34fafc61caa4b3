"""Makes `tests/golden/ops/<family>.npz` (TensorFlow's outputs and gradients for every row of the case tables) and `api_<family>.npz`
(what it returns for every call of `tests/oracle/cases_api_<family>.py`).

    HORNBEAM_ORACLE=/path/to/python-with-tensorflow-2.15 python tools/golden/ops.py [family ...]

Run it after adding rows to `tests/oracle/cases_<family>.py`. Rows whose op is not registered here yet are left out, and named.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from hornbeam.core import registry  # noqa: E402
from tests.oracle import api_calls, cases, compare, golden  # noqa: E402


def answer(c: cases.Case) -> dict[str, object]:
    """TensorFlow's values, and gradients when the row has them."""
    if c.options.get("error"):
        return {"error": c.options["error"]}
    b = compare.build(c)
    result: dict[str, object] = {}
    oracle = compare.oracle()
    values = oracle.ask("run", graph=b.graph_def, fetches=b.outputs, feeds=b.feeds)["values"]
    result["values"] = values
    if c.options.get("grad", True) and b.xs and b.ys:
        compare.add_grad_ys(b, c, values)
        try:
            result["grads"] = oracle.ask(
                "gradients", graph=b.graph_def, ys=b.ys, xs=b.xs, grad_ys=b.grad_ys, feeds=b.feeds, forward=b.outputs
            )["grads"]
        except compare.OracleError as e:
            if e.kind != "LookupError":
                raise
            result["no_gradient"] = True
    return result


def main(families: list[str]) -> int:
    failed = 0
    for family in [f for f in api_calls.families() if not families or f"api_{f}" in families]:
        calls, _ = api_calls.load(family)
        size = api_calls.save(family, dict(zip(calls, api_calls.call_oracle(calls), strict=True)))
        print(f"api_{family}: {len(calls)} calls, {size:,} bytes")
    for family in [f for f in cases.families() if not families or f in families]:
        writer = golden.Writer()
        rows = cases.load(family)
        for c in rows:
            if registry.lookup(c.op) is None:
                print(f"{family}: {c.id}: op is not registered, left out", file=sys.stderr)
                continue
            try:
                writer.add(c, answer(c))
            except Exception as e:  # the other rows are still worth having
                failed += 1
                print(f"{family}: {c.id}: {type(e).__name__}: {str(e)[:300]}", file=sys.stderr)
        size = writer.save(family)
        print(f"{family}: {len(rows)} rows, {size:,} bytes")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
