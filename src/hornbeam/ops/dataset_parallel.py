"""tf.data on threads: prefetching, and a pool that computes elements ahead; both stop with the iterator, the session or the garbage collector."""

from __future__ import annotations

import _thread
import queue
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable
from typing import Any

from hornbeam.core import errors
from hornbeam.ops.dataset_base import DatasetValue, Element, Iterator, Run, dataset_op, integer

_POLL = 0.5  # seconds between looks at whether the session is closing
_MOST_THREADS = 64
_AHEAD = 4  # elements that prefetching with an automatic size keeps


# --- a pool --------------------------------------------------------------------------------------------------------------------
class Task:
    """One call. Whoever claims it first runs it: a thread of the pool, or the one that waits for it (so nested waits cannot starve)."""

    __slots__ = ("function", "done", "result", "error", "_claim", "seconds")

    def __init__(self, function: Callable[[], Any]) -> None:
        self.function: Callable[[], Any] | None = function
        self.done = _thread.allocate_lock()
        self.done.acquire()
        self._claim = _thread.allocate_lock()
        self.result: Any = None
        self.error: BaseException | None = None
        self.seconds = 0.0

    def run(self) -> None:
        if not self._claim.acquire(False):
            return
        start = time.perf_counter()
        try:
            self.result = self.function()  # type: ignore[misc]
        except BaseException as e:  # handed to the waiter
            self.error = e
        self.seconds = time.perf_counter() - start
        self.function = None
        self.done.release()

    def cancel(self) -> None:
        if self._claim.acquire(False):
            self.function = None
            self.done.release()

    def wait(self, run: Run) -> Any:
        """The result, or the error; CancelledError when the iterator stops."""
        self.run()
        while not self.done.acquire(timeout=_POLL):
            run.check()
        self.done.release()
        if self.error is not None:
            error, self.error = self.error, None
            raise error
        return self.result


class _Pool:
    """Daemon threads, started as they are needed."""

    def __init__(self) -> None:
        self._tasks: queue.SimpleQueue[Task] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._threads = 0
        self._idle = 0

    def submit(self, task: Task) -> None:
        self._tasks.put(task)
        with self._lock:
            grow = self._idle < self._tasks.qsize() and self._threads < _MOST_THREADS
            if grow:
                self._threads += 1
        if grow:
            threading.Thread(target=self._work, name="hornbeam-data", daemon=True).start()

    def _work(self) -> None:
        while True:
            with self._lock:
                self._idle += 1
            try:
                task: Task | None = self._tasks.get(timeout=10.0)
            except queue.Empty:
                task = None
            with self._lock:
                self._idle -= 1
                if task is None:
                    self._threads -= 1
                    return
            assert task is not None
            task.run()
            del task


pool = _Pool()


# --- prefetch ------------------------------------------------------------------------------------------------------------------
class _Buffer:
    """What the thread of a prefetch and its consumer share. It does not know the iterator, so that can be collected."""

    def __init__(self, size: int, run: Run) -> None:
        self.size = size
        self.items: deque[tuple[Element | None, BaseException | None]] = deque()
        self.changed = threading.Condition()
        self.producing = threading.Lock()
        self.stopped = False
        self.closing = run.state.closing

    def stop(self) -> None:
        with self.changed:
            self.stopped = True
            self.changed.notify_all()


def _fill(owner: weakref.ref[Prefetch], buffer: _Buffer) -> None:
    while True:
        with buffer.changed:
            while len(buffer.items) >= buffer.size and not buffer.stopped and not buffer.closing.is_set():
                buffer.changed.wait(_POLL)
            if buffer.stopped or buffer.closing.is_set():
                return
        it = owner()
        if it is None:
            return
        source = it.inputs[0]
        del it
        element: Element | None = None
        error: BaseException | None = None
        with buffer.producing:
            try:
                element = None if source is None else source.next()
            except BaseException as e:  # handed to the consumer
                error = e
            with buffer.changed:
                buffer.items.append((element, error))
                buffer.changed.notify_all()
        del source
        if element is None and error is None:
            return
        del element, error


class Prefetch(Iterator):
    """Runs its input on a thread, up to `size` elements ahead."""

    def __init__(self, run: Run, dataset: DatasetValue, size: int) -> None:
        super().__init__(run, dataset)
        self.buffer = _Buffer(size, run)
        self.started = False
        self.ended = False
        self._finalizer = weakref.finalize(self, self.buffer.stop)
        self._finalizer.atexit = False

    def _start(self) -> None:
        self.started = True
        threading.Thread(
            target=_fill, args=(weakref.ref(self), self.buffer), name="hornbeam-prefetch", daemon=True
        ).start()

    def next(self) -> Element | None:
        if self.ended:
            return None
        if not self.started:
            self._start()
        b = self.buffer
        with b.changed:
            while not b.items:
                if b.stopped:
                    raise errors.CancelledError(None, None, "The iterator was closed.")
                self.run.check()
                b.changed.wait(_POLL)
            element, error = b.items.popleft()
            b.changed.notify_all()
        if error is not None:
            raise error
        if element is None:
            self.ended = True
            self.used_up()
        return element

    def close(self) -> None:
        self.buffer.stop()
        super().close()

    def save(self) -> Any:
        with self.buffer.producing:
            items: list[list[Any]] = []
            for element, error in self.buffer.items:
                if error is not None:
                    if not isinstance(error, errors.OpError):
                        raise error
                    items.append([None, error.error_code, error.message])
                else:
                    items.append([element, 0, ""])
            return [items, self.ended, None if self.inputs[0] is None else self.inputs[0].save()]

    def load(self, state: Any) -> None:
        items, self.ended, below = state
        for element, code, message in items:
            error = errors.exception_type_from_error_code(code)(None, None, message) if code else None
            self.buffer.items.append((element, error))
        if below is None:
            self.used_up()
        elif self.inputs[0] is not None:
            self.inputs[0].load(below)
        if items and items[-1][0] is None and not items[-1][1]:
            self.started = True  # the end is in the buffer


