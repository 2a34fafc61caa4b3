"""Rows for the array ops: constants, shapes, slices, joins, gathers, scatters, diagonals, space and batch, quantisation."""

from __future__ import annotations

from typing import Any

import numpy as np

from .cases import B, Case, F, I, S, case
from .cases import K as Const

BAD = {"_error": "InvalidArgumentError"}


def K(value: Any) -> Const:
    """A Const; Python lists are arrays here."""
    return Const(np.array(value, np.int32) if isinstance(value, list) else value)


def slices(*parts: Any, **masks: int) -> tuple[Any, ...]:
    return tuple(K(np.array(p, np.int32)) for p in parts)


i64 = np.int64
CASES: list[Case] = [
    # identities, shapes
    case("Identity", F(2, 3)), case("Identity", S("a", "b")),
    case("IdentityN", [F(2, 3), F(4)]), case("Snapshot", F(3)), case("StopGradient", F(3)), case("PlaceholderWithDefault", F(2, 3), shape=(None, 3)),
    case("GuaranteeConst", F(3)), case("DeepCopy", F(3)),
    case("Shape", F(2, 3)), case("Shape", F(2, 0, 3), out_type=i64), case("Shape", S("a")), case("ShapeN", [F(2, 3), F(4, 1)]),
    case("Size", F(2, 3)), case("Size", F(2, 3), out_type=i64), case("Rank", F(2, 3, 1)), case("Rank", F()),
    # reshape family
    case("Reshape", F(2, 6), K([3, 4])), case("Reshape", F(2, 6), K([-1])), case("Reshape", F(2, 6), K([2, -1, 3])), case("Reshape", F(1), K(np.zeros([0], np.int32))),
    case("Reshape", F(0, 3), K([0, -1])), case("Reshape", F(2, 3), K([4]), **BAD), case("Reshape", F(2, 3), K([-1, -1]), **BAD),
    case("Reshape", F(2, 6), K(np.array([4, 3], i64))), case("Reshape", S("a", "b"), K([2, 1])),
    case("ExpandDims", F(2, 3), K(0)), case("ExpandDims", F(2, 3), K(-1)), case("ExpandDims", F(2, 3), K(1)), case("ExpandDims", F(), K(0)), case("ExpandDims", F(2), K(5), **BAD),
    case("Squeeze", F(1, 3, 1)), case("Squeeze", F(1, 3, 1), squeeze_dims=[0]), case("Squeeze", F(1, 3, 1), squeeze_dims=[-1]), case("Squeeze", F(2, 3), squeeze_dims=[0], **BAD),
    case("Transpose", F(2, 3, 4), K([2, 0, 1])), case("Transpose", F(2, 3), K([1, 0])), case("Transpose", F(2, 3, t="complex64"), K([1, 0])), case("Transpose", F(2, 3), K([0, 0]), **BAD),
    case("ConjugateTranspose", F(2, 3, t="complex64"), K([1, 0])), case("ConjugateTranspose", F(2, 3), K([1, 0])),
    # filled
    case("Fill", K([2, 3]), F()), case("Fill", K([2, 0]), I()), case("Fill", K(np.zeros([0], np.int32)), F()), case("ZerosLike", F(2, 3)), case("ZerosLike", S("a")), case("OnesLike", F(2, 3)), case("OnesLike", B(3)),
    # pack, concat
    case("Pack", [F(2, 3), F(2, 3)]), case("Pack", [F(2, 3), F(2, 3)], axis=1), case("Pack", [F(2), F(2), F(2)], axis=-1), case("Pack", [F(2)]), case("Pack", [F(2), F(3)], **BAD), case("Pack", [S("a"), S("b")]),
    case("Unpack", F(2, 3), num=2), case("Unpack", F(2, 3), num=3, axis=1), case("Unpack", F(2, 3), num=3, axis=-1, _zero=False),
    case("ConcatV2", [F(2, 3), F(4, 3)], K(0)), case("ConcatV2", [F(2, 3), F(2, 1)], K(-1)), case("ConcatV2", [F(2, 3), F(2, 3), F(2, 3)], K(1)), case("ConcatV2", [F(2, 3), F(3, 2)], K(0), **BAD),
    case("ConcatV2", [S("a"), S("b", "c")], K(0)), case("Concat", K(1), [F(2, 3), F(2, 1)]), case("Concat", K(0), [F(2, 3), F(1, 3)]),
    case("ConcatOffset", K(1), [K([2, 3, 4]), K([2, 5, 4]), K([2, 1, 4])]), case("ParallelConcat", [F(1, 3), F(1, 3)], shape=(2, 3), _grad=False, _zero=False, _unknown=False),
    # strided slices
    case("StridedSlice", F(5, 6), *slices([1, 0], [4, 6], [1, 2])), case("StridedSlice", F(5, 6), *slices([4], [0], [-1])), case("StridedSlice", F(5, 6), *slices([-1], [-6], [-2])),
    case("StridedSlice", F(5, 6), *slices([2], [3], [1]), shrink_axis_mask=1), case("StridedSlice", F(5, 6), *slices([0, -1], [0, 0], [1, 1]), begin_mask=1, end_mask=1, shrink_axis_mask=2),
    case("StridedSlice", F(2, 3, 4), *slices([0, 1], [0, 2], [1, 1]), ellipsis_mask=1), case("StridedSlice", F(2, 3, 4), *slices([0, 0, 1], [0, 0, 2], [1, 1, 1]), ellipsis_mask=1, new_axis_mask=2),
    case("StridedSlice", F(5), *slices([3], [1], [1])), case("StridedSlice", F(5), *slices([0], [0], [1]), new_axis_mask=1), case("StridedSlice", F(5, 6), *slices([0], [0], [-1]), begin_mask=1, end_mask=1),
    case("StridedSlice", F(5), *slices([7], [8], [1]), shrink_axis_mask=1, **BAD), case("StridedSlice", F(2, 3, 4), *slices([0, 0, 0], [0, 0, 0], [1, 1, 1]), ellipsis_mask=2, new_axis_mask=1, begin_mask=4, end_mask=4),
    case("StridedSlice", S("a", "b", "c"), *slices([1], [3], [1])), case("StridedSlice", F(3, 4), *slices([-2, 1], [7, 3], [1, 1])),
    case("StridedSliceGrad", K([5, 6]), *slices([1, 0], [4, 6], [1, 2]), F(3, 3), _zero=False), case("StridedSliceGrad", K([5, 6]), *slices([4], [0], [-1]), F(4, 6), _zero=False),
    case("StridedSliceGrad", K([5, 6]), *slices([0, -1], [0, 0], [1, 1]), F(5), begin_mask=1, end_mask=1, shrink_axis_mask=2, _zero=False),
    case("StridedSliceGrad", K([5]), *slices([0, 1], [0, 3], [1, 1]), F(1, 2), new_axis_mask=1, _zero=False),
    case("TensorStridedSliceUpdate", F(5, 6), *slices([1, 0], [4, 6], [1, 2]), F(3, 3), _zero=False), case("TensorStridedSliceUpdate", F(5, 6), *slices([4], [0], [-2]), F(2, 6), _zero=False),
    # slice, split, tile
    case("Slice", F(4, 5), K([1, 0]), K([2, -1])), case("Slice", F(4, 5), K([0, 2]), K([4, 0])), case("Slice", F(4, 5), K([3, 0]), K([2, 1]), **BAD), case("Slice", S("a", "b"), K([1]), K([1])),
    case("Slice", F(4, 5), I(2, hi=1), K([2, 2]), _zero=False),
    case("Split", K(0), F(4, 3), num_split=2), case("Split", K(-1), F(2, 6), num_split=3), case("Split", K(1), F(2, 3), num_split=1), case("Split", K(0), F(4), num_split=3, **BAD),
    case("SplitV", F(5, 2), K(np.array([2, 3], i64)), K(0), num_split=2), case("SplitV", F(2, 6), K(np.array([1, -1, 2], i64)), K(1), num_split=3), case("SplitV", F(2, 6), K(np.array([6], i64)), K(1), num_split=1),
    case("Tile", F(2, 3), K([2, 1])), case("Tile", F(2), K([0])), case("Tile", F(2, 3), K([2, 3])), case("Tile", F(), K(np.zeros([0], np.int32))), case("Tile", S("a"), K([3])),
    # pad, reverse, roll
    case("Pad", F(2, 3), K([[1, 0], [0, 2]])), case("Pad", I(3), K([[1, 1]])), case("Pad", F(2), K([[-1, 0]]), _error="ValueError"), case("PadV2", F(2, 3), K([[1, 0], [0, 2]]), 3.5), case("PadV2", F(2, 3), K([[0, 0], [0, 0]]), 3.5),
    case("MirrorPad", F(3, 4), K([[2, 1], [0, 3]]), mode="REFLECT", _zero=False), case("MirrorPad", F(3, 4), K([[3, 1], [0, 4]]), mode="SYMMETRIC", _zero=False), case("MirrorPad", F(2), K([[2, 0]]), mode="REFLECT", **BAD),
    case("MirrorPadGrad", F(6, 7), K([[2, 1], [0, 3]]), mode="REFLECT", _zero=False), case("MirrorPadGrad", F(7, 8), K([[3, 1], [0, 4]]), mode="SYMMETRIC", _zero=False),
    case("Reverse", F(2, 3), K(np.array([True, False]))), case("ReverseV2", F(2, 3, 4), K([0, -1])), case("ReverseV2", F(2, 3), K([1])), case("ReverseV2", F(2), K([0, 0]), **BAD), case("ReverseV2", S("a", "b"), K([0])),
    case("ReverseSequence", F(3, 5, 2), np.array([5, 0, 3], i64), seq_dim=1, batch_dim=0, _zero=False), case("ReverseSequence", F(4, 3), np.array([1, 2, 4], np.int32), seq_dim=0, batch_dim=1, _zero=False),
    case("Roll", F(4, 5), K([1, -2]), K([0, 1])), case("Roll", F(4, 5), K(3), K(1)),
    # gathers
    case("Gather", F(5, 3), I(4, hi=5)), case("Gather", F(5, 3), I(2, 2, hi=5)), case("Gather", F(5, 3), np.array([1, 9]), **BAD), case("Gather", S("a", "b"), I(3, hi=2)),
    case("GatherV2", F(5, 3), I(4, hi=5), K(0)), case("GatherV2", F(2, 5, 3), I(4, hi=5), K(1)), case("GatherV2", F(2, 5, 3), I(2, 2, hi=3), K(-1)), case("GatherV2", F(5), I(hi=5), K(0)), case("GatherV2", F(2, 5, 3), I(2, 4, hi=5), K(1), batch_dims=1, _zero=False),
    case("GatherV2", F(2, 3, 5, 4), I(2, 3, hi=5), K(2), batch_dims=1, _zero=False), case("GatherV2", F(2, 3, 5), I(2, 3, 4, hi=5), K(2), batch_dims=2, _zero=False), case("GatherV2", F(2, 3), np.array([2]), K(0), **BAD),
    case("GatherNd", F(4, 5, 2), I(3, 2, hi=4)), case("GatherNd", F(4, 5), I(2, 3, 1, hi=4)), case("GatherNd", F(4, 5), I(6, 2, hi=4, t="int64")), case("GatherNd", F(4), K([[4]]), **BAD), case("GatherNd", F(4, 2), np.zeros([3, 0], np.int32), _grad=False),
    case("ScatterNd", I(3, 1, hi=5), F(3, 2), K([5, 2])), case("ScatterNd", I(4, 2, hi=3), F(4), K([3, 3])), case("ScatterNd", K([[7]]), F(1), K([5]), **BAD), case("ScatterNd", I(2, 3, 1, hi=3), F(2, 3, 2), K([3, 2])),
    case("ScatterNdNonAliasingAdd", F(5, 2), I(3, 1, hi=5), F(3, 2)),
    case("TensorScatterUpdate", F(5, 2), np.array([[3], [1]], np.int32), F(2, 2)), case("TensorScatterAdd", F(5, 2), I(4, 1, hi=5), F(4, 2)), case("TensorScatterSub", F(3, 3), I(4, 2, hi=3), F(4)),
    case("TensorScatterMax", F(5), I(8, 1, hi=5), F(8)), case("TensorScatterMin", F(5), I(8, 1, hi=5), F(8)),
    case("InplaceUpdate", F(4, 2), np.array([2, 0], np.int32), F(2, 2), _grad=False, _zero=False), case("InplaceAdd", F(4, 2), np.array([2, 0], np.int32), F(2, 2), _grad=False, _zero=False), case("InplaceSub", F(4, 2), np.array([2, 0], np.int32), F(2, 2), _grad=False, _zero=False),
    case("DynamicPartition", F(6, 2), np.array([0, 1, 2, 0, 2, 2], np.int32), num_partitions=3), case("DynamicPartition", F(2, 3), np.array([[0, 1, 1], [1, 0, 0]], np.int32), num_partitions=2), case("DynamicPartition", F(2), np.array([0, 5], np.int32), num_partitions=2, **BAD),
    case("DynamicStitch", [K([0, 2]), K([1, 3, 2])], [F(2, 2), F(3, 2)]), case("DynamicStitch", [np.array([1, 0], np.int32), np.array([[2, 3]], np.int32)], [F(2), F(1, 2)]),
    case("ParallelDynamicStitch", [K([0, 2]), K([1, 3])], [F(2, 2), F(2, 2)]),
    # finding
    case("Where", B(3, 4)), case("Where", F(2, 3)), case("Where", I(5, hi=2)), case("Where", np.array(True), **BAD),
    case("Unique", np.array([3, 1, 3, 2, 1], np.int32)), case("Unique", S("b", "a", "b"), out_idx=i64), case("Unique", np.array([1.5, 0.5, 1.5], np.float32)), case("UniqueWithCounts", np.array([3, 1, 3, 2, 1], i64)),
    case("UniqueV2", np.array([[1, 2], [1, 2], [0, 3]], np.int32), K(np.array([0], i64))), case("UniqueV2", np.array([[1, 1, 0], [2, 2, 3]], np.int32), K(np.array([1], i64))), case("UniqueV2", np.array([3, 1, 3], np.int32), K(np.array([], i64))),
    case("UniqueWithCountsV2", np.array([[1, 2], [1, 2], [0, 3]], np.int32), K(np.array([0], i64))),
    case("ListDiff", np.array([1, 2, 3, 4, 2], np.int32), np.array([2, 9], np.int32)), case("ListDiff", S("a", "b"), S("b")),
    case("InvertPermutation", np.array([2, 0, 1], np.int32)), case("InvertPermutation", K(np.array([2, 0, 1], i64))),
    case("LowerBound", np.array([[0.0, 1, 1, 3], [1, 2, 3, 4]], np.float32), np.array([[1.0, 5], [0, 2]], np.float32)), case("UpperBound", np.array([[0, 1, 1, 3], [1, 2, 3, 4]], np.int32), np.array([[1, 5], [0, 2]], np.int32), out_type=i64),
    case("UnravelIndex", np.array([5, 0, 11], np.int32), K([3, 4])), case("UnravelIndex", np.array(7, i64), K(np.array([3, 4], i64))),
    case("EditDistance", np.array([[0, 0], [0, 1], [1, 0]], i64), np.array([1, 2, 3], np.int32), K(np.array([2, 2], i64)), np.array([[0, 0], [1, 0], [1, 1]], i64), np.array([1, 3, 4], np.int32), K(np.array([3, 2], i64)), _zero=False),
    case("EditDistance", np.array([[0, 0], [0, 1]], i64), np.array([1, 2], np.int32), K(np.array([1, 2], i64)), np.array([[0, 0]], i64), np.array([2], np.int32), K(np.array([1, 1], i64)), normalize=False, _zero=False),
    # misc
    case("OneHot", I(3, hi=5), K(4), F(), F()), case("OneHot", np.array([[0, -1], [2, 1]], i64), K(3), 1.0, 0.0, axis=0), case("OneHot", I(2, 2, hi=3), K(3), 5, -1, axis=1), case("OneHot", I(hi=3), K(3), np.array(True), np.array(False)), case("OneHot", I(2, hi=3, t="uint8"), K(0), 1.0, 0.0),
    case("BroadcastTo", F(3, 1), K([2, 3, 4])), case("BroadcastTo", F(), K([2])), case("BroadcastTo", F(3), K([2, 4]), **BAD), case("BroadcastArgs", K([3, 1]), K([2, 1, 4])), case("BroadcastArgs", K(np.array([], np.int32)), K([2, 1])),
    case("Bitcast", F(2, 3), type=np.int32), case("Bitcast", F(2), type=np.uint8), case("Bitcast", I(2, 4, t="uint8", hi=255), type=np.float32), case("Bitcast", F(2, t="float64"), type=np.int32), case("Bitcast", F(2, t="complex64"), type=np.float32, _zero=False),
    case("CheckNumerics", F(3), message="m"), case("CheckNumerics", np.array([1, np.nan], np.float32), message="m", **BAD), case("CheckNumericsV2", np.array([1, -np.inf], np.float32), message="m", **BAD),
    case("EnsureShape", F(2, 3), shape=(None, 3)), case("EnsureShape", F(2, 3), shape=(None, 4), **BAD), case("Fingerprint", S("abc", ""), K(np.array(b"farmhash64", object))), case("Fingerprint", F(3, 2), K(np.array(b"farmhash64", object))),
    # diagonals
    case("MatrixDiag", F(2, 3)), case("MatrixDiagPart", F(2, 3, 3)), case("MatrixDiagPart", F(2, 3, 4)), case("MatrixSetDiag", F(2, 3, 4), F(2, 3)), case("MatrixDiagV2", F(3), K(1), K(-1), K(-1), 0.5, _unknown=False), case("MatrixDiagV2", F(2, 3), K([0, 1]), K(3), K(4), 0.0, _unknown=False),
    case("MatrixDiagV3", F(2, 3, 4), K([-1, 1]), K(4), K(4), 9.0, _unknown=False), case("MatrixDiagV3", F(2, 3, 4), K([-1, 1]), K(-1), K(-1), 9.0, align="LEFT_RIGHT", _unknown=False), case("MatrixDiagV3", F(4), K(-2), K(-1), K(-1), 9.0, _unknown=False), case("MatrixDiagV3", F(3), K(0), K(3), K(5), 0.0, _unknown=False),
    *[case("MatrixDiagPartV3", F(2, 4, 5), K([-2, 1]), 7.0, align=a) for a in ("LEFT_RIGHT", "RIGHT_LEFT", "LEFT_LEFT", "RIGHT_RIGHT")], case("MatrixDiagPartV3", F(4, 5), K(2), 7.0), case("MatrixDiagPartV2", F(3, 2), K([-1, 1]), 7.0, _grad=False), case("MatrixDiagPartV3", F(3, 3), K(5), 7.0, **BAD),
    case("MatrixSetDiagV2", F(3, 4), F(2, 3), K([0, 1]), _unknown=False), *[case("MatrixSetDiagV3", F(2, 4, 5), F(2, 4, 4), K([-2, 1]), align=a, _unknown=False) for a in ("LEFT_RIGHT", "RIGHT_LEFT")], case("MatrixSetDiagV3", F(4, 5), F(3), K(2), _unknown=False),
    case("MatrixBandPart", F(2, 4, 5), K(np.array(1, i64)), K(np.array(-1, i64))), case("MatrixBandPart", F(4, 3), np.array(0, i64), np.array(1, i64)), case("Diag", F(2, 3)), case("DiagPart", F(2, 3, 2, 3)), case("Diag", F(4)), case("DiagPart", F(3, 3)),
    # space and batch
    case("SpaceToBatchND", F(2, 4, 6, 1), K([2, 3]), K([[0, 0], [0, 0]])), case("SpaceToBatchND", F(1, 3, 2), K([2]), K([[1, 0]])), case("BatchToSpaceND", F(8, 2, 3, 1), K([2, 2]), K([[0, 1], [2, 0]])), case("BatchToSpaceND", F(4, 3), K([2]), K([[0, 0]])),
    case("SpaceToBatch", F(1, 3, 3, 2), K([[0, 1], [1, 0]]), block_size=2), case("BatchToSpace", F(4, 2, 2, 2), K([[0, 1], [1, 0]]), block_size=2),
    case("SpaceToDepth", F(2, 4, 6, 3), block_size=2), case("DepthToSpace", F(2, 2, 3, 12), block_size=2), case("SpaceToDepth", F(2, 4, 5, 3), block_size=2, **BAD),
    case("ExtractImagePatches", F(2, 7, 8, 3), ksizes=[1, 3, 2, 1], strides=[1, 2, 3, 1], rates=[1, 1, 2, 1], padding="SAME", _unknown=False), case("ExtractImagePatches", F(1, 6, 6, 2), ksizes=[1, 3, 3, 1], strides=[1, 1, 2, 1], rates=[1, 2, 1, 1], padding="VALID", _unknown=False),
    case("ExtractVolumePatches", F(1, 4, 5, 4, 2), ksizes=[1, 2, 3, 2, 1], strides=[1, 2, 1, 2, 1], padding="SAME", _unknown=False),
    # quantisation
    case("FakeQuantWithMinMaxArgs", F(3, 4), min=-1.0, max=0.7), case("FakeQuantWithMinMaxArgs", F(3, 4), min=0.1, max=2.0, num_bits=4, narrow_range=True), case("FakeQuantWithMinMaxArgsGradient", F(3, 4), F(3, 4), min=-1.0, max=0.7),
    case("FakeQuantWithMinMaxVars", F(3, 4), -0.9, 1.1), case("FakeQuantWithMinMaxVars", F(3, 4), 0.0, 0.0), case("FakeQuantWithMinMaxVars", F(3, 4), -0.9, 1.1, num_bits=5, narrow_range=True), case("FakeQuantWithMinMaxVarsGradient", F(3, 4), F(3, 4), -0.9, 1.1),
    case("FakeQuantWithMinMaxVarsPerChannel", F(3, 2), np.array([-0.5, -1], np.float32), np.array([0.5, 2], np.float32), _zero=False), case("FakeQuantWithMinMaxVarsPerChannelGradient", F(3, 2), F(3, 2), np.array([-0.5, -1], np.float32), np.array([0.5, 2], np.float32), _zero=False),
    case("QuantizeAndDequantizeV2", F(3, 4), -1.0, 1.5, range_given=True), case("QuantizeAndDequantizeV2", F(3, 4), 0.0, 0.0), case("QuantizeAndDequantizeV2", F(3, 4), 0.0, 3.0, signed_input=False, range_given=True, num_bits=4), case("QuantizeAndDequantizeV2", F(3, 4), -1.0, 1.0, range_given=True, round_mode="HALF_UP", narrow_range=True),
    case("QuantizeAndDequantizeV2", F(3, 2), np.array([-1, -0.5], np.float32), np.array([1, 2], np.float32), range_given=True, axis=1, _zero=False), case("QuantizeAndDequantizeV3", F(3, 4), -1.0, 1.5, K(6)), case("QuantizeAndDequantizeV4", F(3, 4), -1.0, 1.5, range_given=True), case("QuantizeAndDequantizeV4Grad", F(3, 4), F(3, 4), -0.5, 0.5, _grad=False),
    *[case("QuantizeV2", F(3, 4), -1.0, 1.5, T=t, mode=m) for t in ("quint8", "qint8") for m in ("MIN_COMBINED", "MIN_FIRST", "SCALED")], case("QuantizeV2", F(3, 4), -1.0, 1.5, T="qint16", mode="SCALED", round_mode="HALF_TO_EVEN"),
]  # fmt: skip
