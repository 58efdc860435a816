"""The static upper bound of a program as text and as JSON lines."""

from __future__ import annotations

from dataclasses import asdict

from gofuzzsec.report.jsonl import Fields
from gofuzzsec.report.tables import table
from gofuzzsec.report.text import clean, number, plural
from gofuzzsec.syscalls.bound import Bound, Opening, Place, PossibleCall

_MOST_LISTED = 20
"""Places, or names of C functions, that are listed one by one; JSON has all."""
_KINDS = {
    "c-library": "the C library makes calls of its own",
    "cgo": "C code is followed as far as its machine code tells",
    "loader": "the dynamic loader runs before the program",
    "plugin": "code that is loaded while the program runs is not in the bound",
    "legacy": "calls by the numbers of 32-bit programs have other names",
    "exec": "other programs are run, and their calls are not in the bound",
}


def bound_text(bound: Bound, program: str) -> str:
    """The headline, every doubt about the bound, and a table of the calls."""
    rows = [(call.name, number(len(call.sites)), _place(call.sites[0])) for call in bound.calls]
    blocks = [headline(bound, program), doubts(bound)]
    blocks.append(table(("call", "places", "first made by"), rows, "places"))
    return "\n\n".join(block for block in blocks if block)


def headline(bound: Bound, program: str) -> str:
    """One line: how many calls, of what, from where."""
    least = "at least " if bound.is_open else ""
    return clean(
        f"{program}: {least}{plural(len(bound.calls), 'system call')} possible from "
        f"{', '.join(bound.roots)} ({bound.go_version}, {bound.arch}; {number(bound.reached)} of "
        f"{number(bound.functions)} functions reachable)"
    )


def doubts(bound: Bound) -> str:
    """Why the bound is open, and what it assumes; "" for a bound without doubts."""
    lines = []
    if bound.unknown:
        lines.append(
            f"OPEN: any system call is possible: {plural(len(bound.unknown), 'place')} with a "
            "number that cannot be told"
        )
        shown = bound.unknown[:_MOST_LISTED]
        lines += [f"  {unknown.place}: {unknown.why}" for unknown in shown]
        lines += _rest(len(bound.unknown))
    for kind in dict.fromkeys(opening.kind for opening in bound.opens):
        same = [opening for opening in bound.opens if opening.kind == kind]
        lines.append(f"{'note' if kind == 'exec' else 'OPEN'}: {_KINDS.get(kind, kind)}")
        lines += _what(kind, same)
    lines += [f"assumed: {text}" for text in bound.assumes]
    return "\n".join(clean(line) for line in lines)


def _what(kind: str, openings: list[Opening]) -> list[str]:
    if kind in ("exec", "cgo", "plugin"):
        return []
    names = [opening.what for opening in openings]
    shown = f"  {', '.join(names[:_MOST_LISTED])}"
    return [shown, *_rest(len(names))]


def _rest(count: int) -> list[str]:
    return [f"  … and {number(count - _MOST_LISTED)} more"] if count > _MOST_LISTED else []


def _place(place: Place) -> str:
    return f"{place.function} ({place.file}:{place.line})" if place.file else place.function


def why_text(bound: Bound, name: str) -> str:
    """The shortest way to the call *name* and all places that make it. Raises UsageError."""
    call = bound.call(name)
    lines = [f"{call.name} (number {call.number}), by the shortest way:"]
    lines += [f"  {'  ' * depth}{step}" for depth, step in enumerate(call.path)]
    lines += ["", f"made in {plural(len(call.sites), 'place')}:"]
    lines += [f"  {_place(place)}" for place in call.sites[:_MOST_LISTED]]
    lines += _rest(len(call.sites))
    return "\n".join(_clean_indented(line) for line in lines)


def _clean_indented(line: str) -> str:
    return " " * (len(line) - len(line.lstrip(" "))) + clean(line.lstrip(" "))


def bound_fields(bound: Bound, program: str) -> list[Fields]:
    """JSON objects: ``bound`` once, then ``possible``, ``unknown`` and ``opening`` ones."""
    head: Fields = {
        "event": "bound",
        "program": program,
        "arch": bound.arch,
        "go": bound.go_version,
        "roots": list(bound.roots),
        "open": bound.is_open,
        "assumes": list(bound.assumes),
        "reached": bound.reached,
        "functions": bound.functions,
    }
    return [
        head,
        *(call_fields(call) for call in bound.calls),
        *({"event": "unknown"} | asdict(unknown) for unknown in bound.unknown),
        *({"event": "opening"} | asdict(opening) for opening in bound.opens),
    ]


def call_fields(call: PossibleCall) -> Fields:
    """One call as a JSON object."""
    return {"event": "possible"} | asdict(call)
