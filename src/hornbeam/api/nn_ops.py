"""`tf.nn`: activations, softmax and its cross entropies, dropout, convolutions, top-k, under TensorFlow 1.15's names and node names."""

from __future__ import annotations

import numbers
from collections import namedtuple
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from hornbeam.api import array_ops, array_select
from hornbeam.api._nodes import cast
from hornbeam.api.math_ops import range as range_
from hornbeam.api.random_ops import random_uniform
from hornbeam.api.reduction_ops import one_of
from hornbeam.core import dtypes, errors
from hornbeam.core.constant import constant_value
from hornbeam.core.graph import Tensor, convert_to_tensor, name_scope
from hornbeam.core.registry import raw
from hornbeam.core.tensor_shape import TensorShape


# --- arguments ---------------------------------------------------------------------------------------------------------------
def _sequence(value: Any, n: int, channel_index: int, name: str) -> list[int]:
    """Strides, dilations or a window as one number per dimension: given for all, for the spatial ones, or as one number."""
    if value is None:
        return [1] * (n + 2)
    values = [int(v) for v in value] if isinstance(value, (Sequence, np.ndarray)) else [int(value)]
    if len(values) == n + 2:
        return values
    if len(values) == 1:
        values *= n
    elif len(values) != n:
        raise ValueError(f"{name} should be of length 1, {n} or {n + 2} but was {len(values)}")
    return [1, 1, *values] if channel_index == 1 else [1, *values, 1]


def _channel_index(data_format: str, rank: int) -> int:
    return 1 if data_format.startswith("NC") else rank - 1


def convert_padding(padding: Any, expected_length: int = 4) -> tuple[Any, list[int]]:
    """(padding attribute, explicit_paddings): a list of pairs means explicit padding."""
    if padding == "EXPLICIT":
        raise ValueError(
            '"EXPLICIT" is not a valid value for the padding parameter. To use explicit padding, the padding parameter must be a list.'
        )
    if not isinstance(padding, (list, tuple)):
        return padding, []
    pairs: list[int] = []
    for i, pair in enumerate(padding):
        if not isinstance(pair, (list, tuple)) or len(pair) != 2:
            raise ValueError(
                f"When padding is a list, each element of padding must be a list of size 2. Element {i} is {pair!r}"
            )
        pairs.extend(int(p) for p in pair)
    if len(padding) != expected_length:
        raise ValueError(
            f"When padding is a list, it must be of size {expected_length}. Got padding of size: {len(padding)}"
        )
    return "EXPLICIT", pairs


def _explicit(padding: Any) -> dict[str, Any]:
    kind, pairs = convert_padding(padding)
    return {"padding": kind, "explicit_paddings": pairs}


# --- activations -----------------------------------------------------------------------------------------------------------------
def relu(features: Any, name: str | None = None) -> Tensor:
    """max(features, 0). Relu."""
    return raw.Relu(features, name=name)


def relu6(features: Any, name: str | None = None) -> Tensor:
    """min(max(features, 0), 6). Relu6."""
    with name_scope(name, "Relu6", [features]) as scope:
        return raw.Relu6(convert_to_tensor(features, name="features"), name=scope)


def elu(features: Any, name: str | None = None) -> Tensor:
    """exp(features) - 1 where negative, features elsewhere. Elu."""
    return raw.Elu(features, name=name)


def selu(features: Any, name: str | None = None) -> Tensor:
    """scale * (alpha * (exp(features) - 1) where negative, features elsewhere). Selu."""
    return raw.Selu(features, name=name)


def leaky_relu(features: Any, alpha: float = 0.2, name: str | None = None) -> Tensor:
    """alpha * features where negative, features elsewhere; integers become float32. LeakyRelu."""
    with name_scope(name, "LeakyRelu", [features, alpha]) as scope:
        features = convert_to_tensor(features, name="features")
        if features.dtype.is_integer:
            features = cast(features, dtypes.float32)
        if isinstance(alpha, Tensor):  # as TensorFlow before 1.5 wrote it
            return raw.Maximum(features * alpha, features, name=scope)
        return raw.LeakyRelu(features, alpha=float(alpha), name=scope)


def crelu(features: Any, name: str | None = None, axis: int = -1) -> Tensor:
    """relu of features and of their negatives, joined along `axis`."""
    with name_scope(name, "CRelu", [features]) as scope:
        features = convert_to_tensor(features, name="features")
        return raw.Relu(array_ops.concat([features, -features], axis, name=scope))


def softplus(features: Any, name: str | None = None) -> Tensor:
    """log(exp(features) + 1). Softplus."""
    return raw.Softplus(features, name=name)


def softsign(features: Any, name: str | None = None) -> Tensor:
    """features / (|features| + 1). Softsign."""
    return raw.Softsign(features, name=name)


def swish(features: Any, beta: Any = 1.0) -> Tensor:
    """features * sigmoid(beta * features)."""
    features = convert_to_tensor(features, name="features")
    if isinstance(beta, numbers.Real) and beta == 1:
        return features * raw.Sigmoid(features)
    return features * raw.Sigmoid(cast(convert_to_tensor(beta, name="beta"), features.dtype) * features)


def l2_loss(t: Any, name: str | None = None) -> Tensor:
    """sum(t ** 2) / 2. L2Loss."""
    return raw.L2Loss(t, name=name)


