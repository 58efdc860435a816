"""What a boosted worker is given to do next."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from gofuzzsec.coordinator import planner
from gofuzzsec.coordinator.planner import make_plan, wire_of
from gofuzzsec.worker import Plan
from tests.coordinator.test_boosted_jobs import Scene, corpus, wire


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    made = Scene(tmp_path)
    yield made
    made.store.close()


def plan_of(scene: Scene, limit: int = 0) -> Plan:
    plan = make_plan(scene.state, limit)
    assert plan is not None
    return plan


def test_without_entries_there_is_no_plan(scene: Scene) -> None:
    assert make_plan(scene.state, 0) is None
    scene.seed(b"seed", 0).fuzzable = False
    assert make_plan(scene.state, 0) is None


def test_entries_travel_and_are_solved_once(scene: Scene) -> None:
    done, new = scene.seed(b"done", 0), scene.seed(b"new", 8)
    done.solved = True
    plan = plan_of(scene, 123)
    assert {(item.id, item.wire) for item in plan.items} <= {
        (done.id, wire(b"done")),
        (new.id, wire(b"new")),
    }
    assert [item.id for item in plan.items if item.solve] == [new.id], "once in a plan"
    assert plan.limit == 123 and plan.solve and plan.solve_budget > 0
    assert plan.known is None and plan.tokens is None, "who sends it knows what is stale"


def test_long_inputs_are_not_solved_and_may_grow_little(scene: Scene) -> None:
    entry = scene.seed(b"x" * 200_000, 0)
    plan = plan_of(scene)
    assert plan.items[0].id == entry.id and not plan.items[0].solve
    assert plan.max_len == 2 * (200_000 + 4)


@pytest.mark.parametrize(("size", "most"), [(10, 4096), (3000, 6008), (900_000, 1 << 20)])
def test_how_long_mutations_may_get(scene: Scene, size: int, most: int) -> None:
    scene.seed(b"x" * size, 0)
    assert plan_of(scene).max_len == most


def test_a_plan_is_of_bounded_size(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(planner, "_PLAN_BYTES", 250)
    for number in range(4):
        scene.seed(b"%d" % number * 100, 8 * number)
    assert sum(len(item.wire) for item in plan_of(scene).items) <= 250
    monkeypatch.setattr(planner, "_PLAN_BYTES", 10)
    assert len(plan_of(scene).items) == 1, "one is always sent"


def test_every_entry_gets_the_same_time(scene: Scene) -> None:
    entry = scene.seed(b"seed", 0)
    energies = []
    for exec_ns in (10_000_000_000, 1_000_000, 10_000, 1_000):
        entry.exec_ns = exec_ns
        (energy,) = {item.energy for item in plan_of(scene).items}
        energies.append(energy)
    assert energies == sorted(set(energies)) and energies[0] == 1
    assert energies[1] * 1_000_000 == pytest.approx(energies[2] * 10_000, rel=0.3)


def test_with_a_seed_no_clock_has_a_say(tmp_path: Path) -> None:
    plans = []
    for run in range(2):
        scene = Scene(tmp_path / str(run), seed=7)
        scene.seed(b"one", 0)
        scene.seed(b"two", 8)
        scene.state.counts.executions = 1_000_000
        scene.state.counts.worker_seconds = 1.0 + run
        plans.append([plan_of(scene, 500) for _ in range(5)])
        scene.store.close()
    assert plans[0] == plans[1]
    assert {plan.seconds for plan in plans[0]} == {0.0}
    other = Scene(tmp_path / "other", seed=8)
    other.seed(b"one", 0)
    other.seed(b"two", 8)
    assert replace(plan_of(other, 500), items=()) != replace(plans[0][0], items=())
    other.store.close()


def test_without_a_seed_a_plan_ends_by_the_clock(scene: Scene) -> None:
    scene.seed(b"seed", 0)
    assert 0.05 < plan_of(scene).seconds < 2.0


def test_wires_are_remembered() -> None:
    assert wire_of(corpus(b"text")) == wire(b"text")
    assert wire_of(corpus(b"text")) is wire_of(corpus(b"text"))
