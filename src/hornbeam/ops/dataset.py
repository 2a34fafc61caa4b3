"""tf.data: sources in memory, and the transformations that need no function, no thread and no random numbers."""

from __future__ import annotations

from typing import Any

import numpy as np

from hornbeam.core import errors
from hornbeam.core.registry import op
from hornbeam.ops import shapes
from hornbeam.ops.dataset_base import (
    INFINITE,
    UNKNOWN,
    DatasetValue,
    Draws,
    Element,
    Iterator,
    Run,
    dataset_op,
    integer,
    joined,
    real_seeds,
    row,
    scaled,
)  # fmt: skip


# --- sources -----------------------------------------------------------------------------------------------------------------
class _Once(Iterator):
    saved = ("given",)

    def __init__(self, run: Run, element: Element) -> None:
        super().__init__(run)
        self.element = element
        self.given = False

    def next(self) -> Element | None:
        if self.given:
            return None
        self.given = True
        return list(self.element)


@dataset_op("TensorDataset(components: Toutput_types)", "Toutput_types: list(type) >= 1; output_shapes: list(shape) >= 1", aspects=False,
            metadata=True, stateful=True)  # fmt: skip
def TensorDataset(components, ctx):
    return DatasetValue(ctx.node, lambda run: _Once(run, components), 1)


class Rows(Iterator):
    """The rows of arrays, in order."""

    saved = ("i",)

    def __init__(self, run: Run, arrays: list[Any], n: int) -> None:
        super().__init__(run)
        self.arrays = arrays
        self.n = n
        self.i = 0

    def next(self) -> Element | None:
        i = self.i
        if i >= self.n:
            return None
        self.i = i + 1
        return [row(a, i) for a in self.arrays]

    def next_row(self) -> int:
        i = self.i
        if i >= self.n:
            return -1
        self.i = i + 1
        return i

    def take(self, n: int) -> tuple[list[Any], int] | None:
        i, j = self.i, min(self.i + n, self.n)
        if i >= j:
            return None
        self.i = j
        return [_view(a, i, j) for a in self.arrays], j - i

    def skip(self, n: int) -> int:
        done = min(n, self.n - self.i)
        self.i += done
        return done


def _view(a: np.ndarray[Any, Any], i: int, j: int) -> np.ndarray[Any, Any]:
    v = a[i:j]
    v.flags.writeable = False  # the array is the dataset's
    return v


def rows_of(arrays: list[Any]) -> int:
    return int(arrays[0].shape[0])


@dataset_op("TensorSliceDataset(components: Toutput_types)",
            "Toutput_types: list(type) >= 1; output_shapes: list(shape) >= 1; is_files: bool = false; metadata: string = ''; replicate_on_split: bool = false",
            aspects=False, stateful=True)  # fmt: skip
def TensorSliceDataset(components, ctx):
    arrays = [np.asarray(c) for c in components]
    for a in arrays:
        if a.ndim == 0:
            raise ctx.fail("All components must be at least 1-dimensional")
        if a.shape[0] != arrays[0].shape[0]:
            raise ctx.fail(
                f"All components must have the same size in the 0th dimension, got {arrays[0].shape[0]} and {a.shape[0]}"
            )
    n = rows_of(arrays)
    return DatasetValue(ctx.node, lambda run: Rows(run, arrays, n), n, arrays)


class _SparseRows(Iterator):
    saved = ("i",)

    def __init__(self, run: Run, indices: Any, values: Any, shape: Any) -> None:
        super().__init__(run)
        self.indices, self.values, self.shape = indices, values, shape
        self.starts = (
            np.searchsorted(indices[:, 0], np.arange(int(shape[0]) + 1))
            if len(indices)
            else np.zeros(int(shape[0]) + 1, np.int64)
        )
        self.i = 0

    def next(self) -> Element | None:
        i = self.i
        if i >= int(self.shape[0]):
            return None
        self.i = i + 1
        a, b = int(self.starts[i]), int(self.starts[i + 1])
        return [self.indices[a:b, 1:], self.values[a:b], np.asarray(self.shape[1:])]


