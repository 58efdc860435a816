"""Evidence for a profile from a campaign's store."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from gofuzzsec.errors import RecorderError
from gofuzzsec.seccomp.campaign import CampaignEvidence, campaign_evidence
from gofuzzsec.store import Store
from gofuzzsec.syscalls.model import Origin, Recording, SyscallUse

START = Recording((SyscallUse("mmap", Origin.RUNTIME, 1),))


def use(name: str) -> Recording:
    return Recording((SyscallUse(name, Origin.TARGET, 1),))


def observed() -> Recording:
    return START


def refused() -> Recording:
    raise AssertionError("a baseline was observed that is not wanted")


def broken() -> Recording:
    raise RecorderError("no strace here:\ninstall it")


@pytest.fixture
def store(tmp_path: Path) -> Store:
    store = Store.create(tmp_path / "campaign")
    for name in ("FuzzA", "FuzzB"):
        target = store.add_target("m", name, "/m", "/m", "", False)
        for text in (b"1", b"2"):
            row = store.add_input(
                target.id,
                data=b'go test fuzz v1\nstring("' + text + b'")\n',
                source="fuzz",
                why="coverage",
                parent=None,
                exec_ns=1,
                build_key="k",
                coverage=b"",
                found_at=1.0,
            )
        store.add_recording(target.id, row.id, use("bind"), "fuzz")
        store.add_process_recording(target.id, "tests", use("openat"))
    return store


def gather(store: Store, observe: Callable[[], Recording], arch: str = "amd64") -> CampaignEvidence:
    return campaign_evidence(
        store, store.targets(), arch=arch, machine="amd64", observe_baseline=observe
    )


def test_all_targets_together(store: Store) -> None:
    with store:
        found = gather(store, observed)
    assert {(row.name, row.source) for row in found.rows} == {("bind", "fuzz"), ("openat", "tests")}
    assert found.unrecorded == 2
    assert found.baseline == {"mmap"}
    assert found.warnings == ()


def test_a_recorded_baseline_is_taken(store: Store) -> None:
    with store:
        for target in store.targets():
            store.add_process_recording(target.id, "baseline", use("brk"))
        assert gather(store, refused).baseline == {"brk"}


def test_a_baseline_that_cannot_be_observed_is_a_warning(store: Store) -> None:
    with store:
        found = gather(store, broken)
    assert found.baseline == frozenset()
    assert found.warnings == ("the Go runtime's baseline cannot be recorded: no strace here:",)


def test_another_architecture_is_warned_of_first_and_nothing_is_observed_for_it(
    store: Store,
) -> None:
    with store:
        store.add_target("m", "FuzzC", "/m", "/m", "", False)
        found = gather(store, refused, arch="arm64")
    assert found.warnings[0].startswith("ANOTHER ARCHITECTURE: this is an amd64 machine")
    assert "arm64" in found.warnings[0]
    assert len(found.warnings) == 2


def test_gaps_are_named(store: Store) -> None:
    with store:
        first, _ = store.targets()
        cut = Recording((), complete=False, problem="the worker died\nat once")
        store.add_process_recording(first.id, "tests", cut)
        for row in store.inputs(first.id):
            store.add_recording(first.id, row.id, cut, "fuzz")
        third = store.add_target("m", "FuzzC", "/m", "/m", "", False)
        for number in range(4):
            row = store.add_input(
                third.id,
                data=b"go test fuzz v1\nint(%d)\n" % number,
                source="fuzz",
                why="coverage",
                parent=None,
                exec_ns=1,
                build_key="k",
                coverage=b"",
                found_at=1.0,
            )
            store.add_recording(third.id, row.id, cut, "fuzz")
        warnings = gather(store, observed).warnings
    assert "m.FuzzA: the calls of the tests are incomplete: the worker died" in warnings
    assert "m.FuzzC: the hand-written tests are not recorded; calls only they make are missing" in (
        warnings
    )
    assert sum("m.FuzzC: the calls of input" in warning for warning in warnings) == 3
    assert "m.FuzzC: 1 more recordings are incomplete" in warnings
