"""The tables of the campaign database, and whether a file has exactly those.

Reading somebody's database means running the SQL it holds (triggers, views, generated columns),
so a database is only used when its schema is, object by object, the one written here.

Columns that hold paths are BLOB because a Linux path is any bytes. Long values stand last in
their tables, so that reading the others does not drag their overflow pages in; coverage has a
table of its own because a rebuild rewrites it for every input, and the inputs need not move then.

Version 1 had neither kinds nor outcomes of calls, one recording a source of whole processes, and no
uses of those; version 2 had neither argument values nor incidences (`schema_old`). `upgrade` brings
both to the present one.
"""

from __future__ import annotations

import re
import sqlite3

from gofuzzsec.store import schema_old

APPLICATION_ID = 0x67665A73
"""What `file` and SQLite show as the database's owner: "gfZs"."""

SCHEMA_VERSION = 3

STRICT_SINCE = (3, 37, 0)
"""SQLite that knows STRICT tables. Python 3.11 may come with an older one."""

_TABLES = (
    """CREATE TABLE target (
        id INTEGER PRIMARY KEY,
        import_path TEXT NOT NULL,
        name TEXT NOT NULL,
        package_dir BLOB NOT NULL,
        module_dir BLOB NOT NULL,
        binary BLOB NOT NULL,
        types TEXT NOT NULL,
        external INTEGER NOT NULL CHECK (external IN (0, 1)),
        UNIQUE (import_path, name)
    )""",
    """CREATE TABLE build (
        target_id INTEGER NOT NULL REFERENCES target (id) ON DELETE CASCADE,
        key TEXT NOT NULL,
        go_version TEXT NOT NULL,
        counters INTEGER NOT NULL CHECK (counters >= 0),
        used_at REAL NOT NULL,
        PRIMARY KEY (target_id, key)
    )""",
    """CREATE TABLE input (
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
    )""",
    "CREATE INDEX input_by_hash ON input (hash)",
    "CREATE INDEX input_by_parent ON input (parent)",
    """CREATE TABLE coverage (
        input_id INTEGER PRIMARY KEY REFERENCES input (id) ON DELETE CASCADE,
        build_key TEXT NOT NULL,
        exec_ns INTEGER NOT NULL,
        features BLOB NOT NULL
    )""",
    """CREATE TABLE recording (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        target_id INTEGER NOT NULL REFERENCES target (id) ON DELETE CASCADE,
        source TEXT NOT NULL CHECK (source IN
            ('seeds', 'fuzz', 'tests', 'baseline', 'harness', 'integration', 'campaign')),
        input_id INTEGER UNIQUE REFERENCES input (id) ON DELETE CASCADE,
        label TEXT NOT NULL,
        arch TEXT NOT NULL,
        at REAL NOT NULL,
        complete INTEGER NOT NULL CHECK (complete IN (0, 1)),
        covered INTEGER,
        statements INTEGER,
        problem TEXT NOT NULL,
        CHECK ((input_id IS NOT NULL) = (source IN ('seeds', 'fuzz'))),
        CHECK (input_id IS NULL OR label = ''),
        CHECK ((covered IS NULL) = (statements IS NULL)),
        CHECK (covered IS NULL OR covered BETWEEN 0 AND statements)
    )""",
    "CREATE UNIQUE INDEX recording_of_process ON recording (target_id, source, label)"
    " WHERE input_id IS NULL",
    """CREATE TABLE stack (
        id INTEGER PRIMARY KEY,
        frames TEXT NOT NULL UNIQUE
    )""",
    """CREATE TABLE syscall (
        id INTEGER PRIMARY KEY,
        target_id INTEGER NOT NULL REFERENCES target (id) ON DELETE CASCADE,
        name TEXT NOT NULL,
        kind TEXT NOT NULL,
        args TEXT NOT NULL,
        outcome TEXT NOT NULL
            CHECK (outcome IN ('ok', 'refused', 'failed', 'begun', 'untold')),
        origin TEXT NOT NULL CHECK (origin IN ('target', 'runtime', 'harness', 'unknown')),
        source TEXT NOT NULL CHECK (source IN
            ('seeds', 'fuzz', 'tests', 'baseline', 'harness', 'integration', 'campaign')),
        first_input TEXT NOT NULL,
        first_label TEXT NOT NULL,
        first_at REAL NOT NULL,
        count INTEGER NOT NULL CHECK (count >= 0),
        inputs INTEGER NOT NULL CHECK (inputs >= 0),
        stable INTEGER NOT NULL CHECK (stable IN (0, 1)),
        stack_id INTEGER REFERENCES stack (id),
        UNIQUE (target_id, name, kind, args, outcome, origin, source)
    )""",
    """CREATE TABLE syscall_use (
        recording_id INTEGER NOT NULL REFERENCES recording (id) ON DELETE CASCADE,
        syscall_id INTEGER NOT NULL REFERENCES syscall (id) ON DELETE CASCADE,
        count INTEGER NOT NULL CHECK (count >= 0),
        stable INTEGER NOT NULL CHECK (stable IN (0, 1)),
        stack_id INTEGER REFERENCES stack (id),
        PRIMARY KEY (recording_id, syscall_id)
    ) WITHOUT ROWID""",
    "CREATE INDEX syscall_use_by_syscall ON syscall_use (syscall_id)",
    """CREATE TABLE crash (
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
    )""",
    "CREATE INDEX crash_by_hash ON crash (hash)",
    """CREATE TABLE stat (
        id INTEGER PRIMARY KEY,
        target_id INTEGER NOT NULL REFERENCES target (id) ON DELETE CASCADE,
        at REAL NOT NULL,
        executions INTEGER NOT NULL,
        edges INTEGER NOT NULL,
        corpus INTEGER NOT NULL,
        syscalls INTEGER NOT NULL,
        crashes INTEGER NOT NULL,
        cpu_seconds REAL NOT NULL
    )""",
    "CREATE INDEX stat_by_target ON stat (target_id)",
    # The row of behaviour "" counts the executions themselves.
    """CREATE TABLE incidence (
        target_id INTEGER NOT NULL REFERENCES target (id) ON DELETE CASCADE,
        epoch INTEGER NOT NULL,
        behaviour TEXT NOT NULL,
        executions INTEGER NOT NULL CHECK (executions >= 0),
        PRIMARY KEY (target_id, epoch, behaviour)
    ) WITHOUT ROWID""",
)


