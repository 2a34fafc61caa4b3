"""Initializers: `tf.zeros_initializer`, `tf.initializers.*` and the rest of TensorFlow 1's, with its values."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from hornbeam.api import array_ops, random_ops
from hornbeam.core import dtypes
from hornbeam.core.constant import constant
from hornbeam.core.dtypes import DType, as_dtype
from hornbeam.core.graph import Tensor
from hornbeam.core.registry import raw
from hornbeam.core.tensor_shape import TensorShape, dimension_value

_TRUNCATED_DEVIATION = 0.87962566103423978  # of a standard normal cut at two deviations


def _float_type(dtype: Any) -> DType:
    dtype = as_dtype(dtype)
    if not dtype.is_floating:
        raise ValueError(f"Argument `dtype` is expected to be floating point. Received: {dtype}.")
    return dtype


def _sizes(shape: Any) -> list[Any]:
    """A shape as a list of ints (and whatever else a caller put there)."""
    return shape.as_list() if isinstance(shape, TensorShape) else [dimension_value(d) for d in shape]


def _full(shape: Any, partition_info: Any) -> list[Any]:
    """The whole variable's shape, of which `shape` may be one partition."""
    return _sizes(shape if partition_info is None else partition_info.full_shape)


class Initializer:
    """Makes a tensor of a given shape: `initializer(shape, dtype=None, partition_info=None)`."""

    dtype: DType

    def __call__(self, shape: Any, dtype: Any = None, partition_info: Any = None) -> Tensor:
        raise NotImplementedError

    def get_config(self) -> dict[str, Any]:
        """What `from_config` needs to make this initializer again."""
        return {}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Initializer:
        return cls(**config)

    def _type(self, dtype: Any) -> DType:
        return self.dtype if dtype is None else as_dtype(dtype)


class Zeros(Initializer):
    """All zero (False, the empty string)."""

    def __init__(self, dtype: Any = dtypes.float32) -> None:
        self.dtype = as_dtype(dtype)

    def __call__(self, shape: Any, dtype: Any = None, partition_info: Any = None) -> Tensor:
        return array_ops.zeros(shape, self._type(dtype))

    def get_config(self) -> dict[str, Any]:
        return {"dtype": self.dtype.name}


class Ones(Initializer):
    """All one (True)."""

    def __init__(self, dtype: Any = dtypes.float32) -> None:
        self.dtype = as_dtype(dtype)

    def __call__(self, shape: Any, dtype: Any = None, partition_info: Any = None) -> Tensor:
        return array_ops.ones(shape, self._type(dtype))

    def get_config(self) -> dict[str, Any]:
        return {"dtype": self.dtype.name}


class Constant(Initializer):
    """A scalar, or a list or array whose elements fill the shape in order, the last one repeated (not if verified)."""

    def __init__(self, value: Any = 0, dtype: Any = dtypes.float32, verify_shape: bool = False) -> None:
        if not (np.isscalar(value) or isinstance(value, (list, tuple, np.ndarray))):
            raise TypeError(
                f"Invalid type for initial value={value} of type: {type(value).__name__}. Expected Python scalar, list "
                "or tuple of values, or numpy.ndarray."
            )
        self.value = value
        self.dtype = as_dtype(dtype)
        self._verify_shape = verify_shape

    def __call__(
        self, shape: Any, dtype: Any = None, partition_info: Any = None, verify_shape: bool | None = None
    ) -> Tensor:
        verify = self._verify_shape if verify_shape is None else verify_shape
        return constant(self.value, self._type(dtype), shape, verify_shape=verify)

    def get_config(self) -> dict[str, Any]:
        return {"value": self.value, "dtype": self.dtype.name}


