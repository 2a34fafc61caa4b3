"""The command line as a whole: help, versions, coverage, and how fast it starts."""

from __future__ import annotations

import json
import time

import pytest

from hornbeam.cli import COMMANDS
from hornbeam.cli.app import run_app
from tests.compat.programs import hornbeam, python


def test_help_lists_every_command_and_is_fast(tmp_path):
    seconds = []
    for _ in range(3):
        start = time.perf_counter()
        result = hornbeam("--help", cwd=tmp_path)
        seconds.append(time.perf_counter() - start)
    assert result.code == 0 and all(f"\n  {command} " in result.out for command in COMMANDS)
    bare = min(_timed(python, "-c", "import click", cwd=tmp_path) for _ in range(3))
    assert min(seconds) < bare + 0.3


def _timed(run, *args, **options):
    start = time.perf_counter()
    run(*args, **options)
    return time.perf_counter() - start


def test_version_and_module_form(tmp_path):
    assert "TensorFlow 1.15 API" in hornbeam("--version", cwd=tmp_path).out
    assert python("-m", "hornbeam", "--help", cwd=tmp_path).out.startswith("Usage: hornbeam")
    assert python("-m", "hornbeam", "coverage", "version", cwd=tmp_path).code == 0


def test_run_has_its_own_help(tmp_path):
    assert "--no-legacy" in hornbeam("run", "--help", cwd=tmp_path).out


def test_unknown_command_exits_2(tmp_path):
    assert hornbeam("nonsense", cwd=tmp_path).code == 2


def test_coverage_counts_what_the_table_holds(capsys):
    assert run_app(["coverage", "--json", "version"]) == 0
    assert json.loads(capsys.readouterr().out) == [{"namespace": "version", "covered": 6, "total": 6}]


def test_coverage_lists_missing_names(capsys):
    assert run_app(["coverage", "--missing", "contrib.kfac"]) == 0
    out = capsys.readouterr().out.split()
    assert out in ([], ["tf.contrib.kfac.estimator", "tf.contrib.kfac.layer_collection", "tf.contrib.kfac.optimizer"])


def test_coverage_of_a_namespace_tensorflow_never_had(capsys):
    assert run_app(["coverage", "nonsense"]) == 2


@pytest.mark.parametrize("option", ["--modules", "--markdown", "--ops"])
def test_coverage_listings_are_not_empty(capsys, option):
    assert run_app(["coverage", option]) == 0
    assert len(capsys.readouterr().out.splitlines()) > 10
