"""What a verification found, as text and as JSON objects."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

from gofuzzsec.coordinator.verifying.model import Finding, Judgement, Refusal, Subject, Verified
from gofuzzsec.coordinator.verifying.refusals import united
from gofuzzsec.report.jsonl import Fields
from gofuzzsec.report.text import clean, number, plural
from gofuzzsec.seccomp.decision import Verdict
from gofuzzsec.seccomp.model import Action
from gofuzzsec.syscalls.attribution import is_stub, without_harness
from gofuzzsec.syscalls.model import Origin

_MOST_FINDINGS = 20  # printed of one kind and subject; JSON has all
_MOST_WAYS = 40  # refused calls by path, of one subject
_DEEPEST = 12  # frames printed of one path
_DULL = frozenset(
    f"syscall.{name}" for name in ("Syscall", "Syscall6", "RawSyscall", "RawSyscall6", "syscall")
)
_WHO = {
    Origin.TARGET: "the program",
    Origin.RUNTIME: "the Go runtime",
    Origin.HARNESS: "the test harness",
    Origin.UNKNOWN: "maker unknown",
}
_ORDER = (Judgement.FAILED, Judgement.DENIED, Judgement.BROKEN)
_HEADS = {
    Judgement.FAILED: "FAILED under the profile, passes without it",
    Judgement.DENIED: "passes all the same, but makes calls that the profile refuses",
    Judgement.BROKEN: "fails without the profile too (not the profile's doing)",
}
_AUDIT_HEADS = _HEADS | {Judgement.DENIED: "makes calls that the profile would refuse"}


def verdict_words(verdict: Verdict) -> str:
    """What a profile does with a call, in few words."""
    if verdict.action is Action.ERRNO:
        return f"errno {verdict.errno}"
    return verdict.action.value.removeprefix("SCMP_ACT_").lower().replace("_", " ")


def verified_text(verified: Verified) -> str:
    """The whole report, ending with the conclusion."""
    lines: list[str] = []
    for subject in verified.subjects:
        lines += [*_subject(subject, verified.audit), ""]
    calls = _calls(verified)
    if calls:
        word = "would be refused" if verified.audit else "refused"
        lines += [f"Calls {word}, by how many things need them:", *calls, ""]
    if verified.artefacts:
        lines.append(
            f"let through for recording only (the kernel's own): {', '.join(verified.artefacts)}"
        )
    if verified.steered:
        names = clean(", ".join(verified.steered))
        lines.append(f"answered as by a kernel without it (ENOSYS), which is no refusal: {names}")
    if verified.skipped:
        lines.append(f"no calls here, skipped: {clean(', '.join(verified.skipped))}")
    lines += [f"warning: {clean(warning)}" for warning in verified.warnings]
    lines += [f"NOT ALL MAY HAVE BEEN SEEN: {clean(doubt)}" for doubt in verified.doubts]
    return "\n".join([*lines, conclusion(verified)])


def conclusion(verified: Verified) -> str:
    """One or two lines: whether the profile holds, and what was not tried."""
    failed, denied = verified.count(Judgement.FAILED), verified.count(Judgement.DENIED)
    broken = verified.count(Judgement.BROKEN)
    ran = f"{number(verified.ran)} run by {verified.recorder}"
    if verified.audit:
        said = "WOULD REFUSE calls of" if denied else "would refuse nothing of"
        text = f"audit of {clean(verified.profile)}: it {said} what was run ({ran}, "
        text += f"{number(denied)} with such calls)"
    elif failed or denied:
        text = f"FAILED: {clean(verified.profile)} breaks {number(failed)} and refuses calls of "
        text += f"{number(denied)} more ({ran})"
    else:
        text = f"passed: {clean(verified.profile)} refuses nothing of what was run ({ran})"
    if broken:
        text += f"; {number(broken)} fail without it too"
    if verified.left or verified.interrupted:
        why = "interrupted" if verified.interrupted else "out of time"
        text += f"\nNOT ALL VERIFIED: {why}, {number(verified.left)} were not run"
        text += " under the profile" if not verified.audit else ""
    return text


def _subject(subject: Subject, audit: bool) -> Iterator[str]:
    yield f"{clean(subject.label)}: {_ran(subject)}"
    heads = _AUDIT_HEADS if audit else _HEADS
    for judgement in _ORDER:
        found = [each for each in subject.findings if each.judgement is judgement]
        if found:
            yield f"  {heads[judgement]}: {number(len(found))}"
        for finding in found[:_MOST_FINDINGS]:
            yield from _finding(finding)
        if len(found) > _MOST_FINDINGS:
            yield f"    and {number(len(found) - _MOST_FINDINGS)} more (--json has all)"
    harness = frozenset(name for name, _ in subject.harness)
    ways = _ways(subject)
    for way, findings in ways[:_MOST_WAYS]:
        yield from _way(way, findings, "" if audit else _not_enforced(way, harness))
    if len(ways) > _MOST_WAYS:
        yield f"  and {plural(len(ways) - _MOST_WAYS, 'more path')} (--json has all)"
    if subject.harness:
        yield "  let through for the test harness only:"
        for name, path in subject.harness:
            frame = next(filter(_is_harness, path), "by the campaign's evidence")
            yield f"    {name}  {clean(frame)}"


def _ran(subject: Subject) -> str:
    noun = {"inputs": "input", "tests": "test"}.get(subject.what, "command")
    text = f"{number(subject.passed)} of {plural(subject.ran, noun)} with nothing to tell"
    if subject.ran < subject.total:
        text += f", {number(subject.total - subject.ran)} NOT RUN"
    return text


def _finding(finding: Finding) -> Iterator[str]:
    names = ", ".join(dict.fromkeys(refusal.name for refusal in finding.refusals))
    yield f"    {clean(finding.label)}" + (f"  {clean(names)}" if names else "")
    if finding.judgement is not Judgement.DENIED:
        if finding.without:
            yield f"      without: {clean(finding.without, 200)}"
        if finding.under and finding.judgement is Judgement.FAILED:
            yield f"      under:   {clean(finding.under, 200)}"
        for number, command in enumerate(finding.rerun):
            yield f"      {'' if number else 'again:':<8} $ {clean(command)}"


_Ways = list[tuple[Refusal, list[Finding]]]


def _ways(subject: Subject) -> _Ways:
    """Each refused call by each path, with the findings that show it; the most frequent first."""
    found: dict[Refusal, tuple[Refusal, list[Finding]]] = {}
    for finding in subject.findings:
        for refusal in finding.refusals:
            key = replace(refusal, args=(), goroutine=None, count=1, enforced=False)
            first, findings = found.setdefault(key, (refusal, []))
            findings.append(finding)
            if refusal.enforced and not first.enforced:
                found[key] = (refusal, findings)
    return sorted(found.values(), key=lambda way: (-len(way[1]), way[0].name, way[0].path))


def _way(refusal: Refusal, findings: list[Finding], doubt: str) -> Iterator[str]:
    told = [value for index, value in enumerate(refusal.args) if any(refusal.args[index:])]
    arguments = ", ".join(f"{value:#x}" for value in told)
    text = f"  {clean(refusal.name)}({arguments}): {verdict_words(refusal.verdict)}; "
    yield f"{text}{_who(refusal)}; {_by(findings)}{doubt}"
    path = [frame for frame in without_harness(refusal.path) if not _dull(frame)]
    for frame in path[:_DEEPEST]:
        yield f"      {clean(frame)}"
    if len(path) > _DEEPEST:
        yield f"      … {plural(len(path) - _DEEPEST, 'more frame')}"


def _by(findings: list[Finding]) -> str:
    first = clean(findings[0].label)
    return f"by {first}" if len(findings) == 1 else f"by {first} and {len(findings) - 1} more"


def _not_enforced(refusal: Refusal, harness: frozenset[str]) -> str:
    if refusal.enforced:
        return ""
    if refusal.name in harness:
        return " (let through because the harness needs it too)"
    return " (seen in the run without the profile)"


def _is_harness(frame: str) -> bool:
    return frame.startswith(("testing", "internal/fuzz", "runtime/coverage", "main.main"))


def _dull(frame: str) -> bool:
    """Frames that every path begins with."""
    function = frame.partition(" ")[0]
    return is_stub(function) or function in _DULL


def _who(refusal: Refusal) -> str:
    who = _WHO[refusal.origin]
    if refusal.program:
        who = f"started process {clean(refusal.program)}"
    if refusal.goroutine is not None:
        return f"{who}, goroutine {refusal.goroutine}"
    return who


def _calls(verified: Verified) -> list[str]:
    counted = Counter(
        name
        for subject in verified.subjects
        for finding in subject.findings
        for name in {refusal.name for refusal in finding.refusals}
    )
    width = max(map(len, counted), default=0)
    ordered = sorted(counted.items(), key=lambda pair: (-pair[1], pair[0]))
    return [f"  {clean(name):<{width}}  {number(count)}" for name, count in ordered]


def verified_objects(verified: Verified) -> Iterator[Fields]:
    """One object for each subject and finding, then the conclusion."""
    for subject in verified.subjects:
        yield {
            "event": "subject",
            "subject": subject.label,
            "what": subject.what,
            "ran": subject.ran,
            "total": subject.total,
            "passed": subject.passed,
            "harness": [{"name": name, "path": list(path)} for name, path in subject.harness],
        }
        for finding in subject.findings:
            yield {
                "event": "finding",
                "subject": subject.label,
                "label": finding.label,
                "judgement": finding.judgement.value,
                "without": finding.without,
                "under": finding.under,
                "rerun": list(finding.rerun),
                "refusals": [_refusal_fields(each) for each in united(finding.refusals)],
            }
    yield {
        "event": "verified",
        "profile": verified.profile,
        "arch": verified.arch,
        "audit": verified.audit,
        "recorder": verified.recorder,
        "ran": verified.ran,
        "left": verified.left,
        "interrupted": verified.interrupted,
        **{judgement.value: verified.count(judgement) for judgement in _ORDER},
        "artefacts": list(verified.artefacts),
        "steered": list(verified.steered),
        "skipped": list(verified.skipped),
        "warnings": list(verified.warnings),
        "doubts": list(verified.doubts),
    }


def _refusal_fields(refusal: Refusal) -> Fields:
    return {
        "name": refusal.name,
        "args": list(refusal.args),
        "action": refusal.verdict.action.value,
        "errno": refusal.verdict.errno,
        "origin": refusal.origin.value,
        "goroutine": refusal.goroutine,
        "program": refusal.program,
        "enforced": refusal.enforced,
        "count": refusal.count,
        "path": list(refusal.path),
    }