def build(connection: sqlite3.Connection) -> None:
    """Make every table in an empty database, as one transaction. Raises sqlite3.Error."""
    connection.execute("BEGIN")
    for statement in statements(strict=sqlite3.sqlite_version_info >= STRICT_SINCE):
        connection.execute(statement)
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
    connection.execute("COMMIT")


def statements(*, strict: bool, version: int = SCHEMA_VERSION) -> tuple[str, ...]:
    """The SQL that makes the tables of *version* (1 to 3).

    With *strict* SQLite itself checks every column's type.
    """
    old = schema_old.STATEMENTS.get(version, {})
    texts = (old.get(object_name(text), text) for text in _TABLES)
    return tuple(_with_strict(text) if strict else text for text in texts if text)


def version_of(connection: sqlite3.Connection) -> int:
    """The schema version that the database says it has. Raises sqlite3.Error."""
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    return int(version)


def is_strict(connection: sqlite3.Connection) -> bool:
    """Whether the tables were made by a SQLite that knows STRICT. Raises sqlite3.Error."""
    return _objects(connection) == frozenset(
        statements(strict=True, version=version_of(connection))
    )


def mismatch(connection: sqlite3.Connection) -> str:
    """Nothing when the database is one of ours, of this version or one that `upgrade` knows.

    Else what it is instead. Raises sqlite3.Error when SQLite cannot make sense of it.
    """
    (owner,) = connection.execute("PRAGMA application_id").fetchone()
    version = version_of(connection)
    if owner != APPLICATION_ID:
        return "it is another program's SQLite database; choose another folder with --campaign"
    if version > SCHEMA_VERSION:
        return (
            f"it has schema version {version} and this gofuzzsec knows up to {SCHEMA_VERSION}; "
            "use the newer gofuzzsec that made it, or choose another folder with --campaign"
        )
    if version < 1 or _objects(connection) not in _expected(version):
        return (
            f"its tables are not those of schema version {version or SCHEMA_VERSION}: something "
            "else changed them; put a copy back, or choose another folder with --campaign"
        )
    return ""


def object_name(statement: str) -> str:
    """The table or index that a statement of ours makes."""
    found = re.match(r"CREATE (?:UNIQUE )?(?:TABLE|INDEX) (\w+)", statement)
    assert found is not None  # the statements are all written here
    return found[1]


def _with_strict(statement: str) -> str:
    if not statement.startswith("CREATE TABLE"):
        return statement
    return f"{statement}, STRICT" if statement.endswith("ROWID") else f"{statement} STRICT"


def _objects(connection: sqlite3.Connection) -> frozenset[str]:
    """The SQL of every table, index, view and trigger, as it was written."""
    rows = connection.execute(
        "SELECT sql FROM sqlite_master WHERE sql IS NOT NULL AND name != 'sqlite_sequence'"
    )
    return frozenset(str(sql) for (sql,) in rows)


def _expected(version: int) -> tuple[frozenset[str], ...]:
    """What `_objects` may be: a database may come from a machine with an older SQLite."""
    return tuple(frozenset(statements(strict=strict, version=version)) for strict in (True, False))
