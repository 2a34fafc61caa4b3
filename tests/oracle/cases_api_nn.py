"""Calls of `tf.nn`: values, static shapes and node names."""

# fmt: off
from __future__ import annotations


def A(*shape: int) -> str:
    """An expression for a float32 array of that shape."""
    n = 1
    for d in shape:
        n *= d
    return f"np.sin(np.arange({n}) * 1.7).astype(np.float32).reshape({shape})"


CALLS = [
    *[f"tf.nn.{f}(x)" for f in "relu relu6 elu selu leaky_relu softplus softsign softmax log_softmax l2_loss crelu zero_fraction".split()],
    *[f"tf.nn.{f}(x, name='n')" for f in "relu relu6 elu selu softplus softsign softmax log_softmax l2_loss crelu zero_fraction".split()],
    "tf.nn.leaky_relu(x, 0.3, name='n')", "tf.nn.relu(i)", "tf.nn.relu(u)", "tf.nn.relu([1.0, -1.0])", "tf.nn.swish(x)",
    "tf.nn.softmax(t, axis=1)", "tf.nn.softmax(t, dim=0, name='n')", "tf.nn.softmax(u)", "tf.nn.log_softmax(t, axis=-2)", "tf.math.softmax(x)", "tf.math.softplus(x)",
    "tf.nn.softmax_cross_entropy_with_logits(labels=y, logits=x)", "tf.nn.softmax_cross_entropy_with_logits_v2(labels=y, logits=x)",
    "tf.nn.softmax_cross_entropy_with_logits_v2(labels=y, logits=x, name='n')", "tf.nn.softmax_cross_entropy_with_logits_v2(labels=p, logits=p)",
    "tf.nn.softmax_cross_entropy_with_logits_v2(labels=t, logits=t, axis=1)",
    "tf.nn.sparse_softmax_cross_entropy_with_logits(labels=[0, 2], logits=x)", "tf.nn.sparse_softmax_cross_entropy_with_logits(labels=[0, 2], logits=x, name='n')",
    "tf.nn.sparse_softmax_cross_entropy_with_logits(labels=[0, 2], logits=p)", "tf.nn.sparse_softmax_cross_entropy_with_logits(labels=[0, 2], logits=t)",
    "tf.nn.sparse_softmax_cross_entropy_with_logits(labels=[0, 2, 1], logits=x)",
    "tf.nn.sigmoid_cross_entropy_with_logits(labels=y, logits=x)", "tf.nn.sigmoid_cross_entropy_with_logits(labels=y, logits=x, name='n')",
    "tf.nn.sigmoid_cross_entropy_with_logits(labels=t, logits=x)", "tf.nn.weighted_cross_entropy_with_logits(y, x, 2.0)", "tf.nn.log_poisson_loss(y, x, True)",
    f"tf.nn.bias_add(x, {A(3)})", f"tf.nn.bias_add(p, {A(3)}, name='n')", f"tf.nn.bias_add(t, {A(3)}, data_format='NCW')", f"tf.nn.bias_add(x, {A(4)})",
    f"tf.nn.xw_plus_b(x, {A(3, 4)}, {A(4)})", f"tf.nn.relu_layer(x, {A(3, 4)}, {A(4)}, name='n')",
    f"tf.nn.conv2d({A(2, 6, 5, 3)}, {A(3, 3, 3, 4)}, [1, 2, 2, 1], 'SAME')", f"tf.nn.conv2d({A(2, 6, 5, 3)}, {A(3, 3, 3, 4)}, 1, 'VALID', name='n')",
    f"tf.nn.conv2d({A(2, 6, 5, 3)}, filters={A(3, 3, 3, 4)}, strides=[2, 1], padding=[[0, 0], [1, 1], [2, 0], [0, 0]])",
    f"tf.nn.conv2d({A(2, 6, 5, 3)}, {A(3, 3, 2, 4)}, 1, 'VALID')", f"tf.nn.conv2d({A(2, 2, 2, 3)}, {A(3, 3, 3, 4)}, 1, 'VALID')",
    f"tf.nn.conv1d(t, {A(2, 4, 3)}, 1, 'SAME')", f"tf.nn.conv1d(t, {A(2, 4, 3)}, stride=2, padding='VALID', name='n')",
    f"tf.nn.conv3d({A(1, 4, 4, 4, 2)}, {A(2, 2, 2, 2, 3)}, [1, 2, 2, 2, 1], 'SAME')", f"tf.nn.conv2d_transpose({A(2, 3, 3, 4)}, {A(3, 3, 2, 4)}, [2, 6, 6, 2], [1, 2, 2, 1])",
    f"tf.nn.conv2d_transpose({A(2, 3, 3, 4)}, {A(3, 3, 2, 4)}, [2, 6, 6, 2], 2, name='n')", f"tf.nn.conv1d_transpose(t, {A(2, 3, 4)}, [2, 6, 3], 2)",
    f"tf.nn.conv3d_transpose({A(1, 2, 2, 2, 3)}, {A(2, 2, 2, 4, 3)}, [1, 4, 4, 4, 4], [1, 2, 2, 2, 1])",
    f"tf.nn.atrous_conv2d({A(2, 7, 7, 3)}, {A(3, 3, 3, 4)}, 2, 'SAME')", f"tf.nn.atrous_conv2d({A(2, 7, 7, 3)}, {A(3, 3, 3, 4)}, 1, 'SAME')",
    f"tf.nn.depthwise_conv2d({A(2, 6, 6, 3)}, {A(3, 3, 3, 2)}, [1, 1, 1, 1], 'SAME')", f"tf.nn.depthwise_conv2d({A(2, 7, 7, 3)}, {A(3, 3, 3, 2)}, [1, 1, 1, 1], 'VALID', rate=[2, 2])",
    f"tf.nn.depthwise_conv2d_native({A(2, 6, 6, 3)}, {A(3, 3, 3, 2)}, [1, 2, 2, 1], 'SAME')",
    f"tf.nn.separable_conv2d({A(2, 6, 6, 3)}, {A(3, 3, 3, 2)}, {A(1, 1, 6, 5)}, [1, 1, 1, 1], 'SAME')",
    f"tf.nn.convolution({A(2, 6, 6, 3)}, {A(3, 3, 3, 4)}, 'SAME')", f"tf.nn.convolution(t, {A(3, 4, 5)}, 'SAME', name='n')", f"tf.nn.convolution({A(2, 6, 6, 3)}, {A(3, 3, 3, 4)}, 'VALID', dilation_rate=[2, 2])",
    f"tf.nn.max_pool({A(2, 6, 6, 3)}, [1, 2, 2, 1], [1, 2, 2, 1], 'SAME')", f"tf.nn.avg_pool({A(2, 6, 6, 3)}, 3, 2, 'VALID', name='n')", f"tf.nn.max_pool2d({A(2, 6, 6, 3)}, 2, 2, 'SAME')",
    "tf.nn.max_pool1d(t, 2, 1, 'SAME')", "tf.nn.avg_pool1d(t, 2, 1, 'VALID')", f"tf.nn.max_pool3d({A(1, 4, 4, 4, 2)}, 2, 2, 'SAME')", f"tf.nn.avg_pool3d({A(1, 4, 4, 4, 2)}, 2, 2, 'SAME')",
    f"tf.nn.pool({A(2, 6, 6, 3)}, [2, 2], 'MAX', 'SAME')", f"tf.nn.pool({A(2, 6, 6, 3)}, [2, 2], 'AVG', 'VALID', name='n')", f"tf.nn.max_pool_with_argmax({A(2, 6, 6, 3)}, [1, 2, 2, 1], [1, 2, 2, 1], 'SAME')",
    "tf.nn.l2_normalize(x, 1)", "tf.nn.l2_normalize(x, dim=0, name='n')", "tf.nn.moments(x, [0])", "tf.nn.moments(t, [0, 1], keep_dims=True, name='n')", "tf.nn.moments(p, [0])",
    "tf.nn.weighted_moments(x, [0], y)", "tf.nn.batch_normalization(x, 0.5, y, 1.0, 2.0, 0.01)", "tf.nn.batch_normalization(x, y, y, None, None, 0.01, name='n')",
    f"tf.nn.fused_batch_norm({A(2, 3, 3, 4)}, {A(4)}, {A(4)})", f"tf.nn.fused_batch_norm({A(2, 3, 3, 4)}, {A(4)}, {A(4)}, name='n', epsilon=0.01)", f"tf.nn.fused_batch_norm({A(2, 3, 3, 4)}, {A(4)}, {A(4)}, is_training=False)",
    f"tf.nn.lrn({A(2, 3, 3, 8)}, 2)", f"tf.nn.local_response_normalization({A(2, 3, 3, 8)}, alpha=0.1, name='n')",
    "tf.nn.top_k(x, 2)", "tf.nn.top_k(t, name='n')", "tf.nn.top_k(x, 5)", "tf.nn.in_top_k(x, [1, 2], 1)", "tf.nn.dropout(x, rate=0)", "tf.nn.dropout(x, rate=1.5)", "tf.nn.dropout(i, 0.5)", "tf.nn.dropout(x)",
    "tf.nn.embedding_lookup(x, [1, 0, 1])", "tf.nn.embedding_lookup(x, [[1, 0], [0, 1]], name='n')", "tf.nn.embedding_lookup([x, y], [3, 0, 2])", "tf.nn.embedding_lookup([x, y], [3, 0, 2], 'div', name='n')",
    "tf.nn.embedding_lookup(x, [1, 0], max_norm=1.0)", "tf.nn.embedding_lookup(None, [1])", f"tf.nn.erosion2d({A(1, 5, 5, 2)}, {A(2, 2, 2)}, [1, 1, 1, 1], [1, 1, 1, 1], 'SAME')",
    f"tf.nn.dilation2d({A(1, 5, 5, 2)}, {A(2, 2, 2)}, [1, 1, 1, 1], [1, 1, 1, 1], 'VALID', name='n')",
]

# TensorFlow 2.15 wraps swish in an IdentityN for its custom gradient; 1.15 had a function
OTHER_NAMES = ["tf.nn.swish(x)"]
