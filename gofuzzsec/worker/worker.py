"""The life of one fuzz worker process.

A `Worker` is driven by one thread. Between `send` and the `Outcome` that `poll` returns, the
process owns the shared memory; `poll` never blocks, so one event loop can drive many workers.
However a target misbehaves, a request ends in an `Outcome`: exceptions are for workers that
cannot even start. After an outcome in ``protocol.DEAD`` the process is gone, and the next `send`
needs a `start` before it.

Hangs are seen from outside: the execution count in shared memory moves before each execution, so
a count that stands still for longer than the limit names the input. Stock binaries also carry an
alarm of their own at 10 s an execution; a longer limit than that takes no effect on them.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import select
import shutil
import signal
import subprocess
import time
from pathlib import Path

from gofuzzsec.errors import ProtocolError, WorkerStartError
from gofuzzsec.worker import protocol
from gofuzzsec.worker.agent_dialect import AgentDialect
from gofuzzsec.worker.dialect import Dialect, StockDialect
from gofuzzsec.worker.output import OutputTail
from gofuzzsec.worker.process import (
    WorkerSpec,
    cause_of_death,
    reserve_worker_fds,
    spawn,
    worker_argv,
    worker_env,
)
from gofuzzsec.worker.protocol import Outcome, Request, Verdict

START_TIMEOUT = 60.0
"""Seconds a target may take to reach `f.Fuzz`. A guess: set-up code may build things."""

_PIPE_SIZE = 1 << 20
_MAX_REPLY = 512 << 20
_DUMP_TIME = 3.0  # seconds a hung process has to print its goroutines


class Worker:
    """One fuzz worker; restartable after death. Owns its process group, pipes, memory, folder."""

    def __init__(self, spec: WorkerSpec, scratch: Path) -> None:
        """*scratch* is a folder for this worker alone; it is made, and removed by `close`."""
        reserve_worker_fds()
        self.spec = spec
        self._scratch = scratch
        self._tmp = scratch / "tmp"
        self._tmp.mkdir(parents=True, exist_ok=True)
        (scratch / "cache").mkdir(exist_ok=True)
        self._dialect: Dialect | None = (
            StockDialect(spec.shm_size, scratch)
            if spec.agent is None
            else AgentDialect(spec.agent, scratch, watched=spec.marked)
        )
        self._process: subprocess.Popen[bytes] | None = None
        self._fds: tuple[int, int, int, int] = (-1, -1, -1, -1)  # requests, replies, stderr, pid
        self._output: OutputTail | None = None
        self._request: Request | None = None
        self._unsent = memoryview(b"")
        self._reply = bytearray()
        self._count_seen = 0
        self._count_since = 0.0

    # -- life ---------------------------------------------------------------------------------

    @property
    def running(self) -> bool:
        """True from a successful `start` until an outcome in ``protocol.DEAD`` or `stop`."""
        return self._process is not None

    @property
    def busy(self) -> bool:
        """True between `send` and its outcome."""
        return self._request is not None

    @property
    def pid(self) -> int:
        """Process id of the worker. Raises WorkerStartError when none runs."""
        if self._process is None:
            raise WorkerStartError("expected a running worker, found none: start it first")
        return self._process.pid

    def start(self) -> None:
        """Start the process and wait until it answers.

        Raises WorkerStartError, with what the process printed, when the target fails before
        `f.Fuzz`, the name matches no target, or nothing is heard for `START_TIMEOUT`.
        """
        self.stop()
        self._tmp.mkdir(exist_ok=True)
        self.dialect.forget()
        requests_r, requests_w = _pipe()
        replies_r, replies_w = _pipe()
        stderr_r, stderr_w = _pipe()
        page = self.spec.page()
        try:
            self._process = spawn(
                worker_argv(self.spec, self._scratch / "cache"),
                cwd=self.spec.cwd,
                env=worker_env(self.spec, self._tmp, page),
                fds=(requests_r, replies_w, self.dialect.fd, *(page or ())[:1]),
                stderr=stderr_w,
                memory_limit=self.spec.memory_limit,
                watch=self.spec.watch,
            )
        except BaseException:
            _close(requests_w, replies_r, stderr_r)
            raise
        finally:
            _close(requests_r, replies_w, stderr_w)
        for fd in (requests_w, replies_r, stderr_r):
            os.set_blocking(fd, False)
        self._fds = (requests_w, replies_r, stderr_r, os.pidfd_open(self._process.pid))
        self._output = OutputTail(stderr_r)
        self._ping()

    def stop(self) -> None:
        """End the process group and forget any request under way. Safe to call twice."""
        if self._process is not None:
            self._kill()
            self._forget_process()

    def close(self) -> None:
        """`stop`, then give back memory and scratch folder. The worker is of no use after."""
        self.stop()
        if self._dialect is not None:
            self._dialect.close()
            self._dialect = None
        # A target may leave anything here, also what cannot be removed; the folder is in the
        # campaign's scratch space, which is swept again when the campaign ends.
        shutil.rmtree(self._scratch, ignore_errors=True)

    # -- requests -----------------------------------------------------------------------------

    def call(self, request: Request, data: bytes) -> Outcome:
        """`send`, then wait for the outcome."""
        self.send(request, data)
        while (outcome := self.poll()) is None:
            select.select(self.filenos(), self._writable(), [], 0.25)
        return outcome

    def send(self, request: Request, data: bytes) -> None:
        """Hand *data* (a marshalled corpus file) and *request* to the process; does not block.

        Raises UsageError when *data* does not fit the shared memory, WorkerStartError when no
        process runs.
        """
        if self._process is None or self._output is None or self.busy:
            raise WorkerStartError("expected an idle running worker: start it, or wait for it")
        line = self.dialect.load(request, data)
        self._output.pump()
        self._output.reset()
        self._request = request
        self._reply.clear()
        self._unsent = memoryview(line)
        self._count_seen = 0
        self._count_since = time.monotonic()
        self._flush()

    def filenos(self) -> tuple[int, ...]:
        """Descriptors that become readable when `poll` has something to do."""
        return self._fds[1:] if self._process is not None else ()

    def poll(self) -> Outcome | None:
        """Look at pipes, process and clock; the outcome once there is one, else None.

        To be called whenever one of `filenos` is readable, and a few times a second besides.
        """
        if self._request is None or self._output is None:
            return None
        self._flush()
        self._output.pump()
        try:
            line = self._read_reply()
            if line is not None:
                return self._finish(self.dialect.outcome(self._request, line))
        except ProtocolError as error:
            self._kill()
            return self._finish(self._dead_outcome(Verdict.BROKEN, str(error)))
        if self._has_exited():
            return self._bury()
        if self._is_hung():
            self._kill(dump=True)
            return self._finish(self._dead_outcome(Verdict.HANG, self._output.text()))
        return None

    # -- inside -------------------------------------------------------------------------------

    def _ping(self) -> None:
        """Wait for the answer to the first request; whoever fails to give it has not started."""
        self._unsent = memoryview(self.dialect.ping)
        self._reply.clear()
        deadline = time.monotonic() + START_TIMEOUT
        while True:
            self._flush()
            if self._output is not None:
                self._output.pump()
            problem = None
            try:
                if (line := self._read_reply()) is not None:
                    self.dialect.check_start(line)
                    return
            except ProtocolError as error:
                problem = str(error)
            if problem is None and self._has_exited():
                problem = _start_problem(self.spec, self._wait_status())
            if problem is None and time.monotonic() > deadline:
                problem = f"expected {self.spec.target} to reach f.Fuzz in {START_TIMEOUT:.0f} s"
            if problem is not None:
                printed = self._output.text().strip() if self._output is not None else ""
                self.stop()
                raise WorkerStartError(f"{problem}\n{printed}".rstrip())
            select.select(self.filenos(), self._writable(), [], 0.25)

    @property
    def dialect(self) -> Dialect:
        """The language this worker speaks. Raises WorkerStartError after `close`."""
        if self._dialect is None:
            raise WorkerStartError("expected an open worker, found a closed one")
        return self._dialect

    def _writable(self) -> tuple[int, ...]:
        return (self._fds[0],) if self._unsent else ()

    def _flush(self) -> None:
        while self._unsent:
            try:
                sent = os.write(self._fds[0], self._unsent)
            except BlockingIOError:
                return
            except BrokenPipeError:
                self._unsent = memoryview(b"")  # the process is dying; its exit says the rest
                return
            self._unsent = self._unsent[sent:]

    def _read_reply(self) -> bytes | None:
        """One whole line, or None while there is none."""
        while True:
            try:
                chunk = os.read(self._fds[1], _PIPE_SIZE)
            except BlockingIOError:
                return None
            if not chunk:
                return None
            self._reply += chunk
            if chunk.endswith(b"\n"):
                return bytes(self._reply)
            if b"\n" in chunk or len(self._reply) > _MAX_REPLY:
                raise ProtocolError(
                    f"expected one line from the worker, found {bytes(self._reply[:80])!r}"
                )

    def _dead_outcome(self, verdict: Verdict, message: str) -> Outcome:
        ns = int((time.monotonic() - self._count_since) * 1e9)
        return self.dialect.death(self._request, verdict, message, ns)

    def _finish(self, outcome: Outcome) -> Outcome:
        self._request = None
        if outcome.verdict in protocol.DEAD:
            self._forget_process()
        return outcome

    def _bury(self) -> Outcome:
        """The outcome of a request over which the process ended."""
        status = self._wait_status()
        printed = ""
        if self._output is not None:
            self._output.pump()
            printed = self._output.text()
        verdict = cause_of_death(status, printed)
        how = f"signal {-status}" if status < 0 else f"exit status {status}"
        self._kill()  # children it left in its group
        return self._finish(self._dead_outcome(verdict, printed or f"the worker ended: {how}"))

    def _has_exited(self) -> bool:
        return bool(select.select([self._fds[3]], [], [], 0)[0])

    def _wait_status(self) -> int:
        return self._process.wait() if self._process is not None else 0

    def _is_hung(self) -> bool:
        now = time.monotonic()
        count = self.dialect.count()
        if count != self._count_seen:
            self._count_seen, self._count_since = count, now
        return now - self._count_since > self.spec.hang_timeout

    def _kill(self, dump: bool = False) -> None:
        """End the process group; with *dump* let Go print its goroutines first."""
        process = self._process
        if process is None:
            return
        if dump and process.poll() is None:
            process.send_signal(signal.SIGQUIT)
            deadline = time.monotonic() + _DUMP_TIME
            while not self._has_exited() and time.monotonic() < deadline:
                select.select(self._fds[2:], [], [], 0.05)
                if self._output is not None and not self._output.pump():
                    break
        # The leader may be gone already while its children are not, so always by group.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        if self._output is not None:
            self._output.pump()

    def _forget_process(self) -> None:
        _close(*self._fds)
        self._fds = (-1, -1, -1, -1)
        self._process = None
        self._output = None
        self._request = None
        self._unsent = memoryview(b"")


def _pipe() -> tuple[int, int]:
    read, write = os.pipe2(os.O_CLOEXEC)
    with contextlib.suppress(OSError):  # over the user's pipe quota: smaller only means slower
        fcntl.fcntl(write, fcntl.F_SETPIPE_SZ, _PIPE_SIZE)
    return read, write


def _close(*fds: int) -> None:
    for fd in fds:
        os.close(fd)


def _start_problem(spec: WorkerSpec, status: int) -> str:
    """Why a process ended before it answered, as far as its exit status tells."""
    if status == 0:
        return (
            f"expected a fuzz target named {spec.target} in {spec.binary.name}, but the binary "
            "ended without fuzzing: check the name with -test.list, and that TestMain calls m.Run"
        )
    how = f"signal {-status}" if status < 0 else f"exit status {status}"
    return (
        f"expected {spec.target} to reach f.Fuzz, but the binary ended with {how}: "
        f"see why with: go test -run='^{spec.target}$'"
    )
