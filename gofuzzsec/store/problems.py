"""What went wrong with a campaign database, in words that say what to do."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from gofuzzsec.errors import StoreError

FAILURES = (sqlite3.Error, UnicodeDecodeError)
"""What a statement may raise. The latter where SQLite's own message quotes a damaged schema."""

_FULL = {sqlite3.SQLITE_FULL}
_UNWRITABLE = {sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM, sqlite3.SQLITE_CANTOPEN}
_BUSY = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_PROTOCOL}
_DAMAGED = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_FORMAT}


def primary_code(error: Exception) -> int:
    """The primary SQLite result code of *error*, 0 when it does not come from SQLite itself."""
    code: int = getattr(error, "sqlite_errorcode", 0)
    return code & 0xFF


def damaged(path: Path, found: str) -> StoreError:
    """The database at *path* is not as gofuzzsec wrote it: *found* instead."""
    return StoreError(
        f"{path}: the campaign database is damaged: {found}. It was left as it is; put a copy "
        "back, move it away to begin anew, or choose another folder with --campaign"
    )


def refused(path: Path, reason: str) -> StoreError:
    """The file at *path* cannot be used as a campaign database, because of *reason*."""
    return StoreError(f"{path}: expected a gofuzzsec campaign database, but {reason}")


def our_mistake(error: Exception) -> bool:
    """Whether *error* is about how we call SQLite, so a bug and nothing for a user to mend."""
    return isinstance(error, sqlite3.ProgrammingError | sqlite3.InterfaceError)


def explain(path: Path, error: Exception) -> StoreError:
    """*error* (one of FAILURES) of the database at *path* as something to show to a user."""
    code = primary_code(error)
    if isinstance(error, UnicodeDecodeError) or "decode to UTF-8" in str(error):
        return damaged(path, "text in it is not UTF-8")
    if code in _DAMAGED:
        return damaged(path, str(error))
    if code in _FULL:
        text = "no room left to write; free some space. Everything reported as kept is kept"
    elif code in _BUSY:
        text = "another program holds a lock on it; end that program and try again"
    elif code in _UNWRITABLE:
        text = f"it cannot be opened or written ({error}); check the folder's permissions"
    elif code == sqlite3.SQLITE_IOERR:
        text = (
            f"reading or writing failed ({error}); check the disk, its free space and the "
            "file size limit. Everything reported as kept is kept"
        )
    elif code == sqlite3.SQLITE_CONSTRAINT:
        text = f"refused a row that does not fit ({error}); nothing of it was kept"
    else:
        text = f"{type(error).__name__}: {error}"
    return StoreError(f"{path}: {text}")
