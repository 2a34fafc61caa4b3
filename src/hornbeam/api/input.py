"""Input pipelines of queues: `tf.train.string_input_producer`, `batch`, `shuffle_batch` and their relatives.

Each builds a queue, registers a QueueRunner that fills it, a summary of how full it is, and the dequeue operation.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from hornbeam.api import array_ops, array_select, control_flow_ops, math_ops, random_ops, summary
from hornbeam.api.queue_runner import QueueRunner, add_queue_runner
from hornbeam.api.queues import FIFOQueue, PaddingFIFOQueue, QueueBase, RandomShuffleQueue
from hornbeam.core import dtypes
from hornbeam.core.constant import const_node
from hornbeam.core.graph import GraphKeys, Operation, Tensor, control_dependencies, convert_to_tensor, name_scope
from hornbeam.core.registry import raw
from hornbeam.core.sparse_tensor import SparseTensor, convert_to_tensor_or_sparse_tensor
from hornbeam.core.tensor_shape import TensorShape
from hornbeam.core.variables import Variable


# --- producers ----------------------------------------------------------------------------------------------------------
def _local_variable(value: Any, **options: Any) -> Any:
    make: Any = Variable
    return make(value, trainable=False, collections=[GraphKeys.LOCAL_VARIABLES], **options)


def match_filenames_once(pattern: Any, name: str | None = None) -> Any:
    """A local variable that holds the names of the files that match `pattern` (or patterns), found once."""
    with name_scope(name, "matching_filenames", [pattern]) as name:
        return _local_variable(
            raw.MatchingFiles(pattern), validate_shape=False, name=name
        )  # fmt: skip


def limit_epochs(tensor: Any, num_epochs: int | None = None, name: str | None = None) -> Tensor:
    """`tensor`, `num_epochs` times; then OutOfRangeError. It counts in a local variable. ValueError unless `num_epochs` > 0."""
    if num_epochs is None:
        return tensor  # type: ignore[no-any-return]
    if num_epochs <= 0:
        raise ValueError(f"num_epochs must be > 0 not {num_epochs}.")
    with name_scope(name, "limit_epochs", [tensor]) as name:
        epochs = _local_variable(
            const_node(np.asarray(0, np.int64), name="Const"),
            name="epochs",
        )
        counter = epochs.count_up_to(num_epochs)
        with control_dependencies([counter]):
            return array_ops.identity(tensor, name=name)  # type: ignore[no-any-return]


def input_producer(
    input_tensor: Any, element_shape: Any = None, num_epochs: int | None = None, shuffle: bool = True, seed: int | None = None, capacity: int = 32,
    shared_name: str | None = None, summary_name: str | None = None, name: str | None = None, cancel_op: Any = None,
) -> QueueBase:  # fmt: skip
    """A queue of the rows of `input_tensor`, epoch after epoch. ValueError unless the rows' shape is known or given."""
    with name_scope(name, "input_producer", [input_tensor]):
        input_tensor = convert_to_tensor(input_tensor, name="input_tensor")
        element_shape = input_tensor.shape[1:].merge_with(element_shape)
        if not element_shape.is_fully_defined():
            raise ValueError(
                "Either `input_tensor` must have a fully defined shape or `element_shape` must be specified"
            )
        if shuffle:
            input_tensor = random_ops.random_shuffle(input_tensor, seed=seed)
        input_tensor = limit_epochs(input_tensor, num_epochs)
        q = FIFOQueue(
            capacity=capacity, dtypes=[input_tensor.dtype.base_dtype], shapes=[element_shape], shared_name=shared_name, name=name  # type: ignore[arg-type]
        )  # fmt: skip
        enqueue = q.enqueue_many([input_tensor])
        add_queue_runner(QueueRunner(q, [enqueue], cancel_op=cancel_op))
        if summary_name is not None:
            summary.scalar(summary_name, math_ops.cast(q.size(), dtypes.float32) * (1.0 / capacity))
        return q


