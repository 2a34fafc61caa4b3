"""Rows of the nn family: activations, softmax losses, bias, top-k, convolutions, pooling, normalisation."""

from __future__ import annotations

import numpy as np

from .cases import F, I, K, case

X = F(3, 5)
LABELS = F(4, 6, lo=0.0, hi=1.0)
SPECIAL = np.array([-1.0, 0.0, np.nan, 2.0, 7.0, -np.inf, np.inf, -20.0, 20.0, 1e-8], np.float32)

_UNARY = ["Relu", "Relu6", "Elu", "Selu", "LeakyRelu", "Softplus", "Softsign"]
ACTIVATIONS = [
    *(case(o, F(2, 3, lo=-3, hi=9, t=t)) for o in _UNARY for t in ("float32", "float64", "float16")),
    *(case(o, SPECIAL, _grad=False) for o in _UNARY),
    *(case(o, I(6, lo=-4, hi=9, t=t)) for o in ("Relu", "Relu6") for t in ("int32", "int64", "int8", "uint8")),
    case("LeakyRelu", F(4, 3), alpha=0.5),
    *(
        case(o, F(2, 3), F(2, 3, lo=-2, hi=8))
        for o in ("ReluGrad", "Relu6Grad", "EluGrad", "SeluGrad", "LeakyReluGrad", "SoftplusGrad", "SoftsignGrad")
    ),
    case("ReluGrad", np.ones_like(SPECIAL), SPECIAL, _grad=False),
    case("Relu6Grad", np.ones_like(SPECIAL), SPECIAL, _grad=False),
    case("ReluGrad", F(2, 3), F(3, 2), _error="InvalidArgumentError"),
]

SOFTMAX = [
    *(
        case(o, F(*s, t=t))
        for o in ("Softmax", "LogSoftmax")
        for s in ((3, 5), (2, 3, 4))
        for t in ("float32", "float64")
    ),
    *(case(o, F(3, 5, t="float16")) for o in ("Softmax", "LogSoftmax")),
    case("Softmax", np.array([[1e4, 1.0], [-1e4, 3.0]], np.float32)),
    case("SoftmaxCrossEntropyWithLogits", F(4, 6), LABELS),
    case("SoftmaxCrossEntropyWithLogits", F(4, 6, t="float64"), F(4, 6, lo=0.0, hi=1.0, t="float64")),
    case("SoftmaxCrossEntropyWithLogits", F(4, 6), F(1, 6, lo=0.0), _grad=False),
    case("SoftmaxCrossEntropyWithLogits", np.array([[1e4, 1.0], [-1e4, 3.0]], np.float32), F(2, 2, lo=0.0)),
    case("SoftmaxCrossEntropyWithLogits", F(4, 6), F(3, 6), _error="InvalidArgumentError"),
    case("SparseSoftmaxCrossEntropyWithLogits", F(4, 6), I(4, lo=0, hi=6)),
    case("SparseSoftmaxCrossEntropyWithLogits", F(4, 6, t="float64"), I(4, lo=0, hi=6, t="int64")),
    case(
        "SparseSoftmaxCrossEntropyWithLogits",
        F(4, 6),
        K(np.array([1, 2, 6, 0], np.int32)),
        _error="InvalidArgumentError",
    ),
    case("SparseSoftmaxCrossEntropyWithLogits", F(4, 6), I(3, lo=0, hi=6), _error="InvalidArgumentError"),
]

BIAS = [
    case("BiasAdd", F(2, 3), F(3)),
    case("BiasAdd", F(2, 3, 4, 5), F(5)),
    case("BiasAdd", F(2, 3, 4, 5), F(3), data_format="NCHW"),
    case("BiasAdd", F(2, 3, 4), F(3), data_format="NCHW"),
    case("BiasAdd", I(2, 3), I(3), _grad=False),
    case("BiasAdd", F(2, 3), F(4), _error="InvalidArgumentError"),
    case("BiasAddV1", F(2, 3, 4), F(4)),
    case("BiasAddGrad", F(2, 3, 4, 5)),
    case("BiasAddGrad", F(2, 3, 4, 5), data_format="NCHW"),
    case("BiasAddGrad", F(4, 5)),
    case("L2Loss", F(3, 4)),
    case("L2Loss", F(3, t="float64")),
]

