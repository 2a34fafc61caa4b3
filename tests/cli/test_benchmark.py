"""The benchmark harness: what it makes of two sides' figures, and how it runs a program."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def spine():
    spec = importlib.util.spec_from_file_location("spine_benchmark", ROOT / "benchmarks" / "spine.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def test_medians_ratios_and_targets(spine):
    results = {
        "tensorflow": [{"mlp_step_ms": v, "import_s": 4.0} for v in (2.0, 9.0, 3.0)],
        "hornbeam": [{"mlp_step_ms": v, "import_s": 1.0} for v in (1.0, 1.5, 8.0)],
    }
    rows = {row["figure"]: row for row in spine.table(results)}
    assert rows["mlp_step_ms"] | {"what": ""} == {
        "figure": "mlp_step_ms", "what": "", "target": 1.0, "errors": [], "tensorflow": 3.0, "hornbeam": 1.5, "ratio": 0.5,
        "reached": True,
    }  # fmt: skip
    assert rows["import_s"]["reached"] is False and set(rows) == {"mlp_step_ms", "import_s"}
    text = spine.as_text(list(rows.values()))
    assert "missed" in text.splitlines()[1] and "missed" not in text.splitlines()[2]
    about = {"machine": "m", "python": "3", "rounds": 3}
    assert "| `mlp_step_ms` |" in spine.as_markdown(list(rows.values()), about)


def test_a_figure_that_failed_is_reported_with_its_error(spine):
    results = {"tensorflow": [{"lenet_step_ms": 2.0}], "hornbeam": [{"lenet_step_ms_error": "ValueError('x')"}]}
    (row,) = spine.table(results)
    assert row["ratio"] is None and row["errors"] == ["ValueError('x')"]
    assert "ValueError" in spine.as_text([row])


def test_a_program_that_dies_shows_its_error(spine, tmp_path):
    program = tmp_path / "p.py"
    program.write_text("import sys; print('out'); sys.exit('broken ' + sys.argv[1])")
    side = spine.Side("here", (sys.executable,))
    with pytest.raises(RuntimeError, match="p.py failed on here:\nbroken x"):
        side.run(program, "x", env={})
    program.write_text("import os; print(os.environ['SOME'])")
    assert side.run(program, env={"SOME": "thing"}) == "thing\n"


def test_every_figure_has_a_meaning(spine):
    assert set(spine.TARGETS) == set(spine.MEANING)
