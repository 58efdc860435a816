"""One profile for several: what any of them lets through is let through, on its architecture.

Profiles of several targets, architectures or replicas become one that serves them all. It is the
union by effect, not by text, and for each architecture by itself: a call that one profile allows on
amd64 is not allowed on arm64 because of that. Where the calls differ, rules are kept apart by
Docker's ``includes.arches``, the only way that a format has to say so; what cannot be said at all
is an error. The result is checked against all parts, over all arguments, before it is handed out.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from gofuzzsec.errors import ProfileError
from gofuzzsec.seccomp.decision import Decision
from gofuzzsec.seccomp.effect import default_verdict, effects
from gofuzzsec.seccomp.formats.normal import normal
from gofuzzsec.seccomp.model import (
    ARCHITECTURES,
    Action,
    ArchMap,
    Profile,
    Provenance,
    Rule,
    When,
)
from gofuzzsec.seccomp.regions import Effort, regions
from gofuzzsec.seccomp.resolve import Setting, covers, resolve
from gofuzzsec.seccomp.union import Part, Rules, united
from gofuzzsec.syscalls import table

STRICTEST = (
    Action.KILL_PROCESS,
    Action.KILL_THREAD,
    Action.TRAP,
    Action.ERRNO,
    Action.TRACE,
    Action.NOTIFY,
)
"""Actions that refuse, or leave it to somebody else to refuse, the strictest first."""

_WEAKENING = "SECCOMP_FILTER_FLAG_SPEC_ALLOW"  # switches off mitigations of speculation


@dataclass(frozen=True, slots=True)
class Merged:
    """The union, and ``notes`` about what is not as in one of the parts, each in one line."""

    profile: Profile
    notes: tuple[str, ...]


def merge(parts: Sequence[Part], setting: Setting | None = None) -> Merged:
    """The union of *parts*; *setting* decides Docker's conditions on kernel and capabilities.

    Raises ProfileError for parts that have no union in one profile: some allow by default, they
    have different listeners, or one opens a gate for other architectures that is closed in another
    part with other calls.
    """
    if not parts:
        raise ProfileError("expected at least one profile to merge, found none")
    notes: list[str] = []
    default = _default(parts, notes)
    arches = [arch for arch in ARCHITECTURES if any(covers(p.profile, arch) for p in parts)]
    if not arches:
        raise ProfileError(
            f"expected profiles for {' or '.join(ARCHITECTURES)}, found none for either"
        )
    _note_others(parts, notes)
    setting = setting or Setting()
    resolved = {arch: _resolved(parts, arch, setting) for arch in arches}
    calls = {arch: united(resolved[arch], arch, default, notes) for arch in arches}
    profile = replace(
        default,
        rules=tuple(_rules(calls, resolved)),
        flags=_flags(parts),
        listener_path=_common(parts, "listener_path"),
        listener_metadata=_common(parts, "listener_metadata"),
        provenance=_provenance(parts),
        name=parts[0].profile.name if len({p.profile.name for p in parts}) == 1 else "",
    )
    profile = normal(_with_architectures(profile, parts, resolved))
    for arch in arches:
        _check(profile, resolved[arch], arch, setting)
    return Merged(profile, tuple(dict.fromkeys(notes)))


def _default(parts: Sequence[Part], notes: list[str]) -> Profile:
    """A profile without rules that has the strictest of the default actions."""
    for part in parts:
        if part.profile.default_action.lets_through:
            raise ProfileError(
                f"expected profiles that refuse by default, found {part.label} with "
                f"{part.profile.default_action.value}: what it refuses could not be kept refused"
            )
    strictest = min(
        (part.profile for part in parts), key=lambda p: STRICTEST.index(p.default_action)
    )
    verdict = default_verdict(strictest)
    for part in parts:
        found = default_verdict(part.profile)
        if found != verdict:
            notes.append(
                f"what nothing allows now ends with {verdict.action.value}"
                f"{_errno(verdict.errno)}; in {part.label} it was {found.action.value}"
                f"{_errno(found.errno)}"
            )
    return Profile(strictest.default_action, strictest.default_errno)


def _errno(errno: int | None) -> str:
    return "" if errno is None else f" ({errno})"


def _note_others(parts: Sequence[Part], notes: list[str]) -> None:
    """Say which architectures a part loses: those whose calls this program does not know."""
    native = set(ARCHITECTURES.values())
    for part in parts:
        lost = sorted({entry.architecture for entry in part.profile.arch_map} - native)
        if lost:
            notes.append(
                f"only amd64 and arm64 are merged; {part.label} also has {', '.join(lost)}"
            )


def _resolved(parts: Sequence[Part], arch: str, setting: Setting) -> list[Part]:
    return [
        Part(part.label, resolve(part.profile, arch, setting))
        for part in parts
        if covers(part.profile, arch)
    ]


def _rules(calls: Mapping[str, Rules], resolved: Mapping[str, Sequence[Part]]) -> Iterator[Rule]:
    """The rules of every architecture's calls; with ``includes`` where a call differs."""
    gated = {
        arch for arch, parts in resolved.items() if any(_gates(p.profile, arch) for p in parts)
    }
    alike: dict[tuple[str, tuple[Rule, ...]], set[str]] = defaultdict(set)
    for arch, found in calls.items():
        for name, rules in found.items():
            alike[name, rules].add(arch)
    for (name, rules), arches in alike.items():
        # Where the call does not exist no rule has a meaning, so none has to be kept away.
        others = {
            other for other in calls.keys() - arches if name in table.names(other) or other in gated
        }
        includes = When(arches=tuple(sorted(arches))) if others else When()
        for rule in rules:
            yield replace(rule, names=(name,), includes=includes)


