"""Telling crashes apart by what Go prints."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gofuzzsec.coordinator.blame import blame, frames, mask
from gofuzzsec.worker import Outcome, Verdict

PANIC = """panic: runtime error: index out of range [{index}] with length {length}\
 [recovered, repanicked]

goroutine {id} [running]:
testing.tRunner.func1.2({{0x7a1c40, 0xc000{id:06x}}})
\t/usr/local/go/src/testing/testing.go:1974 +0x232
panic({{0x7a1c40?, 0xc0001a?}})
\t/usr/local/go/src/runtime/panic.go:860 +0x13a
example.org/m.(*Parser[...]).{function}(0xc000123, {{0xc0001, 0x3, 0x8}})
\t/home/u/m/m.go:12 +0x1d
example.org/m.FuzzX.func1(0xc000186c40, {{0xc0001, 0x3, 0x8}})
\t/home/u/m/m_test.go:9 +0x2c
reflect.Value.call({{0x7a1c40?, 0x7d3d20?, 0x13?}}, {{0x7c9bd7, 0x4}})
\t/usr/local/go/src/reflect/value.go:586 +0xec6
testing.(*F).Fuzz.func1.1(0xc000186c40?)
\t/usr/local/go/src/testing/fuzz.go:340 +0x33b
created by testing.(*F).Fuzz.func1 in goroutine 7
\t/usr/local/go/src/testing/fuzz.go:327 +0x5c5
"""


def outcome(message: str, verdict: Verdict = Verdict.CRASH) -> Outcome:
    return Outcome(verdict, 1, None, message, 0, b"", 0, 0)


def panic(index: int = 3, length: int = 2, ident: int = 18, function: str = "next") -> Outcome:
    return outcome(PANIC.format(index=index, length=length, id=ident, function=function))


def test_the_same_bug_with_other_numbers_is_the_same() -> None:
    assert blame(panic()).key == blame(panic(index=97, length=12, ident=4711)).key


def test_the_same_message_elsewhere_is_another_bug() -> None:
    assert blame(panic()).key != blame(panic(function="peek")).key


def test_the_summary_is_the_panic_line() -> None:
    found = blame(panic())
    assert found.kind == "crash"
    assert found.summary == "panic: runtime error: index out of range [3] with length 2"


def test_frames_leave_plumbing_out() -> None:
    assert frames(panic().message) == [
        "example.org/m.(*Parser[...]).next",
        "example.org/m.FuzzX.func1",
    ]


def test_a_panic_that_testing_recovered_is_a_crash() -> None:
    stack = panic().message.split("\n", 2)[2].replace("\n", "\n        ")
    text = f"--- FAIL: FuzzX (0.00s)\n    testing.go:1927: panic: nil map\n        {stack}\n"
    found = blame(outcome(text, Verdict.FAIL))
    assert (found.kind, found.summary) == ("crash", "panic: nil map")
    moved = text.replace("testing.go:1927", "testing.go:2010").replace(
        "goroutine 18", "goroutine 9"
    )
    assert blame(outcome(moved, Verdict.FAIL)).key == found.key
    other = text.replace(".next(", ".peek(")
    assert blame(outcome(other, Verdict.FAIL)).key != found.key


def failure(line: int, said: str) -> Outcome:
    text = f"    --- FAIL: FuzzX (0.00s)\n        m_test.go:{line}: {said}\n"
    return outcome(text, Verdict.FAIL)


def test_failures_differ_by_place_and_wording_not_by_values() -> None:
    base = blame(failure(12, 'got "abc", want 17'))
    assert base.kind == "fail"
    assert base.summary == 'm_test.go:12: got "abc", want 17'
    assert blame(failure(12, 'got "zz\\"z", want 99')).key == base.key
    assert blame(failure(13, 'got "abc", want 17')).key != base.key
    assert blame(failure(12, 'found "abc", want 17')).key != base.key


def test_kinds_never_share_a_key() -> None:
    text = panic().message
    verdicts = (Verdict.CRASH, Verdict.HANG, Verdict.OOM, Verdict.FAIL)
    assert len({blame(outcome(text, verdict)).key for verdict in verdicts}) == 4


def test_a_hang_is_known_by_the_functions_that_run_it() -> None:
    found = blame(outcome(panic().message, Verdict.HANG))
    assert found.summary == "hang in example.org/m.(*Parser[...]).next"


@pytest.mark.parametrize("text", ["", "\n\n", "the worker ended: exit status 3"])
def test_little_output_still_gives_a_blame(text: str) -> None:
    assert blame(outcome(text)).summary


@given(st.text(max_size=2000))
def test_any_output_gives_a_blame_of_one_line(text: str) -> None:
    for verdict in (Verdict.CRASH, Verdict.FAIL, Verdict.HANG, Verdict.OOM):
        found = blame(outcome(text, verdict))
        assert len(found.key) == 16
        assert "\n" not in found.summary


@given(
    st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.text("abcdef", min_size=1)
)
def test_numbers_and_quotes_are_masked(whole: int, real: float, word: str) -> None:
    assert mask(f'at {whole} of {real:f} in "{word}"') == mask('at 1 of 2.5 in "x"')
