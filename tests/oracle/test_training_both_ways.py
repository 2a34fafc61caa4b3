"""A training graph written by either side goes on in the other with the same losses; frozen graphs give equal outputs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

ORACLE = os.environ.get("HORNBEAM_ORACLE")
PROGRAM = Path(__file__).parent / "programs" / "training.py"
pytestmark = pytest.mark.skipif(not ORACLE, reason="HORNBEAM_ORACLE names no interpreter with TensorFlow 2.15.1")


def run(side: str, *args: Any) -> dict[str, Any]:
    command = [ORACLE] if side == "tensorflow" else [sys.executable, "-m", "hornbeam"]
    env = dict(os.environ, TF_CPP_MIN_LOG_LEVEL="3")
    done = subprocess.run(
        [*command, str(PROGRAM), *map(str, args)], capture_output=True, text=True, timeout=300, env=env
    )  # type: ignore[list-item]
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.strip().splitlines()[-1])  # type: ignore[no-any-return]


@pytest.mark.parametrize("optimizer", ["Adam", "Momentum"])
@pytest.mark.parametrize("writer", ["hornbeam", "tensorflow"])
def test_training_goes_on_in_the_other(tmp_path: Path, optimizer: str, writer: str) -> None:
    reader = "tensorflow" if writer == "hornbeam" else "hornbeam"
    prefix = tmp_path / "model"
    written = run(writer, "build", optimizer, prefix, 3)
    there = run(reader, "go_on", optimizer, prefix, 8)
    here = run(writer, "go_on", optimizer, prefix, 8)
    assert there["first"] == here["first"] == 3
    assert there["variables"] == written["variables"]
    np.testing.assert_allclose(there["losses"], here["losses"], rtol=1e-4)
    assert len(set(there["losses"])) == 8


@pytest.mark.parametrize("optimizer", ["Adam", "Momentum"])
def test_the_same_program_gives_the_same_losses_from_its_seeds(tmp_path: Path, optimizer: str) -> None:
    ours = run("hornbeam", "build", optimizer, tmp_path / "ours", 8)
    theirs = run("tensorflow", "build", optimizer, tmp_path / "theirs", 8)
    assert ours["variables"] == theirs["variables"]
    np.testing.assert_allclose(ours["losses"], theirs["losses"], rtol=1e-4)