@dataset_op(
    "SparseTensorSliceDataset(indices: int64, values: Tvalues, dense_shape: int64)",
    "Tvalues: type",
    aspects=False,
    stateful=True,
)
def SparseTensorSliceDataset(indices, values, dense_shape, ctx):
    indices, dense_shape = np.asarray(indices), np.asarray(dense_shape)
    if len(indices) and np.any(np.diff(indices[:, 0]) < 0):
        raise errors.UnimplementedError(
            None,
            ctx.op,
            "The SparseTensor must be ordered in the batch dimension; handling arbitrarily ordered input is not currently supported.",
        )
    return DatasetValue(
        ctx.node, lambda run: _SparseRows(run, indices, np.asarray(values), dense_shape), int(dense_shape[0])
    )


class _Range(Iterator):
    saved = ("i",)

    def __init__(self, run: Run, start: int, step: int, n: int, dtype: Any) -> None:
        super().__init__(run)
        self.start, self.step, self.n, self.dtype = start, step, n, dtype
        self.i = 0

    def next(self) -> Element | None:
        if self.i >= self.n:
            return None
        v = self.start + self.i * self.step
        self.i += 1
        return [self.dtype(v)]

    def take(self, n: int) -> tuple[list[Any], int] | None:
        n = min(n, self.n - self.i)
        if n <= 0:
            return None
        first = self.start + self.i * self.step
        self.i += n
        return [(first + self.step * np.arange(n, dtype=np.int64)).astype(self.dtype)], n

    def skip(self, n: int) -> int:
        n = min(n, self.n - self.i)
        self.i += n
        return n


@dataset_op("RangeDataset(start: int64, stop: int64, step: int64)", _RANGE := "output_types: list(type) >= 1; output_shapes: list(shape) >= 1; "
            "metadata: string = ''; replicate_on_split: bool = false", aspects=False, stateful=True)  # fmt: skip
def RangeDataset(start, stop, step, output_types, ctx):
    a, b, s = integer(start), integer(stop), integer(step)
    if s == 0:
        raise ctx.fail("step must be a non-zero integer.")
    n = len(range(a, b, s)) if abs(b - a) < 1 << 62 else (b - a) // s
    return DatasetValue(ctx.node, lambda run: _Range(run, a, s, n, output_types[0].np.type), n)


class _Random(Iterator):
    def __init__(self, run: Run, seeds: tuple[int, int]) -> None:
        super().__init__(run)
        self.draws = Draws(*seeds)

    def next(self) -> Element | None:
        return [np.int64(self.draws.next())]

    def save(self) -> Any:
        return self.draws.save()

    def load(self, state: Any) -> None:
        self.draws = Draws(*state)


@dataset_op("RandomDataset(seed: int64, seed2: int64)", metadata=True, stateful=True, experimental=True)
def RandomDataset(seed, seed2, ctx):
    seeds = real_seeds(seed, seed2)
    return DatasetValue(ctx.node, lambda run: _Random(run, seeds), INFINITE)


# --- several datasets --------------------------------------------------------------------------------------------------------
class _Zip(Iterator):
    def next(self) -> Element | None:
        out: Element = []
        for it in self.inputs:
            if it is None:
                return None
            e = it.next()
            if e is None:
                for k in range(len(self.inputs)):
                    self.used_up(k)
                return None
            out += e
        return out

    def take(self, n: int) -> tuple[list[Any], int] | None:
        parts = []
        for it in self.inputs:
            p = None if it is None else it.take(n)
            if p is None:
                for k in range(len(self.inputs)):
                    self.used_up(k)
                return None
            parts.append(p)
        m = min(count for _, count in parts)
        if m < n:
            for k in range(len(self.inputs)):
                self.used_up(k)
        return [c[:m] for columns, _ in parts for c in columns], m


