"""Distinct crashes."""

from __future__ import annotations

import os
import time

from gofuzzsec.errors import UsageError
from gofuzzsec.store.database import Database, Row
from gofuzzsec.store.encoding import text
from gofuzzsec.store.inputs import hash_prefix
from gofuzzsec.store.model import CrashRow

_SELECT = (
    "SELECT crash.id, target.import_path || '.' || target.name, crash.hash, crash.kind, crash.key,"
    " crash.summary, crash.output, crash.data, crash.original, crash.path, crash.reproduced,"
    " crash.found_at, crash.count FROM crash JOIN target ON target.id = crash.target_id"
)
_TYPES = (int, str, str, str, str, str, str, bytes, bytes, bytes, int, float, int)


class Crashes(Database):
    """Crashes, failures, hangs and inputs that ran out of memory; one row a key and target."""

    def add_crash(
        self,
        target_id: int,
        *,
        hash: str,
        kind: str,
        key: str,
        summary: str,
        output: str,
        data: bytes,
        original: bytes,
        path: str,
        reproduced: bool,
        found_at: float | None = None,
    ) -> tuple[CrashRow, bool]:
        """Keep a crash (values as in CrashRow); gives its row and whether its key is new.

        A known key is counted and stays otherwise as it was. Raises StoreError.
        """
        when = time.time() if found_at is None else found_at
        with self._writing() as connection:
            known = connection.execute(
                "UPDATE crash SET count = count + 1 WHERE target_id = ? AND key = ?",
                (target_id, text(key)),
            ).rowcount
            if not known:
                connection.execute(
                    "INSERT INTO crash (target_id, hash, kind, key, summary, path, reproduced,"
                    " found_at, count, output, data, original)"
                    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, 1, ?, ?, ?)",
                    (
                        target_id,
                        hash,
                        kind,
                        text(key),
                        text(summary),
                        os.fsencode(path),
                        reproduced,
                        when,
                        text(output),
                        data,
                        original,
                    ),
                )
        row = self._row(
            f"{_SELECT} WHERE crash.target_id = ? AND crash.key = ?", (target_id, text(key))
        )
        assert row is not None  # just written, and nobody else may write
        return self._crash(row), not known

    def count_crash(self, target_id: int, key: str, times: int) -> bool:
        """Count *times* more sights of a known crash; False when *key* is not known.

        Raises StoreError.
        """
        with self._writing() as connection:
            changed = connection.execute(
                "UPDATE crash SET count = count + ? WHERE target_id = ? AND key = ?",
                (times, target_id, text(key)),
            ).rowcount
        return bool(changed)

    def crashes(self, target_id: int | None = None) -> list[CrashRow]:
        """The crashes of a target, or of all, oldest first. Raises StoreError."""
        if target_id is not None:
            rows = self._rows(f"{_SELECT} WHERE target_id = ? ORDER BY crash.id", (target_id,))
        else:
            rows = self._rows(f"{_SELECT} ORDER BY crash.id")
        return [self._crash(row) for row in rows]

    def crash(self, prefix: str) -> CrashRow:
        """The one crash whose hash begins with *prefix*.

        Raises UsageError when none or more than one does, StoreError.
        """
        wanted = hash_prefix(prefix)
        rows = self._rows(
            f"{_SELECT} WHERE crash.hash >= ?1 AND crash.hash < ?1 || 'g' ORDER BY crash.id",
            (wanted,),
        )
        found = [self._crash(row) for row in rows]
        if not found:
            raise UsageError(
                f"no crash's hash begins with {prefix!r}; `gofuzzsec crashes list` shows them all"
            )
        if len(found) > 1:
            some = ", ".join(f"{crash.hash} of {crash.target}" for crash in found[:9])
            raise UsageError(f"more than one crash's hash begins with {prefix!r}: {some}")
        return found[0]

    def _crash(self, row: Row) -> CrashRow:
        values = list(self._typed(row, *_TYPES))
        values[9] = os.fsdecode(values[9])
        values[10] = bool(values[10])
        return CrashRow(*values)