@dataset_op("PrefetchDataset(input_dataset: variant, buffer_size: int64)",
            "slack_period: int = 0; legacy_autotune: bool = true; buffer_size_min: int = 0", metadata=True)  # fmt: skip
def PrefetchDataset(input_dataset, buffer_size, ctx):
    n = integer(buffer_size)
    if n < -1:
        raise ctx.fail("buffer_size must be >= 0 or set buffer_size to be -1 for auto-tuning")
    if n == 0:
        return input_dataset
    size = _AHEAD if n < 0 else n
    return DatasetValue(ctx.node, lambda run: Prefetch(run, input_dataset, size), input_dataset.size)


# --- calls ahead -----------------------------------------------------------------------------------------------------------------
_WORTH_A_THREAD = 150e-6  # seconds; handing a call to a thread and back costs a good part of this


class CallsAhead(Iterator):
    """Up to `ahead` calls of `call(element)` are under way at once; results come in the order of the input.

    Calls too short to be worth a thread run where they are asked for.
    """

    def __init__(
        self, run: Run, dataset: DatasetValue, ahead: int, call: Callable[[Run, Element, int], Element | None]
    ) -> None:
        super().__init__(run, dataset)
        self.ahead, self.call = ahead, call
        self.pending: deque[tuple[Element, int, Task]] = deque()
        self.cost = 0.0
        self.calls = 0
        self.i = 0
        self.over = False

    def _submit(self, element: Element) -> None:
        i, run, call = self.i, self.run, self.call
        self.i += 1
        task = Task(lambda: call(run, element, i))
        self.pending.append((element, i, task))
        pool.submit(task)

    def _learn(self, seconds: float) -> None:
        self.calls += 1
        self.cost = seconds if self.calls <= 2 else 0.9 * self.cost + 0.1 * seconds

    def next(self) -> Element | None:
        if self.over:
            return None
        if not self.pending and (self.calls < 2 or self.cost < _WORTH_A_THREAD):
            return self._here()
        while (it := self.inputs[0]) is not None and len(self.pending) < self.ahead:
            try:
                e = it.next()
            except errors.OpError as error:
                failed = Task(_raiser(error))
                self.pending.append(([], -1, failed))
                break
            if e is None:
                self.used_up()
                break
            self._submit(e)
        if not self.pending:
            return None
        self.run.check()
        task = self.pending.popleft()[2]
        try:
            return self._ended(task.wait(self.run))
        finally:
            self._learn(task.seconds)

    def _here(self) -> Element | None:
        it = self.inputs[0]
        e = None if it is None else it.next()
        if e is None:
            self.used_up()
            return None
        i = self.i
        self.i += 1
        start = time.perf_counter()
        try:
            return self._ended(self.call(self.run, e, i))
        finally:
            self._learn(time.perf_counter() - start)

    def _ended(self, result: Element | None) -> Element | None:
        if result is None:
            self.over = True
            self.close()
        return result

    def close(self) -> None:
        for _, _, task in self.pending:
            task.cancel()
        self.pending.clear()
        super().close()

    def save(self) -> Any:
        """Calls under way are stored by their arguments, and made again after a restore."""
        return [
            [[e, i] for e, i, _ in self.pending if i >= 0],
            self.i,
            self.over,
            None if self.inputs[0] is None else self.inputs[0].save(),
        ]

    def load(self, state: Any) -> None:
        waiting, i, self.over, below = state
        if below is None:
            self.used_up()
        elif self.inputs[0] is not None:
            self.inputs[0].load(below)
        for e, k in waiting:
            self.i = k
            self._submit(e)
        self.i = i


def _raiser(error: BaseException) -> Callable[[], Any]:
    def fail() -> Any:
        raise error

    return fail


def parallelism(value: Any, ctx: Any) -> int:
    """`num_parallel_calls`: as given, or the number of processors for -1 (AUTOTUNE)."""
    n = integer(value)
    if n == -1:
        import os

        return max(2, os.cpu_count() or 1)
    if n < 1:
        raise ctx.fail(f"num_parallel_calls must be greater than zero, got {n}.")
    return n
