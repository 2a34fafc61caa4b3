"""`tf.placeholder`, `tf.reshape`, `tf.concat` …: making, joining, reshaping and cutting tensors, with TF-1.15's signatures and node names."""

from __future__ import annotations

import builtins
from typing import Any

import numpy as np

from hornbeam.api._nodes import cast
from hornbeam.core import dtypes
from hornbeam.core.constant import const_node, partial_value
from hornbeam.core.graph import Tensor, convert_to_tensor, name_scope
from hornbeam.core.registry import raw
from hornbeam.core.tensor_shape import Dimension, TensorShape, to_tuple
from hornbeam.ops.array import rank_of, shape_of, size_of

newaxis = None
_SMALL = 1000  # elements: constants up to this are written into the graph, larger ones become Fill nodes


# --- placeholders ---
def placeholder(dtype: Any, shape: Any = None, name: str | None = None) -> Tensor:
    """A tensor that has to be fed: `session.run(..., feed_dict={p: value})`."""
    return raw.Placeholder(dtype=dtype, shape=to_tuple(shape), name=name)


def placeholder_with_default(input: Any, shape: Any, name: str | None = None) -> Tensor:
    """A tensor that may be fed, and is `input` when it is not."""
    return raw.PlaceholderWithDefault(input, shape=to_tuple(shape), name=name)


# --- identities ---
def identity(input: Any, name: str | None = None) -> Any:
    from hornbeam.core.sparse_tensor import SparseTensor

    if isinstance(input, SparseTensor):
        parts = (identity(t) for t in (input.indices, input.values, input.dense_shape))
        return SparseTensor(*parts)
    return raw.Identity(input, name=name)


def identity_n(input: Any, name: str | None = None) -> list[Tensor]:
    return raw.IdentityN(input, name=name)


def stop_gradient(input: Any, name: str | None = None) -> Tensor:
    return raw.StopGradient(input, name=name)


def guarantee_const(input: Any, name: str | None = None) -> Tensor:
    return raw.GuaranteeConst(input, name=name)


def ensure_shape(x: Any, shape: Any, name: str | None = None) -> Tensor:
    """`x`, checked at run time to have `shape` (None for any size), which becomes its static shape."""
    x = convert_to_tensor(x) if not isinstance(x, Tensor) else x
    return raw.EnsureShape(x, shape=to_tuple(shape), name=name)


# --- shape, size, rank ---
def _is_sparse(x: Any) -> bool:
    from hornbeam.core.sparse_tensor import SparseTensor, SparseTensorValue

    return isinstance(x, (SparseTensor, SparseTensorValue))


def shape(input: Any, name: str | None = None, out_type: Any = dtypes.int32) -> Tensor:
    """The shape as a 1-D tensor: a constant when it is known while building."""
    with name_scope(name, "Shape", [input]) as scope:
        if _is_sparse(input):
            return cast(input.dense_shape, out_type)
        return shape_of(convert_to_tensor(input), dtypes.as_dtype(out_type), scope)


def shape_n(input: Any, out_type: Any = dtypes.int32, name: str | None = None) -> list[Tensor]:
    return raw.ShapeN(input, out_type=out_type, name=name)


def size(input: Any, name: str | None = None, out_type: Any = dtypes.int32) -> Tensor:
    with name_scope(name, "Size", [input]) as scope:
        if _is_sparse(input):
            return raw.Prod(cast(input.dense_shape, out_type), 0, name=scope)
        return size_of(convert_to_tensor(input), dtypes.as_dtype(out_type), scope)


def rank(input: Any, name: str | None = None) -> Tensor:
    with name_scope(name, "Rank", [input]) as scope:
        if _is_sparse(input):
            return raw.Size(input.dense_shape, name=scope)
        return rank_of(convert_to_tensor(input), scope)


def broadcast_dynamic_shape(shape_x: Any, shape_y: Any) -> Tensor:
    return raw.BroadcastArgs(shape_x, shape_y)


def broadcast_static_shape(shape_x: Any, shape_y: Any) -> TensorShape:
    from hornbeam.ops.shapes import broadcast_shapes

    a, b = to_tuple(shape_x), to_tuple(shape_y)
    try:
        return TensorShape(broadcast_shapes(a, b))
    except ValueError:
        raise ValueError(f"Incompatible shapes for broadcasting: {TensorShape(a)} and {TensorShape(b)}") from None


