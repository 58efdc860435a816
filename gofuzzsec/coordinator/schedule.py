"""Which input to mutate next, and for how long.

The scheme is AFL's (Zalewski, `calculate_score` and `update_bitmap_score`, 2013-2017): for every
feature the cheapest entry that has it (execution time × size) is *favoured*, and an entry's energy
is a product of factors for speed and for being new. Rarity is that of FairFuzz (Lemieux & Sen,
ASE 2018): an entry that holds features which few others hold gets more.

What an entry brought is rewarded too: one whose turns found new code or new system calls more often
than others gets more turns, as in AFLFast's observation that energy belongs where finds are.

Departures, and why:
- Stock workers say nothing of executions that found nothing, so rarity is counted over kept
  entries (in how many a feature occurs), not over executions.
- AFL walks its queue in order and skips entries at random; here each turn draws an entry with
  probability proportional to its energy, which needs no cycles.
- AFL culls favoured entries to a greedy cover; every cheapest entry counts as favoured here, a
  superset that needs no second pass.
- An entry that mostly crashes loses energy, since each crash costs a process start.
"""

from __future__ import annotations

import random
import time

import numpy as np
import numpy.typing as npt

from gofuzzsec.coordinator.direction import Direction
from gofuzzsec.coordinator.pool import Entry, Pool

_FAVOURED = 8.0  # AFL skips entries that are not favoured 75 to 99 % of the time
_REFRESH_SECONDS = 1.0
_REFRESH_PICKS = 32  # in place of time where runs are to be repeatable
_MIN_TURN, _MAX_TURN = 0.1, 0.5  # seconds
_TURN_EXECUTIONS = 200  # a guess: enough that the request's own cost vanishes


class Schedule:
    """Draws entries from one pool. Owned by the coordinator thread."""

    def __init__(self, pool: Pool, rng: random.Random, repeatable: bool = False) -> None:
        """With *repeatable* no clock and no measured time has a say."""
        self._pool = pool
        self._rng = rng
        self._repeatable = repeatable
        self._order: list[Entry] = []
        self._cumulative: npt.NDArray[np.float64] = np.zeros(0)
        self._changes_seen = -1
        self._refreshed = 0.0
        self._refresh_cost = 0.0
        self._picks = 0  # since the last refresh
        self.direction: Direction | None = None

    def pick(self) -> Entry | None:
        """The entry for the next turn; None while nothing can be mutated."""
        if not self._order or self._is_stale():
            self._refresh()
        if not self._order:
            return None
        index = self.direction.pick(self._rng) if self.direction is not None else None
        if index is None:
            point = self._rng.random() * float(self._cumulative[-1])
            index = int(np.searchsorted(self._cumulative, point, side="right"))
        entry = self._order[min(index, len(self._order) - 1)]
        entry.picks += 1
        self._picks += 1
        return entry

    def another(self, entry: Entry) -> Entry | None:
        """Any fuzzable entry but *entry*, each as likely; None when there is no other."""
        if len(self._order) < 2:
            return None
        other = self._rng.choice(self._order)
        return other if other.id != entry.id else None

    def turn_seconds(self, entry: Entry) -> float:
        """How long one turn of *entry* lasts."""
        wanted = entry.exec_ns * 1e-9 * _TURN_EXECUTIONS
        return min(max(wanted, _MIN_TURN), _MAX_TURN)

    def _is_stale(self) -> bool:
        grown = self._pool.changes != self._changes_seen
        if self._repeatable:
            return (grown and self._picks >= _REFRESH_PICKS) or self._picks >= 16 * _REFRESH_PICKS
        age = time.monotonic() - self._refreshed
        # Turns change energies too, so refresh now and then even when nothing was added; a large
        # corpus takes its time, of which this may cost a hundredth.
        least = max(_REFRESH_SECONDS, 100 * self._refresh_cost)
        return age > least or (grown and age > least / 5)

    def _refresh(self) -> None:
        began = time.monotonic()
        self._order = [entry for entry in self._pool if entry.fuzzable]
        self._changes_seen = self._pool.changes
        self._picks = 0
        if self._order:
            each = energies(self._order, self._pool)
            self._cumulative = np.cumsum(each)
            if self.direction is not None:
                self.direction.refresh(self._order, each)
        self._refreshed = time.monotonic()
        self._refresh_cost = self._refreshed - began


def energies(entries: list[Entry], pool: Pool) -> npt.NDArray[np.float64]:
    """The energy of each of *entries*, all above zero; only their ratios mean anything."""
    times = np.array([max(entry.exec_ns, 1) for entry in entries], dtype=np.float64)
    speed = np.clip(float(np.median(times)) / times, 0.1, 4.0)
    inverse = 1.0 / np.maximum(pool.frequency, 1)
    rarity = np.array([float(inverse[entry.found].sum()) for entry in entries])
    rarity = np.clip(rarity / max(float(rarity.mean()), 1e-9), 0.1, 8.0)
    picks = np.array([entry.picks for entry in entries], dtype=np.float64)
    novelty = 1.0 + 4.0 / (1.0 + picks)
    finds = np.array([entry.finds for entry in entries], dtype=np.float64)
    reward = 1.0 + np.minimum(finds / (1.0 + picks), 2.0)
    crashes = np.array([entry.crashes for entry in entries], dtype=np.float64)
    favour = np.where(_favoured(entries, pool), _FAVOURED, 1.0)
    result: npt.NDArray[np.float64] = speed * rarity * novelty * favour * reward / (1.0 + crashes)
    return result


def _favoured(entries: list[Entry], pool: Pool) -> npt.NDArray[np.bool_]:
    """For each entry: is it the cheapest one that has some feature?"""
    owner = np.full(len(pool.frequency), -1, dtype=np.int32)
    # Dearest first, so that the cheapest writes last and stays.
    for index in sorted(range(len(entries)), key=lambda i: -entries[i].cost):
        owner[entries[index].found] = index
    favoured = np.zeros(len(entries), dtype=np.bool_)
    favoured[owner[owner >= 0]] = True
    return favoured
