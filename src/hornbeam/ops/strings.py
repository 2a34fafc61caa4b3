"""String operations: join, split, substr, case, numbers, hashes, base64, regular expressions. All run on the host, on arrays of bytes."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from typing import Any

import numpy as np

from hornbeam.core import dtypes
from hornbeam.core.graph import InferenceContext
from hornbeam.core.registry import no_gradient, op
from hornbeam.core.tensor_shape import Shape, merge
from hornbeam.ops import shapes
from hornbeam.ops.array import bad
from hornbeam.ops.formatting import tensor_text
from hornbeam.ops.hashing import fingerprint64, hash64, siphash


def elementwise(f: Callable[[bytes], Any], x: Any, dtype: Any = object) -> Any:
    """`f` of every element, as an array of `dtype`."""
    out = np.empty(x.shape, dtype)
    flat = out.reshape(-1)
    for i, v in enumerate(x.reshape(-1)):
        flat[i] = f(v)
    return flat.reshape(x.shape)


def vector(values: list[Any]) -> Any:
    """A vector of bytes."""
    out = np.empty(len(values), object)
    out[:] = values
    return out


def scalar(value: bytes) -> Any:
    out = np.empty((), object)
    out[()] = value
    return out


# --- join ---
def _join_shape(c: InferenceContext) -> list[Shape]:
    known: Any = ()
    for i in range(c.n_inputs):
        s = c.shape(i)
        if s == ():
            continue
        if s is None:
            return [None]
        known = s if known == () else merge(known, s)
        if not isinstance(known, tuple):
            raise c.fail(f"Shapes must be equal: input {i} is {s}")
    return [known]


@op("StringJoin(inputs: N * string) -> (output: string); N: int >= 0; separator: string = ''", shape=_join_shape)
def StringJoin(inputs, separator):
    target = next((x.shape for x in inputs if x.shape != ()), ())
    for x in inputs:
        if x.shape not in ((), target):
            raise bad(f"Input shapes do not match: {list(target)} vs. {list(x.shape)}")
    if not inputs:
        return scalar(b"")
    out = np.empty(target, object)
    rows = [np.broadcast_to(x, target).reshape(-1) for x in inputs]
    flat = out.reshape(-1)
    for i in range(flat.size):
        flat[i] = separator.join(r[i] for r in rows)
    return flat.reshape(target)


@op(
    "ReduceJoin(inputs: string, reduction_indices: int32) -> (output: string); keep_dims: bool = false; separator: string = ''",
    shape=shapes.reduction,
)
def ReduceJoin(inputs, reduction_indices, keep_dims, separator):
    """Joins the first listed dimension first: the last one listed varies slowest."""
    rank = inputs.ndim
    axes: list[int] = []
    for a in reduction_indices.reshape(-1).tolist():
        if not -rank <= a < rank:
            raise bad(f"Invalid reduction dimension {a} for input with {rank} dimension(s)")
        if a % rank in axes:
            raise bad(f"Duplicate reduction dimension {a}")
        axes.append(a % rank)
    if not axes:
        return inputs
    kept = [i for i in range(rank) if i not in axes]
    moved = inputs.transpose(kept + axes[::-1])
    lead = moved.shape[: len(kept)]
    rows = (
        moved.reshape(int(np.prod(lead, dtype=np.int64)), -1)
        if inputs.size
        else np.empty((int(np.prod(lead)), 0), object)
    )
    out = vector([separator.join(r) for r in rows]).reshape(lead)
    return out.reshape([1 if i in axes else d for i, d in enumerate(inputs.shape)]) if keep_dims else out


@op(
    "UnsortedSegmentJoin(inputs: string, segment_ids: Tindices, num_segments: Tnumsegments) -> (output: string); "
    "separator: string = ''; Tindices: {int32, int64}; Tnumsegments: {int32, int64} = int32",
    shape=lambda c: _segment_join_shape(c),
)
def UnsortedSegmentJoin(inputs, segment_ids, num_segments, separator):
    n, k = int(num_segments), segment_ids.ndim
    if inputs.shape[:k] != segment_ids.shape:
        raise bad("segment_ids' shape must be a prefix of inputs' shape")
    rest = inputs.shape[k:]
    parts: list[list[list[bytes]]] = [[[] for _ in range(int(np.prod(rest, dtype=np.int64)))] for _ in range(n)]
    rows = inputs.reshape(segment_ids.size, -1)
    for s, row in zip(segment_ids.reshape(-1).tolist(), rows, strict=True):
        if not 0 <= s < n:
            raise bad(f"segment_ids: {s} is not in [0, {n})")
        for cell, v in zip(parts[s], row, strict=True):
            cell.append(v)
    return vector([separator.join(cell) for row in parts for cell in row]).reshape((n, *rest))


def _segment_join_shape(c: InferenceContext) -> list[Shape]:
    s, ids, n = c.shape(0), c.shape(1), c.value(2)
    if s is None or ids is None:
        return [None]
    return [(None if n is None else int(n), *s[len(ids) :])]


# --- split ---
def _sparse_rows(rows: list[list[bytes]]) -> tuple[Any, Any, Any]:
    indices = [(i, j) for i, r in enumerate(rows) for j in range(len(r))]
    return (
        np.array(indices, np.int64).reshape(-1, 2),
        vector([v for r in rows for v in r]),
        np.array([len(rows), max(map(len, rows), default=0)], np.int64),
    )


_SPLIT_SHAPE = shapes.fixed((None, 2), (None,), (2,))


@op(
    "StringSplit(input: string, delimiter: string) -> (indices: int64, values: string, shape: int64); skip_empty: bool = true",
    shape=_SPLIT_SHAPE,
)
def StringSplit(input, delimiter, skip_empty):
    """Every byte of `delimiter` splits; without one, every byte of the input stands alone."""
    if input.ndim != 1:
        raise bad(f"input must be a vector, got shape: {list(input.shape)}")
    marks = bytes(delimiter[()])

    def pieces(v: bytes) -> list[bytes]:
        if not v:
            return []
        if not marks:
            return [v[i : i + 1] for i in range(len(v))]
        if len(marks) > 1:
            v = v.translate(bytes.maketrans(marks, marks[:1] * len(marks)))
        return [p for p in v.split(marks[:1]) if p or not skip_empty]

    return _sparse_rows([pieces(v) for v in input])


@op(
    "StringSplitV2(input: string, sep: string) -> (indices: int64, values: string, shape: int64); maxsplit: int = -1",
    shape=_SPLIT_SHAPE,
)
def StringSplitV2(input, sep, maxsplit):
    """Python's `split`, but that a `maxsplit` of 0 is no limit, and that words are followed by what remains, even nothing."""
    if input.ndim != 1:
        raise bad(f"input must be a vector, got shape: {list(input.shape)}")
    mark = bytes(sep[()])
    if mark:
        return _sparse_rows([v.split(mark, maxsplit or -1) for v in input])

    def words(v: bytes) -> list[bytes]:
        found = v.split()
        if maxsplit <= 0 or len(found) < maxsplit:
            return found
        rest = v
        for word in found[:maxsplit]:
            rest = rest.lstrip()[len(word) :]
        return [*found[:maxsplit], rest.lstrip()]

    return _sparse_rows([words(v) for v in input])