def broadcast_to(input: Any, shape: Any, name: str | None = None) -> Tensor:
    return raw.BroadcastTo(input, shape, name=name)


# --- reshape family ---
def _with_static_shape(t: Tensor, shape: Any) -> Tensor:
    """Adds what is known of a shape tensor to a result whose rule could not see it."""
    if t._shape is None or None in t._shape:
        known = partial_value(shape) if isinstance(shape, Tensor) else None
        if known is not None:
            t.set_shape(known)
    return t


def reshape(tensor: Any, shape: Any, name: str | None = None) -> Tensor:
    return raw.Reshape(tensor, shape, name=name)


def expand_dims(input: Any, axis: Any = None, name: str | None = None, dim: Any = None) -> Tensor:
    """Inserts a dimension of 1 at `axis` (-1: after the last)."""
    axis = _one_of("axis", axis, "dim", dim)
    if axis is None:
        raise ValueError("Must specify an axis argument to tf.expand_dims()")
    return raw.ExpandDims(input, axis, name=name)


def _one_of(new: str, new_value: Any, old: str, old_value: Any) -> Any:
    if old_value is not None:
        if new_value is not None:
            raise ValueError(f"Cannot specify both '{new}' and '{old}'.")
        return old_value
    return new_value


def squeeze(input: Any, axis: Any = None, name: str | None = None, squeeze_dims: Any = None) -> Tensor:
    """Removes dimensions of size 1: all of them, or those in `axis`."""
    axis = _one_of("axis", axis, "squeeze_dims", squeeze_dims)
    if axis is not None and (np.isscalar(axis) or isinstance(axis, Dimension)):
        axis = [axis]
    return raw.Squeeze(input, squeeze_dims=axis, name=name)


def transpose(a: Any, perm: Any = None, name: str = "transpose", conjugate: bool = False) -> Tensor:
    """Permutes dimensions by `perm`; reverses them when it is None."""
    with name_scope(name, "transpose", [a]) as scope:
        a = convert_to_tensor(a, name="a")
        spec = raw.ConjugateTranspose if conjugate and a.dtype.is_complex else raw.Transpose
        if perm is None:
            if a._shape is None:
                n = raw.Rank(a)
                perm = raw.Sub(raw.Sub(n, 1), raw.Range(0, n, 1))
            else:
                perm = np.arange(len(a._shape) - 1, -1, -1, dtype=np.int32)
        return spec(a, perm, name=scope)


def matrix_transpose(a: Any, name: str = "matrix_transpose", conjugate: bool = False) -> Tensor:
    """Swaps the last two dimensions."""
    with name_scope(name, "matrix_transpose", [a]):
        a = convert_to_tensor(a, name="a")
        if a._shape is not None:
            n = len(a._shape)
            if n < 2:
                raise ValueError(f"Argument 'a' should be a (batch) matrix, with rank >= 2.  Found: {a.get_shape()}")
            perm: Any = [*builtins.range(n - 2), n - 1, n - 2]
        else:
            n_t = raw.Rank(a)
            perm = raw.ConcatV2([raw.Range(0, raw.Sub(n_t, 2), 1), raw.Pack([raw.Sub(n_t, 1), raw.Sub(n_t, 2)])], 0)
        return transpose(a, perm=perm, conjugate=conjugate)


# --- filled tensors ---
def fill(dims: Any, value: Any, name: str | None = None) -> Tensor:
    result = raw.Fill(dims, value, name=name)
    return _with_static_shape(result, result.op.inputs[0])


def _filled(value: Any, shape: Any, dtype: Any, name: str | None, default: str) -> Tensor:
    dtype = dtypes.as_dtype(dtype).base_dtype
    with name_scope(name, default, [shape]) as scope:
        value = np.array(value if dtype is not dtypes.string else b"", dtype.np)
        if not isinstance(shape, Tensor):
            try:
                dims = to_tuple(shape)
                if dims is not None and None not in dims and int(np.prod(dims, dtype=np.int64)) < _SMALL:
                    return const_node(np.full(dims, value, dtype.np), dtype, name=scope)
            except (TypeError, ValueError):
                dims = None
            if dims is not None and None not in dims:
                wide = any(d > 2**31 - 1 for d in dims)
                shape = const_node(np.array(dims, np.int64 if wide else np.int32), name="shape_as_tensor")
            else:
                shape = convert_to_tensor(shape, dtype=dtypes.int32)
        if shape._shape == ():
            shape = raw.Reshape(shape, [-1])
        return fill(shape, const_node(value, dtype), name=scope)


