"""Rows of the math family: elementwise, reductions, segments, linear algebra, special functions, FFT."""

# fmt: off
from __future__ import annotations

from itertools import chain
from typing import Any

import numpy as np

from .cases import B, F, I, K, S, case

nan, inf = np.nan, np.inf
SPECIAL = np.array([0.0, -0.0, 1.0, -1.0, 0.5, 2.5, -2.5, 3.5, inf, -inf, nan], np.float32)


def _unary(names: str, lo: float | None = None, hi: float | None = None, half: bool = True, **options: Any) -> list[Any]:
    """float32 and float64 rows over [lo, hi), and a half row where TensorFlow's CPU has a kernel for it."""
    rows = []
    for n in names.split():
        rows += [case(n, F(2, 5, lo=lo, hi=hi), **options), case(n, F(7, t="float64", lo=lo, hi=hi), **options)]
        if half:
            rows += [case(n, F(4, t="float16", lo=lo, hi=hi), **{"_unknown": False, **options})]
    return rows


UNARY = [
    *_unary("Abs Neg Sign Square Sigmoid Tanh Exp Expm1 Sin Cos Atan Sinh Cosh Asinh Erf Erfc"),
    *_unary("Sqrt Rsqrt Reciprocal Inv Log Log1p", 0.1, 4.0),
    *_unary("Tan", -1.2, 1.2), *_unary("Asin Acos Atanh", -0.9, 0.9), *_unary("Acosh", 1.1, 5.0),
    *_unary("Floor Ceil Round", -4, 4), *_unary("Rint", -4, 4, half=False),
    *[case(n, F(3, t=t)) for n in "Neg Square Sigmoid Tanh Exp Sin Cos Sinh Cosh Reciprocal Inv Sqrt Rsqrt Log Asin Acos Atan Sign".split()
      for t in ("complex64", "complex128")],
    *[case(n, SPECIAL, _grad=False) for n in
      "Abs Neg Sign Square Sigmoid Tanh Exp Expm1 Sqrt Rsqrt Log Log1p Floor Ceil Rint Round Atan Erf Erfc Reciprocal".split()],
    *[case(n, I(6, t=t, lo=-5, hi=6), _unknown=False) for n in ("Abs", "Neg", "Sign", "Square") for t in ("int32", "int64")],
    *[case(n, np.array([-128, 127, 3, -1], np.int8), _unknown=False) for n in ("Abs", "Neg", "Sign")],
    case("Square", np.array([70000, -3], np.int32)), case("Square", np.array([300, 7], np.uint16)),
    case("Exp", F(3, t="bfloat16"), _unknown=False), case("Tanh", F(3, t="bfloat16"), _unknown=False),
    *[case(n, F(2, 3, lo=0.2, hi=0.9), F(2, 3)) for n in "ReciprocalGrad InvGrad SqrtGrad RsqrtGrad SigmoidGrad TanhGrad".split()],
    *[case(n, F(3, t="complex64"), F(3, t="complex64")) for n in "ReciprocalGrad SqrtGrad RsqrtGrad SigmoidGrad TanhGrad".split()],
    *[case(n, SPECIAL) for n in ("IsNan", "IsInf", "IsFinite")],
    case("Round", np.array([0.5, 1.5, 2.5, -0.5, -1.5], np.float64)), case("Round", I(4)),
    case("Conj", F(3, t="complex64")), case("Real", F(3, t="complex64")), case("Imag", F(3, t="complex128"), Tout="double"),
    case("Real", F(3, t="complex128"), Tout="double"),
    case("Angle", F(4, t="complex64")), case("ComplexAbs", F(4, t="complex64")), case("ComplexAbs", F(4, t="complex128"), Tout="double"),
    case("Complex", F(2, 3), F(2, 3)), case("Complex", F(2, 3, t="float64"), F(3, t="float64"), Tout="complex128"),
]

