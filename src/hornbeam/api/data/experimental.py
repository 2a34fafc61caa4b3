"""`tf.data.experimental` and `tf.contrib.data`: transformations for `Dataset.apply`, mixtures of datasets, counters."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from hornbeam.api.data import structure as st
from hornbeam.api.data.dataset import AUTOTUNE, Dataset, dataset_seeds, int64
from hornbeam.api.data.functions import DatasetFunction
from hornbeam.api.framework import TensorSpec
from hornbeam.core import dtypes
from hornbeam.core.graph import Tensor, convert_to_tensor
from hornbeam.core.registry import raw

Transformation = Callable[[Dataset], Dataset]


# --- methods as functions ------------------------------------------------------------------------------------------------------
def shuffle_and_repeat(buffer_size: Any, count: Any = None, seed: Any = None) -> Transformation:
    """Shuffles each repetition anew, without emptying the buffer between them."""

    def apply(dataset: Dataset) -> Dataset:
        return dataset._same(
            lambda v, size, a, b, n, **k: raw.ShuffleAndRepeatDataset(v, size, a, b, n, **k), int64(buffer_size, "buffer_size"), *dataset_seeds(seed),
            int64(-1 if count is None else count, "count"),
        )  # fmt: skip

    return apply


def map_and_batch(
    map_func: Callable[..., Any],
    batch_size: Any,
    num_parallel_batches: int | None = None,
    drop_remainder: Any = False,
    num_parallel_calls: Any = None,
) -> Transformation:
    """`map` and `batch` in one node."""
    if num_parallel_batches is not None and num_parallel_calls is not None:
        raise ValueError(
            "`map_and_batch` allows only one of `num_parallel_batches` and `num_parallel_calls` to be set, but both were set."
        )

    def apply(dataset: Dataset) -> Dataset:
        f = DatasetFunction(map_func, "tf.data.experimental.map_and_batch()", dataset._structure)
        size = int64(batch_size, "batch_size")
        drop = convert_to_tensor(drop_remainder, dtypes.bool, name="drop_remainder")
        calls: Any = num_parallel_calls
        if calls is None:
            calls = raw.Mul(size, np.int64(num_parallel_batches)) if num_parallel_batches is not None else size
        from hornbeam.api.data.dataset import _batched

        structure = _batched(f.structure, size, drop)
        node = raw.MapAndBatchDataset(
            dataset._variant_tensor,
            f.captured,
            size,
            int64(calls, "num_parallel_calls"),
            drop,
            f=f.function,
            preserve_cardinality=True,
            **dataset._attrs(structure),
        )
        return Dataset(node, structure, [dataset])

    return apply


def parallel_interleave(
    map_func: Callable[..., Any], cycle_length: Any, block_length: Any = 1, sloppy: bool = False, buffer_output_elements: Any = None,
    prefetch_input_elements: Any = None,
) -> Transformation:  # fmt: skip
    """`interleave` whose datasets are read ahead on threads. The order is the deterministic one, with `sloppy` too."""

    def apply(dataset: Dataset) -> Dataset:
        f, structure = dataset._to_dataset(map_func, "tf.data.experimental.parallel_interleave()")
        block = (
            2 * block_length
            if isinstance(block_length, int)
            else raw.Mul(int64(block_length, "block_length"), np.int64(2))
        )
        node = raw.ParallelInterleaveDataset(
            dataset._variant_tensor, f.captured, int64(cycle_length, "cycle_length"), int64(block_length, "block_length"),
            convert_to_tensor(sloppy, dtypes.bool, name="sloppy"), int64(block if buffer_output_elements is None else buffer_output_elements, "buffer_output_elements"),
            int64(2 if prefetch_input_elements is None else prefetch_input_elements, "prefetch_input_elements"), f=f.function, **dataset._attrs(structure),
        )  # fmt: skip
        return Dataset(node, structure, [dataset])

    return apply


def sloppy_interleave(map_func: Callable[..., Any], cycle_length: Any, block_length: Any = 1) -> Transformation:
    return parallel_interleave(map_func, cycle_length, block_length, sloppy=True)


def unbatch() -> Transformation:
    return lambda dataset: dataset.unbatch()


def unique() -> Transformation:
    return lambda dataset: dataset.unique()


def ignore_errors(log_warning: bool = False) -> Transformation:
    """Leaves out the elements that fail."""
    return lambda dataset: dataset.ignore_errors(log_warning)


def enumerate_dataset(start: Any = 0) -> Transformation:
    return lambda dataset: dataset.enumerate(start)


def scan(initial_state: Any, scan_func: Callable[..., Any]) -> Transformation:
    return lambda dataset: dataset.scan(initial_state, scan_func)


def take_while(predicate: Callable[..., Any]) -> Transformation:
    return lambda dataset: dataset.take_while(predicate)


def padded_batch_and_drop_remainder(batch_size: Any, padded_shapes: Any, padding_values: Any = None) -> Transformation:
    return lambda dataset: dataset.padded_batch(batch_size, padded_shapes, padding_values, drop_remainder=True)


def batch_and_drop_remainder(batch_size: Any) -> Transformation:
    return lambda dataset: dataset.batch(batch_size, drop_remainder=True)


def dense_to_sparse_batch(batch_size: Any, row_shape: Any) -> Transformation:
    """Batches of tensors of unequal shape as SparseTensors of rows of `row_shape` (None: the largest)."""

    def apply(dataset: Dataset) -> Dataset:
        spec = dataset._structure
        if not isinstance(spec, TensorSpec):
            raise TypeError("`dense_to_sparse_batch` requires an input dataset whose elements have a single component.")
        if isinstance(row_shape, Tensor):
            row: Any = row_shape
            dims = (None,) * row_shape._shape[0] if row_shape._shape else None
        else:
            dims = tuple(None if d is None or int(d) < 0 else int(d) for d in row_shape)
            row = convert_to_tensor(np.array([-1 if d is None else d for d in dims], np.int64), name="row_shape")
        structure = st.SparseTensorSpec(None if dims is None else (None, *dims), spec.dtype)
        node = raw.DenseToSparseBatchDataset(
            dataset._variant_tensor,
            int64(batch_size, "batch_size"),
            row,
            output_types=[spec.dtype],
            output_shapes=[structure.shape],
        )
        return Dataset(node, structure, [dataset])

    return apply


def sliding_window_batch(
    window_size: Any, stride: Any = None, window_shift: Any = None, window_stride: Any = 1
) -> Transformation:
    """Full windows as batches."""
    shift = window_shift if window_shift is not None else 1 if stride is None else stride

    def apply(dataset: Dataset) -> Dataset:
        structure = st.map_structure(
            lambda s: st.batch_spec(s, window_size if isinstance(window_size, int) else None), dataset._structure
        )
        node = raw.SlidingWindowDataset(
            dataset._variant_tensor,
            int64(window_size, "window_size"),
            int64(shift, "window_shift"),
            int64(window_stride, "window_stride"),
            **dataset._attrs(structure),
        )
        return Dataset(node, structure, [dataset])

    return apply


def copy_to_device(target_device: Any, source_device: str = "/cpu:0") -> Transformation:
    """Nothing to copy: a step moves its inputs to the device itself."""
    return lambda dataset: dataset


def prefetch_to_device(device: Any, buffer_size: Any = None) -> Transformation:
    """Prefetching; a step moves its inputs to the device itself."""
    return lambda dataset: dataset.prefetch(AUTOTUNE if buffer_size is None else buffer_size)


def assert_cardinality(expected_cardinality: Any) -> Transformation:
    """FailedPreconditionError while iterating when there are more or fewer elements."""
    return lambda dataset: dataset._same(raw.AssertCardinalityDataset, int64(expected_cardinality, "cardinality"))


def cardinality(dataset: Dataset) -> Tensor:
    return dataset.cardinality()


def get_single_element(dataset: Dataset) -> Any:
    """The only element of `dataset`, as tensors."""
    if not isinstance(dataset, Dataset):
        raise TypeError(f"Invalid `dataset`. Expected a `tf.data.Dataset` object but got {type(dataset)}.")
    return dataset.get_single_element()


def to_variant(dataset: Dataset) -> Tensor:
    return dataset._variant_tensor  # type: ignore[no-any-return]


def from_variant(variant: Tensor, structure: Any) -> Dataset:
    return Dataset(variant, structure)


# --- sources -------------------------------------------------------------------------------------------------------------------------
class RandomDataset(Dataset):
    """Pseudo-random int64 values in [0, 2³²), without end, in TensorFlow's order for a seed."""

    def __init__(self, seed: Any = None) -> None:
        made = Dataset.random(seed)
        super().__init__(made._variant_tensor, made._structure)


