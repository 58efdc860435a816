"""Opening the campaign database safely, and transactions on it.

Creating it is atomic: the tables are made in a file of another name, which is then renamed, so a
``campaign.db`` that is empty or has no tables is always damage and never a beginning.

Nothing here opens ``campaign.db`` but SQLite: a POSIX lock goes away when its process closes any
descriptor of the file, and a writer that lost its locks that way can lose its log to another
process. All checks therefore go through a read-only SQLite connection, which neither
replays nor deletes a log, so a file that is refused stays as it was.
"""

from __future__ import annotations

import os
import sqlite3
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from gofuzzsec.errors import StoreError
from gofuzzsec.files import write_atomic
from gofuzzsec.store import schema, upgrade
from gofuzzsec.store.location import DIRECTORY_NAME
from gofuzzsec.store.lock import WriterLock
from gofuzzsec.store.problems import (
    FAILURES,
    damaged,
    explain,
    our_mistake,
    primary_code,
    refused,
)

DATABASE_NAME = "campaign.db"
LOCK_NAME = "campaign.lock"

SQLITE_NEEDED = (3, 24, 0)
"""The first SQLite with ON CONFLICT DO UPDATE."""

_HEADER_BYTES = 100  # of SQLite's file format
_BUSY_TIMEOUT = 10.0  # seconds; only recovery and checkpoints ever make anybody wait
_CHECKPOINT_PAGES = 4000  # 16 MB: each checkpoint syncs the disk, and most of a burst is one page
_LOG_BYTES = 64 << 20  # what a log may keep on disk once it was checkpointed

Row = tuple[Any, ...]


class Database:
    """One connection; for a writer also the lock of the directory. Used by one thread.

    Owned by whoever opened it, until `close`. Every write is one transaction: when a method
    returns, what it kept survives the death of this process; when it raises, nothing of it was
    kept and the database can be used further.
    """

    def __init__(
        self, path: Path, connection: sqlite3.Connection, lock: WriterLock | None = None
    ) -> None:
        self.path = path
        self.readonly = lock is None
        self._connection = connection
        self._lock = lock
        self._open = True

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection and give the lock up; idempotent."""
        if not self._open:
            return
        self._open = False
        try:
            self._connection.close()
        finally:
            if self._lock is not None:
                self._lock.release()

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        """A transaction: committed at the end, undone by any exception. Raises StoreError."""
        if self.readonly:
            raise StoreError(f"{self.path}: opened for reading only; nothing was written")
        connection = self._connection
        try:
            if connection.in_transaction:  # an interrupt hit between a BEGIN and its `try`
                connection.rollback()
            connection.execute("BEGIN IMMEDIATE")
            yield connection
            connection.execute("COMMIT")
        except BaseException as error:
            self._undo()
            if isinstance(error, FAILURES) and not our_mistake(error):
                raise explain(self.path, error) from error
            raise

    def _undo(self) -> None:
        # SQLite has often rolled back by itself, and its first error is the one to report.
        with suppress(sqlite3.Error):
            self._connection.rollback()

    def _rows(self, sql: str, values: Sequence[Any] = ()) -> list[Row]:
        """All rows of one SELECT. Raises StoreError."""
        try:
            return self._connection.execute(sql, values).fetchall()
        except FAILURES as error:
            if our_mistake(error):
                raise
            raise explain(self.path, error) from error

    def _row(self, sql: str, values: Sequence[Any] = ()) -> Row | None:
        rows = self._rows(sql, values)
        return rows[0] if rows else None

    def _typed(self, row: Row, *types: Any) -> Row:
        """*row* when its values have *types*; a damaged or forged database may hold others."""
        for value, kind in zip(row, types, strict=True):
            if not isinstance(value, kind):
                raise damaged(self.path, f"a {type(value).__name__} where {kind} belongs")
        return row


def open_for_writing(directory: Path) -> tuple[Path, sqlite3.Connection, WriterLock]:
    """Make or open ``campaign.db`` in *directory* (made when missing) as its only writer."""
    _need_sqlite()
    path = directory / DATABASE_NAME
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(
            f"{directory}: cannot make the campaign directory ({error.strerror}); choose another "
            "place with --campaign"
        ) from error
    lock = WriterLock(directory / LOCK_NAME)
    try:
        try:
            if not os.path.lexists(path):
                _create(path)
            _inspect(path)
            return path, _present(path, _connect_writer(path)), lock
        except FAILURES as error:
            raise explain(path, error) from error
        except OSError as error:
            raise StoreError(f"{path}: cannot make the campaign database ({error})") from error
    except BaseException:
        lock.release()
        raise


def open_for_reading(directory: Path) -> tuple[Path, sqlite3.Connection]:
    """Open ``campaign.db`` in *directory* without changing it; a writer may be at work."""
    _need_sqlite()
    path = directory / DATABASE_NAME
    if not os.path.lexists(path):
        raise StoreError(
            f"{directory}: no campaign here (no {DATABASE_NAME}); start one with "
            "`gofuzzsec fuzz PACKAGE`, or say where it is with --campaign"
        )
    _regular(path)
    try:
        connection = _connect_reader(path)
        try:
            _refuse_foreign(path, connection)
            if schema.version_of(connection) < schema.SCHEMA_VERSION:
                connection.execute("PRAGMA query_only = OFF")  # of temporary views too
                upgrade.show_as_present(connection)
                connection.execute("PRAGMA query_only = ON")
        except BaseException:
            connection.close()
            raise
        return path, connection
    except FAILURES as error:
        raise explain(path, error) from error


def _create(path: Path) -> None:
    """A new database at *path*, complete or not at all; the directory's lock is held."""
    log = path.with_name(f"{path.name}-wal")
    if log.exists() and log.stat().st_size > 0:
        raise StoreError(
            f"{path}: the database is gone but its log {log.name} is there, so it was moved or "
            "deleted alone; put it back, or move the log away too to begin anew"
        )
    fresh = path.with_name(f"{path.name}.new")
    for leftover in (fresh, path.with_name(f"{fresh.name}-journal")):
        leftover.unlink(missing_ok=True)
    _hide_from_git(path.parent)
    connection = sqlite3.connect(fresh, isolation_level=None)
    try:
        connection.execute("PRAGMA synchronous = FULL")
        schema.build(connection)
    finally:
        connection.close()
    fresh.replace(path)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _hide_from_git(directory: Path) -> None:
    """Keep the user's repository clean. Not in a folder that holds things of others."""
    ours = {DATABASE_NAME, LOCK_NAME, f"{DATABASE_NAME}-wal", f"{DATABASE_NAME}-shm"}
    alone = all(entry.name in ours for entry in directory.iterdir())
    ignore = directory / ".gitignore"
    if (alone or directory.name == DIRECTORY_NAME) and not os.path.lexists(ignore):
        write_atomic(ignore, b"*\n")


