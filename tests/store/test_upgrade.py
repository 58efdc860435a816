"""Databases of schema version 1: brought up to date by a writer, read as they are by a reader."""

from __future__ import annotations

import os
import signal
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from gofuzzsec.corpus.format import file_name
from gofuzzsec.errors import StoreError
from gofuzzsec.store import RecordingRow, Store, SyscallRow, schema, upgrade
from gofuzzsec.syscalls.model import CallOutcome, Origin, SyscallUse
from tests.store.children import Report, child
from tests.store.making import add_input, calls, check_sums, corpus_file

# What the gofuzzsec of that version wrote, word for word: a database has these texts in it.
_VERSION_1 = """
CREATE TABLE target (
        id INTEGER PRIMARY KEY,
        import_path TEXT NOT NULL,
        name TEXT NOT NULL,
        package_dir BLOB NOT NULL,
        module_dir BLOB NOT NULL,
        binary BLOB NOT NULL,
        types TEXT NOT NULL,
        external INTEGER NOT NULL CHECK (external IN (0, 1)),
        UNIQUE (import_path, name)
    ) STRICT;
CREATE TABLE build (
        target_id INTEGER NOT NULL REFERENCES target (id) ON DELETE CASCADE,
        key TEXT NOT NULL,
        go_version TEXT NOT NULL,
        counters INTEGER NOT NULL CHECK (counters >= 0),
        used_at REAL NOT NULL,
        PRIMARY KEY (target_id, key)
    ) STRICT;
CREATE TABLE input (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        target_id INTEGER NOT NULL REFERENCES target (id) ON DELETE CASCADE,
        hash TEXT NOT NULL,
        source TEXT NOT NULL
            CHECK (source IN ('seed-add', 'seed-testdata', 'seed-cache', 'fuzz')),
        why TEXT NOT NULL CHECK (why IN ('seed', 'coverage', 'syscall')),
        parent INTEGER REFERENCES input (id) ON DELETE SET NULL,
        found_at REAL NOT NULL,
        data BLOB NOT NULL,
        UNIQUE (target_id, hash)
    ) STRICT;
CREATE INDEX input_by_hash ON input (hash);
CREATE INDEX input_by_parent ON input (parent);
CREATE TABLE coverage (
        input_id INTEGER PRIMARY KEY REFERENCES input (id) ON DELETE CASCADE,
        build_key TEXT NOT NULL,
        exec_ns INTEGER NOT NULL,
        features BLOB NOT NULL
    ) STRICT;
CREATE TABLE recording (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        target_id INTEGER NOT NULL REFERENCES target (id) ON DELETE CASCADE,
        source TEXT NOT NULL
            CHECK (source IN ('seeds', 'fuzz', 'tests', 'baseline', 'harness')),
        input_id INTEGER UNIQUE REFERENCES input (id) ON DELETE CASCADE,
        at REAL NOT NULL,
        complete INTEGER NOT NULL CHECK (complete IN (0, 1)),
        problem TEXT NOT NULL,
        CHECK ((input_id IS NOT NULL) = (source IN ('seeds', 'fuzz')))
    ) STRICT;
CREATE UNIQUE INDEX recording_of_process ON recording (target_id, source) WHERE input_id IS NULL;
CREATE TABLE stack (
        id INTEGER PRIMARY KEY,
        frames TEXT NOT NULL UNIQUE
    ) STRICT;
CREATE TABLE syscall (
        id INTEGER PRIMARY KEY,
        target_id INTEGER NOT NULL REFERENCES target (id) ON DELETE CASCADE,
        name TEXT NOT NULL,
        origin TEXT NOT NULL CHECK (origin IN ('target', 'runtime', 'harness', 'unknown')),
        source TEXT NOT NULL
            CHECK (source IN ('seeds', 'fuzz', 'tests', 'baseline', 'harness')),
        first_input TEXT NOT NULL,
        first_at REAL NOT NULL,
        count INTEGER NOT NULL CHECK (count >= 0),
        inputs INTEGER NOT NULL CHECK (inputs >= 0),
        stable INTEGER NOT NULL CHECK (stable IN (0, 1)),
        stack_id INTEGER REFERENCES stack (id),
        UNIQUE (target_id, name, origin, source)
    ) STRICT;
CREATE TABLE syscall_use (
        recording_id INTEGER NOT NULL REFERENCES recording (id) ON DELETE CASCADE,
        syscall_id INTEGER NOT NULL REFERENCES syscall (id) ON DELETE CASCADE,
        count INTEGER NOT NULL CHECK (count >= 0),
        stable INTEGER NOT NULL CHECK (stable IN (0, 1)),
        stack_id INTEGER REFERENCES stack (id),
        PRIMARY KEY (recording_id, syscall_id)
    ) WITHOUT ROWID, STRICT;
CREATE INDEX syscall_use_by_syscall ON syscall_use (syscall_id);
CREATE TABLE crash (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        target_id INTEGER NOT NULL REFERENCES target (id) ON DELETE CASCADE,
        hash TEXT NOT NULL,
        kind TEXT NOT NULL CHECK (kind IN ('crash', 'fail', 'hang', 'oom')),
        key TEXT NOT NULL,
        summary TEXT NOT NULL,
        path BLOB NOT NULL,
        reproduced INTEGER NOT NULL CHECK (reproduced IN (0, 1)),
        found_at REAL NOT NULL,
        count INTEGER NOT NULL CHECK (count >= 1),
        output TEXT NOT NULL,
        data BLOB NOT NULL,
        original BLOB NOT NULL,
        UNIQUE (target_id, key)
    ) STRICT;
CREATE INDEX crash_by_hash ON crash (hash);
CREATE TABLE stat (
        id INTEGER PRIMARY KEY,
        target_id INTEGER NOT NULL REFERENCES target (id) ON DELETE CASCADE,
        at REAL NOT NULL,
        executions INTEGER NOT NULL,
        edges INTEGER NOT NULL,
        corpus INTEGER NOT NULL,
        syscalls INTEGER NOT NULL,
        crashes INTEGER NOT NULL,
        cpu_seconds REAL NOT NULL
    ) STRICT;
CREATE INDEX stat_by_target ON stat (target_id);
"""
_HASH = file_name(corpus_file("a"))
_STACK = ("syscall.openat", "m.Read")
_ROWS = f"""
INSERT INTO target VALUES (1, 'example.org/m', 'FuzzA', x'2f', x'2f', x'', '["string"]', 0);
INSERT INTO build VALUES (1, 'b0', 'go1.27.3', 100, 5.0);
INSERT INTO input VALUES (1, 1, '{_HASH}', 'fuzz', 'coverage', NULL, 9.0,
    x'{corpus_file("a").hex()}');
INSERT INTO coverage VALUES (1, 'b0', 100, x'');
INSERT INTO stack VALUES (3, '["syscall.openat","m.Read"]');
INSERT INTO recording VALUES (2, 1, 'fuzz', 1, 10.0, 1, '');
INSERT INTO recording VALUES (4, 1, 'tests', NULL, 20.0, 0, 'a test failed');
INSERT INTO recording VALUES (5, 1, 'baseline', NULL, 30.0, 1, '');
INSERT INTO recording VALUES (9, 1, 'harness', NULL, 40.0, 1, '');
DELETE FROM recording WHERE id = 9;
INSERT INTO syscall VALUES (7, 1, 'openat', 'target', 'fuzz', '{_HASH}', 10.0, 6, 1, 1, 3);
INSERT INTO syscall VALUES (8, 1, 'openat', 'target', 'tests', '', 20.0, 4, 0, 1, 3);
INSERT INTO syscall VALUES (9, 1, 'mmap', 'runtime', 'baseline', '', 30.0, 5, 0, 1, NULL);
INSERT INTO syscall VALUES (10, 1, 'bind', 'target', 'fuzz', 'feed', 1.0, 0, 0, 0, NULL);
INSERT INTO syscall_use VALUES (2, 7, 6, 1, 3);
INSERT INTO crash VALUES (3, 1, 'beef', 'fail', 'k', 's', x'2f', 1, 8.0, 2, 'o', x'00', x'01');
INSERT INTO stat VALUES (1, 1, 5.0, 100, 9, 2, 3, 0, 1.5);
"""

