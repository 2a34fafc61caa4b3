"""Rows for the string ops, and for what reads and writes encoded bytes."""

from __future__ import annotations

import gzip
import zlib
from typing import Any

import numpy as np

from .cases import Case, F, K, S, case, strings

BAD = {"_error": "InvalidArgumentError"}
Z = {"_zero": False}


def one(v: Any) -> Any:
    return strings(v)


def text(*values: Any, shape: Any = None) -> Any:
    return S(*values).reshape(shape) if shape else S(*values)


def ints(*values: int, t: str = "int32") -> Any:
    return np.array(values, t)


def tensor_bytes(array: Any) -> bytes:
    from hornbeam.core.tensor_proto import make_tensor_proto

    return make_tensor_proto(array).SerializeToString()


LONG = [
    bytes((i * 7 + n) % 256 for i in range(n)) for n in (0, 1, 3, 4, 7, 8, 16, 17, 32, 33, 64, 65, 127, 128, 129, 300)
]
CASES: list[Case] = [
    case("StringJoin", [S("a", "b"), S("c", "d")], separator="-"), case("StringJoin", [one("x"), S("c", "d")]), case("StringJoin", [S("a"), S("b", "c")], **BAD),
    case("ReduceJoin", text("a", "b", "c", "d", shape=(2, 2)), K(ints(0, 1))), case("ReduceJoin", text("a", "b", "c", "d", shape=(2, 2)), K(ints(1, 0)), separator="."), case("ReduceJoin", text("a", "b", "c", "d", shape=(2, 2)), K(ints(-1)), keep_dims=True), case("ReduceJoin", text("a", "b", "c", "d", shape=(2, 2)), K(ints())), case("ReduceJoin", text("a", "b", shape=(2, 1)), K(ints(0, 0)), **BAD),
    case("ReduceJoin", text(*"abcdefgh", shape=(2, 2, 2)), K(ints(2, 0)), separator=","), case("ReduceJoin", S("a", "b"), K(np.array(0, np.int32))),
    case("UnsortedSegmentJoin", S("a", "b", "c"), ints(1, 1, 0), K(np.array(3, np.int32)), separator="-", **Z), case("UnsortedSegmentJoin", text(*"abcd", shape=(2, 2)), ints(0, 0), K(np.array(2, np.int32)), separator="-", **Z),
    case("StringSplit", S("a,b;c", ",x", ""), one(",;")), case("StringSplit", S("a,b;c", ",x", ""), one(",;"), skip_empty=False), case("StringSplit", S("hello", "é"), one("")),
    case("StringSplitV2", S("a, b, c", "", " x "), one(", ")), case("StringSplitV2", S("a  b c", "", " x "), one("")), case("StringSplitV2", S("a, b, c", "", " x "), one(", "), maxsplit=1), case("StringSplitV2", S("a  b c", "", " x ", "p q r s"), one(""), maxsplit=1), case("StringSplitV2", S("a  b c  ", "p q r s "), one(""), maxsplit=2),
    case("Substr", S("hello", "world"), ints(1, -3), ints(2, 10)), case("Substr", one("hello"), np.array(5, np.int32), np.array(2, np.int32)), case("Substr", S("hello"), ints(6), ints(1), **BAD), case("Substr", S("héllo", "añb"), np.array(1, np.int64), np.array(2, np.int64), unit="UTF8_CHAR"), case("Substr", S("hello", "abc"), np.array(-2, np.int32), np.array(2, np.int32)),
    case("StringLength", S("héllo", "")), case("StringLength", S("héllo", ""), unit="UTF8_CHAR"), case("StringStrip", S(" \t a b\n\x0b\x0c\r", "x")),
    case("StringLower", S("HÉ", "aB")), case("StringLower", S("HÉ", "aB"), encoding="utf-8"), case("StringUpper", S("hé", "aB")), case("StringUpper", S("hé", "aB"), encoding="utf-8"),
    case("StringToNumber", S("1.5", " 2 ", "1e3", "inf", "nan", "0x10", "-3", "1e40")), case("StringToNumber", S("1.5", "1e400"), out_type="float64"), case("StringToNumber", S("7", " -8 "), out_type="int32"), case("StringToNumber", S("123456789012"), out_type="int64"),
    case("StringToNumber", S("1_0"), **BAD), case("StringToNumber", S("99999999999"), out_type="int32", **BAD), case("StringToNumber", S("7.0"), out_type="int32", **BAD), case("StringToNumber", S(""), **BAD),
    *[case("AsString", np.array([3.14159, -2.5, 1e20], t), **a) for t in ("float32", "float64") for a in ({}, {"precision": 3}, {"scientific": True}, {"shortest": True}, {"width": 10}, {"width": 10, "fill": "0"}, {"width": 10, "fill": "-"})],
    case("AsString", ints(42, -7)), case("AsString", ints(42, -7), width=8, fill="0"), case("AsString", ints(42, 7), width=8, fill="+"), case("AsString", np.array([True, False])), case("AsString", np.array([1 - 2j], np.complex64)), case("AsString", ints(4), precision=2, **BAD), case("AsString", ints(5, t="uint8"), width=4, fill="0"),
    case("StringToHashBucketFast", S(*LONG), num_buckets=2**62 - 57), case("StringToHashBucket", S(*LONG), num_buckets=2**62 - 57), case("StringToHashBucketStrong", S(*LONG), num_buckets=2**62 - 57, key=[123456789012, 77]), case("StringToHashBucketFast", S("a", "b", "c"), num_buckets=10),
    case("EncodeBase64", S("hello?>", b"\xff", "")), case("EncodeBase64", S("hello?>", b"\xff"), pad=True), case("DecodeBase64", S("aGVsbG8_Pg", "aGVsbG8_Pg==", "")), case("DecodeBase64", S("a+b"), **BAD), case("DecodeBase64", S("a"), **BAD),
    case("RegexReplace", S("abc abc", "x$"), one("(a)(b)"), one(r"\2\1\0\\")), case("RegexReplace", S("aaa"), one("a*?"), one("-")), case("RegexReplace", S("aXbXc"), one("X"), one("-"), replace_global=False), case("RegexReplace", S("abc"), one("("), one(""), **BAD), case("RegexReplace", S("abc", ""), one(""), one("-")), case("RegexReplace", S("hé\nx"), one("."), one("-")),
    case("RegexReplace", S("abc"), one("a"), one(r"\1")), case("RegexReplace", S("a1 b22", "_"), one(r"[[:alpha:]](\d+)"), one(r"<\1>")), case("RegexReplace", S("a]b", "x[y"), one(r"[]\[]"), one("-")), case("StaticRegexReplace", S("foo bar", "barbar"), pattern="b(.)r$", rewrite=r"\1"), case("RegexReplace", S("A.B*C"), one(r"\Q.\E|\*"), one("")),
    case("RegexFullMatch", S("abc", "abcd", "abc\n"), one("abc")), case("RegexFullMatch", S("ab1", "ab"), one(r"\w+\d$")), case("StaticRegexFullMatch", S("foo", "FOO"), pattern="(?i)foo"),
    case("StringFormat", [F(2, 3), np.arange(20, dtype=np.int32).reshape(10, 2), S("a\n", 'q"')], template="x {} y {} z {}", placeholder="{}", **Z), case("StringFormat", [np.array([0.1, 1e10, 1 / 3, 123456789], np.float32), np.array([0.1, 1 / 3], np.float64)], template="%s %s", **Z), case("StringFormat", [np.arange(10, dtype=np.int64)], template="%s", summarize=-1, **Z),
    case("StringNGrams", S("a", "b", "c", "d", "e"), ints(0, 3, 3, 5, t="int64"), separator="|", ngram_widths=[2, 3], left_pad="L", right_pad="R", pad_width=-1, preserve_short_sequences=False, **Z), case("StringNGrams", S("a", "b", "c", "d", "e"), ints(0, 3, 4, 5), separator="|", ngram_widths=[2], left_pad="", right_pad="", pad_width=0, preserve_short_sequences=True, **Z),
    case("UnicodeScript", np.array([ord(c) for c in "aéЖ1 日ひカ가อαא،ا😀\u0301अ"], np.int32)), case("UnicodeTranscode", S("hé", b"a\xff\xfeb\x00"), input_encoding="UTF-8", output_encoding="UTF-16-BE"), case("UnicodeTranscode", S(b"a\xe2\x82b", "x\x01\n"), input_encoding="UTF-8", output_encoding="UTF-8", errors="ignore", replace_control_characters=True), case("UnicodeTranscode", S(b"a\xe2\x82b"), input_encoding="UTF-8", output_encoding="UTF-8", errors="strict", **BAD),
    case("UnicodeDecode", S("héllo", b"a\xffb"), input_encoding="UTF-8"), case("UnicodeDecodeWithOffsets", S("héllo", "日本", b"a\xffb"), input_encoding="UTF-8"), case("UnicodeDecode", S("\x00h\x00i"), input_encoding="UTF-16-BE"), case("UnicodeEncode", ints(104, 0x65E5, 0x110000, 0xD800), ints(0, 1, 4, t="int64"), output_encoding="UTF-8", **Z),
    case("DecodeRaw", S("abcd", "efgh"), out_type="int16"), case("DecodeRaw", S("abcdefgh"), out_type="float32", little_endian=False), case("DecodeRaw", S("abcd", "ef"), out_type="int16", **BAD), case("DecodeRaw", S("abc"), out_type="int16", **BAD), case("DecodeRaw", one("ab"), out_type="uint8"), case("DecodePaddedRaw", S("ab", "abcdef"), K(np.array(4, np.int32)), out_type="uint8"),
    case("DecodeCSV", S("1,2.5,abc", '3,,"q,""x"'), [ints(0), np.array([1.0], np.float32), S("z")], **Z), case("DecodeCSV", S("1,2"), [ints(0), S("z"), S("y")], **BAD), case("DecodeCSV", S("x,2"), [ints(0), S("z")], **BAD), case("DecodeCSV", S(",2"), [ints(), S("z")], **BAD), case("DecodeCSV", S('a"b,2'), [S("s"), S("z")], **BAD), case("DecodeCSV", S('"ab"c,2'), [S("s"), S("z")], **BAD),
    case("DecodeCSV", S('a"b,2'), [S("s"), S("z")], use_quote_delim=False, **Z), case("DecodeCSV", S("1\t2"), [ints(1), S("z")], field_delim="\t", **Z), case("DecodeCSV", S("NA,2"), [ints(7), S("z")], na_value="NA", **Z), case("DecodeCSV", S("1,2,3,4"), [ints(7), np.array([1.0])], select_cols=[1, 3], **Z), case("DecodeCSV", S(" 1 , 2"), [ints(7), np.array([1.0], np.float32)], **Z), case("DecodeCSV", S("1,2,3"), [ints(7), S("")], **BAD), case("DecodeCSV", one('1,"a\nb"'), [ints(7), S("x")], **Z), case("DecodeCSV", S("1,"), [ints(7), S("x")], **Z), case("DecodeCSV", S('1,"ab'), [ints(7), S("x")], **BAD),
    case("DecodeCompressed", S("abc")), case("DecodeCompressed", S(zlib.compress(b"some text"), zlib.compress(b"")), compression_type="ZLIB"), case("DecodeCompressed", S(gzip.compress(b"some text", mtime=0)), compression_type="GZIP"),
    case("SerializeTensor", F(2, 3)), case("SerializeTensor", np.array(5, np.int32)), case("SerializeTensor", S("a", "bc")), case("ParseTensor", one(tensor_bytes(np.arange(3.0))), out_type="float64"), case("ParseTensor", one(b"\xff"), out_type="float64", **BAD),
    case("ShardedFilename", one("base"), np.array(2, np.int32), np.array(10, np.int32)), case("ShardedFilespec", one("base"), np.array(10, np.int32)),
]  # fmt: skip
