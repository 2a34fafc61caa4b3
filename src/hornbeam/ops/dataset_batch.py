"""tf.data: batches, padded batches, windows, and their opposite."""

from __future__ import annotations

from collections import deque
from typing import Any

import numpy as np

from hornbeam.core import dtypes, errors
from hornbeam.ops.dataset_base import DatasetValue, Element, Iterator, Run, dataset_op, integer, row, shape_of, stack
from hornbeam.ops.sparse_sets import _to_bytes as to_bytes
from hornbeam.ops.strings import vector


class Batches(Iterator):
    def __init__(self, run: Run, dataset: DatasetValue, size: int, drop: bool) -> None:
        super().__init__(run, dataset)
        self.size, self.drop = size, drop

    def next(self) -> Element | None:
        it = self.inputs[0]
        if it is None:
            return None
        part = it.take(self.size)
        if part is None or part[1] < self.size:
            self.used_up()
            if part is None or self.drop:
                return None
        return part[0]


def batched_size(size: int, batch: int, drop: bool) -> int:
    return size if size < 0 else size // batch if drop else -(-size // batch)


def batched(input_dataset: DatasetValue, batch_size: Any, drop_remainder: Any, ctx: Any) -> DatasetValue:
    n, drop = integer(batch_size), bool(np.asarray(drop_remainder))
    if n <= 0:
        raise ctx.fail("Batch size must be greater than zero.")
    return DatasetValue(
        ctx.node, lambda run: Batches(run, input_dataset, n, drop), batched_size(input_dataset.size, n, drop)
    )


@dataset_op("BatchDataset(input_dataset: variant, batch_size: int64)", metadata=True)
def BatchDataset(input_dataset, batch_size, ctx):
    return batched(input_dataset, batch_size, False, ctx)


@dataset_op(
    "BatchDatasetV2(input_dataset: variant, batch_size: int64, drop_remainder: bool)",
    "parallel_copy: bool = false",
    metadata=True,
)
def BatchDatasetV2(input_dataset, batch_size, drop_remainder, ctx):
    return batched(input_dataset, batch_size, drop_remainder, ctx)


@dataset_op("ParallelBatchDataset(input_dataset: variant, batch_size: int64, num_parallel_calls: int64, drop_remainder: bool)",
            "parallel_copy: bool = false; deterministic: string = 'default'", metadata=True)  # fmt: skip
def ParallelBatchDataset(input_dataset, batch_size, num_parallel_calls, drop_remainder, ctx):
    return batched(input_dataset, batch_size, drop_remainder, ctx)


class _PaddedBatches(Iterator):
    def __init__(
        self, run: Run, dataset: DatasetValue, size: int, drop: bool, padded: list[tuple[int, ...]], values: list[Any]
    ) -> None:
        super().__init__(run, dataset)
        self.size, self.drop, self.padded, self.values = size, drop, padded, values

    def next(self) -> Element | None:
        it = self.inputs[0]
        if it is None:
            return None
        rows: list[Element] = []
        while len(rows) < self.size:
            e = it.next()
            if e is None:
                self.used_up()
                break
            rows.append(e)
        if not rows or (len(rows) < self.size and self.drop):
            return None
        return [self._column(k, [r[k] for r in rows]) for k in range(len(rows[0]))]

    def _column(self, k: int, values: list[Any]) -> Any:
        want = self.padded[k]
        shape = list(want)
        for v in values:
            s = v.shape
            if len(s) != len(want):
                raise errors.InvalidArgumentError(
                    None,
                    None,
                    f"All elements in a batch must have the same rank as the padded shape for component{k}: "
                    f"expected rank {len(want)} but got element with rank {len(s)}",
                )
            for d, (n, w) in enumerate(zip(s, want, strict=True)):
                if w < 0:
                    shape[d] = max(shape[d], n)
                elif n > w:
                    raise errors.DataLossError(
                        None, None,
                        f"Attempted to pad to a smaller size than the input element: component {k} has {n} in dimension {d}, the padded shape {w}.",
                    )  # fmt: skip
        shape = [max(0, d) for d in shape]
        out = np.empty((len(values), *shape), values[0].dtype)
        out[...] = self.values[k].item() if out.dtype == object else self.values[k]
        for i, v in enumerate(values):
            place: Any = (i, *(slice(0, n) for n in v.shape))
            out[place] = v.item() if out.dtype == object and v.ndim == 0 else v
        return out


