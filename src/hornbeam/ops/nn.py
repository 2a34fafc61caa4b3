"""Activations, softmax and its losses, bias, L2 loss, top-k and layout permutations: the pointwise and row-wise part of `tf.nn`."""

from __future__ import annotations

from typing import Any

import numpy as np

from hornbeam.core import dtypes
from hornbeam.core.constant import constant_value
from hornbeam.core.graph import InferenceContext, Tensor, control_dependencies
from hornbeam.core.lazy import lax
from hornbeam.core.registry import OpSpec, no_gradient, op, raw
from hornbeam.core.tensor_shape import Shape
from hornbeam.ops import shapes
from hornbeam.ops.array import bad
from hornbeam.ops.xp import known, namespace, static, xp

REAL = "{float, double, int32, uint8, int16, int8, int64, bfloat16, uint16, half, uint32, uint64}"
FLOATS = "{half, bfloat16, float, double}"
NUMBERS = (
    "{float, double, int32, uint8, int16, int8, complex64, int64, qint8, quint8, qint32, bfloat16, qint16, quint16, uint16, "
    "complex128, half, uint32, uint64}"
)


def constant(x: Any, value: float) -> Any:
    """`value` as a scalar of x's dtype, so that nothing is promoted."""
    return np.asarray(value).astype(x.dtype)[()]


# --- activations ---
def _unary(name: str, types: str, attrs: str = "", numpy: bool = False) -> Any:
    return op(f"{name}(features: T) -> (activations: T);{attrs} T: {types}", shape=shapes.unchanged, numpy=numpy)


def _unary_grad(name: str, second: str, types: str, attrs: str = "") -> Any:
    return op(f"{name}(gradients: T, {second}: T) -> (backprops: T);{attrs} T: {types}", shape=shapes.merged)


@_unary(
    "Relu",
    "{float, double, int32, uint8, int16, int8, int64, bfloat16, uint16, half, uint32, uint64, qint8}",
    numpy=True,
)
def Relu(features):
    return xp.maximum(features, constant(features, 0))


@_unary("Relu6", REAL, numpy=True)
def Relu6(features):
    return xp.minimum(xp.maximum(features, constant(features, 0)), constant(features, 6))


@_unary("Elu", FLOATS)
def Elu(features):
    return xp.where(features < 0, xp.expm1(xp.minimum(features, constant(features, 0))), features)


_SELU_SCALE, _SELU_SCALE_ALPHA = 1.0507009873554804934193349852946, 1.7580993408473768599402175208123


@_unary("Selu", FLOATS)
def Selu(features):
    low = constant(features, _SELU_SCALE_ALPHA) * xp.expm1(xp.minimum(features, constant(features, 0)))
    return xp.where(features < 0, low, constant(features, _SELU_SCALE) * features)


_ALPHA = " alpha: float = 0.20000000298023224;"


@_unary("LeakyRelu", FLOATS + " = float", _ALPHA)
def LeakyRelu(features, alpha):
    return xp.where(features > 0, features, features * constant(features, alpha))


@_unary("Softplus", FLOATS)
def Softplus(features):
    """log(1 + eˣ), and its limits where the sum would lose x or 1 to rounding."""
    threshold = float(np.log(np.float64(_epsilon(features.dtype)))) + 2.0
    low, high = constant(features, threshold), constant(features, -threshold)
    e = xp.exp(xp.minimum(features, high))
    return xp.where(features > high, features, xp.where(features < low, e, xp.log1p(e)))


def _epsilon(dtype: Any) -> float:
    return {"float16": 2.0**-10, "bfloat16": 2.0**-7, "float32": 2.0**-23}.get(np.dtype(dtype).name, 2.0**-52)


@_unary("Softsign", FLOATS)
def Softsign(features):
    return features / (constant(features, 1) + xp.abs(features))


@_unary_grad("ReluGrad", "features", REAL)
def ReluGrad(gradients, features):
    return xp.where(features > 0, gradients, constant(gradients, 0))


@_unary_grad("Relu6Grad", "features", REAL)
def Relu6Grad(gradients, features):
    return xp.where((features > 0) & (features < constant(features, 6)), gradients, constant(gradients, 0))


@_unary_grad("EluGrad", "outputs", FLOATS)
def EluGrad(gradients, outputs):
    return xp.where(outputs < 0, (outputs + constant(outputs, 1)) * gradients, gradients)