# --- parts, length, case ---
_UNIT = "unit: {'BYTE', 'UTF8_CHAR'} = 'BYTE'"


def _utf8_starts(v: bytes) -> list[int]:
    """Where the characters begin, and the end."""
    return [i for i, b in enumerate(v) if b & 0xC0 != 0x80] + [len(v)]


def _substr_shape(c: InferenceContext) -> list[Shape]:
    return [shapes.broadcast_shapes(c.shape(0), shapes.broadcast_shapes(c.shape(1), c.shape(2), c), c)]


@op(f"Substr(input: string, pos: T, len: T) -> (output: string); T: {{int32, int64}}; {_UNIT}", shape=_substr_shape)
def Substr(input, pos, len, unit):
    if pos.shape != len.shape:
        raise bad(f"pos and len should have the same shape, got: {list(pos.shape)} vs. {list(len.shape)}")
    strings, starts, counts = np.broadcast_arrays(input, pos, len)
    out = np.empty(strings.shape, object)
    flat = out.reshape(-1)
    for i, (v, p, n) in enumerate(
        zip(strings.reshape(-1), starts.reshape(-1).tolist(), counts.reshape(-1).tolist(), strict=True)
    ):
        where = _utf8_starts(v) if unit == b"UTF8_CHAR" else None
        size = where.__len__() - 1 if where is not None else v.__len__()
        if not -size <= p <= size:
            raise bad(f"pos {p} out of range for string b'{v.decode(errors='replace')}' at index {i}")
        at = p + size if p < 0 else p
        end = min(at + max(n, 0), size)
        flat[i] = v[at:end] if where is None else v[where[at] : where[end]]
    return flat.reshape(strings.shape)