def zeros(shape: Any, dtype: Any = dtypes.float32, name: str | None = None) -> Tensor:
    return _filled(0, shape, dtype, name, "zeros")


def ones(shape: Any, dtype: Any = dtypes.float32, name: str | None = None) -> Tensor:
    return _filled(1, shape, dtype, name, "ones")


def zeros_like(tensor: Any, dtype: Any = None, name: str | None = None, optimize: bool = True) -> Tensor:
    """Zeros of the tensor's shape; a constant when that is known while building (and `optimize`)."""
    with name_scope(name, "zeros_like", [tensor]) as scope:
        tensor = convert_to_tensor(tensor, name="tensor")
        wanted = tensor.dtype.base_dtype if dtype is None else dtypes.as_dtype(dtype)
        if optimize and tensor._shape is not None and None not in tensor._shape and tensor.dtype is not dtypes.variant:
            return zeros(tensor.get_shape(), dtype=wanted, name=scope)
        if wanted is not tensor.dtype.base_dtype and wanted is not dtypes.variant:
            result = zeros(shape_of(tensor) if optimize else raw.Shape(tensor), dtype=wanted, name=scope)
            result.set_shape(tensor.get_shape())
            return result
        return raw.ZerosLike(tensor, name=scope)


def ones_like(tensor: Any, dtype: Any = None, name: str | None = None, optimize: bool = True) -> Tensor:
    with name_scope(name, "ones_like", [tensor]) as scope:
        tensor = convert_to_tensor(tensor, name="tensor")
        dims = shape_of(tensor) if optimize else raw.Shape(tensor)
        result = ones(dims, dtype=tensor.dtype if dtype is None else dtype, name=scope)
        result.set_shape(tensor.get_shape())
        return result


def one_hot(
    indices: Any, depth: Any, on_value: Any = None, off_value: Any = None, axis: int | None = None, dtype: Any = None,
    name: str | None = None,
) -> Tensor:  # fmt: skip
    """`on_value` (1) where an index names the position along the new `axis` (the last), `off_value` (0) elsewhere."""
    with name_scope(name, "one_hot", [indices, depth, on_value, off_value, axis, dtype]) as scope:
        given = None if dtype is None else dtypes.as_dtype(dtype).base_dtype
        if on_value is not None:
            on_value = convert_to_tensor(on_value, dtype_hint=given, name="on_value")
        if off_value is not None:
            hint = given or (on_value.dtype if on_value is not None else None)
            off_value = convert_to_tensor(off_value, dtype_hint=hint, name="off_value")
        for label, v in (("on_value", on_value), ("off_value", off_value)):
            if v is not None and given is not None and v.dtype.base_dtype is not given:
                raise TypeError(f"dtype {v.dtype.base_dtype!r} of {label} does not match dtype parameter {given!r}")
        base = given or next((v.dtype.base_dtype for v in (on_value, off_value) if v is not None), dtypes.float32)
        if on_value is None:
            on_value = (
                convert_to_tensor(1, base, name="on_value")
                if base is not dtypes.bool
                else const_node(np.array(True), name="on_value")
            )
        if off_value is None:
            off_value = (
                convert_to_tensor(0, base, name="off_value")
                if base is not dtypes.bool
                else const_node(np.array(False), name="off_value")
            )
        if on_value.dtype.base_dtype is not off_value.dtype.base_dtype:
            raise TypeError(
                f"dtype {on_value.dtype!r} of on_value does not match dtype {off_value.dtype!r} of off_value"
            )
        return raw.OneHot(indices, depth, on_value, off_value, axis=-1 if axis is None else axis, name=scope)


# --- stack, concat, split ---
def stack(values: Any, axis: int = 0, name: str = "stack") -> Tensor:
    """Stacks tensors of one shape along a new `axis`."""
    if axis == 0:
        try:
            return convert_to_tensor(values, name=name)
        except (TypeError, ValueError):
            pass  # Pack says what does not fit
    values = list(values) if not isinstance(values, Tensor) else unstack(values)
    first = values[0] if isinstance(values[0], Tensor) else None
    if first is not None and first._shape is not None:
        n = len(first._shape) + 1
        if not -n <= axis < n:
            raise ValueError(f"axis = {axis} not in [{-n}, {n})")
    return raw.Pack(values, axis=axis, name=name or "stack")


