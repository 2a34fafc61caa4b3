"""TensorList operations: the lists behind TensorArray and the gradients of loops. A list is one stacked array with a length, so that XLA
can carry it through a loop and write into it in place."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from hornbeam.core import dtypes, errors
from hornbeam.core.graph import InferenceContext
from hornbeam.core.lazy import jax, jnp, lax
from hornbeam.core.registry import no_gradient, op, raw
from hornbeam.core.tensor_shape import _CONFLICT, Shape, merge
from hornbeam.ops import shapes
from hornbeam.ops.xp import NeedsValue, interpreting, known, static, xp


class EmptyListError(errors.InvalidArgumentError):
    """Popping from an empty list."""


class TensorList:
    """Elements stacked along a new first axis (or, while their shapes differ, as a tuple of arrays).

    `buffer` is None until the element shape is known; it may hold more rows than `length`. `length` is an int outside traced loops
    and a traced scalar in loops that push or pop; `plan` (start, change per turn) then says what it will be after the loop.
    `limit` is the most elements it will ever hold, where the program says so.
    """

    __slots__ = ("buffer", "length", "element_shape", "dtype", "plan", "gradient", "limit")
    _registered = False

    def __init__(
        self, buffer: Any, length: Any, element_shape: Shape, dtype: Any, plan: tuple[int, int | None] | None = None, gradient: bool = False,
        limit: int | None = None,
    ) -> None:  # fmt: skip
        if not TensorList._registered:
            _register()
        self.buffer = buffer
        self.length = length
        self.element_shape = element_shape
        self.dtype = dtype
        self.plan = plan
        self.limit = limit
        self.gradient = gradient  # the content of a gradient TensorArray: what is written twice adds up

    @property
    def is_ragged(self) -> bool:
        return isinstance(self.buffer, tuple)

    @property
    def fixed(self) -> bool:
        """Is the length known while tracing?"""
        return isinstance(self.length, int)

    def replace(self, buffer: Any, length: Any = None) -> TensorList:
        return TensorList(
            buffer,
            self.length if length is None else length,
            self.element_shape,
            self.dtype,
            self.plan,
            self.gradient,
            self.limit,
        )

    def zeros_like(self) -> TensorList:
        """A list of as many zeros."""
        return self.replace(
            _map(lambda a: np.zeros(a.shape, a.dtype) if interpreting() else jnp.zeros(a.shape, a.dtype), self.buffer)
        )

    def add(self, other: TensorList) -> TensorList:
        """Elementwise sum; elements that one list lacks count as zeros."""
        if not isinstance(other, TensorList):  # the flow of an array nothing was written to: a zero
            return self
        if self.buffer is None:
            return other
        if other.buffer is None:
            return self
        if self.is_ragged or other.is_ragged:
            rows = [
                a if b is None else b if a is None else a + b for a, b in zip(_rows(self), _rows(other), strict=True)
            ]
            return self.replace(tuple(rows))
        a, b = self.buffer, other.buffer
        n = min(_leaf(a).shape[0], _leaf(b).shape[0])
        longer, shorter = (a, b) if _leaf(a).shape[0] > n else (b, a)
        if _leaf(longer).shape[0] > n:
            shorter = _map(
                lambda s, t: xp.concatenate([s, xp.zeros((t.shape[0] - n, *t.shape[1:]), t.dtype)]), shorter, longer
            )
        return self.replace(_map(lambda x, y: x + y, longer, shorter))

    __add__ = add
    __radd__ = add

    def __repr__(self) -> str:
        shape = None if self.buffer is None or self.is_ragged else _leaf(self.buffer).shape
        return f"<TensorList {self.dtype.name} length={self.length} buffer={shape}>"


def _register() -> None:
    TensorList._registered = True

    def flatten(x: TensorList) -> tuple[Any, Any]:
        if x.fixed:
            return (x.buffer,), (x.length, x.element_shape, x.dtype, x.plan, x.gradient, x.limit)
        return (x.buffer, x.length), (None, x.element_shape, x.dtype, x.plan, x.gradient, x.limit)

    def unflatten(aux: Any, children: Any) -> TensorList:
        length = aux[0] if aux[0] is not None else children[1]
        return TensorList(children[0], length, *aux[1:])

    jax.tree_util.register_pytree_node(TensorList, flatten, unflatten)


def _map(f: Callable[..., Any], first: Any, *rest: Any) -> Any:
    """`f` on arrays, or leaf by leaf on stacked lists of lists."""
    if first is None:
        return None
    if hasattr(first, "shape"):
        return f(first, *rest)
    return jax.tree_util.tree_map(f, first, *rest)


def _leaf(buffer: Any) -> Any:
    return buffer if hasattr(buffer, "shape") else jax.tree_util.tree_leaves(buffer)[0]


def _enter(x: TensorList) -> TensorList:
    """A kernel's input: NumPy inside when interpreting."""
    if not isinstance(x, TensorList):
        raise errors.InvalidArgumentError(None, None, f"Input handle is not a list. Saw: '{type(x).__name__}'")
    if not x.fixed and np.ndim(x.length) == 0 and not isinstance(x.length, jax.core.Tracer):
        x = TensorList(x.buffer, int(x.length), x.element_shape, x.dtype, None, x.gradient, x.limit)
    if interpreting() and x.buffer is not None and not isinstance(x.buffer, np.ndarray):
        return x.replace(jax.tree_util.tree_map(np.asarray, x.buffer))
    return x


