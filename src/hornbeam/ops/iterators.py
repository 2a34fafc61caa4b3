"""tf.data iterators as graph nodes: made, initialised, asked for elements, passed as string handles, saved and restored."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np

from hornbeam.core import errors
from hornbeam.core.registry import op
from hornbeam.core.state import ResourceRef, variable_key
from hornbeam.ops import dataset_state, shapes
from hornbeam.ops.dataset_base import DatasetValue, Element, Iterator, Run, bytes_value, text
from hornbeam.ops.dataset_functional import declared_shapes

_POLL = 0.5
_VALUES = "output_types: list(type) >= 1; output_shapes: list(shape) >= 1"
_PREFIX = b"iterator:"


def new_run(ctx: Any) -> Run:
    return Run(ctx.state, ctx.random_state())


class IteratorResource:
    """What an iterator handle stands for: nothing until it is initialised, then an iteration under way."""

    def __init__(self, types: list[Any], shapes_: list[Any], closing: threading.Event) -> None:
        self.types = types
        self.shapes = shapes_
        self.closing = closing
        self.lock = threading.RLock()
        self.run: Run | None = None
        self.it: Iterator | None = None
        self.ended = False
        self.dataset: DatasetValue | None = None

    def start(self, dataset: DatasetValue, run: Run) -> None:
        """From here on elements are those of `dataset`, from its beginning."""
        self.session_closed()  # wakes whoever waits for an element of the old one
        self._acquire()
        try:
            self._drop()
            self.dataset = dataset
            self.it = dataset.make(run)
            self.run = run
            self.ended = False
        finally:
            self.lock.release()

    def _acquire(self) -> None:
        while not self.lock.acquire(timeout=_POLL):
            if self.closing.is_set():
                raise errors.CancelledError(None, None, "The session was closed.")

    def _drop(self) -> None:
        run, it, self.run, self.it = self.run, self.it, None, None
        if run is not None:
            run.stopped.set()
        if it is not None:
            it.close()

    def session_closed(self) -> None:
        run = self.run
        if run is not None:
            run.stopped.set()
        if self.lock.acquire(timeout=2 * _POLL):  # whoever holds it longer sees the flag and lets go
            try:
                self._drop()
            finally:
                self.lock.release()

    def __del__(self) -> None:
        run = self.run
        if run is not None:
            run.stopped.set()

    def get(self, ctx: Any) -> Element:
        """The next element. Raises OutOfRangeError at the end, FailedPreconditionError before the first initialisation."""
        self._acquire()
        try:
            if self.it is None and not self.ended:
                raise ctx.precondition(
                    "GetNext() failed because the iterator has not been initialized. Ensure that you have run the initializer operation for this "
                    "iterator before getting the next element."
                )
            e = None if self.it is None else self.it.next()
            if e is None:
                self.ended = True
                self._drop()
                raise ctx.out_of_range("End of sequence")
            return e
        finally:
            self.lock.release()

    def save(self) -> bytes:
        self._acquire()
        try:
            if self.it is None:
                return dataset_state.encode(["ended" if self.ended else "fresh"])
            return dataset_state.encode(["under way", self.it.save()])
        finally:
            self.lock.release()

    def load(self, state: bytes, ctx: Any) -> None:
        parts = dataset_state.decode(state)
        self._acquire()
        try:
            if parts[0] == "fresh":
                self._drop()
                self.ended = False
            elif parts[0] == "ended":
                self._drop()
                self.ended = True
            elif self.dataset is None:
                raise ctx.precondition("An iterator must be initialised before its position can be restored.")
            else:
                self._drop()
                self.run = new_run(ctx)
                self.it = self.dataset.make(self.run)
                self.ended = False
                try:
                    self.it.load(parts[1])
                except (ValueError, TypeError, IndexError, KeyError) as e:
                    raise ctx.fail(f"The saved position is not one of this pipeline: {e}") from e
        finally:
            self.lock.release()


def _resource(handle: ResourceRef, ctx: Any) -> IteratorResource:
    found = ctx.resource(handle.key)
    if not isinstance(found, IteratorResource):
        raise ctx.fail(f"Resource {handle.name} is not an iterator.")
    return found


def _handle(ctx: Any, shared_name: bytes, container: bytes, types: list[Any], shapes_: list[Any]) -> ResourceRef:
    key = "iterator/" + variable_key(container, shared_name, ctx.node)
    held = ctx.resource(key, lambda: IteratorResource(types, shapes_, ctx.state.closing))
    if held.types != types:
        raise ctx.fail(f"Iterator {key} holds elements of types {held.types}, not {types}.")
    return ResourceRef(key, ctx.node, "iterator")


def _iterator(shared_name, container, output_types, output_shapes, ctx):
    return _handle(ctx, shared_name, container, output_types, output_shapes)


for _name in ("Iterator", "IteratorV2"):
    op(
        f"{_name}() -> (handle: resource); shared_name: string; container: string; {_VALUES}",
        shape=shapes.scalar,
        host=True,
        stateful=True,
    )(_iterator)


@op(f"AnonymousIterator() -> (handle: resource); {_VALUES}", shape=shapes.scalar, host=True, stateful=True)
def AnonymousIterator(output_types, output_shapes, ctx):
    return _handle(ctx, b"", b"", output_types, output_shapes)


@op("MakeIterator(dataset: variant, iterator: resource) -> ()", shape=lambda c: [], host=True, stateful=True)
def MakeIterator(dataset, iterator, ctx):
    _resource(iterator, ctx).start(dataset, new_run(ctx))


class _OneShot(IteratorResource):
    """Starts by itself when first asked."""

    def __init__(self, make: Any, types: list[Any], shapes_: list[Any], closing: threading.Event) -> None:
        super().__init__(types, shapes_, closing)
        self.make = make

    def get(self, ctx: Any) -> Element:
        self._begin(ctx)
        return super().get(ctx)

    def load(self, state: bytes, ctx: Any) -> None:
        self._begin(ctx)
        super().load(state, ctx)

    def _begin(self, ctx: Any) -> None:
        self._acquire()
        try:
            if self.make is not None:
                run = new_run(ctx)
                value = self.make([], run.random)[0]
                self.make = None
                self.start(value.item() if isinstance(value, np.ndarray) else value, run)
        finally:
            self.lock.release()


@op(f"OneShotIterator() -> (handle: resource); dataset_factory: func; {_VALUES}; container: string = ''; shared_name: string = ''",
    shape=shapes.scalar, host=True, stateful=True)  # fmt: skip
def OneShotIterator(dataset_factory, output_types, output_shapes, container, shared_name, ctx):
    key = "iterator/" + variable_key(container, shared_name, ctx.node)
    ctx.resource(key, lambda: _OneShot(ctx.bind(dataset_factory, []), output_types, output_shapes, ctx.state.closing))
    return ResourceRef(key, ctx.node, "iterator")


# --- elements ------------------------------------------------------------------------------------------------------------------
def _next(iterator: ResourceRef, ctx: Any) -> list[Any]:
    resource = _resource(iterator, ctx)
    element = resource.get(ctx)
    wanted = ctx.op._outputs
    if len(element) != len(wanted):
        raise ctx.fail(f"The iterator gives {len(element)} components, {len(wanted)} are expected.")
    for k, (v, t) in enumerate(zip(element, wanted, strict=True)):
        s = t._shape
        if (
            s is not None
            and isinstance(v, np.ndarray)
            and (len(s) != v.ndim or any(d is not None and d != n for d, n in zip(s, v.shape, strict=True)))
        ):
            raise ctx.fail(f"Expected shape {list(s)} of component {k}, the iterator gives {list(v.shape)}.")
    return element


for _name in ("IteratorGetNext", "IteratorGetNextSync"):
    op(
        f"{_name}(iterator: resource) -> (components: output_types); {_VALUES}",
        shape=declared_shapes,
        host=True,
        stateful=True,
    )(lambda iterator, ctx: _next(iterator, ctx))


class OptionalValue:
    """The value of an `Optional` tensor: an element, or nothing."""

    __slots__ = ("element",)

    def __init__(self, element: Element | None) -> None:
        self.element = element


@op(
    f"IteratorGetNextAsOptional(iterator: resource) -> (optional: variant); {_VALUES}",
    shape=shapes.scalar,
    host=True,
    stateful=True,
)
def IteratorGetNextAsOptional(iterator, ctx):
    try:
        return OptionalValue(_resource(iterator, ctx).get(ctx))
    except errors.OutOfRangeError:
        return OptionalValue(None)


@op(
    "OptionalFromValue(components: Toutput_types) -> (optional: variant); Toutput_types: list(type) >= 1",
    shape=shapes.scalar,
    host=True,
)
def OptionalFromValue(components):
    return OptionalValue(list(components))


@op("OptionalNone() -> (optional: variant)", shape=shapes.scalar, host=True)
def OptionalNone():
    return OptionalValue(None)


@op("OptionalHasValue(optional: variant) -> (has_value: bool)", shape=shapes.scalar, host=True)
def OptionalHasValue(optional):
    return np.asarray(optional.element is not None)


@op(f"OptionalGetValue(optional: variant) -> (components: output_types); {_VALUES}", shape=declared_shapes, host=True)
def OptionalGetValue(optional, ctx):
    if optional.element is None:
        raise ctx.fail("The given optional does not have a value.")
    return optional.element


# --- handles as strings ----------------------------------------------------------------------------------------------------------
@op(
    "IteratorToStringHandle(resource_handle: resource) -> (string_handle: string)",
    shape=shapes.scalar,
    host=True,
    stateful=True,
)
def IteratorToStringHandle(resource_handle, ctx):
    _resource(resource_handle, ctx)
    return bytes_value(_PREFIX + resource_handle.key.encode())


def _from_string(string_handle, output_types, output_shapes, ctx):
    given = np.asarray(string_handle, object).reshape(-1)[0]
    if not given.startswith(_PREFIX):
        raise ctx.fail(f"Could not parse string handle {given!r}: it was not made by an iterator of this session.")
    ref = ResourceRef(given[len(_PREFIX) :].decode(), ctx.node, "iterator")
    held = _resource(ref, ctx)
    if output_types and held.types != output_types:
        names = [[t.name for t in ts] for ts in (output_types, held.types)]
        raise ctx.fail(f"Expected output types {names[0]} but iterator {text(string_handle)} has types {names[1]}.")
    return ref


for _name in ("IteratorFromStringHandle", "IteratorFromStringHandleV2"):
    op(f"{_name}(string_handle: string) -> (resource_handle: resource); output_types: list(type) >= 0 = []; output_shapes: list(shape) >= 0 = []",
       shape=shapes.scalar, host=True, stateful=True)(_from_string)  # fmt: skip


# --- positions ---------------------------------------------------------------------------------------------------------------------
@op(
    "SerializeIterator(resource_handle: resource) -> (serialized: variant); external_state_policy: int = 0",
    shape=shapes.unknown,
    host=True,
    stateful=True,
)
def SerializeIterator(resource_handle, ctx):
    out = np.empty(1, object)
    out[0] = dataset_state.Position(_resource(resource_handle, ctx).save())
    return out


@op(
    "DeserializeIterator(resource_handle: resource, serialized: variant) -> ()",
    shape=lambda c: [],
    host=True,
    stateful=True,
)
def DeserializeIterator(resource_handle, serialized, ctx):
    held = np.asarray(serialized, object).reshape(-1)
    if held.size != 1 or not isinstance(held[0], dataset_state.Position):
        raise ctx.fail("The serialized iterator is not a position that Hornbeam saved.")
    _resource(resource_handle, ctx).load(held[0].data, ctx)