_CASTABLE = np.array([0, 1, -1, 2.5, -2.5, 127.9, 300, -300, 70000, 3e9, -3e9, 1e19, 2e19, -1e19, inf, -inf, nan], np.float64)
_TYPES = "float32 float64 float16 bfloat16 int8 int16 int32 int64 uint8 uint16 uint32 uint64 bool complex64 complex128".split()
# what float64 (and for 32 and 64 bits float32) outside their range become depends on where in the tensor it stands: not compared
_NARROW = "int8 int16 uint8 uint16 uint32 uint64".split()
CASTS = [
    *[case("Cast", _CASTABLE, DstT=t, _unknown=False, _zero=False) for t in _TYPES if t not in _NARROW],
    *[case("Cast", _CASTABLE.astype(np.float32), DstT=t, _unknown=False, _zero=False) for t in _TYPES if t not in ("uint32", "uint64")],
    *[case("Cast", np.array([0, 1, 2.5, 100.9, 126.99], f), DstT=t, _unknown=False, _zero=False) for t in _NARROW for f in ("float32", "float64")],
    *[case("Cast", np.array([0, 1, -1, 300, 70000, -2**31, 2**31 - 1], np.int32), DstT=t, _unknown=False, _zero=False) for t in _TYPES],
    *[case("Cast", B(4), DstT=t, _unknown=False, _zero=False) for t in ("float32", "int32", "uint8", "bool", "complex64")],
    *[case("Cast", F(4, t="complex64"), DstT=t, _unknown=False, _zero=False) for t in ("float32", "complex128", "float64")],
    *[case("Cast", F(6), DstT=t, Truncate=True, _unknown=False, _zero=False) for t in ("float16", "bfloat16")],
    case("Cast", F(2, 3), DstT="float64"), case("Cast", F(2, 3), DstT="int32"), case("Cast", F(4, t="bfloat16"), DstT="float32"),
    case("Cast", F(4, t="float16"), DstT="int32", _unknown=False),
]

PAIRS = [((2, 3), (2, 3)), ((2, 3), (3,)), ((3,), (2, 3)), ((2, 1), (1, 3)), ((), (2, 2)), ((2, 1, 3), (4, 1))]


def _binary(names: str, lo: float | None = None, hi: float | None = None, **options: Any) -> list[Any]:
    rows = []
    for n in names.split():
        rows += [case(n, F(*a, lo=lo, hi=hi), F(*b, lo=lo, hi=hi), **options) for a, b in PAIRS]
        rows += [case(n, F(3, t="float64", lo=lo, hi=hi), F(2, 3, t="float64", lo=lo, hi=hi), **{"_unknown": False, **options})]
    return rows


