"""Dictionary files: read as AFL and libFuzzer do, refused with a place, shipped ones whole."""

from __future__ import annotations

import os
import re
import zlib
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gofuzzsec.corpus import dictionary
from gofuzzsec.corpus.dictionary import (
    MAX_TOKEN,
    format_dictionary,
    parse_dictionary,
    read_dictionary,
    shipped_dictionaries,
    suggested,
)
from gofuzzsec.errors import UsageError

TOKENS = st.lists(st.binary(min_size=1, max_size=40), unique=True)


@pytest.mark.parametrize(
    ("line", "token"),
    [
        (b'"plain"', b"plain"),
        (b'name="value"', b"value"),
        (b'  name = "value"  ', b"value"),
        (b'a-b.c@3="value"\r', b"value"),
        (b'a @12 = "value"', b"value"),
        (b'"\\x00\\xfF\\\\\\""', b'\x00\xff\\"'),
        (b'"a"b"', b'a"b'),
        (b'"a # b"', b"a # b"),
        (b'"a=b"', b"a=b"),
        (b'""""', b'""'),
        (b'"\xc3\xa4\xff"', b"\xc3\xa4\xff"),
        (b'"a\tb"', b"a\tb"),
        (b'"' + b"a" * MAX_TOKEN + b'"', b"a" * MAX_TOKEN),
    ],
)
def test_a_token(line: bytes, token: bytes) -> None:
    assert parse_dictionary(line, "d") == (token,)


def test_lines_without_tokens_order_and_repeats() -> None:
    text = b'\xef\xbb\xbf# first\n\n  \t\n  # "second"\nb="2"\n"1"\nc="2"'
    assert parse_dictionary(text, "d") == (b"2", b"1")
    assert parse_dictionary(b"", "d") == ()


@pytest.mark.parametrize(
    ("text", "place", "words"),
    [
        (b'"ok"\nGET', "d:2:1", "expected a token in double quotes"),
        (b"  name", "d:1:3", "comments begin with #"),
        (b"name=", "d:1:6", "the end of the line"),
        (b"name=value", "d:1:6", "found 'value'"),
        (b'na@x="value"', "d:1:1", "found 'na@x="),
        (b'name@3"value"', "d:1:1", "double quotes"),
        (b'="value"', "d:1:1", "double quotes"),
        (b'"open', "d:1:6", "a double quote at the end of the line"),
        (b'"', "d:1:2", "a double quote at the end of the line"),
        (b'"a" # why', "d:1:10", "lines of their own"),
        (b'a=""', "d:1:3", "1 to 4096 bytes, found 0"),
        (b'"' + b"a" * (MAX_TOKEN + 1) + b'"', "d:1:1", "found 4097"),
        (b'"a\\nb"', "d:1:3", r"expected \\, \" or \xNN"),
        (b'"a\\x1g"', "d:1:3", "found '\\\\x1g'"),
        (b'"a\\x1"', "d:1:3", "hexadecimal"),
        (b'"a\\"', "d:1:3", "after a backslash"),
        (b'"\xc3\xa4\x01"', "d:1:3", "byte 1; write \\x01"),
        (b'"a\0"', "d:1:3", "write \\x00"),
    ],
)
def test_what_is_refused_has_a_place(text: bytes, place: str, words: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_dictionary(text, "d")
    message = str(caught.value)
    assert message.startswith(f"{place}: expected ")
    assert words in message
    assert "\n" not in message


@given(TOKENS)
@example([bytes(range(256))])
@example([b'"', b"\\", b'a"', b"\\x00", b"#", b" ", b"\n"])
def test_what_is_formatted_reads_back(tokens: list[bytes]) -> None:
    text = format_dictionary(tokens)
    assert parse_dictionary(text, "d") == tuple(tokens)
    assert re.fullmatch(rb"[ -~\n]*", text)


@given(st.binary(max_size=200))
def test_any_bytes_are_tokens_or_a_usage_error(text: bytes) -> None:
    try:
        tokens = parse_dictionary(text, "d")
    except UsageError as error:
        assert re.match(r"d:[0-9]+:[0-9]+: expected ", str(error))
    else:
        assert parse_dictionary(format_dictionary(tokens), "d") == tokens


@pytest.mark.parametrize(
    "line", [b" " * (1 << 20) + b"x", b"a " * (1 << 19), b'"' * (1 << 20), b"\\" * (1 << 20)]
)
def test_long_lines_take_linear_time(line: bytes) -> None:
    with pytest.raises(UsageError, match=r"^d:1:[0-9]+: expected "):
        parse_dictionary(line, "d")  # a quadratic search would take hours


@pytest.mark.parametrize("token", [b"", b"a" * (MAX_TOKEN + 1)])
def test_no_token_is_formatted_that_would_not_read_back(token: bytes) -> None:
    with pytest.raises(ValueError, match="1 to 4096"):
        format_dictionary([token])


def test_size_and_number_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dictionary, "MAX_TOKENS", 3)
    with pytest.raises(UsageError, match=r"^d:4:1: expected at most 3 tokens"):
        parse_dictionary(b'"1"\n"2"\n"3"\n"4"', "d")
    monkeypatch.setattr(dictionary, "MAX_FILE", 3)
    with pytest.raises(UsageError, match="found 4 bytes in d"):
        parse_dictionary(b'"1"\n', "d")


