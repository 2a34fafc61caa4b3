"""Measures the spine of a TensorFlow 1 implementation; the same file runs on TensorFlow and under `hornbeam run`.

Prints one JSON object: a number for each figure (its name ends in its unit). Arguments restrict it to some figures.
"""

import json
import os
import sys
import tempfile
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
start = time.perf_counter()
import tensorflow.compat.v1 as tf  # noqa: E402

FIGURES = {"import_s": time.perf_counter() - start}

import numpy as np  # noqa: E402

tf.disable_v2_behavior()
tf.logging.set_verbosity(tf.logging.ERROR)
WANTED = set(sys.argv[1:])
DATA_MB = 400


def median(call, times, warm=3):
    """The median seconds of a call, after `warm` calls that do not count."""
    for _ in range(warm):
        call()
    seconds = []
    for _ in range(times):
        begin = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - begin)
    return float(np.median(seconds))


def figure(measure):
    """Runs a measurement in a fresh graph; it may fail without taking the others with it."""
    name = measure.__name__
    if WANTED and name not in WANTED:
        return measure
    tf.reset_default_graph()
    try:
        measure()
    except Exception as error:  # the report must say which figure failed and why
        FIGURES[name + "_error"] = repr(error)[:300]
    return measure


def dense(x, units, activation=None):
    kernel = tf.Variable(tf.truncated_normal([int(x.shape[-1]), units], stddev=0.05))
    y = tf.matmul(x, kernel) + tf.Variable(tf.zeros([units]))
    return activation(y) if activation else y


def classifier(logits, labels):
    loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=logits))
    return loss, tf.train.AdamOptimizer(1e-3).minimize(loss)


def resident(field):
    """Bytes of memory in use now (VmRSS) or at most (VmHWM); None where the system does not say."""
    try:
        with open("/proc/self/status") as status:
            return next(int(line.split()[1]) * 1024 for line in status if line.startswith(field))
    except OSError:
        return None


def forget_peak():
    try:
        with open("/proc/self/clear_refs", "w") as refs:
            refs.write("5")
    except OSError:
        pass


def batch(*shape):
    random = np.random.RandomState(0)
    return random.rand(*shape).astype(np.float32), random.randint(0, 10, shape[0])


@figure
def run_overhead_us():
    """One addition of scalars: what a `Session.run` costs by itself."""
    a = tf.placeholder(tf.float32, [])
    b = a + 1.0
    with tf.Session() as sess:
        FIGURES["run_overhead_us"] = median(lambda: sess.run(b, {a: 1.0}), 2000, 50) * 1e6


@figure
def mlp_step_ms():
    """A training step of 784-256-256-10 with Adam, batch 128."""
    x, y = tf.placeholder(tf.float32, [None, 784]), tf.placeholder(tf.int64, [None])
    logits = dense(dense(dense(x, 256, tf.nn.relu), 256, tf.nn.relu), 10)
    loss, train = classifier(logits, y)
    images, labels = batch(128, 784)
    with tf.Session() as sess:
        begin = time.perf_counter()
        sess.run(tf.global_variables_initializer())
        sess.run([train, loss], {x: images, y: labels})
        FIGURES["mlp_first_s"] = time.perf_counter() - begin
        FIGURES["mlp_step_ms"] = median(lambda: sess.run([train, loss], {x: images, y: labels}), 300, 10) * 1e3


@figure
def lenet_step_ms():
    """A training step of LeNet (32 and 64 5x5 filters, 1024 units) with Adam, batch 128."""
    x, y = tf.placeholder(tf.float32, [None, 28, 28, 1]), tf.placeholder(tf.int64, [None])

    def conv(h, filters):
        kernel = tf.Variable(tf.truncated_normal([5, 5, int(h.shape[-1]), filters], stddev=0.05))
        h = tf.nn.relu(tf.nn.conv2d(h, kernel, [1, 1, 1, 1], "SAME") + tf.Variable(tf.zeros([filters])))
        return tf.nn.max_pool(h, [1, 2, 2, 1], [1, 2, 2, 1], "SAME")

    h = tf.reshape(conv(conv(x, 32), 64), [-1, 7 * 7 * 64])
    loss, train = classifier(dense(dense(h, 1024, tf.nn.relu), 10), y)
    images, labels = batch(128, 28, 28, 1)
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        FIGURES["lenet_step_ms"] = median(lambda: sess.run([train, loss], {x: images, y: labels}), 20, 3) * 1e3