def _shape_from(value: Any) -> Shape:
    """An element_shape input: a vector with -1 for unknown, or a scalar -1 for unknown rank."""
    v = static(value)
    if v.ndim == 0:
        return None
    return tuple(None if int(d) < 0 else int(d) for d in v)


def _full(shape: Shape) -> bool:
    return shape is not None and None not in shape


def _merged(a: Shape, b: Shape) -> Shape:
    m = merge(a, b)
    if m is _CONFLICT:
        raise errors.InvalidArgumentError(None, None, f"Tried to use incompatible element shapes {a} and {b} of a list")
    return m  # type: ignore[no-any-return]


def _zeros(dtype: Any, shape: Any) -> Any:
    if dtype is dtypes.string:
        return np.full(shape, b"", object)
    return np.zeros(shape, dtype.np) if interpreting() else jnp.zeros(shape, dtype.np)


def _count(x: TensorList) -> int:
    """The length as an int; a traced one has to be computed first."""
    if x.fixed:
        return x.length  # type: ignore[no-any-return]
    raise NeedsValue(x.length)


def _rows(x: TensorList) -> list[Any]:
    n = _count(x)
    if x.is_ragged:
        return list(x.buffer)
    if x.buffer is None:
        return [None] * n
    return [_map(lambda a, i=i: a[i], x.buffer) for i in range(n)]


def _stacked(x: TensorList, element_shape: Shape = None) -> Any:
    """The rows as one array [length, …]; InvalidArgumentError when there is nothing to know the shape from."""
    n = _count(x)
    if x.is_ragged:
        es = next((tuple(r.shape) for r in x.buffer if r is not None), None)
        if es is None:
            return _stacked(x.replace(None), element_shape)
        rows = [_zeros(x.dtype, es) if r is None else r for r in x.buffer]
        if any(tuple(r.shape) != es for r in rows):
            raise errors.InvalidArgumentError(
                None, None, f"Tried to stack list elements of different shapes: {[tuple(r.shape) for r in rows]}"
            )
        return xp.stack(rows)
    if x.buffer is None:
        es = _merged(x.element_shape, element_shape)
        if not _full(es):
            what = "elements of an empty list" if n == 0 else "uninitialized elements of a list"
            raise errors.InvalidArgumentError(
                None, None, f"Tried to stack {what} with non-fully-defined element_shape: {shapes_text(es)}"
            )
        return _zeros(x.dtype, (n, *es))  # type: ignore[misc]
    return x.buffer if _leaf(x.buffer).shape[0] == n else _map(lambda a: a[:n], x.buffer)


def shapes_text(s: Shape) -> str:
    return "<unknown>" if s is None else "[" + ",".join("?" if d is None else str(d) for d in s) + "]"


def _element_shape_of(x: TensorList) -> Shape:
    if x.buffer is not None and not x.is_ragged and hasattr(x.buffer, "shape"):
        return tuple(x.buffer.shape[1:])
    return x.element_shape


def _unpacked(item: Any) -> Any:
    """A list as an element of a list: its parts, with the length as an array."""
    if isinstance(item, TensorList):
        n = item.length
        if item.fixed:
            n = np.int32(n) if interpreting() else jnp.int32(n)
        return TensorList(item.buffer, n, item.element_shape, item.dtype)
    return item


def _put(x: TensorList, index: Any, item: Any) -> Any:
    """The buffer with row `index` replaced. Elements of another shape than the rest turn it into a tuple."""
    n = _leaf(x.buffer).shape[0] if x.buffer is not None and not x.is_ragged else x.length
    if isinstance(item, TensorList):
        return _put_list(x, index, item, n)
    if x.is_ragged or x.buffer is not None and tuple(x.buffer.shape[1:]) != tuple(item.shape):
        if not known(index):
            raise NeedsValue(index)
        rows = _rows(x)
        if not x.is_ragged and x.element_shape is not None and _full(x.element_shape):
            raise errors.InvalidArgumentError(
                None, None, f"Tried to set a tensor with incompatible shape at a list index. Item element shape: {shapes_text(tuple(item.shape))} "
                f"list shape: {shapes_text(x.element_shape)}"
            )  # fmt: skip
        rows[int(index)] = item
        return tuple(rows)
    buffer = x.buffer
    if buffer is None:
        if _merged(x.element_shape, tuple(item.shape)) is None:
            buffer = None
        if n == 1 and known(index):
            return item[None]
        if not _full(x.element_shape) and known(index) and not isinstance(x.length, int):
            raise NeedsValue(x.length)
        buffer = _zeros(x.dtype, (n, *item.shape))
    return _set_row(buffer, index, item)


