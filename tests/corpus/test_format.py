"""Whole corpus files: header, lines, names, and what is refused on either way."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gofuzzsec.corpus import GoType, Value, file_name, marshal, unicode_of_go, unmarshal
from gofuzzsec.corpus.format import MAX_VALUES
from gofuzzsec.errors import CorpusError
from tests import strategies

ONE = (Value(GoType.INT, 1),)


@given(st.lists(st.sampled_from(GoType).flatmap(strategies.values), min_size=1))
def test_what_is_written_is_read(values: list[Value]) -> None:
    data = marshal(values)
    assert unmarshal(data) == tuple(values)
    assert marshal(unmarshal(data)) == data
    assert unmarshal(marshal(values, unicode="17.0.0")) == tuple(values)


@given(st.binary() | st.binary().map(lambda tail: b"go test fuzz v1\n" + tail))
def test_anything_is_read_or_refused(data: bytes) -> None:
    try:
        values = unmarshal(data)
    except CorpusError as error:
        assert "expected" in str(error) and "found" in str(error)
    else:
        assert unmarshal(marshal(values)) == values


@pytest.mark.parametrize(
    "data",
    [
        b"go test fuzz v1\nint(1)",
        b"go test fuzz v1\r\nint(1)\r\n",
        b"go test fuzz v1\n\n \t\v\f\r\n\xc2\xa0\xe3\x80\x80\nint(1)\n\n",
    ],
)
def test_line_endings_and_blank_lines(data: bytes) -> None:
    assert unmarshal(data) == ONE


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "line 1: expected 'go test fuzz v1', found an empty file"),
        (b"\x89PNG\r\n\x1a\n", "line 1: expected 'go test fuzz v1', found '�PNG"),
        (b"go test fuzz v2\nint(1)\n", "line 1: .* found 'go test fuzz v2'"),
        (b"go test fuzz v1", "line 2: expected a value .* found the end of the file"),
        (b"go test fuzz v1\n\n", "line 2: expected a value .* found the end of the file"),
        (b"go test fuzz v1\nint(1)\n\n\nint(x)\n", "line 5: expected an integer, found 'x"),
        (b"go test fuzz v1\n\x1cint(1)", "line 2: expected a type"),
    ],
)
def test_refused_files(data: bytes, message: str) -> None:
    with pytest.raises(CorpusError, match=message):
        unmarshal(data)


def test_number_of_values_is_bounded() -> None:
    line = b"int(1)\n"
    assert len(unmarshal(b"go test fuzz v1\n" + line * MAX_VALUES)) == MAX_VALUES
    with pytest.raises(CorpusError, match="found more"):
        unmarshal(b"go test fuzz v1\n" + line * (MAX_VALUES + 1))


@pytest.mark.parametrize(
    "value",
    [
        Value(GoType.INT8, 128),
        Value(GoType.UINT, -1),
        Value(GoType.BYTE, 256),
        Value(GoType.FLOAT32, 1 << 32),
        Value(GoType.FLOAT64, -1),
        Value(GoType.BOOL, 1),
        Value(GoType.INT, True),
        Value(GoType.INT, b"1"),
        Value(GoType.STRING, 1),
    ],
)
def test_values_their_type_cannot_hold(value: Value) -> None:
    with pytest.raises(CorpusError, match=f"expected a value that {value.type} can hold"):
        marshal([value])


def test_nothing_to_write() -> None:
    with pytest.raises(CorpusError, match="at least one value"):
        marshal([])


def test_name_is_the_start_of_the_sha_256() -> None:
    assert file_name(b"go test fuzz v1\nint(1)\n") == "319194200cbebc1b"


def test_only_newer_unicode_prints_newer_characters() -> None:
    new_in_16 = Value(GoType.STRING, "\U00010d40".encode())
    assert b"\\U00010d40" in marshal([new_in_16])
    assert "\U00010d40".encode() in marshal([new_in_16], unicode_of_go("go1.27.3"))


@pytest.mark.parametrize(
    ("go", "unicode"),
    [
        ("go1.21.13", "15.0.0"),
        ("1.26", "15.0.0"),
        ("go1.27rc1", "17.0.0"),
        ("go1.27", "17.0.0"),
        ("go1.30.1", "17.0.0"),
        ("devel", "15.0.0"),
        ("", "15.0.0"),
    ],
)
def test_unicode_of_go(go: str, unicode: str) -> None:
    assert unicode_of_go(go) == unicode
