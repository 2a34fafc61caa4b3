"""Bitwise operations on integers; shifts beyond the width behave as TensorFlow clamps them."""

from __future__ import annotations

from typing import Any

import numpy as np

from hornbeam.core.lazy import lax
from hornbeam.core.registry import no_gradient, op
from hornbeam.ops import shapes
from hornbeam.ops.xp import namespace, xp

_TYPES = "T: {int8, int16, int32, int64, uint8, uint16, uint32, uint64}"

BitwiseAnd = op(f"BitwiseAnd(x: T, y: T) -> (z: T); {_TYPES}", shape=shapes.broadcast, numpy=True)(lambda x, y: x & y)
BitwiseOr = op(f"BitwiseOr(x: T, y: T) -> (z: T); {_TYPES}", shape=shapes.broadcast, numpy=True)(lambda x, y: x | y)
BitwiseXor = op(f"BitwiseXor(x: T, y: T) -> (z: T); {_TYPES}", shape=shapes.broadcast, numpy=True)(lambda x, y: x ^ y)
Invert = op(f"Invert(x: T) -> (y: T); {_TYPES}", shape=shapes.unchanged, numpy=True)(lambda x: ~x)


def _clamped(y: Any) -> Any:
    """The shift count within [0, bits): what lies outside has no meaning in C, and TensorFlow clamps it."""
    bits = 8 * np.dtype(y.dtype).itemsize
    return xp.clip(y, np.asarray(0, y.dtype), np.asarray(bits - 1, y.dtype))


@op(f"LeftShift(x: T, y: T) -> (z: T); {_TYPES}", shape=shapes.broadcast, numpy=True)
def LeftShift(x, y):
    return xp.left_shift(x, _clamped(y))


@op(f"RightShift(x: T, y: T) -> (z: T); {_TYPES}", shape=shapes.broadcast, numpy=True)
def RightShift(x, y):
    return xp.right_shift(x, _clamped(y))


@op(f"PopulationCount(x: T) -> (y: uint8); {_TYPES}", shape=shapes.unchanged)
def PopulationCount(x):
    if namespace(x) is np:
        return np.bitwise_count(x.view(x.dtype.str.replace("i", "u"))).astype(np.uint8)
    return lax.population_count(xp.asarray(x)).astype(np.uint8)


no_gradient("BitwiseAnd", "BitwiseOr", "BitwiseXor", "Invert", "LeftShift", "RightShift", "PopulationCount")
