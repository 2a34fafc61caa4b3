"""`tf.data.Iterator`: one-shot, initialisable, reinitialisable and feedable iterators; optionals; positions in checkpoints."""

from __future__ import annotations

from typing import Any

from hornbeam.api.data import structure as st
from hornbeam.api.data.functions import by_value
from hornbeam.api.saver import SaveableObject, SaveSpec
from hornbeam.core import dtypes
from hornbeam.core.graph import Operation, Tensor, add_to_collection, colocate_with, convert_to_tensor
from hornbeam.core.registry import raw

_NO_INITIALIZER = "Iterator does not have an initializer."


class Iterator:
    """The state of iterating over a dataset. `get_next()` is a node that gives one more element each time it runs."""

    def __init__(
        self, iterator_resource: Tensor, initializer: Operation | None, output_types: Any, output_shapes: Any, output_classes: Any = None
    ) -> None:  # fmt: skip
        if output_types is None or output_shapes is None:
            raise ValueError(
                "All of `output_types`, `output_shapes`, and `output_classes` must be specified to create an iterator."
            )
        self._iterator_resource = iterator_resource
        self._initializer = initializer
        self._structure = st.from_legacy(output_types, output_shapes, output_classes)
        self._string_handle = raw.IteratorToStringHandle(iterator_resource)
        self._get_next_call_count = 0
        add_to_collection("iterators", iterator_resource)

    @classmethod
    def _make(cls, resource: Tensor, initializer: Operation | None, structure: Any) -> Iterator:
        out = cls.__new__(cls)
        out._iterator_resource = resource
        out._initializer = initializer
        out._structure = structure
        out._string_handle = raw.IteratorToStringHandle(resource)
        out._get_next_call_count = 0
        add_to_collection("iterators", resource)
        return out

    @staticmethod
    def from_structure(
        output_types: Any, output_shapes: Any = None, shared_name: str | None = None, output_classes: Any = None
    ) -> Iterator:
        """An iterator without a dataset: `make_initializer(dataset)` gives it one with elements of this structure."""
        structure = st.from_legacy(st.map_structure(_as_dtype, output_types), output_shapes, output_classes)
        types, shapes = st.components(structure)
        resource = raw.IteratorV2(container="", shared_name=shared_name or "", output_types=types, output_shapes=shapes)
        return Iterator._make(resource, None, structure)

    @staticmethod
    def from_string_handle(
        string_handle: Any, output_types: Any, output_shapes: Any = None, output_classes: Any = None
    ) -> Iterator:
        """The iterator that the scalar string tensor names at run time."""
        structure = st.from_legacy(st.map_structure(_as_dtype, output_types), output_shapes, output_classes)
        types, shapes = st.components(structure)
        handle = convert_to_tensor(string_handle, dtypes.string)
        return Iterator._make(
            raw.IteratorFromStringHandleV2(handle, output_types=types, output_shapes=shapes), None, structure
        )

    @property
    def initializer(self) -> Operation:
        """The operation that starts the iteration from the beginning. ValueError for iterators without one."""
        if self._initializer is None:
            raise ValueError(_NO_INITIALIZER)
        return self._initializer

    def make_initializer(self, dataset: Any, name: str | None = None) -> Operation:
        """An operation that makes this iterator go over `dataset`. TypeError when its elements are of another structure."""
        dataset = _as_dataset(dataset)
        if not st.compatible_structures(self._structure, dataset._structure):
            for what, of in (("types", st.legacy_types), ("shapes", st.legacy_shapes), ("classes", st.legacy_classes)):
                mine, given = of(self._structure), of(dataset._structure)
                if what == "shapes" or repr(mine) != repr(given):
                    raise TypeError(f"Expected output {what} {mine!r} but got dataset with output {what} {given!r}.")
        with colocate_with(self._iterator_resource.op):
            return raw.MakeIterator(dataset._variant_tensor, self._iterator_resource, name=name or "make_initializer")  # type: ignore[no-any-return]

    def get_next(self, name: str | None = None) -> Any:
        """The next element as nested tensors. Running it raises OutOfRangeError at the end."""
        self._get_next_call_count += 1
        if self._get_next_call_count == 33:
            import warnings

            warnings.warn(
                "An unusually high number of `Iterator.get_next()` calls was detected. This often indicates that `Iterator.get_next()` is being called "
                "inside a training loop, which will cause gradual slowdown and eventual resource exhaustion. If this is the case, restructure your code to "
                "call `next_element = iterator.get_next()` once outside the loop, and use `next_element` as the input to some computation that is invoked "
                "inside the loop.",
                stacklevel=2,
            )
        types, shapes = st.components(self._structure)
        with colocate_with(self._iterator_resource.op):
            flat = raw.IteratorGetNext(self._iterator_resource, output_types=types, output_shapes=shapes, name=name)
        return st.from_components(self._structure, list(flat) if isinstance(flat, (list, tuple)) else [flat])

    def get_next_as_optional(self) -> Optional:
        types, shapes = st.components(self._structure)
        with colocate_with(self._iterator_resource.op):
            return Optional(
                raw.IteratorGetNextAsOptional(self._iterator_resource, output_types=types, output_shapes=shapes),
                self._structure,
            )

    def string_handle(self, name: str | None = None) -> Tensor:
        """A scalar string tensor that names this iterator in its session, for `from_string_handle`."""
        return self._string_handle if name is None else raw.IteratorToStringHandle(self._iterator_resource, name=name)  # type: ignore[no-any-return]

    @property
    def element_spec(self) -> Any:
        return self._structure

    @property
    def output_types(self) -> Any:
        return st.legacy_types(self._structure)

    @property
    def output_shapes(self) -> Any:
        return st.legacy_shapes(self._structure)

    @property
    def output_classes(self) -> Any:
        return st.legacy_classes(self._structure)


