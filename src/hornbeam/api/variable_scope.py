"""`tf.variable_scope` and `tf.get_variable`: variables by name, with scopes that carry defaults and sharing rules."""

from __future__ import annotations

import contextlib
import copy
import functools
import threading
from collections.abc import Callable, Iterator
from typing import Any

from hornbeam.api._variable_store import AUTO_REUSE, VariableStore, default_variable_store
from hornbeam.core import dtypes
from hornbeam.core.graph import (
    Graph,
    GraphKeys,
    _graph_of,
    add_to_collection,
    convert_to_tensor,
    get_collection,
    get_default_graph,
    name_scope,
)
from hornbeam.core.variables import Variable


def no_regularizer(_: Any) -> None:
    """The regularizer of no loss: turns an inherited one off."""
    return None


class VariableScope:
    """The defaults that `get_variable` takes: name prefix, reuse, initializer, regularizer, dtype and so on."""

    def __init__(
        self,
        reuse: Any,
        name: str = "",
        initializer: Any = None,
        regularizer: Any = None,
        caching_device: Any = None,
        partitioner: Any = None,
        custom_getter: Any = None,
        name_scope: str = "",
        dtype: Any = dtypes.float32,
        use_resource: bool | None = None,
        constraint: Any = None,
    ) -> None:
        self._name = name
        self._reuse = reuse
        self._initializer = initializer
        self._regularizer = regularizer
        self._caching_device = caching_device
        self._partitioner = partitioner
        self._custom_getter = custom_getter
        self._name_scope = name_scope
        self._dtype = dtype
        self._use_resource = use_resource
        self._constraint = constraint

    @property
    def original_name_scope(self) -> str:
        return self._name_scope

    def reuse_variables(self) -> None:
        """From here on, and in scopes opened inside, `get_variable` finds existing variables only."""
        self._reuse = True

    # collections under this scope -----------------------------------------------------------------------------------
    def get_collection(self, name: str) -> list[Any]:
        return get_collection(name, self._name + "/" if self._name else "")

    def trainable_variables(self) -> list[Any]:
        return self.get_collection(GraphKeys.TRAINABLE_VARIABLES)

    def global_variables(self) -> list[Any]:
        return self.get_collection(GraphKeys.GLOBAL_VARIABLES)

    def local_variables(self) -> list[Any]:
        return self.get_collection(GraphKeys.LOCAL_VARIABLES)

    # variables ------------------------------------------------------------------------------------------------------
    def get_variable(
        self,
        var_store: VariableStore,
        name: str,
        shape: Any = None,
        dtype: Any = None,
        initializer: Any = None,
        regularizer: Any = None,
        reuse: Any = None,
        trainable: bool | None = None,
        collections: Any = None,
        caching_device: Any = None,
        partitioner: Any = None,
        validate_shape: bool = True,
        use_resource: bool | None = None,
        custom_getter: Any = None,
        constraint: Any = None,
        synchronization: Any = None,
        aggregation: Any = None,
    ) -> Any:
        """The variable `<scope>/<name>` of the store; what is not given comes from the scope."""
        full_name = f"{self._name}/{name}" if self._name else name
        with name_scope(None):  # variables are named by variable scopes alone
            if dtype is not None and initializer is not None and not callable(initializer):
                given = convert_to_tensor(initializer).dtype.base_dtype
                if given != dtypes.as_dtype(dtype).base_dtype:
                    raise ValueError(f"Initializer type '{given}' and explicit dtype '{dtype}' don't match.")
            return var_store.get_variable(
                full_name,
                shape=shape,
                dtype=self._dtype if dtype is None else dtype,
                initializer=self._initializer if initializer is None else initializer,
                regularizer=self._regularizer if regularizer is None else regularizer,
                reuse=self._reuse if reuse is None else reuse,
                trainable=trainable,
                collections=collections,
                caching_device=self._caching_device if caching_device is None else caching_device,
                partitioner=self._partitioner if partitioner is None else partitioner,
                validate_shape=validate_shape,
                use_resource=self._use_resource if use_resource is None else use_resource,
                custom_getter=self._custom_getter if custom_getter is None else custom_getter,
                constraint=self._constraint if constraint is None else constraint,
                synchronization=synchronization,
                aggregation=aggregation,
            )

    def _get_partitioned_variable(
        self,
        var_store: VariableStore,
        name: str | None,
        shape: Any = None,
        dtype: Any = None,
        initializer: Any = None,
        regularizer: Any = None,
        trainable: bool | None = None,
        collections: Any = None,
        caching_device: Any = None,
        partitioner: Any = None,
        validate_shape: bool = True,
        use_resource: bool | None = None,
        constraint: Any = None,
        synchronization: Any = None,
        aggregation: Any = None,
    ) -> Any:
        """A PartitionedVariable of the scope itself (`name` None) or of a name in it."""
        partitioner = self._partitioner if partitioner is None else partitioner
        if not partitioner:
            raise ValueError("No partitioner was specified")
        full_name = "/".join(n for n in (self._name, name) if n)
        with name_scope(None):
            return var_store._true_getter(
                full_name,
                shape=shape,
                dtype=self._dtype if dtype is None else dtype,
                initializer=self._initializer if initializer is None else initializer,
                regularizer=self._regularizer if regularizer is None else regularizer,
                reuse=self._reuse,
                trainable=trainable,
                collections=collections,
                caching_device=self._caching_device if caching_device is None else caching_device,
                partitioner=partitioner,
                validate_shape=validate_shape,
                use_resource=self._use_resource if use_resource is None else use_resource,
                constraint=self._constraint if constraint is None else constraint,
                synchronization=synchronization,
                aggregation=aggregation,
            )


