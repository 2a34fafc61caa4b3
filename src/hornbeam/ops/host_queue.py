"""The queues themselves, as a session holds them: blocking, closable, in the order in which callers came. No graph here.

Callers wait in two lines, one to enqueue and one to dequeue. Whoever changes the queue moves both lines on as far as they go and
wakes those who are done; a `dequeue_many` takes elements as they come, so that it may ask for more than the capacity.
"""

from __future__ import annotations

import heapq
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from hornbeam.core import dtypes, errors
from hornbeam.core.dtypes import DType
from hornbeam.core.tensor_shape import Shape, compatible
from hornbeam.ops import philox

_POLL = 1.0  # seconds between looks at the session by a caller that waits
BLOCKED, MOVED, DONE = range(3)


class Waiter:
    """A caller in line: `step()` makes what progress it can, `undo()` gives back what an unfinished call took."""

    __slots__ = ("step", "undo", "done", "error", "result", "wake", "what")

    def __init__(self, step: Callable[[Waiter], int], what: str, undo: Callable[[], None] | None = None) -> None:
        self.step = step
        self.what = what
        self.undo = undo
        self.done = False
        self.error: errors.OpError | None = None
        self.result: Any = None
        self.wake: Any = None


class Lines:
    """The two lines of waiting callers and the lock over everything they touch."""

    def __init__(self) -> None:
        self.mutex = threading.Lock()
        self.enqueuers: deque[Waiter] = deque()
        self.dequeuers: deque[Waiter] = deque()

    def submit(self, line: deque[Waiter], waiter: Waiter, ctx: Any) -> Any:
        """Stands in line until the waiter's step is done. Raises its error; CancelledError when the session closes meanwhile."""
        with self.mutex:
            line.append(waiter)
            self.flush()
            if not waiter.done:
                waiter.wake = threading.Lock()
                waiter.wake.acquire()
        if not waiter.done:
            self._wait(line, waiter, ctx)
        if waiter.error is not None:
            raise waiter.error
        return waiter.result

    def _wait(self, line: deque[Waiter], waiter: Waiter, ctx: Any) -> None:
        closing = ctx.state.closing
        deadline = _deadline(ctx)
        try:
            while not waiter.done:
                left = _POLL if deadline is None else min(_POLL, deadline - time.monotonic())
                if closing.is_set():
                    self.cancel(
                        line, waiter, errors.CancelledError(None, None, f"{waiter.what} operation was cancelled")
                    )
                elif left <= 0:
                    self.cancel(
                        line, waiter, errors.DeadlineExceededError(None, None, "Timed out waiting for notification")
                    )
                else:
                    waiter.wake.acquire(timeout=left)
        except BaseException:  # Ctrl-C: leave the line before passing it on
            self.cancel(line, waiter, errors.CancelledError(None, None, f"{waiter.what} operation was cancelled"))
            raise

    def cancel(self, line: deque[Waiter], waiter: Waiter, error: errors.OpError) -> None:
        with self.mutex:
            if waiter.done:
                return
            self._drop(line, waiter, error)
            self.flush()

    def cancel_all(self, line: deque[Waiter]) -> None:
        """Ends every wait of a line with CancelledError; the lock is held."""
        for w in list(line):
            self._drop(line, w, errors.CancelledError(None, None, f"{w.what} operation was cancelled"))

    def _drop(self, line: deque[Waiter], waiter: Waiter, error: errors.OpError) -> None:
        line.remove(waiter)
        if waiter.undo is not None:
            waiter.undo()
        waiter.error = error
        self._finish(waiter)

    @staticmethod
    def _finish(waiter: Waiter) -> None:
        waiter.done = True
        waiter.step = waiter.undo = None  # type: ignore[assignment]
        if waiter.wake is not None:
            waiter.wake.release()

    def flush(self) -> None:
        moved = True
        while moved:
            moved = self._advance(self.enqueuers)
            moved = self._advance(self.dequeuers) or moved

    def _advance(self, line: deque[Waiter]) -> bool:
        moved = False
        while line:
            w = line[0]
            try:
                outcome = w.step(w)
            except errors.OpError as e:
                w.error, outcome = e, DONE
            if outcome != DONE:
                return moved or outcome == MOVED
            line.popleft()
            self._finish(w)
            moved = True
        return moved

    def session_closed(self) -> None:
        with self.mutex:
            self.cancel_all(self.enqueuers)
            self.cancel_all(self.dequeuers)


