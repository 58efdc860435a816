"""Energies and draws."""

from __future__ import annotations

import random
from collections import Counter

import numpy as np
import pytest

from gofuzzsec.coordinator.pool import Entry, Pool
from gofuzzsec.coordinator.schedule import Schedule, energies
from gofuzzsec.errors import ProtocolError


def entry(ident: int, found: list[int], exec_ns: int = 1000, size: int = 100) -> Entry:
    return Entry(ident, f"{ident:016x}", b"x" * size, exec_ns, np.array(found, dtype=np.uint32))


def pool_of(*entries: Entry) -> Pool:
    pool = Pool()
    pool.begin(100)
    for each in entries:
        pool.add(each)
    return pool


def energy_of(pool: Pool) -> dict[int, float]:
    order = list(pool)
    return dict(zip((e.id for e in order), energies(order, pool).tolist(), strict=True))


def test_rare_features_give_energy() -> None:
    common = [entry(i, [0, 8, 16]) for i in range(5)]
    rare = entry(9, [0, 8, 24])
    found = energy_of(pool_of(*common, rare))
    assert found[9] > max(found[i] for i in range(5))


def test_cheap_executions_give_energy() -> None:
    found = energy_of(pool_of(entry(1, [0], 1000), entry(2, [8], 50_000), entry(3, [16], 2000)))
    assert found[1] > found[2]


def test_the_cheapest_holder_of_a_feature_is_favoured() -> None:
    small, large = entry(1, [0, 8], size=10), entry(2, [0, 8], size=10_000)
    found = energy_of(pool_of(small, large))
    assert found[1] > found[2]


def test_new_and_peaceful_entries_come_first() -> None:
    old, new, crashing = entry(1, [0]), entry(2, [8]), entry(3, [16])
    old.picks, crashing.crashes = 50, 20
    found = energy_of(pool_of(old, new, crashing))
    assert found[2] > found[1] and found[2] > found[3]


def test_draws_follow_energy_and_reach_everybody() -> None:
    pool = pool_of(*(entry(i, [i * 8]) for i in range(4)), entry(9, [80, 88, 96, 104]))
    schedule = Schedule(pool, random.Random(1))
    drawn: Counter[int] = Counter()
    for _ in range(3000):
        picked = schedule.pick()
        assert picked is not None
        picked.picks = 0
        drawn[picked.id] += 1
    assert set(drawn) == {0, 1, 2, 3, 9}
    assert drawn[9] == max(drawn.values())


def test_nothing_fuzzable_means_no_pick() -> None:
    lame = entry(1, [0])
    lame.fuzzable = False
    assert Schedule(pool_of(lame), random.Random(1)).pick() is None
    assert Schedule(Pool(), random.Random(1)).pick() is None


def test_a_pool_counts_each_entry_once_however_often_it_changes() -> None:
    pool = pool_of(entry(1, [0, 8]), entry(2, [8]))
    pool.add(entry(1, [8]))
    assert pool.frequency[[0, 8]].tolist() == [0, 2]
    pool.drop(2)
    pool.drop(2)
    assert pool.frequency[[0, 8]].tolist() == [0, 1]
    assert pool.edges() == 2, "what was covered once stays known"


def test_another_number_of_counters_is_refused() -> None:
    with pytest.raises(ProtocolError, match="expected 100 coverage counters"):
        pool_of().begin(101)
