"""A training program that runs alike on TensorFlow and on Hornbeam: builds, steps, saves; or goes on from a saved `.meta`.

training.py build  OPTIMIZER PREFIX STEPS     builds the net, trains STEPS steps, saves PREFIX, prints the losses
training.py go_on  OPTIMIZER PREFIX STEPS     imports PREFIX.meta, restores, trains on, prints the losses
"""

import json
import sys

import numpy as np

try:
    import tensorflow.compat.v1 as tf

    tf.disable_v2_behavior()
except ImportError:
    import tensorflow as tf

mode, optimizer, prefix, steps = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])


def build():
    x = tf.placeholder(tf.float32, [None, 8, 8, 1], name="x")
    y = tf.placeholder(tf.int64, [None], name="y")
    w = tf.get_variable("conv/w", [3, 3, 1, 4], initializer=tf.truncated_normal_initializer(stddev=0.3, seed=1))
    b = tf.Variable(tf.zeros([4]), name="conv/b")
    h = tf.nn.relu(tf.nn.bias_add(tf.nn.conv2d(x, w, [1, 1, 1, 1], "SAME"), b))
    h = tf.nn.max_pool(h, [1, 2, 2, 1], [1, 2, 2, 1], "VALID")
    table = tf.get_variable("table", [5, 4], initializer=tf.random_normal_initializer(seed=2))
    h = tf.reshape(h, [-1, 64]) @ tf.get_variable(
        "dense/w", [64, 4], initializer=tf.random_uniform_initializer(-0.2, 0.2, seed=3)
    )
    h = h + tf.nn.embedding_lookup(table, y % 5)
    logits = tf.matmul(tf.tanh(h), tf.get_variable("out/w", [4, 3], initializer=tf.glorot_uniform_initializer(seed=4)))
    loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels=y, logits=logits), name="loss")
    step = tf.train.get_or_create_global_step()
    rate = tf.train.exponential_decay(0.05, step, 5, 0.9)
    made = (
        tf.train.AdamOptimizer(rate)
        if optimizer == "Adam"
        else tf.train.MomentumOptimizer(rate, 0.9, use_nesterov=True)
    )
    made.minimize(loss, global_step=step, name="train")
    tf.add_to_collection("losses", loss)
    return tf.train.Saver()


def batch(i):
    rng = np.random.RandomState(100 + i)
    return {"x:0": rng.rand(6, 8, 8, 1).astype("f"), "y:0": rng.randint(0, 3, 6)}


with tf.Session() as sess:
    if mode == "build":
        saver = build()
        sess.run(tf.global_variables_initializer())
        first = 0
    else:
        saver = tf.train.import_meta_graph(prefix + ".meta")
        saver.restore(sess, prefix)
        first = int(sess.run("global_step:0"))
    losses = [float(sess.run(["loss:0", "train"], batch(first + i))[0]) for i in range(steps)]
    if mode == "build":
        saver.save(sess, prefix)
print(json.dumps({"losses": losses, "first": first, "variables": [v.op.name for v in tf.global_variables()]}))
