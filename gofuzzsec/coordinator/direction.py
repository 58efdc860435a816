"""Directing a campaign at the system calls that its target could make and has not made yet.

The scheme is directed greybox fuzzing (AFLGo, Böhme et al., CCS 2017) with a frontier for each
target call, as several targets at once want it: every call that is reachable and unseen has its
own distance (`gofuzzsec.binary.distance`), and its *frontier* is the kept inputs that come nearest
to it. Calls with the same frontier are one *goal*: whatever gets past that point serves them all.
Directed turns go round the goals, and within a goal to its nearest inputs by their ordinary energy.

How that differs from AFLGo, and why:

- No harmonic mean over targets. One input near one call would be outweighed by many that are in the
  middle of everything; and what is left after an hour are calls far from each other.
- Annealing by turns, not by the clock, so that a run can be repeated: at first the plain schedule
  explores, which finds the first calls faster than any aim, and towards `_EXPLORED` turns the
  goals take over (AFLGo's exponential schedule).
- A goal loses weight with every turn that brings it no nearer, and has
  its full weight again as soon as one does: some calls of a static bound can never be reached,
  and nobody knows which (cf. the power schedules of AFLFast, Böhme et al., CCS 2016).
- A part of all turns stays with the plain schedule, so that what the call graph does not tell (a
  parser's state, a table filled at run time) is found as before.

An input that comes nearer than all others always has a counter that no other has, so that inputs
are kept for coming nearer without a rule of its own.
"""

from __future__ import annotations

import math
import random
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from gofuzzsec.binary.distance import FAR
from gofuzzsec.coordinator.events import ReachedCall, RemainingCall, Toward
from gofuzzsec.coordinator.pool import Entry
from gofuzzsec.coverage import Features
from gofuzzsec.syscalls.nearness import Nearness

MOST, LEAST = 0.6, 0.2
"""Share of all turns that goes towards goals: the most while one of them has come nearer lately,
and down to the least as all of them are tried in vain. What the plain schedule keeps bounds what
direction can cost where the distances say nothing. Guesses, as is the rest here."""
_EXPLORED = 1500
"""Turns after which 95 % of the directed share is given (AFLGo's time to exploitation): some half a
minute of one boosted worker."""
_SHARE_PATIENCE = 96
"""Turns in vain, of the goal with the fewest, after which half of the difference is gone."""
_PATIENCE = 24
"""Turns without coming nearer after which a goal has half its weight."""
_UNSEEN = 0.25
"""Of the weight of a goal at distance 0. Nothing that is counted stands between such an input and
the call: what does is code without counters, the kernel's answers most often, which no input
changes."""
_SLACK = 3
"""How much farther than the nearest an input may be and still get turns for a goal."""
_DECAY = 0.25  # of the chance of an input, for each block that it is farther
_NEAR = 4.0  # blocks: a goal so far away has half the weight of one that is at hand
_OVERHEAD = 24  # bytes of a corpus file that hold no value
_SLOWEST = 0.05  # a goal whose inputs are slower counts no less
_SHORTEST = 4  # bytes of value, below which an input counts as no shorter

_Row = npt.NDArray[np.uint8]


@dataclass(slots=True)
class Goal:
    """One call that is still to be reached. ``distance`` is that of the nearest kept input,
    ``entry`` its number, None while no input is on any known way; ``turns`` were spent on it since
    it last came nearer."""

    name: str
    column: int
    distance: int = FAR
    entry: int | None = None
    turns: int = 0


@dataclass(slots=True)
class _Group:
    """Goals with the same frontier; ``chances`` are those of the entries ``indices``, summed up.
    ``nearest`` is how many of them are at the frontier, ``speed`` how fast the fastest of those is,
    of the median of all inputs, at most 1."""

    goals: tuple[Goal, ...]
    indices: npt.NDArray[np.int64]
    chances: npt.NDArray[np.float64]
    nearest: int
    speed: float

    @property
    def turns(self) -> int:
        """Turns in vain, of the goal with the fewest."""
        return min(goal.turns for goal in self.goals)

    def weight(self) -> float:
        """Less for what was tried in vain, is far or slow, or has so wide a frontier that the plain
        schedule is there all the time (the rare branches of FairFuzz, Lemieux & Sen, ASE 2018)."""
        away = min(goal.distance for goal in self.goals)
        hope = 1.0 / (1.0 + away / _NEAR) if away else _UNSEEN
        return self.speed * hope / math.sqrt(self.nearest) / (1.0 + self.turns / _PATIENCE)


