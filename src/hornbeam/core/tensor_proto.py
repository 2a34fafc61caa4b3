"""Arrays to `TensorProto` and back, with TensorFlow's choice of fields (`tf.make_tensor_proto`, `tf.make_ndarray`)."""

from __future__ import annotations

import numbers
from collections.abc import Iterator
from typing import Any

import numpy as np

from hornbeam import proto
from hornbeam.core import dtypes, errors
from hornbeam.core.dtypes import DType

_TOO_LARGE = 1 << 31

_NO_CONVERSION = (
    "Failed to convert elements of {} to Tensor. Consider casting elements to a supported type. "
    "See https://www.tensorflow.org/api_docs/python/tf/dtypes for supported TF dtypes."
)

# DataType enum -> repeated field of TensorProto that holds its values one by one.
_FIELDS: dict[int, str] = {
    **dict.fromkeys((3, 4, 5, 6, 11, 12, 13, 15, 16, 17, 29, 30), "int_val"),
    1: "float_val",
    2: "double_val",
    7: "string_val",
    8: "scomplex_val",
    9: "int64_val",
    10: "bool_val",
    14: "half_val",
    18: "dcomplex_val",
    19: "half_val",
    22: "uint32_val",
    23: "uint64_val",
    24: "float8_val",
    25: "float8_val",
}

# Two or more values of these go into tensor_content. uint16 is not among them.
_CONTENT_TYPES = frozenset({1, 2, 3, 4, 5, 6, 9, 11, 12, 13, 14, 15, 16, 19, 22, 23, 24, 25})


def make_tensor_proto(
    values: Any, dtype: Any = None, shape: Any = None, verify_shape: bool = False, allow_broadcast: bool = False
) -> Any:
    """A TensorProto of a scalar, nested list or array, as TensorFlow fills it.

    Python floats become float32 and ints int32 (int64 where they do not fit) unless `dtype` says otherwise. With
    `shape`, fewer values than elements are allowed: the last one repeats. Raises TypeError for values that are not of
    `dtype`, ValueError for ragged lists, too many values or 2 GB and more.
    """
    if allow_broadcast and verify_shape:
        raise ValueError("allow_broadcast and verify_shape are not both allowed.")
    if isinstance(values, proto.TensorProto):
        return values
    wanted = dtypes.as_dtype(dtype).base_dtype if dtype is not None and dtype != 0 else None
    if shape is None and (scalar := _SCALARS.get((type(values), wanted))) is not None:
        enum, field, fits = scalar
        if fits is None or fits(values):
            return proto.TensorProto(dtype=enum, tensor_shape={}, **{field: [values]})
    array, found = _to_array(values, wanted, shape)
    if wanted is not None and wanted is not found:
        raise TypeError(f"`dtype` {wanted!s} is not compatible with {values} of dtype {array.dtype}.")

    if shape is None:
        dims: tuple[int, ...] = array.shape
        size = array.size
    else:
        dims = tuple(int(d) for d in shape)
        size = int(np.prod(dims, dtype=np.int64))
        _check_shape(array, dims, size, verify_shape, allow_broadcast)

    message = proto.TensorProto(dtype=found.as_datatype_enum)
    message.tensor_shape.SetInParent()
    for d in dims:
        message.tensor_shape.dim.add(size=d)
    _fill(message, values, array, found, content=size == array.size and size > 1)
    return message


def MakeNdarray(tensor: Any) -> np.ndarray:
    """The array of a TensorProto, writable; strings as objects (bytes), quantised types as one-field structs."""
    array = to_ndarray(tensor)
    if not array.flags.writeable or 0 in array.strides:
        array = _allocated(array)
    dtype = dtypes.as_dtype(tensor.dtype)
    return array.view(dtype.as_numpy_dtype) if dtype.is_quantized else array


