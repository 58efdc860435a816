"""System calls: of each input, of whole processes, and summed for each target.

``syscall`` holds one row a (name, origin, source) of a target, kept up as recordings come and go,
so that a profile of a million inputs is a query over a few hundred rows. ``syscall_use`` says
which input showed which of them, in the order of `recording` ids: the order of sight.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterable
from dataclasses import replace

from gofuzzsec.errors import StoreError
from gofuzzsec.store.database import Database, Row
from gofuzzsec.store.encoding import pack_names, text, unpack_names
from gofuzzsec.store.model import RecordingRow, SyscallRow
from gofuzzsec.store.problems import damaged
from gofuzzsec.syscalls.model import Origin, Recording, SyscallUse

INPUT_SOURCES = frozenset(("seeds", "fuzz"))
PROCESS_SOURCES = frozenset(("tests", "baseline", "harness"))

_SELECT = (
    "SELECT name, origin, source, first_input, first_at, count, inputs, stable, stack.frames"
    " FROM syscall LEFT JOIN stack ON stack.id = syscall.stack_id"
)
_ORDER = " ORDER BY name, origin, source, first_at, syscall.id"
_BEHAVIOUR = (
    "SELECT DISTINCT name FROM syscall WHERE target_id = ? AND stable = 1"
    " AND source IN ('seeds', 'fuzz') AND origin IN ('target', 'unknown')"
)


class Evidence(Database):
    """What was recorded, and who needed it."""

    def add_recording(
        self,
        target_id: int,
        input_id: int,
        recording: Recording,
        source: str,
        at: float | None = None,
    ) -> list[str]:
        """Keep the system calls of an input; a second recording of it replaces the first.

        *source* is "seeds" or "fuzz", *at* Unix time (now). Returns, sorted, the names of
        ``recording.behaviour()`` that no input of this target had shown in both of its runs
        before. Raises StoreError, also when the target has no such input.
        """
        _expect(source, INPUT_SOURCES)
        when = time.time() if at is None else at
        with self._writing() as connection:
            row = connection.execute(
                "SELECT hash FROM input WHERE id = ? AND target_id = ?", (input_id, target_id)
            ).fetchone()
            if row is None:
                raise StoreError(
                    f"{self.path}: target {target_id} has no input with the id {input_id}; "
                    "was it removed?"
                )
            known = {name for (name,) in connection.execute(_BEHAVIOUR, (target_id,))}
            retract(connection, input_id)
            number = _insert_recording(connection, target_id, source, input_id, recording, when)
            for use in _merged(recording.uses):
                stack_id = _stack(connection, use.stack)
                syscall_id = _sum_up(connection, target_id, source, use, stack_id, row[0], when)
                connection.execute(
                    "INSERT INTO syscall_use (recording_id, syscall_id, count, stable, stack_id)"
                    " VALUES (?, ?, ?, ?, ?)",
                    (number, syscall_id, use.count, use.stable, stack_id),
                )
        return sorted({text(name) for name in recording.behaviour()} - known)

    def add_process_recording(
        self, target_id: int, source: str, recording: Recording, at: float | None = None
    ) -> None:
        """Keep the system calls of a whole process, in place of what *source* said before.

        *source* is "tests", "baseline" or "harness". Raises StoreError.
        """
        _expect(source, PROCESS_SOURCES)
        when = time.time() if at is None else at
        with self._writing() as connection:
            for table in ("recording", "syscall"):
                connection.execute(
                    f"DELETE FROM {table} WHERE target_id = ? AND source = ?", (target_id, source)
                )
            _insert_recording(connection, target_id, source, None, recording, when)
            for use in _merged(recording.uses):
                stack_id = _stack(connection, use.stack)
                _sum_up(connection, target_id, source, use, stack_id, None, when)

    def syscalls(self, target_id: int | None = None) -> list[SyscallRow]:
        """The summed table of a target, or of all together, by name, origin and source.

        Of several targets, counts are added and the first sight of all is the first. Raises
        StoreError.
        """
        if target_id is not None:
            rows = self._rows(f"{_SELECT} WHERE target_id = ?{_ORDER}", (target_id,))
        else:
            rows = self._rows(f"{_SELECT}{_ORDER}")
        merged: dict[tuple[str, str, str], SyscallRow] = {}
        for found in map(self._syscall, rows):
            key = (found.name, found.origin, found.source)
            merged[key] = _both(merged[key], found) if key in merged else found
        return list(merged.values())

    def behaviour(self, target_id: int) -> frozenset[str]:
        """Names that inputs of the target showed in both runs, as its own or of unknown origin.

        Raises StoreError.
        """
        return frozenset(name for (name,) in self._rows(_BEHAVIOUR, (target_id,)))

    def input_syscalls(self, input_id: int) -> list[SyscallUse]:
        """The calls of one input by name and origin; none while it is not recorded.

        Raises StoreError.
        """
        rows = self._rows(
            "SELECT syscall.name, syscall.origin, syscall_use.count, syscall_use.stable,"
            " stack.frames FROM recording"
            " JOIN syscall_use ON syscall_use.recording_id = recording.id"
            " JOIN syscall ON syscall.id = syscall_use.syscall_id"
            " LEFT JOIN stack ON stack.id = syscall_use.stack_id"
            " WHERE recording.input_id = ? ORDER BY syscall.name, syscall.origin",
            (input_id,),
        )
        return [self._use(row) for row in rows]

    def recordings(self, target_id: int, *, incomplete: bool = False) -> list[RecordingRow]:
        """All recordings of a target in order, or only those that may miss calls.

        Raises StoreError.
        """
        rows = self._rows(
            "SELECT recording.source, coalesce(input.hash, ''), at, complete, problem"
            " FROM recording LEFT JOIN input ON input.id = recording.input_id"
            " WHERE recording.target_id = ? AND complete <= ? ORDER BY recording.id",
            (target_id, 0 if incomplete else 1),
        )
        found = (self._typed(row, str, str, float, int, str) for row in rows)
        return [
            RecordingRow(source, name, at, bool(complete), problem)
            for source, name, at, complete, problem in found
        ]

    def _syscall(self, row: Row) -> SyscallRow:
        name, origin, source, first_input, first_at, count, inputs, stable, frames = row
        self._typed(row[:-1], str, str, str, str, float, int, int, int)
        return SyscallRow(
            name=name,
            origin=origin,
            source=source,
            first_input=first_input,
            first_at=first_at,
            count=count,
            inputs=inputs,
            unstable=not stable,
            stack=self._frames(frames),
        )

    def _use(self, row: Row) -> SyscallUse:
        name, origin, count, stable = self._typed(row[:-1], str, str, int, int)
        try:
            return SyscallUse(name, Origin(origin), count, bool(stable), self._frames(row[-1]))
        except ValueError as error:
            raise damaged(self.path, f"a system call of origin {origin[:80]!r}") from error

    def _frames(self, column: object) -> tuple[str, ...]:
        if column is None:
            return ()
        try:
            return unpack_names(str(column))
        except ValueError as error:
            raise damaged(self.path, f"a call stack {str(column)[:80]!r}") from error


def retract(connection: sqlite3.Connection, input_id: int) -> None:
    """Undo the recording of an input, if it has one, in the sums as well (see SyscallRow)."""
    row = connection.execute(
        "SELECT recording.id, input.hash FROM recording JOIN input ON input.id = recording.input_id"
        " WHERE input_id = ?",
        (input_id,),
    ).fetchone()
    if row is None:
        return
    number, name = row
    uses = connection.execute(
        "SELECT syscall_id, count FROM syscall_use WHERE recording_id = ?", (number,)
    ).fetchall()
    connection.execute("DELETE FROM recording WHERE id = ?", (number,))
    for syscall_id, count in uses:
        connection.execute(
            "UPDATE syscall SET count = count - ?, inputs = inputs - 1 WHERE id = ?",
            (count, syscall_id),
        )
        _pass_on(connection, syscall_id, name)


def _pass_on(connection: sqlite3.Connection, syscall_id: int, name: str) -> None:
    """Where input *name* was the first to show the call, the next one that still does is now."""
    connection.execute(
        "UPDATE syscall SET (first_input, first_at) = ("
        " SELECT input.hash, recording.at FROM syscall_use"
        " JOIN recording ON recording.id = syscall_use.recording_id"
        " JOIN input ON input.id = recording.input_id"
        " WHERE syscall_use.syscall_id = syscall.id ORDER BY syscall_use.recording_id LIMIT 1)"
        " WHERE id = ? AND first_input = ? AND inputs > 0",
        (syscall_id, name),
    )


def _insert_recording(
    connection: sqlite3.Connection,
    target_id: int,
    source: str,
    input_id: int | None,
    recording: Recording,
    when: float,
) -> int:
    number = connection.execute(
        "INSERT INTO recording (target_id, source, input_id, at, complete, problem)"
        " VALUES (?, ?, ?, ?, ?, ?)",
        (target_id, source, input_id, when, recording.complete, text(recording.problem)),
    ).lastrowid
    assert number is not None  # sqlite3 sets it on every INSERT
    return number


def _sum_up(
    connection: sqlite3.Connection,
    target_id: int,
    source: str,
    use: SyscallUse,
    stack_id: int | None,
    input_hash: str | None,
    when: float,
) -> int:
    """Add one use to the summed table; gives the id of its row there."""
    key = (target_id, use.name, use.origin.value, source)
    connection.execute(
        "INSERT INTO syscall (target_id, name, origin, source, first_input, first_at, count,"
        " inputs, stable, stack_id) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
        " ON CONFLICT (target_id, name, origin, source) DO UPDATE SET"
        " count = count + excluded.count, inputs = inputs + excluded.inputs,"
        " stable = max(stable, excluded.stable), stack_id = coalesce(stack_id, excluded.stack_id),"
        " first_input = CASE inputs WHEN 0 THEN excluded.first_input ELSE first_input END,"
        " first_at = CASE inputs WHEN 0 THEN excluded.first_at ELSE first_at END",
        (
            *key,
            input_hash or "",
            when,
            use.count,
            0 if input_hash is None else 1,
            use.stable,
            stack_id,
        ),
    )
    row = connection.execute(
        "SELECT id FROM syscall WHERE target_id = ? AND name = ? AND origin = ? AND source = ?", key
    ).fetchone()
    return int(row[0])


def _stack(connection: sqlite3.Connection, frames: tuple[str, ...]) -> int | None:
    """The id of a stack in its table; thousands of inputs share a few."""
    if not frames:
        return None
    packed = (pack_names(frames),)
    connection.execute("INSERT INTO stack (frames) VALUES (?) ON CONFLICT DO NOTHING", packed)
    row = connection.execute("SELECT id FROM stack WHERE frames = ?", packed).fetchone()
    return int(row[0])


def _merged(uses: Iterable[SyscallUse]) -> list[SyscallUse]:
    """One use a (name, origin): counts added, stable when any is, the first stack there is."""
    merged: dict[tuple[str, Origin], SyscallUse] = {}
    for use in uses:
        key = (text(use.name), use.origin)
        known = merged.get(key)
        merged[key] = SyscallUse(
            *key,
            count=use.count if known is None else known.count + use.count,
            stable=use.stable or (known is not None and known.stable),
            stack=use.stack if known is None else known.stack or use.stack,
        )
    return list(merged.values())


def _both(first: SyscallRow, second: SyscallRow) -> SyscallRow:
    """One row for the same call of two targets; *first* is the earlier sight."""
    return replace(
        first,
        first_input=first.first_input or second.first_input,
        count=first.count + second.count,
        inputs=first.inputs + second.inputs,
        unstable=first.unstable and second.unstable,
        stack=first.stack or second.stack,
    )


def _expect(source: str, known: frozenset[str]) -> None:
    if source not in known:
        raise ValueError(f"source is {source!r}, expected one of {', '.join(sorted(known))}")