@figure
def lstm_step_ms():
    """A training step of an LSTM of 128 units over 28 steps with Adam, batch 128."""
    x, y = tf.placeholder(tf.float32, [None, 28, 28]), tf.placeholder(tf.int64, [None])
    outputs, _ = tf.nn.dynamic_rnn(tf.nn.rnn_cell.BasicLSTMCell(128), x, dtype=tf.float32)
    loss, train = classifier(dense(outputs[:, -1, :], 10), y)
    images, labels = batch(128, 28, 28)
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        FIGURES["lstm_step_ms"] = median(lambda: sess.run([train, loss], {x: images, y: labels}), 30, 3) * 1e3


@figure
def word2vec_step_ms():
    """A step of word2vec with NCE loss: 100,000 x 128 embeddings, batch 128, 64 sampled, gradient descent."""
    words, width = 100000, 128
    ids, labels = tf.placeholder(tf.int32, [128]), tf.placeholder(tf.int32, [128, 1])
    embeddings = tf.Variable(tf.random_uniform([words, width], -1, 1))
    weights = tf.Variable(tf.truncated_normal([words, width], stddev=0.1))
    biases = tf.Variable(tf.zeros([words]))
    inputs = tf.nn.embedding_lookup(embeddings, ids)
    loss = tf.reduce_mean(
        tf.nn.nce_loss(weights=weights, biases=biases, labels=labels, inputs=inputs, num_sampled=64, num_classes=words)
    )
    train = tf.train.GradientDescentOptimizer(0.1).minimize(loss)
    random = np.random.RandomState(0)
    feed = {ids: random.randint(0, words, 128), labels: random.randint(0, words, (128, 1))}
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        FIGURES["word2vec_step_ms"] = median(lambda: sess.run([train, loss], feed), 100, 5) * 1e3


@figure
def graph_build_s():
    """Building 48 layers of convolution, batch normalisation and ReLU with gradients and Momentum."""
    begin = time.perf_counter()
    h = tf.placeholder(tf.float32, [None, 32, 32, 3])
    for i in range(48):
        with tf.variable_scope("layer%d" % i):
            kernel = tf.get_variable(
                "w", [3, 3, int(h.shape[-1]), 32], initializer=tf.truncated_normal_initializer(stddev=0.05)
            )
            offset = tf.get_variable("b", [32], initializer=tf.zeros_initializer())
            scale = tf.get_variable("g", [32], initializer=tf.ones_initializer())
            y = tf.nn.conv2d(h, kernel, [1, 1, 1, 1], "SAME")
            mean, variance = tf.nn.moments(y, [0, 1, 2])
            h = tf.nn.relu(tf.nn.batch_normalization(y, mean, variance, offset, scale, 1e-3))
    tf.train.MomentumOptimizer(0.1, 0.9).minimize(tf.reduce_mean(h))
    FIGURES["graph_build_s"] = time.perf_counter() - begin
    FIGURES["graph_build_ops"] = len(tf.get_default_graph().get_operations())


@figure
def ckpt_save_s():
    """Saving and restoring 400 MB of variables; `ckpt_peak_x` is the most memory in use, in multiples of the data."""
    before = resident("VmRSS")
    for i in range(DATA_MB // 4):
        tf.Variable(tf.zeros([1024, 1024]), name="v%d" % i)
    saver = tf.train.Saver()
    with tf.Session() as sess, tempfile.TemporaryDirectory() as directory:
        path = os.path.join(directory, "model")
        sess.run(tf.global_variables_initializer())
        forget_peak()
        FIGURES["ckpt_save_s"] = median(lambda: saver.save(sess, path, write_meta_graph=False), 3, 1)
        FIGURES["ckpt_restore_s"] = median(lambda: saver.restore(sess, path), 3, 1)
        if before is not None:
            FIGURES["ckpt_peak_x"] = (resident("VmHWM") - before) / (DATA_MB / 4 * 4 * 1024 * 1024)


print(json.dumps(FIGURES))
