"""`tf.nn.embedding_lookup` and its sparse forms: rows of one or several parameter tensors by id."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hornbeam.api import array_ops, array_select
from hornbeam.api._nodes import cast
from hornbeam.api.math_ops import range as range_
from hornbeam.core import dtypes
from hornbeam.core.constant import constant_value
from hornbeam.core.graph import Tensor, convert_to_tensor, get_default_graph, name_scope
from hornbeam.core.partitions import PartitionedVariable
from hornbeam.core.registry import raw
from hornbeam.core.sparse_tensor import SparseTensor


def as_list(params: Any) -> list[Any]:
    """One parameter, several, or a partitioned variable as a list."""
    if isinstance(params, (PartitionedVariable, list, tuple)):
        return list(params)
    return [params]


def _is_resource(param: Any) -> bool:
    return hasattr(param, "sparse_read")


def _clip(params: Any, ids: Tensor, max_norm: Any) -> Any:
    """Each looked-up row scaled down to `max_norm` where it is longer."""
    if max_norm is None:
        return params
    from hornbeam.api.clip_ops import clip_by_norm

    ids_rank = None if ids._shape is None else len(ids._shape)
    rank = None if params._shape is None else len(params._shape)
    if ids_rank is not None and rank is not None:
        axes: Any = list(range(ids_rank, rank))
    else:
        axes = range_(array_ops.rank(ids), array_ops.rank(params))
    return clip_by_norm(params, max_norm, axes=axes)


def _rows(param: Any) -> int | None:
    shape = param.get_shape()
    return None if shape.ndims is None else shape.as_list()[0]


def _assign(flat_ids: Tensor, params: list[Any], strategy: str) -> tuple[Tensor, Tensor]:
    """(partition, row in it) of each id."""
    n = len(params)
    if strategy == "mod":
        return flat_ids % n, flat_ids // n  # type: ignore[operator]
    if strategy != "div":
        raise ValueError("Unrecognized partition strategy: " + strategy)
    sizes = [_rows(p) for p in params]
    if all(s is not None for s in sizes):
        total: Any = convert_to_tensor(sum(sizes), flat_ids.dtype.base_dtype)  # type: ignore[arg-type]
    else:
        dims = [s if s is not None else array_ops.shape(p)[0] for s, p in zip(sizes, params, strict=True)]
        total = raw.Sum(cast(raw.Pack(dims), flat_ids.dtype), [0])
    each, extras = total // n, total % n
    where = raw.Maximum(flat_ids // (each + 1), (flat_ids - extras) // each)  # type: ignore[operator]
    row = raw.Select(raw.Less(where, extras), flat_ids % (each + 1), (flat_ids - extras) % each)  # type: ignore[operator]
    return where, row


def _lookup(
    params: Any,
    ids: Any,
    partition_strategy: str,
    name: str | None,
    max_norm: Any,
    transform: Callable[[Any], Any] | None = None,
) -> Tensor:
    if params is None or isinstance(params, (list, tuple)) and not params:
        raise ValueError("Need at least one param")
    params = as_list(params)
    with name_scope(name, "embedding_lookup", [*params, ids]) as scope:
        if not any(_is_resource(p) for p in params):
            params = [convert_to_tensor(p, name=f"params_{i}") for i, p in enumerate(params)]
        ids = convert_to_tensor(ids, name="ids")
        graph = get_default_graph()
        if len(params) == 1 and (transform is None or ids.get_shape().ndims == 1):
            with graph.colocate_with(params[0]):
                result = _clip(array_select.gather(params[0], ids, name=scope), ids, max_norm)
                if transform:
                    result = transform(result)
            return array_ops.identity(result)
        flat_ids = array_ops.reshape(ids, [-1])
        order = range_(array_ops.size(flat_ids))
        where, row = _assign(flat_ids, params, partition_strategy)
        where = cast(where, dtypes.int32)
        n = len(params)
        row_parts = raw.DynamicPartition(row, where, num_partitions=n)
        order_parts = raw.DynamicPartition(order, where, num_partitions=n)
        found = []
        for param, rows in zip(params, row_parts, strict=True):
            with graph.colocate_with(param):
                part = array_select.gather(param, rows)
                if transform:
                    part = transform(_clip(part, rows, max_norm))
            found.append(part)
        out = raw.ParallelDynamicStitch(order_parts, found, name=scope)
        if transform is None:
            element = params[0].get_shape()[1:]
            for p in params[1:]:
                element = element.merge_with(p.get_shape()[1:])
        else:
            element = out.get_shape()[1:]
        if element.is_fully_defined():
            dims: Any = element.as_list()
        elif transform is None:
            with graph.colocate_with(params[0]):
                dims = array_ops.shape(params[0])[1:]
        else:
            dims = array_ops.shape(out)[1:]
        shape = array_ops.shape(ids) if dims == [] else array_ops.concat([array_ops.shape(ids), dims], 0)
        out = array_ops.reshape(out, shape)
        out.set_shape(ids.get_shape().concatenate(element))
        return out if transform else _clip(out, ids, max_norm)


def embedding_lookup(
    params: Any, ids: Any, partition_strategy: str = "mod", name: str | None = None, validate_indices: bool = True,
    max_norm: Any = None,
) -> Tensor:  # fmt: skip
    """Rows of `params` at `ids`: ids.shape + params.shape[1:]. Several params partition the rows by "mod" or in "div" blocks.

    `validate_indices` has no effect, as in TensorFlow 1.15.
    """
    del validate_indices
    return _lookup(params, ids, partition_strategy, name, max_norm)


def _check_sparse(sp_ids: Any, sp_weights: Any) -> None:
    if not isinstance(sp_ids, SparseTensor):
        raise TypeError("sp_ids must be SparseTensor")
    if sp_weights is None:
        return
    if not isinstance(sp_weights, SparseTensor):
        raise TypeError("sp_weights must be either None or SparseTensor")
    for part in ("values", "indices", "dense_shape"):
        getattr(sp_ids, part).get_shape().assert_is_compatible_with(getattr(sp_weights, part).get_shape())


_SEGMENT = {"sum": "SparseSegmentSum", "mean": "SparseSegmentMean", "sqrtn": "SparseSegmentSqrtN"}


def embedding_lookup_sparse(
    params: Any, sp_ids: SparseTensor, sp_weights: SparseTensor | None, partition_strategy: str = "mod", name: str | None = None,
    combiner: str | None = None, max_norm: Any = None,
) -> Tensor:  # fmt: skip
    """Per row of `sp_ids`, its ids' embeddings combined: "sum", "mean" (the default) or "sqrtn", weighted by `sp_weights`."""
    combiner = combiner or "mean"
    if combiner not in _SEGMENT:
        raise ValueError("combiner must be one of 'mean', 'sqrtn' or 'sum'")
    params = as_list(params)
    _check_sparse(sp_ids, sp_weights)
    with name_scope(name, "embedding_lookup_sparse", [*params, sp_ids.values]) as scope:
        segments = sp_ids.indices[:, 0]  # type: ignore[index]
        if segments.dtype is not dtypes.int32:
            segments = cast(segments, dtypes.int32)
        ids, at = raw.Unique(sp_ids.values)
        embeddings = embedding_lookup(params, ids, partition_strategy=partition_strategy, max_norm=max_norm)
        if sp_weights is None:
            return getattr(raw, _SEGMENT[combiner])(embeddings, at, segments, name=scope)  # type: ignore[no-any-return]
        dtype = embeddings.dtype
        embeddings = array_select.gather(embeddings, at)
        if dtype in (dtypes.float16, dtypes.bfloat16):
            embeddings = cast(embeddings, dtypes.float32)
        weights = cast(sp_weights.values, embeddings.dtype)
        ones = array_ops.ones(array_ops.expand_dims(array_ops.rank(embeddings) - 1, 0), dtypes.int32)
        known = weights._shape
        weights = array_ops.reshape(weights, array_ops.concat([array_ops.shape(weights), ones], 0))
        if embeddings._shape is not None and known is not None:
            weights.set_shape([*known, *[1] * (len(embeddings._shape) - 1)])
        weighted = embeddings * weights
        if combiner == "sum":
            out = raw.SegmentSum(weighted, segments, name=scope)
        else:
            total = raw.SegmentSum(weighted, segments)
            if combiner == "mean":
                norm = raw.SegmentSum(weights, segments)
            else:
                norm = raw.Sqrt(raw.SegmentSum(raw.Pow(weights, 2.0), segments))
            out = raw.RealDiv(total, norm, name=scope)
        return cast(out, dtype)


