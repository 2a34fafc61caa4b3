"""`tensorflow.examples.tutorials.mnist.input_data`: MNIST from the idx files in a directory, batched as TensorFlow 1 did.

`next_batch` shuffles with NumPy's global generator in TensorFlow's order, so a seeded program sees TensorFlow's batches.
"""

from __future__ import annotations

import collections
import gzip
import os
import urllib.error
import urllib.request
from typing import Any

import numpy as np

Datasets = collections.namedtuple("Datasets", ["train", "validation", "test"])

DEFAULT_SOURCE_URL = "https://storage.googleapis.com/cvdf-datasets/mnist/"
SOURCE_URL = DEFAULT_SOURCE_URL
TRAIN_IMAGES = "train-images-idx3-ubyte.gz"
TRAIN_LABELS = "train-labels-idx1-ubyte.gz"
TEST_IMAGES = "t10k-images-idx3-ubyte.gz"
TEST_LABELS = "t10k-labels-idx1-ubyte.gz"
_BIG_ENDIAN = np.dtype(np.uint32).newbyteorder(">")


class DataSet:
    """Images with labels, handed out in batches epoch after epoch.

    Args:
      images: uint8 (N, rows, columns, 1) values 0..255.
      labels: (N,) or, one-hot, (N, classes).
      fake_data: hand out constant images of ones instead (for tests).
      dtype: tf.float32 (scaled to 0..1) or tf.uint8.
      reshape: flatten each image to rows * columns.
      seed: seeds NumPy's global generator, as TensorFlow's does.
    """

    def __init__(
        self,
        images: Any,
        labels: Any,
        fake_data: bool = False,
        one_hot: bool = False,
        dtype: Any = np.float32,
        reshape: bool = True,
        seed: int | None = None,
    ) -> None:
        # As TensorFlow does: without any seed this reseeds NumPy from the system, whatever the program seeded before.
        seed1, seed2 = _graph_seed(seed)
        np.random.seed(seed1 if seed is None else seed2)
        kind = np.dtype(getattr(dtype, "as_numpy_dtype", dtype))
        if kind not in (np.dtype(np.uint8), np.dtype(np.float32)):
            raise TypeError(f"Invalid image dtype {dtype!r}, expected uint8 or float32")
        self.one_hot = one_hot
        if fake_data:
            self._num_examples = 10000
        else:
            if images.shape[0] != labels.shape[0]:
                raise AssertionError(f"images.shape: {images.shape} labels.shape: {labels.shape}")
            self._num_examples = images.shape[0]
            if reshape:
                if images.shape[3] != 1:
                    raise AssertionError(f"images have {images.shape[3]} channels, reshape=True expects 1")
                images = images.reshape(images.shape[0], images.shape[1] * images.shape[2])
            if kind == np.float32:
                images = np.multiply(images.astype(np.float32), 1.0 / 255.0)
        self._fake_data = fake_data
        self._images = images
        self._labels = labels
        self._epochs_completed = 0
        self._index_in_epoch = 0

    @property
    def images(self) -> Any:
        return self._images

    @property
    def labels(self) -> Any:
        return self._labels

    @property
    def num_examples(self) -> int:
        return self._num_examples

    @property
    def epochs_completed(self) -> int:
        return self._epochs_completed

    def next_batch(self, batch_size: int, fake_data: bool = False, shuffle: bool = True) -> tuple[Any, Any]:
        """The next `batch_size` examples; a batch at the end of an epoch is filled from the newly shuffled next one."""
        if fake_data or self._fake_data:
            label: Any = [1] + [0] * 9 if self.one_hot else 0
            return [[1] * 784 for _ in range(batch_size)], [label for _ in range(batch_size)]
        start = self._index_in_epoch
        if self._epochs_completed == 0 and start == 0 and shuffle:
            order = np.arange(self._num_examples)
            np.random.shuffle(order)
            self._reorder(order)
        if start + batch_size <= self._num_examples:
            self._index_in_epoch = start + batch_size
            return self._images[start : self._index_in_epoch], self._labels[start : self._index_in_epoch]
        self._epochs_completed += 1
        rest = self._num_examples - start
        images_rest, labels_rest = self._images[start:], self._labels[start:]
        if shuffle:
            order = np.arange(self._num_examples)
            np.random.shuffle(order)
            self._reorder(order)
        self._index_in_epoch = end = batch_size - rest
        return (
            np.concatenate((images_rest, self._images[:end]), axis=0),
            np.concatenate((labels_rest, self._labels[:end]), axis=0),
        )

    def _reorder(self, order: Any) -> None:
        self._images, self._labels = self._images[order], self._labels[order]


def _graph_seed(seed: int | None) -> tuple[int | None, int | None]:
    import hornbeam as tf

    return tf.get_seed(seed)  # type: ignore[no-any-return]


