"""Rules on arguments: of a call, only what the evidence shows is let through.

A rule is made only when every row of the evidence tells the call's values, and when whoever else
has to make the call (the container runtime, the kernel itself) is known to pass none but these:
what is not told forbids the rule, and `unruled` says so.

The kernel takes the arguments looked at here as 32-bit numbers, but a filter compares the whole
register, whose upper half a program may leave anything in (an ``int`` in C, a sign-extended
constant). So values are compared under a mask (MASKED_EQ), never whole (EQ).

Alternatives never hold two conditions on one argument, which libseccomp before 2.6 refuses in one
rule and the OCI runtimes split into two rules that let through more than was meant.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from gofuzzsec.seccomp.argument_policy import (
    PROT_EXEC,
    PROT_WRITE,
    SAFE,
    Exact,
    Policy,
    Protection,
    Unseen,
    Values,
    reason,
)
from gofuzzsec.seccomp.model import Action, Condition, Op, Rule
from gofuzzsec.store.model import SyscallRow
from gofuzzsec.syscalls import table
from gofuzzsec.syscalls.arguments import DECIDING, words_of
from gofuzzsec.syscalls.model import Origin
from gofuzzsec.syscalls.oci import KERNEL_CALLS, OCI_RUNTIME_CALLS, OCI_VALUES

Level = Literal["safe", "all", "none"]
LEVELS: tuple[Level, ...] = ("safe", "all", "none")

MOST_ALTERNATIVES: Mapping[Level, int] = {"safe": 16, "all": 64}
"""More different values make no rule: they are data then, and filters are walked one by one."""

_SHOWN = 6  # values in one comment
_BEHIND_A_POINTER = {
    "clone3": "its flags are behind a pointer, which no filter can look behind",
    "openat2": "its flags are behind a pointer, which no filter can look behind",
}


@dataclass(frozen=True, slots=True)
class Seen:
    """Values of a call, ``text`` in the kernel's words. ``count`` is how often the evidence shows
    them, over the inputs kept and the processes recorded; 0 for what only a removed input did."""

    text: str
    values: tuple[int, ...]
    count: int


@dataclass(frozen=True, slots=True)
class ArgumentRule:
    """What is let through of call ``name``: what meets all conditions of one of ``alternatives``.

    ``seen`` is why, most frequent first. ``besides`` are single values let through that were not
    seen: the container runtime's, and what stands for something seen (count 0, by value).
    """

    name: str
    alternatives: tuple[tuple[Condition, ...], ...]
    seen: tuple[Seen, ...]
    besides: tuple[Seen, ...] = ()

    @property
    def text(self) -> str:
        """The values seen and how often, and what is let through besides, in one line."""
        seen = _listed([f"{each.text} ({_times(each.count)})" for each in self.seen])
        if not self.besides:
            return f"seen: {seen}"
        return f"seen: {seen}; besides: {_listed([each.text for each in self.besides])}"

    def rules(self) -> tuple[Rule, ...]:
        """The rules of a profile that let just this through; the first one's comment says why."""
        return tuple(
            Rule((self.name,), Action.ALLOW, conditions=conditions, comment="" if at else self.text)
            for at, conditions in enumerate(self.alternatives)
        )


def argument_rules(
    rows: Sequence[SyscallRow],
    arch: str,
    level: Level,
    *,
    oci: Collection[str] = tuple(OCI_RUNTIME_CALLS),
    untold: Collection[str] = (),
) -> dict[str, ArgumentRule]:
    """The rules that *rows* bear out on *arch*, by call in order; none at level "none".

    *oci* are the calls that the container runtime makes through the filter, *untold* those that
    the profile allows for other reasons than *rows*, so that their values are not known. Rows of
    the test harness do not count.
    """
    return dict(sorted(_Deciding(rows, arch, level, oci, untold).rules.items()))


def unruled(
    rows: Sequence[SyscallRow],
    arch: str,
    level: Level,
    *,
    oci: Collection[str] = tuple(OCI_RUNTIME_CALLS),
    untold: Collection[str] = (),
) -> dict[str, str]:
    """Why calls of *rows* that could have a rule have none, by call in order; arguments as above.

    None at level "none", where nobody asked.
    """
    return dict(sorted(_Deciding(rows, arch, level, oci, untold).reasons.items()))


@dataclass(slots=True)
class _Evidence:
    """Of one call: how often each value came, and the sources that do not tell."""

    counts: Counter[Values] = field(default_factory=Counter)
    silent: Counter[str] = field(default_factory=Counter)


