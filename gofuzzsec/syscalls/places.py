"""Where a system call was made from, which tells much of who made it.

The instruction pointer says it without unwinding anything: an instruction inside the runtime is the
runtime's own call; one in Go's shared entry stub is somebody's deliberate call; one outside the
binary is a C library's.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from gofuzzsec.binary import Frame as GoFrame
from gofuzzsec.binary import GoProgram
from gofuzzsec.errors import BinaryError
from gofuzzsec.syscalls.attribution import StackFrame, is_runtime, is_stub, package_of
from gofuzzsec.syscalls.symbols import Symbols
from gofuzzsec.syscalls.trace import Frame

_KNOWN_LIMIT = 10_000  # addresses kept


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


def read_lines(binary: Path) -> GoProgram | None:
    """The source lines of a Go program, None where it has none that can be read."""
    try:
        return GoProgram.read(binary)
    except BinaryError:
        return None


class Places:
    """Tells a call's place from its instruction pointer, for one run of one binary.

    ``base`` is what a position-independent binary is moved by, None while that is not known.
    """

    def __init__(self, symbols: Symbols, lines: GoProgram | None = None) -> None:
        self._symbols = symbols
        self._lines = lines
        self._known: dict[int, Place] = {}
        self._frames: dict[int, Stack] = {}
        self.base: int | None = None if symbols.position_independent else 0

    def of(self, ip: int | None) -> Place:
        """The place of a call by the traced process itself."""
        if ip is None or self.base is None:
            return Place.UNTOLD
        place = self._known.get(ip)
        if place is None:
            place = _place_of(self._symbols.function_at(ip - self.base))
            if len(self._known) < _KNOWN_LIMIT:
                self._known[ip] = place
        return place

    def frames(self, frame: Frame, binary: str) -> Stack:
        """*frame* of a process that runs *binary*, with what was inlined there, innermost first.

        Names and lines come from the binary itself, so stripped ones have them too.
        """
        if frame.module != binary:
            function = frame.function or frame.module.rpartition("/")[2]
            return (StackFrame(function, go=False),)
        known = self._frames.get(frame.offset)
        if known is None:
            known = self._own_frames(frame)
            if len(self._frames) < _KNOWN_LIMIT:
                self._frames[frame.offset] = known
        return known

    def _own_frames(self, frame: Frame) -> Stack:
        address = self._symbols.address_of(frame.offset)
        if self._lines is not None and address is not None:
            found = self._lines.frames(address, call=True)
            if found and found[0].file:
                return tuple(
                    StackFrame(each.function, bool(package_of(each.function)), _line(each))
                    for each in found
                )
        function = frame.function
        if not function and address is not None:
            function = self._symbols.function_at(address)
        return (StackFrame(function, go=bool(package_of(function))),)


def _line(frame: GoFrame) -> str:
    return f"{frame.file}:{frame.line}" if frame.file else ""


def _place_of(function: str) -> Place:
    if not package_of(function):
        return Place.FOREIGN
    return Place.RUNTIME if is_runtime(function) and not is_stub(function) else Place.GO
