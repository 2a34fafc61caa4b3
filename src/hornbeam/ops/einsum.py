"""Einsum: one contraction of any number of operands by an equation, and its gradient, which is contractions again."""

from __future__ import annotations

from typing import Any

import numpy as np

from hornbeam.core import errors
from hornbeam.core.graph import InferenceContext, Tensor
from hornbeam.core.lazy import jnp
from hornbeam.core.registry import op, raw
from hornbeam.core.tensor_shape import Shape
from hornbeam.ops import shapes
from hornbeam.ops.broadcasting import conj, unbroadcast

_DOTS = "..."


def parse(equation: str, n: int) -> tuple[list[str], str]:
    """Input and output subscripts; raises for what TensorFlow's op refuses."""
    left, arrow, out = equation.replace(" ", "").partition("->")
    terms = left.split(",")
    if not arrow or len(terms) != n:
        raise errors.InvalidArgumentError(None, None, f"Expected {n} inputs and '->' in the equation, got {equation!r}")
    for label in out.replace(_DOTS, ""):
        if label not in left:
            raise errors.InvalidArgumentError(
                None, None, f"Einsum label '{label}' of the output is in no input: {equation!r}"
            )
    return terms, out


def _dims(c: InferenceContext, term: str, shape: Shape) -> tuple[dict[str, int | None], Shape]:
    """Sizes by label, and the shape the ellipsis stands for."""
    assert shape is not None
    before, dots, after = term.partition(_DOTS)
    n = len(before) + len(after)
    if len(shape) < n or not dots and len(shape) != n:
        raise c.fail(f"Shape must be rank {n} but is rank {len(shape)}")
    sizes: dict[str, int | None] = {}
    tail = shape[len(shape) - len(after) :] if after else ()
    for label, d in [*zip(before, shape, strict=False), *zip(after, tail, strict=True)]:
        sizes[label] = shapes.merge_dim(c, sizes.get(label), d)
    return sizes, shape[len(before) : len(shape) - len(after)]


def _shape(c: InferenceContext) -> list[Shape]:
    try:
        terms, out = parse(c.attr("equation").decode(), c.n_inputs)
    except errors.InvalidArgumentError as e:
        raise c.fail(e.message) from None
    sizes: dict[str, int | None] = {}
    batch: Shape = ()
    for i, term in enumerate(terms):
        s = c.shape(i)
        if s is None:
            return [None if _DOTS in out else _known(out, terms, c)]
        found, dots = _dims(c, term, s)
        batch = shapes.broadcast_shapes(batch, dots, c)
        for label, d in found.items():
            sizes[label] = shapes.merge_dim(c, sizes.get(label), d)
    before, dots_out, after = out.partition(_DOTS)
    middle: Any = batch if dots_out else ()
    return [(*(sizes[x] for x in before), *middle, *(sizes[x] for x in after))]


def _known(out: str, terms: list[str], c: InferenceContext) -> Shape:
    sizes: dict[str, int | None] = {}
    for i, term in enumerate(terms):
        s = c.shape(i)
        if s is not None:
            for label, d in _dims(c, term, s)[0].items():
                sizes[label] = shapes.merge_dim(c, sizes.get(label), d)
    return tuple(sizes.get(x) for x in out)


@op("Einsum(inputs: N * T) -> (output: T); equation: string; N: int >= 1; T: type", shape=_shape)
def Einsum(inputs, equation):
    terms, out = parse(equation.decode(), len(inputs))
    unique = _unique(out)
    value = jnp.einsum(f"{','.join(terms)}->{unique}", *inputs)
    for i, label in enumerate(out):  # a label that the output repeats makes a diagonal
        if label != "." and label in out[:i]:
            value = _diagonal(value, out, i)
    return value.astype(inputs[0].dtype)


def _diagonal(value: Any, out: str, i: int) -> Any:
    """Adds the i-th label of `out`, which stands earlier too, as a new axis: zero off the diagonal."""
    first, n_dots = out.index(out[i]), value.ndim + 1 - len(out.replace(_DOTS, ""))
    dots = out.find(_DOTS)

    def axis(k: int) -> int:
        return k if dots < 0 or k < dots else k - len(_DOTS) + max(n_dots, 0)

    a, b = axis(first), min(axis(i), value.ndim)
    eye = np.eye(value.shape[a], dtype=bool)
    value = jnp.expand_dims(value, b)
    shape = [1] * value.ndim
    shape[a] = shape[b] = eye.shape[0]
    return jnp.where(eye.reshape(shape), value, 0)


def _unique(term: str) -> str:
    """Each label once, in order of appearance."""
    labels = dict.fromkeys(term.replace(_DOTS, "*"))
    return "".join(_DOTS if x == "*" else x for x in labels)


@Einsum.gradient
def _(op, g):
    inputs = op.inputs
    terms, out = parse(op._attrs["equation"].decode(), len(inputs))
    grads = []
    for i, x in enumerate(inputs):
        others = [(t, conj(o)) for k, (t, o) in enumerate(zip(terms, inputs, strict=True)) if k != i]
        grads.append(_by_input(g, x, terms[i], out, others))
    return grads


def _by_input(g: Tensor, x: Tensor, term: str, out: str, others: list[tuple[str, Tensor]]) -> Tensor:
    """The contraction of the gradient with the other operands; axes that were summed away are repeated."""
    sources = "".join([out, *(t for t, _ in others)])
    has_dots = _DOTS in sources
    # the ellipsis may be longer in the result than in x (broadcasting): sum what x does not have
    available = [label for label in _labels(term) if (label == "*" and has_dots) or label in sources.replace(_DOTS, "")]
    reduced = "".join(_DOTS if label == "*" else label for label in available)
    missing = [k for k, label in enumerate(_labels(term)) if label not in available]
    equation = ",".join([out, *(t for t, _ in others)]) + "->" + (_unique(reduced) if missing else reduced)
    grad = Einsum([g, *(o for _, o in others)], equation=equation)
    if missing:
        wanted = _labels(_unique(term))
        for k, label in enumerate(wanted):
            if label not in available:
                grad = raw.ExpandDims(grad, k if "*" not in wanted[:k] else -(len(wanted) - k))
        whole = x if _unique(term) == term else Einsum([x], equation=f"{term}->{_unique(term)}")
        known = whole._shape is not None and None not in whole._shape
        grad = raw.BroadcastTo(grad, np.array(whole._shape, np.int32) if known else raw.Shape(whole))
        if whole is not x:
            grad = Einsum([grad], equation=f"{_unique(term)}->{term}")
        return grad
    if _DOTS in term:
        return unbroadcast(grad, x)
    return grad


def _labels(term: str) -> list[str]:
    return list(term.replace(_DOTS, "*"))
