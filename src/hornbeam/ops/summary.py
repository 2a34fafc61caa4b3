"""Summary operations: each gives a serialised `Summary` proto. They run on the host."""

from __future__ import annotations

import io
import struct
from typing import Any

import numpy as np

from hornbeam.core.graph import InferenceContext
from hornbeam.core.registry import no_gradient, op
from hornbeam.core.tensor_shape import Shape
from hornbeam.ops import shapes

_REAL = "{float, double, int32, uint8, int16, int8, int64, bfloat16, uint16, half, uint32, uint64}"


def _tag(value: Any) -> str:
    return np.asarray(value, object).reshape(-1)[0].decode()  # type: ignore[no-any-return]


def _summary() -> Any:
    from hornbeam.proto import Summary

    return Summary()


def _scalar_shapes(c: InferenceContext) -> list[Shape]:
    a, b = c.shape(0), c.shape(1)
    if a is not None and b is not None and None not in a and None not in b and a != b:
        raise c.fail(f"tags and values not the same shape: {list(a)} != {list(b)}")
    return [()]


@op(f"ScalarSummary(tags: string, values: T) -> (summary: string); T: {_REAL}", shape=_scalar_shapes, host=True)
def ScalarSummary(tags, values, ctx):
    if np.shape(tags) != np.shape(values):
        raise ctx.fail(f"tags and values not the same shape: {list(np.shape(tags))} != {list(np.shape(values))}")
    s = _summary()
    for tag, value in zip(np.asarray(tags, object).reshape(-1), np.asarray(values).reshape(-1), strict=True):
        s.value.add(tag=tag.decode(), simple_value=float(value))
    return s.SerializeToString()


def _limits() -> np.ndarray[Any, Any]:
    """The bucket limits of TensorFlow's default histogram: powers of 1.1 from 1e-12 to 1e20, both signs."""
    positive = []
    v = 1.0e-12
    while v < 1.0e20:
        positive.append(v)
        v *= 1.1
    positive.append(np.finfo(np.float64).max)
    return np.array([-p for p in reversed(positive)] + [0.0] + positive)


_DEFAULT_LIMITS: list[np.ndarray[Any, Any]] = []


def histogram_proto(values: np.ndarray[Any, Any], into: Any) -> None:
    """Fills a HistogramProto from finite values, with runs of empty buckets merged as TensorFlow writes them."""
    if not _DEFAULT_LIMITS:
        _DEFAULT_LIMITS.append(_limits())
    limits = _DEFAULT_LIMITS[0]
    flat = np.asarray(values, np.float64).reshape(-1)
    into.num = float(flat.size)
    into.sum = float(flat.sum())
    into.sum_squares = float(np.square(flat).sum())
    top = float(np.finfo(np.float64).max)
    into.min, into.max = (float(flat.min()), float(flat.max())) if flat.size else (top, -top)
    if not flat.size:
        into.bucket_limit.append(top)
        into.bucket.append(0.0)
        return
    counts = np.bincount(
        np.minimum(np.searchsorted(limits, flat, side="right"), len(limits) - 1), minlength=len(limits)
    )
    full = np.flatnonzero(counts)
    last = -1
    for i in full:
        if i > last + 1:  # one bucket for the empty run before this one
            into.bucket_limit.append(float(limits[i - 1]))
            into.bucket.append(0.0)
        into.bucket_limit.append(float(limits[i]))
        into.bucket.append(float(counts[i]))
        last = int(i)
    if last < len(limits) - 1:
        into.bucket_limit.append(float(limits[-1]))
        into.bucket.append(0.0)


@op(
    f"HistogramSummary(tag: string, values: T) -> (summary: string); T: {_REAL} = float", shape=shapes.scalar, host=True
)
def HistogramSummary(tag, values, ctx):
    v = np.asarray(values, np.float64)
    if not np.isfinite(v).all():
        bad = "Nan" if np.isnan(v).any() else "Infinity"
        raise ctx.fail(f"{bad} in summary histogram for: {ctx.node}")
    s = _summary()
    entry = s.value.add(tag=_tag(tag))
    entry.histo.SetInParent()
    histogram_proto(v, entry.histo)
    return s.SerializeToString()


