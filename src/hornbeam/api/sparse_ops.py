"""`tf.sparse.*`, `tf.sparse_placeholder`, `tf.sparse_to_dense` …: operations on SparseTensor."""

from __future__ import annotations

from typing import Any

import numpy as np

from hornbeam.api._nodes import cast
from hornbeam.core import dtypes
from hornbeam.core.constant import as_array, constant_value, partial_value
from hornbeam.core.graph import Tensor, convert_to_tensor, name_scope
from hornbeam.core.registry import raw
from hornbeam.core.sparse_tensor import SparseTensor, SparseTensorValue
from hornbeam.core.tensor_shape import to_tuple
from hornbeam.ops.array import shape_of


def _sparse(x: Any) -> SparseTensor:
    """A SparseTensor or its value; TypeError for anything else."""
    if isinstance(x, SparseTensorValue):
        return SparseTensor.from_value(x)
    if not isinstance(x, SparseTensor):
        raise TypeError("Input must be a SparseTensor.")
    return x


def _parts(x: SparseTensor) -> tuple[Tensor, Tensor, Tensor]:
    return x.indices, x.values, x.dense_shape


# --- making them ---
def sparse_placeholder(dtype: Any, shape: Any = None, name: str | None = None) -> SparseTensor:
    """A SparseTensor to feed, by a SparseTensorValue or (indices, values, shape)."""
    prefix = None if name is None else f"{name}/"
    at = lambda part: None if prefix is None else prefix + part
    dims = to_tuple(shape) if not isinstance(shape, Tensor) else None
    rank = None if dims is None else len(dims)
    if isinstance(shape, Tensor):
        dense_shape, rank = shape, (shape._shape or (None,))[0]
    elif dims is None:
        dense_shape = raw.Placeholder(dtype=dtypes.int64, shape=(None,), name=at("shape"))
    elif None in dims:
        # unknown sizes are -1 by default, and fed
        default = np.array([-1 if d is None else d for d in dims], np.int64)
        dense_shape = raw.PlaceholderWithDefault(default, shape=default.shape, name=at("shape"))
    else:
        dense_shape = convert_to_tensor(np.array(dims, np.int64), name=at("shape"))
    out = SparseTensor(
        values=raw.Placeholder(dtype=dtype, shape=(None,), name=at("values")),
        indices=raw.Placeholder(dtype=dtypes.int64, shape=(None, rank), name=at("indices")),
        dense_shape=dense_shape,
    )
    if dims is not None and not isinstance(shape, Tensor):
        out._static_shape = dims
    return out


def from_dense(tensor: Any, name: str | None = None) -> SparseTensor:
    """The elements that are not zero."""
    with name_scope(name, "dense_to_sparse", None):
        tensor = convert_to_tensor(tensor)
        zero = np.array(b"" if tensor.dtype is dtypes.string else 0, tensor.dtype.np)
        indices = raw.Where(raw.NotEqual(tensor, zero))
        return SparseTensor(indices, raw.GatherNd(tensor, indices), shape_of(tensor, dtypes.int64))


def sparse_eye(
    num_rows: Any, num_columns: Any = None, dtype: Any = dtypes.float32, name: str | None = None
) -> SparseTensor:
    with name_scope(name, "eye", [num_rows, num_columns]):
        rows = (
            convert_to_tensor(num_rows, dtypes.int64)
            if not isinstance(num_rows, Tensor)
            else cast(num_rows, dtypes.int64)
        )
        columns = rows if num_columns is None else cast(convert_to_tensor(num_columns), dtypes.int64)
        n = raw.Minimum(rows, columns)
        diagonal = raw.Range(np.array(0, np.int64), n, np.array(1, np.int64))
        base = dtypes.as_dtype(dtype)
        values = raw.Fill(raw.Reshape(n, [1]), np.array(1, base.np))
        return SparseTensor(raw.Pack([diagonal, diagonal], axis=1), values, raw.Pack([rows, columns]))