_INTS = np.array([7, -7, 7, -7, 0, 5], np.int32)
_DIVISORS = np.array([3, 3, -3, -3, 4, 5], np.int32)
BINARY = [
    *_binary("Add AddV2 Sub Mul MulNoNan Maximum Minimum SquaredDifference Atan2"),
    *_binary("Div RealDiv DivNoNan FloorDiv FloorMod", 0.5, 3.0),
    *_binary("Pow Xlogy Xlog1py Xdivy", 0.3, 3.0),
    *_binary("Less LessEqual Greater GreaterEqual Equal NotEqual"),
    *_binary("TruncateMod Mod TruncateDiv", 0.5, 3.0, _grad=False),
    *[case(n, _INTS, _DIVISORS, _zero=False) for n in "Div FloorDiv TruncateDiv FloorMod TruncateMod Mod".split()],
    *[case(n, F(4) , np.array([2, -1.5, 0.3, -4], np.float32), _grad=False) for n in "FloorDiv FloorMod TruncateMod Mod TruncateDiv".split()],
    *[case(n, I(3, t=t), I(2, 3, t=t, lo=1)) for n in "AddV2 Sub Mul FloorDiv Maximum Minimum".split() for t in ("int64", "uint8")],
    *[case(n, I(3, t="int32"), I(2, 3, t="int32", lo=1)) for n in "Add Pow SquaredDifference".split()],
    *[case(n, F(3, t="complex64"), F(2, 3, t="complex64")) for n in "Add AddV2 Sub Mul RealDiv Div DivNoNan Xlogy Xdivy SquaredDifference".split()],
    case("Pow", F(3, t="complex128"), F(2, 3, t="complex128")),
    *[case(n, F(3, t="float16"), F(2, 3, t="float16", lo=0.5), _unknown=False) for n in "Add Mul RealDiv Maximum Pow".split()],
    *[case(n, F(3, t="bfloat16"), F(2, 3, t="bfloat16", lo=0.5), _unknown=False) for n in "Add Mul RealDiv Maximum".split()],
    case("Mul", np.array([2**31 - 1, -2**31, 65536], np.int32), np.array([2, -1, 65536], np.int32)),
    case("Add", S("a", "b"), S("c", "d")), case("Add", S("a", "b"), "x"),
    case("Equal", S("a", "b"), S("a", "d")), case("NotEqual", S("a", "b"), "b"), case("Equal", B(4), B(4)),
    case("Equal", F(2), F(3), incompatible_shape_error=False, _zero=False, _unknown=False), case("NotEqual", F(2), F(3), incompatible_shape_error=False, _zero=False, _unknown=False),
    case("Equal", F(2), F(2), incompatible_shape_error=False, _unknown=False),
    case("Equal", SPECIAL, SPECIAL), case("Less", SPECIAL, SPECIAL[::-1].copy()),
    *[case(n, SPECIAL, SPECIAL[::-1].copy(), _grad=False) for n in
      "Maximum Minimum MulNoNan DivNoNan Xlogy Xdivy Atan2 RealDiv FloorDiv FloorMod SquaredDifference".split()],
    case("DivNoNan", np.float32([1, 0, 2]), np.float32([0, 0, 4])), case("MulNoNan", np.float32([1, inf, nan]), np.float32([0, 0, 4]), _grad=False),
    case("Maximum", np.float32([1, 2, 3]), np.float32([1, 3, 2])), case("Minimum", np.float32([1, 2, 3]), np.float32([1, 3, 2])),
    case("ApproximateEqual", np.float32([1, 2, 3]), np.float32([1, 2.00001, 3.1]), tolerance=1e-4), case("NextAfter", F(3), F(3)),
    case("NextAfter", F(3, t="float64"), F(2, 3, t="float64")),
    *[case(n, B(2, 3), B(3)) for n in ("LogicalAnd", "LogicalOr")], case("LogicalNot", B(4)),
    case("AddN", [F(2, 3), F(2, 3), F(2, 3)]), case("AddN", [F(3)]), case("AddN", [I(3, t="int64"), I(3, t="int64")]),
    case("AccumulateNV2", [F(2, 3), F(2, 3)], shape=[2, 3], _unknown=False, _zero=False),
    case("FloorDiv", np.int32([1, 2]), np.int32([0, 1]), _error="InvalidArgumentError"),
    case("AddV2", F(2), F(3), _error="InvalidArgumentError"),
    case("BroadcastGradientArgs", K([2, 3]), K([3])), case("BroadcastGradientArgs", K([2, 1]), K([1, 3])),
    case("BroadcastGradientArgs", K([1, 1]), K([1, 1])), case("BroadcastGradientArgs", K([1, 1]), K([1])),
    case("BroadcastGradientArgs", K([1, 1, 2]), K([1, 2])),
    case("Select", B(2, 3), F(2, 3), F(2, 3)), case("Select", B(2), F(2, 3), F(2, 3)), case("Select", np.array(True), F(2, 3), F(2, 3)),
    case("SelectV2", B(2, 3), F(2, 3), F(2, 3)), case("SelectV2", B(3), F(2, 1), F(2, 3)), case("SelectV2", B(2, 1), F(), F(3)),
    case("SelectV2", B(2), S("a", "b"), S("c", "d")),
    case("ClipByValue", F(3, 4), -0.5, 0.5, _zero=False), case("ClipByValue", F(3, 4), F(3, 4, lo=-1, hi=0), F(3, 4, lo=0.1, hi=1)),
    case("ClipByValue", I(5, lo=-9, hi=9), 0, 3),
    *[case(n, I(6, t=t), I(6, t=t)) for n in "BitwiseAnd BitwiseOr BitwiseXor LeftShift RightShift".split() for t in ("int32", "uint8", "int64")],
    *[case(n, np.array([-8, -1, 5, 1 << 30], np.int32), np.array([1, 40, -3, 2], np.int32)) for n in ("LeftShift", "RightShift")],
    *[case(n, I(6, t=t, lo=0, hi=100)) for n in ("Invert", "PopulationCount") for t in ("int8", "uint16", "int32", "int64")],
    case("PopulationCount", np.array([-1, -2, 7], np.int32)),
]

