"""`tf.strings.*`, `tf.string_join`, `tf.as_string`, `tf.decode_csv`, `tf.read_file` …: strings, files and encoded bytes."""

from __future__ import annotations

from typing import Any

import numpy as np

from hornbeam.core import dtypes
from hornbeam.core.constant import as_array
from hornbeam.core.graph import Tensor, convert_to_tensor, name_scope
from hornbeam.core.registry import raw
from hornbeam.core.sparse_tensor import SparseTensor


# --- join ---
def string_join(inputs: Any, separator: str = "", name: str | None = None) -> Tensor:
    """Joins strings of one shape (or scalars) elementwise."""
    return raw.StringJoin(inputs, separator=separator, name=name)


def reduce_join(
    inputs: Any, axis: Any = None, keep_dims: Any = None, separator: str = "", name: str | None = None, reduction_indices: Any = None,
    keepdims: Any = None,
) -> Tensor:  # fmt: skip
    """Joins strings along `axis` (all of them when None); the first axis listed is joined first."""
    keep = next((bool(k) for k in (keepdims, keep_dims) if k is not None), False)
    axis = reduction_indices if axis is None else axis
    with name_scope(None, "ReduceJoin", [inputs, axis]):
        inputs = convert_to_tensor(inputs)
        if axis is None and inputs._shape is not None:
            axis = np.arange(len(inputs._shape) - 1, -1, -1, dtype=np.int32)
        elif axis is None:
            axis = raw.Range(raw.Sub(raw.Rank(inputs), 1), -1, -1)
        return raw.ReduceJoin(inputs, axis, keep_dims=keep, separator=separator, name=name)


def unsorted_segment_join(
    inputs: Any, segment_ids: Any, num_segments: Any, separator: str = "", name: str | None = None
) -> Tensor:
    return raw.UnsortedSegmentJoin(inputs, segment_ids, num_segments, separator=separator, name=name)


# --- split ---
def string_split(
    source: Any, sep: Any = None, skip_empty: bool = True, delimiter: Any = None, result_type: str = "SparseTensor",
    name: str | None = None,
) -> SparseTensor:  # fmt: skip
    """Splits a vector of strings at every character of `delimiter` (spaces when None); the pieces as a SparseTensor [n, longest]."""
    if sep is not None and delimiter is not None:
        raise ValueError("Cannot specify both 'sep' and 'delimiter'.")
    mark = next((m for m in (sep, delimiter) if m is not None), " ")
    _only_sparse(result_type)
    with name_scope(name, "StringSplit", [source]):
        source = convert_to_tensor(source, dtype=dtypes.string, name="source")
        mark = convert_to_tensor(mark, dtype=dtypes.string)
        return _sparse(raw.StringSplit(source, mark, skip_empty=skip_empty))


def strings_split(
    input: Any = None, sep: Any = None, maxsplit: int = -1, result_type: str = "SparseTensor", source: Any = None,
    name: str | None = None,
) -> SparseTensor:  # fmt: skip
    """Python's `str.split` of a vector of strings, as a SparseTensor."""
    input = source if input is None else input
    _only_sparse(result_type)
    with name_scope(name, "StringSplit", [input]):
        input = convert_to_tensor(input, dtype=dtypes.string)
        mark = convert_to_tensor("" if sep is None else sep, dtype=dtypes.string, name="sep")
        if input._shape == ():
            input = raw.ExpandDims(input, 0)
        return _sparse(raw.StringSplitV2(input, mark, maxsplit=maxsplit))


def _only_sparse(result_type: str) -> None:
    if result_type != "SparseTensor":
        raise ValueError(
            f"result_type must be 'SparseTensor' here (ragged tensors are not supported), got {result_type!r}"
        )


def _sparse(parts: Any) -> SparseTensor:
    indices, values, shape = parts
    indices.set_shape([None, 2])
    return SparseTensor(indices, values, shape)


# --- parts, case, numbers ---
def substr(input: Any, pos: Any, len: Any, name: str | None = None, unit: str = "BYTE") -> Tensor:
    return raw.Substr(input, pos, len, unit=unit, name=name)


def string_length(input: Any, name: str | None = None, unit: str = "BYTE") -> Tensor:
    return raw.StringLength(input, unit=unit, name=name)


def string_strip(input: Any, name: str | None = None) -> Tensor:
    return raw.StringStrip(input, name=name)


def string_lower(input: Any, encoding: str = "", name: str | None = None) -> Tensor:
    return raw.StringLower(input, encoding=encoding, name=name)


def string_upper(input: Any, encoding: str = "", name: str | None = None) -> Tensor:
    return raw.StringUpper(input, encoding=encoding, name=name)