# --- bias --------------------------------------------------------------------------------------------------------------------------
def bias_add(value: Any, bias: Any, data_format: str | None = None, name: str | None = None) -> Tensor:
    """value + bias along the channels: the last dimension, or the second for `NC…`. BiasAdd."""
    with name_scope(name, "BiasAdd", [value, bias]) as scope:
        if data_format is not None:
            if data_format.startswith("NC"):
                data_format = "NCHW"
            elif data_format.startswith("N") and data_format.endswith("C"):
                data_format = "NHWC"
            else:
                raise ValueError(f"data_format must be of the form `N...C` or `NC...`, got {data_format!r}")
        value = convert_to_tensor(value, name="input")
        bias = convert_to_tensor(bias, dtype=value.dtype.base_dtype, name="bias")
        return raw.BiasAdd(value, bias, data_format=data_format, name=scope)


def bias_add_v1(value: Any, bias: Any, name: str | None = None) -> Tensor:
    """value + bias along the last dimension. BiasAddV1."""
    with name_scope(name, "BiasAddV1", [value, bias]) as scope:
        value = convert_to_tensor(value, name="input")
        return raw.BiasAddV1(value, convert_to_tensor(bias, dtype=value.dtype.base_dtype, name="bias"), name=scope)


def xw_plus_b(x: Any, weights: Any, biases: Any, name: str | None = None) -> Tensor:
    """matmul(x, weights) + biases."""
    with name_scope(name, "xw_plus_b", [x, weights, biases]) as scope:
        x = convert_to_tensor(x, name="x")
        weights = convert_to_tensor(weights, name="weights")
        biases = convert_to_tensor(biases, name="biases")
        return bias_add(raw.MatMul(x, weights), biases, name=scope)


def relu_layer(x: Any, weights: Any, biases: Any, name: str | None = None) -> Tensor:
    """relu(matmul(x, weights) + biases)."""
    with name_scope(name, "relu_layer", [x, weights, biases]) as scope:
        x = convert_to_tensor(x, name="x")
        weights = convert_to_tensor(weights, name="weights")
        biases = convert_to_tensor(biases, name="biases")
        return raw.Relu(bias_add(raw.MatMul(x, weights), biases), name=scope)


# --- softmax ------------------------------------------------------------------------------------------------------------------------
def _swapped(t: Tensor, axis: Any, last: Any, name: str | None = None) -> Tensor:
    """Two dimensions exchanged, the rank perhaps known only when it runs."""
    order = array_ops.concat([range_(axis), [last], range_(axis + 1, last), [axis]], 0)
    return array_ops.transpose(t, order, name=name)  # type: ignore[arg-type]


def _along(logits: Any, compute: Callable[..., Tensor], axis: Any, name: str | None) -> Tensor:
    """`compute`, which works along the last dimension, along `axis`."""
    logits = convert_to_tensor(logits)
    shape = logits.get_shape()
    if isinstance(axis, Tensor):
        value = constant_value(axis)
        if value is None:
            raise ValueError("The axis of a softmax must be known while the graph is built")
        axis = int(value)
    if axis == -1 or shape.ndims is not None and axis == shape.ndims - 1:
        return compute(logits, name=name)
    if shape.ndims is None:
        raise ValueError("The rank of logits must be known unless the axis is -1")
    if not -shape.ndims <= axis < shape.ndims:
        raise errors.InvalidArgumentError(
            None, None,
            f"dim (={axis}) must be in the range [{-shape.ndims}, {shape.ndims}) where {shape.ndims} is the number of dimensions.",
        )  # fmt: skip
    axis = axis % shape.ndims
    last = raw.Sub(array_ops.rank(logits), 1)
    output = _swapped(compute(_swapped(logits, axis, last)), axis, last, name=name)
    output.set_shape(shape)
    return output


def softmax(logits: Any, axis: Any = None, name: str | None = None, dim: Any = None) -> Tensor:
    """exp(logits) / sum(exp(logits)) along `axis` (the last by default)."""
    axis = one_of("axis", axis, "dim", dim)
    return _along(logits, raw.Softmax, -1 if axis is None else axis, name)


def log_softmax(logits: Any, axis: Any = None, name: str | None = None, dim: Any = None) -> Tensor:
    """logits - log(sum(exp(logits))) along `axis` (the last by default)."""
    axis = one_of("axis", axis, "dim", dim)
    return _along(logits, raw.LogSoftmax, -1 if axis is None else axis, name)


def _ensure_xent_args(name: str, sentinel: Any, labels: Any, logits: Any) -> None:
    if sentinel is not None:
        raise ValueError(f"Only call `{name}` with named arguments (labels=..., logits=..., ...)")
    if labels is None or logits is None:
        raise ValueError("Both labels and logits must be provided.")


def _as_rows(t: Tensor) -> Tensor:
    """All dimensions but the last made one."""
    rank = array_ops.rank(t)
    width = array_ops.slice(array_ops.shape(t), [raw.Sub(rank, 1)], [1])
    rows = array_ops.reshape(t, array_ops.concat([[-1], width], 0))
    shape = t._shape
    if shape is not None and None not in shape[:-1]:
        rows.set_shape([int(np.prod(shape[:-1], dtype=np.int64)), shape[-1]])
    return rows


