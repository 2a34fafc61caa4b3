"""`tf.train.QueueRunner`: threads that fill a queue, started together by `start_queue_runners` and stopped through a Coordinator."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable
from typing import Any

from hornbeam.api import meta_graph
from hornbeam.api import platform as logging
from hornbeam.core import errors
from hornbeam.core.graph import GraphKeys, add_to_collection, get_collection, get_default_graph, get_default_session
from hornbeam.proto import QueueRunnerDef


class QueueRunner:
    """Enqueue operations for a queue, one thread each.

    A thread that meets one of `queue_closed_exception_types` ends; the last one to do so closes the queue. Any other exception is
    reported to the coordinator, or kept in `exceptions_raised` when there is none.
    """

    def __init__(
        self,
        queue: Any = None,
        enqueue_ops: Any = None,
        close_op: Any = None,
        cancel_op: Any = None,
        queue_closed_exception_types: Any = None,
        queue_runner_def: Any = None,
        import_scope: str | None = None,
    ) -> None:
        if queue_runner_def is not None:
            if queue or enqueue_ops:
                raise ValueError("queue_runner_def and queue are mutually exclusive.")
            self._init_from_proto(queue_runner_def, import_scope)
        else:
            self._init_from_args(queue, enqueue_ops, close_op, cancel_op, queue_closed_exception_types)
        self._lock = threading.Lock()
        self._runs_per_session: weakref.WeakKeyDictionary[Any, int] = weakref.WeakKeyDictionary()
        self._exceptions_raised: list[BaseException] = []

    def _init_from_args(
        self, queue: Any = None, enqueue_ops: Any = None, close_op: Any = None, cancel_op: Any = None, queue_closed_exception_types: Any = None
    ) -> None:  # fmt: skip
        if not queue or not enqueue_ops:
            raise ValueError("Must provide queue and enqueue_ops.")
        self._queue = queue
        self._enqueue_ops = enqueue_ops
        self._close_op = close_op if close_op is not None else queue.close()
        self._cancel_op = cancel_op if cancel_op is not None else queue.close(cancel_pending_enqueues=True)
        if queue_closed_exception_types is not None:
            if (not isinstance(queue_closed_exception_types, tuple) or not queue_closed_exception_types
                    or not all(isinstance(t, type) and issubclass(t, errors.OpError) for t in queue_closed_exception_types)):  # fmt: skip
                raise TypeError(
                    "queue_closed_exception_types, when provided, must be a tuple of tf.error types, but saw: "
                    f"{queue_closed_exception_types}"  # noqa: UP031
                )
        self._queue_closed_exception_types = queue_closed_exception_types or (errors.OutOfRangeError,)

    def _init_from_proto(self, queue_runner_def: Any, import_scope: str | None = None) -> None:
        graph = get_default_graph()

        def element(name: str) -> Any:
            return graph.as_graph_element(f"{import_scope}/{name}" if import_scope else name)

        self._queue = element(queue_runner_def.queue_name)
        self._enqueue_ops = [element(n) for n in queue_runner_def.enqueue_op_name]
        self._close_op = element(queue_runner_def.close_op_name)
        self._cancel_op = element(queue_runner_def.cancel_op_name)
        codes = queue_runner_def.queue_closed_exception_types
        # older files have none: then only OutOfRangeError ends a thread quietly
        self._queue_closed_exception_types = tuple(errors.exception_type_from_error_code(c) for c in codes) or (
            errors.OutOfRangeError,
        )

    @property
    def queue(self) -> Any:
        return self._queue

    @property
    def enqueue_ops(self) -> Any:
        return self._enqueue_ops

    @property
    def close_op(self) -> Any:
        return self._close_op

    @property
    def cancel_op(self) -> Any:
        return self._cancel_op

    @property
    def queue_closed_exception_types(self) -> Any:
        return self._queue_closed_exception_types

    @property
    def exceptions_raised(self) -> list[BaseException]:
        """Exceptions of threads that had no coordinator to report to."""
        return self._exceptions_raised

    @property
    def name(self) -> str:
        return self._queue.name  # type: ignore[no-any-return]

    def _run(self, sess: Any, enqueue_op: Any, coord: Any = None) -> None:
        """One thread's work: the enqueue op again and again."""
        decremented = False
        try:
            enqueue = sess.make_callable(enqueue_op)
            while True:
                if coord and coord.should_stop():
                    break
                try:
                    enqueue()
                except self._queue_closed_exception_types:  # the input is exhausted
                    with self._lock:
                        self._runs_per_session[sess] -= 1
                        decremented = True
                        if self._runs_per_session[sess] == 0:
                            try:
                                sess.run(self._close_op)
                            except Exception as e:  # the queue may be closed already
                                logging.vlog(1, "Ignored exception: %s", str(e))
                        return
        except Exception as e:
            if coord:
                coord.request_stop(e)
            else:
                logging.error("Exception in QueueRunner: %s", str(e))
                with self._lock:
                    self._exceptions_raised.append(e)
                raise
        finally:
            if not decremented:
                with self._lock:
                    self._runs_per_session[sess] -= 1

    def _close_on_stop(self, sess: Any, cancel_op: Any, coord: Any) -> None:
        """Waits for the coordinator, then wakes all threads that wait at the queue."""
        coord.wait_for_stop()
        try:
            sess.run(cancel_op)
        except Exception as e:  # the session may be closed already
            logging.vlog(1, "Ignored exception: %s", str(e))

    def create_threads(
        self, sess: Any, coord: Any = None, daemon: bool = False, start: bool = False
    ) -> list[threading.Thread]:
        """Threads for the enqueue ops, and with a coordinator one more that closes the queue when it stops.

        Gives an empty list when threads of a session run already.
        """
        with self._lock:
            if self._runs_per_session.get(sess, 0) > 0:
                return []
            self._runs_per_session[sess] = len(self._enqueue_ops)
            self._exceptions_raised = []
        threads = [
            threading.Thread(target=self._run, args=(sess, op, coord), name=f"QueueRunnerThread-{self.name}-{op.name}") for op in self._enqueue_ops
        ]  # fmt: skip
        if coord:
            threads.append(
                threading.Thread(
                    target=self._close_on_stop,
                    args=(sess, self._cancel_op, coord),
                    name=f"QueueRunnerThread-{self.name}-close_on_stop",
                )
            )
        for t in threads:
            if coord:
                coord.register_thread(t)
            if daemon:
                t.daemon = True
            if start:
                t.start()
        return threads

    def to_proto(self, export_scope: str | None = None) -> Any:
        """A QueueRunnerDef, or None when the queue is outside `export_scope`."""
        if export_scope is not None and not self.queue.name.startswith(export_scope):
            return None

        def name(n: str) -> str:
            return n[len(export_scope) + 1 :] if export_scope and n.startswith(export_scope + "/") else n

        proto = QueueRunnerDef(
            queue_name=name(self.queue.name),
            close_op_name=name(self.close_op.name),
            cancel_op_name=name(self.cancel_op.name),
        )
        proto.enqueue_op_name.extend(name(o.name) for o in self.enqueue_ops)
        proto.queue_closed_exception_types.extend(
            errors.error_code_from_exception_type(c) for c in self._queue_closed_exception_types
        )
        return proto

    @staticmethod
    def from_proto(queue_runner_def: Any, import_scope: str | None = None) -> QueueRunner:
        return QueueRunner(queue_runner_def=queue_runner_def, import_scope=import_scope)