@dataset_op("ZipDataset(input_datasets: N * variant)", _ZIP := "output_types: list(type) >= 1; output_shapes: list(shape) >= 1; N: int >= 1", aspects=False,
            metadata=True)  # fmt: skip
def ZipDataset(input_datasets, ctx):
    sizes = [d.size for d in input_datasets]
    finite = [s for s in sizes if s >= 0]
    size = UNKNOWN if UNKNOWN in sizes else min(finite) if finite else INFINITE
    return DatasetValue(ctx.node, lambda run: _Zip(run, *input_datasets), size)


class _Concatenate(Iterator):
    saved = ("k",)

    def __init__(self, run: Run, *parts: DatasetValue) -> None:
        super().__init__(run)
        self.parts = parts
        self.k = 0
        self.inputs = [parts[0].make(run)]

    def next(self) -> Element | None:
        while (it := self.inputs[0]) is not None:
            e = it.next()
            if e is not None:
                return e
            self._advance()
        return None

    def _advance(self) -> None:
        self.used_up()
        self.k += 1
        if self.k < len(self.parts):
            self.inputs[0] = self.parts[self.k].make(self.run)

    def load(self, state: Any) -> None:
        k = state[0][0]
        while self.k < k:
            self._advance()
        super().load(state)


@dataset_op("ConcatenateDataset(input_dataset: variant, another_dataset: variant)", metadata=True)
def ConcatenateDataset(input_dataset, another_dataset, ctx):
    a, b = input_dataset.size, another_dataset.size
    size = INFINITE if INFINITE in (a, b) else UNKNOWN if UNKNOWN in (a, b) else a + b
    return DatasetValue(ctx.node, lambda run: _Concatenate(run, input_dataset, another_dataset), size)


class _Directed(Iterator):
    saved = ()

    def __init__(self, run: Run, selector: DatasetValue, data: list[DatasetValue], stop: bool) -> None:
        super().__init__(run, selector, *data)
        self.stop = stop

    def next(self) -> Element | None:
        selector = self.inputs[0]
        while selector is not None and any(i is not None for i in self.inputs[1:]):
            choice = selector.next()
            if choice is None:
                break
            k = int(choice[0])
            if not 0 <= k < len(self.inputs) - 1:
                raise errors.InvalidArgumentError(
                    None, None, f"Selector index out of range: {k} >= {len(self.inputs) - 1}"
                )
            it = self.inputs[k + 1]
            if it is None:
                continue
            e = it.next()
            if e is not None:
                return e
            self.used_up(k + 1)
            if self.stop:
                break
        for k in range(len(self.inputs)):
            self.used_up(k)
        return None


@dataset_op("DirectedInterleaveDataset(selector_input_dataset: variant, data_input_datasets: N * variant)",
            "output_types: list(type) >= 1; output_shapes: list(shape) >= 1; N: int >= 1; stop_on_empty_dataset: bool = false",
            aspects=False, experimental=True)  # fmt: skip
def DirectedInterleaveDataset(selector_input_dataset, data_input_datasets, stop_on_empty_dataset, ctx):
    for d in data_input_datasets:
        if not isinstance(d, DatasetValue):
            raise ctx.fail("data_input_datasets must be datasets")
    return DatasetValue(
        ctx.node, lambda run: _Directed(run, selector_input_dataset, data_input_datasets, stop_on_empty_dataset)
    )


