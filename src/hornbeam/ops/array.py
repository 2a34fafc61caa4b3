"""Array operations that make, name, reshape, join and split tensors: constants, placeholders, identities, shapes, concat, pack."""

from __future__ import annotations

from typing import Any

import numpy as np

from hornbeam.core import dtypes, errors
from hornbeam.core.constant import constant_value, partial_vector
from hornbeam.core.graph import InferenceContext, Tensor, convert_to_tensor, name_scope, shape_text
from hornbeam.core.lazy import lax
from hornbeam.core.registry import no_gradient, op, raw
from hornbeam.core.tensor_shape import _CONFLICT, Shape, compatible, merge
from hornbeam.ops import shapes
from hornbeam.ops.xp import ints, known, static, xp


def bad(message: str) -> errors.InvalidArgumentError:  # type: ignore[valid-type]
    """An error of the values a kernel got; the runtime adds the node."""
    return errors.InvalidArgumentError(None, None, message)


def is_string(x: Any) -> bool:
    return isinstance(x, np.ndarray) and x.dtype == object


def as_array(x: Any) -> Any:
    """NumPy scalars (what `a[0]` gives) as 0-d arrays; everything else as it is."""
    return np.asarray(x) if isinstance(x, np.generic) else x


# --- constants and placeholders ---
@op("Const() -> (output: dtype); value: tensor; dtype: type", shape=lambda c: [c.attr("value").shape], numpy=True)
def Const(value):
    return value


# a placeholder has no kernel: a run that lacks its feed says so
Placeholder = op(
    "Placeholder() -> (output: dtype); dtype: type; shape: shape = unknown", shape=lambda c: [_placeholder_shape(c)]
)(None)
PlaceholderV2 = op("PlaceholderV2() -> (output: dtype); dtype: type; shape: shape", shape=shapes.from_attr())(None)


def _placeholder_shape(c: InferenceContext) -> Shape:
    """GraphDefs older than version 24 wrote a scalar where they meant an unknown shape."""
    shape = c.attr("shape")
    return None if shape == () and c.op.graph._producer < 24 else shape


def _placeholder_default_shape(c: InferenceContext) -> list[Shape]:
    wanted = c.attr("shape")
    if not compatible(c.shape(0), wanted):
        raise c.fail(f"Shapes must be compatible, but are {shape_text(c.shape(0))} and {shape_text(wanted)}")
    return [wanted]


@op(
    "PlaceholderWithDefault(input: dtype) -> (output: dtype); dtype: type; shape: shape",
    shape=_placeholder_default_shape,
)
def PlaceholderWithDefault(input):
    return input


@PlaceholderWithDefault.gradient
def _(op, grad):
    return [grad]


# --- identities ---
@op("Identity(input: T) -> (output: T); T: type", shape=shapes.unchanged, numpy=True)
def Identity(input):
    return input


@op(
    "RefIdentity(input: Ref(T)) -> (output: Ref(T)); T: type",
    shape=shapes.unchanged,
    stateful=True,
    allows_uninitialized=True,
)
def RefIdentity(input):
    return input


@op("IdentityN(input: T) -> (output: T); T: list(type) >= 1", shape=shapes.same_as_inputs, numpy=True)
def IdentityN(input):
    return tuple(input)


@op("Snapshot(input: T) -> (output: T); T: type", shape=shapes.unchanged, numpy=True)
def Snapshot(input):
    return input


@op("DeepCopy(x: T) -> (y: T); T: type", shape=shapes.unchanged, stateful=True)
def DeepCopy(x):
    return x


@op("GuaranteeConst(input: T) -> (output: T); T: type", shape=shapes.unchanged, stateful=True)
def GuaranteeConst(input):
    return input


for _spec in (Identity, RefIdentity):
    _spec.gradient(lambda op, grad: [grad])
IdentityN.gradient(lambda op, *grads: list(grads))


