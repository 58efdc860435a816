"""From trace lines to counted calls: what happened in one input's bracket, or in a whole process.

A *sighting* is a call's name with the place it was made from, which the instruction pointer
tells without unwinding anything: an instruction inside the runtime is the runtime's own call; one
in Go's shared entry stub is somebody's deliberate call; one outside the binary is a C library's.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum

from gofuzzsec.syscalls import table
from gofuzzsec.syscalls.attribution import StackFrame, is_runtime, is_stub, package_of
from gofuzzsec.syscalls.lineage import Lineage
from gofuzzsec.syscalls.symbols import Symbols
from gofuzzsec.syscalls.threadstart import ThreadStarts
from gofuzzsec.syscalls.trace import Call, Frame, Gone, Line, Noise, Resumed, unknown_number

REQUESTS_FD, REPLIES_FD = 3, 4
_PROBLEM_LIMIT = 20
_STACK_LIMIT = 256


class Place(StrEnum):
    """Where the instruction that made a call is."""

    RUNTIME = "runtime"  # in the Go runtime: its own call, proved
    GO = "go"  # in Go's entry stub or package syscall: deliberate, somebody's
    FOREIGN = "foreign"  # in no Go code: a C library, for cgo or for the runtime
    CHILD = "child"  # in a child process of the traced one
    UNTOLD = "untold"  # the process or the address could not be told


OPEN_PLACES = frozenset({Place.GO, Place.FOREIGN, Place.UNTOLD})
"""Places that leave open who made the call; only a stack can tell."""


@dataclass(frozen=True, slots=True)
class Sighting:
    """A system call by name, and where it was made."""

    name: str
    place: Place


Stack = tuple[StackFrame, ...]


@dataclass(slots=True)
class Bracket:
    """Calls between two moments of a trace. ``stacks`` holds, for each sighting, how often each
    distinct attribution key came (see `Observer`); ``problems`` says what could not be read."""

    counts: dict[Sighting, int] = field(default_factory=dict)
    stacks: dict[Sighting, dict[str, tuple[int, Stack]]] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)

    def add(self, sighting: Sighting, times: int = 1) -> None:
        """Count *sighting*; a negative number takes it back."""
        count = self.counts.get(sighting, 0) + times
        if count > 0:
            self.counts[sighting] = count
        else:
            self.counts.pop(sighting, None)

    def add_stack(self, sighting: Sighting, key: str, stack: Stack) -> None:
        """Count a call with *stack*, keeping the first stack of each *key*."""
        by_key = self.stacks.setdefault(sighting, {})
        count, first = by_key.get(key, (0, stack))
        by_key[key] = (count + 1, first)

    def problem(self, text: str) -> None:
        """Note, once, something that makes the evidence incomplete."""
        if text not in self.problems and len(self.problems) < _PROBLEM_LIMIT:
            self.problems.append(text)


class Places:
    """Tells a call's place from its instruction pointer, for one run of one binary.

    ``base`` is what a position-independent binary is moved by, None while that is not known.
    """

    def __init__(self, symbols: Symbols) -> None:
        self._symbols = symbols
        self._known: dict[int, Place] = {}
        self.base: int | None = None if symbols.position_independent else 0

    def of(self, ip: int | None) -> Place:
        """The place of a call by the traced process itself."""
        if ip is None or self.base is None:
            return Place.UNTOLD
        place = self._known.get(ip)
        if place is None:
            place = _place_of(self._symbols.function_at(ip - self.base))
            if len(self._known) < 10_000:
                self._known[ip] = place
        return place

    def frame(self, frame: Frame, binary: str) -> StackFrame:
        """*frame* of a process that runs *binary*, with names for stripped binaries too."""
        if frame.module != binary:
            return StackFrame(frame.function or frame.module.rpartition("/")[2], go=False)
        function = frame.function or self._symbols.function_at_offset(frame.offset)
        return StackFrame(function, go=bool(package_of(function)))


def _place_of(function: str) -> Place:
    if not package_of(function):
        return Place.FOREIGN
    return Place.RUNTIME if is_runtime(function) and not is_stub(function) else Place.GO


class _Poller:
    """Knows the Go runtime's epoll descriptor, whose calls go through the shared stub.

    `runtime.netpollinit` makes it with epoll_create1, eventfd2 (until Go 1.21: the runtime's pipe2)
    and epoll_ctl in a row; a first epoll_create1 that is not followed so was somebody else's.
    """

    def __init__(self) -> None:
        self._fd: int | None = None
        self._tid = 0
        self._step = 0  # 1: after epoll_create1, 2: after eventfd2 or pipe2, 3: done

    def claims(self, call: Call) -> bool:
        """Whether *call* (from the stub) is the runtime's poller's own."""
        if self._step in (1, 2) and call.tid == self._tid:
            expected = ("eventfd2", "epoll_ctl")[self._step - 1]
            self._step = self._step + 1 if call.name == expected else 0
            return self._step > 0
        if call.name == "epoll_create1" and self._step == 0:
            self._tid, self._step = call.tid, 1
            return True
        if call.name in ("epoll_pwait", "epoll_wait"):
            return self._step == 3 and call.argument(0) == self._fd
        return False

    def piped(self, call: Call) -> None:
        """*call* is a pipe2 of the runtime's own."""
        if self._step == 1 and call.tid == self._tid:
            self._step = 2

    def failed(self, call: Call) -> bool:
        """Whether *call*, the next of its thread, shows that the epoll_create1 before it was not
        the runtime's after all."""
        return self._step == 1 and call.tid == self._tid and call.name != "eventfd2"

    def returned(self, call: Call, result: int | None) -> None:
        """*call* ended with *result*."""
        if call.name == "epoll_create1" and self._step == 1 and call.tid == self._tid:
            self._fd = result


class Observer:
    """Reads a trace line by line and keeps the calls of the current bracket.

    With *bracketed* the traced process is a fuzz worker: a bracket opens when its read of the
    request pipe returns data and closes when its write of the reply is done; calls outside
    brackets go to ``stray``. Otherwise one bracket, open from the start, holds everything.

    The first thread in the trace is the traced process: strace traces from its exec on.

    *key_of* reduces a stack to the key under which it is counted, so that memory does not grow
    with the number of calls.
    """

    def __init__(
        self,
        places: Places,
        binary: str,
        arch: str,
        *,
        bracketed: bool,
        key_of: Callable[[Stack], str] | None = None,
    ) -> None:
        self.current = Bracket()
        self.stray = Bracket()
        self.opened = 0 if bracketed else 1
        self.closed = 0
        self._bracketed = bracketed
        self._places = places
        self._binary = binary
        self._arch = arch
        self._key_of = key_of
        self._lineage = Lineage()
        self._poller = _Poller()
        self._starts: ThreadStarts[tuple[Sighting, Bracket]] = ThreadStarts(_credit_runtime)
        self._under_way: dict[int, tuple[Call, Sighting | None, Bracket]] = {}
        self._ended: tuple[Sighting, Bracket] | None = None
        self._frames: list[StackFrame] = []
        self._execs = 0
        self._go_began = False

    @property
    def started(self) -> bool:
        """True once the traced program's exec has succeeded."""
        return self._execs > 0

    @property
    def is_open(self) -> bool:
        """True inside a bracket."""
        return self.opened > self.closed

    def observe(self, line: Line) -> None:
        """Take in the next line of the trace."""
        if isinstance(line, Frame):
            if self._ended is not None and len(self._frames) < _STACK_LIMIT:
                self._frames.append(self._places.frame(line, self._binary))
            return
        self.flush()
        if isinstance(line, Call):
            self._enter(line)
        elif isinstance(line, Resumed):
            begun = self._under_way.pop(line.tid, None)
            if begun is not None:
                self._leave(begun[0], line.result, begun[1], begun[2])
        elif isinstance(line, Gone):
            self._thread_gone(line.tid)
        elif isinstance(line, Noise) and line.suspect:
            self._bracket().problem(f"expected a line of strace output, found {line.text[:80]!r}")

    def flush(self) -> None:
        """Count the stack read so far; to be called at the end of the trace too."""
        if self._ended is not None and self._frames and self._key_of is not None:
            sighting, bracket = self._ended
            stack = tuple(self._frames)
            bracket.add_stack(sighting, self._key_of(stack), stack)
        self._ended = None
        self._frames = []

    def take(self) -> Bracket:
        """The bracket that closed last (or the one that never will); it is forgotten here."""
        taken, self.current = self.current, Bracket()
        return taken

    def take_stray(self) -> Bracket:
        """Calls outside brackets since the last time, without those before the first bracket."""
        taken, self.stray = self.stray, Bracket()
        return taken

    def _bracket(self) -> Bracket:
        return self.current if self.is_open else self.stray

    def _enter(self, call: Call) -> None:
        self._lineage.entered(call)
        bracket = self._bracket()
        sighting = self._sighting(call, bracket)
        if sighting is not None and not self._is_protocol(call):
            bracket.add(sighting)
            self._note_start(call, sighting, bracket)
        if call.finished:
            self._leave(call, call.result, sighting, bracket)
        else:
            self._under_way[call.tid] = (call, sighting, bracket)

    def _leave(
        self, call: Call, result: int | None, sighting: Sighting | None, bracket: Bracket
    ) -> None:
        self._lineage.left(call.tid, result, self.opened)
        if result is not None and result > 0 and call.makes_thread():
            self._starts.born(call.tid, result)
        self._poller.returned(call, result)
        protocol = self._is_protocol(call)
        if sighting is not None and sighting.place in OPEN_PLACES and not protocol:
            self._ended = (sighting, bracket)
        process = self._lineage.process(call.tid, self.opened)
        if process is None or not process.own or result is None:
            return
        if call.name == "execve" and result == 0:
            self._execs += 1
        elif protocol and result > 0:
            self._protocol(call, result)

    def _note_start(self, call: Call, sighting: Sighting, bracket: Bracket) -> None:
        if sighting.place is Place.FOREIGN:
            self._starts.from_library(call.tid, call.name, (sighting, bracket))
        elif sighting.place in (Place.GO, Place.RUNTIME) and call.name != "rt_sigreturn":
            self._starts.from_go(call.tid, sighting.place is Place.RUNTIME)

    def _is_protocol(self, call: Call) -> bool:
        """Whether *call* is the worker reading a request or writing a reply."""
        if not self._bracketed or call.name not in ("read", "write"):
            return False
        process = self._lineage.process(call.tid, self.opened)
        wanted = REQUESTS_FD if call.name == "read" else REPLIES_FD
        return process is not None and process.own and call.argument(0) == wanted

    def _protocol(self, call: Call, result: int) -> None:
        if call.name == "read":
            if not self.is_open:
                self.opened += 1
                self.current = Bracket()
                if self.opened == 1:
                    self.stray = Bracket()  # the start-up of the process is nobody's input
        elif self.is_open and result == call.argument(2):  # the whole of what was left to write
            self.closed += 1

    def _sighting(self, call: Call, bracket: Bracket) -> Sighting | None:
        """What *call* counts as; None for what is not a call of the program."""
        name = self._checked_name(call, bracket)
        if name is None or name in table.KERNEL_ARTEFACTS:
            return None
        process = self._lineage.process(call.tid, self.opened)
        if process is None:
            return Sighting(name, Place.UNTOLD)
        if not process.own or self._execs > 1:
            if self._bracketed and process.born < self.opened:
                self.stray.add(Sighting(name, Place.CHILD))  # left behind by an earlier input
                return None
            return Sighting(name, Place.CHILD)
        # A signal's return is the handler's epilogue, and ends where the signal struck.
        place = Place.RUNTIME if name == "rt_sigreturn" else self._places.of(call.ip)
        self._go_began = self._go_began or place in (Place.GO, Place.RUNTIME)
        if not self._go_began:
            place = Place.RUNTIME  # the exec itself and the dynamic loader
        if place is Place.GO:
            if self._poller.failed(call):
                bracket.add(Sighting("epoll_create1", Place.RUNTIME), -1)
                bracket.add(Sighting("epoll_create1", Place.GO))
            if self._poller.claims(call):
                place = Place.RUNTIME
        elif name == "pipe2" and place is Place.RUNTIME:
            self._poller.piped(call)
        return Sighting(name, place)

    def _checked_name(self, call: Call, bracket: Bracket) -> str | None:
        """The kernel's name of the call, None (and a problem noted) for what has none."""
        if not call.native:
            bracket.problem(
                f"a process made {call.name} through the 32-bit or x32 interface, "
                "which profiles for one architecture do not cover"
            )
            return None
        number = unknown_number(call.name)
        if number is None:
            if table.number(call.name, self._arch) is None:
                bracket.problem(f"expected a call of {self._arch}, found {call.name!r}")
                return None
            return call.name
        if number >> 63:
            # -1 is what a tracer's filter leaves of a call whose thread dies under it.
            if call.finished:
                bracket.problem(f"a process asked for call number {number - (1 << 64)}")
            return None
        known = table.name(number, self._arch)
        if known is None:
            bracket.problem(f"expected a call of {self._arch}, found number {number}")
        return known

    def _thread_gone(self, tid: int) -> None:
        self._under_way.pop(tid, None)
        self._lineage.gone(tid)
        self._starts.gone(tid)


def _credit_runtime(call: tuple[Sighting, Bracket]) -> None:
    """Count *call*, made inside a C library, as the runtime's after all."""
    sighting, bracket = call
    bracket.add(sighting, -1)
    bracket.add(Sighting(sighting.name, Place.RUNTIME))
