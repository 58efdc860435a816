"""Kept inputs and their coverage."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from types import NoneType

from gofuzzsec.corpus.format import file_name
from gofuzzsec.errors import StoreError, UsageError
from gofuzzsec.store.database import Database, Row
from gofuzzsec.store.encoding import text
from gofuzzsec.store.model import InputRow
from gofuzzsec.store.problems import damaged
from gofuzzsec.store.sums import retract

_SELECT = (
    "SELECT input.id, input.hash, input.data, input.source, input.why, input.parent,"
    " coverage.exec_ns, coverage.build_key, coverage.features, input.found_at,"
    " recording.id IS NOT NULL"
    " FROM input JOIN coverage ON coverage.input_id = input.id"
    " LEFT JOIN recording ON recording.input_id = input.id"
)
_UNRECORDED = (
    " FROM input WHERE target_id = ? AND NOT EXISTS"
    " (SELECT 1 FROM recording WHERE recording.input_id = input.id)"
)
_TYPES = (int, str, bytes, str, str, (int, NoneType), int, str, bytes, float, int)

_HEX = frozenset("0123456789abcdef")


class Inputs(Database):
    """The corpus of every target. A target never holds the same bytes twice.

    A parent is always older than its children (its id is lower), so lineages have no circles.
    """

    def add_input(
        self,
        target_id: int,
        *,
        data: bytes,
        source: str,
        why: str,
        parent: int | None,
        exec_ns: int,
        build_key: str,
        coverage: bytes,
        found_at: float,
    ) -> InputRow:
        """Keep *data* (a marshalled corpus file; the other values are InputRow's).

        The same bytes again give the row that is there, unchanged. A parent that the target does
        not have any more becomes None. Raises StoreError.
        """
        name = file_name(data)
        with self._writing() as connection:
            input_id = _find(connection, target_id, name)
            if input_id is None:
                input_id = _insert(
                    connection, target_id, parent, (target_id, name, source, why, found_at, data)
                )
                connection.execute(
                    "INSERT INTO coverage (input_id, build_key, exec_ns, features)"
                    " VALUES (?, ?, ?, ?)",
                    (input_id, text(build_key), exec_ns, coverage),
                )
        return self.input(input_id)

    def input(self, input_id: int) -> InputRow:
        """One input by its id. Raises StoreError, also when there is none."""
        row = self._row(f"{_SELECT} WHERE input.id = ?", (input_id,))
        if row is None:
            raise self._missing(input_id)
        return self._input(row)

    def inputs(self, target_id: int) -> Iterator[InputRow]:
        """The target's inputs at the moment of the call, in order of id, one in memory at a time.

        An input that is removed meanwhile is left out; changes to others show. Raises StoreError,
        now or on the way.
        """
        return self._stream(
            self._rows("SELECT id FROM input WHERE target_id = ? ORDER BY id", (target_id,))
        )

    def input_count(self, target_id: int) -> int:
        """How many inputs the target has. Raises StoreError."""
        row = self._row("SELECT count(*) FROM input WHERE target_id = ?", (target_id,))
        return 0 if row is None else int(row[0])

    def input_by_hash(self, prefix: str, target_id: int | None = None) -> InputRow:
        """The one input, of *target_id* or of any target, whose hash begins with *prefix*.

        Raises UsageError when none or more than one does, StoreError.
        """
        wanted = hash_prefix(prefix)
        rows = self._rows(
            "SELECT input.id, input.hash, target.import_path || '.' || target.name FROM input"
            " JOIN target ON target.id = input.target_id"
            " WHERE input.hash >= ?1 AND input.hash < ?1 || 'g' AND ?2 IN (target.id, 0) LIMIT 9",
            (wanted, target_id or 0),
        )
        if not rows:
            raise UsageError(
                f"no input's hash begins with {prefix!r}; `gofuzzsec corpus list` shows them all"
            )
        if len(rows) > 1:
            some = ", ".join(f"{found} of {target}" for _, found, target in rows)
            raise UsageError(f"more than one input's hash begins with {prefix!r}: {some}")
        return self.input(rows[0][0])

    def update_coverage(self, input_id: int, build_key: str, coverage: bytes, exec_ns: int) -> None:
        """What the input covers in another build. Raises StoreError, also for an unknown id."""
        with self._writing() as connection:
            if not _set_coverage(connection, input_id, coverage, exec_ns, text(build_key)):
                raise self._missing(input_id)

    def replace_input(self, input_id: int, data: bytes, coverage: bytes, exec_ns: int) -> InputRow:
        """Put *data* (the input minimised) in the input's place; coverage is of the same build.

        The id stays; other bytes have to be recorded anew, and what the old ones showed is
        retracted as by `remove_input`. When the target holds *data* already, the input goes, its
        children become those of that other input where it is older than they, and the other is
        returned. Raises StoreError, also for an unknown id.
        """
        name = file_name(data)
        with self._writing() as connection:
            row = connection.execute(
                "SELECT target_id, hash FROM input WHERE id = ?", (input_id,)
            ).fetchone()
            if row is None:
                raise self._missing(input_id)
            other = _find(connection, row[0], name)
            if other is not None and other != input_id:
                connection.execute(
                    "UPDATE input SET parent = ?1 WHERE parent = ?2 AND id > ?1", (other, input_id)
                )
                _remove(connection, input_id)
                input_id = other
            else:
                if row[1] != name:
                    retract(connection, input_id)
                    connection.execute(
                        "UPDATE input SET hash = ?, data = ? WHERE id = ?", (name, data, input_id)
                    )
                _set_coverage(connection, input_id, coverage, exec_ns)
        return self.input(input_id)

    def remove_input(self, input_id: int) -> None:
        """Take an input out of the corpus; one that is gone already is no error.

        Its children lose their parent. Its system calls leave the sums, but a call once seen
        stays in the summed table (see SyscallRow). Raises StoreError.
        """
        with self._writing() as connection:
            _remove(connection, input_id)

    def unrecorded(self, target_id: int, limit: int | None = None) -> list[InputRow]:
        """The target's inputs without recorded system calls, oldest first, at most *limit*.

        Raises StoreError.
        """
        ids = self._rows(
            f"SELECT id{_UNRECORDED} ORDER BY id LIMIT ?",
            (target_id, -1 if limit is None else limit),
        )
        return list(self._stream(ids))

    def unrecorded_count(self, target_id: int) -> int:
        """How many inputs `unrecorded` would give. Raises StoreError."""
        row = self._row(f"SELECT count(*){_UNRECORDED}", (target_id,))
        return 0 if row is None else int(row[0])

    def _stream(self, ids: list[Row]) -> Iterator[InputRow]:
        # A query for each, rather than one cursor over all: an open cursor would keep the log
        # from being checkpointed for as long as the caller takes.
        for (input_id,) in ids:
            row = self._row(f"{_SELECT} WHERE input.id = ?", (input_id,))
            if row is not None:
                yield self._input(row)

    def _input(self, row: Row) -> InputRow:
        values = list(self._typed(row, *_TYPES))
        _, name, data, *_, recorded = values
        if file_name(data) != name:
            raise damaged(self.path, f"input {name} does not have the bytes of its hash")
        values[-1] = bool(recorded)
        return InputRow(*values)

    def _missing(self, input_id: int) -> StoreError:
        return StoreError(f"{self.path}: no input has the id {input_id}; was it removed?")


def hash_prefix(prefix: str) -> str:
    """*prefix* in lower case. Raises UsageError when it cannot begin a hash."""
    wanted = prefix.lower()
    if not 1 <= len(wanted) <= 16 or not _HEX.issuperset(wanted):
        raise UsageError(f"expected 1 to 16 hex digits that begin a hash, found {prefix[:80]!r}")
    return wanted


def _find(connection: sqlite3.Connection, target_id: int, name: str) -> int | None:
    row = connection.execute(
        "SELECT id FROM input WHERE target_id = ? AND hash = ?", (target_id, name)
    ).fetchone()
    return None if row is None else int(row[0])


def _insert(
    connection: sqlite3.Connection, target_id: int, parent: int | None, values: tuple[object, ...]
) -> int:
    # The parent may have been minimised into another input while its child was being found.
    added = connection.execute(
        "INSERT INTO input (target_id, hash, source, why, found_at, data, parent)"
        " VALUES (?, ?, ?, ?, ?, ?, (SELECT id FROM input WHERE id = ? AND target_id = ?))",
        (*values, parent, target_id),
    ).lastrowid
    assert added is not None  # sqlite3 sets it on every INSERT
    return added


def _remove(connection: sqlite3.Connection, input_id: int) -> None:
    retract(connection, input_id)
    connection.execute("DELETE FROM input WHERE id = ?", (input_id,))


def _set_coverage(
    connection: sqlite3.Connection,
    input_id: int,
    coverage: bytes,
    exec_ns: int,
    build_key: str | None = None,
) -> bool:
    """Whether there was such an input. Without *build_key* that of the row stays."""
    changed = connection.execute(
        "UPDATE coverage SET features = ?, exec_ns = ?, build_key = coalesce(?, build_key)"
        " WHERE input_id = ?",
        (coverage, exec_ns, build_key, input_id),
    )
    return changed.rowcount > 0