def _readable(attribute: str) -> property:
    return property(lambda self: getattr(self, attribute))


def _settable(attribute: str) -> Callable[[VariableScope, Any], None]:
    return lambda self, value: setattr(self, attribute, value)


for _n in ("initializer", "regularizer", "caching_device", "partitioner", "custom_getter", "dtype", "use_resource"):
    setattr(VariableScope, _n, _readable(f"_{_n}"))
    setattr(VariableScope, f"set_{_n}", _settable(f"_{_n}"))
for _n in ("name", "reuse", "constraint"):
    setattr(VariableScope, _n, _readable(f"_{_n}"))


# --- the current scope --------------------------------------------------------------------------------------------------
class _ScopeStore(threading.local):
    """A graph's current variable scope (a thread's own), and how often each scope name was opened."""

    def __init__(self) -> None:
        self.variable_scopes_count: dict[str, int] = {}
        self.current_scope = VariableScope(False)

    def open_variable_scope(self, scope_name: str) -> None:
        self.variable_scopes_count[scope_name] = self.variable_scopes_count.get(scope_name, 0) + 1

    def close_variable_subscopes(self, scope_name: str) -> None:
        prefix = scope_name + "/" if scope_name else ""
        for k in [k for k in self.variable_scopes_count if k.startswith(prefix)]:
            del self.variable_scopes_count[k]

    def variable_scope_count(self, scope_name: str) -> int:
        return self.variable_scopes_count.get(scope_name, 0)


def _scope_store() -> _ScopeStore:
    found = get_collection(GraphKeys._VARSCOPESTORE_KEY)
    if found:
        return found[0]
    store = _ScopeStore()
    add_to_collection(GraphKeys._VARSCOPESTORE_KEY, store)
    return store


def get_variable_scope() -> VariableScope:
    """The current variable scope of the default graph."""
    return _scope_store().current_scope


def _wrapped_getter(custom_getter: Any, outer: Any) -> Any:
    """`custom_getter` whose `getter` goes on to the getter of the scope around."""
    if outer is None:
        return custom_getter

    def wrapped(getter: Any, *args: Any, **kwargs: Any) -> Any:
        return custom_getter(functools.partial(outer, getter), *args, **kwargs)

    return wrapped


