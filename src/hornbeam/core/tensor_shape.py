"""TensorShape and Dimension, TF 1's public shape objects. Inside Hornbeam a shape is a tuple of int or None, or None (unknown rank)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from hornbeam.core import errors

Shape = tuple[int | None, ...] | None


class Dimension:
    """The size of one dimension; `value` is None when unknown. Arithmetic with an unknown one gives an unknown one."""

    __slots__ = ("_value",)

    def __init__(self, value: Any) -> None:
        if isinstance(value, Dimension):
            value = value.value
        elif value is not None:
            try:
                value = int(value.__index__())
            except AttributeError:
                raise TypeError(
                    f"Dimension value must be integer or None or have an __index__ method, got {value!r}"
                ) from None
            if value < 0:
                raise ValueError(f"Dimension {value} must be >= 0")
        self._value: int | None = value

    @property
    def value(self) -> int | None:
        return self._value

    def __repr__(self) -> str:
        return f"Dimension({self._value!r})"

    def __str__(self) -> str:
        return "?" if self._value is None else str(self._value)

    def __eq__(self, other: object) -> Any:
        try:
            other = as_dimension(other)
        except (TypeError, ValueError):
            return NotImplemented
        if self._value is None or other.value is None:
            return None
        return self._value == other.value

    def __ne__(self, other: object) -> Any:
        r = self.__eq__(other)
        return r if r is NotImplemented or r is None else not r

    def __hash__(self) -> int:
        return hash(self._value)

    def __bool__(self) -> bool:
        return bool(self._value)

    def __int__(self) -> int:
        return self._value  # type: ignore[return-value]

    def __index__(self) -> int:
        if self._value is None:
            raise TypeError("an unknown Dimension cannot be used as an index")
        return self._value

    def is_compatible_with(self, other: Any) -> bool:
        other = as_dimension(other)
        return self._value is None or other.value is None or self._value == other.value

    def assert_is_compatible_with(self, other: Any) -> None:
        if not self.is_compatible_with(other):
            raise ValueError(f"Dimensions {self} and {other} are not compatible")

    def merge_with(self, other: Any) -> Dimension:
        other = as_dimension(other)
        self.assert_is_compatible_with(other)
        return Dimension(other.value if self._value is None else self._value)

    def _arith(self, other: Any, f: Any) -> Dimension:
        try:
            other = as_dimension(other)
        except (TypeError, ValueError):
            return NotImplemented
        if self._value is None or other.value is None:
            return Dimension(None)
        return Dimension(f(self._value, other.value))

    def _compare(self, other: Any, f: Any) -> Any:
        other = as_dimension(other)
        return None if self._value is None or other.value is None else f(self._value, other.value)

    def __add__(self, other: Any) -> Dimension:
        return self._arith(other, lambda a, b: a + b)

    def __radd__(self, other: Any) -> Dimension:
        return self._arith(other, lambda a, b: b + a)

    def __sub__(self, other: Any) -> Dimension:
        return self._arith(other, lambda a, b: a - b)

    def __rsub__(self, other: Any) -> Dimension:
        return self._arith(other, lambda a, b: b - a)

    def __mul__(self, other: Any) -> Dimension:
        return self._arith(other, lambda a, b: a * b)

    __rmul__ = __mul__

    def __floordiv__(self, other: Any) -> Dimension:
        return self._arith(other, lambda a, b: a // b)

    def __rfloordiv__(self, other: Any) -> Dimension:
        return self._arith(other, lambda a, b: b // a)

    __div__ = __floordiv__

    def __truediv__(self, other: Any) -> Any:
        raise TypeError(
            f"unsupported operand type(s) for /: 'Dimension' and '{type(other).__name__}', please use // instead"
        )

    def __mod__(self, other: Any) -> Dimension:
        return self._arith(other, lambda a, b: a % b)

    def __rmod__(self, other: Any) -> Dimension:
        return self._arith(other, lambda a, b: b % a)

    def __lt__(self, other: Any) -> Any:
        return self._compare(other, lambda a, b: a < b)

    def __le__(self, other: Any) -> Any:
        return self._compare(other, lambda a, b: a <= b)

    def __gt__(self, other: Any) -> Any:
        return self._compare(other, lambda a, b: a > b)

    def __ge__(self, other: Any) -> Any:
        return self._compare(other, lambda a, b: a >= b)

    def __reduce__(self) -> Any:
        return Dimension, (self._value,)


def as_dimension(value: Any) -> Dimension:
    return value if isinstance(value, Dimension) else Dimension(value)


def dimension_value(dimension: Any) -> Any:
    return dimension.value if isinstance(dimension, Dimension) else dimension


def dimension_at_index(shape: TensorShape, index: int) -> Dimension:
    return Dimension(None) if shape.rank is None else shape.dims[index]  # type: ignore[index]


class TensorShape:
    """A possibly partial shape: `TensorShape(None)` has unknown rank, `TensorShape([None, 3])` an unknown first dimension."""

    __slots__ = ("_dims",)

    def __init__(self, dims: Any) -> None:
        self._dims: Shape = to_tuple(dims)

    # reading -------------------------------------------------------------------------------------------------------
    @property
    def rank(self) -> int | None:
        return None if self._dims is None else len(self._dims)

    ndims = rank

    @property
    def dims(self) -> list[Dimension] | None:
        return None if self._dims is None else [Dimension(d) for d in self._dims]

    def as_list(self) -> list[int | None]:
        if self._dims is None:
            raise ValueError("as_list() is not defined on an unknown TensorShape.")
        return list(self._dims)

    def num_elements(self) -> int | None:
        if not self.is_fully_defined():
            return None
        n = 1
        for d in self._dims or ():
            n *= d or 0
        return n

    def is_fully_defined(self) -> bool:
        return self._dims is not None and None not in self._dims

    def assert_is_fully_defined(self) -> None:
        if not self.is_fully_defined():
            raise ValueError(f"Shape {self} is not fully defined")

    def __len__(self) -> int:
        if self._dims is None:
            raise ValueError("Cannot take the length of shape with unknown rank.")
        return len(self._dims)

    def __bool__(self) -> bool:
        return self._dims is not None

    __nonzero__ = __bool__

    def __iter__(self) -> Iterator[Dimension]:
        if self._dims is None:
            raise ValueError("Cannot iterate over a shape with unknown rank.")
        return iter([Dimension(d) for d in self._dims])

    def __getitem__(self, key: Any) -> Any:
        if self._dims is not None:
            return TensorShape(self._dims[key]) if isinstance(key, slice) else Dimension(self._dims[key])
        if not isinstance(key, slice):
            return Dimension(None)
        start, stop = key.start or 0, key.stop
        if key.step is not None:
            raise ValueError("Steps are not yet handled")
        if stop is None or start < 0 or stop < 0:
            return TensorShape(None)
        return TensorShape([None] * max(0, stop - start))

    # comparing -------------------------------------------------------------------------------------------------------
    def __eq__(self, other: object) -> bool:
        try:
            other = as_shape(other)
        except (TypeError, ValueError):
            return NotImplemented
        return self._dims == other._dims

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __hash__(self) -> int:
        return hash(self._dims)

    def is_compatible_with(self, other: Any) -> bool:
        return compatible(self._dims, to_tuple(other))

    def assert_is_compatible_with(self, other: Any) -> None:
        if not self.is_compatible_with(other):
            raise ValueError(f"Shapes {self} and {as_shape(other)} are incompatible")

    def assert_same_rank(self, other: Any) -> None:
        other = as_shape(other)
        if self.rank is not None and other.rank is not None and self.rank != other.rank:
            raise ValueError(f"Shapes {self} and {other} must have the same rank")

    def assert_has_rank(self, rank: int) -> None:
        if self.rank not in (None, rank):
            raise ValueError(f"Shape {self} must have rank {rank}")

    def most_specific_compatible_shape(self, other: Any) -> TensorShape:
        b = to_tuple(other)
        if self._dims is None or b is None or len(self._dims) != len(b):
            return TensorShape(None)
        return TensorShape([x if x == y else None for x, y in zip(self._dims, b, strict=True)])

    # making ------------------------------------------------------------------------------------------------------------
    def merge_with(self, other: Any) -> TensorShape:
        other = as_shape(other)
        merged = merge(self._dims, other._dims)
        if merged is _CONFLICT:
            raise ValueError(f"Shapes {self} and {other} are not compatible")
        return TensorShape(merged)

    def concatenate(self, other: Any) -> TensorShape:
        b = to_tuple(other)
        return TensorShape(None if self._dims is None or b is None else self._dims + b)

    def __add__(self, other: Any) -> TensorShape:
        return self.concatenate(other)

    def __radd__(self, other: Any) -> TensorShape:
        return as_shape(other).concatenate(self)

    def with_rank(self, rank: int) -> TensorShape:
        try:
            return self.merge_with([None] * rank)
        except ValueError:
            raise ValueError(f"Shape {self} must have rank {rank}") from None

    def with_rank_at_least(self, rank: int) -> TensorShape:
        if self.rank is not None and self.rank < rank:
            raise ValueError(f"Shape {self} must have rank at least {rank}")
        return self

    def with_rank_at_most(self, rank: int) -> TensorShape:
        if self.rank is not None and self.rank > rank:
            raise ValueError(f"Shape {self} must have rank at most {rank}")
        return self

    def as_proto(self) -> Any:
        from hornbeam.core.node_def import shape_to_proto

        return shape_to_proto(self._dims)

    def __repr__(self) -> str:
        if self._dims is None:
            return "TensorShape(None)"
        return f"TensorShape([{', '.join(f'Dimension({d!r})' for d in self._dims)}])"

    def __str__(self) -> str:
        if self._dims is None:
            return "<unknown>"
        if len(self._dims) == 1:
            return f"({'?' if self._dims[0] is None else self._dims[0]},)"
        return f"({', '.join('?' if d is None else str(d) for d in self._dims)})"

    def __reduce__(self) -> Any:
        return TensorShape, (self._dims,)


def as_shape(shape: Any) -> TensorShape:
    return shape if isinstance(shape, TensorShape) else TensorShape(shape)


def to_tuple(shape: Any) -> Shape:
    """Anything that describes a shape, as a tuple of int or None, or None for unknown rank."""
    if shape is None:
        return None
    if isinstance(shape, TensorShape):
        return shape._dims
    if type(shape) is tuple and all(type(d) is int or d is None for d in shape):
        return (
            tuple(None if d is not None and d < 0 else d for d in shape)
            if any(d is not None and d < 0 for d in shape)
            else shape
        )
    if hasattr(shape, "unknown_rank"):  # a TensorShapeProto
        return None if shape.unknown_rank else tuple(None if d.size < 0 else int(d.size) for d in shape.dim)
    if isinstance(shape, (str, bytes)):
        raise TypeError(f"Cannot convert {shape!r} to a shape")
    try:
        items = list(shape)
    except TypeError:
        return (Dimension(shape).value,)
    out: list[int | None] = []
    for d in items:
        if d is None:
            out.append(None)
        elif isinstance(d, Dimension):
            out.append(d.value)
        else:
            v = Dimension(None if isinstance(d, int) and d == -1 else d).value
            out.append(v)
    return tuple(out)


_CONFLICT: Any = object()


def compatible(a: Shape, b: Shape) -> bool:
    if a is None or b is None:
        return True
    return len(a) == len(b) and all(x is None or y is None or x == y for x, y in zip(a, b, strict=True))


def merge(a: Shape, b: Shape) -> Any:
    """The more specific of two compatible shapes; `_CONFLICT` if they are not compatible."""
    if a is None:
        return b
    if b is None:
        return a
    if not compatible(a, b):
        return _CONFLICT
    return tuple(y if x is None else x for x, y in zip(a, b, strict=True))


def merge_or_raise(a: Shape, b: Shape, what: str) -> Shape:
    m = merge(a, b)
    if m is _CONFLICT:
        raise ValueError(f"{what}: shapes {TensorShape(a)} and {TensorShape(b)} are not compatible")
    return m  # type: ignore[no-any-return]


def unknown_shape(rank: int | None = None, ndims: int | None = None) -> TensorShape:
    rank = ndims if rank is None else rank
    return TensorShape(None if rank is None else [None] * rank)


def scalar() -> TensorShape:
    return TensorShape([])


def vector(length: Any) -> TensorShape:
    return TensorShape([length])


def matrix(rows: Any, cols: Any) -> TensorShape:
    return TensorShape([rows, cols])


def shape_error(message: str) -> errors.OpError:
    return errors.InvalidArgumentError(None, None, message)
