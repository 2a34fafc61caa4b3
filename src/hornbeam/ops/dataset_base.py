"""What datasets are at run time: a `DatasetValue` (the value of a variant tensor) makes iterators; an iterator gives elements.

An element is a list of NumPy values, one per component; the end is None. Iterators know how to save and restore where they are.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from hornbeam.core import errors
from hornbeam.core.registry import OpSpec, op
from hornbeam.ops import shapes
from hornbeam.ops.philox import Stream, numpy_bits

Element = list[Any]
INFINITE, UNKNOWN = -1, -2
_MASK64 = (1 << 64) - 1
_ASPECTS = "output_types: list(type) >= 1; output_shapes: list(shape) >= 1"
_EXPERIMENTAL = "Experimental"


class Run:
    """What the iterators made by one MakeIterator share: the session's state and the counters of random ops."""

    __slots__ = ("state", "random", "seeds", "stopped")

    def __init__(self, state: Any, random: Any) -> None:
        self.state = state
        self.random = random
        self.seeds: dict[int, Any] = {}  # seed generators of shuffles, by dataset, as they stand
        self.stopped = threading.Event()

    def stopping(self) -> bool:
        return self.stopped.is_set() or self.state.closing.is_set()

    def check(self) -> None:
        if self.stopping():
            raise errors.CancelledError(
                None, None, "The iterator was closed (its session ended, or it was initialised anew) while it waited."
            )


class DatasetValue:
    """A dataset: `make(run)` starts an iteration. `size` is the number of elements, INFINITE or UNKNOWN.

    `rows`, where known, are arrays of which every element is one row; shuffles and batches then work on row numbers.
    """

    __slots__ = ("node", "make", "size", "rows", "options", "__weakref__")

    def __init__(
        self,
        node: str,
        make: Callable[[Run], Iterator],
        size: int = UNKNOWN,
        rows: list[np.ndarray[Any, Any]] | None = None,
    ) -> None:
        self.node = node
        self.make = make
        self.size = size
        self.rows = rows
        self.options: Any = None

    def __repr__(self) -> str:
        return f"<dataset of node {self.node!r}>"


class Iterator:
    """An iteration over one dataset; `inputs` are the iterations it draws from (None when used up)."""

    saved: tuple[str, ...] = ()  # attributes that make up the position, besides the inputs'

    def __init__(self, run: Run, *inputs: DatasetValue) -> None:
        self.run = run
        self.inputs: list[Iterator | None] = [d.make(run) for d in inputs]

    def next(self) -> Element | None:
        """The next element, or None at the end (and ever after)."""
        raise NotImplementedError

    def next_row(self) -> int:
        """The next element as a row number, or -1 at the end; for datasets with `rows`."""
        raise NotImplementedError

    def take(self, n: int) -> tuple[list[Any], int] | None:
        """Up to `n` elements stacked by component, and how many; None at the end."""
        rows: list[Element] = []
        step = self.next
        while len(rows) < n:
            e = step()
            if e is None:
                break
            rows.append(e)
        return (stack(rows), len(rows)) if rows else None

    def skip(self, n: int) -> int:
        """Passes over up to `n` elements; how many there were."""
        for i in range(n):
            if self.next() is None:
                return i
        return n

    def close(self) -> None:
        """Stops threads and closes files."""
        for i in self.inputs:
            if i is not None:
                i.close()

    def used_up(self, i: int = 0) -> None:
        """Input `i` is at its end: what it holds is released."""
        it = self.inputs[i]
        if it is not None:
            it.close()
            self.inputs[i] = None

    def save(self) -> Any:
        """The position, of lists, strings, numbers and arrays."""
        return [[getattr(self, n) for n in self.saved], [None if i is None else i.save() for i in self.inputs]]

    def load(self, state: Any) -> None:
        values, inputs = state
        for n, v in zip(self.saved, values, strict=True):
            setattr(self, n, v)
        for k, s in enumerate(inputs):
            it = self.inputs[k]
            if s is None:
                self.used_up(k)
            elif it is not None:
                it.load(s)


# --- declaring dataset ops ---------------------------------------------------------------------------------------------------
def dataset_op(
    signature: str, attrs: str = "", *, metadata: bool = False, aspects: bool = True, stateful: bool = False, aliases: Sequence[str] = (),
    experimental: bool = False,
) -> Callable[[Callable[..., Any]], OpSpec]:  # fmt: skip
    """`@dataset_op("TakeDataset(input_dataset: variant, count: int64)")`: an op that gives a dataset, under its other names too."""
    name, arguments = signature.split("(", 1)
    text = f"({arguments} -> (handle: variant)"
    for part in (attrs, _ASPECTS if aspects else "", "metadata: string = ''" if metadata else ""):
        if part:
            text += f"; {part}"

    def decorate(kernel: Callable[..., Any]) -> OpSpec:
        for alias in (*aliases, *([_EXPERIMENTAL + name] if experimental else [])):
            op(alias + text, shape=shapes.scalar, host=True, stateful=stateful)(kernel)
        return op(name + text, shape=shapes.scalar, host=True, stateful=stateful)(kernel)

    return decorate


