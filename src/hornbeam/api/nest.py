"""`tf.nest`: nested structures of lists, tuples, named tuples, dicts (in key order) and attrs classes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np


def _is_attrs(x: Any) -> bool:
    return hasattr(type(x), "__attrs_attrs__")


def is_nested(structure: Any) -> bool:
    """True for what `flatten` would go into (strings, arrays and tensors are leaves)."""
    if isinstance(structure, (list, tuple, Mapping)):
        return True
    return _is_attrs(structure)


is_sequence = is_nested


def _children(structure: Any) -> list[Any]:
    if isinstance(structure, Mapping):
        return [structure[k] for k in _keys(structure)]
    if _is_attrs(structure):
        return [getattr(structure, a.name) for a in type(structure).__attrs_attrs__]
    return list(structure)


def _keys(d: Mapping[Any, Any]) -> list[Any]:
    try:
        return sorted(d)
    except TypeError:
        raise TypeError("nest only supports dicts with sortable keys.") from None


def _like(structure: Any, children: list[Any]) -> Any:
    """A structure of the same type with other children."""
    if isinstance(structure, Mapping):
        by_key = dict(zip(_keys(structure), children, strict=True))
        if hasattr(structure, "default_factory"):
            out = type(structure)(structure.default_factory)  # type: ignore[call-arg]
            out.update((k, by_key[k]) for k in structure)  # type: ignore[attr-defined]
            return out
        return type(structure)((k, by_key[k]) for k in structure)  # type: ignore[call-arg]
    if _is_attrs(structure):
        return type(structure)(*children)
    if isinstance(structure, tuple) and hasattr(structure, "_fields"):
        return type(structure)(*children)
    return type(structure)(children)


def flatten(structure: Any, expand_composites: bool = False) -> list[Any]:
    """The leaves, depth first; a leaf alone gives a list of one."""
    if not is_nested(structure):
        return _composite(structure) if expand_composites else [structure]
    out: list[Any] = []
    for c in _children(structure):
        out += flatten(c, expand_composites)
    return out


def _composite(x: Any) -> list[Any]:
    if type(x).__name__ == "SparseTensor":
        return [x.indices, x.values, x.dense_shape]
    if type(x).__name__ == "IndexedSlices":
        return [x.values, x.indices] + ([] if x.dense_shape is None else [x.dense_shape])
    return [x]


def assert_same_structure(nest1: Any, nest2: Any, check_types: bool = True, expand_composites: bool = False) -> None:
    """ValueError when the nesting differs, TypeError when only the container types do."""
    if is_nested(nest1) != is_nested(nest2):
        raise ValueError(
            f"The two structures don't have the same nested structure.\n\nFirst structure: type={type(nest1).__name__} str={nest1}\n\n"
            f"Second structure: type={type(nest2).__name__} str={nest2}"
        )
    if not is_nested(nest1):
        return
    if (
        check_types
        and type(nest1) is not type(nest2)
        and not (isinstance(nest1, Mapping) and isinstance(nest2, Mapping))
    ):
        same_fields = (
            getattr(nest1, "_fields", 1) == getattr(nest2, "_fields", 2)
            and type(nest1).__name__ == type(nest2).__name__
        )
        if not same_fields:
            raise TypeError(
                f"The two structures don't have the same sequence type. First has type {type(nest1)}, second has {type(nest2)}."
            )
    if isinstance(nest1, Mapping) and isinstance(nest2, Mapping) and set(nest1) != set(nest2):
        raise ValueError(
            f"The two dictionaries don't have the same set of keys. First has {sorted(map(str, nest1))}, second {sorted(map(str, nest2))}."
        )
    a, b = _children(nest1), _children(nest2)
    if len(a) != len(b):
        raise ValueError(
            f"The two structures don't have the same number of elements. First has {len(a)}, second {len(b)}: {nest1} vs {nest2}"
        )
    for x, y in zip(a, b, strict=True):
        assert_same_structure(x, y, check_types, expand_composites)


def pack_sequence_as(structure: Any, flat_sequence: Any, expand_composites: bool = False) -> Any:
    """`flat_sequence` arranged as `structure`; ValueError when the counts differ."""
    flat = (
        list(flat_sequence)
        if is_nested(flat_sequence) or isinstance(flat_sequence, Iterator)
        else _not_a_sequence(flat_sequence)
    )
    if not is_nested(structure):
        if len(flat) != 1:
            raise ValueError(f"Structure is a scalar but len(flat_sequence) == {len(flat)} > 1")
        return flat[0]
    n = len(flatten(structure))
    if n != len(flat):
        raise ValueError(
            f"Could not pack sequence. Structure had {n} elements, but flat_sequence had {len(flat)} elements. "
            f"Structure: {structure}, flat_sequence: {flat}."
        )
    it = iter(flat)

    def build(s: Any) -> Any:
        return _like(s, [build(c) for c in _children(s)]) if is_nested(s) else next(it)

    return build(structure)


def _not_a_sequence(value: Any) -> list[Any]:
    if isinstance(value, np.ndarray):
        return list(value)
    raise TypeError(
        f"Attempted to pack value:\n  {value}\ninto a sequence, but found incompatible type `{type(value)}` instead."
    )


def map_structure(func: Callable[..., Any], *structure: Any, **kwargs: Any) -> Any:
    """`func` applied leaf by leaf to structures of one shape."""
    check_types = kwargs.pop("check_types", True)
    expand = kwargs.pop("expand_composites", False)
    if kwargs:
        raise ValueError(
            f"Only valid keyword arguments are `check_types` and `expand_composites`, not: `{', '.join(kwargs)}`"
        )
    if not callable(func):
        raise TypeError(f"func must be callable, got: {func}")
    if not structure:
        raise ValueError("Must provide at least one structure")
    for other in structure[1:]:
        assert_same_structure(structure[0], other, check_types, expand)
    return pack_sequence_as(
        structure[0], [func(*leaves) for leaves in zip(*(flatten(s) for s in structure), strict=True)]
    )


def flatten_up_to(shallow_tree: Any, input_tree: Any, check_types: bool = True) -> list[Any]:
    """Children of `input_tree` at the leaves of `shallow_tree`."""
    if not is_nested(shallow_tree):
        return [input_tree]
    if not is_nested(input_tree):
        raise TypeError(
            f"If shallow structure is a sequence, input must also be a sequence. Input has type: {type(input_tree)}."
        )
    a, b = _children(shallow_tree), _children(input_tree)
    if len(a) != len(b):
        raise ValueError(
            f"The two structures don't have the same sequence length. Input structure has length {len(b)}, while shallow structure has "
            f"length {len(a)}."
        )
    out: list[Any] = []
    for x, y in zip(a, b, strict=True):
        out += flatten_up_to(x, y, check_types)
    return out


def map_structure_up_to(shallow_tree: Any, func: Callable[..., Any], *inputs: Any, **kwargs: Any) -> Any:
    parts = [flatten_up_to(shallow_tree, i) for i in inputs]
    return pack_sequence_as(shallow_tree, [func(*p) for p in zip(*parts, strict=True)])


def assert_shallow_structure(shallow_tree: Any, input_tree: Any, check_types: bool = True) -> None:
    flatten_up_to(shallow_tree, input_tree, check_types)


def flatten_with_joined_string_paths(structure: Any, separator: str = "/") -> list[tuple[str, Any]]:
    out: list[tuple[str, Any]] = []

    def go(s: Any, path: tuple[str, ...]) -> None:
        if not is_nested(s):
            out.append((separator.join(path), s))
            return
        keys = (
            [str(k) for k in _keys(s)]
            if isinstance(s, Mapping)
            else list(getattr(s, "_fields", map(str, range(len(_children(s))))))
        )
        for k, c in zip(keys, _children(s), strict=True):
            go(c, (*path, k))

    go(structure, ())
    return out


def yield_flattened_up_to(shallow_tree: Any, input_tree: Any) -> Iterator[Any]:
    yield from flatten_up_to(shallow_tree, input_tree)


_NAMES = [
    "assert_same_structure", "flatten", "is_nested", "map_structure", "pack_sequence_as",
]  # fmt: skip
_MORE = [
    "is_sequence",
    "flatten_up_to",
    "map_structure_up_to",
    "assert_shallow_structure",
    "flatten_with_joined_string_paths",
    "yield_flattened_up_to",
]
__tf_exports__ = {
    **{f"nest.{n}": n for n in _NAMES},
    **{f"contrib.framework.nest.{n}": n for n in _NAMES + _MORE},
    **{f"python.util.nest.{n}": n for n in _NAMES + _MORE},
}
