"""Programs about variables and training that run unchanged here and in TensorFlow: each function takes the `tf` module.

`main` is what the oracle's process calls (this file's text is sent to it), so nothing here may import Hornbeam.
"""

from __future__ import annotations

import numpy as np

PROGRAMS = {}  # kind -> name -> function


def program(kind):
    def register(f):
        PROGRAMS.setdefault(kind, {})[f.__name__] = f
        return f

    return register


def nodes(tf):
    """Node name -> [op, inputs in order, control inputs sorted, colocation] of the default graph."""
    out = {}
    for n in tf.get_default_graph().as_graph_def().node:
        if n.name.startswith("gradients/") or "/boolean_mask/" in n.name:
            continue  # made by others; TensorFlow 1 and 2 differ in gradients' first nodes
        data = ["gradients" if i.startswith("gradients/") else i for i in n.input if not i.startswith("^")]
        control = sorted(i for i in n.input if i.startswith("^"))
        places = sorted(p.decode() for p in n.attr["_class"].list.s) if "_class" in n.attr else []
        out[n.name] = [n.op, data, control, places]
    return out


def error(f):
    """The class and first line of what `f` raises."""
    try:
        f()
    except Exception as e:
        return [type(e).__name__, (str(e).splitlines() or [""])[0]]
    return None


# --- node names: graphs that must be equal node by node ----------------------------------------------------------------------
@program("graph")
def ref_variables(tf):
    v = tf.Variable([1.0, 2.0], name="v")
    lazy = tf.Variable(lambda: tf.zeros([2]), name="lazy", dtype=tf.float32)
    v + 1.0
    3.0 * v
    v.assign([1.0, 1.0])
    v.assign_add([1.0, 1.0])
    lazy.assign_sub([1.0, 1.0], use_locking=True, name="less")
    v.read_value()
    v[0]
    tf.gather(v, [0])
    v.scatter_sub(tf.IndexedSlices(tf.constant([1.0]), tf.constant([0])))
    v[0:1].assign([3.0])
    tf.Variable(3, name="counter").count_up_to(5)
    tf.Variable(1)
    tf.Variable(1)


@program("graph")
def resource_variables(tf):
    v = tf.Variable([1.0, 2.0], name="v", use_resource=True)
    tf.Variable(lambda: tf.zeros([2]), name="lazy", dtype=tf.float32, use_resource=True)
    v + 1.0
    v * v
    v.assign([1.0, 1.0])
    v.assign_add([1.0, 1.0], read_value=False)
    v.read_value()
    v[0]
    v.sparse_read([0])
    v.gather_nd([[0]])
    with tf.control_dependencies([v.assign_sub([1.0, 1.0])]):
        tf.constant(1.0)
    tf.is_variable_initialized(v)


@program("graph")
def scopes_and_initializers(tf):
    with tf.variable_scope("a"):
        tf.get_variable("v", [2, 3])
        tf.get_variable("zeros", [2, 3], initializer=tf.zeros_initializer())
        tf.get_variable("ints", [2], dtype=tf.int32)
        tf.get_variable("from_tensor", initializer=tf.constant([1.0, 2.0]))
        tf.get_variable("from_array", initializer=np.float32([1.0, 2.0]))
        tf.get_variable("from_function", initializer=lambda: tf.ones([2]))
        tf.get_variable("by_class", [3], initializer=tf.ones_initializer)
    with tf.variable_scope("a", reuse=True) as a:
        tf.get_variable("v", [2, 3])
        tf.constant(1.0)
    with tf.variable_scope(a, auxiliary_name_scope=False):
        tf.constant(2.0)
    with tf.variable_scope(a) as again, tf.name_scope(again.original_name_scope):
        tf.constant(3.0)
    with tf.variable_scope("r", use_resource=True):
        tf.get_variable("v", [2, 3], initializer=tf.ones_initializer())
        with tf.variable_scope("inner"):
            tf.get_variable("v", [2], initializer=tf.zeros_initializer())
    for _ in range(2):
        with tf.variable_scope(None, "default"):
            tf.get_variable("v", [2], initializer=tf.zeros_initializer())
            tf.constant(0.0)


