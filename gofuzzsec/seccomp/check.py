"""Whether a profile lets through all that the evidence needs.

Values of the deciding arguments (`syscalls.arguments`) are 32 bits, some of them masked out; what
is known of a call's arguments is therefore a set of bits. The verdict is asked over everything that
fits them, exactly (`regions`): refused for all of it, for none, or for some, and then nobody can
tell from this evidence. The upper half of a known argument counts as zero, as Go passes it.
"""

from __future__ import annotations

import errno
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from gofuzzsec.seccomp.build import build_profile
from gofuzzsec.seccomp.decision import Decision, Verdict
from gofuzzsec.seccomp.effect import CallEffect, effects
from gofuzzsec.seccomp.model import Action, Op, Profile
from gofuzzsec.seccomp.regions import Effort, Test, regions
from gofuzzsec.store import TargetRow
from gofuzzsec.store.model import SyscallRow
from gofuzzsec.syscalls.arguments import DECIDING
from gofuzzsec.syscalls.model import Origin
from gofuzzsec.syscalls.oci import KERNEL_CALLS, OCI_RUNTIME_CALLS, OCI_VALUES

_HIGH = 0xFFFFFFFF << 32
_BY_KERNEL = frozenset({"clock_gettime", "getrandom"})
"""Calls of KERNEL_CALLS that only some kernels need."""
_PROBES = frozenset({"uprobe", "uretprobe"})
"""Those that only a process under probes makes: a deployed one does not have them."""


class Finding(StrEnum):
    """What is wrong: a needed call that is refused, or one that may be for all that is known."""

    REFUSED = "refused"
    UNSURE = "unsure"


@dataclass(frozen=True, slots=True)
class Trouble:
    """One call, with one set of known values, that the profile does not surely let through.

    ``values`` are those of the deciding arguments, () where they are not known. ``verdict`` is what
    the profile answers to ``witness``, arguments that fit. ``evidence`` needs it, the earliest
    first; none where only ``reason`` does: the runtime, the container runtime, the kernel, in
    words. ``doubt`` says why it may be let through, or not be needed; "" for a refusal.
    """

    name: str
    values: tuple[int, ...]
    finding: Finding
    verdict: Verdict
    witness: tuple[int, ...]
    evidence: tuple[tuple[TargetRow, SyscallRow], ...]
    reason: str
    doubt: str = ""


def check(
    profile: Profile,
    evidence: Sequence[tuple[TargetRow, SyscallRow]],
    arch: str,
    *,
    baseline: Iterable[str] = (),
    oci: Mapping[str, str] = OCI_RUNTIME_CALLS,
) -> tuple[Trouble, ...]:
    """What of *evidence* (rows, each with its target), *baseline* (the Go runtime's own calls) and
    *oci* (what container runtimes need) the resolved *profile* refuses on *arch*, or may refuse:
    refusals first, then by name and values.

    Raises ProfileError for a profile that is not resolved and evidence of another architecture.
    """
    found = effects(profile, arch)
    needed = build_profile([row for _, row in evidence], baseline=baseline, oci=oci, arch=arch)
    reasons = {call.name: call.reasons[0] for call in needed.calls}
    shown: dict[tuple[str, tuple[int, ...]], list[tuple[TargetRow, SyscallRow]]] = {}
    for target, row in evidence:
        if row.origin != Origin.HARNESS and row.source != "harness":
            shown.setdefault((row.name, row.args), []).append((target, row))
    troubles: list[Trouble | None] = []
    for (name, values), pairs in shown.items():
        ordered = tuple(sorted(pairs, key=lambda pair: pair[1].first_at))
        troubles.append(_trouble(found[name], values, ordered, reasons[name]))
    seen = {name for name, _ in shown}
    for name, values, reason in _unrecorded(needed.names, seen, oci):
        if found[name].access != "never" or name not in seen:  # else it is told already
            troubles.append(_trouble(found[name], values, (), reason))
    real = [trouble for trouble in troubles if trouble is not None]
    return tuple(sorted(real, key=lambda t: (t.finding != Finding.REFUSED, t.name, t.values)))


def _unrecorded(
    needed: Iterable[str], recorded: Collection[str], oci: Mapping[str, str]
) -> Iterator[tuple[str, tuple[int, ...], str]]:
    """Calls that are needed though no recording of the program has to show them, with values where
    they are known, and by whom."""
    for name in needed:
        if name in oci:
            for values in sorted(OCI_VALUES.get(name, {()})):
                yield name, values, f"the container runtime ({oci[name]})"
        elif name in KERNEL_CALLS and name not in _PROBES:
            yield name, (), f"the kernel ({KERNEL_CALLS[name]})"
        elif name not in recorded and name not in _PROBES:
            yield name, (), "the Go runtime"


def _trouble(
    effect: CallEffect,
    values: tuple[int, ...],
    evidence: tuple[tuple[TargetRow, SyscallRow], ...],
    reason: str,
) -> Trouble | None:
    """What is wrong with a call of these values, None when it is let through."""
    name = effect.name
    verdicts = list(possible_verdicts(effect.decision, known_bits(name, values)))
    refused = [(verdict, witness) for verdict, witness in verdicts if not verdict.lets_through]
    if not refused:
        return None
    doubt = ""
    if len(refused) < len(verdicts):
        told = "part of its arguments is" if values else "its arguments are"
        args = ", ".join(f"{value:#x}" for value in refused[0][1])
        doubt = f"{told} not known from the evidence; with ({args}) it is refused"
    elif not evidence and name in _BY_KERNEL:
        doubt = "whether it is needed depends on the kernel"
    elif refused[0][0].action in (Action.NOTIFY, Action.TRACE):
        doubt = "another process decides, which the profile only asks"
    elif refused[0][0].errno == errno.ENOSYS:
        doubt = "ENOSYS is what an older kernel answers, and programs may go on in another way"
    finding = Finding.UNSURE if doubt else Finding.REFUSED
    return Trouble(name, values, finding, *refused[0], evidence, reason, doubt)


def known_bits(name: str, values: Sequence[int]) -> tuple[Test, ...]:
    """What *values* of the deciding arguments of call *name* say of its arguments."""
    return tuple(
        Test(each.arg, each.mask | _HIGH, Op.EQ, value)
        for each, value in zip(DECIDING.get(name, ()), values, strict=False)
    )


def possible_verdicts(
    decision: Decision, known: Sequence[Test]
) -> Iterator[tuple[Verdict, tuple[int, ...]]]:
    """Each verdict that *decision* has for some arguments of which *known* holds, with such
    arguments. Raises ProfileError for conditions too entangled to tell."""
    fits = 1 << len(decision.cases)
    told: set[Verdict] = set()
    for region in regions([*(tests for tests, _ in decision.cases), known], Effort()):
        if region.holding & fits:
            verdict = decision.verdict(region.witness)
            if verdict not in told:
                told.add(verdict)
                yield verdict, region.witness
