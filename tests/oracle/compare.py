"""Runs an op here and in real TensorFlow (the oracle) and compares values, dtypes, static shapes, errors and gradients.

    check_op("Add", [F(2, 3), F(3)])                            # forward: shaped, partly known, unknown and zero-size inputs
    check_gradient("MatMul", [F(2, 3), F(3, 4)])                # tf.gradients on both sides, by values
    check_case(case("Sum", F(2, 3), K(1), keep_dims=True))      # both, as the case's options say
    oracle().call("def main(x): return tf.math.erf(x)...", x=1) # any TensorFlow program

The oracle is one long-lived process of the interpreter in $HORNBEAM_ORACLE (a Python with TensorFlow 2.15); the graph travels as GraphDef bytes.
"""

from __future__ import annotations

import atexit
import os
import subprocess
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pytest

import hornbeam as tf
from hornbeam.core import dtypes
from hornbeam.core.gradients import gradients
from hornbeam.core.registry import raw
from hornbeam.runtime import plan

from . import wire
from .cases import Case, K, case, resolve

ORACLE = os.environ.get("HORNBEAM_ORACLE")
needs_oracle = pytest.mark.skipif(not ORACLE, reason="HORNBEAM_ORACLE does not name a Python with TensorFlow 2.15")


class OracleError(Exception):
    """TensorFlow raised: `kind` is the class's name."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(f"{kind}: {message}")
        self.kind = kind
        self.message = message


class Oracle:
    """The other side of `server.py`."""

    def __init__(self, python: str) -> None:
        server = Path(__file__).with_name("server.py")
        self._process = subprocess.Popen(
            [python, str(server)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        self._lock = threading.Lock()
        atexit.register(self.close)

    def ask(self, command: str, **arguments: Any) -> Any:
        with self._lock:
            wire.send(self._process.stdin, {"command": command, **arguments})  # type: ignore[arg-type]
            answer = wire.receive(self._process.stdout)  # type: ignore[arg-type]
        if "error" in answer:
            raise OracleError(*answer["error"])
        return answer["ok"]

    def call(self, source: str, **args: Any) -> Any:
        """Runs `source`, which defines `main(**args)`, in TensorFlow; arrays, numbers, strings, lists and dicts travel."""
        return self.ask("call", source=source, args=args)

    def close(self) -> None:
        if self._process.poll() is None:
            self._process.stdin.close()  # type: ignore[union-attr]
            try:
                self._process.wait(5)
            except subprocess.TimeoutExpired:
                self._process.kill()


_ORACLE: list[Oracle] = []


def oracle() -> Oracle:
    """The oracle's process, started at the first call; skips the test when there is none."""
    if not ORACLE:
        pytest.skip("HORNBEAM_ORACLE does not name a Python with TensorFlow 2.15")
    if not _ORACLE:
        _ORACLE.append(Oracle(ORACLE))
    return _ORACLE[0]


# --- one op as a graph ---------------------------------------------------------------------------------------------------------
@dataclass
class Built:
    """The graph of one case: its feeds, outputs, and what its gradient needs."""

    graph: Any
    feeds: dict[str, Any] = field(default_factory=dict)
    outputs: list[str] = field(default_factory=list)
    xs: list[str] = field(default_factory=list)
    ys: list[str] = field(default_factory=list)
    grad_ys: list[str] = field(default_factory=list)

    @property
    def graph_def(self) -> bytes:
        return self.graph.as_graph_def().SerializeToString()  # type: ignore[no-any-return]


SHAPES: dict[str, Callable[[tuple[int, ...]], Any]] = {
    "static": lambda s: s,
    "partial": lambda s: (None, *s[1:]) if s else s,
    "unknown": lambda s: None,
}


