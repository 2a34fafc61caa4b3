"""`tf.make_template`: a function whose variables are made at its first call and shared by the later ones."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from hornbeam.api import variable_scope as vs
from hornbeam.core.graph import GraphKeys, get_collection, get_collection_ref


def make_template(
    name_: str,
    func_: Callable[..., Any],
    create_scope_now_: bool = False,
    unique_name_: str | None = None,
    custom_getter_: Any = None,
    **kwargs: Any,
) -> Template:
    """`func_` (with `kwargs` bound) as a callable whose `get_variable`s are shared between calls, in a scope named `name_`."""
    if kwargs:
        func_ = functools.partial(func_, **kwargs)
    return Template(name_, func_, create_scope_now_, unique_name_, custom_getter_)


class Template:
    """What `make_template` returns; `variables` and friends list what it made."""

    def __init__(
        self,
        name: str,
        func: Callable[..., Any],
        create_scope_now: bool = False,
        unique_name: str | None = None,
        custom_getter: Any = None,
    ) -> None:
        if not name:
            raise ValueError("name cannot be None.")
        if not callable(func):
            raise ValueError("func must be callable.")
        self._func = func
        self._name = name
        self._unique_name = unique_name
        self._custom_getter = custom_getter
        self._variables_created = False
        self._variable_scope: vs.VariableScope | None = None
        if create_scope_now:
            unique = unique_name or vs._get_unique_variable_scope(name)
            with vs._pure_variable_scope(unique, custom_getter=custom_getter) as scope:
                self._variable_scope = scope

    def _call(self, args: Any, kwargs: Any) -> Any:
        before = len(get_collection_ref(GraphKeys.GLOBAL_VARIABLES))
        trainable_before = len(get_collection_ref(GraphKeys.TRAINABLE_VARIABLES))
        result = self._func(*args, **kwargs)
        if not self._variables_created:
            self._variables_created = True
            return result
        made = get_collection(GraphKeys.TRAINABLE_VARIABLES)[trainable_before:]
        if made:
            raise ValueError(
                "New variable created when calling a template after the first time, perhaps you used tf.Variable when you meant "
                f"tf.get_variable: {made}"
            )
        others = get_collection(GraphKeys.GLOBAL_VARIABLES)[before:]
        if others:
            import logging

            logging.getLogger("tensorflow").info(
                "New local variables created when calling a template after the first time: %s", others
            )
        return result

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if self._variable_scope is not None:
            with vs.variable_scope(self._variable_scope, reuse=self._variables_created or vs.AUTO_REUSE):
                return self._call(args, kwargs)
        with vs.variable_scope(self._unique_name, self._name, custom_getter=self._custom_getter) as scope:
            self._variable_scope = scope
            return self._call(args, kwargs)

    @property
    def name(self) -> str:
        return self._name

    @property
    def func(self) -> Callable[..., Any]:
        return self._func

    @property
    def variable_scope(self) -> vs.VariableScope | None:
        return self._variable_scope

    @property
    def variable_scope_name(self) -> str | None:
        """The scope's name with a trailing slash, or None before there is one."""
        if self._variable_scope is None:
            return None
        name = self._variable_scope.name
        return name + "/" if name and name[-1] != "/" else name

    def _collected(self, key: str) -> list[Any]:
        return get_collection(key, self.variable_scope_name) if self._variables_created else []

    @property
    def global_variables(self) -> list[Any]:
        return self._collected(GraphKeys.GLOBAL_VARIABLES)

    @property
    def local_variables(self) -> list[Any]:
        return self._collected(GraphKeys.LOCAL_VARIABLES)

    @property
    def variables(self) -> list[Any]:
        return self.global_variables + self.local_variables

    weights = variables

    @property
    def trainable_variables(self) -> list[Any]:
        return self._collected(GraphKeys.TRAINABLE_VARIABLES)

    trainable_weights = trainable_variables

    @property
    def non_trainable_variables(self) -> list[Any]:
        trainable = set(map(id, self.trainable_variables))
        return [v for v in self.variables if id(v) not in trainable]

    non_trainable_weights = non_trainable_variables


__tf_exports__ = {"make_template": "make_template"}
