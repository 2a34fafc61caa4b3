"""`tf.assert_equal`, `tf.assert_rank`, `tf.debugging.assert_*`: checks made while building where values are known, else by Assert nodes."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from hornbeam.api.reduction_ops import reduce_all
from hornbeam.core import dtypes, errors
from hornbeam.core.constant import const_node, constant_value
from hornbeam.core.graph import Operation, Tensor, convert_to_tensor, name_scope
from hornbeam.core.registry import raw

_HERE = sys.modules[__name__]
__tf_exports__: dict[str, str] = {}


def _assert(condition: Tensor, data: list[Any], summarize: int | None) -> Operation:
    from hornbeam.api.control_flow_ops import Assert

    return Assert(condition, data, summarize=summarize)  # type: ignore[no-any-return]


def _prefix(message: str | None) -> str:
    return f"{message}.  " if message else ""


# --- values --------------------------------------------------------------------------------------------------------------------------------
def _elementwise(
    name: str, sign: str, op: Callable[[Tensor, Tensor], Tensor], known: Callable[[Any, Any], Any], x: Any, y: Any, data: Any,
    summarize: int | None, message: str | None, scope_name: str | None,
) -> Any:  # fmt: skip
    """An Assert that `op(x, y)` holds everywhere; InvalidArgumentError at once if constants break it."""
    with name_scope(scope_name, name, [x, y, data]):
        x = convert_to_tensor(x, name="x")
        y = convert_to_tensor(y, dtype_hint=x.dtype.base_dtype, name="y")
        headline = f"Condition x {sign} y did not hold element-wise:"
        if data is None:
            data = [message] if message is not None else []
            data += [headline, f"x ({x.name}) = ", x, f"y ({y.name}) = ", y]
        a, b = constant_value(x), constant_value(y)
        if a is not None and b is not None and not np.all(known(a, b)):
            lines = [*([message] if message else []), headline, f"x ({x.name}) = ", str(a), f"y ({y.name}) = ", str(b)]
            raise errors.InvalidArgumentError(None, None, "\n".join(lines))
        return _assert(reduce_all(op(x, y)), data, summarize)


def _comparison(name: str, sign: str, op: str, known: Callable[[Any, Any], Any]) -> Callable[..., Any]:
    def function(
        x: Any,
        y: Any,
        data: Any = None,
        summarize: int | None = None,
        message: str | None = None,
        name: str | None = None,
    ) -> Any:
        if op == "Equal":
            with name_scope(name, "assert_equal", [x, y, data]):
                if x is y:  # always true
                    return raw.NoOp()
        return _elementwise(
            function.__name__, sign, lambda a, b: getattr(raw, op)(a, b), known, x, y, data, summarize, message, name
        )

    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"An operation that fails with InvalidArgumentError unless x {sign} y everywhere."
    return function


for _name, _sign, _op, _known in (
    ("assert_equal", "==", "Equal", np.equal), ("assert_none_equal", "!=", "NotEqual", np.not_equal), ("assert_less", "<", "Less", np.less),
    ("assert_less_equal", "<=", "LessEqual", np.less_equal), ("assert_greater", ">", "Greater", np.greater),
    ("assert_greater_equal", ">=", "GreaterEqual", np.greater_equal),
):  # fmt: skip
    setattr(_HERE, _name, _comparison(_name, _sign, _op, _known))


def _against_zero(name: str, condition: str, zero_first: bool, check: str) -> Callable[..., Any]:
    def function(
        x: Any, data: Any = None, summarize: int | None = None, message: str | None = None, name: str | None = None
    ) -> Any:
        with name_scope(name, function.__name__, [x, data]):
            x = convert_to_tensor(x, name="x")
            text = f"Condition x {condition} 0 did not hold element-wise:"
            if data is None:
                data = [message or "", text, f"x ({x.name}) = ", x]
            zero = const_node(np.zeros((), x.dtype.np), x.dtype.base_dtype)
            value = constant_value(x)
            holds = {">": np.greater, "<": np.less, ">=": np.greater_equal, "<=": np.less_equal}[condition]
            if value is not None and not np.all(holds(value, 0)):
                raise errors.InvalidArgumentError(
                    None, None, "\n".join([message or "", text, f"x ({x.name}) = ", str(value)])
                )
            pair = (zero, x) if zero_first else (x, zero)
            return getattr(_HERE, check)(*pair, data=data, summarize=summarize)

    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"An operation that fails with InvalidArgumentError unless x {condition} 0 everywhere."
    return function


assert_positive = _against_zero("assert_positive", ">", True, "assert_less")
assert_negative = _against_zero("assert_negative", "<", False, "assert_less")
assert_non_negative = _against_zero("assert_non_negative", ">=", True, "assert_less_equal")
assert_non_positive = _against_zero("assert_non_positive", "<=", False, "assert_less_equal")


def assert_near(
    x: Any, y: Any, rtol: Any = None, atol: Any = None, data: Any = None, summarize: int | None = None, message: str | None = None,
    name: str | None = None,
) -> Any:  # fmt: skip
    """An operation that fails unless |x - y| <= atol + rtol · |y| everywhere; both are ten times the dtype's epsilon by default."""
    with name_scope(name, "assert_near", [x, y, rtol, atol, data]):
        x = convert_to_tensor(x, name="x")
        y = convert_to_tensor(y, dtype_hint=x.dtype.base_dtype, name="y")
        real = x.dtype.real_dtype if x.dtype.is_complex else x.dtype.base_dtype
        epsilon = 10 * _epsilon(real)
        rtol = convert_to_tensor(epsilon if rtol is None else rtol, real, name="rtol")
        atol = convert_to_tensor(epsilon if atol is None else atol, real, name="atol")
        if data is None:
            data = [message or "", "x and y not equal to tolerance rtol = ", rtol, "atol = ", atol,
                    f"x ({x.name}) = ", x, f"y ({y.name}) = ", y]  # fmt: skip
        limit = atol + rtol * abs(y)  # type: ignore[operator,arg-type]
        difference = abs(x - y)  # type: ignore[operator,arg-type]
        return _assert(reduce_all(raw.Less(difference, limit)), data, summarize)