# --- to dense ---
def sparse_to_dense(
    sparse_indices: Any, output_shape: Any, sparse_values: Any, default_value: Any = 0, validate_indices: bool = True,
    name: str | None = None,
) -> Tensor:  # fmt: skip
    return raw.SparseToDense(
        sparse_indices, output_shape, sparse_values, default_value, validate_indices=validate_indices, name=name
    )


def sparse_tensor_to_dense(
    sp_input: Any, default_value: Any = None, validate_indices: bool = True, name: str | None = None
) -> Tensor:
    """The dense tensor, with `default_value` (zero) where there is no element."""
    sp = _sparse(sp_input)
    if default_value is None:
        default_value = np.array(b"" if sp.dtype.base_dtype is dtypes.string else 0, sp.dtype.base_dtype.np)
    return sparse_to_dense(
        sp.indices, sp.dense_shape, sp.values, default_value=default_value, validate_indices=validate_indices, name=name
    )


def sparse_to_indicator(sp_input: Any, vocab_size: int, name: str | None = None) -> Tensor:
    """[…, vocab_size] booleans: true where an id appears in the last dimension."""
    sp = _sparse(sp_input)
    with name_scope(name, "SparseToIndicator", [*_parts(sp)]) as scope:
        ones = raw.Fill(shape_of(sp.values), np.array(True))
        ids = sparse_merge(sp, sp.with_values(ones), vocab_size, name)
        return sparse_tensor_to_dense(ids, default_value=False, validate_indices=False, name=scope)


def sparse_merge(
    sp_ids: Any, sp_values: Any, vocab_size: Any, name: str | None = None, already_sorted: bool = False
) -> SparseTensor:
    """Values at the positions that batches of feature ids name: the last dimension becomes `vocab_size`."""
    if isinstance(sp_values, SparseTensorValue) or not isinstance(sp_values, SparseTensor):
        sp_values = _sparse(sp_values)
    many = isinstance(sp_ids, (list, tuple)) and not isinstance(sp_ids, SparseTensorValue)
    ids_list = [_sparse(i) for i in sp_ids] if many else [_sparse(sp_ids)]
    sizes = list(vocab_size) if many else [vocab_size]
    if len(ids_list) != len(sizes):
        raise ValueError("sp_ids and vocab_size have to have equal lengths.")
    with name_scope(name, "SparseMerge", [sp_values.values]):
        columns, dims = [], []
        for ids, size in zip(ids_list, sizes, strict=True):
            if not ids.dtype.is_integer:
                raise TypeError(f"sp_ids has to be an integer SparseTensor, got {ids.dtype}")
            columns.append(raw.ExpandDims(cast(ids.values, dtypes.int64), 1))
            dims.append(raw.Reshape(cast(convert_to_tensor(size), dtypes.int64), [1]))
        lead = ids_list[0].indices[:, :-1]
        indices = raw.ConcatV2([lead, *columns], 1, name="concat")
        shape = raw.ConcatV2([ids_list[0].dense_shape[:-1], *dims], 0, name="concat")
        out = SparseTensor(indices, sp_values.values, shape)
        return out if already_sorted else sparse_reorder(out)


# --- arithmetic ---
def sparse_add(a: Any, b: Any, threshold: Any = None, thresh: Any = None) -> Any:
    """Sum of two sparse tensors (sums below `threshold` are dropped), or of a sparse and a dense one (dense)."""
    limit = thresh if threshold is None else threshold
    limit = 0 if limit is None else limit
    is_sparse = lambda x: isinstance(x, (SparseTensor, SparseTensorValue))
    if is_sparse(a) and is_sparse(b):
        a, b = _sparse(a), _sparse(b)
        base = a.values.dtype.base_dtype
        real = base.real_dtype
        limit = convert_to_tensor(limit, real, name="thresh") if not isinstance(limit, Tensor) else limit
        return SparseTensor(*raw.SparseAdd(*_parts(a), *_parts(b), limit))
    if not is_sparse(a) and not is_sparse(b):
        raise TypeError("At least one input should be SparseTensor; do you mean to use tf.add()?")
    if is_sparse(b):
        a, b = b, a
    a = _sparse(a)
    return raw.SparseTensorDenseAdd(*_parts(a), convert_to_tensor(b, a.dtype.base_dtype))