def _retained(sp: SparseTensor, keep: Tensor) -> SparseTensor:
    """The entries for which `keep` is true."""
    rows = array_ops.reshape(raw.Where(keep), [-1])
    return SparseTensor(array_select.gather(sp.indices, rows), array_select.gather(sp.values, rows), sp.dense_shape)


def _filled_rows(sp: SparseTensor, default: Any) -> tuple[SparseTensor, Tensor]:
    """(sp with an entry of `default` in each empty row, which rows were empty)."""
    value = convert_to_tensor(default, sp.values.dtype.base_dtype)
    indices, values, empty, _ = raw.SparseFillEmptyRows(sp.indices, sp.values, sp.dense_shape, value)
    return SparseTensor(indices, values, sp.dense_shape), empty


def safe_embedding_lookup_sparse(
    embedding_weights: Any, sparse_ids: SparseTensor, sparse_weights: SparseTensor | None = None, combiner: str = "mean",
    default_id: int | None = None, name: str | None = None, partition_strategy: str = "div", max_norm: Any = None,
) -> Tensor:  # fmt: skip
    """embedding_lookup_sparse that drops ids below 0 and weights not above 0, and gives `default_id`'s row (or zeros) to empty rows."""
    if embedding_weights is None:
        raise ValueError("Missing embedding_weights.")
    params = as_list(embedding_weights)
    if not params:
        raise ValueError("Missing embedding_weights.")
    dtype = None if sparse_weights is None else sparse_weights.dtype
    params = [p if _is_resource(p) and dtype in (None, p.dtype) else convert_to_tensor(p, dtype=dtype) for p in params]
    with name_scope(name, "embedding_lookup", [*params, sparse_ids.values]) as scope:
        original = sparse_ids.dense_shape
        known = (original._shape or (None,))[0]
        rank: Any = array_ops.size(original) if known is None else known
        rows = raw.Prod(array_ops.slice(original, [0], [rank - 1]), [0])
        flat_shape = raw.Pack([rows, array_select.gather(original, rank - 1)])
        indices, shape = raw.SparseReshape(sparse_ids.indices, original, flat_shape)
        ids = SparseTensor(indices, sparse_ids.values, shape)
        weights = None if sparse_weights is None else SparseTensor(indices, sparse_weights.values, shape)
        keep = raw.GreaterEqual(ids.values, convert_to_tensor(0, ids.values.dtype.base_dtype))
        ids = _retained(ids, keep)
        if weights is not None:
            weights = _retained(weights, keep)
            if combiner != "sum":
                positive = raw.Greater(weights.values, convert_to_tensor(0, weights.values.dtype.base_dtype))
                ids, weights = _retained(ids, positive), _retained(weights, positive)
        ids, empty = _filled_rows(ids, default_id or 0)
        if weights is not None:
            weights, _ = _filled_rows(weights, 1.0)
        result = embedding_lookup_sparse(
            params, ids, weights, combiner=combiner, partition_strategy=partition_strategy,
            name=None if default_id is None else scope, max_norm=max_norm,
        )  # fmt: skip
        if default_id is None:
            wide = array_ops.tile(array_ops.reshape(empty, [-1, 1]), raw.Pack([1, array_ops.shape(result)[1]]))
            result = raw.Select(wide, array_ops.zeros_like(result), result, name=scope)
        lead = array_ops.slice(cast(original, dtypes.int32), [0], [rank - 1])
        out = array_ops.reshape(
            result, array_ops.concat([lead, array_ops.slice(array_ops.shape(result), [1], [-1])], 0)
        )
        static = constant_value(original)
        if known is not None and result._shape is not None:
            front = [None] * (known - 1) if static is None else [int(d) for d in static[:-1]]
            out.set_shape([*front, *result._shape[1:]])
        return out


__tf_exports__ = {
    "nn.embedding_lookup": "embedding_lookup", "nn.embedding_lookup_sparse": "embedding_lookup_sparse",
    "nn.safe_embedding_lookup_sparse": "safe_embedding_lookup_sparse",
}  # fmt: skip