@program("graph")
def partitions(tf):
    with tf.variable_scope("p", partitioner=tf.fixed_size_partitioner(2)):
        v = tf.get_variable("v", [5, 3], initializer=tf.zeros_initializer())
        tf.get_variable("w", [5, 3])
        tf.get_variable("scalar", [], initializer=tf.zeros_initializer())
        tf.get_variable("from_tensor", [4], initializer=tf.constant([1.0, 2.0, 3.0, 4.0]))
    tf.identity(v, name="whole")


@program("graph")
def initialization(tf):
    tf.train.get_or_create_global_step()
    v = tf.Variable(1.0)
    tf.get_local_variable("local", [2], initializer=tf.zeros_initializer())
    tf.global_variables_initializer()
    tf.report_uninitialized_variables()
    tf.assert_variables_initialized()
    tf.is_variable_initialized(v)
    tf.assign(v, 2.0)
    tf.assign_add(v, 1.0)
    tf.variables_initializer([])
    tf.local_variables_initializer()


@program("graph")
def averages_of_tensors(tf):
    w = tf.Variable([1.0, 2.0], name="w")
    x = w * 2.0
    tf.train.ExponentialMovingAverage(0.9).apply([x])
    tf.train.ExponentialMovingAverage(0.9, zero_debias=True, name="debiased").apply([x])


def optimizers(tf):
    """Name -> a function of the global step that makes the optimizer."""
    t = tf.train
    return {
        "GradientDescent": lambda step: t.GradientDescentOptimizer(0.1),
        "Momentum": lambda step: t.MomentumOptimizer(0.1, 0.9),
        "Nesterov": lambda step: t.MomentumOptimizer(0.1, 0.9, use_nesterov=True),
        "Adam": lambda step: t.AdamOptimizer(0.1),
        "Adagrad": lambda step: t.AdagradOptimizer(0.1),
        "AdagradDA": lambda step: t.AdagradDAOptimizer(
            0.1, step, l1_regularization_strength=0.1, l2_regularization_strength=0.2
        ),
        "Adadelta": lambda step: t.AdadeltaOptimizer(1.0),
        "RMSProp": lambda step: t.RMSPropOptimizer(0.1, momentum=0.5),
        "CenteredRMSProp": lambda step: t.RMSPropOptimizer(0.1, momentum=0.5, centered=True),
        "Ftrl": lambda step: t.FtrlOptimizer(0.1, l1_regularization_strength=0.05, l2_regularization_strength=0.1),
        "FtrlPower": lambda step: t.FtrlOptimizer(0.1, learning_rate_power=-0.4),
        "FtrlShrinkage": lambda step: t.FtrlOptimizer(0.1, l2_shrinkage_regularization_strength=0.1),
        "ProximalGradientDescent": lambda step: t.ProximalGradientDescentOptimizer(
            0.1, l1_regularization_strength=0.3, l2_regularization_strength=0.1
        ),
        "ProximalAdagrad": lambda step: t.ProximalAdagradOptimizer(
            0.1, l1_regularization_strength=0.3, l2_regularization_strength=0.1
        ),
    }


OPTIMIZERS = (
    "GradientDescent Momentum Nesterov Adam Adagrad AdagradDA Adadelta RMSProp CenteredRMSProp Ftrl FtrlPower FtrlShrinkage "
    "ProximalGradientDescent ProximalAdagrad"
).split()
START = np.random.default_rng(7).normal(size=(5, 3))


def step_of(tf, name, sparse=False, resource=False, dtype="float32"):
    """(optimizer, train op) that minimizes the sum of squares of a 5x3 variable, or of rows 1, 1, 3 of it."""
    start = START.astype(dtype if dtype != "bfloat16" else "float32")
    with tf.variable_scope("s", use_resource=resource):
        w = tf.get_variable("w", initializer=tf.constant(start, dtype=dtype))
        b = tf.get_variable("b", initializer=tf.constant(start[0], dtype=dtype))
    step = tf.train.get_or_create_global_step()
    rows = tf.gather(w, [1, 1, 3]) if sparse else w
    optimizer = optimizers(tf)[name](step)
    return optimizer, optimizer.minimize(rows * rows * 0.5 + b * b, global_step=step)


