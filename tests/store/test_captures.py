"""Whole processes: labelled runs that add up, and what they belong to."""

from __future__ import annotations

import tempfile
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gofuzzsec.errors import StoreError, UsageError
from gofuzzsec.store import Statements, Store, TargetRow
from gofuzzsec.syscalls.model import CallOutcome, Origin, Recording, SyscallUse
from gofuzzsec.syscalls.table import machine_arch
from tests.store.making import add_input, add_target, calls, only


def test_labels_add_up_and_replace(store: Store, target: TargetRow) -> None:
    first = Recording((SyscallUse("read", Origin.TARGET, 2, stack=("m.f m.go:1",)),))
    store.add_capture(target.id, "integration", "./m serve", first, at=1.0)
    second = calls("read", "write", "bind")
    store.add_capture(target.id, "integration", "./m client", second, at=2.0)
    read = only(store.syscalls(target.id), "read")
    assert (read.count, read.label, read.first_at, read.inputs) == (3, "./m serve", 1.0, 0)
    assert read.stack == ("m.f m.go:1",)
    assert only(store.syscalls(target.id), "bind").label == "./m client"

    store.add_capture(target.id, "integration", "./m serve", calls("write"), at=3.0)

    rows = store.syscalls(target.id)
    assert [(row.name, row.count) for row in rows] == [("bind", 1), ("read", 1), ("write", 2)]
    read = only(rows, "read")
    assert (read.label, read.first_at, read.stack) == ("./m client", 2.0, ())
    store.add_capture(target.id, "integration", "./m client", calls())
    assert [row.name for row in store.syscalls(target.id)] == ["write"]


def test_unlabelled_recordings_leave_the_labelled_alone(store: Store, target: TargetRow) -> None:
    store.add_capture(target.id, "tests", "example.org/m TestRead", calls("read", "openat"))
    store.add_process_recording(target.id, "tests", calls("read"))
    store.add_process_recording(target.id, "tests", calls("write"))
    found = [(row.name, row.label) for row in store.syscalls(target.id)]
    assert found == [
        ("openat", "example.org/m TestRead"),
        ("read", "example.org/m TestRead"),
        ("write", ""),
    ]


def test_statements_and_architecture(store: Store, target: TargetRow) -> None:
    row = add_input(store, target.id, "a")
    store.add_recording(target.id, row.id, calls("read"), "fuzz", at=1.0)
    use = SyscallUse("socket", Origin.TARGET, 1, kind="unix", outcome=CallOutcome.REFUSED)
    covered = Statements(64, 100)
    store.add_capture(
        target.id, "tests", "p", Recording((use,)), statements=covered, at=2.0, arch="arm64"
    )
    store.add_capture(target.id, "campaign", "run 1", calls("read"), at=3.0)
    tests, campaign = store.captures(target.id)
    assert (tests.source, tests.label, tests.arch, tests.at) == ("tests", "p", "arm64", 2.0)
    assert tests.statements == covered
    assert (campaign.source, campaign.statements) == ("campaign", None)
    assert store.recordings(target.id)[1:] == [tests, campaign]
    assert store.recording_syscalls(tests.id) == [use]
    assert store.recording_syscalls(999) == []
    assert store.architectures(target.id) == {machine_arch(): 2, "arm64": 1}
    assert store.behaviour(target.id) == {"read"}


def test_share_of_statements() -> None:
    assert Statements(64, 100).percent == 64.0
    assert Statements(0, 0).percent == 100.0


@pytest.mark.parametrize("wrong", [Statements(2, 1), Statements(-1, 1)])
def test_statements_that_cannot_be(store: Store, target: TargetRow, wrong: Statements) -> None:
    with pytest.raises(StoreError, match="does not fit"):
        store.add_capture(target.id, "tests", "p", calls("read"), statements=wrong)
    assert store.syscalls(target.id) == []
    assert store.captures(target.id) == []


def test_captured_programs_are_no_fuzz_tests(store: Store) -> None:
    program = store.add_program("example.org/m/cmd/job", binary="/bin/job")
    fuzz = add_target(store)
    assert store.add_program("example.org/m/cmd/job", binary="/new/job").id == program.id
    assert store.targets() == [fuzz]
    assert [row.full_name for row in store.targets(programs=True)] == [
        "example.org/m.FuzzA",
        "example.org/m/cmd/job",
    ]
    assert store.target("cmd/job", programs=True).binary == "/new/job"
    with pytest.raises(UsageError, match=r"no fuzz test 'cmd/job'"):
        store.target("cmd/job")


_CALLS = st.lists(
    st.builds(
        SyscallUse,
        st.sampled_from(["read", "socket"]),
        st.sampled_from([Origin.TARGET, Origin.RUNTIME]),
        st.integers(1, 5),
        stack=st.sampled_from([(), ("m.f",)]),
        outcome=st.sampled_from([CallOutcome.OK, CallOutcome.REFUSED]),
    ),
    max_size=4,
)


@settings(max_examples=30)
@given(runs=st.lists(st.tuples(st.sampled_from(["", "a", "b"]), _CALLS), max_size=8))
def test_sums_follow_from_the_last_run_of_each_label(
    runs: list[tuple[str, list[SyscallUse]]],
) -> None:
    last: dict[str, list[SyscallUse]] = {}
    with tempfile.TemporaryDirectory() as folder, Store.create(Path(folder) / "c") as store:
        target = add_target(store)
        for label, uses in runs:
            store.add_capture(target.id, "integration", label, Recording(tuple(uses)))
            last.pop(label, None)
            last[label] = uses
        expected: Counter[tuple[str, str, str]] = Counter()
        stacks: dict[tuple[str, str, str], tuple[str, ...]] = {}
        first: dict[tuple[str, str, str], str] = {}
        for label, uses in last.items():
            for use in uses:
                key = (use.name, use.outcome.value, use.origin.value)
                expected[key] += use.count
                first.setdefault(key, label)
                stacks[key] = stacks.get(key, ()) or use.stack
        found = {(row.name, row.outcome, row.origin): row for row in store.syscalls(target.id)}
        assert {key: row.count for key, row in found.items()} == expected
        assert {key: row.stack for key, row in found.items()} == stacks
        assert {key: row.label for key, row in found.items()} == first