def _put_list(x: TensorList, index: Any, item: TensorList, n: Any) -> Any:
    """A list as an element: stacked part by part while all have the same parts, else in a tuple."""
    parts = _unpacked(item)
    buffer = x.buffer
    if buffer is None and item.buffer is not None and not item.is_ragged:
        buffer = _map(lambda a: _zeros_array(np.broadcast_to(a, (1, *np.shape(a))) if known(a) else a[None], n), parts)
    if buffer is not None and not x.is_ragged and _fits(buffer, parts):
        return jax.tree_util.tree_map(lambda b, a: _set_row(b, index, a), buffer, parts)
    if not known(index):
        raise NeedsValue(index)
    rows = _rows(x) if x.buffer is not None else [None] * n
    rows += [None] * (int(index) + 1 - len(rows))
    rows[int(index)] = item
    return tuple(rows)


def _fits(buffer: Any, item: TensorList) -> bool:
    a, b = jax.tree_util.tree_flatten(buffer), jax.tree_util.tree_flatten(item)
    return a[1] == b[1] and all(x.shape[1:] == np.shape(y) for x, y in zip(a[0], b[0], strict=True))


def _set_row(buffer: Any, index: Any, item: Any) -> Any:
    if isinstance(buffer, np.ndarray) and known(index) and (known(item) or buffer.dtype == object):
        out = buffer.copy()
        out[int(index)] = item
        return out
    return lax.dynamic_update_index_in_dim(
        jnp.asarray(buffer), jnp.asarray(item, buffer.dtype), jnp.asarray(index, np.int32), 0
    )


def _get_row(buffer: Any, index: Any) -> Any:
    if known(index):
        row = buffer[int(index)]
        return np.asarray(row) if isinstance(row, (np.generic, bytes)) else row
    return lax.dynamic_index_in_dim(jnp.asarray(buffer), jnp.asarray(index, np.int32), 0, keepdims=False)


def _take(x: TensorList, index: Any) -> Any:
    if x.is_ragged:
        if known(index):
            return x.buffer[int(index)]
        return _get_row(_stacked(x), index)
    return _map(lambda b: _get_row(b, index), x.buffer)


def _grown(x: TensorList, capacity: int) -> TensorList:
    """The list with room for `capacity` rows."""
    if x.is_ragged:
        return x.replace(tuple(x.buffer) + (None,) * (capacity - len(x.buffer)))
    if x.buffer is None or _leaf(x.buffer).shape[0] >= capacity:
        return x
    return x.replace(_map(lambda a: _concat([a, _zeros_array(a, capacity - a.shape[0])]), x.buffer))


def _zeros_array(a: Any, rows: int) -> Any:
    shape = (rows, *a.shape[1:])
    if isinstance(a, np.ndarray):
        return np.full(shape, b"", object) if a.dtype == object else np.zeros(shape, a.dtype)
    return jnp.zeros(shape, a.dtype)


def _concat(parts: Sequence[Any]) -> Any:
    return np.concatenate(parts) if all(isinstance(p, np.ndarray) for p in parts) else jnp.concatenate(parts)


# --- loops: what the runtime asks ---------------------------------------------------------------------------------------------
def with_capacity(x: TensorList, extra: int) -> TensorList:
    """The list as a loop carries it: room for `extra` more elements, the length traced."""
    n = _count(x)
    grown = _grown(x, n + extra)
    return TensorList(grown.buffer, jnp.int32(n), x.element_shape, x.dtype, grown.plan)


_PROBING = [0]  # above 0 while a loop's turn is evaluated to see which lists grow


def prepare_loop(start: list[Any], turn: Callable[[list[Any]], list[Any]], trips: int | None) -> list[Any] | None:
    """Loop variables with every list allocated for the whole loop; None when a list grows and the number of turns is unknown.

    `turn` evaluates one turn abstractly (it gives ShapeDtypeStructs in place of arrays).
    """
    if not any(isinstance(v, TensorList) for v in start):
        return start
    start = list(start)
    for _ in range(8):
        _PROBING[0] += 1
        try:
            after = turn(start)
        except EmptyListError:  # the loop may well make no turn at all: only running it can tell
            return None
        finally:
            _PROBING[0] -= 1
        changed = False
        most = trips if trips is not None else _most_turns(start, after)
        for i, (v, w) in enumerate(zip(start, after, strict=True)):
            if not isinstance(v, TensorList):
                continue
            new = _prepared(v, w, most)
            if new is None:
                return None
            if new is not v:
                start[i] = new
                changed = True
        if not changed:
            return start
    return None


def _most_turns(start: list[Any], after: list[Any]) -> int | None:
    """A bound on the number of turns: a loop that pops from a list makes no more turns than it has elements."""
    bounds = [
        v.length // (v.length - w.length)
        for v, w in zip(start, after, strict=True)
        if isinstance(v, TensorList) and v.fixed and w.fixed and w.length < v.length
    ]
    bounds += [
        v.plan[0] // -v.plan[1]
        for v in start
        if isinstance(v, TensorList) and not v.fixed and v.plan is not None and v.plan[1] is not None and v.plan[1] < 0
    ]
    return min(bounds, default=None)


