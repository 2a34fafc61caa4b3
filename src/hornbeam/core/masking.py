"""`boolean_mask`, which `tensor[mask]` needs as well as the public API."""

from __future__ import annotations

from typing import Any

from hornbeam.core.constant import constant_value
from hornbeam.core.graph import Tensor, convert_to_tensor, name_scope
from hornbeam.core.registry import raw


def boolean_mask(tensor: Any, mask: Any, name: str = "boolean_mask", axis: Any = None) -> Tensor:
    """Rows of `tensor` where `mask` (rank K ≥ 1, matching dims `axis`…`axis+K-1`) is true; those dims become one of unknown size."""
    with name_scope(name, "boolean_mask", [tensor, mask]):
        tensor = convert_to_tensor(tensor, name="tensor")
        mask = convert_to_tensor(mask, name="mask")
        mask_shape = mask._shape
        if mask_shape is None:
            raise ValueError(
                "Number of mask dimensions must be specified, even if some dimensions are None. E.g. shape=[None] is ok, but shape=None is not."
            )
        k = len(mask_shape)
        if k == 0:
            raise ValueError("mask cannot be scalar.")
        if axis is None:
            at = 0
        else:
            value = axis if isinstance(axis, int) else constant_value(convert_to_tensor(axis))
            if value is None:
                raise ValueError("boolean_mask needs a constant axis")
            at = int(value)
        if tensor._shape is not None:
            at = at % max(len(tensor._shape), 1)
            tensor.get_shape()[at : at + k].assert_is_compatible_with(mask_shape)
        shape = raw.Shape(tensor)
        lead = raw.Prod(shape[at : at + k], [0])
        flat = raw.Reshape(tensor, raw.ConcatV2([shape[:at], raw.Pack([lead]), shape[at + k :]], 0))
        if tensor._shape is not None:
            dims = tensor._shape
            middle = 1
            for d in dims[at : at + k]:
                middle = None if d is None or middle is None else middle * d  # type: ignore[assignment]
            flat.set_shape((*dims[:at], middle, *dims[at + k :]))
        rows = raw.Squeeze(raw.Where(raw.Reshape(mask, [-1])), squeeze_dims=[1])
        return raw.GatherV2(flat, rows, at)  # type: ignore[no-any-return]
