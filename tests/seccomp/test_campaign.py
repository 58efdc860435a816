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
        store.add_recording(target.id, row.id, use("bind"), "fuzz", arch="amd64")
        store.add_process_recording(target.id, "tests", use("openat"), arch="amd64")
    return store


def gather(
    store: Store, observe: Callable[[], Recording], arch: str | None = None
) -> CampaignEvidence:
    return campaign_evidence(
        store, store.targets(), arch=arch, machine="amd64", observe_baseline=observe
    )


def test_all_targets_together(store: Store) -> None:
    with store:
        found = gather(store, observed)
    seen = {(row.name, row.source) for row in found.rows}
    assert seen == {("bind", "fuzz"), ("openat", "tests"), ("mmap", "baseline")}
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
    assert found.arch == "arm64"
    assert found.warnings[0].startswith("ANOTHER ARCHITECTURE: of 4 recordings, 4 on amd64, and")
    assert "arm64" in found.warnings[0]
    assert len(found.warnings) == 2


def test_the_architecture_is_that_of_the_recordings(tmp_path: Path) -> None:
    with Store.create(tmp_path / "campaign") as store:
        target = store.add_target("m", "FuzzA", "/m", "/m", "", False)
        store.add_process_recording(target.id, "tests", use("openat"), arch="arm64")
        found = gather(store, refused)
        assert (found.arch, found.warnings) == ("arm64", ())
        assert gather(store, observed, arch="amd64").warnings[0].startswith("ANOTHER ARCHITECTURE")
        store.add_capture(target.id, "integration", "./m", use("read"), arch="amd64")
        both = gather(store, observed)
        assert both.arch == "amd64"
        assert "of 2 recordings, 1 on arm64" in both.warnings[0]


def test_recordings_that_do_not_say_are_taken_to_be_of_this_machine(tmp_path: Path) -> None:
    with Store.create(tmp_path / "campaign") as store:
        target = store.add_target("m", "FuzzA", "/m", "/m", "", False)
        store.add_process_recording(target.id, "tests", use("openat"), arch="")
        assert (gather(store, observed).arch, gather(store, observed).warnings) == ("amd64", ())
        assert "1 on amd64" in gather(store, refused, arch="arm64").warnings[0]


def test_captured_programs_are_evidence_and_need_no_tests(store: Store) -> None:
    with store:
        program = store.add_program("m/cmd/job")
        cut = Recording(use("socket").uses, complete=False, problem="a map was full")
        store.add_capture(program.id, "integration", "./job serve", cut, arch="amd64")
        found = campaign_evidence(
            store,
            store.targets(programs=True),
            arch=None,
            machine="amd64",
            observe_baseline=observed,
        )
    assert ("socket", "integration") in {(row.name, row.source) for row in found.rows}
    assert found.incomplete == 1
    assert found.warnings == (
        "m/cmd/job: the calls of the integration run ./job serve are incomplete: a map was full",
    )


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
