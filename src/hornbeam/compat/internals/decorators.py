"""`tensorflow.python.util`: deprecation, tf_decorator, tf_export, tf_should_use, as decorators that keep the function as it is."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, TypeVar

F = TypeVar("F", bound=Callable[..., Any])
_warned: set[tuple[str, str]] = set()


def _warn(func: Callable[..., Any], text: str, once: bool = True) -> None:
    key = (f"{func.__module__}.{getattr(func, '__qualname__', func)}", text)
    if once and key in _warned:
        return
    _warned.add(key)
    import hornbeam as tf

    tf.logging.warning("From %s: %s", key[0], text)


def deprecated(date: str | None, instructions: str, warn_once: bool = True) -> Callable[[F], F]:
    """Marks a function as deprecated: its first call logs a warning with the instructions."""

    def mark(func: F) -> F:
        when = "in a future version" if date is None else f"after {date}"

        @functools.wraps(func)
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            _warn(func, f"is deprecated and will be removed {when}. {instructions}", warn_once)
            return func(*args, **kwargs)

        return wrapper  # type: ignore[return-value]

    return mark


def deprecated_args(date: str | None, instructions: str, *names: Any, **kwargs: Any) -> Callable[[F], F]:
    """Marks arguments as deprecated: a call that names one logs a warning."""
    marked = {n[0] if isinstance(n, tuple) else n for n in names}
    warn_once = kwargs.get("warn_once", True)

    def mark(func: F) -> F:
        @functools.wraps(func)
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            for name in sorted(marked & kwargs.keys()):
                _warn(func, f"argument {name} is deprecated. {instructions}", warn_once)
            return func(*args, **kwargs)

        return wrapper  # type: ignore[return-value]

    return mark


def deprecated_arg_values(
    date: str | None, instructions: str, warn_once: bool = True, **deprecated_kwargs: Any
) -> Callable[[F], F]:
    """Marks values of arguments as deprecated: a call that passes one logs a warning."""

    def mark(func: F) -> F:
        @functools.wraps(func)
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            for name, value in deprecated_kwargs.items():
                if name in kwargs and kwargs[name] == value:
                    _warn(func, f"{name}={value} is deprecated. {instructions}", warn_once)
            return func(*args, **kwargs)

        return wrapper  # type: ignore[return-value]

    return mark


def deprecated_alias(deprecated_name: str, name: str, func_or_class: F, warn_once: bool = True) -> F:
    """`func_or_class` under an old name, with a warning when it is called."""
    return deprecated(None, f"Please use {name} instead.", warn_once)(func_or_class)


def deprecated_argument_lookup(new_name: str, new_value: Any, old_name: str, old_value: Any) -> Any:
    """The value of an argument that was renamed. Raises ValueError when both names are used."""
    if old_value is None:
        return new_value
    if new_value is not None:
        raise ValueError(f"Cannot specify both '{old_name}' and '{new_name}'.")
    return old_value


def make_decorator(target: Any, decorator_func: F, *args: Any, **kwargs: Any) -> F:
    """Makes `decorator_func` look like `target` (`tf_decorator.make_decorator`)."""
    functools.update_wrapper(decorator_func, target)
    return decorator_func


def unwrap(maybe_decorated: Any) -> tuple[list[Any], Any]:
    """([decorators, outermost first], the function inside)."""
    found = []
    while hasattr(maybe_decorated, "__wrapped__"):
        found.append(maybe_decorated)
        maybe_decorated = maybe_decorated.__wrapped__
    return found, maybe_decorated


class tf_export:
    """`@tf_export("name")`: the API is made elsewhere, so the symbol stays as it is."""

    def __init__(self, *names: str, **options: Any) -> None:
        self.names = names
        self.options = options

    def __call__(self, symbol: F) -> F:
        return symbol


keras_export = estimator_export = tf_export


def should_use_result(fn: F | None = None, **options: Any) -> Any:
    """`@should_use_result`: TensorFlow only warns about unused results; the function stays as it is."""
    return fn if fn is not None else lambda f: f


def getargspec(func: Any) -> Any:
    """`tf_inspect.getargspec`: args, varargs, keywords and defaults of a function, through its decorators."""
    from hornbeam.compat.legacy._stdlib import _getargspec

    return _getargspec(unwrap(func)[1])
