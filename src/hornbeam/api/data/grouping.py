"""Groups of elements: `group_by_window`, `group_by_reducer`, `bucket_by_sequence_length`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from hornbeam.api.data import structure as st
from hornbeam.api.data.dataset import Dataset
from hornbeam.api.data.functions import DatasetFunction
from hornbeam.api.framework import TensorSpec
from hornbeam.core import dtypes
from hornbeam.core.registry import raw
from hornbeam.core.tensor_shape import to_tuple

Transformation = Callable[[Dataset], Dataset]
_KEY = TensorSpec((), dtypes.int64)


def group_by_window(
    key_func: Any, reduce_func: Any, window_size: Any = None, window_size_func: Any = None
) -> Transformation:
    """`Dataset.group_by_window` for `apply`."""
    if (window_size is None) == (window_size_func is None):
        raise ValueError(
            "Either the `window_size` argument or the `window_size_func` argument must be specified, not both."
        )
    return lambda dataset: dataset.group_by_window(key_func, reduce_func, window_size, window_size_func)


class Reducer:
    """A reduction in three functions: `init(key)` → state, `reduce(state, element)` → state, `finalize(state)` → result."""

    def __init__(self, init_func: Any, reduce_func: Any, finalize_func: Any) -> None:
        self._init_func, self._reduce_func, self._finalize_func = init_func, reduce_func, finalize_func

    init_func = property(lambda self: self._init_func)
    reduce_func = property(lambda self: self._reduce_func)
    finalize_func = property(lambda self: self._finalize_func)


def group_by_reducer(key_func: Any, reducer: Reducer) -> Transformation:
    """One result per key, in the order of the keys."""

    def apply(dataset: Dataset) -> Dataset:
        what = "tf.data.experimental.group_by_reducer()"
        key = DatasetFunction(key_func, what, dataset._structure)
        if key.structure != _KEY:
            raise ValueError(f"`key_func` must return a single tf.int64 tensor. Got {key.structure}.")
        init = DatasetFunction(reducer.init_func, what, _KEY)
        state = init.structure
        while True:
            reduce = DatasetFunction(reducer.reduce_func, what, (state, dataset._structure))
            merged = st.map_structure(st.most_general, state, reduce.structure)
            if merged == state:
                break
            state = merged
        final = DatasetFunction(reducer.finalize_func, what, state)
        types, shapes = st.components(final.structure)
        node = raw.GroupByReducerDataset(
            dataset._variant_tensor, key.captured, init.captured, reduce.captured, final.captured, key_func=key.function, init_func=init.function,
            reduce_func=reduce.function, finalize_func=final.function, output_types=types, output_shapes=shapes,
        )  # fmt: skip
        return Dataset(node, final.structure, [dataset])

    return apply


def bucket_by_sequence_length(
    element_length_func: Callable[..., Any], bucket_boundaries: Sequence[int], bucket_batch_sizes: Sequence[int], padded_shapes: Any = None,
    padding_values: Any = None, pad_to_bucket_boundary: bool = False, no_padding: bool = False, drop_remainder: bool = False,
) -> Transformation:  # fmt: skip
    """Padded batches of elements of like length: bucket i holds lengths below `bucket_boundaries[i]`, the last one the rest."""
    if len(bucket_batch_sizes) != len(bucket_boundaries) + 1:
        raise ValueError(
            f"`len(bucket_batch_sizes)` must equal `len(bucket_boundaries) + 1` but `len(bucket_batch_sizes)={len(bucket_batch_sizes)}` and `len(bucket_boundaries)={len(bucket_boundaries)}`."
        )
    sizes = np.asarray(bucket_batch_sizes, np.int64)
    edges = np.asarray(bucket_boundaries, np.int64)

    def bucket(*element: Any) -> Any:
        length = raw.Cast(element_length_func(*element), DstT=dtypes.int64)
        return raw.Sum(raw.Cast(raw.GreaterEqual(length, edges), DstT=dtypes.int64), np.int32(0))

    def window(key: Any) -> Any:
        return raw.GatherV2(sizes, key, np.int32(0))

    def shapes_with(shapes: Any, filler: Any) -> Any:
        def fill(s: Any) -> Any:
            dims = to_tuple(s)
            return (
                None
                if dims is None
                else raw.Pack([raw.Reshape(filler if d is None else np.int64(d), []) for d in dims])
                if dims
                else np.zeros(0, np.int64)
            )

        return st.map_structure(fill, shapes)

    def make_batch(key: Any, grouped: Dataset) -> Dataset:
        size = window(key)
        if no_padding:
            return grouped.batch(size, drop_remainder=drop_remainder)
        shapes = padded_shapes if padded_shapes is not None else grouped.output_shapes
        if pad_to_bucket_boundary:
            limits = np.concatenate([edges - 1, [-1]]).astype(np.int64)
            from hornbeam.api.control_flow_ops import Assert

            check = Assert(
                raw.Less(key, np.int64(len(edges))),
                ["When pad_to_bucket_boundary=True, elements must have length < max(bucket_boundaries)."],
            )
            from hornbeam.core.graph import control_dependencies

            with control_dependencies([check]):
                limit = raw.GatherV2(limits, key, np.int32(0))
            shapes = shapes_with(st.pack(grouped._structure, st.flatten_shapes(grouped._structure, shapes)), limit)
        return grouped.padded_batch(size, shapes, padding_values, drop_remainder=drop_remainder)

    return lambda dataset: dataset.apply(group_by_window(bucket, make_batch, window_size_func=window))


__tf_exports__ = {
    f"{p}.{n}": n
    for p in ("data.experimental", "contrib.data")
    for n in ("group_by_window", "group_by_reducer", "bucket_by_sequence_length", "Reducer")
}
