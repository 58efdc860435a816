"""How far each coverage counter is from each system call, in blocks that still have to run.

The distance is that of AFLGo (Böhme et al., "Directed Greybox Fuzzing", CCS 2017) with counters in
place of basic blocks: over the control flow graph within a function and over the call graph between
functions, found by going backwards from the places that make the call. Differences, and why:

- AFLGo counts edges, and ten for a call. Here a step costs 1 where it enters a block with a counter
  and nothing else does: a Go fuzz build has a counter on both ways of every decision, so that the
  distance is the number of decisions still to be made right.
- AFLGo takes a mean over all targets and over the whole trace. Here each call has a distance of its
  own, and an input's is that of the nearest counter it covers: a mean moves away from a target that
  is near as soon as others are far (Hawkeye, Chen et al., CCS 2018, section 3).
- A reference that is no call (a closure, a method value, a table of functions, the method table of
  an interface) may never be called from where it stands, so it costs extra.

What a function does before it returns is not followed back into its caller, as in AFLGo.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from gofuzzsec.binary.counters import Counters
from gofuzzsec.binary.static.blocks import Blocks, blocks_of
from gofuzzsec.binary.static.graph import CallGraph
from gofuzzsec.binary.static.reach import NO_UNIT, Reach
from gofuzzsec.binary.static.references import ADDRESS, BRANCH, CALL
from gofuzzsec.binary.static.sites import FINAL

FAR = 255
"""No way is known; real distances end at one less."""
_TAKEN, _TABLE, _TYPE = 1, 4, 8
"""What it costs that a function's address is taken, that it stands in data, and that only the
methods of a type lead to it. Guesses: a call that is certain should win."""
_OPEN = 1 << 20  # while it is worked out: no way is known yet
_MOST_OBJECTS = 4096  # of data, looked through for one reference

Rows = npt.NDArray[np.uint8]
_Row = npt.NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class Distances:
    """``rows[i, k]`` is the distance from counter i to the call ``numbers[k]``, `FAR` for none.
    ``start`` is that from the roots' entries."""

    numbers: tuple[int, ...]
    rows: Rows
    start: Rows


def distances(
    graph: CallGraph, counters: Counters, roots: Iterable[int], closed: Iterable[int]
) -> Distances:
    """Distances to all system calls that *roots* lead to by way of units that are neither the
    runtime's nor *closed*."""
    roots = tuple(roots)
    shut = graph.runtime | frozenset(closed)
    reach = graph.walk(roots, frozenset(closed) - set(roots))
    inside = frozenset(reach.parents) - shut
    field = _Field(graph, counters, reach, inside)
    field.settle()
    rows = np.full((len(counters), len(field.numbers)), FAR, np.uint8)
    field.fill(rows)
    start = np.full(len(field.numbers), _OPEN, np.int32)
    for unit in roots:
        start = np.minimum(start, field.entry(unit))
    return Distances(tuple(field.numbers), rows, _clipped(start))


def _clipped(row: _Row) -> Rows:
    return np.where(row >= _OPEN, FAR, np.minimum(row, FAR - 1)).astype(np.uint8)


@dataclass(frozen=True, slots=True)
class _Function:
    """One function on the way: ``near[i, j]`` is the distance from its i-th observer (0 is its
    entry, then its counters) to its j-th exit; ``exits`` are, for each exit, the calls made there
    (by place in ``numbers``) and the functions entered there with what that costs."""

    near: npt.NDArray[np.int32]
    exits: tuple[tuple[tuple[int, ...], tuple[tuple[int, int], ...]], ...]
    counters: tuple[int, ...]