@op(f"StringLength(input: string) -> (output: int32); {_UNIT}", shape=shapes.unchanged)
def StringLength(input, unit):
    count = (lambda v: len(_utf8_starts(v)) - 1) if unit == b"UTF8_CHAR" else len
    return elementwise(count, input, np.int32)


@op("StringStrip(input: string) -> (output: string)", shape=shapes.unchanged)
def StringStrip(input):
    return elementwise(bytes.strip, input)


def _cased(bytewise: Callable[[bytes], bytes], textual: Callable[[str], str]) -> Any:
    def kernel(input, encoding):
        if encoding not in (b"", b"utf-8"):
            raise bad(f"only utf-8 or '' (no encoding) is supported, received {encoding.decode()}")
        if encoding:
            return elementwise(
                lambda v: textual(v.decode(errors="surrogateescape")).encode(errors="surrogateescape"), input
            )
        return elementwise(bytewise, input)

    return kernel


_CASED = "(input: string) -> (output: string); encoding: string = ''"
StringLower = op("StringLower" + _CASED, shape=shapes.unchanged)(_cased(bytes.lower, str.lower))
StringUpper = op("StringUpper" + _CASED, shape=shapes.unchanged)(_cased(bytes.upper, str.upper))


# --- numbers ---
def _parse_float(v: bytes) -> float:
    text = v.strip()
    if b"_" in text:
        raise ValueError
    return float.fromhex(text.decode()) if b"0x" in text.lower() else float(text)


def _parse_int(v: bytes) -> int:
    text = v.strip()
    if not text.lstrip(b"-").isdigit() or text.count(b"-") > 1:
        raise ValueError
    return int(text)


def parse_number(v: bytes, out_type: Any) -> Any:
    """A field as a number of that type; ValueError if it is none, or does not fit an integer."""
    if out_type.is_floating:
        with np.errstate(over="ignore"):
            return out_type.np.type(_parse_float(v))
    n = _parse_int(v)
    info = np.iinfo(out_type.np)
    if not info.min <= n <= info.max:
        raise ValueError
    return n


@op(
    "StringToNumber(string_tensor: string) -> (output: out_type); out_type: {float, double, int32, int64} = float",
    shape=shapes.unchanged,
)
def StringToNumber(string_tensor, out_type):
    def parse(v: bytes) -> Any:
        try:
            return parse_number(v, out_type)
        except (ValueError, UnicodeDecodeError):
            raise bad(f"StringToNumberOp could not correctly convert string: {v.decode(errors='replace')}") from None

    return elementwise(parse, string_tensor, out_type.np)


@op(
    "AsString(input: T) -> (output: string); T: {float, double, int32, uint8, int16, int8, int64, bfloat16, uint16, half, uint32, uint64, "
    "complex64, complex128, bool, variant, string}; precision: int = -1; scientific: bool = false; shortest: bool = false; "
    "width: int = -1; fill: string = ''",
    shape=shapes.unchanged,
    host=True,
)
def AsString(input, T, precision, scientific, shortest, width, fill):
    flag = fill.decode()
    if len(flag) > 1 or flag not in ("", " ", "+", "0", "-"):
        raise bad(f'Fill argument not supported: "{flag}"')
    number = T.is_floating or T.is_complex
    if scientific and shortest:
        raise bad("Cannot select both scientific and shortest notation")
    if T is not dtypes.string and not number:
        if scientific or shortest:
            raise bad(f"scientific and shortest format not supported for datatype {T.name}")
        if precision >= 0:
            raise bad(f"precision not supported for datatype {T.name}")
    size = str(width) if width > -1 else ""
    if number:
        digits = f".{precision}" if precision > -1 else ""
        form = f"%{flag}{size}{digits}{'e' if scientific else 'g' if shortest else 'f'}"
    elif T is dtypes.string:
        form = f"%{flag if flag == '-' else ''}{size}s"
    else:
        form = f"%{flag if flag != '+' or not T.is_unsigned else ''}{size}d"

    def text(v: Any) -> bytes:
        if T.is_bool:
            return b"true" if v else b"false"
        if T.is_complex:
            return f"({form % v.real},{form % v.imag})".encode()
        if T is dtypes.string:
            return (form % v.decode(errors="surrogateescape")).encode(errors="surrogateescape")
        return (form % (float(v) if number else int(v))).encode()

    return elementwise(text, input)


# --- hashes ---
_BUCKETS = "-> (output: int64); num_buckets: int >= 1"


