"""What the kernel's half counts, as values."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gofuzzsec.binary.probes import ProbePoints
    from gofuzzsec.binary.program import GoProgram
    from gofuzzsec.syscalls.bpf.cgo import CPoints


class Mode(StrEnum):
    """What is inside a window.

    PROCESS: everything that the process and its children do. INPUTS: what a fuzz worker does
    between the request that it reads from descriptor 3 and its reply on descriptor 4: the goroutine
    that read, those it starts, the processes these start. FUNCTIONS: window *i* is what happens
    while a goroutine executes function *i*, likewise; what is in no window is not counted.
    """

    PROCESS = "process"
    INPUTS = "inputs"
    FUNCTIONS = "functions"


class Ending(StrEnum):
    """How a call ended. REFUSED: EPERM, EACCES or ENOSYS. BEGUN: it did not come back.
    INTERRUPTED: a signal came; the kernel makes the call again by itself, or returns EINTR."""

    BEGUN = "begun"
    OK = "ok"
    REFUSED = "refused"
    FAILED = "failed"
    INTERRUPTED = "interrupted"


class Where(StrEnum):
    """What made a call. SCHEDULER: the Go runtime, on a stack of its own. C: code called through
    cgo. CHILD: a process that the program started, or what it executed in its own place; every
    process where no Go program is followed. STARTUP: before the program began, or, in a fuzz
    worker, before its first input. OUTSIDE: a goroutine that is in no window (INPUTS)."""

    GOROUTINE = "goroutine"
    SCHEDULER = "scheduler"
    C = "c"
    CHILD = "child"
    STARTUP = "startup"
    OUTSIDE = "outside"


ENDINGS = tuple(Ending)
PLACES = tuple(Where)
"""By the numbers that recorder.c gives them."""


@dataclass(frozen=True, slots=True)
class KernelCall:
    """Calls that are alike in everything but their time.

    ``kind`` is the class number of `classes`, ``values`` the word of `arguments.pack`, None where
    the call has none or too many different ones came. ``windows`` is a bit mask, 0 outside of all;
    ``process`` is an index into `Following.processes`. ``compat``: the number is one of another
    table (32-bit or x32). ``addresses`` is the user's stack, innermost first, as linked; 0 for
    code outside the program (libraries, the vDSO); empty for processes that run other programs,
    and where ``stack_lost``. All are return addresses. At most 127: deeper stacks are cut.
    ``caller`` is the return address that the stack pointer points at, 0 if that is none: where the
    innermost function has no frame, it is that function's caller, which ``addresses`` lacks.
    """

    number: int
    kind: int
    ending: Ending
    place: Where
    windows: int
    process: int
    compat: bool
    addresses: tuple[int, ...]
    caller: int
    stack_lost: bool
    count: int
    values: int | None = None


@dataclass(frozen=True, slots=True)
class TracedTask:
    """Processes that look the same. ``name`` is the kernel's (at most 15 bytes of the program's),
    ``parent`` an index like that of `KernelCall.process`, None for a process that was claimed or
    whose parent made no call. ``own``: it runs the followed program; ``base`` is where that was
    loaded last, 0 unless position-independent. ``child`` as in `Where.CHILD`."""

    name: str
    parent: int | None
    own: bool
    child: bool
    base: int


@dataclass(frozen=True, slots=True)
class TracedProgram:
    """A program to follow, as uprobes need it. ``probes`` is None for one that is not Go's: then
    every process is `Where.CHILD`. ``c_points`` is there when the program may call C."""

    path: Path
    probes: ProbePoints | None
    c_points: CPoints | None = None

    @classmethod
    def of(cls, program: GoProgram) -> TracedProgram:
        """*program* with all that can be known of it. Raises BinaryError that names what is
        missing."""
        from gofuzzsec.binary.probes import probe_points
        from gofuzzsec.syscalls.bpf.cgo import c_points

        return cls(program.path, probe_points(program), c_points(program))
