"""Small graph-building helpers that several api modules share, with TensorFlow's node names."""

from __future__ import annotations

from typing import Any

from hornbeam.core import dtypes
from hornbeam.core.graph import Tensor, convert_to_tensor, name_scope
from hornbeam.core.registry import raw


def cast(x: Any, dtype: Any, name: str | None = None) -> Tensor:
    """`tf.cast` of a tensor or Python value; the same tensor when it has the dtype already."""
    base = dtypes.as_dtype(dtype).base_dtype
    if getattr(x, "dtype", None) is base and hasattr(x, "op"):  # tensors and resource variables pass as they are
        return x  # type: ignore[no-any-return]
    with name_scope(name, "Cast", [x]) as scope:
        x = convert_to_tensor(x, name="x")
        return x if x.dtype.base_dtype is base else raw.Cast(x, DstT=base, name=scope)