def Counter(start: Any = 0, step: Any = 1, dtype: Any = dtypes.int64) -> Dataset:  # noqa: N802  TensorFlow's name
    """`start`, `start + step`, … without end."""
    dtype = dtypes.as_dtype(dtype)
    first, by = convert_to_tensor(start, dtype, name="start"), convert_to_tensor(step, dtype, name="step")
    return Dataset.from_tensors(0).repeat(None).scan(first, lambda state, _: (raw.AddV2(state, by), state))


# --- mixtures ------------------------------------------------------------------------------------------------------------------------
def _directed(selector: Dataset, datasets: Sequence[Dataset], stop: bool) -> Dataset:
    structure = datasets[0]._structure
    for d in datasets[1:]:
        if repr(d.output_types) != repr(datasets[0].output_types):
            raise ValueError(f"All datasets must have the same types: {datasets[0].output_types} and {d.output_types}.")
        structure = st.map_structure(st.most_general, structure, d._structure)
    types, shapes = st.components(structure)
    node = raw.DirectedInterleaveDataset(
        selector._variant_tensor,
        [d._variant_tensor for d in datasets],
        output_types=types,
        output_shapes=shapes,
        stop_on_empty_dataset=stop,
    )
    return Dataset(node, structure, [selector, *datasets])


