"""Seeing the calls of a process that a profile does not let through: by strace.

One `StraceSight` is for one process and all that it starts. Stacks are taken of the calls that the
profile does not always let through, and of no others. Without a filter, strace's own (seccomp-bpf)
makes all others free. Under a profile's filter that cannot be used: the kernel takes the stricter
of two filters' answers, so strace would not see what the profile refuses.
"""

from __future__ import annotations

import os
import select
import tempfile
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from gofuzzsec.binary import GoProgram
from gofuzzsec.coordinator.verifying.judge import Judge
from gofuzzsec.coordinator.verifying.model import Refusal
from gofuzzsec.coordinator.verifying.trace import ALWAYS_TRACED, RefusalReader
from gofuzzsec.seccomp import install
from gofuzzsec.seccomp.enforce import Filter
from gofuzzsec.seccomp.launcher import write_launcher
from gofuzzsec.syscalls.places import Places
from gofuzzsec.syscalls.symbols import Symbols, read_symbols
from gofuzzsec.syscalls.tracer import TraceStream, find_strace, watched_command

_END = 2.0  # seconds that what the process left behind may still be traced for


@dataclass(frozen=True, slots=True)
class Subjected:
    """A program that is looked at. ``go`` is None for what is no Go program. ``test_binary``: see
    `attribute`."""

    path: Path
    go: GoProgram | None
    test_binary: bool = False


@dataclass(frozen=True, slots=True)
class Loaded:
    """A compiled filter, and a folder for launchers that install it."""

    compiled: Filter
    arch: str
    folder: Path

    def launcher(self, wish: Sequence[int] = ()) -> str:
        """The path of a new launcher (see `seccomp.launcher`): to be put in front of a command."""
        number, name = tempfile.mkstemp(prefix="launcher-", dir=self.folder)
        os.close(number)
        write_launcher(Path(name), self.compiled.program, self.compiled.flags, self.arch, wish)
        return name


class Sight(Protocol):
    """Sees one process and all that it starts. Owned by one thread, which closes it."""

    def command(self, argv: Sequence[str]) -> tuple[str, ...]:
        """What to run in place of *argv*, whose first word is a path."""
        ...

    def steps(self) -> Sequence[Callable[[], None]]:
        """What the child has to do before it execs (see `worker.child`)."""
        ...

    def take(self) -> list[Refusal]:
        """What was not let through since the last time, up to now."""
        ...

    def finish(self) -> list[Refusal]:
        """The same when the process has ended."""
        ...

    def close(self) -> None:
        """Stop looking. Safe to call twice."""
        ...

    def doubts(self) -> tuple[str, ...]:
        """Why something may not have been seen, once the process has ended; none if all is well."""
        ...


class StraceSight:
    """Implements `Sight`. Owns a thread that reads the trace, from `command` until `close`."""

    def __init__(self, judge: Judge, program: Subjected, loaded: Loaded | None) -> None:
        """Raises RecorderError when strace cannot trace here."""
        self._strace = find_strace()
        self._judge = judge
        self._loaded = loaded
        binary = os.path.realpath(program.path)
        symbols = read_symbols(program.path) if program.go is not None else Symbols((), (), False)
        places = Places(symbols, program.go)
        self._reader = RefusalReader(
            judge,
            binary,
            lambda frame: places.frames(frame, binary),
            filtered=loaded is not None,
            test_binary=program.test_binary,
        )
        self._lock = threading.Lock()  # over reader and stream
        self._stop, self._tell = os.pipe2(os.O_CLOEXEC)
        self._scratch = tempfile.TemporaryDirectory(prefix="gofuzzsec-trace-")
        self._stream = TraceStream(Path(self._scratch.name) / "trace", binary)
        self._thread = threading.Thread(target=self._read, name="strace", daemon=True)
        self._began = False  # whether there was any trace
        self._over = False

    def command(self, argv: Sequence[str]) -> tuple[str, ...]:
        """strace, the launcher, and *argv*, ended with everything when this process ends."""
        strace = self._strace
        words = [strace.path, "-D", "-f", "-q", "-i", "-e", "signal=none", "-e", "raw=all"]
        if strace.stacks:
            words.append("-k")
        left_out = ",".join(f"?{name}" for name in sorted(self._judge.harmless - ALWAYS_TRACED))
        if left_out:
            words += ["-e", f"trace=!{left_out}"]
        if self._loaded is None and strace.filters:
            words.append("--seccomp-bpf")
        words += ["-o", str(self._stream.path)]
        self._thread.start()
        if self._loaded is not None:
            words.append(self._loaded.launcher())
        return watched_command(self._stream, (*words, *argv))

    def steps(self) -> Sequence[Callable[[], None]]:
        """Without a filter, no_new_privs, so that the two runs differ in nothing else."""
        return () if self._loaded is not None else (install.without_new_privileges,)

    def take(self) -> list[Refusal]:
        """What was not let through since the last time. strace has written a call down before
        the program goes on, so that what the program said after it comes after it here too."""
        return self._take(over=False)

    def finish(self) -> list[Refusal]:
        """What is left of the trace when the process has ended."""
        if self._began:  # else it was ended before anything was traced
            self._thread.join(_END)
        return self._take(over=True)

    def doubts(self) -> tuple[str, ...]:
        """Whether the trace began, and the filter in it."""
        if self._reader.armed and self._reader.lines:
            return ()
        return ("strace was not seen to trace the program from its start; run it again",)

    def close(self) -> None:
        """Stop reading; what still runs is ended."""
        if not self._over:
            self._over = True
            if self._thread.ident is not None:
                os.write(self._tell, b".")
                self._thread.join()
            self._stream.close()
            self._scratch.cleanup()
            os.close(self._stop)
            os.close(self._tell)

    def _take(self, *, over: bool) -> list[Refusal]:
        with self._lock:
            self._drain()
            return self._reader.take(over=over)

    def _drain(self) -> bool:
        """Read what is there; whether there was anything."""
        anything = False
        while (lines := self._stream.lines()) is not None:
            anything = True
            for line in lines:
                self._reader.line(line)
        return anything

    def _read(self) -> None:
        while True:
            fds = [self._stream.fileno(), self._stop]
            # A FIFO that nobody has opened yet is "readable", at its end.
            began = self._began
            ready = select.select(fds if began else fds[1:], [], [], None if began else 0.005)[0]
            if self._stop in ready:
                return
            with self._lock:
                read = self._drain()
                self._began = began or read
            if self._began and not read and self._stream.ended:
                return
