"""Recording a whole process: the package's own tests, the programs of the runtime baseline.

The process runs once under strace without stacks, which costs it little and gives every call. If
deliberate calls remain, it runs a second time with stacks, stopping only at those calls, to learn
who makes them; a call that the second run does not show again stays unknown.
"""

from __future__ import annotations

import contextlib
import os
import select
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from gofuzzsec.errors import RecorderError
from gofuzzsec.syscalls import table
from gofuzzsec.syscalls.attribution import attribute
from gofuzzsec.syscalls.brackets import Bracket
from gofuzzsec.syscalls.model import Origin, Recording
from gofuzzsec.syscalls.places import OPEN_PLACES, Places, Sighting, Stack, read_lines
from gofuzzsec.syscalls.precedents import Attributed, Precedents
from gofuzzsec.syscalls.sightings import Observer
from gofuzzsec.syscalls.symbols import Symbols, read_symbols
from gofuzzsec.syscalls.tracer import (
    Strace,
    TraceStream,
    find_strace,
    strace_command,
    watched_command,
)
from gofuzzsec.syscalls.uses import uses_of
from gofuzzsec.toolchain.process import Kept
from gofuzzsec.worker.child import dying_with_parent

NEEDED = frozenset({"read", "write", "execve", "clone", "clone3", "fork", "vfork"})
"""Calls that tell which thread belongs to which process: never left out of a trace."""

_GRACE = 2.0  # seconds that children may outlive the process before they are killed


@dataclass(frozen=True, slots=True)
class TracedProcess:
    """How a whole process went. ``deliberate`` are the calls that only stacks can attribute (see
    `sightings.Place`). ``status`` is as in ``Popen.returncode``, None when it was killed
    for taking too long; ``output`` is the end of what it printed."""

    recording: Recording
    deliberate: frozenset[Sighting]
    status: int | None
    output: str


@dataclass(frozen=True, slots=True)
class _Job:
    """What to run, and how to read its trace."""

    argv: Sequence[str]
    cwd: Path
    env: Mapping[str, str]
    timeout: float
    strace: Strace
    binary: str
    symbols: Symbols
    scratch: Path


def record_process(
    argv: Sequence[str],
    cwd: Path,
    env: Mapping[str, str] | None = None,
    timeout: float = 60.0,
    *,
    test_binary: bool = False,
) -> Recording:
    """The recording of `trace_process`."""
    return trace_process(argv, cwd, env, timeout, test_binary=test_binary).recording


def trace_process(
    argv: Sequence[str],
    cwd: Path,
    env: Mapping[str, str] | None = None,
    timeout: float = 60.0,
    *,
    test_binary: bool = False,
    known: Callable[[Sighting], bool] = lambda sighting: False,
) -> TracedProcess:
    """Run the Go program *argv* (``argv[0]``: a path, or a name on PATH) to its end, and record it.

    *env* None is this process's. *timeout* is seconds for each of the two runs. The recording is
    incomplete when the process was killed at the timeout. *test_binary*: see `attribute`. When all
    deliberate calls are *known*, the second run is left out and they are of unknown origin.

    Raises RecorderError when strace cannot be used, the program cannot be read, or does not start.
    """
    strace = find_strace()
    found = shutil.which(argv[0], path=(env or os.environ).get("PATH"))
    if found is None:
        raise RecorderError(f"expected a program to record, found nothing to run at {argv[0]}")
    binary = os.path.realpath(cwd / found)
    with tempfile.TemporaryDirectory(prefix="gofuzzsec-trace-") as scratch:
        job = _Job(
            argv=(binary, *argv[1:]),
            cwd=cwd,
            env=dict(os.environ if env is None else env),
            timeout=timeout,
            strace=strace,
            binary=binary,
            symbols=read_symbols(Path(binary)),
            scratch=Path(scratch),
        )
        bracket, status, output = _run(job)
        deliberate = frozenset(s for s in bracket.calls if s.place in OPEN_PLACES)
        attributed: Attributed = {}
        if strace.stacks and not all(map(known, deliberate)):
            attributed = _origins(job, deliberate, test_binary)
    problems = list(bracket.problems)
    if status is None:
        problems.append(f"the process was killed after {timeout:.0f} s")
    uses = uses_of((bracket.calls, bracket.calls), attributed, Precedents(), {})
    recording = Recording(uses, not problems, "; ".join(problems))
    return TracedProcess(recording, deliberate, status, output)


