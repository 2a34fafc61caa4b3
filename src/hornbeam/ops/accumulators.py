"""Conditional accumulators: gradients of several workers are added up until enough have come, and taken as one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from hornbeam.core import errors
from hornbeam.core.registry import no_gradient, op
from hornbeam.core.tensor_shape import Shape, compatible
from hornbeam.ops import shapes
from hornbeam.ops.host_queue import BLOCKED, DONE, Lines, Waiter
from hornbeam.ops.queues import names_node, remembered, resource_of, resource_ref


def bad(message: str) -> errors.InvalidArgumentError:
    return errors.InvalidArgumentError(None, None, message)


class Accumulator(Lines):
    """A sum of dense gradients and how many there are. Gradients older than the global step are dropped."""

    def __init__(self, dtype: Any, shape: Shape, mean: bool) -> None:
        super().__init__()
        self.dtype = dtype
        self.shape = shape
        self.mean = mean
        self.global_step = 0
        self.count = 0
        self._sum: Any = None

    def apply(self, local_step: int, *gradient: Any) -> None:
        self._check(*gradient)
        with self.mutex:
            if local_step >= self.global_step:
                self._add(*gradient)
                self.count += 1
                self.flush()

    def take(self, required: int, ctx: Any) -> Any:
        """The mean (or sum) of at least `required` gradients; waits for them, then starts anew one global step on."""
        if required <= 0:
            raise bad(f"Argument num_required must be positive, but was {required}")

        def step(w: Waiter) -> int:
            if self.count < required:
                return BLOCKED
            w.result = self._result()
            self.count, self._sum = 0, None
            self.global_step += 1
            return DONE

        return self.submit(self.dequeuers, Waiter(step, "TakeGrad"), ctx)

    def set_global_step(self, step: int) -> None:
        with self.mutex:
            self.global_step = step

    def _check(self, gradient: Any) -> None:
        if gradient.dtype != self.dtype.np:
            raise bad(f"Expected a gradient of type {self.dtype.name}, got {gradient.dtype}")
        if not compatible(self.shape, gradient.shape):
            raise bad(f"Shape mismatch: expected {_brackets(self.shape)}, got {_brackets(gradient.shape)}")
        if self._sum is not None and self._sum.shape != gradient.shape:
            raise bad(f"Shape mismatch: expected {_brackets(self._sum.shape)}, got {_brackets(gradient.shape)}")

    def _add(self, gradient: Any) -> None:
        self._sum = np.array(gradient) if self._sum is None else self._sum + gradient

    def _result(self) -> Any:
        return (self._sum / self.dtype.np.type(self.count)).astype(self.dtype.np) if self.mean else self._sum


class SparseAccumulator(Accumulator):
    """The same for rows of IndexedSlices; each row is divided by how often it came."""

    def _check(self, indices: Any, values: Any, shape: Any, known: bool) -> None:  # type: ignore[override]
        if values.dtype != self.dtype.np:
            raise bad(f"Expected a gradient of type {self.dtype.name}, got {values.dtype}")
        if values.ndim == 0 or len(indices) != len(values):
            raise bad(
                f"Number of indices ({len(indices)}) must be the first dimension of the values ({_brackets(values.shape)})"
            )
        given = tuple(int(d) for d in shape) if known else None
        if self.shape is not None:
            full = (self.shape[0], *values.shape[1:]) if given is None else given
            if not compatible(self.shape, full):
                raise bad(f"Shape mismatch: expected {_brackets(self.shape)}, got {_brackets(full)}")
        limit = given[0] if given else self.shape[0] if self.shape else None
        if len(indices) and (indices.min() < 0 or limit is not None and indices.max() >= limit):
            raise bad(f"Gradient indices must be in [0, {limit}), got {int(indices.min())} to {int(indices.max())}")

    def _add(self, indices: Any, values: Any, shape: Any, known: bool) -> None:  # type: ignore[override]
        rows: dict[int, list[Any]] = self._sum or {}
        for i, v in zip(indices.tolist(), values, strict=True):
            held = rows.get(i)
            if held is None:
                rows[i] = [np.array(v), 1]
            else:
                held[0] = held[0] + v
                held[1] += 1
        self._sum = rows
        if known:
            self._full = tuple(int(d) for d in shape)

    def _result(self) -> Any:
        rows = sorted(self._sum.items())
        inner = rows[0][1][0].shape if rows else tuple(d or 0 for d in (self.shape or (0,))[1:])
        values = np.empty((len(rows), *inner), self.dtype.np)
        for k, (_, (total, n)) in enumerate(rows):
            values[k] = total / self.dtype.np.type(n) if self.mean else total
        full = getattr(self, "_full", None) or tuple(-1 if d is None else d for d in self.shape or (-1, *inner))
        return np.array([i for i, _ in rows], np.int64), values, np.array(full, np.int64)


def _brackets(shape: Sequence[int | None] | None) -> str:
    return "<unknown>" if shape is None else "[" + ",".join("?" if d is None else str(d) for d in shape) + "]"


# --- operations ------------------------------------------------------------------------------------------------------------------
_NUMBERS = (
    "{float, double, int32, uint8, int16, int8, complex64, int64, qint8, quint8, qint32, bfloat16, qint16, quint16, uint16, complex128, half, "
    "uint32, uint64}"
)
_MAKE = f"dtype: {_NUMBERS}; shape: shape; container: string = ''; shared_name: string = ''; reduction_type: {{'MEAN', 'SUM'}} = 'MEAN'"


def _making(cls: type[Accumulator]) -> Callable[..., Any]:
    def make(ctx):
        a = ctx.op._attrs
        return resource_ref(
            "Accumulator", "accumulator/", ctx, lambda name: cls(a["dtype"], a["shape"], a["reduction_type"] == b"MEAN")
        )

    return remembered(make)


op(f"ConditionalAccumulator() -> (handle: Ref(string)); {_MAKE}", shape=lambda c: [(2,)], host=True, stateful=True)(
    _making(Accumulator)
)
op(f"ResourceConditionalAccumulator() -> (handle: resource); {_MAKE}", shape=shapes.scalar, host=True, stateful=True)(
    _making(Accumulator)
)
op(
    f"SparseConditionalAccumulator() -> (handle: Ref(string)); {_MAKE}",
    shape=lambda c: [(2,)],
    host=True,
    stateful=True,
)(_making(SparseAccumulator))


def _of(handle: Any, ctx: Any) -> Any:
    return resource_of(handle, ctx, Accumulator, "conditional accumulator")


def _apply(handle, local_step, gradient, ctx):
    _of(handle, ctx).apply(int(local_step), gradient)


def _take(handle, num_required, ctx):
    return _of(handle, ctx).take(int(num_required), ctx)


def _count(handle, ctx):
    return np.int32(_of(handle, ctx).count)


def _set_step(handle, new_global_step, ctx):
    _of(handle, ctx).set_global_step(int(new_global_step))


def _apply_sparse(handle, local_step, gradient_indices, gradient_values, gradient_shape, has_known_shape, ctx):
    _of(handle, ctx).apply(int(local_step), gradient_indices, gradient_values, gradient_shape, has_known_shape)


def _declared_shape(c: Any) -> list[Any]:
    made = c.op._inputs[0]._op
    return [made._attrs["shape"] if "shape" in made._attrs else None]


for _prefix, _handle in (("", "Ref(string)"), ("Resource", "resource")):
    for _name, _rest, _shape, _kernel in (
        ("ApplyGradient", f", local_step: int64, gradient: dtype) -> (); dtype: {_NUMBERS}", lambda c: [], _apply),
        ("TakeGradient", f", num_required: int32) -> (average: dtype); dtype: {_NUMBERS}", _declared_shape, _take),
        ("NumAccumulated", ") -> (num_accumulated: int32)", shapes.scalar, _count),
        ("SetGlobalStep", ", new_global_step: int64) -> ()", lambda c: [], _set_step),
    ):
        op(f"{_prefix}Accumulator{_name}(handle: {_handle}{_rest}", shape=_shape, host=True, stateful=True)(
            names_node(_kernel)
        )
        no_gradient(f"{_prefix}Accumulator{_name}")
op(
    "SparseAccumulatorApplyGradient(handle: Ref(string), local_step: int64, gradient_indices: int64, gradient_values: dtype, gradient_shape: int64) "
    f"-> (); dtype: {_NUMBERS}; has_known_shape: bool",
    shape=lambda c: [], host=True, stateful=True,
)(names_node(_apply_sparse))  # fmt: skip
op(
    f"SparseAccumulatorTakeGradient(handle: Ref(string), num_required: int32) -> (indices: int64, values: dtype, shape: int64); dtype: {_NUMBERS}",
    shape=lambda c: [(None,), None, (None,)], host=True, stateful=True,
)(names_node(_take))  # fmt: skip
