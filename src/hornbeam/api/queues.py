"""`tf.QueueBase` and its four queues: tensors that wait in the session between the steps that make them and those that use them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hornbeam.api.random_ops import get_seed
from hornbeam.core import dtypes
from hornbeam.core.constant import constant_value
from hornbeam.core.graph import Operation, Tensor, convert_to_tensor, device, init_scope, name_scope
from hornbeam.core.registry import raw
from hornbeam.core.tensor_shape import TensorShape


def _type_list(values: Any) -> list[dtypes.DType]:
    if isinstance(values, (list, tuple)):
        return [dtypes.as_dtype(d).base_dtype for d in values]
    return [dtypes.as_dtype(values).base_dtype]


def _shape_list(
    shapes: Any, types: Sequence[Any], unknown_dim: bool = False, unknown_rank: bool = False
) -> list[TensorShape] | None:
    if unknown_dim and (
        not isinstance(shapes, (list, tuple)) or not shapes or any(s is None or isinstance(s, int) for s in shapes)
    ):
        raise ValueError("When providing partial shapes, a list of shapes must be provided.")
    if shapes is None:
        return None
    if isinstance(shapes, TensorShape):
        shapes = [shapes]
    if not isinstance(shapes, (tuple, list)):
        raise TypeError(
            f"Shapes must be a TensorShape or a list or tuple of TensorShapes, got {type(shapes)} instead. Shapes must be a TensorShape or a list or tuple."
        )
    if all(shape is None or isinstance(shape, int) for shape in shapes):  # a single shape was given
        shapes = [shapes]
    out = [TensorShape(s) for s in shapes]
    if not unknown_dim and any(not s.is_fully_defined() for s in out):
        raise ValueError(f"All shapes must be fully defined: {out}")
    if not unknown_rank and any(s.dims is None for s in out):
        raise ValueError(f"All shapes must have a defined rank: {out}")
    return out


def _name_list(names: Any, types: Sequence[Any]) -> list[str] | None:
    if names is None:
        return None
    if not isinstance(names, (list, tuple)):
        names = [names]
    if len(names) != len(types):
        raise ValueError(
            f"List of names must have the same length as the list of dtypes, received len(names)={len(names)},len(dtypes)={len(types)}"
        )
    return list(names)


class QueueBase:
    """A handle of a queue in the session: `dtypes`, `shapes` and perhaps `names` of an element's components.

    Enqueueing waits for room, dequeueing for elements; both end with CancelledError or OutOfRangeError when the queue is closed.
    """

    def __init__(self, dtypes: Any, shapes: Any, names: Any, queue_ref: Tensor) -> None:
        self._dtypes = dtypes
        if shapes is not None:
            if len(shapes) != len(dtypes):
                raise ValueError(
                    f"Queue shapes must have the same length as dtypes, received len(shapes)={len(shapes)}, len(dtypes)={len(dtypes)}"
                )
            self._shapes = [TensorShape(s) for s in shapes]
        else:
            self._shapes = [TensorShape(None) for _ in dtypes]
        if names is not None:
            if len(names) != len(dtypes):
                raise ValueError(
                    f"List of names must have the same length as the list of dtypes, received len(names)={len(names)},len(dtypes)={len(dtypes)}"
                )
            self._names: list[str] | None = names
        else:
            self._names = None
        self._queue_ref = queue_ref
        self._name = queue_ref.op.name.split("/")[-1]

    @staticmethod
    def from_list(index: Any, queues: Sequence[QueueBase]) -> QueueBase:
        """The queue at position `index` (a scalar tensor) of a list of queues with the same component dtypes."""
        if not queues or not isinstance(queues, list) or not all(isinstance(q, QueueBase) for q in queues):
            raise TypeError("A list of queues expected")
        types = queues[0].dtypes
        if not all(types == q.dtypes for q in queues[1:]):
            raise TypeError("Queues do not have matching component dtypes.")
        names = queues[0].names
        if not all(names == q.names for q in queues[1:]):
            raise TypeError("Queues do not have matching component names.")
        shapes = [_common_shape(list(s)) for s in zip(*[q.shapes for q in queues], strict=True)]
        refs = raw.Pack([q.queue_ref for q in queues], name="stack")
        return QueueBase(dtypes=types, shapes=shapes, names=names, queue_ref=raw.GatherV2(refs, index, 0))

    @property
    def queue_ref(self) -> Tensor:
        return self._queue_ref

    @property
    def name(self) -> str:
        return self._queue_ref.op.name

    @property
    def dtypes(self) -> list[Any]:
        return self._dtypes  # type: ignore[no-any-return]

    @property
    def shapes(self) -> list[TensorShape]:
        return self._shapes

    @property
    def names(self) -> list[str] | None:
        return self._names

    def _op(self, name: str) -> Any:
        return getattr(raw, name + "V2" if self._queue_ref.dtype == dtypes.resource else name)

    def _ordered(self, vals: Any) -> list[Any]:
        if isinstance(vals, dict):
            if not self._names:
                raise ValueError("Queue must have names to enqueue a dictionary")
            if sorted(self._names, key=str) != sorted(vals, key=str):
                raise ValueError(
                    f"Keys in dictionary to enqueue do not match names of Queue.  Dictionary: {sorted(vals)},Queue: {sorted(self._names)}"
                )
            return [vals[k] for k in self._names]
        if self._names:
            raise ValueError("You must enqueue a dictionary in a Queue with names")
        return list(vals) if isinstance(vals, (list, tuple)) else [vals]

    def _check_enqueue_dtypes(self, vals: Any) -> list[Tensor]:
        return [
            convert_to_tensor(v, dtype=t, name=f"component_{i}") for i, (v, t) in enumerate(zip(self._ordered(vals), self._dtypes, strict=False))
        ]  # fmt: skip

    def _scope_vals(self, vals: Any) -> list[Any]:
        if isinstance(vals, (list, tuple)):
            return list(vals)
        return list(vals.values()) if isinstance(vals, dict) else [vals]

    def enqueue(self, vals: Any, name: str | None = None) -> Operation:
        """Adds one element: a tensor, a tuple of them, or a dictionary for a queue with names."""
        with name_scope(name, f"{self._name}_enqueue", self._scope_vals(vals)) as scope:
            vals = self._check_enqueue_dtypes(vals)
            for val, shape in zip(vals, self._shapes, strict=False):
                val.get_shape().assert_is_compatible_with(shape)
            return self._op("QueueEnqueue")(self._queue_ref, vals, name=scope)  # type: ignore[no-any-return]

    def enqueue_many(self, vals: Any, name: str | None = None) -> Operation:
        """Adds the slices of the tensors along dimension 0 as elements."""
        with name_scope(name, f"{self._name}_EnqueueMany", self._scope_vals(vals)) as scope:
            vals = self._check_enqueue_dtypes(vals)
            first = vals[0].get_shape().with_rank_at_least(1)[0]
            for val, shape in zip(vals, self._shapes, strict=False):
                val_batch_dim = val.get_shape().with_rank_at_least(1)[0]
                first = first.merge_with(val_batch_dim)
                val.get_shape()[1:].assert_is_compatible_with(shape)
            return self._op("QueueEnqueueMany")(self._queue_ref, vals, name=scope)  # type: ignore[no-any-return]

    def _dequeue_return_value(self, tensors: list[Tensor]) -> Any:
        if self._names:
            return dict(zip(self._names, tensors, strict=True))
        return tensors[0] if len(tensors) == 1 else tensors

    def dequeue(self, name: str | None = None) -> Any:
        """One element: a tensor, a list of tensors, or a dictionary for a queue with names."""
        out = self._op("QueueDequeue")(
            self._queue_ref, component_types=self._dtypes, name=name or f"{self._name}_Dequeue"
        )
        for t, s in zip(out, self._shapes, strict=True):
            t.set_shape(s)
        return self._dequeue_return_value(out)

    def dequeue_many(self, n: Any, name: str | None = None) -> Any:
        """`n` elements, stacked along a new dimension 0."""
        out = self._op("QueueDequeueMany")(
            self._queue_ref, n=n, component_types=self._dtypes, name=name or f"{self._name}_DequeueMany"
        )
        known = constant_value(out[0].op.inputs[1])
        batch = TensorShape([None if known is None else int(known)])
        for t, s in zip(out, self._shapes, strict=True):
            t.set_shape(batch.concatenate(s))
        return self._dequeue_return_value(out)

    def dequeue_up_to(self, n: Any, name: str | None = None) -> Any:
        """`n` elements, or what is left (at least one) when the queue is closed."""
        out = self._op("QueueDequeueUpTo")(
            self._queue_ref, n=n, component_types=self._dtypes, name=name or f"{self._name}_DequeueUpTo"
        )
        for t, s in zip(out, self._shapes, strict=True):
            t.set_shape(TensorShape([None]).concatenate(s))
        return self._dequeue_return_value(out)

    def close(self, cancel_pending_enqueues: bool = False, name: str | None = None) -> Operation:
        """No further elements; dequeues that cannot be served fail from now on."""
        return self._op("QueueClose")(
            self._queue_ref, cancel_pending_enqueues=cancel_pending_enqueues, name=name or f"{self._name}_Close"
        )  # type: ignore[no-any-return]

    def is_closed(self, name: str | None = None) -> Tensor:
        return self._op("QueueIsClosed")(self._queue_ref, name=name or f"{self._name}_Is_Closed")  # type: ignore[no-any-return]

    def size(self, name: str | None = None) -> Tensor:
        """How many elements there are, int32."""
        return self._op("QueueSize")(self._queue_ref, name=name or f"{self._name}_Size")  # type: ignore[no-any-return]


def _common_shape(shapes: list[TensorShape]) -> TensorShape:
    """What all shapes are instances of: unknown where they differ."""
    rank = shapes[0].ndims
    if any(s.ndims is None or s.ndims != rank for s in shapes):
        return TensorShape(None)
    lists = [s.as_list() for s in shapes]
    return TensorShape([d[0] if all(x == d[0] for x in d) else None for d in zip(*lists, strict=True)])


def _attr_shapes(shapes: list[TensorShape] | None) -> list[TensorShape]:
    return shapes or []


class FIFOQueue(QueueBase):
    """First in, first out; at most `capacity` elements."""

    def __init__(
        self, capacity: int, dtypes: Any, shapes: Any = None, names: Any = None, shared_name: str | None = None, name: str = "fifo_queue"
    ) -> None:  # fmt: skip
        dtypes = _type_list(dtypes)
        shapes = _shape_list(shapes, dtypes)
        names = _name_list(names, dtypes)
        with init_scope(), device("/device:CPU:*"):
            ref = raw.FIFOQueueV2(
                component_types=dtypes,
                shapes=_attr_shapes(shapes),
                capacity=capacity,
                shared_name=shared_name,
                name=name,
            )
        super().__init__(dtypes, shapes, names, ref)


class RandomShuffleQueue(QueueBase):
    """Elements come in random order; `min_after_dequeue` stay behind to mix with, until the queue is closed."""

    def __init__(
        self, capacity: int, min_after_dequeue: int, dtypes: Any, shapes: Any = None, names: Any = None, seed: int | None = None,
        shared_name: str | None = None, name: str = "random_shuffle_queue",
    ) -> None:  # fmt: skip
        dtypes = _type_list(dtypes)
        shapes = _shape_list(shapes, dtypes)
        names = _name_list(names, dtypes)
        seed1, seed2 = get_seed(seed)
        if seed1 is None and seed2 is None:
            seed1, seed2 = 0, 0
        elif seed is None and shared_name is not None:
            # queues that share a name share their graph-level seed whatever stands between them
            seed2 = _string_seed(seed1, shared_name)
        ref = raw.RandomShuffleQueueV2(
            component_types=dtypes, shapes=_attr_shapes(shapes), capacity=capacity, min_after_dequeue=min_after_dequeue,
            seed=seed1, seed2=seed2, shared_name=shared_name, name=name,
        )  # fmt: skip
        super().__init__(dtypes, shapes, names, ref)


def _string_seed(seed: Any, text: str) -> int:
    import hashlib

    digest = hashlib.md5((str(seed) + text).encode()).hexdigest()
    return int(digest[:8], 16) & 0x7FFFFFFF


class PaddingFIFOQueue(QueueBase):
    """A FIFO queue whose shapes may have unknown dimensions: `dequeue_many` pads them with zeros to the largest of the batch."""

    def __init__(
        self, capacity: int, dtypes: Any, shapes: Any, names: Any = None, shared_name: str | None = None, name: str = "padding_fifo_queue"
    ) -> None:  # fmt: skip
        dtypes = _type_list(dtypes)
        shapes = _shape_list(shapes, dtypes, unknown_dim=True)
        names = _name_list(names, dtypes)
        if shapes is None or len(dtypes) != len(shapes):
            raise ValueError(
                f"Shapes must be provided for all components, but received {len(dtypes)} dtypes and {len(shapes or [])} shapes."
            )
        ref = raw.PaddingFIFOQueueV2(
            component_types=dtypes, shapes=shapes, capacity=capacity, shared_name=shared_name, name=name
        )
        super().__init__(dtypes, shapes, names, ref)


class PriorityQueue(QueueBase):
    """The element with the smallest priority, an int64 scalar that comes before the other components, is dequeued first."""

    def __init__(
        self, capacity: int, types: Any, shapes: Any = None, names: Any = None, shared_name: str | None = None, name: str = "priority_queue"
    ) -> None:  # fmt: skip
        types = _type_list(types)
        shapes = _shape_list(shapes, types)
        ref = raw.PriorityQueueV2(
            component_types=types, shapes=_attr_shapes(shapes), capacity=capacity, shared_name=shared_name, name=name
        )
        priority = [dtypes.int64]
        known = [TensorShape([]), *shapes] if shapes else shapes
        super().__init__(priority + types, known, _name_list(names, types), ref)


__tf_exports__ = {
    "QueueBase": "QueueBase",
    "queue.QueueBase": "QueueBase",
    "FIFOQueue": "FIFOQueue",
    "queue.FIFOQueue": "FIFOQueue",
    "RandomShuffleQueue": "RandomShuffleQueue",
    "queue.RandomShuffleQueue": "RandomShuffleQueue",
    "io.RandomShuffleQueue": "RandomShuffleQueue",
    "io.QueueBase": "QueueBase",
    "PaddingFIFOQueue": "PaddingFIFOQueue",
    "queue.PaddingFIFOQueue": "PaddingFIFOQueue",
    "io.PaddingFIFOQueue": "PaddingFIFOQueue",
    "PriorityQueue": "PriorityQueue",
    "queue.PriorityQueue": "PriorityQueue",
    "io.PriorityQueue": "PriorityQueue",
}