TOP = [
    case("TopKV2", F(3, 6), K(3)),
    case("TopKV2", F(7), K(7)),
    case("TopKV2", F(2, 3, 6), K(1)),
    case("TopKV2", I(3, 9, hi=4), K(5)),
    case("TopKV2", I(3, 9, hi=4, t="uint8"), K(5)),
    case("TopKV2", F(3, 6), K(0), _grad=False),
    case("TopKV2", F(3, 6), 7, _error="InvalidArgumentError"),
    case("InTopK", F(5, 6), I(5, hi=6), k=3),
    case("InTopKV2", F(5, 6), I(5, hi=6, t="int64"), K(np.int64(2))),
    case(
        "InTopKV2",
        np.array([[1, 2, 2, 0], [1, np.inf, 3, 4], [1, 2, 3, 4], [1, 2, 3, 4], [np.nan, 1, 2, 3]], np.float32),
        np.array([1, 0, 9, -1, 1], np.int32),
        K(2),
    ),  # fmt: skip
    case("NthElement", F(3, 6), K(2)),
    case("NthElement", F(3, 6), K(2), reverse=True),
    case("NthElement", I(2, 3, 6), K(5)),
    case("DataFormatDimMap", np.array([0, 1, 2, 3, -1], np.int32)),
    case("DataFormatVecPermute", np.array([1, 2, 3, 4], np.int32)),
    case(
        "DataFormatVecPermute",
        np.array([[1, 2], [3, 4], [5, 6], [7, 8]], np.int64),
        src_format="NCHW",
        dst_format="NHWC",
    ),
    case("DataFormatVecPermute", np.array([1, 2], np.int32)),
]


def conv(name: str, *inputs: object, strides: int | list[int] = 1, padding: str = "SAME", **attrs: object) -> object:
    rank = 5 if "3D" in name else 4
    if isinstance(strides, int):
        strides = [1, *[strides] * (rank - 2), 1]
    return case(name, *inputs, strides=strides, padding=padding, **attrs)


