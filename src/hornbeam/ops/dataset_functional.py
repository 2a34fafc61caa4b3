"""tf.data: transformations and sources that call functions: map, filter, flat_map, interleave, scan, groups, generators, reductions."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

import numpy as np

from hornbeam.core import errors
from hornbeam.core.registry import op
from hornbeam.ops.dataset_base import (
    DatasetValue,
    Element,
    Iterator,
    Run,
    dataset_op,
    in_element,
    integer,
)  # fmt: skip
from hornbeam.ops.dataset_batch import Batches, batched_size, listed
from hornbeam.ops.dataset_parallel import CallsAhead, Task, parallelism, pool

_ARGUMENTS = "Targuments: list(type) >= 0"


class _Caller:
    """A dataset's function; its errors name the dataset, the function and the element."""

    __slots__ = ("function", "node")

    def __init__(self, function: Any, captured: list[Any], ctx: Any) -> None:
        self.function = ctx.bind(function, captured)
        self.node = ctx.node

    def __call__(self, run: Run, element: Element, i: int) -> Element:
        try:
            return self.function(element, run.random)  # type: ignore[no-any-return]
        except errors.OutOfRangeError:
            raise
        except errors.OpError as e:
            raise in_element(e, f"in element {i} of dataset '{self.node}', function '{self.function.name}'") from e

    def truth(self, run: Run, element: Element, i: int) -> bool:
        value = np.asarray(self(run, element, i)[0])
        if value.ndim or value.dtype != np.bool_:
            raise errors.InvalidArgumentError(
                None, None, f"The predicate of dataset '{self.node}' must give a scalar bool, got shape {value.shape}."
            )
        return bool(value)

    def dataset(self, run: Run, element: Element, i: int) -> DatasetValue:
        value = self(run, element, i)[0]
        value = value.item() if isinstance(value, np.ndarray) else value
        if not isinstance(value, DatasetValue):
            raise errors.InvalidArgumentError(
                None, None, f"The function of dataset '{self.node}' must give a dataset, got {type(value).__name__}."
            )
        return value


# --- map -----------------------------------------------------------------------------------------------------------------------
def _mapped(f: _Caller, preserve: bool) -> Callable[[Run, Element, int], Element | None]:
    """A call whose OutOfRangeError ends the dataset (as TensorFlow's), or with `preserve` is an error."""

    def call(run: Run, e: Element, i: int) -> Element | None:
        try:
            return f(run, e, i)
        except errors.OutOfRangeError as error:
            if preserve:
                raise in_element(error, f"in element {i} of dataset '{f.node}'", end_is_error=True) from error
            return None

    return call


class _Map(Iterator):
    saved = ("i", "over")

    def __init__(self, run: Run, dataset: DatasetValue, call: Callable[[Run, Element, int], Element | None]) -> None:
        super().__init__(run, dataset)
        self.call = call
        self.i = 0
        self.over = False

    def next(self) -> Element | None:
        it = self.inputs[0]
        if it is None or self.over:
            return None
        e = it.next()
        if e is None:
            self.used_up()
            return None
        i = self.i
        self.i = i + 1
        out = self.call(self.run, e, i)
        if out is None:
            self.over = True
        return out


_INTER_OP = "use_inter_op_parallelism: bool = true"
_PRESERVE = "preserve_cardinality: bool = false"


@dataset_op("MapDataset(input_dataset: variant, other_arguments: Targuments)", f"f: func; {_ARGUMENTS}; {_INTER_OP}; {_PRESERVE}", metadata=True,
            experimental=True)  # fmt: skip
def MapDataset(input_dataset, other_arguments, f, preserve_cardinality, ctx):
    call = _mapped(_Caller(f, other_arguments, ctx), preserve_cardinality)
    return DatasetValue(ctx.node, lambda run: _Map(run, input_dataset, call), input_dataset.size)


def _parallel_map(
    input_dataset: Any, other_arguments: Any, num_parallel_calls: Any, f: Any, preserve_cardinality: bool, ctx: Any
) -> DatasetValue:
    call = _mapped(_Caller(f, other_arguments, ctx), preserve_cardinality)
    n = parallelism(num_parallel_calls, ctx)
    return DatasetValue(ctx.node, lambda run: CallsAhead(run, input_dataset, n, call), input_dataset.size)


