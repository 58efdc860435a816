"""System calls as people read them: who needs each one, and what fuzzing added to the tests."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from gofuzzsec.report.tables import table
from gofuzzsec.report.text import clean, number, plural, wrap_names
from gofuzzsec.seccomp import BuiltProfile
from gofuzzsec.store import Statements, Store
from gofuzzsec.store.model import RecordingRow, SyscallRow, TargetRow
from gofuzzsec.syscalls.attribution import is_of_module, without_harness
from gofuzzsec.syscalls.compare import CallForm, CallSummary, Comparison
from gofuzzsec.syscalls.model import CallOutcome, Origin
from gofuzzsec.syscalls.oci import KERNEL_CALLS, OCI_RUNTIME_CALLS

_WORDS = {"integration": "integration runs", "fuzz": "fuzzing"}
_EVIDENCE = (
    ("hand-written tests", "tests"),
    ("integration runs", "integration"),
    ("seeds", "seeds"),
    ("fuzzing", "fuzz"),
    ("campaign", "campaign"),
)
_ALWAYS = ("tests", "seeds", "fuzz")  # kinds of evidence whose lack is told too
_COLUMNS = ("syscall", "needed by", "origin", "first input", "count", "")
_DEEPEST = 40
"""Frames printed of one stack."""


def headline(comparison: Comparison) -> str:
    """The comparison with every call by name, or what is missing to make it."""
    if not comparison.inputs_recorded:
        return "no input's system calls are recorded, so there is nothing to compare"
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
    if comparison.passing:
        lines.append("seen while the campaign ran, though no kept input shows them:")
        lines.append(wrap_names(comparison.passing))
    return "\n".join(lines)


def coverage_lines(store: Store, targets: Sequence[TargetRow]) -> list[str]:
    """What captured runs with measured statement coverage made by themselves, and that coverage.

    A run that is stored with several targets is told once. Raises StoreError.
    """
    lines: dict[str, None] = {}
    for target in targets:
        for capture in store.captures(target.id):
            if capture.statements is not None:
                uses = store.recording_syscalls(capture.id)
                own = {use.name for use in uses if use.origin in (Origin.TARGET, Origin.UNKNOWN)}
                lines[_coverage_line(capture, capture.statements, own)] = None
    return list(lines)


def _coverage_line(capture: RecordingRow, statements: Statements, names: Collection[str]) -> str:
    what = "the tests" if capture.source == "tests" else "the run"
    label = f" {clean(capture.label)}" if capture.label else ""
    come = "comes" if len(names) == 1 else "come"
    return (
        f"{_these(len(names), 'call')} {come} from {what}{label}, covering "
        f"{statements.percent:.1f} % of the statements:\n"
        f"{wrap_names(sorted(names)) or '  (none)'}"
    )


def calls_table(calls: Sequence[CallSummary]) -> str:
    """One line a system call, and under it one for each of its kinds and outcomes."""
    rows = []
    for call in calls:
        rows.append((call.name, *_cells(call)))
        rows += [(f"  {_form(form)}", *_cells(form)) for form in _telling(call)]
    return table(_COLUMNS, rows, right="count")


def calls_with_stacks(calls: Sequence[CallSummary], modules: Collection[str] = ()) -> str:
    """A paragraph for each system call, kind and outcome: its line, then what led to it.

    The first frame of one of *modules* (paths of the user's own) is marked by an arrow; frames of
    the harness around the code under test are left out.
    """
    return "\n".join(
        _with_stack(title, each, modules) for call in calls for title, each in _titled(call)
    )


def profile_summary(
    profile: BuiltProfile, rows: Sequence[SyscallRow], baseline: Collection[str]
) -> str:
    """How many calls *profile* allows, and how many each kind of evidence accounts for."""
    counts = [
        (words, needed)
        for words, source in _EVIDENCE
        if (needed := _needed(rows, source)) or source in _ALWAYS
    ]
    counts += [
        ("Go runtime baseline", _needed(rows, "baseline") | set(baseline)),
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


def profile_reasons(profile: BuiltProfile) -> str:
    """Every allowed call with all that needs it."""
    return "\n".join(
        f"{clean(call.name)}: {clean('; '.join(call.reasons))}" for call in profile.calls
    )


def _needed(rows: Sequence[SyscallRow], source: str) -> set[str]:
    return {row.name for row in rows if row.source == source and row.origin != Origin.HARNESS}


def _these(count: int, noun: str) -> str:
    return f"{'this' if count == 1 else 'these'} {plural(count, noun)}"


def _cells(call: CallSummary | CallForm) -> tuple[str, ...]:
    return (
        ", ".join(_WORDS.get(source, source) for source in call.needed_by),
        ", ".join(call.origins),
        call.first_input or "-",
        number(call.count),
        "unstable" if call.unstable else "",
    )


def _telling(call: CallSummary) -> tuple[CallForm, ...]:
    """The forms of *call*, none where they say no more than that it was made."""
    forms = [form for form in call.forms if form.count or form.outcome != CallOutcome.UNTOLD]
    plain = (CallOutcome.OK, CallOutcome.BEGUN, CallOutcome.UNTOLD)
    if all(not form.kind and form.outcome in plain for form in forms):
        return ()
    return tuple(forms)


def _form(form: CallForm) -> str:
    """``(unix) refused``; a part that is not known is left out."""
    kind = f"({form.kind})" if form.kind else ""
    outcome = "" if form.outcome == CallOutcome.UNTOLD else form.outcome
    return f"{kind} {outcome}".strip() or "(not told)"


def _titled(call: CallSummary) -> list[tuple[str, CallSummary | CallForm]]:
    forms = _telling(call)
    return [(f"{call.name} {_form(form)}", form) for form in forms] or [(call.name, call)]


def _with_stack(title: str, call: CallSummary | CallForm, modules: Collection[str]) -> str:
    needed, origin, first, count, unstable = _cells(call)
    by = f", first by input {first}" if call.first_input else ""
    doubt = ", unstable" if unstable else ""
    lines = [f"{clean(title)}: needed by {needed}; origin {origin}; {count} seen{by}{doubt}"]
    stack = without_harness(call.stack)
    own = next((i for i, frame in enumerate(stack) if is_of_module(frame, modules)), -1)
    lines += [
        f"  {'→' if index == own else ' '} {clean(frame)}"
        for index, frame in enumerate(stack[:_DEEPEST])
    ]
    if len(stack) > _DEEPEST:
        lines.append(f"    … {plural(len(stack) - _DEEPEST, 'more frame')}")
    if not stack:
        lines.append("    (no stack recorded)")
    return "\n".join(lines)
