"""Why a system call is in a profile, or why it is not: everything that is known of it.

The evidence says who needed it, from where, by which input or process, and how often; the static
bound says whether code that makes it is there at all, and coverage how far the inputs came on the
way to it. The last word is a sentence.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from gofuzzsec.seccomp.decision import Access
from gofuzzsec.seccomp.reproduce import Reproduction
from gofuzzsec.seccomp.standing import NO_PROGRAM, CallStanding, Standing
from gofuzzsec.store import TargetRow
from gofuzzsec.store.model import SyscallRow
from gofuzzsec.syscalls.compare import SOURCES
from gofuzzsec.syscalls.model import CallOutcome, Origin
from gofuzzsec.syscalls.oci import KERNEL_CALLS, OCI_RUNTIME_CALLS

_SHARED = frozenset({"tests", "baseline", "harness"})
"""Sources whose one recording is stored with each target of a package."""
_WORDS = {
    "tests": "hand-written tests",
    "integration": "integration runs",
    "seeds": "seeds",
    "fuzz": "fuzzing",
    "campaign": "the campaign's processes",
}
_Cover = Mapping[str, tuple[int, int]]


@dataclass(frozen=True, slots=True)
class Form:
    """One kind of a call (the class of its arguments, "" for none), the values of its deciding
    arguments where they are known, how it ended and how often."""

    kind: str
    args: tuple[int, ...]
    outcome: str
    count: int


@dataclass(frozen=True, slots=True)
class Sight:
    """What one source of one target showed of a call by one maker; the words of SyscallRow.

    ``first_input`` and ``label`` are of the earliest sight, ``stack`` (innermost first) of the
    earliest that has one, ``test`` the test function on it. ``forms`` are the most frequent first.
    """

    target: str
    source: str
    origin: str
    first_input: str
    label: str
    count: int
    inputs: int
    unstable: bool
    stack: tuple[str, ...]
    forms: tuple[Form, ...]
    again: Reproduction


@dataclass(frozen=True, slots=True)
class Step:
    """A function on the way to a call, and how many of its edge counters any kept input reached;
    None where that was not measured."""

    function: str
    covered: int | None
    counters: int


@dataclass(frozen=True, slots=True)
class Explanation:
    """All that is known of one call. ``access`` is what the profile in question does with it, None
    without one. ``besides`` are reasons that no recording of the program showed. ``verdict`` is one
    sentence."""

    standing: CallStanding
    access: Access | None
    sights: tuple[Sight, ...]
    besides: tuple[str, ...]
    path: tuple[Step, ...]
    verdict: str


def sights_of(
    evidence: Sequence[tuple[TargetRow, SyscallRow]],
    again: Callable[[TargetRow, SyscallRow], Reproduction],
) -> dict[str, tuple[Sight, ...]]:
    """What *evidence* (rows with the target that each is of) shows, by call; sources in the order
    of SOURCES. *again* says how to see a row once more.

    A recording that is stored with several targets of a package is told once, and what a
    campaign's processes made only where nothing else shows the call.
    """
    kept = {row.name for _, row in evidence if row.source not in ("campaign", "harness")}
    grouped: dict[tuple[str, ...], list[tuple[TargetRow, SyscallRow]]] = {}
    owner: dict[tuple[str, str], int] = {}
    for target, row in evidence:
        where = "" if row.source == "baseline" else target.import_path
        shared = row.source in _SHARED
        if shared and owner.setdefault((row.source, where), target.id) != target.id:
            continue
        if row.source != "campaign" or row.name not in kept:
            key = (row.name, row.source, str(target.id), row.origin)
            grouped.setdefault(key, []).append((target, row))
    found: dict[str, list[Sight]] = {}
    order = {source: place for place, source in enumerate(SOURCES)}
    for group in sorted(grouped, key=lambda key: (key[0], order.get(key[1], len(order)), key)):
        found.setdefault(group[0], []).append(_sight(grouped[group], again))
    return {name: tuple(each) for name, each in found.items()}


def _sight(
    evidence: Sequence[tuple[TargetRow, SyscallRow]],
    again: Callable[[TargetRow, SyscallRow], Reproduction],
) -> Sight:
    target = evidence[0][0]
    rows = sorted((row for _, row in evidence), key=lambda row: (row.first_at, row.kind, row.args))
    first = rows[0]
    forms = [Form(row.kind, row.args, row.outcome, row.count) for row in rows]
    return Sight(
        target=target.full_name,
        source=first.source,
        origin=first.origin,
        first_input=first.first_input,
        label=first.label,
        count=sum(row.count for row in rows),
        inputs=max(row.inputs for row in rows),
        unstable=all(row.unstable for row in rows),
        stack=next((row.stack for row in rows if row.stack), ()),
        forms=tuple(sorted(forms, key=lambda form: -form.count)),
        again=again(target, first),
    )


def explain(
    standing: CallStanding,
    sights: Sequence[Sight],
    *,
    cover: _Cover,
    access: Access | None = None,
) -> Explanation:
    """Everything about one call. *cover* says of each measured function how many of its edge
    counters the kept inputs reached, and how many it has."""
    name = standing.name
    besides = [
        f"{who}: {calls[name]}"
        for who, calls in (("container runtime", OCI_RUNTIME_CALLS), ("kernel", KERNEL_CALLS))
        if name in calls and standing.standing is Standing.NEEDED
    ]
    path = tuple(Step(each, *cover.get(each, (None, 0))) for each in standing.path)
    sentence = {
        Standing.NEEDED: lambda: _needed(name, sights, besides),
        Standing.POSSIBLE: lambda: _possible(standing, path),
        Standing.IMPOSSIBLE: lambda: f"{name} is impossible: {standing.reasons[0]}.",
    }[standing.standing]()
    verdict = f"{sentence}{_in_profile(standing.standing, access)}"
    return Explanation(standing, access, tuple(sights), tuple(besides), path, verdict)


def _needed(name: str, sights: Sequence[Sight], besides: Sequence[str]) -> str:
    own = [each for each in sights if each.origin in (Origin.TARGET, Origin.UNKNOWN)]
    own = [each for each in own if each.source in _WORDS]
    if own:
        who = _listed(list(dict.fromkeys(_WORDS[each.source] for each in own)))
        doubt = ""
        if all(each.unstable for each in own):
            doubt = ", though only in one of an input's two runs"
        elif _always(own, CallOutcome.REFUSED):
            doubt = ", though it was refused each time"
        maker = "the program makes it" if any(map(_is_targets, own)) else "it is made"
        return f"{name} is needed: {who} showed that {maker}{doubt}."
    if any(each.origin == Origin.RUNTIME or each.source == "baseline" for each in sights):
        return f"{name} is needed by the Go runtime itself, whatever the program does."
    return (
        f"{name} is needed by the {_listed([each.partition(':')[0] for each in besides])}; the "
        "program was not seen making it."
        if besides
        else f"{name} is needed by the Go runtime itself, whatever the program does."
    )


def _is_targets(sight: Sight) -> bool:
    return sight.origin == Origin.TARGET


def _always(sights: Sequence[Sight], outcome: CallOutcome) -> bool:
    return all(form.outcome == outcome for each in sights for form in each.forms)


def _possible(standing: CallStanding, path: Sequence[Step]) -> str:
    if not standing.where:
        if standing.reasons[0] == NO_PROGRAM:
            return f"{standing.name} was never seen, and cannot be ruled out: {NO_PROGRAM}."
        return (
            f"{standing.name} was never seen, and no code that can be followed makes it; it cannot "
            f"be ruled out, because {standing.reasons[0]}."
        )
    made = f"{standing.name} is possible: nothing recorded made it, but {standing.where[0]} can"
    # The root of a fuzz test runs before an input's coverage begins to count.
    measured = [step for step in path[1:] if step.covered is not None]
    if not measured:
        return f"{made}; whether the code on the way ran was not measured."
    missed = next((step for step in measured if not step.covered), None)
    if missed is None:
        return (
            f"{made}; all {len(measured)} measured functions on the way ran, so that a branch or "
            "an argument is what was missing."
        )
    return f"{made}; on the way, no kept input ever ran {missed.function}."


def _in_profile(standing: Standing, access: Access | None) -> str:
    match standing, access:
        case Standing.NEEDED, "never":
            return " The profile refuses it: the program will not do what it was seen to do."
        case Standing.NEEDED, "some":
            return (
                " The profile allows it for some arguments; `gofuzzsec profile check` says whether "
                "those are enough."
            )
        case Standing.POSSIBLE, "never":
            return " The profile refuses it."
        case Standing.IMPOSSIBLE, "always" | "some":
            return " The profile allows it for nothing; `gofuzzsec profile tighten` takes it out."
        case _:
            return ""


def _listed(words: Sequence[str]) -> str:
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)
