"""Schema versions 1 and 2, where they differ from `schema`: what `upgrade` starts from."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

_VERSION_1: Mapping[str, str] = MappingProxyType(
    {
        "incidence": "",
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
_VERSION_2: Mapping[str, str] = MappingProxyType(
    {
        "incidence": "",
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
    )""",
    }
)

STATEMENTS: Mapping[int, Mapping[str, str]] = MappingProxyType({1: _VERSION_1, 2: _VERSION_2})
"""By version, then by the name of the table or index; "" for one that was not there. SQLite keeps
these texts, spaces and all, and a database is only taken for one of ours when they are the same."""
