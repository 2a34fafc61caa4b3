"""Measures every lowering of convolution, and pooling, by shape, next to what `ops/conv_lowering.choose` picks.

    python benchmarks/conv_lowering.py                       the standard shapes
    python benchmarks/conv_lowering.py 128,14,32,64,5,1      batch, image, channels, features, window, stride (SAME)
    HORNBEAM_ORACLE=/path/to/python python benchmarks/…      adds TensorFlow's time per op, measured in that interpreter

Milliseconds, the best of `--repeat` runs, float32, arguments already on the device. Run it on an idle machine.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

SHAPES = {
    "LeNet": [(128, 28, 1, 32, 5, 1), (128, 14, 32, 64, 5, 1), (32, 14, 32, 64, 5, 1)],
    "3x3 nets": [(32, 32, 3, 64, 3, 1), (32, 32, 64, 64, 3, 1), (32, 16, 128, 128, 3, 1), (4, 56, 64, 128, 3, 1), (2, 112, 64, 64, 3, 1)],
    "ResNet-50 at 64x64": [
        (8, 64, 3, 64, 7, 2), (8, 16, 64, 64, 3, 1), (8, 8, 128, 128, 3, 1), (8, 4, 256, 256, 3, 1), (8, 2, 512, 512, 3, 1),
        (8, 16, 128, 128, 3, 2), (8, 16, 64, 256, 1, 1), (8, 4, 1024, 256, 1, 1), (8, 16, 256, 512, 1, 2),
    ],
    "one image at 224": [(1, 224, 3, 64, 7, 2), (1, 56, 64, 64, 3, 1), (1, 28, 128, 128, 3, 1), (1, 14, 256, 256, 3, 1), (1, 7, 512, 512, 3, 1)],
    "other": [(8, 128, 3, 32, 3, 2), (8, 128, 64, 128, 3, 2), (32, 14, 64, 128, 5, 2), (32, 28, 64, 1, 5, 1)],
}  # fmt: skip
DEPTHWISE = [
    (8, 64, 32, 3, 1),
    (8, 64, 64, 3, 2),
    (8, 32, 128, 3, 1),
    (8, 8, 512, 3, 1),
    (1, 112, 96, 3, 2),
    (1, 14, 576, 3, 1),
]
POOLS = [(128, 28, 32, 2, 2), (128, 14, 64, 2, 2), (8, 32, 64, 3, 2), (32, 32, 64, 3, 2), (8, 16, 192, 3, 1)]

TENSORFLOW = """
import json, sys, time
import numpy as np, tensorflow.compat.v1 as tf
from tensorflow.python.ops import gen_nn_ops as gen
tf.disable_v2_behavior()
shapes, depthwise, pools, repeat = json.loads(sys.argv[1])
rng = np.random.default_rng(0)
var = lambda *s: tf.Variable(rng.standard_normal(s).astype("f"))
def times(build):
    tf.reset_default_graph()
    ops = build()
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        out = []
        for op in ops:
            best = 1e9
            for _ in range(repeat + 2):
                t = time.perf_counter(); session.run(op.op); best = min(best, time.perf_counter() - t)
            out.append(best * 1e3)
        return out
