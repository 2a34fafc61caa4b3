"""A whole small program: builds a multilayer perceptron, trains it for 200 steps and prints its loss. Timed from outside."""

import numpy as np
import tensorflow.compat.v1 as tf

tf.disable_v2_behavior()
random = np.random.RandomState(0)
images = random.rand(2048, 784).astype(np.float32)
labels = random.randint(0, 10, 2048)

x, y = tf.placeholder(tf.float32, [None, 784]), tf.placeholder(tf.int64, [None])
h = x
for units in (256, 256):
    w = tf.Variable(tf.truncated_normal([int(h.shape[-1]), units], stddev=0.05))
    h = tf.nn.relu(tf.matmul(h, w) + tf.Variable(tf.zeros([units])))
logits = tf.matmul(h, tf.Variable(tf.truncated_normal([256, 10], stddev=0.05))) + tf.Variable(tf.zeros([10]))
loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels=y, logits=logits))
train = tf.train.AdamOptimizer(1e-3).minimize(loss)

with tf.Session() as sess:
    sess.run(tf.global_variables_initializer())
    for step in range(200):
        at = step * 128 % 2048
        _, value = sess.run([train, loss], {x: images[at : at + 128], y: labels[at : at + 128]})
print("loss %.4f" % value)