@op("StopGradient(input: T) -> (output: T); T: type", shape=shapes.unchanged, numpy=True)
def StopGradient(input):
    return input


@op("PreventGradient(input: T) -> (output: T); T: type; message: string = ''", shape=shapes.unchanged, numpy=True)
def PreventGradient(input):
    return input


@PreventGradient.gradient
def _(op, grad):
    raise LookupError(f"Gradient explicitly disabled. Reason: {op._attrs['message']!r}")


@op("NoOp() -> ()", shape=lambda c: [])
def NoOp():
    return None


no_gradient("Const", "StopGradient")


# --- shape, size, rank ---
def _shape_array(x: Any, out_type: Any) -> np.ndarray[Any, Any]:
    return np.array(x.shape, out_type.np)


@op(
    "Shape(input: T) -> (output: out_type); T: type; out_type: {int32, int64} = int32",
    shape=lambda c: [(None if c.shape(0) is None else len(c.shape(0)),)],
    numpy=True,
)
def Shape_(input, out_type):
    return _shape_array(input, out_type)


@op(
    "ShapeN(input: N * T) -> (output: N * out_type); N: int >= 1; T: type; out_type: {int32, int64} = int32",
    shape=lambda c: [(None if c.shape(i) is None else len(c.shape(i)),) for i in range(c.n_inputs)],
    numpy=True,
)
def ShapeN(input, out_type):
    return tuple(_shape_array(x, out_type) for x in input)


@op("Size(input: T) -> (output: out_type); T: type; out_type: {int32, int64} = int32", shape=shapes.scalar, numpy=True)
def Size(input, out_type):
    return np.array(int(np.prod(input.shape, dtype=np.int64))).astype(out_type.np)


@op("Rank(input: T) -> (output: int32); T: type", shape=shapes.scalar, numpy=True)
def Rank(input):
    return np.array(len(input.shape), np.int32)


no_gradient("Shape", "ShapeN", "Size", "Rank")


def shape_of(x: Tensor, out_type: Any = dtypes.int32, name: str | None = None) -> Tensor:
    """`tf.shape(x)`: a constant when the static shape is fully known, a Shape node otherwise; both named `Shape`."""
    from hornbeam.core.constant import const_node

    with name_scope(name, "Shape", [x]) as scope:
        if x._shape is not None and None not in x._shape:
            return const_node(np.array(x._shape, out_type.np), name=scope)
        return raw.Shape(x, out_type=out_type, name=scope)


def size_of(x: Tensor, out_type: Any = dtypes.int32, name: str | None = None) -> Tensor:
    from hornbeam.core.constant import const_node

    with name_scope(name, "Size", [x]) as scope:
        if x._shape is not None and None not in x._shape:
            return const_node(np.array(np.prod(x._shape, dtype=np.int64)).astype(out_type.np), name=scope)  # type: ignore[arg-type]
        return raw.Size(x, out_type=out_type, name=scope)


def rank_of(x: Tensor, name: str | None = None) -> Tensor:
    from hornbeam.core.constant import const_node

    with name_scope(name, "Rank", [x]) as scope:
        if x._shape is not None:
            return const_node(np.array(len(x._shape), np.int32), name=scope)
        return raw.Rank(x, name=scope)


