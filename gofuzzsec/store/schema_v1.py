"""Schema version 1, where it differs from the one in `schema`: what `upgrade` starts from."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

STATEMENTS: Mapping[str, str] = MappingProxyType(
    {
        "recording": """CREATE TABLE recording (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        target_id INTEGER NOT NULL REFERENCES target (id) ON DELETE CASCADE,
        source TEXT NOT NULL
            CHECK (source IN ('seeds', 'fuzz', 'tests', 'baseline', 'harness')),
        input_id INTEGER UNIQUE REFERENCES input (id) ON DELETE CASCADE,
        at REAL NOT NULL,
        complete INTEGER NOT NULL CHECK (complete IN (0, 1)),
        problem TEXT NOT NULL,
        CHECK ((input_id IS NOT NULL) = (source IN ('seeds', 'fuzz')))
    )""",
        "recording_of_process": "CREATE UNIQUE INDEX recording_of_process"
        " ON recording (target_id, source) WHERE input_id IS NULL",
        "syscall": """CREATE TABLE syscall (
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
    )""",
    }
)
"""By the name of the table or index. SQLite keeps these texts, spaces and all, and a database is
only taken for one of ours when they are the same."""
