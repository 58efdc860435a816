"""The smallest set of inputs: covers all, wastes nothing, and is near the best there is."""

from __future__ import annotations

import itertools
import math
import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gofuzzsec.corpus import minset
from gofuzzsec.corpus.minset import Features, smallest_set

Row = frozenset[int]

_FEATURES = st.one_of(st.integers(0, 12), st.integers(-(2**63), 2**63 - 1))
_ROWS = st.lists(st.frozensets(_FEATURES, max_size=8), max_size=12)


def _union(rows: list[Row]) -> Row:
    return frozenset().union(*rows)


@st.composite
def _instances(draw: st.DrawFn, rows: st.SearchStrategy[list[Row]]) -> tuple[list[Row], list[int]]:
    drawn = draw(rows)
    costs = st.lists(st.integers(0, 20), min_size=len(drawn), max_size=len(drawn))
    return drawn, draw(costs)


@given(_instances(_ROWS))
def test_covers_everything_and_nothing_twice_over(instance: tuple[list[Row], list[int]]) -> None:
    rows, cost = instance
    chosen = smallest_set(rows, cost)
    assert chosen == sorted(set(chosen))
    assert set(chosen) <= set(range(len(rows)))
    assert _union([rows[index] for index in chosen]) == _union(rows)
    for member in chosen:
        others = [rows[index] for index in chosen if index != member]
        assert _union(others) != _union(rows)


@given(_instances(_ROWS))
def test_arrays_are_as_good_as_sets(instance: tuple[list[Row], list[int]]) -> None:
    rows, cost = instance
    arrays: list[Features] = [np.array(sorted(row), dtype=np.int64) for row in rows]
    assert smallest_set(arrays, cost) == smallest_set(rows, cost)


@given(_instances(_ROWS), st.integers(0, 2**63 - 1))
def test_names_of_features_mean_nothing(instance: tuple[list[Row], list[int]], salt: int) -> None:
    rows, cost = instance
    renamed: list[Features] = []
    for row in rows:
        names = sorted((feature ^ salt) % 2**64 for feature in row)
        renamed.append(np.array(names, dtype=np.uint64))
    assert smallest_set(renamed, cost) == smallest_set(rows, cost)


def _best(rows: list[Row], cost: list[int]) -> int:
    """The least cost of any covering set, by trying all."""
    wanted = _union(rows)
    return min(
        sum(cost[index] for index in some)
        for size in range(len(rows) + 1)
        for some in itertools.combinations(range(len(rows)), size)
        if _union([rows[index] for index in some]) == wanted
    )


@settings(max_examples=60)
@given(_instances(st.lists(st.frozensets(st.integers(0, 9), max_size=6), max_size=9)))
def test_within_the_bound_of_the_best(instance: tuple[list[Row], list[int]]) -> None:
    rows, cost = instance
    spent = sum(cost[index] for index in smallest_set(rows, cost))
    largest = max((len(row) for row in rows), default=0)
    harmonic = sum(1 / n for n in range(1, largest + 1))
    assert _best(rows, cost) <= spent <= harmonic * _best(rows, cost) + 1e-9


def test_mostly_the_best_itself() -> None:
    """On small random instances greedy is seldom beaten; a broken rule would be, often."""
    chance = random.Random(5)
    hits, spent, best = 0, 0, 0
    for _ in range(150):
        rows = [frozenset(chance.sample(range(14), chance.randrange(1, 7))) for _ in range(9)]
        cost = [chance.randrange(1, 50) for _ in rows]
        least = _best(rows, cost)
        found = sum(cost[index] for index in smallest_set(rows, cost))
        hits += found == least
        spent += found
        best += least
    assert hits >= 120
    assert spent <= 1.03 * best


@pytest.mark.parametrize(
    ("rows", "cost", "expected"),
    [
        ([], [], []),
        ([[]], [1], []),
        ([[], [7]], [0, 5], [1]),
        ([[1, 2], [1, 2]], [9, 3], [1]),  # the cheaper of equals
        ([[1, 2], [1, 2]], [3, 3], [0]),  # the first of equals
        ([[1], [2], [1, 2]], [1, 1, 3], [0, 1]),  # two small ones beat a dear one
        ([[1], [2], [1, 2]], [1, 1, 1], [2]),
        ([[1], [2], [1, 2]], [0, 0, 1], [0, 1]),  # what costs nothing comes first
        ([[1, 2, 3], [3, 4, 5], [1, 2, 4, 5]], [3, 3, 3], [0, 2]),
        # The best price comes first (2 and 3), and is made redundant by those that follow.
        ([[1, 2], [3, 4], [2, 3], [1, 9], [4, 8]], [30, 30, 1, 1, 1], [2, 3, 4]),
        ([[1, 2, 8], [3, 4, 9], [2, 3]], [10, 10, 1], [0, 1]),
    ],
)
def test_cases(rows: list[list[int]], cost: list[int], expected: list[int]) -> None:
    assert smallest_set([frozenset(row) for row in rows], cost) == expected


def test_redundant_after_the_fact() -> None:
    """Each of the first picks has the best price in its turn, and none is needed in the end."""
    rows = [frozenset(row) for row in ([2, 3], [1, 2, 5], [3, 4, 6], [1, 5], [4, 6])]
    assert smallest_set(rows, [1, 9, 9, 100, 100]) == [1, 2]


def test_many_rows_are_merged_in_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(minset, "_BATCH", 100)
    chance = random.Random(3)
    drawn = [frozenset(chance.sample(range(1 << 40), 20)) for _ in range(200)]
    rows = [*drawn, _union(drawn)]
    assert minset._vocabulary(rows).tolist() == sorted(_union(drawn))
    assert smallest_set(rows, [1] * len(rows)) == [200]


@pytest.mark.parametrize(
    "array", [np.array([2, 1]), np.array([1, 1]), np.array([0.5, 1.5]), np.array(["a"])]
)
def test_arrays_that_are_no_features(array: Features) -> None:
    with pytest.raises(ValueError, match="ascending integers"):
        smallest_set([array], [1])


def test_arguments_that_do_not_fit() -> None:
    with pytest.raises(ValueError, match="found 1 for 2"):
        smallest_set([frozenset(), frozenset()], [1])
    with pytest.raises(ValueError, match="at least 0, found -1"):
        smallest_set([frozenset((1,))], [-1])
    assert math.isfinite(sum(smallest_set([frozenset((1,))], [10**30])))
