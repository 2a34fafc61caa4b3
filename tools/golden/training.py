"""Writes tests/golden/training.json.gz: what TensorFlow gives for every program of tests/oracle/cases_training.py.

HORNBEAM_ORACLE=/path/to/python-with-tensorflow-2.15.1 python tools/golden/training.py
"""

from __future__ import annotations

import gzip
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from tests.oracle import cases_training as cases  # noqa: E402
from tests.oracle.compare import oracle  # noqa: E402


def plain(x: Any) -> Any:
    """Arrays as {"array": nested lists, "dtype": name}; the rest as JSON has it."""
    if isinstance(x, (np.ndarray, np.generic)):
        x = np.asarray(x)
        return {
            "array": [v.decode() if isinstance(v, bytes) else v for v in x.reshape(-1).tolist()],
            "shape": list(x.shape),
            "dtype": x.dtype.name,
        }
    if isinstance(x, dict):
        return {k: plain(v) for k, v in x.items()}
    if isinstance(x, (list, tuple)):
        return [plain(v) for v in x]
    return x.decode() if isinstance(x, bytes) else x


def main() -> None:
    source = Path(cases.__file__).read_text("utf-8")
    answers = {
        cases.label(*p): plain(oracle().call(source, kind=p[0], name=p[1], args=p[2])) for p in cases.all_programs()
    }
    out = ROOT / "tests" / "golden" / "training.json.gz"
    with open(out, "wb") as raw, gzip.GzipFile("", "wb", fileobj=raw, mtime=0) as f:
        f.write(json.dumps(answers, sort_keys=True).encode())
    print(f"{out.relative_to(ROOT)}: {len(answers)} programs, {out.stat().st_size} bytes")


if __name__ == "__main__":
    main()