def _prepared(v: TensorList, w: TensorList, trips: int | None) -> TensorList | None:
    if v.fixed and w.fixed and v.length == w.length:
        if v.buffer is None and w.buffer is not None:
            if w.is_ragged:
                return None
            return v.replace(_map(lambda a: jnp.zeros((v.length, *a.shape[1:]), a.dtype), w.buffer))
        if v.is_ragged and not w.is_ragged and w.buffer is not None:
            return v.replace(_stacked(v))
        return v
    if not v.fixed:
        return v
    if w.is_ragged or v.is_ragged:
        return None
    change = w.length - v.length if w.fixed else None  # None: a write beyond the end may add one element
    most = v.length
    if change is None or change > 0:
        if trips is None and v.limit is None:
            return None
        most = v.limit if trips is None else most + trips * (change or 1)  # type: ignore[assignment]
    buffer = v.buffer
    if buffer is None and w.buffer is not None:
        buffer = _map(lambda a: jnp.zeros((most, *a.shape[1:]), a.dtype), w.buffer)
    grown = _grown(v.replace(buffer), most)
    return TensorList(
        grown.buffer, jnp.int32(v.length), v.element_shape, v.dtype, (v.length, change), v.gradient, v.limit
    )


def between_turns(before: list[Any], after: list[Any]) -> list[Any]:
    """Between turns of a loop that runs from Python: lists that grow or shrink are carried as compiled loops carry them, with spare room,
    so that one compiled body serves many turns."""
    out = []
    for v, w in zip(before, after, strict=True):
        if isinstance(v, TensorList) and isinstance(w, TensorList) and not w.is_ragged and w.buffer is not None:
            n, old = _now(w), _now(v)
            if n != old or not w.fixed:
                wanted = n + max(n - old, 1)
                capacity = _leaf(w.buffer).shape[0]
                grown = w if capacity >= wanted else _grown(w, 1 << (wanted - 1).bit_length())
                w = TensorList(
                    grown.buffer, np.asarray(n, np.int32), w.element_shape, w.dtype, None, w.gradient, w.limit
                )
        out.append(w)
    return out


def after_turns(values: list[Any]) -> list[Any]:
    """After such a loop: lists with their length known."""
    return [
        TensorList(v.buffer, _now(v), v.element_shape, v.dtype, None, v.gradient, v.limit)
        if isinstance(v, TensorList) and not v.fixed
        else v
        for v in values
    ]


def _now(x: TensorList) -> int:
    return x.length if x.fixed else int(np.asarray(x.length))  # type: ignore[no-any-return]


def settle_loop(values: list[Any], trips: int | None) -> list[Any]:
    """After the loop: lengths that follow from the number of turns are known again."""
    if trips is None:
        return values
    out = []
    for v in values:
        if isinstance(v, TensorList) and not v.fixed and v.plan is not None and v.plan[1] is not None:
            v = TensorList(v.buffer, v.plan[0] + trips * v.plan[1], v.element_shape, v.dtype, None, v.gradient, v.limit)
        out.append(v)
    return out


# --- kernels -----------------------------------------------------------------------------------------------------------------
def _flags(**more: Any) -> dict[str, Any]:
    return {"numpy": True, **more}


@op("EmptyTensorList(element_shape: shape_type, max_num_elements: int32) -> (handle: variant); element_dtype: type; "
    "shape_type: {int32, int64}", shape=shapes.scalar, **_flags())  # fmt: skip
def EmptyTensorList(element_shape, max_num_elements, element_dtype):
    limit = int(max_num_elements) if known(max_num_elements) and int(max_num_elements) >= 0 else None
    return TensorList(None, 0, _shape_from(element_shape), element_dtype, limit=limit)


@op("TensorListReserve(element_shape: shape_type, num_elements: int32) -> (handle: variant); element_dtype: type; "
    "shape_type: {int32, int64}", shape=shapes.scalar, **_flags())  # fmt: skip
def TensorListReserve(element_shape, num_elements, element_dtype, ctx):
    n = int(static(num_elements))
    if n < 0:
        raise ctx.fail(f"The num_elements to reserve must be a non negative number, but got {n}")
    es = _shape_from(element_shape)
    ready = _full(es) and element_dtype not in (dtypes.string, dtypes.variant, dtypes.resource)
    return TensorList(_zeros(element_dtype, (n, *(es or ()))) if ready else None, n, es, element_dtype)


@op("TensorListFromTensor(tensor: element_dtype, element_shape: shape_type) -> (output_handle: variant); element_dtype: type; "
    "shape_type: {int32, int64}", shape=shapes.scalar, **_flags())  # fmt: skip
def TensorListFromTensor(tensor, element_shape, element_dtype, ctx):
    if np.ndim(tensor) < 1:
        raise ctx.fail("Tensor must be at least a vector, but saw shape: []")
    return TensorList(
        tensor, int(tensor.shape[0]), _merged(_shape_from(element_shape), tuple(tensor.shape[1:])), element_dtype
    )


