"""What a profile does: the verdict on every call, as the kernel has it in the end.

Profiles are loaded by libseccomp, whose rules these are (measured with 2.5.4; the tests hold them
against the programs that it exports):

- Rules of one call are alternatives; the conditions of one rule must all hold. runc makes an
  exception: a rule that tests an argument twice is taken apart into one rule for each condition.
- A rule with the default action is left out, so it does not make an exception from another rule.
- The first rule without conditions decides alone, wherever it stands. MASKED_EQ with an empty mask
  is no condition.
- Several rules that ask for more than equality, or that hold for the same arguments and have
  different actions, end as libseccomp's tree of comparisons has it, which is not always what they
  say; some of them it refuses. It is asked what becomes of such rules (`compiled`).
- Names that the architecture does not have are ignored.

What a container runtime adds is left out: runc answers ENOSYS, not the default errno, to calls with
numbers above all that the profile names.

Profiles given here are resolved (`resolve`): Docker's conditions on rules are decided.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from gofuzzsec.errors import ProfileError
from gofuzzsec.seccomp.compiled import Case, compiled, decision, plain
from gofuzzsec.seccomp.decision import (
    Access,
    Comparison,
    Decision,
    Departure,
    Effect,
    Kind,
    Verdict,
    compare,
)
from gofuzzsec.seccomp.model import Action, Condition, Op, Profile
from gofuzzsec.seccomp.regions import Effort
from gofuzzsec.syscalls import table

__all__ = [
    "CallEffect",
    "Difference",
    "Effect",
    "Verdict",
    "allowed_names",
    "compare_effects",
    "default_verdict",
    "differences",
    "effect_of",
    "effects",
    "named_effects",
    "same_effect",
    "verdict",
]

_EPERM = 1
_MAX_ERRNO = 4094  # libseccomp (2.5.4) takes less than the kernel's MAX_ERRNO, 4095
_MAX_TRACE = 0xFFFF


@dataclass(frozen=True, slots=True)
class CallEffect:
    """What happens to one call: the verdict of the first of ``cases`` whose conditions all hold,
    else ``otherwise``. No case is without conditions.

    Where ``tree`` is there, that decides, not the cases: it is what libseccomp makes of rules that
    it does not take for what they say.
    """

    name: str
    cases: tuple[Case, ...]
    otherwise: Verdict
    tree: Decision | None = None

    def verdict(self, args: tuple[int, ...] = ()) -> Verdict:
        """The verdict for *args* (unsigned 64-bit; missing ones are 0)."""
        return self.decision.verdict(args)

    @property
    def decision(self) -> Decision:
        """The same in tests, which foreign BPF programs are told in as well."""
        return self.tree or decision(self.cases, self.otherwise)

    @property
    def access(self) -> Access:
        """Whether the call is let through for all, some or no arguments: exact. Raises ProfileError
        when the conditions are too entangled to tell."""
        return self.decision.access(Effort())


@dataclass(frozen=True, slots=True)
class Difference:
    """A call for which two profiles differ. ``before`` and ``after`` are the verdicts on
    ``witness_args``; ``departures`` are all the ways in which they differ, that one first.
    ``tested`` are the arguments that either profile looks at: the others are 0 in all of these and
    do not matter."""

    name: str
    before: Verdict
    after: Verdict
    kind: Kind
    witness_args: tuple[int, ...]
    departures: tuple[Departure, ...] = ()
    tested: tuple[int, ...] = ()


def default_verdict(profile: Profile) -> Verdict:
    """What happens to calls without a rule. Raises ProfileError for an impossible errno."""
    return _verdict(profile.default_action, profile.default_errno)


def effects(profile: Profile, arch: str) -> dict[str, CallEffect]:
    """The effect on every call of *arch* ("amd64" or "arm64"), by name and sorted.

    Raises ProfileError for a profile that is not resolved or that libseccomp refuses to load,
    RecorderError where libseccomp has to be asked and is missing.
    """
    return _effects(profile, sorted(table.names(arch)))


def named_effects(profile: Profile) -> dict[str, CallEffect]:
    """The effect on every call that has rules, of whatever architecture, by name. Raises what
    `effects` raises."""
    return _effects(profile, None)


def effect_of(profile: Profile, arch: str) -> Effect:
    """`effects` in the form that `compare_effects` takes. Raises what it raises."""
    found = effects(profile, arch)
    default = Decision((), default_verdict(profile))
    return Effect({name: effect.decision for name, effect in found.items()}, default)


def verdict(profile: Profile, arch: str, name: str, args: tuple[int, ...] = ()) -> Verdict:
    """The verdict on call *name* with *args*; a name that *arch* does not have has the default
    one. Raises what `effects` raises."""
    if name not in table.names(arch):
        return default_verdict(profile)
    return _effects(profile, [name])[name].verdict(args)


def allowed_names(profile: Profile, arch: str) -> frozenset[str]:
    """The calls that are let through for at least some arguments. Raises what `effects` raises."""
    effort = Effort()
    return frozenset(
        name
        for name, effect in effects(profile, arch).items()
        if effect.decision.access(effort) != "never"
    )


def differences(a: Profile, b: Profile, arch: str) -> tuple[Difference, ...]:
    """The calls of *arch* for which *a* and *b* differ, sorted by name: exact over all arguments.

    Raises what `effects` raises.
    """
    return compare_effects(effect_of(a, arch), effect_of(b, arch))


def compare_effects(a: Effect, b: Effect) -> tuple[Difference, ...]:
    """The calls for which *a* and *b* differ, sorted by name. Raises ProfileError when their
    conditions are too entangled to tell."""
    effort = Effort()
    found = []
    for name in sorted(a.calls.keys() & b.calls.keys()):
        before, after = a.calls[name], b.calls[name]
        comparison = compare(before, after, effort)
        if comparison is not None:
            tested = tuple(sorted({*before.tested, *after.tested}))
            found.append(_difference(name, comparison, tested))
    return tuple(found)


def same_effect(a: Profile, b: Profile, arch: str) -> bool:
    """Whether *a* and *b* do the same to every call of *arch*, unknown ones included."""
    return default_verdict(a) == default_verdict(b) and not differences(a, b, arch)


def _difference(name: str, comparison: Comparison, tested: tuple[int, ...]) -> Difference:
    first, departures = comparison.departures[0], comparison.departures
    kind = comparison.kind
    return Difference(name, first.before, first.after, kind, first.args, departures, tested)


def _rules(profile: Profile) -> dict[str, list[Case]]:
    """The rules of each call in the profile's order, as libseccomp is told them."""
    rules: dict[str, list[Case]] = {}
    if profile.arch_map or any(rule.includes or rule.excludes for rule in profile.rules):
        raise ProfileError(
            "expected a profile for one setting, found archMap, includes or excludes: resolve it "
            "for an architecture, a kernel and capabilities first"
        )
    for rule in profile.rules:
        found = _verdict(rule.action, rule.errno)
        for conditions in _alternatives(rule.conditions):
            for name in rule.names:
                rules.setdefault(name, []).append((conditions, found))
    return rules