def string_input_producer(
    string_tensor: Any, num_epochs: int | None = None, shuffle: bool = True, seed: int | None = None, capacity: int = 32,
    shared_name: str | None = None, name: str | None = None, cancel_op: Any = None,
) -> QueueBase:  # fmt: skip
    """A queue of strings (file names). ValueError for an empty list, InvalidArgumentError for a tensor that proves empty."""
    message = "string_input_producer requires a non-null input tensor"
    if not isinstance(string_tensor, Tensor) and not hasattr(string_tensor, "dtype") and not string_tensor:
        raise ValueError(message)
    with name_scope(name, "input_producer", [string_tensor]) as name:
        string_tensor = convert_to_tensor(string_tensor, dtype=dtypes.string)
        with control_dependencies([control_flow_ops.Assert(raw.Greater(array_ops.size(string_tensor), 0), [message])]):
            string_tensor = array_ops.identity(string_tensor)
        return input_producer(
            input_tensor=string_tensor, element_shape=[], num_epochs=num_epochs, shuffle=shuffle, seed=seed, capacity=capacity,
            shared_name=shared_name, name=name, summary_name=f"fraction_of_{capacity}_full", cancel_op=cancel_op,
        )  # fmt: skip


def range_input_producer(
    limit: Any, num_epochs: int | None = None, shuffle: bool = True, seed: int | None = None, capacity: int = 32,
    shared_name: str | None = None, name: str | None = None,
) -> QueueBase:  # fmt: skip
    """A queue of the integers from 0 to `limit` - 1."""
    with name_scope(name, "input_producer", [limit]) as name:
        return input_producer(
            math_ops.range(limit), [], num_epochs, shuffle, seed, capacity, shared_name, f"fraction_of_{capacity}_full", name
        )  # fmt: skip


def slice_input_producer(
    tensor_list: Any, num_epochs: int | None = None, shuffle: bool = True, seed: int | None = None, capacity: int = 32,
    shared_name: str | None = None, name: str | None = None,
) -> list[Tensor]:  # fmt: skip
    """A slice of each tensor along dimension 0, the same one of all. ValueError for an empty list."""
    with name_scope(name, "input_producer", tensor_list):
        tensors = [convert_to_tensor(t) for t in tensor_list]
        if not tensors:
            raise ValueError("Expected at least one tensor in slice_input_producer().")
        queue = range_input_producer(
            array_ops.shape(tensors[0])[0], num_epochs=num_epochs, shuffle=shuffle, seed=seed, capacity=capacity, shared_name=shared_name
        )  # fmt: skip
        index = queue.dequeue()
        return [array_select.gather(t, index) for t in tensors]


# --- lists and dictionaries of tensors ------------------------------------------------------------------------------------
def _as_list(tensors: Any) -> list[Any]:
    return [tensors[k] for k in sorted(tensors, key=str)] if isinstance(tensors, dict) else list(tensors)


def _as_lists(tensors_list: Any) -> list[list[Any]]:
    if not tensors_list:
        raise ValueError("Expected at least one set of tensors")
    if isinstance(tensors_list[0], dict):
        expected = set(tensors_list[0])
        for tensors in tensors_list[1:]:
            if set(tensors) != expected:
                raise ValueError("All dictionaries in tensors_list must have the same keys")
    return [_as_list(tensors) for tensors in tensors_list]


def _as_original(original: Any, tensors: Any) -> Any:
    if not isinstance(original, dict):
        return tensors
    if len(original) == 1:  # a queue of one component gives the tensor itself
        tensors = [tensors]
    return {k: tensors[i] for i, k in enumerate(sorted(original, key=str))}


def _converted(tensors: list[Any], where: str) -> list[Any]:
    out = [convert_to_tensor_or_sparse_tensor(t) for t in tensors]
    if not out:
        raise ValueError(f"Expected at least one tensor in {where}().")
    return out