def _to_bytes_image(image: np.ndarray[Any, Any], bad_color: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Floats scaled to 0…255 (or around 128 when there are negative ones); pixels that are not finite get `bad_color`."""
    if image.dtype == np.uint8:
        return image
    image = image.astype(np.float32)
    finite = np.isfinite(image).all(axis=-1)
    good = image[finite]
    low, high = (float(good.min()), float(good.max())) if good.size else (0.0, 0.0)
    tiny = 1e-6
    if low < 0:
        top = max(abs(low), abs(high))
        scale, offset = (0.0 if top < tiny else 127.0 / top), 128.0
    else:
        scale, offset = (0.0 if high < tiny else 255.0 / high), 0.0
    with np.errstate(invalid="ignore"):
        out = np.where(finite[..., None], image * np.float32(scale) + np.float32(offset), 0).astype(np.uint8)
    out[~finite] = bad_color[: image.shape[-1]].astype(np.uint8)
    return out


def _png(image: np.ndarray[Any, Any]) -> bytes:
    from PIL import Image

    mode = {1: "L", 3: "RGB", 4: "RGBA"}[image.shape[-1]]
    buffer = io.BytesIO()
    Image.fromarray(image[..., 0] if mode == "L" else image, mode).save(buffer, "PNG")
    return buffer.getvalue()


@op(
    "ImageSummary(tag: string, tensor: T) -> (summary: string); max_images: int >= 1 = 3; T: {uint8, float, half, double} = float; "
    "bad_color: tensor = tensor",
    shape=shapes.scalar, host=True,
)  # fmt: skip
def ImageSummary(tag, tensor, max_images, bad_color, ctx):
    t = np.asarray(tensor)
    if t.ndim != 4 or t.shape[3] not in (1, 3, 4):
        raise ctx.fail(f"Tensor must be 4-D with last dim 1, 3, or 4, not {list(t.shape)}")
    color = np.array([255, 0, 0, 255]) if bad_color is None else np.asarray(bad_color)
    s = _summary()
    name = _tag(tag)
    for i in range(min(max_images, t.shape[0])):
        image = _to_bytes_image(t[i], color)
        v = s.value.add(tag=f"{name}/image/{i}" if max_images > 1 else f"{name}/image")
        v.image.height, v.image.width, v.image.colorspace = image.shape
        v.image.encoded_image_string = _png(image)
    return s.SerializeToString()


def encode_wav(samples: np.ndarray[Any, Any], rate: int) -> bytes:
    """16-bit PCM WAV of float samples in [-1, 1], shape [frames, channels]."""
    pcm = np.clip(np.rint(np.asarray(samples, np.float64) * 32767.0), -32768, 32767).astype("<i2").tobytes()
    channels = samples.shape[1]
    fields = (
        b"RIFF",
        36 + len(pcm),
        b"WAVE",
        b"fmt ",
        16,
        1,
        channels,
        rate,
        rate * channels * 2,
        channels * 2,
        16,
        b"data",
        len(pcm),
    )
    return struct.pack("<4sI4s4sIHHIIHH4sI", *fields) + pcm


def _audio(tag: Any, tensor: Any, rate: float, max_outputs: int, ctx: Any) -> bytes:
    t = np.asarray(tensor)
    if t.ndim == 2:
        t = t[..., None]
    if t.ndim != 3:
        raise ctx.fail(f"Tensor must be 2-D or 3-D, not {list(np.shape(tensor))}")
    s = _summary()
    for i in range(min(max_outputs, t.shape[0])):
        v = s.value.add(tag=f"{_tag(tag)}/audio/{i}" if max_outputs > 1 else f"{_tag(tag)}/audio")
        v.audio.sample_rate, v.audio.num_channels, v.audio.length_frames = rate, t.shape[2], t.shape[1]
        v.audio.encoded_audio_string = encode_wav(t[i], int(rate))
        v.audio.content_type = "audio/wav"
    return s.SerializeToString()  # type: ignore[no-any-return]


@op(
    "AudioSummary(tag: string, tensor: float) -> (summary: string); sample_rate: float; max_outputs: int >= 1 = 3",
    shape=shapes.scalar,
    host=True,
)
def AudioSummary(tag, tensor, sample_rate, max_outputs, ctx):
    return _audio(tag, tensor, sample_rate, max_outputs, ctx)


@op(
    "AudioSummaryV2(tag: string, tensor: float, sample_rate: float) -> (summary: string); max_outputs: int >= 1 = 3",
    shape=shapes.scalar,
    host=True,
)
def AudioSummaryV2(tag, tensor, sample_rate, max_outputs, ctx):
    return _audio(tag, tensor, float(sample_rate), max_outputs, ctx)


@op(
    "TensorSummaryV2(tag: string, tensor: T, serialized_summary_metadata: string) -> (summary: string); T: type",
    shape=shapes.scalar,
    host=True,
)
def TensorSummaryV2(tag, tensor, serialized_summary_metadata, ctx):
    from hornbeam.core.tensor_proto import make_tensor_proto

    s = _summary()
    v = s.value.add(tag=_tag(tag))
    v.metadata.ParseFromString(np.asarray(serialized_summary_metadata, object).reshape(-1)[0])
    v.tensor.CopyFrom(make_tensor_proto(tensor, ctx.op.inputs[1].dtype.base_dtype))
    return s.SerializeToString()


@op("TensorSummary(tensor: T) -> (summary: string); T: type; description: string = ''; labels: list(string) = []; display_name: string = ''",
    shape=shapes.scalar, host=True)  # fmt: skip
def TensorSummary(tensor, ctx):
    from hornbeam.core.tensor_proto import make_tensor_proto

    s = _summary()
    v = s.value.add(node_name=ctx.node)
    v.tensor.CopyFrom(make_tensor_proto(tensor, ctx.op.inputs[0].dtype.base_dtype))
    return s.SerializeToString()


@op("MergeSummary(inputs: N * string) -> (summary: string); N: int >= 1", shape=shapes.scalar, host=True)
def MergeSummary(inputs, ctx):
    s = _summary()
    seen: set[str] = set()
    for serialized in inputs:
        for data in np.asarray(serialized, object).reshape(-1):
            part = _summary()
            part.ParseFromString(data)
            for v in part.value:
                if v.tag and v.tag in seen:
                    raise ctx.fail(f"Duplicate tag {v.tag} found in summary inputs")
                seen.add(v.tag)
                s.value.append(v)
    return s.SerializeToString()


no_gradient(
    "ScalarSummary",
    "HistogramSummary",
    "ImageSummary",
    "AudioSummary",
    "AudioSummaryV2",
    "TensorSummary",
    "TensorSummaryV2",
    "MergeSummary",
)