_T = {"_rtol": 1e-4, "_atol": 1e-4}
CONVOLUTIONS = [
    *(
        conv("Conv2D", F(2, *image, c), F(*k, c, f), strides=s, padding=p, **_T)
        for image in ((7, 6), (5, 8))
        for k, c, f in (((3, 3), 3, 4), ((1, 1), 2, 5), ((2, 5), 1, 3))
        for s in (1, 2)
        for p in ("SAME", "VALID")
    ),
    conv("Conv2D", F(2, 9, 9, 2, t="float64"), F(3, 3, 2, 3, t="float64"), strides=[1, 3, 2, 1]),
    conv("Conv2D", F(17, 6, 6, 16), F(3, 3, 16, 4), **_T),
    conv("Conv2D", F(17, 6, 6, 16), F(3, 3, 16, 4), padding="VALID", **_T),
    conv("Conv2D", F(2, 9, 9, 2), F(3, 3, 2, 3), dilations=[1, 2, 2, 1], _grad=False, **_T),
    conv("Conv2D", F(2, 9, 9, 2), F(3, 3, 2, 3), padding="VALID", dilations=[1, 2, 3, 1], _grad=False, **_T),
    conv(
        "Conv2D",
        F(2, 7, 6, 2),
        F(3, 3, 2, 3),
        strides=2,
        padding="EXPLICIT",
        explicit_paddings=[0, 0, 1, 2, 3, 0, 0, 0],
        **_T,
    ),
    conv("Conv2D", F(2, 7, 6, 4), F(3, 3, 2, 6), _grad=False, **_T),
    conv("Conv2D", F(2, 4, 4, 3), F(3, 3, 3, 2, t="float32"), padding="VALID", **_T),
    conv("Conv2D", F(2, 7, 6, 3, t="float16"), F(3, 3, 3, 4, t="float16"), _rtol=2e-2, _atol=2e-2, _grad=False),
    conv("Conv2D", F(2, 5, 5, 3), F(3, 3, 2, 4), _error="InvalidArgumentError"),
    *(
        conv(
            "Conv2DBackpropInput",
            K(np.array([2, 7, 6, 3], np.int32)),
            F(3, 3, 3, 4),
            F(2, *o, 4),
            strides=s,
            padding=p,
            **_T,
        )
        for s, p, o in ((1, "SAME", (7, 6)), (2, "SAME", (4, 3)), (1, "VALID", (5, 4)), (2, "VALID", (3, 2)))
    ),
    *(
        conv(
            "Conv2DBackpropFilter",
            F(2, 7, 6, 3),
            K(np.array([3, 3, 3, 4], np.int32)),
            F(2, *o, 4),
            strides=s,
            padding=p,
            **_T,
        )
        for s, p, o in ((1, "SAME", (7, 6)), (2, "SAME", (4, 3)), (1, "VALID", (5, 4)), (2, "VALID", (3, 2)))
    ),
    *(
        conv("DepthwiseConv2dNative", F(2, 7, 6, 3), F(*k, 3, m), strides=s, padding=p, **_T)
        for k in ((3, 3), (2, 4))
        for m in (1, 2)
        for s in (1, 2)
        for p in ("SAME", "VALID")
    ),
    conv("DepthwiseConv2dNative", F(2, 7, 6, 3, t="float64"), F(3, 3, 3, 1, t="float64")),
    conv(
        "DepthwiseConv2dNative",
        F(2, 7, 7, 3),
        F(3, 3, 3, 2),
        padding="EXPLICIT",
        explicit_paddings=[0, 0, 2, 0, 1, 1, 0, 0],
        _grad=False,
        **_T,
    ),  # fmt: skip
    *(
        conv("Conv3D", F(2, 5, 6, 4, 2), F(*k, 2, 3), strides=s, padding=p, **_T)
        for k in ((2, 3, 2), (1, 1, 1))
        for s in (1, 2)
        for p in ("SAME", "VALID")
    ),
    conv("Conv3DBackpropInputV2", K(np.array([2, 5, 4, 3, 2], np.int32)), F(2, 2, 2, 2, 3), F(2, 5, 4, 3, 3), **_T),
    conv("Conv3DBackpropFilterV2", F(2, 5, 4, 3, 2), K(np.array([2, 2, 2, 2, 3], np.int32)), F(2, 5, 4, 3, 3), **_T),
    *(
        case(
            "Dilation2D",
            F(2, 7, 6, 3),
            F(3, 2, 3),
            strides=[1, s, s, 1],
            rates=[1, r, r, 1],
            padding=p,
            _rtol=1e-5,
            _zero=False,
        )
        for s, r, p in ((1, 1, "SAME"), (2, 1, "VALID"), (1, 2, "SAME"), (2, 2, "VALID"))
    ),
    case(
        "Dilation2D", I(1, 5, 5, 2), I(2, 2, 2), strides=[1, 1, 1, 1], rates=[1, 1, 1, 1], padding="SAME", _zero=False
    ),
]


def pool(name: str, *inputs: object, k: int | list[int], s: int | list[int], padding: str, **attrs: object) -> object:
    rank = 5 if "3D" in name else 4
    k = [1, *[k] * (rank - 2), 1] if isinstance(k, int) else k
    s = [1, *[s] * (rank - 2), 1] if isinstance(s, int) else s
    return case(name, *inputs, ksize=k, strides=s, padding=padding, **attrs)


