"""Values as text, as TensorFlow prints them: `tf.strings.format`, Print, Assert messages."""

from __future__ import annotations

from typing import Any

import numpy as np


def number_text(v: Any) -> str:
    """A scalar as TensorFlow prints it: floats with the fewest of 6/9 (double 15/17) digits that read back the same."""
    if isinstance(v, (bool, np.bool_)):
        return "1" if v else "0"
    if isinstance(v, (bytes, str)):
        return v.decode(errors="surrogateescape") if isinstance(v, bytes) else v
    v = np.asarray(v)[()]
    kind = np.asarray(v).dtype.kind
    if kind == "c":
        return f"({number_text(v.real)},{number_text(v.imag)})"
    if kind in "iu":
        return str(int(v))
    wide = kind == "f" and v.dtype == np.float64
    t = np.float64 if wide else np.float32
    value = t(v)
    if np.isnan(value):
        return "nan"
    if np.isinf(value):
        return "inf" if value > 0 else "-inf"
    text = f"{float(value):.{15 if wide else 6}g}"
    return text if t(float(text)) == value else f"{float(value):.{17 if wide else 9}g}"


_ESCAPES = {"\n": "\\n", "\r": "\\r", "\t": "\\t", '"': '\\"', "'": "\\'", "\\": "\\\\"}


def quoted(v: bytes) -> str:
    """A string element inside brackets: C escapes, in double quotes."""
    out = "".join(_ESCAPES.get(chr(b)) or (chr(b) if 32 <= b < 127 else f"\\{b:03o}") for b in v)
    return f'"{out}"'


def tensor_text(x: Any, summarize: int = 3) -> str:
    """A whole tensor in nested brackets, the middle of long dimensions left out (`summarize` < 0: everything)."""
    x = np.asarray(x)
    element = quoted if x.dtype == object else number_text
    if x.ndim == 0:
        v = x[()]
        return element(v)
    limit = x.size + 1 if summarize < 0 else summarize

    def level(part: Any, depth: int) -> str:
        if depth == x.ndim:
            return element(part)
        n = part.shape[0]
        rest = part.ndim - 1
        gap = " " if rest == 0 else "\n" * rest + " " * (depth + 1)
        if n <= 2 * limit:
            rows = [level(part[i], depth + 1) for i in range(n)]
        else:
            rows = [level(part[i], depth + 1) for i in range(limit)] + ["..."]
            rows += [level(part[i], depth + 1) for i in range(n - limit, n)]
        return "[" + gap.join(rows) + "]"

    return level(x, 0)
