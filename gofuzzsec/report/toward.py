"""The words for where a directed campaign stands."""

from __future__ import annotations

from gofuzzsec.coordinator.events import RemainingCall, Toward
from gofuzzsec.report.tables import table
from gofuzzsec.report.text import clean, number, plural, span

_SHOWN = 40
"""Calls of which a line is printed; a bound has some hundred, and --json tells all."""


def toward_lines(event: Toward) -> str:
    """What was reached and when, then what remains and how near the search is."""
    reached, remaining = len(event.reached), len(event.remaining)
    head = (
        f"{clean(event.target)}: after {span(event.elapsed)} {number(reached)} of "
        f"{plural(reached + remaining, 'system call')} aimed at reached, {number(remaining)} remain"
    )
    parts = [head]
    if event.reached:
        rows = [
            (call.name, span(call.elapsed), number(call.executions), call.input_hash)
            for call in event.reached[-_SHOWN:]
        ]
        parts.append(table(("reached", "after", "execs", "input"), rows, right="after, execs"))
    if event.remaining:
        names = ("remaining", "distance", "stopped in", "nearest input", "turns")
        cells = [_cells(call) for call in event.remaining[:_SHOWN]]
        parts.append(table(names, cells, right="distance, turns"))
    hidden = max(remaining - _SHOWN, 0)
    if hidden:
        parts.append(f"and {number(hidden)} more, farther away")
    return "\n".join(parts)


def toward_part(goals: int, nearest: int | None) -> str:
    """The same in a few words, for a line of status."""
    if not goals:
        return "toward: all reached"
    return f"toward: {number(goals)} left" + ("" if nearest is None else f", nearest {nearest}")


def _cells(call: RemainingCall) -> tuple[str, ...]:
    away = "-" if call.distance is None else number(call.distance)
    where = call.function or "no input is on a known way"
    return call.name, away, where, call.input_hash, number(call.turns)