# --- reshape family ---
def _reshape_shape(c: InferenceContext) -> list[Shape]:
    given = c.shape(0)
    target = partial_vector(c.op._inputs[1])
    s = c.shape(1)
    if s is not None and len(s) != 1 and not (target is not None and s == ()):
        raise c.fail(f"Shape must be rank 1 but is rank {len(s)}")
    if target is None:
        return [None]
    out = [None if t is None or t < 0 else t for t in target]
    if given is None:
        return [tuple(out)]
    unknown_out = [i for i, t in enumerate(out) if t is None]
    known_out = int(np.prod([t for t in out if t is not None], dtype=np.int64))
    known_in = int(np.prod([d for d in given if d is not None], dtype=np.int64))
    n_unknown_in = sum(d is None for d in given)
    if n_unknown_in == 0 and not unknown_out:
        if known_in != known_out:
            raise c.fail(
                f"Cannot reshape a tensor with {known_in} elements to shape {shape_text(tuple(out))} ({known_out} elements)"
            )
    elif n_unknown_in == 0 and len(unknown_out) == 1:
        if known_out and known_in % known_out:
            raise c.fail(f"Dimension size must be evenly divisible by {known_out} but is {known_in}")
        if known_out:
            out[unknown_out[0]] = known_in // known_out
    elif not unknown_out and n_unknown_in and known_in and known_out % known_in:
        raise c.fail(
            f"Cannot reshape a tensor with a multiple of {known_in} elements to shape {shape_text(tuple(out))}"
        )
    return [tuple(out)]


@op(
    "Reshape(tensor: T, shape: Tshape) -> (output: T); T: type; Tshape: {int32, int64} = int32",
    shape=_reshape_shape,
    numpy=True,
)
def Reshape(tensor, shape):
    dims = list(ints(shape))
    if dims.count(-1) > 1:
        raise bad("Only one input size may be -1, not both 0 and 1")
    if any(d < -1 for d in dims):
        raise bad(f"Size {next(i for i, d in enumerate(dims) if d < -1)} must be non-negative, not {min(dims)}")
    if -1 in dims:
        # with a zero among the sizes, TensorFlow divides the non-zero extents
        rest = int(np.prod([d for d in dims if d > 0], dtype=np.int64))
        given = tensor.shape if 0 not in dims else [d for d in tensor.shape if d > 0]
        size = int(np.prod(given, dtype=np.int64))
        if size % rest and 0 not in tensor.shape:
            raise bad(
                f"Input to reshape is a tensor with {size} values, but the requested shape requires a multiple of {rest}"
            )
        dims[dims.index(-1)] = size // rest
    size, wanted = int(np.prod(tensor.shape, dtype=np.int64)), int(np.prod(dims, dtype=np.int64))
    if wanted != size:
        raise bad(f"Input to reshape is a tensor with {size} values, but the requested shape has {wanted}")
    return tensor.reshape(tuple(dims))


@Reshape.gradient
def _(op, grad):
    return [raw.Reshape(dense(grad), shape_of(op.inputs[0])), None]


def dense(grad: Any) -> Any:
    """IndexedSlices as one tensor; anything else as it is."""
    return convert_to_tensor(grad)


def _expand_dims_shape(c: InferenceContext) -> list[Shape]:
    s, axis = c.shape(0), c.value(1)
    if s is None:
        return [None]
    if axis is None:
        return [(None,) * (len(s) + 1)]
    a = int(axis.reshape(-1)[0])
    if not -len(s) - 1 <= a <= len(s):
        raise c.fail(f"dim {a} not in the interval [{-len(s) - 1}, {len(s)}].")
    a = a + len(s) + 1 if a < 0 else a
    return [(*s[:a], 1, *s[a:])]


@op(
    "ExpandDims(input: T, dim: Tdim) -> (output: T); T: type; Tdim: {int32, int64} = int32",
    shape=_expand_dims_shape,
    numpy=True,
)
def ExpandDims(input, dim):
    axis = static(dim)
    if axis.size != 1:
        raise bad("'dim' must be a tensor with a single value")
    a, rank = int(axis.reshape(-1)[0]), len(input.shape)
    if not -rank - 1 <= a <= rank:
        raise bad(f"Tried to expand dim index {a} for tensor with {rank} dimensions.")
    a = a + rank + 1 if a < 0 else a
    return input.reshape((*input.shape[:a], 1, *input.shape[a:]))


@ExpandDims.gradient
def _(op, grad):
    return [raw.Reshape(dense(grad), shape_of(op.inputs[0])), None]