def build(c: Case, mode: str = "static", inputs: list[Any] | None = None, graph: Any = None, prefix: str = "") -> Built:
    """The case's node with its inputs as placeholders (K inputs as Const). `mode` says what the placeholders' shapes tell."""
    b = Built(graph or tf.Graph())
    declared = raw.__getattr__(c.op).inputs
    attrs = dict(c.attrs)
    with b.graph.as_default():

        def feed(name: str, value: Any, dtype: Any = None) -> Any:
            if isinstance(value, K):
                from hornbeam.core.constant import const_node

                return const_node(value.value, dtype, name=name)
            shape = SHAPES[mode](value.shape)
            p = raw.Placeholder(dtype=dtype or dtypes.as_dtype(value.dtype), shape=shape, name=name)
            b.feeds[p.name] = value
            if p.dtype.is_floating or p.dtype.is_complex:
                b.xs.append(p.name)
            return p

        args = []
        for i, value in enumerate(c.inputs if inputs is None else inputs):
            wanted = declared[i].dtype
            if isinstance(value, list):
                args.append([feed(f"{prefix}x{i}_{k}", v, wanted) for k, v in enumerate(value)])
            else:
                args.append(feed(f"{prefix}x{i}", value, wanted))
        out = raw.__getattr__(c.op)(*args, name=f"{prefix}op", **attrs)
        outputs = b.graph.get_operation_by_name(f"{prefix}op").outputs
        del out
        b.outputs = [t.name for t in outputs]
        chosen = c.options.get("ys", range(len(outputs)))
        b.ys = [t.name for i, t in enumerate(outputs) if i in chosen and (t.dtype.is_floating or t.dtype.is_complex)]
    return b


def add_grad_ys(b: Built, c: Case, values: list[Any], prefix: str = "") -> None:
    """Placeholders for the gradients that come in, one per differentiable output, with fixed random values."""
    rng = np.random.default_rng(7)
    with b.graph.as_default():
        for y in b.ys:
            value = values[b.outputs.index(y)]
            t = b.graph.get_tensor_by_name(y)
            g = rng.standard_normal(value.shape)
            if t.dtype.is_complex:
                g = g + 1j * rng.standard_normal(value.shape)
            p = raw.Placeholder(dtype=t.dtype, shape=value.shape, name=f"{prefix}gy")
            b.feeds[p.name] = np.asarray(g).astype(value.dtype)
            b.grad_ys.append(p.name)


def _array(v: Any) -> Any:
    """A fetched value as an array; a string as an object, since NumPy's own strings lose zero bytes at the end."""
    return np.array(v, object) if isinstance(v, bytes) else np.asarray(v)


def run_here(graph: Any, fetches: Sequence[Any], feeds: dict[str, Any]) -> list[Any]:
    """The fetches, compiled; and where a first run is interpreted with NumPy, that must give the same."""
    fetches = list(fetches)
    with mock.patch.object(plan, "_INTERPRET_RUNS", 0), tf.Session(graph=graph) as session:
        compiled = [_array(v) for v in session.run(fetches, feeds)]
    specs = [o.spec for o in graph.get_operations() if o.type not in ("Placeholder", "Const")]
    if all(s.numpy and not s.stateful and not s.host for s in specs):
        with tf.Session(graph=graph) as session:
            interpreted = [_array(v) for v in session.run(fetches, feeds)]
        for name, a, b in zip(fetches, interpreted, compiled, strict=True):
            half = b.dtype.itemsize == 2  # XLA keeps more digits inside a fusion
            tolerance = {} if half else {"rtol": 1e-4, "atol": 1e-5}
            assert_same(a, b, f"{name} interpreted against compiled", **tolerance)
    return compiled


def gradients_here(b: Built) -> list[Any]:
    """Our gradient tensors of the case's ys by its xs (None where there is none), as dense tensors."""
    with b.graph.as_default():
        tensor = b.graph.get_tensor_by_name
        grads = gradients([tensor(y) for y in b.ys], [tensor(x) for x in b.xs], [tensor(y) for y in b.grad_ys])
        return [None if g is None else tf.convert_to_tensor(g) for g in grads]


# --- comparing -------------------------------------------------------------------------------------------------------------------
TOLERANCE = {"float16": (2e-3, 2e-3), "bfloat16": (1.6e-2, 1.6e-2), "float32": (1e-5, 1e-6), "float64": (1e-9, 1e-10),
             "complex64": (1e-5, 1e-6), "complex128": (1e-9, 1e-10)}  # fmt: skip


