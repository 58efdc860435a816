"""Databases of schema versions 1 and 2: a writer brings them up to date, a reader leaves them."""

from __future__ import annotations

import os
import signal
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from gofuzzsec.errors import StoreError
from gofuzzsec.store import (
    Incidence,
    RecordingRow,
    Statements,
    Store,
    SyscallRow,
    schema,
    upgrade,
)
from gofuzzsec.syscalls.model import CallOutcome, Origin, SyscallUse
from tests.store.children import Report, child
from tests.store.making import add_input, calls, check_sums
from tests.store.old_versions import HASH, STACK, make_old

_STRICT = pytest.mark.parametrize("strict", [True, False])


@pytest.fixture
def old(campaign: Path) -> Path:
    """A campaign that the gofuzzsec of version 1 kept."""
    return make_old(campaign, strict=sqlite3.sqlite_version_info >= schema.STRICT_SINCE)


def _check(store: Store) -> None:
    """Everything that version 1 held is there, in words of the present version."""
    (target,) = store.targets()
    assert (target.import_path, target.types) == ("example.org/m", ("string",))
    assert [build.key for build in store.builds(target.id)] == ["b0"]
    (row,) = store.inputs(target.id)
    assert (row.hash, row.recorded) == (HASH, True)
    use = SyscallUse("openat", Origin.TARGET, 6, stack=STACK, outcome=CallOutcome.UNTOLD)
    assert store.input_syscalls(row.id) == [use]
    assert store.syscalls(target.id) == [
        SyscallRow("bind", "target", "fuzz", "feed", 1.0, 0, 0, True, ()),
        SyscallRow("mmap", "runtime", "baseline", "", 30.0, 5, 0, False, ()),
        SyscallRow("openat", "target", "fuzz", HASH, 10.0, 6, 1, False, STACK),
        SyscallRow("openat", "target", "tests", "", 20.0, 4, 0, False, STACK),
    ]
    tests = RecordingRow(4, "tests", "", 20.0, False, "a test failed", "", "", None)
    assert store.recordings(target.id) == [
        RecordingRow(2, "fuzz", HASH, 10.0, True, "", "", "", None),
        tests,
        RecordingRow(5, "baseline", "", 30.0, True, "", "", "", None),
    ]
    assert store.recordings(target.id, incomplete=True) == [tests]
    assert store.recording_syscalls(4) == [SyscallUse("openat", Origin.TARGET, 4, stack=STACK)]
    assert store.architectures(target.id) == {"": 3}
    assert [crash.id for crash in store.crashes()] == [3]
    assert [point.executions for point in store.series(target.id)] == [100]
    check_sums(store, target.id)


@_STRICT
def test_a_writer_brings_it_up_to_date(campaign: Path, strict: bool) -> None:
    with Store.create(make_old(campaign, strict=strict)) as store:
        _check(store)
    assert _pragma(campaign, "user_version") == schema.SCHEMA_VERSION
    with Store.open_readonly(campaign) as reader:
        _check(reader)
    with Store.create(campaign) as store:
        _check(store)
        _go_on(store)


def _go_on(store: Store) -> None:
    """Old evidence is replaced and added to like any other."""
    (target,) = store.targets()
    row = add_input(store, target.id, "b")
    assert store.add_recording(target.id, row.id, calls("openat", "read"), "fuzz") == ["read"]
    assert store.recordings(target.id)[-1].id > 9  # the order of sight goes on
    store.add_process_recording(target.id, "tests", calls("pipe2"))
    store.add_capture(target.id, "integration", "./m", calls("bind"))
    names = [(found.name, found.source) for found in store.syscalls(target.id)]
    assert ("openat", "tests") not in names
    assert ("pipe2", "tests") in names
    assert ("bind", "integration") in names
    check_sums(store, target.id)


def _check_2(store: Store) -> None:
    """Everything that version 2 held is there; what it did not know is not told."""
    seen = SyscallUse("openat", Origin.TARGET, 6, stack=STACK, kind="read", outcome=CallOutcome.OK)
    assert store.input_syscalls(1) == [seen]
    assert store.syscalls(1) == [
        SyscallRow("openat", "target", "fuzz", HASH, 10.0, 6, 1, False, STACK, "read", "ok"),
        SyscallRow("openat", "target", "tests", "", 20.0, 4, 0, False, (), "write", "ok"),
    ]
    assert [each.statements for each in store.captures(1)] == [Statements(3, 4)]
    check_sums(store, 1)