SPECIAL_FUNCTIONS = [
    *_unary("Erfinv", -0.95, 0.95, half=False, _rtol=2e-5), *_unary("Ndtri", 0.05, 0.95, half=False, _rtol=2e-5),
    *_unary("Lgamma Digamma", 0.2, 5.0, half=False, _rtol=5e-5, _atol=5e-6),
    case("Lgamma", np.float32([-0.5, -1.5, 1, 2, 0, inf]), _grad=False, _rtol=5e-5), case("Digamma", np.float32([-0.5, -1.5, 1]), _grad=False, _rtol=5e-5),
    *_unary("BesselI0 BesselI0e BesselI1 BesselI1e", -3, 3, _rtol=1e-5),
    *_unary("BesselJ0 BesselJ1", -5, 5, _rtol=1e-4, _atol=1e-6), *_unary("BesselY0 BesselY1 BesselK0 BesselK0e BesselK1 BesselK1e", 0.3, 5, _rtol=1e-4, _atol=1e-6),
    *[case(n, np.float64([0.0, 1.0])) for n in "BesselI0 BesselI1 BesselI1e BesselJ1".split()],
    *_unary("Dawsn FresnelCos FresnelSin", -2, 2, half=False, _rtol=1e-4, _atol=1e-6), *_unary("Expint Spence", 0.2, 3, half=False, _rtol=1e-4, _atol=1e-6),
    case("Spence", np.float64([1.0, 0.5])),
    *[case(n, F(2, 3, t=t, lo=0.5, hi=4), F(3, t=t, lo=0.3, hi=4), _rtol=1e-4 if t == "float32" else 1e-9, _atol=1e-6) for n in
      ("Igamma", "Igammac") for t in ("float32", "float64")],
    case("IgammaGradA", F(3, t="float64", lo=0.5, hi=4), F(3, t="float64", lo=0.3, hi=4), _rtol=1e-7),
    case("IgammaGradA", F(2, 3, lo=0.5, hi=4), F(3, lo=0.3, hi=4), _rtol=1e-3),
    *[case("Zeta", F(2, 3, t=t, lo=1.5, hi=5), F(3, t=t, lo=0.5, hi=4), _rtol=1e-5 if t == "float32" else 1e-9) for t in ("float32", "float64")],
    *[case("Polygamma", np.array([1, 2, 3], t), F(2, 3, t=t, lo=0.5, hi=4), _rtol=1e-4 if t == "float32" else 1e-9) for t in ("float32", "float64")],
    case("Betainc", F(4, lo=0.5, hi=3), F(4, lo=0.5, hi=3), F(4, lo=0.1, hi=0.9), _rtol=1e-4),
    case("Betainc", F(4, t="float64", lo=0.5, hi=3), np.float64(2.0), F(4, t="float64", lo=0.1, hi=0.9), _zero=False),
]

