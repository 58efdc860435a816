"""What a store, its binaries and captures say of completeness, put together."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from gofuzzsec.coordinator.completing import completeness_of
from gofuzzsec.coordinator.reached import Reached
from gofuzzsec.seccomp.campaign import CampaignEvidence
from gofuzzsec.store import Statements, Store, TargetRow
from gofuzzsec.syscalls.bound_model import Bound
from gofuzzsec.syscalls.model import Recording

EVIDENCE = CampaignEvidence((), "amd64", frozenset({"futex"}), 0, 0, ())


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """A fuzz test with sights, and a program captured twice."""
    with Store.create(tmp_path / "campaign") as made:
        target = made.add_target("example.org/m", "FuzzX", "", "", "", external=False)
        made.add_incidence(target.id, 50, {"openat: ok": 5, "openat": 5})
        program = made.add_program("example.org/m/cmd")
        for source, label in (("integration", "./m serve"), ("tests", "")):
            made.add_capture(program.id, source, label, Recording(()), statements=Statements(1, 4))
        made.add_capture(program.id, "integration", "./m plain", Recording(()))
        yield made


def looker(arch: str) -> tuple[list[str], object]:
    asked: list[str] = []

    def look(target: TargetRow) -> Reached:
        asked.append(target.full_name)
        bound = Bound(arch, "go1.26", ("m.FuzzX",), (), (), (), (), reached=1, functions=2)
        return Reached((bound,), {"m.FuzzX": (1, 2)}, ())

    return asked, look


def test_only_fuzz_tests_have_code_to_look_into(store: Store) -> None:
    asked, look = looker("amd64")
    targets = store.targets(programs=True)
    found = completeness_of(store, targets, EVIDENCE, allowed=(), look=look)  # type: ignore[arg-type]
    fuzzed, captured = found.targets
    assert asked == ["example.org/m.FuzzX"]
    assert fuzzed.edges == (1, 2) and fuzzed.reach is not None and found.reach is not None
    assert fuzzed.behaviours is not None and fuzzed.behaviours.whole.executions == 50
    assert captured.reach is None and captured.behaviours is None
    assert [label for label, _ in captured.statements] == ["run ./m serve", "hand-written tests"]
    assert found.runtime == ("futex",)


def test_a_binary_of_another_architecture_says_nothing(store: Store) -> None:
    _, look = looker("arm64")
    found = completeness_of(store, store.targets(), EVIDENCE, allowed=(), look=look)  # type: ignore[arg-type]
    (target,) = found.targets
    assert found.reach is None and target.reach is None and target.edges is None
    assert target.problems == ("the fuzz binary is for arm64, and the profile for amd64",)


def test_nobody_need_look(store: Store) -> None:
    found = completeness_of(store, store.targets(), EVIDENCE, allowed=(), look=None)
    assert found.reach is None and found.targets[0].problems == ()
