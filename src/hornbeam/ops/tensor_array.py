"""TensorArrayV3 and StackV2, which graphs of TensorFlow 1's own control flow hold. An array's content travels in its `flow` output as a
TensorList, so that loops over it compile; stacks are host resources."""

from __future__ import annotations

from typing import Any

import numpy as np

from hornbeam.core.graph import InferenceContext
from hornbeam.core.registry import no_gradient, op, raw
from hornbeam.core.state import ResourceRef
from hornbeam.core.tensor_shape import Shape
from hornbeam.ops import shapes
from hornbeam.ops.tensor_list import TensorList
from hornbeam.ops.xp import known, static

_ARRAY = "dtype: type; element_shape: shape = unknown"


class ArrayHandle(ResourceRef):
    """What a TensorArray's handle holds: its declaration. `gradient` arrays add up what is written twice."""

    __slots__ = ("dtype", "element_shape", "size", "dynamic", "gradient")

    def __init__(
        self, name: str, dtype: Any, element_shape: Shape, size: int, dynamic: bool, gradient: bool = False
    ) -> None:
        super().__init__(f"array/{name}/{size}", name, "TensorArray")
        self.dtype, self.element_shape, self.size, self.dynamic, self.gradient = (
            dtype,
            element_shape,
            size,
            dynamic,
            gradient,
        )


def _shape_tensor(shape: Shape) -> Any:
    return np.array(-1, np.int32) if shape is None else np.array([-1 if d is None else d for d in shape], np.int32)


def _list(handle: ArrayHandle, flow: Any) -> TensorList:
    """The content; a flow that is no list (a zero gradient) means an empty array.

    TensorFlow's gradient code hands the forward array's flow to the gradient array: that array's own content is zeros then.
    """
    if not isinstance(flow, TensorList):
        return TensorList(None, handle.size, handle.element_shape, handle.dtype, gradient=handle.gradient)
    if handle.gradient and not flow.gradient:
        zeros = flow.zeros_like() if flow.buffer is not None else flow
        return TensorList(zeros.buffer, zeros.length, zeros.element_shape, zeros.dtype, gradient=True)
    return flow


@op(f"TensorArrayV3(size: int32) -> (handle: resource, flow: float); {_ARRAY}; dynamic_size: bool = false; clear_after_read: bool = true; "
    "identical_element_shapes: bool = false; tensor_array_name: string = ''", shape=shapes.fixed((2,), ()), stateful=True)  # fmt: skip
def TensorArrayV3(size, dtype, element_shape, dynamic_size, ctx):
    n = int(static(size))
    if n < 0:
        raise ctx.fail(f"Size should be >= 0, but is {n}")
    return ArrayHandle(ctx.node, dtype, element_shape, n, dynamic_size), TensorList(None, n, element_shape, dtype)


def _gradient_of(handle: ArrayHandle, flow: Any) -> tuple[ArrayHandle, TensorList]:
    grad = ArrayHandle(handle.name + "@grad", handle.dtype, handle.element_shape, handle.size, handle.dynamic, True)
    return grad, _list(grad, flow)


@op("TensorArrayGradV3(handle: resource, flow_in: float) -> (grad_handle: resource, flow_out: float); source: string",
    shape=shapes.fixed((2,), ()), stateful=True)  # fmt: skip
def TensorArrayGradV3(handle, flow_in):
    return _gradient_of(handle, flow_in)


@op("TensorArrayGradWithShape(handle: resource, flow_in: float, shape_to_prepend: int32) -> (grad_handle: resource, flow_out: float); source: string",
    shape=shapes.fixed((2,), ()), stateful=True)  # fmt: skip
def TensorArrayGradWithShape(handle, flow_in, shape_to_prepend):
    return _gradient_of(handle, flow_in)


def _checked(index: Any, content: TensorList, ctx: Any, what: str) -> None:
    if known(index) and content.fixed and not 0 <= int(index) < content.length:
        raise ctx.fail(
            f"TensorArray {ctx.node}: Tried to {what} index {int(index)} but array size is: {content.length}"
        )


@op(
    "TensorArrayWriteV3(handle: resource, index: int32, value: T, flow_in: float) -> (flow_out: float); T: type",
    shape=shapes.scalar,
    stateful=True,
)
def TensorArrayWriteV3(handle, index, value, flow_in, ctx):
    return _write(handle, index, value, flow_in, ctx)


def _write(handle: ArrayHandle, index: Any, value: Any, flow_in: Any, ctx: Any) -> TensorList:
    content = _list(handle, flow_in)
    if handle.dynamic and known(index) and content.fixed and int(index) >= content.length:
        content = raw.TensorListResize.kernel(content, np.asarray(int(index) + 1, np.int32), ctx=ctx)
    _checked(index, content, ctx, "write to")
    if handle.gradient or content.gradient:
        held = _read(handle, index, content, ctx, value.shape)
        value = held + value
    out = raw.TensorListSetItem.kernel(
        content, index, value, element_dtype=content.dtype, resize_if_index_out_of_bounds=False, ctx=ctx
    )
    return _marked(out, content.gradient or handle.gradient)


def _marked(out: TensorList, gradient: bool) -> TensorList:
    out.gradient = gradient
    return out


def _read(handle: ArrayHandle, index: Any, content: TensorList, ctx: Any, shape: Any = None) -> Any:
    es = tuple(shape) if shape is not None else handle.element_shape
    return raw.TensorListGetItem.kernel(content, index, _shape_tensor(es), element_dtype=content.dtype, ctx=ctx)