@dataset_op("ParallelMapDataset(input_dataset: variant, other_arguments: Targuments, num_parallel_calls: int32)",
            f"f: func; {_ARGUMENTS}; {_INTER_OP}; sloppy: bool = false; {_PRESERVE}", metadata=True)  # fmt: skip
def ParallelMapDataset(input_dataset, other_arguments, num_parallel_calls, f, preserve_cardinality, ctx):
    return _parallel_map(input_dataset, other_arguments, num_parallel_calls, f, preserve_cardinality, ctx)


@dataset_op("ParallelMapDatasetV2(input_dataset: variant, other_arguments: Targuments, num_parallel_calls: int64)",
            f"f: func; {_ARGUMENTS}; {_INTER_OP}; deterministic: string = 'default'; {_PRESERVE}", metadata=True)  # fmt: skip
def ParallelMapDatasetV2(input_dataset, other_arguments, num_parallel_calls, f, preserve_cardinality, ctx):
    return _parallel_map(input_dataset, other_arguments, num_parallel_calls, f, preserve_cardinality, ctx)


class _BatchesOf(Batches):
    """Batches of another iterator than a dataset's own."""

    def __init__(self, run: Run, source: Iterator, size: int, drop: bool) -> None:
        Iterator.__init__(self, run)
        self.inputs = [source]
        self.size, self.drop = size, drop


@dataset_op("MapAndBatchDataset(input_dataset: variant, other_arguments: Targuments, batch_size: int64, num_parallel_calls: int64, drop_remainder: bool)",
            f"f: func; {_ARGUMENTS}; {_PRESERVE}", metadata=False, aliases=("ExperimentalMapAndBatchDataset",))  # fmt: skip
def MapAndBatchDataset(
    input_dataset, other_arguments, batch_size, num_parallel_calls, drop_remainder, f, preserve_cardinality, ctx
):
    call = _mapped(_Caller(f, other_arguments, ctx), preserve_cardinality)
    size, drop, n = integer(batch_size), bool(np.asarray(drop_remainder)), parallelism(num_parallel_calls, ctx)
    if size <= 0:
        raise ctx.fail("batch_size must be greater than zero.")
    return DatasetValue(
        ctx.node,
        lambda run: _BatchesOf(run, CallsAhead(run, input_dataset, n, call), size, drop),
        batched_size(input_dataset.size, size, drop),
    )


class _Filter(Iterator):
    saved = ("i",)

    def __init__(
        self, run: Run, dataset: DatasetValue, keep: Callable[[Run, Element, int], bool], stop: bool = False
    ) -> None:
        super().__init__(run, dataset)
        self.keep, self.stop = keep, stop
        self.i = 0

    def next(self) -> Element | None:
        while (it := self.inputs[0]) is not None:
            e = it.next()
            if e is None:
                break
            self.i += 1
            if self.keep(self.run, e, self.i - 1):
                return e
            if self.stop:
                break
        self.used_up()
        return None


@dataset_op(
    "FilterDataset(input_dataset: variant, other_arguments: Targuments)",
    f"predicate: func; {_ARGUMENTS}",
    metadata=True,
)
def FilterDataset(input_dataset, other_arguments, predicate, ctx):
    f = _Caller(predicate, other_arguments, ctx)
    return DatasetValue(ctx.node, lambda run: _Filter(run, input_dataset, f.truth))


@dataset_op("ParallelFilterDataset(input_dataset: variant, other_arguments: Targuments, num_parallel_calls: int64)",
            f"predicate: func; deterministic: string = 'default'; {_ARGUMENTS}", metadata=True)  # fmt: skip
def ParallelFilterDataset(input_dataset, other_arguments, num_parallel_calls, predicate, ctx):
    parallelism(num_parallel_calls, ctx)
    f = _Caller(predicate, other_arguments, ctx)
    return DatasetValue(ctx.node, lambda run: _Filter(run, input_dataset, f.truth))


@dataset_op("FilterByLastComponentDataset(input_dataset: variant)")
def FilterByLastComponentDataset(input_dataset, ctx):
    return DatasetValue(ctx.node, lambda run: _DropLast(run, input_dataset))


