"""Small programs of `tf.nn`, run here and in TensorFlow: each is the body of a function of `tf`, `np` and `a` (a seeded array maker)."""

from __future__ import annotations

PROGRAMS: dict[str, str] = {
    "relu6": "return tf.nn.relu6(a(3, 4) * 4)",
    "leaky_relu": "return tf.nn.leaky_relu(a(3, 4), 0.3), tf.nn.leaky_relu(tf.constant([-3, 4]))",
    "crelu": "return tf.nn.crelu(a(3, 4))",
    "swish": "x = tf.constant(a(3, 4)); y = tf.nn.swish(x); return y, tf.gradients(y, x)[0]",
    "bias_add": "return tf.nn.bias_add(a(2, 3, 4), a(4)), tf.nn.bias_add(a(2, 3, 4, 5), a(3), data_format='NCHW')",
    "xw_plus_b": "return tf.nn.xw_plus_b(a(2, 3), a(3, 4), a(4)), tf.nn.relu_layer(a(2, 3), a(3, 4), a(4))",
    "softmax": "return tf.nn.softmax(a(3, 4)), tf.nn.log_softmax(a(2, 3, 4)), tf.nn.softmax(a(2, 3, 4), dim=-1)",
    "softmax_axis": "return tf.nn.softmax(a(2, 3, 4), axis=1), tf.nn.log_softmax(a(2, 3, 4), axis=0)",
    "xent": "return tf.nn.softmax_cross_entropy_with_logits(labels=np.abs(a(4, 3)), logits=a(4, 3))",
    "xent_v2": "return tf.nn.softmax_cross_entropy_with_logits_v2(labels=np.abs(a(4, 3, 5)), logits=a(4, 3, 5))",
    "xent_axis": "return tf.nn.softmax_cross_entropy_with_logits_v2(labels=np.abs(a(4, 3, 5)), logits=a(4, 3, 5), axis=1)",
    "xent_half": "return tf.nn.softmax_cross_entropy_with_logits_v2(labels=np.abs(a(4, 3)), logits=a(4, 3).astype(np.float16))",
    "sparse_xent": "return tf.nn.sparse_softmax_cross_entropy_with_logits(labels=np.array([1, 0, 2]), logits=a(3, 4))",
    "sparse_xent_3": "return tf.nn.sparse_softmax_cross_entropy_with_logits(labels=np.array([[1, 0], [2, 3]]), logits=a(2, 2, 4))",
    "sigmoid_xent": "return tf.nn.sigmoid_cross_entropy_with_logits(labels=np.abs(a(3, 4)), logits=a(3, 4) * 9)",
    "weighted_xent": "return tf.nn.weighted_cross_entropy_with_logits(np.abs(a(3, 4)), a(3, 4) * 9, 2.5)",
    "log_poisson_loss": "return tf.nn.log_poisson_loss(np.abs(a(5)) * 3, a(5), compute_full_loss=True)",
    "conv2d": "return tf.nn.conv2d(a(2, 6, 6, 3), a(3, 3, 3, 4), strides=[1, 2, 2, 1], padding='SAME')",
    "conv2d_explicit": "return tf.nn.conv2d(a(2, 6, 6, 3), a(3, 3, 3, 4), strides=2, padding=[[0, 0], [1, 0], [2, 1], [0, 0]])",
    "conv1d": "return tf.nn.conv1d(a(2, 7, 3), a(3, 3, 4), stride=2, padding='SAME')",
    "conv3d": "return tf.nn.conv3d(a(2, 4, 5, 6, 2), a(2, 2, 2, 2, 3), [1, 1, 2, 1, 1], 'VALID')",
    "conv2d_transpose": "return tf.nn.conv2d_transpose(a(2, 3, 4, 5), a(3, 3, 2, 5), [2, 6, 8, 2], [1, 2, 2, 1])",
    "conv2d_transpose_dynamic": (
        "x = tf.placeholder_with_default(a(2, 3, 4, 5), [None, 3, 4, 5])\n"
        "return tf.nn.conv2d_transpose(x, a(3, 3, 2, 5), tf.stack([tf.shape(x)[0], 6, 8, 2]), [1, 2, 2, 1])"
    ),
    "conv1d_transpose": "return tf.nn.conv1d_transpose(a(2, 3, 5), a(3, 2, 5), [2, 6, 2], 2)",
    "conv3d_transpose": "return tf.nn.conv3d_transpose(a(1, 2, 3, 2, 5), a(2, 2, 2, 3, 5), [1, 4, 6, 4, 3], [1, 2, 2, 2, 1])",
    "atrous": "return tf.nn.atrous_conv2d(a(2, 9, 8, 3), a(3, 3, 3, 4), 2, 'SAME'), tf.nn.atrous_conv2d(a(2, 9, 8, 3), a(3, 3, 3, 4), 3, 'VALID')",
    "atrous_transpose": "return tf.nn.atrous_conv2d_transpose(a(2, 9, 8, 3), a(3, 3, 4, 3), [2, 9, 8, 4], 2, 'SAME')",
    "depthwise": "return tf.nn.depthwise_conv2d(a(2, 6, 6, 3), a(3, 3, 3, 2), [1, 2, 2, 1], 'SAME')",
    "depthwise_rate": "return tf.nn.depthwise_conv2d(a(2, 9, 9, 3), a(3, 3, 3, 2), [1, 1, 1, 1], 'SAME', rate=[2, 2])",
    "separable": "return tf.nn.separable_conv2d(a(2, 6, 6, 3), a(3, 3, 3, 2), a(1, 1, 6, 5), [1, 1, 1, 1], 'SAME')",
    "convolution": "return tf.nn.convolution(a(2, 6, 6, 3), a(3, 3, 3, 4), 'SAME', strides=[2, 1]), tf.nn.convolution(a(2, 7, 3), a(3, 3, 4), 'VALID')",
    "convolution_dilated": "return tf.nn.convolution(a(2, 9, 7, 3), a(3, 3, 3, 4), 'SAME', dilation_rate=[2, 3])",
    "convolution_dynamic": (
        "x = tf.placeholder_with_default(a(2, 9, 7, 3), [None, None, None, 3])\n"
        "return tf.nn.convolution(x, a(3, 3, 3, 4), 'SAME', dilation_rate=[2, 2])"
    ),
    "pool": "return tf.nn.pool(a(2, 6, 6, 3), [3, 2], 'MAX', 'SAME', strides=[2, 2]), tf.nn.pool(a(2, 7, 3), [3], 'AVG', 'VALID')",
    "pool_dilated": "return tf.nn.pool(a(2, 9, 9, 3), [2, 2], 'AVG', 'VALID', dilation_rate=[2, 2])",
    "max_pool": "return tf.nn.max_pool(a(2, 6, 6, 3), [1, 2, 2, 1], [1, 2, 2, 1], 'SAME'), tf.nn.max_pool(a(2, 6, 6, 3), 3, 2, 'VALID')",
    "pool_1d_3d": "return tf.nn.max_pool1d(a(2, 7, 3), 3, 2, 'SAME'), tf.nn.avg_pool1d(a(2, 7, 3), 3, 2, 'SAME'), tf.nn.max_pool3d(a(1, 4, 4, 4, 2), 2, 2, 'SAME'), tf.nn.avg_pool3d(a(1, 4, 4, 4, 2), 2, 2, 'SAME')",  # noqa: E501
    "argmax_pool": "return tuple(tf.nn.max_pool_with_argmax(a(2, 6, 6, 3), [1, 2, 2, 1], [1, 2, 2, 1], 'SAME'))",
    "avg_pool": "return tf.nn.avg_pool(a(2, 6, 6, 3), [1, 3, 3, 1], [1, 2, 2, 1], 'SAME')",
    "dropout": "return tf.nn.dropout(np.ones((5, 8), np.float32), 0.5, seed=7), tf.nn.dropout(a(4, 4), rate=0.3, seed=3)",
    "dropout_noise": "return tf.nn.dropout(np.ones((5, 8), np.float32), 0.5, noise_shape=[5, 1], seed=7)",
    "dropout_tensor": "return tf.nn.dropout(np.ones((5, 8), np.float32), tf.constant(0.4), seed=7)",
    "l2": "return tf.nn.l2_loss(a(3, 4)), tf.nn.l2_normalize(a(3, 4), 1), tf.nn.l2_normalize(a(3, 4), dim=[0, 1])",
    "moments": "return (*tf.nn.moments(tf.constant(a(2, 3, 4)), [0, 1]), *tf.nn.moments(tf.constant(a(2, 3, 4)), [1], keep_dims=True))",
    "moments_half": "return tf.nn.moments(tf.constant(a(2, 3, 4).astype(np.float16)), [0, 1])",
    "weighted_moments": "return tf.nn.weighted_moments(a(2, 3, 4), [0, 1], np.abs(a(3, 1)))",
    "statistics": "c, m, v, s = tf.nn.sufficient_statistics(tf.constant(a(2, 3, 4)), [0, 2], shift=0.5); return (c, m, v, *tf.nn.normalize_moments(c, m, v, s))",  # noqa: E501
    "batch_normalization": "return tf.nn.batch_normalization(a(2, 3), a(3), np.abs(a(3)), a(3), a(3), 0.01), tf.nn.batch_normalization(a(2, 3), a(3), np.abs(a(3)), None, None, 0.01)",  # noqa: E501
    "fused_batch_norm": "return tf.nn.fused_batch_norm(a(2, 3, 3, 4), a(4), a(4))",
    "fused_batch_norm_inference": "return tf.nn.fused_batch_norm(tf.placeholder_with_default(a(2, 3, 3, 4), [None, 3, 3, 4]), a(4), a(4), a(4), np.abs(a(4)), is_training=False)[0]",  # noqa: E501
    "lrn": "return tf.nn.lrn(a(2, 3, 3, 8), 2, bias=2.0, alpha=1e-2, beta=0.75)",
    "top_k": "v, i = tf.nn.top_k(a(3, 8), 3); return v, i, tf.nn.in_top_k(a(3, 8), np.array([1, 2, 3]), 4)",
    "zero_fraction": "return tf.nn.zero_fraction(np.array([[0, 1.0], [0, 0]], np.float32))",
    "dilation2d": "return tf.nn.dilation2d(a(1, 5, 5, 2), a(2, 2, 2), [1, 1, 1, 1], [1, 1, 1, 1], 'SAME'), tf.nn.erosion2d(a(1, 5, 5, 2), a(2, 2, 2), [1, 1, 1, 1], [1, 1, 1, 1], 'SAME')",  # noqa: E501
    "embedding": "return tf.nn.embedding_lookup(a(6, 3), [[1, 2], [5, 0]]), tf.nn.embedding_lookup(a(6, 3), [4, 4], max_norm=0.5)",
    "embedding_mod": "return tf.nn.embedding_lookup([a(3, 2), a(3, 2), a(2, 2)], [[0, 1, 7], [5, 4, 2]])",
    "embedding_div": "return tf.nn.embedding_lookup([a(3, 2), a(3, 2), a(2, 2)], [[0, 1, 7], [5, 4, 2]], partition_strategy='div', max_norm=1.0)",
    "embedding_sparse": (
        "ids = tf.SparseTensor([[0, 0], [0, 2], [1, 1], [2, 0]], tf.constant([1, 3, 0, 1], tf.int64), [3, 4])\n"
        "w = tf.SparseTensor([[0, 0], [0, 2], [1, 1], [2, 0]], [0.5, 2.0, 1.0, 3.0], [3, 4])\n"
        "p = a(5, 3)\n"
        "return [tf.nn.embedding_lookup_sparse(p, ids, x, combiner=c) for x in (None, w) for c in ('sum', 'mean', 'sqrtn')]"
    ),
    "nce_loss": (
        "w, b, x = tf.constant(a(9, 4)), tf.constant(a(9)), tf.constant(a(5, 4))\n"
        "s = (tf.constant([3, 8, 1], tf.int64), tf.constant(np.abs(a(5, 1))), tf.constant(np.abs(a(3))))\n"
        "loss = tf.nn.nce_loss(w, b, np.array([[1], [2], [3], [0], [8]]), x, 3, 9, sampled_values=s)\n"
        "g = tf.gradients(loss, [w, b, x])\n"
        "return [loss, g[0].values, g[0].indices, g[1].values, g[2]]"
    ),
    "sampled_softmax": (
        "w, b, x = tf.constant(a(9, 4)), tf.constant(a(9)), tf.constant(a(5, 4))\n"
        "s = (tf.constant([3, 8, 1], tf.int64), tf.constant(np.abs(a(5, 1))), tf.constant(np.abs(a(3))))\n"
        "loss = tf.nn.sampled_softmax_loss(w, b, np.array([[1], [2], [3], [0], [8]]), x, 3, 9, sampled_values=s)\n"
        "return [loss, tf.convert_to_tensor(tf.gradients(loss, w)[0])]"
    ),
    "fractional_pool": (
        "out = []\n"
        "for f in (tf.nn.fractional_max_pool, tf.nn.fractional_avg_pool):\n"
        "    for pseudo in (True, False):\n"
        "        for overlap in (True, False):\n"
        "            x = tf.constant(a(2, 11, 9, 2))\n"
        "            y, r, c = f(x, [1, 1.44, 1.73, 1], pseudo, overlap, True, 12345678901, 9)\n"
        "            out += [y, tf.gradients(y ** 2, x)[0], *(tf.placeholder_with_default(v, None) for v in (r, c))]\n"
        "return out"
    ),
    "max_pool_second_order": (
        "x = tf.constant(a(2, 6, 6, 2)); y = tf.nn.max_pool(x, 3, 2, 'SAME')\n"
        "g = tf.gradients(tf.reduce_sum(y ** 3), x)[0]\n"
        "return g, tf.gradients(tf.reduce_sum(g ** 2), x)[0]"
    ),
    "batch_norm_second_order": (
        "x, s = tf.constant(a(4, 3, 3, 2)), tf.constant(a(2)); y = tf.nn.fused_batch_norm(x, s, a(2))[0]\n"
        "g = tf.gradients(tf.reduce_sum(y ** 3), [x, s])\n"
        "return g"
    ),
    "ctc": (
        "x = tf.constant(a(6, 2, 5)); labels = tf.SparseTensor([[0, 0], [0, 1], [1, 0]], tf.constant([1, 1, 3]), [2, 2])\n"
        "loss = tf.nn.ctc_loss(labels, x, [6, 4])\n"
        "d, p = tf.nn.ctc_greedy_decoder(x, [6, 4])\n"
        "b, q = tf.nn.ctc_beam_search_decoder(x, [6, 4], 8, 2)\n"
        "return [loss, tf.gradients(loss, x)[0], d[0].values, d[0].indices, p, b[1].values, b[0].indices, q]"
    ),
    "ctc_batch_major": (
        "labels = tf.SparseTensor([[0, 0], [0, 1], [1, 0]], tf.constant([1, 1, 3]), [2, 2])\n"
        "return tf.nn.ctc_loss_v2(labels, a(2, 6, 5), None, [6, 4], logits_time_major=False, blank_index=0)"
    ),
    "conv_second_order": (
        "x, w = tf.constant(a(2, 6, 6, 2)), tf.constant(a(3, 3, 2, 3)); y = tf.nn.conv2d(x, w, [1, 2, 2, 1], 'SAME')\n"
        "g = tf.gradients(tf.reduce_sum(y ** 3), [x, w])\n"
        "return tf.gradients(tf.reduce_sum(g[0] ** 2) + tf.reduce_sum(g[1] ** 2), [x, w])"
    ),
    "xent_second_order": (
        "x = tf.constant(a(4, 5)); y = tf.nn.softmax_cross_entropy_with_logits_v2(labels=tf.nn.softmax(a(4, 5)), logits=x)\n"
        "g = tf.gradients(y, x)[0]\n"
        "return g, tf.gradients(tf.reduce_sum(g ** 2), x)[0]"
    ),
}  # fmt: skip

PRELUDE = """
def arrays():
    rng = np.random.default_rng(3)
    return lambda *shape: rng.standard_normal(shape).astype(np.float32)
"""


def source(body: str) -> str:
    """A function `program(tf, np, a)` with this body."""
    lines = [line for part in body.split("\n") for line in [part]]
    return "def program(tf, np, a):\n" + "\n".join(f"    {line}" for line in lines) + "\n"
