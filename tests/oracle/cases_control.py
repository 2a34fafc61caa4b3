"""Programs with control flow. Each takes the `tf` module and inputs x [4, 3], w [3, 3], p (bool) and n (int), and returns tensors.

They run here (values, gradients against finite differences) and, as exported GraphDefs, in TensorFlow.
"""

from __future__ import annotations

from typing import Any

PROGRAMS: dict[str, Any] = {}
FIRST_ORDER_ONLY = {
    "while_nested",
    "while_nested_inner_count_varies",
    "tensor_array",
    "lstm_peepholes_projection",
    "multi_layer",
}


def program(f: Any) -> Any:
    PROGRAMS[f.__name__] = f
    return f


@program
def cond(tf, x, w, p, n):
    return tf.cond(p, lambda: tf.tanh(tf.matmul(x, w)), lambda: tf.sin(x) * 2.0)


@program
def cond_nested(tf, x, w, p, n):
    return tf.cond(
        p,
        lambda: tf.cond(n > 4, lambda: tf.tanh(tf.matmul(x, w)), lambda: tf.exp(x * 0.1) * x),
        lambda: tf.sin(x * w[0]) * x,
    )


@program
def cond_structure(tf, x, w, p, n):
    return tf.cond(
        p, lambda: {"a": tf.tanh(tf.matmul(x, w)), "b": [n + 1, x]}, lambda: {"a": tf.sin(x) * x, "b": [n * 2, x * x]}
    )


@program
def cond_of_cond_results(tf, x, w, p, n):
    a, b = tf.cond(p, lambda: (x, tf.sin(x)), lambda: (tf.sin(x), x))
    return tf.cond(n > 4, lambda: a * b, lambda: tf.matmul(a, w) + b)


@program
def case(tf, x, w, p, n):
    return tf.case([(p, lambda: tf.matmul(x, w)), (n > 4, lambda: x * 2.0)], default=lambda: tf.tanh(x))


@program
def switch_case(tf, x, w, p, n):
    return tf.switch_case(n, [lambda: x, lambda: x * 2.0, lambda: tf.tanh(x), lambda: tf.matmul(x, w)])


@program
def while_known_count(tf, x, w, p, n):
    return tf.while_loop(lambda i, a: i < 4, lambda i, a: (i + 1, tf.tanh(tf.matmul(a, w))), [0, x])


@program
def while_fed_count(tf, x, w, p, n):
    return tf.while_loop(lambda i, a: i < n, lambda i, a: (i + 1, tf.tanh(tf.matmul(a, w))), [0, x])


@program
def while_at_most(tf, x, w, p, n):
    return tf.while_loop(
        lambda i, a: i < 100, lambda i, a: (i + 1, tf.tanh(tf.matmul(a, w)) * x), [0, x], maximum_iterations=n
    )


@program
def while_until_small(tf, x, w, p, n):
    return tf.while_loop(lambda a: tf.reduce_sum(a * a) > 1.0, lambda a: tf.tanh(tf.matmul(a, w)) * 0.5, [x])


@program
def while_until_small_at_most(tf, x, w, p, n):
    return tf.while_loop(
        lambda a: tf.reduce_sum(a * a) > 1.0, lambda a: tf.tanh(tf.matmul(a, w)) * 0.5, [x], maximum_iterations=6
    )


@program
def while_no_turn(tf, x, w, p, n):
    return tf.while_loop(lambda i, a: i < 0, lambda i, a: (i + 1, tf.tanh(tf.matmul(a, w))), [0, x])


@program
def while_uses_its_counter(tf, x, w, p, n):
    return tf.while_loop(lambda i, a: i < 5, lambda i, a: (i + 1, a * tf.cast(i, a.dtype) * 0.3 + tf.sin(a)), [2, x])


@program
def while_nested(tf, x, w, p, n):
    def outer(i, a):
        _, b = tf.while_loop(lambda j, b: j < 2, lambda j, b: (j + 1, tf.tanh(tf.matmul(b, w)) * a), [0, a])
        return i + 1, b

    return tf.while_loop(lambda i, a: i < 3, outer, [0, x])


@program
def while_nested_inner_count_varies(tf, x, w, p, n):
    def outer(i, a):
        _, b = tf.while_loop(lambda j, b: j < i, lambda j, b: (j + 1, tf.tanh(tf.matmul(b, w))), [0, a])
        return i + 1, b

    return tf.while_loop(lambda i, a: i < 3, outer, [0, x])


@program
def while_with_cond(tf, x, w, p, n):
    def body(i, a):
        return i + 1, tf.cond(tf.equal(i % 2, 0), lambda: tf.tanh(tf.matmul(a, w)), lambda: tf.sin(a) * x)

    return tf.while_loop(lambda i, a: i < 4, body, [0, x])


