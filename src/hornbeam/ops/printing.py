"""How TensorFlow writes tensors into text: `Print`, `Assert` and error messages (first style), `tf.print` and StringFormat (second)."""

from __future__ import annotations

from typing import Any

import numpy as np


def element_text(v: Any, quote: bool = False) -> str:
    """One element: floats with the fewest digits of (6 or 9, 15 or 17) that give the value back."""
    if isinstance(v, (bytes, str)):
        text = v.decode("utf-8", "backslashreplace") if isinstance(v, bytes) else v
        return f'"{text}"' if quote else text
    if isinstance(v, (np.bool_, bool)):
        return "1" if v else "0"
    if isinstance(v, (np.integer, int)):
        return str(int(v))
    kind = np.asarray(v).dtype
    if kind.kind == "c":
        return "?"
    if kind == np.float64:
        return _shortest(float(v), (15, 17), np.float64)
    return _shortest(float(v), (6, 9), np.float32)


def _shortest(v: float, digits: tuple[int, int], kind: Any) -> str:
    if np.isnan(v):
        return "nan"
    if np.isinf(v):
        return "inf" if v > 0 else "-inf"
    text = f"{v:.{digits[0]}g}"
    return text if kind(text) == kind(v) else f"{v:.{digits[1]}g}"


def summarize(array: Any, limit: int = 3) -> str:
    """The first `limit` elements (all for a negative one), as tf.Print and tf.Assert show them, without the outermost brackets."""
    array = np.asarray(array)
    flat = array.reshape(-1)
    if limit < 0:
        limit = flat.size
    if array.ndim == 0:
        return element_text(flat[0])
    out: list[str] = []
    seen = 0

    def walk(dim: int) -> None:
        nonlocal seen
        if seen >= limit:
            return
        for i in range(array.shape[dim]):
            if dim == array.ndim - 1:
                if seen >= limit:
                    if dim:
                        out.append("...")
                    return
                out.append((" " if i else "") + element_text(flat[seen]))
                seen += 1
                continue
            opened = seen < limit
            if opened:
                out.append("[")
            walk(dim + 1)
            if opened:
                out.append("]")

    walk(0)
    if flat.size > limit:
        out.append("...")
    return "".join(out)


def format_tensor(array: Any, limit: int = 3) -> str:
    """As tf.print shows a tensor: the first and last `limit` along each dimension, nested brackets on their own lines."""
    array = np.asarray(array)
    if array.ndim == 0:
        return element_text(array.reshape(-1)[0] if array.dtype == object else array[()], quote=True)
    return _format(array, limit, 0)


def _format(array: Any, limit: int, depth: int) -> str:
    n = array.shape[0]
    if limit < 0 or n <= 2 * limit:
        picked: list[int | None] = list(range(n))
    else:
        picked = [*range(limit), None, *range(n - limit, n)]
    if array.ndim == 1:
        return "[" + " ".join("..." if i is None else element_text(array[i], quote=True) for i in picked) + "]"
    lines = "\n" * (array.ndim - 1) + " " * (depth + 1)
    return "[" + lines.join("..." if i is None else _format(array[i], limit, depth + 1) for i in picked) + "]"