@op("TensorListLength(input_handle: variant) -> (length: int32)", shape=shapes.scalar, **_flags())
def TensorListLength(input_handle):
    n = _enter(input_handle).length
    return np.asarray(n, np.int32) if isinstance(n, int) else n


@op(
    "TensorListElementShape(input_handle: variant) -> (element_shape: shape_type); shape_type: {int32, int64}",
    shape=shapes.unknown,
    **_flags(),
)
def TensorListElementShape(input_handle, shape_type):
    s = _element_shape_of(_enter(input_handle))
    return np.array(-1 if s is None else [-1 if d is None else d for d in s], shape_type.np)


def _item_shape(i: int, out: int = 0) -> Callable[[InferenceContext], list[Shape]]:
    def rule(c: InferenceContext) -> list[Shape]:
        s = c.partial(i) if c.shape(i) != () else None
        return [()] * out + [s]

    return rule


@op("TensorListGetItem(input_handle: variant, index: int32, element_shape: int32) -> (item: element_dtype); element_dtype: type",
    shape=_item_shape(2), **_flags())  # fmt: skip
def TensorListGetItem(input_handle, index, element_shape, element_dtype, ctx):
    x = _enter(input_handle)
    if known(index) and x.fixed and not 0 <= int(index) < x.length:
        raise ctx.fail(f"Trying to access element {int(index)} in a list with {x.length} elements.")
    item = None if x.buffer is None else _take(x, index)
    if item is None:
        es = _merged(x.element_shape, _shape_from(element_shape))
        if not _full(es):
            raise ctx.fail(
                f"Trying to read an uninitialized element but element_shape is not fully defined: {shapes_text(es)} and no uninitialized element."
            )
        return _zeros(element_dtype, es)
    return item


@op("TensorListSetItem(input_handle: variant, index: int32, item: element_dtype) -> (output_handle: variant); element_dtype: type; "
    "resize_if_index_out_of_bounds: bool = false", shape=shapes.scalar, **_flags())  # fmt: skip
def TensorListSetItem(input_handle, index, item, element_dtype, resize_if_index_out_of_bounds, ctx):
    x = _enter(input_handle)
    if known(index) and x.fixed:
        i = int(index)
        if i < 0 or i >= x.length and not resize_if_index_out_of_bounds:
            raise ctx.fail(f"Trying to modify element {i} in a list with {x.length} elements.")
        if i >= x.length:
            x = _grown(x, i + 1).replace(_grown(x, i + 1).buffer, i + 1)
    elif resize_if_index_out_of_bounds and x.fixed and not _PROBING[0]:
        raise NeedsValue(index)  # how far the list grows depends on it
    elif resize_if_index_out_of_bounds:
        if x.buffer is None and not isinstance(item, TensorList):
            x = x.replace(_zeros(element_dtype, (_count(x), *item.shape)))
        if _leaf(x.buffer).shape[0] == 0:
            x = _grown(x, 1)
        length = jnp.maximum(jnp.int32(x.length), jnp.asarray(index, np.int32) + 1)
        return TensorList(_put(x, index, item), length, x.element_shape, x.dtype, x.plan)
    return x.replace(_put(x, index, item))


@op("TensorListPushBack(input_handle: variant, tensor: element_dtype) -> (output_handle: variant); element_dtype: type",
    shape=shapes.scalar, **_flags())  # fmt: skip
def TensorListPushBack(input_handle, tensor, element_dtype):
    x = _enter(input_handle)
    if x.fixed:
        n = x.length
        grown = _grown(x, n + 1)
        if grown.buffer is None and n == 0 and not isinstance(tensor, TensorList):
            return x.replace(tensor[None], 1)
        grown = grown.replace(grown.buffer, n + 1)
        return grown.replace(_put(grown, np.int32(n), tensor))
    if x.buffer is None:
        raise NeedsValue(x.length)
    return x.replace(_put(x, x.length, tensor), x.length + 1)


@op("TensorListPopBack(input_handle: variant, element_shape: int32) -> (output_handle: variant, tensor: element_dtype); element_dtype: type",
    shape=_item_shape(1, 1), **_flags())  # fmt: skip
def TensorListPopBack(input_handle, element_shape, element_dtype, ctx):
    x = _enter(input_handle)
    if x.fixed:
        n = x.length
        if n == 0:
            raise ctx.error(EmptyListError, "Trying to pop from an empty list.")
        item = None if x.buffer is None else _take(x, np.int32(n - 1))
        if item is None:
            es = _merged(x.element_shape, _shape_from(element_shape))
            if not _full(es):
                raise ctx.fail(
                    f"Trying to read an uninitialized element but element_shape is not fully defined: {shapes_text(es)}."
                )
            item = _zeros(element_dtype, es)
        return x.replace(x.buffer[:-1] if x.is_ragged else x.buffer, n - 1), item
    return x.replace(x.buffer, x.length - 1), _take(x, x.length - 1)


def _stack_shape(c: InferenceContext) -> list[Shape]:
    s = c.partial(1) if c.shape(1) != () else None
    n = c.attr("num_elements")
    return [None if s is None else (None if n < 0 else n, *s)]


