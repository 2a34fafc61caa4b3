"""Text operations: regular expressions in RE2's dialect, and Unicode decoding, encoding and scripts."""

from __future__ import annotations

import functools
import re
import unicodedata
from typing import Any

import numpy as np

from hornbeam.core.registry import no_gradient, op
from hornbeam.ops import shapes
from hornbeam.ops.array import bad
from hornbeam.ops.strings import elementwise, vector

# --- regular expressions ---
_POSIX = {
    "alnum": "0-9A-Za-z", "alpha": "A-Za-z", "ascii": "\\x00-\\x7f", "blank": "\\t ", "cntrl": "\\x00-\\x1f\\x7f", "digit": "0-9", "graph": "!-~",
    "lower": "a-z", "print": " -~", "punct": "!-/:-@\\[-`{-~", "space": "\\t\\n\\v\\f\\r ", "upper": "A-Z", "word": "0-9A-Za-z_", "xdigit": "0-9A-Fa-f",
}  # fmt: skip


def _to_python(pattern: str) -> str:
    """RE2's syntax where it differs from Python's: POSIX classes, `\\z`, `\\Q…\\E`, `\\C`, and `$` as the very end."""
    out: list[str] = []
    i, in_class, multiline = 0, False, bool(re.match(r"\(\?[a-z]*m", pattern))
    while i < len(pattern):
        c = pattern[i]
        if c == "\\" and i + 1 < len(pattern):
            n = pattern[i + 1]
            if n == "Q":
                end = pattern.find("\\E", i + 2)
                end = len(pattern) if end < 0 else end
                out.append(re.escape(pattern[i + 2 : end]))
                i = end + 2
                continue
            if n in "pP":
                raise re.error("Unicode classes (\\p) are not supported here")
            out.append({"z": "\\Z", "C": "(?s:.)"}.get(n, "\\" + n))
            i += 2
            continue
        if in_class:
            m = re.match(r"\[:(\^?)([a-z]+):\]", pattern[i:])
            if m and m.group(2) in _POSIX and not m.group(1):
                out.append(_POSIX[m.group(2)])
                i += m.end()
                continue
            out.append("\\[" if c == "[" else c)
            in_class = c != "]"
        elif c == "[":
            in_class = True
            out.append(c)
            if pattern.startswith("[^]", i) or pattern.startswith("[]", i):  # a bracket that comes first is a character
                out.append(pattern[i + 1 : i + 2 + (pattern[i + 1] == "^")].replace("]", "\\]"))
                i += len(out[-1].replace("\\", "")) + 1
                continue
        else:
            out.append("\\Z" if c == "$" and not multiline else c)
        i += 1
    return "".join(out)


@functools.lru_cache(maxsize=256)
def _compiled(pattern: bytes) -> re.Pattern[str]:
    try:
        return re.compile(_to_python(_text(pattern)), re.ASCII)
    except (re.error, OverflowError) as e:
        raise bad(f"Invalid pattern: {_text(pattern)}, error: {e}") from None


def _text(v: bytes) -> str:
    return v.decode(errors="surrogateescape")


def _rewriter(rewrite: str, groups: int) -> Any:
    """A function of a match, or None for a rewrite that RE2 refuses (the string then stays as it is)."""
    parts: list[Any] = []
    i = 0
    while i < len(rewrite):
        if rewrite[i] != "\\":
            parts.append(rewrite[i])
        else:
            i += 1
            n = rewrite[i : i + 1]
            if n.isdigit() and int(n) <= groups:
                parts.append(int(n))
            elif n == "\\":
                parts.append(n)
            else:
                return None
        i += 1
    return lambda m: "".join((m.group(p) or "") if isinstance(p, int) else p for p in parts)


def _replace(v: bytes, pattern: re.Pattern[str], write: Any, everywhere: bool) -> bytes:
    s = _text(v)
    out: list[str] = []
    at, last_end = 0, -1
    while at <= len(s):
        m = pattern.search(s, at)
        if m is None:
            break
        out.append(s[at : m.start()])
        if m.start() == m.end() == last_end:  # no empty match right after a match
            out.append(s[m.end() : m.end() + 1])
            at = m.end() + 1
            continue
        out.append(write(m))
        at = last_end = m.end()
        if not everywhere:
            break
    out.append(s[at:])
    return "".join(out).encode(errors="surrogateescape")


