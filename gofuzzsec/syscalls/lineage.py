"""Which process a traced thread belongs to: the traced one, or a child of it.

``strace -f`` prints thread ids only. A thread's process follows from the clone that made it; the
new thread's first lines may come before the clone's own line ends, so a thread is also placed by
the clones under way when it is first seen.
"""

from __future__ import annotations

from dataclasses import dataclass

from gofuzzsec.syscalls.trace import Call

_CLONES = frozenset({"clone", "clone3", "fork", "vfork"})


@dataclass(frozen=True, slots=True)
class Process:
    """A process under trace. ``born`` is the number of the bracket it was made in (0: before any);
    the traced process itself is ``own``."""

    pid: int
    own: bool
    born: int


class Lineage:
    """Thread id to process, kept up to date by the trace. One owner."""

    def __init__(self) -> None:
        self._own: Process | None = None
        self._processes: dict[int, Process] = {}
        self._cloning: dict[int, bool] = {}  # thread in a clone -> whether that makes a thread

    def entered(self, call: Call) -> None:
        """To be told of every call that begins. The first is the traced process's own."""
        if self._own is None:
            self._own = self._processes[call.tid] = Process(call.tid, own=True, born=0)
        if call.name in _CLONES:
            self._cloning[call.tid] = call.makes_thread()

    def left(self, tid: int, result: int | None, bracket: int) -> None:
        """To be told of every call that ends; *bracket* is the number of the current one."""
        is_thread = self._cloning.pop(tid, None)
        if is_thread is not None and result is not None and result > 0:
            self._place(result, tid, is_thread, bracket)

    def gone(self, tid: int) -> None:
        """Thread *tid* ended; its id may be used again."""
        self._cloning.pop(tid, None)
        if self._own is not None and tid != self._own.pid:
            self._processes.pop(tid, None)

    def process(self, tid: int, bracket: int) -> Process | None:
        """The process of *tid*, None while that cannot be told."""
        known = self._processes.get(tid)
        if known is not None:
            return known
        places = {
            self._would_be(tid, parent, is_thread, bracket)
            for parent, is_thread in self._cloning.items()
        }
        if len(places) != 1:
            return None
        (place,) = places
        if place is not None:
            self._processes[tid] = place
        return place

    def _place(self, tid: int, parent: int, is_thread: bool, bracket: int) -> None:
        place = self._would_be(tid, parent, is_thread, bracket)
        if place is None:
            return
        known = self._processes.get(tid)
        # A child seen before its clone returned keeps the bracket it was seen in.
        if known is None or known.own != place.own or is_thread:
            self._processes[tid] = place

    def _would_be(self, tid: int, parent: int, is_thread: bool, bracket: int) -> Process | None:
        maker = self._processes.get(parent)
        if is_thread:
            return maker
        if maker is None:
            return None
        return Process(tid, own=False, born=bracket if maker.own else maker.born)
