"""Session: fetches and feeds in, values out. The second `run` of the same fetches finds its plan by a tuple of identities."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from hornbeam.core import dtypes, errors
from hornbeam.core.constant import as_array
from hornbeam.core.graph import (
    Graph,
    IndexedSlices,
    Operation,
    Tensor,
    default_session,
    get_default_graph,
    get_default_session,
)
from hornbeam.core.tensor_shape import TensorShape, compatible
from hornbeam.runtime.context import State, register_references
from hornbeam.runtime.plan import Plan, as_numpy

_NONE = object()


class _Fetches:
    """A fetch structure resolved once: the tensors and operations to run, and how to rebuild the structure from values."""

    __slots__ = ("tensors", "targets", "build", "names")

    def __init__(self, graph: Graph, fetches: Any) -> None:
        self.tensors: list[Tensor] = []
        self.targets: list[Operation] = []
        positions: dict[Tensor, int] = {}

        def leaf(t: Tensor) -> Callable[[list[Any]], Any]:
            i = positions.get(t)
            if i is None:
                if not graph.is_fetchable(t):
                    raise ValueError(f"Tensor {t.name} has been marked as not fetchable.")
                i = positions[t] = len(self.tensors)
                self.tensors.append(t)
            return lambda values: values[i]

        self.build = _builder(graph, fetches, leaf, self.targets)


def _builder(
    graph: Graph, f: Any, leaf: Callable[[Tensor], Any], targets: list[Operation]
) -> Callable[[list[Any]], Any]:
    if f is None:
        raise TypeError("Fetch argument None has invalid type <class 'NoneType'>")
    if isinstance(f, (list, tuple)):
        parts = [_builder(graph, x, leaf, targets) for x in f]
        if isinstance(f, tuple) and hasattr(f, "_fields"):
            cls = type(f)
            if not isinstance(f, tuple(_COMPOSITES)):
                return lambda v: cls(*[p(v) for p in parts])
        elif isinstance(f, list):
            return lambda v: [p(v) for p in parts]
        else:
            return lambda v: tuple(p(v) for p in parts)
    if isinstance(f, Mapping):
        keys = list(f)
        parts = [_builder(graph, f[k], leaf, targets) for k in keys]
        make = type(f)
        if hasattr(make, "default_factory"):
            return lambda v: make(
                getattr(f, "default_factory", None), [(k, p(v)) for k, p in zip(keys, parts, strict=True)]
            )  # type: ignore[call-arg]
        return lambda v: make((k, p(v)) for k, p in zip(keys, parts, strict=True))  # type: ignore[call-arg]
    if hasattr(f, "__attrs_attrs__"):
        cls = type(f)
        parts = [_builder(graph, getattr(f, a.name), leaf, targets) for a in f.__attrs_attrs__]
        return lambda v: cls(*[p(v) for p in parts])
    if isinstance(f, IndexedSlices):
        members = [f.values, f.indices] + ([f.dense_shape] if f.dense_shape is not None else [])
        parts = [_builder(graph, m, leaf, targets) for m in members]
        return lambda v: IndexedSlicesValue(*[p(v) for p in parts], *([None] * (3 - len(parts))))
    sparse = _sparse_members(f)
    if sparse is not None:
        parts = [_builder(graph, m, leaf, targets) for m in sparse]
        from hornbeam.core.sparse_tensor import SparseTensorValue

        return lambda v: SparseTensorValue(*[p(v) for p in parts])
    if type(f) in _REGISTERED_FETCHES:
        members, rebuild = _REGISTERED_FETCHES[type(f)][0](f)
        parts = [_builder(graph, m, leaf, targets) for m in members]
        return lambda v: rebuild([p(v) for p in parts])
    try:
        element = graph.as_graph_element(f, allow_tensor=True, allow_operation=True)
    except TypeError as e:
        raise TypeError(f"Fetch argument {f!r} has invalid type {type(f)!r}, must be a string or Tensor. ({e})") from e
    except (ValueError, KeyError) as e:
        raise ValueError(
            f"Fetch argument {f!r} cannot be interpreted as a Tensor. ({e.args[0] if e.args else e})"
        ) from e
    if isinstance(element, Operation):
        targets.append(element)
        return lambda v: None
    return leaf(element)  # type: ignore[no-any-return]


_COMPOSITES: list[type] = []
_REGISTERED_FETCHES: dict[type, tuple[Callable[..., Any], Any, Any, Any]] = {}


def register_session_run_conversion_functions(
    tensor_type: type, fetch_function: Any, feed_function: Any = None, feed_function_for_partial_run: Any = None
) -> None:
    """Teaches `Session.run` to fetch and feed objects of `tensor_type`."""
    if tensor_type in _REGISTERED_FETCHES:
        raise ValueError(f"{tensor_type} has already been registered so ignore it.")
    _REGISTERED_FETCHES[tensor_type] = (fetch_function, feed_function, feed_function_for_partial_run, None)


def _sparse_members(f: Any) -> list[Any] | None:
    if isinstance(f, (Tensor, Operation, str)):
        return None
    if type(f).__name__ in ("SparseTensor",) and hasattr(f, "dense_shape"):
        return [f.indices, f.values, f.dense_shape]
    return None


class IndexedSlicesValue:
    """The fetched value of an IndexedSlices: NumPy `values`, `indices`, `dense_shape`."""

    def __init__(self, values: Any, indices: Any, dense_shape: Any) -> None:
        self.values = values
        self.indices = indices
        self.dense_shape = dense_shape

    def __iter__(self) -> Iterator[Any]:
        return iter((self.values, self.indices, self.dense_shape))

    def __getitem__(self, i: int) -> Any:
        return (self.values, self.indices, self.dense_shape)[i]

    def __len__(self) -> int:
        return 3


def _key(f: Any) -> Any:
    """A hashable key of a fetch structure, or None when it has parts that identity cannot tell."""
    if isinstance(f, (Tensor, Operation, str)):
        return f
    if isinstance(f, (list, tuple)):
        parts = tuple([_key(x) for x in f])
        return None if None in parts else (type(f), parts)
    if type(f) is dict:
        parts = tuple([_key(x) for x in f.values()])
        return None if None in parts else (dict, tuple(f), parts)
    if hasattr(f, "_as_graph_element"):
        return f._as_graph_element()
    return None


class BaseSession:
    """Runs parts of one graph; holds its variables and resources until `close`."""

    def __init__(self, target: str | bytes = "", graph: Graph | None = None, config: Any = None) -> None:
        from hornbeam.proto import ConfigProto

        if graph is not None and not isinstance(graph, Graph):
            raise TypeError(f"graph must be a tf.Graph, but got {type(graph)}")
        if config is not None and not hasattr(config, "allow_soft_placement"):
            raise TypeError(f"config must be a tf.ConfigProto, but got {type(config)}")
        self._graph = graph if graph is not None else get_default_graph()
        self._target = target.encode() if isinstance(target, str) else target
        self._config = config if config is not None else ConfigProto()
        self._closed = False
        self._state = _state_of(self._target)
        self._state.session = self
        self._fetch_cache: dict[Any, tuple[int, _Fetches]] = {}
        self._plans: dict[Any, Plan] = {}
        self._contexts: list[contextlib.ExitStack] = []
        _prepare_backend()

    @property
    def graph(self) -> Graph:
        return self._graph

    @property
    def graph_def(self) -> Any:
        return self._graph.as_graph_def()

    @property
    def sess_str(self) -> bytes:
        return self._target

    def as_default(self) -> Any:
        return default_session(self)

    def list_devices(self) -> list[Any]:
        """The accelerators and CPUs JAX sees, as TensorFlow's device attributes."""
        from hornbeam.runtime.devices import session_devices

        return session_devices()

    def close(self) -> None:
        self._closed = True
        self._state.closing.set()
        for r in list(self._state.resources.values()):
            closer = getattr(r, "session_closed", None)
            if closer is not None:
                closer()

    def reset(self) -> None:
        self._state.values.clear()
        self._state.resources.clear()

    def __del__(self) -> None:
        state = getattr(self, "_state", None)
        if state is not None and not self._target:
            state.closing.set()

    # run --------------------------------------------------------------------------------------------------------------------
    def run(self, fetches: Any, feed_dict: Any = None, options: Any = None, run_metadata: Any = None) -> Any:
        """Values of `fetches` (a tensor, operation, name, or nested lists, tuples, dicts of them) with tensors fed by `feed_dict`.

        Raises RuntimeError for a closed session, TypeError/ValueError for what cannot be fetched or fed, and a `tf.errors.OpError`
        that names the node for what goes wrong while running.
        """
        if self._closed:
            raise RuntimeError("Attempted to use a closed Session.")
        graph = self._graph
        if not graph._ops:
            raise RuntimeError("The Session graph is empty. Add operations to the graph before calling run().")
        resolved = self._resolve(fetches)
        feeds, values = self._feeds(feed_dict) if feed_dict else ((), ())
        key = (id(resolved), feeds)
        plan = self._plans.get(key)
        if plan is None or plan.edits != graph._edits:  # type: ignore[attr-defined]
            for t in feeds:
                if not graph.is_feedable(t):
                    raise ValueError(f"Tensor {t} may not be fed.")
            plan = Plan(self._state, resolved.tensors, resolved.targets, feeds)
            plan.edits = graph._edits  # type: ignore[attr-defined]
            self._plans[key] = plan
        try:
            if options is not None or run_metadata is not None:
                results = self._run_with_options(plan, values, options, run_metadata)
            else:
                results = plan.run(values)
        except errors.OpError as e:
            raise _presentable(e) from (e.__cause__ if _DEBUG else None)
        return resolved.build([as_numpy(r) for r in results])

    def _resolve(self, fetches: Any) -> _Fetches:
        key = fetches if isinstance(fetches, (Tensor, Operation)) else _key(fetches)
        if key is not None:
            found = self._fetch_cache.get(key)
            if found is not None and found[0] == self._graph._edits:
                return found[1]
        resolved = _Fetches(self._graph, fetches)
        if key is not None:
            self._fetch_cache[key] = (self._graph._edits, resolved)
        else:
            # one object per distinct result, so that plans of unhashable structures are found again
            parts = (tuple(resolved.tensors), tuple(resolved.targets))
            same = self._fetch_cache.setdefault(parts, (self._graph._edits, resolved))[1]
            resolved_plan_key = same
            resolved_plan_key.build = resolved.build
            return resolved_plan_key
        return resolved

    def _feeds(self, feed_dict: Any) -> tuple[tuple[Tensor, ...], list[Any]]:
        tensors: list[Tensor] = []
        values: list[Any] = []
        graph = self._graph
        if not hasattr(feed_dict, "items"):
            raise TypeError(f"feed_dict must be a dictionary, got {type(feed_dict).__name__}")
        for k, v in feed_dict.items():
            if type(k) is not Tensor:
                expanded = _expand_feed(k, v)
                if expanded is not None:
                    for kk, vv in expanded:
                        t, a = self._feed(graph.as_graph_element(kk, allow_operation=False), vv)
                        tensors.append(t)
                        values.append(a)
                    continue
                try:
                    k = graph.as_graph_element(k, allow_operation=False)
                except Exception as e:
                    raise TypeError(f"Cannot interpret feed_dict key as Tensor: {e.args[0] if e.args else e}") from e
            elif k._op.graph is not graph:
                raise TypeError(
                    f"Cannot interpret feed_dict key as Tensor: Tensor {k} is not an element of this graph."
                )
            t, a = self._feed(k, v)
            tensors.append(t)
            values.append(a)
        return tuple(tensors), values

    def _feed(self, t: Tensor, v: Any) -> tuple[Tensor, Any]:
        dtype = t._dtype._base
        if type(v) is np.ndarray and v.dtype == dtype.np and dtype._enum != 7:
            array = v
        else:
            if isinstance(v, Tensor):
                raise TypeError(
                    "The value of a feed cannot be a tf.Tensor object. Acceptable feed values include Python scalars, strings, lists, numpy "
                    f"ndarrays, or TensorHandles. For reference, the tensor object was {v} which was passed to the feed with key {t}."
                )
            array = self._converted(t, dtype, v)
        shape = t._shape
        if shape is not None and not compatible(shape, array.shape):
            raise ValueError(
                f"Cannot feed value of shape {array.shape} for Tensor '{t.name}', which has shape '{TensorShape(shape)}'"
            )
        return t, array

    @staticmethod
    def _converted(t: Tensor, dtype: dtypes.DType, v: Any) -> np.ndarray[Any, Any]:
        if dtype is dtypes.resource or dtype is dtypes.variant:
            return v  # type: ignore[no-any-return]
        if (
            isinstance(v, int)
            and not isinstance(v, bool)
            and dtype.is_integer
            and not np.iinfo(dtype.np).min <= v <= np.iinfo(dtype.np).max
        ):
            raise TypeError(
                f"Type of feed value {v!r} with type {type(v)} is not compatible with Tensor type {dtype.as_numpy_dtype}. Try explicitly "
                "setting the type of the feed tensor to a larger type (e.g. int64)."
            )
        if dtype is dtypes.string:
            return as_array(v, dtype)
        if hasattr(v, "aval"):
            v = np.asarray(v)
        try:
            return np.asarray(v, dtype=dtype.np)
        except (ValueError, TypeError) as e:
            raise ValueError(
                f"Cannot feed {type(v).__name__} value for Tensor '{t.name}' of dtype {dtype.name}: {e}"
            ) from e

    def _run_with_options(self, plan: Plan, values: Sequence[Any], options: Any, run_metadata: Any) -> list[Any]:
        from hornbeam.runtime.tracing import run_with_options

        return run_with_options(plan, values, options, run_metadata)

    def make_callable(
        self, fetches: Any, feed_list: Sequence[Any] | None = None, accept_options: bool = False
    ) -> Callable[..., Any]:
        """A function of the feeds in `feed_list` that runs `fetches`; faster than `run`, since nothing is looked up."""
        resolved = self._resolve(fetches)
        feeds = tuple(self._graph.as_graph_element(f, allow_operation=False) for f in feed_list or ())

        def call(*args: Any, **kwargs: Any) -> Any:
            if self._closed:
                raise RuntimeError("Attempted to use a closed Session.")
            if len(args) != len(feeds):
                raise TypeError(f"This callable takes {len(feeds)} feed values, {len(args)} given.")
            key = (id(resolved), feeds)
            plan = self._plans.get(key)
            if plan is None or plan.edits != self._graph._edits:  # type: ignore[attr-defined]
                plan = Plan(self._state, resolved.tensors, resolved.targets, feeds)
                plan.edits = self._graph._edits  # type: ignore[attr-defined]
                self._plans[key] = plan
            arrays = [self._feed(t, v)[1] for t, v in zip(feeds, args, strict=True)]
            if kwargs.get("options") is not None or kwargs.get("run_metadata") is not None:
                results = self._run_with_options(plan, arrays, kwargs.get("options"), kwargs.get("run_metadata"))
            else:
                results = plan.run(arrays)
            return resolved.build([as_numpy(r) for r in results])

        return call

    def partial_run_setup(self, fetches: Any, feeds: Any = None) -> Any:
        """Starts a computation that `partial_run` goes on with: each call may feed and fetch more of it."""
        resolved = _Fetches(self._graph, fetches)
        tensors = [self._graph.as_graph_element(f, allow_operation=False) for f in feeds or ()]
        return _PartialRun(resolved, tensors)

    def partial_run(self, handle: Any, fetches: Any, feed_dict: Any = None) -> Any:
        if not isinstance(handle, _PartialRun):
            raise ValueError("Must call partial_run_setup() before calling partial_run()")
        given = {self._graph.as_graph_element(k, allow_operation=False): v for k, v in (feed_dict or {}).items()}
        for t in given:
            if t not in handle.feeds:
                raise ValueError(f"The feed {t.name} was not declared in partial_run_setup.")
        handle.known.update(given)
        resolved = _Fetches(self._graph, fetches)
        wanted = [t for t in resolved.tensors if t not in handle.known]
        feeds = list(handle.known)
        plan = Plan(self._state, wanted, resolved.targets, feeds)
        values = [v if isinstance(v, np.ndarray) else self._feed(t, v)[1] for t, v in handle.known.items()]
        results = dict(zip(wanted, (as_numpy(r) for r in plan.run(values)), strict=True))
        handle.known.update(results)
        return resolved.build(
            [
                np.asarray(handle.known[t])[()] if np.ndim(handle.known[t]) == 0 else handle.known[t]
                for t in resolved.tensors
            ]
        )