def assert_same(
    ours: Any, theirs: Any, what: str, rtol: float | None = None, atol: float | None = None, scale: float = 1.0
) -> None:
    """Equal dtype, shape and values; floats within tolerance, NaN equal to NaN."""
    ours, theirs = np.asarray(ours), np.asarray(theirs)
    assert ours.shape == theirs.shape, f"{what}: shape {ours.shape}, TensorFlow's {theirs.shape}"
    assert ours.dtype == theirs.dtype, f"{what}: dtype {ours.dtype}, TensorFlow's {theirs.dtype}"
    if ours.dtype.kind in "OSUbiu" and ours.dtype.name not in TOLERANCE:
        np.testing.assert_array_equal(ours, theirs, err_msg=what)
        return
    default = TOLERANCE[ours.dtype.name]
    wide = np.complex128 if ours.dtype.kind == "c" else np.float64
    np.testing.assert_allclose(
        ours.astype(wide), theirs.astype(wide), rtol=(default[0] if rtol is None else rtol) * scale,
        atol=(default[1] if atol is None else atol) * scale, err_msg=what,
    )  # fmt: skip


def assert_static_shape(t: Any, theirs: Any, value: Any, what: str) -> None:
    """Our static shape fits the value, and says no less than TensorFlow's."""
    ours = t.shape.as_list() if t.shape.dims is not None else None
    if ours is None:
        assert theirs is None, f"{what}: our static shape is unknown, TensorFlow's {theirs}"
        return
    if value is not None:
        assert len(ours) == value.ndim and all(a is None or a == b for a, b in zip(ours, value.shape, strict=True)), (
            f"{what}: static shape {ours}, value's {value.shape}"
        )
    if theirs is not None:
        assert len(ours) == len(theirs), f"{what}: static shape {ours}, TensorFlow's {theirs}"
        assert all(b is None or a == b for a, b in zip(ours, theirs, strict=True)), (
            f"{what}: static shape {ours}, TensorFlow's {theirs}"
        )


def empty_variant(inputs: list[Any]) -> list[Any] | None:
    """The inputs with an empty leading dimension, or None when no input has one to empty."""
    changed = False

    def shrink(v: Any) -> Any:
        nonlocal changed
        if isinstance(v, list):
            return [shrink(x) for x in v]
        if isinstance(v, K) or v.ndim == 0 or v.shape[0] == 1:
            return v
        changed = True
        return v[:0]

    shrunk = [shrink(v) for v in inputs]
    return shrunk if changed else None


def check_case(c: Case, modes: Sequence[str] | None = None) -> None:
    """Forward in every mode, gradients where the op has differentiable inputs and outputs, or the error the case expects."""
    if c.options.get("error"):
        check_error(c)
        return
    forward = _check_forward(c, modes)
    if c.options.get("grad", True) and forward is not None:
        _check_gradient(c, forward)


def _check_forward(c: Case, modes: Sequence[str] | None = None) -> list[Any] | None:
    rtol, atol = c.options.get("rtol"), c.options.get("atol")
    if modes is None:
        modes = ("static", "partial", "unknown") if c.options.get("unknown", True) else ("static",)
    first = None
    for mode in modes:
        b = build(c, mode)
        theirs = oracle().ask("run", graph=b.graph_def, fetches=b.outputs, feeds=b.feeds)
        ours = run_here(b.graph, b.outputs, b.feeds)
        compare_outputs(c, ours, theirs["values"], f"{c.id} [{mode}]", rtol, atol)
        for name, value in zip(b.outputs, ours, strict=True):
            assert_static_shape(
                b.graph.get_tensor_by_name(name), theirs["shapes"][name], value, f"{c.id} [{mode}] {name}"
            )
        first = first or ours
    empty = empty_variant(c.inputs) if c.options.get("zero", True) else None
    if empty is not None:
        try:
            b = build(c, "unknown", empty)
            theirs = oracle().ask("run", graph=b.graph_def, fetches=b.outputs, feeds=b.feeds)
        except (OracleError, ValueError):
            return first  # not legal in TensorFlow: nothing to compare
        compare_outputs(c, run_here(b.graph, b.outputs, b.feeds), theirs["values"], f"{c.id} [empty]", rtol, atol)
    return first


