"""`tensorflow.examples.tutorials.mnist.input_data`: idx files to batches, as TensorFlow 1 gave them."""

from __future__ import annotations

import gzip
import struct

import numpy as np
import pytest

import hornbeam as tf
from hornbeam.compat import mnist


def idx(path, magic, *header, data):
    with gzip.open(path, "wb") as f:
        f.write(struct.pack(f">{1 + len(header)}I", magic, *header) + data.tobytes())


@pytest.fixture
def files(tmp_path):
    """12 training and 4 test images of 2 x 3 pixels; image i is filled with i."""
    for images, labels, count in (
        (mnist.TRAIN_IMAGES, mnist.TRAIN_LABELS, 12),
        (mnist.TEST_IMAGES, mnist.TEST_LABELS, 4),
    ):
        numbers = np.arange(count, dtype=np.uint8)
        idx(tmp_path / images, 2051, count, 2, 3, data=np.repeat(numbers, 6))
        idx(tmp_path / labels, 2049, count, data=numbers % 10)
    return str(tmp_path)


def test_sets_are_split_scaled_and_flattened(files, capsys):
    sets = mnist.read_data_sets(files, validation_size=5)
    assert (sets.train.num_examples, sets.validation.num_examples, sets.test.num_examples) == (7, 5, 4)
    assert sets.train.images.shape == (7, 6) and sets.train.images.dtype == np.float32
    assert sets.validation.labels.tolist() == [0, 1, 2, 3, 4]
    np.testing.assert_allclose(sets.train.images[0], 5 / 255.0, rtol=1e-6)
    assert capsys.readouterr().out.count("Extracting") == 4


def test_options(files):
    sets = mnist.read_data_sets(files, one_hot=True, reshape=False, dtype=tf.uint8, validation_size=0)
    assert sets.train.images.shape == (12, 2, 3, 1) and sets.train.images.dtype == np.uint8
    assert (
        sets.train.labels.shape == (12, 10)
        and sets.train.labels[3].argmax() == 3
        and sets.train.labels.dtype == np.float64
    )
    assert sets.train.images.max() == 11
    with pytest.raises(ValueError, match="Validation size should be between 0 and 12. Received: 13."):
        mnist.read_data_sets(files, validation_size=13)
    with pytest.raises(TypeError, match="Invalid image dtype"):
        mnist.DataSet(np.zeros((1, 1, 1, 1)), np.zeros(1), dtype=tf.int32)


def test_batches_follow_numpys_generator_over_epochs(files):
    train = mnist.read_data_sets(files, validation_size=2).train
    np.random.seed(3)
    got = [train.next_batch(4)[1].tolist() for _ in range(6)]
    labels = np.arange(2, 12) % 10
    np.random.seed(3)
    order, want = [], []
    while len(order) < 24:
        perm = np.arange(10)
        np.random.shuffle(perm)
        labels = labels[perm]  # each epoch shuffles what the one before left
        order += labels.tolist()
    want = [order[i : i + 4] for i in range(0, 24, 4)]
    assert got == want
    assert train.epochs_completed == 2


def test_batches_without_shuffling(files):
    train = mnist.read_data_sets(files, validation_size=9).train
    assert [train.next_batch(2, shuffle=False)[1].tolist() for _ in range(3)] == [[9, 0], [1, 9], [0, 1]]


def test_fake_data():
    train = mnist.read_data_sets("unused", fake_data=True, one_hot=True).train
    images, labels = train.next_batch(3)
    assert len(images) == 3 and len(images[0]) == 784 and labels[0] == [1] + [0] * 9 and train.num_examples == 10000


def test_missing_file_without_network_says_where_to_put_it(tmp_path):
    with pytest.raises(
        OSError, match=r"train-images-idx3-ubyte.gz is not there and cannot be downloaded from .*put the MNIST idx"
    ):
        mnist.read_data_sets(str(tmp_path), source_url="http://127.0.0.1:9/")
    assert [p.name for p in tmp_path.iterdir() if p.suffix == ".gz"] == []


@pytest.mark.parametrize("content, message", [(b"\0\0\0\1", "Invalid magic number 1"), (b"\0", "ends inside its header"),
                                              (struct.pack(">4I", 2051, 3, 2, 2), "ends early")])  # fmt: skip
def test_damaged_files_are_named(files, tmp_path, content, message):
    with gzip.open(tmp_path / mnist.TRAIN_IMAGES, "wb") as f:
        f.write(content)
    with pytest.raises(ValueError, match=message):
        mnist.read_data_sets(files)
