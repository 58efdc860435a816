"""What a boosted worker does next: a plan of entries with an energy each.

Plans last a fraction of a second, long enough that the coordinator's own work vanishes, short
enough that all workers profit from each other's finds. Entries are drawn as `Schedule` says; one
that has not had its comparisons solved gets that first. With a seed given nothing here looks at a
clock or a measured time, so that a run can be repeated.
"""

from __future__ import annotations

from functools import lru_cache

from gofuzzsec.coordinator.pool import Entry
from gofuzzsec.coordinator.state import State, values_of
from gofuzzsec.worker import Plan, PlanItem
from gofuzzsec.worker.agent_wire import encode_input

_SECONDS = 0.3
_ITEMS = 16
_MOST_ENERGY = 8192  # executions of one item
_OVERHEAD_NS = 2000  # of one execution, roughly
_REPEATABLE_ENERGY = 1024
_SOLVE_BUDGET = 4096  # executions for the comparisons of one entry
_MOST_SOLVES = 8  # times that it is begun, where it never comes to its end
_LONGEST_SOLVED = 64 << 10  # bytes: beyond, looking for operands in the input is not worth it
_LEAST_LEN, _MOST_LEN = 4096, 1 << 20  # bytes an input may grow to
_PLAN_BYTES = 32 << 20


def make_plan(state: State, limit: int) -> Plan | None:
    """The next plan of at most *limit* executions (0: no limit); None when nothing can be fuzzed.

    The agent is told what is known and the dictionary by whoever sends it.
    """
    repeatable = state.options.seed is not None
    items: list[PlanItem] = []
    size = 0
    for _ in range(_ITEMS):
        entry = state.schedule.pick()
        if entry is None:
            break
        wire = wire_of(entry.data)
        size += len(wire)
        if items and size > _PLAN_BYTES:
            break
        solve = _wants_solving(entry, len(wire)) and all(item.id != entry.id for item in items)
        entry.solves += solve
        energy = _REPEATABLE_ENERGY if repeatable else _energy(entry)
        items.append(PlanItem(entry.id, energy, solve, wire))
    if not items:
        return None
    longest = max(len(item.wire) for item in items)
    return Plan(
        items=tuple(items),
        seed=state.rng.getrandbits(63),
        limit=limit,
        seconds=0.0 if repeatable else _SECONDS,
        max_len=max(_LEAST_LEN, min(2 * longest, _MOST_LEN), longest),
        solve=True,
        solve_budget=_SOLVE_BUDGET,
    )


@lru_cache(maxsize=256)
def wire_of(data: bytes) -> bytes:
    """A corpus file as it travels to the agent; the last ones are remembered."""
    return encode_input(values_of(data))


def _wants_solving(entry: Entry, size: int) -> bool:
    return not entry.solved and entry.solves < _MOST_SOLVES and size <= _LONGEST_SOLVED


def _energy(entry: Entry) -> int:
    """Executions that take an entry its share of a plan's time: each gets the same time, so that
    quick entries are tried often and slow ones hold nobody up."""
    each = entry.exec_ns + _OVERHEAD_NS
    return min(max(int(_SECONDS / _ITEMS * 1e9 / each), 1), _MOST_ENERGY)
