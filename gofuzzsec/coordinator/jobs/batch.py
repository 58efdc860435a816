"""Many exact inputs at once, in a boosted worker: seeds, and what an older build kept."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TypeVar

from gofuzzsec.coordinator.calls import record_calls
from gofuzzsec.coordinator.jobs.crash import crash_job
from gofuzzsec.coordinator.jobs.seed import Seed, keep_seed, no_counters, refresh
from gofuzzsec.coordinator.planner import wire_of
from gofuzzsec.coordinator.state import State
from gofuzzsec.coordinator.talk import Job
from gofuzzsec.store import InputRow
from gofuzzsec.worker import Batch, Outcome, Verdict
from gofuzzsec.worker.agent_wire import BatchResult
from gofuzzsec.worker.protocol import BLAMES_INPUT

_One = TypeVar("_One", Seed, InputRow)

MOST_INPUTS = 256
MOST_BYTES = 4 << 20
"""Of one batch: some inputs are slow, and another worker may be idle."""


def batch_job(
    state: State, inputs: Sequence[_One], put_back: Callable[[Sequence[_One]], None]
) -> Job:
    """Run *inputs* and keep them; each is run twice, and covers what both runs do.

    What the worker did not come to, because others were slow or for want of room, is *put_back*.
    """
    outcome = yield Batch(tuple(wire_of(one.data) for one in inputs), twice=True), b""
    state.counts.executions += outcome.count
    results = outcome.report.results if outcome.report is not None else []
    left = inputs[len(results) :]
    alive = outcome.verdict is Verdict.OK
    put_back(left if alive and results else left[1:])
    for one, result in zip(inputs, results, strict=False):
        yield from _take(state, one, result, outcome)
    if alive and (results or not left):
        return
    if outcome.verdict in BLAMES_INPUT and left:
        yield from crash_job(state, left[0].data, outcome)
    else:
        state.note("warning", f"an input could not be run: {outcome.message[:200]}")


def _take(state: State, one: Seed | InputRow, result: BatchResult, outcome: Outcome) -> Job:
    if result.failed:
        failed = replace(outcome, verdict=Verdict.FAIL, message=result.text, report=None)
        yield from crash_job(state, one.data, failed)
        return
    if not len(result.features) or int(result.features[0]) >= state.pool.first_call:
        raise no_counters(state)
    if isinstance(one, Seed):
        entry = keep_seed(state, one, result.features, result.exec_ns)
        source = "seeds"
    else:
        entry = refresh(state, one, result.features, result.exec_ns)
        source = "fuzz" if one.source == "fuzz" else "seeds"
    if entry is not None:
        record_calls(state, entry, result.features, result.stacks, source)
        state.record(entry, source)