def softmax_cross_entropy_with_logits_v2(
    labels: Any, logits: Any, axis: int | None = None, name: str | None = None, dim: int | None = None
) -> Tensor:
    """-sum(labels * log_softmax(logits)) along `axis`; gradients flow into the labels too."""
    axis = one_of("axis", axis, "dim", dim)
    axis = -1 if axis is None else axis
    with name_scope(name, "softmax_cross_entropy_with_logits", [logits, labels]) as scope:
        logits = convert_to_tensor(logits, name="logits")
        labels = convert_to_tensor(labels, name="labels")
        half = logits.dtype in (dtypes.float16, dtypes.bfloat16)
        precise = cast(logits, dtypes.float32) if half else logits
        labels = cast(labels, precise.dtype)
        rank = array_ops.rank(precise)
        shape = logits.get_shape()
        if axis != -1:

            def to_end(t: Tensor) -> Tensor:
                return array_ops.transpose(t, array_ops.concat([range_(axis), range_(axis + 1, rank), [axis]], 0))

            precise, labels = to_end(precise), to_end(labels)
        input_shape = array_ops.shape(precise)
        cost, _ = raw.SoftmaxCrossEntropyWithLogits(_as_rows(precise), _as_rows(labels), name=scope)
        cost = array_ops.reshape(cost, array_ops.slice(input_shape, [0], [raw.Sub(rank, 1)]))
        if shape.ndims is not None:
            dims = shape.as_list()
            del dims[axis]
            cost.set_shape(dims)
        return cast(cost, logits.dtype) if half else cost


def softmax_cross_entropy_with_logits(
    _sentinel: Any = None,
    labels: Any = None,
    logits: Any = None,
    dim: int = -1,
    name: str | None = None,
    axis: int | None = None,
) -> Tensor:
    """-sum(labels * log_softmax(logits)) along `dim`; no gradient flows into the labels."""
    dim = one_of("axis", axis, "dim", None if axis is not None else dim)
    _ensure_xent_args("softmax_cross_entropy_with_logits", _sentinel, labels, logits)
    with name_scope(name, "softmax_cross_entropy_with_logits_sg", [logits, labels]) as scope:
        labels = array_ops.stop_gradient(labels, name="labels_stop_gradient")
    return softmax_cross_entropy_with_logits_v2(labels=labels, logits=logits, axis=dim, name=scope)


def sparse_softmax_cross_entropy_with_logits(
    _sentinel: Any = None, labels: Any = None, logits: Any = None, name: str | None = None
) -> Tensor:
    """-log_softmax(logits)[label] per row; labels int32 or int64, of logits' shape without its last dimension."""
    _ensure_xent_args("sparse_softmax_cross_entropy_with_logits", _sentinel, labels, logits)
    with name_scope(name, "SparseSoftmaxCrossEntropyWithLogits", [labels, logits]):
        labels = convert_to_tensor(labels)
        logits = convert_to_tensor(logits)
        half = logits.dtype in (dtypes.float16, dtypes.bfloat16)
        precise = cast(logits, dtypes.float32) if half else logits
        static = labels.get_shape()
        labels_shape = array_ops.shape(labels)
        known = static.is_fully_defined() and logits.get_shape()[:-1].is_fully_defined()
        ndims = logits.get_shape().ndims
        if ndims == 0:
            raise ValueError("Logits cannot be scalars - received shape ().")
        if ndims is not None and static.ndims is not None and static.ndims != ndims - 1:
            raise ValueError(
                f"Rank mismatch: Rank of labels (received {static.ndims}) should equal rank of logits minus 1 (received {ndims})."
            )
        if known and static != logits.get_shape()[:-1]:
            raise ValueError(
                "Shape mismatch: The shape of labels (received "
                f"{static}) should equal the shape of logits except for the last dimension (received {logits.get_shape()})."
            )
        if ndims == 2:
            cost, _ = raw.SparseSoftmaxCrossEntropyWithLogits(precise, labels, name=name)
            return cast(cost, logits.dtype) if half else cost
        classes = array_ops.shape(logits)[raw.Sub(array_ops.rank(logits), 1)]
        rows = array_ops.reshape(precise, raw.Pack([-1, classes]))
        cost, _ = raw.SparseSoftmaxCrossEntropyWithLogits(rows, array_ops.reshape(labels, [-1]), name=name)
        cost = array_ops.reshape(cost, labels_shape)
        cost.set_shape(static)
        return cast(cost, logits.dtype) if half else cost


# --- dropout ------------------------------------------------------------------------------------------------------------------------
def _noise_shape(x: Tensor, noise_shape: Any) -> Any:
    """The shape of the random mask: x's, or the given one with its unknown dimensions taken from x."""
    if noise_shape is None:
        return array_ops.shape(x)
    if isinstance(noise_shape, Tensor):
        return noise_shape
    try:
        dims = TensorShape(noise_shape).as_list()
    except (TypeError, ValueError):
        return noise_shape
    if x._shape is not None and len(x._shape) == len(dims):
        filled = [d if d is not None else n for d, n in zip(dims, x._shape, strict=True)]
        if None not in filled:
            return filled
    return noise_shape


