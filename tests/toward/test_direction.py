"""Whom a directed campaign gives its turns to."""

from __future__ import annotations

import random
from collections import Counter

import numpy as np
import pytest

from gofuzzsec.binary.distance import FAR
from gofuzzsec.coordinator.direction import _EXPLORED as EXPLORED
from gofuzzsec.coordinator.direction import LEAST, MOST, Direction
from gofuzzsec.coordinator.pool import Entry
from gofuzzsec.syscalls.bound_model import Bound
from gofuzzsec.syscalls.nearness import Nearness

NAMES = ("statx", "mount", "ptrace", "futile")
ROWS = np.array(
    [
        [5, 9, 9, FAR],  # 0: everybody runs it
        [3, FAR, FAR, FAR],  # 1
        [1, FAR, FAR, FAR],  # 2
        [FAR, 4, 4, FAR],  # 3
        [0, FAR, FAR, FAR],  # 4
    ],
    np.uint8,
)


def make_nearness() -> Nearness:
    bound = Bound("amd64", "go1.26", ("m.FuzzX",), (), (), (), (), 1, 1)
    functions = np.arange(len(ROWS), dtype=np.uint32)
    labels = tuple(f"m.f{number}" for number in range(len(ROWS)))
    return Nearness(NAMES, ROWS, functions, labels, ("brk", "write"), bound)


def entry(number: int, *counters: int, size: int = 10) -> Entry:
    found = np.array([8 * counter for counter in sorted(counters)], np.uint32)
    return Entry(number, f"{number:016x}", b"x" * (24 + size), 1, found)


def chosen(direction: Direction, entries: list[Entry], turns: int) -> Counter[int | None]:
    """How often each entry was picked, by its number; None is the plain schedule."""
    rng = random.Random(1)
    direction._turns = EXPLORED * 100
    direction.refresh(entries, np.ones(len(entries)))
    picks: Counter[int | None] = Counter()
    for _ in range(turns):
        place = direction.pick(rng)
        picks[None if place is None else entries[place].id] += 1
    return picks


def test_calls_that_were_seen_are_no_goals() -> None:
    direction = Direction(make_nearness(), {"mount", "write"})
    assert [goal.name for goal in direction.goals] == ["statx", "ptrace", "futile"]
    picture = direction.picture("m.FuzzX", {}, 1.0)
    assert picture.left_out == ("brk",)
    assert [call.name for call in picture.remaining] == ["futile", "ptrace", "statx"]
    assert all(call.distance is None and call.input_hash == "" for call in picture.remaining)


def test_the_nearest_inputs_of_each_goal_get_the_turns() -> None:
    direction = Direction(make_nearness(), ())
    entries = [entry(1, 0), entry(2, 0, 1, 2), entry(3, 0, 3), *(entry(n, 0) for n in range(4, 9))]
    picks = chosen(direction, entries, 200)
    assert picks[2] > 30 and picks[3] > 20, "one for statx, one for mount and ptrace together"
    assert picks[1] <= 2, "four blocks farther is too far"
    assert 0.2 * 200 < picks[None] < 0.8 * 200
    assert direction.nearest == 1
    turns = {goal.name: goal.turns for goal in direction.goals}
    assert turns["mount"] == turns["ptrace"] > 0, "one frontier, one goal"
    assert turns["futile"] == 0, "nobody knows a way"


def test_a_shorter_input_of_the_same_frontier_is_preferred() -> None:
    direction = Direction(make_nearness(), {"mount", "ptrace"})
    picks = chosen(direction, [entry(1, 2, size=400), entry(2, 2, size=10)], 200)
    assert picks[2] > 10 * picks[1]


def test_turns_in_vain_make_way_for_the_plain_schedule() -> None:
    direction = Direction(make_nearness(), ())
    entries = [entry(1, 0, 1), entry(2, 0, 3)]
    first = chosen(direction, entries, 100)
    for goal in direction.goals:
        goal.turns = 100_000
    late = chosen(direction, entries, 1000)
    assert first[None] < 60 and abs(late[None] / 1000 - (1 - LEAST)) < 0.06 and LEAST < MOST


def test_coming_nearer_makes_a_goal_fresh() -> None:
    direction = Direction(make_nearness(), ())
    chosen(direction, [entry(1, 0)], 50)
    assert direction.goals[0].turns > 0
    direction.refresh([entry(1, 0), entry(2, 1)], np.ones(2))
    assert (direction.goals[0].distance, direction.goals[0].turns) == (3, 0)
    assert direction.goals[1].turns > 0, "the others are as far as before"


def test_what_is_reached_drops_out_and_is_told() -> None:
    direction = Direction(make_nearness(), {"mount", "ptrace", "futile"})
    entries = [entry(1, 0, 1)]
    chosen(direction, entries, 5)
    picture = direction.picture("m.FuzzX", {1: entries[0]}, 2.0)
    (remaining,) = picture.remaining
    assert (remaining.distance, remaining.function) == (3, "m.f1")
    assert remaining.input_hash == entries[0].hash and remaining.turns > 0
    direction.reached("read", "aa", 10)
    direction.reached("statx", "bb", 20)
    direction.reached("statx", "cc", 30)
    assert [
        (c.name, c.input_hash, c.executions) for c in direction.picture("t", {}, 3.0).reached
    ] == [("statx", "bb", 20)]
    assert not direction.goals and direction.nearest is None
    assert set(chosen(direction, entries, 20)) == {None}


@pytest.mark.parametrize("entries", [[], [entry(1)], [entry(1, 7)]])
def test_without_anybody_on_the_way_the_plain_schedule_goes_on(entries: list[Entry]) -> None:
    direction = Direction(make_nearness(), ())
    assert set(chosen(direction, entries, 20)) == {None}


def test_an_input_that_was_made_smaller_is_looked_at_again() -> None:
    direction = Direction(make_nearness(), ())
    direction.refresh([entry(1, 0)], np.ones(1))
    assert direction.nearest == 5
    direction.refresh([entry(1, 0, 4)], np.ones(1))
    assert direction.nearest == 0


def test_the_plain_schedule_explores_first() -> None:
    direction = Direction(make_nearness(), ())
    direction.refresh([entry(1, 0)], np.ones(1))
    rng = random.Random(1)
    early = sum(direction.pick(rng) is not None for _ in range(50))
    direction._turns = EXPLORED
    for goal in direction.goals:
        goal.turns = 0
    late = sum(direction.pick(rng) is not None for _ in range(50))
    assert early < 8 < 20 < late


def test_a_goal_with_slow_inputs_only_gets_fewer_turns() -> None:
    direction = Direction(make_nearness(), ())
    entries = [entry(1, 0, 1), entry(2, 0, 3), *(entry(n, 0) for n in range(3, 7))]
    entries[1].exec_ns = 1000
    picks = chosen(direction, entries, 300)
    assert picks[1] > 5 * picks[2]
