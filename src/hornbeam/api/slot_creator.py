"""Slots: variables that an optimizer or a moving average keeps beside another variable, named under it and colocated with it."""

from __future__ import annotations

import contextlib
from typing import Any

from hornbeam.api import init_ops
from hornbeam.api.variable_scope import get_variable, get_variable_scope, variable_scope
from hornbeam.core.graph import colocate_with
from hornbeam.core.registry import raw
from hornbeam.core.variables import SaveSliceInfo, Variable, is_resource_variable


def _prefix(primary: Any) -> str:
    return primary._shared_name if isinstance(primary, Variable) else primary.op.name


def _create(primary: Any, value: Any, name: str, validate_shape: bool, shape: Any, dtype: Any, colocate: bool) -> Any:
    with variable_scope(None, f"{_prefix(primary)}/{name}"):
        with colocate_with(primary.op) if colocate else contextlib.nullcontext():
            return _slot_variable(primary, value, validate_shape, shape, dtype)


def _slot_variable(primary: Any, value: Any, validate_shape: bool, shape: Any, dtype: Any) -> Any:
    scope = get_variable_scope()
    partitioner = scope.partitioner
    scope.set_partitioner(None)  # the slot of a partition is whole
    try:
        slot = get_variable(
            "",
            initializer=value,
            trainable=False,
            use_resource=is_resource_variable(primary) if isinstance(primary, Variable) else None,
            shape=shape if callable(value) else None,
            dtype=dtype,
            validate_shape=validate_shape,
        )
    finally:
        scope.set_partitioner(partitioner)
    info = primary._save_slice_info if isinstance(primary, Variable) else None
    rank = slot.get_shape().ndims
    if info is not None and rank != 0:
        # the slot of a partition is a slice of the whole variable's slot
        slot_name = slot.op.name[len(primary.op.name) + 1 :]
        slot._set_save_slice_info(
            SaveSliceInfo(
                f"{info.full_name}/{slot_name}", info.full_shape[:rank], info.var_offset[:rank], info.var_shape[:rank]
            )
        )
    return slot


def create_slot(primary: Any, val: Any, name: str, colocate_with_primary: bool = True) -> Any:
    """A slot of `primary` named `<primary>/<name>`, initialised to the tensor `val`."""
    return _create(primary, val, name, val.get_shape().is_fully_defined(), None, None, colocate_with_primary)


def create_slot_with_initializer(
    primary: Any, initializer: Any, shape: Any, dtype: Any, name: str, colocate_with_primary: bool = True
) -> Any:
    """A slot of the given shape and dtype, initialised by calling `initializer`."""
    return _create(primary, initializer, name, shape.is_fully_defined(), shape, dtype, colocate_with_primary)


def create_zeros_slot(primary: Any, name: str, dtype: Any = None, colocate_with_primary: bool = True) -> Any:
    """A slot of zeros in the shape of `primary`, which may be known only when it runs."""
    dtype = primary.dtype.base_dtype if dtype is None else dtype
    shape = primary.get_shape()
    if shape.is_fully_defined():
        return create_slot_with_initializer(primary, init_ops.Zeros(), shape, dtype, name, colocate_with_primary)
    source = primary.initialized_value() if isinstance(primary, Variable) else primary
    zeros = raw.Cast(raw.Fill(raw.Shape(source), 0), DstT=dtype)
    return create_slot(primary, zeros, name, colocate_with_primary)
