"""How much of what a program can do its evidence has shown: counted, bounded and estimated.

Three different things, none of which replaces another. What is *reachable and never seen* is a
static bound minus the evidence: it errs on the side of too much. *Coverage* says how far the inputs
came towards that. The *estimate* says what more of the same fuzzing would still show, and nothing
of what such fuzzing cannot show.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from gofuzzsec.seccomp.estimate import CampaignEstimate, Part, campaign_estimate
from gofuzzsec.store.model import Statements, SyscallRow
from gofuzzsec.syscalls.bound_model import Bound, PossibleCall
from gofuzzsec.syscalls.model import Origin

NO_SIGHTS = (
    "no estimate: only boosted workers say of each execution which calls it made, and this target "
    "was not fuzzed by them; kept inputs are kept for being new, so they are no sample"
)
NO_SAMPLE = "no estimate: captured runs are chosen by hand, so they are no sample"
NO_BOUND = "no static bound: what its code could do besides is not known"

_SHOWN = 3  # targets in the one sentence


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of one target.

    ``sights`` are those of `Store.incidence`. ``statements`` are the coverage of captured runs, by
    label. ``bound`` is that from the fuzz test, None where there is none, ``cover`` by function how
    many of its edge counters the kept inputs reached, and how many it has. ``problems`` say what is
    missing in the last two.
    """

    name: str
    is_fuzz_test: bool
    rows: Sequence[SyscallRow]
    sights: Sequence[Part] = ()
    statements: Sequence[tuple[str, Statements]] = ()
    bound: Bound | None = None
    cover: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    problems: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class UnseenCall:
    """A call that is reachable and was never seen: a ``place`` that makes it ("function
    file:line"), the shortest ``path`` there, and whether the profile allows it all the same, for
    the container runtime's or the kernel's sake."""

    name: str
    place: str
    path: tuple[str, ...]
    allowed: bool


@dataclass(frozen=True, slots=True)
class Holder:
    """The last function with edge counters on the way to ``calls``: the inputs reached ``covered``
    of its ``counters``. ``function`` is "" for calls on whose way nothing is counted, as in the Go
    runtime."""

    function: str
    covered: int
    counters: int
    calls: tuple[UnseenCall, ...]


@dataclass(frozen=True, slots=True)
class Reach:
    """``calls`` are reachable from ``roots``. ``unseen`` by function, those first that hold most of
    the refused ones. ``openings`` say what could make still others, each in words."""

    roots: tuple[str, ...]
    calls: int
    unseen: tuple[Holder, ...]
    openings: tuple[str, ...]

    def unseen_calls(self, *, refused: bool = False) -> list[UnseenCall]:
        """All of them, or only those that the profile refuses."""
        every = [call for holder in self.unseen for call in holder.calls]
        return [call for call in every if not (refused and call.allowed)]


@dataclass(frozen=True, slots=True)
class TargetCompleteness:
    """``seen`` are names. ``behaviours`` and ``calls`` estimate the same campaign, by (call, kind,
    outcome) and by name; None together with why in ``no_estimate``. ``edges`` are counters reached
    and there, None where not known. ``reach`` is None with why in ``problems``."""

    name: str
    seen: tuple[str, ...]
    behaviours: CampaignEstimate | None
    calls: CampaignEstimate | None
    no_estimate: str
    statements: tuple[tuple[str, Statements], ...]
    edges: tuple[int, int] | None
    reach: Reach | None
    problems: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Completeness:
    """``seen`` over all targets, the Go runtime's own calls (``runtime``) apart. ``reach`` is that
    of the whole program where one was given, else of all fuzz tests together; None with neither."""

    targets: tuple[TargetCompleteness, ...]
    seen: tuple[str, ...]
    runtime: tuple[str, ...]
    reach: Reach | None
    of_program: bool

    def sentence(self) -> str:
        """All of it in one line, for a profile's provenance."""
        parts = [f"{len(self.seen)} calls seen besides {len(self.runtime)} of the Go runtime"]
        if self.reach is None:
            parts.append("no static bound")
        else:
            unseen, refused = self.reach.unseen_calls(), self.reach.unseen_calls(refused=True)
            what = "the program" if self.of_program else "the fuzz tests"
            parts.append(
                f"of {self.reach.calls} calls reachable in {what} {len(unseen)} never seen, "
                f"{len(refused)} of these refused"
            )
            if self.reach.openings:
                parts.append(f"more are possible: {'; '.join(self.reach.openings)}")
        estimated = [target for target in self.targets if target.behaviours is not None]
        for target in estimated[:_SHOWN]:
            assert target.behaviours is not None
            parts.append(_estimated(target.name, target.behaviours))
        if len(estimated) > _SHOWN:
            parts.append(f"{len(estimated) - _SHOWN} more targets estimated")
        if not estimated:
            parts.append("no estimate of what fuzzing would still show")
        return "; ".join(parts)


def completeness(
    targets: Sequence[Facts],
    *,
    baseline: Collection[str],
    allowed: Collection[str],
    programs: Sequence[Bound] = (),
) -> Completeness:
    """What the *targets* show, for a profile that has *allowed* names.

    *baseline* are the Go runtime's own calls, *programs* the bounds of what will run under the
    profile, which the bounds of fuzz tests stand in for.
    """
    runtime = set(baseline) | {
        row.name for each in targets for row in each.rows if row.source == "baseline"
    }
    seen = _seen([row for each in targets for row in each.rows], runtime)
    known = seen | runtime
    found = tuple(_target(each, _seen(each.rows, runtime), known, allowed) for each in targets)
    cover: dict[str, tuple[int, int]] = {}
    for each in targets:
        for name, (covered, counters) in each.cover.items():
            if (covered, counters) > cover.get(name, (-1, 0)):
                cover[name] = (covered, counters)
    bounds = list(programs) or [each.bound for each in targets if each.bound is not None]
    reach = reach_of(bounds, known, allowed, cover) if bounds else None
    return Completeness(
        found, tuple(sorted(seen)), tuple(sorted(runtime)), reach, of_program=bool(programs)
    )