def _padded(
    input_dataset: Any, batch_size: Any, padded_shapes: Any, padding_values: Any, drop_remainder: Any, ctx: Any
) -> DatasetValue:
    n, drop = integer(batch_size), bool(np.asarray(drop_remainder))
    if n <= 0:
        raise ctx.fail("Batch size must be greater than zero.")
    padded = []
    for k, s in enumerate(padded_shapes):
        dims = tuple(int(d) for d in np.asarray(s).reshape(-1))
        if any(d < -1 for d in dims):
            raise ctx.fail(
                f"All dimensions of the padded shape of component {k} must be -1 or at least 0, got {list(dims)}"
            )
        padded.append(dims)
    values = [np.asarray(v) for v in padding_values]
    for v in values:
        if v.ndim:
            raise ctx.fail("All padding values must be scalars")
    return DatasetValue(
        ctx.node,
        lambda run: _PaddedBatches(run, input_dataset, n, drop, padded, values),
        batched_size(input_dataset.size, n, drop),
    )


_PADDED = "Toutput_types: list(type) >= 1; output_shapes: list(shape) >= 1; N: int >= 1"


@dataset_op("PaddedBatchDataset(input_dataset: variant, batch_size: int64, padded_shapes: N * int64, padding_values: Toutput_types)", _PADDED,
            aspects=False, metadata=True)  # fmt: skip
def PaddedBatchDataset(input_dataset, batch_size, padded_shapes, padding_values, ctx):
    return _padded(input_dataset, batch_size, padded_shapes, padding_values, False, ctx)


@dataset_op("PaddedBatchDatasetV2(input_dataset: variant, batch_size: int64, padded_shapes: N * int64, padding_values: Toutput_types, drop_remainder: bool)",
            "parallel_copy: bool = false; " + _PADDED, aspects=False, metadata=True)  # fmt: skip
def PaddedBatchDatasetV2(input_dataset, batch_size, padded_shapes, padding_values, drop_remainder, ctx):
    return _padded(input_dataset, batch_size, padded_shapes, padding_values, drop_remainder, ctx)


class _Unbatch(Iterator):
    saved = ("i", "current")

    def __init__(self, run: Run, dataset: DatasetValue) -> None:
        super().__init__(run, dataset)
        self.current: Any = None
        self.i = 0

    def next(self) -> Element | None:
        while True:
            if self.current is not None and self.i < len(self.current[0]):
                self.i += 1
                return [row(c, self.i - 1) for c in self.current]
            it = self.inputs[0]
            if it is None:
                return None
            self.current, self.i = it.next(), 0
            if self.current is None:
                self.used_up()
                return None
            for c in self.current:
                if not shape_of(c):
                    self.current = None
                    raise errors.InvalidArgumentError(
                        None, None, "Input element must have a non-scalar value in each component."
                    )
            sizes = {c.shape[0] for c in self.current}
            if len(sizes) > 1:
                self.current = None
                raise errors.InvalidArgumentError(
                    None,
                    None,
                    f"Input element must have the same batch size in each component. Sizes: {sorted(sizes)}.",
                )


@dataset_op("UnbatchDataset(input_dataset: variant)", metadata=True, experimental=True)
def UnbatchDataset(input_dataset, ctx):
    return DatasetValue(ctx.node, lambda run: _Unbatch(run, input_dataset))


class _DenseToSparse(Iterator):
    def __init__(self, run: Run, dataset: DatasetValue, size: int, row_shape: list[int], dtype: Any) -> None:
        super().__init__(run, dataset)
        self.size, self.row_shape, self.dtype = size, row_shape, dtype

    def next(self) -> Element | None:
        it = self.inputs[0]
        rows: list[Any] = []
        while it is not None and len(rows) < self.size:
            e = it.next()
            if e is None:
                self.used_up()
                break
            rows.append(np.asarray(e[0]))
        if not rows:
            return None
        indices, values = [], []
        shape = [len(rows), *self.row_shape]
        for i, v in enumerate(rows):
            if v.ndim != len(self.row_shape):
                raise errors.InvalidArgumentError(
                    None,
                    None,
                    f"Input element had shape ({list(v.shape)}) that is incompatible with the row shape ({self.row_shape}).",
                )
            for d, n in enumerate(v.shape):
                if self.row_shape[d] < 0:
                    shape[d + 1] = max(shape[d + 1], n)
                elif n > self.row_shape[d]:
                    raise errors.DataLossError(
                        None,
                        None,
                        f"Input element had shape ({list(v.shape)}) that is larger than the row shape ({self.row_shape}).",
                    )
            at = np.indices(v.shape).reshape(v.ndim, -1).T
            indices.append(np.concatenate([np.full((len(at), 1), i), at], 1))
            values.append(v.reshape(-1))
        packed = vector(
            [
                to_bytes(np.concatenate(indices).astype(np.int64), dtypes.int64),
                to_bytes(np.concatenate(values), self.dtype),
                to_bytes(np.asarray([max(0, d) for d in shape], np.int64), dtypes.int64),
            ]
        )
        return [packed]