@program
def cond_with_while(tf, x, w, p, n):
    def loop():
        return tf.while_loop(lambda i, a: i < 4, lambda i, a: (i + 1, tf.tanh(tf.matmul(a, w))), [0, x])[1]

    return tf.cond(p, loop, lambda: x * 2.0)


@program
def while_over_growing_rows(tf, x, w, p, n):
    return tf.while_loop(
        lambda i, a: i < 2,
        lambda i, a: (i + 1, tf.concat([a, tf.tanh(a)], 0)),
        [0, x],
        shape_invariants=[tf.TensorShape([]), tf.TensorShape([None, 3])],
    )


@program
def map_rows(tf, x, w, p, n):
    return tf.map_fn(lambda r: tf.tanh(tf.matmul(tf.expand_dims(r, 0), w)), x)


@program
def map_pairs(tf, x, w, p, n):
    return tf.map_fn(lambda r: (tf.reduce_sum(r[0] * r[1]), r[1] * r[0][0]), (x, tf.sin(x)))


@program
def scan_rows(tf, x, w, p, n):
    return tf.scan(lambda a, r: tf.tanh(tf.matmul(a, w) + r), x, initializer=tf.zeros([1, 3], x.dtype))


@program
def scan_backwards(tf, x, w, p, n):
    return tf.scan(lambda a, r: tf.tanh(a * r), x, reverse=True)


@program
def folds(tf, x, w, p, n):
    return tf.foldl(lambda a, r: a * r + 1.0, x), tf.foldr(lambda a, r: a * 0.5 + r, x, initializer=w[0])


@program
def tensor_array(tf, x, w, p, n):
    a = tf.TensorArray(x.dtype, size=4).unstack(x)
    b = tf.TensorArray(x.dtype, size=0, dynamic_size=True)
    _, b = tf.while_loop(
        lambda i, b: i < 4, lambda i, b: (i + 1, b.write(i, tf.tanh(a.read(3 - i)) * a.read(0))), [0, b]
    )
    parts = tf.TensorArray(x.dtype, size=2).split(x, [1, 3]).concat()
    return b.stack(), b.gather([0, 2]), b.concat(), a.scatter([1, 0], x[:2]).stack(), parts


@program
def reference_variable(tf, x, w, p, n):
    v = tf.get_variable("v", [3, 3], x.dtype)
    return tf.while_loop(lambda i, a: i < 4, lambda i, a: (i + 1, tf.tanh(tf.matmul(a, v))), [0, x])


@program
def resource_variable(tf, x, w, p, n):
    v = tf.get_variable("v", [3, 3], x.dtype, use_resource=True)

    def body(i, a):
        return i + 1, tf.cond(p, lambda: tf.tanh(tf.matmul(a, v)), lambda: a * v[0])

    return tf.while_loop(lambda i, a: i < 4, body, [0, x])


@program
def embedding_in_loop(tf, x, w, p, n):
    v = tf.get_variable("v", [5, 3], x.dtype, use_resource=True)
    return tf.while_loop(lambda i, a: i < 4, lambda i, a: (i + 1, tf.tanh(a * tf.gather(v, i % 3))), [0, x])


def _rnn(cell):
    return lambda tf, x, w, p, n: tf.nn.dynamic_rnn(cell(tf.nn.rnn_cell), tf.reshape(x, [2, 2, 3]), dtype=x.dtype)


PROGRAMS["basic_rnn"] = _rnn(lambda c: c.BasicRNNCell(4))
PROGRAMS["gru"] = _rnn(lambda c: c.GRUCell(4))
PROGRAMS["basic_lstm"] = _rnn(lambda c: c.BasicLSTMCell(4))
PROGRAMS["lstm_peepholes_projection"] = _rnn(lambda c: c.LSTMCell(4, use_peepholes=True, num_proj=2, cell_clip=0.5))
PROGRAMS["multi_layer"] = _rnn(lambda c: c.MultiRNNCell([c.LSTMCell(4), c.GRUCell(3)]))


@program
def lengths(tf, x, w, p, n):
    return tf.nn.dynamic_rnn(tf.nn.rnn_cell.GRUCell(4), tf.reshape(x, [2, 2, 3]), sequence_length=[1, 2], dtype=x.dtype)


@program
def both_directions(tf, x, w, p, n):
    c = tf.nn.rnn_cell
    return tf.nn.bidirectional_dynamic_rnn(
        c.GRUCell(4), c.GRUCell(4), tf.reshape(x, [2, 2, 3]), sequence_length=[1, 2], dtype=x.dtype
    )


@program
def unrolled(tf, x, w, p, n):
    return tf.nn.static_rnn(
        tf.nn.rnn_cell.BasicLSTMCell(4), [x, tf.matmul(x, w)], dtype=x.dtype, sequence_length=[1, 2, 0, 2]
    )