def _epsilon(dtype: Any) -> float:
    from hornbeam.core.lazy import ml_dtypes

    return float(ml_dtypes.finfo(dtype.np).eps)


# --- shapes ------------------------------------------------------------------------------------------------------------------------------------
def _rank_check(
    name: str, x: Any, ranks: list[Any], expected: str, holds: Callable[[int, list[int]], bool], condition: Callable[[Tensor, list[Any]], Tensor],
    data: Any, summarize: int | None, message: str | None, scope_name: str | None,
) -> Any:  # fmt: skip
    with name_scope(scope_name, name, [x, *ranks]):
        x = convert_to_tensor(x, name="x") if not hasattr(x, "dense_shape") else x
        tensors = [convert_to_tensor(r, name="rank") for r in ranks]
        for r in tensors:
            if r.dtype.base_dtype is not dtypes.int32:
                raise TypeError(f"{_prefix(message)}Tensor {r.name} must be of type tf.int32; got {r.dtype!r}")
            if r._shape not in (None, ()):
                raise ValueError(f"{_prefix(message)}Rank must be a scalar.")
        known = [constant_value(r) for r in tensors]
        shape = x.get_shape()
        rank = shape.ndims
        if rank is not None and all(k is not None for k in known):
            values = [int(k) for k in known]  # type: ignore[arg-type]
            if not holds(rank, values):
                wanted = f"in {tuple(values)}" if len(values) > 1 or name == "assert_rank_in" else str(values[0])
                raise ValueError(
                    f"{_prefix(message)}Tensor {x.name} must have rank {expected}{wanted}.  Received rank {rank}, shape {shape}"
                )
            return raw.NoOp(name="static_checks_determined_all_ok")
        if data is None:
            data = [
                f"{_prefix(message)}Tensor {x.name} must have rank {expected}",
                *tensors,
                "Received shape: ",
                raw.Shape(x),
            ]
        return _assert(condition(raw.Rank(x), tensors), data, summarize)


def assert_rank(
    x: Any,
    rank: Any,
    data: Any = None,
    summarize: int | None = None,
    message: str | None = None,
    name: str | None = None,
) -> Any:
    """An operation that fails unless x has this rank; ValueError at once if the static shape says so."""
    return _rank_check(
        "assert_rank", x, [rank], "", lambda r, wanted: r == wanted[0], lambda r, wanted: raw.Equal(r, wanted[0]), data, summarize,
        message or "", name,
    )  # fmt: skip


