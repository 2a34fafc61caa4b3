"""Convolution: every lowering computes what XLA's own convolution does, layouts agree, and gradients of geometries TensorFlow's CPU lacks."""

from __future__ import annotations

from typing import Any

import jax
import numpy as np
import pytest

import hornbeam as tf
from hornbeam.ops import conv_lowering as lowering
from hornbeam.ops.conv import window_of
from tests.oracle.cases import F

from .gradcheck import check

RNG = np.random.default_rng(0)


def array(*shape: int) -> np.ndarray:
    return RNG.standard_normal(shape).astype(np.float32)


def run(fetches: Any, feeds: Any = None) -> Any:
    with tf.Session() as session:
        return session.run(fetches, feeds)


GEOMETRIES = [
    ((7, 6), (3, 3), 1, 1, b"SAME"), ((7, 6), (3, 3), 2, 1, b"SAME"), ((7, 8), (2, 5), 1, 1, b"VALID"), ((9, 8), (3, 2), 3, 1, b"VALID"),
    ((9, 9), (3, 3), 1, 2, b"SAME"), ((8, 9), (3, 3), 2, 2, b"VALID"), ((5, 5), (2, 2), 3, 1, b"SAME"), ((6,), (3,), 2, 1, b"SAME"),
    ((4, 5, 6), (2, 3, 2), 2, 1, b"SAME"),
]  # fmt: skip