class _Field:
    """The distances under way: a worklist over functions, until no entry comes nearer."""

    def __init__(
        self, graph: CallGraph, counters: Counters, reach: Reach, inside: frozenset[int]
    ) -> None:
        self._graph, self._inside = graph, inside
        self._children: dict[int, list[int]] = defaultdict(list)
        for unit, parent in reach.parents.items():
            if parent != NO_UNIT and unit in inside:
                self._children[parent].append(unit)
        sites = graph.sites.by_unit
        made = {s.number for unit in inside for s in sites.get(unit, ()) if s.number is not None}
        self.numbers = sorted(made)
        self._column = {number: column for column, number in enumerate(self.numbers)}
        names, starts = enumerate(graph.code.units.names), graph.code.units.starts
        self._final = frozenset(int(starts[i]) for i, name in names if name.startswith(FINAL))
        self._counters: dict[int, list[tuple[int, int]]] = defaultdict(list)  # address, index
        units = graph.code.units.holding(np.array(counters.addresses, np.int64)).tolist()
        for index, unit in enumerate(units):
            self._counters[unit].append((counters.addresses[index], index))
        self._behind: dict[int, frozenset[int]] = {}
        self._functions: dict[int, _Function] = {}
        self._entries: dict[int, _Row] = {}
        self._leads: dict[int, list[tuple[int, int, int]]] = {}  # place, unit, cost
        self._order = self._relevant()

    def settle(self) -> None:
        """Work on functions until none of their entries comes nearer to a call."""
        callers: dict[int, set[int]] = defaultdict(set)
        for unit, leads in self._leads.items():
            for _, to, _ in leads:
                callers[to].add(unit)
        work = deque(self._order)
        waiting = set(work)
        while work:
            unit = work.popleft()
            waiting.discard(unit)
            row = self._nearest(unit, slice(0, 1))[0]
            if (row < self.entry(unit)).any():
                self._entries[unit] = np.minimum(row, self.entry(unit))
                new = callers[unit] - waiting
                waiting |= new
                work.extend(sorted(new))

    def entry(self, unit: int) -> _Row:
        """Distances from the entry of *unit*, before anything in it has run."""
        known = self._entries.get(unit)
        return np.full(len(self.numbers), _OPEN, np.int32) if known is None else known

    def fill(self, rows: Rows) -> None:
        """Write the distances from every counter into *rows*."""
        for unit in self._order:
            own = self._function(unit).counters
            if own:
                rows[list(own)] = _clipped(self._nearest(unit, slice(1, None)))

    # -- inside -------------------------------------------------------------------------------

    def _relevant(self) -> list[int]:
        """Units that a call can be reached from, those that make one first."""
        callers: dict[int, set[int]] = defaultdict(set)
        leads = {unit: self._leads_of(unit) for unit in self._inside}
        for unit, ways in leads.items():
            for _, to, _ in ways:
                callers[to].add(unit)
        makers = [unit for unit in sorted(self._inside) if self._numbers_in(unit)]
        order, seen = deque(makers), set(makers)
        found = []
        while order:
            unit = order.popleft()
            found.append(unit)
            new = callers[unit] - seen
            seen |= new
            order.extend(sorted(new))
        for unit in found:
            self._leads[unit] = [way for way in leads[unit] if way[1] in seen]
        return found

    def _numbers_in(self, unit: int) -> bool:
        return any(s.number is not None for s in self._graph.sites.by_unit.get(unit, ()))

    def _leads_of(self, unit: int) -> list[tuple[int, int, int]]:
        """(place, unit, cost) of each way out of *unit* to others inside."""
        graph, found = self._graph, dict[tuple[int, int], int]()

        def take(at: int, to: int, cost: int) -> None:
            if to != unit and to in self._inside:
                found[at, to] = min(found.get((at, to), cost), cost)

        for at, target, kind in graph.code.references(unit):
            to = graph.code.units.at(target)
            if to >= 0:
                take(at, to, 0 if kind in (CALL, BRANCH) else _TAKEN)
            elif kind == ADDRESS:
                for behind in self._through(target):
                    take(at, behind, _TABLE)
        for child in self._children.get(unit, ()):
            if not any(to == child for _, to in found):
                take(int(graph.code.units.starts[unit]), child, _TYPE)
        return [(at, to, cost) for (at, to), cost in sorted(found.items())]

    def _through(self, address: int) -> frozenset[int]:
        """Units inside that data at *address* leads to, type descriptors left out."""
        known = self._behind.get(address)
        if known is None:
            walker, work = self._graph.walker, [address]
            found, seen = set[int](), set[int]()
            while work and len(seen) < _MOST_OBJECTS:
                thing = walker.object(work.pop())
                if thing is not None and thing.key not in seen and thing.type is None:
                    seen.add(thing.key)
                    found |= {walker.unit_at(function) for function in thing.functions}
                    work += thing.leads
            known = self._behind[address] = frozenset(found & self._inside)
        return known

    def _nearest(self, unit: int, observers: slice) -> _Row:
        """Distances from some observers of *unit*, one row each, by what is known of others."""
        function = self._function(unit)
        near = function.near[observers]
        best = np.full((len(near), len(self.numbers)), _OPEN, np.int32)
        for column, (made, entered) in enumerate(function.exits):
            row = np.full(len(self.numbers), _OPEN, np.int32)
            row[list(made)] = 0
            for to, cost in entered:
                row = np.minimum(row, self.entry(to) + cost)
            best = np.minimum(best, near[:, column, None] + row)
        return best

    def _function(self, unit: int) -> _Function:
        known = self._functions.get(unit)
        if known is None:
            known = self._functions[unit] = self._read(unit)
        return known

    def _read(self, unit: int) -> _Function:
        graph = self._graph
        blocks = blocks_of(graph.space, graph.code, unit, self._final)
        own = self._counters.get(unit, ())
        holders = [blocks.at(address) for address, _ in own]
        made: dict[int, set[int]] = defaultdict(set)
        entered: dict[int, dict[int, int]] = defaultdict(dict)
        for site in graph.sites.by_unit.get(unit, ()):
            if site.number is not None:
                made[blocks.at(site.at)].add(self._column[site.number])
        for at, to, cost in self._leads[unit]:
            ways = entered[blocks.at(at)]
            ways[to] = min(ways.get(to, cost), cost)
        exits = sorted(made.keys() | entered.keys())
        weight = [0] * len(blocks.starts)
        for block in holders:
            weight[block] = 1
        near = np.full((1 + len(own), len(exits)), _OPEN, np.int32)
        before = _preceding(blocks)
        for column, block in enumerate(exits):
            steps = _steps_to(block, before, weight)
            near[0, column] = min(steps.get(0, _OPEN) + weight[0], _OPEN)
            for row, holder in enumerate(holders, 1):
                near[row, column] = steps.get(holder, _OPEN)
        return _Function(
            near,
            tuple((tuple(made[b]), tuple(entered[b].items())) for b in exits),
            tuple(index for _, index in own),
        )


def _preceding(blocks: Blocks) -> list[list[int]]:
    before: list[list[int]] = [[] for _ in blocks.starts]
    for block, ways in enumerate(blocks.following):
        for way in ways:
            before[way].append(block)
    return before


def _steps_to(goal: int, before: list[list[int]], weight: list[int]) -> dict[int, int]:
    """For each block that leads to *goal*: the least weight of the blocks behind it up to there."""
    steps = {goal: 0}
    work = deque([goal])
    while work:
        block = work.popleft()
        cost = steps[block] + weight[block]
        for previous in before[block]:
            if cost < steps.get(previous, _OPEN):
                steps[previous] = cost
                if weight[block]:
                    work.append(previous)
                else:
                    work.appendleft(previous)
    return steps