class RandomUniform(Initializer):
    """Uniform in [minval, maxval)."""

    def __init__(
        self, minval: Any = 0.0, maxval: Any = None, seed: int | None = None, dtype: Any = dtypes.float32
    ) -> None:
        self.minval = minval
        self.maxval = maxval
        self.seed = seed
        self.dtype = as_dtype(dtype)

    def __call__(self, shape: Any, dtype: Any = None, partition_info: Any = None) -> Tensor:
        return random_ops.random_uniform(shape, self.minval, self.maxval, self._type(dtype), seed=self.seed)

    def get_config(self) -> dict[str, Any]:
        return {"minval": self.minval, "maxval": self.maxval, "seed": self.seed, "dtype": self.dtype.name}


class RandomNormal(Initializer):
    """Normal with the given mean and deviation."""

    def __init__(
        self, mean: Any = 0.0, stddev: Any = 1.0, seed: int | None = None, dtype: Any = dtypes.float32
    ) -> None:
        self.mean = mean
        self.stddev = stddev
        self.seed = seed
        self.dtype = _float_type(dtype)

    def __call__(self, shape: Any, dtype: Any = None, partition_info: Any = None) -> Tensor:
        return random_ops.random_normal(shape, self.mean, self.stddev, self._type(dtype), seed=self.seed)

    def get_config(self) -> dict[str, Any]:
        return {"mean": self.mean, "stddev": self.stddev, "seed": self.seed, "dtype": self.dtype.name}


class TruncatedNormal(RandomNormal):
    """Normal, values beyond two deviations drawn again."""

    def __call__(self, shape: Any, dtype: Any = None, partition_info: Any = None) -> Tensor:
        return random_ops.truncated_normal(shape, self.mean, self.stddev, self._type(dtype), seed=self.seed)


class UniformUnitScaling(Initializer):
    """Uniform in ±factor·√(3 / inputs), inputs being the product of all dimensions but the last."""

    def __init__(self, factor: float = 1.0, seed: int | None = None, dtype: Any = dtypes.float32) -> None:
        self.factor = factor
        self.seed = seed
        self.dtype = _float_type(dtype)

    def __call__(self, shape: Any, dtype: Any = None, partition_info: Any = None) -> Tensor:
        inputs = max(1.0, math.prod(float(d) for d in _full(shape, partition_info)[:-1]))
        limit = math.sqrt(3 / inputs) * self.factor
        return random_ops.random_uniform(shape, -limit, limit, self._type(dtype), seed=self.seed)

    def get_config(self) -> dict[str, Any]:
        return {"factor": self.factor, "seed": self.seed, "dtype": self.dtype.name}


_MODES = ("fan_in", "fan_out", "fan_avg")
_DISTRIBUTIONS = ("normal", "uniform", "truncated_normal", "untruncated_normal")


class VarianceScaling(Initializer):
    """Variance `scale` over the number of inputs, outputs or their mean; ValueError for an unknown mode."""

    def __init__(
        self,
        scale: float = 1.0,
        mode: str = "fan_in",
        distribution: str = "truncated_normal",
        seed: int | None = None,
        dtype: Any = dtypes.float32,
    ) -> None:
        if scale <= 0.0:
            raise ValueError(f"Argument `scale` must be a positive float. Received: {scale}")
        if mode not in _MODES:
            raise ValueError(f"Argument `mode` should be one of {_MODES}. Received: {mode}")
        distribution = distribution.lower()
        if distribution not in _DISTRIBUTIONS:
            raise ValueError(f"Argument `distribution` should be one of {_DISTRIBUTIONS}. Received: {distribution}")
        self.scale = scale
        self.mode = mode
        self.distribution = distribution
        self.seed = seed
        self.dtype = _float_type(dtype)

    def __call__(self, shape: Any, dtype: Any = None, partition_info: Any = None) -> Tensor:
        dtype = self._type(dtype)
        fan_in, fan_out = _fans(_full(shape, partition_info))
        fan = {"fan_in": fan_in, "fan_out": fan_out, "fan_avg": (fan_in + fan_out) / 2.0}[self.mode]
        scale = self.scale / max(1.0, fan)
        if self.distribution == "uniform":
            limit = math.sqrt(3.0 * scale)
            return random_ops.random_uniform(shape, -limit, limit, dtype, seed=self.seed)
        if self.distribution == "untruncated_normal":
            return random_ops.random_normal(shape, 0.0, math.sqrt(scale), dtype, seed=self.seed)
        return random_ops.truncated_normal(shape, 0.0, math.sqrt(scale) / _TRUNCATED_DEVIATION, dtype, seed=self.seed)

    def get_config(self) -> dict[str, Any]:
        return {
            "scale": self.scale,
            "mode": self.mode,
            "distribution": self.distribution,
            "seed": self.seed,
            "dtype": self.dtype.name,
        }


