"""`tf.gather`, `tf.where`, `tf.unique`, `tf.sort`, diagonals, space and batch, quantisation: choosing, finding and rearranging elements."""

from __future__ import annotations

from typing import Any

import numpy as np

from hornbeam.core import dtypes
from hornbeam.core.constant import constant_value
from hornbeam.core.graph import IndexedSlices, Tensor, convert_to_tensor, name_scope
from hornbeam.core.registry import raw
from hornbeam.ops.array import rank_of, shape_of


# --- gather and scatter ---
def gather(
    params: Any,
    indices: Any,
    validate_indices: Any = None,
    name: str | None = None,
    axis: Any = None,
    batch_dims: int = 0,
) -> Tensor:
    """Slices of `params` along `axis` at `indices`; variables are read sparsely. `validate_indices` has no effect, as in TF 1.15."""
    del validate_indices
    if axis is None:
        axis = batch_dims
    at = constant_value(axis) if isinstance(axis, Tensor) else axis
    if at is not None and int(at) == 0 and not batch_dims:
        read = getattr(params, "sparse_read", None)
        if read is not None:
            return read(indices, name=name)  # type: ignore[no-any-return]
    return raw.GatherV2(params, indices, axis, batch_dims=batch_dims, name=name)


def gather_nd(params: Any, indices: Any, name: str | None = None, batch_dims: int = 0) -> Tensor:
    """Slices of `params` at multi-dimensional `indices` (last axis)."""
    if batch_dims:
        return batch_gather_nd(params, indices, batch_dims, name)
    read = getattr(params, "gather_nd", None)
    if read is not None and not isinstance(params, np.ndarray):
        return read(indices, name=name)  # type: ignore[no-any-return]
    return raw.GatherNd(params, indices, name=name)


def batch_gather_nd(params: Any, indices: Any, batch_dims: int, name: str | None = None) -> Tensor:
    with name_scope(name, "BatchGatherND", [params, indices]):
        indices, params = convert_to_tensor(indices, name="indices"), convert_to_tensor(params, name="params")
        if indices._shape is None:
            raise ValueError("tf.gather_nd with batch_dims needs indices of known rank")
        n = len(indices._shape)
        if batch_dims < 0 or batch_dims >= n:
            raise ValueError(f"batch_dims = {batch_dims} must be in [0, rank(indices) = {n})")
        dims = shape_of(indices)
        lead = [dims[d] for d in range(batch_dims)]
        zero, one = np.array(0, np.int32), np.array(1, np.int32)
        grid = []
        for d, count in enumerate(lead):
            numbers = raw.Reshape(raw.Range(zero, count, one), [1] * d + [-1] + [1] * (n - d - 1))
            grid.append(raw.BroadcastTo(numbers, raw.ConcatV2([dims[:-1], [1]], 0)))
        full = raw.ConcatV2([*(raw.Cast(g, DstT=indices.dtype) for g in grid), indices], -1)
        return raw.GatherNd(params, full)


def batch_gather(params: Any, indices: Any, name: str | None = None) -> Tensor:
    """Gathers in each batch: all dimensions of `indices` but the last are batch dimensions."""
    with name_scope(name, "BatchGather", [params, indices]):
        indices, params = convert_to_tensor(indices, name="indices"), convert_to_tensor(params, name="params")
        if indices._shape is None:
            raise ValueError("batch_gather does not allow indices with unknown shape.")
        n = len(indices._shape) - 1
        return raw.GatherV2(params, indices, n, batch_dims=n)


def scatter_nd(indices: Any, updates: Any, shape: Any, name: str | None = None) -> Tensor:
    return raw.ScatterNd(indices, updates, shape, name=name)


def scatter_nd_non_aliasing_add(input: Any, indices: Any, updates: Any, name: str | None = None) -> Tensor:
    return raw.ScatterNdNonAliasingAdd(input, indices, updates, name=name)


def _tensor_scatter(op: str) -> Any:
    def scatter(tensor: Any, indices: Any, updates: Any, name: str | None = None) -> Tensor:
        return getattr(raw, op)(tensor, indices, updates, name=name)  # type: ignore[no-any-return]

    scatter.__name__ = scatter.__qualname__ = op
    return scatter