class _PartialRun:
    def __init__(self, fetches: _Fetches, feeds: Sequence[Tensor]) -> None:
        self.fetches = fetches
        self.feeds = set(feeds)
        self.known: dict[Tensor, Any] = {}


def _expand_feed(k: Any, v: Any) -> list[tuple[Any, Any]] | None:
    members = _sparse_members(k)
    if members is not None:
        if isinstance(v, tuple) or hasattr(v, "dense_shape"):
            parts = (v.indices, v.values, v.dense_shape) if hasattr(v, "dense_shape") else tuple(v)
            return list(zip(members, parts, strict=True))
        raise ValueError(
            f"A sparse placeholder is fed by a SparseTensorValue or (indices, values, dense_shape), got {type(v).__name__}"
        )
    if isinstance(k, IndexedSlices):
        parts = (v.values, v.indices, v.dense_shape) if hasattr(v, "dense_shape") else tuple(v)
        names = [k.values, k.indices] + ([k.dense_shape] if k.dense_shape is not None else [])
        return list(zip(names, parts, strict=False))
    if type(k) in _REGISTERED_FETCHES and _REGISTERED_FETCHES[type(k)][1] is not None:
        return list(_REGISTERED_FETCHES[type(k)][1](k, v))
    if isinstance(k, tuple) and k and not isinstance(k, str):
        return [(a, b) for a, b in zip(k, v, strict=True)]
    return None


