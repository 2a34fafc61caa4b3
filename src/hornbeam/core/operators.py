"""Python operators on Tensor (`x + y`, `x[1:, ...]`), with the node names TensorFlow 1 gives them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from hornbeam.core import dtypes
from hornbeam.core.graph import Tensor, convert_to_tensor, name_scope
from hornbeam.core.registry import raw
from hornbeam.core.tensor_shape import Dimension


def _other(value: Any, tensor: Any, name: str) -> Any:
    if isinstance(value, Tensor):
        return value
    if hasattr(value, "dense_shape") and hasattr(value, "indices"):
        return value
    return convert_to_tensor(value, dtype=tensor.dtype.base_dtype, name=name)


def _binary(op: str, name: str) -> tuple[Callable[..., Any], Callable[..., Any]]:
    def forward(x: Any, y: Any) -> Any:
        with name_scope(None, name, [x, y]) as scope:
            x = convert_to_tensor(x, name="x")
            try:
                y = _other(y, x, "y")
            except TypeError:
                if hasattr(type(y), f"__r{name}__") and not isinstance(
                    y, (int, float, complex, str, bytes, list, tuple, np.ndarray)
                ):
                    return NotImplemented
                raise
            return _apply(op, x, y, scope)

    def backward(y: Any, x: Any) -> Any:
        with name_scope(None, name, [x, y]) as scope:
            x = convert_to_tensor(x, dtype=y.dtype.base_dtype, name="x")
            return _apply(op, x, convert_to_tensor(y), scope)

    return forward, backward


def _apply(op: str, x: Any, y: Any, scope: str) -> Any:
    if op == "truediv":
        if x.dtype.base_dtype is not getattr(y, "dtype", x.dtype).base_dtype:
            raise TypeError(f"x and y must have the same dtype, got {x.dtype!r} != {y.dtype!r}")
        if x.dtype.base_dtype in _TRUEDIV:
            wide = _TRUEDIV[x.dtype.base_dtype]
            x, y = raw.Cast(x, DstT=wide, name="Cast"), raw.Cast(y, DstT=wide, name="Cast")
        return raw.RealDiv(x, y, name=scope)
    if op == "div":
        return (raw.RealDiv if x.dtype.is_floating or x.dtype.is_complex else raw.FloorDiv)(x, y, name=scope)
    if op in ("LogicalAnd", "LogicalOr", "LogicalXor"):
        if x.dtype.is_bool:
            if op == "LogicalXor":
                return raw.LogicalAnd(raw.LogicalOr(x, y), raw.LogicalNot(raw.LogicalAnd(x, y)), name=scope)
            return getattr(raw, op)(x, y, name=scope)
        return getattr(raw, {"LogicalAnd": "BitwiseAnd", "LogicalOr": "BitwiseOr", "LogicalXor": "BitwiseXor"}[op])(
            x, y, name=scope
        )
    return getattr(raw, op)(x, y, name=scope)


_TRUEDIV = {
    dtypes.uint8: dtypes.float32, dtypes.int8: dtypes.float32, dtypes.uint16: dtypes.float32, dtypes.int16: dtypes.float32,
    dtypes.int32: dtypes.float64, dtypes.int64: dtypes.float64, dtypes.uint32: dtypes.float64, dtypes.uint64: dtypes.float64,
}  # fmt: skip

_BINARY = {
    "add": ("AddV2", "add"), "sub": ("Sub", "sub"), "mul": ("Mul", "mul"), "div": ("div", "div"), "truediv": ("truediv", "truediv"),
    "floordiv": ("FloorDiv", "floordiv"), "mod": ("FloorMod", "mod"), "pow": ("Pow", "pow"), "and": ("LogicalAnd", "and"),
    "or": ("LogicalOr", "or"), "xor": ("LogicalXor", "xor"),
}  # fmt: skip
_COMPARE = {
    "lt": ("Less", "Less"),
    "le": ("LessEqual", "LessEqual"),
    "gt": ("Greater", "Greater"),
    "ge": ("GreaterEqual", "GreaterEqual"),
}


def _add(x: Any, y: Any) -> Any:
    """`+` concatenates strings too (op Add, which AddV2 does not do)."""
    t = x if isinstance(x, Tensor) else convert_to_tensor(x)
    if t.dtype.base_dtype is dtypes.string:
        with name_scope(None, "add", [x, y]) as scope:
            return raw.Add(t, _other(y, t, "y"), name=scope)
    return _ADD[0](x, y)


def _radd(y: Any, x: Any) -> Any:
    if y.dtype.base_dtype is dtypes.string:
        with name_scope(None, "add", [x, y]) as scope:
            return raw.Add(convert_to_tensor(x, dtypes.string), y, name=scope)
    return _ADD[1](y, x)


_ADD = _binary("AddV2", "add")


def _compare(op: str) -> Callable[..., Any]:
    return lambda x, y: getattr(raw, op)(x, _other(y, x, "y") if not isinstance(y, Tensor) else y)


def _matmul(x: Any, y: Any) -> Any:
    with name_scope(None, "matmul", [x, y]) as scope:
        x, y = convert_to_tensor(x), _other(y, x, "y")
        if x._shape is None or len(x._shape) > 2 or y._shape is None or len(y._shape) > 2:
            return raw.BatchMatMulV2(x, y, name=scope)
        return raw.MatMul(x, y, name=scope)


def _rmatmul(y: Any, x: Any) -> Any:
    return _matmul(convert_to_tensor(x, dtype=y.dtype.base_dtype), y)


def _check_index(i: Any) -> None:
    if isinstance(i, (int, np.integer, Dimension)) or i is None:
        return
    if isinstance(i, Tensor) and i.dtype.is_integer and (i._shape is None or len(i._shape) <= 0):
        return
    if hasattr(i, "_dense_var_to_tensor") and i.dtype.is_integer:
        return
    if isinstance(i, np.ndarray) and i.shape == () and i.dtype.kind in "iu":
        return
    raise TypeError(
        f"Only integers, slices (`:`), ellipsis (`...`), tf.newaxis (`None`) and scalar tf.int32/tf.int64 tensors are valid indices, got {i!r}"
    )


def slice_helper(tensor: Any, key: Any, var: Any = None) -> Any:
    """`tensor[key]` as one StridedSlice; a boolean mask goes to `boolean_mask`."""
    if (
        isinstance(key, (list, np.ndarray))
        and np.asarray(key).dtype == bool
        or isinstance(key, Tensor)
        and key.dtype.is_bool
    ):
        from hornbeam.core.masking import boolean_mask

        return boolean_mask(tensor, key)
    items = list(key) if isinstance(key, (list, tuple)) else [key]
    begin: list[Any] = []
    end: list[Any] = []
    strides: list[Any] = []
    masks = {"begin": 0, "end": 0, "ellipsis": 0, "new_axis": 0, "shrink_axis": 0}
    for i, item in enumerate(items):
        bit = 1 << i
        if item is Ellipsis:
            _append(begin, end, strides, 0, 0)
            masks["ellipsis"] |= bit
        elif item is None:
            _append(begin, end, strides, 0, 0)
            masks["new_axis"] |= bit
        elif isinstance(item, slice):
            for v in (item.start, item.stop, item.step):
                _check_index(v)
            begin.append(0 if item.start is None else _index(item.start))
            end.append(0 if item.stop is None else _index(item.stop))
            strides.append(1 if item.step is None else _index(item.step))
            masks["begin"] |= bit if item.start is None else 0
            masks["end"] |= bit if item.stop is None else 0
        else:
            _check_index(item)
            item = _index(item)
            begin.append(item)
            end.append(_after(item))
            strides.append(1)
            masks["shrink_axis"] |= bit
    with name_scope(None, "strided_slice", [tensor, *begin, *end, *strides]) as scope:
        tensor = convert_to_tensor(tensor)
        if begin:
            dtype = (
                dtypes.int64
                if any(getattr(v, "dtype", None) == dtypes.int64 for v in (*begin, *end, *strides))
                else dtypes.int32
            )
            b, e, s = (
                _stack(v, dtype, scope + n) for n, v in (("stack", begin), ("stack_1", end), ("stack_2", strides))
            )
        else:
            b = e = s = np.zeros([0], np.int32)
        return raw.StridedSlice(
            tensor, b, e, s, begin_mask=masks["begin"], end_mask=masks["end"], ellipsis_mask=masks["ellipsis"],
            new_axis_mask=masks["new_axis"], shrink_axis_mask=masks["shrink_axis"], name=scope,
        )  # fmt: skip


def _append(begin: list[Any], end: list[Any], strides: list[Any], b: Any, e: Any) -> None:
    begin.append(b)
    end.append(e)
    strides.append(1)


def _index(v: Any) -> Any:
    if isinstance(v, (Tensor, int)):
        return v
    if hasattr(v, "_dense_var_to_tensor"):
        return convert_to_tensor(v)
    return int(v)


def _after(v: Any) -> Any:
    return raw.AddV2(v, np.array(1, v.dtype.np), name="add") if isinstance(v, Tensor) else v + 1


def _stack(values: list[Any], dtype: Any, name: str) -> Any:
    if all(isinstance(v, int) for v in values):
        from hornbeam.core.constant import const_node

        return const_node(np.array(values, dtype.np), name=name.rsplit("/", 1)[-1])
    tensors = [
        (raw.Cast(v, DstT=dtype) if v.dtype.base_dtype is not dtype else v)
        if isinstance(v, Tensor)
        else convert_to_tensor(v, dtype)
        for v in values
    ]
    return raw.Pack(tensors, axis=0, name=name.rsplit("/", 1)[-1])


def install() -> None:
    """Puts the operators on Tensor."""
    for python_name, (op, name) in _BINARY.items():
        forward, backward = (_add, _radd) if python_name == "add" else _binary(op, name)
        Tensor._override_operator(f"__{python_name}__", forward)
        Tensor._override_operator(f"__r{python_name}__", backward)
    for python_name, (op, _) in _COMPARE.items():
        Tensor._override_operator(f"__{python_name}__", _compare(op))
    Tensor._override_operator("__matmul__", _matmul)
    Tensor._override_operator("__rmatmul__", _rmatmul)
    Tensor._override_operator("__neg__", lambda x: raw.Neg(x))
    Tensor._override_operator("__abs__", lambda x: (raw.ComplexAbs if x.dtype.is_complex else raw.Abs)(x))
    Tensor._override_operator(
        "__invert__",
        lambda x: raw.LogicalNot(x, name="LogicalNot") if x.dtype.is_bool else raw.Invert(x, name="Invert"),
    )
    Tensor._override_operator("__getitem__", slice_helper)


OPERATORS = (
    [f"__{n}__" for n in _BINARY] + [f"__r{n}__" for n in _BINARY] + [f"__{n}__" for n in _COMPARE]
    + ["__matmul__", "__rmatmul__", "__neg__", "__abs__", "__invert__", "__getitem__"]
)  # fmt: skip

install()