class _DropLast(Iterator):
    def next(self) -> Element | None:
        while (it := self.inputs[0]) is not None:
            e = it.next()
            if e is None:
                self.used_up()
                return None
            if bool(np.asarray(e[-1])):
                return e[:-1]
        return None


@dataset_op(
    "TakeWhileDataset(input_dataset: variant, other_arguments: Targuments)",
    f"predicate: func; {_ARGUMENTS}",
    metadata=True,
    experimental=True,
)
def TakeWhileDataset(input_dataset, other_arguments, predicate, ctx):
    f = _Caller(predicate, other_arguments, ctx)
    return DatasetValue(ctx.node, lambda run: _Filter(run, input_dataset, f.truth, True))


# --- a dataset per element -----------------------------------------------------------------------------------------------------
class _Interleave(Iterator):
    """Draws `block` elements in turn from `cycle` datasets, each made of an input element; flat_map is a cycle of one.

    With `ahead`, the next block of every open dataset is computed by the pool in the meantime.
    """

    def __init__(
        self, run: Run, dataset: DatasetValue, f: _Caller, cycle: int, block: int, ahead: bool = False
    ) -> None:
        super().__init__(run, dataset)
        self.f, self.cycle, self.block, self.ahead = f, cycle, block, ahead
        self.open: list[_Open | None] = [None] * cycle
        self.at = 0
        self.given = 0  # of the current block
        self.i = 0

    def _advance(self) -> None:
        self.given = 0
        self.at = (self.at + 1) % self.cycle

    def next(self) -> Element | None:
        while True:
            current = self.open[self.at]
            if current is not None:
                e = current.next()
                if e is not None:
                    self.given += 1
                    if self.given == self.block:
                        self._advance()
                    return e
                current.close()
                self.open[self.at] = None
                self._advance()
                continue
            it = self.inputs[0]
            if it is not None:
                if not self.ahead:
                    if not self._open_at(self.at):
                        continue
                else:
                    for k in range(self.cycle):  # all free places at once, so that they fill in parallel
                        place = (self.at + k) % self.cycle
                        if self.open[place] is not None or not self._open_at(place):
                            break
                continue
            if not any(o is not None for o in self.open):
                return None
            self._advance()

    def _open_at(self, place: int) -> bool:
        it = self.inputs[0]
        e = None if it is None else it.next()
        if e is None:
            self.used_up()
            return False
        self.i += 1
        self.open[place] = _Open(self.run, e, self.i - 1, self.f, self.block if self.ahead else 0)
        return True

    def close(self) -> None:
        super().close()
        for o in self.open:
            if o is not None:
                o.close()

    def save(self) -> Any:
        return [[self.at, self.given, self.i], [None if o is None else o.save() for o in self.open], super().save()]

    def load(self, state: Any) -> None:
        (self.at, self.given, self.i), opened, below = state
        super().load(below)
        for k, s in enumerate(opened):
            if s is not None:
                o = self.open[k] = _Open(self.run, s[0], s[1], self.f, self.block if self.ahead else 0, s[2])
                o.ready = deque(s[3])


class _Open:
    """The dataset of one input element while it is read; with `block`, that many elements are fetched by the pool."""

    def __init__(self, run: Run, element: Element, i: int, f: _Caller, block: int, state: Any = None) -> None:
        self.run, self.element, self.i, self.f, self.block = run, element, i, f, block
        self.it: Iterator | None = None
        self.state = state
        self.ended = state == "ended"
        self.ready: deque[Element] = deque()
        self.error: BaseException | None = None
        self.task: Task | None = None
        if block and not self.ended:
            self._fetch()
        elif not self.ended:
            self._iterator()

    def _iterator(self) -> Iterator:
        if self.it is None:
            self.it = self.f.dataset(self.run, self.element, self.i).make(self.run)
            if self.state is not None:
                self.it.load(self.state)
        return self.it

    def _fetch(self) -> None:
        self.task = Task(self._block)
        pool.submit(self.task)

    def _block(self) -> tuple[list[Element], bool, BaseException | None]:
        got: list[Element] = []
        try:
            it = self._iterator()
            while len(got) < self.block:
                e = it.next()
                if e is None:
                    return got, True, None
                got.append(e)
        except errors.OpError as error:
            return got, self.it is None, error
        return got, False, None

    def next(self) -> Element | None:
        if not self.block:
            return None if self.ended else self._iterator().next()
        while True:
            if self.ready:
                return self.ready.popleft()
            if self.error is not None:
                error, self.error = self.error, None
                raise error
            if self.ended:
                return None
            assert self.task is not None
            elements, self.ended, self.error = self.task.wait(self.run)
            self.ready = deque(elements)
            if not self.ended:
                self._fetch()

    def close(self) -> None:
        if self.task is not None:
            self.task.cancel()
        if self.it is not None:
            self.it.close()

    def save(self) -> Any:
        ready = list(self.ready)
        if self.task is not None and not self.ended:
            elements, self.ended, error = self.task.wait(self.run)
            if error is not None:
                raise error
            ready += elements
            self.ready = deque(ready)
            done = Task(lambda: ([], self.ended, None))
            done.run()
            self.task = done
        return [self.element, self.i, "ended" if self.ended else self._iterator().save(), ready]


