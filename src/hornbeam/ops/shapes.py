"""Shape rules shared by the families: each takes an InferenceContext and returns one shape per output."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from hornbeam.core.graph import InferenceContext, shape_text
from hornbeam.core.tensor_shape import _CONFLICT, Shape, merge

Rule = Callable[[InferenceContext], Sequence[Shape]]


def unchanged(c: InferenceContext) -> list[Shape]:
    """Every output has the shape of the first input."""
    return [c.shape(0)] * c.n_outputs


def scalar(c: InferenceContext) -> list[Shape]:
    return [()] * c.n_outputs


def unknown(c: InferenceContext) -> list[Shape]:
    return [None] * c.n_outputs


def vector(c: InferenceContext) -> list[Shape]:
    return [(None,)] * c.n_outputs


def same_as_inputs(c: InferenceContext) -> list[Shape]:
    """Output i has the shape of input i (IdentityN, ShapeN's inputs …)."""
    return [c.shape(i) for i in range(c.n_outputs)]


def merged(c: InferenceContext) -> list[Shape]:
    """All inputs must have one shape, which is the output's."""
    s: Any = c.shape(0)
    for i in range(1, c.n_inputs):
        t = merge(s, c.shape(i))
        if t is _CONFLICT:
            raise c.fail(f"Shapes must be equal, but are {shape_text(s)} and {shape_text(c.shape(i))}")
        s = t
    return [s] * c.n_outputs


def fixed(*shapes: Shape) -> Rule:
    return lambda c: list(shapes)


def like(i: int) -> Rule:
    """The shape of input i."""
    return lambda c: [c.shape(i)] * c.n_outputs


def from_input(i: int) -> Rule:
    """Input i holds the output's shape."""
    return lambda c: [c.partial(i)] * c.n_outputs


def from_attr(name: str = "shape") -> Rule:
    return lambda c: [c.attr(name)] * c.n_outputs


def broadcast_shapes(a: Shape, b: Shape, c: InferenceContext | None = None) -> Shape:
    """NumPy broadcasting on partial shapes; a known mismatch raises TF's 'Dimensions must be equal'."""
    if a is None or b is None:
        return None
    if len(a) < len(b):
        a = (1,) * (len(b) - len(a)) + a
    elif len(b) < len(a):
        b = (1,) * (len(a) - len(b)) + b
    out: list[int | None] = []
    for x, y in zip(a, b, strict=True):
        if x == y:
            out.append(x)
        elif x == 1:
            out.append(y)
        elif y == 1:
            out.append(x)
        elif x is None:
            out.append(y)
        elif y is None:
            out.append(x)
        elif c is not None:
            raise c.fail(f"Dimensions must be equal, but are {x} and {y}")
        else:
            raise ValueError(f"Incompatible shapes: {a} and {b}")
    return tuple(out)


def broadcast(c: InferenceContext) -> list[Shape]:
    """Binary elementwise."""
    a, b = c.shape(0), c.shape(1)
    if a == b and a is not None and None not in a:
        return [a]
    return [broadcast_shapes(a, b, c)]


def reduction(c: InferenceContext) -> list[Shape]:
    """`reduction_indices` in input 1, attribute `keep_dims`."""
    s = c.shape(0)
    axes = c.value(1)
    keep = c.attr("keep_dims")
    if s is None:
        return [None]
    if axes is None:
        n = c.shape(1)
        if keep:
            return [(None,) * len(s)]
        if n is not None and n == ():
            return [(None,) * (len(s) - 1)]
        return [None]
    gone = set()
    for a in axes.reshape(-1):
        a = int(a)
        if not -len(s) <= a < len(s):
            raise c.fail(f"Invalid reduction dimension {a} for input with {len(s)} dimensions.")
        gone.add(a % len(s))
    if keep:
        return [tuple(1 if i in gone else d for i, d in enumerate(s))]
    return [tuple(d for i, d in enumerate(s) if i not in gone)]


def _dim(s: Shape, i: int) -> int | None:
    return None if s is None else s[i]


def with_rank(c: InferenceContext, i: int, rank: int) -> Shape:
    """Input i's shape, known to have `rank` dimensions (unknown ones if its rank is unknown)."""
    s = c.shape(i)
    if s is None:
        return (None,) * rank
    if len(s) != rank:
        raise c.fail(f"Shape must be rank {rank} but is rank {len(s)}")
    return s


def at_least_rank(c: InferenceContext, i: int, rank: int) -> Shape:
    s = c.shape(i)
    if s is not None and len(s) < rank:
        raise c.fail(f"Shape must be at least rank {rank} but is rank {len(s)}")
    return s


def merge_dim(c: InferenceContext, a: int | None, b: int | None) -> int | None:
    if a is None or b is None or a == b:
        return b if a is None else a
    raise c.fail(f"Dimensions must be equal, but are {a} and {b}")


def matmul(c: InferenceContext) -> list[Shape]:
    a, b = with_rank(c, 0, 2), with_rank(c, 1, 2)
    assert a is not None and b is not None
    if c.attr("transpose_a"):
        a = (a[1], a[0])
    if c.attr("transpose_b"):
        b = (b[1], b[0])
    merge_dim(c, a[1], b[0])
    return [(a[0], b[1])]


def batch_matmul(c: InferenceContext) -> list[Shape]:
    a, b = at_least_rank(c, 0, 2), at_least_rank(c, 1, 2)
    if a is None or b is None:
        return [None]
    ra, rb = a[-2:], b[-2:]
    if c.attr("adj_x"):
        ra = ra[::-1]
    if c.attr("adj_y"):
        rb = rb[::-1]
    merge_dim(c, ra[1], rb[0])
    batch = broadcast_shapes(a[:-2], b[:-2], c)
    return [None if batch is None else (*batch, ra[0], rb[1])]


def window_size(
    n: int | None, k: int, stride: int, dilation: int, padding: str, before: int = 0, after: int = 0
) -> int | None:
    """Output extent of a convolution or pooling window along one dimension (TF's GetWindowedOutputSize)."""
    if n is None:
        return None
    span = (k - 1) * dilation + 1
    if padding == "SAME":
        return -(-n // stride)
    return (n + before + after - span + stride) // stride
