"""How tf.Print and tf.Assert write tensors: the first elements, brackets only where a dimension begins and ends."""

from __future__ import annotations

from typing import Any

import numpy as np

from hornbeam.ops.formatting import number_text


def _element(v: Any) -> str:
    return "?" if np.iscomplexobj(v) else number_text(v)


def summarize(array: Any, limit: int = 3) -> str:
    """The first `limit` elements (all for a negative one), as tf.Print and tf.Assert show them, without the outermost brackets."""
    array = np.asarray(array)
    flat = array.reshape(-1)
    if limit < 0:
        limit = flat.size
    if array.ndim == 0:
        return _element(flat[0])
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
                out.append((" " if i else "") + _element(flat[seen]))
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
