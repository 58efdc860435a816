"""From trace lines to counted calls: what happened in one input's bracket, or in a whole process.

A *sighting* is a call's name with the place it was made from (`places`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, lru_cache

from gofuzzsec.syscalls import table
from gofuzzsec.syscalls.arguments import decided_by, values_of
from gofuzzsec.syscalls.attribution import StackFrame
from gofuzzsec.syscalls.brackets import Bracket, Detail, outcome_of
from gofuzzsec.syscalls.classes import examined, kind_of
from gofuzzsec.syscalls.lineage import Lineage
from gofuzzsec.syscalls.model import CallOutcome
from gofuzzsec.syscalls.places import OPEN_PLACES, Place, Places, Sighting, Stack
from gofuzzsec.syscalls.poller import Poller
from gofuzzsec.syscalls.threadstart import ThreadStarts
from gofuzzsec.syscalls.trace import Call, Frame, Gone, Line, Noise, Resumed, unknown_number

REQUESTS_FD, REPLIES_FD = 3, 4
_STACK_LIMIT = 256
_NOTHING = Detail("", CallOutcome.BEGUN)
_SENSELESS = frozenset({"rt_sigreturn"})  # what it returns is not its own


@dataclass(slots=True)
class _Made:
    """A call under way or ended. ``sighting`` is None for what does not count. ``begun`` is its
    detail while it has only begun, ``detail`` is set once it is counted in ``bracket``."""

    call: Call
    sighting: Sighting | None
    begun: Detail
    bracket: Bracket
    detail: Detail | None = None


class Observer:
    """Reads a trace line by line and keeps the calls of the current bracket.

    With *bracketed* the traced process is a fuzz worker: a bracket opens when its read of the
    request pipe returns data and closes when its write of the reply is done; calls outside
    brackets go to ``stray``. Otherwise one bracket, open from the start, holds everything.

    A call belongs to the bracket in which it began and is counted when it ends, or when the bracket
    is taken: it has only begun then. The first thread in the trace is the traced process: strace
    traces from its exec on.

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
        self._poller = Poller()
        self._starts: ThreadStarts[_Made] = ThreadStarts(_credit_runtime)
        self._under_way: dict[int, _Made] = {}
        self._ended: _Made | None = None
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
                self._frames.extend(self._places.frames(line, self._binary))
            return
        if self._ended is not None:
            self.flush()
        if isinstance(line, Call):
            self._enter(line)
        elif isinstance(line, Resumed):
            begun = self._under_way.pop(line.tid, None)
            if begun is not None:
                self._leave(begun, line.result, line.error)
        elif isinstance(line, Gone):
            self._thread_gone(line.tid)
        elif isinstance(line, Noise) and line.suspect:
            self._bracket().problem(f"expected a line of strace output, found {line.text[:80]!r}")

    def flush(self) -> None:
        """Count the stack read so far; to be called at the end of the trace too."""
        ended, self._ended = self._ended, None
        frames, self._frames = self._frames, []
        if ended is None or not frames or self._key_of is None:
            return
        if ended.sighting is not None and ended.detail is not None:
            stack = tuple(frames)
            ended.bracket.add_stack(ended.sighting, self._key_of(stack), ended.detail, stack)

    def take(self) -> Bracket:
        """The bracket that closed last (or the one that never will); it is forgotten here."""
        taken = self._settled(self.current)
        self.current = Bracket()
        return taken

    def take_stray(self) -> Bracket:
        """Calls outside brackets since the last time, without those before the first bracket."""
        taken = self._settled(self.stray)
        self.stray = Bracket()
        return taken

    def _settled(self, bracket: Bracket) -> Bracket:
        for made in self._under_way.values():
            if made.bracket is bracket:
                _count(made, CallOutcome.BEGUN)
        bracket.settle_interrupted()
        return bracket

    def _bracket(self) -> Bracket:
        return self.current if self.is_open else self.stray

    def _enter(self, call: Call) -> None:
        self._lineage.entered(call)
        lost = self._under_way.pop(call.tid, None)
        if lost is not None:  # its end was not in the trace: an execve in another thread
            _count(lost, CallOutcome.BEGUN)
        made = self._made(call)
        if made.sighting is not None:
            self._note_start(made, made.sighting)
        if call.finished:
            self._leave(made, call.result, call.error)
        else:
            self._under_way[call.tid] = made

    def _leave(self, made: _Made, result: int | None, error: str) -> None:
        call = made.call
        self._lineage.left(call.tid, result, self.opened)
        if result is not None and result > 0 and call.makes_thread():
            self._starts.born(call.tid, result)
        self._poller.returned(call, result)
        if made.sighting is not None:
            senseless = made.sighting.name in _SENSELESS
            outcome = CallOutcome.OK if senseless else outcome_of(call.name, result, error)
            if outcome is not None:
                _count(made, outcome)
            elif made.detail is None:
                made.bracket.interrupted.add((made.sighting, made.begun))
            if made.sighting.place in OPEN_PLACES:
                self._ended = made
        if result is None or call.name not in ("execve", "read", "write"):
            return
        process = self._lineage.process(call.tid, self.opened)
        if process is None or not process.own:
            return
        if call.name == "execve":
            self._execs += result == 0
        elif result > 0 and self._is_protocol(call):
            self._protocol(call, result)

    def _note_start(self, made: _Made, sighting: Sighting) -> None:
        tid, name = made.call.tid, made.call.name
        if sighting.place is Place.FOREIGN:
            self._starts.from_library(tid, name, made)
        elif sighting.place in (Place.GO, Place.RUNTIME) and name != "rt_sigreturn":
            self._starts.from_go(tid, sighting.place is Place.RUNTIME)

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

    def _made(self, call: Call) -> _Made:
        """What *call* counts as, and where."""
        bracket = self._bracket()
        name = self._checked_name(call, bracket)
        if name is None or name in table.KERNEL_ARTEFACTS:
            return _Made(call, None, _NOTHING, bracket)
        place = Place.UNTOLD
        process = self._lineage.process(call.tid, self.opened)
        if process is not None and (not process.own or self._execs > 1):
            place = Place.CHILD
            if self._bracketed and process.born < self.opened:
                bracket = self.stray  # left behind by an earlier input
        elif process is not None:
            place = self._own_place(call, name, bracket)
        sighting = None if self._is_protocol(call) else Sighting(name, place)
        return _Made(call, sighting, self._begun(call, name), bracket)

    def _own_place(self, call: Call, name: str, bracket: Bracket) -> Place:
        """The place of a call by the traced process itself."""
        # A signal's return is the handler's epilogue, and ends where the signal struck.
        place = Place.RUNTIME if name == "rt_sigreturn" else self._places.of(call.ip)
        self._go_began = self._go_began or place in (Place.GO, Place.RUNTIME)
        if not self._go_began:
            return Place.RUNTIME  # the exec itself and the dynamic loader
        if place is Place.GO:
            if self._poller.failed(call):
                detail = bracket.take_back(Sighting("epoll_create1", Place.RUNTIME))
                if detail is not None:
                    bracket.add(Sighting("epoll_create1", Place.GO), detail)
            if self._poller.claims(call):
                return Place.RUNTIME
        elif name == "pipe2" and place is Place.RUNTIME:
            self._poller.piped(call)
        return place

    def _begun(self, call: Call, name: str) -> Detail:
        """What the call's arguments say of it; nothing where they cannot be read."""
        wanted = _wanted(name)
        args = call.numbers(wanted) if wanted else None
        return _NOTHING if args is None else _detail(name, args, self._arch)

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
        made = self._under_way.pop(tid, None)
        if made is not None:
            _count(made, CallOutcome.BEGUN)
        self._lineage.gone(tid)
        self._starts.gone(tid)


@cache
def _wanted(name: str) -> tuple[int, ...]:
    """The arguments to be read of call *name*, rising."""
    return tuple(sorted({*examined(name), *decided_by(name)}))


@lru_cache(maxsize=1 << 14)
def _detail(name: str, args: tuple[int, ...], arch: str) -> Detail:
    return Detail(kind_of(name, args, arch), CallOutcome.BEGUN, values_of(name, args))


def _count(made: _Made, outcome: CallOutcome) -> None:
    if made.sighting is not None and made.detail is None:
        made.detail = made.bracket.add(made.sighting, made.begun._replace(outcome=outcome))


def _credit_runtime(made: _Made) -> None:
    """Count a call made inside a C library as the runtime's after all."""
    if made.sighting is None:
        return
    if made.detail is not None:
        made.bracket.take_back(made.sighting, made.detail)
    made.sighting = Sighting(made.sighting.name, Place.RUNTIME)
    if made.detail is not None:
        made.detail = made.bracket.add(made.sighting, made.detail)
