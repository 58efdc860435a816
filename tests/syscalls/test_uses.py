"""What the calls of an input's runs are reported as."""

from __future__ import annotations

from gofuzzsec.syscalls.attribution import StackFrame
from gofuzzsec.syscalls.brackets import Calls, Detail
from gofuzzsec.syscalls.model import CallOutcome, Origin, SyscallUse
from gofuzzsec.syscalls.places import Place, Sighting, Stack
from gofuzzsec.syscalls.precedents import Attributed, Precedents
from gofuzzsec.syscalls.uses import uses_of

MKDIR, OPEN, READ = (Sighting(name, Place.GO) for name in ("mkdirat", "openat", "read"))
FUTEX, EXEC = Sighting("futex", Place.RUNTIME), Sighting("execve", Place.CHILD)
STACK: Stack = (StackFrame("example.org/m.F", go=True, place="/m.go:3"),)
NAMES = ("example.org/m.F /m.go:3",)
OK = Detail("", CallOutcome.OK)
FAILED = Detail("", CallOutcome.FAILED)
BEGUN = Detail("", CallOutcome.BEGUN)


def use(name: str, origin: Origin, count: int, detail: Detail, stable: bool = True) -> SyscallUse:
    return SyscallUse(name, origin, count, stable, (), *detail)


def with_stack(plain: SyscallUse) -> SyscallUse:
    return SyscallUse(
        plain.name,
        plain.origin,
        plain.count,
        plain.stable,
        NAMES,
        plain.kind,
        plain.outcome,
        plain.args,
    )


def test_uses_say_what_was_stable_and_keep_stacks() -> None:
    attributed: Attributed = {
        OPEN: {Origin.TARGET: {OK: (2, STACK)}},
        MKDIR: {Origin.TARGET: {FAILED: (1, STACK)}, Origin.HARNESS: {OK: (1, STACK)}},
    }
    runs: tuple[Calls, ...] = (
        {OPEN: {OK: 3, FAILED: 1}, MKDIR: {OK: 1, FAILED: 1}, FUTEX: {OK: 9}, READ: {OK: 1}},
        {OPEN: {OK: 2}, MKDIR: {OK: 1, FAILED: 1}, EXEC: {BEGUN: 1}},
    )
    assert uses_of(runs, attributed, Precedents(), {}) == (
        use("execve", Origin.TARGET, 1, BEGUN, stable=False),
        use("futex", Origin.RUNTIME, 9, OK, stable=False),
        with_stack(use("mkdirat", Origin.TARGET, 1, FAILED)),
        with_stack(use("mkdirat", Origin.HARNESS, 1, OK)),
        use("openat", Origin.TARGET, 1, FAILED, stable=False),
        with_stack(use("openat", Origin.TARGET, 3, OK)),
        use("read", Origin.UNKNOWN, 1, OK, stable=False),
    )


def test_values_take_no_part_in_what_is_stable() -> None:
    """What differs in nothing else is the same call, with the stack that one of them showed."""
    one, two, three = (Detail("", CallOutcome.OK, (value,)) for value in (1, 2, 3))
    attributed: Attributed = {OPEN: {Origin.TARGET: {three: (1, STACK)}}}
    uses = uses_of(({OPEN: {one: 1}}, {OPEN: {two: 4}}), attributed, Precedents(), {})
    assert uses == (
        with_stack(use("openat", Origin.TARGET, 1, one)),
        with_stack(use("openat", Origin.TARGET, 4, two)),
    )
    both: Attributed = {OPEN: {**attributed[OPEN], Origin.HARNESS: {FAILED: (1, STACK)}}}
    uses = uses_of(({OPEN: {one: 1}}, {OPEN: {one: 1}}), both, Precedents(), {})
    assert [(each.origin, each.args) for each in uses] == [(Origin.TARGET, (1,))]


def test_what_differs_only_in_its_outcome_is_stable() -> None:
    """The folder is there when the input runs for the second time."""
    uses = uses_of(({MKDIR: {OK: 1}}, {MKDIR: {FAILED: 1}}), {}, Precedents(), {})
    assert uses == (
        use("mkdirat", Origin.UNKNOWN, 1, FAILED),
        use("mkdirat", Origin.UNKNOWN, 1, OK),
    )


def test_a_detail_that_no_stack_showed_is_nobodys_when_several_make_the_call() -> None:
    by: Attributed = {
        OPEN: {Origin.TARGET: {OK: (2, STACK)}, Origin.HARNESS: {OK: (1, STACK)}},
    }
    uses = uses_of(({OPEN: {OK: 3, FAILED: 1}},) * 2, by, Precedents(), {})
    assert uses == (
        use("openat", Origin.UNKNOWN, 1, FAILED),
        with_stack(use("openat", Origin.HARNESS, 1, OK)),
        with_stack(use("openat", Origin.TARGET, 2, OK)),
    )


def test_one_run_alone_makes_nothing_stable() -> None:
    (found,) = uses_of(({FUTEX: {OK: 1}},), {}, Precedents(), {})
    assert not found.stable


def test_calls_around_inputs_are_reported_as_unstable_and_never_as_the_harness() -> None:
    precedents = Precedents()
    precedents.learn({MKDIR: {OK: 1}}, {MKDIR: {Origin.HARNESS: {OK: (1, STACK)}}})
    precedents.learn({OPEN: {OK: 1}}, {OPEN: {Origin.TARGET: {OK: (1, STACK)}}})
    stray: Calls = {MKDIR: {OK: 4}, OPEN: {OK: 1}, FUTEX: {OK: 1}, EXEC: {BEGUN: 2}}
    uses = uses_of(({OPEN: {OK: 1}}, {OPEN: {OK: 1}}), {}, precedents, stray)
    assert uses == (
        use("execve", Origin.TARGET, 2, BEGUN, stable=False),
        use("mkdirat", Origin.UNKNOWN, 4, OK, stable=False),
        use("openat", Origin.TARGET, 1, OK),
    )


def test_the_same_call_from_go_and_from_a_child_is_one_use() -> None:
    child = Sighting("openat", Place.CHILD)
    by: Attributed = {OPEN: {Origin.TARGET: {OK: (2, STACK)}}}
    (found,) = uses_of(({OPEN: {OK: 2}, child: {OK: 3}},) * 2, by, Precedents(), {})
    assert (found.count, found.origin, found.stack) == (5, Origin.TARGET, NAMES)
