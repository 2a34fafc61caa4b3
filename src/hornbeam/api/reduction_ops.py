"""`tf.reduce_sum`, `tf.argmax`, `tf.cumsum`, `tf.segment_sum`, `tf.bincount` …: reductions under TensorFlow 1's names and node names."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import numpy as np

from hornbeam.api.math_ops import cast, is_sparse
from hornbeam.core import dtypes
from hornbeam.core.constant import const_node
from hornbeam.core.graph import Tensor, convert_to_tensor, name_scope
from hornbeam.core.registry import raw

_HERE = sys.modules[__name__]


def one_of(new: str, new_value: Any, old: str, old_value: Any) -> Any:
    """The value of an argument that has an old name too; ValueError when both are given."""
    if old_value is not None:
        if new_value is not None:
            raise ValueError(f"Cannot specify both '{old}' and '{new}'.")
        return old_value
    return new_value


# --- reductions --------------------------------------------------------------------------------------------------------------------------
def reduction_axes(x: Any, axis: Any) -> Any:
    """`axis`, or all axes of x when it is None."""
    if axis is not None:
        return axis
    if is_sparse(x):
        return raw.Range(0, raw.Size(x.dense_shape), 1)
    rank = None if not isinstance(x, Tensor) or x._shape is None else len(x._shape)
    if rank is not None:
        return const_node(np.arange(rank, dtype=np.int32), name="Const")
    return raw.Range(0, raw.Rank(x), 1, name="range")


def _node(op: str, x: Any, axis: Any, keepdims: Any, name: str | None) -> Tensor:
    keep = False if keepdims is None else bool(keepdims)
    x = (
        x
        if isinstance(x, Tensor)
        else convert_to_tensor(x, dtypes.bool if op in ("All", "Any") else None, name="input")
    )
    out = getattr(raw, op)(x, reduction_axes(x, axis), keep_dims=keep, name=name)
    if axis is None and not keep and out._shape is None:
        out.set_shape(())
    return out  # type: ignore[no-any-return]


def _reduction(name: str, op: str, doc: str) -> Callable[..., Any]:
    def function(
        input_tensor: Any, axis: Any = None, keepdims: Any = None, name: str | None = None, reduction_indices: Any = None,
        keep_dims: Any = None,
    ) -> Tensor:  # fmt: skip
        axis = one_of("axis", axis, "reduction_indices", reduction_indices)
        return _node(op, input_tensor, axis, one_of("keepdims", keepdims, "keep_dims", keep_dims), name)

    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"{doc} over `axis` (all when None); with `keepdims` the reduced axes stay with size 1."
    return function


reduce_sum = _reduction("reduce_sum", "Sum", "The sum")
reduce_mean = _reduction("reduce_mean", "Mean", "The mean")
reduce_max = _reduction("reduce_max", "Max", "The maximum")
reduce_min = _reduction("reduce_min", "Min", "The minimum")
reduce_prod = _reduction("reduce_prod", "Prod", "The product")
reduce_all = _reduction("reduce_all", "All", "Logical and")
reduce_any = _reduction("reduce_any", "Any", "Logical or")


def reduce_logsumexp(
    input_tensor: Any, axis: Any = None, keepdims: Any = None, name: str | None = None, reduction_indices: Any = None, keep_dims: Any = None,
) -> Tensor:  # fmt: skip
    """log(sum(exp(x))) over `axis`, without overflow."""
    axis = one_of("axis", axis, "reduction_indices", reduction_indices)
    keepdims = bool(one_of("keepdims", keepdims, "keep_dims", keep_dims))
    with name_scope(name, "ReduceLogSumExp", [input_tensor]) as scope:
        x = convert_to_tensor(input_tensor)
        largest = reduce_max(x, axis, True)
        largest = raw.StopGradient(raw.Select(raw.IsFinite(largest), largest, raw.ZerosLike(largest)))
        out = raw.Log(reduce_sum(raw.Exp(raw.Sub(x, largest)), axis, keepdims))
        if not keepdims:
            largest = raw.Reshape(largest, raw.Shape(out))
        return raw.AddV2(out, largest, name=scope)  # type: ignore[no-any-return]


def reduce_euclidean_norm(
    input_tensor: Any, axis: Any = None, keepdims: bool = False, name: str | None = None
) -> Tensor:
    """The square root of the sum of squares over `axis`."""
    return _node("EuclideanNorm", convert_to_tensor(input_tensor), axis, keepdims, name)


def reduce_variance(input_tensor: Any, axis: Any = None, keepdims: bool = False, name: str | None = None) -> Tensor:
    """The (population) variance over `axis`."""
    with name_scope(name, "reduce_variance"):
        x = convert_to_tensor(input_tensor)
        means = reduce_mean(x, axis=axis, keepdims=True)
        if means.dtype.is_integer:
            raise TypeError(f"Input must be either real or complex. Received integer type {means.dtype}.")
        diff = raw.Sub(x, means)
        if diff.dtype.is_complex:
            squared = raw.Real(raw.Mul(raw.Conj(diff), diff), Tout=diff.dtype.real_dtype)
        else:
            squared = raw.Square(diff)
        return reduce_mean(squared, axis=axis, keepdims=keepdims)  # type: ignore[no-any-return]


def reduce_std(input_tensor: Any, axis: Any = None, keepdims: bool = False, name: str | None = None) -> Tensor:
    """The (population) standard deviation over `axis`."""
    with name_scope(name, "reduce_std"):
        return raw.Sqrt(reduce_variance(input_tensor, axis=axis, keepdims=keepdims))  # type: ignore[no-any-return]


def count_nonzero(
    input_tensor: Any = None, axis: Any = None, keepdims: Any = None, dtype: Any = dtypes.int64, name: str | None = None,
    reduction_indices: Any = None, keep_dims: Any = None, input: Any = None,
) -> Tensor:  # fmt: skip
    """How many elements are not zero (or not empty strings) over `axis`."""
    axis = one_of("axis", axis, "reduction_indices", reduction_indices)
    keepdims = bool(one_of("keepdims", keepdims, "keep_dims", keep_dims))
    x = one_of("input", input, "input_tensor", input_tensor)
    with name_scope(name, "count_nonzero", [x]):
        x = convert_to_tensor(x, name="input")
        if x.dtype.base_dtype is dtypes.string:
            zero = const_node(np.array(b"", object), dtypes.string)
        else:
            zero = const_node(np.zeros((), x.dtype.np), x.dtype.base_dtype)
        return cast(reduce_sum(cast(raw.NotEqual(x, zero), dtypes.int64), axis, keepdims), dtype)  # type: ignore[no-any-return]


# --- where the extremes are ----------------------------------------------------------------------------------------------------------------
def argmax(
    input: Any, axis: Any = None, name: str | None = None, dimension: Any = None, output_type: Any = dtypes.int64
) -> Tensor:
    """The index of the largest element along `axis` (0 by default), the first of several."""
    axis = one_of("axis", axis, "dimension", dimension)
    return raw.ArgMax(input, 0 if axis is None else axis, output_type=output_type, name=name)  # type: ignore[no-any-return]


def argmin(
    input: Any, axis: Any = None, name: str | None = None, dimension: Any = None, output_type: Any = dtypes.int64
) -> Tensor:
    """The index of the smallest element along `axis` (0 by default), the first of several."""
    axis = one_of("axis", axis, "dimension", dimension)
    return raw.ArgMin(input, 0 if axis is None else axis, output_type=output_type, name=name)  # type: ignore[no-any-return]


def arg_max(input: Any, dimension: Any, output_type: Any = dtypes.int64, name: str | None = None) -> Tensor:
    """Deprecated order of `argmax`'s arguments."""
    return raw.ArgMax(input, dimension, output_type=output_type, name=name)  # type: ignore[no-any-return]


