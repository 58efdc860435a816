"""The normal form of a profile: the one that is written, whatever the order it came in.

Equal profiles give equal text, and a changed call changes one line. Rules that differ in nothing
but their names become one, names and rules are sorted. One thing is not sorted: rules for the
same call that do different things, or ask for more than equality, keep their order, because what
libseccomp makes of them may depend on it; such a call has its rules to itself, after all others.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from gofuzzsec.errors import ProfileError
from gofuzzsec.seccomp.formats.words import check_errno
from gofuzzsec.seccomp.model import Action, ArchMap, Condition, Op, Profile, Rule, When


@dataclass(frozen=True, slots=True)
class Written:
    """A profile as text. ``losses`` name what the format has no place for, each in one line."""

    text: str
    losses: tuple[str, ...] = ()


def normal(profile: Profile) -> Profile:
    """*profile* in normal form: same meaning, one order. `normal` of that is the same again.

    Raises ProfileError for what no format can say: a rule without calls, an error number beside an
    action that has none.
    """
    check_errno(profile.default_action, profile.default_errno)
    return replace(
        profile,
        architectures=tuple(sorted(set(profile.architectures))),
        arch_map=tuple(sorted(map(_sorted_map, profile.arch_map), key=lambda m: m.architecture)),
        rules=normal_rules(profile.rules),
        flags=tuple(sorted(set(profile.flags))),
    )


def normal_rules(rules: Sequence[Rule]) -> tuple[Rule, ...]:
    """*rules* grouped and sorted."""
    answers: dict[str, set[tuple[Action, int | None]]] = defaultdict(set)
    unequal: dict[str, set[tuple[Condition, ...]]] = defaultdict(set)
    ordered = []
    for rule in rules:
        _check(rule)
        ordered.append(_sorted_rule(rule))
        for name in rule.names:
            answers[name].add((rule.action, rule.errno))
            if any(c.op not in (Op.EQ, Op.MASKED_EQ) for c in rule.conditions):
                unequal[name].add(ordered[-1].conditions)
    disputed = {name for name in answers if len(answers[name]) > 1 or len(unequal[name]) > 1}
    return (*_grouped(ordered, disputed), *_apart(ordered, disputed))


def _check(rule: Rule) -> None:
    check_errno(rule.action, rule.errno)
    if not rule.names:
        raise ProfileError("expected at least one system call in each rule, found a rule without")


def _sorted_map(entry: ArchMap) -> ArchMap:
    return ArchMap(entry.architecture, tuple(sorted(set(entry.sub))))


def _sorted_when(when: When) -> When:
    return When(tuple(sorted(set(when.arches))), tuple(sorted(set(when.caps))), when.min_kernel)


def _sorted_rule(rule: Rule) -> Rule:
    return replace(
        rule,
        names=tuple(sorted(set(rule.names))),
        # Not each once: runc takes a rule that tests an argument twice for several rules.
        conditions=tuple(sorted(rule.conditions)),
        includes=_sorted_when(rule.includes),
        excludes=_sorted_when(rule.excludes),
    )


def _grouped(rules: Iterable[Rule], disputed: set[str]) -> Iterable[Rule]:
    """Rules without the *disputed* names, those alike in all but their names as one."""
    names: dict[Rule, set[str]] = defaultdict(set)
    for rule in rules:
        names[replace(rule, names=())] |= set(rule.names) - disputed
    merged = (replace(rule, names=tuple(sorted(group))) for rule, group in names.items() if group)
    return sorted(merged, key=_order)


def _apart(rules: Iterable[Rule], disputed: set[str]) -> Iterable[Rule]:
    """The rules of each of the *disputed* names, by name and then as they came, each once."""
    for name in sorted(disputed):
        yield from dict.fromkeys(replace(r, names=(name,)) for r in rules if name in r.names)


def _order(rule: Rule) -> tuple[object, ...]:
    """What lets through first, what holds always before what holds sometimes."""
    return (
        not rule.action.lets_through,
        rule.action.value,
        -1 if rule.errno is None else rule.errno,
        bool(rule.includes or rule.excludes),
        bool(rule.conditions),
        rule.names,
        rule.conditions,
        _when_key(rule.includes),
        _when_key(rule.excludes),
        rule.comment,
    )


def _when_key(when: When) -> tuple[object, ...]:
    return (when.arches, when.caps, when.min_kernel)
