"""Differences of integer scalars read off the graph: that `i * 8 + 8` is `i * 8` plus 8 gives `x[i * 8 : i * 8 + 8]` a static width."""

from __future__ import annotations

from hornbeam.core.constant import constant_value
from hornbeam.core.graph import Tensor

_DEPTH = 12
Form = dict[Tensor | None, int]  # coefficient per unknown tensor; None stands for the constant 1


def element(vector: Tensor, k: int) -> Tensor | int | None:
    """Element k of a 1-D tensor as the scalar tensor packed into it, or its constant value."""
    value = constant_value(vector)
    if value is not None:
        return int(value.reshape(-1)[k])
    op = vector.op
    if op.type in ("Identity", "Cast"):
        return element(op.inputs[0], k)
    if op.type == "Pack" and op._attrs["axis"] == 0 and op.inputs[k]._shape == ():
        return op.inputs[k]
    if op.type == "ConcatV2":
        for part in op.inputs[:-1]:
            if part._shape is None or len(part._shape) != 1 or part._shape[0] is None:
                return None
            if k < part._shape[0]:
                return element(part, k)
            k -= part._shape[0]
    if op.type == "ExpandDims" and k == 0 and op.inputs[0]._shape == ():
        return op.inputs[0]
    return None


def form(x: Tensor | int, depth: int = 0) -> Form:
    """`x` as a sum of coefficients times unknown scalars."""
    if isinstance(x, int):
        return {None: x}
    value = constant_value(x)
    if value is not None and value.size == 1:
        return {None: int(value.reshape(-1)[0])}
    op = x.op
    if depth < _DEPTH:
        match op.type:
            case "Identity" | "Cast" if x.dtype.is_integer and op.inputs[0].dtype.is_integer:
                return form(op.inputs[0], depth + 1)
            case "AddV2" | "Add":
                return _plus(form(op.inputs[0], depth + 1), form(op.inputs[1], depth + 1), 1)
            case "Sub":
                return _plus(form(op.inputs[0], depth + 1), form(op.inputs[1], depth + 1), -1)
            case "Mul":
                a, b = form(op.inputs[0], depth + 1), form(op.inputs[1], depth + 1)
                for p, q in ((a, b), (b, a)):
                    if set(p) <= {None}:
                        return {t: c * p.get(None, 0) for t, c in q.items()}
    return {x: 1}


def _plus(a: Form, b: Form, sign: int) -> Form:
    return {t: a.get(t, 0) + sign * b.get(t, 0) for t in {*a, *b}}


def difference(end: Tensor, begin: Tensor, k: int) -> int | None:
    """`end[k] - begin[k]` if the graph shows it to be a constant, else None."""
    e, b = element(end, k), element(begin, k)
    if e is None or b is None:
        return None
    rest = {t: c for t, c in _plus(form(e), form(b), -1).items() if c}
    return rest.get(None, 0) if set(rest) <= {None} else None
