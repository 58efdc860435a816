"""How many of the random executions showed each system call behaviour, on its way to the store.

Behaviours have the names of `syscalls.inprocess.Feature` ("openat (create): ok"); a name alone
("openat") stands for the call whatever its arguments and outcome.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from gofuzzsec.store import Store
from gofuzzsec.syscalls.inprocess import feature
from gofuzzsec.syscalls.table import name as call_name
from gofuzzsec.worker.agent_wire import CALL_FEATURES, Sights

_FLUSH_SHARE = 8
"""What is not stored yet is at most one part in so many, while the campaign is short: the store
sees how the numbers grew (see Store.incidence), and a commit for each plan would cost."""


class IncidenceBook:
    """Adds up what agents tell of one target. Owned by the coordinator thread."""

    def __init__(self, store: Store, target_id: int, arch: str) -> None:
        """*arch* is Go's word for this machine. Raises StoreError."""
        self._store, self._target, self._arch = store, target_id, arch
        self._stored = sum(part.executions for part in store.incidence(target_id))
        self._executions = 0
        self._counts: Counter[str] = Counter()

    def add(self, sights: Sequence[Sights]) -> None:
        """Take what a plan brought. Raises StoreError, and RecorderError for features that no agent
        of this version tells of; then nothing of the plan is taken."""
        counts: Counter[str] = Counter()
        for one in sights:
            for index, count in one.counts:
                counts[behaviour(index, self._arch)] += count
        self._executions += sum(one.executions for one in sights)
        self._counts.update(counts)
        if self._executions * _FLUSH_SHARE > self._stored:
            self.flush()

    def flush(self) -> None:
        """Store what was added since the last time. Raises StoreError."""
        if self._executions:
            self._store.add_incidence(self._target, self._executions, self._counts)
            self._stored += self._executions
            self._executions, self._counts = 0, Counter()


def behaviour(index: int, arch: str) -> str:
    """What an index of `Sights` stands for. Raises RecorderError."""
    if index < CALL_FEATURES:
        return str(feature(index, arch))
    number = index - CALL_FEATURES
    return call_name(number, arch) or f"syscall_{number:#x}"
