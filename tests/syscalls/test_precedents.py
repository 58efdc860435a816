"""When an input's calls need no stacks, and what they are called then."""

from __future__ import annotations

from gofuzzsec.syscalls.attribution import StackFrame
from gofuzzsec.syscalls.model import Origin, SyscallUse
from gofuzzsec.syscalls.precedents import AUDIT, Attributed, Precedents, uses_of
from gofuzzsec.syscalls.sightings import Place, Sighting, Stack

MKDIR, OPEN, READ = (Sighting(name, Place.GO) for name in ("mkdirat", "openat", "read"))
FUTEX, EXEC = Sighting("futex", Place.RUNTIME), Sighting("execve", Place.CHILD)
STACK: Stack = (StackFrame("example.org/m.F", go=True),)


def by(*origins: Origin, count: int = 1) -> dict[Origin, tuple[int, Stack]]:
    return dict.fromkeys(origins, (count, STACK))


def test_runtime_and_children_never_need_stacks() -> None:
    assert Precedents().settled({FUTEX: 5, EXEC: 1})


def test_a_new_deliberate_call_does() -> None:
    precedents = Precedents()
    assert not precedents.settled({MKDIR: 1})
    precedents.learn({MKDIR: 1}, {MKDIR: by(Origin.TARGET)})
    assert precedents.settled({MKDIR: 7})
    assert not precedents.settled({MKDIR: 7, OPEN: 1})


def test_what_the_harness_makes_too_is_settled_only_in_the_same_number() -> None:
    precedents = Precedents()
    first = {MKDIR: 2, OPEN: 1}
    precedents.learn(first, {MKDIR: by(Origin.HARNESS, count=2), OPEN: by(Origin.TARGET)})
    assert precedents.settled({MKDIR: 2})
    assert not precedents.settled({MKDIR: 3})
    assert precedents.origins(MKDIR, {MKDIR: 2}) == {Origin.HARNESS: (2, ())}
    # An input whose stacks were not read: nothing says that the harness made these.
    assert precedents.origins(MKDIR, {MKDIR: 3}) == {Origin.UNKNOWN: (0, ())}


def test_contradiction_ends_a_precedent() -> None:
    precedents = Precedents()
    precedents.learn({OPEN: 1}, {OPEN: by(Origin.TARGET)})
    precedents.learn({OPEN: 3}, {OPEN: by(Origin.TARGET, Origin.HARNESS)})
    assert not precedents.settled({OPEN: 1})
    assert precedents.settled({OPEN: 3})
    assert set(precedents.origins(OPEN, {OPEN: 3})) == {Origin.TARGET, Origin.HARNESS}


def test_a_call_whose_stack_did_not_come_is_unknown_from_then_on() -> None:
    precedents = Precedents()
    assert precedents.never_shown(OPEN)
    precedents.learn({OPEN: 1}, {})
    assert precedents.never_shown(OPEN)
    assert not precedents.only_target(OPEN)
    assert precedents.origins(OPEN, {OPEN: 1}) == {Origin.UNKNOWN: (0, ())}


def test_settled_inputs_are_audited_now_and_then() -> None:
    precedents = Precedents()
    precedents.learn({OPEN: 1}, {OPEN: by(Origin.TARGET)})
    answers = [precedents.settled({OPEN: 1}) for _ in range(2 * AUDIT)]
    assert answers.count(False) == 2


def test_uses_say_what_was_stable_and_keep_stacks() -> None:
    attributed: Attributed = {OPEN: by(Origin.TARGET), MKDIR: by(Origin.TARGET, Origin.HARNESS)}
    uses = uses_of(
        ({OPEN: 3, MKDIR: 2, FUTEX: 9, READ: 1}, {OPEN: 2, MKDIR: 2, EXEC: 1}),
        attributed,
        Precedents(),
        {},
    )
    names = ("example.org/m.F",)
    assert uses == (
        SyscallUse("execve", Origin.TARGET, 1, stable=False),
        SyscallUse("futex", Origin.RUNTIME, 9, stable=False),
        SyscallUse("mkdirat", Origin.HARNESS, 1, stable=True, stack=names),
        SyscallUse("mkdirat", Origin.TARGET, 1, stable=True, stack=names),
        SyscallUse("openat", Origin.TARGET, 3, stable=True, stack=names),
        SyscallUse("read", Origin.UNKNOWN, 1, stable=False),
    )


def test_one_run_alone_makes_nothing_stable() -> None:
    (use,) = uses_of(({FUTEX: 1},), {}, Precedents(), {})
    assert not use.stable


def test_calls_around_inputs_are_reported_as_unstable_and_never_as_the_harness() -> None:
    precedents = Precedents()
    precedents.learn({MKDIR: 1}, {MKDIR: by(Origin.HARNESS)})
    precedents.learn({OPEN: 1}, {OPEN: by(Origin.TARGET)})
    uses = uses_of(({OPEN: 1}, {OPEN: 1}), {}, precedents, {MKDIR: 4, OPEN: 1, FUTEX: 1, EXEC: 2})
    assert uses == (
        SyscallUse("execve", Origin.TARGET, 2, stable=False),
        SyscallUse("mkdirat", Origin.UNKNOWN, 4, stable=False),
        SyscallUse("openat", Origin.TARGET, 1, stable=True),
    )


def test_the_same_call_from_go_and_from_a_child_is_one_use() -> None:
    child = Sighting("openat", Place.CHILD)
    (use,) = uses_of(({OPEN: 2, child: 3},) * 2, {OPEN: by(Origin.TARGET)}, Precedents(), {})
    assert use == SyscallUse("openat", Origin.TARGET, 5, stack=("example.org/m.F",))
