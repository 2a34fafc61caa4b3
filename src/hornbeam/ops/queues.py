"""Queue operations: FIFO, random shuffle, padding and priority queues, with the handles of both generations (resource, string ref)."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable
from typing import Any

import numpy as np

from hornbeam.core import dtypes, errors
from hornbeam.core.graph import InferenceContext, Operation
from hornbeam.core.registry import no_gradient, op
from hornbeam.core.state import ResourceRef, variable_key
from hornbeam.core.tensor_shape import Shape
from hornbeam.ops import shapes
from hornbeam.ops.host_queue import HostQueue, PaddingQueue, PriorityHostQueue, ShuffleQueue

_counter = itertools.count()


def resource_ref(
    kind: str, prefix: str, ctx: Any, make: Callable[[str], Any], check: Callable[[Any], None] | None = None
) -> ResourceRef:
    """The handle of this node's host resource, made when the session has none of that name. `make` gets the name errors show."""
    attrs = ctx.op._attrs
    shared = attrs["shared_name"]
    if not shared and attrs.get("use_node_name_sharing"):
        shared = ctx.node
    key = prefix + variable_key(attrs["container"], shared, "\0" + ctx.scope + ctx.node)
    resources = ctx.state.resources
    found = resources.get(key)
    if found is None:
        found = ctx.resource(
            key,
            lambda: make(
                shared.decode() if isinstance(shared, bytes) and shared else shared or f"_{next(_counter)}_{ctx.node}"
            ),
        )
    if check is not None and shared:
        try:
            check(found)
        except errors.OpError as e:
            raise ctx.error(type(e), e.message) from None
    return ResourceRef(key, ctx.node, kind)


def remembered(kernel: Callable[..., ResourceRef]) -> Callable[..., ResourceRef]:
    """A kernel that gives a handle, asked once per session and node: the steps after the first find the handle made."""

    @functools.wraps(kernel)
    def found(*args: Any, ctx: Any) -> ResourceRef:
        resources = ctx.state.resources
        ref = resources.get(ctx.op)
        if ref is None or ref.key not in resources:
            ref = resources[ctx.op] = kernel(*args, ctx=ctx)
        return ref  # type: ignore[no-any-return]

    return found


def resource_of(handle: Any, ctx: Any, kind: type | tuple[type, ...], what: str) -> Any:
    """The host resource behind a handle; NotFoundError when the session has none, InvalidArgumentError for one of another kind."""
    if not isinstance(handle, ResourceRef):
        raise ctx.fail(f"Expected the handle of a {what}, got {type(handle).__name__}")
    found = ctx.state.resources.get(handle.key)
    if found is None:
        raise ctx.not_found(f"Resource {handle.name} does not exist in this session.")
    if not isinstance(found, kind):
        raise ctx.fail(f"Expected a {what}, got a {handle.kind}: {handle.name}")
    return found


def names_node(kernel: Callable[..., Any]) -> Callable[..., Any]:
    """The kernel, whose errors say which node met them; the objects behind handles know of no nodes."""

    @functools.wraps(kernel)
    def named(*args: Any, ctx: Any, **attrs: Any) -> Any:
        try:
            return kernel(*args, ctx=ctx, **attrs)
        except errors.OpError as e:
            if e._op is None and "[[node" not in e.message:
                raise ctx.error(type(e), e.message) from None
            raise

    return named


def queue_of(handle: Any, ctx: Any) -> HostQueue:
    return resource_of(handle, ctx, HostQueue, "queue")  # type: ignore[no-any-return]


# --- the queues --------------------------------------------------------------------------------------------------------------
_COMMON = "component_types: list(type) >= 1; shapes: list(shape) >= 0 = []; capacity: int = -1; "
_SHARING = "container: string = ''; shared_name: string = ''"


def _make(cls: type[HostQueue], ctx: Any, types: Any = None, shapes: Any = None, **extra: Any) -> ResourceRef:
    a = ctx.op._attrs
    types = a["component_types"] if types is None else types
    shapes = (a["shapes"] or None) if shapes is None else shapes
    capacity = a["capacity"]
    return resource_ref(
        "Queue", "queue/", ctx, lambda name: cls(name, capacity, types, shapes, **extra),
        lambda q: q.compatible_with(cls.kind, capacity, types, shapes),
    )  # fmt: skip


def _fifo(ctx):
    return _make(HostQueue, ctx)


def _padding(ctx):
    return _make(PaddingQueue, ctx)


def _priority(ctx):
    a = ctx.op._attrs
    return _make(
        PriorityHostQueue,
        ctx,
        [dtypes.int64, *a["component_types"]],
        [(), *a["shapes"]] if a["shapes"] or not a["component_types"] else None,
    )


def _shuffle(ctx):
    a = ctx.op._attrs
    least = a["min_after_dequeue"]
    if least < 0:
        raise ctx.fail(f"min_after_dequeue {least} must be >= 0")
    if a["capacity"] >= 0 and least >= a["capacity"]:
        raise ctx.fail(f"min_after_dequeue {least} must be < capacity {a['capacity']}")
    key = ctx.random_key(a["seed"], a["seed2"])
    return _make(ShuffleQueue, ctx, min_after_dequeue=least, seeds=(int(key[0]), int(key[1])))