def _converted_join(lists: list[list[Any]], where: str) -> list[list[Any]]:
    out = [[convert_to_tensor_or_sparse_tensor(t) for t in tensors] for tensors in lists]
    if not out:
        raise ValueError(f"Expected at least one input in {where}().")
    return out


def _keep(keep_input: Any, enqueue_many: bool) -> Tensor:
    keep = convert_to_tensor(keep_input)
    rank = keep.shape.ndims
    if rank is None:
        raise ValueError("`keep_input` dimensions must be known at graph construction.")
    if not enqueue_many and rank == 1:
        raise ValueError("`keep_input` cannot be a vector when `enqueue_many=False`.")
    if rank > 1:
        raise ValueError("`keep_input` must be 0 or 1 dimensions.")
    return keep


def _dtypes(lists: list[list[Tensor]]) -> list[Any]:
    all_types = [[t.dtype for t in tensors] for tensors in lists]
    types = all_types[0]
    for other in all_types[1:]:
        if other != types:
            raise TypeError(
                f"Expected types to be consistent: {', '.join(x.name for x in types)} vs. {', '.join(x.name for x in other)}."
            )
    return types


def _shapes(lists: list[list[Tensor]], shapes: Any, enqueue_many: bool) -> Any:
    if shapes is not None:
        return shapes
    for tensors in lists:
        for t in tensors:
            if t.shape.ndims is None:
                raise ValueError(f"Cannot infer Tensor's rank: {t}")
    out = []
    for same in zip(*lists, strict=True):
        merged = TensorShape(None)
        for t in same:
            merged = merged.merge_with(t.shape.with_rank_at_least(1)[1:] if enqueue_many else t.shape)
        out.append(merged.as_list())
    return out


# --- sparse tensors wait in a map of the session, their handles in the queue ------------------------------------------------
class _Sparse(NamedTuple):
    """How a component was stored: the map's shared name, and the rank of one stored tensor (None: unknown)."""

    container: Any
    shared_name: Any
    rank: int | None
    dtype: Any


def _store_sparse(
    tensors: list[Any], many: bool, keep: Tensor, like: list[_Sparse | None] | None = None
) -> tuple[list[Tensor], list[_Sparse | None]]:
    """The tensors with handles in place of SparseTensors, and how to restore those. `like`: maps to share with another list."""
    out: list[Tensor] = []
    infos: list[_Sparse | None] = []
    for i, t in enumerate(tensors):
        if not isinstance(t, SparseTensor):
            out.append(t)
            infos.append(None)
            continue
        shared = like[i] if like is not None else None
        handle, info = _store_one(t, many, keep, shared)
        out.append(array_ops.expand_dims(handle, -1))
        infos.append(info)
    return out, infos


def _store_one(t: SparseTensor, many: bool, keep: Tensor, shared: _Sparse | None) -> tuple[Tensor, _Sparse]:
    spec = raw.AddManySparseToTensorsMap if many else raw.AddSparseToTensorsMap
    rank = (t.dense_shape._shape or (None,))[0]
    if rank is not None and many:
        rank -= 1
    if many and keep.shape.ndims == 1:
        t = _kept_rows(t, keep)
        constant: bool | None = True
    else:
        constant = control_flow_ops.smart_constant_value(keep)
    # in a branch the node's own name is not what the map is found by later
    name = (
        shared.shared_name if shared else None if constant else convert_to_tensor(keep).graph.unique_name("sparse_map")
    )

    def store() -> Tensor:
        return spec(t.indices, t.values, t.dense_shape, shared_name=name)  # type: ignore[no-any-return]

    def skip() -> Tensor:
        return raw.Fill(t.dense_shape[:1], -1, name="skipped") if many else convert_to_tensor(-1, dtypes.int64)  # type: ignore[no-any-return]

    handle = store() if constant else control_flow_ops.smart_cond(keep, store, skip)
    if shared:
        return handle, _Sparse(shared.container, shared.shared_name, rank, t.dtype)
    return handle, _Sparse(handle.op.get_attr("container") if constant else "", name or handle.op.name, rank, t.dtype)


