"""How a profile follows from evidence: one list of allowed calls, everything else refused with
EPERM, and the reasons of each.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

from gofuzzsec.errors import ProfileError, RecorderError
from gofuzzsec.seccomp.arguments import ArgumentRule
from gofuzzsec.seccomp.model import Profile, Provenance, plain
from gofuzzsec.store.model import SyscallRow
from gofuzzsec.syscalls import table
from gofuzzsec.syscalls.model import CallOutcome, Origin
from gofuzzsec.syscalls.oci import KERNEL_CALLS

_INPUTS = ("seeds", "fuzz")
_PROCESSES = ("tests", "integration", "campaign")
_SHOWN = 12  # names in one warning
_ORDER = {Origin.TARGET: 0, Origin.UNKNOWN: 1, Origin.RUNTIME: 2}
_WHO = {Origin.TARGET: "", Origin.UNKNOWN: ", maker unknown", Origin.RUNTIME: ", Go runtime"}
_REFUSED = "tried and refused; allowed so that the program behaves the same"


@dataclass(frozen=True, slots=True)
class AllowedCall:
    """One allowed system call and who needs it, in words, most telling first."""

    name: str
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class BuiltProfile:
    """What is allowed on one architecture ("amd64" or "arm64"); everything else is refused.

    ``calls`` are sorted by name. ``left_out`` are names that only the test harness made.
    ``warnings`` say where the evidence is weak; each is one line.
    """

    arch: str
    calls: tuple[AllowedCall, ...]
    left_out: tuple[str, ...]
    warnings: tuple[str, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """The allowed calls, sorted."""
        return tuple(call.name for call in self.calls)


def build_profile(
    rows: Sequence[SyscallRow],
    *,
    baseline: Iterable[str],
    oci: Iterable[str],
    arch: str,
    unrecorded: int = 0,
    incomplete: int = 0,
) -> BuiltProfile:
    """The least profile that lets everything in the evidence happen again.

    *rows* are the evidence of one or several targets, *baseline* the Go runtime's own calls, *oci*
    what the container runtime needs to start the program, *unrecorded* the number of kept inputs
    whose calls are not in *rows*, *incomplete* that of recordings that may miss calls. Calls of the
    test harness are no reason to allow anything.
    Raises ProfileError for an architecture or a call that there is none such of.
    """
    known = _known_names(arch)
    baseline = frozenset(baseline)
    reasons: dict[str, list[str]] = {}
    for name, reason in _reasons(rows, baseline, tuple(oci)):
        if name not in known:
            raise ProfileError(
                f"expected calls of {arch}, found {name!r} in the evidence ({reason}): "
                "was it recorded on another architecture, or with a newer gofuzzsec?"
            )
        if reason not in reasons.setdefault(name, []):
            reasons[name].append(reason)
    for name, reason in KERNEL_CALLS.items():
        if name in known:
            reasons.setdefault(name, []).append(f"kernel: {reason}")
    harness = {row.name for row in rows if row.origin == Origin.HARNESS}
    return BuiltProfile(
        arch=arch,
        calls=tuple(AllowedCall(name, tuple(reasons[name])) for name in sorted(reasons)),
        left_out=tuple(sorted(harness - reasons.keys())),
        warnings=(
            *_incompleteness(unrecorded, incomplete),
            *_warnings(rows, reasons, baseline),
        ),
    )


def document(
    built: BuiltProfile,
    arguments: Mapping[str, ArgumentRule] = MappingProxyType({}),
    provenance: Provenance | None = None,
) -> Profile:
    """*built* as a profile: calls with a rule in *arguments* (by name; others than the allowed ones
    do not count) only as that says, the others whatever their arguments, the rest refused with
    EPERM."""
    whole = plain([name for name in built.names if name not in arguments], built.arch, provenance)
    ruled = [rule for name in built.names if name in arguments for rule in arguments[name].rules()]
    return replace(whole, rules=(*(rule for rule in whole.rules if rule.names), *ruled))


def _known_names(arch: str) -> frozenset[str]:
    try:
        return table.names(arch)
    except RecorderError as error:
        raise ProfileError(str(error)) from error


def _reasons(
    rows: Sequence[SyscallRow], baseline: Collection[str], oci: Collection[str]
) -> Iterable[tuple[str, str]]:
    """(name, why) for everything allowed, in the order in which reasons are told."""
    yield from _seen(rows)
    for row in rows:
        if row.source == "baseline":
            yield row.name, "Go runtime baseline"
    for name in baseline:
        yield name, "Go runtime baseline"
    for name in oci:
        yield name, "container runtime"
    needed = {*baseline, *oci}
    needed |= {
        row.name
        for row in rows
        if row.outcome != CallOutcome.REFUSED and (_counts(row) or row.source == "baseline")
    }
    for row in rows:
        if row.name not in needed and _counts(row):
            yield row.name, _REFUSED


def _seen(rows: Sequence[SyscallRow]) -> Iterable[tuple[str, str]]:
    """What recordings showed: one reason a call, source, maker and first sight.

    A campaign's processes make what its inputs make, so they are told of only where nothing else
    shows the call.
    """
    kept = {row.name for row in rows if _counts(row) and row.source != "campaign"}
    grouped: dict[tuple[str, str, str, bool], list[SyscallRow]] = {}
    ordered = sorted(
        (row for row in rows if _counts(row)),
        key=lambda row: (_ORDER[Origin(row.origin)], row.first_at, row.kind, row.outcome),
    )
    for row in ordered:
        if row.source == "campaign" and row.name in kept:
            continue
        key = (row.name, row.source, row.origin, row.unstable)
        grouped.setdefault(key, []).append(row)
    for (name, source, origin, unstable), found in grouped.items():
        first = found[0].first_input or found[0].label
        doubt = ", unstable" if unstable else ""
        passing = ", no kept input" if source == "campaign" else ""
        what = f"{source} {first}" if first else source
        yield name, f"{what}{passing}{_WHO[Origin(origin)]}{doubt}{_forms(found)}"


def _counts(row: SyscallRow) -> bool:
    """Whether the row is a reason to allow its call, and not told of in another way."""
    return row.origin != Origin.HARNESS and row.source not in ("harness", "baseline")


def _forms(rows: Sequence[SyscallRow]) -> str:
    """`` [unix ok, unix refused]``; "" where it only says that the call was made."""
    forms = dict.fromkeys(
        f"{row.kind} {'' if row.outcome == CallOutcome.UNTOLD else row.outcome}".strip()
        for row in rows
    )
    told = [form for form in forms if form]
    plain = {CallOutcome.OK.value, CallOutcome.BEGUN.value}
    return "" if plain.issuperset(told) else f" [{', '.join(told)}]"


def _incompleteness(unrecorded: int, incomplete: int) -> Iterable[str]:
    if unrecorded:
        inputs = "input is" if unrecorded == 1 else "inputs are"
        yield (
            f"EVIDENCE INCOMPLETE: {unrecorded} kept {inputs} not recorded yet, so calls that only "
            "they make are missing; run the campaign again until none is left"
        )
    if incomplete:
        recordings = "recording" if incomplete == 1 else "recordings"
        yield (
            f"NOT A COMPLETE PROFILE: {incomplete} {recordings} may miss calls; do not call this "
            "profile complete before the causes below are mended and it is all recorded again"
        )


def _warnings(
    rows: Sequence[SyscallRow], reasons: Mapping[str, Sequence[str]], baseline: frozenset[str]
) -> Iterable[str]:
    if not any(row.source in _INPUTS for row in rows):
        yield "no input's system calls are recorded: fuzz with capture on"
    if not baseline and not any(row.source == "baseline" for row in rows):
        yield "the Go runtime's baseline is missing: the program may not even start"
    own = [row for row in rows if row.source in (*_INPUTS, *_PROCESSES)]
    sure = {r.name for r in own if r.origin != Origin.HARNESS and not r.unstable}
    sure |= {r.name for r in rows if r.source == "baseline"} | baseline
    doubtful = {r.name for r in own if r.unstable and r.origin != Origin.HARNESS} - sure
    if doubtful:
        yield f"allowed although seen in only one of an input's two runs: {_list(doubtful)}"
    told = {r.name for r in own if r.origin in (Origin.TARGET, Origin.RUNTIME)}
    told |= {r.name for r in rows if r.source == "baseline"} | baseline
    unknown = {r.name for r in own if r.origin == Origin.UNKNOWN} - told - doubtful
    if unknown & reasons.keys():
        yield f"allowed although the recorder could not tell who made them: {_list(unknown)}"
    kept = {r.name for r in own if r.source != "campaign" and r.origin != Origin.HARNESS}
    kept |= {r.name for r in rows if r.source == "baseline"} | baseline
    passing = {r.name for r in own if r.origin != Origin.HARNESS} - kept
    if passing:
        yield (
            "allowed because the campaign's processes made them, although no kept input shows "
            f"them: {_list(passing)}"
        )


def _list(names: Iterable[str]) -> str:
    ordered = sorted(names)
    more = len(ordered) - _SHOWN
    return ", ".join(ordered[:_SHOWN]) + (f" and {more} more" if more > 0 else "")
