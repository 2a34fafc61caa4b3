"""`tf.TensorArray`: an array of tensors for use in loops, kept in a TensorList that each write replaces."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from hornbeam.core import dtypes
from hornbeam.core.constant import constant_value
from hornbeam.core.graph import Operation, Tensor, convert_to_tensor, get_default_graph, name_scope
from hornbeam.core.registry import raw
from hornbeam.core.tensor_shape import _CONFLICT, Shape, TensorShape, merge, to_tuple


class TensorArray:
    """`size` tensors of one dtype. Methods that write return the array to go on with; the old one keeps the old contents.

    `clear_after_read` and `colocate_with_first_write_call` change nothing here: elements may be read any number of times.
    """

    def __init__(
        self,
        dtype: Any,
        size: Any = None,
        dynamic_size: bool | None = None,
        clear_after_read: bool | None = None,
        tensor_array_name: str | None = None,
        handle: Any = None,
        flow: Tensor | None = None,
        infer_shape: bool = True,
        element_shape: Any = None,
        colocate_with_first_write_call: bool = True,
        name: str | None = None,
    ) -> None:
        if handle is not None and tensor_array_name:
            raise ValueError("Cannot provide both a handle and tensor_array_name at the same time.")
        if handle is not None and element_shape is not None:
            raise ValueError("Cannot provide both a handle and element_shape at the same time.")
        if (handle is not None or flow is not None) and dynamic_size is not None:
            raise ValueError("Cannot provide both a handle and dynamic_size arguments to the constructor")
        if handle is not None and clear_after_read is not None:
            raise ValueError("Cannot provide both a handle and clear_after_read at the same time.")
        del clear_after_read, colocate_with_first_write_call
        self._dtype = dtypes.as_dtype(dtype).base_dtype
        self._dynamic_size = bool(dynamic_size)
        self._infer_shape = infer_shape
        # shared by all arrays that come of this one, so that a write in a loop body tells the array around the loop
        self._shape_seen: list[Shape] = [to_tuple(element_shape) if element_shape is not None else None]
        self._size = None
        if flow is None and isinstance(handle, Tensor) and handle.dtype.base_dtype is dtypes.variant:
            flow = handle
        if flow is not None:
            self._flow = flow
            return
        with name_scope(name, "TensorArrayV2", [size]) as scope:
            self._size = convert_to_tensor(0 if size is None else size, name="size")
            if self._size.dtype.base_dtype is not dtypes.int32:
                self._size = raw.Cast(self._size, DstT=dtypes.int32)
            self._flow = raw.TensorListReserve(
                _shape_input(self._element_shape),
                self._size,
                element_dtype=self._dtype,
                name=tensor_array_name or scope,
            )

    # loops carry the flow --------------------------------------------------------------------------------------------------
    def _flow_parts(self) -> list[Tensor]:
        return [self._flow]

    def _with_flow_parts(self, tensors: list[Tensor]) -> TensorArray:
        return self._with(tensors[0])

    def _with(self, flow: Tensor) -> TensorArray:
        new: TensorArray = object.__new__(type(self))
        new.__dict__.update(self.__dict__)
        new._flow = flow
        return new

    @property
    def _element_shape(self) -> Shape:
        return self._shape_seen[0]

    # what it is ------------------------------------------------------------------------------------------------------------
    @property
    def flow(self) -> Tensor:
        return self._flow

    @property
    def handle(self) -> Tensor:
        """The list itself: it plays the part of both the handle and the flow."""
        return self._flow

    @property
    def dtype(self) -> dtypes.DType:
        return self._dtype

    @property
    def dynamic_size(self) -> bool:
        return self._dynamic_size

    @property
    def element_shape(self) -> TensorShape:
        return TensorShape(self._element_shape)

    @property
    def graph(self) -> Any:
        return self._flow.graph

    @property
    def op(self) -> Operation:
        return self._flow.op

    @property
    def name(self) -> str:
        return self._flow.name

    def _as_graph_element(self) -> Tensor:
        return self._flow

    def identity(self) -> TensorArray:
        """The same contents behind the current control dependencies."""
        return self._with(raw.Identity(self._flow))

    def grad(self, source: str, flow: Tensor | None = None, name: str | None = None) -> TensorArray:
        """A zero array of the same size, to gather gradients in; `tf.gradients` needs none of this."""
        del source
        with name_scope(name, "TensorArrayGrad", [self._flow]):
            return self._with(raw.ZerosLike(self._flow if flow is None else flow))

    # elements -----------------------------------------------------------------------------------------------------------------
    def _check_element(self, shape: Shape) -> None:
        if not self._infer_shape:
            return
        merged = merge(self._element_shape, shape)
        if merged is _CONFLICT:
            raise ValueError(
                f"Inconsistent shapes: saw {TensorShape(shape)} but expected {TensorShape(self._element_shape)}"
            )
        self._shape_seen[0] = merged

    def _value(self, value: Any, name: str = "value") -> Tensor:
        t = convert_to_tensor(value, name=name, preferred_dtype=self._dtype)
        if t.dtype.base_dtype is not self._dtype:
            raise TypeError(
                f"TensorArray dtype is {self._dtype.name} but Op is trying to write dtype {t.dtype.base_dtype.name}"
            )
        return t

    def read(self, index: Any, name: str | None = None) -> Tensor:
        """Element `index`."""
        with name_scope(name, "TensorArrayV2Read", [self._flow, index]) as scope:
            value: Tensor = raw.TensorListGetItem(
                self._flow, _index(index), _shape_input(self._element_shape), element_dtype=self._dtype, name=scope
            )
            value._shape = self._element_shape
            return value

    def write(self, index: Any, value: Any, name: str | None = None) -> TensorArray:
        """The array with element `index` replaced."""
        with name_scope(name, "TensorArrayV2Write", [self._flow, index, value]) as scope:
            value = self._value(value)
            self._check_element(value._shape)
            return self._with(
                raw.TensorListSetItem(
                    self._flow, _index(index), value, resize_if_index_out_of_bounds=self._dynamic_size, name=scope
                )
            )

    def stack(self, name: str | None = None) -> Tensor:
        """All elements as one tensor [size, …]."""
        with name_scope(name, "TensorArrayV2Stack", [self._flow]) as scope:
            n = None
            if not self._dynamic_size and self._size is not None:
                n = constant_value(self._size)
            value: Tensor = raw.TensorListStack(
                self._flow,
                _shape_input(self._element_shape),
                element_dtype=self._dtype,
                num_elements=-1 if n is None else int(n),
                name=scope,
            )
            if self._element_shape is not None:
                value._shape = (None if n is None else int(n), *self._element_shape)
            return value

    def gather(self, indices: Any, name: str | None = None) -> Tensor:
        """Elements `indices` as one tensor [len(indices), …]."""
        with name_scope(name, "TensorArrayV2Gather", [self._flow, indices]) as scope:
            value: Tensor = raw.TensorListGather(
                self._flow, _index(indices), _shape_input(self._element_shape), element_dtype=self._dtype, name=scope
            )
            if self._element_shape is not None:
                rows = convert_to_tensor(indices)._shape
                value._shape = (None if rows is None else rows[0], *self._element_shape)
            return value

    def concat(self, name: str | None = None) -> Tensor:
        """The elements joined along their first dimension, in which they may differ."""
        with name_scope(name, "TensorArrayV2Concat", [self._flow]) as scope:
            s = self._element_shape
            value, _ = raw.TensorListConcatV2(
                self._flow,
                _shape_input(None if s is None else (None, *s[1:])),
                np.zeros([0], np.int64),
                element_dtype=self._dtype,
                name=scope,
            )
            if s is not None:
                value._shape = (None, *s[1:])
            return value  # type: ignore[no-any-return]

    def unstack(self, value: Any, name: str | None = None) -> TensorArray:
        """The array with the rows of `value` as its elements."""
        with name_scope(name, "TensorArrayUnstack", [self._flow, value]):
            value = self._value(value)
            rest = None if value._shape is None else value._shape[1:]
            self._check_element(rest)
            return self._with(raw.TensorListFromTensor(value, _shape_input(rest), name="TensorListFromTensor"))

    def scatter(self, indices: Any, value: Any, name: str | None = None) -> TensorArray:
        """The array with the rows of `value` at `indices`."""
        with name_scope(name, "TensorArrayScatter", [self._flow, value, indices]):
            value = self._value(value)
            if value._shape is not None:
                self._check_element(value._shape[1:])
            return self._with(raw.TensorListScatterIntoExistingList(self._flow, value, _index(indices)))

    def split(self, value: Any, lengths: Any, name: str | None = None) -> TensorArray:
        """The array with consecutive parts of `value`, of `lengths` rows each, as its elements."""
        with name_scope(name, "TensorArraySplit", [self._flow, value, lengths]):
            value = self._value(value)
            lengths = convert_to_tensor(lengths, name="lengths")
            if lengths.dtype.base_dtype is not dtypes.int64:
                lengths = raw.Cast(lengths, DstT=dtypes.int64)
            s = value._shape
            if s is not None:
                known = constant_value(lengths)
                first = int(known[0]) if known is not None and known.size and math.prod(known == known[0]) else None
                self._check_element((first, *s[1:]))
            return self._with(raw.TensorListSplit(value, _shape_input(None if s is None else (None, *s[1:])), lengths))

    def size(self, name: str | None = None) -> Tensor:
        """Number of elements."""
        if not self._dynamic_size and self._size is not None and self._size.graph is get_default_graph():
            return raw.Identity(self._size, name=name) if name else self._size
        return raw.TensorListLength(self._flow, name=name)  # type: ignore[no-any-return]

    def close(self, name: str | None = None) -> Operation:
        """Nothing is held that would need closing."""
        return raw.NoOp(name=name)  # type: ignore[no-any-return]

    def __repr__(self) -> str:
        return f"<tf.TensorArray {self.name!r} element_shape={self.element_shape} dtype={self._dtype.name}>"


def _shape_input(shape: Shape) -> Any:
    return np.array(-1, np.int32) if shape is None else np.array([-1 if d is None else d for d in shape], np.int32)


def _index(index: Any) -> Tensor:
    t = convert_to_tensor(index, name="index")
    return t if t.dtype.base_dtype is dtypes.int32 else raw.Cast(t, DstT=dtypes.int32)


__tf_exports__ = {"TensorArray": "TensorArray"}