def _regex_replace(x: Any, pattern: bytes, rewrite: bytes, everywhere: bool) -> Any:
    compiled = _compiled(pattern)
    write = _rewriter(_text(rewrite), compiled.groups)
    return x if write is None else elementwise(lambda v: _replace(v, compiled, write, everywhere), x)


def _full_match(x: Any, pattern: bytes) -> Any:
    compiled = _compiled(pattern)
    return elementwise(lambda v: compiled.fullmatch(_text(v)) is not None, x, np.bool_)


@op(
    "RegexReplace(input: string, pattern: string, rewrite: string) -> (output: string); replace_global: bool = true",
    shape=shapes.unchanged,
)
def RegexReplace(input, pattern, rewrite, replace_global):
    return _regex_replace(input, bytes(pattern[()]), bytes(rewrite[()]), replace_global)


@op(
    "StaticRegexReplace(input: string) -> (output: string); pattern: string; rewrite: string; replace_global: bool = true",
    shape=shapes.unchanged,
)
def StaticRegexReplace(input, pattern, rewrite, replace_global):
    return _regex_replace(input, pattern, rewrite, replace_global)


@op("RegexFullMatch(input: string, pattern: string) -> (output: bool)", shape=shapes.unchanged)
def RegexFullMatch(input, pattern):
    return _full_match(input, bytes(pattern[()]))


@op("StaticRegexFullMatch(input: string) -> (output: bool); pattern: string", shape=shapes.unchanged)
def StaticRegexFullMatch(input, pattern):
    return _full_match(input, pattern)


no_gradient("RegexReplace")


# --- Unicode ---
def decode_text(v: bytes, encoding: str, errors: bytes, replacement: int, control: bool) -> list[tuple[int, int]]:
    """(code point, byte offset) of each character; malformed input is replaced, left out, or an error."""
    out: list[tuple[int, int]] = []
    at = 0

    def good(text: str, start: int) -> None:
        for ch in text:
            if not control or ord(ch) >= 32:
                out.append((ord(ch), start))
            elif errors != b"ignore":
                out.append((replacement, start))
            start += len(ch.encode(encoding))

    while at < len(v):
        try:
            good(v[at:].decode(encoding), at)
            break
        except UnicodeDecodeError as e:
            good(v[at : at + e.start].decode(encoding), at)
            if errors == b"strict":
                raise bad("Invalid formatting on input string") from None
            if errors == b"replace":
                out.append((replacement, at + e.start))
            at += e.end
    return out


def _codec(name: bytes) -> str:
    text = name.decode()
    try:
        "".encode(text)
    except LookupError:
        raise bad(f"Could not create converter for input encoding: {text}") from None
    return {"UTF-16": "utf-16-be", "UTF-32": "utf-32-be"}.get(text.upper(), text)


def encode_text(points: list[int], encoding: str, errors: bytes, replacement: int) -> bytes:
    out = []
    for p in points:
        if not 0 <= p < 0x110000 or 0xD800 <= p < 0xE000:
            if errors == b"strict":
                raise bad(f"Code point is out of range for Unicode, or a noncharacter: {p}")
            if errors == b"ignore":
                continue
            p = replacement
        out.append(chr(p))
    return "".join(out).encode(encoding)


_ERRORS = "errors: {'strict', 'replace', 'ignore'} = 'replace'; replacement_char: int = 65533; replace_control_characters: bool = false"


@op(
    "UnicodeTranscode(input: string) -> (output: string); input_encoding: string; output_encoding: {'UTF-8', 'UTF-16-BE', "
    f"'UTF-32-BE'}}; {_ERRORS}",
    shape=shapes.unchanged,
)
def UnicodeTranscode(input, input_encoding, output_encoding, errors, replacement_char, replace_control_characters):
    source, target = _codec(input_encoding), output_encoding.decode()

    def transcode(v: bytes) -> bytes:
        points = [p for p, _ in decode_text(v, source, errors, replacement_char, replace_control_characters)]
        return encode_text(points, target, errors, replacement_char)

    return elementwise(transcode, input)


