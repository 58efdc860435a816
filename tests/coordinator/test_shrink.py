"""Shrinking passes against predicates, and the driver against a pretended worker."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gofuzzsec.coordinator import shrink as module
from gofuzzsec.coordinator.shrink import CRASH_PASSES, KEEP_PASSES, shrink, shrink_number
from gofuzzsec.coordinator.talk import Talk
from gofuzzsec.corpus.values import GoType, Input, Value
from gofuzzsec.worker import Run


def drive(attempts: Generator[Any, bool, Any], accepts: Callable[[Any], bool]) -> tuple[Any, int]:
    """Run a pass to its end; its result and the number of candidates."""
    tried = 0
    try:
        candidate = next(attempts)
        while True:
            tried += 1
            candidate = attempts.send(accepts(candidate))
    except StopIteration as end:
        return end.value, tried


@pytest.mark.parametrize("shrink_pass", [*KEEP_PASSES, *CRASH_PASSES])
@given(data=st.binary(max_size=200), need=st.binary(min_size=1, max_size=3))
def test_a_pass_ends_with_something_the_check_accepts(
    shrink_pass: module.Pass, data: bytes, need: bytes
) -> None:
    data = data + need
    result, tried = drive(shrink_pass(data), lambda candidate: need in candidate)
    assert need in result
    assert len(result) <= len(data)
    assert tried < 50 * (len(data) + 10)


@given(before=st.binary(max_size=100), after=st.binary(max_size=100))
def test_crash_passes_leave_only_what_matters(before: bytes, after: bytes) -> None:
    data = before + b"\xfe\xff" + after
    for shrink_pass in CRASH_PASSES:
        data, _ = drive(shrink_pass(data), lambda candidate: b"\xfe\xff" in candidate)
    assert data == b"\xfe\xff"


def test_simplifying_shows_which_bytes_matter() -> None:
    result, _ = drive(module.simplify_bytes(b"ab7cd"), lambda c: c[2] == ord("7"))
    assert result == b"00700"


@given(st.integers(-(2**63), 2**64 - 1), st.integers(-1000, 1000))
def test_numbers_shrink_to_the_bound(value: int, bound: int) -> None:
    if bound >= 0:
        value = max(value, bound)
        result, tried = drive(shrink_number(value), lambda n: n >= bound)
        assert result == bound
    else:
        value = min(value, bound)
        result, tried = drive(shrink_number(value), lambda n: n <= bound)
        assert result == bound
    assert tried < 300


def run_talk(talk: Talk[Input]) -> Input:
    """Answer nothing: the checks of these tests need no worker."""
    try:
        next(talk)
    except StopIteration as end:
        result: Input = end.value
        return result
    raise AssertionError("the check asked a worker")


def test_every_argument_is_shrunk() -> None:
    values = (
        Value(GoType.STRING, b"xxneedlexx"),
        Value(GoType.INT, 5000),
        Value(GoType.BOOL, True),
        Value(GoType.BYTES, b"abc"),
    )

    def check(candidate: Input) -> Talk[bool]:
        text, number, flag, _ = (value.raw for value in candidate)
        assert isinstance(text, bytes) and isinstance(number, int)
        return b"needle" in text and number > 41 and flag is True
        yield Run(), b""

    small = run_talk(shrink(values, check, CRASH_PASSES, time.monotonic() + 60))
    assert [value.raw for value in small] == [b"needle", 42, True, b""]


def test_a_deadline_in_the_past_changes_nothing() -> None:
    values = (Value(GoType.STRING, b"text"),)

    def check(candidate: Input) -> Talk[bool]:
        raise AssertionError("no time was left to ask")
        yield Run(), b""

    assert run_talk(shrink(values, check, CRASH_PASSES, time.monotonic() - 1)) == values