def assert_rank_at_least(
    x: Any,
    rank: Any,
    data: Any = None,
    summarize: int | None = None,
    message: str | None = None,
    name: str | None = None,
) -> Any:
    """An operation that fails unless x has at least this rank."""
    return _rank_check(
        "assert_rank_at_least", x, [rank], "at least ", lambda r, wanted: r >= wanted[0],
        lambda r, wanted: raw.GreaterEqual(r, wanted[0]), data, summarize, message or "", name,
    )  # fmt: skip


def assert_rank_in(
    x: Any,
    ranks: Any,
    data: Any = None,
    summarize: int | None = None,
    message: str | None = None,
    name: str | None = None,
) -> Any:
    """An operation that fails unless x has one of these ranks."""
    return _rank_check(
        "assert_rank_in", x, list(ranks), "", lambda r, wanted: r in wanted,
        lambda r, wanted: raw.Any(raw.Equal(r, raw.Pack(wanted)), [0]), data, summarize, message or "", name,
    )  # fmt: skip


def assert_scalar(tensor: Any, name: str | None = None, message: str | None = None) -> Tensor:
    """The tensor; ValueError if its static shape is not a scalar's."""
    with name_scope(name, "assert_scalar", [tensor]) as scope:
        tensor = convert_to_tensor(tensor, name=f"{scope}tensor")
        if tensor._shape is None or len(tensor._shape) != 0:
            raise ValueError(f"{message or ''}Expected scalar shape for {tensor.name}, saw shape: {tensor.shape}.")
        return tensor


def assert_shapes(
    shapes: Any, data: Any = None, summarize: int | None = None, message: str | None = None, name: str | None = None
) -> Any:
    """Checks tensors against shapes whose symbols (strings) must stand for one size everywhere: `[(x, ("N", 3)), (y, ("N", None))]`."""
    items = list(shapes.items()) if isinstance(shapes, dict) else list(shapes)
    with name_scope(name, "assert_shapes", [data]):
        checks: list[Any] = []
        sizes: dict[Any, tuple[Any, str]] = {}
        for x, wanted in items:
            x = convert_to_tensor(x)
            if isinstance(wanted, (str, int)):
                wanted = (wanted,)
            symbols = [None if s in (".", None) else s for s in wanted]
            open_at = [i for i, s in enumerate(symbols) if s is Ellipsis or s == "*"]
            if x._shape is None:
                if not open_at:
                    checks.append(assert_rank(x, len(symbols), message=message))
            elif len(x._shape) != len(symbols) if not open_at else len(x._shape) < len(symbols) - 1:
                raise ValueError(
                    f"{_prefix(message)}Tensor {x.name} must have rank {len(symbols)}.  Received rank {len(x._shape)}, shape {x.shape}"
                )
            for i, s in enumerate(symbols):
                if s is None or s is Ellipsis or s == "*":
                    continue
                at = i if not open_at or i < open_at[0] else i - len(symbols)
                static = None if x._shape is None else x._shape[at]
                size: Any = (
                    static
                    if static is not None
                    else raw.StridedSlice(raw.Shape(x), [at], [at + 1 if at != -1 else 0], [1], shrink_axis_mask=1)
                )
                seen, where = (
                    (int(s), "given size")
                    if isinstance(s, int) or str(s).isdigit()
                    else sizes.setdefault(s, (size, x.name))
                )
                if isinstance(size, int) and isinstance(seen, int):
                    if size != seen:
                        raise ValueError(
                            f"{_prefix(message)}Tensor {x.name} dimension {at} must have size {seen} ({where}), received {size}"
                        )
                elif seen is not size:
                    text = f"{_prefix(message)}Specified by tensor {x.name} dimension {at}: sizes must be equal"
                    checks.append(_assert(raw.Equal(size, seen), data or [text, size, seen], summarize))
        from hornbeam.api.control_flow_ops import group

        return group(*checks) if checks else raw.NoOp(name="shape_checks")


# --- types ------------------------------------------------------------------------------------------------------------------------------------
def assert_type(tensor: Any, tf_type: Any, message: str | None = None, name: str | None = None) -> Operation:
    """TypeError unless the tensor has this dtype; an operation that does nothing."""
    wanted = dtypes.as_dtype(tf_type)
    with name_scope(name, "assert_type", [tensor]):
        tensor = tensor if hasattr(tensor, "dense_shape") else convert_to_tensor(tensor, name="tensor")
        if tensor.dtype.base_dtype is not wanted:
            raise TypeError(f"{_prefix(message)}{tensor.name} must be of type {wanted!r}; got {tensor.dtype!r}")
        return raw.NoOp(name="statically_determined_correct_type")  # type: ignore[no-any-return]


