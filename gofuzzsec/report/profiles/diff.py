"""How two profiles differ in effect, as a table and as JSON objects."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from gofuzzsec.report.jsonl import Fields
from gofuzzsec.report.profiles.verdicts import args_words, verdict_words
from gofuzzsec.report.tables import table
from gofuzzsec.report.text import clean, plural, wrap_names
from gofuzzsec.seccomp.decision import Departure, Kind, Verdict
from gofuzzsec.seccomp.effect import Difference
from gofuzzsec.seccomp.sides import Comparison

_SHOWN = 4
"""Examples of arguments that the table has of one call; JSON has all, up to `_MOST`."""
_MOST = 64
_ORDER: tuple[Kind, ...] = ("allowed", "widened", "changed", "narrowed", "refused", "answer")
_MEANING = {
    "allowed": "newly allowed",
    "widened": "allowed for more arguments",
    "changed": "allowed for other arguments",
    "narrowed": "allowed for fewer arguments",
    "refused": "no longer allowed",
    "answer": "with another answer only",
}


def diff_text(comparisons: Sequence[Comparison], before: str, after: str) -> str:
    """What *after* does otherwise than *before*, for each architecture that was compared."""
    return "\n\n".join(_one(each, before, after) for each in comparisons)


def _one(comparison: Comparison, before: str, after: str) -> str:
    names = f"{clean(before)} and {clean(after)}"
    if comparison.same:
        return f"{names} do the same on {comparison.arch}, whatever the arguments"
    whole = [each for each in comparison.calls if not each.tested]
    partly = [each for each in _sorted(comparison) if each.tested]
    blocks = [f"from {clean(before)} to {clean(after)} on {comparison.arch}:"]
    blocks += [f"  {line}" for line in _general(comparison)]
    blocks += _groups(whole)
    rows = [row for each in partly for row in _rows(each, comparison.arch)]
    if rows:
        blocks.append(table(("call", "change", "arguments", "before", "after"), rows))
    counts = Counter(each.kind for each in comparison.calls)
    told = [f"{counts[kind]} {_MEANING[kind]}" for kind in _ORDER if counts[kind]]
    if told:
        blocks.append(f"{plural(len(comparison.calls), 'call')} changed: {', '.join(told)}")
    return "\n".join(blocks)


def _general(comparison: Comparison) -> Iterator[str]:
    if comparison.default:
        was, now = comparison.default
        yield f"calls that are not known here: {verdict_words(was)} → {verdict_words(now)}"
    for gate, (was, now) in comparison.gates.items():
        yield f"calls by {gate} (getpid tried): {verdict_words(was)} → {verdict_words(now)}"
    for what, sets in (("flags", comparison.flags), ("also for", comparison.elsewhere)):
        if sets:
            was_for, now_for = (" ".join(sorted(each)) or "nothing" for each in sets)
            yield clean(f"{what}: {was_for} → {now_for}")


def _groups(whole: Sequence[Difference]) -> Iterator[str]:
    """Calls whose arguments do not matter, those with the same change together."""
    groups: dict[tuple[int, str, str], list[str]] = {}
    for each in whole:
        key = (_ORDER.index(each.kind), verdict_words(each.before), verdict_words(each.after))
        groups.setdefault(key, []).append(each.name)
    for (kind, was, now), names in sorted(groups.items()):
        yield f"  {_MEANING[_ORDER[kind]]}, {was} → {now}:\n{wrap_names(names, indent='    ')}"


def _sorted(comparison: Comparison) -> list[Difference]:
    return sorted(comparison.calls, key=lambda each: (_ORDER.index(each.kind), each.name))


def _rows(difference: Difference, arch: str) -> Iterator[tuple[str, ...]]:
    shown = difference.departures[:_SHOWN]
    for number, each in enumerate(shown):
        call, change = ("", "") if number else (difference.name, difference.kind)
        words = args_words(difference.name, each.args, difference.tested, arch)
        yield call, change, words, verdict_words(each.before), verdict_words(each.after)
    more = len(difference.departures) - len(shown)
    if more:
        yield "", "", f"and {plural(more, 'case')} more", "", ""


def diff_fields(comparisons: Sequence[Comparison]) -> Iterator[Fields]:
    """JSON objects: ``call_difference`` for every call, ``profile_difference`` for what is not one
    call's, and a ``diff`` at the end of each architecture."""
    for comparison in comparisons:
        yield from _general_fields(comparison)
        for each in _sorted(comparison):
            yield {
                "event": "call_difference",
                "arch": comparison.arch,
                "call": each.name,
                "change": each.kind,
                "cases": [_case(each, d) for d in each.departures[:_MOST]],
                "more_cases": max(0, len(each.departures) - _MOST),
            }
        yield {
            "event": "diff",
            "arch": comparison.arch,
            "same": comparison.same,
            "calls": dict(sorted(Counter(each.kind for each in comparison.calls).items())),
        }


def _general_fields(comparison: Comparison) -> Iterator[Fields]:
    base: Fields = {"event": "profile_difference", "arch": comparison.arch}
    if comparison.default:
        was, now = comparison.default
        yield base | {"what": "default", "before": _plain(was), "after": _plain(now)}
    for gate, (was, now) in comparison.gates.items():
        yield base | {"what": gate, "before": _plain(was), "after": _plain(now)}
    for what, sets in (("flags", comparison.flags), ("architectures", comparison.elsewhere)):
        if sets:
            yield base | {"what": what, "before": sorted(sets[0]), "after": sorted(sets[1])}


def _case(difference: Difference, departure: Departure) -> Fields:
    args = departure.args
    return {
        "args": {str(i): args[i] if i < len(args) else 0 for i in difference.tested},
        "before": _plain(departure.before),
        "after": _plain(departure.after),
    }


def _plain(verdict: Verdict) -> Fields:
    return {"action": verdict.action.value, "errno": verdict.errno}
