"""The generator itself: its two forms against a scalar reading of the paper, and against each other."""

from __future__ import annotations

import jax
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hornbeam.ops import candidate_sampling, philox
from hornbeam.ops.philox import Stream

TYPES = ["float16", "float32", "float64"]


def philox_by_hand(key: int, counter: int) -> list[int]:
    """Philox4x32-10 of one 128-bit counter, in Python integers (Salmon et al., SC 2011)."""
    c = [counter >> 32 * i & 0xFFFFFFFF for i in range(4)]
    k = [key & 0xFFFFFFFF, key >> 32]
    for _ in range(10):
        p0, p1 = 0xD2511F53 * c[0], 0xCD9E8D57 * c[2]
        c = [p1 >> 32 ^ c[1] ^ k[0], p1 & 0xFFFFFFFF, p0 >> 32 ^ c[3] ^ k[1], p0 & 0xFFFFFFFF]
        k = [(k[0] + 0x9E3779B9) & 0xFFFFFFFF, (k[1] + 0xBB67AE85) & 0xFFFFFFFF]
    return c


words64 = st.one_of(st.integers(0, 2**64 - 1), st.sampled_from([0, 2**32 - 2, 2**63, 2**64 - 3, 2**64 - 1]))


@settings(max_examples=40, deadline=None)
@given(words64, words64, words64, st.sampled_from([1, 2, 7]))
def test_words_are_philox_wherever_the_counter_carries(key: int, low: int, high: int, stride: int) -> None:
    words = philox.numpy_bits(Stream(key, low, high), 5, stride)
    expected = [philox_by_hand(key, ((low | high << 64) + i * stride) % 2**128) for i in range(5)]
    assert words.tolist() == expected


def test_known_answer_of_the_papers_reference_code() -> None:
    ones = 2**64 - 1
    assert [f"{w:08x}" for w in philox.numpy_bits(Stream(0, 0, 0), 1)[0]] == [
        "6627e8d5",
        "e169c58d",
        "bc57ac4c",
        "9b00dbd8",
    ]
    words = philox.numpy_bits(Stream(ones, ones, ones), 1)[0]
    assert [f"{w:08x}" for w in words] == ["408f276d", "41c83b0e", "a20bc7c6", "6d5451fd"]


def traced(function, stream: Stream) -> np.ndarray:
    with jax.enable_x64(True):
        values = jax.jit(lambda k, lo, hi: function(Stream(k, lo, hi)))(*(np.uint64(p) for p in stream))
        return np.asarray(values)


def same(a: np.ndarray, b: np.ndarray, ulps: int = 0) -> bool:
    assert a.dtype == b.dtype and a.shape == b.shape
    kind = f"i{a.dtype.itemsize}"
    return bool((np.abs(a.view(kind).astype(float) - b.view(kind).astype(float)) <= ulps).all())


@pytest.mark.parametrize("n", [0, 1, 3, 4, 5, 8 * 8192 + 3])
@pytest.mark.parametrize("dtype", [*TYPES, "bfloat16"])
def test_both_forms_draw_the_same(dtype: str, n: int) -> None:
    kind = philox._bfloat16() if dtype == "bfloat16" else np.dtype(dtype)
    stream = Stream(87654321, 2**64 - 6, 11)
    for source in (philox.uniform(kind), philox.normal(kind)):
        here = philox.numpy_draw(source, stream, n)
        assert here.shape == (n,) and here.dtype == kind
        assert same(
            here, traced(lambda s, d=source: philox.jax_draw(d, s, n), stream), ulps=2 if dtype == "float64" else 0
        )


@pytest.mark.parametrize("n", [1, 2, 5, 70003])
@pytest.mark.parametrize("dtype", TYPES)
def test_truncated_normals_agree_and_stay_within_two_deviations(dtype: str, n: int) -> None:
    stream = Stream(5, 77, 3)
    here = philox.numpy_truncated_normal(dtype, stream, n)
    there = traced(lambda s: philox.jax_truncated_normal(dtype, s, n), stream)
    assert same(here, there, ulps=2 if dtype == "float64" else 0)
    assert np.abs(here.astype(np.float64)).max() <= 2


def test_a_run_continues_where_the_stream_was_left() -> None:
    whole = philox.numpy_draw(philox.uniform(np.float32), Stream(9, 0, 1), 4000)
    later = philox.numpy_draw(philox.uniform(np.float32), Stream(9, 0, 1).skip(250), 3000)
    assert (whole[1000:] == later).all()


@pytest.mark.parametrize("draw", ["normal", "truncated"])
def test_the_compiled_program_of_large_draws_changes_nothing(draw: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def values() -> np.ndarray:
        if draw == "normal":
            return philox.numpy_draw(philox.normal(np.float32), Stream(1, 2**64 - 70000, 3), 600_001)
        return philox.numpy_truncated_normal(np.float32, Stream(1, 2**64 - 70000, 3), 600_001)

    monkeypatch.setattr(philox, "_BULK_PAYS_AFTER", 1 << 60)
    by_numpy = values()
    monkeypatch.setattr(philox, "_BULK_PAYS_AFTER", 0)
    used = []
    program = philox._bulk_program
    monkeypatch.setattr(philox, "_bulk_program", lambda identity: used.append(1) or program(identity))
    assert (values() == by_numpy).all() and used


def test_integer_ranges_wrap_like_the_kernels() -> None:
    bits = np.array([0, 1, 2**32 - 1, 2**31], np.uint32)
    low, high = np.int32(-(2**31)), np.int32(2**31 - 1)
    assert philox.into_range(bits, low, high).tolist() == [-(2**31), -(2**31) + 1, -(2**31), 0]
    assert philox.into_range(bits, np.int32(5), np.int32(6)).tolist() == [5, 5, 5, 5]


def test_words_drawn_ahead_are_those_of_their_runs() -> None:
    ahead, step = candidate_sampling.Ahead(), 7
    runs = [*range(12), 3, 11, 12, 40, 41, 42, 0]
    for n, run in enumerate(runs):
        stream = Stream(5, 2**40, 7).skip(run * step)
        wanted = 5 + n % 3 * 4
        words = ahead.words(stream, step, wanted)
        assert len(words) >= wanted
        assert (words == philox.numpy_bits(stream, len(words) // 4).reshape(-1)).all()


def test_alias_table_keeps_every_share() -> None:
    weights = np.float32([50, 3, 0, 1, 7, 0.5])
    limit, other = candidate_sampling.alias_table(weights)
    share = np.bincount(np.arange(6), limit, 6) + np.bincount(other, 1 - limit, 6)
    assert np.allclose(share / 6, weights / weights.sum(), atol=1e-6)


def test_rejected_words_do_not_disturb_the_pairing() -> None:
    """2**32 mod 3 is 1: the word 0 is unfair as a slot and is dropped, the next word is the slot."""
    fair = candidate_sampling.fixed(np.float32([1, 1, 1]))
    words = np.uint32([1, 5, 2, 0, 4, 3, 7, 9])
    assert fair.draw(words).tolist() == [5 % 3, 4 % 3, 7 % 3]