def _deadline(ctx: Any) -> float | None:
    """When a wait has to end: the session's `operation_timeout_in_ms`."""
    config = getattr(ctx.state.session, "_config", None)
    ms = getattr(config, "operation_timeout_in_ms", 0)
    return time.monotonic() + ms / 1000 if ms > 0 else None


class HostQueue(Lines):
    """A queue of tuples of `types`; `shapes` is None when components may have any shape. Negative capacity: no bound."""

    kind = "FIFOQueue"

    def __init__(self, name: str, capacity: int, types: Sequence[DType], shapes: Sequence[Shape] | None) -> None:
        super().__init__()
        self.name = name
        self.capacity = capacity if capacity >= 0 else 1 << 62
        self.types = list(types)
        self.shapes = None if shapes is None else [tuple(s) if s is not None else None for s in shapes]
        self.closed = False
        self.items: Any = self._container()

    # the store, which the kinds of queue differ in ---------------------------------------------------------------------------
    def _container(self) -> Any:
        return deque()

    def _put(self, element: tuple[Any, ...]) -> None:
        self.items.append(element)

    def _put_back(self, elements: list[tuple[Any, ...]]) -> None:
        self.items.extendleft(reversed(elements))

    def _take(self) -> tuple[Any, ...]:
        return self.items.popleft()  # type: ignore[no-any-return]

    def _available(self) -> int:
        return len(self.items)

    def _batch(self, elements: list[tuple[Any, ...]]) -> list[Any]:
        shapes = self.shapes
        assert shapes is not None
        return [stack([e[i] for e in elements], t, shapes[i]) for i, t in enumerate(self.types)]

    # operations ------------------------------------------------------------------------------------------------------------------
    def enqueue(self, values: Sequence[Any], ctx: Any) -> None:
        """Adds one element, waiting for room. CancelledError when the queue is or gets closed."""
        self._check(values)
        element = tuple([own(v) for v in values])

        def step(_: Waiter) -> int:
            self._refuse_closed()
            if len(self.items) >= self.capacity:
                return BLOCKED
            self._put(element)
            return DONE

        self.submit(self.enqueuers, Waiter(step, "Enqueue"), ctx)

    def enqueue_many(self, values: Sequence[Any], ctx: Any) -> None:
        """Adds the slices of the tensors along dimension 0, as many at a time as there is room for."""
        if any(np.ndim(v) == 0 for v in values):
            raise errors.InvalidArgumentError(
                None, None, "All components of an enqueue_many must have at least one dimension."
            )
        n = len(values[0])
        self._check(values, n)
        columns = [list(own(v)) for v in values]
        elements = list(zip(*columns, strict=True))
        at = 0

        def step(_: Waiter) -> int:
            nonlocal at
            self._refuse_closed()
            stop = min(n, at + self.capacity - len(self.items))
            if stop <= at and at < n:
                return BLOCKED
            for i in range(at, stop):
                self._put(elements[i])
            at = max(at, stop)
            return DONE if at >= n else MOVED

        self.submit(self.enqueuers, Waiter(step, "Enqueue"), ctx)

    def dequeue(self, ctx: Any) -> tuple[Any, ...]:
        """The next element. OutOfRangeError when the queue is closed and empty."""

        def step(w: Waiter) -> int:
            if self._available() <= 0:
                if self.closed:
                    raise self._insufficient(1)
                return BLOCKED
            w.result = self._take()
            return DONE

        return self.submit(self.dequeuers, Waiter(step, "Dequeue"), ctx)  # type: ignore[no-any-return]

    def dequeue_many(self, n: int, ctx: Any, up_to: bool = False) -> list[Any]:
        """`n` elements, stacked by component; with `up_to` fewer when the queue is closed and has fewer, but never none."""
        if n < 0:
            raise errors.InvalidArgumentError(
                None, None, f"DequeueMany must request a positive number of elements, got {n}"
            )
        if self.shapes is None or any(s is None for s in self.shapes):
            raise errors.InvalidArgumentError(
                None,
                None,
                f"{self.kind}'s DequeueMany and DequeueUpTo require the components to have specified shapes.",
            )
        if n == 0:
            return self._batch([])
        taken: list[tuple[Any, ...]] = []

        def undo() -> None:
            self._put_back(taken)
            taken.clear()

        def step(_: Waiter) -> int:
            have = self._available()
            missing = n - len(taken)
            if self.closed and have < missing:
                if taken:
                    undo()
                size = self._available()
                if not up_to or size <= 0:
                    raise self._insufficient(missing if have else n, have)
                taken.extend([self._take() for _ in range(size)])
                return DONE
            if have <= 0:
                return BLOCKED
            taken.extend([self._take() for _ in range(min(have, missing))])
            return DONE if len(taken) == n else MOVED

        self.submit(self.dequeuers, Waiter(step, "Dequeue", undo), ctx)
        return self._batch(taken)

    def close(self, cancel_pending_enqueues: bool, ctx: Any) -> None:
        """Refuses further elements, once those already in line are in; or at once, cancelling them."""
        if cancel_pending_enqueues:
            with self.mutex:
                self.closed = True
                self.cancel_all(self.enqueuers)
                self.flush()
            return

        def step(_: Waiter) -> int:
            if self.closed:
                raise errors.CancelledError(None, None, f"Queue '{self.name}' is already closed.")
            self.closed = True
            return DONE

        self.submit(self.enqueuers, Waiter(step, "Enqueue"), ctx)

    def size(self) -> int:
        return len(self.items)

    # checks --------------------------------------------------------------------------------------------------------------------------
    def _refuse_closed(self) -> None:
        if self.closed:
            raise errors.CancelledError(None, None, f"{self.kind} '{self.name}' is closed.")

    def _insufficient(self, requested: int, size: int | None = None) -> errors.OpError:
        size = max(0, self._available() if size is None else size)
        return errors.OutOfRangeError(
            None, None,
            f"{self.kind} '{self.name}' is closed and has insufficient elements (requested {requested}, current size {size})",
        )  # fmt: skip

    def _check(self, values: Sequence[Any], many: int | None = None) -> None:
        if len(values) != len(self.types):
            raise errors.InvalidArgumentError(
                None, None, f"Wrong number of components in tuple. Expected {len(self.types)}, got {len(values)}"
            )
        for i, (v, t) in enumerate(zip(values, self.types, strict=True)):
            if v.dtype != t.np:
                raise errors.InvalidArgumentError(
                    None,
                    None,
                    f"Type mismatch in tuple component {i}. Expected {t.name}, got {dtypes.as_dtype(v.dtype).name}",
                )
            if self.shapes is None:
                if many is not None and len(v) != many:
                    raise errors.InvalidArgumentError(
                        None,
                        None,
                        f"All input tensors must have the same size in the 0th dimension. Component {i} has {len(v)}, and should have {many}",
                    )
                continue
            want = self.shapes[i]
            if want is not None and many is not None:
                want = (many, *want)
            if want is not None and not (len(want) == v.ndim and compatible(want, v.shape)):
                raise errors.InvalidArgumentError(
                    None,
                    None,
                    f"Shape mismatch in tuple component {i}. Expected {_brackets(want)}, got {_brackets(v.shape)}",
                )

    def compatible_with(self, kind: str, capacity: int, types: Sequence[DType], shapes: Sequence[Shape] | None) -> None:
        """InvalidArgumentError when a second node with this queue's shared name describes another queue."""
        asked = capacity if capacity >= 0 else 1 << 62
        if kind != self.kind:
            raise errors.InvalidArgumentError(None, None, f"Expected {kind}, found {self.kind}")
        if asked != self.capacity:
            raise errors.InvalidArgumentError(
                None,
                None,
                f"Shared queue '{self.name}' has capacity {self.capacity} but requested capacity was {capacity}",
            )
        if list(types) != self.types:
            raise errors.InvalidArgumentError(
                None, None,
                f"Shared queue '{self.name}' has component types {_cpp_types(self.types)} but requested component types were {_cpp_types(types)}",
            )  # fmt: skip
        mine, theirs = self.shapes or [], list(shapes or [])
        if mine != theirs:
            raise errors.InvalidArgumentError(
                None, None,
                f"Shared queue '{self.name}' has component shapes [{','.join(map(_brackets, mine))}] but requested component shapes were "
                f"[{','.join(map(_brackets, theirs))}]",
            )  # fmt: skip


