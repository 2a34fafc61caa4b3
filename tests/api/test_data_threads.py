"""tf.data's threads: they stop with the session, on errors and with the iterator, and memory stays flat."""

from __future__ import annotations

import gc
import threading
import time

import numpy as np
import pytest

import hornbeam as tf

D = tf.data.Dataset


def _prefetchers():
    return [t for t in threading.enumerate() if t.name == "hornbeam-prefetch"]


def _gone(before, seconds=5.0):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if len(_prefetchers()) <= before:
            return True
        gc.collect()
        time.sleep(0.05)
    return False


def test_threads_end_when_the_session_closes_or_is_forgotten():
    before = len(_prefetchers())
    with tf.Graph().as_default():
        nxt = tf.data.make_one_shot_iterator(
            D.range(10**9).map(lambda x: x + 1, num_parallel_calls=2).prefetch(4)
        ).get_next()
        with tf.Session() as s:
            s.run(nxt)
            assert len(_prefetchers()) > before
        assert _gone(before)
        s = tf.Session()
        s.run(nxt)
        del s
        assert _gone(before)


def test_initialising_anew_stops_the_old_threads():
    before = len(_prefetchers())
    with tf.Graph().as_default():
        it = tf.data.make_initializable_iterator(D.range(10**9).prefetch(4))
        nxt = it.get_next()
        with tf.Session() as s:
            for _ in range(20):
                s.run(it.initializer)
                assert s.run(nxt) == 0
            assert _gone(before + 1)


def test_closing_the_session_wakes_who_waits_for_an_element():
    release = threading.Event()
    with tf.Graph().as_default():

        def wait(x):
            release.wait(20)
            return x

        nxt = tf.data.make_one_shot_iterator(
            D.range(3).map(lambda x: tf.py_func(wait, [x], tf.int64)).prefetch(1)
        ).get_next()
        s = tf.Session()
        caught = []

        def consume():
            try:
                s.run(nxt)
            except tf.errors.OpError as e:
                caught.append(e)

        t = threading.Thread(target=consume)
        t.start()
        time.sleep(0.3)
        s.close()
        t.join(5)
        release.set()
        assert not t.is_alive() and isinstance(caught[0], tf.errors.CancelledError)


def test_ten_thousand_steps_with_parallel_calls_keep_memory_flat():
    with tf.Graph().as_default():
        d = D.from_tensor_slices(np.random.rand(256, 64).astype(np.float32)).shuffle(64, seed=1).repeat()
        d = (
            d.map(lambda x: tf.py_func(lambda v: v + 1, [x], tf.float32), num_parallel_calls=4)
            .map(lambda x: x * 2.0)
            .batch(4)
            .prefetch(2)
        )
        nxt = tf.data.make_one_shot_iterator(d).get_next()

        def resident():
            with open("/proc/self/statm") as f:
                return int(f.read().split()[1])

        with tf.Session() as s:
            for _ in range(1000):
                s.run(nxt)
            gc.collect()
            start = resident()
            for _ in range(10000):
                s.run(nxt)
            gc.collect()
            assert resident() < start * 1.02 + 512


def test_several_threads_share_one_iterator_without_losing_elements():
    with tf.Graph().as_default():
        nxt = tf.data.make_one_shot_iterator(
            D.range(2000).map(lambda x: x, num_parallel_calls=4).prefetch(8)
        ).get_next()
        got: list[int] = []
        with tf.Session() as s:

            def consume():
                while True:
                    try:
                        got.append(int(s.run(nxt)))
                    except tf.errors.OutOfRangeError:
                        return

            threads = [threading.Thread(target=consume) for _ in range(4)]
            for t in threads:
                t.start()
            for t in threads:
                t.join(60)
        assert sorted(got) == list(range(2000))


def test_nested_parallel_maps_do_not_starve_the_pool():
    with tf.Graph().as_default():

        def slow(x):
            time.sleep(0.001)
            return x

        def inner(x):
            return D.range(4).map(lambda y: tf.py_func(slow, [x * 10 + y], tf.int64), num_parallel_calls=4)

        d = D.range(64).interleave(inner, cycle_length=16, block_length=1, num_parallel_calls=16)
        nxt = tf.data.make_one_shot_iterator(d).get_next()
        with tf.Session() as s:
            got = [int(s.run(nxt)) for _ in range(256)]
        assert sorted(got) == sorted(10 * x + y for x in range(64) for y in range(4))


@pytest.mark.parametrize("parallel", [None, 3])
def test_bodies_that_need_a_program_are_compiled_per_signature_only(parallel):
    with tf.Graph().as_default():
        kernel = np.random.rand(3, 3, 1, 2).astype(np.float32)
        images = np.random.rand(6, 8, 8, 1).astype(np.float32)
        d = D.from_tensor_slices(images).map(
            lambda x: tf.nn.conv2d(x[None], kernel, [1, 1, 1, 1], "SAME")[0], num_parallel_calls=parallel
        )
        nxt = tf.data.make_one_shot_iterator(d).get_next()
        want = tf.nn.conv2d(images, kernel, [1, 1, 1, 1], "SAME")
        with tf.Session() as s:
            expected = s.run(want)
            for i in range(6):
                np.testing.assert_allclose(s.run(nxt), expected[i], rtol=1e-5)