def sample_from_datasets(
    datasets: Sequence[Dataset], weights: Any = None, seed: Any = None, stop_on_empty_dataset: bool = False
) -> Dataset:
    """Each element from a dataset drawn at random, with probabilities `weights` (a list, tensor or dataset of them)."""
    if not datasets:
        raise ValueError("Invalid `datasets`. `datasets` should not be empty.")
    n = len(datasets)

    def draw(logits: Any, seed_pair: Any) -> Any:
        drawn = raw.StatelessMultinomial(logits, 1, seed_pair)
        return raw.Squeeze(drawn, squeeze_dims=[0, 1])

    if not isinstance(weights, Dataset):
        if weights is None:
            logits: Any = convert_to_tensor(np.ones((1, n), np.float32), name="weights")
            logits = raw.Log(logits)
        else:
            w = convert_to_tensor(weights, name="weights")
            if w.dtype.base_dtype not in (dtypes.float32, dtypes.float64):
                raise TypeError(
                    f"`weights` must be convertible to a tensor of `tf.float32` or `tf.float64` elements, got {w.dtype.name}."
                )
            if w._shape is not None and w._shape != (n,):
                raise ValueError(f"Invalid `weights`. The shape of `weights` should be [{n}] but is {w.shape}.")
            logits = raw.ExpandDims(raw.Log(w, name="logits"), 0)
        if n == 1:
            return datasets[0]
        selector = Dataset.random(seed).batch(2, drop_remainder=True).map(lambda pair: draw(logits, pair))
    else:
        rows = weights.map(lambda *p: raw.ExpandDims(raw.Log(p[0], name="logits"), 0))
        selector = Dataset.zip((rows, Dataset.random(seed).batch(2, drop_remainder=True))).map(draw)
    return _directed(selector, datasets, stop_on_empty_dataset)