# --- counting ----------------------------------------------------------------------------------------------------------------
class _Repeat(Iterator):
    """`count` times (-1: for ever) what the dataset gives, iterated anew each time."""

    saved = ("i", "fresh")

    def __init__(self, run: Run, dataset: DatasetValue, count: int) -> None:
        super().__init__(run)
        self.dataset, self.count = dataset, count
        self.i = 0
        self.fresh = True  # nothing came out of this repetition yet
        self.inputs = [dataset.make(run) if count else None]

    def _again(self) -> bool:
        empty = self.fresh
        self.used_up()
        self.i += 1
        if self.i == self.count or (self.count < 0 and empty):
            return False
        self.fresh = True
        self.inputs[0] = self.dataset.make(self.run)
        return True

    def next(self) -> Element | None:
        while (it := self.inputs[0]) is not None:
            e = it.next()
            if e is not None:
                self.fresh = False
                return e
            if not self._again():
                break
        return None

    def next_row(self) -> int:
        while (it := self.inputs[0]) is not None:
            r = it.next_row()
            if r >= 0:
                self.fresh = False
                return r
            if not self._again():
                break
        return -1

    def take(self, n: int) -> tuple[list[Any], int] | None:
        got: list[list[Any]] = []
        count = 0
        while count < n and (it := self.inputs[0]) is not None:
            part = it.take(n - count)
            if part is None:
                if not self._again():
                    break
                continue
            self.fresh = False
            got.append(part[0])
            count += part[1]
        if not got:
            return None
        return (got[0] if len(got) == 1 else joined(got)), count

    def load(self, state: Any) -> None:
        if state[1][0] is not None and self.inputs[0] is None:
            self.inputs[0] = self.dataset.make(self.run)
        super().load(state)


@dataset_op("RepeatDataset(input_dataset: variant, count: int64)", metadata=True)
def RepeatDataset(input_dataset, count, ctx):
    n = integer(count)
    return DatasetValue(
        ctx.node, lambda run: _Repeat(run, input_dataset, n), scaled(input_dataset.size, n), input_dataset.rows
    )


class _Take(Iterator):
    saved = ("i",)

    def __init__(self, run: Run, dataset: DatasetValue, count: int) -> None:
        super().__init__(run, dataset)
        self.count = count
        self.i = 0

    def next(self) -> Element | None:
        it = self.inputs[0]
        if it is None:
            return None
        if self.i >= self.count >= 0:
            self.used_up()
            return None
        e = it.next()
        if e is None:
            self.used_up()
            return None
        self.i += 1
        return e

    def take(self, n: int) -> tuple[list[Any], int] | None:
        it = self.inputs[0]
        if it is None:
            return None
        n = n if self.count < 0 else min(n, self.count - self.i)
        part = it.take(n) if n > 0 else None
        if part is None:
            self.used_up()
            return None
        self.i += part[1]
        return part


@dataset_op("TakeDataset(input_dataset: variant, count: int64)", metadata=True)
def TakeDataset(input_dataset, count, ctx):
    n, size = integer(count), input_dataset.size
    known = size if n < 0 else n if size == INFINITE else UNKNOWN if size == UNKNOWN else min(n, size)
    return DatasetValue(ctx.node, lambda run: _Take(run, input_dataset, n), known)


class _Skip(Iterator):
    saved = ("todo",)

    def __init__(self, run: Run, dataset: DatasetValue, count: int) -> None:
        super().__init__(run, dataset)
        self.todo = count
        if count < 0:
            self.used_up()

    def _skipped(self) -> Iterator | None:
        it = self.inputs[0]
        while it is not None and self.todo:
            self.todo -= 1  # an element that fails is passed over too
            if it.skip(1) == 0:
                self.used_up()
                return None
        return it

    def next(self) -> Element | None:
        it = self._skipped()
        return None if it is None else it.next()

    def take(self, n: int) -> tuple[list[Any], int] | None:
        it = self._skipped()
        return None if it is None else it.take(n)


@dataset_op("SkipDataset(input_dataset: variant, count: int64)", metadata=True)
def SkipDataset(input_dataset, count, ctx):
    n, size = integer(count), input_dataset.size
    return DatasetValue(
        ctx.node, lambda run: _Skip(run, input_dataset, n), 0 if n < 0 else size if size < 0 else max(0, size - n)
    )