tensor_scatter_update = _tensor_scatter("TensorScatterUpdate")
tensor_scatter_add = _tensor_scatter("TensorScatterAdd")
tensor_scatter_sub = _tensor_scatter("TensorScatterSub")
tensor_scatter_max = _tensor_scatter("TensorScatterMax")
tensor_scatter_min = _tensor_scatter("TensorScatterMin")


def dynamic_partition(data: Any, partitions: Any, num_partitions: int, name: str | None = None) -> list[Tensor]:
    return raw.DynamicPartition(data, partitions, num_partitions=num_partitions, name=name)


def dynamic_stitch(indices: Any, data: Any, name: str | None = None) -> Tensor:
    return raw.DynamicStitch(indices, data, name=name)


def boolean_mask(tensor: Any, mask: Any, name: str = "boolean_mask", axis: Any = None) -> Tensor:
    from hornbeam.core.masking import boolean_mask as masked

    return masked(tensor, mask, name, axis)


def sparse_mask(a: IndexedSlices, mask_indices: Any, name: str | None = None) -> IndexedSlices:
    """The slices of `a` whose indices are not in `mask_indices`."""
    with name_scope(name, "sparse_mask", [a.values, a.indices, mask_indices]) as scope:
        out, to_gather = raw.ListDiff(a.indices, mask_indices)
        return IndexedSlices(raw.GatherV2(a.values, to_gather, 0, name=scope), out, a.dense_shape)


# --- where, unique, search ---
def where(condition: Any, x: Any = None, y: Any = None, name: str | None = None) -> Tensor:
    """The indices of true elements; or `x` where the condition holds and `y` elsewhere (shapes as Select wants them)."""
    if x is None and y is None:
        with name_scope(name, "Where", [condition]) as scope:
            return raw.Where(convert_to_tensor(condition, preferred_dtype=dtypes.bool, name="condition"), name=scope)
    if x is None or y is None:
        raise ValueError("x and y must both be non-None or both be None.")
    return raw.Select(condition, x, y, name=name)


def where_v2(condition: Any, x: Any = None, y: Any = None, name: str | None = None) -> Tensor:
    """Like `where`, with broadcasting."""
    if x is None and y is None:
        return where(condition, name=name)
    if x is None or y is None:
        raise ValueError("x and y must both be non-None or both be None.")
    return raw.SelectV2(condition, x, y, name=name)


def unique(x: Any, out_idx: Any = dtypes.int32, name: str | None = None) -> Any:
    """(distinct values in order of appearance, the number of each element's)."""
    from collections import namedtuple

    return namedtuple("Unique", ["y", "idx"])(*raw.Unique(x, out_idx=out_idx, name=name))


def unique_with_counts(x: Any, out_idx: Any = dtypes.int32, name: str | None = None) -> Any:
    from collections import namedtuple

    return namedtuple("UniqueWithCounts", ["y", "idx", "count"])(*raw.UniqueWithCounts(x, out_idx=out_idx, name=name))


def setdiff1d(x: Any, y: Any, index_dtype: Any = dtypes.int32, name: str | None = None) -> Any:
    """(elements of x that are not in y, their positions)."""
    from collections import namedtuple

    return namedtuple("ListDiff", ["out", "idx"])(*raw.ListDiff(x, y, out_idx=index_dtype, name=name))


def invert_permutation(x: Any, name: str | None = None) -> Tensor:
    return raw.InvertPermutation(x, name=name)


def searchsorted(
    sorted_sequence: Any, values: Any, side: str = "left", out_type: Any = dtypes.int32, name: str | None = None
) -> Tensor:
    """Positions where `values` would be inserted into the sorted rows of `sorted_sequence`."""
    sorted_sequence, values = convert_to_tensor(sorted_sequence), convert_to_tensor(values)
    n = shape_of(sorted_sequence)
    rows = raw.Reshape(sorted_sequence, raw.Pack([-1, n[-1]]))
    wanted = raw.Reshape(values, raw.Pack([-1, shape_of(values)[-1]]))
    if side not in ("right", "left"):
        raise ValueError(f"side must be either 'right' or 'left'.  Saw: {side}.")
    found = (raw.UpperBound if side == "right" else raw.LowerBound)(rows, wanted, out_type=out_type, name=name)
    return raw.Reshape(found, shape_of(values))