def unstack(value: Any, num: int | None = None, axis: int = 0, name: str = "unstack") -> list[Tensor]:
    """The slices along `axis`; their number is `num`, or comes from the static shape."""
    if num is None:
        value = convert_to_tensor(value)
        dims = value._shape
        if dims is not None:
            if not -len(dims) <= axis < len(dims):
                raise ValueError(f"axis = {axis} not in [{-len(dims)}, {len(dims)})")
            num = dims[axis]
        if num is None:
            raise ValueError(f"Cannot infer num from shape {value.get_shape()}")
    return raw.Unpack(value, num=num, axis=axis, name=name)


def parallel_stack(values: Any, name: str = "parallel_stack") -> Tensor:
    """Like `stack`, of tensors whose shapes are all known."""
    with name_scope(name, "parallel_stack", [values]):
        first = convert_to_tensor(values[0])
        dims = first.get_shape()
        if not dims.is_fully_defined():
            raise ValueError(f"parallel_stack needs fully known shapes, got {dims}")
        return raw.ParallelConcat([raw.ExpandDims(v, 0) for v in values], shape=(len(values), *(first._shape or ())))


def concat(values: Any, axis: Any, name: str = "concat") -> Tensor:
    """Joins tensors along `axis`."""
    if not isinstance(values, (list, tuple)):
        values = [values]
    if len(values) == 1:
        with name_scope(name):
            convert_to_tensor(axis, name="concat_dim", dtype=dtypes.int32).get_shape().assert_is_compatible_with(())
            return identity(values[0], name=name)
    return raw.ConcatV2(values, axis, name=name)


def split(
    value: Any, num_or_size_splits: Any, axis: Any = 0, num: int | None = None, name: str = "split"
) -> list[Tensor]:
    """`num_or_size_splits` pieces along `axis`: a number of equal ones, or their sizes."""
    if isinstance(num_or_size_splits, (int, np.integer, Dimension)) and not isinstance(num_or_size_splits, bool):
        return raw.Split(axis, value, num_split=int(num_or_size_splits), name=name)
    sizes = convert_to_tensor(num_or_size_splits)
    if sizes._shape == ():
        raise ValueError(
            f"Rank-0 tensors are not supported as the num_or_size_splits argument to split. Argument provided: {num_or_size_splits}"
        )
    if num is None:
        num = sizes._shape[0] if sizes._shape else None
        if num is None:
            raise ValueError(f"Cannot infer num from shape {sizes.get_shape()}")
    return raw.SplitV(value, sizes, axis, num_split=num, name=name)


# --- slices, padding, tiling ---
def slice(input_: Any, begin: Any, size: Any, name: str | None = None) -> Tensor:
    """`size` elements from `begin` on in each dimension; -1: to the end."""
    return raw.Slice(input_, begin, size, name=name)


def strided_slice(
    input_: Any, begin: Any, end: Any, strides: Any = None, begin_mask: int = 0, end_mask: int = 0, ellipsis_mask: int = 0,
    new_axis_mask: int = 0, shrink_axis_mask: int = 0, var: Any = None, name: str | None = None,
) -> Tensor:  # fmt: skip
    """The op behind `t[a:b:c]`; with `var`, the result has `.assign(value)`."""
    if strides is None:
        strides = ones_like(convert_to_tensor(begin))
    masks = {
        "begin_mask": begin_mask, "end_mask": end_mask, "ellipsis_mask": ellipsis_mask, "new_axis_mask": new_axis_mask,
        "shrink_axis_mask": shrink_axis_mask,
    }  # fmt: skip
    out = raw.StridedSlice(input_, begin, end, strides, **masks, name=name)
    if var is not None:
        out._extra = {**(out._extra or {}), "variable": var}  # what gives the slice its `assign`
    return out


def pad(
    tensor: Any, paddings: Any, mode: str = "CONSTANT", name: str | None = None, constant_values: Any = 0
) -> Tensor:
    """Pads each dimension by `paddings[d] = (before, after)`: CONSTANT, REFLECT or SYMMETRIC."""
    mode = mode.upper()
    if mode == "CONSTANT":
        if not isinstance(constant_values, Tensor) and np.ndim(constant_values) == 0 and constant_values == 0:
            return raw.Pad(tensor, paddings, name=name)
        return raw.PadV2(tensor, paddings, constant_values, name=name)
    if mode in ("REFLECT", "SYMMETRIC"):
        return raw.MirrorPad(tensor, paddings, mode=mode, name=name)
    raise ValueError(f"Unknown padding mode: {mode}")