@dataset_op(
    "FlatMapDataset(input_dataset: variant, other_arguments: Targuments)", f"f: func; {_ARGUMENTS}", metadata=True
)
def FlatMapDataset(input_dataset, other_arguments, f, ctx):
    call = _Caller(f, other_arguments, ctx)
    return DatasetValue(ctx.node, lambda run: _Interleave(run, input_dataset, call, 1, 1))


def _interleaved(dataset: Any, captured: Any, cycle: Any, block: Any, f: Any, ctx: Any, ahead: bool) -> DatasetValue:
    import os

    n, b = integer(cycle), integer(block)
    if n == -1:
        n = max(2, os.cpu_count() or 1)
    if n <= 0:
        raise ctx.fail("cycle_length must be greater than zero.")
    if b <= 0:
        raise ctx.fail("block_length must be greater than zero.")
    call = _Caller(f, captured, ctx)
    return DatasetValue(ctx.node, lambda run: _Interleave(run, dataset, call, n, b, ahead))


_CYCLE = "input_dataset: variant, other_arguments: Targuments, cycle_length: int64, block_length: int64"


@dataset_op(f"InterleaveDataset({_CYCLE})", f"f: func; {_ARGUMENTS}", metadata=True)
def InterleaveDataset(input_dataset, other_arguments, cycle_length, block_length, f, ctx):
    return _interleaved(input_dataset, other_arguments, cycle_length, block_length, f, ctx, False)


@dataset_op(
    f"ParallelInterleaveDatasetV2({_CYCLE}, num_parallel_calls: int64)",
    f"f: func; {_ARGUMENTS}; sloppy: bool = false",
    metadata=True,
)
def ParallelInterleaveDatasetV2(input_dataset, other_arguments, cycle_length, block_length, num_parallel_calls, f, ctx):
    ahead = parallelism(num_parallel_calls, ctx) > 1
    return _interleaved(input_dataset, other_arguments, cycle_length, block_length, f, ctx, ahead)


_DETERMINISTIC = "deterministic: string = 'default'"


@dataset_op(
    f"ParallelInterleaveDatasetV3({_CYCLE}, num_parallel_calls: int64)",
    f"f: func; {_DETERMINISTIC}; {_ARGUMENTS}",
    metadata=True,
)
def ParallelInterleaveDatasetV3(input_dataset, other_arguments, cycle_length, block_length, num_parallel_calls, f, ctx):
    ahead = parallelism(num_parallel_calls, ctx) > 1
    return _interleaved(input_dataset, other_arguments, cycle_length, block_length, f, ctx, ahead)


_BUFFERS = "buffer_output_elements: int64, prefetch_input_elements: int64"


@dataset_op(
    f"ParallelInterleaveDatasetV4({_CYCLE}, {_BUFFERS}, num_parallel_calls: int64)",
    f"f: func; {_DETERMINISTIC}; {_ARGUMENTS}",
    metadata=True,
)
def ParallelInterleaveDatasetV4(input_dataset, other_arguments, cycle_length, block_length, buffer_output_elements, prefetch_input_elements,
                                num_parallel_calls, f, ctx):  # fmt: skip
    ahead = parallelism(num_parallel_calls, ctx) > 1
    return _interleaved(input_dataset, other_arguments, cycle_length, block_length, f, ctx, ahead)


@dataset_op(f"ParallelInterleaveDataset({_CYCLE}, sloppy: bool, {_BUFFERS})", f"f: func; {_ARGUMENTS}", metadata=True,
            experimental=False)  # fmt: skip
