"""`tf.nn` functions made of several ops: losses, moments and normalisation, sampled classifiers."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from hornbeam.api import array_ops, array_select, math_ops
from hornbeam.api._nodes import cast
from hornbeam.api.nn_ops import _ensure_xent_args, softmax_cross_entropy_with_logits_v2
from hornbeam.api.random_ops import compute_accidental_hits, log_uniform_candidate_sampler
from hornbeam.api.reduction_ops import one_of, reduce_mean, reduce_prod, reduce_sum
from hornbeam.core import dtypes
from hornbeam.core.constant import const_node
from hornbeam.core.graph import Tensor, convert_to_tensor, name_scope
from hornbeam.core.registry import raw


# --- losses -----------------------------------------------------------------------------------------------------------------------
def _same_shape(what: str, a: Tensor, b: Tensor) -> None:
    if not a.get_shape().is_compatible_with(b.get_shape()):
        raise ValueError(f"{what} must have the same shape ({b.get_shape()} vs {a.get_shape()})")


def sigmoid_cross_entropy_with_logits(
    _sentinel: Any = None, labels: Any = None, logits: Any = None, name: str | None = None
) -> Tensor:
    """max(x, 0) - x * z + log(1 + exp(-|x|)) for logits x, labels z."""
    _ensure_xent_args("sigmoid_cross_entropy_with_logits", _sentinel, labels, logits)
    with name_scope(name, "logistic_loss", [logits, labels]) as scope:
        logits = convert_to_tensor(logits, name="logits")
        labels = convert_to_tensor(labels, name="labels")
        _same_shape("logits and labels", labels, logits)
        zeros = array_ops.zeros_like(logits)
        positive = raw.GreaterEqual(logits, zeros)
        relu_logits = raw.Select(positive, logits, zeros)
        neg_abs = raw.Select(positive, -logits, logits)
        return raw.Add(relu_logits - logits * labels, raw.Log1p(raw.Exp(neg_abs)), name=scope)


def weighted_cross_entropy_with_logits(
    labels: Any = None, logits: Any = None, pos_weight: Any = None, name: str | None = None, targets: Any = None
) -> Tensor:
    """sigmoid_cross_entropy_with_logits whose positive terms are weighted by `pos_weight`."""
    labels = one_of("labels", labels, "targets", targets)
    with name_scope(name, "logistic_loss", [logits, labels]) as scope:
        logits = convert_to_tensor(logits, name="logits")
        labels = convert_to_tensor(labels, name="labels")
        _same_shape("logits and labels", labels, logits)
        weight = 1 + (pos_weight - 1) * labels
        softened = raw.Log1p(raw.Exp(-raw.Abs(logits))) + raw.Relu(-logits)
        return raw.Add((1 - labels) * logits, weight * softened, name=scope)


def log_poisson_loss(targets: Any, log_input: Any, compute_full_loss: bool = False, name: str | None = None) -> Tensor:
    """exp(log_input) - log_input * targets, and Stirling's approximation of log(targets!) when asked for."""
    with name_scope(name, "log_poisson_loss", [log_input, targets]):
        log_input = convert_to_tensor(log_input, name="log_input")
        targets = convert_to_tensor(targets, name="targets")
        _same_shape("log_input and targets", targets, log_input)
        result = raw.Exp(log_input) - log_input * targets
        if compute_full_loss:
            half = convert_to_tensor(0.5, targets.dtype.base_dtype)
            two_pi = convert_to_tensor(2 * math.pi, targets.dtype.base_dtype)
            stirling = targets * raw.Log(targets) - targets + half * raw.Log(two_pi * targets)
            zeros, ones = array_ops.zeros_like(targets), array_ops.ones_like(targets)
            small = raw.LogicalAnd(raw.GreaterEqual(targets, zeros), raw.LessEqual(targets, ones))
            result = result + raw.Select(small, zeros, stirling)
        return result