@_unary_grad("SeluGrad", "outputs", FLOATS)
def SeluGrad(gradients, outputs):
    low = gradients * (outputs + constant(outputs, _SELU_SCALE_ALPHA))
    return xp.where(outputs < 0, low, gradients * constant(outputs, _SELU_SCALE))


@_unary_grad("LeakyReluGrad", "features", FLOATS + " = float", _ALPHA)
def LeakyReluGrad(gradients, features, alpha):
    return xp.where(features > 0, gradients, gradients * constant(gradients, alpha))


@_unary_grad("SoftplusGrad", "features", FLOATS)
def SoftplusGrad(gradients, features):
    return gradients / (xp.exp(-features) + constant(features, 1))


@_unary_grad("SoftsignGrad", "features", FLOATS)
def SoftsignGrad(gradients, features):
    return gradients / xp.square(constant(features, 1) + xp.abs(features))


Relu.gradient(lambda op, grad: [ReluGrad(grad, op.outputs[0])])
Relu6.gradient(lambda op, grad: [Relu6Grad(grad, op.outputs[0])])
Elu.gradient(lambda op, grad: [EluGrad(grad, op.outputs[0])])
Selu.gradient(lambda op, grad: [SeluGrad(grad, op.outputs[0])])
LeakyRelu.gradient(lambda op, grad: [LeakyReluGrad(grad, op.inputs[0], alpha=op._attrs["alpha"])])
Softplus.gradient(lambda op, grad: [grad * raw.Sigmoid(op.inputs[0])])
Softsign.gradient(lambda op, grad: [SoftsignGrad(grad, op.inputs[0])])


def _linear_in_gradient(spec: OpSpec) -> None:
    """ReluGrad and its kin: linear in the gradient, piecewise constant in x."""

    @spec.gradient
    def _(op, grad):
        attrs = {"alpha": op._attrs["alpha"]} if "alpha" in op._attrs else {}
        return [spec(grad, op.inputs[1], **attrs), raw.ZerosLike(op.inputs[1])]


def _exponential_branch(spec: OpSpec) -> None:
    """EluGrad, SeluGrad: their derivative by the outputs is the gradient itself where the outputs are negative."""

    @spec.gradient
    def _(op, grad):
        dy, y = op.inputs
        return [spec(grad, y), raw.Select(raw.Less(y, 0.0), grad * dy, raw.ZerosLike(y))]


_linear_in_gradient(ReluGrad)
_linear_in_gradient(Relu6Grad)
_linear_in_gradient(LeakyReluGrad)
_exponential_branch(EluGrad)
_exponential_branch(SeluGrad)


@SoftplusGrad.gradient
def _(op, grad):
    dy, x = op.inputs
    with control_dependencies([grad]):
        return [SoftplusGrad(grad, x), grad * dy / (raw.Exp(raw.Neg(x)) + 2.0 + raw.Exp(x))]


# --- softmax ---
def _at_least_vector(c: InferenceContext) -> list[Shape]:
    return [shapes.at_least_rank(c, 0, 1)]


def _shifted(logits: Any) -> Any:
    if logits.shape[-1] == 0:
        return logits
    return logits - xp.max(logits, axis=-1, keepdims=True)


def _check_rows(x: Any, what: str) -> None:
    if x.ndim < 1:
        raise bad(f"{what} must have >= 1 dimension, got 0")


@op(f"Softmax(logits: T) -> (softmax: T); T: {FLOATS}", shape=_at_least_vector)
def Softmax(logits):
    _check_rows(logits, "logits")
    e = xp.exp(_shifted(logits))
    return e / xp.sum(e, axis=-1, keepdims=True, dtype=e.dtype)


@Softmax.gradient
def _(op, grad):
    softmax = op.outputs[0]
    return [(grad - raw.Sum(grad * softmax, [-1], keep_dims=True)) * softmax]


@op(f"LogSoftmax(logits: T) -> (logsoftmax: T); T: {FLOATS}", shape=_at_least_vector)
def LogSoftmax(logits):
    _check_rows(logits, "logits")
    shifted = _shifted(logits)
    return shifted - xp.log(xp.sum(xp.exp(shifted), axis=-1, keepdims=True, dtype=shifted.dtype))


