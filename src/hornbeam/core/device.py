"""Device names (`/job:worker/task:0/device:GPU:1`): parsed, merged and recorded on nodes. Execution is XLA's business."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from typing import Any

_PART = re.compile(r"^(job|replica|task|device|cpu|gpu):(.*)$", re.I)


class DeviceSpec:
    """A possibly partial device specification: job, replica, task, device_type, device_index."""

    def __init__(
        self, job: str | None = None, replica: int | None = None, task: int | None = None, device_type: str | None = None, device_index: int | None = None
    ) -> None:  # fmt: skip
        self.job = job
        self.replica = replica
        self.task = task
        self.device_type = device_type.upper() if device_type in ("cpu", "gpu") else device_type
        self.device_index = device_index

    @classmethod
    def from_string(cls, spec: str) -> DeviceSpec:
        return cls().parse_from_string(spec)

    def parse_from_string(self, spec: str) -> DeviceSpec:
        """Fills this object from a device string; ValueError for anything that is not one."""
        for part in (p for p in spec.split("/") if p):
            m = _PART.match(part)
            if m is None:
                raise ValueError(f"Unknown attribute: '{part}' in device string '{spec}'")
            key, rest = m.group(1).lower(), m.group(2)
            if key == "job":
                self.job = rest
            elif key in ("replica", "task"):
                setattr(self, key, None if rest == "*" else int(rest))
            else:
                kind, _, index = rest.partition(":") if key == "device" else (key, ":", rest)
                if kind != "*":
                    self.device_type = kind.upper() if kind.lower() in ("cpu", "gpu") else kind
                if index not in ("", "*"):
                    self.device_index = int(index)
        return self

    def merge_from(self, dev: DeviceSpec) -> None:
        for k in ("job", "replica", "task", "device_type", "device_index"):
            if getattr(dev, k) is not None:
                setattr(self, k, getattr(dev, k))

    def make_merged_spec(self, dev: DeviceSpec) -> DeviceSpec:
        out = DeviceSpec.from_string(self.to_string())
        out.merge_from(dev)
        return out

    def replace(self, **kwargs: Any) -> DeviceSpec:
        out = DeviceSpec.from_string(self.to_string())
        for k, v in kwargs.items():
            setattr(out, k, v)
        return out

    def to_string(self) -> str:
        s = "".join(f"/{k}:{getattr(self, k)}" for k in ("job", "replica", "task") if getattr(self, k) is not None)
        if self.device_type is not None:
            s += f"/device:{self.device_type}:{'*' if self.device_index is None else self.device_index}"
        return s

    def __str__(self) -> str:
        return self.to_string()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, DeviceSpec) and self.to_string() == other.to_string()

    def __hash__(self) -> int:
        return hash(self.to_string())


@functools.lru_cache(maxsize=4096)
def _canonical(spec: str) -> str:
    return DeviceSpec.from_string(spec).to_string()


@functools.lru_cache(maxsize=4096)
def _merged(outer: str, inner: str) -> str:
    spec = DeviceSpec.from_string(outer)
    spec.merge_from(DeviceSpec.from_string(inner))
    return spec.to_string()


def to_string(device: Any) -> str:
    if device is None:
        return ""
    return _canonical(device if isinstance(device, str) else device.to_string())


def merge_device(spec: Any) -> Callable[[Any], str]:
    """A device function that lays `spec` under what a node already asks for."""
    inner = to_string(spec)
    return lambda op: _merged(inner, op.device)


def apply_stack(stack: list[Any], op: Any) -> str:
    """The device of a new node under nested `device` scopes: the innermost wins, functions see what is set so far."""
    device = op._device
    for entry in reversed(stack):
        if callable(entry):
            op._device = device
            result = entry(op)
            device = _merged(to_string(result), device) if not getattr(entry, "_replaces", False) else to_string(result)
        else:
            device = _merged(to_string(entry), device)
    return device