def _graph_of(name, sparse, resource):
    def build(tf):
        step_of(tf, name, sparse, resource)

    build.__name__ = f"{'resource_' if resource else ''}{'sparse_' if sparse else ''}{name}"
    return program("graph")(build)


for _name in OPTIMIZERS:
    if "Ftrl" not in _name:  # TensorFlow 2.15's has nodes for a `beta` that TensorFlow 1 did not have
        for _sparse in (False, True):
            for _resource in (False, True):
                _graph_of(_name, _sparse, _resource)


# --- values ------------------------------------------------------------------------------------------------------------------
def train(tf, name, sparse, resource, dtype, steps=5):
    """The value of every variable after some steps, by name, and the optimizer's slot names."""
    optimizer, op = step_of(tf, name, sparse, resource, dtype)
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        for _ in range(steps):
            sess.run(op)
        values = {v.name: np.asarray(sess.run(v)).astype("float64") for v in tf.global_variables()}
    return {"values": values, "slots": optimizer.get_slot_names(), "variables": [v.name for v in optimizer.variables()]}


@program("value")
def moving_average_values(tf):
    v = tf.Variable([1.0, 2.0], name="v")
    step = tf.Variable(0, name="step")
    x = v * 3.0
    out = {}
    ema = tf.train.ExponentialMovingAverage(0.9, num_updates=step)
    debiased = tf.train.ExponentialMovingAverage(0.8, zero_debias=True, name="debiased")
    ops = [ema.apply([v, x]), debiased.apply([v, x])]
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        for i in range(4):
            sess.run(ops)
            sess.run([v.assign_add([1.0, -2.0]), step.assign_add(1)])
            out[str(i)] = [np.asarray(a) for a in sess.run([e.average(t) for e in (ema, debiased) for t in (v, x)])]
    out["names"] = [e.average_name(t) for e in (ema, debiased) for t in (v, x)]
    out["restore"] = sorted((k, w.name) for k, w in ema.variables_to_restore().items())
    return out


@program("value")
def learning_rates(tf):
    step = tf.Variable(0, name="step", dtype=tf.int64, trainable=False)
    t = tf.train
    rates = {
        "exponential": t.exponential_decay(0.1, step, 10, 0.9),
        "staircase": t.exponential_decay(0.1, step, 10, 0.9, staircase=True),
        "piecewise": t.piecewise_constant(step, [3, 20], [0.1, 0.2, 0.3]),
        "polynomial": t.polynomial_decay(0.1, step, 10, power=2.0),
        "cycle": t.polynomial_decay(0.1, step, 10, cycle=True),
        "natural": t.natural_exp_decay(0.1, step, 10, 0.9, True),
        "inverse": t.inverse_time_decay(0.1, step, 10, 0.9),
        "cosine": t.cosine_decay(0.1, step, 10, alpha=0.1),
        "restarts": t.cosine_decay_restarts(0.1, step, 10, m_mul=0.8, alpha=0.01),
        "equal_restarts": t.cosine_decay_restarts(0.1, step, 10, t_mul=1.0),
        "linear_cosine": t.linear_cosine_decay(0.1, step, 10),
        "double": t.exponential_decay(tf.constant(0.1, tf.float64), step, 7, 0.9),
    }
    out = {}
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        for i in (0, 1, 3, 4, 10, 19, 20, 21, 35, 70):
            step.load(i, sess)
            out[str(i)] = {k: np.asarray(v) for k, v in sess.run(rates).items()}
    return out