@LogSoftmax.gradient
def _(op, grad):
    return [grad - raw.Sum(grad, [-1], keep_dims=True) * raw.Exp(op.outputs[0])]


def _rows_of_both(c: InferenceContext) -> list[Shape]:
    s = shapes.broadcast_shapes(c.shape(0), c.shape(1), c)
    if s is None:
        return [(None,), (None, None)]
    if len(s) != 2:
        raise c.fail(f"Shape must be rank 2 but is rank {len(s)}")
    return [s[:1], s]


@op(
    f"SoftmaxCrossEntropyWithLogits(features: T, labels: T) -> (loss: T, backprop: T); T: {FLOATS}", shape=_rows_of_both
)
def SoftmaxCrossEntropyWithLogits(features, labels):
    try:
        rows = np.broadcast_shapes(features.shape, labels.shape)
    except ValueError:
        rows = ()
    if len(rows) != 2:
        raise bad(
            f"logits and labels must be broadcastable: logits_size={list(features.shape)} labels_size={list(labels.shape)}"
        )
    features, labels = xp.broadcast_to(features, rows), xp.broadcast_to(labels, rows)
    shifted = _shifted(features)
    e = xp.exp(shifted)
    total = xp.sum(e, axis=-1, keepdims=True, dtype=e.dtype)
    terms = xp.where(labels == 0, constant(labels, 0), labels * (xp.log(total) - shifted))
    return xp.sum(terms, axis=-1, dtype=e.dtype), e / total - labels


def _label_rows(c: InferenceContext) -> list[Shape]:
    features, labels = shapes.with_rank(c, 0, 2), shapes.with_rank(c, 1, 1)
    assert features is not None and labels is not None
    n = shapes.merge_dim(c, features[0], labels[0])
    return [(n,), (n, features[1])]


@op(
    f"SparseSoftmaxCrossEntropyWithLogits(features: T, labels: Tlabels) -> (loss: T, backprop: T); T: {FLOATS}; "
    "Tlabels: {int32, int64} = int64",
    shape=_label_rows,
)
def SparseSoftmaxCrossEntropyWithLogits(features, labels, ctx):
    if features.ndim != 2 or labels.shape != features.shape[:1]:
        raise ctx.fail(
            f"logits and labels must have the same first dimension, got logits shape {list(features.shape)} and labels shape "
            f"{list(labels.shape)}"
        )
    n, classes = features.shape
    if known(labels) and n and not (0 <= labels.min() and labels.max() < classes):
        wrong = next(int(v) for v in labels if not 0 <= v < classes)
        raise ctx.fail(f"Received a label value of {wrong} which is outside the valid range of [0, {classes}).")
    if not n or not classes:
        return np.zeros(n, features.dtype), np.zeros((n, classes), features.dtype)
    shifted = _shifted(features)
    e = xp.exp(shifted)
    total = xp.sum(e, axis=-1, keepdims=True, dtype=e.dtype)
    label = labels[:, None]
    legal = (label >= 0) & (label < classes)
    at_label = xp.take_along_axis(shifted, xp.where(legal, label, constant(label, 0)), axis=-1)
    nan = constant(features, np.nan)
    one_hot = (np.arange(classes, dtype=labels.dtype) == label).astype(features.dtype)
    return xp.where(legal, xp.log(total) - at_label, nan)[:, 0], xp.where(legal, e / total - one_hot, nan)


def _is_zero(grad: Tensor | None) -> bool:
    if grad is None or grad.op.type in ("ZerosLike", "Zeros"):
        return True
    value = constant_value(grad)
    return value is not None and not np.any(value)


def _logits_gradient(op: Any, grad_loss: Any, grad_backprop: Any) -> Any:
    """By the logits: the op's second output, and the softmax's Jacobian for what comes back through that output."""
    grad = raw.ExpandDims(grad_loss, -1) * op.outputs[1]
    if not _is_zero(grad_backprop):
        softmax = Softmax(op.inputs[0])
        inner = raw.BatchMatMulV2(raw.ExpandDims(grad_backprop, 1), raw.ExpandDims(softmax, 2))
        grad = grad + (grad_backprop - raw.Squeeze(inner, squeeze_dims=[1])) * softmax
    return grad