def _kept_rows(t: SparseTensor, keep: Tensor) -> SparseTensor:
    """The rows of a batch that `keep` marks."""
    from hornbeam.api.sparse_ops import sparse_retain

    rows = raw.GatherV2(
        keep, raw.StridedSlice(t.indices, [0, 0], [0, 1], [1, 1], begin_mask=1, end_mask=1, shrink_axis_mask=2), 0
    )
    kept = sparse_retain(t, rows)
    before = raw.Cumsum(math_ops.cast(keep, dtypes.int64), 0, exclusive=True)
    first = raw.GatherV2(before, kept.indices[:, 0], 0)
    indices = raw.ConcatV2([array_ops.expand_dims(first, -1), kept.indices[:, 1:]], 1)
    count = raw.Sum(math_ops.cast(keep, dtypes.int64), [0])
    return SparseTensor(indices, kept.values, raw.ConcatV2([array_ops.expand_dims(count, 0), kept.dense_shape[1:]], 0))


def _restore_sparse(stored: Any, infos: list[_Sparse | None]) -> Any:
    several = isinstance(stored, (list, tuple))
    handles = list(stored) if several else [stored]
    if not any(infos):
        return stored
    tensors: list[Any] = []
    for s, info in zip(handles, infos, strict=True):
        if info is None:
            tensors.append(s)
            continue
        indices, values, shape = raw.TakeManySparseFromTensorsMap(
            array_ops.squeeze(s, [1]), dtype=info.dtype, container=info.container, shared_name=info.shared_name
        )  # fmt: skip
        if info.rank is not None:
            indices.set_shape([None, info.rank + 1])
            shape.set_shape([info.rank + 1])
        tensors.append(SparseTensor(indices, values, shape))
    # all handles are taken out together, or a map would keep what nobody asks for again
    values = [t.values if isinstance(t, SparseTensor) else t for t in tensors]

    def after(t: Tensor) -> Tensor:
        return control_flow_ops.with_dependencies(values, t)  # type: ignore[no-any-return]

    ensured = [
        SparseTensor(after(t.indices), after(t.values), after(t.dense_shape))
        if isinstance(t, SparseTensor)
        else after(t)
        for t in tensors
    ]
    return ensured if several else tensors[0]


# --- queues and their runners ---------------------------------------------------------------------------------------------------
def _which(tensors: list[Tensor], keep: Tensor) -> list[Tensor]:
    select = math_ops.cast(keep, dtypes.int32)
    return [array_select.dynamic_partition(x, select, num_partitions=2)[1] for x in tensors]


def _enqueue_op(queue: QueueBase, tensors: list[Tensor], enqueue_many: bool, keep: Tensor) -> Operation:
    enqueue: Callable[..., Any] = queue.enqueue_many if enqueue_many else queue.enqueue
    if keep.shape.ndims == 1:
        return enqueue(_which(tensors, keep))  # type: ignore[no-any-return]
    op = control_flow_ops.smart_cond(keep, lambda: enqueue(tensors), control_flow_ops.no_op)
    return op.op if isinstance(op, Tensor) else op  # type: ignore[no-any-return]


def _queue_class(dynamic_pad: bool) -> type[QueueBase]:
    return PaddingFIFOQueue if dynamic_pad else FIFOQueue


def _fullness(queue: QueueBase, capacity: int) -> None:
    summary.scalar(f"fraction_of_{capacity}_full", math_ops.cast(queue.size(), dtypes.float32) * (1.0 / capacity))


def _fullness_above(queue: QueueBase, capacity: int, least: int) -> None:
    full = math_ops.cast(raw.Maximum(0, queue.size() - least), dtypes.float32) * (1.0 / (capacity - least))
    summary.scalar(f"fraction_over_{least}_of_{capacity - least}_full", full)


