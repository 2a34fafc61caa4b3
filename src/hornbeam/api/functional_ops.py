"""`tf.map_fn`, `tf.scan`, `tf.foldl`, `tf.foldr`: loops over the first dimension of nested tensors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from hornbeam.api import _composite, nest
from hornbeam.api.control_flow_ops import while_loop
from hornbeam.api.tensor_array_ops import TensorArray
from hornbeam.core import dtypes
from hornbeam.core.graph import Tensor, convert_to_tensor, name_scope
from hornbeam.core.registry import raw
from hornbeam.core.tensor_shape import Shape, merge_or_raise


def _elements(elems: Any) -> tuple[list[Tensor], Any, int | None]:
    """(flat tensors, number of rows as an input, number of rows if known)."""
    if any(_composite.is_sparse(e) for e in nest.flatten(elems)):
        raise TypeError(
            "To perform a map over the values of a sparse tensor use either SparseTensor(input.indices, fn(input.values), …)."
        )
    flat = [convert_to_tensor(e, name="elem") for e in nest.flatten(elems)]
    n: Shape = (None,)
    for e in flat:
        if e._shape is not None:
            if not e._shape:
                raise ValueError("elements in elems must be 1+ dimensional Tensors, not scalars")
            n = merge_or_raise(n, (e._shape[0],), f"Tensor {e.name!r}")
    known = n[0] if n is not None else None
    if known is not None:
        return flat, np.array(known, np.int32), known
    return flat, raw.StridedSlice(raw.Shape(flat[0]), [0], [1], [1], shrink_axis_mask=1), None


def _arrays(flat: list[Tensor], n: Any) -> list[TensorArray]:
    return [
        TensorArray(e.dtype.base_dtype, size=n, dynamic_size=False, element_shape=None if e._shape is None else e._shape[1:], infer_shape=True).unstack(e)
        for e in flat
    ]  # fmt: skip


def _stacked(arrays: list[TensorArray], n: int | None) -> list[Tensor]:
    out = []
    for a in arrays:
        t = a.stack()
        if t._shape is not None:
            t._shape = (n, *t._shape[1:])
        out.append(t)
    return out


def map_fn(
    fn: Callable[..., Any],
    elems: Any,
    dtype: Any = None,
    parallel_iterations: int | None = None,
    back_prop: bool = True,
    swap_memory: bool = False,
    infer_shape: bool = True,
    name: str | None = None,
) -> Any:
    """`fn` on each row of `elems` (nested tensors with equal first dimension), results stacked. `dtype`: their (nested) dtypes if not those of `elems`."""
    if not callable(fn):
        raise TypeError("fn must be callable.")
    like = elems if dtype is None else dtype
    with name_scope(name, "map", nest.flatten(elems)):
        flat, n, known = _elements(elems)
        rows = _arrays(flat, n)
        types = (
            [dtypes.as_dtype(d) for d in nest.flatten(dtype)]
            if dtype is not None
            else [e.dtype.base_dtype for e in flat]
        )
        results = [TensorArray(t, size=n, dynamic_size=False, infer_shape=infer_shape) for t in types]

        def body(i: Tensor, arrays: list[TensorArray]) -> Any:
            result = fn(nest.pack_sequence_as(elems, [r.read(i) for r in rows]))
            nest.assert_same_structure(like if dtype is not None else elems, result)
            values = nest.flatten(result)
            return i + 1, [a.write(i, v) for a, v in zip(arrays, values, strict=True)]

        _, arrays = while_loop(
            lambda i, _: i < n, body, (np.int32(0), results), parallel_iterations=parallel_iterations or 10, back_prop=back_prop,
            swap_memory=swap_memory, maximum_iterations=n,
        )  # fmt: skip
        return nest.pack_sequence_as(like, _stacked(arrays, known))


def foldl(
    fn: Callable[..., Any],
    elems: Any,
    initializer: Any = None,
    parallel_iterations: int = 10,
    back_prop: bool = True,
    swap_memory: bool = False,
    name: str | None = None,
) -> Any:
    """`fn(accumulated, row)` from the first row of `elems` to the last; the start is `initializer`, else the first row."""
    return _fold("foldl", False, fn, elems, initializer, parallel_iterations, back_prop, swap_memory, name)


def foldr(
    fn: Callable[..., Any],
    elems: Any,
    initializer: Any = None,
    parallel_iterations: int = 10,
    back_prop: bool = True,
    swap_memory: bool = False,
    name: str | None = None,
) -> Any:
    """`fn(accumulated, row)` from the last row of `elems` to the first; the start is `initializer`, else the last row."""
    return _fold("foldr", True, fn, elems, initializer, parallel_iterations, back_prop, swap_memory, name)


def _fold(
    kind: str,
    backwards: bool,
    fn: Any,
    elems: Any,
    initializer: Any,
    parallel: int,
    back_prop: bool,
    swap: bool,
    name: str | None,
) -> Any:
    if not callable(fn):
        raise TypeError(
            f"{fn.__name__ if hasattr(fn, '__name__') else fn!r} is not callable. Please provide a callable function."
        )
    with name_scope(name, kind, nest.flatten(elems)):
        flat, n, _ = _elements(elems)
        rows = _arrays(flat, n)

        def row(i: Any) -> Any:
            return nest.pack_sequence_as(elems, [r.read(i) for r in rows])

        steps = n
        if initializer is None:
            start = row(raw.Sub(n, np.int32(1)) if backwards else np.int32(0))
            steps = n - 1
        else:
            start = _composite.as_tensors(initializer)
        skipped = np.int32(0 if initializer is not None else 1)

        def body(i: Tensor, a: Any) -> Any:
            at = raw.Sub(raw.Sub(n, np.int32(1)), i + skipped) if backwards else i + skipped
            return i + 1, fn(a, row(at))

        _, result = while_loop(
            lambda i, _: i < steps, body, (np.int32(0), start), parallel_iterations=parallel, back_prop=back_prop, swap_memory=swap,
            maximum_iterations=steps,
        )  # fmt: skip
        return result


def scan(
    fn: Callable[..., Any],
    elems: Any,
    initializer: Any = None,
    parallel_iterations: int = 10,
    back_prop: bool = True,
    swap_memory: bool = False,
    infer_shape: bool = True,
    reverse: bool = False,
    name: str | None = None,
) -> Any:
    """Like foldl (foldr with `reverse`), keeping the accumulated value of every step: results are stacked along a new first dimension."""
    if not callable(fn):
        raise TypeError("fn must be callable.")
    with name_scope(name, "scan", nest.flatten(elems)):
        flat, n, known = _elements(elems)
        rows = _arrays(flat, n)

        def row(i: Any) -> Any:
            return nest.pack_sequence_as(elems, [r.read(i) for r in rows])

        last = raw.Sub(n, np.int32(1)) if known is None else np.int32(known - 1)
        if initializer is None:
            start = row(last if reverse else np.int32(0))
            first_step = np.int32(1)
        else:
            start = _composite.as_tensors(initializer)
            first_step = np.int32(0)
        leaves = nest.flatten(start)
        arrays = [
            TensorArray(
                t.dtype.base_dtype,
                size=n,
                dynamic_size=False,
                element_shape=t._shape if infer_shape else None,
                infer_shape=infer_shape,
            )
            for t in leaves
        ]
        if initializer is None:
            arrays = [a.write(last if reverse else np.int32(0), t) for a, t in zip(arrays, leaves, strict=True)]

        def body(i: Tensor, a: Any, results: list[TensorArray]) -> Any:
            at = raw.Sub(last, i) if reverse else i
            new = fn(a, row(at))
            nest.assert_same_structure(start, new)
            return i + 1, new, [r.write(at, v) for r, v in zip(results, nest.flatten(new), strict=True)]

        _, _, results = while_loop(
            lambda i, *_: i < n, body, (first_step, start, arrays), parallel_iterations=parallel_iterations, back_prop=back_prop,
            swap_memory=swap_memory, maximum_iterations=n,
        )  # fmt: skip
        return nest.pack_sequence_as(start, _stacked(results, known))


__tf_exports__ = {"map_fn": "map_fn", "foldl": "foldl", "foldr": "foldr", "scan": "scan"}