_SHUFFLE = _COMMON + "min_after_dequeue: int = 0; seed: int = 0; seed2: int = 0; " + _SHARING
_PRIORITY = "component_types: list(type) >= 0 = []; shapes: list(shape) >= 0; capacity: int = -1; " + _SHARING
QUEUES = {
    "FIFOQueue": (_fifo, _COMMON + _SHARING),
    "PaddingFIFOQueue": (_padding, _COMMON + _SHARING),
    "PriorityQueue": (_priority, _PRIORITY),
    "RandomShuffleQueue": (_shuffle, _SHUFFLE),
}
for _name, (_kernel, _attrs) in QUEUES.items():
    _kernel = remembered(_kernel)
    op(f"{_name}() -> (handle: Ref(string)); {_attrs}", shape=lambda c: [(2,)], host=True, stateful=True)(_kernel)
    op(f"{_name}V2() -> (handle: resource); {_attrs}", shape=shapes.scalar, host=True, stateful=True)(_kernel)


@op("FakeQueue(resource: resource) -> (handle: Ref(string))", shape=shapes.scalar, host=True, stateful=True)
def FakeQueue(resource):
    return resource


# --- what one does with them ---------------------------------------------------------------------------------------------------
def _made_by(handle: Any) -> Operation | None:
    """The node that made a queue, seen from a handle; None when it cannot be told while building."""
    made = handle._op
    while (
        made.type in ("Identity", "RefIdentity", "FakeQueue", "Enter", "RefEnter", "Switch", "RefSwitch")
        and made._inputs
    ):
        made = made._inputs[0]._op
    return made if made.type.removesuffix("V2") in QUEUES else None


def component_shapes(handle: Any) -> list[Shape] | None:
    made = _made_by(handle)
    if made is None or not (made._attrs["shapes"] or made.type.startswith("Priority")):
        return None
    found = [None if s is None else tuple(s) for s in made._attrs["shapes"]]
    return [(), *found] if made.type.startswith("Priority") else found


def _element_shapes(c: InferenceContext) -> list[Shape]:
    known = component_shapes(c.op._inputs[0])
    return known if known is not None and len(known) == c.n_outputs else [None] * c.n_outputs


def _many_shapes(c: InferenceContext) -> list[Shape]:
    n = c.value(1)
    if n is not None and int(n) < 0:
        raise c.fail(f"Input 'n' must be >= 0, but is {int(n)}")
    return [None if s is None else (None if n is None else int(n), *s) for s in _element_shapes(c)]


def _up_to_shapes(c: InferenceContext) -> list[Shape]:
    return [None if s is None else (None, *s) for s in _element_shapes(c)]


def _enqueue(handle, components, ctx):
    queue_of(handle, ctx).enqueue(components, ctx)


def _enqueue_many(handle, components, ctx):
    queue_of(handle, ctx).enqueue_many(components, ctx)


def _dequeue(handle, ctx):
    return tuple(
        [
            v if isinstance(v, np.ndarray) else v.item() if isinstance(v, np.bytes_) else v
            for v in queue_of(handle, ctx).dequeue(ctx)
        ]
    )


def _dequeue_many(handle, n, ctx):
    return tuple(queue_of(handle, ctx).dequeue_many(int(n), ctx))


def _dequeue_up_to(handle, n, ctx):
    return tuple(queue_of(handle, ctx).dequeue_many(int(n), ctx, up_to=True))


def _close(handle, cancel_pending_enqueues, ctx):
    queue_of(handle, ctx).close(cancel_pending_enqueues, ctx)


def _is_closed(handle, ctx):
    return np.asarray(queue_of(handle, ctx).closed)


def _size(handle, ctx):
    return np.int32(queue_of(handle, ctx).size())


_IN = "Tcomponents: list(type) >= 1; timeout_ms: int = -1"
_OUT = "component_types: list(type) >= 1; timeout_ms: int = -1"
_OPS: dict[str, tuple[str, str, Any, Callable[..., Any]]] = {
    "QueueEnqueue": (", components: Tcomponents", f"(); {_IN}", lambda c: [], _enqueue),
    "QueueEnqueueMany": (", components: Tcomponents", f"(); {_IN}", lambda c: [], _enqueue_many),
    "QueueDequeue": ("", f"(components: component_types); {_OUT}", _element_shapes, _dequeue),
    "QueueDequeueMany": (", n: int32", f"(components: component_types); {_OUT}", _many_shapes, _dequeue_many),
    "QueueDequeueUpTo": (", n: int32", f"(components: component_types); {_OUT}", _up_to_shapes, _dequeue_up_to),
    "QueueClose": ("", "(); cancel_pending_enqueues: bool = false", lambda c: [], _close),
    "QueueIsClosed": ("", "(is_closed: bool)", shapes.scalar, _is_closed),
    "QueueSize": ("", "(size: int32)", shapes.scalar, _size),
}
for _name, (_inputs, _outputs, _shape, _kernel) in _OPS.items():
    _kernel = names_node(_kernel)
    op(f"{_name}(handle: Ref(string){_inputs}) -> {_outputs}", shape=_shape, host=True)(_kernel)
    op(f"{_name}V2(handle: resource{_inputs}) -> {_outputs}", shape=_shape, host=True, stateful=True)(_kernel)

no_gradient(*(n + v for n in (*QUEUES, *_OPS) for v in ("", "V2")))