def _inspect(path: Path) -> None:
    """Refuse what is no intact database of a known version. The file is not changed."""
    _regular(path)
    connection = _connect_reader(path)
    try:
        _refuse_foreign(path, connection)
        (verdict,) = connection.execute("PRAGMA integrity_check(1)").fetchone()
    finally:
        connection.close()
    if verdict != "ok":
        raise damaged(path, f"SQLite's check says {verdict!r}")


def _regular(path: Path) -> None:
    try:
        status = path.stat()
    except OSError as error:
        raise refused(path, f"it cannot be looked at ({error.strerror})") from error
    if not stat.S_ISREG(status.st_mode):
        raise refused(path, "it is not a file; move it away, or choose another with --campaign")
    if status.st_size < _HEADER_BYTES:  # SQLite takes a file of 0 or 1 bytes for a new database
        raise damaged(path, f"the file has {status.st_size} bytes, fewer than any database")


def _refuse_foreign(path: Path, connection: sqlite3.Connection) -> None:
    reason = schema.mismatch(connection)
    if reason:
        raise refused(path, reason)


def _connect_reader(path: Path) -> sqlite3.Connection:
    uri = f"{path.absolute().as_uri()}?mode=ro"
    try:
        return _readable(uri)
    except sqlite3.OperationalError as error:
        if primary_code(error) not in (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY):
            raise
        return _connect_unshared(path, uri, error)


def _connect_unshared(path: Path, uri: str, error: sqlite3.Error) -> sqlite3.Connection:
    """For a folder in which the log's index cannot be made, such as a read-only mount.

    Without a log the file alone is the whole database and may be read as it stands.
    """
    log = path.with_name(f"{path.name}-wal")
    try:
        pending = log.exists() and log.stat().st_size > 0
    except OSError:
        pending = True
    if pending:
        raise StoreError(
            f"{path}: cannot be read here ({error}), because {log.name} holds changes that are "
            "not in it yet and the folder is read-only; copy the folder to a place you may "
            "write and name that with --campaign"
        ) from error
    return _readable(f"{uri}&immutable=1")


def _readable(uri: str) -> sqlite3.Connection:
    connection = sqlite3.connect(uri, uri=True, isolation_level=None, timeout=_BUSY_TIMEOUT)
    try:
        _distrust(connection)
        connection.execute("PRAGMA query_only = ON")
        connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    except BaseException:
        connection.close()
        raise
    return connection


def _connect_writer(path: Path) -> sqlite3.Connection:
    uri = f"{path.absolute().as_uri()}?mode=rw"
    connection = sqlite3.connect(uri, uri=True, isolation_level=None, timeout=_BUSY_TIMEOUT)
    try:
        _distrust(connection)
        (mode,) = connection.execute("PRAGMA journal_mode = WAL").fetchone()
        if mode != "wal":
            raise StoreError(
                f"{path}: SQLite cannot keep a write-ahead log here (journal mode {mode}); "
                "choose a folder on a local disk with --campaign"
            )
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute(f"PRAGMA wal_autocheckpoint = {_CHECKPOINT_PAGES}")
        connection.execute(f"PRAGMA journal_size_limit = {_LOG_BYTES}")
    except BaseException:
        connection.close()
        raise
    return connection


def _present(path: Path, connection: sqlite3.Connection) -> sqlite3.Connection:
    """A writer's *connection* with the tables of the present version; closed when that fails."""
    try:
        if schema.version_of(connection) < schema.SCHEMA_VERSION:
            upgrade.upgrade(path, connection)
    except BaseException:
        connection.close()
        raise
    return connection


def _distrust(connection: sqlite3.Connection) -> None:
    """Guards against a crafted file: no functions with effects from its SQL, cells checked."""
    connection.execute("PRAGMA trusted_schema = OFF")
    connection.execute("PRAGMA cell_size_check = ON")


def _need_sqlite() -> None:
    if sqlite3.sqlite_version_info < SQLITE_NEEDED:
        needed = ".".join(map(str, SQLITE_NEEDED))
        raise StoreError(
            f"expected SQLite {needed} or newer in this Python, found {sqlite3.sqlite_version}; "
            "use another Python (3.11 or newer)"
        )