class ShuffleQueue(HostQueue):
    """Gives elements in random order, keeping at least `min_after_dequeue` until it is closed. TensorFlow's order for its seeds."""

    kind = "RandomShuffleQueue"

    def __init__(
        self, name: str, capacity: int, types: Sequence[DType], shapes: Sequence[Shape] | None, min_after_dequeue: int, seeds: tuple[int, int]
    ) -> None:  # fmt: skip
        super().__init__(name, capacity, types, shapes)
        self.min_after_dequeue = min_after_dequeue
        self._stream = philox.Stream(seeds[0], 0, seeds[1])
        self._words: list[int] = []

    def _container(self) -> Any:
        return []

    def _put(self, element: tuple[Any, ...]) -> None:
        # a row of a large block would keep the block alive as long as it stays here
        self.items.append(tuple([v if getattr(v, "base", None) is None else _frozen(v) for v in element]))

    def _put_back(self, elements: list[tuple[Any, ...]]) -> None:
        self.items.extend(elements)

    def _available(self) -> int:
        n = len(self.items)
        return n if self.closed else max(0, n - self.min_after_dequeue)

    def _take(self) -> tuple[Any, ...]:
        if not self._words:
            self._words = philox.numpy_bits(self._stream, 256).reshape(-1)[::-1].tolist()
            self._stream = self._stream.skip(256)
        items = self.items
        i = self._words.pop() % len(items)
        element = items[i]
        items[i] = items[-1]
        items.pop()
        return element  # type: ignore[no-any-return]