@program("value")
def variable_operations(tf):
    out = {}
    for kind in (False, True):
        v = tf.Variable([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]], name=f"v{kind}", use_resource=kind)
        n = tf.Variable(0, name=f"n{kind}", use_resource=kind)
        rows = tf.IndexedSlices(tf.constant([[2.0, 2.0], [4.0, 0.5]]), tf.constant([0, 2]))
        with tf.Session() as sess:
            sess.run(tf.global_variables_initializer())
            results = [sess.run(v.assign(v * 2.0)), sess.run(v.assign_add(v)), sess.run(v.assign_sub(v / 2.0))]
            for how in ("add", "sub", "mul", "div", "max", "min", "update"):
                results.append(sess.run(getattr(v, f"scatter_{how}")(rows)))
            results.append(sess.run(tf.scatter_add(v, [1, 1], [[1.0, 1.0], [2.0, 2.0]])))
            results.append(sess.run(tf.scatter_nd_update(v, [[0, 1], [2, 0]], [9.0, 8.0])))
            results.append(sess.run(v[1:, 0].assign([7.0, 7.5])))
            results.append(sess.run([v[0], tf.gather_nd(v, [[1, 0]]), tf.gather(v, [2, 0]), v.value()]))
            results.append([int(sess.run(n.count_up_to(2))) for _ in range(2)])
            results.append(error(lambda n=n, sess=sess: sess.run(n.count_up_to(2)))[0])
            v.load(np.zeros([3, 2], "float32"), sess)
            results.append(v.eval(sess))
        out[str(kind)] = results
    return out


@program("value")
def initial_values_that_depend_on_variables(tf):
    a = tf.Variable([1.0, 2.0], name="a")
    b = tf.Variable(a * 3.0, name="b")
    c = tf.Variable(a.initialized_value() + 1.0, name="c")
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        return sess.run([a, b, c])


@program("value")
def uninitialized(tf):
    v, w = tf.Variable(1.0, name="v"), tf.Variable(2.0, name="w", use_resource=True)
    report = tf.report_uninitialized_variables()
    with tf.Session() as sess:
        out = [sorted(sess.run(report).tolist()), error(lambda: sess.run(v))[0], error(lambda: sess.run(w))[0]]
        out.append([bool(x) for x in sess.run([tf.is_variable_initialized(v), tf.is_variable_initialized(w)])])
        sess.run(v.initializer)
        out.append(sess.run(report).tolist())
        sess.run(w.initializer)
        out.append(sess.run(report).tolist())
    return out


@program("value")
def constraints_are_applied_after_the_update(tf):
    v = tf.get_variable("v", initializer=tf.constant([1.0, -3.0]), constraint=lambda x: tf.maximum(x, 0.0))
    op = tf.train.GradientDescentOptimizer(0.1).minimize(v * v)
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        sess.run(op)
        return sess.run(v)


@program("value")
def whoever_waits_for_a_write_sees_it(tf):
    """The snapshot of a reference variable shares the variable's memory in TensorFlow."""
    out = []

    def after(op, then):
        with tf.control_dependencies([op]):
            return then()

    for build in (
        lambda w: after(tf.train.GradientDescentOptimizer(1.0).minimize(w * w / 4), lambda: w + 0.0),
        lambda w: after(w.assign([9.0, 9.0]), lambda: w * 2.0),
        lambda w: after(w.assign_add([1.0, 1.0]), lambda: tf.identity(w)),
        lambda w: after(w.assign_add(w * 1.0), lambda: after(w.assign_add(w * 1.0), lambda: w + 0.0)),
        lambda w: (lambda before: [before, after(w.assign_add(before * 0 + 1), lambda: w + 0.0)])(w * 1.0),
        lambda w: after(w.assign([5.0, 5.0]), lambda: tf.cond(w[0] > 4.0, lambda: w + 1.0, lambda: w - 1.0)),
        lambda w: after(w.assign([5.0, 5.0]), lambda: tf.as_string(w)),
    ):
        with tf.Graph().as_default():
            y = build(tf.Variable([1.0, 2.0], name="w"))
            with tf.Session() as sess:
                sess.run(tf.global_variables_initializer())
                out.append([sess.run(y) for _ in range(3)])
    with tf.Graph().as_default():
        w = tf.Variable([1.0], name="w")
        ema = tf.train.ExponentialMovingAverage(0.5)
        op = after(tf.train.GradientDescentOptimizer(1.0).minimize(w), lambda: ema.apply([w]))
        with tf.Session() as sess:
            sess.run(tf.global_variables_initializer())
            for _ in range(2):
                sess.run(op)
            out.append(sess.run([w, ema.average(w)]))
    return out