_REDUCED = [((2, 3, 4), [1]), ((2, 3, 4), [0, 2]), ((2, 3, 4), [0, 1, 2]), ((2, 3), [-1]), ((2, 3), []), ((4,), [0])]
REDUCTIONS = [
    *[case(n, F(*s), K(np.array(a, np.int32)), keep_dims=k) for n in ("Sum", "Mean", "Max", "Min", "Prod") for s, a in _REDUCED for k in (False, True)],
    *[case("EuclideanNorm", F(*s), K(np.array(a, np.int32))) for s, a in _REDUCED[:4]],
    *[case(n, B(2, 3), K(np.array(a, np.int32)), keep_dims=k) for n in ("All", "Any") for a in ([0], [0, 1], []) for k in (False, True)],
    *[case(n, F(2, 3), np.array([0], np.int32), _zero=False) for n in ("Sum", "Mean", "Max", "Prod")],
    *[case(n, F(2, 3), np.array(1, np.int32), _zero=False) for n in ("Sum", "Mean")],
    *[case(n, F(2, 3), K(np.array([0], np.int64))) for n in ("Sum", "Max")],
    *[case(n, I(2, 3, t=t, lo=-9, hi=9), K([1])) for n in ("Sum", "Mean", "Max", "Min", "Prod") for t in ("int32", "int64", "int8")],
    *[case(n, F(2, 3, t=t), K([0])) for n in ("Sum", "Mean", "Prod") for t in ("complex64", "float64")],
    *[case(n, F(4, 3, t=t), K([0]), _unknown=False) for n in ("Sum", "Mean", "Max") for t in ("float16", "bfloat16")],
    *[case(n, np.float32([[1, 3, 3], [2, 2, 2]]), K([1])) for n in ("Max", "Min")],
    *[case(n, np.float32([[1, nan, 3], [inf, -inf, 2]]), K([1]), _grad=False) for n in ("Max", "Min", "Sum", "Mean")],
    case("Prod", np.float32([[1, 0, 3], [0, 0, 2], [1, 2, 3]]), K([1])), case("Prod", np.float32([[1, 0, 3], [0, 0, 2]]), K([0, 1])),
    *[case(n, np.zeros((0, 3), np.float32), K([0]), _grad=False) for n in ("Sum", "Mean", "Max", "Min", "Prod")],
    *[case(n, np.zeros((2, 0), np.int32), K([1])) for n in ("Sum", "Max", "Min", "Prod")],
    case("Sum", F(2, 3), K([2]), _error="InvalidArgumentError"),
    *[case(n, F(3, 4), K(a)) for n in ("ArgMax", "ArgMin") for a in (0, 1, -1)],
    case("ArgMax", F(3, 4), K(0), output_type="int32"), case("ArgMin", I(3, 4, t="int64"), K(1), output_type="int32"),
    case("ArgMax", np.float32([[1, 3, 3], [2, 2, 2]]), K(1)), case("ArgMin", np.float32([[1, 1, 3], [2, 2, 2]]), K(1)), case("ArgMax", F(3, 4), np.array(1, np.int32), _zero=False),
    *[case(n, F(3, 4), K(a), exclusive=e, reverse=r) for n in ("Cumsum", "Cumprod", "CumulativeLogsumexp") for a in (0, -1) for e in (False, True) for r in (False, True)],
    case("Cumsum", I(5, t="int32"), K(0)), case("Cumprod", np.float32([1, 0, 2, 0, 3]), K(0)), case("Cumsum", F(5, t="float64"), K(0)),
    case("Cumsum", F(5, t="complex64"), K(0)),
    case("Bucketize", F(2, 5, lo=-5, hi=15), boundaries=[0.0, 3.0, 8.0]), case("Bucketize", I(5, lo=-5, hi=15), boundaries=[0.0, 3.0, 8.0]),
    case("HistogramFixedWidth", F(20, lo=-1, hi=6), np.float32([0, 5]), K(5), _zero=False), case("HistogramFixedWidth", F(20, t="float64", lo=-1, hi=6), np.float64([0, 5]), K(7), dtype="int64", _zero=False),
    case("Bincount", I(10, hi=5), K(6), np.zeros(0, np.int32)), case("Bincount", I(10, hi=8), K(5), F(10)), case("Bincount", I(10, hi=5), K(6), np.zeros(0, np.float32)),
    case("DenseBincount", I(10, hi=5), K(6), np.zeros(0, np.int32)), case("DenseBincount", I(2, 10, hi=5), K(6), F(2, 10)),
    case("DenseBincount", I(2, 10, hi=5), K(6), np.zeros(0, np.float32), binary_output=True),
    case("Range", K(0), K(10), K(3)), case("Range", K(10), K(0), K(-3)), case("Range", 0, 7, 2), case("Range", K(np.float32(0)), K(np.float32(1)), K(np.float32(0.1))),
    case("Range", K(np.int64(5)), K(np.int64(5)), K(np.int64(1))), case("Range", K(0), K(10), K(-1), _error="ValueError"), case("Range", np.float64(0), np.float64(1), np.float64(0.3)),
    case("LinSpace", np.float32(1), np.float32(3), K(5)), case("LinSpace", np.float64(1), np.float64(3), K(1)), case("LinSpace", np.float32(-1), np.float32(3), K(np.int64(7))),
]

