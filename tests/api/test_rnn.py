"""RNN cells and loops over them: variable names, shapes, states, wrappers, sequence lengths, raw_rnn, unrolled forms."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import hornbeam as tf

rnn_cell = tf.nn.rnn_cell


@pytest.fixture(autouse=True)
def fresh_graph() -> Any:
    with tf.Graph().as_default() as graph:
        graph.seed = 3
        yield


def run(fetches: Any, feeds: Any = None) -> Any:
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        return session.run(fetches, feeds)


def variables() -> dict[str, list[int]]:
    return {v.op.name: v.shape.as_list() for v in tf.global_variables()}


def inputs() -> Any:
    return tf.constant(np.random.RandomState(0).randn(2, 5, 3), tf.float32)


@pytest.mark.parametrize(
    ("make", "names"),
    [
        (lambda: rnn_cell.BasicRNNCell(4), {"basic_rnn_cell/kernel": [7, 4], "basic_rnn_cell/bias": [4]}),
        (
            lambda: rnn_cell.GRUCell(4),
            {"gru_cell/gates/kernel": [7, 8], "gru_cell/gates/bias": [8], "gru_cell/candidate/kernel": [7, 4], "gru_cell/candidate/bias": [4]},
        ),
        (lambda: rnn_cell.BasicLSTMCell(4), {"basic_lstm_cell/kernel": [7, 16], "basic_lstm_cell/bias": [16]}),
        (
            lambda: rnn_cell.LSTMCell(4, use_peepholes=True, num_proj=2),
            {
                "lstm_cell/kernel": [5, 16], "lstm_cell/bias": [16], "lstm_cell/w_f_diag": [4], "lstm_cell/w_i_diag": [4],
                "lstm_cell/w_o_diag": [4], "lstm_cell/projection/kernel": [4, 2],
            },
        ),
        (lambda: rnn_cell.LSTMCell(4, name="foo"), {"foo/kernel": [7, 16], "foo/bias": [16]}),
        (lambda: rnn_cell.DropoutWrapper(rnn_cell.LSTMCell(4), 0.5), {"lstm_cell/kernel": [7, 16], "lstm_cell/bias": [16]}),
        (
            lambda: rnn_cell.MultiRNNCell([rnn_cell.BasicRNNCell(4), rnn_cell.BasicRNNCell(3)]),
            {
                "multi_rnn_cell/cell_0/basic_rnn_cell/kernel": [7, 4], "multi_rnn_cell/cell_0/basic_rnn_cell/bias": [4],
                "multi_rnn_cell/cell_1/basic_rnn_cell/kernel": [7, 3], "multi_rnn_cell/cell_1/basic_rnn_cell/bias": [3],
            },
        ),
    ],
)  # fmt: skip
def test_variables_have_tensorflows_names(make: Any, names: dict[str, list[int]]) -> None:
    outputs, _ = tf.nn.dynamic_rnn(make(), inputs(), dtype=tf.float32)
    assert variables() == {f"rnn/{k}": v for k, v in names.items()}
    assert outputs.name == "rnn/transpose_1:0"


def test_a_cell_keeps_its_variables_and_another_gets_its_own() -> None:
    x = inputs()[:, 0]
    a, b = rnn_cell.GRUCell(3), rnn_cell.GRUCell(3)
    state = a.zero_state(2, tf.float32)
    for cell in (a, a, b):
        cell(x, state)
    assert len(variables()) == 8
    assert {n.split("/")[0] for n in variables()} == {"gru_cell", "gru_cell_1"}
    assert len(a.trainable_variables) == 4


def test_outputs_and_states_follow_the_recurrence() -> None:
    x = inputs()
    outputs, state = tf.nn.dynamic_rnn(rnn_cell.BasicRNNCell(4), x, dtype=tf.float32)
    kernel, bias = tf.global_variables()
    x_value, k, b, got, last = run([x, kernel, bias, outputs, state])
    h = np.zeros([2, 4], np.float32)
    for t in range(5):
        h = np.tanh(np.concatenate([x_value[:, t], h], 1) @ k + b)
        np.testing.assert_allclose(got[:, t], h, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(last, h, rtol=1e-5, atol=1e-6)


def test_beyond_a_sequence_outputs_are_zero_and_the_state_stays() -> None:
    lengths = tf.placeholder(tf.int32, [2])
    outputs, state = tf.nn.dynamic_rnn(rnn_cell.BasicLSTMCell(4), inputs(), lengths, dtype=tf.float32)
    got, last = run([outputs, state], {lengths: [2, 5]})
    assert not got[0, 2:].any()
    assert got[1].all()
    np.testing.assert_allclose(last.h[0], got[0, 1], rtol=1e-6)
    np.testing.assert_allclose(last.h[1], got[1, 4], rtol=1e-6)


def test_unrolled_and_looped_agree() -> None:
    x = inputs()
    with tf.variable_scope("a"):
        looped, last = tf.nn.dynamic_rnn(rnn_cell.LSTMCell(4), x, [3, 5], dtype=tf.float32)
    with tf.variable_scope("a", reuse=True):
        unrolled, also = tf.nn.static_rnn(
            rnn_cell.LSTMCell(4), tf.unstack(x, axis=1), dtype=tf.float32, sequence_length=[3, 5]
        )
    a, b, s, t = run([looped, tf.stack(unrolled, 1), last, also])
    np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(s.c, t.c, rtol=1e-5, atol=1e-6)


def test_time_major_inputs_of_unknown_batch_and_length() -> None:
    x = tf.placeholder(tf.float32, [None, None, 3])
    outputs, state = tf.nn.dynamic_rnn(rnn_cell.GRUCell(4), x, dtype=tf.float32, time_major=True)
    assert outputs.shape.as_list() == [None, None, 4]
    assert state.shape.as_list() == [None, 4]
    grads = tf.gradients(outputs, tf.trainable_variables())
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        for t, n in ((5, 2), (3, 4)):
            got, *g = session.run([outputs, *grads], {x: np.ones([t, n, 3])})
            assert got.shape == (t, n, 4)
            assert all(np.abs(v).sum() > 0 for v in g)


def test_both_directions_read_each_sequence_within_its_length() -> None:
    x = inputs()
    (fw, bw), (state_fw, state_bw) = tf.nn.bidirectional_dynamic_rnn(
        rnn_cell.GRUCell(4), rnn_cell.GRUCell(4), x, sequence_length=[3, 5], dtype=tf.float32
    )
    assert {n.rsplit("/", 3)[0] for n in variables()} == {"bidirectional_rnn/fw", "bidirectional_rnn/bw"}
    forwards, backwards, last_fw, last_bw = run([fw, bw, state_fw, state_bw])
    np.testing.assert_allclose(last_fw[0], forwards[0, 2], rtol=1e-6)
    np.testing.assert_allclose(last_bw[0], backwards[0, 0], rtol=1e-6)
    assert not backwards[0, 3:].any()


def test_static_bidirectional_joins_both_outputs() -> None:
    steps = tf.unstack(inputs(), axis=1)
    outputs, _, _ = tf.nn.static_bidirectional_rnn(rnn_cell.GRUCell(4), rnn_cell.GRUCell(2), steps, dtype=tf.float32)
    assert [o.shape.as_list() for o in outputs] == [[2, 6]] * 5


def test_raw_rnn_stops_when_every_example_is_finished() -> None:
    x = tf.transpose(inputs(), [1, 0, 2])
    source = tf.TensorArray(tf.float32, size=5).unstack(x)
    cell = rnn_cell.LSTMCell(4)
    lengths = tf.constant([2, 4])

    def loop(time: Any, output: Any, state: Any, loop_state: Any) -> Any:
        state = cell.zero_state(2, tf.float32) if output is None else state
        finished = time >= lengths
        following = tf.cond(tf.reduce_all(finished), lambda: tf.zeros([2, 3]), lambda: source.read(tf.minimum(time, 4)))
        return finished, following, state, output, None

    arrays, state, _ = tf.nn.raw_rnn(cell, loop)
    outputs = arrays.stack()
    grads = tf.gradients(outputs, tf.trainable_variables())
    got, last, *g = run([outputs, state, *grads])
    assert got.shape == (4, 2, 4)
    assert not got[2:, 0].any()
    assert all(np.abs(v).sum() > 0 for v in g)
    np.testing.assert_allclose(last.h[1], got[3, 1])


def test_cells_written_by_users_work() -> None:
    class Old(rnn_cell.RNNCell):
        @property
        def state_size(self) -> int:
            return 4

        @property
        def output_size(self) -> int:
            return 4

        def __call__(self, inputs: Any, state: Any, scope: Any = None) -> Any:
            with tf.variable_scope(scope or "old"):
                w = tf.get_variable("w", [3, 4])
                new = tf.tanh(tf.matmul(inputs, w) + state)
            return new, new

    class New(Old):
        def __call__(self, inputs: Any, state: Any, scope: Any = None) -> Any:
            return rnn_cell.RNNCell.__call__(self, inputs, state, scope)

        def call(self, inputs: Any, state: Any) -> Any:
            new = tf.tanh(tf.matmul(inputs, tf.get_variable("w", [3, 4])) + state)
            return new, new

    tf.nn.dynamic_rnn(Old(), inputs(), dtype=tf.float32, scope="first")
    cell = New()
    tf.nn.static_rnn(cell, tf.unstack(inputs(), axis=1), dtype=tf.float32, scope="second")
    assert variables() == {"first/old/w": [3, 4], "second/new/w": [3, 4]}
    assert len(cell.variables) == 1


def test_dropout_scales_what_it_keeps_and_variational_masks_stay() -> None:
    x = tf.ones([2, 5, 3])
    cell = rnn_cell.DropoutWrapper(rnn_cell.BasicRNNCell(64), output_keep_prob=0.5, seed=1)
    plain, _ = tf.nn.dynamic_rnn(cell, x, dtype=tf.float32, scope="a")
    same = rnn_cell.DropoutWrapper(
        rnn_cell.BasicRNNCell(64), output_keep_prob=0.5, variational_recurrent=True, dtype=tf.float32, input_size=3
    )
    fixed, _ = tf.nn.dynamic_rnn(same, x, dtype=tf.float32, scope="b")
    a, b = run([plain, fixed])
    assert 0.3 < (a == 0).mean() < 0.7
    assert not ((a[:, 0] == 0) == (a[:, 1] == 0)).all()
    assert ((b[:, 0] == 0) == (b[:, 1] == 0)).all()


def test_residual_and_highway_wrappers_add_the_inputs() -> None:
    x = inputs()
    with tf.variable_scope("a"):
        plain, _ = tf.nn.dynamic_rnn(rnn_cell.BasicRNNCell(3), x, dtype=tf.float32)
    with tf.variable_scope("a", reuse=True):
        residual, _ = tf.nn.dynamic_rnn(rnn_cell.ResidualWrapper(rnn_cell.BasicRNNCell(3)), x, dtype=tf.float32)
    a, b, value = run([plain, residual, x])
    np.testing.assert_allclose(b[:, 0], a[:, 0] + value[:, 0], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("make", "error", "text"),
    [
        (lambda x: tf.nn.dynamic_rnn(rnn_cell.GRUCell(4), x), ValueError, "must give a dtype"),
        (lambda x: tf.nn.dynamic_rnn(object(), x, dtype=tf.float32), TypeError, "is not an RNNCell"),
        (lambda x: tf.nn.dynamic_rnn(rnn_cell.GRUCell(4), x, [1, 2, 3], dtype=tf.float32), ValueError, "vector of length batch_size"),
        (lambda x: tf.nn.static_rnn(rnn_cell.GRUCell(4), x, dtype=tf.float32), TypeError, "must be a sequence"),
        (lambda x: rnn_cell.MultiRNNCell([]), ValueError, "at least one cell"),
        (lambda x: rnn_cell.DropoutWrapper(rnn_cell.GRUCell(4), 0.0), ValueError, "between 0 and 1"),
        (lambda x: rnn_cell.BasicLSTMCell(4)(tf.placeholder(tf.float32, [2, None]), None), ValueError, "to be known"),
    ],
)  # fmt: skip
def test_misuse_is_reported(make: Any, error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        make(inputs())


contrib = tf.contrib.rnn


@pytest.mark.parametrize(
    ("make", "count"),
    [
        (lambda: contrib.LayerNormBasicLSTMCell(4), 11),
        (lambda: contrib.LayerNormBasicLSTMCell(4, layer_norm=False, dropout_keep_prob=0.5), 2),
        (lambda: contrib.NASCell(4, num_proj=2, use_bias=True), 4),
        (lambda: contrib.UGRNNCell(4), 2),
        (lambda: contrib.GRUBlockCell(4), 4),
        (lambda: contrib.LSTMBlockCell(4, use_peephole=True), 5),
        (lambda: contrib.HighwayWrapper(contrib.GRUCell(3)), 6),
        (lambda: contrib.InputProjectionWrapper(contrib.GRUCell(4), 5), 6),
        (lambda: contrib.OutputProjectionWrapper(contrib.GRUCell(4), 2), 6),
    ],
)
def test_contrib_cells_learn_through_time(make: Any, count: int) -> None:
    outputs, _ = tf.nn.dynamic_rnn(make(), inputs(), dtype=tf.float32)
    assert len(variables()) == count
    grads = tf.gradients(outputs, tf.trainable_variables())
    assert all(g is not None for g in grads)
    values = run([outputs, *grads])
    assert all(np.isfinite(v).all() for v in values)
    assert any(np.abs(v).sum() > 0 for v in values[1:])


def test_block_cells_compute_what_the_plain_ones_do() -> None:
    x = inputs()
    with tf.variable_scope("a"):
        plain, _ = tf.nn.dynamic_rnn(rnn_cell.LSTMCell(4), x, dtype=tf.float32)
    with tf.variable_scope("a", reuse=True):
        block, _ = tf.nn.dynamic_rnn(contrib.LSTMBlockCell(4), x, dtype=tf.float32)
    a, b = run([plain, block])
    np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


def test_convolutional_lstm_keeps_the_picture() -> None:
    cell = contrib.Conv2DLSTMCell(input_shape=[6, 5, 2], output_channels=3, kernel_shape=[3, 3])
    outputs, state = tf.nn.dynamic_rnn(cell, tf.ones([2, 4, 6, 5, 2]), dtype=tf.float32)
    assert outputs.shape.as_list() == [2, 4, 6, 5, 3]
    assert variables() == {"rnn/conv_2d_lstm_cell/kernel": [3, 3, 5, 12], "rnn/conv_2d_lstm_cell/biases": [12]}
    values = run([outputs, state.h])
    np.testing.assert_allclose(values[0][:, 3], values[1], rtol=1e-6)


def test_embedding_wrapper_looks_inputs_up() -> None:
    cell = contrib.EmbeddingWrapper(rnn_cell.GRUCell(4), 10, 3)
    outputs, _ = tf.nn.static_rnn(cell, [tf.constant([1, 2]), tf.constant([3, 1])], dtype=tf.float32)
    assert variables()["rnn/embedding_wrapper/embedding"] == [10, 3]
    (g,) = tf.gradients(outputs, [v for v in tf.trainable_variables() if "embedding:" in v.name])
    values = run(tf.convert_to_tensor(g))
    assert np.abs(values).sum(1).astype(bool).tolist() == [False, True, True, True] + [False] * 6
