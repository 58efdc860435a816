"""Reading strace's output for calls that a profile does not let through.

Traced are only calls that the profile does not always let through, with their stacks, plus execve
and seccomp, by which the filter's beginning is known: what the launcher does before it (see
`seccomp.install`) is not the program's. Arguments are raw registers, as the filter sees them.

Whether the kernel refused a call shows in its result: the profile's errno; for KILL and TRAP none,
or the number of the call itself, which is what the register held that no result was put in.
"""

from __future__ import annotations

import errno
from collections.abc import Callable
from dataclasses import replace

from gofuzzsec.coordinator.verifying.judge import Judge
from gofuzzsec.coordinator.verifying.model import Refusal
from gofuzzsec.coordinator.verifying.refusals import Refusals
from gofuzzsec.seccomp.effect import Verdict
from gofuzzsec.seccomp.model import Action
from gofuzzsec.syscalls import table
from gofuzzsec.syscalls.attribution import StackFrame, attribute
from gofuzzsec.syscalls.model import Origin
from gofuzzsec.syscalls.trace import Call, Frame, Resumed, parse_line, unknown_number

ALWAYS_TRACED = frozenset({"execve", "execveat", "seccomp"})
_UNANSWERED = frozenset({Action.TRACE, Action.NOTIFY})  # ENOSYS where nobody listens

Frames = Callable[[Frame], tuple[StackFrame, ...]]


class RefusalReader:
    """Turns lines of one process's trace into refusals. Owned by one thread at a time."""

    def __init__(
        self, judge: Judge, binary: str, frames: Frames, *, filtered: bool, test_binary: bool
    ) -> None:
        """*binary* is the program's path as /proc has it; *filtered* says that a launcher installs
        a filter first, up to which nothing counts."""
        self._judge = judge
        self._binary = binary
        self._frames = frames
        self._test_binary = test_binary
        self.armed = not filtered
        """Whether what comes is the program's."""
        self.lines = 0
        self._begun: dict[int, Call] = {}
        self._call: Call | None = None  # ended last, its stack may follow
        self._stack: list[Frame] = []
        self._found = Refusals()

    def line(self, text: str) -> None:
        """Take in one line of the trace."""
        self.lines += 1
        parsed = parse_line(text, self._binary)
        if isinstance(parsed, Frame):
            if self._call is not None:
                self._stack.append(parsed)
            return
        self._settle()
        if isinstance(parsed, Call):
            if parsed.finished:
                self._ended(parsed)
            else:
                self._begun[parsed.tid] = parsed
        elif isinstance(parsed, Resumed):
            begun = self._begun.pop(parsed.tid, None)
            if begun is not None:
                self._ended(replace(begun, finished=True, result=parsed.result, error=parsed.error))

    def take(self, *, over: bool = False) -> list[Refusal]:
        """What was refused since the last time; with *over* also calls that never ended."""
        self._settle()
        while over and self._begun:
            self._ended(self._begun.popitem()[1])
            self._settle()
        return self._found.take()

    def _ended(self, call: Call) -> None:
        if not self.armed:
            self.armed = call.name == "seccomp" and call.result == 0
            return
        self._call, self._stack = call, []

    def _settle(self) -> None:
        """The call that ended last has all of its stack."""
        call, self._call = self._call, None
        if call is None:
            return
        name, arguments = _name(call, self._judge.arch), _arguments(call)
        verdict = self._judge.refuses(name, arguments, native=call.native)
        if verdict is not None:
            self._found.add(self._refusal(call, verdict))

    def _refusal(self, call: Call, verdict: Verdict) -> Refusal:
        stack = tuple(each for frame in self._stack for each in self._frames(frame))
        modules = [frame.module for frame in self._stack]
        program = modules[-1] if modules and self._binary not in modules else ""
        return Refusal(
            name=_name(call, self._judge.arch) or call.name,
            args=_arguments(call),
            verdict=verdict,
            origin=Origin.TARGET if program else self._origin(stack),
            path=tuple(str(frame) for frame in stack if frame.function),
            program=program,
            enforced=_answered(call, verdict, self._judge.arch),
        )

    def _origin(self, stack: tuple[StackFrame, ...]) -> Origin:
        return attribute(stack, test_binary=self._test_binary) if stack else Origin.UNKNOWN


def _name(call: Call, arch: str) -> str:
    """The name as the kernel's table has it; "" for a number that is no call."""
    number = unknown_number(call.name)
    if number is not None:
        return table.name(number, arch) or ""
    return call.name


def _arguments(call: Call) -> tuple[int, ...]:
    try:
        return tuple(int(part, 0) for part in call.arguments.split(", ") if part)
    except ValueError:
        return ()


def _answered(call: Call, verdict: Verdict, arch: str) -> bool:
    """Whether the result is the one that *verdict* gives."""
    if verdict.action is Action.ERRNO:
        return call.error == errno.errorcode.get(verdict.errno or 0, "")
    if verdict.action in _UNANSWERED:
        return call.error == "ENOSYS"
    number = unknown_number(call.name)
    return call.result in (None, table.number(call.name, arch) if number is None else number)
