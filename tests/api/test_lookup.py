"""Lookup tables: static from tensors and files, mutable and dense ones, vocabularies with buckets, checkpoints."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import hornbeam as tf


@pytest.fixture(autouse=True)
def graph() -> Iterator[Any]:
    with tf.Graph().as_default() as g:
        yield g


@pytest.fixture
def vocabulary(tmp_path: Path) -> str:
    path = tmp_path / "vocabulary.txt"
    path.write_text("a\nb\nc\n")
    return str(path)


def test_a_table_must_be_initialised_and_is_only_once() -> None:
    table = tf.lookup.StaticHashTable(tf.lookup.KeyValueTensorInitializer(["a", "b"], [1, 2], value_dtype=tf.int64), -1)
    found = table.lookup(tf.constant([["a", "z"]]))
    with tf.Session() as sess:
        with pytest.raises(tf.errors.FailedPreconditionError, match="Table not initialized"):
            sess.run(found)
        sess.run(tf.tables_initializer())
        sess.run(tf.tables_initializer())
        assert sess.run(found).tolist() == [[1, -1]]
        assert sess.run(table.size()) == 2


def test_a_file_gives_ids_and_strings(vocabulary: str) -> None:
    ids = tf.contrib.lookup.index_table_from_file(vocabulary, num_oov_buckets=3)
    words = tf.contrib.lookup.index_to_string_table_from_file(vocabulary)
    sparse = ids.lookup(tf.SparseTensor([[0, 0], [1, 1]], ["c", "b"], [2, 2]))
    with tf.Session() as sess:
        sess.run(tf.tables_initializer())
        assert sess.run(ids.lookup(tf.constant(["a", "z", "c", "q"]))).tolist() == [0, 4, 2, 5]  # as TensorFlow hashes
        assert sess.run(ids.size()) == 6
        assert sess.run(words.lookup(tf.constant([2, 9], tf.int64))).tolist() == [b"c", b"UNK"]
        assert sess.run(sparse).values.tolist() == [2, 1]
    assert [t.name for t in tf.get_collection(tf.GraphKeys.ASSET_FILEPATHS)]


def test_vectors_give_ids_and_strings() -> None:
    ids = tf.contrib.lookup.index_table_from_tensor(tf.constant([10, 20]), num_oov_buckets=2, dtype=tf.int64)
    words = tf.contrib.lookup.index_to_string_table_from_tensor(["x", "y"], default_value="?")
    with tf.Session() as sess:
        sess.run(tf.tables_initializer())
        assert sess.run(ids.lookup(tf.constant([20, 3], tf.int64))).tolist() == [1, 3]
        assert sess.run(words.lookup(tf.constant([1, 5], tf.int64))).tolist() == [b"y", b"?"]


def test_columns_of_a_file(tmp_path: Path) -> None:
    (tmp_path / "kv").write_text("x,1.5\ny,2.5\n")
    init = tf.lookup.TextFileInitializer(str(tmp_path / "kv"), tf.string, 0, tf.float32, 1, delimiter=",")
    table = tf.lookup.StaticHashTable(init, 0.0)
    with tf.Session() as sess:
        sess.run(table.initializer)
        assert sess.run(table.lookup(tf.constant(["y", "z"]))).tolist() == [2.5, 0.0]


@pytest.mark.parametrize(
    ("text", "options", "error", "message"),
    [
        (
            "x\t1\ny\n",
            {},
            "InvalidArgumentError",
            r"Invalid number of columns in .*bad line 1 \(y\) : expected at least 2 got 1",
        ),
        (
            "x\t1\nx\t2\n",
            {},
            "FailedPreconditionError",
            "HashTable has different value for same key. Key x has 1 and trying to add value 2",
        ),
        ("x\tone\n", {}, "InvalidArgumentError", "one in line 0 is not a valid int64"),
        ("x\t1\n", {"vocab_size": 4}, "InvalidArgumentError", "Invalid vocab_size in .*bad: expected 4 but got 1"),
        (None, {}, "NotFoundError", "bad; No such file"),
    ],
)
def test_bad_files_are_reported_with_name_and_line(
    tmp_path: Path, text: str | None, options: dict[str, Any], error: str, message: str
) -> None:
    path = tmp_path / "bad"
    if text is not None:
        path.write_text(text)
    tf.lookup.StaticHashTable(tf.lookup.TextFileInitializer(str(path), tf.string, 0, tf.int64, 1, **options), -1)
    with tf.Session() as sess, pytest.raises(getattr(tf.errors, error), match=message):
        sess.run(tf.tables_initializer())


def test_mutable_tables_change_while_running() -> None:
    table = tf.contrib.lookup.MutableHashTable(tf.string, tf.int64, -1)
    keys = tf.constant(["a", "b"])
    with tf.Session() as sess:
        sess.run(table.insert(keys, tf.constant([1, 2], tf.int64)))
        sess.run(table.insert(tf.constant(["b", "c"]), tf.constant([5, 6], tf.int64)))
        assert sess.run(table.lookup(keys)).tolist() == [1, 5]
        sess.run(table.remove(tf.constant(["a", "nothing"])))
        assert sess.run(table.size()) == 2
        exported = sess.run(table.export())
        assert dict(zip(*[e.tolist() for e in exported], strict=True)) == {b"b": 5, b"c": 6}
        with pytest.raises(tf.errors.InvalidArgumentError, match=r"Expected shape \[2\] for value, got \[1\]"):
            sess.run(table.insert(keys, tf.constant([1], tf.int64)))


def test_values_may_be_vectors() -> None:
    table = tf.contrib.lookup.MutableHashTable(tf.int64, tf.float32, [0.0, 0.0])
    with tf.Session() as sess:
        sess.run(table.insert(tf.constant([3, 4], tf.int64), tf.constant([[1.0, 2.0], [3.0, 4.0]])))
        found = table.lookup(tf.constant([[4], [9]], tf.int64))
        assert found.shape.as_list() == [2, 1, 2]
        assert sess.run(found).tolist() == [[[3, 4]], [[0, 0]]]


def test_dense_tables_refuse_their_marks() -> None:
    table = tf.contrib.lookup.MutableDenseHashTable(
        tf.int64, tf.int64, -1, empty_key=0, deleted_key=-1, initial_num_buckets=4
    )
    with tf.Session() as sess:
        sess.run(table.insert(tf.constant([11, 12, 13, 15], tf.int64), tf.constant([0, 1, 2, 3], tf.int64)))
        sess.run(table.remove(tf.constant([12], tf.int64)))
        assert sess.run(table.lookup(tf.constant([11, 12, 15], tf.int64))).tolist() == [0, -1, 3]
        with pytest.raises(tf.errors.InvalidArgumentError, match="Using the empty_key as a table key is not allowed"):
            sess.run(table.insert(tf.constant([0], tf.int64), tf.constant([0], tf.int64)))
        keys, values = sess.run(table.export())
        kept = {int(k): int(v) for k, v in zip(keys.ravel(), values.ravel(), strict=True) if k != 0}
        assert kept == {11: 0, 13: 2, 15: 3}


def test_mutable_tables_are_saved_and_restored(tmp_path: Path) -> None:
    table = tf.contrib.lookup.MutableHashTable(tf.string, tf.int64, -1, name="words")
    dense = tf.contrib.lookup.MutableDenseHashTable(
        tf.int64, tf.float32, -1.0, 0, -5, initial_num_buckets=8, name="dense"
    )
    tf.Variable(1.0, name="v")
    saver = tf.train.Saver()
    look = [table.lookup(tf.constant(["a", "b"])), dense.lookup(tf.constant([3, 4], tf.int64))]
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        sess.run(table.insert(tf.constant(["a"]), tf.constant([7], tf.int64)))
        sess.run(dense.insert(tf.constant([4], tf.int64), tf.constant([2.5])))
        path = saver.save(sess, str(tmp_path / "ck"))
    assert {n for n, _ in tf.train.list_variables(path)} == {
        "v",
        "words-keys",
        "words-values",
        "dense-keys",
        "dense-values",
    }
    with tf.Session() as sess:
        saver.restore(sess, path)
        words, numbers = sess.run(look)
        assert words.tolist() == [7, -1]
        assert numbers.tolist() == [-1, 2.5]


def test_keys_of_another_type_are_refused() -> None:
    table = tf.contrib.lookup.index_table_from_tensor(["a"])
    with pytest.raises(TypeError, match="keys"):
        table.lookup(tf.constant([1]))
    with pytest.raises(ValueError, match="vocabulary_list"):
        tf.contrib.lookup.index_table_from_tensor(None)


def test_tables_may_be_used_from_many_threads() -> None:
    table = tf.contrib.lookup.MutableHashTable(tf.int64, tf.int64, -1)
    p = tf.placeholder(tf.int64, [None])
    with tf.Session() as sess:
        insert = sess.make_callable(table.insert(p, p * 2), [p])
        find = sess.make_callable(table.lookup(p), [p])

        def work(k: int) -> None:
            mine = np.arange(k * 50, k * 50 + 50)
            insert(mine)
            assert find(mine).tolist() == (mine * 2).tolist()

        threads = [threading.Thread(target=work, args=(k,)) for k in range(6)]
        for t in threads:
            t.start()
        for t in threads:
            t.join(60)
        assert sess.run(table.size()) == 300