def reach_of(
    bounds: Sequence[Bound],
    seen: Collection[str],
    allowed: Collection[str],
    cover: Mapping[str, tuple[int, int]],
) -> Reach:
    """What *bounds* (not empty) hold together, against what was *seen* and is *allowed*."""
    possible: dict[str, PossibleCall] = {}
    for bound in bounds:
        for call in bound.calls:
            known = possible.get(call.name)
            if known is None or (len(call.path), call.path) < (len(known.path), known.path):
                possible[call.name] = call
    held: dict[str, list[UnseenCall]] = {}
    for name in sorted(possible.keys() - set(seen)):
        call = possible[name]
        place = str(call.sites[0]) if call.sites else ""
        holder = next((step for step in reversed(call.path) if step in cover), "")
        held.setdefault(holder, []).append(UnseenCall(name, place, call.path, name in allowed))
    holders = [
        Holder(function, *cover.get(function, (0, 0)), tuple(calls))
        for function, calls in held.items()
    ]
    holders.sort(key=_order)
    roots = dict.fromkeys(root for bound in bounds for root in bound.roots)
    openings = dict.fromkeys(text for bound in bounds for text in _openings(bound))
    return Reach(tuple(roots), len(possible), tuple(holders), tuple(openings))


def _order(holder: Holder) -> tuple[bool, int, str]:
    refused = sum(not call.allowed for call in holder.calls)
    return not holder.function, -refused, holder.function


def _target(
    each: Facts, seen: Collection[str], known: Collection[str], allowed: Collection[str]
) -> TargetCompleteness:
    behaviours = calls = None
    why = NO_SIGHTS if each.is_fuzz_test else NO_SAMPLE
    if any(executions for executions, _ in each.sights):
        why = ""
        chance = _not_the_targets(each.rows)
        behaviours = campaign_estimate([_only(part, chance, whole=False) for part in each.sights])
        calls = campaign_estimate([_only(part, chance, whole=True) for part in each.sights])
    return TargetCompleteness(
        name=each.name,
        seen=tuple(sorted(seen)),
        behaviours=behaviours,
        calls=calls,
        no_estimate=why,
        statements=tuple(each.statements),
        edges=_edges(each.cover),
        reach=None if each.bound is None else reach_of([each.bound], known, allowed, each.cover),
        problems=each.problems,
    )


def _edges(cover: Mapping[str, tuple[int, int]]) -> tuple[int, int] | None:
    if not cover:
        return None
    return sum(one for one, _ in cover.values()), sum(total for _, total in cover.values())


def _seen(rows: Sequence[SyscallRow], runtime: Collection[str]) -> set[str]:
    """Names that runs showed, without those that only the test harness made, or only the Go
    runtime, which makes them in any program (*runtime*)."""
    counted = [
        row
        for row in rows
        if row.origin != Origin.HARNESS and row.source not in ("harness", "baseline")
    ]
    others = {row.name for row in counted if row.origin != Origin.RUNTIME}
    return {row.name for row in counted if row.name not in runtime} | others


def _not_the_targets(rows: Sequence[SyscallRow]) -> set[str]:
    """Names that were only ever seen as the runtime's or the harness's own doing. A profile has
    them anyway, or has no use for them, and when they come is chance."""
    own = {row.name for row in rows if row.origin in (Origin.TARGET, Origin.UNKNOWN)}
    return {row.name for row in rows} - own


def _only(part: Part, without: Collection[str], *, whole: bool) -> Part:
    """*part* with the sights of calls as a *whole*, or of behaviours; see coordinator.incidence."""
    executions, counts = part
    return executions, {
        name: count
        for name, count in counts.items()
        if (": " not in name) == whole and name.partition(":")[0].partition(" ")[0] not in without
    }


def _openings(bound: Bound) -> Iterable[str]:
    if bound.unknown:
        first = bound.unknown[0]
        more = f" and {len(bound.unknown) - 1} more" if len(bound.unknown) > 1 else ""
        yield f"{first.place}{more} makes a call whose number cannot be told"
    for kind in dict.fromkeys(opening.kind for opening in bound.opens):
        yield _KINDS.get(kind, kind)


_KINDS = {
    "c-library": "the C library makes calls of its own",
    "cgo": "C code is part of it",
    "loader": "the dynamic loader runs before it",
    "plugin": "it loads code while it runs",
    "legacy": "it makes calls by the numbers of 32-bit programs",
    "exec": "it starts other programs, which the filter holds too",
}


def _estimated(name: str, found: CampaignEstimate) -> str:
    whole = found.whole
    high = f"to {found.high:.0f}" if found.high < float("inf") else "with no upper end"
    return (
        f"{name}: {whole.seen} behaviours in {whole.executions} random executions, the next one "
        f"shows a new one with probability {whole.next_new:.1e}, at most {found.next_new_high:.1e} "
        f"(95 %), {whole.low} {high} in all (95 %)"
    )