def ParallelInterleaveDataset(input_dataset, other_arguments, cycle_length, block_length, sloppy, buffer_output_elements, prefetch_input_elements, f,
                              ctx):  # fmt: skip
    return _interleaved(input_dataset, other_arguments, cycle_length, block_length, f, ctx, True)


@dataset_op(f"ExperimentalParallelInterleaveDataset({_CYCLE}, sloppy: bool, {_BUFFERS})", f"f: func; {_ARGUMENTS}")
def ExperimentalParallelInterleaveDataset(input_dataset, other_arguments, cycle_length, block_length, sloppy, buffer_output_elements,
                                          prefetch_input_elements, f, ctx):  # fmt: skip
    return _interleaved(input_dataset, other_arguments, cycle_length, block_length, f, ctx, True)


@dataset_op(
    f"LegacyParallelInterleaveDatasetV2({_CYCLE}, {_BUFFERS})",
    f"f: func; {_DETERMINISTIC}; {_ARGUMENTS}",
    metadata=True,
)
def LegacyParallelInterleaveDatasetV2(input_dataset, other_arguments, cycle_length, block_length, buffer_output_elements, prefetch_input_elements, f,
                                      ctx):  # fmt: skip
    return _interleaved(input_dataset, other_arguments, cycle_length, block_length, f, ctx, True)


# --- state along the way ---------------------------------------------------------------------------------------------------------
class _Scan(Iterator):
    saved = ("state", "i", "over")

    def __init__(self, run: Run, dataset: DatasetValue, state: list[Any], f: _Caller) -> None:
        super().__init__(run, dataset)
        self.state, self.f = list(state), f
        self.i = 0
        self.over = False

    def next(self) -> Element | None:
        it = self.inputs[0]
        e = None if it is None or self.over else it.next()
        if e is None:
            self.used_up()
            return None
        self.i += 1
        try:
            out = self.f(self.run, [*self.state, *e], self.i - 1)
        except errors.OutOfRangeError:
            self.over = True
            return None
        n = len(self.state)
        self.state = out[:n]
        return out[n:]


@dataset_op("ScanDataset(input_dataset: variant, initial_state: Tstate, other_arguments: Targuments)",
            f"f: func; Tstate: list(type) >= 1; {_ARGUMENTS}; {_PRESERVE}; use_default_device: bool = true", metadata=True)  # fmt: skip
def ScanDataset(input_dataset, initial_state, other_arguments, f, ctx):
    call = _Caller(f, other_arguments, ctx)
    return DatasetValue(ctx.node, lambda run: _Scan(run, input_dataset, initial_state, call), input_dataset.size)


@dataset_op("ExperimentalScanDataset(input_dataset: variant, initial_state: Tstate, other_arguments: Targuments)",
            f"f: func; Tstate: list(type) >= 1; {_ARGUMENTS}; {_PRESERVE}")  # fmt: skip
def ExperimentalScanDataset(input_dataset, initial_state, other_arguments, f, ctx):
    call = _Caller(f, other_arguments, ctx)
    return DatasetValue(ctx.node, lambda run: _Scan(run, input_dataset, initial_state, call), input_dataset.size)


def _key(value: Any, node: str) -> int:
    key = np.asarray(value)
    if key.ndim or key.dtype != np.int64:
        raise errors.InvalidArgumentError(None, None, f"The key function of dataset '{node}' must give a scalar int64.")
    return int(key)


