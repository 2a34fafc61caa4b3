"""Loop variables and branch results as flat lists of tensors: nested structures whose leaves may be IndexedSlices, SparseTensor or TensorArray."""

from __future__ import annotations

from typing import Any

from hornbeam.api import nest
from hornbeam.core.graph import IndexedSlices, Operation, Tensor, convert_to_tensor


def is_sparse(x: Any) -> bool:
    return type(x).__name__ == "SparseTensor" and hasattr(x, "dense_shape")


def parts(leaf: Any) -> list[Tensor]:
    """The tensors of a leaf."""
    if isinstance(leaf, IndexedSlices):
        return [leaf.values, leaf.indices] + ([] if leaf.dense_shape is None else [leaf.dense_shape])
    if is_sparse(leaf):
        return [leaf.indices, leaf.values, leaf.dense_shape]
    if hasattr(leaf, "_flow_parts"):
        return leaf._flow_parts()  # type: ignore[no-any-return]
    return [leaf]


def rebuild(like: Any, tensors: list[Any]) -> Any:
    """A leaf of the kind of `like`, made of other tensors."""
    if isinstance(like, IndexedSlices):
        return IndexedSlices(*tensors)
    if is_sparse(like):
        return type(like)(*tensors)
    if hasattr(like, "_with_flow_parts"):
        return like._with_flow_parts(tensors)
    return tensors[0]


def is_composite(leaf: Any) -> bool:
    return isinstance(leaf, IndexedSlices) or is_sparse(leaf) or hasattr(leaf, "_flow_parts")


def expand(structure: Any) -> list[Tensor]:
    """All tensors of a structure of tensors and composite leaves."""
    return [t for leaf in nest.flatten(structure) for t in parts(leaf)]


def pack(structure: Any, tensors: list[Any]) -> Any:
    """`tensors` in the form of `structure`."""
    out = []
    i = 0
    for leaf in nest.flatten(structure):
        n = len(parts(leaf))
        out.append(rebuild(leaf, list(tensors[i : i + n])))
        i += n
    return nest.pack_sequence_as(structure, out)


def as_tensors(structure: Any, prefix: str = "") -> Any:
    """The structure with every leaf a tensor or composite; Python values and variables are converted."""
    leaves = [
        v
        if isinstance(v, Operation) or is_composite(v)
        else convert_to_tensor(v, name=f"{prefix}{i}" if prefix else None)
        for i, v in enumerate(nest.flatten(structure))
    ]
    return nest.pack_sequence_as(structure, leaves)