def dropout(
    x: Any,
    keep_prob: Any = None,
    noise_shape: Any = None,
    seed: int | None = None,
    name: str | None = None,
    rate: Any = None,
) -> Tensor:
    """x with each element zeroed with probability `rate` (= 1 - keep_prob), the others scaled by 1 / (1 - rate)."""
    if rate is not None and keep_prob is not None:
        raise ValueError("Cannot specify both 'rate' and 'keep_prob'")
    if keep_prob is not None:
        try:
            rate = 1 - keep_prob
        except TypeError:
            raise ValueError(f"keep_prob must be a floating point number or Tensor (got {keep_prob!r})") from None
    if rate is None:
        raise ValueError("You must provide a rate to dropout.")
    with name_scope(name, "dropout", [x]):
        x = convert_to_tensor(x, name="x")
        if not x.dtype.is_floating:
            raise ValueError(
                f"x has to be a floating point tensor since it's going to be scaled. Got a {x.dtype} tensor instead."
            )
        if isinstance(rate, numbers.Real):
            if not 0 <= rate < 1:
                raise ValueError(f"rate must be a scalar tensor or a float in the range [0, 1), got {rate:g}")
            if rate == 0:
                return x
        rate = convert_to_tensor(rate, dtype=x.dtype.base_dtype, name="rate")
        rate.get_shape().assert_has_rank(0)
        value = constant_value(rate)
        if value is not None and value == 0:
            return x
        noise = random_uniform(_noise_shape(x, noise_shape), seed=seed, dtype=x.dtype.base_dtype)
        scale = 1 / (1 - rate)  # type: ignore[operator]
        keep = raw.GreaterEqual(noise, rate)
        output = x * scale * cast(keep, x.dtype)
        output.set_shape(x.get_shape())
        return output


# --- convolutions ----------------------------------------------------------------------------------------------------------------------
def conv2d(
    input: Any, filter: Any = None, strides: Any = None, padding: Any = None, use_cudnn_on_gpu: bool = True,
    data_format: str | None = "NHWC", dilations: Any = (1, 1, 1, 1), name: str | None = None, filters: Any = None,
) -> Tensor:  # fmt: skip
    """input [N, H, W, C] (or NCHW) * filter [kh, kw, C / groups, F]. Conv2D."""
    filter = one_of("filters", filters, "filter", filter)
    data_format = data_format or "NHWC"
    index = _channel_index(data_format, 4)
    return raw.Conv2D(
        input, filter, strides=_sequence(strides, 2, index, "strides"), use_cudnn_on_gpu=use_cudnn_on_gpu, **_explicit(padding),
        data_format=data_format, dilations=_sequence(dilations, 2, index, "dilations"), name=name,
    )  # fmt: skip


def conv2d_backprop_filter(
    input: Any, filter_sizes: Any, out_backprop: Any, strides: Any, padding: Any, use_cudnn_on_gpu: bool = True,
    data_format: str = "NHWC", dilations: Any = (1, 1, 1, 1), name: str | None = None,
) -> Tensor:  # fmt: skip
    """The gradient of conv2d by its filter. Conv2DBackpropFilter."""
    return raw.Conv2DBackpropFilter(
        input, filter_sizes, out_backprop, strides=strides, use_cudnn_on_gpu=use_cudnn_on_gpu, **_explicit(padding),
        data_format=data_format, dilations=dilations, name=name,
    )  # fmt: skip


def conv2d_backprop_input(
    input_sizes: Any, filter: Any = None, out_backprop: Any = None, strides: Any = None, padding: Any = None,
    use_cudnn_on_gpu: bool = True, data_format: str = "NHWC", dilations: Any = (1, 1, 1, 1), name: str | None = None,
    filters: Any = None,
) -> Tensor:  # fmt: skip
    """The gradient of conv2d by its input. Conv2DBackpropInput."""
    filter = one_of("filters", filters, "filter", filter)
    return raw.Conv2DBackpropInput(
        input_sizes, filter, out_backprop, strides=strides, use_cudnn_on_gpu=use_cudnn_on_gpu, **_explicit(padding),
        data_format=data_format, dilations=dilations, name=name,
    )  # fmt: skip


def conv2d_transpose(
    value: Any = None, filter: Any = None, output_shape: Any = None, strides: Any = None, padding: Any = "SAME",
    data_format: str | None = "NHWC", name: str | None = None, input: Any = None, filters: Any = None, dilations: Any = None,
) -> Tensor:  # fmt: skip
    """The transpose of conv2d; filter [kh, kw, out channels, in channels], `output_shape` of all dimensions."""
    value = one_of("input", input, "value", value)
    filter = one_of("filters", filters, "filter", filter)
    with name_scope(name, "conv2d_transpose", [value, filter, output_shape]) as scope:
        data_format = data_format or "NHWC"
        index = _channel_index(data_format, 4)
        return raw.Conv2DBackpropInput(
            output_shape, filter, value, strides=_sequence(strides, 2, index, "strides"), **_explicit(padding),
            data_format=data_format, dilations=_sequence(dilations, 2, index, "dilations"), name=scope,
        )  # fmt: skip


def _flat_format(data_format: str | None) -> tuple[str, int, int]:
    """For one-dimensional convolutions and pools: (2-D format, where the extra dimension goes, channel index)."""
    if data_format in (None, "NHWC", "NWC"):
        return "NHWC", 1, 2
    if data_format in ("NCHW", "NCW"):
        return "NCHW", 2, 1
    raise ValueError(f'data_format must be "NWC" or "NCW", got {data_format!r}')