class _Groups(Iterator):
    def __init__(self, run: Run, dataset: DatasetValue, key: _Caller, reduce: _Caller, window: _Caller) -> None:
        super().__init__(run, dataset)
        self.key, self.reduce, self.window = key, reduce, window
        self.groups: dict[int, list[Element]] = {}
        self.sizes: dict[int, int] = {}
        self.current: Iterator | None = None
        self.flushing: list[Any] | None = None  # (key, elements) of the current window
        self.i = 0

    def next(self) -> Element | None:
        while True:
            if self.current is not None:
                e = self.current.next()
                if e is not None:
                    return e
                self.current.close()
                self.current = None
                self.flushing = None
            it = self.inputs[0]
            if it is None:
                if not self.groups:
                    return None
                self._flush(min(self.groups))
                continue
            e = it.next()
            if e is None:
                self.used_up()
                continue
            self.i += 1
            k = _key(self.key(self.run, e, self.i - 1)[0], self.key.node)
            group = self.groups.setdefault(k, [])
            if not group:
                self.sizes[k] = int(np.asarray(self.window(self.run, [np.asarray(k, np.int64)], self.i - 1)[0]))
                if self.sizes[k] <= 0:
                    del self.groups[k]
                    raise errors.InvalidArgumentError(
                        None, None, f"Window size must be greater than zero, but got {self.sizes[k]}."
                    )
            group.append(e)
            if len(group) == self.sizes[k]:
                self._flush(k)

    def _flush(self, k: int) -> None:
        self._start(k, self.groups.pop(k))

    def _start(self, k: int, elements: list[Element]) -> None:
        self.flushing = [k, elements]
        window = listed(self.key.node, elements)
        self.current = self.reduce.dataset(self.run, [np.asarray(k, np.int64), window], self.i).make(self.run)

    def close(self) -> None:
        super().close()
        if self.current is not None:
            self.current.close()

    def save(self) -> Any:
        current = None if self.current is None else [self.flushing, self.current.save()]
        return [
            [list(item) for item in self.groups.items()],
            [list(item) for item in self.sizes.items()],
            self.i,
            current,
            super().save(),
        ]

    def load(self, state: Any) -> None:
        groups, sizes, self.i, current, below = state
        self.groups, self.sizes = dict(groups), dict(sizes)
        super().load(below)
        if current is not None:
            self._start(*current[0])
            assert self.current is not None
            self.current.load(current[1])


@dataset_op("GroupByWindowDataset(input_dataset: variant, key_func_other_arguments: Tkey_func_other_arguments, reduce_func_other_arguments: "
            "Treduce_func_other_arguments, window_size_func_other_arguments: Twindow_size_func_other_arguments)",
            "key_func: func; reduce_func: func; window_size_func: func; Tkey_func_other_arguments: list(type) >= 0; "
            "Treduce_func_other_arguments: list(type) >= 0; Twindow_size_func_other_arguments: list(type) >= 0", metadata=True, experimental=True)  # fmt: skip
def GroupByWindowDataset(input_dataset, key_func_other_arguments, reduce_func_other_arguments, window_size_func_other_arguments, key_func, reduce_func,
                         window_size_func, ctx):  # fmt: skip
    key = _Caller(key_func, key_func_other_arguments, ctx)
    reduce = _Caller(reduce_func, reduce_func_other_arguments, ctx)
    window = _Caller(window_size_func, window_size_func_other_arguments, ctx)
    return DatasetValue(ctx.node, lambda run: _Groups(run, input_dataset, key, reduce, window))


class _Reducer(Iterator):
    saved = ("results",)

    def __init__(
        self, run: Run, dataset: DatasetValue, key: _Caller, init: _Caller, reduce: _Caller, finalize: _Caller
    ) -> None:
        super().__init__(run, dataset)
        self.key, self.init, self.reduce, self.finalize = key, init, reduce, finalize
        self.results: list[Element] | None = None

    def next(self) -> Element | None:
        if self.results is None:
            states: dict[int, Element] = {}
            it = self.inputs[0]
            i = 0
            while it is not None and (e := it.next()) is not None:
                k = _key(self.key(self.run, e, i)[0], self.key.node)
                if k not in states:
                    states[k] = self.init(self.run, [np.asarray(k, np.int64)], i)
                states[k] = self.reduce(self.run, [*states[k], *e], i)
                i += 1
            self.used_up()
            self.results = [self.finalize(self.run, states[k], i) for k in sorted(states)]
        return self.results.pop(0) if self.results else None


_REDUCER = [f"{w}_func_other_arguments" for w in ("key", "init", "reduce", "finalize")]


@dataset_op(f"GroupByReducerDataset(input_dataset: variant, {', '.join(f'{a}: T{a}' for a in _REDUCER)})",
            "key_func: func; init_func: func; reduce_func: func; finalize_func: func; " + "; ".join(f"T{a}: list(type) >= 0" for a in _REDUCER),
            experimental=True)  # fmt: skip