def _squeeze_shape(c: InferenceContext) -> list[Shape]:
    s, dims = c.shape(0), c.attr("squeeze_dims")
    if s is None:
        return [None]
    if not dims:
        return [None if None in s else tuple(d for d in s if d != 1)]
    gone = set()
    for d in dims:
        if not -len(s) <= d < len(s):
            raise c.fail(f"squeeze_dims[0] not in [{-len(s)},{len(s)}).")
        if s[d] not in (1, None):
            raise c.fail(f"Can not squeeze dim[{d % len(s)}], expected a dimension of 1, got {s[d]}")
        gone.add(d % len(s))
    return [tuple(d for i, d in enumerate(s) if i not in gone)]


@op("Squeeze(input: T) -> (output: T); T: type; squeeze_dims: list(int) >= 0 = []", shape=_squeeze_shape, numpy=True)
def Squeeze(input, squeeze_dims):
    s = input.shape
    if not squeeze_dims:
        return input.reshape(tuple(d for d in s if d != 1))
    gone = set()
    for d in squeeze_dims:
        if not -len(s) <= d < len(s):
            raise bad(f"Tried to squeeze dim index {d} for tensor with {len(s)} dimensions.")
        if s[d] != 1:
            raise bad(f"Can not squeeze dim[{d % len(s)}], expected a dimension of 1, got {s[d]}")
        gone.add(d % len(s))
    return input.reshape(tuple(d for i, d in enumerate(s) if i not in gone))


@Squeeze.gradient
def _(op, grad):
    return [raw.Reshape(dense(grad), shape_of(op.inputs[0]))]


def _transpose_shape(c: InferenceContext) -> list[Shape]:
    s, perm, ps = c.shape(0), c.value(1), c.shape(1)
    if perm is None:
        rank = len(s) if s is not None else (ps[0] if ps is not None and len(ps) == 1 else None)
        if s is not None and ps is not None and len(ps) == 1 and ps[0] is not None and ps[0] != len(s):
            raise c.fail(f"Dimension must be {len(s)} but is {ps[0]}")
        return [None if rank is None else (None,) * rank]
    p = [int(v) for v in perm.reshape(-1)]
    if s is None:
        return [(None,) * len(p)]
    if len(p) != len(s):
        raise c.fail(f"Dimension must be {len(s)} but is {len(p)}")
    for v in p:
        if not -len(s) <= v < len(s):
            raise c.fail(f"perm dim {v} is out of range of input rank {len(s)}")
    return [tuple(s[v] for v in p)]


def _permute(x: Any, perm: Any) -> Any:
    p = ints(perm)
    rank = len(x.shape)
    if len(p) != rank:
        raise bad(f"transpose expects a vector of size {rank}. But input(1) is a vector of size {len(p)}")
    if any(not -rank <= v < rank for v in p):
        raise bad(f"{next(v for v in p if not -rank <= v < rank)} is out of range [0 .. {rank})")
    q = [v % rank for v in p]
    if len(set(q)) != rank:
        raise bad(f"{next(i for i in range(rank) if i not in q)} is missing from {{{','.join(map(str, p))}}}.")
    return xp.transpose(x, tuple(q))


@op(
    "Transpose(x: T, perm: Tperm) -> (y: T); T: type; Tperm: {int32, int64} = int32", shape=_transpose_shape, numpy=True
)
def Transpose(x, perm):
    return _permute(x, perm)


@op(
    "ConjugateTranspose(x: T, perm: Tperm) -> (y: T); T: type; Tperm: {int32, int64} = int32",
    shape=_transpose_shape,
    numpy=True,
)
def ConjugateTranspose(x, perm):
    y = _permute(x, perm)
    return xp.conj(y) if np.issubdtype(y.dtype, np.complexfloating) else y


@Transpose.gradient
def _(op, grad):
    return [raw.Transpose(dense(grad), raw.InvertPermutation(op.inputs[1])), None]


@ConjugateTranspose.gradient
def _(op, grad):
    return [raw.ConjugateTranspose(dense(grad), raw.InvertPermutation(op.inputs[1])), None]