def _fans(shape: list[Any]) -> tuple[int, int]:
    """(inputs, outputs) of a layer whose weights have this shape: [..., inputs, outputs] of a convolution or matrix."""
    if len(shape) < 1:
        return 1, 1
    if len(shape) == 1:
        return int(shape[0]), int(shape[0])
    window = math.prod(shape[:-2])
    return int(shape[-2] * window), int(shape[-1] * window)


class _ScalingBy(VarianceScaling):
    """A `VarianceScaling` whose scale, mode and distribution are its name's."""

    _fixed: tuple[float, str, str]

    def __init__(self, seed: int | None = None, dtype: Any = dtypes.float32) -> None:
        super().__init__(*self._fixed, seed=seed, dtype=dtype)

    def get_config(self) -> dict[str, Any]:
        return {"seed": self.seed, "dtype": self.dtype.name}


class GlorotUniform(_ScalingBy):
    """Uniform in ±√(6 / (inputs + outputs)); also known as Xavier."""

    _fixed = (1.0, "fan_avg", "uniform")


class GlorotNormal(_ScalingBy):
    """Truncated normal of variance 2 / (inputs + outputs)."""

    _fixed = (1.0, "fan_avg", "truncated_normal")


def lecun_normal(seed: int | None = None) -> VarianceScaling:
    """Truncated normal of variance 1 / inputs."""
    return VarianceScaling(1.0, "fan_in", "truncated_normal", seed)


def lecun_uniform(seed: int | None = None) -> VarianceScaling:
    """Uniform of variance 1 / inputs."""
    return VarianceScaling(1.0, "fan_in", "uniform", seed)


def he_normal(seed: int | None = None) -> VarianceScaling:
    """Truncated normal of variance 2 / inputs."""
    return VarianceScaling(2.0, "fan_in", "truncated_normal", seed)


def he_uniform(seed: int | None = None) -> VarianceScaling:
    """Uniform of variance 2 / inputs."""
    return VarianceScaling(2.0, "fan_in", "uniform", seed)


class Identity(Initializer):
    """`gain` on the diagonal of a matrix; ValueError for other ranks."""

    def __init__(self, gain: float = 1.0, dtype: Any = dtypes.float32) -> None:
        self.gain = gain
        self.dtype = _float_type(dtype)

    def __call__(self, shape: Any, dtype: Any = None, partition_info: Any = None) -> Tensor:
        full = _full(shape, partition_info)
        if len(full) != 2:
            raise ValueError(f"Argument shape={shape} must be two-dimensional for an identity matrix.")
        dtype = self._type(dtype)
        matrix = constant(np.eye(*full, dtype=dtype.np), dtype, name="eye")
        if partition_info is not None:
            matrix = raw.Slice(matrix, list(partition_info.var_offset), _sizes(shape))
        return self.gain * matrix

    def get_config(self) -> dict[str, Any]:
        return {"gain": self.gain, "dtype": self.dtype.name}


class Orthogonal(Initializer):
    """`gain` times an orthogonal matrix, all dimensions but the last taken together as rows."""

    def __init__(self, gain: float = 1.0, seed: int | None = None, dtype: Any = dtypes.float32) -> None:
        self.gain = gain
        self.seed = seed
        self.dtype = _float_type(dtype)

    def __call__(self, shape: Any, dtype: Any = None, partition_info: Any = None) -> Tensor:
        sizes = _sizes(shape)
        if len(sizes) < 2:
            raise ValueError(f"The tensor to initialize must be at least two-dimensional. Received shape={shape}")
        rows, columns = math.prod(sizes[:-1]), sizes[-1]
        q = _random_orthogonal(max(rows, columns), min(rows, columns), self._type(dtype), self.seed)
        if rows < columns:
            q = array_ops.matrix_transpose(q)
        return self.gain * raw.Reshape(q, sizes)

    def get_config(self) -> dict[str, Any]:
        return {"gain": self.gain, "seed": self.seed, "dtype": self.dtype.name}


