"""Every random op, initializer and sampler draws TensorFlow's values, run after run.

The golden file is made by tools/golden/random_values.py.
"""

from __future__ import annotations

import functools
import zipfile
from pathlib import Path

import numpy as np
import pytest

from tests.ops import random_cases
from tests.ops.random_cases import CASES, Case

GOLDEN = Path(__file__).parents[1] / "golden" / "random" / "values.npz"
SIZE = 53


@functools.cache
def golden() -> dict[str, np.ndarray]:
    with np.load(GOLDEN) as file:
        return dict(file)


@pytest.mark.parametrize("case", CASES, ids=lambda c: c.name)
def test_values_are_tensorflows(case: Case) -> None:
    """The first run is interpreted with NumPy, the later ones are compiled."""
    for run, fetches in enumerate(random_cases.run_here(case, SIZE)):
        for i, value in enumerate(fetches):
            expected = golden()[f"{case.name}/{run}/{i}"]
            value = np.asarray(value)
            if value.dtype.name == "bfloat16":
                value = value.view(np.uint16)
            elif value.dtype == object:
                value = value.astype(bytes)
            assert random_cases.distance(value, expected) <= case.ulps, f"run {run}, output {i}"


def test_golden_file_holds_every_case() -> None:
    with zipfile.ZipFile(GOLDEN) as file:
        assert {name.split("/")[0] for name in file.namelist()} == {c.name for c in CASES}