# --- norms and moments ---------------------------------------------------------------------------------------------------------------
def l2_normalize(x: Any, axis: Any = None, epsilon: float = 1e-12, name: str | None = None, dim: Any = None) -> Tensor:
    """x / sqrt(max(sum(x ** 2), epsilon)) along `axis`."""
    axis = one_of("axis", axis, "dim", dim)
    with name_scope(name, "l2_normalize", [x]) as scope:
        x = convert_to_tensor(x, name="x")
        if x.dtype.is_complex:
            square_sum = reduce_sum(raw.Square(math_ops.real(x)) + raw.Square(math_ops.imag(x)), axis, keepdims=True)
            inverse = raw.Rsqrt(raw.Maximum(square_sum, epsilon))
            return math_ops.complex(math_ops.real(x) * inverse, math_ops.imag(x) * inverse, name=scope)
        square_sum = reduce_sum(raw.Square(x), axis, keepdims=True)
        return raw.Mul(x, raw.Rsqrt(raw.Maximum(square_sum, epsilon)), name=scope)


def zero_fraction(value: Any, name: str | None = None) -> Tensor:
    """The fraction of elements that are zero; float32, NaN for an empty tensor."""
    with name_scope(name, "zero_fraction", [value]):
        value = convert_to_tensor(value, name="value")
        size = array_ops.size(value, out_type=dtypes.int64)
        with name_scope("count_nonzero", values=[value]):
            zero = array_ops.zeros([], dtype=value.dtype.base_dtype)
            nonzero = reduce_sum(cast(raw.NotEqual(value, zero), dtypes.int64), name="nonzero_count")
        with name_scope("counts_to_fraction"):
            fraction = raw.RealDiv(cast(size - nonzero, dtypes.float32), cast(size, dtypes.float32), name="truediv")
        return array_ops.identity(fraction, "fraction")


def sufficient_statistics(
    x: Any,
    axes: Any,
    shift: Any = None,
    keep_dims: bool | None = None,
    name: str | None = None,
    keepdims: bool | None = None,
) -> tuple[Any, Tensor, Tensor, Any]:
    """(count, sum of x - shift, sum of (x - shift) ** 2, shift) over `axes`."""
    axes = sorted(set(axes))
    keep = bool(one_of("keepdims", keepdims, "keep_dims", keep_dims))
    with name_scope(name, "sufficient_statistics", [x, shift]):
        x = convert_to_tensor(x, name="x")
        if x._shape is not None and all(x._shape[d] is not None for d in axes):
            counts = convert_to_tensor(float(math.prod(x._shape[d] for d in axes)), x.dtype.base_dtype)  # type: ignore[misc]
        else:
            positive = [a + array_ops.rank(x) if a < 0 else a for a in axes]
            dims = array_select.gather(cast(array_ops.shape(x), x.dtype), positive)
            counts = reduce_prod(dims, name="count")
        if shift is not None:
            shift = convert_to_tensor(shift, name="shift")
            m, v = raw.Sub(x, shift), raw.SquaredDifference(x, shift)
        else:
            m, v = x, raw.Square(x)
        m = reduce_sum(m, axes, keepdims=keep, name="mean_ss")
        v = reduce_sum(v, axes, keepdims=keep, name="var_ss")
    return counts, m, v, shift


def normalize_moments(
    counts: Any, mean_ss: Any, variance_ss: Any, shift: Any, name: str | None = None
) -> tuple[Tensor, Tensor]:
    """(mean, variance) from what `sufficient_statistics` gives."""
    with name_scope(name, "normalize", [counts, mean_ss, variance_ss, shift]):
        divisor = raw.Reciprocal(counts, name="divisor")
        if shift is not None:
            shifted = raw.Mul(mean_ss, divisor, name="shifted_mean")
            mean = raw.AddV2(shifted, shift, name="mean")
        else:
            shifted = mean = raw.Mul(mean_ss, divisor, name="mean")
        variance = raw.Sub(raw.Mul(variance_ss, divisor), raw.Square(shifted), name="variance")
    return mean, variance


