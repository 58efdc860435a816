"""Text from hostile programs, numbers, and tables."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from gofuzzsec.report.tables import fields, table
from gofuzzsec.report.text import (
    clean,
    clean_block,
    number,
    plural,
    short_time,
    size,
    span,
    wrap_names,
)

ANYTHING = st.text(st.characters(exclude_categories=[]))  # surrogates, too


def drives_nothing(text: str) -> bool:
    unsafe = {"Cc", "Cf", "Cs", "Zl", "Zp"}
    return not any(unicodedata.category(char) in unsafe for char in text)


@given(ANYTHING)
def test_clean_is_one_line_that_encodes_and_drives_nothing(text: str) -> None:
    found = clean(text)
    assert drives_nothing(found)
    found.encode()
    assert clean(found) == found


@given(ANYTHING)
def test_clean_block_keeps_line_breaks_and_tabs_alone(text: str) -> None:
    found = clean_block(text)
    assert drives_nothing(found.replace("\n", "").replace("\t", ""))
    assert found.count("\n") == text.count("\n")


@given(st.text(st.characters(categories=["L", "N", "P", "S"])))
def test_clean_leaves_ordinary_text_alone(text: str) -> None:
    assert clean(text) == text


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("\x1b[31mred\x1b[0m", "\\x1b[31mred\\x1b[0m"),
        ("a\r\nb\tc", "a\\x0d b c"),
        ("name\u202egpj.exe", "name\\u202egpj.exe"),
        ("tag \U000e0041", "tag \\U000e0041"),
        ("\udc80", "\\udc80"),
        ("two  spaces stay", "two  spaces stay"),
        ("[bold]no markup[/bold]", "[bold]no markup[/bold]"),
    ],
)
def test_clean_shows_what_it_took_out(text: str, found: str) -> None:
    assert clean(text) == found


def test_long_text_is_cut_and_says_so() -> None:
    assert clean("x" * 3000) == "x" * 1999 + "…"
    assert len(clean("\x00" * 3000)) == 2000
    assert clean_block("abcdef", limit=4) == "abcd\n… (2 more characters)"
    assert clean_block("a\r\nb", limit=4) == "a\nb"


def test_numbers() -> None:
    assert number(1234567.6) == "1,234,568"
    assert [span(value) for value in (-1, 0, 59.9, 60, 3599, 3600, 86399, 90061)] == [
        "0s",
        "0s",
        "59s",
        "1m00s",
        "59m59s",
        "1h00m",
        "23h59m",
        "1d01h",
    ]
    assert [short_time(value) for value in (999, 1500, 2_500_000, 3_000_000_000)] == [
        "999ns",
        "1.5µs",
        "2.5ms",
        "3.0s",
    ]
    assert [size(value) for value in (0, 1023, 1536, 3 << 20)] == [
        "0 B",
        "1023 B",
        "1.5 KiB",
        "3.0 MiB",
    ]
    assert plural(1, "crash") == "1 crash"
    assert plural(2, "crash") == "2 crashes"
    assert plural(0, "input") == "0 inputs"


@given(st.lists(st.text("abcdef", min_size=1, max_size=30)))
def test_wrapped_names_are_all_there_in_order_within_the_width(names: list[str]) -> None:
    found = wrap_names(names, width=40)
    assert found.split() == names
    assert all(len(line) <= 40 and line.startswith("  ") for line in found.splitlines())


CELL = st.text(st.characters(exclude_categories=[]), max_size=20)


@given(st.lists(st.tuples(CELL, CELL, CELL), max_size=6))
def test_a_table_has_one_safe_line_a_row_and_aligned_columns(
    rows: list[tuple[str, str, str]],
) -> None:
    lines = table(("one", "two", "three"), rows, right="two").split("\n")
    assert len(lines) == len(rows) + 1
    assert all(drives_nothing(line) for line in lines)
    width = max([3, *(cell_len(clean(first)) for first, _, _ in rows)])
    for line, (first, _, _) in zip(lines[1:], rows, strict=True):
        assert line.startswith(clean(first).rstrip())
        assert cell_len(line) <= width or line[len(clean(first)) :].startswith("  ")


def test_a_table_aligns_numbers_to_the_right_and_wide_characters_by_columns() -> None:
    text = table(("name", "count", "note"), [("世界", "7", ""), ("a", "1,000", "x")], right="count")
    assert text.split("\n") == ["NAME  COUNT  NOTE", "世界      7", "a     1,000  x"]


def test_fields_align_their_values() -> None:
    assert fields([("a", "1"), ("long", "2\x1b"), ("empty", "")]) == (
        "a:     1\nlong:  2\\x1b\nempty:"
    )