def _origins(job: _Job, deliberate: Collection[Sighting], test_binary: bool) -> Attributed:
    """Who made the *deliberate* calls, from a second run with stacks."""

    def key_of(stack: Stack) -> str:
        return attribute(stack, test_binary=test_binary).value

    only = NEEDED.union(sighting.name for sighting in deliberate)
    stacked, _, _ = _run(job, key_of=key_of, only=only)
    return {
        sighting: {Origin(key): dict(found) for key, found in by_key.items()}
        for sighting, by_key in stacked.stacks.items()
    }


def _run(
    job: _Job,
    key_of: Callable[[Stack], str] | None = None,
    only: Collection[str] = (),
) -> tuple[Bracket, int | None, str]:
    """One traced run: its calls, its status (None: killed at the timeout), its output's end."""
    stream = TraceStream(job.scratch / "trace", job.binary)
    lines = read_lines(Path(job.binary)) if key_of is not None else None
    observer = Observer(
        Places(job.symbols, lines), job.binary, table.machine_arch(), bracketed=False, key_of=key_of
    )
    command = strace_command(job.strace, str(stream.path), stacks=key_of is not None, only=only)
    output = Kept(16 << 10)
    read, write = os.pipe2(os.O_CLOEXEC)
    os.set_blocking(read, False)
    try:
        process = _start(watched_command(stream, [*command, *job.argv]), job, write)
    except BaseException:
        os.close(read)
        stream.close()
        raise
    finally:
        os.close(write)
    try:
        in_time = _follow(process, stream, observer, output, read, job.timeout)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        os.close(read)
        stream.close()
    observer.flush()
    bracket = observer.take()
    if not observer.started:
        raise RecorderError(
            f"expected {job.argv[0]} to run under strace, found:\n{output.text() or 'no trace'}"
        )
    return bracket, process.returncode if in_time else None, output.text()


def _start(argv: Sequence[str], job: _Job, output: int) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(
            argv,
            cwd=job.cwd,
            env=dict(job.env),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            process_group=0,
            preexec_fn=dying_with_parent(),
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise RecorderError(f"expected {argv[0]} to start in {job.cwd}, found: {error}") from error


def _follow(
    process: subprocess.Popen[bytes],
    stream: TraceStream,
    observer: Observer,
    output: Kept,
    printed: int,
    timeout: float,
) -> bool:
    """Read trace and output until the process and all of its children have ended; False when the
    process itself did not within *timeout* seconds. Children get a short grace after it."""
    exited = os.pidfd_open(process.pid)
    deadline = time.monotonic() + timeout
    watched = {exited, stream.fileno(), printed}
    gone = False
    try:
        while stream.fileno() in watched or not gone:
            left = deadline - time.monotonic()
            if left <= 0:
                return gone
            ready = select.select(list(watched), [], [], left)[0]
            if stream.fileno() in ready and not stream.read(observer) and gone and stream.ended:
                watched.discard(stream.fileno())
            if printed in ready:
                _keep(printed, output, watched)
            if exited in ready:
                gone = True
                watched.discard(exited)
                deadline = min(deadline, time.monotonic() + _GRACE)
            if ready == [stream.fileno()] and stream.ended and not gone:
                # Strace has not opened the FIFO yet, or has died under the process.
                select.select([exited], [], [], 0.002)
        return True
    finally:
        os.close(exited)


def _keep(fd: int, output: Kept, watched: set[int]) -> None:
    try:
        data = os.read(fd, 1 << 16)
    except BlockingIOError:
        return
    if data:
        output.add(data)
    else:
        watched.discard(fd)
