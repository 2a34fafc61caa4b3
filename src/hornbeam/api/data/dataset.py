"""`tf.data.Dataset`: a node of the graph (a variant tensor) and the structure of its elements; its methods add further nodes."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from hornbeam.api.data import structure as st
from hornbeam.api.data.functions import DatasetFunction
from hornbeam.api.data.generator import generator_dataset
from hornbeam.api.data.iterator import Iterator, make_initializable_iterator, make_one_shot_iterator
from hornbeam.api.data.options import Options
from hornbeam.api.framework import TensorSpec
from hornbeam.api.random_ops import get_seed
from hornbeam.core import dtypes
from hornbeam.core.graph import Tensor, control_dependencies, convert_to_tensor, get_default_graph, name_scope
from hornbeam.core.registry import raw
from hornbeam.core.sparse_tensor import SparseTensor
from hornbeam.core.tensor_shape import TensorShape, to_tuple

AUTOTUNE = -1
INFINITE_CARDINALITY = -1
UNKNOWN_CARDINALITY = -2


def int64(value: Any, name: str) -> Tensor:
    return convert_to_tensor(value, dtypes.int64, name=name)


def dataset_seeds(seed: Any) -> tuple[Tensor, Tensor]:
    """The two seeds as int64 tensors; (0, 0) stands for fresh ones in every session."""
    a, b = (None, None) if isinstance(seed, Tensor) else get_seed(seed)
    if isinstance(seed, Tensor):
        graph_seed = get_default_graph().seed
        a, b = 87654321 if graph_seed is None else graph_seed, raw.Cast(seed, DstT=dtypes.int64)
    return int64(0 if a is None else a, "seed"), int64(0 if b is None else b, "seed2")


class Dataset:
    """A sequence of elements, each a nested structure (tuples, dicts) of tensors, sparse tensors or datasets."""

    def __init__(self, variant_tensor: Any = None, structure: Any = None, inputs: Iterable[Dataset] = ()) -> None:
        if variant_tensor is None:
            raise TypeError(
                "tf.data.Dataset is abstract: use Dataset.from_tensor_slices, Dataset.range and their like."
            )
        self._variant_tensor = variant_tensor
        self._structure = structure
        self._dependencies = list(inputs)
        self._own_options: Options | None = None
        self._graph_attr = variant_tensor.graph

    # what it is --------------------------------------------------------------------------------------------------------------
    @property
    def element_spec(self) -> Any:
        return self._structure

    @property
    def _element_structure(self) -> Any:
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

    def _as_variant_tensor(self) -> Tensor:
        return self._variant_tensor  # type: ignore[no-any-return]

    def _inputs(self) -> list[Dataset]:
        return list(self._dependencies)

    def options(self) -> Options:
        """The options of this dataset and of those it is made of."""
        out = Options()
        for d in self._dependencies:
            out = out.merge(d.options())
        return out if self._own_options is None else out.merge(self._own_options)

    def with_options(self, options: Options) -> Dataset:
        out = Dataset(self._variant_tensor, self._structure, [self])
        out._own_options = options
        return out

    def cardinality(self) -> Tensor:
        """A scalar int64 tensor: the number of elements, -1 when infinite, -2 when unknown."""
        return raw.DatasetCardinality(self._variant_tensor)  # type: ignore[no-any-return]

    def __iter__(self) -> Any:
        raise RuntimeError(
            "`tf.data.Dataset` only supports Python-style iteration in eager mode or within tf.function: make an iterator and run its get_next()."
        )

    def __bool__(self) -> bool:
        return True

    def __len__(self) -> int:
        raise TypeError(
            "`tf.data.Dataset` only supports `len` in eager mode. Use `tf.data.Dataset.cardinality()` instead."
        )

    def __repr__(self) -> str:
        return f"<{type(self).__name__} shapes: {self.output_shapes}, types: {self.output_types}>"

    def make_one_shot_iterator(self) -> Iterator:
        return make_one_shot_iterator(self)

    def make_initializable_iterator(self, shared_name: str | None = None) -> Iterator:
        return make_initializable_iterator(self, shared_name)

    def _attrs(self, structure: Any = None) -> dict[str, Any]:
        types, shapes = st.components(self._structure if structure is None else structure)
        return {"output_types": types, "output_shapes": shapes}

    def _same(self, op: Any, *args: Any, name: str | None = None, **attrs: Any) -> Dataset:
        """A dataset of elements of the same structure."""
        return _new(op(self._variant_tensor, *args, **self._attrs(), **attrs, name=name), self._structure, self)

    # sources -----------------------------------------------------------------------------------------------------------------
    @staticmethod
    def from_tensors(tensors: Any, name: str | None = None) -> Dataset:
        """One element: `tensors`."""
        tensors = st.normalize(tensors)
        structure = st.structure_of(tensors)
        _, shapes = st.components(structure)
        return _new(
            raw.TensorDataset([st.to_component(t) for t in st.flatten(tensors)], output_shapes=shapes, name=name),
            structure,
        )

    @staticmethod
    def from_tensor_slices(tensors: Any, name: str | None = None) -> Dataset:
        """The rows of `tensors`, which all have the same first dimension."""
        tensors = st.normalize(tensors)
        sizes = set()
        for t in st.flatten(tensors):
            shape = to_tuple(t.shape)
            if shape is not None:
                if not shape:
                    raise ValueError("Unbatching a tensor is only supported for rank >= 1")
                sizes.add(shape[0])
        sizes.discard(None)
        if len(sizes) > 1:
            raise ValueError(f"Dimensions {sorted(sizes)[0]} and {sorted(sizes)[1]} are not compatible")
        structure = st.map_structure(st.unbatch_spec, st.structure_of(tensors))
        _, shapes = st.components(structure)
        return _new(
            raw.TensorSliceDataset(
                [st.to_component(t, batched=True) for t in st.flatten(tensors)], output_shapes=shapes, name=name
            ),
            structure,
        )

    @staticmethod
    def from_sparse_tensor_slices(sparse_tensor: SparseTensor) -> Dataset:
        """Rows of a SparseTensor of rank N as (indices, values, dense_shape) of rank N - 1."""
        if not isinstance(sparse_tensor, SparseTensor):
            raise TypeError(
                f"`sparse_tensor` must be a `tf.sparse.SparseTensor` object, but is {type(sparse_tensor).__name__}"
            )
        shape = to_tuple(sparse_tensor.shape)
        rank = None if shape is None else len(shape) - 1
        structure = (
            TensorSpec((None, rank), dtypes.int64),
            TensorSpec((None,), sparse_tensor.dtype),
            TensorSpec((rank,), dtypes.int64),
        )
        return _new(
            raw.SparseTensorSliceDataset(sparse_tensor.indices, sparse_tensor.values, sparse_tensor.dense_shape),
            structure,
        )

    @staticmethod
    def from_generator(
        generator: Callable[..., Any], output_types: Any = None, output_shapes: Any = None, args: Any = None, output_signature: Any = None, name: str | None = None
    ) -> Dataset:  # fmt: skip
        """What `generator(*args)` yields, called anew for each iteration; elements are of nested `output_types` and `output_shapes`."""
        variant, structure = generator_dataset(generator, output_types, output_shapes, args, output_signature, name)
        return _new(variant, structure)

    @staticmethod
    def range(*args: Any, **kwargs: Any) -> Dataset:
        """`range(stop)`, `range(start, stop)`, `range(start, stop, step)` of int64 (or `output_type`)."""
        output_type = dtypes.as_dtype(kwargs.pop("output_type", dtypes.int64))
        name = kwargs.pop("name", None)
        if kwargs:
            raise TypeError(f"Dataset.range() got unexpected arguments: {', '.join(kwargs)}")
        if not 1 <= len(args) <= 3:
            raise ValueError(f"`args` must have length between 1 and 3 (start, stop, step), got {len(args)}.")
        start, stop, step = (0, args[0], 1) if len(args) == 1 else (*args, 1) if len(args) == 2 else args
        structure = TensorSpec((), output_type)
        node = raw.RangeDataset(
            int64(start, "start"),
            int64(stop, "stop"),
            int64(step, "step"),
            output_types=[output_type],
            output_shapes=[()],
            name=name,
        )
        return _new(node, structure)

    @staticmethod
    def zip(*args: Any, datasets: Any = None, name: str | None = None) -> Dataset:
        """Elements of several datasets (nested as given) side by side; as many as the shortest has."""
        if datasets is None:
            datasets = args[0] if len(args) == 1 else args
        parts = st.flatten(datasets)
        for d in parts:
            if not isinstance(d, Dataset):
                if isinstance(d, list):
                    raise TypeError(
                        "The argument to `Dataset.zip()` must be a nested structure of `Dataset` objects. Nested structures do not support Python lists; please use a tuple instead."
                    )
                raise TypeError(
                    f"The argument to `Dataset.zip()` must be a nested structure of `Dataset` objects, got {type(d).__name__}."
                )
        structure = st.pack(datasets, [d._structure for d in parts])
        types, shapes = st.components(structure)
        return _new(
            raw.ZipDataset([d._variant_tensor for d in parts], output_types=types, output_shapes=shapes, name=name),
            structure,
            *parts,
        )

    @staticmethod
    def list_files(
        file_pattern: Any, shuffle: bool | None = None, seed: Any = None, name: str | None = None
    ) -> Dataset:
        """Names of the files that match; shuffled unless `shuffle` is False. Running it raises InvalidArgumentError when there are none."""
        with name_scope("list_files"):
            shuffle = True if shuffle is None else shuffle
            pattern = convert_to_tensor(file_pattern, dtypes.string, name="file_pattern")
            files = raw.MatchingFiles(pattern)
            count = raw.Size(files, out_type=dtypes.int64)
            message = raw.Add(
                "No files matched pattern: ", raw.ReduceJoin(pattern, _axes(pattern), separator=", "), name="message"
            )
            check = raw.Assert(
                raw.Greater(count, np.int64(0), name="match_not_empty"), [message], summarize=1, name="assert_not_empty"
            )
            with control_dependencies([check]):
                files = raw.Identity(files)
            dataset = Dataset.from_tensor_slices(files)
            if shuffle:
                size = raw.Maximum(raw.Size(files, out_type=dtypes.int64), np.int64(1))
                dataset = dataset.shuffle(size, seed=seed)
            return dataset

    # one after the other -------------------------------------------------------------------------------------------------------
    def concatenate(self, dataset: Dataset, name: str | None = None) -> Dataset:
        """This dataset's elements, then those of `dataset`, which has the same types."""
        mine, theirs = self.output_types, dataset.output_types
        if repr(mine) != repr(theirs):
            raise TypeError(f"Two datasets to concatenate have different types {mine} and {theirs}")
        if repr(self.output_classes) != repr(dataset.output_classes):
            raise TypeError(
                f"Two datasets to concatenate have different classes {self.output_classes} and {dataset.output_classes}"
            )
        structure = st.map_structure(st.most_general, self._structure, dataset._structure)
        return _new(
            raw.ConcatenateDataset(self._variant_tensor, dataset._variant_tensor, **self._attrs(structure), name=name),
            structure,
            self,
            dataset,
        )

    def repeat(self, count: Any = None, name: str | None = None) -> Dataset:
        """`count` times (None or -1: for ever)."""
        return self._same(raw.RepeatDataset, int64(-1 if count is None else count, "count"), name=name)

    def take(self, count: Any, name: str | None = None) -> Dataset:
        return self._same(raw.TakeDataset, int64(count, "count"), name=name)

    def skip(self, count: Any, name: str | None = None) -> Dataset:
        return self._same(raw.SkipDataset, int64(count, "count"), name=name)

    def shard(self, num_shards: Any, index: Any, name: str | None = None) -> Dataset:
        """Every `num_shards`-th element, from number `index` on."""
        if isinstance(num_shards, int) and num_shards < 1:
            raise ValueError(f"`num_shards` must be >= 1, got {num_shards}.")
        if isinstance(index, int) and isinstance(num_shards, int) and not 0 <= index < num_shards:
            raise ValueError(f"`index` must be in [0, {num_shards}), got {index}.")
        return self._same(raw.ShardDataset, int64(num_shards, "num_shards"), int64(index, "index"), name=name)

    def enumerate(self, start: Any = 0, name: str | None = None) -> Dataset:
        """Pairs (number, element)."""
        return Dataset.zip((Dataset.range(start, np.iinfo(np.int64).max), self))

    def unique(self, name: str | None = None) -> Dataset:
        return self._same(raw.UniqueDataset, name=name)

    def ignore_errors(self, log_warning: bool = False, name: str | None = None) -> Dataset:
        return self._same(raw.IgnoreErrorsDataset, log_warning=log_warning, name=name)

    # order and memory ------------------------------------------------------------------------------------------------------------
    def shuffle(
        self, buffer_size: Any, seed: Any = None, reshuffle_each_iteration: bool | None = None, name: str | None = None
    ) -> Dataset:
        """Elements drawn at random from a buffer of `buffer_size`, in TensorFlow's order for given seeds."""
        size = int64(buffer_size, "buffer_size")
        again = True if reshuffle_each_iteration is None else reshuffle_each_iteration
        return self._same(raw.ShuffleDataset, size, *dataset_seeds(seed), reshuffle_each_iteration=again, name=name)

    def cache(self, filename: Any = "", name: str | None = None) -> Dataset:
        """Keeps the elements of the first full iteration in memory, or in files that begin with `filename`."""
        return self._same(raw.CacheDataset, convert_to_tensor(filename, dtypes.string, name="filename"), name=name)

    def prefetch(self, buffer_size: Any, name: str | None = None) -> Dataset:
        """Computes up to `buffer_size` elements ahead on a thread (AUTOTUNE chooses)."""
        return self._same(
            raw.PrefetchDataset, int64(AUTOTUNE if buffer_size is None else buffer_size, "buffer_size"), name=name
        )

    # functions ---------------------------------------------------------------------------------------------------------------------
    def map(
        self, map_func: Callable[..., Any], num_parallel_calls: Any = None, deterministic: bool | None = None, synchronous: Any = None,
        use_unbounded_threadpool: bool = False, name: str | None = None, *, preserve_cardinality: bool = False,
    ) -> Dataset:  # fmt: skip
        """`map_func` of every element, in order; with `num_parallel_calls` several at once on threads."""
        f = DatasetFunction(map_func, "Dataset.map()", self._structure)
        attrs = {
            **self._attrs(f.structure),
            "f": f.function,
            "preserve_cardinality": preserve_cardinality,
            "name": name,
        }
        if num_parallel_calls is None:
            node = raw.MapDataset(self._variant_tensor, f.captured, **attrs)
        else:
            calls = int64(num_parallel_calls, "num_parallel_calls")
            node = raw.ParallelMapDatasetV2(
                self._variant_tensor, f.captured, calls, deterministic=_deterministic(deterministic), **attrs
            )
        return _new(node, f.structure, self)

    def map_with_legacy_function(
        self, map_func: Callable[..., Any], num_parallel_calls: Any = None, deterministic: bool | None = None
    ) -> Dataset:
        return self.map(map_func, num_parallel_calls, deterministic)

    def _predicate(self, predicate: Callable[..., Any], what: str) -> DatasetFunction:
        f = DatasetFunction(predicate, what, self._structure)
        s = f.structure
        if not (isinstance(s, TensorSpec) and s.dtype is dtypes.bool and to_tuple(s.shape) in ((), None)):
            raise TypeError(f"`predicate` return type must be convertible to a scalar boolean tensor. Was {s}.")
        return f

    def filter(self, predicate: Callable[..., Any], name: str | None = None) -> Dataset:
        """The elements of which `predicate` is true."""
        f = self._predicate(predicate, "Dataset.filter()")
        return self._same(raw.FilterDataset, f.captured, predicate=f.function, name=name)

    filter_with_legacy_function = filter

    def take_while(self, predicate: Callable[..., Any], name: str | None = None) -> Dataset:
        """Elements up to the first of which `predicate` is false."""
        f = self._predicate(predicate, "Dataset.take_while()")
        return self._same(raw.TakeWhileDataset, f.captured, predicate=f.function, name=name)

    def _to_dataset(self, map_func: Callable[..., Any], what: str) -> tuple[DatasetFunction, Any]:
        f = DatasetFunction(map_func, what, self._structure)
        if not isinstance(f.structure, st.DatasetSpec):
            raise TypeError(f"The `map_func` argument must return a `Dataset` object. Got {f.structure!r}.")
        return f, f.structure.element_spec

    def flat_map(self, map_func: Callable[..., Any], name: str | None = None) -> Dataset:
        """The elements of the datasets that `map_func` makes of the elements, one dataset after the other."""
        f, structure = self._to_dataset(map_func, "Dataset.flat_map()")
        return _new(
            raw.FlatMapDataset(self._variant_tensor, f.captured, f=f.function, **self._attrs(structure), name=name),
            structure,
            self,
        )

    def interleave(
        self, map_func: Callable[..., Any], cycle_length: Any = None, block_length: Any = None, num_parallel_calls: Any = None,
        deterministic: bool | None = None, name: str | None = None,
    ) -> Dataset:  # fmt: skip
        """Like `flat_map`, but takes `block_length` elements in turn from `cycle_length` datasets at a time."""
        f, structure = self._to_dataset(map_func, "Dataset.interleave()")
        cycle = int64(AUTOTUNE if cycle_length is None else cycle_length, "cycle_length")
        block = int64(1 if block_length is None else block_length, "block_length")
        attrs = {**self._attrs(structure), "f": f.function, "name": name}
        if num_parallel_calls is None:
            node = raw.InterleaveDataset(self._variant_tensor, f.captured, cycle, block, **attrs)
        else:
            node = raw.ParallelInterleaveDatasetV4(
                self._variant_tensor, f.captured, cycle, block, int64(AUTOTUNE, "buffer_output_elements"), int64(AUTOTUNE, "prefetch_input_elements"),
                int64(num_parallel_calls, "num_parallel_calls"), deterministic=_deterministic(deterministic), **attrs,
            )  # fmt: skip
        return _new(node, structure, self)

    def apply(self, transformation_func: Callable[[Dataset], Dataset]) -> Dataset:
        out = transformation_func(self)
        if not isinstance(out, Dataset):
            raise TypeError(f"`transformation_func` must return a `tf.data.Dataset` object. Got {type(out)}.")
        return out

    def scan(self, initial_state: Any, scan_func: Callable[..., Any], name: str | None = None) -> Dataset:
        """`scan_func(state, element)` gives (state, output); the outputs are the elements."""
        initial = st.normalize(initial_state, scope=None)
        f, out, state = _state_function(scan_func, initial, self._structure, "Dataset.scan()", True)
        node = raw.ScanDataset(self._variant_tensor, state, f.captured, f=f.function, **self._attrs(out), name=name)
        return _new(node, out, self)

    def reduce(self, initial_state: Any, reduce_func: Callable[..., Any], name: str | None = None) -> Any:
        """The state after `reduce_func(state, element)` went over all elements."""
        initial = st.normalize(initial_state, scope=None)
        f, structure, state = _state_function(reduce_func, initial, self._structure, "Dataset.reduce()", False)
        types, shapes = st.components(structure)
        flat = raw.ReduceDataset(
            self._variant_tensor, state, f.captured, f=f.function, output_types=types, output_shapes=shapes, name=name
        )
        return st.from_components(structure, list(flat) if isinstance(flat, (list, tuple)) else [flat])

    def group_by_window(
        self, key_func: Callable[..., Any], reduce_func: Callable[..., Any], window_size: Any = None, window_size_func: Callable[..., Any] | None = None,
        name: str | None = None,
    ) -> Dataset:  # fmt: skip
        """Elements of one key together: `reduce_func(key, dataset of up to window_size elements)` makes the dataset to be read."""
        if (window_size is None) == (window_size_func is None):
            raise ValueError(
                "Either the `window_size` argument or the `window_size_func` argument must be specified, not both."
            )
        key = DatasetFunction(key_func, "Dataset.group_by_window()", self._structure, convert=_to_int64)
        int_spec = TensorSpec((), dtypes.int64)
        if key.structure != int_spec:
            raise ValueError(
                f"Invalid `key_func`. `key_func` must return a single `tf.int64` scalar tensor, got {key.structure}."
            )
        size = (
            window_size_func if window_size_func is not None else lambda _: convert_to_tensor(window_size, dtypes.int64)
        )
        sizes = DatasetFunction(size, "Dataset.group_by_window()", int_spec, convert=_to_int64)
        if sizes.structure != int_spec:
            raise ValueError(
                f"Invalid `window_size_func`. It must return a single `tf.int64` scalar tensor, got {sizes.structure}."
            )
        reduce = DatasetFunction(reduce_func, "Dataset.group_by_window()", (int_spec, st.DatasetSpec(self._structure)))
        if not isinstance(reduce.structure, st.DatasetSpec):
            raise TypeError(
                f"Invalid `reduce_func`. It must return a single `tf.data.Dataset` object, got {reduce.structure!r}."
            )
        structure = reduce.structure.element_spec
        node = raw.GroupByWindowDataset(
            self._variant_tensor, key.captured, reduce.captured, sizes.captured, key_func=key.function, reduce_func=reduce.function,
            window_size_func=sizes.function, **self._attrs(structure), name=name,
        )  # fmt: skip
        return _new(node, structure, self)

    def bucket_by_sequence_length(self, *args: Any, **kwargs: Any) -> Dataset:
        from hornbeam.api.data.grouping import bucket_by_sequence_length

        return self.apply(bucket_by_sequence_length(*args, **kwargs))

    # batches -----------------------------------------------------------------------------------------------------------------------
    def batch(
        self, batch_size: Any, drop_remainder: Any = False, num_parallel_calls: Any = None, deterministic: bool | None = None, name: str | None = None
    ) -> Dataset:  # fmt: skip
        """`batch_size` consecutive elements stacked; the last batch may be smaller unless `drop_remainder`."""
        size = int64(batch_size, "batch_size")
        drop = convert_to_tensor(drop_remainder, dtypes.bool, name="drop_remainder")
        structure = _batched(self._structure, size, drop)
        attrs = {**self._attrs(structure), "name": name}
        if num_parallel_calls is None:
            node = raw.BatchDatasetV2(self._variant_tensor, size, drop, **attrs)
        else:
            calls = int64(num_parallel_calls, "num_parallel_calls")
            node = raw.ParallelBatchDataset(
                self._variant_tensor, size, calls, drop, deterministic=_deterministic(deterministic), **attrs
            )
        return _new(node, structure, self)

    def padded_batch(
        self, batch_size: Any, padded_shapes: Any = None, padding_values: Any = None, drop_remainder: Any = False, name: str | None = None
    ) -> Dataset:  # fmt: skip
        """Batches of elements padded to `padded_shapes` (None or -1: to the longest of the batch) with `padding_values` (0, "")."""
        for spec in st.flatten(self._structure):
            if not isinstance(spec, TensorSpec):
                raise TypeError(f"`padded_batch` is only supported for datasets that produce tensors, got {spec!r}.")
        size = int64(batch_size, "batch_size")
        specs = st.flatten(self._structure)
        given = [s.shape for s in specs] if padded_shapes is None else st.flatten_up_to(self._structure, padded_shapes)
        if padded_shapes is None and any(to_tuple(s) is None for s in given):
            raise ValueError("`padded_shapes` must be given for components of unknown rank.")
        shapes = [_padded_shape(p, s) for p, s in zip(given, specs, strict=True)]
        values = [None] * len(specs) if padding_values is None else _padding_values(self._structure, padding_values)
        paddings = [_padding_value(v, s.dtype) for v, s in zip(values, specs, strict=True)]
        drop = convert_to_tensor(drop_remainder, dtypes.bool, name="drop_remainder")
        row = st.pack(self._structure, [TensorSpec(_static(p), s.dtype) for p, s in zip(shapes, specs, strict=True)])
        structure = _batched(row, size, drop)
        _, out_shapes = st.components(structure)
        node = raw.PaddedBatchDatasetV2(
            self._variant_tensor, size, shapes, paddings, drop, output_shapes=out_shapes, name=name
        )
        return _new(node, structure, self)

    def unbatch(self, name: str | None = None) -> Dataset:
        """The rows of every element."""
        structure = st.map_structure(st.unbatch_spec, self._structure)
        return _new(raw.UnbatchDataset(self._variant_tensor, **self._attrs(structure), name=name), structure, self)

    def window(
        self, size: Any, shift: Any = None, stride: Any = 1, drop_remainder: Any = False, name: str | None = None
    ) -> Dataset:
        """Datasets of `size` elements, `stride` apart; each begins `shift` (default `size`) elements after the one before."""
        n = int64(size, "size")
        by = n if shift is None else int64(shift, "shift")
        drop = convert_to_tensor(drop_remainder, dtypes.bool, name="drop_remainder")
        structure = st.map_structure(st.DatasetSpec, self._structure)
        node = raw.WindowDataset(
            self._variant_tensor, n, by, int64(stride, "stride"), drop, **self._attrs(structure), name=name
        )
        return _new(node, structure, self)

    def get_single_element(self, name: str | None = None) -> Any:
        """The only element, as tensors."""
        flat = raw.DatasetToSingleElement(self._variant_tensor, **self._attrs(), name=name)
        return st.from_components(self._structure, list(flat) if isinstance(flat, (list, tuple)) else [flat])

    # later TensorFlow's forms of the experimental functions --------------------------------------------------------------------------
    @staticmethod
    def random(seed: Any = None, rerandomize_each_iteration: bool | None = None, name: str | None = None) -> Dataset:
        """Pseudo-random int64 values in [0, 2³²), without end."""
        if rerandomize_each_iteration:
            raise ValueError("`rerandomize_each_iteration` needs eager mode, as in TensorFlow.")
        return _new(
            raw.RandomDataset(*dataset_seeds(seed), output_types=[dtypes.int64], output_shapes=[()], name=name),
            TensorSpec((), dtypes.int64),
        )

    @staticmethod
    def sample_from_datasets(
        datasets: Any, weights: Any = None, seed: Any = None, stop_on_empty_dataset: bool = False, rerandomize_each_iteration: bool | None = None
    ) -> Dataset:  # fmt: skip
        from hornbeam.api.data.experimental import sample_from_datasets

        return sample_from_datasets(datasets, weights, seed, stop_on_empty_dataset)

    @staticmethod
    def choose_from_datasets(datasets: Any, choice_dataset: Dataset, stop_on_empty_dataset: bool = True) -> Dataset:
        from hornbeam.api.data.experimental import choose_from_datasets

        return choose_from_datasets(datasets, choice_dataset, stop_on_empty_dataset)

    def rejection_resample(
        self, class_func: Any, target_dist: Any, initial_dist: Any = None, seed: Any = None, name: str | None = None
    ) -> Dataset:
        from hornbeam.api.data.experimental import rejection_resample

        return self.apply(rejection_resample(class_func, target_dist, initial_dist, seed))