def _random_orthogonal(rows: int, columns: int, dtype: DType, seed: int | None) -> Tensor:
    """Uniformly distributed orthonormal columns [rows, columns]."""
    q, r = raw.Qr(random_ops.random_normal([rows, columns], dtype=dtype, seed=seed), full_matrices=False)
    return q * raw.Sign(raw.DiagPart(r))


class ConvolutionDeltaOrthogonal(Orthogonal):
    """A convolution kernel that is orthogonal at its centre and zero elsewhere: it keeps the input's norm."""

    def __call__(self, shape: Any, dtype: Any = None, partition_info: Any = None) -> Tensor:
        sizes = _sizes(shape)
        if not 3 <= len(sizes) <= 5:
            raise ValueError(f"The tensor to initialize must have three to five dimensions. Received shape={shape}")
        if sizes[-2] > sizes[-1]:
            raise ValueError(
                f"In_filters, shape[-2]={sizes[-2]}, cannot be greater than out_filters, shape[-1]={sizes[-1]}."
            )
        dtype = self._type(dtype)
        q = _random_orthogonal(sizes[-1], sizes[-1], dtype, self.seed)[: sizes[-2], :]
        q = q * constant(self.gain, dtype)
        centre = [(d - 1) // 2 for d in sizes[:-2]]
        return raw.ScatterNd([centre], raw.ExpandDims(q, 0), sizes)


zeros_initializer = Zeros
ones_initializer = Ones
constant_initializer = Constant
random_uniform_initializer = RandomUniform
random_normal_initializer = RandomNormal
truncated_normal_initializer = TruncatedNormal
uniform_unit_scaling_initializer = UniformUnitScaling
variance_scaling_initializer = VarianceScaling
orthogonal_initializer = Orthogonal
identity_initializer = Identity
glorot_uniform_initializer = GlorotUniform
glorot_normal_initializer = GlorotNormal

_EXPORTED = {
    "Initializer": "keras.initializers.Initializer",
    "Zeros": "zeros_initializer initializers.zeros keras.initializers.Zeros keras.initializers.zeros",
    "Ones": "ones_initializer initializers.ones keras.initializers.Ones keras.initializers.ones",
    "Constant": "constant_initializer initializers.constant keras.initializers.Constant keras.initializers.constant",
    "RandomUniform": "random_uniform_initializer initializers.random_uniform",
    "RandomNormal": "random_normal_initializer initializers.random_normal",
    "TruncatedNormal": "truncated_normal_initializer initializers.truncated_normal",
    "UniformUnitScaling": "uniform_unit_scaling_initializer initializers.uniform_unit_scaling",
    "VarianceScaling": "variance_scaling_initializer initializers.variance_scaling keras.initializers.VarianceScaling",
    "Orthogonal": "orthogonal_initializer initializers.orthogonal keras.initializers.Orthogonal "
    "keras.initializers.orthogonal",
    "Identity": "initializers.identity keras.initializers.Identity keras.initializers.identity",
    "GlorotUniform": "glorot_uniform_initializer initializers.glorot_uniform keras.initializers.glorot_uniform",
    "GlorotNormal": "glorot_normal_initializer initializers.glorot_normal keras.initializers.glorot_normal",
    "lecun_normal": "initializers.lecun_normal keras.initializers.lecun_normal",
    "lecun_uniform": "initializers.lecun_uniform keras.initializers.lecun_uniform",
    "he_normal": "initializers.he_normal keras.initializers.he_normal",
    "he_uniform": "initializers.he_uniform keras.initializers.he_uniform",
}
__tf_exports__ = {tf_name: target for target, names in _EXPORTED.items() for tf_name in names.split()}
