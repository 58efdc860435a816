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
    ``picks``, ``finds`` and ``crashes`` count turns given to it and what they brought.
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

    @property
    def cost(self) -> float:
        """What AFL calls fav_factor: execution time × size."""
        return float(max(self.exec_ns, 1)) * (len(self.data) + 64)


@dataclass(slots=True)
class Pool:
    """All entries of one target and the union of their coverage.

    ``known`` holds one byte a counter: every bucket ever seen, also by executions that were not
    kept. ``frequency`` counts, for each feature, the entries that have it. ``version`` moves when
    ``known`` grows, so that a worker's copy is refreshed only when it is stale.
    """

    entries: dict[int, Entry] = field(default_factory=dict)
    known: Bytes = field(default_factory=lambda: np.zeros(0, dtype=np.uint8))
    frequency: Features = field(default_factory=lambda: np.zeros(0, dtype=np.uint32))
    version: int = 0
    changes: int = 0  # additions, replacements and removals: the schedule's cue

    @property
    def counters(self) -> int:
        """Counters of the binary; 0 until the first snapshot."""
        return len(self.known)

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
        self.learn(from_features(entry.found, self.counters))
        self.changes += 1

    def drop(self, entry_id: int) -> None:
        """Forget an entry; what it covered stays known."""
        old = self.entries.pop(entry_id, None)
        if old is not None:
            self.frequency[old.found] -= 1
            self.changes += 1

    def edges(self) -> int:
        """Counters seen at least once."""
        return edges(self.known)

    def __iter__(self) -> Iterator[Entry]:
        return iter(self.entries.values())

    def __len__(self) -> int:
        return len(self.entries)
