"""Why a system call is allowed or not, as text and as JSON objects."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import asdict

from gofuzzsec.coordinator.capturing.callpath import own_frame
from gofuzzsec.report.jsonl import Fields
from gofuzzsec.report.text import clean, number, plural
from gofuzzsec.seccomp.explain import Explanation, Form, Sight, Step
from gofuzzsec.syscalls.arguments import words_of
from gofuzzsec.syscalls.attribution import without_harness
from gofuzzsec.syscalls.model import CallOutcome, Origin

_DEEPEST = 40
"""Frames printed of one stack."""
_MOST_FORMS = 12
_ACCESS = {
    "always": "the profile allows it",
    "some": "the profile allows it for some arguments",
    "never": "the profile refuses it",
}
_WORDS = {
    "tests": "hand-written tests",
    "integration": "integration run",
    "fuzz": "fuzzing",
    "campaign": "the campaign's processes",
    "baseline": "Go runtime baseline",
    "harness": "the harness",
}


def explanation_text(call: Explanation, arch: str, modules: Collection[str] = ()) -> str:
    """One call: its standing, who needed it and how to see that again, the way to it in the code,
    and the verdict. The first frame of one of *modules* is marked by an arrow."""
    standing = call.standing
    head = f"{standing.name}: {standing.standing.upper()}"
    if call.access is not None:
        head += f"; {_ACCESS[call.access]}"
    lines = [clean(head)]
    told = [each for each in call.sights if each.origin != Origin.HARNESS] or call.sights
    for sight in told:
        lines += _sight(sight, standing.name, arch, modules)
    lines += [f"  {clean(reason)}" for reason in call.besides]
    if call.path and not any(sight.stack for sight in call.sights):
        lines += _way(call)
    lines.append(f"  = {clean(call.verdict)}")
    return "\n".join(lines)


def _sight(sight: Sight, name: str, arch: str, modules: Collection[str]) -> list[str]:
    parts = [_WORDS.get(sight.source, sight.source)]
    if sight.source != "baseline":
        parts[0] += f" of {sight.target}"
    parts.append(f"made by {sight.origin}")
    parts.append(f"{number(sight.count)} seen" + _by(sight))
    if sight.first_input:
        parts.append(f"first by input {sight.first_input}")
    if sight.label:
        parts.append(f"first in {sight.label!r}")
    if sight.unstable:
        parts.append("in only one of an input's two runs")
    lines = [f"  {clean('; '.join(parts))}"]
    forms = [form for form in sight.forms if _tells(form)] or []
    lines += [f"    {clean(_form(form, name, arch))}" for form in forms[:_MOST_FORMS]]
    if len(forms) > _MOST_FORMS:
        lines.append(f"    … {plural(len(forms) - _MOST_FORMS, 'more form')}")
    lines += _stack(sight, modules)
    lines += [f"    $ {clean(command)}" for command in sight.again.commands]
    if sight.again.watch:
        lines.append(f"    to see {name} itself: {clean(sight.again.watch)}")
    if sight.again.note:
        lines.append(f"    ({clean(sight.again.note)})")
    return lines


def _by(sight: Sight) -> str:
    return f" by {plural(sight.inputs, 'kept input')}" if sight.inputs else ""


def _tells(form: Form) -> bool:
    plain = (CallOutcome.OK, CallOutcome.BEGUN, CallOutcome.UNTOLD)
    return bool(form.kind or form.args) or form.outcome not in plain


def _form(form: Form, name: str, arch: str) -> str:
    words = [f"({form.kind})" if form.kind else ""]
    words.append(words_of(name, form.args, arch) if form.args else "")
    words.append("" if form.outcome == CallOutcome.UNTOLD else form.outcome)
    return f"{' '.join(filter(None, words))}: {plural(form.count, 'call')}"


def first_own(sight: Sight, modules: Collection[str]) -> str:
    """The stack entry of the user's code that led to the call, "" for none."""
    program = sight.source == "integration"
    own = [*modules, "main"] if program else list(modules)
    return own_frame(sight.stack, own, test_binary=not program)


def _stack(sight: Sight, modules: Collection[str]) -> list[str]:
    shown, own = without_harness(sight.stack), first_own(sight, modules)
    lines = [f"    {'→' if own == frame else ' '} {clean(frame)}" for frame in shown[:_DEEPEST]]
    if len(shown) > _DEEPEST:
        lines.append(f"      … {plural(len(shown) - _DEEPEST, 'more frame')}")
    return lines


def _way(call: Explanation) -> list[str]:
    lines = ["  the shortest way to it in the code, and what kept inputs ran of each function:"]
    lines += [f"    {clean(step.function)}{_ran(step)}" for step in call.path]
    where = call.standing.where
    more = f" and {plural(len(where) - 1, 'more place')}" if len(where) > 1 else ""
    return [*lines, f"    made at {clean(where[0])}{more}"]


def _ran(step: Step) -> str:
    if step.covered is None:
        return ""
    return f"  [{step.covered} of {plural(step.counters, 'edge')}]"


def explanation_fields(call: Explanation) -> Fields:
    """One call as a JSON object."""
    standing = call.standing
    return {
        "event": "explanation",
        "call": standing.name,
        "standing": standing.standing.value,
        "reasons": list(standing.reasons),
        "access": call.access,
        "sights": [asdict(sight) for sight in call.sights],
        "besides": list(call.besides),
        "path": [asdict(step) for step in call.path],
        "where": list(standing.where),
        "verdict": call.verdict,
    }
