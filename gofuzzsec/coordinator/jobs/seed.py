"""Inputs that come from elsewhere: seeds, what the recorder found, what an older build kept."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gofuzzsec.coordinator.jobs.crash import crash_job
from gofuzzsec.coordinator.state import State
from gofuzzsec.coordinator.talk import Job, Talk
from gofuzzsec.corpus.format import file_name
from gofuzzsec.coverage import Bytes, as_array, features, pack
from gofuzzsec.errors import WorkerStartError
from gofuzzsec.store import InputRow
from gofuzzsec.worker import Run, Verdict
from gofuzzsec.worker.protocol import BLAMES_INPUT


@dataclass(frozen=True, slots=True)
class Seed:
    """``source`` as in the store; ``always`` keeps it even where it reaches nothing new."""

    data: bytes
    source: str
    always: bool

    @property
    def hash(self) -> str:
        """The name of its corpus file."""
        return file_name(self.data)


def seed_job(state: State, seed: Seed) -> Job:
    """Run a seed and keep it."""
    measured = yield from _measure(state, seed.data)
    if measured is None:
        return
    snapshot, exec_ns = measured
    if seed.always or np.any(state.pool.fresh(snapshot)):
        entry = state.keep(
            seed.data, snapshot, exec_ns, source=seed.source, why="seed", parent=None
        )
        state.record(entry, "seeds")


def adopt_job(state: State, data: bytes, keep: bool) -> Job:
    """Keep an input for a system call that the recorder saw it make for the first time.

    Without *keep* it is only run, since the recorder cannot tell a crash when it meets one.
    """
    measured = yield from _measure(state, data)
    if measured is not None and keep:
        snapshot, exec_ns = measured
        entry = state.keep(data, snapshot, exec_ns, source="fuzz", why="syscall", parent=None)
        state.record(entry, "fuzz")


def refresh_job(state: State, row: InputRow) -> Job:
    """Measure and record an input again that was kept with another build of the target."""
    measured = yield from _measure(state, row.data)
    if measured is None:
        return
    snapshot, exec_ns = measured
    found = features(snapshot)
    state.store.update_coverage(row.id, state.binary.key, pack(found), exec_ns)
    entry = state.admit(row, found)
    entry.exec_ns = exec_ns
    state.record_row(entry, row)


def _measure(state: State, data: bytes) -> Talk[tuple[Bytes, int] | None]:
    """Coverage and nanoseconds of one execution; None when there are none (a crash is seen to)."""
    outcome = yield Run(), data
    state.counts.executions += outcome.count
    if outcome.verdict in BLAMES_INPUT:
        yield from crash_job(state, data, outcome)
        return None
    if outcome.verdict is not Verdict.OK:
        state.note("warning", f"an input could not be run: {outcome.message[:200]}")
        return None
    if not outcome.coverage:
        raise WorkerStartError(
            f"expected coverage counters in {state.binary.path.name}, found none: "
            "build it with go test -c -fuzz=."
        )
    snapshot = as_array(outcome.coverage)
    state.pool.begin(len(snapshot))
    return snapshot, outcome.duration_ns