DatasetV1 = Dataset


class _VariantDataset(Dataset):
    """A dataset given by a variant tensor."""


def _new(variant: Tensor, structure: Any, *inputs: Dataset) -> Dataset:
    return Dataset(variant, structure, inputs)


# --- helpers ---------------------------------------------------------------------------------------------------------------------
def _deterministic(value: bool | None) -> str:
    return "default" if value is None else "true" if value else "false"


def _axes(t: Tensor) -> Any:
    return np.arange(len(t._shape), dtype=np.int32) if t._shape is not None else raw.Range(0, raw.Rank(t), 1)


def _to_int64(value: Any) -> Any:
    return convert_to_tensor(value, dtypes.int64) if isinstance(value, int) else value


def _batched(structure: Any, size: Tensor, drop: Tensor) -> Any:
    from hornbeam.core.constant import constant_value

    fixed, n = constant_value(drop), constant_value(size)
    known = int(n) if fixed is not None and bool(fixed) and n is not None else None
    return st.map_structure(lambda s: st.batch_spec(s, known), structure)


def _padded_shape(shape: Any, spec: Any) -> Tensor:
    """The int64 vector of a padded shape, with -1 for what is padded to the longest."""
    if isinstance(shape, Tensor):
        if shape.dtype.base_dtype is not dtypes.int64 or shape._shape is not None and len(shape._shape) != 1:
            raise TypeError(
                f"Padded shape must be a 1-D tensor of `tf.int64` values, but was a {shape.dtype.name} tensor of shape {shape.shape}."
            )
        return shape
    dims = (
        to_tuple(TensorShape(shape if not isinstance(shape, np.ndarray) else shape.tolist()))
        if not _has_negative(shape)
        else None
    )
    if dims is None:
        if shape is None or isinstance(shape, TensorShape):
            raise ValueError(f"Padded shape {shape} must have a known rank.")
        dims = tuple(None if d is None or int(d) < 0 else int(d) for d in shape)
    given = to_tuple(spec.shape)
    if given is not None:
        if len(given) != len(dims):
            raise ValueError(
                f"The padded shape {TensorShape(dims)} is not compatible with the shape {spec.shape} of the corresponding input component."
            )
        for d, g in zip(dims, given, strict=True):
            if d is not None and g is not None and d < g:
                raise ValueError(
                    f"The padded shape {TensorShape(dims)} is not compatible with the shape {spec.shape} of the corresponding input component."
                )
    return convert_to_tensor(np.array([-1 if d is None else d for d in dims], np.int64))