# --- filled tensors ---
@op(
    "Fill(dims: index_type, value: T) -> (output: T); T: type; index_type: {int32, int64} = int32",
    shape=shapes.from_input(0),
    numpy=True,
)
def Fill(dims, value):
    shape = ints(dims)
    if any(d < 0 for d in shape):
        raise bad(f"Fill dimensions must be >= 0, got {list(shape)}")
    if value.shape != ():
        raise bad(f"value must be a scalar, got shape {list(value.shape)}")
    return xp.full(shape, value, dtype=value.dtype)


@Fill.gradient
def _(op, grad):
    g = dense(grad)
    return [None, raw.Sum(g, raw.Range(0, rank_of(g), 1))]


@op("ZerosLike(x: T) -> (y: T); T: type", shape=shapes.unchanged, numpy=True)
def ZerosLike(x):
    if hasattr(x, "zeros_like"):  # a TensorList
        return x.zeros_like()
    if is_string(x):
        return np.full(x.shape, b"", object)
    return np.zeros(x.shape, x.dtype)


@op(
    "OnesLike(x: T) -> (y: T); T: {bfloat16, half, float, double, int8, uint8, int16, uint16, int32, uint32, int64, uint64, "
    "complex64, complex128, bool}",
    shape=shapes.unchanged,
    numpy=True,
)
def OnesLike(x):
    return np.ones(x.shape, x.dtype)


no_gradient("ZerosLike", "OnesLike")


# --- pack, unpack, concat ---
def _pack_shape(c: InferenceContext) -> list[Shape]:
    s = shapes.merged(c)[0]
    if s is None:
        return [None]
    a = c.attr("axis")
    if not -len(s) - 1 <= a <= len(s):
        raise c.fail(f"axis = {a} not in [{-len(s) - 1}, {len(s) + 1})")
    a = a % (len(s) + 1)
    return [(*s[:a], c.n_inputs, *s[a:])]


@op("Pack(values: N * T) -> (output: T); N: int >= 1; T: type; axis: int = 0", shape=_pack_shape, numpy=True)
def Pack(values, axis):
    first = values[0]
    for i, v in enumerate(values):
        if v.shape != first.shape:
            raise bad(
                f"Shapes of all inputs must match: values[0].shape = {list(first.shape)} != values[{i}].shape = {list(v.shape)}"
            )
    return xp.stack(values, axis=axis)


@Pack.gradient
def _(op, grad):
    return raw.Unpack(dense(grad), num=op._attrs["N"], axis=op._attrs["axis"], name="unstack")


def _unpack_shape(c: InferenceContext) -> list[Shape]:
    s, a = c.shape(0), c.attr("axis")
    if s is None:
        return [None] * c.n_outputs
    if not -len(s) <= a < len(s):
        raise c.fail(f"axis = {a} not in [{-len(s)}, {len(s)})")
    a %= len(s)
    if s[a] is not None and s[a] != c.n_outputs:
        raise c.fail(f"Dimension must be {c.n_outputs} but is {s[a]}")
    return [(*s[:a], *s[a + 1 :])] * c.n_outputs


@op("Unpack(value: T) -> (output: num * T); num: int >= 0; T: type; axis: int = 0", shape=_unpack_shape, numpy=True)
def Unpack(value, num, axis):
    a = axis % len(value.shape)
    if value.shape[a] != num:
        raise bad(f"Input shape axis {a} must equal {num}, got shape {list(value.shape)}")
    if known(value):
        lead = (slice(None),) * a
        return tuple(as_array(value[(*lead, i)]) for i in range(num))
    return tuple(lax.index_in_dim(value, i, a, keepdims=False) for i in range(num))


@Unpack.gradient
def _(op, *grads):
    return [raw.Pack([dense(g) for g in grads], axis=op._attrs["axis"], name="stack")]