def moments(
    x: Any,
    axes: Any,
    shift: Any = None,
    name: str | None = None,
    keep_dims: bool | None = None,
    keepdims: bool | None = None,
) -> tuple[Tensor, Tensor]:
    """(mean, variance) over `axes`; float16 is computed in float32. `shift` has no effect, as in TensorFlow."""
    del shift
    keep = bool(one_of("keepdims", keepdims, "keep_dims", keep_dims))
    with name_scope(name, "moments", [x, axes]):
        x = convert_to_tensor(x, name="x")
        half = x.dtype.base_dtype is dtypes.float16
        y = cast(x, dtypes.float32) if half else x
        mean = reduce_mean(y, axes, keepdims=True, name="mean")
        distance = raw.SquaredDifference(y, array_ops.stop_gradient(mean))
        variance = reduce_mean(distance, axes, keepdims=True, name="variance")
        if not keep:
            mean, variance = array_ops.squeeze(mean, axes), array_ops.squeeze(variance, axes)
        return (cast(mean, dtypes.float16), cast(variance, dtypes.float16)) if half else (mean, variance)


def weighted_moments(
    x: Any, axes: Any, frequency_weights: Any, name: str | None = None, keep_dims: bool | None = None,
    keepdims: bool | None = None,
) -> tuple[Tensor, Tensor]:  # fmt: skip
    """(mean, variance) over `axes`, elements weighted by `frequency_weights`, which broadcasts against x."""
    keep = bool(one_of("keepdims", keepdims, "keep_dims", keep_dims))
    with name_scope(name, "weighted_moments", [x, frequency_weights, axes]):
        x = convert_to_tensor(x, name="x")
        weights = convert_to_tensor(frequency_weights, name="frequency_weights")
        half = x.dtype.base_dtype is dtypes.float16
        if half:
            x = cast(x, dtypes.float32)
        weights = cast(weights, x.dtype)
        weighted_sum = reduce_sum(weights * x, axes, name="weighted_input_sum", keepdims=True)
        total = reduce_sum(weights + array_ops.zeros_like(x), axes, name="sum_of_weights", keepdims=True)
        mean = raw.DivNoNan(weighted_sum, total)
        distance = reduce_sum(weights * raw.SquaredDifference(x, mean), axes, name="weighted_distsq", keepdims=True)
        variance = raw.DivNoNan(distance, total)
        if not keep:
            mean, variance = array_ops.squeeze(mean, axes), array_ops.squeeze(variance, axes)
        return (cast(mean, dtypes.float16), cast(variance, dtypes.float16)) if half else (mean, variance)


def batch_normalization(
    x: Any, mean: Any, variance: Any, offset: Any, scale: Any, variance_epsilon: Any, name: str | None = None
) -> Tensor:
    """(x - mean) / sqrt(variance + epsilon) * scale + offset; offset and scale may be None."""
    with name_scope(name, "batchnorm", [x, mean, variance, scale, offset]):
        x = convert_to_tensor(x)
        variance = convert_to_tensor(variance)
        inverse = raw.Rsqrt(variance + variance_epsilon)
        if scale is not None:
            inverse = inverse * scale
        shift = offset - mean * inverse if offset is not None else -mean * inverse
        return x * cast(inverse, x.dtype) + cast(shift, x.dtype)


def batch_norm_with_global_normalization(
    t: Any = None, m: Any = None, v: Any = None, beta: Any = None, gamma: Any = None, variance_epsilon: Any = None,
    scale_after_normalization: bool | None = None, name: str | None = None, input: Any = None, mean: Any = None,
    variance: Any = None,
) -> Tensor:  # fmt: skip
    """batch_normalization under the name of the first releases."""
    t, m, v = one_of("input", input, "t", t), one_of("mean", mean, "m", m), one_of("variance", variance, "v", v)
    return batch_normalization(t, m, v, beta, gamma if scale_after_normalization else None, variance_epsilon, name)