def sparse_tensor_dense_matmul(
    sp_a: Any, b: Any, adjoint_a: bool = False, adjoint_b: bool = False, name: str | None = None
) -> Tensor:
    """Product of a sparse matrix and a dense one (in either order)."""
    if isinstance(b, (SparseTensor, SparseTensorValue)) and not isinstance(sp_a, (SparseTensor, SparseTensorValue)):
        # dense · sparse = (sparseᵀ · denseᵀ)ᵀ
        product = sparse_tensor_dense_matmul(b, sp_a, adjoint_a=not adjoint_b, adjoint_b=not adjoint_a)
        return raw.ConjugateTranspose(product, [1, 0]) if product.dtype.is_complex else raw.Transpose(product, [1, 0])
    sp_a = _sparse(sp_a)
    with name_scope(name, "SparseTensorDenseMatMul", [*_parts(sp_a), b]):
        b = convert_to_tensor(b, sp_a.dtype.base_dtype if not isinstance(b, Tensor) else None, name="b")
        return raw.SparseTensorDenseMatMul(*_parts(sp_a), b, adjoint_a=adjoint_a, adjoint_b=adjoint_b)


def sparse_maximum(sp_a: Any, sp_b: Any, name: str | None = None) -> SparseTensor:
    return _extremum(raw.SparseSparseMaximum, "SparseSparseMaximum", sp_a, sp_b, name)


def sparse_minimum(sp_a: Any, sp_b: Any, name: str | None = None) -> SparseTensor:
    return _extremum(raw.SparseSparseMinimum, "SparseSparseMinimum", sp_a, sp_b, name)


def _extremum(spec: Any, default: str, sp_a: Any, sp_b: Any, name: str | None) -> SparseTensor:
    a, b = _sparse(sp_a), _sparse(sp_b)
    with name_scope(name, default, [a.indices, a.values, b.indices, b.values]) as scope:
        indices, values = spec(*_parts(a), *_parts(b), name=scope)
        return SparseTensor(indices, values, a.dense_shape)


def sparse_softmax(sp_input: Any, name: str | None = None) -> SparseTensor:
    """Softmax over the last dimension among the elements that are there."""
    sp = _sparse(sp_input)
    with name_scope(name, "SparseSoftmax", [sp.indices, sp.values]):
        return SparseTensor(sp.indices, raw.SparseSoftmax(*_parts(sp)), sp.dense_shape)


# --- order, shape, parts ---
def sparse_reorder(sp_input: Any, name: str | None = None) -> SparseTensor:
    """The same elements in row-major order."""
    sp = _sparse(sp_input)
    out = SparseTensor(*raw.SparseReorder(*_parts(sp), name=name), sp.dense_shape)
    out._static_shape = to_tuple(sp.shape)
    return out


def sparse_reshape(sp_input: Any, shape: Any, name: str | None = None) -> SparseTensor:
    sp = _sparse(sp_input)
    wanted = (
        shape
        if isinstance(shape, Tensor)
        else np.array([-1 if d is None else int(d) for d in to_list(shape)], np.int64)
    )
    with name_scope(name, "SparseReshape", [sp]) as scope:
        indices, dims = raw.SparseReshape(sp.indices, sp.dense_shape, cast(wanted, dtypes.int64), name=scope)
        out = SparseTensor(indices, sp.values, dims)
        if isinstance(wanted, np.ndarray):
            known = [None if d < 0 else int(d) for d in wanted]
            given = partial_value(sp.dense_shape)
            if known.count(None) == 1 and given is not None and None not in given:
                rest = int(np.prod([d for d in known if d is not None], dtype=np.int64))
                known[known.index(None)] = int(np.prod(given, dtype=np.int64)) // max(rest, 1)
            full = None not in known and given is not None and None not in given
            if full and np.prod(known, dtype=np.int64) != np.prod(given, dtype=np.int64):  # type: ignore[arg-type]
                raise ValueError(f"Cannot reshape a sparse tensor of shape {list(given)} to shape {known}")  # type: ignore[arg-type]
            out._static_shape = tuple(known)
        return out