def to_ndarray(tensor: Any) -> np.ndarray:
    """The array of a TensorProto in `DType.np`, for kernels: possibly read-only, a repeated value without its memory.

    Raises InvalidArgumentError when the declared shape, type and values do not fit together.
    """
    dims = tuple(d.size for d in tensor.tensor_shape.dim)
    if tensor.tensor_shape.unknown_rank or any(d < 0 for d in dims):
        raise _invalid(tensor, "it has no fully defined shape")
    try:
        dtype = dtypes.as_dtype(tensor.dtype).base_dtype
    except TypeError:
        raise _invalid(tensor, f"its dtype {tensor.dtype} is unknown") from None
    field = _FIELDS.get(dtype.as_datatype_enum)
    if field is None:
        raise TypeError(
            f"Unsupported tensor type: {tensor.dtype}. See https://www.tensorflow.org/api_docs/python/tf/dtypes "
            "for supported TF dtypes."
        )
    size = 1
    for d in dims:
        size *= d
    if size * max(dtype.size, 1) >= 1 << 62:
        raise _invalid(tensor, f"its shape {list(dims)} has too many elements")
    if tensor.tensor_content:
        return _from_content(tensor, dtype, dims, size)
    values = field_values(tensor, dtype)
    if values.size == size:
        return values.reshape(dims)
    if values.size > size:
        raise _invalid(tensor, f"it holds {values.size} values for shape {list(dims)}")
    if values.size <= 1:
        missing = b"" if dtype is dtypes.string else dtype.np.type(0)
        return np.broadcast_to(values[0] if values.size else np.array(missing, dtype.np), dims)
    try:
        return np.concatenate([values, np.broadcast_to(values[-1:], (size - values.size,))]).reshape(dims)
    except MemoryError:
        raise _no_memory(dims, dtype.np) from None


# Python scalars, which make up most constants of a graph, need no array: (type, dtype) -> enum, field, condition.
_SCALARS: dict[tuple[type, DType | None], tuple[int, str, Any]] = {
    **dict.fromkeys([(int, None), (int, dtypes.int32)], (3, "int_val", lambda v: -(2**31) <= v < 2**31)),
    (int, dtypes.int64): (9, "int64_val", lambda v: -(2**63) <= v < 2**63),
    **dict.fromkeys([(float, None), (float, dtypes.float32), (int, dtypes.float32)], (1, "float_val", None)),
    **dict.fromkeys([(bool, None), (bool, dtypes.bool)], (10, "bool_val", None)),
    **dict.fromkeys([(bytes, None), (bytes, dtypes.string)], (7, "string_val", None)),
}


# values -> array -----------------------------------------------------------------------------------------------------
def _to_array(values: Any, wanted: DType | None, shape: Any) -> tuple[np.ndarray, DType]:
    """The values as an array and its DType; `wanted` when the values may be converted to it."""
    quantized = wanted is not None and wanted.is_quantized
    if not isinstance(values, (np.ndarray, np.generic)) and _is_array_like(values):
        values = np.asarray(values)
    if isinstance(values, (np.ndarray, np.generic)):
        array = np.asarray(values)
        if wanted is not None and wanted.is_numpy_compatible:
            array = _astype(array, wanted)
    else:
        if values is None:
            raise ValueError("None values not supported.")
        array = _from_python(values, wanted, shape)
    found = wanted if quantized and wanted is not None else dtypes.as_dtype(array.dtype)
    if array.dtype.names:
        array = array.view(found.np)
    return array, found


def _astype(array: np.ndarray, wanted: DType) -> np.ndarray:
    if wanted is dtypes.string:
        return array if array.dtype.kind in "OSU" else array.astype(object)
    if array.dtype.names:  # quantised values arrive as one-field structs
        array = array.view(array.dtype[0])
    return array if array.dtype == wanted.np else array.astype(wanted.np)


def _from_python(values: Any, wanted: DType | None, shape: Any) -> np.ndarray:
    convertible = wanted is not None and wanted.is_numpy_compatible
    np_dtype = wanted.np if wanted is not None and convertible else None
    if isinstance(values, range):
        values = list(values)
    if shape is not None and np.prod([int(d) for d in shape], dtype=np.int64) == 0:
        array: Any = np.empty([int(d) for d in shape], np_dtype)
    else:
        _check_types(values, wanted)
        if wanted is not None and wanted.is_quantized:
            values, np_dtype = _strip_tuples(values), wanted.np
        try:
            array = np.array(values, np_dtype)
        except OverflowError:  # TensorFlow keeps the low bits
            array = _wrapped(values, wanted)
        dense = _dense_dimensions(values)
        if list(array.shape) != dense:
            raise ValueError(
                f"Expected values {values} to be a dense tensor with shape {dense}, but got shape {list(array.shape)}."
            )
    if wanted is None:
        if array.dtype == np.float64:
            with np.errstate(over="ignore"):
                array = array.astype(np.float32)
        elif array.dtype == np.int64:
            narrow: Any = array.astype(np.int32)
            if np.array_equal(narrow, array):
                array = narrow
    return array