def edit_distance(hypothesis: Any, truth: Any, normalize: bool = True, name: str = "edit_distance") -> Tensor:
    """Levenshtein distance of the last dimension of two SparseTensors."""
    from hornbeam.core.sparse_tensor import is_sparse

    for label, t in (("Hypothesis", hypothesis), ("Truth", truth)):
        if not is_sparse(t):
            raise TypeError(f"{label} must be a SparseTensor.")
    return raw.EditDistance(
        hypothesis.indices, hypothesis.values, hypothesis.dense_shape, truth.indices, truth.values, truth.dense_shape,
        normalize=normalize, name=name,
    )  # fmt: skip


# --- sort ---
def sort(values: Any, axis: int = -1, direction: str = "ASCENDING", name: str | None = None) -> Tensor:
    with name_scope(name, "sort"):
        return _sort(values, axis, direction, False)


def argsort(
    values: Any, axis: int = -1, direction: str = "ASCENDING", stable: bool = False, name: str | None = None
) -> Tensor:
    """Indices that sort along `axis`. The sort keeps equal elements in order, `stable` or not."""
    del stable
    with name_scope(name, "argsort"):
        return _sort(values, axis, direction, True)


def _sort(values: Any, axis: int, direction: str, indices: bool) -> Tensor:
    if direction not in ("ASCENDING", "DESCENDING"):
        raise ValueError(f"{direction} should be one of 'ASCENDING' or 'DESCENDING'")
    if not isinstance(axis, int):
        at = constant_value(convert_to_tensor(axis, name="axis"))
        if at is None:
            raise ValueError("axis must be constant")
        axis = int(at)
    values = convert_to_tensor(values, name="values")
    if direction == "DESCENDING":
        return _descending(values, axis, indices)
    if values.dtype.is_integer:
        # -1 - x mirrors signed integers without overflow; unsigned ones are mirrored at their maximum
        edge = np.array(values.dtype.max if values.dtype.is_unsigned else -1, values.dtype.np)
        out = _descending(raw.Sub(edge, values, name="sub"), axis, indices)
        return out if indices else raw.Sub(edge, out, name="sub")
    out = _descending(raw.Neg(values), axis, indices)
    return out if indices else raw.Neg(out)


def _descending(values: Tensor, axis: int, indices: bool) -> Tensor:
    k = shape_of(values)[axis]
    n = None if values._shape is None else len(values._shape)
    if axis == -1 or n is not None and axis + 1 == n:
        return raw.TopKV2(values, k)[int(indices)]  # type: ignore[no-any-return]
    if n is not None:
        a = axis % n
        swap: Any = [*range(a), n - 1, *range(a + 1, n - 1), a]
    else:
        n_t = rank_of(values)
        a_t = raw.FloorMod(raw.AddV2(n_t, axis), n_t) if axis < 0 else axis
        last = raw.Sub(n_t, 1)
        swap = raw.ConcatV2([raw.Range(0, a_t, 1), [last], raw.Range(raw.AddV2(a_t, 1), last, 1), [a_t]], 0)
    top = raw.TopKV2(raw.Transpose(values, swap, name="transpose"), k)[int(indices)]
    return raw.Transpose(top, swap, name="transpose")


# --- diagonals ---
def _plain(k: Any, *pairs: tuple[Any, Any]) -> bool:
    """Whether all arguments are the defaults that the first version of the op has built in."""
    return all(isinstance(v, (int, float)) and v == d for v, d in ((k, 0), *pairs))


def _of(value: Any, tensor: Tensor) -> Any:
    return value if isinstance(value, Tensor) else np.array(value, tensor.dtype.base_dtype.np)


def matrix_diag(
    diagonal: Any, name: str = "diag", k: Any = 0, num_rows: Any = -1, num_cols: Any = -1, padding_value: Any = 0,
    align: str = "RIGHT_LEFT",
) -> Tensor:  # fmt: skip
    """Matrices with the given (bands of) diagonals."""
    diagonal = convert_to_tensor(diagonal)
    if _plain(k, (num_rows, -1), (num_cols, -1), (padding_value, 0)):
        return raw.MatrixDiag(diagonal, name=name)
    return raw.MatrixDiagV3(diagonal, k, num_rows, num_cols, _of(padding_value, diagonal), align=align, name=name)


