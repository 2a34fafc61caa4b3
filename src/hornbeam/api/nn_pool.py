"""`tf.nn` pooling in one, two and three dimensions, with argmax, fractional, and the general `pool`."""

from __future__ import annotations

from collections import namedtuple
from typing import Any

import numpy as np

from hornbeam.api import array_ops
from hornbeam.api.nn_ops import _channel_index, _flat_format, _sequence, convert_padding, with_space_to_batch
from hornbeam.api.reduction_ops import one_of
from hornbeam.core import dtypes
from hornbeam.core.graph import Tensor, convert_to_tensor, name_scope
from hornbeam.core.registry import raw


def _window(ksize: Any, strides: Any, n: int, index: int) -> dict[str, list[int]]:
    return {"ksize": _sequence(ksize, n, index, "ksize"), "strides": _sequence(strides, n, index, "strides")}


def _max_pool(value: Any, ksize: Any, strides: Any, padding: Any, data_format: str | None, scope: str) -> Tensor:
    data_format = data_format or "NHWC"
    kind, pairs = convert_padding(padding)
    window = _window(ksize, strides, 2, _channel_index(data_format, 4))
    return raw.MaxPool(value, **window, padding=kind, explicit_paddings=pairs, data_format=data_format, name=scope)


def max_pool(
    value: Any,
    ksize: Any,
    strides: Any,
    padding: Any,
    data_format: str | None = "NHWC",
    name: str | None = None,
    input: Any = None,
) -> Tensor:
    """The maximum of each window of value [N, H, W, C] (or NCHW). MaxPool."""
    value = one_of("input", input, "value", value)
    with name_scope(name, "MaxPool", [value]) as scope:
        return _max_pool(value, ksize, strides, padding, data_format, scope)


def max_pool2d(
    input: Any, ksize: Any, strides: Any, padding: Any, data_format: str | None = "NHWC", name: str | None = None
) -> Tensor:
    """max_pool under its later name."""
    with name_scope(name, "MaxPool2d", [input]) as scope:
        return _max_pool(input, ksize, strides, padding, data_format, scope)


def avg_pool(
    value: Any,
    ksize: Any,
    strides: Any,
    padding: Any,
    data_format: str | None = "NHWC",
    name: str | None = None,
    input: Any = None,
) -> Tensor:
    """The mean of each window of value [N, H, W, C] (or NCHW), padding not counted. AvgPool."""
    value = one_of("input", input, "value", value)
    with name_scope(name, "AvgPool", [value]) as scope:
        data_format = data_format or "NHWC"
        window = _window(ksize, strides, 2, _channel_index(data_format, 4))
        return raw.AvgPool(value, **window, padding=padding, data_format=data_format, name=scope)


def avg_pool2d(
    value: Any,
    ksize: Any,
    strides: Any,
    padding: Any,
    data_format: str | None = "NHWC",
    name: str | None = None,
    input: Any = None,
) -> Tensor:
    """avg_pool under its later name."""
    return avg_pool(value, ksize, strides, padding, data_format, name, input)


def max_pool3d(
    input: Any, ksize: Any, strides: Any, padding: Any, data_format: str | None = "NDHWC", name: str | None = None
) -> Tensor:
    """The maximum of each window of input [N, D, H, W, C] (or NCDHW). MaxPool3D."""
    with name_scope(name, "MaxPool3D", [input]) as scope:
        data_format = data_format or "NDHWC"
        window = _window(ksize, strides, 3, _channel_index(data_format, 5))
        return raw.MaxPool3D(input, **window, padding=padding, data_format=data_format, name=scope)


def avg_pool3d(
    input: Any, ksize: Any, strides: Any, padding: Any, data_format: str | None = "NDHWC", name: str | None = None
) -> Tensor:
    """The mean of each window of input [N, D, H, W, C] (or NCDHW). AvgPool3D."""
    with name_scope(name, "AvgPool3D", [input]) as scope:
        data_format = data_format or "NDHWC"
        window = _window(ksize, strides, 3, _channel_index(data_format, 5))
        return raw.AvgPool3D(input, **window, padding=padding, data_format=data_format, name=scope)


