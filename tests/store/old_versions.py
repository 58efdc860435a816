"""Campaigns as gofuzzsecs of schema versions 1 and 2 kept them."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from gofuzzsec.corpus.format import file_name
from gofuzzsec.store import schema
from tests.store.making import corpus_file

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
# The tables of version 2 that were others, and its rows: version 1's with one of its own.
_CHANGED_2 = {
    "recording": """CREATE TABLE recording (
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
    ) STRICT""",
    "recording_of_process": "CREATE UNIQUE INDEX recording_of_process ON recording"
    " (target_id, source, label) WHERE input_id IS NULL",
    "syscall": """CREATE TABLE syscall (
        id INTEGER PRIMARY KEY,
        target_id INTEGER NOT NULL REFERENCES target (id) ON DELETE CASCADE,
        name TEXT NOT NULL,
        kind TEXT NOT NULL,
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
        UNIQUE (target_id, name, kind, outcome, origin, source)
    ) STRICT""",
}
HASH = file_name(corpus_file("a"))
STACK = ("syscall.openat", "m.Read")
_ROWS = f"""
INSERT INTO target VALUES (1, 'example.org/m', 'FuzzA', x'2f', x'2f', x'', '["string"]', 0);
INSERT INTO build VALUES (1, 'b0', 'go1.27.3', 100, 5.0);
INSERT INTO input VALUES (1, 1, '{HASH}', 'fuzz', 'coverage', NULL, 9.0,
    x'{corpus_file("a").hex()}');
INSERT INTO coverage VALUES (1, 'b0', 100, x'');
INSERT INTO stack VALUES (3, '["syscall.openat","m.Read"]');
INSERT INTO recording VALUES (2, 1, 'fuzz', 1, 10.0, 1, '');
INSERT INTO recording VALUES (4, 1, 'tests', NULL, 20.0, 0, 'a test failed');
INSERT INTO recording VALUES (5, 1, 'baseline', NULL, 30.0, 1, '');
INSERT INTO recording VALUES (9, 1, 'harness', NULL, 40.0, 1, '');
DELETE FROM recording WHERE id = 9;
INSERT INTO syscall VALUES (7, 1, 'openat', 'target', 'fuzz', '{HASH}', 10.0, 6, 1, 1, 3);
INSERT INTO syscall VALUES (8, 1, 'openat', 'target', 'tests', '', 20.0, 4, 0, 1, 3);
INSERT INTO syscall VALUES (9, 1, 'mmap', 'runtime', 'baseline', '', 30.0, 5, 0, 1, NULL);
INSERT INTO syscall VALUES (10, 1, 'bind', 'target', 'fuzz', 'feed', 1.0, 0, 0, 0, NULL);
INSERT INTO syscall_use VALUES (2, 7, 6, 1, 3);
INSERT INTO crash VALUES (3, 1, 'beef', 'fail', 'k', 's', x'2f', 1, 8.0, 2, 'o', x'00', x'01');
INSERT INTO stat VALUES (1, 1, 5.0, 100, 9, 2, 3, 0, 1.5);
"""

_ROWS_2 = f"""
INSERT INTO target VALUES (1, 'example.org/m', 'FuzzA', x'2f', x'2f', x'', '["string"]', 0);
INSERT INTO input VALUES (1, 1, '{HASH}', 'fuzz', 'coverage', NULL, 9.0,
    x'{corpus_file("a").hex()}');
INSERT INTO coverage VALUES (1, 'b0', 100, x'');
INSERT INTO stack VALUES (3, '["syscall.openat","m.Read"]');
INSERT INTO recording VALUES (2, 1, 'fuzz', 1, '', 'amd64', 10.0, 1, NULL, NULL, '');
INSERT INTO recording VALUES (4, 1, 'tests', NULL, '', 'amd64', 20.0, 1, 3, 4, '');
INSERT INTO recording VALUES (9, 1, 'harness', NULL, '', 'amd64', 40.0, 1, NULL, NULL, '');
DELETE FROM recording WHERE id = 9;
INSERT INTO syscall VALUES (7, 1, 'openat', 'read', 'ok', 'target', 'fuzz', '{HASH}', '', 10.0,
    6, 1, 1, 3);
INSERT INTO syscall VALUES (8, 1, 'openat', 'write', 'ok', 'target', 'tests', '', '', 20.0,
    4, 0, 1, NULL);
INSERT INTO syscall_use VALUES (2, 7, 6, 1, 3);
INSERT INTO syscall_use VALUES (4, 8, 4, 1, NULL);
"""


def make_old(campaign: Path, *, strict: bool, version: int = 1) -> Path:
    """The campaign in folder *campaign* as version 1 or 2 kept it; *campaign*."""
    campaign.mkdir()
    connection = sqlite3.connect(campaign / "campaign.db")
    text = _VERSION_1 if version == 1 else _version_2()
    if not strict:
        text = text.replace(", STRICT", "").replace(" STRICT", "")
    rows = _ROWS if version == 1 else _ROWS_2
    connection.executescript(f"PRAGMA journal_mode = WAL; {text} {rows}")
    connection.execute(f"PRAGMA application_id = {schema.APPLICATION_ID}")
    connection.execute(f"PRAGMA user_version = {version}")
    connection.close()
    return campaign


def _version_2() -> str:
    statements = {
        schema.object_name(text.strip()): text for text in _VERSION_1.split(";\n") if text
    }
    return ";\n".join({**statements, **_CHANGED_2}.values()) + ";\n"