def _alternatives(conditions: tuple[Condition, ...]) -> Iterator[tuple[Condition, ...]]:
    counts = Counter(condition.arg for condition in conditions)
    parts = [conditions]
    if any(count > 1 for count in counts.values()):
        parts = [(condition,) for condition in conditions]
    for part in parts:
        yield tuple(c for c in part if c.op is not Op.MASKED_EQ or c.value)


def _effects(profile: Profile, names: Iterable[str] | None) -> dict[str, CallEffect]:
    """The effect on *names*, all calls that have rules for None."""
    rules, default = _rules(profile), default_verdict(profile)
    effort = Effort()
    found: dict[str, CallEffect] = {}
    unclear: dict[str, list[Case]] = {}
    for name in rules if names is None else names:
        kept = [case for case in rules.get(name, ()) if case[1] != default]
        always = next((i for i, (conditions, _) in enumerate(kept) if not conditions), None)
        cases = tuple(dict.fromkeys(kept[:always]))
        if not plain(cases, effort):
            unclear[name] = kept
        if always is not None:
            found[name] = CallEffect(name, (), kept[always][1])
        else:
            found[name] = CallEffect(name, cases, default)
    trees = compiled(unclear, default)  # also where a rule without conditions wins: it may refuse
    for name, tree in trees.items():
        if found[name].cases:
            found[name] = replace(found[name], tree=tree)
    return found


def _verdict(action: Action, errno: int | None) -> Verdict:
    if action not in (Action.ERRNO, Action.TRACE):
        return Verdict(action)
    found = _EPERM if errno is None else errno
    largest = _MAX_ERRNO if action is Action.ERRNO else _MAX_TRACE
    if not 0 <= found <= largest:
        raise ProfileError(f"expected an errno from 0 to {largest} for {action}, found {found}")
    return Verdict(action, found)
