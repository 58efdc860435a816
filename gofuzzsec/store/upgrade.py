"""From schema version 1 to the present one: for good, or only in the eyes of a reader.

Version 1 knew no kinds and no outcomes of calls (they become "" and "untold"), no architecture (""
now says that it is not known), no labels and no statement coverage. Of whole processes it kept the
sums alone; they become the uses of the one recording that each source had.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path

from gofuzzsec.store import schema
from gofuzzsec.store.problems import damaged

_RECORDING = (
    "SELECT id, target_id, source, input_id, '' AS label, '' AS arch, at, complete,"
    " NULL AS covered, NULL AS statements, problem FROM main.recording"
)
_SYSCALL = (
    "SELECT id, target_id, name, '' AS kind, 'untold' AS outcome, origin, source, first_input,"
    " '' AS first_label, first_at, count, inputs, stable, stack_id FROM main.syscall"
)
_PROCESS_USES = (
    "SELECT recording.id AS recording_id, syscall.id AS syscall_id, syscall.count AS count,"
    " syscall.stable AS stable, syscall.stack_id AS stack_id"
    " FROM main.syscall JOIN main.recording ON recording.target_id = syscall.target_id"
    " AND recording.source = syscall.source AND recording.input_id IS NULL"
)
_MOVED = {"recording": _RECORDING, "syscall": _SYSCALL}
"""Tables to be made anew, with their content in the order of their new columns."""


def upgrade(path: Path, connection: sqlite3.Connection) -> None:
    """Bring the database at *path*, of version 1, to the present one, as one transaction.

    Nothing in it is lost, and when anything fails it stays as it was. *connection* is a writer's,
    outside a transaction; the caller has seen that the tables are those of version 1. Raises
    sqlite3.Error, and StoreError when rows are missing that others refer to.
    """
    connection.execute("PRAGMA foreign_keys = OFF")  # dropping a table would empty others
    connection.execute("BEGIN IMMEDIATE")
    try:
        _rebuild(connection, strict=schema.is_strict(connection))
        broken = connection.execute("PRAGMA foreign_key_check").fetchone()
        if broken is not None:
            raise damaged(path, f"a row of table {broken[0]} refers to one that is gone")
        connection.execute("COMMIT")
    except BaseException:
        connection.rollback()
        raise
    finally:
        connection.execute("PRAGMA foreign_keys = ON")


def show_as_present(connection: sqlite3.Connection) -> None:
    """Let a reader of a version 1 database see the present tables, and change nothing in it.

    SQLite looks for a table among the temporary ones first. Raises sqlite3.Error.
    """
    uses = f"SELECT * FROM main.syscall_use UNION ALL {_PROCESS_USES}"
    for name, select in {**_MOVED, "syscall_use": uses}.items():
        connection.execute(f"CREATE TEMP VIEW {name} AS {select}")


def _rebuild(connection: sqlite3.Connection, *, strict: bool) -> None:
    (last_recording,) = connection.execute(
        "SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'recording'"
    ).fetchone()
    connection.execute(f"INSERT INTO syscall_use {_PROCESS_USES}")
    for name, select in _MOVED.items():
        connection.execute(f"CREATE TEMP TABLE moved AS {select}")
        connection.execute(f"DROP TABLE main.{name}")
        for statement in schema.statements(strict=strict):
            if schema.object_name(statement) in (name, f"{name}_of_process"):
                connection.execute(statement)
        connection.execute(f"INSERT INTO main.{name} SELECT * FROM temp.moved")
        connection.execute("DROP TABLE temp.moved")
    connection.execute(
        "UPDATE sqlite_sequence SET seq = ? WHERE name = 'recording'", (last_recording,)
    )
    connection.execute(f"PRAGMA user_version = {schema.SCHEMA_VERSION}")