def _dequeued(queue: QueueBase, batch_size: Any, smaller: bool, name: str | None, infos: list[_Sparse | None]) -> Any:
    take = queue.dequeue_up_to if smaller else queue.dequeue_many
    return _restore_sparse(take(batch_size, name=name), infos)


def _batch(
    tensors: Any, batch_size: Any, keep_input: Any, num_threads: int = 1, capacity: int = 32, enqueue_many: bool = False, shapes: Any = None,
    dynamic_pad: bool = False, allow_smaller_final_batch: bool = False, shared_name: str | None = None, name: str | None = None,
) -> Any:  # fmt: skip
    given = _as_list(tensors)
    with name_scope(name, "batch", [*given, keep_input]) as name:
        converted = _converted(given, "batch")
        keep = _keep(keep_input, enqueue_many)
        stored, infos = _stored([converted], enqueue_many, keep)
        queue = _queue_class(dynamic_pad)(  # type: ignore[call-arg]
            capacity=capacity,
            dtypes=_dtypes(stored),
            shapes=_shapes(stored, shapes, enqueue_many),
            shared_name=shared_name,
        )
        add_queue_runner(QueueRunner(queue, [_enqueue_op(queue, stored[0], enqueue_many, keep)] * num_threads))
        _fullness(queue, capacity)
        return _as_original(tensors, _dequeued(queue, batch_size, allow_smaller_final_batch, name, infos))


def _batch_join(
    tensors_list: Any, batch_size: Any, keep_input: Any, capacity: int = 32, enqueue_many: bool = False, shapes: Any = None,
    dynamic_pad: bool = False, allow_smaller_final_batch: bool = False, shared_name: str | None = None, name: str | None = None,
) -> Any:  # fmt: skip
    given = _as_lists(tensors_list)
    with name_scope(name, "batch_join", [*(t for tensors in given for t in tensors), keep_input]) as name:
        converted = _converted_join(given, "batch_join")
        keep = _keep(keep_input, enqueue_many)
        stored, infos = _stored(converted, enqueue_many, keep)
        queue = _queue_class(dynamic_pad)(  # type: ignore[call-arg]
            capacity=capacity,
            dtypes=_dtypes(stored),
            shapes=_shapes(stored, shapes, enqueue_many),
            shared_name=shared_name,
        )
        add_queue_runner(QueueRunner(queue, [_enqueue_op(queue, tensors, enqueue_many, keep) for tensors in stored]))
        _fullness(queue, capacity)
        return _as_original(tensors_list[0], _dequeued(queue, batch_size, allow_smaller_final_batch, name, infos))


def _check_capacity(capacity: int, least: int) -> None:
    if capacity <= least:
        raise ValueError(f"capacity {capacity} must be bigger than min_after_dequeue {least}.")


def _shuffle_batch(
    tensors: Any, batch_size: Any, capacity: int, min_after_dequeue: int, keep_input: Any, num_threads: int = 1, seed: int | None = None,
    enqueue_many: bool = False, shapes: Any = None, allow_smaller_final_batch: bool = False, shared_name: str | None = None,
    name: str | None = None,
) -> Any:  # fmt: skip
    given = _as_list(tensors)
    with name_scope(name, "shuffle_batch", [*given, keep_input]) as name:
        _check_capacity(capacity, min_after_dequeue)
        converted = _converted(given, "shuffle_batch")
        keep = _keep(keep_input, enqueue_many)
        stored, infos = _stored([converted], enqueue_many, keep)
        queue = RandomShuffleQueue(
            capacity=capacity, min_after_dequeue=min_after_dequeue, seed=seed, dtypes=_dtypes(stored),
            shapes=_shapes(stored, shapes, enqueue_many), shared_name=shared_name,
        )  # fmt: skip
        add_queue_runner(QueueRunner(queue, [_enqueue_op(queue, stored[0], enqueue_many, keep)] * num_threads))
        _fullness_above(queue, capacity, min_after_dequeue)
        return _as_original(tensors, _dequeued(queue, batch_size, allow_smaller_final_batch, name, infos))


