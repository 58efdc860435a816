"""Following a command with strace, where the kernel's recorder cannot be had.

A command is run once, as it is, so stacks are taken of every call in that one run: a call costs
some two milliseconds. There are no windows. The tracer is a grandchild (strace -D): the command
stays our own child, with its signals and its exit status.
"""

from __future__ import annotations

import copy
import os
import select
import tempfile
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from gofuzzsec.coordinator.capturing.merge import merge_uses
from gofuzzsec.coordinator.capturing.model import Window
from gofuzzsec.coordinator.capturing.program import Program
from gofuzzsec.syscalls import table
from gofuzzsec.syscalls.attribution import attribute
from gofuzzsec.syscalls.brackets import Bracket
from gofuzzsec.syscalls.model import Origin, Recording, SyscallUse
from gofuzzsec.syscalls.places import Places, Sighting, Stack
from gofuzzsec.syscalls.precedents import Precedents, Shown
from gofuzzsec.syscalls.sightings import Observer
from gofuzzsec.syscalls.symbols import Symbols, read_symbols
from gofuzzsec.syscalls.tracer import TraceStream, find_strace, strace_command
from gofuzzsec.syscalls.uses import uses_of

_GRACE = 2.0  # seconds that children may outlive the command before their trace is cut off
_MOST_STACKS = 4000  # distinct stacks told apart; after that only by who made the call


class StraceWatch:
    """Follows one command. Owns a thread that reads the trace, from `command` until `close`."""

    name = "strace"

    def __init__(self, program: Program, *, test_binary: bool) -> None:
        """Raises RecorderError when strace cannot trace here, or cannot read the program."""
        self._strace = find_strace()
        self._go = program.go is not None
        self._test_binary = test_binary
        symbols = read_symbols(program.path) if self._go else Symbols((), (), False)
        places = Places(symbols, program.go)
        self._binary = str(program.path)
        self._keys: set[str] = set()
        self._observer = Observer(
            places,
            self._binary,
            table.machine_arch(),
            bracketed=False,
            key_of=self._key_of if self._strace.stacks else None,
        )
        self._lock = threading.Lock()  # over the observer
        self._stop, self._tell = os.pipe2(os.O_CLOEXEC)
        self._scratch = tempfile.TemporaryDirectory(prefix="gofuzzsec-trace-")
        self._stream = TraceStream(Path(self._scratch.name) / "trace", self._binary)
        self._thread = threading.Thread(target=self._read, name="strace", daemon=True)
        self._over = False

    def command(self, argv: Sequence[str]) -> Sequence[str]:
        """What to run in place of *argv*."""
        self._thread.start()
        stacks = self._strace.stacks
        return [*strace_command(self._strace, str(self._stream.path), stacks=stacks), *argv]

    def steps(self) -> Sequence[Callable[[], None]]:
        """Nothing is to be done in the child."""
        return ()

    def look(self) -> tuple[Window, ...]:
        """The calls so far, of the whole process."""
        with self._lock:
            current = self._observer.current
            copied = copy.deepcopy(current)
        return (self._window(copied),)

    def finish(self) -> tuple[Window, ...]:
        """All calls, once the command has ended."""
        self._thread.join(_GRACE)
        self._end_thread()
        with self._lock:
            self._observer.flush()
            bracket = self._observer.take()
        if not self._observer.started:
            bracket.problem("strace did not see the command start")
        elif not self._stream.ended:
            bracket.problem("processes that the command started run on, unrecorded from now")
        return (self._window(bracket),)

    def close(self) -> None:
        """Stop reading; a command that still runs loses its tracer. Safe to call twice."""
        if not self._over:
            self._over = True
            self._end_thread()
            self._stream.close()
            self._scratch.cleanup()
            os.close(self._stop)
            os.close(self._tell)

    def _end_thread(self) -> None:
        if self._thread.ident is not None and self._thread.is_alive():
            os.write(self._tell, b".")
            self._thread.join()

    def _read(self) -> None:
        began = False
        while True:
            fds = [self._stream.fileno(), self._stop]
            # A FIFO that nobody has opened yet is "readable", at its end.
            ready = select.select(fds if began else fds[1:], [], [], None if began else 0.005)[0]
            if self._stop in ready:
                return
            with self._lock:
                read = self._stream.read(self._observer)
            began = began or read
            if began and not read and self._stream.ended:
                return

    def _key_of(self, stack: Stack) -> str:
        origin = attribute(stack, test_binary=self._test_binary).value
        key = f"{origin} {hash(stack)}"
        if key not in self._keys and len(self._keys) >= _MOST_STACKS:
            return origin
        self._keys.add(key)
        return key

    def _window(self, bracket: Bracket) -> Window:
        attributed: dict[Sighting, dict[Origin, Shown]] = {}
        paths = []
        for sighting, by_key in bracket.stacks.items():
            for key, shown in by_key.items():
                origin = Origin(key.partition(" ")[0])
                known = attributed.setdefault(sighting, {})
                known[origin] = _added(known.get(origin, {}), shown)
                for detail, (count, stack) in shown.items():
                    lines = tuple(str(frame) for frame in stack if frame.function)
                    paths.append(SyscallUse(sighting.name, origin, count, True, lines, *detail))
        uses = uses_of((bracket.calls, bracket.calls), attributed, Precedents(), {})
        if not self._go:  # no Go runtime to tell apart
            uses = merge_uses(replace(use, origin=Origin.TARGET) for use in uses)
        problem = "; ".join(bracket.problems)
        return Window("", Recording(uses, not problem, problem), tuple(paths) or uses)


def _added(first: Shown, second: Shown) -> Shown:
    both = dict(first)
    for detail, (count, stack) in second.items():
        before, known = both.get(detail, (0, stack))
        both[detail] = (before + count, known)
    return both