_STRICT = pytest.mark.parametrize("strict", [True, False])


@pytest.fixture
def old(campaign: Path) -> Path:
    """A campaign that the gofuzzsec of version 1 kept."""
    return _make(campaign, strict=sqlite3.sqlite_version_info >= schema.STRICT_SINCE)


def _make(campaign: Path, *, strict: bool) -> Path:
    campaign.mkdir()
    connection = sqlite3.connect(campaign / "campaign.db")
    text = _VERSION_1
    if not strict:
        text = text.replace(", STRICT", "").replace(" STRICT", "")
    connection.executescript(f"PRAGMA journal_mode = WAL; {text} {_ROWS}")
    connection.execute(f"PRAGMA application_id = {schema.APPLICATION_ID}")
    connection.execute("PRAGMA user_version = 1")
    connection.close()
    return campaign


def _check(store: Store) -> None:
    """Everything that version 1 held is there, in words of the present version."""
    (target,) = store.targets()
    assert (target.import_path, target.types) == ("example.org/m", ("string",))
    assert [build.key for build in store.builds(target.id)] == ["b0"]
    (row,) = store.inputs(target.id)
    assert (row.hash, row.recorded) == (_HASH, True)
    use = SyscallUse("openat", Origin.TARGET, 6, stack=_STACK, outcome=CallOutcome.UNTOLD)
    assert store.input_syscalls(row.id) == [use]
    assert store.syscalls(target.id) == [
        SyscallRow("bind", "target", "fuzz", "feed", 1.0, 0, 0, True, ()),
        SyscallRow("mmap", "runtime", "baseline", "", 30.0, 5, 0, False, ()),
        SyscallRow("openat", "target", "fuzz", _HASH, 10.0, 6, 1, False, _STACK),
        SyscallRow("openat", "target", "tests", "", 20.0, 4, 0, False, _STACK),
    ]
    tests = RecordingRow(4, "tests", "", 20.0, False, "a test failed", "", "", None)
    assert store.recordings(target.id) == [
        RecordingRow(2, "fuzz", _HASH, 10.0, True, "", "", "", None),
        tests,
        RecordingRow(5, "baseline", "", 30.0, True, "", "", "", None),
    ]
    assert store.recordings(target.id, incomplete=True) == [tests]
    assert store.recording_syscalls(4) == [SyscallUse("openat", Origin.TARGET, 4, stack=_STACK)]
    assert store.architectures(target.id) == {"": 3}
    assert [crash.id for crash in store.crashes()] == [3]
    assert [point.executions for point in store.series(target.id)] == [100]
    check_sums(store, target.id)


@_STRICT
def test_a_writer_brings_it_up_to_date(campaign: Path, strict: bool) -> None:
    with Store.create(_make(campaign, strict=strict)) as store:
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


@_STRICT
def test_a_reader_sees_the_same_and_changes_nothing(campaign: Path, strict: bool) -> None:
    database = _make(campaign, strict=strict) / "campaign.db"
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
