"""When an input's calls need no stacks, and what they are called then."""

from __future__ import annotations

from gofuzzsec.syscalls.attribution import StackFrame
from gofuzzsec.syscalls.brackets import Calls, Detail
from gofuzzsec.syscalls.model import CallOutcome, Origin
from gofuzzsec.syscalls.places import Place, Sighting, Stack
from gofuzzsec.syscalls.precedents import AUDIT, Precedents, Shown

MKDIR, OPEN, READ = (Sighting(name, Place.GO) for name in ("mkdirat", "openat", "read"))
FUTEX, EXEC = Sighting("futex", Place.RUNTIME), Sighting("execve", Place.CHILD)
STACK: Stack = (StackFrame("example.org/m.F", go=True),)
OK = Detail("", CallOutcome.OK)
FAILED = Detail("", CallOutcome.FAILED)


def by(*origins: Origin, count: int = 1) -> dict[Origin, Shown]:
    return {origin: {OK: (count, STACK)} for origin in origins}


def ok(counts: dict[Sighting, int]) -> Calls:
    return {sighting: {OK: count} for sighting, count in counts.items()}


def test_runtime_and_children_never_need_stacks() -> None:
    assert Precedents().settled(ok({FUTEX: 5, EXEC: 1}))


def test_a_new_deliberate_call_does() -> None:
    precedents = Precedents()
    assert not precedents.settled(ok({MKDIR: 1}))
    precedents.learn(ok({MKDIR: 1}), {MKDIR: by(Origin.TARGET)})
    assert precedents.settled(ok({MKDIR: 7}))
    assert not precedents.settled(ok({MKDIR: 7, OPEN: 1}))


def test_what_the_harness_makes_too_is_settled_only_in_the_same_number() -> None:
    precedents = Precedents()
    first = ok({MKDIR: 2, OPEN: 1})
    precedents.learn(first, {MKDIR: by(Origin.HARNESS, count=2), OPEN: by(Origin.TARGET)})
    assert precedents.settled(ok({MKDIR: 2}))
    assert not precedents.settled(ok({MKDIR: 3}))
    assert precedents.origins(MKDIR, ok({MKDIR: 2})) == {Origin.HARNESS: {OK: (2, ())}}
    assert not precedents.settled({MKDIR: {FAILED: 2}})
    # An input whose stacks were not read: nothing says that the harness made these.
    assert precedents.origins(MKDIR, ok({MKDIR: 3})) == {Origin.UNKNOWN: {}}


def test_contradiction_ends_a_precedent() -> None:
    precedents = Precedents()
    precedents.learn(ok({OPEN: 1}), {OPEN: by(Origin.TARGET)})
    precedents.learn(ok({OPEN: 3}), {OPEN: by(Origin.TARGET, Origin.HARNESS)})
    assert not precedents.settled(ok({OPEN: 1}))
    assert precedents.settled(ok({OPEN: 3}))
    assert set(precedents.origins(OPEN, ok({OPEN: 3}))) == {Origin.TARGET, Origin.HARNESS}


def test_a_call_whose_stack_did_not_come_is_unknown_from_then_on() -> None:
    precedents = Precedents()
    assert precedents.never_shown(OPEN)
    precedents.learn(ok({OPEN: 1}), {})
    assert precedents.never_shown(OPEN)
    assert not precedents.only_target(OPEN)
    assert precedents.origins(OPEN, ok({OPEN: 1})) == {Origin.UNKNOWN: {}}


def test_settled_inputs_are_audited_now_and_then() -> None:
    precedents = Precedents()
    precedents.learn(ok({OPEN: 1}), {OPEN: by(Origin.TARGET)})
    answers = [precedents.settled(ok({OPEN: 1})) for _ in range(2 * AUDIT)]
    assert answers.count(False) == 2
