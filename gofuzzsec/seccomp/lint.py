"""What is dangerous in a profile, or does not do what it says.

Whether a call is allowed is judged by the profile's effect, exactly and over all arguments: `clone`
is fine where an argument rule keeps user namespaces out, and it is not where a mask lets one
combination through.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from gofuzzsec.errors import ProfileError
from gofuzzsec.seccomp.compiled import decision
from gofuzzsec.seccomp.dangers import DANGERS, Danger, Severity
from gofuzzsec.seccomp.decision import Decision, compare
from gofuzzsec.seccomp.effect import CallEffect, effects
from gofuzzsec.seccomp.finding import Finding, place_of
from gofuzzsec.seccomp.lint_rules import rule_findings, when_findings
from gofuzzsec.seccomp.model import ARCHITECTURES, Action, Profile
from gofuzzsec.seccomp.regions import Effort, Test, regions
from gofuzzsec.seccomp.resolve import Setting, covers, resolve

_UINT = 0xFFFFFFFF
_GATES = {
    "amd64": {"SCMP_ARCH_X86": "32-bit (i386)", "SCMP_ARCH_X32": "x32"},
    "arm64": {"SCMP_ARCH_ARM": "32-bit (arm)"},
}


def lint(
    profile: Profile, setting: Setting | None = None, arches: Iterable[str] | None = None
) -> tuple[Finding, ...]:
    """Everything found in *profile* as it is on *arches* (default: all it is for, of amd64 and
    arm64) in *setting*; the worst first, then by place. A finding names the architectures that it
    holds for. Raises ProfileError for a profile that is for neither architecture."""
    chosen = tuple(arches or (arch for arch in ARCHITECTURES if covers(profile, arch)))
    if not chosen:
        raise ProfileError(
            f"expected a profile for {' or '.join(ARCHITECTURES)}, found one for "
            f"{', '.join(profile.architectures) or 'others'}: its calls are not known here"
        )
    found: dict[Finding, list[str]] = {finding: [] for finding in when_findings(profile)}
    setting = setting or Setting()
    for arch in chosen:
        for finding in _on(resolve(profile, arch, setting), arch):
            found.setdefault(finding, []).append(arch)
    told = [replace(finding, arches=tuple(on)) for finding, on in found.items()]
    return tuple(sorted(told, key=lambda f: (-f.severity, f.place or (0, 0), f.check, f.call)))


def _on(profile: Profile, arch: str) -> Iterator[Finding]:
    """What is found in the resolved *profile* on one architecture."""
    yield from _default(profile)
    yield from rule_findings(profile, arch)
    try:
        calls = effects(profile, arch)
        yield from _dangers(profile, calls)
        yield from _gates(profile, arch, calls)
        yield from _twisted(profile, calls)
    except ProfileError as error:
        yield Finding(
            Severity.ERROR,
            "refused",
            "",
            place_of(profile),
            f"libseccomp does not take it, or its effect cannot be told: {error}",
            "make the rules simpler; the calls could not be judged",
        )


def _default(profile: Profile) -> Iterator[Finding]:
    """The default action, which holds for every call that exists or ever will."""
    action, place = profile.default_action, place_of(profile)
    if action.lets_through:
        refuses = "only writes calls down" if action == Action.LOG else "allows every call"
        yield Finding(
            Severity.ERROR,
            "default",
            "",
            place,
            f"the default action {action.value} {refuses} that no rule names, those of coming "
            "kernels too",
            "make it SCMP_ACT_ERRNO and allow what is needed",
        )
    elif action == Action.NOTIFY and not profile.listener_path:
        yield Finding(
            Severity.ERROR,
            "default",
            "",
            place,
            "the default action is to ask a listener, and there is none: runtimes refuse that",
            "give listenerPath, or make the default action SCMP_ACT_ERRNO",
        )
    elif action == Action.ERRNO and profile.default_errno == 0:
        yield Finding(
            Severity.ERROR,
            "default",
            "",
            place,
            "refused calls tell the program that they worked (error number 0)",
            "make defaultErrnoRet 1 (EPERM) or 38 (ENOSYS)",
        )


def _dangers(profile: Profile, calls: dict[str, CallEffect]) -> Iterator[Finding]:
    for danger in DANGERS:
        for name in sorted(danger.calls & calls.keys()):
            args = _possible(calls[name].decision, danger)
            if args is not None:
                yield Finding(
                    danger.severity,
                    danger.check,
                    name,
                    place_of(profile, name),
                    f"{name} is allowed{_with(args, calls[name])}: {danger.reason}",
                    danger.remedy,
                )


def _with(args: tuple[int, ...], call: CallEffect) -> str:
    """The arguments that show it, where rules look at arguments at all."""
    if call.access == "always":
        return ""
    shown = f" with ({', '.join(map(hex, args))})"
    if any(arg > _UINT for arg in args):
        # A kernel's int is the lower half; the rule looked at all of it.
        return f"{shown}, of which the kernel takes the lower 32 bits (mask them in the rule)"
    return shown


def _possible(decision: Decision, danger: Danger) -> tuple[int, ...] | None:
    """Arguments that *danger* is about and that are let through, None where there are none."""
    for use in danger.uses or ((),):
        if (args := _let_through(decision, use)) is not None:
            return args
    return None


def _let_through(decision: Decision, tests: Sequence[Test]) -> tuple[int, ...] | None:
    rules = [tuple(tests), *(case for case, _ in decision.cases)]
    for region in regions(rules, Effort()):
        if region.holding & 1 and decision.verdict(region.witness).lets_through:
            return region.witness
    return None


def _gates(profile: Profile, arch: str, calls: dict[str, CallEffect]) -> Iterator[Finding]:
    """Other ways into the same kernel, with other calls and numbers."""
    through = {name for rule in profile.rules if rule.action.lets_through for name in rule.names}
    restricted = calls["socket"].access != "always"
    for gate, what in _GATES[arch].items():
        if gate not in profile.architectures:
            continue
        place = profile.places.get("architectures") or profile.places.get("archMap")
        yield Finding(
            Severity.WARNING,
            "gate",
            "",
            place,
            f"{what} calls are let in ({gate}), which no Go program for {arch} makes, by code of "
            "the kernel that is tried less",
            f"leave {gate} out unless the container runs such programs",
        )
        if gate != "SCMP_ARCH_X32" and "socketcall" in through and restricted:
            yield Finding(
                Severity.ERROR,
                "gate-socket",
                "socketcall",
                place_of(profile, "socketcall"),
                "socketcall is allowed: it makes any socket, whatever the rules of socket say, "
                "since its arguments are in memory",
                f"remove socketcall, or {gate}",
            )


def _twisted(profile: Profile, calls: dict[str, CallEffect]) -> Iterator[Finding]:
    """Rules of which libseccomp makes something else than they say (see `compiled`)."""
    for name, call in calls.items():
        if call.tree is None:
            continue
        difference = compare(decision(call.cases, call.otherwise), call.tree, Effort())
        if difference is not None:
            shown = difference.departures[0]
            yield Finding(
                Severity.ERROR if shown.after.lets_through else Severity.WARNING,
                "libseccomp",
                name,
                place_of(profile, name),
                f"the rules of {name} say {shown.before.action.value} for "
                f"({', '.join(map(hex, shown.args))}), and libseccomp makes "
                f"{shown.after.action.value} of them",
                "give the call rules that only test for equality (SCMP_CMP_EQ, SCMP_CMP_MASKED_EQ)",
            )