@op(f"StringToHashBucketFast(input: string) {_BUCKETS}", shape=shapes.unchanged)
def StringToHashBucketFast(input, num_buckets):
    return elementwise(lambda v: fingerprint64(v) % num_buckets, input, np.int64)


@op(f"StringToHashBucket(string_tensor: string) {_BUCKETS}", shape=shapes.unchanged)
def StringToHashBucket(string_tensor, num_buckets):
    return elementwise(lambda v: hash64(v) % num_buckets, string_tensor, np.int64)


@op(f"StringToHashBucketStrong(input: string) {_BUCKETS}; key: list(int)", shape=shapes.unchanged)
def StringToHashBucketStrong(input, num_buckets, key):
    if len(key) != 2:
        raise bad(f"Key must have 2 elements, got {len(key)}")
    secret = (key[0] & 0xFFFFFFFFFFFFFFFF, key[1] & 0xFFFFFFFFFFFFFFFF)
    return elementwise(lambda v: siphash(v, secret) % num_buckets, input, np.int64)


# --- base64 ---
@op("EncodeBase64(input: string) -> (output: string); pad: bool = false", shape=shapes.unchanged)
def EncodeBase64(input, pad):
    encode = base64.urlsafe_b64encode
    return elementwise(encode if pad else lambda v: encode(v).rstrip(b"="), input)


_WEB_SAFE = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")


@op("DecodeBase64(input: string) -> (output: string)", shape=shapes.unchanged)
def DecodeBase64(input):
    def decode(v: bytes) -> bytes:
        body = v[:-2].rstrip(b"=") + v[-2:].rstrip(b"=") if v.endswith(b"=") else v
        if not _WEB_SAFE.issuperset(body):
            raise bad("Invalid character found in base64.")
        if len(body) % 4 == 1:
            raise bad("Base64 string length cannot be 1 modulo 4.")
        try:
            return base64.urlsafe_b64decode(body + b"=" * (-len(body) % 4))
        except binascii.Error as e:
            raise bad(f"Invalid base64: {e}") from None

    return elementwise(decode, input)


# --- format ---
@op(
    "StringFormat(inputs: T) -> (output: string); T: list(type) >= 0; template: string = '%s'; placeholder: string = '%s'; summarize: int = 3",
    shape=shapes.scalar,
)
def StringFormat(inputs, template, placeholder, summarize):
    parts = template.decode(errors="surrogateescape").split(placeholder.decode(errors="surrogateescape"))
    if len(parts) != len(inputs) + 1:
        raise bad(f"num placeholders in template and num inputs must match: {len(parts) - 1} vs. {len(inputs)}")
    text = parts[0] + "".join(tensor_text(x, summarize) + p for x, p in zip(inputs, parts[1:], strict=True))
    return scalar(text.encode(errors="surrogateescape"))


# --- n-grams ---
@op(
    "StringNGrams(data: string, data_splits: Tsplits) -> (ngrams: string, ngrams_splits: Tsplits); separator: string; "
    "ngram_widths: list(int) >= 0; left_pad: string; right_pad: string; pad_width: int; preserve_short_sequences: bool; "
    "Tsplits: {int32, int64} = int64",
    shape=lambda c: [(None,), c.shape(1) or (None,)],
)
def StringNGrams(data, data_splits, separator, ngram_widths, left_pad, right_pad, pad_width, preserve_short_sequences):
    out: list[bytes] = []
    splits = [0]
    bounds = data_splits.tolist()
    for start, stop in zip(bounds, bounds[1:], strict=False):
        row = data[start:stop].tolist()
        made = 0
        for width in ngram_widths:
            pad = min(pad_width if pad_width >= 0 else width - 1, width - 1)
            padded = [left_pad] * pad + row + [right_pad] * pad
            grams = [separator.join(padded[i : i + width]) for i in range(len(padded) - width + 1)]
            out += grams
            made += len(grams)
        if preserve_short_sequences and not made and row:
            pad = pad_width if pad_width >= 0 else 0
            out.append(separator.join([left_pad] * pad + row + [right_pad] * pad))
        splits.append(len(out))
    return vector(out), np.array(splits if bounds else [], data_splits.dtype)


no_gradient(
    "StringJoin", "ReduceJoin", "StringSplit", "StringToNumber", "AsString", "StringToHashBucket", "StringToHashBucketFast",
    "StringToHashBucketStrong", "EncodeBase64", "DecodeBase64",
)  # fmt: skip