def to_list(shape: Any) -> list[Any]:
    return [getattr(d, "value", d) for d in (shape if hasattr(shape, "__iter__") else [shape])]


def sparse_expand_dims(sp_input: Any, axis: Any = None, name: str | None = None) -> SparseTensor:
    sp = _sparse(sp_input)
    rank = sp.dense_shape._shape[0] if sp.dense_shape._shape else None
    if rank is None:
        raise ValueError("sparse expand_dims needs a SparseTensor of known rank")
    a = -1 if axis is None else int(axis)
    if not -rank - 1 <= a <= rank:
        raise ValueError(f"axis {a} is not in [{-rank - 1}, {rank}]")
    a = a + rank + 1 if a < 0 else a
    with name_scope(name, "expand_dims", [sp]):
        column = raw.ZerosLike(sp.indices[:, :1])
        indices = raw.ConcatV2([sp.indices[:, :a], column, sp.indices[:, a:]], 1, name="concat")
        dims = raw.ConcatV2([sp.dense_shape[:a], np.array([1], np.int64), sp.dense_shape[a:]], 0, name="concat")
        return SparseTensor(indices, sp.values, dims)


def sparse_transpose(sp_input: Any, perm: Any = None, name: str | None = None) -> SparseTensor:
    sp = _sparse(sp_input)
    with name_scope(name, "SparseTranspose", [sp]):
        rank = sp.dense_shape._shape[0] if sp.dense_shape._shape else None
        if perm is None:
            if rank is not None:
                perm = np.arange(rank - 1, -1, -1, dtype=np.int32)
            else:
                n = raw.Size(sp.dense_shape)
                perm = raw.Sub(raw.Sub(n, 1), raw.Range(0, n, 1))
        indices = raw.GatherV2(sp.indices, perm, 1)
        dims = raw.GatherV2(sp.dense_shape, perm, 0)
        out = SparseTensor(indices, sp.values, dims)
        given, order = to_tuple(sp.shape), constant_value(convert_to_tensor(perm))
        if given is not None and order is not None:
            out._static_shape = tuple(given[int(i)] for i in order)
        return sparse_reorder(out)


def sparse_concat(
    axis: int, sp_inputs: Any, name: str | None = None, expand_nonconcat_dim: bool = False, concat_dim: Any = None,
    expand_nonconcat_dims: Any = None,
) -> SparseTensor:  # fmt: skip
    """Joins along `axis`; `expand_nonconcat_dims` lets the other dimensions differ (the largest counts)."""
    axis = axis if concat_dim is None else concat_dim
    expand = bool(expand_nonconcat_dims if expand_nonconcat_dims is not None else expand_nonconcat_dim)
    if not isinstance(sp_inputs, (list, tuple)):
        raise TypeError("sparse_concat: sp_inputs must be a list of SparseTensors")
    parts = [_sparse(s) for s in sp_inputs]
    if len(parts) == 1:
        return parts[0]
    shapes = [p.dense_shape for p in parts]
    if expand:
        largest = raw.Max(raw.Pack([cast(s, dtypes.int64) for s in shapes]), [0])
        rank = shapes[0]._shape[0] if shapes[0]._shape else None
        a = axis % rank if rank is not None else axis
        if a < 0:
            raise ValueError("sparse_concat with expand_nonconcat_dims needs a known rank for a negative axis")
        shapes = [raw.ConcatV2([largest[:a], s[a : a + 1], largest[a + 1 :]], 0, name="concat") for s in shapes]
    out = raw.SparseConcat([p.indices for p in parts], [p.values for p in parts], shapes, concat_dim=axis, name=name)
    return SparseTensor(*out)