def conv1d(
    value: Any = None, filters: Any = None, stride: Any = None, padding: Any = None, use_cudnn_on_gpu: bool | None = None,
    data_format: str | None = None, name: str | None = None, input: Any = None, dilations: Any = None,
) -> Tensor:  # fmt: skip
    """value [N, W, C] (or NCW) * filters [k, C, F], as a Conv2D of height one."""
    value = one_of("input", input, "value", value)
    with name_scope(name, "conv1d", [value, filters]) as scope:
        flat, at, index = _flat_format(data_format)
        result = raw.Conv2D(
            array_ops.expand_dims(value, at), array_ops.expand_dims(filters, 0),
            strides=[1, *_sequence(stride, 1, index, "stride")], padding=padding, use_cudnn_on_gpu=use_cudnn_on_gpu,
            data_format=flat, dilations=[1, *_sequence(dilations, 1, index, "dilations")], name=scope,
        )  # fmt: skip
        return array_ops.squeeze(result, [at])


def conv1d_transpose(
    input: Any, filters: Any, output_shape: Any, strides: Any, padding: Any = "SAME", data_format: str | None = "NWC",
    dilations: Any = None, name: str | None = None,
) -> Tensor:  # fmt: skip
    """The transpose of conv1d; filters [k, out channels, in channels]."""
    with name_scope(name, "conv1d_transpose", [input, filters, output_shape]) as scope:
        flat, at, index = _flat_format(data_format)
        output_shape = output_shape if isinstance(output_shape, Tensor) else list(output_shape)
        sizes = array_ops.concat([output_shape[:at], [1], output_shape[at:]], 0)
        result = raw.Conv2DBackpropInput(
            sizes, array_ops.expand_dims(filters, 0), array_ops.expand_dims(input, at),
            strides=[1, *_sequence(strides, 1, index, "stride")], padding=padding, data_format=flat,
            dilations=[1, *_sequence(dilations, 1, index, "dilations")], name=scope,
        )  # fmt: skip
        return array_ops.squeeze(result, [at])


def conv3d(
    input: Any, filter: Any = None, strides: Any = None, padding: Any = None, data_format: str = "NDHWC",
    dilations: Any = (1, 1, 1, 1, 1), name: str | None = None, filters: Any = None,
) -> Tensor:  # fmt: skip
    """input [N, D, H, W, C] (or NCDHW) * filter [kd, kh, kw, C, F]. Conv3D."""
    filter = one_of("filters", filters, "filter", filter)
    return raw.Conv3D(
        input, filter, strides=strides, padding=padding, data_format=data_format, dilations=dilations, name=name
    )


def conv3d_backprop_filter_v2(
    input: Any, filter_sizes: Any, out_backprop: Any, strides: Any, padding: Any, data_format: str = "NDHWC",
    dilations: Any = (1, 1, 1, 1, 1), name: str | None = None,
) -> Tensor:  # fmt: skip
    """The gradient of conv3d by its filter. Conv3DBackpropFilterV2."""
    return raw.Conv3DBackpropFilterV2(
        input,
        filter_sizes,
        out_backprop,
        strides=strides,
        padding=padding,
        data_format=data_format,
        dilations=dilations,
        name=name,
    )


def conv3d_transpose(
    value: Any, filter: Any = None, output_shape: Any = None, strides: Any = None, padding: Any = "SAME",
    data_format: str | None = "NDHWC", name: str | None = None, input: Any = None, filters: Any = None, dilations: Any = None,
) -> Tensor:  # fmt: skip
    """The transpose of conv3d; filter [kd, kh, kw, out channels, in channels]."""
    filter = one_of("filters", filters, "filter", filter)
    value = one_of("input", input, "value", value)
    with name_scope(name, "conv3d_transpose", [value, filter, output_shape]) as scope:
        data_format = data_format or "NDHWC"
        index = _channel_index(data_format, 5)
        return raw.Conv3DBackpropInputV2(
            output_shape, filter, value, strides=_sequence(strides, 3, index, "strides"), padding=padding,
            data_format=data_format, dilations=_sequence(dilations, 3, index, "dilations"), name=scope,
        )  # fmt: skip


def conv_transpose(
    input: Any, filters: Any, output_shape: Any, strides: Any, padding: Any = "SAME", data_format: str | None = None,
    dilations: Any = None, name: str | None = None,
) -> Tensor:  # fmt: skip
    """conv1d_transpose, conv2d_transpose or conv3d_transpose, by the length of `output_shape`."""
    with name_scope(name, "conv_transpose", [input, filters, output_shape]) as scope:
        if isinstance(output_shape, Tensor):
            shape = output_shape._shape
            n = None if shape is None or len(shape) != 1 else shape[0]
        else:
            n = len(output_shape)
        if n not in (3, 4, 5):
            raise ValueError(f"output_shape must be of length 3, 4 or 5, got {n}")
        if n == 3:
            return conv1d_transpose(
                input, filters, output_shape, strides, padding, data_format or "NWC", dilations, scope
            )
        transpose = conv2d_transpose if n == 4 else conv3d_transpose
        return transpose(
            input,
            filters,
            output_shape,
            strides,
            padding=padding,
            data_format=data_format,
            dilations=dilations,
            name=scope,
        )


def depthwise_conv2d_native(
    input: Any, filter: Any, strides: Any, padding: Any, data_format: str | None = None, dilations: Any = None,
    name: str | None = None,
) -> Tensor:  # fmt: skip
    """input [N, H, W, C] * filter [kh, kw, C, multiplier], each channel on its own. DepthwiseConv2dNative."""
    return raw.DepthwiseConv2dNative(
        input, filter, strides=strides, **_explicit(padding), data_format=data_format, dilations=dilations, name=name
    )