def _decode_all(
    input: Any, input_encoding: bytes, errors: bytes, replacement_char: int, control: bool, Tsplits: Any
) -> tuple[Any, Any, Any]:
    codec = _codec(input_encoding)
    rows = [decode_text(v, codec, errors, replacement_char, control) for v in input.reshape(-1)]
    splits = np.concatenate([[0], np.cumsum([len(r) for r in rows])]).astype(Tsplits.np)
    points = np.array([p for r in rows for p, _ in r], np.int32)
    return splits, points, np.array([i for r in rows for _, i in r], np.int64)


def _splits_shape(c: Any) -> list[Any]:
    s = c.shape(0)
    n = None if s is None or None in s else int(np.prod(s, dtype=np.int64)) + 1
    return [(n,), (None,), (None,)][: c.n_outputs]


@op(
    f"UnicodeDecode(input: string) -> (row_splits: Tsplits, char_values: int32); input_encoding: string; {_ERRORS}; "
    "Tsplits: {int32, int64} = int64",
    shape=_splits_shape,
)
def UnicodeDecode(input, input_encoding, errors, replacement_char, replace_control_characters, Tsplits):
    return _decode_all(input, input_encoding, errors, replacement_char, replace_control_characters, Tsplits)[:2]


@op(
    "UnicodeDecodeWithOffsets(input: string) -> (row_splits: Tsplits, char_values: int32, char_to_byte_starts: int64); "
    f"input_encoding: string; {_ERRORS}; Tsplits: {{int32, int64}} = int64",
    shape=_splits_shape,
)
def UnicodeDecodeWithOffsets(input, input_encoding, errors, replacement_char, replace_control_characters, Tsplits):
    return _decode_all(input, input_encoding, errors, replacement_char, replace_control_characters, Tsplits)


@op(
    "UnicodeEncode(input_values: int32, input_splits: Tsplits) -> (output: string); errors: {'ignore', 'replace', 'strict'} = 'replace'; "
    "output_encoding: {'UTF-8', 'UTF-16-BE', 'UTF-32-BE'}; replacement_char: int = 65533; Tsplits: {int32, int64} = int64",
    shape=lambda c: [(None if not c.shape(1) or c.shape(1)[0] is None else c.shape(1)[0] - 1,)],
)
def UnicodeEncode(input_values, input_splits, errors, output_encoding, replacement_char):
    points, bounds = input_values.tolist(), input_splits.tolist()
    codec = output_encoding.decode()
    return vector(
        [encode_text(points[a:b], codec, errors, replacement_char) for a, b in zip(bounds, bounds[1:], strict=False)]
    )


_SCRIPTS = (  # ICU's numbers
    "COMMON INHERITED ARABIC ARMENIAN BENGALI BOPOMOFO CHEROKEE COPTIC CYRILLIC DESERET DEVANAGARI ETHIOPIC GEORGIAN GOTHIC GREEK GUJARATI "
    "GURMUKHI CJK HANGUL HEBREW HIRAGANA KANNADA KATAKANA KHMER LAO LATIN MALAYALAM MONGOLIAN MYANMAR OGHAM OLD ORIYA RUNIC SINHALA SYRIAC "
    "TAMIL TELUGU THAANA THAI TIBETAN CANADIAN"
).split()
_SCRIPT_NUMBERS = {name: i for i, name in enumerate(_SCRIPTS)} | {"IDEOGRAPHIC": 17, "FEMININE": 25, "MASCULINE": 25}


@functools.lru_cache(maxsize=4096)
def _script(point: int) -> int:
    """The script by the character's Unicode name, which starts with it; -1 for what is no code point."""
    if not 0 <= point < 0x110000:
        return -1
    ch = chr(point)
    kind = unicodedata.category(ch)
    name = unicodedata.name(ch, "").split(" ")[0].split("-")[0]
    if kind in ("Mn", "Me"):
        return _SCRIPT_NUMBERS.get(name, 1)
    if kind[0] in "LM" or kind == "Nl" or (kind == "Nd" and name not in ("DIGIT", "ARABIC")):
        return _SCRIPT_NUMBERS.get(name, 0)
    return 103 if kind == "Cn" else 0


@op("UnicodeScript(input: int32) -> (output: int32)", shape=shapes.unchanged, host=True)
def UnicodeScript(input):
    return np.array([_script(p) for p in input.reshape(-1).tolist()], np.int32).reshape(input.shape)