def _one_dimension(
    op: Any, input: Any, ksize: Any, strides: Any, padding: Any, data_format: str | None, scope: str
) -> Tensor:
    flat, at, index = _flat_format(data_format)
    attrs: dict[str, Any] = {"padding": padding}
    if op.name == "MaxPool":
        kind, pairs = convert_padding(padding, 3)
        attrs = {"padding": kind, "explicit_paddings": [0, 0, *pairs] if kind == "EXPLICIT" else []}
    ksize = [1, *_sequence(ksize, 1, index, "ksize")]
    strides = [1, *_sequence(strides, 1, index, "strides")]
    if index == 1:  # N, C, W: the window's list puts the channels second, after the extra dimension is in
        ksize, strides = [1, 1, 1, ksize[-1]], [1, 1, 1, strides[-1]]
    result = op(array_ops.expand_dims(input, at), ksize=ksize, strides=strides, data_format=flat, name=scope, **attrs)
    return array_ops.squeeze(result, [at])


def max_pool1d(
    input: Any, ksize: Any, strides: Any, padding: Any, data_format: str | None = "NWC", name: str | None = None
) -> Tensor:
    """The maximum of each window of input [N, W, C] (or NCW)."""
    with name_scope(name, "MaxPool1d", [input]) as scope:
        return _one_dimension(raw.MaxPool, input, ksize, strides, padding, data_format, scope)


def avg_pool1d(
    input: Any, ksize: Any, strides: Any, padding: Any, data_format: str | None = "NWC", name: str | None = None
) -> Tensor:
    """The mean of each window of input [N, W, C] (or NCW)."""
    with name_scope(name, "AvgPool1D", [input]) as scope:
        return _one_dimension(raw.AvgPool, input, ksize, strides, padding, data_format, scope)


def max_pool_v2(
    input: Any, ksize: Any, strides: Any, padding: Any, data_format: str | None = None, name: str | None = None
) -> Tensor:
    """max_pool over as many spatial dimensions as the input has."""
    return _any_rank((max_pool1d, max_pool2d, max_pool3d), input, ksize, strides, padding, data_format, name)


def avg_pool_v2(
    input: Any, ksize: Any, strides: Any, padding: Any, data_format: str | None = None, name: str | None = None
) -> Tensor:
    """avg_pool over as many spatial dimensions as the input has."""
    return _any_rank((avg_pool1d, avg_pool2d, avg_pool3d), input, ksize, strides, padding, data_format, name)


def _any_rank(
    pools: Any, input: Any, ksize: Any, strides: Any, padding: Any, data_format: str | None, name: str | None
) -> Tensor:
    input = convert_to_tensor(input, name="input")
    n = len(data_format) - 2 if data_format is not None else len(input._shape or ()) - 2
    if n not in (1, 2, 3):
        raise ValueError(f"Input tensor must be of rank 3, 4 or 5 but was {n + 2}.")
    data_format = data_format or ("NWC", "NHWC", "NDHWC")[n - 1]
    return pools[n - 1](input, ksize, strides, padding, data_format=data_format, name=name)  # type: ignore[no-any-return]


MaxPoolWithArgmax = namedtuple("MaxPoolWithArgmax", ["output", "argmax"])


def max_pool_with_argmax(
    input: Any, ksize: Any, strides: Any, padding: Any, data_format: str = "NHWC", Targmax: Any = None, name: str | None = None,
    output_dtype: Any = None, include_batch_in_index: bool = False,
) -> Any:  # fmt: skip
    """(output, argmax): argmax counts (y * W + x) * C + c, with the batch in front when asked for."""
    if data_format != "NHWC":
        raise ValueError("Data formats other than 'NHWC' are not yet supported")
    targmax = one_of("output_dtype", output_dtype, "Targmax", Targmax)
    out = raw.MaxPoolWithArgmax(
        input, ksize=ksize, strides=strides, padding=padding, Targmax=dtypes.int64 if targmax is None else targmax,
        include_batch_in_index=include_batch_in_index, name=name,
    )  # fmt: skip
    return MaxPoolWithArgmax(*out)