def _with_architectures(
    profile: Profile, parts: Sequence[Part], resolved: Mapping[str, Sequence[Part]]
) -> Profile:
    """*profile* with the architectures that the parts have: as a list where that says it."""
    if not any(part.profile.architectures or part.profile.arch_map for part in parts):
        return profile
    maps = []
    for arch, found in resolved.items():
        gates = {gate for part in found for gate in _gates(part.profile, arch)}
        maps.append(ArchMap(ARCHITECTURES[arch], tuple(sorted(gates))))
    if any(entry.sub for entry in maps) and len(maps) > 1:
        return replace(profile, arch_map=tuple(maps))
    listed = [name for entry in maps for name in (entry.architecture, *entry.sub)]
    return replace(profile, architectures=tuple(listed))


def _gates(profile: Profile, arch: str) -> frozenset[str]:
    """Architectures filtered besides *arch*, of those that run on the same machine."""
    same = {"amd64": {"X86", "X32"}, "arm64": {"ARM"}}[arch]
    return frozenset(profile.architectures) & {f"SCMP_ARCH_{name}" for name in same}


def _flags(parts: Sequence[Part]) -> tuple[str, ...]:
    """All parts' flags; the one that weakens the machine only where all parts have it."""
    every = {flag for part in parts for flag in part.profile.flags}
    if not all(_WEAKENING in part.profile.flags for part in parts):
        every.discard(_WEAKENING)
    return tuple(sorted(every))


def _common(parts: Sequence[Part], field: str) -> str:
    """The text that all parts which have one agree on. Raises ProfileError."""
    found = sorted({text for part in parts if (text := str(getattr(part.profile, field)))})
    if len(found) > 1:
        what = field.replace("_", " ")
        raise ProfileError(
            f"expected one {what} in all profiles, found {found[0][:60]!r} and {found[1][:60]!r}"
        )
    return found[0] if found else ""


def _provenance(parts: Sequence[Part]) -> Provenance:
    entries: list[tuple[str, str]] = []
    for part in parts:
        entries += [("merged", part.label), *part.profile.provenance.entries]
    return Provenance(tuple(entries))


def _check(profile: Profile, parts: Sequence[Part], arch: str, setting: Setting) -> None:
    """Raise ProfileError unless *profile* lets through what *parts* do, and nothing else."""
    merged = resolve(profile, arch, setting)
    whole = effects(merged, arch)
    each = [(part, effects(part.profile, arch)) for part in parts]
    for name, effect in whole.items():
        others = [found[name].decision for _, found in each]
        if (args := _departure(effect.decision, others)) is not None:
            raise ProfileError(
                f"expected rules of {name} that can be united, found some of which the union would "
                f"be wrong for the arguments {', '.join(map(hex, args)) or 'none'}; make its rules "
                "alike in all profiles"
            )
    _check_gates(merged, parts, arch)


def _departure(merged: Decision, parts: Sequence[Decision]) -> tuple[int, ...] | None:
    """Arguments for which *merged* is not the union of *parts*, None where there are none."""
    every = [merged, *parts]
    tests = [tests for decision in every for tests, _ in decision.cases]
    for region in regions(tests, Effort()):
        through = [decision.verdict(region.witness).lets_through for decision in every]
        if through[0] != any(through[1:]):
            return region.witness
    return None


def _check_gates(merged: Profile, parts: Sequence[Part], arch: str) -> None:
    """A gate that some part keeps shut must not get that part's calls."""
    for gate in sorted(_gates(merged, arch)):
        inside = [p for p in parts if gate in _gates(p.profile, arch)]
        outside = [p for p in parts if gate not in _gates(p.profile, arch)]
        allowed = _let_through(p.profile for p in inside)
        for part in outside:
            if more := sorted(_let_through([part.profile]) - allowed):
                raise ProfileError(
                    f"expected the same architectures in all profiles, found {gate} in "
                    f"{inside[0].label} only: merged, {part.label}'s {more[0][0]} would be allowed "
                    f"there; add {gate} to {part.label} or remove it from {inside[0].label}"
                )


def _let_through(profiles: Iterable[Profile]) -> set[tuple[str, object]]:
    return {
        (name, rule.conditions)
        for profile in profiles
        for rule in profile.rules
        if rule.action.lets_through
        for name in rule.names
    }