def extract_images(f: Any) -> Any:
    """Reads an idx3 gzip file object into uint8 (N, rows, columns, 1). Raises ValueError on a wrong magic number."""
    print("Extracting", f.name)
    with gzip.GzipFile(fileobj=f) as stream:
        magic = _read32(stream)
        if magic != 2051:
            raise ValueError(f"Invalid magic number {magic} in MNIST image file: {f.name}")
        count, rows, columns = _read32(stream), _read32(stream), _read32(stream)
        data = np.frombuffer(stream.read(rows * columns * count), dtype=np.uint8)
    if data.size != rows * columns * count:
        raise ValueError(f"{f.name} ends early: {count} images of {rows}x{columns} announced, {data.size} bytes found")
    return data.reshape(count, rows, columns, 1)


def extract_labels(f: Any, one_hot: bool = False, num_classes: int = 10) -> Any:
    """Reads an idx1 gzip file object into uint8 (N,), or one-hot float64 (N, num_classes)."""
    print("Extracting", f.name)
    with gzip.GzipFile(fileobj=f) as stream:
        magic = _read32(stream)
        if magic != 2049:
            raise ValueError(f"Invalid magic number {magic} in MNIST label file: {f.name}")
        count = _read32(stream)
        labels = np.frombuffer(stream.read(count), dtype=np.uint8)
    if labels.size != count:
        raise ValueError(f"{f.name} ends early: {count} labels announced, {labels.size} found")
    return dense_to_one_hot(labels, num_classes) if one_hot else labels


def _read32(stream: Any) -> int:
    data = stream.read(4)
    if len(data) != 4:
        raise ValueError("MNIST file ends inside its header")
    return int(np.frombuffer(data, dtype=_BIG_ENDIAN)[0])


def dense_to_one_hot(labels_dense: Any, num_classes: int) -> Any:
    """(N,) class numbers to (N, num_classes) zeros and ones."""
    one_hot = np.zeros((labels_dense.shape[0], num_classes))
    one_hot[np.arange(labels_dense.shape[0]), labels_dense.ravel()] = 1
    return one_hot


def maybe_download(filename: str, work_directory: str, source_url: str) -> str:
    """The path of `filename` in `work_directory`, fetched from `source_url` only if it is not there."""
    os.makedirs(work_directory, exist_ok=True)
    path = os.path.join(work_directory, filename)
    if os.path.exists(path):
        return path
    partial = path + ".part"
    try:
        urllib.request.urlretrieve(source_url, partial)
    except (urllib.error.URLError, OSError) as e:
        raise OSError(
            f"{path} is not there and cannot be downloaded from {source_url} ({e}); put the MNIST idx file {filename} into "
            f"{work_directory} (read_data_sets takes the directory as its first argument)"
        ) from e
    os.replace(partial, path)
    print("Successfully downloaded", filename, os.path.getsize(path), "bytes.")
    return path


def read_data_sets(
    train_dir: str,
    fake_data: bool = False,
    one_hot: bool = False,
    dtype: Any = np.float32,
    reshape: bool = True,
    validation_size: int = 5000,
    seed: int | None = None,
    source_url: str = DEFAULT_SOURCE_URL,
) -> Datasets:
    """MNIST in three DataSets: train, validation (the first `validation_size` training images) and test."""
    if fake_data:
        sets = [DataSet([], [], fake_data=True, one_hot=one_hot, dtype=dtype, seed=seed) for _ in range(3)]
        return Datasets(*sets)
    source_url = source_url or DEFAULT_SOURCE_URL

    def images(name: str) -> Any:
        with open(maybe_download(name, train_dir, source_url + name), "rb") as f:
            return extract_images(f)

    def labels(name: str) -> Any:
        with open(maybe_download(name, train_dir, source_url + name), "rb") as f:
            return extract_labels(f, one_hot=one_hot)

    train_images, train_labels = images(TRAIN_IMAGES), labels(TRAIN_LABELS)
    test_images, test_labels = images(TEST_IMAGES), labels(TEST_LABELS)
    if not 0 <= validation_size <= len(train_images):
        raise ValueError(f"Validation size should be between 0 and {len(train_images)}. Received: {validation_size}.")
    options = {"dtype": dtype, "reshape": reshape, "seed": seed}
    cut = validation_size
    return Datasets(
        train=DataSet(train_images[cut:], train_labels[cut:], **options),
        validation=DataSet(train_images[:cut], train_labels[:cut], **options),
        test=DataSet(test_images, test_labels, **options),
    )


def load_mnist(train_dir: str = "MNIST-data") -> Datasets:
    """`read_data_sets` with its defaults."""
    return read_data_sets(train_dir)