@program("value")
def raw_training_ops(tf):
    """Rules that no optimizer of TensorFlow 1 uses as they are."""
    f = np.float32
    out = {}
    rng = np.random.default_rng(3)
    values = [rng.uniform(0.1, 1.0, (4, 2)).astype(f) for _ in range(5)]
    grad, rows = values[-1], values[-1][:2]
    raw = tf.raw_ops

    def run(name, n, **inputs):
        variables = [tf.Variable(values[i], name=f"{name}_{i}", use_resource=True) for i in range(n)]
        state = dict(zip(SLOTS[name.removeprefix("Sparse")][: n + 1], variables))
        op = getattr(raw, "Resource" + name)(**{k: v.handle for k, v in state.items()}, **inputs)
        with tf.Session() as sess:
            sess.run(tf.global_variables_initializer())
            for _ in range(2):
                sess.run(op)
            out[name + str(sorted(k for k in inputs if k.startswith(("use_", "multiply", "update"))))] = sess.run(
                variables
            )

    adam = {
        "beta1_power": f(0.5),
        "beta2_power": f(0.7),
        "lr": f(0.1),
        "beta1": f(0.9),
        "beta2": f(0.99),
        "epsilon": f(1e-3),
    }
    run("ApplyAdam", 3, **adam, grad=grad, use_nesterov=True)
    run("ApplyAdamWithAmsgrad", 4, **adam, grad=grad)
    run("ApplyAdaMax", 3, **{k: v for k, v in adam.items() if k != "beta2_power"}, grad=grad)
    run("ApplyKerasMomentum", 2, lr=f(0.1), grad=grad, momentum=f(0.9))
    run("ApplyKerasMomentum", 2, lr=f(0.1), grad=grad, momentum=f(0.9), use_nesterov=True)
    run("SparseApplyKerasMomentum", 2, lr=f(0.1), grad=rows, indices=[3, 1], momentum=f(0.9), use_nesterov=True)
    run("ApplyAdagradV2", 2, lr=f(0.1), epsilon=f(0.01), grad=grad)
    run("ApplyAdagradV2", 2, lr=f(0.1), epsilon=f(0.01), grad=grad, update_slots=False)
    run("SparseApplyAdagradV2", 2, lr=f(0.1), epsilon=f(0.01), grad=rows, indices=[3, 1])
    run("ApplyAddSign", 2, lr=f(0.1), alpha=f(1.0), sign_decay=f(0.9), beta=f(0.8), grad=grad - f(0.5))
    run("ApplyPowerSign", 2, lr=f(0.1), logbase=f(1.0), sign_decay=f(0.9), beta=f(0.8), grad=grad - f(0.5))
    ftrl = {"lr": f(0.1), "l1": f(0.01), "l2": f(0.02), "lr_power": f(-0.5)}
    run("ApplyFtrl", 3, grad=grad, **ftrl, multiply_linear_by_lr=True)
    run("ApplyFtrlV2", 3, grad=grad, **ftrl, l2_shrinkage=f(0.1), multiply_linear_by_lr=True)
    run("SparseApplyFtrl", 3, grad=rows, indices=[2, 0], **ftrl)
    run("SparseApplyFtrlV2", 3, grad=rows, indices=[2, 0], **ftrl, l2_shrinkage=f(0.1))
    return out


SLOTS = {
    "ApplyAdam": ("var", "m", "v"), "ApplyAdamWithAmsgrad": ("var", "m", "v", "vhat"), "ApplyAdaMax": ("var", "m", "v"),
    "ApplyKerasMomentum": ("var", "accum"), "ApplyAdagradV2": ("var", "accum"), "ApplyAddSign": ("var", "m"),
    "ApplyPowerSign": ("var", "m"), "ApplyFtrl": ("var", "accum", "linear"), "ApplyFtrlV2": ("var", "accum", "linear"),
}  # fmt: skip