class _Shard(Iterator):
    saved = ("i",)

    def __init__(self, run: Run, dataset: DatasetValue, n: int, index: int, require: bool) -> None:
        super().__init__(run, dataset)
        self.n, self.index, self.require = n, index, require
        self.i = 0

    def next(self) -> Element | None:
        it = self.inputs[0]
        while it is not None:
            e = it.next()
            if e is None:
                self.used_up()
                if self.require and self.i < self.n:
                    raise errors.InvalidArgumentError(
                        None,
                        None,
                        "There aren't enough elements in this dataset for each shard to have at least one element",
                    )
                return None
            self.i += 1
            if (self.i - 1) % self.n == self.index:
                return e
        return None


@dataset_op(
    "ShardDataset(input_dataset: variant, num_shards: int64, index: int64)",
    "require_non_empty: bool = false",
    metadata=True,
)
def ShardDataset(input_dataset, num_shards, index, require_non_empty, ctx):
    n, i, size = integer(num_shards), integer(index), input_dataset.size
    if n <= 0:
        raise ctx.fail(f"Number of shards must be greater than zero (currently num_shards = {n}).")
    if not 0 <= i < n:
        raise ctx.fail(f"Index must be between 0 and {n - 1} (currently index = {i}).")
    known = size if size < 0 else size // n + (i < size % n)
    return DatasetValue(ctx.node, lambda run: _Shard(run, input_dataset, n, i, require_non_empty), known)


# --- filters by value ----------------------------------------------------------------------------------------------------------
class _Unique(Iterator):
    saved = ("order",)

    def __init__(self, run: Run, dataset: DatasetValue) -> None:
        super().__init__(run, dataset)
        self.order: list[bytes] = []
        self.seen: set[bytes] = set()

    def next(self) -> Element | None:
        it = self.inputs[0]
        while it is not None:
            e = it.next()
            if e is None:
                self.used_up()
                return None
            v = np.asarray(e[0])
            key = repr((v.shape, v.tolist())).encode() if v.dtype == object else repr(v.shape).encode() + v.tobytes()
            if key not in self.seen:
                self.seen.add(key)
                self.order.append(key)
                return e
        return None

    def load(self, state: Any) -> None:
        super().load(state)
        self.seen = set(self.order)


@dataset_op("UniqueDataset(input_dataset: variant)", metadata=True, experimental=True)
def UniqueDataset(input_dataset, ctx):
    return DatasetValue(ctx.node, lambda run: _Unique(run, input_dataset))


class _IgnoreErrors(Iterator):
    def __init__(self, run: Run, dataset: DatasetValue, log: bool) -> None:
        super().__init__(run, dataset)
        self.log = log

    def next(self) -> Element | None:
        it = self.inputs[0]
        while it is not None:
            try:
                e = it.next()
            except errors.CancelledError:
                raise
            except errors.OpError as error:
                self.run.check()
                if self.log:
                    import warnings

                    warnings.warn(f"Error raised with error message {error.message}", stacklevel=2)
                continue
            if e is None:
                self.used_up()
            return e
        return None


@dataset_op("IgnoreErrorsDataset(input_dataset: variant)", "log_warning: bool = false", experimental=True)
def IgnoreErrorsDataset(input_dataset, log_warning, ctx):
    return DatasetValue(ctx.node, lambda run: _IgnoreErrors(run, input_dataset, log_warning))


class _Sampling(Iterator):
    def __init__(self, run: Run, dataset: DatasetValue, rate: float, seeds: tuple[int, int]) -> None:
        super().__init__(run, dataset)
        self.rate = rate
        self.draws = Draws(*seeds)

    def next(self) -> Element | None:
        it = self.inputs[0]
        while it is not None:
            e = it.next()
            if e is None:
                self.used_up()
                return None
            word = self.draws.next()
            if np.uint32(0x3F800000 | (word & 0x7FFFFF)).view(np.float32) - np.float32(1) < self.rate:
                return e
        return None

    def save(self) -> Any:
        return [self.draws.save(), super().save()]

    def load(self, state: Any) -> None:
        self.draws = Draws(*state[0])
        super().load(state[1])