def matrix_diag_part(
    input: Any, name: str = "diag_part", k: Any = 0, padding_value: Any = 0, align: str = "RIGHT_LEFT"
) -> Tensor:
    input = convert_to_tensor(input)
    if _plain(k, (padding_value, 0)):
        return raw.MatrixDiagPart(input, name=name)
    return raw.MatrixDiagPartV3(input, k, _of(padding_value, input), align=align, name=name)


def matrix_set_diag(input: Any, diagonal: Any, name: str = "set_diag", k: Any = 0, align: str = "RIGHT_LEFT") -> Tensor:
    if _plain(k):
        return raw.MatrixSetDiag(input, diagonal, name=name)
    return raw.MatrixSetDiagV3(input, diagonal, k, align=align, name=name)


def matrix_band_part(input: Any, num_lower: Any, num_upper: Any, name: str | None = None) -> Tensor:
    return raw.MatrixBandPart(input, num_lower, num_upper, name=name)


def diag(diagonal: Any, name: str | None = None) -> Tensor:
    return raw.Diag(diagonal, name=name)


def diag_part(input: Any, name: str | None = None) -> Tensor:
    return raw.DiagPart(input, name=name)


# --- space, batch, depth, patches ---
def required_space_to_batch_paddings(
    input_shape: Any, block_shape: Any, base_paddings: Any = None, name: str | None = None
) -> tuple[Tensor, Tensor]:
    """(paddings, crops) that make `input_shape` divisible by `block_shape`."""
    with name_scope(name, "required_space_to_batch_paddings", [input_shape, block_shape]):
        input_shape = convert_to_tensor(input_shape, dtypes.int32, name="input_shape")
        block_shape = convert_to_tensor(block_shape, dtypes.int32, name="block_shape")
        n = (block_shape._shape or (None,))[0]
        if n is None:
            raise ValueError("block_shape must have a known length")
        if n == 0:
            return convert_to_tensor(np.zeros([0, 2], np.int32)), convert_to_tensor(np.zeros([0, 2], np.int32))
        base = convert_to_tensor(np.zeros([n, 2], np.int32) if base_paddings is None else base_paddings, dtypes.int32)
        sizes, block, given = constant_value(input_shape), constant_value(block_shape), constant_value(base)
        if sizes is not None and block is not None and given is not None:
            extra = (-(sizes + given.sum(1))) % block
            paddings = np.stack([given[:, 0], given[:, 1] + extra], 1).astype(np.int32)
            crops = np.stack([np.zeros(n), extra], 1).astype(np.int32)
            return convert_to_tensor(paddings, name="paddings"), convert_to_tensor(crops, name="crops")
        before, after = base[:, 0], base[:, 1]
        full = raw.AddV2(raw.AddV2(input_shape, before), after)
        extra_t = raw.FloorMod(raw.Sub(block_shape, raw.FloorMod(full, block_shape)), block_shape)
        paddings_t = raw.Pack(
            [raw.Pack([before[i], raw.AddV2(after[i], extra_t[i])]) for i in range(n)], name="paddings"
        )
        crops_t = raw.Pack([raw.Pack([0, extra_t[i]]) for i in range(n)], name="crops")
        return paddings_t, crops_t


def space_to_batch(
    input: Any, paddings: Any, block_size: int | None = None, name: str | None = None, block_shape: Any = None
) -> Tensor:
    block = _one_block(block_size, block_shape)
    out = raw.SpaceToBatchND(input, np.array([block, block], np.int64), paddings, name=name)
    out.set_shape([None] * 4)
    return out


def batch_to_space(
    input: Any, crops: Any, block_size: int | None = None, name: str | None = None, block_shape: Any = None
) -> Tensor:
    block = _one_block(block_size, block_shape)
    out = raw.BatchToSpaceND(input, np.array([block, block], np.int64), crops, name=name)
    out.set_shape([None] * 4)
    return out


def _one_block(block_size: Any, block_shape: Any) -> Any:
    if (block_size is None) == (block_shape is None):
        raise ValueError("Exactly one of block_size and block_shape has to be given")
    return block_size if block_shape is None else block_shape


def space_to_batch_nd(input: Any, block_shape: Any, paddings: Any, name: str | None = None) -> Tensor:
    return raw.SpaceToBatchND(input, block_shape, paddings, name=name)


def batch_to_space_nd(input: Any, block_shape: Any, crops: Any, name: str | None = None) -> Tensor:
    return raw.BatchToSpaceND(input, block_shape, crops, name=name)