_SORTED = np.array([0, 0, 1, 3, 3], np.int32)
_UNSORTED = np.array([2, 0, 2, -1, 1], np.int32)
_ROWS, _IDS = np.array([0, 2, 1, 2], np.int32), np.array([0, 0, 2, 2], np.int32)
SEGMENTS = [
    *[case(n, F(5, 2), _SORTED) for n in "SegmentSum SegmentMean SegmentMax SegmentMin SegmentProd".split()],
    *[case(n, I(5, 2, lo=-5), _SORTED.astype(np.int64)) for n in "SegmentSum SegmentMax SegmentMin SegmentProd".split()],
    *[case(n, np.float32([1, 1, 0, 2, 2]), _SORTED) for n in "SegmentMax SegmentMin SegmentProd".split()],
    case("SegmentProd", np.float32([0, 3, 0, 0, 2]), _SORTED),
    *[case(n, F(5, 2), _UNSORTED, K(4)) for n in "UnsortedSegmentSum UnsortedSegmentMax UnsortedSegmentMin UnsortedSegmentProd".split()],
    *[case(n, F(2, 3, 2), I(2, 3, hi=4), 4, _zero=False) for n in "UnsortedSegmentSum UnsortedSegmentMax UnsortedSegmentProd".split()],
    *[case(n, I(5, 2, lo=-5), _UNSORTED.astype(np.int64), K(np.int64(4))) for n in "UnsortedSegmentSum UnsortedSegmentMax UnsortedSegmentMin UnsortedSegmentProd".split()],
    case("UnsortedSegmentSum", F(5, t="complex64"), _UNSORTED, K(4)), case("UnsortedSegmentProd", np.float32([0, 3, 0, 5, 2]), _UNSORTED, K(3)),
    *[case(n, F(4, 3), _ROWS, _IDS, _zero=False) for n in "SparseSegmentSum SparseSegmentMean SparseSegmentSqrtN".split()],
    *[case(n, F(4, 3, t="float64"), _ROWS.astype(np.int64), _IDS, _zero=False, _unknown=False) for n in "SparseSegmentSum SparseSegmentMean SparseSegmentSqrtN".split()],
    *[case(n + "WithNumSegments", F(4, 3), _ROWS, _IDS, K(4), _zero=False) for n in "SparseSegmentSum SparseSegmentMean SparseSegmentSqrtN".split()],
    *[case(n, F(4, 3), _ROWS, _IDS, sparse_gradient=True, _zero=False) for n in "SparseSegmentSum SparseSegmentMean SparseSegmentSqrtN".split()],
    *[case(n, F(3, 2), _ROWS, _IDS, K(5), _zero=False) for n in "SparseSegmentSumGrad SparseSegmentMeanGrad SparseSegmentSqrtNGrad".split()],
]


def _positive(n: int, t: str = "float32", batch: int = 0) -> np.ndarray[Any, Any]:
    """A positive definite matrix."""
    rng = np.random.default_rng(n + batch)
    shape = (batch, n, n) if batch else (n, n)
    a = rng.standard_normal(shape) + (1j * rng.standard_normal(shape) if t.startswith("c") else 0)
    return (a @ np.conj(np.swapaxes(a, -1, -2)) + n * np.eye(n)).astype(t)


def _signless(outputs: list[Any]) -> list[Any]:
    """Singular or eigenvectors up to sign."""
    return [np.abs(o) for o in outputs]


def _first(outputs: list[Any]) -> list[Any]:
    return outputs[:1]


def _thin(outputs: list[Any]) -> list[Any]:
    """Without the vectors that complete a basis: those are free."""
    n = outputs[0].shape[-1]
    return [np.abs(o[..., :n]) for o in outputs]