def depthwise_conv2d_native_backprop_input(
    input_sizes: Any, filter: Any, out_backprop: Any, strides: Any, padding: Any, data_format: str = "NHWC",
    dilations: Any = (1, 1, 1, 1), name: str | None = None,
) -> Tensor:  # fmt: skip
    """The gradient of depthwise_conv2d_native by its input."""
    return raw.DepthwiseConv2dNativeBackpropInput(
        input_sizes,
        filter,
        out_backprop,
        strides=strides,
        **_explicit(padding),
        data_format=data_format,
        dilations=dilations,
        name=name,
    )


def depthwise_conv2d_native_backprop_filter(
    input: Any, filter_sizes: Any, out_backprop: Any, strides: Any, padding: Any, data_format: str = "NHWC",
    dilations: Any = (1, 1, 1, 1), name: str | None = None,
) -> Tensor:  # fmt: skip
    """The gradient of depthwise_conv2d_native by its filter."""
    return raw.DepthwiseConv2dNativeBackpropFilter(
        input,
        filter_sizes,
        out_backprop,
        strides=strides,
        **_explicit(padding),
        data_format=data_format,
        dilations=dilations,
        name=name,
    )


# --- dilation by moving space into the batch ---------------------------------------------------------------------------------------------
def with_space_to_batch(
    input: Any, dilation_rate: Any, padding: str, op: Callable[..., Tensor], filter_shape: Any = None, spatial_dims: Any = None,
    data_format: str | None = None,
) -> Tensor:  # fmt: skip
    """`op(input, number of spatial dims, padding)` dilated: each rate-th pixel becomes an image of its own, op runs on these, and back."""
    input = convert_to_tensor(input, name="input")
    known_rate = constant_value(convert_to_tensor(dilation_rate, dtypes.int32, name="dilation_rate"))
    if known_rate is None:
        raise ValueError("dilation_rate must be known while the graph is built")
    rate = [int(r) for r in known_rate.reshape(-1)]
    if min(rate) < 1:
        raise ValueError(f"dilation_rate must be positive, got {rate}")
    n = len(rate)
    first = data_format is not None and data_format.startswith("NC")
    start = 2 if first else 1
    dims = list(range(start, start + n)) if spatial_dims is None else [int(d) for d in spatial_dims]
    if dims != sorted(set(dims)) or min(dims) < 1:
        raise ValueError(f"spatial_dims must be a monotonically increasing sequence of positive integers, got {dims}")
    if all(r == 1 for r in rate):
        return op(input, n, padding)
    padding, explicit = convert_padding(padding, n + 2)
    if padding == "SAME":
        if filter_shape is None:
            raise ValueError("filter_shape must be specified for SAME padding")
        sizes = constant_value(convert_to_tensor(filter_shape, dtypes.int32, name="filter_shape"))
        if sizes is None:
            raise ValueError("filter_shape must be known while the graph is built")
        extra = [(int(k) - 1) * r for k, r in zip(sizes[:n], rate, strict=True)]
        base = np.array([[e // 2, e - e // 2] for e in extra], np.int32)
    elif padding == "VALID":
        base = np.zeros([n, 2], np.int32)
    elif padding == "EXPLICIT":
        pairs = np.array(explicit, np.int32).reshape(n + 2, 2)
        base = pairs[2:] if first else pairs[1:-1]
    else:
        raise ValueError(f"Invalid padding method {padding!r}")
    static = None if input._shape is None else [input._shape[d] for d in dims]
    if static is None or None in static:
        shape = array_ops.shape(input)
        static = raw.Pack([shape[d] for d in dims])  # type: ignore[assignment]
    paddings, crops = array_select.required_space_to_batch_paddings(
        input_shape=static, base_paddings=base, block_shape=np.array(rate, np.int32)
    )
    block = np.ones(dims[-1], np.int32)
    block[[d - 1 for d in dims]] = rate

    def filled(pairs: Any) -> Any:
        """Rows of zeros for the dimensions before and between the spatial ones."""
        value = constant_value(convert_to_tensor(pairs))
        if value is not None:
            full = np.zeros([dims[-1], 2], np.int32)
            full[[d - 1 for d in dims]] = value
            return full
        at = {d: pairs[i : i + 1] for i, d in enumerate(dims)}
        zero = np.zeros([1, 2], np.int32)
        return array_ops.concat([at.get(d + 1, zero) for d in range(dims[-1])], 0)

    spread = array_select.space_to_batch_nd(input, block, filled(paddings))
    return array_select.batch_to_space_nd(op(spread, n, "VALID"), block, filled(crops))


def _plain_convolution(
    input: Any, filter: Any, padding: Any, data_format: str | None, strides: list[int], dilations: list[int], name: Any
) -> Tensor:
    n = len(strides)
    first = data_format is not None and data_format.startswith("NC")
    full = [1, 1, *strides] if first else [1, *strides, 1]
    spread = [1, 1, *dilations] if first else [1, *dilations, 1]
    if n == 1:
        return conv1d(
            input,
            filter,
            stride=strides[0],
            padding=padding,
            data_format=data_format,
            name=name,
            dilations=dilations[0],
        )
    if n == 2:
        return conv2d(input, filter, full, padding, data_format=data_format or "NHWC", dilations=spread, name=name)
    return conv3d(input, filter, full, padding, data_format=data_format or "NDHWC", dilations=spread, name=name)


def convolution(
    input: Any, filter: Any = None, padding: Any = None, strides: Any = None, dilation_rate: Any = None, name: str | None = None,
    data_format: str | None = None, filters: Any = None, dilations: Any = None,
) -> Tensor:  # fmt: skip
    """A convolution over one, two or three spatial dimensions, by the filter's rank; `strides` and `dilation_rate` per spatial dim."""
    filter = one_of("filters", filters, "filter", filter)
    dilation_rate = one_of("dilations", dilations, "dilation_rate", dilation_rate)
    with name_scope(name, "convolution", [input, filter]) as scope:
        input = convert_to_tensor(input, name="input")
        filter = convert_to_tensor(filter, name="filter")
        rank = len(filter._shape) if filter._shape is not None else len(input._shape or ())
        if rank not in (3, 4, 5):
            raise ValueError(
                f"Input tensor and filter must have rank 3, 4 or 5, got {input.get_shape()} and {filter.get_shape()}"
            )
        n = rank - 2
        index = 1 if data_format is not None and data_format.startswith("NC") else n + 1

        def spatial(values: Any, what: str) -> list[int]:
            full = _sequence(values, n, index, what)
            out = full[2:] if index == 1 else full[1:-1]
            if min(out) < 1:
                raise ValueError(f"all values of {what} must be positive, got {values}")
            return out

        steps, rates = spatial(strides, "strides"), spatial(dilation_rate, "dilation_rate")
        if max(steps) > 1 and max(rates) > 1:
            raise ValueError("strides > 1 not supported in conjunction with dilation_rate > 1")
        if max(rates) == 1:
            return _plain_convolution(input, filter, padding, data_format, steps, rates, scope)

        def op(converted: Tensor, _n: int, converted_padding: Any) -> Tensor:
            return _plain_convolution(converted, filter, converted_padding, data_format, steps, [1] * n, None)

        return with_space_to_batch(input, rates, padding, op, filter_shape=filter._shape, data_format=data_format)


def atrous_conv2d(value: Any, filters: Any, rate: Any, padding: str, name: str | None = None) -> Tensor:
    """conv2d with holes: the filter's elements stand `rate` pixels apart."""
    return convolution(value, filters, padding=padding, dilation_rate=np.broadcast_to(rate, (2,)), name=name)


def atrous_conv2d_transpose(
    value: Any, filters: Any, output_shape: Any, rate: int, padding: str, name: str | None = None
) -> Tensor:
    """The transpose of atrous_conv2d; filters [kh, kw, out channels, in channels] of known size."""
    with name_scope(name, "atrous_conv2d_transpose", [value, filters, output_shape]):
        value = convert_to_tensor(value, name="value")
        filters = convert_to_tensor(filters, name="filters")
        if rate < 1:
            raise ValueError(f"rate {rate} cannot be less than one")
        if rate == 1:
            return conv2d_transpose(value, filters, output_shape, strides=[1, 1, 1, 1], padding=padding)
        if padding not in ("SAME", "VALID"):
            raise ValueError(f"padding must be either VALID or SAME: {padding} given.")
        if filters._shape is None or None in filters._shape[:2]:
            raise ValueError("The filter's height and width must be known")
        extra = [(k - 1) * rate if padding == "SAME" else 0 for k in filters._shape[:2]]  # type: ignore[operator]
        pads = [(e // 2, e - e // 2) for e in extra]
        sizes: list[Any] = (
            [output_shape[i] for i in range(4)] if isinstance(output_shape, Tensor) else list(output_shape)
        )
        height, width = sizes[1] + extra[0], sizes[2] + extra[1]
        below, right = (rate - height % rate) % rate, (rate - width % rate) % rate

        def tensor(values: Any) -> Any:
            flat = [v for row in values for v in row] if isinstance(values[0], list) else values
            if not any(isinstance(v, Tensor) for v in flat):
                return values
            if isinstance(values[0], list):
                return raw.Pack([raw.Pack(row) for row in values])
            return raw.Pack(values)

        value = array_select.space_to_batch(value, tensor([[0, below], [0, right]]), block_size=rate)
        input_sizes = tensor([rate * rate * sizes[0], (height + below) // rate, (width + right) // rate, sizes[3]])
        value = raw.Conv2DBackpropInput(input_sizes, filters, value, strides=[1, 1, 1, 1], padding="VALID")
        crops = tensor([[pads[0][0], pads[0][1] + below], [pads[1][0], pads[1][1] + right]])
        return array_select.batch_to_space(value, crops, block_size=rate)


def _rate(dilations: Any, rate: Any) -> Any:
    rate = one_of("dilations", dilations, "rate", rate)
    if rate is None:
        return [1, 1]
    return [rate, rate] if isinstance(rate, int) else rate


def depthwise_conv2d(
    input: Any, filter: Any, strides: Any, padding: Any, rate: Any = None, name: str | None = None,
    data_format: str | None = None, dilations: Any = None,
) -> Tensor:  # fmt: skip
    """depthwise_conv2d_native, with `rate` for holes."""
    rate = _rate(dilations, rate)
    with name_scope(name, "depthwise", [input, filter]) as scope:
        input = convert_to_tensor(input, name="tensor_in")
        filter = convert_to_tensor(filter, name="filter_in")

        def op(converted: Tensor, _n: int, converted_padding: Any) -> Tensor:
            return depthwise_conv2d_native(
                converted, filter, strides=strides, padding=converted_padding, data_format=data_format, name=scope
            )

        return with_space_to_batch(
            input, rate, padding, op, filter_shape=array_ops.shape(filter), data_format=data_format
        )


def separable_conv2d(
    input: Any, depthwise_filter: Any, pointwise_filter: Any, strides: Any, padding: Any, rate: Any = None,
    name: str | None = None, data_format: str | None = None, dilations: Any = None,
) -> Tensor:  # fmt: skip
    """A depthwise convolution, then a 1×1 convolution [1, 1, C * multiplier, F]."""
    rate = _rate(dilations, rate)
    with name_scope(name, "separable_conv2d", [input, depthwise_filter, pointwise_filter]) as scope:
        input = convert_to_tensor(input, name="tensor_in")
        depthwise_filter = convert_to_tensor(depthwise_filter, name="depthwise_filter")
        pointwise_filter = convert_to_tensor(pointwise_filter, name="pointwise_filter")
        shape = pointwise_filter.get_shape().with_rank(4)
        shape.dims[0].assert_is_compatible_with(1)
        shape.dims[1].assert_is_compatible_with(1)

        def op(converted: Tensor, _n: int, converted_padding: Any) -> Tensor:
            return depthwise_conv2d_native(
                converted,
                depthwise_filter,
                strides=strides,
                padding=converted_padding,
                data_format=data_format,
                name="depthwise",
            )

        depthwise = with_space_to_batch(
            input, rate, padding, op, filter_shape=array_ops.shape(depthwise_filter), data_format=data_format
        )
        return conv2d(depthwise, pointwise_filter, [1, 1, 1, 1], padding="VALID", data_format=data_format, name=scope)


# --- morphology -------------------------------------------------------------------------------------------------------------------------
def dilation2d(
    input: Any, filter: Any = None, strides: Any = None, rates: Any = None, padding: Any = None, name: str | None = None,
    filters: Any = None, dilations: Any = None,
) -> Tensor:  # fmt: skip
    """max over the window of input + filter. Dilation2D."""
    filter = one_of("filters", filters, "filter", filter)
    rates = one_of("dilations", dilations, "rates", rates)
    return raw.Dilation2D(input, filter, strides=strides, rates=rates, padding=padding, name=name)


def erosion2d(value: Any, kernel: Any, strides: Any, rates: Any, padding: Any, name: str | None = None) -> Tensor:
    """min over the window of value - kernel: the dilation of the negatives by the flipped kernel."""
    with name_scope(name, "erosion2d", [value, kernel]) as scope:
        flipped = array_ops.reverse(kernel, [0, 1])
        dilated = raw.Dilation2D(raw.Neg(value), flipped, strides=strides, rates=rates, padding=padding, name=scope)
        return raw.Neg(dilated)


# --- order -------------------------------------------------------------------------------------------------------------------------------
TopKV2 = namedtuple("TopKV2", ["values", "indices"])


def top_k(input: Any, k: Any = 1, sorted: bool = True, name: str | None = None) -> Any:
    """(values, indices) of the k largest along the last dimension, descending."""
    return TopKV2(*raw.TopKV2(input, k, sorted=sorted, name=name))


def nth_element(input: Any, n: Any, reverse: bool = False, name: str | None = None) -> Tensor:
    """The n-th smallest (or, reversed, largest) along the last dimension."""
    return raw.NthElement(input, n, reverse=reverse, name=name)


def in_top_k(predictions: Any, targets: Any, k: Any, name: str | None = None) -> Tensor:
    """Per row, whether the target is among the k largest predictions."""
    with name_scope(name, "in_top_k", [predictions, targets]):
        return raw.InTopKV2(predictions, targets, k, name=name)


_NN = [
    "relu", "relu6", "elu", "selu", "leaky_relu", "crelu", "softplus", "softsign", "swish", "l2_loss", "bias_add", "xw_plus_b", "relu_layer",
    "softmax", "log_softmax", "softmax_cross_entropy_with_logits", "softmax_cross_entropy_with_logits_v2",
    "sparse_softmax_cross_entropy_with_logits", "dropout", "conv1d", "conv2d", "conv3d", "conv2d_backprop_filter", "conv2d_backprop_input",
    "conv1d_transpose", "conv2d_transpose", "conv3d_transpose", "conv_transpose", "conv3d_backprop_filter_v2", "depthwise_conv2d_native",
    "depthwise_conv2d_native_backprop_input", "depthwise_conv2d_native_backprop_filter", "with_space_to_batch", "convolution", "atrous_conv2d",
    "atrous_conv2d_transpose", "depthwise_conv2d", "separable_conv2d", "dilation2d", "erosion2d", "top_k", "in_top_k",
]  # fmt: skip
__tf_exports__ = {
    **{f"nn.{n}": n for n in _NN},
    "nn.silu": "swish", "nn.conv3d_backprop_filter": "conv3d_backprop_filter_v2",
    "nn.depthwise_conv2d_backprop_input": "depthwise_conv2d_native_backprop_input",
    "nn.depthwise_conv2d_backprop_filter": "depthwise_conv2d_native_backprop_filter",
    "math.softmax": "softmax", "math.log_softmax": "log_softmax", "math.softplus": "softplus", "math.softsign": "softsign",
    "math.top_k": "top_k", "math.in_top_k": "in_top_k",
}  # fmt: skip