def GroupByReducerDataset(input_dataset, key_func_other_arguments, init_func_other_arguments, reduce_func_other_arguments, finalize_func_other_arguments,
                          key_func, init_func, reduce_func, finalize_func, ctx):  # fmt: skip
    key, init = _Caller(key_func, key_func_other_arguments, ctx), _Caller(init_func, init_func_other_arguments, ctx)
    reduce, finalize = (
        _Caller(reduce_func, reduce_func_other_arguments, ctx),
        _Caller(finalize_func, finalize_func_other_arguments, ctx),
    )
    return DatasetValue(ctx.node, lambda run: _Reducer(run, input_dataset, key, init, reduce, finalize))


# --- generators --------------------------------------------------------------------------------------------------------------------
class _Generated(Iterator):
    """`init()` gives a state, `next(state)` elements until it raises OutOfRangeError, then `finalize(state)`."""

    saved = ("i", "ended")

    def __init__(self, run: Run, init: _Caller, step: _Caller, finalize: _Caller) -> None:
        super().__init__(run)
        self.init, self.step, self.finalize = init, step, finalize
        self.state: Element | None = None
        self.ended = False
        self.i = 0

    def next(self) -> Element | None:
        if self.ended:
            return None
        if self.state is None:
            self.state = self.init(self.run, [], 0)
        try:
            self.i += 1
            return self.step(self.run, self.state, self.i - 1)
        except errors.OutOfRangeError:
            self._finish()
            return None

    def _finish(self) -> None:
        self.ended = True
        state, self.state = self.state, None
        if state is not None:
            self.finalize(self.run, state, self.i)

    def close(self) -> None:
        if not self.ended:
            self._finish()

    def load(self, state: Any) -> None:
        (n, ended), _ = state
        for _i in range(n):  # a generator's place is found by running it again
            if self.next() is None:
                break
        self.ended = ended


@dataset_op("GeneratorDataset(init_func_other_args: Tinit_func_args, next_func_other_args: Tnext_func_args, finalize_func_other_args: Tfinalize_func_args)",
            "init_func: func; next_func: func; finalize_func: func; Tinit_func_args: list(type) >= 0; Tnext_func_args: list(type) >= 0; "
            "Tfinalize_func_args: list(type) >= 0", metadata=True, stateful=True)  # fmt: skip
def GeneratorDataset(
    init_func_other_args, next_func_other_args, finalize_func_other_args, init_func, next_func, finalize_func, ctx
):
    init, step = _Caller(init_func, init_func_other_args, ctx), _Caller(next_func, next_func_other_args, ctx)
    finalize = _Caller(finalize_func, finalize_func_other_args, ctx)
    return DatasetValue(ctx.node, lambda run: _Generated(run, init, step, finalize))


# --- values of datasets ---------------------------------------------------------------------------------------------------------------
def declared_shapes(c: Any) -> list[Any]:
    return list(c.attr("output_shapes"))


_VALUES = "output_types: list(type) >= 1; output_shapes: list(shape) >= 1"


@op("ReduceDataset(input_dataset: variant, initial_state: Tstate, other_arguments: Targuments) -> (components: output_types); f: func; "
    f"Tstate: list(type) >= 1; {_ARGUMENTS}; {_VALUES}; {_INTER_OP}; metadata: string = ''", shape=declared_shapes, host=True, stateful=True)  # fmt: skip
def ReduceDataset(input_dataset, initial_state, other_arguments, f, ctx):
    from hornbeam.ops.iterators import new_run

    call = _Caller(f, other_arguments, ctx)
    run = new_run(ctx)
    it = input_dataset.make(run)
    state = list(initial_state)
    try:
        i = 0
        while (e := it.next()) is not None:
            run.check()
            state = call(run, [*state, *e], i)
            i += 1
    finally:
        it.close()
    return state


@op(f"DatasetToSingleElement(dataset: variant) -> (components: output_types); {_VALUES}; metadata: string = ''", shape=declared_shapes, host=True,
    stateful=True)  # fmt: skip
def DatasetToSingleElement(dataset, ctx):
    from hornbeam.ops.iterators import new_run

    it = dataset.make(new_run(ctx))
    try:
        e = it.next()
        if e is None:
            raise ctx.fail("Dataset was empty.")
        if it.next() is not None:
            raise ctx.fail("Dataset had more than one element.")
    finally:
        it.close()
    return e
