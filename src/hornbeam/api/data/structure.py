"""What a dataset's elements are: nested specs (tensor, sparse tensor, dataset, optional), and elements as flat lists of tensors.

Tuples, dicts, named tuples and attrs classes nest; a list is one value, as everywhere in tf.data.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from hornbeam.api import nest as _nest
from hornbeam.api.framework import TensorSpec
from hornbeam.core import dtypes
from hornbeam.core.dtypes import DType
from hornbeam.core.graph import Tensor, convert_to_tensor, name_scope
from hornbeam.core.registry import raw
from hornbeam.core.sparse_tensor import SparseTensor, SparseTensorValue
from hornbeam.core.tensor_shape import Shape, TensorShape, compatible, to_tuple


# --- nesting -----------------------------------------------------------------------------------------------------------------
def is_nested(x: Any) -> bool:
    return not isinstance(x, (list, SparseTensorValue)) and _nest.is_nested(x)


def flatten(structure: Any) -> list[Any]:
    if not is_nested(structure):
        return [structure]
    return [leaf for child in _nest._children(structure) for leaf in flatten(child)]


def pack(structure: Any, flat: Any) -> Any:
    it = iter(flat)

    def build(s: Any) -> Any:
        return _nest._like(s, [build(c) for c in _nest._children(s)]) if is_nested(s) else next(it)

    return build(structure)


def flatten_up_to(shallow: Any, value: Any) -> list[Any]:
    """Parts of `value` at the leaves of `shallow`; TypeError or ValueError when it is nested otherwise."""
    if not is_nested(shallow):
        return [value]
    if not is_nested(value) and not (isinstance(shallow, tuple) and isinstance(value, list)):
        raise TypeError(
            f"If shallow structure is a sequence, input must also be a sequence. Input has type: {type(value)}."
        )
    if isinstance(shallow, Mapping):
        if not isinstance(value, Mapping) or set(shallow) != set(value):
            raise ValueError(f"The two structures don't have the same keys: {sorted(shallow)} and {value!r}.")
        a, b = [shallow[k] for k in sorted(shallow)], [value[k] for k in sorted(shallow)]
    else:
        a, b = _nest._children(shallow), list(value) if isinstance(value, list) else _nest._children(value)
    if len(a) != len(b):
        raise ValueError(
            f"The two structures don't have the same sequence length. Input structure has length {len(b)}, while shallow structure has length {len(a)}."
        )
    return [leaf for x, y in zip(a, b, strict=True) for leaf in flatten_up_to(x, y)]


def map_structure(f: Callable[..., Any], *structures: Any) -> Any:
    rest = [flatten_up_to(structures[0], s) for s in structures[1:]]
    return pack(structures[0], [f(*leaves) for leaves in zip(flatten(structures[0]), *rest, strict=True)])


# --- specs -------------------------------------------------------------------------------------------------------------------
class SparseTensorSpec:
    """Shape and dtype of a SparseTensor."""

    def __init__(self, shape: Any = None, dtype: Any = dtypes.float32) -> None:
        self.shape = TensorShape(shape)
        self.dtype = dtypes.as_dtype(dtype)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SparseTensorSpec) and (to_tuple(self.shape), self.dtype) == (
            to_tuple(other.shape),
            other.dtype,
        )

    def __hash__(self) -> int:
        return hash((to_tuple(self.shape), self.dtype))

    def __repr__(self) -> str:
        return f"SparseTensorSpec({self.shape}, {self.dtype!r})"


class DatasetSpec:
    """The spec of a dataset that is an element of another (a window)."""

    def __init__(self, element_spec: Any, dataset_shape: Any = ()) -> None:
        self.element_spec = element_spec
        self.dataset_shape = TensorShape(dataset_shape)
        self.shape = self.dataset_shape
        self.dtype = dtypes.variant

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, DatasetSpec)
            and self.element_spec == other.element_spec
            and to_tuple(self.shape) == to_tuple(other.shape)
        )

    def __hash__(self) -> int:
        return hash(DatasetSpec)

    def __repr__(self) -> str:
        return f"DatasetSpec({self.element_spec!r}, {self.dataset_shape})"


class OptionalSpec:
    """The spec of an `Optional`."""

    def __init__(self, value_structure: Any) -> None:
        self.value_structure = value_structure
        self.shape = TensorShape(())
        self.dtype = dtypes.variant

    def __eq__(self, other: object) -> bool:
        return isinstance(other, OptionalSpec) and self.value_structure == other.value_structure

    def __hash__(self) -> int:
        return hash(OptionalSpec)

    def __repr__(self) -> str:
        return f"OptionalSpec({self.value_structure!r})"


def component(spec: Any) -> tuple[DType, Shape]:
    """dtype and shape of the one tensor that stands for a value in a dataset."""
    shape = to_tuple(spec.shape)
    if isinstance(spec, SparseTensorSpec):
        extra = None if shape is None else max(0, len(shape) - getattr(spec, "rank_of_row", len(shape)))
        return dtypes.variant, (None,) * extra + (3,) if extra else (3,)
    return spec.dtype, shape


def components(structure: Any) -> tuple[list[DType], list[Shape]]:
    pairs = [component(s) for s in flatten(structure)]
    return [t for t, _ in pairs], [s for _, s in pairs]


def spec_of(value: Any) -> Any:
    if isinstance(value, SparseTensor):
        return SparseTensorSpec(value.shape, value.dtype)
    if hasattr(value, "_variant_tensor") and hasattr(value, "_structure"):
        return DatasetSpec(value._structure)
    if hasattr(value, "_variant_tensor") and hasattr(value, "value_structure"):
        return OptionalSpec(value.value_structure)
    return TensorSpec(value.shape, value.dtype.base_dtype)


def to_component(value: Any, batched: bool = False) -> Tensor:
    if isinstance(value, SparseTensor):
        spec = raw.SerializeManySparse if batched else raw.SerializeSparse
        return spec(value.indices, value.values, value.dense_shape, out_type=dtypes.variant)  # type: ignore[no-any-return]
    return value._variant_tensor if hasattr(value, "_variant_tensor") else value  # type: ignore[no-any-return]


def from_component(tensor: Tensor, spec: Any) -> Any:
    if isinstance(spec, SparseTensorSpec):
        indices, values, dense_shape = raw.DeserializeSparse(tensor, dtype=spec.dtype)
        rank = len(to_tuple(spec.shape)) if to_tuple(spec.shape) is not None else None  # type: ignore[arg-type]
        if rank is not None:
            indices.set_shape((None, rank))
            dense_shape.set_shape((rank,))
        out = SparseTensor(indices, values, dense_shape)
        out.set_shape(spec.shape)
        return out
    if isinstance(spec, DatasetSpec):
        from hornbeam.api.data.dataset import _VariantDataset

        return _VariantDataset(tensor, spec.element_spec)
    if isinstance(spec, OptionalSpec):
        from hornbeam.api.data.iterator import Optional

        return Optional(tensor, spec.value_structure)
    return tensor


def from_components(structure: Any, tensors: list[Tensor]) -> Any:
    specs = flatten(structure)
    for t, s in zip(tensors, specs, strict=True):
        if not isinstance(s, (SparseTensorSpec, DatasetSpec)) and t._shape is None:
            t._shape = to_tuple(s.shape)
    return pack(structure, [from_component(t, s) for t, s in zip(tensors, specs, strict=True)])


def normalize(element: Any, structure: Any = None, scope: str | None = "normalize_element") -> Any:
    """The element with every leaf a tensor, SparseTensor or dataset."""
    wanted = flatten(structure) if structure is not None else None

    def convert(i: int, v: Any) -> Any:
        if isinstance(v, SparseTensorValue):
            return SparseTensor.from_value(v)
        if isinstance(v, SparseTensor) or hasattr(v, "_variant_tensor"):
            return v
        dtype = None if wanted is None or not isinstance(wanted[i], TensorSpec) else wanted[i].dtype
        return convert_to_tensor(v, dtype, name=f"component_{i}")

    leaves = flatten(element)
    if scope is None:
        return pack(element, [convert(i, v) for i, v in enumerate(leaves)])
    with name_scope(scope):
        return pack(element, [convert(i, v) for i, v in enumerate(leaves)])


def structure_of(element: Any) -> Any:
    """The specs of an element of tensors."""
    return pack(element, [spec_of(v) for v in flatten(element)])


# --- batching --------------------------------------------------------------------------------------------------------------------
def batch_spec(spec: Any, n: int | None) -> Any:
    shape = to_tuple(spec.shape)
    if isinstance(spec, DatasetSpec):
        return DatasetSpec(spec.element_spec, None if shape is None else (n, *shape))
    if isinstance(spec, SparseTensorSpec):
        out = SparseTensorSpec(None if shape is None else (n, *shape), spec.dtype)
        if shape is not None:
            out.rank_of_row = getattr(spec, "rank_of_row", len(shape))  # type: ignore[attr-defined]
        return out
    return TensorSpec(None if shape is None else (n, *shape), spec.dtype)


def unbatch_spec(spec: Any) -> Any:
    shape = to_tuple(spec.shape)
    if shape is not None and not shape:
        raise ValueError("Unbatching a tensor is only supported for rank >= 1")
    inner = None if shape is None else shape[1:]
    if isinstance(spec, SparseTensorSpec):
        return SparseTensorSpec(inner, spec.dtype)
    if isinstance(spec, DatasetSpec):
        return DatasetSpec(spec.element_spec, inner)
    return TensorSpec(inner, spec.dtype)


def most_general(a: Any, b: Any) -> Any:
    """A spec that both fit; TypeError when kinds or dtypes differ."""
    if type(a) is not type(b) or a.dtype != b.dtype:
        raise TypeError(f"incompatible specs {a!r} and {b!r}")
    x, y = to_tuple(a.shape), to_tuple(b.shape)
    if isinstance(a, DatasetSpec):
        return DatasetSpec(map_structure(most_general, a.element_spec, b.element_spec))
    if isinstance(a, OptionalSpec):
        return a
    if x is None or y is None or len(x) != len(y):
        merged: Shape = None
    else:
        merged = tuple(m if m == n else None for m, n in zip(x, y, strict=True))
    return SparseTensorSpec(merged, a.dtype) if isinstance(a, SparseTensorSpec) else TensorSpec(merged, a.dtype)


def compatible_structures(a: Any, b: Any) -> bool:
    try:
        pairs = list(zip(flatten(a), flatten_up_to(a, b), strict=True))
    except (TypeError, ValueError):
        return False
    return all(
        type(x) is type(y) and x.dtype == y.dtype and compatible(to_tuple(x.shape), to_tuple(y.shape)) for x, y in pairs
    )


# --- the old three-part description --------------------------------------------------------------------------------------------
def legacy_types(structure: Any) -> Any:
    return map_structure(lambda s: s if isinstance(s, (DatasetSpec, OptionalSpec)) else s.dtype, structure)


def legacy_shapes(structure: Any) -> Any:
    return map_structure(lambda s: s if isinstance(s, (DatasetSpec, OptionalSpec)) else TensorShape(s.shape), structure)


def legacy_classes(structure: Any) -> Any:
    def of(s: Any) -> Any:
        return (
            s
            if isinstance(s, (DatasetSpec, OptionalSpec))
            else SparseTensor
            if isinstance(s, SparseTensorSpec)
            else Tensor
        )

    return map_structure(of, structure)


def from_legacy(types: Any, shapes: Any = None, classes: Any = None) -> Any:
    """Specs from nested dtypes, shapes and classes (shapes None: unknown; classes None: tensors)."""
    flat = flatten(types)
    if shapes is None:
        flat_shapes: list[Any] = [None] * len(flat)
    else:
        flat_shapes = flatten_shapes(types, shapes)
    flat_classes = [Tensor] * len(flat) if classes is None else flatten_up_to(types, classes)

    def make(t: Any, s: Any, c: Any) -> Any:
        if isinstance(t, (DatasetSpec, OptionalSpec)):
            return t
        if c is SparseTensor or isinstance(c, SparseTensorSpec):
            return SparseTensorSpec(s, t)
        return TensorSpec(s, t)

    return pack(types, [make(t, s, c) for t, s, c in zip(flat, flat_shapes, flat_classes, strict=True)])


def flatten_shapes(types: Any, shapes: Any) -> list[Any]:
    """Shapes at the leaves of `types`; a shape may be a TensorShape, list, tuple of ints or None."""
    if not is_nested(types):
        return [TensorShape(shapes) if not isinstance(shapes, (DatasetSpec, OptionalSpec)) else shapes]
    if shapes is None:
        return [TensorShape(None)] * len(flatten(types))
    if isinstance(types, Mapping):
        return [leaf for k in sorted(types) for leaf in flatten_shapes(types[k], shapes[k])]
    children = _nest._children(types)
    others = list(shapes) if isinstance(shapes, (list, tuple)) else _nest._children(shapes)
    if len(children) != len(others):
        raise ValueError(f"The two structures don't have the same number of elements: {types} and {shapes}.")
    return [leaf for t, s in zip(children, others, strict=True) for leaf in flatten_shapes(t, s)]


__tf_exports__ = {
    "SparseTensorSpec": "SparseTensorSpec",
    "data.DatasetSpec": "DatasetSpec",
    "data.experimental.DatasetStructure": "DatasetSpec",
    "data.experimental.SparseTensorStructure": "SparseTensorSpec",
    "data.experimental.OptionalStructure": "OptionalSpec",
    "OptionalSpec": "OptionalSpec",
}