def arg_min(input: Any, dimension: Any, output_type: Any = dtypes.int64, name: str | None = None) -> Tensor:
    """Deprecated order of `argmin`'s arguments."""
    return raw.ArgMin(input, dimension, output_type=output_type, name=name)  # type: ignore[no-any-return]


# --- running totals ---------------------------------------------------------------------------------------------------------------------------
def _cumulative(name: str, op: str, doc: str) -> Callable[..., Any]:
    def function(
        x: Any, axis: Any = 0, exclusive: bool = False, reverse: bool = False, name: str | None = None
    ) -> Tensor:
        with name_scope(name, op, [x]) as scope:
            x = convert_to_tensor(x, name="x")
            return getattr(raw, op)(x, axis, exclusive=exclusive, reverse=reverse, name=scope)  # type: ignore[no-any-return]

    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"{doc} along `axis`; `exclusive` leaves each element itself out, `reverse` starts at the end."
    return function


cumsum = _cumulative("cumsum", "Cumsum", "The running sum")
cumprod = _cumulative("cumprod", "Cumprod", "The running product")
cumulative_logsumexp = _cumulative("cumulative_logsumexp", "CumulativeLogsumexp", "The running log(sum(exp(x)))")


# --- segments ------------------------------------------------------------------------------------------------------------------------------------
def _segment(name: str, op: str) -> Callable[..., Any]:
    def function(data: Any, segment_ids: Any, name: str | None = None) -> Tensor:
        return getattr(raw, op)(data, segment_ids, name=name)  # type: ignore[no-any-return]

    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"{op}: rows with the same (sorted) id combined."
    return function


