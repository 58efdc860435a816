"""Times, budgets and sizes on the command line."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gofuzzsec.cli.params import Budget, parse_budget, parse_duration, parse_size


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0.0),
        ("0s", 0.0),
        ("30s", 30.0),
        ("10m", 600.0),
        ("2h", 7200.0),
        ("1h30m", 5400.0),
        ("1.5h", 5400.0),
        ("500ms", 0.5),
        ("1m0.5s", 60.5),
        ("250us", 0.00025),
        ("250µs", 0.00025),
        ("5ns", 5e-9),
    ],
)
def test_durations_as_go_writes_them(text: str, seconds: float) -> None:
    assert parse_duration(text) == pytest.approx(seconds, rel=1e-12, abs=0)


@pytest.mark.parametrize(
    "text",
    ["", "s", "30", "-5s", "+5s", "5 s", " 5s", "5s ", "5d", "1e3s", ".5s", "٣s", "infs", "5s\n"],
)
def test_other_durations_are_refused_with_an_example(text: str) -> None:
    with pytest.raises(ValueError, match="expected a time such as 30s"):
        parse_duration(text)


def test_no_duration_beyond_what_a_campaign_or_go_can_hold() -> None:
    with pytest.raises(ValueError, match="century"):
        parse_duration("9999999h")
    with pytest.raises(ValueError, match="expected a time"):
        parse_duration("9" * 400 + "h")


def test_budgets_are_times_or_executions() -> None:
    assert parse_budget("90s") == Budget(seconds=90.0)
    assert parse_budget("1000000x") == Budget(executions=1_000_000)


@pytest.mark.parametrize("text", ["0", "0s", "0x", "x", "-1x", "1.5x", "9" * 19 + "x", "٣x"])
def test_a_budget_is_above_zero(text: str) -> None:
    with pytest.raises(ValueError, match="expected a time or a count above zero"):
        parse_budget(text)


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("1B", 1),
        ("64KiB", 65536),
        ("512MiB", 512 << 20),
        ("2GiB", 2 << 30),
        ("1.5GiB", 3 << 29),
        ("1TiB", 1 << 40),
    ],
)
def test_sizes_in_the_units_of_gomemlimit(text: str, count: int) -> None:
    assert parse_size(text) == count


@pytest.mark.parametrize(
    "text", ["", "2", "2G", "2GB", "2 GiB", "-1GiB", "0B", "0.1B", "9999999999TiB", "9" * 500 + "B"]
)
def test_other_sizes_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="expected a size"):
        parse_size(text)


@given(st.text(max_size=60))
def test_any_text_is_a_value_or_a_value_error(text: str) -> None:
    for parse in (parse_duration, parse_budget, parse_size):
        try:
            found = parse(text)
        except ValueError as error:
            assert str(error).startswith("expected")
        else:
            assert found is not None