# --- what scopes do: names, sharing, errors -------------------------------------------------------------------------------------
@program("value")
def sharing_and_its_errors(tf):
    out = []
    with tf.variable_scope("a"):
        v = tf.get_variable("v", [2], initializer=tf.zeros_initializer())
        out.append(error(lambda: tf.get_variable("v", [2])))
        out.append(error(lambda: tf.get_variable("c", [2], initializer=tf.constant([1.0, 2.0]))))
        out.append(error(lambda: tf.get_variable("c", initializer=tf.constant([1.0]), dtype=tf.int32))[0])
        out.append(error(lambda: tf.get_variable("c")))
        out.append(error(lambda: tf.get_variable("c", [None, 2])))
        out.append(error(lambda: tf.get_variable("c", [2], dtype=tf.complex64))[0])
    with tf.variable_scope("a", reuse=True):
        out.append(tf.get_variable("v") is v)
        out.append(error(lambda: tf.get_variable("w", [2])))
        out.append(error(lambda: tf.get_variable("v", [3])))
        out.append(error(lambda: tf.get_variable("v", [2], dtype=tf.int32)))
        with tf.variable_scope("inner") as inner:
            out.append([inner.name, inner.reuse, inner.original_name_scope])
    with tf.variable_scope("a", reuse=tf.AUTO_REUSE):
        out.append(tf.get_variable("v", [2]) is v)
        out.append(tf.get_variable("new", [2], initializer=tf.zeros_initializer()).name)
        out.append(tf.get_variable("new", [2]).name)
    with tf.variable_scope("a") as a:
        a.reuse_variables()
        out.append(tf.get_variable("v", [2]) is v)
    out.append(error(lambda: tf.variable_scope(None))[0])
    out.append(error(lambda: tf.variable_scope(None, "d", reuse=True).__enter__())[0])
    with tf.variable_scope("b"), tf.variable_scope(a):
        out.append([tf.get_variable_scope().name, tf.get_default_graph().get_name_scope()])
    with tf.variable_scope(""):
        out.append([tf.get_variable_scope().name, tf.get_default_graph().get_name_scope()])
    with tf.variable_scope("x"), tf.variable_scope("y"):
        with tf.variable_scope(tf.VariableScope(False, "top")):
            out.append([tf.get_variable_scope().name, tf.get_default_graph().get_name_scope()])
    with tf.variable_scope("p", partitioner=tf.fixed_size_partitioner(2)):
        tf.get_variable("v", [4], initializer=tf.zeros_initializer())
        out.append(error(lambda: tf.get_variable("v", [4])))
        out.append(error(lambda: tf.get_variable("u", [4], partitioner=lambda **_: [5, 1])))
    out.append(error(lambda: tf.get_variable("p/v", [4])))
    out.append(error(lambda: tf.get_variable("a/v", [2], partitioner=tf.fixed_size_partitioner(2))))
    return out


@program("value")
def scopes_hand_their_defaults_down(tf):
    out = []

    def getter(tag):
        def get(getter, name, *args, **kwargs):
            out.append([tag, name])
            return getter(name + "_" + tag, *args, **kwargs)

        return get

    with tf.variable_scope(
        "outer", initializer=tf.ones_initializer(), dtype=tf.float64, custom_getter=getter("o")
    ) as outer:
        v = tf.get_variable("v", [2])
        with tf.variable_scope(
            "inner", custom_getter=getter("i"), regularizer=lambda w: tf.identity(w[0], name="loss")
        ):
            w = tf.get_variable("w", [2])
    out.append([v.name, v.dtype.name, w.name, w.dtype.name])
    out.append([t.name for t in tf.get_collection(tf.GraphKeys.REGULARIZATION_LOSSES)])
    out.append([x.name for x in outer.global_variables()])
    out.append([x.name for x in outer.trainable_variables()])
    with tf.variable_scope(outer, reuse=True):
        out.append(tf.get_variable("v", [2]) is v)
    with tf.variable_scope("t"):
        u = tf.get_variable("u", [2], trainable=False, collections=["mine", tf.GraphKeys.GLOBAL_VARIABLES])
    out.append([x.name for x in tf.get_collection("mine")] + [x.name for x in tf.trainable_variables()] + [u.trainable])
    made = []

    def creator(next_creator, **kwargs):
        made.append(sorted(kwargs))
        kwargs["name"] = (kwargs["name"] or "anon") + "_made"
        return next_creator(**kwargs)

    with tf.variable_creator_scope(creator):
        x = tf.Variable(1.0, name="x")
    out.append([x.op.name, len(made), "initial_value" in made[0]])
    return out


