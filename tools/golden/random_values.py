"""Writes tests/golden/random/values.npz: what TensorFlow draws for the cases of tests/ops/random_cases.py.

HORNBEAM_ORACLE=/path/to/python-with-tensorflow-2.15.1 python tools/golden/random_values.py
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from tests.ops import random_cases  # noqa: E402

SIZE = 53


def main() -> None:
    """One array a case, run and fetch; bfloat16 as its bits, strings as fixed-width bytes."""
    values = {}
    for case in random_cases.CASES:
        for run, fetches in enumerate(random_cases.run_there(case, SIZE)):
            for i, value in enumerate(fetches):
                value = np.asarray(value)
                if value.dtype.name == "bfloat16":
                    value = value.view(np.uint16)
                elif value.dtype == object:
                    value = value.astype(bytes)
                values[f"{case.name}/{run}/{i}"] = value
    out = ROOT / "tests" / "golden" / "random" / "values.npz"
    out.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(out, **values)
    print(f"{out.relative_to(ROOT)}: {len(values)} arrays, {out.stat().st_size} bytes")


if __name__ == "__main__":
    main()