def space_to_depth(input: Any, block_size: int, name: str | None = None, data_format: str = "NHWC") -> Tensor:
    return raw.SpaceToDepth(input, block_size=block_size, data_format=data_format, name=name)


def depth_to_space(input: Any, block_size: int, name: str | None = None, data_format: str = "NHWC") -> Tensor:
    return raw.DepthToSpace(input, block_size=block_size, data_format=data_format, name=name)


def extract_image_patches(
    images: Any, ksizes: Any = None, strides: Any = None, rates: Any = None, padding: Any = None, name: str | None = None,
    sizes: Any = None,
) -> Tensor:  # fmt: skip
    """Patches of [batch, rows, cols, depth] images, in the depth dimension."""
    ksizes = sizes if ksizes is None else ksizes
    return raw.ExtractImagePatches(images, ksizes=ksizes, strides=strides, rates=rates, padding=padding, name=name)


def extract_volume_patches(input: Any, ksizes: Any, strides: Any, padding: Any, name: str | None = None) -> Tensor:
    return raw.ExtractVolumePatches(input, ksizes=ksizes, strides=strides, padding=padding, name=name)


# --- quantisation ---
def fake_quant_with_min_max_args(
    inputs: Any, min: float = -6, max: float = 6, num_bits: int = 8, narrow_range: bool = False, name: str | None = None
) -> Tensor:
    return raw.FakeQuantWithMinMaxArgs(
        inputs, min=min, max=max, num_bits=num_bits, narrow_range=narrow_range, name=name
    )


def fake_quant_with_min_max_args_gradient(
    gradients: Any, inputs: Any, min: float = -6, max: float = 6, num_bits: int = 8, narrow_range: bool = False,
    name: str | None = None,
) -> Tensor:  # fmt: skip
    return raw.FakeQuantWithMinMaxArgsGradient(
        gradients, inputs, min=min, max=max, num_bits=num_bits, narrow_range=narrow_range, name=name
    )


def fake_quant_with_min_max_vars(
    inputs: Any, min: Any, max: Any, num_bits: int = 8, narrow_range: bool = False, name: str | None = None
) -> Tensor:
    return raw.FakeQuantWithMinMaxVars(inputs, min, max, num_bits=num_bits, narrow_range=narrow_range, name=name)


def fake_quant_with_min_max_vars_gradient(
    gradients: Any,
    inputs: Any,
    min: Any,
    max: Any,
    num_bits: int = 8,
    narrow_range: bool = False,
    name: str | None = None,
) -> Any:
    return raw.FakeQuantWithMinMaxVarsGradient(
        gradients, inputs, min, max, num_bits=num_bits, narrow_range=narrow_range, name=name
    )


def fake_quant_with_min_max_vars_per_channel(
    inputs: Any, min: Any, max: Any, num_bits: int = 8, narrow_range: bool = False, name: str | None = None
) -> Tensor:
    return raw.FakeQuantWithMinMaxVarsPerChannel(
        inputs, min, max, num_bits=num_bits, narrow_range=narrow_range, name=name
    )


def fake_quant_with_min_max_vars_per_channel_gradient(
    gradients: Any,
    inputs: Any,
    min: Any,
    max: Any,
    num_bits: int = 8,
    narrow_range: bool = False,
    name: str | None = None,
) -> Any:
    return raw.FakeQuantWithMinMaxVarsPerChannelGradient(
        gradients, inputs, min, max, num_bits=num_bits, narrow_range=narrow_range, name=name
    )


def quantize(
    input: Any, min_range: Any, max_range: Any, T: Any, mode: str = "MIN_COMBINED", round_mode: str = "HALF_AWAY_FROM_ZERO",
    name: str | None = None, narrow_range: bool = False, axis: int | None = None, ensure_minimum_range: float = 0.01,
) -> Any:  # fmt: skip
    """(quantised `input`, its lowest value, its highest value)."""
    from collections import namedtuple

    out = raw.QuantizeV2(
        input, min_range, max_range, T=T, mode=mode, round_mode=round_mode, narrow_range=narrow_range,
        axis=-1 if axis is None else axis, ensure_minimum_range=ensure_minimum_range, name=name,
    )  # fmt: skip
    return namedtuple("QuantizeV2", ["output", "output_min", "output_max"])(*out)