def choose_from_datasets(
    datasets: Sequence[Dataset], choice_dataset: Dataset, stop_on_empty_dataset: bool = False
) -> Dataset:
    """Each element from the dataset whose number `choice_dataset` (scalar int64) gives."""
    if not datasets:
        raise ValueError("Invalid `datasets`. `datasets` should not be empty.")
    spec = choice_dataset._structure
    if not isinstance(spec, TensorSpec) or spec.dtype is not dtypes.int64 or spec.shape.ndims not in (0, None):
        raise TypeError("Elements of `choice_dataset` must be scalar `tf.int64` tensors.")
    return _directed(choice_dataset, datasets, stop_on_empty_dataset)


def rejection_resample(
    class_func: Callable[..., Any], target_dist: Any, initial_dist: Any = None, seed: Any = None
) -> Transformation:
    """Pairs (class, element) of which the classes have the distribution `target_dist`, by leaving elements out."""
    from hornbeam.api.random_ops import random_uniform

    def apply(dataset: Dataset) -> Dataset:
        target = convert_to_tensor(target_dist, name="target_dist")
        k = int(target._shape[0])
        classes = dataset.map(class_func)
        if initial_dist is not None:
            start = convert_to_tensor(initial_dist, name="initial_dist")
            dists = Dataset.from_tensors(start).repeat()
        else:
            # counts begin at one for every class
            def update(counts: Any, c: Any) -> Any:
                counts = raw.AddV2(counts, raw.OneHot(c, k, np.float32(1), np.float32(0), axis=-1))
                return counts, raw.RealDiv(counts, raw.Sum(counts, np.int32(0)))

            dists = classes.scan(np.full(k, 1, np.float32), update)

        def accept(dist: Any) -> Any:
            ratio = raw.RealDiv(
                raw.Cast(target, DstT=dist.dtype),
                raw.Maximum(dist, np.asarray(np.finfo(dist.dtype.np).tiny, dist.dtype.np)),
            )
            return raw.RealDiv(ratio, raw.Max(ratio, np.int32(0)))

        def keep(c: Any, p: Any, *_: Any) -> Any:
            return raw.Less(random_uniform([], seed=seed, dtype=p.dtype), raw.GatherV2(p, c, np.int32(0)))

        joined = Dataset.zip((classes, dists.map(accept), dataset)).filter(lambda c, p, e: keep(c, p))
        return joined.map(lambda c, p, e: (c, e))

    return apply


# --- writing -------------------------------------------------------------------------------------------------------------------------
class TFRecordWriter:
    """`write(dataset)` gives an operation that writes a dataset of scalar strings to a TFRecord file."""

    def __init__(self, filename: Any, compression_type: Any = None) -> None:
        self._filename = convert_to_tensor(filename, dtypes.string, name="filename")
        self._compression_type = convert_to_tensor(compression_type or "", dtypes.string, name="compression_type")

    def write(self, dataset: Dataset) -> Any:
        if not isinstance(dataset, Dataset):
            raise TypeError(f"Invalid `dataset.` Expected a `tf.data.Dataset` object but got {type(dataset)}.")
        if dataset._structure != TensorSpec((), dtypes.string):
            raise TypeError(f"Invalid `dataset`. Expected a scalar string dataset but got {dataset._structure}.")
        return raw.DatasetToTFRecord(dataset._variant_tensor, self._filename, self._compression_type)


_BOTH = [
    "shuffle_and_repeat", "map_and_batch", "parallel_interleave", "unbatch", "unique", "ignore_errors", "enumerate_dataset", "scan", "dense_to_sparse_batch",
    "copy_to_device", "prefetch_to_device", "get_single_element", "sample_from_datasets", "choose_from_datasets", "rejection_resample", "RandomDataset",
    "Counter", "TFRecordWriter",
]  # fmt: skip
__tf_exports__ = {
    **{f"{p}.{n}": n for p in ("data.experimental", "contrib.data") for n in _BOTH},
    **{
        f"data.experimental.{n}": n
        for n in ("take_while", "assert_cardinality", "cardinality", "to_variant", "from_variant")
    },
    "data.experimental.map_and_batch_with_legacy_function": "map_and_batch",
    **{
        f"contrib.data.{n}": n
        for n in (
            "sloppy_interleave",
            "padded_batch_and_drop_remainder",
            "batch_and_drop_remainder",
            "sliding_window_batch",
        )
    },
}
