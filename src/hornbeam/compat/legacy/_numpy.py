"""What NumPy removed between 1.16 and 2.x, under its old names."""

from __future__ import annotations

import functools
import importlib
from typing import Any

from hornbeam.compat import hooks
from hornbeam.compat.legacy import Lazy, add_method, note, restore, supply

BUILTINS = {
    "bool": bool,
    "int": int,
    "float": float,
    "complex": complex,
    "object": object,
    "str": str,
    "unicode": str,
    "long": int,
}

RENAMED = {  # old name -> 'module:attribute' of what it was
    "float_": "float64", "complex_": "complex128", "string_": "bytes_", "unicode_": "str_", "longfloat": "longdouble",
    "singlecomplex": "complex64", "cfloat": "complex128", "clongfloat": "clongdouble", "longcomplex": "clongdouble",
    "bool8": "bool_", "int0": "intp", "uint0": "uintp", "void0": "void", "object0": "object_", "str0": "str_", "bytes0": "bytes_",
    "Inf": "inf", "Infinity": "inf", "infty": "inf", "PINF": "inf", "NaN": "nan", "product": "prod", "cumproduct": "cumprod",
    "alltrue": "all", "sometrue": "any", "mat": "asmatrix", "round_": "round", "row_stack": "vstack",
    "trapz": "trapezoid", "typeDict": "sctypeDict", "ndfromtxt": "genfromtxt", "rank": "ndim",
}  # fmt: skip


def _in1d(ar1: Any, ar2: Any, assume_unique: bool = False, invert: bool = False) -> Any:
    import numpy as np

    return np.isin(np.ravel(ar1), ar2, assume_unique=assume_unique, invert=invert)


def _asfarray(a: Any, dtype: Any = float) -> Any:
    import numpy as np

    return np.asarray(a, dtype if np.issubdtype(dtype, np.inexact) else float)


def _find_common_type(array_types: Any, scalar_types: Any) -> Any:
    """NumPy's old rule: the arrays decide, unless a scalar is of a higher kind."""
    import numpy as np

    arrays = [np.dtype(t) for t in array_types]
    scalars = [np.dtype(t) for t in scalar_types]
    if not arrays or not scalars:
        return np.result_type(*(arrays or scalars))
    order = "buifc"
    of_arrays, of_scalars = np.result_type(*arrays), np.result_type(*scalars)
    return of_scalars if order.find(of_scalars.kind) > order.find(of_arrays.kind) else of_arrays


def _computed() -> dict[str, Any]:
    """Restored names that are functions or constants of their own."""
    import numpy as np

    return {
        "NINF": -np.inf, "NZERO": -0.0, "PZERO": 0.0,
        "asscalar": lambda a: np.asarray(a).item(),
        "in1d": _in1d,
        "asfarray": _asfarray,
        "find_common_type": _find_common_type,
        "msort": lambda a: np.sort(a, axis=0),
        "issubclass_": lambda a, b: isinstance(a, type) and issubclass(a, b),
        "issubsctype": lambda a, b: issubclass(np.dtype(a).type, np.dtype(b).type),
        "issctype": lambda rep: isinstance(rep, (type, np.dtype)) and rep is not object,
        "obj2sctype": lambda rep, default=None: np.dtype(rep).type,
        "sctype2char": lambda t: np.dtype(t).char,
        "maximum_sctype": lambda t: max(
            (np.dtype(c).type for c in np.typecodes["All"] if np.dtype(c).kind == np.dtype(t).kind),
            key=lambda c: np.dtype(c).itemsize,
        ),
        "cast": _Cast(),
        "sctypes": {
            "int": [np.int8, np.int16, np.int32, np.int64],
            "uint": [np.uint8, np.uint16, np.uint32, np.uint64],
            "float": [np.float16, np.float32, np.float64, np.longdouble],
            "complex": [np.complex64, np.complex128, np.clongdouble],
            "others": [bool, object, bytes, str, np.void],
        },
        "loads": __import__("pickle").loads,
        "byte_bounds": Lazy("numpy.lib.array_utils:byte_bounds"),
        "set_string_function": lambda *a, **k: None,
        "trapz": Lazy(lambda: getattr(np, "trapezoid", None) or __import__("scipy.integrate").integrate.trapezoid),
        "math": Lazy("math:"),
    }  # fmt: skip


