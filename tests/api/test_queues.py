"""Queues: order, waiting, closing, and what goes wrong, with real threads."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import hornbeam as tf


@pytest.fixture(autouse=True)
def graph() -> Iterator[Any]:
    with tf.Graph().as_default() as g:
        yield g


def in_thread(f: Any) -> tuple[threading.Thread, list[Any]]:
    result: list[Any] = []

    def call() -> None:
        try:
            result.append(f())
        except tf.errors.OpError as e:
            result.append(e)

    t = threading.Thread(target=call)
    t.start()
    return t, result


def test_elements_come_out_in_order_and_batches_are_stacked() -> None:
    q = tf.FIFOQueue(10, [tf.int32, tf.string], shapes=[[2], []])
    with tf.Session() as sess:
        sess.run(q.enqueue(([1, 2], "a")))
        sess.run(q.enqueue_many(([[3, 4], [5, 6]], ["b", "c"])))
        first = sess.run(q.dequeue())
        assert first[0].tolist() == [1, 2]
        assert first[1] == b"a"
        numbers, texts = sess.run(q.dequeue_many(2))
        assert numbers.tolist() == [[3, 4], [5, 6]]
        assert texts.tolist() == [b"b", b"c"]


def test_what_is_enqueued_is_not_changed_by_its_owner_later() -> None:
    q = tf.FIFOQueue(10, tf.float32)
    p = tf.placeholder(tf.float32)
    enqueue, dequeue = q.enqueue(p), q.dequeue()
    with tf.Session() as sess:
        value = np.ones(3, np.float32)
        sess.run(enqueue, {p: value})
        value[:] = 7
        out = sess.run(dequeue)
        assert out.tolist() == [1, 1, 1]
        out[:] = 5  # a result is the caller's own


def test_a_batch_may_be_larger_than_the_queue() -> None:
    q = tf.FIFOQueue(2, tf.int32, shapes=[[]])
    p = tf.placeholder(tf.int32, [])
    enqueue, many = q.enqueue(p), q.dequeue_many(6)
    with tf.Session() as sess:
        t, result = in_thread(lambda: sess.run(many))
        for i in range(6):
            sess.run(enqueue, {p: i})
        t.join(20)
        assert result[0].tolist() == [0, 1, 2, 3, 4, 5]


def test_enqueue_many_larger_than_the_queue_fills_it_as_room_comes() -> None:
    q = tf.FIFOQueue(3, tf.int32, shapes=[[]])
    many, dequeue, size = q.enqueue_many([list(range(10))]), q.dequeue(), q.size()
    with tf.Session() as sess:
        t, _ = in_thread(lambda: sess.run(many))
        out = []
        for _ in range(10):
            out.append(sess.run(dequeue))
        t.join(20)
        assert out == list(range(10))
        assert sess.run(size) == 0


def test_close_waits_for_enqueuers_in_line_and_refuses_later_ones() -> None:
    q = tf.FIFOQueue(1, tf.int32, shapes=[[]])
    enqueue, close, dequeue = q.enqueue(1), q.close(), q.dequeue()
    with tf.Session() as sess:
        sess.run(enqueue)
        t, pending = in_thread(lambda: sess.run(enqueue))
        time.sleep(0.1)
        t2, closing = in_thread(lambda: sess.run(close))
        time.sleep(0.1)
        assert t2.is_alive()
        assert sess.run(dequeue) == 1
        t.join(20)
        t2.join(20)
        assert pending == [None]
        assert closing == [None]
        with pytest.raises(tf.errors.CancelledError, match="FIFOQueue '.*fifo_queue' is closed"):
            sess.run(enqueue)
        assert sess.run(dequeue) == 1
        with pytest.raises(
            tf.errors.OutOfRangeError, match=r"is closed and has insufficient elements \(requested 1, current size 0\)"
        ):
            sess.run(dequeue)


def test_cancelling_close_wakes_enqueuers() -> None:
    q = tf.FIFOQueue(1, tf.int32, shapes=[[]])
    enqueue, cancel = q.enqueue(1), q.close(cancel_pending_enqueues=True)
    with tf.Session() as sess:
        sess.run(enqueue)
        t, pending = in_thread(lambda: sess.run(enqueue))
        time.sleep(0.1)
        sess.run(cancel)
        t.join(20)
        assert isinstance(pending[0], tf.errors.CancelledError)
        assert "fifo_queue_enqueue" in pending[0].message


def test_unserved_batch_puts_its_elements_back() -> None:
    q = tf.FIFOQueue(5, tf.int32, shapes=[[]])
    many, up_to, close = q.dequeue_many(4), q.dequeue_up_to(4), q.close()
    with tf.Session() as sess:
        sess.run(q.enqueue_many([[1, 2, 3]]))
        t, result = in_thread(lambda: sess.run(many))
        time.sleep(0.1)
        sess.run(close)
        t.join(20)
        assert isinstance(result[0], tf.errors.OutOfRangeError)
        assert sess.run(up_to).tolist() == [1, 2, 3]


def test_closing_the_session_ends_every_wait() -> None:
    q = tf.FIFOQueue(1, tf.int32, shapes=[[]])
    sess = tf.Session()
    sess.run(q.enqueue(1))
    waits = [in_thread(lambda op=op: sess.run(op)) for op in (q.enqueue(2), q.dequeue_many(3), q.dequeue())]
    time.sleep(0.2)
    sess.close()
    for t, result in waits:
        t.join(20)
        assert not t.is_alive()
        assert result
        assert isinstance(result[0], tf.errors.CancelledError) or result[0] is None or result[0] == 1


def test_operation_timeout_is_kept() -> None:
    q = tf.FIFOQueue(1, tf.int32)
    with (
        tf.Session(config=tf.ConfigProto(operation_timeout_in_ms=50)) as sess,
        pytest.raises(tf.errors.DeadlineExceededError),
    ):
        sess.run(q.dequeue())


def test_shuffle_queue_keeps_its_minimum_until_closed() -> None:
    q = tf.RandomShuffleQueue(10, 3, tf.int32, shapes=[[]], seed=1)
    dequeue, close = q.dequeue(), q.close()
    with tf.Session() as sess:
        sess.run(q.enqueue_many([[0, 1, 2, 3]]))
        got = [sess.run(dequeue)]
        t, result = in_thread(lambda: sess.run(dequeue))
        t.join(0.2)
        assert t.is_alive()
        sess.run(close)
        t.join(20)
        got += result + [sess.run(dequeue) for _ in range(2)]
        assert sorted(int(v) for v in got) == [0, 1, 2, 3]


def test_shuffled_order_is_tensorflows() -> None:
    q = tf.RandomShuffleQueue(30, 0, tf.int32, shapes=[[]], seed=3)
    with tf.Session() as sess:
        sess.run(q.enqueue_many([list(range(10))]))
        assert sess.run(q.dequeue_many(5)).tolist() == [7, 1, 4, 5, 6]
        sess.run(q.enqueue_many([list(range(10, 20))]))
        assert sess.run(q.dequeue_many(15)).tolist() == [16, 9, 19, 8, 3, 0, 2, 18, 17, 11, 12, 10, 14, 15, 13]


def test_padding_queue_pads_to_the_longest_of_a_batch() -> None:
    q = tf.PaddingFIFOQueue(10, [tf.int32, tf.string], shapes=[[None], [None, 2]])
    with tf.Session() as sess:
        sess.run(q.enqueue(([1, 2, 3], [["a", "b"]])))
        sess.run(q.enqueue(([1], [["a", "b"], ["c", "d"]])))
        numbers, texts = sess.run(q.dequeue_many(2))
        assert numbers.tolist() == [[1, 2, 3], [1, 0, 0]]
        assert texts.tolist() == [[[b"a", b"b"], [b"", b""]], [[b"a", b"b"], [b"c", b"d"]]]


def test_priority_queue_gives_the_smallest_first() -> None:
    q = tf.PriorityQueue(10, [tf.string], shapes=[[]])
    with tf.Session() as sess:
        sess.run(q.enqueue_many(([3, -1, 2, 2], ["c", "a", "b", "bb"])))
        assert sess.run(q.dequeue_many(4))[1].tolist() == [b"a", b"b", b"bb", b"c"]


def test_wrong_shapes_name_component_and_node() -> None:
    q = tf.FIFOQueue(10, [tf.float32, tf.int32], shapes=[[], [2]])
    p = tf.placeholder(tf.int32)
    with tf.Session() as sess:
        with pytest.raises(
            tf.errors.InvalidArgumentError, match=r"Shape mismatch in tuple component 1. Expected \[2\], got \[3\]"
        ) as e:
            sess.run(q.enqueue((1.0, p), name="put"), {p: [1, 2, 3]})
        assert "put" in e.value.message
        with pytest.raises(ValueError, match="incompatible"):
            q.enqueue((1.0, [1, 2, 3]))
        unshaped = tf.FIFOQueue(10, tf.float32)
        with pytest.raises(tf.errors.InvalidArgumentError, match="require the components to have specified shapes"):
            sess.run(unshaped.dequeue_many(2))


def test_shared_queues_must_agree() -> None:
    a = tf.FIFOQueue(10, tf.int32, shapes=[[]], shared_name="s")
    b = tf.FIFOQueue(10, tf.int32, shapes=[[]], shared_name="s")
    c = tf.FIFOQueue(11, tf.int32, shapes=[[]], shared_name="s")
    with tf.Session() as sess:
        sess.run(a.enqueue(5))
        assert sess.run(b.dequeue()) == 5
        with pytest.raises(
            tf.errors.InvalidArgumentError, match="Shared queue 's' has capacity 10 but requested capacity was 11"
        ):
            sess.run(c.size())


def test_many_producers_and_consumers_lose_nothing() -> None:
    q = tf.FIFOQueue(5, tf.int32, shapes=[[]])
    p = tf.placeholder(tf.int32, [])
    with tf.Session() as sess:
        put = sess.make_callable(q.enqueue(p), [p])
        take = sess.make_callable(q.dequeue())
        threads = [in_thread(lambda k=k: [put(np.int32(i)) for i in range(k * 100, k * 100 + 100)]) for k in range(4)]
        takers = [in_thread(lambda: [int(take()) for _ in range(100)]) for _ in range(4)]
        for t, _ in threads + takers:
            t.join(60)
            assert not t.is_alive()
        assert sorted(v for _, r in takers for v in r[0]) == list(range(400))


def test_v1_handles_of_old_graphs_work() -> None:
    from hornbeam.core.registry import raw

    handle = raw.FIFOQueue(component_types=[tf.int32], shapes=[[]], capacity=3)
    put, take = raw.QueueEnqueue(handle, [tf.constant(4)]), raw.QueueDequeue(handle, component_types=[tf.int32])
    with tf.Session() as sess:
        sess.run(put)
        assert sess.run(raw.QueueSize(handle)) == 1
        assert sess.run(take) == [4]
        sess.run(raw.QueueClose(handle))
        assert sess.run(raw.QueueIsClosed(handle))


def test_plans_that_need_cutting_may_start_in_several_threads() -> None:
    q = tf.FIFOQueue(1000, tf.float32)
    n = tf.random_uniform([], 1, 5, tf.int32)
    rows = tf.cast(tf.size(tf.where(tf.random_uniform([10]) > 0.5)), tf.float32)
    enqueue = q.enqueue(tf.reduce_sum(tf.ones([n, n * 2])) + rows)
    with tf.Session() as sess:
        run = sess.make_callable(enqueue)
        threads = [in_thread(lambda: [run() for _ in range(10)]) for _ in range(6)]
        for t, result in threads:
            t.join(120)
            assert result == [[None] * 10]
        assert sess.run(q.size()) == 60
