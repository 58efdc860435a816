"""From schema version 1 or 2 to the present one: for good, or only in the eyes of a reader.

Version 1 knew no kinds and no outcomes of calls (they become "" and "untold"), no architecture (""
now says that it is not known), no labels and no statement coverage. Of whole processes it kept the
sums alone; they become the uses of the one recording that each source had. Version 2 knew no values
of arguments ("" now says that they are not told) and counted no incidences.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from gofuzzsec.store import schema
from gofuzzsec.store.problems import damaged

_RECORDING_1 = (
    "SELECT id, target_id, source, input_id, '' AS label, '' AS arch, at, complete,"
    " NULL AS covered, NULL AS statements, problem FROM main.recording"
)
_SYSCALL_1 = (
    "SELECT id, target_id, name, '' AS kind, '' AS args, 'untold' AS outcome, origin, source,"
    " first_input, '' AS first_label, first_at, count, inputs, stable, stack_id FROM main.syscall"
)
_SYSCALL_2 = (
    "SELECT id, target_id, name, kind, '' AS args, outcome, origin, source, first_input,"
    " first_label, first_at, count, inputs, stable, stack_id FROM main.syscall"
)
_PROCESS_USES_1 = (
    "SELECT recording.id AS recording_id, syscall.id AS syscall_id, syscall.count AS count,"
    " syscall.stable AS stable, syscall.stack_id AS stack_id"
    " FROM main.syscall JOIN main.recording ON recording.target_id = syscall.target_id"
    " AND recording.source = syscall.source AND recording.input_id IS NULL"
)
_NO_INCIDENCE = "SELECT 0 AS target_id, 0 AS epoch, '' AS behaviour, 0 AS executions WHERE 0"
_MOVED: Mapping[int, Mapping[str, str]] = MappingProxyType(
    {1: {"recording": _RECORDING_1, "syscall": _SYSCALL_1}, 2: {"syscall": _SYSCALL_2}}
)
"""By version: tables to be made anew, with their content in the order of their new columns."""


def upgrade(path: Path, connection: sqlite3.Connection) -> None:
    """Bring the database at *path*, of version 1 or 2, to the present one, as one transaction.

    Nothing in it is lost, and when anything fails it stays as it was. *connection* is a writer's,
    outside a transaction; the caller has seen that the tables are those of its version. Raises
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
    """Let a reader of an older database see the present tables, and change nothing in it.

    SQLite looks for a table among the temporary ones first. Raises sqlite3.Error.
    """
    version = schema.version_of(connection)
    views = {**_MOVED[version], "incidence": _NO_INCIDENCE}
    if version == 1:
        views["syscall_use"] = f"SELECT * FROM main.syscall_use UNION ALL {_PROCESS_USES_1}"
    for name, select in views.items():
        connection.execute(f"CREATE TEMP VIEW {name} AS {select}")


def _rebuild(connection: sqlite3.Connection, *, strict: bool) -> None:
    version = schema.version_of(connection)
    present = {
        schema.object_name(statement): statement for statement in schema.statements(strict=strict)
    }
    (last_recording,) = connection.execute(
        "SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'recording'"
    ).fetchone()
    if version == 1:
        connection.execute(f"INSERT INTO syscall_use {_PROCESS_USES_1}")
    for name, select in _MOVED[version].items():
        connection.execute(f"CREATE TEMP TABLE moved AS {select}")
        connection.execute(f"DROP TABLE main.{name}")
        for made, statement in present.items():
            if made in (name, f"{name}_of_process"):
                connection.execute(statement)
        connection.execute(f"INSERT INTO main.{name} SELECT * FROM temp.moved")
        connection.execute("DROP TABLE temp.moved")
    connection.execute(present["incidence"])
    connection.execute(
        "UPDATE sqlite_sequence SET seq = ? WHERE name = 'recording'", (last_recording,)
    )
    connection.execute(f"PRAGMA user_version = {schema.SCHEMA_VERSION}")