@program("value")
def templates(tf):
    def layer(x, name):
        return x * tf.get_variable(name, [2], initializer=tf.ones_initializer())

    t = tf.make_template("t", layer, name="w")
    first, second = t(tf.constant([1.0, 2.0])), t(tf.constant([3.0, 4.0]))
    u = tf.make_template("t", layer, name="w")
    u(first)
    now = tf.make_template("now", layer, create_scope_now_=True, name="w")
    now(first)

    def careless(x):
        return x * tf.Variable(1.0)

    bad = tf.make_template("bad", careless)
    bad(first)
    return [
        [v.name for v in tf.global_variables()], t.variable_scope_name, [v.name for v in t.trainable_variables],
        first.op.name, second.op.name, error(lambda: bad(first))[0], u.variable_scope.name,
    ]  # fmt: skip


@program("value")
def partitioners(tf):
    shape = tf.TensorShape([1000, 3])
    return [
        list(p(shape=shape, dtype=tf.float32))
        for p in (
            tf.fixed_size_partitioner(3), tf.fixed_size_partitioner(2, axis=1), tf.variable_axis_size_partitioner(1000),
            tf.variable_axis_size_partitioner(1 << 20), tf.variable_axis_size_partitioner(100, max_shards=7),
            tf.min_max_variable_partitioner(10, min_slice_size=1000), tf.min_max_variable_partitioner(3, min_slice_size=1),
            tf.min_max_variable_partitioner(10), tf.variable_axis_size_partitioner(4), tf.variable_axis_size_partitioner(13, axis=1),
        )
    ]  # fmt: skip


@program("value")
def definitions(tf):
    """Variables as VariableDef, and back."""
    v = tf.Variable([1.0, 2.0], name="s/v", trainable=False)
    r = tf.Variable([1.0, 2.0], name="s/r", use_resource=True)
    with tf.variable_scope("p", partitioner=tf.fixed_size_partitioner(2)):
        p = list(tf.get_variable("p", [5, 3]))
    out = [str(x.to_proto()) for x in (v, r, *p)] + [str(v.to_proto("s")), v.to_proto("other")]
    out += [x._save_slice_info.spec for x in p]
    for x in (v, r, p[1]):
        again = tf.Variable.from_proto(x.to_proto())
        out.append([again.name, again.op.name, again.trainable, again.initializer.name, again.value().op.type])
        out.append([again.initial_value.name, again.device])
        if x is not r:  # TensorFlow 2.15 mistakes the handle's dtype and shape for the variable's
            out.append([repr(again), again.dtype.name, again.shape.as_list()])
    return out


@program("value")
def global_steps(tf):
    out = [tf.train.get_global_step() is None]
    step = tf.train.get_or_create_global_step()
    out += [tf.train.get_or_create_global_step() is step, step.name, step.dtype.name, step.trainable]
    out.append(error(tf.train.create_global_step))
    out.append([v.name for v in tf.get_collection(tf.GraphKeys.GLOBAL_STEP)])
    out.append(error(lambda: tf.train.assert_global_step(tf.Variable(1.0))))
    out.append(error(lambda: tf.train.assert_global_step(tf.Variable([1]))))
    out.append(error(lambda: tf.train.assert_global_step("x")))
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        out.append(tf.train.global_step(sess, step))
    return out


