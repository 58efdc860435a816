"""The profile as a value, how it follows from evidence, and its JSON form.

The form is that of ``linux.seccomp`` in the OCI runtime specification (config-linux.md), which
Docker's ``--security-opt seccomp=FILE`` and Kubernetes' ``Localhost`` profiles read too: one list
of allowed names, everything else refused with EPERM. Reasons are not written into the file, since
the specification has no place for them; `Profile.calls` has them.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from gofuzzsec.errors import ProfileError, RecorderError
from gofuzzsec.store.model import SyscallRow
from gofuzzsec.syscalls import table
from gofuzzsec.syscalls.model import Origin
from gofuzzsec.syscalls.oci import KERNEL_CALLS

_ARCHITECTURES = {"amd64": "SCMP_ARCH_X86_64", "arm64": "SCMP_ARCH_AARCH64"}
_EPERM = 1
_INPUTS = ("seeds", "fuzz")
_SHOWN = 12  # names in one warning


@dataclass(frozen=True, slots=True)
class AllowedCall:
    """One allowed system call and who needs it, in words, most telling first."""

    name: str
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Profile:
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
) -> Profile:
    """The least profile that lets everything in the evidence happen again.

    *rows* are the evidence of one or several targets, *baseline* the Go runtime's own calls, *oci*
    what the container runtime needs to start the program, *unrecorded* the number of kept inputs
    whose calls are not in *rows*. Calls of the test harness are no reason to allow anything.
    Raises ProfileError for an architecture or a call that there is none such of.
    """
    known = _known_names(arch)
    baseline = frozenset(baseline)
    reasons: dict[str, list[str]] = {}
    for name, reason in _reasons(rows, baseline, oci):
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
    return Profile(
        arch=arch,
        calls=tuple(AllowedCall(name, tuple(reasons[name])) for name in sorted(reasons)),
        left_out=tuple(sorted(harness - reasons.keys())),
        warnings=tuple(_warnings(rows, reasons, baseline, unrecorded)),
    )


def to_json(profile: Profile) -> str:
    """*profile* as a seccomp profile file, the same text for the same names every time."""
    document: Mapping[str, object] = {
        "defaultAction": "SCMP_ACT_ERRNO",
        "defaultErrnoRet": _EPERM,
        "architectures": [_ARCHITECTURES[profile.arch]],
        "syscalls": [{"names": list(profile.names), "action": "SCMP_ACT_ALLOW"}],
    }
    return json.dumps(document, indent=2) + "\n"


def _known_names(arch: str) -> frozenset[str]:
    try:
        return table.names(arch)
    except RecorderError as error:
        raise ProfileError(str(error)) from error


def _reasons(
    rows: Sequence[SyscallRow], baseline: Iterable[str], oci: Iterable[str]
) -> Iterable[tuple[str, str]]:
    """(name, why) for everything allowed, in the order in which reasons are told."""
    order = {Origin.TARGET: 0, Origin.UNKNOWN: 1, Origin.RUNTIME: 2}
    for row in sorted(rows, key=lambda row: (order.get(Origin(row.origin), 9), row.first_at)):
        origin = Origin(row.origin)
        if origin is Origin.HARNESS or row.source in ("harness", "baseline"):
            continue
        who = {Origin.TARGET: "", Origin.UNKNOWN: ", maker unknown", Origin.RUNTIME: ", Go runtime"}
        seen = f" {row.first_input}" if row.first_input else ""
        doubt = ", unstable" if row.unstable else ""
        yield row.name, f"{row.source}{seen}{who[origin]}{doubt}"
    for row in rows:
        if row.source == "baseline":
            yield row.name, "Go runtime baseline"
    for name in baseline:
        yield name, "Go runtime baseline"
    for name in oci:
        yield name, "container runtime"


def _warnings(
    rows: Sequence[SyscallRow],
    reasons: Mapping[str, Sequence[str]],
    baseline: frozenset[str],
    unrecorded: int,
) -> Iterable[str]:
    if unrecorded:
        inputs = "input is" if unrecorded == 1 else "inputs are"
        yield (
            f"EVIDENCE INCOMPLETE: {unrecorded} kept {inputs} not recorded yet, so calls that only "
            "they make are missing; run the campaign again until none is left"
        )
    if not any(row.source in _INPUTS for row in rows):
        yield "no input's system calls are recorded: fuzz with capture on"
    if not baseline and not any(row.source == "baseline" for row in rows):
        yield "the Go runtime's baseline is missing: the program may not even start"
    own = [row for row in rows if row.source in (*_INPUTS, "tests")]
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


def _list(names: Iterable[str]) -> str:
    ordered = sorted(names)
    more = len(ordered) - _SHOWN
    return ", ".join(ordered[:_SHOWN]) + (f" and {more} more" if more > 0 else "")
