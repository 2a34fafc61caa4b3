"""`tf.fft`, `tf.spectral.rfft`, `tf.signal.irfft2d` …: Fourier transforms under TensorFlow 1's names and node names."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import numpy as np

from hornbeam.core import dtypes
from hornbeam.core.constant import constant_value
from hornbeam.core.graph import Tensor, convert_to_tensor, name_scope
from hornbeam.core.registry import raw

_HERE = sys.modules[__name__]
__tf_exports__: dict[str, str] = {}
_SUFFIX = {1: "", 2: "2d", 3: "3d"}


def _complex(name: str, op: str) -> Callable[..., Any]:
    def function(input: Any, name: str | None = None) -> Tensor:
        return getattr(raw, op)(input, name=name)  # type: ignore[no-any-return]

    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"{op} over the innermost dimensions of a complex tensor."
    return function


def _last(t: Any, rank: int) -> Any:
    return raw.StridedSlice(t, [-rank], [0], [1], end_mask=1)


def _padded(x: Tensor, rank: int, length: Any, inverse: bool) -> Tensor:
    """x with zeros at the end of its last dimensions up to what a transform of `length` reads."""
    known = constant_value(length)
    if known is None or x._shape is None or None in x._shape[-rank:]:
        need = length
        if inverse:
            need = raw.ConcatV2(
                [raw.StridedSlice(length, [0], [-1], [1]), raw.AddV2(raw.FloorDiv(_last(length, 1), 2), 1)], 0
            )
        more = raw.Maximum(raw.Sub(need, _last(raw.Shape(x), rank)), 0)
        outer = raw.ExpandDims(raw.Sub(raw.Rank(x), rank), 0)
        after = raw.ConcatV2([raw.Fill(outer, 0), more], 0)
        return raw.Pad(x, raw.Pack([raw.ZerosLike(after), after], axis=1))  # type: ignore[no-any-return]
    needs = [int(n) for n in known]
    if inverse:
        needs[-1] = needs[-1] // 2 + 1
    more_known = [max(0, n - d) for n, d in zip(needs, x._shape[-rank:], strict=True)]  # type: ignore[operator]
    if not any(more_known):
        return x
    pads = np.zeros((len(x._shape), 2), np.int32)
    pads[-rank:, 1] = more_known
    return raw.Pad(x, pads)  # type: ignore[no-any-return]


def _real(name: str, op: str, rank: int, inverse: bool) -> Callable[..., Any]:
    def function(input_tensor: Any, fft_length: Any = None, name: str | None = None) -> Tensor:
        with name_scope(name, function.__name__, [input_tensor, fft_length]) as scope:
            hint = dtypes.complex64 if inverse else dtypes.float32
            x = convert_to_tensor(input_tensor, preferred_dtype=hint)
            double = x.dtype.base_dtype in (dtypes.float64, dtypes.complex128)
            kinds = {
                "Treal": dtypes.float64 if double else dtypes.float32,
                "Tcomplex": dtypes.complex128 if double else dtypes.complex64,
            }
            if fft_length is None:
                fft_length = _length(x, rank, inverse)
            else:
                fft_length = convert_to_tensor(fft_length, dtypes.int32)
                x = _padded(x, rank, fft_length, inverse)
            return getattr(raw, op)(x, fft_length, name=scope, **kinds)  # type: ignore[no-any-return]

    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"{op} over the innermost dimensions, cropped or padded with zeros to `fft_length`."
    return function


def _length(x: Tensor, rank: int, inverse: bool) -> Tensor:
    """The length that uses all of x: of the inverse, the even one."""
    if x._shape is not None and None not in x._shape[-rank:]:
        dims = list(x._shape[-rank:])
        if inverse:
            dims[-1] = max(0, 2 * (dims[-1] - 1))  # type: ignore[operator]
        return convert_to_tensor(np.array(dims, np.int32))
    dims_t = _last(raw.Shape(x), rank)
    if inverse:
        last = raw.Maximum(0, raw.Mul(raw.Sub(_last(dims_t, 1), 1), 2))
        dims_t = raw.ConcatV2([raw.StridedSlice(dims_t, [0], [-1], [1]), last], 0)
    return dims_t  # type: ignore[no-any-return]


for _rank, _suffix in _SUFFIX.items():
    for _prefix, _op in (("fft", "FFT"), ("ifft", "IFFT")):
        _name = _prefix + _suffix
        setattr(_HERE, _name, _complex(_name, _op + _suffix.upper()))
        __tf_exports__ |= {f"{ns}{_name}": _name for ns in ("", "spectral.", "signal.")}
    for _prefix, _op, _inverse in (("rfft", "RFFT", False), ("irfft", "IRFFT", True)):
        _name = _prefix + _suffix
        setattr(_HERE, _name, _real(_name, _op + _suffix.upper(), _rank, _inverse))
        __tf_exports__ |= {f"{ns}{_name}": _name for ns in ("spectral.", "signal.")}