@op(
    "TensorArrayReadV3(handle: resource, index: int32, flow_in: float) -> (value: dtype); dtype: type",
    shape=shapes.unknown,
    stateful=True,
)
def TensorArrayReadV3(handle, index, flow_in, ctx):
    content = _list(handle, flow_in)
    _checked(index, content, ctx, "read from")
    return _read(handle, index, content, ctx)


@op(f"TensorArrayGatherV3(handle: resource, indices: int32, flow_in: float) -> (value: dtype); {_ARRAY}",
    shape=lambda c: [None if c.attr("element_shape") is None else (_length(c), *c.attr("element_shape"))], stateful=True)  # fmt: skip
def TensorArrayGatherV3(handle, indices, flow_in, element_shape, ctx):
    content = _list(handle, flow_in)
    if known(indices) and content.fixed and np.array_equal(indices, np.arange(content.length)):
        return raw.TensorListStack.kernel(content, _shape_tensor(element_shape), num_elements=-1, ctx=ctx)
    return raw.TensorListGather.kernel(content, indices, _shape_tensor(element_shape), ctx=ctx)


def _length(c: InferenceContext) -> int | None:
    s = c.shape(1)
    return None if not s else s[0]


@op(
    "TensorArrayScatterV3(handle: resource, indices: int32, value: T, flow_in: float) -> (flow_out: float); T: type",
    shape=shapes.scalar,
    stateful=True,
)
def TensorArrayScatterV3(handle, indices, value, flow_in, ctx):
    content = _list(handle, flow_in)
    gradient = handle.gradient or content.gradient
    whole = known(indices) and np.array_equal(indices, np.arange(value.shape[0]))
    if whole and (handle.dynamic or content.fixed and content.length == value.shape[0]):
        fresh = TensorList(value, int(value.shape[0]), content.element_shape, content.dtype)
        return _marked(content.add(fresh) if gradient else fresh, gradient)
    for i in range(value.shape[0]):
        content = _write(handle, indices[i], value[i], content, ctx)
    return content


@op("TensorArrayConcatV3(handle: resource, flow_in: float) -> (value: dtype, lengths: int64); dtype: type; element_shape_except0: shape = unknown",
    shape=lambda c: [None if c.attr("element_shape_except0") is None else (None, *c.attr("element_shape_except0")), (None,)], stateful=True)  # fmt: skip
def TensorArrayConcatV3(handle, flow_in, element_shape_except0, ctx):
    content = _list(handle, flow_in)
    es = None if element_shape_except0 is None else (None, *element_shape_except0)
    return raw.TensorListConcatV2.kernel(content, _shape_tensor(es), np.zeros([0], np.int64), ctx=ctx)


@op(
    "TensorArraySplitV3(handle: resource, value: T, lengths: int64, flow_in: float) -> (flow_out: float); T: type",
    shape=shapes.scalar,
    stateful=True,
)
def TensorArraySplitV3(handle, value, lengths, flow_in, ctx):
    content = _list(handle, flow_in)
    gradient = handle.gradient or content.gradient
    out = raw.TensorListSplit.kernel(
        value, _shape_tensor((None, *value.shape[1:])), lengths, element_dtype=content.dtype, ctx=ctx
    )
    return _marked(content.add(out) if gradient else out, gradient)


@op("TensorArraySizeV3(handle: resource, flow_in: float) -> (size: int32)", shape=shapes.scalar, stateful=True)
def TensorArraySizeV3(handle, flow_in):
    return (
        np.asarray(_list(handle, flow_in).length, np.int32)
        if _list(handle, flow_in).fixed
        else _list(handle, flow_in).length
    )


@op("TensorArrayCloseV3(handle: resource) -> ()", shape=lambda c: [], stateful=True)
def TensorArrayCloseV3(handle):
    """The content is a value; nothing stays open."""


# --- stacks ------------------------------------------------------------------------------------------------------------
@op(
    "StackV2(max_size: int32) -> (handle: resource); elem_type: type; stack_name: string = ''",
    shape=shapes.vector,
    stateful=True,
    host=True,
)
def StackV2(max_size, elem_type, ctx):
    ref = ResourceRef(f"stack/{ctx.node}", ctx.node, "Stack")
    ctx.state.resources[ref.key] = []
    return ref


@op(
    "StackPushV2(handle: resource, elem: T) -> (output: T); T: type; swap_memory: bool = false",
    shape=lambda c: [c.shape(1)],
    stateful=True,
    host=True,
)
def StackPushV2(handle, elem, ctx):
    ctx.resource(handle.key).append(elem)
    return elem


@op(
    "StackPopV2(handle: resource) -> (elem: elem_type); elem_type: type", shape=shapes.unknown, stateful=True, host=True
)
def StackPopV2(handle, ctx):
    stack = ctx.resource(handle.key)
    if not stack:
        raise ctx.fail(f"Stack[{handle.name}] is empty when calling Pop().")
    return stack.pop()


@op("StackCloseV2(handle: resource) -> ()", shape=lambda c: [], stateful=True, host=True)
def StackCloseV2(handle, ctx):
    ctx.state.resources.pop(handle.key, None)


no_gradient(
    "TensorArrayV3",
    "TensorArrayCloseV3",
    "TensorArraySizeV3",
    "TensorArrayGradV3",
    "StackV2",
    "StackPushV2",
    "StackPopV2",
    "StackCloseV2",
)