_NUMERIC = {"_rtol": 1e-4, "_atol": 1e-5, "_zero": False}
LINALG = [
    *[case("MatMul", F(*((3, 2) if ta else (2, 3))), F(*((4, 3) if tb else (3, 4))), transpose_a=ta, transpose_b=tb) for ta in (False, True) for tb in (False, True)],
    *[case("MatMul", F(2, 3, t=t), F(3, 2, t=t)) for t in ("float64", "complex64", "complex128")], case("MatMul", I(2, 3), I(3, 2)), case("MatMul", I(2, 3, t="int64"), I(3, 2, t="int64")),
    case("MatMul", F(2, 3, t="float16"), F(3, 2, t="float16"), _unknown=False), case("MatMul", F(2, 3, t="complex64"), F(2, 3, t="complex64"), transpose_b=True),
    case("MatMul", F(2, 3), F(2, 3), _error="InvalidArgumentError"), case("MatMul", np.zeros((2, 0), np.float32), np.zeros((0, 3), np.float32)),
    *[case("BatchMatMulV2", F(2, *((3, 2) if ta else (2, 3))), F(2, *((4, 3) if tb else (3, 4))), adj_x=ta, adj_y=tb) for ta in (False, True) for tb in (False, True)],
    *[case(n, F(2, 2, 3), F(2, 3, 4)) for n in ("BatchMatMul", "BatchMatMulV2")], case("BatchMatMulV2", F(2, 1, 2, 3), F(3, 3, 4)), case("BatchMatMulV2", F(2, 3), F(5, 3, 4)),
    case("BatchMatMulV2", F(2, 2, 3, t="complex64"), F(2, 4, 3, t="complex64"), adj_y=True), case("BatchMatMulV2", F(2, 3), F(3, 4)),
    case("BatchMatMulV3", F(2, 2, 3), F(1, 3, 4), Tout="float32"),
    *[case("SparseMatMul", F(*((3, 2) if ta else (2, 3))), F(*((4, 3) if tb else (3, 4))), transpose_a=ta, transpose_b=tb) for ta in (False, True) for tb in (False, True)],
    case("Cross", F(3), F(3), _zero=False), case("Cross", F(2, 3), F(2, 3)), case("Cross", I(2, 3, t="int32"), I(2, 3, t="int32")),
    *[case("Cholesky", _positive(3, t), **_NUMERIC) for t in ("float32", "float64", "complex128")], case("Cholesky", _positive(3, "float32", 2), **_NUMERIC),
    case("CholeskyGrad", np.linalg.cholesky(_positive(3, "float64")), F(3, 3, t="float64"), **_NUMERIC),
    *[case("Qr", F(*s, t="float64"), full_matrices=f, _unknown=False, _check=_signless, **_NUMERIC, _grad=g) for s, f, g in (((3, 3), False, True), ((4, 2), False, True), ((2, 4), False, True), ((4, 2), True, False), ((2, 3, 3), False, True))],
    *[case("Svd", F(*s, t="float64"), full_matrices=f, _check=_thin if f else _signless, **_NUMERIC, _grad=False) for s, f in (((3, 3), False), ((4, 2), False), ((2, 4), False), ((4, 2), True), ((2, 3, 3), False))],
    *[case("Svd", F(*s, t="float64"), compute_uv=False, _check=_first, _ys=[0], **_NUMERIC) for s in ((3, 3), (4, 2), (2, 4))], case("Svd", F(3, 2), compute_uv=False, _check=_first, _ys=[0], **_NUMERIC),
    case("SelfAdjointEigV2", _positive(3, "float64"), _check=_signless, **_NUMERIC, _grad=False), case("SelfAdjointEigV2", _positive(3, "float64"), compute_v=False, _check=_first, _ys=[0], **_NUMERIC),
    case("SelfAdjointEigV2", _positive(3, "float64", 2), compute_v=False, _check=_first, _ys=[0], **_NUMERIC),
    case("Eig", _positive(3, "float64"), compute_v=False, Tout="complex128", _check=lambda o: [np.sort(np.abs(o[0]))], **_NUMERIC, _grad=False),
    case("Lu", F(3, 3, t="float64"), **_NUMERIC, _grad=False), case("Lu", F(2, 3, 3), output_idx_type="int64", **_NUMERIC, _grad=False),
    *[case("MatrixInverse", _positive(3, t), adjoint=a, **_NUMERIC) for t in ("float64", "complex128") for a in (False, True)], case("MatrixInverse", F(2, 2, 2, t="float64"), adjoint=True, **_NUMERIC),
    *[case("MatrixDeterminant", _positive(3, t), **_NUMERIC) for t in ("float64", "complex128")], case("MatrixDeterminant", F(2, 3, 3, t="float64"), **_NUMERIC),
    *[case("LogMatrixDeterminant", _positive(3, t), **_NUMERIC) for t in ("float64",)], case("LogMatrixDeterminant", F(2, 3, 3, t="float64"), **_NUMERIC),
    *[case("MatrixSolve", _positive(3, t), F(3, 2, t=t), adjoint=a, **_NUMERIC) for t in ("float64", "complex128") for a in (False, True)],
    *[case("MatrixTriangularSolve", _positive(3, t), F(3, 2, t=t), adjoint=a, lower=l, **_NUMERIC) for t in ("float64", "complex128") for a in (False, True) for l in (False, True)],
    case("MatrixTriangularSolve", _positive(3, "float64"), F(2, 3, 2, t="float64"), **_NUMERIC),
    case("MatrixSolveLs", F(4, 2, t="float64"), F(4, 3, t="float64"), K(np.float64(0.1)), _unknown=False, **_NUMERIC), case("MatrixSolveLs", F(2, 4, t="float64"), F(2, 3, t="float64"), K(np.float64(0.1)), _unknown=False, **_NUMERIC),
    case("MatrixSolveLs", F(4, 2, t="float64"), F(4, 3, t="float64"), K(np.float64(0.0)), fast=False, _grad=False, **_NUMERIC),
    case("MatrixLogarithm", _positive(3, "complex128"), **_NUMERIC), case("MatrixSquareRoot", _positive(3, "float64"), _unknown=False, **_NUMERIC),
]