def sparse_split(
    keyword_required: Any = None, sp_input: Any = None, num_split: int | None = None, axis: Any = None, name: str | None = None,
    split_dim: Any = None,
) -> list[SparseTensor]:  # fmt: skip
    """`num_split` parts along `axis`, the first ones larger where it does not divide."""
    if keyword_required is not None and sp_input is not None or sp_input is None:
        raise ValueError("Keyword arguments are required for this function: sp_input, num_split, axis")
    axis = split_dim if axis is None else axis
    if num_split is None or axis is None:
        raise ValueError("num_split and axis are required")
    sp = _sparse(sp_input)
    indices, values, dims = raw.SparseSplit(cast(axis, dtypes.int64), *_parts(sp), num_split=num_split, name=name)
    return [SparseTensor(i, v, d) for i, v, d in zip(indices, values, dims, strict=True)]


def sparse_slice(sp_input: Any, start: Any, size: Any, name: str | None = None) -> SparseTensor:
    sp = _sparse(sp_input)
    with name_scope(name, "SparseSlice", [sp]) as scope:
        start, size = convert_to_tensor(start, dtypes.int64), convert_to_tensor(size, dtypes.int64)
        return SparseTensor(*raw.SparseSlice(*_parts(sp), start, size, name=scope))


def sparse_retain(sp_input: Any, to_retain: Any) -> SparseTensor:
    """The elements for which the boolean vector `to_retain` is true."""
    sp = _sparse(sp_input)
    keep = convert_to_tensor(to_retain)
    where = raw.Reshape(raw.Where(keep), [-1])
    indices, values = raw.GatherV2(sp.indices, where, 0), raw.GatherV2(sp.values, where, 0)
    return SparseTensor(indices, values, raw.Identity(sp.dense_shape))


def sparse_reset_shape(sp_input: Any, new_shape: Any = None) -> SparseTensor:
    """The same elements in another dense shape: the smallest that holds them, or a larger `new_shape`."""
    sp = _sparse(sp_input)
    indices, values = raw.Identity(sp.indices), raw.Identity(sp.values)
    if new_shape is None:
        largest = raw.Max(indices, [0])
        # Max over no rows gives the least number; then the sizes are 0
        return SparseTensor(
            indices, values, raw.Maximum(np.array(0, np.int64), raw.AddV2(largest, np.ones([1], np.int64)))
        )
    target = convert_to_tensor(as_array(new_shape).astype(np.int64) if not isinstance(new_shape, Tensor) else new_shape)
    target = cast(target, dtypes.int64)
    known, given = partial_value(target), partial_value(sp.dense_shape)
    if (
        known is not None
        and given is not None
        and (
            len(known) != len(given)
            or any(a is not None and b is not None and a < b for a, b in zip(known, given, strict=True))
        )
    ):
        raise ValueError(
            f"New shape should have dimensions sizes >= sp_input.shape. sp_input.shape = {sp.shape}, new shape = {known}"
        )
    from hornbeam.core.graph import control_dependencies

    fits = raw.All(raw.GreaterEqual(target, cast(sp.dense_shape, dtypes.int64)), [0])
    check = raw.Assert(
        fits, ["new_shape must be at least as large as the sparse tensor's shape:", target, sp.dense_shape]
    )
    with control_dependencies([check]):
        return SparseTensor(indices, values, raw.Identity(target))


# --- reductions ---
def _axes(sp: SparseTensor, axis: Any, reduction_axes: Any) -> Any:
    axis = reduction_axes if axis is None else axis
    if axis is None:
        rank = sp.dense_shape._shape[0] if sp.dense_shape._shape else None
        return np.arange(rank, dtype=np.int32) if rank is not None else raw.Range(0, raw.Size(sp.dense_shape), 1)
    return axis


def _reduction(op: str, returns_sparse: bool) -> Any:
    def reduce(
        sp_input: Any,
        axis: Any = None,
        keepdims: Any = None,
        reduction_axes: Any = None,
        keep_dims: Any = None,
        name: str | None = None,
    ) -> Any:
        sp = _sparse(sp_input)
        keep = bool(next((k for k in (keepdims, keep_dims) if k is not None), False))
        out = getattr(raw, op)(*_parts(sp), _axes(sp, axis, reduction_axes), keep_dims=keep, name=name)
        return SparseTensor(*out) if returns_sparse else out

    reduce.__name__ = reduce.__qualname__ = op
    return reduce


