"""One turn of one entry: let the worker mutate it until the turn is over, judge what it finds."""

from __future__ import annotations

import time

import numpy as np

from gofuzzsec.coordinator.jobs.crash import crash_job
from gofuzzsec.coordinator.jobs.keep import minimise_kept
from gofuzzsec.coordinator.pool import Entry
from gofuzzsec.coordinator.state import State, mutated
from gofuzzsec.coordinator.talk import Job
from gofuzzsec.coordinator.variety import start_of
from gofuzzsec.corpus.format import marshal
from gofuzzsec.coverage import as_array, features
from gofuzzsec.worker import Fuzz, Outcome, Run, Verdict
from gofuzzsec.worker.protocol import BLAMES_INPUT


def fuzz_job(state: State, entry: Entry) -> Job:
    """Fuzz *entry* for one turn of the schedule."""
    start = start_of(state, entry)
    end = time.monotonic() + state.schedule.turn_seconds(entry) * start.share
    while not state.closing and (left := end - time.monotonic()) > 0:
        granted = state.reserve()
        if granted < 0:
            return
        outcome = yield Fuzz(left, granted), start.data
        state.release(granted)
        state.counts.executions += outcome.count
        if outcome.verdict is Verdict.OK and outcome.coverage is None:
            return
        if outcome.verdict in (Verdict.KILLED, Verdict.BROKEN):
            state.note("warning", f"a worker was lost, no input to blame: {outcome.message[:200]}")
            return
        data = marshal(mutated(start.data, outcome, state.options.shm_size))
        if outcome.verdict in BLAMES_INPUT:
            entry.crashes += 1
            yield from crash_job(state, data, outcome)
            return
        yield from judge_find(state, entry, data, outcome)


def judge_find(state: State, entry: Entry, data: bytes, found: Outcome) -> Job:
    """Keep the input of a find if its new coverage comes again, then make it smaller.

    Another worker may have found the same bits since this one was told what is known; and
    coverage that depends on timing or on earlier executions would fill the corpus with inputs
    that do nothing, so it must show up in a run of its own. Either way the bits count as known.
    """
    first = as_array(found.coverage or b"")
    state.pool.begin(len(first))
    if not np.any(state.pool.fresh(first)):
        return
    again = yield Run(), data
    state.counts.executions += again.count
    if again.verdict in BLAMES_INPUT:
        yield from crash_job(state, data, again)
        return
    if again.verdict is not Verdict.OK:
        return
    second = as_array(again.coverage or b"")
    stable = first & second
    fresh = state.pool.fresh(stable)
    is_new = bool(np.any(fresh))
    if is_new:
        kept = state.keep(
            data,
            features(stable),
            again.duration_ns,
            source="fuzz",
            why="coverage",
            parent=entry.id,
        )
        entry.finds += 1
    else:
        state.counts.flaky += 1
    state.pool.learn(first | second)
    if is_new:
        kept = yield from minimise_kept(state, kept, fresh)
        state.record(kept, "fuzz")
