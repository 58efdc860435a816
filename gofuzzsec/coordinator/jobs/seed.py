"""Inputs that come from elsewhere: seeds, what the recorder found, what an older build kept."""

from __future__ import annotations

from dataclasses import dataclass, replace

from gofuzzsec.coordinator.jobs.crash import crash_job
from gofuzzsec.coordinator.pool import Entry
from gofuzzsec.coordinator.state import State
from gofuzzsec.coordinator.talk import Job, Talk
from gofuzzsec.corpus.format import file_name
from gofuzzsec.coverage import Features, as_array, features, pack
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
    entry = keep_seed(state, seed, *measured)
    if entry is not None:
        state.record(entry, "seeds")


def keep_seed(state: State, seed: Seed, found: Features, exec_ns: int) -> Entry | None:
    """Store *seed*, which covers *found*, if it is worth it."""
    if not seed.always and not len(state.pool.fresh_features(found)):
        return None
    return state.keep(seed.data, found, exec_ns, source=seed.source, why="seed", parent=None)


def adopt_job(state: State, data: bytes, keep: bool) -> Job:
    """Keep an input for a system call that the recorder saw it make for the first time.

    Without *keep* it is only run, since the recorder cannot tell a crash when it meets one.
    """
    measured = yield from _measure(state, data)
    if measured is not None and keep:
        found, exec_ns = measured
        entry = state.keep(data, found, exec_ns, source="fuzz", why="syscall", parent=None)
        state.record(entry, "fuzz")


def refresh_job(state: State, row: InputRow) -> Job:
    """Measure and record an input again that was kept with another build of the target."""
    measured = yield from _measure(state, row.data)
    if measured is None:
        return
    state.record_row(refresh(state, row, *measured), row)


def refresh(state: State, row: InputRow, found: Features, exec_ns: int) -> Entry:
    """Take a stored input into the pool with what it covers in this build."""
    state.store.update_coverage(row.id, state.binary.key, pack(found), exec_ns)
    return state.admit(replace(row, exec_ns=exec_ns), found)


def _measure(state: State, data: bytes) -> Talk[tuple[Features, int] | None]:
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
        raise no_counters(state)
    snapshot = as_array(outcome.coverage)
    state.pool.begin(len(snapshot))
    return features(snapshot), outcome.duration_ns


def no_counters(state: State) -> WorkerStartError:
    """What to raise when an execution covered nothing at all."""
    return WorkerStartError(
        f"expected coverage counters in {state.binary.path.name}, found none: "
        "build it with go test -c -fuzz=."
    )