sparse_reduce_sum = _reduction("SparseReduceSum", False)
sparse_reduce_max = _reduction("SparseReduceMax", False)
sparse_reduce_sum_sparse = _reduction("SparseReduceSumSparse", True)
sparse_reduce_max_sparse = _reduction("SparseReduceMaxSparse", True)


def sparse_fill_empty_rows(sp_input: Any, default_value: Any, name: str | None = None) -> tuple[SparseTensor, Tensor]:
    """(the tensor with `default_value` in column 0 of rows that had nothing, which rows those are)."""
    sp = _sparse(sp_input)
    with name_scope(name, "SparseFillEmptyRows", [sp]):
        default_value = convert_to_tensor(default_value, dtype=sp.values.dtype.base_dtype)
        indices, values, empty, _ = raw.SparseFillEmptyRows(*_parts(sp), default_value)
        return SparseTensor(indices, values, sp.dense_shape), empty


# --- serialised ---
def serialize_sparse(sp_input: Any, name: str | None = None, out_type: Any = dtypes.string) -> Tensor:
    return raw.SerializeSparse(*_parts(_sparse(sp_input)), out_type=out_type, name=name)


def serialize_many_sparse(sp_input: Any, name: str | None = None, out_type: Any = dtypes.string) -> Tensor:
    return raw.SerializeManySparse(*_parts(_sparse(sp_input)), out_type=out_type, name=name)


def deserialize_sparse(
    serialized_sparse: Any, dtype: Any, rank: int | None = None, name: str | None = None
) -> SparseTensor:
    return _with_rank(raw.DeserializeSparse(serialized_sparse, dtype=dtype, name=name), rank)


def deserialize_many_sparse(
    serialized_sparse: Any, dtype: Any, rank: int | None = None, name: str | None = None
) -> SparseTensor:
    """The minibatch made of serialised sparse tensors [n, 3] of rank `rank` - 1."""
    return _with_rank(raw.DeserializeManySparse(serialized_sparse, dtype=dtype, name=name), rank)


def _with_rank(parts: Any, rank: int | None) -> SparseTensor:
    indices, values, dims = parts
    indices.set_shape([None, rank])
    dims.set_shape([rank])
    return SparseTensor(indices, values, dims)


_SAME = ("placeholder", "add", "maximum", "minimum", "reduce_max", "reduce_max_sparse", "reduce_sum", "reduce_sum_sparse", "reorder",
         "reset_shape", "reshape", "retain", "slice", "softmax", "split", "transpose", "concat", "fill_empty_rows", "merge")  # fmt: skip

__tf_exports__ = {
    **{f"sparse.{n}": f"sparse_{n}" for n in _SAME}, **{f"sparse_{n}": f"sparse_{n}" for n in _SAME},
    "SparseTensor": "hornbeam.core.sparse_tensor:SparseTensor", "SparseTensorValue": "hornbeam.core.sparse_tensor:SparseTensorValue",
    "sparse.SparseTensor": "hornbeam.core.sparse_tensor:SparseTensor",
    "convert_to_tensor_or_sparse_tensor": "hornbeam.core.sparse_tensor:convert_to_tensor_or_sparse_tensor",
    "sparse.from_dense": "from_dense", "sparse.eye": "sparse_eye", "sparse.expand_dims": "sparse_expand_dims",
    "sparse.to_dense": "sparse_tensor_to_dense", "sparse_tensor_to_dense": "sparse_tensor_to_dense", "sparse_to_dense": "sparse_to_dense",
    "sparse.to_indicator": "sparse_to_indicator", "sparse_to_indicator": "sparse_to_indicator",
    "sparse.matmul": "sparse_tensor_dense_matmul", "sparse.sparse_dense_matmul": "sparse_tensor_dense_matmul",
    "sparse_tensor_dense_matmul": "sparse_tensor_dense_matmul",
    **{f"{ns}{n}": n for ns in ("", "io.") for n in ("serialize_sparse", "serialize_many_sparse", "deserialize_many_sparse")},
    "io.deserialize_sparse": "deserialize_sparse",
}  # fmt: skip