def quantize_v2(
    input: Any, min_range: Any, max_range: Any, T: Any, mode: str = "MIN_COMBINED", name: str | None = None,
    round_mode: str = "HALF_AWAY_FROM_ZERO", narrow_range: bool = False, axis: int | None = None,
    ensure_minimum_range: float = 0.01,
) -> Any:  # fmt: skip
    return quantize(input, min_range, max_range, T, mode, round_mode, name, narrow_range, axis, ensure_minimum_range)


def dequantize(
    input: Any, min_range: Any, max_range: Any, mode: str = "MIN_COMBINED", name: str | None = None, axis: int | None = None,
    narrow_range: bool = False, dtype: Any = dtypes.float32,
) -> Tensor:  # fmt: skip
    return raw.Dequantize(
        input, min_range, max_range, mode=mode, narrow_range=narrow_range, axis=-1 if axis is None else axis, dtype=dtype,
        name=name,
    )  # fmt: skip


def quantize_and_dequantize(
    input: Any, input_min: Any, input_max: Any, signed_input: bool = True, num_bits: int = 8, range_given: bool = False,
    round_mode: str = "HALF_TO_EVEN", name: str | None = None, narrow_range: bool = False, axis: int | None = None,
) -> Tensor:  # fmt: skip
    """What quantising to `num_bits` and back makes of `input`."""
    return raw.QuantizeAndDequantizeV2(
        input, input_min, input_max, signed_input=signed_input, num_bits=num_bits, range_given=range_given,
        round_mode=round_mode, narrow_range=narrow_range, axis=-1 if axis is None else axis, name=name,
    )  # fmt: skip


def fingerprint(data: Any, method: Any = "farmhash64", name: str | None = None) -> Tensor:
    return raw.Fingerprint(data, method, name=name)


__tf_exports__ = {
    **{n: n for n in (
        "gather", "gather_nd", "batch_gather", "scatter_nd", "tensor_scatter_update", "tensor_scatter_add", "tensor_scatter_sub",
        "dynamic_partition", "dynamic_stitch", "boolean_mask", "where", "where_v2", "unique", "unique_with_counts", "setdiff1d",
        "invert_permutation", "searchsorted", "edit_distance", "sort", "argsort", "matrix_diag", "matrix_diag_part", "matrix_set_diag",
        "matrix_band_part", "diag", "diag_part", "required_space_to_batch_paddings", "space_to_batch", "batch_to_space", "space_to_batch_nd",
        "batch_to_space_nd", "space_to_depth", "depth_to_space", "extract_image_patches", "extract_volume_patches", "quantize", "quantize_v2",
        "dequantize", "sparse_mask", "fingerprint",
    )},
    **{f"tensor_scatter_nd_{n}": f"tensor_scatter_{n}" for n in ("update", "add", "sub", "max", "min")},
    **{f"{ns}{n}": n for ns in ("", "quantization.") for n in (
        "fake_quant_with_min_max_args", "fake_quant_with_min_max_args_gradient", "fake_quant_with_min_max_vars",
        "fake_quant_with_min_max_vars_gradient", "fake_quant_with_min_max_vars_per_channel", "fake_quant_with_min_max_vars_per_channel_gradient",
    )},
    "quantization.quantize": "quantize", "quantization.dequantize": "dequantize", "quantization.quantize_and_dequantize": "quantize_and_dequantize",
    "manip.batch_to_space_nd": "batch_to_space_nd", "manip.space_to_batch_nd": "space_to_batch_nd", "manip.gather_nd": "gather_nd",
    "manip.scatter_nd": "scatter_nd", "math.invert_permutation": "invert_permutation", "linalg.diag": "matrix_diag", "linalg.diag_part": "matrix_diag_part",
    "linalg.set_diag": "matrix_set_diag", "linalg.band_part": "matrix_band_part", "linalg.tensor_diag": "diag", "linalg.tensor_diag_part": "diag_part",
    "nn.space_to_batch": "space_to_batch", "nn.space_to_depth": "space_to_depth", "nn.depth_to_space": "depth_to_space",
    "nn.batch_to_space": "batch_to_space", "image.extract_image_patches": "extract_image_patches", "sparse.mask": "sparse_mask",
    "contrib.framework.sort": "sort", "contrib.framework.argsort": "argsort", "math.searchsorted": "searchsorted",
}  # fmt: skip
