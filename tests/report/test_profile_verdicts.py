"""Verdicts, arguments and tests in words."""

from __future__ import annotations

import pytest

from gofuzzsec.report.profiles import verdicts
from gofuzzsec.report.profiles.verdicts import args_words, value_words, verdict_words
from gofuzzsec.seccomp.decision import Verdict
from gofuzzsec.seccomp.model import Action, Op
from gofuzzsec.seccomp.regions import FULL
from gofuzzsec.seccomp.regions import Test as Comparing

LOWER, UPPER = 0xFFFFFFFF, FULL & ~0xFFFFFFFF


@pytest.mark.parametrize(
    ("verdict", "words"),
    [
        (Verdict(Action.ALLOW), "allowed"),
        (Verdict(Action.LOG), "allowed, logged"),
        (Verdict(Action.ERRNO, 1), "refused (EPERM)"),
        (Verdict(Action.ERRNO, 4000), "refused (4000)"),
        (Verdict(Action.ERRNO, 0), "skipped, pretending it worked"),
        (Verdict(Action.TRACE, 7), "asks a tracer (7)"),
        (Verdict(Action.NOTIFY), "asks a listener"),
        (Verdict(Action.KILL_PROCESS), "kills the process"),
    ],
)
def test_a_verdict(verdict: Verdict, words: str) -> None:
    assert verdict_words(verdict) == words


@pytest.mark.parametrize(
    ("test", "words"),
    [
        (Comparing(0, FULL, Op.EQ, 1), "arg0 = 1 AF_UNIX"),
        (Comparing(0, LOWER, Op.NE, 2), "lower half of arg0 ≠ 2 AF_INET"),
        (Comparing(0, UPPER, Op.EQ, 5 << 32), "upper half of arg0 = 0x5"),
        (Comparing(2, 0x40, Op.EQ, 0), "arg2 & 0x40 = 0x0"),
        (Comparing(5, FULL, Op.GE, 1 << 40), "arg5 ≥ 0x10000000000"),
        (Comparing(6, LOWER, Op.LT, 3), "lower half of instruction pointer < 3"),
    ],
)
def test_a_test(test: Comparing, words: str) -> None:
    assert verdicts.test_words("socket", test, "amd64") == words


def test_values_have_words_where_they_are_known() -> None:
    assert value_words("socket", 1, (2, 1), "amd64") == "1 SOCK_STREAM"
    assert value_words("socket", 1, (2,), "amd64") == "0"
    assert value_words("socket", 0, (2 + (1 << 32),), "amd64") == "0x100000002"
    assert value_words("read", 0, (3,), "amd64") == "3"
    assert args_words("socket", (1,), (0, 1), "amd64") == "arg0=1 AF_UNIX, arg1=0"
    assert args_words("read", (), (), "amd64") == "any"
