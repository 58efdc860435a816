"""The union of what several profiles do with one call, as rules."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from gofuzzsec.errors import ProfileError
from gofuzzsec.seccomp.decision import Verdict
from gofuzzsec.seccomp.effect import CallEffect, default_verdict, effects
from gofuzzsec.seccomp.model import Action, Condition, Profile, Rule
from gofuzzsec.syscalls import table

Rules = Mapping[str, tuple[Rule, ...]]
"""The rules of each call, none of which is for another call or depends on the machine."""


@dataclass(frozen=True, slots=True)
class Part:
    """A profile that is merged, and what it is called (its file)."""

    label: str
    profile: Profile


def united(parts: Sequence[Part], arch: str, default: Profile, notes: list[str]) -> Rules:
    """What *parts*, resolved for *arch*, say together about every call that has a rule in one.

    *default* is what happens to calls without a rule. Calls that *arch* does not have (but one of
    its other gates may) keep all parts' rules that let them through. Raises ProfileError where the
    union cannot be said.
    """
    own = table.names(arch)
    written = [_by_name(part.profile) for part in parts]
    effect = [_effects(part, arch) for part in parts]
    result: dict[str, tuple[Rule, ...]] = {}
    for name in sorted({name for rules in written for name in rules}):
        rules = [found.get(name, ()) for found in written]
        if name in own:
            found = _call(name, [each[name] for each in effect], rules, default, notes)
        else:
            found = tuple(r for each in rules for r in each if r.action.lets_through)
        if found:
            result[name] = tuple(dict.fromkeys(found))
    return result


def _effects(part: Part, arch: str) -> dict[str, CallEffect]:
    try:
        return effects(part.profile, arch)
    except ProfileError as error:
        raise ProfileError(f"{part.label}: {error}") from error


def _by_name(profile: Profile) -> dict[str, tuple[Rule, ...]]:
    found: dict[str, list[Rule]] = defaultdict(list)
    for rule in profile.rules:
        for name in dict.fromkeys(rule.names):
            found[name].append(replace(rule, names=(name,), places={}))
    return {name: tuple(rules) for name, rules in found.items()}


def _call(
    name: str,
    effects_: Sequence[CallEffect],
    written: Sequence[tuple[Rule, ...]],
    default: Profile,
    notes: list[str],
) -> tuple[Rule, ...]:
    """The rules of one call that every part knows."""
    through = [e for e in effects_ if e.access != "never"]
    if not through:
        return _refused(name, effects_, written, default, notes)
    action = _letting(through)
    every = [rule for rules in written for rule in rules if rule.action.lets_through]
    if any(e.access == "always" for e in through):
        return (Rule((name,), action, comment=_comments(every)),)
    decisions = {e.decision for e in effects_}
    if len(decisions) == 1 and default_verdict(default) == through[0].otherwise:
        return next(rules for rules in written if rules)
    alternatives = [case for e in through for case in _alternatives(name, e)]
    if any(not v.lets_through for e in effects_ for _, v in e.cases):
        notes.append(f"refusals of {name} that had an answer of their own now have the default one")
    return tuple(
        Rule(
            (name,),
            action,
            conditions=conditions,
            comment=_comments([rule for rule in every if rule.conditions == conditions]),
        )
        for conditions in dict.fromkeys(alternatives)
    )


def _comments(rules: Sequence[Rule]) -> str:
    """What people or evidence said about *rules*, each thing once."""
    return "; ".join(dict.fromkeys(rule.comment for rule in rules if rule.comment))


def _letting(through: Sequence[CallEffect]) -> Action:
    """ALLOW where any part lets the call through without writing it down, else LOG."""
    verdicts = {v for e in through for v in (*(v for _, v in e.cases), e.otherwise)}
    return Action.ALLOW if Verdict(Action.ALLOW) in verdicts else Action.LOG


def _alternatives(name: str, effect: CallEffect) -> list[tuple[Condition, ...]]:
    """The conditions under which the call is let through, any of which suffices."""
    if effect.otherwise.lets_through:
        raise ProfileError(
            f"expected rules of {name} that let some calls through and refuse the rest, found "
            "rules that refuse some and let the rest through, which have no union with others"
        )
    return [conditions for conditions, verdict in effect.cases if verdict.lets_through]


def _refused(
    name: str,
    effects_: Sequence[CallEffect],
    written: Sequence[tuple[Rule, ...]],
    default: Profile,
    notes: list[str],
) -> tuple[Rule, ...]:
    """What no part lets through: a rule for it, since it may give an answer that the program waits
    for (ENOSYS, so that it falls back), stays before the default."""
    told = [(e, r) for e, r in zip(effects_, written, strict=True) if r]
    if len({e.decision for e, _ in told}) > 1:
        notes.append(f"{name} is refused in different ways; the first profile's is kept")
    first, rules = told[0]
    return (
        () if first.decision.cases == () and first.otherwise == default_verdict(default) else rules
    )