@dataset_op("SamplingDataset(input_dataset: variant, rate: float, seed: int64, seed2: int64)")
def SamplingDataset(input_dataset, rate, seed, seed2, ctx):
    seeds = real_seeds(seed, seed2)
    return DatasetValue(ctx.node, lambda run: _Sampling(run, input_dataset, float(np.asarray(rate)), seeds))


# --- what changes nothing here -----------------------------------------------------------------------------------------------
def _same(input_dataset: DatasetValue) -> DatasetValue:
    return input_dataset


for _name, _attrs in {
    "OptionsDataset": "serialized_options: string; output_types: list(type) >= 1; output_shapes: list(shape) >= 1; metadata: string = ''",
    "ModelDataset": "algorithm: int = 0; cpu_budget: int = 0; ram_budget: int = 0; output_types: list(type) >= 1; output_shapes: list(shape) >= 1",
    "NonSerializableDataset": "output_types: list(type) >= 1; output_shapes: list(shape) >= 1",
    "ExperimentalNonSerializableDataset": "output_types: list(type) >= 1; output_shapes: list(shape) >= 1",
    "FinalizeDataset": "has_captured_ref: bool = false; output_types: list(type) >= 1; output_shapes: list(shape) >= 1",
}.items():
    dataset_op(f"{_name}(input_dataset: variant)", _attrs, aspects=False)(lambda input_dataset: _same(input_dataset))

for _name, _argument, _attrs in [
    ("OptimizeDataset", "optimizations: string", "optimization_configs: list(string) = []"),
    ("MaxIntraOpParallelismDataset", "max_intra_op_parallelism: int64", ""),
    ("ExperimentalMaxIntraOpParallelismDataset", "max_intra_op_parallelism: int64", ""),
    ("PrivateThreadPoolDataset", "num_threads: int64", ""),
    ("ExperimentalPrivateThreadPoolDataset", "num_threads: int64", ""),
    ("LatencyStatsDataset", "tag: string", ""),
    ("ExperimentalLatencyStatsDataset", "tag: string", ""),
    ("BytesProducedStatsDataset", "tag: string", ""),
    ("ExperimentalBytesProducedStatsDataset", "tag: string", ""),
    ("AssertNextDataset", "transformations: string", ""),
    ("ExperimentalAssertNextDataset", "transformations: string", ""),
]:  # fmt: skip
    dataset_op(f"{_name}(input_dataset: variant, {_argument})", _attrs)(lambda input_dataset, _: _same(input_dataset))


class _Counted(Iterator):
    saved = ("i",)

    def __init__(self, run: Run, dataset: DatasetValue, n: int) -> None:
        super().__init__(run, dataset)
        self.n = n
        self.i = 0

    def next(self) -> Element | None:
        it = self.inputs[0]
        e = None if it is None else it.next()
        if e is None:
            if it is not None and self.i != self.n and self.n != INFINITE:
                self.used_up()
                raise errors.FailedPreconditionError(
                    None,
                    None,
                    f"Input dataset was expected to contain {self.n} elements but contained only {self.i} elements.",
                )
            self.used_up()
            return None
        self.i += 1
        if 0 <= self.n < self.i:
            raise errors.FailedPreconditionError(
                None,
                None,
                f"Input dataset was expected to contain {self.n} elements but contained at least {self.i} elements.",
            )
        return e


@dataset_op("AssertCardinalityDataset(input_dataset: variant, cardinality: int64)")
def AssertCardinalityDataset(input_dataset, cardinality, ctx):
    n = integer(cardinality)
    return DatasetValue(ctx.node, lambda run: _Counted(run, input_dataset, n), n)


@op(
    "DatasetCardinality(input_dataset: variant) -> (cardinality: int64); cardinality_options: string = ''",
    shape=shapes.scalar,
    host=True,
)
def DatasetCardinality(input_dataset):
    return np.asarray(input_dataset.size, np.int64)


@op("ExperimentalDatasetCardinality(input_dataset: variant) -> (cardinality: int64)", shape=shapes.scalar, host=True)
def ExperimentalDatasetCardinality(input_dataset):
    return np.asarray(input_dataset.size, np.int64)