def _as_dtype(t: Any) -> Any:
    return t if hasattr(t, "dtype") else dtypes.as_dtype(t)


def _as_dataset(dataset: Any) -> Any:
    if not hasattr(dataset, "_variant_tensor"):
        raise TypeError(f"Expected a tf.data.Dataset, got {type(dataset).__name__}.")
    return dataset


# --- making them ---------------------------------------------------------------------------------------------------------------
def make_one_shot_iterator(dataset: Any) -> Iterator:
    """An iterator that starts by itself. ValueError when the dataset uses placeholders, variables or tables."""
    dataset = _as_dataset(dataset)
    try:
        factory = by_value(dataset._variant_tensor)
    except ValueError as e:
        if "Cannot capture a stateful node" in str(e):
            raise ValueError(
                f"{e}: A likely cause of this error is that the dataset for which you are calling `make_one_shot_iterator()` captures a "
                "stateful object, such as "
                "a `tf.Variable` or `tf.lookup.StaticHashTable`, which is not supported. Use `make_initializable_iterator()` instead."
            ) from None
        raise
    types, shapes = st.components(dataset._structure)
    with colocate_with(dataset._variant_tensor.op):
        resource = raw.OneShotIterator(dataset_factory=factory, output_types=types, output_shapes=shapes)
        return Iterator._make(resource, None, dataset._structure)


def make_initializable_iterator(dataset: Any, shared_name: str | None = None) -> Iterator:
    """An iterator whose `initializer` must be run before (and starts it anew each time)."""
    dataset = _as_dataset(dataset)
    types, shapes = st.components(dataset._structure)
    with colocate_with(dataset._variant_tensor.op):
        resource = raw.IteratorV2(container="", shared_name=shared_name or "", output_types=types, output_shapes=shapes)
        initializer = raw.MakeIterator(dataset._variant_tensor, resource)
        return Iterator._make(resource, initializer, dataset._structure)


