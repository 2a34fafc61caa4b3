"""tf.data: shuffles in TensorFlow's own order, and memory caches."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np

from hornbeam.ops.dataset_base import (
    DatasetValue,
    Draws,
    Element,
    Iterator,
    Run,
    dataset_op,
    integer,
    real_seeds,
    row,
    scaled,
    stack,
)  # fmt: skip


class _Seeds:
    """Where the shuffles of one dataset get their seeds from: two new words each time, or always the given ones."""

    def __init__(self, seeds: tuple[int, int], reshuffle: bool) -> None:
        self.given = seeds
        self.draws = Draws(*seeds) if reshuffle else None
        self.lock = threading.Lock()

    def next(self) -> tuple[int, int]:
        if self.draws is None:
            return self.given
        with self.lock:
            return self.draws.next(), self.draws.next()


class _Shuffle(Iterator):
    """A buffer of `size` elements from which each next one is drawn; what leaves is replaced by the input's next.

    Repetitions (`count`) share the buffer: elements of a later one wait until all of an earlier one are drawn.
    """

    def __init__(self, run: Run, dataset: DatasetValue, size: int, seeds: _Seeds, count: int = 1) -> None:
        super().__init__(run)
        self.dataset, self.size, self.seeds, self.count = dataset, size, seeds, count
        self.rows = dataset.rows
        self.inputs = [dataset.make(run) if count else None]
        self.draws = Draws(*seeds.next())
        self.buffer: dict[int, Any] = {}  # by position since the start; TensorFlow's ring without its wrapping
        self.start = self.end = 0
        self.bounds: list[int] = []  # where repetitions end, of those that did
        self.i = 0
        self.fresh = True

    def _pull(self) -> None:
        while (it := self.inputs[0]) is not None and self.end - self.start < self.size:
            item: Any
            if self.rows is not None:
                item = it.next_row()
                ended = item < 0
            else:
                item = it.next()
                ended = item is None
            if not ended:
                self.buffer[self.end] = item
                self.end += 1
                self.fresh = False
                continue
            self.used_up()
            self.i += 1
            if self.i == self.count or (self.count < 0 and self.fresh):
                return
            self.bounds.append(self.end)
            self.fresh = True
            self.inputs[0] = self.dataset.make(self.run)

    def _draw(self) -> Any:
        start = self.start
        while self.bounds and self.bounds[0] <= start:
            self.bounds.pop(0)
            self.draws = Draws(*self.seeds.next())  # each repetition has seeds of its own
        limit = self.bounds[0] if self.bounds else self.end
        at = start + self.draws.next() % (limit - start)
        buffer = self.buffer
        first = buffer.pop(start)
        self.start = start + 1
        if at == start:
            return first
        out = buffer[at]
        buffer[at] = first
        return out

    def _next(self) -> Any:
        if self.inputs[0] is not None:
            self._pull()
        return None if self.start == self.end else self._draw()

    def next(self) -> Element | None:
        item = self._next()
        if item is None or self.rows is None:
            return item  # type: ignore[no-any-return]
        return [row(a, item) for a in self.rows]

    def next_row(self) -> int:
        item = self._next()
        return -1 if item is None else item

    def take(self, n: int) -> tuple[list[Any], int] | None:
        items: list[Any] = []
        step = self._next
        while len(items) < n:
            item = step()
            if item is None:
                break
            items.append(item)
        if not items:
            return None
        if self.rows is None:
            return stack(items), len(items)
        at = np.array(items)
        return [np.take(a, at, axis=0) for a in self.rows], len(items)

    def save(self) -> Any:
        mine = [
            self.draws.save(),
            [self.buffer[k] for k in range(self.start, self.end)],
            self.start,
            self.bounds,
            self.i,
            self.fresh,
        ]
        return [
            mine,
            None if self.inputs[0] is None else self.inputs[0].save(),
            self.seeds.draws.save() if self.seeds.draws else None,
        ]

    def load(self, state: Any) -> None:
        (draws, items, self.start, self.bounds, self.i, self.fresh), below, seeds = state
        self.draws = Draws(*draws)
        self.end = self.start + len(items)
        self.buffer = dict(zip(range(self.start, self.end), items, strict=True))
        if seeds is not None:
            self.seeds.draws = Draws(*seeds)
        if below is None:
            self.used_up()
        else:
            if self.inputs[0] is None:
                self.inputs[0] = self.dataset.make(self.run)
            source = self.inputs[0]
            assert source is not None
            source.load(below)


def _shuffled(
    dataset: DatasetValue, buffer_size: Any, seed: Any, seed2: Any, reshuffle: bool, ctx: Any, count: Any = 1
) -> DatasetValue:
    size, n = integer(buffer_size), integer(count)
    if size <= 0:
        raise ctx.fail("buffer_size must be greater than zero.")
    seeds = _Seeds(real_seeds(seed, seed2), reshuffle)
    return DatasetValue(
        ctx.node, lambda run: _Shuffle(run, dataset, size, seeds, n), scaled(dataset.size, n), dataset.rows
    )


_SHUFFLE = "input_dataset: variant, buffer_size: int64, seed: int64, seed2: int64"
_RESHUFFLE = "reshuffle_each_iteration: bool = true"


@dataset_op(f"ShuffleDataset({_SHUFFLE})", _RESHUFFLE, metadata=True)
def ShuffleDataset(input_dataset, buffer_size, seed, seed2, reshuffle_each_iteration, ctx):
    return _shuffled(input_dataset, buffer_size, seed, seed2, reshuffle_each_iteration, ctx)


@dataset_op(f"ShuffleDatasetV3({_SHUFFLE}, seed_generator: resource)", _RESHUFFLE, metadata=True, stateful=True)
def ShuffleDatasetV3(input_dataset, buffer_size, seed, seed2, seed_generator, reshuffle_each_iteration, ctx):
    return _shuffled(input_dataset, buffer_size, seed, seed2, reshuffle_each_iteration, ctx)


@dataset_op(f"ShuffleAndRepeatDataset({_SHUFFLE}, count: int64)", _RESHUFFLE, metadata=True)
def ShuffleAndRepeatDataset(input_dataset, buffer_size, seed, seed2, count, reshuffle_each_iteration, ctx):
    return _shuffled(input_dataset, buffer_size, seed, seed2, reshuffle_each_iteration, ctx, count)


@dataset_op(
    f"ShuffleAndRepeatDatasetV2({_SHUFFLE}, count: int64, seed_generator: resource)",
    _RESHUFFLE,
    metadata=True,
    stateful=True,
)
def ShuffleAndRepeatDatasetV2(
    input_dataset, buffer_size, seed, seed2, count, seed_generator, reshuffle_each_iteration, ctx
):
    return _shuffled(input_dataset, buffer_size, seed, seed2, reshuffle_each_iteration, ctx, count)


# --- caching in memory ---------------------------------------------------------------------------------------------------------
class MemoryCache:
    """Elements of a dataset that was iterated to its end."""

    def __init__(self) -> None:
        self.elements: list[Element] | None = None


class Cached(Iterator):
    """The first full iteration fills the cache; later ones read it."""

    saved = ("i",)

    def __init__(self, run: Run, dataset: DatasetValue, cache: MemoryCache) -> None:
        super().__init__(run)
        self.cache = cache
        self.filling: list[Element] = []
        self.full = cache.elements
        self.i = 0
        self.inputs = [dataset.make(run) if self.full is None else None]

    def next(self) -> Element | None:
        if self.full is not None:
            if self.i >= len(self.full):
                return None
            self.i += 1
            return list(self.full[self.i - 1])
        it = self.inputs[0]
        if it is None:
            return None
        e = it.next()
        if e is None:
            self.cache.elements = self.filling
            self.used_up()
            self.full, self.i = self.filling, len(self.filling)
            return None
        self.filling.append([_kept(v) for v in e])
        return e

    def save(self) -> Any:
        below = None if self.inputs[0] is None else self.inputs[0].save()
        return [self.i, self.filling if self.full is None else self.full, self.full is not None, below]

    def load(self, state: Any) -> None:
        i, elements, full, below = state
        if full:
            self.used_up()
            self.cache.elements = self.full = elements
            self.i = i
        elif self.inputs[0] is not None:
            self.filling = elements
            self.inputs[0].load(below)


def _kept(v: Any) -> Any:
    """A value that stays as it is whatever the consumer does."""
    if isinstance(v, np.ndarray):
        v = v.view()
        v.flags.writeable = False
    return v


def cached_in_memory(dataset: DatasetValue, node: str) -> DatasetValue:
    cache = MemoryCache()
    return DatasetValue(node, lambda run: Cached(run, dataset, cache), dataset.size)