@SoftmaxCrossEntropyWithLogits.gradient
def _(op, grad_loss, grad_backprop):
    by_labels = raw.ExpandDims(grad_loss, -1) * raw.Neg(LogSoftmax(op.inputs[0]))
    return [_logits_gradient(op, grad_loss, grad_backprop), by_labels]


@SparseSoftmaxCrossEntropyWithLogits.gradient
def _(op, grad_loss, grad_backprop):
    return [_logits_gradient(op, grad_loss, grad_backprop), None]


# --- bias ---
def _bias_shape(c: InferenceContext) -> list[Shape]:
    first = c.attr("data_format") == b"NCHW"
    value = shapes.at_least_rank(c, 0, 3 if first else 2)
    bias = shapes.with_rank(c, 1, 1)
    assert bias is not None
    if value is None:
        return [None]
    axis = 1 if first else len(value) - 1
    return [(*value[:axis], shapes.merge_dim(c, value[axis], bias[0]), *value[axis + 1 :])]


def _check_bias(value: Any, bias: Any, axis: int) -> None:
    if value.ndim < 2:
        raise bad(f"Input tensor must be at least 2D: {list(value.shape)}")
    if bias.ndim != 1:
        raise bad(f"Biases must be 1D: {list(bias.shape)}")
    if value.shape[axis] != bias.shape[0]:
        raise bad(
            f"Must provide as many biases as the channel dimension of the input tensor: {list(bias.shape)} vs. {value.shape[axis]} "
            f"in {list(value.shape)}"
        )


@op(
    f"BiasAdd(value: T, bias: T) -> (output: T); T: {NUMBERS}; data_format: {{'NHWC', 'NCHW'}} = 'NHWC'",
    shape=_bias_shape,
    numpy=True,
)
def BiasAdd(value, bias, data_format):
    axis = 1 if data_format == b"NCHW" else -1
    _check_bias(value, bias, axis)
    return value + (bias.reshape((-1,) + (1,) * (value.ndim - 2)) if axis == 1 else bias)


@op(f"BiasAddV1(value: T, bias: T) -> (output: T); T: {NUMBERS}", shape=_bias_shape, numpy=True)
def BiasAddV1(value, bias):
    _check_bias(value, bias, -1)
    return value + bias


def _channel_shape(c: InferenceContext) -> list[Shape]:
    first = c.attr("data_format") == b"NCHW"
    s = shapes.at_least_rank(c, 0, 3 if first else 2)
    return [(None,) if s is None else (s[1 if first else -1],)]


@op(
    f"BiasAddGrad(out_backprop: T) -> (output: T); T: {NUMBERS}; data_format: {{'NHWC', 'NCHW'}} = 'NHWC'",
    shape=_channel_shape,
    numpy=True,
)
def BiasAddGrad(out_backprop, data_format):
    if out_backprop.ndim < 2:
        raise bad(f"Input tensor must be at least 2D: {list(out_backprop.shape)}")
    keep = 1 if data_format == b"NCHW" else out_backprop.ndim - 1
    return xp.sum(out_backprop, axis=tuple(i for i in range(out_backprop.ndim) if i != keep), dtype=out_backprop.dtype)


@BiasAdd.gradient
def _(op, grad):
    return [grad, BiasAddGrad(grad, data_format=op._attrs["data_format"])]


@BiasAddV1.gradient
def _(op, grad):
    return [grad, raw.Sum(grad, raw.Range(0, raw.Sub(raw.Rank(grad), 1), 1))]


@BiasAddGrad.gradient
def _(op, grad):
    """The bias gradient repeated over everything but the channels."""
    shape, bias_shape = raw.Shape(op.inputs[0]), raw.Shape(grad)
    if op._attrs["data_format"] == b"NCHW":
        thin = [raw.OnesLike(shape[:1]), bias_shape, raw.OnesLike(shape[2:])]
        times = [shape[:1], [1], shape[2:]]
    else:
        thin = [raw.OnesLike(shape[:-1]), bias_shape]
        times = [shape[:-1], [1]]
    return [raw.Tile(raw.Reshape(grad, raw.ConcatV2(thin, 0)), raw.ConcatV2(times, 0))]


@op(f"L2Loss(t: T) -> (output: T); T: {FLOATS}", shape=shapes.scalar)
def L2Loss(t):
    return xp.sum(t * t, dtype=t.dtype) / constant(t, 2)


