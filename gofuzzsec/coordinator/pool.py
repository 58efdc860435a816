"""The inputs a target's campaign works with, in memory, and the coverage they stand for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from gofuzzsec.coverage import Bytes, Features, edges, from_features
from gofuzzsec.errors import ProtocolError


@dataclass(slots=True)
class Entry:
    """One kept input as the schedule sees it. Owned by the coordinator thread.

    ``id`` is the store's. ``exec_ns`` is one execution in nanoseconds. ``found`` are its
    features. ``fuzzable`` is False for a value so long that Go's mutator refuses it.
    ``picks``, ``finds`` and ``crashes`` count turns given to it and what they brought. ``solved``
    is True once its comparisons were worked on to the end, ``solves`` counts how often that was
    begun (boosted workers only).
    """

    id: int
    hash: str
    data: bytes
    exec_ns: int
    found: Features
    fuzzable: bool = True
    picks: int = 0
    finds: int = 0
    crashes: int = 0
    solved: bool = False
    solves: int = 0

    @property
    def cost(self) -> float:
        """What AFL calls fav_factor: execution time × size."""
        return float(max(self.exec_ns, 1)) * (len(self.data) + 64)


@dataclass(slots=True)
class Pool:
    """All entries of one target and the union of their coverage.

    ``known`` holds one byte a counter: every bucket ever seen, also by executions that were not
    kept. ``frequency`` counts, for each feature, the entries that have it. ``version`` moves when
    ``known`` grows, so that a worker's copy is refreshed only when it is stale. With boosted
    workers the last ``call_bytes`` of ``known`` hold a bit for each system call feature.
    """

    entries: dict[int, Entry] = field(default_factory=dict)
    known: Bytes = field(default_factory=lambda: np.zeros(0, dtype=np.uint8))
    frequency: Features = field(default_factory=lambda: np.zeros(0, dtype=np.uint32))
    version: int = 0
    changes: int = 0  # additions, replacements and removals: the schedule's cue
    call_bytes: int = 0

    @property
    def counters(self) -> int:
        """Bytes of a snapshot; 0 until the first one."""
        return len(self.known)

    @property
    def first_call(self) -> int:
        """The number of the first feature that is a system call's, not a counter's."""
        return (self.counters - self.call_bytes) * 8

    def begin(self, counters: int) -> None:
        """Fix the number of counters. Raises ProtocolError when it was another before."""
        if self.counters == counters:
            return
        if self.counters:
            raise ProtocolError(
                f"expected {self.counters} coverage counters from every worker, found {counters}: "
                "the binary was replaced while the campaign ran; start the campaign again"
            )
        self.known = np.zeros(counters, dtype=np.uint8)
        self.frequency = np.zeros(counters * 8, dtype=np.uint32)

    def fresh(self, snapshot: Bytes) -> Bytes:
        """The bits of *snapshot* that are not known yet, one byte a counter."""
        return snapshot & ~self.known

    def learn(self, snapshot: Bytes) -> None:
        """Take *snapshot* into what is known."""
        if np.any(self.fresh(snapshot)):
            self.known |= snapshot
            self.version += 1

    def add(self, entry: Entry) -> None:
        """Take a new entry, or the new form of one that is there."""
        old = self.entries.get(entry.id)
        if old is not None:
            self.frequency[old.found] -= 1
        self.entries[entry.id] = entry
        self.frequency[entry.found] += 1
        self.learn_features(entry.found)
        self.changes += 1

    def drop(self, entry_id: int) -> None:
        """Forget an entry; what it covered stays known."""
        old = self.entries.pop(entry_id, None)
        if old is not None:
            self.frequency[old.found] -= 1
            self.changes += 1

    def edges(self) -> int:
        """Counters seen at least once."""
        return edges(self.known[: self.counters - self.call_bytes])

    def fresh_features(self, found: Features) -> Features:
        """Those of *found* that are not known yet."""
        seen = (self.known[found >> 3] >> (found & 7).astype(np.uint8)) & 1
        fresh: Features = found[seen == 0]
        return fresh

    def learn_features(self, found: Features) -> None:
        """Take *found* into what is known."""
        if len(self.fresh_features(found)):
            self.known |= from_features(found, self.counters)
            self.version += 1

    def __iter__(self) -> Iterator[Entry]:
        return iter(self.entries.values())

    def __len__(self) -> int:
        return len(self.entries)