class _pure_variable_scope:
    """`variable_scope` without a name scope; yields the new VariableScope."""

    def __init__(
        self,
        name_or_scope: Any,
        reuse: Any = None,
        initializer: Any = None,
        regularizer: Any = None,
        caching_device: Any = None,
        partitioner: Any = None,
        custom_getter: Any = None,
        old_name_scope: str | None = None,
        dtype: Any = dtypes.float32,
        use_resource: bool | None = None,
        constraint: Any = None,
    ) -> None:
        self._name_or_scope = name_or_scope
        self._reuse = reuse
        self._old_name_scope = old_name_scope
        self._custom_getter = custom_getter
        self._overrides = {
            "_initializer": initializer, "_regularizer": regularizer, "_caching_device": caching_device,
            "_partitioner": partitioner, "_dtype": dtype, "_use_resource": use_resource, "_constraint": constraint,
        }  # fmt: skip
        self._store = _scope_store()

    def __enter__(self) -> VariableScope:
        store = self._store
        self._old = store.current_scope
        given = self._name_or_scope
        if isinstance(given, VariableScope):
            self._new_name = given.name
            store.open_variable_scope(self._new_name)
            self._counts: dict[str, int] | None = copy.copy(store.variable_scopes_count)
            scope = copy.copy(given)
            scope._reuse = self._reuse or given.reuse
            if self._old_name_scope is not None:
                scope._name_scope = self._old_name_scope
        else:
            self._new_name = f"{self._old.name}/{given}" if self._old.name else given
            self._counts = None
            scope = copy.copy(self._old)
            scope._name = self._new_name
            scope._reuse = self._reuse or self._old.reuse
            scope._name_scope = given if self._old_name_scope is None else self._old_name_scope
            store.open_variable_scope(self._new_name)
        for attribute, value in self._overrides.items():
            if value is not None:
                setattr(scope, attribute, value)
        if self._custom_getter is not None:
            scope._custom_getter = _wrapped_getter(self._custom_getter, scope._custom_getter)
        store.current_scope = scope
        return scope

    def __exit__(self, *_: Any) -> None:
        if self._counts is not None:
            self._store.variable_scopes_count = self._counts
        else:
            self._store.close_variable_subscopes(self._new_name)
        self._store.current_scope = self._old


def _get_unique_variable_scope(prefix: str) -> str:
    store = _scope_store()
    current = store.current_scope.name
    name = f"{current}/{prefix}" if current else prefix
    if store.variable_scope_count(name) == 0:
        return prefix
    i = 1
    while store.variable_scope_count(f"{name}_{i}") > 0:
        i += 1
    return f"{prefix}_{i}"


class variable_scope:
    """`tf.variable_scope(name_or_scope, default_name=None, values=None, …)`: opens a variable scope and a name scope.

    Yields the VariableScope. A string prolongs the current scope's name; a scope object is re-entered as it is; with None,
    `default_name` is made unique. Raises TypeError when neither names it, ValueError for `reuse=True` with a default name.
    """

    def __init__(
        self,
        name_or_scope: Any,
        default_name: str | None = None,
        values: Any = None,
        initializer: Any = None,
        regularizer: Any = None,
        caching_device: Any = None,
        partitioner: Any = None,
        custom_getter: Any = None,
        reuse: Any = None,
        dtype: Any = None,
        use_resource: bool | None = None,
        constraint: Any = None,
        auxiliary_name_scope: bool = True,
    ) -> None:
        if default_name is None and name_or_scope is None:
            raise TypeError("If default_name is None then name_or_scope is required")
        if not (reuse is None or reuse is AUTO_REUSE or isinstance(reuse, (bool, int))):
            raise ValueError(f"The reuse parameter must be True or False or None, got {reuse!r}.")
        if not isinstance(auxiliary_name_scope, bool):
            raise TypeError(f"The auxiliary_name_scope must be `True` or `False`, while get {auxiliary_name_scope}")
        self._name_or_scope = name_or_scope
        self._default_name = default_name
        self._values = list(values) if values is not None else []
        self._reuse = reuse or None  # a scope inside a sharing one shares: False means "inherit"
        self._auxiliary_name_scope = auxiliary_name_scope
        self._options = {
            "initializer": initializer, "regularizer": regularizer, "caching_device": caching_device, "partitioner": partitioner,
            "custom_getter": custom_getter, "dtype": dtype, "use_resource": use_resource, "constraint": constraint,
        }  # fmt: skip
        self._stacks: list[contextlib.ExitStack] = []

    def __enter__(self) -> VariableScope:
        stack = contextlib.ExitStack()
        try:
            scope = self._enter(stack)
        except BaseException:
            stack.close()
            raise
        self._stacks.append(stack)
        return scope

    def __exit__(self, *exc: Any) -> Any:
        return self._stacks.pop().__exit__(*exc)

    def _enter(self, stack: contextlib.ExitStack) -> VariableScope:
        default = get_default_graph()
        graph: Graph = _graph_of(self._values, default)
        if graph is not default:
            stack.enter_context(graph.as_default())
        given = self._name_or_scope
        if given is None:
            if self._reuse:
                raise ValueError("reuse=True cannot be used without a name_or_scope")
            assert self._default_name is not None
            entered = stack.enter_context(self._name_scope(graph, self._default_name))
            unique = _get_unique_variable_scope(self._default_name)
            return stack.enter_context(_pure_variable_scope(unique, old_name_scope=entered, **self._options))
        if not isinstance(given, (VariableScope, str)):
            raise TypeError("VariableScope: name_or_scope must be a string or VariableScope.")
        last = given if isinstance(given, str) else given.name.split("/")[-1]
        if not last and self._auxiliary_name_scope:
            return stack.enter_context(_pure_variable_scope(given, reuse=self._reuse, **self._options))
        entered = stack.enter_context(self._name_scope(graph, last))
        old = entered if isinstance(given, str) else given.original_name_scope
        return stack.enter_context(_pure_variable_scope(given, reuse=self._reuse, old_name_scope=old, **self._options))

    def _name_scope(self, graph: Graph, name: str) -> Any:
        """A new name scope, or (no auxiliary one) the current one again."""
        if self._auxiliary_name_scope:
            return graph.name_scope(name)
        current = graph.get_name_scope()
        return graph.name_scope(current + "/" if current else "")


