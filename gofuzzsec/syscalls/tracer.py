"""strace: whether it can be used here, how it is called, and reading what it writes.

The trace goes through a FIFO instead of a file: nothing to poll, nothing that grows on disk, and
the end of the tracer is seen as the end of the stream. Nobody reading means that strace, and with
it the traced process, waits; so whoever owns a `TraceStream` must read it whenever it expects the
process to make progress.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import re
import shutil
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from gofuzzsec.errors import RecorderError
from gofuzzsec.syscalls import table
from gofuzzsec.syscalls.sightings import Observer
from gofuzzsec.syscalls.trace import parse_line

_PIPE_SIZE = 1 << 20
_CHUNK = 1 << 18
_LONGEST_LINE = 1 << 16
_PROBE_TIMEOUT = 20.0
_OLDEST = (5, 3)  # clone3 decoded, --seccomp-bpf


@dataclass(frozen=True, slots=True)
class Strace:
    """A usable strace. ``stacks``: it unwinds call stacks (``-k``); ``filters``: it can leave
    calls alone at no cost (``--seccomp-bpf``)."""

    path: str
    stacks: bool
    filters: bool


def available() -> str | None:
    """None when recording with strace works here, else the reason and what to do, in one line."""
    try:
        find_strace()
    except RecorderError as error:
        return str(error)
    return None


def find_strace() -> Strace:
    """The strace on PATH, tried out once. Raises RecorderError when it cannot trace."""
    found = _probe(shutil.which("strace"))
    if isinstance(found, str):
        raise RecorderError(found)
    return found


@cache
def _probe(path: str | None) -> Strace | str:
    if path is None:
        return "expected strace on PATH, found none: install the package strace"
    about = _output([path, "-V"])
    version = re.search(r"version (\d+)\.(\d+)", about)
    if version is None or (int(version[1]), int(version[2])) < _OLDEST:
        return (
            f"expected strace {_OLDEST[0]}.{_OLDEST[1]} or newer, found "
            f"{about.splitlines()[0] if about else 'one that does not say its version'}"
        )
    try:
        table.machine_arch()
    except RecorderError as error:
        return str(error)
    failure = _try([*strace_command(Strace(path, False, False), "/dev/null"), "/bin/sh", "-c", ":"])
    if failure:
        return (
            f"expected strace to be allowed to trace, found: {failure}; in a container add the "
            "capability SYS_PTRACE, else see /proc/sys/kernel/yama/ptrace_scope"
        )
    whole = Strace(path, stacks="stack-trace=" in about, filters=True)
    command = strace_command(whole, "/dev/null", stacks=whole.stacks, leave_out=("nanosleep",))
    filters = not _try([*command, "/bin/sh", "-c", ":"])
    return Strace(path, whole.stacks, filters)


def _output(argv: list[str]) -> str:
    try:
        done = subprocess.run(
            argv, capture_output=True, timeout=_PROBE_TIMEOUT, check=False, stdin=subprocess.DEVNULL
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.decode("utf-8", "replace")


def _try(argv: list[str]) -> str:
    """Why *argv* does not end well, "" when it does."""
    try:
        done = subprocess.run(
            argv, capture_output=True, timeout=_PROBE_TIMEOUT, check=False, stdin=subprocess.DEVNULL
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    if done.returncode == 0:
        return ""
    printed = done.stderr.decode("utf-8", "replace").strip().splitlines()
    return printed[-1] if printed else f"exit status {done.returncode}"


_WATCHED = (
    'exec 9<"$0"; '
    "(exec 3<&- 4<&- 5<&- </dev/null >/dev/null 2>&1; (read -r _ <&9; kill -KILL 0) &); "
    'exec 9<&- "$@"'
)
"""Starts a watcher in the background, then becomes strace. The watcher waits for the end of the
FIFO ``$0``, which comes when its owner closes it or dies, and then ends its process group, that is
everything. Parent-death signals alone would not do: while strace starts it forks helpers of its
own, and a SIGKILL at that moment leaves them stopped for ever. (The FIFO is opened before the
fork: so far the parent-death signal holds.)"""


def watched_command(stream: TraceStream, command: Iterable[str]) -> tuple[str, ...]:
    """*command*, ended with everything it started when the owner of *stream* is gone."""
    return ("/bin/sh", "-c", _WATCHED, str(stream.owner_path), *command)


def strace_command(
    strace: Strace,
    output: str,
    *,
    stacks: bool = False,
    leave_out: Iterable[str] = (),
    only: Iterable[str] = (),
) -> tuple[str, ...]:
    """The argv prefix that traces what follows it and writes the trace to *output*.

    ``-D`` makes the tracer a grandchild: the traced program stays the direct child of whoever
    starts it, with its parent-death signal, and the tracer, in the same process group, ends with
    it. *leave_out* names calls not to stop at, *only* the calls to stop at; neither has an effect
    when strace cannot filter, or on calls newer than strace.
    """
    command = [strace.path, "-D", "-f", "-q", "-i", "-e", "signal=none", "-e", "raw=!clone3"]
    command += ["-X", "raw"]  # clone3's flags
    if stacks:
        command.append("-k")
    left_out = ",".join(f"?{name}" for name in sorted(leave_out))
    chosen = ",".join(f"?{name}" for name in sorted(only)) or (left_out and f"!{left_out}")
    if chosen and strace.filters:
        command += ["--seccomp-bpf", "-e", f"trace={chosen}"]
    return (*command, "-o", output)


class TraceStream:
    """The reading end of a trace. Owns two FIFOs, made anew and removed: *path* for the trace, and
    ``owner_path``, which nothing is written to and whose end tells of this process's."""

    def __init__(self, path: Path, binary: str) -> None:
        """*binary* is the path of the traced program as /proc shows it."""
        self.path = path
        self.ended = False
        self._binary = binary
        self._partial = b""
        self.owner_path = path.with_suffix(".owner")
        self._fd = self._owner_fd = -1
        try:
            for fifo in (path, self.owner_path):
                fifo.unlink(missing_ok=True)
                os.mkfifo(fifo, 0o600)
            self._fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
            self._owner_fd = os.open(self.owner_path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError as error:
            self.close()
            raise RecorderError(
                f"expected to make a FIFO at {path}, found: {error.strerror}; "
                "use a scratch folder on a file system that has them"
            ) from error
        with contextlib.suppress(OSError):  # over the pipe quota: smaller only means slower
            fcntl.fcntl(self._fd, fcntl.F_SETPIPE_SZ, _PIPE_SIZE)

    def fileno(self) -> int:
        """Readable when there is trace to `read`, or at its end."""
        return self._fd

    def read(self, observer: Observer) -> bool:
        """Give what is there to *observer*; False when there was nothing. Does not block.

        ``ended`` is True from the moment that the tracer has closed its end.
        """
        lines = self.lines()
        for line in lines or ():
            observer.observe(parse_line(line, self._binary))
        if len(self._partial) > _LONGEST_LINE:
            observer.current.problem("expected lines of strace output, found one without end")
            self._partial = b""
        return lines is not None

    def lines(self) -> list[str] | None:
        """The whole lines among what is there, None when there was nothing. Does not block."""
        try:
            chunk = os.read(self._fd, _CHUNK)
        except BlockingIOError:
            return None
        except OSError as error:
            if error.errno == errno.EBADF:
                return None
            raise
        if not chunk:
            self.ended = True
            return None
        *lines, self._partial = (self._partial + chunk).split(b"\n")
        return [line.decode("utf-8", "replace") for line in lines]

    def close(self) -> None:
        """Stop reading, and end whatever is still watched. Safe to call twice."""
        for fd in (self._fd, self._owner_fd):
            if fd >= 0:
                os.close(fd)
        self._fd = self._owner_fd = -1
        for fifo in (self.path, self.owner_path):
            fifo.unlink(missing_ok=True)
