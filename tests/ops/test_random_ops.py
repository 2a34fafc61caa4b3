"""Seeds, sessions, shapes, errors and gradients of the random functions."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from hornbeam.api import random_ops
from hornbeam.core import dtypes, errors
from hornbeam.core.graph import Graph, get_default_graph
from hornbeam.core.registry import gradient_of, raw
from hornbeam.runtime.session import Session


@pytest.fixture(autouse=True)
def graph():
    with Graph().as_default() as g:
        yield g


def seeds_of(tensor: Any) -> tuple[int, int]:
    op = next(o for o in tensor.graph.get_operations() if "seed2" in o.node_def.attr)
    return op.get_attr("seed"), op.get_attr("seed2")


def test_op_seed_alone_is_combined_with_the_default_graph_seed() -> None:
    assert random_ops.get_seed(12) == (87654321, 12)
    assert random_ops.get_seed(-3) == (87654321, 2**31 - 4)
    assert random_ops.get_seed(None) == (None, None)


def test_graph_seed_numbers_the_ops_without_a_seed() -> None:
    random_ops.set_random_seed(7)
    assert [random_ops.get_seed(s) for s in (None, None, 9, None)] == [(7, 0), (7, 1), (7, 9), (7, 2)]
    with Graph().as_default():
        random_ops.set_random_seed(7)
        assert random_ops.get_seed(None) == (7, 0)


def test_seeds_of_zero_do_not_mean_unseeded() -> None:
    random_ops.set_random_seed(0)
    assert random_ops.get_seed(0) == (0, 2**31 - 1)


def test_unseeded_ops_differ_between_sessions_and_runs() -> None:
    values = random_ops.random_uniform([50])
    drawn = []
    for _ in range(2):
        with Session() as session:
            drawn += [session.run(values), session.run(values)]
    assert len({v.tobytes() for v in drawn}) == 4


def test_a_new_session_starts_again_and_keeps_its_own_place() -> None:
    random_ops.set_random_seed(3)
    values = random_ops.random_normal([20])
    with Session() as one, Session() as other:
        first, second = one.run(values), one.run(values)
        again = other.run(values)
    assert (first == again).all() and (first != second).any()


def test_two_fetches_of_one_op_in_a_run_are_one_draw() -> None:
    values = random_ops.random_uniform([5])
    with Session() as session:
        a, b, doubled = session.run([values, raw.Identity(values), values * 2.0])
    assert (a == b).all() and (doubled == 2 * a).all()


def test_the_shape_may_be_fed_and_change_from_run_to_run() -> None:
    shape = raw.Placeholder(dtype=dtypes.int32, shape=(2,))
    values = random_ops.random_normal(shape, seed=4)
    assert values.shape.as_list() == [None, None]
    with Session() as session:
        assert session.run(values, {shape: [2, 3]}).shape == (2, 3)
        assert session.run(values, {shape: [0, 3]}).shape == (0, 3)
        assert session.run(values, {shape: [4, 1]}).shape == (4, 1)


def test_partly_known_shapes_are_kept() -> None:
    rows = raw.Placeholder(dtype=dtypes.int32, shape=())
    assert random_ops.random_uniform([rows, 3]).shape.as_list() == [None, 3]
    assert random_ops.multinomial(raw.Placeholder(dtype=dtypes.float32, shape=(None, 5)), 4).shape.as_list() == [
        None,
        4,
    ]
    assert random_ops.random_gamma([2], np.ones((3, 4), np.float32)).shape.as_list() == [2, 3, 4]


@pytest.mark.parametrize("dtype", [dtypes.int32, dtypes.int64, dtypes.float16, dtypes.float32, dtypes.float64])
def test_uniform_values_have_the_type_and_range_asked_for(dtype: Any) -> None:
    with Session() as session:
        values = session.run(random_ops.random_uniform([1000], 3, 11, dtype, seed=1))
    assert values.dtype == dtype.np and values.min() >= 3 and values.max() <= 11


def test_wrong_types_are_refused_while_building() -> None:
    with pytest.raises(ValueError, match="maxval"):
        random_ops.random_uniform([2], dtype=dtypes.int32)
    with pytest.raises(ValueError, match="invalid value int8"):
        random_ops.random_uniform([2], maxval=3, dtype=dtypes.int8)
    with pytest.raises(ValueError, match="int32, int64"):
        random_ops.categorical([[1.0]], 2, dtype=dtypes.float32)


def run(*fetches: Any) -> Any:
    with Session() as session:
        return session.run(fetches if len(fetches) > 1 else fetches[0])


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: random_ops.random_uniform([2], 5, 5, dtypes.int32), "Need minval < maxval, got 5 >= 5"),
        (lambda: random_ops.random_normal([2, -3]), "must be >= 0"),
        (lambda: random_ops.stateless_normal(_hidden([2]), _hidden([1, 2, 3])), "seed must have shape"),
        (lambda: random_ops.multinomial(_hidden([1.0, 2.0]), 2), "logits should be a matrix"),
        (lambda: random_ops.multinomial([[1.0, 2.0]], -1), "num_samples should be non-negative"),
        (
            lambda: random_ops.uniform_candidate_sampler(np.int64([[3]]), 1, 5, True, 4)[0],
            "Sampler's range is too small",
        ),
        (
            lambda: random_ops.log_uniform_candidate_sampler(np.int64([[9]]), 1, 2, True, 4)[0],
            r"`true_candidate` out of range \[0, 4\), received 9",
        ),
        (lambda: random_ops.fixed_unigram_candidate_sampler(np.int64([[1]]), 1, 2, True, 4)[0], "Must provide either"),
        (
            lambda: random_ops.fixed_unigram_candidate_sampler(np.int64([[1]]), 1, 2, True, 4, unigrams=[1, 2])[0],
            "range is 4 must be equal to weights size",
        ),
        (lambda: random_ops.parameterized_truncated_normal([4], minvals=3.0, maxvals=1.0), "Invalid parameters"),
        (lambda: random_ops.random_crop(_hidden(np.zeros((2, 5))), [3, 3]), "Need value.shape >= size"),
    ],
)
def test_bad_arguments_are_reported_by_the_op(build: Any, message: str) -> None:
    with pytest.raises(errors.InvalidArgumentError, match=message):
        run(build())


def _hidden(value: Any) -> Any:
    """A constant whose shape is not known while building."""
    value = np.asarray(value)
    return raw.PlaceholderWithDefault(value, shape=None)


def test_fixed_unigrams_come_from_a_vocabulary_file(tmp_path: Any) -> None:
    path = tmp_path / "vocabulary.csv"
    path.write_text("the,50\ncat,3\nsat,1\n")
    from_file = random_ops.fixed_unigram_candidate_sampler(
        np.int64([[1]]), 1, 40, False, 3, vocab_file=str(path), seed=5
    )
    from_list = random_ops.fixed_unigram_candidate_sampler(
        np.int64([[1]]), 1, 40, False, 3, unigrams=[50, 3, 1], seed=5
    )
    a, b = run(from_file, from_list)
    assert all((x == y).all() for x, y in zip(a, b, strict=True))
    path.write_text("the,often\n")
    with pytest.raises(errors.InvalidArgumentError, match="Wrong vocabulary format at line: the,often"):
        run(random_ops.fixed_unigram_candidate_sampler(np.int64([[0]]), 1, 1, False, 1, vocab_file=str(path)))


def test_learned_unigrams_remember_within_a_session_only() -> None:
    drawn = random_ops.learned_unigram_candidate_sampler(np.int64([[3]]), 1, 10, False, 4, seed=2)
    with Session() as session:
        expected = [session.run(drawn)[1][0, 0] for _ in range(3)]
    assert np.allclose(expected, [10 * 1 / 4, 10 * 2 / 5, 10 * 3 / 6])
    assert run(drawn)[1][0, 0] == 2.5


def test_shuffle_permutes_whole_rows() -> None:
    rows = np.arange(60).reshape(20, 3)
    shuffled = run(random_ops.random_shuffle(rows, seed=1))
    assert (shuffled[np.argsort(shuffled[:, 0])] == rows).all() and (shuffled != rows).any()


def test_crop_is_a_window_of_the_image() -> None:
    image = np.arange(48).reshape(6, 8)
    with Session() as session:
        crops = [session.run(c) for c in [random_ops.random_crop(image, [2, 3], seed=s) for s in range(8)]]
    assert all((c == image[c[0, 0] // 8 :, c[0, 0] % 8 :][:2, :3]).all() for c in crops)
    assert len({c[0, 0] for c in crops}) > 2


def test_gamma_draws_have_a_gradient_by_alpha_only() -> None:
    """Where alpha is large a draw is nearly alpha + x·sqrt(alpha), so its derivative is near 1 + x/(2·sqrt(alpha))."""
    alpha = raw.Placeholder(dtype=dtypes.float64, shape=(2,))
    drawn = raw.RandomGamma([500], alpha, seed=3, seed2=4)
    shape_gradient, gradient = gradient_of("RandomGamma")(drawn.op, raw.OnesLike(drawn))
    assert shape_gradient is None
    with Session() as session:
        values, total = session.run([drawn, gradient], {alpha: [400.0, 2500.0]})
    x = (values - [400, 2500]) / [20, 50]
    assert np.allclose(total, (1 + x / [40, 100]).sum(axis=0), rtol=2e-3)


@pytest.mark.parametrize(
    "op", ["RandomUniform", "TruncatedNormal", "Multinomial", "StatelessRandomNormal", "RandomShuffle"]
)
def test_draws_pass_no_gradient(op: str) -> None:
    assert gradient_of(op) is None


def test_default_graph_is_the_one_seeded() -> None:
    random_ops.set_random_seed(11)
    assert get_default_graph().seed == 11
    assert seeds_of(random_ops.random_uniform([1])) == (11, 0)