def _has_negative(shape: Any) -> bool:
    return isinstance(shape, (list, tuple, np.ndarray)) and any(
        isinstance(d, (int, np.integer)) and d < 0 for d in shape
    )


def _static(shape: Tensor) -> Any:
    from hornbeam.core.constant import constant_value

    value = constant_value(shape)
    if value is None:
        return None if shape._shape is None or shape._shape[0] is None else (None,) * shape._shape[0]
    return tuple(None if d < 0 else int(d) for d in value)


def _padding_values(structure: Any, values: Any) -> list[Any]:
    if not st.is_nested(values) and st.is_nested(structure):
        return [values] * len(st.flatten(structure))
    return st.flatten_up_to(structure, values)


def _padding_value(value: Any, dtype: Any) -> Tensor:
    if value is None:
        value = b"" if dtype is dtypes.string else np.zeros((), dtype.np)
    t = convert_to_tensor(value, name="padding_value")
    if t._shape is not None and t._shape:
        raise ValueError(f"Padding value should be a scalar, but is not: {t}.")
    if t.dtype.base_dtype is not dtype:
        raise TypeError(f"Padding value tensor ({t}) does not match output type: {dtype}")
    return t


def _state_function(
    func: Callable[..., Any], initial: Any, element: Any, what: str, gives_output: bool
) -> tuple[DatasetFunction, Any, list[Tensor]]:
    """A function of (state, element), its state's shapes relaxed until the state it returns fits; (function, output or state structure, flat state)."""
    state = st.structure_of(initial)
    while True:
        f = DatasetFunction(func, what, (state, element))
        after = f.structure
        if gives_output:
            if not (isinstance(after, tuple) and len(after) == 2):
                raise TypeError(
                    f"The function passed to {what} must return a pair comprising the new state and the output value, got {after!r}."
                )
            after, out = after
        try:
            merged = st.map_structure(st.most_general, state, after)
        except (TypeError, ValueError) as e:
            raise TypeError(
                f"The element types for the new state must match the initial state. Expected {state!r}, got {after!r}. ({e})"
            ) from e
        if merged == state:
            return f, out if gives_output else state, [st.to_component(t) for t in st.flatten(initial)]
        state = merged


__tf_exports__ = {
    "data.Dataset": "Dataset",
    "data.AUTOTUNE": "AUTOTUNE",
    "data.INFINITE_CARDINALITY": "INFINITE_CARDINALITY",
    "data.UNKNOWN_CARDINALITY": "UNKNOWN_CARDINALITY",
    "data.experimental.AUTOTUNE": "AUTOTUNE",
    "data.experimental.INFINITE_CARDINALITY": "INFINITE_CARDINALITY",
    "data.experimental.UNKNOWN_CARDINALITY": "UNKNOWN_CARDINALITY",
    "contrib.data.AUTOTUNE": "AUTOTUNE",
    "contrib.data.Dataset": "Dataset",
    "contrib.data.Iterator": "hornbeam.api.data.iterator:Iterator",
}
