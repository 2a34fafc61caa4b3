"""`tf.signal`: framing, windows, short-time Fourier transforms, cosine transforms and mel filters."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from hornbeam.api.fft_ops import irfft, rfft  # type: ignore[attr-defined]
from hornbeam.api.math_ops import cast, complex, range, real
from hornbeam.core import dtypes
from hornbeam.core.constant import constant_value
from hornbeam.core.graph import Tensor, convert_to_tensor, name_scope
from hornbeam.core.registry import raw


def _known(t: Any) -> int | None:
    if isinstance(t, Tensor):
        value = constant_value(t)
        return None if value is None else int(value)
    return int(t)


def _int(t: Any) -> Any:
    """A Python int if the value is known, else an int32 tensor."""
    value = _known(t)
    return cast(t, dtypes.int32) if value is None else value


def _last(x: Tensor, begin: Any = None, end: Any = None, step: int = 1) -> Tensor:
    """x[..., begin:end:step]"""
    return x[(Ellipsis, slice(begin, end, step))]  # type: ignore[index,no-any-return]


# --- frames --------------------------------------------------------------------------------------------------------------------------
def frame(
    signal: Any, frame_length: Any, frame_step: Any, pad_end: bool = False, pad_value: Any = 0, axis: int = -1, name: str | None = None
) -> Tensor:  # fmt: skip
    """Overlapping windows of `frame_length` every `frame_step` along `axis`, which becomes (frames, frame_length)."""
    with name_scope(name, "frame", [signal, frame_length, frame_step, pad_value]):
        x = convert_to_tensor(signal, name="signal")
        if x._shape is None:
            raise ValueError("frame needs a signal of known rank.")
        at = axis % len(x._shape)
        length, step = _int(frame_length), _int(frame_step)
        n: Any = x._shape[at]
        if n is None:
            n = raw.StridedSlice(raw.Shape(x), [at], [at + 1], [1], shrink_axis_mask=1)
        known = all(isinstance(v, int) for v in (n, length, step))
        if pad_end:
            count = -(-n // step)
            missing = (count - 1) * step + length - n
            missing = max(0, missing) if known else raw.Maximum(0, missing)
            before = np.zeros((len(x._shape), 1), np.int32)
            after = [missing if i == at else 0 for i in np.arange(len(x._shape))]
            pads = (
                np.concatenate([before, np.array(after, np.int32)[:, None]], 1)
                if known
                else raw.Pack([before[:, 0], raw.Pack(after)], axis=1)
            )
            sizes = [None if i == at else d for i, d in enumerate(x._shape)]
            x = raw.PadV2(x, pads, convert_to_tensor(pad_value, x.dtype.base_dtype))
            x.set_shape(sizes)
        else:
            count = 1 + (n - length) // step
            count = max(0, count) if known else raw.Maximum(0, count)
        if known:
            picks: Any = (np.arange(count)[:, None] * step + np.arange(length)).astype(np.int32)
        else:
            picks = raw.AddV2(raw.ExpandDims(range(count) * step, 1), raw.ExpandDims(range(length), 0))
        return raw.GatherV2(x, picks, at)  # type: ignore[no-any-return]


def overlap_and_add(signal: Any, frame_step: Any, name: str | None = None) -> Tensor:
    """A signal from frames [..., frames, frame_length] that overlap: each starts `frame_step` after the one before."""
    with name_scope(name, "overlap_and_add", [signal, frame_step]):
        x = convert_to_tensor(signal, name="signal")
        if x._shape is None or len(x._shape) < 2:
            raise ValueError("overlap_and_add needs a signal of rank 2 or more.")
        rank, step = len(x._shape), _int(frame_step)
        frames, length = x._shape[-2:]
        if frames is None or length is None:
            sizes = raw.StridedSlice(raw.Shape(x), [-2], [0], [1], end_mask=1)
            frames_t, length_t = raw.Unpack(sizes, num=2)
            positions = raw.AddV2(raw.ExpandDims(range(frames_t) * step, 1), raw.ExpandDims(range(length_t), 0))
            total: Any = (frames_t - 1) * step + length_t
        else:
            positions = np.arange(frames)[:, None] * step + np.arange(length)
            positions = positions.astype(np.int32)
            total = (frames - 1) * step + length if frames else 0
        outer = list(np.arange(rank - 2))
        moved = raw.Transpose(x, np.array([rank - 2, rank - 1, *outer], np.int32)) if outer else x
        out = raw.UnsortedSegmentSum(moved, positions, total)
        return raw.Transpose(out, np.array([*(i + 1 for i in outer), 0], np.int32)) if outer else out  # type: ignore[no-any-return]


# --- windows ---------------------------------------------------------------------------------------------------------------------------
def _raised_cosine(default: str, a: float, b: float) -> Callable[..., Tensor]:
    def window(
        window_length: Any, periodic: bool = True, dtype: Any = dtypes.float32, name: str | None = None
    ) -> Tensor:
        with name_scope(name, default, [window_length, periodic]):
            dtype = dtypes.as_dtype(dtype)
            if not dtype.is_floating:
                raise ValueError(f"dtype must be a floating point type. Found {dtype}.")
            n = _int(window_length)
            if isinstance(n, int):
                if n == 1:
                    return convert_to_tensor(np.ones(1, dtype.np))
                denominator = n + int(bool(periodic) and n % 2 == 0) - 1
                phase = (2 * math.pi * np.arange(n) / denominator).astype(dtype.np)
                return convert_to_tensor((a - b * np.cos(phase)).astype(dtype.np))
            even = 1 - raw.FloorMod(n, 2)
            denominator_t = cast(n + (even if periodic else 0) - 1, dtype)
            phase_t = np.asarray(2 * math.pi, dtype.np) * cast(range(n), dtype) / denominator_t
            return np.asarray(a, dtype.np) - np.asarray(b, dtype.np) * raw.Cos(phase_t)  # type: ignore[no-any-return]

    window.__name__ = window.__qualname__ = default
    window.__doc__ = (
        f"A {default.replace('_', ' ')}: {a} - {b} cos(2πk/N); periodic for spectra, symmetric for filters."
    )
    return window


hann_window = _raised_cosine("hann_window", 0.5, 0.5)
hamming_window = _raised_cosine("hamming_window", 0.54, 0.46)


# --- short-time Fourier transforms ---------------------------------------------------------------------------------------------------------
def _power_of_two(n: Any) -> int:
    value = _known(n)
    if value is None:
        raise ValueError("`fft_length` is needed where the frame length is known only when the graph runs.")
    return 1 << max(0, (value - 1).bit_length())


def stft(
    signals: Any, frame_length: Any, frame_step: Any, fft_length: Any = None, window_fn: Any = hann_window, pad_end: bool = False,
    name: str | None = None,
) -> Tensor:  # fmt: skip
    """The short-time Fourier transform of real signals [..., samples]: [..., frames, fft_length // 2 + 1]."""
    with name_scope(name, "stft", [signals, frame_length, frame_step]):
        x = convert_to_tensor(signals, name="signals")
        fft_length = _power_of_two(frame_length) if fft_length is None else fft_length
        framed = frame(x, frame_length, frame_step, pad_end=pad_end)
        if window_fn is not None:
            framed = framed * window_fn(frame_length, dtype=framed.dtype.base_dtype)
        return rfft(framed, [fft_length])  # type: ignore[no-any-return]


def inverse_stft(
    stfts: Any,
    frame_length: Any,
    frame_step: Any,
    fft_length: Any = None,
    window_fn: Any = hann_window,
    name: str | None = None,
) -> Tensor:
    """Signals from their short-time Fourier transforms; exact if window_fn is `inverse_stft_window_fn` of the forward window."""
    with name_scope(name, "inverse_stft", [stfts]):
        x = convert_to_tensor(stfts, name="stfts")
        length = _known(frame_length)
        if length is None:
            raise ValueError("inverse_stft needs a frame length known while building.")
        fft_length = _power_of_two(length) if fft_length is None else _known(fft_length)
        frames = irfft(x, [fft_length])
        if fft_length is not None and length > fft_length:
            rank = len(frames._shape)
            pads = np.zeros((rank, 2), np.int32)
            pads[-1, 1] = length - fft_length
            frames = raw.Pad(frames, pads)
        elif length != fft_length:
            frames = _last(frames, None, length)
        if window_fn is not None:
            frames = frames * window_fn(length, dtype=frames.dtype.base_dtype)
        return overlap_and_add(frames, frame_step)


def inverse_stft_window_fn(
    frame_step: Any, forward_window_fn: Any = hann_window, name: str | None = None
) -> Callable[..., Tensor]:
    """The window that makes `inverse_stft` undo `stft` with `forward_window_fn`."""

    def window_fn(frame_length: Any, dtype: Any) -> Tensor:
        length, step = _known(frame_length), _known(frame_step)
        if length is None or step is None:
            raise ValueError("inverse_stft_window_fn needs lengths known while building.")
        with name_scope(name, "inverse_stft_window_fn", [forward_window_fn]):
            forward = forward_window_fn(length, dtype=dtype)
            overlaps = -(-length // step)
            square = raw.Pad(raw.Square(forward), np.array([[0, overlaps * step - length]], np.int32))
            total = raw.Sum(raw.Reshape(square, [overlaps, step]), np.array([0], np.int32), keep_dims=True)
            spread = raw.Reshape(raw.Tile(total, [overlaps, 1]), [overlaps * step])
            return forward / _last(spread, None, length)

    return window_fn


# --- cosine transforms ------------------------------------------------------------------------------------------------------------------------
def dct(
    input: Any, type: int = 2, n: Any = None, axis: int = -1, norm: str | None = None, name: str | None = None
) -> Tensor:  # noqa: A002
    """The discrete cosine transform of type 1, 2, 3 or 4 over the last dimension, as scipy.fftpack.dct."""
    if axis != -1:
        raise NotImplementedError(f"axis must be -1. Got: {axis}")
    if type not in (1, 2, 3, 4):
        raise ValueError(f"Types I, II, III and IV (I)DCT are supported, got type {type}.")
    if norm not in (None, "ortho"):
        raise ValueError(f"Unknown normalization. Got: {norm}")
    if type == 1 and norm == "ortho":
        raise ValueError("Normalization is not supported for the Type-I DCT.")
    with name_scope(name, "dct", [input]):
        x = convert_to_tensor(input, dtype_hint=dtypes.float32)
        if x._shape is None or x._shape[-1] is None:
            raise ValueError("dct needs a last dimension of known size.")
        if n is not None:
            have = x._shape[-1]
            if n < have:
                x = _last(x, None, n)
            elif n > have:
                pads = np.zeros((len(x._shape), 2), np.int32)
                pads[-1, 1] = n - have
                x = raw.Pad(x, pads)
        size = x._shape[-1]
        t = x.dtype.base_dtype.np
        if type == 1:
            return real(rfft(raw.ConcatV2([x, _last(x, -2, 0, -1)], -1)))
        if type == 4:
            out = _last(dct(x, 2, 2 * size), 1, None, 2)
            return out * np.asarray(math.sqrt(0.5 / size), t) if norm else out  # type: ignore[no-any-return,operator]
        turn = np.exp((1j if type == 3 else -1j) * np.arange(size) * math.pi * 0.5 / size) * 2.0
        turn = turn.astype(np.complex128 if t == np.float64 else np.complex64)
        weights = np.full(size, math.sqrt(0.5 / size) if type == 2 else math.sqrt(size * 0.5), t)
        weights[0] = 0.5 / math.sqrt(size) if type == 2 else math.sqrt(size)
        if type == 2:
            out = real(_last(rfft(x, [2 * size]), None, size) * turn)
            return out * weights if norm else out  # type: ignore[no-any-return,operator]
        x = x * (weights if norm else np.asarray(size, t))
        return _last(irfft(complex(x, raw.ZerosLike(x)) * turn, [2 * size]), None, size)  # type: ignore[operator]


def idct(
    input: Any, type: int = 2, n: Any = None, axis: int = -1, norm: str | None = None, name: str | None = None
) -> Tensor:  # noqa: A002
    """The inverse of `dct` up to scale (exact with norm="ortho"): the transform of the inverse type."""
    inverse = {1: 1, 2: 3, 3: 2, 4: 4}.get(type, type)
    return dct(input, inverse, n, axis, norm, name)


# --- mel ---------------------------------------------------------------------------------------------------------------------------------------
def _mel(hertz: Any) -> Any:
    return 1127.0 * np.log1p(np.asarray(hertz, np.float64) / 700.0)


def linear_to_mel_weight_matrix(
    num_mel_bins: int = 20, num_spectrogram_bins: int = 129, sample_rate: Any = 8000, lower_edge_hertz: Any = 125.0,
    upper_edge_hertz: Any = 3800.0, dtype: Any = dtypes.float32, name: str | None = None,
) -> Tensor:  # fmt: skip
    """[num_spectrogram_bins, num_mel_bins]: triangular filters that turn a linear spectrogram into a mel one."""
    with name_scope(name, "linear_to_mel_weight_matrix"):
        if num_mel_bins <= 0:
            raise ValueError(f"num_mel_bins must be positive. Got: {num_mel_bins}")
        rate = sample_rate if not isinstance(sample_rate, Tensor) else constant_value(sample_rate)
        if rate is None or rate <= 0:
            raise ValueError(f"sample_rate must be positive. Got: {sample_rate}")
        if lower_edge_hertz < 0 or lower_edge_hertz >= upper_edge_hertz or upper_edge_hertz > rate / 2:
            raise ValueError(
                f"0 <= lower_edge_hertz < upper_edge_hertz <= sample_rate / 2 does not hold: {lower_edge_hertz}, {upper_edge_hertz}"
            )
        bins = _mel(np.linspace(0.0, rate / 2.0, num_spectrogram_bins)[1:])[:, None]
        edges = np.linspace(_mel(lower_edge_hertz), _mel(upper_edge_hertz), num_mel_bins + 2)
        lower, centre, upper = edges[:-2], edges[1:-1], edges[2:]
        weights = np.maximum(0.0, np.minimum((bins - lower) / (centre - lower), (upper - bins) / (upper - centre)))
        return convert_to_tensor(np.pad(weights, [[1, 0], [0, 0]]).astype(dtypes.as_dtype(dtype).np))


def mfccs_from_log_mel_spectrograms(log_mel_spectrograms: Any, name: str | None = None) -> Tensor:
    """Mel-frequency cepstral coefficients of log-mel spectrograms [..., frames, bins]."""
    with name_scope(name, "mfccs_from_log_mel_spectrograms", [log_mel_spectrograms]):
        x = convert_to_tensor(log_mel_spectrograms)
        if x._shape is None or x._shape[-1] is None or x._shape[-1] == 0:
            raise ValueError(f"num_mel_bins must be positive and known. Got shape: {x.shape}")
        return dct(x, 2) * np.asarray(1 / math.sqrt(2.0 * x._shape[-1]), x.dtype.np)  # type: ignore[no-any-return,operator]


def _shifted(default: str, inverse: bool) -> Callable[..., Tensor]:
    def function(x: Any, axes: Any = None, name: str | None = None) -> Tensor:
        with name_scope(name, default):
            x = convert_to_tensor(x)
            if x._shape is None:
                raise ValueError(f"{default} needs a tensor of known rank.")
            axes = list(np.arange(len(x._shape))) if axes is None else ([axes] if isinstance(axes, int) else list(axes))
            shifts = []
            for a in axes:
                n = x._shape[a]
                n = (
                    raw.StridedSlice(raw.Shape(x), [a], [a + 1 if a != -1 else 0], [1], shrink_axis_mask=1)
                    if n is None
                    else n
                )
                shifts.append(-(n // 2) if inverse else n // 2)
            static = all(isinstance(s, int) for s in shifts)
            return raw.Roll(x, np.array(shifts, np.int32) if static else raw.Pack(shifts), np.array(axes, np.int32))  # type: ignore[no-any-return]

    function.__name__ = function.__qualname__ = default
    function.__doc__ = "Moves the zero frequency to the middle." if not inverse else "Undoes `fftshift`."
    return function


fftshift, ifftshift = _shifted("fftshift", False), _shifted("ifftshift", True)

__tf_exports__ = {
    f"signal.{n}": n for n in (
        "frame", "overlap_and_add", "hann_window", "hamming_window", "stft", "inverse_stft", "inverse_stft_window_fn", "dct", "idct",
        "linear_to_mel_weight_matrix", "mfccs_from_log_mel_spectrograms", "fftshift", "ifftshift",
    )
} | {"spectral.dct": "dct", "spectral.idct": "idct"}  # fmt: skip
__tf_exports__ |= {
    f"contrib.signal.{n}": n for n in (
        "frame", "overlap_and_add", "hann_window", "hamming_window", "stft", "inverse_stft", "inverse_stft_window_fn",
        "linear_to_mel_weight_matrix", "mfccs_from_log_mel_spectrograms",
    )
}  # fmt: skip