TRIDIAGONAL = [
    case("TridiagonalSolve", F(3, 4, t="float64", lo=1, hi=2), F(4, 2, t="float64"), **_NUMERIC), case("TridiagonalSolve", F(2, 3, 4, lo=1, hi=2), F(2, 4, 2), **_NUMERIC),
    case("TridiagonalMatMul", F(1, 4), F(1, 4), F(1, 4), F(4, 2), **_NUMERIC), case("TridiagonalMatMul", F(2, 1, 4, t="complex128"), F(2, 1, 4, t="complex128"), F(2, 1, 4, t="complex128"), F(2, 4, 2, t="complex128"), **_NUMERIC),
]
_EINSUM = [
    ("ij,jk->ik", (2, 3), (3, 4)), ("bij,bjk->bik", (2, 3, 4), (2, 4, 5)), ("ij->ji", (2, 3)), ("ij->i", (2, 3)), ("ij->", (2, 3)), ("ii->i", (3, 3)), ("ii->", (3, 3)),
    ("i,j->ij", (2,), (3,)), ("ij,ij->", (2, 3), (2, 3)), ("...ij,...jk->...ik", (2, 3, 4), (4, 5)), ("...ij,jk->...ik", (2, 1, 3, 4), (4, 5)),
    ("bhqd,bhkd->bhqk", (2, 2, 3, 4), (2, 2, 5, 4)), ("ijk,k->i", (2, 3, 4), (4,)), ("...i->...", (2, 3)), ("ij,k->ik", (2, 3), (4,)), ("i->ii", (3,)),
]
EINSUM = [
    *[case("Einsum", [F(*s) for s in shapes], equation=e, _unknown=e == "ij,jk->ik", _zero="ii" not in e, _atol=1e-5) for e, *shapes in _EINSUM],
    case("Einsum", [F(2, 3, t="complex64"), F(3, 4, t="complex64")], equation="ij,jk->ik"), case("Einsum", [F(2, 3, t="float64")], equation="ij->ji"),
    case("Einsum", [I(2, 3), I(3, 4)], equation="ij,jk->ik"),
]

FFT = [
    *[case(n, F(*s, t="complex64"), _zero=False, _atol=1e-5) for n, s in (("FFT", (2, 6)), ("IFFT", (2, 6)), ("FFT2D", (2, 3, 4)), ("IFFT2D", (2, 3, 4)), ("FFT3D", (2, 3, 4)), ("IFFT3D", (2, 3, 4)))],
    case("FFT", F(5, t="complex128"), _zero=False),
    *[case("RFFT", F(2, n), K([n]), _zero=False, _atol=1e-5) for n in (6, 7)], case("RFFT2D", F(2, 4, 6), K([4, 6]), _zero=False, _atol=1e-5), case("RFFT3D", F(2, 4, 6), K([2, 4, 6]), _zero=False, _atol=1e-5),
    case("RFFT", F(2, 8), K([6]), _zero=False, _atol=1e-5, _grad=False), case("RFFT", F(6, t="float64"), K([6]), Treal="double", Tcomplex="complex128", _zero=False),
    *[case("IRFFT", F(2, n // 2 + 1, t="complex64"), K([n]), _zero=False, _atol=1e-5) for n in (6, 7)], case("IRFFT2D", F(2, 4, 4, t="complex64"), K([4, 6]), _zero=False, _atol=1e-5, _grad=False),
    case("IRFFT3D", F(2, 4, 4, t="complex64"), K([2, 4, 6]), _zero=False, _atol=1e-5, _values=False), case("RFFT", F(2, 6), np.array([6], np.int32), _zero=False, _atol=1e-5),
]

CASES = list(chain(UNARY, CASTS, BINARY, SPECIAL_FUNCTIONS, REDUCTIONS, SEGMENTS, LINALG, TRIDIAGONAL, EINSUM, FFT))
