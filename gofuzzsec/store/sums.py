"""The summed table of system calls, kept up as recordings come and go.

``syscall`` holds one row a (name, kind, args, outcome, origin, source) of a target, ``syscall_use``
says which recording showed which of them, in the order of `recording` ids: the order of sight.
Functions here run inside a transaction of `Database`.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from gofuzzsec.store.encoding import pack_args, pack_names, text
from gofuzzsec.store.model import Statements
from gofuzzsec.syscalls.model import CallOutcome, Origin, Recording, SyscallUse

MOST_VALUES = 128
"""Different values of deciding arguments that are kept of a call of a target: a fuzzed program may
pass on whatever its input says, and a rule of so many values would be none."""


@dataclass(frozen=True, slots=True)
class Shown:
    """What a recording is of: an input (its id and hash), or a whole process (a label, no id).

    ``arch`` is Go's word for the machine that it was made on, ``at`` Unix time.
    """

    target_id: int
    source: str
    at: float
    arch: str
    input_id: int | None = None
    input_hash: str = ""
    label: str = ""
    statements: Statements | None = None


def insert(connection: sqlite3.Connection, shown: Shown, recording: Recording) -> None:
    """Add a recording with its uses, and the uses to the sums."""
    covered = shown.statements
    number = connection.execute(
        "INSERT INTO recording (target_id, source, input_id, label, arch, at, complete, covered,"
        " statements, problem) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            shown.target_id,
            shown.source,
            shown.input_id,
            shown.label,
            shown.arch,
            shown.at,
            recording.complete,
            None if covered is None else covered.covered,
            None if covered is None else covered.total,
            text(recording.problem),
        ),
    ).lastrowid
    for use in _merged(_bounded(connection, shown.target_id, recording.uses)):
        stack_id = _stack(connection, use.stack)
        syscall_id = _sum_up(connection, shown, use, stack_id)
        connection.execute(
            "INSERT INTO syscall_use (recording_id, syscall_id, count, stable, stack_id)"
            " VALUES (?, ?, ?, ?, ?)",
            (number, syscall_id, use.count, use.stable, stack_id),
        )


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


def replace_process(connection: sqlite3.Connection, shown: Shown, recording: Recording) -> None:
    """Add a whole process's recording in place of the one of the same source and label.

    What only that one had shown is forgotten with it.
    """
    key = (shown.target_id, shown.source, shown.label)
    old = "SELECT id FROM recording WHERE target_id = ? AND source = ? AND label = ?"
    stale = connection.execute(
        f"SELECT syscall_id FROM syscall_use WHERE recording_id IN ({old})", key
    ).fetchall()
    connection.execute(f"DELETE FROM recording WHERE id IN ({old})", key)
    insert(connection, shown, recording)
    for (syscall_id,) in stale:
        _sum_again(connection, syscall_id)


def _sum_again(connection: sqlite3.Connection, syscall_id: int) -> None:
    """A row of whole processes follows from the recordings that there are now."""
    connection.execute(
        "DELETE FROM syscall WHERE id = ?1"
        " AND NOT EXISTS (SELECT 1 FROM syscall_use WHERE syscall_id = ?1)",
        (syscall_id,),
    )
    uses = "FROM syscall_use JOIN recording ON recording.id = recording_id WHERE syscall_id = ?1"
    connection.execute(
        f"UPDATE syscall SET (count, stable) = (SELECT sum(count), max(stable) {uses}),"
        " (first_label, first_at) ="
        f" (SELECT recording.label, recording.at {uses} ORDER BY recording_id LIMIT 1),"
        " stack_id = (SELECT syscall_use.stack_id"
        f" {uses} AND syscall_use.stack_id IS NOT NULL ORDER BY recording_id LIMIT 1)"
        " WHERE id = ?1",
        (syscall_id,),
    )


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


def _sum_up(
    connection: sqlite3.Connection, shown: Shown, use: SyscallUse, stack_id: int | None
) -> int:
    """Add one use to the summed table; gives the id of its row there."""
    args = pack_args(use.args)
    key = (shown.target_id, use.name, use.kind, args, use.outcome, use.origin, shown.source)
    connection.execute(
        "INSERT INTO syscall (target_id, name, kind, args, outcome, origin, source, first_input,"
        " first_label, first_at, count, inputs, stable, stack_id)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
        " ON CONFLICT (target_id, name, kind, args, outcome, origin, source) DO UPDATE SET"
        " count = count + excluded.count, inputs = inputs + excluded.inputs,"
        " stable = max(stable, excluded.stable), stack_id = coalesce(stack_id, excluded.stack_id),"
        " first_input = CASE inputs WHEN 0 THEN excluded.first_input ELSE first_input END,"
        " first_at = CASE WHEN inputs = 0 AND excluded.inputs > 0 THEN excluded.first_at"
        " ELSE first_at END",
        (
            *key,
            shown.input_hash,
            shown.label,
            shown.at,
            use.count,
            0 if shown.input_id is None else 1,
            use.stable,
            stack_id,
        ),
    )
    row = connection.execute(
        "SELECT id FROM syscall WHERE target_id = ? AND name = ? AND kind = ? AND args = ?"
        " AND outcome = ? AND origin = ? AND source = ?",
        key,
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


def _bounded(
    connection: sqlite3.Connection, target_id: int, uses: Iterable[SyscallUse]
) -> Iterator[SyscallUse]:
    """*uses*, values not told where the call would come to have too many different ones."""
    known: dict[str, set[str]] = {}
    for use in uses:
        if not use.args:
            yield use
            continue
        name, args = text(use.name), pack_args(use.args)
        if name not in known:
            rows = connection.execute(
                "SELECT DISTINCT args FROM syscall WHERE target_id = ? AND name = ?",
                (target_id, name),
            )
            known[name] = {found for (found,) in rows}
        if args not in known[name] and len(known[name]) >= MOST_VALUES:
            yield replace(use, args=())
        else:
            known[name].add(args)
            yield use


def _merged(uses: Iterable[SyscallUse]) -> list[SyscallUse]:
    """One use a key: counts added, stable when any is, the first stack there is."""
    merged: dict[tuple[str, str, tuple[int, ...], CallOutcome, Origin], SyscallUse] = {}
    for use in uses:
        key = (text(use.name), text(use.kind), use.args, use.outcome, use.origin)
        known = merged.get(key)
        merged[key] = SyscallUse(
            name=key[0],
            origin=use.origin,
            count=use.count if known is None else known.count + use.count,
            stable=use.stable or (known is not None and known.stable),
            stack=use.stack if known is None else known.stack or use.stack,
            kind=key[1],
            outcome=use.outcome,
            args=use.args,
        )
    return list(merged.values())
