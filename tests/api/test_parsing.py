"""Parsing of Example and SequenceExample: values, defaults, padding, and errors that name example and feature."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import hornbeam as tf


@pytest.fixture(autouse=True)
def graph() -> Iterator[Any]:
    with tf.Graph().as_default() as g:
        yield g


def features(**values: Any) -> Any:
    made = {}
    for k, v in values.items():
        if v is None:
            made[k] = tf.train.Feature()
        elif isinstance(v[0], float):
            made[k] = tf.train.Feature(float_list=tf.train.FloatList(value=v))
        elif isinstance(v[0], int):
            made[k] = tf.train.Feature(int64_list=tf.train.Int64List(value=v))
        else:
            made[k] = tf.train.Feature(bytes_list=tf.train.BytesList(value=v))
    return tf.train.Features(feature=made)


def example(**values: Any) -> bytes:
    return tf.train.Example(features=features(**values)).SerializeToString()  # type: ignore[no-any-return]


def run(parsed: Any) -> Any:
    with tf.Session() as sess:
        return sess.run(parsed)


A, B = example(a=[1, 2], b=[1.5], c=[b"x", b"y"]), example(a=[3, 4], b=[2.5, 3.5])


def test_dense_and_sparse_features_of_a_batch() -> None:
    got = run(
        tf.parse_example(
            [A, B],
            {
                "a": tf.FixedLenFeature([2], tf.int64),
                "b": tf.VarLenFeature(tf.float32),
                "c": tf.VarLenFeature(tf.string),
            },
        )
    )
    assert got["a"].tolist() == [[1, 2], [3, 4]]
    assert got["b"].indices.tolist() == [[0, 0], [1, 0], [1, 1]]
    assert got["b"].values.tolist() == [1.5, 2.5, 3.5]
    assert got["c"].values.tolist() == [b"x", b"y"]
    assert got["c"].dense_shape.tolist() == [2, 2]


def test_one_example_has_no_batch() -> None:
    got = run(tf.parse_single_example(A, {"a": tf.FixedLenFeature([2, 1], tf.int64), "c": tf.VarLenFeature(tf.string)}))
    assert got["a"].tolist() == [[1], [2]]
    assert got["c"].indices.tolist() == [[0], [1]]
    assert got["c"].dense_shape.tolist() == [2]


@pytest.mark.parametrize("n", [1, 15, 16, 17, 200, 20000])
def test_long_lists_of_all_values(n: int) -> None:
    floats = (np.arange(n) / 7).astype(np.float32)
    ints = [(-1) ** i * (1 << (i % 63)) for i in range(n)]
    small = [i % 128 for i in range(n)]
    data = example(f=floats.tolist(), i=ints, s=small)
    shape = {k: tf.FixedLenFeature([n], t) for k, t in (("f", tf.float32), ("i", tf.int64), ("s", tf.int64))}
    got = run(tf.parse_example([data, data], shape))
    assert np.array_equal(got["f"], np.stack([floats, floats]))
    assert got["i"][1].tolist() == ints
    assert got["s"][0].tolist() == small


def test_defaults_stand_in_for_what_is_missing_or_empty() -> None:
    wanted = {"a": tf.FixedLenFeature([2], tf.int64, [7, 8]), "z": tf.FixedLenFeature([], tf.string, "d")}
    got = run(tf.parse_example([A, example(), example(a=None)], wanted))
    assert got["a"].tolist() == [[1, 2], [7, 8], [7, 8]]
    assert got["z"].tolist() == [b"d"] * 3


def test_lists_are_padded_to_the_longest() -> None:
    data = [example(b=[1.0, 2.0, 3.0, 4.0]), example(b=[5.0, 6.0]), example()]
    got = run(
        tf.parse_example(
            data, {"b": tf.FixedLenSequenceFeature([2], tf.float32, allow_missing=True, default_value=9.0)}
        )
    )
    assert got["b"].tolist() == [[[1, 2], [3, 4]], [[5, 6], [9, 9]], [[9, 9], [9, 9]]]


def test_sparse_features_are_built_from_index_and_value_features() -> None:
    data = [example(i=[3, 1], v=[1.0, 2.0]), example(i=[4], v=[3.0])]
    got = run(tf.parse_example(data, {"s": tf.SparseFeature("i", "v", tf.float32, 10)}))
    assert list(got) == ["s"]
    assert got["s"].indices.tolist() == [[0, 1], [0, 3], [1, 4]]
    assert got["s"].values.tolist() == [2, 1, 3]
    assert got["s"].dense_shape.tolist() == [2, 10]


@pytest.mark.parametrize(
    ("wanted", "data", "message"),
    [
        (
            tf.FixedLenFeature([2], tf.int64),
            example(),
            r"Name: n1, Feature: a \(data type: int64\) is required but could not be found.",
        ),
        (
            tf.FixedLenFeature([2], tf.float32),
            A,
            "Name: n0, Key: a, Index: 0.  Data types don't match. Data type: int64 but expected type: float",
        ),
        (tf.VarLenFeature(tf.float32), A, "Data types don't match. Expected type: float, Actual type: int64"),
        (
            tf.FixedLenFeature([3], tf.int64),
            A,
            r"Number of int64 values != expected.  Values size: 2 but output shape: \[3\]",
        ),
        (tf.FixedLenFeature([2], tf.int64), b"\xff\xffgarbage", "Could not parse example input"),
    ],
    ids=range(5),  # a serialised map has no fixed order: its bytes must not name a test
)
def test_errors_name_example_and_feature(wanted: Any, data: bytes, message: str) -> None:
    with pytest.raises(tf.errors.InvalidArgumentError, match=message):
        run(tf.parse_example([A if "required" in message else data, data], {"a": wanted}, example_names=["n0", "n1"]))


def test_a_single_missing_feature_is_named() -> None:
    with pytest.raises(
        tf.errors.InvalidArgumentError, match=r"Feature: a \(data type: int64\) is required but could not be found."
    ):
        run(tf.parse_single_example(example(), {"a": tf.FixedLenFeature([2], tf.int64)}))


def test_wrong_declarations_are_refused_while_building() -> None:
    for bad, message in (
        ({"b": tf.FixedLenSequenceFeature([2], tf.float32)}, "allow_missing to be True"),
        ({"b": tf.FixedLenFeature([None, 2], tf.float32)}, "First dimension of shape for feature b unknown"),
        ({"b": 3}, "Unsupported int"),
        ({}, "cannot be None"),
    ):
        with pytest.raises(ValueError, match=message):
            tf.parse_example([A], bad)


def sequence(context: dict[str, Any], lists: dict[str, Any]) -> bytes:
    made = {k: tf.train.FeatureList(feature=[features(x=v).feature["x"] for v in steps]) for k, steps in lists.items()}
    return tf.train.SequenceExample(
        context=features(**context), feature_lists=tf.train.FeatureLists(feature_list=made)
    ).SerializeToString()  # type: ignore[no-any-return]


ONE = sequence({"l": [3]}, {"t": [[1, 2], [3, 4], [5, 6]], "w": [[b"a"], [b"b", b"c"]]})
TWO = sequence({"l": [1]}, {"t": [[7, 8]], "w": []})


def test_one_sequence_example() -> None:
    context, lists = run(
        tf.parse_single_sequence_example(
            ONE,
            {"l": tf.FixedLenFeature([], tf.int64)},
            {"t": tf.FixedLenSequenceFeature([2], tf.int64), "w": tf.VarLenFeature(tf.string)},
        )
    )
    assert context["l"] == 3
    assert lists["t"].tolist() == [[1, 2], [3, 4], [5, 6]]
    assert lists["w"].indices.tolist() == [[0, 0], [1, 0], [1, 1]]


def test_a_batch_of_sequence_examples_is_padded() -> None:
    context, lists, lengths = run(
        tf.io.parse_sequence_example(
            [ONE, TWO],
            {"l": tf.VarLenFeature(tf.int64)},
            {"t": tf.FixedLenSequenceFeature([2], tf.int64), "w": tf.VarLenFeature(tf.string)},
        )
    )
    assert context["l"].values.tolist() == [3, 1]
    assert lists["t"].tolist() == [[[1, 2], [3, 4], [5, 6]], [[7, 8], [0, 0], [0, 0]]]
    assert lengths["t"].tolist() == [3, 1]
    assert lists["w"].indices.tolist() == [[0, 0, 0], [0, 1, 0], [0, 1, 1]]
    assert lists["w"].dense_shape.tolist() == [2, 2, 2]


def test_missing_lists_and_context_are_named() -> None:
    with pytest.raises(tf.errors.InvalidArgumentError, match="Feature list 'u' is required but could not be found"):
        run(tf.parse_single_sequence_example(ONE, None, {"u": tf.FixedLenSequenceFeature([2], tf.int64)}))
    got = run(
        tf.parse_single_sequence_example(
            ONE, None, {"u": tf.FixedLenSequenceFeature([2], tf.int64, allow_missing=True)}
        )
    )
    assert got[1]["u"].shape == (0, 2)
    with pytest.raises(tf.errors.InvalidArgumentError, match="Name: nm, Context feature 'm' is required"):
        run(tf.parse_single_sequence_example(ONE, {"m": tf.FixedLenFeature([], tf.int64)}, example_name="nm"))
    with pytest.raises(tf.errors.InvalidArgumentError, match="Feature list: t, Index: 0.  Data types don't match"):
        run(tf.parse_single_sequence_example(ONE, None, {"t": tf.FixedLenSequenceFeature([2], tf.float32)}))


def test_json_becomes_examples() -> None:
    text = '{"features": {"feature": {"a": {"int64List": {"value": ["1", "2"]}}}}}'
    got = run(tf.parse_example(tf.decode_json_example([text]), {"a": tf.FixedLenFeature([2], tf.int64)}))
    assert got["a"].tolist() == [[1, 2]]