@op("TensorListStack(input_handle: variant, element_shape: int32) -> (tensor: element_dtype); element_dtype: type; num_elements: int = -1",
    shape=_stack_shape, **_flags())  # fmt: skip
def TensorListStack(input_handle, element_shape, num_elements, ctx):
    x = _enter(input_handle)
    n = _count(x)
    if num_elements >= 0 and n != num_elements:
        raise ctx.fail(f"Operation expected a list with {num_elements} elements but got a list with {n} elements.")
    return _stacked(x, _shape_from(element_shape))


def _gather_shape(c: InferenceContext) -> list[Shape]:
    s = c.partial(2) if c.shape(2) != () else None
    i = c.shape(1)
    return [None if s is None else (None if i is None else i[0], *s)]


@op("TensorListGather(input_handle: variant, indices: int32, element_shape: int32) -> (values: element_dtype); element_dtype: type",
    shape=_gather_shape, **_flags())  # fmt: skip
def TensorListGather(input_handle, indices, element_shape, ctx):
    x = _enter(input_handle)
    rows = _stacked(x, _shape_from(element_shape))
    if known(indices) and x.fixed:
        for i in np.asarray(indices).reshape(-1):
            if not 0 <= i < x.length:
                raise ctx.fail(f"Trying to gather element {i} in a list with {x.length} elements.")
    return xp.take(rows, indices, axis=0)


def _scattered(tensor: Any, indices: Any, n: int, base: Any = None) -> Any:
    if base is None:
        base = (
            xp.zeros((n, *tensor.shape[1:]), tensor.dtype)
            if known(tensor) and known(indices)
            else jnp.zeros((n, *tensor.shape[1:]), tensor.dtype)
        )
    if isinstance(base, np.ndarray) and known(tensor) and known(indices):
        out = base.copy()
        out[np.asarray(indices)] = tensor
        return out
    return jnp.asarray(base).at[jnp.asarray(indices)].set(tensor)


def _scatter(
    tensor: Any, indices: Any, element_shape: Any, num_elements: Any, element_dtype: Any, ctx: Any
) -> TensorList:
    n = int(static(num_elements)) if num_elements is not None else -1
    if n < 0:
        at = static(indices)
        n = int(at.max()) + 1 if at.size else 0
    if known(indices) and np.size(indices):
        low, high = int(np.min(indices)), int(np.max(indices))
        if low < 0:
            raise ctx.fail("Indices in TensorListScatter must all be non-negative.")
        if num_elements is not None and int(static(num_elements)) >= 0 and high >= n:
            raise ctx.fail(f"TensorListScatter: Trying to scatter at index {high} in list with size {n}")
    return TensorList(
        _scattered(tensor, indices, n), n, _merged(_shape_from(element_shape), tuple(tensor.shape[1:])), element_dtype
    )


@op("TensorListScatter(tensor: element_dtype, indices: int32, element_shape: shape_type) -> (output_handle: variant); element_dtype: type; "
    "shape_type: {int32, int64}", shape=shapes.scalar, **_flags())  # fmt: skip
def TensorListScatter(tensor, indices, element_shape, element_dtype, ctx):
    return _scatter(tensor, indices, element_shape, None, element_dtype, ctx)


@op("TensorListScatterV2(tensor: element_dtype, indices: int32, element_shape: shape_type, num_elements: int32) -> "
    "(output_handle: variant); element_dtype: type; shape_type: {int32, int64}", shape=shapes.scalar, **_flags())  # fmt: skip
def TensorListScatterV2(tensor, indices, element_shape, num_elements, element_dtype, ctx):
    return _scatter(tensor, indices, element_shape, num_elements, element_dtype, ctx)


@op("TensorListScatterIntoExistingList(input_handle: variant, tensor: element_dtype, indices: int32) -> (output_handle: variant); "
    "element_dtype: type", shape=shapes.scalar, **_flags())  # fmt: skip
def TensorListScatterIntoExistingList(input_handle, tensor, indices, element_dtype):
    x = _enter(input_handle)
    n = _count(x)
    if known(indices) and np.size(indices):
        n = max(n, int(np.max(indices)) + 1)
    x = _grown(x, n)
    base = None if x.buffer is None else x.buffer if not x.is_ragged else _stacked(x.replace(x.buffer, n))
    return TensorList(_scattered(tensor, indices, n, base), n, x.element_shape, element_dtype)


@op("TensorListResize(input_handle: variant, size: int32) -> (output_handle: variant)", shape=shapes.scalar, **_flags())
def TensorListResize(input_handle, size, ctx):
    x = _enter(input_handle)
    n = int(static(size))
    if n < 0:
        raise ctx.fail("TensorListSlice expects size to be non-negative.")
    if x.fixed and n == x.length:
        return x
    if n <= _count(x):
        buffer = x.buffer[:n] if x.is_ragged else _map(lambda a: a[:n], x.buffer)
        return TensorList(buffer, n, x.element_shape, x.dtype)
    if not x.is_ragged and x.buffer is not None:
        x = x.replace(_map(lambda a: a[: x.length], x.buffer))
    return TensorList(_grown(x, n).buffer, n, x.element_shape, x.dtype)


