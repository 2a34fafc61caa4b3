"""`tf.ConditionalAccumulator` and `tf.SparseConditionalAccumulator`: means of the gradients that several workers bring."""

from __future__ import annotations

from typing import Any

import numpy as np

from hornbeam.api import math_ops
from hornbeam.core import dtypes
from hornbeam.core.graph import IndexedSlices, Operation, Tensor, convert_to_tensor
from hornbeam.core.registry import raw
from hornbeam.core.tensor_shape import TensorShape


class ConditionalAccumulatorBase:
    """A handle of an accumulator in the session. Gradients whose `local_step` is behind its global step are dropped."""

    def __init__(self, dtype: Any, shape: Any, accumulator_ref: Tensor) -> None:
        self._dtype = dtypes.as_dtype(dtype)
        self._shape = TensorShape(shape)
        self._accumulator_ref = accumulator_ref
        self._name = accumulator_ref.op.name.split("/")[-1]

    @property
    def accumulator_ref(self) -> Tensor:
        return self._accumulator_ref

    @property
    def name(self) -> str:
        return self._name

    @property
    def dtype(self) -> Any:
        return self._dtype

    def _op(self, name: str) -> Any:
        return getattr(raw, ("Resource" if self._accumulator_ref.dtype == dtypes.resource else "") + name)

    def num_accumulated(self, name: str | None = None) -> Tensor:
        """How many gradients there are, int32."""
        return self._op("AccumulatorNumAccumulated")(self._accumulator_ref, name=name or f"{self._name}_NumAccumulated")  # type: ignore[no-any-return]

    def set_global_step(self, new_global_step: Any, name: str | None = None) -> Operation:
        step = math_ops.cast(convert_to_tensor(new_global_step), dtypes.int64)
        return self._op("AccumulatorSetGlobalStep")(self._accumulator_ref, step, name=name)  # type: ignore[no-any-return]


class ConditionalAccumulator(ConditionalAccumulatorBase):
    """Adds dense gradients up; `take_grad` waits until enough have come and gives their mean (or sum)."""

    def __init__(
        self, dtype: Any, shape: Any = None, shared_name: str | None = None, name: str = "conditional_accumulator", reduction_type: str = "MEAN"
    ) -> None:  # fmt: skip
        ref = raw.ResourceConditionalAccumulator(
            dtype=dtype, shape=TensorShape(shape), shared_name=shared_name, name=name, reduction_type=reduction_type
        )
        super().__init__(dtype, shape, ref)

    def apply_grad(self, grad: Any, local_step: Any = 0, name: str | None = None) -> Operation:
        grad = convert_to_tensor(grad, self._dtype)
        grad.get_shape().assert_is_compatible_with(self._shape)
        step = math_ops.cast(convert_to_tensor(local_step), dtypes.int64)
        return self._op("AccumulatorApplyGradient")(self._accumulator_ref, local_step=step, gradient=grad, name=name)  # type: ignore[no-any-return]

    def take_grad(self, num_required: Any, name: str | None = None) -> Tensor:
        """Of at least `num_required` gradients; the accumulator starts anew, one global step on."""
        out = self._op("AccumulatorTakeGradient")(self._accumulator_ref, num_required, dtype=self._dtype, name=name)
        out.set_shape(self._shape)
        return out  # type: ignore[no-any-return]


class SparseConditionalAccumulator(ConditionalAccumulatorBase):
    """Adds rows of gradients up; each row's mean is over the gradients that had it."""

    def __init__(
        self, dtype: Any, shape: Any = None, shared_name: str | None = None, name: str = "sparse_conditional_accumulator",
        reduction_type: str = "MEAN",
    ) -> None:  # fmt: skip
        ref = raw.SparseConditionalAccumulator(
            dtype=dtype, shape=TensorShape(shape), shared_name=shared_name, name=name, reduction_type=reduction_type
        )
        super().__init__(dtype, shape, ref)

    def _op(self, name: str) -> Any:
        return getattr(raw, name)

    def apply_indexed_slices_grad(self, grad: IndexedSlices, local_step: Any = 0, name: str | None = None) -> Operation:
        return self.apply_grad(grad.indices, grad.values, grad.dense_shape, local_step, name)

    def apply_grad(
        self, grad_indices: Any, grad_values: Any, grad_shape: Any = None, local_step: Any = 0, name: str | None = None
    ) -> Operation:
        step = math_ops.cast(convert_to_tensor(local_step), dtypes.int64)
        shape = np.zeros(0, np.int64) if grad_shape is None else math_ops.cast(grad_shape, dtypes.int64)
        return raw.SparseAccumulatorApplyGradient(  # type: ignore[no-any-return]
            self._accumulator_ref, local_step=step, gradient_indices=math_ops.cast(grad_indices, dtypes.int64), gradient_values=grad_values,
            gradient_shape=shape, has_known_shape=grad_shape is not None, name=name,
        )  # fmt: skip

    def take_grad(self, num_required: Any, name: str | None = None) -> Any:
        """(indices, values, shape) of at least `num_required` gradients."""
        return raw.SparseAccumulatorTakeGradient(self._accumulator_ref, num_required, dtype=self._dtype, name=name)

    def take_indexed_slices_grad(self, num_required: Any, name: str | None = None) -> IndexedSlices:
        indices, values, shape = self.take_grad(num_required, name)
        return IndexedSlices(values, indices, shape)


__tf_exports__ = {
    "ConditionalAccumulatorBase": "ConditionalAccumulatorBase",
    "ConditionalAccumulator": "ConditionalAccumulator",
    "SparseConditionalAccumulator": "SparseConditionalAccumulator",
    "sparse.SparseConditionalAccumulator": "SparseConditionalAccumulator",
}
