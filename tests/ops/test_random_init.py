"""Initializers: configurations, partitions and the errors of wrong arguments (values: test_random_values.py)."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from hornbeam.api import init_ops, keras_initializers
from hornbeam.core import dtypes
from hornbeam.core.graph import Graph
from hornbeam.core.tensor_shape import Dimension, TensorShape
from hornbeam.runtime.session import Session


@pytest.fixture(autouse=True)
def graph():
    with Graph().as_default() as g:
        yield g


def value(tensor: Any) -> np.ndarray:
    with Session() as session:
        return session.run(tensor)


ALL = [
    init_ops.Zeros(dtypes.int32),
    init_ops.Ones(),
    init_ops.Constant(3.5),
    init_ops.RandomUniform(-1, 1, seed=3),
    init_ops.RandomNormal(0.5, 2.0, seed=3),
    init_ops.TruncatedNormal(0.5, 2.0, seed=3),
    init_ops.UniformUnitScaling(2.0, seed=3),
    init_ops.VarianceScaling(2.0, "fan_avg", "uniform", seed=3),
    init_ops.GlorotUniform(seed=3),
    init_ops.GlorotNormal(seed=3),
    init_ops.Orthogonal(2.0, seed=3),
    init_ops.Identity(2.0),
]


@pytest.mark.parametrize("initializer", ALL, ids=lambda i: type(i).__name__)
def test_configuration_makes_the_same_initializer_again(initializer: Any) -> None:
    copy = type(initializer).from_config(initializer.get_config())
    assert type(copy) is type(initializer) and copy.get_config() == initializer.get_config()
    assert (value(copy([4, 4])) == value(initializer([4, 4]))).all()


@pytest.mark.parametrize("shape", [[3, 4], (3, 4), TensorShape([3, 4]), [Dimension(3), Dimension(4)]])
@pytest.mark.parametrize("initializer", ALL, ids=lambda i: type(i).__name__)
def test_shapes_come_in_every_form(initializer: Any, shape: Any) -> None:
    assert initializer(shape).shape.as_list() == [3, 4]


@pytest.mark.parametrize(
    ("dtype", "zero", "one"), [(dtypes.string, b"", None), (dtypes.bool, False, True), (dtypes.int64, 0, 1)]
)
def test_zeros_and_ones_of_other_types(dtype: Any, zero: Any, one: Any) -> None:
    assert value(init_ops.Zeros()([2], dtype)).tolist() == [zero] * 2
    if one is not None:
        assert value(init_ops.Ones()([2], dtype)).tolist() == [one] * 2


def test_large_zeros_are_filled_not_stored() -> None:
    zeros = init_ops.Zeros()([100, 100])
    assert zeros.op.type == "Fill" and zeros.name == "zeros:0"
    assert not value(zeros).any()


def test_constant_fills_by_repeating_its_last_element() -> None:
    assert value(init_ops.Constant([1, 2, 3])([2, 3])).tolist() == [[1, 2, 3], [3, 3, 3]]
    assert value(init_ops.Constant([1, 2])([2, 2])).tolist() == [[1, 2], [2, 2]]


def test_constant_verifies_its_shape_when_asked() -> None:
    with pytest.raises((TypeError, ValueError)):
        init_ops.Constant([1, 2], verify_shape=True)([2, 2])
    with pytest.raises((TypeError, ValueError)):
        init_ops.Constant([1, 2])([2, 2], verify_shape=True)
    with pytest.raises(TypeError, match="Invalid type for initial value"):
        init_ops.Constant({"a": 1})


def test_scaling_looks_at_the_whole_variable_not_at_the_partition() -> None:
    part = SimpleNamespace(full_shape=[100, 8], var_offset=[25, 0])
    values = value(init_ops.VarianceScaling(1.0, "fan_in", "uniform", seed=1)([25, 8], partition_info=part))
    assert values.shape == (25, 8)
    assert 0.9 * math.sqrt(3 / 100) < np.abs(values).max() <= math.sqrt(3 / 100)
    values = value(init_ops.UniformUnitScaling(seed=1)([25, 8], partition_info=part))
    assert np.abs(values).max() <= math.sqrt(3 / 100)


def test_partition_of_an_identity_is_its_own_window() -> None:
    part = SimpleNamespace(full_shape=[4, 4], var_offset=[0, 2])
    assert (value(init_ops.Identity()([4, 2], partition_info=part)) == np.eye(4)[:, 2:]).all()


@pytest.mark.parametrize("shape", [[6, 3], [3, 6], [2, 3, 4]])
def test_orthogonal_has_orthonormal_rows_or_columns(shape: list[int]) -> None:
    q = value(init_ops.Orthogonal(seed=5)(shape)).reshape(-1, shape[-1])
    gram = q @ q.T if q.shape[0] < q.shape[1] else q.T @ q
    assert np.allclose(gram, np.eye(len(gram)), atol=1e-6)


def test_delta_orthogonal_convolution_keeps_norms_at_its_centre() -> None:
    kernel = value(init_ops.ConvolutionDeltaOrthogonal(2.0, seed=5)([3, 3, 2, 4]))
    assert np.allclose(kernel[1, 1] @ kernel[1, 1].T, 4 * np.eye(2), atol=1e-5)
    kernel[1, 1] = 0
    assert not kernel.any()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: init_ops.VarianceScaling(0.0), "positive"),
        (lambda: init_ops.VarianceScaling(mode="fan"), "mode"),
        (lambda: init_ops.VarianceScaling(distribution="cauchy"), "distribution"),
        (lambda: init_ops.RandomNormal(dtype=dtypes.int32), "floating point"),
        (lambda: init_ops.Identity()([3]), "two-dimensional"),
        (lambda: init_ops.Orthogonal()([3]), "at least two-dimensional"),
        (lambda: init_ops.ConvolutionDeltaOrthogonal()([3, 3]), "three to five"),
        (lambda: init_ops.ConvolutionDeltaOrthogonal()([3, 4, 2]), "cannot be greater"),
    ],
)
def test_wrong_arguments_are_refused(make: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()


def test_keras_names_and_configurations_lead_to_initializers() -> None:
    assert isinstance(keras_initializers.get("glorot_uniform"), init_ops.GlorotUniform)
    assert isinstance(keras_initializers.get(init_ops.Ones), init_ops.Ones)
    assert keras_initializers.get("normal").stddev == 0.05
    assert keras_initializers.get(len) is len and keras_initializers.get(None) is None
    copy = keras_initializers.get(keras_initializers.serialize(init_ops.VarianceScaling(2.0, "fan_out", seed=4)))
    assert (copy.scale, copy.mode, copy.seed) == (2.0, "fan_out", 4)
    with pytest.raises(ValueError, match="Unknown initializer: cauchy"):
        keras_initializers.get("cauchy")
    with pytest.raises(ValueError, match="Could not interpret"):
        keras_initializers.get(5)
