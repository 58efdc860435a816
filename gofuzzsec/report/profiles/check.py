"""What a profile refuses of the evidence: for people, for programs, and as annotations of GitHub.

The workflow commands are those of GitHub's documentation ("Workflow commands for GitHub Actions"):
``::error file=…,line=…::message``, with what would end them escaped.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from gofuzzsec.coordinator.capturing.callpath import own_frame
from gofuzzsec.report.jsonl import Fields
from gofuzzsec.report.text import clean, number, plural
from gofuzzsec.seccomp.check import Finding, Trouble
from gofuzzsec.seccomp.decision import Verdict
from gofuzzsec.seccomp.model import Action
from gofuzzsec.store import TargetRow
from gofuzzsec.store.model import SyscallRow
from gofuzzsec.syscalls.arguments import words_of

_MOST_NEEDS = 12
"""Of one call, in text; JSON has all."""
_SOURCES = {
    "tests": "the hand-written tests",
    "integration": "an integration run",
    "seeds": "a seed",
    "fuzz": "an input that fuzzing found",
    "campaign": "the campaign's processes",
    "baseline": "the Go runtime",
}


@dataclass(frozen=True, slots=True)
class Line:
    """A place in the user's source: ``file`` relative to the repository where it is inside of it,
    "" and 0 where none is known."""

    function: str = ""
    file: str = ""
    number: int = 0

    def __str__(self) -> str:
        return f"{self.file}:{self.number} ({self.function})" if self.file else self.function


def code_line(target: TargetRow, row: SyscallRow, root: Path) -> Line:
    """The first frame of the user's module on the way to the call of *row*; *root* is the folder of
    the repository."""
    program = row.source == "integration"
    own = [target.module_path, *(["main"] if program else [])]
    frame = own_frame(row.stack, own, test_binary=not program)
    function, _, place = frame.partition(" ")
    file, _, line = place.rpartition(":")
    if not file or not line.isdecimal():
        return Line(function)
    return Line(function, _relative(file, target, root), int(line))


def _relative(file: str, target: TargetRow, root: Path) -> str:
    """*file*, which -trimpath may have made ``module/path/file.go``, from *root* on."""
    path = Path(file)
    if not path.is_absolute() and target.module_dir:
        inside = file.removeprefix(f"{target.module_path}/")
        path = Path(target.module_dir) / inside if inside != file else path
    return str(path.relative_to(root)) if path.is_relative_to(root) else str(path)


def check_text(troubles: Collection[Trouble], profile: str, arch: str, root: Path) -> str:
    """A paragraph for each refusal and each doubt, and a last line that sums up."""
    blocks = [_paragraph(trouble, arch, root) for trouble in troubles]
    refused = {each.name for each in troubles if each.finding is Finding.REFUSED}
    unsure = {each.name for each in troubles} - refused
    if not refused:
        last = f"{profile} allows everything that the evidence needs"
        last += f", as far as can be told: {plural(len(unsure), 'call')} in doubt" if unsure else ""
    else:
        last = f"{profile} REFUSES {plural(len(refused), 'call')} that the evidence needs"
        last += f", and perhaps {number(len(unsure))} more" if unsure else ""
    return "\n\n".join([*blocks, clean(last)])


def _paragraph(trouble: Trouble, arch: str, root: Path) -> str:
    lines = [f"{trouble.finding.upper()}: {_what(trouble, arch)}: {_answer(trouble.verdict)}"]
    needs = _needs(trouble, root)
    for line, who in needs[:_MOST_NEEDS]:
        lines.append(f"  needed by {who}")
        lines += [f"    from {line}"] if str(line) else []
    if len(needs) > _MOST_NEEDS:
        lines.append(f"  and by {number(len(needs) - _MOST_NEEDS)} more")
    if not trouble.evidence:
        lines.append(f"  needed by {trouble.reason}")
    if trouble.finding is Finding.UNSURE:
        lines.append(f"  {trouble.doubt}")
    return "\n".join(
        f"{line[: len(line) - len(line.lstrip())]}{clean(line.lstrip())}" for line in lines
    )


def _needs(trouble: Trouble, root: Path) -> list[tuple[Line, str]]:
    """Who needs the call, and from where: each once; a campaign's processes only where no kept
    input or other process shows it."""
    kept = [pair for pair in trouble.evidence if pair[1].source != "campaign"]
    found = [(code_line(*pair, root), _who(*pair)) for pair in kept or trouble.evidence]
    return list(dict.fromkeys(found))


def _what(trouble: Trouble, arch: str) -> str:
    values = f" ({words_of(trouble.name, trouble.values, arch)})" if trouble.values else ""
    return f"{trouble.name}{values}"


def _answer(verdict: Verdict) -> str:
    if verdict.errno is not None and verdict.action is Action.ERRNO:
        return f"the profile answers errno {verdict.errno}"
    return f"the profile answers {verdict.action.removeprefix('SCMP_ACT_')}"


def _who(target: TargetRow, row: SyscallRow) -> str:
    what = _SOURCES.get(row.source, row.source)
    which = row.first_input or row.label
    name = f" {which}" if which else ""
    maker = "" if row.origin == "target" else f", made by {row.origin}"
    return f"{what}{name} of {target.full_name}{maker}"


def check_github(troubles: Collection[Trouble], profile: str, arch: str, root: Path) -> str:
    """A workflow command for each call and line of code: errors, and warnings for doubts."""
    commands: dict[str, None] = {}
    for trouble in troubles:
        kind = "error" if trouble.finding is Finding.REFUSED else "warning"
        told: dict[Line, str] = {}
        for line, who in _needs(trouble, root) or [(Line(), trouble.reason)]:
            told.setdefault(line, who)
        for line, who in told.items():
            doubt = f" ({trouble.doubt})" if trouble.doubt else ""
            may = "may not allow" if trouble.doubt else "does not allow"
            message = clean(
                f"{_what(trouble, arch)} is needed{' here' if line.file else ''} by {who}, and "
                f"{profile} {may} it: {_answer(trouble.verdict)}{doubt}"
            )
            commands[f"::{kind} {_properties(line, trouble.name)}::{_data(message)}"] = None
    return "\n".join(commands)


def _properties(line: Line, call: str) -> str:
    found = {"title": f"seccomp: {call}"}
    if line.file:
        found = {"file": clean(line.file), "line": str(line.number)} | found
    return ",".join(f"{name}={_property(value)}" for name, value in found.items())


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


def trouble_fields(trouble: Trouble, arch: str, root: Path) -> Fields:
    """One trouble as a JSON object."""
    return {
        "event": "trouble",
        "finding": trouble.finding.value,
        "call": trouble.name,
        "values": list(trouble.values),
        "words": words_of(trouble.name, trouble.values, arch) if trouble.values else "",
        "action": trouble.verdict.action.value,
        "errno": trouble.verdict.errno,
        "witness": list(trouble.witness),
        "reason": trouble.reason,
        "doubt": trouble.doubt,
        "needed_by": [_need(target, row, root) for target, row in trouble.evidence],
    }


def _need(target: TargetRow, row: SyscallRow, root: Path) -> Fields:
    line = code_line(target, row, root)
    return {
        "target": target.full_name,
        "source": row.source,
        "origin": row.origin,
        "input": row.first_input,
        "label": row.label,
        "kind": row.kind,
        "outcome": row.outcome,
        "count": row.count,
        "function": line.function,
        "file": line.file,
        "line": line.number,
        "stack": list(row.stack),
    }