def tile(input: Any, multiples: Any, name: str | None = None) -> Tensor:
    return raw.Tile(input, multiples, name=name)


def reverse(tensor: Any, axis: Any, name: str | None = None) -> Tensor:
    return raw.ReverseV2(tensor, axis, name=name)


def reverse_sequence(
    input: Any, seq_lengths: Any, seq_axis: int | None = None, batch_axis: int | None = None, name: str | None = None,
    seq_dim: int | None = None, batch_dim: int | None = None,
) -> Tensor:  # fmt: skip
    """Reverses the first `seq_lengths[i]` elements of each row i."""
    seq = _one_of("seq_axis", seq_axis, "seq_dim", seq_dim)
    batch = _one_of("batch_axis", batch_axis, "batch_dim", batch_dim)
    return raw.ReverseSequence(input, seq_lengths, seq_dim=seq, batch_dim=0 if batch is None else batch, name=name)


def roll(input: Any, shift: Any, axis: Any, name: str | None = None) -> Tensor:
    return raw.Roll(input, shift, axis, name=name)


def repeat(input: Any, repeats: Any, axis: int | None = None, name: str | None = None) -> Tensor:
    """Repeats elements along `axis` (of the flattened input when None), each `repeats[i]` times."""
    with name_scope(name, "Repeat", [input, repeats]):
        data = convert_to_tensor(input, name="data")
        counts = convert_to_tensor(repeats, dtype=None if isinstance(repeats, Tensor) else dtypes.int32, name="repeats")
        if axis is None:
            data, axis = raw.Reshape(data, [-1]), 0
        if data._shape is None:
            raise ValueError("repeat needs an input of known rank")
        n = len(data._shape)
        if not -max(n, 1) <= axis < max(n, 1):
            raise ValueError(f"axis = {axis} out of bounds: expected {-n} <= axis < {n}")
        axis %= n
        if counts._shape == () or counts._shape == (1,):
            counts = raw.Reshape(cast(counts, dtypes.int32), [])
            wide = raw.ExpandDims(data, axis + 1)
            reps = raw.ConcatV2(
                [np.ones(axis + 1, np.int32), raw.Reshape(counts, [1]), np.ones(n - axis - 1, np.int32)], 0
            )
            dims = shape_of(data)
            target = raw.ConcatV2([dims[:axis], [-1], dims[axis + 1 :]], 0)
            return raw.Reshape(raw.Tile(wide, reps), target)
        # row i appears counts[i] times: the index of each output row is how many running totals lie at or below it
        totals = raw.Cumsum(cast(counts, dtypes.int32), 0)
        n_out = raw.Sum(cast(counts, dtypes.int32), [0])
        rows = raw.UpperBound(raw.ExpandDims(totals, 0), raw.ExpandDims(raw.Range(0, n_out, 1), 0))
        return raw.GatherV2(data, raw.Squeeze(rows, squeeze_dims=[0]), axis)


# --- grids and masks ---
def meshgrid(*args: Any, **kwargs: Any) -> list[Tensor]:
    """N-D coordinate tensors of N vectors; `indexing` is 'xy' (the first two dimensions swap) or 'ij'."""
    indexing, name = kwargs.pop("indexing", "xy"), kwargs.pop("name", "meshgrid")
    if kwargs:
        raise TypeError(f"'{next(iter(kwargs))}' is an invalid keyword argument for this function")
    if indexing not in ("xy", "ij"):
        raise ValueError("indexing parameter must be either 'xy' or 'ij'")
    with name_scope(name, "meshgrid", args):
        n = len(args)
        if not n:
            return []
        vectors = [raw.Reshape(stack(x), [1] * i + [-1] + [1] * (n - i - 1)) for i, x in enumerate(args)]
        sizes = [size(x) for x in args]
        base = vectors[0].dtype.base_dtype
        if indexing == "xy" and n > 1:
            vectors[0] = raw.Reshape(vectors[0], [1, -1] + [1] * (n - 2))
            vectors[1] = raw.Reshape(vectors[1], [-1, 1] + [1] * (n - 2))
            sizes[0], sizes[1] = sizes[1], sizes[0]
        factor = ones(raw.Pack(sizes), base)
        return [raw.Mul(x, factor, name="mul") for x in vectors]