def test_files_are_read_or_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.dict"
    with pytest.raises(UsageError, match=r"expected a dictionary at .*a\.dict, found: No such"):
        read_dictionary(path)
    path.write_bytes(b'a="1"')
    assert read_dictionary(path) == (b"1",)
    path.write_bytes(b"a")
    with pytest.raises(UsageError, match=rf"^{re.escape(str(path))}:1:1: "):
        read_dictionary(path)
    with pytest.raises(UsageError, match=r"found: |no regular file"):
        read_dictionary(tmp_path)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(UsageError, match="no regular file"):
        read_dictionary(tmp_path / "pipe")


def test_a_large_file_is_not_read_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.dict"
    with path.open("wb") as handle:
        handle.truncate(1 << 40)
    monkeypatch.setattr(dictionary, "MAX_FILE", 1 << 10)
    with pytest.raises(UsageError, match="found 1025 bytes"):
        read_dictionary(path)


@pytest.mark.parametrize("name", shipped_dictionaries())
def test_shipped_dictionaries_are_clean(name: str) -> None:
    path = shipped_dictionaries()[name]
    tokens = read_dictionary(path)
    assert 10 <= len(tokens) <= 200
    assert all(2 <= len(token) <= 128 for token in tokens)
    lines = [line for line in path.read_bytes().splitlines() if line and line[:1] != b"#"]
    assert len(lines) == len(tokens), "a token stands there twice"
    assert path.read_bytes()[:2] == b"# ", "it says what format it is for"


def test_shipped_numbers_are_right() -> None:
    shipped = {name: read_dictionary(path) for name, path in shipped_dictionaries().items()}
    end = next(token for token in shipped["png"] if token.startswith(b"\0\0\0\0IEND"))
    assert end[8:] == zlib.crc32(end[4:8]).to_bytes(4, "big")
    records = [token for token in shipped["tar"] if re.match(rb"[0-9]+ .*\n", token)]
    assert records
    assert all(int(record.split(b" ")[0]) == len(record) for record in records)


def test_every_shipped_dictionary_is_suggested_for_something() -> None:
    names = list(shipped_dictionaries())
    assert sorted(dictionary._FITS) == names
    for name, packages in dictionary._FITS.items():
        for package in packages:
            assert name in suggested("example.org/m", ["fmt", package])


def test_suggestions() -> None:
    assert suggested("example.org/m", ["fmt", "os"]) == ()
    assert suggested("encoding/json", []) == ("json",)
    assert suggested("example.org/m", ["encoding/json", "archive/tar"]) == ("json", "tar")
    assert suggested("example.org/m", ["gopkg.in/yaml.v3"]) == ("yaml",)
    assert suggested("example.org/m", ["github.com/golang-jwt/jwt/v5"]) == ("jwt",)
    assert suggested("github.com/golang-jwt/jwt/v5/request", []) == ("jwt",)
    assert suggested("example.org/m", ["net/http/httptest"]) == ()
    assert suggested("example.org/html", ["encoding/jsonx"]) == ()


def test_a_broken_installation_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dictionary, "__file__", str(tmp_path / "dictionary.py"))
    with pytest.raises(UsageError, match="install gofuzzsec again"):
        shipped_dictionaries()