def string_to_number(
    string_tensor: Any = None, out_type: Any = dtypes.float32, name: str | None = None, input: Any = None
) -> Tensor:
    return raw.StringToNumber(input if string_tensor is None else string_tensor, out_type=out_type, name=name)


def as_string(
    input: Any, precision: int = -1, scientific: bool = False, shortest: bool = False, width: int = -1, fill: str = "",
    name: str | None = None,
) -> Tensor:  # fmt: skip
    """Numbers, booleans and strings as text, by C's printf rules."""
    return raw.AsString(
        input, precision=precision, scientific=scientific, shortest=shortest, width=width, fill=fill, name=name
    )


def string_format(
    template: str, inputs: Any, placeholder: str = "{}", summarize: int = 3, name: str | None = None
) -> Tensor:
    """`template` with its placeholders replaced by the inputs as text."""
    if not isinstance(inputs, (list, tuple)):
        inputs = [inputs]
    if template.count(placeholder) != len(inputs):
        raise ValueError(
            f"{template.count(placeholder)} placeholder(s) in template does not match {len(inputs)} tensor(s) provided as input"
        )
    return raw.StringFormat(inputs, template=template, placeholder=placeholder, summarize=summarize, name=name)


def string_ngrams(
    data: Any, ngram_width: Any, separator: str = " ", pad_values: Any = None, padding_width: int | None = None,
    preserve_short_sequences: bool = False, name: str | None = None,
) -> Tensor:  # fmt: skip
    """Joined runs of `ngram_width` neighbours along the last axis of a dense tensor of strings (rows of one length)."""
    with name_scope(name, "StringNGrams", [data]):
        data = convert_to_tensor(data, dtypes.string)
        if data._shape is None or data._shape[-1] is None:
            raise ValueError("string_ngrams needs a last dimension of known size")
        widths = [ngram_width] if isinstance(ngram_width, int) else list(ngram_width)
        left, right = (
            ("", "") if pad_values is None else (pad_values, pad_values) if isinstance(pad_values, str) else pad_values
        )
        pad = 0 if pad_values is None else -1 if padding_width is None else padding_width
        n, lead = data._shape[-1], data._shape[:-1]
        rows = raw.Size(raw.Reshape(data, [-1, n])[:, 0]) if lead else np.array(1, np.int32)
        splits = raw.Mul(raw.Range(0, raw.AddV2(rows, 1), 1), n)
        grams, _ = raw.StringNGrams(
            raw.Reshape(data, [-1]), raw.Cast(splits, DstT=dtypes.int64), separator=separator, ngram_widths=widths,
            left_pad=left, right_pad=right, pad_width=pad, preserve_short_sequences=preserve_short_sequences,
        )  # fmt: skip
        return raw.Reshape(grams, raw.ConcatV2([raw.Shape(data)[:-1], [-1]], 0))


# --- hashes ---
def string_to_hash_bucket(
    string_tensor: Any = None, num_buckets: int | None = None, name: str | None = None, input: Any = None
) -> Tensor:
    return raw.StringToHashBucket(input if string_tensor is None else string_tensor, num_buckets=num_buckets, name=name)


def string_to_hash_bucket_fast(input: Any, num_buckets: int, name: str | None = None) -> Tensor:
    return raw.StringToHashBucketFast(input, num_buckets=num_buckets, name=name)


def string_to_hash_bucket_strong(input: Any, num_buckets: int, key: Any, name: str | None = None) -> Tensor:
    return raw.StringToHashBucketStrong(input, num_buckets=num_buckets, key=key, name=name)


# --- regular expressions ---
def regex_replace(
    input: Any, pattern: Any, rewrite: Any, replace_global: bool = True, name: str | None = None
) -> Tensor:
    """Replaces matches of an RE2 pattern; `\\\\1` in `rewrite` is the first group."""
    if isinstance(pattern, (str, bytes)) and isinstance(rewrite, (str, bytes)):
        return raw.StaticRegexReplace(input, pattern=pattern, rewrite=rewrite, replace_global=replace_global, name=name)
    return raw.RegexReplace(input, pattern, rewrite, replace_global=replace_global, name=name)


def regex_full_match(input: Any, pattern: Any, name: str | None = None) -> Tensor:
    if isinstance(pattern, (str, bytes)):
        return raw.StaticRegexFullMatch(input, pattern=pattern, name=name)
    return raw.RegexFullMatch(input, pattern, name=name)


# --- Unicode ---
def unicode_script(input: Any, name: str | None = None) -> Tensor:
    return raw.UnicodeScript(input, name=name)