def _concat_shape(values: list[Shape], axis: Any, c: InferenceContext) -> Shape:
    known_ranks = [s for s in values if s is not None]
    if not known_ranks:
        return None
    rank = len(known_ranks[0])
    for s in known_ranks:
        if len(s) != rank:
            raise c.fail(f"Shape must be rank {rank} but is rank {len(s)}")
    if axis is None:
        return (None,) * rank
    a = int(axis.reshape(-1)[0])
    if rank == 0:
        raise c.fail("Can't concatenate scalars (use tf.stack instead)")
    if not -rank <= a < rank:
        raise c.fail(f"Shape must be at least rank {a + 1 if a >= 0 else -a} but is rank {rank}")
    a %= rank
    out: Any = (None,) * (rank - 1)
    total: int | None = 0
    for s in values:  # type: ignore[assignment]
        if s is None:
            total = None
            continue
        total = None if total is None or s[a] is None else total + s[a]  # type: ignore[operator]
        rest = (*s[:a], *s[a + 1 :])
        m = merge(out, rest)
        if m is _CONFLICT:
            i = next(
                i for i, (x, y) in enumerate(zip(out, rest, strict=True)) if x is not None and y is not None and x != y
            )
            raise c.fail(
                f"Dimension {i} in both shapes must be equal, but are {out[i]} and {rest[i]}. Shapes are {shape_text(out)} and {shape_text(rest)}."
            )
        out = m
    return (*out[:a], total, *out[a:])


def _concatenate(values: list[Any], axis: Any) -> Any:
    a, rank = int(static(axis).reshape(-1)[0]), len(values[0].shape)
    if not -rank <= a < rank:
        raise bad(f"ConcatOp : Expected concatenating dimensions in the range [{-rank}, {rank}), but got {a}")
    a %= rank
    first = values[0].shape
    for i, v in enumerate(values):
        if len(v.shape) != rank:
            raise bad(
                f"ConcatOp : Ranks of all input tensors should match: shape[0] = {list(first)} vs. shape[{i}] = {list(v.shape)}"
            )
        if any(j != a and x != y for j, (x, y) in enumerate(zip(first, v.shape, strict=True))):
            raise bad(f"ConcatOp : Dimension {next(j for j in range(rank) if j != a and first[j] != v.shape[j])} in both shapes must be equal: "
                      f"shape[0] = {list(first)} vs. shape[{i}] = {list(v.shape)}")  # fmt: skip
    return xp.concatenate(values, axis=a)


@op(
    "ConcatV2(values: N * T, axis: Tidx) -> (output: T); N: int >= 2; T: type; Tidx: {int32, int64} = int32",
    shape=lambda c: [_concat_shape([c.shape(i) for i in range(c.n_inputs - 1)], c.value(c.n_inputs - 1), c)],
    numpy=True,
)
def ConcatV2(values, axis):
    return _concatenate(values, axis)


@op(
    "Concat(concat_dim: int32, values: N * T) -> (output: T); N: int >= 2; T: type",
    shape=lambda c: [_concat_shape([c.shape(i) for i in range(1, c.n_inputs)], c.value(0), c)],
    numpy=True,
)
def Concat(concat_dim, values):
    return _concatenate(values, concat_dim)


@op(
    "ConcatOffset(concat_dim: int32, shape: N * shape_type) -> (offset: N * shape_type); N: int >= 2; shape_type: {int32, int64} = int32",
    shape=lambda c: [c.shape(i) for i in range(1, c.n_inputs)],
    numpy=True,
)
def ConcatOffset(concat_dim, shape):
    rows = [static(s) for s in shape]
    a, rank = int(static(concat_dim)), rows[0].size
    if not -rank <= a < rank:
        raise bad(f"Concat dim is out of range: {a} vs. {rank}")
    a %= rank
    out, offset = [], 0
    for i, s in enumerate(rows):
        if s.size != rank or any(j != a and s[j] != rows[0][j] for j in range(rank)):
            raise bad(
                f"All dimensions except {a} must match. Input {i} has shape {s.tolist()} and doesn't match input 0 with shape {rows[0].tolist()}."
            )
        o = np.zeros(rank, s.dtype)
        o[a] = offset
        offset += int(s[a])
        out.append(o)
    return tuple(out)


