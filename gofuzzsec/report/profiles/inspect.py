"""What a profile or a BPF program does, call by call, as text and as JSON objects."""

from __future__ import annotations

from collections.abc import Iterator

from gofuzzsec.report.jsonl import Fields
from gofuzzsec.report.profiles.verdicts import test_words, verdict_words
from gofuzzsec.report.tables import table
from gofuzzsec.report.text import clean, plural, wrap_names
from gofuzzsec.seccomp.decision import Access, Decision, Verdict
from gofuzzsec.seccomp.regions import Effort
from gofuzzsec.seccomp.sides import Side

_CASES = 12
"""Cases of one call that the text shows; JSON has all, up to `_MOST`."""
_MOST = 256


def inspect_text(side: Side, what: str, arch: str) -> str:
    """Calls by what happens to them; those whose arguments decide, with the tests in the order in
    which they are tried. Raises ProfileError when they are too entangled."""
    access = _access(side)
    default = side.effect.default.verdict(())
    pairs = [f"{clean(what)} on {arch}; calls that are not known here: {verdict_words(default)}"]
    plain: dict[Verdict, list[str]] = {}
    rows = []
    for name, decision in side.effect.calls.items():
        if decision.cases:
            rows += list(_rows(name, access[name], decision, arch))
        else:
            plain.setdefault(decision.otherwise, []).append(name)
    for verdict, names in sorted(plain.items(), key=lambda item: verdict_words(item[0])):
        pairs.append(f"{plural(len(names), 'call')} {verdict_words(verdict)}:\n{wrap_names(names)}")
    if rows:
        pairs.append(table(("call", "let through", "if", "then"), rows))
    gates = [f"  {gate}: {verdict_words(verdict)}" for gate, verdict in side.gates.items()]
    pairs.append("\n".join(["calls by other gates (getpid tried):", *gates]))
    return "\n\n".join(pairs)


def _access(side: Side) -> dict[str, Access]:
    effort = Effort()
    return {name: decision.access(effort) for name, decision in side.effect.calls.items()}


def _rows(name: str, access: Access, decision: Decision, arch: str) -> Iterator[tuple[str, ...]]:
    first: tuple[str, str] = (name, access)
    for tests, verdict in decision.cases[:_CASES]:
        words = ", ".join(test_words(name, test, arch) for test in tests)
        yield *first, words, verdict_words(verdict)
        first = ("", "")
    more = len(decision.cases) - _CASES
    if more > 0:
        yield "", "", f"and {plural(more, 'case')} more", ""
    yield "", "", "else", verdict_words(decision.otherwise)


def inspect_fields(side: Side, arch: str) -> Iterator[Fields]:
    """JSON objects: ``call_effect`` for every call, ``gate`` for every other way in, and
    ``unknown_calls``. Raises ProfileError when arguments are too entangled."""
    access = _access(side)
    for name, decision in side.effect.calls.items():
        yield {
            "event": "call_effect",
            "arch": arch,
            "call": name,
            "access": access[name],
            "cases": [
                {
                    "tests": [
                        {"arg": t.arg, "mask": t.mask, "op": t.op.value, "value": t.value}
                        for t in tests
                    ],
                    "then": _plain(verdict),
                }
                for tests, verdict in decision.cases[:_MOST]
            ],
            "more_cases": max(0, len(decision.cases) - _MOST),
            "otherwise": _plain(decision.otherwise),
        }
    for gate, verdict in side.gates.items():
        yield {"event": "gate", "arch": arch, "gate": gate, "then": _plain(verdict)}
    default = side.effect.default.verdict(())
    yield {"event": "unknown_calls", "arch": arch, "then": _plain(default)}


def _plain(verdict: Verdict) -> Fields:
    return {"action": verdict.action.value, "errno": verdict.errno}
