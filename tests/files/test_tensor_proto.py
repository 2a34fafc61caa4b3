"""make_tensor_proto and MakeNdarray against TensorFlow's own TensorProtos, round trips, and malformed protos."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from hornbeam import proto
from hornbeam.core import dtypes, errors
from hornbeam.core.tensor_proto import MakeNdarray, make_tensor_proto, to_ndarray

CASES = json.loads((Path(__file__).parents[1] / "golden" / "files" / "tensor_protos.json").read_text())


@pytest.mark.parametrize("case", CASES, ids=lambda c: f"{c['value']};{c['arguments']}")
@pytest.mark.filterwarnings("ignore")
def test_same_proto_or_same_error_as_tensorflow(case: dict[str, Any]) -> None:
    value, arguments = eval(case["value"]), eval(f"dict({case['arguments']})")  # noqa: S307
    if "proto" in case:
        assert make_tensor_proto(value, **arguments) == proto.TensorProto.FromString(bytes.fromhex(case["proto"]))
        return
    kind, message = case["error"]
    with pytest.raises({"TypeError": TypeError, "ValueError": ValueError}[kind]) as caught:
        make_tensor_proto(value, **arguments)
    assert str(caught.value)[:40] == message[:40]


@given(
    hnp.arrays(
        st.sampled_from([np.dtype(t) for t in "f4 f8 f2 i1 i2 i4 i8 u1 u2 u4 u8 c8 c16 ?".split()]),
        hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4),
    )
)
def test_arrays_come_back_equal(array: np.ndarray) -> None:
    back = MakeNdarray(make_tensor_proto(array))
    assert back.dtype == array.dtype and back.shape == array.shape
    assert back.tobytes() == array.tobytes()
    assert back.flags.writeable


@given(st.lists(st.binary(max_size=8), max_size=6))
def test_strings_come_back_equal_with_their_nuls(values: list[bytes]) -> None:
    back = MakeNdarray(make_tensor_proto(values, dtype="string"))
    assert back.tolist() == values and back.dtype == object


def test_ml_types_come_back_equal() -> None:
    for name in ("bfloat16", "float8_e5m2", "float8_e4m3fn", "int4", "uint4"):
        for values in (1, [1, 2, 3]):
            back = MakeNdarray(make_tensor_proto(values, dtype=name))
            assert back.dtype == dtypes.as_dtype(name).np and back.astype(int).tolist() == values


def test_quantised_values_are_structs_for_programs_and_integers_for_kernels() -> None:
    made = make_tensor_proto(np.array([(5,), (7,)], [("qint8", "i1")]))
    assert MakeNdarray(made).dtype.names == ("qint8",)
    assert to_ndarray(made).tolist() == [5, 7]


def test_a_repeated_value_costs_no_memory_until_it_is_written_to() -> None:
    made = make_tensor_proto(1.0, dtype="float32", shape=[1000, 1000])
    assert to_ndarray(made).strides == (0, 0)
    assert MakeNdarray(made).sum() == 1e6
    assert MakeNdarray(made).flags.writeable


def test_the_last_value_repeats() -> None:
    made = make_tensor_proto([1, 2], shape=[2, 3])
    assert MakeNdarray(made).tolist() == [[1, 2, 2], [2, 2, 2]]


def test_bigendian_arrays_are_stored_little_endian() -> None:
    assert MakeNdarray(make_tensor_proto(np.array([1, 2], ">i4"))).tolist() == [1, 2]


def test_two_gigabytes_are_refused_before_they_are_copied() -> None:
    large = np.broadcast_to(np.float32(0), (1 << 29,))
    with pytest.raises(ValueError, match="2GB"):
        make_tensor_proto(large)


def _proto(text: str) -> Any:
    from hornbeam.proto.text_format import from_text

    return from_text(text, proto.TensorProto())


@pytest.mark.parametrize(
    "text",
    [
        "dtype: DT_FLOAT tensor_shape { dim { size: 3 } } tensor_content: 'abcd'",
        "dtype: DT_FLOAT tensor_shape { dim { size: -1 } } float_val: 1",
        "dtype: DT_FLOAT tensor_shape { unknown_rank: true } float_val: 1",
        "dtype: DT_FLOAT tensor_shape { dim { size: 1 } } float_val: 1 float_val: 2",
        "dtype: DT_INT64 tensor_shape { dim { size: 4611686018427387904 } dim { size: 8 } } int64_val: 1",
        "dtype: DT_STRING tensor_shape { dim { size: 1 } } tensor_content: 'abcd'",
        "dtype: 77 tensor_shape { }",
        "dtype: DT_FLOAT tensor_shape { dim { size: 1000000000000000 } } float_val: 1 float_val: 2",
    ],
)
def test_malformed_protos_are_typed_errors(text: str) -> None:
    with pytest.raises((errors.InvalidArgumentError, errors.ResourceExhaustedError)):
        MakeNdarray(_proto(text))


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=60))
def test_any_bytes_give_an_array_or_a_typed_error(data: bytes) -> None:
    try:
        message = proto.TensorProto.FromString(data)
    except Exception:
        return
    try:
        to_ndarray(message)
    except (errors.OpError, TypeError):
        pass
