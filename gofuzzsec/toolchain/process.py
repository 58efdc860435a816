"""Running other programs: own process group, bounded output, nothing left behind.

Everything that starts a process here goes through `Child`, so that a test binary that forks, prints
without end or never exits costs a bounded amount of memory and time.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

KEEP = 1 << 20
"""Bytes of output kept by default: enough for any build error or goroutine dump worth reading."""


class Kept:
    """The first and the last half of a stream that may be endless; ``limit`` bytes at most."""

    def __init__(self, limit: int = KEEP) -> None:
        self._half = max(1, limit // 2)
        self._head = bytearray()
        self._tail = bytearray()
        self._lost = 0

    def add(self, data: bytes) -> None:
        room = self._half - len(self._head)
        if room > 0:
            self._head += data[:room]
            data = data[room:]
        self._tail += data
        surplus = len(self._tail) - self._half
        if surplus > 0:
            del self._tail[:surplus]
            self._lost += surplus

    @property
    def lost(self) -> int:
        """Bytes in the middle that were dropped."""
        return self._lost

    def recent(self, size: int) -> bytes:
        """The last *size* bytes, or what there is of them."""
        return bytes((self._tail or self._head)[-size:])

    def data(self) -> bytes:
        gap = f"\n... {self._lost} bytes left out ...\n".encode() if self._lost else b""
        return bytes(self._head) + gap + bytes(self._tail)

    def text(self) -> str:
        return self.data().decode("utf-8", "replace").strip("\n")


class Child:
    """One process, the leader of its own session and process group.

    Owned by one thread, which must call `close` (or leave the ``with`` block): that kills the whole
    group. The leader is reaped only after the group was signalled, so the group's number cannot
    have passed to a stranger meanwhile. ``merge`` sends standard error into ``stdout``; ``prepare``
    is a step of the child before it execs (see `gofuzzsec.worker.child`).
    """

    def __init__(
        self,
        argv: Sequence[str | Path],
        *,
        cwd: Path,
        env: Mapping[str, str],
        limit: int = KEEP,
        merge: bool = False,
        prepare: Callable[[], None] | None = None,
    ) -> None:
        self.stdout = Kept(limit)
        self.stderr = Kept(KEEP)
        self._process = subprocess.Popen(
            [os.fspath(word) for word in argv],
            cwd=cwd,
            env=dict(env),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT if merge else subprocess.PIPE,
            start_new_session=True,
            bufsize=0,
            preexec_fn=prepare,
        )
        self.exited = False
        try:
            self._pidfd = os.pidfd_open(self._process.pid)
            self.selector = selectors.DefaultSelector()
        except OSError:  # out of file descriptors
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            raise
        self.selector.register(self._pidfd, selectors.EVENT_READ)
        self._pipes: dict[int, Kept] = {}
        streams = (self._process.stdout, self._process.stderr)
        for stream, kept in zip(streams, (self.stdout, self.stderr), strict=True):
            if stream is not None:
                os.set_blocking(stream.fileno(), False)
                self._pipes[stream.fileno()] = kept
                self.selector.register(stream.fileno(), selectors.EVENT_READ)

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def printing(self) -> bool:
        """Whether somebody still holds a stream that it was given."""
        return bool(self._pipes)

    def step(self, timeout: float) -> list[int]:
        """Wait at most *timeout* seconds for something to happen and take in what was printed.

        Sets ``exited`` when the leader has ended (its children may live on until `close`). Returns
        the ready file descriptors that the caller registered with ``selector``.
        """
        others: list[int] = []
        for key, _ in self.selector.select(max(0.0, timeout)):
            if key.fd == self._pidfd:
                self.exited = True
            elif key.fd in self._pipes:
                self._read(key.fd)
            else:
                others.append(key.fd)
        return others

    def _read(self, fd: int, budget: int = 64 << 10) -> bool:
        """Take in at most *budget* bytes; False when there is nothing more for now."""
        try:
            data = os.read(fd, budget)
        except BlockingIOError:
            return False
        if not data:
            self.selector.unregister(fd)
            del self._pipes[fd]
            return False
        self._pipes[fd].add(data)
        return True

    def close(self) -> int:
        """Kill the group, take in the rest of the output, reap. Returns the leader's status:
        the exit status, or minus the number of the signal that ended it. May be called twice."""
        if self._process.returncode is None:
            # Still unreaped, running or zombie: the number is ours.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self.exited = True
            for fd in list(self._pipes):
                # A pipe holds 1 MiB at most; a stranger that escaped the group cannot keep us here.
                for _ in range(1 << 5):
                    if not self._read(fd):
                        break
            self.selector.close()
            os.close(self._pidfd)
            for stream in (self._process.stdout, self._process.stderr):
                if stream is not None:
                    stream.close()
        return self._process.returncode

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


@dataclass(frozen=True, slots=True)
class Completed:
    """How a program ended. ``status`` is as in `Child.close`, None when it was killed at the
    timeout; ``lost`` counts bytes of standard output beyond the limit."""

    status: int | None
    stdout: bytes
    stderr: bytes
    lost: int

    @property
    def output(self) -> str:
        """Everything printed, for a person: standard output, then standard error."""
        parts = (self.stdout, self.stderr)
        return "\n".join(text for p in parts if (text := p.decode("utf-8", "replace").strip("\n")))

    @property
    def ending(self) -> str:
        """How it ended, in words."""
        if self.status is None:
            return "no end within the time limit"
        if self.status < 0:
            return f"death by signal {-self.status}"
        return f"exit status {self.status}"


def run(
    argv: Sequence[str | Path],
    *,
    cwd: Path,
    env: Mapping[str, str],
    timeout: float,
    limit: int = KEEP,
    merge: bool = False,
    prepare: Callable[[], None] | None = None,
) -> Completed:
    """Run a program to its end, or kill it after *timeout* seconds.

    Raises OSError when it cannot be started. Processes it leaves behind in its group are killed.
    """
    deadline = time.monotonic() + timeout
    with Child(argv, cwd=cwd, env=env, limit=limit, merge=merge, prepare=prepare) as child:
        while not child.exited and (left := deadline - time.monotonic()) > 0:
            child.step(left)
        in_time = child.exited
        status = child.close()
    return Completed(
        status=status if in_time else None,
        stdout=child.stdout.data(),
        stderr=child.stderr.data(),
        lost=child.stdout.lost,
    )
