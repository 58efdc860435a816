"""What is compared with what: a profile in any format or a raw BPF program, on one architecture."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from gofuzzsec.seccomp.bpf import Instruction
from gofuzzsec.seccomp.decision import Effect, Verdict
from gofuzzsec.seccomp.effect import Difference, compare_effects, effect_of, verdict
from gofuzzsec.seccomp.execution import GATES, effect_of_program, gates_of_program
from gofuzzsec.seccomp.model import ARCHITECTURES, Action, Profile

_SHUT = Verdict(Action.KILL_THREAD)
"""What libseccomp has for calls of an architecture that is not filtered."""


@dataclass(frozen=True, slots=True)
class Side:
    """One of two things to compare. ``gates`` has for each of `GATES` what happens to a call
    (getpid) that comes in there. ``flags`` is None where they cannot be known (a BPF program has
    none). ``elsewhere`` are architectures that it is for besides this one and its gates."""

    effect: Effect
    gates: Mapping[str, Verdict]
    flags: frozenset[str] | None = None
    elsewhere: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Comparison:
    """How the second side differs from the first. ``default`` is (before, after) for calls that the
    table of this architecture does not have, None where it is the same; ``gates``, ``flags`` and
    ``elsewhere`` likewise hold differences only."""

    arch: str
    calls: tuple[Difference, ...]
    default: tuple[Verdict, Verdict] | None
    gates: Mapping[str, tuple[Verdict, Verdict]]
    flags: tuple[frozenset[str], frozenset[str]] | None
    elsewhere: tuple[frozenset[str], frozenset[str]] | None

    @property
    def same(self) -> bool:
        """Whether there is no difference."""
        return not (self.calls or self.default or self.gates or self.flags or self.elsewhere)


def side_of_profile(profile: Profile, arch: str, named: frozenset[str]) -> Side:
    """*profile*, resolved for *arch*, whose file is for the architectures *named*."""
    gates = {
        gate: verdict(profile, arch, "getpid") if gate in profile.architectures else _SHUT
        for gate in GATES[arch]
    }
    elsewhere = named - {ARCHITECTURES[arch], "SCMP_ARCH_NATIVE", *GATES[arch]}
    return Side(effect_of(profile, arch), gates, frozenset(profile.flags), elsewhere)


def side_of_program(program: tuple[Instruction, ...], arch: str) -> Side:
    """A BPF program on *arch*. Raises ProfileError where what it does cannot be told."""
    gates = {
        gate: decision.verdict(()) for gate, decision in gates_of_program(program, arch).items()
    }
    return Side(effect_of_program(program, arch), gates)


def is_filtered(program: tuple[Instruction, ...], arch: str) -> bool:
    """Whether *program* does anything but kill what makes a call of *arch*. Raises ProfileError
    where what it does cannot be told."""
    killing = {Action.KILL_PROCESS, Action.KILL_THREAD}
    return any(
        decision.otherwise.action not in killing
        or any(verdict.action not in killing for _, verdict in decision.cases)
        for decision in effect_of_program(program, arch).calls.values()
    )


def compare_sides(a: Side, b: Side, arch: str) -> Comparison:
    """Exact over all calls and arguments. Raises ProfileError when conditions are too entangled."""
    before, after = a.effect.default.verdict(()), b.effect.default.verdict(())
    gates = {
        gate: (a.gates[gate], b.gates[gate])
        for gate in GATES[arch]
        if a.gates[gate] != b.gates[gate]
    }
    flags = None
    if a.flags is not None and b.flags is not None and a.flags != b.flags:
        flags = (a.flags, b.flags)
    elsewhere = None
    if a.flags is not None and b.flags is not None and a.elsewhere != b.elsewhere:
        elsewhere = (a.elsewhere, b.elsewhere)
    return Comparison(
        arch=arch,
        calls=compare_effects(a.effect, b.effect),
        default=(before, after) if before != after else None,
        gates=gates,
        flags=flags,
        elsewhere=elsewhere,
    )
