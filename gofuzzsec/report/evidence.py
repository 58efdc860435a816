"""System calls as people read them: who needs each one, and what fuzzing added to the tests."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from gofuzzsec.report.tables import table
from gofuzzsec.report.text import clean, number, plural, wrap_names
from gofuzzsec.seccomp import Profile
from gofuzzsec.store.model import SyscallRow
from gofuzzsec.syscalls.compare import CallSummary, Comparison
from gofuzzsec.syscalls.model import Origin
from gofuzzsec.syscalls.oci import KERNEL_CALLS, OCI_RUNTIME_CALLS

_WORDS = {"tests": "tests", "seeds": "seeds", "fuzz": "fuzzing", "baseline": "baseline"}
_COLUMNS = ("syscall", "needed by", "origin", "first input", "count", "")
_DEEPEST = 40
"""Frames printed of one stack."""


def headline(comparison: Comparison) -> str:
    """The comparison with every call by name, or what is missing to make it."""
    if not comparison.inputs_recorded:
        return "no system calls recorded: this campaign ran without capture"
    added = _these(len(comparison.added), "call")
    if comparison.tests_recorded:
        lines = [
            f"hand-written tests alone reached {_these(len(comparison.tests), 'system call')}:",
            wrap_names(comparison.tests) or "  (none)",
            f"fuzzing added {added}:",
        ]
    else:
        lines = [
            "the hand-written tests were not recorded, so there is nothing to compare with",
            f"fuzzing reached {added} beyond the Go runtime's own:",
        ]
    lines.append(wrap_names(comparison.added) or "  (none)")
    if comparison.by_seeds:
        lines.append("of these, the seeds alone reached:")
        lines.append(wrap_names(comparison.by_seeds))
    if comparison.unstable:
        lines.append("not counted, because seen in only one of an input's two runs:")
        lines.append(wrap_names(comparison.unstable))
    return "\n".join(lines)


def calls_table(calls: Sequence[CallSummary]) -> str:
    """One line a system call."""
    return table(_COLUMNS, [_cells(call) for call in calls], right="count")


def calls_with_stacks(calls: Sequence[CallSummary]) -> str:
    """One paragraph a system call: its line, then the Go functions that led to it."""
    return "\n".join(_with_stack(call) for call in calls)


def profile_summary(profile: Profile, rows: Sequence[SyscallRow], baseline: Collection[str]) -> str:
    """How many calls *profile* allows, and how many each kind of evidence accounts for."""
    needed = {source: _needed(rows, source) for source in ("tests", "seeds", "fuzz", "baseline")}
    counts = [
        ("hand-written tests", needed["tests"]),
        ("seeds", needed["seeds"]),
        ("fuzzing", needed["fuzz"]),
        ("Go runtime baseline", needed["baseline"] | set(baseline)),
        ("container runtime", set(OCI_RUNTIME_CALLS)),
        ("kernel", set(KERNEL_CALLS)),
    ]
    allowed = set(profile.names)
    lines = [
        f"seccomp profile for {profile.arch}: {plural(len(profile.calls), 'call')} allowed, all "
        "others refused; needed by (a call may be needed by several)"
    ]
    lines += [f"  {name + ':':<21}{len(names & allowed):>4}" for name, names in counts]
    if profile.left_out:
        lines.append("left out, because only the test harness made them:")
        lines.append(wrap_names(profile.left_out))
    return "\n".join(lines)


def profile_reasons(profile: Profile) -> str:
    """Every allowed call with all that needs it."""
    return "\n".join(
        f"{clean(call.name)}: {clean('; '.join(call.reasons))}" for call in profile.calls
    )


def _needed(rows: Sequence[SyscallRow], source: str) -> set[str]:
    return {row.name for row in rows if row.source == source and row.origin != Origin.HARNESS}


def _these(count: int, noun: str) -> str:
    return f"{'this' if count == 1 else 'these'} {plural(count, noun)}"


def _cells(call: CallSummary) -> tuple[str, ...]:
    return (
        call.name,
        ", ".join(_WORDS.get(source, source) for source in call.needed_by),
        ", ".join(call.origins),
        call.first_input or "-",
        number(call.count),
        "unstable" if call.unstable else "",
    )


def _with_stack(call: CallSummary) -> str:
    name, needed, origin, first, count, unstable = _cells(call)
    by = f", first by input {first}" if call.first_input else ""
    doubt = ", unstable" if unstable else ""
    lines = [f"{clean(name)}: needed by {needed}; origin {origin}; {count} seen{by}{doubt}"]
    lines += [f"    {clean(frame)}" for frame in call.stack[:_DEEPEST]]
    if len(call.stack) > _DEEPEST:
        lines.append(f"    … {plural(len(call.stack) - _DEEPEST, 'more frame')}")
    if not call.stack:
        lines.append("    (no stack recorded)")
    return "\n".join(lines)