_GEOMETRIES = [(2, 2), (3, 2), (3, 1), (2, 3), ([1, 2, 3, 1], [1, 1, 2, 1])]
POOLING = [
    *(
        pool(o, F(2, *i, 3), k=k, s=s, padding=p)
        for o in ("MaxPool", "AvgPool")
        for i in ((6, 8), (7, 5))
        for k, s in _GEOMETRIES
        for p in ("SAME", "VALID")
    ),
    *(
        pool("MaxPool", I(2, 6, 6, 2, hi=3, t="float32" if t is None else t), k=k, s=s, padding="SAME")
        for t in (None, "int32", "uint8")
        for k, s in ((2, 2), (3, 2), (3, 1))
    ),
    pool("MaxPool", F(2, 6, 6, 4), k=[1, 1, 1, 2], s=[1, 1, 1, 2], padding="VALID", _grad=False),
    pool("MaxPool", F(2, 6, 6, 3), k=3, s=2, padding="EXPLICIT", explicit_paddings=[0, 0, 1, 0, 2, 1, 0, 0]),
    pool("MaxPool", F(2, 6, 6, 3, t="float64"), k=3, s=2, padding="SAME"),
    pool("AvgPool", F(2, 6, 6, 3, t="float64"), k=3, s=2, padding="SAME"),
    pool("AvgPool", F(2, 6, 7, 3), k=[1, 6, 7, 1], s=1, padding="VALID"),
    pool("MaxPool", F(2, 6, 7, 3), k=[1, 6, 7, 1], s=2, padding="VALID"),
    case(
        "MaxPoolV2",
        F(2, 6, 6, 3),
        K(np.array([1, 3, 2, 1], np.int32)),
        K(np.array([1, 2, 2, 1], np.int32)),
        padding="SAME",
    ),
    *(
        pool(
            "MaxPoolGrad", I(2, 6, 6, 2, hi=3, t="float32"), F(2, *o, 2), F(2, *o, 2), k=k, s=s, padding=p, _grad=False
        )
        for k, s, p, o in ((2, 2, "SAME", (3, 3)), (3, 2, "VALID", (2, 2)), (3, 1, "SAME", (6, 6)))
    ),
    *(
        pool("MaxPoolWithArgmax", F(2, 6, 7, 3), k=k, s=s, padding=p, include_batch_in_index=b)
        for (k, s), p, b in (((2, 2), "SAME", False), ((3, 2), "SAME", True), ((3, 1), "VALID", False))
    ),
    pool("MaxPoolWithArgmax", F(2, 6, 6, 3), k=2, s=2, padding="VALID", Targmax=np.int32, _grad=False),
    *(
        pool(o, F(2, 4, 5, 6, 2), k=k, s=s, padding=p)
        for o in ("MaxPool3D", "AvgPool3D")
        for k, s in ((2, 2), (3, 2), (2, 1))
        for p in ("SAME", "VALID")
    ),
    *(
        pool(o, K(np.array([2, 6, 5, 3], np.int32)), F(2, *i, 3), k=k, s=s, padding=p, _zero=False)
        for o in ("AvgPoolGrad",)
        for k, s, p, i in ((2, 2, "SAME", (3, 3)), (3, 2, "VALID", (2, 2)), (3, 1, "SAME", (6, 5)))
    ),
]


V = F(3, lo=0.5, hi=2.0)
EMPTY = np.zeros(0, np.float32)
_LOOSE = {"_rtol": 1e-4, "_atol": 1e-5}
NORMALISATION = [
    *(
        case(o, F(2, 4, 5, 3), V, F(3), EMPTY, EMPTY, _zero=False, **_LOOSE)
        for o in ("FusedBatchNorm", "FusedBatchNormV2", "FusedBatchNormV3")
    ),
    case("FusedBatchNormV3", F(2, 3, 4, 5), V, F(3), EMPTY, EMPTY, data_format="NCHW", _zero=False, **_LOOSE),
    case("FusedBatchNormV3", F(2, 3, 4, 2, 3), V, F(3), EMPTY, EMPTY, data_format="NDHWC", _zero=False, **_LOOSE),
    case("FusedBatchNormV3", F(2, 4, 5, 3), V, F(3), F(3), V, exponential_avg_factor=0.25, _zero=False, **_LOOSE),
    case(
        "FusedBatchNorm",
        F(2, 4, 5, 3),
        V,
        F(3),
        F(3),
        V,
        exponential_avg_factor=0.25,
        epsilon=0.01,
        _zero=False,
        **_LOOSE,
    ),
    *(
        case(o, F(2, 4, 5, 3), V, F(3), F(3), V, is_training=False, _zero=False, _check=lambda o: o[:3], **_LOOSE)
        for o in ("FusedBatchNorm", "FusedBatchNormV2", "FusedBatchNormV3")
    ),
    case(
        "FusedBatchNormV3",
        F(2, 3, 4, 5),
        V,
        F(3),
        F(3),
        V,
        data_format="NCHW",
        is_training=False,
        _zero=False,
        _check=lambda o: o[:3],
        **_LOOSE,
    ),
    case(
        "FusedBatchNormV3",
        F(2, 4, 5, 3, t="float16"),
        V,
        F(3),
        EMPTY,
        EMPTY,
        _zero=False,
        _rtol=2e-2,
        _atol=2e-3,
        _grad=False,
    ),
    *(
        case(
            "FusedBatchNormGradV3",
            F(2, 4, 5, 3),
            F(2, 4, 5, 3),
            V,
            F(3),
            V,
            F(),
            is_training=t,
            _zero=False,
            _grad=False,
            **_LOOSE,
        )
        for t in (True, False)
    ),
    case("FusedBatchNormGrad", F(2, 4, 5, 3), F(2, 4, 5, 3), V, F(3), V, _zero=False, _grad=False, **_LOOSE),
    case("FusedBatchNormV3", F(1, 1, 1, 3), V, F(3), EMPTY, EMPTY, _zero=False, **_LOOSE),
    case("LRN", F(2, 3, 4, 7)),
    case("LRN", F(2, 3, 4, 7), depth_radius=2, bias=2.0, alpha=1e-3, beta=0.75),
    case("LRNGrad", F(2, 3, 4, 7), F(2, 3, 4, 7), F(2, 3, 4, 7), depth_radius=2, bias=2.0, alpha=0.1, beta=0.75),
]


