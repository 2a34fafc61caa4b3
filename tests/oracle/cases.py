"""The language of the case tables (`cases_<family>.py`): one row names an op, its inputs and attributes; data is made from a seed.

A table is a list `CASES` of `case(op, *inputs, **attrs)`. An input is a NumPy array, a Python value (int -> int32, float -> float32), a list of
inputs (for a list argument), or a recipe:

    F(2, 3)                     float32 normal numbers of that shape;  F(2, 3, t="float64", lo=0.1, hi=2) uniform ones
    I(4, lo=0, hi=5)            int32 numbers in [lo, hi);  I(4, t="int64")
    B(2, 3)                     booleans
    K(value)                    fed as a Const node, not as a placeholder: axes, shapes (any of the above inside; a list is int32)
    S("a", "b")                 a vector of strings

Options of a row begin with an underscore: `_rtol`, `_atol`, `_grad=False` (no gradient comparison), `_error="InvalidArgumentError"`
(TensorFlow raises this), `_values=False` (only dtypes and shapes are compared: random ops), `_check=f` (a function of the list of outputs: what is
compared instead of them, e.g. where signs are free), `_unknown=False` (skip the run with placeholders of unknown shape), `_zero=False`
(skip the run with empty inputs), `_ys=[0]` (the outputs to differentiate).
"""

from __future__ import annotations

import importlib
import zlib
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from .wire import np_dtype


@dataclass(frozen=True)
class Recipe:
    make: Callable[[np.random.Generator], Any]


@dataclass(frozen=True)
class K:
    """A Const input."""

    value: Any


def F(*shape: int, t: str = "float32", lo: float | None = None, hi: float | None = None) -> Recipe:
    def make(rng: np.random.Generator) -> Any:
        def draw() -> Any:
            return rng.standard_normal(shape) if lo is None else rng.uniform(lo, 1.0 if hi is None else hi, shape)

        dtype = np_dtype(t)
        with np.errstate(all="ignore"):
            return (draw() + 1j * draw() if dtype.kind == "c" else np.asarray(draw())).astype(dtype)

    return Recipe(make)


def I(*shape: int, t: str = "int32", lo: int = 0, hi: int = 10) -> Recipe:  # noqa: E743
    return Recipe(lambda rng: rng.integers(lo, hi, shape).astype(t) if shape else np.asarray(rng.integers(lo, hi), t))


def B(*shape: int) -> Recipe:
    return Recipe(lambda rng: np.asarray(rng.integers(0, 2, shape), bool))


def S(*values: Any) -> np.ndarray[Any, Any]:
    return strings(list(values))


def strings(values: Any) -> np.ndarray[Any, Any]:
    array = np.array(values, dtype=object)
    flat = [v.encode() if isinstance(v, str) else v for v in array.reshape(-1)]
    out = np.empty(len(flat), object)
    out[:] = flat
    return out.reshape(array.shape)


def resolve(value: Any, rng: np.random.Generator) -> Any:
    """A recipe as data: arrays, K(array) or lists of them."""
    if isinstance(value, K):
        inner = value.value
        return K(resolve(np.array(inner, np.int32) if isinstance(inner, list) else inner, rng))
    if isinstance(value, Recipe):
        return value.make(rng)
    if isinstance(value, list):
        return [resolve(v, rng) for v in value]
    if isinstance(value, np.ndarray):
        return strings(value) if value.dtype.kind in "SU" else value
    if isinstance(value, (str, bytes)):
        return strings(value)
    array = np.asarray(value)
    if array.dtype == np.int64 and not isinstance(value, np.generic):
        array = array.astype(np.int32)
    if array.dtype == np.float64 and not isinstance(value, np.generic):
        array = array.astype(np.float32)
    return array


@dataclass
class Case:
    op: str
    raw_inputs: tuple[Any, ...]
    attrs: dict[str, Any]
    options: dict[str, Any] = field(default_factory=dict)
    index: int = 0

    @property
    def id(self) -> str:
        return f"{self.op}-{self.index}"

    @property
    def rng(self) -> np.random.Generator:
        return np.random.default_rng(zlib.crc32(self.id.encode()))

    @property
    def inputs(self) -> list[Any]:
        rng = self.rng
        return [resolve(v, rng) for v in self.raw_inputs]


def case(op: str, *inputs: Any, **attrs: Any) -> Case:
    options = {k[1:]: attrs.pop(k) for k in list(attrs) if k.startswith("_")}
    return Case(op, inputs, attrs, options)


def load(family: str) -> list[Case]:
    """The rows of `cases_<family>.py`, numbered within each op (so a new row goes after its op's other rows)."""
    table: list[Case] = importlib.import_module(f"{__package__}.cases_{family}").CASES
    counts: dict[str, int] = defaultdict(int)
    for c in table:
        c.index = counts[c.op]
        counts[c.op] += 1
    return table


def families() -> list[str]:
    """The families that have a table of rows."""
    names = sorted(p.stem.removeprefix("cases_") for p in Path(__file__).parent.glob("cases_*.py"))
    return [n for n in names if hasattr(importlib.import_module(f"{__package__}.cases_{n}"), "CASES")]