@contextlib.contextmanager
def variable_op_scope(
    values: Any,
    name_or_scope: Any,
    default_name: str | None = None,
    initializer: Any = None,
    regularizer: Any = None,
    caching_device: Any = None,
    partitioner: Any = None,
    custom_getter: Any = None,
    reuse: Any = None,
    dtype: Any = None,
    use_resource: bool | None = None,
    constraint: Any = None,
) -> Iterator[VariableScope]:
    """Deprecated spelling of `variable_scope(name_or_scope, default_name, values, …)`."""
    with variable_scope(
        name_or_scope, default_name=default_name, values=values, initializer=initializer, regularizer=regularizer,
        caching_device=caching_device, partitioner=partitioner, custom_getter=custom_getter, reuse=reuse, dtype=dtype,
        use_resource=use_resource, constraint=constraint,
    ) as scope:  # fmt: skip
        yield scope


# --- get_variable -------------------------------------------------------------------------------------------------------
def get_variable(
    name: str,
    shape: Any = None,
    dtype: Any = None,
    initializer: Any = None,
    regularizer: Any = None,
    trainable: bool | None = None,
    collections: Any = None,
    caching_device: Any = None,
    partitioner: Any = None,
    validate_shape: bool = True,
    use_resource: bool | None = None,
    custom_getter: Any = None,
    constraint: Any = None,
    synchronization: Any = None,
    aggregation: Any = None,
) -> Any:
    """The variable `name` of the current variable scope: new or shared, as the scope's `reuse` says.

    A PartitionedVariable where a partitioner applies. ValueError when it exists and may not be shared, or does not exist and
    must be, or exists with another shape or dtype.
    """
    return get_variable_scope().get_variable(
        default_variable_store(), name, shape=shape, dtype=dtype, initializer=initializer, regularizer=regularizer,
        trainable=trainable, collections=collections, caching_device=caching_device, partitioner=partitioner,
        validate_shape=validate_shape, use_resource=use_resource, custom_getter=custom_getter, constraint=constraint,
        synchronization=synchronization, aggregation=aggregation,
    )  # fmt: skip


def get_local_variable(
    name: str,
    shape: Any = None,
    dtype: Any = None,
    initializer: Any = None,
    regularizer: Any = None,
    trainable: bool | None = False,
    collections: Any = None,
    caching_device: Any = None,
    partitioner: Any = None,
    validate_shape: bool = True,
    use_resource: bool | None = None,
    custom_getter: Any = None,
    constraint: Any = None,
    synchronization: Any = None,
    aggregation: Any = None,
) -> Any:
    """`get_variable` into LOCAL_VARIABLES (not saved, not trained)."""
    return get_variable(
        name, shape=shape, dtype=dtype, initializer=initializer, regularizer=regularizer, trainable=False,
        collections=[*(collections or []), GraphKeys.LOCAL_VARIABLES], caching_device=caching_device, partitioner=partitioner,
        validate_shape=validate_shape, use_resource=use_resource, custom_getter=custom_getter, constraint=constraint,
        synchronization=synchronization, aggregation=aggregation,
    )  # fmt: skip


def variable(initial_value: Any = None, **kwargs: Any) -> Any:
    """`tf.Variable(initial_value, …)` under the name that `tensorflow.python.ops.variable_scope` gives it."""
    return Variable(initial_value, **kwargs)


__tf_exports__ = {
    "AUTO_REUSE": "AUTO_REUSE",
    "VariableScope": "VariableScope",
    "get_local_variable": "get_local_variable",
    "get_variable": "get_variable",
    "get_variable_scope": "get_variable_scope",
    "no_regularizer": "no_regularizer",
    "variable_op_scope": "variable_op_scope",
    "variable_scope": "variable_scope",
}
