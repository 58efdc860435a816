"""A profile that somebody runs today, made as small as evidence and code allow.

Every call that it lets through is needed, possible or impossible (`standing`). Needed calls stay,
with the deciding arguments that were seen alone; impossible ones go; what happens to possible ones
is for people to say. The default action stays, and what the profile answers to calls that it
refuses already, too.

The result never lets through what the profile did not, except where that was asked for: it is
compared with the profile over all arguments (`effect`), and held against the evidence again
(`check`). A narrowing that fails either is undone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from gofuzzsec.errors import ProfileError
from gofuzzsec.seccomp.arguments import ArgumentRule, Level, argument_rules, unruled
from gofuzzsec.seccomp.check import Finding, Trouble, check
from gofuzzsec.seccomp.effect import CallEffect, default_verdict, differences, effects
from gofuzzsec.seccomp.gathered import Pairs
from gofuzzsec.seccomp.model import ARCHITECTURES, Action, Condition, Op, Profile, Rule
from gofuzzsec.seccomp.narrow import both
from gofuzzsec.seccomp.standing import CallStanding, Standing, doubts, standings
from gofuzzsec.syscalls import table
from gofuzzsec.syscalls.arguments import DECIDING
from gofuzzsec.syscalls.bound import Bound

_EPERM = 1
_GROWS = ("allowed", "widened", "changed")


class Unseen(StrEnum):
    """What becomes of calls that are possible and were never seen."""

    KEEP = "keep"
    LOG = "log"
    DENY = "deny"


@dataclass(frozen=True, slots=True)
class Wish:
    """How to tighten. ``bounds`` and ``children_known`` as in `standings`; ``args`` as in
    `argument_rules`; ``add_missing`` allows what the evidence needs and the profile refuses."""

    bounds: tuple[Bound, ...] = ()
    children_known: bool = False
    unseen: Unseen = Unseen.KEEP
    args: Level = "safe"
    add_missing: bool = False


@dataclass(frozen=True, slots=True)
class Change:
    """One call, or an architecture, that the profile lets through (or, added, that it refused):
    what it was and what it becomes, in words. ``changed`` is whether these differ. ``why`` are the
    reasons, the most telling first."""

    name: str
    standing: Standing
    was: str
    becomes: str
    changed: bool
    why: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Tightened:
    """``changes`` has every call that the profile let through, and those added, by name; then
    architectures. ``missing`` is what the evidence needs and the profile refuses, or may refuse;
    ``added`` are names of those that are allowed now. ``doubts`` say why no call was impossible."""

    profile: Profile
    changes: tuple[Change, ...]
    missing: tuple[Trouble, ...]
    added: tuple[str, ...]
    doubts: tuple[str, ...]


def tighten(
    profile: Profile,
    evidence: Pairs,
    arch: str,
    wish: Wish,
    *,
    baseline: Iterable[str] = (),
) -> Tightened:
    """*profile* (resolved for *arch*) with less, as *wish* says, by the *evidence* (rows, each with
    its target) and *baseline*, the Go runtime's calls.

    Raises ProfileError for a profile that is not resolved, evidence or a bound of another
    architecture, and conditions too entangled to compare.
    """
    return _Tightening(profile, evidence, arch, wish, frozenset(baseline)).result()


@dataclass(frozen=True, slots=True)
class _Plan:
    """What becomes of one call: its new rules (None: those that it has), and why."""

    rules: tuple[Rule, ...] | None
    becomes: str
    why: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Narrowing:
    """The rules on arguments that the evidence bears out, and why other calls have none."""

    rules: Mapping[str, ArgumentRule]
    reasons: Mapping[str, str]


class _Tightening:
    """The work on one profile."""

    def __init__(
        self, profile: Profile, evidence: Pairs, arch: str, wish: Wish, baseline: frozenset[str]
    ) -> None:
        self._profile, self._evidence, self._arch, self._wish = profile, evidence, arch, wish
        self._baseline = baseline
        self._before = effects(profile, arch)
        self._open = default_verdict(profile).lets_through
        rows = [row for _, row in evidence]
        self._standing = standings(
            (name for name, effect in self._before.items() if effect.access != "never"),
            rows,
            wish.bounds,
            arch,
            baseline=baseline,
            children_known=wish.children_known,
        )
        untold = baseline - {row.name for row in rows if row.source == "baseline"}
        self._narrowing = _Narrowing(
            argument_rules(rows, arch, wish.args, untold=untold),
            unruled(rows, arch, wish.args, untold=untold),
        )
        self._doubts = doubts(wish.bounds, children_known=wish.children_known)

    def result(self) -> Tightened:
        missing = self._check(self._profile)
        plans = {name: self._plan(each) for name, each in self._standing.items()}
        plans |= self._undone(plans, missing)
        added = self._added(missing) if self._wish.add_missing else {}
        tightened = self._written({**plans, **added})
        self._prove(tightened, added, missing)
        changes = [self._change(name, plan) for name, plan in sorted({**plans, **added}.items())]
        return Tightened(
            profile=tightened,
            changes=(*changes, *self._architectures()),
            missing=missing,
            added=tuple(sorted(added)),
            doubts=self._doubts,
        )

    def _check(self, profile: Profile) -> tuple[Trouble, ...]:
        return check(profile, self._evidence, self._arch, baseline=self._baseline)

    def _plan(self, standing: CallStanding) -> _Plan:
        match standing.standing, self._wish.unseen:
            case Standing.NEEDED, _:
                return self._narrowed(standing.name)
            case Standing.IMPOSSIBLE, _:
                return self._removed(standing.name)
            case _, Unseen.DENY:
                return self._removed(standing.name, "possible, and --unseen deny takes it out")
            case _, Unseen.LOG:
                return self._logged(standing.name)
            case _:
                return self._kept(standing.name, "possible; --unseen log or deny would change it")

    def _kept(self, name: str, *why: str) -> _Plan:
        return _Plan(None, self._words(name), why)

    def _removed(self, name: str, *why: str) -> _Plan:
        if self._open:
            return _Plan((Rule((name,), Action.ERRNO, _EPERM),), "refused", why)
        return _Plan((), "refused", why)

    def _logged(self, name: str) -> _Plan:
        own = self._own(name)
        if not own and self._open:
            own = (Rule((name,), Action.ALLOW),)
        rules = tuple(
            replace(rule, action=Action.LOG) if rule.action is Action.ALLOW else rule
            for rule in own
        )
        return _Plan(rules, f"{self._words(name)}, logged", ("possible, and --unseen log",))

    def _narrowed(self, name: str) -> _Plan:
        rule = self._narrowing.rules.get(name)
        if rule is None:
            why = self._narrowing.reasons.get(name)
            return self._kept(name, *([f"no rule on arguments: {why}"] if why else []))
        if self._open:
            return self._kept(name, "no rule on arguments under a default that lets calls through")
        alternatives = both(_alternatives(self._before[name]), rule.alternatives)
        if alternatives is None or not _alternatives(self._before[name]):
            return self._kept(name, "its conditions cannot be joined with rules on arguments")
        rules = tuple(
            Rule((name,), Action.ALLOW, None, conditions, "" if at else rule.text)
            for at, conditions in enumerate(alternatives)
        )
        return _Plan(rules, "allowed for what was seen", (rule.text,))

    def _own(self, name: str) -> tuple[Rule, ...]:
        """The rules of a call, to itself."""
        return tuple(
            replace(rule, names=(name,)) for rule in self._profile.rules if name in rule.names
        )

    def _written(self, plans: Mapping[str, _Plan]) -> Profile:
        """The profile with these rules in place of those of their calls."""
        replaced = {name: plan.rules for name, plan in plans.items() if plan.rules is not None}
        gone = set(replaced)
        architectures = self._profile.architectures
        if not self._doubts:
            architectures = (ARCHITECTURES[self._arch],)
            known = table.names(self._arch)
            gone |= {name for rule in self._profile.rules for name in rule.names} - known
        rules = [
            replace(rule, names=left, places={})
            for rule in self._profile.rules
            if (left := tuple(name for name in rule.names if name not in gone))
        ]
        rules += [rule for name in sorted(replaced) for rule in replaced[name] or ()]
        return replace(
            self._profile, rules=tuple(rules), architectures=architectures, left_out=(), places={}
        )

    def _undone(self, plans: Mapping[str, _Plan], missing: Sequence[Trouble]) -> dict[str, _Plan]:
        """Narrowed calls that stay as they are after all: those of which more would be let through
        than before, or refused what the evidence needs, or may; and those that nothing changes."""
        narrowed = {
            name
            for name, plan in plans.items()
            if plan.rules and self._standing[name].standing is Standing.NEEDED
        }
        written = self._written({name: plans[name] for name in narrowed})
        known = {(each.name, each.values, each.finding) for each in missing}
        worse = {
            each.name
            for each in self._check(written)
            if (each.name, each.values, each.finding) not in known
        }
        kinds = {each.name: each.kind for each in differences(self._profile, written, self._arch)}
        worse |= {name for name, kind in kinds.items() if kind in _GROWS}
        undone = {}
        for name in narrowed:
            if name in worse:
                undone[name] = self._kept(
                    name, "a rule on its arguments could refuse what is needed, or allow more"
                )
            elif name not in kinds:
                undone[name] = self._kept(
                    name, "its conditions allow no more than was seen already"
                )
        return undone

    def _prove(
        self, tightened: Profile, added: Mapping[str, _Plan], missing: Sequence[Trouble]
    ) -> None:
        known = {each.name for each in missing}
        for trouble in self._check(tightened):
            if trouble.name not in known:
                raise ProfileError(
                    f"expected {trouble.name} to stay allowed as it is needed, found that it is "
                    f"{trouble.finding}: this is a bug in gofuzzsec; please report it with the "
                    "profile"
                )
        for each in differences(self._profile, tightened, self._arch):
            if each.kind in _GROWS and each.name not in added:
                raise ProfileError(
                    f"expected {each.name} to be let through no more than before, found "
                    f"{each.after.action} for {each.witness_args}, which was {each.before.action}: "
                    "this is a bug in gofuzzsec; please report it with the profile"
                )

    def _added(self, missing: Sequence[Trouble]) -> dict[str, _Plan]:
        """What allows the refused calls of *missing*, each with the values that were seen."""
        wanted: dict[str, list[Trouble]] = {}
        for each in missing:
            if each.finding is Finding.REFUSED:
                wanted.setdefault(each.name, []).append(each)
        found = {}
        for name, troubles in wanted.items():
            own = tuple(rule for rule in self._own(name) if rule.action.lets_through)
            new = tuple(
                Rule((name,), Action.ALLOW, None, _values(name, each.values)) for each in troubles
            )
            if any(not rule.conditions for rule in new):
                own, new = (), (Rule((name,), Action.ALLOW),)
            why = f"needed by {troubles[0].reason}; added because of --add-missing"
            found[name] = _Plan((*own, *new), "allowed for what was seen", (why,))
        return found

    def _change(self, name: str, plan: _Plan) -> Change:
        standing = self._standing.get(name)
        reasons = standing.reasons[:1] if standing else ()
        changed = plan.rules is not None
        if changed and standing and standing.standing is Standing.POSSIBLE and standing.path:
            reasons = (f"{reasons[0]}, by way of {standing.path[-1]}",)
        if plan.becomes == "allowed for what was seen":
            reasons = (*plan.why, *reasons)
        else:
            reasons = (*reasons, *plan.why)
        return Change(
            name,
            standing.standing if standing else Standing.NEEDED,
            self._words(name),
            plan.becomes,
            changed,
            reasons,
        )

    def _words(self, name: str) -> str:
        return {
            "always": "allowed",
            "some": "allowed for some arguments",
            "never": "refused",
        }[self._before[name].access]

    def _architectures(self) -> list[Change]:
        native = ARCHITECTURES[self._arch]
        others = [each for each in self._profile.architectures if each != native]
        if self._doubts:
            return []
        why = "no reachable code of the given programs makes calls of another architecture"
        return [
            Change(each, Standing.IMPOSSIBLE, "filtered alike", "refused", True, (why,))
            for each in sorted(others)
        ]


def _alternatives(effect: CallEffect) -> list[tuple[Condition, ...]]:
    """For what the call is let through, none when a list of alternatives does not say it."""
    if not effect.cases:
        return [()] if effect.otherwise.lets_through else []
    if effect.otherwise.lets_through:
        return []
    if any(verdict.action is not Action.ALLOW for _, verdict in effect.cases):
        return []
    return [conditions for conditions, _ in effect.cases]


def _values(name: str, values: Sequence[int]) -> tuple[Condition, ...]:
    return tuple(
        Condition(each.arg, Op.MASKED_EQ, each.mask, value)
        for each, value in zip(DECIDING.get(name, ()), values, strict=False)
    )