@program("value")
def optimizer_errors(tf):
    v = tf.Variable([1.0, 2.0], name="v")
    n = tf.Variable([1, 2], name="n")
    opt = tf.train.GradientDescentOptimizer(0.1)
    return [
        error(lambda: opt.minimize(tf.constant(1.0), var_list=[v]))[0],
        error(lambda: opt.apply_gradients([])),
        error(lambda: opt.apply_gradients([(None, v)]))[0],
        error(lambda: opt.minimize(v * v, var_list=[])),
        error(lambda: opt.minimize(n * n, var_list=[n]))[0],
        error(lambda: opt.compute_gradients(v * v, gate_gradients=7)),
        error(lambda: tf.train.AdagradOptimizer(0.1, initial_accumulator_value=0.0)),
        error(lambda: tf.train.FtrlOptimizer(0.1, learning_rate_power=0.5)),
        error(lambda: tf.train.MomentumOptimizer(0.1, 0.9, name="")),
        error(lambda: tf.train.Optimizer(False, "x").minimize(v * v, var_list=[v]))[0],
        error(lambda: tf.train.exponential_decay(0.1, None, 1, 1.0))[0],
    ]


def run(tf, kind, name, **args):
    """One program on a `tf` module, in a fresh graph, with TensorFlow 1's variables."""
    tf.disable_resource_variables()
    getattr(tf, "disable_control_flow_v2", int)()
    with tf.Graph().as_default():
        tf.set_random_seed(1)
        if kind == "train":
            return train(tf, name, **args)
        result = PROGRAMS[kind][name](tf)
        return nodes(tf) if kind == "graph" else result


def all_programs():
    """(kind, name, arguments) of every program, optimizers in all their forms included."""
    out = [(kind, name, {}) for kind, programs in PROGRAMS.items() for name in programs]
    for name in OPTIMIZERS:
        for sparse in (False, True):
            for resource in (False, True):
                out.append(("train", name, {"sparse": sparse, "resource": resource, "dtype": "float32"}))
        if "Proximal" not in name:  # TensorFlow's proximal optimizers do not take double variables
            out.append(("train", name, {"sparse": False, "resource": False, "dtype": "float64"}))
    return out


def label(kind, name, args):
    forms = (
        ["sparse" if args["sparse"] else "dense", "resource" if args["resource"] else "ref", args["dtype"]]
        if args
        else []
    )
    return "-".join([kind, name, *forms])


def compare(ours, theirs, where="", rtol=1e-6):
    """Asserts that two results are equal: arrays within `rtol` (1e-12 if double), messages and names exactly."""
    if isinstance(theirs, dict) and "array" not in theirs:
        assert sorted(ours) == sorted(theirs), where
        for k in theirs:
            compare(ours[k], theirs[k], f"{where}/{k}", rtol)
    elif isinstance(theirs, (list, tuple)):
        assert len(ours) == len(theirs), where
        for i, (a, b) in enumerate(zip(ours, theirs)):
            compare(a, b, f"{where}[{i}]", rtol)
    elif isinstance(theirs, dict) or isinstance(theirs, (np.ndarray, np.generic)):
        if isinstance(theirs, dict):
            theirs = np.array(theirs["array"]).reshape(theirs["shape"])
        a = np.asarray(ours)
        assert a.shape == theirs.shape, where
        if theirs.dtype.kind in "OSU":
            text = [v if isinstance(v, bytes) else v.encode() for v in theirs.reshape(-1).tolist()]
            assert [bytes(v) for v in a.reshape(-1)] == text, where
            return
        np.testing.assert_allclose(
            a.astype("float64"), theirs.astype("float64"), rtol=rtol, atol=rtol / 10, err_msg=where
        )
    elif isinstance(theirs, str) and theirs.startswith("variable_name:"):
        assert sorted(ours.split("\n")) == sorted(theirs.split("\n")), (
            where
        )  # a proto's text: the order of fields is free
    else:
        assert (ours.decode() if isinstance(ours, bytes) else ours) == (
            theirs.decode() if isinstance(theirs, bytes) else theirs
        ), where


def main(kind, name, args):
    try:
        return run(tf, kind, name, **args)  # noqa: F821  the oracle's process defines it
    finally:
        tf.enable_resource_variables()  # noqa: F821
        tf.enable_control_flow_v2()  # noqa: F821
