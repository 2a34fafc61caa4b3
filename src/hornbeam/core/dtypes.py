"""TensorFlow's data types (`tensorflow/core/framework/types.proto`), each with its NumPy representation."""

from __future__ import annotations

import builtins
import functools
from typing import Any

import numpy as np


class DType:
    """One element type. Interned: compare with `is` or `==`; `_ref` types are separate objects of the same base."""

    __slots__ = ("_enum", "_name", "_np", "_struct", "_base", "_ref")

    def __init__(self, enum: int, name: str, np_type: Any, base: DType | None = None) -> None:
        self._enum = enum
        self._name = name
        self._np = np_type
        self._struct: Any = None
        self._base: DType = base or self
        self._ref: DType | None = None

    # identity ------------------------------------------------------------------------------------------------------
    @property
    def name(self) -> str:
        return self._name

    @property
    def as_datatype_enum(self) -> int:
        return self._enum

    @property
    def base_dtype(self) -> DType:
        return self._base

    @property
    def _is_ref_dtype(self) -> builtins.bool:
        return self._enum > 100

    @property
    def _as_ref(self) -> DType:
        if self._enum > 100:
            return self
        return _BY_ENUM[self._enum + 100]

    @property
    def real_dtype(self) -> DType:
        return {complex64: float32, complex128: float64}.get(self._base, self)

    @property
    def np(self) -> np.dtype[Any]:
        """The plain NumPy dtype used by kernels (quantised types are their integers, strings are objects)."""
        if self._np is None:
            import ml_dtypes

            self._np = np.dtype(getattr(ml_dtypes, _ML_NAMES[self._base._name]))
        return self._np  # type: ignore[no-any-return]

    @property
    def as_numpy_dtype(self) -> Any:
        """The scalar type a TF program sees (`np.float32`); quantised types are one-field structs, as in TensorFlow."""
        if self.is_quantized:
            return np.dtype([(self._base._name, self.np)])
        return self.np.type

    # kinds ---------------------------------------------------------------------------------------------------------
    @property
    def is_bool(self) -> builtins.bool:
        return self._base._enum == 10

    @property
    def is_integer(self) -> builtins.bool:
        return self._base._enum in _INTEGERS

    @property
    def is_floating(self) -> builtins.bool:
        return self._base._enum in _FLOATING

    @property
    def is_complex(self) -> builtins.bool:
        return self._base._enum in (8, 18)

    @property
    def is_quantized(self) -> builtins.bool:
        return self._base._enum in _QUANTIZED

    @property
    def is_unsigned(self) -> builtins.bool:
        return self._base._enum in (4, 17, 22, 23)

    @property
    def is_numpy_compatible(self) -> builtins.bool:
        return self._base._enum not in (20, 21)

    @property
    def size(self) -> int:
        return self.np.itemsize if self.is_numpy_compatible and self._base._enum != 7 else 1

    @property
    def min(self) -> Any:
        return self._limit("min")

    @property
    def max(self) -> Any:
        return self._limit("max")

    def _limit(self, which: str) -> Any:
        if self.is_bool:
            return which == "max"
        if self.is_complex or self._base._enum in (7, 20, 21):
            raise TypeError(f"Cannot find {which}imum value of {self}.")
        if self.is_floating:
            if self._base._enum in _ML_ENUMS:
                import ml_dtypes

                return getattr(ml_dtypes.finfo(self.np), which)
            return getattr(np.finfo(self.np), which)
        return getattr(np.iinfo(self.np), which)

    @property
    def limits(self) -> tuple[Any, Any]:
        return self.min, self.max

    def is_compatible_with(self, other: Any) -> builtins.bool:
        other = as_dtype(other)
        return self._enum in (other.as_datatype_enum, other.base_dtype.as_datatype_enum)

    # Python --------------------------------------------------------------------------------------------------------
    def __eq__(self, other: object) -> builtins.bool:
        if other is self:
            return True
        if other is None:
            return False
        if isinstance(other, DType):
            return False
        try:
            return as_dtype(other) is self
        except TypeError:
            return False

    def __ne__(self, other: object) -> builtins.bool:
        return not self == other

    def __hash__(self) -> int:
        return self._enum

    def __int__(self) -> int:
        return self._enum

    def __str__(self) -> str:
        return f"<dtype: {self._name!r}>"

    def __repr__(self) -> str:
        return "tf." + self._name

    def __reduce__(self) -> Any:
        return as_dtype, (self._name,)