def _wrapped(values: Any, wanted: DType | None) -> np.ndarray:
    wide = np.array(values, object)
    if wanted is None or not wanted.is_integer:
        raise TypeError(_NO_CONVERSION.format(values))
    bits = wanted.np.itemsize * 8
    unsigned = np.array([int(v) & ((1 << bits) - 1) for v in wide.ravel()], f"u{bits // 8}")
    return unsigned.view(wanted.np).reshape(wide.shape)


def _is_array_like(value: Any) -> bool:
    if isinstance(value, (bytes, str, int, float, list, tuple)) or _is_graph_tensor(type(value)):
        return False
    if callable(getattr(value, "__array__", None)) or isinstance(getattr(value, "__array_interface__", None), dict):
        return True
    try:
        memoryview(value)
    except TypeError:
        return False
    return True


def _is_graph_tensor(cls: type) -> bool:
    return hasattr(cls, "graph") and hasattr(cls, "op")


_INTEGRAL = (numbers.Integral, np.integer)
_REAL = (numbers.Real, np.integer, np.floating)
_COMPLEX = (numbers.Complex, np.number)


def _type_fits(cls: type, wanted: DType | None) -> bool:
    if wanted is None or not wanted.is_numpy_compatible:
        return not _is_graph_tensor(cls)
    if wanted is dtypes.string:
        return issubclass(cls, (bytes, str))
    if wanted.is_bool:
        return issubclass(cls, (bool, np.bool_))
    if wanted.is_integer:  # a Dimension is an integer, too
        return issubclass(cls, _INTEGRAL) or (hasattr(cls, "__index__") and not _is_graph_tensor(cls))
    if wanted.is_floating:
        return issubclass(cls, _REAL) or issubclass(cls, np.generic) and cls.__module__.startswith("ml_dtypes")
    return issubclass(cls, _COMPLEX)


def _check_types(values: Any, wanted: DType | None) -> None:
    """TypeError naming the first value that is not of the wanted type; looks at each distinct type once."""
    if wanted is not None and wanted.is_quantized:
        if not _quantized_tuples(values):
            raise _mismatch(next(_flat(values), values), wanted)
        return
    if all(_type_fits(cls, wanted) for cls in set(map(type, _flat(values))) - {np.ndarray}):
        bad = (v for v in _flat(values) if isinstance(v, np.ndarray) and not _type_fits(v.dtype.type, wanted))
    else:
        bad = (v for v in _flat(values) if not _type_fits(type(v), wanted))
    if not isinstance(values, (list, tuple)) and type(values) is not np.ndarray and _type_fits(type(values), wanted):
        return
    for v in bad:
        raise _mismatch(v, wanted)


def _mismatch(value: Any, wanted: DType | None) -> TypeError:
    if wanted is None:
        return TypeError("Expected any non-tensor type, but got a tensor instead.")
    return TypeError(f"Expected {wanted.name}, but got {value} of type '{type(value).__name__}'.")


def _quantized_tuples(values: Any) -> bool:
    """Whether the leaves are one-element tuples, the Python form of quantised values."""
    if isinstance(values, tuple) and len(values) == 1 and not isinstance(values[0], (list, tuple)):
        return True
    return isinstance(values, (list, tuple)) and all(_quantized_tuples(v) for v in values)


def _strip_tuples(values: Any) -> Any:
    if isinstance(values, tuple) and len(values) == 1 and not isinstance(values[0], (list, tuple)):
        return values[0]
    return [_strip_tuples(v) for v in values]


def _flat(values: Any) -> Iterator[Any]:
    if not isinstance(values, (list, tuple)):
        yield values
        return
    for v in values:
        if isinstance(v, (list, tuple)):
            yield from _flat(v)
        else:
            yield v


def _dense_dimensions(values: Any) -> list[int]:
    dims = []
    while isinstance(values, (list, tuple)):
        dims.append(len(values))
        if not values:
            break
        values = values[0]
    return dims


def _check_shape(array: np.ndarray, dims: tuple[int, ...], size: int, verify: bool, allow_broadcast: bool) -> None:
    if allow_broadcast:
        if array.shape not in ((1,), ()) and array.size != size:
            raise TypeError(f"Expected Tensor's shape: {dims}, but got {array.shape}.")
        return
    if verify and array.shape != dims:
        raise TypeError(f"Expected Tensor's shape: {dims}, but got {array.shape}.")
    if array.size > size:
        raise ValueError(f"Too many elements provided. Takes at most {size:d}, but got {array.size:d}.")