class _Cast(dict):  # type: ignore[type-arg]
    """`np.cast[dtype](x)`."""

    def __missing__(self, key: Any) -> Any:
        import numpy as np

        return lambda x: np.asarray(x).astype(key)


def _numpy(np: Any) -> None:
    table: dict[str, Any] = dict(BUILTINS)
    table |= {old: getattr(np, new) for old, new in RENAMED.items() if hasattr(np, new)}
    table |= _computed()
    restore(np, table)
    _restore_methods(np)
    _restore_load(np)
    _restore_fromstring(np)
    _restore_reshape(np)


def _restore_methods(np: Any) -> None:
    """Methods of ndarray (and of NumPy scalars) that left with NumPy 2."""

    def itemset(self: Any, *args: Any) -> None:
        if len(args) == 1:
            self[(0,) * self.ndim] = args[0]
        elif isinstance(args[0], tuple) or len(args) > 2:
            self[args[0] if isinstance(args[0], tuple) else args[:-1]] = args[-1]
        else:
            self.flat[args[0]] = args[1]

    def newbyteorder(self: Any, new_order: str = "S") -> Any:
        return self.view(self.dtype.newbyteorder(new_order))

    for cls in (np.ndarray, np.generic):
        add_method(cls, "tostring", lambda self, order="C": self.tobytes(order))
        add_method(cls, "ptp", lambda self, axis=None, out=None, **k: np.ptp(self, axis=axis, out=out, **k))
        add_method(cls, "newbyteorder", newbyteorder)
    add_method(np.ndarray, "itemset", itemset)


def _restore_load(np: Any) -> None:
    """Before 1.16.3 `np.load` read pickled objects without being asked to; old data files count on it."""
    load = np.load

    @functools.wraps(load)
    def load_(file: Any, mmap_mode: Any = None, allow_pickle: Any = None, *args: Any, **kwargs: Any) -> Any:
        if allow_pickle is not None:
            return load(file, mmap_mode, allow_pickle, *args, **kwargs)
        result = load(file, mmap_mode, True, *args, **kwargs)
        if not hasattr(result, "files") and getattr(result, "dtype", None) in (None, object):
            note("numpy.load(allow_pickle=True) as the default")
        return result

    np.load = load_


def _restore_fromstring(np: Any) -> None:
    """The binary mode of `np.fromstring` (no `sep`) was a copying `frombuffer`."""
    fromstring = np.fromstring

    @functools.wraps(fromstring)
    def fromstring_(string: Any, dtype: Any = float, count: int = -1, *, sep: str = "", like: Any = None) -> Any:
        if sep != "":
            return fromstring(string, dtype, count, sep=sep)
        note("numpy.fromstring's binary mode")
        data = string.encode("latin-1") if isinstance(string, str) else string
        return np.frombuffer(data, dtype, count).copy()

    np.fromstring = fromstring_


def _restore_reshape(np: Any) -> None:
    """`np.reshape(a, newshape=…)`: the argument is called `shape` since NumPy 2.1, and the old name is gone."""
    import inspect

    reshape = np.reshape
    if "newshape" in inspect.signature(reshape).parameters:
        return

    @functools.wraps(reshape)
    def reshape_(a: Any, *args: Any, **kwargs: Any) -> Any:
        if "newshape" in kwargs:
            note("numpy.reshape's argument newshape")
            kwargs["shape"] = kwargs.pop("newshape")
        return reshape(a, *args, **kwargs)

    np.reshape = reshape_


CORE = (
    "",
    ".multiarray",
    ".numeric",
    ".umath",
    ".fromnumeric",
    ".numerictypes",
    ".records",
    ".defchararray",
    ".function_base",
)


def install() -> None:
    """Hooks on numpy; supplied modules only come into play where NumPy has dropped its own."""
    hooks.after_import("numpy", _numpy)
    for part in CORE:  # pickles of old arrays name numpy.core
        supply(f"numpy.core{part}", lambda part=part: vars(importlib.import_module(f"numpy._core{part}")))
    supply("numpy.dual", lambda: vars(importlib.import_module("numpy.linalg")))