def pool(
    input: Any, window_shape: Any, pooling_type: str, padding: str, dilation_rate: Any = None, strides: Any = None,
    name: str | None = None, data_format: str | None = None, dilations: Any = None,
) -> Tensor:  # fmt: skip
    """ "MAX" or "AVG" pooling over len(window_shape) spatial dimensions, with holes where `dilation_rate` > 1."""
    dilation_rate = one_of("dilations", dilations, "dilation_rate", dilation_rate)
    with name_scope(name, f"{pooling_type.lower()}_pool", [input]) as scope:
        input = convert_to_tensor(input, name="input")
        n = len(window_shape)
        if n not in (1, 2, 3):
            raise ValueError("It is required that 1 <= num_spatial_dims <= 3.")
        input.get_shape().with_rank(n + 2)
        steps, rates = ([1] * n if v is None else [int(i) for i in v] for v in (strides, dilation_rate))
        if len(steps) != n or len(rates) != n or min(steps) < 1 or min(rates) < 1:
            raise ValueError(f"strides and dilation_rate must be {n} positive numbers, got {steps} and {rates}")
        if max(steps) > 1 and max(rates) > 1:
            raise ValueError("strides > 1 not supported in conjunction with dilation_rate > 1")
        if padding == "SAME" and max(rates) > 1:
            raise ValueError("pooling with SAME padding is not implemented for dilation_rate > 1")
        if np.any(np.array(steps) > np.array(window_shape)):
            raise ValueError(
                "strides > window_shape not supported due to inconsistency between CPU and GPU implementations"
            )
        pools = {("MAX", 1): max_pool1d, ("MAX", 2): max_pool, ("MAX", 3): max_pool3d,
                 ("AVG", 1): avg_pool1d, ("AVG", 2): avg_pool, ("AVG", 3): avg_pool3d}  # fmt: skip
        if (pooling_type, n) not in pools:
            raise ValueError(f"{n}-D {pooling_type} pooling is not supported.")
        first = data_format is not None and data_format.startswith("NC")
        form = data_format or ("NWC", "NHWC", "NDHWC")[n - 1]

        def op(converted: Tensor, _n: int, converted_padding: str) -> Tensor:
            return pools[pooling_type, n](
                converted, list(window_shape), steps, converted_padding, data_format=form, name=scope
            )

        dims = range(2, n + 2) if first else range(1, n + 1)
        return with_space_to_batch(input, rates, padding, op, filter_shape=list(window_shape), spatial_dims=dims)


def _fractional(op: str) -> Any:
    result = namedtuple(op, ["output", "row_pooling_sequence", "col_pooling_sequence"])

    def function(
        value: Any, pooling_ratio: Any, pseudo_random: bool = False, overlapping: bool = False, deterministic: bool = False,
        seed: int = 0, seed2: int = 0, name: str | None = None,
    ) -> Any:  # fmt: skip
        """(output, row_pooling_sequence, col_pooling_sequence): pooling regions of random sizes that average to the ratio."""
        return result(
            *getattr(raw, op)(
                value, pooling_ratio=pooling_ratio, pseudo_random=pseudo_random, overlapping=overlapping,
                deterministic=deterministic, seed=seed, seed2=seed2, name=name,
            )
        )  # fmt: skip

    return function


fractional_max_pool = _fractional("FractionalMaxPool")
fractional_avg_pool = _fractional("FractionalAvgPool")

__tf_exports__ = {
    f"nn.{n}": n
    for n in (
        "max_pool", "max_pool1d", "max_pool2d", "max_pool3d", "max_pool_v2", "max_pool_with_argmax", "avg_pool", "avg_pool1d",
        "avg_pool2d", "avg_pool3d", "avg_pool_v2", "pool", "fractional_max_pool", "fractional_avg_pool",
    )
}  # fmt: skip
