"""The masked CRC-32C that tables, checkpoints and records carry."""

from __future__ import annotations

from typing import Any

import google_crc32c
import numpy as np

_DELTA = 0xA282EAD8


def crc32c(data: Any, crc: int = 0) -> int:
    """CRC-32C of bytes or a contiguous array, continuing from `crc`."""
    if isinstance(data, memoryview):  # the library takes arrays without a copy, memoryviews not at all
        data = np.frombuffer(data, np.uint8)
    return int(google_crc32c.extend(crc, data))


crc_of_bytes = google_crc32c.value
"""CRC-32C of bytes, for loops over many of them."""


def mask(crc: int) -> int:
    """A CRC in the form it is stored: a CRC of data that holds CRCs would otherwise be weak."""
    return ((crc >> 15 | crc << 17) + _DELTA) & 0xFFFFFFFF


def unmask(masked: int) -> int:
    rotated = (masked - _DELTA) & 0xFFFFFFFF
    return (rotated >> 17 | rotated << 15) & 0xFFFFFFFF


def masked_crc32c(data: Any) -> int:
    """What the format stores for `data`."""
    return mask(crc32c(data))
