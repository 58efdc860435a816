"""Telling crashes apart: what went wrong, in one line, and a key that is equal for equal bugs.

Two crashes are the same when kind, normalised message and the innermost functions of the
blamed goroutine are. Numbers, addresses and quoted text in a message depend on the input, so they
are masked; frames of the runtime and of `testing` are the same for all bugs, so they are skipped.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass

from gofuzzsec.worker import Outcome, Verdict

_FRAMES_IN_KEY = 5  # go-fuzz and AFL's tools use 3 to 8; deeper frames split one bug into many
_MAX_TEXT = 128 << 10

_MASKS = (
    (re.compile(r'"(?:[^"\\\n]|\\.){0,4096}"'), '"…"'),
    (re.compile(r"'(?:[^'\\\n]|\\.){1,16}'"), "'…'"),
    (re.compile(r"\b0[xX][0-9a-fA-F]+\b"), "#"),
    (re.compile(r"\b(?=\d*[a-fA-F])(?=[a-fA-F]*\d)[0-9a-fA-F]{8,4096}\b"), "#"),
    (re.compile(r"-?\d+(?:\.\d+)?"), "#"),
)
_RECOVERED = re.compile(r" \[recovered[^\]]*\]$")
_RECOVERED_PANIC = re.compile(r"^\s+testing\.go:\d+: (?P<text>panic: .*)$", re.MULTILINE)
_PLUMBING = ("runtime.", "runtime/", "testing.", "reflect.", "internal/fuzz.", "internal/runtime")
_GOROUTINE = re.compile(r"^goroutine \d+ .*\[(?P<state>[^\]]*)\]:$", re.MULTILINE)
_LOG_LINE = re.compile(r"^\s+(?P<where>[\w.\-]+\.go:\d+): (?P<text>.*)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Blame:
    """``kind`` is crash, fail, hang or oom; ``key`` hex digits; ``summary`` one line of text."""

    kind: str
    key: str
    summary: str


def blame(outcome: Outcome) -> Blame:
    """What to hold against the input of *outcome* (a verdict in ``protocol.BLAMES_INPUT``)."""
    text = outcome.message[:_MAX_TEXT]
    kind = outcome.verdict.value
    recovered = _RECOVERED_PANIC.search(text) if outcome.verdict is Verdict.FAIL else None
    if recovered is not None:
        # While fuzzing, `testing` recovers a panic of the fuzz function and reports it as failure.
        kind = Verdict.CRASH.value
        summary, places = recovered["text"], frames(_stack_after(text, recovered.end()))
    elif outcome.verdict is Verdict.FAIL:
        summary, places = _of_failure(text)
    else:
        summary, places = _of_death(text, outcome.verdict)
    if outcome.verdict is Verdict.HANG:
        # Where a hung goroutine was caught varies; its outer frames do not.
        material = [kind, *places[-_FRAMES_IN_KEY:]]
    elif outcome.verdict is Verdict.OOM:
        material = [kind, *places[:2]]
    else:
        material = [kind, mask(summary), *places[:_FRAMES_IN_KEY]]
    digest = hashlib.sha256("\n".join(material).encode()).hexdigest()
    return Blame(kind, digest[:16], summary[:300])


def mask(message: str) -> str:
    """*message* with what depends on the input replaced."""
    for pattern, replacement in _MASKS:
        message = pattern.sub(replacement, message)
    return message


def frames(stack: str) -> list[str]:
    """Function names of one goroutine's stack as Go prints it, innermost first, plumbing left
    out."""
    names = []
    for line in stack.splitlines():
        if line.endswith(")") and not line.startswith(("\t", " ", "(")):
            name = line.rpartition("(")[0]
            if name and name != "panic" and not name.startswith(_PLUMBING):
                names.append(name)
    return names


def _of_failure(text: str) -> tuple[str, list[str]]:
    """Summary and places of a failed test: its first log line and where that was written."""
    found = list(_LOG_LINE.finditer(text))
    if not found:
        first = next((line.strip() for line in text.splitlines() if line.strip()), "test failed")
        return first, []
    # The last log line is the one that ended the test.
    last = found[-1]
    return f"{last['where']}: {last['text']}", [last["where"]]


def _stack_after(text: str, start: int) -> str:
    """The stack that follows a log line, without the log's indentation."""
    return "\n".join(line.removeprefix("        ") for line in text[start:].splitlines())


def _of_death(text: str, verdict: Verdict) -> tuple[str, list[str]]:
    goroutine = _blamed_goroutine(text, hung=verdict is Verdict.HANG)
    places = frames(goroutine)
    if verdict is Verdict.HANG:
        return f"hang in {places[0] if places else 'unknown code'}", places
    for marker in ("panic: ", "fatal error: ", "runtime: ", "WARNING: DATA RACE", "SIG"):
        start = text.find(marker)
        if start >= 0 and (start == 0 or text[start - 1] == "\n"):
            line = text[start:].split("\n", 1)[0]
            return _RECOVERED.sub("", line), places
    first = next((line.strip() for line in text.splitlines() if line.strip()), "process ended")
    return first, places


def _blamed_goroutine(text: str, *, hung: bool) -> str:
    """The stack of the goroutine that panicked, or of the one that ran the fuzz function."""
    heads = list(_GOROUTINE.finditer(text))
    stacks = []
    for index, head in enumerate(heads):
        end = heads[index + 1].start() if index + 1 < len(heads) else len(text)
        stacks.append(text[head.end() : end])
    if hung:
        for stack in stacks:
            stock = "testing.tRunner(" in stack and "testing.(*F).Fuzz.func" in stack
            if stock or "testing.(*agentRunner).once(" in stack:
                return stack
    return stacks[0] if stacks else text