class _Deciding:
    """Rules and reasons for having none, over the same evidence."""

    def __init__(
        self,
        rows: Sequence[SyscallRow],
        arch: str,
        level: Level,
        oci: Collection[str],
        untold: Collection[str],
    ) -> None:
        self.rules: dict[str, ArgumentRule] = {}
        self.reasons: dict[str, str] = {}
        self._arch, self._level = arch, level
        self._oci, self._untold = frozenset(oci), frozenset(untold)
        if level == "none":
            return
        evidence: dict[str, _Evidence] = {}
        for row in rows:
            if row.origin != Origin.HARNESS and row.source != "harness":
                _take(evidence.setdefault(row.name, _Evidence()), row)
        for name, found in evidence.items():
            if name in _BEHIND_A_POINTER:
                self.reasons[name] = _BEHIND_A_POINTER[name]
            elif name in DECIDING and table.number(name, arch) is not None:
                self._decide(name, found)

    def _decide(self, name: str, found: _Evidence) -> None:
        policy = SAFE.get(name)
        if policy is None and self._level == "safe":
            self.reasons[name] = f"left to --args all: {reason(name)}"
            return
        silent = self._silence(name, found)
        if silent:
            self.reasons[name] = silent
            return
        policy = policy or Exact("")
        shown = frozenset(found.counts)
        needed = shown | (OCI_VALUES.get(name, frozenset()) if name in self._oci else frozenset())
        if isinstance(policy, Exact):
            needed = policy.widened(needed)
        allowed = _alternatives(name, policy, needed)
        if isinstance(allowed, str):
            self.reasons[name] = allowed
        elif len(allowed) > (most := MOST_ALTERNATIVES[self._level]):
            self.reasons[name] = f"{len(allowed)} different values, and a rule has at most {most}"
        else:
            seen = sorted(found.counts.items(), key=lambda item: (-item[1], item[0]))
            besides = [(values, 0) for values in sorted(needed - shown)]
            self.rules[name] = ArgumentRule(
                name, allowed, self._told(name, seen), self._told(name, besides)
            )

    def _silence(self, name: str, found: _Evidence) -> str:
        """Why not all values are known, "" when they are."""
        if name in KERNEL_CALLS:
            return "the kernel decides whether it is made, and may pass other values elsewhere"
        if name in self._oci and name not in OCI_VALUES:
            return "the container runtime makes it too, with values that are not known"
        if name in self._untold:
            return "something besides the evidence needs it, with values that are not known"
        if found.silent:
            sources = ", ".join(f"{source} ({n})" for source, n in sorted(found.silent.items()))
            return f"values not told by: {sources}; record again with this gofuzzsec, by bpf"
        return ""

    def _told(self, name: str, counts: Iterable[tuple[Values, int]]) -> tuple[Seen, ...]:
        return tuple(
            Seen(words_of(name, values, self._arch), values, count) for values, count in counts
        )


def _take(found: _Evidence, row: SyscallRow) -> None:
    specs = DECIDING.get(row.name, ())
    fits = len(row.args) == len(specs) and not any(
        value & ~each.mask for value, each in zip(row.args, specs, strict=True)
    )
    if row.args and fits:
        found.counts[row.args] += row.count
    else:
        found.silent[row.source] += max(row.count, 1)


def _alternatives(
    name: str, policy: Policy, needed: Collection[Values]
) -> tuple[tuple[Condition, ...], ...] | str:
    """What *policy* lets through when these values are *needed*; words when that is everything."""
    first = DECIDING[name][0]
    shown = [values[0] for values in needed]
    match policy:
        case Exact():
            return _exact(name, needed)
        case Unseen(bits=bits):
            left = bits & ~_union(shown)
            return ((_bits_clear(first.arg, left),),) if left else "all it could forbid was seen"
        case Protection():
            if not any(value & PROT_EXEC for value in shown):
                return ((_bits_clear(first.arg, PROT_EXEC),),)
            if any(value & PROT_EXEC and value & PROT_WRITE for value in shown):
                return "memory that is writable and executable was seen"
            return tuple((_bits_clear(first.arg, bit),) for bit in (PROT_WRITE, PROT_EXEC))


def _exact(name: str, allowed: Iterable[Values]) -> tuple[tuple[Condition, ...], ...]:
    return tuple(
        tuple(
            Condition(each.arg, Op.MASKED_EQ, each.mask, value)
            for each, value in zip(DECIDING[name], values, strict=True)
        )
        for values in sorted(allowed)
    )


def _bits_clear(arg: int, bits: int) -> Condition:
    return Condition(arg, Op.MASKED_EQ, bits, 0)


def _union(values: Iterable[int]) -> int:
    union = 0
    for value in values:
        union |= value
    return union


def _listed(texts: Sequence[str]) -> str:
    more = len(texts) - _SHOWN
    return ", ".join(texts[:_SHOWN]) + (f" and {more} more" if more > 0 else "")


def _times(count: int) -> str:
    return f"{count} time{'' if count == 1 else 's'}" if count else "no kept recording"