def unicode_transcode(
    input: Any, input_encoding: str, output_encoding: str, errors: str = "replace", replacement_char: int = 65533,
    replace_control_characters: bool = False, name: str | None = None,
) -> Tensor:  # fmt: skip
    return raw.UnicodeTranscode(
        input, input_encoding=input_encoding, output_encoding=output_encoding, errors=errors, replacement_char=replacement_char,
        replace_control_characters=replace_control_characters, name=name,
    )  # fmt: skip


# --- encoded bytes ---
def encode_base64(input: Any, pad: bool = False, name: str | None = None) -> Tensor:
    return raw.EncodeBase64(input, pad=pad, name=name)


def decode_base64(input: Any, name: str | None = None) -> Tensor:
    return raw.DecodeBase64(input, name=name)


def decode_raw(
    input_bytes: Any = None,
    out_type: Any = None,
    little_endian: bool = True,
    name: str | None = None,
    bytes: Any = None,
) -> Tensor:
    """Bytes as numbers: a new last dimension."""
    return raw.DecodeRaw(
        bytes if input_bytes is None else input_bytes, out_type=out_type, little_endian=little_endian, name=name
    )


def decode_compressed(bytes: Any, compression_type: str = "", name: str | None = None) -> Tensor:
    return raw.DecodeCompressed(bytes, compression_type=compression_type, name=name)


def decode_csv(
    records: Any, record_defaults: Any, field_delim: str = ",", use_quote_delim: bool = True, name: str | None = None, na_value: str = "",
    select_cols: Any = None,
) -> list[Tensor]:  # fmt: skip
    """One tensor a column; a default of one element fills missing fields, an empty one makes the column required."""
    if select_cols is not None and any(a >= b for a, b in zip(select_cols, select_cols[1:], strict=False)):
        raise ValueError("select_cols is not strictly increasing.")
    if select_cols is not None and select_cols and select_cols[0] < 0:
        raise ValueError("select_cols contains negative values.")
    if select_cols is not None and len(select_cols) != len(record_defaults):
        raise ValueError(
            f"Length of select_cols and record_defaults do not match. Saw {len(select_cols)} and {len(record_defaults)}."
        )
    defaults = []
    for d in record_defaults:
        if isinstance(d, dtypes.DType):
            d = np.zeros([0], d.np)
        elif not isinstance(d, Tensor):
            d = as_array(d)
        defaults.append(d)
    return raw.DecodeCSV(
        records, defaults, field_delim=field_delim, use_quote_delim=use_quote_delim, na_value=na_value,
        select_cols=[] if select_cols is None else select_cols, name=name,
    )  # fmt: skip


def parse_tensor(serialized: Any, out_type: Any, name: str | None = None) -> Tensor:
    return raw.ParseTensor(serialized, out_type=out_type, name=name)


def serialize_tensor(tensor: Any, name: str | None = None) -> Tensor:
    return raw.SerializeTensor(tensor, name=name)


# --- files ---
def read_file(filename: Any, name: str | None = None) -> Tensor:
    """The whole file as one string; NotFoundError if there is none."""
    return raw.ReadFile(filename, name=name)


def write_file(filename: Any, contents: Any, name: str | None = None) -> Any:
    """Writes a file, making its directories."""
    return raw.WriteFile(filename, contents, name=name)


def matching_files(pattern: Any, name: str | None = None) -> Tensor:
    """Names that match a glob pattern (or a vector of them), sorted."""
    return raw.MatchingFiles(pattern, name=name)


_BOTH = {"join": "string_join", "strip": "string_strip", "to_number": "string_to_number", "to_hash_bucket": "string_to_hash_bucket",
         "to_hash_bucket_fast": "string_to_hash_bucket_fast", "to_hash_bucket_strong": "string_to_hash_bucket_strong"}  # fmt: skip
_IO = ("encode_base64", "decode_base64", "decode_raw", "decode_compressed", "decode_csv", "parse_tensor", "serialize_tensor", "read_file",
       "write_file", "matching_files")  # fmt: skip

__tf_exports__ = {
    **{f"strings.{k}": v for k, v in _BOTH.items()}, **{v: v for v in _BOTH.values()},
    **{n: n for n in _IO}, **{f"io.{n}": n for n in _IO},
    **{f"{ns}{n}": n for ns in ("", "strings.") for n in ("substr", "reduce_join", "regex_replace", "as_string")},
    "string_split": "string_split", "strings.split": "strings_split", "strings.length": "string_length", "strings.lower": "string_lower",
    "strings.upper": "string_upper", "strings.format": "string_format", "strings.ngrams": "string_ngrams",
    "strings.regex_full_match": "regex_full_match", "strings.unicode_script": "unicode_script", "strings.unicode_transcode": "unicode_transcode",
    "strings.unsorted_segment_join": "unsorted_segment_join", "dtypes.as_string": "as_string",
}  # fmt: skip