def _unsorted(name: str, op: str) -> Callable[..., Any]:
    def function(data: Any, segment_ids: Any, num_segments: Any, name: str | None = None) -> Tensor:
        return getattr(raw, op)(data, segment_ids, num_segments, name=name)  # type: ignore[no-any-return]

    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"{op}: rows with the same id combined; negative ids are left out."
    return function


def _sparse_segment(name: str, op: str) -> Callable[..., Any]:
    def function(
        data: Any,
        indices: Any,
        segment_ids: Any,
        name: str | None = None,
        num_segments: Any = None,
        sparse_gradient: bool = False,
    ) -> Tensor:
        if num_segments is not None:
            numbered = getattr(raw, op + "WithNumSegments")
            return numbered(data, indices, segment_ids, num_segments, sparse_gradient=sparse_gradient, name=name)  # type: ignore[no-any-return]
        return getattr(raw, op)(data, indices, segment_ids, sparse_gradient=sparse_gradient, name=name)  # type: ignore[no-any-return]

    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"{op}: the rows `indices` of data, combined by (sorted) segment id."
    return function


def _segment_counts(data: Tensor, segment_ids: Any, num_segments: Any) -> Tensor:
    """How many rows each segment has, at least 1, shaped to divide the segments' sums."""
    num_segments = convert_to_tensor(num_segments)
    segment_ids = convert_to_tensor(segment_ids)
    one = const_node(np.asarray(1, data.dtype.np), data.dtype.base_dtype)
    n = raw.UnsortedSegmentSum(raw.Fill(raw.Shape(segment_ids), one), segment_ids, num_segments)
    trailing = raw.Fill(raw.ExpandDims(raw.Sub(raw.Rank(data), raw.Rank(segment_ids)), 0), 1)
    shape = raw.ConcatV2([raw.ExpandDims(cast(num_segments, dtypes.int32), 0), trailing], 0)
    return raw.Maximum(raw.Reshape(n, shape), one)  # type: ignore[no-any-return]


def unsorted_segment_mean(data: Any, segment_ids: Any, num_segments: Any, name: str | None = None) -> Tensor:
    """The mean of the rows with the same id."""
    with name_scope(name, "UnsortedSegmentMean"):
        data = convert_to_tensor(data)
        counts = _segment_counts(data, segment_ids, num_segments)
        return raw.RealDiv(raw.UnsortedSegmentSum(data, segment_ids, num_segments), counts, name="truediv")  # type: ignore[no-any-return]


