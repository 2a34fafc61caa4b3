"""Functions that host code calls again and again on small values (tf.data): interpreted with NumPy when their kernels allow it, else compiled."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

import numpy as np

from hornbeam.core import dtypes, errors
from hornbeam.core.function import Function
from hornbeam.core.graph import Tensor
from hornbeam.core.state import VarRef
from hornbeam.ops import xp as xp_module
from hornbeam.runtime.context import Context, State, x64
from hornbeam.runtime.functional import function_steps
from hornbeam.runtime.plan import run_function
from hornbeam.runtime.steps import Cut, Step, run_steps

_UNTRIED, _INTERPRETED, _COMPILED, _EAGER = range(4)
_PROGRAMS = 16  # input signatures worth a program each; with more (images of all sizes) kernels run one by one


class RandomState:
    """Keys and counters of the random ops in the functions of one iterator: a new iterator starts the sequences anew."""

    __slots__ = ("counters", "keys", "lock")

    def __init__(self) -> None:
        self.counters: dict[str, int] = {}
        self.keys: dict[str, np.ndarray[Any, Any]] = {}
        self.lock = threading.Lock()

    def advance(self, key: str, groups: int) -> int:
        with self.lock:
            at = self.counters.get(key, 0)
            self.counters[key] = (at + groups) & 0xFFFFFFFFFFFFFFFF
            return at

    def key(self, name: str) -> np.ndarray[Any, Any]:
        with self.lock:
            found = self.keys.get(name)
            if found is None:
                found = self.keys[name] = np.random.SeedSequence().generate_state(2, np.uint64)
            return found


class _CallContext(Context):
    """A kernel's context inside a call: state as everywhere, random numbers from the iterator's own counters."""

    __slots__ = ("random",)

    def __init__(self, state: State, scope: str, random: RandomState) -> None:
        super().__init__(state.values, state, interpreting=True, scope=scope, host=True)
        self.random = random

    def random_counter(self, n: Any) -> Any:
        return np.uint64(self.random.advance(self.scope + self.node, int(n)))

    def random_key(self, seed: int, seed2: int) -> tuple[Any, Any]:
        if seed or seed2:
            return np.uint64(seed & 0xFFFFFFFFFFFFFFFF), np.uint64(seed2 & 0xFFFFFFFFFFFFFFFF)
        a, b = self.random.key(self.scope + self.node)
        return np.uint64(a), np.uint64(b)


class HostFunction:
    """A function and the values it captured. Calling it with arguments gives its results as NumPy values.

    A body of kernels that give NumPy for NumPy is interpreted: no program is compiled for a shape. Otherwise each input
    signature gets a program, unless there are too many of them.
    """

    def __init__(self, function: Function, captured: Sequence[Any], state: State) -> None:
        self.function = function
        self.name = function.name
        self.captured = list(captured)
        self.state = state
        self._steps = function_steps(function)
        self._mode = _INTERPRETED if all(_exact(s) for s in self._steps) else function.cache.get("host mode", _UNTRIED)
        self._pure = all(s.op.spec.numpy and not s.functional for s in self._steps)
        self._settled: set[Any] = set()
        self._lock = threading.Lock()

    def __call__(self, args: Sequence[Any], random: RandomState) -> list[Any]:
        values = [*args, *self.captured]
        if self._mode == _INTERPRETED:
            return self._interpret(values, random)
        if self._mode == _UNTRIED:
            return self._try(values, random)
        if self._mode == _EAGER:
            return self._one_by_one(values, random)
        return self._run_program(values, random)

    def _env(self, values: list[Any]) -> dict[Tensor, Any]:
        f = self.function
        if len(values) != len(f.inputs):
            raise errors.InvalidArgumentError(
                None, None, f"Function {f.name} takes {len(f.inputs)} arguments, got {len(values)}."
            )
        env: dict[Tensor, Any] = dict(f.cache["constants"])
        env.update(zip(f.inputs, values, strict=True))
        return env

    def _results(self, env: dict[Tensor, Any], ctx: Context) -> list[Any]:
        outs = []
        for t in self.function.outputs:
            v = env[t]
            if isinstance(v, VarRef) and t._dtype is not dtypes.resource:
                v = ctx.read(v)
            outs.append(np.asarray(v) if hasattr(v, "aval") else v)
        return outs

    def _interpret(self, values: list[Any], random: RandomState, seen: list[Any] | None = None) -> list[Any]:
        env = self._env(values)
        ctx = _CallContext(self.state, f"{self.name}/", random)
        depth = xp_module._INTERPRETING
        depth[0] += 1
        try:
            if self._pure:
                run_steps(self._steps, env, ctx)
            else:
                with x64():
                    run_steps(self._steps, env, ctx)
        finally:
            depth[0] -= 1
        if seen is not None:
            seen.extend(env.values())
        return self._results(env, ctx)

    def _try(self, values: list[Any], random: RandomState) -> list[Any]:
        """The first call: do all kernels stay with NumPy?"""
        seen: list[Any] = []
        try:
            out = self._interpret(values, random, seen)
        except errors.OpError as e:
            if e._op is not None and e._op.spec.host:
                raise
            out = None
        except (Cut, AttributeError, TypeError, ValueError, IndexError, NotImplementedError):
            out = None
        mode = _INTERPRETED if out is not None and not any(hasattr(v, "aval") for v in seen) else _COMPILED
        self.function.cache["host mode"] = self._mode = mode
        return self._run_program(values, random) if out is None else out

    def _run_program(self, values: list[Any], random: RandomState) -> list[Any]:
        signature = tuple(v.shape if hasattr(v, "shape") else None for v in values)
        if signature in self._settled:
            results = run_function(self.function, values, self.state)
        else:
            with self._lock:  # a plan may be cut while it runs for the first time
                results = run_function(self.function, values, self.state)
                self._settled.add(signature)
                if len(self._settled) > _PROGRAMS:
                    self._mode = _EAGER
        return [np.asarray(v) if hasattr(v, "aval") else v for v in results]

    def _one_by_one(self, values: list[Any], random: RandomState) -> list[Any]:
        env = self._env(values)
        ctx = _CallContext(self.state, f"{self.name}/", random)
        depth = xp_module._INTERPRETING
        depth[0] += 1
        try:
            with x64():
                for s in self._steps:
                    run_steps((s,), env, ctx)
                    for t in s.outputs:
                        if hasattr(env[t], "aval"):
                            env[t] = np.asarray(env[t])
        except (Cut, AttributeError):  # a kernel that can only be traced
            self._mode = _COMPILED
            return self._run_program(values, random)
        finally:
            depth[0] -= 1
        return self._results(env, ctx)


def _exact(s: Step) -> bool:
    spec = s.op.spec
    if s.functional or s.bounded:
        return False
    return spec.numpy or spec.host or any(t._dtype._base is dtypes.string for t in (*s.op._inputs, *s.op._outputs))