L2Loss.gradient(lambda op, grad: [op.inputs[0] * grad])


# --- order: top-k, in-top-k, n-th element ---
def _top_k_shape(c: InferenceContext) -> list[Shape]:
    s = shapes.at_least_rank(c, 0, 1)
    k: int | None
    if c.n_inputs == 1:
        k = c.attr("k")
    else:
        value = c.value(1)
        k = None if value is None else int(value)
        if k is not None and k < 0:
            raise c.fail(f"Dimension size, given by scalar input 1, must be non-negative but is {k}")
    if s is None:
        return [None, None]
    if k is not None and s[-1] is not None and s[-1] < k:
        raise c.fail(f"input must have last dimension >= k = {k} but is {s[-1]}")
    return [(*s[:-1], k)] * 2


def _top_k(x: Any, k: int, ctx: Any) -> tuple[Any, Any]:
    """The k largest of each row and where they were, descending, the first of equals first (whether or not `sorted` was asked)."""
    if x.ndim < 1:
        raise ctx.fail(f"input must be >= 1-D, got shape {list(x.shape)}")
    if k < 0:
        raise ctx.fail(f"Need k >= 0, got {k}")
    if x.shape[-1] < k:
        raise ctx.fail(f"input must have at least k columns. Had {x.shape[-1]}, needed {k}")
    if namespace(x) is np:
        ascending = np.argsort(x[..., ::-1], axis=-1, kind="stable")
        at = (x.shape[-1] - 1 - ascending[..., ::-1])[..., :k]
        return np.take_along_axis(x, at, -1), at.astype(np.int32)
    if k == 1:
        at = xp.argmax(x, axis=-1, keepdims=True)
        return xp.max(x, axis=-1, keepdims=True), at.astype(np.int32)
    values, at = lax.top_k(x, k)
    return values, at.astype(np.int32)


@op(f"TopK(input: T) -> (values: T, indices: int32); k: int >= 0; sorted: bool = true; T: {REAL}", shape=_top_k_shape)
def TopK(input, k, ctx):
    return _top_k(input, k, ctx)


@op(
    f"TopKV2(input: T, k: Tk) -> (values: T, indices: index_type); sorted: bool = true; T: {REAL}; "
    "Tk: {int16, int32, int64} = int32; index_type: {int16, int32, int64} = int32",
    shape=_top_k_shape,
)
def TopKV2(input, k, index_type, ctx):
    values, at = _top_k(input, int(static(k)), ctx)
    return values, at.astype(index_type.np)


def _top_k_gradient(op: Any, grad: Any, _: Any) -> list[Any]:
    """Each chosen element's gradient goes back to its place in the flattened input."""
    x, at = op.inputs[0], op.outputs[1]
    if at.dtype is not dtypes.int32:
        at = raw.Cast(at, DstT=dtypes.int32)
    shape, at_shape = raw.Shape(x), raw.Shape(at)
    k, columns = at_shape[-1], shape[-1]
    rows = raw.Reshape(at, raw.Pack([-1, k]))
    n = raw.Shape(rows)[0]
    starts = raw.ExpandDims(raw.Range(0, n * columns, columns), -1)
    flat = raw.Reshape(rows + starts, [-1, 1])
    scattered = raw.ScatterNd(flat, raw.Reshape(grad, [-1]), raw.Pack([raw.Prod(shape, [0])]))
    return [raw.Reshape(scattered, shape), *[None] * (len(op.inputs) - 1)]


TopK.gradient(_top_k_gradient)
TopKV2.gradient(_top_k_gradient)


def _in_top_k_shape(c: InferenceContext) -> list[Shape]:
    predictions, targets = shapes.with_rank(c, 0, 2), shapes.with_rank(c, 1, 1)
    assert predictions is not None and targets is not None
    return [(shapes.merge_dim(c, predictions[0], targets[0]),)]


def _in_top_k(predictions: Any, targets: Any, k: Any, ctx: Any) -> Any:
    """True where fewer than k classes beat the target; False for a target out of range or a row with a value that is not finite."""
    if predictions.ndim != 2 or targets.ndim != 1:
        raise ctx.fail("predictions must be 2-dimensional and targets must be 1-dimensional")
    n, classes = predictions.shape
    if targets.shape[0] != n:
        raise ctx.fail(f"First dimension of predictions {n} must match length of targets {targets.shape[0]}")
    if not n or not classes:
        return np.zeros(n, bool)
    legal = (targets >= 0) & (targets < classes)
    safe = xp.where(legal, targets, constant(targets, 0))
    mine = xp.take_along_axis(predictions, safe[:, None], axis=1)
    better = xp.sum(predictions > mine, axis=1)
    return legal & xp.all(xp.isfinite(predictions), axis=1) & (better < k)