def sequence_mask(lengths: Any, maxlen: Any = None, dtype: Any = dtypes.bool, name: str | None = None) -> Tensor:
    """True in the first `lengths[i]` of `maxlen` positions."""
    with name_scope(name, "SequenceMask", [lengths, maxlen]):
        lengths = convert_to_tensor(lengths)
        if maxlen is None:
            axes = (
                raw.Range(0, raw.Rank(lengths), 1)
                if lengths._shape is None
                else np.arange(len(lengths._shape), dtype=np.int32)
            )
            longest = raw.Max(lengths, axes)
            maxlen = raw.Maximum(const_node(np.array(0, longest.dtype.np)), longest)
        else:
            maxlen = convert_to_tensor(maxlen)
        if maxlen._shape is not None and maxlen._shape != ():
            raise ValueError("maxlen must be scalar for sequence_mask")
        row = raw.Range(np.array(0, maxlen.dtype.np), maxlen, np.array(1, maxlen.dtype.np))
        result = raw.Less(row, raw.Cast(raw.ExpandDims(lengths, -1), DstT=maxlen.dtype.base_dtype))
        return (
            result
            if dtype is None or result.dtype.base_dtype == dtypes.as_dtype(dtype).base_dtype
            else cast(result, dtype)
        )


def bitcast(input: Any, type: Any, name: str | None = None) -> Tensor:
    return raw.Bitcast(input, type=type, name=name)


def check_numerics(tensor: Any, message: str, name: str | None = None) -> Tensor:
    """`tensor`; InvalidArgumentError with `message` if it holds NaN or infinity."""
    return raw.CheckNumerics(tensor, message=message, name=name)


def verify_tensor_all_finite(
    t: Any = None, msg: str | None = None, name: str | None = None, x: Any = None, message: str | None = None
) -> Tensor:
    """`t` behind a check that it holds no NaN or infinity."""
    t, msg = _one_of("x", x, "t", t), _one_of("message", message, "msg", msg)
    with name_scope(name, "VerifyFinite", [t]):
        t = convert_to_tensor(t, name="x")
        with t.graph.colocate_with(t):
            check = raw.CheckNumerics(t, message=msg)
        with t.graph.control_dependencies([check]):
            return raw.Identity(t, name="control_dependency")


def add_check_numerics_ops() -> Any:
    """One operation that checks every floating-point tensor of the default graph."""
    from hornbeam.core.graph import control_dependencies, get_default_graph

    checks: list[Any] = []
    for op in get_default_graph().get_operations():
        for i, t in enumerate(op.outputs):
            if t.dtype in (dtypes.float16, dtypes.float32, dtypes.float64):
                with control_dependencies(checks[-1:]):
                    checks.append(raw.CheckNumerics(t, message=f"{op.name}:{i}"))
    with control_dependencies(checks):
        return raw.NoOp(name=None)


def unravel_index(indices: Any, dims: Any, name: str | None = None) -> Tensor:
    return raw.UnravelIndex(indices, dims, name=name)


__tf_exports__ = {
    **{n: n for n in (
        "placeholder", "placeholder_with_default", "identity", "identity_n", "stop_gradient", "guarantee_const", "ensure_shape", "shape", "shape_n",
        "size", "rank", "broadcast_dynamic_shape", "broadcast_static_shape", "broadcast_to", "reshape", "expand_dims", "squeeze", "transpose",
        "matrix_transpose", "fill", "zeros", "ones", "zeros_like", "ones_like", "one_hot", "stack", "unstack", "parallel_stack", "concat", "split",
        "slice", "strided_slice", "pad", "tile", "reverse", "reverse_sequence", "roll", "repeat", "meshgrid", "sequence_mask", "bitcast",
        "check_numerics", "verify_tensor_all_finite", "add_check_numerics_ops", "unravel_index", "newaxis",
    )},
    "reverse_v2": "reverse", "manip.reshape": "reshape", "manip.reverse": "reverse", "manip.roll": "roll", "manip.tile": "tile",
    "linalg.transpose": "matrix_transpose", "linalg.matrix_transpose": "matrix_transpose", "debugging.check_numerics": "check_numerics",
    "debugging.assert_all_finite": "verify_tensor_all_finite",
}  # fmt: skip