# enum, TF name, NumPy dtype (None: from ml_dtypes, imported when asked for)
_TABLE: list[tuple[int, str, Any]] = [
    (1, "float32", np.dtype(np.float32)),
    (2, "float64", np.dtype(np.float64)),
    (3, "int32", np.dtype(np.int32)),
    (4, "uint8", np.dtype(np.uint8)),
    (5, "int16", np.dtype(np.int16)),
    (6, "int8", np.dtype(np.int8)),
    (7, "string", np.dtype(object)),
    (8, "complex64", np.dtype(np.complex64)),
    (9, "int64", np.dtype(np.int64)),
    (10, "bool", np.dtype(np.bool_)),
    (11, "qint8", np.dtype(np.int8)),
    (12, "quint8", np.dtype(np.uint8)),
    (13, "qint32", np.dtype(np.int32)),
    (14, "bfloat16", None),
    (15, "qint16", np.dtype(np.int16)),
    (16, "quint16", np.dtype(np.uint16)),
    (17, "uint16", np.dtype(np.uint16)),
    (18, "complex128", np.dtype(np.complex128)),
    (19, "float16", np.dtype(np.float16)),
    (20, "resource", np.dtype(object)),
    (21, "variant", np.dtype(object)),
    (22, "uint32", np.dtype(np.uint32)),
    (23, "uint64", np.dtype(np.uint64)),
    (24, "float8_e5m2", None),
    (25, "float8_e4m3fn", None),
    (29, "int4", None),
    (30, "uint4", None),
]
_ML_NAMES = {n: n for n in ("bfloat16", "float8_e5m2", "float8_e4m3fn", "int4", "uint4")}
_ML_ENUMS = {14, 24, 25, 29, 30}
_INTEGERS = {3, 4, 5, 6, 9, 17, 22, 23, 29, 30}
_FLOATING = {1, 2, 14, 19, 24, 25}
_QUANTIZED = {11, 12, 13, 15, 16}

_BY_ENUM: dict[int, DType] = {}
_BY_NAME: dict[str, DType] = {}
for _e, _n, _t in _TABLE:
    _d = DType(_e, _n, _t)
    _r = DType(_e + 100, _n + "_ref", _t, _d)
    _BY_ENUM[_e], _BY_ENUM[_e + 100] = _d, _r
    _BY_NAME[_n], _BY_NAME[_n + "_ref"] = _d, _r

float32 = _BY_NAME["float32"]
float64 = double = _BY_NAME["float64"]
int32 = _BY_NAME["int32"]
uint8 = _BY_NAME["uint8"]
int16 = _BY_NAME["int16"]
int8 = _BY_NAME["int8"]
string = _BY_NAME["string"]
complex64 = _BY_NAME["complex64"]
int64 = _BY_NAME["int64"]
bool = _BY_NAME["bool"]  # noqa: A001  TensorFlow's name
qint8 = _BY_NAME["qint8"]
quint8 = _BY_NAME["quint8"]
qint32 = _BY_NAME["qint32"]
bfloat16 = _BY_NAME["bfloat16"]
qint16 = _BY_NAME["qint16"]
quint16 = _BY_NAME["quint16"]
uint16 = _BY_NAME["uint16"]
complex128 = _BY_NAME["complex128"]
float16 = half = _BY_NAME["float16"]
resource = _BY_NAME["resource"]
variant = _BY_NAME["variant"]
uint32 = _BY_NAME["uint32"]
uint64 = _BY_NAME["uint64"]
float8_e5m2 = _BY_NAME["float8_e5m2"]
float8_e4m3fn = _BY_NAME["float8_e4m3fn"]
int4 = _BY_NAME["int4"]
uint4 = _BY_NAME["uint4"]
_BY_NAME |= {"half": float16, "double": float64, "float": float32, "half_ref": float16._as_ref,
             "double_ref": float64._as_ref, "float_ref": float32._as_ref}  # fmt: skip

QUANTIZED_DTYPES = frozenset([qint8, quint8, qint32, qint16, quint16])

_PYTHON: dict[Any, DType] = {float: float32, int: int32, complex: complex128, builtins.bool: _BY_NAME["bool"],
                             str: string, bytes: string, object: string}  # fmt: skip
_NUMPY: dict[Any, DType] = {}
for _d in (float32, float64, int32, uint8, int16, int8, complex64, int64, _BY_NAME["bool"], uint16, complex128,
           float16, uint32, uint64):  # fmt: skip
    _NUMPY[_d.np] = _d
    _NUMPY[_d.np.type] = _d


def as_dtype(type_value: Any) -> DType:
    """Any of a DType, a DataType enum, a NumPy dtype or scalar type, a Python type or a name, as a DType.

    Raises TypeError for anything that has no DType.
    """
    if isinstance(type_value, DType):
        return type_value
    try:
        return _as_dtype(type_value)
    except TypeError as e:
        if "unhashable" not in str(e):
            raise
        return _convert(type_value)


@functools.cache
def _as_dtype(value: Any) -> DType:
    return _convert(value)


def _convert(value: Any) -> DType:
    if isinstance(value, str):
        if value in _BY_NAME:
            return _BY_NAME[value]
    elif isinstance(value, type) and value in _PYTHON:
        return _PYTHON[value]
    elif isinstance(value, (int, np.integer)) and int(value) in _BY_ENUM:
        return _BY_ENUM[int(value)]
    if isinstance(value, type) and value in _NUMPY:
        return _NUMPY[value]
    try:
        np_dtype = np.dtype(value)
    except TypeError as e:
        raise TypeError(f"Cannot convert value {value!r} to a TensorFlow DType.") from e
    if np_dtype in _NUMPY:
        return _NUMPY[np_dtype]
    if np_dtype.kind in "OSU":
        return string
    if np_dtype.names and len(np_dtype.names) == 1 and np_dtype.names[0] in _BY_NAME:
        return _BY_NAME[np_dtype.names[0]]
    if np_dtype.name in _ML_NAMES:
        return _BY_NAME[np_dtype.name]
    if np_dtype.kind in "iufc":  # e.g. np.longlong, non-native byte order
        for d in _NUMPY.values():
            if d.np.kind == np_dtype.kind and d.np.itemsize == np_dtype.itemsize:
                return d
    raise TypeError(f"Cannot convert value {value!r} to a TensorFlow DType.")
