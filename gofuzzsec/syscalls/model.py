"""What every recorder reports: system calls with who made them and how sure that is."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol


class Origin(StrEnum):
    """Who made a call, as far as the backend can tell; never a guess.

    TARGET: code under test is on the call stack (or the process is a child of the target).
    RUNTIME: the Go runtime made it for itself (garbage collector, scheduler, netpoller, start-up),
    also where the code under test is further out on the stack.
    HARNESS: `testing` or `internal/fuzz` made it for themselves.
    UNKNOWN: the backend saw the call and could not tell.
    """

    TARGET = "target"
    RUNTIME = "runtime"
    HARNESS = "harness"
    UNKNOWN = "unknown"


class CallOutcome(StrEnum):
    """How a call ended, which tells "used" from "tried and refused".

    REFUSED: EPERM, EACCES or ENOSYS. FAILED: another errno, or one the backend does not tell
    apart. BEGUN: it did not come back (execve, exit_group, a call under way when the recording
    ended), or a signal interrupted it, and nothing else shows a call of that name and kind.
    UNTOLD: the backend does not say.
    """

    OK = "ok"
    REFUSED = "refused"
    FAILED = "failed"
    BEGUN = "begun"
    UNTOLD = "untold"


UseForm = tuple[str, str, CallOutcome, Origin]
"""What says whether two runs did the same: name, kind, outcome, origin."""

UseKey = tuple[str, str, CallOutcome, tuple[int, ...], Origin]
"""By what uses differ: name, kind, outcome, args, origin."""


@dataclass(frozen=True, slots=True)
class SyscallUse:
    """One system call of one input or process, as one recorder saw it.

    ``count`` is calls seen (of the run that saw most); ``stable`` is False when only one of the
    two runs of the input saw it. ``stack`` is that of the first occurrence, innermost first, one
    string a frame: "function file:line", or "function" where the line is not known (no function
    name holds a space: type arguments are written ``[...]``); empty where the backend gives none,
    or where earlier stacks settle the origin. ``kind`` is the class of the arguments (`classes`),
    "" for a call without classes or where the backend does not say. ``args`` are the values of the
    deciding arguments (`arguments.DECIDING`, in that order, unsigned); () means that they are not
    told: the call has none, the backend cannot say, or there were too many different ones. They
    take no part in whether a call is stable.
    """

    name: str
    origin: Origin
    count: int
    stable: bool = True
    stack: tuple[str, ...] = ()
    kind: str = ""
    outcome: CallOutcome = CallOutcome.UNTOLD
    args: tuple[int, ...] = ()

    @property
    def key(self) -> UseKey:
        """By what it differs from other uses, in the order in which uses are sorted."""
        return self.name, self.kind, self.outcome, self.args, self.origin

    @property
    def form(self) -> UseForm:
        """What it says but for its values."""
        return self.name, self.kind, self.outcome, self.origin


@dataclass(frozen=True, slots=True)
class Recording:
    """All calls of one input (or one whole process), and whether anything may be missing.

    ``complete`` is False when the trace could not be read to its end (worker died, tracer
    killed); ``problem`` then says what happened.
    """

    uses: tuple[SyscallUse, ...]
    complete: bool = True
    problem: str = ""

    def behaviour(self) -> frozenset[str]:
        """Names of the stable calls that are the target's, or may be."""
        return frozenset(
            use.name
            for use in self.uses
            if use.stable and use.origin in (Origin.TARGET, Origin.UNKNOWN)
        )


class Recorder(Protocol):
    """Records what one input does. Not thread-safe: one owner, `close` ends its processes."""

    name: str

    def record(self, data: bytes) -> Recording:
        """Run *data* (a marshalled corpus file) and report its system calls."""
        ...

    def close(self) -> None:
        """End every process the recorder started."""
        ...
