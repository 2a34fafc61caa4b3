"""`Dataset.from_generator`: a Python generator behind the three functions of a GeneratorDataset node."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np

from hornbeam.api.data import structure as st
from hornbeam.api.data.functions import DatasetFunction
from hornbeam.api.framework import TensorSpec
from hornbeam.api.function_ops import numpy_function
from hornbeam.core import dtypes
from hornbeam.core.constant import as_array
from hornbeam.core.graph import Tensor, convert_to_tensor
from hornbeam.core.registry import raw
from hornbeam.core.sparse_tensor import SparseTensorValue
from hornbeam.core.tensor_shape import compatible, to_tuple


class _Running:
    """The generators of one dataset that are under way, by number."""

    def __init__(self, generator: Callable[..., Any]) -> None:
        self.generator = generator
        self.numbers = itertools.count()
        self.iterators: dict[int, Any] = {}

    def start(self, *args: Any) -> np.ndarray[Any, Any]:
        number = next(self.numbers)
        self.iterators[number] = iter(self.generator(*args))
        return np.asarray(number, np.int64)

    def stop(self, number: Any) -> np.ndarray[Any, Any]:
        it = self.iterators.pop(int(number), None)
        close = getattr(it, "close", None)
        if close is not None:
            close()
        return np.asarray(0, np.int64)


def generator_dataset(
    generator: Callable[..., Any], output_types: Any, output_shapes: Any, args: Any, output_signature: Any, name: str | None
) -> tuple[Tensor, Any]:  # fmt: skip
    if not callable(generator):
        raise TypeError("`generator` must be callable.")
    if output_signature is not None:
        if output_types is not None or output_shapes is not None:
            raise TypeError(
                "The `output_types` and `output_shapes` arguments can not be used together with the `output_signature` argument."
            )
        structure = output_signature
    elif output_types is None:
        raise TypeError(
            "To specify the output signature you need to provide either the `output_signature` argument or the `output_types` argument."
        )
    else:
        structure = st.from_legacy(st.map_structure(dtypes.as_dtype, output_types), output_shapes)
    specs = st.flatten(structure)
    running = _Running(generator)

    def advance(number: Any) -> list[Any]:
        value = next(running.iterators[int(number)])
        return _flat(value, structure, specs)

    def start(_: Any) -> Any:
        out = numpy_function(running.start, [convert_to_tensor(a) for a in args or ()], dtypes.int64)
        out.set_shape(())
        return out

    types = [
        t
        for s in specs
        for t in ([dtypes.int64, s.dtype, dtypes.int64] if isinstance(s, st.SparseTensorSpec) else [s.dtype])
    ]

    def step(number: Any) -> Any:
        from hornbeam.core.sparse_tensor import SparseTensor

        flat = list(numpy_function(advance, [number], types))
        out = []
        for s in specs:
            if isinstance(s, st.SparseTensorSpec):
                out.append(SparseTensor(*flat[:3]))
                flat = flat[3:]
            else:
                t = flat.pop(0)
                t.set_shape(s.shape)
                out.append(t)
        return st.pack(structure, out)

    def finish(number: Any) -> Any:
        out = numpy_function(running.stop, [number], dtypes.int64)
        out.set_shape(())
        return out

    number = TensorSpec((), dtypes.int64)
    init_function = DatasetFunction(lambda: start(None), "from_generator_init", ())
    next_function = DatasetFunction(step, "from_generator_next", number)
    end_function = DatasetFunction(finish, "from_generator_finalize", number)
    out_types, out_shapes = st.components(structure)
    node = raw.GeneratorDataset(
        init_function.captured, next_function.captured, end_function.captured, init_func=init_function.function, next_func=next_function.function,
        finalize_func=end_function.function, output_types=out_types, output_shapes=out_shapes, name=name,
    )  # fmt: skip
    return node, structure


def _flat(value: Any, structure: Any, specs: list[Any]) -> list[Any]:
    """A yielded value as arrays of the declared types. TypeError when it is nested, typed or shaped otherwise."""
    if isinstance(value, list) and st.is_nested(structure):
        value = tuple(value)
    try:
        leaves = st.flatten_up_to(structure, value)
    except (TypeError, ValueError) as e:
        raise TypeError(
            f"`generator` yielded an element that did not match the expected structure. The expected structure was {st.legacy_types(structure)}, but the yielded "
            f"element was {value}."
        ) from e
    out: list[Any] = []
    for v, s in zip(leaves, specs, strict=True):
        if isinstance(s, st.SparseTensorSpec):
            parts = v if isinstance(v, tuple) else (v.indices, v.values, v.dense_shape)
            sparse = SparseTensorValue(*parts)
            out += [
                np.asarray(sparse.indices, np.int64),
                as_array(sparse.values, s.dtype),
                np.asarray(sparse.dense_shape, np.int64),
            ]
            continue
        try:
            array = as_array(v, dtypes.string) if s.dtype is dtypes.string else np.asarray(v, s.dtype.np)
        except (TypeError, ValueError) as e:
            raise TypeError(
                f"`generator` yielded an element that could not be converted to the expected type. The expected type was {s.dtype.name}, but the yielded element was {v}."
            ) from e
        if not compatible(to_tuple(s.shape), array.shape):
            raise TypeError(
                f"`generator` yielded an element of shape {array.shape} where an element of shape {s.shape} was expected."
            )
        out.append(array)
    return out
