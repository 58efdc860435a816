"""One plan of a boosted worker: send it, then keep, look into and remember what it brought."""

from __future__ import annotations

from dataclasses import replace

from gofuzzsec.coordinator.blame import blame
from gofuzzsec.coordinator.calls import record_calls
from gofuzzsec.coordinator.jobs.crash import crash_job
from gofuzzsec.coordinator.planner import make_plan
from gofuzzsec.coordinator.pool import Entry
from gofuzzsec.coordinator.state import State
from gofuzzsec.coordinator.talk import Job
from gofuzzsec.corpus.format import marshal
from gofuzzsec.errors import RecorderError
from gofuzzsec.worker import Outcome, Report, Verdict
from gofuzzsec.worker.agent_wire import LOCAL_PARENT, Failure, Find, decode_input
from gofuzzsec.worker.protocol import BLAMES_INPUT


def plan_job(state: State) -> Job:
    """Fuzz the entries that the schedule draws, for a fraction of a second."""
    granted = state.reserve()
    if granted < 0:
        return
    plan = make_plan(state, granted)
    if plan is None:
        state.release(granted)
        return
    outcome = yield plan, b""
    state.release(granted)
    report = outcome.report or Report()
    _, _, trimmed, _ = report.runs
    state.counts.executions += outcome.count - trimmed
    state.counts.minimising += trimmed
    _count_sights(state, report)
    kept = _keep_finds(state, report)
    _remember(state, report, kept)
    for failure in report.failures:
        yield from _look_into(state, failure, outcome, kept)
    for key, times in report.again.items():
        known = state.looks.get(key)
        if known is not None:
            state.crash_keys[known] = state.crash_keys.get(known, 0) + times
    if outcome.verdict in BLAMES_INPUT and outcome.data:
        yield from crash_job(state, outcome.data, outcome)
    elif outcome.verdict is not Verdict.OK:
        state.note("warning", f"a worker was lost, no input to blame: {outcome.message[:200]}")


def _count_sights(state: State, report: Report) -> None:
    try:
        state.incidence.add(report.sights)
    except RecorderError as error:  # a target may have written over what the agent said
        state.note("warning", f"sights of system calls are not counted: {error}")


def _keep_finds(state: State, report: Report) -> dict[int, Entry]:
    """Store the finds of *report* that are still new; the entries by the finds' numbers."""
    kept: dict[int, Entry] = {}
    for find in report.finds:
        fresh = state.pool.fresh_features(find.fresh)
        if not len(fresh):
            continue  # another worker was faster
        parent = _parent(state, find, kept)
        why = "syscall" if int(fresh[0]) >= state.pool.first_call else "coverage"
        entry = state.keep(
            marshal(decode_input(find.wire, state.types)),
            find.features,
            find.exec_ns,
            source="fuzz",
            why=why,
            parent=parent.id if parent is not None else None,
        )
        if parent is not None:
            parent.finds += 1
        kept[find.number] = entry
        record_calls(state, entry, find.features, find.stacks, "fuzz")
        state.record(entry, "fuzz")
    return kept


def _parent(state: State, find: Find | Failure, kept: dict[int, Entry]) -> Entry | None:
    if find.parent & LOCAL_PARENT:
        return kept.get(find.parent ^ LOCAL_PARENT)
    return state.pool.entries.get(find.parent)


def _remember(state: State, report: Report, kept: dict[int, Entry]) -> None:
    state.tokens.learn(report.tokens)
    for number in report.solved:
        if number in kept:
            kept[number].solved = True
    for item in report.items:
        entry = state.pool.entries.get(item.id)
        if entry is not None:
            entry.solved = entry.solved or item.solved


def _look_into(state: State, failure: Failure, outcome: Outcome, kept: dict[int, Entry]) -> Job:
    """See to a failed execution that the worker survived."""
    data = marshal(decode_input(failure.wire, state.types))
    failed = replace(outcome, verdict=Verdict.FAIL, message=failure.text, data=data, report=None)
    parent = _parent(state, failure, kept)
    if parent is not None:
        parent.crashes += 1
    state.looks[failure.key] = blame(failed).key
    yield from crash_job(state, data, failed)
