"""`tensorflow.python.client.device_lib`."""

from __future__ import annotations

from typing import Any


def list_local_devices(session_config: Any = None) -> list[Any]:
    """DeviceAttributes messages of this machine's devices: name such as /device:CPU:0, device_type, memory_limit."""
    from hornbeam.proto import DeviceAttributes
    from hornbeam.runtime.devices import session_devices

    return [
        DeviceAttributes(
            name="/" + d.name.rpartition("/")[2],
            device_type=d.device_type,
            memory_limit=d.memory_limit_bytes,
            incarnation=d.incarnation,
        )
        for d in session_devices()
    ]