@pytest.mark.parametrize("name", ["im2col", "shifted"])
@pytest.mark.parametrize("geometry", GEOMETRIES)
def test_lowerings_give_what_the_native_convolution_and_its_derivatives_give(geometry: Any, name: str) -> None:
    size, k, stride, dilation, padding = geometry
    n = len(size)
    window = window_of(size, k, [1, *[stride] * n, 1], [1, *[dilation] * n, 1], padding, (), False)
    x, w = array(4, *size, 3), array(*k, 3, 5)
    y, back = jax.vjp(lambda x, w: lowering.native_forward(x, w, window, 1), x, w)
    dy = array(*y.shape)
    dx, dw = back(dy)
    table = lowering.LOWERINGS
    np.testing.assert_allclose(table["forward"][name](x, w, window, 1), y, rtol=1e-4, atol=1e-4)
    for chosen in ("native", name):
        np.testing.assert_allclose(table["input"][chosen](w, dy, window, 1), dx, rtol=1e-4, atol=1e-4)
        np.testing.assert_allclose(table["filter"][chosen](x, dy, window, 1), dw, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("stride", [1, 2])
def test_one_by_one_convolution_is_a_matrix_product(stride: int) -> None:
    window = window_of((5, 6), (1, 1), [1, stride, stride, 1], (), b"SAME", (), False)
    assert lowering.choose("forward", 2, 3, 4, window, 1, np.float32) == (
        "matmul" if jax.default_backend() == "cpu" else "native"
    )
    x, w = array(2, 5, 6, 3), array(1, 1, 3, 4)
    y, back = jax.vjp(lambda x, w: lowering.native_forward(x, w, window, 1), x, w)
    dx, dw = back(y)
    table = lowering.LOWERINGS
    np.testing.assert_allclose(table["forward"]["matmul"](x, w, window, 1), y, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(table["input"]["matmul"](w, y, window, 1), dx, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(table["filter"]["matmul"](x, y, window, 1), dw, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("geometry", GEOMETRIES[:7])
@pytest.mark.parametrize("multiplier", [1, 2])
def test_depthwise_multiply_adds_give_what_a_grouped_convolution_gives(geometry: Any, multiplier: int) -> None:
    size, k, stride, dilation, padding = geometry
    window = window_of(size, k, [1, stride, stride, 1], [1, dilation, dilation, 1], padding, (), False)
    x, w = array(3, *size, 4), array(*k, 4, multiplier)
    y, back = jax.vjp(lambda x, w: lowering.native_forward(x, w.reshape(*k, 1, -1), window, 4), x, w)
    dx, dw = back(y)
    np.testing.assert_allclose(lowering.depthwise_forward(x, w, window), y, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(lowering.depthwise_input(w, y, window), dx, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(lowering.depthwise_filter(x, y, window), dw, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(lowering.native_filter(x, y, window, 4).reshape(dw.shape), dw, rtol=1e-4, atol=1e-4)


def test_im2col_in_tiles_is_im2col(monkeypatch: pytest.MonkeyPatch) -> None:
    window = window_of((6, 6), (3, 3), [1, 1, 1, 1], (), b"SAME", (), False)
    x, w, dy = array(6, 6, 6, 4), array(3, 3, 4, 5), array(6, 6, 6, 5)
    whole = [
        lowering.im2col_forward(x, w, window, 1), lowering.im2col_input(w, dy, window, 1), lowering.im2col_filter(x, dy, window, 1)
    ]  # fmt: skip
    monkeypatch.setattr(lowering, "PATCH_BYTES", 2 * 6 * 6 * 9 * 4 * 4)
    tiled = [
        lowering.im2col_forward(x, w, window, 1), lowering.im2col_input(w, dy, window, 1), lowering.im2col_filter(x, dy, window, 1)
    ]  # fmt: skip
    for a, b in zip(whole, tiled, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-5)


def test_dilated_convolutions_have_exact_gradients() -> None:
    check(
        "Conv2D",
        [F(1, 6, 5, 2, t="float64"), F(2, 3, 2, 2, t="float64")],
        strides=[1, 1, 1, 1],
        padding="SAME",
        dilations=[1, 2, 2, 1],
    )


def test_grouped_convolutions_have_exact_gradients() -> None:
    check("Conv2D", [F(1, 4, 5, 4, t="float64"), F(2, 3, 2, 6, t="float64")], strides=[1, 2, 1, 1], padding="VALID")


def test_explicitly_padded_depthwise_convolutions_have_exact_gradients() -> None:
    check(
        "DepthwiseConv2dNative", [F(1, 4, 5, 2, t="float64"), F(2, 3, 2, 2, t="float64")], strides=[1, 2, 2, 1],
        padding="EXPLICIT", explicit_paddings=[0, 0, 1, 0, 2, 1, 0, 0],
    )  # fmt: skip


def test_channels_first_is_channels_last_transposed() -> None:
    x, w = array(2, 6, 7, 3), array(3, 3, 3, 4)
    with tf.Graph().as_default():
        last = tf.nn.conv2d(x, w, [1, 2, 2, 1], "SAME")
        data = tf.constant(x.transpose(0, 3, 1, 2))
        first = tf.nn.conv2d(data, w, [1, 1, 2, 2], "SAME", data_format="NCHW")
        by_data = tf.gradients(tf.reduce_sum(first**2), data)[0]
        a, b, g = run([last, first, by_data])
    assert first.shape.as_list() == [2, 4, 3, 4]
    np.testing.assert_allclose(b.transpose(0, 2, 3, 1), a, rtol=1e-4, atol=1e-5)
    assert g.shape == (2, 3, 6, 7)


def test_static_mismatches_are_named_while_building() -> None:
    with tf.Graph().as_default():
        x = tf.placeholder(tf.float32, [None, 2, 2, 3])
        with pytest.raises(ValueError, match="Negative dimension size caused by subtracting 3 from 2 for 'Conv2D'"):
            tf.nn.conv2d(x, array(3, 3, 3, 4), [1, 1, 1, 1], "VALID")
        with pytest.raises(ValueError, match="Depth of input .3. is not a multiple of input depth of filter .2."):
            tf.nn.conv2d(x, array(1, 1, 2, 4), [1, 1, 1, 1], "VALID")


def test_wrong_output_gradient_shape_is_an_invalid_argument_error() -> None:
    with tf.Graph().as_default():
        dy = tf.placeholder(tf.float32, [None] * 4)
        y = tf.nn.conv2d_backprop_input([2, 6, 6, 3], array(3, 3, 3, 4), dy, [1, 1, 1, 1], "SAME")
        with pytest.raises(tf.errors.InvalidArgumentError, match="out_backprop"):
            run(y, {dy: array(2, 5, 6, 4)})
