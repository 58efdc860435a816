"""Beginning, resuming and sharing a campaign directory."""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import sqlite3
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gofuzzsec.errors import StoreError
from gofuzzsec.store import Store, database, schema
from gofuzzsec.store.lock import WriterLock
from tests.store.children import Report, child, outcome, outcome_without_rights
from tests.store.making import add_input, add_target, calls


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that any user may enter, unlike pytest's own."""
    folder = Path(tempfile.mkdtemp(prefix="gofuzzsec-store-"))
    folder.chmod(0o755)
    yield folder
    for path in (folder, *folder.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)
    shutil.rmtree(folder)


def test_resume(campaign: Path) -> None:
    with Store.create(campaign) as store:
        target = add_target(store)
        row = add_input(store, target.id, "x")
        store.add_recording(target.id, row.id, calls("read"), "fuzz")
    with Store.create(campaign) as store:
        assert store.targets() == [target]
        assert [found.hash for found in store.inputs(target.id)] == [row.hash]
        assert store.behaviour(target.id) == {"read"}


def test_directory_is_made_and_hidden_from_git(tmp_path: Path) -> None:
    campaign = tmp_path / "a" / "b"
    with Store.create(campaign):
        assert (campaign / ".gitignore").read_text() == "*\n"
    (campaign / ".gitignore").write_text("mine\n")
    with Store.create(campaign):
        assert (campaign / ".gitignore").read_text() == "mine\n"


def test_gitignore_does_not_hide_what_is_not_ours(tmp_path: Path) -> None:
    (tmp_path / "go.mod").write_text("module m\n")
    with Store.create(tmp_path):
        assert not (tmp_path / ".gitignore").exists()
    ours = tmp_path / ".gofuzzsec"
    (ours / "scratch").mkdir(parents=True)
    with Store.create(ours):
        assert (ours / ".gitignore").read_text() == "*\n"


def test_odd_path(tmp_path: Path) -> None:
    campaign = tmp_path / os.fsdecode(b"what? a #1 %41 \xff\n'dir'")
    with Store.create(campaign) as store:
        add_target(store)
        with Store.open_readonly(campaign) as reader:
            assert len(reader.targets()) == 1
    assert (campaign / "campaign.db").is_file()


def test_relative_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with Store.create(Path("c")) as store:
        add_target(store)
    assert (tmp_path / "c" / "campaign.db").is_file()


def test_tables_are_strict_where_sqlite_can(store: Store, campaign: Path) -> None:
    strict = sqlite3.sqlite_version_info >= schema.STRICT_SINCE
    assert ("STRICT" in schema.statements(strict=strict)[0]) == strict
    target = add_target(store)
    if strict:
        with pytest.raises(StoreError, match="cannot store TEXT value in INTEGER"):
            store.add_stats(target.id, 1.0, "many", 0, 0, 0, 0, 0.0)  # type: ignore[arg-type]


