"""Optimizers: sparse updates touch their rows only, formulas of contrib.opt, wrappers, slots. (TensorFlow's answers: test_training.)"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import pytest

import hornbeam as tf

KINDS = pytest.mark.parametrize("use_resource", [False, True], ids=["ref", "resource"])
START = np.random.default_rng(5).normal(size=(4, 2)).astype(np.float32)


@pytest.fixture(autouse=True)
def graph() -> Iterator[tf.Graph]:
    with tf.Graph().as_default() as g:
        yield g


def after(steps, op, *fetches):
    with tf.Session() as s:
        s.run([tf.global_variables_initializer(), tf.local_variables_initializer()])
        for _ in range(steps):
            s.run(op)
        return s.run(list(fetches))


def weights(use_resource=False):
    return tf.get_variable("w", initializer=START, use_resource=use_resource)


# --- sparse gradients ------------------------------------------------------------------------------------------------------------
SPARSE = {
    "GradientDescent": lambda: tf.train.GradientDescentOptimizer(0.1),
    "Momentum": lambda: tf.train.MomentumOptimizer(0.1, 0.9),
    "Adagrad": lambda: tf.train.AdagradOptimizer(0.1),
    "Adadelta": lambda: tf.train.AdadeltaOptimizer(1.0),
    "RMSProp": lambda: tf.train.RMSPropOptimizer(0.1),
    "Ftrl": lambda: tf.train.FtrlOptimizer(0.1),
    "ProximalAdagrad": lambda: tf.train.ProximalAdagradOptimizer(0.1),
    "LazyAdam": lambda: tf.contrib.opt.LazyAdamOptimizer(0.1),
    "AdaMax": lambda: tf.contrib.opt.AdaMaxOptimizer(0.1),
}


@KINDS
@pytest.mark.parametrize("name", list(SPARSE))
def test_a_sparse_gradient_changes_its_rows_as_a_dense_one_would(name: str, use_resource: bool) -> None:
    sparse, dense = weights(use_resource), tf.Variable(START, name="dense", use_resource=use_resource)
    optimizer = SPARSE[name]()
    rows = [1, 3, 1]
    picked = tf.gather(sparse, rows)
    loss = tf.reduce_sum(picked * picked)
    mask = np.float32([[0], [2], [0], [1]])
    op = tf.group(
        optimizer.minimize(loss, var_list=[sparse]),
        SPARSE[name]().minimize(tf.reduce_sum(mask * dense * dense), var_list=[dense]),
    )
    a, b = after(1, op, sparse, dense)
    np.testing.assert_allclose(a[[1, 3]], b[[1, 3]], rtol=1e-6)
    np.testing.assert_array_equal(a[[0, 2]], START[[0, 2]])


def test_the_cost_of_a_sparse_step_does_not_grow_with_the_variable() -> None:
    """The compiled step must not hold an operation on the whole variable but the scatters into it."""
    import jax

    from hornbeam.core.registry import raw

    n = 1000

    class State:
        def __init__(self, values):
            self.values = dict(values)

        def read(self, ref):
            return self.values[ref]

        def write(self, ref, value):
            self.values[ref] = value

    def step(var, accum, grad, indices):
        state = State({"var": var, "accum": accum})
        raw.ResourceSparseApplyMomentum.kernel(
            "var", "accum", np.float32(0.1), grad, indices, np.float32(0.9), use_nesterov=False, ctx=state
        )
        return state.values["var"], state.values["accum"]

    arguments = [
        np.zeros((n, 4), np.float32),
        np.zeros((n, 4), np.float32),
        np.ones((3, 4), np.float32),
        np.int32([5, n, 2 * n]),
    ]
    whole = [
        e.primitive.name
        for e in jax.make_jaxpr(step)(*arguments).jaxpr.eqns
        for v in e.outvars
        if v.aval.shape == (n, 4)
    ]
    assert all(p.startswith("scatter") for p in whole), whole
    compiled = jax.jit(step, donate_argnums=(0, 1)).lower(*arguments).compile()
    assert compiled.memory_analysis().temp_size_in_bytes < n * 4 * 4
    var, accum = compiled(*arguments)
    assert np.flatnonzero(np.asarray(var).any(axis=1)).tolist() == [5]  # rows out of range are padding
    np.testing.assert_allclose(np.asarray(accum)[5], 1.0)


def test_a_known_index_out_of_range_is_an_error() -> None:
    v, m = tf.Variable(START, use_resource=True), tf.Variable(START * 0, use_resource=True)
    op = tf.raw_ops.ResourceSparseApplyMomentum(
        var=v.handle, accum=m.handle, lr=0.1, grad=np.ones([1, 2], np.float32), indices=[4], momentum=0.9
    )
    with pytest.raises(tf.errors.InvalidArgumentError, match="Index 4 at offset 0 in indices is out of range"):
        after(1, op)


def test_gradients_of_another_shape_are_refused() -> None:
    with pytest.raises(ValueError, match="[Ss]hape"):
        tf.train.GradientDescentOptimizer(0.1).apply_gradients([(tf.ones([3, 2]), weights())])


# --- contrib.opt -----------------------------------------------------------------------------------------------------------------
def gradients_of_steps(update, steps=3):
    """`update(w, g)` in NumPy on the loss sum(w²)/2, whose gradient is w."""
    w = START.astype(np.float64)
    for _ in range(steps):
        w = update(w, w)
    return w


@KINDS
def test_adam_w_decays_before_it_steps(use_resource: bool) -> None:
    w = weights(use_resource)
    op = tf.contrib.opt.AdamWOptimizer(0.1, learning_rate=0.01).minimize(w * w / 2)
    m, v, t = np.zeros(START.shape), np.zeros(START.shape), 0

    def update(x, g):
        nonlocal m, v, t
        t += 1
        m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g * g
        rate = 0.01 * math.sqrt(1 - 0.999**t) / (1 - 0.9**t)
        return x - 0.1 * x - rate * m / (np.sqrt(v) + 1e-8)

    np.testing.assert_allclose(after(3, op, w)[0], gradients_of_steps(update), rtol=1e-5)


def test_weight_decay_can_be_kept_to_some_variables() -> None:
    a, b = tf.Variable(1.0, name="a"), tf.Variable(1.0, name="b")
    op = tf.contrib.opt.MomentumWOptimizer(0.5, 0.0, 0.9).minimize(a * b, decay_var_list=[a])
    assert after(1, op, a, b) == [0.5, 1.0]


def test_any_optimizer_can_be_given_weight_decay() -> None:
    decayed = tf.contrib.opt.extend_with_decoupled_weight_decay(tf.train.GradientDescentOptimizer)
    w = tf.Variable([2.0])
    assert after(1, decayed(0.25, learning_rate=0.1).minimize(w), w)[0] == pytest.approx(2.0 - 0.5 - 0.1)


@KINDS
def test_nadam_looks_ahead(use_resource: bool) -> None:
    w = weights(use_resource)
    op = tf.contrib.opt.NadamOptimizer(0.01).minimize(w * w / 2)
    m, v, t = np.zeros(START.shape), np.zeros(START.shape), 0

    def update(x, g):
        nonlocal m, v, t
        t += 1
        m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g * g
        rate = 0.01 * math.sqrt(1 - 0.999**t) / (1 - 0.9**t)
        return x - rate * (0.1 * g + 0.9 * m) / (np.sqrt(v) + 1e-8)

    np.testing.assert_allclose(after(3, op, w)[0], gradients_of_steps(update), rtol=1e-5)


@pytest.mark.parametrize("sparse", [False, True])
def test_sign_rules_scale_by_agreement(sparse: bool) -> None:
    w = weights()
    loss = tf.gather(w, [0, 1, 2, 3]) if sparse else w
    decay = lambda step: tf.constant(0.5)  # noqa: E731
    add = tf.contrib.opt.AddSignOptimizer(0.1, alpha=2.0, sign_decay_fn=decay).minimize(loss * loss / 2)
    np.testing.assert_allclose(after(1, add, w)[0], START - 0.1 * 2.5 * START, rtol=1e-6)
    power = tf.contrib.opt.PowerSignOptimizer(0.1, base=2.0, sign_decay_fn=decay).minimize(loss * loss / 2)
    np.testing.assert_allclose(after(1, power, w)[0], START - 0.1 * 2**0.5 * START, rtol=1e-6)


def test_lars_scales_the_rate_by_norms() -> None:
    w = tf.Variable([3.0, 4.0])
    op = tf.contrib.opt.LARSOptimizer(1.0, momentum=0.0, weight_decay=0.0, eeta=0.1).minimize(w * [0.0, 2.0])
    np.testing.assert_allclose(after(1, op, w)[0], [3.0, 4.0 - 0.1 * 5.0 / 2.0 * 2.0], rtol=1e-6)


def test_averaged_weights_are_what_the_swapping_saver_saves(tmp_path) -> None:
    w = tf.Variable([1.0], name="w")
    optimizer = tf.contrib.opt.MovingAverageOptimizer(tf.train.GradientDescentOptimizer(1.0), average_decay=0.5)
    with pytest.raises(RuntimeError, match="apply_gradients"):
        optimizer.swapping_saver()
    op = optimizer.minimize(w)
    saver = optimizer.swapping_saver()
    with tf.Session() as s:
        s.run(tf.global_variables_initializer())
        s.run(op)
        path = saver.save(s, str(tmp_path / "model"))
        assert s.run(w).tolist() == [0.0]
    reader = tf.train.NewCheckpointReader(path)
    assert reader.get_tensor("w").tolist() == [0.5]
    assert reader.get_tensor("w/ExponentialMovingAverage").tolist() == [0.0]


@KINDS
def test_synchronised_replicas_apply_the_mean_of_their_gradients(use_resource: bool) -> None:
    w = tf.Variable([1.0, 2.0], use_resource=use_resource)
    step = tf.train.get_or_create_global_step()
    x = tf.placeholder(tf.float32, [])
    optimizer = tf.train.SyncReplicasOptimizer(tf.train.MomentumOptimizer(0.1, 0.9), replicas_to_aggregate=3)
    with pytest.raises(ValueError, match="after apply_gradients"):
        optimizer.get_init_tokens_op()
    op = optimizer.minimize(tf.reduce_sum(w * x), global_step=step)
    seen = []
    with tf.Session() as s:
        s.run([tf.global_variables_initializer(), tf.local_variables_initializer()])
        s.run([optimizer.chief_init_op, optimizer.get_init_tokens_op()])
        for i in range(7):
            s.run(op, {x: float(i)})
            seen.append((round(float(s.run(w)[0]), 5), int(s.run(step))))
    assert seen == [(1.0, 0)] * 2 + [(0.9, 1)] * 3 + [(round(0.9 - 0.1 * (0.9 + 4), 5), 2)] * 2


# --- the base class ----------------------------------------------------------------------------------------------------------------
def test_an_optimizer_of_ones_own_needs_only_its_updates() -> None:
    class SignDescent(tf.train.Optimizer):
        def __init__(self, rate):
            super().__init__(False, "SignDescent")
            self._rate = rate

        def _create_slots(self, var_list):
            for v in var_list:
                self._zeros_slot(v, "count", self._name)

        def _prepare(self):
            self._rate_t = tf.convert_to_tensor(self._rate, name="rate")

        def _apply_dense(self, grad, var):
            return tf.group(
                var.assign_sub(self._rate_t * tf.sign(grad)), self.get_slot(var, "count").assign_add(tf.ones([4, 2]))
            )

        _resource_apply_dense = _apply_dense

    w = weights()
    optimizer = SignDescent(0.5)
    op = optimizer.minimize(w * w)
    value, count = after(1, op, w, optimizer.get_slot(w, "count"))
    np.testing.assert_allclose(value, START - 0.5 * np.sign(START))
    assert count.tolist() == np.ones([4, 2]).tolist()
    assert optimizer.get_slot_names() == ["count"]
    assert [v.name for v in optimizer.variables()] == ["w/SignDescent:0"]
    assert optimizer.get_slot(w, "nothing") is None


def test_gradients_can_be_changed_before_they_are_applied() -> None:
    w = weights()
    optimizer = tf.train.GradientDescentOptimizer(1.0)
    grads = optimizer.compute_gradients(w * w)
    op = optimizer.apply_gradients([(tf.clip_by_value(g, -0.1, 0.1), v) for g, v in grads])
    np.testing.assert_allclose(after(1, op, w)[0], START - np.clip(2 * START, -0.1, 0.1), rtol=1e-6)


@pytest.mark.parametrize(
    "gate", [tf.train.Optimizer.GATE_NONE, tf.train.Optimizer.GATE_OP, tf.train.Optimizer.GATE_GRAPH]
)
def test_gating_does_not_change_the_result(gate: int) -> None:
    w, b = weights(), tf.Variable([1.0, 1.0])
    op = tf.train.GradientDescentOptimizer(0.1).minimize((w + b) ** 2, gate_gradients=gate)
    np.testing.assert_allclose(after(1, op, w)[0], START - 0.2 * (START + 1), rtol=1e-5)


def test_the_loss_gradient_can_be_given() -> None:
    w = weights()
    op = tf.train.GradientDescentOptimizer(1.0).minimize(w, grad_loss=tf.fill([4, 2], 0.25))
    np.testing.assert_allclose(after(1, op, w)[0], START - 0.25, rtol=1e-6)


def test_learning_rates_may_be_functions_and_tensors() -> None:
    w = tf.Variable([1.0])
    rate = tf.placeholder_with_default(0.5, [])
    a = tf.train.GradientDescentOptimizer(lambda: rate).minimize(w)
    assert after(1, a, w)[0] == [0.5]


def test_the_train_op_is_collected() -> None:
    op = tf.train.AdamOptimizer().minimize(weights())
    assert tf.get_collection(tf.GraphKeys.TRAIN_OP) == [op]


def test_slots_of_partitions_are_slices_of_the_whole_slot() -> None:
    v = tf.get_variable("v", [5, 2], partitioner=tf.fixed_size_partitioner(2), initializer=tf.ones_initializer())
    optimizer = tf.train.MomentumOptimizer(0.1, 0.9)
    op = optimizer.minimize(tf.reduce_sum(tf.convert_to_tensor(v) ** 2))
    info = optimizer.get_slot(list(v)[1], "momentum")._save_slice_info
    assert (info.full_name, info.spec) == ("v/Momentum", "5 2 3,2:0,2")
    np.testing.assert_allclose(after(1, op, v.as_tensor())[0], 0.8, rtol=1e-6)


@KINDS
@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float64"])
def test_parameters_take_the_variables_type(dtype: str, use_resource: bool) -> None:
    v = tf.Variable(tf.cast([1.0, -2.0], dtype), use_resource=use_resource)
    op = tf.train.MomentumOptimizer(0.125, 0.5).minimize(v * v)
    (value,) = after(2, op, tf.cast(v, tf.float64))
    np.testing.assert_allclose(value, [0.4375, -0.875], atol=0.01)


def test_integers_cannot_be_trained() -> None:
    n = tf.Variable([1, 2], trainable=False)
    with pytest.raises(ValueError, match="Invalid type"):
        tf.train.GradientDescentOptimizer(0.1).minimize(n * n, var_list=[n])


# --- moving averages ---------------------------------------------------------------------------------------------------------------
def test_debiased_averages_inside_a_scope_stay_under_the_variable() -> None:
    from hornbeam.api.moving_averages import assign_moving_average

    v = tf.Variable(0.0, name="v", trainable=False)
    op = assign_moving_average(v, 4.0, 0.75)
    assert after(1, op, v) == [4.0]
    assert [x.op.name for x in tf.global_variables()] == ["v", "v/biased", "v/local_step"]


def test_weighted_averages_weigh() -> None:
    from hornbeam.api.moving_averages import weighted_moving_average

    x, weight = tf.constant([2.0]), tf.constant(3.0)
    average = weighted_moving_average(x, 0.5, weight)
    assert after(2, average, average)[0] == pytest.approx([2.0])


def test_averages_refuse_integers() -> None:
    with pytest.raises(TypeError, match="half, float, or double"):
        tf.train.ExponentialMovingAverage(0.9).apply([tf.Variable(1)])
