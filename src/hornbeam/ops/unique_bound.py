"""Where Unique may stay on the device: nobody can tell its padded `y` from the exact one.

The padding is an index that no table has: gathers give zero rows for it, scatters and sparse updates drop it. This walk over the consumers
follows padded rows and sizes derived from them, and says no at the first op it does not know.
"""

from __future__ import annotations

from typing import Any

from hornbeam.core import dtypes
from hornbeam.core.constant import constant_value
from hornbeam.core.graph import Operation, Tensor

# what may be done with padded rows: op type -> which inputs may be padded
_ROWWISE = frozenset(
    "Identity Cast Mul Add AddV2 Sub RealDiv Div Neg Sqrt Rsqrt Square Abs Sign Maximum Minimum Pow Reciprocal Exp Log Tanh Relu AddN "
    "StopGradient Select SelectV2 GreaterEqual Greater Less LessEqual ClipByValue SquaredDifference ZerosLike OnesLike".split()
)
_UPDATES = {  # writes rows at indices: (input of the indices, inputs that may be padded rows)
    **{f"Scatter{n}": (1, (1, 2)) for n in ("Add", "Sub", "Update", "Mul", "Div", "Min", "Max")},
    **{f"ResourceScatter{n}": (1, (1, 2)) for n in ("Add", "Sub", "Update", "Mul", "Div", "Min", "Max")},
}
_SPARSE_APPLY = ("SparseApply", "ResourceSparseApply")
_SIZES = frozenset("StridedSlice Slice ConcatV2 Pack Reshape Cast ExpandDims Squeeze Identity Prod GatherV2".split())
_GATHERS = frozenset(["Gather", "GatherV2", "ResourceGather"])
_SUMS_BY_INDEX = frozenset(f"SparseSegment{n}{w}" for n in ("Sum", "Mean", "SqrtN") for w in ("", "WithNumSegments"))
_INDEX_GRADS = frozenset(["SparseSegmentSumGrad", "SparseSegmentMeanGrad", "SparseSegmentSqrtNGrad"])


def safe_on_device(op: Operation, fetched: set[Tensor] | None = None) -> bool:
    """Whether `op` (a Unique of integers) may run as its bounded form, when `fetched` tensors leave the run."""
    y, idx = op.outputs
    if y.dtype.base_dtype not in (dtypes.int32, dtypes.int64):
        return False
    walk = _Walk(idx)
    if not walk.rows(y) or any(("rows", t) not in walk.seen for t in walk.indices):
        return False
    shown = {*(fetched or ()), *getattr(op.graph, "outputs", ())}  # a function's results leave it, too
    return not any(t in shown for _, t in walk.seen)


class _Walk:
    """Follows padded tensors; what it finds unsafe makes it answer False."""

    def __init__(self, idx: Tensor) -> None:
        self.exact = {
            idx
        }  # numbers of exact rows; those of a second Unique number padded rows too, which end in a row of their own
        self.seen: set[Any] = set()
        self.indices: list[
            Tensor
        ] = []  # what has to be padded too: where padded rows are written, and what numbers them

    def rows(self, t: Tensor) -> bool:
        """May `t` have rows beyond the exact ones? They are never added up, counted or shown."""
        if ("rows", t) in self.seen:
            return True
        self.seen.add(("rows", t))
        return all(self._row_use(t, o) for o in t.consumers())

    def _row_use(self, t: Tensor, o: Operation) -> bool:
        at = [i for i, x in enumerate(o.inputs) if x is t]
        kind = o.type
        if kind in ("Shape", "Size"):
            return self.size(o.outputs[0], kind == "Shape")
        if kind in _ROWWISE:
            return self.rows(o.outputs[0])
        if kind in _GATHERS:
            if at == [1]:
                return self.rows(o.outputs[0])
            return at == [0] and self._exact(o.inputs[1])
        if kind in _SUMS_BY_INDEX:
            return at == [0] and self._exact(o.inputs[1])
        if kind == "Reshape":
            return at == [0] and self.rows(o.outputs[0])
        if kind in _UPDATES:
            self.indices.append(o.inputs[_UPDATES[kind][0]])
            return set(at) <= set(_UPDATES[kind][1])
        if kind.startswith(_SPARSE_APPLY):
            names = [a.name for a in o.spec.inputs]
            self.indices.append(o.inputs[names.index("indices")])
            return all(names[i] in ("grad", "indices") for i in at)
        if kind == "Unique":
            self.exact.add(o.outputs[1])
            return at == [0] and self.rows(o.outputs[0])
        if kind == "UnsortedSegmentSum":
            return at == [0] and self._exact(o.inputs[1]) and self.rows(o.outputs[0])
        return False

    def _exact(self, indices: Tensor) -> bool:
        while indices.op.type in ("Identity", "Reshape", "Cast"):
            indices = indices.op.inputs[0]
        if indices in self.exact:
            return True
        if indices.op.type == "Unique" and indices.value_index == 1:  # of padded rows too, as it must turn out
            self.indices.append(indices.op.inputs[0])
            return True
        return False

    def size(self, t: Tensor, shape: bool) -> bool:
        """A size or (`shape`) a whole shape of padded rows: its first number may only size what is itself padded."""
        if ("size", t) in self.seen:
            return True
        self.seen.add(("size", t))
        return all(self._size_use(t, o, shape) for o in t.consumers())

    def _size_use(self, t: Tensor, o: Operation, shape: bool) -> bool:
        at = [i for i, x in enumerate(o.inputs) if x is t]
        kind = o.type
        if kind == "UnsortedSegmentSum":
            return at == [2] and self._exact(o.inputs[1]) and self.rows(o.outputs[0])
        if kind in _INDEX_GRADS:
            return at == [3] and self.rows(o.outputs[0])
        if kind == "Reshape" and at == [1]:
            return self.rows(o.outputs[0])
        if kind == "StridedSlice" and shape and at == [0] and _skips_first(o):
            return True
        if kind in _SIZES:
            return self.size(o.outputs[0], shape and kind in ("Cast", "Identity"))
        return False


def _skips_first(o: Operation) -> bool:
    """`shape[1:]` and the like: the other dimensions are exact."""
    begin = constant_value(o.inputs[1])
    masks = [o._attrs[m] for m in ("begin_mask", "ellipsis_mask", "new_axis_mask")]
    return begin is not None and begin.size == 1 and int(begin[0]) >= 1 and not any(masks)
