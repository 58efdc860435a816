"""Telling the thread starts of a cgo binary from the code under test.

In a binary linked with a C library the Go runtime starts threads by pthread_create, so the calls
that takes (clone3 and its neighbours in the parent, rseq and its neighbours in the child) are made
inside the C library, where only a stack could tell them from C code under test. But a thread the
runtime starts shows itself: its first call from Go code is the runtime's own, setting up its
signal stack. Then the child's calls before that, and the calls around the clone in the parent,
were the runtime's, and so are the calls that end such a thread.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from gofuzzsec.syscalls.table import words

STARTING = words(
    """brk clone clone3 exit futex getrandom madvise mmap mprotect munmap prctl rseq rt_sigaction
    rt_sigprocmask sched_getaffinity set_robust_list"""
)
"""What pthread_create, the start and the end of a thread, and the allocator's first use in it call,
in glibc and musl. A run of calls ends at any other."""

_LONGEST_RUN = 1024

T = TypeVar("T")


@dataclass(slots=True)
class _Run(Generic[T]):
    """Calls a thread made from the C library in a row, with nothing else in between."""

    calls: list[T] = field(default_factory=list)
    runtimes: bool = False


class ThreadStarts(Generic[T]):
    """Collects calls made from C libraries until it is known whether they started a thread.

    *credit* is told each call that turns out to be the runtime's.
    """

    def __init__(self, credit: Callable[[T], None]) -> None:
        self._credit = credit
        self._runs: dict[int, _Run[T]] = {}
        self._births: dict[int, _Run[T]] = {}  # child -> its parent's run
        self._shown: set[int] = set()  # runtime threads whose parent's clone has not returned yet
        self._runtimes: set[int] = set()  # threads the runtime started

    def from_library(self, tid: int, name: str, call: T) -> None:
        """Thread *tid* made *call* from inside a C library."""
        if name not in STARTING:
            self._runs.pop(tid, None)
            return
        run = self._runs.setdefault(tid, _Run())
        if run.runtimes:
            self._credit(call)
        elif len(run.calls) < _LONGEST_RUN:
            run.calls.append(call)
        if name == "exit" and tid in self._runtimes:
            self._settle(run)

    def from_go(self, tid: int, by_runtime: bool) -> None:
        """Thread *tid* made a call from Go code, which ends its run."""
        run = self._runs.pop(tid, None)
        if run is None or not by_runtime or tid in self._shown:
            return
        parent = self._births.pop(tid, None)
        if parent is not None:
            self._runtimes.add(tid)
            self._settle(run)
            self._settle(parent)
        elif run.calls:
            self._shown.add(tid)
            self._births[tid] = run  # kept until the parent's clone tells that it is new

    def born(self, parent: int, child: int) -> None:
        """A clone of *parent* returned the new thread *child*."""
        run = self._runs.get(parent)
        if run is None:
            return
        if child in self._shown:
            self._shown.discard(child)
            self._runtimes.add(child)
            self._settle(self._births.pop(child))
            self._settle(run)
        else:
            self._births[child] = run

    def gone(self, tid: int) -> None:
        """Thread *tid* ended."""
        self._runs.pop(tid, None)
        self._births.pop(tid, None)
        self._shown.discard(tid)
        self._runtimes.discard(tid)

    def _settle(self, run: _Run[T]) -> None:
        run.runtimes = True
        for call in run.calls:
            self._credit(call)
        run.calls.clear()