def conv(n, h, c, f, k, s):
    o = -(-h // s); a = dict(strides=[1, s, s, 1], padding="SAME"); x, w, dy = var(n, h, h, c), var(k, k, c, f), var(n, o, o, f)
    return [tf.nn.conv2d(x, w, **a), tf.nn.conv2d_backprop_input([n, h, h, c], w, dy, **a), tf.nn.conv2d_backprop_filter(x, [k, k, c, f], dy, **a)]
def depth(n, h, c, k, s):
    o = -(-h // s); a = dict(strides=[1, s, s, 1], padding="SAME"); x, w, dy = var(n, h, h, c), var(k, k, c, 1), var(n, o, o, c)
    return [tf.nn.depthwise_conv2d_native(x, w, **a), gen.depthwise_conv2d_native_backprop_input([n, h, h, c], w, dy, **a),
            gen.depthwise_conv2d_native_backprop_filter(x, [k, k, c, 1], dy, **a)]
def pool(n, h, c, k, s):
    a = dict(ksize=[1, k, k, 1], strides=[1, s, s, 1], padding="SAME"); x = var(n, h, h, c); o = -(-h // s); y = var(n, o, o, c)
    return [gen.max_pool(x, **a), gen.max_pool_grad(x, y, y, **a), gen.avg_pool(x, **a), gen.avg_pool_grad([n, h, h, c], y, **a)]
print(json.dumps([[times(lambda: f(*s)) for s in group] for f, group in ((conv, shapes), (depth, depthwise), (pool, pools))]))
"""


def tensorflow_times(
    shapes: list[Any], depthwise: list[Any], pools: list[Any], repeat: int
) -> list[list[list[float]]] | None:
    python = os.environ.get("HORNBEAM_ORACLE")
    if not python:
        return None
    arguments = json.dumps([shapes, depthwise, pools, repeat])
    out = subprocess.run([python, "-c", TENSORFLOW, arguments], capture_output=True, text=True, check=True)
    return json.loads(out.stdout.splitlines()[-1])  # type: ignore[no-any-return]


def window(h: int, k: int, s: int) -> Any:
    from hornbeam.ops.conv_lowering import Window

    o = -(-h // s)
    total = max((o - 1) * s + k - h, 0)
    p = (total // 2, total - total // 2)
    return Window((h, h), (k, k), (o, o), (s, s), (1, 1), (p, p))


def measure(function: Callable[..., Any], *args: Any, repeat: int) -> float:
    import jax

    compiled = jax.jit(function)
    args = tuple(jax.device_put(a) for a in args)
    jax.block_until_ready(compiled(*args))
    best = float("inf")
    for _ in range(repeat):
        start = time.perf_counter()
        jax.block_until_ready(compiled(*args))
        best = min(best, time.perf_counter() - start)
    return best * 1e3


def convolutions(shapes: list[Any], theirs: Any, repeat: int) -> None:
    from hornbeam.ops import conv_lowering as lowering

    rng = np.random.default_rng(0)
    for i, (n, h, c, f, k, s) in enumerate(shapes):
        w = window(h, k, s)
        x, filters = rng.standard_normal((n, h, h, c)).astype("f"), rng.standard_normal((k, k, c, f)).astype("f")
        dy = rng.standard_normal((n, *w.output, f)).astype("f")
        print(f"{n:4}x{h:<3} {c:4}->{f:<4} {k}x{k}/{s}")
        for j, (direction, args) in enumerate(
            (("forward", (x, filters)), ("input", (filters, dy)), ("filter", (x, dy)))
        ):
            picked = lowering.choose(direction, n, c, f, w, 1, np.float32)
            parts = []
            for name, function in lowering.LOWERINGS[direction].items():
                if name == "matmul" and not w.is_matmul:
                    continue
                t = measure(lambda a, b, function=function, w=w: function(a, b, w, 1), *args, repeat=repeat)
                parts.append(f"{'*' if name == picked else ' '}{name} {t:7.2f}")
            peer = f"   TensorFlow {theirs[i][j]:7.2f}" if theirs else ""
            print(f"    {direction:8}" + "  ".join(parts) + peer, flush=True)


def depthwise(shapes: list[Any], theirs: Any, repeat: int) -> None:
    from hornbeam.ops import conv_lowering as lowering

    rng = np.random.default_rng(0)
    for i, (n, h, c, k, s) in enumerate(shapes):
        w = window(h, k, s)
        x, filters = rng.standard_normal((n, h, h, c)).astype("f"), rng.standard_normal((k, k, c, 1)).astype("f")
        dy = rng.standard_normal((n, *w.output, c)).astype("f")
        pairs = {
            "forward": (
                lambda a, b, w=w: lowering.depthwise_forward(a, b, w),
                lambda a, b, w=w, c=c: lowering.native_forward(a, b.reshape(b.shape[0], b.shape[1], 1, c), w, c),
                (x, filters),
            ),
            "input": (
                lambda a, b, w=w: lowering.depthwise_input(a, b, w),
                lambda a, b, w=w, c=c: lowering.native_input(a.reshape(a.shape[0], a.shape[1], 1, c), b, w, c),
                (filters, dy),
            ),
            "filter": (
                lambda a, b, w=w: lowering.depthwise_filter(a, b, w),
                lambda a, b, w=w, c=c: lowering.native_filter(a, b, w, c),
                (x, dy),
            ),
        }
        print(f"{n:4}x{h:<3} {c:4} depthwise {k}x{k}/{s}")
        for j, (direction, (adds, native, args)) in enumerate(pairs.items()):
            times = f"*multiply-adds {measure(adds, *args, repeat=repeat):7.2f}   native {measure(native, *args, repeat=repeat):7.2f}"
            print(f"    {direction:8}{times}" + (f"   TensorFlow {theirs[i][j]:7.2f}" if theirs else ""), flush=True)


def pools(shapes: list[Any], theirs: Any, repeat: int) -> None:
    import jax
    from jax import lax

    from hornbeam.ops import pool

    rng = np.random.default_rng(0)
    for i, (n, h, c, k, s) in enumerate(shapes):
        w = window(h, k, s)
        x, dy = rng.standard_normal((n, h, h, c)).astype("f"), rng.standard_normal((n, *w.output, c)).astype("f")

        def native(x: Any, w: Any = w) -> Any:
            return lax.reduce_window(
                x, -np.inf, lax.max, (1, *w.size, 1), (1, *w.strides, 1), [(0, 0), *w.pads, (0, 0)]
            )

        rows = {
            "max": (lambda x, dy, w=w: pool._maximum(x, w), lambda x, dy: native(x)),
            "max gradient": (lambda x, dy, w=w: pool._route(x, dy, w), lambda x, dy: jax.vjp(native, x)[1](dy)[0]),
            "average": (lambda x, dy, w=w: pool._average(x, w), None),
            "average gradient": (lambda x, dy, w=w: pool._spread(dy, w), None),
        }
        print(f"{n:4}x{h:<3} {c:4} pool {k}x{k}/{s}")
        for j, (name, (ours, stock)) in enumerate(rows.items()):
            text = f"*ours {measure(ours, x, dy, repeat=repeat):7.2f}"
            if stock is not None:
                text += f"   native {measure(stock, x, dy, repeat=repeat):7.2f}"
            print(f"    {name:17}{text}" + (f"   TensorFlow {theirs[i][j]:7.2f}" if theirs else ""), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("shapes", nargs="*", help="batch,image,channels,features,window,stride")
    parser.add_argument("--repeat", type=int, default=7)
    options = parser.parse_args()
    if options.shapes:
        groups = {"given": [tuple(int(v) for v in text.split(",")) for text in options.shapes]}
        more_depthwise, more_pools = [], []
    else:
        groups, more_depthwise, more_pools = SHAPES, DEPTHWISE, POOLS
    flat = [s for group in groups.values() for s in group]
    theirs = tensorflow_times(flat, more_depthwise, more_pools, options.repeat)
    import jax

    print(f"jax {jax.__version__}, {jax.default_backend()}, {os.cpu_count()} cores; * is what Hornbeam uses")
    at = 0
    for title, group in groups.items():
        print(f"\n{title}")
        convolutions(group, theirs[0][at : at + len(group)] if theirs else None, options.repeat)
        at += len(group)
    if more_depthwise:
        print("\nDepthwise")
        depthwise(more_depthwise, theirs[1] if theirs else None, options.repeat)
        print("\nPooling")
        pools(more_pools, theirs[2] if theirs else None, options.repeat)


if __name__ == "__main__":
    sys.exit(main())