_DEBUG = os.environ.get("HORNBEAM_DEBUG", "") not in ("", "0")


def _presentable(e: errors.OpError) -> errors.OpError:
    """The error with its node, and without the frames and notes of the machinery it came through (HORNBEAM_DEBUG=1 keeps them)."""
    _name_node(e)
    if _DEBUG:
        return e
    if hasattr(e, "__notes__"):
        e.__notes__.clear()
    return e.with_traceback(None)


def _name_node(e: errors.OpError) -> None:
    op = e._op
    if op is not None and e._node_def is None:
        with contextlib.suppress(
            Exception
        ):  # the node may hold what no proto can (a Python function): the message names it anyway
            e._node_def = op.node_def


_SHARED: dict[bytes, State] = {}


def _state_of(target: bytes) -> State:
    """Sessions of one in-process server share their variables; all others have their own."""
    if not target:
        return State()
    return _SHARED.setdefault(target, State())


def _prepare_backend() -> None:
    from hornbeam.runtime.cache import enable_compilation_cache

    enable_compilation_cache()
    register_references()


class Session(BaseSession):
    """`tf.Session`: a context manager that is the default session and whose graph is the default graph inside."""

    def __enter__(self) -> Session:
        stack = contextlib.ExitStack()
        stack.enter_context(self._graph.as_default())
        stack.enter_context(default_session(self))
        self._contexts.append(stack)
        return self

    def __exit__(self, exc_type: Any, exc: Any, tb: Any) -> None:
        self._contexts.pop().close()
        self.close()

    @staticmethod
    def reset(target: str, containers: Any = None, config: Any = None) -> None:  # type: ignore[override]
        state = _SHARED.get(target.encode() if isinstance(target, str) else target)
        if state is not None:
            state.values.clear()
            state.resources.clear()


class InteractiveSession(BaseSession):
    """A session that installs itself as the default one when made."""

    def __init__(self, target: str = "", graph: Graph | None = None, config: Any = None) -> None:
        super().__init__(target, graph, config)
        self._stack = contextlib.ExitStack()
        if graph is not None:
            self._stack.enter_context(graph.as_default())
        self._stack.enter_context(default_session(self))

    def close(self) -> None:
        super().close()
        with contextlib.suppress(ValueError):
            self._stack.close()


__all__ = [
    "BaseSession",
    "IndexedSlicesValue",
    "InteractiveSession",
    "Session",
    "get_default_session",
    "register_session_run_conversion_functions",
]