@_STRICT
def test_version_2(campaign: Path, strict: bool) -> None:
    database = make_old(campaign, strict=strict, version=2) / "campaign.db"
    before = database.read_bytes()
    with Store.open_readonly(campaign) as reader:
        _check_2(reader)
        assert reader.incidence(1) == ()
    assert database.read_bytes() == before
    with Store.create(campaign) as store:
        _check_2(store)
        store.add_incidence(1, 5, {"openat": 2})
        _go_on(store)
    assert _pragma(campaign, "user_version") == schema.SCHEMA_VERSION
    with Store.open_readonly(campaign) as reader:
        assert reader.incidence(1) == (Incidence(5, {"openat": 2}),)


@_STRICT
def test_a_reader_sees_the_same_and_changes_nothing(campaign: Path, strict: bool) -> None:
    database = make_old(campaign, strict=strict) / "campaign.db"
    before = database.read_bytes()
    with Store.open_readonly(campaign) as reader:
        _check(reader)
        with pytest.raises(StoreError, match="opened for reading only"):
            reader.add_process_recording(1, "tests", calls("read"))
    assert database.read_bytes() == before
    assert _pragma(campaign, "user_version") == 1


def test_a_reader_lives_through_the_change(old: Path) -> None:
    with Store.open_readonly(old) as reader:
        _check(reader)
        with Store.create(old) as store:
            _go_on(store)
        names = {row.name for row in reader.syscalls(1)}
        assert {"openat", "mmap", "bind", "pipe2"} <= names


def test_one_transaction(old: Path) -> None:
    """When a row does not fit, nothing of it has happened, and the words say what is wrong."""
    _alter(old, "INSERT INTO syscall_use VALUES (77, 7, 1, 1, NULL)")
    for _ in range(2):
        with pytest.raises(StoreError, match="is damaged: a row of table syscall_use refers"):
            Store.create(old)
    assert _pragma(old, "user_version") == 1
    _alter(old, "DELETE FROM syscall_use WHERE recording_id = 77")
    with Store.create(old) as store:
        _check(store)


def test_killed_on_the_way(old: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rebuild = upgrade._rebuild

    def stop_before_the_end(connection: sqlite3.Connection, *, strict: bool) -> None:
        rebuild(connection, strict=strict)
        assert connection.execute("SELECT label FROM recording").fetchone() == ("",)
        os.kill(os.getpid(), signal.SIGKILL)

    def write(report: Report) -> None:
        monkeypatch.setattr(upgrade, "_rebuild", stop_before_the_end)
        report("begun")
        Store.create(old)

    with child(write) as writer:
        assert list(writer.reports()) == ["begun"]
        assert writer.wait() == -signal.SIGKILL
    assert _pragma(old, "user_version") == 1
    with Store.create(old) as store:
        _check(store)


@pytest.mark.parametrize(
    "change",
    [
        "CREATE TRIGGER t AFTER INSERT ON input BEGIN DELETE FROM crash; END",
        "CREATE VIEW v AS SELECT * FROM input",
        "DROP TABLE stat",
        f"PRAGMA user_version = {schema.SCHEMA_VERSION}",
    ],
)
def test_changed_tables_are_refused_and_left_alone(old: Path, change: str) -> None:
    _alter(old, change)
    before = (old / "campaign.db").read_bytes()
    for opening in (Store.create, Store.open_readonly):
        with pytest.raises(StoreError, match="its tables are not those of schema version"):
            opening(old)
    assert (old / "campaign.db").read_bytes() == before


def _pragma(campaign: Path, name: str) -> Any:
    with sqlite3.connect(campaign / "campaign.db") as connection:
        (value,) = connection.execute(f"PRAGMA {name}").fetchone()
    connection.close()
    return value


def _alter(campaign: Path, script: str) -> None:
    connection = sqlite3.connect(campaign / "campaign.db")
    connection.executescript(script)
    connection.commit()
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
