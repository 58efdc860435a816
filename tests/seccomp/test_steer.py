"""clone3 is answered ENOSYS where clone has a rule and libraries alone make it."""

from __future__ import annotations

import pytest

from gofuzzsec.seccomp import build_profile, document
from gofuzzsec.seccomp.arguments import argument_rules
from gofuzzsec.seccomp.effect import effects
from gofuzzsec.seccomp.model import Action
from gofuzzsec.seccomp.steer import ENOSYS, answer, steered, without
from gofuzzsec.store.model import SyscallRow

THREAD = 0x3D0F00  # what a C library passes for a thread


def row(name: str, source: str, origin: str, args: tuple[int, ...] = ()) -> SyscallRow:
    first = "0123456789abcdef" if source == "fuzz" else ""
    return SyscallRow(name, origin, source, first, 1.0, 3, 1, False, (), outcome="ok", args=args)


CLONE = row("clone", "baseline", "runtime", (THREAD,))
CLONE3 = row("clone3", "baseline", "runtime")


def test_libraries_are_steered_from_clone3_to_clone() -> None:
    rows = [CLONE, CLONE3]
    built = build_profile(rows, baseline=[], oci=[], arch="amd64")
    rules = argument_rules(rows, "amd64", "safe", oci=[])
    calls = steered(built, rows, rules)
    assert [(call.name, call.instead) for call in calls] == [("clone3", "clone")]
    left = without(built, calls)
    profile = answer(document(left, rules), calls)
    found = effects(profile, "amd64")
    assert found["clone"].access == "some"
    verdict = found["clone3"].verdict(())
    assert (verdict.action, verdict.errno) == (Action.ERRNO, ENOSYS)
    assert "clone3" in built.names
    assert "clone3" not in left.names


@pytest.mark.parametrize(
    ("rows", "why"),
    [
        ([CLONE, CLONE3, row("clone3", "fuzz", "target")], "the program may make it by itself"),
        ([CLONE, CLONE3, row("clone3", "tests", "unknown")], "somebody may"),
        ([row("clone", "baseline", "runtime"), CLONE3], "clone has no rule"),
        ([CLONE], "nobody makes it"),
    ],
)
def test_otherwise_nothing_is(rows: list[SyscallRow], why: str) -> None:
    built = build_profile(rows, baseline=[], oci=[], arch="amd64")
    rules = argument_rules(rows, "amd64", "safe", oci=[])
    assert steered(built, rows, rules) == (), why
