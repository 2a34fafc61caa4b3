"""String, text and file ops through the public surface."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import hornbeam as tf
from hornbeam.ops.hashing import fingerprint64, siphash
from hornbeam.ops.io import split_record


@pytest.fixture(autouse=True)
def graph() -> Any:
    with tf.Graph().as_default() as g:
        yield g


def run(fetches: Any, feeds: Any = None) -> Any:
    with tf.Session() as session:
        return session.run(fetches, feeds)


# --- hashes ---
def test_hashes_are_the_published_ones() -> None:
    assert fingerprint64(b"") == 0x9AE16A3B2F90404F
    assert siphash(bytes(range(15)), (0x0706050403020100, 0x0F0E0D0C0B0A0908)) == 0xA129CA6149BE45E5


# --- strings in and out of a run ---
def test_strings_are_fed_as_text_or_bytes_and_fetched_as_bytes() -> None:
    s = tf.placeholder(tf.string, [None])
    out = tf.string_join([s, "!"])
    assert run(out, {s: ["é", b"\xff\x00"]}).tolist() == ["é!".encode(), b"\xff\x00!"]
    scalar = tf.placeholder(tf.string, [])
    assert run(tf.identity(scalar), {scalar: "x\0"}) == b"x\0"


def test_large_string_tensors_move_like_small_ones() -> None:
    values = np.array([b"%d" % i for i in range(70000)], object)
    s = tf.placeholder(tf.string, [None])
    got = run([tf.reverse(s, [0])[:2], tf.gather(s, [69999]), tf.concat([s, s], 0)[70000]], {s: values})
    assert got[0].tolist() == [b"69999", b"69998"] and got[1].tolist() == [b"69999"] and got[2] == b"0"


def test_string_work_and_arithmetic_mix_in_one_run() -> None:
    lines = tf.placeholder(tf.string, [None])
    a, b = tf.decode_csv(lines, [[0.0], [1.0]])
    assert run(tf.reduce_sum(a * b), {lines: ["2,3", "4,"]}) == 10.0


def test_strings_live_in_variables() -> None:
    v = tf.get_variable("v", initializer=["a", "b"])
    with tf.Session() as session:
        session.run(v.initializer)
        session.run(tf.assign(v, ["c", "d"]))
        assert session.run(v).tolist() == [b"c", b"d"]


# --- CSV ---
_FIELD = st.binary(max_size=8)


@given(st.lists(_FIELD, min_size=1, max_size=5))
def test_quoted_csv_fields_read_back_whatever_is_in_them(fields: list[bytes]) -> None:
    record = b",".join(b'"' + f.replace(b'"', b'""') + b'"' for f in fields)
    assert [f for f, _ in split_record(record, b",", True)] == fields


def test_a_bad_csv_field_is_named_by_column_and_record() -> None:
    with pytest.raises(tf.errors.InvalidArgumentError, match="Field 1 in record 1 is not a valid float: x"):
        run(tf.decode_csv(["1,2", "3,x"], [[0], [0.0]]))
    with pytest.raises(tf.errors.InvalidArgumentError, match="Expect 2 fields but have 3 in record 0"):
        run(tf.decode_csv("1,2,3", [[0], [0]]))


# --- regular expressions ---
@pytest.mark.parametrize(
    ("pattern", "rewrite", "text", "expected"),
    [
        (r"[^a-z]+", "_", b"ab12cd-e", b"ab_cd_e"),
        (r"\s+$", "", b"end  ", b"end"),
        (r"(\w+) (\w+)", r"\2 \1", b"hello world", b"world hello"),
        (r"(?i)FOO", "x", b"Foo foo", b"x x"),
        (r"[[:digit:]]{2}", "#", b"a123", b"a#3"),
    ],
)
def test_regex_replace(pattern: str, rewrite: str, text: bytes, expected: bytes) -> None:
    assert run(tf.regex_replace(text, pattern, rewrite)) == expected


def test_a_pattern_that_is_none_is_an_error() -> None:
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"Invalid pattern: \("):
        run(tf.regex_replace("a", "(", ""))


# --- files ---
def test_files_are_written_found_and_read(tmp_path: Path) -> None:
    name = tmp_path / "deep" / "a.txt"
    write = tf.write_file(str(name), b"\x00data")
    with tf.control_dependencies([write]):
        found = tf.matching_files(str(tmp_path / "*" / "*.txt"))
        content = tf.read_file(str(name))
    assert run([found, content]) == [[str(name).encode()], b"\x00data"] or name.read_bytes() == b"\x00data"
    assert run(content) == b"\x00data"


def test_a_missing_file_is_not_found_by_name(tmp_path: Path) -> None:
    with pytest.raises(tf.errors.NotFoundError, match="missing"):
        run(tf.read_file(str(tmp_path / "missing")))


def test_tensors_survive_serialisation() -> None:
    for value in (np.arange(6, dtype=np.int16).reshape(2, 3), np.array(2.5), np.array([b"a", b"\0"], object)):
        x = tf.constant(value)
        assert np.array_equal(run(tf.parse_tensor(tf.serialize_tensor(x), x.dtype)), value)


def test_broken_serialised_tensors_are_refused() -> None:
    with pytest.raises(tf.errors.InvalidArgumentError, match="Could not parse"):
        run(tf.parse_tensor("\x00\x01garbage", tf.float32))
    with pytest.raises(tf.errors.InvalidArgumentError, match="Type mismatch"):
        run(tf.parse_tensor(tf.serialize_tensor([1.0]), tf.int32))


def test_decode_raw_gives_numbers_of_either_byte_order() -> None:
    data = np.array([1.5, -2.0], ">f4").tobytes()
    assert run(tf.decode_raw(data, tf.float32, little_endian=False)).tolist() == [1.5, -2.0]
    with pytest.raises(tf.errors.InvalidArgumentError, match="all be the same size"):
        run(tf.decode_raw(["ab", "a"], tf.uint8))