def _concat_shape(c: InferenceContext) -> list[Shape]:
    s = c.attr("element_shape") if "element_shape" in c.op._attrs else (c.partial(1) if c.shape(1) != () else None)
    return [None if s is None else (None, *s[1:]), (None,)]


def _concatenated(x: TensorList, element_shape: Shape, leading: Any, ctx: Any) -> tuple[Any, Any]:
    n = _count(x)
    if n == 0 or x.buffer is None:
        es = _merged(x.element_shape, element_shape)
        if n and leading is not None and np.size(leading) and es is not None and _full(es[1:]):
            lengths = static(leading)
            return _zeros(x.dtype, (int(lengths.sum()), *es[1:])), np.asarray(lengths, np.int64)
        if es is None or not _full(es[1:]):
            raise ctx.fail(
                f"All except the first dimension must be fully defined when concating an empty tensor list. element_shape: {shapes_text(es)}"
            )
        return _zeros(x.dtype, (0, *es[1:])), np.zeros(n, np.int64)
    if not x.is_ragged:
        rows = _stacked(x)
        if rows.ndim < 2:
            raise ctx.fail("Concat requires elements to be at least vectors, found scalars instead.")
        return rows.reshape((n * rows.shape[1], *rows.shape[2:])), np.full(n, rows.shape[1], np.int64)
    dims = None if leading is None or not np.size(leading) else static(leading)
    es = next(tuple(r.shape) for r in x.buffer if r is not None)
    rows_ = [
        _zeros(x.dtype, (int(dims[i]) if dims is not None else 0, *es[1:])) if r is None else r
        for i, r in enumerate(x.buffer)
    ]
    return _concat(rows_), np.array([r.shape[0] for r in rows_], np.int64)


@op("TensorListConcat(input_handle: variant) -> (tensor: element_dtype, lengths: int64); element_dtype: type; "
    "element_shape: shape = unknown", shape=_concat_shape, **_flags())  # fmt: skip
def TensorListConcat(input_handle, element_shape, ctx):
    return _concatenated(_enter(input_handle), element_shape, None, ctx)


@op("TensorListConcatV2(input_handle: variant, element_shape: shape_type, leading_dims: int64) -> (tensor: element_dtype, lengths: int64); "
    "element_dtype: type; shape_type: {int32, int64}", shape=_concat_shape, **_flags())  # fmt: skip
def TensorListConcatV2(input_handle, element_shape, leading_dims, ctx):
    return _concatenated(_enter(input_handle), _shape_from(element_shape), leading_dims, ctx)


@op("TensorListSplit(tensor: element_dtype, element_shape: shape_type, lengths: int64) -> (output_handle: variant); element_dtype: type; "
    "shape_type: {int32, int64}", shape=shapes.scalar, **_flags())  # fmt: skip
def TensorListSplit(tensor, element_shape, lengths, element_dtype, ctx):
    sizes = [int(v) for v in static(lengths)]
    if np.ndim(tensor) < 1:
        raise ctx.fail("Tensor must be at least a vector, but saw shape: []")
    if sum(sizes) != tensor.shape[0]:
        raise ctx.fail(
            f"Attempted to split a tensor of {tensor.shape[0]} rows into lengths {sizes}: they must add up to it."
        )
    es = _shape_from(element_shape)
    if sizes and len(set(sizes)) == 1:
        return TensorList(tensor.reshape((len(sizes), sizes[0], *tensor.shape[1:])), len(sizes), es, element_dtype)
    ends = np.cumsum(sizes)
    return TensorList(tuple(tensor[e - n : e] for e, n in zip(ends, sizes, strict=True)), len(sizes), es, element_dtype)


@op(
    "TensorListConcatLists(input_a: variant, input_b: variant) -> (output: variant); element_dtype: type",
    shape=shapes.unchanged,
    **_flags(),
)
def TensorListConcatLists(input_a, input_b, element_dtype):
    a, b = _enter(input_a), _enter(input_b)
    n = _count(a) + _count(b)
    if (
        not a.is_ragged
        and not b.is_ragged
        and a.buffer is not None
        and b.buffer is not None
        and a.buffer.shape[1:] == b.buffer.shape[1:]
    ):
        return TensorList(_concat([_stacked(a), _stacked(b)]), n, a.element_shape, element_dtype)
    rows = tuple(_rows(a) + _rows(b))
    return TensorList(rows if any(r is not None for r in rows) else None, n, a.element_shape, element_dtype)


no_gradient("TensorListLength", "TensorListElementShape", "EmptyTensorList", "TensorListReserve")


# --- gradients -------------------------------------------------------------------------------------------------------------------
def _shape_input(t: Any) -> Any:
    """The shape of a tensor as an element_shape input: known dimensions without looking at the value."""
    if t._shape is not None and None not in t._shape:
        return np.array(t._shape, np.int32)
    return raw.Shape(t)