@dataset_op("DenseToSparseBatchDataset(input_dataset: variant, batch_size: int64, row_shape: int64)", experimental=True)
def DenseToSparseBatchDataset(input_dataset, batch_size, row_shape, output_types, ctx):
    n = integer(batch_size)
    if n <= 0:
        raise ctx.fail("Batch size must be greater than zero.")
    dims = [int(d) for d in np.asarray(row_shape).reshape(-1)]
    return DatasetValue(
        ctx.node,
        lambda run: _DenseToSparse(run, input_dataset, n, dims, output_types[0]),
        batched_size(input_dataset.size, n, False),
    )


class _Listed(Iterator):
    """Elements that are in memory already."""

    saved = ("i",)

    def __init__(self, run: Run, elements: list[Element]) -> None:
        super().__init__(run)
        self.elements = elements
        self.i = 0

    def next(self) -> Element | None:
        if self.i >= len(self.elements):
            return None
        self.i += 1
        return list(self.elements[self.i - 1])


def listed(node: str, elements: list[Element]) -> DatasetValue:
    """A dataset of the given elements (a window)."""
    return DatasetValue(node, lambda run: _Listed(run, elements), len(elements))


class _Windows(Iterator):
    saved = ("buffer",)

    def __init__(
        self, run: Run, dataset: DatasetValue, size: int, shift: int, stride: int, drop: bool, node: str, wrap: bool
    ) -> None:
        super().__init__(run, dataset)
        self.size, self.shift, self.stride, self.drop, self.node, self.wrap = size, shift, stride, drop, node, wrap
        self.buffer: Any = []

    def next(self) -> Element | None:
        target = (self.size - 1) * self.stride + 1
        if not isinstance(self.buffer, deque):
            self.buffer = deque(self.buffer)
        buffer = self.buffer
        it = self.inputs[0]
        while it is not None and len(buffer) < target:
            e = it.next()
            if e is None:
                self.used_up()
                it = None
            else:
                buffer.append(e)
        if not buffer or (self.drop and len(buffer) < target):
            return None
        rows = [buffer[k] for k in range(0, min(len(buffer), target), self.stride)]
        if self.shift >= len(buffer):
            extra = self.shift - len(buffer)
            buffer.clear()
            if it is not None and extra and it.skip(extra) < extra:
                self.used_up()
        else:
            for _ in range(self.shift):
                buffer.popleft()
        if self.wrap:
            return [listed(self.node, [[r[k]] for r in rows]) for k in range(len(rows[0]))]
        return stack(rows)

    def save(self) -> Any:
        self.buffer = list(self.buffer)
        return super().save()


def _windowed(
    input_dataset: DatasetValue, size: Any, shift: Any, stride: Any, drop: Any, ctx: Any, wrap: bool
) -> DatasetValue:
    n, by, step, drops = integer(size), integer(shift), integer(stride), bool(np.asarray(drop))
    for what, v in (("size", n), ("shift", by), ("stride", step)):
        if v <= 0:
            raise ctx.fail(f"Window {what} must be greater than zero, got {v}.")
    total = input_dataset.size
    known = total if total < 0 else max(0, (total - (n - 1) * step - 1) // by + 1) if drops else -(-total // by)
    node = ctx.node
    return DatasetValue(node, lambda run: _Windows(run, input_dataset, n, by, step, drops, node, wrap), known)


@dataset_op(
    "WindowDataset(input_dataset: variant, size: int64, shift: int64, stride: int64, drop_remainder: bool)",
    metadata=True,
)
def WindowDataset(input_dataset, size, shift, stride, drop_remainder, ctx):
    return _windowed(input_dataset, size, shift, stride, drop_remainder, ctx, True)


@dataset_op("SlidingWindowDataset(input_dataset: variant, window_size: int64, window_shift: int64, window_stride: int64)",
            "drop_remainder: bool = true", experimental=True)  # fmt: skip
def SlidingWindowDataset(input_dataset, window_size, window_shift, window_stride, drop_remainder, ctx):
    return _windowed(input_dataset, window_size, window_shift, window_stride, drop_remainder, ctx, False)