def compare_outputs(
    c: Case, ours: list[Any], theirs: list[Any], what: str, rtol: float | None, atol: float | None
) -> None:
    view = c.options.get("check")
    if view is not None:
        ours, theirs = view(ours), view(theirs)
    for i, (a, t) in enumerate(zip(ours, theirs, strict=True)):
        if c.options.get("values", True):
            assert_same(a, t, f"{what} output {i}", rtol, atol)
        else:
            assert (a.shape, a.dtype) == (t.shape, t.dtype), (
                f"{what} output {i}: {a.shape} {a.dtype}, TensorFlow's {t.shape} {t.dtype}"
            )


def _check_gradient(c: Case, forward: list[Any]) -> None:
    for mode in ("static", "unknown") if c.options.get("unknown", True) else ("static",):
        b = build(c, mode)
        if not b.xs or not b.ys:
            return
        add_grad_ys(b, c, forward)
        try:
            theirs = oracle().ask(
                "gradients", graph=b.graph_def, ys=b.ys, xs=b.xs, grad_ys=b.grad_ys, feeds=b.feeds, forward=b.outputs
            )
        except OracleError as e:
            if e.kind != "LookupError":
                raise
            with pytest.raises(LookupError):
                gradients_here(b)
            return
        grads = gradients_here(b)
        have = [g is not None for g in grads]
        assert have == [g is not None for g in theirs["grads"]], (
            f"{c.id} [{mode}]: gradients present {have}, TensorFlow's differ"
        )
        ours = iter(run_here(b.graph, [g for g in grads if g is not None], b.feeds) if any(have) else [])
        for x, tensor, t in zip(b.xs, grads, theirs["grads"], strict=True):
            if t is not None:
                value = next(ours)
                assert_static_shape(tensor, None, value, f"{c.id} [{mode}] gradient by {x}")
                assert_same(
                    value, t, f"{c.id} [{mode}] gradient by {x}", c.options.get("rtol"), c.options.get("atol"), scale=10
                )


def check_error(c: Case) -> None:
    """TensorFlow and we raise the same class of error, while building or while running."""
    from hornbeam.core import errors

    expected = c.options["error"]
    try:
        b = build(c, "unknown")
        with pytest.raises((errors.OpError, ValueError, TypeError)) as caught:
            run_here(b.graph, b.outputs, b.feeds)
        assert type(caught.value).__name__ == expected, f"{c.id}: we raise {caught.value!r}, expected {expected}"
        with pytest.raises(OracleError) as theirs:
            oracle().ask("run", graph=b.graph_def, fetches=b.outputs, feeds=b.feeds)
        assert theirs.value.kind == expected, f"{c.id}: TensorFlow raises {theirs.value}"
    except (ValueError, TypeError) as e:
        assert type(e).__name__ == expected, f"{c.id}: {e!r} while building"


def check_op(
    op_type: str, inputs: Sequence[Any], attrs: dict[str, Any] | None = None, rtol: float | None = None, atol: float | None = None,
    feed_shapes: Sequence[str] | None = None, **options: Any,
) -> None:  # fmt: skip
    """Forward comparison of one op; `feed_shapes` picks among 'static', 'partial', 'unknown'."""
    c = case(op_type, *inputs, **(attrs or {}))
    c.options = {"rtol": rtol, "atol": atol, **options}
    _check_forward(c, feed_shapes)


def check_gradient(
    op_type: str, inputs: Sequence[Any], attrs: dict[str, Any] | None = None, rtol: float | None = None, atol: float | None = None,
) -> None:  # fmt: skip
    """`tf.gradients` of all differentiable outputs by all differentiable inputs, on both sides."""
    c = case(op_type, *inputs, **(attrs or {}))
    c.options = {"rtol": rtol, "atol": atol}
    b = build(c)
    _check_gradient(c, run_here(b.graph, b.outputs, b.feeds))


__all__ = [
    "Oracle",
    "OracleError",
    "check_case",
    "check_error",
    "check_gradient",
    "check_op",
    "needs_oracle",
    "oracle",
    "resolve",
]
