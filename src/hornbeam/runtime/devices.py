"""The machine's devices as TensorFlow lists them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from hornbeam.core.lazy import jax


@dataclass(frozen=True, slots=True)
class DeviceAttributes:
    """One row of `Session.list_devices`: full name, type (CPU, GPU, TPU), memory limit in bytes."""

    name: str
    device_type: str
    memory_limit_bytes: int
    incarnation: int = 0


def session_devices() -> list[Any]:
    kinds = {"cpu": "CPU", "gpu": "GPU", "cuda": "GPU", "rocm": "GPU", "tpu": "TPU"}
    rows = [DeviceAttributes("/job:localhost/replica:0/task:0/device:CPU:0", "CPU", 268435456)]
    for d in jax.local_devices():
        kind = kinds.get(d.platform, d.platform.upper())
        if kind == "CPU":
            continue
        stats = d.memory_stats() or {}
        rows.append(
            DeviceAttributes(
                f"/job:localhost/replica:0/task:0/device:{kind}:{d.id}", kind, int(stats.get("bytes_limit", 0))
            )
        )
    return rows