def test_database_of_an_older_sqlite(campaign: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(schema, "STRICT_SINCE", (99, 0, 0))
        with Store.create(campaign) as store:
            target = add_target(store)
            store.add_stats(target.id, 1.0, "many", 0, 0, 0, 0, 0.0)  # type: ignore[arg-type]
    with Store.create(campaign) as store:
        assert store.targets() == [target]
        with pytest.raises(StoreError, match="a str where"):  # what STRICT would have refused
            store.series(target.id)


def test_sqlite_too_old(campaign: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "SQLITE_NEEDED", (99, 0, 0))
    for opened in (Store.create, Store.open_readonly):
        with pytest.raises(StoreError, match=r"expected SQLite 99\.0\.0 or newer in this Python"):
            opened(campaign)
    assert not campaign.exists()


def test_close_twice_and_use_after(campaign: Path) -> None:
    store = Store.create(campaign)
    store.close()
    store.close()
    with pytest.raises(sqlite3.ProgrammingError):
        store.targets()
    with pytest.raises(sqlite3.ProgrammingError):
        add_target(store)
    Store.create(campaign).close()


def test_second_writer_is_refused(store: Store, campaign: Path) -> None:
    def second(report: Report) -> None:
        try:
            Store.create(campaign)
        except StoreError as error:
            report(str(error))

    (message,) = outcome(second)
    assert f"in use by process {os.getpid()};" in message
    assert "--campaign" in message
    with pytest.raises(StoreError, match=f"process {os.getpid()}"):
        Store.create(campaign)
    target = add_target(store)
    assert store.targets() == [target]


def test_lock_dies_with_its_holder(campaign: Path) -> None:
    def hold(report: Report) -> None:
        Store.create(campaign)
        report("held")
        os.read(os.pipe()[0], 1)  # until killed

    with child(hold) as holder:
        assert next(holder.reports()) == "held"
        with pytest.raises(StoreError, match=f"process {holder.pid};"):
            Store.create(campaign)
    assert (campaign / "campaign.lock").read_text() == f"{holder.pid}\n"
    with Store.create(campaign):
        assert (campaign / "campaign.lock").read_text() == f"{os.getpid()}\n"
    assert (campaign / "campaign.lock").read_text() == ""


def test_lock_text_decides_nothing(tmp_path: Path) -> None:
    path = tmp_path / "campaign.lock"
    path.write_text(f"{os.getppid()}\n" * 9000)
    lock = WriterLock(path)
    path.write_bytes(b"\xff not a pid")
    with pytest.raises(StoreError, match="in use by another process;"):
        WriterLock(path)
    lock.release()
    WriterLock(path).release()


@pytest.mark.parametrize("kind", ["folder", "link", "pipe"])
def test_lock_file_that_is_none(campaign: Path, kind: str) -> None:
    campaign.mkdir()
    path = campaign / "campaign.lock"
    victim = campaign / "victim"
    victim.write_text("keep")
    if kind == "folder":
        path.mkdir()
    elif kind == "link":
        path.symlink_to(victim)
    else:
        os.mkfifo(path)
    if kind == "pipe":  # can be locked as well as any file, and nothing may block on it
        Store.create(campaign).close()
    else:
        with pytest.raises(StoreError, match="cannot open the campaign's lock file"):
            Store.create(campaign)
    assert victim.read_text() == "keep"


def test_failed_opening_gives_the_lock_up(campaign: Path) -> None:
    campaign.mkdir()
    (campaign / "campaign.db").write_bytes(b"no database")
    with pytest.raises(StoreError):
        Store.create(campaign)
    (campaign / "campaign.db").unlink()
    Store.create(campaign).close()


def test_directory_that_cannot_be(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="cannot make the campaign directory"):
        Store.create(tmp_path / "file" / "campaign")
    with pytest.raises(StoreError, match="cannot make the campaign directory"):
        Store.create(tmp_path / "file")


def test_nothing_to_read(campaign: Path) -> None:
    with pytest.raises(StoreError, match="start one with `gofuzzsec fuzz"):
        Store.open_readonly(campaign)
    assert not campaign.exists()


def test_reader_writes_nothing(store: Store, campaign: Path) -> None:
    target = add_target(store)
    with Store.open_readonly(campaign) as reader:
        assert reader.readonly
        with pytest.raises(StoreError, match="opened for reading only"):
            add_input(reader, target.id, "x")
    assert store.input_count(target.id) == 0


def test_readers_beside_a_writer(campaign: Path) -> None:
    def write(report: Report) -> None:
        with Store.create(campaign) as store:
            target = add_target(store)
            report(target.id)
            for number in range(400):
                row = add_input(store, target.id, str(number))
                store.add_recording(target.id, row.id, calls("read"), "fuzz")
                report(number + 1)

    with child(write) as writer:
        reports = writer.reports()
        target_id = next(reports)
        with Store.open_readonly(campaign) as steady:
            for told in reports:
                if told % 10 == 0:
                    with Store.open_readonly(campaign) as passing:
                        assert passing.input_count(target_id) >= told
                    assert steady.input_count(target_id) >= told
                    assert sum(row.inputs for row in steady.syscalls(target_id)) >= told
            assert writer.wait() == 0
            assert steady.input_count(target_id) == 400
            assert len(list(steady.inputs(target_id))) == 400


def test_reader_after_a_killed_writer(campaign: Path) -> None:
    def write(report: Report) -> None:
        store = Store.create(campaign)
        target = add_target(store)
        add_input(store, target.id, "x")
        report(target.id)
        os.read(os.pipe()[0], 1)  # until killed

    with child(write) as writer:
        target_id = next(writer.reports())
    assert (campaign / "campaign.db-wal").stat().st_size > 0
    with Store.open_readonly(campaign) as reader:
        assert reader.input_count(target_id) == 1
    with Store.create(campaign) as store:
        assert store.input_count(target_id) == 1


def test_read_only_directory(open_folder: Path) -> None:
    campaign = open_folder / "campaign"
    with Store.create(campaign) as store:
        target = add_target(store)
        add_input(store, target.id, "x")
    campaign.chmod(0o555)

    def read(report: Report) -> None:
        with Store.open_readonly(campaign) as reader:
            report([row.name for row in reader.targets()])
            report(reader.input_count(target.id))
        try:
            Store.create(campaign)
        except StoreError as error:
            report(str(error))

    names, inputs, refusal = outcome_without_rights(read)
    assert (names, inputs) == (["FuzzA"], 1)
    assert "Permission denied" in refusal or "cannot be opened or written" in refusal
    assert sorted(path.name for path in campaign.iterdir()) == [
        ".gitignore",
        "campaign.db",
        "campaign.lock",
    ]


def test_read_only_directory_with_a_log(open_folder: Path) -> None:
    campaign = open_folder / "campaign"
    copy = open_folder / "copy"
    with Store.create(campaign) as store:
        add_target(store)
        copy.mkdir()
        for name in ("campaign.db", "campaign.db-wal"):
            shutil.copy(campaign / name, copy / name)
    copy.chmod(0o555)

    def read(report: Report) -> None:
        try:
            Store.open_readonly(copy)
        except StoreError as error:
            report(str(error))

    (message,) = outcome_without_rights(read)
    assert "campaign.db-wal holds changes" in message
    assert "copy the folder" in message
    copy.chmod(0o755)
    with Store.open_readonly(copy) as reader:
        assert len(reader.targets()) == 1


def test_unreadable_database(open_folder: Path) -> None:
    campaign = open_folder / "campaign"
    Store.create(campaign).close()
    (campaign / "campaign.db").chmod(0)

    def read(report: Report) -> None:
        try:
            Store.open_readonly(campaign)
        except StoreError as error:
            report(str(error))

    (message,) = outcome_without_rights(read)
    assert "cannot be opened" in message
    assert "permissions" in message


def test_new_database_is_for_its_owner_to_share(campaign: Path) -> None:
    old = os.umask(0o077)
    try:
        Store.create(campaign).close()
    finally:
        os.umask(old)
    mode = stat.S_IMODE((campaign / "campaign.db").stat().st_mode)
    assert mode & 0o077 == 0


def test_another_program_holds_the_database(
    campaign: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "_BUSY_TIMEOUT", 0.0)
    with Store.create(campaign) as store:
        target = add_target(store)
        other = sqlite3.connect(campaign / "campaign.db", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreError, match="another program holds a lock on it"):
            add_input(store, target.id, "x")
        other.execute("ROLLBACK")
        other.close()
        add_input(store, target.id, "x")


def test_file_system_without_shared_memory(campaign: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on some network mounts: here by a VFS of SQLite that has no locks."""
    connect = sqlite3.connect

    def without(name: str | Path, **options: Any) -> sqlite3.Connection:
        suffix = "&vfs=unix-none" if str(name).endswith("?mode=rw") else ""
        connection: sqlite3.Connection = connect(f"{name}{suffix}", **options)
        return connection

    monkeypatch.setattr(sqlite3, "connect", without)
    with pytest.raises(StoreError, match=r"cannot keep a write-ahead log here \(journal mode del"):
        Store.create(campaign)


def test_file_system_without_locks(campaign: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "flock", refuse)
    with pytest.raises(StoreError, match=r"cannot lock the campaign \(No locks available\)"):
        Store.create(campaign)
