"""Constants: Python values as NumPy arrays by TensorFlow's rules, `Const` nodes, and what is known of a tensor while building."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from hornbeam.core import dtypes
from hornbeam.core.dtypes import DType
from hornbeam.core.graph import Graph, Tensor, fill_defaults, get_default_graph, group_inputs
from hornbeam.core.tensor_shape import Dimension, Shape, TensorShape, to_tuple

_FOLD_LIMIT = 4096  # elements: beyond it a folded value would bloat the graph rather than help shapes


# --- Python values → NumPy ------------------------------------------------------------------------------------------------
def as_array(value: Any, dtype: DType | None = None, preferred: DType | None = None) -> np.ndarray[Any, Any]:
    """A Python or NumPy value as an array of the dtype TensorFlow would give it.

    Python floats are float32, ints int32 (int64 when they do not fit), strings bytes; NumPy arrays keep their dtype. Raises
    TypeError for values of another kind than `dtype`, ValueError for ragged lists.
    """
    if isinstance(value, (np.ndarray, np.generic)):
        return _from_numpy(np.asarray(value), dtype)
    if isinstance(value, TensorShape):
        value = (
            [d.value for d in value.dims] if value.dims is not None and value.is_fully_defined() else _bad_shape(value)
        )
    elif isinstance(value, Dimension):
        value = value.value if value.value is not None else _bad_shape(value)
    if value is None:
        raise ValueError("None values not supported.")
    target = dtype or None
    if target is None and preferred is not None:
        try:
            return as_array(value, preferred)
        except (TypeError, ValueError):
            pass
    if target is not None and target.base_dtype is dtypes.string:
        return _strings(value)
    if isinstance(value, dict) or isinstance(value, set):
        raise TypeError(
            f"Failed to convert object of type {type(value)} to Tensor. Contents: {value}. Consider casting elements to a supported type."
        )
    kind = _kind(value)
    if kind == "s":
        if target is not None:
            raise TypeError(
                f"Expected {target.name}, got {_first_leaf(value)!r} of type '{type(_first_leaf(value)).__name__}' instead."
            )
        return _strings(value)
    if kind == "n":  # NumPy arrays or scalars among the leaves
        try:
            array = np.array(_plain(value))
        except ValueError as e:
            raise ValueError(f"Argument must be a dense tensor: {value!r} - its elements have different shapes.") from e
        if array.dtype == object:
            raise ValueError(f"Argument must be a dense tensor: {value!r}")
        if target is None and array.dtype == np.float64 and not _has_float64(value):
            target = dtypes.float32
        return _from_numpy(array, target)
    return _from_python(value, kind, target)


def _bad_shape(value: Any) -> Any:
    raise ValueError(f"Cannot convert a partially known TensorShape to a Tensor: {value}")


def _plain(value: Any) -> Any:
    if isinstance(value, (list, tuple)):
        return [_plain(v) for v in value]
    return value.value if isinstance(value, Dimension) else value


def _has_float64(value: Any) -> bool:
    if isinstance(value, (list, tuple)):
        return any(_has_float64(v) for v in value)
    return isinstance(value, (np.ndarray, np.generic)) and value.dtype == np.float64


def _first_leaf(value: Any) -> Any:
    while isinstance(value, (list, tuple)) and value:
        value = value[0]
    return value


def _kind(value: Any) -> str:
    """b(ool) < i(nt) < f(loat) < c(omplex); s(tring); n(umpy inside); e(mpty)."""
    if isinstance(value, (bool, np.bool_)) and not isinstance(value, np.generic):
        return "b"
    if isinstance(value, int):
        return "i"
    if isinstance(value, float):
        return "f"
    if isinstance(value, complex):
        return "c"
    if isinstance(value, (str, bytes, bytearray)):
        return "s"
    if isinstance(value, (np.ndarray, np.generic)):
        return "s" if value.dtype.kind in "SUO" else "n"
    if isinstance(value, Dimension):
        return "i"
    if isinstance(value, (list, tuple, range)) or hasattr(value, "__iter__") and hasattr(value, "__len__"):
        kinds = {_kind(v) for v in value} - {"e"}
        if not kinds:
            return "e"
        if len(kinds) == 1:
            return kinds.pop()
        if "s" in kinds:
            bad = (
                next(v for v in value if _kind(v) != "s")
                if "s" == _kind(value[0])
                else next(v for v in value if _kind(v) == "s")
            )
            raise TypeError(f"Cannot mix strings and numbers in one tensor: {bad!r} of type '{type(bad).__name__}'.")
        if "n" in kinds:
            return "n"
        if "b" in kinds:
            raise TypeError(f"Cannot mix bools and numbers in one tensor: {value!r}")
        return max(kinds, key="ifc".index)
    if hasattr(value, "__array__"):
        return "n"
    if hasattr(value, "__index__"):
        return "i"
    raise TypeError(
        f"Failed to convert object of type {type(value)} to Tensor. Contents: {value}. Consider casting elements to a supported type."
    )


def _from_numpy(array: np.ndarray[Any, Any], dtype: DType | None) -> np.ndarray[Any, Any]:
    if array.dtype.kind in "SUO":
        if dtype is not None and dtype.base_dtype is not dtypes.string:
            if array.dtype.kind == "O" and array.size and not isinstance(array.ravel()[0], (str, bytes)):
                return as_array(array.tolist(), dtype)
            raise TypeError(f"Expected {dtype.name}, got an array of strings instead.")
        if array.dtype.kind == "O" and array.size and not isinstance(array.ravel()[0], (str, bytes)):
            return as_array(array.tolist(), dtype)
        return _strings(array)
    if dtype is None:
        if array.dtype.byteorder == ">":
            array = array.astype(array.dtype.newbyteorder("="))
        return np.ascontiguousarray(array, dtypes.as_dtype(array.dtype).np).reshape(array.shape)
    if dtype.base_dtype is dtypes.string:
        raise TypeError(f"Expected string, got an array of {array.dtype} instead.")
    if array.dtype.names:
        array = array[array.dtype.names[0]]
    return np.asarray(array.astype(dtype.np))


_PY_TARGET = {"b": dtypes.bool, "f": dtypes.float32, "c": dtypes.complex128, "e": dtypes.float32}


def _from_python(value: Any, kind: str, target: DType | None) -> np.ndarray[Any, Any]:
    if target is not None and not _accepts(target, kind):
        leaf = _first_of_kind(value, kind)
        raise TypeError(f"Expected {target.name}, got {leaf!r} of type '{type(leaf).__name__}' instead.")
    plain = _plain(value) if isinstance(value, (list, tuple)) else (operator.index(value) if kind == "i" else value)
    try:
        if target is None and kind == "i":
            array: np.ndarray[Any, Any] = np.array(plain, dtype=np.int64 if _fits(plain) else np.uint64)
            if array.size == 0 or (array.min() >= -(2**31) and array.max() < 2**31):
                array = array.astype(np.int32)
            return array
        if kind == "i" and target is not None and (target.is_integer or target.is_quantized):
            exact = np.array(plain, dtype=np.int64 if target.base_dtype is not dtypes.uint64 else np.uint64)
            info = np.iinfo(target.np)
            if exact.size and (int(exact.min()) < info.min or int(exact.max()) > info.max):
                raise ValueError(
                    f"Can't convert Python sequence with out-of-range integer to Tensor of type {target.name}."
                )
            return exact.astype(target.np)
        return np.array(plain, dtype=(target or _PY_TARGET[kind]).np)
    except ValueError as e:
        if "out-of-range" in str(e):
            raise
        raise ValueError(f"Can't convert non-rectangular Python sequence to Tensor: {value!r}") from e
    except OverflowError as e:
        raise ValueError(f"Can't convert Python sequence with out-of-range integer to Tensor: {value!r}") from e


def _fits(plain: Any) -> bool:
    if isinstance(plain, list):
        return all(_fits(p) for p in plain)
    return bool(plain < 2**63)


def _accepts(target: DType, kind: str) -> bool:
    if kind == "e":
        return True
    if target.is_bool:
        return kind == "b"
    if target.is_integer or target.is_quantized:
        return kind == "i"
    if target.is_floating:
        return kind in "if"
    return target.is_complex and kind in "ifc"


def _first_of_kind(value: Any, kind: str) -> Any:
    if isinstance(value, (list, tuple)):
        for v in value:
            if _kind(v) in (kind,):
                return _first_of_kind(v, kind)
    return value


def _strings(value: Any) -> np.ndarray[Any, Any]:
    array = np.array(value, dtype=object) if not isinstance(value, np.ndarray) else value
    if isinstance(value, (list, tuple)) and array.dtype != object:
        array = np.array(value, dtype=object)
    out = np.empty(array.shape, dtype=object)
    flat_in, flat_out = array.reshape(-1), out.reshape(-1)
    for i, v in enumerate(flat_in):
        if isinstance(v, bytes):
            flat_out[i] = bytes(v)
        elif isinstance(v, str):
            flat_out[i] = v.encode()
        elif isinstance(v, bytearray):
            flat_out[i] = bytes(v)
        else:
            raise TypeError(f"Expected string, got {v!r} of type '{type(v).__name__}' instead.")
    return flat_out.reshape(array.shape)


# --- Const nodes --------------------------------------------------------------------------------------------------------------
def constant(
    value: Any, dtype: Any = None, shape: Any = None, name: str | None = "Const", verify_shape: bool = False
) -> Tensor:
    """A constant tensor. With `shape`, the value is reshaped or its last element repeated, as TF 1 does."""
    if isinstance(value, Tensor):
        raise TypeError(f"List of Tensors when single Tensor expected: {value}")
    array = as_array(value, None if dtype is None else dtypes.as_dtype(dtype).base_dtype)
    if shape is not None:
        target = to_tuple(shape)
        if target is None or None in target:
            raise ValueError(f"The shape of a constant must be fully known, got {TensorShape(target)}")
        if verify_shape and array.shape != target:
            raise TypeError(f"Expected Tensor's shape: {target}, got {array.shape}.")
        size = int(np.prod(np.array(target, np.int64), dtype=np.int64))
        if array.size != size:
            if array.size > size:
                raise ValueError(f"Too many elements provided. Needed at most {size}, but received {array.size}")
            flat = array.reshape(-1)
            if flat.size == 0:
                raise ValueError(f"An empty value cannot fill shape {target}")
            array = np.concatenate([flat, np.repeat(flat[-1:], size - flat.size)])
        array = array.reshape(target)
    return const_node(array, None if dtype is None else dtypes.as_dtype(dtype).base_dtype, name or "Const")


def const_node(
    array: np.ndarray[Any, Any], dtype: DType | None = None, name: str = "Const", graph: Graph | None = None
) -> Tensor:
    """A `Const` node holding `array`, which is not copied when it owns its data already."""
    from hornbeam.core.registry import get

    graph = graph or get_default_graph()
    if array.base is not None or array.flags.writeable:
        array = array.copy()
    array.setflags(write=False)
    full = name[:-1] if name.endswith("/") else graph.unique_name(name)
    attrs = {"value": array, "dtype": dtype or dtypes.as_dtype(array.dtype)}
    t = graph.add_node(get("Const"), full, [], attrs).outputs[0]
    t._const = array
    return t


def constant_from_python(value: Any, dtype: DType | None, name: str | None, preferred: Any = None) -> Tensor:
    """`convert_to_tensor` for plain values; lists holding tensors are packed."""
    if isinstance(value, (list, tuple)) and _holds_tensor(value):
        return _pack(value, dtype, name)
    array = as_array(
        value,
        None if dtype is None else dtype.base_dtype,
        None if preferred is None else dtypes.as_dtype(preferred).base_dtype,
    )
    out_dtype = dtype.base_dtype if dtype is not None else None
    if out_dtype is None and preferred is not None and dtypes.as_dtype(preferred).np == array.dtype:
        out_dtype = dtypes.as_dtype(preferred).base_dtype
    return const_node(array, out_dtype, name or "Const")


def _holds_tensor(value: Any) -> bool:
    return any(
        isinstance(v, Tensor)
        or hasattr(v, "_dense_var_to_tensor")
        or (isinstance(v, (list, tuple)) and _holds_tensor(v))
        for v in value
    )


def _pack(value: Any, dtype: DType | None, name: str | None) -> Tensor:
    from hornbeam.core.graph import convert_to_tensor, name_scope
    from hornbeam.core.registry import raw

    if dtype is None:
        dtype = _leaf_dtype(value)
    with name_scope(name or "packed") as scope:
        elems = []
        for i, v in enumerate(value):
            if isinstance(v, (list, tuple)) and _holds_tensor(v):
                elems.append(_pack(v, dtype, str(i)))
            else:
                elems.append(convert_to_tensor(v, dtype, name=str(i)))
        return raw.Pack(elems, axis=0, name=scope)  # type: ignore[no-any-return]


def _leaf_dtype(value: Any) -> DType | None:
    for v in value:
        if isinstance(v, Tensor) or hasattr(v, "_dense_var_to_tensor"):
            return v.dtype.base_dtype  # type: ignore[no-any-return]
        if isinstance(v, (list, tuple)):
            d = _leaf_dtype(v)
            if d is not None:
                return d
    return None


# --- what is known while building ------------------------------------------------------------------------------------------
_UNKNOWN: Any = object()


def constant_value(tensor: Tensor) -> np.ndarray[Any, Any] | None:
    """The value of a tensor that depends on constants and static shapes only, else None. Small integer chains fold."""
    cached = tensor._const
    if cached is _UNKNOWN:
        return None
    if cached is not None:
        return cached  # type: ignore[no-any-return]
    value = _evaluate(tensor)
    if value is not None:
        tensor._const = value
    elif tensor.op.type not in ("Shape", "Size", "Rank", "ShapeN") and not _may_become_known(tensor):
        tensor._const = _UNKNOWN
    return value


def _may_become_known(tensor: Tensor) -> bool:
    return any(t._const is not _UNKNOWN for t in tensor.op.inputs)


def _evaluate(tensor: Tensor) -> np.ndarray[Any, Any] | None:
    op = tensor.op
    kind = op.type
    if kind == "Const":
        value = op._attrs["value"]
        return value if isinstance(value, np.ndarray) else None
    if kind in ("Shape", "ShapeN"):
        shape = op.inputs[tensor.value_index]._shape
        return None if shape is None or None in shape else np.array(shape, op._attrs["out_type"].np)
    if kind == "Size":
        shape = op.inputs[0]._shape
        return (
            None
            if shape is None or None in shape
            else np.array(np.prod(np.array(shape, np.int64)), op._attrs["out_type"].np)
        )
    if kind == "Rank":
        shape = op.inputs[0]._shape
        return None if shape is None else np.array(len(shape), np.int32)
    if (
        kind == "StridedSlice"
        and op.inputs[0]._shape is not None
        and len(op.inputs[0]._shape) == 1
        and tensor.dtype.is_integer
    ):
        part = _partial_slice(op, 0)  # elements of a shape that is known in part
        if part is not None and None not in part:
            return np.array(part[0] if op._attrs["shrink_axis_mask"] & 1 else part, tensor.dtype.np)
    spec = op.spec
    if not spec.numpy or spec.stateful or spec.host or not op.inputs or spec.kernel is None:
        return None
    if any(
        t._shape is None or None in t._shape or int(np.prod(np.array(t._shape, np.int64))) > _FOLD_LIMIT
        for t in (*op.inputs, *op.outputs)
    ):
        return None
    values = []
    for t in op.inputs:
        v = constant_value(t)
        if v is None:
            return None
        values.append(v)
    try:
        attrs = {k: op._attrs[k] for k in spec.kernel_attrs}
        if spec.takes_ctx:
            attrs["ctx"] = None  # no execution here: a kernel that needs one fails, and the value stays unknown
        out = spec.kernel(*group_inputs(spec, op._attrs, values), **attrs)
    except Exception:  # a kernel that cannot say now will say at run time
        return None
    out = out[tensor.value_index] if isinstance(out, (tuple, list)) else out
    return out if isinstance(out, np.ndarray) else np.asarray(out) if isinstance(out, np.generic) else None


def partial_value(tensor: Tensor) -> Shape:
    """A 1-D integer tensor (a shape, usually) as a tuple with None for what is unknown; None when its length is unknown."""
    value = constant_value(tensor)
    if value is not None:
        return tuple(None if int(v) < 0 else int(v) for v in value.reshape(-1))
    parts = _partial(tensor, 0)
    if parts is not None:
        return tuple(None if v is None or v < 0 else v for v in parts)
    if tensor._shape is not None and len(tensor._shape) == 1 and tensor._shape[0] is not None:
        return (None,) * tensor._shape[0]
    return None


def partial_vector(tensor: Tensor) -> list[int | None] | None:
    """Like `partial_value`, keeping negative numbers (slice bounds, reshape targets)."""
    value = constant_value(tensor)
    if value is not None:
        return [int(v) for v in value.reshape(-1)]
    parts = _partial(tensor, 0)
    if parts is not None:
        return parts
    if tensor._shape is not None and len(tensor._shape) == 1 and tensor._shape[0] is not None:
        return [None] * tensor._shape[0]
    return None


def _partial(tensor: Tensor, depth: int) -> list[int | None] | None:
    if depth > 20:
        return None
    op = tensor.op
    match op.type:
        case "Shape":
            shape = op.inputs[0]._shape
            return None if shape is None else list(shape)
        case "ShapeN":
            shape = op.inputs[tensor.value_index]._shape
            return None if shape is None else list(shape)
        case "Cast" | "Identity":
            v = constant_value(op.inputs[0])
            return [int(x) for x in v.reshape(-1)] if v is not None else _partial(op.inputs[0], depth + 1)
        case "Pack":
            return (
                [_scalar(t, depth) for t in op.inputs]
                if tensor._shape is not None and len(tensor._shape) == 1
                else None
            )
        case "ConcatV2":
            out: list[int | None] = []
            for t in op.inputs[:-1]:
                part = partial_vector(t) if depth < 20 else None
                if part is None:
                    return None
                out += part
            return out
        case "StridedSlice":
            return _partial_slice(op, depth)
        case "Slice":
            base, begin, size = partial_vector(op.inputs[0]), constant_value(op.inputs[1]), constant_value(op.inputs[2])
            if base is None or begin is None or size is None:
                return None
            b, n = int(begin.reshape(-1)[0]), int(size.reshape(-1)[0])
            return base[b:] if n < 0 else base[b : b + n]
    return None


def _partial_slice(op: Any, depth: int) -> list[int | None] | None:
    base = partial_vector(op.inputs[0])
    b, e, s = (constant_value(t) for t in op.inputs[1:4])
    if base is None or b is None or e is None or s is None or len(b) != 1:
        return None
    a = op._attrs
    if a["ellipsis_mask"] or a["new_axis_mask"]:
        return None
    if a["shrink_axis_mask"] & 1:
        i = int(b[0])
        return [base[i]] if -len(base) <= i < len(base) else None
    begin = None if a["begin_mask"] & 1 else int(b[0])
    end = None if a["end_mask"] & 1 else int(e[0])
    return base[begin : end : int(s[0])]


def _scalar(tensor: Tensor, depth: int) -> int | None:
    v = constant_value(tensor)
    if v is not None and v.size == 1:
        return int(v.reshape(-1)[0])
    if tensor.op.type in ("StridedSlice", "Identity", "Cast", "Squeeze"):
        part = _partial_slice(tensor.op, depth) if tensor.op.type == "StridedSlice" else _partial(tensor, depth + 1)
        if part is not None and len(part) == 1:
            return part[0]
    return None


__all__ = [
    "as_array", "const_node", "constant", "constant_from_python", "constant_value", "fill_defaults", "partial_value", "partial_vector",
]  # fmt: skip