def _shuffle_batch_join(
    tensors_list: Any, batch_size: Any, capacity: int, min_after_dequeue: int, keep_input: Any, seed: int | None = None,
    enqueue_many: bool = False, shapes: Any = None, allow_smaller_final_batch: bool = False, shared_name: str | None = None,
    name: str | None = None,
) -> Any:  # fmt: skip
    given = _as_lists(tensors_list)
    with name_scope(name, "shuffle_batch_join", [*(t for tensors in given for t in tensors), keep_input]) as name:
        _check_capacity(capacity, min_after_dequeue)
        converted = _converted_join(given, "shuffle_batch_join")
        keep = _keep(keep_input, enqueue_many)
        stored, infos = _stored(converted, enqueue_many, keep)
        queue = RandomShuffleQueue(
            capacity=capacity, min_after_dequeue=min_after_dequeue, seed=seed, dtypes=_dtypes(stored),
            shapes=_shapes(stored, shapes, enqueue_many), shared_name=shared_name,
        )  # fmt: skip
        add_queue_runner(QueueRunner(queue, [_enqueue_op(queue, tensors, enqueue_many, keep) for tensors in stored]))
        _fullness_above(queue, capacity, min_after_dequeue)
        return _as_original(tensors_list[0], _dequeued(queue, batch_size, allow_smaller_final_batch, name, infos))


def _stored(lists: Sequence[list[Any]], many: bool, keep: Tensor) -> tuple[list[list[Tensor]], list[_Sparse | None]]:
    first, infos = _store_sparse(lists[0], many, keep)
    return [first, *(_store_sparse(tensors, many, keep, infos)[0] for tensors in lists[1:])], infos


# --- the public forms --------------------------------------------------------------------------------------------------------
def batch(
    tensors: Any, batch_size: Any, num_threads: int = 1, capacity: int = 32, enqueue_many: bool = False, shapes: Any = None,
    dynamic_pad: bool = False, allow_smaller_final_batch: bool = False, shared_name: str | None = None, name: str | None = None,
) -> Any:  # fmt: skip
    """Batches of the tensors (a list or dictionary), in order, through a queue filled by `num_threads` threads.

    `enqueue_many`: the tensors are batches already. `dynamic_pad`: shapes may differ, batches are padded with zeros.
    """
    return _batch(
        tensors,
        batch_size,
        True,
        num_threads,
        capacity,
        enqueue_many,
        shapes,
        dynamic_pad,
        allow_smaller_final_batch,
        shared_name,
        name,
    )


def maybe_batch(
    tensors: Any, keep_input: Any, batch_size: Any, num_threads: int = 1, capacity: int = 32, enqueue_many: bool = False, shapes: Any = None,
    dynamic_pad: bool = False, allow_smaller_final_batch: bool = False, shared_name: str | None = None, name: str | None = None,
) -> Any:  # fmt: skip
    """`batch` of those tensors for which the bool `keep_input` is true (with `enqueue_many` perhaps a vector, one a row)."""
    return _batch(
        tensors,
        batch_size,
        keep_input,
        num_threads,
        capacity,
        enqueue_many,
        shapes,
        dynamic_pad,
        allow_smaller_final_batch,
        shared_name,
        name,
    )


def batch_join(
    tensors_list: Any, batch_size: Any, capacity: int = 32, enqueue_many: bool = False, shapes: Any = None, dynamic_pad: bool = False,
    allow_smaller_final_batch: bool = False, shared_name: str | None = None, name: str | None = None,
) -> Any:  # fmt: skip
    """Batches of tensors of several sources, with one thread a source."""
    return _batch_join(
        tensors_list,
        batch_size,
        True,
        capacity,
        enqueue_many,
        shapes,
        dynamic_pad,
        allow_smaller_final_batch,
        shared_name,
        name,
    )