@op(
    "InTopK(predictions: float, targets: T) -> (precision: bool); k: int; T: {int32, int64} = int32",
    shape=_in_top_k_shape,
)
def InTopK(predictions, targets, k, ctx):
    return _in_top_k(predictions, targets, k, ctx)


@op(
    "InTopKV2(predictions: float, targets: T, k: T) -> (precision: bool); T: {int32, int64} = int32",
    shape=_in_top_k_shape,
)
def InTopKV2(predictions, targets, k, ctx):
    return _in_top_k(predictions, targets, k, ctx)


no_gradient("InTopK", "InTopKV2")


def _nth_shape(c: InferenceContext) -> list[Shape]:
    s = shapes.at_least_rank(c, 0, 1)
    n = c.value(1)
    if n is not None and int(n) < 0:
        raise c.fail(f"Dimension size, given by scalar input 1, must be non-negative but is {int(n)}")
    if s is None:
        return [None]
    if n is not None and s[-1] is not None and s[-1] <= int(n):
        raise c.fail(f"Input must have last dimension > n = {int(n)} but is {s[-1]}")
    return [s[:-1]]


@op(f"NthElement(input: T, n: int32) -> (values: T); reverse: bool = false; T: {REAL}", shape=_nth_shape)
def NthElement(input, n, reverse, ctx):
    i = int(static(n))
    if i < 0:
        raise ctx.fail(f"n must be non-negative but is {i}")
    if input.ndim < 1 or input.shape[-1] <= i:
        raise ctx.fail(f"Input must have at least n+1 columns, got shape {list(input.shape)} and n = {i}")
    return xp.sort(input, axis=-1)[..., input.shape[-1] - 1 - i if reverse else i]


@NthElement.gradient
def _(op, grad):
    """Shared equally by the elements that equal the chosen one."""
    hits = raw.Cast(raw.Equal(raw.ExpandDims(op.outputs[0], -1), op.inputs[0]), DstT=grad.dtype)
    count = raw.ExpandDims(raw.Sum(hits, [-1]), -1)
    return [raw.RealDiv(hits, count) * raw.ExpandDims(grad, -1), None]


# --- layouts ---
_FORMATS = "T: {int32, int64} = int32; src_format: string = 'NHWC'; dst_format: string = 'NCHW'"


@op(f"DataFormatDimMap(x: T) -> (y: T); {_FORMATS}", shape=shapes.unchanged, numpy=True)
def DataFormatDimMap(x, src_format, dst_format, ctx):
    """Where a dimension index of the source layout lies in the destination layout."""
    src, dst = src_format.decode(), dst_format.decode()
    if sorted(src) != sorted(dst):
        raise ctx.fail(f"Destination and source format must determine a permutation, got {src} and {dst}")
    table = np.array([dst.index(d) for d in src], x.dtype)
    return xp.take(table, x % constant(x, len(src)), axis=0, mode="clip")


@op(f"DataFormatVecPermute(x: T) -> (y: T); {_FORMATS}", shape=shapes.unchanged, numpy=True)
def DataFormatVecPermute(x, src_format, dst_format, ctx):
    """Permutes a vector (or the rows of an n×2 matrix) of per-dimension values; one of two fewer elements is of spatial values."""
    src, dst = src_format.decode(), dst_format.decode()
    if x.ndim not in (1, 2) or x.ndim == 2 and x.shape[1] != 2:
        raise ctx.fail(f"input must be a vector or matrix with 2 columns, but got shape {list(x.shape)}")
    if x.shape[0] == len(src) - 2:
        src = "".join(d for d in src if d not in "NC")
        dst = "".join(d for d in dst if d not in "NC")
    if x.shape[0] != len(src) or sorted(src) != sorted(dst):
        raise ctx.fail(f"Input of {x.shape[0]} elements does not fit the formats {src} and {dst}")
    return x[np.array([src.index(d) for d in dst])]
