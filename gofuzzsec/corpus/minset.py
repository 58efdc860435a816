"""A smallest set of inputs that together keep every feature: `corpus minimize`.

This is weighted set cover, which is NP-hard. The greedy rule (take the input with the lowest cost
per feature not yet covered) is within a factor ln(n) + 1 of the best for inputs of n features, and
no polynomial algorithm does better in general (Chvátal, "A Greedy Heuristic for the Set-Covering
Problem", 1979; Feige, "A Threshold of ln n for Approximating Set Cover", 1998). Two steps around
it cost little and often reach the best in practice: inputs that alone have some feature are taken
first, because every solution has them, and at the end whatever the others make redundant goes.

An input's gain only ever falls as others are taken, so a heap of outdated prices finds the best
input after looking at few (Minoux, "Accelerated greedy algorithms", 1978).
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Features = frozenset[int] | npt.NDArray[np.integer[Any]]
"""The features of one input: a set, or an array of integers in ascending order, each once."""

_BATCH = 1 << 20
"""Features to gather before the first merge; a merge is a sort."""

_Ids = npt.NDArray[np.int32]


def smallest_set(features: Sequence[Features], cost: Sequence[int]) -> list[int]:
    """Indices, ascending, of inputs that have every feature any input has.

    ``features[i]`` are input *i*'s features, 64-bit integers of any meaning; ``cost[i]`` is what it
    costs to keep it (bytes, nanoseconds; 0 is allowed). The sum of costs is small, though not
    always the least, and no member can be left out. Inputs without features are never members. The
    same arguments give the same answer. Raises ValueError when the lengths differ, a cost is
    negative, or an array is not of ascending integers.

    Time and memory grow with the total number of features of all inputs, memory by 5 bytes each.
    """
    if len(features) != len(cost):
        raise ValueError(f"expected one cost an input, found {len(cost)} for {len(features)}")
    if min(cost, default=0) < 0:
        raise ValueError(f"expected costs of at least 0, found {min(cost)}")
    table = _number(features)
    members = _sole_owners(table)
    members += _greedy(table, cost, members)
    return sorted(_without_redundant(table, cost, members))


@dataclass(frozen=True, slots=True)
class _Table:
    """Features renumbered from 0 to ``width`` - 1, one row of distinct numbers an input.

    The row of input *i* is ``ids[start[i]:start[i + 1]]``.
    """

    ids: _Ids
    start: npt.NDArray[np.int64]
    width: int

    def row(self, index: int) -> _Ids:
        return self.ids[self.start[index] : self.start[index + 1]]

    def sizes(self) -> npt.NDArray[np.int64]:
        return np.diff(self.start)


def _number(features: Sequence[Features]) -> _Table:
    vocabulary = _vocabulary(features)
    start = np.zeros(len(features) + 1, dtype=np.int64)
    np.cumsum([len(row) for row in features], out=start[1:])
    ids = np.empty(start[-1], dtype=np.int32)
    for index, row in enumerate(_arrays(features)):
        ids[start[index] : start[index + 1]] = np.searchsorted(vocabulary, row)
    return _Table(ids, start, len(vocabulary))


def _vocabulary(features: Sequence[Features]) -> npt.NDArray[np.int64]:
    """Every feature once, sorted. Merged in batches: all rows at once may not fit in memory."""
    known = np.empty(0, dtype=np.int64)
    batch: list[npt.NDArray[np.int64]] = []
    pending = 0
    for row in _arrays(features):
        batch.append(row)
        pending += len(row)
        if pending > max(_BATCH, 2 * len(known)):
            known = _distinct(np.concatenate((known, *batch)))
            batch, pending = [], 0
    return _distinct(np.concatenate((known, *batch)))


def _distinct(values: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """*values* sorted, each once. `np.unique` hashes first, which takes 50 times as long."""
    values.sort()
    first = np.ones(len(values), dtype=np.bool_)
    np.not_equal(values[1:], values[:-1], out=first[1:])
    return values[first]


def _arrays(features: Sequence[Features]) -> Iterator[npt.NDArray[np.int64]]:
    for row in features:
        if isinstance(row, frozenset):
            yield np.fromiter(row, dtype=np.int64, count=len(row))
        elif row.dtype.kind not in "iu" or np.any(row[1:] <= row[:-1]):
            raise ValueError(f"expected features as ascending integers, found {row!r}")
        else:
            yield row.astype(np.int64, copy=False)


def _sole_owners(table: _Table) -> list[int]:
    """Inputs that have a feature nobody else has."""
    owners = _owners(table, range(len(table.start) - 1))
    places = np.flatnonzero((owners == 1)[table.ids])
    return [int(index) for index in np.unique(np.searchsorted(table.start, places, "right") - 1)]


def _owners(table: _Table, members: Iterable[int]) -> _Ids:
    """How many of *members* have each feature."""
    owners = np.zeros(table.width, dtype=np.int32)
    for index in members:
        owners[table.row(index)] += 1
    return owners


def _greedy(table: _Table, cost: Sequence[int], taken: Sequence[int]) -> list[int]:
    """Inputs that cover what *taken* do not, each the cheapest per new feature in its turn."""
    missing = np.ones(table.width, dtype=np.bool_)
    for index in taken:
        missing[table.row(index)] = False
    left = int(np.count_nonzero(missing))
    # A price is cost per feature that the input would add; those in the heap are lower bounds.
    heap = [(cost[i] / size, cost[i], i) for i, size in enumerate(table.sizes().tolist()) if size]
    heapq.heapify(heap)
    chosen: list[int] = []
    while left:
        _, price, index = heap[0]
        row = table.row(index)
        gain = int(np.count_nonzero(missing[row]))
        if gain == 0:
            heapq.heappop(heap)
            continue
        current = (price / gain, price, index)
        if current > heap[0]:
            heapq.heapreplace(heap, current)
            continue
        heapq.heappop(heap)
        missing[row] = False
        left -= gain
        chosen.append(index)
    return chosen


def _without_redundant(table: _Table, cost: Sequence[int], members: list[int]) -> list[int]:
    """*members* less those whose every feature another one has, the dearest tried first."""
    owners = _owners(table, members)
    kept = []
    for index in sorted(members, key=lambda member: (-cost[member], member)):
        row = table.row(index)
        if np.all(owners[row] > 1):
            owners[row] -= 1
        else:
            kept.append(index)
    return kept