def maybe_batch_join(
    tensors_list: Any, keep_input: Any, batch_size: Any, capacity: int = 32, enqueue_many: bool = False, shapes: Any = None,
    dynamic_pad: bool = False, allow_smaller_final_batch: bool = False, shared_name: str | None = None, name: str | None = None,
) -> Any:  # fmt: skip
    """`batch_join` of those tensors for which `keep_input` is true."""
    return _batch_join(
        tensors_list,
        batch_size,
        keep_input,
        capacity,
        enqueue_many,
        shapes,
        dynamic_pad,
        allow_smaller_final_batch,
        shared_name,
        name,
    )


def shuffle_batch(
    tensors: Any, batch_size: Any, capacity: int, min_after_dequeue: int, num_threads: int = 1, seed: int | None = None,
    enqueue_many: bool = False, shapes: Any = None, allow_smaller_final_batch: bool = False, shared_name: str | None = None,
    name: str | None = None,
) -> Any:  # fmt: skip
    """Batches in random order, drawn from a queue in which at least `min_after_dequeue` elements stay."""
    return _shuffle_batch(
        tensors, batch_size, capacity, min_after_dequeue, True, num_threads, seed, enqueue_many, shapes, allow_smaller_final_batch, shared_name, name
    )  # fmt: skip


def maybe_shuffle_batch(
    tensors: Any, batch_size: Any, capacity: int, min_after_dequeue: int, keep_input: Any, num_threads: int = 1, seed: int | None = None,
    enqueue_many: bool = False, shapes: Any = None, allow_smaller_final_batch: bool = False, shared_name: str | None = None,
    name: str | None = None,
) -> Any:  # fmt: skip
    """`shuffle_batch` of those tensors for which `keep_input` is true."""
    return _shuffle_batch(
        tensors, batch_size, capacity, min_after_dequeue, keep_input, num_threads, seed, enqueue_many, shapes, allow_smaller_final_batch, shared_name,
        name,
    )  # fmt: skip


def shuffle_batch_join(
    tensors_list: Any, batch_size: Any, capacity: int, min_after_dequeue: int, seed: int | None = None, enqueue_many: bool = False,
    shapes: Any = None, allow_smaller_final_batch: bool = False, shared_name: str | None = None, name: str | None = None,
) -> Any:  # fmt: skip
    """`shuffle_batch` of several sources, with one thread a source."""
    return _shuffle_batch_join(
        tensors_list, batch_size, capacity, min_after_dequeue, True, seed, enqueue_many, shapes, allow_smaller_final_batch, shared_name, name
    )  # fmt: skip


def maybe_shuffle_batch_join(
    tensors_list: Any, batch_size: Any, capacity: int, min_after_dequeue: int, keep_input: Any, seed: int | None = None,
    enqueue_many: bool = False, shapes: Any = None, allow_smaller_final_batch: bool = False, shared_name: str | None = None,
    name: str | None = None,
) -> Any:  # fmt: skip
    """`shuffle_batch_join` of those tensors for which `keep_input` is true."""
    return _shuffle_batch_join(
        tensors_list, batch_size, capacity, min_after_dequeue, keep_input, seed, enqueue_many, shapes, allow_smaller_final_batch, shared_name, name
    )  # fmt: skip


_NAMES = (
    "limit_epochs", "input_producer", "string_input_producer", "range_input_producer", "slice_input_producer", "match_filenames_once", "batch",
    "maybe_batch", "batch_join", "maybe_batch_join", "shuffle_batch", "maybe_shuffle_batch", "shuffle_batch_join", "maybe_shuffle_batch_join",
)  # fmt: skip
__tf_exports__ = {f"train.{n}": n for n in _NAMES} | {"io.match_filenames_once": "match_filenames_once"}
