"""Rules that do nothing, contradict others, or mean something else than they say."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence

from gofuzzsec.seccomp.dangers import CAPABILITIES, DOCKER_ARCHES, Severity
from gofuzzsec.seccomp.finding import Finding
from gofuzzsec.seccomp.model import Action, Op, Profile, Rule
from gofuzzsec.seccomp.regions import Effort, regions, test_of

_MOST = 24
"""Rules of one call that are looked at pair by pair for contradictions."""


def rule_findings(profile: Profile, arch: str) -> Iterator[Finding]:
    """What is found in the rules of the resolved *profile*."""
    by_name: dict[str, list[Rule]] = defaultdict(list)
    for rule in profile.rules:
        yield from _alone(profile, rule)
        for name in dict.fromkeys(rule.names):
            by_name[name].append(rule)
    for name, rules in by_name.items():
        yield from _together(name, rules)


def when_findings(profile: Profile) -> Iterator[Finding]:
    """Words in ``includes`` and ``excludes`` that no machine answers to."""
    for rule in profile.rules:
        for when in (rule.includes, rule.excludes):
            for word in (*when.arches, *when.caps):
                if word not in DOCKER_ARCHES and word not in CAPABILITIES:
                    yield Finding(
                        Severity.WARNING,
                        "condition",
                        "",
                        rule.places.get(""),
                        f"no machine has {word!r}, so the condition never holds",
                        "use Go's words for architectures (amd64, arm64) and names such as "
                        "CAP_SYS_ADMIN",
                    )


def _alone(profile: Profile, rule: Rule) -> Iterator[Finding]:
    """What is wrong with one rule by itself."""
    place, first = rule.places.get(""), rule.names[0]
    for name, count in Counter(rule.names).items():
        if count > 1:
            yield _finding(
                Severity.NOTE, "duplicate", name, rule, f"{name} is in the rule {count} times"
            )
    if (rule.action, _answer(rule)) == (profile.default_action, _default_answer(profile)):
        yield Finding(
            Severity.NOTE,
            "no-effect",
            "",
            place,
            f"the rule of {first} says what the default action says; runtimes leave it out, so it "
            "makes no exception from other rules",
            "remove it",
        )
    if rule.action == Action.ERRNO and rule.errno == 0:
        yield Finding(
            Severity.WARNING,
            "success",
            "",
            place,
            f"{first} is not made and tells the program that it worked (error number 0)",
            "give another errnoRet unless that is meant",
        )
    twice = [arg for arg, n in Counter(c.arg for c in rule.conditions).items() if n > 1]
    if twice:
        yield Finding(
            Severity.ERROR,
            "same-argument",
            "",
            place,
            f"the rule of {first} tests argument {twice[0]} twice; runc then takes each of its "
            "conditions for enough, where all were meant to hold",
            "say it with one condition for each argument",
        )
    elif not _can_hold(rule):
        yield Finding(
            Severity.WARNING,
            "unreachable",
            "",
            place,
            f"the conditions in the rule of {first} never hold",
            "correct or remove it",
        )
    for condition in rule.conditions:
        if condition.op is Op.MASKED_EQ and condition.value_two & ~condition.value:
            yield Finding(
                Severity.WARNING,
                "mask",
                "",
                place,
                f"the rule of {first} compares bits that its mask takes away "
                f"({condition.value_two:#x} under {condition.value:#x}); libseccomp ignores them",
                "value is the mask, valueTwo what is left under it",
            )


def _can_hold(rule: Rule) -> bool:
    tests = [[test_of(condition) for condition in rule.conditions]]
    return any(region.holding for region in regions(tests, Effort()))


def _together(name: str, rules: Sequence[Rule]) -> Iterator[Finding]:
    """What is wrong with the rules of one call beside each other."""
    seen: dict[tuple[object, ...], Rule] = {}
    always = next((rule for rule in rules if not rule.conditions), None)
    for rule in rules:
        key = (rule.action, _answer(rule), frozenset(rule.conditions))
        if key in seen:
            line = seen[key].places.get(name, (0, 0))[0]
            where = f" (first in line {line})" if line else ""
            text = f"{name} has the same rule twice{where}"
            yield _finding(Severity.NOTE, "duplicate", name, rule, text)
        elif always is not None and rule is not always:
            yield _overruled(name, rule, always)
        seen.setdefault(key, rule)
    if always is None and (pair := _contradiction(rules)) is not None:
        one, two = pair
        yield _finding(
            Severity.WARNING,
            "contradiction",
            name,
            two,
            f"for some arguments {name} has both {one.action.value} and {two.action.value}; which "
            "holds is up to libseccomp, not to their order",
        )


def _overruled(name: str, rule: Rule, always: Rule) -> Finding:
    """*rule* beside a rule without conditions, which decides alone."""
    line = always.places.get(name, (0, 0))[0]
    where = f" in line {line}" if line else ""
    said = f"the rule{where} without conditions ({always.action.value}) decides"
    if always.action.lets_through and not rule.action.lets_through:
        text = f"{name} is not refused by this rule: {said}"
        return _finding(Severity.ERROR, "contradiction", name, rule, text)
    text = f"this rule of {name} is never asked: {said}"
    return _finding(Severity.WARNING, "unreachable", name, rule, text)


def _contradiction(rules: Sequence[Rule]) -> tuple[Rule, Rule] | None:
    """Two of *rules* that answer differently and can both hold."""
    few = rules[:_MOST]
    for at, one in enumerate(few):
        for two in few[at + 1 :]:
            if (one.action, _answer(one)) == (two.action, _answer(two)):
                continue
            tests = [[test_of(c) for c in rule.conditions] for rule in (one, two)]
            if any(region.holding == 3 for region in regions(tests, Effort())):
                return one, two
    return None


def _finding(severity: Severity, check: str, name: str, rule: Rule, reason: str) -> Finding:
    place = rule.places.get(name) or rule.places.get("")
    return Finding(severity, check, name, place, reason, "keep one of the rules")


def _answer(rule: Rule) -> int | None:
    if rule.action not in (Action.ERRNO, Action.TRACE):
        return None
    return 1 if rule.errno is None else rule.errno


def _default_answer(profile: Profile) -> int | None:
    return _answer(Rule((), profile.default_action, profile.default_errno))