def fused_batch_norm(
    x: Any, scale: Any, offset: Any, mean: Any = None, variance: Any = None, epsilon: float = 0.001, data_format: str = "NHWC",
    is_training: bool = True, name: str | None = None, exponential_avg_factor: float = 1.0,
) -> tuple[Tensor, Tensor, Tensor]:  # fmt: skip
    """(y, batch or running mean, batch or running variance). FusedBatchNormV3."""
    if (not is_training or exponential_avg_factor != 1.0) and (mean is None or variance is None):
        raise ValueError(
            "Both 'mean' and 'variance' must be a 1D tensor when is_training is False or exponential_avg_factor != 1.0, got "
            f"{mean!r} and {variance!r}"
        )
    x = convert_to_tensor(x, name="input")
    scale = convert_to_tensor(scale, name="scale")
    offset = convert_to_tensor(offset, name="offset")
    if mean is None:
        mean = const_node(np.zeros(0, np.float32))
    if variance is None:
        variance = const_node(np.zeros(0, np.float32))
    y, running_mean, running_variance, *_ = raw.FusedBatchNormV3(
        x, scale, offset, mean, variance, epsilon=epsilon, exponential_avg_factor=exponential_avg_factor,
        data_format=data_format, is_training=is_training, name=name,
    )  # fmt: skip
    return y, running_mean, running_variance


def local_response_normalization(
    input: Any, depth_radius: int = 5, bias: float = 1, alpha: float = 1, beta: float = 0.5, name: str | None = None
) -> Tensor:
    """input / (bias + alpha * sum of squares of `depth_radius` neighbours to each side) ** beta, along the channels. LRN."""
    return raw.LRN(input, depth_radius=depth_radius, bias=bias, alpha=alpha, beta=beta, name=name)


# --- classifiers over a sample of the classes --------------------------------------------------------------------------------------------
def _sum_rows(x: Tensor) -> Tensor:
    """The sum of each row, as a product with a column of ones."""
    columns = array_ops.shape(x)[1]
    ones = array_ops.ones(raw.Pack([columns, 1]), x.dtype.base_dtype)
    return array_ops.reshape(raw.MatMul(x, ones), [-1])


def _compute_sampled_logits(
    weights: Any, biases: Any, labels: Any, inputs: Any, num_sampled: Any, num_classes: Any, num_true: int = 1,
    sampled_values: Any = None, subtract_log_q: bool = True, remove_accidental_hits: bool = False,
    partition_strategy: str = "mod", name: str | None = None, seed: int | None = None,
) -> tuple[Tensor, Tensor]:  # fmt: skip
    """(logits, labels) [batch, num_true + num_sampled]: the true classes' columns first, then the sample's."""
    from hornbeam.api.embedding_ops import as_list, embedding_lookup

    weights = as_list(weights)
    with name_scope(name, "compute_sampled_logits", [*weights, biases, inputs, labels]):
        inputs = convert_to_tensor(inputs, name="inputs")
        labels = cast(convert_to_tensor(labels, name="labels"), dtypes.int64)
        labels_flat = array_ops.reshape(labels, [-1])
        if sampled_values is None:
            sampled_values = log_uniform_candidate_sampler(
                true_classes=labels,
                num_true=num_true,
                num_sampled=num_sampled,
                unique=True,
                range_max=num_classes,
                seed=seed,
            )
        sampled, true_expected, sampled_expected = (array_ops.stop_gradient(s) for s in sampled_values)
        sampled = cast(sampled, dtypes.int64)
        all_ids = array_ops.concat([labels_flat, sampled], 0)
        n_labels = array_ops.shape(labels_flat)
        all_w = cast(embedding_lookup(weights, all_ids, partition_strategy=partition_strategy), inputs.dtype)
        true_w = array_ops.slice(all_w, [0, 0], raw.Pack([n_labels[0], -1]))
        sampled_w = array_ops.slice(all_w, raw.Pack([n_labels[0], 0]), [-1, -1])
        sampled_logits = raw.MatMul(inputs, sampled_w, transpose_b=True)
        all_b = cast(embedding_lookup(biases, all_ids, partition_strategy=partition_strategy), inputs.dtype)
        true_b = array_ops.slice(all_b, [0], n_labels)
        sampled_b = array_ops.slice(all_b, n_labels, [-1])
        dim = array_ops.shape(true_w)[1:2]
        grouped = array_ops.reshape(true_w, array_ops.concat([[-1, num_true], dim], 0))
        dots = raw.Mul(array_ops.expand_dims(inputs, 1), grouped)
        true_logits = array_ops.reshape(
            _sum_rows(array_ops.reshape(dots, array_ops.concat([[-1], dim], 0))), [-1, num_true]
        )
        true_logits = true_logits + array_ops.reshape(true_b, [-1, num_true])
        sampled_logits = sampled_logits + sampled_b
        if remove_accidental_hits:
            indices, ids, hits = compute_accidental_hits(labels, sampled, num_true=num_true)
            pairs = array_ops.concat(
                [array_ops.reshape(indices, [-1, 1]), array_ops.reshape(cast(ids, dtypes.int32), [-1, 1])],
                1,
                "sparse_indices",
            )
            shape = array_ops.concat([array_ops.shape(labels)[:1], array_ops.expand_dims(num_sampled, 0)], 0)
            sampled_logits = sampled_logits + raw.SparseToDense(
                pairs, shape, cast(hits, sampled_logits.dtype), 0.0, validate_indices=False
            )
        if subtract_log_q:
            true_logits = true_logits - raw.Log(true_expected)
            sampled_logits = sampled_logits - raw.Log(sampled_expected)
        logits = array_ops.concat([true_logits, sampled_logits], 1)
        targets = array_ops.concat(
            [array_ops.ones_like(true_logits) / num_true, array_ops.zeros_like(sampled_logits)], 1
        )
        return logits, targets


