"""Which attacks a profile stops, as a table and as JSON objects."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from gofuzzsec.report.jsonl import Fields
from gofuzzsec.report.tables import table
from gofuzzsec.report.text import clean, plural
from gofuzzsec.seccomp.attacks import Outcome, Stop

_WORDS = {
    Stop.PROFILE: "stopped by the profile",
    Stop.KERNEL: "not stopped; refused here anyhow",
    Stop.NOBODY: "GOT THROUGH",
    Stop.UNCLEAR: "UNCLEAR: the kernel does not do what the profile says",
}
_MACHINE = {Stop.KERNEL: "refused here", Stop.NOBODY: "possible"}


def attacks_text(outcomes: Sequence[Outcome], profile: str, needed: Collection[str] = ()) -> str:
    """The table, and a conclusion. *profile* is its name, "" for none; *needed* are attacks that
    do not count."""
    if not profile:
        here = [
            (each.attack.name, each.attack.does, _MACHINE[each.stop], each.without)
            for each in outcomes
        ]
        return table(("attack", "would", "here", "result"), here)
    rows = [
        (each.attack.name, each.attack.does, _verdict(each, needed), each.without, each.under)
        for each in outcomes
    ]
    text = table(("attack", "would", "verdict", "without", "under"), rows)
    through = [each.attack.name for each in outcomes if each.got_through(needed)]
    stopped = sum(each.stop is Stop.PROFILE for each in outcomes)
    said = f"{clean(profile)} stops {stopped} of {plural(len(outcomes), 'attack')}"
    if not through:
        return f"{text}\n\npassed: {said}, and none that counts got through"
    return f"{text}\n\nFAILED: {said}; {len(through)} got through: " + (", ".join(through))


def _verdict(outcome: Outcome, needed: Collection[str]) -> str:
    if outcome.stop is Stop.NOBODY and not outcome.attack.wanted:
        return "got through (does not count: programs need the call)"
    if outcome.stop is Stop.NOBODY and outcome.attack.name in needed:
        return "got through (--may)"
    return _WORDS[outcome.stop]


def attack_objects(outcomes: Sequence[Outcome], needed: Collection[str] = ()) -> Iterator[Fields]:
    """One object for each attack."""
    for each in outcomes:
        yield {
            "event": "attack",
            "attack": each.attack.name,
            "does": each.attack.does,
            "call": each.attack.call,
            "stop": each.stop.value,
            "without": each.without,
            "under": each.under,
            "counts": each.got_through(needed),
        }