class PaddingQueue(HostQueue):
    """A FIFO queue whose shapes may have unknown dimensions; `dequeue_many` pads with zeros to the largest of the batch."""

    kind = "PaddingFIFOQueue"

    def _batch(self, elements: list[tuple[Any, ...]]) -> list[Any]:
        assert self.shapes is not None
        out = []
        for i, (t, s) in enumerate(zip(self.types, self.shapes, strict=True)):
            values = [e[i] for e in elements]
            if s and None in s:
                extent = tuple(
                    max((np.shape(v)[k] for v in values), default=0) if d is None else d for k, d in enumerate(s)
                )
                padded = (
                    np.full((len(values), *extent), b"", object)
                    if t is dtypes.string
                    else np.zeros((len(values), *extent), t.np)
                )
                for row, v in zip(padded, values, strict=True):
                    row[tuple(slice(0, d) for d in v.shape)] = v
                out.append(padded)
            else:
                out.append(stack(values, t, s))
        return out


class PriorityHostQueue(HostQueue):
    """Gives the element with the smallest first component (int64) first; equal ones in the order they came."""

    kind = "PriorityQueue"

    def _container(self) -> Any:
        self._count = 0
        return []

    def _put(self, element: tuple[Any, ...]) -> None:
        self._count += 1
        heapq.heappush(self.items, (int(element[0]), self._count, element))

    def _put_back(self, elements: list[tuple[Any, ...]]) -> None:
        for i, e in enumerate(elements):
            heapq.heappush(self.items, (int(e[0]), i - len(elements), e))

    def _take(self) -> tuple[Any, ...]:
        return heapq.heappop(self.items)[2]  # type: ignore[no-any-return]


# --- values -------------------------------------------------------------------------------------------------------------------
def own(value: Any) -> Any:
    """The value as the queue may keep it: what its owner could still change is copied."""
    if isinstance(value, np.ndarray) and value.flags.writeable:
        return _frozen(value)
    return value


def _frozen(value: Any) -> Any:
    if not isinstance(value, np.ndarray):
        return value
    copy = np.array(value)
    copy.setflags(write=False)
    return copy


def stack(values: list[Any], dtype: DType, shape: Shape) -> Any:
    """Values of one shape along a new first dimension."""
    out = np.empty((len(values), *(d or 0 for d in shape or ())), object if dtype is dtypes.string else dtype.np)
    if out.ndim == 1:
        if dtype is dtypes.string:
            for i, v in enumerate(values):
                out[i] = v if isinstance(v, bytes) else v.item()
        elif values:
            out[:] = values
        return out
    for i, v in enumerate(values):
        out[i] = v
    return out


def _brackets(shape: Shape) -> str:
    return "<unknown>" if shape is None else "[" + ",".join("?" if d is None else str(d) for d in shape) + "]"


_CPP = {"float32": "float", "float64": "double", "float16": "half"}


def _cpp_types(types: Sequence[DType]) -> str:
    return ", ".join(_CPP.get(t.name, t.name) for t in types)
