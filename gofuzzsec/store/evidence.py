"""System calls: of each input, of whole processes, and summed for each target.

The sums (`sums`) are kept up with every recording, so that a profile of a million inputs is a query
over a few hundred rows.
"""

from __future__ import annotations

import time
from dataclasses import replace

from gofuzzsec.errors import StoreError
from gofuzzsec.store.database import Database, Row
from gofuzzsec.store.encoding import text, unpack_args, unpack_names
from gofuzzsec.store.model import RecordingRow, Statements, SyscallRow
from gofuzzsec.store.problems import damaged
from gofuzzsec.store.sums import Shown, insert, replace_process, retract
from gofuzzsec.syscalls.model import CallOutcome, Origin, Recording, SyscallUse
from gofuzzsec.syscalls.table import machine_arch

INPUT_SOURCES = frozenset(("seeds", "fuzz"))
PROCESS_SOURCES = frozenset(("tests", "baseline", "harness", "integration", "campaign"))

_SELECT = (
    "SELECT name, origin, source, first_input, first_at, count, inputs, stable, kind, outcome,"
    " first_label, args, stack.frames FROM syscall LEFT JOIN stack ON stack.id = syscall.stack_id"
)
_ORDER = " ORDER BY name, origin, source, kind, args, outcome, first_at, syscall.id"
_BEHAVIOUR = (
    "SELECT DISTINCT name FROM syscall WHERE target_id = ? AND stable = 1"
    " AND source IN ('seeds', 'fuzz') AND origin IN ('target', 'unknown')"
)
_USES = (
    "SELECT syscall.name, syscall.origin, syscall.kind, syscall.outcome, syscall.args,"
    " syscall_use.count, syscall_use.stable, stack.frames FROM recording"
    " JOIN syscall_use ON syscall_use.recording_id = recording.id"
    " JOIN syscall ON syscall.id = syscall_use.syscall_id"
    " LEFT JOIN stack ON stack.id = syscall_use.stack_id"
)
_USES_ORDER = " ORDER BY syscall.name, syscall.origin, syscall.kind, syscall.args, syscall.outcome"
_RECORDINGS = (
    "SELECT recording.id, recording.source, coalesce(input.hash, ''), at, complete, problem, label,"
    " arch, covered, statements FROM recording LEFT JOIN input ON input.id = recording.input_id"
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
        arch: str | None = None,
    ) -> list[str]:
        """Keep the system calls of an input; a second recording of it replaces the first.

        *source* is "seeds" or "fuzz", *at* Unix time (now), *arch* the architecture it was made on
        (this machine's). Returns, sorted, the names of ``recording.behaviour()`` that no input of
        this target had shown in both of its runs before. Raises StoreError, also when the target
        has no such input.
        """
        _expect(source, INPUT_SOURCES)
        when, machine = _now(at), _here(arch)
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
            shown = Shown(target_id, source, when, machine, input_id, row[0])
            insert(connection, shown, recording)
        return sorted({text(name) for name in recording.behaviour()} - known)

    def add_process_recording(
        self,
        target_id: int,
        source: str,
        recording: Recording,
        at: float | None = None,
        arch: str | None = None,
    ) -> None:
        """Keep the system calls of a whole process, in place of what *source* said before.

        It is the capture of *source* without a label: those with one stay (see `add_capture`).
        Raises StoreError.
        """
        self.add_capture(target_id, source, "", recording, at=at, arch=arch)

    def add_capture(
        self,
        target_id: int,
        source: str,
        label: str,
        recording: Recording,
        *,
        statements: Statements | None = None,
        at: float | None = None,
        arch: str | None = None,
    ) -> None:
        """Keep the system calls of one run of whole processes; runs of other labels stay.

        *source* is "tests", "baseline", "harness", "integration" or "campaign". *label* names the
        run (a command line, a package, a test, a session): a second one of the same source and
        label replaces the first, and what only that had shown is forgotten. *statements* is the
        coverage of the run, None where it was not measured; *at* is Unix time (now), *arch* the
        architecture it was made on (this machine's). Raises StoreError.
        """
        _expect(source, PROCESS_SOURCES)
        shown = Shown(
            target_id, source, _now(at), _here(arch), label=text(label), statements=statements
        )
        with self._writing() as connection:
            replace_process(connection, shown, recording)

    def syscalls(self, target_id: int | None = None) -> list[SyscallRow]:
        """The summed table of a target, or of all together.

        By name, origin, source, kind, args (as text) and outcome. Of several targets, counts are
        added and the first sight of all is the first. Raises StoreError.
        """
        if target_id is not None:
            rows = self._rows(f"{_SELECT} WHERE target_id = ?{_ORDER}", (target_id,))
        else:
            rows = self._rows(f"{_SELECT}{_ORDER}")
        merged: dict[tuple[object, ...], SyscallRow] = {}
        for found in map(self._syscall, rows):
            key = (
                found.name,
                found.origin,
                found.source,
                found.kind,
                found.args,
                found.outcome,
            )
            merged[key] = _both(merged[key], found) if key in merged else found
        return list(merged.values())

    def behaviour(self, target_id: int) -> frozenset[str]:
        """Names that inputs of the target showed in both runs, as its own or of unknown origin.

        Raises StoreError.
        """
        return frozenset(name for (name,) in self._rows(_BEHAVIOUR, (target_id,)))

    def input_syscalls(self, input_id: int) -> list[SyscallUse]:
        """The calls of one input by name, origin, kind, args and outcome; none while it has no
        recording.

        Raises StoreError.
        """
        rows = self._rows(f"{_USES} WHERE recording.input_id = ?{_USES_ORDER}", (input_id,))
        return [self._use(row) for row in rows]

    def recording_syscalls(self, recording_id: int) -> list[SyscallUse]:
        """The calls of one recording (RecordingRow.id), ordered in the same way.

        None when there is no such recording (any more). Raises StoreError.
        """
        rows = self._rows(f"{_USES} WHERE recording.id = ?{_USES_ORDER}", (recording_id,))
        return [self._use(row) for row in rows]

    def recordings(self, target_id: int, *, incomplete: bool = False) -> list[RecordingRow]:
        """All recordings of a target in order, or only those that may miss calls.

        Raises StoreError.
        """
        rows = self._rows(
            f"{_RECORDINGS} WHERE recording.target_id = ? AND complete <= ? ORDER BY recording.id",
            (target_id, 0 if incomplete else 1),
        )
        return [self._recording(row) for row in rows]

    def captures(self, target_id: int) -> list[RecordingRow]:
        """The recordings of whole processes of a target, in order. Raises StoreError."""
        rows = self._rows(
            f"{_RECORDINGS} WHERE recording.target_id = ? AND recording.input_id IS NULL"
            " ORDER BY recording.id",
            (target_id,),
        )
        return [self._recording(row) for row in rows]

    def architectures(self, target_id: int) -> dict[str, int]:
        """How many of a target's recordings were made on each architecture, in Go's words.

        "" stands for recordings of a gofuzzsec that did not say. Raises StoreError.
        """
        rows = self._rows(
            "SELECT arch, count(*) FROM recording WHERE target_id = ? GROUP BY arch ORDER BY arch",
            (target_id,),
        )
        return dict(self._typed(row, str, int) for row in rows)

    def _recording(self, row: Row) -> RecordingRow:
        number, source, name, at, complete, problem, label, arch = self._typed(
            row[:-2], int, str, str, float, int, str, str, str
        )
        statements = None
        if row[-2] is not None:
            covered, total = self._typed(row[-2:], int, int)
            statements = Statements(covered, total)
        return RecordingRow(
            number, source, name, at, bool(complete), problem, label, arch, statements
        )

    def _syscall(self, row: Row) -> SyscallRow:
        *values, frames = row
        self._typed(tuple(values), str, str, str, str, float, int, int, int, str, str, str, str)
        name, origin, source, first_input, first_at, count, inputs, stable, *rest = values
        kind, outcome, label, args = rest
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
            kind=kind,
            outcome=outcome,
            label=label,
            args=self._args(args),
        )

    def _use(self, row: Row) -> SyscallUse:
        name, origin, kind, outcome, args, count, stable = self._typed(
            row[:-1], str, str, str, str, str, int, int
        )
        try:
            maker, ending = Origin(origin), CallOutcome(outcome)
        except ValueError as error:
            found = f"a system call of origin {origin[:80]!r} and outcome {outcome[:80]!r}"
            raise damaged(self.path, found) from error
        stack = self._frames(row[-1])
        values = self._args(args)
        return SyscallUse(name, maker, count, bool(stable), stack, kind, ending, values)

    def _args(self, column: str) -> tuple[int, ...]:
        try:
            return unpack_args(column)
        except ValueError as error:
            raise damaged(self.path, f"argument values {column[:80]!r}") from error

    def _frames(self, column: object) -> tuple[str, ...]:
        if column is None:
            return ()
        try:
            return unpack_names(str(column))
        except ValueError as error:
            raise damaged(self.path, f"a call stack {str(column)[:80]!r}") from error


def _both(first: SyscallRow, second: SyscallRow) -> SyscallRow:
    """One row for the same call of two targets; *first* is the earlier sight."""
    return replace(
        first,
        first_input=first.first_input or second.first_input,
        count=first.count + second.count,
        inputs=first.inputs + second.inputs,
        unstable=first.unstable and second.unstable,
        stack=first.stack or second.stack,
        label=first.label or second.label,
    )


def _now(at: float | None) -> float:
    return time.time() if at is None else at


def _here(arch: str | None) -> str:
    return machine_arch() if arch is None else arch


def _expect(source: str, known: frozenset[str]) -> None:
    if source not in known:
        raise ValueError(f"source is {source!r}, expected one of {', '.join(sorted(known))}")
