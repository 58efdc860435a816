"""What happens to one call, as a list of cases, and how two such lists differ."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from gofuzzsec.seccomp.model import Action
from gofuzzsec.seccomp.regions import Effort, Test, regions

Access = Literal["always", "some", "never"]
"""Whether a call is let through (ALLOW or LOG) for all, some or no arguments."""

Kind = Literal["allowed", "refused", "widened", "narrowed", "changed", "answer"]
"""How the second of two decisions differs: it lets through what the first never did; never lets
through what the first did at least for some arguments; lets through more arguments; fewer; some
more and some fewer; the same ones, with another action or errno for some."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What happens to a call. ``errno`` goes with ERRNO and TRACE and is None for the others."""

    action: Action
    errno: int | None = None

    @property
    def lets_through(self) -> bool:
        """Whether the call is made."""
        return self.action.lets_through


@dataclass(frozen=True, slots=True)
class Decision:
    """The verdict of the first of ``cases`` whose tests all hold, else ``otherwise``."""

    cases: tuple[tuple[tuple[Test, ...], Verdict], ...]
    otherwise: Verdict

    def verdict(self, args: tuple[int, ...]) -> Verdict:
        """The verdict on *args* (unsigned 64-bit; missing ones are 0)."""
        for tests, verdict in self.cases:
            if all(test.holds(args) for test in tests):
                return verdict
        return self.otherwise

    @property
    def tested(self) -> frozenset[int]:
        """The arguments that are looked at."""
        return frozenset(test.arg for tests, _ in self.cases for test in tests)

    def access(self, effort: Effort) -> Access:
        """Exact over all arguments. Raises ProfileError when *effort* is used up."""
        through = {verdict.lets_through for _, verdict in self.cases}
        through.add(self.otherwise.lets_through)
        if len(through) == 2:
            through = {verdict.lets_through for verdict, _ in self._reached(effort)}
        if len(through) == 2:
            return "some"
        return "always" if True in through else "never"

    def _reached(self, effort: Effort) -> Iterator[tuple[Verdict, tuple[int, ...]]]:
        for region in regions([tests for tests, _ in self.cases], effort):
            yield self._of(region.holding), region.witness

    def _of(self, holding: int) -> Verdict:
        """The verdict where the cases of these bits hold."""
        if not holding:
            return self.otherwise
        return self.cases[(holding & -holding).bit_length() - 1][1]


@dataclass(frozen=True, slots=True)
class Departure:
    """Arguments on which two decisions differ, and what each says."""

    before: Verdict
    after: Verdict
    args: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Comparison:
    """How two decisions differ: ``departures``, sorted by arguments, has at least one for every way
    in which they do, the one that shows ``kind`` best first."""

    kind: Kind
    departures: tuple[Departure, ...]


def compare(before: Decision, after: Decision, effort: Effort) -> Comparison | None:
    """The difference over all arguments, None where there is none.

    Raises ProfileError when *effort* is used up.
    """
    if before == after:
        return None
    count = len(before.cases)
    rules = [tests for tests, _ in (*before.cases, *after.cases)]
    departures: dict[tuple[int, ...], Departure] = {}
    was = now = gained = lost = False
    for region in regions(rules, effort):
        first = before._of(region.holding & ((1 << count) - 1))
        second = after._of(region.holding >> count)
        was |= first.lets_through
        now |= second.lets_through
        gained |= second.lets_through and not first.lets_through
        lost |= first.lets_through and not second.lets_through
        if first != second:
            departures[region.witness] = Departure(first, second, region.witness)
    if not departures:
        return None
    kind = _kind(was, now, gained, lost)
    ordered = sorted(departures.values(), key=lambda d: (not _shows(kind, d), d.args))
    return Comparison(kind, tuple(ordered))


def _kind(was: bool, now: bool, gained: bool, lost: bool) -> Kind:
    if not gained and not lost:
        return "answer"
    if not was:
        return "allowed"
    if not now:
        return "refused"
    if gained and lost:
        return "changed"
    return "widened" if gained else "narrowed"


def _shows(kind: Kind, departure: Departure) -> bool:
    """Whether the departure is of the sort that gave *kind* its name."""
    gained = departure.after.lets_through and not departure.before.lets_through
    lost = departure.before.lets_through and not departure.after.lets_through
    if kind in ("allowed", "widened", "changed"):
        return gained
    return lost if kind in ("refused", "narrowed") else True


@dataclass(frozen=True, slots=True)
class Effect:
    """What a profile or a BPF program does on one architecture: every call of the table by name,
    and ``default`` for a number that the table does not have."""

    calls: Mapping[str, Decision]
    default: Decision
