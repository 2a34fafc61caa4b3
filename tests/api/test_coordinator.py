"""Coordinator, LooperThread and QueueRunner: how threads end, and where their errors come out."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import hornbeam as tf


@pytest.fixture(autouse=True)
def graph() -> Iterator[Any]:
    with tf.Graph().as_default() as g:
        yield g


def test_join_waits_for_threads_that_were_asked_to_stop() -> None:
    coord = tf.train.Coordinator()
    done: list[int] = []

    def loop(k: int) -> None:
        while not coord.should_stop():
            coord.wait_for_stop(0.01)
        done.append(k)

    threads = [threading.Thread(target=loop, args=(k,)) for k in range(3)]
    for t in threads:
        t.start()
    assert not coord.wait_for_stop(0.05)
    coord.request_stop()
    coord.join(threads)
    assert sorted(done) == [0, 1, 2]
    assert coord.joined


def test_join_returns_when_all_threads_end_by_themselves() -> None:
    coord = tf.train.Coordinator()
    t = threading.Thread(target=lambda: None)
    coord.register_thread(t)
    t.start()
    coord.join()
    assert not coord.should_stop()


def test_join_raises_what_a_thread_reported_first() -> None:
    coord = tf.train.Coordinator()

    def fail(e: Exception) -> None:
        with coord.stop_on_exception():
            raise e

    first = threading.Thread(target=fail, args=(RuntimeError("first"),))
    first.start()
    first.join()
    second = threading.Thread(target=fail, args=(RuntimeError("second"),))
    second.start()
    with pytest.raises(RuntimeError, match="first"):
        coord.join([first, second])
    with pytest.raises(RuntimeError, match="first"):
        coord.raise_requested_exception()


def test_end_of_input_is_a_clean_stop() -> None:
    coord = tf.train.Coordinator()
    try:
        raise tf.errors.OutOfRangeError(None, None, "end")
    except tf.errors.OutOfRangeError as e:
        coord.request_stop(e)
    coord.join([])
    strict = tf.train.Coordinator(clean_stop_exception_types=())
    try:
        raise tf.errors.OutOfRangeError(None, None, "end")
    except tf.errors.OutOfRangeError:
        strict.request_stop(sys.exc_info())
    with pytest.raises(tf.errors.OutOfRangeError):
        strict.join([])


def test_stragglers_are_named_after_the_grace_period() -> None:
    release = threading.Event()
    coord = tf.train.Coordinator()
    t = threading.Thread(target=release.wait, name="stubborn", daemon=True)
    t.start()
    coord.request_stop()
    with pytest.raises(RuntimeError, match="threads still running: stubborn"):
        coord.join([t], stop_grace_period_secs=0.1)
    coord.clear_stop()
    coord.request_stop()
    coord.join([t], stop_grace_period_secs=0.1, ignore_live_threads=True)
    release.set()


def test_a_coordinator_can_be_used_again() -> None:
    coord = tf.train.Coordinator()
    coord.request_stop(ValueError("x"))
    with pytest.raises(ValueError, match="x"):
        coord.join([])
    coord.clear_stop()
    assert not coord.should_stop()
    coord.join([])


def test_an_exception_after_join_is_raised_at_once() -> None:
    coord = tf.train.Coordinator()
    coord.request_stop()
    coord.join([])
    with pytest.raises(ValueError, match="late"):
        coord.request_stop(ValueError("late"))


def test_looper_thread_calls_until_stopped() -> None:
    coord = tf.train.Coordinator()
    calls: list[float] = []
    looper = tf.train.LooperThread.loop(coord, 0.02, calls.append, (1.0,))
    while len(calls) < 3:
        time.sleep(0.01)
    coord.request_stop()
    coord.join([looper])
    assert len(calls) >= 3
    with pytest.raises(ValueError, match="coord"):
        tf.train.LooperThread(None, 1)


def test_runner_fills_the_queue_and_closes_it_at_the_end_of_input() -> None:
    counter = tf.Variable(0, name="counter", collections=[tf.GraphKeys.LOCAL_VARIABLES])
    q = tf.FIFOQueue(4, tf.int32, shapes=[[]])
    tf.train.add_queue_runner(tf.train.QueueRunner(q, [q.enqueue(counter.count_up_to(10))]))
    dequeue = q.dequeue()
    with tf.Session() as sess:
        sess.run(tf.local_variables_initializer())
        coord = tf.train.Coordinator()
        threads = tf.train.start_queue_runners(sess, coord)
        assert len(threads) == 2
        got = []
        with pytest.raises(tf.errors.OutOfRangeError, match="is closed and has insufficient elements"):
            while True:
                got.append(int(sess.run(dequeue)))
        coord.request_stop()
        coord.join(threads)
        assert got == list(range(10))


def test_threads_are_not_started_twice() -> None:
    q = tf.FIFOQueue(1, tf.int32, shapes=[[]])
    qr = tf.train.QueueRunner(q, [q.enqueue(1)] * 2)
    with tf.Session() as sess:
        coord = tf.train.Coordinator()
        threads = qr.create_threads(sess, coord, start=True, daemon=True)
        assert len(threads) == 3
        assert qr.create_threads(sess, coord, start=True) == []
        coord.request_stop()
        coord.join(threads)
        assert not any(t.is_alive() for t in threads)


def test_an_error_in_a_runner_comes_out_of_join_and_wakes_consumers() -> None:
    p = tf.Variable([1, 2], name="p", collections=[tf.GraphKeys.LOCAL_VARIABLES])
    q = tf.FIFOQueue(10, tf.int32, shapes=[[]])
    broken = tf.check_numerics(tf.constant(float("nan")) * tf.cast(p[0], tf.float32), "not a number")
    tf.train.add_queue_runner(tf.train.QueueRunner(q, [q.enqueue(tf.cast(broken, tf.int32), name="put")]))
    dequeue = q.dequeue()
    with tf.Session() as sess:
        sess.run(tf.local_variables_initializer())
        coord = tf.train.Coordinator()
        threads = tf.train.start_queue_runners(sess, coord)
        with pytest.raises(tf.errors.OpError):
            sess.run(dequeue)
        coord.request_stop()
        with pytest.raises(tf.errors.InvalidArgumentError, match="not a number"):
            coord.join(threads)


def test_without_a_coordinator_errors_are_kept() -> None:
    q = tf.FIFOQueue(10, tf.int32, shapes=[[]])
    p = tf.placeholder(tf.int32, [], name="p")
    qr = tf.train.QueueRunner(q, [q.enqueue(p)])
    with tf.Session() as sess:
        hook, threading.excepthook = threading.excepthook, lambda args: None
        try:
            (t,) = qr.create_threads(sess, start=True)
            t.join(20)
        finally:
            threading.excepthook = hook
        assert [type(e) for e in qr.exceptions_raised] == [tf.errors.InvalidArgumentError]


def test_runner_survives_a_meta_graph() -> None:
    q = tf.FIFOQueue(4, tf.int32, shapes=[[]], name="q")
    types = (tf.errors.OutOfRangeError, tf.errors.CancelledError)
    tf.train.add_queue_runner(tf.train.QueueRunner(q, [q.enqueue(7, name="put")], queue_closed_exception_types=types))
    q.dequeue(name="take")
    meta = tf.train.export_meta_graph()
    with tf.Graph().as_default() as g:
        tf.train.import_meta_graph(meta)
        (qr,) = tf.get_collection(tf.GraphKeys.QUEUE_RUNNERS)
        assert qr.name == "q"
        assert qr.queue_closed_exception_types == types
        with tf.Session() as sess:
            coord = tf.train.Coordinator()
            threads = tf.train.start_queue_runners(sess, coord)
            assert [sess.run(g.get_tensor_by_name("take:0")) for _ in range(3)] == [7, 7, 7]
            coord.request_stop()
            coord.join(threads)


def test_wrong_arguments_are_refused() -> None:
    q = tf.FIFOQueue(1, tf.int32)
    with pytest.raises(ValueError, match="queue and enqueue_ops"):
        tf.train.QueueRunner(q, [])
    with pytest.raises(TypeError, match="queue_closed_exception_types"):
        tf.train.QueueRunner(q, [q.enqueue(1)], queue_closed_exception_types=[ValueError])
    with pytest.raises(ValueError, match="No default session"):
        tf.train.start_queue_runners()


def test_a_program_that_only_loads_a_graph_gets_its_runners(tmp_path: Path) -> None:
    q = tf.FIFOQueue(4, tf.int32, shapes=[[]], name="q")
    tf.train.add_queue_runner(tf.train.QueueRunner(q, [q.enqueue(7)]))
    q.dequeue(name="take")
    tf.train.export_meta_graph(str(tmp_path / "g.meta"))
    program = f"""
import hornbeam as tf
tf.train.import_meta_graph({str(tmp_path / "g.meta")!r})
with tf.Session() as sess:
    coord = tf.train.Coordinator()
    threads = tf.train.start_queue_runners(sess, coord)
    print(sess.run("take:0"))
    coord.request_stop()
    coord.join(threads)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120, check=False)
    assert done.stdout.strip() == "7", done.stderr
