"""References to a session's state (variables, random counters) as ops and the runtime hand them around."""

from __future__ import annotations

from typing import Any

from hornbeam.core.dtypes import DType
from hornbeam.core.tensor_shape import Shape


class VarRef:
    """What a `Ref` or variable-handle tensor holds: the key of a variable in the session's state. Two refs of one key are equal."""

    __slots__ = ("key", "name", "dtype", "shape", "resource")

    def __init__(self, key: str, name: str, dtype: DType, shape: Shape, resource: bool = False) -> None:
        self.key = key
        self.name = name
        self.dtype = dtype
        self.shape = shape
        self.resource = resource

    def __eq__(self, other: object) -> bool:
        return isinstance(other, VarRef) and other.key == self.key

    def __hash__(self) -> int:
        return hash(self.key)

    def __repr__(self) -> str:
        return f"VarRef({self.name!r})"


class ResourceRef:
    """A handle of a host resource (queue, table, iterator, dataset): its key in the session's resources."""

    __slots__ = ("key", "name", "kind")

    def __init__(self, key: str, name: str, kind: str) -> None:
        self.key = key
        self.name = name
        self.kind = kind

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ResourceRef) and other.key == self.key

    def __hash__(self) -> int:
        return hash(self.key)

    def __repr__(self) -> str:
        return f"{self.kind}({self.name!r})"


def variable_key(container: Any, shared_name: Any, node_name: str) -> str:
    """The state key of a variable: container and shared name, or the node's name when none is given."""
    c = container.decode() if isinstance(container, bytes) else container
    s = shared_name.decode() if isinstance(shared_name, bytes) else shared_name
    return f"{c or ''}/{s or node_name}"