class Direction:
    """What is still to be reached, and which inputs are nearest. Owned by the coordinator thread;
    everything in it follows from the binary, the evidence and the pool, so that a resumed campaign
    goes on where it was but for how often each goal was tried in vain."""

    def __init__(self, near: Nearness, seen: Iterable[str]) -> None:
        """*seen* are the calls that the target's evidence has already."""
        self.near = near
        known = frozenset(seen)
        self.goals = [
            Goal(name, column) for column, name in enumerate(near.names) if name not in known
        ]
        self._left_out = tuple(name for name in near.harness if name not in known)
        self._began = time.monotonic()
        self._reached: list[ReachedCall] = []
        self._rows: dict[int, tuple[Features, _Row]] = {}
        self._groups: list[_Group] = []
        self._turns = 0

    @property
    def nearest(self) -> int | None:
        """The least distance of a goal, None while no input is on a known way to any."""
        least = min((goal.distance for goal in self.goals), default=FAR)
        return None if least == FAR else least

    def reached(self, name: str, input_hash: str, executions: int) -> None:
        """Take the call *name* off the goals, if it is one."""
        if all(goal.name != name for goal in self.goals):
            return
        self.goals = [goal for goal in self.goals if goal.name != name]
        self._groups = []
        elapsed = time.monotonic() - self._began
        self._reached.append(ReachedCall(name, elapsed, executions, input_hash))

    def picture(self, target: str, entries: Mapping[int, Entry], elapsed: float) -> Toward:
        """What was reached and what remains, the nearest first; *entries* is the pool."""
        remaining = []
        for goal in sorted(self.goals, key=lambda goal: (goal.distance, goal.name)):
            entry = entries.get(goal.entry) if goal.entry is not None else None
            if entry is None:
                remaining.append(RemainingCall(goal.name, None, "", "", goal.turns))
                continue
            function = self.near.function(self._counter(entry, goal))
            remaining.append(
                RemainingCall(goal.name, goal.distance, function, entry.hash, goal.turns)
            )
        return Toward(target, elapsed, tuple(self._reached), tuple(remaining), self._left_out)

    def refresh(self, entries: Sequence[Entry], energies: npt.NDArray[np.float64]) -> None:
        """Look at all *entries* that can be fuzzed, with the energies of the plain schedule."""
        self._groups = []
        if not self.goals or not entries:
            return
        rows = np.array([self._row(entry) for entry in entries])
        self._rows = {entry.id: self._rows[entry.id] for entry in entries}
        sizes = np.array(
            [max(len(entry.data) - _OVERHEAD, _SHORTEST) for entry in entries], np.float64
        )
        times = np.array([max(entry.exec_ns, 1) for entry in entries], np.float64)
        speeds = np.clip(np.median(times) / times, _SLOWEST, 1.0)
        columns = [goal.column for goal in self.goals]
        table = rows[:, columns]
        together: dict[bytes, list[int]] = {}
        for number, goal in enumerate(self.goals):
            best = int(table[:, number].min())
            if best < goal.distance:
                goal.distance, goal.turns = best, 0
            if best < FAR:
                nearest = table[:, number] == best
                goal.entry = entries[int(np.argmax(np.where(nearest, energies, -1.0)))].id
                together.setdefault(np.packbits(nearest).tobytes(), []).append(number)
        for numbers in together.values():
            distances = table[:, numbers[0]].astype(np.int64)
            away = distances - distances.min()
            indices = np.flatnonzero(away <= _SLACK)
            chances = energies[indices] * _DECAY ** away[indices] / sizes[indices]
            self._groups.append(
                _Group(
                    tuple(self.goals[n] for n in numbers),
                    indices,
                    np.cumsum(chances),
                    int(np.count_nonzero(away == 0)),
                    float(speeds[away == 0].max()),
                )
            )

    def pick(self, rng: random.Random) -> int | None:
        """The place among the entries of the last `refresh` of the one to take next, None for
        whichever the plain schedule says."""
        if not self._groups:
            return None
        self._turns += 1
        if rng.random() >= self._share():
            return None
        weights = [group.weight() for group in self._groups]
        (group,) = rng.choices(self._groups, weights)
        for goal in group.goals:
            goal.turns += 1
        point = rng.random() * float(group.chances[-1])
        place = int(np.searchsorted(group.chances, point, side="right"))
        return int(group.indices[min(place, len(group.indices) - 1)])

    def frontier(self) -> Iterator[int]:
        """The nearest entry of each goal that an input may still bring nearer, by its number; the
        most hopeful first."""
        groups = sorted(self._groups, key=_Group.weight, reverse=True)
        found = (group.goals[0] for group in groups)
        yield from (goal.entry for goal in found if goal.entry is not None and goal.distance)

    def _share(self) -> float:
        """Of all turns, those that go to goals now."""
        vain = min(group.turns for group in self._groups)
        share = LEAST + (MOST - LEAST) / (1.0 + vain / _SHARE_PATIENCE)
        explored: float = 1.0 - 20.0 ** (-self._turns / _EXPLORED)
        return share * explored

    def _counter(self, entry: Entry, goal: Goal) -> int:
        """Where *entry* comes nearest to *goal*."""
        counters = self._counters(entry)
        return int(counters[self.near.rows[counters, goal.column].argmin()])

    def _counters(self, entry: Entry) -> Features:
        counters: Features = np.unique(entry.found >> 3)
        return counters[counters < len(self.near.rows)]

    def _row(self, entry: Entry) -> _Row:
        known = self._rows.get(entry.id)
        if known is None or known[0] is not entry.found:
            row = self.near.rows[self._counters(entry)].min(axis=0, initial=FAR)
            known = self._rows[entry.id] = (entry.found, row)
        return known[1]
