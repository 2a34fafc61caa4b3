"""Golden files of the case tables: TensorFlow's outputs and gradients per row, in `tests/golden/ops/<family>.npz`.

A file holds two byte arrays: `manifest` (JSON: row id -> what TensorFlow answered) and `data` (the arrays, one after the other).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from .cases import Case, K
from .wire import np_dtype

FOLDER = Path(__file__).resolve().parents[1] / "golden" / "ops"


class Writer:
    """Collects entries and writes one family's file."""

    def __init__(self) -> None:
        self._manifest: dict[str, Any] = {}
        self._data = bytearray()

    def _put(self, array: Any) -> Any:
        if array is None:
            return None
        array = np.asarray(array)
        if array.dtype.kind == "O":
            return ["strings", list(array.shape), [bytes(v).hex() for v in array.reshape(-1)]]
        at = len(self._data)
        self._data += np.ascontiguousarray(array).tobytes()
        return [array.dtype.name, list(array.shape), at]

    def add(self, c: Case, answer: dict[str, Any]) -> None:
        """`answer`: values, and grads where the row has gradients; or error."""
        entry = {k: [self._put(a) for a in v] if isinstance(v, list) else v for k, v in answer.items()}
        self._manifest[c.id] = {"case": fingerprint(c), **entry}

    def save(self, family: str) -> int:
        FOLDER.mkdir(parents=True, exist_ok=True)
        path = FOLDER / f"{family}.npz"
        manifest = np.frombuffer(json.dumps(self._manifest, separators=(",", ":")).encode(), np.uint8)
        np.savez_compressed(path, manifest=manifest, data=np.frombuffer(bytes(self._data), np.uint8))
        return path.stat().st_size


def load(family: str) -> dict[str, Any]:
    """Row id -> {case, values, grads, error}; no entry when the family has no file."""
    path = FOLDER / f"{family}.npz"
    if not path.exists():
        return {}
    with np.load(path) as file:
        manifest, data = json.loads(file["manifest"].tobytes()), file["data"].tobytes()

    def get(entry: Any) -> Any:
        if entry is None:
            return None
        if entry[0] == "strings":
            out = np.empty(len(entry[2]), object)
            out[:] = [bytes.fromhex(v) for v in entry[2]]
            return out.reshape(entry[1])
        dtype = np_dtype(entry[0])
        n = int(np.prod(entry[1], dtype=np.int64))
        return np.frombuffer(data, dtype, n, entry[2]).reshape(entry[1])

    return {
        row: {k: [get(a) for a in v] if isinstance(v, list) else v for k, v in entry.items()}
        for row, entry in manifest.items()
    }


def fingerprint(c: Case) -> str:
    """What the row said when its golden values were made: a row that changed since must be made again."""
    import hashlib

    h = hashlib.sha1(repr(sorted((k, repr(v)) for k, v in c.attrs.items())).encode())

    def add(v: Any) -> None:
        if isinstance(v, list):
            for x in v:
                add(x)
        elif isinstance(v, K):
            add(v.value)
        else:
            h.update(f"{v.dtype.name}{v.shape}".encode())
            h.update(b"|".join(v.reshape(-1).tolist()) if v.dtype.kind == "O" else np.ascontiguousarray(v).tobytes())

    for v in c.inputs:
        add(v)
    return h.hexdigest()[:12]