def assert_integer(x: Any, message: str | None = None, name: str | None = None) -> Operation:
    """TypeError unless x has an integer dtype; an operation that does nothing."""
    with name_scope(name, "assert_integer", [x]):
        x = convert_to_tensor(x, name="x")
        if not x.dtype.is_integer:
            raise TypeError(f'{_prefix(message)}Expected "x" to be integer type.  Found: {x.name} of dtype {x.dtype}')
        return raw.NoOp(name="statically_determined_was_integer")  # type: ignore[no-any-return]


def is_numeric_tensor(tensor: Any) -> bool:
    """Whether it is a tensor of numbers."""
    return isinstance(tensor, Tensor) and (
        tensor.dtype.is_floating or tensor.dtype.is_integer or tensor.dtype.is_complex or tensor.dtype.is_quantized
    )


def assert_same_float_dtype(tensors: Any = None, dtype: Any = None) -> Any:
    """The one floating-point dtype of all tensors (float32 if there are none); ValueError if they differ."""
    expected = None if dtype is None else dtypes.as_dtype(dtype).base_dtype
    first: Any = None
    for t in tensors or []:
        found = t.dtype.base_dtype
        if expected is None:
            expected, first = found, t
        elif expected is not found:
            like = f" as {first.name}" if first is not None else ""
            raise ValueError(f"{t.name}, type={found}, must be of the same type ({expected}){like}.")
    if expected is None:
        return dtypes.float32
    if not expected.is_floating:
        raise ValueError(f"Expected floating point type, got {expected}.")
    return expected


def assert_proper_iterable(values: Any) -> None:
    """TypeError for what iterates over itself when one means it as one value: tensors, arrays, strings."""
    if (
        isinstance(values, (Tensor, np.ndarray, bytes, str))
        or hasattr(values, "dense_shape")
        or not isinstance(values, Iterable)
    ):
        raise TypeError(f'Expected argument "values" to be a "proper" iterable.  Found: {type(values)}')


# --- order -----------------------------------------------------------------------------------------------------------------------------------
def _steps(x: Tensor) -> Tensor:
    """The differences of neighbours in x, flattened; empty for fewer than two elements."""
    flat = raw.Reshape(x, [-1])
    return raw.Sub(
        raw.StridedSlice(flat, [1], [0], [1], end_mask=1), raw.StridedSlice(flat, [0], [-1], [1], begin_mask=1)
    )  # type: ignore[no-any-return]


def is_non_decreasing(x: Any, name: str | None = None) -> Tensor:
    """Whether no element is less than the one before it."""
    with name_scope(name, "is_non_decreasing", [x]):
        steps = _steps(convert_to_tensor(x, name="x"))
        return reduce_all(raw.LessEqual(const_node(np.zeros((), steps.dtype.np), steps.dtype.base_dtype), steps))  # type: ignore[no-any-return]


def is_strictly_increasing(x: Any, name: str | None = None) -> Tensor:
    """Whether every element is greater than the one before it."""
    with name_scope(name, "is_strictly_increasing", [x]):
        steps = _steps(convert_to_tensor(x, name="x"))
        return reduce_all(raw.Less(const_node(np.zeros((), steps.dtype.np), steps.dtype.base_dtype), steps))  # type: ignore[no-any-return]


for _name in (
    "assert_equal", "assert_none_equal", "assert_less", "assert_less_equal", "assert_greater", "assert_greater_equal", "assert_positive",
    "assert_negative", "assert_non_negative", "assert_non_positive", "assert_near", "assert_rank", "assert_rank_at_least", "assert_rank_in",
    "assert_scalar", "assert_type", "assert_integer", "is_numeric_tensor", "assert_same_float_dtype", "assert_proper_iterable",
    "is_non_decreasing", "is_strictly_increasing",
):  # fmt: skip
    __tf_exports__ |= {_name: _name, f"debugging.{_name}": _name}
__tf_exports__["debugging.assert_shapes"] = "assert_shapes"
for _name in ("is_non_decreasing", "is_strictly_increasing"):
    __tf_exports__[f"math.{_name}"] = _name