def integer(value: Any) -> int:
    return int(np.asarray(value).reshape(()))


def text(value: Any) -> str:
    return np.asarray(value, object).reshape(-1)[0].decode()  # type: ignore[no-any-return]


def texts(values: Any) -> list[str]:
    return [v.decode() for v in np.asarray(values, object).reshape(-1)]


def bytes_value(value: bytes) -> np.ndarray[Any, Any]:
    """A scalar string tensor."""
    out = np.empty((), object)
    out[()] = value
    return out


def row(array: Any, i: int) -> Any:
    """`array[i]` as a tensor value."""
    r = array[i]
    if array.dtype == object and array.ndim == 1:
        if isinstance(r, DatasetValue):
            return r
        return bytes_value(r)
    return r


def shape_of(value: Any) -> tuple[int, ...]:
    return value.shape if hasattr(value, "shape") else ()


def _shape_text(shape: Sequence[int]) -> str:
    return "[" + ",".join(map(str, shape)) + "]"


def stack(rows: Sequence[Element]) -> list[Any]:
    """Components of several elements along a new first dimension; InvalidArgumentError when shapes differ."""
    out = []
    n = len(rows)
    for k, first in enumerate(rows[0]):
        if not isinstance(first, (np.ndarray, np.generic)):  # datasets and other objects
            column = np.empty(n, object)
            for i, r in enumerate(rows):
                column[i] = r[k]
            out.append(column)
            continue
        shape = first.shape
        column = np.empty((n, *shape), first.dtype)
        if shape:
            for i, r in enumerate(rows):
                v = r[k]
                if v.shape != shape:
                    raise _unequal(k, shape, i, v.shape)
                column[i] = v
        else:
            is_object = first.dtype == object
            for i, r in enumerate(rows):
                v = r[k]
                if v.shape:
                    raise _unequal(k, shape, i, v.shape)
                column[i] = v.item() if is_object else v
        out.append(column)
    return out


def joined(parts: list[list[Any]]) -> list[Any]:
    """Stacked components of several parts, one after the other."""
    out = []
    for k, columns in enumerate(zip(*parts, strict=True)):
        first = columns[0].shape[1:]
        for c in columns[1:]:
            if c.shape[1:] != first:
                raise errors.InvalidArgumentError(
                    None, None,
                    f"Cannot batch tensors with different shapes in component {k}. First element had shape {list(first)} and another had shape "
                    f"{list(c.shape[1:])}.",
                )  # fmt: skip
        out.append(np.concatenate(columns))
    return out


def _unequal(k: int, first: Sequence[int], i: int, other: Sequence[int]) -> errors.OpError:
    return errors.InvalidArgumentError(
        None, None,
        f"Cannot batch tensors with different shapes in component {k}. First element had shape {_shape_text(first)} and element {i} had "
        f"shape {_shape_text(other)}.",
    )  # fmt: skip


def in_element(e: errors.OpError, what: str, *, end_is_error: bool = False) -> errors.OpError:
    """An error of a function as the pipeline reports it: same class, with the element and the dataset's node."""
    cls = errors.InvalidArgumentError if end_is_error else type(e)
    where = (
        "" if e._op is None or f"[[node {e._op.name}" in e.message else f"\n\t [[node {e._op.name} (op: {e._op.type})]]"
    )
    return cls(None, None, f"{e.message}{where}\n\t {what}")


# --- random numbers ------------------------------------------------------------------------------------------------------------
class Draws:
    """TensorFlow's sequence of 32-bit words of a (seed, seed2) pair, one at a time."""

    __slots__ = ("seed", "seed2", "count", "_words", "_at", "_groups")

    def __init__(self, seed: int, seed2: int, count: int = 0) -> None:
        self.seed = seed & _MASK64
        self.seed2 = seed2 & _MASK64
        self.count = count
        self._groups = 16
        self._words: list[int] = []
        self._at = 0

    def next(self) -> int:
        if self._at >= len(self._words):
            first = self.count // 4
            self._words = numpy_bits(Stream(self.seed, first, self.seed2), self._groups).reshape(-1).tolist()
            self._at = self.count - 4 * first
            self._groups = min(4096, self._groups * 4)
        self.count += 1
        word = self._words[self._at]
        self._at += 1
        return word

    def save(self) -> list[int]:
        return [self.seed, self.seed2, self.count]


def real_seeds(seed: Any, seed2: Any) -> tuple[int, int]:
    """The given seeds, or fresh ones for (0, 0)."""
    a, b = integer(seed), integer(seed2)
    if a or b:
        return a, b
    drawn = np.random.SeedSequence().generate_state(2, np.uint64)
    return int(drawn[0]), int(drawn[1])


def scaled(size: int, count: int) -> int:
    """Elements of `count` repetitions of a dataset of `size` elements."""
    if count == 0 or size == 0:
        return 0
    if count < 0:
        return INFINITE
    return size if size < 0 else size * count