def unsorted_segment_sqrt_n(data: Any, segment_ids: Any, num_segments: Any, name: str | None = None) -> Tensor:
    """The sum of the rows with the same id over the square root of their number."""
    with name_scope(name, "UnsortedSegmentSqrtN"):
        data = convert_to_tensor(data)
        counts = _segment_counts(data, segment_ids, num_segments)
        return raw.RealDiv(raw.UnsortedSegmentSum(data, segment_ids, num_segments), raw.Sqrt(counts), name="truediv")  # type: ignore[no-any-return]


# --- counting -------------------------------------------------------------------------------------------------------------------------------------
def bincount(
    arr: Any,
    weights: Any = None,
    minlength: Any = None,
    maxlength: Any = None,
    dtype: Any = dtypes.int32,
    name: str | None = None,
) -> Tensor:
    """How often each of 0 … max(arr) stands in arr, or the sum of its weights."""
    with name_scope(name, "bincount"):
        arr = convert_to_tensor(arr, dtype=dtypes.int32, name="arr")
        nonempty = raw.Greater(raw.Prod(raw.Shape(arr), [0]), 0)
        size = raw.Mul(cast(nonempty, dtypes.int32), raw.AddV2(reduce_max(arr), 1))
        if minlength is not None:
            size = raw.Maximum(convert_to_tensor(minlength, dtypes.int32, name="minlength"), size)
        if maxlength is not None:
            size = raw.Minimum(convert_to_tensor(maxlength, dtypes.int32, name="maxlength"), size)
        if weights is None:
            weights = const_node(np.zeros(0, dtypes.as_dtype(dtype).np), dtypes.as_dtype(dtype))
        else:
            weights = convert_to_tensor(weights, name="weights")
            return raw.UnsortedSegmentSum(weights, arr, size)  # type: ignore[no-any-return]
        return raw.Bincount(arr, size, weights)  # type: ignore[no-any-return]


def histogram_fixed_width(
    values: Any, value_range: Any, nbins: Any = 100, dtype: Any = dtypes.int32, name: str | None = None
) -> Tensor:
    """How many values fall into each of `nbins` equal bins; the outer bins take what lies outside `value_range`."""
    with name_scope(name, "histogram_fixed_width", [values, value_range, nbins]) as scope:
        return raw.HistogramFixedWidth(values, value_range, nbins, dtype=dtype, name=scope)  # type: ignore[no-any-return]


def histogram_fixed_width_bins(
    values: Any, value_range: Any, nbins: Any = 100, dtype: Any = dtypes.int32, name: str | None = None
) -> Tensor:
    """The bin of each value, in the shape of `values`."""
    with name_scope(name, "histogram_fixed_width_bins", [values, value_range, nbins]):
        values = convert_to_tensor(values, name="values")
        shape = raw.Shape(values)
        values = raw.Reshape(values, [-1])
        value_range = convert_to_tensor(value_range, values.dtype.base_dtype, name="value_range")
        n = cast(convert_to_tensor(nbins, dtypes.int32, name="nbins"), values.dtype)
        low, high = value_range[0], value_range[1]
        scaled = raw.RealDiv(values - low, high - low, name="scaled_values")
        indices = raw.Floor(n * scaled, name="indices")
        indices = raw.Maximum(raw.Minimum(indices, n - 1.0), const_node(np.zeros((), values.dtype.np)))
        return raw.Reshape(cast(indices, dtype), shape)  # type: ignore[no-any-return]


def squeezed_to_match(labels: Tensor, predictions: Tensor) -> tuple[Tensor, Tensor]:
    """Drops a last dimension of size 1 where one of the two has one more dimension than the other."""
    a, b = labels._shape, predictions._shape
    if a is not None and b is not None:
        if len(b) == len(a) + 1:
            predictions = raw.Squeeze(predictions, squeeze_dims=[-1])
        elif len(a) == len(b) + 1:
            labels = raw.Squeeze(labels, squeeze_dims=[-1])
    return labels, predictions