# array -> fields -----------------------------------------------------------------------------------------------------
def _fill(message: Any, values: Any, array: np.ndarray, dtype: DType, content: bool) -> None:
    enum = dtype.as_datatype_enum
    if content and enum in _CONTENT_TYPES:
        if array.nbytes >= _TOO_LARGE:
            raise ValueError("Cannot create a tensor proto whose content is larger than 2GB.")
        message.tensor_content = _little_endian(array).tobytes()
        return
    if dtype is dtypes.string:
        message.string_val.extend(_strings(values, array))
        return
    field = _FIELDS.get(enum)
    if field is None:
        raise TypeError(f"Element type not supported in TensorProto: {dtype.name}.")
    flat = array.ravel()
    if field == "float8_val":
        message.float8_val = flat.tobytes()
    elif field == "half_val":
        message.half_val.extend(_little_endian(flat).view(np.uint16).tolist())
    elif field in ("scomplex_val", "dcomplex_val"):
        part = np.float32 if field == "scomplex_val" else np.float64
        getattr(message, field).extend(np.ascontiguousarray(flat.astype(dtype.np, copy=False)).view(part).tolist())
    elif enum in (29, 30):
        message.int_val.extend(flat.astype(np.int32).tolist())
    else:
        getattr(message, field).extend(flat.tolist())


def _little_endian(array: np.ndarray) -> np.ndarray:
    return array.astype(array.dtype.newbyteorder("<")) if array.dtype.byteorder == ">" else array


def _strings(values: Any, array: np.ndarray) -> list[bytes]:
    # Not through the array where there is a choice: NumPy trims trailing NULs.
    if isinstance(values, (np.ndarray, np.generic)) or _is_array_like(values):
        return [_as_bytes(v) for v in array.ravel().tolist()] if array.size else []
    try:
        return [_as_bytes(v) for v in _flat(values)]
    except TypeError:
        raise TypeError(_NO_CONVERSION.format(values)) from None


def _as_bytes(value: Any) -> bytes:
    if isinstance(value, str):
        return value.encode()
    if isinstance(value, bytes):
        return value
    if isinstance(value, bytearray):
        return bytes(value)
    raise TypeError(f"Expected binary or unicode string, got {value!r}")


# fields -> array -----------------------------------------------------------------------------------------------------
def _from_content(tensor: Any, dtype: DType, dims: tuple[int, ...], size: int) -> np.ndarray:
    content = tensor.tensor_content
    if dtype is dtypes.string:
        raise _invalid(tensor, "a string tensor cannot be given as tensor_content here")
    if len(content) != size * dtype.np.itemsize:
        raise _invalid(
            tensor, f"its content has {len(content)} bytes where shape {list(dims)} needs {size * dtype.np.itemsize}"
        )
    return np.frombuffer(content, dtype.np).reshape(dims)


def fill_values(tensor: Any, array: np.ndarray, dtype: DType) -> None:
    """Puts the values of an array into the repeated field for `dtype`, one by one; inverse of `field_values`."""
    _fill(tensor, array, array, dtype, content=False)


def field_values(tensor: Any, dtype: DType) -> np.ndarray:
    """The values of the repeated field that holds tensors of `dtype`, as a flat array, whatever the declared shape."""
    enum = dtype.as_datatype_enum
    values = getattr(tensor, _FIELDS[enum])
    if enum == 7:
        array = np.empty(len(values), object)
        array[:] = values
        return array
    if enum in (24, 25):
        return np.frombuffer(values, dtype.np)
    if enum in (14, 19):
        return np.fromiter(values, np.int64, len(values)).astype(np.uint16).view(dtype.np)
    if enum in (8, 18):
        part = np.float32 if enum == 8 else np.float64
        return np.fromiter(values, part, len(values) // 2 * 2).view(dtype.np)
    if _FIELDS[enum] == "int_val" and enum != 3:
        return np.fromiter(values, np.int32, len(values)).astype(dtype.np)
    return np.fromiter(values, dtype.np, len(values))


def _allocated(array: np.ndarray) -> np.ndarray:
    try:
        return array.copy()
    except MemoryError:
        raise _no_memory(array.shape, array.dtype) from None


def _no_memory(dims: tuple[int, ...], dtype: Any) -> errors.OpError:
    why = f"OOM when allocating tensor with shape{list(dims)} and type {dtype}"
    return errors.ResourceExhaustedError(None, None, why)


def _invalid(tensor: Any, why: str) -> errors.OpError:
    return errors.InvalidArgumentError(None, None, f"Cannot parse tensor from proto: {why}.")