# --- optionals ---------------------------------------------------------------------------------------------------------------------
class Optional:
    """A value that may be absent at run time."""

    def __init__(self, variant_tensor: Tensor, value_structure: Any) -> None:
        self._variant_tensor = variant_tensor
        self.value_structure = value_structure

    @property
    def element_spec(self) -> Any:
        return self.value_structure

    def has_value(self, name: str | None = None) -> Tensor:
        return raw.OptionalHasValue(self._variant_tensor, name=name)  # type: ignore[no-any-return]

    def get_value(self, name: str | None = None) -> Any:
        """The value; running it raises InvalidArgumentError when there is none."""
        types, shapes = st.components(self.value_structure)
        flat = raw.OptionalGetValue(self._variant_tensor, output_types=types, output_shapes=shapes, name=name)
        return st.from_components(self.value_structure, list(flat) if isinstance(flat, (list, tuple)) else [flat])

    @staticmethod
    def from_value(value: Any) -> Optional:
        value = st.normalize(value, scope=None)
        return Optional(raw.OptionalFromValue([st.to_component(v) for v in st.flatten(value)]), st.structure_of(value))

    @staticmethod
    def none_from_structure(value_structure: Any) -> Optional:
        return Optional(raw.OptionalNone(), value_structure)

    @staticmethod
    def empty(element_spec: Any) -> Optional:
        return Optional.none_from_structure(element_spec)


def get_next_as_optional(iterator: Iterator) -> Optional:
    return iterator.get_next_as_optional()


# --- checkpoints ---------------------------------------------------------------------------------------------------------------------
class _IteratorSaveable(SaveableObject):
    """An iterator's position, saved and restored by a Saver."""

    def __init__(self, resource: Tensor, name: str = "ITERATOR", external_state_policy: Any = None) -> None:
        policy = getattr(external_state_policy, "value", external_state_policy) or 0
        serialized = raw.SerializeIterator(resource, external_state_policy=policy)
        super().__init__(resource, [SaveSpec(serialized, "", name, dtypes.variant)], name)

    def restore(self, restored_tensors: Any, restored_shapes: Any) -> Operation:
        with colocate_with(self.op.op):
            return raw.DeserializeIterator(self.op, restored_tensors[0])  # type: ignore[no-any-return]


def make_saveable_from_iterator(iterator: Iterator, external_state_policy: Any = "fail") -> SaveableObject:
    """What a Saver takes to keep the iterator's position; add it to the SAVEABLE_OBJECTS collection."""
    policies = {"warn": 0, "ignore": 1, "fail": 2}
    policy = (
        policies.get(external_state_policy, external_state_policy)
        if isinstance(external_state_policy, str)
        else external_state_policy
    )
    return _IteratorSaveable(iterator._iterator_resource, iterator._iterator_resource.op.name, policy)


def get_output_types(dataset_or_iterator: Any) -> Any:
    return st.legacy_types(dataset_or_iterator._structure)


def get_output_shapes(dataset_or_iterator: Any) -> Any:
    return st.legacy_shapes(dataset_or_iterator._structure)


def get_output_classes(dataset_or_iterator: Any) -> Any:
    return st.legacy_classes(dataset_or_iterator._structure)


def get_structure(dataset_or_iterator: Any) -> Any:
    """The nested specs of the elements of a dataset or iterator."""
    return dataset_or_iterator._structure


__tf_exports__ = {
    "data.Iterator": "Iterator",
    "data.make_one_shot_iterator": "make_one_shot_iterator",
    "data.make_initializable_iterator": "make_initializable_iterator",
    "data.get_output_types": "get_output_types",
    "data.get_output_shapes": "get_output_shapes",
    "data.get_output_classes": "get_output_classes",
    "data.experimental.get_structure": "get_structure",
    **{
        f"{p}.{n}": n
        for p in ("data.experimental", "contrib.data")
        for n in ("Optional", "get_next_as_optional", "make_saveable_from_iterator")
    },
}
