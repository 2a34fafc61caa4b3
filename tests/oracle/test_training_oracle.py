"""Variables, scopes and training here against TensorFlow: equal node names, equal values after training, equal errors."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import hornbeam as tf

from . import cases_training as cases
from .compare import needs_oracle, oracle

pytestmark = needs_oracle
SOURCE = Path(cases.__file__).read_text("utf-8")


def both(kind: str, name: str, **args: Any) -> tuple[Any, Any]:
    return cases.run(tf, kind, name, **args), oracle().call(SOURCE, kind=kind, name=name, args=args)


def equal(ours: Any, theirs: Any, where: str = "", rtol: float = 1e-6) -> None:
    if isinstance(theirs, dict):
        assert sorted(ours) == sorted(theirs), where
        for k in theirs:
            equal(ours[k], theirs[k], f"{where}/{k}", rtol)
    elif isinstance(theirs, (list, tuple)):
        assert len(ours) == len(theirs), where
        for i, (a, b) in enumerate(zip(ours, theirs, strict=True)):
            equal(a, b, f"{where}[{i}]", rtol)
    elif isinstance(theirs, (np.ndarray, np.generic)):
        a = np.asarray(ours)
        assert a.shape == theirs.shape, where
        np.testing.assert_allclose(a.astype("float64"), theirs.astype("float64"), rtol=rtol, atol=1e-7, err_msg=where)
    elif isinstance(theirs, str) and theirs.startswith("variable_name:"):
        assert sorted(ours.split("\n")) == sorted(theirs.split("\n")), where  # a proto's text: the order of fields is free
    else:
        assert ours == theirs, where


@pytest.mark.parametrize("name", list(cases.PROGRAMS["graph"]))
def test_graph_has_the_nodes_that_tensorflow_makes(name: str) -> None:
    ours, theirs = both("graph", name)
    assert sorted(ours) == sorted(theirs)
    for node, (op, data, control, places) in theirs.items():
        assert ours[node] == [op, data, control, places], node


@pytest.mark.parametrize("name", list(cases.PROGRAMS["value"]))
def test_program_gives_what_tensorflow_gives(name: str) -> None:
    equal(*both("value", name), name)


@pytest.mark.parametrize("resource", [False, True], ids=["ref", "resource"])
@pytest.mark.parametrize("sparse", [False, True], ids=["dense", "sparse"])
@pytest.mark.parametrize("name", cases.OPTIMIZERS)
def test_five_steps_give_tensorflows_variables_and_slots(name: str, sparse: bool, resource: bool) -> None:
    equal(*both("train", name, sparse=sparse, resource=resource, dtype="float32"), name)


# TensorFlow's proximal optimizers do not take double variables
@pytest.mark.parametrize("name", [n for n in cases.OPTIMIZERS if "Proximal" not in n])
def test_five_steps_in_double_precision(name: str) -> None:
    equal(*both("train", name, sparse=False, resource=False, dtype="float64"), name, rtol=1e-12)