def nce_loss(
    weights: Any, biases: Any, labels: Any, inputs: Any, num_sampled: Any, num_classes: Any, num_true: int = 1,
    sampled_values: Any = None, remove_accidental_hits: bool = False, partition_strategy: str = "mod", name: str = "nce_loss",
) -> Tensor:  # fmt: skip
    """Noise-contrastive estimation loss per example; the gradients by weights and biases are IndexedSlices."""
    logits, targets = _compute_sampled_logits(
        weights, biases, labels, inputs, num_sampled, num_classes, num_true, sampled_values,
        remove_accidental_hits=remove_accidental_hits, partition_strategy=partition_strategy, name=name,
    )  # fmt: skip
    return _sum_rows(sigmoid_cross_entropy_with_logits(labels=targets, logits=logits, name="sampled_losses"))


def sampled_softmax_loss(
    weights: Any, biases: Any, labels: Any, inputs: Any, num_sampled: Any, num_classes: Any, num_true: int = 1,
    sampled_values: Any = None, remove_accidental_hits: bool = True, partition_strategy: str = "mod",
    name: str = "sampled_softmax_loss", seed: int | None = None,
) -> Tensor:  # fmt: skip
    """Softmax cross entropy over the true classes and a sample, per example."""
    logits, targets = _compute_sampled_logits(
        weights, biases, labels, inputs, num_sampled, num_classes, num_true, sampled_values,
        remove_accidental_hits=remove_accidental_hits, partition_strategy=partition_strategy, name=name, seed=seed,
    )  # fmt: skip
    targets = array_ops.stop_gradient(targets, name="labels_stop_gradient")
    return softmax_cross_entropy_with_logits_v2(labels=targets, logits=logits)


_NN = (
    "sigmoid_cross_entropy_with_logits", "weighted_cross_entropy_with_logits", "log_poisson_loss", "l2_normalize", "zero_fraction",
    "sufficient_statistics", "normalize_moments", "moments", "weighted_moments", "batch_normalization",
    "batch_norm_with_global_normalization", "fused_batch_norm", "local_response_normalization", "nce_loss", "sampled_softmax_loss",
)  # fmt: skip
__tf_exports__ = {
    **{f"nn.{n}": n for n in _NN},
    "nn.lrn": "local_response_normalization", "math.l2_normalize": "l2_normalize", "linalg.l2_normalize": "l2_normalize",
    "math.zero_fraction": "zero_fraction",
}  # fmt: skip