def _rest_of(t: Any) -> Any:
    """The element shape of a tensor of stacked elements."""
    if t._shape is None:
        return np.array(-1, np.int32)
    return np.array([-1 if d is None else d for d in t._shape[1:]], np.int32)


def _rows_of(t: Any) -> Any:
    if t._shape is not None and t._shape[0] is not None:
        return np.array(t._shape[0], np.int32)
    return raw.StridedSlice(raw.Shape(t), [0], [1], [1], shrink_axis_mask=1)


@TensorListPushBack.gradient
def _(op, dlist):
    return list(raw.TensorListPopBack(dlist, _shape_input(op.inputs[1]), element_dtype=op._attrs["element_dtype"]))


@TensorListPopBack.gradient
def _(op, dlist, dtensor):
    if dlist is None:
        dlist = raw.ZerosLike(op.outputs[0])
    if dtensor is None:
        dtensor = raw.ZerosLike(op.outputs[1])
    return [raw.TensorListPushBack(dlist, dtensor), None]


@TensorListStack.gradient
def _(op, dtensor):
    return [raw.TensorListFromTensor(dtensor, _rest_of(dtensor)), None]


@TensorListFromTensor.gradient
def _(op, dlist):
    t = op.inputs[0]
    n = -1 if t._shape is None or t._shape[0] is None else t._shape[0]
    if n >= 0:  # later writes may have made the list longer
        dlist = raw.TensorListResize(dlist, np.int32(n))
    out = raw.TensorListStack(dlist, _rest_of(t), element_dtype=t.dtype.base_dtype, num_elements=n)
    out._shape = t._shape
    return [out, None]


@TensorListGetItem.gradient
def _(op, ditem):
    handle, index, _ = op.inputs
    empty = raw.TensorListReserve(
        raw.TensorListElementShape(handle, shape_type=dtypes.int32),
        raw.TensorListLength(handle),
        element_dtype=ditem.dtype.base_dtype,
    )
    return [raw.TensorListSetItem(empty, index, ditem), None, None]


@TensorListSetItem.gradient
def _(op, dlist):
    _, index, item = op.inputs
    rest = raw.TensorListSetItem(dlist, index, raw.ZerosLike(item))
    # where the write made the list longer, its gradient stays longer too: the elements beyond are zero and nobody reads them
    ditem = raw.TensorListGetItem(dlist, index, _shape_input(item), element_dtype=op._attrs["element_dtype"])
    ditem._shape = item._shape
    return [rest, None, ditem]


@TensorListResize.gradient
def _(op, dlist):
    return [raw.TensorListResize(dlist, raw.TensorListLength(op.inputs[0])), None]


@TensorListGather.gradient
def _(op, dtensor):
    handle, indices, _ = op.inputs
    return [
        raw.TensorListScatterV2(dtensor, indices, _rest_of(dtensor), raw.TensorListLength(handle)), None, None
    ]  # fmt: skip


def _gathered(op: Any, tensor: Any, dlist: Any, indices: Any) -> Any:
    out = raw.TensorListGather(dlist, indices, _rest_of(tensor), element_dtype=tensor.dtype.base_dtype)
    out._shape = tensor._shape
    return out


@TensorListScatter.gradient
def _(op, dlist):
    return [_gathered(op, op.inputs[0], dlist, op.inputs[1]), None, None]


@TensorListScatterV2.gradient
def _(op, dlist):
    return [_gathered(op, op.inputs[0], dlist, op.inputs[1]), None, None, None]


@TensorListScatterIntoExistingList.gradient
def _(op, dlist):
    _, tensor, indices = op.inputs
    return [
        raw.TensorListScatterIntoExistingList(dlist, raw.ZerosLike(tensor), indices),
        _gathered(op, tensor, dlist, indices),
        None,
    ]


def _row_shape(t: Any) -> Any:
    s = t._shape
    return np.array(-1, np.int32) if s is None else np.array([-1, *(-1 if d is None else d for d in s[1:])], np.int32)


@TensorListConcat.gradient
def _(op, dtensor, _):
    return [raw.TensorListSplit(dtensor, _row_shape(dtensor), op.outputs[1])]


@TensorListConcatV2.gradient
def _(op, dtensor, _):
    return [raw.TensorListSplit(dtensor, _row_shape(dtensor), op.outputs[1]), None, None]


@TensorListSplit.gradient
def _(op, dlist):
    t, _, lengths = op.inputs
    out, _ = raw.TensorListConcatV2(dlist, _row_shape(t), lengths, element_dtype=t.dtype.base_dtype)
    out._shape = t._shape
    return [out, None, None]


@TensorListConcatLists.gradient
def _(op, dlist):
    a, b = op.inputs
    n = raw.TensorListLength(a)
    es = np.array(-1, np.int32)
    dtype = op._attrs["element_dtype"]
    whole = raw.TensorListGather(
        dlist, raw.Range(n, raw.AddV2(n, raw.TensorListLength(b)), np.int32(1)), es, element_dtype=dtype
    )
    return [raw.TensorListResize(dlist, n), raw.TensorListFromTensor(whole, es)]
