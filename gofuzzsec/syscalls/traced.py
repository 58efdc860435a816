"""A fuzz worker under strace, and what one execution in it did."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import select
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from gofuzzsec.errors import RecorderError
from gofuzzsec.syscalls import table
from gofuzzsec.syscalls.brackets import Bracket
from gofuzzsec.syscalls.places import Places, Stack, read_lines
from gofuzzsec.syscalls.sightings import Observer
from gofuzzsec.syscalls.symbols import Symbols
from gofuzzsec.syscalls.tracer import Strace, TraceStream, strace_command, watched_command
from gofuzzsec.worker import Outcome, Run, Verdict, Worker, WorkerSpec
from gofuzzsec.worker.protocol import DEAD

_TRACE_DEADLINE = 5.0
"""Seconds the trace may lag behind the worker's reply. It lags microseconds; past this, something
is wrong with the tracer and the recording is called incomplete."""

_LOOK_INTERVAL = 0.1  # seconds between looks at a worker that says nothing


@dataclass(frozen=True, slots=True)
class TracedRun:
    """One execution: its calls, those seen outside any input since the run before, and why the
    trace is not whole ("" when it is). ``hopeless``: the input must not be run again."""

    bracket: Bracket
    stray: Bracket
    problem: str
    hopeless: bool = False


@dataclass(frozen=True, slots=True)
class _Live:
    """A running worker and the trace of it."""

    worker: Worker
    stream: TraceStream
    observer: Observer


class TracedWorker:
    """A worker of *spec* under strace; started when needed, restarted after death.

    Owned by one thread. *key_of* set means that stacks are traced.
    """

    def __init__(
        self,
        spec: WorkerSpec,
        scratch: Path,
        strace: Strace,
        symbols: Symbols,
        key_of: Callable[[Stack], str] | None = None,
    ) -> None:
        self._spec = spec
        self._binary = os.path.realpath(spec.binary)
        self._scratch = scratch
        self._strace = strace
        self._symbols = symbols
        self._key_of = key_of
        self._lines = read_lines(spec.binary) if key_of is not None else None
        self._arch = table.machine_arch()
        self._live: _Live | None = None
        self.left_out: frozenset[str] = frozenset()
        self.executed = 0  # inputs since the worker's start

    def leave_out(self, names: Iterable[str]) -> None:
        """Calls not to trace from the next start on; a running worker with others is stopped."""
        wanted = frozenset(name for name in names if table.number(name, self._arch) is not None)
        if wanted != self.left_out:
            self.left_out = wanted
            self.stop()

    def run(self, data: bytes) -> TracedRun:
        """Execute the corpus file *data* once.

        Raises WorkerStartError when the worker cannot be started, UsageError when *data* does not
        fit its memory.
        """
        live = self._running()
        self.executed += 1
        stream, observer = live.stream, live.observer
        while stream.read(observer):
            pass
        stray = observer.take_stray()
        expected = observer.closed + 1
        outcome = _execute(live, data)
        if outcome.verdict in DEAD:
            _read_until(live, lambda: stream.ended, 1.0)
            observer.flush()
            taken = observer.take() if observer.opened >= expected else Bracket()
            self.stop()
            return TracedRun(
                taken,
                stray,
                f"the worker ended under this input ({outcome.verdict})",
                hopeless=outcome.verdict is not Verdict.CRASH,
            )
        whole = _read_until(live, lambda: observer.closed >= expected, _TRACE_DEADLINE)
        taken = observer.take()
        problem = "; ".join(taken.problems)
        if not whole:
            problem = "the trace ended before the worker's reply was in it"
            self.stop()
        return TracedRun(taken, stray, problem)

    def stop(self) -> None:
        """End worker and tracer. Safe to call twice; the next `run` starts them again."""
        live, self._live = self._live, None
        self.executed = 0
        if live is not None:
            live.worker.close()
            live.stream.close()

    def _running(self) -> _Live:
        if self._live is not None and self._live.stream.ended:
            self.stop()  # strace was ended from outside
        if self._live is None:
            self._live = self._start()
        return self._live

    def _start(self) -> _Live:
        stream = TraceStream(self._scratch.with_suffix(".trace").absolute(), self._binary)
        command = strace_command(
            self._strace,
            str(stream.path),
            stacks=self._key_of is not None,
            leave_out=self.left_out,
        )
        wrapper = watched_command(stream, command)
        worker = Worker(dataclasses.replace(self._spec, wrapper=wrapper), self._scratch)
        places = Places(self._symbols, self._lines)
        observer = Observer(places, self._binary, self._arch, bracketed=True, key_of=self._key_of)
        live = _Live(worker, stream, observer)
        try:
            with _reading(stream, observer):
                worker.start()
            if places.base is None:
                places.base = load_base(worker.pid, self._binary)
            # The answer to the first request, a ping, is a bracket too.
            if not _read_until(live, lambda: observer.closed >= 1, _TRACE_DEADLINE):
                raise RecorderError(
                    "expected the start of the worker in strace's output, found the trace "
                    f"{'ended' if stream.ended else 'silent'}: is something else tracing it?"
                )
        except BaseException:
            worker.close()
            stream.close()
            raise
        observer.take_stray()
        return live


def _execute(live: _Live, data: bytes) -> Outcome:
    worker, stream = live.worker, live.stream
    worker.send(Run(), data)
    looked = time.monotonic()
    while True:
        watched = [*worker.filenos(), *([] if stream.ended else [stream.fileno()])]
        ready = select.select(watched, [], [], _LOOK_INTERVAL)[0]
        if stream.fileno() in ready:
            stream.read(live.observer)
        # A busy trace comes line by line: looking at the worker each time would cost more.
        if ready == [stream.fileno()] and time.monotonic() - looked < _LOOK_INTERVAL:
            continue
        outcome = worker.poll()
        if outcome is not None:
            return outcome
        looked = time.monotonic()


def _read_until(live: _Live, done: Callable[[], bool], seconds: float) -> bool:
    """Read trace until *done*, for at most *seconds*; whether it came to that."""
    deadline = time.monotonic() + seconds
    while not done():
        left = deadline - time.monotonic()
        if left <= 0 or live.stream.ended:
            return False
        select.select([live.stream.fileno()], [], [], left)
        live.stream.read(live.observer)
    return True


@contextlib.contextmanager
def _reading(stream: TraceStream, observer: Observer) -> Iterator[None]:
    """Read *stream* in a thread meanwhile: a worker's start is traced too, and waits for us."""
    stopping = threading.Event()

    def pump() -> None:
        while not stopping.is_set():
            # The end of file before strace opens the FIFO is not the end of the trace.
            if not stream.read(observer):
                stream.ended = False
                stopping.wait(0.001)

    thread = threading.Thread(target=pump, name="trace", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stopping.set()
        thread.join()


def load_base(pid: int, binary: str) -> int | None:
    """What the position-independent *binary* was moved by in process *pid*, None if not found."""
    try:
        with Path(f"/proc/{pid}/maps").open(encoding="utf-8", errors="replace") as maps:
            for line in maps:
                fields = line.rstrip("\n").split(maxsplit=5)
                if len(fields) == 6 and fields[5] == binary and int(fields[2], 16) == 0:
                    return int(fields[0].partition("-")[0], 16)
    except OSError:
        return None
    return None