def confusion_matrix(
    labels: Any,
    predictions: Any,
    num_classes: Any = None,
    dtype: Any = dtypes.int32,
    name: str | None = None,
    weights: Any = None,
) -> Tensor:
    """A matrix whose element (i, j) counts the examples of class i that were predicted as j (or sums their weights)."""
    from hornbeam.api import check_ops
    from hornbeam.core.graph import control_dependencies

    with name_scope(name, "confusion_matrix", [predictions, labels, num_classes, weights]):
        labels, predictions = squeezed_to_match(
            convert_to_tensor(labels, name="labels"), convert_to_tensor(predictions, name="predictions")
        )
        values = {"labels": cast(labels, dtypes.int64), "predictions": cast(predictions, dtypes.int64)}

        def checked(check: Callable[[str, Tensor], Any]) -> None:
            for key, value in values.items():
                with control_dependencies([check(key, value)]):
                    values[key] = raw.Identity(value)

        checked(lambda key, v: check_ops.assert_non_negative(v, message=f"`{key}` contains negative values"))
        if num_classes is None:
            num_classes = raw.AddV2(
                raw.Maximum(*(reduce_max(values[k]) for k in ("predictions", "labels"))), np.int64(1)
            )
        else:
            limit = cast(num_classes, dtypes.int64)
            checked(lambda key, v: check_ops.assert_less(v, limit, message=f"`{key}` out of bound"))
        size = cast(num_classes, dtypes.int64)
        indices = raw.Pack([values["labels"], values["predictions"]], axis=1)
        if weights is None:
            weights = cast(raw.OnesLike(values["predictions"]), dtype)
        else:
            weights = convert_to_tensor(weights, name="weights")
            values["predictions"].shape.assert_is_compatible_with(weights.shape)
            weights = cast(weights, dtype)
        return raw.ScatterNd(indices, weights, raw.Pack([size, size]))  # type: ignore[no-any-return]


__tf_exports__: dict[str, str] = {}
for _name in ("sum", "mean", "max", "min", "prod", "all", "any", "logsumexp"):
    __tf_exports__ |= {f"reduce_{_name}": f"reduce_{_name}", f"math.reduce_{_name}": f"reduce_{_name}"}
for _name in ("reduce_euclidean_norm", "reduce_variance", "reduce_std", "cumulative_logsumexp"):
    __tf_exports__[f"math.{_name}"] = _name
for _kind in ("max", "mean", "min", "prod", "sum"):
    _name = f"segment_{_kind}"
    setattr(_HERE, _name, _segment(_name, f"Segment{_kind.title()}"))
    __tf_exports__ |= {_name: _name, f"math.{_name}": _name}
for _kind in ("max", "min", "prod", "sum"):
    _name = f"unsorted_segment_{_kind}"
    setattr(_HERE, _name, _unsorted(_name, f"UnsortedSegment{_kind.title()}"))
for _kind, _op in (("mean", "Mean"), ("sqrt_n", "SqrtN"), ("sum", "Sum")):
    _name = f"sparse_segment_{_kind}"
    setattr(_HERE, _name, _sparse_segment(_name, f"SparseSegment{_op}"))
    __tf_exports__ |= {_name: _name, f"sparse.segment_{_kind}": _name}
for _name in (
    *(f"unsorted_segment_{k}" for k in ("max", "mean", "min", "prod", "sqrt_n", "sum")), "argmax", "argmin", "cumsum", "cumprod", "bincount",
    "confusion_matrix", "count_nonzero",
):  # fmt: skip
    __tf_exports__ |= {_name: _name, f"math.{_name}": _name}
for _name in ("arg_max", "arg_min", "histogram_fixed_width", "histogram_fixed_width_bins"):
    __tf_exports__[_name] = _name