no_gradient("ConcatOffset")


def _concat_gradient(op: Any, grad: Any, values: list[Tensor], axis: Tensor, axis_last: bool) -> list[Any]:
    """The slices of `grad` that belong to each value; an IndexedSlices gradient is cut without being made dense."""
    from hornbeam.core.graph import IndexedSlices

    def done(grads: list[Any]) -> list[Any]:
        return [*grads, None] if axis_last else [None, *grads]

    if len(values) == 1:
        return done([grad])
    if isinstance(grad, IndexedSlices):
        return done(_concat_slices_gradient(grad, values, axis))
    non_neg = raw.FloorMod(axis, rank_of(values[0]), name="mod")
    sizes_t = _shapes_of(values)
    offsets = raw.ConcatOffset(non_neg, sizes_t)
    return done([raw.Slice(grad, begin, size) for begin, size in zip(offsets, sizes_t, strict=True)])


def _shapes_of(values: list[Tensor]) -> list[Tensor]:
    if all(v._shape is not None and None not in v._shape for v in values):
        return [shape_of(v) for v in values]
    return list(raw.ShapeN(values))


def _concat_slices_gradient(grad: Any, values: list[Tensor], axis: Tensor) -> list[Any]:
    from hornbeam.core.graph import IndexedSlices

    a = constant_value(axis)
    if a is None:
        raise TypeError("Can only compute IndexedSlices gradient with statically-known concat_dim")
    a = int(a)  # type: ignore[assignment]
    if a < 0:
        rank = next((len(v._shape) for v in values if v._shape is not None), None)
        if rank is None:
            raise ValueError("concat's gradient as IndexedSlices needs a known rank for a negative axis")
        a %= rank
    sizes = [raw.Shape(v) for v in values]
    if a > 0:
        full = raw.Fill(raw.Shape(raw.Shape(grad.values)), -1)
        rank_g = raw.Shape(raw.Shape(grad.values))
        before, after = raw.Fill([a], 0), raw.Fill(raw.Sub(rank_g, [a + 1]), 0)
        out, start = [], np.zeros([1], np.int32)
        for s in sizes:
            width = raw.Slice(s, [a], [1])
            begin = raw.ConcatV2([before, start, after], 0)
            size = raw.ConcatV2([raw.Slice(full, [0], [a]), width, raw.Slice(full, [a + 1], [-1])], 0)
            out.append(IndexedSlices(raw.Slice(grad.values, begin, size), grad.indices, s))
            start = raw.AddV2(start, width)
        return out
    out = []
    start = np.array(0, grad.indices.dtype.np)
    for s in sizes:
        rows = raw.StridedSlice(s, [0], [1], [1], shrink_axis_mask=1)
        rows = raw.Cast(rows, DstT=grad.indices.dtype)
        end = raw.AddV2(rows, start)
        mine = raw.LogicalAnd(raw.GreaterEqual(grad.indices, start), raw.Less(grad.indices, end))
        at = raw.Squeeze(raw.Where(mine), squeeze_dims=[1])
        out.append(
            IndexedSlices(raw.GatherV2(grad.values, at, 0), raw.Sub(raw.GatherV2(grad.indices, at, 0), start), s)
        )
        start = end
    return out


@ConcatV2.gradient
def _(op, grad):
    return _concat_gradient(op, grad, op.inputs[:-1], op.inputs[-1], True)


@Concat.gradient
def _(op, grad):
    return _concat_gradient(op, grad, op.inputs[1:], op.inputs[0], False)


__all__ = ["as_array", "bad", "dense", "is_string", "known", "rank_of", "shape_of", "size_of"]