_LENGTHS = np.array([6, 5, 3], np.int32)
_INDICES = np.array([[0, 0], [0, 1], [0, 2], [1, 0], [1, 1], [2, 0]], np.int64)
_LABELS = np.array([1, 1, 0, 2, 3, 0], np.int32)
CTC = [
    case("CTCLoss", F(6, 3, 5), _INDICES, _LABELS, _LENGTHS, _zero=False, _rtol=1e-4),
    case("CTCLoss", F(6, 3, 5, t="float64"), _INDICES, _LABELS, _LENGTHS, _zero=False, _rtol=1e-5, _atol=1e-7),
    case(
        "CTCLoss", F(6, 3, 5), _INDICES, _LABELS, _LENGTHS, preprocess_collapse_repeated=True, _zero=False, _rtol=1e-4
    ),
    case("CTCLoss", F(6, 3, 5), _INDICES, _LABELS, _LENGTHS, ctc_merge_repeated=False, _zero=False, _rtol=1e-4),
    case(
        "CTCLoss",
        F(6, 3, 5),
        _INDICES,
        _LABELS,
        np.array([6, 5, 0], np.int32),
        ignore_longer_outputs_than_inputs=True,
        _zero=False,
        _rtol=1e-4,
    ),
    case("CTCLoss", F(6, 3, 5), _INDICES, _LABELS, np.array([3, 5, 1], np.int32), _zero=False, _rtol=1e-4),
    case("CTCLoss", F(6, 3, 5), _INDICES, _LABELS, np.array([2, 5, 3], np.int32), _error="InvalidArgumentError"),
    case(
        "CTCLoss", F(6, 3, 5), _INDICES, np.array([1, 4, 0, 2, 3, 0], np.int32), _LENGTHS, _error="InvalidArgumentError"
    ),
    *(case("CTCGreedyDecoder", F(6, 3, 4), _LENGTHS, merge_repeated=m, _zero=False) for m in (True, False)),
    case("CTCGreedyDecoder", F(6, 3, 4), _LENGTHS, merge_repeated=True, blank_index=0, _zero=False),
    *(
        case(
            "CTCBeamSearchDecoder",
            F(6, 3, 4),
            _LENGTHS,
            beam_width=w,
            top_paths=k,
            merge_repeated=m,
            _zero=False,
            _rtol=1e-4,
        )
        for w, k, m in ((10, 1, False), (10, 3, False), (4, 4, True), (100, 2, True))
    ),
    case("CTCBeamSearchDecoder", F(6, 3, 4), _LENGTHS, beam_width=2, top_paths=3, _error="InvalidArgumentError"),
]

CASES = [*CTC, *NORMALISATION, *POOLING, *ACTIVATIONS, *SOFTMAX, *BIAS, *TOP, *CONVOLUTIONS]