def add_queue_runner(qr: QueueRunner, collection: str = GraphKeys.QUEUE_RUNNERS) -> None:
    """Adds a QueueRunner to a collection of the graph, for `start_queue_runners`."""
    add_to_collection(collection, qr)


def start_queue_runners(
    sess: Any = None,
    coord: Any = None,
    daemon: bool = True,
    start: bool = True,
    collection: str = GraphKeys.QUEUE_RUNNERS,
) -> list[threading.Thread]:
    """Starts the threads of all queue runners of the graph; gives the threads. ValueError without a session."""
    if sess is None:
        sess = get_default_session()
        if not sess:
            raise ValueError(
                "Cannot start queue runners: No default session is registered. Use `with sess.as_default()` or pass an explicit "
                "session to tf.start_queue_runners(sess=sess)"
            )
    if not hasattr(sess, "graph") or not hasattr(sess, "run"):
        if sess.__class__.__name__ in ("MonitoredSession", "SingularMonitoredSession"):
            return []
        raise TypeError(f"sess must be a `tf.Session` object. Given class: {sess.__class__}")
    runners = get_collection(collection)
    if not runners:
        logging.warning(
            "`tf.train.start_queue_runners()` was called when no queue runners were defined. You can safely remove the call to this deprecated function."
        )
    with sess.graph.as_default():
        threads = []
        for qr in get_collection(collection):
            threads.extend(qr.create_threads(sess, coord=coord, daemon=daemon, start=start))
    return threads


_to_proto: Callable[..., Any] = QueueRunner.to_proto
meta_graph.register_proto_function(
    GraphKeys.QUEUE_RUNNERS, proto_type=QueueRunnerDef, to_proto=_to_proto, from_proto=QueueRunner.from_proto
)

__tf_exports__ = {
    "train.QueueRunner": "QueueRunner",
    "train.queue_runner.QueueRunner": "QueueRunner",
    "train.add_queue_runner": "add_queue_runner",
    "train.queue_runner.add_queue_runner": "add_queue_runner",
    "train.start_queue_runners": "start_queue_runners",
    "train.queue_runner.start_queue_runners": "start_queue_runners",
}
