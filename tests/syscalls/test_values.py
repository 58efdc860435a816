"""Values of deciding arguments in a trace: told as far as there are few, else not at all."""

from __future__ import annotations

from gofuzzsec.syscalls.arguments import MOST_VALUES
from gofuzzsec.syscalls.brackets import Bracket, Detail
from gofuzzsec.syscalls.model import CallOutcome
from gofuzzsec.syscalls.places import Place, Sighting
from tests.syscalls.test_sightings import REPLY, REQUEST, RUNTIME, STUB, line, observe


def test_values() -> None:
    bracket = observe(
        REQUEST,
        line(STUB, "socket(0x1, 0x80001, 0) = 0x3"),
        line(STUB, "socket(0x1, 0x1, 0) = 0x3"),
        line(STUB, "socket(0x10, 0xffffffff00000003, 0) = -1 EPERM (x)"),
        line(STUB, "mmap(0, 0x1000, 0x3, 0x22, 0xffffffffffffffff, 0) = 0x1000"),
        line(STUB, "read(0x5, 0, 0x10) = 0x10"),
        line(STUB, "prctl(?) = 0"),
        line(RUNTIME, "futex(0xc0, 0x80, 0, 0) = ? ERESTARTSYS (x)"),
        REPLY,
    ).take()
    assert {
        (sighting.name, detail.kind, detail.outcome.value, detail.args): count
        for sighting, found in bracket.calls.items()
        for detail, count in found.items()
    } == {
        ("socket", "unix", "ok", (1, 1)): 2,
        ("socket", "netlink", "refused", (16, 3)): 1,
        ("mmap", "write", "ok", (3, 0x22)): 1,
        ("read", "", "ok", ()): 1,
        ("prctl", "", "ok", ()): 1,
        ("futex", "", "begun", (0x80,)): 1,
    }


def test_too_many_values_are_not_told() -> None:
    lines = [line(STUB, f"prctl({option:#x}, 0) = 0") for option in range(1000, 1050)]
    bracket = observe(REQUEST, *lines, *lines, REPLY).take()
    (found,) = bracket.calls.values()
    assert len(found) == MOST_VALUES + 1
    assert sum(found.values()) == 100
    assert found[Detail("other", CallOutcome.OK)] == 2 * (50 - MOST_VALUES)


def test_an_interrupted_call_with_values_of_its_own_has_begun() -> None:
    futex, bracket = Sighting("futex", Place.RUNTIME), Bracket()
    wake, wait = (Detail("", CallOutcome.BEGUN, (value,)) for value in (0x81, 0x80))
    bracket.add(futex, wake._replace(outcome=CallOutcome.OK))
    bracket.interrupted |= {(futex, wake), (futex, wait)}
    bracket.settle_interrupted()
    assert bracket.calls[futex] == {wake._replace(outcome=CallOutcome.OK): 1, wait: 1}
