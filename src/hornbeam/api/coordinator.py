"""`tf.train.Coordinator`: threads that stop together, and report to the main thread what made them stop."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from hornbeam.api import platform as logging
from hornbeam.core import errors


class Coordinator:
    """Coordinates the end of a set of threads.

    Any thread may call `request_stop`, with an exception or `sys.exc_info()` when something went wrong; all threads ask `should_stop`;
    `join` waits for them and raises what was reported. `clean_stop_exception_types` (OutOfRangeError) count as a clean end.
    """

    def __init__(self, clean_stop_exception_types: Any = None) -> None:
        if clean_stop_exception_types is None:
            clean_stop_exception_types = (errors.OutOfRangeError,)
        self._clean_stop_exception_types = tuple(clean_stop_exception_types)
        self._lock = threading.Lock()
        self._stop_event = threading.Event()
        self._exc_info_to_raise: Any = None
        self._joined = False
        self._registered_threads: set[threading.Thread] = set()

    def _filter_exception(self, ex: Any) -> Any:
        """None for an exception that is a clean end."""
        error = ex[1] if isinstance(ex, tuple) else ex
        return None if isinstance(error, self._clean_stop_exception_types) else ex

    def request_stop(self, ex: Any = None) -> None:
        """Asks all threads to stop; the first exception given is what `join` raises. After `join` it is raised at once."""
        with self._lock:
            ex = self._filter_exception(ex)
            if self._joined:
                if isinstance(ex, tuple):
                    raise ex[1].with_traceback(ex[2])
                if ex is not None:
                    raise ex
            if self._stop_event.is_set():
                return
            if ex is not None and self._exc_info_to_raise is None:
                info = ex if isinstance(ex, tuple) else (type(ex), ex, getattr(ex, "__traceback__", None))
                if len(info) != 3 or not isinstance(info[1], BaseException):
                    wrong = ValueError(f"ex must be a tuple or sys.exc_info for the current exception: {ex}")
                    info = (ValueError, wrong, None)
                logging.info("Error reported to Coordinator: %s, %s", info[0], info[1])
                self._exc_info_to_raise = info
            self._stop_event.set()

    def clear_stop(self) -> None:
        """Forgets that stopping was asked for, so that the coordinator can be used again."""
        with self._lock:
            self._joined = False
            self._exc_info_to_raise = None
            self._stop_event.clear()

    def should_stop(self) -> bool:
        return self._stop_event.is_set()

    @contextmanager
    def stop_on_exception(self) -> Iterator[None]:
        """Reports an exception raised inside as a request to stop."""
        try:
            yield
        except:  # noqa: E722  also KeyboardInterrupt, which the main thread must hear of
            self.request_stop(ex=sys.exc_info())

    def wait_for_stop(self, timeout: float | None = None) -> bool:
        """Waits until stopping is asked for; False when `timeout` seconds pass before."""
        return self._stop_event.wait(timeout)

    def register_thread(self, thread: threading.Thread) -> None:
        """A thread for `join` to wait for."""
        with self._lock:
            self._registered_threads.add(thread)

    def join(
        self,
        threads: Iterable[Any] | None = None,
        stop_grace_period_secs: float = 120,
        ignore_live_threads: bool = False,
    ) -> None:
        """Waits until the registered threads and `threads` have ended; raises what one of them reported.

        Once stopping was asked for they have `stop_grace_period_secs` seconds: RuntimeError names those that live on.
        """
        with self._lock:
            all_threads = set(self._registered_threads) | set(threads or ())
        while any(t.is_alive() for t in all_threads) and not self.wait_for_stop(0.05):
            pass
        end = time.monotonic() + stop_grace_period_secs
        for t in all_threads:
            while t.is_alive() and time.monotonic() < end:
                t.join(min(1.0, max(0.0, end - time.monotonic())))
        stragglers = [t for t in all_threads if t.is_alive()]
        with self._lock:
            self._joined = True
            self._registered_threads = set()
            if self._exc_info_to_raise is not None:
                _, error, trace = self._exc_info_to_raise
                raise error.with_traceback(trace)
            if stragglers:
                if ignore_live_threads:
                    logging.info(
                        "Coordinator stopped with threads still running: %s", " ".join(t.name for t in stragglers)
                    )
                else:
                    raise RuntimeError(
                        f"Coordinator stopped with threads still running: {' '.join(t.name for t in stragglers)}"
                    )

    @property
    def joined(self) -> bool:
        return self._joined

    def raise_requested_exception(self) -> None:
        """Raises the exception that was reported, if any."""
        with self._lock:
            if self._exc_info_to_raise is not None:
                _, error, trace = self._exc_info_to_raise
                raise error.with_traceback(trace)


class LooperThread(threading.Thread):
    """A thread that calls `target` (or `run_loop`) every `timer_interval_secs` seconds until its coordinator stops.

    With an interval of None it calls without a pause. An exception in the loop stops the coordinator.
    """

    def __init__(
        self,
        coord: Coordinator,
        timer_interval_secs: float | None,
        target: Callable[..., Any] | None = None,
        args: Any = None,
        kwargs: Any = None,
    ) -> None:
        if not isinstance(coord, Coordinator):
            raise ValueError(f"'coord' argument must be a Coordinator: {coord}")
        super().__init__()
        self.daemon = True
        self._coord = coord
        self._timer_interval_secs = timer_interval_secs
        if target:
            self._loop_target: Callable[..., Any] | None = target
            self._args = () if args is None else args
            self._kwargs = {} if kwargs is None else kwargs
        elif args or kwargs:
            raise ValueError("'args' and 'kwargs' argument require that you also pass 'target'")
        else:
            self._loop_target = None
            self._args, self._kwargs = (), {}
        self._coord.register_thread(self)

    @staticmethod
    def loop(
        coord: Coordinator,
        timer_interval_secs: float | None,
        target: Callable[..., Any],
        args: Any = None,
        kwargs: Any = None,
    ) -> LooperThread:
        """A started looper thread."""
        looper = LooperThread(coord, timer_interval_secs, target=target, args=args, kwargs=kwargs)
        looper.start()
        return looper

    def run(self) -> None:
        with self._coord.stop_on_exception():
            self.start_loop()
            if self._timer_interval_secs is None:
                while not self._coord.should_stop():
                    self.run_loop()
            else:
                next_time = time.time()
                while not self._coord.wait_for_stop(max(0.0, next_time - time.time())):
                    next_time += self._timer_interval_secs
                    self.run_loop()
            self.stop_loop()

    def start_loop(self) -> None:
        """Called once when the thread starts; for subclasses."""

    def stop_loop(self) -> None:
        """Called once when the thread stops; for subclasses."""

    def run_loop(self) -> None:
        if self._loop_target:
            self._loop_target(*self._args, **self._kwargs)


__tf_exports__ = {
    "train.Coordinator": "Coordinator",
    "train.LooperThread": "LooperThread",
}
