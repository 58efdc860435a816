"""What the evidence says, call by call, and what fuzzing added to the hand-written tests."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from gofuzzsec.store.model import SyscallRow
from gofuzzsec.syscalls.model import Origin

SOURCES = ("tests", "integration", "seeds", "fuzz", "campaign", "baseline", "harness")
"""Who can need a call, in the order in which tables name them."""

_OWN = (Origin.TARGET, Origin.UNKNOWN)
_INPUTS = ("seeds", "fuzz")
_SHARED = ("tests", "baseline", "harness")
"""Sources whose one recording is stored with each target of a package."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """Hand-written tests alone against everything the fuzzer ran. All names are sorted.

    ``tests``: calls of the package's own tests that neither the Go runtime nor the harness made.
    ``added``: calls that inputs made and that no test made, under whatever origin, and that a
    minimal Go program does not make either; only calls seen in both runs of an input count.
    ``by_seeds``: the part of ``added`` that seeds reached before anything was mutated.
    ``unstable``: calls that would be in ``added`` but were seen in only one of two runs.
    ``passing``: calls that the campaign's processes made, or may have, and that none of the above
    and no kept input shows: an input that was not kept, or chance.
    ``tests_recorded``, ``inputs_recorded``: whether there is any evidence of that kind at all;
    without it an empty list means "not looked", not "none".
    """

    tests: tuple[str, ...]
    added: tuple[str, ...]
    by_seeds: tuple[str, ...]
    unstable: tuple[str, ...]
    tests_recorded: bool
    inputs_recorded: bool
    passing: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CallForm:
    """The rows of a system call with one kind and outcome (as in SyscallRow); otherwise as in
    CallSummary."""

    kind: str
    outcome: str
    needed_by: tuple[str, ...]
    origins: tuple[str, ...]
    first_input: str
    count: int
    unstable: bool
    stack: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CallSummary:
    """One system call over all its rows.

    ``needed_by`` is in the order of SOURCES, ``origins`` in the order of Origin.
    ``first_input`` is the hash of the earliest input that showed it, empty when only whole
    processes did. ``count`` is calls seen in all recordings; what is recorded once for several
    targets (a package's tests, the baseline) counts once. ``unstable`` is True when no recording
    showed it in both runs of an input. ``stack`` is that of the earliest row that has one,
    innermost frame first. ``forms`` are sorted by kind and outcome.
    """

    name: str
    needed_by: tuple[str, ...]
    origins: tuple[str, ...]
    first_input: str
    count: int
    unstable: bool
    stack: tuple[str, ...]
    forms: tuple[CallForm, ...] = ()


def compare(rows: Sequence[SyscallRow]) -> Comparison:
    """The headline comparison over *rows* (of one target, or of several together)."""
    of_tests = [row for row in rows if row.source == "tests"]
    of_inputs = [row for row in rows if row.source in _INPUTS]
    own = [row for row in of_inputs if row.origin in _OWN]
    known = _names(of_tests) | _names(row for row in rows if row.source == "baseline")
    stable = _names(row for row in own if not row.unstable)
    passing = _names(row for row in rows if row.source == "campaign" and row.origin in _OWN)
    return Comparison(
        tests=tuple(sorted(_names(row for row in of_tests if row.origin in _OWN))),
        added=tuple(sorted(stable - known)),
        by_seeds=tuple(
            sorted(_names(row for row in own if row.source == "seeds" and not row.unstable) - known)
        ),
        unstable=tuple(sorted(_names(own) - stable - known)),
        tests_recorded=bool(of_tests),
        inputs_recorded=bool(of_inputs),
        passing=tuple(sorted(passing - known - _names(of_inputs))),
    )


def by_call(rows: Sequence[SyscallRow]) -> tuple[CallSummary, ...]:
    """*rows* folded to one summary a system call, sorted by name."""
    grouped: dict[str, list[SyscallRow]] = {}
    for row in rows:
        grouped.setdefault(row.name, []).append(row)
    return tuple(_summary(name, grouped[name]) for name in sorted(grouped))


def _summary(name: str, rows: Sequence[SyscallRow]) -> CallSummary:
    by_form: dict[tuple[str, str], list[SyscallRow]] = {}
    for row in rows:
        by_form.setdefault((row.kind, row.outcome), []).append(row)
    forms = tuple(
        CallForm(kind, outcome, *_over(found)) for (kind, outcome), found in sorted(by_form.items())
    )
    return CallSummary(name, *_over(rows), forms=forms)


def _over(
    rows: Sequence[SyscallRow],
) -> tuple[tuple[str, ...], tuple[str, ...], str, int, bool, tuple[str, ...]]:
    """What summaries and forms say alike, in the order of their fields."""
    earliest = sorted(rows, key=lambda row: row.first_at)
    sources = {row.source for row in rows}
    origins = {row.origin for row in rows}
    return (
        tuple(source for source in SOURCES if source in sources),
        tuple(origin.value for origin in Origin if origin.value in origins),
        next((row.first_input for row in earliest if row.first_input), ""),
        _count(rows),
        all(row.unstable for row in rows),
        next((row.stack for row in earliest if row.stack), ()),
    )


def _count(rows: Sequence[SyscallRow]) -> int:
    shared: dict[tuple[object, ...], int] = {}
    for row in rows:
        if row.source in _SHARED:
            key = (row.source, row.origin, row.kind, row.outcome, row.args)
            shared[key] = max(shared.get(key, 0), row.count)
    return sum(row.count for row in rows if row.source not in _SHARED) + sum(shared.values())


def _names(rows: Iterable[SyscallRow]) -> frozenset[str]:
    return frozenset(row.name for row in rows)
